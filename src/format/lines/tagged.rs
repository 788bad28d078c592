//! Tagged: `<name>value</>`, the closing tag without a name. Not XML, and read by no XML reader.

use crate::format::cell::{Cell, Pen};
use crate::format::charset::{Charset, Sign};
use crate::format::error::FieldFault;
use crate::format::words::Source;

/// The longest name of a tag that is looked for, in signs.
pub(crate) const NAME_SIGNS_MAX: usize = 64;

/// What tags are made of, as the character set spells it.
#[derive(Debug, Clone)]
pub(crate) struct Tags {
    open: Sign,
    end: Sign,
    /// `</>`.
    pub close: Vec<u8>,
}

impl Tags {
    pub fn new(charset: Charset) -> Self {
        // Every character set has these signs.
        let sign = |ascii: u8| charset.sign(ascii).unwrap_or(Sign::byte(ascii));
        let [open, slash, end] = [b'<', b'/', b'>'].map(sign);
        Self { open, end, close: [open.bytes(), slash.bytes(), end.bytes()].concat() }
    }

    /// How far one looks behind a value: its closing tag, and the tag that may follow.
    pub const fn behind(&self) -> usize {
        self.close.len() + (NAME_SIGNS_MAX + 2) * self.open.length()
    }

    /// The tag that begins here, with its signs.
    pub fn opening<'b>(&self, charset: Charset, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let unit = self.open.length();
        let is_close = bytes.starts_with(self.close.get(..2 * unit)?);
        if !self.open.begins(bytes) || is_close {
            return None;
        }
        let most = bytes.len().min((NAME_SIGNS_MAX + 2) * unit);
        let end = charset.find(bytes.get(..most)?, 0, self.end)?;
        bytes.get(..end + unit)
    }

    /// The length of the value that begins here and its closing tag.
    pub fn value_length(&self, charset: Charset, bytes: &[u8]) -> Option<usize> {
        let end = charset.find(bytes, 0, self.open)?;
        bytes.get(end..)?.starts_with(&self.close).then_some(end)
    }

    /// Appends a value between its tags, or nothing where there is none.
    pub fn put(
        &self,
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
        let value = out.get(from..).unwrap_or_default();
        let signs = [self.open, self.end].into_iter();
        let mut within = signs.filter(|sign| pen.charset.find(value, 0, *sign).is_some());
        if let Some(sign) = within.next() {
            return Err(FieldFault::NotEncodable { character: sign.character });
        }
        out.extend_from_slice(&self.close);
        Ok(())
    }
}
