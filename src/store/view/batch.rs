//! What the page of a batch reads: its attempts, the bank's results, and what went wrong.

use crate::model::attempt::{AttemptKind, AttemptState};
use crate::model::expectation::{ExpectationKind, ExpectationState};
use crate::model::id::{AttemptNo, BatchNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;
use crate::store::sql::{Row, Work, params};
use crate::store::view::{BATCH_COLUMNS, BatchRow, RegisterRow, batch_row, dynamic, registers};
use crate::store::{Store, StoreError, bank_references};

/// A batch with its attempts and what went wrong in it.
#[derive(Debug, Clone)]
pub struct BatchPage {
    pub row: BatchRow,
    pub register: RegisterRow,
    /// What the payees of the register are sealed to.
    pub head_digest: [u8; 32],
    pub attempts: Vec<AttemptRow>,
    /// Answers of the bank that are or were waited for.
    pub expectations: Vec<ExpectationRow>,
    pub results: Vec<ResultRow>,
    /// Failed and returned payments, at most as many as asked for, each with all of its rows.
    pub failures: Vec<FailureRow>,
    /// Only failures behind this line are listed.
    pub after: i64,
    /// There are failures behind those listed.
    pub more: bool,
    pub quarantined: Vec<QuarantineRow>,
}

#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub no: AttemptNo,
    pub kind: AttemptKind,
    pub bank: String,
    pub reference: String,
    pub state: AttemptState,
    pub state_at_ms: i64,
    pub made_at_ms: i64,
    pub sends: i64,
    pub asks: i64,
    pub bank_code: String,
    /// Sealed: what the bank said beside it.
    pub bank_text: Option<Vec<u8>>,
    /// What the bank calls it.
    pub bank_references: Vec<String>,
}

/// An answer that the bank owes, or owed.
#[derive(Debug, Clone)]
pub struct ExpectationRow {
    pub attempt: AttemptNo,
    pub kind: ExpectationKind,
    pub due_at_ms: i64,
    pub state: ExpectationState,
    pub state_at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct ResultRow {
    pub no: ResultNo,
    pub name: String,
    /// `applied` or `held`.
    pub state: String,
    pub lines: i64,
    pub applied: i64,
    pub quarantined: i64,
    pub why: String,
    pub taken_at_ms: i64,
}

/// A payment that failed or came back. `person` and `words` are sealed.
#[derive(Debug, Clone)]
pub struct FailureRow {
    pub register: RegisterNo,
    pub attempt: AttemptNo,
    pub line: i64,
    pub amount: Fen,
    pub bank: String,
    pub kind: OutcomeKind,
    pub reason: Option<Reason>,
    pub code: String,
    pub person: Vec<u8>,
    pub words: Option<Vec<u8>>,
    /// The same attempt was also told that it is credited.
    pub also_credited: bool,
}

#[derive(Debug, Clone)]
pub struct QuarantineRow {
    pub result: ResultNo,
    pub row: i64,
    pub cause: String,
    pub detail: String,
    pub line: Option<i64>,
    pub at_ms: i64,
}

impl Store {
    /// One batch with its attempts and at most `limit` failures.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn batch_page(
        &self,
        batch: BatchNo,
        limit: i64,
    ) -> Result<Option<BatchPage>, StoreError> {
        self.batch_page_after(batch, 0, limit).await
    }

    /// The same with the failures behind a line.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn batch_page_after(
        &self,
        batch: BatchNo,
        after: i64,
        limit: i64,
    ) -> Result<Option<BatchPage>, StoreError> {
        let mut work = self.read().await?;
        let sql = format!("SELECT {BATCH_COLUMNS} FROM batch WHERE batch_no = $1");
        let Some(row) = dynamic(&mut work, sql, params![batch], batch_row).await?.pop() else {
            return Ok(None);
        };
        let Some(register) =
            registers(&mut work, "r.register_no = $1", params![row.register, 1]).await?.pop()
        else {
            return Ok(None);
        };
        let sql = "SELECT head_digest FROM register WHERE register_no = $1";
        let head_digest = work.the(sql, params![row.register], |head| head.digest(0)).await?;
        let attempts = attempts(&mut work, batch).await?;
        let sql = "SELECT e.attempt_no, e.kind, e.due_at_ms, e.state, e.state_at_ms FROM attempt a JOIN expectation e ON e.attempt_no = a.attempt_no \
                   WHERE a.batch_no = $1 AND e.state <> 'dropped' ORDER BY e.attempt_no, e.due_at_ms, e.kind";
        let expectations = work
            .rows(sql, params![batch], |row| {
                Ok(ExpectationRow {
                    attempt: AttemptNo(row.int(0)?),
                    kind: row.word(1, ExpectationKind::parse)?,
                    due_at_ms: row.int(2)?,
                    state: row.word(3, ExpectationState::parse)?,
                    state_at_ms: row.int(4)?,
                })
            })
            .await?;
        let sql = "SELECT x.result_no, x.name, x.state, x.lines, x.applied, x.quarantined, x.why, x.taken_at_ms FROM result x \
                   JOIN attempt a ON a.attempt_no = x.attempt_no WHERE a.batch_no = $1 ORDER BY x.result_no";
        let results = work
            .rows(sql, params![batch], |row| {
                Ok(ResultRow {
                    no: ResultNo(row.int(0)?),
                    name: row.string(1)?,
                    state: row.string(2)?,
                    lines: row.int(3)?,
                    applied: row.int(4)?,
                    quarantined: row.int(5)?,
                    why: row.string(6)?,
                    taken_at_ms: row.int(7)?,
                })
            })
            .await?;
        let (failures, more) = failures(&mut work, batch, after, limit).await?;
        let sql = "SELECT q.result_no, q.row_no, q.cause, q.detail, q.line, q.at_ms FROM attempt a \
                   JOIN result x ON x.attempt_no = a.attempt_no JOIN quarantine q ON q.result_no = x.result_no \
                   WHERE a.batch_no = $1 ORDER BY q.result_no, q.row_no LIMIT $2";
        let quarantined = work
            .rows(sql, params![batch, limit], |row| {
                Ok(QuarantineRow {
                    result: ResultNo(row.int(0)?),
                    row: row.int(1)?,
                    cause: row.string(2)?,
                    detail: row.string(3)?,
                    line: row.int_opt(4)?,
                    at_ms: row.int(5)?,
                })
            })
            .await?;
        work.commit().await?;
        Ok(Some(BatchPage {
            row,
            register,
            head_digest,
            attempts,
            expectations,
            results,
            failures,
            after,
            more,
            quarantined,
        }))
    }
}

