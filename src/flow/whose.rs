//! Which attempt a message of a bank is about, and what is done where there is none that it could be
//! about.

use crate::flow::answer::{WholeAnswer, acted_on, other_content, read_parts};
use crate::flow::convert::REFERENCE_DIGITS;
use crate::flow::held::{hold, hold_unknown, joined};
use crate::flow::taking::take_rows;
use crate::flow::waits::Told;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Key, MessageKind, Part, Record};
use crate::model::attempt::{Answer, AttemptEvent, AttemptState};
use crate::store::attempts::{Attempt, Conclusion};

pub(super) fn names_an_attempt(said: &Record) -> bool {
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
        if let Some(code) =
            ctx.store.former_bank_of(&ctx.bank_codes(), &bank.code, reference).await?
        {
            return Err(FlowError::Renamed { reference: reference.to_owned(), code });
        }
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
        AttemptState::Intent | AttemptState::ByHand => {
            not_ours(ctx, bank, &attempt, name, bytes).await?;
        }
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

/// Why it does not count that a bank does not find what it was not asked about (I2).
pub(super) const UNASKED: &str = "银行未经询问称“查无此笔”，不作为重发的依据，仍以查询的答复为准";

/// That what was handed over is not found is no answer to it: whoever has read it has it.
fn is_unasked(kind: MessageKind, said: &WholeAnswer) -> bool {
    kind == MessageKind::Acknowledgement && said.answer == Answer::NotFound
}

/// Takes a message about an attempt, of whatever kind.
pub(super) async fn take_message(
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
                Ok(said) if is_unasked(kind, &said) => {
                    hold(ctx, bank, attempt, name, &joined(&parts), UNASKED).await
                }
                Ok(said) => acted_on(ctx, bank, attempt, &said, Told::InFile).await,
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
