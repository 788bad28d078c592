//! What a bank calls single payments, where its later answers name them by that alone.

use std::collections::{BTreeMap, HashMap};

use crate::model::id::{AttemptNo, ResultNo};
use crate::store::digest::digest_serial;
use crate::store::journal::Entry;
use crate::store::sql::{Bulk, Work, params};
use crate::store::{Store, StoreError};

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
