//! How far each feed of a finance source was read.

use crate::store::journal::{DAEMON_CHAIN, Entry};
use crate::store::sql::params;
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// How far a feed was read.
pub(super) const FEED_SQL: &str = "INSERT INTO feed (source, feed, cursor) VALUES ($1, $2, $3) \
                        ON CONFLICT (source, feed) DO UPDATE SET cursor = excluded.cursor";

impl Store {
    /// How far a feed of a source was read.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn cursor(&self, source: &str, feed: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT cursor FROM feed WHERE source = $1 AND feed = $2";
        self.look().one(sql, params![source, feed], |row| row.string(0)).await
    }

    /// Notes how far a feed was read, after everything before it is durable.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn set_cursor(
        &self,
        source: &str,
        feed: &str,
        cursor: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let mut entry = Entry::new("feed.read", now_ms);
        let row = params![source, feed, cursor];
        entry.vouched.returned(&mut work, &vouch::FEED, FEED_SQL, row).await?;
        entry.fact("source", source).fact("feed", feed).fact("cursor", cursor);
        entry.write(&mut work, DAEMON_CHAIN).await?;
        self.done(work).await
    }
}
