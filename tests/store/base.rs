//! A fresh database with a store open on it, and a way beside the store, for what only a database
//! administrator could do.

use std::sync::Arc;

use daifa::store::{Location, Store};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};

use crate::cluster::cluster;

pub struct Base {
    pub store: Arc<Store>,
    pub location: Location,
    folder: Option<tempfile::TempDir>,
}

impl Base {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::Sqlite(folder.path().join("facts.sqlite"));
        Self::open(location, Some(folder)).await
    }

    /// None where PostgreSQL is not installed, unless it is required.
    pub async fn postgres() -> Option<Self> {
        let url = cluster()?.database().await;
        Some(Self::open(Location::Postgres(url), None).await)
    }

    async fn open(location: Location, folder: Option<tempfile::TempDir>) -> Self {
        let store = Store::open(&location).await.expect("opens");
        Self { store: Arc::new(store), location, folder: folder }
    }

    /// A fresh one of the same kind.
    pub async fn another(&self) -> Self {
        match self.location {
            Location::Sqlite(_) => Self::sqlite().await,
            Location::Postgres(_) => Self::postgres().await.expect("is installed"),
        }
    }

    /// Closes the store; its database stays.
    pub async fn shut(self) -> (Location, Option<tempfile::TempDir>) {
        self.store.close().await;
        (self.location, self.folder)
    }

    /// A second way in, as an operator's command has it.
    pub async fn attached(&self) -> Arc<Store> {
        Arc::new(Store::attach(&self.location).await.expect("attaches"))
    }

    /// Runs statements beside the store.
    pub async fn alter(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.location {
            Location::Sqlite(path) => {
                let mut beside = SqliteConnection::connect(&path.display().to_string()).await?;
                let done = beside.execute(sqlx::raw_sql(sql)).await?;
                beside.close().await?;
                Ok(done.rows_affected())
            }
            Location::Postgres(url) => {
                let mut beside = PgConnection::connect(url).await?;
                let done = beside.execute(sqlx::raw_sql(sql)).await?;
                beside.close().await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Reads the one text column of a query beside the store.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.location {
            Location::Sqlite(path) => {
                let mut beside =
                    SqliteConnection::connect(&path.display().to_string()).await.expect("connects");
                let rows = beside.fetch_all(sql).await.expect("reads");
                beside.close().await.expect("closes");
                rows.iter().map(|row| row.get(0)).collect()
            }
            Location::Postgres(url) => {
                let mut beside = PgConnection::connect(url).await.expect("connects");
                let rows = beside.fetch_all(sql).await.expect("reads");
                beside.close().await.expect("closes");
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Reads one number beside the store.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT CAST(({sql}) AS TEXT)");
        self.texts(&sql).await[0].parse().expect("a number")
    }
}
