//! The connections that read: a few, each for one statement or one snapshot at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::StoreError;
use crate::store::sqlite::{BUSY, connect, ended, told, waits};

/// How many connections read beside the writer.
pub(super) const READERS: usize = 4;
/// Readers look at a batch or at counters; the larger cache is the writer's.
pub(super) const READER_CACHE: &str = "-4096";

/// The connections that read.
pub(super) struct Readers {
    path: PathBuf,
    places: Arc<Semaphore>,
    idle: std::sync::Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn of(path: &Path) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(READERS));
        Arc::new(Self { path: path.to_owned(), places, idle: std::sync::Mutex::default() })
    }

    /// Waits for those who read, for so long at most; nobody does any more.
    pub(super) async fn close(&self, limit: Duration) {
        let all = u32::try_from(READERS).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(limit, self.places.acquire_many(all)).await);
        self.places.close();
        self.idle().clear();
    }

    pub(super) fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one is free.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Reader, StoreError> {
        let none = |cause: &str| StoreError::statement("acquire a reader", cause.to_owned());
        let place = tokio::time::timeout(BUSY, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| none("all have been busy for 30 seconds"))?
            .map_err(|_| none("this process is about to end"))?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => waits(|| connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE))
                .map_err(|cause| {
                StoreError::open(&self.path.display().to_string(), &told(&cause))
            })?,
        };
        Ok(Reader {
            connection: Some(connection),
            open: false,
            readers: Arc::clone(self),
            _place: place,
        })
    }
}

/// One of the readers, until it is dropped.
pub(super) struct Reader {
    /// Always there until then.
    connection: Option<Connection>,
    /// It holds a snapshot.
    pub(super) open: bool,
    readers: Arc<Readers>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(ended)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // One whose snapshot does not end is of no more use.
        if self.open && connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        if !self.readers.places.is_closed() {
            self.readers.idle().push(connection);
        }
    }
}
