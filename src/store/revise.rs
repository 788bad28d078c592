//! Revisions of one register: the highest has what is unsent, whenever it came (I25, F61).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::alert::AlertKind;
use crate::model::hold::{HoldEvent, HoldReason};
use crate::model::id::{AttemptNo, BatchNo, PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::store::StoreError;
use crate::store::attempts::{Attempt, read_attempts};
use crate::store::holds::UNSENT;
use crate::store::journal::{Cause, Entry, Move, count};
use crate::store::results::MEMBER;
use crate::store::sql::{Row, Work, params};

/// The condition under which payment `p` is one of this batch.
fn is_member(batch: BatchNo) -> String {
    format!(
        "EXISTS (SELECT 1 FROM batch b WHERE b.batch_no = {} AND p.bank = b.bank AND p.register_no = b.register_no AND {MEMBER})",
        batch.0
    )
}

/// The same, but for what failed there or came back: whoever has that now may pay it.
fn is_open_in(batch: BatchNo) -> String {
    format!(
        "{} AND NOT EXISTS (SELECT 1 FROM leftover l WHERE l.register_no = p.register_no AND l.line = p.line \
         AND l.cause <> 'dropped' AND l.state <> 'withdrawn')",
        is_member(batch)
    )
}

/// The condition under which payment `p` was sent, and did not come back.
fn is_sent() -> String {
    format!(
        "NOT ({UNSENT}) AND NOT EXISTS (SELECT 1 FROM leftover l WHERE l.register_no = p.register_no \
         AND l.line = p.line AND l.state <> 'withdrawn')"
    )
}

/// Takes what is unsent out of earlier revisions of the same register: the new one has it. What
/// was sent stays theirs, and so does every line that was read.
pub(super) async fn supersede_earlier(
    work: &mut Work,
    source: &str,
    id: &str,
    revision: i64,
    by: RegisterNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT register_no FROM register WHERE source = $1 AND id = $2 AND revision < $3 AND state = 'accepted'";
    let earlier =
        work.rows(sql, params![source, id, revision], |row| Ok(RegisterNo(row.int(0)?))).await?;
    for register in earlier {
        supersede(work, register, by, now_ms).await?;
    }
    Ok(())
}

/// A revision that comes after a higher one was superseded before it came: its lines are kept, and
/// nothing of it is paid.
pub(super) async fn supersede_late(
    work: &mut Work,
    source: &str,
    id: &str,
    revision: i64,
    register: RegisterNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT register_no FROM register WHERE source = $1 AND id = $2 AND revision > $3 \
               AND state IN ('accepted', 'closed', 'superseded', 'revoked') ORDER BY revision DESC LIMIT 1";
    let higher =
        work.one(sql, params![source, id, revision], |row| Ok(RegisterNo(row.int(0)?))).await?;
    match higher {
        Some(higher) => supersede(work, register, higher, now_ms).await,
        None => Ok(()),
    }
}

/// Takes what is unsent out of a register: another revision has it.
async fn supersede(
    work: &mut Work,
    register: RegisterNo,
    by: RegisterNo,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut entry = Entry::new("register.superseded", now_ms);
    entry.fact("register", register.0).fact("by", by.0);
    let sql = "UPDATE register SET state = 'superseded', state_at_ms = $1 WHERE register_no = $2 AND state = 'accepted'";
    work.move_one(sql, params![now_ms, register]).await?;
    let sql = "SELECT bank, unsent_fen, uncut + held + waiting, uncut, held, waiting FROM share WHERE register_no = $1";
    let shares = work
        .rows(sql, params![register], |row| {
            Ok((
                row.string(0)?,
                Fen::new(row.int(1)?),
                row.int(2)?,
                row.int(3)?,
                row.int(4)?,
                row.int(5)?,
            ))
        })
        .await?;
    for (bank, unsent, payments, uncut, held, waiting) in shares {
        let cause = Cause::default();
        let out = Move {
            register,
            bank: &bank,
            from: Place::Unsent,
            to: Place::Finance,
            payments,
            amount: unsent,
            cause,
        };
        entry.post(work, out).await?;
        count(work, register, &bank, &[("uncut", -uncut), ("held", -held), ("waiting", -waiting)])
            .await?;
    }
    work.run("DELETE FROM waiting WHERE register_no = $1", params![register]).await?;
    entry.write_for(work, register).await
}

/// See [`Store::sent_earlier`].
pub(super) async fn sent_earlier(
    work: &mut Work,
    register: RegisterNo,
    key_id: u8,
) -> Result<BTreeSet<i64>, StoreError> {
    let sql = "SELECT e.register_no FROM register n JOIN register e ON e.source = n.source AND e.id = n.id \
               AND e.revision < n.revision AND e.state IN ('accepted', 'closed', 'superseded', 'revoked') \
               WHERE n.register_no = $1 ORDER BY e.register_no";
    let earlier = work.rows(sql, params![register], |row| Ok(RegisterNo(row.int(0)?))).await?;
    let mut lines = BTreeSet::new();
    for old in earlier {
        lines.extend(those_of(work, register, old, key_id, &is_sent()).await?);
    }
    Ok(lines)
}

/// Lines of a register that bear the number, or are about the person, of a payment `p` of an earlier revision
/// that a condition is about.
async fn those_of(
    work: &mut Work,
    register: RegisterNo,
    old: RegisterNo,
    key_id: u8,
    condition: &str,
) -> Result<BTreeSet<i64>, StoreError> {
    let sql = "SELECT e.programme_code, e.period, n.programme_code, n.period FROM register n \
               JOIN register e ON e.register_no = $2 WHERE n.register_no = $1";
    let named =
        |row: &Row<'_>| Ok([row.string(0)?, row.string(1)?, row.string(2)?, row.string(3)?]);
    let [old_programme, old_period, programme, period] =
        work.the(sql, params![register, old], named).await?;
    let by_line = format!(
        "SELECT n.line FROM payment n JOIN payment p ON p.register_no = $1 AND p.line = n.line WHERE n.register_no = $2 AND {condition}"
    );
    let by_person = format!(
        "SELECT k.line FROM person_key x JOIN person_key k ON k.kind = x.kind AND k.key_id = x.key_id AND k.programme = $1 \
         AND k.period = $2 AND k.blind = x.blind AND k.register_no = $3 \
         JOIN payment p ON p.register_no = x.register_no AND p.line = x.line \
         WHERE x.kind = 'document' AND x.key_id = $4 AND x.programme = $5 AND x.period = $6 AND x.register_no = $7 AND {condition}"
    );
    let persons =
        params![programme, period, register, i64::from(key_id), old_programme, old_period, old];
    let mut lines = BTreeSet::new();
    // In one register a person may stand in several lines: they are other payments.
    let by_person = (old != register).then_some((by_person, persons));
    for (sql, params) in [Some((by_line, params![old, register])), by_person].into_iter().flatten()
    {
        work.0
            .rows(sql.into(), params, &mut |row| {
                lines.insert(row.int(0)?);
                Ok(())
            })
            .await?;
    }
    Ok(lines)
}

/// Did a later revision send a line of a batch that was refused?
pub(super) async fn went_on(work: &mut Work, batch: BatchNo) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) FROM batch o JOIN register e ON e.register_no = o.register_no \
         JOIN register n ON n.source = e.source AND n.id = e.id AND n.revision > e.revision AND n.state <> 'refused' \
         JOIN payment p ON p.register_no = n.register_no AND {} \
         AND p.line IN (SELECT p.line FROM payment p JOIN batch b ON b.batch_no = $1 AND p.register_no = b.register_no \
         AND p.bank = b.bank WHERE {MEMBER}) WHERE o.batch_no = $1",
        is_sent()
    );
    let mut lines = 0;
    let mut read = |row: &Row<'_>| {
        lines = row.int(0)?;
        Ok(())
    };
    work.0.rows(sql.into(), params![batch], &mut read).await?;
    Ok(lines > 0)
}

