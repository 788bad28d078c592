//! Answer: acts on what a bank said about a whole attempt - accepted, refused, not found - whether it
//! said so at once, when asked, or in a file (design 4, rules 2 and 3).

use bytes::Bytes;

use crate::clock::local_text;
use crate::flow::beside::{Gathered, Taken, gather};
use crate::flow::doubt::{TOLD_TWICE, contradicts, counts_for_nothing};
use crate::flow::held::{hold_weighing, joined};
use crate::flow::matching::{ANOTHER, note_reference, unknown_code};
use crate::flow::sealed::seal_words;
use crate::flow::spoken::data_error;
use crate::flow::taking::{row_reports, take_rows};
use crate::flow::waits::{Bearing, Told};
use crate::flow::{Bank, Ctx, FlowError, expect, opening, time};
use crate::format::{DataError, Format, Item, Key, MessageKind, Part, Record};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::{Answer, AttemptEvent, AttemptKind, AttemptState, Heard};
use crate::model::id::RefundNo;
use crate::model::money::Fen;
use crate::model::outcome::OutcomeKind;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, BankWords, Conclusion};
use crate::store::reports::NewReport;
use crate::store::results::can_have_results;

const TOO_EARLY: &str = "按银行流水匹配的明细，而银行此前没有告知流水";
const NO_FORMAT: &str = "发送时所用的格式已无法读取";

/// What a bank said about an attempt as a whole.
pub struct WholeAnswer {
    pub kind: MessageKind,
    pub answer: Answer,
    pub code: String,
    pub text: String,
    /// What the bank calls the attempt: several numbers where it splits it.
    pub bank_references: Vec<String>,
    /// Payments that it says something about.
    pub rows: usize,
    /// Those of them of which it says that they were paid.
    pub paid: usize,
    /// The sum that it states of the whole.
    pub sum: Option<Fen>,
    pub parts: Vec<Part>,
}

/// Reads what an answer that was said on a line says about the whole, with the files that it names: these
/// are put away once it was acted on.
///
/// # Errors
/// Outer: where the store fails. Inner: why it cannot be read, or not yet.
pub(super) async fn read_answer<'b>(
    ctx: &Ctx,
    bank: &'b Bank,
    attempt: &Attempt,
    kind: MessageKind,
    bytes: &Bytes,
) -> Result<Result<(WholeAnswer, Taken<'b>), String>, FlowError> {
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        return Ok(Err(NO_FORMAT.to_owned()));
    };
    let (parts, beside) = match gather(ctx, bank, &format, kind, bytes).await? {
        Gathered::Whole(parts, beside) => (parts, beside),
        Gathered::NotYet(name) => return Ok(Err(format!("报文所指的文件 {name} 还没有送齐"))),
        Gathered::Unreadable(why) => return Ok(Err(why)),
    };
    Ok(read_parts(ctx, bank, attempt, kind, parts).await?.map(|answer| (answer, beside)))
}

/// Reads what an answer says about the whole.
///
/// # Errors
/// Outer: where the store fails. Inner: why it cannot be read.
pub async fn read_parts(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kind: MessageKind,
    parts: Vec<Part>,
) -> Result<Result<WholeAnswer, String>, FlowError> {
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        return Ok(Err(NO_FORMAT.to_owned()));
    };
    let unread = |fault: &DataError| {
        tracing::warn!(attempt = %attempt.no, %fault, "an answer cannot be read");
        data_error(fault)
    };
    let item = || {
        let place = format!("{kind} {}", attempt.reference);
        opening::Item::new(&[&bank.code, &place], sha256(&joined(&parts)))
    };
    let read = match ctx.opening.open(item, || whole(&format, kind, &parts)) {
        Ok(read) => read,
        Err(why) => return Ok(Err(why.chinese().to_owned())),
    };
    let Whole { head, bank_references, rows, paid } = match read {
        Ok(Ok(whole)) => whole,
        Ok(Err(why)) => return Ok(Err(why)),
        Err(fault) => return Ok(Err(unread(&fault))),
    };
    if head.text(Key::Reference).is_some_and(|reference| reference != attempt.reference) {
        return Ok(Err(ANOTHER.to_owned()));
    }
    let code = head.text(Key::Code).unwrap_or_default().to_owned();
    let Some(answer) = format.answer(kind, &code) else {
        return Ok(Err(unknown_code("代码", &code)));
    };
    let text = head.text(Key::Text).unwrap_or_default().to_owned();
    let sum = head.amount(Key::Sum);
    Ok(Ok(WholeAnswer { kind, answer, code, text, bank_references, rows, paid, sum, parts }))
}

