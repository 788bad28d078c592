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
use crate::store::results::MEMBER;
use crate::store::sql::{Row, Work, params};

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

/// Where the money of a refused batch lies, as long as it lies where the refusal left it: unsent; or free
/// leftover where finance revoked its register; or with finance where another revision has it and did not send
/// it. Nothing where it moved on since.
pub(super) async fn where_refused_lies(
    work: &mut Work,
    batch: BatchNo,
) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT r.state FROM batch b JOIN register r ON r.register_no = b.register_no \
               WHERE b.batch_no = $1 AND b.state = 'refused'";
    let state = work.one(sql, params![batch], |row| row.word(0, RegisterState::parse)).await?;
    Ok(match state {
        Some(RegisterState::Accepted) => Some(Place::Unsent),
        Some(RegisterState::Revoked) if is_all_free(work, batch).await? => Some(Place::Refundable),
        Some(RegisterState::Superseded) if !super::revise::went_on(work, batch).await? => {
            Some(Place::Finance)
        }
        _ => None,
    })
}

/// Is every payment of a batch free leftover?
async fn is_all_free(work: &mut Work, batch: BatchNo) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT b.payments - (SELECT COUNT(*) FROM payment p JOIN leftover l ON l.register_no = p.register_no AND l.line = p.line \
         WHERE p.register_no = b.register_no AND p.bank = b.bank AND l.cause = 'dropped' AND l.state = 'open' AND {MEMBER}) \
         FROM batch b WHERE b.batch_no = $1"
    );
    let mut others = 0;
    let mut read = |row: &Row<'_>| {
        others = row.int(0)?;
        Ok(())
    };
    work.0.rows(sql.into(), params![batch], &mut read).await?;
    Ok(others == 0)
}

/// Whether the money of a refused refund still lies where the refusal left it: all that it listed is free leftover.
pub(super) async fn refund_is_untouched(
    work: &mut Work,
    refund: RefundNo,
) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM refund f WHERE f.refund_no = $1 AND f.state = 'refused' AND NOT EXISTS \
               (SELECT 1 FROM refund_line n LEFT JOIN leftover l ON l.register_no = f.register_no AND l.line = n.line AND l.state = 'open' \
               WHERE n.refund_no = f.refund_no AND l.line IS NULL)";
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
        "the money of {what} is not where the refusal left it any more: it was cut again, given back, or finance took it back. \
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
    let Some(from) = where_refused_lies(work, batch).await? else {
        return Err(moved_on(batch));
    };
    let sql = "UPDATE batch SET state = 'open' WHERE batch_no = $1 AND state = 'refused'";
    work.move_one(sql, params![batch]).await?;
    work.run("UPDATE batch_payment SET live = 1 WHERE batch_no = $1", params![batch]).await?;
    let sql = "SELECT payments, sum_fen FROM batch WHERE batch_no = $1";
    let (payments, amount) =
        work.the(sql, params![batch], |row| Ok((row.int(0)?, Fen::new(row.int(1)?)))).await?;
    let cause = Cause { batch: Some(batch), ..Cause::default() };
    let (register, bank) = (attempt.register, attempt.bank.as_str());
    if from == Place::Refundable {
        super::holds::take_up_batch(work, register, bank, batch).await?;
    }
    let to = Place::InFlight;
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
               AND line IN (SELECT line FROM refund_line WHERE refund_no = $2)";
    let row = params![LeftoverState::Reserved.as_str(), refund, attempt.register];
    work.run(sql, row).await?;
    super::alerts::clear(work, AlertKind::RefundRefused, &refund.to_string(), now_ms).await?;
    contradicted(work, attempt, alert, now_ms).await
}
