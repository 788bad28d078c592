//! Files beside messages: an answer on a line may name a file that the bank leaves in its folder, and a message
//! of ours names one that we leave there.
//!
//! The answer is both, and is taken as one: a file that is not there, or not whole, is an answer that has not
//! come, and the bank is asked again. The file is put away once what it says is durable. A stop between the
//! two leaves it where it lies: then nobody names it any more, so the bank is asked once more about what it
//! is called after, and the same answer comes to the same end. What is not ended by that is told of.
//!
//! What was last seen is kept in memory alone; it moves no money and no state.

mod seen;

use bytes::Bytes;

use crate::clock::local_text;
use crate::flow::asking::ask_once;
pub use crate::flow::beside::seen::{LOOKS_MAX, SideFiles};
use crate::flow::beside::seen::{Late, OURS};
use crate::flow::opening::Item;
use crate::flow::spoken::{data_error, door_error};
use crate::flow::submit::stored_parts;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Format, Key, MessageKind, Part};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::AttemptState;
use crate::store::attempts::Attempt;
use crate::transport::{Arrival, DoorError, Transport};

/// A file is not called late before this, in milliseconds.
const LATE_MIN_MS: i64 = 60_000;

/// An answer on a line, with what stands beside it.
pub(super) enum Gathered<'b> {
    Whole(Vec<Part>, Taken<'b>),
    /// This file is not there yet, or not whole.
    NotYet(String),
    /// Why it cannot be read, in Chinese.
    Unreadable(String),
}

/// Files that were read with an answer, each with the door that it came by.
#[derive(Default)]
pub(super) struct Taken<'b>(Vec<(&'b dyn Transport, Arrival)>);

impl Taken<'_> {
    /// Puts them away: what they say is durable. What cannot be put away is seen again, and told of.
    pub async fn put_away(self, bank: &Bank) {
        for (door, arrival) in self.0 {
            if let Err(cause) = door.archive(&arrival).await {
                tracing::warn!(bank = bank.code, name = arrival.name, error = %cause, "a file beside an answer was not put away");
            }
        }
    }
}

/// Puts an answer together: what was said, and the files that it names.
///
/// # Errors
/// Where the store fails.
pub(super) async fn gather<'b>(
    ctx: &Ctx,
    bank: &'b Bank,
    format: &Format,
    kind: MessageKind,
    bytes: &Bytes,
) -> Result<Gathered<'b>, FlowError> {
    let role = format.spoken_role(kind);
    let spoken = Part { role, name: String::new(), bytes: bytes.to_vec(), committing: true };
    if !format.has_files_beside(kind) {
        return Ok(Gathered::Whole(vec![spoken], Taken::default()));
    }
    let item = || Item::new(&["beside", &bank.code, kind.as_str()], sha256(bytes));
    let named = match ctx.opening.open(item, || format.files_named(kind, bytes)) {
        Ok(Ok(named)) => named,
        Err(why) => return Ok(Gathered::Unreadable(why.chinese().to_owned())),
        Ok(Err(fault)) => {
            tracing::warn!(bank = bank.code, %fault, "an answer does not tell its file");
            return Ok(Gathered::Unreadable(data_error(&fault)));
        }
    };
    let (mut parts, mut taken) = (Vec::new(), Taken::default());
    for (role, name) in named.files {
        let (door, arrival) = match fetch(bank, &name).await {
            Ok(found) => found,
            Err(DoorError::TooLarge { .. } | DoorError::NotAFile(_) | DoorError::Name(_)) => {
                return Ok(Gathered::Unreadable(format!("报文所指的文件 {name} 无法读取")));
            }
            Err(cause) => {
                tracing::info!(bank = bank.code, name, error = %cause, "an answer waits for the file that it names");
                is_missing(ctx, bank, &name, &cause).await?;
                return Ok(Gathered::NotYet(name));
            }
        };
        let Some(part) = arrival.only(&name) else {
            return Ok(Gathered::Unreadable(format!("与文件 {name} 同名的还有别的文件，无法判断")));
        };
        parts.push(Part {
            role,
            name: name.clone(),
            bytes: part.bytes.to_vec(),
            committing: false,
        });
        taken.0.push((door, arrival));
        ctx.side_files.is_there(&bank.code, &name);
    }
    parts.push(spoken);
    Ok(Gathered::Whole(parts, taken))
}

/// Fetches a file by whichever door of the bank has it.
async fn fetch<'b>(bank: &'b Bank, name: &str) -> Result<(&'b dyn Transport, Arrival), DoorError> {
    let mut why = DoorError::Gone(name.to_owned());
    for door in bank.doors.folders() {
        match door.fetch(name).await {
            Ok(arrival) => return Ok((door, arrival)),
            Err(DoorError::NoArrivals | DoorError::Gone(_)) => {}
            Err(cause) => why = cause,
        }
    }
    Err(why)
}

