//! What pages and commands read: counters and sums, never a scan of payments, and one snapshot
//! per page (I28).

use crate::model::batch::BatchState;
use crate::model::id::{BatchNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::place::Places;
use crate::model::register::RegisterState;
use crate::store::sql::{Row, Work, params};
use crate::store::{Store, StoreError};

mod batch;
mod register;

pub use crate::store::view::batch::{
    AttemptRow, BatchPage, ExpectationRow, FailureRow, QuarantineRow, ResultRow,
};
pub use crate::store::view::register::{HoldRow, RefundRow, RegisterPage, ReportRow, ShareRow};

/// The front page: everything, at one moment.
#[derive(Debug, Clone)]
pub struct Overview {
    pub places: Places,
    /// Newest first, at most as many as asked for.
    pub registers: Vec<RegisterRow>,
    /// Only registers that came before this one are listed.
    pub before: Option<RegisterNo>,
    /// There are older ones than those listed.
    pub older: bool,
    /// How many registers there are in all, refused ones included.
    pub registers_total: i64,
    /// What somebody must look at, newest first.
    pub alerts: Vec<AlertRow>,
    /// Registers that wait for finance: refused and not corrected yet, or with payments set aside.
    /// Newest first, at most [`WAITING_MAX`].
    pub waiting: Vec<RegisterRow>,
    pub reports_due: i64,
}

/// Registers that wait for finance, on one front page.
pub const WAITING_MAX: i64 = 100;

/// A register in a list.
#[derive(Debug, Clone)]
pub struct RegisterRow {
    pub no: RegisterNo,
    pub source: String,
    pub id: String,
    pub revision: i64,
    pub programme_name: String,
    pub document_no: String,
    pub department: String,
    pub town: String,
    pub period: String,
    pub state: RegisterState,
    pub received_at_ms: i64,
    pub funded_at_ms: Option<i64>,
    pub start_at_ms: Option<i64>,
    pub deadline_at_ms: Option<i64>,
    pub alert_level: i64,
    pub counts: Counts,
    pub places: Places,
}

/// How many payments are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub payments: i64,
    pub held: i64,
    pub dropped: i64,
    pub credited: i64,
    pub failed: i64,
    pub returned: i64,
    pub conflicts: i64,
    /// What a higher revision took over, known once nothing of the share is unsent or in flight.
    pub withdrawn: i64,
}

impl Counts {
    /// Payments that have come to an end here: credited, their money is or goes back, or they are
    /// another revision's.
    pub const fn finished(&self) -> i64 {
        self.credited + self.failed + self.returned + self.dropped + self.withdrawn
    }
}

#[derive(Debug, Clone)]
pub struct AlertRow {
    pub kind: String,
    pub subject: String,
    pub register: Option<RegisterNo>,
    pub batch: Option<BatchNo>,
    pub level: i64,
    pub text: String,
    pub raised_at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct BatchRow {
    pub no: BatchNo,
    pub register: RegisterNo,
    pub bank: String,
    pub payments: i64,
    pub sum: Fen,
    pub state: BatchState,
    pub cut_at_ms: i64,
    pub deadline_at_ms: Option<i64>,
    pub recut_of: Option<BatchNo>,
    pub pending: i64,
    pub credited: i64,
    pub failed: i64,
    pub returned: i64,
    pub conflicts: i64,
    pub credited_sum: Fen,
    pub alert_level: i64,
}

/// Totals for metrics and the closing account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub places: Places,
    pub counts: Counts,
    /// (state, how many)
    pub registers: Vec<(String, i64)>,
    pub batches: Vec<(String, i64)>,
    pub attempts: Vec<(String, i64)>,
    /// (kind, state, how many) of answers that are waited for.
    pub expectations: Vec<(String, String, i64)>,
    /// (state, how many) of banks to which not everything is sent.
    pub breakers: Vec<(String, i64)>,
    pub notices: Vec<(String, i64)>,
    pub reports_due: i64,
    pub reports_acknowledged: i64,
    pub quarantined: i64,
    /// Result lines and whole answers that were put aside and are not settled.
    pub quarantine_open: i64,
    pub alerts_open: i64,
    /// The time of day was set by more than time passed, and nobody has answered for it yet.
    pub clock_stepped: bool,
}

