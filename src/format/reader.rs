//! The reader of a part, whatever its layout.

use std::ops::Range;

use crate::format::computed::Computed;
use crate::format::grammar::Next;
use crate::format::input::Input;
use crate::format::lines::read::{LineReader, One};
use crate::format::lines::{LinesPlan, RecordPlan, RecordRole};
use crate::format::reading::{Records, Step, Stop};
use crate::format::record::Record;
use crate::format::xml::read::XmlReader;

pub(crate) enum Reader<'f> {
    Lines(Box<LineReader<'f>>),
    Xml(Box<XmlReader<'f>>),
    LeftOut(Box<LeftOut<'f>>),
}

/// A part with payments that is not there, since it would have none: a head that others tell, and no more.
pub(crate) struct LeftOut<'f> {
    input: Input<'f>,
    declared: Declared,
    /// The head among the records of the part, until it was told.
    head: Option<usize>,
}

impl LeftOut<'_> {
    fn one(&mut self, record: &mut Record) -> One {
        // At the end what the head took over from other parts still stands.
        let Some(head) = self.head.take() else { return One::End };
        record.clear();
        One::Record { next: Next { record: head, enters: None }, bad: None, start: 0, number: 1 }
    }
}

/// What is stated of other parts, with the field that does.
pub(crate) type Declared = Vec<(Computed, String, String)>;

impl<'f> Reader<'f> {
    /// A reader of a part that was left out.
    pub fn left_out(order: &LinesPlan) -> Self {
        let is_head = |record: &RecordPlan| record.role == Some(RecordRole::Head);
        let head = order.records.iter().position(is_head);
        Self::LeftOut(Box::new(LeftOut { input: Input::here(&[]), declared: Vec::new(), head }))
    }

    /// Reads on to the next thing that the road knows.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Box<Stop>> {
        match self {
            Self::Lines(reader) => reader.step(into),
            Self::Xml(reader) => reader.step(into),
            Self::LeftOut(reader) => Ok(match reader.one(&mut into.head) {
                One::Record { .. } => Step::Head,
                One::End => Step::End,
            }),
        }
    }

    /// The next record as it stands in the part.
    pub fn one(&mut self, into: &mut Records, spare: bool) -> Result<One, Box<Stop>> {
        match self {
            Self::Lines(reader) => reader.one(into, spare),
            Self::Xml(reader) => reader.one(into, spare).map_err(Box::new),
            Self::LeftOut(reader) => Ok(reader.one(&mut into.spare)),
        }
    }

    /// What was read from, and what its records state of other parts.
    pub fn closing(&mut self) -> (&mut Input<'f>, &mut Declared) {
        match self {
            Self::Lines(reader) => (&mut reader.input, &mut reader.declared),
            Self::Xml(reader) => (&mut reader.input, &mut reader.closing.declared),
            Self::LeftOut(reader) => (&mut reader.input, &mut reader.declared),
        }
    }

    /// Keeps the places of fields from here on.
    pub fn keep_places(&mut self) {
        match self {
            Self::Lines(reader) => reader.keep_places(),
            Self::Xml(reader) => reader.keep_places(),
            Self::LeftOut(_) => {}
        }
    }

    /// The fields of the record that was read last, each with its bytes in the part, where they were
    /// kept.
    pub fn places(&self) -> Vec<(&'f str, Range<usize>)> {
        match self {
            Self::Lines(reader) => reader.places(),
            Self::Xml(reader) => reader.places(),
            Self::LeftOut(_) => Vec::new(),
        }
    }

    /// How many bytes of the part were read.
    pub const fn passed(&self) -> usize {
        match self {
            Self::Lines(reader) => reader.input.at,
            Self::Xml(reader) => reader.input.at,
            Self::LeftOut(_) => 0,
        }
    }

    /// Records so far.
    pub const fn record(&self) -> usize {
        match self {
            Self::Lines(reader) => reader.record,
            Self::Xml(reader) => reader.record,
            Self::LeftOut(_) => 0,
        }
    }
}
