//! Shapes of files that banks have: requests without totals, texts in quotes beside bare numbers, elements of
//! attributes alone, amounts without the zeros at their end; and files that are only read.

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartRole};

use crate::layouts::{self, format};

const STATEMENT: MessageKind = MessageKind::Statement;

fn read(format: &Format, text: &str) -> Result<Values, String> {
    let (role, name) = (PartRole::Data, "ST1.txt".to_owned());
    let part = Part { role, name, bytes: text.as_bytes().to_vec(), committing: true };
    Values::read(format, STATEMENT, &[part]).map_err(|error| error.to_string())
}

/// Lines under the reference that the name of the file has.
fn named(lines: &str) -> String {
    lines.replacen('{', "{\"reference\":\"1\",", 1)
}

fn both_ways(format: &Format, lines: &str) -> Vec<u8> {
    layouts::both_ways(format, &named(lines))
}

fn write(format: &Format, lines: &str) -> Result<String, String> {
    let values = Values::parse(format, STATEMENT, &named(lines))?;
    let parts = values.write(format, STATEMENT).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(parts[0].bytes.clone()).unwrap())
}

/// A description of one message of rows, with what stands before the rows and in them.
fn rows(kind: MessageKind, head: &str, row: &str) -> String {
    let codes =
        if kind.is_ours() { "" } else { "[codes.results]\n00 = { outcome = \"credited\" }" };
    format!(
        r#"language = 1
title = "rows"
status = "example"
source = "a test"
charset = "UTF-8"
[limits]
rows_max = 1000
amount_max = "99999.99"
sum_max = "9999999.99"
bytes_max = 1000000
{codes}
[[message]]
kind = "{kind}"
[[message.part]]
role = "data"
name = "PX{{reference}}.txt"
committing = true
layout = "delimited"
separator = ","
quote = "\""
line_end = "CRLF"
{head}
[[message.part.record]]
is = "row"
fields = [ {row} ]
"#
    )
}

const TITLES: &str = r#"
[[message.part.record]]
name = "titles"
fields = [{ literal = "Beneficiary", quoted = true }, { literal = "Account", quoted = true }, { literal = "Amount", quoted = true }]
"#;

const PAYEE: &str = r#"{ key = "payee_name", quoted = true }, { key = "account", only = "digits", quoted = true }, { key = "amount", unit = "yuan", scale = 2, point = true }"#;

#[test]
fn f44_only_what_we_write_and_read_back_may_lack_its_totals() {
    for kind in [MessageKind::PaymentRequest, MessageKind::RefundRequest] {
        let format = Format::compile("rows", &rows(kind, TITLES, PAYEE)).unwrap();
        let lines = "{\"record\":\"titles\",\"reference\":\"A1\"}\n\
             {\"record\":\"row\",\"payee_name\":\"Ann, B\",\"account\":\"0012\",\"amount\":\"12.34\"}\n\
             {\"record\":\"row\",\"payee_name\":\"Bob\",\"account\":\"13\",\"amount\":\"100.00\"}\n";
        let values = Values::parse(&format, kind, lines).unwrap();
        let parts = values.write(&format, kind);
        let parts = parts.unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
        let expected = "\"Beneficiary\",\"Account\",\"Amount\"\r\n\"Ann, B\",\"0012\",12.34\r\n\
                        \"Bob\",\"13\",100.00\r\n";
        assert_eq!(text, expected);
        assert!(Values::read(&format, kind, &parts).unwrap() == values);
    }
    let answer = PAYEE.to_owned() + r#", { key = "ordinal" }, { key = "code", codes = "results" }"#;
    for kind in [MessageKind::Result, MessageKind::Acknowledgement, MessageKind::LateReturn] {
        let told = Format::compile("rows", &rows(kind, TITLES, &answer)).unwrap_err().to_string();
        assert!(told.contains("rows without their count"), "{told}");
        assert!(told.contains("rows without their sum"), "{told}");
    }
    let unpaid = PAYEE.split(", { key = \"amount\"").next().unwrap();
    let told = Format::compile("rows", &rows(MessageKind::PaymentRequest, TITLES, unpaid));
    assert!(told.unwrap_err().to_string().contains("rows without amount"));
}

