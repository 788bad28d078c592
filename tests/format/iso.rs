//! ISO 20022: what is written is valid, and what others write in another spelling reads the same.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use daifa::format::sample::{self, Values};
use daifa::format::{Item, Key, MessageKind, Record, Value};
use daifa::model::money::Fen;

use crate::{decode, format, formats_dir, head, message};

const OF_2009: &str = "example-iso20022-03";
const OF_2019: &str = "example-iso20022-09";
const REQUEST: MessageKind = MessageKind::PaymentRequest;

/// The schemas lie beside the project; where they do not, what is said about them is not proved.
fn schema(bytes: &[u8]) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/iso20022");
    if !folder.exists() {
        eprintln!("skipped: there is no {}", folder.display());
        return None;
    }
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (_, rest) = text.split_once("urn:iso:std:iso:20022:tech:xsd:").unwrap();
    let (name, _) = rest.split_once('"').unwrap();
    let path = folder.join(format!("{name}.xsd"));
    // The older status report has no schema there.
    (path.exists() || name != "pain.002.001.03").then_some(path)
}

/// What xmllint says of a document; nothing where it is valid.
fn faults(bytes: &[u8], schema: &Path) -> Option<String> {
    let mut child = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint of libxml2-utils, which tests/run installs");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let done = child.wait_with_output().unwrap();
    (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Every sample of both, as it is written from its values.
fn samples() -> Vec<(String, MessageKind, Vec<u8>)> {
    let mut all = Vec::new();
    for name in [OF_2009, OF_2019] {
        let format = format(name);
        for entry in std::fs::read_dir(formats_dir().join(name).join("samples")).unwrap() {
            let dir = entry.unwrap().path();
            let label = dir.file_name().unwrap().to_string_lossy().into_owned();
            let kind = MessageKind::parse(label.split('.').next().unwrap()).unwrap();
            // What is only read is the bank's own spelling.
            let Ok(text) = std::fs::read_to_string(dir.join(sample::VALUES)) else { continue };
            let values = Values::parse(&format, kind, &text).unwrap();
            let parts = values.write(&format, kind).unwrap();
            all.push((name.to_owned(), kind, parts[0].bytes.clone()));
        }
    }
    assert!(all.len() >= 13, "{}", all.len());
    all
}

#[test]
fn i21_written_iso_messages_are_valid() {
    let mut valid = 0;
    for (name, kind, bytes) in samples() {
        let Some(schema) = schema(&bytes) else { continue };
        assert_eq!(faults(&bytes, &schema), None, "{name} {kind}");
        valid += 1;
        // The schema does tell: the same with an element too many is refused.
        let text = String::from_utf8(bytes).unwrap();
        let spoiled = text.replacen("</GrpHdr>", "<New/></GrpHdr>", 1);
        assert!(faults(spoiled.as_bytes(), &schema).is_some());
    }
    eprintln!("{valid} messages are valid");
}

fn payment(ordinal: i64, fen: i64) -> Record {
    let mut row = crate::row(ordinal, "欧阳 O'Neil & <子>", fen);
    row.set(Key::Summary, Value::Text("耕地地力保护补贴"));
    row
}

#[test]
fn i21_what_the_road_writes_is_valid_with_and_without_what_may_be_absent() {
    for name in [OF_2009, OF_2019] {
        let format = format(name);
        let mut without = payment(2, 1);
        without.unset(Key::DocumentNumber);
        let mut head = head();
        for department in [None, Some("县农业农村局")] {
            if let Some(department) = department {
                head.set(Key::Department, Value::Text(department));
            }
            let rows = [payment(1, 999_999_999), without.clone()];
            let parts = format.encode(REQUEST, &head, &rows).unwrap();
            let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
            assert!(text.contains("<CtrlSum>10000000.00</CtrlSum>"), "{text}");
            assert_eq!(text.matches("<NbOfTxs>2</NbOfTxs>").count(), 2);
            // A constant stands beside its value alone, and no element stands empty.
            assert_eq!(text.matches("<SchmeNm><Cd>NIDN</Cd></SchmeNm>").count(), 1);
            assert!(!text.contains("></Cdtr>") || !text.contains("<Id></Id>"), "{text}");
            if let Some(schema) = schema(&parts[0].bytes) {
                assert_eq!(faults(&parts[0].bytes, &schema), None, "{name}");
            }
            let read = decode(&format, REQUEST, &parts).unwrap();
            assert_eq!(read.head.text(Key::Reference), head.text(Key::Reference));
            assert_eq!(read.rows[1].amount(Key::Amount), Some(Fen::new(1)));
            assert_eq!(read.rows[0].text(Key::PayeeName), Some("欧阳 O'Neil & <子>"));
        }
    }
}

/// Prefixes, blanks between elements, single quotes and empty elements are another spelling of the
/// same document.
#[test]
fn another_spelling_of_a_document_reads_the_same() {
    for (name, kind, bytes) in samples() {
        let format = format(&name);
        let plain = Values::read(&format, kind, &message(bytes.clone())).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let prefixed = text
            .replace("</", "\u{1}")
            .replace("<?", "\u{2}")
            .replace('<', "\r\n\t<p:")
            .replace('\u{1}', "</p:")
            .replace('\u{2}', "<?")
            .replace(" xmlns=", " xmlns:p=")
            .replace("Ccy=\"CNY\">", "Ccy = 'CNY' >");
        let read = Values::read(&format, kind, &message(prefixed.clone().into_bytes()));
        // A line break before a start tag is no text: only elements without a value have it inside.
        assert_eq!(read.unwrap(), plain, "{prefixed}");
        let other = text.replace("tech:xsd:", "tech:xsd:other.");
        let refused = Values::read(&format, kind, &message(other.into_bytes())).unwrap_err();
        assert!(refused.to_string().contains("in the namespace urn:iso"), "{refused}");
        let none = text.replacen(" xmlns=\"urn", " xmlns:x=\"urn", 1);
        assert!(Values::read(&format, kind, &message(none.into_bytes())).is_err());
        let undeclared = text.replacen("<GrpHdr>", "<q:GrpHdr>", 1);
        let undeclared = undeclared.replacen("</GrpHdr>", "</q:GrpHdr>", 1);
        let refused = Values::read(&format, kind, &message(undeclared.into_bytes())).unwrap_err();
        assert!(refused.to_string().contains("a prefix that is declared"), "{refused}");
    }
}

#[test]
fn f39_counts_and_sums_of_each_instruction_close() {
    let format = format(OF_2019);
    let dir = formats_dir().join(OF_2019).join("samples/payment_request.two_instructions");
    let bytes = std::fs::read(dir.join("message.xml")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let read = |text: &str| Values::read(&format, REQUEST, &message(text.as_bytes().to_vec()));
    assert_eq!(read(&text).unwrap().records.len(), 6);
    for (from, to) in [
        ("<NbOfTxs>2</NbOfTxs>", "<NbOfTxs>3</NbOfTxs>"),
        ("<NbOfTxs>1</NbOfTxs>", "<NbOfTxs>0</NbOfTxs>"),
        ("<CtrlSum>9999999.99</CtrlSum>", "<CtrlSum>9999999.98</CtrlSum>"),
        ("<CtrlSum>1234.51</CtrlSum>", "<CtrlSum>1234.5</CtrlSum>"),
        ("<CtrlSum>10001234.50</CtrlSum>", "<CtrlSum>10001234.51</CtrlSum>"),
        ("<NbOfTxs>3</NbOfTxs>", "<NbOfTxs>4</NbOfTxs>"),
        ("Ccy=\"CNY\"", "Ccy=\"USD\""),
        (" Ccy=\"CNY\"", ""),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        assert!(read(&changed).is_err(), "{to}");
    }
}

#[test]
fn f37_a_status_with_its_reason_is_one_code() {
    let format = format(OF_2009);
    let kind = MessageKind::Result;
    let dir = formats_dir().join(OF_2009).join("samples/result");
    let bytes = std::fs::read(dir.join("message.xml")).unwrap();
    let mut codes = Vec::new();
    let parts = message(bytes.clone());
    let mut reading = format.read(kind, &parts).unwrap();
    while let Some(item) = reading.next().unwrap() {
        if let Item::Row(row) = item {
            codes.push(row.text(Key::Code).unwrap().to_owned());
        }
    }
    assert_eq!(codes, ["ACSC", "RJCT/BE01", "PDNG"]);
    let text = String::from_utf8(bytes).unwrap();
    // A bank may say more than one reason and more than one line: the first is taken.
    let more = "</StsRsnInf><StsRsnInf><AddtlInf>又</AddtlInf></StsRsnInf>";
    let text = text.replacen("</AddtlInf>", "</AddtlInf><AddtlInf>续</AddtlInf>", 1);
    let text = text.replacen("</StsRsnInf>", more, 1);
    let read = Values::read(&format, kind, &message(text.into_bytes())).unwrap();
    assert_eq!(read.records[3].1.text(Key::Text), Some("户名不符"));
}
