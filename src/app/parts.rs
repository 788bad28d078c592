//! What a config refers to, opened: keys, finance sources, banks with their doors and formats, the place
//! of the database. A door is added in `doors` and nowhere else.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::Access;
use secrecy::ExposeSecret as _;

use crate::app::agreed;
use crate::app::doors::{self, Common};
use crate::app::operators::Operators;
use crate::app::profile;
use crate::app::push::{self, Calls};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError, Database, Door, Problem, entries};
use crate::finance::Finance;
use crate::finance::http::{HttpFinance, Settings};
use crate::flow::breaker::BreakerRule;
use crate::flow::values::is_known;
use crate::flow::{Bank, BankRules};
use crate::format::{Format, MessageKind, Secrets, example};
use crate::guard::blind::Blinder;
use crate::guard::seal::Sealer;
use crate::guard::sign::Algorithm;
use crate::guard::stated::MacKey;
use crate::store::Location;

/// For so long a return is waited for at a bank that tells of them by itself, where nobody said for how long.
const RETURN_WINDOW_MS: i64 = 10 * 24 * 3_600_000;

/// What a config refers to, opened.
pub struct Parts {
    pub sealer: Arc<Sealer>,
    pub blinder: Arc<Blinder>,
    pub sources: Vec<Arc<dyn Finance>>,
    pub banks: BTreeMap<String, Bank>,
    /// How banks call us, those that do.
    pub pushes: Vec<Calls>,
    pub location: Location,
}

/// Opens everything a config refers to, but not the database.
///
/// # Errors
/// Everything that does not work, at once, each in words that say where.
pub fn open_parts(config: &Config, clock: &Arc<dyn Clock>) -> Result<Parts, Vec<String>> {
    let line = |Problem { key, what, .. }| format!("{key}: {what}");
    open_all(config, clock).map_err(|problems| problems.into_iter().map(line).collect())
}

