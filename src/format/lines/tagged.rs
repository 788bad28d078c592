//! Tagged: `<name>value</>`, the closing tag without a name. Not XML, and read by no XML reader.

use crate::format::cell::{Cell, Pen};
use crate::format::error::FieldFault;
use crate::format::words::Source;

pub(crate) const CLOSE: &[u8] = b"</>";

/// The longest name of a tag that is looked for.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// How far one looks behind a value: its closing tag, and the tag that may follow.
pub(crate) const BEHIND_BYTES: usize = CLOSE.len() + NAME_BYTES_MAX + 2;

/// Appends a value between its tags, or nothing where there is none.
pub(crate) fn put(
    cell: &Cell,
    open: &[u8],
    width_max: Option<usize>,
    pen: &Pen<'_>,
    source: &dyn Source,
    out: &mut Vec<u8>,
) -> Result<(), FieldFault> {
    let before = out.len();
    out.extend_from_slice(open);
    let from = out.len();
    if !cell.write(pen, source, 0, out)? {
        out.truncate(before);
        return Ok(());
    }
    let needed = out.len() - from;
    if let Some(most) = width_max.filter(|most| needed > *most) {
        return Err(FieldFault::TooWide { needed, there: most });
    }
    // Neither sign is a later byte of a character in any character set of this room.
    if let Some(sign) = out[from..].iter().find(|byte| matches!(byte, b'<' | b'>')) {
        return Err(FieldFault::NotEncodable { character: char::from(*sign) });
    }
    out.extend_from_slice(CLOSE);
    Ok(())
}

/// The tag that begins here, with its signs.
pub(crate) fn opening(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.first() != Some(&b'<') || bytes.get(1) == Some(&b'/') {
        return None;
    }
    let end = bytes.iter().take(NAME_BYTES_MAX + 2).position(|byte| *byte == b'>')?;
    bytes.get(..=end)
}

/// The length of the value that begins here and its closing tag.
pub(crate) fn value_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'<')?;
    bytes.get(end..)?.starts_with(CLOSE).then_some(end)
}
