//! Layouts one by one, byte for byte: what a bank's file looks like, and that it reads back.

use daifa::format::sample::{Values, json_line};
use daifa::format::{Format, MessageKind, Part, PartBytes, PartContent, PartRole};

const HEAD: &str = r#"
language = 1
title = "one layout"
status = "example"
source = "a test"
[limits]
rows_max = 1000
amount_max = "99999.99"
sum_max = "9999999.99"
bytes_max = 1000000
"#;

/// A description of a statement with this part.
pub fn text(charset: &str, part: &str) -> String {
    format!(
        "{}\n{HEAD}\n[[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"data\"\nname = \"ST{{reference}}.txt\"\ncommitting = true\n{part}",
        format_args!("charset = \"{charset}\"")
    )
}

pub fn format(charset: &str, part: &str) -> Format {
    let text = text(charset, part);
    Format::compile("layout", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Writes the lines, reads them again from memory and from a stream that gives one byte at a time.
pub fn both_ways(format: &Format, lines: &str) -> Vec<u8> {
    let kind = MessageKind::Statement;
    let values = Values::parse(format, kind, lines).unwrap_or_else(|error| panic!("{error}"));
    let parts = values.write(format, kind).unwrap_or_else(|error| panic!("{error}"));
    let read = Values::read(format, kind, &parts).unwrap_or_else(|error| panic!("{error}"));
    let again = read.write(format, kind).unwrap_or_else(|error| panic!("{error}"));
    assert!(again == parts, "what was read is written again");
    assert_eq!(streamed(format, &parts[0]).as_deref(), Ok(told(format, &read).as_slice()));
    for byte in 0..parts[0].bytes.len() {
        let mut cut = parts[0].clone();
        cut.bytes.truncate(byte);
        // A part that ends behind a whole record may be a whole part; nothing else may.
        let whole =
            Values::read(format, kind, &[cut.clone()]).map(|values| values.write(format, kind));
        if let Ok(written) = whole {
            assert!(written.unwrap()[0].bytes == cut.bytes, "cut at byte {byte}");
        }
    }
    parts[0].bytes.clone()
}

fn told(format: &Format, values: &Values) -> Vec<String> {
    values.records.iter().map(|(name, record)| json_line(format, name, record)).collect()
}

struct Drops<'a>(&'a [u8]);

impl std::io::Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        into[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn streamed(format: &Format, part: &Part) -> Result<Vec<String>, String> {
    let bytes = PartContent::Stream(Box::new(Drops(&part.bytes)));
    let part = PartBytes { role: PartRole::Data, name: part.name.clone(), bytes };
    let reading = format.read_streams(MessageKind::Statement, vec![part]);
    let mut reading = reading.map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    while let Some(piece) = reading.next_piece().map_err(|error| error.to_string())? {
        assert!(piece.fault.is_none());
        let values = Values { records: vec![(piece.name.to_owned(), piece.record.clone())] };
        lines.extend(told(format, &values));
    }
    Ok(lines)
}

/// Head, batches of details with addenda, trailers; filled up to ten lines.
const BLOCKED: &str = r#"
layout = "fixed"
line_end = "LF"
block = { lines = 10, fill = "9" }
[[message.part.group]]
name = "batch"
[[message.part.group]]
name = "entry"
in = "batch"
[[message.part.record]]
name = "file_head"
fields = [
  { literal = "1" }, { key = "reference", width = 10, only = "ascii", pad = " ", side = "left" },
  { computed = "count", of = ["detail"], width = 5, pad = "0", side = "right" },
  { ignored = "    " },
]
[[message.part.record]]
name = "batch_head"
in = "batch"
fields = [
  { literal = "5" }, { computed = "count", of = ["detail"], in = "batch", width = 4, pad = "0", side = "right" },
  { computed = "sum", value = "fee", in = "batch", scale = 2, point = false, width = 8, pad = "0", side = "right" },
  { literal = "       " },
]
[[message.part.record]]
name = "detail"
in = "entry"
fields = [
  { literal = "6" }, { own = "routing", only = "digits", width = 9, full = true },
  { computed = "check_digit", algorithm = "luhn", of = ["routing"], width = 1, pad = "0", side = "right" },
  { own = "fee", type = "decimal", scale = 2, point = false, sign = "overpunch", width = 6, pad = "0", side = "right" },
  { computed = "sequence", of = ["detail"], width = 3, pad = "0", side = "right" },
]
[[message.part.record]]
name = "addenda"
in = "entry"
occurs = "0..n"
fields = [ { literal = "7" }, { own = "note", width = 19, pad = " ", side = "left" } ]
[[message.part.record]]
name = "batch_end"
in = "batch"
fields = [
  { literal = "8" }, { computed = "hash", value = "routing", digits = 8, keep = 10, in = "batch", width = 10, pad = "0", side = "right" },
  { computed = "count", in = "batch", width = 4, pad = "0", side = "right" }, { literal = "     " },
]
[[message.part.record]]
name = "file_end"
fields = [ { literal = "9" }, { computed = "count", width = 6, pad = "0", side = "right" }, { literal = "             " } ]
"#;

const BLOCKED_LINES: &str = r#"
{"record":"file_head","reference":"R1"}
{"record":"batch_head"}
{"record":"detail","routing":"076401251","fee":"1.05"}
{"record":"addenda","note":"first"}
{"record":"addenda","note":"second"}
{"record":"detail","routing":"091000019","fee":"-0.10"}
{"record":"batch_end"}
{"record":"batch_head"}
{"record":"detail","routing":"000000001","fee":"0.00"}
{"record":"batch_end"}
{"record":"file_end"}
"#;

#[test]
fn nested_batches_with_addenda_totals_and_blocks() {
    let format = format("US-ASCII", BLOCKED);
    let bytes = both_ways(&format, BLOCKED_LINES);
    let text = String::from_utf8(bytes.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 20, "{text}");
    assert_eq!(lines[0], "1R1        00003    ");
    assert_eq!(lines[1], "5000200000095       ", "the sum of a batch stands before it");
    assert_eq!(lines[2], "6076401251400010E001");
    assert_eq!(lines[5], "6091000019900001}002");
    assert_eq!(lines[6], "800167401260006     ");
    assert_eq!(lines[10], "9000011             ");
    assert_eq!(lines[19], "9".repeat(20));
    for (from, to) in [
        ("5000200000095", "5000300000095"),
        ("5000200000095", "5000200000096"),
        ("00003    ", "00004    "),
        ("80016740126", "80016740127"),
        ("60764012514", "60764012515"),
        ("0001}002", "0001}003"),
        ("9000011", "9000012"),
    ] {
        let changed = text.replacen(from, to, 1).into_bytes();
        let part = Part {
            role: PartRole::Data,
            name: "STR1.txt".to_owned(),
            bytes: changed,
            committing: true,
        };
        let error = Values::read(&format, MessageKind::Statement, &[part]).unwrap_err();
        assert!(error.to_string().contains("as stated"), "{to}: {error}");
    }
}

const QUOTED: &str = r#"
layout = "delimited"
separator = "|"
quote = "\""
trailing = true
line_end = "CRLF"
last_line_end = false
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "reference" } ]
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [
  { own = "note", optional = true, width_max = 40 }, { own = "day", type = "date", pattern = "yy/MM/dd" },
  { own = "side", map = { "in" = "C", "out" = "D" } },
]
"#;

