//! Taking what a bank says about payments: in one transaction, in any order, any number of times,
//! with the same end (I9 to I13).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::alert::AlertKind;
use crate::model::attempt::{AttemptEvent, AttemptState, Heard};
use crate::model::id::{BatchNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::{Folded, LeftoverChange, OutcomeKind, Seen, shift};
use crate::model::place::Place;
use crate::model::reason::Reason;
use crate::model::refund::{LeftoverCause, LeftoverState};
use crate::store::attempts::{Attempt, step};
use crate::store::cut::StoredPayment;
use crate::store::digest::{digest_outcome, digest_quarantined};
use crate::store::journal::{Cause, Entry, Move, Moves, bank_chain, count};
use crate::store::reports::NewReport;
use crate::store::sql::{Work, params};
use crate::store::vouch::{self, vouch_for};
use crate::store::{Store, StoreError};

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
    pub ask_until_ms: Option<i64>,
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

/// The facts that applying reads before it writes.
struct Before {
    seen: HashMap<i64, Seen>,
    leftovers: HashMap<i64, LeftoverState>,
    notices: HashMap<i64, Vec<NoticeState>>,
}

/// A row of `outcome` to be written.
struct Outcome {
    line: i64,
    kind: OutcomeKind,
    reason: Option<Reason>,
    code: Option<String>,
    words: Option<Vec<u8>>,
}

/// What applying writes.
#[derive(Default)]
struct Writes {
    outcomes: Vec<Outcome>,
    notices: Vec<(i64, NoticeState)>,
    opened: BTreeMap<i64, (Fen, LeftoverCause)>,
    withdrawn: BTreeSet<i64>,
    moves: Moves,
    /// Change of (pending, credited, failed, returned, conflicts).
    counts: BTreeMap<Folded, i64>,
    credited_fen: i64,
    conflicts: Vec<i64>,
    /// Contradictions that a return settled.
    settled: Vec<i64>,
    disputed: bool,
}

impl Store {
    /// The members of a batch, in line order: the ordinal of a payment is its place here, from 1.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn members(&self, batch: BatchNo) -> Result<Vec<StoredPayment>, StoreError> {
        let mut work = self.read().await?;
        let sql = format!(
            "SELECT p.line, p.amount_fen, p.town, p.person FROM batch b JOIN payment p ON p.register_no = b.register_no \
             AND p.line BETWEEN b.first_line AND b.last_line AND p.bank = b.bank WHERE b.batch_no = $1 AND {MEMBER} ORDER BY p.line"
        );
        let mut members = Vec::new();
        work.0
            .rows(sql.into(), params![batch], &mut |row| {
                members.push(StoredPayment {
                    line: row.int(0)?,
                    amount: Fen::new(row.int(1)?),
                    town: row.int(2)?,
                    person: row.blob(3)?.to_vec(),
                });
                Ok(())
            })
            .await?;
        work.commit().await?;
        Ok(members)
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
            for kind in [AlertKind::Unknown, AlertKind::TooLate] {
                super::alerts::clear(&mut work, kind, &attempt.no.to_string(), now_ms).await?;
            }
        }
        let next_at_ms =
            |pending| if pending > 0 { Some(taken.again_at_ms) } else { taken.next_at_ms };
        let asked = "UPDATE attempt SET next_at_ms = $1, ask_until_ms = COALESCE($2, ask_until_ms), asks = asks + 1 WHERE attempt_no = $3";
        let until = taken.ask_until_ms;
        let Some(result) = insert_result(&mut work, attempt, &taken, now_ms).await? else {
            work.move_one(asked, params![next_at_ms(attempt.pending), until, attempt.no]).await?;
            if attempt.state != AttemptState::Accepted {
                vouch_for(&mut work, &mut entry, None, attempt.no).await?;
                entry.write_for(&mut work, attempt.register).await?;
            }
            work.commit().await?;
            return Ok(Taken::Repeated);
        };
        entry.fact("result", result.0).fact("batch", batch.0).fact("name", taken.name);
        entry
            .fact("digest", crate::guard::key::hex(&taken.digest))
            .fact("quarantined", taken.quarantined.len());
        super::alerts::clear(&mut work, AlertKind::ResultHeld, &result.to_string(), now_ms).await?;
        let before = read_before(&mut work, attempt).await?;
        let (writes, effects) = decide(taken.rows, before, &mut entry)?;
        let quarantined = new_quarantined(&mut work, attempt, taken.quarantined).await?;
        if effects.outcomes.is_empty()
            && effects.notices.is_empty()
            && quarantined.is_empty()
            && attempt.state == AttemptState::Accepted
        {
            // Other bytes that say nothing new (an answer with another time in it): nothing is kept.
            drop(work);
            self.asked(attempt, next_at_ms(attempt.pending), Heard::Same, now_ms).await?;
            return Ok(Taken::Repeated);
        }
        let pending =
            attempt.pending + writes.counts.get(&Folded::Pending).copied().unwrap_or_default();
        work.move_one(asked, params![next_at_ms(pending), until, attempt.no]).await?;
        self.write_effects(&mut work, attempt, batch, result, writes, &mut entry, now_ms).await?;
        self.write_quarantine(&mut work, attempt, result, quarantined, &mut entry, now_ms).await?;
        let sql = "UPDATE result SET applied = $1 WHERE result_no = $2";
        let applied = params![len(effects.outcomes.len() + effects.notices.len()), result];
        entry.vouched.returned(&mut work, &vouch::RESULT, sql, applied).await?;
        for report in follow(result, &effects) {
            super::reports::insert(&mut work, &mut entry, &report, now_ms).await?;
        }
        entry.fact("outcomes", effects.outcomes.len()).fact("notices", effects.notices.len());
        vouch_for(&mut work, &mut entry, Some(batch), attempt.no).await?;
        entry.write_for(&mut work, attempt.register).await?;
        self.done(work).await?;
        Ok(Taken::Applied {
            result,
            outcomes: len(effects.outcomes.len()),
            notices: len(effects.notices.len()),
        })
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
        let mut work = self.write().await?;
        let sql = "INSERT INTO result (bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, evidence, taken_at_ms) \
                   VALUES ($1, $2, $3, $4, $5, 'held', 0, 0, 0, $6, $7, $8) ON CONFLICT (bank, digest, COALESCE(attempt_no, 0)) DO NOTHING RETURNING result_no";
        let row = params![
            bank,
            name,
            digest,
            attempt.map(|a| a.no.0),
            attempt.map(|a| a.register.0),
            why,
            evidence,
            now_ms
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
        Ok(true)
    }

    #[expect(clippy::too_many_arguments, reason = "one transaction's context")]
    async fn write_effects(
        &self,
        work: &mut Work,
        attempt: &Attempt,
        batch: BatchNo,
        result: ResultNo,
        mut writes: Writes,
        entry: &mut Entry,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let max = self.dialect.bulk();
        let rows = std::mem::take(&mut writes.outcomes)
            .into_iter()
            .flat_map(|row| {
                let reason = row.reason.map(Reason::as_str);
                params![
                    attempt.no,
                    row.line,
                    row.kind.as_str(),
                    result,
                    reason,
                    row.code,
                    row.words
                ]
            })
            .collect();
        work.insert(
            "INSERT INTO outcome (attempt_no, line, kind, result_no, reason, code, words)",
            7,
            rows,
            max,
        )
        .await?;
        let rows = writes
            .notices
            .iter()
            .flat_map(|(line, state)| params![attempt.no, *line, state.as_str(), result])
            .collect();
        work.insert("INSERT INTO notice (attempt_no, line, state, result_no)", 4, rows, max)
            .await?;
        write_leftovers(work, attempt, &writes, now_ms).await?;
        let cause = Cause { batch: Some(batch), result: Some(result), ..Cause::default() };
        let mut moved = false;
        for (from, to, payments, amount) in writes.moves.each() {
            entry
                .post(
                    work,
                    Move {
                        register: attempt.register,
                        bank: &attempt.bank,
                        from,
                        to,
                        payments,
                        amount,
                        cause,
                    },
                )
                .await?;
            moved = true;
        }
        if moved {
            let sql = "UPDATE register SET state = 'accepted', state_at_ms = $1 WHERE register_no = $2 AND state = 'closed'";
            work.run(sql, params![now_ms, attempt.register]).await?;
        }
        write_counts(work, attempt, batch, &writes).await?;
        alert_contradictions(work, attempt, batch, &writes, now_ms).await
    }

    async fn write_quarantine(
        &self,
        work: &mut Work,
        attempt: &Attempt,
        result: ResultNo,
        quarantined: Vec<Quarantined>,
        entry: &mut Entry,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if quarantined.is_empty() {
            return Ok(());
        }
        for row in &quarantined {
            let (no, attempt) = (row.row, Some(attempt.no.0));
            let about = (attempt, row.line);
            digest_quarantined(&mut entry.rows, no, row.cause, &row.detail, about, now_ms);
        }
        let text = format!(
            "{} 的结果 {result} 中有 {} 行与批次不符，未作处理，其余各行已入账；请与银行核对",
            attempt.bank,
            quarantined.len()
        );
        super::alerts::raise(
            work,
            AlertKind::Quarantine,
            &result.to_string(),
            Some(attempt.register),
            attempt.batch,
            0,
            &text,
            now_ms,
        )
        .await?;
        let rows = quarantined
            .into_iter()
            .flat_map(|row| {
                params![result, row.row, row.cause, row.detail, attempt.no.0, row.line, now_ms]
            })
            .collect();
        let sql =
            "INSERT INTO quarantine (result_no, row_no, cause, detail, attempt_no, line, at_ms)";
        work.insert(sql, 7, rows, self.dialect.bulk()).await
    }
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
    let sql = "INSERT INTO result (bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, evidence, taken_at_ms) \
               VALUES ($1, $2, $3, $4, $5, 'applied', $6, 0, $7, '', $8, $9) ON CONFLICT (bank, digest, COALESCE(attempt_no, 0)) DO UPDATE SET \
               name = excluded.name, attempt_no = excluded.attempt_no, register_no = excluded.register_no, state = 'applied', \
               lines = excluded.lines, quarantined = excluded.quarantined, why = '', evidence = COALESCE(excluded.evidence, result.evidence), \
               taken_at_ms = excluded.taken_at_ms WHERE result.state = 'held' RETURNING result_no";
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
    }
    Ok(result)
}

