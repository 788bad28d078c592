//! Asking: the questions that are due about an attempt, and what their answers lead to.

use bytes::Bytes;

use crate::flow::answer::{acted_on, read_parts};
use crate::flow::beside::{Gathered, gather};
use crate::flow::checks::broke_down;
use crate::flow::held::{hold, joined};
use crate::flow::opening::Item;
use crate::flow::submit::found_there;
use crate::flow::taking::take_rows;
use crate::flow::values::HeadValues;
use crate::flow::waits::Told;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Format, Key, MessageKind};
use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptKind, AttemptState, Heard};
use crate::model::profile::AskBy;
use crate::store::attempts::Attempt;
use crate::store::facts::RegisterFacts;
use crate::transport::{Asked, OutPart};

/// Asks about one attempt what is due to be asked.
pub(super) async fn ask(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
    if found_there(ctx, bank, attempt).await? {
        return Ok(());
    }
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        let now = ctx.now_ms();
        let next = Some(now + bank.rules.return_every_ms);
        return Ok(ctx.store.asked(attempt, next, Heard::Silence, now).await?);
    };
    let (kinds, every) = questions(bank, attempt, ctx.now_ms(), &format);
    if kinds.is_empty() {
        return nothing_to_ask(ctx, bank, attempt).await;
    }
    if let Some(wait_ms) = too_early(ctx, bank, attempt, &kinds) {
        return Ok(ctx.store.wait(attempt, ctx.now_ms() + wait_ms.min(every)).await?);
    }
    let facts = ctx.store.register_facts(attempt.register).await?;
    let (mut questions, mut lying) = (0, 0);
    let mut heard_of_it = Heard::Silence;
    for (question, answer_kind) in kinds {
        let numbers = numbers_asked_by(ctx, attempt, &format, question).await?;
        for number in &numbers {
            questions += 1;
            let said = |bytes, told| Said {
                format: &format,
                question,
                kind: answer_kind,
                number,
                bytes,
                told,
                every,
            };
            match answer_to(ctx, bank, attempt, &format, &facts, question, number).await {
                Put::Answer(bytes, told) if numbers.len() == 1 => {
                    return heard(ctx, bank, attempt, &said(bytes, told)).await;
                }
                // One answer of several: by the next one, the attempt is what this one made of it.
                Put::Answer(bytes, told) => {
                    let now = ctx.store.attempt_by_reference(&bank.code, &attempt.reference);
                    let now = now.await?.unwrap_or_else(|| attempt.clone());
                    heard(ctx, bank, &now, &said(bytes, told)).await?;
                    heard_of_it = Heard::Same;
                }
                Put::Posted => heard_of_it = Heard::Posted,
                Put::Lies => lying += 1,
                Put::Failed => {}
            }
        }
        if numbers.len() > 1 && heard_of_it == Heard::Same {
            return Ok(());
        }
    }
    let now = ctx.now_ms();
    if lying == questions {
        return Ok(ctx.store.wait(attempt, now + every).await?);
    }
    Ok(ctx.store.asked(attempt, Some(now + every), heard_of_it, now).await?)
}

/// For how long a question whose answer comes as a file or on a connection that stays waits, in milliseconds, about
/// an attempt of unknown fate: nobody could tell the answer to one that is put before the visibility delay from that to a later one.
fn too_early(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kinds: &[(MessageKind, MessageKind)],
) -> Option<i64> {
    let mixed = kinds.iter().any(|(question, _)| bank.doors.of(*question).may_be_earlier());
    if attempt.state != AttemptState::Unknown || !mixed {
        return None;
    }
    let waited_ms = ctx.waits.question(attempt, ctx.clock.running_ms()).waited_ms();
    Some(bank.rules.visibility_delay_ms - waited_ms).filter(|wait_ms| *wait_ms > 0)
}

/// The bank's numbers that a question is to be put for, each one alone: a bank that split what we sent, and
/// is asked by its own numbers, answers for one part at a time. One that is asked by ours is asked once.
async fn numbers_asked_by(
    ctx: &Ctx,
    attempt: &Attempt,
    format: &Format,
    question: MessageKind,
) -> Result<Vec<String>, FlowError> {
    let mut numbers = Vec::new();
    if format.asks_for(question, Key::BankReference) {
        numbers = ctx.store.bank_references(attempt.no).await?;
    }
    if numbers.is_empty() {
        numbers.push(String::new());
    }
    Ok(numbers)
}

/// The answer to a question, by one of the bank's numbers or by none: the one whose file was waited for,
/// before it is put once more.
async fn answer_to(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    format: &Format,
    facts: &RegisterFacts,
    question: MessageKind,
    number: &str,
) -> Put {
    if let Some(bytes) = ctx.side_files.waiting(attempt.no, question, number) {
        return Put::Answer(bytes, Told::Unasked);
    }
    let head = HeadValues {
        facts,
        bank: &bank.code,
        reference: &attempt.reference,
        bank_reference: number,
        at_ms: ctx.now_ms(),
        section: "",
        day_sequence: None,
    };
    put(ctx, bank, attempt, format, question, &head).await
}

