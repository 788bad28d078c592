//! One SSH connection with its SFTP channel, and single steps on the files behind it.
//!
//! The raw protocol is spoken, not a client's idea of a file: each step here is one request and its
//! answer, so that it is known which request was the last one before a line broke. The rename is
//! plain `SSH_FXP_RENAME` - never `posix-rename`, which overwrites (F48).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use russh::client::{self, AuthResult, Handle};
use russh::keys::{
    Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
};
use russh::{ChannelMsg, Preferred};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, FileType, OpenFlags, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};

/// Bytes of one request to read or write: what every server of version 3 takes.
const CHUNK_BYTES: u32 = 32 * 1024;
/// Requests of one file under way at one time.
const REQUESTS_AT_ONCE: usize = 16;
/// The most bytes that one answer of the server may have; it is refused before it is read.
const PACKET_BYTES_MAX: u32 = 256 * 1024;
/// How often a quiet line is asked whether the bank is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Why a step did not work.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server answered, and said no.
    Said(StatusCode, String),
    /// There was no answer: the line, the time or the protocol broke.
    Line(String),
}

impl Trouble {
    pub fn text(&self) -> String {
        match self {
            Self::Said(code, text) => format!("the bank's server says {code}: {text}"),
            Self::Line(text) => format!("the line to the bank broke: {text}"),
        }
    }

    const fn is(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Said(code, _) if *code as u32 == wanted as u32)
    }
}

impl From<SftpError> for Trouble {
    fn from(error: SftpError) -> Self {
        match error {
            SftpError::Status(status) => {
                // The server's words are data from outside: escaped and short.
                let text = crate::transport::names::said(&status.error_message);
                Self::Said(status.status_code, text)
            }
            other => Self::Line(other.to_string()),
        }
    }
}

/// How we prove who we are.
#[derive(Clone)]
pub enum Proof {
    Key(Arc<PrivateKey>),
    Password(SecretString),
}

/// What must not change while a file rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub size: u64,
    pub changed: u32,
    pub plain: bool,
    pub folder: bool,
}

impl Seen {
    fn of(attributes: &FileAttributes) -> Self {
        let kind = attributes.permissions.map(FileType::from);
        Self {
            size: attributes.size.unwrap_or(u64::MAX),
            changed: attributes.mtime.unwrap_or(0),
            plain: kind == Some(FileType::File),
            folder: kind == Some(FileType::Dir),
        }
    }

    /// Tells it from a newer file of the same name, as far as this protocol can: by size and second.
    pub const fn identity(&self) -> u64 {
        self.size.wrapping_shl(32) | self.changed as u64
    }
}

/// What is in a file.
pub(super) enum Content {
    Missing,
    /// It is another one, or grew or shrank while it was read.
    Changed,
    Bytes(Vec<u8>),
}

/// Checks the server's key against those that are pinned; there is no first use that is trusted.
struct Pinned {
    keys: Vec<PublicKey>,
    refused: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data(),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.public_key(),
        };
        let known = self.keys.iter().any(|pinned| pinned.key_data() == key);
        if !known {
            let print = key.fingerprint(HashAlg::Sha256).to_string();
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(print);
        }
        Ok(known)
    }
}

/// Who is called, and how.
pub(super) struct Calling<'c> {
    pub address: &'c str,
    pub host_keys: &'c [PublicKey],
    pub user: &'c str,
    pub proof: &'c Proof,
    pub request_secs: u64,
}

/// A connection on which files can be handled.
pub(super) struct Session {
    sftp: RawSftpSession,
    /// The connection ends when this is dropped.
    line: Handle<Pinned>,
    can_sync: bool,
}

