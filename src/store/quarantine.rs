//! What banks said and nobody could use: lines put aside and answers held whole, until a later answer or
//! two people settle them.
//!
//! Whether something is settled is not written down anywhere: it follows from the outcomes and decisions
//! that came after it, so it can neither be forgotten nor be said of what is not.

use std::collections::BTreeSet;

use crate::model::alert::AlertKind;
use crate::model::id::{AttemptNo, BatchNo, DecisionNo, RegisterNo, ResultNo};
use crate::store::attempts::Attempt;
use crate::store::journal::Entry;
use crate::store::sql::{Param, Row, Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// Results that are looked through for the count of what is open; more of them are an alert each.
const RESULTS_COUNTED_MAX: i64 = 1_000;

/// The decision that settled line `q`, or its whole result.
const ROW_DECISION: &str = "(SELECT MIN(d.decision_no) FROM decision d WHERE d.state = 'confirmed' AND d.subject IN \
    ('E' || CAST(q.result_no AS TEXT), 'E' || CAST(q.result_no AS TEXT) || '.' || CAST(q.row_no AS TEXT)))";

/// The result in which the payment of line `q` got an answer, taken later. Which was first their numbers do not tell: one
/// that was held keeps its own when it is taken. Whether something was paid twice no answer about
/// the payment tells.
const ROW_RESULT: &str = "(SELECT MIN(o.result_no) FROM outcome o \
    JOIN result y ON y.result_no = o.result_no JOIN result w ON w.result_no = q.result_no \
    WHERE o.attempt_no = q.attempt_no AND o.line = q.line AND y.turn > w.turn AND q.cause NOT IN ('credited_twice', 'returned_one_of_two'))";

/// The decision that settled result `x`.
const HELD_DECISION: &str = "(SELECT MIN(d.decision_no) FROM decision d WHERE d.state = 'confirmed' \
    AND d.subject = 'E' || CAST(x.result_no AS TEXT))";

/// The result that settled result `x`: a later one, or one that the bank told once more later, when nothing of the
/// batch was open.
const HELD_RESULT: &str = "(SELECT MAX(y.result_no) FROM result y JOIN attempt a ON a.attempt_no = x.attempt_no \
    JOIN batch b ON b.batch_no = a.batch_no WHERE y.attempt_no = x.attempt_no AND y.state = 'applied' \
    AND (y.turn > x.turn OR y.result_no = x.again_no) AND b.pending = 0 AND b.conflicts = 0)";

/// The attempt that result `x` is about came to its end after it.
const HELD_OVER: &str = "EXISTS (SELECT 1 FROM attempt a LEFT JOIN refund f ON f.refund_no = a.refund_no \
    WHERE a.attempt_no = x.attempt_no AND ((a.state = 'refused' AND a.state_at_ms > x.taken_at_ms) \
    OR (f.state = 'confirmed' AND f.state_at_ms > x.taken_at_ms)))";

/// The condition under which line `q` waits for somebody.
pub(super) fn row_is_open() -> String {
    format!("{ROW_DECISION} IS NULL AND {ROW_RESULT} IS NULL")
}

/// The condition under which result `x` waits for somebody as a whole.
pub(super) fn held_is_open() -> String {
    format!(
        "x.state = 'held' AND {HELD_DECISION} IS NULL AND {HELD_RESULT} IS NULL AND NOT {HELD_OVER}"
    )
}

/// An answer that names payments, of which every line could be used, and which says nothing new.
pub(super) struct Told<'a> {
    pub(super) name: &'a str,
    pub(super) digest: &'a [u8; 32],
}

/// What settled something that was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledBy {
    Result(ResultNo),
    Decision(DecisionNo),
}

/// A line that was put aside, or an answer that is held whole. No personal data.
#[derive(Debug, Clone)]
pub struct Aside {
    pub result: ResultNo,
    /// The line, from 1; 0 where the whole answer is held.
    pub row: i64,
    pub bank: String,
    /// The file's name, or the kind of answer and our reference.
    pub name: String,
    /// Why: a cause of the quarantine, or `held`.
    pub cause: String,
    pub detail: String,
    pub register: Option<RegisterNo>,
    pub batch: Option<BatchNo>,
    /// The payment's line in its register, where it is known.
    pub line: Option<i64>,
    pub at_ms: i64,
    /// By what and when it was settled; nothing while it waits.
    pub settled: Option<(SettledBy, i64)>,
}

