//! I21: what is written reads back, over whole character sets and all amounts.

use daifa::format::{FieldFault, Item, Key, MessageKind, PartRole, Record, Value};
use daifa::model::money::Fen;
use proptest::prelude::*;

use crate::{CITY, RURAL, decode, format, head, row};

const KIND: MessageKind = MessageKind::PaymentRequest;

/// Characters that no bank takes, in any character set.
fn refused(character: char) -> bool {
    matches!(u32::from(character),
        0..=0x1F | 0x7F..=0x9F | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFEFF | 0xFFFD | 0xF_0000..)
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Writes and reads names that hold every given character, `in_name` to a name.
fn all_characters(name: &str, characters: &[char], in_name: usize) {
    let format = format(name);
    let rows_max = format.limits().rows_max;
    for file in characters.chunks(in_name * rows_max) {
        let rows: Vec<Record> = file
            .chunks(in_name)
            .zip(1..)
            .map(|(characters, ordinal)| {
                let inside: String = characters.iter().collect();
                row(ordinal, &format!("a{inside}b"), ordinal)
            })
            .collect();
        let parts = format.encode(KIND, &head(), &rows).unwrap();
        let mut reading = format.read(KIND, &parts).unwrap();
        let mut expected = rows.iter();
        while let Some(item) = reading.next().unwrap() {
            if let Item::Row(read) = item {
                let wrote = expected.next().unwrap();
                assert_eq!(read.text(Key::PayeeName), wrote.text(Key::PayeeName));
                assert_eq!(read.amount(Key::Amount), wrote.amount(Key::Amount));
            }
        }
        assert_eq!(reading.totals().count, rows.len());
    }
}

#[test]
fn i21_every_character_of_gb18030_in_a_fixed_width_name() {
    let all: Vec<char> =
        (0..=0x10_FFFF).filter_map(char::from_u32).filter(|c| !refused(*c)).collect();
    assert!(all.len() > 970_000);
    all_characters(RURAL, &all, 14);
}

#[test]
fn i21_every_character_of_gbk_in_an_xml_name() {
    let format = format(CITY);
    let mut fitter = format.fitter(KIND);
    let head = head();
    let all: Vec<char> = (0..=0xFFFF)
        .filter_map(char::from_u32)
        .filter(|c| !refused(*c))
        .filter(|c| fitter.check(&head, &row(1, &c.to_string(), 1)).is_ok())
        .collect();
    assert!((21_800..23_960).contains(&all.len()), "{}", all.len());
    all_characters(CITY, &all, 29);
}

fn name() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('\u{4E00}', '\u{9FA5}'),
        1 => proptest::char::range('!', '~'),
        1 => proptest::char::any(),
    ];
    proptest::collection::vec(character, 1..30).prop_map(|characters| characters.iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What the fitter takes is written and reads back; what it refuses is not written at all.
    #[test]
    fn i21_f41_f42_a_message_is_written_exactly_or_not_at_all(
        payments in proptest::collection::vec((name(), 1..=999_999_999_i64), 1..8),
    ) {
        for name in [RURAL, CITY] {
            let format = format(name);
            let mut fitter = format.fitter(KIND);
            let rows: Vec<Record> =
                payments.iter().zip(1..).map(|((name, fen), at)| row(at, name, *fen)).collect();
            let fits = rows.iter().all(|row| fitter.check(&head(), row).is_ok());
            let written = format.encode(KIND, &head(), &rows);
            prop_assert_eq!(written.is_ok(), fits);
            let Ok(parts) = written else { continue };
            let values = decode(&format, KIND, &parts).unwrap();
            prop_assert_eq!(values.rows.len(), rows.len());
            let sum: i64 = payments.iter().map(|(_, fen)| fen).sum();
            prop_assert_eq!(values.head.amount(Key::Sum), Some(Fen::new(sum)));
            for (read, wrote) in values.rows.iter().zip(&rows) {
                // Everything that was given stands there again.
                let mut given = read.clone();
                given.unset(Key::Summary);
                prop_assert!(&given == wrote);
                prop_assert_eq!(read.amount(Key::Amount), wrote.amount(Key::Amount));
            }
        }
    }
}