const REGISTER_COLUMNS: &str = "r.register_no, r.source, r.id, r.revision, r.programme_name, r.document_no, r.department, r.town, \
     r.period, r.state, r.received_at_ms, r.start_at_ms, r.deadline_at_ms, r.alert_level, r.funded_at_ms";

const SHARE_SUMS: &str = "COALESCE(CAST(SUM(s.payments) AS BIGINT), 0), COALESCE(CAST(SUM(s.held) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.dropped) AS BIGINT), 0), COALESCE(CAST(SUM(s.credited) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.failed) AS BIGINT), 0), COALESCE(CAST(SUM(s.returned) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.conflicts) AS BIGINT), 0), COALESCE(CAST(SUM(s.approved_fen) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.unsent_fen) AS BIGINT), 0), COALESCE(CAST(SUM(s.in_flight_fen) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.credited_fen) AS BIGINT), 0), COALESCE(CAST(SUM(s.refundable_fen) AS BIGINT), 0), \
     COALESCE(CAST(SUM(s.refunded_fen) AS BIGINT), 0), COALESCE(CAST(SUM(s.disputed_fen) AS BIGINT), 0), \
     COALESCE(CAST(SUM(CASE WHEN s.unsent_fen = 0 AND s.in_flight_fen = 0 \
     THEN s.payments - s.credited - s.failed - s.returned - s.dropped ELSE 0 END) AS BIGINT), 0)";

/// Reads what `SHARE_SUMS` selects, from column `at` on.
fn sums(row: &Row<'_>, at: usize) -> Result<(Counts, Places), StoreError> {
    let counts = Counts {
        payments: row.int(at)?,
        held: row.int(at + 1)?,
        dropped: row.int(at + 2)?,
        credited: row.int(at + 3)?,
        failed: row.int(at + 4)?,
        returned: row.int(at + 5)?,
        conflicts: row.int(at + 6)?,
        withdrawn: row.int(at + 14)?,
    };
    let fen = |at| row.int(at).map(Fen::new);
    let places = Places {
        approved: fen(at + 7)?,
        unsent: fen(at + 8)?,
        in_flight: fen(at + 9)?,
        credited: fen(at + 10)?,
        refundable: fen(at + 11)?,
        refunded: fen(at + 12)?,
        disputed: fen(at + 13)?,
    };
    Ok((counts, places))
}

fn register_row(row: &Row<'_>) -> Result<RegisterRow, StoreError> {
    let (counts, places) = sums(row, 15)?;
    Ok(RegisterRow {
        no: RegisterNo(row.int(0)?),
        source: row.string(1)?,
        id: row.string(2)?,
        revision: row.int(3)?,
        programme_name: row.string(4)?,
        document_no: row.string(5)?,
        department: row.string(6)?,
        town: row.string(7)?,
        period: row.string(8)?,
        state: row.word(9, RegisterState::parse)?,
        received_at_ms: row.int(10)?,
        start_at_ms: row.int_opt(11)?,
        deadline_at_ms: row.int_opt(12)?,
        alert_level: row.int(13)?,
        funded_at_ms: row.int_opt(14)?,
        counts,
        places,
    })
}

const BATCH_COLUMNS: &str = "batch_no, register_no, bank, payments, sum_fen, state, cut_at_ms, deadline_at_ms, recut_of, pending, \
     credited, failed, returned, conflicts, credited_fen, alert_level";

