//! What waits for people to decide.

use crate::model::alert::AlertKind;
use crate::model::id::{PaymentId, RegisterNo};
use crate::store::attempts::{self, Attempt};
use crate::store::decide::{COLUMNS, Decision, decision};
use crate::store::quarantine::open_in_all;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError};

/// The most attempts that are looked through. Those of healthy banks, which have only not answered yet,
/// come last.
const ATTEMPTS_MAX: i64 = 10_000;

/// A payment that a bank says was credited and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub payment: PaymentId,
    pub since_ms: i64,
}

/// What waits for people to decide, at most as many of each as asked for, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// Attempts without a clear end: of unknown fate, stopped, carried out by hand, or accepted and not answered
    /// for. Of some of these a bank can still be asked.
    pub attempts: Vec<Attempt>,
    pub conflicts: Vec<Conflict>,
    /// Registers with money that was credited beyond what was approved.
    pub disputed: Vec<RegisterNo>,
    /// Proposals that wait for a second person.
    pub proposals: Vec<Decision>,
    /// Lines and answers that were put aside and are not settled.
    pub aside: i64,
}

impl Store {
    /// What waits for people to decide, at one snapshot.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn waiting_for_people(&self, limit: i64) -> Result<Waiting, StoreError> {
        let mut work = self.read().await?;
        let mut waiting = Waiting::default();
        let sql = format!(
            "SELECT {} FROM attempt a LEFT JOIN batch b ON b.batch_no = a.batch_no LEFT JOIN refund f ON f.refund_no = a.refund_no \
             WHERE a.state IN ('unknown', 'stopped', 'by_hand') OR (a.state = 'accepted' AND (b.pending > 0 OR f.state = 'open')) \
             ORDER BY CASE WHEN a.state = 'accepted' THEN 1 ELSE 0 END, a.attempt_no LIMIT $1",
            attempts::COLUMNS
        );
        work.0
            .rows(sql.into(), params![ATTEMPTS_MAX], &mut |row| {
                waiting.attempts.push(attempts::attempt(row)?);
                Ok(())
            })
            .await?;
        for (subject, since_ms) in standing(&mut work, AlertKind::Conflict, limit).await? {
            let payment = PaymentId::parse(&subject);
            waiting.conflicts.extend(payment.map(|payment| Conflict { payment, since_ms }));
        }
        let disputed = standing(&mut work, AlertKind::Disputed, limit).await?;
        waiting.disputed =
            disputed.iter().filter_map(|(subject, _)| RegisterNo::parse(subject)).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM decision WHERE state = 'proposed' ORDER BY decision_no LIMIT $1"
        );
        work.0
            .rows(sql.into(), params![limit], &mut |row| {
                waiting.proposals.push(decision(row)?);
                Ok(())
            })
            .await?;
        waiting.aside = open_in_all(&mut work).await?;
        work.commit().await?;
        Ok(waiting)
    }
}

/// What alerts of a kind stand about, and since when.
async fn standing(
    work: &mut Work,
    kind: AlertKind,
    limit: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT subject, raised_at_ms FROM alert WHERE kind = $1 AND cleared_at_ms IS NULL ORDER BY alert_no LIMIT $2";
    work.rows(sql, params![kind.as_str(), limit], |row| Ok((row.string(0)?, row.int(1)?))).await
}
