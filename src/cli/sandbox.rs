//! `daifa sandbox`: one practice bank in a process of its own, as well or as sick as its config says,
//! and the judgement of its book.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;

use crate::app;
use crate::cli::{counted, say};
use crate::clock::Clock;
use crate::config::{
    Away, CallsAt, ConfigError, Counterpart, CounterpartDoor, Listens, Problem, Session, Sickness,
    SideFolders, Span,
};
use crate::format::Format;
use crate::guard::mac::Mac;
use crate::guard::sign::Algorithm;
use crate::lifecycle::{Exit, Stop};
use crate::sandbox::bank::{
    BankVerdict, Beside, Faults, Often, Options, Outage, PracticeBank, PushTo, Shown, Staying,
    Told, Wire, names_payments, read_book, read_cards, read_references,
};

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Run a practice bank until it is stopped; killed, it goes on from its book.
    Bank {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Judge a practice bank's book, also while the bank runs.
    Book {
        /// What `book` of the bank's config names.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// What became of each of our references, a line each.
        #[arg(long)]
        references: bool,
    },
}

pub async fn run(command: SandboxCommand, clock: Arc<dyn Clock>) -> anyhow::Result<Exit> {
    match command {
        SandboxCommand::Bank { config } => bank(&config, clock).await,
        SandboxCommand::Book { folder, references } => book(&folder, references),
    }
}

async fn bank(path: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals()?;
    // Whoever practises sees what went wrong when, and what the bank trips over.
    crate::telemetry::init("warn,daifa::sandbox=info")?;
    let mut looked = Counterpart::look(path)?;
    looked.add(looked.config.as_ref().map(beyond_its_format).unwrap_or_default());
    let bank = start(&looked.done()?, clock).await?;
    let place = bank.address().map_or_else(|| "its folders".to_owned(), |at| at.to_string());
    say(format_args!("practice bank at {place}"))?;
    stop.soft().cancelled().await;
    bank.stop().await;
    Ok(Exit::Done)
}

/// Faults that could never come about, since the format has no words for them: whoever practises with one would
/// think that it was withstood.
fn beyond_its_format(counterpart: &Counterpart) -> Vec<Problem> {
    let Counterpart { formats, format: name, faults, .. } = counterpart;
    let format = match app::open_format(formats, name) {
        Ok(format) => format,
        Err(cause) => return vec![Problem::new("format", cause)],
    };
    if names_payments(&format) {
        return Vec::new();
    }
    let switches = [("refuse_row", faults.refuse_row), ("split_batch", faults.split_batch)];
    let thrown = switches.into_iter().filter(|(_, share)| *share > 0);
    let told = thrown.map(|(key, _)| {
        let what = format!(
            "never comes about with {name}: its acknowledgement names no payments; expected a format whose \
             acknowledgement has rows with an amount; take {key} out, or describe such rows in the format"
        );
        Problem::new(format!("faults.{key}"), what)
    });
    told.collect()
}