fn batch_row(row: &Row<'_>) -> Result<BatchRow, StoreError> {
    Ok(BatchRow {
        no: BatchNo(row.int(0)?),
        register: RegisterNo(row.int(1)?),
        bank: row.string(2)?,
        payments: row.int(3)?,
        sum: Fen::new(row.int(4)?),
        state: row.word(5, BatchState::parse)?,
        cut_at_ms: row.int(6)?,
        deadline_at_ms: row.int_opt(7)?,
        recut_of: row.int_opt(8)?.map(BatchNo),
        pending: row.int(9)?,
        credited: row.int(10)?,
        failed: row.int(11)?,
        returned: row.int(12)?,
        conflicts: row.int(13)?,
        credited_sum: Fen::new(row.int(14)?),
        alert_level: row.int(15)?,
    })
}

fn alert_row(row: &Row<'_>) -> Result<AlertRow, StoreError> {
    Ok(AlertRow {
        kind: row.string(0)?,
        subject: row.string(1)?,
        register: row.int_opt(2)?.map(RegisterNo),
        batch: row.int_opt(3)?.map(BatchNo),
        level: row.int(4)?,
        text: row.string(5)?,
        raised_at_ms: row.int(6)?,
    })
}

async fn dynamic<T: Send>(
    work: &mut Work,
    sql: String,
    params: Vec<super::sql::Param>,
    read: fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut out = Vec::new();
    work.0
        .rows(sql.into(), params, &mut |row| {
            out.push(read(row)?);
            Ok(())
        })
        .await?;
    Ok(out)
}

async fn registers(
    work: &mut Work,
    filter: &str,
    params: Vec<super::sql::Param>,
) -> Result<Vec<RegisterRow>, StoreError> {
    let sql = format!(
        "SELECT {REGISTER_COLUMNS}, {SHARE_SUMS} FROM register r LEFT JOIN share s ON s.register_no = r.register_no \
         WHERE r.state <> 'receiving' AND {filter} GROUP BY {REGISTER_COLUMNS} ORDER BY r.register_no DESC LIMIT $2"
    );
    dynamic(work, sql, params, register_row).await
}

/// Registers that finance must act upon. A refused one is over once a higher revision is here.
async fn waiting_for_finance(work: &mut Work) -> Result<Vec<RegisterRow>, StoreError> {
    let filter = "r.register_no < $1 AND ((r.state = 'refused' AND NOT EXISTS (SELECT 1 FROM register n \
                  WHERE n.source = r.source AND n.id = r.id AND n.revision > r.revision AND n.state <> 'receiving')) \
                  OR (r.state = 'accepted' AND EXISTS (SELECT 1 FROM share h WHERE h.register_no = r.register_no AND h.held > 0)))";
    registers(work, filter, params![i64::MAX, WAITING_MAX]).await
}

async fn state_counts(
    work: &mut Work,
    sql: &'static str,
) -> Result<Vec<(String, i64)>, StoreError> {
    work.rows(sql, params![], |row| Ok((row.string(0)?, row.int(1)?))).await
}

/// SMS by state, from the counters of shares: a table of every SMS is not for counting.
async fn notices(work: &mut Work) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT COALESCE(CAST(SUM(sms_delivered) AS BIGINT), 0), COALESCE(CAST(SUM(sms_failed) AS BIGINT), 0), \
               COALESCE(CAST(SUM(sms_no_number) AS BIGINT), 0), COALESCE(CAST(SUM(sms_unknown) AS BIGINT), 0) FROM share";
    let counts = work
        .the(sql, params![], |row| Ok([row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?]))
        .await?;
    let states =
        [NoticeState::Delivered, NoticeState::Failed, NoticeState::NoNumber, NoticeState::Unknown];
    Ok(states.into_iter().map(|state| state.as_str().to_owned()).zip(counts).collect())
}

