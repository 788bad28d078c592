//! Documents in UTF-16. Their signs are no bytes of their own, so they are put together and read as
//! UTF-8, and spelled anew as a whole on their way: both have the same characters, one for one.

use std::fmt;
use std::io::{self, Read};

use crate::format::charset::{Charset, Controls};

/// How much is read at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What is no text, or more than may be, at a byte of the part.
#[derive(Debug)]
pub(crate) struct NoText {
    /// From the start of the part.
    pub at: usize,
    why: String,
}

impl fmt::Display for NoText {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.why)
    }
}

impl std::error::Error for NoText {}

impl NoText {
    /// What a read failed of, where it failed of this.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// How many bytes of UTF-16 the characters have that these bytes of UTF-8 are.
pub(crate) fn wide_bytes(text: &[u8]) -> usize {
    let units = |byte: &u8| match byte {
        0x80..=0xBF => 0,
        0xF0.. => 4,
        _ => 2,
    };
    text.iter().map(units).sum()
}

/// Appends text in UTF-8 as UTF-16; nothing where it is none. What may stand in it was looked at where it
/// came from.
pub(crate) fn respell(text: &[u8], to: Charset, out: &mut Vec<u8>) -> Option<()> {
    let units = std::str::from_utf8(text).ok()?.encode_utf16();
    out.extend(units.flat_map(|unit| match to {
        Charset::Utf16Be => unit.to_be_bytes(),
        _ => unit.to_le_bytes(),
    }));
    Some(())
}

/// Reads UTF-16 as UTF-8, as strictly as any other text.
pub(crate) struct Respelled<'f> {
    from: Box<dyn Read + Send + 'f>,
    charset: Charset,
    /// Bytes that were read, of which the text is not there yet.
    wide: Vec<u8>,
    /// Where these begin, from the start of the part.
    at: usize,
    most: usize,
    ended: bool,
    text: String,
    /// So much of it was given.
    given: usize,
    /// What stands behind the text.
    fault: Option<NoText>,
}

impl<'f> Respelled<'f> {
    /// `at` is the place in the part where `from` begins, `most` the length that the part may have.
    pub fn new(from: Box<dyn Read + Send + 'f>, charset: Charset, at: usize, most: usize) -> Self {
        Self {
            from,
            charset,
            wide: Vec::new(),
            at,
            most,
            ended: false,
            text: String::new(),
            given: 0,
            fault: None,
        }
    }

    /// Reads on until there is text, or the end.
    fn more(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        while self.text.is_empty() && self.fault.is_none() && !self.ended {
            let filled = self.wide.len();
            self.wide.resize(filled + PIECE_BYTES, 0);
            let read = self.from.read(&mut self.wide[filled..]);
            self.wide.truncate(filled + *read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            if self.at.saturating_add(self.wide.len()) > self.most {
                let most = self.most;
                let why = format!("more than the {most} bytes that limits.bytes_max allows");
                self.fault = Some(NoText { at: self.at, why });
                return Ok(());
            }
            let whole = if self.ended { self.wide.len() } else { self.whole() };
            let text = self.wide.get(..whole).unwrap_or_default();
            let decoded = self.charset.decode_into(text, Controls::Layout, &mut self.text);
            if let Err(bad) = decoded {
                self.fault = Some(NoText { at: self.at + bad.at, why: bad.why });
            }
            self.wide.drain(..whole);
            self.at += whole;
        }
        Ok(())
    }

    /// Without half a character at the end.
    fn whole(&self) -> usize {
        let even = self.wide.len() & !1;
        let last = even.checked_sub(2).and_then(|at| self.wide.get(at..even));
        let high = match self.charset {
            Charset::Utf16Be => last.and_then(|unit| unit.first()),
            _ => last.and_then(|unit| unit.last()),
        };
        if matches!(high, Some(0xD8..=0xDB)) { even - 2 } else { even }
    }
}

impl Read for Respelled<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            if let Some(fault) = self.fault.take() {
                self.ended = true;
                self.wide.clear();
                return Err(io::Error::other(fault));
            }
            self.more()?;
            if self.text.is_empty() && self.fault.is_some() {
                return self.read(into);
            }
        }
        let rest = self.text.as_bytes().get(self.given..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, charset: Charset) -> Vec<u8> {
        let mut bytes = Vec::new();
        respell(text.as_bytes(), charset, &mut bytes).unwrap();
        bytes
    }

    /// Gives so many bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(self.1).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn i21_text_is_the_same_however_its_bytes_come() {
        let text = "<a>\r\n张𠮷é</a>";
        for charset in [Charset::Utf16Be, Charset::Utf16Le] {
            let bytes = wide(text, charset);
            assert_eq!(wide_bytes(text.as_bytes()), bytes.len());
            for step in 1..=bytes.len() {
                let mut read = String::new();
                let mut from =
                    Respelled::new(Box::new(Drops(&bytes, step)), charset, 2, bytes.len() + 2);
                from.read_to_string(&mut read).unwrap();
                assert_eq!(read, text, "{step}");
            }
        }
    }

    #[test]
    fn i22_what_is_no_text_is_told_at_its_byte_behind_what_is() {
        let good = wide("<a>张", Charset::Utf16Le);
        for (bad, at) in [
            (&b"\x00\xDC"[..], 10),    // half of a pair
            (b"\x00\xD8\x41\x00", 10), // the other half, and something else
            (b"\x07\x00", 10),         // a control character
            (b"\xFF\xFE", 10),         // a mark inside
            (b"\x41\x00\x41", 12),     // half a unit
        ] {
            let bytes = [&good[..], bad].concat();
            for step in [1, 3, 100] {
                let from = Box::new(Drops(&bytes, step));
                let mut from = Respelled::new(from, Charset::Utf16Le, 2, 100);
                let mut read = Vec::new();
                let error = from.read_to_end(&mut read).unwrap_err();
                assert!(read.starts_with("<a>张".as_bytes()), "{bad:02X?}");
                assert_eq!(NoText::of(&error).map(|bad| bad.at), Some(at), "{bad:02X?}: {error}");
            }
        }
        let mut long = Respelled::new(Box::new(Drops(&good, 100)), Charset::Utf16Le, 2, 9);
        let error = long.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("limits.bytes_max"), "{error}");
    }
}
