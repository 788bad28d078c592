//! What the page of a register reads: its shares and batches, what was set aside, refunds and reports.

use crate::model::hold::{HoldEvent, HoldReason};
use crate::model::id::{RefundNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Places;
use crate::model::refund::RefundState;
use crate::model::report::{RecipientKind, ReportKind};
use crate::store::sql::{Work, params};
use crate::store::view::{
    AlertRow, BATCH_COLUMNS, BatchRow, Counts, RegisterRow, SHARE_SUMS, alert_row, batch_row,
    dynamic, registers, sums,
};
use crate::store::{Store, StoreError};

/// A register with everything below it.
#[derive(Debug, Clone)]
pub struct RegisterPage {
    pub row: RegisterRow,
    pub summary: String,
    pub voucher_no: String,
    pub pool_account: String,
    pub entered_by: String,
    pub reviewed_by: String,
    pub approved_at_ms: i64,
    pub funded_at_ms: Option<i64>,
    pub settle_at_ms: Option<i64>,
    /// JSON list of `{line, field, what}`.
    pub faults: String,
    pub twin: Option<RegisterNo>,
    pub shares: Vec<ShareRow>,
    pub batches: Vec<BatchRow>,
    pub holds: Vec<HoldRow>,
    pub refunds: Vec<RefundRow>,
    pub reports: Vec<ReportRow>,
    pub alerts: Vec<AlertRow>,
}

/// What one bank pays of a register.
#[derive(Debug, Clone)]
pub struct ShareRow {
    pub bank: String,
    pub counts: Counts,
    pub places: Places,
}

/// A payment that is or was set aside (its latest event).
#[derive(Debug, Clone)]
pub struct HoldRow {
    pub line: i64,
    pub amount: Fen,
    pub bank: String,
    pub reason: HoldReason,
    pub event: HoldEvent,
    pub detail: String,
    pub by: String,
    pub at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct RefundRow {
    pub no: RefundNo,
    pub bank: String,
    pub via_bank: String,
    pub payments: i64,
    pub sum: Fen,
    pub state: RefundState,
    pub opened_at_ms: i64,
    pub state_at_ms: i64,
}

#[derive(Debug, Clone)]
pub struct ReportRow {
    pub report_id: String,
    pub kind: ReportKind,
    pub recipient_kind: RecipientKind,
    pub recipient: String,
    pub made_at_ms: i64,
    pub tries: i64,
    pub trouble: String,
    pub acknowledged_at_ms: Option<i64>,
}

impl Store {
    /// One register with everything below it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn register_page(
        &self,
        register: RegisterNo,
    ) -> Result<Option<RegisterPage>, StoreError> {
        let mut work = self.read().await?;
        let Some(row) =
            registers(&mut work, "r.register_no = $1", params![register, 1]).await?.pop()
        else {
            return Ok(None);
        };
        let sql = "SELECT summary, voucher_no, pool_account, entered_by, reviewed_by, approved_at_ms, funded_at_ms, settle_at_ms, faults, twin_no \
                   FROM register WHERE register_no = $1";
        let mut page = work
            .the(sql, params![register], |head| {
                Ok(RegisterPage {
                    row: row.clone(),
                    summary: head.string(0)?,
                    voucher_no: head.string(1)?,
                    pool_account: head.string(2)?,
                    entered_by: head.string(3)?,
                    reviewed_by: head.string(4)?,
                    approved_at_ms: head.int(5)?,
                    funded_at_ms: head.int_opt(6)?,
                    settle_at_ms: head.int_opt(7)?,
                    faults: head.string(8)?,
                    twin: head.int_opt(9)?.map(RegisterNo),
                    shares: Vec::new(),
                    batches: Vec::new(),
                    holds: Vec::new(),
                    refunds: Vec::new(),
                    reports: Vec::new(),
                    alerts: Vec::new(),
                })
            })
            .await?;
        let sql = format!(
            "SELECT s.bank, {SHARE_SUMS} FROM share s WHERE s.register_no = $1 GROUP BY s.bank ORDER BY s.bank"
        );
        page.shares = dynamic(&mut work, sql, params![register], |row| {
            let (counts, places) = sums(row, 1)?;
            Ok(ShareRow { bank: row.string(0)?, counts, places })
        })
        .await?;
        let sql =
            format!("SELECT {BATCH_COLUMNS} FROM batch WHERE register_no = $1 ORDER BY batch_no");
        page.batches = dynamic(&mut work, sql, params![register], batch_row).await?;
        page.holds = hold_rows(&mut work, register).await?;
        page.refunds = refund_rows(&mut work, register).await?;
        page.reports = report_rows(&mut work, register).await?;
        let sql = "SELECT kind, subject, register_no, batch_no, level, text, raised_at_ms FROM alert \
                   WHERE register_no = $1 AND cleared_at_ms IS NULL ORDER BY raised_at_ms DESC, alert_no DESC";
        page.alerts = work.rows(sql, params![register], alert_row).await?;
        work.commit().await?;
        Ok(Some(page))
    }
}

async fn hold_rows(work: &mut Work, register: RegisterNo) -> Result<Vec<HoldRow>, StoreError> {
    let sql = "SELECT h.line, p.amount_fen, p.bank, h.reason, h.event, h.detail, h.by_whom, h.at_ms FROM hold h \
               JOIN payment p ON p.register_no = h.register_no AND p.line = h.line \
               WHERE h.register_no = $1 AND NOT EXISTS (SELECT 1 FROM hold n WHERE n.register_no = h.register_no \
               AND n.line = h.line AND n.event_no > h.event_no) ORDER BY h.line LIMIT 1000";
    work.rows(sql, params![register], |row| {
        Ok(HoldRow {
            line: row.int(0)?,
            amount: Fen::new(row.int(1)?),
            bank: row.string(2)?,
            reason: row.word(3, HoldReason::parse)?,
            event: row.word(4, HoldEvent::parse)?,
            detail: row.string(5)?,
            by: row.string(6)?,
            at_ms: row.int(7)?,
        })
    })
    .await
}

async fn refund_rows(work: &mut Work, register: RegisterNo) -> Result<Vec<RefundRow>, StoreError> {
    let sql = "SELECT refund_no, bank, via_bank, payments, sum_fen, state, opened_at_ms, state_at_ms FROM refund WHERE register_no = $1 ORDER BY refund_no";
    work.rows(sql, params![register], |row| {
        Ok(RefundRow {
            no: RefundNo(row.int(0)?),
            bank: row.string(1)?,
            via_bank: row.string(2)?,
            payments: row.int(3)?,
            sum: Fen::new(row.int(4)?),
            state: row.word(5, RefundState::parse)?,
            opened_at_ms: row.int(6)?,
            state_at_ms: row.int(7)?,
        })
    })
    .await
}

async fn report_rows(work: &mut Work, register: RegisterNo) -> Result<Vec<ReportRow>, StoreError> {
    let sql = "SELECT report_id, kind, recipient_kind, recipient, made_at_ms, tries, trouble, acknowledged_at_ms FROM report \
               WHERE register_no = $1 ORDER BY report_no LIMIT 1000";
    work.rows(sql, params![register], |row| {
        Ok(ReportRow {
            report_id: row.string(0)?,
            kind: row.word(1, ReportKind::parse)?,
            recipient_kind: row.word(2, RecipientKind::parse)?,
            recipient: row.string(3)?,
            made_at_ms: row.int(4)?,
            tries: row.int(5)?,
            trouble: row.string(6)?,
            acknowledged_at_ms: row.int_opt(7)?,
        })
    })
    .await
}
