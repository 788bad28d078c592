//! The embedded database: one writer with `BEGIN IMMEDIATE`, a few read-only readers, WAL, and
//! every commit on the disk before it returns (`synchronous=FULL`).
//!
//! A statement runs where it is called. sqlx has each of them run by a thread of the connection: a way there
//! and back for every statement, and often one for every row, which was most of what a batch cost. The lanes have
//! threads of their own for that ([`crate::engine`]); elsewhere the runtime is told that its thread is taken.
//! The tables' history stays with sqlx, which keeps that of `PostgreSQL` too.

mod readers;

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::clock::{Clock as _, SystemClock};
use crate::store::StoreError;
use crate::store::sql::{Bulk, Dialect, Param, Row, Take, Tx, all_bound};
use crate::store::sqlite::readers::{Reader, Readers};

/// The oldest `SQLite` that this daemon runs on: 3.51.3.
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// How long a connection waits for another process that has the file.
const BUSY: Duration = Duration::from_secs(30);
/// How long a statement runs until somebody is told.
const SLOW_MS: i64 = 1_000;
/// How long those who still read are waited for at the end.
const CLOSING: Duration = Duration::from_secs(2);
/// How many statements a connection keeps compiled: more than there are.
const STATEMENTS: usize = 200;
/// 16 MiB: with 64 a register of 1,000,000 was no faster, and memory grew until it was full.
const WRITER_CACHE: &str = "-16384";

pub(super) struct SqliteDialect {
    writer: Arc<Mutex<Writer>>,
    readers: Arc<Readers>,
    /// Held while we live: a second instance on the same file exits at once (F19).
    _lock: Option<File>,
}

struct Writer {
    connection: Connection,
    /// A transaction was begun and neither committed nor rolled back: its future was dropped.
    open: bool,
}

fn connect(path: &Path, flags: OpenFlags, cache: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else every statement whose value might stand in a partial index is compiled anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(&format!(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cache_size = {cache}; \
         PRAGMA temp_store = FILE; PRAGMA wal_autocheckpoint = 4000"
    ))?;
    Ok(connection)
}

impl SqliteDialect {
    /// Opens or makes the file, and brings its tables up to date. `exclusive` is the daemon; a
    /// command of an operator beside it is not.
    pub(super) async fn open(path: &Path, exclusive: bool) -> Result<Self, StoreError> {
        let lock = if exclusive { Some(lock(path)?) } else { None };
        let connection = waits(|| open_writer(path, exclusive))?;
        bring_up(path, exclusive).await?;
        if !exclusive {
            check_durable(&connection, path)?;
        }
        let writer = Arc::new(Mutex::new(Writer { connection, open: false }));
        let readers = Readers::of(path);
        Ok(Self { writer, readers, _lock: lock })
    }
}

fn open_writer(path: &Path, exclusive: bool) -> Result<Connection, StoreError> {
    let what = || path.display().to_string();
    let unopened = |cause: &rusqlite::Error| StoreError::open(&what(), &told(cause));
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, exclusive);
    let connection = connect(path, flags, WRITER_CACHE).map_err(|cause| unopened(&cause))?;
    check_version(&connection)?;
    if exclusive {
        // The daemon alone says how the file keeps its journal: two who would both change that of a file that
        // is being made find it locked, and neither waits.
        pragma(&connection, "PRAGMA journal_mode = WAL").map_err(|cause| unopened(&cause))?;
        check_durable(&connection, path)?;
    }
    Ok(connection)
}

/// Brings the tables up to date, or looks whether they are.
async fn bring_up(path: &Path, exclusive: bool) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(|cause| StoreError::open(&path.display().to_string(), &cause))?;
    let known = crate::store::migrations::sqlite();
    if exclusive {
        known.run(&mut connection).await.map_err(StoreError::migrate)?;
    } else {
        crate::store::migrations::check(&mut connection, &known).await?;
    }
    connection.close().await.map_err(|cause| StoreError::open(&path.display().to_string(), &cause))
}

/// Takes the lock file beside the database.
fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.with_extension("lock");
    let open =
        || -> std::io::Result<File> { File::options().create(true).append(true).open(&name) };
    let file = open().map_err(|cause| StoreError::Open {
        what: name.display().to_string(),
        cause: cause.to_string(),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(StoreError::SecondInstance { what: name.display().to_string() }),
    }
}

