//! Taking a register in: RECEIVING, invisible until whole; then accepted or refused, for good.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::guard::chain::RowDigest;
use crate::guard::key::hex;
use crate::model::alert::AlertKind;
use crate::model::hold::{HoldEvent, HoldReason};
use crate::model::id::{PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::register::{Fault, RegisterHead, RegisterState};
use crate::store::digest::{digest_holds, digest_payment, digest_reissues};
use crate::store::journal::{Cause, Entry, Move};
use crate::store::reports::NewReport;
use crate::store::sql::{Param, Work, params};
use crate::store::{Store, StoreError};

/// What became of a register that was offered.
pub enum Begun {
    /// New: its lines may be appended.
    Fresh(Box<Receiving>),
    /// The same was here before; the answer stays what it was (I25).
    Same(RegisterNo),
    /// The same identity with other content: refused, journalled, alerted.
    Different(RegisterNo),
}

/// A register while it streams in.
pub struct Receiving {
    pub register: RegisterNo,
    pub received_at_ms: i64,
    pub head_digest: [u8; 32],
    shares: BTreeMap<String, ShareCount>,
    rows: RowDigest,
    pub(super) keys: RowDigest,
    pub(super) keys_count: i64,
    count: i64,
    sum: Fen,
}

#[derive(Debug, Default, Clone, Copy)]
struct ShareCount {
    payments: i64,
    sum: Fen,
    held: i64,
}

/// A payment as it is kept.
#[derive(Debug, Clone)]
pub struct NewPayment {
    pub line: i64,
    pub bank: String,
    /// Nine digits, 0 where the village code is none.
    pub town: i64,
    pub amount: Fen,
    /// Sealed.
    pub person: Vec<u8>,
    pub hold: Option<NewHold>,
    pub replaces: Option<PaymentId>,
}

/// Why a payment is set aside at intake.
#[derive(Debug, Clone)]
pub struct NewHold {
    pub reason: HoldReason,
    /// More of why, without personal data.
    pub detail: String,
}

/// What is decided about a whole register.
#[derive(Debug)]
pub struct Acceptance {
    pub start_at_ms: Option<i64>,
    pub deadline_at_ms: Option<i64>,
    pub settle_at_ms: Option<i64>,
    /// Payments found to be doubles after all lines were read.
    pub doubles: Vec<(i64, NewHold)>,
    /// What [`Store::sent_earlier`] said when that was decided.
    pub sent_earlier: BTreeSet<i64>,
    /// Keyed digest over the lines alone: what July and August have in common.
    pub content: [u8; 32],
    pub reports: Vec<NewReport>,
}

impl Receiving {
    /// Payments and sum so far.
    pub fn totals(&self) -> (i64, Fen) {
        (self.count, self.sum)
    }

    fn note(&mut self, row: &NewPayment) -> Result<(), StoreError> {
        let overflow =
            || StoreError::Refused("the sum of the register is larger than can be kept".to_owned());
        self.count += 1;
        self.sum = self.sum.checked_add(row.amount).ok_or_else(overflow)?;
        let share = self.shares.entry(row.bank.clone()).or_default();
        share.payments += 1;
        share.sum = share.sum.checked_add(row.amount).ok_or_else(overflow)?;
        share.held += i64::from(row.hold.is_some());
        digest_payment(&mut self.rows, row.line, &row.bank, row.town, row.amount, &row.person);
        Ok(())
    }
}

impl Store {
    /// Begins to take a register in. What a broken stream left behind under the same identity is
    /// swept first.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn begin_register(
        &self,
        source: &str,
        head: &RegisterHead,
        head_digest: [u8; 32],
        now_ms: i64,
    ) -> Result<Begun, StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT register_no, state, digest FROM register WHERE source = $1 AND id = $2 AND revision = $3";
        let known = work
            .one(sql, params![source, &head.id, head.revision], |row| {
                Ok((RegisterNo(row.int(0)?), row.word(1, RegisterState::parse)?, row.digest(2)?))
            })
            .await?;
        if let Some((register, state, digest)) = known {
            if state == RegisterState::Receiving {
                sweep(&mut work, register).await?;
            } else if digest == head.digest {
                return Ok(Begun::Same(register));
            } else {
                let mut entry = Entry::new("register.different", now_ms);
                entry
                    .fact("register", register.0)
                    .fact("digest", hex(&head.digest))
                    .fact("kept", hex(&digest));
                entry.write_for(&mut work, register).await?;
                let text = format!(
                    "{source} 以相同编号 {} 第 {} 版送来了不同内容，已拒收；请财政核对后以新版本报送",
                    head.id, head.revision
                );
                let subject = format!("{register}/{}", hex(&head.digest));
                super::alerts::raise(
                    &mut work,
                    AlertKind::RegisterConflict,
                    &subject,
                    Some(register),
                    None,
                    0,
                    &text,
                    now_ms,
                )
                .await?;
                self.done(work).await?;
                return Ok(Begun::Different(register));
            }
        }
        let register = insert_register(&mut work, source, head, &head_digest, now_ms).await?;
        self.done(work).await?;
        Ok(Begun::Fresh(Box::new(Receiving {
            register,
            received_at_ms: now_ms,
            head_digest,
            shares: BTreeMap::new(),
            rows: RowDigest::new(),
            keys: RowDigest::new(),
            keys_count: 0,
            count: 0,
            sum: Fen::ZERO,
        })))
    }

    /// Keeps the next lines of a register that streams in.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the sum overflows, else where the database cannot be written.
    pub async fn append_payments(
        &self,
        receiving: &mut Receiving,
        rows: Vec<NewPayment>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let register = receiving.register;
        let (mut payments, mut holds, mut reissues) =
            (Vec::with_capacity(rows.len() * 6), Vec::new(), Vec::new());
        for row in rows {
            receiving.note(&row)?;
            if let Some(hold) = &row.hold {
                holds.extend(hold_row(
                    register,
                    row.line,
                    1,
                    HoldEvent::Placed,
                    hold.reason,
                    &hold.detail,
                    "intake",
                    now_ms,
                ));
            }
            if let Some(replaced) = row.replaces {
                reissues.push((row.line, replaced));
            }
            payments
                .extend(params![register, row.line, row.bank, row.town, row.amount, row.person]);
        }
        let max = self.dialect.bulk();
        let mut work = self.write().await?;
        work.insert(
            "INSERT INTO payment (register_no, line, bank, town, amount_fen, person)",
            6,
            payments,
            max,
        )
        .await?;
        work.insert(HOLD_INSERT, 8, holds, max).await?;
        for (line, replaced) in reissues {
            let sql = "INSERT INTO reissue (register_no, line, replaces_register_no, replaces_line, number) \
                       VALUES ($1, $2, $3, $4, 1 + COALESCE((SELECT number FROM reissue WHERE register_no = $5 AND line = $6), 1))";
            work.run(
                sql,
                params![
                    register,
                    line,
                    replaced.register,
                    replaced.line,
                    replaced.register,
                    replaced.line
                ],
            )
            .await?;
        }
        // No step can see a RECEIVING register: nobody is woken.
        work.commit().await
    }

    /// Accepts a register that was read whole: it becomes visible, its money is approved and
    /// unsent, and what it takes over from an earlier revision leaves that one.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it is not RECEIVING, or more of an earlier revision was sent
    /// than was known; else where the database cannot be written.
    pub async fn accept_register(
        &self,
        receiving: Receiving,
        acceptance: Acceptance,
        key_id: u8,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let register = receiving.register;
        let mut work = self.write().await?;
        let (source, id, revision, digest) = identity(&mut work, register).await?;
        let mut entry = Entry::new("register.accepted", now_ms);
        entry.rows = receiving.rows.clone();
        entry
            .fact("register", register.0)
            .fact("source", source.as_str())
            .fact("id", id.as_str())
            .fact("revision", revision);
        entry.fact("digest", hex(&digest)).fact("head_digest", hex(&receiving.head_digest));
        entry.fact("payments", receiving.count).fact("sum_fen", receiving.sum.get());
        entry.fact("deadline_at_ms", acceptance.deadline_at_ms);
        entry
            .fact("key_id", key_id)
            .fact("keys", receiving.keys_count)
            .fact("keys_digest", hex(&receiving.keys.clone().finish()));
        become_accepted(&mut work, register, &acceptance, now_ms).await?;
        let mut late = BTreeMap::<String, i64>::new();
        for (line, hold) in &acceptance.doubles {
            let bank = work
                .the(
                    "SELECT bank FROM payment WHERE register_no = $1 AND line = $2",
                    params![register, *line],
                    |row| row.string(0),
                )
                .await?;
            let row = hold_row(
                register,
                *line,
                1,
                HoldEvent::Placed,
                hold.reason,
                &hold.detail,
                "intake",
                now_ms,
            );
            work.insert(HOLD_INSERT, 8, row, self.dialect.bulk()).await?;
            *late.entry(bank).or_default() += 1;
        }
        for (bank, share) in &receiving.shares {
            let held = share.held + late.get(bank).copied().unwrap_or_default();
            open_share(&mut work, &mut entry, register, bank, ShareCount { held, ..*share })
                .await?;
        }
        digest_holds(&mut work, &mut entry.rows, register).await?;
        digest_reissues(&mut work, &mut entry.rows, register).await?;
        super::revise::supersede_earlier(&mut work, &source, &id, revision, register, now_ms)
            .await?;
        // Something of it may have been sent since that was looked at; from here on nothing can be.
        if super::revise::sent_earlier(&mut work, register, key_id).await?
            != acceptance.sent_earlier
        {
            return Err(StoreError::Moved { sql: "sent under an earlier revision", moved: 0 });
        }
        super::reports::insert(&mut work, &mut entry, &acceptance.reports, now_ms).await?;
        entry.write_for(&mut work, register).await?;
        super::revise::supersede_late(&mut work, &source, &id, revision, register, now_ms).await?;
        self.done(work).await
    }

    /// Refuses a register as a whole. Its lines are not kept: nothing of it will be paid, and what
    /// is not needed is not kept about people.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it is not RECEIVING, else where the database cannot be written.
    pub async fn refuse_register(
        &self,
        register: RegisterNo,
        faults: &[Fault],
        reports: &[NewReport],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let faults = faults_json(faults);
        remove_lines(&mut work, register).await?;
        let sql = "UPDATE register SET state = 'refused', state_at_ms = $1, faults = $2 WHERE register_no = $3 AND state = 'receiving'";
        work.move_one(sql, params![now_ms, faults.to_string(), register]).await?;
        let mut entry = Entry::new("register.refused", now_ms);
        entry.fact("register", register.0).fact("faults", faults);
        super::reports::insert(&mut work, &mut entry, reports, now_ms).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await
    }

    /// Sweeps registers whose stream broke: they were never visible.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn sweep_receiving(&self) -> Result<u64, StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT register_no FROM register WHERE state = 'receiving'";
        let broken = work.rows(sql, params![], |row| Ok(RegisterNo(row.int(0)?))).await?;
        for register in &broken {
            sweep(&mut work, *register).await?;
        }
        self.done(work).await?;
        Ok(broken.len() as u64)
    }
}

