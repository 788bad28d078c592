//! Reading a message as its records stand in it, each under the name that the description gives it:
//! for commands, samples and formats of which the payment road knows nothing.

use std::ops::Range;

use crate::format::error::DataError;
use crate::format::lines::place::in_frame;
use crate::format::lines::read::One;
use crate::format::lines::{RecordPlan, RecordRole};
use crate::format::plan::MessagePlan;
use crate::format::reading::{PartBytes, Reading};
use crate::format::record::Record;
use crate::format::steps::contradiction;
use crate::format::words::{MessageKind, PartRole};
use crate::format::{BytePlace, Format};

/// One record as it stands in the part that has the rows.
#[derive(Debug)]
pub struct Piece<'r> {
    /// What the description calls it.
    pub name: &'r str,
    pub record: &'r Record,
    /// A payment that cannot be read as a whole; the others are read.
    pub fault: Option<DataError>,
    /// Its first byte.
    pub offset: usize,
    /// Its fields with their bytes in the part, where [`Reading::keep_places`] asked for them.
    pub places: Vec<(&'r str, Range<usize>)>,
}

impl<'f> Reading<'f> {
    /// Tells with every further piece where its fields stand.
    pub fn keep_places(&mut self) {
        self.reader.keep_places();
    }

    /// The next record as it stands in the part that has the rows, with the name that the
    /// description gives it. A reading is read by this or by [`Reading::next`], not by both.
    ///
    /// # Errors
    /// As [`Reading::next`].
    pub fn next_piece(&mut self) -> Result<Option<Piece<'_>>, DataError> {
        match &self.ended {
            Some(Ok(())) => return Ok(None),
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        match self.piece() {
            Ok(Some((name, fault, offset))) => {
                let places = self.reader.places();
                Ok(Some(Piece { name, record: &self.records.spare, fault, offset, places }))
            }
            Ok(None) => {
                self.ended = Some(Ok(()));
                Ok(None)
            }
            Err(error) => {
                self.ended = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn piece(&mut self) -> Result<Option<Found<'f>>, DataError> {
        let one = self.reader.one(&mut self.records, true);
        let (next, mut bad, start, number) = match one.map_err(|stop| self.located(*stop))? {
            One::Record { next, bad, start, number } => (next, bad, start, number),
            One::End => {
                self.check_head()?;
                self.close()?;
                return Ok(None);
            }
        };
        let lines = self.plan.layout.order();
        let plan: &'f RecordPlan = &lines.records[next.record];
        if lines.is_of_row(next.record) {
            let begins = lines.begins_row(next);
            self.count_piece(begins)?;
            if begins {
                self.records.row.clear();
            } else if let (None, Some(key)) =
                (&bad, self.records.row.contradicts(&self.records.spare))
            {
                bad = Some(Box::new(contradiction(key, number)));
            }
            self.records.row.fill_from(&self.records.spare);
        } else {
            let agrees = plan.role == Some(RecordRole::Head);
            if let Some(key) =
                self.records.head.contradicts(&self.records.spare).filter(|_| !agrees)
            {
                return Err(self.located(contradiction(key, number)));
            }
            // What only a file name or another part says is told once, with the first head, or with the
            // first record where none is called a head.
            let heads = lines.records.iter().any(|record| record.role == Some(RecordRole::Head));
            if (plan.role.is_some() || !heads) && !std::mem::replace(&mut self.told, true) {
                self.stated.iter().for_each(|(_, stated)| self.records.spare.fill_from(stated));
            }
        }
        if !lines.is_of_row(next.record) && plan.role.is_some() {
            let into = match plan.role {
                Some(RecordRole::Tail) => &mut self.records.tail,
                _ => &mut self.records.head,
            };
            plan.slots().for_each(|slot| into.unset_slot(slot));
            into.fill_from(&self.records.spare);
        }
        let fault = bad.map(|stop| self.located(*stop));
        Ok(Some((&plan.name, fault, start)))
    }
}

/// The name of a piece, its fault, and its first byte.
type Found<'f> = (&'f str, Option<DataError>, usize);

/// Where in its part a byte stands. Of a part beside the one that has the rows only the byte is told.
pub(crate) fn place_in<'f>(
    format: &'f Format,
    kind: MessageKind,
    role: PartRole,
    parts: Vec<PartBytes<'f>>,
    offset: usize,
) -> Result<BytePlace, DataError> {
    let message = format.plan().message(kind);
    let plan = message.and_then(|m| m.parts.iter().find(|plan| plan.role == role));
    let frame = plan.and_then(|plan| plan.frame.as_ref());
    if let Some(frame) = frame.filter(|frame| offset < frame.length) {
        return Ok(in_frame(frame, offset));
    }
    let start = frame.map_or(0, |frame| frame.length);
    let mut last = BytePlace { record: 0, field: role.to_string(), start, end: offset + 1 };
    let main = message.and_then(MessagePlan::main);
    if !plan.zip(main).is_some_and(|(plan, main)| std::ptr::eq(plan, main)) {
        return Ok(last);
    }
    let mut reading = Reading::open(format, kind, parts)?;
    reading.keep_places();
    let mut number = 0;
    while let Some(piece) = reading.next_piece()? {
        if piece.offset > offset {
            last.end = piece.offset;
            break;
        }
        number += 1;
        let found = piece.places.iter().find(|(_, place)| place.contains(&offset));
        last = BytePlace {
            record: number,
            field: piece.name.to_owned(),
            start: piece.offset,
            end: offset + 1,
        };
        if let Some((field, place)) = found {
            (last.start, last.end) = (place.start, place.end);
            (*field).clone_into(&mut last.field);
            break;
        }
    }
    Ok(last)
}
