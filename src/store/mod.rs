//! Facts, kept: what finance approved, what was handed to a bank, what the bank said, and where
//! every fen is.
//!
//! The verbs are named by what the steps of `flow` do with them, one file per topic, and written
//! once: the seam between the two databases is [`sql::Dialect`], below the verbs, not a trait of
//! verbs above them. A `trait Store` with a single implementation behind a dialect would repeat
//! every signature and hide nothing (the rejected alternative).
//!
//! Every verb that changes something is one transaction: guarded by the state it expects, with the
//! money posted in double entry and an entry in the register's hash chain beside the rows it
//! writes (design 4, rule 8).

use std::path::Path;

pub(crate) mod sql;

pub mod alerts;
pub mod attempts;
pub mod bank_references;
pub mod breaker;
pub mod clock;
pub mod cut;
pub mod death;
pub mod decide;
mod digest;
pub mod doubles;
pub mod doubts;
pub mod expect;
pub mod facts;
mod feeds;
pub mod holds;
pub mod intake;
mod journal;
pub mod life;
pub mod migrations;
pub mod not_found;
pub mod numbers;
pub mod operators;
pub mod payment_serials;
mod postgres;
pub mod pushed;
pub mod quarantine;
mod recover;
mod recut;
pub mod refunds;
mod refusal;
pub mod reports;
pub mod restore;
pub mod results;
pub mod revise;
pub mod settle;
mod sqlite;
pub mod unread;
pub mod verify;
pub mod view;
mod vouch;
mod withdraw;

use crate::model::id;
use crate::store::journal::{DAEMON_CHAIN, Entry};
use crate::store::sql::{Dialect, Look, Work, params};

/// Why a verb of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open {what}: {cause}")]
    Open { what: String, cause: String },
    #[error("another instance is running on this database ({what}); stop it first")]
    SecondInstance { what: String },
    #[error("cannot bring the tables up to date: {cause}")]
    Migrate { cause: String },
    /// A guard found another state than the caller had read: read again.
    #[error("the guarded statement {sql:?} moved {moved} rows instead of one")]
    Moved { sql: &'static str, moved: u64 },
    #[error("statement {sql:?} failed: {cause}")]
    Query { sql: String, cause: String },
    /// Nobody knows whether the transaction is durable: stop and read back.
    #[error("a commit failed: {cause}")]
    Commit { cause: String },
    #[error("the database contradicts itself: {what}")]
    Inconsistent { what: String },
    /// What an operator or finance asked for does not fit the present state.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    fn query(sql: &str, cause: &sqlx::Error) -> Self {
        // Statements carry no values, and the driver's message may: it is cut to the database's own.
        let cause = match cause {
            sqlx::Error::Database(database) => {
                format!("{} ({})", database.message(), database.code().unwrap_or_default())
            }
            other => other.to_string(),
        };
        Self::statement(sql, cause)
    }

    fn statement(sql: &str, cause: String) -> Self {
        Self::Query { sql: sql.chars().take(120).collect(), cause }
    }

    fn open(what: &str, cause: &impl std::fmt::Display) -> Self {
        Self::Open { what: what.to_owned(), cause: cause.to_string() }
    }

    /// Does it say that an embedded database is damaged? The words are those of `SQLite`, by whichever way they came.
    pub fn is_damage(&self) -> bool {
        let text = self.to_string();
        ["database disk image is malformed", "file is not a database"]
            .into_iter()
            .any(|words| text.contains(words))
    }

    fn row(column: &str, cause: &impl std::fmt::Display) -> Self {
        Self::Inconsistent { what: format!("column {column}: {cause}") }
    }

    /// Adds the tables from which a row that makes no sense was read.
    fn read_by(self, sql: &str) -> Self {
        match self {
            Self::Inconsistent { what } => {
                let tables = sql.split_once(" FROM ").map_or(sql, |(_, tables)| tables);
                let tables: String = tables.chars().take(60).collect();
                Self::Inconsistent { what: format!("{what}, read from {tables}") }
            }
            other => other,
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err wants")]
    fn migrate(cause: sqlx::migrate::MigrateError) -> Self {
        Self::Migrate { cause: cause.to_string() }
    }

    /// Must the process stop and read back what is durable (design 4, rule 9)? Only a lost guard
    /// and a refused wish leave the database certain.
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Moved { .. } | Self::Refused(_))
    }
}

