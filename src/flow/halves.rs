//! Data that a bank has left without the control file that says it is whole. Nobody may read it before that comes
//! (I14), so somebody is told: what it tells may be awaited by nobody, as a return that comes late.
//!
//! An observation of the last look, kept in memory alone; it moves no money and no state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::clock::local_text;
use crate::flow::{Bank, Ctx, FlowError};
use crate::model::alert::AlertKind;

/// How often a folder is looked through for this, and how long a control file may take, in milliseconds.
const EVERY_MS: i64 = 60_000;
const LATE_MS: i64 = 600_000;

/// What the last looks into each bank's folder found.
#[derive(Debug, Default)]
pub struct Halves(Mutex<HashMap<String, Lying>>);

#[derive(Debug, Default)]
struct Lying {
    /// By name: since when, on the machine's running time and for people.
    files: BTreeMap<String, (i64, i64)>,
    /// On the machine's running time.
    looked_ms: Option<i64>,
    /// An alert about it stands; not known before the first look.
    told: Option<bool>,
}

/// What to do about the alert of a bank.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    Nothing,
    Over,
    Late { count: usize, first: String, since_ms: i64 },
}

impl Halves {
    fn of(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lying>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, bank: &str, running_ms: i64) -> bool {
        let mut all = self.of();
        let lying = all.entry(bank.to_owned()).or_default();
        let due = lying.looked_ms.is_none_or(|looked| running_ms - looked >= EVERY_MS);
        if due {
            lying.looked_ms = Some(running_ms);
        }
        due
    }

    fn see(&self, bank: &str, names: Vec<String>, (now_ms, running_ms): (i64, i64)) -> Tell {
        let mut all = self.of();
        let lying = all.entry(bank.to_owned()).or_default();
        let before = std::mem::take(&mut lying.files);
        for name in names {
            let since = before.get(&name).copied().unwrap_or((running_ms, now_ms));
            lying.files.insert(name, since);
        }
        let is_late = |since: &i64| running_ms - since >= LATE_MS;
        let late = lying.files.iter().filter(|(_, (since, _))| is_late(since));
        let (count, oldest) = (late.clone().count(), late.min_by_key(|(_, since)| **since));
        match (oldest, lying.told.replace(oldest.is_some())) {
            (Some(_), Some(true)) | (None, Some(false)) => Tell::Nothing,
            (None, _) => Tell::Over,
            (Some((first, (_, since_ms))), _) => {
                Tell::Late { count, first: first.clone(), since_ms: *since_ms }
            }
        }
    }
}

/// Looks whether data of a bank lies there without its control file, and tells somebody where it lies for long.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    let (now, running_ms) = (ctx.now_ms(), ctx.clock.running_ms());
    if !ctx.halves.is_due(&bank.code, running_ms) {
        return Ok(());
    }
    let mut names = Vec::new();
    for door in bank.doors.folders() {
        match door.halves().await {
            Ok(some) => names.extend(some),
            Err(cause) => {
                tracing::debug!(bank = bank.code, error = %cause, "the incoming folder could not be read");
                return Ok(());
            }
        }
    }
    // What is called like nothing of this bank's is none of ours.
    names.retain(|name| bank.format.recognise(name).is_some());
    let (kind, subject) = (AlertKind::NoControl, bank.code.as_str());
    let done = match ctx.halves.see(subject, names, (now, running_ms)) {
        Tell::Nothing => Ok(()),
        Tell::Over => ctx.store.clear_alert(kind, subject, now).await.map(drop),
        Tell::Late { count, first, since_ms } => {
            tracing::warn!(
                bank = subject,
                files = count,
                "files lie there without their control files"
            );
            let text = format!(
                "{} 送来的 {count} 个文件（如 {first}）从 {} 起一直没有完成标志文件，系统不能确认文件已写完，没有读取。请联系该行补送标志文件；补送后系统自动处理",
                bank.name,
                local_text(since_ms)
            );
            ctx.store.raise_alert(kind, subject, None, &text, now).await.map(drop)
        }
    };
    // What could not be written is told at the next look.
    done.inspect_err(|_| ctx.halves.of().entry(bank.code.clone()).or_default().told = None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EVERY_MS, Halves, LATE_MS, Tell};

    #[test]
    fn i14_who_waits_for_its_other_half_for_long_is_told_of_once() {
        let halves = Halves::default();
        let see = |names: &[&str], at| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            halves.see("b", names, (at + 5, at))
        };
        assert_eq!(see(&[], 0), Tell::Over, "one may stand from before the start");
        assert_eq!(see(&["a", "b"], 1), Tell::Nothing);
        assert_eq!(see(&["b"], LATE_MS), Tell::Nothing, "not yet");
        let late = Tell::Late { count: 1, first: "b".to_owned(), since_ms: 6 };
        assert_eq!(see(&["a", "b"], LATE_MS + 1), late, "the other was gone in between");
        assert_eq!(see(&["a", "b"], LATE_MS + 2), Tell::Nothing, "once");
        assert_eq!(see(&["a"], LATE_MS + 3), Tell::Over);
    }

    #[test]
    fn a_folder_is_looked_through_now_and_then() {
        let halves = Halves::default();
        assert!(halves.is_due("b", 7) && halves.is_due("c", 7));
        assert!(!halves.is_due("b", 6 + EVERY_MS) && halves.is_due("b", 7 + EVERY_MS));
    }
}
