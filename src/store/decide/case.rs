//! What a decision is about, read as it stands.

use crate::model::alert::AlertKind;
use crate::model::attempt::AttemptState;
use crate::model::decision::Subject;
use crate::model::id::{AttemptNo, BatchNo, PaymentId, RefundNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::outcome::{Folded, OutcomeKind, Seen};
use crate::model::refund::{LeftoverState, RefundState};
use crate::store::StoreError;
use crate::store::attempts::{self, Attempt};
use crate::store::quarantine::{open_of, row_is_open, weighing};
use crate::store::refusal;
use crate::store::results::MEMBER;
use crate::store::sql::{Param, Row, Work, params};

/// A payment that a decision would be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CasePayment {
    pub line: i64,
    pub amount: Fen,
    /// Nine digits of the village code, 0 where it is no code.
    pub town: i64,
    pub folded: Folded,
    /// Its money is promised to finance or back there already.
    pub promised: bool,
}

/// What kind of thing a decision would be about, as far as that decides what can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// An attempt of a batch; so many of its payments have no answer.
    Batch { pending: i64 },
    /// An attempt of a refund.
    Refund { state: RefundState },
    /// An attempt that the bank refused: its money lies where that left it, or went elsewhere since.
    Refused { untouched: bool },
    /// Payments: one, or all of a batch that have no answer.
    Payments,
    /// What was put aside: so many lines of it, or the answer as a whole, wait for somebody.
    Aside { open: i64 },
}

/// What a decision would be about, as it stands.
#[derive(Debug, Clone)]
pub struct Case {
    pub subject: Subject,
    pub stands: Stands,
    pub bank: String,
    pub register: Option<RegisterNo>,
    /// The attempt that it is about, or that carried its payments.
    pub attempt: Option<Attempt>,
    /// The bank took the attempt, and does not find it any more.
    pub vanished: bool,
    /// How much is put aside that may say that something of the attempt was done.
    pub weighing: i64,
    /// The payments that would change; of an attempt as a whole they are only counted.
    pub payments: Vec<CasePayment>,
    pub count: i64,
    pub sum: Fen,
    /// All of it that a decision rests on, as one text: the same text means that nothing moved.
    pub standing: String,
}

pub(super) async fn read(work: &mut Work, subject: Subject) -> Result<Option<Case>, StoreError> {
    let found = match subject {
        Subject::Attempt(no) => attempt_case(work, no).await,
        Subject::Batch(no) => batch_case(work, no).await,
        Subject::Payment(id) => payment_case(work, id, subject).await,
        Subject::Result(no) => result_case(work, no).await,
        Subject::Row(no, row) => row_case(work, no, row).await,
    }?;
    let Some(mut case) = found else { return Ok(None) };
    if let Some(attempt) = &case.attempt {
        let sql =
            "SELECT COUNT(*) FROM alert WHERE kind = $1 AND subject = $2 AND cleared_at_ms IS NULL";
        let about = params![AlertKind::Vanished.as_str(), attempt.no.to_string()];
        let no = attempt.no;
        case.vanished = work.the(sql, about, |row| Ok(row.int(0)? > 0)).await?;
        case.weighing = weighing(work, no).await?;
    }
    Ok(Some(case))
}

/// The last attempt that a condition finds.
async fn find_attempt(
    work: &mut Work,
    condition: &str,
    params: Vec<Param>,
) -> Result<Option<Attempt>, StoreError> {
    let sql = format!(
        "SELECT {} FROM attempt a LEFT JOIN batch b ON b.batch_no = a.batch_no WHERE {condition} \
         ORDER BY a.attempt_no DESC LIMIT 1",
        attempts::COLUMNS
    );
    let mut found = None;
    work.0
        .rows(sql.into(), params, &mut |row| {
            found = Some(attempts::attempt(row)?);
            Ok(())
        })
        .await?;
    Ok(found)
}

