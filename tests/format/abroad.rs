//! What files of other countries and systems need of the language, each as a small layout that shows it:
//! debits and credits added up apart, records without a mark of their own, messages on lines of tags,
//! segments with an escape sign, days of the year, and the pages of other alphabets.

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartRole};

use crate::layouts::{both_ways, format};

const KIND: MessageKind = MessageKind::Statement;

fn read(format: &Format, bytes: &[u8]) -> Result<Values, String> {
    let part = Part {
        role: PartRole::Data,
        name: "ST1.txt".to_owned(),
        bytes: bytes.to_vec(),
        committing: true,
    };
    Values::read(format, KIND, &[part]).map_err(|error| error.to_string())
}

fn write(format: &Format, lines: &str) -> Result<Vec<u8>, String> {
    let values = Values::parse(format, KIND, lines)?;
    values.write(format, KIND).map(|parts| parts[0].bytes.clone()).map_err(|e| e.to_string())
}

fn refused(charset: &str, part: &str, what: &str) {
    let text = format!(
        "language = 1\ntitle = \"x\"\nstatus = \"example\"\nsource = \"x\"\ncharset = \"{charset}\"\n\
         [limits]\nrows_max = 10\namount_max = \"1.00\"\nsum_max = \"1.00\"\nbytes_max = 10000\n\
         [[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"message\"\ncommitting = true\n{part}"
    );
    let told = Format::compile("x", &text).unwrap_err().to_string();
    assert!(told.contains(what), "{told}");
}

/// As NACHA's and ABA's files have them: who is debited and who is credited is told by a code.
const DEBITS: &str = r#"
layout = "fixed"
line_end = "LF"
block = { lines = 4, fill = "9" }
[[message.part.record]]
name = "entry"
occurs = "0..n"
fields = [
  { literal = "6" }, { own = "kind", width = 2, full = true, only = "digits" },
  { own = "cents", type = "decimal", scale = 2, point = false, width = 6, pad = "0", side = "right" },
  { literal = "         " },
]
[[message.part.record]]
name = "control"
fields = [
  { literal = "9" },
  { computed = "count", per = 4, name = "blocks", width = 3, pad = "0", side = "right" },
  { computed = "count", where = { value = "kind", is = ["27"] }, of = ["entry"], name = "debited", width = 2, pad = "0", side = "right" },
  { computed = "sum", value = "cents", where = { value = "kind", is = ["27"] }, name = "debits", scale = 2, point = false, width = 6, pad = "0", side = "right" },
  { computed = "sum", value = "cents", where = { value = "kind", is = ["27"], not = true }, name = "credits", scale = 2, point = false, width = 6, pad = "0", side = "right" },
]
"#;

#[test]
fn debits_and_credits_are_added_up_apart_and_blocks_are_counted() {
    let format = format("US-ASCII", DEBITS);
    let entry = |kind: &str, cents: &str| {
        format!("{{\"record\":\"entry\",\"kind\":\"{kind}\",\"cents\":\"{cents}\"}}\n")
    };
    let lines = [
        entry("22", "123.45"),
        entry("27", "1.00"),
        entry("27", "0.50"),
        entry("32", "0.05"),
        "{\"record\":\"control\",\"reference\":\"1\"}\n".to_owned(),
    ]
    .concat();
    let bytes = both_ways(&format, &lines);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 8, "two blocks");
    assert_eq!(text.lines().nth(4), Some("900202000150012350"));
    for (from, to) in [("9002", "9001"), ("900202", "900203"), ("000150012350", "000151012350")] {
        let error = read(&format, text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.contains("as stated"), "{to}: {error}");
    }
}

/// As of BACS: labels, and payments that begin with a number and no mark.
const LABELS: &str = r#"
layout = "fixed"
line_end = "CRLF"
[[message.part.record]]
name = "header"
fields = [ { literal = "HDR1" }, { own = "made", type = "date", pattern = "' 'yyDDD" } ]
[[message.part.record]]
name = "payment"
occurs = "0..n"
otherwise = true
fields = [ { own = "sort", width = 6, pad = " ", side = "left", only = "ascii" }, { own = "name", width = 8, pad = " ", side = "left" } ]
[[message.part.record]]
name = "end"
fields = [ { literal = "EOF1" }, { computed = "count", of = ["payment"], width = 4, pad = "0", side = "right" } ]
"#;