#[test]
fn delimited_records_split_between_characters_and_quote_what_needs_it() {
    let format = format("GBK", QUOTED);
    let lines = concat!(
        "{\"record\":\"head\",\"reference\":\"R1\"}\n",
        "{\"record\":\"entry\",\"note\":\"a|b \\\"c\\\"\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"in\"}\n",
        "{\"record\":\"entry\",\"note\":\"\u{5f33}\u{7c62}\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"out\"}\n",
        "{\"record\":\"entry\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"out\"}\n",
    );
    let bytes = both_ways(&format, lines);
    let head = b"H|R1|\r\n\"a|b \"\"c\"\"\"|26/11/23|C|\r\n";
    assert_eq!(&bytes[..head.len()], head);
    assert!(bytes.ends_with(b"|26/11/23|D|\r\n|26/11/23|D|"));
}

/// The signs of a part are those of its character set: two bytes each in UTF-16, others on a host.
#[test]
fn delimited_records_where_ascii_is_spelled_otherwise() {
    let lines = concat!(
        "{\"record\":\"head\",\"reference\":\"R1\"}\n",
        "{\"record\":\"entry\",\"note\":\"a|b \\\"c\\\"\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"in\"}\n",
        // U+7C00 and U+0D7C have the bytes of a bar beside each other's, in either order.
        "{\"record\":\"entry\",\"note\":\"\u{7c00}\u{7c0d}\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"out\"}\n",
        "{\"record\":\"entry\",\"day\":\"2026-11-23T00:00:00\",\"side\":\"out\"}\n",
    );
    let text =
        "H|R1|\r\n\"a|b \"\"c\"\"\"|26/11/23|C|\r\n\u{7c00}\u{7c0d}|26/11/23|D|\r\n|26/11/23|D|";
    let of =
        |order: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(order).collect() };
    assert_eq!(both_ways(&format("UTF-16LE", QUOTED), lines), of(u16::to_le_bytes));
    assert_eq!(both_ways(&format("UTF-16BE", QUOTED), lines), of(u16::to_be_bytes));
    let marked = format!("byte_order_mark = true\n{QUOTED}").replace("\"|\"", "\"\\t\"");
    let tabs = text.replace("|26", "\t26").replace("|C|", "\tC\t").replace("|D|", "\tD\t");
    let tabs = tabs.replace("|R1|", "\tR1\t");
    let marked = both_ways(&format("UTF-16LE", &marked), lines);
    let spelled: Vec<u8> =
        format!("\u{feff}{tabs}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(marked, spelled, "as a spreadsheet saves its text");
}

