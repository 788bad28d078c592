//! Attempts: what is due, what may leave, and what the bank said about the whole of one.

use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptKind, AttemptState, Committed, Heard};
use crate::model::expectation::Expected;
use crate::model::id::{AttemptNo, BatchNo, RefundNo, RegisterNo};
use crate::store::journal::Entry;
use crate::store::reports::NewReport;
use crate::store::sql::{Param, Row, Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Durable, Store, StoreError, bank_references, refusal};

/// An attempt, as the steps see it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub no: AttemptNo,
    pub kind: AttemptKind,
    pub batch: Option<BatchNo>,
    pub refund: Option<RefundNo>,
    pub register: RegisterNo,
    pub bank: String,
    pub reference: String,
    pub format_digest: [u8; 32],
    pub state: AttemptState,
    pub made_at_ms: i64,
    pub sent_at_ms: Option<i64>,
    /// When it first may have arrived without an answer.
    pub lost_at_ms: Option<i64>,
    pub sends: i64,
    pub asks: i64,
    /// The bank's own number of it; empty until it is known.
    pub bank_reference: String,
    /// Payments of its batch without an answer; 0 for a refund.
    pub pending: i64,
    /// Payments of its batch; 0 for a refund.
    pub payments: i64,
}

impl Attempt {
    /// Is it certain that no byte of it ever left? What the bank did not find was of unknown fate before,
    /// and may have arrived (I2).
    pub const fn never_left(&self) -> bool {
        matches!(self.state, AttemptState::Intent | AttemptState::NotSent)
            && self.lost_at_ms.is_none()
    }

    /// Was it of unknown fate once before it was sent last?
    pub fn was_lost_before(&self) -> bool {
        self.lost_at_ms.is_some() && self.lost_at_ms != self.sent_at_ms
    }
}

/// What [`attempt`] reads, of `attempt a` and `batch b`.
pub(super) const COLUMNS: &str = "a.attempt_no, a.kind, a.batch_no, a.refund_no, a.register_no, a.bank, a.reference, a.format_digest, a.state, \
     a.made_at_ms, a.sent_at_ms, a.sends, a.asks, \
     COALESCE((SELECT MIN(r.reference) FROM bank_reference r WHERE r.attempt_no = a.attempt_no), ''), COALESCE(b.pending, 0), a.lost_at_ms, COALESCE(b.payments, 0)";

pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        no: AttemptNo(row.int(0)?),
        kind: row.word(1, AttemptKind::parse)?,
        batch: row.int_opt(2)?.map(BatchNo),
        refund: row.int_opt(3)?.map(RefundNo),
        register: RegisterNo(row.int(4)?),
        bank: row.string(5)?,
        reference: row.string(6)?,
        format_digest: row.digest(7)?,
        state: row.word(8, AttemptState::parse)?,
        made_at_ms: row.int(9)?,
        sent_at_ms: row.int_opt(10)?,
        sends: row.int(11)?,
        asks: row.int(12)?,
        bank_reference: row.string(13)?,
        pending: row.int(14)?,
        lost_at_ms: row.int_opt(15)?,
        payments: row.int(16)?,
    })
}

/// The statement that reads attempts: `rest` is what stands behind FROM and its join.
fn attempts_sql(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM attempt a LEFT JOIN batch b ON b.batch_no = a.batch_no {rest}")
}

/// Reads attempts in a transaction.
pub(super) async fn read_attempts(
    work: &mut Work,
    rest: &str,
    row: Vec<Param>,
) -> Result<Vec<Attempt>, StoreError> {
    let mut found = Vec::new();
    work.0
        .rows(attempts_sql(rest).into(), row, &mut |row| {
            found.push(attempt(row)?);
            Ok(())
        })
        .await?;
    Ok(found)
}

/// What the bank said about a whole attempt.
#[derive(Debug, Clone, Default)]
pub struct BankWords {
    pub code: String,
    /// Sealed.
    pub text: Option<Vec<u8>>,
    /// What it calls the attempt, as far as it says so here.
    pub bank_references: Vec<String>,
}

/// What becomes of an attempt, to be made durable.
#[derive(Debug)]
pub struct Conclusion {
    pub event: AttemptEvent,
    /// Was it said in answer to a question of ours?
    pub asked: bool,
    pub words: BankWords,
    /// When to do the next thing about it.
    pub next_at_ms: Option<i64>,
    /// Answers that are due from now on, where none were.
    pub expects: Vec<Expected>,
    /// Only for "not found" that was left in a folder: the SHA-256 of that answer.
    pub not_found: Option<[u8; 32]>,
    /// Only for refunds: the bank confirms that the money went back.
    pub refund_done: bool,
    /// For an alert when the bank refuses, or nobody knows what became of it: why, redacted, in plain Chinese.
    pub alert: String,
    /// Reports that follow, written with it.
    pub reports: Vec<NewReport>,
}