/// For so long what two people found about an attempt is taken for true, in milliseconds.
const DECISION_HOLDS_MS: i64 = 24 * 3_600_000;

/// What a message says of the whole, of how many payments it says more, and of how many that they were paid.
struct Whole {
    head: Record,
    bank_references: Vec<String>,
    rows: usize,
    paid: usize,
}

/// Reads a message to its end.
///
/// Outer: it cannot be read. Inner, in Chinese: what it says cannot be.
fn whole(
    format: &Format,
    kind: MessageKind,
    parts: &[Part],
) -> Result<Result<Whole, String>, DataError> {
    let (mut head, mut bank_references, mut rows, mut paid) = (Record::new(), Vec::new(), 0, 0);
    let mut reading = format.read(kind, parts)?;
    while let Some(item) = reading.next()? {
        if let Err(why) = note_reference(&item, &mut bank_references) {
            return Ok(Err(why));
        }
        match item {
            Item::Head(record) | Item::Tail(record) => head.fill_from(record),
            Item::Row(row) => {
                rows += 1;
                let code = row.text(Key::Code).unwrap_or_default();
                let outcome = format.row_meaning(kind, code).and_then(|meaning| meaning.outcome);
                let was_paid = [OutcomeKind::Credited, OutcomeKind::Returned];
                paid += usize::from(outcome.is_some_and(|outcome| was_paid.contains(&outcome)));
            }
            Item::BadRow(_) => rows += 1,
        }
    }
    Ok(Ok(Whole { head, bank_references, rows, paid }))
}

