//! How a practice bank speaks: it reads and writes with the same description of the bank's
//! interface that the daemon has, so that one description is tried from both ends.
//!
//! A bank picks its own codes. These pick, from the description's code tables, the first code that
//! means what is to be said, and so need no table of their own that could drift.

use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::clock;
use crate::format::{
    DataError, Format, Item, Key, MessageKind, Moment, Part, Record, Source, Value,
};
use crate::model::attempt::Answer;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

/// One bank's words.
#[derive(Debug)]
pub struct Speech {
    format: Arc<Format>,
    codes: Vec<String>,
}

/// A message that was read whole.
#[derive(Debug)]
pub struct Heard {
    pub kind: MessageKind,
    pub head: Record,
    pub rows: Vec<HeardRow>,
    /// Why it cannot be taken: a row that does not read, or a count or sum that does not close.
    pub fault: Option<String>,
    /// SHA-256 of all its bytes, in hex.
    pub sha256: String,
}

/// What a bank needs of a row.
#[derive(Debug, Clone, Default)]
pub struct HeardRow {
    pub ordinal: i64,
    pub account: String,
    pub name: String,
    pub phone: String,
    pub fen: i64,
    /// Of a refund: the batch that first carried the payment.
    pub original: String,
}

impl HeardRow {
    /// Where a request has no places of its rows, their order is what this bank knows them by.
    fn of(record: &Record, place: usize) -> Self {
        let text = |key| record.text(key).unwrap_or_default().to_owned();
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        Self {
            ordinal: record.int(Key::Ordinal).unwrap_or(place),
            account: text(Key::Account),
            name: text(Key::PayeeName),
            phone: text(Key::Phone),
            fen: record.amount(Key::Amount).map(Fen::get).unwrap_or_default(),
            original: text(Key::OriginalReference),
        }
    }
}

/// The values of a message's head or tail.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub reference: String,
    pub bank_reference: String,
    /// Empty for the first file of its kind.
    pub serial: String,
    pub code: String,
    pub text: String,
    pub pool: String,
    pub section: String,
    /// For messages without rows; where there are rows they are computed.
    pub count: Option<i64>,
    pub fen: Option<i64>,
    /// Where only failures are listed: how many others were credited, and what they add up to.
    pub credited: Option<(i64, i64)>,
    pub moment: Moment,
}

impl Head {
    pub fn at(reference: &str, at_ms: i64) -> Self {
        let text = clock::local_text(at_ms).replace(' ', "T");
        let moment = Moment::parse(&text).unwrap_or_default();
        Self { reference: reference.to_owned(), moment, ..Self::default() }
    }
}

impl Source for Head {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        let text = match key {
            Key::Reference => &self.reference,
            Key::BankReference => &self.bank_reference,
            Key::Serial => &self.serial,
            Key::Code => &self.code,
            Key::Text => &self.text,
            Key::PoolAccount => &self.pool,
            Key::Section => &self.section,
            Key::Department => return Some(Value::Text("练习单位")),
            Key::Moment => return Some(Value::Moment(self.moment)),
            Key::CreditedCount => return self.credited.map(|(count, _)| Value::Int(count)),
            Key::CreditedSum => {
                return self.credited.map(|(_, fen)| Value::Amount(Fen::new(fen)));
            }
            Key::Count => return self.count.map(Value::Int),
            Key::Sum | Key::Amount => return self.fen.map(|fen| Value::Amount(Fen::new(fen))),
            _ => return None,
        };
        (!text.is_empty()).then_some(Value::Text(text))
    }
}

/// The values of one row of an answer.
#[derive(Debug, Clone)]
pub struct Line {
    pub ordinal: i64,
    pub account: String,
    pub name: String,
    pub phone: String,
    pub fen: i64,
    pub code: String,
    pub notice: String,
    pub text: String,
    /// The bank's own number of what it went into.
    pub number: String,
    /// The bank's own number of this row.
    pub serial: String,
    pub reference: String,
    pub moment: Moment,
}

impl Source for Line {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        let text = match key {
            Key::Account => &self.account,
            Key::PayeeName => &self.name,
            Key::Phone => &self.phone,
            Key::Code => &self.code,
            Key::NoticeCode => &self.notice,
            Key::Text => &self.text,
            Key::BankSerial => &self.serial,
            Key::BankReference => &self.number,
            Key::Reference | Key::OriginalReference => &self.reference,
            Key::Ordinal => return Some(Value::Int(self.ordinal)),
            Key::Amount => return Some(Value::Amount(Fen::new(self.fen))),
            Key::Moment => return Some(Value::Moment(self.moment)),
            _ => return None,
        };
        (!text.is_empty()).then_some(Value::Text(text))
    }
}

impl Speech {
    pub fn new(format: Arc<Format>) -> Self {
        let codes = candidates(format.text());
        Self { format, codes }
    }