impl Conclusion {
    /// An event about which there is nothing more to say.
    pub fn of(event: AttemptEvent, next_at_ms: Option<i64>) -> Self {
        Self {
            event,
            asked: false,
            words: BankWords::default(),
            next_at_ms,
            expects: Vec::new(),
            not_found: None,
            refund_done: false,
            alert: String::new(),
            reports: Vec::new(),
        }
    }
}

impl Store {
    /// Attempts at a bank in one of two states with something to do by now, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn due_attempts(
        &self,
        bank: &str,
        states: &[AttemptState; 2],
        now_ms: i64,
        limit: i64,
    ) -> Result<Vec<Attempt>, StoreError> {
        let rest = "WHERE a.bank = $1 AND a.next_at_ms IS NOT NULL AND a.next_at_ms <= $2 AND a.state IN ($3, $4) ORDER BY a.next_at_ms, a.attempt_no LIMIT $5";
        let row = params![bank, now_ms, states[0].as_str(), states[1].as_str(), limit];
        self.look().rows(attempts_sql(rest), row, attempt).await
    }

    /// When the next thing is due about any attempt at a bank in one of two states.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn next_due_at(
        &self,
        bank: &str,
        states: &[AttemptState; 2],
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT MIN(next_at_ms) FROM attempt WHERE bank = $1 AND next_at_ms IS NOT NULL AND state IN ($2, $3)";
        let row = params![bank, states[0].as_str(), states[1].as_str()];
        self.look().the(sql, row, |row| row.int_opt(0)).await
    }

    /// Banks at which something is to be done about an attempt. It is asked often and of many attempts: each
    /// bank is one step through the index.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn banks_with_attempts(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT MIN(bank) FROM attempt WHERE next_at_ms IS NOT NULL AND bank > $1";
        let mut banks: Vec<String> = Vec::new();
        loop {
            let last = banks.last().map_or("", String::as_str);
            let Some(next) = self
                .look()
                .the(sql, params![last], |row| row.text_opt(0).map(|text| text.map(str::to_owned)))
                .await?
            else {
                return Ok(banks);
            };
            banks.push(next);
        }
    }

    /// The attempt that carries our reference at a bank.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn attempt_by_reference(
        &self,
        bank: &str,
        reference: &str,
    ) -> Result<Option<Attempt>, StoreError> {
        let sql = attempts_sql("WHERE a.bank = $1 AND a.reference = $2");
        Ok(self.look().rows(sql, params![bank, reference], attempt).await?.pop())
    }

    /// Makes SENDING durable, and that these answers are due. Only from here on may a byte leave; the
    /// token says that it is so (I4).
    ///
    /// # Errors
    /// [`StoreError::Moved`] where the attempt is not as it was read.
    pub async fn start(
        &self,
        attempt: &Attempt,
        expects: &[Expected],
        now_ms: i64,
    ) -> Result<Committed, StoreError> {
        let mut work = self.write().await?;
        step(&mut work, attempt, AttemptEvent::Start, now_ms).await?;
        let sql = "UPDATE attempt SET sends = sends + 1, sent_at_ms = $1, next_at_ms = NULL WHERE attempt_no = $2";
        work.move_one(sql, params![now_ms, attempt.no]).await?;
        let mut entry = Entry::new("attempt.sending", now_ms);
        entry.fact("attempt", attempt.no.0).fact("send", attempt.sends + 1);
        super::expect::open(&mut work, &mut entry, attempt.no, expects, now_ms).await?;
        vouch_for(&mut work, &mut entry, None, attempt.no).await?;
        entry.write_beside(&mut work, attempt.register).await?;
        // Whoever sends goes on; nobody else has anything to do now.
        work.commit().await?;
        self.is_durable(Durable::HandOver);
        Ok(Committed::after_commit(attempt.no))
    }

    /// Makes durable what became of an attempt, with the money and the alerts that follow.
    ///
    /// # Errors
    /// [`StoreError::Moved`] where the attempt is not as it was read; [`StoreError::Refused`] where
    /// the bank refuses what it already answered for.
    pub async fn conclude(
        &self,
        attempt: &Attempt,
        conclusion: &Conclusion,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let entry = conclude_in(&mut work, attempt, conclusion, now_ms).await?;
        entry.write_for(&mut work, attempt.register).await?;
        self.done(work).await
    }

    /// Lets an attempt that cannot go on wait: what is kept about it does not open.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn wait(&self, attempt: &Attempt, next_at_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE attempt SET next_at_ms = $1 WHERE attempt_no = $2 AND state = $3";
        work.run(sql, params![next_at_ms, attempt.no, attempt.state.as_str()]).await?;
        work.commit().await
    }

    /// Notes that the bank was asked, what came of it, and when to ask again. Of an attempt of unknown
    /// fate the journal tells it as well: nothing goes again before such a question (I2). The first,
    /// second, fourth, eighth question and so on stand for all, or a bank that is away for days would
    /// fill the journal.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn asked(
        &self,
        attempt: &Attempt,
        next_at_ms: Option<i64>,
        heard: Heard,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql = "UPDATE attempt SET asks = asks + 1, next_at_ms = $1 WHERE attempt_no = $2 AND state = $3";
        let row = params![next_at_ms, attempt.no, attempt.state.as_str()];
        let noted = work.run(sql, row).await? == 1;
        let question = attempt.asks + 1;
        let stands_for_more = question.count_ones() == 1;
        if noted && attempt.state == AttemptState::Unknown && stands_for_more {
            let mut entry = Entry::new("attempt.asked", now_ms);
            entry.fact("attempt", attempt.no.0).fact("question", question);
            entry.fact("heard", heard.as_str());
            entry.write_beside(&mut work, attempt.register).await?;
        }
        // Nothing changed that another step could act upon.
        work.commit().await
    }
}

