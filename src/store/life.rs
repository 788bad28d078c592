//! One payment's life, in order: what an auditor asks for a year later.

use serde_json::Value;

use crate::model::attempt::Heard;
use crate::model::batch::BatchState;
use crate::model::hold::{HoldEvent, HoldReason};
use crate::model::id::{AttemptNo, BatchNo, PaymentId, RegisterNo};
use crate::model::money::Fen;
use crate::model::outcome::{Folded, OutcomeKind, Seen};
use crate::store::journal::register_chain;
use crate::store::results::MEMBER;
use crate::store::sql::{Work, params};
use crate::store::{Store, StoreError};

/// Something that happened to a payment.
#[derive(Debug, Clone)]
pub struct Event {
    pub at_ms: i64,
    /// What, and why; no personal data.
    pub what: String,
    /// The bank's words, sealed to this attempt.
    pub words: Option<(AttemptNo, Vec<u8>)>,
}

/// A payment with everything that happened to it.
#[derive(Debug, Clone)]
pub struct Life {
    pub bank: String,
    pub amount: Fen,
    /// Sealed.
    pub person: Vec<u8>,
    pub replaces: Option<(PaymentId, i64)>,
    pub replaced_by: Option<PaymentId>,
    /// In the order of their times.
    pub events: Vec<Event>,
    /// Where it stands now.
    pub standing: String,
}

impl Store {
    /// One payment's life.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn life(&self, id: PaymentId) -> Result<Option<Life>, StoreError> {
        let mut work = self.read().await?;
        let sql = "SELECT p.bank, p.amount_fen, p.person, r.received_at_ms, r.state_at_ms, r.state, r.approved_at_ms, r.funded_at_ms \
                   FROM payment p JOIN register r ON r.register_no = p.register_no \
                   WHERE p.register_no = $1 AND p.line = $2 AND r.state <> 'receiving'";
        let mut state = String::new();
        let found = work
            .one(sql, params![id.register, id.line], |row| {
                let mut events =
                    vec![event(row.int(6)?, "approved by finance"), event(row.int(3)?, "received")];
                if let Some(at) = row.int_opt(7)? {
                    events.push(event(at, "its register was funded"));
                }
                if row.text(5)? != "accepted" {
                    events.push(event(row.int(4)?, format!("its register was {}", row.text(5)?)));
                }
                state = row.string(5)?;
                let life = Life {
                    bank: row.string(0)?,
                    amount: Fen::new(row.int(1)?),
                    person: row.blob(2)?.to_vec(),
                    replaces: None,
                    replaced_by: None,
                    events,
                    standing: String::new(),
                };
                Ok(life)
            })
            .await?;
        let Some(mut life) = found else { return Ok(None) };
        reissues(&mut work, id, &mut life).await?;
        let held = holds(&mut work, id, &mut life).await?;
        let carried = attempts(&mut work, id, &mut life).await?;
        let standing = standing(&state, held, carried.as_ref());
        money_back(&mut work, id, &mut life, standing).await?;
        work.commit().await?;
        life.events.sort_by_key(|event| event.at_ms);
        Ok(Some(life))
    }
}

/// The last attempt that carried a payment: what was seen of it, and its batch.
struct Carried {
    seen: Seen,
    batch: BatchNo,
    state: BatchState,
}

/// Where a payment stands whose money did not move yet, or the bank's last word on it.
fn standing(register: &str, held: bool, carried: Option<&Carried>) -> String {
    let closed = match carried {
        Some(Carried { seen, state, .. }) if state.is_live() || seen.fold() != Folded::Pending => {
            return seen.fold().as_str().to_owned();
        }
        Some(Carried { batch, state: BatchState::Refused, .. }) => Some(batch),
        _ => None,
    };
    match (register, closed) {
        ("superseded", _) => {
            "withdrawn: a higher revision has it, and it was not paid from here".to_owned()
        }
        ("revoked", _) => "withdrawn: its register was revoked before it was paid".to_owned(),
        (_, Some(batch)) => {
            format!("unsent: the bank refused {batch}, and an operator cuts it again")
        }
        _ if held => "unsent: it is set aside until it is released or dropped".to_owned(),
        _ => "unsent".to_owned(),
    }
}

fn event(at_ms: i64, what: impl Into<String>) -> Event {
    Event { at_ms, what: what.into(), words: None }
}

async fn reissues(work: &mut Work, id: PaymentId, life: &mut Life) -> Result<(), StoreError> {
    let sql = "SELECT replaces_register_no, replaces_line, number FROM reissue WHERE register_no = $1 AND line = $2";
    life.replaces = work
        .one(sql, params![id.register, id.line], |row| {
            Ok((PaymentId { register: RegisterNo(row.int(0)?), line: row.int(1)? }, row.int(2)?))
        })
        .await?;
    let sql = "SELECT register_no, line FROM reissue WHERE replaces_register_no = $1 AND replaces_line = $2 ORDER BY register_no DESC LIMIT 1";
    life.replaced_by = work
        .one(sql, params![id.register, id.line], |row| {
            Ok(PaymentId { register: RegisterNo(row.int(0)?), line: row.int(1)? })
        })
        .await?;
    Ok(())
}

