use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

impl Charset {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().map(|(charset, _)| *charset)
    }
}

fn decode(charset: Charset, bytes: &[u8]) -> Result<String, BadBytes> {
    let mut out = String::new();
    charset.decode_into(bytes, Controls::None, &mut out).map(|()| out)
}

fn encode(charset: Charset, text: &str) -> Result<Vec<u8>, char> {
    let mut out = Vec::new();
    charset.encode_into(text, &mut out).map(|()| out)
}

/// The bytes of a text that has its place in this character set.
fn bytes_of(charset: Charset, text: &str) -> Vec<u8> {
    encode(charset, text).unwrap()
}

fn every_character() -> impl Iterator<Item = char> {
    (0..=0x10_FFFF).filter_map(char::from_u32)
}

/// The characters that each character set has.
static CHARACTERS: LazyLock<Vec<(Charset, Vec<char>)>> = LazyLock::new(|| {
    let mut bytes = Vec::new();
    let mut has = |charset: Charset, character: char| {
        bytes.clear();
        charset.encode_into(character.encode_utf8(&mut [0; 4]), &mut bytes).is_ok()
    };
    let all = |charset| (charset, every_character().filter(|c| has(charset, *c)).collect());
    Charset::all().map(all).collect()
});

fn characters(charset: Charset) -> &'static [char] {
    &CHARACTERS.iter().find(|(other, _)| *other == charset).unwrap().1
}

#[test]
fn i21_every_character_of_every_character_set_reads_back() {
    let (mut counts, mut expected) = (Vec::new(), Vec::new());
    // How many there are: a character more or less is a change that banks notice.
    for (charset, count) in [
        (Charset::Gb18030, 974_463),
        (Charset::Gbk, 21_791 + 95),
        (Charset::Gb2312, 682 + 6_763 + 95),
        (Charset::Utf8, 974_463),
        (Charset::Utf16Be, 974_463),
        (Charset::Utf16Le, 974_463),
        (Charset::Ascii, 95),
        (Charset::Latin1, 95 + 96),
        (Charset::Windows1252, 95 + 96 + 27),
        (Charset::Big5, 13_526 + 95),
        (Charset::ShiftJis, 7_326 + 63 + 95),
        (Charset::EucKr, 17_048 + 95),
        (Charset::Cp037, 95 + 96),
        (Charset::Cp935, 7_474 + 100),
        (Charset::Cp1388, 30_484 + 100),
    ]
    .into_iter()
    .chain(page::counts())
    {
        let found = characters(charset);
        for character in found {
            let text = character.to_string();
            let bytes = bytes_of(charset, &text);
            assert_eq!(decode(charset, &bytes).as_ref(), Ok(&text), "{charset:?}");
            assert!(!is_refused(*character), "{charset:?} {text:?}");
            assert_eq!(charset.count(&bytes), 1, "{charset:?} {text}");
            assert_eq!(charset.count(&bytes_of(charset, &format!("{text}{text}b"))), 3);
            assert!(bytes.len() <= charset.character_bytes_max());
            assert_eq!(charset.characters(&bytes, 1), Some(bytes.len()), "{charset:?} {text}");
            assert_eq!(charset.characters(&bytes, 2), None);
            assert_eq!(charset.cut(&[&bytes[..], &bytes].concat(), bytes.len()), bytes.len());
        }
        counts.push((charset, found.len()));
        expected.push((charset, count));
    }
    assert_eq!(counts, expected);
}

#[test]
fn i21_gb18030_and_unicode_have_every_character_that_is_not_refused() {
    for charset in [Charset::Gb18030, Charset::Utf8, Charset::Utf16Be, Charset::Utf16Le] {
        let mut found = characters(charset).iter();
        for character in every_character().filter(|character| !is_refused(*character)) {
            assert_eq!(found.next(), Some(&character), "{charset:?}");
        }
    }
}

