//! Rows that an entry of the journal tells of: are they there, as they were, and no others?

use std::collections::BTreeSet;

use serde_json::Value;

use crate::guard::chain::RowDigest;
use crate::guard::key::hex;
use crate::model::money::Fen;
use crate::store::StoreError;
use crate::store::digest::{
    digest_chunk, digest_member, digest_outcome, digest_part, digest_quarantined, digest_serial,
};
use crate::store::results::MEMBER;
use crate::store::sql::{Work, params};
use crate::store::verify::Verification;
use crate::store::verify::told::Told;

/// Attempts, parts, results, refunds and decisions are those that the journal tells.
pub(super) async fn check_states(
    work: &mut Work,
    found: &mut Verification,
    told: &Told,
) -> Result<(), StoreError> {
    let attempts = work
        .rows("SELECT attempt_no, state FROM attempt", params![], |row| {
            Ok((row.int(0)?, row.string(1)?))
        })
        .await?;
    for (attempt, state) in &attempts {
        if told.attempts.get(attempt) != Some(&state.as_str()) {
            found.problems.push(format!("A{attempt} is {state}, which its journal does not tell"));
        }
    }
    if attempts.len() != told.attempts.len() {
        found.problems.push("attempts are missing that the journal tells of".to_owned());
    }
    for (body, expected) in &told.intents {
        check_intent(work, found, body, expected).await?;
    }
    for (body, expected) in &told.refunds {
        check_refund(work, found, body, expected, told).await?;
    }
    Ok(())
}

/// A batch, its members and its files are those that its INTENT tells.
async fn check_intent(
    work: &mut Work,
    found: &mut Verification,
    body: &Value,
    expected: &[u8; 32],
) -> Result<(), StoreError> {
    let int = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = RowDigest::new();
    let members = format!(
        "SELECT p.line, p.amount_fen FROM batch b JOIN payment p ON p.register_no = b.register_no AND p.bank = b.bank \
         AND p.line BETWEEN b.first_line AND b.last_line WHERE b.batch_no = $1 AND {MEMBER} ORDER BY p.line"
    );
    work.0
        .rows(members.into(), params![int("batch")], &mut |row| {
            digest_member(&mut rows, row.int(0)?, Fen::new(row.int(1)?));
            Ok(())
        })
        .await?;
    digest_parts(work, &mut rows, int("attempt")).await?;
    let sql = "SELECT first_line, last_line, payments, sum_fen, content, format_digest FROM batch WHERE batch_no = $1";
    let frozen = work
        .one(sql, params![int("batch")], |row| {
            Ok((
                row.int(0)?,
                row.int(1)?,
                row.int(2)?,
                row.int(3)?,
                hex(row.blob(4)?),
                hex(row.blob(5)?),
            ))
        })
        .await?;
    let said = (
        int("first"),
        int("last"),
        int("payments"),
        int("sum_fen"),
        text("content"),
        text("format"),
    );
    let named = reference(work, int("attempt")).await? == text("reference");
    if rows.finish() != *expected || frozen != Some(said) || !named {
        found
            .problems
            .push(format!("B{} or its files are not what its INTENT tells", int("batch")));
    }
    // Set aside inside the range, or listed: as many as were written.
    let sql = "SELECT (SELECT COUNT(*) FROM batch_payment WHERE batch_no = $1) - (SELECT COUNT(*) FROM batch_except WHERE batch_no = $2)";
    let counted = work.the(sql, params![int("batch"), int("batch")], |row| row.int(0)).await?;
    if counted != int("members") {
        found
            .problems
            .push(format!("B{}: rows about its members are missing or added", int("batch")));
    }
    Ok(())
}

