//! Fixed width: every record has its length, every field its place, in bytes after encoding or in
//! characters.

use crate::format::cell::{Bind, Cell, Pen, ReadFault, Spelling};
use crate::format::charset::Charset;
use crate::format::computed::Stated;
use crate::format::error::{FieldFault, shape};
use crate::format::record::Record;
use crate::format::words::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// The place of a field.
#[derive(Debug, Clone)]
pub(crate) struct Slab {
    /// From the start of the record.
    pub start: usize,
    pub width: usize,
    /// What fills it up, as the character set spells it: one byte, but for UTF-16.
    pub pad: Vec<u8>,
    /// What fills it where there is no value.
    pub absent: Vec<u8>,
    pub side: Side,
    /// The value always takes all of it: what is shorter is not written.
    pub full: bool,
    /// The filling is zeros, which belong to a number.
    pub zeros: bool,
    /// A number that is no text: all bytes belong to it.
    pub raw: bool,
}

impl Slab {
    /// Where a constant of this length stands.
    pub fn mark_at(&self, length: usize) -> usize {
        match self.side {
            Side::Left => self.start,
            Side::Right => self.start + self.width.saturating_sub(length),
        }
    }

    /// Appends a field with its filling.
    #[inline]
    pub fn put(
        &self,
        cell: &Cell,
        characters: bool,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldFault> {
        let from = out.len();
        // A zero takes as many bytes as any sign of the character set.
        let digit = if characters { 1 } else { self.pad.len().max(1) };
        let fill = if self.zeros { self.width / digit } else { 0 };
        let there = cell.write(pen, source, fill, out)?;
        let taken = out.len() - from;
        let (needed, unit) = if characters {
            (pen.charset.count(out.get(from..).unwrap_or_default()), 1)
        } else {
            (taken, self.pad.len())
        };
        if needed > self.width {
            return Err(FieldFault::TooWide { needed, there: self.width });
        }
        if !there {
            let missing = (self.width - needed) / unit;
            out.truncate(from);
            fill_with(&self.absent, missing, out);
            return Ok(());
        }
        if matches!(cell.spelling, Spelling::Text(_)) && taken > 0 && needed < self.width + 1 {
            let value = out.get(from..).unwrap_or_default();
            let lost = match (self.side, self.pad.as_slice()) {
                (Side::Left, [pad]) => value.last() == Some(pad),
                (Side::Right, [pad]) => value.first() == Some(pad),
                (Side::Left, pad) => value.ends_with(pad),
                (Side::Right, pad) => value.starts_with(pad),
            };
            if lost || (needed == self.width && self.is_absent(value)) {
                let pad = char::from(self.pad.first().copied().unwrap_or(b' '));
                return Err(FieldFault::Padding { pad });
            }
        }
        let missing = (self.width - needed) / unit;
        if missing > 0 && self.full {
            return Err(FieldFault::TooShort { taken: needed, there: self.width });
        }
        if missing > 0 {
            fill_with(&self.pad, missing, out);
            if self.side == Side::Right {
                let filled = out.len() - from - taken;
                out[from..].rotate_right(filled);
            }
        }
        Ok(())
    }

    /// Reads a field out of its own bytes.
    #[inline]
    pub fn take(
        &self,
        cell: &Cell,
        charset: Charset,
        bytes: &[u8],
        record: &mut Record,
        stated: &mut Stated,
    ) -> Result<(), Box<ReadFault>> {
        if let Bind::Literal { bytes: literal, .. } = &cell.bind {
            return self.take_literal(cell, literal, bytes);
        }
        if matches!(cell.spelling, Spelling::Anything | Spelling::Binary { .. }) {
            return cell.read(charset, bytes, record, stated);
        }
        if cell.may_be_absent() && self.is_absent(bytes) {
            return Ok(());
        }
        let (from, to) = if self.zeros || self.raw { (0, bytes.len()) } else { self.value(bytes) };
        if from >= to {
            if cell.may_be_absent() {
                return Ok(());
            }
            let expected = "a value".to_owned();
            return Err(Box::new(ReadFault { at: 0, found: "filling alone".to_owned(), expected }));
        }
        let value = bytes.get(from..to).unwrap_or_default();
        cell.read(charset, value, record, stated).map_err(|mut fault| {
            fault.at += from;
            fault
        })
    }

    /// Where in its bytes the value stands.
    #[inline]
    fn value(&self, bytes: &[u8]) -> (usize, usize) {
        if let [pad] = self.pad.as_slice() {
            return match self.side {
                Side::Left => (0, filled_from(bytes, *pad)),
                Side::Right => {
                    (bytes.iter().position(|b| b != pad).unwrap_or(bytes.len()), bytes.len())
                }
            };
        }
        let unit = self.pad.len().max(1);
        let (mut from, mut to) = (0, bytes.len());
        match self.side {
            Side::Left => {
                while to >= unit && bytes.get(to - unit..to) == Some(&self.pad) {
                    to -= unit;
                }
            }
            Side::Right => {
                while bytes.get(from..from + unit) == Some(&self.pad) {
                    from += unit;
                }
            }
        }
        (from, to)
    }

    #[inline]
    fn is_absent(&self, bytes: &[u8]) -> bool {
        if let [sign] = self.absent.as_slice() {
            return bytes.iter().all(|byte| byte == sign);
        }
        let unit = self.absent.len().max(1);
        bytes.len().is_multiple_of(unit) && bytes.chunks(unit).all(|chunk| chunk == self.absent)
    }

    fn take_literal(
        &self,
        cell: &Cell,
        literal: &[u8],
        bytes: &[u8],
    ) -> Result<(), Box<ReadFault>> {
        if cell.may_be_absent() && self.is_absent(bytes) {
            return Ok(());
        }
        let rest = match self.side {
            Side::Left => bytes.strip_prefix(literal),
            Side::Right => bytes.strip_suffix(literal),
        };
        let filled = rest.is_some_and(|rest| {
            let unit = self.pad.len().max(1);
            rest.len().is_multiple_of(unit) && rest.chunks(unit).all(|chunk| chunk == self.pad)
        });
        if filled {
            return Ok(());
        }
        let Bind::Literal { text, .. } = &cell.bind else { return Ok(()) };
        let expected = format!("the constant {text:?} and its filling");
        Err(Box::new(ReadFault { at: 0, found: shape(bytes), expected }))
    }
}

/// Where the filling at the end begins; eight bytes at a time, since most of a record is filling.
#[inline]
fn filled_from(mut bytes: &[u8], pad: u8) -> usize {
    let eight = [pad; 8];
    while let Some((rest, last)) = bytes.split_last_chunk::<8>()
        && *last == eight
    {
        bytes = rest;
    }
    bytes.iter().rposition(|byte| *byte != pad).map_or(0, |at| at + 1)
}

#[inline]
fn fill_with(sign: &[u8], count: usize, out: &mut Vec<u8>) {
    match sign {
        [byte] => out.resize(out.len() + count, *byte),
        sign => (0..count).for_each(|_| out.extend_from_slice(sign)),
    }
}
