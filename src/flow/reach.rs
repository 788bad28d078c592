//! How often somebody who does not answer is tried (F53): less and less often, never in step with
//! others, and by one try until it answers again. Kept in memory: after a restart everybody is tried
//! at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Dice;

/// The wait doubles this often, and then stays.
const DOUBLINGS_MAX: u32 = 4;

/// Who does not answer, and when each is tried next, on the machine's running time.
#[derive(Debug)]
pub struct Reach(Mutex<(Dice, BTreeMap<String, Trouble>)>);

#[derive(Debug, Clone, Copy)]
struct Trouble {
    failures: u32,
    next_ms: i64,
}

impl Reach {
    pub fn new(dice: Dice) -> Self {
        Self(Mutex::new((dice, BTreeMap::new())))
    }

    fn inner(&self) -> MutexGuard<'_, (Dice, BTreeMap<String, Trouble>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it time to try `who`?
    pub fn may_try(&self, who: &str, running_ms: i64) -> bool {
        self.inner().1.get(who).is_none_or(|trouble| running_ms >= trouble.next_ms)
    }

    /// Did `who` not answer the last time? Then one try is enough to find out.
    pub fn is_silent(&self, who: &str) -> bool {
        self.inner().1.contains_key(who)
    }

    /// How often `who` did not answer in a row.
    pub fn failures(&self, who: &str) -> u32 {
        self.inner().1.get(who).map_or(0, |trouble| trouble.failures)
    }

    /// Everybody whose time has not come.
    pub fn resting(&self, running_ms: i64) -> Vec<String> {
        let inner = self.inner();
        let resting = inner.1.iter().filter(|(_, trouble)| running_ms < trouble.next_ms);
        resting.map(|(who, _)| who.clone()).collect()
    }

    /// `who` did not answer. Several that failed at the same time count once.
    pub fn failed(&self, who: &str, running_ms: i64, every_ms: i64) {
        let mut inner = self.inner();
        let failures = match inner.1.get(who) {
            Some(trouble) if running_ms < trouble.next_ms => return,
            known => known.map_or(0, |trouble| trouble.failures),
        };
        let wait = every_ms.saturating_mul(1 << failures.min(DOUBLINGS_MAX));
        let next_ms = running_ms + inner.0.around(wait);
        inner.1.insert(who.to_owned(), Trouble { failures: failures + 1, next_ms });
    }

    pub fn answered(&self, who: &str) {
        self.inner().1.remove(who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f53_tries_become_rare_and_never_stop() {
        let reach = Reach::new(Dice::seeded(3));
        let (mut tries, mut gaps, mut last) = (0, Vec::new(), 0);
        for now in (0..3_600_000).step_by(1_000) {
            if reach.may_try("county", now) {
                reach.failed("county", now, 30_000);
                // Whoever failed beside it changes nothing.
                reach.failed("county", now, 30_000);
                tries += 1;
                gaps.push(now - last);
                last = now;
            }
        }
        assert!((9..=14).contains(&tries), "{tries}");
        assert!(gaps.iter().all(|gap| *gap <= 30_000 * 16 * 5 / 4 + 1_000), "{gaps:?}");
        assert_eq!(reach.failures("county"), tries);
        assert!(reach.is_silent("county") && reach.may_try("other", 0));
        reach.answered("county");
        assert!(!reach.is_silent("county") && reach.resting(0).is_empty());
    }

    #[test]
    fn f53_two_daemons_do_not_try_in_step() {
        let wait = |seed| {
            let reach = Reach::new(Dice::seeded(seed));
            reach.failed("county", 0, 30_000);
            (0..60_000).find(|now| reach.may_try("county", *now)).expect("some time")
        };
        let waits: std::collections::BTreeSet<i64> = (0..20).map(wait).collect();
        assert!(waits.len() > 10 && waits.iter().all(|wait| (22_500..=37_500).contains(wait)));
    }
}
