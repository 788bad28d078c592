//! Who was not let in as an operator: written down each time, since whoever guesses a credential guesses more
//! than once (I31). What was typed is nowhere.

use serde_json::Value;

use crate::model::alert::AlertKind;
use crate::store::journal::{Entry, OPERATORS_CHAIN};
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError};

/// For so long a failure counts.
pub const COUNTS_FOR_MS: i64 = 24 * 3_600_000;
/// From so many on somebody is told.
pub const TOLD_FROM: i64 = 3;
/// So many of one name within that time are written down; of more, that there were so many is enough.
pub const WRITTEN_MAX: i64 = 100;

/// Somebody who was not let in, and under whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// Who they said they were.
    pub claimed: String,
    /// At most [`WRITTEN_MAX`].
    pub times: i64,
    pub last_at_ms: i64,
}

impl Store {
    /// Writes down that somebody was not let in who said that they were `claimed`, and raises `alert`, in plain
    /// Chinese, where it happens again and again.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn not_let_in(
        &self,
        claimed: &str,
        why: &str,
        alert: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let lately = failures(&mut work, now_ms).await?;
        let before = lately.iter().find(|one| one.claimed == claimed).map_or(0, |one| one.times);
        // Whoever tries again and again shall neither fill the disk nor make each try dearer than the last.
        if before < WRITTEN_MAX {
            let mut entry = Entry::new("operator.not_let_in", now_ms);
            entry.fact("claimed", claimed).fact("why", why);
            entry.write(&mut work, OPERATORS_CHAIN).await?;
        }
        if before + 1 >= TOLD_FROM {
            let kind = AlertKind::NotLetIn;
            super::alerts::raise(&mut work, kind, claimed, None, None, 0, alert, now_ms).await?;
        }
        self.done(work).await
    }

    /// Who was not let in lately, by the name that they gave.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn failures(&self, now_ms: i64) -> Result<Vec<Failures>, StoreError> {
        let mut work = self.read().await?;
        let found = failures(&mut work, now_ms).await?;
        work.commit().await?;
        Ok(found)
    }
}

async fn failures(work: &mut Work, now_ms: i64) -> Result<Vec<Failures>, StoreError> {
    let sql = "SELECT at_ms, body FROM journal WHERE chain = $1 AND at_ms > $2 ORDER BY seq";
    let entries = work
        .rows(sql, params![OPERATORS_CHAIN, now_ms - COUNTS_FOR_MS], |row| {
            Ok((row.int(0)?, row.string(1)?))
        })
        .await?;
    let mut found: Vec<Failures> = Vec::new();
    for (at_ms, body) in entries {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let claimed = body.get("claimed").and_then(Value::as_str).unwrap_or_default();
        if let Some(one) = found.iter_mut().find(|one| one.claimed == claimed) {
            (one.times, one.last_at_ms) = (one.times + 1, at_ms);
        } else {
            let claimed = claimed.to_owned();
            found.push(Failures { claimed, times: 1, last_at_ms: at_ms });
        }
    }
    Ok(found)
}
