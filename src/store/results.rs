//! Taking what a bank says about payments: in one transaction, in any order, any number of times,
//! with the same end (I9 to I13).

mod aside;
mod decided;
mod effects;

use std::collections::BTreeMap;

use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptState, Heard};
use crate::model::expectation::Expected;
use crate::model::id::{BatchNo, ResultNo};
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::{Folded, OutcomeKind};
use crate::model::reason::Reason;
use crate::store::attempts::{Attempt, UNKNOWN_FATE, step};
use crate::store::breaker::Sign;
use crate::store::cut::StoredPayment;
use crate::store::journal::{Entry, bank_chain};
use crate::store::quarantine::{Told, told_again};
use crate::store::reports::NewReport;
use crate::store::results::aside::new_quarantined;
use crate::store::results::effects::{decide, read_before};
use crate::store::sql::{Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Durable, Store, StoreError, bank_references, payment_serials};

pub use aside::{CREDITED_TWICE, RETURNED_ONE};

/// The condition under which payment `p` is a member of batch `b`, of its bank.
pub(super) const MEMBER: &str = "((b.listed = 0 AND p.line BETWEEN b.first_line AND b.last_line \
    AND NOT EXISTS (SELECT 1 FROM batch_except e WHERE e.batch_no = b.batch_no AND e.line = p.line)) \
    OR (b.listed = 1 AND EXISTS (SELECT 1 FROM batch_payment m WHERE m.batch_no = b.batch_no AND m.line = p.line)))";

/// One line of a result, matched to a payment of the batch.
#[derive(Debug, Clone)]
pub struct TakenRow {
    pub line: i64,
    pub amount: Fen,
    pub kind: Option<OutcomeKind>,
    pub reason: Option<Reason>,
    pub code: String,
    /// Sealed: the bank's words.
    pub words: Option<Vec<u8>>,
    pub notice: Option<NoticeState>,
}

/// One line of a result that changes nothing, and why.
#[derive(Debug, Clone)]
pub struct Quarantined {
    pub row: i64,
    pub cause: &'static str,
    /// What was expected, without personal data.
    pub detail: String,
    pub line: Option<i64>,
}

/// A file or answer, read and matched.
#[derive(Debug)]
pub struct TakenResult<'a> {
    pub name: &'a str,
    pub digest: [u8; 32],
    pub rows: Vec<TakenRow>,
    pub quarantined: Vec<Quarantined>,
    /// Sealed bytes, kept where something was quarantined.
    pub evidence: Option<Vec<u8>>,
    /// When to do the next thing about the attempt once all its payments are answered for.
    pub next_at_ms: Option<i64>,
    /// When to ask again while some are not.
    pub again_at_ms: i64,
    /// Answers that are due once all its payments are answered for, or once they are not after all.
    pub expects: Vec<Expected>,
    /// What the bank calls the attempt, as far as it says so here.
    pub bank_references: Vec<String>,
    /// What the bank calls single payments, as far as that is new and needed later: by line.
    pub serials: BTreeMap<i64, String>,
}

/// What taking a result did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Applied {
        result: ResultNo,
        outcomes: i64,
        notices: i64,
    },
    /// The same bytes were taken before: nothing changes.
    Repeated,
}

/// Which reports follow from a result, asked once its number and effects are known.
pub type Follow<'a> = &'a (dyn Fn(ResultNo, &Effects) -> Vec<NewReport> + Sync);

/// What a result changed.
#[derive(Debug, Default)]
pub struct Effects {
    /// Lines with a new outcome.
    pub outcomes: Vec<i64>,
    /// Lines with a new notice.
    pub notices: Vec<i64>,
}

