//! The names that a description gives to values of the bank's own, and the JSON form of a record,
//! which needs them.

use serde_json::{Map, Value as Json};

use crate::format::record::Record;
use crate::format::words::{Key, Moment, Slot, Source, Value, ValueKind};
use crate::model::money::Fen;

/// A value that is kept as so many digits behind a point has at most this many.
pub(crate) const SCALE_MAX: u8 = 18;

/// The values of a format that the road has no word for.
#[derive(Debug, Default)]
pub(crate) struct OwnNames {
    list: Vec<(String, ValueKind)>,
}

impl OwnNames {
    /// The place of a name; a new one where it was not there. Nothing where the name stands for
    /// another kind of value already.
    pub fn place(&mut self, name: &str, kind: ValueKind) -> Option<usize> {
        if let Some(at) = self.list.iter().position(|(known, _)| known == name) {
            return (self.list[at].1 == kind).then_some(at);
        }
        self.list.push((name.to_owned(), kind));
        Some(self.list.len() - 1)
    }

    /// What a word in a description or in JSON stands for.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        if let Some(key) = Key::parse(name) {
            return Some(Slot::Key(key));
        }
        self.list.iter().position(|(known, _)| known == name).map(Slot::Own)
    }

    /// What sort of value it is.
    pub fn kind(&self, slot: Slot) -> ValueKind {
        match slot {
            Slot::Key(key) => key.kind(),
            Slot::Own(at) => self.list.get(at).map_or(ValueKind::Text, |(_, kind)| *kind),
        }
    }

    /// What it is called in a description and in JSON.
    pub fn name(&self, slot: Slot) -> &str {
        match slot {
            Slot::Key(key) => key.as_str(),
            Slot::Own(at) => self.list.get(at).map_or("", |(name, _)| name),
        }
    }

    /// As a JSON object: amounts in yuan and decimals as texts, moments as `2026-11-23T15:49:04`.
    pub fn json(&self, record: &Record) -> Map<String, Json> {
        let mut object = Map::new();
        for slot in record.slots() {
            let json = match record.slot(slot) {
                Some(Value::Text(text)) => Json::from(text),
                Some(Value::Int(number)) => Json::from(number),
                Some(Value::Amount(fen)) => Json::from(fen.yuan()),
                Some(Value::Moment(moment)) => Json::from(moment.to_string()),
                Some(Value::Decimal(number)) => Json::from(decimal(number, self.scale(slot))),
                None => continue,
            };
            object.insert(self.name(slot).to_owned(), json);
        }
        object
    }

    fn scale(&self, slot: Slot) -> u8 {
        match self.kind(slot) {
            ValueKind::Decimal(scale) => scale,
            _ => 0,
        }
    }

    /// Reads the form that [`OwnNames::json`] writes.
    ///
    /// # Errors
    /// Says which name is unknown or has a value of the wrong shape; never repeats the value.
    pub fn record(&self, object: &Map<String, Json>) -> Result<Record, String> {
        let mut record = Record::new();
        for (name, json) in object {
            let slot =
                self.slot(name).ok_or_else(|| format!("there is no value called {name:?}"))?;
            let wrong = |expected: &str| format!("{name}: expected {expected}");
            match self.kind(slot) {
                ValueKind::Text => {
                    let text = json.as_str().ok_or_else(|| wrong("a text"))?;
                    record.set_slot(slot, Value::Text(text));
                }
                ValueKind::Int => {
                    let number = json.as_i64().ok_or_else(|| wrong("a whole number"))?;
                    record.set_slot(slot, Value::Int(number));
                }
                ValueKind::Amount => {
                    let fen = json.as_str().and_then(|text| Fen::parse_yuan(text).ok());
                    let fen = fen.ok_or_else(|| wrong("yuan as a text, like \"1234.50\""))?;
                    record.set_slot(slot, Value::Amount(fen));
                }
                ValueKind::Moment => {
                    let moment = json.as_str().and_then(Moment::parse);
                    let moment = moment.ok_or_else(|| wrong("a time like 2026-11-23T15:49:04"))?;
                    record.set_slot(slot, Value::Moment(moment));
                }
                ValueKind::Decimal(scale) => {
                    let number = json.as_str().and_then(|text| parse_decimal(text, scale));
                    let shape = decimal(0, scale);
                    let number = number
                        .ok_or_else(|| wrong(&format!("a number as a text, like {shape:?}")))?;
                    record.set_slot(slot, Value::Decimal(number));
                }
            }
        }
        Ok(record)
    }
}

/// Digits with `scale` of them behind the point.
fn decimal(number: i64, scale: u8) -> String {
    if scale == 0 {
        return number.to_string();
    }
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, rest) = digits.split_at(digits.len() - scale);
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{whole}.{rest}")
}

fn parse_decimal(text: &str, scale: u8) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) if scale > 0 => (whole, rest),
        None if scale == 0 => (text, ""),
        _ => return None,
    };
    let good = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || rest.len() != usize::from(scale) || !good(whole) || !good(rest) {
        return None;
    }
    let number: i64 = format!("{whole}{rest}").parse().ok()?;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i22_decimals_are_exact_both_ways() {
        for (number, scale, text) in [
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (123_456, 3, "123.456"),
            (-7, 0, "-7"),
            (i64::MAX, 2, "92233720368547758.07"),
        ] {
            assert_eq!(decimal(number, scale), text);
            assert_eq!(parse_decimal(text, scale), Some(number));
        }
        for (text, scale) in [("", 2), ("1", 2), ("1.0", 2), (".00", 2), ("1.000", 2), ("1.0", 0)] {
            assert_eq!(parse_decimal(text, scale), None, "{text}");
        }
        assert_eq!(parse_decimal("92233720368547758.08", 2), None);
    }

    #[test]
    fn json_reads_back_every_kind_of_value() {
        let mut record = Record::new();
        record.set(Key::PayeeName, Value::Text("某某"));
        record.set(Key::Ordinal, Value::Int(7));
        record.set(Key::Amount, Value::Amount(Fen::new(1)));
        record.set(Key::Moment, Value::Moment(Moment::parse("2024-02-29T23:59:59").unwrap()));
        record.set_slot(Slot::Own(0), Value::Decimal(-1_234));
        let mut own = OwnNames::default();
        assert_eq!(own.place("fee", ValueKind::Decimal(3)), Some(0));
        assert_eq!(own.place("fee", ValueKind::Int), None);
        let json = own.json(&record);
        assert_eq!(json["amount"], "0.01");
        assert_eq!(json["fee"], "-1.234");
        assert!(own.record(&json).unwrap() == record);
        for bad in [
            serde_json::json!({"fee": 1}),
            serde_json::json!({"fee": "1.23"}),
            serde_json::json!({"nickname": "x"}),
            serde_json::json!({"amount": 1}),
            serde_json::json!({"amount": "1,0"}),
            serde_json::json!({"ordinal": "1"}),
            serde_json::json!({"moment": "2023-02-29T00:00:00"}),
        ] {
            let Json::Object(bad) = bad else { continue };
            assert!(own.record(&bad).is_err(), "{bad:?}");
        }
    }
}
