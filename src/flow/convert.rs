//! Convert: cuts what is unsent into batches, writes each in its bank's format, reads it back and
//! compares it with what finance approved, and makes the INTENT durable.

use crate::flow::sealed::{open_person, seal_part};
use crate::flow::values::{HeadValues, RowValues};
use crate::flow::{Bank, Ctx, FlowError, Progress};
use crate::format::{DataError, Format, Item, Key, MessageKind, Part, Source, Value};
use crate::guard::chain::RowDigest;
use crate::guard::digest::sha256;
use crate::model::alert::AlertKind;
use crate::model::id::{PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::store::cut::{
    CutDue, Cuttable, FormatText, NewBatch, RegisterFacts, SealedPart, StoredPayment,
};

/// # Errors
/// Where the store fails.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    let due = ctx.store.due_to_cut(ctx.duty.funded_only, ctx.now_ms()).await?;
    let mut more = false;
    for share in due {
        let Some(bank) = ctx.banks.get(&share.bank) else { continue };
        match cut_one(ctx, bank, &share).await {
            Ok(cut) => more |= cut,
            Err(cause) if cause.is_fatal() => return Err(cause),
            Err(cause) => {
                tracing::error!(register = %share.register, bank = share.bank, error = %cause, "a batch could not be made");
                let subject = format!("{}/{}", share.register, share.bank);
                let text = format!(
                    "{} 的 {} 部分无法组批：{cause}。款项未发送，请银行技术人员处理",
                    share.register, bank.name
                );
                ctx.store
                    .raise_alert(
                        AlertKind::Convert,
                        &subject,
                        Some(share.register),
                        &text,
                        ctx.now_ms(),
                    )
                    .await?;
            }
        }
    }
    // Payments of a register that is not funded yet, or whose bank is unknown, wait for a change.
    Ok(if more {
        Progress::More
    } else {
        Progress::Idle { until_ms: Some(ctx.now_ms() + ctx.pace.pull_every_ms) }
    })
}

/// Makes one batch of a share; says whether it did.
async fn cut_one(ctx: &Ctx, bank: &Bank, share: &CutDue) -> Result<bool, FlowError> {
    let limits = bank.format.limits();
    let rows_max = limits.rows_max.min(bank.rules.rows_max).max(1);
    let facts = ctx.store.register_facts(share.register).await?;
    if !facts.whole {
        return Err(FlowError::Altered { what: share.register.to_string() });
    }
    let mut cut = ctx.store.cuttable(share.register, &share.bank, rows_max).await?;
    keep_below(&mut cut, limits.sum_max);
    if cut.payments.is_empty() {
        return Ok(false);
    }
    let rows = open_rows(ctx, &facts, &share.bank, &cut.payments)?;
    let reference = next_reference(ctx, bank).await?;
    let head = HeadValues {
        facts: &facts,
        bank: &bank.code,
        reference: &reference,
        at_ms: ctx.now_ms(),
        section: "",
    };
    let written = bank.format.encode(MessageKind::PaymentRequest, &head, &rows).and_then(|parts| {
        read_back(&bank.format, &parts, &reference, &facts.summary, &rows)
            .map(|content| (parts, content))
    });
    let (parts, content) = match written {
        Ok(written) => written,
        Err(cause) => return alert_unwritable(ctx, bank, share.register, &cause).await,
    };
    let new = NewBatch {
        register: share.register,
        bank: bank.code.clone(),
        listed: cut.listed,
        recut_of: cut.recut_of,
        members: cut.payments.iter().map(|payment| (payment.line, payment.amount)).collect(),
        cut_line: cut.cut_line,
        content,
        parts: seal_parts(ctx, &bank.code, &reference, parts),
        reference,
        format: format_text(&bank.format),
    };
    let (batch, attempt) = ctx.store.intend_batch(&new, ctx.now_ms()).await?;
    tracing::info!(%batch, %attempt, register = %share.register, bank = bank.code, payments = rows.len(), "a batch is cut");
    Ok(true)
}

/// A batch's sum stays within what the format declares.
fn keep_below(cut: &mut Cuttable, sum_max: Fen) {
    let mut sum = Fen::ZERO;
    let fits = cut.payments.iter().take_while(|payment| {
        let next = sum.checked_add(payment.amount).filter(|next| *next <= sum_max);
        sum = next.unwrap_or(sum_max);
        next.is_some()
    });
    let keep = fits.count().max(1);
    cut.payments.truncate(keep);
}

