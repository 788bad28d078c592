//! What the refusal of a batch does to its money, and what undoes a refusal: two people who found that the
//! bank did after all what it had refused.

use crate::model::alert::AlertKind;
use crate::model::id::{BatchNo, RefundNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::refund::LeftoverState;
use crate::model::register::RegisterState;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::journal::{Cause, Entry, Move};
use crate::store::sql::{Work, params};

/// The bank refused a batch: its payments are unsent again.
pub(super) async fn refuse_batch(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    batch: BatchNo,
    conclusion: &Conclusion,
    now_ms: i64,
) -> Result<(), StoreError> {
    if !conclusion.event.is_decided() && was_taken_back(work, attempt).await? {
        return Err(StoreError::Refused(format!(
            "two people found that the bank has {batch}, which it had refused before"
        )));
    }
    let sql = "SELECT payments, pending, sum_fen FROM batch WHERE batch_no = $1";
    let (payments, pending, sum) = work
        .the(sql, params![batch], |row| Ok((row.int(0)?, row.int(1)?, Fen::new(row.int(2)?))))
        .await?;
    if payments != pending {
        return Err(StoreError::Refused(format!(
            "{batch} has results; a bank cannot refuse it any more"
        )));
    }
    work.move_one(
        "UPDATE batch SET state = 'refused' WHERE batch_no = $1 AND state = 'open'",
        params![batch],
    )
    .await?;
    work.run("UPDATE batch_payment SET live = 0 WHERE batch_no = $1", params![batch]).await?;
    // Of a register that finance took back nothing is sent again: what comes back goes where its
    // unsent part went.
    let to = match super::holds::register_state(work, attempt.register).await? {
        RegisterState::Superseded => Place::Finance,
        RegisterState::Revoked => {
            super::holds::drop_batch(work, attempt.register, &attempt.bank, batch, now_ms).await?;
            Place::Refundable
        }
        _ => Place::Unsent,
    };
    let cause = Cause { batch: Some(batch), ..Cause::default() };
    let (register, bank) = (attempt.register, attempt.bank.as_str());
    let from = Place::InFlight;
    let back = Move { register, bank, from, to, payments, amount: sum, cause };
    entry.post(work, back).await?;
    super::alerts::raise(
        work,
        AlertKind::BatchRefused,
        &batch.to_string(),
        Some(attempt.register),
        Some(batch),
        0,
        &conclusion.alert,
        now_ms,
    )
    .await?;
    Ok(())
}

/// Did two people find that the bank has what it refused, and is not all of it answered for yet? Its saying once
/// more that it refused it then undoes nothing.
async fn was_taken_back(work: &mut Work, attempt: &Attempt) -> Result<bool, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM decision WHERE subject = $1 AND verdict = 'received' AND state = 'confirmed') \
               * (SELECT COUNT(*) FROM alert WHERE kind = $2 AND subject = $3 AND cleared_at_ms IS NULL)";
    let no = attempt.no.to_string();
    let about = params![&no, AlertKind::Contradiction.as_str(), &no];
    work.the(sql, about, |row| Ok(row.int(0)? > 0)).await
}

/// Whether the money of a refused batch still lies where the refusal left it.
pub(super) async fn batch_is_untouched(
    work: &mut Work,
    batch: BatchNo,
) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM batch b JOIN register r ON r.register_no = b.register_no \
               WHERE b.batch_no = $1 AND b.state = 'refused' AND r.state = 'accepted'";
    work.the(sql, params![batch], |row| Ok(row.int(0)? == 1)).await
}

