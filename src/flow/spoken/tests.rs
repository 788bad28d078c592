//! Whatever a room says, a clerk reads Chinese.

use std::path::{Path, PathBuf};

use super::*;
use crate::finance::wire::read_head;
use crate::format::{FieldError, FieldFault};
use crate::guard::sign::SignError;

fn reads(text: &str) {
    let chinese = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    assert!(chinese && !is_english(text), "{text}");
}

#[test]
fn english_is_three_words_in_a_row() {
    for english in
        ["the count differs", "文件 is not, there yet", "at $: missing field `a` here now too"]
    {
        assert!(is_english(english), "{english}");
    }
    for other in [
        "RJ01 NPS000 卡号不存在",
        "核对无误后由操作员执行 daifa bank resume rural",
        "HP0001.txt 无法读取",
        "B b2e0078 x",
    ] {
        assert!(!is_english(other), "{other}");
    }
}

#[test]
fn every_phrase_is_reached_and_reads_in_chinese() {
    for (at, (english, chinese)) in PHRASES.iter().enumerate() {
        let text = english.replace("{}", "7");
        let before = PHRASES.iter().take(at).find(|(earlier, _)| holes(earlier, &text).is_some());
        assert_eq!(before, None, "{english} is never reached");
        let said = say(&text, DEPTH_MAX).expect("said");
        assert!(!is_english(&said) && !said.contains('{'), "{english}: {said}");
        reads(chinese);
        assert!(
            english.matches("{}").count() >= chinese.matches('{').count(),
            "{english}: {chinese}"
        );
    }
}

#[test]
fn causes_inside_causes_are_said() {
    let text = "the outgoing folder cannot be opened: No such file or directory (os error 2)";
    assert_eq!(chinese(text), "发送目录打不开（不存在）");
    assert_eq!(chinese("R1-3 was already released"), "R1-3 此前已放行");
    assert_eq!(
        chinese("R1 is closed; only a register that is being paid can change"),
        "R1 已办结，不能再作决定"
    );
    let refused = "error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)";
    assert_eq!(chinese(refused), "对方拒绝连接");
    assert_eq!(chinese("a sentence nobody has put into Chinese"), SEE_LOG);
    assert_eq!(chinese("清册已撤销"), "清册已撤销");
}

#[test]
fn every_kind_of_error_reads_in_chinese() {
    for key in Key::ALL {
        reads(key_name(*key));
        let faults = [
            FieldFault::Missing,
            FieldFault::NotEncodable { character: '\u{200b}' },
            FieldFault::TooWide { needed: 9, there: 8 },
            FieldFault::TooShort { taken: 5, there: 7 },
            FieldFault::Padding { pad: ' ' },
            FieldFault::OutOfRange {
                expected: "a day of the calendar and a time of day".to_owned(),
            },
            FieldFault::OutOfRange { expected: "what nobody has said before".to_owned() },
        ];
        for fault in faults {
            reads(&field_error(&FieldError { key: Some(*key), field: "name".to_owned(), fault }));
        }
    }
    for message in MessageKind::ALL {
        for (expected, found) in
            [("4 rows, as the control part states", "3"), ("what nobody said", "x")]
        {
            let error = DataError {
                message: *message,
                part: Some(PartRole::Control),
                record: 3,
                field: "count".to_owned(),
                offset: Some(17),
                found: found.to_owned(),
                expected: expected.to_owned(),
            };
            reads(&data_error(&error));
        }
    }
    let name = || "HP1.txt".to_owned();
    for error in [
        DoorError::Settings("no suffix like that".to_owned()),
        DoorError::Io {
            doing: "opening",
            path: PathBuf::from("/in"),
            source: std::io::Error::from_raw_os_error(13),
        },
        DoorError::Name(name()),
        DoorError::Gone(name()),
        DoorError::NotAFile(name()),
        DoorError::TooLarge { name: name(), bytes: 9, bytes_max: 8 },
        DoorError::Changing(name()),
        DoorError::NoArrivals,
        DoorError::Interrupted,
        DoorError::Hangs { seconds: 120 },
    ] {
        reads(&door_error(&error));
    }
    for error in [
        read_head(b"{}", "A", 1).expect_err("no head"),
        FinanceError::Unreachable("connection refused".to_owned()),
        FinanceError::Rejected {
            status: 404,
            words: "not_found: no such register here".to_owned(),
        },
        FinanceError::Protocol("the JSON breaks off early".to_owned()),
        FinanceError::Signature(SignError::Signature),
        FinanceError::Config("base_url begins with https".to_owned()),
    ] {
        reads(&finance_error(&error));
    }
    for error in [
        FlowError::Altered { what: "R1".to_owned() },
        FlowError::Renamed { reference: "Z000000000001".to_owned(), code: "rural".to_owned() },
        FlowError::Sealed {
            what: "R1-2".to_owned(),
            source: crate::guard::seal::SealError::UnknownKey(1),
        },
        FlowError::Store(crate::store::StoreError::Inconsistent { what: "R1".to_owned() }),
    ] {
        reads(&flow_error(&error));
    }
}

/// The sources of a room, without its tests.
fn sources(folder: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("one").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, all);
        } else if name != "tests.rs" {
            let text = std::fs::read_to_string(&path).expect("read");
            all.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

/// What a reader of messages expects is written in English in many places; none of them is forgotten.
#[test]
fn whatever_a_message_is_expected_to_be_has_its_chinese() {
    let before = r#"(?:let expected = |expected: |self\.here\(\s*|self\.fault\(\s*|out_of_range\(\s*|not\(bytes, |whole\([a-z.]+, |let what = match of \{[^"]*|DigestOf::Body => |Decimals::[A-Za-z |:]+\) => \{\s*|\(None, scale, _\) => \{\s*|let zeros = if units > 1 \{ )"#;
    let sentence = format!(r#"{before}&?(?:format!\()?"((?:[^"\\]|\\.)*)""#);
    let sentence = regex::Regex::new(&sentence).expect("a pattern");
    let hole = regex::Regex::new(r"\{[^}]*\}").expect("a pattern");
    let mut texts = Vec::new();
    for file in [
        "lines",
        "xml/element.rs",
        "xml/markup.rs",
        "xml/read.rs",
        "xml/record.rs",
        "reading.rs",
        "opening.rs",
        "cell.rs",
        "moment.rs",
        "number.rs",
        "text.rs",
        "writing.rs",
        "closing.rs",
        "condition.rs",
        "sums.rs",
    ] {
        let path = Path::new("src/format").join(file);
        if path.is_dir() {
            sources(&path, &mut texts);
        } else {
            let text = std::fs::read_to_string(&path).expect("read");
            texts.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
    let mut found = 0;
    for text in &texts {
        for said in sentence.captures_iter(text).filter_map(|all| all.get(1)) {
            let text = hole.replace_all(said.as_str(), "7").into_owned();
            // The unit of a number is one of those in the list.
            let text = text.replace("7 as", "yuan as");
            let text =
                if text.starts_with(',') { format!("yuan as digits alone{text}") } else { text };
            let chinese = say(&text, DEPTH_MAX);
            assert!(chinese.is_some_and(|chinese| chinese != text), "{text} has no Chinese");
            found += 1;
        }
    }
    assert!(found > 60, "the sources are written otherwise: {found}");
}
