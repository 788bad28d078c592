//! File names built from our own values, and read back into them.
//!
//! A value in a name is letters, digits and hyphens, so that no name can leave its folder (F45) and
//! every name reads back in one way only.

use crate::format::cell::NO_MOMENT;
use crate::format::error::{FieldError, FieldFault};
use crate::format::moment;
use crate::format::number;
use crate::format::record::Record;
use crate::format::words::{Key, Source, Value, ValueKind};

/// Longer values, and names of more than four of them, are nobody's file names.
const VALUE_BYTES_MAX: usize = 64;

/// A pattern like `HP{reference}[_{serial}].txt`; what is in brackets stands where its value does.
#[derive(Debug, Clone)]
pub(crate) struct NamePattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Sign(String),
    Value(Key),
    Optional(String, Key),
    /// A number with its zeros, always so many digits: `{day_sequence:4}`.
    Number(Key, usize),
    /// A date or time by its pattern: `{moment:yyyyMMdd}`.
    Moment(Vec<moment::Piece>),
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('{') {
                let (word, after) = after.split_once('}').ok_or("a { without its }")?;
                pieces.push(match word.split_once(':') {
                    None => Piece::Value(value_key(word)?),
                    Some((word, shape)) => shaped(word, shape)?,
                });
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (group, after) = after.split_once(']').ok_or("a [ without its ]")?;
                let shape = "in brackets stand a sign and one value, like [_{serial}]";
                let (sign, word) = group.split_once('{').ok_or(shape)?;
                let word = word.strip_suffix('}').ok_or(shape)?;
                if sign.is_empty() {
                    return Err(shape.to_owned());
                }
                check_signs(sign)?;
                pieces.push(Piece::Optional(sign.to_owned(), value_key(word)?));
                rest = after;
            } else {
                let end = rest.find(['{', '[']).unwrap_or(rest.len());
                let (sign, after) = rest.split_at(end);
                check_signs(sign)?;
                pieces.push(Piece::Sign(sign.to_owned()));
                rest = after;
            }
        }
        let first = matches!(pieces.first(), Some(Piece::Sign(sign)) if !sign.starts_with('.'));
        if !first {
            return Err("a name begins with letters of its own".to_owned());
        }
        let unclear = pieces.windows(2).any(|pair| {
            let ends_in_value = matches!(pair[0], Piece::Value(_) | Piece::Optional(..));
            let clear = match &pair[1] {
                Piece::Sign(sign) | Piece::Optional(sign, _) => !sign.starts_with(in_value),
                Piece::Value(_) | Piece::Number(..) | Piece::Moment(_) => false,
            };
            ends_in_value && !clear
        });
        let named = |key: Key| Self::keys_of(&pieces).filter(|named| *named == key).count();
        if let Some(key) = pieces.iter().find_map(|piece| match piece {
            Piece::Optional(_, key) if named(*key) > 1 => Some(key),
            _ => None,
        }) {
            // Whether it is there could not be told from the value: written again the name would be another.
            return Err(format!("{key} stands in brackets, and once more beside them"));
        }
        if unclear {
            return Err("after a value comes a sign that no value has: _ or .".to_owned());
        }
        Ok(Self { pieces })
    }

    /// The pattern as a description writes it.
    pub fn pattern(&self) -> String {
        self.pieces.iter().fold(String::new(), |text, piece| match piece {
            Piece::Sign(sign) => text + sign,
            Piece::Value(key) => format!("{text}{{{key}}}"),
            Piece::Optional(sign, key) => format!("{text}[{sign}{{{key}}}]"),
            Piece::Number(key, width) => format!("{text}{{{key}:{width}}}"),
            Piece::Moment(pieces) => format!("{text}{{moment:{}}}", moment::told(pieces)),
        })
    }

    /// The name for these values.
    ///
    /// # Errors
    /// The value that is missing or has a sign that no name may have.
    pub fn write(&self, source: &dyn Source) -> Result<String, FieldError> {
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Sign(sign) => name.push_str(sign),
                Piece::Value(key) => match source.get(*key) {
                    Some(Value::Text(text)) => push_value(*key, text, &mut name)?,
                    _ => return Err(fault(*key, FieldFault::Missing)),
                },
                Piece::Number(key, width) => match source.get(*key) {
                    Some(Value::Int(number)) if number >= 0 => {
                        let digits = format!("{number:0width$}");
                        if digits.len() > *width {
                            let (needed, there) = (digits.len(), *width);
                            return Err(fault(*key, FieldFault::TooWide { needed, there }));
                        }
                        name.push_str(&digits);
                    }
                    _ => return Err(fault(*key, FieldFault::Missing)),
                },
                Piece::Moment(pieces) => {
                    let Some(Value::Moment(moment)) = source.get(Key::Moment) else {
                        return Err(fault(Key::Moment, FieldFault::Missing));
                    };
                    let mut bytes = Vec::new();
                    moment::write(pieces, moment, &mut bytes)
                        .map_err(|what| fault(Key::Moment, what))?;
                    name.push_str(&String::from_utf8_lossy(&bytes));
                }
                Piece::Optional(sign, key) => {
                    if let Some(Value::Text(text)) = source.get(*key)
                        && !text.is_empty()
                    {
                        name.push_str(sign);
                        push_value(*key, text, &mut name)?;
                    }
                }
            }
        }
        Ok(name)
    }

    /// The values of a name that has this pattern.
    pub fn read(&self, name: &str) -> Option<Record> {
        let mut record = Record::new();
        let mut rest = name;
        for piece in &self.pieces {
            let key = match piece {
                Piece::Sign(sign) => {
                    rest = rest.strip_prefix(sign.as_str())?;
                    continue;
                }
                Piece::Value(key) => key,
                Piece::Number(key, width) => {
                    let (digits, after) = rest.split_at_checked(*width)?;
                    let number = number::digits(digits.as_bytes())?;
                    record.set(*key, Value::Int(number));
                    rest = after;
                    continue;
                }
                Piece::Moment(pieces) => {
                    let width = pieces.iter().filter_map(|piece| piece.width()).sum();
                    let (here, after) = rest.split_at_checked(width)?;
                    // A day alone is no moment that a head could be compared with.
                    moment::read(pieces, NO_MOMENT, here.as_bytes()).ok()?;
                    rest = after;
                    continue;
                }
                Piece::Optional(sign, key) => match rest.strip_prefix(sign.as_str()) {
                    // The sign may also begin what follows the group.
                    Some(after) if after.starts_with(in_value) && sign != "." => {
                        rest = after;
                        key
                    }
                    _ => continue,
                },
            };
            let end = rest.find(|c| !in_value(c)).unwrap_or(rest.len());
            if end == 0 || end > VALUE_BYTES_MAX {
                return None;
            }
            let (value, after) = rest.split_at(end);
            if record.text(*key).is_some_and(|known| known != value) {
                return None;
            }
            record.set(*key, Value::Text(value));
            rest = after;
        }
        rest.is_empty().then_some(record)
    }

    /// The values without which there is no name.
    pub fn needs(&self) -> impl Iterator<Item = Key> + '_ {
        let perhaps = |key: &Key| {
            let names = |piece: &Piece| matches!(piece, Piece::Optional(_, named) if named == key);
            self.pieces.iter().any(names)
        };
        self.keys().filter(move |key| !perhaps(key))
    }

    /// The values that it is made of.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        Self::keys_of(&self.pieces)
    }

    fn keys_of(pieces: &[Piece]) -> impl Iterator<Item = Key> + '_ {
        pieces.iter().filter_map(|piece| match piece {
            Piece::Sign(_) => None,
            Piece::Value(key) | Piece::Optional(_, key) | Piece::Number(key, _) => Some(*key),
            Piece::Moment(_) => Some(Key::Moment),
        })
    }

    /// Names that this pattern gives, to find another one that reads them too.
    pub fn examples(&self) -> Vec<String> {
        [true, false]
            .map(|full| {
                let piece = |piece: &Piece| match piece {
                    Piece::Sign(sign) => sign.clone(),
                    Piece::Value(_) => "X1".to_owned(),
                    Piece::Number(_, width) => "1".repeat(*width),
                    Piece::Moment(pieces) => {
                        let moment = crate::format::words::Moment {
                            year: 2026,
                            month: 11,
                            day: 23,
                            ..NO_MOMENT
                        };
                        let mut bytes = Vec::new();
                        // A day of the calendar can be written.
                        drop(moment::write(pieces, moment, &mut bytes));
                        String::from_utf8_lossy(&bytes).into_owned()
                    }
                    Piece::Optional(sign, _) if full => format!("{sign}X1"),
                    Piece::Optional(..) => String::new(),
                };
                self.pieces.iter().map(piece).collect()
            })
            .into()
    }
}

