//! A bank's server that takes and leaves files by SFTP.
//!
//! Out: every part is uploaded under a hidden name and read back, then gets its real name by a rename
//! that overwrites nothing, data first, the committing (control) part last. Before that last rename is
//! asked for, every failure is "not sent"; from it on only a clear answer counts, and a lost one is
//! looked for on another connection. In: the rules of the directory door ([`super::whole`]), on names
//! and sizes that a stranger's machine tells us.
//!
//! The host's key is pinned in the config. There is no first use that is trusted: whoever stands in
//! between on that day reads every payee and answers for the bank ever after (F50). RSA keys are not
//! taken: the library's RSA leaks by timing, and OpenSSH has an ed25519 key beside it since 2014.

mod anew;
mod incoming;
mod link;
mod outgoing;
mod session;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use crate::model::attempt::Committed;
use crate::transport::sftp::incoming::{Desk, Inbox};
use crate::transport::sftp::link::Link;
use crate::transport::sftp::outgoing::Cargo;
pub use crate::transport::sftp::session::Proof;
use crate::transport::sftp::session::Session;
use crate::transport::whole::Completion;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

/// A bank's server and the folders on it; relative folders are below the one that we log in to.
#[derive(Clone)]
pub struct SftpOptions {
    /// `host:port`.
    pub address: String,
    /// The keys of which the server must show one; two while the bank changes from one to the other.
    pub host_keys: Vec<PublicKey>,
    pub user: String,
    pub proof: Proof,
    /// Where the bank picks our files up.
    pub outgoing: String,
    /// Where the bank leaves its files.
    pub incoming: String,
    /// Where its files go once they were applied; without it they are deleted then.
    pub archive: Option<String>,
    /// Where files go that nobody can read.
    pub quarantine: String,
    pub completion: Completion,
    /// The most bytes that one arrival, all parts together, may have.
    pub bytes_max: u64,
    /// The most time to connect and log in.
    pub connect_ms: u64,
    /// The most time for one hand-over, one listing, one file.
    pub total_ms: u64,
}

/// The door made of SFTP.
pub struct Sftp {
    options: Arc<SftpOptions>,
    /// For what we hand over. What the bank leaves has a connection of its own: a server that hangs at one of its
    /// files keeps no batch back, and makes none of unknown fate.
    giving: Link,
    taking: Link,
    inbox: Inbox,
}

impl Sftp {
    /// # Errors
    /// [`DoorError::Settings`] where a key, a folder, the suffix or a limit cannot work.
    pub fn new(options: SftpOptions) -> Result<Self, DoorError> {
        let o = &options;
        if o.host_keys.is_empty() {
            return Err(settings("host_keys: the bank's server is known by its key; name one"));
        }
        let folders =
            [Some(&o.outgoing), Some(&o.incoming), o.archive.as_ref(), Some(&o.quarantine)];
        let folders: Vec<&str> =
            folders.into_iter().flatten().map(|folder| folder.trim_end_matches('/')).collect();
        for (at, folder) in folders.iter().enumerate() {
            if folder.is_empty() {
                return Err(settings("a folder without a name is none"));
            }
            if folders.iter().take(at).any(|other| other == folder) {
                return Err(settings(&format!("{folder} is used for two purposes")));
            }
        }
        if let Some(cause) = o.completion.problem() {
            return Err(settings(&cause));
        }
        if o.bytes_max == 0 || o.connect_ms == 0 || o.total_ms == 0 {
            return Err(settings("a time or a cap of nothing lets nothing through"));
        }
        if o.address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(settings("address: it is a host and a port, like sftp.bank.example:22"));
        }
        let options = Arc::new(options);
        let [giving, taking] = Link::pair(&options);
        Ok(Self { giving, taking, options, inbox: Inbox::new() })
    }

    /// Does work on a connection within the total time; after a failure of the line the next one is
    /// done on another.
    async fn on_line<T, W: Future<Output = Result<T, DoorError>> + Send>(
        &self,
        work: impl FnOnce(Arc<Session>) -> W + Send,
    ) -> Result<T, DoorError> {
        let doing = "reaching the bank's server";
        let session = self.taking.session().await;
        let session = session.map_err(|cause| DoorError::Remote { doing, cause })?;
        let ms = self.options.total_ms;
        let done = timeout(Duration::from_millis(ms), work(session)).await.unwrap_or_else(|_| {
            let doing = "waiting for the bank's server";
            Err(DoorError::Remote { doing, cause: format!("it took longer than {ms} ms") })
        });
        if matches!(done, Err(DoorError::Remote { .. })) {
            self.taking.forget().await;
        }
        done
    }

    fn desk<'d>(&'d self, session: &'d Session) -> Desk<'d> {
        let wrote_last = self.giving.wrote_last();
        Desk { inbox: &self.inbox, options: &self.options, session, wrote_last }
    }
}