/// Says whether it is set aside now.
async fn holds(work: &mut Work, id: PaymentId, life: &mut Life) -> Result<bool, StoreError> {
    let sql = "SELECT event, reason, detail, by_whom, at_ms FROM hold WHERE register_no = $1 AND line = $2 ORDER BY event_no";
    let mut held = false;
    let events = work
        .rows(sql, params![id.register, id.line], |row| {
            let (kind, reason) = (row.word(0, HoldEvent::parse)?, row.word(1, HoldReason::parse)?);
            held = kind == HoldEvent::Placed;
            let what = match kind {
                HoldEvent::Placed => format!("set aside: {reason} ({})", row.text(2)?),
                HoldEvent::Released => format!("released by {} ({})", row.text(3)?, row.text(2)?),
                HoldEvent::Dropped => format!("dropped by {} ({})", row.text(3)?, row.text(2)?),
            };
            Ok(event(row.int(4)?, what))
        })
        .await?;
    life.events.extend(events);
    Ok(held)
}

/// The batches and attempts that carried it, what was said of it, and its notices. Says what came of
/// the last one.
async fn attempts(
    work: &mut Work,
    id: PaymentId,
    life: &mut Life,
) -> Result<Option<Carried>, StoreError> {
    let sql = format!(
        "SELECT a.attempt_no, a.batch_no, a.reference, a.made_at_ms, b.state FROM payment p \
         JOIN batch b ON b.register_no = p.register_no AND b.bank = p.bank JOIN attempt a ON a.batch_no = b.batch_no \
         WHERE p.register_no = $1 AND p.line = $2 AND {MEMBER} ORDER BY a.attempt_no"
    );
    let mut carried = Vec::new();
    let mut events = Vec::new();
    work.0
        .rows(sql.into(), params![id.register, id.line], &mut |row| {
            let (attempt, batch) = (AttemptNo(row.int(0)?), BatchNo(row.int(1)?));
            carried.push((attempt, batch, row.word(4, BatchState::parse)?));
            let reference = row.text(2)?;
            let what =
                format!("put into batch {batch}, attempt {attempt}, our reference {reference}");
            events.push(event(row.int(3)?, what));
            Ok(())
        })
        .await?;
    life.events.extend(events);
    life.events.extend(handed_over(work, id.register, &carried).await?);
    let mut last = None;
    for (attempt, batch, state) in carried {
        let mut seen = Seen::default();
        let sql = "SELECT seen_at_ms, reference FROM bank_reference WHERE attempt_no = $1 ORDER BY seen_at_ms, reference";
        let named = work
            .rows(sql, params![attempt], |row| {
                let what = format!("the bank's own number of {attempt} is {}", row.text(1)?);
                Ok(event(row.int(0)?, what))
            })
            .await?;
        life.events.extend(named);
        let sql = "SELECT o.kind, o.reason, o.code, o.words, x.taken_at_ms, x.name, d.proposed_by, d.confirmed_by, d.decision_no \
                   FROM outcome o JOIN result x ON x.result_no = o.result_no \
                   LEFT JOIN decision d ON x.name = 'decision D' || CAST(d.decision_no AS TEXT) WHERE o.attempt_no = $1 AND o.line = $2 ORDER BY x.turn";
        let said = work
            .rows(sql, params![attempt, id.line], |row| {
                let kind = row.word(0, OutcomeKind::parse)?;
                seen = seen.with(kind);
                let decided = row.int_opt(8)?;
                let why = match (row.text_opt(1)?, row.text_opt(2)?) {
                    (Some(reason), _) if decided.is_some() => format!(" because of {reason}"),
                    (Some(reason), Some(code)) => {
                        format!(" because of {reason} (the bank's code {code})")
                    }
                    _ => String::new(),
                };
                let what = match (decided, row.text_opt(6)?, row.text_opt(7)?) {
                    (Some(no), Some(one), Some(other)) => {
                        format!("{one} and {other} decided {kind}{why} (D{no})")
                    }
                    _ => format!("the bank says {kind}{why}, in {}", row.text(5)?),
                };
                Ok(Event {
                    at_ms: row.int(4)?,
                    what,
                    words: row.blob_opt(3)?.map(|blob| (attempt, blob.to_vec())),
                })
            })
            .await?;
        life.events.extend(said);
        let sql = "SELECT n.state, x.taken_at_ms FROM notice n JOIN result x ON x.result_no = n.result_no WHERE n.attempt_no = $1 AND n.line = $2 ORDER BY x.result_no";
        let notices = work
            .rows(sql, params![attempt, id.line], |row| {
                Ok(event(row.int(1)?, format!("SMS notice: {}", row.text(0)?)))
            })
            .await?;
        life.events.extend(notices);
        last = Some(Carried { seen, batch, state });
    }
    Ok(last)
}