async fn attempt_case(work: &mut Work, no: AttemptNo) -> Result<Option<Case>, StoreError> {
    let found = find_attempt(work, "a.attempt_no = $1", params![no]).await?;
    let Some(attempt) = found else { return Ok(None) };
    let sql = "SELECT state_at_ms FROM attempt WHERE attempt_no = $1";
    let since_ms = work.the(sql, params![no], |row| row.int(0)).await?;
    let (mut stands, count, sum) = match (attempt.batch, attempt.refund) {
        (Some(batch), _) => batch_counts(work, batch).await?,
        (None, Some(refund)) => refund_counts(work, refund).await?,
        (None, None) => {
            return Err(StoreError::Inconsistent { what: format!("{no} carries nothing") });
        }
    };
    if attempt.state == AttemptState::Refused {
        let untouched = match (attempt.batch, attempt.refund) {
            (Some(batch), _) => refusal::where_refused_lies(work, batch).await?.is_some(),
            (None, refund) => {
                refusal::refund_is_untouched(work, refund.unwrap_or(RefundNo(0))).await?
            }
        };
        stands = Stands::Refused { untouched };
    }
    Ok(Some(Case {
        subject: Subject::Attempt(no),
        stands,
        bank: attempt.bank.clone(),
        register: Some(attempt.register),
        payments: Vec::new(),
        count,
        sum,
        standing: format!("{} {since_ms} {} {stands:?}", attempt.state, attempt.sends),
        attempt: Some(attempt),
        vanished: false,
        weighing: 0,
    }))
}

async fn batch_counts(work: &mut Work, no: BatchNo) -> Result<(Stands, i64, Fen), StoreError> {
    let sql = "SELECT pending, payments, sum_fen FROM batch WHERE batch_no = $1";
    work.the(sql, params![no], |row| {
        Ok((Stands::Batch { pending: row.int(0)? }, row.int(1)?, Fen::new(row.int(2)?)))
    })
    .await
}

async fn refund_counts(work: &mut Work, no: RefundNo) -> Result<(Stands, i64, Fen), StoreError> {
    let sql = "SELECT state, payments, sum_fen FROM refund WHERE refund_no = $1";
    work.the(sql, params![no], |row| {
        let state = row.word(0, RefundState::parse)?;
        Ok((Stands::Refund { state }, row.int(1)?, Fen::new(row.int(2)?)))
    })
    .await
}

fn pending(row: &Row<'_>) -> Result<CasePayment, StoreError> {
    Ok(CasePayment {
        line: row.int(0)?,
        amount: Fen::new(row.int(1)?),
        town: row.int(2)?,
        folded: Folded::Pending,
        promised: false,
    })
}

async fn batch_case(work: &mut Work, no: BatchNo) -> Result<Option<Case>, StoreError> {
    let live = "a.batch_no = $1 AND b.state IN ('open', 'settled') AND a.state <> 'refused'";
    let found = find_attempt(work, live, params![no]).await?;
    let Some(attempt) = found else { return Ok(None) };
    let sql = format!(
        "SELECT p.line, p.amount_fen, p.town FROM batch b JOIN payment p ON p.register_no = b.register_no AND p.bank = b.bank \
         AND p.line BETWEEN b.first_line AND b.last_line WHERE b.batch_no = $1 AND {MEMBER} \
         AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.attempt_no = $2 AND o.line = p.line) ORDER BY p.line"
    );
    let mut payments = Vec::new();
    work.0
        .rows(sql.into(), params![no, attempt.no], &mut |row| {
            payments.push(pending(row)?);
            Ok(())
        })
        .await?;
    // An outcome is never taken away, so as many without one are the same ones.
    let standing = format!("{} {} {} pending", attempt.no, attempt.state, payments.len());
    Ok(Some(case(Subject::Batch(no), attempt, payments, standing)))
}

/// A case about payments.
fn case(subject: Subject, attempt: Attempt, payments: Vec<CasePayment>, standing: String) -> Case {
    Case {
        subject,
        stands: Stands::Payments,
        bank: attempt.bank.clone(),
        register: Some(attempt.register),
        attempt: Some(attempt),
        vanished: false,
        weighing: 0,
        count: i64::try_from(payments.len()).unwrap_or(i64::MAX),
        sum: payments.iter().map(|payment| payment.amount).sum(),
        payments,
        standing,
    }
}

