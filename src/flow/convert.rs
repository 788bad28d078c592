//! Convert: cuts what is unsent into batches, writes each in its bank's format, reads it back and
//! compares it with what finance approved, and makes the INTENT durable.

use std::collections::{BTreeSet, HashSet};

use crate::clock::local_parts;
use crate::flow::checks::{broke_down, defect, misfit};
use crate::flow::matching::telling;
use crate::flow::opening::Item;
use crate::flow::readback::{PaymentWords, ReadBack, payments};
use crate::flow::report::{recipients, report_id};
use crate::flow::sealed::{open_person, seal_part};
use crate::flow::spoken::{data_error, flow_error};
use crate::flow::values::{HeadValues, RowValues};
use crate::flow::{Bank, Ctx, FlowError, Progress, breaker};
use crate::format::{DataError, Format, Key, MessageKind};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::hold::HoldReason;
use crate::model::id::{PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::cut::{CutDue, Cuttable, FormatText, NewBatch, SealedPart, StoredPayment};
use crate::store::facts::RegisterFacts;
use crate::store::holds::LateHolds;
use crate::store::intake::NewHold;
use crate::store::numbers::Reference;
use crate::store::reports::NewReport;

/// Digits of a reference behind the bank's prefix: two of the restore epoch, ten of the number.
pub const REFERENCE_DIGITS: usize = 12;

/// # Errors
/// Where the store fails.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let due = ctx.store.due_to_cut(ctx.duty.funded_only).await?;
    let mut more = false;
    let mut stuck = BTreeSet::new();
    let stopped = ctx.store.stopped_banks().await?;
    for share in due {
        let Some(bank) = ctx.banks.get(&share.bank) else {
            stuck.insert(alert_nobody(ctx, &share).await?);
            continue;
        };
        // What is cut bears today's date: a bank that is closed today takes it under another, and one that
        // rests may. To a bank that is stopped its reference may be known. An alert about it stays: nobody
        // has looked whether its cause is over.
        if bank.doors.of(MessageKind::PaymentRequest).opens_at(ctx.now_ms()).is_some()
            || stopped.contains(&share.bank)
            || !breaker::may_cut(ctx, bank).await?
        {
            stuck.insert(format!("{}/{}", share.register, share.bank));
            continue;
        }
        let cut = match cut_one(ctx, bank, &share).await {
            // A refund took the number meanwhile, or a payment was held: it is looked at again.
            Err(FlowError::Store(StoreError::Moved { .. })) => cut_one(ctx, bank, &share).await,
            cut => cut,
        };
        match cut {
            Ok(Work::Done) => more = true,
            Ok(Work::Nothing) => {}
            Ok(Work::Stuck) => {
                stuck.insert(format!("{}/{}", share.register, share.bank));
            }
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(cause) => {
                let text = format!(
                    "{} 的 {} 部分无法组批：{}。款项未发送，请银行技术人员处理",
                    share.register,
                    bank.name,
                    flow_error(&cause)
                );
                let of = (share.register, share.bank.as_str());
                stuck.insert(alert_stuck(ctx, AlertKind::Convert, of, &cause, &text).await?);
            }
        }
    }
    end_alerts(ctx, AlertKind::Convert, &stuck).await?;
    // Payments of a register that is not funded yet, or whose bank is unknown, wait for a change.
    Ok(if more {
        Progress::More
    } else {
        Progress::Idle { until_ms: Some(ctx.now_ms() + ctx.pace.pull_every_ms) }
    })
}

/// What became of a share that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Something was done, and there may be more.
    Done,
    Nothing,
    /// It cannot go on, and an alert says why.
    Stuck,
}

/// Alerts of a kind about shares that are not stuck any more are over.
///
/// # Errors
/// Where the store fails.
pub async fn end_alerts(
    ctx: &Ctx,
    kind: AlertKind,
    stuck: &BTreeSet<String>,
) -> Result<(), FlowError> {
    for subject in ctx.store.standing_alerts(kind).await? {
        if !stuck.contains(&subject) {
            ctx.store.clear_alert(kind, &subject, ctx.now_ms()).await?;
        }
    }
    Ok(())
}

/// Raises an alert that a share does not go on, and returns what it is about. The log has it once, and not
/// at each look.
///
/// # Errors
/// Where the store fails.
pub async fn alert_stuck(
    ctx: &Ctx,
    kind: AlertKind,
    (register, bank): (RegisterNo, &str),
    cause: &(dyn std::error::Error + Sync),
    text: &str,
) -> Result<String, FlowError> {
    let subject = format!("{register}/{bank}");
    if ctx.store.raise_alert(kind, &subject, Some(register), text, ctx.now_ms()).await? {
        tracing::error!(%register, bank, alert = kind.as_str(), error = %cause, "a share does not go on");
    }
    Ok(subject)
}

