//! Report: tells finance, department and town, each what concerns it, until it is acknowledged
//! (Notice, sections 2.3 to 2.5). A repetition says the same: rows are read from facts that do not
//! change, and the report keeps its id.

mod last_read;

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::finance::report::{
    About, Body, Closing, Counts, Failure, FaultRow, Head, HeldRow, NoticeRow, Notices, Receipt,
    Refund, RefundRow, ReplacesRef, ResultRow, Results, SetAside, To,
};
use crate::finance::spoken::{When, Yuan};
use crate::finance::{Finance, FinanceError};
use crate::flow::report::last_read::{LastRead, NoticeOf};
use crate::flow::sealed::{open_person, open_words};
use crate::flow::spoken::{finance_error, flow_error};
use crate::flow::{Ctx, FlowError, Progress};
use crate::guard::digest::sha256;
use crate::guard::key::hex;
use crate::model::alert::AlertKind;
use crate::model::id::{BatchNo, PaymentId, RefundNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::outcome::Folded;
use crate::model::reason::Reason;
use crate::model::report::{Recipient, RecipientKind, ReportKind, redact};
use crate::store::StoreError;
use crate::store::reports::{DueReport, OutcomeRow, ResultHead, SetAsideRow};

/// Reports made and sent in one step.
const REPORTS_PER_STEP: i64 = 64;
/// Reports on their way to one finance at the same time.
const SENDING_MAX: usize = 4;
/// Bodies made before they are sent: one of ten thousand payments has about two million bytes, and
/// sixty-four of those would be most of what the daemon needs.
const BODIES_BYTES_MAX: usize = 4 << 20;
/// So many tries in a row without an answer are told to somebody.
const SILENT_AFTER: u32 = 3;
/// The longest wait between two tries.
const RETRY_MAX_MS: i64 = 600_000;

/// Who is told about something: finance, the department in charge, the town named in the head, and
/// the towns whose payments are in it.
pub fn recipients(department: &str, town: &str, towns: &[i64]) -> Vec<Recipient> {
    let mut out = vec![Recipient { kind: RecipientKind::Finance, name: String::new() }];
    if !department.is_empty() {
        out.push(Recipient { kind: RecipientKind::Department, name: department.to_owned() });
    }
    if !town.is_empty() {
        out.push(Recipient { kind: RecipientKind::Town, name: town.to_owned() });
    }
    let towns = towns.iter().map(|code| format!("{code:09}")).filter(|code| code != town);
    out.extend(towns.map(|name| Recipient { kind: RecipientKind::Town, name }));
    out
}

/// A report's id: the same for the same thing told to the same recipient, and of no other daemon. After a restore the
/// numbers of results begin again where the backup was, and what was told under them stays told: so the epoch is part
/// of it, as of a bank's references (I6).
pub fn report_id(
    ctx: &Ctx,
    register: RegisterNo,
    kind: ReportKind,
    subject: &str,
    recipient: &Recipient,
) -> String {
    let name = match recipient.kind {
        RecipientKind::Finance | RecipientKind::Department => String::new(),
        RecipientKind::Town if recipient.name.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            format!("-{}", recipient.name)
        }
        RecipientKind::Town => format!("-{}", hex(&sha256(recipient.name.as_bytes())[..6])),
    };
    let kind = kind.as_str().replace('_', "");
    let subject: String = subject.chars().take(20).collect();
    let epoch = if ctx.epoch > 0 { format!("E{}-", ctx.epoch) } else { String::new() };
    format!("{}-{epoch}{register}-{kind}-{subject}-{}{name}", ctx.install, recipient.kind)
}

/// # Errors
/// Where the store fails. What finance says never fails the step.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let now = ctx.now_ms();
    let resting = ctx.deliveries.resting(ctx.clock.running_ms());
    let due =
        one_for_the_silent(ctx, ctx.store.due_reports(now, REPORTS_PER_STEP, &resting).await?);
    if due.is_empty() {
        return Ok(Progress::Idle { until_ms: Some(now + ctx.pace.report_retry_ms) });
    }
    let (mut due, mut read) = (due.into_iter(), LastRead::default());
    let (mut acknowledged, mut last) = (Vec::new(), false);
    let mut sources = HashSet::new();
    while !last {
        let bodies;
        (bodies, last) = make_some(ctx, &mut due, &mut read).await?;
        for (report, done) in send(ctx, bodies).await {
            sources.insert(report.source.clone());
            match done {
                Some(Ok(())) => acknowledged.push(report),
                Some(Err(trouble)) => delay(ctx, &report, &trouble).await?,
                None => {}
            }
        }
    }
    tell_silence(ctx, &sources).await?;
    if acknowledged.is_empty() {
        return Ok(Progress::Idle { until_ms: Some(now + ctx.pace.report_retry_ms) });
    }
    // What was told may have been all: the next look finds out.
    ctx.store.acknowledge(&acknowledged, ctx.now_ms()).await?;
    Ok(Progress::More)
}

