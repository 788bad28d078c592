//! What finance and operators decide about payments that are not sent yet: release, drop, revoke.

use crate::model::hold::{HoldEvent, HoldReason};
use crate::model::id::{BatchNo, PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::refund::{LeftoverCause, LeftoverState};
use crate::model::register::RegisterState;
use crate::store::intake::{HOLD_INSERT, NewHold, hold_row};
use crate::store::journal::{Cause, Entry, Move, count};
use crate::store::reports::NewReport;
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// The condition under which a payment `p` is unsent: in no live batch, and not leftover.
pub(super) const UNSENT: &str = "NOT EXISTS (SELECT 1 FROM leftover l WHERE l.register_no = p.register_no AND l.line = p.line AND l.state <> 'withdrawn') \
    AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.register_no = p.register_no AND b.bank = p.bank AND b.state IN ('open', 'settled') \
    AND ((b.listed = 0 AND p.line BETWEEN b.first_line AND b.last_line \
    AND NOT EXISTS (SELECT 1 FROM batch_except e WHERE e.batch_no = b.batch_no AND e.line = p.line)) \
    OR (b.listed = 1 AND EXISTS (SELECT 1 FROM batch_payment m WHERE m.batch_no = b.batch_no AND m.line = p.line))))";

/// What is decided about a payment that is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Release,
    Drop,
}

/// Payments of a share to be set aside after intake.
#[derive(Debug, Clone)]
pub struct LateHolds {
    pub register: RegisterNo,
    pub bank: String,
    /// Do they come out of what waits for a listed batch, or out of the range not cut yet?
    pub listed: bool,
    /// Where the share's range stood when this was read.
    pub cut_line: i64,
    pub holds: Vec<(i64, NewHold)>,
}

/// A payment that is set aside now.
#[derive(Debug, Clone)]
pub struct Held {
    pub payment: PaymentId,
    pub bank: String,
    pub town: i64,
    pub amount: Fen,
    pub person: Vec<u8>,
    pub reason: HoldReason,
    pub detail: String,
    pub placed_at_ms: i64,
}

/// Where one payment stands, as far as paying its person again is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is no such payment, or its register was refused.
    Absent,
    /// Set aside.
    Held,
    /// Unsent, and will be sent.
    Unsent,
    /// In a batch: in flight or credited.
    Sent,
    /// Dropped, failed or returned: its money is or goes back.
    Back,
    /// Unsent in a revision that another one replaced or that was revoked.
    Withdrawn,
}

impl Store {
    /// Applies a decision to a payment that is set aside. A repetition of the same decision is
    /// answered as before and changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] in plain words where the payment is not set aside or its register
    /// is no longer being paid.
    pub async fn decide_hold(
        &self,
        payment: PaymentId,
        decision: Decision,
        by: &str,
        why: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let Some((last_event, event_no, reason)) = last_hold(&mut work, payment).await? else {
            return Err(StoreError::Refused(format!("{payment} is not set aside")));
        };
        let event = match decision {
            Decision::Release => HoldEvent::Released,
            Decision::Drop => HoldEvent::Dropped,
        };
        if last_event == event {
            return Ok(());
        }
        if last_event != HoldEvent::Placed {
            return Err(StoreError::Refused(format!("{payment} was already {last_event}")));
        }
        let state = register_state(&mut work, payment.register).await?;
        if state != RegisterState::Accepted {
            return Err(StoreError::Refused(format!(
                "{} is {state}; only a register that is being paid can change",
                payment.register
            )));
        }
        let row =
            hold_row(payment.register, payment.line, event_no + 1, event, reason, why, by, now_ms);
        let (bank, amount) = bank_and_amount(&mut work, payment).await?;
        let kind = if event == HoldEvent::Released { "hold.released" } else { "hold.dropped" };
        let mut entry = Entry::new(kind, now_ms);
        entry.vouched.row(&vouch::HOLD, &row);
        work.insert(HOLD_INSERT, 8, row, self.dialect.bulk()).await?;
        entry
            .fact("line", payment.line)
            .fact("by", by)
            .fact("why", why)
            .fact("reason", reason.as_str());
        if event == HoldEvent::Released {
            let sql = "INSERT INTO waiting (register_no, line, bank) VALUES ($1, $2, $3)";
            work.run(sql, params![payment.register, payment.line, &bank]).await?;
            count(&mut work, payment.register, &bank, &[("held", -1), ("waiting", 1)]).await?;
        } else {
            drop_payment(&mut work, payment, &bank, amount, now_ms).await?;
            count(&mut work, payment.register, &bank, &[("held", -1), ("dropped", 1)]).await?;
            entry.post(&mut work, dropped(payment.register, &bank, 1, amount)).await?;
        }
        entry.write_for(&mut work, payment.register).await?;
        self.done(work).await
    }