/// A refund, its files and its state are those that the journal tells.
async fn check_refund(
    work: &mut Work,
    found: &mut Verification,
    body: &Value,
    expected: &[u8; 32],
    told: &Told,
) -> Result<(), StoreError> {
    let int = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
    let no = int("refund");
    let sql = "SELECT bank, via_bank, payments, sum_fen, state FROM refund WHERE refund_no = $1";
    let kept = work
        .one(sql, params![no], |row| {
            let frozen = serde_json::json!([row.text(0)?, row.text(1)?, row.int(2)?, row.int(3)?]);
            Ok((frozen, row.string(4)?))
        })
        .await?;
    let said = ["bank", "via_bank", "payments", "sum_fen"]
        .map(|name| body.get(name).cloned().unwrap_or_default());
    let state = told.refund_states.get(&no).copied().unwrap_or_default();
    if kept != Some((Value::from(said.to_vec()), state.to_owned())) {
        found.problems.push(format!("F{no} is not what its journal tells"));
    }
    let named = reference(work, int("attempt")).await?;
    let mut rows = RowDigest::new();
    let sql = "SELECT line, amount_fen FROM refund_line WHERE refund_no = $1 ORDER BY line";
    work.rows(sql, params![no], |row| {
        rows.row("refund_line").int(row.int(0)?).int(row.int(1)?);
        Ok(())
    })
    .await?;
    digest_parts(work, &mut rows, int("attempt")).await?;
    let reference = body.get("reference").and_then(Value::as_str);
    if rows.finish() != *expected || reference != Some(named.as_str()) {
        found.problems.push(format!("F{no} or its files are not what its INTENT tells"));
    }
    // The payments of a refund that was not made are free again, or carried by another.
    let carries = !["refused", "withdrawn"].contains(&state);
    let sql = "SELECT COUNT(*), (SELECT COUNT(*) FROM leftover WHERE refund_no = $1) FROM refund_line n \
               JOIN refund f ON f.refund_no = n.refund_no JOIN leftover l ON l.register_no = f.register_no AND l.line = n.line \
               AND l.amount_fen = n.amount_fen AND l.refund_no = n.refund_no WHERE n.refund_no = $1";
    let (listed, carried) =
        work.the(sql, params![no], |row| Ok((row.int(0)?, row.int(1)?))).await?;
    let payments = if carries { int("payments") } else { 0 };
    if (listed, carried) != (payments, payments) {
        found.problems.push(format!("F{no} carries other leftover than it lists"));
    }
    Ok(())
}

/// The reference of an attempt; empty where there is no such attempt.
async fn reference(work: &mut Work, attempt: i64) -> Result<String, StoreError> {
    let sql = "SELECT reference FROM attempt WHERE attempt_no = $1";
    let found = work.one(sql, params![attempt], |row| row.string(0)).await?;
    Ok(found.unwrap_or_default())
}

