//! Marks and names in the bytes of a document. The signs of XML are no later bytes of a character
//! in any character set that a document may have, so that bytes are looked at as they came.

use std::ops::Range;

use crate::format::charset::{Charset, is_refused};

/// No element of a bank has more attributes.
pub(super) const ATTRIBUTES_MAX: usize = 32;

/// The most digits of a reference by number.
const DIGITS_MAX: usize = 10;

/// What begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    End,
    Start,
    Instruction,
    Doctype,
    Comment,
    CData,
    /// So many blanks and line ends.
    Blank(usize),
    Text,
    /// The end of the document.
    Nothing,
}

pub(super) const CDATA: &[u8] = b"<![CDATA[";
pub(super) const CDATA_END: &[u8] = b"]]>";

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len())
}

pub(super) fn markup(window: &[u8]) -> Markup {
    match window {
        [] => Markup::Nothing,
        [b'<', b'/', ..] => Markup::End,
        [b'<', b'?', ..] => Markup::Instruction,
        [b'<', b'!', b'-', ..] => Markup::Comment,
        [b'<', b'!', ..] if window.starts_with(CDATA) => Markup::CData,
        [b'<', b'!', ..] => Markup::Doctype,
        [b'<', ..] => Markup::Start,
        [byte, ..] if is_blank(*byte) => Markup::Blank(blanks(window)),
        _ => Markup::Text,
    }
}

/// A start tag, or a declaration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    /// Of `<`, the name, attributes and `>`.
    pub length: usize,
    /// Of the name, which stands behind the `<`.
    pub name: usize,
    /// It is its own end tag.
    pub empty: bool,
}

/// A name and its value in a tag, by their places.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub name: Range<usize>,
    pub value: Range<usize>,
}

/// Why there is no tag here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTag {
    /// It is not whole.
    Cut,
    TooMany,
    /// What was expected at a byte.
    Wrong(usize, &'static str),
}

/// The tag that begins here; `from` is the length of its opening sign, `end` its closing one beside
/// `>`, like `/` or `?`.
pub(super) fn tag(
    window: &[u8],
    from: usize,
    end: u8,
    pairs: &mut Vec<Pair>,
) -> Result<Tag, NoTag> {
    pairs.clear();
    let name = name_length(window, from)?;
    let mut at = from + name;
    loop {
        let rest = window.get(at..).unwrap_or_default();
        let blank = blanks(rest);
        match rest.get(blank).ok_or(NoTag::Cut)? {
            b'>' => return Ok(Tag { length: at + blank + 1, name, empty: false }),
            byte if *byte == end => {
                let next = *rest.get(blank + 1).ok_or(NoTag::Cut)?;
                if next != b'>' {
                    return Err(NoTag::Wrong(at + blank, "the end of a tag"));
                }
                return Ok(Tag { length: at + blank + 2, name, empty: true });
            }
            _ if blank == 0 => return Err(NoTag::Wrong(at, "a blank before attributes")),
            _ => {}
        }
        if pairs.len() == ATTRIBUTES_MAX {
            return Err(NoTag::TooMany);
        }
        let pair = pair(window, at + blank)?;
        let same = |known: &Pair| window.get(known.name.clone()) == window.get(pair.name.clone());
        if pairs.iter().any(same) {
            return Err(NoTag::Wrong(pair.name.start, "attributes once"));
        }
        at = pair.value.end + 1;
        pairs.push(pair);
    }
}

/// The name that begins at `from`.
fn name_length(window: &[u8], from: usize) -> Result<usize, NoTag> {
    let rest = window.get(from..).unwrap_or_default();
    let ends = |byte: &u8| is_blank(*byte) || matches!(*byte, b'>' | b'/' | b'=' | b'?');
    let length = rest.iter().position(ends).ok_or(NoTag::Cut)?;
    let name = rest.get(..length).unwrap_or_default();
    let first = name.first().copied().unwrap_or(b'-');
    let begins = first.is_ascii_alphabetic() || first == b'_' || !first.is_ascii();
    if !begins || name.iter().any(|b| matches!(b, b'<' | b'&' | b'"' | b'\'' | 0..b' ')) {
        return Err(NoTag::Wrong(from, "a name"));
    }
    Ok(length)
}

