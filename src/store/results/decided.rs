//! What two people say about payments, in place of a bank: taken like a result, so that money, counters
//! and reports follow as from any other (I7, I11).

use crate::model::id::{DecisionNo, ResultNo};
use crate::model::outcome::Folded;
use crate::store::attempts::Attempt;
use crate::store::journal::Entry;
use crate::store::results::effects::{decide, read_before};
use crate::store::results::{Follow, TakenRow, len, pending_of};
use crate::store::sql::{Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Store, StoreError};

impl Store {
    /// Takes what was decided inside a transaction. `entry` is of the kind of a result that was applied,
    /// and is still to be written.
    #[expect(clippy::too_many_arguments, reason = "one transaction's context")]
    pub(in crate::store) async fn take_decided(
        &self,
        work: &mut Work,
        entry: &mut Entry,
        attempt: &Attempt,
        decision: DecisionNo,
        rows: Vec<TakenRow>,
        follow: Follow<'_>,
        now_ms: i64,
    ) -> Result<ResultNo, StoreError> {
        let Some(batch) = attempt.batch else {
            return Err(StoreError::Refused(format!("{} carries no payments", attempt.no)));
        };
        let (name, lines) = (format!("decision {decision}"), len(rows.len()));
        let digest = crate::guard::digest::sha256(name.as_bytes());
        let sql = "INSERT INTO result (bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, taken_at_ms, turn) \
                   VALUES ($1, $2, $3, $4, $5, 'applied', $6, $7, 0, '', $8, (SELECT COALESCE(MAX(turn), 0) + 1 FROM result)) RETURNING result_no";
        let row = params![
            &attempt.bank,
            &name,
            &digest,
            attempt.no,
            attempt.register,
            lines,
            lines,
            now_ms
        ];
        let result = work.the(sql, row, |row| Ok(ResultNo(row.int(0)?))).await?;
        entry
            .fact("attempt", attempt.no.0)
            .fact("result", result.0)
            .fact("batch", batch.0)
            .fact("name", name.as_str());
        let before = read_before(work, attempt).await?;
        let (writes, effects) = decide(rows, before, entry)?;
        if len(effects.outcomes.len()) != lines {
            return Err(StoreError::Refused(format!("{decision} says what was said before")));
        }
        let pending = pending_of(work, batch).await?
            + writes.counts.get(&Folded::Pending).copied().unwrap_or_default();
        self.write_effects(work, attempt, batch, result, writes, entry, now_ms).await?;
        crate::store::expect::after_rows(work, entry, attempt, pending, &[], now_ms).await?;
        let reports = follow(result, &effects);
        crate::store::reports::insert(work, entry, &reports, now_ms).await?;
        entry.fact("outcomes", lines).fact("notices", 0);
        let this = params![result];
        entry.vouched.as_kept(work, &vouch::RESULT, "result_no = $1", this).await?;
        vouch_for(work, entry, Some(batch), attempt.no).await?;
        Ok(result)
    }
}
