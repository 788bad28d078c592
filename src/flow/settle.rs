//! Settle: sends leftover back, drops what nobody decided about in time, and closes registers
//! (Notice, section 2.6: leftover money goes back to finance in time).

use std::collections::BTreeSet;

use serde_json::json;

use crate::flow::checks::broke_down;
use crate::flow::convert::{
    Work, alert_stuck, end_alerts, format_text, next_reference, seal_parts,
};
use crate::flow::opening::Item;
use crate::flow::readback::{ReadBack, RefundWords, refund};
use crate::flow::report::{recipients, report_id};
use crate::flow::sealed::open_person;
use crate::flow::spoken::{data_error, flow_error};
use crate::flow::values::{HeadValues, RefundValues};
use crate::flow::{Bank, Ctx, FlowError, Progress, time};
use crate::format::{DataError, MessageKind};
use crate::model::alert::AlertKind;
use crate::model::id::PaymentId;
use crate::model::money::Fen;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::facts::RegisterFacts;
use crate::store::holds::Decision;
use crate::store::refunds::{NewRefund, WayBack};
use crate::store::reports::NewReport;
use crate::store::settle::{ClosingDue, Leftover, SettleDue};

/// The most payments of one refund that people carry out; a bank's message has limits of its own.
const BY_HAND_ROWS_MAX: usize = 100_000;
/// Payments dropped in one step because their time is over.
const DROPS_PER_STEP: i64 = 500;

/// # Errors
/// Where the store fails.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let now = time::bounds(ctx).await?.earliest_ms;
    let mut more = drop_overdue(ctx, now).await?;
    for register in ctx.store.never_funded().await? {
        tracing::info!(%register, "revoked before any money came: nothing is to go back");
        ctx.store.withdraw_never_funded(register, ctx.now_ms()).await?;
        more = true;
    }
    let mut stuck = BTreeSet::new();
    for share in ctx.store.due_to_settle(now).await? {
        match send_back(ctx, &share).await {
            Ok(Work::Done) => more = true,
            Ok(Work::Nothing) => {}
            Ok(Work::Stuck) => {
                stuck.insert(format!("{}/{}", share.register, share.bank));
            }
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(cause) => {
                let text = format!(
                    "{} 在 {} 的结余无法退回：{}。请银行技术人员处理",
                    share.register,
                    share.bank,
                    flow_error(&cause)
                );
                let of = (share.register, share.bank.as_str());
                stuck.insert(alert_stuck(ctx, AlertKind::Settle, of, &cause, &text).await?);
            }
        }
    }
    end_alerts(ctx, AlertKind::Settle, &stuck).await?;
    for closing in ctx.store.due_to_close().await? {
        match close(ctx, &closing).await {
            // Money moved meanwhile: it is looked at again.
            Err(FlowError::Store(StoreError::Moved { .. })) => {}
            done => done?,
        }
    }
    let until_ms = Some(ctx.now_ms() + ctx.pace.pull_every_ms);
    Ok(if more { Progress::More } else { Progress::Idle { until_ms } })
}

/// Drops payments that were set aside longer than the configured time.
async fn drop_overdue(ctx: &Ctx, now_ms: i64) -> Result<bool, FlowError> {
    let Some(after) = ctx.duty.drop_held_after_ms else { return Ok(false) };
    let overdue = ctx.store.held_since(now_ms - after, DROPS_PER_STEP).await?;
    for payment in &overdue {
        let why = "超过约定期限没有决定，系统自动撤下";
        ctx.store.decide_hold(*payment, Decision::Drop, "daifa", why, ctx.now_ms()).await?;
    }
    Ok(!overdue.is_empty())
}

