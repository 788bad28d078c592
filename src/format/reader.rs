//! The reader of a part, whatever its layout.

use std::ops::Range;

use crate::format::computed::Computed;
use crate::format::input::Input;
use crate::format::lines::read::{LineReader, One};
use crate::format::reading::{Records, Step, Stop};
use crate::format::xml::read::XmlReader;

pub(crate) enum Reader<'f> {
    Lines(Box<LineReader<'f>>),
    Xml(Box<XmlReader<'f>>),
}

/// What is stated of other parts, with the field that does.
pub(crate) type Declared = Vec<(Computed, String, String)>;

impl<'f> Reader<'f> {
    /// Reads on to the next thing that the road knows.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Box<Stop>> {
        match self {
            Self::Lines(reader) => reader.step(into),
            Self::Xml(reader) => reader.step(into),
        }
    }

    /// The next record as it stands in the part.
    pub fn one(&mut self, into: &mut Records, spare: bool) -> Result<One, Box<Stop>> {
        match self {
            Self::Lines(reader) => reader.one(into, spare),
            Self::Xml(reader) => reader.one(into, spare).map_err(Box::new),
        }
    }

    /// What was read from, and what its records state of other parts.
    pub fn closing(&mut self) -> (&mut Input<'f>, &mut Declared) {
        match self {
            Self::Lines(reader) => (&mut reader.input, &mut reader.declared),
            Self::Xml(reader) => (&mut reader.input, &mut reader.closing.declared),
        }
    }

    /// Keeps the places of fields from here on.
    pub fn keep_places(&mut self) {
        match self {
            Self::Lines(reader) => reader.keep_places(),
            Self::Xml(reader) => reader.keep_places(),
        }
    }

    /// The fields of the record that was read last, each with its bytes in the part, where they were
    /// kept.
    pub fn places(&self) -> Vec<(&'f str, Range<usize>)> {
        match self {
            Self::Lines(reader) => reader.places(),
            Self::Xml(reader) => reader.places(),
        }
    }

    /// How many bytes of the part were read.
    pub const fn passed(&self) -> usize {
        match self {
            Self::Lines(reader) => reader.input.at,
            Self::Xml(reader) => reader.input.at,
        }
    }

    /// Records so far.
    pub const fn record(&self) -> usize {
        match self {
            Self::Lines(reader) => reader.record,
            Self::Xml(reader) => reader.record,
        }
    }
}
