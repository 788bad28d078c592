//! Refunds: leftover reserved for one, and what the bank's answer does to it (I8).

use crate::model::alert::AlertKind;
use crate::model::id::{AttemptNo, RefundNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::refund::{LeftoverState, RefundState};
use crate::store::attempts::Attempt;
use crate::store::cut::{Carries, FormatText, SealedPart, keep_format, len, sum};
use crate::store::digest::digest_parts;
use crate::store::journal::{Cause, Entry, Move};
use crate::store::numbers::Reference;
use crate::store::sql::{Row, Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Store, StoreError};

/// A refund with its attempt, ready to be made durable.
#[derive(Debug)]
pub struct NewRefund {
    pub register: RegisterNo,
    /// The share.
    pub bank: String,
    /// The bank that holds the pool account.
    pub via_bank: String,
    pub pool_account: String,
    pub voucher_no: String,
    pub members: Vec<(i64, Fen)>,
    pub format: FormatText,
    pub way: WayBack,
}

/// The condition under which the bank said of a payment that failed, leftover `l`, that it was credited after all,
/// and nobody has settled that.
pub(super) const CREDITED_AFTER_ALL: &str = "EXISTS (SELECT 1 FROM attempt a \
    JOIN outcome c ON c.attempt_no = a.attempt_no AND c.line = l.line AND c.kind = 'credited' \
    JOIN outcome f ON f.attempt_no = a.attempt_no AND f.line = l.line AND f.kind = 'failed' \
    WHERE a.register_no = l.register_no AND NOT EXISTS (SELECT 1 FROM outcome r \
    WHERE r.attempt_no = a.attempt_no AND r.line = l.line AND r.kind IN ('returned', 'settled_failed')))";

/// How money goes back.
#[derive(Debug)]
pub enum WayBack {
    /// The bank is asked for it with a message.
    Asked { reference: Reference, parts: Vec<SealedPart> },
    /// The bank has no message for it: people give it back. `task`: what they are told to do.
    ByHand { task: String },
}

/// What a refund that people carry out is called. It is none of the bank's series: the next number of that must be
/// the next message's.
pub(super) fn by_hand_reference(refund: RefundNo) -> String {
    format!("by-hand-{refund}")
}

impl Store {
    /// Makes a refund and its attempt durable in state INTENT, or `BY_HAND` where people carry it out, and reserves
    /// its payments.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where one of its payments is no longer free leftover (I8).
    pub async fn intend_refund(
        &self,
        new: &NewRefund,
        now_ms: i64,
    ) -> Result<(RefundNo, AttemptNo), StoreError> {
        let (payments, total) = (len(new.members.len()), sum(&new.members));
        let mut work = self.write().await?;
        let (kind, reference, parts) = match &new.way {
            WayBack::Asked { reference, parts } => {
                ("refund.intent", Some(reference), parts.as_slice())
            }
            WayBack::ByHand { .. } => ("refund.by_hand", None, &[][..]),
        };
        let mut entry = Entry::new(kind, now_ms);
        keep_format(&mut work, &mut entry, &new.format).await?;
        let sql = "INSERT INTO refund (register_no, bank, via_bank, pool_account, voucher_no, payments, sum_fen, state, opened_at_ms, state_at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9) RETURNING refund_no";
        let row = params![
            new.register,
            &new.bank,
            &new.via_bank,
            &new.pool_account,
            &new.voucher_no,
            payments,
            total,
            now_ms,
            now_ms
        ];
        let refund = work.the(sql, row, |row| Ok(RefundNo(row.int(0)?))).await?;
        for (line, amount) in &new.members {
            let sql = "UPDATE leftover SET state = 'reserved', refund_no = $1 WHERE register_no = $2 AND line = $3 AND state = 'open' AND amount_fen = $4";
            work.move_one(sql, params![refund, new.register, *line, *amount]).await?;
        }
        let sql = "INSERT INTO refund_line (refund_no, line, amount_fen) SELECT refund_no, line, amount_fen FROM leftover WHERE refund_no = $1";
        work.run(sql, params![refund]).await?;
        let attempt = self
            .insert_attempt(
                &mut work,
                Carries::Refund(refund),
                new.register,
                &new.via_bank,
                reference,
                &new.format,
                parts,
                now_ms,
            )
            .await?;
        if let WayBack::ByHand { task } = &new.way {
            give_to_people(&mut work, new.register, refund, attempt, task, now_ms).await?;
        }
        entry
            .fact("refund", refund.0)
            .fact("attempt", attempt.0)
            .fact("bank", new.bank.as_str())
            .fact("via_bank", new.via_bank.as_str());
        let reference =
            reference.map_or_else(|| by_hand_reference(refund), |reference| reference.text.clone());
        entry.fact("reference", reference).fact("payments", payments).fact("sum_fen", total.get());
        for (line, amount) in &new.members {
            entry.rows.row("refund_line").int(*line).int(amount.get());
        }
        digest_parts(&mut entry.rows, parts);
        vouch_for(&mut work, &mut entry, None, attempt).await?;
        let this = params![refund];
        entry.vouched.as_kept(&mut work, &vouch::REFUND, "refund_no = $1", this).await?;
        entry.write_for(&mut work, new.register).await?;
        self.done(work).await?;
        Ok((refund, attempt))
    }
}

/// Tells people of a refund that they carry out, and how they say that it was made.
async fn give_to_people(
    work: &mut Work,
    register: RegisterNo,
    refund: RefundNo,
    attempt: AttemptNo,
    task: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let text = format!(
        "{task}（退款 {refund}）。退回之后由两人核定：daifa decide propose {attempt} received，附退款凭证；没有退也不退的，核定为 never"
    );
    let (kind, about) = (AlertKind::RefundByHand, attempt.to_string());
    super::alerts::raise(work, kind, &about, Some(register), None, 0, &text, now_ms).await?;
    Ok(())
}

pub(super) async fn refuse_refund(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    refund: RefundNo,
    alert: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT state FROM refund WHERE refund_no = $1";
    let state = work.the(sql, params![refund], |row| row.word(0, RefundState::parse)).await?;
    if state != RefundState::Open {
        return Err(StoreError::Refused(format!(
            "{refund} is {state}; a bank cannot refuse it any more"
        )));
    }
    let sql = "UPDATE refund SET state = 'refused', state_at_ms = $1 WHERE refund_no = $2 AND state = 'open'";
    work.move_one(sql, params![now_ms, refund]).await?;
    set_free(work, entry, attempt, refund).await?;
    entry.fact("refund", refund.0);
    super::alerts::raise(
        work,
        AlertKind::RefundRefused,
        &refund.to_string(),
        Some(attempt.register),
        None,
        0,
        alert,
        now_ms,
    )
    .await?;
    Ok(())
}

/// Makes the payments of a refund that will not be made free leftover again, but for those that were credited
/// meanwhile. Says how many are free.
pub(super) async fn set_free(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    refund: RefundNo,
) -> Result<i64, StoreError> {
    freeze_contradicted(work, entry, attempt, refund).await?;
    let sql =
        "UPDATE leftover SET state = $1, refund_no = NULL WHERE refund_no = $2 AND state = $3";
    let row = params![LeftoverState::Open.as_str(), refund, LeftoverState::Reserved.as_str()];
    Ok(i64::try_from(work.run(sql, row).await?).unwrap_or(i64::MAX))
}

/// A payment of a refund that will not be made and that was credited meanwhile: its money never went back, so the
/// credit is no more than was approved. It is a contradiction like any other, frozen in flight, and
/// not leftover that the next refund could list (I8, I11).
async fn freeze_contradicted(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    refund: RefundNo,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT l.line, l.bank, l.amount_fen FROM leftover l WHERE l.refund_no = $1 AND {CREDITED_AFTER_ALL} ORDER BY l.line"
    );
    let mut lines = Vec::new();
    let mut read = |row: &Row<'_>| {
        lines.push((row.int(0)?, row.string(1)?, Fen::new(row.int(2)?)));
        Ok(())
    };
    work.0.rows(sql.into(), params![refund], &mut read).await?;
    for (line, bank, amount) in lines {
        let sql = "UPDATE leftover SET state = 'withdrawn', refund_no = NULL WHERE register_no = $1 AND line = $2 AND state = 'reserved'";
        work.move_one(sql, params![attempt.register, line]).await?;
        let cause = Cause { refund: Some(refund), ..Cause::default() };
        let (register, bank) = (attempt.register, bank.as_str());
        for (from, to) in [(Place::Disputed, Place::Finance), (Place::Refundable, Place::InFlight)]
        {
            let frozen = Move { register, bank, from, to, payments: 1, amount, cause };
            entry.post(work, frozen).await?;
        }
    }
    Ok(())
}

