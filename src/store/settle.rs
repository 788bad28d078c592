//! Leftover money and the end of a register, and the funding that starts one.

use crate::model::alert::AlertKind;
use crate::model::id::RegisterNo;
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::model::refund::{LeftoverCause, LeftoverState};
use crate::store::journal::{Cause, Entry, Move};
use crate::store::reports::NewReport;
use crate::store::sql::{Row, Work, params};
use crate::store::view::Counts;
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// A share with leftover that may go back now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleDue {
    pub register: RegisterNo,
    pub bank: String,
    pub pool_account: String,
    pub voucher_no: String,
    pub document_no: String,
}

/// One payment whose money is leftover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub line: i64,
    pub amount: Fen,
    pub cause: LeftoverCause,
    /// Sealed.
    pub person: Vec<u8>,
    /// Our reference of the attempt that carried it last; none where it was never sent.
    pub original_reference: Option<String>,
}

/// A register whose money has all come to an end and whose closing account was not yet told.
#[derive(Debug, Clone)]
pub struct ClosingDue {
    pub register: RegisterNo,
    /// The number of its last posting: a later posting makes another closing account.
    pub last_posting: i64,
    pub places: crate::model::place::Places,
    pub counts: Counts,
    /// What finance declared; what is approved now is less where a revision took some over.
    pub declared_sum: Fen,
    /// Payments set aside at intake, whatever became of them since.
    pub set_aside: i64,
}

/// A register whose funding is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfunded {
    pub register: RegisterNo,
    pub source: String,
    pub id: String,
    pub revision: i64,
    pub received_at_ms: i64,
    pub approved_at_ms: i64,
    /// Over head and lines, and over the head alone, as they were taken in.
    pub digest: [u8; 32],
    pub head_digest: [u8; 32],
}

/// Leftover of a share whose money never came.
struct NeverCame {
    bank: String,
    payments: i64,
    amount: Fen,
}

/// How long after a bank refused a refund another one is tried.
pub const REFUND_RETRY_MS: i64 = 3_600_000;

/// The condition under which leftover of share `s` of register `r` waits for people: what a bank refused and then said
/// something else of, it may have done; and an earlier revision may have been paid after all, and so may what this
/// one took over of it.
pub(super) fn waits_for_people() -> String {
    let aside = "SELECT 1 FROM attempt a JOIN result x ON x.attempt_no = a.attempt_no LEFT JOIN refund f ON f.refund_no = a.refund_no \
                 LEFT JOIN batch b ON b.batch_no = a.batch_no WHERE a.register_no = s.register_no AND a.state = 'refused' \
                 AND (f.bank = s.bank OR (b.bank = s.bank AND x.weighs = 1))";
    let earlier = "SELECT 1 FROM alert c JOIN register e ON e.register_no = c.register_no WHERE c.kind = 'contradiction' \
                   AND c.cleared_at_ms IS NULL AND e.source = r.source AND e.id = r.id AND e.revision < r.revision";
    let open = crate::store::quarantine::held_is_open();
    format!("EXISTS ({aside} AND {open}) OR EXISTS ({earlier})")
}

fn leftover(row: &Row<'_>) -> Result<Leftover, StoreError> {
    Ok(Leftover {
        line: row.int(0)?,
        amount: Fen::new(row.int(1)?),
        cause: row.word(2, LeftoverCause::parse)?,
        person: row.blob(3)?.to_vec(),
        original_reference: row.text_opt(4)?.map(str::to_owned),
    })
}

