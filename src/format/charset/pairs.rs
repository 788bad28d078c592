//! Character sets of ASCII and pairs of bytes: GB18030, GBK, GB2312, Big5, `Shift_JIS` and EUC-KR.
//!
//! A pair and a character are each looked up in a table of 65,536 that is made at first use, a
//! millisecond or a few, from what `encoding_rs` reads and, asked again, writes as the same pair.
//! So the tables are strict by how they are made: a second spelling is not in them.

use std::sync::OnceLock;

use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};

use crate::format::charset::lookup::Lookup;
use crate::format::charset::{
    BLOCK, BadBytes, Charset, Controls, bad, is_plain_byte, is_refused, may_stand, no_text,
    plain_blocks,
};

/// The first half-width katakana, the one character set's letters of one byte that are not ASCII.
const KATAKANA: u16 = 0xFF61;

/// How many four-byte sequences there are before those of U+10000.
const FOUR_BYTES_BEFORE_PLANES: u32 = 189_000;

const SPELLED_TWICE: &str = "a spelling that the character set does not have";

/// The tables of one character set; zero is no character and no pair.
pub(super) struct Pairs {
    charset: Charset,
    encoding: &'static Encoding,
    /// From a pair to a character.
    read: Lookup,
    /// From a character to a pair.
    write: Lookup,
}

impl Charset {
    /// The tables, of character sets that are made of pairs.
    pub(super) fn pairs(self) -> Option<&'static Pairs> {
        static TABLES: [OnceLock<Pairs>; 6] = [const { OnceLock::new() }; 6];
        let (table, encoding): (_, &'static Encoding) = match self {
            Self::Gb18030 => (&TABLES[0], GB18030),
            Self::Gbk => (&TABLES[1], GBK),
            Self::Gb2312 => (&TABLES[2], GBK),
            Self::Big5 => (&TABLES[3], BIG5),
            Self::ShiftJis => (&TABLES[4], SHIFT_JIS),
            Self::EucKr => (&TABLES[5], EUC_KR),
            _ => return None,
        };
        Some(table.get_or_init(|| Pairs::new(self, encoding)))
    }

    /// Whether this pair may be one of this character set, as far as its rows tell.
    const fn has_pair(self, pair: u16) -> bool {
        match self {
            // What GB18030 put at places that GBK left empty, or filled for private use: 䶮 is one.
            // No system of a bank that says GBK writes it there, as neither Java nor Windows do.
            Self::Gbk => !matches!(pair,
                0xA6D9..=0xA6DF | 0xA6EC | 0xA6ED | 0xA6F3 | 0xA8BC | 0xA8BF | 0xA989..=0xA995
                | 0xFE50..=0xFEA0),
            Self::Gb2312 => is_gb2312(pair),
            // Between these rows lie the ones of Hong Kong and those that each bank draws itself.
            Self::Big5 => matches!(pair, 0xA140..=0xC67E | 0xC940..=0xF9FE),
            _ => true,
        }
    }

    /// Whether this pair is the spelling of a character that `encoding_rs` writes so. Where that is a
    /// pair of Hong Kong's, Big5 has the character at a place of its own: 仝, at C9 69.
    fn writes(self, written: &Written, pair: &[u8]) -> bool {
        let pair_of_another = match written.bytes() {
            [first, second] => !self.has_pair(u16::from_be_bytes([*first, *second])),
            _ => false,
        };
        written.bytes() == pair || (self == Self::Big5 && pair_of_another)
    }
}

/// The 682 signs of rows 1 to 9 and the 6,763 characters of rows 16 to 87 of GB 2312-80.
const fn is_gb2312(pair: u16) -> bool {
    match pair {
        0xA1A1..=0xA1FE
        | 0xA2B1..=0xA2E2
        | 0xA2E5..=0xA2EE
        | 0xA2F1..=0xA2FC
        | 0xA3A1..=0xA3FE
        | 0xA4A1..=0xA4F3
        | 0xA5A1..=0xA5F6
        | 0xA6A1..=0xA6B8
        | 0xA6C1..=0xA6D8
        | 0xA7A1..=0xA7C1
        | 0xA7D1..=0xA7F1
        | 0xA8A1..=0xA8BA
        | 0xA8C5..=0xA8E9
        | 0xA9A4..=0xA9EF => true,
        0xD7FA..=0xD7FE => false,
        0xB0A1..=0xF7FE => pair & 0xFF >= 0xA1,
        _ => false,
    }
}

