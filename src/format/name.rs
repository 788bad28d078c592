//! File names built from our own values, and read back into them.
//!
//! A value in a name is letters, digits and hyphens, so that no name can leave its folder (F45) and
//! every name reads back in one way only.

use crate::format::error::{FieldError, FieldFault};
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
                pieces.push(Piece::Value(value_key(word)?));
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
            let ends_in_value = !matches!(pair[0], Piece::Sign(_));
            let clear = match &pair[1] {
                Piece::Sign(sign) | Piece::Optional(sign, _) => !sign.starts_with(in_value),
                Piece::Value(_) => false,
            };
            ends_in_value && !clear
        });
        if unclear {
            return Err("after a value comes a sign that no value has: _ or .".to_owned());
        }
        Ok(Self { pieces })
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

    /// Names that this pattern gives, to find another one that reads them too.
    pub fn examples(&self) -> Vec<String> {
        [true, false]
            .map(|full| {
                let piece = |piece: &Piece| match piece {
                    Piece::Sign(sign) => sign.clone(),
                    Piece::Value(_) => "X1".to_owned(),
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
        ] {
            assert!(NamePattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
