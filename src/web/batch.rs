//! One batch: how it was handed over, what the bank answered, and what went wrong, for whom.
//!
//! The only page that opens sealed rows. What it opens is masked here, before a template sees it
//! (I27), and forgotten with the request.

use std::collections::BTreeMap;

use askama::Template;

use crate::clock::local_text;
use crate::model::attempt::AttemptState;
use crate::model::batch::BatchState;
use crate::model::outcome::{Folded, OutcomeKind};
use crate::model::person::{Person, mask_account, mask_name};
use crate::model::reason::Reason;
use crate::model::report::redact;
use crate::store::view::{AttemptRow, BatchPage, FailureRow, QuarantineRow, ResultRow};
use crate::web::parts::{Badge, Bar, Frame, Head, Tone, batch_time_left, grouped};

/// Opens what is sealed in a failure.
pub trait Opener: Send + Sync {
    /// The payee, or nothing where the blob does not open.
    fn person(&self, head_digest: &[u8; 32], row: &FailureRow) -> Option<Person>;
    /// The bank's words, or nothing where there are none or they do not open.
    fn words(&self, row: &FailureRow) -> Option<String>;
}

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
}

impl Attempt {
    fn of(row: &AttemptRow) -> Self {
        let (tone, meaning) = match row.state {
            AttemptState::Intent => (Tone::Quiet, "报文已备好，尚未发出"),
            AttemptState::Sending => (Tone::Busy, "正在交给银行"),
            AttemptState::Accepted => (Tone::Good, "银行已收下，等待逐笔结果"),
            AttemptState::Refused => {
                (Tone::Bad, "银行整批拒绝，资金未动；查明原因后由操作员重新组批")
            }
            AttemptState::NotSent => {
                (Tone::Warn, "确认银行没有收到；将原样重发同一份报文，不会重复发放")
            }
            AttemptState::Unknown => {
                (Tone::Warn, "没有得到明确答复；按流水号向银行查询，查明之前绝不重发")
            }
        };
        Self {
            no: row.no.to_string(),
            state: Badge::new(tone, row.state.chinese()),
            meaning,
            reference: row.reference.clone(),
            made_at: local_text(row.made_at_ms),
            state_at: local_text(row.state_at_ms),
            sends: row.sends,
            asks: row.asks,
            bank_code: row.bank_code.clone(),
        }
    }
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
            name: row.name.clone(),
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
        OutcomeKind::Credited | OutcomeKind::Failed => Reason::Other,
    })
}

impl Failure {
    fn of(row: &FailureRow, head_digest: &[u8; 32], opener: &dyn Opener) -> Self {
        let person = opener.person(head_digest, row);
        let masked = |mask: fn(&str) -> String, part: fn(&Person) -> &str| {
            person.as_ref().map_or_else(|| UNREADABLE.to_owned(), |person| mask(part(person)))
        };
        let words = match (&row.words, opener.words(row)) {
            (None, _) => String::new(),
            (Some(_), None) => UNREADABLE.to_owned(),
            (Some(_), Some(words)) => harmless(&words, person.as_ref()),
        };
        let folded = match row.kind {
            OutcomeKind::Returned => Folded::Returned,
            OutcomeKind::Credited | OutcomeKind::Failed => Folded::Failed,
        };
        let reason = reason_of(row);
        Self {
            line: row.line,
            name: masked(mask_name, |person| &person.name),
            account: masked(mask_account, |person| &person.account),
            amount: row.amount.yuan_grouped(),
            kind: folded.chinese(),
            reason: reason.chinese(),
            code: row.code.clone(),
            words,
            actor: reason.actor().chinese(),
            remedy: reason.remedy(),
        }
    }
}

/// A bank's words without other people's data, and without what a bank repeats of the payee.
fn harmless(words: &str, person: Option<&Person>) -> String {
    let mut text = redact(words);
    let Some(person) = person else { return UNREADABLE.to_owned() };
    for part in [&person.account, &person.document_number, &person.phone, &person.name] {
        if !part.is_empty() {
            text = text.replace(part.as_str(), "***");
        }
    }
    text
}

struct Quarantined {
    result: String,
    row: i64,
    cause: String,
    detail: String,
    line: Option<i64>,
    at: String,
}

impl Quarantined {
    fn of(row: &QuarantineRow) -> Self {
        let cause = match row.cause.as_str() {
            "unknown_payment" => "本批次没有这一笔",
            "amount_differs" => "金额与清册不符",
            "account_differs" => "账号与清册不符",
            "code_unknown" => "银行返回码未登记",
            "unreadable" => "该行无法读取",
            other => other,
        };
        Self {
            result: row.result.to_string(),
            row: row.row,
            cause: cause.to_owned(),
            detail: row.detail.clone(),
            line: row.line,
            at: local_text(row.at_ms),
        }
    }
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
    attempts: Vec<Attempt>,
    results: Vec<Taken>,
    failures: Vec<Failure>,
    failures_all: i64,
    failures_cut: bool,
    sealed: bool,
    actors: Vec<(&'static str, usize)>,
    quarantined: Vec<Quarantined>,
}

/// Draws the page of a batch.
///
/// # Errors
/// Where the template cannot be written out.
pub fn render(page: &BatchPage, frame: &Frame, opener: &dyn Opener) -> askama::Result<String> {
    let (row, register) = (&page.row, &page.register);
    let open = |failure| Failure::of(failure, &page.head_digest, opener);
    let failures: Vec<Failure> = page.failures.iter().map(open).collect();
    let mut actors = BTreeMap::new();
    for failure in &page.failures {
        *actors.entry(reason_of(failure).actor()).or_insert(0) += 1;
    }
    let failures_all = row.failed + row.returned;
    let shown = i64::try_from(failures.len()).unwrap_or(i64::MAX);
    let running = row.state == BatchState::Open;
    Page {
        head: frame.head(
            format!("{} · 批次 {}", register.programme_name, row.no),
            running.then_some(20),
        ),
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
        attempts: page.attempts.iter().map(Attempt::of).collect(),
        results: page.results.iter().map(Taken::of).collect(),
        sealed: failures.iter().any(|f| f.name == UNREADABLE || f.words == UNREADABLE),
        failures,
        failures_all,
        failures_cut: shown < failures_all,
        actors: actors.into_iter().map(|(actor, count)| (actor.chinese(), count)).collect(),
        quarantined: page.quarantined.iter().map(Quarantined::of).collect(),
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i27_what_a_bank_repeats_of_the_payee_is_taken_out_of_its_words() {
        let person = Person {
            name: "测试姓名".to_owned(),
            document_kind: "id".to_owned(),
            document_number: "11010519491231002X".to_owned(),
            account: "6228480402564890018".to_owned(),
            phone: "13800000000".to_owned(),
        };
        let said = "账号6228480402564890018户名测试姓名证件11010519491231002X手机13800000000有误";
        assert_eq!(harmless(said, Some(&person)), "账号***户名***证件***手机***有误");
        assert_eq!(harmless("原户名为[张三丰]", Some(&person)), "原户名为[***]");
        assert_eq!(harmless("任意", None), UNREADABLE);
    }
}