#[test]
fn i21_tables_agree_with_encoding_rs() {
    // A table holds nothing that encoding_rs would write or read otherwise.
    let read = |encoding: &'static encoding_rs::Encoding, bytes: &[u8]| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(String::from)
    };
    for (charset, encoding) in [
        (Charset::Gb18030, encoding_rs::GB18030),
        (Charset::Gbk, encoding_rs::GBK),
        (Charset::Gb2312, encoding_rs::GBK),
        (Charset::Big5, encoding_rs::BIG5),
        (Charset::ShiftJis, encoding_rs::SHIFT_JIS),
        (Charset::EucKr, encoding_rs::EUC_KR),
        (Charset::Windows1252, encoding_rs::WINDOWS_1252),
        (Charset::Page(0), encoding_rs::WINDOWS_1250),
        (Charset::Page(1), encoding_rs::WINDOWS_1251),
        (Charset::Page(2), encoding_rs::WINDOWS_1253),
        (Charset::Page(3), encoding_rs::WINDOWS_1254),
        (Charset::Page(4), encoding_rs::WINDOWS_1255),
        (Charset::Page(5), encoding_rs::WINDOWS_1256),
        (Charset::Page(6), encoding_rs::WINDOWS_1257),
        (Charset::Page(7), encoding_rs::WINDOWS_874),
        (Charset::Page(8), encoding_rs::ISO_8859_2),
        (Charset::Page(9), encoding_rs::ISO_8859_5),
        (Charset::Page(10), encoding_rs::ISO_8859_7),
        (Charset::Page(12), encoding_rs::ISO_8859_15),
        (Charset::Page(13), encoding_rs::KOI8_R),
        (Charset::Page(18), encoding_rs::IBM866),
        (Charset::Utf16Be, encoding_rs::UTF_16BE),
        (Charset::Utf16Le, encoding_rs::UTF_16LE),
    ] {
        for character in characters(charset) {
            let text = character.to_string();
            let bytes = bytes_of(charset, &text);
            assert_eq!(read(encoding, &bytes).as_ref(), Some(&text), "{charset:?}");
            // Windows writes it as Big5 does; encoding_rs for Hong Kong only.
            let is_own = charset == Charset::Big5 && *character == '仝';
            if charset.has_ascii() && !is_own {
                let (written, _, lost) = encoding.encode(&text);
                assert_eq!((&*written, lost), (&bytes[..], false), "{charset:?} {text}");
            }
        }
    }
}