async fn payment_case(
    work: &mut Work,
    id: PaymentId,
    subject: Subject,
) -> Result<Option<Case>, StoreError> {
    let live = format!(
        "b.register_no = $1 AND b.state IN ('open', 'settled') AND a.state <> 'refused' AND EXISTS (SELECT 1 FROM payment p \
         WHERE p.register_no = b.register_no AND p.bank = b.bank AND p.line = $2 AND {MEMBER})"
    );
    let found = find_attempt(work, &live, params![id.register, id.line]).await?;
    let Some(attempt) = found else { return Ok(None) };
    let sql = "SELECT amount_fen, town FROM payment WHERE register_no = $1 AND line = $2";
    let (amount, town) = work
        .the(sql, params![id.register, id.line], |row| Ok((Fen::new(row.int(0)?), row.int(1)?)))
        .await?;
    let sql = "SELECT kind FROM outcome WHERE attempt_no = $1 AND line = $2 ORDER BY kind";
    let kinds =
        work.rows(sql, params![attempt.no, id.line], |row| row.word(0, OutcomeKind::parse)).await?;
    let folded = kinds.iter().fold(Seen::default(), |seen, kind| seen.with(*kind)).fold();
    let sql = "SELECT state FROM leftover WHERE register_no = $1 AND line = $2";
    let leftover = work
        .one(sql, params![id.register, id.line], |row| row.word(0, LeftoverState::parse))
        .await?;
    let promised = matches!(leftover, Some(LeftoverState::Reserved | LeftoverState::Refunded));
    let said: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let left = leftover.map_or("none", LeftoverState::as_str);
    let standing = format!("{} {} {} leftover {left}", attempt.no, attempt.state, said.join("+"));
    let payment = CasePayment { line: id.line, amount, town, folded, promised };
    Ok(Some(case(subject, attempt, vec![payment], standing)))
}

/// A case about something that was put aside; the payment of a line is read with it.
async fn row_case(work: &mut Work, no: ResultNo, row: i64) -> Result<Option<Case>, StoreError> {
    let sql = format!(
        "SELECT x.bank, x.register_no, q.line, CAST(CASE WHEN {} THEN 1 ELSE 0 END AS BIGINT) FROM quarantine q \
         JOIN result x ON x.result_no = q.result_no WHERE q.result_no = $1 AND q.row_no = $2",
        row_is_open()
    );
    let mut found = None;
    work.0
        .rows(sql.into(), params![no, row], &mut |row| {
            let register = row.int_opt(1)?.map(RegisterNo);
            found = Some((row.string(0)?, register, row.int_opt(2)?, row.int(3)?));
            Ok(())
        })
        .await?;
    let Some((bank, register, line, open)) = found else { return Ok(None) };
    let subject = Subject::Row(no, row);
    let about = match register.zip(line) {
        Some((register, line)) => payment_case(work, PaymentId { register, line }, subject).await?,
        None => None,
    };
    let aside = Case {
        subject,
        stands: Stands::Aside { open },
        bank,
        register,
        attempt: None,
        vanished: false,
        weighing: 0,
        payments: Vec::new(),
        count: 0,
        sum: Fen::ZERO,
        standing: format!("{open} open"),
    };
    Ok(Some(match about {
        None => aside,
        Some(about) => Case {
            standing: format!("{open} open {}", about.standing),
            stands: aside.stands,
            ..about
        },
    }))
}

async fn result_case(work: &mut Work, no: ResultNo) -> Result<Option<Case>, StoreError> {
    let sql = "SELECT bank, register_no, state FROM result WHERE result_no = $1";
    let found = work
        .one(sql, params![no], |row| {
            Ok((row.string(0)?, row.int_opt(1)?.map(RegisterNo), row.string(2)?))
        })
        .await?;
    let Some((bank, register, state)) = found else { return Ok(None) };
    let open = open_of(work, no).await?;
    Ok(Some(Case {
        subject: Subject::Result(no),
        stands: Stands::Aside { open },
        bank,
        register,
        attempt: None,
        vanished: false,
        weighing: 0,
        payments: Vec::new(),
        count: 0,
        sum: Fen::ZERO,
        standing: format!("{state} {open} open"),
    }))
}

/// What stood about an attempt is over once two people have answered for all of its payments.
pub(super) async fn clear_settled(
    work: &mut Work,
    attempt: &Attempt,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT state FROM batch WHERE batch_no = $1";
    let batch = attempt.batch.map(|no| no.0);
    let state = work.one(sql, params![batch], |row| row.string(0)).await?;
    if state.as_deref() != Some("settled") {
        return Ok(());
    }
    for kind in [AlertKind::OtherContent, AlertKind::Vanished, AlertKind::Contradiction] {
        crate::store::alerts::clear(work, kind, &attempt.no.to_string(), now_ms).await?;
    }
    Ok(())
}
