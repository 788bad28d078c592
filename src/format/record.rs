//! An owned head or row whose buffers are used again for the next one.

use std::fmt;

use crate::format::words::{Key, Moment, Slot, Source, Value, ValueKind};
use crate::model::money::Fen;

const KEYS: usize = Key::ALL.len();

/// A head or a row in memory: at most one value for each key, and for each name of the format's own.
/// Clearing it keeps its buffers, so that reading a million rows allocates for the longest one only.
#[derive(Clone)]
pub struct Record {
    present: u64,
    texts: [String; KEYS],
    numbers: [i64; KEYS],
    moment: Moment,
    own: Vec<OwnValue>,
}

/// One value of a bank's own.
#[derive(Clone, Default)]
struct OwnValue {
    kind: Option<ValueKind>,
    text: String,
    number: i64,
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
            own: Vec::new(),
        }
    }
}

impl Record {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the values and keeps the buffers.
    pub fn clear(&mut self) {
        self.present = 0;
        for own in &mut self.own {
            own.kind = None;
        }
    }

    #[inline]
    pub const fn has(&self, key: Key) -> bool {
        self.present & bit(key) != 0
    }

    pub fn is_empty(&self) -> bool {
        self.present == 0 && self.own.iter().all(|own| own.kind.is_none())
    }

    /// The keys that have a value, in their declared order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        Key::ALL.iter().copied().filter(|key| self.has(*key))
    }

    /// All that has a value: the road's words first, then the format's own.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        let own = self.own.iter().enumerate().filter(|(_, own)| own.kind.is_some());
        self.keys().map(Slot::Key).chain(own.map(|(at, _)| Slot::Own(at)))
    }

    /// Keeps a value. A value of another kind than its key's is not kept: it has no meaning.
    #[inline]
    pub fn set(&mut self, key: Key, value: Value<'_>) {
        match (key.kind(), value) {
            (ValueKind::Text, Value::Text(text)) => {
                let slot = self.text_slot(Slot::Key(key));
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

    /// Keeps a value under a key or under a name of the format's own.
    #[inline]
    pub fn set_slot(&mut self, slot: Slot, value: Value<'_>) {
        let at = match slot {
            Slot::Key(key) => return self.set(key, value),
            Slot::Own(at) => at,
        };
        if let Value::Text(text) = value {
            let slot = self.text_slot(slot);
            slot.clear();
            slot.push_str(text);
            return;
        }
        let own = self.own_at(at);
        match value {
            Value::Text(_) => {}
            Value::Int(number) => (own.kind, own.number) = (Some(ValueKind::Int), number),
            Value::Amount(fen) => (own.kind, own.number) = (Some(ValueKind::Amount), fen.get()),
            Value::Decimal(number) => {
                (own.kind, own.number) = (Some(ValueKind::Decimal(0)), number);
            }
            Value::Moment(moment) => (own.kind, own.moment) = (Some(ValueKind::Moment), moment),
        }
    }

    fn own_at(&mut self, at: usize) -> &mut OwnValue {
        if self.own.len() <= at {
            self.own.resize_with(at + 1, OwnValue::default);
        }
        &mut self.own[at]
    }

    pub fn text(&self, key: Key) -> Option<&str> {
        (key.kind() == ValueKind::Text && self.has(key)).then(|| self.texts[key.index()].as_str())
    }

    pub fn int(&self, key: Key) -> Option<i64> {
        (key.kind() == ValueKind::Int && self.has(key)).then(|| self.numbers[key.index()])
    }

    #[inline]
    pub fn amount(&self, key: Key) -> Option<Fen> {
        (key.kind() == ValueKind::Amount && self.has(key))
            .then(|| Fen::new(self.numbers[key.index()]))
    }

    pub fn moment(&self) -> Option<Moment> {
        self.has(Key::Moment).then_some(self.moment)
    }

    /// Takes over the values of `other` for what has none here.
    pub fn fill_from(&mut self, other: &Self) {
        for slot in other.slots() {
            if self.slot(slot).is_none()
                && let Some(value) = other.slot(slot)
            {
                self.set_slot(slot, value);
            }
        }
    }

    /// The first value that says which payment or message this is about, or what became of it, and that another record
    /// of the same has otherwise.
    pub fn contradicts(&self, other: &Self) -> Option<Key> {
        const DECIDING: [Key; 11] = [
            Key::Reference,
            Key::Ordinal,
            Key::RowReference,
            Key::BankSerial,
            Key::Account,
            Key::PayeeName,
            Key::DocumentNumber,
            Key::Amount,
            Key::Code,
            Key::NoticeCode,
            Key::OriginalReference,
        ];
        DECIDING.into_iter().find(|key| match (self.get(*key), other.get(*key)) {
            (Some(mine), Some(theirs)) => mine != theirs,
            _ => false,
        })
    }

    /// The buffer of a text, marked as present; the caller writes the text.
    #[inline]
    pub(crate) fn text_slot(&mut self, slot: Slot) -> &mut String {
        match slot {
            Slot::Key(key) => {
                self.present |= bit(key);
                &mut self.texts[key.index()]
            }
            Slot::Own(at) => {
                let own = self.own_at(at);
                own.kind = Some(ValueKind::Text);
                &mut own.text
            }
        }
    }

    /// Takes a value back, for a field that turned out to be empty.
    pub const fn unset(&mut self, key: Key) {
        self.present &= !bit(key);
    }

    /// Takes a value back, whatever it is called by.
    pub(crate) fn unset_slot(&mut self, slot: Slot) {
        match slot {
            Slot::Key(key) => self.unset(key),
            Slot::Own(at) => self.own_at(at).kind = None,
        }
    }

    #[inline]
    fn put(&mut self, key: Key, number: i64) {
        self.numbers[key.index()] = number;
        self.present |= bit(key);
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
            ValueKind::Decimal(_) => Value::Decimal(self.numbers[key.index()]),
        })
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        let own = self.own.get(at)?;
        Some(match own.kind? {
            ValueKind::Text => Value::Text(&own.text),
            ValueKind::Int => Value::Int(own.number),
            ValueKind::Amount => Value::Amount(Fen::new(own.number)),
            ValueKind::Moment => Value::Moment(own.moment),
            ValueKind::Decimal(_) => Value::Decimal(own.number),
        })
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.slots().eq(other.slots())
            && self.slots().all(|slot| self.slot(slot) == other.slot(slot))
    }
}

/// Names the keys only: a row is a person's (I27).
impl fmt::Debug for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.slots().filter(|slot| slot.key().is_none()).count();
        out.debug_list().entries(self.keys().map(Key::as_str)).entry(&own).finish()
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

    pub(crate) const fn is_leap_year(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    /// Is it a day of the calendar and a time of day? A second of 60 is not: no file prints one.
    pub fn is_real(self) -> bool {
        let days = match self.month {
            2 if self.is_leap_year() => 29,
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
    fn i27_debug_shows_keys_and_no_values() {
        let mut record = Record::new();
        record.set(Key::PayeeName, Value::Text("某某"));
        assert_eq!(format!("{record:?}"), r#"["payee_name", 0]"#);
        record.clear();
        assert!(record.is_empty() && record.text(Key::PayeeName).is_none());
    }
}
