//! EBCDIC: the code pages of hosts, with and without Chinese between shifts.
//!
//! The tables are data: for each of the 256 bytes its character, then for each row of pairs the
//! first byte and 191 characters, of the second bytes 40 to FE; two bytes a character, high byte
//! first, zero for none. They were made from what glibc's `iconv` writes and reads back as the same,
//! and are made again, and held against the files here, by the test `tables_are_what_iconv_says`.
//! Private-use characters and controls other than tab, CR and LF are not in them.
//!
//! 0E shifts to pairs and 0F back. A text begins and ends unshifted. It is read only if its shifts
//! are those that we would write: balanced, none around nothing, none closed and opened again.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use crate::format::charset::lookup::Lookup;
use crate::format::charset::{BadBytes, Charset, Controls, bad, is_refused, may_stand, no_text};

const SHIFT_OUT: u8 = 0x0E;
const SHIFT_IN: u8 = 0x0F;

/// No second byte is below; so what is, between shifts, is where a shift back is missing.
const SECOND_MIN: u8 = 0x40;

/// The second bytes of a row.
const ROW: usize = 191;

/// The middle dot of names. IBM's table of code page 935 reads it as the dot of katakana, although the
/// place is that of GB 2312's: code page 1388 and GBK read it so, and it is what finance sends.
const MIDDLE_DOT: (u16, u16) = (0x4345, 0x00B7);

/// One code page.
pub(super) struct Page {
    charset: Charset,
    has_shifts: bool,
    /// From a byte to a character.
    read_byte: [u16; 256],
    /// From a pair to a character.
    read_pair: Lookup,
    /// From a character to a byte, below 100, or a pair.
    write: Lookup,
}

/// What stands at one place of a text.
enum Step {
    Character(char, usize),
    Out,
    In,
}

impl Charset {
    /// The code page, of a character set that is EBCDIC.
    pub(super) fn ebcdic(self) -> Option<&'static Page> {
        static PAGES: [OnceLock<Page>; 3] = [const { OnceLock::new() }; 3];
        let (page, table): (_, &[u8]) = match self {
            Self::Cp037 => (&PAGES[0], include_bytes!("ibm037.tbl")),
            Self::Cp935 => (&PAGES[1], include_bytes!("ibm935.tbl")),
            Self::Cp1388 => (&PAGES[2], include_bytes!("ibm1388.tbl")),
            _ => return None,
        };
        Some(page.get_or_init(|| Page::new(self, table)))
    }
}

impl Page {
    fn new(charset: Charset, table: &[u8]) -> Self {
        let mut page = Self {
            charset,
            has_shifts: charset != Charset::Cp037,
            read_byte: [0; 256],
            read_pair: Lookup::new(),
            write: Lookup::new(),
        };
        let (bytes, rows) = table.split_at_checked(512).unwrap_or((table, &[]));
        for (byte, unit) in (0..=0xFF).zip(units(bytes)) {
            page.read_byte[usize::from(byte)] = unit;
            page.spell(unit, byte);
        }
        for row in rows.chunks_exact(1 + 2 * ROW) {
            let Some((first, row)) = row.split_first() else { continue };
            for (second, unit) in (SECOND_MIN..=0xFE).zip(units(row)) {
                let pair = u16::from_be_bytes([*first, second]);
                let unit = if pair == MIDDLE_DOT.0 { MIDDLE_DOT.1 } else { unit };
                page.read_pair.set(pair, unit);
                page.spell(unit, pair);
            }
        }
        page
    }

    fn spell(&mut self, unit: u16, spelled: u16) {
        if unit != 0 {
            self.write.set(unit, spelled);
        }
    }

    /// Appends the text between as few shifts as there can be.
    pub fn encode(&self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        out.reserve(text.len() + 2);
        let mut shifted = false;
        for character in text.chars() {
            let [high, low] = self.write.of(character).to_be_bytes();
            if is_refused(character) || (high, low) == (0, 0) {
                return Err(character);
            }
            if shifted != (high != 0) {
                shifted = !shifted;
                out.push(if shifted { SHIFT_OUT } else { SHIFT_IN });
            }
            if shifted {
                out.push(high);
            }
            out.push(low);
        }
        if shifted {
            out.push(SHIFT_IN);
        }
        Ok(())
    }

    /// Appends the text that the bytes are, as `Charset::decode_into`.
    pub fn decode(
        &self,
        bytes: &[u8],
        controls: Controls,
        out: &mut String,
    ) -> Result<(), BadBytes> {
        match self.read(bytes, controls, out)? {
            None => Ok(()),
            Some(at) => Err(bad(at, "a shift that is not closed")),
        }
    }

    /// As `decode`, where bytes may end anywhere: half a pair and an open shift are the end.
    pub fn decode_cut_tail(&self, bytes: &[u8], out: &mut String) -> Result<bool, BadBytes> {
        let (_, whole, shifted) = self.boundaries(bytes, bytes.len());
        let whole = bytes.get(..whole).unwrap_or(bytes);
        // A shift that nothing follows any more would be one around nothing.
        let kept = whole.strip_suffix(&[SHIFT_OUT]).filter(|_| shifted).unwrap_or(whole);
        let open = self.read(kept, Controls::None, out)?;
        Ok(open.is_some() || kept.len() < bytes.len())
    }