/// Escapes, values inside a column and values without a sign between them, on a host.
const HOST_SIGNS: &str = r#"
layout = "delimited"
separator = "|"
escape = "?"
inner = ":"
line_end = "NL"
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "reference" } ]
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [
  { own = "note", optional = true }, { own = "place", inner = true },
  { own = "day", type = "date", pattern = "yyMMdd" }, { own = "number", type = "integer" },
]
"#;

#[test]
fn delimited_records_of_a_host() {
    let lines = concat!(
        "{\"record\":\"head\",\"reference\":\"R1\"}\n",
        "{\"record\":\"entry\",\"note\":\"a|b:张三?\",\"place\":\"李\",\"day\":\"2026-11-23T00:00:00\",\"number\":7}\n",
        "{\"record\":\"entry\",\"place\":\"x\",\"day\":\"2026-11-24T00:00:00\",\"number\":12}\n",
    );
    let plain = both_ways(&format("GBK", &HOST_SIGNS.replace("NL", "LF")), lines);
    let told = "H|R1\na?|b?:张三??:李|261123|7\n:x|261124|12\n";
    let names = [("张", &b"\xD5\xC5"[..]), ("三", b"\xC8\xFD"), ("李", b"\xC0\xEE")];
    let mut spelled = told.as_bytes().to_vec();
    for (name, bytes) in names {
        let at = spelled.windows(3).position(|three| three == name.as_bytes()).unwrap();
        spelled.splice(at..at + 3, bytes.iter().copied());
    }
    assert_eq!(plain, spelled);
    for charset in ["cp935", "cp1388"] {
        let bytes = both_ways(&format(charset, HOST_SIGNS), lines);
        assert_eq!(&bytes[..5], b"\xC8\x4F\xD9\xF1\x15", "{charset}");
        assert!(bytes.ends_with(b"\x15\x7A\xA7\x4F\xF2\xF6\xF1\xF1\xF2\xF4\x4F\xF1\xF2\x15"));
    }
    // Between shifts are the bytes of a bar, a colon and a question mark, and none of them is one.
    let within = lines.replace("张三?", "九上").replace('李', "于侬");
    let between = both_ways(&format("cp1388", HOST_SIGNS), &within);
    for pair in [b"\x4F\xC4", b"\x55\x6F", b"\x5A\x7A", b"\x5D\x4F"] {
        assert!(between.windows(2).any(|two| two == pair), "{pair:02X?} in {between:02X?}");
    }
}

