//! Documents of any shape: groups in groups, attributes, namespaces, what is passed over, and the
//! order of siblings.

use daifa::format::sample::Values;
use daifa::format::{Format, Item, Key, MessageKind, PartBytes, PartContent, PartRole};
use proptest::prelude::*;

use crate::{decode, message};

const KIND: MessageKind = MessageKind::Statement;

const TOP: &str = r#"
language = 1
title = "documents"
status = "example"
source = "made for these tests"
charset = "GB18030"
[limits]
rows_max = 1000
amount_max = "9999999.99"
sum_max = "9999999999.99"
bytes_max = 1000000
[codes.results]
S = { outcome = "credited" }
F = { outcome = "failed", reason = "other" }
"#;

/// Batches of towns, each with its trailer; a payment is two records.
const NESTED: &str = r#"
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
layout = "xml"
root = "s:Envelope"
namespace = "urn:example:pay"
prefixes = { s = "urn:example:soap", t = "urn:example:t" }
standalone = true
ORDER
ignore = ["s:Body/Out/@id"]
[[message.part.group]]
name = "batch"
path = "s:Body/Out/Batch"
[[message.part.group]]
name = "payment"
in = "batch"
path = "Lines/Line"
is = "row"
ignore = ["Extra/*", "@*"]
[[message.part.record]]
is = "head"
fields = [
  { path = "s:Header/t:Ref", key = "reference" },
  { path = "s:Body/Out/@version", literal = "120" },
  { path = "s:Body/Out/Count", key = "count" },
  { path = "s:Body/Out/Sum", key = "sum", unit = "fen", scale = 0 },
]
[[message.part.record]]
name = "batch"
in = "batch"
fields = [
  { path = "@town", key = "town" },
  { path = "Lines/@count", computed = "count", of = ["line"], in = "batch" },
]
[[message.part.record]]
name = "line"
in = "payment"
fields = [
  { path = "@no", computed = "sequence", of = ["line"], in = "batch" },
  { path = "Amount/@cur", literal = "CNY" },
  { path = "Amount", key = "amount", unit = "yuan", scale = 2, point = true },
  { path = "Code", key = "code", codes = "results" },
]
[[message.part.record]]
name = "person"
in = "payment"
occurs = "0..1"
fields = [
  { path = "Person/Name", key = "payee_name", optional = true },
  { path = "Person/Ids/Id", key = "document_number", optional = true },
  { path = "Person/Ids/Kind", literal = "01", optional = true },
  { path = "Person/Note", key = "text", optional = true, empty = true },
  { path = "Extra/Mark", own = "mark", optional = true },
]
[[message.part.record]]
name = "trailer"
in = "batch"
fields = [
  { path = "Total", computed = "sum", value = "amount", of = ["line"], in = "batch", unit = "yuan", scale = 2, point = true },
]
[[message.part.record]]
is = "tail"
fields = [ { path = "s:Body/End", key = "bank_reference", optional = true } ]
"#;

fn nested(order: &str) -> Format {
    let text = format!("{TOP}{}", NESTED.replace("ORDER", order));
    match Format::compile("nested", &text) {
        Ok(format) => format,
        Err(problems) => panic!("{problems}"),
    }
}

const VALUES: &str = r#"{"record":"head","reference":"R1","count":3,"sum":"6.00"}
{"record":"batch","town":"渔渡镇"}
{"record":"line","amount":"1.00","code":"S"}
{"record":"person","payee_name":"某<某>","document_number":"11010519491231002X"}
{"record":"line","amount":"2.00","code":"F"}
{"record":"trailer"}
{"record":"batch","town":"盐场镇"}
{"record":"line","amount":"3.00","code":"S"}
{"record":"person","text":"已&入账","mark":"m"}
{"record":"trailer"}
{"record":"tail","bank_reference":"B1"}
"#;

const WRITTEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"GB18030\" standalone=\"yes\"?>",
    "<s:Envelope xmlns=\"urn:example:pay\" xmlns:s=\"urn:example:soap\" xmlns:t=\"urn:example:t\">",
    "<s:Header><t:Ref>R1</t:Ref></s:Header><s:Body><Out version=\"120\"><Count>3</Count>",
    "<Sum>600</Sum>",
    "<Batch town=\"渔渡镇\"><Lines count=\"2\">",
    "<Line no=\"1\"><Amount cur=\"CNY\">1.00</Amount><Code>S</Code><Person><Name>某&lt;某&gt;</Name>",
    "<Ids><Id>11010519491231002X</Id><Kind>01</Kind></Ids><Note/></Person></Line>",
    "<Line no=\"2\"><Amount cur=\"CNY\">2.00</Amount><Code>F</Code></Line></Lines>",
    "<Total>3.00</Total></Batch>",
    "<Batch town=\"盐场镇\"><Lines count=\"1\">",
    "<Line no=\"1\"><Amount cur=\"CNY\">3.00</Amount><Code>S</Code><Person><Note>已&amp;入账</Note>",
    "</Person><Extra><Mark>m</Mark></Extra></Line></Lines><Total>3.00</Total></Batch>",
    "</Out><End>B1</End></s:Body></s:Envelope>",
);

fn bytes(text: &str) -> Vec<u8> {
    let (bytes, _, _) = encoding_rs::GB18030.encode(text);
    bytes.into_owned()
}

fn read(format: &Format, text: &str) -> Result<Values, String> {
    Values::read(format, KIND, &message(bytes(text))).map_err(|error| error.to_string())
}

#[test]
fn i21_groups_in_groups_are_written_and_read() {
    let format = nested("");
    let values = Values::parse(&format, KIND, VALUES).unwrap();
    let parts = values.write(&format, KIND).unwrap();
    let (text, _, _) = encoding_rs::GB18030.decode(&parts[0].bytes);
    assert_eq!(text, WRITTEN);
    assert_eq!(read(&format, WRITTEN).unwrap(), values);
    // The road sees three payments of one or two records each.
    let road = decode(&format, KIND, &parts).unwrap();
    assert_eq!(road.rows.len(), 3);
    assert_eq!(road.rows[0].text(Key::PayeeName), Some("某<某>"));
    assert_eq!(road.rows[1].text(Key::PayeeName), None);
    assert_eq!(road.head.text(Key::BankReference), Some("B1"));
    // It may be empty: then no element of a group stands there, and none around it.
    let none = r#"{"record":"head","reference":"R1","count":0,"sum":"0.00"}
{"record":"tail"}"#;
    let text = NESTED.replace("ORDER", "").replacen(
        "kind = \"statement\"",
        "kind = \"statement\"\nrows_min = 0",
        1,
    );
    let format = Format::compile("none", &format!("{TOP}{text}")).unwrap();
    let values = Values::parse(&format, KIND, none).unwrap();
    let parts = values.write(&format, KIND).unwrap();
    let (text, _, _) = encoding_rs::GB18030.decode(&parts[0].bytes);
    assert!(text.ends_with("<Sum>0</Sum></Out></s:Body></s:Envelope>"), "{text}");
    assert_eq!(Values::read(&format, KIND, &parts).unwrap(), values);
}

#[test]
fn f44_what_the_description_does_not_say_is_refused_in_groups_too() {
    let format = nested("");
    for (from, to, told) in [
        ("no=\"2\"", "no=\"3\"", "3, as stated"),
        ("count=\"2\"", "count=\"3\"", "3, as stated"),
        ("<Total>3.00</Total></Batch></Out>", "</Batch></Out>", "field sum"),
        (
            "<Total>3.00</Total></Batch></Out>",
            "<Total>3.00</Total><Total>3.00</Total></Batch></Out>",
            "<Total> once",
        ),
        ("<Batch town=\"渔渡镇\">", "<Batch>", "field town"),
        (
            "<Lines count=\"1\">",
            "<Lines count=\"1\"><Lines count=\"1\">",
            "in <Lines> what the format names",
        ),
        (
            "<Count>3</Count><Sum>600</Sum>",
            "<Sum>600</Sum><Count>3</Count>",
            "<Count> once and in its order",
        ),
        ("<Out version=\"120\">", "<Out version=\"121\">", "the constant \"120\""),
        ("<Out version=\"120\">", "<Out>", "field constant"),
        ("<s:Header><t:Ref>R1</t:Ref></s:Header>", "", "field reference"),
        ("</Lines><Total>", "</Lines><New/><Total>", "in <Batch> what the format names"),
        ("<Code>F</Code>", "<Code>F</Code>x", "elements alone"),
        ("<Code>F</Code>", "<Code><b/>F</Code>", "in <Code> a value alone"),
        ("<Code>F</Code>", "<Code>F</Cod>", "</Code>"),
        ("urn:example:soap", "urn:example:soup", "in the namespace urn:example:soap"),
        ("<t:Ref>R1</t:Ref>", "<s:Ref>R1</s:Ref>", "in <s:Header> what the format names"),
        ("standalone=\"yes\"", "standalone=\"maybe\"", "one declaration"),
        ("version=\"1.0\"", "version=\"1.1\"", "one declaration"),
        ("encoding=\"GB18030\"", "encoding=\"GBK\"", "one declaration"),
        ("<Code>F</Code>", "<Code>&#x1FFFE;</Code>", "a reference"),
        ("<Code>F</Code>", "<Code><?x y?>F</Code>", "a processing instruction"),
        ("<Code>F</Code>", "<Code><!-- x -->F</Code>", "a comment"),
    ] {
        assert!(WRITTEN.contains(from), "{from}");
        let error = read(&format, &WRITTEN.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(told), "{to}: {error}");
    }
}

