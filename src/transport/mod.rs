//! The bank's door: bytes out, bytes in, and an honest word about what became of them.
//!
//! A door knows nothing of formats, payments or money. It takes the finished parts of an attempt
//! and says one of three things: the bank has it, it provably never left, or nobody can know. That
//! third answer is why [`Sent`] is not an error type: an error invites a retry loop, and a retry
//! loop around "nobody can know" is how people are paid twice. Every door states its commit point
//! ([`Transport::commit_point`]); what fails before it is [`Sent::NotSent`], from it on all that is
//! not a clear answer is [`Sent::Unknown`] (design 4, rule 2).
//!
//! Sending takes a [`Committed`], which only the store can make, after the state SENDING is
//! durable (I4). Adding a door is one file and one line here.

pub mod beside;
pub mod calendar;
pub mod directory;
mod hidden;
pub mod hours;
pub mod https;
pub mod limit;
pub mod manner;
pub mod names;
pub mod placing;
pub mod push;
#[cfg(test)]
mod push_tests;
pub mod retry;
pub mod sftp;
pub mod socket;
#[cfg(test)]
mod socket_tests;
mod talk;
pub mod tls;
pub mod whole;
#[cfg(test)]
mod wire_tests;

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::attempt::Committed;
use crate::transport::whole::Token;

/// One finished part of a message or file on its way to the bank.
///
/// Parts are ordered. Exactly one commits the hand-over, and it is the last.
#[derive(Clone, PartialEq, Eq)]
pub struct OutPart {
    pub name: String,
    pub bytes: Bytes,
    pub committing: bool,
}

/// One part of what a bank left for us: its data first, its control file last.
#[derive(Clone, PartialEq, Eq)]
pub struct InPart {
    pub name: String,
    pub bytes: Bytes,
}

/// What became of a send. To be matched without `_`.
#[must_use]
#[derive(Clone, PartialEq, Eq)]
pub enum Sent {
    /// The bytes are at the bank. `answer` is its answer, where the door brings one back at once;
    /// what that answer means is read by the caller with the format.
    Accepted { answer: Option<Bytes> },
    /// It failed provably before the commit point: the same bytes may go again.
    NotSent { cause: String },
    /// It failed at or after the commit point: only asking helps. `evidence` is what the bank did
    /// say, as far as it came.
    Unknown { cause: String, evidence: Option<Bytes> },
}

/// What became of a question. A question may be repeated freely.
#[must_use]
#[derive(Clone, PartialEq, Eq)]
pub enum Asked {
    /// The bank's answer, whole.
    Answer(Bytes),
    /// The question was left for the bank; its answer comes as an arrival.
    Posted,
    /// It could not be put, or no answer can come to it any more.
    Failed { cause: String },
    /// It was put on a connection that stays, and the answer to it may come late, to whatever is asked then.
    Unanswered { cause: String },
}

/// Something whole that a bank left for us.
#[derive(Clone)]
pub struct Arrival {
    /// The name of its (first) data part; the format recognises it by this.
    pub name: String,
    pub parts: Vec<InPart>,
    /// Which files exactly were read, so that archiving moves these and no newer ones.
    pub(crate) token: Token,
}

impl Arrival {
    /// The data part of this name, where there is no other data: who puts the arrival away puts all of it away.
    pub fn only(&self, name: &str) -> Option<&InPart> {
        let control = self.token.control.as_ref().map(|(name, _)| name);
        let is_control = |part: &&InPart| control == Some(&part.name);
        let mut data = self.parts.iter().filter(|part| !is_control(part));
        data.next().filter(|part| part.name == name && data.next().is_none())
    }
}

/// Why something that arrived could not be listed, read or put away. None of these says anything
/// about money.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("this door's settings do not work: {0}")]
    Settings(String),
    #[error("{doing} {path} failed: {source}")]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{doing} failed: {cause}")]
    Remote { doing: &'static str, cause: String },
    #[error("the name {0} is not one that this door touches")]
    Name(String),
    #[error("{0} is not there any more")]
    Gone(String),
    #[error("{0} is not a plain file")]
    NotAFile(String),
    #[error("{name} has {bytes} bytes; the most that is read is {bytes_max}")]
    TooLarge { name: String, bytes: u64, bytes_max: u64 },
    #[error("{0} is still being written")]
    Changing(String),
    #[error("this door has no arrivals; answers come where the question was asked")]
    NoArrivals,
    #[error("the reading was interrupted")]
    Interrupted,
    #[error("the folder does not answer: nothing came of it in {seconds} s")]
    Hangs { seconds: u64 },
}

