//! Waits: since when attempts are of unknown fate, and which questions about them may still be answered. "Not
//! found" counts only where the question was put after the bank's visibility delay (I2): an answer says how things
//! stood when it was asked for, however late it is read.
//!
//! On a line an answer belongs to its question. In a folder, and on a connection that stays, nobody knows to which:
//! where one may still come to a question that was put too early, or before the bytes went again, an answer counts as
//! that one's.
//!
//! All of it is kept in memory alone, on the machine's running time: a restart makes a wait longer, and never
//! shorter (I16).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::id::AttemptNo;
use crate::store::attempts::Attempt;

/// When a question was put, and since when its attempt was of unknown fate then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    at_ms: i64,
    since_ms: i64,
}

impl Question {
    /// How long the attempt had been of unknown fate when this was asked, in milliseconds.
    pub const fn waited_ms(self) -> i64 {
        self.at_ms.saturating_sub(self.since_ms)
    }
}

/// Which question an answer answers, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It came on the line on which the bytes were handed over, or on which was asked about what the bank has.
    AtOnce,
    /// It came on the line on which this was asked.
    At(Question),
    /// It was left in a folder.
    InFile,
    /// It came on a connection that stays, on which the answer to an earlier question may come late.
    OnSession,
    /// Nobody asked, or nobody knows when.
    Unasked,
}

/// One attempt of unknown fate.
#[derive(Debug, Clone, Copy)]
struct Wait {
    since_ms: i64,
    /// Questions that were left for the bank or said to it, late enough to count, and may be answered.
    asked: i64,
    /// Others that may be answered still: put too early, or before the bytes went again.
    older: i64,
}

/// Since when this process knows that attempts are of unknown fate, and what it asked about them.
#[derive(Debug, Default)]
pub struct Waits {
    of: Mutex<HashMap<AttemptNo, Wait>>,
}

/// Which question of ours "not found" may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// One of the present wait, that was put late enough: it counts.
    Present,
    /// One that was put too early, or before the bytes went again.
    Earlier,
    /// None that is known.
    None,
}

impl Wait {
    /// What an earlier process asked is known by its number alone. In the first wait it asked late enough.
    fn unknown(attempt: &Attempt, running_ms: i64) -> Self {
        let again = attempt.was_lost_before();
        let (asked, older) = if again { (0, attempt.asks) } else { (attempt.asks, 0) };
        Self { since_ms: running_ms, asked, older }
    }
}

impl Waits {
    fn of(&self) -> MutexGuard<'_, HashMap<AttemptNo, Wait>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was sent just now, and nobody knows whether it arrived. What was asked before says nothing about that.
    pub(super) fn begin(&self, attempt: &Attempt, running_ms: i64) {
        let mut all = self.of();
        let unknown = Wait::unknown(attempt, running_ms);
        let before = all.get(&attempt.no).copied().unwrap_or(unknown);
        let older = before.older + before.asked;
        all.insert(attempt.no, Wait { since_ms: running_ms, asked: 0, older });
    }

    /// A question is put now.
    pub(super) fn question(&self, attempt: &Attempt, running_ms: i64) -> Question {
        let mut all = self.of();
        let unknown = || Wait::unknown(attempt, running_ms);
        let since_ms = all.entry(attempt.no).or_insert_with(unknown).since_ms;
        Question { at_ms: running_ms, since_ms }
    }

    /// That question lies in the bank's folder, or was said on a connection that stays.
    pub(super) fn left(&self, attempt: &Attempt, question: Question, delay_ms: i64) {
        let mut all = self.of();
        let Some(wait) = all.get_mut(&attempt.no) else { return };
        if wait.since_ms == question.since_ms && question.waited_ms() >= delay_ms {
            wait.asked += 1;
        } else {
            wait.older += 1;
        }
    }

    /// To which question is it the answer that the bank does not find it? Each question has one answer.
    pub(super) fn bearing(&self, attempt: &Attempt, told: Told, delay_ms: i64) -> Bearing {
        let mut all = self.of();
        let Some(wait) = all.get_mut(&attempt.no) else { return Bearing::None };
        match told {
            Told::At(question)
                if wait.since_ms == question.since_ms && question.waited_ms() >= delay_ms =>
            {
                Bearing::Present
            }
            Told::At(_) => Bearing::Earlier,
            Told::InFile | Told::OnSession if wait.older > 0 => {
                wait.older -= 1;
                Bearing::Earlier
            }
            Told::InFile | Told::OnSession if wait.asked > 0 => {
                wait.asked -= 1;
                Bearing::Present
            }
            Told::InFile | Told::OnSession | Told::AtOnce | Told::Unasked => Bearing::None,
        }
    }