#[test]
fn a_record_stands_otherwise_where_no_other_begins() {
    let format = format("US-ASCII", LABELS);
    let lines = |sort: &str| {
        format!(
            "{{\"record\":\"header\",\"reference\":\"1\",\"made\":\"2024-02-29T00:00:00\"}}\n\
             {{\"record\":\"payment\",\"sort\":\"{sort}\",\"name\":\"A\"}}\n\
             {{\"record\":\"end\"}}\n"
        )
    };
    let bytes = both_ways(&format, &lines("112233"));
    assert_eq!(bytes, b"HDR1 24060\r\n112233A       \r\nEOF10001\r\n");
    // What would be read as another record is never written.
    let error = write(&format, &lines("EOF1X")).unwrap_err();
    assert!(error.contains("a record that does not begin like end"), "{error}");
    let both = LABELS.replace("name = \"end\"", "name = \"end\"\notherwise = true");
    refused("US-ASCII", &both, "payment and end cannot be told apart");
    for day in ["24000", "23366", "24367"] {
        let bytes = format!("HDR1 {day}\r\nEOF10000\r\n");
        assert!(read(&format, bytes.as_bytes()).is_err(), "{day}");
    }
    assert!(read(&format, b"HDR1 24366\r\nEOF10000\r\n").is_ok());
}

/// As of DTAUS: a length before the letter of a record, and blocks behind it that have no letter.
const BLOCKS: &str = r#"
layout = "fixed"
line_end = "none"
[[message.part.record]]
name = "a"
fields = [ { literal = "0008A" }, { own = "x", width = 3, pad = " ", side = "left" } ]
[[message.part.record]]
name = "c"
occurs = "0..n"
fields = [ { own = "length", width = 4, full = true, only = "digits" }, { literal = "C" }, { own = "y", width = 3, pad = " ", side = "left" } ]
[[message.part.record]]
name = "e"
fields = [ { literal = "0008E" }, { literal = "   " } ]
"#;

#[test]
fn marks_that_lie_over_each_other_tell_records_apart() {
    let format = format("IBM437", BLOCKS);
    let lines = "{\"record\":\"a\",\"reference\":\"1\",\"x\":\"M\u{dc}L\"}\n{\"record\":\"c\",\"length\":\"0016\",\"y\":\"1\"}\n{\"record\":\"e\"}\n";
    assert_eq!(both_ways(&format, lines), b"0008AM\x9AL0016C1  0008E   ");
    let e =
        BLOCKS.replace("0008E", "0008").replace("{ literal = \"   \" }", "{ literal = \"    \" }");
    let same = e.replace("{ literal = \"C\" }", "{ own = \"z\", width = 1, full = true }");
    refused("IBM437", &same, "c and e cannot be told apart");
}

/// As of SWIFT: a tag between colons, values with colons in them, and lines that go on without a tag.
const TAGS: &str = r#"
layout = "delimited"
separator = ":"
line_end = "CRLF"
[[message.part.group]]
name = "movement"
[[message.part.record]]
name = "f20"
fields = [ { literal = "" }, { literal = "20" }, { own = "number", rest = true } ]
[[message.part.record]]
name = "f61"
in = "movement"
fields = [ { literal = "" }, { literal = "61" }, { own = "line", rest = true } ]
[[message.part.record]]
name = "f86"
in = "movement"
fields = [ { literal = "" }, { literal = "86" }, { own = "info", rest = true } ]
[[message.part.record]]
name = "more"
in = "movement"
occurs = "0..n"
otherwise = true
fields = [ { own = "info", rest = true } ]
[[message.part.record]]
name = "end"
fields = [ { literal = "-}" } ]
"#;

