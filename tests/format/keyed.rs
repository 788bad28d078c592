//! Digests with a key, and digests of what stands before them: who holds no key writes and reads nothing,
//! and a message of which one byte is another is held as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartBytes, PartContent, PartRole, example};
use daifa::guard::stated::MacKey;

const GX: &str = "example-gx-tagged";
const KIND: MessageKind = MessageKind::StatusAnswer;

fn gx() -> Format {
    Format::compile(GX, example::example(GX).unwrap()).unwrap()
}

fn answer() -> Part {
    let path = "samples/status_answer.done/message";
    let bytes = example::files(GX).find(|(name, _)| *name == path).unwrap().1.to_vec();
    Part { role: PartRole::Message, name: String::new(), bytes, committing: true }
}

fn with_key(format: Format, key: &str) -> Format {
    let key = MacKey::parse(key).unwrap();
    format.with_secrets(Arc::new(BTreeMap::from([("bank-mac".to_owned(), key)])))
}

fn streamed(format: &Format, part: &Part) -> Result<(), String> {
    let bytes = PartContent::Stream(Box::new(part.bytes.as_slice()));
    let part = PartBytes { role: part.role, name: String::new(), bytes };
    let mut reading = format.read_streams(KIND, vec![part]).map_err(|e| e.to_string())?;
    while reading.next().map_err(|e| e.to_string())?.is_some() {}
    Ok(())
}

#[test]
fn i12_a_message_with_another_mac_is_held_as_a_whole() {
    let format = gx().with_published_secrets();
    let good = answer();
    assert!(Values::read(&format, KIND, std::slice::from_ref(&good)).is_ok());
    assert_eq!(streamed(&format, &good), Ok(()));
    // Any byte behind the header, and each of the MAC itself.
    let mac = 8 + 6 + 2 + 1;
    for at in (mac..mac + 32).chain(58..good.bytes.len()) {
        let mut bad = good.clone();
        bad.bytes[at] = if bad.bytes[at] == b'1' { b'2' } else { b'1' };
        assert!(Values::read(&format, KIND, &[bad.clone()]).is_err(), "byte {at}");
        assert!(streamed(&format, &bad).is_err(), "byte {at}");
    }
    let other = with_key(gx(), "ffffffffffffffffffffffffffffffff");
    let error = Values::read(&other, KIND, std::slice::from_ref(&good)).unwrap_err().to_string();
    assert!(error.contains("field MAC") && error.contains("the HMAC-SM3 of the body"), "{error}");
    assert!(streamed(&other, &good).unwrap_err().contains("HMAC-SM3"));
}

#[test]
fn without_its_key_nothing_is_written_and_nothing_read() {
    let (bare, format) = (gx(), gx().with_published_secrets());
    let good = answer();
    let values = Values::read(&format, KIND, std::slice::from_ref(&good)).unwrap();
    for error in [
        Values::read(&bare, KIND, std::slice::from_ref(&good)).unwrap_err().to_string(),
        values.write(&bare, KIND).unwrap_err().to_string(),
        streamed(&bare, &good).unwrap_err(),
    ] {
        assert!(error.contains("the key bank-mac of this bank"), "{error}");
    }
    let again = values.write(&format, KIND).unwrap();
    assert!(again == [good]);
    let key = MacKey::parse("0123456789ABCDEFFEDCBA9876543210").unwrap();
    assert!(format.is_published("bank-mac", &key) && format.secret_names().eq(["bank-mac"]));
    assert!(format.explain().unwrap().contains(
        "the first 32 hexadecimal digits of HMAC-SM3 with the key `bank-mac` over the body"
    ));
}

