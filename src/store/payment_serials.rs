//! What a bank calls single payments: where its later answers name them by that alone, and where it was handed
//! them more than once, so that a second credit is not taken for the first one told again (F31).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::id::{AttemptNo, ResultNo};
use crate::store::digest::digest_serial;
use crate::store::journal::Entry;
use crate::store::sql::{Bulk, Work, params};
use crate::store::{Store, StoreError};

/// Of an attempt that was handed over more than once.
#[derive(Debug, Clone, Default)]
pub struct Doubled {
    /// Under which number of the bank each payment was told of first, by its line.
    pub first: HashMap<i64, String>,
    /// Lines that may have been credited twice, whatever people said of it since: what comes back of them is no return.
    pub twice: BTreeSet<i64>,
}

impl Store {
    /// The bank's numbers of the payments of an attempt, each with its line; empty where none were told.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn payment_serials(
        &self,
        attempt: AttemptNo,
    ) -> Result<HashMap<String, i64>, StoreError> {
        let sql = "SELECT serial, line FROM payment_serial WHERE attempt_no = $1";
        let known = self
            .look()
            .rows(sql, params![attempt], |row| Ok((row.string(0)?, row.int(1)?)))
            .await?;
        Ok(known.into_iter().collect())
    }

    /// What the bank told of the payments of an attempt that it may have been given twice.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn doubled(&self, attempt: AttemptNo) -> Result<Doubled, StoreError> {
        // The first of several stays.
        let sql =
            "SELECT line, serial FROM payment_serial WHERE attempt_no = $1 ORDER BY result_no DESC";
        let first = self
            .look()
            .rows(sql, params![attempt], |row| Ok((row.int(0)?, row.string(1)?)))
            .await?;
        let mut work = self.read().await?;
        let twice = super::quarantine::credited_twice(&mut work, attempt, false).await?;
        work.commit().await?;
        Ok(Doubled { first: first.into_iter().collect(), twice })
    }
}

/// Keeps new ones, in the order of their lines, as the digest of `entry` has them.
///
/// # Errors
/// Where the database cannot be written; where a number is another payment's, nothing is.
pub(super) async fn keep(
    work: &mut Work,
    entry: &mut Entry,
    attempt: AttemptNo,
    result: ResultNo,
    serials: BTreeMap<i64, String>,
    max: Bulk,
) -> Result<(), StoreError> {
    if serials.is_empty() {
        return Ok(());
    }
    entry.fact("numbered", serials.len());
    for (line, serial) in &serials {
        digest_serial(&mut entry.rows, *line, serial);
    }
    let rows = serials
        .into_iter()
        .flat_map(|(line, serial)| params![attempt, serial, line, result])
        .collect();
    let sql = "INSERT INTO payment_serial (attempt_no, serial, line, result_no)";
    work.insert(sql, 4, rows, max).await
}
