//! Pushed: takes what a bank called in and the listener made durable. From here on it is an answer like
//! any other; only that nobody asked for it, and that it has no file name to say what it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::flow::answer::{acted_on, read_parts};
use crate::flow::beside::{Gathered, Taken, gather};
use crate::flow::convert::end_alerts;
use crate::flow::held::{cannot_take, hold, hold_unknown, joined};
use crate::flow::opening;
use crate::flow::sealed::{open_evidence, seal_evidence};
use crate::flow::taking::take_rows;
use crate::flow::waits::Told;
use crate::flow::whose::{self, UNASKED, attempt_of};
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Format, Item, Key, MessageKind, Part, PartRole, Record};
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::attempt::Answer;
use crate::store::StoreError;
use crate::store::attempts::Attempt;
use crate::store::pushed::{Pushed, WaitingPushes};

/// What a bank may tell us without being asked.
const TOLD: [MessageKind; 6] = [
    MessageKind::Result,
    MessageKind::LateReturn,
    MessageKind::Notice,
    MessageKind::Acknowledgement,
    MessageKind::StatusAnswer,
    MessageKind::RefundAnswer,
];

/// Pushes looked at in one step and bank.
const PER_STEP: usize = 64;
/// So long, in milliseconds, a push that names a number of the bank's which nobody knows waits for the answer that
/// tells it: a bank may call while its answer to what we sent is still on the way.
const NUMBER_COMES_MS: i64 = 600_000;

/// The kinds of message that a bank with this format can push, and the role of what is said: a message by
/// itself, or one that names the files beside it.
fn pushable(format: &Format) -> impl Iterator<Item = (MessageKind, PartRole)> + '_ {
    TOLD.into_iter().filter_map(|kind| {
        let whole = format.parts(kind).count() == 1 || format.names_files_beside(kind);
        (whole && names_an_attempt(format, kind)).then(|| (kind, format.spoken_role(kind)))
    })
}

fn names_an_attempt(format: &Format, kind: MessageKind) -> bool {
    [Key::Reference, Key::BankReference].iter().any(|key| format.asks_for(kind, *key))
}

/// Has this format anything that can be called in?
pub fn can_be_pushed(format: &Format) -> bool {
    pushable(format).next().is_some()
}

/// Makes durable what came on a bank's line beside the answer that was waited for. Whether it lay there by then is
/// chance, so what says no decides nothing, and is kept for people. What says that the bank has something can only
/// keep that from being done again: it is read like what a bank calls in.
///
/// # Errors
/// Where the store fails.
pub(super) async fn keep_unasked(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    for bytes in bank.doors.unasked() {
        let digest = sha256(&bytes);
        let item = || opening::Item::new(&["unasked", &bank.code], digest);
        let read = ctx.opening.open(item, || recognised(&bank.format, &bytes));
        let says_yes = matches!(read, Ok(Ok((kind, head))) if {
            let answer = bank.format.answer(kind, head.text(Key::Code).unwrap_or_default());
            !matches!(answer, Some(Answer::Refused | Answer::NotFound))
        });
        if says_yes {
            let sealed = seal_evidence(&ctx.sealer, &bank.code, &digest, &bytes);
            ctx.store.keep_push(&bank.code, &digest, bytes.len(), sealed, ctx.now_ms()).await?;
        } else {
            hold_unknown(ctx, bank, "unasked", &bytes, "应答之外，线路上另有一份报文").await?;
        }
    }
    Ok(())
}

/// Takes what waits of one bank; says whether anything was got out of the way.
///
/// # Errors
/// Where the store fails.
pub(super) async fn step(ctx: &Ctx, bank: &Bank) -> Result<bool, FlowError> {
    let due = ctx.store.due_pushes(&bank.code, ctx.now_ms(), PER_STEP).await?;
    let mut moved = false;
    for pushed in &due {
        let name = format!("push-{}", pushed.no);
        match understand(ctx, bank, &name, pushed).await {
            Ok(Some(beside)) => {
                ctx.store.push_taken(&bank.code, pushed.no, ctx.now_ms()).await?;
                beside.put_away(bank).await;
            }
            // The file that it names is not there yet.
            Ok(None) => {
                ctx.store.push_waits(pushed.no, ctx.now_ms() + bank.rules.ask_every_ms).await?;
            }
            // Another step moved the attempt meanwhile: it is read again at once.
            Err(FlowError::Store(StoreError::Moved { .. })) => {}
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(FlowError::Early { .. }) => {
                tracing::info!(
                    bank = bank.code,
                    name,
                    "it waits for the answer that tells the bank's numbers"
                );
                ctx.store.push_waits(pushed.no, ctx.now_ms() + bank.rules.ask_every_ms).await?;
            }
            Err(cause) => {
                cannot_take(ctx, bank, None, &name, &cause).await?;
                let again = ctx.now_ms() + bank.rules.return_every_ms;
                ctx.store.push_waits(pushed.no, again).await?;
            }
        }
        moved = true;
    }
    Ok(moved)
}

/// What a bank called in that has left the config since is read by nobody, and somebody is told until it is
/// back: it may say what became of money that is in flight.
///
/// # Errors
/// Where the store fails.
pub(super) async fn look(ctx: &Ctx) -> Result<(), FlowError> {
    let mut unheard = BTreeSet::new();
    for waiting in ctx.store.waiting_pushes().await? {
        if ctx.banks.contains_key(&waiting.bank) {
            continue;
        }
        let WaitingPushes { bank, count } = waiting;
        let text = format!(
            "银行 {bank} 推送来的报文有 {count} 份无人读取：该行已不在配置中。报文已原样封存，其中可能有款项的结果；请恢复该行的配置，系统会自动读取"
        );
        if ctx.store.raise_alert(AlertKind::Unheard, &bank, None, &text, ctx.now_ms()).await? {
            tracing::error!(
                bank,
                count,
                "what this bank pushed is read by nobody: it is not in the config"
            );
        }
        unheard.insert(bank);
    }
    end_alerts(ctx, AlertKind::Unheard, &unheard).await
}

