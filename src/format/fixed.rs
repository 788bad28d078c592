//! Fixed width: every record has its length, every field its place, both in bytes after encoding.

use crate::format::BytePlace;
use crate::format::cell::{Bind, Cell, ReadFault, Spelling};
use crate::format::charset::Charset;
use crate::format::error::{FieldError, FieldFault, shape};
use crate::format::reading::{Bad, Records, Step, Stop};
use crate::format::record::Record;
use crate::format::spec::Side;
use crate::format::words::{Key, Source};
use crate::format::writing::{Job, RowAndHead, WriteFault};

/// One part in fixed width.
#[derive(Debug)]
pub(crate) struct FixedPlan {
    pub line_end: &'static [u8],
    pub head: FixedRecord,
    pub row: Option<FixedRecord>,
    pub tail: Option<FixedRecord>,
}

#[derive(Debug)]
pub(crate) struct FixedRecord {
    /// In bytes, without the line end.
    pub length: usize,
    pub fields: Vec<FixedField>,
}

#[derive(Debug)]
pub(crate) struct FixedField {
    pub cell: Cell,
    /// In bytes from the start of the record.
    pub start: usize,
    pub width: usize,
    pub pad: u8,
    pub side: Side,
}

impl FixedPlan {
    /// Writes head, rows and tail, each as wide as declared.
    pub fn write<R: Source>(
        &self,
        job: &Job<'_>,
        rows: &[R],
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        out.reserve(self.bytes(rows.len()));
        self.write_record(&self.head, 1, job, job.head, out)?;
        if let Some(row) = &self.row {
            for (at, values) in rows.iter().enumerate() {
                let source = RowAndHead { row: values, head: job.head };
                self.write_record(row, at + 2, job, &source, out)?;
            }
        }
        match &self.tail {
            Some(tail) => self.write_record(tail, rows.len() + 2, job, job.head, out),
            None => Ok(()),
        }
    }

    /// The size of a part with this many rows.
    pub fn bytes(&self, rows: usize) -> usize {
        let length = |record: &FixedRecord| record.length + self.line_end.len();
        let rows = self.row.as_ref().map_or(0, |row| length(row).saturating_mul(rows));
        let tail = self.tail.as_ref().map_or(0, length);
        rows.saturating_add(length(&self.head)).saturating_add(tail)
    }

    /// The record and field of a byte of a part of `size` bytes.
    pub fn place_of(&self, size: usize, offset: usize) -> BytePlace {
        let end = self.line_end.len();
        let head = self.head.length + end;
        let tail = self.tail.as_ref().map(|tail| (tail, size.saturating_sub(tail.length + end)));
        let row = self.row.as_ref().map_or(usize::MAX, |row| row.length + end);
        let rows = offset.saturating_sub(head) / row.max(1);
        let (record, plan, start) = match (tail, &self.row) {
            _ if offset < head => (1, &self.head, 0),
            (Some((tail, start)), _) if offset >= start => (rows + 2, tail, start),
            (_, Some(plan)) => (rows + 2, plan, head + rows * row),
            _ => (1, &self.head, 0),
        };
        let inside = |field: &&FixedField| {
            (start + field.start..start + field.start + field.width).contains(&offset)
        };
        match plan.fields.iter().find(inside) {
            Some(field) => BytePlace {
                record,
                field: field.cell.name.clone(),
                start: start + field.start,
                end: start + field.start + field.width,
            },
            None => BytePlace { record, field: "line end".to_owned(), start: offset, end: offset },
        }
    }

    fn write_record(
        &self,
        record: &FixedRecord,
        number: usize,
        job: &Job<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        for field in &record.fields {
            field
                .put(job.charset, source, job.digest, out)
                .map_err(|fault| WriteFault::new(number, &field.cell, fault))?;
        }
        out.extend_from_slice(self.line_end);
        Ok(())
    }
}

