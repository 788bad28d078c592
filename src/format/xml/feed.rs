//! Bytes of a bank's character set as the UTF-8 that the event reader wants, piece by piece.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, Read};

use crate::format::charset::{BadBytes, Charset, Controls};

/// How much is decoded at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// A strict decoder that the event reader reads from.
pub(crate) struct Feed<'f> {
    charset: Charset,
    bytes: Cow<'f, [u8]>,
    /// Bytes decoded so far.
    taken: usize,
    text: String,
    /// Bytes of `text` that the reader consumed.
    used: usize,
    /// What was no text, with its place in `bytes`.
    pub bad: Option<BadBytes>,
    /// A place in the text that the reader sees, and the same in `bytes`: where the search for the
    /// next place begins.
    mark: Cell<(usize, usize)>,
}

impl<'f> Feed<'f> {
    pub const fn new(charset: Charset, bytes: Cow<'f, [u8]>) -> Self {
        Self {
            charset,
            bytes,
            taken: 0,
            text: String::new(),
            used: 0,
            bad: None,
            mark: Cell::new((0, 0)),
        }
    }

    /// The byte of the part at which the reader's text position stands. Positions are asked for in
    /// rising order; an earlier one gives the last answer.
    pub fn offset(&self, position: usize) -> usize {
        let (mut seen, mut at) = self.mark.get();
        let mut text = String::new();
        while seen < position && at < self.bytes.len() {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let length = self.charset.cut(rest, 256.min(position - seen).max(4));
            text.clear();
            let piece = rest.get(..length).unwrap_or_default();
            if length == 0 || self.charset.decode_into(piece, Controls::Layout, &mut text).is_err()
            {
                break;
            }
            for character in text.chars() {
                if seen >= position {
                    break;
                }
                seen += character.len_utf8();
                at += self.charset.width(character);
            }
        }
        self.mark.set((seen, at));
        at
    }
}

impl BufRead for Feed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.text.len() && self.taken < self.bytes.len() && self.bad.is_none() {
            self.text.clear();
            self.used = 0;
            let rest = self.bytes.get(self.taken..).unwrap_or_default();
            let length = self.charset.cut(rest, PIECE_BYTES);
            let piece = rest.get(..length).unwrap_or_default();
            if let Err(mut bad) = self.charset.decode_into(piece, Controls::Layout, &mut self.text)
            {
                bad.at += self.taken;
                self.bad = Some(bad);
                self.text.clear();
            } else {
                self.taken += length;
            }
        }
        if self.bad.is_some() {
            return Err(io::Error::other("bytes that are no text"));
        }
        Ok(self.text.as_bytes().get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount).min(self.text.len());
    }
}

impl Read for Feed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}
