//! Numbers: our references, of which none is used twice, and the counters of banks that number what they
//! are sent in a day and may accept no gap.

use std::sync::PoisonError;

use crate::model::id::AttemptNo;
use crate::store::journal::Entry;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, vouch};

/// Our own reference of an attempt: one of a bank's series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The number in the series that it is made of. It is taken together with the INTENT: what could not be
    /// written uses none up, and none is ever taken twice (I6).
    pub number: i64,
    /// As the bank sees it.
    pub text: String,
}

/// The counter of a bank's references.
fn series(bank: &str) -> String {
    format!("reference:{bank}")
}

impl Store {
    /// The number that comes next in the series of a bank's references.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reference_to_come(&self, bank: &str) -> Result<i64, StoreError> {
        self.number_to_come(&series(bank)).await
    }

    /// The number that comes next in a counter: the lowest that was given back, else the one behind the
    /// last. It is taken with what bears it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn number_to_come(&self, counter: &str) -> Result<i64, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT MIN(number) FROM free_number WHERE counter = $1 AND state = 'free'";
        let free = work.the(sql, params![counter], |row| row.int_opt(0)).await?;
        let sql = "SELECT value FROM counter WHERE name = $1";
        let last = work.one(sql, params![counter], |row| row.int(0)).await?;
        work.commit().await?;
        Ok(free.unwrap_or_else(|| last.unwrap_or_default() + 1))
    }

    /// The number of the last reference that begins like this and was sent to a bank that `known` does not name: 0
    /// where there is none. A bank whose code was changed still has it, and takes the same one for a repeat (I6).
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn last_of_former(&self, known: &[&str], beginning: &str) -> Result<i64, StoreError> {
        let known_last =
            self.former.lock().unwrap_or_else(PoisonError::into_inner).get(beginning).copied();
        if let Some(last) = known_last {
            return Ok(last);
        }
        let sql = "SELECT MAX(reference) FROM attempt WHERE bank = $1 AND reference > $2 AND reference < $3";
        // The sign behind the last digit.
        let end = format!("{beginning}:");
        let mut last = 0;
        for bank in self.former_banks(known).await? {
            let row = params![&bank, beginning, &end];
            let highest = self
                .look()
                .the(sql, row, |row| row.text_opt(0).map(|text| text.map(str::to_owned)));
            let number = highest.await?.and_then(|text| text.get(beginning.len()..)?.parse().ok());
            last = last.max(number.unwrap_or_default());
        }
        // Nothing more is sent to those in the time of this process.
        let mut known = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(beginning.to_owned(), last);
        Ok(last)
    }

    /// A bank that `known` does not name, and to which this reference was sent before `bank` got any as high: then it
    /// is this one under its code of before. A reference among its own is one that this database has lost.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn former_bank_of(
        &self,
        known: &[&str],
        bank: &str,
        reference: &str,
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT COUNT(*) FROM attempt WHERE bank = $1 AND reference < $2 AND length(reference) = length($2)";
        if self.look().the(sql, params![bank, reference], |row| row.int(0)).await? > 0 {
            return Ok(None);
        }
        for bank in self.former_banks(known).await? {
            if self.attempt_by_reference(&bank, reference).await?.is_some() {
                return Ok(Some(bank));
            }
        }
        Ok(None)
    }

    /// Banks to which something was sent and that `known` does not name. Each is one step through the index.
    async fn former_banks(&self, known: &[&str]) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT MIN(bank) FROM attempt WHERE bank > $1";
        let (mut former, mut last) = (Vec::new(), String::new());
        loop {
            let next = self.look().the(sql, params![&last], |row| {
                row.text_opt(0).map(|text| text.map(str::to_owned))
            });
            let Some(next) = next.await? else { return Ok(former) };
            if !known.contains(&next.as_str()) {
                former.push(next.clone());
            }
            last = next;
        }
    }

    /// Does another attempt that bears a lower number of the same counter still wait to leave? A bank that
    /// accepts no gap would refuse this one.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn lower_number_waits(&self, attempt: AttemptNo) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM attempt a JOIN attempt o ON o.counter = a.counter AND o.number < a.number \
                   AND o.state IN ('intent', 'not_sent', 'unknown') WHERE a.attempt_no = $1";
        let waiting = self.look().the(sql, params![attempt], |row| row.int(0)).await?;
        Ok(waiting > 0)
    }
}

/// Takes the number of a reference for what bears it.
pub(super) async fn take_reference(
    work: &mut Work,
    bank: &str,
    reference: &Reference,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO counter (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = $2 WHERE counter.value < $2";
    work.move_one(sql, params![series(bank), reference.number]).await
}

/// Moves a counter on to the number behind its last.
async fn take_next(work: &mut Work, counter: &str, number: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO counter (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = $2 WHERE counter.value = $2 - 1";
    work.move_one(sql, params![counter, number]).await
}

/// Takes a number for an attempt: one that was given back, or the next of its counter.
pub(super) async fn take(
    work: &mut Work,
    entry: &mut Entry,
    attempt: AttemptNo,
    (counter, number): (&str, i64),
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE free_number SET state = 'taken', state_at_ms = $1 WHERE counter = $2 AND number = $3 AND state = 'free'";
    let row = params![now_ms, counter, number];
    if entry.vouched.returned(work, &vouch::FREE_NUMBER, sql, row).await? == 0 {
        take_next(work, counter, number).await?;
    }
    let sql =
        "UPDATE attempt SET counter = $1, number = $2 WHERE attempt_no = $3 AND counter IS NULL";
    work.move_one(sql, params![counter, number, attempt]).await?;
    entry.fact("counter", counter).fact("number", number);
    Ok(())
}

/// Gives the number of an attempt back that is closed and never left.
pub(super) async fn free(
    work: &mut Work,
    entry: &mut Entry,
    attempt: AttemptNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO free_number (counter, number, state, state_at_ms) SELECT a.counter, a.number, 'free', CAST($1 AS BIGINT) FROM attempt a \
               WHERE a.attempt_no = $2 AND a.counter IS NOT NULL AND a.state = 'closed' \
               ON CONFLICT (counter, number) DO UPDATE SET state = 'free', state_at_ms = excluded.state_at_ms WHERE free_number.state = 'taken'";
    entry.vouched.returned(work, &vouch::FREE_NUMBER, sql, params![now_ms, attempt]).await?;
    Ok(())
}

/// Of a database that was restored nobody knows whether what is free in it was used after the backup.
pub(super) async fn forget_free(
    work: &mut Work,
    entry: &mut Entry,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE free_number SET state = 'forgotten', state_at_ms = $1 WHERE state = 'free'";
    entry.vouched.returned(work, &vouch::FREE_NUMBER, sql, params![now_ms]).await?;
    Ok(())
}
