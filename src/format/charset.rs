//! Character sets, strict both ways.
//!
//! Only the functions of `encoding_rs` that replace nothing are used: the others write `&#NNNN;`
//! into a passbook for what they cannot map, or read U+FFFD where bytes are broken. On top of them
//! this refuses what decodes without complaint and still is no text of a bank: control characters,
//! byte order marks, private-use characters (GBK has 2,048 pairs of them), byte 80 (which reads as
//! a euro sign), four-byte sequences in GBK, and second spellings of one character.

use encoding_rs::{DecoderResult, EncoderResult, Encoding, GB18030, GBK};

/// A character set that a bank may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// The table of 2022.
    Gb18030,
    Gbk,
    Utf8,
    Ascii,
}

/// What makes bytes no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadBytes {
    /// In bytes from the start of what was given.
    pub at: usize,
    pub why: String,
}

/// Which control characters may stand in what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controls {
    None,
    /// Tab, CR and LF, between the elements of a document.
    Layout,
}

impl Charset {
    /// The names banks use for it, the one that we write first.
    const NAMES: [(Self, &'static [&'static str]); 4] = [
        (Self::Gb18030, &["GB18030", "GB18030-2022", "GB18030-2005"]),
        (Self::Gbk, &["GBK", "CP936", "MS936", "WINDOWS-936"]),
        (Self::Utf8, &["UTF-8", "UTF8"]),
        (Self::Ascii, &["US-ASCII", "ASCII"]),
    ];

    /// The character set with this name, in any case. GB2312 is not an alias of GBK: a bank that
    /// says GB2312 has fewer characters.
    pub fn parse(name: &str) -> Option<Self> {
        let known = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        Self::NAMES.iter().find(|(_, names)| known(names)).map(|(charset, _)| *charset)
    }

    /// The name that a format declares it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gb18030 => "GB18030",
            Self::Gbk => "GBK",
            Self::Utf8 => "UTF-8",
            Self::Ascii => "US-ASCII",
        }
    }

    /// The most bytes that one character takes.
    pub const fn character_bytes_max(self) -> usize {
        match self {
            Self::Gb18030 | Self::Utf8 => 4,
            Self::Gbk => 2,
            Self::Ascii => 1,
        }
    }

    /// Appends the text in this character set.
    ///
    /// # Errors
    /// The first character that has no place in it; `out` may then hold a part of the text.
    pub fn encode_into(self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        if is_plain(text.as_bytes()) {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        if let Some(refused) = text.chars().find(|character| self.refuses(*character)) {
            return Err(refused);
        }
        let encoding = match self {
            Self::Gb18030 => GB18030,
            Self::Gbk => GBK,
            Self::Utf8 => {
                out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            // Every character of a plain text was written above.
            Self::Ascii => return Err(text.chars().find(|c| !c.is_ascii()).unwrap_or('\u{FFFD}')),
        };
        encode_strictly(encoding, text, out)
    }

    /// Appends the text that the bytes are.
    ///
    /// # Errors
    /// Where the first byte is that is no text, and why. `out` may then hold a part of the text.
    pub fn decode_into(
        self,
        bytes: &[u8],
        controls: Controls,
        out: &mut String,
    ) -> Result<(), BadBytes> {
        if is_plain(bytes)
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            out.push_str(text);
            return Ok(());
        }
        let before = out.len();
        match self {
            Self::Gb18030 | Self::Gbk => {
                let encoding = if self == Self::Gbk { GBK } else { GB18030 };
                decode_strictly(encoding, bytes, out)?;
            }
            Self::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => out.push_str(text),
                Err(error) => return Err(bad(error.valid_up_to(), "bytes that are not UTF-8")),
            },
            Self::Ascii => {
                if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii()) {
                    return Err(bad(at, "bytes that are not ASCII"));
                }
                out.extend(bytes.iter().map(|byte| char::from(*byte)));
            }
        }
        let read = out.get(before..).unwrap_or_default();
        self.judge(bytes, read, controls)
    }

    /// Refuses characters that must not be in a bank's text, and spellings that do not read back.
    fn judge(self, bytes: &[u8], read: &str, controls: Controls) -> Result<(), BadBytes> {
        let mut twice = self == Self::Gbk && has_four_byte_form(bytes);
        for (index, character) in read.char_indices() {
            let layout = controls == Controls::Layout && matches!(character, '\t' | '\r' | '\n');
            if !layout && self.refuses(character) {
                let at = self.length_of(read.get(..index).unwrap_or_default());
                let why = format!("U+{:04X}, which is no text of a bank", u32::from(character));
                return Err(BadBytes { at, why });
            }
            twice |= has_two_spellings(character);
        }
        if twice {
            let mut again = Vec::with_capacity(bytes.len());
            let encoded = match self {
                Self::Gb18030 => encode_strictly(GB18030, read, &mut again).is_ok(),
                Self::Gbk => encode_strictly(GBK, read, &mut again).is_ok(),
                Self::Utf8 | Self::Ascii => return Ok(()),
            };
            if !encoded || again != bytes {
                let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
                return Err(bad(same, "a spelling that the character set does not have"));
            }
        }
        Ok(())
    }

    /// How many bytes a text that was just read takes in this character set.
    fn length_of(self, text: &str) -> usize {
        text.chars().map(|character| self.width(character)).sum()
    }

    /// How many bytes a character takes that was read from this character set.
    pub fn width(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Ascii => 1,
            Self::Gb18030 | Self::Gbk if character.is_ascii() => 1,
            Self::Gb18030 | Self::Gbk => {
                let mut four = [0; 4];
                let mut spelled = [0; 8];
                let encoding = if self == Self::Gbk { GBK } else { GB18030 };
                let text = character.encode_utf8(&mut four);
                let (_, _, written) = encoding.new_encoder().encode_from_utf8_without_replacement(
                    text,
                    &mut spelled,
                    true,
                );
                written.max(1)
            }
        }
    }

    /// The longest start of `bytes` of at most `most` bytes that does not end inside a character.
    /// Where bytes are broken the cut may be anywhere: decoding will say so.
    pub fn cut(self, bytes: &[u8], most: usize) -> usize {
        if bytes.len() <= most {
            return bytes.len();
        }
        let mut at = 0;
        while at < most {
            let length = match (self, bytes[at]) {
                (_, 0..=0x7F) | (Self::Ascii, _) => 1,
                (Self::Utf8, 0..=0xDF) => 2,
                (Self::Utf8, 0xE0..=0xEF) => 3,
                (Self::Utf8, _) => 4,
                (Self::Gb18030 | Self::Gbk, _) => {
                    if matches!(bytes.get(at + 1), Some(b'0'..=b'9')) { 4 } else { 2 }
                }
            };
            if at + length > most {
                break;
            }
            at += length;
        }
        if at == 0 { bytes.len().min(most) } else { at }
    }

    fn refuses(self, character: char) -> bool {
        is_refused(character) || (self == Self::Gbk && character == '€')
    }
}

