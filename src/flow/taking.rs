//! Takes what banks say of single payments: matched, made durable with all that follows from it, or held
//! as a whole.

use std::collections::{BTreeSet, HashMap};

use crate::flow::convert::open_rows;
use crate::flow::held::{hold_weighing, joined};
use crate::flow::matching::{NotTaken, Sent, match_rows};
use crate::flow::opening::Item;
use crate::flow::report::{recipients, report_id};
use crate::flow::sealed::seal_evidence;
use crate::flow::taken_over::keep_back;
use crate::flow::{Bank, Ctx, FlowError, expect};
use crate::format::{Format, MessageKind, Part};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptState};
use crate::model::id::ResultNo;
use crate::model::outcome::AnswerTaken;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::payment_serials::Doubled;
use crate::store::reports::NewReport;
use crate::store::results::{Effects, Taken, TakenResult, can_have_results};

/// Takes the rows of a result: applied or quarantined, in one transaction, or the whole is held. Says
/// whether they were taken.
///
/// # Errors
/// Where the store fails; [`FlowError::Early`] where it can be understood only after another answer.
pub(super) async fn take_rows(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kind: MessageKind,
    name: &str,
    parts: &[Part],
) -> Result<bool, FlowError> {
    let bytes = joined(parts);
    let digest = sha256(&bytes);
    let Some(batch) = attempt.batch.filter(|_| can_have_results(attempt.state)) else {
        let why = format!("{} 的状态是“{}”，不应有结果", attempt.no, attempt.state.chinese());
        hold_weighing(ctx, bank, attempt, name, &bytes, &why).await?;
        if attempt.state == AttemptState::Refused {
            answered_after_all(ctx, bank, attempt).await?;
        }
        return Ok(false);
    };
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        hold_weighing(ctx, bank, attempt, name, &bytes, "发送时所用的格式已无法读取").await?;
        return Ok(false);
    };
    let facts = ctx.store.register_facts(attempt.register).await?;
    let payments = ctx.store.members(batch).await?;
    let members = open_rows(ctx, &facts, &attempt.bank, &payments)?;
    let (serials, doubled) = known_serials(ctx, attempt, kind, &format).await?;
    let sent = Sent {
        attempt: attempt.no,
        reference: &attempt.reference,
        members: &members,
        serials: &serials,
        doubled: doubled.as_ref(),
    };
    let item = || Item::new(&[&bank.code, name], digest);
    let read = ctx.opening.open(item, || match_rows(&format, kind, parts, &sent, &ctx.sealer));
    let matched = match read.unwrap_or_else(|why| Err(why.chinese().to_owned().into())) {
        Ok(matched) => matched,
        Err(NotTaken::Held(why)) => {
            hold_weighing(ctx, bank, attempt, name, &bytes, &why).await?;
            return Ok(false);
        }
        Err(NotTaken::Early) => return Err(FlowError::Early { what: name.to_owned() }),
    };
    let evidence = (!matched.quarantined.is_empty())
        .then(|| seal_evidence(&ctx.sealer, &bank.code, &digest, &bytes));
    let taken = TakenResult {
        name,
        digest,
        rows: matched.rows,
        quarantined: matched.quarantined,
        evidence,
        next_at_ms: next_question(ctx, bank, attempt, &format),
        again_at_ms: ctx.now_ms() + until_asked_again(bank, kind),
        expects: expect::when_answered(bank, attempt, &format, ctx.now_ms()),
        bank_references: matched.bank_references,
        serials: matched.serials,
    };
    let town_of_line: HashMap<i64, i64> = payments.iter().map(|one| (one.line, one.town)).collect();
    let follow = |result: ResultNo, effects: &Effects| {
        let reports =
            [(ReportKind::Results, &effects.outcomes), (ReportKind::Notices, &effects.notices)];
        reports
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .flat_map(|(kind, lines)| {
                let towns = towns_of(lines, &town_of_line);
                row_reports(ctx, attempt, &facts.department, kind, result.0, &towns)
            })
            .collect()
    };
    let taken = ctx.store.take_result(attempt, taken, &follow, ctx.now_ms()).await?;
    note_taken(ctx, attempt, kind, taken);
    if kind == MessageKind::LateReturn {
        let (now, next) =
            (ctx.now_ms(), expect::word_on_returns(bank, attempt, &format, ctx.now_ms()));
        ctx.store.returns_told(attempt, next, now).await?;
    }
    Ok(true)
}