/// Leaves out what was quarantined of this attempt for the same cause before.
async fn new_quarantined(
    work: &mut Work,
    attempt: &Attempt,
    quarantined: Vec<Quarantined>,
) -> Result<Vec<Quarantined>, StoreError> {
    if quarantined.is_empty() {
        return Ok(quarantined);
    }
    let sql = "SELECT cause, detail, line FROM quarantine WHERE attempt_no = $1";
    let known = work
        .rows(sql, params![attempt.no], |row| Ok((row.string(0)?, row.string(1)?, row.int_opt(2)?)))
        .await?;
    let is_new = |row: &Quarantined| {
        !known.iter().any(|(cause, detail, line)| {
            *cause == row.cause && *detail == row.detail && *line == row.line
        })
    };
    let mut new: Vec<Quarantined> = quarantined.into_iter().filter(is_new).collect();
    // In key order: the table is, and `verify` reads it so.
    new.sort_by_key(|row| row.row);
    Ok(new)
}

async fn read_before(work: &mut Work, attempt: &Attempt) -> Result<Before, StoreError> {
    let mut before =
        Before { seen: HashMap::new(), leftovers: HashMap::new(), notices: HashMap::new() };
    let rows = work
        .rows("SELECT line, kind FROM outcome WHERE attempt_no = $1", params![attempt.no], |row| {
            Ok((row.int(0)?, row.word(1, OutcomeKind::parse)?))
        })
        .await?;
    for (line, kind) in rows {
        let seen = before.seen.entry(line).or_default();
        *seen = seen.with(kind);
    }
    let sql = "SELECT line, state FROM leftover WHERE register_no = $1";
    let rows = work
        .rows(sql, params![attempt.register], |row| {
            Ok((row.int(0)?, row.word(1, LeftoverState::parse)?))
        })
        .await?;
    before.leftovers.extend(rows);
    let sql = "SELECT line, state FROM notice WHERE attempt_no = $1";
    let rows = work
        .rows(sql, params![attempt.no], |row| Ok((row.int(0)?, row.word(1, NoticeState::parse)?)))
        .await?;
    for (line, state) in rows {
        before.notices.entry(line).or_default().push(state);
    }
    Ok(before)
}