fn value_key(word: &str) -> Result<Key, String> {
    match Key::parse(word) {
        Some(key) if key.kind() == ValueKind::Text => Ok(key),
        _ => Err(format!("{word:?} is no text value that a name can have")),
    }
}

/// What stands behind a colon: a pattern of a date, or how many digits.
fn shaped(word: &str, shape: &str) -> Result<Piece, String> {
    if word == Key::Moment.as_str() {
        let pieces = moment::Piece::parse(shape).filter(|pieces| {
            let plain = |piece: &moment::Piece| {
                piece.width().is_some() && !matches!(piece, moment::Piece::Sign(_))
            };
            pieces.iter().all(plain)
        });
        return pieces.map(Piece::Moment).ok_or_else(|| {
            format!("{shape:?} is no pattern for a name: letters like yyyyMMdd or HHmmss alone")
        });
    }
    let key = Key::parse(word).filter(|key| key.kind() == ValueKind::Int);
    let width = shape.parse().ok().filter(|width| (1..=18).contains(width));
    match (key, width) {
        (Some(key), Some(width)) => Ok(Piece::Number(key, width)),
        (None, _) => Err(format!("{word:?} is no number that a name can have")),
        (_, None) => Err(format!("{shape:?}: so many digits, like {{day_sequence:4}}")),
    }
}

