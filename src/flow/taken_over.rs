//! What a later revision took over of a batch that the bank refused, and of which it then says more: it may have been
//! paid. Before anything else it is kept from going out a second time (I1, F61).

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::convert::hold_back;
use crate::flow::{Ctx, FlowError};
use crate::model::hold::HoldReason;
use crate::model::id::RegisterNo;
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::holds::LateHolds;
use crate::store::intake::NewHold;
use crate::store::revise::Unsent;

const DETAIL: &str = "银行对前一版本中这一行或这个人的答复前后矛盾，可能已经发放：先由两人核定（daifa decide list），再放行或撤下";
/// Often enough: what is cut or released meanwhile is looked at again.
const TRIES: usize = 5;

/// Sets aside what later revisions have not sent yet of a batch, withdrawing what is made and has not left. What
/// they have sent, the alert about the batch is for.
///
/// # Errors
/// Where the store fails.
pub(super) async fn keep_back(ctx: &Ctx, attempt: &Attempt) -> Result<(), FlowError> {
    let Some(batch) = attempt.batch else { return Ok(()) };
    for (register, lines) in ctx.store.taken_over(batch, ctx.blinder.key_id()).await? {
        if lines.is_empty() {
            continue;
        }
        for tries_left in (0..TRIES).rev() {
            match set_aside(ctx, register, &lines).await {
                Err(FlowError::Store(StoreError::Moved { .. })) if tries_left > 0 => {}
                done => {
                    done?;
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn set_aside(
    ctx: &Ctx,
    register: RegisterNo,
    lines: &BTreeSet<i64>,
) -> Result<(), FlowError> {
    for waiting in ctx.store.not_left(register).await? {
        let Some(batch) = waiting.batch.filter(|_| waiting.never_left()) else { continue };
        let members = ctx.store.members(batch).await?;
        if !members.iter().any(|member| lines.contains(&member.line)) {
            continue;
        }
        let why = "an earlier revision may have been paid";
        match ctx.store.withdraw(&waiting, "daifa", why, ctx.now_ms()).await {
            Ok(payments) => {
                tracing::warn!(attempt = %waiting.no, payments, "it never left, and may have been paid under an earlier revision");
            }
            Err(StoreError::Refused(why)) => {
                tracing::info!(attempt = %waiting.no, why, "it goes as it is");
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
    }
    Ok(())
}
