//! Numbers that are kept while records pass by: how many there are, what they add up to, running
//! numbers. Worked out when written, compared when read.

use std::collections::VecDeque;

use crate::format::condition::When;
use crate::format::grammar::{Grammar, Next};
use crate::format::words::{Slot, Source, Value};

/// A number that is kept while records pass by.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub what: Counting,
    /// What is added up beside the first value.
    pub also: Vec<Slot>,
    /// The records that count, by their places in the part.
    pub of: Vec<usize>,
    /// Begins anew with each of these; of the whole part where there is none.
    pub scope: Option<usize>,
    /// Of those only the ones for which this holds, like the debits.
    pub only: Option<When>,
    /// What it begins with.
    pub start: i64,
    /// So many records are told as one, like the lines of a block; the last ones too where they are fewer.
    pub per: i64,
    /// Stands before records that it counts, so that its end must be known beforehand.
    pub ahead: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Records; a sequence number is this, as it stands.
    Records { running: bool },
    /// Amounts or decimals, in their last digit.
    Sum(Slot),
    /// The first digits of a number, added up, of which the last digits are kept.
    Hash { slot: Slot, digits: usize, modulo: i64 },
}

impl Tally {
    /// What one record adds.
    fn more(&self, source: &dyn Source, bad: bool) -> More {
        match &self.only {
            // Of a record that cannot be read nobody knows whether it counts.
            Some(_) if bad => More::Unclear,
            Some(only) if !only.holds(source) => More::Nothing,
            _ => {
                let also = self.also.iter().map(|slot| self.what.about(*slot).of(source));
                also.fold(self.what.of(source), |all, more| all.and(more, self.what))
            }
        }
    }

    /// The number as it is told.
    const fn told(&self, now: i64) -> i64 {
        if self.per == 1 { now } else { now.saturating_add(self.per - 1) / self.per }
    }
}

/// What one record adds to a number.
enum More {
    This(i64),
    /// It has no value of this name.
    Nothing,
    /// Its value is no number, or one that is too large.
    Unclear,
}

impl More {
    /// What two values of a record add together.
    fn and(self, other: Self, what: Counting) -> Self {
        match (self, other) {
            (Self::This(one), Self::This(two)) => {
                what.add(one, two).map_or(Self::Unclear, Self::This)
            }
            (Self::Unclear, _) | (_, Self::Unclear) => Self::Unclear,
            (Self::Nothing, more) | (more, Self::Nothing) => more,
        }
    }
}

impl Counting {
    /// The same of another value.
    const fn about(self, slot: Slot) -> Self {
        match self {
            Self::Records { .. } => self,
            Self::Sum(_) => Self::Sum(slot),
            Self::Hash { digits, modulo, .. } => Self::Hash { slot, digits, modulo },
        }
    }

    /// The value that is added up first.
    pub const fn slot(self) -> Option<Slot> {
        match self {
            Self::Records { .. } => None,
            Self::Sum(slot) | Self::Hash { slot, .. } => Some(slot),
        }
    }

    /// What one record adds.
    fn of(self, source: &dyn Source) -> More {
        match self {
            Self::Records { .. } => More::This(1),
            Self::Sum(slot) => match source.slot(slot) {
                Some(Value::Amount(fen)) => More::This(fen.get()),
                Some(Value::Decimal(number) | Value::Int(number)) => More::This(number),
                None => More::Nothing,
                Some(_) => More::Unclear,
            },
            Self::Hash { slot, digits, modulo } => {
                let first = |text: &str| match first_digits(text, digits, modulo) {
                    Some(number) => More::This(number),
                    None => More::Unclear,
                };
                match source.slot(slot) {
                    Some(Value::Text(text)) if !text.is_empty() => first(text),
                    Some(Value::Int(number)) => first(&number.unsigned_abs().to_string()),
                    None | Some(Value::Text(_)) => More::Nothing,
                    Some(_) => More::Unclear,
                }
            }
        }
    }

    /// The number after one more record.
    fn add(self, now: i64, more: i64) -> Option<i64> {
        let sum = now.checked_add(more)?;
        Some(match self {
            Self::Hash { modulo, .. } => sum % modulo,
            Self::Records { .. } | Self::Sum(_) => sum,
        })
    }
}

/// The first digits of a number as far as they count: a card has nineteen, of which two together are
/// more than fits, so that what is not kept is left out from the start.
fn first_digits(text: &str, digits: usize, modulo: i64) -> Option<i64> {
    let each = text.chars().take(digits).map(|sign| sign.to_digit(10));
    let number = each.into_iter().try_fold(0_i128, |number, digit| {
        Some((number * 10 + i128::from(digit?)) % i128::from(modulo))
    });
    i64::try_from(number?).ok()
}

/// Where numbers must be known before the records that they count, records pass twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pass {
    #[default]
    Only,
    First,
    Second,
}

/// The tallies of one part while it is written or read.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pass: Pass,
    now: Vec<i64>,
    /// In this scope something could not be read, so that the number is not known.
    unclear: Vec<bool>,
    /// Closing numbers of the scopes to come, where they must be known beforehand.
    known: Vec<VecDeque<i64>>,
    /// What the message stated, to be compared when the scope ends.
    stated: Vec<Option<(i64, String)>>,
    /// The groups that are under way.
    open: Vec<bool>,
}

/// A stated number that does not close, or one that cannot be worked out.
#[derive(Debug)]
pub(crate) struct Open {
    pub field: String,
    pub found: String,
    pub expected: String,
}

