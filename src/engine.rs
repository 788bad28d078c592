//! Runs each lane when it is due or woken, and stops the house when one of them must not go on.
//!
//! It knows nothing of money: a step is a name and a function that says when it wants to be called
//! again. A wake is only a hint; the step reads the world for itself, so a lost wake costs time and
//! nothing else. The version of the store is read *before* the step looks, so that what is committed
//! while it looks wakes it again.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::flow::{Ctx, FlowError, Lane, Progress, lanes};

/// The longest that a step sleeps: its heartbeat. A step that looks into the database is run then,
/// because an operator's command may have changed it beside us; one that goes by the clock alone is
/// not, so that finance is asked as often as was agreed and no more.
const SLEEP_MAX_MS: i64 = 2_000;
/// The shortest, so that a step that is due in the past does not spin.
const SLEEP_MIN_MS: i64 = 5;
/// A step that is woken looks at most once in so long: what changes seldom changes alone, and looking is most
/// of the work of one that finds nothing.
const GATHER_MS: i64 = 20;
/// After an error that passes.
const SLEEP_AFTER_ERROR_MS: i64 = 200;

/// Is told what the steps do: for health and metrics.
pub trait Observer: Send + Sync + 'static {
    /// A step came back. `result` is `worked`, `idle` or `failed`.
    fn stepped(&self, lane: &Lane, result: &'static str, took_ms: u64, now_ms: i64);

    /// A step has nothing to do yet, and is alive.
    fn rests(&self, lane: &Lane, now_ms: i64);
}

/// Why the engine ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("step {lane} cannot go on: {source}")]
    Fatal { lane: Lane, source: FlowError },
    #[error("step {lane} broke down")]
    Panicked { lane: Lane },
}

/// Runs all lanes until `cancel`. At `given_up`, and where nobody waits for the engine any more, also those end
/// that still wait for a bank.
///
/// # Errors
/// [`EngineError`] where the process must stop and read back what is durable.
pub async fn run(
    ctx: Arc<Ctx>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
    given_up: CancellationToken,
) -> Result<(), EngineError> {
    let mut running = JoinSet::new();
    let _ends_with_us = given_up.clone().drop_guard();
    for lane in lanes(&ctx) {
        let (ctx, observer, cancel) = (Arc::clone(&ctx), Arc::clone(&observer), cancel.clone());
        let repeated = repeat(ctx, lane.clone(), observer, cancel);
        let (runtime, given_up) = (Handle::current(), given_up.clone());
        // A thread of its own: what it asks the embedded database holds up nobody else's tasks.
        let repeated = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = given_up.cancelled() => Ok(()),
                    ended = repeated => ended,
                }
            })
        });
        running.spawn(async move { (lane, repeated.await) });
    }
    let mut ended = Ok(());
    while let Some(done) = running.join_next().await {
        let failed = match done {
            Ok((_, Ok(Ok(())))) => None,
            Ok((lane, Ok(Err(source)))) => Some(EngineError::Fatal { lane, source }),
            Ok((lane, Err(_))) => Some(EngineError::Panicked { lane }),
            // It does nothing but wait for what was spawned.
            Err(cause) => std::panic::resume_unwind(cause.into_panic()),
        };
        if let Some(failed) = failed {
            tracing::error!(error = %failed, "the daemon must stop and read back");
            cancel.cancel();
            ended = ended.and(Err(failed));
        }
    }
    ended
}

async fn repeat(
    ctx: Arc<Ctx>,
    lane: Lane,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<(), FlowError> {
    while !cancel.is_cancelled() {
        let version = ctx.store.version();
        let (began, began_running) = (ctx.now_ms(), ctx.clock.running_ms());
        let (wait_ms, result) = match crate::flow::step(&ctx, &lane).await {
            Ok(Progress::More) => (0, "worked"),
            Ok(Progress::Idle { until_ms }) => {
                let now = ctx.now_ms();
                (until_ms.map_or(SLEEP_MAX_MS, |until| (until - now).max(SLEEP_MIN_MS)), "idle")
            }
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(cause) => {
                tracing::info!(%lane, error = %cause, "a step will look again");
                (SLEEP_AFTER_ERROR_MS, "failed")
            }
        };
        let now = ctx.now_ms();
        observer.stepped(&lane, result, u64::try_from(now - began).unwrap_or_default(), now);
        if wait_ms > 0 && lane.step.wakes_on_change() {
            sleep(&ctx, &lane, version, wait_ms.min(SLEEP_MAX_MS), &cancel).await;
            let left_ms = GATHER_MS - (ctx.clock.running_ms() - began_running);
            tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
        } else if wait_ms > 0 {
            rest(&ctx, &lane, wait_ms, observer.as_ref(), &cancel).await;
        }
    }
    Ok(())
}

/// Sleeps for all of the time, measured on the machine's running time, and says now and then that it
/// is alive.
async fn rest(
    ctx: &Ctx,
    lane: &Lane,
    wait_ms: i64,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) {
    let until_ms = ctx.clock.running_ms() + wait_ms;
    loop {
        let left_ms = until_ms - ctx.clock.running_ms();
        if left_ms <= 0 || cancel.is_cancelled() {
            return;
        }
        sleep(ctx, lane, 0, left_ms.clamp(SLEEP_MIN_MS, SLEEP_MAX_MS), cancel).await;
        observer.rests(lane, ctx.now_ms());
    }
}

/// Sleeps until something changed that this step may act upon, or the time is over.
async fn sleep(ctx: &Ctx, lane: &Lane, version: u64, wait_ms: i64, cancel: &CancellationToken) {
    let time =
        tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default()));
    if lane.step.wakes_on_change() {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = time => {}
            () = ctx.store.changed_since(version) => {}
        }
    } else {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = time => {}
        }
    }
}
