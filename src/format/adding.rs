//! What the payments of a message add up to, out of its records as they follow each other. A payment may
//! be several records: its amount and its codes are where the first of them has any, as when it is read.

use crate::format::Format;
use crate::format::error::DataError;
use crate::format::lines::LinesPlan;
use crate::format::plan::{MessagePlan, PartPlan};
use crate::format::record::Record;
use crate::format::sums::Sums;
use crate::format::words::{Key, Source, Value};
use crate::format::writing::{known_code, known_row};

/// Records while they pass by for the first time.
pub(crate) struct Adding<'p> {
    format: &'p Format,
    message: &'p MessagePlan,
    lines: &'p LinesPlan,
    /// The record that passed by last, by its place in the plan.
    state: Option<usize>,
    head: Record,
    sums: Sums,
    records: usize,
    said: Said,
}

/// What records of the payment that is passing by said already.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    amount: bool,
    code: bool,
    notice_code: bool,
}

impl<'p> Adding<'p> {
    pub fn new(format: &'p Format, message: &'p MessagePlan, main: &'p PartPlan) -> Self {
        let sums = Sums::new(format, message.kind);
        let (lines, head) = (main.layout.order(), Record::new());
        let (state, records, said) = (None, 0, Said::default());
        Self { format, message, lines, state, head, sums, records, said }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// An amount that is out of bounds, or a code that its table does not have.
    pub fn pass(&mut self, at: usize, record: &Record) -> Result<(), DataError> {
        self.records += 1;
        let next = self.lines.grammar.next(self.state).iter().find(|next| next.record == at);
        self.state = Some(at);
        if !self.lines.is_of_row(at) {
            self.head.fill_from(record);
            return Ok(());
        }
        // Where a record may not stand, nothing is written.
        if next.is_none_or(|next| self.lines.begins_row(*next)) {
            self.sums.begin();
            self.said = Said::default();
        }
        let row = Further { record, said: self.said };
        let taken = known_row(self.format, self.message, &row).and_then(|()| self.sums.add(&row));
        taken.map_err(|error| DataError { record: self.records, ..error })?;
        self.said = Said {
            amount: self.said.amount || record.has(Key::Amount),
            code: self.said.code || record.has(Key::Code),
            notice_code: self.said.notice_code || record.has(Key::NoticeCode),
        };
        Ok(())
    }

    /// All have passed by: what holds for the whole, and what its payments add up to.
    ///
    /// # Errors
    /// Too many or too few payments, or a code about the whole that its table does not have.
    pub fn finish(self) -> Result<(Record, Sums), DataError> {
        known_code(self.format, self.message, &self.head)?;
        self.sums.within(self.format, self.message)?;
        Ok((self.head, self.sums))
    }
}

/// A record of a payment, without what one before it said.
struct Further<'r> {
    record: &'r Record,
    said: Said,
}

impl Source for Further<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        let said = match key {
            Key::Amount => self.said.amount,
            Key::Code => self.said.code,
            Key::NoticeCode => self.said.notice_code,
            _ => false,
        };
        if said { None } else { self.record.get(key) }
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        self.record.own(at)
    }
}
