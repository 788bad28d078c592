//! What two people decide because no bank can say it (design 4, rules 2 and 4).
//!
//! One operator proposes, another confirms, and the database itself refuses that they be the same
//! (I31). A decision is about a thing as it stood when it was proposed; it changes nothing where that
//! has moved on since (F65).

use std::fmt;

use crate::model::attempt::AttemptEvent;
use crate::model::id::{AttemptNo, BatchNo, PaymentId, ResultNo};
use crate::model::outcome::OutcomeKind;

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One try to hand a batch or a refund over: `A12`.
    Attempt(AttemptNo),
    /// Every payment of a batch that has no answer yet: `B7`.
    Batch(BatchNo),
    /// One payment: `R3-17`.
    Payment(PaymentId),
    /// A file or answer that is held, or all lines of it that were put aside: `E9`.
    Result(ResultNo),
    /// One line that was put aside: `E9.4`.
    Row(ResultNo, i64),
}

impl Subject {
    /// Reads the form that people see; the letter is needed, or a batch would be taken for a result.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.starts_with(|letter: char| letter.is_ascii_uppercase()) {
            return None;
        }
        if text.starts_with('R') {
            return PaymentId::parse(text).map(Self::Payment);
        }
        if text.starts_with('A') {
            return AttemptNo::parse(text).map(Self::Attempt);
        }
        if text.starts_with('B') {
            return BatchNo::parse(text).map(Self::Batch);
        }
        let result = text.strip_prefix('E')?;
        let Some((result, row)) = result.split_once('.') else {
            return ResultNo::parse(result).map(Self::Result);
        };
        let row = row.bytes().all(|b| b.is_ascii_digit()).then(|| row.parse().ok())??;
        (row > 0).then_some(Self::Row(ResultNo::parse(result)?, row))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(no) => no.fmt(out),
            Self::Batch(no) => no.fmt(out),
            Self::Payment(id) => id.fmt(out),
            Self::Result(no) => no.fmt(out),
            Self::Row(no, row) => write!(out, "{no}.{row}"),
        }
    }
}

words! {
    /// What is decided.
    Verdict {
        /// The bank has it; of a refund, that the money went back.
        Received = "received",
        /// It never arrived: the same bytes go again.
        NotReceived = "not_received",
        /// Nothing of it was paid or ever will be: its payments are unsent again.
        Never = "never",
        /// The money is on the card.
        Credited = "credited",
        /// The money did not reach the card.
        Failed = "failed",
        /// It says nothing that must be acted upon.
        Dismissed = "dismissed",
    }
}

impl Verdict {
    /// What it does to an attempt, where it is about one.
    pub const fn event(self) -> Option<AttemptEvent> {
        match self {
            Self::Received => Some(AttemptEvent::DecidedReceived),
            Self::NotReceived => Some(AttemptEvent::DecidedNotReceived),
            Self::Never => Some(AttemptEvent::DecidedNever),
            Self::Credited | Self::Failed | Self::Dismissed => None,
        }
    }

    /// What it says of a payment without an answer, or of a contradiction.
    pub const fn outcome(self, contradiction: bool) -> Option<OutcomeKind> {
        match (self, contradiction) {
            (Self::Credited, false) => Some(OutcomeKind::Credited),
            (Self::Credited, true) => Some(OutcomeKind::SettledCredited),
            (Self::Failed, false) => Some(OutcomeKind::Failed),
            (Self::Failed, true) => Some(OutcomeKind::SettledFailed),
            _ => None,
        }
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Received => "银行已收到",
            Self::NotReceived => "银行未收到，原件重发",
            Self::Never => "未发放也不再发放",
            Self::Credited => "已入账",
            Self::Failed => "未入账",
            Self::Dismissed => "无需处理",
        }
    }
}

words! {
    /// Where a decision is.
    DecisionState {
        /// One person proposed it; nothing has changed yet.
        Proposed = "proposed",
        /// Another person confirmed it, and it was carried out.
        Confirmed = "confirmed",
        /// Taken back before it was confirmed.
        Withdrawn = "withdrawn",
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, Verdict};
    use crate::model::outcome::OutcomeKind;

    #[test]
    fn what_a_decision_is_about_reads_back() {
        for text in ["A12", "B7", "R3-17", "E9", "E9.4"] {
            assert_eq!(Subject::parse(text).map(|it| it.to_string()).as_deref(), Some(text));
        }
        for bad in
            ["", "12", "A", "R3", "E9.", "E9.0", "E.4", "E9.-4", "E9.+4", "F1", "a12", "A1.2"]
        {
            assert_eq!(Subject::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn i11_a_contradiction_is_settled_in_words_of_its_own() {
        for verdict in Verdict::ALL {
            let (plain, settled) = (verdict.outcome(false), verdict.outcome(true));
            assert_eq!(plain.is_some(), settled.is_some_and(OutcomeKind::is_settled), "{verdict}");
            assert!(!plain.is_some_and(OutcomeKind::is_settled));
            assert!(verdict.event().is_none() || plain.is_none(), "one or the other: {verdict}");
        }
    }
}
