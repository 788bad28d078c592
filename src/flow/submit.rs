//! Submit: hands attempts over. SENDING is durable before the first byte leaves, and what became
//! of it is durable before anything else is done about it (design 4, rules 1 and 2).

use bytes::Bytes;

use crate::clock::local_parts;
use crate::flow::answer::{acted_on, read_answer, too_late};
use crate::flow::held::hold;
use crate::flow::sealed::open_part;
use crate::flow::spoken::{chinese, flow_error};
use crate::flow::taken_over::stays_here;
use crate::flow::waits::Told;
use crate::flow::{Bank, Ctx, FlowError, Progress, breaker, expect, time};
use crate::format::{Key, MessageKind};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::{Answer, AttemptEvent, AttemptKind, AttemptState};
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::transport::{OutPart, Sent};

/// Attempts looked at in one step.
const ATTEMPTS_PER_STEP: i64 = 64;
/// The longest wait between two sends of the same bytes.
const RESEND_MAX_MS: i64 = 60_000;
/// What chance makes at most that of.
const RESEND_ABOUT_MAX_MS: i64 = RESEND_MAX_MS / 5 * 4;

/// Hands over what is due to a bank, one after the other.
///
/// # Errors
/// Where the store fails. What a bank's door says never fails the step.
pub async fn step(ctx: &Ctx, bank: &Bank) -> Result<Progress, FlowError> {
    let states = [AttemptState::Intent, AttemptState::NotSent];
    let due = ctx.store.due_attempts(&bank.code, &states, ctx.now_ms(), ATTEMPTS_PER_STEP).await?;
    if due.is_empty() {
        let until_ms = ctx.store.next_due_at(&bank.code, &states).await?;
        return Ok(Progress::Idle { until_ms });
    }
    if ctx.store.stopped_banks().await?.contains(&bank.code) {
        rest(ctx, &due).await?;
        return Ok(Progress::More);
    }
    let turn = Turn::begin(ctx);
    let mut unreached = None;
    for attempt in &due {
        // One try is enough to find out that a bank is not reached, also where that took long; the next time
        // it is another's turn, in case it was not the bank.
        if let Some(next_ms) = unreached {
            ctx.store.wait(attempt, next_ms - 1).await?;
            continue;
        }
        if turn.is_over(ctx) {
            break;
        }
        match hand_over(ctx, bank, attempt).await {
            Ok(next_ms) => unreached = next_ms,
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(FlowError::Store(StoreError::Moved { .. })) => {
                tracing::info!(attempt = %attempt.no, "somebody else moved it");
            }
            Err(cause) => cannot_leave(ctx, bank, attempt, &cause).await?,
        }
    }
    Ok(Progress::More)
}

/// For how long one look goes on with a bank that is slow, so that the step is heard of in time. What is left
/// over is due at the next look.
pub(super) struct Turn(i64);

impl Turn {
    const MS: i64 = 10_000;

    pub fn begin(ctx: &Ctx) -> Self {
        Self(ctx.clock.running_ms() + Self::MS)
    }

    pub fn is_over(&self, ctx: &Ctx) -> bool {
        ctx.clock.running_ms() >= self.0
    }
}

/// Attempts for banks that are not configured any more wait, out of the way of others, and somebody is told.
///
/// # Errors
/// Where the store fails.
pub(super) async fn look_for_orphans(ctx: &Ctx) -> Result<(), FlowError> {
    let pairs = [
        [AttemptState::Intent, AttemptState::NotSent],
        [AttemptState::Unknown, AttemptState::Accepted],
    ];
    for bank in ctx.store.banks_with_attempts().await? {
        if ctx.banks.contains_key(&bank) {
            continue;
        }
        for states in &pairs {
            let now = ctx.now_ms();
            for attempt in ctx.store.due_attempts(&bank, states, now, ATTEMPTS_PER_STEP).await? {
                let no = attempt.no;
                let text = format!("{no} 要送往的银行 {bank} 已不在配置中；请恢复该行的配置");
                let (subject, register) = (no.to_string(), Some(attempt.register));
                ctx.store.raise_alert(AlertKind::Submit, &subject, register, &text, now).await?;
                ctx.store.wait(&attempt, now + RESEND_MAX_MS).await?;
            }
        }
    }
    Ok(())
}

/// Attempts for a bank to which nothing is sent wait for an operator's word.
async fn rest(ctx: &Ctx, attempts: &[Attempt]) -> Result<(), FlowError> {
    for attempt in attempts {
        ctx.store.wait(attempt, ctx.now_ms() + RESEND_MAX_MS).await?;
    }
    Ok(())
}

