//! UTF-8 and UTF-16, without what is no text of a bank.

use crate::format::charset::{
    BLOCK, BadBytes, Controls, bad, is_plain_byte, is_refused, may_stand, no_text, plain_blocks,
};

pub(super) fn encode_utf8(text: &str, out: &mut Vec<u8>) -> Result<(), char> {
    if let Some((_, refused)) = first_refused(text, Controls::None) {
        return Err(refused);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

pub(super) fn decode_utf8(
    bytes: &[u8],
    controls: Controls,
    out: &mut String,
) -> Result<(), BadBytes> {
    let (text, broken_at) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => (start(bytes, error.valid_up_to()), Some(error.valid_up_to())),
    };
    if let Some((at, refused)) = first_refused(text, controls) {
        return Err(no_text(at, refused));
    }
    out.push_str(text);
    broken_at.map_or(Ok(()), |at| Err(bad(at, "bytes that are not UTF-8")))
}

/// The start of this length, which is UTF-8: what is wrong in it is told before what comes after.
#[cold]
fn start(bytes: &[u8], length: usize) -> &str {
    bytes.get(..length).and_then(|start| std::str::from_utf8(start).ok()).unwrap_or_default()
}

/// The first character that must not stand here, and its byte. Only the characters whose first byte
/// leaves a doubt are looked at one by one.
fn first_refused(text: &str, controls: Controls) -> Option<(usize, char)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&first) = bytes.get(at) {
        match first {
            0..=0x7F => {
                at += plain_blocks(bytes.get(at..).unwrap_or_default());
                while let Some(&byte) = bytes.get(at).filter(|byte| byte.is_ascii()) {
                    let character = char::from(byte);
                    if !is_plain_byte(byte) && !may_stand(character, controls) {
                        return Some((at, character));
                    }
                    at += 1;
                    if at % BLOCK == 0 {
                        break;
                    }
                }
            }
            // U+00C0 to U+07FF and U+0800 to U+DFFF have nothing that is refused.
            0xC3..=0xDF => at += 2,
            0xE0..=0xED => at += 3,
            _ => {
                let character = text.get(at..).and_then(|rest| rest.chars().next())?;
                if is_refused(character) {
                    return Some((at, character));
                }
                at += character.len_utf8();
            }
        }
    }
    None
}

pub(super) fn encode_utf16(
    text: &str,
    order: fn(u16) -> [u8; 2],
    out: &mut Vec<u8>,
) -> Result<(), char> {
    for character in text.chars() {
        if is_refused(character) {
            return Err(character);
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            out.extend_from_slice(&order(*unit));
        }
    }
    Ok(())
}

pub(super) fn decode_utf16(
    bytes: &[u8],
    order: fn([u8; 2]) -> u16,
    controls: Controls,
    out: &mut String,
) -> Result<(), BadBytes> {
    let (units, rest) = bytes.as_chunks::<2>();
    out.reserve(bytes.len() + bytes.len() / 2);
    let mut at = 0;
    for read in char::decode_utf16(units.iter().map(|unit| order(*unit))) {
        let character = read.map_err(|_| bad(at, "half of a surrogate pair"))?;
        if !may_stand(character, controls) {
            return Err(no_text(at, character));
        }
        out.push(character);
        at += 2 * character.len_utf16();
    }
    if rest.is_empty() { Ok(()) } else { Err(bad(at, "one byte where UTF-16 has two")) }
}