#[test]
fn i21_amounts_to_the_highest() {
    for name in [RURAL, CITY] {
        let format = format(name);
        let most = format.limits().amount_max;
        for fen in [1, 9, 10, 99, 100, 101, 12_345, most.get() - 1, most.get()] {
            let parts = format.encode(KIND, &head(), &[row(1, "某", fen)]).unwrap();
            let values = decode(&format, KIND, &parts).unwrap();
            assert_eq!(values.rows[0].amount(Key::Amount), Some(Fen::new(fen)));
        }
        for fen in [0, -1, most.get() + 1, i64::MAX, i64::MIN] {
            let error = format.encode(KIND, &head(), &[row(1, "某", fen)]).unwrap_err();
            assert_eq!((error.record, error.field.as_str()), (2, "amount"), "{fen}");
        }
    }
}

#[test]
fn f41_f42_what_does_not_fit_is_told_by_field() {
    let rural = format(RURAL);
    let city = format(CITY);
    let fault = |format: &daifa::format::Format, row: &Record| {
        format.fitter(KIND).check(&head(), row).map_err(|error| (error.key, error.fault))
    };
    // Sixty bytes: fifteen characters of four bytes fit, one byte more does not.
    assert_eq!(fault(&rural, &row(1, &"𠮷".repeat(15), 1)), Ok(()));
    let wide = FieldFault::TooWide { needed: 61, there: 60 };
    let name = Some(Key::PayeeName);
    assert_eq!(
        fault(&rural, &row(1, &format!("{}a", "𠮷".repeat(15)), 1)),
        Err((name, wide.clone()))
    );
    assert_eq!(fault(&city, &row(1, &format!("{}a", "张".repeat(30)), 1)), Err((name, wide)));
    // Escaping does not count: sixty signs of XML are sixty bytes to the bank.
    assert_eq!(fault(&city, &row(1, &"<".repeat(60), 1)), Ok(()));
    let character = |character| FieldFault::NotEncodable { character };
    assert_eq!(fault(&city, &row(1, "张𠮷", 1)), Err((name, character('𠮷'))));
    assert_eq!(fault(&city, &row(1, "阿•某", 1)), Err((name, character('•'))));
    assert_eq!(fault(&rural, &row(1, "a\nb", 1)), Err((name, character('\n'))));
    assert_eq!(fault(&rural, &row(1, "\u{E863}", 1)), Err((name, character('\u{E863}'))));
    assert_eq!(fault(&rural, &row(1, "某 ", 1)), Err((name, FieldFault::Padding { pad: ' ' })));
    assert_eq!(fault(&rural, &row(1, "", 1)), Err((name, FieldFault::Missing)));
    let mut fullwidth = row(1, "某", 1);
    fullwidth.set(Key::Account, Value::Text("６2"));
    assert_eq!(fault(&rural, &fullwidth), Err((Some(Key::Account), character('６'))));
    // An account that always fills its field is not written shorter.
    let always = "\"account\", width = 32, only = \"ascii\", full = true";
    let account = "\"account\", width = 32, only = \"ascii\", pad = \" \", side = \"left\"";
    let full = rural.text().replacen(account, always, 1);
    let full = daifa::format::Format::compile("full", &full).unwrap();
    let mut filled = row(1, "某", 1);
    filled.set(Key::Account, Value::Text(&"62".repeat(16)));
    assert_eq!(fault(&full, &filled), Ok(()));
    filled.set(Key::Account, Value::Text("6222620000000000017"));
    let short = FieldFault::TooShort { taken: 19, there: 32 };
    assert_eq!(fault(&full, &filled), Err((Some(Key::Account), short)));
    // The summary of the head is one of the values that must fit.
    let mut head = head();
    head.set(Key::Summary, Value::Text(&"补".repeat(21)));
    let error = rural.fitter(KIND).check(&head, &row(1, "某", 1)).unwrap_err();
    assert_eq!(error.key, Some(Key::Summary));
}

#[test]
fn i20_count_and_sum_come_from_the_rows_alone() {
    for name in [RURAL, CITY] {
        let format = format(name);
        let mut stated = head();
        stated.set(Key::Count, Value::Int(1));
        stated.set(Key::Sum, Value::Amount(Fen::new(5)));
        assert!(format.encode(KIND, &stated, &[row(1, "某", 5)]).is_ok());
        assert!(format.encode(KIND, &stated, &[row(1, "某", 6)]).is_err());
        assert!(format.encode(KIND, &stated, &[row(1, "某", 4), row(2, "某", 1)]).is_err());
        let none: &[Record] = &[];
        assert!(format.encode(KIND, &head(), none).is_err());
        let rows_max = format.limits().rows_max;
        let many: Vec<Record> = (0..=rows_max).map(|_| row(1, "某", 1)).collect();
        assert!(format.encode(KIND, &head(), &many).is_err());
        assert!(format.encode(KIND, &head(), &many[1..]).is_ok());
    }
}

