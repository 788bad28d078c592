//! What the rows of a message add up to: count and sum are worked out here, never taken from a caller.

use crate::format::Format;
use crate::format::error::{DataError, FieldFault};
use crate::format::plan::MessagePlan;
use crate::format::words::{Key, MessageKind, Source, Value};
use crate::format::writing::whole;
use crate::model::money::Fen;

/// What the rows of a message add up to, within the limits of the format.
pub(crate) struct Sums {
    kind: MessageKind,
    pub count: usize,
    sum: Fen,
    most: Fen,
    sum_max: Fen,
}

impl Sums {
    pub fn new(format: &Format, kind: MessageKind) -> Self {
        let limits = format.limits();
        // What is too much for a card must still be able to go back.
        let most = match kind {
            MessageKind::RefundRequest => limits.sum_max,
            _ => limits.amount_max,
        };
        Self { kind, count: 0, sum: Fen::ZERO, most, sum_max: limits.sum_max }
    }

    /// One more row begins.
    pub const fn begin(&mut self) {
        self.count += 1;
    }

    /// Takes the amount of the row that began last, where this has it.
    ///
    /// # Errors
    /// It is out of bounds, or the sum with it; the record is the caller's to say.
    pub fn add(&mut self, row: &dyn Source) -> Result<(), DataError> {
        let Some(Value::Amount(amount)) = row.get(Key::Amount) else { return Ok(()) };
        if let Err(FieldFault::OutOfRange { expected }) = in_bounds(amount, self.most) {
            let error = whole(self.kind, &expected, "");
            return Err(DataError { field: Key::Amount.as_str().to_owned(), ..error });
        }
        let sum = self.sum.checked_add(amount).filter(|sum| *sum <= self.sum_max);
        self.sum = sum.ok_or_else(|| {
            let expected = format!("a sum of at most {} yuan", self.sum_max.yuan());
            whole(self.kind, &expected, "more")
        })?;
        Ok(())
    }

    /// Are there as many rows as there may be?
    pub fn within(&self, format: &Format, message: &MessagePlan) -> Result<(), DataError> {
        let most = format.limits().rows_max;
        if message.has_rows && (self.count < message.rows_min || self.count > most) {
            let expected = format!("{} to {most} rows", message.rows_min);
            return Err(whole(self.kind, &expected, &self.count.to_string()));
        }
        Ok(())
    }

    /// The head with these; it may state them itself, but no others.
    pub fn over<'h>(
        &self,
        head: &'h dyn Source,
        message: &MessagePlan,
    ) -> Result<Counted<'h>, DataError> {
        if !message.has_rows {
            return Ok(Counted { head, totals: None });
        }
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        for (key, ours) in [(Key::Count, Value::Int(count)), (Key::Sum, Value::Amount(self.sum))] {
            if head.get(key).is_some_and(|theirs| theirs != ours) {
                let expected = format!("the {key} of the rows, or none stated");
                return Err(whole(self.kind, &expected, "another one in the head"));
            }
        }
        Ok(Counted { head, totals: Some((count, self.sum)) })
    }
}

/// A head with the count and sum of its rows, where the message has rows.
pub(crate) struct Counted<'a> {
    head: &'a dyn Source,
    totals: Option<(i64, Fen)>,
}

impl Source for Counted<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match (key, self.totals) {
            (Key::Count, Some((count, _))) => Some(Value::Int(count)),
            (Key::Sum, Some((_, sum))) => Some(Value::Amount(sum)),
            _ => self.head.get(key),
        }
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        self.head.own(at)
    }
}

/// An amount of one payment: at least one fen, at most what the format allows.
pub(crate) fn in_bounds(amount: Fen, most: Fen) -> Result<(), FieldFault> {
    if amount.is_positive() && amount <= most {
        return Ok(());
    }
    Err(FieldFault::OutOfRange { expected: format!("an amount from 0.01 to {} yuan", most.yuan()) })
}