/// Concludes inside a transaction; the entry is still to be written.
pub(super) async fn conclude_in(
    work: &mut Work,
    attempt: &Attempt,
    conclusion: &Conclusion,
    now_ms: i64,
) -> Result<Entry, StoreError> {
    if matches!(conclusion.event, AttemptEvent::Refused | AttemptEvent::NotFound)
        && super::quarantine::weighing(work, attempt.no).await? > 0
    {
        return Err(StoreError::Refused(format!(
            "what was put aside of {} may say that something of it was done",
            attempt.no
        )));
    }
    let to = step(work, attempt, conclusion.event, now_ms).await?;
    let words = &conclusion.words;
    let sql = "UPDATE attempt SET next_at_ms = $1, bank_code = $2, bank_text = COALESCE($3, bank_text) WHERE attempt_no = $4";
    let row = params![conclusion.next_at_ms, &words.code, words.text.clone(), attempt.no];
    work.move_one(sql, row).await?;
    let mut entry = Entry::new(entry_kind(to), now_ms);
    entry
        .fact("attempt", attempt.no.0)
        .fact("from", attempt.state.as_str())
        .fact("event", conclusion.event.as_str());
    entry.fact("code", words.code.as_str());
    let references = &words.bank_references;
    bank_references::keep(work, &mut entry, attempt, references, now_ms).await?;
    if conclusion.asked {
        entry.fact("question", attempt.asks + 1);
    }
    if let Some(digest) = &conclusion.not_found {
        super::not_found::keep(work, &mut entry, attempt, digest, now_ms).await?;
    }
    if attempt.state == AttemptState::Refused {
        refusal::take_back(work, &mut entry, attempt, &conclusion.alert, now_ms).await?;
    }
    match (to, attempt.batch, attempt.refund) {
        (AttemptState::Refused, Some(batch), _) => {
            refusal::refuse_batch(work, &mut entry, attempt, batch, conclusion, now_ms).await?;
        }
        (AttemptState::Refused, _, Some(refund)) => {
            super::refunds::refuse_refund(
                work,
                &mut entry,
                attempt,
                refund,
                &conclusion.alert,
                now_ms,
            )
            .await?;
        }
        (AttemptState::Accepted, _, Some(refund)) if conclusion.refund_done => {
            super::refunds::confirm_refund(work, &mut entry, attempt, refund, now_ms).await?;
        }
        (AttemptState::Stopped, ..) => {
            super::restore::stop(work, &attempt.bank, &conclusion.alert, now_ms).await?;
        }
        _ => {}
    }
    tell(work, attempt, to, conclusion, now_ms).await?;
    super::expect::after_conclusion(work, &mut entry, attempt, to, conclusion, now_ms).await?;
    super::breaker::after_conclusion(work, attempt, conclusion, now_ms).await?;
    super::reports::insert(work, &mut entry, &conclusion.reports, now_ms).await?;
    vouch_for(work, &mut entry, attempt.batch, attempt.no).await?;
    if let Some(refund) = attempt.refund {
        let this = params![refund];
        entry.vouched.as_kept(work, &vouch::REFUND, "refund_no = $1", this).await?;
    }
    super::quarantine::clear_settled(work, attempt, now_ms).await?;
    Ok(entry)
}

