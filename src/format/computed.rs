//! What a message says about itself: how many records, what they add up to, digests, lengths, the
//! names of its own files. Worked out when written, compared when read, never taken from a caller.

use std::collections::VecDeque;

use crate::format::grammar::{Grammar, Next};
use crate::format::words::{PartRole, Slot, Source, Value};
use crate::guard::digest::DigestAlgorithm;

/// One such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Computed {
    /// A running or closing number of the part, by its place among the part's tallies.
    Tally(usize),
    /// The digest of another part, or of the body behind a frame.
    Digest { algorithm: DigestAlgorithm, of: DigestOf },
    /// How many bytes there are, behind a frame or with it.
    Length(LengthOf),
    /// The file name of another part.
    PartName(PartRole),
    /// A digit that checks other values of its record.
    CheckDigit(CheckDigit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestOf {
    Part(PartRole),
    Body,
}

impl Computed {
    /// How many hexadecimal digits it has, where it is a digest.
    pub const fn hex_width(&self) -> Option<usize> {
        match self {
            Self::Digest { algorithm, .. } => Some(algorithm.hex_length()),
            _ => None,
        }
    }
}

/// What a length counts: the body alone, the frame too, or all behind the length itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthOf {
    Body,
    All,
    /// So many bytes of the frame stand behind the length.
    Rest {
        behind: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckDigit {
    pub algorithm: CheckAlgorithm,
    pub of: Vec<Slot>,
}

/// The check digits that banks print behind numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckAlgorithm {
    /// Doubled every second digit from the right (ISO/IEC 7812).
    Luhn,
    /// Weights 2 to 9 from the right, 11 less the rest; 10 and 11 are written as 0.
    Mod11,
    /// Weights 3, 7, 1 from the left, 10 less the rest.
    Mod10Weights371,
}

impl CheckDigit {
    /// The digit for the values of a record; nothing where one of them is no number.
    fn digit(&self, source: &dyn Source) -> Option<i64> {
        let mut digits: Vec<u32> = Vec::new();
        for slot in &self.of {
            match source.slot(*slot)? {
                Value::Text(text) => {
                    let found: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
                    digits.extend(found?);
                }
                Value::Int(number) => {
                    digits.extend(number.to_string().chars().filter_map(|c| c.to_digit(10)));
                }
                _ => return None,
            }
        }
        let digit = match self.algorithm {
            CheckAlgorithm::Luhn => {
                let doubled = |(at, digit): (usize, &u32)| match digit * 2 {
                    twice if at % 2 == 0 => twice / 10 + twice % 10,
                    _ => *digit,
                };
                let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
                (10 - sum % 10) % 10
            }
            CheckAlgorithm::Mod11 => {
                let weights = (2..=9).cycle();
                let sum: u32 = digits.iter().rev().zip(weights).map(|(digit, w)| digit * w).sum();
                match 11 - sum % 11 {
                    10 | 11 => 0,
                    digit => digit,
                }
            }
            CheckAlgorithm::Mod10Weights371 => {
                let weights = [3, 7, 1].into_iter().cycle();
                let sum: u32 = digits.iter().zip(weights).map(|(digit, w)| digit * w).sum();
                (10 - sum % 10) % 10
            }
        };
        Some(i64::from(digit))
    }
}

/// A number that is kept while records pass by.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub what: Counting,
    /// The records that count, by their places in the part.
    pub of: Vec<usize>,
    /// Begins anew with each of these; of the whole part where there is none.
    pub scope: Option<usize>,
    /// What it begins with.
    pub start: i64,
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

/// What one record adds to a number.
enum More {
    This(i64),
    /// It has no value of this name.
    Nothing,
    /// Its value is no number, or one that is too large.
    Unclear,
}

impl Counting {
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
        self.close(at)?;
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
            let counting = plan[*at].what;
            let now = self.now[*at];
            let sum = match counting.of(source) {
                More::This(more) => counting.add(now, more),
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
        match self.known[at].front() {
            Some(known) if plan[at].ahead => *known,
            _ => self.now[at],
        }
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
        self.close(at)?;
        self.stated[at] = Some((number, field.to_owned()));
        if plan[at].ahead { Ok(()) } else { self.close(at) }
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

    fn close(&mut self, at: usize) -> Result<(), Open> {
        let Some((stated, field)) = self.stated[at].take() else { return Ok(()) };
        let found = self.now[at];
        // Where an amount could not be read its record is told; the count still closes.
        if stated == found || self.unclear[at] {
            return Ok(());
        }
        Err(Open::stated(&field, stated, found))
    }
}

/// What is known about a message when one of its records is written.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The value of each tally at this record.
    pub tallies: Vec<i64>,
    /// Digests of parts that are written already.
    pub digests: Vec<(DigestAlgorithm, DigestOf, String)>,
    pub names: Vec<(PartRole, String)>,
    /// Bytes of the body and of the frame around it.
    pub body: usize,
    pub frame: usize,
    /// The check digits of this record, in the order of its fields.
    pub check_digits: Vec<(CheckDigit, i64)>,
}

impl Facts {
    /// A number of the message at this record.
    pub fn number(&self, computed: &Computed) -> i64 {
        match computed {
            Computed::Tally(at) => self.tallies.get(*at).copied().unwrap_or_default(),
            Computed::Length(of) => of.bytes(self.body, self.frame),
            Computed::CheckDigit(plan) => {
                let known = self.check_digits.iter().find(|(known, _)| known == plan);
                known.map_or(-1, |(_, digit)| *digit)
            }
            Computed::Digest { .. } | Computed::PartName(_) => 0,
        }
    }

    /// A text of the message, where it is known by now.
    pub fn text(&self, computed: &Computed) -> Option<&str> {
        match computed {
            Computed::Digest { algorithm, of } => {
                let known = self.digests.iter().find(|(a, o, _)| a == algorithm && o == of);
                known.map(|(_, _, digest)| digest.as_str())
            }
            Computed::PartName(role) => {
                let known = self.names.iter().find(|(known, _)| known == role);
                known.map(|(_, name)| name.as_str())
            }
            Computed::Tally(_) | Computed::Length(_) | Computed::CheckDigit(_) => None,
        }
    }
}

impl LengthOf {
    /// So many bytes, for a body and a frame of these sizes.
    pub fn bytes(self, body: usize, frame: usize) -> i64 {
        let bytes = match self {
            Self::Body => body,
            Self::All => body + frame,
            Self::Rest { behind } => body + behind,
        };
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// What one record states about the message.
#[derive(Debug, Default)]
pub(crate) struct Stated {
    pub numbers: Vec<(Computed, i64, String)>,
    pub texts: Vec<(Computed, String, String)>,
}

impl Stated {
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
    }

    pub fn number(&mut self, computed: &Computed, number: i64, field: &str) {
        self.numbers.push((computed.clone(), number, field.to_owned()));
    }

    pub fn text(&mut self, computed: &Computed, text: &str, field: &str) {
        self.texts.push((computed.clone(), text.to_owned(), field.to_owned()));
    }
}

/// The check digits of a record, worked out of its values.
pub(crate) fn check_digits<'p>(
    plans: impl Iterator<Item = &'p CheckDigit>,
    source: &dyn Source,
    into: &mut Vec<(CheckDigit, i64)>,
) {
    into.clear();
    into.extend(plans.filter_map(|plan| Some((plan.clone(), plan.digit(source)?))));
}
