//! A planned death, for practice only: the process kills itself exactly before or after its n-th
//! commit.
//!
//! Kills from outside hit a boundary between two commits only by chance; a test that must meet
//! every one of them needs the process itself to say when. It ends as by SIGKILL: nothing is
//! unwound, flushed, rolled back or closed. A store without a planned death does not come by here.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::store::StoreError;
use crate::store::sql::{Param, Take, Tx};

/// When the process is to die. Commits are counted from 1, over all verbs that write.
#[derive(Debug)]
pub struct Death {
    /// The commit that the last one happens beside is durable.
    after: bool,
    commits_left: AtomicU64,
}

impl Death {
    /// When everything up to this commit is durable, and nothing came of it yet.
    pub const fn after(commit: u64) -> Self {
        Self { after: true, commits_left: AtomicU64::new(commit) }
    }

    /// When this commit is all that is missing.
    pub const fn before(commit: u64) -> Self {
        Self { after: false, commits_left: AtomicU64::new(commit) }
    }

    /// Counts a transaction that writes.
    pub(super) fn beside(self: &Arc<Self>, tx: Box<dyn Tx>) -> Box<dyn Tx> {
        Box::new(Doomed { tx, death: Arc::clone(self) })
    }
}

struct Doomed {
    tx: Box<dyn Tx>,
    death: Arc<Death>,
}

#[async_trait]
impl Tx for Doomed {
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError> {
        self.tx.run(sql, params).await
    }

    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        self.tx.rows(sql, params, take).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        // Wraps below 0 once the commit is past, and is not 1 again within any life.
        let due = self.death.commits_left.fetch_sub(1, Ordering::SeqCst) == 1;
        if due && !self.death.after {
            die();
        }
        self.tx.commit().await?;
        if due {
            die();
        }
        Ok(())
    }
}

/// Ends the process as a SIGKILL from outside does.
fn die() -> ! {
    let me = rustix::process::getpid();
    // Where even that is refused, an abort is the next best: it runs no destructor either.
    rustix::process::kill_process(me, rustix::process::Signal::KILL).ok();
    std::process::abort()
}