/// Texts always in quotes, numbers never, and what may be missing of either.
const QUOTED: &str = r#"
layout = "delimited"
separator = ","
quote = "\""
line_end = "LF"
[[message.part.record]]
name = "payment"
occurs = "1..n"
fields = [
  { literal = "110" }, { literal = "", name = "nothing", quoted = true },
  { own = "name", quoted = true }, { own = "note", quoted = true, optional = true },
  { own = "sort", only = "ascii", quoted = false }, { own = "plain", optional = true },
]
"#;

#[test]
fn i21_a_field_has_its_quotes_always_or_never() {
    let format = format("GBK", QUOTED);
    let line = |name: &str, code: &str| {
        format!("{{\"record\":\"payment\",\"name\":\"{name}\",\"sort\":\"{code}\"}}\n")
    };
    let bytes = both_ways(&format, &line("a|\\\"b\\\", c", "7"));
    assert_eq!(bytes, b"110,\"\",\"a|\"\"b\"\", c\",\"\",7,\n");
    assert_eq!(both_ways(&format, &line("x", "A B")), b"110,\"\",\"x\",\"\",A B,\n");
    for code in ["a,b", "a\\\"b", "\\\"", "a\\nb"] {
        let error = write(&format, &line("x", code)).unwrap_err();
        assert!(error.contains("field sort"), "{code}: {error}");
    }
    // Quotes that are not needed, and those that are left out, are read.
    assert_eq!(
        read(&format, "110,,x,,\"7\",\n").unwrap(),
        read(&format, "110,\"\",\"x\",\"\",7,\n").unwrap()
    );
    let always = QUOTED.replace("quote = ", "quoting = \"always\"\nquote = ");
    let bytes = both_ways(&layouts::format("GBK", &always), &line("x", "7"));
    assert_eq!(bytes, b"\"110\",\"\",\"x\",\"\",7,\n", "a field says otherwise than its part");
    let short = QUOTED.replace("quote = ", "short = true\nquote = ");
    let bytes = both_ways(&layouts::format("GBK", &short), &line("x", "7"));
    assert_eq!(bytes, b"110,\"\",\"x\",\"\",7\n");
    let none = rows(MessageKind::PaymentRequest, TITLES, PAYEE).replace("quote = \"\\\"\"\n", "");
    let told = Format::compile("rows", &none).unwrap_err().to_string();
    assert!(told.contains("payee_name: there are no quotes in this part"), "{told}");
}

const ATTRIBUTES: &str = r#"
layout = "xml"
root = "P"
empty = true
[[message.part.record]]
is = "head"
fields = [
  { path = "@ref", own = "ref" }, { path = "Of/@n", own = "n", optional = true },
  { path = "Why/@by", own = "by" }, { path = "Why", own = "why", optional = true },
  { path = "Maybe/@a", own = "a", optional = true }, { path = "Maybe/@k", literal = "k", optional = true },
]
[[message.part.record]]
name = "row"
path = "r"
occurs = "0..n"
fields = [{ path = "@no", own = "no", type = "integer" }, { path = "@name", own = "name", optional = true }]
"#;

