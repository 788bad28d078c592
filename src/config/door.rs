//! What a config says of doors that have much to say, and of how a bank is met.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::config::{Problem, Secret, Signing, Span};

/// How files or messages reach the bank.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Door {
    Directory {
        outgoing: PathBuf,
        incoming: PathBuf,
        archive: PathBuf,
        quarantine: PathBuf,
        /// `.ok`: the control file that says a data file is whole.
        control_suffix: Option<String>,
        /// Without control files: how long a file must not have changed.
        stable_for: Option<Span>,
        #[serde(default = "super::default_bytes_max")]
        bytes_max: u64,
        #[serde(default = "super::default_folder")]
        total_timeout: Span,
    },
    Https {
        url: String,
        #[serde(default = "super::default_content_type")]
        content_type: String,
        ca_file: Option<PathBuf>,
        /// Our certificate and its key, where the bank asks who calls.
        client_cert: Option<PathBuf>,
        client_key: Option<Secret>,
        /// How the bank knows that a message is ours.
        signing: Option<Signing>,
        #[serde(default = "super::default_connect")]
        connect_timeout: Span,
        #[serde(default = "super::default_total")]
        total_timeout: Span,
        #[serde(default = "super::default_answer_max")]
        answer_bytes_max: usize,
    },
    Sftp(SftpDoor),
    Socket(SocketDoor),
}

/// A folder under one name, however it is spelled and whatever link leads to it.
fn real(folder: &Path) -> String {
    let found = std::fs::canonicalize(folder).ok();
    found.map_or_else(|| plain(folder), |found| found.display().to_string())
}

/// A name of a folder without what says nothing.
fn plain(folder: impl AsRef<Path>) -> String {
    let parts = folder.as_ref().components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().display().to_string()
}

impl Door {
    /// The folder that is looked through for what a bank leaves, where it has one.
    pub(super) fn takes_from(&self) -> Option<String> {
        match self {
            Self::Directory { incoming, .. } => Some(real(incoming)),
            Self::Sftp(door) => Some(format!("{}:{}", door.address, plain(&door.incoming))),
            Self::Https { .. } | Self::Socket(_) => None,
        }
    }

    /// Where what we send is brought to.
    pub(super) fn brings_to(&self) -> String {
        match self {
            Self::Directory { outgoing, .. } => real(outgoing),
            Self::Sftp(door) => format!("{}:{}", door.address, plain(&door.outgoing)),
            Self::Https { url, .. } => url.clone(),
            Self::Socket(door) => door.address.clone(),
        }
    }

    /// How long one message, or one look at what the bank left, may take at most.
    pub(super) const fn total_timeout(&self) -> Span {
        match self {
            Self::Directory { total_timeout, .. } | Self::Https { total_timeout, .. } => {
                *total_timeout
            }
            Self::Sftp(door) => door.total_timeout,
            Self::Socket(door) => door.total_timeout,
        }
    }

    /// What does not fit together in one door.
    pub fn problems(&self, key: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        if let Self::Directory { control_suffix, stable_for, .. }
        | Self::Sftp(SftpDoor { control_suffix, stable_for, .. }) = self
            && control_suffix.is_some() == stable_for.is_some()
        {
            let what = "needs either control_suffix or stable_for: how a whole file is known";
            out.push(Problem::new(key, what));
        }
        if let Self::Sftp(SftpDoor { key: private, password, .. }) = self
            && private.is_some() == password.is_some()
        {
            out.push(Problem::new(key, "needs either key or password: how we log in"));
        }
        if let Self::Https { signing: Some(signing), .. } = self {
            out.extend(signing.problems(&format!("{key}.signing")));
        }
        out
    }
}

/// A door for some kinds of message alone. That it has no other keys the survey of the config sees to.
#[derive(Debug, Deserialize)]
pub struct OtherDoor {
    /// Kinds of message, as the bank's format calls them.
    #[serde(rename = "for")]
    pub kinds: Vec<String>,
    #[serde(flatten)]
    pub door: Door,
}

/// A bank's server that takes and leaves files by SFTP.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftpDoor {
    /// `host:port`.
    pub address: String,
    /// What the bank's server shows: `ssh-ed25519 AAAA...`. Asked of the bank, not of the line.
    pub host_keys: Vec<String>,
    pub user: String,
    pub key: Option<Secret>,
    pub password: Option<Secret>,
    pub outgoing: String,
    pub incoming: String,
    /// Without it, files are deleted once they were applied.
    pub archive: Option<String>,
    pub quarantine: String,
    pub control_suffix: Option<String>,
    pub stable_for: Option<Span>,
    #[serde(default = "super::default_bytes_max")]
    pub bytes_max: u64,
    #[serde(default = "super::default_connect")]
    pub connect_timeout: Span,
    #[serde(default = "super::default_total")]
    pub total_timeout: Span,
}

/// A bank that is called on a socket, with nothing between it and us but the message and its frame.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketDoor {
    /// `host:port`.
    pub address: String,
    pub security: LineSecurity,
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key, where the bank asks who calls.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<Secret>,
    #[serde(default = "super::default_connect")]
    pub connect_timeout: Span,
    #[serde(default = "super::default_total")]
    pub total_timeout: Span,
    #[serde(default = "super::default_answer_max")]
    pub answer_bytes_max: usize,
    /// A connection that stays between messages; without it, each has one of its own.
    pub session: Option<Session>,
}

/// What keeps a connection alive: the same words for the daemon and for a practice bank.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// What is said while there is nothing to say, frame and all, and what the bank answers.
    pub heartbeat: LineBytes,
    pub answer: LineBytes,
    /// How often it is said; a practice bank that hears nothing for twice as long ends the connection.
    pub every: Span,
}

/// Bytes that are said on a line: a text as it stands, or `hex:` and two digits for each byte, since what a
/// binary header has is no text. One that begins with `hex:` itself is spelled in digits too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineBytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for LineBytes {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not bytes like \"hex:0001 3f\""))
    }
}

impl LineBytes {
    /// Reads them as people write them. Nothing at all can be neither said nor heard.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = match text.strip_prefix("hex:") {
            None => text.as_bytes().to_vec(),
            Some(digits) => {
                let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
                let pairs = digits.chunks(2).map(|pair| match pair {
                    [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
                    _ => None,
                });
                pairs.collect::<Option<Vec<u8>>>()?
            }
        };
        (!bytes.is_empty()).then_some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Whether a line is sealed; plain is for one that nobody else can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineSecurity {
    Tls,
    Plain,
}

/// How often what provably never left is tried at once, before it waits for its next turn.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    pub tries: std::num::NonZeroU32,
    /// Before the second try; it doubles.
    #[serde(default = "default_retry_wait")]
    pub wait: Span,
    #[serde(default = "default_retry_wait_max")]
    pub wait_max: Span,
}

/// When a bank takes something in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Like `08:30-16:30`, of the county's time; none is all day.
    #[serde(default)]
    pub windows: Vec<String>,
    /// Only on days that are worked: by the week, and by `calendar` where there is one.
    #[serde(default)]
    pub workdays: bool,
}

const fn default_retry_wait() -> Span {
    Span(200)
}

const fn default_retry_wait_max() -> Span {
    Span(5_000)
}