/// Decides what every line does; pure but for the digest it feeds.
fn decide(
    rows: Vec<TakenRow>,
    mut before: Before,
    entry: &mut Entry,
) -> Result<(Writes, Effects), StoreError> {
    let (mut writes, mut effects) = (Writes::default(), Effects::default());
    for row in rows {
        if let Some(state) = row.notice {
            let known = before.notices.entry(row.line).or_default();
            if !known.contains(&state) {
                known.push(state);
                effects.notices.push(row.line);
                writes.notices.push((row.line, state));
            }
        }
        let Some(kind) = row.kind else { continue };
        let seen = before.seen.entry(row.line).or_default();
        if seen.has(kind) {
            continue;
        }
        let old = *seen;
        *seen = old.with(kind);
        apply_shift(&mut writes, &mut before.leftovers, &row, old, kind)?;
        effects.outcomes.push(row.line);
        let code = (kind != OutcomeKind::Credited).then_some(row.code);
        writes.outcomes.push(Outcome {
            line: row.line,
            kind,
            reason: row.reason,
            code,
            words: row.words,
        });
    }
    // In key order: the tables are, and `verify` reads them so.
    writes.outcomes.sort_unstable_by_key(|row| (row.line, row.kind.as_str()));
    writes.notices.sort_unstable_by_key(|(line, state)| (*line, state.as_str()));
    for row in &writes.outcomes {
        digest_outcome(
            &mut entry.rows,
            row.line,
            row.kind.as_str(),
            row.reason.map(Reason::as_str),
            row.code.as_deref(),
            row.words.as_deref(),
        );
    }
    for (line, state) in &writes.notices {
        entry.rows.row("notice").int(*line).text(state.as_str());
    }
    Ok((writes, effects))
}