    /// Was this question put since the attempt was sent last?
    pub(super) fn is_present(&self, attempt: AttemptNo, question: Question) -> bool {
        self.of().get(&attempt).is_some_and(|wait| wait.since_ms == question.since_ms)
    }

    /// The bank has it, or never will.
    pub(super) fn end(&self, attempt: AttemptNo) {
        self.of().remove(&attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attempt::{AttemptKind, AttemptState};
    use crate::model::id::RegisterNo;

    const DELAY: i64 = 10_000;

    /// In its first time of unknown fate, or in a later one.
    fn attempt(again: bool) -> Attempt {
        Attempt {
            no: AttemptNo(1),
            kind: AttemptKind::Payment,
            batch: None,
            refund: None,
            register: RegisterNo(1),
            bank: "bank".to_owned(),
            reference: "1".to_owned(),
            format_digest: [0; 32],
            state: AttemptState::Unknown,
            made_at_ms: 0,
            sent_at_ms: Some(if again { 9_000 } else { 1_000 }),
            lost_at_ms: Some(1_000),
            sends: 1 + i64::from(again),
            asks: if again { 2 } else { 0 },
            bank_reference: String::new(),
            pending: 1,
            payments: 1,
        }
    }

    #[test]
    fn i2_on_a_line_the_time_of_the_question_counts_and_not_that_of_the_answer() {
        let waits = Waits::default();
        waits.begin(&attempt(false), 0);
        let early = waits.question(&attempt(false), DELAY - 1);
        let late = waits.question(&attempt(false), DELAY);
        let counts = |question| {
            waits.bearing(&attempt(false), Told::At(question), DELAY) == Bearing::Present
        };
        assert!(!counts(early) && counts(late));
        assert!(waits.is_present(AttemptNo(1), late));
        // The bytes went again meanwhile: what was asked before says nothing about them.
        waits.begin(&attempt(true), DELAY + 1);
        assert!(!counts(late) && !waits.is_present(AttemptNo(1), late));
    }

    #[test]
    fn i2_in_a_folder_an_answer_counts_as_that_to_the_earliest_question() {
        let waits = Waits::default();
        let (first, again) = (attempt(false), attempt(true));
        let ask = |attempt: &Attempt, at| {
            waits.left(attempt, waits.question(attempt, at), DELAY);
        };
        let counts =
            |attempt: &Attempt| waits.bearing(attempt, Told::InFile, DELAY) == Bearing::Present;
        waits.begin(&first, 0);
        assert!(!counts(&first), "nobody asked");
        ask(&first, DELAY - 1);
        ask(&first, DELAY);
        ask(&first, DELAY + 1);
        assert!(!counts(&first), "the early one's");
        assert!(counts(&first));
        // It went again: one answer of before is still to come.
        waits.begin(&again, 2 * DELAY);
        ask(&again, 3 * DELAY);
        assert!(!counts(&again) && counts(&again) && !counts(&again));
    }

    #[test]
    fn i2_a_restart_forgets_no_question_of_before_the_bytes_went_again() {
        let waits = Waits::default();
        let again = attempt(true);
        let question = waits.question(&again, 0);
        waits.left(&again, question, 0);
        let counted: Vec<Bearing> =
            (0..4).map(|_| waits.bearing(&again, Told::InFile, 0)).collect();
        let (earlier, present) = (Bearing::Earlier, Bearing::Present);
        assert_eq!(counted, [earlier, earlier, present, Bearing::None], "two were asked before");
        assert_eq!(waits.bearing(&again, Told::Unasked, 0), Bearing::None);
    }

    #[test]
    fn i2_what_an_earlier_process_asked_in_the_first_wait_says_nothing_of_the_second_time() {
        let waits = Waits::default();
        let asked_before = Attempt { asks: 1, ..attempt(false) };
        let ask = |attempt: &Attempt, at| waits.left(attempt, waits.question(attempt, at), 0);
        let counts =
            |attempt: &Attempt| waits.bearing(attempt, Told::InFile, 0) == Bearing::Present;
        ask(&asked_before, 0);
        assert!(counts(&asked_before), "one of two answers came");
        let again = Attempt { asks: 2, ..attempt(true) };
        waits.begin(&again, 1);
        ask(&again, 2);
        assert!(!counts(&again), "the other is about the first time");
        assert!(counts(&again));
    }
}
