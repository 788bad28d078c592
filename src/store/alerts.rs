//! What somebody must look at: raised once per subject and level, cleared when it is over.

use crate::model::alert::AlertKind;
use crate::model::id::{BatchNo, RegisterNo};
use crate::store::journal::{ALERTS_CHAIN, Entry};
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// Alerts about a trouble that lasts, whose cause may become another one. What others say stays as it was said first.
const RENEWED: [AlertKind; 4] =
    [AlertKind::Door, AlertKind::NotSent, AlertKind::Finance, AlertKind::Collect];
/// For so long a text stands at least.
const RENEWED_EVERY_MS: i64 = 60_000;

/// Raises an alert inside a transaction; the same subject and level again changes nothing, unless
/// it was cleared. Says whether it is new. `text` is plain Chinese without personal data.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub(super) async fn raise(
    work: &mut Work,
    kind: AlertKind,
    subject: &str,
    register: Option<RegisterNo>,
    batch: Option<BatchNo>,
    level: i64,
    text: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO alert (kind, subject, register_no, batch_no, level, text, raised_at_ms, text_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
               ON CONFLICT (kind, subject, level) DO UPDATE SET cleared_at_ms = NULL, raised_at_ms = excluded.raised_at_ms, text_at_ms = excluded.text_at_ms, \
               register_no = excluded.register_no, batch_no = excluded.batch_no, text = excluded.text WHERE alert.cleared_at_ms IS NOT NULL";
    let row = params![
        kind.as_str(),
        subject,
        register.map(|no| no.0),
        batch.map(|no| no.0),
        level,
        text,
        now_ms
    ];
    let mut entry = Entry::new("alert.raised", now_ms);
    if entry.vouched.returned(work, &vouch::ALERT, sql, row).await? == 0 {
        return Ok(false);
    }
    entry.fact("alert", kind.as_str()).fact("subject", subject);
    entry.fact("level", level).fact("text", text);
    entry.write(work, ALERTS_CHAIN).await?;
    Ok(true)
}

/// Gives an alert that stands the text of now, where it is another one: what keeps it standing may have changed. Not
/// more often than [`RENEWED_EVERY_MS`], or texts that come by turns would fill the journal.
async fn renew(
    work: &mut Work,
    kind: AlertKind,
    subject: &str,
    text: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    if !RENEWED.contains(&kind) {
        return Ok(false);
    }
    let sql = "UPDATE alert SET text = $1, text_at_ms = $2 WHERE kind = $3 AND subject = $4 AND level = 0 \
               AND cleared_at_ms IS NULL AND text <> $1 AND (text_at_ms <= $5 OR text_at_ms > $2)";
    let row = params![text, now_ms, kind.as_str(), subject, now_ms - RENEWED_EVERY_MS];
    let mut entry = Entry::new("alert.renewed", now_ms);
    if entry.vouched.returned(work, &vouch::ALERT, sql, row).await? == 0 {
        return Ok(false);
    }
    entry.fact("alert", kind.as_str()).fact("subject", subject).fact("text", text);
    entry.write(work, ALERTS_CHAIN).await?;
    Ok(true)
}

/// Clears every level of a subject inside a transaction.
pub(super) async fn clear(
    work: &mut Work,
    kind: AlertKind,
    subject: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE alert SET cleared_at_ms = $1 WHERE kind = $2 AND subject = $3 AND cleared_at_ms IS NULL";
    let row = params![now_ms, kind.as_str(), subject];
    let mut entry = Entry::new("alert.cleared", now_ms);
    if entry.vouched.returned(work, &vouch::ALERT, sql, row).await? == 0 {
        return Ok(());
    }
    entry.fact("alert", kind.as_str()).fact("subject", subject);
    entry.write(work, ALERTS_CHAIN).await
}

/// Clears alerts of several kinds about one subject inside a transaction. Nearly always none of them stands,
/// and then one look says so.
pub(super) async fn clear_each(
    work: &mut Work,
    kinds: &[AlertKind],
    subject: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT kind FROM alert WHERE subject = $1 AND cleared_at_ms IS NULL";
    let standing = work.rows(sql, params![subject], |row| row.string(0)).await?;
    for kind in kinds.iter().filter(|kind| standing.iter().any(|known| known == kind.as_str())) {
        clear(work, *kind, subject, now_ms).await?;
    }
    Ok(())
}