    /// The bank of a payment that is set aside because nobody knows its bank, where that is still so:
    /// released, it would wait for ever.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn unknown_bank(
        &self,
        payment: PaymentId,
        known: &[&str],
    ) -> Result<Option<String>, StoreError> {
        let mut work = self.read().await?;
        let held = last_hold(&mut work, payment).await?;
        let waits = held.is_some_and(|(event, _, _)| event == HoldEvent::Placed);
        let bank = if waits { Some(bank_and_amount(&mut work, payment).await?.0) } else { None };
        work.commit().await?;
        Ok(bank.filter(|bank| !known.contains(&bank.as_str())))
    }

    /// Sets unsent payments aside that cannot be written as they are: released although they could
    /// not, or no longer writable in the bank's format. They wait for a decision like those of
    /// intake, and hold up nobody else.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where the share is no longer as it was read.
    pub async fn set_aside_later(
        &self,
        new: &LateHolds,
        reports: &[NewReport],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let (register, bank) = (new.register, new.bank.as_str());
        let mut work = self.write().await?;
        let count_of = i64::try_from(new.holds.len()).unwrap_or(i64::MAX);
        // A range stands where it stood also where finance took back what is behind it.
        let sql = "UPDATE share SET held = held + $1 WHERE register_no = $2 AND bank = $3 AND cut_line = $4 \
                   AND EXISTS (SELECT 1 FROM register r WHERE r.register_no = share.register_no AND r.state = 'accepted')";
        work.move_one(sql, params![count_of, register, bank, new.cut_line]).await?;
        let mut entry = Entry::new("hold.placed", now_ms);
        let lines: Vec<i64> = new.holds.iter().map(|(line, _)| *line).collect();
        entry.fact("bank", bank).fact("lines", lines);
        for (line, hold) in &new.holds {
            let payment = PaymentId { register, line: *line };
            let last = last_hold(&mut work, payment).await?;
            if new.listed {
                let sql = "DELETE FROM waiting WHERE register_no = $1 AND line = $2";
                work.move_one(sql, params![register, *line]).await?;
            } else if last.is_some() {
                // Somebody else set it aside meanwhile.
                return Err(StoreError::Moved { sql, moved: 0 });
            }
            // The first event belongs to what was accepted at intake.
            let event_no = last.map_or(2, |(_, no, _)| no + 1);
            let event = HoldEvent::Placed;
            let row = hold_row(
                register,
                *line,
                event_no,
                event,
                hold.reason,
                &hold.detail,
                "convert",
                now_ms,
            );
            entry.vouched.row(&vouch::HOLD, &row);
            work.insert(HOLD_INSERT, 8, row, self.dialect.bulk()).await?;
        }
        let from = if new.listed { "waiting" } else { "uncut" };
        count(&mut work, register, bank, &[(from, -count_of)]).await?;
        super::reports::insert(&mut work, &mut entry, reports, now_ms).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await
    }

    /// Drops everything of a register that is unsent, at finance's word. What was sent goes on.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn revoke_register(
        &self,
        source: &str,
        id: &str,
        revision: i64,
        now_ms: i64,
    ) -> Result<Option<RegisterNo>, StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT register_no FROM register WHERE source = $1 AND id = $2 AND revision = $3 AND state IN ('accepted', 'closed')";
        let Some(register) =
            work.one(sql, params![source, id, revision], |row| Ok(RegisterNo(row.int(0)?))).await?
        else {
            return Ok(None);
        };
        let mut entry = Entry::new("register.revoked", now_ms);
        entry.fact("register", register.0);
        let sql = "UPDATE register SET state = 'revoked', state_at_ms = $1 WHERE register_no = $2 AND state IN ('accepted', 'closed')";
        work.move_one(sql, params![now_ms, register]).await?;
        let sql = "SELECT bank, unsent_fen, uncut, held, waiting FROM share WHERE register_no = $1";
        let shares = work
            .rows(sql, params![register], |row| {
                Ok((row.string(0)?, Fen::new(row.int(1)?), row.int(2)?, row.int(3)?, row.int(4)?))
            })
            .await?;
        let insert = format!(
            "INSERT INTO leftover (register_no, line, bank, amount_fen, cause, state, at_ms) \
             SELECT p.register_no, p.line, p.bank, p.amount_fen, 'dropped', 'open', CAST($1 AS BIGINT) FROM payment p WHERE p.register_no = $2 AND p.bank = $3 AND {UNSENT}"
        );
        for (bank, unsent, uncut, held, waiting) in shares {
            let lines = work.0.run(insert.clone().into(), params![now_ms, register, &bank]).await?;
            let lines = i64::try_from(lines).unwrap_or(i64::MAX);
            entry.post(&mut work, dropped(register, &bank, lines, unsent)).await?;
            let changes =
                [("uncut", -uncut), ("held", -held), ("waiting", -waiting), ("dropped", lines)];
            count(&mut work, register, &bank, &changes).await?;
        }
        work.run("DELETE FROM waiting WHERE register_no = $1", params![register]).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await?;
        Ok(Some(register))
    }

    /// Payments that are set aside now, of one register.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn held(&self, register: RegisterNo) -> Result<Vec<Held>, StoreError> {
        let sql = "SELECT p.line, p.bank, p.town, p.amount_fen, p.person, h.reason, h.detail, h.at_ms \
                   FROM hold h JOIN payment p ON p.register_no = h.register_no AND p.line = h.line \
                   WHERE h.register_no = $1 AND h.event = 'placed' AND NOT EXISTS (SELECT 1 FROM hold n \
                   WHERE n.register_no = h.register_no AND n.line = h.line AND n.event_no > h.event_no) ORDER BY p.line";
        self.look()
            .rows(sql, params![register], |row| {
                Ok(Held {
                    payment: PaymentId { register, line: row.int(0)? },
                    bank: row.string(1)?,
                    town: row.int(2)?,
                    amount: Fen::new(row.int(3)?),
                    person: row.blob(4)?.to_vec(),
                    reason: row.word(5, HoldReason::parse)?,
                    detail: row.string(6)?,
                    placed_at_ms: row.int(7)?,
                })
            })
            .await
    }

    /// Payments set aside before `before_ms` and still so: a configured time drops them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn held_since(
        &self,
        before_ms: i64,
        limit: i64,
    ) -> Result<Vec<PaymentId>, StoreError> {
        let sql = "SELECT h.register_no, h.line FROM share s JOIN register r ON r.register_no = s.register_no AND r.state = 'accepted' \
                   JOIN hold h ON h.register_no = s.register_no AND h.event = 'placed' AND h.at_ms < $1 \
                   JOIN payment p ON p.register_no = h.register_no AND p.line = h.line AND p.bank = s.bank \
                   WHERE s.held > 0 AND NOT EXISTS (SELECT 1 FROM hold n WHERE n.register_no = h.register_no \
                   AND n.line = h.line AND n.event_no > h.event_no) LIMIT $2";
        self.look()
            .rows(sql, params![before_ms, limit], |row| {
                Ok(PaymentId { register: RegisterNo(row.int(0)?), line: row.int(1)? })
            })
            .await
    }

    /// Where payments stand, for doubles and reissues.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn standings(&self, payments: &[PaymentId]) -> Result<Vec<Standing>, StoreError> {
        let mut work = self.read().await?;
        let mut out = Vec::with_capacity(payments.len());
        for payment in payments {
            out.push(standing(&mut work, *payment).await?);
        }
        work.commit().await?;
        Ok(out)
    }

    /// Payments of other registers that replace this one: each released its money again. Other
    /// revisions of the register `of` are not looked at: what they have not sent is taken over.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn replacements(
        &self,
        payment: PaymentId,
        of: RegisterNo,
    ) -> Result<Vec<PaymentId>, StoreError> {
        let sql = "SELECT i.register_no, i.line FROM reissue i JOIN register r ON r.register_no = i.register_no \
                   WHERE i.replaces_register_no = $1 AND i.replaces_line = $2 \
                   AND r.state IN ('accepted', 'closed', 'superseded', 'revoked') \
                   AND NOT EXISTS (SELECT 1 FROM register n WHERE n.register_no = $3 AND n.source = r.source AND n.id = r.id)";
        self.look()
            .rows(sql, params![payment.register, payment.line, of], |row| {
                Ok(PaymentId { register: RegisterNo(row.int(0)?), line: row.int(1)? })
            })
            .await
    }

    /// The payment that finance names by its own register id.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn payment_named(
        &self,
        source: &str,
        id: &str,
        revision: i64,
        line: i64,
    ) -> Result<Option<PaymentId>, StoreError> {
        let sql = "SELECT r.register_no FROM register r JOIN payment p ON p.register_no = r.register_no AND p.line = $1 \
                   WHERE r.source = $2 AND r.id = $3 AND r.revision = $4 AND r.state <> 'receiving'";
        let register = self
            .look()
            .one(sql, params![line, source, id, revision], |row| Ok(RegisterNo(row.int(0)?)))
            .await?;
        Ok(register.map(|register| PaymentId { register, line }))
    }
}

