//! Cutting batches: reading what is unsent, and making a batch with its first INTENT in one
//! transaction that checks that nothing of it is under way elsewhere (I3, I4).

use crate::model::attempt::{AttemptKind, AttemptState};
use crate::model::batch::BatchState;
use crate::model::id::{AttemptNo, BatchNo, RefundNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::store::digest::{digest_member, digest_parts};
use crate::store::journal::{Cause, Entry, Move, count};
use crate::store::numbers::Reference;
use crate::store::sql::{Row, Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Store, StoreError, numbers};

/// A share with payments to cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutDue {
    pub register: RegisterNo,
    pub bank: String,
}

/// A payment as it was kept.
#[derive(Debug, Clone)]
pub struct StoredPayment {
    pub line: i64,
    pub amount: Fen,
    pub town: i64,
    /// Sealed.
    pub person: Vec<u8>,
}

/// What the next batch of a share can be made of.
#[derive(Debug)]
pub struct Cuttable {
    /// True: payments that waited for a listed batch; false: the next range.
    pub listed: bool,
    /// The refused batch these come from, when they are cut again.
    pub recut_of: Option<BatchNo>,
    /// In line order.
    pub payments: Vec<StoredPayment>,
    /// Where the share's range stood when this was read; the guard of the cut.
    pub cut_line: i64,
}

/// One part of an attempt, sealed.
#[derive(Debug, Clone)]
pub struct SealedPart {
    pub role: String,
    pub name: String,
    pub committing: bool,
    pub size: i64,
    /// Of the plain bytes.
    pub sha256: [u8; 32],
    /// Sealed pieces of it, in order.
    pub chunks: Vec<Vec<u8>>,
}

/// The text of a format, kept with what it wrote.
#[derive(Debug, Clone)]
pub struct FormatText {
    pub digest: [u8; 32],
    pub name: String,
    pub text: String,
}

/// A batch with its first attempt, ready to be made durable.
#[derive(Debug)]
pub struct NewBatch {
    pub register: RegisterNo,
    pub bank: String,
    pub listed: bool,
    pub recut_of: Option<BatchNo>,
    /// Members in line order, with their amounts.
    pub members: Vec<(i64, Fen)>,
    /// For a range: the lines inside it, of this bank, that are set aside.
    pub cut_line: i64,
    pub content: [u8; 32],
    pub reference: Reference,
    /// Where the bank counts our files of a day: the counter and the number that this one bears. It is
    /// taken together with the INTENT, so that what could not be written leaves no gap.
    pub numbered: Option<(String, i64)>,
    pub format: FormatText,
    pub parts: Vec<SealedPart>,
}

fn stored(row: &Row<'_>) -> Result<StoredPayment, StoreError> {
    Ok(StoredPayment {
        line: row.int(0)?,
        amount: Fen::new(row.int(1)?),
        town: row.int(2)?,
        person: row.blob(3)?.to_vec(),
    })
}

pub(super) fn sum(members: &[(i64, Fen)]) -> Fen {
    members.iter().map(|(_, amount)| *amount).sum()
}

