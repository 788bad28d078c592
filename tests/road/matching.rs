//! What a format says about batches and answers beyond one field: how many bytes a message may have,
//! which payments may stand in one batch, and what a row of an answer is about.

use std::sync::Arc;

use daifa::flow::matching::{Matched, match_rows};
use daifa::flow::values::RowValues;
use daifa::format::{Format, Key, MessageKind, Part, Record, Value};
use daifa::guard::key::Key as SealKey;
use daifa::guard::seal::Sealer;
use daifa::model::id::AttemptNo;
use daifa::model::money::Fen;
use daifa::model::outcome::OutcomeKind;
use daifa::transport::Transport;

use crate::counter::{Counter, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, HOUR, House, MINUTE};

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

/// What a file with these failures says, where the bank counts so much as credited.
fn heard(
    members: &[RowValues],
    failures: &[(&str, i64)],
    credited: (i64, i64),
) -> Result<Matched, String> {
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
    match_rows(&format, MessageKind::Result, &parts, (AttemptNo(1), "EX1"), members, &sealer)
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
    to: &[RowValues],
) -> Result<Matched, String> {
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
    let parts: Vec<Part> =
        format.encode(MessageKind::Result, &values, rows).map_err(|e| e.to_string())?;
    let sealer = Sealer::new([(1, SealKey::random())], 1).expect("a key");
    match_rows(&format, MessageKind::Result, &parts, (AttemptNo(1), "EX1"), to, &sealer)
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
        answered(&changes, &head, &rows, &members)
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
        answered(&changes, &[], &rows, &members)
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
        answered(&changes, &[], &[row], &members).expect("is read")
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

/// From now on the bank's format is another one; the bank itself goes on as it is.
async fn described_anew(house: &mut House, changes: &[(&str, &str)]) {
    let mut text = house.calls.format.text().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let format = Format::compile("anew", &text).unwrap_or_else(|e| panic!("{e}"));
    let door: Arc<dyn Transport> = house.calls.clone();
    house.doors.insert(CALLS.to_owned(), (door, Arc::new(format)));
    house.restart().await;
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
