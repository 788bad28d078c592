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
    /// A year that is not counted from the birth of Christ.
    YearOf(Era),
    Month,
    Day,
    Hour,
    /// A month, day or hour without a zero before it: one digit or two.
    Short(Part),
    /// The first letters of a month's English name.
    MonthName {
        capitals: bool,
    },
    /// The day of the year, from 001.
    DayOfYear,
    Minute,
    Second,
    Sign(u8),
}

/// What is written in one digit where one will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Month,
    Day,
    Hour,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The words of a pattern; of two that begin alike the longer one comes first.
const WORDS: [(&str, Piece); 16] = [
    ("yyyy", Piece::Year),
    ("yy", Piece::ShortYear),
    ("RRR", Piece::YearOf(Era::Republic)),
    ("BBBB", Piece::YearOf(Era::Buddhist)),
    ("EE", Piece::YearOf(Era::Reiwa)),
    ("MMM", Piece::MonthName { capitals: true }),
    ("Mmm", Piece::MonthName { capitals: false }),
    ("MM", Piece::Month),
    ("M", Piece::Short(Part::Month)),
    ("dd", Piece::Day),
    ("d", Piece::Short(Part::Day)),
    ("DDD", Piece::DayOfYear),
    ("HH", Piece::Hour),
    ("H", Piece::Short(Part::Hour)),
    ("mm", Piece::Minute),
    ("ss", Piece::Second),
];

/// What years are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// The Republic of China (民国), in three digits: 115 is 2026.
    Republic,
    /// The Buddhist era, in four digits: 2569 is 2026.
    Buddhist,
    /// Reiwa (令和), in two digits: 08 is 2026. It began on 1 May 2019.
    Reiwa,
}

impl Era {
    /// The year 0 of it, which never was.
    const fn zero(self) -> i16 {
        match self {
            Self::Republic => 1911,
            Self::Buddhist => -543,
            Self::Reiwa => 2018,
        }
    }

    /// The first year that has too many digits.
    const fn beyond(self) -> i16 {
        match self {
            Self::Republic => 1_000,
            Self::Buddhist => 10_000,
            Self::Reiwa => 100,
        }
    }

    /// The year of a day in this era, where it was one.
    fn year(self, moment: Moment) -> Option<u64> {
        let before = self == Self::Reiwa && moment.year == 2019 && moment.month < 5;
        let year = moment.year.checked_sub(self.zero()).filter(|year| *year > 0 && !before)?;
        (year < self.beyond()).then_some(u64::from(year.unsigned_abs()))
    }
}