#[test]
fn i21_an_element_of_attributes_alone_is_one_tag_where_the_format_says_so() {
    let lines = "{\"record\":\"head\",\"ref\":\"1\",\"by\":\"me\"}\n{\"record\":\"row\",\"no\":1,\"name\":\"<张三>\"}\n{\"record\":\"row\",\"no\":2}\n";
    let format = format("UTF-8", ATTRIBUTES);
    let text = String::from_utf8(both_ways(&format, lines)).unwrap();
    let expected =
        "<P ref=\"1\"><Why by=\"me\"/><r no=\"1\" name=\"&lt;张三&gt;\"/><r no=\"2\"/></P>";
    assert!(text.ends_with(&format!("?>{expected}")), "{text}");
    let more =
        lines.replacen("\"by\":\"me\"", "\"by\":\"me\",\"why\":\"so\",\"n\":\"3\",\"a\":\"4\"", 1);
    let text = String::from_utf8(both_ways(&format, &more)).unwrap();
    let within = "<Of n=\"3\"/><Why by=\"me\">so</Why><Maybe a=\"4\" k=\"k\"/>";
    assert!(text.contains(within), "{text}");
    // Read either way, and written otherwise where nothing is said.
    let apart =
        expected.replace("\"/>", "\"></r>").replace("<Why by=\"me\"></r>", "<Why by=\"me\"></Why>");
    let top = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let values = read(&format, &format!("{top}{apart}")).unwrap();
    assert!(values == read(&format, &format!("{top}{expected}")).unwrap());
    let plain = layouts::format("UTF-8", &ATTRIBUTES.replace("empty = true\n", ""));
    assert_eq!(write(&plain, lines).unwrap(), format!("{top}{apart}"));
    let alone = r#"
layout = "xml"
root = "P"
empty = true
[[message.part.record]]
is = "head"
fields = [{ path = "@ref", own = "ref" }]
"#;
    let bytes =
        both_ways(&layouts::format("UTF-8", alone), "{\"record\":\"head\",\"ref\":\"1\"}\n");
    assert!(bytes.ends_with(b"?><P ref=\"1\"/>"));
}

/// As the buses of many banks have it: every element is called the same, and an attribute says what it is.
const NAMED: &str = r#"
layout = "xml"
root = "service"
ignore = ["body/data"]
[[message.part.record]]
is = "head"
fields = [
  { path = "sys/data[@name='SERVICE_CODE']/field/@type", literal = "string" },
  { path = "sys/data[@name='SERVICE_CODE']/field", own = "service" },
  { path = "sys/data[@name='A&B/<张>']/field", own = "odd" },
  { path = "sys/data[@name='BRANCH']/field", own = "branch", optional = true },
]
[[message.part.record]]
name = "debit"
path = "body/row[@sort='D']"
occurs = "0..n"
fields = [{ path = "p[@k='no']", own = "no", type = "integer" }, { path = "p[@k='name']", own = "name", optional = true }]
[[message.part.record]]
name = "credit"
path = "body/row[@sort='C']"
occurs = "0..n"
fields = [{ path = "@by", own = "by", optional = true }, { path = "p[@k='no']", own = "number", type = "integer" }]
"#;

