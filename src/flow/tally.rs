//! Counts what became of the answers of banks about payments, for the metric: a bank that tells everything
//! twice is not wrong, and whoever runs it wants to know (F33).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::outcome::AnswerTaken;

/// What became of answers about payments, since the process began.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; AnswerTaken::ALL.len()]);

impl Tally {
    pub(super) fn count(&self, taken: AnswerTaken) {
        self.0[taken as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn of(&self, taken: AnswerTaken) -> u64 {
        self.0[taken as usize].load(Ordering::Relaxed)
    }
}
