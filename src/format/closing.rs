//! What the records of a part say of each other, while they are read: each is counted, and what it
//! states is compared as soon as that can be done.

use crate::format::bounds::{Beyond, Bounds};
use crate::format::computed::{Computed, Stated, check_digits};
use crate::format::grammar::Next;
use crate::format::lines::LinesPlan;
use crate::format::reader::Declared;
use crate::format::record::Record;
use crate::format::tallies::{Open, Tallies};

/// Numbers kept over the records, and what was stated.
pub(crate) struct Closing {
    bounds: Bounds,
    tallies: Tallies,
    /// What the record being read states.
    pub stated: Stated,
    /// What records state of other parts, with the field that does.
    pub declared: Declared,
}

impl Closing {
    pub fn new(plan: &LinesPlan) -> Self {
        let tallies = Tallies::new(&plan.tallies, &plan.grammar);
        Self { bounds: Bounds::default(), tallies, stated: Stated::default(), declared: Vec::new() }
    }

    /// A record was read: `bad` where it has a fault.
    ///
    /// # Errors
    /// The first stated number that does not come true.
    pub fn record(
        &mut self,
        plan: &LinesPlan,
        next: Next,
        record: &Record,
        bad: bool,
    ) -> Result<(), Open> {
        let read = &plan.records[next.record];
        self.bounds.pass(&plan.grammar, next).map_err(|beyond| out_of_bounds(plan, beyond))?;
        if !plan.tallies.is_empty() {
            self.tallies.enter(&plan.tallies, &plan.grammar, next, read.group)?;
            if !self.tallies.count(&plan.tallies, &read.touches, record, bad) {
                return Err(Open::no_number());
            }
        }
        if !read.computes {
            return Ok(());
        }
        let mut digits = Vec::new();
        check_digits(read.check_digits.iter(), record, &mut digits);
        for (computed, number, field) in std::mem::take(&mut self.stated.numbers) {
            match &computed {
                Computed::Tally(at) => self.tallies.state(&plan.tallies, *at, number, &field)?,
                Computed::CheckDigit(digit) if !bad => {
                    let known = digits.iter().find(|(known, _)| known == digit);
                    let found = known.map_or(-1, |(_, found)| *found);
                    if found != number {
                        return Err(Open::stated(&field, number, found));
                    }
                }
                _ => {}
            }
        }
        self.declared.append(&mut self.stated.texts);
        Ok(())
    }

    /// The part ends.
    ///
    /// # Errors
    /// As [`Closing::record`].
    pub fn finish(&mut self, plan: &LinesPlan) -> Result<(), Open> {
        self.bounds.end(&plan.grammar).map_err(|beyond| out_of_bounds(plan, beyond))?;
        self.tallies.finish(&plan.tallies)
    }
}

/// A record or group that stands too often or not often enough.
fn out_of_bounds(plan: &LinesPlan, beyond: Beyond) -> Open {
    let found = if beyond.too_often { "more" } else { "fewer" };
    Open { field: String::new(), found: found.to_owned(), expected: plan.beyond(beyond) }
}
