//! Who else is paid for the same: the blind index of persons, and what earlier revisions of a register have sent.

use std::collections::BTreeSet;

use crate::model::id::{BatchNo, PaymentId, RefundNo, RegisterNo};
use crate::model::register::RegisterHead;
use crate::store::attempts::{Attempt, read_attempts};
use crate::store::digest::digest_key;
use crate::store::intake::Receiving;
use crate::store::revise::Unsent;
use crate::store::sql::params;
use crate::store::{Store, StoreError};

/// A key of the blind index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonKey {
    pub blind: [u8; 16],
    pub line: i64,
}

/// Another payment of the same person, programme and period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Double {
    pub line: i64,
    pub other: PaymentId,
}

/// Keys of the blind index that are parameters at one time.
const KEYS_PER_INSERT: usize = 5_000;

impl Store {
    /// Keeps keys of the blind index, in key order: that order is the whole economy of it. They are
    /// given in line order, as the lines came.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn append_person_keys(
        &self,
        receiving: &mut Receiving,
        head: &RegisterHead,
        key_id: u8,
        mut keys: Vec<PersonKey>,
    ) -> Result<(), StoreError> {
        let register = receiving.register;
        for key in &keys {
            digest_key(&mut receiving.keys, key.line, &key.blind);
        }
        receiving.keys_count += i64::try_from(keys.len()).unwrap_or(i64::MAX);
        keys.sort_unstable();
        let mut work = self.write().await?;
        let sql =
            "INSERT INTO person_key (kind, key_id, programme, period, blind, register_no, line)";
        // A quarter of a million keys need not be parameters all at once.
        for some in keys.chunks(KEYS_PER_INSERT) {
            let rows = some.iter().flat_map(|key| {
                params![
                    "document",
                    i64::from(key_id),
                    &head.programme_code,
                    &head.period,
                    key.blind.to_vec(),
                    register,
                    key.line,
                ]
            });
            work.insert(sql, 7, rows.collect(), self.dialect.bulk()).await?;
        }
        work.commit().await
    }

    /// Another key than this one that persons are kept under.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn blinded_with_another(&self, key_id: u8) -> Result<Option<i64>, StoreError> {
        // Two looks along the index, whatever its size.
        for sql in [
            "SELECT key_id FROM person_key WHERE kind = 'document' AND key_id < $1 LIMIT 1",
            "SELECT key_id FROM person_key WHERE kind = 'document' AND key_id > $1 LIMIT 1",
        ] {
            let found = self.look().one(sql, params![i64::from(key_id)], |row| row.int(0)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Lines of a register whose person is also in another line, of this register or another that
    /// was accepted, for the same programme and period; as pairs, in no order. One pass over the
    /// programme and period. Other revisions of the same register are not looked at: what they have
    /// not sent is taken over, and what they have sent [`Store::sent_earlier`] says.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn doubles(
        &self,
        register: RegisterNo,
        head: &RegisterHead,
        key_id: u8,
    ) -> Result<Vec<Double>, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT blind FROM person_key \
                   WHERE kind = 'document' AND key_id = $1 AND programme = $2 AND period = $3 \
                   GROUP BY blind HAVING COUNT(*) > 1 AND MAX(register_no) = $4";
        let shared = work
            .rows(
                sql,
                params![i64::from(key_id), &head.programme_code, &head.period, register],
                |row| Ok(row.blob(0)?.to_vec()),
            )
            .await?;
        let mut out = Vec::new();
        for blind in shared {
            let sql = "SELECT k.register_no, k.line FROM person_key k JOIN register r ON r.register_no = k.register_no \
                       WHERE k.kind = 'document' AND k.key_id = $1 AND k.programme = $2 AND k.period = $3 AND k.blind = $4 \
                       AND (r.register_no = $5 OR (r.state IN ('accepted', 'closed', 'superseded', 'revoked') \
                       AND NOT EXISTS (SELECT 1 FROM register n WHERE n.register_no = $6 AND n.source = r.source AND n.id = r.id))) \
                       ORDER BY k.register_no, k.line";
            let all = work
                .rows(
                    sql,
                    params![
                        i64::from(key_id),
                        &head.programme_code,
                        &head.period,
                        blind,
                        register,
                        register
                    ],
                    |row| Ok(PaymentId { register: RegisterNo(row.int(0)?), line: row.int(1)? }),
                )
                .await?;
            for mine in all.iter().filter(|id| id.register == register) {
                out.extend(
                    all.iter()
                        .filter(|other| *other != mine)
                        .map(|other| Double { line: mine.line, other: *other }),
                );
            }
        }
        work.commit().await?;
        Ok(out)
    }

    /// The highest revision of a register that was accepted, where it is above `revision`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn higher_revision(
        &self,
        source: &str,
        id: &str,
        revision: i64,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MAX(revision) FROM register WHERE source = $1 AND id = $2 AND revision > $3 \
                   AND state IN ('accepted', 'closed', 'superseded', 'revoked')";
        self.look().the(sql, params![source, id, revision], |row| row.int_opt(0)).await
    }

    /// Lines of a register that streams in which an earlier revision of it has sent, by their
    /// number or their person, whatever programme and period it gave: the money of a register goes
    /// out once (F61). What failed there or came back is free.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn sent_earlier(
        &self,
        register: RegisterNo,
        key_id: u8,
    ) -> Result<BTreeSet<i64>, StoreError> {
        let mut work = self.read().await?;
        let lines = super::revise::sent_earlier(&mut work, register, key_id).await?;
        work.commit().await?;
        Ok(lines)
    }

    /// Lines of this register and of later revisions that bear the number, or are about the
    /// person, of a payment of this batch: where the bank says that it paid what it refused, they were taken over by mistake (I1, F61).
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn taken_over(
        &self,
        batch: BatchNo,
        key_id: u8,
    ) -> Result<Vec<(RegisterNo, BTreeSet<i64>)>, StoreError> {
        let mut work = self.read().await?;
        let taken = super::revise::taken_over(&mut work, batch, key_id).await?;
        work.commit().await?;
        Ok(taken)
    }

    /// Does a refund list one of these lines?
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn refund_lists(
        &self,
        refund: RefundNo,
        lines: &BTreeSet<i64>,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT line FROM refund_line WHERE refund_no = $1";
        let listed = self.look().rows(sql, params![refund], |row| row.int(0)).await?;
        Ok(listed.iter().any(|line| lines.contains(line)))
    }

    /// Those of these lines of a register that are in no batch and not set aside.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn unsent_among(
        &self,
        register: RegisterNo,
        lines: &BTreeSet<i64>,
    ) -> Result<Vec<Unsent>, StoreError> {
        let mut work = self.read().await?;
        let unsent = super::revise::unsent_among(&mut work, register, lines).await?;
        work.commit().await?;
        Ok(unsent)
    }

    /// The attempt of an earlier revision, or with what this one's payments were cut from, that may have paid some of
    /// them: what the bank says of it contradicts itself, or that is settled and its batch is live. What a person
    /// released since then is that person's decision.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn doubted(
        &self,
        attempt: &Attempt,
        key_id: u8,
    ) -> Result<Option<Attempt>, StoreError> {
        let mut work = self.read().await?;
        let doubted = super::revise::doubted(&mut work, attempt, key_id, &self.shared).await?;
        work.commit().await?;
        Ok(doubted)
    }

    /// Attempts of a register that are made and were not begun, or did not leave.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn not_left(&self, register: RegisterNo) -> Result<Vec<Attempt>, StoreError> {
        let mut work = self.read().await?;
        let rest =
            "WHERE a.register_no = $1 AND a.state IN ('intent', 'not_sent') ORDER BY a.attempt_no";
        let found = read_attempts(&mut work, rest, params![register]).await?;
        work.commit().await?;
        Ok(found)
    }
}
