//! A bank's files and messages as data: bytes in, values out, and back.
mod charset;
pub mod error;
pub mod record;
pub mod words;

use std::path::Path;

pub use error::{DataError, FieldError, FieldFault, Problem, Problems};
pub use record::Record;
pub use words::{Key, MessageKind, Moment, Part, PartRole, Source, Value};

use crate::model::attempt::Answer;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rows_max: usize,
    /// The highest amount of one payment.
    pub amount_max: Fen,
    pub sum_max: Fen,
    pub bytes_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeaning<'f> {
    /// Nothing while the bank is still working on it.
    pub outcome: Option<OutcomeKind>,
    pub reason: Option<Reason>,
    pub text: Option<&'f str>,
}

#[derive(Debug)]
pub struct Recognised {
    pub kind: MessageKind,
    pub role: PartRole,
    pub keys: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub count: usize,
    pub sum: Fen,
}

#[derive(Debug)]
pub enum Item<'r> {
    Head(&'r Record),
    Row(&'r Record),
    BadRow(DataError),
    Tail(&'r Record),
}

#[derive(Debug)]
pub struct Format {}
pub struct Fitter<'f> {
    format: &'f Format,
}
pub struct Reading<'f> {
    format: &'f Format,
}

impl Format {
    pub fn compile(_name: &str, _text: &str) -> Result<Self, Problems> {
        unimplemented!()
    }
    pub fn load(_dir: &Path) -> Result<Self, Problems> {
        unimplemented!()
    }
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    pub fn text(&self) -> &str {
        unimplemented!()
    }
    pub fn digest(&self) -> [u8; 32] {
        unimplemented!()
    }
    pub fn limits(&self) -> Limits {
        unimplemented!()
    }
    pub fn has(&self, _kind: MessageKind) -> bool {
        unimplemented!()
    }
    pub fn encode<R: Source>(
        &self,
        _kind: MessageKind,
        _head: &dyn Source,
        _rows: &[R],
    ) -> Result<Vec<Part>, DataError> {
        unimplemented!()
    }
    pub fn fitter(&self, _kind: MessageKind) -> Fitter<'_> {
        unimplemented!()
    }
    pub fn read<'f>(
        &'f self,
        _kind: MessageKind,
        _parts: &'f [Part],
    ) -> Result<Reading<'f>, DataError> {
        unimplemented!()
    }
    /// The whole of a message without rows: head and tail in one record.
    pub fn read_head(&self, _kind: MessageKind, _parts: &[Part]) -> Result<Record, DataError> {
        unimplemented!()
    }
    pub fn recognise(&self, _file_name: &str) -> Option<Recognised> {
        unimplemented!()
    }
    pub fn answer(&self, _kind: MessageKind, _code: &str) -> Option<Answer> {
        unimplemented!()
    }
    pub fn row_meaning(&self, _kind: MessageKind, _code: &str) -> Option<RowMeaning<'_>> {
        unimplemented!()
    }
    pub fn notice(&self, _kind: MessageKind, _code: &str) -> Option<NoticeState> {
        unimplemented!()
    }
}

impl Fitter<'_> {
    pub fn check(&mut self, _head: &dyn Source, _row: &dyn Source) -> Result<(), FieldError> {
        let _format = self.format;
        unimplemented!()
    }
}

impl Reading<'_> {
    pub fn next(&mut self) -> Result<Option<Item<'_>>, DataError> {
        let _format = self.format;
        unimplemented!()
    }
    pub fn totals(&self) -> Totals {
        unimplemented!()
    }
}