#[test]
fn f44_elements_of_one_name_are_told_apart_by_an_attribute() {
    let format = format("UTF-8", NAMED);
    let lines = "{\"record\":\"head\",\"service\":\"01\",\"odd\":\"x\"}\n\
         {\"record\":\"debit\",\"no\":1,\"name\":\"张三\"}\n{\"record\":\"debit\",\"no\":2}\n\
         {\"record\":\"credit\",\"by\":\"me\",\"number\":3}\n";
    let top = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let expected = "<service><sys><data name=\"SERVICE_CODE\"><field type=\"string\">01</field></data>\
         <data name=\"A&amp;B/&lt;张&gt;\"><field>x</field></data></sys>\
         <body><row sort=\"D\"><p k=\"no\">1</p><p k=\"name\">张三</p></row>\
         <row sort=\"D\"><p k=\"no\">2</p></row>\
         <row sort=\"C\" by=\"me\"><p k=\"no\">3</p></row></body></service>";
    let text = String::from_utf8(both_ways(&format, lines)).unwrap();
    assert_eq!(text, format!("{top}{expected}"));
    // However it is spelled, and whatever else is passed over.
    let values = read(&format, &text).unwrap();
    for (from, to) in [
        ("<data name=\"SERVICE_CODE\">", "<data  name = 'SERVICE_CODE' >"),
        ("A&amp;B/&lt;张&gt;", "A&amp;B/&lt;张>"),
        ("sort=\"C\" by=\"me\"", "by=\"me\" sort=\"C\""),
        ("</body>", "<data name=\"TRACE\"><field>?</field></data></body>"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert!(read(&format, &other).is_ok_and(|other| other == values), "{to}");
    }
    for (from, to) in [
        ("SERVICE_CODE", "SERVICE"),
        ("<data name=\"SERVICE_CODE\">", "<data>"),
        ("<data name=\"SERVICE_CODE\">", "<data name=\"SERVICE_CODE\" more=\"1\">"),
        ("k=\"name\"", "k=\"no\""),
        ("k=\"name\"", "k=\"other\""),
        ("sort=\"D\"", "sort=\"E\""),
        ("A&amp;B", "A&amp;amp;B"),
    ] {
        assert!(read(&format, &text.replacen(from, to, 1)).is_err(), "{from} became {to}");
    }
    let refused = |from: &str, to: &str, what: &str| {
        assert!(NAMED.contains(from), "{from}");
        let text = rows(MessageKind::PaymentRequest, TITLES, PAYEE);
        let before =
            text.split("layout = ").next().unwrap().replace("payment_request", "statement");
        let described = format!("{before}{}", NAMED.replacen(from, to, 1));
        let told = Format::compile("named", &described).unwrap_err().to_string();
        assert!(told.contains(what), "{told}");
    };
    let beside = "beside others of its name";
    refused("data[@name='BRANCH']", "data", beside);
    refused("data[@name='BRANCH']", "data[@id='BRANCH']", beside);
    refused("data[@name='BRANCH']", "data[@name='SERVICE_CODE']", "two fields in one place");
    refused("data[@name='BRANCH']", "data[name='BRANCH']", "is no path");
    refused("data[@name='BRANCH']", "data[@name='']", "is no path");
    refused("field/@type", "@name", "two fields in one place");
}

const SHORT: &str = r#"
layout = "delimited"
separator = ";"
line_end = "LF"
[[message.part.record]]
name = "entry"
occurs = "1..n"
fields = [{ own = "fee", type = "decimal", scale = 2, point = ",", sign = "minus", decimals = "DECIMALS" }]
"#;

#[test]
fn i22_decimals_are_as_short_as_can_be_and_lose_no_digit() {
    let line = |fee: &str| format!("{{\"record\":\"entry\",\"fee\":\"{fee}\"}}\n");
    let lines = [line("1.50"), line("1000.00"), line("-0.05"), line("0.00")].concat();
    for (decimals, expected, same) in [
        ("short", "1,5\n1000\n-0,05\n0\n", "1,50\n1000,0\n-0,05\n0,00\n"),
        ("any", "1,50\n1000,00\n-0,05\n0,00\n", "1,5\n1000\n-0,05\n0\n"),
    ] {
        let format = format("US-ASCII", &SHORT.replace("DECIMALS", decimals));
        assert_eq!(both_ways(&format, &lines), expected.as_bytes());
        assert_eq!(read(&format, same).unwrap(), read(&format, expected).unwrap());
        for wrong in ["1,", ",5", "1,555", "1,500", "1.5", "1.000", "1.000,5", "-0", "-0,0", "1,5,"]
        {
            let told = read(&format, &format!("{wrong}\n")).unwrap_err();
            assert!(
                told.contains("perhaps a ',' and up to 2 digits"),
                "{decimals} {wrong}: {told}"
            );
        }
    }
    let all = format("US-ASCII", &SHORT.replace(", decimals = \"DECIMALS\"", ""));
    for wrong in ["1,5", "1000", "1000,0"] {
        assert!(read(&all, &format!("{wrong}\n")).is_err(), "{wrong} where nothing is said");
    }
}

/// A folder with a format in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("format.toml"), text).unwrap();
        Self(dir)
    }

    fn sample(&self, folder: &str, files: &[(&str, &str)]) {
        let dir = self.0.path().join("samples").join(folder);
        std::fs::remove_dir_all(&dir).unwrap_or(());
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }

    fn told(&self) -> String {
        Format::load(self.0.path()).map_or_else(|problems| problems.to_string(), |_| String::new())
    }
}