/// The attribute that begins at `from`.
fn pair(window: &[u8], from: usize) -> Result<Pair, NoTag> {
    let length = name_length(window, from)?;
    let name = from..from + length;
    let mut at = name.end;
    at += blanks(window.get(at..).unwrap_or_default());
    if *window.get(at).ok_or(NoTag::Cut)? != b'=' {
        return Err(NoTag::Wrong(at, "attributes with quoted values"));
    }
    at += 1;
    at += blanks(window.get(at..).unwrap_or_default());
    let quote = *window.get(at).ok_or(NoTag::Cut)?;
    if !matches!(quote, b'"' | b'\'') {
        return Err(NoTag::Wrong(at, "attributes with quoted values"));
    }
    let start = at + 1;
    let rest = window.get(start..).unwrap_or_default();
    let length = rest.iter().position(|b| *b == quote || *b == b'<').ok_or(NoTag::Cut)?;
    if rest.get(length) == Some(&b'<') {
        return Err(NoTag::Wrong(start + length, "attributes with quoted values"));
    }
    Ok(Pair { name, value: start..start + length })
}

/// The character that a reference stands for, and the length of the reference: one of the five that
/// XML itself knows, or a character by its number. One that no text of a bank has, or that the
/// character set of the document has not, is none: it could have come in no other way.
pub(super) fn reference(charset: Charset, bytes: &[u8]) -> Option<(char, usize)> {
    const KNOWN: [(&[u8], char); 5] =
        [(b"&lt;", '<'), (b"&gt;", '>'), (b"&amp;", '&'), (b"&quot;", '"'), (b"&apos;", '\'')];
    if let Some((spelled, sign)) = KNOWN.iter().find(|(spelled, _)| bytes.starts_with(spelled)) {
        return Some((*sign, spelled.len()));
    }
    let rest = bytes.strip_prefix(b"&#")?;
    let (base, rest) = rest.strip_prefix(b"x").map_or((10, rest), |rest| (16, rest));
    // Zeros in front are allowed; more of them than this nobody writes.
    let length = rest.iter().take(DIGITS_MAX + 1).position(|byte| *byte == b';')?;
    let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
    // A number may have a sign; this one may not.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, base).ok()?;
    let character = char::from_u32(number).filter(|character| !is_refused(*character))?;
    push(charset, character, &mut Vec::new())?;
    Some((character, bytes.len() - rest.len() + length + 1))
}

/// Appends a character as the document would have it.
pub(super) fn push(charset: Charset, character: char, into: &mut Vec<u8>) -> Option<()> {
    charset.encode_into(character.encode_utf8(&mut [0; 4]), into).ok()
}

/// The processing instruction that begins here, of which none may be called xml: its length.
pub(super) fn instruction(window: &[u8]) -> Result<usize, NoTag> {
    let name = name_length(window, 2)?;
    let spelled = window.get(2..2 + name).unwrap_or_default();
    let rest = window.get(2 + name..).unwrap_or_default();
    let begins = rest.first().is_some_and(|byte| is_blank(*byte)) || rest.starts_with(b"?");
    if spelled.eq_ignore_ascii_case(b"xml") || !begins {
        return Err(NoTag::Wrong(2, "a name"));
    }
    let end = rest.windows(2).position(|two| two == b"?>").ok_or(NoTag::Cut)?;
    Ok(2 + name + end + 2)
}

/// The comment that begins here: its length. It ends where -- first stands in it.
pub(super) fn comment(window: &[u8]) -> Result<usize, NoTag> {
    const BEGIN: &[u8] = b"<!--";
    if !window.starts_with(BEGIN) {
        let cut = BEGIN.starts_with(window);
        return Err(if cut { NoTag::Cut } else { NoTag::Wrong(0, "a comment") });
    }
    let inside = window.get(BEGIN.len()..).unwrap_or_default();
    let end = inside.windows(2).position(|two| two == b"--").ok_or(NoTag::Cut)?;
    match inside.get(end + 2) {
        Some(b'>') => Ok(BEGIN.len() + end + 3),
        Some(_) => Err(NoTag::Wrong(BEGIN.len() + end, "the end of a comment")),
        None => Err(NoTag::Cut),
    }
}

/// Appends a text without its references.
///
/// # Errors
/// The byte at which a reference begins that stands for nothing.
pub(super) fn unescape(charset: Charset, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), usize> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
        into.extend_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        if let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (character, length) = reference(charset, rest).ok_or(at)?;
            push(charset, character, into).ok_or(at)?;
            at += length;
        }
    }
    Ok(())
}

/// A name as its prefix and what is behind it.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().position(|byte| *byte == b':') {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default()),
        None => (&[], name),
    }
}

