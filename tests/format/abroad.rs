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
    refused("US-ASCII", part, "n: its blank would be taken for a separator");
    let letters =
        part.replace("sign = \"minus_after\"", "sign = \"letter_before\", signs = \" D\"");
    refused("US-ASCII", &letters, "its blank would be taken");
    let format = format("US-ASCII", &part.replace("minus_after", "after"));
    let lines = "{\"record\":\"head\",\"reference\":\"1\",\"n\":7,\"a\":\"x\"}\n";
    assert_eq!(both_ways(&format, lines), b"7+ x\n");
}

/// As of CODA: `0` or `1` before an amount is its sign, in the movements and in the new balance.
const APART: &str = r#"
layout = "fixed"
line_end = "LF"
[[message.part.record]]
name = "movement"
occurs = "0..n"
fields = [
  { literal = "21" },
  { sign_of = "amount", plus = "0", minus = "1", width = 1, full = true },
  { own = "amount", name = "amount", type = "decimal", scale = 3, point = false, sign = "apart", width = 8, pad = "0", side = "right" },
]
[[message.part.record]]
name = "balance"
fields = [
  { literal = "8" },
  { computed = "sum", value = "amount", name = "balance", scale = 3, point = false, sign = "apart", width = 9, pad = "0", side = "right" },
  { sign_of = "balance", plus = "", minus = "-", width = 1, pad = " ", side = "left" },
]
"#;