/// Acts on what a bank said about a whole attempt (design 4, rules 2 and 3).
///
/// # Errors
/// Where the store fails; [`FlowError::Early`] where its rows can be understood only after another answer.
pub async fn acted_on(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    said: &WholeAnswer,
    told: Told,
) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    let again = Some(now + bank.rules.ask_every_ms);
    let words = words(ctx, attempt, said);
    let refund = attempt.refund;
    if attempt.state == AttemptState::Stopped {
        tracing::warn!(attempt = %attempt.no, bank = bank.code, "what is said under a reference with other content is not taken");
        return Ok(());
    }
    if attempt.state == AttemptState::Refused && said.answer == Answer::Refused && said.paid == 0 {
        tracing::debug!(attempt = %attempt.no, "the bank repeats its refusal");
        return Ok(());
    }
    if let Some(why) = counts_for_nothing(ctx, attempt, said, told).await? {
        return contradicts(ctx, bank, attempt, said, why).await;
    }
    if accepted_in_part(ctx, bank, attempt, said, told).await? {
        return Ok(());
    }
    let mut conclusion = match said.answer {
        Answer::Accepted | Answer::Processing | Answer::Duplicate => {
            Conclusion::of(AttemptEvent::Accepted, again)
        }
        Answer::Done if refund.is_none() => {
            if said.kind == MessageKind::StatusAnswer {
                let name = format!("{} {}", said.kind, attempt.reference);
                let taken = take_rows(ctx, bank, attempt, said.kind, &name, &said.parts).await;
                if let Err(FlowError::Early { .. }) = taken {
                    has_it(ctx, bank, attempt, words).await?;
                }
                return taken.map(drop);
            }
            Conclusion::of(AttemptEvent::Accepted, again)
        }
        Answer::Done => {
            Conclusion { refund_done: true, ..Conclusion::of(AttemptEvent::Accepted, None) }
        }
        Answer::Refused => Conclusion::of(AttemptEvent::Refused, None),
        Answer::OtherContent => Conclusion::of(AttemptEvent::OtherContent, None),
        Answer::NotFound => return not_found(ctx, bank, attempt, said, words, told).await,
    };
    ctx.waits.end(attempt.no);
    if attempt.state == AttemptState::Accepted
        && conclusion.event == AttemptEvent::Accepted
        && !conclusion.refund_done
    {
        let references = &said.bank_references;
        ctx.store.keep_bank_references(attempt, references, now).await?;
        // A "not found" that was on its way before the bank had looked is over now.
        ctx.store.clear_alert(AlertKind::Vanished, &attempt.no.to_string(), now).await?;
        ctx.store.acknowledged(attempt, now).await?;
        return Ok(ctx.store.asked(attempt, again, Heard::Same, now).await?);
    }
    if conclusion.event == AttemptEvent::Accepted && !conclusion.refund_done {
        conclusion.next_at_ms = Some(now + bank.rules.ask_after_ms);
    }
    if let (true, Some(refund)) = (conclusion.refund_done, refund) {
        conclusion.reports = refund_reports(ctx, attempt, refund).await?;
    }
    conclusion.alert = match conclusion.event {
        AttemptEvent::OtherContent => other_content(bank, attempt, "内容却与本系统要发的不同"),
        _ => refusal(bank, attempt, said),
    };
    conclusion.words = words;
    conclusion.expects = expect::when_sent(bank, attempt, now);
    conclusion.asked = said.kind == MessageKind::StatusAnswer
        || said.kind == MessageKind::RefundAnswer && attempt.state == AttemptState::Unknown;
    match ctx.store.conclude(attempt, &conclusion, now).await {
        Ok(()) => Ok(()),
        Err(StoreError::Refused(why)) => contradicts(ctx, bank, attempt, said, &why).await,
        Err(cause) => Err(cause.into()),
    }
}

/// What became of the payments waits for the answer before; that the bank has them is said all the same. The
/// answer itself stays where it is.
async fn has_it(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    words: BankWords,
) -> Result<(), FlowError> {
    if attempt.state == AttemptState::Accepted {
        return Ok(());
    }
    let now = ctx.now_ms();
    let next = Some(now + bank.rules.ask_every_ms);
    let expects = expect::when_sent(bank, attempt, now);
    let accepted = Conclusion::of(AttemptEvent::Accepted, next);
    let conclusion = Conclusion { words, expects, asked: true, ..accepted };
    ctx.store.conclude(attempt, &conclusion, now).await?;
    ctx.waits.end(attempt.no);
    Ok(())
}

/// What is kept of what the bank said.
fn words(ctx: &Ctx, attempt: &Attempt, said: &WholeAnswer) -> BankWords {
    BankWords {
        code: said.code.clone(),
        text: seal_words(&ctx.sealer, attempt.no, 0, &said.text),
        // What it does not find it has no number for: that would be one of the question.
        bank_references: match said.answer {
            Answer::NotFound => Vec::new(),
            _ => said.bank_references.clone(),
        },
    }
}

