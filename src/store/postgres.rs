//! `PostgreSQL`: the same tables and the same SQL, for one instance now and several later.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Executor as _, Postgres};
use tokio::sync::Mutex;

use crate::store::StoreError;
use crate::store::sql::{Bulk, Dialect, Param, Row, Take, Tx, all_bound};

/// The advisory lock that one instance holds ("daifa" in ASCII).
const INSTANCE_LOCK: i64 = 0x64_6169_6661;

/// The advisory lock that a writing transaction holds to its end. One writes at a time, as on
/// `SQLite`: the verbs read before they write, and side by side they would find each other's rows
/// (the same next entry of a chain) only by a failed statement, which stops the process. The price
/// is one message to the server per transaction; several instances will want a lock per register.
const WRITER_LOCK: i64 = INSTANCE_LOCK + 1;

/// How often, and with what pause, the instance lock is tried for. The server frees the lock of a
/// daemon that was killed once it notices that its connection has ended, which is a moment later
/// than the service manager does.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// For so long the instance lock counts as held without asking.
const LOCK_TRUSTED: Duration = Duration::from_secs(1);

/// What a connection commits is durable (I23), also where the server is set otherwise while the daemon runs. A setting
/// that is stricter stays.
const STAY_DURABLE: &str = "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
                            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

pub(super) struct PostgresDialect {
    pool: PgPool,
    lock: Option<Mutex<Lock>>,
}

/// The advisory lock of the one instance (F19). It is its connection's: where that ends, another
/// instance may have begun, and this one must not write any more.
struct Lock {
    connection: PgConnection,
    seen: tokio::time::Instant,
}

impl PostgresDialect {
    pub(super) async fn open(url: &str, exclusive: bool) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Open {
            what: "the database URL".to_owned(),
            cause: "not a PostgreSQL URL".to_owned(),
        })?;
        let what = format!("PostgreSQL at {}", options.get_host());
        let mut connection = PgConnection::connect_with(&options)
            .await
            .map_err(|cause| StoreError::open(&what, &cause))?;
        let lock = if exclusive {
            take_lock(&mut connection, &what).await?;
            check_durable(&mut connection, &what).await?;
            check_ours(&mut connection, &what).await?;
            crate::store::migrations::postgres()
                .run(&mut connection)
                .await
                .map_err(StoreError::migrate)?;
            Some(Mutex::new(Lock { connection, seen: tokio::time::Instant::now() }))
        } else {
            crate::store::migrations::check(&mut connection, &crate::store::migrations::postgres())
                .await?;
            connection.close().await.map_err(|cause| StoreError::open(&what, &cause))?;
            None
        };
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(STAY_DURABLE).await.map(|_| ()) })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, lock })
    }

    async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let taken = self.pool.acquire().await;
        taken.map_err(|cause| StoreError::query("acquire a connection", &cause))
    }

    async fn begin(&self, sql: &'static str) -> Result<PgTx, StoreError> {
        let mut tx = PgTx { connection: self.connection().await?, open: true };
        tx.connection.execute(sql).await.map_err(|cause| StoreError::query(sql, &cause))?;
        Ok(tx)
    }

    /// Is the instance lock still ours? Its connection is asked now and then, so this may be late by
    /// a second; what keeps two instances from paying twice are the guards of the verbs.
    async fn check_lock(&self) -> Result<(), StoreError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let mut lock = lock.lock().await;
        if lock.seen.elapsed() < LOCK_TRUSTED {
            return Ok(());
        }
        lock.connection
            .ping()
            .await
            .map_err(|cause| StoreError::query("ask for the lock of the one instance", &cause))?;
        lock.seen = tokio::time::Instant::now();
        Ok(())
    }
}