fn dropped(register: RegisterNo, bank: &str, payments: i64, amount: Fen) -> Move<'_> {
    Move {
        register,
        bank,
        from: Place::Unsent,
        to: Place::Refundable,
        payments,
        amount,
        cause: Cause::default(),
    }
}

async fn drop_payment(
    work: &mut Work,
    payment: PaymentId,
    bank: &str,
    amount: Fen,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO leftover (register_no, line, bank, amount_fen, cause, state, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (cause, state) = (LeftoverCause::Dropped.as_str(), LeftoverState::Open.as_str());
    work.run(sql, params![payment.register, payment.line, bank, amount, cause, state, now_ms])
        .await?;
    Ok(())
}

/// Makes leftover of all payments of a batch that the bank refused and that nobody sends again.
pub(super) async fn drop_batch(
    work: &mut Work,
    register: RegisterNo,
    bank: &str,
    batch: BatchNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO leftover (register_no, line, bank, amount_fen, cause, state, at_ms) \
         SELECT p.register_no, p.line, p.bank, p.amount_fen, 'dropped', 'open', CAST($1 AS BIGINT) FROM payment p \
         JOIN batch b ON b.batch_no = $2 AND p.register_no = b.register_no AND p.bank = b.bank WHERE {}",
        super::results::MEMBER
    );
    let dropped = work.0.run(sql.into(), params![now_ms, batch]).await?;
    let dropped = i64::try_from(dropped).unwrap_or(i64::MAX);
    count(work, register, bank, &[("dropped", dropped)]).await
}