pub(super) async fn confirm_refund(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    refund: RefundNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT bank, payments, sum_fen, state FROM refund WHERE refund_no = $1";
    let (bank, payments, sum, state) = work
        .the(sql, params![refund], |row| {
            Ok((
                row.string(0)?,
                row.int(1)?,
                Fen::new(row.int(2)?),
                row.word(3, RefundState::parse)?,
            ))
        })
        .await?;
    if state == RefundState::Confirmed {
        return Ok(());
    }
    let sql = "UPDATE refund SET state = 'confirmed', state_at_ms = $1 WHERE refund_no = $2 AND state = 'open'";
    work.move_one(sql, params![now_ms, refund]).await?;
    let sql = "UPDATE leftover SET state = $1 WHERE refund_no = $2 AND state = $3";
    let moved = work
        .run(
            sql,
            params![LeftoverState::Refunded.as_str(), refund, LeftoverState::Reserved.as_str()],
        )
        .await?;
    if i64::try_from(moved) != Ok(payments) {
        return Err(StoreError::Inconsistent {
            what: format!("{refund} lists {payments} payments and reserves {moved}"),
        });
    }
    entry.fact("refund", refund.0);
    // Earlier refusals of the same share are over: the money went back after all.
    let sql = "SELECT r.refund_no FROM refund r JOIN refund f ON f.register_no = r.register_no AND f.bank = r.bank \
               WHERE f.refund_no = $1 AND r.state = 'refused'";
    for earlier in work.rows(sql, params![refund], |row| Ok(RefundNo(row.int(0)?))).await? {
        super::alerts::clear(work, AlertKind::RefundRefused, &earlier.to_string(), now_ms).await?;
    }
    let cause = Cause { refund: Some(refund), ..Cause::default() };
    let back = Move {
        register: attempt.register,
        bank: &bank,
        from: Place::Refundable,
        to: Place::Refunded,
        payments,
        amount: sum,
        cause,
    };
    entry.post(work, back).await
}