impl Store {
    /// The members of a batch, in line order: the ordinal of a payment is its place here, from 1.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn members(&self, batch: BatchNo) -> Result<Vec<StoredPayment>, StoreError> {
        let sql = format!(
            "SELECT p.line, p.amount_fen, p.town, p.person FROM batch b JOIN payment p ON p.register_no = b.register_no \
             AND p.line BETWEEN b.first_line AND b.last_line AND p.bank = b.bank WHERE b.batch_no = $1 AND {MEMBER} ORDER BY p.line"
        );
        self.look()
            .rows(sql, params![batch], |row| {
                Ok(StoredPayment {
                    line: row.int(0)?,
                    amount: Fen::new(row.int(1)?),
                    town: row.int(2)?,
                    person: row.blob(3)?.to_vec(),
                })
            })
            .await
    }

    /// Takes a result: every line is applied or quarantined, or nothing is durable (I13). An
    /// attempt whose answer was lost becomes accepted by it.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where something moved meanwhile; [`StoreError::Refused`] where the
    /// attempt is in a state in which a bank cannot know it (whoever called holds the file).
    pub async fn take_result(
        &self,
        attempt: &Attempt,
        taken: TakenResult<'_>,
        follow: Follow<'_>,
        now_ms: i64,
    ) -> Result<Taken, StoreError> {
        let Some(batch) = attempt.batch else {
            return Err(StoreError::Refused(format!("{} carries no payments", attempt.no)));
        };
        let mut work = self.write().await?;
        let mut entry = Entry::new("result.applied", now_ms);
        entry.fact("attempt", attempt.no.0);
        if attempt.state != AttemptState::Accepted {
            step(&mut work, attempt, AttemptEvent::Accepted, now_ms).await?;
            entry.fact("accepted_from", attempt.state.as_str());
            let subject = attempt.no.to_string();
            super::alerts::clear_each(&mut work, &UNKNOWN_FATE, &subject, now_ms).await?;
        }
        let pending_before = pending_of(&mut work, batch).await?;
        let next_at_ms =
            |pending| if pending > 0 { Some(taken.again_at_ms) } else { taken.next_at_ms };
        let asked = "UPDATE attempt SET next_at_ms = $1, asks = asks + 1 WHERE attempt_no = $2";
        let (name, digest) = (taken.name, taken.digest);
        let in_full = taken.quarantined.is_empty() && !taken.rows.is_empty() && pending_before == 0;
        let told = in_full.then_some(Told { name, digest: &digest });
        let Some(result) = insert_result(&mut work, attempt, &taken, now_ms).await? else {
            work.move_one(asked, params![next_at_ms(pending_before), attempt.no]).await?;
            let expects = (pending_before, taken.expects.as_slice());
            self.told_before(work, entry, attempt, expects, told, now_ms).await?;
            return Ok(Taken::Repeated);
        };
        entry.fact("result", result.0).fact("batch", batch.0).fact("name", taken.name);
        entry
            .fact("digest", crate::guard::key::hex(&taken.digest))
            .fact("quarantined", taken.quarantined.len());
        let references = &taken.bank_references;
        let numbered =
            bank_references::keep(&mut work, &mut entry, attempt, references, now_ms).await?;
        let before = read_before(&mut work, attempt).await?;
        let serials = taken.serials;
        let (writes, effects) = decide(taken.rows, before, &mut entry)?;
        let quarantined = new_quarantined(&mut work, attempt, taken.quarantined).await?;
        if effects.outcomes.is_empty()
            && effects.notices.is_empty()
            && quarantined.is_empty()
            && numbered == 0
            && serials.is_empty()
            && attempt.state == AttemptState::Accepted
        {
            drop(work);
            self.nothing_new(attempt, next_at_ms(pending_before), told, now_ms).await?;
            return Ok(Taken::Repeated);
        }
        let pending =
            pending_before + writes.counts.get(&Folded::Pending).copied().unwrap_or_default();
        work.move_one(asked, params![next_at_ms(pending), attempt.no]).await?;
        self.write_effects(&mut work, attempt, batch, result, writes, &mut entry, now_ms).await?;
        self.write_quarantine(&mut work, attempt, result, quarantined, &mut entry, now_ms).await?;
        let max = self.dialect.bulk();
        payment_serials::keep(&mut work, &mut entry, attempt.no, result, serials, max).await?;
        heard(&mut work, &mut entry, attempt, pending, &taken.expects, now_ms).await?;
        let sql = "UPDATE result SET applied = $1 WHERE result_no = $2";
        let applied = params![len(effects.outcomes.len() + effects.notices.len()), result];
        entry.vouched.returned(&mut work, &vouch::RESULT, sql, applied).await?;
        let reports = follow(result, &effects);
        super::reports::insert(&mut work, &mut entry, &reports, now_ms).await?;
        super::quarantine::clear_settled(&mut work, attempt, now_ms).await?;
        entry.fact("outcomes", effects.outcomes.len()).fact("notices", effects.notices.len());
        vouch_for(&mut work, &mut entry, Some(batch), attempt.no).await?;
        entry.write_for(&mut work, attempt.register).await?;
        self.done(work).await?;
        self.is_durable(Durable::Answer(result));
        Ok(Taken::Applied {
            result,
            outcomes: len(effects.outcomes.len()),
            notices: len(effects.notices.len()),
        })
    }

    /// The very bytes were taken before: that the bank has the attempt they say all the same.
    async fn told_before(
        &self,
        mut work: Work,
        mut entry: Entry,
        attempt: &Attempt,
        (pending, expects): (i64, &[Expected]),
        told: Option<Told<'_>>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if attempt.state != AttemptState::Accepted {
            heard(&mut work, &mut entry, attempt, pending, expects, now_ms).await?;
            vouch_for(&mut work, &mut entry, None, attempt.no).await?;
            entry.write_for(&mut work, attempt.register).await?;
        }
        if let Some(told) = told {
            told_again(&mut work, attempt, &told, now_ms).await?;
        }
        work.commit().await
    }

    /// Other bytes that say nothing new (an answer with another time in it): they are not kept.
    async fn nothing_new(
        &self,
        attempt: &Attempt,
        next_at_ms: Option<i64>,
        told: Option<Told<'_>>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.asked(attempt, next_at_ms, Heard::Same, now_ms).await?;
        if let Some(told) = told {
            let mut work = self.write().await?;
            told_again(&mut work, attempt, &told, now_ms).await?;
            work.commit().await?;
        }
        Ok(())
    }

    /// Holds a file or answer as a whole: it changes nothing, is kept as evidence, and somebody is
    /// told. The same bytes again are the same.
    ///
    /// # Errors
    /// Where the database cannot be written.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub async fn hold_result(
        &self,
        bank: &str,
        name: &str,
        digest: &[u8; 32],
        attempt: Option<&Attempt>,
        why: &str,
        evidence: Vec<u8>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        self.hold_as(bank, name, digest, attempt, (why, false), evidence, now_ms).await
    }

    /// The same of an answer that may say that something of an attempt was done: until it is settled, neither a
    /// refusal nor "not found" of that attempt counts.
    ///
    /// # Errors
    /// Where the database cannot be written.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub async fn hold_weighing(
        &self,
        bank: &str,
        name: &str,
        digest: &[u8; 32],
        attempt: &Attempt,
        why: &str,
        evidence: Vec<u8>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        self.hold_as(bank, name, digest, Some(attempt), (why, true), evidence, now_ms).await
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    async fn hold_as(
        &self,
        bank: &str,
        name: &str,
        digest: &[u8; 32],
        attempt: Option<&Attempt>,
        (why, weighs): (&str, bool),
        evidence: Vec<u8>,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut work = self.write().await?;
        let sql = "INSERT INTO result (bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, evidence, taken_at_ms, weighs, turn) \
                   VALUES ($1, $2, $3, $4, $5, 'held', 0, 0, 0, $6, $7, $8, $9, (SELECT COALESCE(MAX(turn), 0) FROM result)) ON CONFLICT (bank, digest, COALESCE(attempt_no, 0)) DO NOTHING RETURNING result_no";
        let row = params![
            bank,
            name,
            digest,
            attempt.map(|a| a.no.0),
            attempt.map(|a| a.register.0),
            why,
            evidence,
            now_ms,
            i64::from(weighs)
        ];
        let Some(result) = work.one(sql, row, |row| Ok(ResultNo(row.int(0)?))).await? else {
            return Ok(false);
        };
        let text = format!(
            "{bank} 的结果文件 {name} 整份暂存，未入账：{why}。请与银行核对后重新取得正确的文件"
        );
        let register = attempt.map(|a| a.register);
        super::alerts::raise(
            &mut work,
            AlertKind::ResultHeld,
            &result.to_string(),
            register,
            attempt.and_then(|a| a.batch),
            0,
            &text,
            now_ms,
        )
        .await?;
        let mut entry = Entry::new("result.held", now_ms);
        entry
            .fact("result", result.0)
            .fact("bank", bank)
            .fact("name", name)
            .fact("digest", crate::guard::key::hex(digest))
            .fact("why", why);
        let this = params![result];
        entry.vouched.as_kept(&mut work, &vouch::RESULT, "result_no = $1", this).await?;
        match register {
            Some(register) => entry.write_beside(&mut work, register).await?,
            None => entry.write(&mut work, &bank_chain(bank)).await?,
        }
        self.done(work).await?;
        self.is_durable(Durable::Answer(result));
        Ok(true)
    }
}