fn apply_shift(
    writes: &mut Writes,
    leftovers: &mut HashMap<i64, LeftoverState>,
    row: &TakenRow,
    old: Seen,
    kind: OutcomeKind,
) -> Result<(), StoreError> {
    let change = shift(old, leftovers.get(&row.line).copied(), kind);
    let (from, to) = (old.fold(), old.with(kind).fold());
    *writes.counts.entry(from).or_default() -= 1;
    *writes.counts.entry(to).or_default() += 1;
    for (state, sign) in [(from, -1), (to, 1)] {
        if state == Folded::Credited {
            writes.credited_fen += sign * row.amount.get();
        }
    }
    if to == Folded::Conflict {
        writes.conflicts.push(row.line);
    } else if from == Folded::Conflict {
        writes.settled.push(row.line);
    }
    if let Some((from, to)) = change.money {
        writes.moves.add(from, to, row.amount)?;
        writes.disputed |= to == Place::Disputed;
    }
    match change.leftover {
        LeftoverChange::None => {}
        LeftoverChange::Open(cause) => {
            leftovers.insert(row.line, LeftoverState::Open);
            writes.withdrawn.remove(&row.line);
            writes.opened.insert(row.line, (row.amount, cause));
        }
        LeftoverChange::Withdraw => {
            leftovers.insert(row.line, LeftoverState::Withdrawn);
            writes.withdrawn.insert(row.line);
        }
    }
    Ok(())
}

/// What became leftover, and what a contradiction took back.
async fn write_leftovers(
    work: &mut Work,
    attempt: &Attempt,
    writes: &Writes,
    now_ms: i64,
) -> Result<(), StoreError> {
    for (line, (amount, cause)) in &writes.opened {
        let sql = "INSERT INTO leftover (register_no, line, bank, amount_fen, cause, state, at_ms) VALUES ($1, $2, $3, $4, $5, 'open', $6) \
                   ON CONFLICT (register_no, line) DO UPDATE SET state = 'open', cause = excluded.cause, at_ms = excluded.at_ms, refund_no = NULL \
                   WHERE leftover.state IN ('withdrawn', 'open')";
        work.move_one(
            sql,
            params![attempt.register, *line, &attempt.bank, *amount, cause.as_str(), now_ms],
        )
        .await?;
    }
    for line in &writes.withdrawn {
        let sql = "UPDATE leftover SET state = 'withdrawn' WHERE register_no = $1 AND line = $2 AND state = 'open'";
        work.move_one(sql, params![attempt.register, *line]).await?;
    }
    Ok(())
}

