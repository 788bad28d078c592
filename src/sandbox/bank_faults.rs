//! What a practice bank does wrong, and how it is decided when.
//!
//! A fault is counted or thrown. What is thrown depends on the seed and on what it is thrown about - our
//! reference, a row, the n-th message of one kind - and on nothing else: not on the time, nor on what
//! comes beside it. So the same seed and the same input make the same faults, in whatever order
//! connections are served.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{Context, SHA256};

/// A whole, in the parts that a share is counted in.
pub const MILLION: u32 = 1_000_000;

/// How often something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Often {
    #[default]
    Never,
    /// Each n-th, counted from 1 over the whole book.
    Every(u64),
    /// So many of a million, by the dice.
    Share(u32),
}

/// When a bank cannot be reached: for `lasts_ms` out of every `every_ms` of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    pub every_ms: i64,
    pub lasts_ms: i64,
}

/// What a practice bank does wrong. Counted faults count batches, taken and refused, over the whole
/// book, where nothing else is said. Wrong results are given once; who asks again gets the right ones.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// What the dice are thrown with.
    pub seed: u64,
    /// Books a batch again that it has booked before.
    pub no_dedup: bool,
    /// Answers no question at all.
    pub deaf: bool,
    /// Books, then loses the answer; by files, it says nothing until it is asked.
    pub lose_answer: Often,
    /// Carries a refund out, then loses the answer (counts refunds).
    pub lose_refund_answer: Often,
    /// Loses a question or its answer (thrown only).
    pub lose_question: Often,
    /// Says "busy" (503) and looks at nothing; files stay for the next look. Counts messages.
    pub busy: Often,
    /// Loses a batch before the book: the line is cut, the file vanishes. Counts messages.
    pub drop_before: Often,
    /// Refuses the batch whole, with its own words.
    pub refuse: Often,
    /// Calls a batch that it has just taken for the first time a duplicate, as a bank does whose own
    /// line doubled it.
    pub say_duplicate: Often,
    pub wrong_amount: Often,
    pub wrong_account: Often,
    pub unknown_row: Often,
    /// The message's own sum does not close.
    pub wrong_sum: Often,
    /// Says of the first payment that it was credited and that it failed.
    pub contradict: Often,
    /// The same results a second time: in another file, or by another call.
    pub repeat_result: Often,
    /// Results cut into two files, each with its own count and sum (files only).
    pub split_result: Often,
    /// Takes a batch but for its first payment, which it refuses at once; where its acknowledgements name
    /// payments.
    pub refuse_row: Often,
    /// Makes two batches of its own out of one, each with a number, and answers for one at a time where it
    /// is asked by its numbers; where its acknowledgements name payments.
    pub split_batch: Often,
    /// Results come after what comes of them: after returns and notices, and after those of later
    /// batches.
    pub reorder: Often,
    /// A credited payment comes back later (thrown for each payment; an account may ask for it too).
    pub return_later: Often,
    /// A file that an answer names is not there; who asks again gets it (thrown only, as the next two).
    pub file_lost: Often,
    /// It comes a moment after the answer.
    pub file_late: Often,
    /// It ends in its middle.
    pub file_cut: Often,
    /// A batch that was taken is "not found" for so long.
    pub not_found_ms: i64,
    /// The longest that an answer is held back.
    pub delay_ms: u64,
    pub outage: Option<Outage>,
    /// What was told of, so that each is told once.
    pub told: Told,
}

/// The most of them that are remembered; what comes behind that is told as often as it comes.
const TOLD_MAX: usize = 100_000;

/// Faults that were told of.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<HashSet<String>>>);

impl Told {
    fn is_new(&self, what: &str, key: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() >= TOLD_MAX || told.insert(format!("{what} {key}"))
    }
}

impl Faults {
    /// Does it happen to the `count`-th, which is `key`? `what` names the fault: each has dice of its own.
    pub fn comes(&self, often: Often, what: &str, count: u64, key: &str) -> bool {
        let comes = match often {
            Often::Never => false,
            Often::Every(n) => n > 0 && count.is_multiple_of(n),
            Often::Share(share) => self.roll(what, key) % u64::from(MILLION) < u64::from(share),
        };
        if comes && self.told.is_new(what, key) {
            tracing::info!(fault = what, about = key, "a fault comes about");
        }
        comes
    }

    /// A number that is the same for the same seed and words.
    pub fn roll(&self, what: &str, key: &str) -> u64 {
        let mut context = Context::new(&SHA256);
        context.update(&self.seed.to_be_bytes());
        context.update(what.as_bytes());
        context.update(b"\0");
        context.update(key.as_bytes());
        let digest = context.finish();
        digest.as_ref().iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
    }
}

impl Outage {
    /// How long it goes on, in milliseconds; nothing while the bank can be reached.
    pub const fn left_ms(self, now_ms: i64) -> Option<i64> {
        let into = now_ms.rem_euclid(self.every_ms);
        if into < self.lasts_ms { Some(self.lasts_ms - into) } else { None }
    }

    /// How long until the next one begins, in milliseconds.
    pub const fn begins_in_ms(self, now_ms: i64) -> i64 {
        self.every_ms - now_ms.rem_euclid(self.every_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_input_make_the_same_faults() {
        let faults = |seed| Faults { seed, ..Faults::default() };
        let thrown = |faults: &Faults| -> Vec<bool> {
            (0..10_000)
                .map(|n| faults.comes(Often::Share(20_000), "loss", 1, &n.to_string()))
                .collect()
        };
        let first = thrown(&faults(7));
        assert_eq!(first, thrown(&faults(7)));
        assert_ne!(first, thrown(&faults(8)));
        // Two of a hundred, give or take what dice do.
        let came = first.iter().filter(|came| **came).count();
        assert!((120..=280).contains(&came), "{came}");
        let other: Vec<bool> = (0..10_000)
            .map(|n| faults(7).comes(Often::Share(20_000), "busy", 1, &n.to_string()))
            .collect();
        assert_ne!(first, other, "each fault has dice of its own");
    }

    #[test]
    fn a_share_of_nothing_never_comes_and_a_whole_one_always() {
        let faults = Faults::default();
        for n in 0..1_000 {
            let key = n.to_string();
            assert!(!faults.comes(Often::Share(0), "x", n, &key));
            assert!(faults.comes(Often::Share(MILLION), "x", n, &key));
            assert!(!faults.comes(Often::Never, "x", n, &key));
            assert_eq!(faults.comes(Often::Every(3), "x", n, &key), n % 3 == 0);
        }
    }

    #[test]
    fn an_outage_comes_and_goes_by_the_clock() {
        let outage = Outage { every_ms: 1_000, lasts_ms: 200 };
        assert_eq!(outage.left_ms(5_000), Some(200));
        assert_eq!(outage.left_ms(5_199), Some(1));
        assert_eq!(outage.left_ms(5_200), None);
        assert_eq!(outage.begins_in_ms(5_200), 800);
    }
}
