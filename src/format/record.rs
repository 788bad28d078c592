//! An owned head or row whose buffers are used again for the next one.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::format::words::{Key, Moment, Source, Value, ValueKind};
use crate::model::money::Fen;

const KEYS: usize = Key::ALL.len();

/// A head or a row in memory: at most one value for each key. Clearing it keeps its buffers, so
/// that reading a million rows allocates for the longest one only.
#[derive(Clone)]
pub struct Record {
    present: u64,
    texts: [String; KEYS],
    numbers: [i64; KEYS],
    moment: Moment,
}

impl Default for Record {
    fn default() -> Self {
        const { assert!(KEYS <= 64, "one bit for each key") };
        Self {
            present: 0,
            texts: std::array::from_fn(|_| String::new()),
            numbers: [0; KEYS],
            moment: Moment::default(),
        }
    }
}

impl Record {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the values and keeps the buffers.
    pub const fn clear(&mut self) {
        self.present = 0;
    }

    pub const fn has(&self, key: Key) -> bool {
        self.present & bit(key) != 0
    }

    pub const fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// The keys that have a value, in their declared order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        Key::ALL.iter().copied().filter(|key| self.has(*key))
    }

    /// Keeps a value. A value of another kind than its key's is not kept: it has no meaning.
    pub fn set(&mut self, key: Key, value: Value<'_>) {
        match (key.kind(), value) {
            (ValueKind::Text, Value::Text(text)) => {
                let slot = self.slot(key);
                slot.clear();
                slot.push_str(text);
            }
            (ValueKind::Int, Value::Int(number)) => self.put(key, number),
            (ValueKind::Amount, Value::Amount(fen)) => self.put(key, fen.get()),
            (ValueKind::Moment, Value::Moment(moment)) => {
                self.moment = moment;
                self.present |= bit(key);
            }
            _ => {}
        }
    }

    pub fn text(&self, key: Key) -> Option<&str> {
        (key.kind() == ValueKind::Text && self.has(key)).then(|| self.texts[key.index()].as_str())
    }

    pub fn int(&self, key: Key) -> Option<i64> {
        (key.kind() == ValueKind::Int && self.has(key)).then(|| self.numbers[key.index()])
    }

    pub fn amount(&self, key: Key) -> Option<Fen> {
        (key.kind() == ValueKind::Amount && self.has(key))
            .then(|| Fen::new(self.numbers[key.index()]))
    }

    pub fn moment(&self) -> Option<Moment> {
        self.has(Key::Moment).then_some(self.moment)
    }

    /// Takes over the values of `other` for the keys that have none here.
    pub fn fill_from(&mut self, other: &Self) {
        for key in other.keys() {
            if !self.has(key)
                && let Some(value) = other.get(key)
            {
                self.set(key, value);
            }
        }
    }

    /// The buffer of a text key, marked as present; the caller writes the text.
    pub(crate) fn slot(&mut self, key: Key) -> &mut String {
        self.present |= bit(key);
        &mut self.texts[key.index()]
    }

    /// Takes a value back, for a field that turned out to be empty.
    pub const fn unset(&mut self, key: Key) {
        self.present &= !bit(key);
    }

    fn put(&mut self, key: Key, number: i64) {
        self.numbers[key.index()] = number;
        self.present |= bit(key);
    }

    /// As a JSON object: amounts in yuan as decimal strings, moments as `2026-11-23T15:49:04`.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        for key in self.keys() {
            let json = match self.get(key) {
                Some(Value::Text(text)) => Json::from(text),
                Some(Value::Int(number)) => Json::from(number),
                Some(Value::Amount(fen)) => Json::from(fen.yuan()),
                Some(Value::Moment(moment)) => Json::from(moment.to_string()),
                None => continue,
            };
            object.insert(key.as_str().to_owned(), json);
        }
        Json::Object(object)
    }

    /// Reads the form that [`Record::to_json`] writes.
    ///
    /// # Errors
    /// Says which key is unknown or has a value of the wrong shape; never repeats the value.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let object = json.as_object().ok_or("expected a JSON object of values")?;
        let mut record = Self::new();
        for (name, json) in object {
            let key =
                Key::parse(name).ok_or_else(|| format!("there is no value called {name:?}"))?;
            let wrong = |expected: &str| format!("{name}: expected {expected}");
            match key.kind() {
                ValueKind::Text => {
                    let text = json.as_str().ok_or_else(|| wrong("a text"))?;
                    record.set(key, Value::Text(text));
                }
                ValueKind::Int => {
                    let number = json.as_i64().ok_or_else(|| wrong("a whole number"))?;
                    record.set(key, Value::Int(number));
                }
                ValueKind::Amount => {
                    let fen = json.as_str().and_then(|text| Fen::parse_yuan(text).ok());
                    let fen = fen.ok_or_else(|| wrong("yuan as a text, like \"1234.50\""))?;
                    record.set(key, Value::Amount(fen));
                }
                ValueKind::Moment => {
                    let moment = json.as_str().and_then(Moment::parse);
                    let moment = moment.ok_or_else(|| wrong("a time like 2026-11-23T15:49:04"))?;
                    record.set(key, Value::Moment(moment));
                }
            }
        }
        Ok(record)
    }
}

