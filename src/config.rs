//! The configuration: one TOML file, unknown keys refused, secrets by reference, all problems told
//! at once.

mod door;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;

pub use crate::config::door::{Hours, LineSecurity, Retry, Session, SftpDoor, SocketDoor};
use crate::guard::key::Key;
use crate::guard::sign::Algorithm;
use crate::model::deadline::StartEvent;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the embedded database and other state live.
    pub data: PathBuf,
    /// Where the status page, metrics and health are served. Loopback only.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// What is logged: error, warn, info, debug, or a tracing filter.
    #[serde(default = "default_log")]
    pub log: String,
    #[serde(default)]
    pub database: Database,
    pub keys: Keys,
    #[serde(rename = "source", default)]
    pub sources: Vec<Source>,
    #[serde(rename = "bank", default)]
    pub banks: Vec<Bank>,
    pub duty: Duty,
    #[serde(default)]
    pub pace: Pace,
    /// Where named formats are looked up.
    #[serde(default = "default_formats")]
    pub formats: PathBuf,
    /// The days that banks work beside and against the week: a file that the operator keeps.
    pub calendar: Option<PathBuf>,
    /// Raised by one after every restore from a backup, so that no reference is used twice.
    #[serde(default)]
    pub restore_epoch: u8,
}

/// Where the facts are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Database {
    /// `daifa.sqlite` in the data folder.
    #[default]
    Sqlite,
    Postgres {
        url: Secret,
    },
}

/// A secret by reference: a file, or a credential that systemd hands over.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    pub file: Option<PathBuf>,
    pub credential: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The key that seals what is written from now on.
    pub current: u8,
    /// All keys that ever sealed something that is still kept.
    pub seal: Vec<SealKey>,
    /// The key of the blind index.
    pub blind: SealKey,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealKey {
    pub id: u8,
    pub secret: Secret,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub name: String,
    pub url: String,
    #[serde(default = "default_algorithm")]
    pub algorithm: String,
    pub key_id: String,
    pub secret: Secret,
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    pub code: String,
    pub name: String,
    /// A folder of `formats`, or a path to one.
    pub format: String,
    pub door: Door,
    /// Payments in one batch at most; the format's own limit holds as well.
    #[serde(default = "default_rows_max")]
    pub rows_max: usize,
    #[serde(default = "default_visibility")]
    pub visibility_delay: Span,
    /// How long the bank recognises our reference as a duplicate.
    #[serde(default = "default_duplicate_window")]
    pub duplicate_window: Span,
    #[serde(default = "default_ask_after")]
    pub ask_after: Span,
    #[serde(default = "default_ask_every")]
    pub ask_every: Span,
    #[serde(default = "default_return_every")]
    pub return_every: Span,
    #[serde(default = "default_return_window")]
    pub return_window: Span,
    #[serde(default = "default_resend")]
    pub resend_after: Span,
    #[serde(default)]
    pub reference_prefix: String,
    pub limit: Option<Limit>,
    pub retry: Option<Retry>,
    pub hours: Option<Hours>,
}

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
        #[serde(default = "default_bytes_max")]
        bytes_max: u64,
    },
    Https {
        url: String,
        #[serde(default = "default_content_type")]
        content_type: String,
        ca_file: Option<PathBuf>,
        /// Our certificate and its key, where the bank asks who calls.
        client_cert: Option<PathBuf>,
        client_key: Option<Secret>,
        #[serde(default = "default_connect")]
        connect_timeout: Span,
        #[serde(default = "default_total")]
        total_timeout: Span,
        #[serde(default = "default_answer_max")]
        answer_bytes_max: usize,
    },
    Sftp(SftpDoor),
    Socket(SocketDoor),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub per_second: std::num::NonZeroU32,
    pub at_once: std::num::NonZeroU32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// received, approved, funded, or `later_of_received_and_funded`.
    pub start: String,
    #[serde(default = "default_allowed")]
    pub allowed: Span,
    #[serde(default = "yes")]
    pub funded_only: bool,
    #[serde(default = "default_settle")]
    pub settle_after: Span,
    pub drop_held_after: Option<Span>,
    /// The bank that holds the pool account of payments whose bank is not configured here.
    pub pool_bank: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    pub pull_every: Span,
    pub arrivals_every: Span,
    pub report_retry: Span,
    /// A step that was not heard of for so long is taken for stuck, and the watchdog is not fed any
    /// more. Longer than a register may take to stream in (20 minutes), since a step says that it
    /// is there only between two pieces of work.
    pub stuck_after: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pull_every: Span(30_000),
            arrivals_every: Span(5_000),
            report_retry: Span(10_000),
            stuck_after: Span(30 * 60_000),
        }
    }
}