pub(super) fn len(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Store {
    /// The format's text of that digest, as it was when something was written with it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn format_text(&self, digest: &[u8; 32]) -> Result<Option<FormatText>, StoreError> {
        let sql = "SELECT digest, name, text FROM format_text WHERE digest = $1";
        self.look()
            .one(sql, params![digest], |row| {
                Ok(FormatText {
                    digest: row.digest(0)?,
                    name: row.string(1)?,
                    text: row.string(2)?,
                })
            })
            .await
    }

    /// The digests of the formats that a bank was sent something with, the last first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn formats_sent_with(&self, bank: &str) -> Result<Vec<[u8; 32]>, StoreError> {
        let sql = "SELECT format_digest, MAX(attempt_no) FROM attempt WHERE bank = $1 GROUP BY format_digest ORDER BY 2 DESC LIMIT 8";
        self.look().rows(sql, params![bank], |row| row.digest(0)).await
    }

    /// The sealed parts of an attempt, in the order of handing over.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn parts(&self, attempt: AttemptNo) -> Result<Vec<SealedPart>, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT role, name, committing, size, sha256 FROM part WHERE attempt_no = $1 ORDER BY part_no";
        let mut parts = work
            .rows(sql, params![attempt], |row| {
                Ok(SealedPart {
                    role: row.string(0)?,
                    name: row.string(1)?,
                    committing: row.int(2)? == 1,
                    size: row.int(3)?,
                    sha256: row.digest(4)?,
                    chunks: Vec::new(),
                })
            })
            .await?;
        for (at, part) in parts.iter_mut().enumerate() {
            let sql = "SELECT bytes FROM part_chunk WHERE attempt_no = $1 AND part_no = $2 ORDER BY chunk_no";
            let part_no = i64::try_from(at + 1).unwrap_or(i64::MAX);
            part.chunks =
                work.rows(sql, params![attempt, part_no], |row| Ok(row.blob(0)?.to_vec())).await?;
        }
        work.commit().await?;
        Ok(parts)
    }

    /// Shares with payments that wait for a batch. With `funded_only`, registers whose money has
    /// not come are left alone (design 4, rule 10).
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_to_cut(&self, funded_only: bool) -> Result<Vec<CutDue>, StoreError> {
        let sql = "SELECT s.register_no, s.bank FROM register r JOIN share s ON s.register_no = r.register_no \
                   WHERE r.state = 'accepted' AND (s.uncut > 0 OR s.waiting > 0) \
                   AND ($1 = 0 OR r.funded_at_ms IS NOT NULL) ORDER BY s.register_no, s.bank";
        self.look()
            .rows(sql, params![i64::from(funded_only)], |row| {
                Ok(CutDue { register: RegisterNo(row.int(0)?), bank: row.string(1)? })
            })
            .await
    }

    /// Reads what the next batch of a share can be made of: payments that wait first, then the
    /// next range. At most `rows_max` payments.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn cuttable(
        &self,
        register: RegisterNo,
        bank: &str,
        rows_max: usize,
    ) -> Result<Cuttable, StoreError> {
        let mut work = self.read().await?;
        let rows_max = len(rows_max);
        let sql = "SELECT cut_line FROM share WHERE register_no = $1 AND bank = $2";
        let cut_line = work.the(sql, params![register, bank], |row| row.int(0)).await?;
        let sql = "SELECT p.line, p.amount_fen, p.town, p.person, w.recut_of FROM waiting w \
                   JOIN payment p ON p.register_no = w.register_no AND p.line = w.line \
                   WHERE w.register_no = $1 AND w.bank = $2 ORDER BY w.line LIMIT $3";
        let mut waiting = work
            .rows(sql, params![register, bank, rows_max], |row| {
                Ok((stored(row)?, row.int_opt(4)?.map(BatchNo)))
            })
            .await?;
        // One batch is made of one origin, so that a refused batch's successors can be told.
        if let Some(origin) = waiting.first().map(|(_, origin)| *origin) {
            waiting.retain(|(_, other)| *other == origin);
            work.commit().await?;
            let payments = waiting.into_iter().map(|(payment, _)| payment).collect();
            return Ok(Cuttable { listed: true, recut_of: origin, payments, cut_line });
        }
        let sql = "SELECT p.line, p.amount_fen, p.town, p.person FROM payment p \
                   WHERE p.register_no = $1 AND p.line > $2 AND p.bank = $3 \
                   AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.register_no = p.register_no AND h.line = p.line) \
                   ORDER BY p.line LIMIT $4";
        let payments = work.rows(sql, params![register, cut_line, bank, rows_max], stored).await?;
        work.commit().await?;
        Ok(Cuttable { listed: false, recut_of: None, payments, cut_line })
    }

    /// Makes a batch and its first attempt durable in state INTENT, and its money in flight.
    /// Nothing of it may be in another batch that is not closed: the range only moves forward, and
    /// a listed member is live once (I3).
    ///
    /// # Errors
    /// [`StoreError::Moved`] where the share or register is no longer as it was read.
    pub async fn intend_batch(
        &self,
        new: &NewBatch,
        now_ms: i64,
    ) -> Result<(BatchNo, AttemptNo), StoreError> {
        let (Some((first, _)), Some((last, _))) = (new.members.first(), new.members.last()) else {
            return Err(StoreError::Inconsistent { what: "a batch without payments".to_owned() });
        };
        let (first, last, payments, total) =
            (*first, *last, len(new.members.len()), sum(&new.members));
        let mut work = self.write().await?;
        let sql = "SELECT start_at_ms, deadline_at_ms FROM register WHERE register_no = $1 AND state = 'accepted'";
        let (start, deadline) = work
            .the(sql, params![new.register], |row| Ok((row.int_opt(0)?, row.int_opt(1)?)))
            .await?;
        if !new.listed {
            let sql = "UPDATE share SET cut_line = $1, uncut = uncut - $2 WHERE register_no = $3 AND bank = $4 AND cut_line = $5";
            work.move_one(sql, params![last, payments, new.register, &new.bank, new.cut_line])
                .await?;
            still_free(&mut work, new, first, last).await?;
        }
        let mut entry = Entry::new("batch.intent", now_ms);
        keep_format(&mut work, &mut entry, &new.format).await?;
        let batch = insert_batch(&mut work, new, (first, last), (start, deadline), now_ms).await?;
        let members = self.write_members(&mut work, new, batch, first, last).await?;
        let attempt = self
            .insert_attempt(
                &mut work,
                Carries::Batch(batch),
                new.register,
                &new.bank,
                Some(&new.reference),
                &new.format,
                &new.parts,
                now_ms,
            )
            .await?;
        entry
            .fact("batch", batch.0)
            .fact("attempt", attempt.0)
            .fact("bank", new.bank.as_str())
            .fact("reference", new.reference.text.as_str());
        entry
            .fact("listed", new.listed)
            .fact("first", first)
            .fact("last", last)
            .fact("members", members);
        entry
            .fact("payments", payments)
            .fact("sum_fen", total.get())
            .fact("content", crate::guard::key::hex(&new.content));
        entry
            .fact("format", crate::guard::key::hex(&new.format.digest))
            .fact("deadline_at_ms", deadline);
        if let Some((counter, number)) = &new.numbered {
            numbers::take(&mut work, &mut entry, attempt, (counter, *number), now_ms).await?;
        }
        new.members.iter().for_each(|(line, fen)| digest_member(&mut entry.rows, *line, *fen));
        digest_parts(&mut entry.rows, &new.parts);
        vouch_for(&mut work, &mut entry, Some(batch), attempt).await?;
        let cause = Cause { batch: Some(batch), ..Cause::default() };
        let out = Move {
            register: new.register,
            bank: &new.bank,
            from: Place::Unsent,
            to: Place::InFlight,
            payments,
            amount: total,
            cause,
        };
        entry.post(&mut work, out).await?;
        entry.write_for(&mut work, new.register).await?;
        self.done(work).await?;
        Ok((batch, attempt))
    }

    /// Writes who is in a batch, and says how many rows that took.
    async fn write_members(
        &self,
        work: &mut Work,
        new: &NewBatch,
        batch: BatchNo,
        first: i64,
        last: i64,
    ) -> Result<i64, StoreError> {
        let max = self.dialect.bulk();
        if !new.listed {
            let sql = "INSERT INTO batch_except (batch_no, line) SELECT $1, p.line FROM payment p WHERE p.register_no = $2 \
                       AND p.line BETWEEN $3 AND $4 AND p.bank = $5 \
                       AND EXISTS (SELECT 1 FROM hold h WHERE h.register_no = p.register_no AND h.line = p.line)";
            let sql = sql.replacen("SELECT $1,", "SELECT CAST($1 AS BIGINT),", 1);
            let excepts = work
                .0
                .run(sql.into(), params![batch, new.register, first, last, &new.bank])
                .await?;
            return Ok(-i64::try_from(excepts).unwrap_or(i64::MAX));
        }
        let rows = new
            .members
            .iter()
            .flat_map(|(line, _)| params![batch, *line, new.register, 1])
            .collect();
        work.insert("INSERT INTO batch_payment (batch_no, line, register_no, live)", 4, rows, max)
            .await?;
        for (line, _) in &new.members {
            work.move_one(
                "DELETE FROM waiting WHERE register_no = $1 AND line = $2",
                params![new.register, *line],
            )
            .await?;
        }
        let members = len(new.members.len());
        count(work, new.register, &new.bank, &[("waiting", -members)]).await?;
        Ok(members)
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub(super) async fn insert_attempt(
        &self,
        work: &mut Work,
        carries: Carries,
        register: RegisterNo,
        bank: &str,
        reference: Option<&Reference>,
        format: &FormatText,
        parts: &[SealedPart],
        now_ms: i64,
    ) -> Result<AttemptNo, StoreError> {
        let (kind, batch, refund) = match carries {
            Carries::Batch(no) => (AttemptKind::Payment, Some(no.0), None),
            Carries::Refund(no) => (AttemptKind::Refund, None, Some(no.0)),
        };
        let (text, state, next_at_ms) = match (reference, carries) {
            (Some(reference), _) => {
                numbers::take_reference(work, bank, reference).await?;
                (reference.text.clone(), AttemptState::Intent, Some(now_ms))
            }
            (None, Carries::Refund(no)) => {
                (super::refunds::by_hand_reference(no), AttemptState::ByHand, None)
            }
            (None, Carries::Batch(no)) => {
                return Err(StoreError::Refused(format!("{no} has no reference")));
            }
        };
        let sql = "INSERT INTO attempt (kind, batch_no, refund_no, register_no, bank, reference, format_digest, state, state_at_ms, \
                   made_at_ms, sends, asks, next_at_ms, bank_code) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, '') RETURNING attempt_no";
        let row = params![
            kind.as_str(),
            batch,
            refund,
            register,
            bank,
            text,
            &format.digest,
            state.as_str(),
            now_ms,
            now_ms,
            next_at_ms
        ];
        let attempt = work.the(sql, row, |row| Ok(AttemptNo(row.int(0)?))).await?;
        for (at, part) in parts.iter().enumerate() {
            let part_no = len(at) + 1;
            let sql = "INSERT INTO part (attempt_no, part_no, role, name, committing, size, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let row = params![
                attempt,
                part_no,
                &part.role,
                &part.name,
                i64::from(part.committing),
                part.size,
                &part.sha256
            ];
            work.run(sql, row).await?;
            for (at, chunk) in part.chunks.iter().enumerate() {
                let sql = "INSERT INTO part_chunk (attempt_no, part_no, chunk_no, bytes) VALUES ($1, $2, $3, $4)";
                work.run(sql, params![attempt, part_no, len(at) + 1, chunk.clone()]).await?;
            }
        }
        Ok(attempt)
    }
}

