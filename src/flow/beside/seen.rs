//! What the last looks saw of files beside messages: an observation, kept in memory alone. A restart makes waits
//! longer, and never shorter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::format::MessageKind;
use crate::model::id::AttemptNo;

/// How often the bank is asked, in one run of this process, about a file that nobody names; at first as often as
/// about what is open, then as about returns.
const ASKS_MAX: u32 = 8;
const ASKS_SOON: u32 = 4;
/// What stands for our own files in the subject of an alert.
pub(super) const OURS: &str = "outgoing";
/// How long an answer is remembered whose file nobody looks for any more, in milliseconds.
const REMEMBERED_MS: i64 = 24 * 3_600_000;
/// How often the file of one answer is looked for before the bank is asked anew.
pub const LOOKS_MAX: i64 = 3;

/// By bank.
#[derive(Debug, Default)]
pub struct SideFiles(Mutex<HashMap<String, Seen>>, Mutex<Waiting>);

/// Answers whose file was not there yet, by what was asked. A bank that makes the file anew whenever it is asked
/// would never be found to have it whole, if it were asked each time.
type Waiting = HashMap<(AttemptNo, MessageKind, String), Answered>;

#[derive(Debug)]
struct Answered {
    bytes: Bytes,
    looks: i64,
    last_running_ms: i64,
}

#[derive(Debug, Default)]
struct Seen {
    /// Theirs, by name, as they lie there.
    unnamed: BTreeMap<String, Unnamed>,
    /// Somebody is told of these.
    told: bool,
    /// Theirs, by name, that a message named.
    missing: HashMap<String, Missing>,
    /// Ours that lie there and stay.
    judged: BTreeSet<String>,
    /// Ours could not be cleared away.
    stuck: bool,
}

#[derive(Debug, Clone, Copy)]
struct Unnamed {
    /// On the machine's running time, and for people.
    since_running_ms: i64,
    since_ms: i64,
    asks: u32,
    ask_at_running_ms: i64,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    /// On the machine's running time, and for people.
    since_running_ms: i64,
    since_ms: i64,
    /// Until when it is remembered, on the running time, where nobody asks for it any more.
    until: i64,
    /// Somebody is told.
    told: bool,
}

/// What follows from a look.
pub(super) struct Look {
    pub to_ask: Vec<String>,
    /// What somebody is to be told of now.
    pub late: Option<Late>,
}

/// Files that no message names.
pub(super) struct Late {
    pub count: usize,
    /// The first of them.
    pub name: String,
    pub since_ms: i64,
}