/// The least that `pace.stuck_after` can be: a step that has nothing to do says so every two
/// seconds.
const STUCK_AFTER_MIN: Span = Span(5_000);

impl Pace {
    /// What does not fit together.
    fn problem(&self) -> Option<String> {
        let idle = "pace.stuck_after: less than 5s takes every idle step for stuck";
        (self.stuck_after < STUCK_AFTER_MIN).then(|| idle.to_owned())
    }
}

/// A time as people write it, `30s`, `24h`, `2h 30m`, kept in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let wrong = || {
            serde::de::Error::custom(format!(
                "{text:?} is not a time like \"30s\", \"2h 30m\" or \"24h\""
            ))
        };
        let span: SignedDuration = text.parse().map_err(|_| wrong())?;
        let millis = i64::try_from(span.as_millis()).map_err(|_| wrong())?;
        if millis < 0 { Err(wrong()) } else { Ok(Self(millis)) }
    }
}

macro_rules! defaults {
    ($($name:ident -> $type:ty = $value:expr;)+) => { $(fn $name() -> $type { $value })+ };
}

defaults! {
    default_listen -> SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8740));
    default_log -> String = "info".to_owned();
    default_formats -> PathBuf = PathBuf::from("bank-formats");
    default_algorithm -> String = Algorithm::HmacSha256.as_str().to_owned();
    default_rows_max -> usize = 10_000;
    default_visibility -> Span = Span(600_000);
    default_duplicate_window -> Span = Span(72 * 3_600_000);
    default_ask_after -> Span = Span(600_000);
    default_ask_every -> Span = Span(60_000);
    default_return_every -> Span = Span(900_000);
    default_return_window -> Span = Span(10 * 86_400_000);
    default_resend -> Span = Span(1_000);
    default_bytes_max -> u64 = 256 * 1024 * 1024;
    default_answer_max -> usize = 64 * 1024 * 1024;
    default_content_type -> String = "application/xml; charset=GBK".to_owned();
    default_connect -> Span = Span(10_000);
    default_total -> Span = Span(60_000);
    default_allowed -> Span = Span(24 * 3_600_000);
    default_settle -> Span = Span(72 * 3_600_000);
    yes -> bool = true;
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Secret {
    /// Reads it: the file, or the credential from the folder that systemd names.
    ///
    /// # Errors
    /// In words that name the reference and never the content.
    pub fn read(&self) -> Result<SecretString, String> {
        let path = match (&self.file, &self.credential) {
            (Some(file), None) => file.clone(),
            (None, Some(name)) => credentials_folder()?.join(name),
            _ => {
                return Err(
                    "a secret is either { file = \"...\" } or { credential = \"...\" }".to_owned()
                );
            }
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|cause| format!("{}: {cause}", path.display()))?;
        // What systemd hands over is guarded by its folder and an access list, which a mode does not show.
        if self.file.is_some() {
            check_private(&path)?;
        }
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Reads 32 bytes of key material.
    ///
    /// # Errors
    /// As [`Secret::read`], or where it is no key.
    pub fn key(&self) -> Result<Key, String> {
        use secrecy::ExposeSecret as _;
        Key::parse(self.read()?.expose_secret().as_bytes()).map_err(|cause| cause.to_string())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this variable is how systemd hands credentials over"
)]
fn credentials_folder() -> Result<PathBuf, String> {
    std::env::var("CREDENTIALS_DIRECTORY").map(PathBuf::from).map_err(|_| {
        "CREDENTIALS_DIRECTORY is not set; credentials come from a systemd unit".to_owned()
    })
}

/// A secret that everybody on the machine can read is none.
fn check_private(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .map_err(|cause| format!("{}: {cause}", path.display()))?
        .permissions()
        .mode();
    let for_others = mode & 0o077;
    if for_others == 0 {
        return Ok(());
    }
    Err(format!("{} can be read by others (mode {:o}); chmod 600 it", path.display(), mode & 0o777))
}

impl Config {
    /// Reads the file. What can be checked without opening anything else is checked here, all of
    /// it; [`crate::app::check`] goes on with what the file refers to.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError(vec![format!("{}: {cause}", path.display())]))?;
        Self::parse(&text).map_err(|ConfigError(list)| {
            ConfigError(
                list.into_iter().map(|problem| format!("{}: {problem}", path.display())).collect(),
            )
        })
    }

    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let input = toml::Deserializer::parse(text)
            .map_err(|cause| ConfigError(vec![cause.to_string()]))?;
        let config: Self = serde_path_to_error::deserialize(input).map_err(|cause| {
            ConfigError(vec![format!("{}: {}", cause.path(), cause.inner().to_string().trim_end())])
        })?;
        let mut problems = config.problems();
        problems.extend(config.pace.problem());
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// What does not fit together.
    fn problems(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut codes = BTreeSet::new();
        for bank in &self.banks {
            if !codes.insert(&bank.code) {
                out.push(format!("bank.code: {:?} is there twice", bank.code));
            }
            out.extend(bank.problems());
        }
        let mut names = BTreeSet::new();
        for source in &self.sources {
            if !names.insert(&source.name) {
                out.push(format!("source.name: {:?} is there twice", source.name));
            }
            if Algorithm::parse(&source.algorithm).is_none() {
                out.push(format!(
                    "source {}: algorithm {:?} is not known; known: {}",
                    source.name,
                    source.algorithm,
                    known(Algorithm::ALL)
                ));
            }
        }
        if self.sources.is_empty() {
            out.push("source: no finance source is configured".to_owned());
        }
        if self.banks.is_empty() {
            out.push("bank: no bank is configured".to_owned());
        }
        if !codes.contains(&self.duty.pool_bank) {
            out.push(format!("duty.pool_bank: {:?} is not a configured bank", self.duty.pool_bank));
        }
        if StartEvent::parse(&self.duty.start).is_none() {
            out.push(format!(
                "duty.start: {:?} is not known; known: {}",
                self.duty.start,
                known(StartEvent::ALL)
            ));
        }
        if self.duty.allowed.0 == 0 {
            out.push("duty.allowed: no time at all is allowed".to_owned());
        }
        if !self.keys.seal.iter().any(|key| key.id == self.keys.current) {
            out.push(format!("keys.current: key {} is not among keys.seal", self.keys.current));
        }
        if !self.listen.ip().is_loopback() {
            out.push(format!(
                "listen: {} is not loopback; the page has no sign-in yet and shows payments",
                self.listen
            ));
        }
        if let Database::Postgres { url } = &self.database
            && url.file.is_some() == url.credential.is_some()
        {
            out.push(
                "database.url: either { file = \"...\" } or { credential = \"...\" }".to_owned(),
            );
        }
        out
    }
}

