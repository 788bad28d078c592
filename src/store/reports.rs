//! The outbox: a report is written with the facts it tells of, and stays due until finance
//! acknowledged it. Its rows are read from those facts whenever it is sent, so a repetition says
//! the same.

use std::collections::BTreeMap;

use crate::model::alert::AlertKind;
use crate::model::hold::HoldReason;
use crate::model::id::{AttemptNo, RefundNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::{Folded, OutcomeKind, Seen};
use crate::model::reason::Reason;
use crate::model::refund::LeftoverCause;
use crate::model::report::{Recipient, RecipientKind, ReportKind};
use crate::store::journal::Entry;
use crate::store::sql::{Param, Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// A report to be told.
#[derive(Debug, Clone)]
pub struct NewReport {
    pub report_id: String,
    pub register: RegisterNo,
    pub kind: ReportKind,
    pub recipient: Recipient,
    /// The result or refund it tells of, the last posting for a closing account, else 0.
    pub subject: i64,
    /// JSON of what facts alone do not say; no personal data.
    pub body: String,
}

/// A report that is due.
#[derive(Debug, Clone)]
pub struct DueReport {
    pub report_no: i64,
    pub report_id: String,
    pub register: RegisterNo,
    pub source: String,
    pub register_id: String,
    pub revision: i64,
    pub head_digest: [u8; 32],
    pub kind: ReportKind,
    pub recipient: Recipient,
    pub subject: i64,
    pub body: String,
    pub made_at_ms: i64,
    pub tries: i64,
}

/// What a result said about one payment. `person` and `words` are sealed.
#[derive(Debug, Clone)]
pub struct OutcomeRow {
    pub line: i64,
    pub kind: OutcomeKind,
    /// Where all answers up to this result leave the payment.
    pub folded: Folded,
    pub amount: Fen,
    pub bank: String,
    pub town: i64,
    pub reason: Option<Reason>,
    pub code: String,
    pub words: Option<Vec<u8>>,
    /// Only of payments that did not stay credited.
    pub person: Option<Vec<u8>>,
    /// Which try to pay this is, 1 for the first.
    pub number: i64,
    /// The payment it replaces, as finance names it.
    pub replaces: Option<(String, i64, i64)>,
}

/// A result as its report names it.
#[derive(Debug, Clone)]
pub struct ResultHead {
    pub attempt: AttemptNo,
    pub batch: i64,
    pub bank: String,
    pub taken_at_ms: i64,
}

/// A refund as its report names it.
#[derive(Debug, Clone)]
pub struct RefundHead {
    pub bank: String,
    pub pool_account: String,
    pub voucher_no: String,
    pub sum: Fen,
    pub reference: String,
}

/// A payment that was set aside at intake. `person` is sealed.
#[derive(Debug, Clone)]
pub struct SetAsideRow {
    pub line: i64,
    pub bank: String,
    pub town: i64,
    pub amount: Fen,
    pub person: Vec<u8>,
    pub reason: HoldReason,
    pub detail: String,
    /// 1 at intake, more where it was set aside later.
    pub event_no: i64,
    pub placed_at_ms: i64,
}

/// Reports that are written in one statement: few enough for the parameters of both databases.
const AT_ONCE: usize = 50;

/// Writes reports with the facts that they tell of; the same id again changes nothing.
pub(super) async fn insert(
    work: &mut Work,
    entry: &mut Entry,
    reports: &[NewReport],
    now_ms: i64,
) -> Result<(), StoreError> {
    for some in reports.chunks(AT_ONCE) {
        let mut row = params![now_ms];
        let mut values: Vec<String> = Vec::with_capacity(some.len());
        for report in some {
            let from = row.len() + 1;
            let places: Vec<String> = (from..from + 7).map(|at| format!("${at}")).collect();
            values.push(format!("({}, 'due', $1, $1, 0, '')", places.join(", ")));
            row.extend(params![
                &report.report_id,
                report.register,
                report.kind.as_str(),
                report.recipient.kind.as_str(),
                &report.recipient.name,
                report.subject,
                &report.body,
            ]);
        }
        let sql = format!(
            "INSERT INTO report (report_id, register_no, kind, recipient_kind, recipient, subject_no, body, state, made_at_ms, next_at_ms, tries, trouble) \
             VALUES {} ON CONFLICT (report_id) DO NOTHING",
            values.join(", ")
        );
        entry.vouched.returned(work, &vouch::REPORT, &sql, row).await?;
    }
    Ok(())
}

async fn acknowledge_some(
    work: &mut Work,
    entry: &mut Entry,
    reports: &[&DueReport],
    now_ms: i64,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE report SET state = 'acknowledged', acknowledged_at_ms = $1, tries = tries + 1, trouble = '' WHERE state = 'due'";
    let mut row = params![now_ms];
    row.extend(reports.iter().map(|report| Param::from(report.report_no)));
    let places: Vec<String> = (2..=row.len()).map(|at| format!("${at}")).collect();
    let sql = format!("{SQL} AND report_no IN ({})", places.join(", "));
    match entry.vouched.returned(work, &vouch::REPORT, &sql, row).await? {
        moved if moved == reports.len() => Ok(()),
        moved => Err(StoreError::Moved { sql: SQL, moved: moved as u64 }),
    }
}

impl Store {
    /// Reports to send by now, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_reports(
        &self,
        now_ms: i64,
        limit: i64,
        resting: &[String],
    ) -> Result<Vec<DueReport>, StoreError> {
        let mut work = self.read().await?;
        let mut row = params![now_ms, limit];
        row.extend(resting.iter().map(Param::from));
        let places = 3..=row.len();
        let resting =
            places.fold(String::new(), |sql, at| sql + &format!(" AND r.source <> ${at}"));
        let sql = format!(
            "SELECT p.report_no, p.report_id, p.register_no, r.source, r.id, r.revision, r.head_digest, p.kind, p.recipient_kind, \
                   p.recipient, p.subject_no, p.body, p.made_at_ms, p.tries FROM report p JOIN register r ON r.register_no = p.register_no \
                   WHERE p.state = 'due' AND p.next_at_ms <= $1{resting} ORDER BY p.next_at_ms, p.report_no LIMIT $2"
        );
        let mut due = Vec::new();
        work.0
            .rows(sql.into(), row, &mut |row| {
                due.push(DueReport {
                    report_no: row.int(0)?,
                    report_id: row.string(1)?,
                    register: RegisterNo(row.int(2)?),
                    source: row.string(3)?,
                    register_id: row.string(4)?,
                    revision: row.int(5)?,
                    head_digest: row.digest(6)?,
                    kind: row.word(7, ReportKind::parse)?,
                    recipient: Recipient {
                        kind: row.word(8, RecipientKind::parse)?,
                        name: row.string(9)?,
                    },
                    subject: row.int(10)?,
                    body: row.string(11)?,
                    made_at_ms: row.int(12)?,
                    tries: row.int(13)?,
                });
                Ok(())
            })
            .await?;
        work.commit().await?;
        Ok(due)
    }

    /// Notes that finance acknowledged reports; one transaction for all that were sent together.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn acknowledge(&self, reports: &[DueReport], now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "SELECT subject FROM alert WHERE kind = $1 AND cleared_at_ms IS NULL";
        let told = work.rows(sql, params![AlertKind::Report.as_str()], |row| row.string(0)).await?;
        let mut by_register: BTreeMap<RegisterNo, Vec<&DueReport>> = BTreeMap::new();
        for report in reports {
            by_register.entry(report.register).or_default().push(report);
        }
        for (register, reports) in by_register {
            let mut entry = Entry::new("report.acknowledged", now_ms);
            for some in reports.chunks(AT_ONCE) {
                acknowledge_some(&mut work, &mut entry, some, now_ms).await?;
            }
            for report in reports.iter().filter(|report| told.contains(&report.report_id)) {
                let (kind, subject) = (AlertKind::Report, &report.report_id);
                super::alerts::clear(&mut work, kind, subject, now_ms).await?;
            }
            let ids: Vec<&str> = reports.iter().map(|report| report.report_id.as_str()).collect();
            entry.fact("reports", ids);
            entry.write_beside(&mut work, register).await?;
        }
        let sql = "INSERT INTO counter (name, value) VALUES ('reports_acknowledged', $1) \
                   ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value";
        work.run(sql, params![i64::try_from(reports.len()).unwrap_or(i64::MAX)]).await?;
        self.done(work).await
    }

    /// Notes that a report was not acknowledged, and when to send it again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn delay_report(
        &self,
        report: &DueReport,
        trouble: &str,
        next_at_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE report SET tries = tries + 1, trouble = $1, next_at_ms = $2 WHERE report_no = $3 AND state = 'due'";
        work.run(sql, params![trouble, next_at_ms, report.report_no]).await?;
        work.commit().await
    }

    /// What a result newly said about payments, in line order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn outcome_rows(
        &self,
        result: ResultNo,
    ) -> Result<(ResultHead, Vec<OutcomeRow>), StoreError> {
        let mut work = self.read().await?;
        let head = result_head(&mut work, result).await?;
        let sql = "SELECT o.line, o.kind, p.amount_fen, p.bank, p.town, o.reason, o.code, o.words, \
                   CASE WHEN o.kind IN ('credited', 'settled_credited') THEN NULL ELSE p.person END, COALESCE(i.number, 1), rr.id, rr.revision, i.replaces_line \
                   FROM attempt a JOIN outcome o ON o.attempt_no = a.attempt_no \
                   JOIN payment p ON p.register_no = a.register_no AND p.line = o.line \
                   LEFT JOIN reissue i ON i.register_no = a.register_no AND i.line = o.line \
                   LEFT JOIN register rr ON rr.register_no = i.replaces_register_no \
                   WHERE a.attempt_no = $1 AND o.result_no = $2 ORDER BY o.line, o.kind";
        let mut rows = work
            .rows(sql, params![head.attempt, result], |row| {
                let replaces = match (row.text_opt(10)?, row.int_opt(11)?, row.int_opt(12)?) {
                    (Some(id), Some(revision), Some(line)) => Some((id.to_owned(), revision, line)),
                    _ => None,
                };
                let kind = row.word(1, OutcomeKind::parse)?;
                Ok(OutcomeRow {
                    line: row.int(0)?,
                    kind,
                    folded: Seen::default().with(kind).fold(),
                    amount: Fen::new(row.int(2)?),
                    bank: row.string(3)?,
                    town: row.int(4)?,
                    reason: row.text_opt(5)?.and_then(Reason::parse),
                    code: row.text_opt(6)?.unwrap_or_default().to_owned(),
                    words: row.blob_opt(7)?.map(<[u8]>::to_vec),
                    person: row.blob_opt(8)?.map(<[u8]>::to_vec),
                    number: row.int(9)?,
                    replaces,
                })
            })
            .await?;
        fold_several(&mut work, head.attempt, result, &mut rows).await?;
        work.commit().await?;
        Ok((head, rows))
    }

    /// What a result newly said about SMS notices: (line, town, state), in line order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn notice_rows(
        &self,
        result: ResultNo,
    ) -> Result<(ResultHead, Vec<(i64, i64, NoticeState)>), StoreError> {
        let mut work = self.read().await?;
        let head = result_head(&mut work, result).await?;
        let sql = "SELECT n.line, p.town, n.state FROM attempt a JOIN notice n ON n.attempt_no = a.attempt_no \
                   JOIN payment p ON p.register_no = a.register_no AND p.line = n.line \
                   WHERE a.attempt_no = $1 AND n.result_no = $2 ORDER BY n.line, n.state";
        let rows = work
            .rows(sql, params![head.attempt, result], |row| {
                Ok((row.int(0)?, row.int(1)?, row.word(2, NoticeState::parse)?))
            })
            .await?;
        work.commit().await?;
        Ok((head, rows))
    }

    /// What a refund carried: (line, town, amount, cause), in line order.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refund_rows(
        &self,
        refund: RefundNo,
    ) -> Result<(RefundHead, Vec<(i64, i64, Fen, LeftoverCause)>), StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT f.via_bank, f.pool_account, f.voucher_no, f.sum_fen, a.reference FROM refund f \
                   JOIN attempt a ON a.refund_no = f.refund_no WHERE f.refund_no = $1";
        let head = work
            .the(sql, params![refund], |row| {
                Ok(RefundHead {
                    bank: row.string(0)?,
                    pool_account: row.string(1)?,
                    voucher_no: row.string(2)?,
                    sum: Fen::new(row.int(3)?),
                    reference: row.string(4)?,
                })
            })
            .await?;
        let sql = "SELECT n.line, p.town, n.amount_fen, l.cause FROM refund f JOIN refund_line n ON n.refund_no = f.refund_no \
                   JOIN payment p ON p.register_no = f.register_no AND p.line = n.line \
                   JOIN leftover l ON l.register_no = f.register_no AND l.line = n.line WHERE f.refund_no = $1 ORDER BY n.line";
        let rows = work
            .rows(sql, params![refund], |row| {
                Ok((
                    row.int(0)?,
                    row.int(1)?,
                    Fen::new(row.int(2)?),
                    row.word(3, LeftoverCause::parse)?,
                ))
            })
            .await?;
        work.commit().await?;
        Ok((head, rows))
    }

    /// The payments that were set aside, at intake or later, whatever became of them since.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn set_aside_rows(
        &self,
        register: RegisterNo,
    ) -> Result<Vec<SetAsideRow>, StoreError> {
        let sql = "SELECT p.line, p.bank, p.town, p.amount_fen, p.person, h.reason, h.detail, h.event_no, h.at_ms FROM hold h \
                   JOIN payment p ON p.register_no = h.register_no AND p.line = h.line \
                   WHERE h.register_no = $1 AND h.event = 'placed' ORDER BY p.line, h.event_no";
        self.look()
            .rows(sql, params![register], |row| {
                Ok(SetAsideRow {
                    line: row.int(0)?,
                    bank: row.string(1)?,
                    town: row.int(2)?,
                    amount: Fen::new(row.int(3)?),
                    person: row.blob(4)?.to_vec(),
                    reason: row.word(5, HoldReason::parse)?,
                    detail: row.string(6)?,
                    event_no: row.int(7)?,
                    placed_at_ms: row.int(8)?,
                })
            })
            .await
    }

    /// The towns that a register's payments belong to.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn towns(&self, register: RegisterNo) -> Result<Vec<i64>, StoreError> {
        let sql =
            "SELECT DISTINCT town FROM payment WHERE register_no = $1 AND town > 0 ORDER BY town";
        self.look().rows(sql, params![register], |row| row.int(0)).await
    }

    /// How many SMS of a register are in each state.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn notice_counts(
        &self,
        register: RegisterNo,
    ) -> Result<Vec<(NoticeState, i64)>, StoreError> {
        let sql = "SELECT CAST(SUM(sms_delivered) AS BIGINT), CAST(SUM(sms_failed) AS BIGINT), CAST(SUM(sms_no_number) AS BIGINT), \
                   CAST(SUM(sms_unknown) AS BIGINT) FROM share WHERE register_no = $1";
        let counts = self
            .look()
            .the(sql, params![register], |row| {
                Ok([row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?])
            })
            .await?;
        let states = [
            NoticeState::Delivered,
            NoticeState::Failed,
            NoticeState::NoNumber,
            NoticeState::Unknown,
        ];
        let counts = states.into_iter().zip(counts).collect();
        Ok(counts)
    }
}

