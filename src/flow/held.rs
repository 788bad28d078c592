//! Answers that cannot be used: kept as evidence, sealed, and told of.

use crate::flow::sealed::seal_evidence;
use crate::flow::spoken::flow_error;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::Part;
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::id::RegisterNo;
use crate::model::outcome::AnswerTaken;
use crate::store::attempts::Attempt;

/// What is kept about a batch does not open: its answers wait, and somebody is told.
pub(super) async fn cannot_take(
    ctx: &Ctx,
    bank: &Bank,
    register: impl Into<Option<RegisterNo>>,
    what: &str,
    cause: &FlowError,
) -> Result<(), FlowError> {
    tracing::error!(bank = bank.code, what, error = %cause, "an answer cannot be taken");
    let text = format!(
        "{} 对 {what} 的答复无法入账：{}。未作处理，请银行技术人员处理",
        bank.name,
        flow_error(cause)
    );
    let subject = format!("{}/{what}", bank.code);
    ctx.store
        .raise_alert(AlertKind::Collect, &subject, register.into(), &text, ctx.now_ms())
        .await?;
    Ok(())
}

/// Keeps an answer that cannot be used, as evidence, and tells somebody.
///
/// # Errors
/// Where the store fails.
pub async fn hold(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<(), FlowError> {
    told(attempt, bank, why, keep(ctx, bank, (Some(attempt), false), name, bytes, why).await?);
    Ok(())
}

/// Holds an answer whole that may say that something was done: nothing of its attempt goes out again, and none of
/// its money is given back, before that is settled.
///
/// # Errors
/// Where the store fails.
pub(super) async fn hold_weighing(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<(), FlowError> {
    told(attempt, bank, why, keep(ctx, bank, (Some(attempt), true), name, bytes, why).await?);
    Ok(())
}

fn told(attempt: &Attempt, bank: &Bank, why: &str, new: bool) {
    if new {
        tracing::warn!(attempt = %attempt.no, bank = bank.code, why, "an answer is held as a whole");
    }
}

/// Keeps what cannot be said to be about any attempt, and tells somebody.
pub(super) async fn hold_unknown(
    ctx: &Ctx,
    bank: &Bank,
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<(), FlowError> {
    keep(ctx, bank, (None, false), name, bytes, why).await?;
    tracing::warn!(bank = bank.code, why, "a file of the bank is held");
    Ok(())
}

pub(super) fn joined(parts: &[Part]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes.iter().copied()).collect()
}

/// Keeps it sealed; says whether it is new. With the attempt that it is about: whether it weighs there.
async fn keep(
    ctx: &Ctx,
    bank: &Bank,
    (attempt, weighs): (Option<&Attempt>, bool),
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<bool, FlowError> {
    let digest = sha256(bytes);
    let evidence = seal_evidence(&ctx.sealer, &bank.code, &digest, bytes);
    let (code, now) = (&bank.code, ctx.now_ms());
    let new = match attempt {
        Some(about) if weighs => {
            ctx.store.hold_weighing(code, name, &digest, about, why, evidence, now).await?
        }
        _ => ctx.store.hold_result(code, name, &digest, attempt, why, evidence, now).await?,
    };
    ctx.tally.count(if new { AnswerTaken::Held } else { AnswerTaken::Repeated });
    Ok(new)
}
