//! `bank-formats/README.md` names every key that the compiler knows. What it knows it tells by
//! itself: a key that is not known is answered with those that are.

use std::collections::BTreeSet;

use daifa::format::Format;

use crate::formats_dir;

/// A description in which every table has a key that there is not.
const EVERYTHING: &str = r#"
language = 1
title = "x"
status = "example"
source = "x"
charset = "GBK"
zzz = 1
[limits]
zzz = 1
[secrets]
bank = "000102030405060708090a0b0c0d0e0f"
[codes.answers]
0 = { zzz = 1 }
[[message]]
kind = "payment_request"
zzz = 1
[[message.part]]
role = "data"
layout = "fixed"
line_end = "CRLF"
zzz = 1
[message.part.block]
zzz = 1
[message.part.frame]
zzz = 1
[[message.part.group]]
zzz = 1
[[message.part.record]]
zzz = 1
[message.part.record.when]
zzz = 1
[[message.part.record.fields]]
literal = "x"
zzz = 1
FIELDS
[[message.part]]
role = "side"
layout = "delimited"
line_end = "LF"
separator = ","
zzz = 1
[[message.part.record]]
is = "head"
zzz = 1
[[message.part.record.fields]]
literal = "x"
zzz = 1
[[message.part]]
role = "control"
layout = "tagged"
line_end = "LF"
zzz = 1
[[message.part.record]]
[[message.part.record.fields]]
literal = "x"
zzz = 1
[[message.part]]
role = "message"
layout = "xml"
root = "x"
zzz = 1
[[message.part.group]]
name = "x"
path = "x"
zzz = 1
[[message.part.record]]
is = "head"
zzz = 1
[[message.part.record.fields]]
literal = "x"
zzz = 1
"#;

/// What a field may say depends on what stands in it.
const FIELDS: &[&str] = &[
    "key = \"ordinal\"",
    "key = \"payee_name\"",
    "key = \"payee_name\"\nmap = { x = \"y\" }",
    "key = \"amount\"\nunit = \"fen\"\nscale = 0",
    "key = \"moment\"\npattern = \"yyyy\"",
    "own = \"text\"",
    "own = \"fee\"\ntype = \"decimal\"\nscale = 1\npoint = true",
    "computed = \"count\"",
    "computed = \"sequence\"",
    "computed = \"sum\"\nvalue = \"amount\"\nunit = \"fen\"\nscale = 0",
    "computed = \"hash\"\nvalue = \"account\"\nkeep = 3",
    "computed = \"digest\"\nalgorithm = \"md5\"\nof = \"side\"",
    "computed = \"mac\"\nalgorithm = \"md5\"\nsecret = \"bank\"\nof = \"side\"",
    "computed = \"length\"\nof = \"body\"\nbinary = \"big\"",
    "computed = \"part_name\"\nof = \"side\"",
    "sign_of = \"fee\"",
    "own = \"packed\"\ntype = \"integer\"\nspelled = \"packed\"\nwidth = 3",
    "computed = \"check_digit\"\nalgorithm = \"luhn\"",
];

/// Every key that the compiler tells of, when asked for one that there is not.
fn known() -> BTreeSet<String> {
    let field = |field: &&str| ["[[message.part.record.fields]]\n", *field, "\nzzz = 1\n"].concat();
    let fields = FIELDS.iter().map(field).collect::<Vec<String>>().concat();
    let problems = Format::compile("x", &EVERYTHING.replace("FIELDS", &fields)).unwrap_err();
    let hints = problems.list.iter().filter_map(|problem| problem.hint.strip_prefix("keys are "));
    hints.flat_map(|hint| hint.split(", ").map(str::to_owned)).collect()
}

#[test]
fn the_reference_names_every_key() {
    let known = known();
    // All tables were asked, and all sorts of fields.
    for key in ["bytes_max", "answer", "rows_min", "fill", "occurs", "not", "signs", "keep", "tag"]
    {
        assert!(known.contains(key), "{key} of {known:?}");
    }
    assert!(known.len() > 70, "{}: {known:?}", known.len());
    let text = std::fs::read_to_string(formats_dir().join("README.md")).unwrap();
    let unnamed: Vec<&String> = known
        .iter()
        .filter(|key| {
            let named =
                [format!("`{key}`"), format!(".{key}]"), format!("[{key}"), format!("`{key} =")];
            !named.iter().any(|named| text.contains(named.as_str()))
        })
        .collect();
    assert!(unnamed.is_empty(), "bank-formats/README.md says nothing of {unnamed:?}");
}

#[test]
fn the_reference_names_every_word_of_a_value_and_a_message() {
    use daifa::format::{Key, MessageKind, PartRole};
    let text = std::fs::read_to_string(formats_dir().join("README.md")).unwrap();
    let keys = Key::ALL.iter().map(|key| key.as_str());
    let kinds = MessageKind::ALL.iter().map(|kind| kind.as_str());
    let roles = PartRole::ALL.iter().map(|role| role.as_str());
    for word in keys.chain(kinds).chain(roles) {
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
}
