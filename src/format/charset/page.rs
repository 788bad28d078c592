//! Pages that put another 128 characters behind ASCII: those of Europe, of the Middle East and of Thailand,
//! of Windows, of ISO 8859 and of the code pages before them. Tables as data: a page a line, its characters
//! from byte 80 on, U+FFFD where it has none.

use std::sync::OnceLock;

static TEXT: &str = include_str!("pages.tbl");

const PAGES: usize = 19;

/// One page: its characters by their bytes, and its bytes by their characters in the order of those.
struct Table {
    characters: Vec<char>,
    bytes: Vec<(char, u8)>,
}

fn table(page: u8) -> Option<&'static Table> {
    static TABLES: [OnceLock<Table>; PAGES] = [const { OnceLock::new() }; PAGES];
    let page = usize::from(page);
    Some(TABLES.get(page)?.get_or_init(|| {
        let line = TEXT.lines().nth(page).unwrap_or_default();
        let characters: Vec<char> = line.chars().collect();
        let bytes = characters.iter().copied().zip(0x80..=0xFF);
        let mut bytes: Vec<(char, u8)> = bytes.filter(|(c, _)| *c != NOTHING).collect();
        bytes.sort_unstable();
        Table { characters, bytes }
    }))
}

/// Stands where a page has no character.
const NOTHING: char = char::REPLACEMENT_CHARACTER;

/// The byte of a character that is not ASCII.
pub(super) fn byte(page: u8, character: char) -> Option<u8> {
    let bytes = &table(page)?.bytes;
    let at = bytes.binary_search_by_key(&character, |(known, _)| *known).ok()?;
    bytes.get(at).map(|(_, byte)| *byte)
}

/// The character of a byte from 80 on.
pub(super) fn character(page: u8, byte: u8) -> Option<char> {
    let at = usize::from(byte.checked_sub(0x80)?);
    table(page)?.characters.get(at).copied().filter(|character| *character != NOTHING)
}

/// How many characters each page has, with those of ASCII.
#[cfg(test)]
pub(super) fn counts() -> impl Iterator<Item = (crate::format::charset::Charset, usize)> {
    let count = |line: &str| line.chars().filter(|character| *character != NOTHING).count();
    (0..)
        .zip(TEXT.lines())
        .map(move |(at, line)| (crate::format::charset::Charset::Page(at), 95 + count(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_line_of_128_places() {
        assert_eq!(TEXT.lines().count(), PAGES);
        for line in TEXT.lines() {
            assert_eq!(line.chars().count(), 128);
        }
        assert_eq!((byte(16, 'Ł'), character(16, 0x9D)), (Some(0x9D), Some('Ł')));
        assert_eq!(byte(1, 'Ж'), Some(0xC6));
    }
}
