//! What two people decide where no bank can say it: proposed by one, confirmed by another, and carried
//! out in the transaction that confirms it (design 4, rules 2 and 4; I31, F65).
//!
//! A decision about payments is taken like a result of the bank, and one about an attempt concludes it
//! like an answer, so that no movement of money has a second road.

mod case;
mod waiting;

use crate::model::decision::{DecisionState, Subject, Verdict};
use crate::model::id::{AttemptNo, DecisionNo, RegisterNo};
use crate::model::reason::Reason;
use crate::store::attempts::{Conclusion, conclude_in};
use crate::store::journal::{Entry, bank_chain};
use crate::store::results::{Follow, TakenRow};
use crate::store::sql::{Row, Work, params};
use crate::store::{Store, StoreError, vouch};

pub use self::case::{Case, CasePayment, Stands};
pub use self::waiting::{Conflict, Waiting};

/// A decision to be proposed.
#[derive(Debug)]
pub struct NewDecision<'a> {
    pub subject: Subject,
    pub verdict: Verdict,
    /// Only of payments that failed.
    pub reason: Option<Reason>,
    /// As it was shown to whoever proposes.
    pub case: &'a Case,
    /// Sealed.
    pub evidence: Vec<u8>,
    pub by: &'a str,
}

/// A decision as it is kept.
#[derive(Debug, Clone)]
pub struct Decision {
    pub no: DecisionNo,
    pub subject: Subject,
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    /// How the thing stood when it was proposed.
    pub standing: String,
    pub register: Option<RegisterNo>,
    pub bank: String,
    /// Sealed.
    pub evidence: Vec<u8>,
    pub state: DecisionState,
    pub proposed_by: String,
    pub proposed_at_ms: i64,
    pub confirmed_by: Option<String>,
    pub confirmed_at_ms: Option<i64>,
    pub withdrawn_by: Option<String>,
}

/// How a decision is carried out; worked out by whoever knows banks and reports.
pub enum Effect<'a> {
    /// The attempt is concluded.
    Conclude(Conclusion),
    /// This is said of payments, and these reports follow.
    Say(Vec<TakenRow>, Follow<'a>),
    /// What was put aside is settled, and nothing moves.
    Dismiss,
}

const COLUMNS: &str = "decision_no, subject, verdict, reason, standing, register_no, bank, evidence, state, proposed_by, proposed_at_ms, \
     confirmed_by, confirmed_at_ms, withdrawn_by";

fn decision(row: &Row<'_>) -> Result<Decision, StoreError> {
    Ok(Decision {
        no: DecisionNo(row.int(0)?),
        subject: row.word(1, Subject::parse)?,
        verdict: row.word(2, Verdict::parse)?,
        reason: row.text_opt(3)?.and_then(Reason::parse),
        standing: row.string(4)?,
        register: row.int_opt(5)?.map(RegisterNo),
        bank: row.string(6)?,
        evidence: row.blob(7)?.to_vec(),
        state: row.word(8, DecisionState::parse)?,
        proposed_by: row.string(9)?,
        proposed_at_ms: row.int(10)?,
        confirmed_by: row.text_opt(11)?.map(str::to_owned),
        confirmed_at_ms: row.int_opt(12)?,
        withdrawn_by: row.text_opt(13)?.map(str::to_owned),
    })
}