#[test]
fn what_is_said_otherwise_reads_the_same() {
    let format = nested("");
    let values = read(&format, WRITTEN).unwrap();
    for (from, to) in [
        ("<Code>F</Code>", "<Code><![CDATA[F]]></Code>"),
        ("<Code>F</Code>", "<Code>&#70;</Code>"),
        ("<Code>F</Code>", "<Code>&#x0046;</Code>"),
        ("已&amp;入账", "&#24050;&#38;入&#x8D26;"),
        ("<Batch town=\"渔渡镇\">", "<Batch town=\"&#x6E14;渡&#38215;\">"),
        ("<Code>F</Code>", "<!-- 生成 <x> & --><Code>F</Code><?made by=\"somebody\"?>"),
        ("</s:Envelope>", "</s:Envelope>\n<!-- the end --><?x?>"),
        ("</Person></Line>", "</Person><Extra><!-- x --><Any><?x y?>&#x4E2D;</Any></Extra></Line>"),
        ("已&amp;入账", "<![CDATA[已&入]]>账"),
        ("<Note/>", "<Note></Note>"),
        ("<Note/>", "<Note  />"),
        ("<Note/>", ""),
        ("<Line no=\"2\">", "\n <Line no=\"2\" other='&lt;' more=\"\">\t"),
        (
            "</Person></Line>",
            "</Person><Extra><Any a=\"1\"><b>张&amp;<![CDATA[x]]></b></Any></Extra></Line>",
        ),
        ("</Code>", "</Code\n>"),
        ("<Out version", "<Out id=\"7\" version"),
        ("</s:Envelope>", "</s:Envelope>\n"),
        ("<Batch town=\"渔渡镇\">", "<p:Batch xmlns:p=\"urn:example:pay\" town=\"渔渡镇\">"),
    ] {
        assert!(WRITTEN.contains(from), "{from}");
        let mut text = WRITTEN.replacen(from, to, 1);
        if to.contains("p:Batch") {
            text = text.replacen("</Batch>", "</p:Batch>", 1);
        }
        assert_eq!(read(&format, &text).as_ref(), Ok(&values), "{to}");
    }
}

#[test]
fn siblings_stand_in_any_order_where_the_description_says_so() {
    let (fixed, any) = (nested(""), nested("order = \"any\""));
    let values = read(&any, WRITTEN).unwrap();
    let (from, to) = ("<Count>3</Count><Sum>600</Sum>", "<Sum>600</Sum><Count>3</Count>");
    let text = WRITTEN.replace(from, to);
    assert!(read(&fixed, &text).is_err());
    assert_eq!(read(&any, &text), Ok(values));
    // Twice is twice, in any order; and records keep theirs.
    let twice = WRITTEN.replace(from, "<Sum>600</Sum><Count>3</Count><Sum>600</Sum>");
    assert!(read(&any, &twice).unwrap_err().contains("<Sum> once"));
    let (line, code) = ("<Code>F</Code></Line>", "<Person><Note/></Person><Code>F</Code></Line>");
    assert!(read(&any, &WRITTEN.replace(line, code)).is_err());
}