/// Where the facts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Sqlite(std::path::PathBuf),
    /// A connection URL; it may hold a password and is never printed.
    Postgres(String),
}

/// The facts. Cheap to share behind an `Arc`.
pub struct Store {
    dialect: Box<dyn Dialect>,
    /// Woken after every commit that may give a step something to do.
    changed: tokio::sync::Notify,
    /// Counts those commits.
    version: std::sync::atomic::AtomicU64,
    /// Only in practice: when the process kills itself.
    death: Option<std::sync::Arc<death::Death>>,
    /// The daemon's turn; a command beside it has none.
    turn: Option<i64>,
    /// Told of every hand-over before a byte of it leaves, and of every answer before its file is put away.
    witness: std::sync::OnceLock<Box<dyn Fn(Durable) + Send + Sync>>,
    /// By how references begin: the last number under which banks got one that the config does not name any more.
    former: std::sync::Mutex<std::collections::BTreeMap<String, i64>>,
    /// By batch and register: the lines of that which are about the same payments. They never change, and finding
    /// them reads all persons of a period.
    shared: revise::Shared,
}

/// What was made durable, and is acted upon outside of the database next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// That something is handed over.
    HandOver,
    /// What a bank said: results, or an answer that is held, by its number. One that was held and is applied keeps it.
    Answer(id::ResultNo),
}