#[test]
fn i21_a_file_of_the_bank_that_spells_otherwise_proves_reading_alone() {
    let answer = format!(
        "{PAYEE}, {}, {}",
        r#"{ key = "ordinal" }"#, r#"{ key = "code", codes = "results" }"#
    );
    let head = "[[message.part.record]]\nis = \"head\"\nfields = [{ key = \"count\" }, { key = \"sum\", unit = \"fen\", scale = 0 }]\n";
    let folder = Folder::new(&rows(MessageKind::Result, head, &answer));
    let values = "{\"record\":\"head\",\"reference\":\"A1\",\"count\":1,\"sum\":\"12.34\"}\n{\"record\":\"row\",\"payee_name\":\"Ann\",\"account\":\"12\",\"amount\":\"12.34\",\"ordinal\":1,\"code\":\"00\"}\n";
    let (ours, theirs) =
        ("1,1234\r\n\"Ann\",\"12\",12.34,1,00\r\n", "1,1234\r\nAnn,12,12.34,\"1\",00\r\n");
    let told = |files: &[(&str, &str)]| {
        folder.sample("result", files);
        folder.told()
    };
    assert_eq!(told(&[("values.jsonl", values), ("PXA1.txt", ours)]), "");
    let otherwise = told(&[("values.jsonl", values), ("PXA1.txt", theirs)]);
    assert!(otherwise.contains("written otherwise from byte 8 on"), "{otherwise}");
    assert!(otherwise.contains("read.jsonl"), "the way out is told: {otherwise}");
    assert_eq!(told(&[("read.jsonl", values), ("PXA1.txt", theirs)]), "");
    // Every value is compared all the same, and so is what the file says of itself.
    let other = theirs.replace("Ann", "Bob");
    let wrong = told(&[("read.jsonl", values), ("PXA1.txt", &other)]);
    assert!(wrong.contains("reads otherwise than read.jsonl says: payee_name"), "{wrong}");
    let cut = theirs.replace("1,1234", "2,1234");
    assert!(told(&[("read.jsonl", values), ("PXA1.txt", &cut)]).contains("2 rows"));
    let both = told(&[("read.jsonl", values), ("values.jsonl", values), ("PXA1.txt", theirs)]);
    assert!(both.contains("values.jsonl and read.jsonl"), "{both}");
    // What we write is proved to the byte.
    let ours = Folder::new(&rows(MessageKind::PaymentRequest, TITLES, PAYEE));
    let titles = "\"Beneficiary\",\"Account\",\"Amount\"\r\n";
    let values = "{\"record\":\"titles\",\"reference\":\"A1\"}\n{\"record\":\"row\",\"payee_name\":\"Ann\",\"account\":\"12\",\"amount\":\"12.34\"}\n";
    let bytes = format!("{titles}Ann,12,12.34\r\n");
    ours.sample("payment_request", &[("read.jsonl", values), ("PXA1.txt", &bytes)]);
    let told = ours.told();
    assert!(told.contains("payment_request has no sample that is written"), "{told}");
    let bytes = format!("{titles}\"Ann\",\"12\",12.34\r\n");
    ours.sample("payment_request.two", &[("values.jsonl", values), ("PXA1.txt", &bytes)]);
    assert_eq!(ours.told(), "");
}

/// A schema takes an amount with fewer digits behind its point, or with none.
#[test]
fn i22_iso_amounts_are_read_as_their_schema_has_them() {
    let name = "example-iso20022-09";
    let format = crate::format(name);
    let sample = crate::formats_dir().join(name).join("samples/late_return/message.xml");
    let text = std::fs::read_to_string(sample).unwrap();
    let late = |text: String| {
        let (role, name) = (PartRole::Message, String::new());
        let part = Part { role, name, bytes: text.into_bytes(), committing: true };
        Values::read(&format, MessageKind::LateReturn, &[part]).map_err(|error| error.to_string())
    };
    let known = late(text.clone()).unwrap();
    assert!(late(text.replace("1234.50", "1234.5")).unwrap() == known);
    let whole = late(text.replace("1234.50", "1234.00")).unwrap();
    assert!(late(text.replace("1234.50", "1234")).unwrap() == whole);
    assert!(late(text.replace("1234.50", "1234.505")).is_err());
    assert!(late(text.replacen("1234.50", "1234", 1)).is_err(), "the sum is compared");
}

