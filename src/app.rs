//! Assembly: the only place that names concrete doors. Reads the config, opens what it refers to,
//! and runs the daemon; a door is added in `doors` and nowhere else.

pub mod doors;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::doors::Common;
use crate::clock::{Clock, Dice};
use crate::config::{self, Config, ConfigError, Database, Door};
use crate::engine::{self, EngineError, Observer};
use crate::finance::Finance;
use crate::finance::http::{HttpFinance, Settings};
use crate::flow::reach::Reach;
use crate::flow::{Bank, BankRules, Ctx, Duty, Pace, Step, Waits};
use crate::format::{Format, example};
use crate::guard::blind::Blinder;
use crate::guard::seal::Sealer;
use crate::guard::sign::Algorithm;
use crate::lifecycle::{DRAIN_LIMIT, Exit, Stop, feed_watchdog, manager};
use crate::model::deadline::StartEvent;
use crate::store::death::Death;
use crate::store::{Location, Store, StoreError};
use crate::web::metrics::StepResult;
use crate::web::{BankName, Health, Metrics, Pages};

/// How often gauges are refreshed: a scrape never touches the database (F66).
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// What a config refers to, opened.
pub struct Parts {
    pub sealer: Arc<Sealer>,
    pub blinder: Arc<Blinder>,
    pub sources: Vec<Arc<dyn Finance>>,
    pub banks: BTreeMap<String, Bank>,
    pub location: Location,
}

/// Opens everything a config refers to, but not the database.
///
/// # Errors
/// Everything that does not work, at once, each in words that say where.
pub fn open_parts(config: &Config, clock: &Arc<dyn Clock>) -> Result<Parts, Vec<String>> {
    // Whoever was first in this process has installed the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut problems = Vec::new();
    let mut keep = |what: &str, cause: String| problems.push(format!("{what}: {cause}"));
    let mut keys = Vec::new();
    for key in &config.keys.seal {
        match key.secret.key() {
            Ok(secret) => keys.push((key.id, secret)),
            Err(cause) => keep(&format!("keys.seal {}", key.id), cause),
        }
    }
    let all_keys = keys.len() == config.keys.seal.len();
    let sealer = Sealer::new(keys, config.keys.current).map_err(|cause| {
        if all_keys {
            keep("keys", cause.to_string());
        }
    });
    let blinder = config
        .keys
        .blind
        .secret
        .key()
        .map(|key| Blinder::new(config.keys.blind.id, &key))
        .map_err(|cause| keep("keys.blind", cause));
    let mut sources: Vec<Arc<dyn Finance>> = Vec::new();
    for source in &config.sources {
        match open_source(source, clock) {
            Ok(source) => sources.push(source),
            Err(cause) => keep(&format!("source {}", source.name), cause),
        }
    }
    let mut banks = BTreeMap::new();
    let common = Common::open(config, clock).unwrap_or_else(|causes| {
        for cause in causes {
            keep("calendar", cause);
        }
        Common { clock, calendar: None }
    });
    for bank in &config.banks {
        match open_bank(config, bank, &common) {
            Ok(opened) => {
                banks.insert(bank.code.clone(), opened);
            }
            Err(causes) => {
                for cause in causes {
                    keep(&format!("bank {}", bank.code), cause);
                }
            }
        }
    }
    let location = location(config).map_err(|cause| keep("database.url", cause));
    if let Err(cause) = crate::telemetry::check_level(&config.log) {
        keep("log", cause.to_string());
    }
    match (sealer, blinder, location) {
        (Ok(sealer), Ok(blinder), Ok(location)) if problems.is_empty() => Ok(Parts {
            sealer: Arc::new(sealer),
            blinder: Arc::new(blinder),
            sources,
            banks,
            location,
        }),
        _ => Err(problems),
    }
}

/// Where the database of a config is.
///
/// # Errors
/// Where the URL's secret cannot be read.
pub fn location(config: &Config) -> Result<Location, String> {
    match &config.database {
        Database::Sqlite => Ok(Location::Sqlite(config.data.join("daifa.sqlite"))),
        Database::Postgres { url } => {
            Ok(Location::Postgres(url.read()?.expose_secret().to_owned()))
        }
    }
}

