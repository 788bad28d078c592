//! Where a character begins and ends.
//!
//! The second byte of a pair may be a letter, `|`, `\` or `@`, and in GB18030 a digit, so a record
//! is never split by looking for a byte alone. All of this goes by the shape of the bytes and leaves
//! it to decoding to say what is no text; where the shape is broken one byte is passed over, so that
//! a broken name costs its own record and not the ones after it.

use crate::format::charset::Charset;
use crate::format::charset::ascii::Sign;

/// What bytes begin with.
enum Shape {
    /// A character of this many bytes.
    Whole(usize),
    /// A character of which the end is not there.
    Cut,
    Broken,
}

impl Charset {
    /// The first byte from `from` on that is this sign itself, and not a part of another character. A
    /// character must begin at `from`; between shifts none does.
    pub fn find(self, haystack: &[u8], from: usize, sign: Sign) -> Option<usize> {
        let rest = haystack.get(from..)?;
        let byte = *sign.bytes().first()?;
        let found = match self {
            Self::Utf16Be | Self::Utf16Le => {
                let units = rest.chunks_exact(2);
                units.enumerate().find(|(_, unit)| *unit == sign.bytes()).map(|(at, _)| 2 * at)
            }
            Self::Cp037 | Self::Cp935 | Self::Cp1388 => self.ebcdic()?.find(rest, byte),
            _ if !byte.is_ascii() => None,
            _ if self.is_ever_second(byte) => self.find_between_pairs(rest, byte),
            _ => first(rest, byte, false),
        };
        Some(from + found?)
    }

    /// Whether this character of ASCII may also be a later byte of another character.
    const fn is_ever_second(self, byte: u8) -> bool {
        match self {
            Self::Gb18030 => matches!(byte, b'0'..=b'9' | 0x40..=0x7E),
            Self::Gbk | Self::Gb2312 | Self::Big5 | Self::ShiftJis | Self::EucKr => {
                matches!(byte, 0x40..=0x7E)
            }
            _ => false,
        }
    }

    fn find_between_pairs(self, bytes: &[u8], byte: u8) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..)?;
            let next = *rest.first()?;
            if next == byte {
                return Some(at);
            }
            at += if next.is_ascii() {
                first(rest, byte, true)?
            } else {
                match self.pair_shape(next, rest) {
                    Shape::Whole(length) => length,
                    Shape::Cut => return None,
                    Shape::Broken => 1,
                }
            };
        }
    }

    /// How many bytes the first `count` characters have, with the shifts around them; `None` where
    /// there are fewer, something that is no character, or more between the same shifts.
    pub fn characters(self, bytes: &[u8], count: usize) -> Option<usize> {
        if let Some(page) = self.ebcdic() {
            return page.characters(bytes, count);
        }
        let mut at = 0;
        for _ in 0..count {
            match self.shape(bytes.get(at..)?) {
                Shape::Whole(length) => at += length,
                Shape::Cut | Shape::Broken => return None,
            }
        }
        Some(at)
    }

    /// How many characters these bytes have; a byte where the shape is broken counts as one.
    pub fn count(self, bytes: &[u8]) -> usize {
        if let Some(page) = self.ebcdic() {
            return page.count(bytes);
        }
        let (mut count, mut at) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += if let Shape::Whole(length) = self.shape(rest) { length } else { 1 };
            count += 1;
        }
        count
    }

    /// The longest start of `bytes` of at most `most` bytes that does not end inside a character, nor
    /// between shifts. Where bytes are broken the cut may be anywhere: decoding will say so.
    pub fn cut(self, bytes: &[u8], most: usize) -> usize {
        if bytes.len() <= most {
            return bytes.len();
        }
        let at = match self.ebcdic() {
            Some(page) => page.cut(bytes, most),
            None => self.boundary(bytes, most),
        };
        if at == 0 { bytes.len().min(most) } else { at }
    }

    /// Without an incomplete character at the end.
    pub(super) fn whole(self, bytes: &[u8]) -> usize {
        self.boundary(bytes, bytes.len())
    }

    /// The last end of a character that is not after `most`.
    fn boundary(self, bytes: &[u8], most: usize) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|_| at < most) {
            let length = match self.shape(rest) {
                Shape::Whole(length) => length,
                Shape::Broken => 1,
                Shape::Cut => break,
            };
            if at + length > most {
                break;
            }
            at += length;
        }
        at
    }

    /// What bytes begin with, in a character set without shifts; nothing is cut.
    fn shape(self, bytes: &[u8]) -> Shape {
        let Some(&first) = bytes.first() else { return Shape::Cut };
        match self {
            Self::Utf8 => utf8(first, bytes),
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Self::Gb18030
            | Self::Gbk
            | Self::Gb2312
            | Self::Big5
            | Self::ShiftJis
            | Self::EucKr => self.pair_shape(first, bytes),
            _ => Shape::Whole(1),
        }
    }

    fn pair_shape(self, first: u8, bytes: &[u8]) -> Shape {
        let leads = match self {
            _ if first.is_ascii() => return Shape::Whole(1),
            Self::ShiftJis if matches!(first, 0xA1..=0xDF) => return Shape::Whole(1),
            Self::ShiftJis => matches!(first, 0x81..=0x9F | 0xE0..=0xFC),
            _ => matches!(first, 0x81..=0xFE),
        };
        let Some(&second) = bytes.get(1).filter(|_| leads) else {
            return if leads { Shape::Cut } else { Shape::Broken };
        };
        let follows = match self {
            Self::Gb18030 if second.is_ascii_digit() => return four_bytes(bytes),
            Self::Big5 => matches!(second, 0x40..=0x7E | 0xA1..=0xFE),
            Self::ShiftJis => matches!(second, 0x40..=0x7E | 0x80..=0xFC),
            _ => matches!(second, 0x40..=0x7E | 0x80..=0xFE),
        };
        if follows { Shape::Whole(2) } else { Shape::Broken }
    }
}

