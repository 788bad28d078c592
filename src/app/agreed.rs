//! What `daifa check` tells of each bank: what the daemon will live by, also where the config is silent. Whoever
//! signs it off with the bank reads it here, and not out of what is absent.

use jiff::SignedDuration;

use crate::config::{self, Config};
use crate::flow::Bank;
use crate::format::MessageKind as M;
use crate::model::profile::{AskBy, NoticeSource, ResultsCome};

/// What is no fault, and what whoever runs it should know: by bank.
pub fn notes<'b>(
    config: &Config,
    banks: impl Iterator<Item = &'b Bank>,
    now_ms: i64,
) -> Vec<String> {
    let mut notes = Vec::new();
    for bank in banks {
        notes.extend(lives_by(bank));
        notes.extend(left_to_people(bank));
        let set = config.banks.iter().find(|set| set.code == bank.code);
        notes.extend(set.and_then(|set| without_calendar(config, set)));
        notes.extend(missing_year(bank, now_ms));
    }
    notes
}

/// A time as the config writes it.
fn span(ms: i64) -> String {
    format!("{:#}", SignedDuration::from_millis(ms))
}

/// What is agreed with a bank.
fn lives_by(bank: &Bank) -> Vec<String> {
    let (rules, answers) = (&bank.rules, &bank.rules.answers);
    let within = |ms: Option<i64>| ms.map(|ms| format!(" within {}", span(ms))).unwrap_or_default();
    let results = match answers.results {
        Some(ResultsCome::Inline) => "in the answer to the batch",
        Some(ResultsCome::File) => "as files",
        Some(ResultsCome::Query) => "when the bank is asked",
        Some(ResultsCome::Push) => "as calls of the bank",
        None => "in whatever way",
    };
    let acknowledged = match answers.acknowledged_within_ms {
        Some(_) => format!("expected{}", within(answers.acknowledged_within_ms)),
        None => "not waited for".to_owned(),
    };
    let asked = match answers.ask {
        AskBy::Reference => asked(bank, "by our reference"),
        AskBy::Batch => asked(bank, "by the bank's own number"),
        AskBy::DayFile => "not at all; a file at the end of the day tells of all that the bank has, and of what it lacks two people decide".to_owned(),
        AskBy::None => "not at all; of what is unknown two people decide".to_owned(),
    };
    let notices = match answers.notices {
        NoticeSource::Result => "told in the results",
        NoticeSource::File => "told in files",
        NoticeSource::Query => "told when the bank is asked",
        NoticeSource::Push => "told by calls of the bank",
        NoticeSource::None => "told nowhere: nobody learns whether they arrived",
    };
    let notice_within = within(answers.notice_within_ms);
    vec![
        format!("{}: what is agreed, also where the config is silent:", bank.code),
        format!("  results come {results}{}", within(Some(answers.result_within_ms))),
        format!("  an acknowledgement is {acknowledged}"),
        format!("  the bank is asked {asked}"),
        format!("  its SMS are {notices}{notice_within}"),
        format!("  a credit may come back for {} after it was sent", span(rules.return_window_ms)),
        format!("  a refund is confirmed{}", within(Some(answers.refund_within_ms))),
        format!(
            "  after {} refused or unknown in a row it rests for {}",
            rules.breaker.after,
            span(rules.breaker.rest_ms)
        ),
    ]
}

fn asked(bank: &Bank, by: &str) -> String {
    let rules = &bank.rules;
    let window = match rules.duplicate_window_ms {
        0 => "it recognises no repeat, so that nothing goes again before two people decided"
            .to_owned(),
        window => format!(
            "it recognises a repeat for {}, and for so long the same bytes may go again",
            span(window)
        ),
    };
    format!(
        "{by}, {} after sending and then every {}; that it does not find it counts after {}; {window}",
        span(rules.ask_after_ms),
        span(rules.ask_every_ms),
        span(rules.visibility_delay_ms)
    )
}

/// What a bank's format leaves to people.
fn left_to_people(bank: &Bank) -> Vec<String> {
    let has = |kind| bank.format.has(kind);
    let format = bank.format.name();
    let mut notes = Vec::new();
    if !has(M::RefundRequest) {
        notes.push(format!(
            "{}: {format} has no refund_request: leftover is given back by hand, an alert says when and how much, and two people \
             say that it was done (daifa decide)",
            bank.code
        ));
    }
    if !has(M::LateReturn) && !has(M::ReturnQuery) {
        notes.push(format!(
            "{}: {format} has neither late_return nor return_query: of money that comes back after it was credited nothing is heard",
            bank.code
        ));
    }
    notes
}

/// A bank that works on workdays, where nobody says which days are.
fn without_calendar(config: &Config, bank: &config::Bank) -> Option<String> {
    let workdays = bank.hours.as_ref().is_some_and(|hours| hours.workdays);
    (workdays && config.calendar.is_none()).then(|| {
        format!(
            "{}: hours.workdays without a calendar: every Saturday and Sunday is closed, and no holiday is known; \
             calendar names a file with the statutory holidays of the year",
            bank.code
        )
    })
}

/// A bank whose calendar does not have the year that it is, or comes.
fn missing_year(bank: &Bank, now_ms: i64) -> Option<String> {
    let year = bank.rules.missing_year(now_ms)?;
    Some(format!(
        "{}: the calendar does not have {year}: its holidays are taken for workdays, and the Saturdays and Sundays that \
         are worked for days off; add the year from the State Council's notice",
        bank.code
    ))
}
