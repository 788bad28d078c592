//! The config of a practice bank that runs in a process of its own: `daifa sandbox bank`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::shape::COUNTERPART;
use crate::config::{
    ConfigError, Looked, Problem, Secret, Session, Span, entries, look, look_through,
};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterpart {
    /// A folder of `formats`, or a path to one: the bank speaks by the same description as the daemon.
    pub format: String,
    #[serde(default = "super::default_formats")]
    pub formats: PathBuf,
    /// The bank's own folder: its book, and the files it took.
    pub book: PathBuf,
    pub door: CounterpartDoor,
    /// Where else it is met.
    #[serde(rename = "other_door", default)]
    pub other_doors: Vec<CounterpartDoor>,
    /// The folders for files that messages name, where it is met on a line.
    pub side_door: Option<SideFolders>,
    /// What the dice of its faults are thrown with.
    #[serde(default)]
    pub seed: u64,
    /// Does it know a batch again that it was given before? One that does not pays twice.
    #[serde(default = "super::yes")]
    pub dedup: bool,
    /// Does it answer questions?
    #[serde(default = "super::yes")]
    pub asked: bool,
    /// From taking a batch to its results.
    #[serde(default = "result_after")]
    pub result_after: Span,
    /// From the results to what comes back of them.
    #[serde(default = "return_after")]
    pub return_after: Span,
    /// From the results to the notices.
    #[serde(default = "notice_after")]
    pub notice_after: Span,
    /// How often it looks at its folders, and at what is due.
    #[serde(default = "look_every")]
    pub look_every: Span,
    /// Whom it calls with what it has to say, where it does not wait to be asked (`https` only).
    pub push: Option<CallsAt>,
    #[serde(default)]
    pub faults: Sickness,
    /// The keys of its format's digests; without them, those that the format publishes.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

/// The daemon's listener for this bank.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsAt {
    pub url: String,
    /// Which header has the code of the body, by HMAC-SHA256.
    pub header: String,
    /// The file of the secret that both hold.
    pub secret: PathBuf,
}

/// Where it is met.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum CounterpartDoor {
    Directory(Folders),
    /// The folders that a server of SFTP shows to others: this bank works on them where they are.
    Sftp(Folders),
    Https(Listens),
    Socket(Listens),
}

/// Folders, as the daemon names them: it writes into `outgoing`, the bank into `incoming`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folders {
    pub outgoing: PathBuf,
    pub incoming: PathBuf,
    /// What a whole file's control file ends in; `.ok` where nothing is said.
    pub control_suffix: Option<String>,
    /// There are none, and a file is whole that does not change for a moment.
    #[serde(default)]
    pub no_control: bool,
}

/// The same, for files beside messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideFolders {
    pub outgoing: PathBuf,
    pub incoming: PathBuf,
    /// As in `.ok`: the bank leaves a control file beside each of its own.
    pub control_suffix: Option<String>,
}

/// An address, in the clear or by TLS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listens {
    pub listen: SocketAddr,
    /// What it shows, and its key (PEM). Both, or neither: then it speaks in the clear.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Whose certificates (PEM) callers must show; anybody may call where there is none.
    pub client_ca: Option<PathBuf>,
    /// A heartbeat that it answers, so that a connection stays (`socket` only).
    pub session: Option<Session>,
}