/// What is told of an attempt of unknown fate, until its fate is known.
pub(super) const UNKNOWN_FATE: [AlertKind; 3] =
    [AlertKind::Unknown, AlertKind::TooLate, AlertKind::CannotAsk];

/// The alerts that begin and end with what became of an attempt.
async fn tell(
    work: &mut Work,
    attempt: &Attempt,
    to: AttemptState,
    conclusion: &Conclusion,
    now_ms: i64,
) -> Result<(), StoreError> {
    let subject = attempt.no.to_string();
    let (register, batch) = (Some(attempt.register), attempt.batch);
    // It left: what kept it, or its bank's others, from leaving is over. In this transaction, since after a
    // crash behind it nobody would come by here again.
    if attempt.state == AttemptState::Sending && to != AttemptState::NotSent {
        super::alerts::clear(work, AlertKind::Submit, &subject, now_ms).await?;
        super::alerts::clear(work, AlertKind::NotSent, &attempt.bank, now_ms).await?;
    }
    if to == AttemptState::Unknown {
        let sql = "UPDATE attempt SET lost_at_ms = COALESCE(lost_at_ms, sent_at_ms) WHERE attempt_no = $1";
        work.move_one(sql, params![attempt.no]).await?;
        let text = if conclusion.alert.is_empty() {
            format!(
                "{} 批次 {} 发送途中系统中断，结果不明，须按我方流水号 {} 向银行查明；查明之前不会重发",
                attempt.bank,
                batch.map_or_else(String::new, |no| no.to_string()),
                attempt.reference
            )
        } else {
            conclusion.alert.clone()
        };
        let kind = AlertKind::Unknown;
        super::alerts::raise(work, kind, &subject, register, batch, 0, &text, now_ms).await?;
        return Ok(());
    }
    super::alerts::clear_each(work, &UNKNOWN_FATE, &subject, now_ms).await?;
    // A batch that was paid although it was refused stays contradicted until it is known what became of each
    // payment.
    if conclusion.event.is_decided() && (attempt.state != AttemptState::Refused || batch.is_none())
    {
        let kinds = [
            AlertKind::OtherContent,
            AlertKind::Vanished,
            AlertKind::Contradiction,
            AlertKind::RefundByHand,
        ];
        super::alerts::clear_each(work, &kinds, &subject, now_ms).await?;
    }
    if conclusion.event == AttemptEvent::DecidedNotReceived {
        // Nothing arrived until now, so the bank's window runs from here. It stays known that its fate was
        // unknown: people may be wrong, and the same bytes under the same reference alone are safe then.
        let sql = "UPDATE attempt SET lost_at_ms = $1 WHERE attempt_no = $2";
        work.move_one(sql, params![now_ms, attempt.no]).await?;
    }
    if to == AttemptState::Stopped {
        let (kind, text) = (AlertKind::OtherContent, &conclusion.alert);
        super::alerts::raise(work, kind, &subject, register, batch, 0, text, now_ms).await?;
    }
    Ok(())
}

const fn entry_kind(to: AttemptState) -> &'static str {
    match to {
        AttemptState::Intent => "attempt.intent",
        AttemptState::Sending => "attempt.sending",
        AttemptState::Accepted => "attempt.accepted",
        AttemptState::Refused => "attempt.refused",
        AttemptState::NotSent => "attempt.not_sent",
        AttemptState::Unknown => "attempt.unknown",
        AttemptState::Stopped => "attempt.stopped",
        AttemptState::Closed => "attempt.closed",
        AttemptState::ByHand => "attempt.by_hand",
    }
}

/// Moves an attempt by the table of `model::attempt`, guarded by the state it was read in.
pub(super) async fn step(
    work: &mut Work,
    attempt: &Attempt,
    event: AttemptEvent,
    now_ms: i64,
) -> Result<AttemptState, StoreError> {
    let Some(to) = attempt.state.after(event) else {
        return Err(StoreError::Refused(format!(
            "{} is {}: {event} must not happen to it",
            attempt.no, attempt.state
        )));
    };
    let sql =
        "UPDATE attempt SET state = $1, state_at_ms = $2 WHERE attempt_no = $3 AND state = $4";
    work.move_one(sql, params![to.as_str(), now_ms, attempt.no, attempt.state.as_str()]).await?;
    Ok(to)
}
