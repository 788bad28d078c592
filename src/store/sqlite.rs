//! The embedded database: one writer with `BEGIN IMMEDIATE`, a few read-only readers, WAL, and
//! every commit on the disk before it returns (`synchronous=FULL`).

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Executor as _, Sqlite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::StoreError;
use crate::store::sql::{Bulk, Dialect, Param, Row, Take, Tx, all_bound};

/// The oldest `SQLite` that this daemon runs on: 3.51.3.
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

pub(super) struct SqliteDialect {
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
    /// Held while we live: a second instance on the same file exits at once (F19).
    _lock: Option<File>,
}

struct Writer {
    connection: SqliteConnection,
    /// A transaction was begun and neither committed nor rolled back: its future was dropped.
    open: bool,
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(30))
        .synchronous(SqliteSynchronous::Full)
        // The rows of one batch or page: the worker does not stop in the middle for its reader.
        .row_buffer_size(256)
        // 16 MiB: with 64 a register of 1,000,000 was no faster, and memory grew until it was full.
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "FILE")
        .pragma("wal_autocheckpoint", "4000")
        .statement_cache_capacity(200)
        .command_buffer_size(8)
        .row_buffer_size(256)
}

impl SqliteDialect {
    /// Opens or makes the file, and brings its tables up to date. `exclusive` is the daemon; a
    /// command of an operator beside it is not.
    pub(super) async fn open(path: &Path, exclusive: bool) -> Result<Self, StoreError> {
        let lock = if exclusive { Some(lock(path)?) } else { None };
        let options = options(path).create_if_missing(exclusive);
        // The daemon alone says how the file keeps its journal: two who would both change that of a file that
        // is being made find it locked, and neither waits.
        let as_owner = options.clone().journal_mode(SqliteJournalMode::Wal);
        let first = if exclusive { &as_owner } else { &options };
        let mut connection = SqliteConnection::connect_with(first)
            .await
            .map_err(|cause| StoreError::open(&path.display().to_string(), &cause))?;
        check_version(&mut connection).await?;
        if exclusive {
            check_durable(&mut connection, path).await?;
            crate::store::migrations::sqlite()
                .run(&mut connection)
                .await
                .map_err(StoreError::migrate)?;
        } else {
            crate::store::migrations::check(&mut connection, &crate::store::migrations::sqlite())
                .await?;
            check_durable(&mut connection, path).await?;
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .min_connections(0)
            // Nothing stands between us and a file that could break while nobody looks.
            .test_before_acquire(false)
            .connect_lazy_with(
                // Readers look at a batch or at counters; the larger cache is the writer's.
                options.read_only(true).create_if_missing(false).pragma("cache_size", "-4096"),
            );
        let writer = Arc::new(Mutex::new(Writer { connection, open: false }));
        Ok(Self { writer, readers, _lock: lock })
    }
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

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|cause| StoreError::query("SELECT sqlite_version()", &cause))?;
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
async fn check_durable(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    /// `FULL`: a commit returns once the log is on the disk.
    const FULL: i64 = 2;
    let what = || path.display().to_string();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await
        .map_err(|cause| StoreError::open(&what(), &cause))?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(connection)
        .await
        .map_err(|cause| StoreError::open(&what(), &cause))?;
    if journal == "wal" && synchronous >= FULL {
        return Ok(());
    }
    let cause = format!(
        "journal_mode is {journal} and synchronous is {synchronous}, where wal and {FULL} are needed; \
         what is acknowledged to finance would not be durable. Keep the data on a local file system"
    );
    Err(StoreError::Open { what: what(), cause })
}

fn arguments(params: Vec<Param>) -> Result<SqliteArguments, StoreError> {
    let mut out = SqliteArguments::default();
    out.reserve(params.len(), 0);
    for param in params {
        match param {
            Param::Int(value) => out.add(value),
            Param::Text(value) => out.add(value),
            Param::Blob(value) => out.add(value),
        }
        .map_err(|cause| StoreError::Query { sql: "bind".to_owned(), cause: cause.to_string() })?;
    }
    Ok(out)
}

#[async_trait]
impl Dialect for SqliteDialect {
    async fn write(&self) -> Result<Box<dyn Tx>, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.end().await;
        // From here on the future may be dropped at any await; then it is rolled back.
        writer.open = true;
        let tx = WriteTx(Some(writer));
        let mut tx = Box::new(tx);
        tx.connection()?
            .execute("BEGIN IMMEDIATE")
            .await
            .map_err(|cause| StoreError::query("BEGIN IMMEDIATE", &cause))?;
        Ok(tx)
    }

    async fn read(&self) -> Result<Box<dyn Tx>, StoreError> {
        // The snapshot of one that is dropped in the middle ends with it: sqlx rolls it back.
        let begun = self.readers.begin().await;
        Ok(Box::new(ReadTx(begun.map_err(|cause| StoreError::query("BEGIN", &cause))?)))
    }

    async fn rows(
        &self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let taken = self.readers.acquire().await;
        let mut connection =
            taken.map_err(|cause| StoreError::query("acquire a reader", &cause))?;
        rows(&mut connection, sql, params, take).await
    }

    fn bulk(&self) -> Bulk {
        Bulk { params_max: 32_766, numbered: false }
    }