impl Store {
    /// Shares whose free leftover may go back: nothing of the share is unsent or in flight, or the
    /// settle time has come. Money in flight is never leftover and never holds up the rest. Only
    /// what was funded can go back.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_to_settle(&self, now_ms: i64) -> Result<Vec<SettleDue>, StoreError> {
        let people = waits_for_people();
        let sql = format!(
            "SELECT s.register_no, s.bank, r.pool_account, r.voucher_no, r.document_no FROM share s \
                   JOIN register r ON r.register_no = s.register_no \
                   WHERE s.refundable_fen > 0 AND r.funded_at_ms IS NOT NULL \
                   AND ((s.unsent_fen = 0 AND s.in_flight_fen = 0) OR (r.settle_at_ms IS NOT NULL AND r.settle_at_ms <= $1)) \
                   AND EXISTS (SELECT 1 FROM leftover l WHERE l.register_no = s.register_no AND l.bank = s.bank AND l.state = 'open') \
                   AND NOT EXISTS (SELECT 1 FROM refund f WHERE f.register_no = s.register_no AND f.bank = s.bank \
                   AND f.state = 'refused' AND f.state_at_ms > $2) AND NOT ({people}) ORDER BY s.register_no, s.bank"
        );
        self.look()
            .rows(sql, params![now_ms, now_ms - REFUND_RETRY_MS], |row| {
                Ok(SettleDue {
                    register: RegisterNo(row.int(0)?),
                    bank: row.string(1)?,
                    pool_account: row.string(2)?,
                    voucher_no: row.string(3)?,
                    document_no: row.string(4)?,
                })
            })
            .await
    }

    /// Free leftover of a share, in line order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn open_leftovers(
        &self,
        register: RegisterNo,
        bank: &str,
        limit: usize,
    ) -> Result<Vec<Leftover>, StoreError> {
        let sql = "SELECT l.line, l.amount_fen, l.cause, p.person, (SELECT MAX(a.reference) FROM attempt a JOIN outcome o \
                   ON o.attempt_no = a.attempt_no AND o.line = l.line WHERE a.register_no = l.register_no AND a.bank = l.bank) FROM leftover l \
                   JOIN payment p ON p.register_no = l.register_no AND p.line = l.line \
                   WHERE l.register_no = $1 AND l.bank = $2 AND l.state = 'open' ORDER BY l.line LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.look().rows(sql, params![register, bank, limit], leftover).await
    }

    /// Registers of which nothing is unsent, in flight or refundable, and whose closing account as
    /// it stands was not yet made.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_to_close(&self) -> Result<Vec<ClosingDue>, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT r.register_no, CAST(SUM(s.payments) AS BIGINT), CAST(SUM(s.held) AS BIGINT), CAST(SUM(s.dropped) AS BIGINT), \
                   CAST(SUM(s.credited) AS BIGINT), CAST(SUM(s.failed) AS BIGINT), CAST(SUM(s.returned) AS BIGINT), \
                   CAST(SUM(s.conflicts) AS BIGINT), CAST(SUM(s.approved_fen) AS BIGINT), CAST(SUM(s.credited_fen) AS BIGINT), \
                   CAST(SUM(s.refunded_fen) AS BIGINT), CAST(SUM(s.disputed_fen) AS BIGINT), r.declared_sum_fen \
                   FROM register r JOIN share s ON s.register_no = r.register_no \
                   WHERE r.state IN ('accepted', 'superseded', 'revoked') GROUP BY r.register_no, r.declared_sum_fen \
                   HAVING SUM(s.unsent_fen + s.in_flight_fen + s.refundable_fen) = 0";
        let ended = work
            .rows(sql, params![], |row| {
                let fen = |at| row.int(at).map(Fen::new);
                let mut counts = Counts {
                    payments: row.int(1)?,
                    held: row.int(2)?,
                    dropped: row.int(3)?,
                    credited: row.int(4)?,
                    failed: row.int(5)?,
                    returned: row.int(6)?,
                    conflicts: row.int(7)?,
                    withdrawn: 0,
                };
                // All has ended here, so what is none of these is another revision's.
                counts.withdrawn = counts.payments - counts.finished();
                let places = crate::model::place::Places {
                    approved: fen(8)?,
                    credited: fen(9)?,
                    refunded: fen(10)?,
                    disputed: fen(11)?,
                    ..Default::default()
                };
                Ok(ClosingDue {
                    register: RegisterNo(row.int(0)?),
                    last_posting: 0,
                    places,
                    counts,
                    declared_sum: fen(12)?,
                    set_aside: 0,
                })
            })
            .await?;
        let mut due = Vec::new();
        for mut closing in ended {
            let sql = "SELECT COALESCE(MAX(posting_no), 0) FROM posting WHERE register_no = $1";
            closing.last_posting =
                work.the(sql, params![closing.register], |row| row.int(0)).await?;
            let sql = "SELECT 1 FROM report WHERE register_no = $1 AND kind = 'closing' AND subject_no = $2 LIMIT 1";
            let told = work
                .one(sql, params![closing.register, closing.last_posting], |_| Ok(()))
                .await?
                .is_some();
            if told {
                continue;
            }
            let sql = "SELECT COUNT(*) FROM hold WHERE register_no = $1 AND event_no = 1";
            closing.set_aside = work.the(sql, params![closing.register], |row| row.int(0)).await?;
            due.push(closing);
        }
        work.commit().await?;
        Ok(due)
    }

    /// Closes a register: its closing account is told. A register that was revoked or superseded
    /// stays so.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where money moved since it was read.
    pub async fn close_register(
        &self,
        closing: &ClosingDue,
        reports: &[NewReport],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE register SET state = CASE WHEN state = 'accepted' THEN 'closed' ELSE state END, state_at_ms = $1 \
                   WHERE register_no = $2 AND (SELECT MAX(posting_no) FROM posting WHERE register_no = $2) = $3 \
                   AND (SELECT SUM(unsent_fen + in_flight_fen + refundable_fen) FROM share WHERE register_no = $2) = 0";
        work.move_one(sql, params![now_ms, closing.register, closing.last_posting]).await?;
        let mut entry = Entry::new("register.closed", now_ms);
        super::reports::insert(&mut work, &mut entry, reports, now_ms).await?;
        super::alerts::clear(&mut work, AlertKind::Deadline, &closing.register.to_string(), now_ms)
            .await?;
        entry
            .fact("approved_fen", closing.places.approved.get())
            .fact("credited_fen", closing.places.credited.get());
        entry
            .fact("refunded_fen", closing.places.refunded.get())
            .fact("disputed_fen", closing.places.disputed.get());
        entry.write_for(&mut work, closing.register).await?;
        self.done(work).await
    }

    /// Registers whose funding is not known yet.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn unfunded(&self) -> Result<Vec<Unfunded>, StoreError> {
        let sql = "SELECT register_no, source, id, revision, received_at_ms, approved_at_ms, digest, head_digest FROM register \
                   WHERE funded_at_ms IS NULL AND state IN ('accepted', 'superseded', 'revoked') ORDER BY register_no";
        self.look()
            .rows(sql, params![], |row| {
                Ok(Unfunded {
                    register: RegisterNo(row.int(0)?),
                    source: row.string(1)?,
                    id: row.string(2)?,
                    revision: row.int(3)?,
                    received_at_ms: row.int(4)?,
                    approved_at_ms: row.int(5)?,
                    digest: row.digest(6)?,
                    head_digest: row.digest(7)?,
                })
            })
            .await
    }

    /// Registers that finance revoked before they were funded, with leftover that stands open: money
    /// that never came is nobody's leftover.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn never_funded(&self) -> Result<Vec<RegisterNo>, StoreError> {
        let sql = "SELECT r.register_no FROM register r WHERE r.state = 'revoked' AND r.funded_at_ms IS NULL \
                   AND EXISTS (SELECT 1 FROM leftover l WHERE l.register_no = r.register_no AND l.cause = 'dropped' AND l.state = 'open') \
                   ORDER BY r.register_no";
        self.look().rows(sql, params![], |row| Ok(RegisterNo(row.int(0)?))).await
    }

    /// Takes dropped payments of a register that was revoked before it was funded out of what is
    /// refundable: approved is only what also came (I7). Funding that comes after all brings it back,
    /// see [`Store::set_funded`].
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn withdraw_never_funded(
        &self,
        register: RegisterNo,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT 1 FROM register WHERE register_no = $1 AND state = 'revoked' AND funded_at_ms IS NULL";
        if work.one(sql, params![register], |_| Ok(())).await?.is_none() {
            return Ok(());
        }
        let mut entry = Entry::new("register.never_funded", now_ms);
        let (open, absent) = (LeftoverState::Open, LeftoverState::Absent);
        exchange(&mut work, &mut entry, register, (open, absent)).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await
    }

    /// Notes when the pool account was funded, once, with what the duty's clock makes of it. A
    /// clock that already runs is never moved (I16).
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it was already known.
    pub async fn set_funded(
        &self,
        register: RegisterNo,
        funded_at_ms: i64,
        start_at_ms: Option<i64>,
        deadline_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE register SET funded_at_ms = $1, start_at_ms = COALESCE(start_at_ms, $2), deadline_at_ms = COALESCE(deadline_at_ms, $3) \
                   WHERE register_no = $4 AND funded_at_ms IS NULL";
        work.move_one(sql, params![funded_at_ms, start_at_ms, deadline_at_ms, register]).await?;
        // A batch that was sent before funding was known has no clock yet; one that has keeps it.
        let sql = "UPDATE batch SET start_at_ms = $1, deadline_at_ms = $2 WHERE register_no = $3 AND deadline_at_ms IS NULL";
        let mut entry = Entry::new("register.funded", now_ms);
        let clock = params![start_at_ms, deadline_at_ms, register];
        entry.vouched.returned(&mut work, &vouch::BATCH, sql, clock).await?;
        entry.fact("funded_at_ms", funded_at_ms).fact("deadline_at_ms", deadline_at_ms);
        // What was revoked before it came has come after all, and goes back.
        let (absent, open) = (LeftoverState::Absent, LeftoverState::Open);
        exchange(&mut work, &mut entry, register, (absent, open)).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await
    }
}

