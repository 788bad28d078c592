//! Answers that banks owe: each has a row from the moment in which something may have left, which ends
//! in the transaction that takes the answer. One whose time has come is an alert; nothing waits silently.
//!
//! No money moves by it: a clock that was set brings an alert early or late, and nothing else (I16).

use crate::model::alert::AlertKind;
use crate::model::attempt::AttemptState;
use crate::model::expectation::{ExpectationKind, ExpectationState, Expected};
use crate::model::id::{AttemptNo, BatchNo, RefundNo, RegisterNo};
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::breaker::Sign;
use crate::store::journal::Entry;
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// An answer whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    pub attempt: AttemptNo,
    pub kind: ExpectationKind,
    pub batch: Option<BatchNo>,
    pub refund: Option<RefundNo>,
    pub register: RegisterNo,
    pub bank: String,
    pub reference: String,
    pub state: AttemptState,
    pub opened_at_ms: i64,
    pub due_at_ms: i64,
    /// Payments of the batch without a result.
    pub pending: i64,
    /// Credits of the batch without a word about their SMS.
    pub untold: i64,
}

/// Credits of attempt `$1` without a word about their SMS.
const UNTOLD: &str = "SELECT COUNT(*) FROM outcome o WHERE o.attempt_no = $1 AND o.kind = 'credited' \
    AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.attempt_no = o.attempt_no AND n.line = o.line)";

/// What an alert about a late answer is about.
pub fn expectation_subject(attempt: AttemptNo, kind: ExpectationKind) -> String {
    format!("{attempt}/{kind}")
}

/// Something may have left: these answers are due. One that is waited for already stays as it is.
pub(super) async fn open(
    work: &mut Work,
    entry: &mut Entry,
    attempt: AttemptNo,
    expected: &[Expected],
    now_ms: i64,
) -> Result<(), StoreError> {
    for Expected { kind, due_at_ms } in expected {
        let sql = "INSERT INTO expectation (attempt_no, kind, opened_at_ms, due_at_ms, state, state_at_ms) VALUES ($1, $2, $3, $4, 'open', $5) \
                   ON CONFLICT (attempt_no, kind) DO UPDATE SET opened_at_ms = excluded.opened_at_ms, due_at_ms = excluded.due_at_ms, \
                   state = 'open', state_at_ms = excluded.state_at_ms WHERE expectation.state IN ('met', 'dropped')";
        let row = params![attempt, kind.as_str(), now_ms, *due_at_ms, now_ms];
        entry.vouched.returned(work, &vouch::EXPECTATION, sql, row).await?;
    }
    Ok(())
}

/// These answers are not waited for any more.
pub(super) async fn end(
    work: &mut Work,
    entry: &mut Entry,
    attempt: AttemptNo,
    kinds: &[ExpectationKind],
    state: ExpectationState,
    now_ms: i64,
) -> Result<(), StoreError> {
    for kind in kinds {
        let sql = "UPDATE expectation SET state = $1, state_at_ms = $2 WHERE attempt_no = $3 AND kind = $4 AND state IN ('open', 'overdue')";
        let row = params![state.as_str(), now_ms, attempt, kind.as_str()];
        if entry.vouched.returned(work, &vouch::EXPECTATION, sql, row).await? > 0 {
            let subject = expectation_subject(attempt, *kind);
            super::alerts::clear(work, AlertKind::Overdue, &subject, now_ms).await?;
        }
    }
    Ok(())
}

