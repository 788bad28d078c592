//! Registers that finance lists and that cannot be read: kept until they can be, so that one of them
//! holds up none behind it and none is forgotten.

use crate::model::alert::AlertKind;
use crate::store::feeds::FEED_SQL;
use crate::store::journal::{DAEMON_CHAIN, Entry};
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// A register that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub source: String,
    pub id: String,
    pub revision: i64,
    /// How often it was tried.
    pub tries: i64,
}

impl Unread {
    /// What an alert about it is about.
    pub fn subject(&self) -> String {
        let Self { source, id, revision, .. } = self;
        format!("{source}/{id}/{revision}")
    }
}

impl Store {
    /// Notes that a register could not be read, and when to try again. Where `cursor` says that it
    /// was just listed, the feed goes on behind it in the same transaction: it is either kept here or
    /// listed again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn keep_unread(
        &self,
        unread: &Unread,
        cursor: Option<&str>,
        why: &str,
        text: &str,
        now_ms: i64,
        next_at_ms: i64,
    ) -> Result<(), StoreError> {
        let Unread { source, id, revision, .. } = unread;
        let mut work = self.write().await?;
        let sql = "INSERT INTO unread (source, id, revision, why, tries, since_at_ms, next_at_ms) VALUES ($1, $2, $3, $4, 1, $5, $6) \
                   ON CONFLICT (source, id, revision) DO UPDATE SET why = excluded.why, tries = unread.tries + 1, next_at_ms = excluded.next_at_ms";
        let row = params![source, id, *revision, why, now_ms, next_at_ms];
        let mut entry = Entry::new("register.unread", now_ms);
        entry.vouched.returned(&mut work, &vouch::UNREAD, sql, row).await?;
        if let Some(cursor) = cursor {
            let row = params![source, "registers", cursor];
            entry.vouched.returned(&mut work, &vouch::FEED, FEED_SQL, row).await?;
        }
        let (kind, subject) = (AlertKind::Unread, unread.subject());
        super::alerts::raise(&mut work, kind, &subject, None, None, 0, text, now_ms).await?;
        entry.fact("source", source.as_str()).fact("id", id.as_str());
        entry.fact("revision", *revision).fact("why", why);
        entry.write(&mut work, DAEMON_CHAIN).await?;
        self.done(work).await
    }

    /// Registers of a source that could not be read and are due to be tried again.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_unread(&self, source: &str, now_ms: i64) -> Result<Vec<Unread>, StoreError> {
        let sql = "SELECT source, id, revision, tries FROM unread WHERE source = $1 AND next_at_ms <= $2 ORDER BY next_at_ms, id, revision";
        self.look()
            .rows(sql, params![source, now_ms], |row| {
                Ok(Unread {
                    source: row.string(0)?,
                    id: row.string(1)?,
                    revision: row.int(2)?,
                    tries: row.int(3)?,
                })
            })
            .await
    }

    /// A register that could not be read is read or revoked: it is not tried any more. Says whether
    /// it was one.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn end_unread(
        &self,
        source: &str,
        id: &str,
        revision: i64,
        how: &'static str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT tries FROM unread WHERE source = $1 AND id = $2 AND revision = $3";
        let tries = self.look().one(sql, params![source, id, revision], |row| row.int(0)).await?;
        let Some(tries) = tries else { return Ok(false) };
        let unread = Unread { source: source.to_owned(), id: id.to_owned(), revision, tries };
        let mut work = self.write().await?;
        forget(&mut work, &unread, how, now_ms).await?;
        self.done(work).await?;
        Ok(true)
    }
}

async fn forget(
    work: &mut Work,
    unread: &Unread,
    how: &'static str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Unread { source, id, revision, tries } = unread;
    let sql = "DELETE FROM unread WHERE source = $1 AND id = $2 AND revision = $3";
    work.move_one(sql, params![source, id, *revision]).await?;
    super::alerts::clear(work, AlertKind::Unread, &unread.subject(), now_ms).await?;
    let mut entry = Entry::new(how, now_ms);
    entry.fact("source", source.as_str()).fact("id", id.as_str());
    entry.fact("revision", *revision).fact("tries", *tries);
    let keys = params![source, id, *revision];
    entry.vouched.gone(&vouch::UNREAD, &keys);
    entry.write(work, DAEMON_CHAIN).await
}