impl Bank {
    /// What does not fit together in one bank's rules.
    fn problems(&self) -> Vec<String> {
        let (bank, code) = (self, &self.code);
        let mut out = Vec::new();
        if code.is_empty()
            || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            out.push(format!("bank.code: {code:?} is not letters, digits, - and _"));
        }
        if bank.rows_max == 0 {
            out.push(format!("bank {code}: rows_max is 0; a batch has at least one payment"));
        }
        if bank.visibility_delay >= bank.duplicate_window {
            out.push(format!(
                "bank {code}: visibility_delay is not below duplicate_window; by the time that \"not found\" counts, a repeat would be paid twice"
            ));
        }
        if bank.reference_prefix.len() > 8
            || !bank.reference_prefix.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            out.push(format!("bank {code}: reference_prefix is at most 8 letters and digits"));
        }
        if let Door::Directory { control_suffix, stable_for, .. }
        | Door::Sftp(SftpDoor { control_suffix, stable_for, .. }) = &bank.door
            && control_suffix.is_some() == stable_for.is_some()
        {
            out.push(format!("bank {code}: door needs either control_suffix or stable_for: how a whole file is known"));
        }
        if let Door::Sftp(SftpDoor { key, password, .. }) = &bank.door
            && key.is_some() == password.is_some()
        {
            out.push(format!("bank {code}: door needs either key or password: how we log in"));
        }
        out
    }
}

