//! A fresh database with a store open on it, and a way beside the store.

use std::sync::Arc;

use daifa::store::{Location, Store};

use crate::beside;
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
        Self { store: Arc::new(store), location, folder }
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
        beside::alter(&self.location, sql).await
    }

    /// Reads the one text column of a query beside the store.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        beside::texts(&self.location, sql).await
    }

    /// Reads one number beside the store.
    pub async fn number(&self, sql: &str) -> i64 {
        beside::number(&self.location, sql).await
    }
}