/// Starts a practice bank as its config says.
///
/// # Errors
/// Its format, book or door cannot be used.
pub async fn start(
    counterpart: &Counterpart,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<PracticeBank> {
    let format: Format = app::open_format(&counterpart.formats, &counterpart.format)
        .map_err(|cause| ConfigError(vec![cause]))?
        .with_published_secrets();
    let mut secrets = BTreeMap::clone(format.secrets());
    for (name, secret) in &counterpart.secrets {
        let told = |cause: String| ConfigError(vec![format!("secrets.{name}: {cause}")]);
        secrets.insert(name.clone(), app::bank_key(secret).map_err(told)?);
    }
    let format = format.with_secrets(Arc::new(secrets));
    let mut options = options(counterpart);
    if let Some(CallsAt { url, header, secret }) = &counterpart.push {
        let at = || secret.display().to_string();
        let text = std::fs::read_to_string(secret).with_context(at)?;
        let mac = Mac::new(Algorithm::HmacSha256, text.trim_end().as_bytes());
        let mac = Arc::new(mac.context("a secret of 16 bytes or more").with_context(at)?);
        options.push = Some(PushTo { url: url.clone(), header: header.clone(), mac });
    }
    Ok(PracticeBank::start(options, Arc::new(format), clock).await?)
}

/// A practice bank as the sandbox takes it.
fn options(counterpart: &Counterpart) -> Options {
    let side = |side: &SideFolders| Beside {
        outgoing: side.outgoing.clone(),
        incoming: side.incoming.clone(),
        control_suffix: side.control_suffix.clone(),
    };
    let lines = || {
        let doors = std::iter::once(&counterpart.door).chain(&counterpart.other_doors);
        doors.filter_map(|door| match door {
            CounterpartDoor::Https(door) | CounterpartDoor::Socket(door) => Some(door),
            CounterpartDoor::Directory(_) | CounterpartDoor::Sftp(_) => None,
        })
    };
    Options {
        also: counterpart.other_doors.iter().map(wire).collect(),
        beside: counterpart.side_door.as_ref().map(side),
        result_ms: counterpart.result_after.0,
        return_ms: counterpart.return_after.0,
        notice_ms: counterpart.notice_after.0,
        poll_ms: millis(counterpart.look_every),
        // What it shows it shows on all its lines, and what keeps one alive keeps all its sockets.
        shown: lines().find_map(shown),
        staying: lines().find_map(|door| door.session.as_ref()).map(staying),
        faults: faults(counterpart),
        ..Options::new(counterpart.book.clone(), wire(&counterpart.door))
    }
}

fn wire(door: &CounterpartDoor) -> Wire {
    match door {
        CounterpartDoor::Directory(folders) | CounterpartDoor::Sftp(folders) => Wire::Files {
            outgoing: folders.outgoing.clone(),
            incoming: folders.incoming.clone(),
            control_suffix: folders.control(),
        },
        CounterpartDoor::Https(door) => Wire::Http { listen: door.listen },
        CounterpartDoor::Socket(door) => Wire::Socket { listen: door.listen },
    }
}

fn shown(door: &Listens) -> Option<Shown> {
    let (certificate, key) = (door.certificate.clone()?, door.key.clone()?);
    Some(Shown { certificate, key, client_ca: door.client_ca.clone() })
}

fn staying(session: &Session) -> Staying {
    Staying {
        heartbeat: session.heartbeat.0.clone(),
        answer: session.answer.0.clone(),
        every_ms: millis(session.every),
    }
}

fn faults(counterpart: &Counterpart) -> Faults {
    let sick: &Sickness = &counterpart.faults;
    let loss = Often::Share(sick.loss);
    let duplicate = Often::Share(sick.duplicate);
    let away = |away: &Away| Outage { every_ms: away.every.0, lasts_ms: away.lasts.0 };
    Faults {
        seed: counterpart.seed,
        no_dedup: !counterpart.dedup,
        deaf: !counterpart.asked,
        lose_answer: loss,
        lose_refund_answer: loss,
        lose_question: loss,
        busy: Often::Share(sick.busy),
        drop_before: loss,
        refuse: Often::Share(sick.refusal),
        say_duplicate: duplicate,
        wrong_amount: Often::Share(sick.wrong_amount),
        wrong_account: Often::Share(sick.wrong_account),
        unknown_row: Often::Share(sick.unknown_row),
        wrong_sum: Often::Share(sick.wrong_sum),
        contradict: Often::Share(sick.contradiction),
        repeat_result: duplicate,
        split_result: Often::Share(sick.split),
        refuse_row: Often::Share(sick.refuse_row),
        split_batch: Often::Share(sick.split_batch),
        file_lost: Often::Share(sick.file_lost),
        file_late: Often::Share(sick.file_late),
        file_cut: Often::Share(sick.file_cut),
        reorder: Often::Share(sick.reorder),
        return_later: Often::Share(sick.return_after_credit),
        not_found_ms: sick.lag.map_or(0, |span| span.0),
        delay_ms: sick.delay.map_or(0, millis),
        outage: sick.outage.as_ref().map(away),
        told: Told::default(),
    }
}

fn millis(span: Span) -> u64 {
    u64::try_from(span.0).unwrap_or_default()
}

fn book(folder: &Path, references: bool) -> anyhow::Result<Exit> {
    let verdict = read_book(folder)?;
    if references {
        say("reference  taken  refused  credited  failed  returned  refunded")?;
        for (reference, r) in read_references(folder)? {
            say(format_args!(
                "{reference}  {}  {}  {}  {}  {}  {}",
                r.taken, r.refused, r.credited, r.failed, r.returned, r.refunded
            ))?;
        }
    }
    let BankVerdict { requests, refused, refunds, .. } = verdict;
    say(format_args!("batches taken    {requests}"))?;
    say(format_args!("batches refused  {refused}"))?;
    for (what, count, fen) in [
        ("credited", verdict.credited_count, verdict.credited_fen),
        ("failed", verdict.failed_count, verdict.failed_fen),
        ("returned", verdict.returned_count, verdict.returned_fen),
        ("refunded", refunds, verdict.refunded_fen),
    ] {
        say(format_args!("{what:<15}  {count}, {fen} fen"))?;
    }
    for twice in &verdict.credits_twice {
        let (reference, ordinal, times) = (&twice.reference, twice.ordinal, twice.times);
        say(format_args!("CREDITED {times} TIMES: row {ordinal} of {reference}"))?;
    }
    for offence in &verdict.offences {
        say(format_args!("OFFENCE: {offence}"))?;
    }
    let found = verdict.credits_twice.len() + verdict.offences.len();
    if found > 0 {
        say(counted(found, "problem"))?;
        return Ok(Exit::Found);
    }
    let several = read_cards(folder)?.values().filter(|card| card.credits > 1).count();
    if several > 0 {
        say(format_args!(
            "{} credited more than once, under several references: finance's registers say whether that is right",
            counted(several, "card")
        ))?;
    }
    say("nobody was paid twice under one reference")?;
    Ok(Exit::Done)
}