/// Characters that no bank's text has, in any character set.
pub(crate) fn is_refused(character: char) -> bool {
    matches!(u32::from(character),
        0..=0x1F | 0x7F..=0x9F | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFEFF | 0xFFFD | 0xF_0000..)
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Characters of which a decoder of GB18030 knows two spellings; a test finds them all.
const fn has_two_spellings(character: char) -> bool {
    matches!(character, '€' | '\u{FE10}'..='\u{FE19}' | '\u{9FB4}'..='\u{9FBB}' | '\u{3000}')
}

fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn has_four_byte_form(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii() {
            at += 1;
        } else if matches!(bytes.get(at + 1), Some(b'0'..=b'9')) {
            return true;
        } else {
            at += 2;
        }
    }
    false
}

fn encode_strictly(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
    let mut encoder = encoding.new_encoder();
    // Four bytes for one character are the most, and one character has at least one byte.
    let most = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
    out.reserve(most.unwrap_or(text.len().saturating_mul(4)));
    match encoder.encode_from_utf8_to_vec_without_replacement(text, out, true).0 {
        EncoderResult::InputEmpty => Ok(()),
        EncoderResult::Unmappable(character) => Err(character),
        EncoderResult::OutputFull => Err('\u{FFFD}'),
    }
}

fn decode_strictly(
    encoding: &'static Encoding,
    bytes: &[u8],
    out: &mut String,
) -> Result<(), BadBytes> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    out.reserve(most.unwrap_or(bytes.len().saturating_mul(3)));
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, out, true);
    match result {
        DecoderResult::InputEmpty => Ok(()),
        DecoderResult::Malformed(length, after) => {
            let at = read.saturating_sub(usize::from(length) + usize::from(after));
            Err(bad(at, &format!("bytes that are not {}", encoding.name())))
        }
        DecoderResult::OutputFull => Err(bad(read, "more text than there is room for")),
    }
}

