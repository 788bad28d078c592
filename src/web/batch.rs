//! One batch: how it was handed over, what the bank answered, and what went wrong, for whom.
//!
//! The only page that opens sealed rows. What it opens is masked here, before a template sees it
//! (I27), and forgotten with the request.

use std::collections::BTreeMap;

use askama::Template;

use crate::clock::local_text;
use crate::flow::sealed::{open_person, open_words};
use crate::guard::seal::Sealer;
use crate::model::attempt::AttemptState;
use crate::model::batch::BatchState;
use crate::model::deadline::length;
use crate::model::expectation::ExpectationState;
use crate::model::id::AttemptNo;
use crate::model::outcome::{Folded, OutcomeKind, Seen};
use crate::model::person::{Person, mask_account, mask_name};
use crate::model::reason::{Actor, Reason};
use crate::model::report::harmless;
use crate::store::cut::StoredPayment;
use crate::store::view::{
    AttemptRow, BatchPage, ExpectationRow, FailureRow, QuarantineRow, ResultRow,
};
use crate::web::parts::{Badge, Bar, Frame, Head, Tone, batch_time_left, grouped};

struct Attempt {
    no: String,
    state: Badge,
    meaning: &'static str,
    reference: String,
    made_at: String,
    state_at: String,
    sends: i64,
    asks: i64,
    bank_code: String,
    /// What the bank said beside the code, without people; empty where it said nothing, or the attempt goes on.
    words: String,
    bank_references: String,
}

impl Attempt {
    /// `heard`: the bank has said something of this batch. `lies`: its file was not picked up yet.
    fn of(row: &AttemptRow, batch: BatchState, heard: bool, lies: bool) -> Self {
        let heard = heard || !row.bank_code.is_empty() || batch == BatchState::Settled;
        let mut name = row.state.chinese();
        let (tone, meaning) = match row.state {
            AttemptState::Intent => (Tone::Quiet, "报文已备好，尚未发出"),
            AttemptState::Sending => (Tone::Busy, "正在交给银行"),
            AttemptState::Accepted if batch == BatchState::Settled => {
                (Tone::Good, "银行已收下，逐笔结果已齐")
            }
            AttemptState::Accepted if !heard && lies => {
                name = "已送出，银行尚未取走";
                (Tone::Warn, "文件还在共享目录中；银行取走后才会办理")
            }
            AttemptState::Accepted if !heard => {
                name = "已送出，等待银行回执";
                (Tone::Busy, "文件已交给银行，还没有收到任何答复")
            }
            AttemptState::Accepted => (Tone::Good, "银行已收下，等待逐笔结果"),
            AttemptState::Refused => (
                Tone::Bad,
                "整批未受理（银行拒绝或两人裁定），资金未动；查明原因后由操作员重新组批",
            ),
            AttemptState::NotSent => {
                (Tone::Warn, "确认银行没有收到；将原样重发同一份报文，不会重复发放")
            }
            AttemptState::Unknown => {
                (Tone::Warn, "没有得到明确答复；按流水号向银行查询，查明之前绝不重发")
            }
            AttemptState::Closed => {
                (Tone::Quiet, "从未送到银行，此份报文作废；款项用新流水号另行组批发送")
            }
            AttemptState::ByHand => (Tone::Warn, "该行没有这种报文，由人工办理后两人核定"),
            AttemptState::Stopped => (
                Tone::Bad,
                "银行已有此流水号而内容不同，本系统的数据库可能较旧；不再发送，切勿重新组批，请与银行逐批核对",
            ),
        };
        Self {
            no: row.no.to_string(),
            state: Badge::new(tone, name),
            meaning,
            reference: row.reference.clone(),
            made_at: local_text(row.made_at_ms),
            state_at: local_text(row.state_at_ms),
            sends: row.sends,
            asks: row.asks,
            bank_code: row.bank_code.clone(),
            words: String::new(),
            bank_references: row.bank_references.join("、"),
        }
    }
}

/// The payees of a batch whose bank said something about the whole of it: what it says is shown without them. Nothing
/// where one of them does not open.
pub(super) fn payees(
    page: &BatchPage,
    members: &[StoredPayment],
    sealer: &Sealer,
) -> Option<Vec<Person>> {
    let open = |member: &StoredPayment| {
        let StoredPayment { line, amount, person, .. } = member;
        let (bank, register) = (&page.row.bank, page.register.no);
        let opened = open_person(sealer, &page.head_digest, register, *line, *amount, bank, person);
        opened.ok().map(|(person, _village)| person)
    };
    members.iter().map(open).collect()
}

