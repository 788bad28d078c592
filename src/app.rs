//! Assembly: the only place that names concrete doors. Reads the config, opens what it refers to,
//! and runs the daemon.

mod agreed;
mod anew;
mod begun;
pub mod doors;
pub mod opening;
pub mod operators;
mod parts;
mod profile;
pub mod push;
mod routes;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::begun::is_the_one;
pub use self::parts::{Checked, Parts, bank_key, check, location, open_format, open_parts};
use crate::clock::{Clock, Dice};
use crate::config::{self, Config, ConfigError};
use crate::engine::{self, EngineError, Observer};
use crate::flow::arrivals::LeftOff;
use crate::flow::beside::SideFiles;
use crate::flow::halves::Halves;
use crate::flow::opening::Opening;
use crate::flow::reach::Reach;
use crate::flow::waits::Waits;
use crate::flow::{Ctx, Duty, Lane, Pace, Step, lanes};
use crate::lifecycle::{DRAIN_LIMIT, Ended, Exit, Hangups, Stop, feed_watchdog, manager};
use crate::model::deadline::StartEvent;
use crate::store::death::Death;
use crate::store::{Location, Store, StoreError};
use crate::web::metrics::StepResult;
use crate::web::{BankName, Health, Metrics, Pages};

/// How long a step that was given up on may take to end what it asks the database.
const GIVE_UP_LIMIT: Duration = Duration::from_secs(2);
/// How often gauges are refreshed: a scrape never touches the database (F66).
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// The keys are those that this database was written with. Another one under the same id would seal
/// what nobody can open later, and blind the same person to somebody else, so that one is paid twice; so would a key
/// for blinding under an id of its own (I1). Says which keys are new here, by the name and value that they are
/// noted under.
async fn known_keys(store: &Store, parts: &Parts) -> anyhow::Result<Vec<(String, String)>> {
    let seal =
        parts.sealer.fingerprints().map(|(id, print)| (format!("seal:{id}"), print.to_owned()));
    let blinder = &parts.blinder;
    let blind = (format!("blind:{}", blinder.key_id()), blinder.fingerprint());
    let (mut problems, mut new) = (Vec::new(), Vec::new());
    for (key, print) in seal.chain([blind]) {
        let name = format!("key:{key}");
        match store.meta(&name).await? {
            None => new.push((name, print)),
            Some(known) if known == print => {}
            Some(_) => problems.push(format!(
                "keys.{}: this is another key than the one that this database was begun with under \
                 the same id; bring back the old one{}",
                key.replace(':', " "),
                if key.starts_with("seal") { ", or give the new one an id of its own" } else { "" }
            )),
        }
    }
    if let Some(id) = store.blinded_with_another(blinder.key_id()).await? {
        problems.push(format!(
            "keys.blind: people were taken in under the key with id {id}; under another one nobody would know who was \
             paid before, and somebody could be paid twice: bring back that key and its id"
        ));
    }
    if problems.is_empty() { Ok(new) } else { Err(ConfigError(problems).into()) }
}

/// Opens the database. Behind a process that did not end well it is looked through before anything is done with it: what
/// a disk lost, or a backup that was put beside the log of another database, would show only where it is read
/// (F60).
async fn open_store(config: &Config, location: &Location) -> anyhow::Result<Store> {
    let Location::Sqlite(path) = location else { return Ok(Store::open(location).await?) };
    let opened = match Store::open(location).await {
        Ok(store) if opening::ended_badly(&config.data)? => store.damage().await.map(|()| store),
        opened => opened,
    };
    opened.map_err(|cause| {
        if !cause.is_damage() {
            return cause.into();
        }
        let path = path.display();
        ConfigError(vec![format!(
            "database: {path} is damaged, and nothing was done with it ({cause}). Where a backup was just put in its \
             place: move {path}-wal and {path}-shm aside, which belong to the database before, and put the backup in its \
             place once more. Else bring back the last backup, as README says under restoring"
        )])
        .into()
    })
}

/// Makes what the steps work with.
///
/// # Errors
/// Where the store cannot be read or written.
pub async fn context(
    config: &Config,
    parts: Parts,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    opening: Opening,
) -> Result<Ctx, StoreError> {
    let name = crate::guard::key::hex(&crate::guard::random::bytes::<4>());
    store.meta_once("install", &name, clock.now_ms()).await?;
    let install = store.meta("install").await?.unwrap_or_default();
    let start = StartEvent::parse(&config.duty.start).unwrap_or(StartEvent::Received);
    Ok(Ctx {
        store,
        clock,
        sealer: parts.sealer,
        blinder: parts.blinder,
        sources: parts.sources,
        banks: parts.banks,
        duty: Duty {
            start,
            allowed_ms: config.duty.allowed.0,
            funded_only: config.duty.funded_only,
            settle_after_ms: config.duty.settle_after.0,
            drop_held_after_ms: config.duty.drop_held_after.map(|span| span.0),
            pool_bank: config.duty.pool_bank.clone(),
        },
        pace: Pace {
            pull_every_ms: config.pace.pull_every.0,
            arrivals_every_ms: config.pace.arrivals_every.0,
            report_retry_ms: config.pace.report_retry.0,
        },
        install,
        epoch: i64::from(config.restore_epoch),
        old_formats: std::sync::Mutex::default(),
        waits: Waits::default(),
        unfetched: Arc::default(),
        halves: Halves::default(),
        opening,
        side_files: SideFiles::default(),
        left_off: LeftOff::default(),
        tally: Arc::default(),
        pulls: Reach::new(dice()),
        deliveries: Reach::new(dice()),
        dice: std::sync::Mutex::new(dice()),
    })
}

