//! What a bank's codes mean. A table belongs to one field of one format: AT01 is a debit card at one
//! bank and a credit card at its sister.

use std::collections::BTreeMap;

use crate::model::attempt::Answer;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

/// One code table.
#[derive(Debug, Clone)]
pub(crate) struct CodeTable {
    pub name: String,
    pub kind: TableKind,
    pub codes: BTreeMap<String, Meaning>,
}

/// What the codes of a table speak about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// The whole message.
    Answer,
    /// One payment.
    Outcome,
    /// One SMS.
    Notice,
}

/// What one code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    Answer(Answer),
    Outcome { outcome: Option<OutcomeKind>, reason: Option<Reason>, text: Option<String> },
    Notice(NoticeState),
}

impl TableKind {
    /// For messages: what the codes of the table mean.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Outcome => "outcome",
            Self::Notice => "notice",
        }
    }
}