/// What is wrong with it. Shares are parts of a million here; the file has them as `0.02`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sickness {
    /// Messages that are lost: a batch before the book, the answer to a batch or a refund, a question.
    pub loss: u32,
    /// Batches that it calls a duplicate when they come first, and results that it tells twice.
    pub duplicate: u32,
    /// Batches whose results come after their returns and notices, and after those of later batches.
    pub reorder: u32,
    /// Results that say of one payment that it was credited and that it failed.
    pub contradiction: u32,
    /// Payments that come back after they were credited.
    pub return_after_credit: u32,
    /// Messages that are answered with "busy"; files stay for the next look.
    pub busy: u32,
    /// Batches that are refused whole.
    pub refusal: u32,
    /// Results with another amount, another account, an unknown row, or a sum that does not close.
    pub wrong_amount: u32,
    pub wrong_account: u32,
    pub unknown_row: u32,
    pub wrong_sum: u32,
    /// Results in two files.
    pub split: u32,
    /// Batches of which one payment is refused at acceptance; only with a format that can say so.
    pub refuse_row: u32,
    /// Batches that become two of its own, each with a number; only with a format that can say so.
    pub split_batch: u32,
    /// Files beside answers that are not there when these name them, come later, or end in their middle.
    pub file_lost: u32,
    pub file_late: u32,
    pub file_cut: u32,
    /// The longest that an answer is held back.
    pub delay: Option<Span>,
    /// For so long a batch that was taken is "not found".
    pub lag: Option<Span>,
    pub outage: Option<Away>,
}

/// When it cannot be reached.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Away {
    pub every: Span,
    pub lasts: Span,
}

macro_rules! times {
    ($($name:ident = $ms:expr;)+) => { $(const fn $name() -> Span { Span($ms) })+ };
}

times! {
    result_after = 50;
    return_after = 100;
    notice_after = 50;
    look_every = 20;
}

impl Folders {
    /// The ending of control files; none, where there are none.
    pub fn control(&self) -> Option<String> {
        (!self.no_control).then(|| self.control_suffix.clone().unwrap_or_else(|| ".ok".to_owned()))
    }

    fn problem(&self, key: &str) -> Option<Problem> {
        let both = self.no_control && self.control_suffix.is_some();
        both.then(|| Problem::new(key, "control_suffix says what no_control says there is not"))
    }
}

impl Listens {
    fn problems(&self, key: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        if self.certificate.is_some() != self.key.is_some() {
            let what = "needs both certificate and key, or neither: what TLS shows, and its proof";
            out.push(Problem::new(key, what));
        }
        if self.client_ca.is_some() && self.certificate.is_none() {
            let what = "needs certificate and key: who is met in the clear asks nobody who calls";
            out.push(Problem::new(format!("{key}.client_ca"), what));
        }
        if self.session.as_ref().is_some_and(|session| session.every.0 == 0) {
            let what = "0: a bank that waits for nothing ends every connection at once";
            out.push(Problem::new(format!("{key}.session.every"), what));
        }
        out
    }
}

impl Counterpart {
    /// Reads the file as far as it can be used.
    ///
    /// # Errors
    /// Where the file itself cannot be read.
    pub fn look(path: &Path) -> Result<Looked<Self>, ConfigError> {
        look(path, COUNTERPART, Self::problems)
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place and key.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        look_through("bank", text.to_owned(), COUNTERPART, Self::problems).done()
    }

    /// What does not fit together.
    fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        let others = self.other_doors.iter().zip(entries("other_door"));
        let others = others.map(|(door, key)| (key, door));
        for (key, door) in [("door".to_owned(), &self.door)].into_iter().chain(others) {
            match door {
                CounterpartDoor::Directory(door) | CounterpartDoor::Sftp(door) => {
                    out.extend(door.problem(&key));
                }
                CounterpartDoor::Https(door) | CounterpartDoor::Socket(door) => {
                    out.extend(door.problems(&key));
                }
            }
        }
        if let Some(Away { every, lasts }) = &self.faults.outage
            && (lasts >= every || lasts.0 == 0)
        {
            let what = "lasts as long as nothing, or as long as it takes to the next: between the two it is";
            out.push(Problem::new("faults.outage", what));
        }
        if self.push.is_some() && !matches!(self.door, CounterpartDoor::Https(_)) {
            out.push(Problem::new("push", "only a bank that is met by https calls by itself"));
        }
        if self.look_every.0 == 0 {
            out.push(Problem::new(
                "look_every",
                "0: a bank that looks without a pause does nothing else",
            ));
        }
        out
    }
}
