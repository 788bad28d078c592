//! F43, F44: files that are larger than the machine, made while they are read. Memory stays what it was,
//! and what cannot be read is refused with its place, soon.

use std::io::Read;
use std::time::{Duration, Instant};

use daifa::format::{DataError, Format, Item, Key, MessageKind, PartBytes, PartContent, PartRole};

use crate::{HEAP, alone, long};

const KIND: MessageKind = MessageKind::Statement;

/// What a reader may hold, however much there is to read.
const HEAP_MAX: usize = 2 << 20;

/// Bytes before, the same bytes so many times, bytes behind.
struct Flood {
    pieces: [(Vec<u8>, u64); 3],
    at: usize,
}

impl Flood {
    fn of(before: &str, again: &str, times: u64, behind: &str) -> Self {
        let piece = |text: &str, times| (text.as_bytes().to_vec(), times);
        Self { pieces: [piece(before, 1), piece(again, times), piece(behind, 1)], at: 0 }
    }
}

impl Read for Flood {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        for (bytes, left) in &mut self.pieces {
            while *left > 0 && filled < into.len() {
                let rest = &bytes[self.at..];
                let length = rest.len().min(into.len() - filled);
                into[filled..filled + length].copy_from_slice(&rest[..length]);
                (filled, self.at) = (filled + length, self.at + length);
                if self.at == bytes.len() {
                    (self.at, *left) = (0, *left - 1);
                }
            }
        }
        Ok(filled)
    }
}

const FIXED: &str = r#"
layout = "fixed"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "count", width = 12, pad = "0", side = "right" }, { key = "sum", width = 16, unit = "fen", scale = 0, pad = "0", side = "right" } ]
[[message.part.record]]
is = "row"
fields = [ { literal = "R" }, { key = "account", width = 19, full = true, only = "digits" }, { key = "payee_name", width = 60, pad = " ", side = "left" }, { key = "amount", width = 16, unit = "fen", scale = 0, pad = "0", side = "right" } ]
"#;

const DELIMITED: &str = r#"
layout = "delimited"
separator = "|"
quote = "\""
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "count" }, { key = "sum", unit = "fen", scale = 0 } ]
[[message.part.record]]
is = "row"
fields = [ { literal = "R" }, { key = "account" }, { key = "payee_name" }, { key = "amount", unit = "fen", scale = 0 } ]
"#;

const TAGGED: &str = r#"
layout = "tagged"
line_end = "none"
[[message.part.record]]
is = "head"
fields = [ { tag = "H", key = "count" }, { tag = "S", key = "sum", unit = "fen", scale = 0 } ]
[[message.part.record]]
is = "row"
fields = [ { tag = "Acct", key = "account" }, { tag = "Name", key = "payee_name" }, { tag = "Amt", key = "amount", unit = "fen", scale = 0 } ]
"#;

const XML: &str = r#"
layout = "xml"
root = "Root"
ignore = ["Any"]
[[message.part.record]]
is = "head"
fields = [ { path = "Count", key = "count" }, { path = "Sum", key = "sum", unit = "fen", scale = 0 } ]
[[message.part.record]]
is = "row"
path = "Rows/Row"
fields = [ { path = "Acct", key = "account" }, { path = "Name", key = "payee_name" }, { path = "Amt", key = "amount", unit = "fen", scale = 0 } ]
"#;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