impl Piece {
    /// How many bytes it takes, where that is always the same.
    pub const fn width(self) -> Option<usize> {
        Some(match self {
            Self::Year | Self::YearOf(Era::Buddhist) => 4,
            Self::DayOfYear | Self::YearOf(Era::Republic) | Self::MonthName { .. } => 3,
            Self::Sign(_) => 1,
            Self::Short(_) => return None,
            _ => 2,
        })
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
            for (word, piece) in WORDS {
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
        let of_a_year =
            |piece: &&Self| matches!(piece, Self::Year | Self::ShortYear | Self::YearOf(_));
        let years = pieces.iter().filter(of_a_year).count();
        let of_a_month = |piece: &&Self| {
            matches!(piece, Self::Month | Self::MonthName { .. } | Self::Short(Part::Month))
        };
        let of_a_day = |piece: &&Self| matches!(piece, Self::Day | Self::Short(Part::Day));
        let months = pieces.iter().filter(of_a_month).count();
        let days = pieces.iter().filter(of_a_day).count();
        let fits = years <= 1
            && months <= 1
            && days <= 1
            && (!of_year || (years == 1 && months == 0 && days == 0));
        // Only a sign tells where a number of one digit or two ends.
        let open = |pair: &[Self]| matches!(pair, [Self::Short(_), next] if !matches!(next, Self::Sign(sign) if !sign.is_ascii_digit()));
        let fits = fits && !pieces.windows(2).any(open);
        (!pieces.is_empty() && fits).then_some(pieces)
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
            Piece::Sign(sign) => text.push(char::from(*sign)),
            piece => {
                text.extend(
                    WORDS.iter().filter(|(_, known)| known == piece).map(|(word, _)| *word),
                );
            }
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
            Piece::YearOf(era) => era
                .year(moment)
                .ok_or_else(|| out_of_range("a year of the era that its pattern names"))?,
            Piece::Month | Piece::Short(Part::Month) => u64::from(moment.month),
            Piece::Day | Piece::Short(Part::Day) => u64::from(moment.day),
            Piece::DayOfYear => u64::from(day_of_year(moment)),
            Piece::Hour | Piece::Short(Part::Hour) => u64::from(moment.hour),
            Piece::MonthName { capitals } => {
                let name = MONTHS[usize::from(moment.month) - 1].as_bytes();
                out.extend(
                    name.iter().map(|b| if *capitals { b.to_ascii_uppercase() } else { *b }),
                );
                continue;
            }
            Piece::Minute => u64::from(moment.minute),
            Piece::Second => u64::from(moment.second),
            Piece::Sign(sign) => {
                out.push(*sign);
                continue;
            }
        };
        write_digits(number, piece.width().unwrap_or(1), out);
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
    let (mut of_year, mut of_era) = (None, None);
    let mut rest = bytes;
    for piece in pieces {
        // Of a number without a zero before it all digits that are there, two at most.
        let there = || rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        let width = piece.width().unwrap_or_else(there);
        let (here, after) = rest.split_at_checked(width).ok_or_else(wrong)?;
        rest = after;
        if let Piece::Sign(sign) = piece {
            if here != [*sign] {
                return Err(wrong());
            }
            continue;
        }
        if let Piece::MonthName { capitals } = piece {
            let is = |name: &str| match capitals {
                true => name.to_ascii_uppercase().as_bytes() == here,
                false => name.as_bytes() == here,
            };
            let month = MONTHS.iter().position(|name| is(name)).ok_or_else(wrong)?;
            moment.month = u8::try_from(month + 1).unwrap_or(0);
            continue;
        }
        if piece.width().is_none() && here.len() > 1 && here.starts_with(b"0") {
            return Err(wrong());
        }
        let number = digits(here).ok_or_else(wrong)?;
        let two = u8::try_from(number).unwrap_or(u8::MAX);
        match piece {
            Piece::Year => moment.year = i16::try_from(number).unwrap_or(-1),
            Piece::ShortYear => moment.year = 2000 + i16::from(two),
            Piece::YearOf(era) => {
                let year = i16::try_from(number).ok().and_then(|year| year.checked_add(era.zero()));
                moment.year = year.unwrap_or(-1);
                of_era = Some((*era, number));
            }
            Piece::Month | Piece::Short(Part::Month) => moment.month = two,
            Piece::Day | Piece::Short(Part::Day) => moment.day = two,
            Piece::DayOfYear => of_year = Some(u16::try_from(number).unwrap_or(u16::MAX)),
            Piece::Hour | Piece::Short(Part::Hour) => moment.hour = two,
            Piece::Minute => moment.minute = two,
            Piece::Second => moment.second = two,
            Piece::Sign(_) | Piece::MonthName { .. } => {}
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
    if let Some((era, number)) = of_era
        && era.year(moment).is_none_or(|year| i64::try_from(year) != Ok(number))
    {
        return Err(wrong());
    }
    if rest.is_empty() && moment.is_real() { Ok(moment) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i16, month: u8, day: u8) -> Moment {
        Moment { year, month, day, ..Moment::default() }
    }

    #[test]
    fn i21_a_day_is_the_same_however_it_is_spelled() {
        for (pattern, moment, text) in [
            ("RRRMMdd", day(2026, 11, 28), "1151128"),
            ("RRR/MM/dd", day(1912, 1, 1), "001/01/01"),
            ("'0'RRRMMdd", day(2026, 1, 2), "01150102"),
            ("ddMMBBBB", day(2026, 11, 28), "28112569"),
            ("'5'EEMMdd", day(2019, 5, 1), "5010501"),
            ("RRRDDD", day(2026, 2, 1), "115032"),
            ("dd-MMM-yy", day(2026, 11, 3), "03-NOV-26"),
            ("ddMmmyyyy", day(2026, 5, 31), "31May2026"),
            ("d/M/yyyy", day(2026, 1, 9), "9/1/2026"),
            ("M.d.yyyy", day(2026, 12, 31), "12.31.2026"),
            ("yyyy-M-d", day(2026, 10, 9), "2026-10-9"),
        ] {
            let pieces = Piece::parse(pattern).expect(pattern);
            assert_eq!(told(&pieces), pattern);
            let mut out = Vec::new();
            write(&pieces, moment, &mut out).expect(pattern);
            assert_eq!(String::from_utf8_lossy(&out), text);
            assert_eq!(read(&pieces, Moment::default(), &out).ok(), Some(moment));
        }
        for (pattern, moment) in [
            ("RRRMMdd", day(1911, 12, 31)),
            ("RRRMMdd", day(2911, 1, 1)),
            ("EEMMdd", day(2019, 4, 30)),
            ("EEMMdd", day(2118, 1, 1)),
        ] {
            let pieces = Piece::parse(pattern).expect(pattern);
            assert!(write(&pieces, moment, &mut Vec::new()).is_err(), "{pattern} {moment}");
        }
        for (pattern, text) in [
            ("RRRMMdd", "0001231"),
            ("RRRMMdd", "1150229"),
            ("EEMMdd", "010430"),
            ("BBBBMMdd", "00001231"),
            ("d/M/yyyy", "09/1/2026"),
            ("d/M/yyyy", "/1/2026"),
            ("d/M/yyyy", "9/123/2026"),
            ("yyyy-M-d", "2026-10-"),
            ("yyyy-M-d", "2026-10-0"),
            ("ddMMMyy", "03Nov26"),
            ("ddMmmyy", "03Nob26"),
        ] {
            let pieces = Piece::parse(pattern).expect(pattern);
            assert!(read(&pieces, Moment::default(), text.as_bytes()).is_err(), "{text}");
        }
        for pattern in [
            "RRRyyyy",
            "RRRRMMdd",
            "EEyyMM",
            "BBB",
            "dMyyyy",
            "d/MMM/M/yyyy",
            "yyDDDMMM",
            "d'1'M",
            "ddd",
        ] {
            assert!(Piece::parse(pattern).is_none(), "{pattern}");
        }
    }
}