/// The counters of the share and of the batch.
async fn write_counts(
    work: &mut Work,
    attempt: &Attempt,
    batch: BatchNo,
    writes: &Writes,
) -> Result<(), StoreError> {
    let by = |state| writes.counts.get(&state).copied().unwrap_or_default();
    let sms = |state| len(writes.notices.iter().filter(|(_, said)| *said == state).count());
    let changes = [
        ("credited", by(Folded::Credited)),
        ("failed", by(Folded::Failed)),
        ("returned", by(Folded::Returned)),
        ("conflicts", by(Folded::Conflict)),
        ("sms_delivered", sms(NoticeState::Delivered)),
        ("sms_failed", sms(NoticeState::Failed)),
        ("sms_no_number", sms(NoticeState::NoNumber)),
        ("sms_unknown", sms(NoticeState::Unknown)),
    ];
    count(work, attempt.register, &attempt.bank, &changes).await?;
    let sql = "UPDATE batch SET pending = pending + $1, credited = credited + $2, failed = failed + $3, returned = returned + $4, \
               conflicts = conflicts + $5, credited_fen = credited_fen + $6, \
               state = CASE WHEN pending + $1 = 0 AND conflicts + $5 = 0 THEN 'settled' ELSE 'open' END \
               WHERE batch_no = $7 AND state IN ('open', 'settled')";
    let row = params![
        by(Folded::Pending),
        by(Folded::Credited),
        by(Folded::Failed),
        by(Folded::Returned),
        by(Folded::Conflict),
        writes.credited_fen,
        batch
    ];
    work.move_one(sql, row).await
}

async fn alert_contradictions(
    work: &mut Work,
    attempt: &Attempt,
    batch: BatchNo,
    writes: &Writes,
    now_ms: i64,
) -> Result<(), StoreError> {
    let register: RegisterNo = attempt.register;
    for line in &writes.conflicts {
        let subject = format!("{register}-{line}");
        let text = format!(
            "{} 对明细 {subject} 先后答复“已入账”和“失败”，该笔已冻结；请两人核对银行台账后处理",
            attempt.bank
        );
        super::alerts::raise(
            work,
            AlertKind::Conflict,
            &subject,
            Some(register),
            Some(batch),
            0,
            &text,
            now_ms,
        )
        .await?;
    }
    for line in &writes.settled {
        super::alerts::clear(work, AlertKind::Conflict, &format!("{register}-{line}"), now_ms)
            .await?;
    }
    if !writes.settled.is_empty() {
        let sql = "SELECT COALESCE(CAST(SUM(disputed_fen) AS BIGINT), 0) FROM share WHERE register_no = $1";
        if work.the(sql, params![register], |row| row.int(0)).await? == 0 {
            super::alerts::clear(work, AlertKind::Disputed, &register.to_string(), now_ms).await?;
        }
    }
    if writes.disputed {
        let text = format!(
            "{} 在款项退回（或退回途中）之后又答复已入账，差额计入争议款；请立即与银行核对",
            attempt.bank
        );
        super::alerts::raise(
            work,
            AlertKind::Disputed,
            &register.to_string(),
            Some(register),
            Some(batch),
            0,
            &text,
            now_ms,
        )
        .await?;
    }
    Ok(())
}

/// Is an attempt in a state in which a bank can know it? One that it did not find it may know all
/// the same (F31).
pub const fn can_have_results(state: AttemptState) -> bool {
    match state {
        AttemptState::Sending
        | AttemptState::Unknown
        | AttemptState::NotSent
        | AttemptState::Accepted => true,
        AttemptState::Intent | AttemptState::Refused | AttemptState::Stopped => false,
    }
}