/// What was kept for an attempt does not open, or is not what it was: it stays where it is, and
/// somebody is told. Where it left all the same, nobody knows what became of it (I2).
async fn cannot_leave(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    cause: &FlowError,
) -> Result<(), FlowError> {
    tracing::error!(attempt = %attempt.no, error = %cause, "an attempt could not go on");
    let now_is = ctx.store.attempt_by_reference(&bank.code, &attempt.reference).await?;
    if let Some(now_is) = now_is {
        match now_is.state {
            AttemptState::Intent | AttemptState::NotSent => {}
            // It left, and what the bank said of it could not be dealt with.
            AttemptState::Sending => return lost(ctx, bank, &now_is, &flow_error(cause)).await,
            // What became of it is durable: nobody is told that nothing was sent.
            _ => return Ok(()),
        }
    }
    let text = format!(
        "{} 的 {}（流水号 {}）无法送出：{}。未发送任何内容，请银行技术人员处理",
        bank.name,
        attempt.no,
        attempt.reference,
        flow_error(cause)
    );
    let (subject, now) = (attempt.no.to_string(), ctx.now_ms());
    ctx.store.raise_alert(AlertKind::Submit, &subject, Some(attempt.register), &text, now).await?;
    Ok(ctx.store.wait(attempt, now + RESEND_MAX_MS).await?)
}

/// What an attempt is handed over with.
const fn request_of(attempt: &Attempt) -> MessageKind {
    match attempt.kind {
        AttemptKind::Payment => MessageKind::PaymentRequest,
        AttemptKind::Refund => MessageKind::RefundRequest,
    }
}