impl Session {
    /// Connects, checks the host's key, logs in and opens the SFTP channel. Whatever fails here is
    /// provably before anything of ours was at the bank.
    pub async fn open(calling: &Calling<'_>) -> Result<Self, String> {
        let refused = Arc::new(Mutex::new(None));
        let pinned = Pinned { keys: calling.host_keys.to_vec(), refused: Arc::clone(&refused) };
        let algorithms: Vec<Algorithm> =
            calling.host_keys.iter().map(PublicKey::algorithm).collect();
        let config = client::Config {
            // The server must show a key of a kind that is pinned, or it could show another one of its
            // own that is not.
            preferred: Preferred { key: algorithms.into(), ..Preferred::DEFAULT },
            keepalive_interval: Some(KEEP_ALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let connected = client::connect(Arc::new(config), calling.address, pinned).await;
        let mut line = connected.map_err(|e| {
            let print = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
            print.map_or_else(
                || format!("{} cannot be reached: {e}", calling.address),
                |print| {
                    format!(
                        "{} shows a host key that is not pinned ({print}): it is another machine, or \
                         the bank has changed its key; nothing was sent. Ask the bank before host_keys \
                         is changed",
                        calling.address
                    )
                },
            )
        })?;
        log_in(&mut line, calling).await?;
        let opened = async {
            let mut channel = line.channel_open_session().await?;
            channel.request_subsystem(true, "sftp").await?;
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => return Ok(channel),
                    Some(ChannelMsg::Failure) | None => {
                        return Err(russh::Error::RequestDenied);
                    }
                    Some(_) => {}
                }
            }
        };
        let channel = opened.await.map_err(|e| format!("the bank's server has no SFTP: {e}"))?;
        let config = russh_sftp::client::Config {
            max_packet_len: PACKET_BYTES_MAX,
            request_timeout_secs: calling.request_secs,
            ..russh_sftp::client::Config::default()
        };
        let sftp = RawSftpSession::new_with_config(channel.into_stream(), config);
        let version = sftp.init().await.map_err(|e| format!("SFTP did not begin: {e}"))?;
        let can_sync = version.extensions.contains_key("fsync@openssh.com");
        Ok(Self { sftp, line, can_sync })
    }

    /// Does the server still answer?
    pub async fn is_alive(&self) -> bool {
        !self.line.is_closed() && self.sftp.realpath(".").await.is_ok()
    }

