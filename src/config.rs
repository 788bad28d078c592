//! The configuration: one TOML file, unknown keys refused, secrets by reference, all problems told
//! at once, each with its place.

mod counterpart;
mod door;
mod looked;
mod operator;
mod pace;
mod profile;
mod push;
mod secret;
mod shape;
mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use crate::config::counterpart::{
    Away, CallsAt, Counterpart, CounterpartDoor, Folders, Listens, Sickness, SideFolders,
};
pub use crate::config::door::{
    Door, Hours, LineBytes, LineSecurity, OtherDoor, Retry, Session, SftpDoor, SocketDoor,
};
pub use crate::config::looked::{Looked, Problem};
pub use crate::config::operator::Operator;
pub use crate::config::pace::Pace;
use crate::config::pace::no_pause;
pub use crate::config::profile::{Answers, Breaker};
pub use crate::config::push::{Push, Signing};
pub use crate::config::secret::Secret;
use crate::config::shape::{CONFIG, Field};
use crate::config::survey::Survey;
use crate::guard::sign::Algorithm;
use crate::model::deadline::StartEvent;

/// The highest epoch that references have room for.
const RESTORE_EPOCH_MAX: u8 = 99;

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
    /// Who decides, two together, what no bank can say.
    #[serde(rename = "operator", default)]
    pub operators: Vec<Operator>,
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
    /// Where files go that a message names, for a door that takes messages.
    pub side_door: Option<Door>,
    /// Doors for some kinds of message alone.
    #[serde(rename = "other_door", default)]
    pub other_doors: Vec<OtherDoor>,
    /// Payments in one batch at most; the format's own limit holds as well.
    #[serde(default = "default_rows_max")]
    pub rows_max: usize,
    /// How long "not found" may mean "not yet visible"; said of each bank that is asked (design 4.2).
    pub visibility_delay: Option<Span>,
    /// How long the bank recognises our reference as a duplicate; said of each bank that is asked.
    pub duplicate_window: Option<Span>,
    #[serde(default = "default_ask_after")]
    pub ask_after: Span,
    #[serde(default = "default_ask_every")]
    pub ask_every: Span,
    #[serde(default = "default_return_every")]
    pub return_every: Span,
    /// Nothing where the bank is not asked about returns.
    pub return_window: Option<Span>,
    #[serde(default = "default_resend")]
    pub resend_after: Span,
    #[serde(default)]
    pub reference_prefix: String,
    pub limit: Option<Limit>,
    pub retry: Option<Retry>,
    pub hours: Option<Hours>,
    /// The keys that the format's digests are made with, by the names that it gives them.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
    /// Where the bank calls us, if it does.
    pub push: Option<Push>,
    #[serde(default)]
    pub answers: Answers,
    #[serde(default)]
    pub breaker: Breaker,
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

/// A time as people write it, `30s`, `24h`, `2h 30m`, kept in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time like \"24h\""))
    }
}