/// Must it wait for one with a lower number, because a bank that counts what it is sent would refuse it?
async fn number_waits(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<bool, FlowError> {
    let counted = bank.format.asks_for(MessageKind::PaymentRequest, Key::DaySequence);
    Ok(counted && attempt.sends == 0 && ctx.store.lower_number_waits(attempt.no).await?)
}

/// Where so much time passes between what was made durable and what is sent, this process or its machine may have been
/// stopped, and another daemon have taken over and asked the bank (I17).
const PAUSED_MS: i64 = 1_000;

/// Hands one attempt over and makes durable what became of it. Where the bank was not reached, says
/// when it is tried again.
async fn hand_over(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<Option<i64>, FlowError> {
    // A closed bank is not tried; it is nobody's fault, and no alert says so. The deadline does.
    if let Some(at_ms) = bank.doors.of(request_of(attempt)).opens_at(ctx.now_ms()) {
        ctx.store.wait(attempt, at_ms).await?;
        return Ok(None);
    }
    if out_of_date(ctx, bank, attempt).await? {
        return Ok(None);
    }
    // Behind that: a new day begins its numbers anew, whatever is still unknown of the day before.
    if number_waits(ctx, bank, attempt).await? {
        ctx.store.wait(attempt, ctx.now_ms() + bank.rules.resend_after_ms).await?;
        return Ok(None);
    }
    // It went once, the bank did not know it, and since then it could not be sent: it is of unknown fate again, and
    // the bank and people are asked as about any other.
    let weighed = attempt.lost_at_ms.is_some() && ctx.store.is_weighed(attempt.no).await?;
    if weighed || too_late(ctx, bank, attempt).await? {
        let now = ctx.now_ms();
        let next = now + bank.rules.return_every_ms;
        let expects = expect::when_sent(bank, attempt, now);
        let lost = Conclusion::of(AttemptEvent::Lost, Some(next));
        conclude(ctx, attempt, Conclusion { expects, ..lost }).await?;
        return Ok(None);
    }
    if stays_here(ctx, bank, attempt).await? {
        return Ok(None);
    }
    let parts = stored_parts(ctx, attempt).await?;
    // Last of all: the one that is sent to see must be able to leave.
    if let Some(at_ms) = breaker::rests(ctx, bank, attempt).await? {
        ctx.store.wait(attempt, at_ms).await?;
        return Ok(None);
    }
    let expects = expect::when_sent(bank, attempt, ctx.now_ms());
    let begun_ms = ctx.clock.running_ms();
    let committed = ctx.store.start(attempt, &expects, ctx.now_ms()).await?;
    if ctx.clock.running_ms() - begun_ms > PAUSED_MS {
        ctx.store.has_turn().await?;
    }
    let sent = bank.doors.of(request_of(attempt)).send(&committed, &parts).await;
    let sending = Attempt {
        state: AttemptState::Sending,
        sends: attempt.sends + 1,
        sent_at_ms: Some(ctx.now_ms()),
        ..attempt.clone()
    };
    match sent {
        Sent::Accepted { answer: Some(bytes) } => answered(ctx, bank, &sending, bytes).await,
        Sent::Accepted { answer: None } => {
            ctx.waits.end(sending.no);
            let next = ctx.now_ms() + bank.rules.ask_after_ms;
            conclude(ctx, &sending, Conclusion::of(AttemptEvent::Accepted, Some(next))).await
        }
        Sent::NotSent { cause } => return not_sent(ctx, bank, &sending, &cause).await.map(Some),
        Sent::Unknown { cause, evidence } => {
            tracing::warn!(attempt = %sending.no, bank = bank.code, cause, "no clear answer; the bank will be asked");
            let why = chinese(&cause);
            if let Some(evidence) = evidence {
                hold(ctx, bank, &sending, "answer", &evidence, &why).await?;
            }
            lost(ctx, bank, &sending, &why).await
        }
    }?;
    Ok(None)
}

/// It provably never left: the same bytes go again, less and less often, and never in step with what
/// waits for other banks (F53). Says when.
async fn not_sent(
    ctx: &Ctx,
    bank: &Bank,
    sending: &Attempt,
    cause: &str,
) -> Result<i64, FlowError> {
    tracing::warn!(attempt = %sending.no, bank = bank.code, cause, "not sent; the same bytes will go again");
    let text =
        format!("{} 连接不上（{}），批次未送出，系统会用原文件重发", bank.name, chinese(cause));
    ctx.store.raise_alert(AlertKind::NotSent, &bank.code, None, &text, ctx.now_ms()).await?;
    let doubled = bank.rules.resend_after_ms.saturating_mul(1 << sending.sends.clamp(0, 10));
    let next_ms = ctx.now_ms() + ctx.around(doubled.min(RESEND_ABOUT_MAX_MS));
    conclude(ctx, sending, Conclusion::of(AttemptEvent::NotSent, Some(next_ms))).await?;
    Ok(next_ms)
}

/// Closes an attempt whose bytes bear a day that is over, where provably none of them left: its payments are
/// cut again under a new reference, or go back in a new refund, with today's date and number, which a bank may
/// insist on (design 4, rule 2). What may have arrived once goes again as it is, or not at all.
///
/// # Errors
/// Where the store fails.
async fn out_of_date(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<bool, FlowError> {
    let day = |at_ms| {
        let (year, [month, day, ..]) = local_parts(at_ms);
        (year, month, day)
    };
    let made = day(attempt.made_at_ms);
    if !attempt.never_left() || made == day(ctx.now_ms()) {
        return Ok(false);
    }
    // Where the time of day was set and nobody has answered for it, it may still be that day (I16).
    let time::Bounds { earliest_ms, latest_ms } = time::bounds(ctx).await?;
    if made == day(earliest_ms) || made == day(latest_ms) {
        return Ok(false);
    }
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else { return Ok(false) };
    let kind = request_of(attempt);
    let dated = [Key::Moment, Key::DaySequence].iter().any(|key| format.asks_for(kind, *key));
    if !dated {
        return Ok(false);
    }
    match ctx.store.withdraw(attempt, "daifa", "its day is over", ctx.now_ms()).await {
        Ok(payments) => {
            tracing::warn!(attempt = %attempt.no, bank = bank.code, payments, "it never left and its day is over: what it carried is written anew");
            Ok(true)
        }
        Err(StoreError::Refused(why)) => {
            tracing::info!(attempt = %attempt.no, bank = bank.code, why, "it goes as it is");
            Ok(false)
        }
        Err(cause) => Err(cause.into()),
    }
}

/// Ends UNKNOWN where the door sees the attempt lying at the bank, whole (F49): it is delivered, and what
/// follows is the bank's.
///
/// # Errors
/// Where the store fails.
pub(super) async fn found_there(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
) -> Result<bool, FlowError> {
    let door = bank.doors.of(request_of(attempt));
    if attempt.state != AttemptState::Unknown || !door.can_look() {
        return Ok(false);
    }
    let parts = match stored_parts(ctx, attempt).await {
        Ok(parts) => parts,
        Err(cause) if cause.is_fatal() => return Err(cause),
        // Nobody can look for what does not open, and the bank can be asked all the same.
        Err(cause) => {
            tracing::error!(attempt = %attempt.no, error = %cause, "what was sent does not open any more");
            return Ok(false);
        }
    };
    if !door.lies_there(&parts).await {
        return Ok(false);
    }
    tracing::info!(attempt = %attempt.no, bank = bank.code, "it lies at the bank: it was delivered");
    ctx.waits.end(attempt.no);
    let next = ctx.now_ms() + bank.rules.ask_after_ms;
    conclude(ctx, attempt, Conclusion::of(AttemptEvent::Accepted, Some(next))).await?;
    Ok(true)
}

/// The bank answered at once. An answer that cannot be read is no answer (F27).
async fn answered(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    bytes: Bytes,
) -> Result<(), FlowError> {
    let kind = match attempt.kind {
        AttemptKind::Payment => MessageKind::Acknowledgement,
        AttemptKind::Refund => MessageKind::RefundAnswer,
    };
    let why = match read_answer(ctx, bank, attempt, kind, &bytes).await? {
        // Whoever was just given it cannot say that there is none: nobody knows what became of it.
        Ok((answer, _)) if answer.answer == Answer::NotFound => {
            format!(
                "银行收到报文时即答“查无此笔”（返回码 [{}]），不能作为是否送达的依据",
                answer.code
            )
        }
        Ok((answer, beside)) => {
            let door = bank.doors.of(request_of(attempt));
            let told = if door.may_be_earlier() { Told::OnSession } else { Told::AtOnce };
            match acted_on(ctx, bank, attempt, &answer, told).await {
                // The bank said something else by another way meanwhile: its answer is taken as things stand now.
                Err(FlowError::Store(StoreError::Moved { .. })) => {
                    let now =
                        ctx.store.attempt_by_reference(&bank.code, &attempt.reference).await?;
                    let now = now.as_ref().unwrap_or(attempt);
                    acted_on(ctx, bank, now, &answer, told).await?;
                }
                done => done?,
            }
            beside.put_away(bank).await;
            return Ok(());
        }
        Err(why) => why,
    };
    hold(ctx, bank, attempt, kind.as_str(), &bytes, &why).await?;
    lost(ctx, bank, attempt, &why).await
}

/// Nobody knows whether it arrived; `why` says so in Chinese.
async fn lost(ctx: &Ctx, bank: &Bank, attempt: &Attempt, why: &str) -> Result<(), FlowError> {
    // Of a bank that cannot be asked, people are told at once.
    let asked = bank.rules.answers.can_ask(attempt, &bank.format);
    let next = ctx.now_ms() + if asked { bank.rules.ask_every_ms } else { 0 };
    ctx.waits.begin(attempt, ctx.clock.running_ms());
    let what = match (attempt.batch, attempt.refund) {
        (_, Some(refund)) => format!("退款 {refund}"),
        (batch, None) => batch.map_or_else(String::new, |batch| format!("批次 {batch}")),
    };
    let alert = format!(
        "{} 的{what} 发送结果不明：{why}。须按我方流水号 {} 向银行查明；查明之前不会重发",
        bank.name, attempt.reference
    );
    let conclusion = Conclusion { alert, ..Conclusion::of(AttemptEvent::Lost, Some(next)) };
    conclude(ctx, attempt, conclusion).await
}

/// Makes a conclusion durable. Somebody else may have concluded meanwhile (an answer file that
/// came in): then theirs stands.
async fn conclude(ctx: &Ctx, attempt: &Attempt, conclusion: Conclusion) -> Result<(), FlowError> {
    match ctx.store.conclude(attempt, &conclusion, ctx.now_ms()).await {
        Err(StoreError::Moved { .. }) => {
            tracing::info!(attempt = %attempt.no, "its answer was here before");
            Ok(())
        }
        other => Ok(other?),
    }
}

/// The bytes as they were made durable, checked against their digests: a repeat is byte-identical
/// (I5).
pub(super) async fn stored_parts(ctx: &Ctx, attempt: &Attempt) -> Result<Vec<OutPart>, FlowError> {
    let mut out = Vec::new();
    for (at, part) in ctx.store.parts(attempt.no).await?.into_iter().enumerate() {
        let sealed = |source| FlowError::Sealed { what: attempt.no.to_string(), source };
        let bytes = open_part(&ctx.sealer, &attempt.bank, &attempt.reference, at, &part.chunks)
            .map_err(sealed)?;
        if sha256(&bytes) != part.sha256 {
            let what = format!("part {} of {}", at + 1, attempt.no);
            return Err(FlowError::Altered { what });
        }
        out.push(OutPart {
            name: part.name,
            bytes: Bytes::from(bytes),
            committing: part.committing,
        });
    }
    Ok(out)
}