    /// Appends the text; says where a shift is that is still open at the end.
    fn read(
        &self,
        bytes: &[u8],
        controls: Controls,
        out: &mut String,
    ) -> Result<Option<usize>, BadBytes> {
        out.reserve(bytes.len() + bytes.len() / 2);
        let mut opened = None;
        let mut closed = None;
        let mut at = 0;
        while at < bytes.len() {
            let step = self.step(bytes, at, opened.is_some());
            match step.ok_or_else(|| self.no_character(at))? {
                Step::Character(character, _) if !may_stand(character, controls) => {
                    return Err(no_text(at, character));
                }
                Step::Character(character, length) => {
                    out.push(character);
                    at += length;
                }
                Step::Out if closed == Some(at) => {
                    return Err(bad(at, "a shift that is closed and opened again"));
                }
                Step::Out => {
                    opened = Some(at);
                    at += 1;
                }
                Step::In if opened.is_some_and(|opened| opened + 1 == at) => {
                    return Err(bad(at, "a shift around nothing"));
                }
                Step::In => {
                    opened = None;
                    at += 1;
                    closed = Some(at);
                }
            }
        }
        Ok(opened)
    }

    #[cold]
    fn no_character(&self, at: usize) -> BadBytes {
        bad(at, format!("bytes that are not {}", self.charset.as_str()))
    }

    /// What stands here; nothing where it is no character.
    fn step(&self, bytes: &[u8], at: usize, shifted: bool) -> Option<Step> {
        let first = *bytes.get(at)?;
        if self.has_shifts && first == SHIFT_OUT && !shifted {
            return Some(Step::Out);
        }
        if first == SHIFT_IN && shifted {
            return Some(Step::In);
        }
        let (unit, length) = if shifted {
            let second = bytes.get(at + 1).copied().unwrap_or(0);
            (self.read_pair.get(u16::from_be_bytes([first, second])), 2)
        } else {
            (self.read_byte[usize::from(first)], 1)
        };
        let character = char::from_u32(u32::from(unit)).filter(|_| unit != 0)?;
        Some(Step::Character(character, length))
    }

    /// The byte of a character of ASCII.
    pub fn ascii(&self, ascii: u8) -> Option<u8> {
        u8::try_from(self.write.get(u16::from(ascii))).ok().filter(|byte| *byte != 0)
    }

    /// The character of ASCII that a byte is.
    pub fn to_ascii(&self, byte: u8) -> Option<u8> {
        let unit = self.read_byte[usize::from(byte)];
        u8::try_from(unit).ok().filter(|ascii| ascii.is_ascii() && *ascii != 0)
    }

    /// The first of this byte that is not between shifts.
    pub fn find(&self, bytes: &[u8], wanted: u8) -> Option<usize> {
        if !self.has_shifts {
            return bytes.iter().position(|byte| *byte == wanted);
        }
        let mut at = 0;
        loop {
            let rest = bytes.get(at..)?;
            at += rest.iter().position(|byte| *byte == wanted || *byte == SHIFT_OUT)?;
            if bytes.get(at) == Some(&wanted) {
                return Some(at);
            }
            at = pairs_end(bytes, at + 1);
        }
    }

    /// How many bytes the first characters have, as `Charset::characters`.
    pub fn characters(&self, bytes: &[u8], count: usize) -> Option<usize> {
        let (mut at, mut left, mut shifted) = (0, count, false);
        while left > 0 {
            bytes.get(at)?;
            match self.step(bytes, at, shifted)? {
                Step::Character(_, length) => {
                    at += length;
                    left -= 1;
                }
                Step::Out | Step::In => {
                    shifted = !shifted;
                    at += 1;
                }
            }
        }
        // The shift back belongs to the last pair; where more pairs follow, neither part could be
        // read without the other.
        if shifted { (bytes.get(at) == Some(&SHIFT_IN)).then_some(at + 1) } else { Some(at) }
    }

    /// How many characters bytes have that were written or may be read; shifts are none.
    pub fn count(&self, bytes: &[u8]) -> usize {
        let (mut count, mut at, mut shifted) = (0, 0, false);
        while at < bytes.len() {
            match self.step(bytes, at, shifted) {
                Some(Step::Out | Step::In) => {
                    shifted = !shifted;
                    at += 1;
                    continue;
                }
                Some(Step::Character(_, length)) => at += length,
                None => at += 1,
            }
            count += 1;
        }
        count
    }

    pub fn cut(&self, bytes: &[u8], most: usize) -> usize {
        self.boundaries(bytes, most).0
    }

    /// The last place up to `most` that is not between shifts, the last one that is not inside a
    /// pair, and whether that is between shifts.
    fn boundaries(&self, bytes: &[u8], most: usize) -> (usize, usize, bool) {
        let (mut outside, mut at, mut shifted) = (0, 0, false);
        while let Some(byte) = bytes.get(at).filter(|_| at < most) {
            let length = match *byte {
                SHIFT_OUT if self.has_shifts && !shifted => {
                    shifted = true;
                    1
                }
                below if shifted && below < SECOND_MIN => {
                    shifted = false;
                    1
                }
                _ if shifted && has_second(bytes, at) => 2,
                _ => 1,
            };
            if at + length > most {
                break;
            }
            at += length;
            if !shifted {
                outside = at;
            }
        }
        (outside, at, shifted)
    }
}

/// Where pairs end that begin here, after the shift back.
fn pairs_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        match bytes.get(at) {
            Some(&SHIFT_IN) => return at + 1,
            Some(SECOND_MIN..) => at += if has_second(bytes, at) { 2 } else { 1 },
            _ => return at,
        }
    }
}

/// Whether what follows may be a second byte, or is yet to come.
fn has_second(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1).is_none_or(|second| *second >= SECOND_MIN)
}

/// The characters of a stretch of a table.
fn units(table: &[u8]) -> impl Iterator<Item = u16> {
    table.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit))
}