const TAGGED: &str = r#"
layout = "tagged"
line_end = "none"
[message.part.frame]
fields = [
  { computed = "length", of = "rest", width = 8, pad = "0", side = "right" },
  { literal = "RQ" },
  { computed = "length", of = "body", binary = "big", width = 2 },
  { computed = "digest", algorithm = "sm3", of = "body", upper = true },
]
[[message.part.record]]
is = "head"
fields = [ { key = "reference", tag = "Ref" }, { computed = "count", of = ["entry"], tag = "Num" } ]
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [ { own = "name", tag = "Name" }, { own = "note", tag = "Note", optional = true } ]
"#;

#[test]
fn tagged_records_behind_a_frame() {
    let format = format("GBK", TAGGED);
    let lines = r#"
{"record":"head","reference":"R1"}
{"record":"entry","name":"张三","note":"x"}
{"record":"entry","name":"李四"}
"#;
    let bytes = both_ways(&format, lines);
    let body = &bytes[8 + 2 + 2 + 64..];
    let spelled = [
        &b"<Ref>R1</><Num>2</><Name>"[..],
        b"\xD5\xC5\xC8\xFD",
        b"</><Note>x</><Name>\xC0\xEE\xCB\xC4</>",
    ]
    .concat();
    assert_eq!(body, spelled);
    let rest = format!("{:08}RQ", body.len() + 2 + 2 + 64);
    assert_eq!(&bytes[..10], rest.as_bytes());
    assert_eq!(bytes[10..12], u16::try_from(body.len()).unwrap().to_be_bytes());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let part = Part {
            role: PartRole::Data,
            name: "STR1.txt".to_owned(),
            bytes: changed,
            committing: true,
        };
        let read = Values::read(&format, MessageKind::Statement, &[part]);
        assert!(read.is_err(), "byte {at} changed");
    }
}

#[test]
fn tagged_records_where_ascii_is_spelled_otherwise() {
    let (_, records) = TAGGED.split_once("[[message.part.record]]").unwrap();
    let part =
        format!("layout = \"tagged\"\nline_end = \"none\"\n[[message.part.record]]{records}");
    let lines = r#"
{"record":"head","reference":"R1"}
{"record":"entry","name":"\u3C00","note":"x"}
{"record":"entry","name":"李四"}
"#;
    let text = "<Ref>R1</><Num>2</><Name>\u{3c00}</><Note>x</><Name>李四</>";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(both_ways(&format("UTF-16BE", &part), lines), wide);
    let host = both_ways(&format("cp1388", &part), &lines.replace("\\u3C00", "张"));
    assert_eq!(&host[..5], b"\x4C\xD9\x85\x86\x6E");
    assert_eq!(&host[host.len() - 3..], b"\x4C\x61\x6E");
}

const HOST: &str = r#"
layout = "fixed"
line_end = "NL"
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "reference", width = 6, only = "ascii", pad = " ", side = "left" } ]
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [
  { literal = "D" }, { own = "name", width = 12, pad = " ", side = "left" },
  { own = "fee", type = "decimal", scale = 2, point = false, sign = "overpunch", width = 6, pad = "0", side = "right" },
]
"#;

