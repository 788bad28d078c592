//! Collect: takes what banks say - files that arrived, and answers to our questions - and asks
//! where an answer is due. UNKNOWN ends here and in [`crate::flow::answer`] only: by an authoritative
//! answer (I2).

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;

use crate::flow::answer::{acted_on, other_content, read_parts};
use crate::flow::asking::ask;
use crate::flow::convert::{REFERENCE_DIGITS, open_rows};
use crate::flow::matching::match_rows;
use crate::flow::report::{recipients, report_id};
use crate::flow::sealed::seal_evidence;
use crate::flow::spoken::{door_error, flow_error};
use crate::flow::submit::nobody;
use crate::flow::{Bank, Ctx, FlowError, Progress, expect, pushed, unfetched};
use crate::format::{Format, Key, MessageKind, Part, PartRole, Record};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptState};
use crate::model::id::{RegisterNo, ResultNo};
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::reports::NewReport;
use crate::store::results::{Effects, Taken, TakenResult, can_have_results};
use crate::transport::{Arrival, DoorError};

/// Arrivals and questions looked at in one step and bank.
const PER_STEP: usize = 64;
/// Where so many arrivals stay where they are, those that came after them wait until some are mended.
const STAYING_MAX: usize = 65_536;

/// # Errors
/// Where the store fails. What a bank's door says never fails the step.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let states = [AttemptState::Unknown, AttemptState::Accepted];
    let due = ctx
        .store
        .due_attempts(&states, ctx.now_ms(), i64::try_from(PER_STEP).unwrap_or(64))
        .await?;
    let banks = ctx.banks.values().map(|bank| {
        let due = &due;
        async move {
            let mut more = take_arrivals(ctx, bank).await?;
            more |= pushed::step(ctx, bank).await?;
            unfetched::look(ctx, bank).await?;
            for attempt in due.iter().filter(|attempt| attempt.bank == bank.code) {
                more = true;
                match ask(ctx, bank, attempt).await {
                    Ok(()) => {}
                    Err(cause) if cause.is_fatal() => return Err(cause),
                    Err(FlowError::Store(StoreError::Moved { .. })) => {
                        tracing::info!(attempt = %attempt.no, "somebody else moved it");
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
    let next_push = pushed::look(ctx).await?;
    if more {
        return Ok(Progress::More);
    }
    let look_again = ctx.now_ms() + ctx.pace.arrivals_every_ms;
    let due = [ctx.store.next_due_at(&states).await?, next_push];
    Ok(Progress::Idle { until_ms: due.into_iter().flatten().chain([look_again]).min() })
}

/// Takes the files that a bank left. Those that cannot be taken stay and hold up none behind them; of those
/// that cannot even be opened or put away, somebody is told.
async fn take_arrivals(ctx: &Ctx, bank: &Bank) -> Result<bool, FlowError> {
    let (mut taken, mut seen, mut limit) = (false, 0, PER_STEP);
    let mut trouble = Trouble::default();
    loop {
        let names = match bank.door.arrivals(limit).await {
            Ok(names) => names,
            Err(DoorError::NoArrivals) => return Ok(false),
            Err(cause) => {
                tracing::warn!(bank = bank.code, error = %cause, "the bank's folder could not be read");
                let text = format!("{} 的结果目录无法读取：{}", bank.name, door_error(&cause));
                ctx.store
                    .raise_alert(AlertKind::Door, &bank.code, None, &text, ctx.now_ms())
                    .await?;
                return Ok(false);
            }
        };
        for name in names.iter().skip(seen) {
            taken |= take_one(ctx, bank, name, &mut trouble).await?;
        }
        // Where all that was listed stays where it is, what came after it has its turn.
        if taken || names.len() < limit || limit >= STAYING_MAX {
            break;
        }
        (seen, limit) = (names.len(), limit * 4);
    }
    trouble.tell(ctx, bank).await?;
    Ok(taken)
}

/// Arrivals of one bank that can be opened by nobody, or not be put away.
#[derive(Default)]
struct Trouble {
    files: usize,
    /// The first of them, and why.
    first: Option<(String, String)>,
}

impl Trouble {
    fn note(&mut self, bank: &Bank, name: &str, doing: &str, cause: &DoorError) {
        tracing::warn!(bank = bank.code, name, error = %cause, "cannot be {doing}");
        self.files += 1;
        if self.first.is_none() {
            self.first = Some((name.to_owned(), door_error(cause)));
        }
    }

    /// Tells of them in one sentence, or that there are none any more.
    async fn tell(&self, ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
        let Some((name, why)) = &self.first else {
            return Ok(ctx.store.clear_alert(AlertKind::Door, &bank.code, ctx.now_ms()).await?);
        };
        let text = format!(
            "{} 送来的文件有 {} 个打不开或移不走（例如 {name}：{why}）。打不开的文件尚未入账；请检查文件和目录的权限，处理后系统会自动读取",
            bank.name, self.files
        );
        ctx.store.raise_alert(AlertKind::Door, &bank.code, None, &text, ctx.now_ms()).await?;
        Ok(())
    }
}

/// Takes one of the files that were listed; says whether it is out of the way.
async fn take_one(
    ctx: &Ctx,
    bank: &Bank,
    name: &str,
    trouble: &mut Trouble,
) -> Result<bool, FlowError> {
    let cause = match bank.door.fetch(name).await {
        Ok(arrival) => return take_arrival(ctx, bank, &arrival, trouble).await,
        Err(cause) => cause,
    };
    match cause {
        // It went, or is not finished: the next look tells.
        DoorError::Gone(_) | DoorError::Changing(_) | DoorError::Interrupted => {
            tracing::info!(bank = bank.code, error = %cause, "not readable now");
        }
        DoorError::TooLarge { .. } | DoorError::NotAFile(_) => {
            tracing::warn!(bank = bank.code, error = %cause, "set aside unread");
            let text = format!(
                "{} 送来的文件 {name} 无法读取，已移到隔离目录：{}",
                bank.name,
                door_error(&cause)
            );
            let subject = format!("{}/{name}", bank.code);
            ctx.store.raise_alert(AlertKind::DoorFile, &subject, None, &text, ctx.now_ms()).await?;
            if let Err(cause) = bank.door.set_aside(name).await {
                trouble.note(bank, name, "set aside", &cause);
            }
        }
        cause => trouble.note(bank, name, "opened", &cause),
    }
    Ok(false)
}

/// Takes one arrival and archives it once that is durable; says whether it is out of the way.
async fn take_arrival(
    ctx: &Ctx,
    bank: &Bank,
    arrival: &Arrival,
    trouble: &mut Trouble,
) -> Result<bool, FlowError> {
    match understand(ctx, bank, arrival).await {
        Ok(()) => {}
        // Another step moved the attempt meanwhile: the file stays and is read again.
        Err(FlowError::Store(StoreError::Moved { .. })) => return Ok(true),
        Err(cause) if cause.is_fatal() => return Err(cause),
        // It stays where it is, and does not hold up what else has come.
        Err(cause) => {
            let register = about(ctx, bank, arrival).await?;
            cannot_take(ctx, bank, register, &arrival.name, &cause).await?;
            return Ok(false);
        }
    }
    match bank.door.archive(arrival).await {
        Ok(()) => Ok(true),
        Err(cause) => {
            trouble.note(bank, &arrival.name, "put away", &cause);
            Ok(false)
        }
    }
}

/// What is kept about a batch does not open: its answers wait, and somebody is told.
pub(super) async fn cannot_take(
    ctx: &Ctx,
    bank: &Bank,
    register: impl Into<Option<RegisterNo>>,
    what: &str,
    cause: &FlowError,
) -> Result<(), FlowError> {
    tracing::error!(bank = bank.code, what, error = %cause, "an answer cannot be taken");
    let text = format!(
        "{} 对 {what} 的答复无法入账：{}。未作处理，请银行技术人员处理",
        bank.name,
        flow_error(cause)
    );
    let subject = format!("{}/{what}", bank.code);
    ctx.store
        .raise_alert(AlertKind::Collect, &subject, register.into(), &text, ctx.now_ms())
        .await?;
    Ok(())
}

/// The register that an arrival is about, where that is known.
async fn about(ctx: &Ctx, bank: &Bank, arrival: &Arrival) -> Result<Option<RegisterNo>, FlowError> {
    let known = bank.format.recognise(&arrival.name);
    let reference = known.as_ref().and_then(|known| known.keys.text(Key::Reference));
    let Some(reference) = reference else { return Ok(None) };
    let attempt = ctx.store.attempt_by_reference(&bank.code, reference).await?;
    Ok(attempt.map(|attempt| attempt.register))
}

async fn understand(ctx: &Ctx, bank: &Bank, arrival: &Arrival) -> Result<(), FlowError> {
    let all: Vec<u8> = arrival.parts.iter().flat_map(|part| part.bytes.iter().copied()).collect();
    let Some(known) = bank.format.recognise(&arrival.name) else {
        return hold_unknown(ctx, bank, &arrival.name, &all, "文件名不属于该行格式").await;
    };
    let parts: Vec<Part> = arrival
        .parts
        .iter()
        .map(|part| Part {
            role: bank.format.recognise(&part.name).map_or(PartRole::Data, |known| known.role),
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: false,
        })
        .collect();
    let mut said = known.keys;
    if !names_an_attempt(&said) {
        // What the name does not tell the content may. One that cannot be read is held below.
        said = bank.format.read_head(known.kind, &parts).unwrap_or_else(|_| Record::new());
    }
    let found = attempt_of(ctx, bank, &said, &arrival.name, &all).await?;
    let Some(attempt) = found else { return Ok(()) };
    take_message(ctx, bank, &attempt, known.kind, &arrival.name, parts).await
}

fn names_an_attempt(said: &Record) -> bool {
    said.text(Key::Reference).or_else(|| said.text(Key::BankReference)).is_some()
}

/// The attempt that a message names, by our reference or else by the bank's own number, where what came
/// about it can be taken. Where not, it is held, and what that means is done.
pub(super) async fn attempt_of(
    ctx: &Ctx,
    bank: &Bank,
    said: &Record,
    name: &str,
    bytes: &[u8],
) -> Result<Option<Attempt>, FlowError> {
    let Some(reference) = said.text(Key::Reference) else {
        return attempt_of_number(ctx, bank, said.text(Key::BankReference), name, bytes).await;
    };
    let Some(attempt) = ctx.store.attempt_by_reference(&bank.code, reference).await? else {
        if is_ours(bank, reference) {
            let text = format!(
                "{} 送来流水号 {reference} 的文件 {name}，这个流水号合乎我方的编号，本系统却没有发过：本系统的数据库可能比实际发出的旧（例如用旧备份恢复）。切勿重新组批。已停止向该行发送；请与该行逐批核对，核对无误后由操作员执行 daifa bank resume {}",
                bank.name, bank.code
            );
            ctx.store.stop_bank(&bank.code, &text, ctx.now_ms()).await?;
        }
        hold_unknown(ctx, bank, name, bytes, "我方没有这个流水号").await?;
        return Ok(None);
    };
    match attempt.state {
        AttemptState::Intent => not_ours(ctx, bank, &attempt, name, bytes).await?,
        AttemptState::Closed => after_all(ctx, bank, &attempt, name, bytes).await?,
        _ => return Ok(Some(attempt)),
    }
    Ok(None)
}

/// The one attempt that the bank calls by this number. Numbers come back: with several nobody can say.
async fn attempt_of_number(
    ctx: &Ctx,
    bank: &Bank,
    number: Option<&str>,
    name: &str,
    bytes: &[u8],
) -> Result<Option<Attempt>, FlowError> {
    let why = match number {
        None => "没有我方流水号，也没有银行编号",
        Some(number) => {
            let mut found = ctx.store.attempts_by_bank_reference(&bank.code, number).await?;
            match (found.pop(), found.is_empty()) {
                (Some(attempt), true) => return Ok(Some(attempt)),
                (Some(_), false) => "银行编号对应我方多个批次，无法判断是哪一个",
                (None, _) => "没有我方流水号，银行编号也不是我方已知的",
            }
        }
    };
    hold_unknown(ctx, bank, name, bytes, why).await?;
    Ok(None)
}

/// Is this a reference as this daemon makes them at that bank, of whatever database?
fn is_ours(bank: &Bank, reference: &str) -> bool {
    let number = reference.strip_prefix(bank.rules.reference_prefix.as_str());
    number.is_some_and(|number| {
        number.len() == REFERENCE_DIGITS && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The bank answers for what this database has not handed over yet: it was sent by an earlier one.
async fn not_ours(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    name: &str,
    bytes: &[u8],
) -> Result<(), FlowError> {
    tracing::error!(attempt = %attempt.no, bank = bank.code, "the bank answers for what was never sent from here");
    hold(ctx, bank, attempt, name, bytes, "本系统尚未发送这一批，银行却已有答复").await?;
    let conclusion = Conclusion {
        alert: other_content(bank, attempt, "而本系统还没有发送过"),
        ..Conclusion::of(AttemptEvent::OtherContent, None)
    };
    Ok(ctx.store.conclude(attempt, &conclusion, ctx.now_ms()).await?)
}

/// The bank answers for what provably never left, and was written anew: one of the two is mistaken, and
/// nothing more is sent there before people have found out which.
async fn after_all(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    name: &str,
    bytes: &[u8],
) -> Result<(), FlowError> {
    tracing::error!(attempt = %attempt.no, bank = bank.code, "the bank answers for what never left");
    hold(ctx, bank, attempt, name, bytes, "这份报文从未送出并已作废，银行却有答复").await?;
    let text = other_content(bank, attempt, "而本系统确认从未送出，款项已另行组批");
    ctx.store.stop_bank(&bank.code, &text, ctx.now_ms()).await?;
    Ok(())
}

/// Takes a message about an attempt, of whatever kind.
async fn take_message(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kind: MessageKind,
    name: &str,
    parts: Vec<Part>,
) -> Result<(), FlowError> {
    match kind {
        MessageKind::Result | MessageKind::LateReturn | MessageKind::Notice => {
            take_rows(ctx, bank, attempt, kind, name, &parts).await.map(drop)
        }
        MessageKind::Acknowledgement | MessageKind::StatusAnswer | MessageKind::RefundAnswer => {
            match read_parts(ctx, bank, attempt, kind, parts.clone()).await? {
                Ok(answer) => acted_on(ctx, bank, attempt, &answer).await,
                Err(why) => hold(ctx, bank, attempt, name, &joined(&parts), &why).await,
            }
        }
        MessageKind::PaymentRequest
        | MessageKind::StatusQuery
        | MessageKind::ReturnQuery
        | MessageKind::NoticeQuery
        | MessageKind::RefundRequest
        | MessageKind::RefundQuery => {
            hold(ctx, bank, attempt, name, &joined(&parts), "这是我方发出的报文种类").await
        }
        MessageKind::Statement | MessageKind::AccountRequest | MessageKind::AccountAnswer => {
            hold(ctx, bank, attempt, name, &joined(&parts), "这种报文不是对批次的答复").await
        }
    }
}

fn joined(parts: &[Part]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.bytes.iter().copied()).collect()
}

/// Takes the rows of a result: applied or quarantined, in one transaction, or the whole is held. Says
/// whether they were taken.
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
        if attempt.state == AttemptState::Refused {
            answered_after_all(ctx, bank, attempt).await?;
        }
        hold(ctx, bank, attempt, name, &bytes, &why).await?;
        return Ok(false);
    };
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        hold(ctx, bank, attempt, name, &bytes, "发送时所用的格式已无法读取").await?;
        return Ok(false);
    };
    let facts = ctx.store.register_facts(attempt.register).await?;
    let payments = ctx.store.members(batch).await?;
    let members = open_rows(ctx, &facts, &attempt.bank, &payments)?;
    let matched = match match_rows(
        &format,
        kind,
        parts,
        (attempt.no, &attempt.reference),
        &members,
        &ctx.sealer,
    ) {
        Ok(matched) => matched,
        Err(why) => {
            hold(ctx, bank, attempt, name, &bytes, &why).await?;
            return Ok(false);
        }
    };
    let next_at_ms = next_question(ctx, bank, attempt, &format);
    let evidence = (!matched.quarantined.is_empty())
        .then(|| seal_evidence(&ctx.sealer, &bank.code, &digest, &bytes));
    let taken = TakenResult {
        name,
        digest,
        rows: matched.rows,
        quarantined: matched.quarantined,
        evidence,
        next_at_ms,
        again_at_ms: ctx.now_ms()
            + match kind {
                MessageKind::Acknowledgement => bank.rules.ask_after_ms,
                _ => bank.rules.ask_every_ms,
            },
        expects: expect::when_answered(bank, attempt, &format, ctx.now_ms()),
        bank_references: matched.bank_references,
    };
    let town_of_line: HashMap<i64, i64> =
        payments.iter().map(|payment| (payment.line, payment.town)).collect();
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
    log_taken(attempt, taken);
    if kind == MessageKind::LateReturn {
        let (now, next) =
            (ctx.now_ms(), expect::word_on_returns(bank, attempt, &format, ctx.now_ms()));
        ctx.store.returns_told(attempt, next, now).await?;
    }
    Ok(true)
}

/// The bank tells results of what it refused, or of what two people closed: its payments may have gone
/// out under another reference meanwhile, and then they are paid twice (F31).
async fn answered_after_all(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
    let text = format!(
        "{} 对已关闭的 {}（流水号 {}）又送来结果：如果该批已重新组批发放，可能重复入账。结果已暂存、未入账，请立即与银行核对，必要时请银行追回",
        bank.name, attempt.no, attempt.reference
    );
    let (kind, subject) = (AlertKind::Contradiction, attempt.no.to_string());
    let register = Some(attempt.register);
    ctx.store.raise_alert(kind, &subject, register, &text, ctx.now_ms()).await?;
    Ok(())
}

fn log_taken(attempt: &Attempt, taken: Taken) {
    match taken {
        Taken::Applied { result, outcomes, notices } => {
            tracing::info!(%result, attempt = %attempt.no, outcomes, notices, "a result is applied");
        }
        Taken::Repeated => tracing::debug!(attempt = %attempt.no, "nothing new"),
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

/// Keeps an answer that cannot be used, as evidence, and tells somebody.
///
/// # Errors
/// Where the store fails.
pub async fn hold(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<(), FlowError> {
    let digest = sha256(bytes);
    let evidence = seal_evidence(&ctx.sealer, &bank.code, &digest, bytes);
    let new = ctx
        .store
        .hold_result(&bank.code, name, &digest, Some(attempt), why, evidence, ctx.now_ms())
        .await?;
    if new {
        tracing::warn!(attempt = %attempt.no, bank = bank.code, why, "an answer is held as a whole");
    }
    Ok(())
}

/// Keeps what cannot be said to be about any attempt, and tells somebody.
pub(super) async fn hold_unknown(
    ctx: &Ctx,
    bank: &Bank,
    name: &str,
    bytes: &[u8],
    why: &str,
) -> Result<(), FlowError> {
    let digest = sha256(bytes);
    let evidence = seal_evidence(&ctx.sealer, &bank.code, &digest, bytes);
    ctx.store.hold_result(&bank.code, name, &digest, None, why, evidence, ctx.now_ms()).await?;
    tracing::warn!(bank = bank.code, why, "a file of the bank is held");
    Ok(())
}