#[test]
fn the_last_field_takes_the_rest_of_a_line() {
    let format = format("US-ASCII", TAGS);
    let lines = |more: &str| {
        format!(
            "{{\"record\":\"f20\",\"reference\":\"1\",\"number\":\"A:B\"}}\n\
             {{\"record\":\"f61\",\"line\":\"D10,5\"}}\n\
             {{\"record\":\"f86\",\"info\":\"166?20X:Y:\"}}\n\
             {{\"record\":\"more\",\"info\":\"{more}\"}}\n\
             {{\"record\":\"end\"}}\n"
        )
    };
    let bytes = both_ways(&format, &lines("?21MORE: TEXT"));
    assert_eq!(bytes, b":20:A:B\r\n:61:D10,5\r\n:86:166?20X:Y:\r\n?21MORE: TEXT\r\n-}\r\n");
    for other in [":61:X", "-}"] {
        let error = write(&format, &lines(other)).unwrap_err();
        assert!(error.contains("that does not begin like"), "{error}");
    }
    let early = TAGS.replacen("{ literal = \"20\" }", "{ own = \"tag\", rest = true }", 1);
    refused("US-ASCII", &early, "f20: what takes the rest of a line ends with it");
}

/// As of EDIFACT and X12: segments that end with a sign, fields left out at their end.
const SEGMENTS: &str = r#"
layout = "delimited"
separator = "+"
line_end = "'"
escape = "?"
short = true
[[message.part.record]]
name = "nad"
occurs = "0..n"
fields = [ { literal = "NAD" }, { own = "party" }, { own = "id", optional = true }, { own = "name", optional = true } ]
[[message.part.record]]
name = "unt"
fields = [ { literal = "UNT" }, { computed = "count" } ]
"#;

#[test]
fn an_escape_sign_stands_before_what_separates_nothing() {
    let format = format("GBK", SEGMENTS);
    let lines = concat!(
        "{\"record\":\"nad\",\"reference\":\"1\",\"party\":\"B+E\",\"name\":\"O'NEIL ?\"}\n",
        "{\"record\":\"nad\",\"party\":\"\u{5f33}\",\"id\":\"1\"}\n",
        "{\"record\":\"nad\",\"party\":\"X\"}\n",
        "{\"record\":\"unt\"}\n"
    );
    let bytes = both_ways(&format, lines);
    let expected = [b"NAD+B?+E++O?'NEIL ??'NAD+", &b"\x8F\x86"[..], b"+1'NAD+X'UNT+4'"].concat();
    assert_eq!(bytes, expected);
    for bad in ["NAD+X+'UNT+2'", "NAD+X+1+'UNT+2'", "NAD+X?Y'UNT+2'", "NAD+X?'UNT+2'", "NAD'UNT+2'"]
    {
        assert!(read(&format, bad.as_bytes()).is_err(), "{bad}");
    }
    refused("GBK", &SEGMENTS.replace("escape = \"?\"", "escape = \"+\""), "says something else");
    refused(
        "GBK",
        &SEGMENTS.replace("line_end = \"'\"", "line_end = \"lf\""),
        "there is no \"lf\"",
    );
}

/// Lines in fixed width whose blanks at the end were left out, as editors and some hosts do.
const TRIMMED: &str = r#"
layout = "fixed"
line_end = "LF"
short = true
[[message.part.record]]
name = "head"
fields = [ { literal = "H" }, { own = "a", width = 6, pad = " ", side = "left", optional = true }, { literal = "   " } ]
[[message.part.record]]
name = "row"
occurs = "0..n"
fields = [ { literal = "R" }, { own = "b", width = 4, pad = " ", side = "left" }, { own = "n", type = "integer", width = 3, pad = " ", side = "right", optional = true }, { own = "c", width = 4, pad = " ", side = "left", optional = true } ]
"#;

