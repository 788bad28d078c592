//! What can be decided of a thing as it stands. Pure, so that every cell of it is tested.

use crate::model::attempt::{AttemptKind, AttemptState};
use crate::model::decision::{Subject, Verdict};
use crate::model::id::AttemptNo;
use crate::model::outcome::Folded;
use crate::model::reason::Reason;
use crate::model::refund::RefundState;
use crate::store::decide::{Case, CasePayment, Stands};

/// What may still be heard of an attempt from its bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hope {
    /// Nothing: the bank cannot be asked, or has said all it can.
    None,
    /// It can be asked, and is.
    Question,
    /// It cannot be asked, and its answer is not late yet.
    Answer,
}

impl Hope {
    /// # Errors
    /// Why people have to wait, where something may be heard.
    fn is_none(self, bank: &str, no: AttemptNo) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            Self::Question => Err(format!(
                "{bank} can be asked about {no}, and is: its answer decides, and people only where it has none"
            )),
            Self::Answer => Err(format!(
                "the answer of {bank} about {no} is not late yet: it is waited for until then"
            )),
        }
    }
}

/// Was it said that this payment is credited, and that it failed?
pub(super) fn is_contradiction(payment: &CasePayment) -> bool {
    payment.folded == Folded::Conflict
}

/// Everything that could be decided of this; nothing where the bank decides, or nothing is open.
pub fn verdicts(case: &Case, hope: Hope) -> Vec<Verdict> {
    let can = |verdict: &Verdict| {
        let reason = (*verdict == Verdict::Failed).then_some(Reason::Other);
        check(case, *verdict, reason, hope).is_ok()
    };
    Verdict::ALL.iter().copied().filter(can).collect()
}

/// # Errors
/// In plain words, why this cannot be decided, and what can be done instead.
pub(super) fn check(
    case: &Case,
    verdict: Verdict,
    reason: Option<Reason>,
    hope: Hope,
) -> Result<(), String> {
    match (verdict, reason) {
        (Verdict::Failed, None) => {
            return Err("a payment fails for a reason: say it with --reason".to_owned());
        }
        (Verdict::Failed, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(format!("{verdict} has no reason; only failed has one")),
    }
    let subject = case.subject;
    match (subject, verdict) {
        (Subject::Attempt(_), Verdict::Received | Verdict::NotReceived | Verdict::Never) => {
            attempt(case, verdict, hope)
        }
        (Subject::Batch(_) | Subject::Payment(_), Verdict::Credited | Verdict::Failed) => {
            payments(case, verdict, hope)
        }
        (Subject::Result(_) | Subject::Row(..), Verdict::Dismissed) => aside(case),
        (Subject::Row(..), Verdict::Credited | Verdict::Failed) => {
            aside(case)?;
            if case.payments.is_empty() {
                return Err(format!(
                    "nobody knows which payment {subject} is about: dismiss it, and decide the payment by its number"
                ));
            }
            // The bank was asked and has answered: it is this answer that cannot be used.
            payments(case, verdict, Hope::None)
        }
        _ => Err(format!("{verdict} is not said of {subject}; said of it: {}", words(subject))),
    }
}

/// What is said of a kind of thing.
const fn words(subject: Subject) -> &'static str {
    match subject {
        Subject::Attempt(_) => "received, not_received, never",
        Subject::Batch(_) | Subject::Payment(_) => "credited, failed",
        Subject::Result(_) => "dismissed",
        Subject::Row(..) => "dismissed, credited, failed",
    }
}

fn attempt(case: &Case, verdict: Verdict, hope: Hope) -> Result<(), String> {
    let Some(attempt) = &case.attempt else { return Err(format!("{} is gone", case.subject)) };
    let no = attempt.no;
    if !matches!(attempt.state, AttemptState::Stopped | AttemptState::Refused) {
        hope.is_none(&case.bank, no)?;
    }
    let open = match case.stands {
        Stands::Batch { pending } => pending == case.count,
        Stands::Refund { state } => state == RefundState::Open,
        Stands::Payments | Stands::Aside { .. } | Stands::Refused { .. } => false,
    };
    let refund = attempt.kind == AttemptKind::Refund;
    match (attempt.state, verdict) {
        (AttemptState::Unknown, _) | (AttemptState::ByHand, Verdict::Received | Verdict::Never) => {
            Ok(())
        }
        (AttemptState::Accepted, Verdict::Received) if refund && open => Ok(()),
        (AttemptState::Refused, Verdict::Received) => match case.stands {
            Stands::Refused { untouched: true } => Ok(()),
            _ => Err(format!(
                "the money of {no} is not where the refusal left it any more: it was cut again, asked for again, or \
                 finance took it back. What {} paid beside that is to be settled with it",
                case.bank
            )),
        },
        (AttemptState::Accepted | AttemptState::Stopped, Verdict::Never) if open => Ok(()),
        (AttemptState::Accepted | AttemptState::Stopped, Verdict::Never) => Err(format!(
            "of {no} something is answered for already: decide what is left payment by payment"
        )),
        (AttemptState::Stopped, _) => Err(format!(
            "what {} has under {} is something else: of {no} only never can be said, or of its payments, one by one, \
             what became of them elsewhere",
            case.bank, attempt.reference
        )),
        (state, _) => Err(format!("{no} is {state}: {verdict} is nothing to decide about it")),
    }
}

fn payments(case: &Case, verdict: Verdict, hope: Hope) -> Result<(), String> {
    let Some(attempt) = &case.attempt else { return Err(format!("{} is gone", case.subject)) };
    let (subject, no) = (case.subject, attempt.no);
    let Some(first) = case.payments.first() else {
        return Err(format!("every payment of {subject} has its answer"));
    };
    match first.folded {
        Folded::Conflict if first.promised && verdict == Verdict::Credited => Err(format!(
            "the money of {subject} is promised to finance or back there: that it was credited is a dispute, which only \
             money that comes back ends"
        )),
        Folded::Conflict => Ok(()),
        Folded::Pending => match attempt.state {
            AttemptState::Stopped => Ok(()),
            AttemptState::Accepted => hope.is_none(&case.bank, no),
            AttemptState::Unknown => {
                Err(format!("nobody knows whether {} has {no}: decide {no} first", case.bank))
            }
            state => Err(format!("{no} is {state}: nobody can have answered for {subject}")),
        },
        folded => Err(format!("{subject} is {folded}: there is nothing to decide")),
    }
}

fn aside(case: &Case) -> Result<(), String> {
    match case.stands {
        Stands::Aside { open } if open > 0 => Ok(()),
        _ => Err(format!("nothing of {} waits for anybody", case.subject)),
    }
}