/// Tells somebody of a file that was named long ago and is not there.
async fn is_missing(
    ctx: &Ctx,
    bank: &Bank,
    name: &str,
    cause: &DoorError,
) -> Result<(), FlowError> {
    let times = (ctx.now_ms(), ctx.clock.running_ms());
    let waits = (bank.rules.ask_after_ms.max(LATE_MIN_MS), patience_ms(bank));
    let Some(since_ms) = ctx.side_files.is_missing(&bank.code, name, times, waits) else {
        return Ok(());
    };
    let text = format!(
        "{} 的答复指明附有文件 {name}，但从 {} 起一直读不到完整的文件（{}）。到齐之前答复不作处理，系统会继续查询；请联系该行补送该文件",
        bank.name,
        local_text(since_ms),
        door_error(cause)
    );
    let (kind, subject) = (AlertKind::SideFile, format!("{}/{name}", bank.code));
    ctx.store.raise_alert(kind, &subject, None, &text, ctx.now_ms()).await?;
    Ok(())
}

/// So long after it was left a file has been named by whatever is asked for.
fn patience_ms(bank: &Bank) -> i64 {
    (bank.rules.ask_after_ms + 2 * bank.rules.return_every_ms).max(LATE_MIN_MS)
}

/// Ends the alerts about files beside messages of a bank that are over. It is looked at all of them together,
/// since one may end by what nobody asks for any more, or while this process did not run.
///
/// # Errors
/// Where the store fails.
pub(super) async fn end(ctx: &Ctx, bank: &str) -> Result<(), FlowError> {
    // What is raised is seen before, and read after: nobody's alert is ended between the two.
    let raised = ctx.store.standing_alerts(AlertKind::SideFile).await?;
    let standing = ctx.side_files.standing(bank, ctx.clock.running_ms());
    for subject in raised.iter().filter(|subject| bank_of(subject) == bank) {
        if !standing.contains(subject) {
            ctx.store.clear_alert(AlertKind::SideFile, subject, ctx.now_ms()).await?;
        }
    }
    Ok(())
}

/// The bank that an alert about files beside messages is about.
fn bank_of(subject: &str) -> &str {
    subject.split_once('/').map_or(subject, |(bank, _)| bank)
}

/// Ends those of banks that are not in the config any more: nobody looks for their files.
///
/// # Errors
/// Where the store fails.
pub(super) async fn end_of_others(ctx: &Ctx) -> Result<(), FlowError> {
    for subject in ctx.store.standing_alerts(AlertKind::SideFile).await? {
        if !ctx.banks.contains_key(bank_of(&subject)) {
            ctx.store.clear_alert(AlertKind::SideFile, &subject, ctx.now_ms()).await?;
        }
    }
    Ok(())
}

/// Is a file of this name none by itself, but one that a message names?
pub(super) fn waits_for_its_message(bank: &Bank, name: &str) -> bool {
    let known = bank.format.recognise(name);
    known.is_some_and(|known| bank.format.has_files_beside(known.kind))
}

/// What a message is asked for with.
const fn question_for(kind: MessageKind) -> Option<MessageKind> {
    use MessageKind as M;
    match kind {
        M::StatusAnswer => Some(M::StatusQuery),
        M::RefundAnswer => Some(M::RefundQuery),
        M::Notice => Some(M::NoticeQuery),
        M::LateReturn => Some(M::ReturnQuery),
        _ => None,
    }
}

/// Looks after the files that lie there for a message to name them: where the message was taken before and
/// the file was not put away, it is asked for once more; of one that nobody names somebody is told.
///
/// # Errors
/// Where the store fails.
pub(super) async fn look_after(
    ctx: &Ctx,
    bank: &Bank,
    lying: Vec<String>,
) -> Result<(), FlowError> {
    let seen = ctx.side_files.lie_there(
        &bank.code,
        lying,
        (ctx.now_ms(), ctx.clock.running_ms()),
        (patience_ms(bank), bank.rules.ask_every_ms, bank.rules.return_every_ms),
    );
    for name in seen.to_ask {
        ask_again(ctx, bank, &name).await?;
    }
    let Some(Late { count, name, since_ms }) = seen.late else { return Ok(()) };
    tracing::warn!(bank = bank.code, files = count, name, "files that no message names");
    let text = format!(
        "{} 留下的文件有 {count} 个一直没有报文提到（例如 {name}，从 {} 起），尚未读取，仍在原处。请与该行核对这些文件属于哪一份答复；已经核对无用的，请人工移走",
        bank.name,
        local_text(since_ms)
    );
    ctx.store.raise_alert(AlertKind::SideFile, &bank.code, None, &text, ctx.now_ms()).await?;
    Ok(())
}

