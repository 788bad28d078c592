//! What is kept of a register's head, and whether it is still the one that was approved.

use crate::guard::digest::ContentDigest;
use crate::model::id::RegisterNo;
use crate::model::money::Fen;
use crate::model::register::RegisterHead;
use crate::store::sql::{Row, params};
use crate::store::{Store, StoreError};

/// What a message may say about the register it belongs to.
#[derive(Debug, Clone)]
pub struct RegisterFacts {
    pub no: RegisterNo,
    pub source: String,
    pub id: String,
    pub revision: i64,
    pub programme_code: String,
    pub programme_name: String,
    pub summary: String,
    pub department: String,
    pub town: String,
    pub document_no: String,
    pub period: String,
    pub pool_account: String,
    pub voucher_no: String,
    /// Every payment is sealed to it.
    pub head_digest: [u8; 32],
    /// Is the head that is kept still the one with that digest (I20)?
    pub whole: bool,
}

/// The columns of a register's head, for [`head`].
pub(super) const HEAD_COLUMNS: &str = "id, revision, programme_code, programme_name, summary, department, town, document_no, period, \
     entered_by, reviewed_by, approved_at_ms, pool_account, voucher_no, declared_count, declared_sum_fen, head_digest";

/// The head of a register as it is kept now; what its digest does not cover is left out.
pub(super) fn head(row: &Row<'_>) -> Result<RegisterHead, StoreError> {
    Ok(RegisterHead {
        id: row.string(0)?,
        revision: row.int(1)?,
        programme_code: row.string(2)?,
        programme_name: row.string(3)?,
        summary: row.string(4)?,
        department: row.string(5)?,
        town: row.string(6)?,
        document_no: row.string(7)?,
        period: row.string(8)?,
        entered_by: row.string(9)?,
        reviewed_by: row.string(10)?,
        approved_at_ms: row.int(11)?,
        funded_at_ms: None,
        pool_account: row.string(12)?,
        voucher_no: row.string(13)?,
        declared_count: row.int(14)?,
        declared_sum: Fen::new(row.int(15)?),
        digest: row.digest(16)?,
    })
}

/// Is the head of a register, read by [`head`], the one that its digest was made of?
pub(super) fn is_whole(head: &RegisterHead) -> bool {
    ContentDigest::of_head(head).finish() == head.digest
}

impl Store {
    /// What a message may say about a register.
    ///
    /// # Errors
    /// Where there is no such register, or the database cannot be read.
    pub async fn register_facts(&self, register: RegisterNo) -> Result<RegisterFacts, StoreError> {
        let mut work = self.read().await?;
        let sql = format!("SELECT {HEAD_COLUMNS}, source FROM register WHERE register_no = $1");
        let mut found = None;
        work.0
            .rows(sql.into(), params![register], &mut |row| {
                found = Some((head(row)?, row.string(17)?));
                Ok(())
            })
            .await?;
        let Some((head, source)) = found else {
            return Err(StoreError::Inconsistent { what: format!("there is no {register}") });
        };
        let whole = is_whole(&head);
        let facts = RegisterFacts {
            no: register,
            source,
            id: head.id,
            revision: head.revision,
            programme_code: head.programme_code,
            programme_name: head.programme_name,
            summary: head.summary,
            department: head.department,
            town: head.town,
            document_no: head.document_no,
            period: head.period,
            pool_account: head.pool_account,
            voucher_no: head.voucher_no,
            head_digest: head.digest,
            whole,
        };
        work.commit().await?;
        Ok(facts)
    }
}
