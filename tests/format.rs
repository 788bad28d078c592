//! The format room as its neighbours use it: the examples with their samples, the round trip over
//! whole character sets, hostile and broken input, faults of a description, the commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped, and what it saw")]

#[path = "format/abroad.rs"]
mod abroad;
#[path = "format/agreeing.rs"]
mod agreeing;
#[path = "format/closing.rs"]
mod closing;
#[path = "format/cnab.rs"]
mod cnab;
#[path = "format/commands.rs"]
mod commands;
#[path = "format/description.rs"]
mod description;
#[path = "format/document.rs"]
mod document;
#[path = "format/found.rs"]
mod found;
#[path = "format/gathered.rs"]
mod gathered;
#[path = "format/hostile.rs"]
mod hostile;
#[path = "format/iso.rs"]
mod iso;
#[path = "format/keyed.rs"]
mod keyed;
#[path = "format/layouts.rs"]
mod layouts;
#[path = "format/readme.rs"]
mod readme;
#[path = "format/reference.rs"]
mod reference;
#[path = "format/round_trip.rs"]
mod round_trip;
#[path = "format/shapes.rs"]
mod shapes;

use std::path::{Path, PathBuf};

use daifa::format::{Format, Item, Key, MessageKind, Part, PartRole, Record, Value, example};
use daifa::model::money::Fen;

pub const RURAL: &str = "example-rural-fixed";
pub const CITY: &str = "example-city-xml";

/// An example, as the binary carries it.
pub fn format(name: &str) -> Format {
    match Format::compile(name, example::example(name).unwrap()) {
        Ok(format) => format.with_published_secrets(),
        Err(problems) => panic!("{problems}"),
    }
}

pub fn formats_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bank-formats")
}

/// A head with all that the requests of both examples need.
pub fn head() -> Record {
    let mut head = Record::new();
    head.set(Key::Reference, Value::Text("EX20261123-0001"));
    head.set(Key::PoolAccount, Value::Text("2700000000000001"));
    head.set(Key::Summary, Value::Text("耕地地力保护补贴"));
    let moment = daifa::format::Moment::parse("2026-11-23T15:49:04").unwrap();
    head.set(Key::Moment, Value::Moment(moment));
    head
}

pub fn row(ordinal: i64, name: &str, fen: i64) -> Record {
    let mut row = Record::new();
    row.set(Key::Ordinal, Value::Int(ordinal));
    row.set(Key::Account, Value::Text("6210000000000000011"));
    row.set(Key::PayeeName, Value::Text(name));
    row.set(Key::Amount, Value::Amount(Fen::new(fen)));
    row.set(Key::DocumentNumber, Value::Text("11010519491231002X"));
    row
}

/// A result row of either example.
pub fn answered(ordinal: i64, fen: i64, code: &str) -> Record {
    let mut row = row(ordinal, "", fen);
    for key in [Key::PayeeName, Key::DocumentNumber] {
        row.unset(key);
    }
    row.set(Key::Code, Value::Text(code));
    row
}

/// A message as the road sees it.
#[derive(Debug, PartialEq)]
pub struct Values {
    pub head: Record,
    pub rows: Vec<Record>,
}

/// Reads all of a message.
///
/// # Errors
/// What is wrong with it; a row with a fault is wrong too.
pub fn decode(format: &Format, kind: MessageKind, parts: &[Part]) -> Result<Values, String> {
    let told = |error: daifa::format::DataError| error.to_string();
    let mut reading = format.read(kind, parts).map_err(told)?;
    let mut values = Values { head: Record::new(), rows: Vec::new() };
    while let Some(item) = reading.next().map_err(told)? {
        match item {
            Item::Head(head) => values.head = head.clone(),
            Item::Row(row) => values.rows.push(row.clone()),
            Item::BadRow(error) => return Err(error.to_string()),
            Item::Tail(tail) => values.head.fill_from(tail),
        }
    }
    Ok(values)
}

pub fn message(bytes: Vec<u8>) -> [Part; 1] {
    [Part { role: PartRole::Message, name: String::new(), bytes, committing: true }]
}

#[test]
fn every_sample_of_the_examples_holds_both_ways() {
    for name in example::names() {
        let loaded = Format::load(&formats_dir().join(name));
        match loaded {
            Ok(loaded) => assert_eq!(loaded.digest(), format(name).digest()),
            Err(problems) => panic!("{problems}"),
        }
    }
}

#[test]
fn a_format_is_shared_between_tasks() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Format>();
    moved::<daifa::format::Reading<'_>>();
    moved::<daifa::format::Fitter<'_>>();
}

#[test]
fn file_names_tell_what_a_file_is() {
    let format = format(RURAL);
    let found = format.recognise("HPEX20261123-0001_02.txt").unwrap();
    assert_eq!((found.kind, found.role), (MessageKind::Result, PartRole::Data));
    assert_eq!(found.keys.text(Key::Reference), Some("EX20261123-0001"));
    assert_eq!(found.keys.text(Key::Serial), Some("02"));
    let found = format.recognise("HPEX20261123-0001.ok").unwrap();
    assert_eq!(found.role, PartRole::Control);
    for name in ["XXEX1.txt", "HP.txt", "../HPEX1.txt", "HPEX1.txt.tmp", ""] {
        assert!(format.recognise(name).is_none(), "{name}");
    }
}

#[test]
fn codes_have_the_meaning_of_their_field() {
    use daifa::model::attempt::Answer;
    use daifa::model::notice::NoticeState;
    use daifa::model::outcome::OutcomeKind;
    use daifa::model::reason::Reason;
    let city = format(CITY);
    let kind = MessageKind::StatusAnswer;
    assert_eq!(city.answer(kind, "B404"), Some(Answer::NotFound));
    assert_eq!(city.answer(MessageKind::Acknowledgement, "B101"), Some(Answer::Duplicate));
    assert_eq!(city.answer(kind, "S"), None);
    let failed = city.row_meaning(kind, "F02").unwrap();
    assert_eq!(failed.outcome, Some(OutcomeKind::Failed));
    assert_eq!(failed.reason, Some(Reason::NameMismatch));
    assert_eq!(city.row_meaning(kind, "U").unwrap().outcome, None);
    assert_eq!(city.row_meaning(kind, "T01"), None);
    let returned = city.row_meaning(MessageKind::LateReturn, "T01").unwrap();
    assert_eq!(returned.outcome, Some(OutcomeKind::Returned));
    assert_eq!(city.notice(MessageKind::Notice, "3"), Some(NoticeState::NoNumber));
    assert_eq!(city.notice(MessageKind::Notice, "7"), None);
    // A practice bank finds its codes here.
    assert!(
        city.answers(kind).any(|(code, answer)| (code, answer) == ("B002", Answer::Processing))
    );
    assert!(city.row_codes(kind).any(|(code, row)| code == "S" && row.reason.is_none()));
}

/// No rows at all, for messages that have none.
pub fn no_rows() -> &'static [Record] {
    &[]
}
