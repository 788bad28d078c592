//! A bank that is unwell is left alone: a run of refused or unknown attempts opens its breaker, nothing
//! is sent until it has rested, and then one batch, to see. Asking goes on, and no clock of the duty
//! stands still for it.
//!
//! A bank has a row from its first trouble on. How many in a row are too many is the config's: the row
//! counts, and the step that sends decides before each send. Deriving the run from the attempts was
//! rejected: an attempt of unknown fate that the bank turns out to have says nothing about whether the next
//! one would be answered, and afterwards looks like any other.

use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptKind, AttemptState};
use crate::model::id::AttemptNo;
use crate::model::profile::BreakerState;
use crate::store::attempts::{Attempt, Conclusion};
use crate::store::journal::{Entry, bank_chain};
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// How a bank fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    pub state: BreakerState,
    /// Refused or unknown attempts in a row.
    pub run: i64,
    /// What the last of them was.
    pub last: AttemptState,
    /// When it came into that state.
    pub since_ms: i64,
    /// Half open: the one attempt that is sent.
    pub probe: Option<AttemptNo>,
}

/// Counts what became of a try, inside its transaction.
///
/// Refused refunds do not count: they are tried again by the hour, and would keep payments back.
pub(super) async fn after_conclusion(
    work: &mut Work,
    attempt: &Attempt,
    conclusion: &Conclusion,
    now_ms: i64,
) -> Result<(), StoreError> {
    use AttemptState as S;
    match (attempt.state, conclusion.event) {
        (S::Sending, AttemptEvent::Lost) => failed(work, attempt, S::Unknown, now_ms).await,
        (S::Sending | S::Accepted, AttemptEvent::Refused)
            if attempt.kind == AttemptKind::Payment =>
        {
            failed(work, attempt, S::Refused, now_ms).await
        }
        // That one of unknown fate turns out to have arrived says nothing about the next one.
        (S::Sending, AttemptEvent::Accepted) => {
            let said = !conclusion.words.code.is_empty();
            is_well(work, attempt, if said { Sign::Answered } else { Sign::Placed }, now_ms).await
        }
        (S::Accepted, AttemptEvent::Accepted) if conclusion.refund_done => {
            is_well(work, attempt, Sign::Told, now_ms).await
        }
        // It ends, and tells nothing of how the bank is: another one is sent to see.
        (S::Sending | S::Accepted, AttemptEvent::Refused)
        | (S::Intent | S::NotSent, AttemptEvent::Lost)
        | (_, AttemptEvent::OtherContent) => {
            let mut entry = Entry::new("breaker.given_back", now_ms);
            if give_back(work, &mut entry, attempt, now_ms).await? {
                entry.fact("attempt", attempt.no.0);
                entry.write(work, &bank_chain(&attempt.bank)).await?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn failed(
    work: &mut Work,
    attempt: &Attempt,
    how: AttemptState,
    now_ms: i64,
) -> Result<(), StoreError> {
    // Whatever goes wrong while one batch is sent to see: the bank rests again.
    let sql = "INSERT INTO breaker (bank, state, run, last, last_no, since_ms) VALUES ($1, 'closed', 1, $2, $3, $4) ON CONFLICT (bank) DO UPDATE SET \
               run = breaker.run + 1, last = excluded.last, last_no = excluded.last_no, probe_no = NULL, \
               since_ms = CASE WHEN breaker.state = 'half_open' THEN excluded.since_ms ELSE breaker.since_ms END, \
               state = CASE WHEN breaker.state = 'half_open' THEN 'open' ELSE breaker.state END";
    let mut entry = Entry::new("breaker.failed", now_ms);
    let row = params![&attempt.bank, how.as_str(), attempt.no, now_ms];
    entry.vouched.returned(work, &vouch::BREAKER, sql, row).await?;
    entry.fact("attempt", attempt.no.0).fact("as", how.as_str());
    entry.write(work, &bank_chain(&attempt.bank)).await
}

/// What says that a bank is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered what was just sent.
    Answered,
    /// A file could be left with it: its line is well, and nothing is known of whether it takes what is in
    /// the file.
    Placed,
    /// It had a word about a batch that it took earlier. That counts for batches behind the last one that
    /// went wrong, and for the one that was sent to see.
    Told,
}

/// The run of a bank is over, inside a transaction.
pub(super) async fn is_well(
    work: &mut Work,
    attempt: &Attempt,
    sign: Sign,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (bank, no) = (attempt.bank.as_str(), attempt.no);
    let (sql, row) = match sign {
        Sign::Answered => (
            "UPDATE breaker SET state = 'closed', run = 0, since_ms = $1, probe_no = NULL WHERE bank = $2 AND run > 0",
            params![now_ms, bank],
        ),
        Sign::Placed => (
            "UPDATE breaker SET state = 'closed', run = 0, since_ms = $1, probe_no = NULL WHERE bank = $2 AND run > 0 AND last = 'unknown'",
            params![now_ms, bank],
        ),
        Sign::Told => (
            "UPDATE breaker SET state = 'closed', run = 0, since_ms = $1, probe_no = NULL WHERE bank = $2 AND run > 0 AND (last_no < $3 OR probe_no = $3)",
            params![now_ms, bank, no],
        ),
    };
    let mut entry = Entry::new("breaker.closed", now_ms);
    if entry.vouched.returned(work, &vouch::BREAKER, sql, row).await? == 0 {
        return Ok(());
    }
    entry.fact("attempt", attempt.no.0);
    super::alerts::clear(work, AlertKind::Breaker, &attempt.bank, now_ms).await?;
    entry.write(work, &bank_chain(&attempt.bank)).await
}

/// The one that was to be sent to see is closed before it left, or ended without a word about the bank, inside a
/// transaction: the bank rests again, and then another one is sent. Says whether it was that one.
pub(super) async fn give_back(
    work: &mut Work,
    entry: &mut Entry,
    attempt: &Attempt,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE breaker SET state = 'open', since_ms = $1, probe_no = NULL WHERE bank = $2 AND probe_no = $3";
    let row = params![now_ms, &attempt.bank, attempt.no];
    Ok(entry.vouched.returned(work, &vouch::BREAKER, sql, row).await? > 0)
}

/// Closes the breaker at an operator's word, inside a transaction; says whether there was a run.
pub(super) async fn resume(
    work: &mut Work,
    entry: &mut Entry,
    bank: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE breaker SET state = 'closed', run = 0, since_ms = $1, probe_no = NULL WHERE bank = $2 AND run > 0";
    let row = params![now_ms, bank];
    if entry.vouched.returned(work, &vouch::BREAKER, sql, row).await? == 0 {
        return Ok(false);
    }
    super::alerts::clear(work, AlertKind::Breaker, bank, now_ms).await?;
    Ok(true)
}

impl Store {
    /// How a bank fares; nothing where it never was in trouble.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn breaker(&self, bank: &str) -> Result<Option<Breaker>, StoreError> {
        let sql = "SELECT state, run, last, since_ms, probe_no FROM breaker WHERE bank = $1";
        self.look()
            .one(sql, params![bank], |row| {
                Ok(Breaker {
                    state: row.word(0, BreakerState::parse)?,
                    run: row.int(1)?,
                    last: row.word(2, AttemptState::parse)?,
                    since_ms: row.int(3)?,
                    probe: row.int_opt(4)?.map(AttemptNo),
                })
            })
            .await
    }

    /// Opens the breaker of a bank: nothing is sent to it for a while, and `text` tells somebody.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it is not as it was read.
    pub async fn open_breaker(
        &self,
        bank: &str,
        run: i64,
        text: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE breaker SET state = 'open', since_ms = $1 WHERE bank = $2 AND state = 'closed' AND run = $3";
        let mut entry = Entry::new("breaker.opened", now_ms);
        let row = params![now_ms, bank, run];
        if entry.vouched.returned(&mut work, &vouch::BREAKER, sql, row).await? != 1 {
            return Err(StoreError::Moved { sql, moved: 0 });
        }
        entry.fact("run", run);
        super::alerts::raise(&mut work, AlertKind::Breaker, bank, None, None, 0, text, now_ms)
            .await?;
        entry.write(&mut work, &bank_chain(bank)).await?;
        self.done(work).await
    }

    /// The bank has rested: this attempt is sent, to see, and no other.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where another one is sent to see, or the breaker is not open.
    pub async fn probe(&self, attempt: &Attempt, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE breaker SET state = 'half_open', since_ms = $1, probe_no = $2 WHERE bank = $3 AND state = 'open'";
        let mut entry = Entry::new("breaker.half_open", now_ms);
        let row = params![now_ms, attempt.no, &attempt.bank];
        if entry.vouched.returned(&mut work, &vouch::BREAKER, sql, row).await? != 1 {
            return Err(StoreError::Moved { sql, moved: 0 });
        }
        entry.fact("attempt", attempt.no.0);
        entry.write(&mut work, &bank_chain(&attempt.bank)).await?;
        self.done(work).await
    }

    /// Does anything wait to be sent to a bank?
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn has_unsent(&self, bank: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM attempt WHERE bank = $1 AND state IN ('intent', 'not_sent') AND next_at_ms IS NOT NULL LIMIT 1";
        let found = self.look().one(sql, params![bank], |_| Ok(())).await?.is_some();
        Ok(found)
    }
}