/// What the end of a try, or a word about the whole of it, does to what is waited for.
pub(super) async fn after_conclusion(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    to: AttemptState,
    conclusion: &Conclusion,
    now_ms: i64,
) -> Result<(), StoreError> {
    use ExpectationKind as K;
    use ExpectationState as S;
    match to {
        // What provably never left is answered by nobody; what is stopped, by people.
        AttemptState::NotSent | AttemptState::Stopped | AttemptState::Closed => {
            end(work, entry, attempt.no, K::ALL, S::Dropped, now_ms).await
        }
        AttemptState::Refused => end(work, entry, attempt.no, K::ALL, S::Met, now_ms).await,
        AttemptState::Accepted => {
            if matches!(attempt.state, AttemptState::NotSent | AttemptState::Refused) {
                open(work, entry, attempt.no, &conclusion.expects, now_ms).await?;
            }
            if !conclusion.words.code.is_empty() || conclusion.event.is_decided() {
                end(work, entry, attempt.no, &[K::Acknowledgement], S::Met, now_ms).await?;
            }
            if conclusion.refund_done {
                end(work, entry, attempt.no, &[K::RefundAnswer], S::Met, now_ms).await?;
            }
            Ok(())
        }
        // It may have arrived after all, long ago.
        AttemptState::Unknown if attempt.state == AttemptState::NotSent => {
            open(work, entry, attempt.no, &conclusion.expects, now_ms).await
        }
        AttemptState::Intent
        | AttemptState::Sending
        | AttemptState::Unknown
        | AttemptState::ByHand => Ok(()),
    }
}

/// What rows of the bank do to what is waited for, once `pending` payments are without an answer.
pub(super) async fn after_rows(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    pending: i64,
    expects: &[Expected],
    now_ms: i64,
) -> Result<(), StoreError> {
    use ExpectationKind as K;
    let of = |kind| expects.iter().find(|expected| expected.kind == kind).copied();
    end(work, entry, attempt.no, &[K::Acknowledgement], ExpectationState::Met, now_ms).await?;
    if pending > 0 {
        // One that was thought never to have arrived is waited for again (F31).
        let again = of(K::Result).filter(|_| attempt.state == AttemptState::NotSent);
        return open(work, entry, attempt.no, again.as_slice(), now_ms).await;
    }
    end(work, entry, attempt.no, &[K::Result], ExpectationState::Met, now_ms).await?;
    open(work, entry, attempt.no, of(K::Return).as_slice(), now_ms).await?;
    let Some(notice) = of(K::Notice) else { return Ok(()) };
    if work.the(UNTOLD, params![attempt.no], |row| row.int(0)).await? > 0 {
        return open(work, entry, attempt.no, &[notice], now_ms).await;
    }
    end(work, entry, attempt.no, &[K::Notice], ExpectationState::Met, now_ms).await
}