/// Opens a refund for what is free leftover of a share.
async fn send_back(ctx: &Ctx, share: &SettleDue) -> Result<Work, FlowError> {
    // The pool account of a share whose bank was never known here is at the bank that holds it.
    let its_own = ctx.banks.get(&share.bank);
    let Some(bank) = its_own.or_else(|| ctx.banks.get(&ctx.duty.pool_bank)) else {
        return Ok(Work::Nothing);
    };
    let asks = bank.format.has(MessageKind::RefundRequest);
    // After a restore it may have been given back already: nothing is told before somebody has compared (F16).
    if !asks && ctx.store.stopped_banks().await?.contains(&bank.code) {
        return Ok(Work::Nothing);
    }
    let rows_max = if asks { bank.format.limits().rows_max } else { BY_HAND_ROWS_MAX };
    let mut leftovers = ctx.store.open_leftovers(share.register, &share.bank, rows_max).await?;
    if leftovers.is_empty() {
        return Ok(Work::Nothing);
    }
    // Of one that was, the money is there, and so is who it was for: no other bank is asked for it (I27).
    if its_own.is_none() && leftovers.iter().any(|leftover| leftover.original_reference.is_some()) {
        return gone(ctx, share).await;
    }
    let facts = ctx.store.register_facts(share.register).await?;
    if !facts.whole {
        return Err(FlowError::Altered { what: share.register.to_string() });
    }
    if !asks {
        return intend(ctx, bank, share, &leftovers, by_hand(bank, share, &leftovers)).await;
    }
    keep_below(&mut leftovers, bank.format.limits().sum_max);
    let rows = refund_rows(ctx, &facts, &share.bank, &leftovers)?;
    let reference = next_reference(ctx, bank).await?;
    let head = HeadValues {
        facts: &facts,
        bank: &bank.code,
        reference: &reference.text,
        bank_reference: "",
        at_ms: ctx.now_ms(),
        section: "",
        day_sequence: None,
    };
    let parts = match written(ctx, bank, &head, &rows) {
        Ok(parts) => parts,
        Err(cause) => {
            let text = format!(
                "{} 在 {} 的结余写不成退款报文：{}",
                share.register,
                bank.name,
                data_error(&cause)
            );
            let of = (share.register, share.bank.as_str());
            alert_stuck(ctx, AlertKind::Settle, of, &cause, &text).await?;
            return Ok(Work::Stuck);
        }
    };
    let parts = seal_parts(ctx, &bank.code, &reference.text, parts);
    intend(ctx, bank, share, &leftovers, WayBack::Asked { reference, parts }).await
}

/// Leftover at a bank that was sent to and is not in the config any more: somebody is told, and it waits.
async fn gone(ctx: &Ctx, share: &SettleDue) -> Result<Work, FlowError> {
    let SettleDue { register, bank, .. } = share;
    let text =
        format!("{register} 在 {bank} 的结余要由该行退回，而该行已不在配置中；请恢复该行的配置");
    let subject = format!("{register}/{bank}");
    let now = ctx.now_ms();
    ctx.store.raise_alert(AlertKind::Settle, &subject, Some(*register), &text, now).await?;
    Ok(Work::Stuck)
}

/// What people are told where a bank has no message that gives leftover back: which money, and whose.
fn by_hand(bank: &Bank, share: &SettleDue, leftovers: &[Leftover]) -> WayBack {
    let sum: Fen = leftovers.iter().map(|leftover| leftover.amount).sum();
    let (register, count, name) = (share.register, leftovers.len(), &bank.name);
    let voucher = match share.voucher_no.as_str() {
        "" => String::new(),
        no => format!("，支付凭证号 {no}"),
    };
    let task = format!(
        "{name} 的报文格式没有退款报文：{register} 的结余 {sum} 元（{count} 笔{voucher}）请由人工退回财政原付款账户"
    );
    WayBack::ByHand { task }
}

/// Makes a refund durable.
async fn intend(
    ctx: &Ctx,
    bank: &Bank,
    share: &SettleDue,
    leftovers: &[Leftover],
    way: WayBack,
) -> Result<Work, FlowError> {
    let new = NewRefund {
        register: share.register,
        bank: share.bank.clone(),
        via_bank: bank.code.clone(),
        pool_account: share.pool_account.clone(),
        voucher_no: share.voucher_no.clone(),
        members: leftovers.iter().map(|leftover| (leftover.line, leftover.amount)).collect(),
        format: format_text(&bank.format),
        way,
    };
    match ctx.store.intend_refund(&new, ctx.now_ms()).await {
        Ok((refund, attempt)) => {
            tracing::info!(%refund, %attempt, register = %share.register, payments = new.members.len(), "leftover goes back");
            Ok(Work::Done)
        }
        // A late answer took one of them back meanwhile, or a batch the number.
        Err(StoreError::Moved { .. }) => Ok(Work::Done),
        Err(cause) => Err(cause.into()),
    }
}

