//! Files that lie in a bank's folder for longer than they should: since when each of them does, and whether
//! somebody was told.
//!
//! An observation of the last looks, kept in memory alone; it moves no money and no state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::flow::{Bank, Ctx, FlowError};
use crate::model::alert::AlertKind;

/// What the last look into each bank's folder found, with what is known of each file.
#[derive(Debug, Default)]
pub struct Lying<T>(Mutex<HashMap<String, Folder<T>>>);

#[derive(Debug, Default)]
struct Folder<T> {
    /// By name.
    files: BTreeMap<String, File<T>>,
    /// The first look and the last, on the machine's running time.
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    /// An alert about it stands; not known before the files were seen for as long as makes them late.
    told: Option<bool>,
}

#[derive(Debug)]
struct File<T> {
    what: T,
    /// On the machine's running time, and for people.
    since: (i64, i64),
}

/// Files that lie there for too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) count: usize,
    /// The name of the oldest.
    pub(super) oldest: String,
    pub(super) since_ms: i64,
}

/// What to do about the alert of a bank.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    Nothing,
    Over,
    Late(Late),
}

impl<T: Send> Lying<T> {
    /// Is there a file of this kind in the bank's folder?
    pub(super) fn any(&self, bank: &str, is_it: impl Fn(&str, &T) -> bool) -> bool {
        let all = self.all();
        let files = all.get(bank).into_iter().flat_map(|folder| &folder.files);
        files.into_iter().any(|(name, file)| is_it(name, &file.what))
    }

    /// Is it time for the next look? From here on it was.
    pub(super) fn is_due(&self, bank: &str, running_ms: i64, every_ms: i64) -> bool
    where
        T: Default,
    {
        let mut all = self.all();
        let folder = all.entry(bank.to_owned()).or_default();
        let due = folder.last_ms.is_none_or(|last| running_ms - last >= every_ms);
        if due {
            folder.last_ms = Some(running_ms);
        }
        due
    }

    /// Takes up what lies there now, and tells somebody once where something lies for `late_ms`, in the words of
    /// `text`. Where nothing does any more, the alert ends.
    ///
    /// # Errors
    /// Where the store fails; it is told at the next look then.
    pub(super) async fn see(
        &self,
        ctx: &Ctx,
        (bank, kind): (&Bank, AlertKind),
        found: Vec<(String, T)>,
        late_ms: i64,
        text: impl FnOnce(&Late) -> String + Send,
    ) -> Result<(), FlowError>
    where
        T: Default,
    {
        let (now, code) = (ctx.now_ms(), bank.code.as_str());
        let done = match self.look(code, found, (ctx.clock.running_ms(), now), late_ms) {
            Tell::Nothing => return Ok(()),
            Tell::Over => ctx.store.clear_alert(kind, code, now).await.map(drop),
            Tell::Late(late) => {
                tracing::warn!(bank = code, files = late.count, alert = %kind.as_str(), "files lie there for long");
                ctx.store.raise_alert(kind, code, None, &text(&late), now).await.map(drop)
            }
        };
        done.inspect_err(|_| self.all().entry(code.to_owned()).or_default().told = None)?;
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Folder<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(
        &self,
        bank: &str,
        found: Vec<(String, T)>,
        now @ (running_ms, _): (i64, i64),
        late_ms: i64,
    ) -> Tell
    where
        T: Default,
    {
        let mut all = self.all();
        let folder = all.entry(bank.to_owned()).or_default();
        let mut before = std::mem::take(&mut folder.files);
        for (name, what) in found {
            let known = before.remove(&name);
            folder.files.insert(name, known.unwrap_or(File { what, since: now }));
        }
        let late = folder.files.iter().filter(|(_, file)| running_ms - file.since.0 >= late_ms);
        let (count, oldest) = (late.clone().count(), late.min_by_key(|(_, file)| file.since.0));
        let Some((oldest, file)) = oldest else {
            // One that stands from before the start is not over while what it is about may lie there still.
            let first_ms = *folder.first_ms.get_or_insert(running_ms);
            let may_stand = !folder.files.is_empty() && running_ms - first_ms < late_ms;
            return match folder.told {
                Some(false) => Tell::Nothing,
                None if may_stand => Tell::Nothing,
                None | Some(true) => {
                    folder.told = Some(false);
                    Tell::Over
                }
            };
        };
        if folder.told.replace(true) == Some(true) {
            return Tell::Nothing;
        }
        Tell::Late(Late { count, oldest: oldest.clone(), since_ms: file.since.1 })
    }
}

#[cfg(test)]
mod tests {
    use super::{Late, Lying, Tell};

    const LATE_MS: i64 = 100;

    fn look(lying: &Lying<()>, names: &[&str], at: i64) -> Tell {
        let found = names.iter().map(|name| ((*name).to_owned(), ())).collect();
        lying.look("b", found, (at, at + 5), LATE_MS)
    }

    fn late(oldest: &str, since_ms: i64) -> Tell {
        Tell::Late(Late { count: 1, oldest: oldest.to_owned(), since_ms })
    }

    #[test]
    fn i14_what_lies_there_for_long_is_told_of_once() {
        let lying = Lying::default();
        assert_eq!(look(&lying, &[], 0), Tell::Over, "one may stand from before the start");
        assert_eq!(look(&lying, &["a", "b"], 1), Tell::Nothing);
        assert_eq!(look(&lying, &["b"], LATE_MS), Tell::Nothing, "not yet");
        assert_eq!(look(&lying, &["a", "b"], LATE_MS + 1), late("b", 6), "a was gone in between");
        assert_eq!(look(&lying, &["a", "b"], LATE_MS + 2), Tell::Nothing, "once");
        assert_eq!(look(&lying, &["a"], LATE_MS + 3), Tell::Over);
    }

    #[test]
    fn f7_a_start_does_not_end_what_still_lies_there() {
        let lying = Lying::default();
        assert_eq!(look(&lying, &["a"], 0), Tell::Nothing, "it may be what somebody was told of");
        assert_eq!(look(&lying, &["a"], LATE_MS), late("a", 5));
        let lying = Lying::default();
        assert_eq!(look(&lying, &["a"], 0), Tell::Nothing);
        assert_eq!(look(&lying, &["b"], LATE_MS - 1), Tell::Nothing);
        assert_eq!(look(&lying, &["b"], LATE_MS), Tell::Over, "what lay there then is gone");
        assert_eq!(look(&lying, &["b"], LATE_MS + 1), Tell::Nothing);
    }

    #[test]
    fn a_folder_is_looked_through_now_and_then() {
        let lying = Lying::<()>::default();
        assert!(lying.is_due("b", 7, 60) && lying.is_due("c", 7, 60));
        assert!(!lying.is_due("b", 66, 60) && lying.is_due("b", 67, 60));
    }
}