pub(super) const HOLD_INSERT: &str =
    "INSERT INTO hold (register_no, line, event_no, event, reason, detail, by_whom, at_ms)";

#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub(super) fn hold_row(
    register: RegisterNo,
    line: i64,
    event_no: i64,
    event: HoldEvent,
    reason: HoldReason,
    detail: &str,
    by: &str,
    at_ms: i64,
) -> Vec<Param> {
    params![register, line, event_no, event.as_str(), reason.as_str(), detail, by, at_ms]
}

/// Faults as they are kept and reported.
pub fn faults_json(faults: &[Fault]) -> serde_json::Value {
    faults
        .iter()
        .map(|fault| {
            let Fault { line, field, what, chinese } = fault;
            json!({ "line": line, "field": field, "what": what, "chinese": chinese })
        })
        .collect()
}

async fn insert_register(
    work: &mut Work,
    source: &str,
    head: &RegisterHead,
    head_digest: &[u8; 32],
    now_ms: i64,
) -> Result<RegisterNo, StoreError> {
    let sql = "INSERT INTO register (source, id, revision, programme_code, programme_name, summary, department, town, \
               document_no, period, entered_by, reviewed_by, approved_at_ms, funded_at_ms, pool_account, voucher_no, \
               declared_count, declared_sum_fen, digest, head_digest, received_at_ms, state, state_at_ms, faults, alert_level) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
               'receiving', $22, '[]', 0) RETURNING register_no";
    let row = params![
        source,
        &head.id,
        head.revision,
        &head.programme_code,
        &head.programme_name,
        &head.summary,
        &head.department,
        &head.town,
        &head.document_no,
        &head.period,
        &head.entered_by,
        &head.reviewed_by,
        head.approved_at_ms,
        head.funded_at_ms,
        &head.pool_account,
        &head.voucher_no,
        head.declared_count,
        head.declared_sum,
        &head.digest,
        head_digest,
        now_ms,
        now_ms,
    ];
    work.the(sql, row, |row| Ok(RegisterNo(row.int(0)?))).await
}

