//! Code tables as a description writes them.

use std::collections::BTreeMap;

use crate::format::codes::{CodeTable, Meaning, TableKind};
use crate::format::table::Table;
use crate::model::attempt::Answer;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

/// Every table, with its place.
pub(super) fn codes(table: &Table<'_>) -> Vec<(usize, CodeTable)> {
    let mut tables = Vec::new();
    for (name, entries) in table.named("a code table") {
        let at = entries.at;
        let mut kind = None;
        let mut codes = BTreeMap::new();
        for (code, entry) in entries.named("a code") {
            let place = entry.at;
            let faults = entry.faults();
            let Some((found, meaning)) = meaning(entry) else { continue };
            if *kind.get_or_insert(found) != found {
                let hint = "answers, outcomes and notices each have their own table";
                faults.note(place, format!("codes.{name} mixes kinds of codes"), hint);
            }
            codes.insert(code.to_owned(), meaning);
        }
        if let Some(kind) = kind {
            tables.push((at, CodeTable { name: name.to_owned(), kind, codes }));
        } else if codes.is_empty() && entries.faults().is_empty() {
            entries.faults().note(
                at,
                format!("codes.{name} has no codes"),
                "0000 = { answer = \"accepted\" }, or take the table out",
            );
        }
    }
    tables
}

/// One line of a code table.
fn meaning(entry: Table<'_>) -> Option<(TableKind, Meaning)> {
    let all = |words: &[&'static str]| words.to_vec();
    let answers: Vec<&str> = Answer::ALL.iter().map(|word| word.as_str()).collect();
    let answer = entry.word("answer", &answers, Answer::parse);
    let notices: Vec<&str> = NoticeState::ALL.iter().map(|word| word.as_str()).collect();
    let notice = entry.word("notice", &notices, NoticeState::parse);
    let outcomes = all(&["credited", "failed", "returned", "processing"]);
    let outcome = entry.word("outcome", &outcomes, |word| match word {
        "processing" => Some(None),
        _ => OutcomeKind::SAID.into_iter().find(|kind| kind.as_str() == word).map(Some),
    });
    let reasons: Vec<&str> = Reason::ALL.iter().map(|word| word.as_str()).collect();
    let reason = entry.word("reason", &reasons, Reason::parse);
    let text = entry.text("text");
    let meaning = match (answer, notice, outcome) {
        (Some(answer), None, None) => Some((TableKind::Answer, Meaning::Answer(answer.value))),
        (None, Some(notice), None) => Some((TableKind::Notice, Meaning::Notice(notice.value))),
        (None, None, Some(outcome)) => {
            let needs = matches!(outcome.value, Some(OutcomeKind::Failed | OutcomeKind::Returned));
            // A wrong word is told already.
            if needs != entry.has("reason") {
                let what = if needs { "without its reason" } else { "with a reason" };
                let hint = "failed and returned have a reason, credited and processing none";
                entry.faults().note(outcome.at, format!("an outcome {what}"), hint);
            }
            let reason = reason.map(|found| found.value);
            let text = text.map(|found| found.value.to_owned());
            Some((TableKind::Outcome, Meaning::Outcome { outcome: outcome.value, reason, text }))
        }
        _ if ["answer", "notice", "outcome"].iter().filter(|key| entry.has(key)).count() == 1 => {
            None
        }
        _ => {
            entry.faults().note(
                entry.at,
                "a code says one of answer, outcome, notice",
                "0000 = { outcome = \"credited\" }, { answer = ... } or { notice = ... }",
            );
            None
        }
    };
    entry.finish();
    meaning
}