/// The bank had a word about a batch: what is waited for changes by it, and the bank may be well again.
async fn heard(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    pending: i64,
    expects: &[Expected],
    now_ms: i64,
) -> Result<(), StoreError> {
    let sending = attempt.state == AttemptState::Sending;
    let sign = if sending { Sign::Answered } else { Sign::Told };
    super::breaker::is_well(work, attempt, sign, now_ms).await?;
    super::expect::after_rows(work, entry, attempt, pending, expects, now_ms).await
}

/// Payments of a batch without an answer. Whoever calls read the attempt a while ago: another answer may have come to
/// it since.
async fn pending_of(work: &mut Work, batch: BatchNo) -> Result<i64, StoreError> {
    let sql = "SELECT pending FROM batch WHERE batch_no = $1";
    work.the(sql, params![batch], |row| row.int(0)).await
}

fn len(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Keeps a result; nothing where it was applied before. One that was held, because nobody knew what
/// it was about, is now known.
async fn insert_result(
    work: &mut Work,
    attempt: &Attempt,
    taken: &TakenResult<'_>,
    now_ms: i64,
) -> Result<Option<ResultNo>, StoreError> {
    // Held while nobody knew what it was about: now that is known.
    let sql = "UPDATE result SET attempt_no = $1 WHERE bank = $2 AND digest = $3 AND attempt_no IS NULL AND state = 'held' \
               AND NOT EXISTS (SELECT 1 FROM result x WHERE x.bank = $4 AND x.digest = $5 AND x.attempt_no = $6)";
    let (bank, digest) = (&attempt.bank, &taken.digest);
    work.run(sql, params![attempt.no, bank, digest, bank, digest, attempt.no]).await?;
    let sql = "INSERT INTO result (bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, evidence, taken_at_ms, turn) \
               VALUES ($1, $2, $3, $4, $5, 'applied', $6, 0, $7, '', $8, $9, (SELECT COALESCE(MAX(turn), 0) + 1 FROM result)) ON CONFLICT (bank, digest, COALESCE(attempt_no, 0)) DO UPDATE SET \
               name = excluded.name, attempt_no = excluded.attempt_no, register_no = excluded.register_no, state = 'applied', \
               lines = excluded.lines, quarantined = excluded.quarantined, why = '', evidence = COALESCE(excluded.evidence, result.evidence), \
               taken_at_ms = excluded.taken_at_ms, turn = excluded.turn WHERE result.state = 'held' RETURNING result_no";
    let row = params![
        &attempt.bank,
        taken.name,
        &taken.digest,
        attempt.no,
        attempt.register,
        len(taken.rows.len() + taken.quarantined.len()),
        len(taken.quarantined.len()),
        taken.evidence.clone(),
        now_ms,
    ];
    let result = work.one(sql, row, |row| Ok(ResultNo(row.int(0)?))).await?;
    if let Some(result) = result {
        super::alerts::clear(work, AlertKind::ResultHeld, &result.to_string(), now_ms).await?;
        // A batch of which the bank tells results has not vanished there.
        let subject = attempt.no.to_string();
        super::alerts::clear(work, AlertKind::Vanished, &subject, now_ms).await?;
    }
    Ok(result)
}

/// Is an attempt in a state in which a bank can know it? One that it did not find it may know all
/// the same (F31).
pub const fn can_have_results(state: AttemptState) -> bool {
    match state {
        AttemptState::Sending
        | AttemptState::Unknown
        | AttemptState::NotSent
        | AttemptState::Accepted => true,
        AttemptState::Intent
        | AttemptState::Refused
        | AttemptState::Stopped
        | AttemptState::Closed
        | AttemptState::ByHand => false,
    }
}