/// What became of a question that was put.
enum Put {
    Answer(Bytes, Told),
    Posted,
    /// The question before it still lies there: another one of its name would only stand in its way.
    Lies,
    Failed,
}

async fn put(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    format: &Format,
    question: MessageKind,
    head: &HeadValues<'_>,
) -> Put {
    let none: [crate::flow::values::RowValues; 0] = [];
    let item = || {
        let place = format!("{question} {}", attempt.reference);
        Item::new(&["question", &bank.code, &place], format.digest())
    };
    let written = ctx.opening.open(item, || format.encode(question, head, &none));
    let parts = match written.unwrap_or_else(|_| Err(broke_down(question))) {
        Ok(parts) => parts,
        Err(cause) => {
            tracing::error!(attempt = %attempt.no, error = %cause, "the question cannot be written");
            return Put::Failed;
        }
    };
    let parts: Vec<OutPart> = parts
        .into_iter()
        .map(|part| OutPart {
            name: part.name,
            bytes: Bytes::from(part.bytes),
            committing: part.committing,
        })
        .collect();
    // Half a question, without the part that commits it, is none: nobody at the bank will ever read it.
    let lies = |part: &OutPart| part.committing && ctx.unfetched.has_name(&bank.code, &part.name);
    if parts.iter().any(lies) {
        tracing::debug!(attempt = %attempt.no, "the question before it was not picked up yet");
        return Put::Lies;
    }
    let is_unknown = attempt.state == AttemptState::Unknown;
    let asked = is_unknown.then(|| ctx.waits.question(attempt, ctx.clock.running_ms()));
    let door = bank.doors.of(question);
    let heard = door.ask(&parts).await;
    let may_come = match &heard {
        Asked::Posted | Asked::Unanswered { .. } => true,
        Asked::Answer(_) => door.may_be_earlier(),
        Asked::Failed { .. } => false,
    };
    if let (Some(asked), true) = (asked, may_come) {
        ctx.waits.left(attempt, asked, bank.rules.visibility_delay_ms);
    }
    match heard {
        Asked::Answer(bytes) if door.may_be_earlier() => Put::Answer(bytes, Told::OnSession),
        Asked::Answer(bytes) => Put::Answer(bytes, asked.map_or(Told::AtOnce, Told::At)),
        Asked::Posted => {
            tracing::debug!(attempt = %attempt.no, "the question was left for the bank");
            Put::Posted
        }
        Asked::Failed { cause } | Asked::Unanswered { cause } => {
            tracing::warn!(attempt = %attempt.no, bank = bank.code, cause, "the bank could not be asked");
            Put::Failed
        }
    }
}

/// There is no question for the bank: all is said that can be, or its files are waited for - or it
/// cannot be asked about what nobody knows, and people must find out (design 4.2).
async fn nothing_to_ask(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    if attempt.state != AttemptState::Unknown {
        if attempt.pending > 0 {
            // What comes by itself is waited for. It is looked at again, because a bank that is agreed to be
            // asked later on shall be asked about this one too.
            return Ok(ctx.store.wait(attempt, now + bank.rules.return_every_ms).await?);
        }
        ctx.store.returns_told(attempt, None, now).await?;
        return Ok(ctx.store.asked(attempt, None, Heard::Same, now).await?);
    }
    let waits = match bank.rules.answers.ask {
        AskBy::DayFile => "该行不能查询，只在日终送来文件；文件中没有这一笔的",
        AskBy::Reference | AskBy::Batch | AskBy::None => "该行不能按这一笔查询",
    };
    let text = format!(
        "{} 是否收到 {}（流水号 {}）不明，{waits}，须由两人与银行核对台账后决定；决定之前系统不会重发，款项仍算在途",
        bank.name, attempt.no, attempt.reference
    );
    let (subject, register) = (attempt.no.to_string(), Some(attempt.register));
    ctx.store.raise_alert(AlertKind::CannotAsk, &subject, register, &text, now).await?;
    // Its door may still see it lying there.
    Ok(ctx.store.wait(attempt, now + bank.rules.ask_every_ms).await?)
}

/// At least one question in so many is about what has no answer yet.
const TURN_MAX: i64 = 1_000;

