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
    /// The day of the year, from 001.
    DayOfYear,
    Hour,
    Minute,
    Second,
    Sign(u8),
}

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
    const ALL: [(&str, Self); 3] =
        [("RRR", Self::Republic), ("BBBB", Self::Buddhist), ("EE", Self::Reiwa)];

    /// The year 0 of it, which never was.
    const fn zero(self) -> i16 {
        match self {
            Self::Republic => 1911,
            Self::Buddhist => -543,
            Self::Reiwa => 2018,
        }
    }

    /// The year of a day in this era, where it was one.
    fn year(self, moment: Moment) -> Option<u64> {
        let before = self == Self::Reiwa && moment.year == 2019 && moment.month < 5;
        let year = moment.year.checked_sub(self.zero()).filter(|year| *year > 0 && !before)?;
        let most = 10_i16.saturating_pow(u32::try_from(Piece::YearOf(self).width()).ok()?);
        (year < most || most == i16::MAX).then_some(u64::from(year.unsigned_abs()))
    }
}

impl Piece {
    /// How many bytes it takes, always.
    pub const fn width(self) -> usize {
        match self {
            Self::Year | Self::YearOf(Era::Buddhist) => 4,
            Self::DayOfYear | Self::YearOf(Era::Republic) => 3,
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
            ]
            .into_iter()
            .chain(Era::ALL.map(|(word, era)| (word, Self::YearOf(era))))
            {
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
        let twice = pieces.contains(&Self::Month) || pieces.contains(&Self::Day);
        let fits = years <= 1 && (!of_year || (years == 1 && !twice));
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
            Piece::DayOfYear => text.push_str("DDD"),
            Piece::Year => text.push_str("yyyy"),
            Piece::ShortYear => text.push_str("yy"),
            Piece::Month => text.push_str("MM"),
            Piece::Day => text.push_str("dd"),
            Piece::Hour => text.push_str("HH"),
            Piece::Minute => text.push_str("mm"),
            Piece::Second => text.push_str("ss"),
            Piece::YearOf(era) => {
                text.extend(
                    Era::ALL.iter().filter(|(_, known)| known == era).map(|(word, _)| *word),
                );
            }
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
            Piece::YearOf(era) => era
                .year(moment)
                .ok_or_else(|| out_of_range("a year of the era that its pattern names"))?,
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
    let (mut of_year, mut of_era) = (None, None);
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
            Piece::YearOf(era) => {
                let year = i16::try_from(number).ok().and_then(|year| year.checked_add(era.zero()));
                moment.year = year.unwrap_or(-1);
                of_era = Some((*era, number));
            }
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
    fn i21_years_of_other_eras_are_the_same_days() {
        for (pattern, moment, text) in [
            ("RRRMMdd", day(2026, 11, 28), "1151128"),
            ("RRR/MM/dd", day(1912, 1, 1), "001/01/01"),
            ("'0'RRRMMdd", day(2026, 1, 2), "01150102"),
            ("ddMMBBBB", day(2026, 11, 28), "28112569"),
            ("'5'EEMMdd", day(2019, 5, 1), "5010501"),
            ("RRRDDD", day(2026, 2, 1), "115032"),
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
        ] {
            let pieces = Piece::parse(pattern).expect(pattern);
            assert!(read(&pieces, Moment::default(), text.as_bytes()).is_err(), "{text}");
        }
        for pattern in ["RRRyyyy", "RRRRMMdd", "EEyyMM", "BBB"] {
            assert!(Piece::parse(pattern).is_none(), "{pattern}");
        }
    }
}