    async fn close(&self) {
        self.readers.close().await;
        // Whoever copies the file of a daemon that was stopped shall have all of it.
        let mut writer = self.writer.lock().await;
        writer.end().await;
        if let Err(cause) = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
            tracing::warn!(%cause, "the journal beside the database could not be written back; copy both files");
        }
    }
}

impl Writer {
    /// Rolls back what was left open.
    async fn end(&mut self) {
        if !self.open {
            return;
        }
        // It fails where nothing is open any more: a commit that nobody waited for went through,
        // or a statement failed so badly that SQLite rolled back by itself. Where it fails for
        // another reason, the next BEGIN does as well.
        if let Err(cause) = self.connection.execute("ROLLBACK").await {
            tracing::debug!(%cause, "there was nothing to roll back");
        }
        self.open = false;
    }
}

/// The writer, for one transaction. Its holder is always there until it is dropped.
struct WriteTx(Option<OwnedMutexGuard<Writer>>);

impl WriteTx {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let ended = || StoreError::Inconsistent { what: "a transaction that has ended".to_owned() };
        Ok(&mut self.0.as_mut().ok_or_else(ended)?.connection)
    }
}

impl Drop for WriteTx {
    /// A transaction that was not committed is rolled back at once, not when this process next
    /// writes: until then the commands of an operator beside it would find the database locked.
    fn drop(&mut self) {
        let Some(mut writer) = self.0.take().filter(|writer| writer.open) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { writer.end().await });
        }
    }
}

struct ReadTx(Transaction<'static, Sqlite>);

async fn run(
    connection: &mut SqliteConnection,
    sql: Cow<'static, str>,
    params: Vec<Param>,
) -> Result<u64, StoreError> {
    all_bound(&sql, &params);
    // A statement built for many rows is as good as never the same again.
    let keep = matches!(sql, Cow::Borrowed(_)) || params.len() > 1_000;
    let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments(params)?).persistent(keep);
    let done = query.execute(connection).await.map_err(|cause| StoreError::query(&sql, &cause))?;
    Ok(done.rows_affected())
}

async fn rows(
    connection: &mut SqliteConnection,
    sql: Cow<'static, str>,
    params: Vec<Param>,
    take: Take<'_>,
) -> Result<(), StoreError> {
    all_bound(&sql, &params);
    let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments(params)?);
    let mut stream = query.fetch(connection);
    while let Some(row) = stream.next().await {
        let row = row.map_err(|cause| StoreError::query(&sql, &cause))?;
        take(&Row::Sqlite(&row)).map_err(|cause| cause.read_by(&sql))?;
    }
    Ok(())
}

#[async_trait]
impl Tx for WriteTx {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        run(self.connection()?, sql, params).await
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        rows(self.connection()?, sql, params, take).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.connection()?
            .execute("COMMIT")
            .await
            .map_err(|cause| StoreError::Commit { cause: cause.to_string() })?;
        if let Some(writer) = &mut self.0 {
            writer.open = false;
        }
        Ok(())
    }
}

#[async_trait]
impl Tx for ReadTx {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        run(&mut self.0, sql, params).await
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        rows(&mut self.0, sql, params, take).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let ended = self.0.commit().await;
        ended.map_err(|cause| StoreError::query("COMMIT of a reader", &cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::params;

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

    #[tokio::test]
    async fn sqlite_is_compiled_without_locks_that_all_connections_share() {
        let wish = options(Path::new(":memory:"));
        let mut connection = SqliteConnection::connect_with(&wish).await.expect("opens");
        let compiled: Vec<String> = sqlx::query_scalar("PRAGMA compile_options")
            .fetch_all(&mut connection)
            .await
            .expect("says how");
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
        let wish = options(Path::new(":memory:")).journal_mode(SqliteJournalMode::Wal);
        let mut connection = SqliteConnection::connect_with(&wish).await.expect("opens");
        let refused = check_durable(&mut connection, Path::new(":memory:")).await.err();
        let words = refused.expect("is refused").to_string();
        assert!(words.contains("journal_mode is memory"), "{words}");
        // A command takes the file as it is, and what it writes must be durable too.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.sqlite");
        let made = options(&path).create_if_missing(true);
        let other = made.journal_mode(SqliteJournalMode::Delete);
        let mut connection = SqliteConnection::connect_with(&other).await.expect("opens");
        crate::store::migrations::sqlite().run(&mut connection).await.expect("makes the tables");
        let refused = SqliteDialect::open(&path, false).await.err();
        let words = refused.expect("is refused").to_string();
        assert!(words.contains("journal_mode is delete"), "{words}");
        connection.close().await.expect("closes");
        // Less than the whole of it is refused as well.
        let path = folder.path().join("less.sqlite");
        for (asked, taken) in [
            (SqliteSynchronous::Off, false),
            (SqliteSynchronous::Normal, false),
            (SqliteSynchronous::Full, true),
            (SqliteSynchronous::Extra, true),
        ] {
            let made = options(&path).create_if_missing(true);
            let options = made.journal_mode(SqliteJournalMode::Wal).synchronous(asked);
            let mut connection = SqliteConnection::connect_with(&options).await.expect("opens");
            let checked = check_durable(&mut connection, &path).await;
            assert_eq!(checked.is_ok(), taken, "{checked:?}");
        }
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