fn check_version(connection: &Connection) -> Result<(), StoreError> {
    let version = pragma(connection, "SELECT sqlite_version()")
        .map_err(|cause| failed("SELECT sqlite_version()", &cause))?;
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found >= VERSION_MIN {
        return Ok(());
    }
    let cause = format!("SQLite {version} is older than {VERSION_MIN:?}");
    Err(StoreError::Open { what: "SQLite".to_owned(), cause })
}

/// What is acknowledged must be durable (I23). Asked for is not yet had: where the file system does
/// not let processes share memory, `SQLite` keeps another journal and only says so.
fn check_durable(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    /// `FULL`: a commit returns once the log is on the disk.
    const FULL: i64 = 2;
    let what = || path.display().to_string();
    let asked =
        |sql| pragma(connection, sql).map_err(|cause| StoreError::open(&what(), &told(&cause)));
    let journal = asked("PRAGMA journal_mode")?;
    let synchronous = asked("PRAGMA synchronous")?;
    if journal == "wal" && synchronous.parse().is_ok_and(|level: i64| level >= FULL) {
        return Ok(());
    }
    let cause = format!(
        "journal_mode is {journal} and synchronous is {synchronous}, where wal and {FULL} are needed; \
         what is acknowledged to finance would not be durable. Keep the data on a local file system"
    );
    Err(StoreError::Open { what: what(), cause })
}

/// The one value that a statement without parameters answers.
fn pragma(connection: &Connection, sql: &str) -> rusqlite::Result<String> {
    connection.query_row(sql, [], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Integer(value) => value.to_string(),
            other => other.as_str()?.to_owned(),
        })
    })
}

/// Runs what may wait for the disk or for another process. A thread of the runtime gives its other tasks away
/// before; a lane's own has none, and a runtime of one thread nobody to give them to.
fn waits<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// The same for a statement; one that takes long is told of, since the disk may be ill.
fn timed<T>(sql: &str, work: impl FnOnce() -> T) -> T {
    let begun_ms = SystemClock.running_ms();
    let done = waits(work);
    let took_ms = SystemClock.running_ms() - begun_ms;
    if took_ms >= SLOW_MS {
        let sql: String = sql.chars().take(120).collect();
        tracing::warn!(took_ms, sql, "a statement took long; is the disk slow?");
    }
    done
}

/// Lets go on what else the same task does: a bank's server is asked for the next answer while one is applied.
async fn lets_others_go_on() {
    tokio::task::yield_now().await;
}

/// The database's own words and code; a statement carries no values, and the driver's message might.
fn told(cause: &rusqlite::Error) -> String {
    match cause {
        rusqlite::Error::SqliteFailure(code, Some(words)) => {
            format!("{words} ({})", code.extended_code)
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            format!("{msg} ({})", error.extended_code)
        }
        other => other.to_string(),
    }
}

fn failed(sql: &str, cause: &rusqlite::Error) -> StoreError {
    StoreError::statement(sql, told(cause))
}

fn ended() -> StoreError {
    StoreError::Inconsistent { what: "a transaction that has ended".to_owned() }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(value) => value.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Text(value) => {
                value.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
            }
            Self::Blob(value) => {
                value.as_ref().map_or(ValueRef::Null, |bytes| ValueRef::Blob(bytes))
            }
        }))
    }
}

/// `$7` is the seventh value, wherever it stands; to `SQLite` it is a name.
fn bind(statement: &mut Statement<'_>, params: &[Param]) -> rusqlite::Result<()> {
    for at in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(at) {
            None => Some(at),
            Some(name) => name.get(1..).and_then(|digits| digits.parse().ok()),
        };
        let value = number.and_then(|number: usize| params.get(number.checked_sub(1)?));
        let count = || rusqlite::Error::InvalidParameterCount(params.len(), at);
        statement.raw_bind_parameter(at, value.ok_or_else(count)?)?;
    }
    Ok(())
}

/// Runs a statement to its end, and says how many rows it wrote.
fn run(connection: &Connection, sql: &str, params: &[Param], keep: bool) -> rusqlite::Result<u64> {
    let to_its_end = |statement: &mut Statement<'_>| -> rusqlite::Result<()> {
        bind(statement, params)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    };
    if keep {
        to_its_end(&mut *connection.prepare_cached(sql)?)?;
    } else {
        to_its_end(&mut connection.prepare(sql)?)?;
    }
    Ok(connection.changes())
}

