//! Is the process alive, and may it be relied on? Kept in memory, so that asking never waits for
//! the database.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How the daemon is, as its steps last said.
#[derive(Debug)]
pub struct Health {
    /// A step that was not heard of for this long is taken for stuck, in milliseconds.
    stale_ms: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// When each step last said that it is there, in UTC epoch milliseconds.
    beats: Vec<(String, i64)>,
    ready: bool,
    fatal: Option<String>,
}

/// What `/health/live` and `/health/ready` answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub ok: bool,
    /// Why not; empty where it is.
    pub reasons: Vec<String>,
}

impl Health {
    /// Begins with the steps that will run, each taken to be well at `now_ms`; not ready yet.
    /// `stale_ms` is longer than the longest piece of work that a step does at a time.
    pub fn new(steps: Vec<String>, stale_ms: u64, now_ms: i64) -> Self {
        let beats = steps.into_iter().map(|step| (step, now_ms)).collect();
        Self { stale_ms, kept: Mutex::new(Kept { beats, ready: false, fatal: None }) }
    }

    /// A step says that it is there. It does so whenever it looks for work, found or not.
    pub fn beat(&self, step: &str, now_ms: i64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.beats.iter_mut().find(|(name, _)| *name == step) {
            Some((_, at_ms)) => *at_ms = now_ms,
            None => kept.beats.push((step.to_owned(), now_ms)),
        }
    }

    /// The store is open and the steps run; or they no longer do.
    pub fn set_ready(&self, ready: bool) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).ready = ready;
    }

    /// The process is about to stop because of `text`, which holds no personal data. The first
    /// cause stays.
    pub fn fail(&self, text: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.fatal.get_or_insert_with(|| text.to_owned());
    }

    /// Alive: no fatal error, and every step was heard of lately.
    pub fn live(&self, now_ms: i64) -> Verdict {
        let reasons = self.trouble(now_ms);
        Verdict { ok: reasons.is_empty(), reasons }
    }

    /// Ready: alive, the store open and the steps running.
    pub fn ready(&self, now_ms: i64) -> Verdict {
        let mut reasons = self.trouble(now_ms);
        if !self.kept.lock().unwrap_or_else(PoisonError::into_inner).ready {
            reasons.push("not ready: starting or stopping".to_owned());
        }
        Verdict { ok: reasons.is_empty(), reasons }
    }

    fn trouble(&self, now_ms: i64) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fatal = kept.fatal.iter().map(|text| format!("fatal error: {text}"));
        // A beat far in the future is as bad as an old one: the clock went back, and a step that is
        // well has said so since (F22).
        let stale = kept.beats.iter().filter(|(_, at)| now_ms.abs_diff(*at) > self.stale_ms);
        let stale = stale.map(|(step, at)| {
            format!("step {step} was not heard of for {} s", now_ms.abs_diff(*at) / 1000)
        });
        fatal.chain(stale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(vec!["intake".to_owned(), "submit alpha".to_owned()], 60_000, 1_000_000)
    }

    #[test]
    fn a_step_that_is_stuck_is_named() {
        let health = health();
        assert!(health.live(1_060_000).ok);
        health.beat("intake", 1_050_000);
        let verdict = health.live(1_060_001);
        assert!(!verdict.ok);
        assert_eq!(verdict.reasons, ["step submit alpha was not heard of for 60 s"]);
        health.beat("submit alpha", 1_060_001);
        assert!(health.live(1_060_001).ok);
    }

    #[test]
    fn f22_a_clock_that_went_back_hides_no_stuck_step() {
        let health = health();
        let back = 1_000_000 - 3_600_000;
        health.beat("intake", back);
        assert_eq!(health.live(back).reasons.len(), 1);
    }

    #[test]
    fn ready_only_once_it_is_said_and_never_after_a_fatal_error() {
        let health = health();
        assert!(!health.ready(1_000_000).ok);
        health.set_ready(true);
        assert!(health.ready(1_000_000).ok);
        health.fail("a commit failed");
        health.fail("something that followed from it");
        assert_eq!(health.ready(1_000_000).reasons, ["fatal error: a commit failed"]);
        assert!(!health.live(1_000_000).ok);
    }
}