    pub fn format(&self) -> &Format {
        &self.format
    }

    pub fn has(&self, kind: MessageKind) -> bool {
        self.format.has(kind)
    }

    /// The code by which a message of this kind says `answer` about the whole; empty where it has
    /// no way to say it.
    pub fn answer(&self, kind: MessageKind, answer: Answer) -> String {
        self.first(|code| self.format.answer(kind, code) == Some(answer))
    }

    /// The code for one payment: for this very reason, else for any failure.
    pub fn outcome(&self, kind: MessageKind, said: OutcomeKind, reason: Option<Reason>) -> String {
        let means = |code: &str, exact: bool| {
            self.format.row_meaning(kind, code).is_some_and(|m| {
                m.outcome == Some(said) && (!exact || reason.is_none() || m.reason == reason)
            })
        };
        let exact = self.first(|code| means(code, true));
        if exact.is_empty() { self.first(|code| means(code, false)) } else { exact }
    }

    /// The code for a payment that the bank is still working on.
    pub fn under_way(&self, kind: MessageKind) -> String {
        let open = |code: &str| {
            self.format.row_meaning(kind, code).is_some_and(|meaning| meaning.outcome.is_none())
        };
        self.first(open)
    }

    pub fn notice(&self, state: NoticeState) -> String {
        self.first(|code| self.format.notice(MessageKind::Notice, code) == Some(state))
    }

    fn first(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.codes.iter().find(|code| wanted(code)).cloned().unwrap_or_default()
    }

    /// Reads a message of one kind. What is wrong after its head was read is its fault, to be
    /// refused by name; what is wrong before that means that it is no such message.
    ///
    /// # Errors
    /// What the description says about the bytes.
    pub fn hear(&self, kind: MessageKind, parts: &[Part]) -> Result<Heard, DataError> {
        let mut reading = self.format.read(kind, parts)?;
        let (mut head, mut rows, mut fault) = (Record::new(), Vec::new(), None);
        loop {
            match reading.next() {
                Ok(None) => break,
                Ok(Some(Item::Head(record) | Item::Tail(record))) => head.fill_from(record),
                Ok(Some(Item::Row(record))) => rows.push(HeardRow::of(record, rows.len() + 1)),
                Ok(Some(Item::BadRow(e))) => fault = fault.or_else(|| Some(e.to_string())),
                Err(e) if head.is_empty() => return Err(e),
                Err(e) => {
                    fault = Some(e.to_string());
                    break;
                }
            }
        }
        Ok(Heard { kind, head, rows, fault, sha256: sha256(parts) })
    }

    /// A message of which only the file name can be trusted.
    pub fn unread(kind: MessageKind, name: Record, parts: &[Part], fault: &DataError) -> Heard {
        let fault = Some(fault.to_string());
        Heard { kind, head: name, rows: Vec::new(), fault, sha256: sha256(parts) }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// What of it the description cannot write.
    pub fn say(
        &self,
        kind: MessageKind,
        head: &Head,
        rows: &[Line],
    ) -> Result<Vec<Part>, DataError> {
        self.format.encode(kind, head, rows)
    }
}

/// Every code of every table of a description, in its order of names.
fn candidates(text: &str) -> Vec<String> {
    let Ok(description) = text.parse::<toml::Table>() else { return Vec::new() };
    let Some(tables) = description.get("codes").and_then(toml::Value::as_table) else {
        return Vec::new();
    };
    let tables = tables.values().filter_map(toml::Value::as_table);
    tables.flat_map(|table| table.keys().cloned()).collect()
}

fn sha256(parts: &[Part]) -> String {
    let mut context = ring::digest::Context::new(&SHA256);
    for part in parts {
        context.update(&part.bytes);
    }
    hex(context.finish().as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a string does not fail");
        out
    })
}

/// Makes a message's own sum wrong and nothing else: one digit of `parts` is taken from `other`,
/// the same message with one amount changed, and a control file that vouches for the data by its
/// digest vouches for the wrong data too.
pub fn break_the_sum(parts: &mut [Part], other: &[Part]) {
    let (Some(data), Some(wrong)) = (parts.first_mut(), other.first()) else { return };
    let before = hex(digest(&SHA256, &data.bytes).as_ref());
    let differs = data.bytes.iter().zip(&wrong.bytes).position(|(a, b)| a != b);
    if let Some((byte, new)) =
        differs.and_then(|at| Some((data.bytes.get_mut(at)?, *wrong.bytes.get(at)?)))
    {
        *byte = new;
    }
    let after = hex(digest(&SHA256, &data.bytes).as_ref());
    for control in parts.iter_mut().skip(1) {
        let text = String::from_utf8_lossy(&control.bytes);
        if text.contains(&before) {
            control.bytes = text.replace(&before, &after).into_bytes();
        }
    }
}
