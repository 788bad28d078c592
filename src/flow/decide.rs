//! What two people decide: what can be decided of a thing as it stands, what that will do to the money,
//! and how it is carried out (design 4, rules 2 and 4).
//!
//! Nothing is decided that a bank can still be asked about: people are for what no bank can say.

pub mod entry;
mod rules;
mod words;

use std::collections::BTreeSet;

use crate::flow::answer::refund_reports;
use crate::flow::sealed::{seal_decision, seal_words};
use crate::flow::taking::row_reports;
use crate::flow::{Ctx, FlowError, expect};
use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptKind, AttemptState};
use crate::model::decision::{Subject, Verdict};
use crate::model::expectation::ExpectationKind;
use crate::model::id::{DecisionNo, RegisterNo, ResultNo};
use crate::model::reason::Reason;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::decide::{Case, Decision, Effect, NewDecision};
use crate::store::expect::expectation_subject;
use crate::store::quarantine::Aside;
use crate::store::reports::NewReport;
use crate::store::results::{Effects, TakenRow};

pub use self::rules::{Hope, verdicts};
pub use self::words::stands;

/// The most bytes of evidence that are kept with a decision: a scan, not a film.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a bank that is not configured any more waits for before it would be asked, in milliseconds.
const ASK_AFTER_MS: i64 = 600_000;
/// Said to finance in place of a bank's words.
const DECIDED: &str = "两人核定，非银行答复";

/// What somebody wants to be decided.
#[derive(Debug, Clone)]
pub struct Wish {
    pub subject: Subject,
    pub verdict: Verdict,
    /// Why a payment failed; of nothing else.
    pub reason: Option<Reason>,
}

/// A wish that can be decided, and what it will do.
#[derive(Debug)]
pub struct Foreseen {
    pub case: Case,
    /// In plain words, a line each: what will happen to the money.
    pub words: Vec<String>,
}

/// Everything that waits for people.
#[derive(Debug, Default)]
pub struct Undecided {
    /// Attempts that no bank can say anything about.
    pub attempts: Vec<Case>,
    /// Payments that were credited and failed.
    pub conflicts: Vec<Case>,
    /// Registers with money that was credited beyond what was approved.
    pub disputed: Vec<RegisterNo>,
    /// Answers and lines that were put aside, newest first.
    pub aside: Vec<Aside>,
    /// How many of those there are in all.
    pub aside_open: i64,
    /// Proposals that wait for a second person, each with whether its thing stands as it did.
    pub proposals: Vec<(Decision, bool)>,
}

fn refused(words: impl Into<String>) -> FlowError {
    StoreError::Refused(words.into()).into()
}

/// What may still be heard of an attempt. A bank that does not know it after its duplicate window, or had
/// it and does not know it any more, has said all it can.
///
/// # Errors
/// Where the store cannot be read.
pub async fn hope(ctx: &Ctx, attempt: &Attempt) -> Result<Hope, FlowError> {
    Silent::read(ctx).await?.hope(ctx, attempt).await
}

/// What alerts say of banks that have said all they can, or contradicted themselves, and of answers that are late.
struct Silent {
    said_all: BTreeSet<String>,
    contradicted: BTreeSet<String>,
    late: BTreeSet<String>,
}

impl Silent {
    async fn read(ctx: &Ctx) -> Result<Self, FlowError> {
        let mut said_all = BTreeSet::new();
        for kind in [AlertKind::TooLate, AlertKind::Vanished] {
            said_all.extend(ctx.store.standing_alerts(kind).await?);
        }
        let contradicted = ctx.store.standing_alerts(AlertKind::Contradiction).await?;
        let contradicted = contradicted.into_iter().collect();
        let late = ctx.store.standing_alerts(AlertKind::Overdue).await?.into_iter().collect();
        Ok(Self { said_all, contradicted, late })
    }

    async fn hope(&self, ctx: &Ctx, attempt: &Attempt) -> Result<Hope, FlowError> {
        if attempt.state == AttemptState::ByHand {
            return Ok(Hope::None);
        }
        let no = attempt.no.to_string();
        // A bank that refused what it has, or has what it refused, or does not find what it answered for, is no
        // help any more.
        let accepted = attempt.state == AttemptState::Accepted;
        if (accepted || attempt.state == AttemptState::Unknown) && self.contradicted.contains(&no) {
            return Ok(Hope::None);
        }
        let bank = ctx.banks.get(&attempt.bank).filter(|_| !self.said_all.contains(&no));
        let Some(bank) = bank else { return Ok(Hope::None) };
        let format = ctx.format_of(bank, &attempt.format_digest).await?;
        if format.is_some_and(|format| bank.rules.answers.can_ask(attempt, &format)) {
            return Ok(Hope::Question);
        }
        let kind = match attempt.kind {
            AttemptKind::Payment => ExpectationKind::Result,
            AttemptKind::Refund => ExpectationKind::RefundAnswer,
        };
        let late = self.late.contains(&expectation_subject(attempt.no, kind));
        Ok(if accepted && !late { Hope::Answer } else { Hope::None })
    }
}

