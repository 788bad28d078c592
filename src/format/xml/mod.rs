//! XML: elements and attributes named by their path, one repeated group for the rows; written in a
//! fixed order, read by path.

pub(crate) mod build;
mod feed;
pub(crate) mod read;

use crate::format::BytePlace;
use crate::format::cell::{Cell, Pen};
use crate::format::error::{FieldError, FieldFault};
use crate::format::words::{Slot, Source};
use crate::format::writing::{RowAndHead, WriteFault};

/// One part in XML.
#[derive(Debug)]
pub(crate) struct XmlPlan {
    pub declaration: Vec<u8>,
    pub head: Vec<XmlField>,
    pub row: Vec<XmlField>,
    pub tail: Vec<XmlField>,
    /// What is written before the rows, for each row, and after them.
    pub before: Vec<Piece>,
    pub each: Vec<Piece>,
    pub after: Vec<Piece>,
    /// Every element by its path; the first is the root.
    pub nodes: Vec<Node>,
    /// The element of one row.
    pub row_node: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct XmlField {
    pub cell: Cell,
    /// In bytes after encoding, before escaping.
    pub width_max: Option<usize>,
    /// An absent value is written as an empty element, not left out.
    pub empty: bool,
}

/// Which of the three lists a field stands in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldRef {
    Head(usize),
    Row(usize),
    Tail(usize),
}

/// A step of writing.
#[derive(Debug)]
pub(crate) enum Piece {
    Raw(Vec<u8>),
    /// A value with its tags, or `absent` where there is none.
    Value {
        before: Vec<u8>,
        field: FieldRef,
        after: Vec<u8>,
        absent: Vec<u8>,
    },
}

/// An element that the description names.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub name: String,
    pub children: Vec<usize>,
    pub attributes: Vec<(String, FieldRef)>,
    pub text: Option<FieldRef>,
    /// It and all in it may be there and say nothing to us.
    pub ignored: bool,
    /// It is a row or stands in one.
    pub in_row: bool,
}

impl XmlPlan {
    /// The field that a place of the message leads to.
    pub fn field(&self, at: FieldRef) -> &XmlField {
        match at {
            FieldRef::Head(at) => &self.head[at],
            FieldRef::Row(at) => &self.row[at],
            FieldRef::Tail(at) => &self.tail[at],
        }
    }

    pub fn head_fields(&self) -> impl Iterator<Item = &XmlField> {
        self.head.iter().chain(&self.tail)
    }

    pub fn row_fields(&self) -> impl Iterator<Item = &XmlField> {
        self.row.iter()
    }

    /// Writes the declaration and the document, rows repeated inside.
    pub fn write<R: Source>(
        &self,
        pen: &Pen<'_>,
        head: &dyn Source,
        rows: &[R],
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        out.extend_from_slice(&self.declaration);
        self.pieces(&self.before, 1, pen, head, out)?;
        for (at, row) in rows.iter().enumerate() {
            let source = RowAndHead { row, head };
            self.pieces(&self.each, at + 2, pen, &source, out)?;
        }
        self.pieces(&self.after, rows.len() + 2, pen, head, out)
    }

    fn pieces(
        &self,
        pieces: &[Piece],
        record: usize,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        for piece in pieces {
            match piece {
                Piece::Raw(raw) => out.extend_from_slice(raw),
                Piece::Value { before, field, after, absent } => {
                    let from = out.len();
                    out.extend_from_slice(before);
                    let field = self.field(*field);
                    let there = field
                        .put(pen, source, out)
                        .map_err(|fault| WriteFault::new(record, &field.cell, fault))?;
                    if there {
                        out.extend_from_slice(after);
                    } else {
                        out.truncate(from);
                        out.extend_from_slice(absent);
                    }
                }
            }
        }
        Ok(())
    }
}

impl XmlField {
    /// Appends the value, escaped; tells whether there is one.
    fn put(
        &self,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldFault> {
        let from = out.len();
        let there = self.cell.write(pen, source, 0, out)?;
        let needed = out.len() - from;
        if let Some(most) = self.width_max.filter(|most| needed > *most) {
            return Err(FieldFault::TooWide { needed, there: most });
        }
        escape_from(from, out);
        Ok(there)
    }

    /// Checks whether a value fits, without keeping the bytes.
    pub fn check(
        &self,
        pen: &Pen<'_>,
        source: &dyn Source,
        scratch: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        scratch.clear();
        let put = self.put(pen, source, scratch).map(|_| ());
        put.map_err(|fault| FieldError {
            key: self.cell.slot().and_then(Slot::key),
            field: self.cell.name.clone(),
            fault,
        })
    }
}

/// The element or attribute list that a byte stands in, found by the last tag before it.
pub(crate) fn place_of(bytes: &[u8], offset: usize) -> BytePlace {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let start = before.iter().rposition(|byte| *byte == b'<').unwrap_or(0);
    let after = bytes.get(start + 1..).unwrap_or_default();
    let length = after.iter().position(|byte| *byte == b'<').unwrap_or(after.len());
    let name = after.iter().take_while(|b| b.is_ascii_graphic() && **b != b'>').take(40);
    let field = name.map(|byte| char::from(*byte)).collect();
    BytePlace { record: 0, field, start, end: start + 1 + length }
}

/// Escapes what was appended since `from`. None of these signs is a later byte of a character in
/// any character set of this room.
fn escape_from(from: usize, out: &mut Vec<u8>) {
    if !out[from..].iter().any(|byte| entity(*byte).is_some()) {
        return;
    }
    let plain = out.split_off(from);
    for byte in plain {
        match entity(byte) {
            Some(entity) => out.extend_from_slice(entity),
            None => out.push(byte),
        }
    }
}

const fn entity(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'"' => Some(b"&quot;"),
        b'\'' => Some(b"&apos;"),
        _ => None,
    }
}