/// Has the bank said why it refuses an attempt?
pub(super) fn is_told_why(attempt: &AttemptRow) -> bool {
    attempt.state == AttemptState::Refused && attempt.bank_text.is_some()
}

/// What the bank said about the whole of an attempt that it refused.
fn told_why(attempt: &AttemptRow, payees: Option<&[Person]>, sealer: &Sealer) -> String {
    let blob = attempt.bank_text.as_ref().filter(|_| is_told_why(attempt));
    let Some(blob) = blob else { return String::new() };
    let words = open_words(sealer, attempt.no, 0, blob).ok();
    let shown = words.zip(payees).map(|(words, payees)| harmless(&words, payees));
    shown.unwrap_or_else(|| UNREADABLE.to_owned())
}

/// An answer that the bank owes, or owed.
struct Owed {
    what: &'static str,
    attempt: String,
    due: String,
    state: Badge,
    note: String,
}

impl Owed {
    fn of(row: &ExpectationRow, now_ms: i64) -> Self {
        let (tone, name, note) = match row.state {
            ExpectationState::Open if row.due_at_ms <= now_ms => {
                (Tone::Bad, "已到期", String::new())
            }
            ExpectationState::Open => {
                let left = length(row.due_at_ms - now_ms);
                (Tone::Busy, "等待中", format!("还有 {left}"))
            }
            ExpectationState::Overdue => {
                let over = length(now_ms - row.due_at_ms);
                (Tone::Bad, "逾期未到", format!("已超过 {over}，请联系银行"))
            }
            ExpectationState::Met => (Tone::Good, "已收到", local_text(row.state_at_ms)),
            ExpectationState::Dropped => (Tone::Quiet, "不再等待", String::new()),
        };
        Self {
            what: row.kind.chinese(),
            attempt: row.attempt.to_string(),
            due: local_text(row.due_at_ms),
            state: Badge::new(tone, name),
            note,
        }
    }
}

/// A file keeps its name; an answer is kept as its kind and our reference, and people read the kind
/// in their own words.
pub(super) fn result_name(name: &str) -> String {
    let Some((kind, reference)) = name.split_once(' ') else { return name.to_owned() };
    let kind = match kind {
        "decision" => "两人核定",
        "payment_request" | "acknowledgement" => "受理答复",
        "status_query" | "status_answer" => "查询答复",
        "late_return" | "return_query" => "退票查询答复",
        "result" => "回盘",
        "notice" | "notice_query" => "短信查询答复",
        _ => return name.to_owned(),
    };
    format!("{kind} {reference}")
}

struct Taken {
    no: String,
    name: String,
    state: Badge,
    lines: String,
    applied: String,
    quarantined: String,
    why: String,
    at: String,
}

impl Taken {
    fn of(row: &ResultRow) -> Self {
        let state = match row.state.as_str() {
            "applied" => Badge::new(Tone::Good, "已采用"),
            "held" => Badge::new(Tone::Bad, "整份暂扣"),
            other => Badge::new(Tone::Quiet, other),
        };
        Self {
            no: row.no.to_string(),
            name: result_name(&row.name),
            state,
            lines: grouped(row.lines),
            applied: grouped(row.applied),
            quarantined: grouped(row.quarantined),
            why: row.why.clone(),
            at: local_text(row.taken_at_ms),
        }
    }
}

struct Failure {
    line: i64,
    name: String,
    account: String,
    amount: String,
    kind: &'static str,
    reason: &'static str,
    code: String,
    words: String,
    actor: &'static str,
    remedy: &'static str,
}

/// Shown where a sealed row does not open; the page says more.
const UNREADABLE: &str = "（无法读取）";

/// Our reason, also for rows that carry none.
fn reason_of(row: &FailureRow) -> Reason {
    row.reason.unwrap_or(match row.kind {
        OutcomeKind::Returned => Reason::Returned,
        OutcomeKind::Credited
        | OutcomeKind::Failed
        | OutcomeKind::SettledCredited
        | OutcomeKind::SettledFailed => Reason::Other,
    })
}