async fn digest_parts(
    work: &mut Work,
    rows: &mut RowDigest,
    attempt: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT p.part_no, p.role, p.name, p.committing, p.size, p.sha256, c.chunk_no, c.bytes FROM part p \
               LEFT JOIN part_chunk c ON c.attempt_no = p.attempt_no AND c.part_no = p.part_no \
               WHERE p.attempt_no = $1 ORDER BY p.part_no, c.chunk_no";
    let mut last = None;
    work.rows(sql, params![attempt], |row| {
        let no = row.int(0)?;
        if last != Some(no) {
            last = Some(no);
            let (role, name) = (row.text(1)?, row.text(2)?);
            digest_part(rows, no, role, name, (row.int(3)?, row.int(4)?), row.blob(5)?);
        }
        if let (Some(no), Some(bytes)) = (row.int_opt(6)?, row.blob_opt(7)?) {
            digest_chunk(rows, no, bytes);
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Rows that the journal knows nothing of, and entries whose rows are gone.
pub(super) async fn check_counts(
    work: &mut Work,
    found: &mut Verification,
    told: &Told,
) -> Result<(), StoreError> {
    let applied = work
        .rows("SELECT result_no FROM result WHERE state = 'applied'", params![], |row| row.int(0))
        .await?;
    if applied.iter().copied().collect::<BTreeSet<_>>() != told.results.keys().copied().collect() {
        found
            .problems
            .push("the results that were applied are not those that the journal tells".to_owned());
    }
    for (result, expected) in &told.results {
        check_result(work, found, *result, expected).await?;
    }
    for (what, sql) in [
        (
            "outcomes",
            "SELECT COUNT(*) FROM outcome o LEFT JOIN result x ON x.result_no = o.result_no AND x.attempt_no = o.attempt_no WHERE x.result_no IS NULL",
        ),
        (
            "notices",
            "SELECT COUNT(*) FROM notice n LEFT JOIN result x ON x.result_no = n.result_no AND x.attempt_no = n.attempt_no WHERE x.result_no IS NULL",
        ),
        (
            "numbers of payments",
            "SELECT COUNT(*) FROM payment_serial s LEFT JOIN result x ON x.result_no = s.result_no AND x.attempt_no = s.attempt_no WHERE x.result_no IS NULL",
        ),
        (
            "quarantined lines",
            "SELECT COUNT(*) FROM quarantine q LEFT JOIN result x ON x.result_no = q.result_no WHERE x.result_no IS NULL",
        ),
    ] {
        if work.the(sql, params![], |row| row.int(0)).await? != 0 {
            found.problems.push(format!("there are {what} that no result told"));
        }
    }
    let batches: BTreeSet<i64> = work
        .rows("SELECT batch_no FROM batch", params![], |row| row.int(0))
        .await?
        .into_iter()
        .collect();
    if batches != told.batches {
        found.problems.push("the batches are not those that the journal tells".to_owned());
    }
    let sql = "SELECT register_no, line, event FROM hold WHERE event_no > 1";
    let decided =
        work.rows(sql, params![], |row| Ok((row.int(0)?, row.int(1)?, row.string(2)?))).await?;
    let kept: BTreeSet<(i64, i64, &str)> =
        decided.iter().map(|(register, line, event)| (*register, *line, event.as_str())).collect();
    if kept != told.decisions {
        found.problems.push(
            "the decisions about payments set aside are not those that the journal tells"
                .to_owned(),
        );
    }
    Ok(())
}

/// What a result said is there, as it was applied.
async fn check_result(
    work: &mut Work,
    found: &mut Verification,
    result: i64,
    expected: &[u8; 32],
) -> Result<(), StoreError> {
    let mut rows = RowDigest::new();
    let sql = "SELECT line, kind, reason, code, words FROM outcome o WHERE o.attempt_no = (SELECT attempt_no FROM result WHERE result_no = $1) \
               AND o.result_no = $2 ORDER BY line, kind";
    work.rows(sql, params![result, result], |row| {
        digest_outcome(
            &mut rows,
            row.int(0)?,
            row.text(1)?,
            row.text_opt(2)?,
            row.text_opt(3)?,
            row.blob_opt(4)?,
        );
        Ok(())
    })
    .await?;
    let sql = "SELECT line, state FROM notice n WHERE n.attempt_no = (SELECT attempt_no FROM result WHERE result_no = $1) \
               AND n.result_no = $2 ORDER BY line, state";
    work.rows(sql, params![result, result], |row| {
        rows.row("notice").int(row.int(0)?).text(row.text(1)?);
        Ok(())
    })
    .await?;
    let sql = "SELECT row_no, cause, detail, attempt_no, line, at_ms FROM quarantine WHERE result_no = $1 ORDER BY row_no";
    work.rows(sql, params![result], |row| {
        let about = (row.int_opt(3)?, row.int_opt(4)?);
        let (cause, detail) = (row.text(1)?, row.text(2)?);
        digest_quarantined(&mut rows, row.int(0)?, cause, detail, about, row.int(5)?);
        Ok(())
    })
    .await?;
    let sql = "SELECT line, serial FROM payment_serial s WHERE s.attempt_no = (SELECT attempt_no FROM result WHERE result_no = $1) \
               AND s.result_no = $2 ORDER BY line";
    work.rows(sql, params![result, result], |row| {
        digest_serial(&mut rows, row.int(0)?, row.text(1)?);
        Ok(())
    })
    .await?;
    if rows.finish() != *expected {
        found
            .problems
            .push(format!("E{result}: its outcomes or notices are not those that were applied"));
    }
    Ok(())
}