impl Store {
    /// Answers whose time has come and that nobody was told of, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn late_answers(&self, now_ms: i64, limit: i64) -> Result<Vec<Late>, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT e.attempt_no, e.kind, a.batch_no, a.refund_no, a.register_no, a.bank, a.reference, a.state, e.opened_at_ms, \
                   e.due_at_ms, COALESCE(b.pending, 0) FROM expectation e JOIN attempt a ON a.attempt_no = e.attempt_no \
                   LEFT JOIN batch b ON b.batch_no = a.batch_no WHERE e.state = 'open' AND e.due_at_ms <= $1 \
                   ORDER BY e.due_at_ms, e.attempt_no, e.kind LIMIT $2";
        let mut late = work
            .rows(sql, params![now_ms, limit], |row| {
                Ok(Late {
                    attempt: AttemptNo(row.int(0)?),
                    kind: row.word(1, ExpectationKind::parse)?,
                    batch: row.int_opt(2)?.map(BatchNo),
                    refund: row.int_opt(3)?.map(RefundNo),
                    register: RegisterNo(row.int(4)?),
                    bank: row.string(5)?,
                    reference: row.string(6)?,
                    state: row.word(7, AttemptState::parse)?,
                    opened_at_ms: row.int(8)?,
                    due_at_ms: row.int(9)?,
                    pending: row.int(10)?,
                    untold: 0,
                })
            })
            .await?;
        for one in late.iter_mut().filter(|one| one.kind == ExpectationKind::Notice) {
            one.untold = work.the(UNTOLD, params![one.attempt], |row| row.int(0)).await?;
        }
        work.commit().await?;
        Ok(late)
    }

    /// Raises the alert about an answer that did not come in time.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it came meanwhile.
    pub async fn overdue(&self, late: &Late, text: &str, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let mut entry = Entry::new("expectation.overdue", now_ms);
        let sql = "UPDATE expectation SET state = 'overdue', state_at_ms = $1 WHERE attempt_no = $2 AND kind = $3 AND state = 'open' AND due_at_ms = $4";
        let row = params![now_ms, late.attempt, late.kind.as_str(), late.due_at_ms];
        let moved = entry.vouched.returned(&mut work, &vouch::EXPECTATION, sql, row).await?;
        if moved != 1 {
            return Err(StoreError::Moved { sql, moved: moved as u64 });
        }
        entry.fact("attempt", late.attempt.0).fact("expected", late.kind.as_str());
        entry.fact("due_at_ms", late.due_at_ms);
        let (subject, register) =
            (expectation_subject(late.attempt, late.kind), Some(late.register));
        let (kind, batch) = (AlertKind::Overdue, late.batch);
        super::alerts::raise(&mut work, kind, &subject, register, batch, 0, text, now_ms).await?;
        entry.write_beside(&mut work, late.register).await?;
        self.done(work).await
    }

    /// The bank says again that it has what it was sent; its acknowledgement is not waited for any
    /// more, and it is well.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn acknowledged(&self, attempt: &Attempt, now_ms: i64) -> Result<(), StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM expectation WHERE attempt_no = $1 AND kind = 'acknowledgement' AND state IN ('open', 'overdue')) \
                   + (SELECT COUNT(*) FROM breaker WHERE bank = $2 AND run > 0 AND (last_no < $1 OR probe_no = $1))";
        let news =
            self.look().the(sql, params![attempt.no, &attempt.bank], |row| row.int(0)).await?;
        if news == 0 {
            return Ok(());
        }
        let mut work = self.write().await?;
        super::breaker::is_well(&mut work, attempt, Sign::Told, now_ms).await?;
        let kinds = [ExpectationKind::Acknowledgement];
        self.end_waiting(work, attempt, &kinds, now_ms).await
    }

    /// The bank had a word about late returns. The next one is due at `next`; there is none once the
    /// time is over in which a return may come. Of a bank that is asked every few minutes only every
    /// second half of the time that it has is written down.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn returns_told(
        &self,
        attempt: &Attempt,
        next: Option<Expected>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        const WAITS: &str = "attempt_no = $1 AND kind = 'return' AND state IN ('open', 'overdue')";
        let Some(next) = next else {
            let work = self.write().await?;
            return self.end_waiting(work, attempt, &[ExpectationKind::Return], now_ms).await;
        };
        let mut work = self.write().await?;
        let sql = "SELECT state, opened_at_ms, due_at_ms FROM expectation WHERE attempt_no = $1 AND kind = 'return' AND state IN ('open', 'overdue')";
        let waits = work
            .one(sql, params![attempt.no], |row| {
                Ok((row.word(0, ExpectationState::parse)?, row.int(1)?, row.int(2)?))
            })
            .await?;
        let Some((state, since, due)) = waits else { return Ok(()) };
        if state == ExpectationState::Open && next.due_at_ms - due < (due - since) / 2 {
            return Ok(());
        }
        let mut entry = Entry::new("expectation.renewed", now_ms);
        let sql = "UPDATE expectation SET state = 'open', state_at_ms = $1, opened_at_ms = $1, due_at_ms = $2 \
                   WHERE attempt_no = $3 AND kind = 'return' AND state = $4";
        let row = params![now_ms, next.due_at_ms, attempt.no, state.as_str()];
        work.move_one(sql, row).await?;
        entry.vouched.as_kept(&mut work, &vouch::EXPECTATION, WAITS, params![attempt.no]).await?;
        entry.fact("attempt", attempt.no.0).fact("expected", "return");
        let subject = expectation_subject(attempt.no, ExpectationKind::Return);
        super::alerts::clear(&mut work, AlertKind::Overdue, &subject, now_ms).await?;
        entry.write_beside(&mut work, attempt.register).await?;
        self.done(work).await
    }

    /// Ends what is waited for, in a transaction of its own that may have begun before.
    async fn end_waiting(
        &self,
        mut work: Work,
        attempt: &Attempt,
        kinds: &[ExpectationKind],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut entry = Entry::new("expectation.ended", now_ms);
        end(&mut work, &mut entry, attempt.no, kinds, ExpectationState::Met, now_ms).await?;
        if !entry.vouched.is_empty() {
            entry.fact("attempt", attempt.no.0);
            entry.write_beside(&mut work, attempt.register).await?;
        }
        self.done(work).await
    }
}
