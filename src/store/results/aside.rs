//! Lines of a result that change nothing: kept, told of, and settled by a later answer or two people.

use crate::model::alert::AlertKind;
use crate::model::id::ResultNo;
use crate::store::attempts::Attempt;
use crate::store::digest::digest_quarantined;
use crate::store::journal::Entry;
use crate::store::quarantine::credited_twice;
use crate::store::results::Quarantined;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, alerts};

/// The cause of a line that credits, under another number of the bank, what was credited before (F31).
pub const CREDITED_TWICE: &str = "credited_twice";
/// The cause of a return of what may have been credited twice: of which of the two credits it is nobody can say.
pub const RETURNED_ONE: &str = "returned_one_of_two";

impl Store {
    pub(super) async fn write_quarantine(
        &self,
        work: &mut Work,
        attempt: &Attempt,
        result: ResultNo,
        quarantined: Vec<Quarantined>,
        entry: &mut Entry,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if quarantined.is_empty() {
            return Ok(());
        }
        for row in &quarantined {
            let (no, attempt) = (row.row, Some(attempt.no.0));
            let about = (attempt, row.line);
            digest_quarantined(&mut entry.rows, no, row.cause, &row.detail, about, now_ms);
        }
        let text = format!(
            "{} 的结果 {result} 中有 {} 行与批次不符，未作处理，其余各行已入账；请与银行核对",
            attempt.bank,
            quarantined.len()
        );
        alerts::raise(
            work,
            AlertKind::Quarantine,
            &result.to_string(),
            Some(attempt.register),
            attempt.batch,
            0,
            &text,
            now_ms,
        )
        .await?;
        let twice = quarantined.iter().any(|row| row.cause == CREDITED_TWICE);
        let rows = quarantined
            .into_iter()
            .flat_map(|row| {
                params![result, row.row, row.cause, row.detail, attempt.no.0, row.line, now_ms]
            })
            .collect();
        let sql =
            "INSERT INTO quarantine (result_no, row_no, cause, detail, attempt_no, line, at_ms)";
        work.insert(sql, 7, rows, self.dialect.bulk()).await?;
        if twice { paid_twice(work, attempt, now_ms).await } else { Ok(()) }
    }
}

/// Tells of all that may have been paid twice and waits, in place of what was told before.
async fn paid_twice(work: &mut Work, attempt: &Attempt, now_ms: i64) -> Result<(), StoreError> {
    let lines = credited_twice(work, attempt.no, true).await?.len();
    let text = format!(
        "{} 对重发过的 {}（流水号 {}）又以另外的银行流水号报 {lines} 笔已入账：可能重复入账。请立即与银行核对台账，\
         如确有重复须追回，再由两人核定（daifa decide list）",
        attempt.bank, attempt.no, attempt.reference
    );
    let (kind, subject) = (AlertKind::PaidTwice, attempt.no.to_string());
    alerts::clear(work, kind, &subject, now_ms).await?;
    let (register, batch) = (Some(attempt.register), attempt.batch);
    alerts::raise(work, kind, &subject, register, batch, 0, &text, now_ms).await?;
    Ok(())
}

/// Leaves out what was quarantined of this attempt for the same cause before.
pub(super) async fn new_quarantined(
    work: &mut Work,
    attempt: &Attempt,
    quarantined: Vec<Quarantined>,
) -> Result<Vec<Quarantined>, StoreError> {
    if quarantined.is_empty() {
        return Ok(quarantined);
    }
    let sql = "SELECT cause, detail, line FROM quarantine WHERE attempt_no = $1";
    let known = work
        .rows(sql, params![attempt.no], |row| Ok((row.string(0)?, row.string(1)?, row.int_opt(2)?)))
        .await?;
    let is_new = |row: &Quarantined| {
        !known.iter().any(|(cause, detail, line)| {
            *cause == row.cause && *detail == row.detail && *line == row.line
        })
    };
    let mut new: Vec<Quarantined> = quarantined.into_iter().filter(is_new).collect();
    // In key order: the table is, and `verify` reads it so.
    new.sort_by_key(|row| row.row);
    Ok(new)
}
