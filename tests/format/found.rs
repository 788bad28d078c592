//! What random layouts and changed bytes found, each as the smallest description that shows it.

#![expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]

use std::time::{Duration, Instant};

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartRole};

const KIND: MessageKind = MessageKind::Statement;

fn described(charset: &str, part: &str) -> Result<Format, String> {
    let text = format!(
        r#"language = 1
title = "found"
status = "example"
source = "a test"
charset = "{charset}"
[limits]
rows_max = 1000
amount_max = "99999.99"
sum_max = "9999999.99"
bytes_max = 4000000
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
{part}"#
    );
    Format::compile("found", &text).map_err(|problems| problems.to_string())
}

fn format(charset: &str, part: &str) -> Format {
    described(charset, part).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A layout with these fields in one record.
fn one(layout: &str, fields: &str) -> String {
    format!("{layout}\n[[message.part.record]]\nis = \"head\"\nfields = [ {fields} ]\n")
}

const PIPES: &str = "layout = \"delimited\"\nseparator = \"|\"\nline_end = \"LF\"";
const WIDTHS: &str = "layout = \"fixed\"\nline_end = \"LF\"";

fn write(format: &Format, lines: &str) -> Result<Vec<u8>, String> {
    let values = Values::parse(format, KIND, lines)?;
    let parts = values.write(format, KIND).map_err(|error| error.to_string())?;
    let read = Values::read(format, KIND, &parts).map_err(|error| error.to_string())?;
    assert!(read == values, "what was written reads otherwise: {}", parts[0].bytes.escape_ascii());
    Ok(parts[0].bytes.clone())
}

fn read(format: &Format, bytes: &[u8]) -> Result<Values, String> {
    let part = Part {
        role: PartRole::Message,
        name: String::new(),
        bytes: bytes.to_vec(),
        committing: true,
    };
    Values::read(format, KIND, &[part]).map_err(|error| error.to_string())
}

#[test]
fn f43_a_quote_that_is_never_closed_is_looked_at_once() {
    let layout = format!("{PIPES}\nquote = \"\\\"\"\nline_max = 3000000");
    let format = format("GBK", &one(&layout, "{ literal = \"H\" }, { own = \"a\" }"));
    let mut bytes = b"H|\"".to_vec();
    bytes.resize(2_000_000, b'\n');
    let began = Instant::now();
    let error = read(&format, &bytes).unwrap_err();
    assert!(error.contains("expected a line of at most"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn tagged_records_with_the_same_tags_are_told_apart_by_a_constant() {
    let format = format(
        "GBK",
        r#"layout = "tagged"
line_end = "LF"
[[message.part.record]]
name = "in"
occurs = "0..n"
fields = [ { tag = "Kind", literal = "I" }, { tag = "Name", own = "name" } ]
[[message.part.record]]
name = "out"
occurs = "0..n"
fields = [ { tag = "Kind", literal = "O" }, { tag = "Name", own = "name" } ]
"#,
    );
    let lines = concat!(
        "{\"record\":\"in\",\"name\":\"a\"}\n",
        "{\"record\":\"in\",\"name\":\"b\"}\n",
        "{\"record\":\"out\",\"name\":\"c\"}\n"
    );
    write(&format, lines).unwrap();
    let error = read(&format, b"<Kind>X</><Name>a</>\n").unwrap_err();
    assert!(error.contains("the constant \"I\""), "{error}");
    let error = read(&format, b"<Kind>O</><Name>a\n").unwrap_err();
    assert!(error.contains("its closing </>"), "{error}");
}

#[test]
fn a_tagged_record_begins_with_a_tag_that_is_there() {
    let refused = |end: &str, fields: &str, what: &str| {
        let text = format!(
            "layout = \"tagged\"\nline_end = \"{end}\"\n[[message.part.record]]\nname = \"a\"\noccurs = \"0..n\"\nfields = [ {fields} ]\n"
        );
        let told = described("GBK", &text).unwrap_err();
        assert!(told.contains(what), "{told}");
    };
    let maybe = "{ tag = \"A\", own = \"a\", optional = true }";
    let sure = "{ tag = \"B\", own = \"b\" }";
    refused("LF", maybe, "a may have no tags at all");
    refused("none", &format!("{maybe}, {sure}"), "the first tag of a may be missing");
    let again = "{ tag = \"B\", own = \"c\", optional = true }";
    refused("none", &format!("{sure}, {again}"), "a would be taken for a part of a");
}

#[test]
fn a_constant_may_be_empty_and_what_is_ignored_too() {
    let fields = "{ literal = \"H\" }, { literal = \"\" }, { ignored = \"\" }, { own = \"a\" }";
    let pipes = format("GBK", &one(PIPES, fields));
    assert_eq!(write(&pipes, "{\"a\":\"x\"}"), Ok(b"H|||x\n".to_vec()));
    assert!(read(&pipes, b"H||anything|x\n").is_ok());
    assert!(read(&pipes, b"H|z||x\n").is_err());
    let tags = "{ tag = \"H\", literal = \"\" }, { tag = \"I\", ignored = \"\" }, { tag = \"A\", own = \"a\" }";
    let tagged = format("GBK", &one("layout = \"tagged\"\nline_end = \"none\"", tags));
    assert_eq!(write(&tagged, "{\"a\":\"x\"}"), Ok(b"<H></><I></><A>x</>".to_vec()));
    let paths = "{ path = \"H\", literal = \"\" }, { path = \"I\", ignored = \"\" }, { path = \"A\", own = \"a\" }";
    let document = format("GBK", &one("layout = \"xml\"\nroot = \"R\"", paths));
    write(&document, "{\"a\":\"x\"}").unwrap();
}

/// Rows with a value that may be missing, a trailer that adds them up, and a hash over card numbers.
const SUMS: &str = r#"
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
name = "row"
occurs = "0..n"
fields = [
  { literal = "R" }, { own = "card", optional = true },
  { own = "fee", type = "decimal", scale = 2, point = true, optional = true },
]
[[message.part.record]]
name = "end"
fields = [
  { literal = "E" },
  { computed = "sum", value = "fee", scale = 2, point = true },
  { computed = "hash", value = "card", keep = 10 },
]
"#;

#[test]
fn i22_sums_close_over_missing_values_and_long_numbers() {
    let format = format("GBK", SUMS);
    let lines = concat!(
        "{\"record\":\"row\",\"card\":\"6222021234567890123\",\"fee\":\"1.05\"}\n",
        "{\"record\":\"row\"}\n",
        "{\"record\":\"row\",\"card\":\"6222029999999999999\",\"fee\":\"2.00\"}\n",
        "{\"record\":\"end\"}\n"
    );
    let bytes = write(&format, lines).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    // 4567890123 and 9999999999 are 14567890122, of which ten digits are kept.
    assert!(text.ends_with("E|3.05|4567890122\n"), "{text}");
    for (from, to) in [("3.05", "3.06"), ("4567890122", "4567890123")] {
        let error = read(&format, text.replace(from, to).as_bytes()).unwrap_err();
        assert!(error.contains("as stated"), "{error}");
    }
}

#[test]
fn i22_what_cannot_be_added_up_is_no_sum() {
    let format = format("GBK", SUMS);
    let most = "{\"record\":\"row\",\"fee\":\"92233720368547758.07\"}\n";
    let end = "{\"record\":\"end\"}\n";
    let told = |error: String| assert!(error.contains("can be added up"), "{error}");
    told(write(&format, &format!("{most}{most}{end}")).unwrap_err());
    told(write(&format, &format!("{{\"record\":\"row\",\"card\":\"62A\"}}\n{end}")).unwrap_err());
    told(read(&format, b"R|62A|\nE|0.00|0\n").unwrap_err());
}

#[test]
fn utf16_counts_in_its_own_units() {
    let odd = "{ literal = \"H\" }, { own = \"a\", width = 5, pad = \" \", side = \"left\" }";
    let told = described("UTF-16LE", &one(WIDTHS, odd)).unwrap_err();
    assert!(told.contains("5 bytes end inside a character"), "{told}");
    let widths = "layout = \"fixed\"\nwidths = \"characters\"\nline_end = \"LF\"";
    let hyphens = "{ literal = \"H\" }, { own = \"a\", width = 2, pad = \" \", side = \"left\", optional = true, absent = \"-\" }";
    let format = format("UTF-16LE", &one(widths, hyphens));
    assert!(write(&format, "{\"a\":\"-x\"}").is_ok());
    assert!(write(&format, "{}").is_ok());
    let error = write(&format, "{\"a\":\"--\"}").unwrap_err();
    assert!(error.contains("filling sign"), "{error}");
}

#[test]
fn the_blank_of_a_sign_is_not_filling() {
    let field = |side: &str| {
        let field = format!(
            "{{ literal = \"H\" }}, {{ own = \"n\", type = \"integer\", sign = \"minus_after\", width = 6, pad = \" \", side = \"{side}\" }}"
        );
        described("GBK", &one(WIDTHS, &field))
    };
    let told = field("left").unwrap_err();
    assert!(told.contains("the blank of its sign"), "{told}");
    let right = field("right").unwrap();
    assert_eq!(write(&right, "{\"n\":17}"), Ok(b"H   17 \n".to_vec()));
    assert_eq!(write(&right, "{\"n\":-17}"), Ok(b"H   17-\n".to_vec()));
}

#[test]
fn f44_an_attribute_under_two_prefixes_stands_twice() {
    let part = "layout = \"xml\"\nroot = \"R\"\nprefixes = { p = \"urn:p\" }";
    let format = format("UTF-8", &one(part, "{ path = \"A/@p:n\", own = \"n\" }"));
    let document = |attributes: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R xmlns:p=\"urn:p\" xmlns:q=\"urn:p\"><A {attributes}/></R>"
        )
    };
    assert!(read(&format, document("q:n=\"1\"").as_bytes()).is_ok());
    let error = read(&format, document("p:n=\"1\" q:n=\"2\"").as_bytes()).unwrap_err();
    assert!(error.contains("attributes once"), "{error}");
}

#[test]
fn a_last_line_without_its_end_stands_before_the_end_of_the_file() {
    let ends = "last_line_end = false\nfile_end = \"\\u001A\"";
    let pipes =
        format("GBK", &one(&format!("{PIPES}\n{ends}"), "{ literal = \"H\" }, { own = \"a\" }"));
    assert_eq!(write(&pipes, "{\"a\":\"x\"}"), Ok(b"H|x\x1A".to_vec()));
    assert!(read(&pipes, b"H|x").is_err());
    let tags = "{ tag = \"A\", own = \"a\" }";
    let tagged =
        format("GBK", &one(&format!("layout = \"tagged\"\nline_end = \"LF\"\n{ends}"), tags));
    assert_eq!(write(&tagged, "{\"a\":\"x\"}"), Ok(b"<A>x</>\x1A".to_vec()));
}

#[test]
fn a_condition_holds_when_it_is_read_too() {
    let fields = concat!(
        "{ literal = \"H\" }, { own = \"kind\", map = { one = \"1\", two = \"2\" } }, ",
        "{ own = \"a\", when = { value = \"kind\", is = [\"one\"] } }"
    );
    let pipes = format("GBK", &one(PIPES, fields));
    write(&pipes, "{\"kind\":\"one\",\"a\":\"x\"}").unwrap();
    write(&pipes, "{\"kind\":\"two\"}").unwrap();
    let error = read(&pipes, b"H|2|x\n").unwrap_err();
    assert!(error.contains("field a") && error.contains("does not hold"), "{error}");
    let error = read(&pipes, b"H|1|\n").unwrap_err();
    assert!(error.contains("field a") && error.contains("its condition holds"), "{error}");
    let paths = fields
        .replace("{ literal = \"H\" }, ", "")
        .replace("{ own = \"kind\"", "{ path = \"K\", own = \"kind\"");
    let paths = paths.replace("{ own = \"a\"", "{ path = \"A\", own = \"a\"");
    let document = format("UTF-8", &one("layout = \"xml\"\nroot = \"R\"", &paths));
    write(&document, "{\"kind\":\"two\"}").unwrap();
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R><K>2</K><A>x</A></R>";
    let error = read(&document, text.as_bytes()).unwrap_err();
    assert!(error.contains("does not hold"), "{error}");
}

#[test]
fn a_number_that_is_missing_fills_its_characters_with_its_own_sign() {
    let widths = "layout = \"fixed\"\nwidths = \"characters\"\nline_end = \"LF\"";
    let field = "{ own = \"n\", type = \"integer\", width = 3, pad = \"0\", side = \"right\", optional = true, absent = \" \" }";
    let format = format("GBK", &one(widths, field));
    assert_eq!(write(&format, "{\"n\":7}"), Ok(b"007\n".to_vec()));
    assert_eq!(write(&format, "{\"record\":\"head\"}"), Ok(b"   \n".to_vec()));
}

#[test]
fn words_of_several_widths_stand_on_the_right() {
    let field = "{ literal = \"H\" }, { own = \"kind\", map = { one = \"1\", two = \"22\" }, width = 3, pad = \" \", side = \"right\" }";
    let format = format("GBK", &one(WIDTHS, field));
    assert_eq!(write(&format, "{\"kind\":\"one\"}"), Ok(b"H  1\n".to_vec()));
    assert_eq!(write(&format, "{\"kind\":\"two\"}"), Ok(b"H 22\n".to_vec()));
}

#[test]
fn a_constant_on_the_right_is_found_by_its_characters() {
    let widths = "layout = \"fixed\"\nwidths = \"characters\"\nline_end = \"LF\"";
    let field = "{ literal = \"张\", width = 4, pad = \" \", side = \"right\" }, { own = \"a\", width = 2, pad = \" \", side = \"left\" }";
    let format = format("GBK", &one(widths, field));
    assert!(write(&format, "{\"a\":\"x\"}").is_ok());
}

#[test]
fn zeros_fill_as_many_digits_as_there_are_places() {
    let field = "{ literal = \"H\" }, { own = \"n\", type = \"integer\", width = 8, pad = \"0\", side = \"right\" }";
    let format = format("UTF-16BE", &one(WIDTHS, field));
    assert_eq!(write(&format, "{\"n\":17}"), Ok(b"\0H\x000\x000\x001\x007\0\n".to_vec()));
}

#[test]
fn a_group_that_stands_once_may_have_elements_around_it() {
    for (occurs, may_be_missing) in [("1", false), ("0..1", true), ("0..n", true)] {
        let format = format(
            "UTF-8",
            &format!(
                "layout = \"xml\"\nroot = \"R\"\n[[message.part.group]]\nname = \"g\"\noccurs = \"{occurs}\"\npath = \"Out/G\"\n[[message.part.record]]\nname = \"a\"\nin = \"g\"\nfields = [ {{ path = \"A\", own = \"a\" }} ]\n"
            ),
        );
        write(&format, "{\"record\":\"a\",\"a\":\"x\"}").unwrap();
        let document = |inside: &str| {
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><R>{inside}</R>").into_bytes()
        };
        let twice = document("<Out><G><A>x</A></G><G><A>y</A></G></Out>");
        assert_eq!(read(&format, &twice).is_ok(), occurs == "0..n", "{occurs}");
        assert_eq!(read(&format, &document("<Out></Out>")).is_ok(), may_be_missing, "{occurs}");
    }
}

#[test]
fn filling_lines_end_before_the_end_of_the_file() {
    let layout = format!(
        "{WIDTHS}\nlast_line_end = false\nfile_end = \"\\u001A\"\nblock = {{ lines = 3, fill = \"9\" }}"
    );
    let field = "{ literal = \"H\" }, { own = \"a\", width = 1, pad = \" \", side = \"left\" }";
    let format = format("GBK", &one(&layout, field));
    assert_eq!(write(&format, "{\"a\":\"x\"}"), Ok(b"Hx\n99\n99\x1A".to_vec()));
    assert!(read(&format, b"Hx\n99\n99").is_err());
}

#[test]
fn a_group_inside_itself_is_refused() {
    let group = |name: &str, inside: &str| {
        format!("[[message.part.group]]\nname = \"{name}\"\nin = \"{inside}\"\n")
    };
    let record =
        "[[message.part.record]]\nname = \"r\"\nin = \"a\"\nfields = [ { literal = \"H\" } ]\n";
    for groups in [group("a", "a"), group("a", "b") + &group("b", "a")] {
        let told = described("GBK", &format!("{WIDTHS}\n{groups}{record}")).unwrap_err();
        assert!(told.contains("stands inside itself"), "{told}");
    }
}

#[test]
fn what_nests_too_deep_is_refused() {
    let group = |at: usize| {
        let inside = if at == 0 { String::new() } else { format!("in = \"g{}\"\n", at - 1) };
        format!("[[message.part.group]]\nname = \"g{at}\"\n{inside}")
    };
    let groups: String = (0..40).map(group).collect();
    let record =
        "[[message.part.record]]\nname = \"r\"\nin = \"g39\"\nfields = [ { literal = \"H\" } ]\n";
    let told = described("GBK", &format!("{WIDTHS}\n{groups}{record}")).unwrap_err();
    assert!(told.contains("more than 16 deep"), "{told}");
    let path = vec!["a"; 40_000].join("/");
    let fields = format!("{{ path = \"{path}\", own = \"v\" }}");
    let told = described("UTF-8", &one("layout = \"xml\"\nroot = \"R\"", &fields)).unwrap_err();
    assert!(told.contains("elements more than 32 deep"), "{told}");
    let one = |at: usize| {
        format!(
            "[[message.part.record]]\nname = \"r{at}\"\noccurs = \"0..1\"\nfields = [ {{ literal = \"{at}\" }} ]\n"
        )
    };
    let records: String = (0..3000).map(one).collect();
    let began = Instant::now();
    let told = described("GBK", &format!("{PIPES}\n{records}")).unwrap_err();
    assert!(told.contains("3000 records in one part"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn f38_a_text_of_which_nothing_whole_is_left_is_none() {
    let field = |optional: &str| {
        let field = format!("{{ literal = \"H\" }}, {{ own = \"a\", cut_tail = true{optional} }}");
        format("GBK", &one(PIPES, &field))
    };
    let none = read(&field(", optional = true"), b"H|\xB3\n").unwrap();
    assert_eq!(none.records[0].1.slots().count(), 0);
    let error = read(&field(""), b"H|\xB3\n").unwrap_err();
    assert!(error.contains("field a") && error.contains("expected a value"), "{error}");
}

#[test]
fn i21_a_value_with_the_line_end_in_it_is_not_written_where_nothing_else_ends_the_line() {
    let fields = "{ literal = \"H\" }, { own = \"a\", width = 4, pad = \" \", side = \"left\" }, \
                  { own = \"b\", width = 4, pad = \" \", side = \"left\" }";
    for widths in ["bytes", "characters"] {
        for last in ["", "last_line_end = false\n"] {
            let layout = format!(
                "layout = \"fixed\"\nwidths = \"{widths}\"\nline_end = \"'\"\n{last}short = true"
            );
            let format = format("GBK", &one(&layout, fields));
            let end = if last.is_empty() { "'" } else { "" };
            let whole = write(&format, "{\"a\":\"x\",\"b\":\"张\"}").unwrap();
            assert!(whole.ends_with(end.as_bytes()), "{}", whole.escape_ascii());
            for (a, b, field) in [("x'", "y", "a"), ("张", "y'", "b"), ("x", "'", "b")] {
                let error =
                    write(&format, &format!("{{\"a\":\"{a}\",\"b\":\"{b}\"}}")).unwrap_err();
                assert!(error.contains(&format!("field {field}")), "{error}");
                assert!(error.contains("U+0027 cannot be written here"), "{error}");
            }
        }
    }
}

#[test]
fn i21_an_attribute_that_is_too_long_once_it_is_escaped_is_refused_at_its_field() {
    let root = "layout = \"xml\"\nroot = \"Root\"";
    let format = format("UTF-8", &one(root, "{ path = \"A/@x\", own = \"x\", name = \"x\" }"));
    let document = |value: &str| {
        let text =
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Root><A x=\"{value}\"/></Root>");
        [Part {
            role: PartRole::Message,
            name: String::new(),
            bytes: text.into_bytes(),
            committing: true,
        }]
    };
    for (signs, fits) in [(4_000, true), (4_200, false)] {
        let values = Values::read(&format, KIND, &document(&">".repeat(signs))).expect("reads");
        match values.write(&format, KIND) {
            Ok(written) => {
                assert!(fits, "{signs}");
                assert!(Values::read(&format, KIND, &written).expect("reads again") == values);
            }
            Err(error) => {
                assert!(!fits && error.to_string().contains("field x"), "{signs}: {error}");
            }
        }
    }
}

#[test]
fn i21_a_last_record_of_nothing_is_not_written_where_its_line_has_no_end() {
    let records = "[[message.part.record]]\nname = \"a\"\noccurs = \"1\"\nfields = [ { literal = \"A\" } ]\n\
                   [[message.part.record]]\nname = \"c\"\noccurs = \"0..n\"\notherwise = true\n\
                   fields = [ { own = \"c0\", optional = true } ]\n";
    let rows = |last: &str| {
        format!("{{\"record\":\"a\"}}\n{{\"record\":\"c\"}}\n{{\"record\":\"c\"{last}}}")
    };
    let ended = format("GBK", &format!("{PIPES}\n{records}"));
    assert_eq!(write(&ended, &rows("")), Ok(b"A\n\n\n".to_vec()));
    let open = format("GBK", &format!("{PIPES}\nlast_line_end = false\n{records}"));
    assert_eq!(write(&open, &rows(",\"c0\":\"x\"")), Ok(b"A\n\nx".to_vec()));
    let error = write(&open, &rows("")).unwrap_err();
    assert!(error.contains("a last record that is not empty"), "{error}");
}
