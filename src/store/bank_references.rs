//! What a bank calls an attempt: a number of its own, or several where it splits what we sent in one.

use crate::model::id::AttemptNo;
use crate::store::attempts::{Attempt, read_attempts};
use crate::store::journal::Entry;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError, vouch};

/// The most of them that one message may bring: a bank that numbers each payment says so with
/// `bank_serial`.
pub const REFERENCES_MAX: usize = 100;

impl Store {
    /// The bank's numbers of an attempt, in the order in which they became known.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn bank_references(&self, attempt: AttemptNo) -> Result<Vec<String>, StoreError> {
        let mut work = self.read().await?;
        let known = of(&mut work, attempt).await?;
        work.commit().await?;
        Ok(known)
    }

    /// Keeps the bank's numbers of an attempt about which it says nothing else that is new.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn keep_bank_references(
        &self,
        attempt: &Attempt,
        references: &[String],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let known = self.bank_references(attempt.no).await?;
        if references.iter().all(|reference| known.contains(reference)) {
            return Ok(());
        }
        let mut work = self.write().await?;
        let mut entry = Entry::new("attempt.numbered", now_ms);
        entry.fact("attempt", attempt.no.0);
        keep(&mut work, &mut entry, attempt, references, now_ms).await?;
        entry.write_beside(&mut work, attempt.register).await?;
        self.done(work).await
    }

    /// The attempts that a bank calls by this number: more than one where it uses numbers again.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn attempts_by_bank_reference(
        &self,
        bank: &str,
        reference: &str,
    ) -> Result<Vec<Attempt>, StoreError> {
        let mut work = self.read().await?;
        let rest = "JOIN bank_reference r ON r.attempt_no = a.attempt_no WHERE r.bank = $1 AND r.reference = $2 ORDER BY a.attempt_no";
        let found = read_attempts(&mut work, rest, params![bank, reference]).await?;
        work.commit().await?;
        Ok(found)
    }
}

/// The bank's numbers of an attempt, in the order in which they became known.
pub(super) async fn of(work: &mut Work, attempt: AttemptNo) -> Result<Vec<String>, StoreError> {
    let sql =
        "SELECT reference FROM bank_reference WHERE attempt_no = $1 ORDER BY seen_at_ms, reference";
    work.rows(sql, params![attempt], |row| row.string(0)).await
}

/// Keeps those that are new, vouched for by `entry`; says how many.
pub(super) async fn keep(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    references: &[String],
    now_ms: i64,
) -> Result<usize, StoreError> {
    let mut new = 0;
    for reference in references.iter().filter(|reference| !reference.is_empty()) {
        let sql = "INSERT INTO bank_reference (attempt_no, reference, bank, seen_at_ms) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (attempt_no, reference) DO NOTHING";
        let row = params![attempt.no, reference, &attempt.bank, now_ms];
        new += entry.vouched.returned(work, &vouch::BANK_REFERENCE, sql, row).await?;
    }
    Ok(new)
}