impl FixedField {
    /// Appends the field with its filling.
    pub fn put(
        &self,
        charset: Charset,
        source: &dyn Source,
        digest: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldFault> {
        let from = out.len();
        self.cell.write(charset, source, digest, out)?;
        let needed = out.len() - from;
        if needed > self.width {
            return Err(FieldFault::TooWide { needed, there: self.width });
        }
        if matches!(self.cell.spelling, Spelling::Text(_)) && needed > 0 {
            let edge = match self.side {
                Side::Left => out.last(),
                Side::Right => out.get(from),
            };
            if edge == Some(&self.pad) {
                return Err(FieldFault::Padding { pad: char::from(self.pad) });
            }
        }
        out.resize(from + self.width, self.pad);
        if self.side == Side::Right {
            let value = from..from + needed;
            out.copy_within(value, from + self.width - needed);
            out[from..from + self.width - needed].fill(self.pad);
        }
        Ok(())
    }

    /// Reads the field out of its own bytes.
    fn take(&self, charset: Charset, bytes: &[u8], record: &mut Record) -> Result<(), ReadFault> {
        // A constant is compared with its filling, digits keep their leading zeros.
        let keep = match (&self.cell.spelling, &self.cell.bind) {
            (Spelling::Literal, Bind::Literal { bytes: literal, .. }) => {
                let (value, filling) = match self.side {
                    Side::Left => bytes.split_at(literal.len().min(bytes.len())),
                    Side::Right => {
                        let (filling, value) = bytes.split_at(bytes.len() - literal.len());
                        (value, filling)
                    }
                };
                if filling.iter().any(|byte| *byte != self.pad) {
                    let expected = "a constant and its filling".to_owned();
                    return Err(ReadFault { at: 0, found: shape(bytes), expected });
                }
                return self.cell.read(charset, value, record);
            }
            (Spelling::Int | Spelling::Amount { .. }, _) => self.pad == b'0',
            _ => false,
        };
        let filling = |byte: &u8| *byte == self.pad;
        let (from, to) = match self.side {
            _ if keep => (0, bytes.len()),
            Side::Left => (0, bytes.iter().rposition(|b| !filling(b)).map_or(0, |at| at + 1)),
            Side::Right => {
                (bytes.iter().position(|b| !filling(b)).unwrap_or(bytes.len()), bytes.len())
            }
        };
        if from >= to {
            if self.cell.optional {
                return Ok(());
            }
            let expected = "a value".to_owned();
            return Err(ReadFault { at: 0, found: "filling alone".to_owned(), expected });
        }
        self.cell.read(charset, &bytes[from..to], record).map_err(|mut fault| {
            fault.at += from;
            fault
        })
    }
}

impl FixedRecord {
    /// Do its constants stand where they should?
    fn is(&self, bytes: &[u8]) -> bool {
        self.fields.iter().all(|field| match (&field.cell.bind, field.side) {
            (Bind::Literal { bytes: literal, .. }, Side::Left) => {
                bytes.get(field.start..field.start + literal.len()) == Some(literal.as_slice())
            }
            (Bind::Literal { bytes: literal, .. }, Side::Right) => {
                let end = field.start + field.width;
                bytes.get(end - literal.len()..end) == Some(literal.as_slice())
            }
            _ => true,
        })
    }

    /// Do the two have constants in one place that differ?
    pub fn differs_from(&self, other: &Self) -> bool {
        self.fields.iter().any(|ours| {
            let Bind::Literal { bytes: our, .. } = &ours.cell.bind else { return false };
            other.fields.iter().any(|theirs| match &theirs.cell.bind {
                Bind::Literal { bytes: their, .. } => theirs.start == ours.start && our != their,
                _ => false,
            })
        })
    }
}

/// Walks through one part, record by record.
#[derive(Debug)]
pub(crate) struct FixedReader<'f> {
    plan: &'f FixedPlan,
    charset: Charset,
    bytes: &'f [u8],
    at: usize,
    /// Records read so far.
    pub record: usize,
    ended: bool,
    /// The digest that the part states of another, in hex.
    pub digest: Option<&'f [u8]>,
}

impl<'f> FixedReader<'f> {
    pub const fn new(plan: &'f FixedPlan, charset: Charset, bytes: &'f [u8]) -> Self {
        Self { plan, charset, bytes, at: 0, record: 0, ended: false, digest: None }
    }

