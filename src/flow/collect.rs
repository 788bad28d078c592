//! Collect: takes what banks say - files that arrived, and answers to our questions - and asks
//! where an answer is due. UNKNOWN ends here and in [`crate::flow::answer`] only: by an authoritative
//! answer (I2).

use bytes::Bytes;
use futures_util::future::join_all;

use crate::flow::answer::{acted_on, other_content, read_parts};
use crate::flow::convert::{REFERENCE_DIGITS, open_rows};
use crate::flow::matching::match_rows;
use crate::flow::report::{recipients, report_id};
use crate::flow::sealed::seal_evidence;
use crate::flow::spoken::{door_error, flow_error};
use crate::flow::submit::{found_there, nobody};
use crate::flow::values::HeadValues;
use crate::flow::{Bank, Ctx, FlowError, Progress, expect, unfetched};
use crate::format::{Key, MessageKind, Part, PartRole};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptKind, AttemptState, Heard};
use crate::model::id::{RegisterNo, ResultNo};
use crate::model::profile::AskBy;
use crate::model::report::ReportKind;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::reports::NewReport;
use crate::store::results::{Effects, Taken, TakenResult, can_have_results};
use crate::transport::{Arrival, Asked, DoorError, OutPart};

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
    if more {
        return Ok(Progress::More);
    }
    let look_again = ctx.now_ms() + ctx.pace.arrivals_every_ms;
    let next = ctx.store.next_due_at(&states).await?;
    Ok(Progress::Idle { until_ms: Some(next.map_or(look_again, |next| next.min(look_again))) })
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
async fn cannot_take(
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
    let Some(reference) = known.keys.text(Key::Reference) else {
        return hold_unknown(ctx, bank, &arrival.name, &all, "文件名中没有我方流水号").await;
    };
    let Some(attempt) = ctx.store.attempt_by_reference(&bank.code, reference).await? else {
        if is_ours(bank, reference) {
            let text = format!(
                "{} 送来流水号 {reference} 的文件 {}，这个流水号合乎我方的编号，本系统却没有发过：本系统的数据库可能比实际发出的旧（例如用旧备份恢复）。切勿重新组批。已停止向该行发送；请与该行逐批核对，核对无误后由操作员执行 daifa bank resume {}",
                bank.name, arrival.name, bank.code
            );
            ctx.store.stop_bank(&bank.code, &text, ctx.now_ms()).await?;
        }
        return hold_unknown(ctx, bank, &arrival.name, &all, "我方没有这个流水号").await;
    };
    if attempt.state == AttemptState::Intent {
        return not_ours(ctx, bank, &attempt, &arrival.name, &all).await;
    }
    let parts = arrival
        .parts
        .iter()
        .map(|part| Part {
            role: bank.format.recognise(&part.name).map_or(PartRole::Data, |known| known.role),
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: false,
        })
        .collect();
    take_message(ctx, bank, &attempt, known.kind, &arrival.name, parts).await
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
            take_rows(ctx, bank, attempt, kind, name, &parts).await
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

/// Asks about one attempt what is due to be asked.
async fn ask(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
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
    let facts = ctx.store.register_facts(attempt.register).await?;
    let (questions, mut lying) = (kinds.len(), 0);
    let mut heard_of_it = Heard::Silence;
    for (question, answer_kind) in kinds {
        let head = HeadValues {
            facts: &facts,
            bank: &bank.code,
            reference: &attempt.reference,
            bank_reference: &attempt.bank_reference,
            at_ms: ctx.now_ms(),
            section: "",
            day_sequence: None,
        };
        let none: [crate::flow::values::RowValues; 0] = [];
        let parts = match format.encode(question, &head, &none) {
            Ok(parts) => parts,
            Err(cause) => {
                tracing::error!(attempt = %attempt.no, error = %cause, "the question cannot be written");
                continue;
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
        // The question before it still lies there: another one of its name would only stand in its way.
        if parts.iter().any(|part| ctx.unfetched.has_name(&bank.code, &part.name)) {
            tracing::debug!(attempt = %attempt.no, "the question before it was not picked up yet");
            lying += 1;
            continue;
        }
        match bank.door.ask(&parts).await {
            Asked::Answer(bytes) => {
                return heard(ctx, bank, attempt, question, answer_kind, &bytes, every).await;
            }
            Asked::Posted => {
                tracing::debug!(attempt = %attempt.no, "the question was left for the bank");
                heard_of_it = Heard::Posted;
            }
            Asked::Failed { cause } => {
                tracing::warn!(attempt = %attempt.no, bank = bank.code, cause, "the bank could not be asked");
            }
        }
    }
    let now = ctx.now_ms();
    if lying == questions {
        return Ok(ctx.store.wait(attempt, now + every).await?);
    }
    Ok(ctx.store.asked(attempt, Some(now + every), heard_of_it, now).await?)
}

/// There is no question for the bank: all is said that can be, or its files are waited for - or it
/// cannot be asked about what nobody knows, and people must find out (design 4.2).
async fn nothing_to_ask(ctx: &Ctx, bank: &Bank, attempt: &Attempt) -> Result<(), FlowError> {
    let now = ctx.now_ms();
    if attempt.state != AttemptState::Unknown {
        if attempt.pending == 0 {
            ctx.store.returns_told(attempt, None, now).await?;
        }
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

/// Which questions an attempt needs now, each with the kind of its answer, and when to ask again.
fn questions(
    bank: &Bank,
    attempt: &Attempt,
    now_ms: i64,
    format: &crate::format::Format,
) -> (Vec<(MessageKind, MessageKind)>, i64) {
    use MessageKind as M;
    let refund = attempt.kind == AttemptKind::Refund;
    if refund || attempt.state == AttemptState::Unknown || attempt.pending > 0 {
        let question = if refund {
            (M::RefundQuery, M::RefundAnswer)
        } else {
            (M::StatusQuery, M::StatusAnswer)
        };
        let asked = bank.rules.answers.can_ask(attempt, format).then_some(question);
        return (asked.into_iter().collect(), bank.rules.ask_every_ms);
    }
    let window = attempt.sent_at_ms.unwrap_or(attempt.made_at_ms) + bank.rules.return_window_ms;
    if now_ms >= window {
        return (Vec::new(), 0);
    }
    // Notices and returns are asked for in turn, one answer at a time.
    let mut all = vec![(M::NoticeQuery, M::Notice), (M::ReturnQuery, M::LateReturn)];
    all.retain(|(question, _)| format.has(*question));
    if !all.is_empty() {
        let turn = usize::try_from(attempt.asks).unwrap_or_default() % all.len();
        all = vec![all[turn]];
    }
    (all, bank.rules.return_every_ms)
}

/// The bank answered a question.
async fn heard(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    question: MessageKind,
    kind: MessageKind,
    bytes: &Bytes,
    every: i64,
) -> Result<(), FlowError> {
    let name = format!("{question} {}", attempt.reference);
    let part = Part {
        role: PartRole::Message,
        name: String::new(),
        bytes: bytes.to_vec(),
        committing: false,
    };
    if matches!(kind, MessageKind::Notice | MessageKind::LateReturn) {
        return take_rows(ctx, bank, attempt, kind, &name, &[part]).await;
    }
    match read_parts(ctx, bank, attempt, kind, vec![part]).await? {
        Ok(answer) => acted_on(ctx, bank, attempt, &answer).await,
        Err(why) => {
            hold(ctx, bank, attempt, &name, bytes, &why).await?;
            let now = ctx.now_ms();
            Ok(ctx.store.asked(attempt, Some(now + every), Heard::Unclear, now).await?)
        }
    }
}

/// Takes the rows of a result: applied or quarantined, in one transaction, or the whole is held.
pub(super) async fn take_rows(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kind: MessageKind,
    name: &str,
    parts: &[Part],
) -> Result<(), FlowError> {
    let bytes = joined(parts);
    let digest = sha256(&bytes);
    let Some(batch) = attempt.batch.filter(|_| can_have_results(attempt.state)) else {
        let why = format!("{} 的状态是“{}”，不应有结果", attempt.no, attempt.state.chinese());
        return hold(ctx, bank, attempt, name, &bytes, &why).await;
    };
    let Some(format) = ctx.format_of(bank, &attempt.format_digest).await? else {
        return hold(ctx, bank, attempt, name, &bytes, "发送时所用的格式已无法读取").await;
    };
    let facts = ctx.store.register_facts(attempt.register).await?;
    let payments = ctx.store.members(batch).await?;
    let members = open_rows(ctx, &facts, &attempt.bank, &payments)?;
    let matched = match match_rows(&format, kind, parts, attempt.no, &members, &ctx.sealer) {
        Ok(matched) => matched,
        Err(why) => return hold(ctx, bank, attempt, name, &bytes, &why).await,
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
        again_at_ms: ctx.now_ms() + bank.rules.ask_every_ms,
        expects: expect::when_answered(bank, attempt, &format, ctx.now_ms()),
    };
    let town_of_line: std::collections::HashMap<i64, i64> =
        payments.iter().map(|payment| (payment.line, payment.town)).collect();
    let follow = |result: ResultNo, effects: &Effects| {
        let reports =
            [(ReportKind::Results, &effects.outcomes), (ReportKind::Notices, &effects.notices)];
        reports
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .flat_map(|(kind, lines)| {
                let towns: std::collections::BTreeSet<i64> = lines
                    .iter()
                    .filter_map(|line| town_of_line.get(line))
                    .copied()
                    .filter(|town| *town > 0)
                    .collect();
                let towns: Vec<i64> = towns.into_iter().collect();
                row_reports(ctx, attempt, &facts.department, kind, result.0, &towns)
            })
            .collect()
    };
    match ctx.store.take_result(attempt, taken, &follow, ctx.now_ms()).await? {
        Taken::Applied { result, outcomes, notices } => {
            let subject = attempt.no.to_string();
            ctx.store.clear_alert(AlertKind::Vanished, &subject, ctx.now_ms()).await?;
            tracing::info!(%result, attempt = %attempt.no, outcomes, notices, "a result is applied");
        }
        Taken::Repeated => tracing::debug!(attempt = %attempt.no, "nothing new"),
    }
    if kind == MessageKind::LateReturn {
        let (now, next) =
            (ctx.now_ms(), expect::word_on_returns(bank, attempt, &format, ctx.now_ms()));
        ctx.store.returns_told(attempt, next, now).await?;
    }
    Ok(())
}

/// When to ask next about an attempt all of whose payments are answered for.
fn next_question(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    format: &crate::format::Format,
) -> Option<i64> {
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

async fn hold_unknown(
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