impl Open {
    /// The message states one number and comes to another one.
    pub fn stated(field: &str, stated: i64, found: i64) -> Self {
        let expected = format!("{stated}, as stated");
        Self { field: field.to_owned(), found: found.to_string(), expected }
    }

    /// A record has something that cannot be added up.
    pub fn no_number() -> Self {
        let (found, expected) = ("another value".to_owned(), NUMBERS.to_owned());
        Self { field: String::new(), found, expected }
    }
}

/// What a sum is made of.
pub(crate) const NUMBERS: &str = "numbers that can be added up";

impl Tallies {
    pub fn new(plan: &[Tally], grammar: &Grammar) -> Self {
        Self {
            pass: Pass::Only,
            now: plan.iter().map(|tally| tally.start).collect(),
            unclear: vec![false; plan.len()],
            known: vec![VecDeque::new(); plan.len()],
            stated: vec![None; plan.len()],
            open: vec![false; grammar.groups.len()],
        }
    }

    /// The records will pass twice; this is the first time.
    pub fn begin_first(&mut self) {
        self.pass = Pass::First;
    }

    /// The first pass is over; what it found is known from now on.
    pub fn begin_second(&mut self, plan: &[Tally], grammar: &Grammar) {
        // Nothing is stated in a first pass, so that nothing can fail to come true.
        drop(self.finish(plan));
        let known = std::mem::take(&mut self.known);
        *self = Self { pass: Pass::Second, known, ..Self::new(plan, grammar) };
    }

    /// A record begins: the groups that begin anew with it, and all in them, start again. What was
    /// stated for the ones before must have come true.
    pub fn enter(
        &mut self,
        plan: &[Tally],
        grammar: &Grammar,
        next: Next,
        of: Option<usize>,
    ) -> Result<(), Open> {
        let Some(outer) = next.enters else { return Ok(()) };
        self.leave(plan, outer)?;
        for group in grammar.within(outer) {
            self.leave(plan, *group)?;
        }
        let mut at = of;
        while let Some(group) = at {
            self.open[group] = true;
            at = grammar.groups[group].parent.filter(|_| group != outer);
        }
        Ok(())
    }

    fn leave(&mut self, plan: &[Tally], group: usize) -> Result<(), Open> {
        if !std::mem::replace(&mut self.open[group], false) {
            return Ok(());
        }
        for (at, tally) in plan.iter().enumerate().filter(|(_, t)| t.scope == Some(group)) {
            self.end(at, tally)?;
        }
        Ok(())
    }

    fn end(&mut self, at: usize, tally: &Tally) -> Result<(), Open> {
        self.close(at, tally)?;
        match self.pass {
            Pass::First if tally.ahead => self.known[at].push_back(self.now[at]),
            Pass::Second if tally.ahead => drop(self.known[at].pop_front()),
            _ => {}
        }
        self.now[at] = tally.start;
        self.unclear[at] = false;
        Ok(())
    }

    /// A record passes by. Tells whether all that it adds could be added; of one with a fault (`bad`)
    /// a value may be missing, and then nothing is known of the sum.
    pub fn count(
        &mut self,
        plan: &[Tally],
        touched: &[usize],
        source: &dyn Source,
        bad: bool,
    ) -> bool {
        let mut clear = true;
        for at in touched {
            let tally = &plan[*at];
            let now = self.now[*at];
            let sum = match tally.more(source, bad) {
                More::This(more) => tally.what.add(now, more),
                More::Nothing if !bad => Some(now),
                More::Nothing | More::Unclear => None,
            };
            if let Some(sum) = sum {
                self.now[*at] = sum;
            } else {
                (clear, self.unclear[*at]) = (bad, true);
            }
        }
        clear
    }

    /// The number as it is to be written now.
    pub fn value(&self, plan: &[Tally], at: usize) -> i64 {
        let now = match self.known[at].front() {
            Some(known) if plan[at].ahead => *known,
            _ => self.now[at],
        };
        plan[at].told(now)
    }

    /// The message states a number: a running one must be this, a closing one must come true.
    pub fn state(
        &mut self,
        plan: &[Tally],
        at: usize,
        number: i64,
        field: &str,
    ) -> Result<(), Open> {
        if matches!(plan[at].what, Counting::Records { running: true }) {
            let found = self.now[at];
            if found == number {
                return Ok(());
            }
            return Err(Open::stated(field, number, found));
        }
        self.close(at, &plan[at])?;
        self.stated[at] = Some((number, field.to_owned()));
        if plan[at].ahead { Ok(()) } else { self.close(at, &plan[at]) }
    }

    /// The end of the part: all that was stated must have come true.
    pub fn finish(&mut self, plan: &[Tally]) -> Result<(), Open> {
        for group in 0..self.open.len() {
            self.leave(plan, group)?;
        }
        for (at, tally) in plan.iter().enumerate().filter(|(_, tally)| tally.scope.is_none()) {
            self.end(at, tally)?;
        }
        Ok(())
    }

    fn close(&mut self, at: usize, tally: &Tally) -> Result<(), Open> {
        let Some((stated, field)) = self.stated[at].take() else { return Ok(()) };
        let found = tally.told(self.now[at]);
        // Where an amount could not be read its record is told; the count still closes.
        if stated == found || self.unclear[at] {
            return Ok(());
        }
        Err(Open::stated(&field, stated, found))
    }
}