/// A bank's door. No verb has a default: what a door cannot do, it says itself.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Hands one attempt over. A repeat after [`Sent::NotSent`] passes the very same parts.
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent;

    /// Can an answer that comes be the one to an earlier question? It can where it is left in a folder, and on a
    /// connection that stays.
    fn may_be_earlier(&self) -> bool;

    /// Can this door see what lies at the bank at all? Where it cannot, nobody opens what was sent for it.
    fn can_look(&self) -> bool;

    /// What came on a line beside the answer that was waited for, message by message; it is given once. It may say
    /// something else than the answer did.
    fn unasked(&self) -> Vec<Bytes>;

    /// Does an attempt of which nobody knows lie at the bank, whole and under its own names (F49)? Only
    /// "yes" is a word about it: a bank that has taken it leaves nothing to see, and a line that is down
    /// shows nothing either.
    async fn lies_there(&self, parts: &[OutPart]) -> bool;

    /// Asks the bank about an attempt, or for notices or returns.
    async fn ask(&self, parts: &[OutPart]) -> Asked;

    /// Names of things that have arrived whole, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The door could not be looked through; nothing was changed.
    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError>;

    /// Reads one arrival; sizes are checked before anything is read.
    ///
    /// # Errors
    /// [`DoorError::TooLarge`] and [`DoorError::NotAFile`] will not go away: set it aside.
    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError>;

    /// Puts an arrival away after it was applied durably. Doing it again does no harm.
    ///
    /// # Errors
    /// It stays where it is and will be read again, which applies nothing twice (I10).
    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError>;

    /// Puts an arrival that nobody can read aside: kept as evidence, not read for ever.
    ///
    /// # Errors
    /// It stays where it is.
    async fn set_aside(&self, name: &str) -> Result<(), DoorError>;

    /// Names of data that lies there without the control file that says it is whole, as of the last look; none where
    /// files need no control file.
    ///
    /// # Errors
    /// The door could not be looked through.
    async fn halves(&self) -> Result<Vec<String>, DoorError>;

    /// Names under which something was put aside that may never have been read, since the bank had used them again
    /// before it could be; each is told once.
    async fn crowded_out(&self) -> Vec<String>;

    /// Names of our own files that still lie where the bank picks them up; nothing where this door
    /// cannot tell. Says nothing about money: a bank may take a file and leave it there.
    ///
    /// # Errors
    /// The door could not be looked through.
    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError>;

    /// Names of our own files that lie there for a message to name them; none where files speak for
    /// themselves. A bank may read such a file where it lies, and leave it.
    ///
    /// # Errors
    /// The door could not be looked through.
    async fn beside(&self) -> Result<Vec<String>, DoorError>;

    /// Clears away the files of a message that never left and never will: those that lie under their own
    /// names with these very bytes. Says how many. What has other bytes is not ours, and stays.
    ///
    /// # Errors
    /// Some may still lie there.
    async fn clear(&self, parts: &[OutPart]) -> Result<usize, DoorError>;

    /// When the bank takes something in again; nothing where it does now. Looked at before anything is
    /// begun, so that a closed bank is waited for and not tried.
    fn opens_at(&self, now_ms: i64) -> Option<i64>;

    /// The moment from which a failure means "unknown", in words for documents and pages.
    fn commit_point(&self) -> &'static str;
}

/// Checks the shape of a hand-over: some parts, names that may be written (a message alone has none),
/// one committing part and that one last.
pub(crate) fn check_parts(parts: &[OutPart]) -> Result<(), String> {
    let Some(last) = parts.last() else {
        return Err("there is nothing to send".to_owned());
    };
    if !last.committing || parts.iter().filter(|p| p.committing).count() != 1 {
        return Err("exactly one part commits a hand-over, and it is the last".to_owned());
    }
    // A message is called nothing: it is never a file.
    if let [message] = parts
        && message.name.is_empty()
    {
        return Ok(());
    }
    for (at, part) in parts.iter().enumerate() {
        if !names::is_allowed(&part.name) {
            return Err(format!("the file name {} is not allowed", names::shown(&part.name)));
        }
        if parts.iter().take(at).any(|p| p.name == part.name) {
            return Err(format!("two parts are called {}", part.name));
        }
    }
    Ok(())
}

// Parts carry people's names and accounts: what is printed is their size (I27).

impl fmt::Debug for OutPart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OutPart({}, {} bytes", names::shown(&self.name), self.bytes.len())?;
        out.write_str(if self.committing { ", committing)" } else { ")" })
    }
}

impl fmt::Debug for InPart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "InPart({}, {} bytes)", names::shown(&self.name), self.bytes.len())
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { answer } => {
                write!(out, "Accepted({:?} bytes)", answer.as_ref().map(Bytes::len))
            }
            Self::NotSent { cause } => write!(out, "NotSent({cause})"),
            Self::Unknown { cause, evidence } => {
                write!(out, "Unknown({cause}; {:?} bytes)", evidence.as_ref().map(Bytes::len))
            }
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(bytes) => write!(out, "Answer({} bytes)", bytes.len()),
            Self::Posted => out.write_str("Posted"),
            Self::Failed { cause } => write!(out, "Failed({cause})"),
            Self::Unanswered { cause } => write!(out, "Unanswered({cause})"),
        }
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Arrival({}, {:?})", names::shown(&self.name), self.parts)
    }
}