/// See [`Store::taken_over`].
pub(super) async fn taken_over(
    work: &mut Work,
    batch: BatchNo,
    key_id: u8,
) -> Result<Vec<(RegisterNo, BTreeSet<i64>)>, StoreError> {
    let sql = "SELECT e.register_no, n.register_no FROM batch b JOIN register e ON e.register_no = b.register_no \
               JOIN register n ON n.source = e.source AND n.id = e.id AND n.revision >= e.revision \
               AND n.state IN ('accepted', 'superseded', 'revoked') WHERE b.batch_no = $1 ORDER BY n.register_no";
    let later = work
        .rows(sql, params![batch], |row| Ok((RegisterNo(row.int(0)?), RegisterNo(row.int(1)?))))
        .await?;
    let mut taken = Vec::new();
    for (old, register) in later {
        taken.push((register, those_of(work, register, old, key_id, &is_open_in(batch)).await?));
    }
    Ok(taken)
}

/// See [`Store::unsent_among`].
pub(super) async fn unsent_among(
    work: &mut Work,
    register: RegisterNo,
    lines: &BTreeSet<i64>,
) -> Result<Vec<Unsent>, StoreError> {
    let in_range = "SELECT p.line, p.bank, p.town, s.cut_line FROM payment p \
                    JOIN share s ON s.register_no = p.register_no AND s.bank = p.bank AND p.line > s.cut_line \
                    JOIN register r ON r.register_no = p.register_no AND r.state = 'accepted' \
                    WHERE p.register_no = $1 AND p.line BETWEEN $2 AND $3 \
                    AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.register_no = p.register_no AND h.line = p.line)";
    let listed = "SELECT p.line, p.bank, p.town, s.cut_line FROM waiting w \
                  JOIN payment p ON p.register_no = w.register_no AND p.line = w.line \
                  JOIN share s ON s.register_no = p.register_no AND s.bank = p.bank \
                  WHERE w.register_no = $1 AND w.line BETWEEN $2 AND $3";
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(Vec::new()) };
    let mut unsent = Vec::new();
    for (sql, listed) in [(in_range, false), (listed, true)] {
        let read = |row: &Row<'_>| {
            Ok(Unsent {
                line: row.int(0)?,
                bank: row.string(1)?,
                town: row.int(2)?,
                cut_line: row.int(3)?,
                listed,
            })
        };
        unsent.extend(work.rows(sql, params![register, *first, *last], read).await?);
    }
    unsent.retain(|one| lines.contains(&one.line));
    Ok(unsent)
}