fn check_signs(signs: &str) -> Result<(), String> {
    let allowed = |c: char| in_value(c) || matches!(c, '_' | '.');
    match signs.chars().find(|c| !allowed(*c)) {
        Some(sign) => Err(format!("{sign:?} may not stand in a file name")),
        None => Ok(()),
    }
}

const fn in_value(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-'
}

fn push_value(key: Key, text: &str, name: &mut String) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(fault(key, FieldFault::Missing));
    }
    if let Some(character) = text.chars().find(|c| !in_value(*c)) {
        return Err(fault(key, FieldFault::NotEncodable { character }));
    }
    if text.len() > VALUE_BYTES_MAX {
        let needed = text.len();
        return Err(fault(key, FieldFault::TooWide { needed, there: VALUE_BYTES_MAX }));
    }
    name.push_str(text);
    Ok(())
}

fn fault(key: Key, fault: FieldFault) -> FieldError {
    FieldError { key: Some(key), field: format!("{key} in the file name"), fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::words::Moment;

    fn record(values: &[(Key, &str)]) -> Record {
        let mut record = Record::new();
        for (key, text) in values {
            record.set(*key, Value::Text(text));
        }
        record
    }

    #[test]
    fn names_read_back() {
        let pattern = NamePattern::parse("HP{reference}[_{serial}].txt").unwrap();
        for values in [
            record(&[(Key::Reference, "D20261123-7")]),
            record(&[(Key::Reference, "D20261123-7"), (Key::Serial, "02")]),
        ] {
            let name = pattern.write(&values).unwrap();
            assert_eq!(pattern.read(&name), Some(values));
        }
    }

    /// Found by a fuzzer: "A-B.x" read as a section that is there, and was written as "A-B.x.x".
    #[test]
    fn what_may_be_missing_stands_once_in_a_name() {
        for bad in
            ["A-{bank}[.{section}].{section}", "A{serial}_[_{serial}]", "A[_{serial}][.{serial}]"]
        {
            let told = NamePattern::parse(bad).expect_err(bad);
            assert!(told.contains("stands in brackets, and once more"), "{told}");
        }
        let twice =
            NamePattern::parse("A{reference}_{reference}[_{serial}]").expect("two are the same");
        assert_eq!(twice.read("AX_Y"), None);
        assert!(twice.read("AX_X").is_some());
    }

    #[test]
    fn names_have_dates_and_numbers_of_a_fixed_width() {
        let pattern = NamePattern::parse("DF{moment:yyyyMMdd}{day_sequence:4}_{reference}.txt");
        let pattern = pattern.unwrap();
        let mut values = record(&[(Key::Reference, "R7")]);
        values.set(Key::DaySequence, Value::Int(12));
        values.set(Key::Moment, Value::Moment(Moment::parse("2026-11-23T15:49:04").unwrap()));
        assert_eq!(pattern.write(&values).unwrap(), "DF202611230012_R7.txt");
        let read = pattern.read("DF202611230012_R7.txt").unwrap();
        assert_eq!((read.int(Key::DaySequence), read.text(Key::Reference)), (Some(12), Some("R7")));
        for name in ["DF202613230012_R7.txt", "DF20261123001_R7.txt", "DF20261123001x_R7.txt"] {
            assert_eq!(pattern.read(name), None, "{name}");
        }
        values.set(Key::DaySequence, Value::Int(10_000));
        assert!(pattern.write(&values).is_err());
    }

    #[test]
    fn f45_no_name_leaves_its_folder() {
        let pattern = NamePattern::parse("HP{reference}[_{serial}].txt").unwrap();
        for text in ["../x", "a/b", "a.b", "a_b", "", "a\n", "张", &"9".repeat(65)] {
            assert!(pattern.write(&record(&[(Key::Reference, text)])).is_err(), "{text:?}");
        }
        for name in [
            "HP.txt",
            "HP1.txt/",
            "HP1_.txt",
            "HP../1.txt",
            "HP1.txt\n",
            "HP1.tx",
            "xHP1.txt",
            "HP1_2_3.txt",
            "HP%2e.txt",
        ] {
            assert_eq!(pattern.read(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_pattern_that_would_not_read_back_is_refused() {
        for pattern in [
            "",
            "{reference}.txt",
            ".x{reference}",
            "A{reference}{serial}",
            "A{reference}B.txt",
            "A{nothing}.txt",
            "A{reference",
            "A[{serial}]",
            "A[_{serial}",
            "A/{reference}",
            "A{amount}.txt",
            "A{reference}[1{serial}]",
            "A{reference}{day_sequence:4}",
            "A{moment:yyyy-MM-dd}",
            "A{moment}",
            "A{day_sequence:0}",
            "A{reference:4}",
        ] {
            assert!(NamePattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