/// Moves dropped payments of a register between being refundable and never having come.
async fn exchange(
    work: &mut Work,
    entry: &mut Entry,
    register: RegisterNo,
    (from, to): (LeftoverState, LeftoverState),
) -> Result<(), StoreError> {
    let sql = "SELECT bank, COUNT(*), CAST(SUM(amount_fen) AS BIGINT) FROM leftover \
               WHERE register_no = $1 AND cause = 'dropped' AND state = $2 GROUP BY bank ORDER BY bank";
    let shares = work
        .rows(sql, params![register, from.as_str()], |row| {
            Ok(NeverCame {
                bank: row.string(0)?,
                payments: row.int(1)?,
                amount: Fen::new(row.int(2)?),
            })
        })
        .await?;
    let places = match to {
        LeftoverState::Absent => (Place::Refundable, Place::Finance),
        _ => (Place::Finance, Place::Refundable),
    };
    for NeverCame { bank, payments, amount } in shares {
        let sql = "UPDATE leftover SET state = $1 WHERE register_no = $2 AND bank = $3 AND cause = 'dropped' AND state = $4";
        work.run(sql, params![to.as_str(), register, &bank, from.as_str()]).await?;
        let moved = Move {
            register,
            bank: &bank,
            from: places.0,
            to: places.1,
            payments,
            amount,
            cause: Cause::default(),
        };
        entry.post(work, moved).await?;
    }
    Ok(())
}