impl Span {
    /// Reads a time as people write it; one that goes backwards is none.
    fn parse(text: &str) -> Option<Self> {
        let span: SignedDuration = text.parse().ok()?;
        i64::try_from(span.as_millis()).ok().filter(|millis| *millis >= 0).map(Self)
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
    default_ask_after -> Span = Span(600_000);
    default_ask_every -> Span = Span(60_000);
    default_return_every -> Span = Span(900_000);
    default_resend -> Span = Span(1_000);
    default_bytes_max -> u64 = 256 * 1024 * 1024;
    default_answer_max -> usize = 64 * 1024 * 1024;
    default_content_type -> String = "application/xml; charset=GBK".to_owned();
    default_connect -> Span = Span(10_000);
    default_total -> Span = Span(60_000);
    default_folder -> Span = Span(120_000);
    default_allowed -> Span = Span(24 * 3_600_000);
    default_settle -> Span = Span(72 * 3_600_000);
    yes -> bool = true;
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads the file. What can be checked without opening anything else is checked here, all of
    /// it; [`crate::app::check`] goes on with what the file refers to.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::look(path)?.done()
    }

    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        look_through("config", text.to_owned(), CONFIG, Self::problems).done()
    }

    /// Reads the file as far as it can be used.
    ///
    /// # Errors
    /// Where the file itself cannot be read.
    pub fn look(path: &Path) -> Result<Looked, ConfigError> {
        look(path, CONFIG, Self::problems)
    }

    /// What does not fit together.
    fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut codes = BTreeSet::new();
        let mut listening = BTreeSet::from([self.listen]);
        for (bank, key) in self.banks.iter().zip(entries("bank")) {
            if !codes.insert(&bank.code) {
                let what =
                    format!("{:?} is there twice; give each bank a code of its own", bank.code);
                out.push(Problem::new(format!("{key}.code"), what));
            }
            out.extend(bank.problems(&key, self.duty.allowed));
            out.extend(self.pace.outlasted(bank, &key));
            let before = self.banks.iter().take_while(|before| !std::ptr::eq(*before, bank));
            out.extend(before.flat_map(|before| met_twice(bank, before, &key)));
            out.extend(bank.push.as_ref().and_then(|push| push.shared(&mut listening, &key)));
            out.extend(bank.answers.problems(&key, self.duty.allowed));
        }
        let mut names = BTreeSet::new();
        for (source, key) in self.sources.iter().zip(entries("source")) {
            if !names.insert(&source.name) {
                let what = format!("{:?} is there twice", source.name);
                out.push(Problem::new(format!("{key}.name"), what));
            }
            if Algorithm::parse(&source.algorithm).is_none() {
                let what = format!(
                    "{:?} is not known; known: {}",
                    source.algorithm,
                    known(Algorithm::ALL)
                );
                out.push(Problem::new(format!("{key}.algorithm"), what));
            }
        }
        if self.restore_epoch > RESTORE_EPOCH_MAX {
            let what =
                format!("is above {RESTORE_EPOCH_MAX}: it has two digits in every reference");
            out.push(Problem::new("restore_epoch", what));
        }
        if self.sources.is_empty() {
            out.push(Problem::new("source", "no finance source is configured; add [[source]]"));
        }
        if self.banks.is_empty() {
            out.push(Problem::new("bank", "no bank is configured; add [[bank]]"));
        }
        if !codes.contains(&self.duty.pool_bank) {
            let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            let what = format!(
                "{:?} is not a configured bank; configured: {}",
                self.duty.pool_bank,
                codes.join(", ")
            );
            out.push(Problem::new("duty.pool_bank", what));
        }
        out.extend(self.duty.problems());
        out.extend(operator::problems(&self.operators));
        out.extend(self.pace.problems());
        if !self.keys.seal.iter().any(|key| key.id == self.keys.current) {
            let what = format!("key {} is not among keys.seal", self.keys.current);
            out.push(Problem::new("keys.current", what));
        }
        if !self.listen.ip().is_loopback() {
            let what = format!(
                "{} is not loopback; the page has no sign-in yet and shows payments: use 127.0.0.1:PORT",
                self.listen
            );
            out.push(Problem::new("listen", what));
        }
        out
    }
}

/// Reads a file as far as it can be used.
fn look<C: DeserializeOwned>(
    path: &Path,
    fields: &'static [Field],
    problems: fn(&C) -> Vec<Problem>,
) -> Result<Looked<C>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError(vec![format!("{}: {cause}", path.display())]))?;
    Ok(look_through(&path.display().to_string(), text, fields, problems))
}

/// Looks through a text that has these keys; `problems` says what of it does not fit together.
fn look_through<C: DeserializeOwned>(
    file: &str,
    text: String,
    fields: &'static [Field],
    problems: fn(&C) -> Vec<Problem>,
) -> Looked<C> {
    let mut survey = Survey::of(&text, fields);
    let read = (!survey.is_broken()).then(|| C::deserialize(survey.usable.clone()));
    let config = match read {
        Some(Ok(config)) => Some(config),
        // The lists of the survey and the types say something else: told rather than hidden.
        Some(Err(cause)) => {
            survey.problems.push(Problem::new("", cause.message()));
            None
        }
        None => None,
    };
    let problems = config.as_ref().map(problems).unwrap_or_default();
    Looked::new(config, file, text, survey, problems)
}

/// The keys of the entries of a list: `bank.1`, `bank.2` and so on.
pub fn entries(list: &'static str) -> impl Iterator<Item = String> {
    (1..).map(move |number: usize| format!("{list}.{number}"))
}