/// The same, for the verbs. A statement that was `built` for many rows is as good as never the same again.
fn run_for(
    connection: &Connection,
    sql: &str,
    built: bool,
    params: &[Param],
) -> Result<u64, StoreError> {
    all_bound(sql, params);
    let keep = !built || params.len() > 1_000;
    timed(sql, || run(connection, sql, params, keep)).map_err(|cause| failed(sql, &cause))
}

fn rows(
    connection: &Connection,
    sql: &str,
    params: &[Param],
    take: Take<'_>,
) -> Result<(), StoreError> {
    all_bound(sql, params);
    let broke = |cause: rusqlite::Error| failed(sql, &cause);
    timed(sql, || {
        let mut statement = connection.prepare_cached(sql).map_err(broke)?;
        bind(&mut statement, params).map_err(broke)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(broke)? {
            take(&Row::Sqlite(row)).map_err(|cause| cause.read_by(sql))?;
        }
        Ok(())
    })
}

/// Begins or ends a transaction.
fn turn(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    timed(sql, || run(connection, sql, &[], true)).map(|_| ())
}

#[async_trait]
impl Dialect for SqliteDialect {
    async fn write(&self) -> Result<Box<dyn Tx>, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.end();
        turn(&writer.connection, "BEGIN IMMEDIATE")
            .map_err(|cause| failed("BEGIN IMMEDIATE", &cause))?;
        writer.open = true;
        Ok(Box::new(WriteTx(writer)))
    }

    async fn read(&self) -> Result<Box<dyn Tx>, StoreError> {
        let mut reader = self.readers.take().await?;
        turn(reader.connection()?, "BEGIN").map_err(|cause| failed("BEGIN", &cause))?;
        // The snapshot of one that is dropped in the middle ends with it.
        reader.open = true;
        Ok(Box::new(ReadTx(reader)))
    }

    async fn rows(
        &self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        lets_others_go_on().await;
        let reader = self.readers.take().await?;
        rows(reader.connection()?, &sql, &params, take)
    }

    fn bulk(&self) -> Bulk {
        Bulk { params_max: 32_766, numbered: false }
    }

    async fn close(&self) {
        self.readers.close(CLOSING).await;
        // Whoever copies the file of a daemon that was stopped shall have all of it.
        let mut writer = self.writer.lock().await;
        writer.end();
        if let Err(cause) = waits(|| writer.write_back()) {
            tracing::warn!(%cause, "the journal beside the database could not be written back; copy both files");
        }
    }
}

impl Writer {
    /// Rolls back what was left open.
    fn end(&mut self) {
        if !self.open {
            return;
        }
        // It fails where nothing is open any more: a statement failed so badly that SQLite rolled back by
        // itself. Where it fails for another reason, the next BEGIN does as well.
        let ended = turn(&self.connection, "ROLLBACK");
        self.open = !self.connection.is_autocommit();
        if let (true, Err(cause)) = (self.open, ended) {
            let cause = told(&cause);
            tracing::warn!(%cause, "a transaction could not be rolled back");
        }
    }

    /// Writes the log beside the file back into it; says why that could not be done.
    fn write_back(&self) -> Result<(), String> {
        let busy = self.connection.busy_timeout(CLOSING).and_then(|()| {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))
        });
        // For what may still come.
        let again = self.connection.busy_timeout(BUSY);
        match busy.and_then(|busy| again.map(|()| busy)) {
            Ok(0) => Ok(()),
            Ok(_) => Err("another process reads it".to_owned()),
            Err(cause) => Err(told(&cause)),
        }
    }
}

/// The writer, for one transaction.
struct WriteTx(OwnedMutexGuard<Writer>);

impl Drop for WriteTx {
    /// A transaction that was not committed is rolled back at once, not when this process next
    /// writes: until then the commands of an operator beside it would find the database locked.
    fn drop(&mut self) {
        self.0.end();
    }
}

struct ReadTx(Reader);

#[async_trait]
impl Tx for WriteTx {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        lets_others_go_on().await;
        run_for(&self.0.connection, &sql, matches!(sql, Cow::Owned(_)), &params)
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        lets_others_go_on().await;
        rows(&self.0.connection, &sql, &params, take)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        lets_others_go_on().await;
        turn(&self.0.connection, "COMMIT")
            .map_err(|cause| StoreError::Commit { cause: told(&cause) })?;
        self.0.open = false;
        Ok(())
    }
}

