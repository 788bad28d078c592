//! Files of ours that a bank has not picked up yet.
//!
//! A file that lies in the shared folder was handed over, and nobody at the bank has seen it: the page
//! must not say that the bank has it, and a question that would collide with the one still lying there
//! is not asked again. It is an observation of the last look and kept in memory alone; it moves
//! no money and no state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::clock::local_text;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Key, MessageKind};
use crate::model::alert::AlertKind;

/// A file is not called late before this, in milliseconds.
const LATE_MIN_MS: i64 = 60_000;

/// What the last look into each bank's folder found.
#[derive(Debug, Default)]
pub struct Unfetched(Mutex<HashMap<String, Lying>>);

#[derive(Debug, Default)]
struct Lying {
    /// By name.
    files: BTreeMap<String, File>,
    /// An alert about it stands; not known before the first look.
    told: Option<bool>,
}

#[derive(Debug, Clone)]
struct File {
    /// Of a payment or refund; a question has the same one and is not what it asks about.
    reference: Option<String>,
    /// On the machine's running time, and for people.
    since_running_ms: i64,
    since_ms: i64,
}

/// What to do about the alert of a bank.
enum Tell {
    Nothing,
    Over,
    Late { count: usize, since_ms: i64 },
}

impl Unfetched {
    fn of(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lying>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what was sent under this reference still lie there?
    pub fn has_reference(&self, bank: &str, reference: &str) -> bool {
        let is_it = |file: &File| file.reference.as_deref() == Some(reference);
        self.of().get(bank).is_some_and(|lying| lying.files.values().any(is_it))
    }

    /// Does a file of this name still lie there?
    pub fn has_name(&self, bank: &str, name: &str) -> bool {
        self.of().get(bank).is_some_and(|lying| lying.files.contains_key(name))
    }

    fn see(
        &self,
        bank: &str,
        names: Vec<(String, Option<String>)>,
        (now_ms, running_ms): (i64, i64),
        late_ms: i64,
    ) -> Tell {
        let mut all = self.of();
        let lying = all.entry(bank.to_owned()).or_default();
        let mut files = BTreeMap::new();
        for (name, reference) in names {
            let new = File { reference, since_running_ms: running_ms, since_ms: now_ms };
            let file = lying.files.remove(&name).unwrap_or(new);
            files.insert(name, file);
        }
        lying.files = files;
        let late = |file: &&File| running_ms - file.since_running_ms >= late_ms;
        let late: Vec<&File> = lying.files.values().filter(late).collect();
        let since = late.iter().map(|file| file.since_ms).min();
        match (since, lying.told.replace(since.is_some())) {
            (Some(_), Some(true)) | (None, Some(false)) => Tell::Nothing,
            (None, _) => Tell::Over,
            (Some(since_ms), _) => Tell::Late { count: late.len(), since_ms },
        }
    }
}

/// Looks what still lies in the folder of a bank, and tells somebody where it lies for long.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    let mut lying: Option<Vec<String>> = None;
    for door in bank.doors.folders() {
        match door.unfetched().await {
            Ok(Some(names)) => lying.get_or_insert_default().extend(names),
            Ok(None) => {}
            Err(cause) => {
                tracing::debug!(bank = bank.code, error = %cause, "the outgoing folder could not be read");
                return Ok(());
            }
        }
    }
    let Some(names) = lying else { return Ok(()) };
    let mine = |name: String| {
        let known = bank.format.recognise(&name)?;
        let reference = known.keys.text(Key::Reference).map(str::to_owned);
        match known.kind {
            MessageKind::PaymentRequest | MessageKind::RefundRequest => Some((name, reference)),
            MessageKind::StatusQuery
            | MessageKind::ReturnQuery
            | MessageKind::NoticeQuery
            | MessageKind::RefundQuery => Some((name, None)),
            _ => None,
        }
    };
    let names = names.into_iter().filter_map(mine).collect();
    let (now, late_ms) = (ctx.now_ms(), bank.rules.ask_after_ms.max(LATE_MIN_MS));
    let times = (now, ctx.clock.running_ms());
    let (kind, subject) = (AlertKind::NotFetched, bank.code.as_str());
    let done = match ctx.unfetched.see(subject, names, times, late_ms) {
        Tell::Nothing => Ok(()),
        Tell::Over => ctx.store.clear_alert(kind, subject, now).await.map(drop),
        Tell::Late { count, since_ms } => {
            tracing::warn!(bank = subject, files = count, "the bank does not pick up its files");
            let text = format!(
                "{} 有 {count} 个文件从 {} 起一直没有取走，银行可能还没有看到。请联系该行检查取件程序和共享目录；取走之前系统不会重发，也不会重复询问",
                bank.name,
                local_text(since_ms)
            );
            ctx.store.raise_alert(kind, subject, None, &text, now).await.map(drop)
        }
    };
    // What could not be written is told at the next look.
    done.inspect_err(|_| ctx.unfetched.of().entry(bank.code.clone()).or_default().told = None)?;
    Ok(())
}