    /// Reads the next record into its place; says which one it was.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let plan = self.plan;
        if self.record == 0 {
            return self.whole(&plan.head, rest, &mut into.head).map(|()| Step::Head);
        }
        if self.ended || (rest.is_empty() && plan.tail.is_none()) {
            return match rest {
                [] => Ok(Step::End),
                _ => Err(self.stop(rest, "the end of the file")),
            };
        }
        if let Some(tail) = plan.tail.as_ref().filter(|tail| tail.is(rest)) {
            self.ended = true;
            return self.whole(tail, rest, &mut into.tail).map(|()| Step::Tail);
        }
        let Some(plan) = &plan.row else {
            return Err(self.stop(rest, "the end of the file"));
        };
        if rest.is_empty() {
            return Err(self.stop(rest, "the last record"));
        }
        let row = &mut into.row;
        row.clear();
        let start = self.at;
        let bytes = self.next_record(plan, rest)?;
        match self.fields(plan, start, bytes, row) {
            Ok(()) => Ok(Step::Row),
            // A line of another kind is no row with a fault: nothing after it can be trusted.
            Err(stop) if !plan.is(bytes) => Err(stop),
            Err(stop) => Ok(Step::Bad(Bad { stop, amount: row.amount(Key::Amount) })),
        }
    }

    /// A record that must be right, or the whole part is not.
    fn whole(
        &mut self,
        plan: &'f FixedRecord,
        rest: &'f [u8],
        into: &mut Record,
    ) -> Result<(), Stop> {
        let start = self.at;
        let bytes = self.next_record(plan, rest)?;
        self.fields(plan, start, bytes, into)
    }

    /// The bytes of the next record, and one step further.
    fn next_record(&mut self, plan: &FixedRecord, rest: &'f [u8]) -> Result<&'f [u8], Stop> {
        self.record += 1;
        let end = self.plan.line_end;
        let whole = rest.split_at_checked(plan.length).filter(|(_, after)| after.starts_with(end));
        let Some((bytes, _)) = whole else {
            let here = rest.windows(end.len().max(1)).take(plan.length).position(|w| w == end);
            let found = match here {
                Some(length) if !end.is_empty() => format!("a line end after {length}"),
                _ if rest.len() < plan.length + end.len() => format!("{} at the end", rest.len()),
                _ => "more".to_owned(),
            };
            let expected = format!("a record of {} bytes and its line end", plan.length);
            let record = self.record;
            return Err(Stop {
                record,
                field: String::new(),
                offset: Some(self.at),
                found,
                expected,
            });
        };
        self.at += plan.length + end.len();
        Ok(bytes)
    }

    /// All fields; the first fault is told, and what can be read is read nevertheless.
    fn fields(
        &mut self,
        plan: &'f FixedRecord,
        start: usize,
        bytes: &'f [u8],
        into: &mut Record,
    ) -> Result<(), Stop> {
        let mut first = None;
        for field in &plan.fields {
            let place = field.start..field.start + field.width;
            let bytes = bytes.get(place).unwrap_or_default();
            if matches!(field.cell.bind, Bind::DataDigest) {
                self.digest = Some(bytes);
            }
            if let Err(fault) = field.take(self.charset, bytes, into)
                && first.is_none()
            {
                first = Some(Stop {
                    record: self.record,
                    field: field.cell.name.clone(),
                    offset: Some(start + field.start + fault.at),
                    found: fault.found,
                    expected: fault.expected,
                });
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn stop(&self, found: &[u8], expected: &str) -> Stop {
        Stop {
            record: self.record + 1,
            field: String::new(),
            offset: Some(self.at),
            found: if found.is_empty() { "the end".to_owned() } else { shape(found) },
            expected: expected.to_owned(),
        }
    }
}

impl FixedField {
    /// Checks whether a value fits, without keeping the bytes.
    pub fn check(
        &self,
        charset: Charset,
        source: &dyn Source,
        scratch: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        scratch.clear();
        self.put(charset, source, "", scratch).map_err(|fault| FieldError {
            key: self.cell.key(),
            field: self.cell.name.clone(),
            fault,
        })
    }
}