impl Source for Record {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        if !self.has(key) {
            return None;
        }
        Some(match key.kind() {
            ValueKind::Text => Value::Text(&self.texts[key.index()]),
            ValueKind::Int => Value::Int(self.numbers[key.index()]),
            ValueKind::Amount => Value::Amount(Fen::new(self.numbers[key.index()])),
            ValueKind::Moment => Value::Moment(self.moment),
        })
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.present == other.present && self.keys().all(|key| self.get(key) == other.get(key))
    }
}

/// Names the keys only: a row is a person's (I27).
impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.keys().map(Key::as_str)).finish()
    }
}

impl Moment {
    /// Reads `2026-11-23T15:49:04`.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('T')?;
        let number = |part: &str, width: usize| {
            (part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<i16>().ok())
                .flatten()
        };
        let mut days = day.split('-');
        let mut times = time.split(':');
        let moment = Self {
            year: number(days.next()?, 4)?,
            month: u8::try_from(number(days.next()?, 2)?).ok()?,
            day: u8::try_from(number(days.next()?, 2)?).ok()?,
            hour: u8::try_from(number(times.next()?, 2)?).ok()?,
            minute: u8::try_from(number(times.next()?, 2)?).ok()?,
            second: u8::try_from(number(times.next()?, 2)?).ok()?,
        };
        (days.next().is_none() && times.next().is_none() && moment.is_real()).then_some(moment)
    }

    /// Is it a day of the calendar and a time of day? A second of 60 is not: no file prints one.
    pub fn is_real(self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            _ => return false,
        };
        (0..=9999).contains(&self.year)
            && (1..=days).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

const fn bit(key: Key) -> u64 {
    1 << key.index()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_back_every_kind_of_value() {
        let mut record = Record::new();
        record.set(Key::PayeeName, Value::Text("某某"));
        record.set(Key::Ordinal, Value::Int(7));
        record.set(Key::Amount, Value::Amount(Fen::new(1)));
        record.set(Key::Moment, Value::Moment(Moment::parse("2024-02-29T23:59:59").unwrap()));
        let json = record.to_json();
        assert_eq!(json["amount"], "0.01");
        assert!(Record::from_json(&json).unwrap() == record);
        for bad in [
            serde_json::json!([]),
            serde_json::json!({"nickname": "x"}),
            serde_json::json!({"amount": 1}),
            serde_json::json!({"amount": "1,0"}),
            serde_json::json!({"ordinal": "1"}),
            serde_json::json!({"moment": "2023-02-29T00:00:00"}),
        ] {
            assert!(Record::from_json(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn i27_debug_shows_keys_and_no_values() {
        let mut record = Record::new();
        record.set(Key::PayeeName, Value::Text("某某"));
        assert_eq!(format!("{record:?}"), r#"["payee_name"]"#);
        record.clear();
        assert!(record.is_empty() && record.text(Key::PayeeName).is_none());
    }
}
