//! Dates and times by pattern, like `yyyyMMddHHmmss`.

use crate::format::cell::{ReadFault, not, out_of_range};
use crate::format::error::FieldFault;
use crate::format::number::{digits, write_digits};
use crate::format::words::Moment;

/// A piece of a date pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Year,
    /// The last two digits of a year of this century.
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Sign(u8),
}

impl Piece {
    /// How many bytes it takes, always.
    pub const fn width(self) -> usize {
        match self {
            Self::Year => 4,
            Self::Sign(_) => 1,
            _ => 2,
        }
    }

    /// Reads a pattern like `yyyyMMddHHmmss` or `yyyy-MM-dd`.
    pub fn parse(pattern: &str) -> Option<Vec<Self>> {
        let mut rest = pattern;
        let mut pieces = Vec::new();
        'next: while let Some(first) = rest.bytes().next() {
            for (word, piece) in [
                ("yyyy", Self::Year),
                ("yy", Self::ShortYear),
                ("MM", Self::Month),
                ("dd", Self::Day),
                ("HH", Self::Hour),
                ("mm", Self::Minute),
                ("ss", Self::Second),
            ] {
                if let Some(after) = rest.strip_prefix(word) {
                    pieces.push(piece);
                    rest = after;
                    continue 'next;
                }
            }
            if !matches!(first, b' ' | b'-' | b':' | b'/' | b'.' | b'T') {
                return None;
            }
            pieces.push(Self::Sign(first));
            rest = rest.get(1..)?;
        }
        (!pieces.is_empty()).then_some(pieces)
    }
}

/// A pattern as a description writes it.
pub(crate) fn told(pieces: &[Piece]) -> String {
    pieces.iter().fold(String::new(), |mut text, piece| {
        match piece {
            Piece::Year => text.push_str("yyyy"),
            Piece::ShortYear => text.push_str("yy"),
            Piece::Month => text.push_str("MM"),
            Piece::Day => text.push_str("dd"),
            Piece::Hour => text.push_str("HH"),
            Piece::Minute => text.push_str("mm"),
            Piece::Second => text.push_str("ss"),
            Piece::Sign(sign) => text.push(char::from(*sign)),
        }
        text
    })
}

/// Appends a moment in its pattern.
pub(crate) fn write(pieces: &[Piece], moment: Moment, out: &mut Vec<u8>) -> Result<(), FieldFault> {
    if !moment.is_real() {
        return Err(out_of_range("a day of the calendar and a time of day"));
    }
    for piece in pieces {
        let number = match piece {
            Piece::Year => u64::from(moment.year.unsigned_abs()),
            Piece::ShortYear if (2000..2100).contains(&moment.year) => {
                u64::from(moment.year.unsigned_abs()) - 2000
            }
            Piece::ShortYear => return Err(out_of_range("a year of this century")),
            Piece::Month => u64::from(moment.month),
            Piece::Day => u64::from(moment.day),
            Piece::Hour => u64::from(moment.hour),
            Piece::Minute => u64::from(moment.minute),
            Piece::Second => u64::from(moment.second),
            Piece::Sign(sign) => {
                out.push(*sign);
                continue;
            }
        };
        write_digits(number, piece.width(), out);
    }
    Ok(())
}

/// Reads the pieces of a pattern over what is known already.
pub(crate) fn read(
    pieces: &[Piece],
    known: Moment,
    bytes: &[u8],
) -> Result<Moment, Box<ReadFault>> {
    let wrong = || not(bytes, "a date and time of the calendar in this field's pattern");
    let mut moment = known;
    let mut rest = bytes;
    for piece in pieces {
        let (here, after) = rest.split_at_checked(piece.width()).ok_or_else(wrong)?;
        rest = after;
        if let Piece::Sign(sign) = piece {
            if here != [*sign] {
                return Err(wrong());
            }
            continue;
        }
        let number = digits(here).ok_or_else(wrong)?;
        let two = u8::try_from(number).unwrap_or(u8::MAX);
        match piece {
            Piece::Year => moment.year = i16::try_from(number).unwrap_or(-1),
            Piece::ShortYear => moment.year = 2000 + i16::from(two),
            Piece::Month => moment.month = two,
            Piece::Day => moment.day = two,
            Piece::Hour => moment.hour = two,
            Piece::Minute => moment.minute = two,
            Piece::Second => moment.second = two,
            Piece::Sign(_) => {}
        }
    }
    if rest.is_empty() && moment.is_real() { Ok(moment) } else { Err(wrong()) }
}