/// The same of whatever a decision would be about.
async fn hope_of(ctx: &Ctx, case: &Case) -> Result<Hope, FlowError> {
    match &case.attempt {
        Some(attempt) => hope(ctx, attempt).await,
        None => Ok(Hope::None),
    }
}

/// What a wish would do, where it can be decided at all. Nothing changes.
///
/// # Errors
/// [`StoreError::Refused`] in plain words where it cannot.
pub async fn foresee(ctx: &Ctx, wish: &Wish) -> Result<Foreseen, FlowError> {
    let found = ctx.store.case(wish.subject).await?;
    let case = found.ok_or_else(|| refused(words::nothing(wish.subject)))?;
    let hope = hope_of(ctx, &case).await?;
    rules::check(&case, wish.verdict, wish.reason, hope).map_err(refused)?;
    let words = words::foretell(&case, wish.verdict);
    Ok(Foreseen { case, words })
}

/// Proposes what was foreseen, with evidence.
///
/// # Errors
/// [`StoreError::Refused`] in plain words where it moved on meanwhile, is proposed already, or the
/// evidence is none or too long.
pub async fn propose(
    ctx: &Ctx,
    wish: &Wish,
    foreseen: &Foreseen,
    evidence: &[u8],
    by: &str,
) -> Result<DecisionNo, FlowError> {
    if evidence.trim_ascii().is_empty() {
        return Err(refused(
            "nobody decides without evidence: say what was seen or heard, and from whom",
        ));
    }
    if evidence.len() > EVIDENCE_BYTES_MAX {
        let max = EVIDENCE_BYTES_MAX;
        return Err(refused(format!(
            "the evidence has {} bytes; the most is {max}",
            evidence.len()
        )));
    }
    let now_ms = ctx.now_ms();
    let Wish { subject, verdict, reason } = *wish;
    let new = NewDecision {
        subject,
        verdict,
        reason,
        case: &foreseen.case,
        evidence: seal_decision(&ctx.sealer, subject, verdict, by, now_ms, evidence),
        by,
    };
    Ok(ctx.store.propose(new, now_ms).await?)
}

/// A decision, with what it will do where that can still be said.
///
/// # Errors
/// [`StoreError::Refused`] where there is no such decision.
pub async fn look(ctx: &Ctx, no: DecisionNo) -> Result<(Decision, Vec<String>), FlowError> {
    let found = ctx.store.decision(no).await?;
    let decision = found.ok_or_else(|| refused(format!("there is no decision {no}")))?;
    let case = ctx.store.case(decision.subject).await?;
    let words = match case {
        Some(case) if case.standing == decision.standing => {
            words::foretell(&case, decision.verdict)
        }
        _ => vec![format!("{} is not as it was when {no} was proposed", decision.subject)],
    };
    Ok((decision, words))
}

/// Confirms a proposal, as another person than its proposer, and carries it out.
///
/// # Errors
/// [`StoreError::Refused`] in plain words where it cannot be confirmed by `by`, or not any more.
pub async fn confirm(ctx: &Ctx, no: DecisionNo, by: &str) -> Result<(), FlowError> {
    let (decision, _) = look(ctx, no).await?;
    let found = ctx.store.case(decision.subject).await?;
    let case = found.ok_or_else(|| refused(words::nothing(decision.subject)))?;
    let now_ms = ctx.now_ms();
    // One that moved on is told by the store, in one transaction with everything else.
    if case.standing == decision.standing {
        let hope = hope_of(ctx, &case).await?;
        rules::check(&case, decision.verdict, decision.reason, hope).map_err(refused)?;
    }
    match (decision.verdict.event(), &case.attempt) {
        (Some(event), Some(attempt)) => {
            let conclusion = conclusion(ctx, &decision, attempt, event).await?;
            ctx.store.confirm(no, by, Effect::Conclude(conclusion), now_ms).await?;
        }
        (None, Some(attempt)) if decision.verdict != Verdict::Dismissed => {
            let facts = ctx.store.register_facts(attempt.register).await?;
            let towns: BTreeSet<i64> =
                case.payments.iter().map(|one| one.town).filter(|town| *town > 0).collect();
            let towns: Vec<i64> = towns.into_iter().collect();
            let follow = |result: ResultNo, _: &Effects| -> Vec<NewReport> {
                let kind = ReportKind::Results;
                row_reports(ctx, attempt, &facts.department, kind, result.0, &towns)
            };
            let rows = rows(ctx, &decision, &case, attempt);
            ctx.store.confirm(no, by, Effect::Say(rows, &follow), now_ms).await?;
        }
        _ => ctx.store.confirm(no, by, Effect::Dismiss, now_ms).await?,
    }
    Ok(())
}

