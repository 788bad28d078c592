//! What money may be moved by: the time of day, where it agrees with the time that passed (I16, F22).
//!
//! Leftover that goes back at a set time and payments that nobody decided about: each is due by the
//! time of day, which somebody can set. So the database keeps how the
//! time of day stood to the machine's running time. While the two have drifted apart, what moves
//! money goes by whichever says that it is *not yet* time, and what must not happen any more goes
//! by whichever says that it is too late; an alert stands until the clock is back where it was, or
//! a person says that it is right now. A step of the clock by itself thus moves nothing. Counting by
//! the running time alone was rejected: it ends with the machine, and files carry dates.

use crate::clock::local_text;
use crate::flow::{Ctx, FlowError};
use crate::model::alert::AlertKind;
use crate::store::clock::Anchor;

/// What the two clocks may differ by: every time that moves money is counted in hours.
const STEP_MS: i64 = 60_000;
/// How often it is noted that the time of day was seen.
const SEEN_EVERY_MS: i64 = 60_000;
/// The subject of the alert.
pub const SUBJECT: &str = "clock";

/// Between which times it is now. Without a step of the clock both are the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// It is this late for certain: what moves money by time goes by it.
    pub earliest_ms: i64,
    /// It is no later than this: what must not happen after some time goes by it.
    pub latest_ms: i64,
}

/// Between which times it is now; raises or clears the alert about a step of the clock.
///
/// # Errors
/// Where the store fails.
pub async fn bounds(ctx: &Ctx) -> Result<Bounds, FlowError> {
    let present = Anchor::of(ctx.clock.as_ref());
    let now = present.seen_at_ms;
    let certain = Bounds { earliest_ms: now, latest_ms: now };
    let Some(kept) = ctx.store.clock_anchor().await? else {
        ctx.store.see_clock(&present).await?;
        return Ok(certain);
    };
    if kept.boot != present.boot {
        return after_reboot(ctx, &kept, &present).await;
    }
    let drift = present.set_since(&kept);
    if drift.abs() <= STEP_MS {
        if ctx.store.end_clock_step(now).await? {
            tracing::warn!("the clock is back where it was");
        }
        if now > kept.seen_at_ms + SEEN_EVERY_MS {
            ctx.store.see_clock(&Anchor { seen_at_ms: now, ..kept }).await?;
        }
        return Ok(certain);
    }
    stepped(ctx, drift, now).await?;
    let passed = now - drift;
    Ok(Bounds { earliest_ms: now.min(passed), latest_ms: now.max(passed) })
}

/// The machine was started again, so its running time says nothing about the time before: the time
/// of day is believed, unless it lies before one that was seen, or nobody has answered for a step
/// yet. Then all that is certain is that it is not before the last time that was believed.
async fn after_reboot(ctx: &Ctx, kept: &Anchor, present: &Anchor) -> Result<Bounds, FlowError> {
    let now = present.seen_at_ms;
    let back = present.set_since(kept);
    if back < -STEP_MS {
        stepped(ctx, back, now).await?;
    } else if !ctx.store.clock_step_stands().await? {
        ctx.store.see_clock(present).await?;
        return Ok(Bounds { earliest_ms: now, latest_ms: now });
    }
    Ok(Bounds { earliest_ms: kept.seen_at_ms, latest_ms: i64::MAX / 2 })
}

async fn stepped(ctx: &Ctx, drift_ms: i64, now_ms: i64) -> Result<(), FlowError> {
    let minutes = drift_ms.abs() / 60_000;
    let way = if drift_ms > 0 { "快" } else { "慢" };
    let text = format!(
        "系统时钟发生跳变：现为 {}，比实际经过的时间{way} {} 小时 {} 分。在此期间，到时自动退回、自动撤下和自动重发一律不会因此提前。请银行技术人员核对服务器时间；时间改回后本提示自动消除，确认现在的时间正确则执行“daifa clock accept”",
        local_text(now_ms),
        minutes / 60,
        minutes % 60
    );
    if ctx.store.raise_alert(AlertKind::ClockStep, SUBJECT, None, &text, now_ms).await? {
        tracing::error!(drift_ms, "the time of day was set by more than time passed");
        ctx.store.look_again(now_ms).await?;
    }
    Ok(())
}