impl Store {
    /// What a decision would be about, as it stands now; nothing where there is no such thing.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn case(&self, subject: Subject) -> Result<Option<Case>, StoreError> {
        let mut work = self.read().await?;
        let case = case::read(&mut work, subject).await?;
        work.commit().await?;
        Ok(case)
    }

    /// A decision by its number.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn decision(&self, no: DecisionNo) -> Result<Option<Decision>, StoreError> {
        let mut work = self.read().await?;
        let found = find(&mut work, no).await?;
        work.commit().await?;
        Ok(found)
    }

    /// Keeps a proposal. Nothing else changes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] in plain words where the thing has moved on since it was shown, or has a
    /// proposal already.
    pub async fn propose(
        &self,
        new: NewDecision<'_>,
        now_ms: i64,
    ) -> Result<DecisionNo, StoreError> {
        let subject = new.subject.to_string();
        let mut work = self.write().await?;
        let case = case::read(&mut work, new.subject).await?;
        if case.is_none_or(|case| case.standing != new.case.standing) {
            return Err(StoreError::Refused(format!(
                "{subject} has moved on meanwhile; look again"
            )));
        }
        let (register, bank) = (new.case.register, new.case.bank.as_str());
        let sql = "INSERT INTO decision (subject, verdict, reason, standing, register_no, bank, evidence, state, proposed_by, proposed_at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9) ON CONFLICT (subject) WHERE state = 'proposed' DO NOTHING RETURNING decision_no";
        let row = params![
            &subject,
            new.verdict.as_str(),
            new.reason.map(Reason::as_str),
            &new.case.standing,
            register.map(|no| no.0),
            bank,
            new.evidence,
            new.by,
            now_ms
        ];
        let Some(no) = work.one(sql, row, |row| Ok(DecisionNo(row.int(0)?))).await? else {
            let sql = "SELECT decision_no FROM decision WHERE subject = $1 AND state = 'proposed'";
            let open = work.the(sql, params![&subject], |row| Ok(DecisionNo(row.int(0)?))).await?;
            return Err(StoreError::Refused(format!(
                "{open} proposes something about {subject} already: confirm it, or withdraw it first"
            )));
        };
        let mut entry = Entry::new("decision.proposed", now_ms);
        entry.fact("decision", no.0).fact("subject", subject.as_str());
        entry.fact("verdict", new.verdict.as_str()).fact("by", new.by);
        let this = params![no];
        entry.vouched.as_kept(&mut work, &vouch::DECISION, "decision_no = $1", this).await?;
        write(entry, &mut work, register, bank).await?;
        self.done(work).await?;
        Ok(no)
    }

    /// Confirms a proposal and carries it out, in one transaction. The database refuses that the two
    /// people be one; what is decided about must stand as it did when it was proposed.
    ///
    /// # Errors
    /// [`StoreError::Refused`] in plain words where it is not to be confirmed by `by`, or not any more.
    pub async fn confirm(
        &self,
        no: DecisionNo,
        by: &str,
        effect: Effect<'_>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let proposal = proposed(&mut work, no).await?;
        // As it stands without this decision, which would settle what was put aside.
        let case = case::read(&mut work, proposal.subject).await?;
        let sql = "UPDATE decision SET state = 'confirmed', confirmed_by = $1, confirmed_at_ms = $2 WHERE decision_no = $3 AND state = 'proposed'";
        let confirmed = work.move_one(sql, params![by, now_ms, no]).await;
        confirmed.map_err(|cause| two_people(cause, no, by))?;
        let Some(case) = case.filter(|case| case.standing == proposal.standing) else {
            return Err(StoreError::Refused(format!(
                "{} is not as it was when {no} was proposed: nothing is done. Withdraw {no}, look again, and propose \
                 anew what is still to be decided",
                proposal.subject
            )));
        };
        let mut entry = self.carry_out(&mut work, &proposal, &case, effect, now_ms).await?;
        entry.fact("decision", no.0).fact("subject", proposal.subject.to_string());
        entry.fact("verdict", proposal.verdict.as_str());
        entry.fact("proposed_by", proposal.proposed_by.as_str()).fact("confirmed_by", by);
        let this = params![no];
        entry.vouched.as_kept(&mut work, &vouch::DECISION, "decision_no = $1", this).await?;
        match case.register {
            Some(register) => entry.write_for(&mut work, register).await?,
            None => entry.write(&mut work, &bank_chain(&case.bank)).await?,
        }
        self.done(work).await
    }

    /// Does what was decided. The entry that tells of it is still to be written.
    async fn carry_out(
        &self,
        work: &mut Work,
        proposal: &Decision,
        case: &Case,
        effect: Effect<'_>,
        now_ms: i64,
    ) -> Result<Entry, StoreError> {
        let entry = match (effect, &case.attempt) {
            (Effect::Conclude(conclusion), Some(attempt)) => {
                conclude_in(work, attempt, &conclusion, now_ms).await?
            }
            (Effect::Say(rows, follow), Some(attempt)) => {
                let mut entry = Entry::new("result.applied", now_ms);
                self.take_decided(work, &mut entry, attempt, proposal.no, rows, follow, now_ms)
                    .await?;
                super::quarantine::clear_settled(work, attempt, now_ms).await?;
                case::clear_settled(work, attempt, now_ms).await?;
                entry
            }
            (Effect::Dismiss, _) => Entry::new("decision.confirmed", now_ms),
            (Effect::Conclude(_) | Effect::Say(..), None) => {
                let what = format!("{} is about no attempt", proposal.no);
                return Err(StoreError::Inconsistent { what });
            }
        };
        if let Subject::Result(result) | Subject::Row(result, _) = proposal.subject {
            super::quarantine::clear_result(work, result, now_ms).await?;
            let sql = "SELECT attempt_no FROM result WHERE result_no = $1";
            if let Some(no) = work.the(sql, params![result], |row| row.int_opt(0)).await? {
                super::quarantine::end_contradiction(work, AttemptNo(no), now_ms).await?;
            }
        }
        Ok(entry)
    }

    /// Did two people decide about an attempt at this time?
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn was_decided_at(&self, no: AttemptNo, at_ms: i64) -> Result<bool, StoreError> {
        let sql = "SELECT COUNT(*) FROM decision WHERE subject = $1 AND state = 'confirmed' AND confirmed_at_ms = $2";
        let row = params![Subject::Attempt(no).to_string(), at_ms];
        Ok(self.look().the(sql, row, |row| row.int(0)).await? > 0)
    }

    /// Takes a proposal back before it is confirmed; whoever made it or another.
    ///
    /// # Errors
    /// [`StoreError::Refused`] in plain words where it is not open any more.
    pub async fn take_back(&self, no: DecisionNo, by: &str, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let proposal = proposed(&mut work, no).await?;
        let sql = "UPDATE decision SET state = 'withdrawn', withdrawn_by = $1 WHERE decision_no = $2 AND state = 'proposed'";
        work.move_one(sql, params![by, no]).await?;
        let mut entry = Entry::new("decision.withdrawn", now_ms);
        entry.fact("decision", no.0).fact("by", by);
        let this = params![no];
        entry.vouched.as_kept(&mut work, &vouch::DECISION, "decision_no = $1", this).await?;
        write(entry, &mut work, proposal.register, &proposal.bank).await?;
        self.done(work).await
    }
}

