//! What banks pushed: kept before the bank gets its 200, and taken afterwards, as often as it needs.
//!
//! The bytes stay when they were taken: of what comes in files the bank's folder keeps a copy, of this
//! nobody else does.

use crate::model::push::PushState;
use crate::store::journal::{Entry, bank_chain};
use crate::store::sql::params;
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// Something that a bank pushed and nobody has taken yet.
#[derive(Debug, Clone)]
pub struct Pushed {
    pub no: i64,
    pub digest: [u8; 32],
    /// Sealed.
    pub bytes: Vec<u8>,
    /// When it came first.
    pub came_at_ms: i64,
}

/// What waits of one bank, in any of the banks that ever called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPushes {
    pub bank: String,
    pub count: i64,
}

impl Store {
    /// Keeps what a bank pushed; says whether it is new. The same bytes of the same bank are kept once, and looked at
    /// once more: what was taken of them changes nothing (F33), and what could not be taken may be by now.
    ///
    /// # Errors
    /// They are not durable, or nobody knows: the bank must push them again.
    pub async fn keep_push(
        &self,
        bank: &str,
        digest: &[u8; 32],
        size: usize,
        sealed: Vec<u8>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let mut work = self.write().await?;
        let sql = "INSERT INTO pushed (bank, digest, size, bytes, state, came_at_ms, next_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (bank, digest) DO NOTHING";
        let waiting = PushState::Waiting.as_str();
        let row = params![bank, digest, size, sealed, waiting, now_ms, now_ms];
        let mut entry = Entry::new("push.kept", now_ms);
        if entry.vouched.returned(&mut work, &vouch::PUSHED, sql, row).await? == 0 {
            let sql = "UPDATE pushed SET state = $1, next_at_ms = $2 WHERE bank = $3 AND digest = $4 AND state = $5";
            let row = params![waiting, now_ms, bank, digest, PushState::Taken.as_str()];
            let mut entry = Entry::new("push.again", now_ms);
            if entry.vouched.returned(&mut work, &vouch::PUSHED, sql, row).await? > 0 {
                entry.fact("bank", bank).fact("digest", crate::guard::key::hex(digest));
                entry.write(&mut work, &bank_chain(bank)).await?;
            }
            self.done(work).await?;
            return Ok(false);
        }
        entry.fact("bank", bank).fact("digest", crate::guard::key::hex(digest)).fact("size", size);
        entry.write(&mut work, &bank_chain(bank)).await?;
        self.done(work).await?;
        Ok(true)
    }

    /// What a bank pushed and nobody has taken, in the order in which it came, at most `limit`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_pushes(
        &self,
        bank: &str,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<Pushed>, StoreError> {
        let sql = "SELECT pushed_no, digest, bytes, came_at_ms FROM pushed WHERE state = 'waiting' AND bank = $1 AND next_at_ms <= $2 ORDER BY pushed_no LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.look()
            .rows(sql, params![bank, now_ms, limit], |row| {
                Ok(Pushed {
                    no: row.int(0)?,
                    digest: row.digest(1)?,
                    bytes: row.blob(2)?.to_vec(),
                    came_at_ms: row.int(3)?,
                })
            })
            .await
    }

    /// What nobody has taken, by bank: also of banks that are not in the config any more.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn waiting_pushes(&self) -> Result<Vec<WaitingPushes>, StoreError> {
        let sql =
            "SELECT bank, COUNT(*) FROM pushed WHERE state = 'waiting' GROUP BY bank ORDER BY bank";
        self.look()
            .rows(sql, params![], |row| {
                Ok(WaitingPushes { bank: row.string(0)?, count: row.int(1)? })
            })
            .await
    }

    /// When what a bank pushed is looked at next.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn next_push_at(&self, bank: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MIN(next_at_ms) FROM pushed WHERE state = 'waiting' AND bank = $1";
        self.look().the(sql, params![bank], |row| row.int_opt(0)).await
    }

    /// What was pushed is applied or held, durably. A crash before this takes it once more, which changes
    /// nothing (I10).
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it was taken meanwhile.
    pub async fn push_taken(&self, bank: &str, no: i64, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql =
            "UPDATE pushed SET state = $1, taken_at_ms = $2 WHERE pushed_no = $3 AND state = $4";
        let (to, from) = (PushState::Taken.as_str(), PushState::Waiting.as_str());
        work.move_one(sql, params![to, now_ms, no, from]).await?;
        let mut entry = Entry::new("push.taken", now_ms);
        entry.fact("pushed", no);
        let this = params![no];
        entry.vouched.as_kept(&mut work, &vouch::PUSHED, "pushed_no = $1", this).await?;
        entry.write(&mut work, &bank_chain(bank)).await?;
        self.done(work).await
    }

    /// What was pushed cannot be taken now: it is looked at again later, and holds up none behind it.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn push_waits(&self, no: i64, next_at_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE pushed SET next_at_ms = $1 WHERE pushed_no = $2 AND state = 'waiting'";
        work.run(sql, params![next_at_ms, no]).await?;
        work.commit().await
    }
}