fn bad(at: usize, why: &str) -> BadBytes {
    BadBytes { at, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(charset: Charset, bytes: &[u8]) -> Result<String, BadBytes> {
        let mut out = String::new();
        charset.decode_into(bytes, Controls::None, &mut out).map(|()| out)
    }

    fn encode(charset: Charset, text: &str) -> Result<Vec<u8>, char> {
        let mut out = Vec::new();
        charset.encode_into(text, &mut out).map(|()| out)
    }

    #[test]
    fn i21_every_character_of_gb18030_reads_back() {
        let mut count = 0;
        for character in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let text = character.to_string();
            let encoded = encode(Charset::Gb18030, &text);
            if is_refused(character) {
                assert_eq!(encoded, Err(character));
                continue;
            }
            let bytes = encoded.unwrap_or_else(|_| panic!("U+{:04X}", u32::from(character)));
            assert_eq!(decode(Charset::Gb18030, &bytes), Ok(text));
            assert_eq!(bytes.len(), Charset::Gb18030.width(character));
            count += 1;
        }
        assert!(count > 970_000, "{count}");
    }

    #[test]
    fn i21_every_character_of_gbk_reads_back() {
        let mut count = 0;
        for character in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let text = character.to_string();
            if let Ok(bytes) = encode(Charset::Gbk, &text) {
                assert!(bytes.len() <= 2);
                assert_eq!(decode(Charset::Gbk, &bytes), Ok(text));
                count += 1;
            }
        }
        // GBK proper has 21,886 characters beside ASCII.
        assert!((21_800 + 95..=23_960).contains(&count), "{count}");
    }

    #[test]
    fn i21_every_spelling_that_is_read_is_the_one_that_is_written() {
        for charset in [Charset::Gb18030, Charset::Gbk] {
            let judge = |bytes: &[u8]| {
                if let Ok(text) = decode(charset, bytes) {
                    assert_eq!(encode(charset, &text).as_deref(), Ok(bytes), "{bytes:02X?}");
                }
            };
            for first in 0x80..=0xFF_u8 {
                judge(&[first]);
                for second in 0..=0xFF_u8 {
                    judge(&[first, second]);
                    if second.is_ascii_digit() {
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
            (Charset::Gbk, b"x\x80y", 1),
            (Charset::Gbk, b"x\x81\x30\x81\x30", 1),
            (Charset::Gbk, b"\xD5\xC5\xAA\xA1", 2), // a private-use pair
            (Charset::Gbk, b"\xA2\xE3", 0),
            (Charset::Gb18030, b"\x84\x31\x95\x33", 0), // byte order mark
            (Charset::Gb18030, b"a\0b", 1),
            (Charset::Gb18030, b"\xD5\xC5\xE7\x95\x8C", 4), // UTF-8 in between
            (Charset::Utf8, b"\xEF\xBB\xBFa", 0),
            (Charset::Utf8, b"a\xEF\xBF\xBD", 1),
            (Charset::Utf8, b"a\xC0\x80", 1),
            (Charset::Ascii, b"ab\xC3\xA9", 2),
        ] {
            let found = decode(charset, bytes);
            assert_eq!(found.map_err(|bad| bad.at), Err(at), "{charset:?} {bytes:02X?}");
        }
    }

    #[test]
    fn f41_what_has_no_place_is_told_and_never_replaced() {
        assert_eq!(encode(Charset::Gbk, "张𠮷"), Err('𠮷'));
        assert_eq!(encode(Charset::Gbk, "阿卜杜•"), Err('•'));
        assert_eq!(encode(Charset::Gbk, "a€"), Err('€'));
        assert_eq!(encode(Charset::Gbk, "\u{E863}"), Err('\u{E863}'));
        assert_eq!(encode(Charset::Ascii, "é"), Err('é'));
        assert_eq!(encode(Charset::Gb18030, "a\u{FEFF}"), Err('\u{FEFF}'));
        assert_eq!(encode(Charset::Gb18030, "䶮").map(|b| b.len()), Ok(2));
        assert_eq!(encode(Charset::Gb18030, "𠮷").map(|b| b.len()), Ok(4));
        assert_eq!(encode(Charset::Gbk, "阿卜杜热合曼·阿卜杜克热木").map(|b| b.len()), Ok(26));
    }

    #[test]
    fn banks_names_of_character_sets() {
        for (name, charset) in [
            ("gb18030", Charset::Gb18030),
            ("cp936", Charset::Gbk),
            ("ms936", Charset::Gbk),
            ("utf-8", Charset::Utf8),
            ("ASCII", Charset::Ascii),
        ] {
            assert_eq!(Charset::parse(name), Some(charset));
            assert_eq!(Charset::parse(charset.as_str()), Some(charset));
        }
        assert_eq!(Charset::parse("gb2312"), None);
    }

    #[test]
    fn a_cut_is_never_inside_a_character() {
        let mut bytes = Vec::new();
        Charset::Gb18030.encode_into("a张𠮷b", &mut bytes).unwrap();
        let cuts: Vec<usize> = (1..=8).map(|most| Charset::Gb18030.cut(&bytes, most)).collect();
        assert_eq!(cuts, [1, 1, 3, 3, 3, 3, 7, 8]);
    }
}