fn format(part: &str) -> Format {
    let text = format!(
        r#"language = 1
title = "flood"
status = "example"
source = "a test"
charset = "UTF-8"
[limits]
rows_max = 100000000
amount_max = "99999.99"
sum_max = "99999999999.99"
bytes_max = 17179869184
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
{part}"#
    );
    Format::compile("flood", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// How many rows there were, or why they were refused; how long that took and what was held.
struct Outcome {
    rows: Result<u64, DataError>,
    took: Duration,
    held: usize,
}

fn read(format: &Format, flood: Flood) -> Outcome {
    let bytes = PartContent::Stream(Box::new(flood));
    let part = PartBytes { role: PartRole::Message, name: String::new(), bytes };
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let began = Instant::now();
    let rows = format.read_streams(KIND, vec![part]).and_then(|mut reading| {
        let mut rows = 0;
        while let Some(item) = reading.next()? {
            if let Item::Row(row) = item {
                assert_eq!(row.text(Key::PayeeName), Some("测试甲"));
                rows += 1;
            }
        }
        Ok(rows)
    });
    let held = HEAP.peak_usage().saturating_sub(before);
    Outcome { rows, took: began.elapsed(), held }
}

/// Two gibibytes, or ten million lines, whichever is more; a little of it in an ordinary run.
fn many(row: &str) -> u64 {
    let size = u64::try_from(row.len()).unwrap();
    if long() { (2 << 30) / size.min(214) + 1 } else { 20_000 }
}

#[test]
fn f43_a_file_larger_than_memory_is_read_in_what_there_was() {
    let _alone = alone();
    let account = "6210000000000000011";
    let name = format!("测试甲{}", " ".repeat(51));
    let fixed = format!("R{account}{name}{:016}\n", 7);
    let delimited = format!("R|{account}|测试甲|7\n");
    let tagged = format!("<Acct>{account}</><Name>测试甲</><Amt>7</>");
    let xml = format!("<Row><Acct>{account}</Acct><Name>测试甲</Name><Amt>7</Amt></Row>");
    for (part, row) in [(FIXED, fixed), (DELIMITED, delimited), (TAGGED, tagged), (XML, xml)] {
        let rows = many(&row);
        let sum = rows * 7;
        let (head, tail) = match part {
            FIXED => (format!("H{rows:012}{sum:016}\n"), ""),
            DELIMITED => (format!("H|{rows}|{sum}\n"), ""),
            TAGGED => (format!("<H>{rows}</><S>{sum}</>"), ""),
            _ => (
                format!("{DECLARATION}<Root><Count>{rows}</Count><Sum>{sum}</Sum><Rows>"),
                "</Rows></Root>",
            ),
        };
        let read = read(&format(part), Flood::of(&head, &row, rows, tail));
        assert_eq!(read.rows, Ok(rows));
        println!("{rows} rows of {} bytes: {:?}, {} bytes held", row.len(), read.took, read.held);
        assert!(read.held < HEAP_MAX, "{} bytes held", read.held);
    }
}

/// Half a gibibyte of one thing where a little of it is expected.
#[test]
fn f43_f44_one_line_or_value_of_half_a_gibibyte_is_refused_soon() {
    let _alone = alone();
    let times = 512 << 20;
    let root = format!("{DECLARATION}<Root>");
    let cases = [
        (FIXED, "H000000000001", "0", "a record of 29 bytes"),
        (FIXED, "", "x", "the constant \"H\""),
        (DELIMITED, "", "x", "a line of at most 16384 bytes"),
        (DELIMITED, "H|1|", "0", "a line of at most 16384 bytes"),
        (DELIMITED, "H|1|\"", "\n", "a line of at most 16384 bytes"),
        (DELIMITED, "H", "|", "a line of at most 16384 bytes"),
        (TAGGED, "<H>", "1", "a value and its closing </>"),
        (TAGGED, "", "<H>1</>", "field sum"),
        (XML, "", "x", "elements alone"),
        (XML, DECLARATION, "<", "a tag of at most 16384 bytes"),
        (XML, DECLARATION, "<Root>", "in <Root> what the format names"),
        (XML, &root, "x", "elements alone"),
        (XML, &format!("{root}<Count>"), "1", "a value of at most 16384 bytes"),
        (XML, &format!("{root}<Count><![CDATA["), "1", "a value of at most 16384 bytes"),
        (XML, &format!("{root}<Count>"), "&amp;", "a value of at most 16384 bytes"),
        (XML, &format!("{DECLARATION}<Root a=\""), "1", "a tag of at most 16384 bytes"),
        (XML, &format!("{DECLARATION}<Root"), " a=\"1\"", "attributes once"),
        (XML, &format!("{DECLARATION}<Root"), " ", "a tag of at most 16384 bytes"),
        (XML, &format!("{root}<Any>"), "<a>", "at most 32 elements in each other"),
        (XML, &format!("{root}<Any><![CDATA["), "x", "a CDATA section of at most"),
        (XML, &format!("{root}<Count>1</Count>"), "<Count>1</Count>", "<Count> once"),
        (XML, DECLARATION, "<!DOCTYPE a [<!ENTITY a \"&b;&b;\">", "no DOCTYPE"),
        (XML, &format!("{DECLARATION}<!-- "), "x", "a comment of at most 16384 bytes"),
        (XML, &format!("{root}<?a "), "x", "a processing instruction of at most 16384 bytes"),
    ];
    let mut otherwise = Vec::new();
    for (part, before, again, expected) in cases {
        let read = read(&format(part), Flood::of(before, again, times, ""));
        let error = read.rows.unwrap_err();
        if !error.to_string().contains(expected) || error.offset.is_none() {
            otherwise.push(format!("{before}{again}... is told as {error}"));
        }
        assert!(read.took < Duration::from_secs(2), "{before}{again}...: {:?}", read.took);
        assert!(read.held < HEAP_MAX, "{before}{again}...: {} bytes held", read.held);
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}

/// What may be passed over has no end of its own; it is passed in what memory there was.
#[test]
fn f43_what_is_passed_over_is_not_kept() {
    let _alone = alone();
    let times = if long() { 512 << 20 } else { 4 << 20 };
    let format = format(XML);
    let root = format!("{DECLARATION}<Root>");
    for (before, again, behind) in [
        (root.clone(), " ", ""),
        (root.clone(), "<!-- -->", ""),
        (DECLARATION.to_owned(), "<?x y?>", ""),
        (format!("{root}<Any>"), "x", ""),
        (format!("{root}<Any>"), "<a b=\"1\"/>", ""),
        (format!("{root}<Any>"), "&lt;", "</Any>"),
    ] {
        let times = times / u64::try_from(again.len()).unwrap();
        let read = read(&format, Flood::of(&before, again, times, behind));
        let error = read.rows.unwrap_err();
        assert!(error.to_string().contains("the whole document"), "{error}");
        assert!(read.held < HEAP_MAX, "{before}{again}...: {} bytes held", read.held);
    }
}