/// A page of what was put aside.
#[derive(Debug, Clone, Default)]
pub struct QuarantinePage {
    pub items: Vec<Aside>,
    /// There are more behind those listed.
    pub more: bool,
    /// How many wait for somebody in all.
    pub open: i64,
}

fn settled(
    row: &Row<'_>,
    (decision, decided_at): (usize, usize),
    (result, taken_at): (usize, usize),
) -> Result<Option<(SettledBy, i64)>, StoreError> {
    let decided = row.int_opt(decision)?.zip(row.int_opt(decided_at)?);
    let answered = row.int_opt(result)?.zip(row.int_opt(taken_at)?);
    Ok(decided
        .map(|(no, at)| (SettledBy::Decision(DecisionNo(no)), at))
        .or_else(|| answered.map(|(no, at)| (SettledBy::Result(ResultNo(no)), at))))
}

impl Store {
    /// Whether something was put aside about an attempt that may say that something of it was done.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn is_weighed(&self, attempt: AttemptNo) -> Result<bool, StoreError> {
        let mut work = self.read().await?;
        let open = weighing(&mut work, attempt).await?;
        work.commit().await?;
        Ok(open > 0)
    }

    /// What was put aside, newest first, behind a line of a result (`row` 0 is the result as a whole);
    /// only what waits for somebody, unless `all` is asked for.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn quarantine_page(
        &self,
        before: Option<(ResultNo, i64)>,
        all: bool,
        limit: i64,
    ) -> Result<QuarantinePage, StoreError> {
        let mut work = self.read().await?;
        let (result, row) = before.map_or((i64::MAX, 0), |(result, row)| (result.0, row));
        let only = |open: String| if all { "1 = 1".to_owned() } else { open };
        // Held answers and lines are read apart, each along its key, and merged.
        let held = format!(
            "SELECT x.result_no, CAST(0 AS BIGINT), x.bank, x.name, 'held', x.why, x.register_no, a.batch_no, CAST(NULL AS BIGINT), x.taken_at_ms, \
             {HELD_DECISION}, (SELECT d.confirmed_at_ms FROM decision d WHERE d.decision_no = {HELD_DECISION}), \
             {HELD_RESULT}, (SELECT CASE WHEN z.turn > x.turn THEN z.taken_at_ms ELSE x.again_at_ms END FROM result z \
             WHERE z.result_no = {HELD_RESULT}), CASE WHEN {HELD_OVER} THEN a.state_at_ms ELSE NULL END \
             FROM result x LEFT JOIN attempt a ON a.attempt_no = x.attempt_no \
             WHERE x.state = 'held' AND x.result_no < $1 AND {} ORDER BY x.result_no DESC LIMIT $2",
            only(held_is_open())
        );
        let rows = format!(
            "SELECT q.result_no, q.row_no, x.bank, x.name, q.cause, q.detail, x.register_no, a.batch_no, q.line, q.at_ms, \
             {ROW_DECISION}, (SELECT d.confirmed_at_ms FROM decision d WHERE d.decision_no = {ROW_DECISION}), \
             {ROW_RESULT}, (SELECT z.taken_at_ms FROM result z WHERE z.result_no = {ROW_RESULT}), CAST(NULL AS BIGINT) \
             FROM quarantine q JOIN result x ON x.result_no = q.result_no LEFT JOIN attempt a ON a.attempt_no = x.attempt_no \
             WHERE (q.result_no < $1 OR (q.result_no = $2 AND q.row_no > $3)) AND {} \
             ORDER BY q.result_no DESC, q.row_no LIMIT $4",
            only(row_is_open())
        );
        let mut items = Vec::new();
        let held_params = params![result, limit + 1];
        let rows_params = params![result, result, row, limit + 1];
        for (sql, params) in [(held, held_params), (rows, rows_params)] {
            work.0
                .rows(sql.into(), params, &mut |row| {
                    items.push(aside(row)?);
                    Ok(())
                })
                .await?;
        }
        items.sort_by_key(|item| (std::cmp::Reverse(item.result), item.row));
        let fit = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > fit;
        items.truncate(fit);
        let open = open_in_all(&mut work).await?;
        work.commit().await?;
        Ok(QuarantinePage { items, more, open })
    }
}

