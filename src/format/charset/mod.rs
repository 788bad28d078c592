//! Character sets, strict both ways.
//!
//! What reads back as the same bytes is text, all else is refused at its byte: never `&#NNNN;` in a
//! passbook for what has no place, never U+FFFD where bytes are broken. Refused is also what most
//! decoders read without complaint and what still is no text of a bank: control characters, byte
//! order marks, private-use characters (GBK has 2,048 pairs of them), byte 80 (which reads as a euro
//! sign), four-byte sequences in GBK, and second spellings of one character.
//!
//! * `names`: what banks call a character set.
//! * `pairs`: GB18030, GBK, GB2312, Big5, `Shift_JIS`, EUC-KR. The pairs are looked up in a table that is made
//!   once from `encoding_rs` and holds only what that reads and writes alike; asking it for every
//!   field costs three times as much, and its mappings need judging after each read.
//! * `ebcdic`: hosts' code pages, with their shifts; tables as data.
//! * `single`, `page`, `unicode`: the rest.
//! * `ascii`: how digits, signs and blanks are spelled.
//! * `split`: where a character ends, which a byte alone does not tell.
//!
//! The character sets are no trait of theirs: a format names one in its description, and one
//! `match` a field is cheaper to run and to read than a table of functions.

mod ascii;
mod ebcdic;
mod lookup;
mod names;
mod page;
mod pairs;
mod single;
mod split;
#[cfg(test)]
mod tests;
mod unicode;

pub(crate) use ascii::Sign;

/// A character set that a bank may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// The table of 2022.
    Gb18030,
    /// As its systems have it: code page 936 without the euro sign and private use.
    Gbk,
    /// GB 2312-80 and nothing of what GBK put beside it.
    Gb2312,
    Utf8,
    /// Without a byte order mark.
    Utf16Be,
    /// Without a byte order mark.
    Utf16Le,
    Ascii,
    /// ISO 8859-1 as its letters say: 80 to 9F are controls, so they are refused.
    Latin1,
    Windows1252,
    /// What Taiwan's banks mean by it, code page 950; without the characters of Hong Kong.
    Big5,
    /// What Japan's banks mean by it, code page 932: 5C is a backslash and 7E a tilde.
    ShiftJis,
    /// What Korea's banks mean by it, code page 949.
    EucKr,
    /// EBCDIC of the United States and of Brazil's banks.
    Cp037,
    /// EBCDIC with GB 2312 between shifts.
    Cp935,
    /// EBCDIC with GBK, and much of GB18030, between shifts.
    Cp1388,
    /// One of the pages that put another 128 characters behind ASCII, by its place among them.
    Page(u8),
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

/// The bytes around a pair that stands alone, in a character set with shifts.
const SHIFTS: usize = 2;

impl Charset {
    /// The most bytes that one character takes, with the shifts around it where it needs them.
    pub const fn character_bytes_max(self) -> usize {
        match self {
            Self::Gb18030 | Self::Utf8 | Self::Utf16Be | Self::Utf16Le => 4,
            Self::Gbk | Self::Gb2312 | Self::Big5 | Self::ShiftJis | Self::EucKr => 2,
            Self::Cp935 | Self::Cp1388 => 2 + SHIFTS,
            Self::Ascii | Self::Latin1 | Self::Windows1252 | Self::Cp037 | Self::Page(_) => 1,
        }
    }

    /// Appends the text in this character set.
    ///
    /// # Errors
    /// The first character that has no place in it; `out` may then hold a part of the text.
    #[inline]
    pub fn encode_into(self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        if self.has_ascii() && is_plain(text.as_bytes()) {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        if let Some(pairs) = self.pairs() {
            return pairs.encode(text, out);
        }
        if let Some(page) = self.ebcdic() {
            return page.encode(text, out);
        }
        match self {
            Self::Utf16Be => unicode::encode_utf16(text, u16::to_be_bytes, out),
            Self::Utf16Le => unicode::encode_utf16(text, u16::to_le_bytes, out),
            Self::Ascii | Self::Latin1 | Self::Windows1252 | Self::Page(_) => {
                single::encode(self, text, out)
            }
            _ => unicode::encode_utf8(text, out),
        }
    }

    /// Appends the text that the bytes are.
    ///
    /// # Errors
    /// Where the first byte is that is no text, and why. `out` may then hold a part of the text.
    #[inline]
    pub fn decode_into(
        self,
        bytes: &[u8],
        controls: Controls,
        out: &mut String,
    ) -> Result<(), BadBytes> {
        if self.has_ascii() && push_plain(bytes, out) {
            return Ok(());
        }
        if let Some(pairs) = self.pairs() {
            return pairs.decode(bytes, controls, out);
        }
        if let Some(page) = self.ebcdic() {
            return page.decode(bytes, controls, out);
        }
        match self {
            Self::Utf16Be => unicode::decode_utf16(bytes, u16::from_be_bytes, controls, out),
            Self::Utf16Le => unicode::decode_utf16(bytes, u16::from_le_bytes, controls, out),
            Self::Ascii | Self::Latin1 | Self::Windows1252 | Self::Page(_) => {
                single::decode(self, bytes, controls, out)
            }
            _ => unicode::decode_utf8(bytes, controls, out),
        }
    }

    /// Appends the text that the bytes are, of a field that a bank fills and cuts wherever its bytes
    /// end: a last character of which only the beginning is there is left out, and `true` tells so.
    ///
    /// # Errors
    /// As of `decode_into`: all but the cut is as strict.
    pub fn decode_cut_tail(self, bytes: &[u8], out: &mut String) -> Result<bool, BadBytes> {
        if let Some(page) = self.ebcdic() {
            return page.decode_cut_tail(bytes, out);
        }
        let whole = self.whole(bytes);
        self.decode_into(bytes.get(..whole).unwrap_or(bytes), Controls::None, out)?;
        Ok(whole < bytes.len())
    }
}

/// Characters that no bank's text has, in any character set.
pub(crate) const fn is_refused(character: char) -> bool {
    matches!(character as u32,
        0..=0x1F | 0x7F..=0x9F | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFEFF | 0xFFFD | 0xF_0000..)
        || character as u32 & 0xFFFE == 0xFFFE
}

/// Whether a character may stand in what is read.
const fn may_stand(character: char, controls: Controls) -> bool {
    !is_refused(character)
        || (matches!(controls, Controls::Layout) && matches!(character, '\t' | '\r' | '\n'))
}

const fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// How many bytes are looked at together.
const BLOCK: usize = 16;

/// Blocks are judged without a jump a byte, which the compiler turns into a few wide operations.
fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(true, |plain, byte| plain & is_plain_byte(*byte))
}

fn is_plain(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    blocks.iter().all(is_plain_block) && rest.iter().all(|byte| is_plain_byte(*byte))
}

/// How many bytes at the start are plain, in whole blocks.
fn plain_blocks(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    blocks.iter().take_while(|block| is_plain_block(block)).count() * BLOCK
}

/// Appends bytes that are printable ASCII through and through; says whether they are.
fn push_plain(bytes: &[u8], out: &mut String) -> bool {
    if !is_plain(bytes) {
        return false;
    }
    std::str::from_utf8(bytes).is_ok_and(|text| {
        out.push_str(text);
        true
    })
}

#[cold]
fn bad(at: usize, why: impl Into<String>) -> BadBytes {
    BadBytes { at, why: why.into() }
}

/// A character that is read and must not be.
#[cold]
fn no_text(at: usize, character: char) -> BadBytes {
    bad(at, format!("U+{:04X}, which is no text of a bank", u32::from(character)))
}