async fn places(work: &mut Work) -> Result<(Counts, Places), StoreError> {
    let found =
        dynamic(work, format!("SELECT {SHARE_SUMS} FROM share s"), params![], |row| sums(row, 0))
            .await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

impl Store {
    /// The front page, with at most `limit` registers.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn overview(&self, limit: i64) -> Result<Overview, StoreError> {
        self.overview_before(None, limit).await
    }

    /// The same with the registers that came before one: the pages behind the first. They are found
    /// by number and not counted off, so that what arrives meanwhile moves nothing from page to page.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn overview_before(
        &self,
        before: Option<RegisterNo>,
        limit: i64,
    ) -> Result<Overview, StoreError> {
        let mut work = self.read().await?;
        let (_, places) = places(&mut work).await?;
        let below = before.map_or(i64::MAX, |no| no.0);
        let mut registers =
            registers(&mut work, "r.register_no < $1", params![below, limit + 1]).await?;
        let fit = usize::try_from(limit).unwrap_or_default();
        let older = registers.len() > fit;
        registers.truncate(fit);
        let sql = "SELECT COUNT(*) FROM register WHERE state <> 'receiving'";
        let registers_total = work.the(sql, params![], |row| row.int(0)).await?;
        let sql = "SELECT kind, subject, register_no, batch_no, level, text, raised_at_ms FROM alert WHERE cleared_at_ms IS NULL \
                   ORDER BY raised_at_ms DESC, alert_no DESC LIMIT 100";
        let alerts = work.rows(sql, params![], alert_row).await?;
        let reports_due = work
            .the("SELECT COUNT(*) FROM report WHERE state = 'due'", params![], |row| row.int(0))
            .await?;
        let waiting = waiting_for_finance(&mut work).await?;
        work.commit().await?;
        let overview = Overview {
            places,
            registers,
            before,
            older,
            registers_total,
            alerts,
            waiting,
            reports_due,
        };
        Ok(overview)
    }

    /// How many payments were set aside at intake, whatever became of them since.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn set_aside_count(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM hold h JOIN register r ON r.register_no = h.register_no WHERE h.event_no = 1 AND r.state <> 'receiving'";
        self.look().the(sql, params![], |row| row.int(0)).await
    }

    /// Totals of everything, for metrics and the closing account.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        let mut work = self.read().await?;
        let (counts, places) = places(&mut work).await?;
        let mut totals = Totals { places, counts, ..Totals::default() };
        totals.registers = state_counts(
            &mut work,
            "SELECT state, COUNT(*) FROM register WHERE state <> 'receiving' GROUP BY state",
        )
        .await?;
        totals.batches =
            state_counts(&mut work, "SELECT state, COUNT(*) FROM batch GROUP BY state").await?;
        totals.attempts =
            state_counts(&mut work, "SELECT state, COUNT(*) FROM attempt GROUP BY state").await?;
        let sql = "SELECT kind, state, COUNT(*) FROM expectation WHERE state IN ('open', 'overdue') GROUP BY kind, state";
        totals.expectations = work
            .rows(sql, params![], |row| Ok((row.string(0)?, row.string(1)?, row.int(2)?)))
            .await?;
        let sql = "SELECT state, COUNT(*) FROM breaker WHERE state <> 'closed' GROUP BY state";
        totals.breakers = state_counts(&mut work, sql).await?;
        totals.notices = notices(&mut work).await?;
        let mut one = async |sql: &'static str| work.the(sql, params![], |row| row.int(0)).await;
        totals.reports_due = one("SELECT COUNT(*) FROM report WHERE state = 'due'").await?;
        let sql = "SELECT COALESCE(CAST(SUM(value) AS BIGINT), 0) FROM counter WHERE name = 'reports_acknowledged'";
        totals.reports_acknowledged = one(sql).await?;
        totals.quarantined = one("SELECT COUNT(*) FROM quarantine").await?;
        totals.alerts_open = one("SELECT COUNT(*) FROM alert WHERE cleared_at_ms IS NULL").await?;
        let sql = "SELECT COUNT(*) FROM alert WHERE cleared_at_ms IS NULL AND kind = 'clock_step'";
        totals.clock_stepped = one(sql).await? > 0;
        totals.quarantine_open = super::quarantine::open_in_all(&mut work).await?;
        work.commit().await?;
        Ok(totals)
    }
}