/// Writes a refund, and reads it back; that it broke down is a fault of the refund, and not the end of the daemon
/// (F56).
fn written(
    ctx: &Ctx,
    bank: &Bank,
    head: &HeadValues<'_>,
    rows: &[RefundValues],
) -> Result<ReadBack, DataError> {
    let kind = MessageKind::RefundRequest;
    let words = RefundWords {
        reference: head.reference,
        pool_account: &head.facts.pool_account,
        voucher_no: &head.facts.voucher_no,
        rows,
    };
    let item = || {
        let place = format!("{}/{}", head.facts.no, bank.code);
        Item::new(&["refund", &place], bank.format.digest())
    };
    let write = || refund(&bank.format, bank.format.encode(kind, head, rows)?, &words);
    ctx.opening.open(item, write).unwrap_or_else(|_| Err(broke_down(kind)))
}

/// A refund's sum stays within what the format declares; the rest goes back in another.
fn keep_below(leftovers: &mut Vec<Leftover>, sum_max: Fen) {
    let mut sum = Fen::ZERO;
    let fits = leftovers.iter().take_while(|leftover| {
        let next = sum.checked_add(leftover.amount).filter(|next| *next <= sum_max);
        sum = next.unwrap_or(sum);
        next.is_some()
    });
    let keep = fits.count().max(1);
    leftovers.truncate(keep);
}

fn refund_rows(
    ctx: &Ctx,
    facts: &RegisterFacts,
    bank: &str,
    leftovers: &[Leftover],
) -> Result<Vec<RefundValues>, FlowError> {
    let row = |(at, leftover): (usize, &Leftover)| {
        let Leftover { line, amount, person, original_reference, .. } = leftover;
        let original = match original_reference {
            None => None,
            Some(reference) => {
                let (person, _) = open_person(
                    &ctx.sealer,
                    &facts.head_digest,
                    facts.no,
                    *line,
                    *amount,
                    bank,
                    person,
                )
                .map_err(|source| FlowError::Sealed {
                    what: PaymentId { register: facts.no, line: *line }.to_string(),
                    source,
                })?;
                Some((reference.clone(), person.account))
            }
        };
        Ok(RefundValues {
            ordinal: i64::try_from(at + 1).unwrap_or(i64::MAX),
            amount: *amount,
            original,
        })
    };
    leftovers.iter().enumerate().map(row).collect()
}

/// Tells the closing account of a register whose money has all come to an end.
async fn close(ctx: &Ctx, closing: &ClosingDue) -> Result<(), FlowError> {
    let facts = ctx.store.register_facts(closing.register).await?;
    let notices = ctx.store.notice_counts(closing.register).await?;
    let notices: serde_json::Map<String, serde_json::Value> = notices
        .into_iter()
        .map(|(state, count)| (state.as_str().to_owned(), count.into()))
        .collect();
    let (places, counts) = (&closing.places, &closing.counts);
    let body = json!({
        "approved_fen": places.approved.get(),
        "withdrawn_fen": closing.declared_sum.get() - places.approved.get(),
        "credited_fen": places.credited.get(),
        "refunded_fen": places.refunded.get(),
        "disputed_fen": places.disputed.get(),
        "payments": counts.payments,
        "credited": counts.credited,
        "failed": counts.failed,
        "returned": counts.returned,
        "dropped": counts.dropped,
        "set_aside": closing.set_aside,
        "notices": notices,
    });
    let reports: Vec<NewReport> = recipients(&facts.department, &facts.town, &[])
        .into_iter()
        .map(|recipient| NewReport {
            report_id: report_id(
                ctx,
                closing.register,
                ReportKind::Closing,
                &closing.last_posting.to_string(),
                &recipient,
            ),
            register: closing.register,
            kind: ReportKind::Closing,
            recipient,
            subject: closing.last_posting,
            body: body.to_string(),
        })
        .collect();
    ctx.store.close_register(closing, &reports, ctx.now_ms()).await?;
    tracing::info!(register = %closing.register, "a register is closed");
    Ok(())
}