#[test]
fn f51_the_control_part_comes_last_and_commits() {
    let parts = format(RURAL).encode(KIND, &head(), &[row(1, "某", 1)]).unwrap();
    let roles: Vec<_> = parts.iter().map(|part| (part.role, part.committing)).collect();
    assert_eq!(roles, [(PartRole::Data, false), (PartRole::Control, true)]);
    assert_eq!(parts[0].name, "DFEX20261123-0001.txt");
    let parts = format(CITY).encode(KIND, &head(), &[row(1, "某", 1)]).unwrap();
    assert_eq!((parts.len(), parts[0].committing), (1, true));
}

#[test]
fn what_the_bank_says_of_the_whole_is_not_said_of_a_row() {
    let mut head = head();
    head.set(Key::Code, Value::Text("B003"));
    head.set(Key::Text, Value::Text("处理完毕"));
    let format = format(CITY);
    let kind = MessageKind::StatusAnswer;
    let row = crate::answered(1, 100, "S");
    let parts = format.encode(kind, &head, std::slice::from_ref(&row)).unwrap();
    let read = decode(&format, kind, &parts).unwrap();
    assert_eq!(read.rows, std::slice::from_ref(&row));
    // A row without its own code is an error, and so is a code that no table has.
    for code in ["", "B003", "F77"] {
        let mut other = row.clone();
        other.set(Key::Code, Value::Text(code));
        assert!(format.encode(kind, &head, &[other]).is_err(), "{code}");
    }
    head.set(Key::Code, Value::Text("B777"));
    assert!(format.encode(kind, &head, &[row]).is_err());
}

/// Every layout with one text in its record, in GB18030.
const LAYOUTS: [&str; 5] = [
    "layout = \"fixed\"\nline_end = \"LF\"\n[[message.part.record]]\nname = \"r\"\noccurs = \"0..n\"\nfields = [ { own = \"name\", width = 122, pad = \" \", side = \"left\" } ]",
    "layout = \"fixed\"\nwidths = \"characters\"\nline_end = \"none\"\n[[message.part.record]]\nname = \"r\"\noccurs = \"0..n\"\nfields = [ { own = \"name\", width = 40, pad = \" \", side = \"right\" } ]",
    "layout = \"delimited\"\nseparator = \"|\"\nquote = \"\\\"\"\nline_end = \"CR\"\n[[message.part.record]]\nname = \"r\"\noccurs = \"0..n\"\nfields = [ { literal = \"@\" }, { own = \"name\" } ]",
    "layout = \"tagged\"\nline_end = \"none\"\n[[message.part.record]]\nname = \"r\"\noccurs = \"0..n\"\nfields = [ { tag = \"N\", own = \"name\" } ]",
    "layout = \"xml\"\nroot = \"R\"\n[[message.part.record]]\nname = \"r\"\noccurs = \"0..n\"\npath = \"A\"\nfields = [ { path = \"@n\", own = \"name\" } ]",
];

#[test]
fn i21_every_character_of_gb18030_in_every_layout() {
    let kind = MessageKind::Statement;
    for part in LAYOUTS {
        let text = format!(
            "language = 1\ntitle = \"all\"\nstatus = \"example\"\nsource = \"a test\"\ncharset = \"GB18030\"\n[limits]\nrows_max = 1\namount_max = \"1.00\"\nsum_max = \"1.00\"\nbytes_max = 10000000\n[[message]]\nkind = \"statement\"\n[[message.part]]\nrole = \"message\"\ncommitting = true\n{part}\n"
        );
        let format = daifa::format::Format::compile("all", &text);
        let format = format.unwrap_or_else(|problems| panic!("{problems}"));
        let mut all: Vec<char> =
            (0..=0x10_FFFF).filter_map(char::from_u32).filter(|c| !refused(*c)).collect();
        // The two signs that a run of tags cannot have.
        all.retain(|c| !part.contains("tagged") || !matches!(c, '<' | '>'));
        for characters in all.chunks(30 * 2000) {
            let lines: Vec<String> = characters
                .chunks(30)
                .map(|characters| {
                    let name: String = characters.iter().collect();
                    serde_json::json!({"record": "r", "name": format!("a{name}b")}).to_string()
                })
                .collect();
            let lines = lines.join("\n");
            let values = daifa::format::sample::Values::parse(&format, kind, &lines).unwrap();
            let parts = values.write(&format, kind).unwrap();
            let read = daifa::format::sample::Values::read(&format, kind, &parts).unwrap();
            assert!(read == values, "{part}");
        }
    }
}