/// The attempts of a batch, each with what the bank calls it.
async fn attempts(work: &mut Work, batch: BatchNo) -> Result<Vec<AttemptRow>, StoreError> {
    let sql = "SELECT attempt_no, kind, bank, reference, state, state_at_ms, made_at_ms, sends, asks, bank_code, bank_text FROM attempt \
               WHERE batch_no = $1 ORDER BY attempt_no";
    let mut attempts = work.rows(sql, params![batch], attempt_row).await?;
    for attempt in &mut attempts {
        attempt.bank_references = bank_references::of(work, attempt.no).await?;
    }
    Ok(attempts)
}

/// Failures of a batch behind a line, and whether there are more behind them. A payment with
/// several rows (failed, then returned) is not divided.
async fn failures(
    work: &mut Work,
    batch: BatchNo,
    after: i64,
    limit: i64,
) -> Result<(Vec<FailureRow>, bool), StoreError> {
    let sql = "SELECT a.register_no, o.attempt_no, o.line, p.amount_fen, p.bank, o.kind, o.reason, o.code, p.person, o.words, \
               (SELECT COUNT(*) FROM outcome c WHERE c.attempt_no = o.attempt_no AND c.line = o.line AND c.kind = 'credited') \
               FROM attempt a JOIN outcome o ON o.attempt_no = a.attempt_no \
               JOIN payment p ON p.register_no = a.register_no AND p.line = o.line \
               WHERE a.batch_no = $1 AND o.line > $2 AND o.kind NOT IN ('credited', 'settled_credited') \
               AND (o.kind = 'returned' OR NOT EXISTS (SELECT 1 FROM outcome s WHERE s.attempt_no = o.attempt_no AND s.line = o.line \
               AND s.kind = 'settled_credited')) ORDER BY o.line, o.kind LIMIT $3";
    let mut rows = work.rows(sql, params![batch, after, limit + 1], failure_row).await?;
    let beyond = usize::try_from(limit).ok().and_then(|at| rows.get(at)).map(|row| row.line);
    if let Some(line) = beyond {
        rows.retain(|row| row.line < line);
    }
    Ok((rows, beyond.is_some()))
}

fn failure_row(row: &Row<'_>) -> Result<FailureRow, StoreError> {
    Ok(FailureRow {
        register: RegisterNo(row.int(0)?),
        attempt: AttemptNo(row.int(1)?),
        line: row.int(2)?,
        amount: Fen::new(row.int(3)?),
        bank: row.string(4)?,
        kind: row.word(5, OutcomeKind::parse)?,
        reason: row.text_opt(6)?.and_then(Reason::parse),
        code: row.text_opt(7)?.unwrap_or_default().to_owned(),
        person: row.blob(8)?.to_vec(),
        words: row.blob_opt(9)?.map(<[u8]>::to_vec),
        also_credited: row.int(10)? > 0,
    })
}

fn attempt_row(row: &Row<'_>) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        no: AttemptNo(row.int(0)?),
        kind: row.word(1, AttemptKind::parse)?,
        bank: row.string(2)?,
        reference: row.string(3)?,
        state: row.word(4, AttemptState::parse)?,
        state_at_ms: row.int(5)?,
        made_at_ms: row.int(6)?,
        sends: row.int(7)?,
        asks: row.int(8)?,
        bank_code: row.string(9)?,
        bank_text: row.blob_opt(10)?.map(<[u8]>::to_vec),
        bank_references: Vec::new(),
    })
}