/// Dice of their own for each process, so that daemons that lost the same finance do not come back
/// in step.
fn dice() -> Dice {
    Dice::seeded(u64::from_le_bytes(crate::guard::random::bytes()))
}

/// Puts what the steps do into health and metrics.
struct Watcher {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Observer for Watcher {
    fn stepped(&self, lane: &Lane, result: &'static str, took_ms: u64, now_ms: i64) {
        self.health.beat(&lane.to_string(), now_ms);
        if let Some(result) = StepResult::parse(result) {
            self.metrics.step(lane.step.as_str(), result, took_ms);
        }
    }

    fn rests(&self, lane: &Lane, now_ms: i64) {
        self.health.beat(&lane.to_string(), now_ms);
    }
}

/// A daemon that runs in this process.
pub struct Running {
    pub store: Arc<Store>,
    pub address: std::net::SocketAddr,
    location: Location,
    metrics: Arc<Metrics>,
    lanes: Lanes,
    /// What this process is to be told apart from by the next.
    before: opening::Before,
    /// The store failed under what a bank called in.
    broken: CancellationToken,
    /// How the steps ended, once they have.
    exit: Option<Exit>,
    rest: Vec<tokio::task::JoinHandle<()>>,
    /// Ends by itself after the stop, once the mark says how far the journal came.
    marked: tokio::task::JoinHandle<()>,
    health: Arc<Health>,
}

/// What the engine runs.
struct Lanes {
    ended: tokio::task::JoinHandle<Result<(), EngineError>>,
    /// Ends also those that still wait for a bank.
    given_up: CancellationToken,
}

impl Lanes {
    fn run(ctx: Arc<Ctx>, watcher: Arc<Watcher>, cancel: CancellationToken) -> Self {
        let given_up = CancellationToken::new();
        let ended = tokio::spawn(engine::run(ctx, watcher, cancel, given_up.clone()));
        Self { ended, given_up }
    }
}

/// What the pages show, and of whom.
fn pages(config: &Config, ctx: &Ctx, metrics: &Arc<Metrics>, health: &Arc<Health>) -> Pages {
    let named = |bank: &config::Bank| BankName { code: bank.code.clone(), name: bank.name.clone() };
    Pages {
        store: Arc::clone(&ctx.store),
        sealer: Arc::clone(&ctx.sealer),
        clock: Arc::clone(&ctx.clock),
        metrics: Arc::clone(metrics),
        health: Arc::clone(health),
        banks: config.banks.iter().map(named).collect(),
        unfetched: Arc::clone(&ctx.unfetched),
        allowed_ms: ctx.duty.allowed_ms,
        funded_only: ctx.duty.funded_only,
    }
}

/// Starts the daemon: store, page, steps. Only practice plans a death.
///
/// # Errors
/// Why it cannot start, in a chain that ends with the cause.
pub async fn start(
    config: &Config,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    death: Option<Death>,
) -> anyhow::Result<Running> {
    crate::web::check_listen(config.listen)?;
    let mut parts = open_parts(config, &clock).map_err(config::ConfigError)?;
    let calls = std::mem::take(&mut parts.pushes);
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making {}", config.data.display()))?;
    begun::still_there(config, &parts.location)?;
    let store = open_store(config, &parts.location).await?;
    let store = Arc::new(match death {
        None => store,
        Some(death) => store.doomed(death),
    });
    begun::is_the_one(config, &store).await?;
    for (name, print) in known_keys(&store, &parts).await? {
        store.meta_once(&name, &print, clock.now_ms()).await?;
    }
    begun::begin_epoch(config, &store, clock.now_ms()).await?;
    let location = parts.location.clone();
    let (before, ledger) = opening::begin(&config.data)?;
    let opening = before.opening(ledger);
    let ctx = context(config, parts, Arc::clone(&store), Arc::clone(&clock), opening).await?;
    let ctx = Arc::new(ctx);
    // In this order: behind a crash between them the old mark still knows of no raised epoch.
    begun::count_beside(config, &store).await?;
    let mark = begun::mark(config, &store).await?;
    let swept = store.sweep_receiving().await?;
    let unknown = store.recover_sending(clock.now_ms()).await?;
    tracing::info!(swept, unknown, "what was under way at the last stop is taken up");
    let steps: Vec<&'static str> = Step::ALL.iter().map(|step| step.as_str()).collect();
    let stuck_ms = u64::try_from(config.pace.stuck_after.0).unwrap_or_default();
    let running = lanes(&ctx).iter().map(Lane::to_string).collect();
    let health = Arc::new(Health::new(running, stuck_ms, clock.now_ms()));
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), &steps));
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr()?;
    let page = tokio::spawn({
        let pages = pages(config, &ctx, &metrics, &health);
        let (router, cancel) = (crate::web::router(pages), cancel.clone());
        crate::web::serve(listener, router, cancel)
    });
    let fresh = crate::web::metrics::keep_fresh(
        Arc::clone(&metrics),
        Arc::clone(&store),
        Arc::clone(&ctx.tally),
        Arc::clone(&clock),
        METRICS_EVERY,
        cancel.clone(),
    );
    let broken = CancellationToken::new();
    let inbox = push::Inbox::new(&ctx, &metrics, &broken);
    let listeners = push::listen(calls, inbox, &cancel).await?;
    let watchdog = feed_watchdog(Arc::clone(&health), clock);
    let marked = tokio::spawn(begun::follow(config, Arc::clone(&store), mark, cancel.clone()));
    let mut rest = vec![page, tokio::spawn(fresh), tokio::spawn(watchdog)];
    rest.extend(listeners);
    let watcher = Watcher { health: Arc::clone(&health), metrics: Arc::clone(&metrics) };
    let lanes = Lanes::run(ctx, Arc::new(watcher), cancel);
    health.set_ready(true);
    let exit = None;
    Ok(Running {
        store,
        address,
        location,
        metrics,
        lanes,
        before,
        broken,
        exit,
        rest,
        marked,
        health,
    })
}

