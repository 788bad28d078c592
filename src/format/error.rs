//! What can be wrong: with a description ([`Problems`]), with a value that is to be written
//! ([`FieldError`]), with bytes that were read or a whole message ([`DataError`]).
//!
//! None of them repeats personal data: a field is told by its name, what was found by its shape
//! (`9` for a digit, `a` for a letter), a character that cannot be written by its code point.

use std::fmt;

use crate::format::words::{Key, MessageKind, PartRole};
use crate::model::hold::HoldReason;

/// One fault of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; 0 where the fault has no place in the text (a missing sample).
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Every fault of a description, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file that was read, or the format's name.
    pub file: String,
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            if at > 0 {
                out.write_str("\n")?;
            }
            out.write_str(&self.file)?;
            if problem.line > 0 {
                write!(out, ":{}:{}", problem.line, problem.column)?;
            }
            write!(out, ": {}", problem.what)?;
            if !problem.hint.is_empty() {
                write!(out, "\n    hint: {}", problem.hint)?;
            }
        }
        Ok(())
    }
}

/// Why one value cannot be written. Nothing is ever cut, guessed or substituted (design 4.7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct FieldError {
    /// The value, or nothing for a constant or a file name as a whole.
    pub key: Option<Key>,
    /// The field's name in the description.
    pub field: String,
    pub fault: FieldFault,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    #[error("there is no value")]
    Missing,
    /// The bank's character set, or this field, has no place for this character.
    #[error("U+{:04X} cannot be written here", u32::from(*character))]
    NotEncodable { character: char },
    /// In bytes after encoding.
    #[error("needs {needed} bytes, there are {there}")]
    TooWide { needed: usize, there: usize },
    /// The field is always full, and this does not fill it. In bytes after encoding.
    #[error("takes {taken} bytes, and must fill {there}")]
    TooShort { taken: usize, there: usize },
    /// It begins or ends with the sign that fills the field, so it would not read back.
    #[error("begins or ends with the filling sign {pad:?} and would not read back")]
    Padding { pad: char },
    #[error("expected {expected}")]
    OutOfRange { expected: String },
}

impl FieldError {
    /// The reason for which a payment with it is set aside.
    pub const fn hold_reason(&self) -> HoldReason {
        match self.fault {
            FieldFault::NotEncodable { .. } | FieldFault::Padding { .. } => {
                HoldReason::NotEncodable
            }
            FieldFault::TooWide { .. } => HoldReason::TooWide,
            FieldFault::Missing => HoldReason::Missing,
            FieldFault::TooShort { .. } | FieldFault::OutOfRange { .. } => HoldReason::NotAccepted,
        }
    }
}

/// What is wrong with a message, written or read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    pub message: MessageKind,
    /// The part it was found in, where it was found in one.
    pub part: Option<PartRole>,
    /// The record in its part, counted from 1; 0 for the part as a whole.
    pub record: usize,
    /// The field's name in the description; empty for a record or part as a whole.
    pub field: String,
    /// In bytes from the start of the part.
    pub offset: Option<usize>,
    /// The shape of what was found, never the thing itself.
    pub found: String,
    pub expected: String,
}

impl std::error::Error for DataError {}

impl fmt::Display for DataError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.message)?;
        if let Some(part) = self.part {
            write!(out, ", {part} part")?;
        }
        if self.record > 0 {
            write!(out, ", record {}", self.record)?;
        }
        if !self.field.is_empty() {
            write!(out, ", field {}", self.field)?;
        }
        if let Some(offset) = self.offset {
            write!(out, ", byte {offset}")?;
        }
        write!(out, ": expected {}", self.expected)?;
        if !self.found.is_empty() {
            write!(out, ", found {}", self.found)?;
        }
        Ok(())
    }
}

/// The shape of bytes: digits as `9`, letters as `a`, control bytes in hex, what is not ASCII as
/// `?`. At most 24 bytes of it.
pub(crate) fn shape(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 24;
    let mut out = String::from("`");
    for byte in bytes.iter().take(SHOWN_MAX) {
        match byte {
            b'0'..=b'9' => out.push('9'),
            b'a'..=b'z' | b'A'..=b'Z' => out.push('a'),
            b' '..=b'~' => out.push(char::from(*byte)),
            0x80..=0xFF => out.push('?'),
            _ => {
                out.push_str("\\x");
                out.extend([byte >> 4, byte & 15].map(hex_digit));
            }
        }
    }
    out.push('`');
    if bytes.len() > SHOWN_MAX {
        out.push_str(" and ");
        out.push_str(&(bytes.len() - SHOWN_MAX).to_string());
        out.push_str(" bytes more");
    }
    out
}

fn hex_digit(four_bits: u8) -> char {
    char::from_digit(u32::from(four_bits), 16).unwrap_or('?').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn i27_a_shape_tells_no_data() {
        assert_eq!(shape(b"6222 0012,Ab\x01"), "`9999 9999,aa\\x01`");
        assert_eq!(shape("张".as_bytes()), "`???`");
        assert_eq!(shape(&[b'1'; 30]), "`999999999999999999999999` and 6 bytes more");
    }
}