impl SideFiles {
    fn of(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Waiting> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer whose file is still waited for.
    pub fn waiting(&self, no: AttemptNo, question: MessageKind, number: &str) -> Option<Bytes> {
        let answers = self.answers();
        let answered = answers.get(&(no, question, number.to_owned()))?;
        (answered.looks < LOOKS_MAX).then(|| answered.bytes.clone())
    }

    /// The file of an answer is not there yet.
    pub fn wait_for(
        &self,
        no: AttemptNo,
        question: MessageKind,
        number: &str,
        bytes: &Bytes,
        running_ms: i64,
    ) {
        let mut answers = self.answers();
        answers.retain(|_, answered| running_ms - answered.last_running_ms < REMEMBERED_MS);
        let key = (no, question, number.to_owned());
        let looks = match answers.get(&key) {
            Some(answered) if answered.bytes == *bytes && answered.looks < LOOKS_MAX => {
                answered.looks + 1
            }
            _ => 1,
        };
        let answered = Answered { bytes: bytes.clone(), looks, last_running_ms: running_ms };
        answers.insert(key, answered);
    }

    /// An answer is whole.
    pub fn has_come(&self, no: AttemptNo, question: MessageKind, number: &str) {
        self.answers().remove(&(no, question, number.to_owned()));
    }

    /// Since when it is missing, where that is late.
    pub fn is_missing(
        &self,
        bank: &str,
        name: &str,
        (now_ms, running_ms): (i64, i64),
        (late_ms, remembered_ms): (i64, i64),
    ) -> Option<i64> {
        let mut all = self.of();
        let missing = &mut all.entry(bank.to_owned()).or_default().missing;
        let until = running_ms + remembered_ms;
        let new = Missing { since_running_ms: running_ms, since_ms: now_ms, until, told: false };
        let file = missing.entry(name.to_owned()).or_insert(new);
        file.until = until;
        file.told = running_ms - file.since_running_ms >= late_ms;
        file.told.then_some(file.since_ms)
    }

    /// The subjects of all alerts of a bank that stand; what is over, or was asked for no more, is none of
    /// these.
    pub fn standing(&self, bank: &str, running_ms: i64) -> BTreeSet<String> {
        let mut standing = BTreeSet::new();
        if let Some(seen) = self.of().get_mut(bank) {
            seen.missing.retain(|_, file| running_ms < file.until);
            let missing = seen.missing.iter().filter(|(_, file)| file.told);
            standing.extend(missing.map(|(name, _)| format!("{bank}/{name}")));
            standing.extend(seen.told.then(|| bank.to_owned()));
            standing.extend(seen.stuck.then(|| format!("{bank}/{OURS}")));
        }
        standing
    }

    /// A file that was missing is there.
    pub fn is_there(&self, bank: &str, name: &str) {
        if let Some(seen) = self.of().get_mut(bank) {
            seen.missing.remove(name);
        }
    }

    /// These lie there, and no others.
    pub(super) fn lie_there(
        &self,
        bank: &str,
        names: Vec<String>,
        (now_ms, running_ms): (i64, i64),
        (late_ms, soon_ms, later_ms): (i64, i64, i64),
    ) -> Look {
        let mut all = self.of();
        let seen = all.entry(bank.to_owned()).or_default();
        let (mut files, mut to_ask) = (BTreeMap::new(), Vec::new());
        for name in names {
            let mut file = seen.unnamed.remove(&name).unwrap_or(Unnamed {
                since_running_ms: running_ms,
                since_ms: now_ms,
                asks: 0,
                ask_at_running_ms: running_ms + soon_ms,
            });
            if file.asks < ASKS_MAX && running_ms >= file.ask_at_running_ms {
                file.asks += 1;
                let wait_ms = if file.asks < ASKS_SOON { soon_ms } else { later_ms };
                file.ask_at_running_ms = running_ms + wait_ms;
                to_ask.push(name.clone());
            }
            files.insert(name, file);
        }
        seen.unnamed = files;
        let late = |file: &&Unnamed| running_ms - file.since_running_ms >= late_ms;
        let count = seen.unnamed.values().filter(late).count();
        let first = seen.unnamed.iter().filter(|(_, file)| late(file));
        let first = first.min_by_key(|(_, file)| file.since_ms);
        let told = std::mem::replace(&mut seen.told, count > 0);
        let late = first.filter(|_| !told).map(|(name, file)| Late {
            count,
            name: name.clone(),
            since_ms: file.since_ms,
        });
        Look { to_ask, late }
    }

    /// Those of these that nobody has judged yet; what does not lie there any more is forgotten.
    pub fn not_judged(&self, bank: &str, names: Vec<String>) -> Vec<String> {
        let mut all = self.of();
        let judged = &mut all.entry(bank.to_owned()).or_default().judged;
        if !judged.is_empty() {
            let there: BTreeSet<&String> = names.iter().collect();
            judged.retain(|name| there.contains(name));
        }
        names.into_iter().filter(|name| !judged.contains(name)).collect()
    }

    /// This one stays.
    pub fn is_judged(&self, bank: &str, name: &str) {
        self.of().entry(bank.to_owned()).or_default().judged.insert(name.to_owned());
    }

    /// Could one of ours not be cleared away?
    pub fn stick(&self, bank: &str, stuck: bool) {
        self.of().entry(bank.to_owned()).or_default().stuck = stuck;
    }
}