/// A payment that no batch has yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    pub line: i64,
    pub bank: String,
    pub town: i64,
    /// Where its share's range stood.
    pub cut_line: i64,
    /// Does it wait for a listed batch, or is it in the range that is not cut yet?
    pub listed: bool,
}

/// See [`Store::doubted`].
pub(super) async fn doubted(
    work: &mut Work,
    attempt: &Attempt,
    key_id: u8,
    known: &Shared,
) -> Result<Option<Attempt>, StoreError> {
    let Some(batch) = attempt.batch else { return Ok(None) };
    let sql = "SELECT c.subject, c.cleared_at_ms FROM register n \
               JOIN register e ON e.source = n.source AND e.id = n.id AND e.revision <= n.revision \
               JOIN alert c ON c.register_no = e.register_no AND c.kind = $2 WHERE n.register_no = $1 ORDER BY c.subject";
    let kind = AlertKind::Contradiction.as_str();
    let told = work
        .rows(sql, params![attempt.register, kind], |row| {
            Ok((row.string(0)?, row.int_opt(1)?.is_none()))
        })
        .await?;
    let mut mine = BTreeSet::new();
    for (subject, stands) in told {
        let Some(no) = AttemptNo::parse(&subject).filter(|no| *no != attempt.no) else { continue };
        let rest = "WHERE a.attempt_no = $1";
        let Some(other) = read_attempts(work, rest, params![no]).await?.pop() else { continue };
        let Some(its) = other.batch.filter(|its| *its != batch) else { continue };
        let sql = "SELECT COUNT(*) FROM batch WHERE batch_no = $1 AND state IN ('open', 'settled')";
        let is_live = work.the(sql, params![its], |row| Ok(row.int(0)? > 0)).await?;
        if !stands && !is_live {
            continue;
        }
        if mine.is_empty() {
            mine = members(work, batch).await?;
        }
        let shared = if other.register == attempt.register {
            Arc::new(members(work, its).await?)
        } else {
            shared_with(work, known, attempt.register, (other.register, its), key_id).await?
        };
        let shared: BTreeSet<i64> = shared.intersection(&mine).copied().collect();
        if shared.is_empty() {
            continue;
        }
        let condition =
            if stands { is_open_in(its) } else { format!("{} AND {}", is_member(its), is_sent()) };
        let there = those_of(work, attempt.register, other.register, key_id, &condition).await?;
        for line in there.intersection(&shared) {
            // What was settled since, a person may have released.
            if stands || !is_released(work, attempt.register, *line).await? {
                return Ok(Some(other));
            }
        }
    }
    Ok(None)
}

/// Did a person release it although it was sent under an earlier revision?
async fn is_released(work: &mut Work, register: RegisterNo, line: i64) -> Result<bool, StoreError> {
    let last = super::holds::last_hold(work, PaymentId { register, line }).await?;
    Ok(matches!(last, Some((HoldEvent::Released, _, HoldReason::SentEarlier))))
}

/// Lines by batch and register.
pub(super) type Shared = Mutex<BTreeMap<(BatchNo, RegisterNo), Arc<BTreeSet<i64>>>>;

/// So many are remembered.
const SHARED_MAX: usize = 64;

/// Lines of a register that are about the payments of a batch of another one.
async fn shared_with(
    work: &mut Work,
    known: &Shared,
    register: RegisterNo,
    (old, batch): (RegisterNo, BatchNo),
    key_id: u8,
) -> Result<Arc<BTreeSet<i64>>, StoreError> {
    let of = (batch, register);
    if let Some(lines) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&of) {
        return Ok(Arc::clone(lines));
    }
    let lines = Arc::new(those_of(work, register, old, key_id, &is_member(batch)).await?);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= SHARED_MAX {
        known.clear();
    }
    known.insert(of, Arc::clone(&lines));
    Ok(lines)
}

/// The lines of a batch.
async fn members(work: &mut Work, batch: BatchNo) -> Result<BTreeSet<i64>, StoreError> {
    let sql = format!(
        "SELECT p.line FROM payment p JOIN batch b ON p.register_no = b.register_no AND p.bank = b.bank \
         AND p.line BETWEEN b.first_line AND b.last_line WHERE b.batch_no = $1 AND {MEMBER}"
    );
    let mut lines = BTreeSet::new();
    let mut read = |row: &Row<'_>| {
        lines.insert(row.int(0)?);
        Ok(())
    };
    work.0.rows(sql.into(), params![batch], &mut read).await?;
    Ok(lines)
}
