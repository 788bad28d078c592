//! Collect: takes what banks say - files that arrived, calls of theirs, and answers to our questions - and
//! asks where an answer is due. UNKNOWN ends here and in [`crate::flow::answer`] only: by an authoritative
//! answer (I2).

use futures_util::future::join_all;

use crate::flow::arrivals::take_arrivals;
use crate::flow::asking::ask;
use crate::flow::held::cannot_take;
use crate::flow::submit::nobody;
use crate::flow::{Ctx, FlowError, Progress, beside, pushed, unfetched};
use crate::model::attempt::AttemptState;
use crate::store::StoreError;

/// Questions looked at in one step.
const PER_STEP: i64 = 64;

/// # Errors
/// Where the store fails. What a bank's door says never fails the step.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let states = [AttemptState::Unknown, AttemptState::Accepted];
    let due = ctx.store.due_attempts(&states, ctx.now_ms(), PER_STEP).await?;
    let banks = ctx.banks.values().map(|bank| {
        let due = &due;
        async move {
            let mut more = take_arrivals(ctx, bank).await?;
            more |= pushed::step(ctx, bank).await?;
            unfetched::look(ctx, bank).await?;
            beside::clear_away(ctx, bank).await?;
            for attempt in due.iter().filter(|attempt| attempt.bank == bank.code) {
                more = true;
                match ask(ctx, bank, attempt).await {
                    Ok(()) => {}
                    Err(cause) if cause.is_fatal() => return Err(cause),
                    Err(FlowError::Store(StoreError::Moved { .. })) => {
                        tracing::info!(attempt = %attempt.no, "somebody else moved it");
                    }
                    Err(FlowError::Early { .. }) => {
                        tracing::info!(attempt = %attempt.no, bank = bank.code, "its answer waits for the one that tells the bank's numbers");
                        ctx.store.wait(attempt, ctx.now_ms() + bank.rules.ask_every_ms).await?;
                    }
                    Err(cause) => {
                        cannot_take(ctx, bank, attempt.register, &attempt.no.to_string(), &cause)
                            .await?;
                        ctx.store.wait(attempt, ctx.now_ms() + bank.rules.return_every_ms).await?;
                    }
                }
            }
            Ok(more)
        }
    });
    let orphans: Vec<_> =
        due.iter().filter(|attempt| !ctx.banks.contains_key(&attempt.bank)).collect();
    let mut more = !orphans.is_empty();
    nobody(ctx, &orphans).await?;
    for done in join_all(banks).await {
        more |= done?;
    }
    beside::end(ctx).await?;
    let next_push = pushed::look(ctx).await?;
    if more {
        return Ok(Progress::More);
    }
    let look_again = ctx.now_ms() + ctx.pace.arrivals_every_ms;
    let due = [ctx.store.next_due_at(&states).await?, next_push];
    Ok(Progress::Idle { until_ms: due.into_iter().flatten().chain([look_again]).min() })
}
