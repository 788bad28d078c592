//! `daifa demo`: the main job on practice counterparts, from approval to closing account, judged
//! by their own books.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::app;
use crate::cli::practice::{self, Practice, Shape};
use crate::cli::say;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Stop};
use crate::model::money::Fen;
use crate::store::Store;
use crate::store::view::Totals;

#[derive(Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    shape: Shape,
    /// Keep everything in this folder; a demo that was broken off goes on from it. Without it a
    /// fresh folder is made and removed again.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the status page is served: 127.0.0.1:8740, or another port where that one is taken.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// End once the closing account is printed, instead of leaving the status page open.
    #[arg(long)]
    exit: bool,
    /// Print the closing account as one JSON object, and end.
    #[arg(long)]
    json: bool,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

/// The closing account of everything that was paid. Money in fen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClosingAccount {
    pub registers: i64,
    pub payments: i64,
    pub approved_fen: i64,
    pub unsent_fen: i64,
    pub in_flight_fen: i64,
    pub credited_fen: i64,
    pub refundable_fen: i64,
    pub refunded_fen: i64,
    pub disputed_fen: i64,
    pub failed: i64,
    pub returned: i64,
    pub set_aside: i64,
    pub notices_delivered: i64,
    pub reports_acknowledged: i64,
    pub conserved: bool,
    pub elapsed_ms: i64,
}

impl ClosingAccount {
    pub fn of(totals: &Totals, set_aside: i64, elapsed_ms: i64) -> Self {
        let accepted = |(state, count): &(String, i64)| if state == "refused" { 0 } else { *count };
        let delivered = totals.notices.iter().find(|(state, _)| state == "delivered");
        let places = &totals.places;
        Self {
            registers: totals.registers.iter().map(accepted).sum(),
            payments: totals.counts.payments,
            approved_fen: places.approved.get(),
            unsent_fen: places.unsent.get(),
            in_flight_fen: places.in_flight.get(),
            credited_fen: places.credited.get(),
            refundable_fen: places.refundable.get(),
            refunded_fen: places.refunded.get(),
            disputed_fen: places.disputed.get(),
            failed: totals.counts.failed,
            returned: totals.counts.returned,
            set_aside,
            notices_delivered: delivered.map_or(0, |(_, count)| *count),
            reports_acknowledged: totals.reports_acknowledged,
            conserved: places.conserved(),
            elapsed_ms,
        }
    }

    /// Has all money come to an end, to the fen?
    pub const fn is_ended(&self) -> bool {
        self.conserved
            && self.unsent_fen == 0
            && self.in_flight_fen == 0
            && self.refundable_fen == 0
            && self.disputed_fen == 0
    }
}

/// Where the page is served. Somebody who tries the demo beside a daemon, or a second time, wants a
/// page and not a fault about a port.
fn page_address(asked: Option<SocketAddr>) -> SocketAddr {
    const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8740);
    const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    asked.unwrap_or_else(|| if TcpListener::bind(USUAL).is_ok() { USUAL } else { ANY })
}

