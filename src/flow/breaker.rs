//! Breaker: leaves a bank alone that refused or left unanswered several attempts in a row. Sending
//! stops, asking goes on, an alert says so; after a rest one batch goes, to see. The 24 hours go on.

use crate::clock::local_text;
use crate::flow::{Bank, Ctx, FlowError};
use crate::model::attempt::AttemptState;
use crate::model::deadline::length;
use crate::model::profile::BreakerState;
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::breaker::Breaker;

/// How long attempts wait for the one that was sent to see, before they look again.
const LOOK_AGAIN_MS: i64 = 60_000;

/// When a bank is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// Refused or unknown attempts in a row.
    pub after: i64,
    /// For how long nothing is sent then, in milliseconds.
    pub rest_ms: i64,
}

impl BreakerRule {
    /// Until when the bank rests; nothing where it has. A clock that was set back ends the rest.
    fn rests_until(self, breaker: &Breaker, now_ms: i64) -> Option<i64> {
        let rests = (0..self.rest_ms).contains(&(now_ms - breaker.since_ms));
        rests.then_some(breaker.since_ms + self.rest_ms)
    }
}

/// How a bank fares; opens its breaker where a run has become too long.
async fn breaker(ctx: &Ctx, bank: &Bank) -> Result<Option<Breaker>, FlowError> {
    let found = ctx.store.breaker(&bank.code).await?;
    let Some(breaker) = found else { return Ok(None) };
    let BreakerRule { after, rest_ms } = bank.rules.breaker;
    if breaker.state != BreakerState::Closed || breaker.run < after {
        return Ok(Some(breaker));
    }
    let now = ctx.now_ms();
    tracing::warn!(bank = bank.code, run = breaker.run, "sending to the bank stops for a while");
    let how = if breaker.last == AttemptState::Refused {
        "被拒绝"
    } else {
        "没有得到明确答复"
    };
    let text = format!(
        "向{}送出的报文连续 {} 次被拒绝或没有得到明确答复（最近一次{how}），已暂停向该行发送，查询照常进行；约 {}后（{}）先送一批试探（届时没有待发的，等有了再试），成功即恢复。24 小时时限照常计算。请联系该行查明原因；确认已恢复的，可由操作员执行 daifa bank resume {} 立即恢复",
        bank.name,
        breaker.run,
        length(rest_ms),
        local_text(now + rest_ms),
        bank.code
    );
    match ctx.store.open_breaker(&bank.code, breaker.run, &text, now).await {
        Ok(()) => Ok(Some(Breaker { state: BreakerState::Open, since_ms: now, ..breaker })),
        // It was opened or closed just now.
        Err(StoreError::Moved { .. }) => Ok(ctx.store.breaker(&bank.code).await?),
        Err(cause) => Err(cause.into()),
    }
}

/// Opens the breakers of banks whose run has become too long, also where nothing is to be sent.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx) -> Result<(), FlowError> {
    for bank in ctx.banks.values() {
        breaker(ctx, bank).await?;
    }
    Ok(())
}

/// Until when an attempt must not leave; nothing where it may. After the rest the first that asks is
/// the one that is sent to see.
///
/// # Errors
/// Where the store fails.
pub async fn rests(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<Option<i64>, FlowError> {
    let Some(breaker) = breaker(ctx, bank).await? else { return Ok(None) };
    let now = ctx.now_ms();
    match breaker.state {
        BreakerState::Closed => Ok(None),
        BreakerState::HalfOpen => {
            Ok((breaker.probe != Some(attempt.no)).then_some(now + LOOK_AGAIN_MS))
        }
        BreakerState::Open => {
            if let Some(until_ms) = bank.rules.breaker.rests_until(&breaker, now) {
                return Ok(Some(until_ms.min(now + LOOK_AGAIN_MS)));
            }
            tracing::info!(bank = bank.code, attempt = %attempt.no, "one batch is sent, to see");
            ctx.store.probe(attempt, now).await?;
            Ok(None)
        }
    }
}

/// May a batch be cut for a bank? What is cut bears today's date, so none is cut to lie about: while
/// a bank rests none is, and then one, if there is nothing else to send.
///
/// # Errors
/// Where the store fails.
pub async fn may_cut(ctx: &Ctx, bank: &Bank) -> Result<bool, FlowError> {
    let Some(breaker) = breaker(ctx, bank).await? else { return Ok(true) };
    match breaker.state {
        BreakerState::Closed => Ok(true),
        BreakerState::HalfOpen => Ok(false),
        BreakerState::Open => {
            let rested = bank.rules.breaker.rests_until(&breaker, ctx.now_ms()).is_none();
            Ok(rested && !ctx.store.has_unsent(&bank.code).await?)
        }
    }
}