/// What is wrong, who must act and what to do. A contradiction is not a failure (I11): its reason
/// is that there are two answers.
fn advice(row: &FailureRow, seen: Seen) -> (&'static str, Actor, &'static str) {
    if seen.fold() == Folded::Conflict {
        let remedy = "由代发银行核对流水，两人确认后处理；核清之前不重发、不退款";
        return ("银行既报成功又报失败", Actor::Bank, remedy);
    }
    let reason = reason_of(row);
    (reason.chinese(), reason.actor(), reason.remedy())
}

/// One row per payment: a payment that failed and then came back is told of once, as the fold has
/// it. Of several rows the last kind, in the order of the words, stands for it.
fn by_payment(rows: &[FailureRow]) -> Vec<(&FailureRow, Seen)> {
    let mut found: BTreeMap<(i64, AttemptNo), (&FailureRow, Seen)> = BTreeMap::new();
    for row in rows {
        let (shown, seen) = found.entry((row.line, row.attempt)).or_insert((row, Seen::default()));
        *seen = seen.with(row.kind);
        seen.credited |= row.also_credited;
        if row.kind >= shown.kind {
            *shown = row;
        }
    }
    found.into_values().collect()
}

impl Failure {
    fn of(row: &FailureRow, seen: Seen, head_digest: &[u8; 32], sealer: &Sealer) -> Self {
        let FailureRow { register, line, amount, bank, .. } = row;
        let opened = open_person(sealer, head_digest, *register, *line, *amount, bank, &row.person);
        let person = opened.ok().map(|(person, _village)| person);
        let masked = |mask: fn(&str) -> String, part: fn(&Person) -> &str| {
            person.as_ref().map_or_else(|| UNREADABLE.to_owned(), |person| mask(part(person)))
        };
        let words = row.words.as_ref().map_or_else(String::new, |blob| {
            let words = open_words(sealer, row.attempt, *line, blob).ok();
            let shown =
                words.zip(person.as_ref()).map(|(words, person)| harmless(&words, [person]));
            shown.unwrap_or_else(|| UNREADABLE.to_owned())
        });
        let (reason, actor, remedy) = advice(row, seen);
        Self {
            line: row.line,
            name: masked(mask_name, |person| &person.name),
            account: masked(mask_account, |person| &person.account),
            amount: row.amount.yuan_grouped(),
            kind: seen.fold().chinese(),
            reason,
            code: row.code.clone(),
            words,
            actor: actor.chinese(),
            remedy,
        }
    }
}

struct Quarantined {
    result: String,
    row: i64,
    cause: String,
    detail: String,
    line: Option<i64>,
    at: String,
}

/// Why a line was put aside, as people read it.
pub(super) fn cause_name(cause: &str) -> &str {
    match cause {
        "unknown_payment" => "本批次没有这一笔",
        "amount_differs" => "金额与清册不符",
        "account_differs" => "账号与清册不符",
        "credited_twice" => "可能重复入账",
        "returned_one_of_two" => "曾两次报入账，退回其中一笔",
        "code_unknown" => "银行返回码未登记",
        "ambiguous" => "同一批中有几笔与此行相同，无法对应",
        "unreadable" => "该行无法读取",
        other => other,
    }
}

impl Quarantined {
    fn of(row: &QuarantineRow) -> Self {
        Self {
            result: row.result.to_string(),
            row: row.row,
            cause: cause_name(&row.cause).to_owned(),
            detail: row.detail.clone(),
            line: row.line,
            at: local_text(row.at_ms),
        }
    }
}

