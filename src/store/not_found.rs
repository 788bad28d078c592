//! Answers "not found" that a bank left in a folder. Nobody knows to which question such a file is the answer, so
//! each counts once: for the question that it may have answered, and for none after it, also not after a restart (I2).

use crate::model::id::AttemptNo;
use crate::store::attempts::Attempt;
use crate::store::journal::Entry;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, vouch};

impl Store {
    /// How often an attempt had been sent when this very answer was read and counted; nothing where it never was.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn was_not_found(
        &self,
        attempt: AttemptNo,
        digest: &[u8; 32],
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT sends FROM not_found WHERE attempt_no = $1 AND digest = $2";
        self.look().one(sql, params![attempt, digest.to_vec()], |row| row.int(0)).await
    }

    /// Keeps an answer that counts for a question of before the bytes went again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn not_found_earlier(
        &self,
        attempt: &Attempt,
        digest: &[u8; 32],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let mut entry = Entry::new("attempt.not_found_earlier", now_ms);
        entry.fact("attempt", attempt.no.0);
        keep(&mut work, &mut entry, attempt, digest, now_ms).await?;
        entry.write_beside(&mut work, attempt.register).await?;
        work.commit().await
    }
}

/// Keeps an answer, vouched for by `entry`.
pub(super) async fn keep(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    digest: &[u8; 32],
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO not_found (attempt_no, digest, sends, read_at_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (attempt_no, digest) DO NOTHING";
    let row = params![attempt.no, digest.to_vec(), attempt.sends, now_ms];
    entry.vouched.returned(work, &vouch::NOT_FOUND, sql, row).await?;
    Ok(())
}
