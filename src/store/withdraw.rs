//! Withdrawing a batch or a refund of which provably nothing left: its attempt is closed, its payments wait
//! for a new one, and the number that it bore is free again.
//!
//! Only this makes it safe to write anew that were handed to a door before: the attempt was never
//! of unknown fate. One that a bank did not find may have arrived once all the same, and goes again in the
//! same bytes under the same reference, or not at all (I1, I2). What was made before the database was
//! restored may have been sent by the one that was lost.

use crate::model::alert::AlertKind;
use crate::model::attempt::AttemptEvent;
use crate::model::id::{BatchNo, RefundNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::register::RegisterState;
use crate::store::attempts::{Attempt, step};
use crate::store::journal::{Cause, Entry, Move};
use crate::store::recut::let_wait;
use crate::store::refunds::set_free;
use crate::store::sql::{Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Store, StoreError, breaker, numbers};

/// Digits at the end of a reference: two of the restore epoch, ten of the number.
const EPOCH_AND_NUMBER: usize = 12;

impl Store {
    /// Closes an attempt that never left, and lets what it carried wait for a new one: payments for a batch,
    /// leftover for a refund. Says how many.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it is not as it was read; [`StoreError::Refused`] in plain words where
    /// it may have left, or its payments are not sent any more.
    pub async fn withdraw(
        &self,
        attempt: &Attempt,
        by: &str,
        why: &str,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.withdraw_also(attempt, by, why, now_ms, false).await
    }

    /// The same, also of a register that finance took back or that another revision replaced: what is in such a batch
    /// goes where the register's unsent part went. Else it would be sent as it is.
    ///
    /// # Errors
    /// As [`Store::withdraw`].
    pub async fn withdraw_doubted(
        &self,
        attempt: &Attempt,
        why: &str,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.withdraw_also(attempt, "daifa", why, now_ms, true).await
    }

    async fn withdraw_also(
        &self,
        attempt: &Attempt,
        by: &str,
        why: &str,
        now_ms: i64,
        replaced: bool,
    ) -> Result<i64, StoreError> {
        if !attempt.never_left() {
            return Err(StoreError::Refused(format!(
                "{} may have reached the bank; it cannot be withdrawn",
                attempt.no
            )));
        }
        let mut work = self.write().await?;
        if !is_of_this_epoch(&mut work, &attempt.reference).await? {
            return Err(StoreError::Refused(format!(
                "{} was made before the database was restored and may have reached the bank; it cannot be withdrawn",
                attempt.no
            )));
        }
        step(&mut work, attempt, AttemptEvent::Closed, now_ms).await?;
        let sql =
            "UPDATE attempt SET next_at_ms = NULL WHERE attempt_no = $1 AND lost_at_ms IS NULL";
        work.move_one(sql, params![attempt.no]).await?;
        let (mut entry, waiting) = match (attempt.batch, attempt.refund) {
            (Some(batch), _) => release_batch(&mut work, attempt, batch, replaced, now_ms).await?,
            (None, Some(refund)) => release_refund(&mut work, attempt, refund, now_ms).await?,
            (None, None) => {
                let what = format!("{} carries nothing", attempt.no);
                return Err(StoreError::Inconsistent { what });
            }
        };
        entry.fact("attempt", attempt.no.0).fact("by", by).fact("why", why);
        breaker::give_back(&mut work, &mut entry, attempt, now_ms).await?;
        numbers::free(&mut work, &mut entry, attempt.no, now_ms).await?;
        let subject = attempt.no.to_string();
        super::alerts::clear(&mut work, AlertKind::Submit, &subject, now_ms).await?;
        vouch_for(&mut work, &mut entry, attempt.batch, attempt.no).await?;
        entry.write_for(&mut work, attempt.register).await?;
        self.done(work).await?;
        Ok(waiting)
    }
}

/// Lets the payments of a batch wait for the next one. The entry is still to be written.
async fn release_batch(
    work: &mut Work,
    attempt: &Attempt,
    batch: BatchNo,
    replaced: bool,
    now_ms: i64,
) -> Result<(Entry, i64), StoreError> {
    let sql = "UPDATE batch SET state = 'recut' WHERE batch_no = $1 AND state = 'open' AND pending = payments";
    work.move_one(sql, params![batch]).await?;
    let sql = "SELECT b.payments, b.sum_fen, r.state FROM batch b JOIN register r ON r.register_no = b.register_no WHERE b.batch_no = $1";
    let (payments, amount, register) = work
        .the(sql, params![batch], |row| {
            Ok((row.int(0)?, Fen::new(row.int(1)?), row.word(2, RegisterState::parse)?))
        })
        .await?;
    let state = register;
    if state != RegisterState::Accepted && !replaced {
        return Err(StoreError::Refused(format!(
            "{} is {state}; its payments are not sent any more",
            attempt.register
        )));
    }
    work.run("UPDATE batch_payment SET live = 0 WHERE batch_no = $1", params![batch]).await?;
    let mut entry = Entry::new("batch.withdrawn", now_ms);
    let (register, bank) = (attempt.register, attempt.bank.as_str());
    let to = match state {
        RegisterState::Superseded => Place::Finance,
        RegisterState::Revoked => {
            super::holds::drop_batch(work, register, bank, batch, now_ms).await?;
            Place::Refundable
        }
        _ => Place::Unsent,
    };
    let from = Place::InFlight;
    let cause = Cause { batch: Some(batch), ..Cause::default() };
    entry.post(work, Move { register, bank, from, to, payments, amount, cause }).await?;
    let waiting =
        if to == Place::Unsent { let_wait(work, batch, register, bank).await? } else { 0 };
    entry.fact("batch", batch.0).fact("payments", payments).fact("waiting", waiting);
    Ok((entry, waiting))
}

/// Lets the leftover of a refund wait for the next one: it was refundable all the time, and reserved. The
/// entry is still to be written.
async fn release_refund(
    work: &mut Work,
    attempt: &Attempt,
    refund: RefundNo,
    now_ms: i64,
) -> Result<(Entry, i64), StoreError> {
    let sql = "UPDATE refund SET state = 'withdrawn', state_at_ms = $1 WHERE refund_no = $2 AND state = 'open'";
    work.move_one(sql, params![now_ms, refund]).await?;
    let mut entry = Entry::new("refund.withdrawn", now_ms);
    let waiting = set_free(work, &mut entry, attempt, refund).await?;
    entry.fact("refund", refund.0).fact("waiting", waiting);
    let this = params![refund];
    entry.vouched.as_kept(work, &vouch::REFUND, "refund_no = $1", this).await?;
    Ok((entry, waiting))
}

/// Was this reference made since the database was last restored?
async fn is_of_this_epoch(work: &mut Work, reference: &str) -> Result<bool, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = 'epoch'";
    let epoch = work.one(sql, params![], |row| row.string(0)).await?;
    let epoch: i64 = epoch.and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
    let at = reference.len().saturating_sub(EPOCH_AND_NUMBER);
    let own = reference.get(at..at + 2).and_then(|digits| digits.parse().ok());
    Ok(own == Some(epoch))
}
