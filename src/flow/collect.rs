//! Collect: takes what banks say - files that arrived, calls of theirs, and answers to our questions - and
//! asks where an answer is due. UNKNOWN ends here and in [`crate::flow::answer`] only: by an authoritative
//! answer (I2).

use crate::flow::arrivals::take_arrivals;
use crate::flow::asking::ask;
use crate::flow::held::cannot_take;
use crate::flow::submit::Turn;
use crate::flow::{Bank, Ctx, FlowError, Progress, beside, halves, pushed, unfetched};
use crate::model::attempt::AttemptState;
use crate::store::StoreError;

/// Questions looked at in one step.
const PER_STEP: i64 = 64;

/// Takes what a bank says, and asks it what is due.
///
/// # Errors
/// Where the store fails. What a bank's door says never fails the step.
pub async fn step(ctx: &Ctx, bank: &Bank) -> Result<Progress, FlowError> {
    let states = [AttemptState::Unknown, AttemptState::Accepted];
    let mut more = take_arrivals(ctx, bank).await?;
    pushed::keep_unasked(ctx, bank).await?;
    more |= pushed::step(ctx, bank).await?;
    // Behind what came by itself: what that has answered is not asked for.
    let due = ctx.store.due_attempts(&bank.code, &states, ctx.now_ms(), PER_STEP).await?;
    unfetched::look(ctx, bank).await?;
    halves::look(ctx, bank).await?;
    beside::clear_away(ctx, bank).await?;
    let turn = Turn::begin(ctx);
    for attempt in &due {
        more = true;
        if turn.is_over(ctx) {
            break;
        }
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
                cannot_take(ctx, bank, attempt.register, &attempt.no.to_string(), &cause).await?;
                ctx.store.wait(attempt, ctx.now_ms() + bank.rules.return_every_ms).await?;
            }
        }
    }
    beside::end(ctx, &bank.code).await?;
    if more {
        return Ok(Progress::More);
    }
    let look_again = ctx.now_ms() + ctx.pace.arrivals_every_ms;
    let next_push = ctx.store.next_push_at(&bank.code).await?;
    let due = [ctx.store.next_due_at(&bank.code, &states).await?, next_push];
    Ok(Progress::Idle { until_ms: due.into_iter().flatten().chain([look_again]).min() })
}