/// An acknowledgement may name payments: those that the bank refuses or credits at once are failed or credited,
/// and told at once; the others are under way, and with them the attempt is accepted in the same transaction. One whose
/// rows cannot be taken is kept, and counts by what it says of the whole.
async fn accepted_in_part(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    said: &WholeAnswer,
    told: Told,
) -> Result<bool, FlowError> {
    // "Done" with what became of each payment is a result, whatever message brings it.
    let taken_in = matches!(
        said.answer,
        Answer::Accepted | Answer::Processing | Answer::Duplicate | Answer::Done
    );
    let names = said.kind == MessageKind::Acknowledgement && said.rows > 0;
    // Of what was refused or closed nothing is taken: the whole of it contradicts, and is kept.
    if !taken_in || !names || attempt.refund.is_some() || !can_have_results(attempt.state) {
        return Ok(false);
    }
    let name = format!("{} {}", said.kind, attempt.reference);
    let taken = take_rows(ctx, bank, attempt, said.kind, &name, &said.parts).await;
    let taken = match (taken, told) {
        // It comes once, and is not read again once the answer before it is there: it is kept for people.
        (Err(FlowError::Early { .. }), Told::AtOnce | Told::OnSession) => {
            hold_weighing(ctx, bank, attempt, &name, &joined(&said.parts), TOO_EARLY).await?;
            false
        }
        (Err(early @ FlowError::Early { .. }), _) => {
            has_it(ctx, bank, attempt, words(ctx, attempt, said)).await?;
            return Err(early);
        }
        (taken, _) => taken?,
    };
    if taken {
        ctx.waits.end(attempt.no);
    }
    Ok(taken)
}

/// "Not found" counts only where it was asked after the visibility delay; else it is no answer (I2, F31). That
/// delay is measured on the machine's running time: setting the clock does not shorten it (I16).
async fn not_found(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    said: &WholeAnswer,
    words: BankWords,
    told: Told,
) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    let delay = bank.rules.visibility_delay_ms;
    let digest = sha256(&joined(&said.parts));
    let (unknown, in_file) = (attempt.state == AttemptState::Unknown, told == Told::InFile);
    let before =
        if unknown && in_file { ctx.store.was_not_found(attempt.no, &digest).await? } else { None };
    let bearing = match before {
        // Nobody knows to which question it is the answer; people may look.
        Some(_) => return contradicts(ctx, bank, attempt, said, TOLD_TWICE).await,
        None if unknown => ctx.waits.bearing(attempt, told, delay),
        None => Bearing::None,
    };
    if bearing == Bearing::Present {
        if too_late(ctx, bank, attempt).await? {
            let next = Some(now + bank.rules.return_every_ms);
            return Ok(ctx.store.asked(attempt, next, Heard::TooLate, now).await?);
        }
        tracing::warn!(attempt = %attempt.no, bank = bank.code, "the bank does not know it; the same bytes will go again");
        let conclusion = Conclusion {
            words,
            asked: true,
            not_found: in_file.then_some(digest),
            ..Conclusion::of(AttemptEvent::NotFound, Some(now))
        };
        return match ctx.store.conclude(attempt, &conclusion, now).await {
            Ok(()) => Ok(()),
            Err(StoreError::Refused(why)) => contradicts(ctx, bank, attempt, said, &why).await,
            Err(cause) => Err(cause.into()),
        };
    }
    if bearing == Bearing::Earlier && in_file {
        ctx.store.not_found_earlier(attempt, &digest, now).await?;
    }
    let windowed = bank.rules.duplicate_window_ms > 0;
    if bearing == Bearing::Earlier && windowed && too_late(ctx, bank, attempt).await? {
        // However it goes on, nothing goes again: people need not wait for the answer that would count.
        let next = Some(now + bank.rules.return_every_ms);
        return Ok(ctx.store.asked(attempt, next, Heard::TooLate, now).await?);
    }
    let visible_at = attempt.sent_at_ms.unwrap_or(attempt.made_at_ms).saturating_add(delay);
    if attempt.state == AttemptState::Accepted && now >= visible_at {
        let text = format!(
            "{} 已受理 {}（流水号 {}），现又答复“查无此笔”；系统不会重发，请与银行核对",
            bank.name, attempt.no, attempt.reference
        );
        ctx.store
            .raise_alert(
                AlertKind::Vanished,
                &attempt.no.to_string(),
                Some(attempt.register),
                &text,
                now,
            )
            .await?;
    }
    let next = Some(now + bank.rules.ask_every_ms);
    Ok(ctx.store.asked(attempt, next, Heard::NotYet, now).await?)
}