/// Folds the few payments with more than one answer up to this result; a later answer does not
/// change what this report said. A credit that is told with or after the return of it moves nothing, and is
/// no news.
async fn fold_several(
    work: &mut Work,
    attempt: AttemptNo,
    result: ResultNo,
    rows: &mut Vec<OutcomeRow>,
) -> Result<(), StoreError> {
    // By the turns in which they were taken: one that was held keeps its number.
    let sql = "SELECT o.line, o.kind FROM outcome o JOIN result x ON x.result_no = o.result_no JOIN result w ON w.result_no = $2 \
               WHERE o.attempt_no = $1 AND x.turn <= w.turn AND o.line IN \
               (SELECT n.line FROM outcome n JOIN result y ON y.result_no = n.result_no JOIN result v ON v.result_no = $4 \
               WHERE n.attempt_no = $3 AND y.turn <= v.turn GROUP BY n.line HAVING COUNT(*) > 1)";
    let several = work
        .rows(sql, params![attempt, result, attempt, result], |row| {
            Ok((row.int(0)?, row.word(1, OutcomeKind::parse)?))
        })
        .await?;
    let mut seen = std::collections::HashMap::<i64, Seen>::new();
    for (line, kind) in several {
        let entry = seen.entry(line).or_default();
        *entry = entry.with(kind);
    }
    for row in rows.iter_mut() {
        if let Some(seen) = seen.get(&row.line) {
            row.folded = seen.fold();
        }
    }
    rows.retain(|row| row.kind != OutcomeKind::Credited || row.folded != Folded::Returned);
    Ok(())
}

async fn result_head(work: &mut Work, result: ResultNo) -> Result<ResultHead, StoreError> {
    let sql = "SELECT a.attempt_no, a.batch_no, a.bank, x.taken_at_ms FROM result x JOIN attempt a ON a.attempt_no = x.attempt_no WHERE x.result_no = $1";
    work.the(sql, params![result], |row| {
        Ok(ResultHead {
            attempt: AttemptNo(row.int(0)?),
            batch: row.int(1)?,
            bank: row.string(2)?,
            taken_at_ms: row.int(3)?,
        })
    })
    .await
}

impl Store {
    /// Adds reports about a register that belong to no other transaction; ids that are there already
    /// stay.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn add_reports(
        &self,
        register: RegisterNo,
        reports: &[NewReport],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let mut entry = Entry::new("report.made", now_ms);
        insert(&mut work, &mut entry, reports, now_ms).await?;
        if entry.vouched.is_empty() {
            return Ok(());
        }
        entry.write_beside(&mut work, register).await?;
        self.done(work).await
    }
}