fn open_source(
    source: &config::Source,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Finance>, String> {
    let mut settings =
        Settings::new(&source.name, &source.url, &source.key_id, source.secret.key()?);
    settings.algorithm = Algorithm::parse(&source.algorithm).ok_or("unknown algorithm")?;
    if let Some(path) = &source.ca_file {
        settings.ca_pem =
            Some(std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?);
    }
    let finance =
        HttpFinance::new(settings, Arc::clone(clock)).map_err(|cause| cause.to_string())?;
    Ok(Arc::new(finance))
}

fn open_bank(
    config: &Config,
    bank: &config::Bank,
    common: &Common<'_>,
) -> Result<Bank, Vec<String>> {
    let mut problems = Vec::new();
    let format = open_format(&config.formats, &bank.format)
        .map(Arc::new)
        .map_err(|cause| problems.push(cause));
    let door = doors::open(bank, format.as_ref().ok(), common);
    let door = door.map_err(|cause| problems.push(cause));
    let (Ok(format), Ok(door)) = (format, door) else { return Err(problems) };
    let rules = BankRules {
        rows_max: bank.rows_max,
        visibility_delay_ms: bank.visibility_delay.0,
        duplicate_window_ms: bank.duplicate_window.0,
        ask_after_ms: bank.ask_after.0,
        ask_every_ms: bank.ask_every.0,
        return_every_ms: bank.return_every.0,
        return_window_ms: bank.return_window.0,
        resend_after_ms: bank.resend_after.0,
        reference_prefix: bank.reference_prefix.clone(),
    };
    Ok(Bank { code: bank.code.clone(), name: bank.name.clone(), format, door, rules })
}

/// A format by name or path; the examples are also in the binary.
fn open_format(folder: &Path, name: &str) -> Result<Format, String> {
    let path = if name.contains('/') { Path::new(name).to_owned() } else { folder.join(name) };
    if path.join("format.toml").exists() {
        return Format::load(&path).map_err(|problems| problems.to_string());
    }
    match example::example(name) {
        Some(text) => Format::compile(name, text).map_err(|problems| problems.to_string()),
        None => Err(format!("format {name:?}: there is no {}", path.join("format.toml").display())),
    }
}

/// Everything that is wrong with a config and what it refers to; nothing is changed.
pub fn check(path: &Path, clock: &Arc<dyn Clock>) -> Vec<String> {
    match Config::read(path) {
        Ok(config) => {
            let mut problems = open_parts(&config, clock).err().unwrap_or_default();
            problems.extend(missing_folders(&config));
            problems
        }
        Err(problems) => problems.0,
    }
}

/// The keys are those that this database was written with. Another one under the same id would seal
/// what nobody can open later, and blind the same person to somebody else, so that one is paid twice.
async fn known_keys(store: &Store, parts: &Parts) -> anyhow::Result<()> {
    let seal =
        parts.sealer.fingerprints().map(|(id, print)| (format!("seal:{id}"), print.to_owned()));
    let blinder = &parts.blinder;
    let blind = (format!("blind:{}", blinder.key_id()), blinder.fingerprint());
    let mut problems = Vec::new();
    for (key, print) in seal.chain([blind]) {
        let name = format!("key:{key}");
        store.meta_once(&name, &print).await?;
        if store.meta(&name).await?.as_deref() != Some(print.as_str()) {
            problems.push(format!(
                "keys.{}: this is another key than the one that this database was begun with under \
                 the same id; bring back the old one, or give the new one an id of its own",
                key.replace(':', " ")
            ));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems).into()) }
}

/// Folders that banks share with us and that are not there. A daemon that runs waits for them; who asks
/// before it runs wants to know.
fn missing_folders(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    for bank in &config.banks {
        let Door::Directory { outgoing, incoming, .. } = &bank.door else { continue };
        for (key, folder) in [("outgoing", outgoing), ("incoming", incoming)] {
            if !folder.is_dir() {
                problems.push(format!(
                    "bank {}: door.{key}: {} is no folder; make it, or mount what the bank shares",
                    bank.code,
                    folder.display()
                ));
            }
        }
    }
    problems
}

/// A database that was begun just now, beside answers of banks that an earlier one took: it knows
/// nothing of what was sent, and would send it again.
async fn not_begun_anew(config: &Config, store: &Store) -> anyhow::Result<()> {
    if store.meta("install").await?.is_some() {
        return Ok(());
    }
    let used = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()))
    };
    let problems: Vec<String> = config
        .banks
        .iter()
        .filter_map(|bank| match &bank.door {
            Door::Directory { archive, .. } if used(archive) => Some(format!(
                "bank {}: this database is new, and {} holds answers that an earlier one took. Bring that \
                 database back - daifa.sqlite together with daifa.sqlite-wal - or, where this is \
                 meant to begin anew, give the bank an empty archive",
                bank.code,
                archive.display()
            )),
            _ => None,
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems).into()) }
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
) -> Result<Ctx, StoreError> {
    store
        .meta_once("install", &crate::guard::key::hex(&crate::guard::random::bytes::<4>()))
        .await?;
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
        pulls: Reach::new(dice()),
        deliveries: Reach::new(dice()),
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
    fn stepped(&self, step: Step, result: &'static str, took_ms: u64, now_ms: i64) {
        self.health.beat(step.as_str(), now_ms);
        if let Some(result) = StepResult::parse(result) {
            self.metrics.step(step.as_str(), result, took_ms);
        }
    }

    fn rests(&self, step: Step, now_ms: i64) {
        self.health.beat(step.as_str(), now_ms);
    }
}