/// Writes the entry of a transaction that changed a decision alone: into the register's chain, or the
/// bank's where nobody knows the register.
async fn write(
    entry: Entry,
    work: &mut Work,
    register: Option<RegisterNo>,
    bank: &str,
) -> Result<(), StoreError> {
    match register {
        Some(register) => entry.write_beside(work, register).await,
        None => entry.write(work, &bank_chain(bank)).await,
    }
}

async fn find(work: &mut Work, no: DecisionNo) -> Result<Option<Decision>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM decision WHERE decision_no = $1");
    let mut found = None;
    work.0
        .rows(sql.into(), params![no], &mut |row| {
            found = Some(decision(row)?);
            Ok(())
        })
        .await?;
    Ok(found)
}

/// A decision that waits to be confirmed.
async fn proposed(work: &mut Work, no: DecisionNo) -> Result<Decision, StoreError> {
    let refused = |words: String| Err(StoreError::Refused(words));
    let Some(found) = find(work, no).await? else {
        return refused(format!("there is no decision {no}"));
    };
    let (confirmed, withdrawn) = (found.confirmed_by.as_deref(), found.withdrawn_by.as_deref());
    match found.state {
        DecisionState::Proposed => Ok(found),
        DecisionState::Confirmed => refused(format!(
            "{no} was confirmed by {} and carried out before",
            confirmed.unwrap_or_default()
        )),
        DecisionState::Withdrawn => {
            refused(format!("{no} was withdrawn by {}", withdrawn.unwrap_or_default()))
        }
    }
}

/// The database refuses that one person decides alone; said in plain words.
fn two_people(cause: StoreError, no: DecisionNo, by: &str) -> StoreError {
    match cause {
        StoreError::Query { cause, .. } if cause.contains("decision_two_people") => {
            StoreError::Refused(format!(
                "{by} proposed {no} and cannot confirm it: another operator has to look at it"
            ))
        }
        other => other,
    }
}