/// Which page of the failures is shown.
struct Pages {
    /// Not the first one.
    later: bool,
    /// The line behind which there are more.
    next: Option<i64>,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct Page {
    head: Head,
    no: String,
    register_no: String,
    programme: String,
    period: String,
    bank: String,
    payments: String,
    sum: String,
    credited_sum: String,
    state: Badge,
    left: Badge,
    bar: Bar,
    cut_at: String,
    recut_of: Option<String>,
    refused: bool,
    conflicts: i64,
    /// Payments without a result yet.
    pending: i64,
    attempts: Vec<Attempt>,
    owed: Vec<Owed>,
    results: Vec<Taken>,
    failures: Vec<Failure>,
    failures_all: i64,
    failures_cut: bool,
    pages: Pages,
    sealed: bool,
    actors: Vec<(&'static str, usize)>,
    quarantined: Vec<Quarantined>,
}

/// Draws the page of a batch. `payees` are those of the batch, where its bank said something about the whole; `lies` says whether what was sent under a reference still lies where the
/// bank picks it up.
///
/// # Errors
/// Where the template cannot be written out.
pub fn render(
    page: &BatchPage,
    frame: &Frame,
    sealer: &Sealer,
    payees: Option<&[Person]>,
    lies: &dyn Fn(&str) -> bool,
) -> askama::Result<String> {
    let (row, register) = (&page.row, &page.register);
    let rows = by_payment(&page.failures);
    let mut actors = BTreeMap::new();
    for (failure, seen) in &rows {
        *actors.entry(advice(failure, *seen).1).or_insert(0) += 1;
    }
    let open = |(failure, seen)| Failure::of(failure, seen, &page.head_digest, sealer);
    let failures: Vec<Failure> = rows.into_iter().map(open).collect();
    let failures_all = row.failed + row.returned + row.conflicts;
    let shown = i64::try_from(failures.len()).unwrap_or(i64::MAX);
    let running = row.state == BatchState::Open;
    Page {
        head: frame
            .head(format!("{} · 批次 {}", register.programme_name, row.no), running.then_some(20)),
        no: row.no.to_string(),
        register_no: register.no.to_string(),
        programme: register.programme_name.clone(),
        period: register.period.clone(),
        bank: frame.bank(&row.bank),
        payments: grouped(row.payments),
        sum: row.sum.yuan_grouped(),
        credited_sum: row.credited_sum.yuan_grouped(),
        state: Badge::batch(row.state),
        left: batch_time_left(row, register.start_at_ms, frame.now_ms),
        bar: Bar::of_batch(row),
        cut_at: local_text(row.cut_at_ms),
        recut_of: row.recut_of.map(|no| no.to_string()),
        refused: row.state == BatchState::Refused,
        conflicts: row.conflicts,
        pending: row.pending,
        attempts: page
            .attempts
            .iter()
            .map(|a| Attempt {
                words: told_why(a, payees, sealer),
                ..Attempt::of(a, row.state, !page.results.is_empty(), lies(&a.reference))
            })
            .collect(),
        owed: page.expectations.iter().map(|row| Owed::of(row, frame.now_ms)).collect(),
        results: page.results.iter().map(Taken::of).collect(),
        sealed: failures.iter().any(|f| f.name == UNREADABLE || f.words == UNREADABLE),
        failures,
        failures_all,
        failures_cut: shown < failures_all,
        pages: Pages {
            later: page.after > 0,
            next: page.failures.last().filter(|_| page.more).map(|row| row.line),
        },
        actors: actors.into_iter().map(|(actor, count)| (actor.chinese(), count)).collect(),
        quarantined: page.quarantined.iter().map(Quarantined::of).collect(),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::RegisterNo;
    use crate::model::money::Fen;

    #[test]
    fn answers_are_named_in_words_and_files_keep_their_names() {
        assert_eq!(result_name("return_query 0002"), "退票查询答复 0002");
        assert_eq!(result_name("HP0001.txt"), "HP0001.txt");
        assert_eq!(result_name("a file.txt"), "a file.txt");
    }

    #[test]
    fn i11_a_contradiction_is_shown_as_one_and_a_return_once() {
        let row = |line, kind, also_credited| FailureRow {
            register: RegisterNo(1),
            attempt: AttemptNo(1),
            line,
            amount: Fen::new(100),
            bank: "A".to_owned(),
            kind,
            reason: None,
            code: String::new(),
            person: Vec::new(),
            words: None,
            also_credited,
        };
        let rows = [
            row(1, OutcomeKind::Failed, false),
            row(2, OutcomeKind::Failed, true),
            row(3, OutcomeKind::Returned, true),
            row(3, OutcomeKind::Failed, true),
        ];
        let told: Vec<_> = by_payment(&rows)
            .iter()
            .map(|(row, seen)| (row.line, seen.fold(), reason_of(row)))
            .collect();
        let expected = [
            (1, Folded::Failed, Reason::Other),
            (2, Folded::Conflict, Reason::Other),
            (3, Folded::Returned, Reason::Returned),
        ];
        assert_eq!(told, expected);
    }
}
