//! What a format says about batches and answers beyond one field: how many bytes a message may have,
//! which payments may stand in one batch, and what a row of an answer is about.

use std::collections::HashMap;
use std::sync::Arc;

use daifa::flow::matching::{Matched, NotTaken, Sent, match_rows};
use daifa::flow::values::RowValues;
use daifa::format::{Format, Key, MessageKind, Part, PartRole, Record, Value};
use daifa::guard::key::Key as SealKey;
use daifa::guard::seal::Sealer;
use daifa::model::id::AttemptNo;
use daifa::model::money::Fen;
use daifa::model::outcome::OutcomeKind;
use daifa::transport::Transport;

use crate::counter::{Counter, Turn, format_named};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

/// From now on the bank that is called has another format.
async fn reformed(house: &mut House, changes: &[(&str, &str)]) {
    let mut text = house.calls.format.text().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let format = Format::compile("reformed", &text).unwrap_or_else(|e| panic!("{e}"));
    house.calls = Arc::new(Counter::speaking(format));
    house.restart().await;
}

#[tokio::test]
async fn a_message_that_would_be_too_large_is_cut_into_smaller_ones() {
    let mut house = House::open().await;
    reformed(&mut house, &[("bytes_max = 8388608", "bytes_max = 1500")]).await;
    house.take(Draft::new("A", 1).lines(CALLS, 20).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    let batches = house.calls.batches().len();
    assert!(batches >= 4, "{batches} batches");
    assert!(house.calls.credits().values().all(|credits| *credits == 1));
    assert_eq!(house.calls.credits().len(), 20);
    assert!(house.alert("convert").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn a_register_is_cut_where_the_sum_of_a_message_would_be_too_large() {
    let mut house = House::open().await;
    // The payments are of 100, 101, ... 109 yuan: the first three are this, to the fen.
    let sum_max = "sum_max = \"303.00\"";
    reformed(&mut house, &[("sum_max = \"9999999999.99\"", sum_max)]).await;
    house.take(Draft::new("A", 1).lines(CALLS, 10).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    let sent: Vec<usize> =
        (0..house.calls.batches().len()).map(|at| house.calls.accounts(at).len()).collect();
    assert_eq!(sent, [3, 2, 2, 2, 1]);
    assert!(house.calls.credits().values().all(|credits| *credits == 1));
    assert_eq!(house.calls.credits().len(), 10);
    assert!(house.alert("convert").await.is_none());
    house.sound().await;
}

/// Lines 1 and 3 are the same in all that this bank's answers tell.
fn alike() -> Draft {
    let first = person(1).account;
    Draft::new("A", 1).lines(CALLS, 4).line(3, move |line| {
        line.person.account.clone_from(&first);
        line.amount = Fen::new(100);
    })
}

#[tokio::test]
async fn payments_that_an_answer_could_not_tell_apart_go_in_different_batches() {
    let mut house = House::open().await;
    let by_values = "kind = \"status_answer\"\nmatch_by = [\"account\", \"amount\"]\nrows_min = 0";
    reformed(&mut house, &[("kind = \"status_answer\"\nrows_min = 0", by_values)]).await;
    house.take(alike().line(1, |line| line.amount = Fen::new(100)).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    let sent: Vec<usize> =
        (0..house.calls.batches().len()).map(|at| house.calls.accounts(at).len()).collect();
    assert_eq!(sent, [2, 2]);
    let places = house.five(1).await;
    assert_eq!((places[0], places[1]), (0, 0), "all is answered for: {places:?}");
    house.sound().await;
}

/// A file of failures alone, and a file whose rows have no places.
const FAILURES: &str = r#"
language = 1
title = "failures"
status = "example"
source = "failures-only results, matched by values"
charset = "GB18030"
[limits]
rows_max = 100
amount_max = "9999.99"
sum_max = "999999.99"
bytes_max = 100000
[codes.results]
1001 = { outcome = "failed", reason = "account_not_found" }
[[message]]
kind = "result"
rows_min = 0
failures_only = true
match_by = ["account", "amount"]
[[message.part]]
role = "message"
committing = true
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [
  { key = "count" }, { key = "sum", unit = "yuan", scale = 2, point = true },
  { key = "credited_count" }, { key = "credited_sum", unit = "yuan", scale = 2, point = true },
]
[[message.part.record]]
is = "row"
fields = [
  { key = "account", only = "digits" }, { key = "amount", unit = "yuan", scale = 2, point = true },
  { key = "code", codes = "results" },
]
"#;

fn members(amounts: &[i64]) -> Vec<RowValues> {
    let member = |(at, fen): (usize, &i64)| {
        let ordinal = i64::try_from(at).expect("a place") + 1;
        RowValues {
            ordinal,
            line: ordinal,
            amount: Fen::new(*fen),
            person: person(ordinal.unsigned_abs()),
            village: String::new(),
        }
    };
    amounts.iter().enumerate().map(member).collect()
}

/// The batch EX1 with these payments, and what the bank calls them.
fn sent<'a>(members: &'a [RowValues], serials: &'a HashMap<String, i64>) -> Sent<'a> {
    Sent { attempt: AttemptNo(1), reference: "EX1", members, serials, doubled: None }
}

/// What a file with these failures says, where the bank counts so much as credited.
fn heard(
    members: &[RowValues],
    failures: &[(&str, i64)],
    credited: (i64, i64),
) -> Result<Matched, NotTaken> {
    let format = Format::compile("failures", FAILURES).unwrap_or_else(|e| panic!("{e}"));
    let mut head = Record::new();
    head.set(Key::CreditedCount, Value::Int(credited.0));
    head.set(Key::CreditedSum, Value::Amount(Fen::new(credited.1)));
    let rows: Vec<Record> = failures
        .iter()
        .map(|(account, fen)| {
            let mut row = Record::new();
            row.set(Key::Account, Value::Text(account));
            row.set(Key::Amount, Value::Amount(Fen::new(*fen)));
            row.set(Key::Code, Value::Text("1001"));
            row
        })
        .collect();
    let parts: Vec<Part> = format.encode(MessageKind::Result, &head, &rows).expect("is written");
    let sealer = Sealer::new([(1, SealKey::random())], 1).expect("a key");
    match_rows(&format, MessageKind::Result, &parts, &sent(members, &HashMap::new()), &sealer)
}

fn told(matched: &Matched) -> Vec<(i64, Option<OutcomeKind>)> {
    let mut told: Vec<_> = matched.rows.iter().map(|row| (row.line, row.kind)).collect();
    told.sort_by_key(|(line, _)| *line);
    told
}

#[test]
fn silence_is_success_only_where_the_banks_own_count_and_sum_say_so() {
    let members = members(&[100, 200, 300]);
    let second = members[1].person.account.clone();
    let matched = heard(&members, &[(&second, 200)], (2, 400)).expect("closes");
    let (credited, failed) = (Some(OutcomeKind::Credited), Some(OutcomeKind::Failed));
    assert_eq!(told(&matched), [(1, credited), (2, failed), (3, credited)]);
    assert_eq!(told(&heard(&members, &[], (3, 600)).expect("closes")).len(), 3);
    // One payment or one fen off, a row that is nobody's: nothing is taken from silence.
    for (failures, counted) in [
        (vec![(second.as_str(), 200)], (3, 400)),
        (vec![(second.as_str(), 200)], (2, 401)),
        (vec![(second.as_str(), 200)], (1, 400)),
        (vec![], (2, 600)),
        (vec![(second.as_str(), 201)], (2, 400)),
        (vec![("6200000000000000000", 200)], (2, 400)),
    ] {
        let held = heard(&members, &failures, counted);
        assert!(held.is_err(), "{failures:?} {counted:?}");
    }
}

#[test]
fn i12_a_row_that_could_be_two_payments_is_neither() {
    let mut members = members(&[100, 100]);
    members[1].person.account = members[0].person.account.clone();
    let account = members[0].person.account.clone();
    // The list of failures has a row that is nobody's for certain: it is held as a whole.
    assert!(heard(&members, &[(&account, 100)], (1, 100)).is_err());
    let all = heard(&members, &[], (2, 200)).expect("closes");
    assert_eq!(all.rows.len(), 2);
}

/// Rows that name their payment by its place alone, and rows with a reference of ours.
fn answered(
    changes: &[(&str, &str)],
    head: &[(Key, i64)],
    rows: &[Record],
    to: &Sent<'_>,
) -> Result<Matched, NotTaken> {
    let text = changes.iter().fold(FAILURES.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let format = Format::compile("places", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut values = Record::new();
    for (key, number) in head {
        let value = match key {
            Key::CreditedCount => Value::Int(*number),
            _ => Value::Amount(Fen::new(*number)),
        };
        values.set(*key, value);
    }
    let written = format.encode(MessageKind::Result, &values, rows);
    let parts: Vec<Part> = written.map_err(|e| NotTaken::Held(e.to_string()))?;
    let sealer = Sealer::new([(1, SealKey::random())], 1).expect("a key");
    match_rows(&format, MessageKind::Result, &parts, to, &sealer)
}

fn place(ordinal: i64, fen: Option<i64>, code: &str) -> Record {
    let mut row = Record::new();
    row.set(Key::Ordinal, Value::Int(ordinal));
    row.set(Key::Code, Value::Text(code));
    if let Some(fen) = fen {
        row.set(Key::Amount, Value::Amount(Fen::new(fen)));
    }
    row
}

const BY_PLACE: (&str, &str) = (
    "match_by = [\"account\", \"amount\"]",
    "match_by = [\"ordinal\"]\nrows_without_account = true",
);

#[test]
fn failures_by_their_places_alone_count_only_where_the_banks_count_and_sum_close() {
    let members = members(&[100, 200, 300]);
    // As of a bank whose list of failures has a place and a code, and no amounts at all.
    let changes = [
        BY_PLACE,
        (
            "{ key = \"count\" }, { key = \"sum\", unit = \"yuan\", scale = 2, point = true },",
            "{ key = \"count\" },",
        ),
        (
            "{ key = \"account\", only = \"digits\" }, { key = \"amount\", unit = \"yuan\", scale = 2, point = true },",
            "{ key = \"ordinal\" },",
        ),
    ];
    let heard = |rows: &[(i64, &str)], credited: (i64, i64)| {
        let rows: Vec<Record> = rows.iter().map(|(at, code)| place(*at, None, code)).collect();
        let head = [(Key::CreditedCount, credited.0), (Key::CreditedSum, credited.1)];
        answered(&changes, &head, &rows, &sent(&members, &HashMap::new()))
    };
    let (credited, failed) = (Some(OutcomeKind::Credited), Some(OutcomeKind::Failed));
    let matched = heard(&[(2, "1001")], (2, 400)).expect("closes");
    assert_eq!(told(&matched), [(1, credited), (2, failed), (3, credited)]);
    // Another place, a place that there is not, one too many, one fen off.
    for (rows, counted) in [
        (vec![(3, "1001")], (2, 400)),
        (vec![(4, "1001")], (2, 400)),
        (vec![(2, "1001"), (3, "1001")], (2, 400)),
        (vec![(2, "1001")], (2, 401)),
        (vec![], (2, 400)),
    ] {
        assert!(heard(&rows, counted).is_err(), "{rows:?} {counted:?}");
    }
}

#[test]
fn i12_rows_by_their_places_alone_are_taken_only_where_they_are_all_of_the_batch() {
    let members = members(&[100, 200, 300]);
    let changes = [
        BY_PLACE,
        ("failures_only = true\n", ""),
        (
            "  { key = \"credited_count\" }, { key = \"credited_sum\", unit = \"yuan\", scale = 2, point = true },\n",
            "",
        ),
        ("{ key = \"account\", only = \"digits\" },", "{ key = \"ordinal\" },"),
        ("1001 = {", "0000 = { outcome = \"credited\" }\n1001 = {"),
    ];
    let heard = |rows: &[(i64, i64)]| {
        let rows: Vec<Record> = rows
            .iter()
            .map(|(at, fen)| place(*at, Some(*fen), if *at == 2 { "1001" } else { "0000" }))
            .collect();
        answered(&changes, &[], &rows, &sent(&members, &HashMap::new()))
    };
    let (credited, failed) = (Some(OutcomeKind::Credited), Some(OutcomeKind::Failed));
    let matched = heard(&[(3, 300), (1, 100), (2, 200)]).expect("all of it");
    assert_eq!(told(&matched), [(1, credited), (2, failed), (3, credited)]);
    for rows in [
        vec![(1, 100), (2, 200)],
        vec![(1, 100), (2, 200), (3, 301)],
        vec![(1, 100), (2, 200), (2, 200)],
        vec![(1, 100), (2, 200), (3, 300), (4, 1)],
        vec![(2, 100), (1, 200), (3, 300)],
    ] {
        assert!(heard(&rows).is_err(), "{rows:?}");
    }
}

const REQUEST: &str = r#"
[[message]]
kind = "payment_request"
[[message.part]]
role = "message"
committing = true
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [ { key = "reference" }, { key = "count" }, { key = "sum", unit = "yuan", scale = 2, point = true } ]
[[message.part.record]]
is = "row"
fields = [
  { key = "row_reference", join = "{reference}-{ordinal}" }, { key = "account", only = "digits" },
  { key = "amount", unit = "yuan", scale = 2, point = true },
]
[codes.results]"#;

#[test]
fn i12_a_reference_of_ours_tells_the_payment_and_no_other_batchs() {
    let members = members(&[100, 100, 300]);
    let changes = [
        ("match_by = [\"account\", \"amount\"]", "match_by = [\"row_reference\"]"),
        ("failures_only = true\n", ""),
        (
            "  { key = \"credited_count\" }, { key = \"credited_sum\", unit = \"yuan\", scale = 2, point = true },\n",
            "",
        ),
        ("{ key = \"account\", only = \"digits\" },", "{ key = \"row_reference\" },"),
        ("[codes.results]", REQUEST),
    ];
    let heard = |reference: &str, fen: i64| {
        let mut row = place(1, Some(fen), "1001");
        row.set(Key::RowReference, Value::Text(reference));
        answered(&changes, &[], &[row], &sent(&members, &HashMap::new())).expect("is read")
    };
    assert_eq!(told(&heard("EX1-2", 100)), [(2, Some(OutcomeKind::Failed))]);
    for (reference, fen, cause) in [
        ("EX2-2", 100, "unknown_payment"),
        ("EX1-4", 100, "unknown_payment"),
        ("EX1-02", 100, "unknown_payment"),
        ("EX1-3", 100, "amount_differs"),
    ] {
        let matched = heard(reference, fen);
        let causes: Vec<&str> = matched.quarantined.iter().map(|row| row.cause).collect();
        assert_eq!((matched.rows.len(), causes), (0, vec![cause]), "{reference}");
    }
}

/// A result whose rows name payments by the bank's number of them, and the acknowledgement that tells it.
const BY_NUMBER: [(&str, &str); 4] = [
    ("match_by = [\"account\", \"amount\"]", "match_by = [\"bank_serial\"]"),
    ("failures_only = true\n", ""),
    (
        "  { key = \"credited_count\" }, { key = \"credited_sum\", unit = \"yuan\", scale = 2, point = true },\n",
        "",
    ),
    ("{ key = \"account\", only = \"digits\" },", "{ key = \"bank_serial\" },"),
];

const TELLS_NUMBERS: &str = r#"
[codes.whole]
00 = { answer = "accepted" }
[[message]]
kind = "acknowledgement"
[[message.part]]
role = "message"
committing = true
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [
  { key = "reference" }, { key = "code", codes = "whole" }, { key = "count" },
  { key = "sum", unit = "yuan", scale = 2, point = true },
]
[[message.part.record]]
is = "row"
fields = [
  { key = "ordinal" }, { key = "account", only = "digits" },
  { key = "amount", unit = "yuan", scale = 2, point = true }, { key = "bank_serial" },
]
[codes.results]"#;

fn by_number() -> Vec<(&'static str, &'static str)> {
    let mut changes = BY_NUMBER.to_vec();
    changes.push(("[codes.results]", TELLS_NUMBERS));
    changes
}

fn numbers(known: &[(&str, i64)]) -> HashMap<String, i64> {
    known.iter().map(|(serial, line)| ((*serial).to_owned(), *line)).collect()
}

#[test]
fn i12_a_number_of_the_banks_tells_the_payment_and_nothing_is_taken_before_it_is_known() {
    let members = members(&[100, 100, 300]);
    let heard = |known: &HashMap<String, i64>, serial: &str, fen: i64| {
        let mut row = place(1, Some(fen), "1001");
        row.set(Key::BankSerial, Value::Text(serial));
        answered(&by_number(), &[], &[row], &sent(&members, known))
    };
    let all = numbers(&[("S7", 2), ("S8", 1), ("S9", 3)]);
    let matched = heard(&all, "S7", 100).expect("is read");
    assert_eq!(told(&matched), [(2, Some(OutcomeKind::Failed))]);
    for (serial, fen, cause) in [
        ("S6", 100, "unknown_payment"),
        ("s7", 100, "unknown_payment"),
        ("S9", 100, "amount_differs"),
    ] {
        let matched = heard(&all, serial, fen).expect("is read");
        let causes: Vec<&str> = matched.quarantined.iter().map(|row| row.cause).collect();
        assert_eq!((matched.rows.len(), causes), (0, vec![cause]), "{serial}");
    }
    // Where the bank still owes numbers, the unknown one may be one of these.
    for known in [numbers(&[]), numbers(&[("S8", 1), ("S9", 3)])] {
        assert_eq!(heard(&known, "S7", 100).expect_err("waits"), NotTaken::Early);
    }
    let some = numbers(&[("S7", 2)]);
    assert_eq!(told(&heard(&some, "S7", 100).expect("is read")), [(2, Some(OutcomeKind::Failed))]);
}

/// What an acknowledgement with these rows - ordinal and number - tells anew.
fn numbered(rows: &[(i64, &str)], known: &[(&str, i64)]) -> Result<Matched, NotTaken> {
    let members = members(&[100, 100, 300]);
    let text =
        by_number().iter().fold(FAILURES.to_owned(), |text, (from, to)| text.replace(from, to));
    let format = Format::compile("numbers", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut head = Record::new();
    head.set(Key::Reference, Value::Text("EX1"));
    head.set(Key::Code, Value::Text("00"));
    let rows: Vec<Record> = rows
        .iter()
        .map(|(ordinal, serial)| {
            let member = &members[usize::try_from(*ordinal).expect("a place") - 1];
            let mut row = place(*ordinal, Some(member.amount.get()), "");
            row.set(Key::Account, Value::Text(&member.person.account));
            row.set(Key::BankSerial, Value::Text(serial));
            row
        })
        .collect();
    let kind = MessageKind::Acknowledgement;
    let parts: Vec<Part> = format.encode(kind, &head, &rows).expect("is written");
    let sealer = Sealer::new([(1, SealKey::random())], 1).expect("a key");
    match_rows(&format, kind, &parts, &sent(&members, &numbers(known)), &sealer)
}

#[test]
fn i12_numbers_that_are_of_two_payments_are_none() {
    let new = |rows: &[(i64, &str)], known: &[(&str, i64)]| -> Option<Vec<(i64, String)>> {
        numbered(rows, known).ok().map(|matched| matched.serials.into_iter().collect())
    };
    let told = |line: i64, serial: &str| (line, serial.to_owned());
    assert_eq!(new(&[(3, "S9"), (1, "S7")], &[]), Some(vec![told(1, "S7"), told(3, "S9")]));
    // What is known is not told anew; another number of the same payment is.
    assert_eq!(new(&[(1, "S7"), (2, "S8")], &[("S7", 1)]), Some(vec![told(2, "S8")]));
    assert_eq!(new(&[(1, "T7")], &[("S7", 1)]), Some(vec![told(1, "T7")]));
    assert_eq!(new(&[(1, "S7"), (1, "S7")], &[]), Some(vec![told(1, "S7")]));
    for (rows, known) in [
        (vec![(1, "S7"), (2, "S7")], vec![]),
        (vec![(1, "S7"), (1, "S8")], vec![]),
        (vec![(2, "S7")], vec![("S7", 1)]),
    ] {
        assert_eq!(new(&rows, &known), None, "{rows:?} {known:?}");
    }
}

#[test]
fn what_a_row_is_about_must_be_sure_before_a_format_is_taken() {
    let refused = |changes: &[(&str, &str)], what: &str| {
        let text =
            changes.iter().fold(FAILURES.to_owned(), |text, (from, to)| text.replace(from, to));
        let told = Format::compile("x", &text).expect_err(what).to_string();
        assert!(told.contains(what), "{told}");
    };
    refused(&[BY_PLACE], "these rows have an account");
    refused(
        &[("failures_only = true", "failures_only = true\nrows_without_account = true")],
        "rows_without_account has no place here",
    );
    refused(
        &[("[\"account\", \"amount\"]", "[\"row_reference\"]")],
        "no payment was given a row_reference",
    );
    refused(&BY_NUMBER, "no answer tells the bank_serial of a payment before this one");
    let optional = TELLS_NUMBERS
        .replace("{ key = \"bank_serial\" }", "{ key = \"bank_serial\", optional = true }");
    let mut changes = BY_NUMBER.to_vec();
    changes.push(("[codes.results]", &optional));
    refused(&changes, "no answer tells the bank_serial of a payment before this one");
    refused(
        &[("[\"account\", \"amount\"]", "[\"bank_serial\", \"amount\"]")],
        "bank_serial is of one payment by itself",
    );
    for join in ["{reference}{ordinal}", "{reference}", "{ordinal}-{summary}"] {
        let request = REQUEST.replace("{reference}-{ordinal}", join);
        refused(&[("[codes.results]", &request)], "row_reference is not of one payment alone");
    }
}

#[tokio::test]
async fn files_of_a_day_are_counted_without_a_gap() {
    let mut house = House::open().await;
    let numbered = [
        (
            "{ path = \"Head/Code\", literal = \"PAY\" },",
            "{ path = \"Head/Code\", literal = \"PAY\" },\n  { path = \"Head/Today\", key = \"day_sequence\" },",
        ),
        ("bytes_max = 8388608", "bytes_max = 1500"),
    ];
    reformed(&mut house, &numbered).await;
    house.take(Draft::new("A", 1).lines(CALLS, 9).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    let last = house.number("SELECT value FROM counter WHERE name = 'day:city:20261123'").await;
    let batches = i64::try_from(house.calls.batches().len()).expect("a count");
    assert!(batches >= 2, "{batches}");
    assert_eq!(last, batches, "halves that were tried and not written took no number");
    house.pass(24 * HOUR).await;
    house.take(Draft::new("B", 1).lines(CALLS, 1).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    let next = house.number("SELECT value FROM counter WHERE name = 'day:city:20261124'").await;
    assert_eq!(next, 1);
    house.sound().await;
}

/// The same format, with another name for what an answer says of the whole.
const RENAMED: [(&str, &str); 1] = [("path = \"Head/Status\"", "path = \"Head/State\"")];

/// From now on the format of the bank that is called is another one; the bank itself goes on as it is.
pub async fn described_anew(house: &mut House, changes: &[(&str, &str)]) {
    let counter = Arc::clone(&house.calls);
    of_bank_anew(house, CALLS, counter, changes).await;
}

async fn of_bank_anew(
    house: &mut House,
    bank: &str,
    counter: Arc<Counter>,
    changes: &[(&str, &str)],
) {
    let mut text = counter.format.text().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let format = Format::compile("anew", &text).unwrap_or_else(|e| panic!("{e}"));
    let door: Arc<dyn Transport> = counter;
    house.doors.insert(bank.to_owned(), (door, Arc::new(format)));
    house.restart().await;
}

/// A bank that renames its result files does so from some day on: what it was sent before it answers as before.
#[tokio::test]
async fn f57_a_result_under_its_earlier_name_is_still_one_of_the_bank_s() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let counter = Arc::clone(&house.files);
    of_bank_anew(
        &mut house,
        FILES,
        counter,
        &[("name = \"HP{reference}", "name = \"HQ{reference}")],
    )
    .await;
    house.files.leave_all(0);
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "{:?}", house.alerts().await);
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 0);
    // What is of none of them is held as ever.
    let part = |role, name: &str, committing| Part {
        role,
        name: name.to_owned(),
        bytes: b"?".to_vec(),
        committing,
    };
    house.files.leave(vec![
        part(PartRole::Data, "XX000000000001.txt", false),
        part(PartRole::Control, "XX000000000001.ok", true),
    ]);
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 1);
    house.sound().await;
}

#[tokio::test]
async fn f57_answers_to_what_was_sent_are_read_by_the_format_that_wrote_it() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    described_anew(&mut house, &RENAMED).await;
    house.live(HOUR, 5 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "{:?}", house.alerts().await);
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 0);
    // What is sent from now on is the new one's: this bank does not speak it, and nothing is believed.
    house.take(Draft::new("B", 1).lines(CALLS, 3).declared()).await;
    house.live(HOUR, 5 * MINUTE).await;
    assert_eq!(house.five(2).await, [0, 303, 0, 0, 0]);
    assert!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await > 0);
    assert_eq!(house.number("SELECT COUNT(DISTINCT format_digest) FROM attempt").await, 2);
    house.sound().await;
}

#[tokio::test]
async fn f57_what_was_not_sent_goes_again_in_the_bytes_that_were_written() {
    let mut house = House::open().await;
    house.calls.next(Turn::NotSent);
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    let path = ("path = \"Body/PoolAccount\"", "path = \"Body/Pool\"");
    described_anew(&mut house, &[path]).await;
    house.live(HOUR, 5 * MINUTE).await;
    let sent = house.calls.batches();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].digest, sent[1].digest, "byte for byte (I5)");
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.finished().await;
}

#[test]
fn i12_a_row_of_a_return_that_names_another_batch_is_put_aside() {
    let format = format_named("example-cmb-xml");
    let kind = MessageKind::LateReturn;
    let members = members(&[100, 200]);
    let returned = |ordinal: i64, original: Option<&str>| {
        let member = &members[usize::try_from(ordinal - 1).expect("small")];
        let mut row = Record::new();
        row.set(Key::Ordinal, Value::Int(ordinal));
        row.set(Key::Account, Value::Text(&member.person.account));
        row.set(Key::Amount, Value::Amount(member.amount));
        row.set(Key::Code, Value::Text("T"));
        if let Some(original) = original {
            row.set(Key::OriginalReference, Value::Text(original));
        }
        row
    };
    let read = |head: &str, rows: &[Record]| {
        let mut values = Record::new();
        values.set(Key::Reference, Value::Text(head));
        values.set(Key::Code, Value::Text("2"));
        let parts = format.encode(kind, &values, rows).expect("is written");
        let sealer = Sealer::new([(1, SealKey::random())], 1).expect("a key");
        match_rows(&format, kind, &parts, &sent(&members, &HashMap::new()), &sealer)
    };
    let matched = read("EX1", &[returned(1, Some("EX1")), returned(2, Some("EX2"))]);
    let matched = matched.expect("the rest is taken");
    assert_eq!(told(&matched), [(1, Some(OutcomeKind::Returned))]);
    let aside: Vec<_> = matched.quarantined.iter().map(|row| (row.row, row.cause)).collect();
    assert_eq!(aside, [(2, "other_batch")]);
    assert_eq!(told(&read("EX1", &[returned(2, None)]).expect("its head says it")).len(), 1);
    assert!(matches!(read("EX2", &[returned(1, Some("EX1"))]), Err(NotTaken::Held(_))));
}
