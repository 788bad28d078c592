//! The commands of the command line, one file each. What a command prints is for a person at a
//! terminal at two in the morning: what happened, and what to do next.

mod bench;
mod check;
mod decide;
mod demo;
mod explain;
pub mod format;
mod operate;
mod practice;
mod sandbox;
mod verify;

use std::io::{BufReader, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::lifecycle::{Ended, Exit, begin_anew};
use crate::store::death::Death;
use crate::store::{Store, StoreError};

/// Bank-side daemon that turns approved payment registers into money on cards.
#[derive(Debug, Parser)]
#[command(name = "daifa", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Practice only: where a daemon or command that a test starts kills itself, counted in its commits from 1.
#[derive(Debug, Args)]
struct DeathArgs {
    /// Once this commit is durable.
    #[arg(long, hide = true, value_name = "N", conflicts_with = "die_before_commit")]
    die_at_commit: Option<NonZeroU64>,
    /// When this commit is all that is missing.
    #[arg(long, hide = true, value_name = "N")]
    die_before_commit: Option<NonZeroU64>,
}

impl DeathArgs {
    fn planned(&self) -> Option<Death> {
        let after = self.die_at_commit.map(|commit| Death::after(commit.get()));
        after.or_else(|| self.die_before_commit.map(|commit| Death::before(commit.get())))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        death: DeathArgs,
    },
    /// Pay practice registers through practice banks, with nothing installed.
    Demo(demo::DemoArgs),
    /// Tell everything that is wrong with a config and what it refers to.
    Check {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Recompute the five places from outcomes and postings, and walk the journal.
    Verify {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a bank's format and try it out.
    Format {
        #[command(subcommand)]
        command: format::FormatCommand,
    },
    /// Look at a register, and decide about payments that are set aside.
    Register {
        #[command(subcommand)]
        command: operate::RegisterCommand,
    },
    /// Act on a batch.
    Batch {
        #[command(subcommand)]
        command: operate::BatchCommand,
    },
    /// Answer for a bank to which sending was stopped.
    Bank {
        #[command(subcommand)]
        command: operate::BankCommand,
    },
    /// Decide together what no bank can say: two operators, each with a credential of their own.
    Decide {
        #[command(subcommand)]
        command: decide::DecideCommand,
    },
    /// Answer for the machine's clock after it was set.
    Clock {
        #[command(subcommand)]
        command: operate::ClockCommand,
    },
    /// Tell one payment's life, in order, with times and reasons.
    Explain {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As pages and reports name it, like R12-345.
        payment: String,
    },
    /// Measure pull to last report with practice counterparts.
    Bench(bench::BenchArgs),
    /// Run only the practice finance and banks, as counterparts of a daemon of its own.
    Practice(practice::PracticeArgs),
    /// Run one practice bank by itself, well or sick, and read its book.
    Sandbox {
        #[command(subcommand)]
        command: sandbox::SandboxCommand,
    },
}

/// Runs the command line and says how the process ends.
pub async fn main() -> Exit {
    let cli = Cli::parse();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let done = match cli.command {
        Command::Run { config, death } => run(&config, clock, death.planned()).await,
        Command::Demo(args) => demo::run(args, clock).await,
        Command::Check { config } => check::run(&config, &clock),
        Command::Verify { config } => verify::run(&config).await,
        Command::Format { command } => Ok(format_command(command)),
        Command::Register { command } => operate::register(command, &clock).await,
        Command::Batch { command } => operate::batch(command, &clock).await,
        Command::Bank { command } => operate::bank(command, &clock).await,
        Command::Decide { command } => decide::run(command, &clock).await,
        Command::Clock { command } => operate::clock(command, &clock).await,
        Command::Explain { config, payment } => explain::run(&config, &payment, &clock).await,
        Command::Bench(args) => bench::run(args, clock).await,
        Command::Practice(args) => practice::run(args, clock).await,
        Command::Sandbox { command } => sandbox::run(command, clock).await,
    };
    done.unwrap_or_else(|cause| {
        if is_closed_pipe(&cause) {
            return Exit::Done;
        }
        complain(&cause);
        exit_of(&cause)
    })
}

/// Did whoever reads our output stop reading, as `| head` does? They have what they wanted.
fn is_closed_pipe(cause: &anyhow::Error) -> bool {
    let io = |layer: &(dyn std::error::Error + 'static)| {
        layer.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    cause.chain().any(|layer| io(layer) == Some(std::io::ErrorKind::BrokenPipe))
}

/// Says what went wrong, a layer a line.
fn complain(cause: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    let mut said = writeln!(err, "daifa: {cause}");
    for layer in cause.chain().skip(1) {
        said = said.and_then(|()| writeln!(err, "  because: {layer}"));
    }
    // Where nothing can be written there is nobody to tell.
    drop(said);
}

/// Which exit code an error means.
fn exit_of(cause: &anyhow::Error) -> Exit {
    if cause.is::<crate::config::ConfigError>() {
        return Exit::Config;
    }
    match cause.downcast_ref::<StoreError>() {
        Some(
            StoreError::Refused(_) | StoreError::SecondInstance { .. } | StoreError::Open { .. },
        )
        | None => Exit::Failed,
        Some(_) => Exit::Storage,
    }
}

async fn run(path: &Path, clock: Arc<dyn Clock>, death: Option<Death>) -> anyhow::Result<Exit> {
    // Asked for now: behind an upgrade it is another file of the same name.
    let program = std::env::current_exe();
    let config = Config::read(path)?;
    crate::telemetry::init(&config.log)?;
    match app::run(&config, path, clock, death).await? {
        Ended::For(exit) => Ok(exit),
        Ended::Anew => Err(begin_anew(&program?)).context("beginning anew"),
    }
}

fn format_command(command: format::FormatCommand) -> Exit {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    match format::run(
        command,
        &mut BufReader::new(stdin.lock()),
        &mut stdout.lock(),
        &mut stderr.lock(),
    ) {
        0 => Exit::Done,
        1 => Exit::Found,
        _ => Exit::Failed,
    }
}

/// A count with its word: `1 problem`, `2 problems`.
fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// Prints a line to standard output.
fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// Opens the database of a config beside a running daemon.
async fn attach(path: &Path) -> anyhow::Result<(Config, Store)> {
    let config = Config::read(path)?;
    let location = app::location(&config).map_err(anyhow::Error::msg)?;
    let store = Store::attach(&location).await?;
    Ok((config, store))
}