/// Asks once more about what a file is called after, where nobody would ask by itself: its answer may have
/// been taken, and the file been left by a stop.
async fn ask_again(ctx: &Ctx, bank: &Bank, name: &str) -> Result<(), FlowError> {
    let Some(known) = bank.format.recognise(name) else { return Ok(()) };
    let Some(question) = question_for(known.kind) else { return Ok(()) };
    let Some(reference) = known.keys.text(Key::Reference) else { return Ok(()) };
    let Some(attempt) = ctx.store.attempt_by_reference(&bank.code, reference).await? else {
        return Ok(());
    };
    let is_over = matches!(attempt.state, AttemptState::Accepted | AttemptState::Refused);
    if !is_over || attempt.pending > 0 {
        return Ok(());
    }
    tracing::info!(attempt = %attempt.no, bank = bank.code, name, "its answer left a file, and is asked for once more");
    match ask_once(ctx, bank, &attempt, question, known.kind).await {
        Err(cause) if !cause.is_fatal() => {
            tracing::info!(attempt = %attempt.no, error = %cause, "what it was answered was not taken");
            Ok(())
        }
        other => other,
    }
}

/// Clears away files of ours whose message never left: their attempt was written anew under another
/// reference, and no message will ever name them. What has other bytes than we left stays as it is.
///
/// # Errors
/// Where the store fails.
pub(super) async fn clear_away(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    let mut failed: Option<String> = None;
    for door in bank.doors.folders() {
        let names = match door.beside().await {
            Ok(names) => names,
            Err(cause) => {
                tracing::debug!(bank = bank.code, error = %cause, "files beside messages could not be listed");
                return Ok(());
            }
        };
        for name in ctx.side_files.not_judged(&bank.code, names) {
            match withdrawn(ctx, bank, &name).await? {
                Ours::Undecided => {}
                Ours::Named => ctx.side_files.is_judged(&bank.code, &name),
                Ours::Withdrawn(attempt) => {
                    if let Err(why) = clear(ctx, bank, door, &attempt).await? {
                        tracing::warn!(
                            bank = bank.code,
                            name,
                            why,
                            "a file that no message names stays at the bank"
                        );
                        failed = Some(name);
                    } else {
                        ctx.side_files.is_judged(&bank.code, &name);
                    }
                }
            }
        }
    }
    ctx.side_files.stick(&bank.code, failed.is_some());
    let Some(name) = failed else { return Ok(()) };
    let text = format!(
        "{} 的目录中留有本系统的文件 {name}，所属报文从未送出并已作废，系统无法清除。该文件含有个人信息，请联系该行删除",
        bank.name
    );
    let subject = format!("{}/{OURS}", bank.code);
    ctx.store.raise_alert(AlertKind::SideFile, &subject, None, &text, ctx.now_ms()).await?;
    Ok(())
}

/// What a file of ours that lies at the bank is.
enum Ours {
    /// Its message may still leave.
    Undecided,
    /// Its message left or may have left, or nobody here knows it.
    Named,
    /// Its message never left, and never will.
    Withdrawn(Box<Attempt>),
}

async fn withdrawn(ctx: &Ctx, bank: &Bank, name: &str) -> Result<Ours, FlowError> {
    let known = bank.format.recognise(name);
    let request = |kind| matches!(kind, MessageKind::PaymentRequest | MessageKind::RefundRequest);
    let reference = known
        .as_ref()
        .filter(|known| request(known.kind))
        .and_then(|known| known.keys.text(Key::Reference));
    let Some(reference) = reference else { return Ok(Ours::Named) };
    let Some(attempt) = ctx.store.attempt_by_reference(&bank.code, reference).await? else {
        return Ok(Ours::Named);
    };
    Ok(match attempt.state {
        AttemptState::Closed => Ours::Withdrawn(Box::new(attempt)),
        AttemptState::Intent | AttemptState::Sending | AttemptState::NotSent => Ours::Undecided,
        AttemptState::Accepted
        | AttemptState::Refused
        | AttemptState::Unknown
        | AttemptState::Stopped
        | AttemptState::ByHand => Ours::Named,
    })
}

/// Inner: why its files could not be cleared away.
async fn clear(
    ctx: &Ctx,
    bank: &Bank,
    door: &dyn Transport,
    attempt: &Attempt,
) -> Result<Result<(), String>, FlowError> {
    let parts = match stored_parts(ctx, attempt).await {
        Ok(parts) => parts,
        Err(cause) if cause.is_fatal() => return Err(cause),
        Err(cause) => return Ok(Err(cause.to_string())),
    };
    Ok(match door.clear(&parts).await {
        Ok(cleared) => {
            tracing::info!(attempt = %attempt.no, bank = bank.code, cleared, "a file whose message never left is cleared away");
            Ok(())
        }
        Err(cause) => Err(cause.to_string()),
    })
}
