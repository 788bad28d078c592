//! A folder that the bank reads and a folder that it fills: the oldest door there is.
//!
//! Out: every part is written under a hidden name and made durable, then gets its real name
//! without overwriting anything, data first, the folder made durable in between, the committing
//! (control) part last. In: only what is whole is looked at, because its control file is there or
//! because it has not changed for a while; never a link, a pipe, a folder or a strange name. All
//! names are resolved below an open folder, so a folder swapped for a link in the middle changes
//! nothing.

mod away;
mod files;
mod incoming;
pub mod outgoing;
mod patience;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::attempt::Committed;
use crate::transport::directory::incoming::Inbox;
use crate::transport::directory::patience::{Cut, Patience, Turn};
pub use crate::transport::whole::Completion;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

/// The folders of one bank. `incoming`, `archive` and `quarantine` are on one file system.
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    /// Where the bank picks our files up.
    pub outgoing: PathBuf,
    /// Where the bank leaves its files.
    pub incoming: PathBuf,
    /// Where its files go once they were applied; made where it is missing.
    pub archive: PathBuf,
    /// Where files go that nobody can read; made where it is missing.
    pub quarantine: PathBuf,
    pub completion: Completion,
    /// The most bytes that one arrival, all parts together, may have.
    pub bytes_max: u64,
    /// How long a folder is waited for: a share may hang.
    pub total_ms: u64,
}

/// The door made of folders.
#[derive(Debug)]
pub struct Directory {
    outgoing: PathBuf,
    inbox: Arc<Inbox>,
    /// Each folder is waited for by itself: where the bank's answers cannot be read, it can be paid all the same.
    giving: Patience,
    taking: Patience,
}

impl Directory {
    /// # Errors
    /// [`DoorError::Settings`] where two of the folders are one (our own files would come back as
    /// the bank's), the suffix is not one, or a cap is zero. Folders are looked at when they are
    /// used: a share that is not mounted yet must not keep the daemon from starting.
    pub fn new(options: DirectoryOptions) -> Result<Self, DoorError> {
        let o = &options;
        let folders = [&o.outgoing, &o.incoming, &o.archive, &o.quarantine];
        for (at, folder) in folders.iter().enumerate() {
            let real = |p: &PathBuf| p.canonicalize().unwrap_or_else(|_| p.clone());
            if folders.iter().take(at).any(|other| real(other) == real(folder)) {
                let cause = format!("{} is used for two purposes", folder.display());
                return Err(DoorError::Settings(cause));
            }
        }
        if let Some(cause) = o.completion.problem() {
            return Err(DoorError::Settings(cause));
        }
        if o.bytes_max == 0 {
            return Err(DoorError::Settings("a cap of 0 bytes lets nothing in".to_owned()));
        }
        if o.total_ms == 0 {
            return Err(DoorError::Settings("no time at all lets nothing through".to_owned()));
        }
        let within = Duration::from_millis(o.total_ms);
        let (giving, taking) = (Patience::new(within), Patience::new(within));
        let outgoing = options.outgoing.clone();
        Ok(Self { outgoing, inbox: Arc::new(Inbox::new(options)), giving, taking })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inbox) -> Result<T, DoorError> + Send + 'static,
    ) -> Result<T, DoorError> {
        let inbox = Arc::clone(&self.inbox);
        self.taking.with(move || work(&inbox)).await.map_err(|cut| self.cut(&cut))?
    }

    /// Why what was done in a folder came to no end.
    fn cut(&self, cut: &Cut) -> DoorError {
        match cut {
            Cut::Broke => DoorError::Interrupted,
            Cut::NotBegun | Cut::Hangs => DoorError::Hangs { seconds: self.giving.seconds() },
        }
    }

    async fn leave(&self, parts: &[OutPart], how: fn(&Path, &[OutPart], &Turn) -> Sent) -> Sent {
        let (folder, parts) = (self.outgoing.clone(), parts.to_vec());
        let turn = Arc::new(Turn::default());
        let its = Arc::clone(&turn);
        let cut = match self.giving.with(move || how(&folder, &parts, &its)).await {
            Ok(sent) => return sent,
            Err(cut) => cut,
        };
        let hangs = DoorError::Hangs { seconds: self.giving.seconds() }.to_string();
        match cut {
            Cut::NotBegun => Sent::NotSent { cause: hangs },
            // What waits there still is left behind, and does not commit any more.
            Cut::Hangs if turn.give_up() => Sent::NotSent { cause: hangs },
            Cut::Hangs => Sent::Unknown { cause: hangs, evidence: None },
            Cut::Broke => {
                Sent::Unknown { cause: "the hand-over was interrupted".to_owned(), evidence: None }
            }
        }
    }
}

#[async_trait]
impl Transport for Directory {
    async fn send(&self, _committed: &Committed, parts: &[OutPart]) -> Sent {
        self.leave(parts, outgoing::hand_over_in_time).await
    }

    fn may_be_earlier(&self) -> bool {
        true
    }

    fn can_look(&self) -> bool {
        true
    }

    fn unasked(&self) -> Vec<Bytes> {
        Vec::new()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        let (folder, parts) = (self.outgoing.clone(), parts.to_vec());
        let looked = self.giving.with(move || outgoing::lie_there(&folder, &parts));
        looked.await.unwrap_or(false)
    }

    /// A question is a file like any other; one that is still lying there is not left again.
    async fn ask(&self, parts: &[OutPart]) -> Asked {
        match self.leave(parts, outgoing::leave_anew_in_time).await {
            Sent::Accepted { answer: _ } => Asked::Posted,
            Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => {
                Asked::Failed { cause }
            }
        }
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.blocking(move |inbox| inbox.arrivals(limit)).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        let name = name.to_owned();
        self.blocking(move |inbox| inbox.fetch(&name)).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        let token = arrival.token.clone();
        self.blocking(move |inbox| inbox.archive(&token)).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        let name = name.to_owned();
        self.blocking(move |inbox| inbox.set_aside(&name)).await
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.blocking(Inbox::halves).await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.inbox.crowded_out()
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        let folder = self.outgoing.clone();
        let listed = self.giving.with(move || outgoing::lying(&folder)).await;
        let names = listed.map_err(|cut| self.cut(&cut))?;
        let io = |source| DoorError::Io { doing: "listing", path: self.outgoing.clone(), source };
        names.map(Some).map_err(io)
    }

    /// The control file speaks for the others.
    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, parts: &[OutPart]) -> Result<usize, DoorError> {
        let (folder, parts) = (self.outgoing.clone(), parts.to_vec());
        let cleared = self.giving.with(move || outgoing::clear(&folder, &parts)).await;
        let cleared = cleared.map_err(|cut| self.cut(&cut))?;
        let io = |source| DoorError::Io { doing: "clearing", path: self.outgoing.clone(), source };
        cleared.map_err(io)
    }

    fn opens_at(&self, _now_ms: i64) -> Option<i64> {
        None
    }

    fn commit_point(&self) -> &'static str {
        "the moment the committing (control) file gets its real name in the bank's folder"
    }
}