/// Undoes [`drop_batch`]: the bank may have done what it refused.
pub(super) async fn take_up_batch(
    work: &mut Work,
    register: RegisterNo,
    bank: &str,
    batch: BatchNo,
) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM leftover WHERE register_no = $1 AND cause = 'dropped' AND state = 'open' AND line IN \
         (SELECT p.line FROM payment p JOIN batch b ON p.register_no = b.register_no AND p.bank = b.bank WHERE b.batch_no = $2 AND {})",
        super::results::MEMBER
    );
    let taken = work.0.run(sql.into(), params![register, batch]).await?;
    let taken = i64::try_from(taken).unwrap_or(i64::MAX);
    count(work, register, bank, &[("dropped", -taken)]).await
}

pub(super) async fn last_hold(
    work: &mut Work,
    payment: PaymentId,
) -> Result<Option<(HoldEvent, i64, HoldReason)>, StoreError> {
    let sql = "SELECT event, event_no, reason FROM hold WHERE register_no = $1 AND line = $2 ORDER BY event_no DESC LIMIT 1";
    work.one(sql, params![payment.register, payment.line], |row| {
        Ok((row.word(0, HoldEvent::parse)?, row.int(1)?, row.word(2, HoldReason::parse)?))
    })
    .await
}

pub(super) async fn register_state(
    work: &mut Work,
    register: RegisterNo,
) -> Result<RegisterState, StoreError> {
    let sql = "SELECT state FROM register WHERE register_no = $1";
    work.one(sql, params![register], |row| row.word(0, RegisterState::parse))
        .await?
        .ok_or_else(|| StoreError::Refused(format!("there is no register {register}")))
}

