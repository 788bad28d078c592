//! Character sets of one byte a character: ASCII, ISO-8859-1, windows-1252, and the pages.

use crate::format::charset::{
    BadBytes, Charset, Controls, bad, is_refused, may_stand, no_text, page,
};

/// What windows-1252 has where ISO-8859-1 has controls, 80 to 9F; zero is nothing. Some decoders
/// read the five gaps as controls.
const WINDOWS_1252: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
    0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC,
    0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
];

pub(super) fn encode(charset: Charset, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
    for character in text.chars() {
        let byte = byte(charset, character).filter(|_| !is_refused(character));
        out.push(byte.ok_or(character)?);
    }
    Ok(())
}

pub(super) fn decode(
    charset: Charset,
    bytes: &[u8],
    controls: Controls,
    out: &mut String,
) -> Result<(), BadBytes> {
    out.reserve(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let character = character(charset, *byte)
            .ok_or_else(|| bad(at, format!("bytes that are not {}", charset.as_str())))?;
        if !may_stand(character, controls) {
            return Err(no_text(at, character));
        }
        out.push(character);
    }
    Ok(())
}

fn byte(charset: Charset, character: char) -> Option<u8> {
    let point = u32::from(character);
    match (charset, point) {
        (Charset::Page(page), 0x80..) => page::byte(page, character),
        (_, 0..=0x7F) | (Charset::Latin1 | Charset::Windows1252, 0xA0..=0xFF) => {
            u8::try_from(point).ok()
        }
        (Charset::Windows1252, 0x100..) => {
            let at = WINDOWS_1252.iter().position(|unit| u32::from(*unit) == point)?;
            u8::try_from(0x80 + at).ok()
        }
        _ => None,
    }
}

fn character(charset: Charset, byte: u8) -> Option<char> {
    match (charset, byte) {
        (Charset::Page(page), 0x80..) => page::character(page, byte),
        (_, 0..=0x7F) | (Charset::Latin1, _) | (Charset::Windows1252, 0xA0..) => {
            Some(char::from(byte))
        }
        (Charset::Windows1252, _) => {
            let unit = WINDOWS_1252.get(usize::from(byte - 0x80)).filter(|unit| **unit != 0)?;
            char::from_u32(u32::from(*unit))
        }
        _ => None,
    }
}