pub async fn run(args: DemoArgs, clock: Arc<dyn Clock>) -> anyhow::Result<Exit> {
    crate::telemetry::init("error")?;
    let stop = Stop::on_signals()?;
    let began = clock.now_ms();
    let fresh = || std::env::temp_dir().join(format!("daifa-demo-{}-{began}", std::process::id()));
    let folder = args.data.clone().unwrap_or_else(fresh);
    let passing = args.data.is_none().then(|| Passing(folder.clone()));
    let quiet = args.json;
    if !quiet {
        say(format_args!(
            "Practising in {}: {} registers of {} payments, {} banks.",
            folder.display(),
            args.shape.registers,
            args.shape.payments,
            args.shape.banks
        ))?;
    }
    let practice = practice::start(&args.shape, &folder, page_address(args.listen), &clock).await?;
    let config = Config::read(&practice.config)?;
    // What is measured is the daemon's work, not the making of the practice data.
    let began = clock.now_ms();
    let mut running = app::start(&config, Arc::clone(&clock), stop.soft(), None).await?;
    if !quiet {
        say(format_args!("Status page: http://{}/", running.address))?;
    }
    let store = Arc::clone(&running.store);
    let bars = Bars::new(quiet);
    let watch = follow(&practice, &store, &args, &bars);
    let mut ended = None;
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(Duration::from_secs(args.timeout), watch) => outcome.ok().transpose()?,
        exit = running.ended() => {
            ended = Some(exit);
            None
        }
    };
    bars.clear();
    let account = account(&store, clock.now_ms() - began).await?;
    let good = outcome.is_some() && account.is_ended();
    tell(&args, &account, &practice, good)?;
    if outcome.is_none() {
        gave_up(&args, ended)?;
    }
    if !(args.exit || args.json) && ended.is_none() {
        say(format_args!(
            "\nThe status page stays open at http://{}/ - stop with Ctrl-C.",
            running.address
        ))?;
        stop.soft().cancelled().await;
    }
    stop.soft().cancel();
    if stop.drain(crate::lifecycle::DRAIN_LIMIT, running.ended()).await.is_err() {
        tracing::error!("work under way was cut off");
    }
    running.close().await;
    practice.stop().await?;
    drop(passing);
    Ok(match ended {
        Some(exit) if exit != Exit::Done => exit,
        _ if good => Exit::Done,
        _ => Exit::Found,
    })
}

/// A folder that goes with the demo, however that ends.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                tracing::error!(folder = %self.0.display(), %cause, "could not be removed");
            }
            _ => {}
        }
    }
}

/// Why there is no end to account for.
fn gave_up(args: &DemoArgs, ended: Option<Exit>) -> anyhow::Result<()> {
    let why = match ended {
        None => format!("after {} s; --timeout SECONDS gives it longer", args.timeout),
        Some(Exit::Storage) => {
            "because the database failed, as said above; is the disk full?".to_owned()
        }
        Some(Exit::Done) => "because it was stopped".to_owned(),
        Some(_) => "because the daemon ended, as said above".to_owned(),
    };
    let mut err = std::io::stderr().lock();
    writeln!(err, "daifa: the demo gave up before everything had come to an end, {why}")?;
    if args.data.is_some() {
        writeln!(err, "Run it again with the same --data and it goes on from there.")?;
    }
    Ok(())
}

/// The closing account as the store has it now.
///
/// # Errors
/// Where the store cannot be read.
pub async fn account(store: &Store, elapsed_ms: i64) -> anyhow::Result<ClosingAccount> {
    let totals = store.totals().await?;
    Ok(ClosingAccount::of(&totals, store.set_aside_count().await?, elapsed_ms))
}