/// Two banks that are met in one place: their files would be taken for one another's, and their references, which
/// are counted for each bank, would be the same.
fn met_twice(bank: &Bank, before: &Bank, key: &str) -> Vec<Problem> {
    let mut out = Vec::new();
    for (at, door) in bank.doors() {
        let other = || before.doors().map(|(_, door)| door);
        if let Some(folder) = door.takes_from()
            && other().any(|other| other.takes_from().as_ref() == Some(&folder))
        {
            let what = format!(
                "{folder} is where files of {} are taken from; each bank has a folder of its own",
                before.code
            );
            out.push(Problem::new(format!("{key}.{at}.incoming"), what));
        }
        let place = door.brings_to();
        if bank.reference_prefix == before.reference_prefix
            && other().any(|other| other.brings_to() == place)
        {
            let what = format!(
                "is the same as of {}, which is met at {place} too: both would send the same references",
                before.code
            );
            out.push(Problem::new(format!("{key}.reference_prefix"), what));
        }
    }
    out
}

impl Duty {
    /// What does not fit together.
    fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        if StartEvent::parse(&self.start).is_none() {
            let what = format!("{:?} is not known; known: {}", self.start, known(StartEvent::ALL));
            out.push(Problem::new("duty.start", what));
        }
        if self.allowed.0 == 0 {
            out.push(Problem::new("duty.allowed", "no time at all is allowed"));
        }
        if self.drop_held_after == Some(Span(0)) {
            let what =
                "0 drops what is set aside before anybody can mend it; take it out to let it wait";
            out.push(Problem::new("duty.drop_held_after", what));
        }
        out
    }
}

impl Bank {
    /// All its doors, each with its key in the bank's table.
    pub fn doors(&self) -> impl Iterator<Item = (String, &Door)> {
        let side = self.side_door.iter().map(|side| ("side_door".to_owned(), side));
        let others = self.other_doors.iter().zip(entries("other_door"));
        let others = others.map(|(other, key)| (key, &other.door));
        std::iter::once(("door".to_owned(), &self.door)).chain(side).chain(others)
    }

    /// What does not fit together in one bank's rules.
    fn problems(&self, key: &str, allowed: Span) -> Vec<Problem> {
        let (bank, code) = (self, &self.code);
        let paces = [
            ("ask_every", bank.ask_every),
            ("return_every", bank.return_every),
            ("resend_after", bank.resend_after),
        ];
        let mut out: Vec<Problem> = no_pause(key, &paces).collect();
        let mut note = |name: &str, what: String| {
            out.push(Problem::new(format!("{key}.{name}"), what));
        };
        if code.is_empty()
            || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            note("code", format!("{code:?} is not letters, digits, - and _"));
        }
        if bank.rows_max == 0 {
            note("rows_max", "0: a batch has at least one payment".to_owned());
        }
        let late = "is not below duty.allowed: the time would be over before anything is done";
        for (name, wait) in [("ask_after", bank.ask_after), ("breaker.rest", bank.breaker.rest)] {
            if wait >= allowed {
                note(name, late.to_owned());
            }
        }
        if bank.hours.as_ref().is_some_and(|hours| hours.windows.is_empty() && !hours.workdays) {
            let what = "says nothing: give it windows, workdays = true, or take it out where the bank never closes";
            note("hours", what.to_owned());
        }
        if let (Some(delay), Some(window)) = (bank.visibility_delay, bank.duplicate_window)
            && window > Span(0)
            && delay >= window
        {
            let what = "is not below duplicate_window; by the time that \"not found\" counts, a repeat would be paid twice";
            note("visibility_delay", what.to_owned());
        }
        if bank.reference_prefix.len() > 8
            || !bank.reference_prefix.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            note("reference_prefix", "at most 8 letters and digits".to_owned());
        }
        for (at, door) in bank.doors() {
            out.extend(door.problems(&format!("{key}.{at}")));
        }
        if let Some(push) = &bank.push {
            out.extend(push.problems(&format!("{key}.push")));
        }
        out
    }
}

fn known<W: std::fmt::Display>(all: &[W]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod readme_tests;
#[cfg(test)]
mod tests;
