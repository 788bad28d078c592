//! The bytes of a part as a reader looks at them: a few at a time out of a stream, or all at once
//! where they are in memory. A reader asks for what it needs, and no answer grows with the file.

use std::io::{self, Read};

use crate::format::charset::Charset;
use crate::format::computed::DigestOf;
use crate::format::digests::{Digesting, Passing};
use crate::format::respelled::{Respelled, respell, wide_bytes};

/// How much is read from a stream at a time.
const PIECE_BYTES: usize = 64 * 1024;

enum Bytes<'f> {
    Here(&'f [u8]),
    Stream { from: Box<dyn Read + Send + 'f>, buffer: Vec<u8>, ended: bool },
}

/// A window on a part.
pub(crate) struct Input<'f> {
    bytes: Bytes<'f>,
    /// Where the window begins, in `buffer` or in the slice.
    start: usize,
    /// Bytes of the part before the window.
    pub at: usize,
    most: usize,
    /// The part is spelled so, and the window shows it in UTF-8.
    spelled: Option<Charset>,
    /// Digests over the bytes that were passed.
    digests: Vec<(Digesting, DigestOf, Passing)>,
}

impl<'f> Input<'f> {
    /// All of a part.
    pub const fn here(bytes: &'f [u8]) -> Self {
        let most = bytes.len();
        let bytes = Bytes::Here(bytes);
        Self { bytes, start: 0, at: 0, most, spelled: None, digests: Vec::new() }
    }

    /// A stream of at most `most` bytes.
    pub fn stream(from: Box<dyn Read + Send + 'f>, most: usize) -> Self {
        let bytes = Bytes::Stream { from, buffer: Vec::new(), ended: false };
        Self { bytes, start: 0, at: 0, most, spelled: None, digests: Vec::new() }
    }

