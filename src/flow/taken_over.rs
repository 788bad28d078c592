//! What a later revision took over, or another batch was cut of, from a batch that the bank refused and of which it
//! then says more: it may have been paid. It is kept from going out a second time (I1, F61).

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::convert::hold_back;
use crate::flow::{Bank, Ctx, FlowError};
use crate::model::alert::AlertKind;
use crate::model::hold::HoldReason;
use crate::model::id::RegisterNo;
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::holds::LateHolds;
use crate::store::intake::NewHold;
use crate::store::revise::Unsent;

const DETAIL: &str = "银行对此前发送的这一行或这个人的答复前后矛盾，可能已经发放：先由两人核定（daifa decide list），再放行或撤下";
/// Often enough: what is cut or released meanwhile is looked at again.
const TRIES: usize = 5;

/// Sets aside what later revisions have not sent yet of a batch, and what it was cut anew into; withdraws what is
/// made and has not left. What they have sent, the alert about the batch is for.
///
/// # Errors
/// Where the store fails.
pub(super) async fn keep_back(ctx: &Ctx, attempt: &Attempt) -> Result<(), FlowError> {
    let Some(batch) = attempt.batch else { return Ok(()) };
    for (register, lines) in ctx.store.taken_over(batch, ctx.blinder.key_id()).await? {
        if lines.is_empty() {
            continue;
        }
        // Others cut and release meanwhile: until nothing is found any more. What is missed all the same is found
        // before it leaves.
        for _ in 0..TRIES {
            match set_aside(ctx, register, &lines).await {
                Ok(false) => break,
                Ok(true) | Err(FlowError::Store(StoreError::Moved { .. })) => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(())
}

/// Is what an attempt carries perhaps paid, or back, by an earlier one? Then it does not leave: it is withdrawn and set
/// aside where that can be, and waits otherwise.
///
/// # Errors
/// Where the store fails.
pub(super) async fn stays_here(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
) -> Result<bool, FlowError> {
    let (no, reference) = (attempt.no, &attempt.reference);
    if let Some(refund) = attempt.refund {
        if !ctx.store.refund_is_doubted(refund).await? {
            return Ok(false);
        }
        tracing::error!(attempt = %no, "what it asks back may be on a card, or back already: it does not leave");
        withdraw(ctx, attempt, "what it asks back may be on a card, or back already").await?;
        let text = format!(
            "{} 的退款 {no}（流水号 {reference}）未发送：其中的款项可能已经入账或已经退回，银行的答复前后矛盾。请先由两人核定（daifa decide list）",
            bank.name
        );
        return waits(ctx, bank, attempt, &text).await;
    }
    let again = ctx.store.released_again_in_vain(attempt.register).await?;
    if let (false, Some(batch)) = (again.is_empty(), attempt.batch)
        && ctx.store.members(batch).await?.iter().any(|member| again.contains(&member.line))
    {
        tracing::error!(attempt = %no, "a payment that it releases again was credited after all: it does not leave");
        withdraw(ctx, attempt, "a payment that it releases again was credited after all").await?;
        let text = format!(
            "{} 的 {no}（流水号 {reference}）未发送：其中重新发放的款项，原明细后来又显示已入账。请先由两人核定原明细（daifa decide list）",
            bank.name
        );
        return waits(ctx, bank, attempt, &text).await;
    }
    let Some(earlier) = ctx.store.doubted(attempt, ctx.blinder.key_id()).await? else {
        return Ok(false);
    };
    tracing::error!(attempt = %no, earlier = %earlier.no, "it may have been paid by an earlier attempt, and does not leave");
    keep_back(ctx, &earlier).await?;
    let text = format!(
        "{} 的 {no}（流水号 {reference}）未发送：其中的款项可能已由 {}（流水号 {}）发放，银行对那一批的答复前后矛盾。请先由两人核定那一批（daifa decide list）",
        bank.name, earlier.no, earlier.reference
    );
    waits(ctx, bank, attempt, &text).await
}

/// Withdraws an attempt where it provably never left.
async fn withdraw(ctx: &Ctx, attempt: &Attempt, why: &str) -> Result<(), FlowError> {
    match ctx.store.withdraw_doubted(attempt, why, ctx.now_ms()).await {
        Ok(_) => Ok(()),
        Err(StoreError::Refused(why)) => {
            tracing::info!(attempt = %attempt.no, why, "it cannot be withdrawn");
            Ok(())
        }
        Err(cause) => Err(cause.into()),
    }
}

/// What could not be withdrawn waits, and somebody is told.
async fn waits(ctx: &Ctx, bank: &Bank, attempt: &Attempt, text: &str) -> Result<bool, FlowError> {
    let now_is = ctx.store.attempt_by_reference(&bank.code, &attempt.reference).await?;
    if now_is.is_some_and(|now_is| now_is.state == attempt.state) {
        let (subject, register, now) =
            (attempt.no.to_string(), Some(attempt.register), ctx.now_ms());
        ctx.store.raise_alert(AlertKind::Submit, &subject, register, text, now).await?;
        ctx.store.wait(attempt, now + bank.rules.ask_every_ms).await?;
    }
    Ok(true)
}

/// Says whether anything was found.
async fn set_aside(
    ctx: &Ctx,
    register: RegisterNo,
    lines: &BTreeSet<i64>,
) -> Result<bool, FlowError> {
    let mut found = false;
    for waiting in ctx.store.not_left(register).await?.iter().filter(|made| made.never_left()) {
        let meets = match (waiting.batch, waiting.refund) {
            (Some(batch), _) => {
                ctx.store.members(batch).await?.iter().any(|member| lines.contains(&member.line))
            }
            // It is made again of what may go back then.
            (None, Some(refund)) => ctx.store.refund_lists(refund, lines).await?,
            (None, None) => false,
        };
        if !meets {
            continue;
        }
        let why = "what it carries may have been paid before";
        match ctx.store.withdraw_doubted(waiting, why, ctx.now_ms()).await {
            Ok(payments) => {
                found = true;
                tracing::warn!(attempt = %waiting.no, payments, "it never left, and may have been paid under an earlier revision");
            }
            Err(StoreError::Refused(why)) => {
                tracing::info!(attempt = %waiting.no, why, "it cannot be withdrawn");
            }
            Err(cause) => return Err(cause.into()),
        }
    }
    let facts = ctx.store.register_facts(register).await?;
    let mut by_share: BTreeMap<_, Vec<Unsent>> = BTreeMap::new();
    for unsent in ctx.store.unsent_among(register, lines).await? {
        let share = (unsent.bank.clone(), unsent.listed, unsent.cut_line);
        by_share.entry(share).or_default().push(unsent);
    }
    let hold = || NewHold { reason: HoldReason::SentEarlier, detail: DETAIL.to_owned() };
    for ((bank, listed, cut_line), unsent) in by_share {
        let towns = unsent.iter().map(|one| one.town).collect();
        let holds = unsent.iter().map(|one| (one.line, hold())).collect();
        hold_back(ctx, &facts, &LateHolds { register, bank, listed, cut_line, holds }, &towns)
            .await?;
        found = true;
    }
    Ok(found)
}
