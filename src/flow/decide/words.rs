//! What a decision will do to the money, in plain words, before anybody confirms it.

use crate::model::attempt::AttemptState;
use crate::model::decision::{Subject, Verdict};
use crate::model::outcome::Folded;
use crate::store::attempts::Attempt;
use crate::store::decide::Case;

/// Why there is nothing to decide about something that is not there.
pub(super) fn nothing(subject: Subject) -> String {
    match subject {
        Subject::Payment(id) => format!("there is no {id}, or no bank has it: nothing to decide"),
        other => format!("there is no {other} that anything could be decided about"),
    }
}

fn counted(count: i64) -> String {
    if count == 1 { "1 payment".to_owned() } else { format!("{count} payments") }
}

/// What an attempt carries, with its money.
fn carried(case: &Case, attempt: &Attempt) -> String {
    let what = match (attempt.batch, attempt.refund) {
        (Some(batch), _) => format!("batch {batch}"),
        (None, Some(refund)) => format!("refund {refund}"),
        (None, None) => "nothing".to_owned(),
    };
    format!("{what}, {}, {} yuan", counted(case.count), case.sum)
}

/// How a thing stands, in one line.
pub fn stands(case: &Case) -> String {
    let bank = &case.bank;
    match (case.subject, &case.attempt) {
        (Subject::Attempt(no), Some(attempt)) => {
            let state = match attempt.state {
                AttemptState::Unknown | AttemptState::Accepted if case.weighing > 0 => {
                    format!(
                        "{bank} has said of it what does not go together, and that is put aside"
                    )
                }
                AttemptState::Unknown => format!("nobody knows whether {bank} has it"),
                AttemptState::Stopped => format!("{bank} has its reference with other content"),
                AttemptState::Accepted if case.vanished => {
                    format!("{bank} took it, and answers now that it does not find it")
                }
                AttemptState::Accepted => {
                    format!("{bank} has it and does not say what became of it")
                }
                AttemptState::ByHand => {
                    format!("{bank} has no message for it; people give the money back")
                }
                state => state.to_string(),
            };
            format!("{no} ({}): {state}", carried(case, attempt))
        }
        (subject, Some(attempt)) => {
            let folded = case.payments.first().map_or(Folded::Pending, |one| one.folded);
            let money = format!("{}, {} yuan", counted(case.count), case.sum);
            format!("{subject} ({money}, at {bank} in {}): {folded}", attempt.no)
        }
        (subject, None) => format!("{subject} of {bank}: put aside"),
    }
}

/// What a decision will do, a line each.
pub(super) fn foretell(case: &Case, verdict: Verdict) -> Vec<String> {
    let mut words = consequences(case, verdict);
    if case.vanished && verdict == Verdict::Credited {
        let bank = &case.bank;
        words.push(format!("The last that {bank} said of it is that it does not find it: have its ledger looked at first."));
    }
    if case.weighing > 0 && matches!(verdict, Verdict::NotReceived | Verdict::Never) {
        let (count, bank) = (case.weighing, &case.bank);
        words.push(format!(
            "{count} of what {bank} said of it is put aside and may say that something of it was done: look at that first \
             (daifa decide list)."
        ));
    }
    words
}

fn consequences(case: &Case, verdict: Verdict) -> Vec<String> {
    let subject = case.subject;
    match (verdict.event(), &case.attempt, verdict) {
        (Some(_), Some(attempt), _) if attempt.refund.is_some() => refund(case, attempt, verdict),
        (Some(_), Some(attempt), _) => batch(case, attempt, verdict),
        (_, Some(_), Verdict::Credited | Verdict::Failed) => payments(case, verdict),
        _ => vec![
            format!("{subject} leaves the list of what was put aside; it stays kept as evidence."),
            "No money moves by that. What it kept from going on may go on: a refund that the bank refused is asked for again."
                .to_owned(),
        ],
    }
}

fn batch(case: &Case, attempt: &Attempt, verdict: Verdict) -> Vec<String> {
    let (no, bank, money) = (attempt.no, &case.bank, carried(case, attempt));
    let again = attempt.batch.map_or_else(String::new, |batch| batch.to_string());
    match verdict {
        Verdict::Received if attempt.state == AttemptState::Refused => vec![
            format!("{bank} counts as having {no} ({money}), although it refused it."),
            format!(
                "Nothing is sent again, and batch {again} cannot be cut again. The money is in flight until the bank's results come, \
                 or until two people decide about {again} or payment by payment."
            ),
        ],
        Verdict::Received => vec![
            format!("{bank} counts as having {no} ({money})."),
            "Nothing is sent again. The money stays in flight until the bank's results come, or until two people decide \
             payment by payment."
                .to_owned(),
        ],
        Verdict::NotReceived => vec![
            format!("{no} ({money}) goes to {bank} again: the same bytes, under the same reference {}.", attempt.reference),
            format!("If {bank} had it after all, {} may be paid twice.", counted(case.count)),
        ],
        _ => vec![
            format!("{no} ({money}) is closed: nothing of it was paid or ever will be."),
            format!(
                "The money is unsent again, and goes out under another reference once an operator says daifa batch recut {again}; \
                 where finance took its register back, it goes back instead."
            ),
            format!("If {bank} pays it after all, {} may be paid twice.", counted(case.count)),
        ],
    }
}

fn refund(case: &Case, attempt: &Attempt, verdict: Verdict) -> Vec<String> {
    let (no, bank, money) = (attempt.no, &case.bank, carried(case, attempt));
    match verdict {
        Verdict::Received => vec![
            format!(
                "The money of {no} ({money}) counts as back at finance, and finance is told so."
            ),
            "If it is not, nobody here looks for it any more.".to_owned(),
        ],
        Verdict::NotReceived => vec![
            format!(
                "{no} ({money}) goes to {bank} again: the same bytes, under the same reference {}.",
                attempt.reference
            ),
            format!("If {bank} had it after all, the money may go back twice."),
        ],
        _ => vec![
            format!("{no} ({money}) is closed: that money did not and will not go back with it."),
            "It is refundable again, and another refund is made for it soon.".to_owned(),
        ],
    }
}

fn payments(case: &Case, verdict: Verdict) -> Vec<String> {
    let (subject, bank) = (case.subject, &case.bank);
    let money = format!("{}, {} yuan", counted(case.count), case.sum);
    let promised = case.payments.iter().any(|payment| payment.promised);
    let told = "Finance, department and towns are told as of any result.".to_owned();
    match verdict {
        Verdict::Credited => vec![
            format!(
                "{subject} ({money}) counts as credited: the money leaves what is in flight, and nothing of it goes back."
            ),
            told,
            "If it is not on the card, nobody is paid again by itself.".to_owned(),
        ],
        _ if promised => vec![
            format!(
                "{subject} ({money}) counts as never credited: the refund was right, and the disputed money is none."
            ),
            told,
        ],
        _ => vec![
            format!(
                "{subject} ({money}) counts as failed: the money becomes refundable, goes back to finance, and may be approved again."
            ),
            told,
            format!("If {bank} did credit it, it may be paid twice."),
        ],
    }
}
