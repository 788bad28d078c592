//! What a description says of answers: how their rows find a payment, and what their codes mean.

use crate::format::Format;
use crate::format::cell::Bind;
use crate::format::codes::Meaning;
use crate::format::plan::MessagePlan;
use crate::format::text::joined;
use crate::format::words::{Key, MessageKind, Slot, Source, Value};
use crate::model::attempt::Answer;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

/// What a bank's code says about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeaning<'f> {
    /// Nothing while the bank is still working on it.
    pub outcome: Option<OutcomeKind>,
    pub reason: Option<Reason>,
    /// What the code means in plain Chinese, where the description says so.
    pub text: Option<&'f str>,
}

impl Format {
    /// What tells which payment a row of this message is about: its place in the batch, or values
    /// that together must not be the same in two payments of a batch.
    pub fn matching(&self, kind: MessageKind) -> &[Key] {
        self.plan.message(kind).map_or(&[Key::Ordinal], |message| &message.matching)
    }

    /// The values by which any answer to a batch is matched where it has no places: a batch must
    /// have no two payments that are the same in all of them.
    pub fn unique_in_batch(&self) -> Option<&[Key]> {
        let mut answers = self.plan.messages.iter().filter(|message| message.has_rows);
        // A place and a reference are of one payment by how they are made.
        let one = [Key::Ordinal, Key::RowReference, Key::BankSerial];
        let by_values =
            |message: &&MessagePlan| !one.iter().any(|key| message.matching.contains(key));
        answers.find(by_values).map(|message| message.matching.as_slice())
    }

    /// Are the rows of this message matched by the bank's own numbers of payments, which an earlier answer
    /// told?
    pub fn is_matched_by_serial(&self, kind: MessageKind) -> bool {
        self.matching(kind).contains(&Key::BankSerial)
    }

    /// Does this message tell what the bank calls each payment, and does a later one need it?
    pub fn tells_serials(&self, kind: MessageKind) -> bool {
        let needed = |message: &MessagePlan| message.matching.contains(&Key::BankSerial);
        self.plan.messages.iter().any(needed)
            && !self.is_matched_by_serial(kind)
            && self.asks_for(kind, Key::BankSerial)
    }

    /// Does this message have a row for each payment?
    pub fn has_rows(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| message.has_rows)
    }

    /// Does this message list the payments that failed, and no others?
    pub fn failures_only(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| message.failures_only)
    }

    /// Do the rows of this message name their payment by its place alone? Then no account is compared, and
    /// the message counts only where it closes over the whole batch.
    pub fn rows_without_account(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| message.bare)
    }

    /// What a request calls the payment at this place of the batch with this reference, where it gives
    /// each a reference of its own.
    pub fn row_reference(&self, reference: &str, ordinal: i64) -> Option<String> {
        let message = self.plan.message(MessageKind::PaymentRequest)?;
        let fields = message.parts.iter().flat_map(|part| part.layout.order().fields());
        let pieces = fields.map(|(_, field)| &field.cell.bind).find_map(|bind| match bind {
            Bind::Joined { slot: Slot::Key(Key::RowReference), pieces } => Some(pieces),
            _ => None,
        })?;
        Some(joined(pieces, &OurRow { reference, ordinal }))
    }

    /// What the code in the head of a message says about the whole of it.
    pub fn answer(&self, kind: MessageKind, code: &str) -> Option<Answer> {
        match self.plan.meaning(self.plan.message(kind)?.head_codes, code)? {
            Meaning::Answer(answer) => Some(*answer),
            Meaning::Outcome { .. } | Meaning::Notice(_) => None,
        }
    }

    /// What the code of a row says about its payment.
    pub fn row_meaning(&self, kind: MessageKind, code: &str) -> Option<RowMeaning<'_>> {
        match self.plan.meaning(self.plan.message(kind)?.row_codes, code)? {
            Meaning::Outcome { outcome, reason, text } => {
                Some(RowMeaning { outcome: *outcome, reason: *reason, text: text.as_deref() })
            }
            Meaning::Answer(_) | Meaning::Notice(_) => None,
        }
    }

    /// What the notice code of a row says about its SMS.
    pub fn notice(&self, kind: MessageKind, code: &str) -> Option<NoticeState> {
        match self.plan.meaning(self.plan.message(kind)?.notice_codes, code)? {
            Meaning::Notice(state) => Some(*state),
            Meaning::Answer(_) | Meaning::Outcome { .. } => None,
        }
    }

    /// Every code of a message's head with what it says, for a practice bank that answers.
    pub fn answers(&self, kind: MessageKind) -> impl Iterator<Item = (&str, Answer)> {
        let table = self.plan.message(kind).and_then(|message| message.head_codes);
        let codes = table.and_then(|table| self.plan.codes.get(table));
        codes.into_iter().flat_map(|table| &table.codes).filter_map(|(code, meaning)| match meaning
        {
            Meaning::Answer(answer) => Some((code.as_str(), *answer)),
            Meaning::Outcome { .. } | Meaning::Notice(_) => None,
        })
    }

    /// Every code of a message's rows with what it says, for a practice bank that answers.
    pub fn row_codes(&self, kind: MessageKind) -> impl Iterator<Item = (&str, RowMeaning<'_>)> {
        let table = self.plan.message(kind).and_then(|message| message.row_codes);
        let codes = table.and_then(|table| self.plan.codes.get(table));
        let codes = codes.into_iter().flat_map(|table| table.codes.keys());
        codes.filter_map(move |code| Some((code.as_str(), self.row_meaning(kind, code)?)))
    }
}

/// What our reference of a payment is put together from.
struct OurRow<'a> {
    reference: &'a str,
    ordinal: i64,
}

impl Source for OurRow<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Reference => Some(Value::Text(self.reference)),
            Key::Ordinal => Some(Value::Int(self.ordinal)),
            _ => None,
        }
    }
}
