//! Matching: lines of a bank's answer to payments of the batch, by their place in it, and only
//! where account and amount are those that were sent (I12).

use std::collections::HashSet;

use crate::flow::sealed::seal_words;
use crate::flow::values::RowValues;
use crate::format::{Format, Item, Key, MessageKind, Part, Record};
use crate::guard::seal::Sealer;
use crate::model::id::AttemptNo;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;
use crate::store::results::{Quarantined, TakenRow};

/// The rows of an answer, matched.
#[derive(Debug, Default)]
pub struct Matched {
    pub rows: Vec<TakenRow>,
    pub quarantined: Vec<Quarantined>,
}

/// Reads an answer and matches its rows to the members of the batch, which are in their order.
///
/// # Errors
/// Why the answer as a whole does not close: it is held, and changes nothing (design 4.4).
pub fn match_rows(
    format: &Format,
    kind: MessageKind,
    parts: &[Part],
    attempt: AttemptNo,
    members: &[RowValues],
    sealer: &Sealer,
) -> Result<Matched, String> {
    let mut matched = Matched::default();
    let mut told = HashSet::new();
    let mut reading = format.read(kind, parts).map_err(|fault| fault.to_string())?;
    let mut row_no = 0;
    while let Some(item) = reading.next().map_err(|fault| fault.to_string())? {
        match item {
            Item::Head(_) | Item::Tail(_) => {}
            Item::BadRow(fault) => {
                row_no += 1;
                matched.quarantined.push(Quarantined {
                    row: row_no,
                    cause: "unreadable",
                    detail: fault.to_string(),
                    line: None,
                });
            }
            Item::Row(record) => {
                row_no += 1;
                match match_row(format, kind, record, attempt, members, sealer) {
                    Ok(row) => {
                        // The same line with the same word twice in one file is one.
                        if told.insert((row.line, row.kind, row.notice)) {
                            matched.rows.push(row);
                        }
                    }
                    Err((cause, detail, line)) => {
                        matched.quarantined.push(Quarantined { row: row_no, cause, detail, line });
                    }
                }
            }
        }
    }
    Ok(matched)
}

type Mismatch = (&'static str, String, Option<i64>);

fn match_row(
    format: &Format,
    kind: MessageKind,
    record: &Record,
    attempt: AttemptNo,
    members: &[RowValues],
    sealer: &Sealer,
) -> Result<TakenRow, Mismatch> {
    let place = record
        .int(Key::Ordinal)
        .and_then(|ordinal| usize::try_from(ordinal).ok())
        .and_then(|ordinal| ordinal.checked_sub(1));
    let Some(member) = place.and_then(|at| members.get(at)) else {
        let detail = format!("a place from 1 to {} in the batch", members.len());
        return Err(("unknown_payment", detail, None));
    };
    let line = Some(member.line);
    if record.text(Key::Account) != Some(member.person.account.as_str()) {
        return Err((
            "account_differs",
            "the account that was sent for this place".to_owned(),
            line,
        ));
    }
    if record.amount(Key::Amount).is_some_and(|amount| amount != member.amount) {
        return Err((
            "amount_differs",
            format!("{} yuan, as sent for this place", member.amount),
            line,
        ));
    }
    let (mut outcome, mut reason): (Option<OutcomeKind>, Option<Reason>) = (None, None);
    let code = record.text(Key::Code).unwrap_or_default();
    if !code.is_empty() {
        let Some(meaning) = format.row_meaning(kind, code) else {
            return Err((
                "code_unknown",
                format!("a code of the format's table, found {code:?}"),
                line,
            ));
        };
        outcome = meaning.outcome;
        reason = meaning.reason;
    }
    let mut notice: Option<NoticeState> = None;
    let notice_code = record.text(Key::NoticeCode).unwrap_or_default();
    if !notice_code.is_empty() {
        notice = format.notice(kind, notice_code);
        if notice.is_none() {
            return Err((
                "code_unknown",
                format!("a notice code of the format's table, found {notice_code:?}"),
                line,
            ));
        }
    }
    let reason = match outcome {
        Some(OutcomeKind::Failed) => reason.or(Some(Reason::Other)),
        Some(OutcomeKind::Returned) => reason.or(Some(Reason::Returned)),
        Some(OutcomeKind::Credited) | None => None,
    };
    let words = match outcome {
        Some(OutcomeKind::Failed | OutcomeKind::Returned) => {
            record.text(Key::Text).unwrap_or_default()
        }
        Some(OutcomeKind::Credited) | None => "",
    };
    Ok(TakenRow {
        line: member.line,
        amount: member.amount,
        kind: outcome,
        reason,
        code: code.to_owned(),
        words: seal_words(sealer, attempt, member.line, words),
        notice,
    })
}