/// What is said of each payment.
fn rows(ctx: &Ctx, decision: &Decision, case: &Case, attempt: &Attempt) -> Vec<TakenRow> {
    let row = |payment: &crate::store::decide::CasePayment| {
        let kind = decision.verdict.outcome(rules::is_contradiction(payment));
        let failed = kind.is_some_and(|kind| !kind.is_credit());
        TakenRow {
            line: payment.line,
            amount: payment.amount,
            kind,
            reason: decision.reason.filter(|_| failed),
            code: if failed { decision.no.to_string() } else { String::new() },
            words: seal_words(
                &ctx.sealer,
                attempt.no,
                payment.line,
                if failed { DECIDED } else { "" },
            ),
            notice: None,
        }
    };
    case.payments.iter().map(row).collect()
}

/// What becomes of an attempt by a decision.
async fn conclusion(
    ctx: &Ctx,
    decision: &Decision,
    attempt: &Attempt,
    event: AttemptEvent,
) -> Result<Conclusion, FlowError> {
    let now_ms = ctx.now_ms();
    let bank = ctx.banks.get(&attempt.bank);
    let next_at_ms = match event {
        AttemptEvent::DecidedReceived => {
            Some(now_ms + bank.map_or(ASK_AFTER_MS, |bank| bank.rules.ask_after_ms))
        }
        AttemptEvent::DecidedNotReceived => Some(now_ms),
        _ => None,
    };
    let mut conclusion = Conclusion::of(event, next_at_ms);
    if attempt.state == AttemptState::Refused {
        let owed = bank.map(|bank| expect::when_taken_back(bank, attempt, now_ms));
        conclusion.expects = owed.unwrap_or_default();
    }
    let name = bank.map_or(attempt.bank.as_str(), |bank| bank.name.as_str());
    let no = decision.no;
    conclusion.alert = match (attempt.batch, attempt.refund) {
        (Some(batch), _) if event == AttemptEvent::DecidedReceived => format!(
            "{name} 此前拒绝批次 {batch}，两人核定（{no}）该行已收到：款项转为在途，不会重发。等该行的结果；没有结果的，请两人逐笔或整批核定（daifa decide propose {batch} credited）"
        ),
        (Some(batch), _) => format!(
            "两人核定（{no}）：{name}没有发放也不会发放批次 {batch}，款项已退回待发送；请由操作员执行 daifa batch recut {batch} 重新组批"
        ),
        (None, Some(refund)) if attempt.state == AttemptState::ByHand => {
            format!("两人核定（{no}）：退款 {refund} 没有由人工退回，系统稍后会重新提醒办理")
        }
        (None, Some(refund)) => {
            format!("两人核定（{no}）：{name}没有办理退款 {refund}，系统稍后会重新申请退回")
        }
        (None, None) => String::new(),
    };
    if let (AttemptEvent::DecidedReceived, Some(refund)) = (event, attempt.refund) {
        conclusion.refund_done = true;
        conclusion.next_at_ms = None;
        conclusion.reports = refund_reports(ctx, attempt, refund).await?;
    }
    Ok(conclusion)
}

/// Everything that waits for people, at most `limit` of each.
///
/// # Errors
/// Where the store cannot be read.
pub async fn undecided(ctx: &Ctx, limit: i64) -> Result<Undecided, FlowError> {
    let waiting = ctx.store.waiting_for_people(limit).await?;
    let mut out = Undecided { disputed: waiting.disputed, ..Undecided::default() };
    let silent = Silent::read(ctx).await?;
    let most = usize::try_from(limit).unwrap_or_default();
    for attempt in &waiting.attempts {
        let stopped = attempt.state == AttemptState::Stopped;
        let people = stopped || silent.hope(ctx, attempt).await? == Hope::None;
        if people && out.attempts.len() < most {
            out.attempts.extend(ctx.store.case(Subject::Attempt(attempt.no)).await?);
        }
    }
    for conflict in &waiting.conflicts {
        out.conflicts.extend(ctx.store.case(Subject::Payment(conflict.payment)).await?);
    }
    for decision in waiting.proposals {
        let case = ctx.store.case(decision.subject).await?;
        let stands = case.is_some_and(|case| case.standing == decision.standing);
        out.proposals.push((decision, stands));
    }
    let page = ctx.store.quarantine_page(None, false, limit).await?;
    (out.aside, out.aside_open) = (page.items, page.open);
    Ok(out)
}