/// Moves a register out of RECEIVING, with what is decided about it.
async fn become_accepted(
    work: &mut Work,
    register: RegisterNo,
    acceptance: &Acceptance,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE register SET state = 'accepted', state_at_ms = $1, start_at_ms = $2, deadline_at_ms = $3, settle_at_ms = $4, content = $5, \
               twin_no = (SELECT MIN(t.register_no) FROM register t WHERE t.source = register.source AND t.content = $6 \
               AND t.programme_code = register.programme_code AND t.id <> register.id AND t.state IN ('accepted', 'closed')) \
               WHERE register_no = $7 AND state = 'receiving'";
    let times = params![
        now_ms,
        acceptance.start_at_ms,
        acceptance.deadline_at_ms,
        acceptance.settle_at_ms,
        &acceptance.content,
        &acceptance.content,
        register
    ];
    work.move_one(sql, times).await
}

async fn identity(
    work: &mut Work,
    register: RegisterNo,
) -> Result<(String, String, i64, [u8; 32]), StoreError> {
    work.the(
        "SELECT source, id, revision, digest FROM register WHERE register_no = $1",
        params![register],
        |row| Ok((row.string(0)?, row.string(1)?, row.int(2)?, row.digest(3)?)),
    )
    .await
}

async fn open_share(
    work: &mut Work,
    entry: &mut Entry,
    register: RegisterNo,
    bank: &str,
    share: ShareCount,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO share (register_no, bank, payments, approved_fen, unsent_fen, in_flight_fen, credited_fen, \
               refundable_fen, refunded_fen, disputed_fen, cut_line, uncut, held, waiting, dropped, credited, failed, \
               returned, conflicts, sms_delivered, sms_failed, sms_no_number, sms_unknown) VALUES ($1, $2, $3, 0, 0, 0, 0, 0, 0, 0, 0, $4, $5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)";
    work.run(sql, params![register, bank, share.payments, share.payments - share.held, share.held])
        .await?;
    let approval = Move {
        register,
        bank,
        from: Place::Finance,
        to: Place::Unsent,
        payments: share.payments,
        amount: share.sum,
        cause: Cause::default(),
    };
    entry.post(work, approval).await
}

async fn remove_lines(work: &mut Work, register: RegisterNo) -> Result<(), StoreError> {
    work.run("DELETE FROM person_key WHERE programme = (SELECT programme_code FROM register WHERE register_no = $1) AND register_no = $1", params![register]).await?;
    work.run("DELETE FROM hold WHERE register_no = $1", params![register]).await?;
    work.run("DELETE FROM reissue WHERE register_no = $1", params![register]).await?;
    work.run("DELETE FROM payment WHERE register_no = $1", params![register]).await?;
    Ok(())
}

async fn sweep(work: &mut Work, register: RegisterNo) -> Result<(), StoreError> {
    remove_lines(work, register).await?;
    work.move_one(
        "DELETE FROM register WHERE register_no = $1 AND state = 'receiving'",
        params![register],
    )
    .await
}