/// What the bank called the payments of an attempt so far, where this message needs that or adds to it; and under which
/// number it told of each first, where it may have been given them twice.
async fn known_serials(
    ctx: &Ctx,
    attempt: &Attempt,
    kind: MessageKind,
    format: &Format,
) -> Result<(HashMap<String, i64>, Option<Doubled>), FlowError> {
    if format.is_matched_by_serial(kind) || format.tells_serials(kind) {
        return Ok((ctx.store.payment_serials(attempt.no).await?, None));
    }
    let again = attempt.sends > 1 && attempt.was_lost_before();
    if !(again && format.has_rows(kind)) {
        return Ok((HashMap::new(), None));
    }
    let serials = ctx.store.payment_serials(attempt.no).await?;
    Ok((serials, Some(ctx.store.doubled(attempt.no).await?)))
}

/// How long the bank is left alone with what it has not answered for yet.
const fn until_asked_again(bank: &Bank, kind: MessageKind) -> i64 {
    match kind {
        MessageKind::Acknowledgement => bank.rules.ask_after_ms,
        _ => bank.rules.ask_every_ms,
    }
}

/// The bank tells results of what it refused, or of what two people closed: its payments may have gone
/// out under another reference meanwhile, and then they are paid twice (F31).
async fn answered_after_all(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
    let text = format!(
        "{} 对已拒绝或已关闭的 {}（流水号 {}）又送来结果：如果该批已重新组批发放，可能重复入账。结果已暂存、未入账；未另行发放的款项已冻结为在途或暂缓。请立即与银行核对，再由两人核定（daifa decide list）",
        bank.name, attempt.no, attempt.reference
    );
    freeze(ctx, bank, attempt, text).await
}

/// The bank says something else of what it refused. Where its money still lies where that left it, it is in flight
/// again, so that nothing else is done with it before two people have looked; in any case somebody is told.
///
/// # Errors
/// Where the store fails.
pub(super) async fn freeze(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    text: String,
) -> Result<(), FlowError> {
    // First of all: what was taken over from it must not go out beside it. Once more behind that: a revision that
    // was taken in meanwhile did not know yet that it may be paid.
    keep_back(ctx, attempt).await?;
    freeze_money(ctx, bank, attempt, text).await?;
    keep_back(ctx, attempt).await
}

async fn freeze_money(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    text: String,
) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    let (alert, expects) = (text.clone(), expect::when_taken_back(bank, attempt, now));
    let conclusion = Conclusion { expects, alert, ..Conclusion::of(AttemptEvent::AfterAll, None) };
    match ctx.store.conclude(attempt, &conclusion, now).await {
        Ok(()) => return Ok(()),
        Err(StoreError::Refused(why)) => {
            tracing::warn!(attempt = %attempt.no, why, "nothing is left to freeze");
        }
        Err(cause) => return Err(cause.into()),
    }
    let (kind, subject) = (AlertKind::Contradiction, attempt.no.to_string());
    ctx.store.raise_alert(kind, &subject, Some(attempt.register), &text, now).await?;
    Ok(())
}

fn note_taken(ctx: &Ctx, attempt: &Attempt, kind: MessageKind, taken: Taken) {
    match taken {
        Taken::Applied { result, outcomes, notices } => {
            ctx.tally.count(AnswerTaken::Applied);
            tracing::info!(%result, attempt = %attempt.no, outcomes, notices, "a result is applied");
        }
        Taken::Repeated => {
            // A bank that has nothing new when it is asked repeats nothing.
            if kind != MessageKind::StatusAnswer {
                ctx.tally.count(AnswerTaken::Repeated);
            }
            tracing::debug!(attempt = %attempt.no, "nothing new");
        }
    }
}

/// The towns that lines of a register belong to, each once.
fn towns_of(lines: &[i64], town_of_line: &HashMap<i64, i64>) -> Vec<i64> {
    let towns = lines.iter().filter_map(|line| town_of_line.get(line)).copied();
    let towns: BTreeSet<i64> = towns.filter(|town| *town > 0).collect();
    towns.into_iter().collect()
}

/// When to ask next about an attempt all of whose payments are answered for.
fn next_question(ctx: &Ctx, bank: &Bank, attempt: &Attempt, format: &Format) -> Option<i64> {
    let now = ctx.now_ms();
    let until = attempt.sent_at_ms.unwrap_or(attempt.made_at_ms) + bank.rules.return_window_ms;
    let asked_for = format.has(MessageKind::ReturnQuery) || format.has(MessageKind::NoticeQuery);
    (asked_for && now < until).then_some(now + bank.rules.return_every_ms)
}

/// One report per recipient whom rows of this subject concern.
pub(super) fn row_reports(
    ctx: &Ctx,
    attempt: &Attempt,
    department: &str,
    kind: ReportKind,
    subject: i64,
    towns: &[i64],
) -> Vec<NewReport> {
    recipients(department, "", towns)
        .into_iter()
        .map(|recipient| NewReport {
            report_id: report_id(ctx, attempt.register, kind, &subject.to_string(), &recipient),
            register: attempt.register,
            kind,
            recipient,
            subject,
            body: String::new(),
        })
        .collect()
}