/// Waits until everything has come to an end, by our store, the banks' books and finance's book.
async fn follow(
    practice: &Practice,
    store: &Store,
    args: &DemoArgs,
    bars: &Bars,
) -> anyhow::Result<()> {
    loop {
        bars.show(store).await?;
        if is_over(practice, store, i64::from(args.shape.registers)).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Is there nothing left to happen? The cheap questions come first.
///
/// # Errors
/// Where a book or the store cannot be read.
pub async fn is_over(practice: &Practice, store: &Store, registers: i64) -> anyhow::Result<bool> {
    let totals = store.totals().await?;
    let places = &totals.places;
    let open = [places.unsent, places.in_flight, places.refundable]
        .into_iter()
        .any(|place| place != Fen::ZERO);
    let closed: i64 = totals
        .registers
        .iter()
        .filter(|(state, _)| state == "closed")
        .map(|(_, count)| count)
        .sum();
    if open
        || closed < registers
        || totals.reports_due > 0
        || !practice.banks.iter().all(crate::sandbox::bank::PracticeBank::is_quiet)
    {
        return Ok(false);
    }
    let (mut credited, mut returned) = (0, 0);
    for bank in &practice.banks {
        let book = bank.judge()?;
        credited += book.credited_count;
        returned += book.returned_count;
    }
    let notices: i64 = totals.notices.iter().map(|(_, count)| count).sum();
    let agreed = u64::try_from(totals.counts.returned) == Ok(returned)
        && u64::try_from(totals.counts.credited + totals.counts.returned) == Ok(credited);
    Ok(agreed && u64::try_from(notices) == Ok(credited) && practice.finance.judge().is_good())
}

fn tell(
    args: &DemoArgs,
    account: &ClosingAccount,
    practice: &Practice,
    good: bool,
) -> anyhow::Result<()> {
    if args.json {
        return say(serde_json::to_string(account)?);
    }
    let yuan = |fen: i64| Fen::new(fen).yuan_grouped();
    say("\nClosing account")?;
    say(format_args!("  registers accepted   {:>18}", account.registers))?;
    say(format_args!("  payments             {:>18}", account.payments))?;
    for (name, fen) in [
        ("approved", account.approved_fen),
        ("unsent", account.unsent_fen),
        ("in flight", account.in_flight_fen),
        ("credited", account.credited_fen),
        ("refundable", account.refundable_fen),
        ("refunded", account.refunded_fen),
        ("disputed", account.disputed_fen),
    ] {
        say(format_args!("  {name:<20} {:>18} yuan", yuan(fen)))?;
    }
    for (name, count) in [
        ("set aside", account.set_aside),
        ("failed", account.failed),
        ("returned", account.returned),
        ("SMS delivered", account.notices_delivered),
        ("reports taken", account.reports_acknowledged),
    ] {
        say(format_args!("  {name:<20} {count:>18}"))?;
    }
    let conserved = if account.conserved {
        "every fen is in exactly one place"
    } else {
        "THE PLACES DO NOT ADD UP"
    };
    say(format_args!(
        "  {conserved}; {}.{:03} s",
        account.elapsed_ms / 1000,
        account.elapsed_ms % 1000
    ))?;
    for bank in &practice.banks {
        let book = bank.judge()?;
        if !book.credits_twice.is_empty() || !book.offences.is_empty() {
            say(format_args!(
                "  a bank's book objects: {} paid twice, {} offences",
                book.credits_twice.len(),
                book.offences.len()
            ))?;
        }
    }
    for fault in practice.finance.judge().faults().into_iter().take(10) {
        say(format_args!("  finance's book: {fault}"))?;
    }
    if good {
        say("  Finance's and the banks' own books agree.")
    } else {
        say("  NOT FINISHED: the page and `daifa verify` say what is open.")
    }
}

/// A progress bar for each of the newest registers.
struct Bars {
    all: MultiProgress,
    bars: std::sync::Mutex<std::collections::BTreeMap<i64, ProgressBar>>,
}

/// Bars drawn at most: a screen is not longer.
const BARS_MAX: i64 = 12;

impl Bars {
    fn new(quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self { all: MultiProgress::with_draw_target(target), bars: std::sync::Mutex::default() }
    }

    async fn show(&self, store: &Store) -> anyhow::Result<()> {
        if self.all.is_hidden() {
            return Ok(());
        }
        let overview = store.overview(BARS_MAX).await?;
        let style = ProgressStyle::with_template("  {prefix:<12} [{bar:40}] {pos}/{len} {msg}")?
            .progress_chars("=> ");
        let mut bars = self.bars.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for row in overview.registers.iter().rev() {
            let bar = bars.entry(row.no.0).or_insert_with(|| {
                let bar = ProgressBar::new(u64::try_from(row.counts.payments).unwrap_or_default());
                bar.set_style(style.clone());
                bar.set_prefix(row.id.clone());
                self.all.add(bar)
            });
            bar.set_length(u64::try_from(row.counts.payments).unwrap_or_default());
            bar.set_position(u64::try_from(row.counts.finished()).unwrap_or_default());
            bar.set_message(format!(
                "{} failed, {} set aside, {}",
                row.counts.failed + row.counts.returned,
                row.counts.held,
                row.state
            ));
        }
        Ok(())
    }

    fn clear(&self) {
        let bars = self.bars.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for bar in bars.values() {
            bar.finish();
        }
    }
}