#[test]
fn a_key_that_is_not_named_and_one_that_is_none_are_told_with_their_place() {
    let text = example::example(GX).unwrap();
    for (from, to, what) in [
        ("bank-mac = \"0123", "other = \"0123", "there is no key \"bank-mac\""),
        ("0123456789abcdeffedcba9876543210", "0123", "16 to 128 hexadecimal digits"),
        ("secret = \"bank-mac\", ", "", "without secret"),
        ("keep = 32", "keep = 7", "keep: 8 to 64 hexadecimal digits"),
        ("keep = 32", "keep = 65", "keep: 8 to 64 hexadecimal digits"),
        ("algorithm = \"sm3\"", "algorithm = \"sm5\"", "one of md5, sha256, sm3, x9.9, x9.19, sm4"),
        (
            "algorithm = \"sm3\"",
            "algorithm = \"x9.9\"",
            "the MAC of X9.9 needs a key of 16 hexadecimal digits; this one has 32",
        ),
        (
            "algorithm = \"sm3\"",
            "algorithm = \"sm3\", padding = \"one\"",
            "a digest fills its blocks by itself",
        ),
        (
            "computed = \"mac\", algorithm = \"sm3\", secret = \"bank-mac\"",
            "computed = \"digest\", algorithm = \"sm4\"",
            "the CBC-MAC of SM4 is made with a key",
        ),
    ] {
        let told = Format::compile("x", &text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(told.contains(what), "{what}: {told}");
    }
}

/// A list that ends with a digest of all lines before its last.
const SEALED: &str = r#"
language = 1
title = "sealed"
status = "example"
source = "a test"
charset = "GBK"
[limits]
rows_max = 100000
amount_max = "9.99"
sum_max = "99.99"
bytes_max = 10000000
[secrets]
seal = "000102030405060708090a0b0c0d0e0f"
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
layout = "delimited"
separator = "|"
line_end = "LF"
[[message.part.record]]
name = "line"
occurs = "0..n"
fields = [ { literal = "L" }, { own = "a" } ]
[[message.part.record]]
name = "end"
fields = [
  { literal = "E" }, { computed = "digest", algorithm = "sha256", of = "before" },
  { computed = "mac", algorithm = "sha256", secret = "seal", of = "before", keep = 16 },
]
"#;

#[test]
fn i12_a_code_of_a_cipher_is_written_and_compared() {
    let kind = MessageKind::Statement;
    let text = |how: &str| {
        let from = "algorithm = \"sha256\", secret = \"seal\", of = \"before\", keep = 16";
        assert!(SEALED.contains(from));
        SEALED.replace(from, &format!("{how}, secret = \"seal\", of = \"before\", keep = 16"))
    };
    let mut codes = Vec::new();
    for (how, name) in [
        ("algorithm = \"x9.19\"", "the MAC of X9.19"),
        ("algorithm = \"x9.19\", padding = \"one\"", "the MAC of X9.19"),
        ("algorithm = \"sm4\"", "the CBC-MAC of SM4"),
    ] {
        let format = Format::compile("sealed", &text(how)).unwrap().with_published_secrets();
        let lines = "{\"record\":\"line\",\"a\":\"\u{5f20}\"}\n{\"record\":\"end\"}\n";
        let values = Values::parse(&format, kind, lines).unwrap();
        let parts = values.write(&format, kind).unwrap();
        assert!(Values::read(&format, kind, &parts).unwrap() == values);
        let mut bad = parts.clone();
        let last = bad[0].bytes.len() - 2;
        bad[0].bytes[last] = if bad[0].bytes[last] == b'0' { b'1' } else { b'0' };
        let error = Values::read(&format, kind, &bad).unwrap_err().to_string();
        assert!(error.contains(&format!("{name} of what stands before")), "{error}");
        assert!(format.explain().unwrap().contains(name));
        let end = parts[0].bytes.len();
        codes.push(parts[0].bytes[end - 17..end].to_vec());
    }
    codes.dedup();
    assert_eq!(codes.len(), 3, "each is another");
    let format = Format::compile("sealed", &text("algorithm = \"sm4\"")).unwrap();
    let told = format.key_fits("seal", &MacKey::parse(&"0f".repeat(24)).unwrap()).unwrap_err();
    assert!(told.contains("needs a key of 32 hexadecimal digits; this one has 48"), "{told}");
}

#[test]
fn a_digest_of_what_stands_before_closes_however_long_that_is() {
    let format = Format::compile("sealed", SEALED).unwrap().with_published_secrets();
    let kind = MessageKind::Statement;
    for count in [0, 1, 30_000] {
        let line = "{\"record\":\"line\",\"a\":\"\u{5f20}\"}\n";
        let lines = format!("{}{{\"record\":\"end\"}}\n", line.repeat(count));
        let values = Values::parse(&format, kind, &lines).unwrap();
        let parts = values.write(&format, kind).unwrap();
        let before = parts[0].bytes.iter().rposition(|byte| *byte == b'E').unwrap();
        // The digits of the digest have no E: they are lower case.
        let (body, end) = parts[0].bytes.split_at(before);
        let digest = daifa::guard::digest::sha256(body);
        let hex = daifa::guard::key::hex(&digest);
        assert!(end.starts_with(format!("E|{hex}|").as_bytes()), "{count}");
        assert!(Values::read(&format, kind, &parts).unwrap() == values);
        let mut bad = parts.clone();
        let last = bad[0].bytes.len() - 2;
        bad[0].bytes[last] ^= 1;
        let error = Values::read(&format, kind, &bad).unwrap_err().to_string();
        assert!(error.contains("the HMAC-SHA-256 of what stands before"), "{error}");
        if count > 0 {
            let mut bad = parts.clone();
            bad[0].bytes[2] ^= 1;
            assert!(Values::read(&format, kind, &bad).is_err());
        }
    }
}
