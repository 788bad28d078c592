//! Finance's door: approved registers come in, every answer goes back.
//!
//! The contract is `openapi.yaml` beside this file; `tests/finance_contract.rs` holds both sides
//! to it. The daemon pulls, and finance never calls us: a bank's network lets calls out more easily
//! than in, and what is pulled by cursor can be pulled again after any crash. Every verb may be
//! repeated: listing and reading change nothing, and a report is taken once by its id.
//!
//! [`http`] is the door and [`stream`] a register passing through it; [`wire`] is what finance says,
//! [`report`] what we tell, [`spoken`] how amounts, times and words are spelled in both.

pub mod http;
pub mod report;
pub mod spoken;
pub mod stream;
pub mod wire;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::guard::sign::SignError;
use crate::model::payment::Line;
use crate::model::register::{Fault, RegisterHead};
use crate::model::words;

/// One finance source.
#[async_trait]
pub trait Finance: Send + Sync {
    /// The configured name of the source: a part of every register's identity (I25).
    fn source(&self) -> &str;

    /// Approved and revoked registers behind the cursor `after`, in cursor order, at most `limit`.
    async fn listed(&self, after: Option<&str>, limit: usize)
    -> Result<Page<Listed>, FinanceError>;

    /// The head of one revision. May be read again for its funded time.
    ///
    /// # Errors
    /// [`FinanceError::Faulty`] where finance gives one that is no register's head.
    async fn head(&self, id: &str, revision: i64) -> Result<RegisterHead, FinanceError>;

    /// Opens the stream of the payments of the revision that `head` describes.
    async fn lines(&self, head: &RegisterHead) -> Result<Box<dyn Lines>, FinanceError>;

    /// Finance's decisions on payments that were set aside, behind the cursor `after`.
    async fn decisions(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Decision>, FinanceError>;

    /// Delivers a report (see [`report::Body`]). The same id with the same body may be delivered any
    /// number of times; with another body it is refused.
    async fn deliver(&self, report_id: &str, body: Bytes) -> Result<Acknowledged, FinanceError>;
}

/// The payments of one register, passing by once.
#[async_trait]
pub trait Lines: Send {
    /// The next lines, at most `max`; none means that the stream ended, whole. A line that cannot be
    /// read is a fault with its place, and the stream goes on behind it. A stream that breaks is an
    /// error, never a short register.
    async fn next(&mut self, max: usize) -> Result<Vec<Result<Line, Fault>>, FinanceError>;

    /// The digest over the head and all lines that were given out so far: at the end, what must
    /// equal `RegisterHead::digest`.
    fn digest(&self) -> [u8; 32];
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where to go on when there is more now; nothing at the end of the list.
    pub next: Option<String>,
}

words! {
    /// What happened to a register.
    RegisterEvent {
        Approved = "approved",
        Revoked = "revoked",
    }
}

/// One entry of the list of registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub cursor: String,
    pub id: String,
    pub revision: i64,
    pub event: RegisterEvent,
}

words! {
    /// What finance decides on a payment that was set aside.
    Verdict {
        Release = "release",
        Drop = "drop",
    }
}

/// Finance's decision on one payment that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub cursor: String,
    pub register: String,
    pub revision: i64,
    pub line: i64,
    pub action: Verdict,
    /// Who decided.
    pub by: String,
    pub reason: String,
}

/// Finance has a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    pub report_id: String,
    /// When finance took it, UTC epoch milliseconds: the same at every repetition.
    pub acknowledged_at_ms: i64,
}

/// A head that cannot be a register's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faulty {
    /// What could be read of it, under the identity that was asked for; nothing where it could not.
    pub head: RegisterHead,
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { field, what, .. }) in self.faults.iter().enumerate() {
            let between = if at > 0 { "; " } else { "" };
            write!(out, "{between}{field}: {what}")?;
        }
        Ok(())
    }
}

/// What a call to finance came to. Everything here may be repeated; the kinds differ in whether
/// that helps by itself.
#[derive(Debug, thiserror::Error)]
pub enum FinanceError {
    /// Not reached, broken off, too slow, or finance cannot answer now.
    #[error("finance is not reached: {0}")]
    Unreachable(String),
    /// Finance understood, and says no.
    #[error("finance refuses (status {status}): {words}")]
    Rejected { status: u16, words: String },
    /// The answer is not what the contract says.
    #[error("finance's answer breaks the contract: {0}")]
    Protocol(String),
    /// The head is finance's own, whole and signed, and is none of a register. Asking again does not
    /// help: it is told what is wrong.
    #[error("the head of the register has faults: {0}")]
    Faulty(Box<Faulty>),
    /// The answer is not finance's.
    #[error("finance's answer is not trusted")]
    Signature(#[from] SignError),
    /// The address, key or certificate that we are configured with does not work.
    #[error("the door to finance is not configured well: {0}")]
    Config(String),
}

impl FinanceError {
    /// Does waiting help? What does not pass by itself is repeated slowly, and a person is told.
    pub const fn passes_by_itself(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Rejected { .. }
            | Self::Protocol(_)
            | Self::Faulty(_)
            | Self::Signature(_)
            | Self::Config(_) => false,
        }
    }
}
