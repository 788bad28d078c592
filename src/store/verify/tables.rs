//! Tables that follow from others: keys of persons, counters, what waits, who is in a batch.

use serde_json::Value;

use crate::guard::chain::RowDigest;
use crate::guard::key::hex;
use crate::model::id::RegisterNo;
use crate::store::StoreError;
use crate::store::digest::digest_key;
use crate::store::holds::UNSENT;
use crate::store::results::MEMBER;
use crate::store::sql::{Work, params};
use crate::store::verify::Verification;
use crate::store::verify::told::Told;

/// Digits at the end of a reference that are the number of its series.
const NUMBER_DIGITS: usize = 10;

/// The keys of a register's persons are those that were accepted with it: one that is gone would let its
/// person be paid twice.
pub(super) async fn check_keys(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    accepted: &Value,
) -> Result<(), StoreError> {
    let mut rows = RowDigest::new();
    let sql = "SELECT k.line, k.blind FROM register r JOIN person_key k ON k.kind = 'document' AND k.key_id = $1 \
               AND k.programme = r.programme_code AND k.period = r.period AND k.register_no = r.register_no \
               WHERE r.register_no = $2 ORDER BY k.line";
    let key_id = accepted.get("key_id").and_then(Value::as_i64).unwrap_or_default();
    work.rows(sql, params![key_id, no], |row| {
        digest_key(&mut rows, row.int(0)?, row.blob(1)?);
        Ok(())
    })
    .await?;
    let told = accepted.get("keys_digest").and_then(Value::as_str).unwrap_or_default();
    if hex(&rows.finish()) != told {
        found
            .problems
            .push(format!("{no}: the keys of its persons are not those that were accepted"));
    }
    Ok(())
}

/// Compares what follows from other tables.
pub(super) async fn check_tables(
    work: &mut Work,
    found: &mut Verification,
    told: &Told,
) -> Result<(), StoreError> {
    let keys: i64 = told.accepted.values().filter_map(|(body, _)| body.get("keys")?.as_i64()).sum();
    let sql = "SELECT COUNT(*) FROM person_key WHERE register_no NOT IN (SELECT register_no FROM register WHERE state = 'receiving')";
    if work.the(sql, params![], |row| row.int(0)).await? != keys {
        found
            .problems
            .push("there are more or fewer keys of persons than were accepted".to_owned());
    }
    check_counters(work, found, told).await?;
    check_waiting(work, found).await?;
    check_expected(work, found).await?;
    check_members(work, found).await
}

/// A batch that the bank may have and has not answered for is waited for, with a time at which silence
/// becomes an alert: nothing waits silently.
async fn check_expected(work: &mut Work, found: &mut Verification) -> Result<(), StoreError> {
    let sql = "SELECT a.attempt_no FROM attempt a JOIN batch b ON b.batch_no = a.batch_no \
               WHERE a.state IN ('sending', 'unknown', 'accepted') AND b.pending > 0 \
               AND NOT EXISTS (SELECT 1 FROM expectation e WHERE e.attempt_no = a.attempt_no AND e.kind = 'result' \
               AND e.state IN ('open', 'overdue')) ORDER BY a.attempt_no";
    let silent = work.rows(sql, params![], |row| row.int(0)).await?;
    if let Some(first) = silent.first() {
        let others = match silent.len() - 1 {
            0 => String::new(),
            others => format!(", and so do {others} more"),
        };
        found.problems.push(format!("A{first} waits for results that nobody expects{others}"));
    }
    Ok(())
}

/// Counters stand where the last number was taken (I6).
async fn check_counters(
    work: &mut Work,
    found: &mut Verification,
    told: &Told,
) -> Result<(), StoreError> {
    let counters = work
        .rows("SELECT name, value FROM counter", params![], |row| Ok((row.string(0)?, row.int(1)?)))
        .await?;
    let mut exact = told.counters.clone();
    if told.acknowledged > 0 {
        exact.insert("reports_acknowledged".to_owned(), told.acknowledged);
    }
    let sql = "SELECT bank, reference FROM attempt";
    work.rows(sql, params![], |row| {
        let reference = row.text(1)?;
        let digits = reference.get(reference.len().saturating_sub(NUMBER_DIGITS)..);
        if let Some(number) = digits.and_then(|digits| digits.parse::<i64>().ok()) {
            let last = exact.entry(format!("reference:{}", row.text(0)?)).or_default();
            *last = number.max(*last);
        }
        Ok(())
    })
    .await?;
    for (name, value) in counters {
        if exact.remove(&name) != Some(value) {
            found
                .problems
                .push(format!("counter {name} is {value}, which the journal does not tell"));
        }
    }
    for name in exact.keys() {
        found.problems.push(format!("counter {name} is gone"));
    }
    Ok(())
}

/// What waits for a listed batch is unsent, and was released or is of a batch that is cut again.
async fn check_waiting(work: &mut Work, found: &mut Verification) -> Result<(), StoreError> {
    let unfit = format!(
        "SELECT COUNT(*) FROM waiting w LEFT JOIN payment p ON p.register_no = w.register_no AND p.line = w.line \
         WHERE p.line IS NULL OR p.bank <> w.bank OR NOT ({UNSENT}) \
         OR (w.recut_of IS NULL AND COALESCE((SELECT h.event FROM hold h WHERE h.register_no = w.register_no AND h.line = w.line \
         ORDER BY h.event_no DESC LIMIT 1), '') <> 'released') \
         OR (w.recut_of IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.batch_no = w.recut_of AND b.state = 'recut' \
         AND b.register_no = p.register_no AND b.bank = p.bank AND {MEMBER}))"
    );
    let counted = "SELECT COUNT(*) FROM share s WHERE s.waiting <> (SELECT COUNT(*) FROM waiting w WHERE w.register_no = s.register_no AND w.bank = s.bank)";
    for sql in [unfit, counted.to_owned()] {
        let mut wrong = 0;
        work.0
            .rows(sql.into(), params![], &mut |row| {
                wrong = row.int(0)?;
                Ok(())
            })
            .await?;
        if wrong > 0 {
            found
                .problems
                .push("what waits for a batch is not what was released or is cut again".to_owned());
        }
    }
    Ok(())
}

/// Who is in a batch: rows that belong to no such batch, or count as sent when it is not.
async fn check_members(work: &mut Work, found: &mut Verification) -> Result<(), StoreError> {
    let listed = "SELECT COUNT(*) FROM batch_payment m LEFT JOIN batch b ON b.batch_no = m.batch_no AND b.listed = 1 AND b.register_no = m.register_no \
                  WHERE b.batch_no IS NULL OR m.live <> CASE WHEN b.state IN ('open', 'settled') THEN 1 ELSE 0 END";
    let excepted = "SELECT COUNT(*) FROM batch_except e LEFT JOIN batch b ON b.batch_no = e.batch_no AND b.listed = 0 WHERE b.batch_no IS NULL";
    let refunded =
        "SELECT COUNT(*) FROM refund_line WHERE refund_no NOT IN (SELECT refund_no FROM refund)";
    for sql in [listed, excepted, refunded] {
        if work.the(sql, params![], |row| row.int(0)).await? > 0 {
            found.problems.push("rows about members are of no such batch or refund".to_owned());
        }
    }
    Ok(())
}
