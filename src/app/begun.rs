//! The mark beside the database: which one was begun here, and how far it had come. A database that was
//! begun anew, brought from elsewhere or restored from a backup does not know what was sent, and would
//! send it again; without the mark nobody could tell it from a first start (F16, I6).

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::{Bank, Config, ConfigError, Door};
use crate::store::restore::NamedBank;
use crate::store::{Durable, Location, Store, StoreError};

/// How often the mark follows the journal. What a backup misses of so short a time, the answers of the
/// banks tell.
const FOLLOW_EVERY: Duration = Duration::from_secs(10);

const HEAD: &str = "# Written by daifa: which database was begun in this folder, and how far it has come. It stays where\n\
                    # it is, also when a backup of the database is brought back.\n";

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The database's own name.
    install: String,
    restore_epoch: u8,
    /// Entries in its journal.
    entries: i64,
}

const SENT_HEAD: &str = "# Written by daifa before every hand-over and behind every answer: how many the database of this folder has\n\
                         # known of. It stays where it is, like daifa.begun.\n";

/// What stands in the file that counts hand-overs and answers. The mark follows the journal a few seconds later; a
/// database that was set back by less would hand over once more what is under way, and miss what was put away.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    install: String,
    sends: i64,
    answers: i64,
}

impl Sent {
    /// Always of the same length, so that one write replaces all of it.
    fn text(&self) -> String {
        let Self { install, sends, answers } = self;
        format!("{SENT_HEAD}install = {install:?}\nsends = {sends:>20}\nanswers = {answers:>20}\n")
    }
}

fn sent_path(config: &Config) -> PathBuf {
    config.data.join("daifa.sent")
}

fn path(config: &Config) -> PathBuf {
    config.data.join("daifa.begun")
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(cause).with_context(|| format!("reading {}", path.display())),
    };
    let refused = |cause: toml::de::Error| {
        ConfigError(vec![format!(
            "{}: this is not what daifa wrote ({}); bring the file back as it was",
            path.display(),
            cause.message()
        )])
    };
    Ok(Some(toml::from_str(&text).map_err(refused)?))
}

/// Writes the mark so that it is the old one or the new one, never half of one.
fn write(path: &Path, mark: &Mark) -> anyhow::Result<()> {
    let text = format!("{HEAD}{}", toml::to_string(mark)?);
    let new = path.with_extension("begun.new");
    let done = (|| -> std::io::Result<()> {
        let mut file = std::fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    done.with_context(|| format!("writing {}", path.display()))
}

/// Refuses to make a database where one was begun before and is gone. Nothing is made yet.
///
/// # Errors
/// A [`ConfigError`] that says what to bring back.
pub fn still_there(config: &Config, location: &Location) -> anyhow::Result<()> {
    let Location::Sqlite(database) = location else { return Ok(()) };
    let mark = path(config);
    match read::<Mark>(&mark)? {
        Some(_) if !database.exists() => Err(ConfigError(vec![format!(
            "{}: the database is gone, and {} says that one was begun here. Bring it back, together \
             with its -wal file; a new one would send again what the old one sent",
            database.display(),
            mark.display()
        )])
        .into()),
        _ => Ok(()),
    }
}

/// Refuses a database that is not the one that was begun here, or is older than it was.
///
/// # Errors
/// A [`ConfigError`] in words that say what to do, or where the database or the mark cannot be read.
pub async fn is_the_one(config: &Config, store: &Store) -> anyhow::Result<()> {
    let install = store.meta("install").await?;
    let path = path(config);
    let mut problems = Vec::new();
    if install.is_none() {
        problems.extend(answers_taken(config));
    }
    let mark: Option<Mark> = read(&path)?;
    let epoch = mark.as_ref().map_or(0, |mark| mark.restore_epoch);
    let sent: Option<Sent> = read(&sent_path(config))?;
    let is_its = |sent: &Sent| install.as_ref() == Some(&sent.install);
    if let Some(sent) = sent.filter(is_its)
        && config.restore_epoch <= epoch
    {
        let (sends, answers) = store.hand_overs_and_answers().await?;
        if sends < sent.sends || answers < sent.answers {
            problems.push(format!(
                "this database is older than it was: it knows of {sends} hand-overs to banks, and of answers up to \
                 E{answers}, and {} has seen {} and E{}. {}",
                sent_path(config).display(),
                sent.sends,
                sent.answers,
                raise_epoch(epoch)
            ));
        }
    }
    if let Some(mark) = mark {
        let entries = store.journal_length().await?;
        let named = path.display();
        match install {
            None => problems.push(format!(
                "this database is new, and {named} says that another one was begun here. Bring that one back: \
                 a new one would send again what it sent"
            )),
            Some(install) if install != mark.install => problems.push(format!(
                "this is another database ({install}) than the one that was begun here ({}, says {named}). Bring \
                 that one back",
                mark.install
            )),
            Some(_) if entries < mark.entries && config.restore_epoch <= mark.restore_epoch => {
                problems.push(format!(
                    "this database is older than it was: its journal has {entries} entries, and {named} has seen {}. {}",
                    mark.entries,
                    raise_epoch(mark.restore_epoch)
                ));
            }
            Some(_) => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems).into()) }
}

/// What is to be done about an older database.
fn raise_epoch(before: u8) -> String {
    format!(
        "Where it was restored from a backup, or another server took over that did not have all of it, raise \
         restore_epoch to {} and start again: nothing is sent then before an operator has compared with the banks \
         (daifa bank resume)",
        i64::from(before) + 1
    )
}

/// From now on every hand-over is counted beside the database before a byte of it leaves, and every answer before its
/// file is put away. What follows is not
/// forced to the disk: it tells of a database that was set back while this machine kept running.
///
/// # Errors
/// Where the database cannot be read or the file not written.
pub async fn count_beside(config: &Config, store: &Store) -> anyhow::Result<()> {
    let path = sent_path(config);
    let install = store.meta("install").await?.unwrap_or_default();
    let (sends, answers) = store.hand_overs_and_answers().await?;
    let sent = Sent { install, sends, answers };
    let new = path.with_extension("sent.new");
    let begin = || -> std::io::Result<std::fs::File> {
        let file = std::fs::File::create(&new)?;
        file.write_all_at(sent.text().as_bytes(), 0)?;
        // Half of it behind a power cut would keep a database from starting that is well.
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file)
    };
    let file = begin().with_context(|| format!("writing {}", path.display()))?;
    let counted = Mutex::new(sent);
    store.witnessed(Box::new(move |what| {
        let mut sent = counted.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Durable::HandOver => sent.sends += 1,
            Durable::Answer(result) => sent.answers = sent.answers.max(result.0),
        }
        // Without it nothing is less safe than before; only that the database was set back might go unnoticed.
        if let Err(cause) = file.write_all_at(sent.text().as_bytes(), 0) {
            tracing::warn!(%cause, "what is durable could not be counted beside the database");
        }
    }));
    Ok(())
}