/// Takes what was called in, and says which files it had beside it; nothing where these are waited for.
async fn understand<'b>(
    ctx: &Ctx,
    bank: &'b Bank,
    name: &str,
    pushed: &Pushed,
) -> Result<Option<Taken<'b>>, FlowError> {
    let Pushed { digest, bytes, .. } = pushed;
    let bytes = open_evidence(&ctx.sealer, &bank.code, digest, bytes)
        .map_err(|source| FlowError::Sealed { what: name.to_owned(), source })?;
    let none = || Some(Taken::default());
    let item = || opening::Item::new(&["head", &bank.code, name], *digest);
    let mut format = Arc::clone(&bank.format);
    let read = |format: &Format| {
        let read = ctx.opening.open(item, || recognised(format, &bytes));
        read.unwrap_or_else(|why| Err(why.chinese()))
    };
    let mut known = read(&format);
    if known.is_err() {
        for earlier in ctx.earlier_formats(bank).await? {
            let found = read(&earlier);
            if found.is_ok() {
                (known, format) = (found, earlier);
                break;
            }
        }
    }
    let (kind, head) = match known {
        Ok(known) => known,
        Err(why) => {
            hold_unknown(ctx, bank, name, &bytes, why).await?;
            return Ok(none());
        }
    };
    if ctx.now_ms() - pushed.came_at_ms < NUMBER_COMES_MS
        && head.text(Key::Reference).is_none()
        && let Some(number) = head.text(Key::BankReference)
        && ctx.store.attempts_by_bank_reference(&bank.code, number).await?.is_empty()
    {
        return Err(FlowError::Early { what: name.to_owned() });
    }
    let Some(attempt) = attempt_of(ctx, bank, &head, name, &bytes).await? else {
        return Ok(none());
    };
    let bytes = Bytes::from(bytes);
    let (parts, beside) = match gather(ctx, bank, &format, kind, &bytes).await? {
        Gathered::Whole(parts, beside) => (parts, beside),
        Gathered::NotYet(_) => return Ok(None),
        Gathered::Unreadable(why) => {
            hold(ctx, bank, &attempt, name, &bytes, &why).await?;
            return Ok(none());
        }
    };
    let taken = match kind {
        MessageKind::Result | MessageKind::LateReturn | MessageKind::Notice => {
            take_rows(ctx, bank, &attempt, kind, name, &parts).await?
        }
        _ => take_whole(ctx, bank, &attempt, kind, name, parts).await?,
    };
    Ok(if taken { Some(beside) } else { none() })
}

/// The one kind of message that this is, read to its end, with what it says of the whole. Where it is none to its end,
/// the one kind that it begins like: what is wrong with it is told of its attempt then.
fn recognised(format: &Format, bytes: &[u8]) -> Result<(MessageKind, Record), &'static str> {
    let mut found = None;
    let mut begun = Vec::new();
    for (kind, role) in pushable(format) {
        let head = if format.has_files_beside(kind) {
            format.files_named(kind, bytes).map(|named| named.head)
        } else {
            let name = String::new();
            let part = Part { role, name, bytes: bytes.to_vec(), committing: false };
            format.read_head(kind, &[part])
        };
        let Ok(head) = head else {
            begun.extend(beginning(format, kind, role, bytes).map(|head| (kind, head)));
            continue;
        };
        if found.is_some() {
            return Err("报文合乎该行格式中的两种报文，无法判断是哪一种");
        }
        found = Some((kind, head));
    }
    if let (None, 1) = (&found, begun.len()) {
        found = begun.pop();
    }
    found.ok_or("报文不合乎该行格式中的任何一种答复")
}

/// The head of what begins like a message of this kind, where that names an attempt.
fn beginning(format: &Format, kind: MessageKind, role: PartRole, bytes: &[u8]) -> Option<Record> {
    let part = Part { role, name: String::new(), bytes: bytes.to_vec(), committing: false };
    let parts = [part];
    let mut reading = format.read(kind, &parts).ok()?;
    match reading.next() {
        Ok(Some(Item::Head(head))) if whose::names_an_attempt(head) => Some(head.clone()),
        _ => None,
    }
}

/// What the bank says about the whole of an attempt; says whether it was taken. That it is not found it says in
/// vain: that counts where it is the answer to a question that was asked late enough, and nobody knows how
/// old this is (I2).
async fn take_whole(
    ctx: &Ctx,
    bank: &Bank,
    attempt: &Attempt,
    kind: MessageKind,
    name: &str,
    parts: Vec<Part>,
) -> Result<bool, FlowError> {
    let bytes = joined(&parts);
    let why = match read_parts(ctx, bank, attempt, kind, parts).await? {
        Ok(said) if said.answer == Answer::NotFound => UNASKED.to_owned(),
        Ok(said) => {
            acted_on(ctx, bank, attempt, &said, Told::Unasked).await?;
            return Ok(true);
        }
        Err(why) => why,
    };
    hold(ctx, bank, attempt, name, &bytes, &why).await?;
    Ok(false)
}
