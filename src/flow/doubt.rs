//! Doubt: what a bank says that cannot be, or of which nobody knows what it is about. It is kept, and two people look.

use crate::flow::answer::WholeAnswer;
use crate::flow::held::{hold, hold_weighing, joined};
use crate::flow::spoken::chinese;
use crate::flow::taking::freeze;
use crate::flow::waits::Told;
use crate::flow::{Bank, Ctx, FlowError};
use crate::model::alert::AlertKind;
use crate::model::attempt::{Answer, AttemptEvent, AttemptState, Heard};
use crate::store::attempts::{Attempt, Conclusion};

/// Said where an answer contradicts itself.
const ROWS_OTHERWISE: &str =
    "it says that nothing was done, and lists payments of which something was";
/// Said where the same answer file comes twice.
pub(super) const TOLD_TWICE: &str = "the same answer came before, and counted for another question";
/// Said where a refusal may be the answer to an earlier time that it was sent.
const ANOTHER_TIME: &str = "it was sent more than once, and nobody knows which time is refused";
/// Said where another sum went back than was asked for.
const OTHER_SUM: &str = "the sum that it says went back is not the one of the refund";

/// Why what a bank says of a refund that it made is no answer: what goes back is known to the fen (I7, I8).
async fn went_back_otherwise(
    ctx: &Ctx,
    attempt: &Attempt,
    said: &WholeAnswer,
) -> Result<Option<&'static str>, FlowError> {
    let (Some(refund), Some(stated), Answer::Done) = (attempt.refund, said.sum, said.answer) else {
        return Ok(None);
    };
    let sum = ctx.store.refund_sum(refund).await?;
    Ok((sum != stated).then_some(OTHER_SUM))
}

/// Why what a bank says of the whole is no answer, where it is none.
///
/// # Errors
/// Where the store fails.
pub(super) async fn counts_for_nothing(
    ctx: &Ctx,
    attempt: &Attempt,
    said: &WholeAnswer,
    told: Told,
) -> Result<Option<&'static str>, FlowError> {
    // The whole of it says that nothing was done, and its rows that something was.
    Ok(match said.answer {
        Answer::NotFound if said.rows > 0 => Some(ROWS_OTHERWISE),
        Answer::Refused if said.paid > 0 => Some(ROWS_OTHERWISE),
        Answer::Refused if !refusal_counts(ctx, attempt, told) => Some(ANOTHER_TIME),
        _ => went_back_otherwise(ctx, attempt, said).await?,
    })
}

/// Is it known to which time that an attempt was sent this refusal is the answer? Of one that went again after its
/// fate was unknown, a file or a call of the bank may be about the first time, and the second was paid.
fn refusal_counts(ctx: &Ctx, attempt: &Attempt, told: Told) -> bool {
    let again = attempt.sends > 1 && attempt.was_lost_before();
    let now = match told {
        Told::AtOnce => true,
        Told::At(question) => ctx.waits.is_present(attempt.no, question),
        Told::InFile | Told::OnSession | Told::Unasked => false,
    };
    !again || now || attempt.state == AttemptState::Refused
}

/// The bank says something that cannot be after what it said before, or of which nobody knows what it is about: it
/// is kept, nothing changes but that the money of what it refused is frozen, and somebody is told.
pub(super) async fn contradicts(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    said: &WholeAnswer,
    why: &str,
) -> Result<(), FlowError> {
    let text = format!(
        "{} 对 {}（流水号 {}）答复“{}”，与此前答复矛盾：{}。状态未改变，请与银行核对",
        bank.name,
        attempt.no,
        attempt.reference,
        said.code,
        chinese(why)
    );
    let name = format!("{} {}", said.kind, attempt.reference);
    let bytes = joined(&said.parts);
    // It may have been paid: it is not sent anew before two people have looked at this.
    if attempt.state == AttemptState::Refused {
        hold_weighing(ctx, bank, attempt, &name, &bytes, "银行此前已拒绝").await?;
        return freeze(ctx, bank, attempt, text).await;
    }
    if why == ROWS_OTHERWISE || said.paid > 0 {
        hold_weighing(ctx, bank, attempt, &name, &bytes, &chinese(why)).await?;
    } else {
        hold(ctx, bank, attempt, &name, &bytes, &chinese(why)).await?;
    }
    ctx.store
        .raise_alert(
            AlertKind::Contradiction,
            &attempt.no.to_string(),
            Some(attempt.register),
            &text,
            ctx.now_ms(),
        )
        .await?;
    let now = ctx.now_ms();
    if attempt.state == AttemptState::Sending {
        // What was said to the hand-over itself is no answer: nobody knows what became of it.
        ctx.waits.begin(attempt, ctx.clock.running_ms());
        let next = Some(now + bank.rules.ask_every_ms);
        let lost = Conclusion { alert: text, ..Conclusion::of(AttemptEvent::Lost, next) };
        return Ok(ctx.store.conclude(attempt, &lost, now).await?);
    }
    let next = Some(now + bank.rules.return_every_ms);
    Ok(ctx.store.asked(attempt, next, Heard::Unclear, now).await?)
}