/// As Clieop's trailer and Belgium's communications have them.
const CHECKED: &str = r#"
layout = "delimited"
separator = ";"
line_end = "LF"
[[message.part.record]]
name = "entry"
occurs = "1..n"
fields = [
  { own = "payer", only = "digits" }, { own = "payee", only = "digits", optional = true },
  { own = "fee", type = "decimal", scale = 2, point = true }, { own = "tax", type = "decimal", scale = 2, point = true },
  { computed = "check_digit", algorithm = "mod97", of = ["payer"], width = 2 },
]
[[message.part.record]]
name = "iban"
occurs = "1..n"
fields = [
  { own = "country", only = "ascii" }, { computed = "check_digit", algorithm = "mod97_10", of = ["bban", "country"], width = 2 },
  { own = "bban", only = "ascii" },
]
[[message.part.record]]
name = "end"
fields = [
  { literal = "END" }, { computed = "hash", value = ["payer", "payee"], keep = 10 },
  { computed = "sum", value = ["fee", "tax"], scale = 2, point = true }, { computed = "count", of = ["entry"] },
]
"#;

#[test]
fn i22_several_values_are_added_up_and_checked_by_two_digits() {
    let format = format("US-ASCII", CHECKED);
    let entry = |payer: &str, payee: &str, fee: &str, tax: &str| {
        format!(
            "{{\"record\":\"entry\",\"payer\":\"{payer}\"{payee},\"fee\":\"{fee}\",\"tax\":\"{tax}\"}}\n"
        )
    };
    let iban = |country: &str, bban: &str| {
        format!("{{\"record\":\"iban\",\"country\":\"{country}\",\"bban\":\"{bban}\"}}\n")
    };
    let lines = [
        entry("0909337554", ",\"payee\":\"9999999999\"", "1.25", "0.05"),
        entry("0000000097", "", "2.00", "0.70"),
        iban("GB", "WEST12345698765432"),
        iban("DE", "370400440532013000"),
        iban("NO", "86011117947"),
        "{\"record\":\"end\"}\n".to_owned(),
    ]
    .concat();
    let text = String::from_utf8(both_ways(&format, &lines)).unwrap();
    // The IBANs are the registry's own examples.
    let expected = "0909337554;9999999999;1.25;0.05;93\n0000000097;;2.00;0.70;97\n\
                    GB;82;WEST12345698765432\nDE;89;370400440532013000\nNO;93;86011117947\n\
                    END;909337650;4.00;2\n";
    assert_eq!(text, expected);
    for (from, to) in [
        ("GB;82", "GB;83"),
        ("0.05;93", "0.05;94"),
        ("909337650", "909337651"),
        ("4.00;2", "3.30;2"),
    ] {
        let told = read(&format, &text.replacen(from, to, 1)).unwrap_err();
        assert!(told.contains("as stated"), "{to}: {told}");
    }
    let refused = |from: &str, to: &str, what: &str| {
        assert!(CHECKED.contains(from), "{from}");
        let text = rows(MessageKind::PaymentRequest, TITLES, PAYEE);
        let before =
            text.split("layout = ").next().unwrap().replace("payment_request", "statement");
        let described = format!("{before}{}", CHECKED.replacen(from, to, 1));
        let told = Format::compile("checked", &described).unwrap_err().to_string();
        assert!(told.contains(what), "{told}");
    };
    refused("[\"payer\", \"payee\"]", "[\"payer\", \"fee\"]", "not of one sort");
    refused("[\"payer\", \"payee\"]", "[\"payer\", \"payer\"]", "stands twice");
    refused("[\"payer\", \"payee\"]", "[]", "nothing stands there");
    refused("of = [\"payer\"], width = 2", "of = [\"payer\"]", "two check digits without room");
}