/// A name of a document for a message: the bank's, not a person's; still no more than a glance.
pub(super) fn printable(name: &[u8]) -> String {
    name.iter().filter(|byte| byte.is_ascii_graphic()).take(32).map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<(usize, usize, bool, usize), NoTag> {
        let mut pairs = Vec::new();
        let tag = tag(text.as_bytes(), 1, b'/', &mut pairs)?;
        Ok((tag.length, tag.name, tag.empty, pairs.len()))
    }

    #[test]
    fn a_tag_is_whole_or_told() {
        assert_eq!(found("<a>"), Ok((3, 1, false, 0)));
        assert_eq!(found("<ab/>x"), Ok((5, 2, true, 0)));
        assert_eq!(found("<ab  x = \"1\" y='>'\n/>"), Ok((21, 2, true, 2)));
        for cut in ["<", "<a", "<a ", "<a x", "<a x=", "<a x=\"", "<a x=\"1", "<a x=\"1\"", "<a/"] {
            assert_eq!(found(cut), Err(NoTag::Cut), "{cut}");
        }
        for wrong in ["<>", "<1>", "<a x>", "<a x=1>", "<a x=\"<\">", "<a x=\"1\"y=\"2\">", "<a//>"]
        {
            assert!(matches!(found(wrong), Err(NoTag::Wrong(..))), "{wrong}");
        }
        assert!(matches!(found("<a x=\"1\" x=\"2\">"), Err(NoTag::Wrong(9, "attributes once"))));
    }

    #[test]
    fn f44_a_reference_stands_for_a_character_that_the_document_could_have() {
        let read = |charset: Charset, text: &str| {
            let mut into = Vec::new();
            unescape(charset, text.as_bytes(), &mut into).map(|()| into)
        };
        let good = "a&lt;b&amp;&quot;&gt;&apos;&#39;&#x4E2d;&#0020013;";
        assert_eq!(read(Charset::Utf8, good), Ok("a<b&\">''中中".as_bytes().to_vec()));
        assert_eq!(read(Charset::Gbk, "&#20013;"), Ok(vec![0xD6, 0xD0]));
        assert_eq!(read(Charset::Gb18030, "&#x20BB7;").map(|bytes| bytes.len()), Ok(4));
        // What the first one makes is not looked at again.
        assert_eq!(read(Charset::Utf8, "&#38;lt;"), Ok(b"&lt;".to_vec()));
        for other in [
            "&x;",
            "&",
            "&lt",
            "&amp ;",
            "&#;",
            "&#x;",
            "&#48",
            "&#X30;",
            "&#+48;",
            "&#-1;",
            "&# 48;",
            "&#4a;",
            "&#00000000048;",
            "&#4294967344;",
            "&#99999999999;",
            "&#0;",
            "&#8;",
            "&#127;",
            "&#xD800;",
            "&#xDFFF;",
            "&#xFFFE;",
            "&#xFFFF;",
            "&#x110000;",
            "&#xE000;",
        ] {
            assert_eq!(read(Charset::Utf8, other), Err(0), "{other}");
        }
        for (charset, beyond) in [
            (Charset::Gbk, "a&#x20BB7;"),
            (Charset::Latin1, "a&#x4E2D;"),
            (Charset::Ascii, "a&#233;"),
        ] {
            assert_eq!(read(charset, beyond), Err(1), "{beyond}");
        }
    }

    #[test]
    fn a_comment_or_instruction_is_whole_or_told() {
        assert_eq!(comment(b"<!---->x"), Ok(7));
        assert_eq!(comment(b"<!-- <a> & -->"), Ok(14));
        assert_eq!(instruction(b"<?a?>x"), Ok(5));
        assert_eq!(instruction(b"<?a-b c=\"?\" ?>"), Ok(14));
        for cut in ["<!-", "<!--", "<!-->", "<!--->", "<!-- x", "<!-- x --"] {
            assert_eq!(comment(cut.as_bytes()), Err(NoTag::Cut), "{cut}");
        }
        for cut in ["<?", "<?a", "<?a ", "<?a ?", "<?a >"] {
            assert_eq!(instruction(cut.as_bytes()), Err(NoTag::Cut), "{cut}");
        }
        for wrong in ["<!-x-->", "<!-- a -- b -->", "<!-- a --->"] {
            assert!(matches!(comment(wrong.as_bytes()), Err(NoTag::Wrong(..))), "{wrong}");
        }
        for wrong in ["<?xml ?>", "<?XML a?>", "<? a?>", "<?a=b?>", "<?1?>"] {
            assert!(matches!(instruction(wrong.as_bytes()), Err(NoTag::Wrong(..))), "{wrong}");
        }
    }
}