/// Takes up the restore epoch of the config.
///
/// # Errors
/// A [`ConfigError`] where it is lower than before, else where the database fails.
pub async fn begin_epoch(config: &Config, store: &Store, now_ms: i64) -> anyhow::Result<()> {
    let named = |bank: &Bank| NamedBank { code: bank.code.clone(), name: bank.name.clone() };
    let banks: Vec<NamedBank> = config.banks.iter().map(named).collect();
    match store.begin_epoch(i64::from(config.restore_epoch), &banks, now_ms).await {
        Err(StoreError::Refused(why)) => Err(ConfigError(vec![why]).into()),
        other => Ok(other?),
    }
}

/// Answers that an earlier database took, beside one that was begun just now.
fn answers_taken(config: &Config) -> Vec<String> {
    let used = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()))
    };
    config
        .banks
        .iter()
        .flat_map(|bank| bank.doors().map(move |(_, door)| (bank, door)))
        .filter_map(|(bank, door)| match door {
            Door::Directory { archive, .. } if used(archive) => Some(format!(
                "bank {}: this database is new, and {} holds answers that an earlier one took. Bring that \
                 database back - daifa.sqlite together with daifa.sqlite-wal - or, where this is \
                 meant to begin anew, give the bank an empty archive",
                bank.code,
                archive.display()
            )),
            _ => None,
        })
        .collect()
}

/// Writes the mark of the database that is open.
///
/// # Errors
/// Where the database cannot be read or the mark not written.
pub async fn mark(config: &Config, store: &Store) -> anyhow::Result<Mark> {
    let mark = Mark {
        install: store.meta("install").await?.unwrap_or_default(),
        restore_epoch: config.restore_epoch,
        entries: store.journal_length().await?,
    };
    write(&path(config), &mark)?;
    Ok(mark)
}

/// Lets the mark follow the journal until the daemon stops.
pub fn follow(
    config: &Config,
    store: Arc<Store>,
    mut mark: Mark,
    cancel: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let path = path(config);
    async move {
        let mut turns = tokio::time::interval(FOLLOW_EVERY);
        loop {
            let stopped = tokio::select! {
                _ = turns.tick() => false,
                () = cancel.cancelled() => true,
            };
            match store.journal_length().await {
                Ok(entries) if entries > mark.entries => {
                    mark.entries = entries;
                    if let Err(cause) = write(&path, &mark) {
                        tracing::warn!(%cause, "the mark beside the database could not follow it");
                    }
                }
                Ok(_) => {}
                Err(cause) => {
                    tracing::warn!(%cause, "the mark beside the database cannot follow it");
                }
            }
            if stopped {
                return;
            }
        }
    }
}
