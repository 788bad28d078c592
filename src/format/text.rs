//! Texts: what characters they may have, and how they are spelled; strict both ways.

use crate::format::cell::{Join, Pen, ReadFault, not};
use crate::format::charset::{Charset, Controls};
use crate::format::error::FieldFault;
use crate::format::words::{Source, Value};

/// Which characters a text may have, beyond what its character set allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Any,
    Ascii,
    Digits,
}

impl Only {
    #[inline]
    const fn allows(self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Ascii => matches!(byte, b' '..=b'~'),
            Self::Digits => byte.is_ascii_digit(),
        }
    }

    /// The first byte that it does not allow. All bytes are looked at without a branch for each, since
    /// most texts have none.
    #[inline]
    fn first_refused(self, bytes: &[u8]) -> Option<usize> {
        let all = match self {
            Self::Any => true,
            Self::Ascii => bytes.iter().fold(true, |all, byte| all & Self::Ascii.allows(*byte)),
            Self::Digits => bytes.iter().fold(true, |all, byte| all & Self::Digits.allows(*byte)),
        };
        if all { None } else { bytes.iter().position(|byte| !self.allows(*byte)) }
    }

    /// For messages: what may stand in it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Any => "text",
            Self::Ascii => "ASCII signs alone",
            Self::Digits => "digits alone",
        }
    }
}

/// Appends a text.
#[inline]
pub(crate) fn write_text(
    charset: Charset,
    only: Only,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), FieldFault> {
    if only.first_refused(text.as_bytes()).is_some() {
        let allowed = |c: char| u8::try_from(c).is_ok_and(|byte| only.allows(byte));
        let character = text.chars().find(|c| !allowed(*c)).unwrap_or('\u{FFFD}');
        return Err(FieldFault::NotEncodable { character });
    }
    if only != Only::Any && charset.has_ascii() {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    charset.encode_into(text, out).map_err(|character| FieldFault::NotEncodable { character })
}

/// Reads a text.
#[inline]
pub(crate) fn read_text(
    charset: Charset,
    only: Only,
    cut_tail: bool,
    bytes: &[u8],
    out: &mut String,
) -> Result<(), Box<ReadFault>> {
    out.clear();
    if only != Only::Any && charset.has_ascii() {
        // What is allowed is ASCII: where all of it is, it is UTF-8 as well.
        return match only.first_refused(bytes) {
            None => std::str::from_utf8(bytes)
                .map(|text| out.push_str(text))
                .map_err(|_| not(bytes, only.told())),
            Some(at) => Err(Box::new(ReadFault { at, ..*not(bytes, only.told()) })),
        };
    }
    let decoded = if cut_tail {
        charset.decode_cut_tail(bytes, out).map(|_| ())
    } else {
        charset.decode_into(bytes, Controls::None, out)
    };
    decoded.map_err(|bad| {
        // A broken sequence is at most four bytes; two of them tell what it is and no name.
        let end = bytes.len().min(bad.at + 2);
        let broken = bytes.get(bad.at..end).unwrap_or_default();
        let hex: Vec<String> = broken.iter().map(|byte| format!("{byte:02X}")).collect();
        let found = format!("{} ({})", hex.join(" "), bad.why);
        let expected = format!("text in {}", charset.as_str());
        Box::new(ReadFault { at: bad.at, found, expected })
    })?;
    if only != Only::Any
        && let Some(at) = only.first_refused(out.as_bytes())
    {
        return Err(Box::new(ReadFault { at, ..*not(bytes, only.told()) }));
    }
    Ok(())
}

/// Puts a text together out of signs and values.
pub(crate) fn joined(pieces: &[Join], source: &dyn Source) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Join::Sign(sign) => text.push_str(sign),
            Join::Value(slot) => match source.slot(*slot) {
                Some(Value::Text(value)) => text.push_str(value),
                Some(Value::Int(number) | Value::Decimal(number)) => {
                    text.push_str(&number.to_string());
                }
                Some(Value::Amount(fen)) => text.push_str(&fen.yuan()),
                Some(Value::Moment(moment)) => text.push_str(&moment.to_string()),
                None => {}
            },
        }
    }
    text
}

/// A default is written as the description spells it.
pub(crate) fn write_default(
    default: &str,
    pen: &Pen<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, FieldFault> {
    let written = pen.charset.encode_into(default, out);
    written.map_err(|character| FieldFault::NotEncodable { character })?;
    Ok(!default.is_empty())
}