#[test]
fn a_sign_in_a_field_of_its_own_counts_in_sums() {
    let format = format("US-ASCII", &APART.replace("\"amount\"", "\"moved\""));
    let lines = |amounts: &[&str]| {
        let movement = |amount: &&str| {
            format!("{{\"record\":\"movement\",\"reference\":\"1\",\"moved\":\"{amount}\"}}\n")
        };
        let movements: String = amounts.iter().map(movement).collect();
        format!("{movements}{{\"record\":\"balance\",\"reference\":\"1\"}}\n")
    };
    let bytes = both_ways(&format, &lines(&["100.000", "-25.500"]));
    assert_eq!(bytes, b"21000100000\n21100025500\n8000074500 \n");
    let bytes = both_ways(&format, &lines(&["1.000", "-2.000", "0.000"]));
    assert_eq!(bytes, b"21000001000\n21100002000\n21000000000\n8000001000-\n");
    for (bad, told) in [
        ("21000100000\n21100025500\n8000074500-\n", "-74500, as stated"),
        ("21000100000\n21000025500\n8000074500 \n", "74500, as stated"),
        ("21100000000\n8000000000 \n", "a plus, as the number is zero"),
        ("21200000000\n8000000000 \n", "one of 0, 1"),
    ] {
        let error = read(&format, bad.as_bytes()).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let explained = format.explain().unwrap();
    assert!(explained.contains("the sign of `moved`: `0` = +, `1` = -"), "{explained}");
    assert!(explained.contains("the sign of `balance`: nothing = +, `-` = -"), "{explained}");
    let part = APART.replace("\"amount\"", "\"moved\"");
    let named = "sign_of = \"moved\"";
    refused("US-ASCII", &part.replace(named, "sign_of = \"other\""), "no number \"other\"");
    let no_sign = part.replace(
        "{ sign_of = \"moved\", plus = \"0\", minus = \"1\", width = 1, full = true },",
        "",
    );
    refused("US-ASCII", &no_sign, "its sign stands in 0 fields");
    refused("US-ASCII", &part.replace("minus = \"1\"", "minus = \"0\""), "not two signs");
    let missing =
        part.replace("own = \"moved\"", "own = \"moved\", optional = true, absent = \" \"");
    refused("US-ASCII", &missing, "moved may be missing, and its sign may not");
}

/// As of hosts in the middle of COBOL: packed and binary numbers between texts of EBCDIC.
const PACKED: &str = r#"
layout = "fixed"
line_end = "none"
[[message.part.record]]
name = "detail"
occurs = "0..n"
fields = [
  { literal = "D" },
  { own = "paid", type = "decimal", scale = 2, point = false, spelled = "packed", sign = "inside", width = 4 },
  { own = "fee", type = "integer", spelled = "packed", width = 2, optional = true, absent = " " },
  { own = "branch", type = "integer", spelled = "binary", width = 2 },
]
[[message.part.record]]
name = "trailer"
fields = [
  { literal = "T" },
  { computed = "count", of = ["detail"], spelled = "packed", width = 3 },
  { computed = "sum", value = "paid", scale = 2, point = false, spelled = "packed", sign = "inside", width = 5 },
]
"#;

#[test]
fn packed_and_binary_numbers_stand_between_texts() {
    let format = format("cp037", PACKED);
    let lines = concat!(
        "{\"record\":\"detail\",\"reference\":\"1\",\"paid\":\"123.45\",\"fee\":7,\"branch\":258}\n",
        "{\"record\":\"detail\",\"reference\":\"1\",\"paid\":\"-0.01\",\"branch\":65535}\n",
        "{\"record\":\"trailer\",\"reference\":\"1\"}\n"
    );
    let bytes = both_ways(&format, lines);
    let expected = [
        &[0xC4, 0x00, 0x12, 0x34, 0x5C, 0x00, 0x7F, 0x01, 0x02][..],
        &[0xC4, 0x00, 0x00, 0x00, 0x1D, 0x40, 0x40, 0xFF, 0xFF],
        &[0xE3, 0x00, 0x00, 0x2F, 0x00, 0x00, 0x12, 0x34, 0x4C],
    ]
    .concat();
    assert_eq!(bytes, expected);
    for (at, byte, told) in [
        (4, 0x5F, "a packed number of 4 bytes, 2 digits of it behind the point, that ends in C/D"),
        (4, 0xAC, "a packed number"),
        (6, 0x7C, "a packed number of 2 bytes that ends in F"),
        (26, 0x4D, "as stated"),
    ] {
        let mut bad = bytes.clone();
        bad[at] = byte;
        let error = read(&format, &bad).unwrap_err();
        assert!(error.contains(told), "{at}: {error}");
    }
    let wide = lines.replace("\"fee\":7", "\"fee\":1000");
    let error = write(&format, &wide).unwrap_err();
    assert!(error.contains("3 bytes, the field has 2") || error.contains("fee"), "{error}");
    let explained = format.explain().unwrap();
    assert!(explained.contains("| 2-5 | 4 | paid | yes | number: a packed number"), "{explained}");
    for (from, to, told) in [
        (
            "\"packed\", sign = \"inside\", width = 4",
            "\"packed\", sign = \"minus\", width = 4",
            "one of numbers that are text",
        ),
        ("width = 4", "width = 11", "a packed number has 1 to 10 bytes"),
        (
            "spelled = \"packed\", sign = \"inside\", width = 4",
            "sign = \"inside\", width = 4, pad = \"0\", side = \"right\"",
            "of a number that is text",
        ),
        (
            "width = 2 },\n]\n[[",
            "width = 2, optional = true, absent = \" \" },\n]\n[[",
            "branch: no value would read as a number",
        ),
        (
            "point = false, spelled = \"packed\", sign = \"inside\", width = 4",
            "point = true, spelled = \"packed\", sign = \"inside\", width = 4",
            "with a point",
        ),
        ("line_end = \"none\"", "line_end = \"NL\"\nwidths = \"characters\"", "has no place here"),
        ("width = 4 }", "width = 4, signs = \"XY\" }", "expected two half bytes"),
    ] {
        let changed = PACKED.replacen(from, to, 1);
        assert_ne!(changed, PACKED, "{from}");
        refused("cp037", &changed, told);
    }
}

/// As of many: up to so many lines of text, and batches of so many at most.
const BOUNDED: &str = r#"
layout = "fixed"
line_end = "LF"
[[message.part.group]]
name = "batch"
occurs = "1..2"
[[message.part.record]]
name = "b"
in = "batch"
fields = [ { literal = "B" } ]
[[message.part.record]]
name = "d"
in = "batch"
occurs = "2..3"
fields = [ { literal = "D" } ]
[[message.part.record]]
name = "text"
occurs = "0..2"
fields = [ { literal = "X" } ]
"#;

#[test]
fn records_and_groups_stand_so_often_and_no_more() {
    let format = format("US-ASCII", BOUNDED);
    let lines = |signs: &str| -> String {
        let name = |sign| match sign {
            'B' => "b",
            'D' => "d",
            _ => "text",
        };
        let line = |sign| format!("{{\"record\":\"{}\",\"reference\":\"1\"}}\n", name(sign));
        signs.chars().map(line).collect()
    };
    let spelled = |signs: &str| signs.chars().flat_map(|sign| [sign, '\n']).collect::<String>();
    for good in ["BDD", "BDDBDDD", "BDDDXX"] {
        // Cut behind a whole record it may be refused, or be whole.
        assert_eq!(both_ways(&format, &lines(good)), spelled(good).as_bytes(), "{good}");
    }
    for (bad, told) in [
        ("BD", "at least 2 records d"),
        ("BDX", "at least 2 records d"),
        ("BDBDD", "at least 2 records d"),
        ("BDDDD", "no more than 3 records d"),
        ("BDDBDDBDD", "no more than 2 groups batch"),
        ("BDDXXX", "no more than 2 records text"),
    ] {
        let error = read(&format, spelled(bad).as_bytes()).unwrap_err();
        assert!(error.contains(told), "{bad}: {error}");
        let error = write(&format, &lines(bad)).unwrap_err();
        assert!(error.contains(told), "{bad}: {error}");
    }
    let explained = format.explain().unwrap();
    assert!(explained.contains("Group `batch`: 1 to 2 times in the part"), "{explained}");
    assert!(explained.contains("up to 2 times"), "{explained}");
    for bad in ["0", "3..2", "n", "1..", "0..0"] {
        let part = BOUNDED.replace("\"2..3\"", &format!("\"{bad}\""));
        refused("US-ASCII", &part, &format!("occurs: there is no {bad:?}"));
    }
    // In a document an element is counted too.
    let xml = "layout = \"xml\"\nroot = \"R\"\n[[message.part.record]]\nname = \"line\"\noccurs = \"1..2\"\npath = \"Line\"\nfields = [ { own = \"a\", path = \"A\" } ]\n";
    let format = crate::layouts::format("UTF-8", xml);
    let line = "{\"record\":\"line\",\"reference\":\"1\",\"a\":\"x\"}\n";
    let bytes = both_ways(&format, &line.repeat(2));
    assert!(write(&format, &line.repeat(3)).unwrap_err().contains("no more than 2 groups line"));
    let text =
        String::from_utf8(bytes).unwrap().replacen("<Line>", "<Line><A>x</A></Line><Line>", 1);
    let error = read(&format, text.as_bytes()).unwrap_err();
    assert!(error.contains("no more than 2 groups line"), "{error}");
}

/// As of EDIFACT's FINSTA and CREMUL: values that share a column, with a sign of their own between them.
const COMPOSITES: &str = r#"
layout = "delimited"
separator = "+"
inner = ":"
escape = "?"
line_end = "'"
short = true
[[message.part.record]]
name = "bgm"
fields = [ { literal = "BGM" }, { own = "kind", only = "digits" }, { own = "list", optional = true, inner = true }, { own = "agency", optional = true, inner = true }, { own = "number" } ]
[[message.part.group]]
name = "movement"
[[message.part.record]]
name = "moa"
in = "movement"
fields = [ { literal = "MOA" }, { literal = "9" }, { own = "paid", type = "decimal", scale = 2, point = true, inner = true }, { own = "currency", width = 3, only = "ascii", optional = true, inner = true } ]
[[message.part.record]]
name = "debit"
in = "movement"
occurs = "0..1"
fields = [ { literal = "MOA" }, { literal = "10" }, { own = "fee", type = "decimal", scale = 2, point = true, inner = true } ]
[[message.part.record]]
name = "ftx"
in = "movement"
occurs = "0..5"
fields = [ { literal = "FTX" }, { literal = "PMD" }, { own = "words" }, { own = "more", optional = true, inner = true } ]
[[message.part.record]]
name = "unt"
fields = [ { literal = "UNT" }, { computed = "count" }, { computed = "sum", value = "paid", scale = 2, point = true, inner = true } ]
"#;

#[test]
fn values_share_a_column() {
    let format = format("ISO-8859-1", COMPOSITES);
    let lines = concat!(
        "{\"record\":\"bgm\",\"reference\":\"1\",\"kind\":\"435\",\"agency\":\"X\",\"number\":\"A:1\"}\n",
        "{\"record\":\"moa\",\"paid\":\"12.50\",\"currency\":\"EUR\"}\n",
        "{\"record\":\"debit\",\"fee\":\"0.10\"}\n",
        "{\"record\":\"moa\",\"paid\":\"3.00\"}\n",
        "{\"record\":\"ftx\",\"words\":\"DE+?:\",\"more\":\"\u{e9}'\"}\n",
        "{\"record\":\"ftx\",\"words\":\"x\"}\n",
        "{\"record\":\"unt\"}\n"
    );
    let bytes = both_ways(&format, lines);
    let expected = b"BGM+435::X+A?:1'MOA+9:12.50:EUR'MOA+10:0.10'MOA+9:3.00'FTX+PMD+DE?+???::\xE9?''FTX+PMD+x'UNT+7:15.50'";
    assert_eq!(bytes, expected, "{}", bytes.escape_ascii());
    let explained = format.explain().unwrap();
    assert!(explained.contains("| 2, value 3 | 3 | currency | no |"), "{explained}");
    for (from, to) in [
        (":12.50:EUR", ":12.50:EUR:"),
        (":12.50:EUR", ":12.50:"),
        (":12.50:EUR", ":12.50:EU"),
        (":12.50:EUR", ":12.50:EUR:X"),
        ("+9:3.00", "+9"),
        ("A?:1", "A:1"),
        ("435::X", "435::X:"),
        ("7:15.50", "7:15.51"),
        ("PMD+x", "PMD+x:"),
    ] {
        let text: String = expected.iter().map(|byte| char::from(*byte)).collect();
        let text = text.replacen(from, to, 1);
        let text: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        assert_ne!(text, expected);
        assert!(read(&format, &text).is_err(), "{to}");
    }
    refused(
        "ISO-8859-1",
        &COMPOSITES.replace("inner = \":\"", "inner = \"+\""),
        "says something else",
    );
    refused(
        "ISO-8859-1",
        &COMPOSITES.replace("inner = \":\"\n", ""),
        "no inner sign stands before it",
    );
    let first =
        COMPOSITES.replacen("{ literal = \"BGM\" }", "{ literal = \"BGM\", inner = true }", 1);
    refused("ISO-8859-1", &first, "there is no field before it in its column");
}

/// As of SWIFT's 32A and 61: a date, a currency and an amount with nothing between them.
const GLUED: &str = r#"
layout = "delimited"
separator = ":"
line_end = "CRLF"
[[message.part.record]]
name = "f32a"
fields = [
  { literal = "" }, { literal = "32A" },
  { own = "day", type = "date", pattern = "yyMMdd" },
  { own = "currency", width = 3, only = "ascii", glued = true },
  { own = "paid", type = "decimal", scale = 2, point = ",", decimals = "cut", glued = true },
]
[[message.part.record]]
name = "f71"
occurs = "0..6"
fields = [ { literal = "" }, { literal = "71G" }, { own = "kind", width = 3 }, { own = "number", type = "integer", width = 5, glued = true }, { literal = "/", glued = true }, { own = "info", rest = true, glued = true } ]
"#;

#[test]
fn values_stand_glued_together() {
    let format = format("US-ASCII", GLUED);
    let lines = concat!(
        "{\"record\":\"f32a\",\"reference\":\"1\",\"day\":\"2026-11-27T00:00:00\",\"currency\":\"EUR\",\"paid\":\"1234.50\"}\n",
        "{\"record\":\"f71\",\"kind\":\"OUR\",\"number\":12,\"info\":\"A:B\"}\n"
    );
    let bytes = both_ways(&format, lines);
    assert_eq!(bytes, b":32A:261127EUR1234,5\r\n:71G:OUR00012/A:B\r\n");
    let whole = both_ways(&format, &lines.replace("1234.50", "1234.00"));
    assert!(whole.starts_with(b":32A:261127EUR1234,\r\n"));
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in
        [("261127", "2611"), ("1234,5", ""), ("00012", "12"), ("/A", "A"), ("OUR00012/A:B", "OUR")]
    {
        assert!(read(&format, text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    let error = write(&format, &lines.replace("EUR", "EURO")).unwrap_err();
    assert!(error.contains("currency"), "{error}");
    let error = write(&format, &lines.replace("EUR", "EU")).unwrap_err();
    assert!(error.contains("3 bytes, no more and no fewer"), "{error}");
    let open = GLUED.replace("own = \"currency\", width = 3,", "own = \"currency\",");
    refused("US-ASCII", &open, "paid: where currency ends before it is not known");
    let quoted = GLUED.replace("line_end", "quote = \"\\\"\"\nline_end");
    refused("US-ASCII", &quoted, "is not known");
    let both = GLUED.replace(
        "width = 3, only = \"ascii\", glued = true",
        "width = 3, only = \"ascii\", glued = true, inner = true",
    );
    refused("US-ASCII", &both, "both behind an inner sign and glued");
}
