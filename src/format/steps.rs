//! From the records of a part to what the road knows: the head, a payment, what stands behind the
//! rows. A payment may be several records, so that it is whole only when the next one begins.

use crate::format::grammar::Next;
use crate::format::lines::read::One;
use crate::format::lines::{LinesPlan, RecordRole};
use crate::format::reading::{Bad, Records, Step, Stop};
use crate::format::record::Record;
use crate::format::words::Key;

/// Where a reader is on its way through the records.
#[derive(Default)]
pub(crate) struct Steps {
    /// The record that was read and not yet told.
    ahead: Option<One>,
    /// The head was told and has not changed since.
    head_told: bool,
    /// The payment that several records make up, while it is being read.
    row: Gathered,
}

/// A payment of several records.
#[derive(Default)]
enum Gathered {
    #[default]
    Nothing,
    Whole,
    /// With its first fault.
    Bad(Box<Stop>),
}

impl Steps {
    /// Was all told that was read, the head too?
    #[inline]
    pub const fn is_between_rows(&self) -> bool {
        self.ahead.is_none() && self.head_told && matches!(self.row, Gathered::Nothing)
    }

    /// A record was read and not told.
    pub fn put_back(&mut self, one: One) {
        self.ahead = Some(one);
    }

    /// Takes records from `one` up to the next thing that the road knows.
    ///
    /// # Errors
    /// Those of `one`.
    pub fn step(
        &mut self,
        plan: &LinesPlan,
        into: &mut Records,
        mut one: impl FnMut(&mut Records) -> Result<One, Box<Stop>>,
    ) -> Result<Step, Box<Stop>> {
        loop {
            let mut read = match self.ahead.take() {
                Some(read) => read,
                None => one(into)?,
            };
            let (next, number) = match &read {
                One::End => (None, 0),
                One::Record { next, number, .. } => (Some(*next), *number),
            };
            let group = next.and_then(|next| plan.row_group(next.record));
            let anew = match (next, group) {
                (Some(Next { enters: Some(enters), .. }), Some(group)) => {
                    plan.grammar.is_in(Some(group), enters)
                }
                _ => group.is_none(),
            };
            if anew && let Some(told) = self.gathered(into) {
                self.ahead = Some(read);
                return Ok(told);
            }
            let role = next.and_then(|next| plan.records[next.record].role);
            let is_row = group.is_some() || role == Some(RecordRole::Row);
            let told = next.is_none() || is_row || role == Some(RecordRole::Tail);
            if told && !std::mem::replace(&mut self.head_told, true) {
                self.ahead = Some(read);
                return Ok(Step::Head);
            }
            let bad = match &mut read {
                One::Record { bad, .. } => bad.take(),
                One::End => return Ok(Step::End),
            };
            match role {
                _ if group.is_some() => self.gather(bad, number, into),
                Some(RecordRole::Row) => {
                    self.row = bad.map_or(Gathered::Whole, Gathered::Bad);
                    if let Some(told) = self.gathered(into) {
                        return Ok(told);
                    }
                }
                Some(RecordRole::Tail) => {
                    agrees(&into.head, &into.tail, number)?;
                    return Ok(Step::Tail);
                }
                Some(RecordRole::Head) => self.head_told = false,
                None => agrees(&into.head, &into.spare, number)?,
            }
        }
    }

    /// The payment that was read, whole or with its first fault.
    fn gathered(&mut self, into: &Records) -> Option<Step> {
        match std::mem::take(&mut self.row) {
            Gathered::Nothing => None,
            Gathered::Whole => Some(Step::Row),
            Gathered::Bad(stop) => {
                let amount = into.row.amount(Key::Amount);
                Some(Step::Bad(Box::new(Bad { stop: *stop, amount })))
            }
        }
    }

    /// One more record of a payment that several make up; it is in the spare one.
    fn gather(&mut self, bad: Option<Box<Stop>>, number: usize, into: &mut Records) {
        if matches!(self.row, Gathered::Nothing) {
            // The first one is taken as it is; its own place is cleared before the next.
            std::mem::swap(&mut into.row, &mut into.spare);
            self.row = Gathered::Whole;
        } else {
            if let (Gathered::Whole, Some(key)) = (&self.row, into.row.contradicts(&into.spare)) {
                self.row = Gathered::Bad(Box::new(contradiction(key, number)));
            }
            into.row.fill_from(&into.spare);
        }
        if let (Gathered::Whole, Some(stop)) = (&self.row, bad) {
            self.row = Gathered::Bad(stop);
        }
    }
}

/// What speaks of the whole message says the same wherever it stands.
fn agrees(head: &Record, other: &Record, number: usize) -> Result<(), Box<Stop>> {
    match head.contradicts(other) {
        Some(key) => Err(Box::new(contradiction(key, number))),
        None => Ok(()),
    }
}

/// Two records of one payment, or of what is said of the whole message, that say it differently: no one knows which is
/// true, so that neither is (I12).
pub(super) fn contradiction(key: Key, record: usize) -> Stop {
    Stop {
        record,
        field: key.as_str().to_owned(),
        offset: None,
        found: "another one".to_owned(),
        expected: format!("the {key} that an earlier record has"),
    }
}
