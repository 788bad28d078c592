//! What was said since something was made, and speaks against handing it over (I1, I8).

use std::collections::BTreeSet;

use crate::model::id::{RefundNo, RegisterNo};
use crate::model::money::Fen;
use crate::store::refunds::CREDITED_AFTER_ALL;
use crate::store::settle::waits_for_people;
use crate::store::sql::params;
use crate::store::{Store, StoreError};

impl Store {
    /// Must a refund that was made not be asked for as it is? One of its payments was credited after all, or the bank
    /// says more of a refund of the same share that it refused, or of an earlier revision: then that money may be
    /// on a card, or back at finance already.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refund_is_doubted(&self, refund: RefundNo) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT COUNT(*) FROM refund n JOIN share s ON s.register_no = n.register_no AND s.bank = n.bank \
             JOIN register r ON r.register_no = n.register_no WHERE n.refund_no = $1 AND ({} \
             OR EXISTS (SELECT 1 FROM leftover l WHERE l.refund_no = n.refund_no AND {CREDITED_AFTER_ALL}))",
            waits_for_people()
        );
        let found = self.look().rows(sql, params![refund], |row| row.int(0)).await?;
        Ok(found.iter().any(|count| *count > 0))
    }

    /// What a refund asks back.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refund_sum(&self, refund: RefundNo) -> Result<Fen, StoreError> {
        let sql = "SELECT sum_fen FROM refund WHERE refund_no = $1";
        self.look().the(sql, params![refund], |row| Ok(Fen::new(row.int(0)?))).await
    }

    /// Lines of a register that release a payment again of which the bank has said since that it was credited after
    /// all. Those that somebody released although that money was not back are left out.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn released_again_in_vain(
        &self,
        register: RegisterNo,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let replaced = "l.register_no = i.replaces_register_no AND l.line = i.replaces_line";
        let sql = format!(
            "SELECT i.line FROM reissue i WHERE i.register_no = $1 \
             AND (NOT EXISTS (SELECT 1 FROM leftover l WHERE {replaced} AND l.state <> 'withdrawn') \
             OR EXISTS (SELECT 1 FROM leftover l WHERE {replaced} AND {CREDITED_AFTER_ALL})) \
             AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.register_no = i.register_no AND h.line = i.line \
             AND h.event = 'released' AND h.reason = 'replaced_not_open')"
        );
        let lines = self.look().rows(sql, params![register], |row| row.int(0)).await?;
        Ok(lines.into_iter().collect())
    }
}