#[test]
fn i21_every_spelling_that_is_read_is_the_one_that_is_written() {
    let mut text = String::new();
    let mut again = Vec::new();
    for charset in Charset::all() {
        let mut judge = |bytes: &[u8]| {
            text.clear();
            again.clear();
            if charset.decode_into(bytes, Controls::None, &mut text).is_ok() {
                assert_eq!(charset.encode_into(&text, &mut again), Ok(()));
                assert_eq!(again, bytes, "{charset:?}");
            }
        };
        for first in 0..=0xFF_u8 {
            judge(&[first]);
            for second in 0..=0xFF_u8 {
                judge(&[first, second]);
                judge(&[0x0E, first, second, 0x0F]);
                judge(&[0xD8, 0x42, first, second]);
                if charset == Charset::Gb18030 && second.is_ascii_digit() {
                    for third in 0x81..=0xFE_u8 {
                        for fourth in b'0'..=b'9' {
                            judge(&[first, second, third, fourth]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn f40_broken_bytes_are_refused_at_their_offset() {
    for (charset, bytes, at) in [
        (Charset::Gb18030, &b"ab\x81"[..], 2),
        (Charset::Gb18030, b"ab\x81\x30\x81", 2),
        (Charset::Gb18030, b"a\xFFb", 1),
        (Charset::Gb18030, b"\x80", 0),
        (Charset::Gb18030, b"\xFE\x39\xFE\x39", 0), // beyond U+10FFFF
        (Charset::Gb18030, b"\xA6\xD9\x84\x31\x82\x36", 2), // U+FE10 as it was before 2022
        (Charset::Gbk, b"x\x80y", 1),
        (Charset::Gbk, b"x\x81\x30\x81\x30", 1),
        (Charset::Gbk, b"\xD5\xC5\xAA\xA1", 2), // a private-use pair
        (Charset::Gbk, b"\xA2\xE3", 0),
        (Charset::Gbk, b"\xD5\xC5\xFE\x9F", 2), // a character of GB18030
        (Charset::Gb2312, b"\xD5\xC5\xE9F", 2), // a character of GBK
        (Charset::Gb2312, b"\xD7\xFA", 0),      // a hole of row 55
        (Charset::Gb18030, b"\x84\x31\x95\x33", 0), // byte order mark
        (Charset::Gb18030, b"a\0b", 1),
        (Charset::Gb18030, b"0123456789ABCDEFG\nb", 17),
        (Charset::Gb18030, b"\xD5\xC5\xE7\x95\x8C", 4), // UTF-8 in between
        (Charset::Utf8, b"\xEF\xBB\xBFa", 0),
        (Charset::Utf8, b"a\xEF\xBF\xBD", 1),
        (Charset::Utf8, b"a\xC0\x80", 1),
        (Charset::Utf8, b"\xE5\xBC\xA0\xC2\x85", 3),
        (Charset::Utf8, b"0123456789ABCDEF\x1B", 16),
        (Charset::Utf16Be, b"\xFE\xFF\0a", 0),
        (Charset::Utf16Be, b"\0a\0", 2),
        (Charset::Utf16Be, b"\0a\xD8\x42", 2),
        (Charset::Utf16Le, b"a\0\xB7\xDF\x42\xD8", 2),
        (Charset::Utf16Le, b"a\0\x0A\0", 2),
        (Charset::Ascii, b"ab\xC3\xA9", 2),
        (Charset::Latin1, b"ab\x85", 2),
        (Charset::Latin1, b"a\tb", 1),
        (Charset::Windows1252, b"\x80\x81", 1),
        (Charset::Big5, b"\xB1i\x80", 2),
        (Charset::Big5, b"\xB1i\x88\x62", 2), // two characters in one pair
        (Charset::Big5, b"\xB1i\xFA\x40", 2), // Hong Kong
        (Charset::Big5, b"\xB1i\xC6\xA1", 2), // each bank's own
        (Charset::Big5, b"\xA2\xCC", 0),      // the same as A4 51
        (Charset::ShiftJis, b"\x8E\x52\xA0", 2),
        (Charset::ShiftJis, b"\x8E\x52\xF0\x40", 2), // a private-use pair
        (Charset::ShiftJis, b"\xB6\x87\x90", 1),     // the same as 81 E0
        (Charset::ShiftJis, b"\xB6\xED\x40", 1),     // the same as FA 5C
        (Charset::ShiftJis, b"\x80", 0),
    ] {
        let found = decode(charset, bytes);
        assert_eq!(found.map_err(|bad| bad.at), Err(at), "{charset:?} {bytes:02X?}");
    }
}

#[test]
fn f41_what_has_no_place_is_told_and_never_replaced() {
    for (charset, text, lost) in [
        (Charset::Gbk, "张𠮷", '𠮷'),
        (Charset::Gbk, "䶮", '䶮'),
        (Charset::Gbk, "阿卜杜•", '•'),
        (Charset::Gbk, "a€", '€'),
        (Charset::Gbk, "\u{E863}", '\u{E863}'),
        (Charset::Gb2312, "朱镕基", '镕'),
        (Charset::Gb2312, "ⅰ", 'ⅰ'),
        (Charset::Ascii, "é", 'é'),
        (Charset::Latin1, "é€", '€'),
        (Charset::Windows1252, "é€Ā", 'Ā'),
        (Charset::Gb18030, "a\u{FEFF}", '\u{FEFF}'),
        (Charset::Utf16Le, "a\u{FFFE}", '\u{FFFE}'),
        (Charset::Big5, "張张", '张'),
        (Charset::ShiftJis, "a¥", '¥'),
        (Charset::ShiftJis, "a‾", '‾'),
        (Charset::ShiftJis, "a\u{2212}", '\u{2212}'),
        (Charset::Cp935, "张𠮷", '𠮷'),
        (Charset::Cp037, "a\n", '\n'),
    ] {
        assert_eq!(encode(charset, text), Err(lost), "{charset:?} {text}");
    }
    for (charset, text, length) in [
        (Charset::Gb18030, "䶮", 2),
        (Charset::Gb18030, "㐀", 4),
        (Charset::Gb18030, "𠮷", 4),
        (Charset::Gbk, "阿卜杜热合曼·阿卜杜克热木", 26),
        (Charset::Gb2312, "阿卜杜热合曼·阿卜杜克热木", 26),
        (Charset::Utf16Be, "a𠮷", 6),
        (Charset::Windows1252, "é€Ÿ", 3),
        (Charset::Big5, "許功蓋仝", 8),
        (Charset::ShiftJis, "ｶﾅ表示\\~", 8),
    ] {
        assert_eq!(encode(charset, text).map(|bytes| bytes.len()), Ok(length), "{charset:?}");
    }
}

#[test]
fn line_ends_stand_in_documents_only() {
    for charset in Charset::all() {
        let mut bytes = Vec::new();
        assert!(charset.ascii_into(b"<a>\r\n\t<b/>", &mut bytes));
        let mut text = String::new();
        assert_eq!(charset.decode_into(&bytes, Controls::Layout, &mut text), Ok(()));
        assert_eq!(text, "<a>\r\n\t<b/>", "{charset:?}");
        let at = 3 * charset.blank().len();
        assert_eq!(decode(charset, &bytes).map_err(|bad| bad.at), Err(at), "{charset:?}");
    }
}

#[test]
fn ascii_is_spelled_and_read_back_in_every_character_set() {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    for charset in Charset::all() {
        let (mut bytes, mut back) = (Vec::new(), Vec::new());
        assert!(charset.ascii_into(&printable, &mut bytes));
        let text = std::str::from_utf8(&printable).unwrap();
        assert_eq!(encode(charset, text).as_ref(), Ok(&bytes), "{charset:?}");
        assert!(charset.to_ascii(&bytes, &mut back));
        assert_eq!(back, printable, "{charset:?}");
        assert_eq!(bytes[..charset.blank().len()], *charset.blank());
        assert!(!charset.ascii_into(b"1\x80", &mut Vec::new()));
        let other = characters(charset).iter().find(|character| !character.is_ascii());
        if let Some(other) = other {
            let bytes = bytes_of(charset, &format!("1{other}"));
            assert!(!charset.to_ascii(&bytes, &mut Vec::new()), "{charset:?}");
        }
    }
    for charset in Charset::all() {
        let (mut field, mut back) = (vec![0xD5], Vec::new());
        field.extend_from_slice(b"-12.50");
        assert!(charset.respell(1, &mut field));
        let mut expected = vec![0xD5];
        assert!(charset.ascii_into(b"-12.50", &mut expected));
        assert_eq!(field, expected, "{charset:?}");
        assert_eq!(charset.plain(&field[1..], &mut back), b"-12.50", "{charset:?}");
        assert!(!charset.respell(0, &mut field));
        assert_eq!(field, expected, "{charset:?}");
    }
    // U+3031 is no 01.
    assert_eq!(Charset::Utf16Be.plain(b"01", &mut vec![b'7']), [0xFF]);
    assert_eq!(Charset::Cp037.plain(b"\xF1\x51", &mut Vec::new()), [0xFF]);
    assert!(!Charset::Utf16Be.to_ascii(b"\x001\x00", &mut Vec::new()));
    assert!(!Charset::Utf16Le.to_ascii(b"1\x01", &mut Vec::new()));
    let mut amount = Vec::new();
    assert!(Charset::Cp037.ascii_into(b"-12.50", &mut amount));
    assert_eq!(amount, [0x60, 0xF1, 0xF2, 0x4B, 0xF5, 0xF0]);
}

#[test]
fn a_cut_is_never_inside_a_character() {
    let cuts = |charset: Charset, text: &str| -> Vec<usize> {
        let bytes = bytes_of(charset, text);
        (1..=bytes.len()).map(|most| charset.cut(&bytes, most)).collect()
    };
    assert_eq!(cuts(Charset::Gb18030, "a张𠮷b"), [1, 1, 3, 3, 3, 3, 7, 8]);
    assert_eq!(cuts(Charset::Utf8, "a张b"), [1, 1, 1, 4, 5]);
    assert_eq!(cuts(Charset::Utf16Be, "a𠮷"), [1, 2, 2, 2, 2, 6]);
    assert_eq!(cuts(Charset::ShiftJis, "ｶ表b"), [1, 1, 3, 4]);
    assert_eq!(cuts(Charset::Cp935, "a张b"), [1, 1, 1, 1, 5, 6]);
}

#[test]
fn f38_a_tail_that_a_bank_cut_is_left_out_and_told() {
    for (charset, bytes, text) in [
        (Charset::Gb18030, &b"\xD5\xC5\xC8"[..], "张"),
        (Charset::Gb18030, b"\xD5\xC5\x95\x34", "张"),
        (Charset::Gb18030, b"\xD5\xC5\x95\x34\xA8", "张"),
        (Charset::Gbk, b"a\xD5", "a"),
        (Charset::Gb2312, b"a\xD5", "a"),
        (Charset::Big5, b"a\xB3", "a"),
        (Charset::ShiftJis, b"\xB6\x95", "ｶ"),
        (Charset::Utf8, b"a\xE5\xBC", "a"),
        (Charset::Utf8, b"a\xF0\xA0\xAE", "a"),
        (Charset::Utf16Be, b"\0a\xD8\x42\xDF", "a"),
        (Charset::Utf16Le, b"a\0\x42\xD8", "a"),
    ] {
        let mut out = String::new();
        assert_eq!(charset.decode_cut_tail(bytes, &mut out), Ok(true), "{charset:?}");
        assert_eq!(out, text, "{charset:?}");
        assert!(decode(charset, bytes).is_err());
    }
    for (charset, bytes, at) in [
        (Charset::Gb18030, &b"\xD5\xC5\xFF"[..], 2),
        (Charset::Gb18030, b"\xFF\xD5", 0),
        (Charset::Gb18030, b"\x81\x20\xD5\xC5", 0),
        (Charset::Gb18030, b"\xD5\xC5\x81\x30\x20", 2),
        (Charset::Gbk, b"\xD5\xC5\x81\x30", 2),
        (Charset::ShiftJis, b"a\xA0", 1),
        (Charset::Utf8, b"a\xE0\x80", 1),
        (Charset::Utf8, b"a\xC3\xA9\xFF", 3),
        (Charset::Utf16Be, b"\xDF\xB7\0a", 0),
        (Charset::Ascii, b"a\xE9", 1),
    ] {
        let found = charset.decode_cut_tail(bytes, &mut String::new());
        assert_eq!(found.map_err(|bad| bad.at), Err(at), "{charset:?} {bytes:02X?}");
    }
}

#[test]
fn no_character_is_taken_for_a_delimiter() {
    // Each character by itself, so all pairs that have a delimiter's byte are among them.
    let marks = b"|@\\~^`{}[]_A09,;\t\r\n";
    // The planes after the first spell their characters alike.
    let is_beside = |character: char| matches!(character, '\u{80}'..='\u{1_0FFF}');
    for charset in Charset::all() {
        let spelled = |mark: u8| {
            let mut bytes = Vec::new();
            assert!(charset.ascii_into(&[mark], &mut bytes));
            bytes
        };
        let mut holding = 0;
        for character in characters(charset).iter().filter(|character| is_beside(**character)) {
            let bytes = bytes_of(charset, character.encode_utf8(&mut [0; 4]));
            for mark in marks {
                let at = bytes.len();
                let sign = charset.sign(*mark).unwrap();
                assert_eq!(charset.find(&bytes, 0, sign), None, "{charset:?} {character}");
                holding += usize::from(bytes.contains(mark));
                let whole = [&bytes[..], &spelled(*mark), &bytes].concat();
                assert_eq!(charset.find(&whole, 0, sign), Some(at), "{charset:?} {character}");
            }
        }
        let has_letters_within =
            matches!(charset, Charset::Gb18030 | Charset::Gbk | Charset::Big5 | Charset::ShiftJis);
        assert!(!has_letters_within || holding > 400, "{charset:?} {holding}");
    }
}

#[test]
fn a_broken_character_does_not_hide_the_line_end() {
    for charset in Charset::all().filter(|charset| charset.has_ascii()) {
        for broken in [&b"\x81"[..], b"\xFF", b"\x81\x30", b"\x81\x30\x81", b"\xE5", b"\xA0\xFD"] {
            let line = [broken, b"\nnext\n"].concat();
            assert_eq!(
                charset.find(&line, 0, Sign::byte(b'\n')),
                Some(broken.len()),
                "{charset:?}"
            );
            let row = [broken, b" |next"].concat();
            assert_eq!(
                charset.find(&row, 0, Sign::byte(b'|')),
                Some(broken.len() + 1),
                "{charset:?}"
            );
        }
    }
}

#[test]
fn a_delimiter_is_found_from_a_place_on() {
    let row = bytes_of(Charset::Gb18030, "6222000011112222|张三|12.50|0|");
    let mut from = 0;
    let mut fields = Vec::new();
    while let Some(at) = Charset::Gb18030.find(&row, from, Sign::byte(b'|')) {
        fields.push(decode(Charset::Gb18030, &row[from..at]).unwrap());
        from = at + 1;
    }
    assert_eq!(fields, ["6222000011112222", "张三", "12.50", "0"]);
    assert_eq!(from, row.len());
    assert_eq!(Charset::Gb18030.find(&row, row.len() + 1, Sign::byte(b'|')), None);
    assert_eq!(Charset::Gb18030.find(&row, 0, Sign::byte(0xD5)), None);
}

/// A text of a character set: ASCII and others mixed, as names and reasons are.
fn mixed() -> impl Strategy<Value = (Charset, Vec<char>)> {
    select(Charset::all().collect::<Vec<_>>()).prop_flat_map(|charset| {
        let any = any::<Index>().prop_map(move |at| *at.get(characters(charset)));
        let ascii = (b' '..=b'~').prop_map(char::from);
        (
            Just(charset),
            prop::collection::vec(prop_oneof![2 => any, 1 => ascii, 1 => Just('|')], 0..40),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn i21_mixed_text_reads_back((charset, text) in mixed()) {
        let text: String = text.into_iter().collect();
        let bytes = bytes_of(charset, &text);
        prop_assert_eq!(decode(charset, &bytes), Ok(text.clone()));
        let mut whole = String::new();
        prop_assert_eq!(charset.decode_cut_tail(&bytes, &mut whole), Ok(false));
        prop_assert_eq!(whole, text);
    }

    #[test]
    fn i21_bytes_that_are_read_are_written_again(
        charset in select(Charset::all().collect::<Vec<_>>()),
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), 0x81..=0xFE_u8, 0x30..=0x7E_u8, Just(0x0E), Just(0x0F)],
            0..12,
        ),
    ) {
        match decode(charset, &bytes) {
            Ok(text) => prop_assert_eq!(encode(charset, &text), Ok(bytes)),
            Err(bad) => {
                prop_assert!(bad.at < bytes.len());
                // What stands before is text, but for a shift that is still open there.
                let mut before = String::new();
                let start = charset.decode_cut_tail(&bytes[..bad.at], &mut before);
                let is_open = charset.ebcdic().is_some();
                prop_assert!(start == Ok(false) || is_open, "{:?}", start);
            }
        }
    }

    #[test]
    fn splitting_finds_the_character_and_no_other((charset, text) in mixed()) {
        let plain: String = text.iter().collect();
        let bytes = bytes_of(charset, &plain);
        let bar = text.iter().position(|character| *character == '|');
        let expected = bar.map(|bar| {
            let before: String = text[..bar].iter().collect();
            bytes_of(charset, &before).len()
        });
        prop_assert_eq!(charset.find(&bytes, 0, charset.sign(b'|').unwrap()), expected);
    }

    #[test]
    fn characters_are_counted((charset, text) in mixed(), count in any::<Index>()) {
        let plain: String = text.iter().collect();
        let bytes = bytes_of(charset, &plain);
        let count = count.index(text.len() + 1);
        let before: String = text[..count].iter().collect();
        prop_assert_eq!(charset.count(&bytes), text.len());
        let length = charset.characters(&bytes, count);
        prop_assert_eq!(charset.characters(&bytes, text.len() + 1), None);
        let Some(length) = length else {
            prop_assert!(charset.ebcdic().is_some() && bytes_of(charset, &before).ends_with(&[0x0F]));
            return Ok(());
        };
        prop_assert_eq!(charset.cut(&bytes, length), length);
        let mut read = String::new();
        prop_assert!(charset.decode_cut_tail(&bytes[..length], &mut read).is_ok());
        prop_assert_eq!(read, before);
    }

    #[test]
    fn f38_a_text_cut_anywhere_is_its_own_beginning((charset, text) in mixed(), at in any::<Index>()) {
        let text: String = text.into_iter().collect();
        let bytes = bytes_of(charset, &text);
        let at = at.index(bytes.len() + 1);
        let mut read = String::new();
        let cut = charset.decode_cut_tail(&bytes[..at], &mut read);
        prop_assert!(text.starts_with(&read));
        let again = bytes_of(charset, &read);
        prop_assert_eq!(cut, Ok(again != bytes[..at]));
        prop_assert!(again.len() + 3 >= at && at + 1 >= again.len());
    }
}