/// Whether the money of a refused refund still lies where the refusal left it: as many payments of the share,
/// and as much, are free leftover since before that refund was made.
pub(super) async fn refund_is_untouched(
    work: &mut Work,
    refund: RefundNo,
) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM refund f WHERE f.refund_no = $1 AND f.state = 'refused' \
               AND f.payments = (SELECT COUNT(*) FROM leftover l WHERE l.register_no = f.register_no AND l.bank = f.bank \
               AND l.state = 'open' AND l.at_ms <= f.opened_at_ms) \
               AND f.sum_fen = (SELECT COALESCE(SUM(l.amount_fen), 0) FROM leftover l WHERE l.register_no = f.register_no \
               AND l.bank = f.bank AND l.state = 'open' AND l.at_ms <= f.opened_at_ms)";
    work.the(sql, params![refund], |row| Ok(row.int(0)? == 1)).await
}

/// The bank may have done what it refused, or two people found that it did: a batch is in flight again, a refund
/// reserves its payments again. Nothing else is done with that money until it is known.
pub(super) async fn take_back(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    alert: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    match (attempt.batch, attempt.refund) {
        (Some(batch), _) => take_back_batch(work, entry, attempt, batch, alert, now_ms).await,
        (None, Some(refund)) => take_back_refund(work, attempt, refund, alert, now_ms).await,
        (None, None) => Ok(()),
    }
}

/// The money went elsewhere since the refusal.
fn moved_on(what: impl std::fmt::Display) -> StoreError {
    StoreError::Refused(format!(
        "the money of {what} is not where the refusal left it any more: it was cut again, or finance took it back. \
         What was paid beside that is to be settled with the bank"
    ))
}

async fn take_back_batch(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    batch: BatchNo,
    alert: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    if !batch_is_untouched(work, batch).await? {
        return Err(moved_on(batch));
    }
    let sql = "UPDATE batch SET state = 'open' WHERE batch_no = $1 AND state = 'refused'";
    work.move_one(sql, params![batch]).await?;
    work.run("UPDATE batch_payment SET live = 1 WHERE batch_no = $1", params![batch]).await?;
    let sql = "SELECT payments, sum_fen FROM batch WHERE batch_no = $1";
    let (payments, amount) =
        work.the(sql, params![batch], |row| Ok((row.int(0)?, Fen::new(row.int(1)?)))).await?;
    let cause = Cause { batch: Some(batch), ..Cause::default() };
    let (register, bank) = (attempt.register, attempt.bank.as_str());
    let (from, to) = (Place::Unsent, Place::InFlight);
    entry.post(work, Move { register, bank, from, to, payments, amount, cause }).await?;
    let refused = AlertKind::BatchRefused;
    super::alerts::clear(work, refused, &batch.to_string(), now_ms).await?;
    contradicted(work, attempt, alert, now_ms).await
}

/// What stands is of before; what comes next is told anew.
async fn contradicted(
    work: &mut Work,
    attempt: &Attempt,
    alert: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (kind, about) = (AlertKind::Contradiction, attempt.no.to_string());
    let (register, batch) = (Some(attempt.register), attempt.batch);
    super::alerts::clear(work, kind, &about, now_ms).await?;
    super::alerts::raise(work, kind, &about, register, batch, 0, alert, now_ms).await?;
    Ok(())
}

async fn take_back_refund(
    work: &mut Work,
    attempt: &Attempt,
    refund: RefundNo,
    alert: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    if !refund_is_untouched(work, refund).await? {
        return Err(moved_on(refund));
    }
    let sql = "UPDATE refund SET state = 'open', state_at_ms = $1 WHERE refund_no = $2 AND state = 'refused'";
    work.move_one(sql, params![now_ms, refund]).await?;
    let sql = "UPDATE leftover SET state = $1, refund_no = $2 WHERE state = 'open' AND register_no = $3 \
               AND bank = (SELECT bank FROM refund WHERE refund_no = $2) \
               AND at_ms <= (SELECT opened_at_ms FROM refund WHERE refund_no = $2)";
    let row = params![LeftoverState::Reserved.as_str(), refund, attempt.register];
    work.run(sql, row).await?;
    super::alerts::clear(work, AlertKind::RefundRefused, &refund.to_string(), now_ms).await?;
    contradicted(work, attempt, alert, now_ms).await
}
