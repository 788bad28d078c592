//! The approved electronic list of payments that finance releases in one go (电子发放清册).

use crate::model::money::Fen;

words! {
    /// Where one revision of a register is.
    RegisterState {
        /// Streaming in; invisible, and swept if the stream breaks.
        Receiving = "receiving",
        /// Refused as a whole at intake, with its reasons.
        Refused = "refused",
        /// Being paid.
        Accepted = "accepted",
        /// A higher revision took over what was unsent.
        Superseded = "superseded",
        /// Finance revoked what was unsent.
        Revoked = "revoked",
        /// Everything is credited or refunded, and the closing account was reported.
        Closed = "closed",
    }
}

impl RegisterState {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Receiving => "接收中",
            Self::Refused => "已拒收",
            Self::Accepted => "发放中",
            Self::Superseded => "已被新版本替换",
            Self::Revoked => "已撤销",
            Self::Closed => "已办结",
        }
    }
}

/// What finance says a register is. `Some` times are UTC epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterHead {
    /// Finance's own id; with the source and the revision it is the identity (I25).
    pub id: String,
    pub revision: i64,
    pub programme_code: String,
    pub programme_name: String,
    /// 摘要: what the passbook prints. Never a text of our own.
    pub summary: String,
    pub department: String,
    pub town: String,
    /// 文号.
    pub document_no: String,
    /// The period that is paid, as finance names it (`2026-08`, `2026`).
    pub period: String,
    pub entered_by: String,
    pub reviewed_by: String,
    pub approved_at_ms: i64,
    pub funded_at_ms: Option<i64>,
    /// The bank's internal account out of which the cards are credited.
    pub pool_account: String,
    /// Number of the original treasury voucher; a refund carries it along.
    pub voucher_no: String,
    pub declared_count: i64,
    pub declared_sum: Fen,
    /// SHA-256 over head and lines, as `openapi.yaml` defines it.
    pub digest: [u8; 32],
}

/// A fault of a register as a whole, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line it was found in, or nothing for the head.
    pub line: Option<i64>,
    /// The field of the contract.
    pub field: &'static str,
    /// What was found, what was expected, as finance's system is told. Never holds personal data.
    pub what: String,
    /// The same for a person at the page: what is wrong and what to do, in plain Chinese.
    pub chinese: String,
}

impl Fault {
    pub fn new(
        line: Option<i64>,
        field: &'static str,
        what: impl Into<String>,
        chinese: impl Into<String>,
    ) -> Self {
        Self { line, field, what: what.into(), chinese: chinese.into() }
    }
}