/// Makes one batch of a share.
async fn cut_one(ctx: &Ctx, bank: &Bank, share: &CutDue) -> Result<Work, FlowError> {
    let limits = bank.format.limits();
    let rows_max = limits.rows_max.min(bank.rules.rows_max).max(1);
    let facts = ctx.store.register_facts(share.register).await?;
    if !facts.whole {
        return Err(FlowError::Altered { what: share.register.to_string() });
    }
    let mut cut = ctx.store.cuttable(share.register, &share.bank, rows_max).await?;
    keep_below(&mut cut, limits.sum_max);
    if cut.payments.is_empty() {
        return Ok(Work::Nothing);
    }
    let vain = in_vain(ctx, share.register, &cut).await?;
    if !vain.is_empty() {
        return set_aside(ctx, bank, &facts, &cut, vain).await;
    }
    let mut rows = open_rows(ctx, &facts, &share.bank, &cut.payments)?;
    keep_apart(&bank.format, &mut cut, &mut rows);
    let reference = next_reference(ctx, bank).await?;
    let numbered = number_of_day(ctx, bank).await?;
    let head = HeadValues {
        facts: &facts,
        bank: &bank.code,
        reference: &reference.text,
        bank_reference: "",
        at_ms: ctx.now_ms(),
        section: "",
        day_sequence: numbered.as_ref().map(|(_, number)| *number),
    };
    let deadly = deadly(ctx, bank, &head, &rows);
    if !deadly.is_empty() {
        return set_aside(ctx, bank, &facts, &cut, deadly).await;
    }
    let (parts, content) = loop {
        let cause = match written(ctx, bank, &head, &rows) {
            Ok(written) => break written,
            Err(cause) => cause,
        };
        let misfits = misfits(bank, &head, &rows);
        if !misfits.is_empty() {
            return set_aside(ctx, bank, &facts, &cut, misfits).await;
        }
        // Each payment can be written, and all of them cannot: half of them may fit in one message.
        let half = rows.len() / 2;
        if half == 0 {
            return alert_unwritable(ctx, bank, share.register, &cause).await;
        }
        rows.truncate(half);
        cut.payments.truncate(half);
    };
    let new = NewBatch {
        register: share.register,
        bank: bank.code.clone(),
        listed: cut.listed,
        recut_of: cut.recut_of,
        members: cut.payments.iter().map(|payment| (payment.line, payment.amount)).collect(),
        cut_line: cut.cut_line,
        content,
        parts: seal_parts(ctx, &bank.code, &reference.text, parts),
        reference,
        numbered,
        format: format_text(&bank.format),
    };
    let (batch, attempt) = ctx.store.intend_batch(&new, ctx.now_ms()).await?;
    tracing::info!(%batch, %attempt, register = %share.register, bank = bank.code, payments = rows.len(), "a batch is cut");
    Ok(Work::Done)
}

/// Payments that release others again which the bank has credited after all, as it says since: the money that they would
/// send is on the card (I1).
async fn in_vain(
    ctx: &Ctx,
    register: RegisterNo,
    cut: &Cuttable,
) -> Result<Vec<(i64, NewHold)>, FlowError> {
    let lines = ctx.store.released_again_in_vain(register).await?;
    let mine = cut.payments.iter().filter(|payment| lines.contains(&payment.line));
    let hold = || NewHold {
        reason: HoldReason::ReplacedNotOpen,
        detail: "银行后来又称所替换的原明细已入账：先由两人核定原明细，再放行或撤下".to_owned(),
    };
    Ok(mine.map(|payment| (payment.line, hold())).collect())
}

/// Writes a batch, and reads it back and compares it with what finance approved.
fn write(
    bank: &Bank,
    head: &HeadValues<'_>,
    rows: &[RowValues],
) -> Result<(ReadBack, [u8; 32]), DataError> {
    let words = PaymentWords {
        reference: head.reference,
        pool_account: &head.facts.pool_account,
        voucher_no: &head.facts.voucher_no,
        summary: &head.facts.summary,
        rows,
    };
    let parts = bank.format.encode(MessageKind::PaymentRequest, head, rows)?;
    payments(&bank.format, parts, &words)
}