/// Makes the next reports, as many as fit into memory together; says whether they are the last.
async fn make_some(
    ctx: &Ctx,
    due: &mut std::vec::IntoIter<DueReport>,
    read: &mut LastRead,
) -> Result<(Vec<(DueReport, Bytes)>, bool), FlowError> {
    let (mut bodies, mut bytes) = (Vec::new(), 0);
    while bytes < BODIES_BYTES_MAX {
        let Some(report) = due.next() else { return Ok((bodies, true)) };
        match make(ctx, &report, read).await {
            Ok(body) => {
                bytes += body.len();
                bodies.push((report, body));
            }
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(cause) => {
                tracing::error!(report = report.report_id, error = %cause, "a report cannot be made");
                let later = ctx.now_ms() + RETRY_MAX_MS;
                ctx.store.delay_report(&report, &flow_error(&cause), later).await?;
            }
        }
    }
    Ok((bodies, false))
}

/// Brings reports to their finances, a few at the same time.
async fn send(
    ctx: &Ctx,
    bodies: Vec<(DueReport, Bytes)>,
) -> Vec<(DueReport, Option<Result<(), String>>)> {
    let sends = bodies.into_iter().map(|(report, body)| async move {
        let finance = ctx.sources.iter().find(|finance| finance.source() == report.source);
        let done = match finance {
            Some(finance) => deliver(ctx, finance.as_ref(), &report, body).await,
            None => Some(Err("该财政来源已不在配置中".to_owned())),
        };
        (report, done)
    });
    futures_util::stream::iter(sends).buffer_unordered(SENDING_MAX).collect().await
}

/// A finance that does not answer is asked with one report whether it does again.
fn one_for_the_silent(ctx: &Ctx, due: Vec<DueReport>) -> Vec<DueReport> {
    let mut asked = HashSet::new();
    let mine = |report: &DueReport| {
        !ctx.deliveries.is_silent(&report.source) || asked.insert(report.source.clone())
    };
    due.into_iter().filter(mine).collect()
}

/// Tells somebody which finance does not take reports, and that it does again.
async fn tell_silence(ctx: &Ctx, sources: &HashSet<String>) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    for source in sources {
        match ctx.deliveries.failures(source) {
            0 => ctx.store.clear_alert(AlertKind::Report, source, now).await?,
            1..SILENT_AFTER => {}
            failures => {
                let text = format!(
                    "财政来源 {source} 连续 {failures} 次没有签收报告；系统会继续重送，间隔逐渐加长。请检查与财政的连接"
                );
                ctx.store.raise_alert(AlertKind::Report, source, None, &text, now).await?;
            }
        }
    }
    Ok(())
}

/// Brings one report; nothing where finance stopped answering meanwhile, and it was not tried.
async fn deliver(
    ctx: &Ctx,
    finance: &dyn Finance,
    report: &DueReport,
    body: Bytes,
) -> Option<Result<(), String>> {
    let (source, every) = (finance.source(), ctx.pace.report_retry_ms);
    if !ctx.deliveries.may_try(source, ctx.clock.running_ms()) {
        return None;
    }
    let done = finance.deliver(&report.report_id, body).await;
    match &done {
        Err(cause) if cause.passes_by_itself() => {
            ctx.deliveries.failed(source, ctx.clock.running_ms(), every);
        }
        _ => ctx.deliveries.answered(source),
    }
    Some(match done {
        Ok(acknowledged) if acknowledged.report_id == report.report_id => Ok(()),
        Ok(_) => Err("财政签收的是另一份报告".to_owned()),
        Err(cause @ FinanceError::Unreachable(_)) => Err(finance_error(&cause)),
        Err(cause) => {
            tracing::warn!(report = report.report_id, error = %cause, "finance does not take a report");
            Err(finance_error(&cause))
        }
    })
}

async fn delay(ctx: &Ctx, report: &DueReport, trouble: &str) -> Result<(), FlowError> {
    let wait =
        ctx.pace.report_retry_ms.saturating_mul(1 << report.tries.clamp(0, 10)).min(RETRY_MAX_MS);
    ctx.store.delay_report(report, trouble, ctx.now_ms() + wait).await?;
    if report.tries >= 3 {
        let text = format!(
            "报告 {} 已送 {} 次仍未被签收：{trouble}。系统会继续送；一直不被签收的，请与财政系统管理员核对这一编号",
            report.report_id,
            report.tries + 1
        );
        ctx.store
            .raise_alert(
                AlertKind::Report,
                &report.report_id,
                Some(report.register),
                &text,
                ctx.now_ms(),
            )
            .await?;
    }
    Ok(())
}