impl Running {
    /// Waits until the steps have ended: after a soft stop, or because one must not go on. Asked again,
    /// it says the same.
    pub async fn ended(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let ended = (&mut self.lanes.ended).await;
        self.health.set_ready(false);
        let exit = match ended {
            Ok(Ok(())) if self.broken.is_cancelled() => Exit::Storage,
            Ok(Ok(())) => Exit::Done,
            Ok(Err(EngineError::Fatal { .. })) => Exit::Storage,
            Ok(Err(EngineError::Panicked { .. })) | Err(_) => Exit::Failed,
        };
        self.exit = Some(exit);
        exit
    }

    /// Ends what is left after the steps have ended.
    pub async fn close(mut self) {
        if self.exit.is_none() {
            self.lanes.given_up.cancel();
            // Only one that waits for the disk is not over at once.
            if tokio::time::timeout(GIVE_UP_LIMIT, &mut self.lanes.ended).await.is_err() {
                tracing::warn!("a step still waits for the database");
            }
        }
        if matches!(self.exit, Some(Exit::Done | Exit::Storage))
            && let Err(cause) = self.before.end_well()
        {
            tracing::warn!(%cause, "nobody could write down that this process ended well");
        }
        for task in self.rest {
            task.abort();
        }
        if let Err(cause) = self.marked.await {
            tracing::warn!(%cause, "the mark beside the database ended badly");
        }
        self.store.close().await;
    }
}

/// Runs the daemon until it is told to stop, or to begin anew with what the file at `path` says by then.
///
/// # Errors
/// Why it could not start.
pub async fn run(
    config: &Config,
    path: &Path,
    clock: Arc<dyn Clock>,
    death: Option<Death>,
) -> anyhow::Result<Ended> {
    let stop = Stop::on_signals()?;
    let hangups = Hangups::heard()?;
    let mut running = start(config, Arc::clone(&clock), stop.soft(), death).await?;
    tracing::info!(page = %format!("http://{}/", running.address), "ready");
    manager::ready();
    let begun = anew::Begun {
        config,
        path,
        location: running.location.clone(),
        store: Arc::clone(&running.store),
        metrics: Arc::clone(&running.metrics),
        clock,
    };
    let (soft, anew) = (stop.soft(), CancellationToken::new());
    let asked = async {
        begun.asked(hangups).await;
        // Who was told to end meanwhile ends.
        if !soft.is_cancelled() {
            anew.cancel();
            soft.cancel();
        }
        std::future::pending::<Infallible>().await
    };
    // Said when the stop begins: work under way may take the whole limit to end.
    let stopping = tokio::spawn({
        let (soft, anew) = (soft.clone(), anew.clone());
        async move {
            soft.cancelled().await;
            if anew.is_cancelled() { manager::reloading() } else { manager::stopping() }
        }
    });
    let exit = tokio::select! {
        exit = stop.drain(DRAIN_LIMIT, running.ended()) => exit.unwrap_or(Exit::Undrained),
        never = asked => match never {},
    };
    stop.soft().cancel();
    stopping.await?;
    running.close().await;
    let anew = anew.is_cancelled() && !stop.is_hard();
    Ok(match exit {
        Exit::Done | Exit::Undrained if anew => Ended::Anew,
        exit => Ended::For(exit),
    })
}