/// As [`write`]; that it broke down is a fault of the batch, and not the end of the daemon (F56).
fn written(
    ctx: &Ctx,
    bank: &Bank,
    head: &HeadValues<'_>,
    rows: &[RowValues],
) -> Result<(ReadBack, [u8; 32]), DataError> {
    let item = || {
        let from = rows.first().map_or(0, |row| row.line);
        let place = format!("{}/{}/{from}+{}", head.facts.no, bank.code, rows.len());
        Item::new(&["batch", &place], bank.format.digest())
    };
    let done = ctx.opening.open(item, || write(bank, head, rows));
    done.unwrap_or_else(|_| Err(broke_down(MessageKind::PaymentRequest)))
}

/// Payments that break the program down, or of which it died before. Where nothing says that there may be
/// any, none is looked for: each is written here alone.
fn deadly(
    ctx: &Ctx,
    bank: &Bank,
    head: &HeadValues<'_>,
    rows: &[RowValues],
) -> Vec<(i64, NewHold)> {
    if !ctx.opening.doubts() {
        return Vec::new();
    }
    let broken = |row: &RowValues| {
        let payment = PaymentId { register: head.facts.no, line: row.line }.to_string();
        let item = || Item::new(&["payment", &payment], bank.format.digest());
        // What else may be wrong with it is told when all of them are written.
        let done = ctx.opening.open(item, || drop(write(bank, head, std::slice::from_ref(row))));
        done.err().map(|_| (row.line, defect()))
    };
    rows.iter().filter_map(broken).collect()
}

/// A batch's sum stays within what the format declares.
fn keep_below(cut: &mut Cuttable, sum_max: Fen) {
    let mut sum = Fen::ZERO;
    let fits = cut.payments.iter().take_while(|payment| {
        let next = sum.checked_add(payment.amount).filter(|next| *next <= sum_max);
        sum = next.unwrap_or(sum_max);
        next.is_some()
    });
    let keep = fits.count().max(1);
    cut.payments.truncate(keep);
}

/// Where a bank's answers are matched by values, a batch has no two payments that are the same in all
/// of them: the second waits for the next batch.
fn keep_apart(format: &Format, cut: &mut Cuttable, rows: &mut Vec<RowValues>) {
    let Some(by) = format.unique_in_batch() else { return };
    let mut known = HashSet::new();
    let apart = rows.iter().take_while(|row| known.insert(telling(by, row))).count();
    rows.truncate(apart);
    cut.payments.truncate(apart);
}

/// Opens the payees of a batch, in line order.
///
/// # Errors
/// [`FlowError::Sealed`] names the payment that does not open (I20).
pub fn open_rows(
    ctx: &Ctx,
    facts: &RegisterFacts,
    bank: &str,
    payments: &[StoredPayment],
) -> Result<Vec<RowValues>, FlowError> {
    let open = |(at, payment): (usize, &StoredPayment)| {
        let StoredPayment { line, amount, person, .. } = payment;
        let (person, village) =
            open_person(&ctx.sealer, &facts.head_digest, facts.no, *line, *amount, bank, person)
                .map_err(|source| FlowError::Sealed {
                    what: PaymentId { register: facts.no, line: *line }.to_string(),
                    source,
                })?;
        Ok(RowValues {
            ordinal: i64::try_from(at + 1).unwrap_or(i64::MAX),
            line: *line,
            amount: *amount,
            person,
            village,
        })
    };
    payments.iter().enumerate().map(open).collect()
}

/// Our next reference at a bank: prefix, restore epoch, number. What bears it takes the number (I6).
///
/// # Errors
/// Where the store fails.
pub async fn next_reference(ctx: &Ctx, bank: &Bank) -> Result<Reference, FlowError> {
    let beginning = format!("{}{:02}", bank.rules.reference_prefix, ctx.epoch);
    // One that the config does not name any more may be this bank, whose code was changed, or changed back.
    let former = ctx.store.last_of_former(&ctx.bank_codes(), &beginning).await?;
    let number = ctx.store.reference_to_come(&bank.code).await?.max(former + 1);
    let text = format!("{beginning}{number:010}");
    Ok(Reference { number, text })
}

/// The counter of this bank's files of today and the number to come, where its format asks for one.
async fn number_of_day(ctx: &Ctx, bank: &Bank) -> Result<Option<(String, i64)>, FlowError> {
    if !bank.format.asks_for(MessageKind::PaymentRequest, Key::DaySequence) {
        return Ok(None);
    }
    let (year, [month, day, ..]) = local_parts(ctx.now_ms());
    let counter = format!("day:{}:{year:04}{month:02}{day:02}", bank.code);
    let number = ctx.store.number_to_come(&counter).await?;
    Ok(Some((counter, number)))
}