/// Takes the lock of the one instance, waiting for a predecessor that has just died.
async fn take_lock(connection: &mut PgConnection, what: &str) -> Result<(), StoreError> {
    for attempt in 1..=LOCK_TRIES {
        let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(INSTANCE_LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(|cause| StoreError::open(what, &cause))?;
        if got {
            return Ok(());
        }
        if attempt < LOCK_TRIES {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }
    Err(StoreError::SecondInstance { what: what.to_owned() })
}

/// A database that cannot hold every character, or in which somebody else keeps tables, is refused before anything is
/// made in it: a wrong URL must not scatter ours among theirs.
async fn check_ours(connection: &mut PgConnection, what: &str) -> Result<(), StoreError> {
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .fetch_one(&mut *connection)
        .await
        .map_err(|cause| StoreError::open(what, &cause))?;
    if encoding != "UTF8" {
        let cause = format!(
            "the database has the encoding {encoding}, in which there are no Chinese names; make one with UTF8"
        );
        return Err(StoreError::Open { what: what.to_owned(), cause });
    }
    let sql = "SELECT CAST(relname AS TEXT) FROM pg_catalog.pg_class \
               WHERE relnamespace = CAST(current_schema() AS regnamespace) \
               AND relkind IN ('r', 'p', 'v', 'm', 'f') \
               AND to_regclass('_sqlx_migrations') IS NULL ORDER BY relname LIMIT 1";
    let foreign: Option<String> = sqlx::query_scalar(sql)
        .fetch_optional(connection)
        .await
        .map_err(|cause| StoreError::open(what, &cause))?;
    match foreign {
        None => Ok(()),
        Some(table) => {
            let cause = format!(
                "the database is not empty: it holds the table {table}, which is not daifa's; give \
                 daifa a database of its own"
            );
            Err(StoreError::Open { what: what.to_owned(), cause })
        }
    }
}

/// What is acknowledged must be durable (I23): a server that commits asynchronously is refused.
async fn check_durable(connection: &mut PgConnection, what: &str) -> Result<(), StoreError> {
    for setting in ["synchronous_commit", "fsync"] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await
            .map_err(|cause| StoreError::open(what, &cause))?;
        if value == "off" {
            let cause =
                format!("{setting} is off; what is acknowledged to finance would not be durable");
            return Err(StoreError::Open { what: what.to_owned(), cause });
        }
    }
    Ok(())
}

fn arguments(params: Vec<Param>) -> Result<PgArguments, StoreError> {
    let mut out = PgArguments::default();
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
impl Dialect for PostgresDialect {
    async fn write(&self) -> Result<Box<dyn Tx>, StoreError> {
        self.check_lock().await?;
        let mut tx = self.begin("BEGIN").await?;
        let sql = "SELECT pg_advisory_xact_lock($1)";
        sqlx::query(sql)
            .bind(WRITER_LOCK)
            .execute(&mut *tx.connection)
            .await
            .map_err(|cause| StoreError::query(sql, &cause))?;
        Ok(Box::new(tx))
    }

    async fn read(&self) -> Result<Box<dyn Tx>, StoreError> {
        Ok(Box::new(self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?))
    }

    async fn rows(
        &self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        rows(&mut *self.connection().await?, sql, params, take).await
    }

    fn bulk(&self) -> Bulk {
        Bulk { params_max: 65_535, numbered: true }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

async fn rows(
    connection: &mut PgConnection,
    sql: Cow<'static, str>,
    params: Vec<Param>,
    take: Take<'_>,
) -> Result<(), StoreError> {
    all_bound(&sql, &params);
    let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments(params)?);
    let mut stream = query.fetch(connection);
    while let Some(row) = stream.next().await {
        let row = row.map_err(|cause| StoreError::query(&sql, &cause))?;
        take(&Row::Postgres(&row)).map_err(|cause| cause.read_by(&sql))?;
    }
    Ok(())
}

/// A transaction. One that was broken off ends with its connection: sqlx forgets a BEGIN whose answer
/// nobody waited for, and the next to take the connection would be inside of it without knowing.
struct PgTx {
    connection: PoolConnection<Postgres>,
    open: bool,
}

impl Drop for PgTx {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

#[async_trait]
impl Tx for PgTx {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        all_bound(&sql, &params);
        let keep = matches!(sql, Cow::Borrowed(_)) || params.len() > 1_000;
        let query =
            sqlx::query_with(AssertSqlSafe(sql.clone()), arguments(params)?).persistent(keep);
        let done = query
            .execute(&mut *self.connection)
            .await
            .map_err(|cause| StoreError::query(&sql, &cause))?;
        Ok(done.rows_affected())
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        rows(&mut self.connection, sql, params, take).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let done = self.connection.execute("COMMIT").await;
        done.map_err(|cause| StoreError::Commit { cause: cause.to_string() })?;
        self.open = false;
        Ok(())
    }
}