#[async_trait]
impl Transport for Sftp {
    async fn send(&self, _committed: &Committed, parts: &[OutPart]) -> Sent {
        outgoing::hand_over(&self.giving, &self.options, parts, Cargo::Batch).await
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
        outgoing::lie_there(&self.giving, &self.options, parts).await
    }

    /// A question is a file like any other; one that is still lying there is not left again.
    async fn ask(&self, parts: &[OutPart]) -> Asked {
        match outgoing::hand_over(&self.giving, &self.options, parts, Cargo::Question).await {
            Sent::Accepted { answer: _ } => Asked::Posted,
            Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => {
                Asked::Failed { cause }
            }
        }
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.on_line(|session| async move { self.desk(&session).arrivals(limit).await }).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        self.on_line(|session| async move { self.desk(&session).fetch(name).await }).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        self.on_line(|session| async move { self.desk(&session).archive(arrival).await }).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.on_line(|session| async move { self.desk(&session).set_aside(name).await }).await
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        match self.options.completion {
            Completion::StableMs(_) => Ok(Vec::new()),
            Completion::Control { .. } => {
                self.inbox.looked().halves.take().ok_or(DoorError::Interrupted)
            }
        }
    }

    async fn crowded_out(&self) -> Vec<String> {
        std::mem::take(&mut self.inbox.looked().crowded_out)
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        let options = &self.options;
        let names = self.on_line(|session| async move { outgoing::lying(&session, options).await });
        names.await.map(Some)
    }

    /// The control file speaks for the others.
    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, parts: &[OutPart]) -> Result<usize, DoorError> {
        let options = &self.options;
        self.on_line(|session| async move { outgoing::clear(&session, options, parts).await }).await
    }

    fn opens_at(&self, _now_ms: i64) -> Option<i64> {
        None
    }

    fn commit_point(&self) -> &'static str {
        "the request to rename the committing (control) file to its real name"
    }
}

/// Reads a pinned key, as `ssh-keyscan` prints it without the host: `ssh-ed25519 AAAA...`.
///
/// # Errors
/// Why it is none that can be pinned.
pub fn host_key(text: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_openssh(text.trim())
        .map_err(|e| format!("{text:?} is no public key like \"ssh-ed25519 AAAA...\": {e}"))?;
    usable(&key.algorithm())?;
    Ok(key)
}

/// Reads a private key of ours, as `ssh-keygen -t ed25519` writes it, without a passphrase.
///
/// # Errors
/// Why it is none; never its text.
pub fn private_key(text: &SecretString) -> Result<Proof, String> {
    let key = PrivateKey::from_openssh(text.expose_secret().trim())
        .map_err(|e| format!("this is no private key of OpenSSH: {e}"))?;
    if key.is_encrypted() {
        return Err("this private key has a passphrase; nobody is there to type it".to_owned());
    }
    usable(&key.algorithm())?;
    Ok(Proof::Key(Arc::new(key)))
}

fn usable(algorithm: &Algorithm) -> Result<(), String> {
    match algorithm {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(()),
        other => {
            Err(format!("keys of kind {} are not taken; ed25519 and ecdsa are", other.as_str()))
        }
    }
}

/// A name in a folder of the server.
fn path(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn settings(cause: &str) -> DoorError {
    DoorError::Settings(cause.to_owned())
}
