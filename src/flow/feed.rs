//! Feed: goes through what finance lists, in its order. A register that cannot be read is kept and
//! tried again by itself, so that it holds up none behind it; a finance that does not answer is tried
//! less and less often (F53).

use crate::finance::wire::nothing_read;
use crate::finance::{self, Faulty, Finance, FinanceError, Listed, RegisterEvent, Verdict};
use crate::flow::intake::{read_head, refuse, take};
use crate::flow::receiving::TakeError;
use crate::flow::spoken::{chinese, finance_error};
use crate::flow::{Ctx, FlowError, Progress};
use crate::guard::digest::ContentDigest;
use crate::model::alert::AlertKind;
use crate::model::deadline::StartTimes;
use crate::model::id::PaymentId;
use crate::model::register::{Fault, RegisterHead};
use crate::store::StoreError;
use crate::store::holds::Decision;
use crate::store::settle::Unfunded;
use crate::store::unread::Unread;

/// Entries of a feed read at once.
const PAGE: usize = 100;
/// The longest wait between two tries to read the same register.
const RETRY_MAX_MS: i64 = 3_600_000;
/// After so many tries, most of a day, a register that finance itself does not give out is refused: by
/// then finance must know.
const TRIES_MAX: i64 = 24;

/// # Errors
/// Where the store fails; what finance says or fails to say is told by an alert, and tried again.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let mut more = false;
    for source in &ctx.sources {
        let subject = source.source().to_owned();
        if !ctx.pulls.may_try(&subject, ctx.clock.running_ms()) {
            continue;
        }
        match pull(ctx, source.as_ref()).await {
            Ok(found) => {
                more |= found;
                ctx.pulls.answered(&subject);
                ctx.store.clear_alert(AlertKind::Finance, &subject, ctx.now_ms()).await?;
            }
            Err(TakeError::Flow(cause)) => return Err(cause),
            Err(TakeError::Finance(cause)) => {
                tracing::warn!(source = subject, error = %cause, "finance could not be pulled");
                ctx.pulls.failed(&subject, ctx.clock.running_ms(), ctx.pace.pull_every_ms);
                let text = format!(
                    "与财政来源 {subject} 的连接有问题：{}。系统会继续重试，间隔逐渐加长",
                    finance_error(&cause)
                );
                ctx.store
                    .raise_alert(AlertKind::Finance, &subject, None, &text, ctx.now_ms())
                    .await?;
            }
        }
    }
    let until_ms = Some(ctx.now_ms() + ctx.pace.pull_every_ms);
    Ok(if more { Progress::More } else { Progress::Idle { until_ms } })
}

/// One round with one source; says whether there is more at once.
async fn pull(ctx: &Ctx, finance: &dyn Finance) -> Result<bool, TakeError> {
    let source = finance.source();
    let after = ctx.store.cursor(source, "registers").await?;
    let page = finance.listed(after.as_deref(), PAGE).await?;
    for listed in &page.items {
        take_listed(ctx, finance, listed).await?;
    }
    read_again(ctx, finance).await?;
    let decided = decide(ctx, finance).await?;
    fund(ctx, finance).await?;
    Ok(decided || page.next.is_some() && !page.items.is_empty())
}

/// Takes an entry and goes on behind it. Where it cannot be read, it is kept for later; where that is
/// because finance is not there at all, the round ends.
async fn take_listed(ctx: &Ctx, finance: &dyn Finance, listed: &Listed) -> Result<(), TakeError> {
    let source = finance.source();
    match take(ctx, finance, listed).await {
        Ok(()) => {
            let how = "register.read_at_last";
            ctx.store.end_unread(source, &listed.id, listed.revision, how, ctx.now_ms()).await?;
            Ok(ctx.store.set_cursor(source, "registers", &listed.cursor, ctx.now_ms()).await?)
        }
        Err(TakeError::Finance(cause)) => {
            let unread = Unread {
                source: source.to_owned(),
                id: listed.id.clone(),
                revision: listed.revision,
                tries: 0,
            };
            keep(ctx, &unread, Some(&listed.cursor), &cause).await?;
            if cause.passes_by_itself() { Err(cause.into()) } else { Ok(()) }
        }
        Err(cause) => Err(cause),
    }
}