/// Payments as a spreadsheet of Taiwan or of Switzerland saves them.
const SHEET: &str = r#"
byte_order_mark = true
layout = "delimited"
separator = ","
quote = "\""
line_end = "CRLF"
[[message.part.record]]
name = "payment"
occurs = "1..n"
fields = [
  { key = "moment", pattern = "RRR/MM/dd" }, { key = "payee_name" },
  { key = "amount", unit = "yuan", scale = 2, point = true, thousands = "," },
  { own = "rate", type = "decimal", scale = 3, point = true, thousands = "'" },
  { own = "note", optional = true },
]
[[message.part.record]]
name = "end"
fields = [{ literal = "END" }, { computed = "sum", value = "amount", of = ["payment"], unit = "yuan", scale = 4, point = true, thousands = "," }]
"#;

#[test]
fn i22_a_sheet_has_its_mark_its_thousands_and_its_years() {
    let format = format("UTF-8", SHEET);
    let line = "{\"record\":\"payment\",\"moment\":\"2026-11-28T00:00:00\",\"payee_name\":\"王\",\"amount\":\"1234567.80\",\"rate\":\"-\"}\n"
        .replace("\"-\"", "\"1234.500\"");
    let bytes = both_ways(&format, &format!("{line}{{\"record\":\"end\"}}\n"));
    let text = "115/11/28,王,\"1,234,567.80\",1'234.500,\r\nEND,\"1,234,567.8000\"\r\n";
    assert_eq!(bytes, [b"\xEF\xBB\xBF", text.as_bytes()].concat());
    let told = read(&format, text).unwrap_err();
    assert!(told.contains("byte order mark") && told.contains("EF BB BF"), "{told}");
    let with = |from: &str, to: &str| read(&format, &format!("\u{FEFF}{}", text.replace(from, to)));
    assert!(with("", "").is_ok());
    for (from, to, word) in [
        ("\"1,234,567.80\"", "1234567.80", "between thousands"),
        ("\"1,234,567.80\"", "\"1,234567.80\"", "between thousands"),
        ("\"1,234,567.80\"", "\"12,34,567.80\"", "between thousands"),
        ("7.8000", "7.8001", "no part of a fen"),
        ("115/", "000/", "date"),
        ("END", "\u{FEFF}END", "expected the record payment or end"),
        ("\r\n", "\n", "found none; it ends with LF, not with CRLF"),
    ] {
        let told = with(from, to).unwrap_err();
        assert!(told.contains(word), "{to}: {told}");
    }
    let unmarked = layouts::format("UTF-8", &SHEET.replace("byte_order_mark = true", ""));
    assert!(read(&unmarked, text).is_ok() && read(&unmarked, &format!("\u{FEFF}{text}")).is_err());
}

#[test]
fn what_cannot_be_said_of_a_sheet_is_told_where_it_stands() {
    let compile = |charset: &str, from: &str, to: &str| {
        let text = layouts::text(charset, &SHEET.replace(from, to));
        Format::compile("sheet", &text).map(drop).map_err(|faults| faults.to_string())
    };
    assert_eq!(compile("UTF-8", "", ""), Ok(()));
    for (charset, from, to, what) in [
        ("GBK", "", "", "a byte order mark in this charset"),
        ("UTF-8", "thousands = \",\"", "thousands = \".\"", "a sign that is not the point"),
        ("UTF-8", "thousands = \",\"", "thousands = \"x\"", "a sign that is not the point"),
        (
            "UTF-8",
            "point = true, thousands = \"'\"",
            "point = false, thousands = \"'\"",
            "no sign for the point",
        ),
        ("UTF-8", "scale = 4", "scale = 7", "no coin below the fen"),
        ("UTF-8", "RRR/MM", "RRR/yy", "is no pattern"),
        ("UTF-8", "scale = 3,", "scale = 3, sign = \"overpunch\",", "no plain text"),
    ] {
        let told = compile(charset, from, to).unwrap_err();
        assert!(told.contains(what), "{to}: {told}");
    }
}
