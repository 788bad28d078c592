//! What a config refers to, opened: keys, finance sources, banks with their doors and formats, the place
//! of the database. A door is added in `doors` and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::app::doors::{self, Common};
use crate::clock::Clock;
use crate::config::{self, Config, Database, Door};
use crate::finance::Finance;
use crate::finance::http::{HttpFinance, Settings};
use crate::flow::{Bank, BankRules};
use crate::format::{Format, example};
use crate::guard::blind::Blinder;
use crate::guard::seal::Sealer;
use crate::guard::sign::Algorithm;
use crate::store::Location;

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
    let banks = open_banks(config, clock, &mut keep);
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

/// The banks that could be opened; what is wrong with the others, and with the calendar, is kept.
fn open_banks(
    config: &Config,
    clock: &Arc<dyn Clock>,
    keep: &mut impl FnMut(&str, String),
) -> BTreeMap<String, Bank> {
    let common = Common::open(config, clock).unwrap_or_else(|causes| {
        for cause in causes {
            keep("calendar", cause);
        }
        Common { clock, calendar: None }
    });
    let mut banks = BTreeMap::new();
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
    banks
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