    /// What is left is in this character set, and seen in UTF-8 from here on. Digests and places are
    /// those of the bytes as they are spelled.
    #[must_use]
    pub fn respelled(self, charset: Charset) -> Self {
        let Self { bytes, start, at, most, digests, .. } = self;
        let from: Box<dyn Read + Send + 'f> = match bytes {
            Bytes::Here(bytes) => Box::new(bytes.get(start..).unwrap_or_default()),
            Bytes::Stream { from, mut buffer, .. } => {
                buffer.drain(..start);
                Box::new(io::Cursor::new(buffer).chain(from))
            }
        };
        let from = Box::new(Respelled::new(from, charset, at, most));
        let bytes = Bytes::Stream { from, buffer: Vec::new(), ended: false };
        // How long the part may be is looked at where it is read.
        Self { bytes, start: 0, at, most: usize::MAX, spelled: Some(charset), digests }
    }

    /// The place in the part of a byte that is so far behind the start of the window.
    pub fn place(&self, behind: usize) -> usize {
        self.at + self.spelled.map_or(behind, |_| wide_bytes(self.seen(0, behind)))
    }

    /// All that is left, where it is in memory.
    pub fn in_memory(&self) -> Option<&'f [u8]> {
        match &self.bytes {
            Bytes::Here(bytes) => Some(bytes.get(self.start..).unwrap_or_default()),
            Bytes::Stream { .. } => None,
        }
    }

    /// Digests everything that passes by from here on.
    pub fn digest(&mut self, how: Digesting, of: DigestOf, begun: Passing) {
        self.digests.push((how, of, begun));
    }

    /// A digest of what has passed by now.
    pub fn digest_so_far(&self, how: Digesting, of: DigestOf) -> Option<String> {
        let known = self.digests.iter().find(|(h, o, _)| (*h, *o) == (how, of));
        known.map(|(_, _, digest)| digest.clone().finish())
    }

    /// The digests, once all has passed.
    pub fn digested(&mut self) -> Vec<(Digesting, DigestOf, String)> {
        let finished = self.digests.drain(..);
        finished.map(|(how, of, digest)| (how, of, digest.finish())).collect()
    }

    /// At least `least` bytes from here on, or all that are left.
    ///
    /// # Errors
    /// Where the stream cannot be read, or has more bytes than it may.
    #[inline]
    pub fn window(&mut self, least: usize) -> io::Result<&[u8]> {
        let start = self.start;
        match &mut self.bytes {
            Bytes::Here(bytes) => Ok(bytes.get(start..).unwrap_or_default()),
            Bytes::Stream { from, buffer, ended } => {
                if buffer.len() - start < least && !*ended {
                    buffer.drain(..start);
                    self.start = 0;
                    while buffer.len() < least && !*ended {
                        let filled = buffer.len();
                        buffer.resize(filled + PIECE_BYTES, 0);
                        let read = from.read(&mut buffer[filled..]);
                        buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
                        match read {
                            Ok(0) => *ended = true,
                            Ok(_) => {}
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                        if self.at.saturating_add(buffer.len()) > self.most {
                            return Err(io::Error::other(format!(
                                "more than the {} bytes that limits.bytes_max allows",
                                self.most
                            )));
                        }
                    }
                }
                Ok(buffer.get(self.start..).unwrap_or_default())
            }
        }
    }

    /// Passes bytes that were seen in the window.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        if let Some(charset) = self.spelled {
            return self.pass_respelled(charset, count);
        }
        if !self.digests.is_empty() {
            let bytes = match &self.bytes {
                Bytes::Here(bytes) => bytes,
                Bytes::Stream { buffer, .. } => buffer.as_slice(),
            };
            let passed = bytes.get(self.start..self.start + count).unwrap_or_default();
            for (_, _, digest) in &mut self.digests {
                digest.update(passed);
            }
        }
        self.start += count;
        self.at += count;
    }

    fn pass_respelled(&mut self, charset: Charset, count: usize) {
        let passed = self.seen(0, count);
        let at = self.at + wide_bytes(passed);
        if !self.digests.is_empty() {
            let mut wide = Vec::new();
            let text = respell(passed, charset, &mut wide);
            debug_assert!(text.is_some(), "what passes ends between characters");
            for (_, _, digest) in &mut self.digests {
                digest.update(&wide);
            }
        }
        self.start += count;
        self.at = at;
    }

    /// Bytes that were seen in the window, by their distance from its start.
    #[inline]
    pub fn seen(&self, from: usize, to: usize) -> &[u8] {
        let bytes = match &self.bytes {
            Bytes::Here(bytes) => bytes,
            Bytes::Stream { buffer, .. } => buffer.as_slice(),
        };
        bytes.get(self.start + from..self.start + to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::stated::{DigestAlgorithm, Filling};

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn a_stream_gives_the_same_windows_as_memory() {
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut here = Input::here(&text);
        let mut stream = Input::stream(Box::new(Slow(&text)), text.len());
        for input in [&mut here, &mut stream] {
            let (algorithm, filling) = (DigestAlgorithm::Sha256, Filling::Zeros);
            let how = Digesting { algorithm, secret: None, filling, keep: 64 };
            input.digest(how, DigestOf::Body, how.plain());
        }
        loop {
            let window = stream.window(7).unwrap().to_vec();
            assert!(here.window(7).unwrap().starts_with(&window));
            assert!(window.len() >= 7 || here.at + window.len() == text.len());
            if window.is_empty() {
                break;
            }
            let step = window.len().min(5);
            stream.pass(step);
            here.pass(step);
        }
        assert_eq!(here.digested(), stream.digested());
    }

    #[test]
    fn digests_and_places_are_those_of_the_bytes_that_came() {
        let text = "\r\n<a>张𠮷</a>";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (algorithm, filling) = (DigestAlgorithm::Sha256, Filling::Zeros);
        let how = Digesting { algorithm, secret: None, filling, keep: 64 };
        let mut plain = Input::here(&wide);
        let mut stream =
            Input::stream(Box::new(Slow(&wide)), wide.len()).respelled(Charset::Utf16Le);
        for input in [&mut plain, &mut stream] {
            input.digest(how, DigestOf::Body, how.plain());
        }
        plain.pass(wide.len());
        for character in text.chars() {
            let window = stream.window(4).unwrap();
            assert!(window.starts_with(character.encode_utf8(&mut [0; 4]).as_bytes()));
            let behind = stream.place(character.len_utf8());
            stream.pass(character.len_utf8());
            assert_eq!(stream.at, behind);
        }
        assert_eq!(stream.at, wide.len());
        assert_eq!(stream.digested(), plain.digested());
    }

    #[test]
    fn f43_a_stream_that_is_too_long_is_refused() {
        let text = [0_u8; 100];
        let mut stream = Input::stream(Box::new(Slow(&text)), 99);
        assert!(stream.window(99).is_ok());
        assert!(stream.window(100).is_err());
    }
}