/// A register or batch whose clock runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub register: RegisterNo,
    pub start_at_ms: i64,
    pub deadline_at_ms: i64,
    /// The highest level raised so far.
    pub alert_level: i64,
    /// Money that has not come to an end: unsent or in flight.
    pub open_fen: i64,
    pub id: String,
    pub programme_name: String,
}

impl Store {
    /// Raises an alert that belongs to no other transaction; says whether it is new. One that stands gets this text
    /// where its own is another, and not of this minute.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn raise_alert(
        &self,
        kind: AlertKind,
        subject: &str,
        register: Option<RegisterNo>,
        text: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut work = self.write().await?;
        if !raise(&mut work, kind, subject, register, None, 0, text, now_ms).await? {
            // It stands already: nobody is woken.
            if renew(&mut work, kind, subject, text, now_ms).await? {
                work.commit().await?;
            }
            return Ok(false);
        }
        self.done(work).await?;
        Ok(true)
    }

    /// What alerts of a kind stand about.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn standing_alerts(&self, kind: AlertKind) -> Result<Vec<String>, StoreError> {
        let sql =
            "SELECT subject FROM alert WHERE kind = $1 AND cleared_at_ms IS NULL ORDER BY alert_no";
        self.look().rows(sql, params![kind.as_str()], |row| row.string(0)).await
    }

    /// Clears an alert, where it is raised.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn clear_alert(
        &self,
        kind: AlertKind,
        subject: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let sql = "SELECT 1 FROM alert WHERE kind = $1 AND subject = $2 AND cleared_at_ms IS NULL";
        let raised =
            self.look().one(sql, params![kind.as_str(), subject], |_| Ok(())).await?.is_some();
        if !raised {
            return Ok(());
        }
        let mut work = self.write().await?;
        clear(&mut work, kind, subject, now_ms).await?;
        self.done(work).await
    }

    /// Registers whose clock runs and whose money has not come to an end, and registers with an
    /// alert standing although it has.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn running(&self) -> Result<Vec<Running>, StoreError> {
        let sql = "SELECT r.register_no, r.start_at_ms, r.deadline_at_ms, r.alert_level, \
                   COALESCE(CAST(SUM(s.unsent_fen + s.in_flight_fen) AS BIGINT), 0), r.id, r.programme_name \
                   FROM register r JOIN share s ON s.register_no = r.register_no \
                   WHERE r.state IN ('accepted', 'superseded', 'revoked') AND r.start_at_ms IS NOT NULL AND r.deadline_at_ms IS NOT NULL \
                   GROUP BY r.register_no, r.start_at_ms, r.deadline_at_ms, r.alert_level, r.id, r.programme_name";
        self.look()
            .rows(sql, params![], |row| {
                Ok(Running {
                    register: RegisterNo(row.int(0)?),
                    start_at_ms: row.int(1)?,
                    deadline_at_ms: row.int(2)?,
                    alert_level: row.int(3)?,
                    open_fen: row.int(4)?,
                    id: row.string(5)?,
                    programme_name: row.string(6)?,
                })
            })
            .await
    }

    /// Raises the deadline alert of a register to `level` (50, 80, 95, 100, and one more for each day behind it).
    ///
    /// # Errors
    /// [`StoreError::Moved`] where it stands at another level than was read.
    pub async fn raise_deadline(
        &self,
        running: &Running,
        level: i64,
        text: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        let sql =
            "UPDATE register SET alert_level = $1 WHERE register_no = $2 AND alert_level = $3";
        work.move_one(sql, params![level, running.register, running.alert_level]).await?;
        let mut entry = Entry::new("deadline.alert", now_ms);
        let sql = "UPDATE batch SET alert_level = $1 WHERE register_no = $2 AND state = 'open'";
        let open = params![level, running.register];
        entry.vouched.returned(&mut work, &vouch::BATCH, sql, open).await?;
        let subject = running.register.to_string();
        clear(&mut work, AlertKind::Deadline, &subject, now_ms).await?;
        raise(
            &mut work,
            AlertKind::Deadline,
            &subject,
            Some(running.register),
            None,
            level,
            text,
            now_ms,
        )
        .await?;
        entry
            .fact("level", level)
            .fact("deadline_at_ms", running.deadline_at_ms)
            .fact("open_fen", running.open_fen);
        entry.write_for(&mut work, running.register).await?;
        self.done(work).await
    }
}