fn aside(row: &Row<'_>) -> Result<Aside, StoreError> {
    let over = row.int_opt(14)?;
    let result = ResultNo(row.int(0)?);
    let settled = settled(row, (10, 11), (12, 13))?;
    Ok(Aside {
        result,
        row: row.int(1)?,
        bank: row.string(2)?,
        name: row.string(3)?,
        cause: row.string(4)?,
        detail: row.string(5)?,
        register: row.int_opt(6)?.map(RegisterNo),
        batch: row.int_opt(7)?.map(BatchNo),
        line: row.int_opt(8)?,
        at_ms: row.int(9)?,
        // A refusal or a confirmation has no number of its own.
        settled: settled.or_else(|| over.map(|at| (SettledBy::Result(result), at))),
    })
}

/// The bank told once more what it had told of a batch, and nothing of the batch is open: that settles the answers
/// which are held of it, as it would have, had they come before it (I11). Where none is held nothing is written.
///
/// Nothing of the kind is said of single lines: one that names no payment may be a return, and only people can
/// say that it is not.
pub(super) async fn told_again(
    work: &mut Work,
    attempt: &Attempt,
    told: &Told<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE result AS x SET again_at_ms = $1, \
         again_no = (SELECT MAX(z.result_no) FROM result z WHERE z.attempt_no = x.attempt_no AND z.state = 'applied') \
         WHERE x.attempt_no = $2 AND {} AND EXISTS (SELECT 1 FROM attempt t JOIN batch s ON s.batch_no = t.batch_no \
         WHERE t.attempt_no = x.attempt_no AND s.pending = 0 AND s.conflicts = 0)",
        held_is_open()
    );
    let mut entry = Entry::new("result.again", now_ms);
    let row = params![now_ms, attempt.no];
    let held = entry.vouched.returned(work, &vouch::RESULT, &sql, row).await?;
    if held == 0 {
        return Ok(());
    }
    entry
        .fact("attempt", attempt.no.0)
        .fact("held", held)
        .fact("name", told.name)
        .fact("digest", crate::guard::key::hex(told.digest));
    entry.write_beside(work, attempt.register).await?;
    clear_settled(work, attempt, now_ms).await
}

/// How much of a result waits for somebody: its open lines, or itself where it is held.
pub(super) async fn open_of(work: &mut Work, result: ResultNo) -> Result<i64, StoreError> {
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM quarantine q WHERE q.result_no = $1 AND {}) + (SELECT COUNT(*) FROM result x WHERE x.result_no = $2 AND {})",
        row_is_open(),
        held_is_open()
    );
    count(work, sql, params![result, result]).await
}

async fn count(work: &mut Work, sql: String, of: Vec<Param>) -> Result<i64, StoreError> {
    let mut open = 0;
    let mut read = |row: &Row<'_>| {
        open = row.int(0)?;
        Ok(())
    };
    work.0.rows(sql.into(), of, &mut read).await?;
    Ok(open)
}

/// How much of what was put aside about an attempt may say that something of it was done: lines, and answers that
/// were held for what they say and not because nobody can read them.
pub(super) async fn weighing(work: &mut Work, attempt: AttemptNo) -> Result<i64, StoreError> {
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM result x JOIN quarantine q ON q.result_no = x.result_no WHERE x.attempt_no = $1 AND {}) \
         + (SELECT COUNT(*) FROM result x WHERE x.attempt_no = $2 AND x.weighs = 1 AND {})",
        row_is_open(),
        held_is_open()
    );
    count(work, sql, params![attempt, attempt]).await
}