/// Opens the payees of a batch, in line order.
///
/// # Errors
/// [`FlowError::Sealed`] names the payment that does not open (I20).
pub fn open_rows(
    ctx: &Ctx,
    facts: &RegisterFacts,
    bank: &str,
    payments: &[StoredPayment],
) -> Result<Vec<RowValues>, FlowError> {
    let open = |(at, payment): (usize, &StoredPayment)| {
        let StoredPayment { line, amount, person, .. } = payment;
        let (person, village) =
            open_person(&ctx.sealer, &facts.head_digest, facts.no, *line, *amount, bank, person)
                .map_err(|source| FlowError::Sealed {
                    what: PaymentId { register: facts.no, line: *line }.to_string(),
                    source,
                })?;
        Ok(RowValues {
            ordinal: i64::try_from(at + 1).unwrap_or(i64::MAX),
            line: *line,
            amount: *amount,
            person,
            village,
        })
    };
    payments.iter().enumerate().map(open).collect()
}

/// Our next reference at a bank: prefix, restore epoch, number. Never used twice (I6).
///
/// # Errors
/// Where the store fails.
pub async fn next_reference(ctx: &Ctx, bank: &Bank) -> Result<String, FlowError> {
    let number = ctx.store.next_number(&format!("reference:{}", bank.code)).await?;
    Ok(format!("{}{:02}{number:010}", bank.rules.reference_prefix, ctx.epoch))
}

/// The format's text, to be kept with what it wrote.
pub fn format_text(format: &Format) -> FormatText {
    FormatText {
        digest: format.digest(),
        name: format.name().to_owned(),
        text: format.text().to_owned(),
    }
}

/// Seals finished parts.
pub fn seal_parts(ctx: &Ctx, bank: &str, reference: &str, parts: Vec<Part>) -> Vec<SealedPart> {
    parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| SealedPart {
            role: part.role.as_str().to_owned(),
            name: part.name,
            committing: part.committing,
            size: i64::try_from(part.bytes.len()).unwrap_or(i64::MAX),
            sha256: sha256(&part.bytes),
            chunks: seal_part(&ctx.sealer, bank, reference, at, &part.bytes),
        })
        .collect()
}

/// What of a payment a bank must be told exactly as finance approved it.
fn digest_row(
    digest: &mut RowDigest,
    ordinal: i64,
    name: &str,
    account: &str,
    amount: Fen,
    summary: &str,
) {
    digest.row("approved").int(ordinal).text(name).text(account).int(amount.get()).text(summary);
}

/// Reads the finished bytes back and compares every payment with what finance approved (I20, I21):
/// payee, account, amount and summary. Returns their digest.
fn read_back(
    format: &Format,
    parts: &[Part],
    reference: &str,
    summary: &str,
    rows: &[RowValues],
) -> Result<[u8; 32], DataError> {
    let differs = |record: usize, field: &str| DataError {
        message: MessageKind::PaymentRequest,
        part: None,
        record,
        field: field.to_owned(),
        offset: None,
        found: String::new(),
        expected: "what finance approved, when the finished bytes are read back".to_owned(),
    };
    let (mut approved, mut rendered) = (RowDigest::new(), RowDigest::new());
    for row in rows {
        digest_row(
            &mut approved,
            row.ordinal,
            &row.person.name,
            &row.person.account,
            row.amount,
            summary,
        );
    }
    let mut reading = format.read(MessageKind::PaymentRequest, parts)?;
    let mut head_summary: Option<String> = None;
    let mut at = 0;
    while let Some(item) = reading.next()? {
        match item {
            Item::Head(head) => {
                if head.text(Key::Reference).is_some_and(|found| found != reference) {
                    return Err(differs(0, "reference"));
                }
                head_summary = head.text(Key::Summary).map(str::to_owned);
            }
            Item::Row(row) => {
                at += 1;
                let Some(Value::Int(ordinal)) = row.get(Key::Ordinal) else {
                    return Err(differs(at, "ordinal"));
                };
                let (Some(name), Some(account), Some(amount)) =
                    (row.text(Key::PayeeName), row.text(Key::Account), row.amount(Key::Amount))
                else {
                    return Err(differs(at, "payee"));
                };
                let told = row.text(Key::Summary).or(head_summary.as_deref()).unwrap_or(summary);
                digest_row(&mut rendered, ordinal, name, account, amount, told);
            }
            Item::BadRow(fault) => return Err(fault),
            Item::Tail(_) => {}
        }
    }
    let (approved, rendered) = (approved.finish(), rendered.finish());
    if at != rows.len() || approved != rendered {
        return Err(differs(0, "payments"));
    }
    Ok(approved)
}

/// The format cannot write this batch: nothing is sent, and somebody is told.
async fn alert_unwritable(
    ctx: &Ctx,
    bank: &Bank,
    register: RegisterNo,
    cause: &DataError,
) -> Result<bool, FlowError> {
    tracing::error!(%register, bank = bank.code, error = %cause, "the format cannot write this batch");
    let subject = format!("{register}/{}", bank.code);
    let text = format!(
        "{register} 的 {} 部分写不成银行文件：{cause}。款项未发送，请银行技术人员检查格式",
        bank.name
    );
    ctx.store
        .raise_alert(AlertKind::Convert, &subject, Some(register), &text, ctx.now_ms())
        .await?;
    Ok(false)
}
