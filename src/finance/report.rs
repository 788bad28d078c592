//! What we tell finance, department and town (Notice, section 2.5): the head of a report and its
//! rows.
//!
//! On the wire a report is NDJSON: the head, then one row a line. A result of 10,000 payments is
//! thus written and read without ever being one tree in memory, and the row count in the head says
//! whether all of it is there. Both sides use these shapes, and both refuse a field that they do
//! not know.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::finance::spoken::{self, When, Yuan};
use crate::model::hold::HoldReason;
use crate::model::notice::NoticeState;
use crate::model::outcome::Folded;
use crate::model::reason::{Actor, Reason};
use crate::model::refund::LeftoverCause;
use crate::model::report::{RecipientKind, ReportKind};

/// The first line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    pub report_id: String,
    #[serde(with = "spoken::report_kind")]
    pub kind: ReportKind,
    pub recipient: To,
    /// Finance's own id of the register.
    pub register: String,
    pub revision: i64,
    pub made_at: When,
    /// How many rows follow. [`Body::finish`] writes it.
    pub rows: i64,
    pub about: About,
}

/// The addressee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct To {
    #[serde(with = "spoken::recipient_kind")]
    pub kind: RecipientKind,
    /// The department's name, or the town's nine-digit code; empty for finance.
    pub name: String,
}

/// What a report of each kind says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum About {
    Receipt(Receipt),
    SetAside(SetAside),
    Results(Results),
    Notices(Notices),
    Refund(Refund),
    Closing(Closing),
}

/// The register was accepted or refused. Rows: [`FaultRow`], none where it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub accepted: bool,
    /// Payments that were read, and their sum.
    pub count: i64,
    pub sum: Yuan,
    /// Of these, payments set aside, and their sum.
    pub held_count: i64,
    pub held_sum: Yuan,
    /// What was noticed and changes nothing, in plain Chinese.
    pub warnings: Vec<String>,
}

/// Payments were set aside. Rows: [`HeldRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAside {
    /// The sum of the rows.
    pub sum: Yuan,
}

/// What one answer of a bank said. Rows: [`ResultRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    pub bank: String,
    pub batch: String,
    pub attempt: String,
    pub result: String,
}

/// What became of the SMS. Rows: [`NoticeRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    pub bank: String,
    pub batch: String,
}

/// Leftover money went back. Rows: [`RefundRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    pub refund: String,
    pub bank: String,
    pub pool_account: String,
    /// The number of the original treasury voucher, carried along.
    pub voucher_no: String,
    /// The sum of the rows.
    pub amount: Yuan,
    /// The bank's own reference of the transfer.
    pub reference: String,
}

/// The account of a finished register. No rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    pub approved_sum: Yuan,
    /// What a higher revision or a revocation took back before it was sent.
    pub withdrawn_sum: Yuan,
    pub credited_sum: Yuan,
    pub refunded_sum: Yuan,
    /// Credits beyond what was approved: zero, or two people are looking at it.
    pub disputed_sum: Yuan,
    pub counts: Counts,
}

/// How many payments of a finished register ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub payments: i64,
    pub withdrawn: i64,
    pub credited: i64,
    pub failed: i64,
    pub returned: i64,
    /// Set aside and dropped.
    pub dropped: i64,
    /// Set aside at first, whatever was decided later.
    pub set_aside: i64,
    pub notices_delivered: i64,
    pub notices_failed: i64,
    pub notices_no_number: i64,
    pub notices_unknown: i64,
}

/// Why a register was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRow<'a> {
    /// The line it was found in; absent for the head.
    #[serde(
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub line: Option<i64>,
    #[serde(borrow)]
    pub field: Cow<'a, str>,
    #[serde(borrow)]
    pub what: Cow<'a, str>,
}

/// One payment that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRow<'a> {
    pub line: i64,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub document_number: Cow<'a, str>,
    #[serde(borrow)]
    pub account: Cow<'a, str>,
    #[serde(borrow)]
    pub village: Cow<'a, str>,
    pub amount: Yuan,
    #[serde(with = "spoken::hold_reason")]
    pub reason: HoldReason,
    #[serde(borrow)]
    pub reason_text: Cow<'a, str>,
    #[serde(borrow)]
    pub remedy: Cow<'a, str>,
}

