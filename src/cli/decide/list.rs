//! `daifa decide list`: everything that waits for people, what can be decided of it, and how.

use crate::cli::decide::entry;
use crate::cli::say;
use crate::clock::local_text;
use crate::flow::Ctx;
use crate::flow::decide::entry::lately;
use crate::flow::decide::{Hope, Undecided, hope, stands, undecided, verdicts};
use crate::lifecycle::Exit;
use crate::model::decision::{Subject, Verdict};
use crate::model::reason::Reason;
use crate::store::decide::{Case, Stands};
use crate::store::operators::TOLD_FROM;
use crate::store::quarantine::Aside;

/// Of each kind so many are told; of the rest, that there are more.
const TOLD_MAX: i64 = 100;

pub async fn run(ctx: &Ctx) -> anyhow::Result<Exit> {
    let found = undecided(ctx, TOLD_MAX).await?;
    let mut told = 0;
    for case in found.attempts.iter().chain(&found.conflicts) {
        tell(ctx, case).await?;
        told += 1;
    }
    for register in &found.disputed {
        say(format_args!(
            "{register}: more is credited than was approved, after its money went back\n  nothing is decided here: \
             recover it with the bank; a return that it reports ends it"
        ))?;
        told += 1;
    }
    for aside in &found.aside {
        tell_aside(ctx, aside).await?;
        told += 1;
    }
    told += proposals(&found)?;
    let shown = i64::try_from(found.aside.len()).unwrap_or(i64::MAX);
    if found.aside_open > shown {
        say(format_args!("and {} more that were put aside", found.aside_open - shown))?;
    }
    if told == 0 {
        say("nothing waits for people")?;
    }
    for one in lately(ctx).await?.iter().filter(|one| one.times >= TOLD_FROM) {
        say(format_args!("{}; ask whether it was they", entry::told(one)))?;
    }
    if told == 0 {
        return Ok(Exit::Done);
    }
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    say(format_args!(
        "propose with: daifa decide propose --config FILE --as YOUR-NAME --evidence TEXT WHAT VERDICT\n\
         failed needs --reason, one of: {}",
        reasons.join(", ")
    ))?;
    Ok(Exit::Done)
}

/// A case, and what can be decided of it and of the payments that it carries.
async fn tell(ctx: &Ctx, case: &Case) -> anyhow::Result<()> {
    say(stands(case))?;
    let hope = match &case.attempt {
        Some(attempt) => hope(ctx, attempt).await?,
        None => Hope::None,
    };
    offer(case.subject, &verdicts(case, hope))?;
    // Payments of what the bank has, or has as something else, are decided by themselves.
    if let (Subject::Attempt(_), Stands::Batch { pending }, Some(batch)) =
        (case.subject, case.stands, case.attempt.as_ref().and_then(|attempt| attempt.batch))
        && pending > 0
        && let Some(of_batch) = ctx.store.case(Subject::Batch(batch)).await?
    {
        offer(of_batch.subject, &verdicts(&of_batch, hope))?;
    }
    Ok(())
}

fn offer(subject: Subject, can: &[Verdict]) -> anyhow::Result<()> {
    if can.is_empty() {
        return Ok(());
    }
    let can: Vec<&str> = can.iter().map(|verdict| verdict.as_str()).collect();
    let of_one = match subject {
        Subject::Batch(_) => " (all without an answer; or one by one, like R3-17)",
        Subject::Row(..) => " (or all of its lines: the result without the line)",
        _ => "",
    };
    say(format_args!("  decide: {subject} {}{of_one}", can.join(" | ")))
}

async fn tell_aside(ctx: &Ctx, aside: &Aside) -> anyhow::Result<()> {
    let at = local_text(aside.at_ms);
    let Aside { result, row, bank, name, cause, detail, .. } = aside;
    if *row == 0 {
        say(format_args!("{result} ({name} of {bank}, {at}) is held whole: {detail}"))?;
        return say(format_args!("  decide: {result} dismissed"));
    }
    let payment = match (aside.register, aside.line) {
        (Some(register), Some(line)) => format!(" about {register}-{line}"),
        _ => String::new(),
    };
    say(format_args!(
        "{result}.{row} ({name} of {bank}, {at}) was put aside{payment}: {cause}, {detail}"
    ))?;
    let subject = Subject::Row(*result, *row);
    if let Some(case) = ctx.store.case(subject).await? {
        offer(subject, &verdicts(&case, Hope::None))?;
    }
    Ok(())
}

/// Proposals that wait for a second person; says how many.
fn proposals(found: &Undecided) -> anyhow::Result<usize> {
    for (decision, stands) in &found.proposals {
        let (no, subject, verdict) = (decision.no, decision.subject, decision.verdict);
        let (by, at) = (&decision.proposed_by, local_text(decision.proposed_at_ms));
        if *stands {
            say(format_args!(
                "{no}: {subject} {verdict}, proposed by {by} at {at}\n  another operator: daifa decide show, then confirm {no}"
            ))?;
        } else {
            say(format_args!(
                "{no}: {subject} {verdict}, proposed by {by} at {at}, is overtaken: {subject} moved on since\n  daifa decide withdraw {no}"
            ))?;
        }
    }
    Ok(found.proposals.len())
}