impl Pairs {
    fn new(charset: Charset, encoding: &'static Encoding) -> Self {
        let mut tables = Self { charset, encoding, read: Lookup::new(), write: Lookup::new() };
        for pair in 0x8140..=0xFEFE_u16 {
            let bytes = pair.to_be_bytes();
            let Some(character) = read_one(encoding, &bytes).filter(|_| charset.has_pair(pair))
            else {
                continue;
            };
            let Ok(unit) = u16::try_from(u32::from(character)) else { continue };
            if !is_refused(character) && charset.writes(&write_one(encoding, character), &bytes) {
                tables.read.set(pair, unit);
                tables.write.set(unit, pair);
            }
        }
        tables
    }

    /// Appends the text, as `Charset::encode_into`.
    pub fn encode(&self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        out.reserve(text.len());
        for character in text.chars() {
            if character.is_ascii() {
                if is_refused(character) {
                    return Err(character);
                }
                out.extend(u8::try_from(character));
                continue;
            }
            let pair = self.write.of(character);
            if pair == 0 {
                self.encode_rare(character, out)?;
            } else {
                out.extend_from_slice(&pair.to_be_bytes());
            }
        }
        Ok(())
    }

    /// Appends a character that is neither ASCII nor a pair.
    fn encode_rare(&self, character: char, out: &mut Vec<u8>) -> Result<(), char> {
        match self.charset {
            Charset::Gb18030 if !is_refused(character) => match u32::from(character) {
                point @ 0x1_0000.. => {
                    out.extend(four_bytes(point - 0x1_0000 + FOUR_BYTES_BEFORE_PLANES));
                }
                _ => out.extend(write_one(self.encoding, character).bytes()),
            },
            Charset::ShiftJis if katakana_byte(character).is_some() => {
                out.extend(katakana_byte(character));
            }
            _ => return Err(character),
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
        out.reserve(bytes.len() + bytes.len() / 2);
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            if first.is_ascii() {
                at += decode_ascii(bytes, at, controls, out)?;
                continue;
            }
            let second = bytes.get(at + 1).copied().unwrap_or(0);
            let unit = self.read.get(u16::from_be_bytes([first, second]));
            match char::from_u32(u32::from(unit)) {
                Some(character) if unit != 0 => {
                    out.push(character);
                    at += 2;
                }
                _ => at += self.decode_rare(bytes, at, out)?,
            }
        }
        Ok(())
    }

    /// Appends a character that is neither ASCII nor a pair; says how many bytes it has.
    fn decode_rare(&self, bytes: &[u8], at: usize, out: &mut String) -> Result<usize, BadBytes> {
        let rest = bytes.get(at..).unwrap_or_default();
        match (self.charset, rest) {
            (Charset::Gb18030, [first, second, third, fourth, ..]) => {
                let four = [*first, *second, *third, *fourth];
                let character = self
                    .four(four)
                    .filter(|character| !is_refused(*character) && self.write.of(*character) == 0);
                if let Some(character) = character {
                    out.push(character);
                    return Ok(4);
                }
            }
            (Charset::ShiftJis, [first @ 0xA1..=0xDF, ..]) => {
                let katakana = char::from_u32(u32::from(KATAKANA) + u32::from(first - 0xA1));
                out.extend(katakana);
                return Ok(1);
            }
            _ => {}
        }
        Err(self.refusal(rest, at))
    }

    /// The character that four bytes are.
    fn four(&self, bytes: [u8; 4]) -> Option<char> {
        let linear = linear(bytes)?;
        match linear.checked_sub(FOUR_BYTES_BEFORE_PLANES) {
            Some(above) => char::from_u32(0x1_0000 + above),
            None => read_one(self.encoding, &bytes),
        }
    }

