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
    /// The day of the year, from 001.
    DayOfYear,
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
            Self::DayOfYear => 3,
            Self::Sign(_) => 1,
            _ => 2,
        }
    }

    /// Reads a pattern like `yyyyMMddHHmmss`, `yyyy-MM-dd` or `yyDDD`; between two `'` stands what is
    /// always there, like `'+08:00'`.
    pub fn parse(pattern: &str) -> Option<Vec<Self>> {
        let mut rest = pattern;
        let mut pieces = Vec::new();
        'next: while let Some(first) = rest.bytes().next() {
            if let Some(quoted) = rest.strip_prefix('\'') {
                let (text, after) = quoted.split_once('\'')?;
                if text.is_empty() || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
                    return None;
                }
                pieces.extend(text.bytes().map(Self::Sign));
                rest = after;
                continue;
            }
            for (word, piece) in [
                ("yyyy", Self::Year),
                ("yy", Self::ShortYear),
                ("MM", Self::Month),
                ("dd", Self::Day),
                ("DDD", Self::DayOfYear),
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
        let of_year = pieces.contains(&Self::DayOfYear);
        let has_year = pieces.contains(&Self::Year) || pieces.contains(&Self::ShortYear);
        let twice = pieces.contains(&Self::Month) || pieces.contains(&Self::Day);
        (!pieces.is_empty() && (!of_year || (has_year && !twice))).then_some(pieces)
    }
}

/// A pattern as a description writes it.
pub(crate) fn told(pieces: &[Piece]) -> String {
    let plain = |byte: u8| matches!(byte, b' ' | b'-' | b':' | b'/' | b'.' | b'T');
    pieces.iter().fold(String::new(), |mut text, piece| {
        match piece {
            Piece::Sign(sign) if !plain(*sign) => {
                // One text between quotes, however many signs it has.
                if text.ends_with('\'') {
                    text.pop();
                } else {
                    text.push('\'');
                }
                text.push(char::from(*sign));
                text.push('\'');
            }
            Piece::DayOfYear => text.push_str("DDD"),
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
            Piece::DayOfYear => u64::from(day_of_year(moment)),
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

/// The day of the year, from 1.
fn day_of_year(moment: Moment) -> u16 {
    let lengths =
        [31, if moment.is_leap_year() { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30];
    let before = usize::from(moment.month).saturating_sub(1);
    lengths.iter().take(before).sum::<u16>() + u16::from(moment.day)
}

/// Reads the pieces of a pattern over what is known already.
pub(crate) fn read(
    pieces: &[Piece],
    known: Moment,
    bytes: &[u8],
) -> Result<Moment, Box<ReadFault>> {
    let wrong = || not(bytes, "a date and time of the calendar in this field's pattern");
    let mut moment = known;
    let mut of_year = None;
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
            Piece::DayOfYear => of_year = Some(u16::try_from(number).unwrap_or(u16::MAX)),
            Piece::Hour => moment.hour = two,
            Piece::Minute => moment.minute = two,
            Piece::Second => moment.second = two,
            Piece::Sign(_) => {}
        }
    }
    if let Some(day) = of_year {
        let found = (1..=12).rev().find_map(|month| {
            let first = day_of_year(Moment { month, day: 1, ..moment });
            let day = u8::try_from(day.checked_sub(first)? + 1).ok()?;
            Some((month, day))
        });
        (moment.month, moment.day) = found.ok_or_else(wrong)?;
    }
    if rest.is_empty() && moment.is_real() { Ok(moment) } else { Err(wrong()) }
}