async fn make(ctx: &Ctx, report: &DueReport, read: &mut LastRead) -> Result<Bytes, FlowError> {
    let mut body = Body::new();
    let about = match report.kind {
        ReportKind::Receipt => receipt(&mut body, &extra(report)?),
        ReportKind::SetAside => set_aside(ctx, report, &mut body).await?,
        ReportKind::Results => {
            let (head, rows) = read.results(ctx, report.subject).await?;
            results_rows(ctx, report, head, rows, &mut body)?
        }
        ReportKind::Notices => {
            let (head, rows) = read.notices(ctx, report.subject).await?;
            notices(report, head, rows, &mut body)
        }
        ReportKind::Refund => refund(ctx, report, &mut body).await?,
        ReportKind::Closing => closing(&extra(report)?),
    };
    Ok(body.finish(Head {
        report_id: report.report_id.clone(),
        kind: report.kind,
        recipient: To { kind: report.recipient.kind, name: report.recipient.name.clone() },
        register: report.register_id.clone(),
        revision: report.revision,
        made_at: When(report.made_at_ms),
        rows: 0,
        about,
    }))
}

/// Is a payment of this town any business of the recipient?
fn concerns(recipient: &Recipient, town: i64) -> bool {
    match recipient.kind {
        RecipientKind::Finance | RecipientKind::Department => true,
        RecipientKind::Town => recipient.name == format!("{town:09}"),
    }
}

fn extra(report: &DueReport) -> Result<Value, FlowError> {
    serde_json::from_str(&report.body).map_err(|_| {
        StoreError::Inconsistent { what: format!("the body of report {}", report.report_id) }.into()
    })
}

fn int(body: &Value, name: &str) -> i64 {
    body.get(name).and_then(Value::as_i64).unwrap_or_default()
}

fn yuan(body: &Value, name: &str) -> Yuan {
    Yuan(Fen::new(int(body, name)))
}