#[test]
fn blanks_at_the_end_of_a_line_are_left_out() {
    let lines = concat!(
        "{\"record\":\"head\",\"reference\":\"1\"}\n",
        "{\"record\":\"row\",\"b\":\"\u{5f20}\",\"n\":7}\n",
        "{\"record\":\"row\",\"b\":\"x\",\"c\":\"y\"}\n",
        "{\"record\":\"row\",\"b\":\"full\",\"n\":123,\"c\":\"last\"}\n"
    );
    let trimmed = format("GBK", TRIMMED);
    let bytes = both_ways(&trimmed, lines);
    assert_eq!(bytes, b"H\nR\xD5\xC5    7\nRx      y\nRfull123last\n");
    for bad in ["H \nRx\n", "H\nRx   \n", "H\nRfull123lasts\n", "H\nX\n", "H\nRx"] {
        assert!(read(&trimmed, bad.as_bytes()).is_err(), "{bad:?}");
    }
    let characters = TRIMMED.replace("line_end", "widths = \"characters\"\nline_end");
    let bytes = both_ways(&format("GBK", &characters), lines);
    assert!(bytes.starts_with(b"H\nR\xD5\xC5     7\n"), "{}", bytes.escape_ascii());
    let open = TRIMMED.replace("short = true", "short = true\nlast_line_end = false");
    assert!(both_ways(&format("GBK", &open), lines).ends_with(b"123last"));
    refused("GBK", &TRIMMED.replace("\"LF\"", "\"none\""), "the end of a line would not be known");
}

#[test]
fn what_is_always_there_stands_in_a_pattern_between_quotes() {
    let fields = "{ own = \"at\", type = \"date\", pattern = \"yyyy-MM-dd'T'HH:mm:ss'+08:00'\" }";
    let layout = "layout = \"delimited\"\nseparator = \";\"\nline_end = \"LF\"\n";
    let part = format!("{layout}[[message.part.record]]\nis = \"head\"\nfields = [ {fields} ]\n");
    let format = format("US-ASCII", &part);
    let lines = "{\"record\":\"head\",\"reference\":\"1\",\"at\":\"2026-11-25T12:00:00\"}\n";
    assert_eq!(both_ways(&format, lines), b"2026-11-25T12:00:00+08:00\n");
    assert!(read(&format, b"2026-11-25T12:00:00+09:00\n").is_err());
    assert!(format.explain().unwrap().contains("yyyy-MM-ddTHH:mm:ss'+08':'00'"));
    for bad in ["yyyy'", "''", "DDD", "yyDDDMM", "yyyyQ"] {
        let part = part.replace("yyyy-MM-dd'T'HH:mm:ss'+08:00'", bad);
        refused("US-ASCII", &part, "is no pattern");
    }
}

#[test]
fn other_alphabets_have_their_pages() {
    let layout = "layout = \"delimited\"\nseparator = \"=\"\nline_end = \"CRLF\"\n";
    let part = format!(
        "{layout}[[message.part.record]]\nis = \"head\"\nfields = [ {{ literal = \"\u{421}\u{443}\u{43c}\u{43c}\u{430}\" }}, {{ own = \"a\", rest = true }} ]\n"
    );
    let lines = "{\"record\":\"head\",\"reference\":\"1\",\"a\":\"\u{416}=1\"}\n";
    let bytes = both_ways(&format("windows-1251", &part), lines);
    assert_eq!(bytes, b"\xD1\xF3\xEC\xEC\xE0=\xC6=1\r\n");
    assert!(write(&format("cp866", &part), lines).is_ok());
    let polish = "{\"record\":\"head\",\"reference\":\"1\",\"a\":\"\u{141}\"}\n";
    let error = write(&format("windows-1251", &part), polish).unwrap_err();
    assert!(error.contains("U+0141"), "{error}");
}

#[test]
fn the_blank_of_a_sign_is_no_separator() {
    let part = "layout = \"delimited\"\nseparator = \"blanks\"\nline_end = \"LF\"\n[[message.part.record]]\nis = \"head\"\nfields = [ { own = \"n\", type = \"integer\", sign = \"minus_after\" }, { own = \"a\" } ]\n";
    refused("US-ASCII", part, "n: the blank of its sign would be taken for a separator");
    let letters =
        part.replace("sign = \"minus_after\"", "sign = \"letter_before\", signs = \" D\"");
    refused("US-ASCII", &letters, "the blank of its sign");
    let format = format("US-ASCII", &part.replace("minus_after", "after"));
    let lines = "{\"record\":\"head\",\"reference\":\"1\",\"n\":7,\"a\":\"x\"}\n";
    assert_eq!(both_ways(&format, lines), b"7+ x\n");
}