/// May it have arrived so long ago that the bank would not recognise a second one as the same? Then
/// nothing goes again by itself, and somebody is told (design 4.2). A clock that was set makes the
/// window shorter, never longer. What two people found holds for a day where the bank has no such window: it is they
/// who say that it goes again, but what they saw is not true for ever.
///
/// # Errors
/// Where the store fails.
pub async fn too_late(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<bool, FlowError> {
    let Some(lost_at_ms) = attempt.lost_at_ms else { return Ok(false) };
    let passed = time::bounds(ctx).await?.latest_ms - lost_at_ms;
    let window = bank.rules.duplicate_window_ms;
    let decided = window == 0 && ctx.store.was_decided_at(attempt.no, lost_at_ms).await?;
    if (0..if decided { DECISION_HOLDS_MS } else { window }).contains(&passed) {
        return Ok(false);
    }
    let (since, name) = (local_text(lost_at_ms), &bank.name);
    let what = if decided {
        format!("两人核定 {name} 没有收到（{since}），此后未能发出")
    } else if window == 0 {
        format!("{name} 答复“查无此笔”（首次可能送达在 {since}），该行不识别重复报文")
    } else {
        format!("{name} 答复“查无此笔”，但首次可能送达在 {since}，已超过该行识别重复报文的期限")
    };
    let text = format!(
        "{}（流水号 {}）：{what}，再发可能重复入账，系统不再自动重发。请两人与银行核对台账：银行有此笔的，请银行补发结果；确认没有的，由两人复核后处理（daifa decide list）",
        attempt.no, attempt.reference
    );
    let (subject, register) = (attempt.no.to_string(), Some(attempt.register));
    ctx.store.raise_alert(AlertKind::TooLate, &subject, register, &text, ctx.now_ms()).await?;
    Ok(true)
}

/// What people are told where a bank knows more under our reference than this database sent.
pub fn other_content(bank: &Bank, attempt: &Attempt, how: &str) -> String {
    let what = carried(attempt);
    format!(
        "{} 已有我方流水号 {}（{what}），{how}：本系统的数据库可能比实际发出的旧（例如用旧备份恢复）。切勿重新组批，否则可能重复发放。已停止向该行发送；请与该行逐批核对，核对无误后由操作员执行 daifa bank resume {}",
        bank.name, attempt.reference, bank.code
    )
}

fn carried(attempt: &Attempt) -> String {
    match (attempt.batch, attempt.refund) {
        (Some(batch), _) => format!("批次 {batch}"),
        (_, Some(refund)) => format!("退款 {refund}"),
        _ => attempt.no.to_string(),
    }
}

fn refusal(bank: &Bank, attempt: &Attempt, said: &WholeAnswer) -> String {
    let what = carried(attempt);
    let next = match attempt.kind {
        AttemptKind::Payment => {
            "款项已退回待发送；查明原因后由操作员重新组批。银行若称流水号已经用过，切勿重新组批，先与银行核对"
        }
        AttemptKind::Refund => "系统稍后会重新申请退回",
    };
    // What the bank said beside its code may name people: it stays sealed, and the page of the batch opens it masked.
    format!("{} 拒绝受理{what}，返回码 [{}]。{next}", bank.name, said.code)
}

pub(super) async fn refund_reports(
    ctx: &Ctx,
    attempt: &Attempt,
    refund: RefundNo,
) -> Result<Vec<NewReport>, FlowError> {
    let facts = ctx.store.register_facts(attempt.register).await?;
    let (_, rows) = ctx.store.refund_rows(refund).await?;
    let towns: std::collections::BTreeSet<i64> =
        rows.iter().map(|(_, town, _, _)| *town).filter(|town| *town > 0).collect();
    let towns: Vec<i64> = towns.into_iter().collect();
    Ok(row_reports(ctx, attempt, &facts.department, ReportKind::Refund, refund.0, &towns))
}