/// Tries again to read what could not be read before.
async fn read_again(ctx: &Ctx, finance: &dyn Finance) -> Result<(), TakeError> {
    for unread in ctx.store.due_unread(finance.source(), ctx.now_ms()).await? {
        let listed = Listed {
            cursor: String::new(),
            id: unread.id.clone(),
            revision: unread.revision,
            event: RegisterEvent::Approved,
        };
        match take(ctx, finance, &listed).await {
            Ok(()) => {
                tracing::info!(register = unread.id, "a register is read at last");
                let Unread { source, id, revision, .. } = &unread;
                let how = "register.read_at_last";
                ctx.store.end_unread(source, id, *revision, how, ctx.now_ms()).await?;
            }
            Err(TakeError::Finance(cause)) if is_in_vain(&cause, unread.tries) => {
                refuse(ctx, finance, never_given(&unread, &cause)).await?;
                let Unread { source, id, revision, .. } = &unread;
                let how = "register.unread_refused";
                ctx.store.end_unread(source, id, *revision, how, ctx.now_ms()).await?;
            }
            Err(TakeError::Finance(cause)) => keep(ctx, &unread, None, &cause).await?,
            Err(cause) => return Err(cause),
        }
    }
    Ok(())
}

/// Has finance itself said no to this register so often that it will not give it out any more? What is
/// not reached, or not trusted at all, says nothing about one register, and is waited for.
const fn is_in_vain(cause: &FinanceError, tries: i64) -> bool {
    match cause {
        FinanceError::Rejected { .. } | FinanceError::Protocol(_) => tries >= TRIES_MAX,
        FinanceError::Faulty(_) => true,
        FinanceError::Unreachable(_) | FinanceError::Signature(_) | FinanceError::Config(_) => {
            false
        }
    }
}

/// The refusal of a register that finance lists and does not give out.
fn never_given(unread: &Unread, cause: &FinanceError) -> Faulty {
    let what = format!("listed, and not given out in {} tries: {cause}", unread.tries);
    let chinese = format!(
        "列表中有这份清册，但 {} 次读取都没有成功：{}。请财政核对后以更高的版本号重新下达",
        unread.tries,
        finance_error(cause)
    );
    let mut faulty = nothing_read(&unread.id, unread.revision);
    faulty.faults = vec![Fault::new(None, "id", what, chinese)];
    faulty
}

/// Keeps a register that could not be read, and tells somebody.
async fn keep(
    ctx: &Ctx,
    unread: &Unread,
    cursor: Option<&str>,
    cause: &FinanceError,
) -> Result<(), FlowError> {
    let Unread { source, id, revision, tries } = unread;
    tracing::warn!(source, register = id, revision, error = %cause, "a register cannot be read");
    let text = format!(
        "财政来源 {source} 列出的清册 {id}（第 {revision} 版）无法读取：{}。其他清册不受影响，系统会继续重试；一直读不到时请财政核对该清册",
        finance_error(cause)
    );
    let wait = ctx.pace.pull_every_ms.saturating_mul(1 << tries.clamp(&0, &10)).min(RETRY_MAX_MS);
    let now = ctx.now_ms();
    Ok(ctx.store.keep_unread(unread, cursor, &cause.to_string(), &text, now, now + wait).await?)
}

/// Reads heads again whose funding was not known. One that cannot be read holds up no other.
async fn fund(ctx: &Ctx, finance: &dyn Finance) -> Result<(), TakeError> {
    let mut silent = 0;
    for unfunded in ctx.store.unfunded().await? {
        if unfunded.source != finance.source() {
            continue;
        }
        let Unfunded { source, id, revision, .. } = &unfunded;
        let subject = format!("{source}/{id}/{revision}/funding");
        let said = read_head(ctx, finance, id, *revision).await;
        let why = match &said {
            Ok(head) if is_of(head, &unfunded) => {
                silent = 0;
                ctx.store.clear_alert(AlertKind::Unread, &subject, ctx.now_ms()).await?;
                if let Some(funded_at_ms) = head.funded_at_ms {
                    funded(ctx, &unfunded, funded_at_ms).await?;
                }
                continue;
            }
            // The money that came is another register's (I25).
            Ok(_) => {
                "现在读到的表头与接收时不同。请财政恢复原表头；修改请以更高的版本号下达".to_owned()
            }
            Err(cause) => finance_error(cause),
        };
        let text = format!(
            "清册 {id}（第 {revision} 版）的到账情况无法读取：{why}。资金到账前不会发送，系统会继续重试"
        );
        let register = Some(unfunded.register);
        ctx.store.raise_alert(AlertKind::Unread, &subject, register, &text, ctx.now_ms()).await?;
        if let Err(cause) = said {
            silent += i32::from(cause.passes_by_itself());
            // One may be its own trouble; two in a row are finance's.
            if silent > 1 {
                return Err(cause.into());
            }
        }
    }
    Ok(())
}