#[async_trait]
impl Tx for ReadTx {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        lets_others_go_on().await;
        run_for(self.0.connection()?, &sql, matches!(sql, Cow::Owned(_)), &params)
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        lets_others_go_on().await;
        rows(self.0.connection()?, &sql, &params, take)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        turn(self.0.connection()?, "COMMIT")
            .map_err(|cause| failed("COMMIT of a reader", &cause))?;
        self.0.open = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::params;
    use crate::store::sqlite::readers::{READER_CACHE, READERS};

    async fn unbound(read: bool) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        let dialect = SqliteDialect::open(&path, true).await.expect("opens");
        let mut tx = dialect.write().await.expect("begins");
        let sql = "SELECT name FROM meta WHERE name = $1 OR value = $2";
        if read {
            tx.rows(sql.into(), params!["a"], &mut |_| Ok(())).await.expect("is not reached");
        } else {
            tx.run(sql.into(), params!["a"]).await.expect("is not reached");
        }
    }

    const NEW: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_CREATE);

    #[test]
    fn sqlite_is_compiled_without_locks_that_all_connections_share() {
        let connection = connect(Path::new(":memory:"), NEW, READER_CACHE).expect("opens");
        let mut asked = connection.prepare("PRAGMA compile_options").expect("is a statement");
        let said = asked.query_map([], |row| row.get(0)).expect("says how");
        let compiled: Vec<String> = said.collect::<Result<_, _>>().expect("reads");
        assert!(compiled.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{compiled:?}");
        assert!(
            !compiled.iter().any(|option| option == "ENABLE_MEMORY_MANAGEMENT"),
            "{compiled:?}"
        );
    }

    /// The settings of the connection that writes, as it says itself.
    async fn settings(dialect: &SqliteDialect) -> (String, i64) {
        let mut tx = dialect.write().await.expect("begins");
        let (mut journal, mut synchronous) = (String::new(), 0);
        tx.rows("PRAGMA journal_mode".into(), params![], &mut |row| {
            journal = row.string(0)?;
            Ok(())
        })
        .await
        .expect("reads");
        tx.rows("PRAGMA synchronous".into(), params![], &mut |row| {
            synchronous = row.int(0)?;
            Ok(())
        })
        .await
        .expect("reads");
        (journal, synchronous)
    }

    #[tokio::test]
    async fn i23_the_writer_waits_for_the_disk_at_every_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        for exclusive in [true, false] {
            let dialect = SqliteDialect::open(&path, exclusive).await.expect("opens");
            assert_eq!(settings(&dialect).await, ("wal".to_owned(), 2), "exclusive: {exclusive}");
        }
    }

    #[tokio::test]
    async fn i23_a_database_that_keeps_another_journal_is_refused() {
        // One in memory is the nearest of those that take WAL as a wish.
        let connection = connect(Path::new(":memory:"), NEW, READER_CACHE).expect("opens");
        pragma(&connection, "PRAGMA journal_mode = WAL").expect("is a wish");
        let refused = check_durable(&connection, Path::new(":memory:")).err();
        let words = refused.expect("is refused").to_string();
        assert!(words.contains("journal_mode is memory"), "{words}");
        // A command takes the file as it is, and what it writes must be durable too.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        drop(SqliteDialect::open(&path, true).await.expect("makes the tables"));
        let connection = connect(&path, NEW, READER_CACHE).expect("opens");
        pragma(&connection, "PRAGMA journal_mode = DELETE").expect("nobody else has it");
        let refused = SqliteDialect::open(&path, false).await.err();
        let words = refused.expect("is refused").to_string();
        assert!(words.contains("journal_mode is delete"), "{words}");
        // Less than the whole of it is refused as well.
        let path = folder.path().join("less.sqlite");
        for (asked, taken) in [("OFF", false), ("NORMAL", false), ("FULL", true), ("EXTRA", true)] {
            let connection = connect(&path, NEW, READER_CACHE).expect("opens");
            pragma(&connection, "PRAGMA journal_mode = WAL").expect("is set");
            let sql = format!("PRAGMA synchronous = {asked}");
            connection.execute_batch(&sql).expect("is set");
            let checked = check_durable(&connection, &path);
            assert_eq!(checked.is_ok(), taken, "{checked:?}");
        }
    }

    #[tokio::test]
    async fn a_value_is_bound_by_its_number_wherever_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let dialect = SqliteDialect::open(&folder.path().join("facts.sqlite"), true).await;
        let mut read = dialect.expect("opens").read().await.expect("begins");
        let mut found = Vec::new();
        for sql in ["SELECT $3, $1, $2, $1", "SELECT ?, ?, ?, ?"] {
            let numbered = sql.contains('$');
            let values =
                if numbered { params!["a", "b", "c"] } else { params!["c", "a", "b", "a"] };
            read.rows(sql.into(), values, &mut |row| {
                found.push((0..4).map(|at| row.string(at)).collect::<Result<String, _>>()?);
                Ok(())
            })
            .await
            .expect("reads");
        }
        assert_eq!(found, ["caba", "caba"]);
    }

    #[tokio::test]
    async fn what_was_not_committed_is_gone_at_once_and_readers_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        let dialect = SqliteDialect::open(&path, true).await.expect("opens");
        let sql = "INSERT INTO meta (name, value) VALUES ('a', 'b')";
        let mut left = dialect.write().await.expect("begins");
        assert_eq!(left.run(sql.into(), params![]).await.expect("writes"), 1);
        drop(left);
        // Another process does not find it locked.
        let beside = Connection::open(&path).expect("opens");
        beside.busy_timeout(Duration::ZERO).expect("is set");
        beside.execute_batch("BEGIN IMMEDIATE; ROLLBACK").expect("is free");
        let mut kept = dialect.write().await.expect("begins");
        assert_eq!(kept.run(sql.into(), params![]).await.expect("writes"), 1);
        kept.commit().await.expect("is durable");
        // A snapshot that was left is not what the next reader sees.
        for round in 0..3 * READERS {
            let mut read = dialect.read().await.expect("begins");
            let mut found = String::new();
            let sql = "SELECT value FROM meta WHERE name = 'a'";
            let mut take = |row: &Row<'_>| {
                found = row.string(0)?;
                Ok(())
            };
            read.rows(sql.into(), params![], &mut take).await.expect("reads");
            assert_eq!(found, if round == 0 { "b".to_owned() } else { format!("b{round}") });
            let mut write = dialect.write().await.expect("begins");
            let sql = "UPDATE meta SET value = $1 WHERE name = 'a'";
            let next = format!("b{}", round + 1);
            assert_eq!(write.run(sql.into(), params![next]).await.expect("writes"), 1);
            write.commit().await.expect("is durable");
        }
        assert!(dialect.readers.idle().len() <= READERS);
    }

    #[tokio::test]
    async fn what_is_closed_waits_for_who_reads_and_is_one_file_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        let dialect = SqliteDialect::open(&path, true).await.expect("opens");
        let mut read = dialect.read().await.expect("begins");
        let sql = "SELECT name FROM meta";
        read.rows(sql.into(), params![], &mut |_| Ok(())).await.expect("reads");
        let mut write = dialect.write().await.expect("begins");
        let sql = "INSERT INTO meta (name, value) VALUES ('a', 'b')";
        write.run(sql.into(), params![]).await.expect("writes");
        write.commit().await.expect("is durable");
        let log = || path.with_extension("sqlite-wal").metadata().map_or(0, |log| log.len());
        assert!(log() > 0);
        let leaves = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(read);
        };
        tokio::join!(dialect.close(), leaves);
        assert_eq!(log(), 0);
        let words = dialect.read().await.err().expect("nobody reads any more").to_string();
        assert!(words.contains("about to end"), "{words}");
        // One whom we do not wait for.
        let beside = Connection::open(&path).expect("opens");
        beside.execute_batch("BEGIN; SELECT name FROM meta").expect("reads");
        let mut write = dialect.write().await.expect("begins");
        write.run("DELETE FROM meta WHERE name = 'a'".into(), params![]).await.expect("writes");
        write.commit().await.expect("is durable");
        let kept = dialect.writer.lock().await.write_back();
        assert_eq!(kept, Err("another process reads it".to_owned()));
    }

    #[tokio::test]
    #[should_panic(expected = "1 values for 2 parameters")]
    async fn an_unbound_parameter_stops_a_test_that_reads() {
        unbound(true).await;
    }

    #[tokio::test]
    #[should_panic(expected = "1 values for 2 parameters")]
    async fn an_unbound_parameter_stops_a_test_that_writes() {
        unbound(false).await;
    }
}