/// How attempts were handed over, and how it came out what became of them, as the journal tells it:
/// the attempt itself knows only its last state.
async fn handed_over(
    work: &mut Work,
    register: RegisterNo,
    attempts: &[(AttemptNo, BatchNo, BatchState)],
) -> Result<Vec<Event>, StoreError> {
    let sql = "SELECT at_ms, kind, body FROM journal WHERE chain = $1 \
               AND (kind LIKE 'attempt.%' OR kind IN ('result.applied', 'expectation.overdue', 'batch.withdrawn')) ORDER BY seq";
    let mut events = Vec::new();
    work.rows(sql, params![register_chain(register)], |row| {
        let body: Value = serde_json::from_str(row.text(2)?).unwrap_or_default();
        let attempt = body.get("attempt").and_then(Value::as_i64).map(AttemptNo);
        if let Some(attempt) =
            attempt.filter(|attempt| attempts.iter().any(|known| known.0 == *attempt))
        {
            let told = told(attempt, row.text(1)?, &body);
            events.extend(told.map(|what| event(row.int(0).unwrap_or_default(), what)));
        }
        Ok(())
    })
    .await?;
    Ok(events)
}

/// What an entry of the journal says about an attempt, in words.
fn told(attempt: AttemptNo, kind: &str, body: &Value) -> Option<String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| body.get(name).and_then(Value::as_i64);
    let code = match text("code") {
        "" => String::new(),
        code => format!(" (the bank's code {code})"),
    };
    let decided = number("decision");
    let answer = match number("question") {
        Some(question) => format!("the bank was asked about {attempt} (question {question}): "),
        None => String::new(),
    };
    Some(match kind {
        "attempt.sending" => {
            let send = number("send").unwrap_or_default();
            format!("{attempt} goes out to the bank (send {send})")
        }
        "attempt.unknown" => format!(
            "{attempt} is UNKNOWN: no clear answer came; nothing goes again before the bank was asked"
        ),
        "attempt.asked" => {
            let heard = match Heard::parse(text("heard"))? {
                Heard::Silence => "no answer",
                Heard::Posted => "the question lies in its folder",
                Heard::Unclear => "an answer that is none",
                Heard::NotYet => "not found, and it is too early for that to count",
                Heard::TooLate => "not found, and too late to send it again; two people decide",
                Heard::Same => "nothing new",
            };
            format!("{answer}{heard}")
        }
        "attempt.accepted" | "attempt.not_sent" | "attempt.refused" if decided.is_some() => {
            let what = match kind {
                "attempt.accepted" => "the bank has it",
                "attempt.not_sent" => "it never arrived; the same bytes go again",
                _ => "nothing of it was paid; it is closed",
            };
            let (one, other) = (text("proposed_by"), text("confirmed_by"));
            format!("{one} and {other} decided about {attempt} (D{}): {what}", decided?)
        }
        "attempt.not_sent" if text("event") == "not_found" => {
            format!("{answer}it does not know it{code}; the same bytes go again")
        }
        "attempt.not_sent" => format!("{attempt} did not leave; the same bytes go again"),
        "attempt.accepted" => format!("{answer}{attempt} is accepted{code}"),
        "attempt.refused" => format!("{answer}{attempt} is refused{code}"),
        "attempt.stopped" => format!(
            "{answer}{attempt} is stopped: the bank has its reference with other content{code}"
        ),
        "expectation.overdue" => {
            let what = text("expected").replace('_', " ");
            format!("the bank's {what} for {attempt} did not come in time; an alert says so")
        }
        "batch.withdrawn" => format!(
            "{attempt} never left and was closed by {} ({}): its payments are sent in a new batch",
            text("by"),
            text("why")
        ),
        "result.applied" if body.get("accepted_from").is_none() => return None,
        "result.applied" if text("name").starts_with("status_answer ") => {
            format!("the bank was asked about {attempt}: it has it, and told its results")
        }
        "result.applied" => {
            format!("{attempt} is accepted: its results came, in {}", text("name"))
        }
        _ => return None,
    })
}

async fn money_back(
    work: &mut Work,
    id: PaymentId,
    life: &mut Life,
    standing: String,
) -> Result<(), StoreError> {
    let sql = "SELECT l.cause, l.state, l.at_ms, l.refund_no, f.state_at_ms FROM leftover l LEFT JOIN refund f ON f.refund_no = l.refund_no \
               WHERE l.register_no = $1 AND l.line = $2";
    let leftover = work
        .one(sql, params![id.register, id.line], |row| {
            Ok((row.string(0)?, row.string(1)?, row.int(2)?, row.int_opt(3)?, row.int_opt(4)?))
        })
        .await?;
    let Some((cause, state, at_ms, refund, refund_at)) = leftover else {
        life.standing = standing;
        return Ok(());
    };
    life.events.push(event(at_ms, format!("its money became leftover ({cause})")));
    if let (Some(refund), Some(at)) = (refund, refund_at) {
        life.events.push(event(at, format!("refund F{refund}: {state}")));
    }
    let place = if cause == "dropped" { "dropped" } else { standing.as_str() };
    life.standing = format!(
        "{place}, its money is {}",
        if state == "refunded" { "back at finance" } else { state.as_str() }
    );
    Ok(())
}