/// How much waits for somebody in all: found by the alerts that stand, so that what was settled long ago
/// is not looked through.
pub(super) async fn open_in_all(work: &mut Work) -> Result<i64, StoreError> {
    let sql = "SELECT subject FROM alert WHERE cleared_at_ms IS NULL AND kind IN ('quarantine', 'result_held') \
               GROUP BY subject ORDER BY subject LIMIT $1";
    let mut open = 0;
    for subject in work.rows(sql, params![RESULTS_COUNTED_MAX], |row| row.string(0)).await? {
        if let Some(result) = ResultNo::parse(&subject) {
            open += open_of(work, result).await?;
        }
    }
    Ok(open)
}

/// The lines of an attempt that may have been credited twice; `open` are those of which nobody has said more.
pub(super) async fn credited_twice(
    work: &mut Work,
    attempt: AttemptNo,
    open: bool,
) -> Result<BTreeSet<i64>, StoreError> {
    let only = if open { row_is_open() } else { "1 = 1".to_owned() };
    let sql = format!(
        "SELECT q.line FROM result x JOIN quarantine q ON q.result_no = x.result_no WHERE x.attempt_no = $1 \
         AND q.cause = 'credited_twice' AND {only}"
    );
    let mut lines = BTreeSet::new();
    let mut read = |row: &Row<'_>| {
        lines.extend(row.int_opt(0)?);
        Ok(())
    };
    work.0.rows(sql.into(), params![attempt], &mut read).await?;
    Ok(lines)
}

/// Clears the alerts about answers to an attempt of which nothing waits any more.
pub(super) async fn clear_settled(
    work: &mut Work,
    attempt: &Attempt,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT subject FROM alert WHERE cleared_at_ms IS NULL AND kind IN ('quarantine', 'result_held') \
               AND register_no = $1 GROUP BY subject ORDER BY subject";
    for subject in work.rows(sql, params![attempt.register], |row| row.string(0)).await? {
        if let Some(result) = ResultNo::parse(&subject) {
            clear_result(work, result, now_ms).await?;
        }
    }
    end_contradiction(work, attempt.no, now_ms).await
}

/// Clears what was told of a contradiction, once what it was about is over and nothing of it waits for anybody; and
/// what was told of payments made twice, once people have looked at each.
pub(super) async fn end_contradiction(
    work: &mut Work,
    attempt: AttemptNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let about = attempt.to_string();
    let twice = AlertKind::PaidTwice;
    if stands(work, twice, &about).await? && credited_twice(work, attempt, true).await?.is_empty() {
        super::alerts::clear(work, twice, &about, now_ms).await?;
    }
    let kind = AlertKind::Contradiction;
    if !stands(work, kind, &about).await? {
        return Ok(());
    }
    let sql = format!(
        "SELECT COUNT(*) FROM attempt a LEFT JOIN batch b ON b.batch_no = a.batch_no LEFT JOIN refund f ON f.refund_no = a.refund_no \
         WHERE a.attempt_no = $1 AND (a.state IN ('refused', 'closed') OR (b.pending = 0 AND b.conflicts = 0) OR f.state = 'confirmed') \
         AND NOT EXISTS (SELECT 1 FROM result x JOIN quarantine q ON q.result_no = x.result_no WHERE x.attempt_no = a.attempt_no AND {}) \
         AND NOT EXISTS (SELECT 1 FROM result x WHERE x.attempt_no = a.attempt_no AND {})",
        row_is_open(),
        held_is_open()
    );
    if count(work, sql, params![attempt]).await? > 0 {
        super::alerts::clear(work, kind, &about, now_ms).await?;
    }
    Ok(())
}

async fn stands(work: &mut Work, kind: AlertKind, about: &str) -> Result<bool, StoreError> {
    let sql =
        "SELECT COUNT(*) FROM alert WHERE kind = $1 AND subject = $2 AND cleared_at_ms IS NULL";
    Ok(work.the(sql, params![kind.as_str(), about], |row| row.int(0)).await? > 0)
}

/// Clears the alerts about a result, where nothing of it waits any more.
pub(super) async fn clear_result(
    work: &mut Work,
    result: ResultNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    if open_of(work, result).await? > 0 {
        return Ok(());
    }
    for kind in [AlertKind::Quarantine, AlertKind::ResultHeld] {
        super::alerts::clear(work, kind, &result.to_string(), now_ms).await?;
    }
    Ok(())
}
