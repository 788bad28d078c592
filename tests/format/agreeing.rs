//! What is said twice is said the same: of a payment that is several records, of the whole message in its head, its
//! tail and between; and what the rows are compared with is always there, once, where it is compared (I12, F37).

use daifa::format::{Format, Item, MessageKind, Part, PartRole};

const RESULT: &str = r#"
language = 1
title = "said twice"
status = "example"
source = "a test"
charset = "US-ASCII"
[limits]
rows_max = 9
amount_max = "99.99"
sum_max = "150.00"
bytes_max = 10000
[codes.answers]
0 = { answer = "done" }
9 = { answer = "refused" }
[codes.results]
00 = { outcome = "credited" }
14 = { outcome = "failed", reason = "account_not_found" }
[[message]]
kind = "result"
[[message.part]]
role = "data"
name = "RT{reference}.txt"
committing = true
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [{ literal = "H" }, { key = "code", codes = "answers" }, { key = "count" }, { key = "sum", unit = "fen", scale = 0 }]
[[message.part.group]]
name = "payment"
is = "row"
[[message.part.record]]
name = "a"
in = "payment"
fields = [{ literal = "A" }, { key = "ordinal" }, { key = "account" }, { key = "amount", unit = "fen", scale = 0 }, { key = "code", codes = "results" }, { key = "text", optional = true }]
[[message.part.record]]
name = "b"
in = "payment"
occurs = "0..1"
fields = [{ literal = "B" }, { key = "ordinal" }, { key = "account", optional = true }, { key = "amount", unit = "fen", scale = 0 }, { key = "code", codes = "results" }, { key = "text", optional = true }]
[[message.part.record]]
name = "between"
occurs = "0..1"
fields = [{ literal = "M" }, { key = "code", codes = "answers" }]
[[message.part.record]]
is = "tail"
fields = [{ literal = "T" }, { key = "code", codes = "answers" }]
"#;

/// How many rows are good, and the faults of the others; or why the whole is not read.
fn read(lines: &str) -> Result<(usize, Vec<String>), String> {
    read_by(RESULT, lines)
}

