//! Expect: what a bank owes, and by when; whoever is late is told of (design 3). Nothing waits silently.
//!
//! A format says what a bank's messages mean; what is agreed on beside it - how answers come, how the
//! bank is asked, when silence becomes an alert - is here.

use crate::clock::local_text;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Format, Key, MessageKind};
use crate::model::attempt::{AttemptKind, AttemptState};
use crate::model::expectation::{ExpectationKind, Expected};
use crate::model::profile::{AskBy, NoticeSource, ResultsCome};
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::expect::Late;

/// Late answers that are told of in one look.
const PER_LOOK: i64 = 100;

/// How a bank answers. All times in milliseconds; nothing means that no such answer is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Nothing where that is not known.
    pub results: Option<ResultsCome>,
    pub ask: AskBy,
    pub notices: NoticeSource,
    /// After sending: the bank's word that it has the file.
    pub acknowledged_within_ms: Option<i64>,
    /// After sending: an answer for every payment.
    pub result_within_ms: i64,
    /// After the last result: what became of the SMS of every credit.
    pub notice_within_ms: Option<i64>,
    /// For how long questions about late returns may stay unanswered.
    pub return_within_ms: Option<i64>,
    /// After sending: that the money of a refund went back.
    pub refund_within_ms: i64,
}

impl Answers {
    /// What follows from a bank's messages, and from whether its door brings `files`, where nothing else
    /// was agreed on.
    pub fn of(format: &Format, files: bool) -> Self {
        use MessageKind as M;
        const HOUR_MS: i64 = 3_600_000;
        let by_file = |kind| files && !format.patterns(kind).is_empty();
        let asked = |question, answer| format.has(question) && format.has(answer);
        let status = asked(M::StatusQuery, M::StatusAnswer);
        let results = if by_file(M::Result) {
            Some(ResultsCome::File)
        } else if status && format.has_rows(M::StatusAnswer) {
            Some(ResultsCome::Query)
        } else if format.has_rows(M::Acknowledgement) {
            Some(ResultsCome::Inline)
        } else {
            None
        };
        let told = [M::Result, M::StatusAnswer, M::Acknowledgement]
            .into_iter()
            .any(|kind| format.asks_for(kind, Key::NoticeCode));
        let notices = if asked(M::NoticeQuery, M::Notice) {
            NoticeSource::Query
        } else if by_file(M::Notice) {
            NoticeSource::File
        } else if told {
            NoticeSource::Result
        } else {
            NoticeSource::None
        };
        Self {
            results,
            ask: match (status, format.asks_for(M::StatusQuery, Key::Reference)) {
                (false, _) => AskBy::None,
                (true, true) => AskBy::Reference,
                (true, false) => AskBy::Batch,
            },
            notices,
            acknowledged_within_ms: None,
            result_within_ms: 4 * HOUR_MS,
            notice_within_ms: (notices != NoticeSource::None).then_some(72 * HOUR_MS),
            return_within_ms: format.has(M::ReturnQuery).then_some(24 * HOUR_MS),
            refund_within_ms: 24 * HOUR_MS,
        }
    }

    /// Can the bank be asked what became of this attempt?
    pub fn can_ask(&self, attempt: &Attempt, format: &Format) -> bool {
        if attempt.kind == AttemptKind::Refund {
            return format.has(MessageKind::RefundQuery);
        }
        format.has(MessageKind::StatusQuery)
            && match self.ask {
                AskBy::Reference => true,
                AskBy::Batch => !attempt.bank_reference.is_empty(),
                AskBy::DayFile | AskBy::None => false,
            }
    }
}

/// What the bank owes once an attempt may have left.
pub fn when_sent(bank: &Bank, attempt: &Attempt, now_ms: i64) -> Vec<Expected> {
    let answers = &bank.rules.answers;
    let due = |kind, within_ms: i64| Expected { kind, due_at_ms: now_ms + within_ms };
    if attempt.kind == AttemptKind::Refund {
        return vec![due(ExpectationKind::RefundAnswer, answers.refund_within_ms)];
    }
    let receipt =
        answers.acknowledged_within_ms.map(|within| due(ExpectationKind::Acknowledgement, within));
    let result = due(ExpectationKind::Result, answers.result_within_ms);
    receipt.into_iter().chain([result]).collect()
}

/// What the bank owes of what it refused and may have done after all: it has acknowledged that, in its way.
pub fn when_taken_back(bank: &Bank, attempt: &Attempt, now_ms: i64) -> Vec<Expected> {
    let mut owed = when_sent(bank, attempt, now_ms);
    owed.retain(|expected| expected.kind != ExpectationKind::Acknowledgement);
    owed
}

