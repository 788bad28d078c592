//! What the lines of a result do: decided line by line from what was said before, then written together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::alert::AlertKind;
use crate::model::id::{BatchNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::{Folded, LeftoverChange, OutcomeKind, Seen, shift};
use crate::model::place::Place;
use crate::model::reason::Reason;
use crate::model::refund::{LeftoverCause, LeftoverState};
use crate::store::attempts::Attempt;
use crate::store::digest::digest_outcome;
use crate::store::journal::{Cause, Entry, Move, Moves, count};
use crate::store::results::{Effects, TakenRow, len};
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError};

/// The facts that applying reads before it writes.
pub(super) struct Before {
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
pub(super) struct Writes {
    outcomes: Vec<Outcome>,
    notices: Vec<(i64, NoticeState)>,
    opened: BTreeMap<i64, (Fen, LeftoverCause)>,
    withdrawn: BTreeSet<i64>,
    moves: Moves,
    /// Change of (pending, credited, failed, returned, conflicts).
    pub(super) counts: BTreeMap<Folded, i64>,
    credited_fen: i64,
    conflicts: Vec<i64>,
    /// Contradictions that a return or two people settled.
    settled: Vec<i64>,
    disputed: bool,
}

impl Store {
    #[expect(clippy::too_many_arguments, reason = "one transaction's context")]
    pub(super) async fn write_effects(
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
}

pub(super) async fn read_before(work: &mut Work, attempt: &Attempt) -> Result<Before, StoreError> {
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
pub(super) fn decide(
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
        let code = (!kind.is_credit()).then_some(row.code);
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
        super::super::alerts::raise(
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
        super::super::alerts::clear(
            work,
            AlertKind::Conflict,
            &format!("{register}-{line}"),
            now_ms,
        )
        .await?;
    }
    if !writes.settled.is_empty() {
        let sql = "SELECT COALESCE(CAST(SUM(disputed_fen) AS BIGINT), 0) FROM share WHERE register_no = $1";
        if work.the(sql, params![register], |row| row.int(0)).await? == 0 {
            super::super::alerts::clear(work, AlertKind::Disputed, &register.to_string(), now_ms)
                .await?;
        }
    }
    if writes.disputed {
        let text = format!(
            "{} 在款项退回（或退回途中）之后又答复已入账，差额计入争议款；请立即与银行核对",
            attempt.bank
        );
        super::super::alerts::raise(
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