    /// Why there is no character here.
    #[cold]
    fn refusal(&self, rest: &[u8], at: usize) -> BadBytes {
        let most = if self.charset == Charset::Gb18030 { 4 } else { 2 };
        let mut starts = (1..=most).filter_map(|length| rest.get(..length));
        match starts.find_map(|start| read_one(self.encoding, start)) {
            Some(character) if is_refused(character) => no_text(at, character),
            Some(_) => bad(at, SPELLED_TWICE),
            None => bad(at, format!("bytes that are not {}", self.charset.as_str())),
        }
    }
}

/// Appends one or more of ASCII; says how many.
fn decode_ascii(
    bytes: &[u8],
    at: usize,
    controls: Controls,
    out: &mut String,
) -> Result<usize, BadBytes> {
    let rest = bytes.get(at..).unwrap_or_default();
    let plain = plain_blocks(rest);
    if plain > 0
        && let Some(Ok(text)) = rest.get(..plain).map(std::str::from_utf8)
    {
        out.push_str(text);
        return Ok(plain);
    }
    let mut taken = 0;
    for byte in rest.iter().take_while(|byte| byte.is_ascii()).take(BLOCK) {
        let character = char::from(*byte);
        if !is_plain_byte(*byte) && !may_stand(character, controls) {
            return Err(no_text(at + taken, character));
        }
        out.push(character);
        taken += 1;
    }
    Ok(taken)
}

fn katakana_byte(character: char) -> Option<u8> {
    let unit = u16::try_from(u32::from(character)).ok()?;
    let index = u8::try_from(unit.checked_sub(KATAKANA)?).ok()?;
    (index <= 0xDF - 0xA1).then(|| 0xA1 + index)
}

/// The number of a four-byte sequence, if its bytes are such.
fn linear(bytes: [u8; 4]) -> Option<u32> {
    let mut sum = 0;
    for (byte, (low, count)) in bytes.into_iter().zip(FOUR_BYTES) {
        let digit = byte.checked_sub(low).filter(|digit| *digit < count)?;
        sum = sum * u32::from(count) + u32::from(digit);
    }
    Some(sum)
}

/// The lowest byte and the number of bytes at each place of a four-byte sequence.
const FOUR_BYTES: [(u8, u8); 4] = [(0x81, 126), (b'0', 10), (0x81, 126), (b'0', 10)];

/// The sequence with this number.
fn four_bytes(linear: u32) -> [u8; 4] {
    let mut rest = linear;
    let mut bytes = [0; 4];
    for (byte, (low, count)) in bytes.iter_mut().zip(FOUR_BYTES).rev() {
        let digit = rest % u32::from(count);
        rest /= u32::from(count);
        *byte = low + u8::try_from(digit).unwrap_or(0);
    }
    bytes
}

/// The one character that these bytes are, as `encoding_rs` reads them.
fn read_one(encoding: &'static Encoding, bytes: &[u8]) -> Option<char> {
    let mut text = [0; 16];
    let (result, _, written) = encoding
        .new_decoder_without_bom_handling()
        .decode_to_utf8_without_replacement(bytes, &mut text, true);
    let text = text.get(..written).and_then(|text| std::str::from_utf8(text).ok())?;
    let mut characters = text.chars();
    let character = characters.next()?;
    let is_all = result == encoding_rs::DecoderResult::InputEmpty && characters.next().is_none();
    is_all.then_some(character)
}

/// What `encoding_rs` writes for one character.
struct Written {
    bytes: [u8; 16],
    length: usize,
}

impl Written {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn write_one(encoding: &'static Encoding, character: char) -> Written {
    let mut text = [0; 4];
    let text = character.encode_utf8(&mut text);
    let mut bytes = [0; 16];
    let (result, _, length) =
        encoding.new_encoder().encode_from_utf8_without_replacement(text, &mut bytes, true);
    let length = if result == encoding_rs::EncoderResult::InputEmpty { length } else { 0 };
    Written { bytes, length }
}