    /// What a name is, without following a link; nothing where there is no such name.
    pub async fn look(&self, path: &str) -> Result<Option<Seen>, Trouble> {
        match self.sftp.lstat(path).await.map_err(Trouble::from) {
            Ok(found) => Ok(Some(Seen::of(&found.attrs))),
            Err(trouble) if trouble.is(StatusCode::NoSuchFile) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The names in a folder, as the server tells them, at most `most`.
    pub async fn list(&self, folder: &str, most: usize) -> Result<Vec<(String, Seen)>, Trouble> {
        let handle = self.sftp.opendir(folder).await?.handle;
        let mut found = Vec::new();
        let read = loop {
            match self.sftp.readdir(handle.as_str()).await.map_err(Trouble::from) {
                Ok(names) => {
                    let entry =
                        |file: russh_sftp::protocol::File| (file.filename, Seen::of(&file.attrs));
                    let room = most.saturating_sub(found.len());
                    found.extend(names.files.into_iter().take(room).map(entry));
                    if found.len() >= most {
                        break Ok(());
                    }
                }
                Err(trouble) if trouble.is(StatusCode::Eof) => break Ok(()),
                Err(trouble) => break Err(trouble),
            }
        };
        self.close(handle, read).await?;
        Ok(found)
    }

    /// Reads a plain file whole that was seen a moment ago, and says where it is not the same any more.
    pub async fn read_seen(&self, path: &str, seen: Seen) -> Result<Content, Trouble> {
        let opened = self.sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await;
        let handle = match opened.map_err(Trouble::from) {
            Ok(handle) => handle.handle,
            Err(trouble) if trouble.is(StatusCode::NoSuchFile) => return Ok(Content::Missing),
            Err(trouble) => return Err(trouble),
        };
        let read = self.read_open(&handle, seen).await;
        self.close(handle, read).await
    }

    /// No more than what was seen is asked for. What the handle looks like afterwards tells whether all
    /// of it was that.
    async fn read_open(&self, handle: &str, seen: Seen) -> Result<Content, Trouble> {
        let mut bytes = Vec::with_capacity(usize::try_from(seen.size).unwrap_or(0));
        let mut pieces = stream::iter(pieces(seen.size))
            .map(|(offset, length)| self.read_piece(handle, offset, length))
            .buffered(REQUESTS_AT_ONCE);
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
        }
        drop(pieces);
        let after = Seen::of(&self.sftp.fstat(handle).await?.attrs);
        let same = bytes.len() as u64 == seen.size && after == seen;
        Ok(if same { Content::Bytes(bytes) } else { Content::Changed })
    }

    /// One piece; a server may answer with less at a time, and never with more.
    async fn read_piece(&self, handle: &str, from: u64, length: u32) -> Result<Vec<u8>, Trouble> {
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let had = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let left = length.saturating_sub(had);
            if left == 0 {
                return Ok(bytes);
            }
            match self.sftp.read(handle, from + u64::from(had), left).await.map_err(Trouble::from) {
                Ok(data) if data.data.is_empty() || data.data.len() as u64 > u64::from(left) => {
                    let text = "the server answers a read with more, or less, than it may";
                    return Err(Trouble::Line(text.to_owned()));
                }
                Ok(data) => bytes.extend_from_slice(&data.data),
                Err(trouble) if trouble.is(StatusCode::Eof) => return Ok(bytes),
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Writes `bytes` from `from` on, and makes them durable where the server can. A new file is
    /// made where `from` is nothing; a name that is taken is refused, and no link is followed.
    pub async fn write(&self, path: &str, bytes: &[u8], from: Option<u64>) -> Result<(), Trouble> {
        let flags = match from {
            None => OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE,
            Some(_) => OpenFlags::WRITE,
        };
        let handle = self.sftp.open(path, flags, FileAttributes::empty()).await?.handle;
        let written = self.write_open(&handle, bytes, from.unwrap_or(0)).await;
        self.close(handle, written).await
    }

    async fn write_open(&self, handle: &str, bytes: &[u8], from: u64) -> Result<(), Trouble> {
        let size = bytes.len() as u64;
        stream::iter(pieces(size.saturating_sub(from)))
            .map(|(at, length)| {
                let begin = usize::try_from(from + at).unwrap_or(usize::MAX);
                let piece = bytes.get(begin..).and_then(|rest| rest.get(..length as usize));
                self.sftp.write(handle, from + at, piece.unwrap_or_default().to_vec())
            })
            .buffered(REQUESTS_AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        if self.can_sync {
            self.sftp.fsync(handle).await?;
        }
        Ok(())
    }

    /// Gives a file a new name; OpenSSH refuses where the name is taken.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Trouble> {
        self.sftp.rename(from, to).await?;
        Ok(())
    }

    /// Removes a name; one that is not there is fine.
    pub async fn remove(&self, path: &str) -> Result<(), Trouble> {
        match self.sftp.remove(path).await.map_err(Trouble::from) {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.is(StatusCode::NoSuchFile) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Makes a folder; its parent must be there.
    pub async fn make_folder(&self, path: &str) -> Result<(), Trouble> {
        self.sftp.mkdir(path, FileAttributes::empty()).await?;
        Ok(())
    }

    /// Closes a handle, whatever became of the work on it.
    async fn close<T>(&self, handle: String, done: Result<T, Trouble>) -> Result<T, Trouble> {
        let closed = self.sftp.close(handle).await;
        let done = done?;
        closed?;
        Ok(done)
    }
}

/// The places and lengths of the requests for so many bytes.
fn pieces(size: u64) -> impl Iterator<Item = (u64, u32)> {
    let step = u64::from(CHUNK_BYTES);
    (0..size.div_ceil(step)).map(move |at| {
        let from = at * step;
        let left = size.saturating_sub(from).min(step);
        (from, u32::try_from(left).unwrap_or(CHUNK_BYTES))
    })
}

async fn log_in(line: &mut Handle<Pinned>, calling: &Calling<'_>) -> Result<(), String> {
    let user = calling.user;
    let said = match calling.proof {
        Proof::Key(key) => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
            line.authenticate_publickey(user, key).await
        }
        Proof::Password(password) => {
            line.authenticate_password(user, password.expose_secret()).await
        }
    };
    match said {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { .. }) => {
            Err(format!("the bank does not let {user} in: key or password is not accepted"))
        }
        Err(e) => Err(format!("logging in as {user} failed: {e}")),
    }
}