/// The format's text, to be kept with what it wrote.
pub fn format_text(format: &Format) -> FormatText {
    FormatText {
        digest: format.digest(),
        name: format.name().to_owned(),
        text: format.text().to_owned(),
    }
}

/// Seals finished parts that were read back.
pub fn seal_parts(ctx: &Ctx, bank: &str, reference: &str, parts: ReadBack) -> Vec<SealedPart> {
    parts
        .into_parts()
        .into_iter()
        .enumerate()
        .map(|(at, part)| SealedPart {
            role: part.role.as_str().to_owned(),
            name: part.name,
            committing: part.committing,
            size: i64::try_from(part.bytes.len()).unwrap_or(i64::MAX),
            sha256: sha256(&part.bytes),
            chunks: seal_part(&ctx.sealer, bank, reference, at, &part.bytes),
        })
        .collect()
}

/// Payments that cannot be written by themselves, with the reason.
fn misfits(bank: &Bank, head: &HeadValues<'_>, rows: &[RowValues]) -> Vec<(i64, NewHold)> {
    let mut fitter = bank.format.fitter(MessageKind::PaymentRequest);
    let hold = |row: &RowValues| misfit(&mut fitter, head, row).map(|hold| (row.line, hold));
    rows.iter().filter_map(hold).collect()
}

/// Payments that the format cannot write wait for another decision of finance, and hold up nobody
/// else.
async fn set_aside(
    ctx: &Ctx,
    bank: &Bank,
    facts: &RegisterFacts,
    cut: &Cuttable,
    holds: Vec<(i64, NewHold)>,
) -> Result<Work, FlowError> {
    let lines: BTreeSet<i64> = holds.iter().map(|(line, _)| *line).collect();
    let mine = cut.payments.iter().filter(|payment| lines.contains(&payment.line));
    let towns = mine.map(|payment| payment.town).collect();
    let new = LateHolds {
        register: facts.no,
        bank: bank.code.clone(),
        listed: cut.listed,
        cut_line: cut.cut_line,
        holds,
    };
    hold_back(ctx, facts, &new, &towns).await?;
    Ok(Work::Done)
}

/// Sets payments aside that were on their way into a batch, and tells whom they concern.
///
/// # Errors
/// [`StoreError::Moved`] where they are not as they were read, and where the store fails.
pub(super) async fn hold_back(
    ctx: &Ctx,
    facts: &RegisterFacts,
    new: &LateHolds,
    towns: &BTreeSet<i64>,
) -> Result<(), FlowError> {
    let lines: BTreeSet<i64> = new.holds.iter().map(|(line, _)| *line).collect();
    let towns: Vec<i64> = towns.iter().copied().filter(|town| *town > 0).collect();
    let now = ctx.now_ms();
    let body = serde_json::json!({ "lines": lines }).to_string();
    let first = lines.first().copied().unwrap_or_default();
    let subject = format!("{first}.{now}");
    let report = |recipient| NewReport {
        report_id: report_id(ctx, facts.no, ReportKind::SetAside, &subject, &recipient),
        register: facts.no,
        kind: ReportKind::SetAside,
        recipient,
        subject: 0,
        body: body.clone(),
    };
    let reports: Vec<NewReport> =
        recipients(&facts.department, "", &towns).into_iter().map(report).collect();
    tracing::warn!(register = %facts.no, bank = new.bank, payments = lines.len(), "payments are set aside");
    Ok(ctx.store.set_aside_later(new, &reports, now).await?)
}

/// Payments wait for a bank that is not configured: nobody sends them, and somebody is told.
async fn alert_nobody(ctx: &Ctx, share: &CutDue) -> Result<String, FlowError> {
    let subject = format!("{}/{}", share.register, share.bank);
    let text = format!(
        "{} 中有待发送的款项属于银行 {}，该行不在配置中，款项未发送；请配置该行，或恢复它的配置",
        share.register, share.bank
    );
    let (kind, register) = (AlertKind::Convert, Some(share.register));
    ctx.store.raise_alert(kind, &subject, register, &text, ctx.now_ms()).await?;
    Ok(subject)
}

/// The format cannot write this batch: nothing is sent, and somebody is told.
async fn alert_unwritable(
    ctx: &Ctx,
    bank: &Bank,
    register: RegisterNo,
    cause: &DataError,
) -> Result<Work, FlowError> {
    let text = format!(
        "{register} 的 {} 部分写不成银行文件：{}。款项未发送，请银行技术人员检查格式",
        bank.name,
        data_error(cause)
    );
    alert_stuck(ctx, AlertKind::Convert, (register, &bank.code), cause, &text).await?;
    Ok(Work::Stuck)
}
