//! Leftover money, payment by payment: each row of it follows from outcomes, decisions and refunds.

use std::collections::{BTreeMap, HashMap};

use crate::model::id::RegisterNo;
use crate::model::money::Fen;
use crate::model::outcome::{Folded, OutcomeKind};
use crate::model::place::Places;
use crate::model::refund::{LeftoverCause, LeftoverState, RefundState};
use crate::store::StoreError;
use crate::store::sql::{Work, params};
use crate::store::verify::Verification;
use crate::store::verify::told::Told;

/// A row of leftover, as far as it follows from what was said of its payment.
pub(super) struct Leftover {
    state: LeftoverState,
    cause: LeftoverCause,
    at_ms: i64,
}

impl Leftover {
    /// Is its money refundable or refunded?
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self.state, LeftoverState::Withdrawn | LeftoverState::Absent)
    }
}

/// Leftover per payment of a register, added to the computed places. What follows from decisions and
/// refunds is compared here, what follows from outcomes in [`check_leftover`].
pub(super) async fn leftovers(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    told: &Told,
    computed: &mut BTreeMap<String, Places>,
) -> Result<HashMap<i64, Leftover>, StoreError> {
    let sql = "SELECT refund_no, state FROM refund WHERE register_no = $1";
    let refunds: HashMap<i64, RefundState> = work
        .rows(sql, params![no], |row| Ok((row.int(0)?, row.word(1, RefundState::parse)?)))
        .await?
        .into_iter()
        .collect();
    let sql = "SELECT l.line, l.bank, l.amount_fen, l.state, l.cause, l.refund_no, l.at_ms, p.bank, p.amount_fen FROM leftover l \
               LEFT JOIN payment p ON p.register_no = l.register_no AND p.line = l.line WHERE l.register_no = $1";
    let drops = told.drops.get(&no.0);
    let mut out = HashMap::new();
    let mut unfit = Vec::new();
    work.rows(sql, params![no], |row| {
        let (line, bank, amount) = (row.int(0)?, row.text(1)?, row.int(2)?);
        let state = row.word(3, LeftoverState::parse)?;
        let leftover =
            Leftover { state, cause: row.word(4, LeftoverCause::parse)?, at_ms: row.int(6)? };
        let refund = row.int_opt(5)?;
        let carried = refund.map(|refund| refunds.get(&refund).copied());
        let refunded = match state {
            LeftoverState::Reserved => carried == Some(Some(RefundState::Open)),
            LeftoverState::Refunded => carried == Some(Some(RefundState::Confirmed)),
            LeftoverState::Open | LeftoverState::Withdrawn | LeftoverState::Absent => {
                refund.is_none()
            }
        };
        let dropped = leftover.cause != LeftoverCause::Dropped
            || drops.is_some_and(|times| times.contains(&leftover.at_ms));
        let paid = (row.text_opt(7)?, row.int_opt(8)?) == (Some(bank), Some(amount));
        if !(refunded && dropped && paid) {
            unfit.push(line);
        }
        let places = computed.entry(bank.to_owned()).or_default();
        let place = match state {
            LeftoverState::Refunded => Some(&mut places.refunded),
            _ if leftover.is_kept() => Some(&mut places.refundable),
            _ => None,
        };
        if let Some(place) = place {
            *place = [*place, Fen::new(amount)].into_iter().sum();
        }
        out.insert(line, leftover);
        Ok(())
    })
    .await?;
    if let Some(line) = unfit.first() {
        found.problems.push(format!(
            "{no}: the leftover of line {line} and {} more is not what refunds, decisions and payments make",
            unfit.len() - 1
        ));
    }
    Ok(out)
}

/// Is the leftover of a payment another than its answers make, each with the time it was taken?
pub(super) fn check_leftover(
    leftover: Option<&Leftover>,
    state: Folded,
    said: &[(OutcomeKind, i64)],
) -> bool {
    let since = |kind: OutcomeKind| said.iter().find(|(said, _)| *said == kind).map(|(_, at)| *at);
    let (failed, returned) = (since(OutcomeKind::Failed), since(OutcomeKind::Returned));
    // Credited although a failure was said too: two people settled it.
    let settled = state == Folded::Credited && failed.is_some();
    let Some(leftover) = leftover else {
        // A credit that was there first is taken back by a failure without ever being leftover.
        let credited = since(OutcomeKind::Credited);
        let never = state == Folded::Conflict || settled;
        return !never && (failed.is_some() || returned.is_some())
            || failed < credited && failed.is_some();
    };
    let begun = match leftover.cause {
        LeftoverCause::Dropped => vec![],
        // Two people may have decided so later, of money that a contradiction had taken back.
        LeftoverCause::Failed => vec![failed, since(OutcomeKind::SettledFailed)],
        LeftoverCause::Returned => vec![returned],
    };
    let stands = match state {
        Folded::Failed | Folded::Returned => leftover.is_kept(),
        Folded::Conflict => leftover.state != LeftoverState::Open,
        Folded::Credited => settled && leftover.state == LeftoverState::Withdrawn,
        Folded::Pending => false,
    };
    !stands || !begun.contains(&Some(leftover.at_ms))
}