impl Store {
    /// Opens the daemon's database, takes the instance lock and brings the tables up to date.
    ///
    /// # Errors
    /// [`StoreError::SecondInstance`] where another daemon has it, else why it cannot be opened.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        Self::connect(location, true).await
    }

    /// Opens the database beside a running daemon, for an operator's command.
    ///
    /// # Errors
    /// Where there is no database yet, or it cannot be reached.
    pub async fn attach(location: &Location) -> Result<Self, StoreError> {
        if let Location::Sqlite(path) = location
            && !Path::new(path).exists()
        {
            let cause = "there is no database yet; start the daemon first".to_owned();
            return Err(StoreError::Open { what: path.display().to_string(), cause });
        }
        Self::connect(location, false).await
    }

    async fn connect(location: &Location, exclusive: bool) -> Result<Self, StoreError> {
        let dialect: Box<dyn Dialect> = match location {
            Location::Sqlite(path) => Box::new(sqlite::SqliteDialect::open(path, exclusive).await?),
            Location::Postgres(url) => {
                Box::new(postgres::PostgresDialect::open(url, exclusive).await?)
            }
        };
        let turn = if exclusive { Some(take_turn(dialect.as_ref()).await?) } else { None };
        let changed = tokio::sync::Notify::new();
        let version = std::sync::atomic::AtomicU64::new(0);
        let witness = std::sync::OnceLock::new();
        let former = std::sync::Mutex::default();
        let shared = revise::Shared::default();
        Ok(Self { dialect, changed, version, death: None, turn, witness, former, shared })
    }

    /// Practice only: this store kills its process beside one of its commits.
    #[must_use]
    pub fn doomed(mut self, death: death::Death) -> Self {
        self.death = Some(std::sync::Arc::new(death));
        self
    }

    /// From now on `witness` is told of every hand-over and answer, once it is durable and before a byte leaves or a
    /// file is put away: who keeps count beside the database can tell that one was set back.
    pub fn witnessed(&self, witness: Box<dyn Fn(Durable) + Send + Sync>) {
        self.witness.get_or_init(|| witness);
    }

    fn is_durable(&self, what: Durable) {
        if let Some(witness) = self.witness.get() {
            witness(what);
        }
    }

    /// Every transaction that writes begins here, so every commit of one can be counted here, and a
    /// daemon whose turn is over writes nothing more (F19, I17).
    async fn write(&self) -> Result<Work, StoreError> {
        let tx = self.dialect.write().await?;
        let mut work = Work(match &self.death {
            None => tx,
            Some(death) => death.beside(tx),
        });
        if let Some(turn) = self.turn {
            let sql = "SELECT epoch FROM lease WHERE name = 'daemon'";
            if work.one(sql, params![], |row| row.int(0)).await? != Some(turn) {
                let what = "the lease in the database is another's".to_owned();
                return Err(StoreError::SecondInstance { what });
            }
        }
        Ok(work)
    }

    /// Asks whether it is this daemon's turn still: another one may have begun while this one was stopped (F19).
    ///
    /// # Errors
    /// [`StoreError::SecondInstance`] where it is another's, else where the database cannot be asked.
    pub async fn has_turn(&self) -> Result<(), StoreError> {
        self.write().await?.commit().await
    }

    async fn read(&self) -> Result<Work, StoreError> {
        self.dialect.read().await.map(Work)
    }

    /// For what one statement reads: it needs no transaction to be of one snapshot.
    fn look(&self) -> Look<'_> {
        Look(self.dialect.as_ref())
    }

    /// Commits, and wakes whoever waits for something to do.
    async fn done(&self, work: Work) -> Result<(), StoreError> {
        work.commit().await?;
        self.version.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Counts commits: a step that found nothing to do sleeps until this moves.
    pub fn version(&self) -> u64 {
        self.version.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Returns once something was committed after `version` was read.
    pub async fn changed_since(&self, version: u64) {
        loop {
            let notified = self.changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.version() != version {
                return;
            }
            notified.await;
        }
    }

    /// Waits a moment for those who read, and writes all back into one file; nobody reads any more. The writer
    /// closes when the store is dropped.
    pub async fn close(&self) {
        self.dialect.close().await;
    }

    /// Looks at all pages of an embedded database (F60).
    ///
    /// # Errors
    /// What is damaged, as far as that tells.
    pub async fn damage(&self) -> Result<(), StoreError> {
        // Without an argument: of a number the function makes the name of a table.
        let sql = "SELECT quick_check FROM pragma_quick_check LIMIT 1";
        let said = self.look().one(sql, params![], |row| row.string(0)).await?;
        match said.filter(|said| said != "ok") {
            None => Ok(()),
            Some(said) => Err(StoreError::statement(
                "PRAGMA quick_check",
                format!("database disk image is malformed: {said}"),
            )),
        }
    }

    /// Reads a setting of this database.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.look()
            .one("SELECT value FROM meta WHERE name = $1", params![name], |row| row.string(0))
            .await
    }

    /// Writes a setting of this database, once: a value that is there stays.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn meta_once(&self, name: &str, value: &str, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let mut entry = Entry::new("setting.made", now_ms);
        let row = params![name, value];
        if entry.vouched.returned(&mut work, &vouch::META, sql, row).await? > 0 {
            entry.fact("name", name);
            entry.write(&mut work, DAEMON_CHAIN).await?;
        }
        self.done(work).await
    }
}

/// Takes the next turn to write. The lock file beside the database, or the server's lock, keeps a second
/// daemon away; where somebody removes that file, the turn of the first is over here, in the database
/// itself.
async fn take_turn(dialect: &dyn Dialect) -> Result<i64, StoreError> {
    let mut work = Work(dialect.write().await?);
    let sql = "INSERT INTO lease (name, epoch) VALUES ('daemon', 1) ON CONFLICT (name) DO UPDATE SET epoch = lease.epoch + 1 RETURNING epoch";
    let turn = work.the(sql, params![], |row| row.int(0)).await?;
    work.commit().await?;
    Ok(turn)
}
