//! How the time of day stood to the machine's running time when both were last believed (I16).

use crate::clock::Clock;
use crate::model::alert::AlertKind;
use crate::model::id::RegisterNo;
use crate::store::journal::{DAEMON_CHAIN, Entry};
use crate::store::sql::{Work, params};
use crate::store::vouch;
use crate::store::{Store, StoreError};

/// The setting that keeps it.
const NAME: &str = "clock";

/// How the time of day stands to the machine's running time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The machine's start that its running time counts from.
    pub boot: String,
    /// Time of day less running time: it changes only where somebody sets the clock.
    pub offset_ms: i64,
    /// The last time of day that was seen and believed.
    pub seen_at_ms: i64,
}

impl Anchor {
    /// How they stand to each other now.
    pub fn of(clock: &dyn Clock) -> Self {
        let now = clock.now_ms();
        let offset_ms = now - clock.running_ms();
        Self { boot: clock.boot(), offset_ms, seen_at_ms: now }
    }

    /// By how much the time of day was set since `earlier`, as far as that can be known.
    pub fn set_since(&self, earlier: &Self) -> i64 {
        if self.boot == earlier.boot {
            self.offset_ms - earlier.offset_ms
        } else {
            (self.seen_at_ms - earlier.seen_at_ms).min(0)
        }
    }
}

impl Store {
    /// The anchor that was kept, if any was.
    ///
    /// # Errors
    /// Where the database cannot be read, or holds something else.
    pub async fn clock_anchor(&self) -> Result<Option<Anchor>, StoreError> {
        let Some(text) = self.meta(NAME).await? else { return Ok(None) };
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (boot, offset, seen) = (word(), word(), word());
        match (offset.parse(), seen.parse()) {
            (Ok(offset_ms), Ok(seen_at_ms)) => Ok(Some(Anchor { boot, offset_ms, seen_at_ms })),
            _ => Err(StoreError::Inconsistent { what: format!("meta {NAME} is {text:?}") }),
        }
    }

    /// Keeps an anchor.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn see_clock(&self, anchor: &Anchor) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        keep(&mut work, anchor).await?;
        // Nothing changed that a step could act upon.
        work.commit().await
    }

    /// A person says that the time of day is right now: it is believed from here on.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn accept_clock(&self, anchor: &Anchor, by: &str) -> Result<(), StoreError> {
        let now_ms = anchor.seen_at_ms;
        let kept = self.clock_anchor().await?;
        let mut work = self.write().await?;
        keep(&mut work, anchor).await?;
        // By a clock that was set back, less seems to have passed since something was lost, and a
        // bank's duplicate window seems to be open longer than it is.
        let back = kept.map_or(0, |kept| anchor.set_since(&kept)).min(0);
        if back != 0 {
            move_losses(&mut work, back, now_ms).await?;
        }
        super::alerts::clear(&mut work, AlertKind::ClockStep, "clock", now_ms).await?;
        let mut entry = Entry::new("clock.accepted", now_ms);
        entry.fact("by", by).fact("offset_ms", anchor.offset_ms);
        entry.write(&mut work, DAEMON_CHAIN).await?;
        due_now(&mut work, now_ms).await?;
        self.done(work).await
    }

    /// The clock is back where it was: says whether an alert about it stood.
    ///
    /// # Errors
    /// Where the database cannot be read or written.
    pub async fn end_clock_step(&self, now_ms: i64) -> Result<bool, StoreError> {
        if !self.clock_step_stands().await? {
            return Ok(false);
        }
        self.clear_alert(AlertKind::ClockStep, "clock", now_ms).await?;
        self.look_again(now_ms).await?;
        Ok(true)
    }

    /// Did the clock step, and nobody has answered for it yet?
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn clock_step_stands(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM alert WHERE kind = $1 AND cleared_at_ms IS NULL";
        let kind = AlertKind::ClockStep.as_str();
        let stands = self.look().one(sql, params![kind], |_| Ok(())).await?.is_some();
        Ok(stands)
    }

    /// After the clock was set: what waits for a time that now lies too far ahead is looked at
    /// again at once. Asking early does no harm.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub async fn look_again(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut work = self.write().await?;
        due_now(&mut work, now_ms).await?;
        self.done(work).await
    }
}

async fn keep(work: &mut Work, anchor: &Anchor) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let value = format!("{} {} {}", anchor.boot, anchor.offset_ms, anchor.seen_at_ms);
    work.run(sql, params![NAME, value]).await?;
    Ok(())
}

/// Moves the times at which attempts were lost, each in the chain of its register.
async fn move_losses(work: &mut Work, by_ms: i64, now_ms: i64) -> Result<(), StoreError> {
    let sql = "SELECT DISTINCT register_no FROM attempt WHERE lost_at_ms IS NOT NULL AND state IN ('unknown', 'not_sent') ORDER BY register_no";
    for register in work.rows(sql, params![], |row| Ok(RegisterNo(row.int(0)?))).await? {
        let mut entry = Entry::new("attempt.lost_moved", now_ms);
        let sql = "UPDATE attempt SET lost_at_ms = lost_at_ms + $1 WHERE register_no = $2 AND lost_at_ms IS NOT NULL AND state IN ('unknown', 'not_sent')";
        let row = params![by_ms, register];
        entry.vouched.returned(work, &vouch::ATTEMPT, sql, row).await?;
        entry.fact("by_ms", by_ms);
        entry.write_beside(work, register).await?;
    }
    Ok(())
}

async fn due_now(work: &mut Work, now_ms: i64) -> Result<(), StoreError> {
    let sql = "UPDATE attempt SET next_at_ms = $1 WHERE next_at_ms > $2";
    work.run(sql, params![now_ms, now_ms]).await?;
    let sql = "UPDATE unread SET next_at_ms = $1 WHERE next_at_ms > $2";
    work.run(sql, params![now_ms, now_ms]).await?;
    let sql = "UPDATE report SET next_at_ms = $1 WHERE state = 'due' AND next_at_ms > $2";
    work.run(sql, params![now_ms, now_ms]).await?;
    Ok(())
}