/// Which questions an attempt needs now, each with the kind of its answer, and when to ask again.
///
/// Payments that have an answer are asked about on, whatever the others wait for: a credit may come back while one
/// payment of the same batch is without a result for days (F32, I15).
fn questions(
    bank: &Bank,
    attempt: &Attempt,
    now_ms: i64,
    format: &Format,
) -> (Vec<(MessageKind, MessageKind)>, i64) {
    use MessageKind as M;
    let (every, seldom) = (bank.rules.ask_every_ms, bank.rules.return_every_ms);
    let refund = attempt.kind == AttemptKind::Refund;
    let status =
        if refund { (M::RefundQuery, M::RefundAnswer) } else { (M::StatusQuery, M::StatusAnswer) };
    let status = bank.rules.answers.can_ask(attempt, format).then_some(status);
    let unknown = attempt.state == AttemptState::Unknown;
    if refund || unknown || (attempt.pending > 0 && attempt.pending == attempt.payments) {
        return (status.into_iter().collect(), every);
    }
    let window = attempt.sent_at_ms.unwrap_or(attempt.made_at_ms) + bank.rules.return_window_ms;
    let mut beside = vec![(M::NoticeQuery, M::Notice), (M::ReturnQuery, M::LateReturn)];
    beside.retain(|(question, _)| now_ms < window && format.has(*question));
    // Notices and returns are asked for in turn, one answer at a time.
    let in_turn = |turn: i64| {
        let turn = usize::try_from(turn).unwrap_or_default();
        beside.get(turn % beside.len().max(1)).copied()
    };
    match (attempt.pending > 0, status) {
        (true, Some(status)) => {
            let turns = (seldom / every.max(1)).clamp(2, TURN_MAX);
            let other = in_turn(attempt.asks / turns).filter(|_| attempt.asks % turns == turns - 1);
            (vec![other.unwrap_or(status)], every)
        }
        (false, _) if now_ms >= window => (Vec::new(), 0),
        _ => (in_turn(attempt.asks).into_iter().collect(), seldom),
    }
}

/// Puts one question about an attempt that nobody would ask about by itself; what it is answered is taken as
/// ever.
///
/// # Errors
/// Where the store fails.
pub(super) async fn ask_once(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    question: MessageKind,
    kind: MessageKind,
) -> Result<(), FlowError> {
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else { return Ok(()) };
    if !format.has(question) {
        return Ok(());
    }
    let facts = ctx.store.register_facts(attempt.register).await?;
    for number in numbers_asked_by(ctx, attempt, &format, question).await? {
        let put = answer_to(ctx, bank, attempt, &format, &facts, question, &number);
        if let Put::Answer(bytes, told) = put.await {
            let (every, number) = (bank.rules.return_every_ms, &number);
            let said = Said { format: &format, question, kind, number, bytes, told, every };
            heard(ctx, bank, attempt, &said).await?;
        }
    }
    Ok(())
}

/// What a bank said when it was asked, and when it is asked again.
struct Said<'s> {
    format: &'s Format,
    question: MessageKind,
    kind: MessageKind,
    /// The bank's own number that it was asked by, where it was.
    number: &'s str,
    bytes: Bytes,
    told: Told,
    every: i64,
}

/// The bank answered a question.
async fn heard(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    said: &Said<'_>,
) -> Result<(), FlowError> {
    let Said { format, question, kind, number, bytes, told, every } = said;
    let name = format!("{question} {}", attempt.reference);
    let (parts, beside) = match gather(ctx, bank, format, *kind, bytes).await? {
        Gathered::Whole(parts, beside) => (parts, beside),
        Gathered::NotYet(_) => {
            let running_ms = ctx.clock.running_ms();
            ctx.side_files.wait_for(attempt.no, *question, number, bytes, running_ms);
            return unclear(ctx, attempt, *every).await;
        }
        Gathered::Unreadable(why) => {
            hold(ctx, bank, attempt, &name, bytes, &why).await?;
            return unclear(ctx, attempt, *every).await;
        }
    };
    ctx.side_files.has_come(attempt.no, *question, number);
    if matches!(kind, MessageKind::Notice | MessageKind::LateReturn) {
        if take_rows(ctx, bank, attempt, *kind, &name, &parts).await? {
            beside.put_away(bank).await;
            return Ok(());
        }
        return unclear(ctx, attempt, *every).await;
    }
    match read_parts(ctx, bank, attempt, *kind, parts.clone()).await? {
        Ok(answer) => {
            acted_on(ctx, bank, attempt, &answer, *told).await?;
            beside.put_away(bank).await;
            Ok(())
        }
        Err(why) => {
            hold(ctx, bank, attempt, &name, &joined(&parts), &why).await?;
            unclear(ctx, attempt, *every).await
        }
    }
}

/// What the bank said is no answer, or none yet.
async fn unclear(ctx: &Ctx, attempt: &Attempt, every_ms: i64) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    Ok(ctx.store.asked(attempt, Some(now + every_ms), Heard::Unclear, now).await?)
}