/// The same, with the key of each problem.
fn open_all(config: &Config, clock: &Arc<dyn Clock>) -> Result<Parts, Vec<Problem>> {
    // Whoever was first in this process has installed the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut problems = Vec::new();
    let mut keep = |key: String, cause: String| problems.push(Problem::new(key, cause));
    let mut keys = Vec::new();
    for (key, place) in config.keys.seal.iter().zip(entries("keys.seal")) {
        match key.secret.key() {
            Ok(secret) => keys.push((key.id, secret)),
            Err(cause) => keep(format!("{place}.secret"), cause),
        }
    }
    let all_keys = keys.len() == config.keys.seal.len();
    let named = config.keys.seal.iter().any(|key| key.id == config.keys.current);
    let sealer = Sealer::new(keys, config.keys.current).map_err(|cause| {
        if all_keys && named {
            keep("keys.seal".to_owned(), cause.to_string());
        }
    });
    let blinder = config
        .keys
        .blind
        .secret
        .key()
        .map(|key| Blinder::new(config.keys.blind.id, &key))
        .map_err(|cause| keep("keys.blind.secret".to_owned(), cause));
    let mut sources: Vec<Arc<dyn Finance>> = Vec::new();
    for (source, place) in config.sources.iter().zip(entries("source")) {
        match open_source(source, &place, clock) {
            Ok(source) => sources.push(source),
            Err(causes) => causes.into_iter().for_each(|cause| keep(cause.key, cause.what)),
        }
    }
    let banks = open_banks(config, clock, &mut keep);
    let pushes = open_pushes(config, &banks, &mut keep);
    let location = location(config).map_err(|cause| keep("database.url".to_owned(), cause));
    if let Err(cause) = crate::telemetry::check_level(&config.log) {
        keep("log".to_owned(), cause.to_string());
    }
    match (sealer, blinder, location) {
        (Ok(sealer), Ok(blinder), Ok(location)) if problems.is_empty() => Ok(Parts {
            sealer: Arc::new(sealer),
            blinder: Arc::new(blinder),
            sources,
            banks,
            pushes,
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
    place: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Finance>, Vec<Problem>> {
    let problem = |key: &str, cause: String| Problem::new(format!("{place}.{key}"), cause);
    let (mut problems, mut ca_pem) = (Vec::new(), None);
    if let Some(path) = &source.ca_file {
        match std::fs::read(path) {
            Ok(pem) => ca_pem = Some(pem),
            Err(cause) => {
                problems.push(problem("ca_file", format!("{}: {cause}", path.display())));
            }
        }
    }
    let key = source.secret.key().map_err(|cause| problems.push(problem("secret", cause)));
    let (Ok(key), true) = (key, problems.is_empty()) else { return Err(problems) };
    let mut settings = Settings::new(&source.name, &source.url, &source.key_id, key);
    settings.ca_pem = ca_pem;
    // One that is not known was told with the config itself.
    settings.algorithm = Algorithm::parse(&source.algorithm).unwrap_or(settings.algorithm);
    let finance = HttpFinance::new(settings, Arc::clone(clock))
        .map_err(|cause| vec![problem("url", cause.to_string())])?;
    Ok(Arc::new(finance))
}

/// The banks that could be opened; what is wrong with the others, and with the calendar, is kept.
fn open_banks(
    config: &Config,
    clock: &Arc<dyn Clock>,
    keep: &mut impl FnMut(String, String),
) -> BTreeMap<String, Bank> {
    let common = Common::open(config, clock).unwrap_or_else(|causes| {
        for cause in causes {
            keep("calendar".to_owned(), cause);
        }
        Common { clock, calendar: None }
    });
    let mut banks = BTreeMap::new();
    for (bank, place) in config.banks.iter().zip(entries("bank")) {
        match open_bank(config, bank, &place, &common) {
            Ok(opened) => {
                banks.insert(bank.code.clone(), opened);
            }
            Err(causes) => causes.into_iter().for_each(|cause| keep(cause.key, cause.what)),
        }
    }
    banks
}

/// How banks call us, as far as it could be opened.
fn open_pushes(
    config: &Config,
    banks: &BTreeMap<String, Bank>,
    keep: &mut impl FnMut(String, String),
) -> Vec<Calls> {
    let mut pushes = Vec::new();
    for (bank, place) in config.banks.iter().zip(entries("bank")) {
        let Some(asked) = &bank.push else { continue };
        let format = banks.get(&bank.code).map(|bank| bank.format.as_ref());
        match push::open(&bank.code, asked, format) {
            Ok(calls) => pushes.push(calls),
            Err(cause) => keep(format!("{place}.push"), cause),
        }
    }
    pushes
}

fn open_bank(
    config: &Config,
    bank: &config::Bank,
    place: &str,
    common: &Common<'_>,
) -> Result<Bank, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keep = |key: &str, cause| problems.push(Problem::new(format!("{place}.{key}"), cause));
    let format = open_format(&config.formats, &bank.format).map_err(|cause| keep("format", cause));
    let format = format.and_then(|format| {
        let secrets = open_secrets(bank, &format);
        let keep = |causes: Vec<Problem>| {
            for cause in causes {
                keep(&cause.key, cause.what);
            }
        };
        secrets.map_err(keep).map(|secrets| Arc::new(format.with_secrets(secrets)))
    });
    let doors = doors::open(bank, format.as_ref().ok(), common)
        .map_err(|causes| causes.into_iter().for_each(|(key, cause)| keep(&key, cause)));
    for what in format.iter().flat_map(|format| never_written(format)) {
        keep("format", what);
    }
    let answers = match &format {
        Ok(format) => profile::answers(bank, format, place, config.duty.allowed)
            .map_err(|causes| problems.extend(causes)),
        Err(()) => Err(()),
    };
    let (Ok(format), Ok(doors), Ok(answers)) = (format, doors, answers) else {
        return Err(problems);
    };
    // Of a bank that is not asked neither is said: "not found" never counts then, and nothing goes again.
    let rules = BankRules {
        rows_max: bank.rows_max,
        visibility_delay_ms: bank.visibility_delay.map_or(i64::MAX, |delay| delay.0),
        duplicate_window_ms: bank.duplicate_window.map_or(0, |window| window.0),
        ask_after_ms: bank.ask_after.0,
        ask_every_ms: bank.ask_every.0,
        return_every_ms: bank.return_every.0,
        return_window_ms: bank.return_window.map_or(RETURN_WINDOW_MS, |window| window.0),
        resend_after_ms: bank.resend_after.0,
        reference_prefix: bank.reference_prefix.clone(),
        answers,
        breaker: BreakerRule { after: i64::from(bank.breaker.after), rest_ms: bank.breaker.rest.0 },
        years: bank
            .hours
            .as_ref()
            .filter(|hours| hours.workdays)
            .and(common.calendar.as_ref())
            .map(|calendar| calendar.years()),
    };
    Ok(Bank { code: bank.code.clone(), name: bank.name.clone(), format, doors, rules })
}

/// Messages of ours that nobody could write: their description wants what the road does not know.
fn never_written(format: &Format) -> Vec<String> {
    let ours = MessageKind::ALL.iter().copied().filter(|kind| kind.is_ours());
    let told = ours.filter_map(|kind| {
        let missing = format.missing(kind, &|of_row, key| is_known(kind, of_row, key));
        (!missing.is_empty()).then(|| {
            format!(
                "its {kind} cannot be written without {}, which nobody has when it is; give the field a default or a \
                 literal, or make it optional",
                missing.join(", ")
            )
        })
    });
    told.collect()
}

/// A key that a bank gave for the digests of its messages.
///
/// # Errors
/// In words that name the reference and never the content.
pub fn bank_key(secret: &config::Secret) -> Result<MacKey, String> {
    MacKey::parse(secret.read()?.expose_secret()).map_err(|cause| cause.to_string())
}

/// The keys of a bank's format. Each that it names must be there; others may be, for answers to what an
/// older text of it sent.
fn open_secrets(bank: &config::Bank, format: &Format) -> Result<Secrets, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut secrets = BTreeMap::new();
    for (name, secret) in &bank.secrets {
        let key = bank_key(secret);
        let place = format!("secrets.{name}");
        match key {
            Ok(key) if !format.about().is_example && format.is_published(name, &key) => {
                let what = "is the key that the format publishes for its samples: anybody has it";
                problems.push(Problem::new(place, what));
            }
            Ok(key) => match format.key_fits(name, &key) {
                Ok(()) => drop(secrets.insert(name.clone(), key)),
                Err(cause) => problems.push(Problem::new(place, cause)),
            },
            Err(cause) => problems.push(Problem::new(place, cause)),
        }
    }
    for name in format.secret_names().filter(|name| !bank.secrets.contains_key(*name)) {
        let what = format!(
            "the format makes its digests with the key {name:?}; add {name} = {{ file = \"...\" }}"
        );
        problems.push(Problem::new("secrets", what));
    }
    if problems.is_empty() { Ok(Arc::new(secrets)) } else { Err(problems) }
}

/// A format by name or path; the examples are also in the binary.
///
/// # Errors
/// In words, why it cannot be used.
pub fn open_format(folder: &Path, name: &str) -> Result<Format, String> {
    let path = if name.contains('/') { Path::new(name).to_owned() } else { folder.join(name) };
    if path.join("format.toml").exists() {
        return Format::load(&path).map_err(|problems| problems.to_string());
    }
    match example::example(name) {
        Some(text) => Format::compile(name, text).map_err(|problems| problems.to_string()),
        None => Err(format!("format {name:?}: there is no {}", path.join("format.toml").display())),
    }
}

/// What a look at a config came to.
#[derive(Debug)]
pub struct Checked {
    /// Everything that is wrong with it, each with its line.
    pub problems: Vec<String>,
    /// What is no fault, and what whoever runs it should know.
    pub notes: Vec<String>,
}

/// Everything that is wrong with a config and what it refers to; nothing is changed.
pub fn check(path: &Path, clock: &Arc<dyn Clock>) -> Checked {
    check_all(path, clock, |config| Operators::read(config).err().unwrap_or_default())
}

/// The same, but for what only commands read and the daemon need not be able to: what operators are known by.
pub(super) fn check_for_daemon(path: &Path, clock: &Arc<dyn Clock>) -> Checked {
    check_all(path, clock, |_| Vec::new())
}

fn check_all(
    path: &Path,
    clock: &Arc<dyn Clock>,
    operators: impl Fn(&Config) -> Vec<Problem>,
) -> Checked {
    let mut looked = match Config::look(path) {
        Ok(looked) => looked,
        Err(ConfigError(problems)) => return Checked { problems, notes: Vec::new() },
    };
    let mut notes = Vec::new();
    if let Some(config) = &looked.config {
        let mut found = match open_all(config, clock) {
            Ok(parts) => {
                notes = agreed::notes(config, parts.banks.values(), clock.now_ms());
                Vec::new()
            }
            Err(found) => found,
        };
        found.extend(operators(config));
        found.extend(unusable_data(&config.data));
        found.extend(missing_folders(config));
        looked.add(found);
    }
    Checked { problems: looked.lines(), notes }
}

/// Why the daemon's own folder cannot be written. One that is not there yet is made at the start, where
/// what it is in can be written.
fn unusable_data(data: &Path) -> Option<Problem> {
    let there = data.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let what = if !there.is_dir() {
        format!("{} is no folder", there.display())
    } else if let Err(cause) = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let cause = std::io::Error::from(cause);
        format!(
            "{} cannot be written ({cause}); give it to the user that runs daifa",
            there.display()
        )
    } else {
        return None;
    };
    Some(Problem::new("data", what))
}

/// Folders that banks share with us and that are not there. A daemon that runs waits for them; who asks
/// before it runs wants to know.
fn missing_folders(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (bank, place) in config.banks.iter().zip(entries("bank")) {
        for (at, door) in bank.doors() {
            let Door::Directory { outgoing, incoming, archive, quarantine, .. } = door else {
                continue;
            };
            for (key, folder) in [("outgoing", outgoing), ("incoming", incoming)] {
                if let Some(what) = unusable_folder(folder) {
                    problems.push(Problem::new(format!("{place}.{at}.{key}"), what));
                }
            }
            for (key, folder) in [("archive", archive), ("quarantine", quarantine)] {
                if is_elsewhere(incoming, folder) {
                    let what = "is on another file system than incoming: files are moved there in one step, which only works \
                                within one";
                    problems.push(Problem::new(format!("{place}.{at}.{key}"), what));
                }
            }
        }
    }
    problems
}

/// Is a folder, which may be made only later, on another file system than the one that is there?
fn is_elsewhere(there: &Path, folder: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    let made = folder.ancestors().find(|folder| folder.exists()).and_then(device);
    matches!((device(there), made), (Some(there), Some(made)) if there != made)
}

/// Why a folder that a bank shares cannot be used, if so.
fn unusable_folder(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        let folder = folder.display();
        return Some(format!("{folder} is no folder; make it, or mount what the bank shares"));
    }
    let may_write = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    (!may_write)
        .then(|| format!("{} cannot be written; give daifa's user the right to", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn bank(secrets: &str) -> config::Bank {
        let text = format!(
            "code = \"b\"\nname = \"B\"\nformat = \"f\"\n[door]\nkind = \"https\"\nurl = \"https://b.example\"\n\
             [secrets]\n{secrets}\n"
        );
        toml::from_str(&text).expect("a bank")
    }

    #[test]
    fn what_is_put_away_is_moved_within_one_file_system() {
        let (here, there) = (tempfile::tempdir().expect("a folder"), Path::new("/dev/shm"));
        let here = here.path();
        assert!(!is_elsewhere(here, &here.join("not/made/yet")));
        assert!(!is_elsewhere(&here.join("gone"), there), "that it is not there is told by itself");
        let device = |path: &Path| path.metadata().expect("it is there").dev();
        if there.is_dir() && device(there) != device(here) {
            assert!(is_elsewhere(here, there) && is_elsewhere(here, &there.join("not/made/yet")));
        } else {
            eprintln!("skipped: there is no second file system");
        }
    }

    #[test]
    fn i27_a_bank_needs_every_key_that_its_format_names_and_none_that_anybody_has() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .expect("private");
            path.display().to_string()
        };
        let text = example::example("example-gx-tagged").expect("it ships");
        let example = Format::compile("gx", text).expect("compiles");
        let own = text.replacen("status = \"example\"", "status = \"bank\"", 1);
        let own = Format::compile("gx", &own).expect("compiles");
        let good = keep("good", "ffeeddccbbaa99887766554433221100\n");
        let published = keep("published", "0123456789ABCDEFFEDCBA9876543210");
        let told = |format: &Format, secrets: &str| match open_secrets(&bank(secrets), format) {
            Ok(secrets) => format!("{} keys", secrets.len()),
            Err(problems) => {
                let lines =
                    problems.iter().map(|problem| format!("{}: {}", problem.key, problem.what));
                lines.collect::<Vec<_>>().join("\n")
            }
        };
        let named = |file: &str| format!("bank-mac = {{ file = \"{file}\" }}");
        assert_eq!(told(&own, &named(&good)), "1 keys");
        // For answers to what an older text of the format sent.
        assert_eq!(
            told(&own, &format!("{}\nolder = {{ file = \"{good}\" }}", named(&good))),
            "2 keys"
        );
        assert!(told(&own, "").starts_with("secrets: the format makes its digests with the key"));
        assert!(told(&own, &named(&published)).contains("secrets.bank-mac: is the key that"));
        assert_eq!(told(&example, &named(&published)), "1 keys");
        let bad = told(&own, &named(&keep("bad", "correct horse battery staple 123")));
        assert!(bad.contains("16 to 128 hexadecimal digits") && !bad.contains("horse"), "{bad}");
    }

    #[test]
    fn i21_a_request_that_wants_what_nobody_has_is_told_before_there_is_a_payment() {
        let text = example::example("example-rural-fixed").expect("it ships");
        let told = |from: &str, to: &str| {
            let text = text.replacen(from, to, 1);
            never_written(&Format::compile("rural", &text).expect("compiles"))
        };
        assert_eq!(told("#", "#"), [""; 0]);
        let summary = "{ key = \"summary\", width = 40,";
        let own = |more: &str| format!("{{ own = \"branch\", width = 40{more},");
        let [wanting] = &told(summary, &own(""))[..] else { panic!("one message") };
        assert!(wanting.starts_with("its payment_request cannot be written without branch,"));
        assert_eq!(told(summary, &own(", default = \"0001\"")), [""; 0]);
        assert_eq!(told(summary, &own(", optional = true")), [""; 0]);
        let joined = told(summary, &own(", join = \"{summary}{section}\""));
        assert!(joined.concat().contains("without section,"), "{joined:?}");
        // What is known of a payment is not known of the whole of them.
        let of_head = told(summary, "{ key = \"payee_name\", width = 40,");
        assert!(of_head.concat().contains("without payee_name,"), "{of_head:?}");
        let of_row = "{ key = \"document_number\", width = 20, only = \"ascii\",";
        assert_eq!(told(of_row, "{ key = \"town\", width = 20,"), [""; 0]);
        for name in example::names() {
            let format = Format::compile(name, example::example(name).expect("it ships"));
            assert_eq!(never_written(&format.expect("compiles")), [""; 0], "{name}");
        }
    }
}