fn known<W: std::fmt::Display>(all: &[W]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::Config;

    const GOOD: &str = r#"
        data = "/var/lib/daifa"
        [keys]
        current = 1
        seal = [{ id = 1, secret = { file = "/etc/daifa/seal" } }]
        blind = { id = 1, secret = { credential = "blind" } }
        [[source]]
        name = "county"
        url = "https://finance.example/daifa"
        key_id = "bank"
        secret = { file = "/etc/daifa/finance" }
        [[bank]]
        code = "rural"
        name = "Example rural bank"
        format = "example-rural-fixed"
        door = { kind = "directory", outgoing = "/o", incoming = "/i", archive = "/a", quarantine = "/q", control_suffix = ".ok" }
        [duty]
        start = "later_of_received_and_funded"
        pool_bank = "rural"
    "#;

    #[test]
    fn a_good_file_reads_with_its_defaults() {
        let config = Config::parse(GOOD).expect("good");
        assert_eq!(config.duty.allowed.0, 86_400_000);
        assert!(config.duty.funded_only);
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let bad = GOOD
            .replace("current = 1", "current = 9")
            .replace("pool_bank = \"rural\"", "pool_bank = \"other\"")
            .replace("start = \"later", "start = \"sooner")
            .replace(
                "data = ",
                "listen = \"0.0.0.0:80\"\npace = { stuck_after = \"1s\" }\ndata = ",
            );
        let problems = Config::parse(&bad).expect_err("bad").0;
        for key in ["keys.current", "duty.pool_bank", "duty.start", "listen", "pace.stuck_after"] {
            assert!(problems.iter().any(|problem| problem.contains(key)), "{key} in {problems:?}");
        }
    }

    #[test]
    fn i2_not_found_must_count_while_the_bank_still_knows_a_duplicate() {
        let with = |delay: &str, window: &str| {
            let rules = format!("visibility_delay = \"{delay}\"\nduplicate_window = \"{window}\"");
            Config::parse(
                &GOOD.replace("format = \"example", &format!("{rules}\nformat = \"example")),
            )
        };
        assert_eq!(with("10m", "11m").expect("fits").banks[0].duplicate_window.0, 660_000);
        for (delay, window) in [("10m", "10m"), ("73h", "72h")] {
            let problems = with(delay, window).expect_err("too short").0;
            assert!(problems[0].contains("rural: visibility_delay"), "{problems:?}");
        }
    }

    #[test]
    fn unknown_keys_and_wrong_types_are_told_with_their_key() {
        let unknown =
            Config::parse(&GOOD.replace("pool_bank", "pol_bank")).expect_err("unknown key").0;
        assert!(unknown[0].contains("pol_bank"), "{unknown:?}");
        let wrong = Config::parse(&GOOD.replace("[duty]", "[duty]\nallowed = \"soon\""))
            .expect_err("wrong time")
            .0;
        assert!(wrong[0].contains("duty.allowed") && wrong[0].contains("soon"), "{wrong:?}");
    }
}