/// Is this still the head of the register that was taken in? Its funded time alone may differ.
fn is_of(head: &RegisterHead, unfunded: &Unfunded) -> bool {
    head.digest == unfunded.digest && ContentDigest::of_head(head).finish() == unfunded.head_digest
}

async fn funded(ctx: &Ctx, unfunded: &Unfunded, funded_at_ms: i64) -> Result<(), FlowError> {
    let times = StartTimes {
        received_at_ms: unfunded.received_at_ms,
        approved_at_ms: unfunded.approved_at_ms,
        funded_at_ms: Some(funded_at_ms),
    };
    let start = ctx.duty.start.start(times);
    let deadline = start.map(|at| at + ctx.duty.allowed_ms);
    Ok(ctx.store.set_funded(unfunded.register, funded_at_ms, start, deadline, ctx.now_ms()).await?)
}

/// Applies finance's decisions on payments that were set aside; says whether there were any.
async fn decide(ctx: &Ctx, finance: &dyn Finance) -> Result<bool, TakeError> {
    let source = finance.source();
    let after = ctx.store.cursor(source, "decisions").await?;
    let page = finance.decisions(after.as_deref(), PAGE).await?;
    for decision in &page.items {
        let what = match decision.action {
            Verdict::Release => Decision::Release,
            Verdict::Drop => Decision::Drop,
        };
        let (id, revision, line) = (&decision.register, decision.revision, decision.line);
        let decided = match ctx.store.payment_named(source, id, revision, line).await? {
            Some(_) if !is_said(&decision.by) || !is_said(&decision.reason) => {
                Err(StoreError::Refused("没有写明决定人或理由，或其中有控制字符".to_owned()))
            }
            Some(payment) => carry_out(ctx, payment, what, decision).await,
            None => {
                Err(StoreError::Refused(format!("没有收到过 {id} 第 {revision} 版第 {line} 行")))
            }
        };
        match decided {
            Ok(()) => {}
            Err(StoreError::Refused(why)) => {
                let subject = format!("{source}/{}", decision.cursor);
                let action = match decision.action {
                    Verdict::Release => "放行",
                    Verdict::Drop => "撤下",
                };
                let text = format!(
                    "财政对 {id} 第 {revision} 版第 {line} 行的决定（{action}）无法执行：{}",
                    chinese(&why)
                );
                ctx.store
                    .raise_alert(AlertKind::Decision, &subject, None, &text, ctx.now_ms())
                    .await?;
            }
            Err(cause) => return Err(cause.into()),
        }
        ctx.store.set_cursor(source, "decisions", &decision.cursor, ctx.now_ms()).await?;
    }
    Ok(!page.items.is_empty())
}

/// Is this a name or a reason that can be kept? Not every database takes every control character.
fn is_said(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// Carries out a decision. A payment whose bank is not configured is not released: nobody would send
/// it, and nobody would hear of it again.
async fn carry_out(
    ctx: &Ctx,
    payment: PaymentId,
    what: Decision,
    decision: &finance::Decision,
) -> Result<(), StoreError> {
    let known = ctx.bank_codes();
    if what == Decision::Release
        && let Some(bank) = ctx.store.unknown_bank(payment, &known).await?
    {
        return Err(StoreError::Refused(format!(
            "代发银行 {bank} 没有配置，放行后也无人发送，该笔仍暂缓；请更正代发银行后重新报送，或撤下"
        )));
    }
    let (by, why) = (&decision.by, &decision.reason);
    ctx.store.decide_hold(payment, what, by, why, ctx.now_ms()).await
}
