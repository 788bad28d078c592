//! Cutting a batch again that was refused or never left: an operator's command, and never where the bank may
//! have paid it.

use crate::model::alert::AlertKind;
use crate::model::batch::BatchState;
use crate::model::id::{AttemptNo, BatchNo, RegisterNo};
use crate::store::attempts::read_attempts;
use crate::store::holds::UNSENT;
use crate::store::journal::{Entry, count};
use crate::store::quarantine::weighing;
use crate::store::results::MEMBER;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, vouch};

impl Store {
    /// Lets a batch be cut again that was refused or never left: its payments wait for listed batches. An operator's
    /// command; the same again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] in plain words where the bank may have it.
    pub async fn recut(&self, batch: BatchNo, by: &str, now_ms: i64) -> Result<i64, StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT b.register_no, b.bank, b.state, b.payments, r.state FROM batch b JOIN register r ON r.register_no = b.register_no WHERE b.batch_no = $1";
        let found = work
            .one(sql, params![batch], |row| {
                Ok((
                    RegisterNo(row.int(0)?),
                    row.string(1)?,
                    row.word(2, BatchState::parse)?,
                    row.int(3)?,
                    row.string(4)?,
                ))
            })
            .await?;
        let Some((register, bank, state, payments, register_state)) = found else {
            return Err(StoreError::Refused(format!("there is no batch {batch}")));
        };
        if state == BatchState::Recut {
            return Ok(0);
        }
        if let Some(attempt) = stopped_attempt(&mut work, batch).await? {
            return Err(StoreError::Refused(format!(
                "{bank} already knows the reference of {attempt} with other content: the database may be \
                 older than what was sent, and {batch} may have been paid; do not recut. Compare with the bank"
            )));
        }
        let rest = "WHERE a.batch_no = $1";
        let carried = read_attempts(&mut work, rest, params![batch]).await?;
        if let Some(attempt) = carried.iter().find(|attempt| attempt.never_left()) {
            work.commit().await?;
            return self.withdraw(attempt, by, "cut again", now_ms).await;
        }
        if state != BatchState::Refused {
            return Err(StoreError::Refused(format!(
                "{batch} is {state}; only a batch that the bank refused, or that never left, can be cut again"
            )));
        }
        if register_state != "accepted" {
            return Err(StoreError::Refused(format!(
                "{register} is {register_state}; its payments are not sent any more"
            )));
        }
        for attempt in &carried {
            if weighing(&mut work, attempt.no).await? > 0 {
                return Err(StoreError::Refused(format!(
                    "of {} something is put aside that may say that it was paid: look at that first (daifa decide list)",
                    attempt.no
                )));
            }
        }
        work.move_one(
            "UPDATE batch SET state = 'recut' WHERE batch_no = $1 AND state = 'refused'",
            params![batch],
        )
        .await?;
        let moved = let_wait(&mut work, batch, register, &bank).await?;
        // What contradicted the refusal was dismissed by two people.
        for attempt in &carried {
            let about = attempt.no.to_string();
            super::alerts::clear(&mut work, AlertKind::Contradiction, &about, now_ms).await?;
        }
        super::alerts::clear(&mut work, AlertKind::BatchRefused, &batch.to_string(), now_ms)
            .await?;
        let mut entry = Entry::new("batch.recut", now_ms);
        entry
            .fact("batch", batch.0)
            .fact("by", by)
            .fact("payments", payments)
            .fact("waiting", moved);
        let this = params![batch];
        entry.vouched.as_kept(&mut work, &vouch::BATCH, "batch_no = $1", this).await?;
        entry.write_for(&mut work, register).await?;
        self.done(work).await?;
        Ok(moved)
    }
}

/// Lets the payments of a batch that is not under way any more wait for the next one; says how many.
pub(super) async fn let_wait(
    work: &mut Work,
    batch: BatchNo,
    register: RegisterNo,
    bank: &str,
) -> Result<i64, StoreError> {
    let sql = format!(
        "INSERT INTO waiting (register_no, line, bank, recut_of) SELECT p.register_no, p.line, p.bank, CAST($1 AS BIGINT) FROM payment p \
         JOIN batch b ON b.batch_no = $2 AND p.register_no = b.register_no AND p.bank = b.bank WHERE {MEMBER} AND {UNSENT}"
    );
    let moved = work.0.run(sql.into(), params![batch, batch]).await?;
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    count(work, register, bank, &[("waiting", moved)]).await?;
    Ok(moved)
}

/// Why a batch must not be cut again although it did not go through: its attempt whose reference the
/// bank has with other content.
async fn stopped_attempt(work: &mut Work, batch: BatchNo) -> Result<Option<AttemptNo>, StoreError> {
    let sql = "SELECT attempt_no FROM attempt WHERE batch_no = $1 AND state = 'stopped'";
    work.one(sql, params![batch], |row| Ok(AttemptNo(row.int(0)?))).await
}