#[test]
fn a_host_file_in_ebcdic() {
    let format = format("cp1388", HOST);
    let lines = r#"
{"record":"head","reference":"R1"}
{"record":"entry","name":"A张三","fee":"-12.34"}
"#;
    let bytes = both_ways(&format, lines);
    assert_eq!(&bytes[..8], b"\xC8\xD9\xF1\x40\x40\x40\x40\x15");
    assert_eq!(bytes[8], 0xC4);
    assert_eq!(bytes[9], 0xC1);
    assert_eq!((bytes[10], bytes[15]), (0x0E, 0x0F), "shifted out and in again");
    // Overpunched: the letter M, which the host has at D4.
    assert_eq!(&bytes[21..28], b"\xF0\xF0\xF1\xF2\xF3\xD4\x15");
}

/// The lines that fill a block up are of the charset's own nines.
#[test]
fn filling_lines_of_a_host() {
    let bytes = both_ways(&format("cp037", BLOCKED), BLOCKED_LINES);
    assert_eq!(bytes.len(), 20 * 21);
    assert!(bytes.ends_with(&[&[0xF9; 20][..], b"\x25"].concat()));
}

const WIDE: &str = r#"
layout = "fixed"
widths = "characters"
line_end = "CRLF"
[[message.part.record]]
is = "head"
fields = [ { literal = "H" }, { key = "reference", width = 6, only = "ascii", pad = " ", side = "left" } ]
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [ { literal = "D" }, { own = "name", width = 4, pad = " ", side = "right" }, { own = "number", type = "integer", width = 3, pad = "0", side = "right" } ]
"#;