/// A daemon that runs in this process.
pub struct Running {
    pub store: Arc<Store>,
    pub address: std::net::SocketAddr,
    engine: tokio::task::JoinHandle<Result<(), EngineError>>,
    rest: Vec<tokio::task::JoinHandle<()>>,
    health: Arc<Health>,
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
    let parts = open_parts(config, &clock).map_err(config::ConfigError)?;
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making {}", config.data.display()))?;
    let store = Store::open(&parts.location).await?;
    let store = Arc::new(match death {
        None => store,
        Some(death) => store.doomed(death),
    });
    not_begun_anew(config, &store).await?;
    known_keys(&store, &parts).await?;
    let banks = config
        .banks
        .iter()
        .map(|bank| BankName { code: bank.code.clone(), name: bank.name.clone() })
        .collect();
    let ctx = Arc::new(context(config, parts, Arc::clone(&store), Arc::clone(&clock)).await?);
    let swept = store.sweep_receiving().await?;
    let unknown = store.recover_sending(clock.now_ms()).await?;
    tracing::info!(swept, unknown, "what was under way at the last stop is taken up");
    let steps: Vec<&'static str> = Step::ALL.iter().map(|step| step.as_str()).collect();
    let stuck_ms = u64::try_from(config.pace.stuck_after.0).unwrap_or_default();
    let health = Arc::new(Health::new(&steps, stuck_ms, clock.now_ms()));
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), &steps));
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listening on {}", config.listen))?;
    let address = listener.local_addr()?;
    let pages = Pages {
        store: Arc::clone(&store),
        sealer: Arc::clone(&ctx.sealer),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        banks,
    };
    let page = tokio::spawn({
        let (router, cancel) = (crate::web::router(pages), cancel.clone());
        async move {
            if let Err(cause) = crate::web::serve(listener, router, cancel).await {
                tracing::error!(%cause, "the status page ended");
            }
        }
    });
    let fresh = crate::web::metrics::keep_fresh(
        Arc::clone(&metrics),
        Arc::clone(&store),
        Arc::clone(&clock),
        METRICS_EVERY,
        cancel.clone(),
    );
    let watchdog = feed_watchdog(Arc::clone(&health), clock);
    let rest = vec![page, tokio::spawn(fresh), tokio::spawn(watchdog)];
    let watcher = Arc::new(Watcher { health: Arc::clone(&health), metrics });
    let engine = tokio::spawn(engine::run(ctx, watcher, cancel));
    health.set_ready(true);
    Ok(Running { store, address, engine, rest, health })
}

impl Running {
    /// Waits until the steps have ended: after a soft stop, or because one must not go on.
    pub async fn ended(&mut self) -> Exit {
        let ended = (&mut self.engine).await;
        self.health.set_ready(false);
        match ended {
            Ok(Ok(())) => Exit::Done,
            Ok(Err(EngineError::Fatal { .. })) => Exit::Storage,
            Ok(Err(EngineError::Panicked { .. })) | Err(_) => Exit::Failed,
        }
    }

    /// Ends what is left after the steps have ended.
    pub async fn close(self) {
        for task in self.rest {
            task.abort();
        }
        self.store.close().await;
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Why it could not start.
pub async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    death: Option<Death>,
) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut running = start(config, clock, stop.soft(), death).await?;
    tracing::info!(page = %format!("http://{}/", running.address), "ready");
    manager::ready();
    let soft = stop.soft();
    // Said when the stop begins: work under way may take the whole limit to end.
    let stopping = tokio::spawn(async move {
        soft.cancelled().await;
        manager::stopping();
    });
    let exit = stop.drain(DRAIN_LIMIT, running.ended()).await.unwrap_or(Exit::Undrained);
    stop.soft().cancel();
    stopping.await?;
    running.close().await;
    Ok(exit)
}