/// What became of one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRow<'a> {
    pub line: i64,
    /// Where the bank's answers leave it: credited, failed, returned or conflict.
    #[serde(with = "spoken::folded")]
    pub outcome: Folded,
    pub amount: Yuan,
    /// When the bank says it happened.
    pub at: When,
    /// Which attempt to pay this money it was, along the chain of replacements; may be absent for
    /// the first.
    #[serde(
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub attempt_number: Option<i64>,
    /// The payment that this one replaces.
    #[serde(
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub replaces: Option<ReplacesRef>,
    /// With failed and returned: who, why, and what to do.
    #[serde(
        borrow,
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub failure: Option<Failure<'a>>,
}

/// A payment that did not reach its card, with the full detail (Notice, section 2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub document_number: Cow<'a, str>,
    #[serde(borrow)]
    pub account: Cow<'a, str>,
    #[serde(with = "spoken::reason")]
    pub reason: Reason,
    #[serde(borrow)]
    pub reason_text: Cow<'a, str>,
    /// The bank's own code, and its words with other people's names removed.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    #[serde(borrow)]
    pub bank_text: Cow<'a, str>,
    #[serde(with = "spoken::actor")]
    pub actor: Actor,
    #[serde(borrow)]
    pub remedy: Cow<'a, str>,
}

/// A payment named across registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplacesRef {
    pub register: String,
    pub revision: i64,
    pub line: i64,
}

/// What became of the SMS of one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRow {
    pub line: i64,
    #[serde(with = "spoken::notice_state")]
    pub state: NoticeState,
    /// When the bank says it happened; absent where it does not say.
    #[serde(
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_at: Option<When>,
}

/// One payment whose money went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRow {
    pub line: i64,
    pub amount: Yuan,
    #[serde(with = "spoken::leftover_cause")]
    pub cause: LeftoverCause,
}

impl About {
    /// The kind of report that says this.
    pub const fn kind(&self) -> ReportKind {
        match self {
            Self::Receipt(_) => ReportKind::Receipt,
            Self::SetAside(_) => ReportKind::SetAside,
            Self::Results(_) => ReportKind::Results,
            Self::Notices(_) => ReportKind::Notices,
            Self::Refund(_) => ReportKind::Refund,
            Self::Closing(_) => ReportKind::Closing,
        }
    }
}

impl<'de> Deserialize<'de> for Head {
    /// The kind says of which shape `about` is.
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            report_id: String,
            #[serde(with = "spoken::report_kind")]
            kind: ReportKind,
            recipient: To,
            register: String,
            revision: i64,
            made_at: When,
            rows: i64,
            about: Value,
        }
        let raw = Raw::deserialize(input)?;
        let about = raw.about;
        let about = match raw.kind {
            ReportKind::Receipt => serde_json::from_value(about).map(About::Receipt),
            ReportKind::SetAside => serde_json::from_value(about).map(About::SetAside),
            ReportKind::Results => serde_json::from_value(about).map(About::Results),
            ReportKind::Notices => serde_json::from_value(about).map(About::Notices),
            ReportKind::Refund => serde_json::from_value(about).map(About::Refund),
            ReportKind::Closing => serde_json::from_value(about).map(About::Closing),
        }
        .map_err(D::Error::custom)?;
        Ok(Self {
            report_id: raw.report_id,
            kind: raw.kind,
            recipient: raw.recipient,
            register: raw.register,
            revision: raw.revision,
            made_at: raw.made_at,
            rows: raw.rows,
            about,
        })
    }
}

/// A report being written: rows first, because the head says how many there are.
#[derive(Default)]
pub struct Body {
    rows: Vec<u8>,
    count: i64,
}

impl Body {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row: one of the row types of this file.
    pub fn row(&mut self, row: &impl Serialize) {
        serde_json::to_writer(&mut self.rows, row).expect("a row writes into memory");
        self.rows.push(b'\n');
        self.count += 1;
    }

    /// How many rows there are.
    pub const fn count(&self) -> i64 {
        self.count
    }

    /// Puts the head, with its count of rows, in front.
    pub fn finish(self, head: Head) -> Bytes {
        let head = Head { rows: self.count, ..head };
        let mut body = Vec::with_capacity(self.rows.len() + 512);
        serde_json::to_writer(&mut body, &head).expect("a head writes into memory");
        body.push(b'\n');
        body.extend_from_slice(&self.rows);
        Bytes::from(body)
    }
}

#[cfg(test)]
mod tests;