#[test]
fn widths_in_characters_whatever_their_bytes() {
    let lines = r#"
{"record":"head","reference":"R1"}
{"record":"entry","name":"张𠮷b","number":7}
"#;
    for (charset, row) in [
        ("UTF-8", "D 张𠮷b007\r\n".as_bytes().to_vec()),
        ("GB18030", b"D \xD5\xC5\x95\x34\xB2\x35b007\r\n".to_vec()),
        ("UTF-16LE", "D 张𠮷b007\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        let bytes = both_ways(&format(charset, WIDE), lines);
        assert!(bytes.ends_with(&row), "{charset}: {bytes:02X?}");
    }
}

/// A document in UTF-16: its places, lengths and digests are those of its own bytes.
const WIDE_DOCUMENT: &str = r#"
layout = "xml"
root = "Root"
encoding = "UTF-16"
byte_order_mark = true
[[message.part.record]]
is = "head"
fields = [ { key = "reference", path = "Head/Ref" } ]
[[message.part.record]]
name = "entry"
path = "Row"
occurs = "0..n"
fields = [ { own = "name", path = "@name" }, { own = "note", path = "Note", optional = true } ]
"#;

const WIDE_LINES: &str = concat!(
    "{\"record\":\"head\",\"reference\":\"R1\"}\n",
    "{\"record\":\"entry\",\"name\":\"张<𠮷\",\"note\":\"\u{3c3e} & é\"}\n",
    "{\"record\":\"entry\",\"name\":\"李四\"}\n",
);

#[test]
fn i21_a_document_in_utf_16() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?><Root><Head><Ref>R1</Ref></Head>\
                <Row name=\"张&lt;𠮷\"><Note>\u{3c3e} &amp; é</Note></Row><Row name=\"李四\"></Row></Root>";
    for (charset, order) in
        [("UTF-16LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("UTF-16BE", u16::to_be_bytes)]
    {
        let format = format(charset, WIDE_DOCUMENT);
        let spelled = |text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        assert_eq!(both_ways(&format, WIDE_LINES), spelled(text));
        let read = |text: &str| {
            let part = Part {
                role: PartRole::Data,
                name: "STR1.txt".to_owned(),
                bytes: spelled(text),
                committing: true,
            };
            Values::read(&format, MessageKind::Statement, &[part])
        };
        // As others spell it: with line ends, another name of the charset, and none at all.
        for other in [
            text.replace("<Row", "\r\n  <Row"),
            text.replace("UTF-16\"", &format!("{charset}\"")),
            text.replace(" encoding=\"UTF-16\"", ""),
        ] {
            assert!(read(&other).is_ok(), "{other}");
        }
        let utf_8 = text.replace("UTF-16\"", "UTF-8\"");
        assert!(read(&utf_8).unwrap_err().to_string().contains("one declaration of UTF-16"));
        // A fault is told at its byte.
        for (from, to, at) in [
            ("é</Note>", "é\u{7}</Note>", "\u{7}"),
            ("<Note>", "<Not>", "<Not>"),
            ("é</Note>", "é&x;</Note>", "&x;"),
        ] {
            let bad = text.replacen(from, to, 1);
            let place = spelled(bad.split_once(at).unwrap().0).len();
            let error = read(&bad).unwrap_err();
            assert_eq!(error.offset, Some(place), "{to:?}: {error}");
        }
    }
}

/// What cannot work is told when the description is read, not in the night.
#[test]
fn layouts_that_cannot_be_read_back_are_refused() {
    let told = |charset: &str, part: &str, what: &str| {
        let text = format!(
            "charset = \"{charset}\"\n{HEAD}\n[[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"data\"\nname = \"ST{{reference}}.txt\"\ncommitting = true\n{part}"
        );
        match Format::compile("layout", &text) {
            Ok(_) => panic!("{what}: was taken"),
            Err(problems) => assert!(problems.to_string().contains(what), "{what}: {problems}"),
        }
    };
    let with = |part: &str, from: &str, to: &str| {
        assert!(part.contains(from), "{from}");
        part.replace(from, to)
    };
    let blanks = QUOTED.replace("quote = \"\\\"\"\ntrailing = true", "");
    let blanks = with(&blanks, "\"|\"", "\"blanks\"");
    told("UTF-16LE", &blanks, "blanks separate in a charset without ASCII");
    told("cp1388", WIDE_DOCUMENT, "for a document");
    let wide = with(WIDE_DOCUMENT, "path = \"Note\"", "path = \"Note\", width_max = 9");
    told("UTF-16LE", &wide, "take width_max out");
    told("GBK", &with(HOST, "name = \"entry\"", "name = \"entry\""), "line end of EBCDIC alone");
    told("US-ASCII", &with(BLOCKED, "literal = \"7\"", "literal = \"6\""), "cannot be told apart");
    told(
        "US-ASCII",
        &with(BLOCKED, "in = \"entry\"\noccurs", "in = \"entries\"\noccurs"),
        "no group",
    );
    told(
        "US-ASCII",
        &with(BLOCKED, "of = [\"detail\"], in", "of = [\"details\"], in"),
        "no record",
    );
    told("US-ASCII", &with(BLOCKED, "name = \"addenda\"", "name = \"detail\""), "two records");
    told("US-ASCII", &with(BLOCKED, "value = \"fee\"", "value = \"fees\""), "there is no value");
    told("GBK", &with(QUOTED, "\"out\" = \"D\"", "\"out\" = \"C\""), "stands twice");
    told(
        "GBK",
        &with(TAGGED, "of = \"rest\", width", "of = \"part\", width"),
        "there is no \"part\"",
    );
    told("GBK", &with(TAGGED, "tag = \"Num\"", "tag = \"Nu>m\""), "is no name of a tag");
}

/// The header of 128 bytes that stands before messages between banks: who sends what to whom, and when.
const HEADED: &str = r#"
layout = "xml"
root = "Document"
[message.part.frame]
length = 128
fields = [
  { literal = "{H:" },
  { literal = "01", name = "version" },
  { own = "sender", only = "digits", width = 12, full = true },
  { literal = "IBPS", name = "sender's system" },
  { own = "receiver", only = "digits", width = 12, full = true },
  { literal = "IBPS", name = "receiver's system" },
  { key = "moment", pattern = "yyyyMMdd" },
  { key = "moment", pattern = "HHmmss" },
  { literal = "XML", name = "type" },
  { literal = "ibps.101.001.01     ", name = "message type" },
  { key = "reference", only = "ascii", width = 20, pad = " ", side = "left", name = "message id" },
  { own = "answers", only = "ascii", optional = true, width = 20, pad = " ", side = "left" },
  { literal = "3", name = "priority" },
  { literal = "U", name = "direction" },
  { literal = "         ", name = "reserve" },
  { literal = "}\r\n" },
]
[[message.part.record]]
is = "head"
fields = [ { path = "Hdr/MsgId", key = "reference" }, { path = "Hdr/Note", own = "note" } ]
"#;

#[test]
fn f40_a_header_of_128_bytes_before_a_document_and_no_mark_between() {
    let format = format("UTF-8", HEADED);
    let lines = r#"{"record":"head","sender":"313791000015","receiver":"402791000010","moment":"2026-11-23T15:49:04","reference":"20261123000001","note":"张三"}"#;
    let bytes = both_ways(&format, lines);
    let (header, body) = bytes.split_at(128);
    let expected = "{H:01313791000015IBPS402791000010IBPS20261123154904XMLibps.101.001.01     20261123000001                          3U         }\r\n";
    assert_eq!(String::from_utf8_lossy(header), expected);
    assert!(body.starts_with(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Document>"));
    let read = |bytes: Vec<u8>| {
        let part = Part { role: PartRole::Data, name: String::new(), bytes, committing: true };
        Values::read(&format, MessageKind::Statement, &[part]).map_err(|error| error.to_string())
    };
    let told = read([header, b"\xEF\xBB\xBF", body].concat()).unwrap_err();
    assert!(told.contains("byte 128"), "{told}");
    let told = read([b"\xEF\xBB\xBF", header, body].concat()).unwrap_err();
    assert!(told.contains("byte 0: expected the constant \"{H:\""), "{told}");
    // The header and the document speak of one message.
    let other =
        String::from_utf8(bytes.clone()).unwrap().replacen("20261123000001", "20261123000002", 1);
    assert!(read(other.into_bytes()).unwrap_err().contains("the reference that the frame has"));
}

#[test]
fn i21_what_is_always_full_is_filled_or_refused() {
    const FULL: &str = "layout = \"fixed\"\nline_end = \"LF\"\n[[message.part.record]]\nname = \"one\"\nfields = [ { key = \"reference\", width = 1, pad = \" \", side = \"left\" }, { own = \"payer\", only = \"digits\", width = 7, full = true, optional = true }, { own = \"kind\", map = { a = \"01\", b = \"02\" }, width = 2, full = true }, { own = \"n\", type = \"integer\", width = 3, full = true, optional = true, absent = \"-\" }, { literal = \".\" } ]\n";
    for (charset, pieces) in [
        ("US-ASCII", FULL.to_owned()),
        ("GBK", FULL.replace("\"fixed\"", "\"fixed\"\nwidths = \"characters\"")),
    ] {
        let format = format(charset, &pieces);
        let write = |line: &str| {
            let values = Values::parse(&format, MessageKind::Statement, line).unwrap();
            values.write(&format, MessageKind::Statement).map_err(|error| error.to_string())
        };
        let lines = "{\"record\":\"one\",\"reference\":\"R\",\"payer\":\"0012345\",\"kind\":\"b\",\"n\":120}";
        assert_eq!(both_ways(&format, lines), b"R001234502120.\n");
        assert_eq!(
            both_ways(&format, "{\"record\":\"one\",\"reference\":\"R\",\"kind\":\"a\"}"),
            b"R       01---.\n"
        );
        for (value, field, found) in [
            ("\"12345\"", "payer", "7 bytes, no more and no fewer, found 5 bytes"),
            ("\"123456\"", "payer", "found 6 bytes"),
            ("\"12345678\"", "payer", "needs 8 bytes, there are 7"),
        ] {
            let told = write(&lines.replace("\"0012345\"", value)).unwrap_err();
            assert!(told.contains(&format!("field {field}")) && told.contains(found), "{told}");
        }
        let told = write(&lines.replace("120", "12")).unwrap_err();
        assert!(
            told.contains("field n: expected 3 bytes, no more and no fewer, found 2 bytes"),
            "{told}"
        );
        // What a bank fills up is read as it is.
        let part = Part {
            role: PartRole::Data,
            name: "ST1.txt".to_owned(),
            bytes: b"R12345  01---.\n".to_vec(),
            committing: true,
        };
        let read = Values::read(&format, MessageKind::Statement, &[part]).unwrap();
        assert!(read.write(&format, MessageKind::Statement).is_err());
    }
    // What the description itself writes there is known before.
    for wrong in [
        "{ literal = \".\", width = 2, full = true }",
        "{ own = \"k\", map = { a = \"1\", b = \"22\" }, width = 2, full = true }",
        "{ own = \"d\", default = \"1\", width = 2, full = true }",
    ] {
        let text = FULL.replace("{ literal = \".\" }", wrong);
        let text = format!(
            "charset = \"US-ASCII\"\n{HEAD}\n[[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"data\"\nname = \"ST{{reference}}.txt\"\ncommitting = true\n{text}"
        );
        let problems = Format::compile("layout", &text).unwrap_err().to_string();
        assert!(problems.contains("full: what stands here takes 1 of 2 bytes"), "{problems}");
    }
}

#[test]
fn accounts_are_asked_for_and_answered_without_amounts() {
    let part = |kind: &str, fields: &str| {
        format!(
            "[[message]]\nkind = \"{kind}\"\n[[message.part]]\nrole = \"message\"\ncommitting = true\nlayout = \"delimited\"\nseparator = \"|\"\nline_end = \"LF\"\n[[message.part.record]]\nis = \"head\"\nfields = [ {{ literal = \"H\" }}, {{ key = \"reference\" }}, {{ key = \"count\" }} ]\n[[message.part.record]]\nis = \"row\"\nfields = [ {{ literal = \"R\" }}, {{ key = \"ordinal\" }}, {{ key = \"payee_name\" }}, {{ key = \"document_number\" }}, {fields} ]\n"
        )
    };
    let text = format!(
        "charset = \"GB18030\"\n{HEAD}\n[codes.opened]\n\"0\" = {{ outcome = \"credited\" }}\n\"9\" = {{ outcome = \"failed\", reason = \"id_mismatch\" }}\n{}{}",
        part("account_request", "{ key = \"phone\", optional = true }"),
        part(
            "account_answer",
            "{ key = \"account\", optional = true }, { key = \"code\", codes = \"opened\" }"
        ),
    );
    let format = Format::compile("accounts", &text).unwrap_or_else(|problems| panic!("{problems}"));
    let asked = "{\"reference\":\"R1\"}\n{\"ordinal\":1,\"payee_name\":\"张三\",\"document_number\":\"11010519491231002X\",\"phone\":\"138\"}\n";
    let answered = "{\"reference\":\"R1\"}\n{\"ordinal\":1,\"payee_name\":\"张三\",\"document_number\":\"11010519491231002X\",\"account\":\"6210\",\"code\":\"0\"}\n";
    for (kind, lines) in
        [(MessageKind::AccountRequest, asked), (MessageKind::AccountAnswer, answered)]
    {
        let values = Values::parse(&format, kind, lines).unwrap();
        let parts = values.write(&format, kind).unwrap();
        let read = Values::read(&format, kind, &parts).unwrap();
        assert_eq!(read.records[1], values.records[1]);
        let mut short = parts.clone();
        short[0].bytes = b"H|R1|2\n".to_vec();
        assert!(Values::read(&format, kind, &short).is_err(), "a file that was cut");
    }
}
