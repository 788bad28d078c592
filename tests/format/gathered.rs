//! A payment that is several records: what it is worth and what became of it may stand in any of them.

use std::ops::ControlFlow;

use daifa::format::sample::{Known, Values};
use daifa::format::{Format, MessageKind, Part, PartRole, Parts, Record, Records, Unreadable};

/// As EDIFACT's PAYMUL has it: a sequence number, perhaps notes, the money, then who gets it.
const SEGMENTS: &str = r#"
language = 1
title = "segments"
status = "example"
source = "a test"
charset = "US-ASCII"
[limits]
rows_max = 3
amount_max = "99.99"
sum_max = "150.00"
bytes_max = 10000
[codes.results]
00 = { outcome = "credited" }
14 = { outcome = "failed", reason = "account_not_found" }
[[message]]
kind = "KIND"
[[message.part]]
role = "data"
name = "PX{reference}.txt"
committing = true
layout = "delimited"
separator = "+"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [{ literal = "H" }, { key = "count" }, { key = "sum", unit = "fen", scale = 0 }]
[[message.part.group]]
name = "payment"
is = "row"
[[message.part.record]]
name = "seq"
in = "payment"
occurs = "1..n"
fields = [{ literal = "SEQ" }, { key = "ordinal" }]
[[message.part.record]]
name = "money"
in = "payment"
fields = [{ literal = "MOA" }, { key = "amount", unit = "fen", scale = 0 }, { key = "account" }]
[[message.part.record]]
name = "fate"
in = "payment"
occurs = "0..1"
fields = [{ literal = "STS" }, { key = "code", codes = "results" }]
"#;

fn described(kind: MessageKind) -> Format {
    Format::compile("segments", &SEGMENTS.replace("KIND", kind.as_str())).unwrap()
}

/// The records of some lines, as often as they are asked for.
struct Lines(Vec<(usize, Record)>);

impl Records for Lines {
    fn each(
        &self,
        give: &mut dyn FnMut(usize, &Record) -> ControlFlow<()>,
    ) -> Result<(), Unreadable> {
        for (at, record) in &self.0 {
            if give(*at, record).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The bytes of one part.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Parts for Kept {
    fn begin(&mut self, _: PartRole, _: &str) -> std::io::Result<()> {
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the lines out of memory and as they pass by, which must come to the same.
fn write(format: &Format, kind: MessageKind, lines: &str) -> Result<Vec<Part>, String> {
    let values = Values::parse(format, kind, lines)?;
    let written = values.write(format, kind).map_err(|error| error.to_string());
    let known = Known::of(format, kind);
    let place = |(name, record): &(String, Record)| (known.place(name).unwrap(), record.clone());
    let mut kept = Kept::default();
    let poured = format.pour(kind, &Lines(values.records.iter().map(place).collect()), &mut kept);
    match (&written, poured) {
        (Ok(parts), Ok(())) => assert_eq!(parts[0].bytes, kept.0),
        (Err(error), Err(poured)) => assert_eq!(*error, poured.to_string()),
        (written, poured) => panic!("{written:?} in memory, {poured:?} as it passes by"),
    }
    written
}

const RESULT: &str = r#"{"record":"head","reference":"A1"}
{"record":"seq","ordinal":1}
{"record":"money","amount":"12.34","account":"1"}
{"record":"fate","code":"00"}
{"record":"seq","ordinal":2}
{"record":"seq","ordinal":2}
{"record":"money","amount":"99.99","account":"2"}
{"record":"fate","code":"14"}
"#;

#[test]
fn i22_a_payment_of_several_records_is_added_up_wherever_its_amount_stands() {
    for kind in [MessageKind::PaymentRequest, MessageKind::Result] {
        let format = described(kind);
        let lines = match kind {
            MessageKind::PaymentRequest => RESULT.replace(r#","code":"00""#, r#","code":"14""#),
            _ => RESULT.to_owned(),
        };
        let parts = write(&format, kind, &lines).unwrap();
        let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
        assert!(text.starts_with("H+2+11233\nSEQ+1\nMOA+1234+1\nSTS+"), "{text}");
        let read = Values::read(&format, kind, &parts).unwrap();
        assert_eq!(read.write(&format, kind).unwrap(), parts, "read and written again");
        // The sum is that of them all, whoever states it.
        let head = |head: &str| lines.replacen("\"reference\":\"A1\"", head, 1);
        let stated = head(r#""reference":"A1","count":2,"sum":"112.33""#);
        assert_eq!(write(&format, kind, &stated).unwrap(), parts);
        for other in [r#""count":3"#, r#""sum":"0.00""#, r#""sum":"112.34""#] {
            let told = write(&format, kind, &head(&format!(r#""reference":"A1",{other}"#)));
            assert!(told.unwrap_err().contains("of the rows, or none stated"), "{other}");
        }
        for (from, to) in [("H+2+11233", "H+2+1234"), ("H+2", "H+3"), ("MOA+1234", "MOA+1235")] {
            let mut changed = parts.clone();
            changed[0].bytes = text.replacen(from, to, 1).into_bytes();
            assert!(Values::read(&format, kind, &changed).is_err(), "{from} became {to}");
        }
    }
}

#[test]
fn i22_the_bounds_of_a_payment_hold_wherever_its_amount_stands() {
    let (format, kind) = (described(MessageKind::Result), MessageKind::Result);
    let told = |from: &str, to: &str| {
        assert!(RESULT.contains(from), "{from}");
        write(&format, kind, &RESULT.replacen(from, to, 1)).unwrap_err()
    };
    let much = told("99.99", "100.00");
    assert!(much.contains("amount") && much.contains("from 0.01 to 99.99 yuan"), "{much}");
    assert!(much.contains("record 7"), "{much}");
    assert!(told("99.99", "0.00").contains("from 0.01 to 99.99 yuan"));
    let more = RESULT.to_owned() + &RESULT.split_inclusive('\n').skip(4).collect::<String>();
    assert!(write(&format, kind, &more).unwrap_err().contains("at most 150.00 yuan"));
    let code = told("\"14\"", "\"15\"");
    assert!(code.contains("a code of its table") && code.contains("record 8"), "{code}");
    let head = RESULT.lines().next().unwrap().to_owned() + "\n";
    assert!(write(&format, kind, &head).unwrap_err().contains("1 to 3 rows"));
}