/// Four bytes of GB18030, of which the first two are such.
fn four_bytes(bytes: &[u8]) -> Shape {
    match bytes {
        [_, _] | [_, _, 0x81..=0xFE] => Shape::Cut,
        [_, _, 0x81..=0xFE, b'0'..=b'9', ..] => Shape::Whole(4),
        _ => Shape::Broken,
    }
}

fn utf8(first: u8, bytes: &[u8]) -> Shape {
    let length = match first {
        0..=0x7F => return Shape::Whole(1),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Shape::Broken,
    };
    let there = bytes.iter().take(length);
    let is_cut = there.len() < length;
    if !there.skip(1).all(|byte| matches!(byte, 0x80..=0xBF)) {
        Shape::Broken
    } else if is_cut {
        // An overlong form or half of a surrogate pair is broken before its end is missed.
        let is_start = std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
        if is_start { Shape::Cut } else { Shape::Broken }
    } else {
        Shape::Whole(length)
    }
}

fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> Shape {
    let (units, _) = bytes.as_chunks::<2>();
    match (units.first().map(|unit| order(*unit)), units.get(1).map(|unit| order(*unit))) {
        (None, _) | (Some(0xD800..=0xDBFF), None) => Shape::Cut,
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => Shape::Whole(4),
        // Half of a surrogate pair is passed over as a whole unit; decoding refuses it.
        _ => Shape::Whole(2),
    }
}

/// The first byte that is this one or, where asked, no ASCII. Eight bytes at a time: borrows of the
/// subtraction mark only bytes above the first hit.
fn first(bytes: &[u8], byte: u8, or_high: bool) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let high = if or_high { HIGHS } else { 0 };
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let other = word ^ (u64::from(byte) * ONES);
        let hits = (other.wrapping_sub(ONES) & !other & HIGHS) | (word & high);
        if hits != 0 {
            return Some(index * 8 + usize::try_from(hits.trailing_zeros() / 8).unwrap_or(0));
        }
    }
    let is_hit = |found: &u8| *found == byte || (or_high && !found.is_ascii());
    rest.iter().position(is_hit).map(|at| words.len() * 8 + at)
}