fn receipt(body: &mut Body, said: &Value) -> About {
    let texts = |name: &str| said.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for fault in texts("faults") {
        let text =
            |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        body.row(&FaultRow {
            line: fault.get("line").and_then(Value::as_i64),
            field: text("field").into(),
            what: text("chinese").into(),
        });
    }
    About::Receipt(Receipt {
        accepted: said.get("accepted").and_then(Value::as_bool).unwrap_or_default(),
        count: int(said, "count"),
        sum: yuan(said, "sum_fen"),
        held_count: int(said, "held_count"),
        held_sum: yuan(said, "held_sum_fen"),
        warnings: texts("warnings").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn closing(said: &Value) -> About {
    let notices = said.get("notices").cloned().unwrap_or_default();
    let ended = ["credited", "failed", "returned", "dropped"]
        .iter()
        .map(|name| int(said, name))
        .sum::<i64>();
    About::Closing(Closing {
        approved_sum: yuan(said, "approved_fen"),
        withdrawn_sum: yuan(said, "withdrawn_fen"),
        credited_sum: yuan(said, "credited_fen"),
        refunded_sum: yuan(said, "refunded_fen"),
        disputed_sum: yuan(said, "disputed_fen"),
        counts: Counts {
            payments: int(said, "payments"),
            withdrawn: int(said, "payments") - ended,
            credited: int(said, "credited"),
            failed: int(said, "failed"),
            returned: int(said, "returned"),
            dropped: int(said, "dropped"),
            set_aside: int(said, "set_aside"),
            notices_delivered: int(&notices, "delivered"),
            notices_failed: int(&notices, "failed"),
            notices_no_number: int(&notices, "no_number"),
            notices_unknown: int(&notices, "unknown"),
        },
    })
}

async fn set_aside(ctx: &Ctx, report: &DueReport, body: &mut Body) -> Result<About, FlowError> {
    let mut sum = Fen::ZERO;
    // The list of intake has no body; one of a later time says which lines were set aside then.
    let later: Option<HashSet<i64>> = if report.body.is_empty() {
        None
    } else {
        let body = extra(report)?;
        let lines = body.get("lines").and_then(Value::as_array).into_iter().flatten();
        Some(lines.filter_map(Value::as_i64).collect())
    };
    let listed = |row: &SetAsideRow| match &later {
        None => row.event_no == 1,
        Some(lines) => {
            row.event_no > 1 && row.placed_at_ms == report.made_at_ms && lines.contains(&row.line)
        }
    };
    for row in ctx.store.set_aside_rows(report.register).await? {
        if !concerns(&report.recipient, row.town) || !listed(&row) {
            continue;
        }
        let id = PaymentId { register: report.register, line: row.line };
        let (person, village) = open_person(
            &ctx.sealer,
            &report.head_digest,
            report.register,
            row.line,
            row.amount,
            &row.bank,
            &row.person,
        )
        .map_err(|source| FlowError::Sealed { what: id.to_string(), source })?;
        sum = [sum, row.amount].into_iter().sum();
        body.row(&HeldRow {
            line: row.line,
            name: person.name.into(),
            document_number: person.document_number.into(),
            account: person.account.into(),
            village: village.into(),
            amount: Yuan(row.amount),
            reason: row.reason,
            // Which field, which sign, which other payment: who is to mend it has nothing but this.
            reason_text: format!("{}：{}", row.reason.chinese(), row.detail).into(),
            remedy: row.reason.remedy().into(),
        });
    }
    Ok(About::SetAside(SetAside { sum: Yuan(sum) }))
}

fn results_rows(
    ctx: &Ctx,
    report: &DueReport,
    head: &ResultHead,
    rows: &[OutcomeRow],
    body: &mut Body,
) -> Result<About, FlowError> {
    for row in rows.iter().filter(|row| concerns(&report.recipient, row.town)) {
        body.row(&ResultRow {
            line: row.line,
            outcome: row.folded,
            amount: Yuan(row.amount),
            at: When(head.taken_at_ms),
            attempt_number: (row.number > 1).then_some(row.number),
            replaces: row.replaces.clone().map(|(register, revision, line)| ReplacesRef {
                register,
                revision,
                line,
            }),
            failure: failure(ctx, report, head, row)?,
        });
    }
    Ok(About::Results(Results {
        bank: head.bank.clone(),
        batch: BatchNo(head.batch).to_string(),
        attempt: head.attempt.to_string(),
        result: ResultNo(report.subject).to_string(),
    }))
}

/// Who, why and what to do, for a payment that did not stay credited. The bank's words leave
/// without other people's names (domain.md 4).
fn failure<'r>(
    ctx: &Ctx,
    report: &DueReport,
    head: &ResultHead,
    row: &'r OutcomeRow,
) -> Result<Option<Failure<'r>>, FlowError> {
    if !matches!(row.folded, Folded::Failed | Folded::Returned) {
        return Ok(None);
    }
    let Some(sealed) = &row.person else { return Ok(None) };
    let what = || PaymentId { register: report.register, line: row.line }.to_string();
    let (person, _) = open_person(
        &ctx.sealer,
        &report.head_digest,
        report.register,
        row.line,
        row.amount,
        &row.bank,
        sealed,
    )
    .map_err(|source| FlowError::Sealed { what: what(), source })?;
    let words = match &row.words {
        Some(blob) => open_words(&ctx.sealer, head.attempt, row.line, blob)
            .map_err(|source| FlowError::Sealed { what: what(), source })?,
        None => String::new(),
    };
    let reason = row.reason.unwrap_or(Reason::Other);
    Ok(Some(Failure {
        name: person.name.into(),
        document_number: person.document_number.into(),
        account: person.account.into(),
        reason,
        reason_text: reason.chinese().into(),
        code: row.code.as_str().into(),
        bank_text: redact(&words).into(),
        actor: reason.actor(),
        remedy: reason.remedy().into(),
    }))
}

fn notices(report: &DueReport, head: &ResultHead, rows: &[NoticeOf], body: &mut Body) -> About {
    for (line, town, state) in rows {
        if concerns(&report.recipient, *town) {
            body.row(&NoticeRow { line: *line, state: *state, event_at: None });
        }
    }
    let bank = head.bank.clone();
    About::Notices(Notices { bank, batch: BatchNo(head.batch).to_string() })
}

async fn refund(ctx: &Ctx, report: &DueReport, body: &mut Body) -> Result<About, FlowError> {
    let refund = RefundNo(report.subject);
    let (head, rows) = ctx.store.refund_rows(refund).await?;
    let mut sum = Fen::ZERO;
    for (line, town, amount, cause) in rows {
        if concerns(&report.recipient, town) {
            sum = [sum, amount].into_iter().sum();
            body.row(&RefundRow { line, amount: Yuan(amount), cause });
        }
    }
    Ok(About::Refund(Refund {
        refund: refund.to_string(),
        bank: head.bank,
        pool_account: head.pool_account,
        voucher_no: head.voucher_no,
        amount: Yuan(sum),
        reference: head.reference,
    }))
}