async fn bank_and_amount(work: &mut Work, payment: PaymentId) -> Result<(String, Fen), StoreError> {
    let sql = "SELECT bank, amount_fen FROM payment WHERE register_no = $1 AND line = $2";
    work.the(sql, params![payment.register, payment.line], |row| {
        Ok((row.string(0)?, Fen::new(row.int(1)?)))
    })
    .await
}

async fn standing(work: &mut Work, payment: PaymentId) -> Result<Standing, StoreError> {
    let sql = "SELECT r.state FROM register r JOIN payment p ON p.register_no = r.register_no AND p.line = $1 WHERE r.register_no = $2";
    let state = work
        .one(sql, params![payment.line, payment.register], |row| row.word(0, RegisterState::parse))
        .await?;
    let Some(state) = state else { return Ok(Standing::Absent) };
    if matches!(state, RegisterState::Refused) {
        return Ok(Standing::Absent);
    }
    let sql = "SELECT state FROM leftover WHERE register_no = $1 AND line = $2";
    let leftover = work
        .one(sql, params![payment.register, payment.line], |row| row.word(0, LeftoverState::parse))
        .await?;
    if leftover.is_some_and(|state| state != LeftoverState::Withdrawn) {
        return Ok(Standing::Back);
    }
    let sql =
        format!("SELECT 1 FROM payment p WHERE p.register_no = $1 AND p.line = $2 AND {UNSENT}");
    let mut unsent = false;
    work.0
        .rows(sql.into(), params![payment.register, payment.line], &mut |_| {
            unsent = true;
            Ok(())
        })
        .await?;
    if !unsent {
        return Ok(Standing::Sent);
    }
    if matches!(state, RegisterState::Superseded | RegisterState::Revoked) {
        return Ok(Standing::Withdrawn);
    }
    let held =
        last_hold(work, payment).await?.is_some_and(|(event, _, _)| event == HoldEvent::Placed);
    Ok(if held { Standing::Held } else { Standing::Unsent })
}

impl Store {
    /// The amount and town of a payment, also of a register that streams in.
    ///
    /// # Errors
    /// Where there is no such payment, or the database cannot be read.
    pub async fn amount_and_town(&self, payment: PaymentId) -> Result<(Fen, i64), StoreError> {
        let sql = "SELECT amount_fen, town FROM payment WHERE register_no = $1 AND line = $2";
        self.look()
            .the(sql, params![payment.register, payment.line], |row| {
                Ok((Fen::new(row.int(0)?), row.int(1)?))
            })
            .await
    }
}