/// Writes a batch, open, with everything that is frozen with it.
async fn insert_batch(
    work: &mut Work,
    new: &NewBatch,
    (first, last): (i64, i64),
    (start, deadline): (Option<i64>, Option<i64>),
    now_ms: i64,
) -> Result<BatchNo, StoreError> {
    let (payments, total) = (len(new.members.len()), sum(&new.members));
    let sql = "INSERT INTO batch (register_no, bank, listed, first_line, last_line, payments, sum_fen, content, format_digest, \
               start_at_ms, deadline_at_ms, state, cut_at_ms, recut_of, pending, credited, failed, returned, conflicts, credited_fen, alert_level) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, 0, 0, 0, 0) RETURNING batch_no";
    let row = params![
        new.register,
        &new.bank,
        i64::from(new.listed),
        first,
        last,
        payments,
        total,
        &new.content,
        &new.format.digest,
        start,
        deadline,
        BatchState::Open.as_str(),
        now_ms,
        new.recut_of.map(|no| no.0),
        payments,
    ];
    work.the(sql, row, |row| Ok(BatchNo(row.int(0)?))).await
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Carries {
    Batch(BatchNo),
    Refund(RefundNo),
}

pub(super) async fn keep_format(
    work: &mut Work,
    entry: &mut Entry,
    format: &FormatText,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO format_text (digest, name, text) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING";
    let row = params![&format.digest, &format.name, &format.text];
    entry.vouched.returned(work, &vouch::FORMAT_TEXT, sql, row).await?;
    Ok(())
}

/// Whoever sets a payment aside does so while others are cut: what was read for a range may be held by now.
async fn still_free(
    work: &mut Work,
    new: &NewBatch,
    first: i64,
    last: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT h.line FROM hold h WHERE h.register_no = $1 AND h.line BETWEEN $2 AND $3";
    let held = work.rows(sql, params![new.register, first, last], |row| row.int(0)).await?;
    let is_member = |line: &i64| new.members.binary_search_by_key(line, |(line, _)| *line).is_ok();
    if held.iter().any(is_member) {
        return Err(StoreError::Moved { sql, moved: 0 });
    }
    Ok(())
}