/// What the bank owes once results of an attempt came: all of them, where some are missing; word of
/// the SMS and of returns, where none is.
pub fn when_answered(
    bank: &Bank,
    attempt: &Attempt,
    format: &Format,
    now_ms: i64,
) -> Vec<Expected> {
    let answers = &bank.rules.answers;
    let due = |kind, within_ms: i64| Expected { kind, due_at_ms: now_ms + within_ms };
    let result = due(ExpectationKind::Result, answers.result_within_ms);
    let notice = answers.notice_within_ms.map(|within| due(ExpectationKind::Notice, within));
    let returns = word_on_returns(bank, attempt, format, now_ms);
    [Some(result), notice, returns].into_iter().flatten().collect()
}

/// When the next word about late returns is due; nothing where none is asked for, or none may come any
/// more.
pub fn word_on_returns(
    bank: &Bank,
    attempt: &Attempt,
    format: &Format,
    now_ms: i64,
) -> Option<Expected> {
    let over = attempt.sent_at_ms.unwrap_or(attempt.made_at_ms) + bank.rules.return_window_ms;
    let within = bank.rules.answers.return_within_ms?;
    let asked = format.has(MessageKind::ReturnQuery) && now_ms < over;
    let (kind, due_at_ms) = (ExpectationKind::Return, now_ms + within);
    asked.then_some(Expected { kind, due_at_ms })
}

/// Tells of every answer that did not come in time.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    for late in ctx.store.late_answers(now, PER_LOOK).await? {
        tracing::warn!(attempt = %late.attempt, bank = late.bank, expected = %late.kind, "an answer is late");
        match ctx.store.overdue(&late, &words(ctx.banks.get(&late.bank), &late), now).await {
            // It came just now.
            Err(StoreError::Moved { .. }) => {}
            done => done?,
        }
    }
    Ok(())
}

/// What people are told: which bank, which batch, what to do.
fn words(bank: Option<&Bank>, late: &Late) -> String {
    let name = bank.map_or(late.bank.as_str(), |bank| bank.name.as_str());
    let what = match (late.batch, late.refund) {
        (Some(batch), _) => format!("批次 {batch}（流水号 {}）", late.reference),
        (_, Some(refund)) => format!("退款 {refund}（流水号 {}）", late.reference),
        _ => format!("{}（流水号 {}）", late.attempt, late.reference),
    };
    let (since, due) = (local_text(late.opened_at_ms), local_text(late.due_at_ms));
    match late.kind {
        ExpectationKind::Acknowledgement => format!(
            "{name} 没有在 {due} 之前对{what}给出受理回执。请向该行核实是否收到：已收到的，请其补发回执；没有收到的，请检查文件通道。系统不会因此重发"
        ),
        ExpectationKind::Result => format!(
            "{name} 到 {due} 还没有答复齐{what}，尚有 {} 笔没有结果。{}。查明之前这些款项仍算在途，系统不会重发",
            late.pending,
            remedy(bank, late)
        ),
        ExpectationKind::Notice => format!(
            "{what}有 {} 笔已入账，到 {due} 还没有短信通知的结果。请联系{name}补报短信状态；入账不受影响",
            late.untold
        ),
        ExpectationKind::Return => format!(
            "{name} 从 {since} 起没有答复{what}的退票查询，这期间有没有退票本系统不知道。请联系该行恢复查询，或请其提供退票清单"
        ),
        ExpectationKind::RefundAnswer => format!(
            "{name} 到 {due} 还没有答复{what}是否已经退回。请与该行核对；得到答复之前系统不会重新申请退回"
        ),
    }
}

/// What to do about results that do not come.
fn remedy(bank: Option<&Bank>, late: &Late) -> &'static str {
    let Some(bank) = bank else { return "请恢复该行的配置" };
    let answers = &bank.rules.answers;
    let asked = matches!(answers.ask, AskBy::Reference | AskBy::Batch);
    if late.state == AttemptState::Unknown && !asked {
        return "该行无法查询，请两人与银行核对这一批是否收到、办到哪一步";
    }
    match answers.results {
        Some(ResultsCome::File) => {
            "请联系该行送出回盘文件；已经送来而没有被采用的，请核对文件是否完整"
        }
        Some(ResultsCome::Push) => "请联系该行重新推送结果，并检查推送通道",
        Some(ResultsCome::Query | ResultsCome::Inline) | None => "请联系该行查明这一批办到哪一步",
    }
}
