//! `daifa decide`: two people say what no bank can. One proposes with evidence, another looks at it and
//! confirms; each is known by a credential that is typed and never stands in the command.

mod entry;
mod list;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::{self, operators::Operators};
use crate::cli::{DeathArgs, say};
use crate::clock::{Clock, local_text};
use crate::config::{Config, ConfigError};
use crate::flow::decide::{EVIDENCE_BYTES_MAX, Wish, confirm, foresee, look, propose};
use crate::flow::opening::Opening;
use crate::flow::sealed::open_decision;
use crate::flow::{Ctx, FlowError};
use crate::guard::credential::{CREDENTIAL_CHARS_MIN, Credential};
use crate::lifecycle::Exit;
use crate::model::decision::{DecisionState, Subject, Verdict};
use crate::model::id::DecisionNo;
use crate::model::reason::Reason;
use crate::model::report::redact;
use crate::store::Store;
use crate::store::death::Death;
use crate::store::decide::Decision;

#[derive(Debug, Subcommand)]
pub enum DecideCommand {
    /// Tell everything that waits for people, and what can be decided of it.
    List {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show a decision: who, when, what it does to the money, and its evidence.
    Show {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Like D3.
        decision: String,
        /// Write the evidence here as it was given; on the terminal it is masked.
        #[arg(long, value_name = "FILE")]
        evidence_to: Option<PathBuf>,
    },
    /// Propose a decision. Nothing changes before another operator confirms it.
    Propose(Propose),
    /// Confirm what another operator proposed: it is carried out at once.
    Confirm(Answer),
    /// Take a proposal back.
    Withdraw(Answer),
    /// Make a credential out of what an operator alone knows, for `[[operator]]` in the config.
    Credential,
}

#[derive(Debug, clap::Args)]
pub struct Who {
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which operator of the config you are.
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// Where your credential is read from instead of being asked for.
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
    #[command(flatten)]
    death: DeathArgs,
}

#[derive(Debug, clap::Args)]
pub struct Propose {
    #[command(flatten)]
    who: Who,
    /// What was seen or heard, and from whom. Without names and numbers of people: it stands in this
    /// machine's list of commands; give those as a file.
    #[arg(long, value_name = "TEXT", required_unless_present = "evidence_file")]
    evidence: Option<String>,
    /// The same as a file: a letter of the bank, a scan, a statement.
    #[arg(long, value_name = "FILE", conflicts_with = "evidence")]
    evidence_file: Option<PathBuf>,
    /// Why a payment failed; see `daifa decide list`.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// What it is about: an attempt A12, a batch B7, a payment R3-17, a result E9, a line of one E9.4.
    what: String,
    /// Of an attempt: received, `not_received`, never. Of payments: credited, failed. Of what was put
    /// aside: dismissed.
    verdict: String,
}

#[derive(Debug, clap::Args)]
pub struct Answer {
    #[command(flatten)]
    who: Who,
    /// Like D3.
    decision: String,
}

pub async fn run(command: DecideCommand, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    match command {
        DecideCommand::List { config } => list::run(&open(&config, clock).await?.1).await,
        DecideCommand::Show { config, decision, evidence_to } => {
            let (_, ctx) = open(&config, clock).await?;
            show(&ctx, number(&decision)?, evidence_to.as_deref()).await
        }
        DecideCommand::Propose(wish) => put_forward(wish, clock).await,
        DecideCommand::Confirm(answer) => confirmed(answer, clock).await,
        DecideCommand::Withdraw(answer) => {
            let (operators, ctx) = open_for(&answer.who, clock).await?;
            let no = number(&answer.decision)?;
            entry::admit(&operators, &ctx, &answer.who).await?;
            ctx.store.take_back(no, &answer.who.name, ctx.now_ms()).await?;
            say(format_args!("{no} is withdrawn; nothing has changed"))?;
            Ok(Exit::Done)
        }
        DecideCommand::Credential => credential(),
    }
}

/// Opens what a config refers to, and its database beside a running daemon.
async fn open(path: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<(Config, Ctx)> {
    open_doomed(path, clock, None).await
}

/// The same; only practice plans a death.
async fn open_doomed(
    path: &Path,
    clock: &Arc<dyn Clock>,
    death: Option<Death>,
) -> anyhow::Result<(Config, Ctx)> {
    let config = Config::read(path)?;
    let parts = app::open_parts(&config, clock).map_err(ConfigError)?;
    let store = Store::attach(&parts.location).await?;
    let store = Arc::new(match death {
        None => store,
        Some(death) => store.doomed(death),
    });
    let ctx = app::context(&config, parts, store, Arc::clone(clock), Opening::default()).await?;
    Ok((config, ctx))
}

/// The same for an operator whom the config knows.
async fn open_for(who: &Who, clock: &Arc<dyn Clock>) -> anyhow::Result<(Operators, Ctx)> {
    let (config, ctx) = open_doomed(&who.config, clock, who.death.planned()).await?;
    let line = |problem: crate::config::Problem| format!("{}: {}", problem.key, problem.what);
    let operators = Operators::read(&config)
        .map_err(|problems| ConfigError(problems.into_iter().map(line).collect()))?;
    entry::known(&operators, &ctx, &who.name).await?;
    Ok((operators, ctx))
}

fn number(text: &str) -> anyhow::Result<DecisionNo> {
    let no = text.starts_with('D').then(|| DecisionNo::parse(text)).flatten();
    no.with_context(|| format!("{text:?} is not a decision like D3"))
}

async fn put_forward(wish: Propose, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let subject = Subject::parse(&wish.what).with_context(|| {
        format!("{:?} is none of A12, B7, R3-17, E9, E9.4; see daifa decide list", wish.what)
    })?;
    let verdict = Verdict::parse(&wish.verdict).with_context(|| {
        format!("{:?} is not known; known: {}", wish.verdict, listed(Verdict::ALL))
    })?;
    let reason =
        match &wish.reason {
            None => None,
            Some(word) => Some(Reason::parse(word).with_context(|| {
                format!("{word:?} is not known; known: {}", listed(Reason::ALL))
            })?),
        };
    let evidence = match (&wish.evidence, &wish.evidence_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => read_evidence(path)?,
        (None, None) => Vec::new(),
    };
    let (operators, ctx) = open_for(&wish.who, clock).await?;
    let wished = Wish { subject, verdict, reason };
    let foreseen = foresee(&ctx, &wished).await.map_err(plain)?;
    say(format_args!("{}", crate::flow::decide::stands(&foreseen.case)))?;
    say(format_args!("{subject} {verdict}, once another operator confirms it:"))?;
    for words in &foreseen.words {
        say(format_args!("  {words}"))?;
    }
    entry::admit(&operators, &ctx, &wish.who).await?;
    let no = propose(&ctx, &wished, &foreseen, &evidence, &wish.who.name).await.map_err(plain)?;
    say(format_args!(
        "{no} is proposed; nothing has changed yet. Another operator looks at it and decides:\n  \
         daifa decide show --config {config} {no}\n  daifa decide confirm --config {config} --as THEIR-NAME {no}",
        config = wish.who.config.display()
    ))?;
    Ok(Exit::Done)
}

async fn confirmed(answer: Answer, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let no = number(&answer.decision)?;
    let (operators, ctx) = open_for(&answer.who, clock).await?;
    let (decision, words) = look(&ctx, no).await.map_err(plain)?;
    head(&decision)?;
    for words in &words {
        say(format_args!("  {words}"))?;
    }
    entry::admit(&operators, &ctx, &answer.who).await?;
    confirm(&ctx, no, &answer.who.name).await.map_err(plain)?;
    say(format_args!("{no} is confirmed and carried out"))?;
    Ok(Exit::Done)
}

/// Who decides what, in one line.
fn head(decision: &Decision) -> anyhow::Result<()> {
    let Decision { no, subject, verdict, proposed_by, .. } = decision;
    let reason = decision.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let at = local_text(decision.proposed_at_ms);
    say(format_args!("{no}: {subject} {verdict}{reason}, proposed by {proposed_by} at {at}"))
}

async fn show(ctx: &Ctx, no: DecisionNo, to: Option<&Path>) -> anyhow::Result<Exit> {
    let (decision, words) = look(ctx, no).await.map_err(plain)?;
    head(&decision)?;
    match decision.state {
        DecisionState::Proposed => {
            for words in &words {
                say(format_args!("  {words}"))?;
            }
        }
        DecisionState::Confirmed => say(format_args!(
            "  confirmed by {} at {}, and carried out",
            decision.confirmed_by.as_deref().unwrap_or_default(),
            local_text(decision.confirmed_at_ms.unwrap_or_default())
        ))?,
        DecisionState::Withdrawn => say(format_args!(
            "  withdrawn by {}",
            decision.withdrawn_by.as_deref().unwrap_or_default()
        ))?,
    }
    let evidence = open_decision(&ctx.sealer, &decision)
        .with_context(|| format!("opening the evidence of {no}"))?;
    match (to, std::str::from_utf8(&evidence)) {
        (Some(path), _) => {
            write_private(path, &evidence)?;
            say(format_args!("  its evidence is in {}", path.display()))?;
        }
        (None, Ok(text)) => say(format_args!("  evidence: {}", redact(text.trim())))?,
        (None, Err(_)) => say(format_args!(
            "  evidence: {} bytes that are no text; write them to a file with --evidence-to",
            evidence.len()
        ))?,
    }
    Ok(Exit::Done)
}

/// Evidence may name people: it is for its owner alone, and never written over anything.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("writing {}", path.display()))
}

fn read_evidence(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
    if usize::try_from(size).map_or(true, |size| size > EVIDENCE_BYTES_MAX) {
        anyhow::bail!("{} has {size} bytes; the most is {EVIDENCE_BYTES_MAX}", path.display());
    }
    std::fs::read(path).with_context(|| path.display().to_string())
}

fn listed<W: std::fmt::Display>(all: &[W]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What was refused is said as it is; anything else keeps its chain.
fn plain(cause: FlowError) -> anyhow::Error {
    match cause {
        FlowError::Store(cause) => cause.into(),
        other => other.into(),
    }
}

/// Asks for a line that is not shown while it is typed. Where nobody sits at a terminal, the next line
/// of standard input is taken.
fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return read_line(&stdin);
    }
    let shown = rustix::termios::tcgetattr(&stdin).context("the terminal cannot be set")?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(rustix::termios::LocalModes::ECHO);
    write!(std::io::stderr().lock(), "{prompt}")?;
    let set =
        |how| rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Flush, how);
    set(&hidden).context("the terminal cannot be set")?;
    let typed = read_line(&stdin);
    set(&shown).context("the terminal cannot be set back; type: stty echo")?;
    writeln!(std::io::stderr().lock())?;
    typed
}

fn read_line(stdin: &std::io::Stdin) -> anyhow::Result<SecretString> {
    let mut line = zeroize::Zeroizing::new(String::new());
    stdin.read_line(&mut line).context("nothing could be read")?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Makes a credential; what was typed is asked for twice where somebody types it.
fn credential() -> anyhow::Result<Exit> {
    let terminal = std::io::stdin().is_terminal();
    let typed = ask(&format!(
        "something that you alone know, {CREDENTIAL_CHARS_MIN} characters or more: "
    ))?;
    if terminal && ask("the same again: ")?.expose_secret() != typed.expose_secret() {
        anyhow::bail!("this was not the same; nothing is made");
    }
    say(Credential::make(typed.expose_secret()).map_err(anyhow::Error::msg)?)?;
    Ok(Exit::Done)
}