fn read_by(text: &str, lines: &str) -> Result<(usize, Vec<String>), String> {
    let format = Format::compile("twice", text).expect("compiles");
    let part = Part {
        role: PartRole::Data,
        name: "RTB0001.txt".to_owned(),
        bytes: lines.replace(' ', "\n").into_bytes(),
        committing: false,
    };
    let parts = [part];
    let mut reading = format.read(MessageKind::Result, &parts).map_err(|e| e.to_string())?;
    let (mut good, mut bad) = (0, Vec::new());
    let told = loop {
        match reading.next() {
            Ok(Some(Item::Row(_))) => good += 1,
            Ok(Some(Item::BadRow(fault))) => bad.push(fault.to_string()),
            Ok(Some(_)) => {}
            Ok(None) => break Ok((good, bad)),
            Err(fault) => break Err(fault.to_string()),
        }
    };
    // Record by record it is no better.
    let mut pieces = format.read(MessageKind::Result, &parts).map_err(|e| e.to_string())?;
    let mut faults = 0;
    let whole = loop {
        match pieces.next_piece() {
            Ok(Some(piece)) => faults += usize::from(piece.fault.is_some()),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert_eq!(told.as_ref().map(|(_, bad)| bad.len()).ok(), whole.then_some(faults), "{lines}");
    told
}

#[test]
fn i12_records_of_one_payment_that_contradict_each_other_are_no_payment() {
    let first = "A|1|62170001|1000|00|fine";
    for second in ["B|1|62170001|1000|00|otherwise", "B|1||1000|00|"] {
        let lines = format!("H|0|1|1000 {first} {second} T|0 ");
        assert_eq!(read(&lines), Ok((1, vec![])), "{second}");
    }
    for (second, key) in [
        ("B|7|62170001|1000|00|", "ordinal"),
        ("B|1|62170002|1000|00|", "account"),
        ("B|1|62170001|1|00|", "amount"),
        ("B|1|62170001|1000|14|", "code"),
    ] {
        let lines = format!("H|0|1|1000 {first} {second} T|0 ");
        let (good, bad) = read(&lines).expect("the whole of it closes");
        assert_eq!((good, bad.len()), (0, 1), "{second}");
        let expected = format!("expected the {key} that an earlier record has");
        assert!(bad[0].contains(&expected) && bad[0].contains("record 3"), "{bad:?}");
        // What comes behind it is a payment by itself.
        let lines = format!("H|0|2|1500 {first} {second} A|2|62170003|500|00| T|0 ");
        assert_eq!(read(&lines).expect("closes").0, 1, "{second}");
    }
}

#[test]
fn i12_a_message_that_says_something_else_of_itself_further_down_is_not_read() {
    let row = "A|1|62170001|1000|00|";
    assert_eq!(read(&format!("H|0|1|1000 {row} M|0 T|0 ")), Ok((1, vec![])));
    for (between, tail, record) in [("0", "9", 4), ("9", "0", 3)] {
        let why = read(&format!("H|0|1|1000 {row} M|{between} T|{tail} ")).expect_err("is refused");
        assert!(why.contains("the code that an earlier record has"), "{why}");
        assert!(why.contains(&format!("record {record}")), "{why}");
    }
}

/// Rows of one record each are read without a look at anything else; the record that contradicts is told all the same.
#[test]
fn i12_the_record_that_contradicts_the_head_is_told_behind_any_number_of_rows() {
    let (before, rest) = RESULT.split_once("[[message.part.group]]").expect("a group");
    let (_, a) = rest.split_once("in = \"payment\"\n").expect("its first record");
    let (fields, rest) = a.split_once("[[message.part.record]]").expect("its second record");
    let (_, behind) = rest.split_once("[[message.part.record]]").expect("what stands behind");
    let text = format!(
        "{before}[[message.part.record]]\nis = \"row\"\n{fields}[[message.part.record]]{behind}"
    );
    let rows: Vec<String> = (1..=8).map(|at| format!("A|{at}|6217000{at}|1|00| ")).collect();
    let rows = rows.concat();
    assert_eq!(read_by(&text, &format!("H|0|8|8 {rows}T|0 ")), Ok((8, vec![])));
    let why = read_by(&text, &format!("H|0|8|8 {rows}T|9 ")).expect_err("is refused");
    assert!(why.contains("record 10, field code"), "{why}");
}

#[track_caller]
fn refused(from: &str, to: &str, what: &str) {
    let text = RESULT.replacen(from, to, 1);
    assert_ne!(text, RESULT);
    let told = Format::compile("twice", &text).expect_err("is refused").to_string();
    assert!(told.contains(what), "{told}");
}

#[test]
fn f37_what_rows_are_compared_with_is_always_there_and_where_it_is_compared() {
    let totals = ", { key = \"count\" }, { key = \"sum\", unit = \"fen\", scale = 0 }]";
    let without = "fields = [{ literal = \"H\" }, { key = \"code\", codes = \"answers\" }]";
    let head = format!(
        "fields = [{{ literal = \"H\" }}, {{ key = \"code\", codes = \"answers\" }}{totals}"
    );
    let moved = |at: &str| {
        let with = format!("{}{totals}", at.trim_end_matches(']'));
        RESULT.replacen(&head, without, 1).replacen(at, &with, 1)
    };
    let tail = "fields = [{ literal = \"T\" }, { key = \"code\", codes = \"answers\" }]";
    let in_tail = moved(tail);
    Format::compile("twice", &in_tail).expect("the tail is as good as the head");
    // One that may be missing, and one that nobody compares.
    let may_be_missing = in_tail.replacen("is = \"tail\"", "is = \"tail\"\noccurs = \"0..1\"", 1);
    let between = moved("fields = [{ literal = \"M\" }, { key = \"code\", codes = \"answers\" }]");
    let between =
        between.replacen("name = \"between\"\noccurs = \"0..1\"", "name = \"between\"", 1);
    for (text, what) in [
        (may_be_missing.as_str(), "rows without their count"),
        (may_be_missing.as_str(), "rows without their sum"),
        (between.as_str(), "nobody compares the count here"),
        (between.as_str(), "nobody compares the sum here"),
    ] {
        let told = Format::compile("twice", text).expect_err("is refused").to_string();
        assert!(told.contains(what), "{what}: {told}");
    }
}

/// In a group that may repeat the whole's sum would stand in each.
#[test]
fn i22_the_sum_of_the_whole_stands_in_no_group_that_may_repeat() {
    let group = "[[message.part.group]]\nname = \"lot\"\noccurs = \"1..n\"\n[[message.part.record]]\nis = \"head\"\nin = \"lot\"\n";
    refused("[[message.part.record]]\nis = \"head\"\n", group, "sum in a group that may repeat");
}