#[test]
fn faults_of_a_document_are_told_where_they_stand() {
    for (from, to, told) in [
        ("path = \"Lines/Line\"\n", "", "a group of a document without its element"),
        ("s:Body/End", "x:Body/End", "there is no prefix \"x\""),
        ("\"s:Body/End\"", "\"s:Body/Out/Batch/X\"", "a path into the group of <Batch>"),
        ("\"s:Body/End\"", "\"s:Header/End\"", "would stand behind"),
        ("\"Extra/*\"", "\"Other/*\"", "<Other> is not described"),
        ("path = \"Person/Name\"", "path = \"Person\"", "<Person> has a value and elements"),
        ("\"s:Body/Out/Batch\"", "\"s:Body/Out/Count\"", "the path of a group is taken"),
        (
            "in = \"payment\"\noccurs = \"0..1\"",
            "in = \"payment\"\noccurs = \"0..n\"",
            "a record that repeats",
        ),
        ("prefixes = {", "prefix = {", "no key \"prefix\""),
        ("ORDER", "order = \"some\"", "there is no \"some\""),
    ] {
        assert!(NESTED.contains(from), "{from}");
        let text = format!("{TOP}{}", NESTED.replacen(from, to, 1).replace("ORDER", ""));
        let problems = Format::compile("faults", &text).unwrap_err();
        let found = problems.list.iter().find(|problem| problem.what.contains(told));
        assert!(found.is_some_and(|problem| problem.line > 0), "{to}: {problems}");
    }
}

/// Gives a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl std::io::Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(into.len());
        into[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn f43_a_stream_reads_as_what_is_in_memory() {
    let format = nested("");
    let whole = bytes(WRITTEN);
    let expected = decode(&format, KIND, &message(whole.clone())).unwrap();
    for step in [1, 7, 4096] {
        for length in [whole.len(), whole.len() - 1, whole.len() / 2] {
            let bytes = PartContent::Stream(Box::new(Slow(&whole[..length], step)));
            let part = PartBytes { role: PartRole::Message, name: String::new(), bytes };
            let mut reading = format.read_streams(KIND, vec![part]).unwrap();
            let mut rows = Vec::new();
            let ended = loop {
                match reading.next() {
                    Ok(Some(Item::Row(row))) => rows.push(row.clone()),
                    Ok(Some(_)) => {}
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            assert_eq!(ended, length == whole.len(), "{step} {length}");
            assert!(!ended || rows == expected.rows);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What our reader takes is well-formed to a second reader too, whatever was done to it.
    #[test]
    fn f44_what_is_taken_is_well_formed(
        at in 0..WRITTEN.len(),
        length in 0_usize..12,
        with in proptest::sample::select(vec![
            "", "<", ">", "</", "/>", "<a>", "</a>", "&", "&amp;", "\"", "'", "=", " ", "x", ":",
            "<![CDATA[", "]]>", "<!--", "-->", "<?", "?>", "xmlns=\"\"", "<Note/>", " a=\"1\"",
        ]),
        other in 0..WRITTEN.len(),
        copied in any::<bool>(),
    ) {
        let whole = bytes(WRITTEN);
        let mut spoiled = whole.clone();
        let (at, other) = (at.min(whole.len()), other.min(whole.len()));
        let end = (at + length).min(whole.len());
        let copy = &whole[other..(other + length).min(whole.len())];
        let with = if copied { copy } else { with.as_bytes() };
        spoiled.splice(at..end, with.iter().copied());
        for format in [nested(""), nested("order = \"any\"")] {
            if Values::read(&format, KIND, &message(spoiled.clone())).is_err() {
                continue;
            }
            let (text, _, broken) = encoding_rs::GB18030.decode(&spoiled);
            prop_assert!(!broken);
            let mut second = quick_xml::Reader::from_str(&text);
            let mut depth = 0_i32;
            loop {
                match second.read_event() {
                    Ok(quick_xml::events::Event::Eof) => break,
                    Ok(quick_xml::events::Event::Start(start)) => {
                        depth += 1;
                        prop_assert!(start.attributes().all(|a| a.is_ok()), "{}", text);
                    }
                    Ok(quick_xml::events::Event::End(_)) => depth -= 1,
                    Ok(_) => {}
                    Err(error) => prop_assert!(false, "{error}: {text}"),
                }
            }
            prop_assert_eq!(depth, 0);
        }
    }
}

#[test]
fn i21_an_attribute_keeps_its_text_too() {
    let format = nested("");
    let text = WRITTEN.replace("town=\"渔渡镇\"", "town='&quot;渔&apos;>'");
    let values = read(&format, &text).unwrap();
    assert_eq!(values.records[1].1.text(Key::Town), Some("\"渔'>"));
    let parts = values.write(&format, KIND).unwrap();
    let again = Values::read(&format, KIND, &parts).unwrap();
    assert_eq!(again, values);
}
