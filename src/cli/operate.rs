//! `daifa register`, `daifa batch` and `daifa clock`: what an operator looks at and decides, beside a running
//! daemon.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Deserialize;

use crate::cli::{attach, counted, say};
use crate::clock::{Clock, local_text};
use crate::lifecycle::Exit;
use crate::model::id::{BatchNo, PaymentId, RegisterNo};
use crate::store::clock::Anchor;
use crate::store::holds::{Decision, Standing};
use crate::store::{Store, StoreError};

/// A name or a reason: nobody decides for nothing.
fn said(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("expected a name or a reason, not blanks".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

#[derive(Debug, Subcommand)]
pub enum RegisterCommand {
    /// Show a register: its places, batches and what is set aside.
    Show {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Like R12.
        register: String,
    },
    /// Release a payment that is set aside: it is sent.
    Release(Decide),
    /// Drop a payment that is set aside: its money goes back to finance.
    Drop(Decide),
}

#[derive(Debug, clap::Args)]
pub struct Decide {
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who decides; it is journalled and cannot be changed.
    #[arg(long, value_parser = said)]
    by: String,
    /// Why.
    #[arg(long, value_parser = said)]
    why: String,
    /// Like R12-345; several are possible.
    #[arg(required = true)]
    payments: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum BatchCommand {
    /// Cut a batch again that the bank refused, or that provably never left: its payments go as new batches.
    Recut {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who commands it; it is journalled.
        #[arg(long, value_parser = said)]
        by: String,
        /// Like B7.
        batch: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum BankCommand {
    /// Send to a bank again, to which sending was stopped: it knew more than this database, or rests after
    /// a run of refused or unknown attempts.
    Resume {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who commands it; it is journalled.
        #[arg(long, value_parser = said)]
        by: String,
        /// What was compared with the bank, and with whom.
        #[arg(long, value_parser = said)]
        why: String,
        /// The bank's code in the config.
        bank: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Say that the time of day is right, after it was set by more than time passed.
    Accept {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Who says so; it is journalled.
        #[arg(long, value_parser = said)]
        by: String,
    },
}

pub async fn clock(command: ClockCommand, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let ClockCommand::Accept { config, by } = command;
    let (_, store) = attach(&config).await?;
    let anchor = Anchor::of(clock.as_ref());
    store.accept_clock(&anchor, &by).await?;
    say(format_args!("{} is the time from now on", local_text(anchor.seen_at_ms)))?;
    Ok(Exit::Done)
}

pub async fn bank(command: BankCommand, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let BankCommand::Resume { config, by, why, bank } = command;
    let (config, store) = attach(&config).await?;
    if !config.banks.iter().any(|known| known.code == bank) {
        return Err(anyhow::anyhow!("there is no bank {bank:?} in the config"));
    }
    if store.resume_bank(&bank, &by, &why, clock.now_ms()).await? {
        say(format_args!(
            "sending to {bank} goes on; batches that it has with other content stay stopped"
        ))?;
    } else {
        say(format_args!("sending to {bank} was not stopped"))?;
    }
    Ok(Exit::Done)
}

pub async fn register(command: RegisterCommand, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    match command {
        RegisterCommand::Show { config, register } => {
            let (_, store) = attach(&config).await?;
            let no = RegisterNo::parse(&register)
                .with_context(|| format!("{register:?} is not a register like R12"))?;
            show(&store, no).await
        }
        RegisterCommand::Release(decide) => decide_all(decide, Decision::Release, clock).await,
        RegisterCommand::Drop(decide) => decide_all(decide, Decision::Drop, clock).await,
    }
}

async fn decide_all(
    decide: Decide,
    decision: Decision,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Exit> {
    let (config, store) = attach(&decide.config).await?;
    let known: Vec<&str> = config.banks.iter().map(|bank| bank.code.as_str()).collect();
    let payments = decide
        .payments
        .iter()
        .map(|text| {
            PaymentId::parse(text)
                .with_context(|| format!("{text:?} is not a payment like R12-345"))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut refused = 0;
    for payment in &payments {
        let done = decide_one(&store, *payment, decision, &decide, &known, clock.now_ms()).await;
        match (done, decision) {
            (Ok(()), Decision::Release) => {
                say(format_args!(
                    "{payment} is released; it goes with the next batch, or is set aside again where the bank's file cannot carry it"
                ))?;
            }
            (Ok(()), Decision::Drop) => {
                say(format_args!("{payment} is dropped; its money goes back to finance"))?;
            }
            // The others were named as well, and each is a decision of its own.
            (Err(StoreError::Refused(why)), _) => {
                refused += 1;
                say(format_args!("NOT DONE: {why}"))?;
            }
            (Err(cause), _) => return Err(cause.into()),
        }
    }
    if refused == 0 {
        return Ok(Exit::Done);
    }
    say(format_args!("{refused} of {} not done", counted(payments.len(), "payment")))?;
    Ok(Exit::Found)
}

/// Carries one decision out. A payment whose bank is not configured is not released.
async fn decide_one(
    store: &Store,
    payment: PaymentId,
    decision: Decision,
    said: &Decide,
    known: &[&str],
    now_ms: i64,
) -> Result<(), StoreError> {
    if store.standings(&[payment]).await? == [Standing::Absent] {
        return Err(StoreError::Refused(format!("{payment} is no payment of any register")));
    }
    if let (Decision::Release, Some(bank)) = (decision, store.unknown_bank(payment, known).await?) {
        return Err(StoreError::Refused(format!(
            "{payment} is set aside because bank {bank:?} is not in the config, and it still is not: released, \
             nobody would send it. Configure the bank, or drop the payment"
        )));
    }
    store.decide_hold(payment, decision, &said.by, &said.why, now_ms).await
}

/// A fault as it is kept.
#[derive(Deserialize)]
struct Kept {
    line: Option<i64>,
    field: String,
    what: String,
}

/// Says why a register was refused, a fault a line.
fn tell_faults(json: &str) -> anyhow::Result<()> {
    let faults: Vec<Kept> =
        serde_json::from_str(json).context("the reasons of the refusal cannot be read")?;
    for Kept { line, field, what } in faults {
        match line {
            Some(line) => say(format_args!("  refused: line {line}, {field}: {what}"))?,
            None => say(format_args!("  refused: head, {field}: {what}"))?,
        }
    }
    Ok(())
}

async fn show(store: &Store, no: RegisterNo) -> anyhow::Result<Exit> {
    let page =
        store.register_page(no).await?.with_context(|| format!("there is no register {no}"))?;
    let row = &page.row;
    say(format_args!(
        "{no}  {} revision {} of {}: {}",
        row.id, row.revision, row.source, row.state
    ))?;
    say(format_args!(
        "  {} {} {} {}",
        row.programme_name, row.period, row.department, row.document_no
    ))?;
    let time = |at: Option<i64>| at.map_or_else(|| "not known yet".to_owned(), local_text);
    say(format_args!(
        "  received {}, funded {}, deadline {}",
        local_text(row.received_at_ms),
        time(page.funded_at_ms),
        time(row.deadline_at_ms)
    ))?;
    let places = &row.places;
    for (name, fen) in [
        ("approved", places.approved),
        ("unsent", places.unsent),
        ("in flight", places.in_flight),
        ("credited", places.credited),
        ("refundable", places.refundable),
        ("refunded", places.refunded),
        ("disputed", places.disputed),
    ] {
        say(format_args!("  {name:<11} {:>18} yuan", fen.yuan_grouped()))?;
    }
    tell_faults(&page.faults)?;
    for batch in &page.batches {
        // What the bank did not take is not open there.
        let open = if batch.state.is_live() { "open" } else { "not taken" };
        say(format_args!(
            "  {} {}: {}, {} payments, {} credited, {} failed, {} returned, {} {open}",
            batch.no,
            batch.bank,
            batch.state,
            batch.payments,
            batch.credited,
            batch.failed,
            batch.returned,
            batch.pending
        ))?;
    }
    for hold in &page.holds {
        say(format_args!(
            "  {no}-{}: {} ({}; {}), {} yuan, by {}",
            hold.line, hold.event, hold.reason, hold.detail, hold.amount, hold.by
        ))?;
    }
    for alert in &page.alerts {
        say(format_args!("  ! {}", alert.text))?;
    }
    Ok(Exit::Done)
}

pub async fn batch(command: BatchCommand, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let BatchCommand::Recut { config, by, batch } = command;
    let (_, store) = attach(&config).await?;
    let no = BatchNo::parse(&batch).with_context(|| format!("{batch:?} is not a batch like B7"))?;
    match store.recut(no, &by, clock.now_ms()).await? {
        0 => say(format_args!("{no} was cut again before, or nothing of it is left to send"))?,
        1 => say(format_args!("1 payment of {no} goes with a new batch"))?,
        payments => say(format_args!("{payments} payments of {no} go with new batches"))?,
    }
    Ok(Exit::Done)
}
