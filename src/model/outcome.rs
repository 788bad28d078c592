//! What the bank says became of a payment, and how several answers fold into one state.
//!
//! The fold is order-free (I9, I10): it looks at the *set* of kinds that one attempt has received
//! for one payment, never at their sequence, so late, repeated and shuffled files end alike.

use crate::model::place::Place;
use crate::model::refund::{LeftoverCause, LeftoverState};

words! {
    /// One answer about one payment.
    OutcomeKind {
        /// The money is on the card.
        Credited = "credited",
        /// The money did not reach the card.
        Failed = "failed",
        /// Two people decided of a contradiction that the money is on the card.
        SettledCredited = "settled_credited",
        /// Two people decided of a contradiction that the money did not reach the card.
        SettledFailed = "settled_failed",
        /// The money came back after it was credited or accepted.
        Returned = "returned",
    }
}

words! {
    /// What became of one file or message of a bank about payments.
    AnswerTaken {
        /// It said something new.
        Applied = "applied",
        /// It said what was known: nothing changed.
        Repeated = "repeated",
        /// It is put aside whole, as evidence.
        Held = "held",
    }
}

words! {
    /// Where the answers of one attempt, taken together, leave a payment.
    Folded {
        /// No answer yet: in flight.
        Pending = "pending",
        Credited = "credited",
        /// Failed or never credited: refundable.
        Failed = "failed",
        /// Came back: refundable, once.
        Returned = "returned",
        /// Credited and failed at once: frozen, in flight, for two people to decide (I11).
        Conflict = "conflict",
    }
}

impl OutcomeKind {
    /// What a bank can say. The rest is decided by two people, and stands in no file of a bank.
    pub const SAID: [Self; 3] = [Self::Credited, Self::Failed, Self::Returned];

    /// Is this a decision about a contradiction?
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::SettledCredited | Self::SettledFailed)
    }

    /// Does it say that the money is on the card?
    pub const fn is_credit(self) -> bool {
        matches!(self, Self::Credited | Self::SettledCredited)
    }
}

/// How two people decided a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    Credited,
    Failed,
}

/// The set of kinds seen so far for one payment of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Seen {
    pub credited: bool,
    pub failed: bool,
    pub returned: bool,
    /// Decided once: what is decided is no contradiction any more.
    pub settled: Option<Settled>,
}

impl Seen {
    /// The set with one more answer; the same again changes nothing.
    #[must_use]
    pub const fn with(mut self, kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Credited => self.credited = true,
            OutcomeKind::Failed => self.failed = true,
            OutcomeKind::Returned => self.returned = true,
            OutcomeKind::SettledCredited => self.settled = Some(Settled::Credited),
            OutcomeKind::SettledFailed => self.settled = Some(Settled::Failed),
        }
        self
    }

    /// Was this said already?
    pub const fn has(self, kind: OutcomeKind) -> bool {
        match kind {
            OutcomeKind::Credited => self.credited,
            OutcomeKind::Failed => self.failed,
            OutcomeKind::Returned => self.returned,
            OutcomeKind::SettledCredited => matches!(self.settled, Some(Settled::Credited)),
            OutcomeKind::SettledFailed => matches!(self.settled, Some(Settled::Failed)),
        }
    }

    /// Folds the set. Returned stands over credited and over failed (design 4.4); credited with
    /// failed is a contradiction that nobody resolves silently, even when a return is said too:
    /// then it is the return that settles where the money is. Else two people settle it, and what
    /// was said stays in the set; without a contradiction their decision means nothing.
    pub const fn fold(self) -> Folded {
        match (self.returned, self.credited, self.failed) {
            (true, _, _) => Folded::Returned,
            (false, true, true) => match self.settled {
                Some(Settled::Credited) => Folded::Credited,
                Some(Settled::Failed) => Folded::Failed,
                None => Folded::Conflict,
            },
            (false, true, false) => Folded::Credited,
            (false, false, true) => Folded::Failed,
            (false, false, false) => Folded::Pending,
        }
    }
}

/// What a new answer does to the money of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// From where to where, if it moves at all.
    pub money: Option<(Place, Place)>,
    /// What becomes of its place among the leftovers.
    pub leftover: LeftoverChange,
}

/// What an answer does to a payment's leftover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverChange {
    None,
    /// It becomes leftover, for this cause (again, where it was withdrawn).
    Open(LeftoverCause),
    /// It was free leftover, and a contradiction takes it back.
    Withdraw,
}

/// Decides what a new `kind` does, after the answers `before` and with the payment's leftover in
/// state `leftover`. Pure, so that every cell of it is tested.
///
/// A contradiction takes free leftover back in flight. Where the money is already promised to
/// finance or back there, it cannot be taken back: then the credit is more than was approved, and
/// counts as disputed until a return settles it, or two people decide that there was no credit. That
/// there was one they need not decide: the dispute stands, and only money that comes back ends it.
pub fn shift(before: Seen, leftover: Option<LeftoverState>, kind: OutcomeKind) -> Shift {
    const STAY: Shift = Shift { money: None, leftover: LeftoverChange::None };
    let (old, new) = (before.fold(), before.with(kind).fold());
    if before.has(kind) || old == new || (kind.is_settled() && old != Folded::Conflict) {
        return STAY;
    }
    let moved = |from, to, leftover| Shift { money: Some((from, to)), leftover };
    let promised = matches!(leftover, Some(LeftoverState::Reserved | LeftoverState::Refunded));
    match (old, new) {
        (Folded::Pending, Folded::Credited) => {
            moved(Place::InFlight, Place::Credited, LeftoverChange::None)
        }
        (Folded::Credited, Folded::Conflict) => {
            moved(Place::Credited, Place::InFlight, LeftoverChange::None)
        }
        (Folded::Credited, Folded::Returned) => {
            moved(Place::Credited, Place::Refundable, LeftoverChange::Open(LeftoverCause::Returned))
        }
        // It is leftover already; that it came back says more than that it failed.
        (Folded::Failed, Folded::Returned) if !promised => {
            Shift { money: None, leftover: LeftoverChange::Open(LeftoverCause::Returned) }
        }
        (Folded::Failed, Folded::Conflict) if promised => {
            moved(Place::Finance, Place::Disputed, LeftoverChange::None)
        }
        (Folded::Failed, Folded::Conflict) => {
            moved(Place::Refundable, Place::InFlight, LeftoverChange::Withdraw)
        }
        (Folded::Conflict, Folded::Returned | Folded::Failed) if promised => {
            moved(Place::Disputed, Place::Finance, LeftoverChange::None)
        }
        (Folded::Pending | Folded::Conflict, Folded::Returned) => {
            moved(Place::InFlight, Place::Refundable, LeftoverChange::Open(LeftoverCause::Returned))
        }
        (Folded::Pending | Folded::Conflict, Folded::Failed) => {
            moved(Place::InFlight, Place::Refundable, LeftoverChange::Open(LeftoverCause::Failed))
        }
        (Folded::Conflict, Folded::Credited) if !promised => {
            moved(Place::InFlight, Place::Credited, LeftoverChange::None)
        }
        _ => STAY,
    }
}

impl Folded {
    /// Is the money of this payment refundable in this state?
    pub const fn is_refundable(self) -> bool {
        matches!(self, Self::Failed | Self::Returned)
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Pending => "等待银行结果",
            Self::Credited => "已入账",
            Self::Failed => "发放失败",
            Self::Returned => "已退回",
            Self::Conflict => "结果矛盾，已冻结待核",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Folded, LeftoverChange, OutcomeKind, Seen, shift};
    use crate::model::place::Place;
    use crate::model::refund::{LeftoverCause, LeftoverState};

    #[test]
    fn i9_i10_fold_is_order_free_over_all_sequences() {
        // All sequences of up to four answers, with repetitions: equal sets give equal states.
        let mut by_set = std::collections::HashMap::new();
        for length in 0..=4_u32 {
            for code in 0..3_usize.pow(length) {
                let mut rest = code;
                let mut seen = Seen::default();
                for _ in 0..length {
                    seen = seen.with(OutcomeKind::SAID[rest % 3]);
                    rest /= 3;
                }
                let state = seen.fold();
                assert_eq!(
                    *by_set.entry((seen.credited, seen.failed, seen.returned)).or_insert(state),
                    state
                );
            }
        }
        assert_eq!(by_set.len(), 8);
    }

    /// Applies answers in order and says where the money is, starting in flight.
    fn run(kinds: &[OutcomeKind]) -> (Folded, Place, Option<LeftoverCause>) {
        let (mut seen, mut place, mut leftover) = (Seen::default(), Place::InFlight, None);
        let mut cause = None;
        for kind in kinds {
            let shift = shift(seen, leftover, *kind);
            if let Some((from, to)) = shift.money {
                assert_eq!(from, place, "{kinds:?}");
                place = to;
            }
            match shift.leftover {
                LeftoverChange::None => {}
                LeftoverChange::Open(why) => {
                    leftover = Some(LeftoverState::Open);
                    cause = Some(why);
                }
                LeftoverChange::Withdraw => leftover = Some(LeftoverState::Withdrawn),
            }
            seen = seen.with(*kind);
        }
        (seen.fold(), place, cause.filter(|_| leftover == Some(LeftoverState::Open)))
    }

    #[test]
    fn i9_i10_money_ends_in_the_same_place_in_any_order() {
        let mut by_set = std::collections::HashMap::new();
        for length in 0..=4_u32 {
            for code in 0..3_usize.pow(length) {
                let mut rest = code;
                let kinds: Vec<_> = (0..length)
                    .map(|_| {
                        let kind = OutcomeKind::SAID[rest % 3];
                        rest /= 3;
                        kind
                    })
                    .collect();
                let set: std::collections::BTreeSet<_> = kinds.iter().copied().collect();
                let end = run(&kinds);
                assert_eq!(*by_set.entry(set).or_insert(end), end, "{kinds:?}");
            }
        }
    }

    #[test]
    fn f34_a_credit_after_a_refund_is_disputed_and_a_return_settles_it() {
        let failed = Seen::default().with(OutcomeKind::Failed);
        for promised in [LeftoverState::Reserved, LeftoverState::Refunded] {
            let credit = shift(failed, Some(promised), OutcomeKind::Credited);
            assert_eq!(credit.money, Some((Place::Finance, Place::Disputed)));
            let both = failed.with(OutcomeKind::Credited);
            let back = shift(both, Some(promised), OutcomeKind::Returned);
            assert_eq!(back.money, Some((Place::Disputed, Place::Finance)));
        }
    }

    #[test]
    fn i9_returned_over_failed_is_refundable_once() {
        let failed = Seen::default().with(OutcomeKind::Failed);
        assert_eq!(shift(failed, Some(LeftoverState::Open), OutcomeKind::Returned).money, None);
    }

    #[test]
    fn i11_every_cell_of_the_fold() {
        let fold =
            |credited, failed, returned| Seen { credited, failed, returned, settled: None }.fold();
        assert_eq!(fold(false, false, false), Folded::Pending);
        assert_eq!(fold(true, false, false), Folded::Credited);
        assert_eq!(fold(false, true, false), Folded::Failed);
        assert_eq!(fold(true, true, false), Folded::Conflict);
        for (credited, failed) in [(false, false), (true, false), (false, true), (true, true)] {
            assert_eq!(fold(credited, failed, true), Folded::Returned);
        }
    }

    #[test]
    fn i11_two_people_settle_a_contradiction_and_nothing_else() {
        use OutcomeKind as K;
        for code in 0..8_u8 {
            let said = K::SAID.iter().enumerate().filter(|(at, _)| (code >> at) & 1 == 1);
            let seen = said.fold(Seen::default(), |seen, (_, kind)| seen.with(*kind));
            for kind in [K::SettledCredited, K::SettledFailed] {
                let moved = shift(seen, None, kind).money;
                let (place, folded) = match (seen.fold(), kind) {
                    (Folded::Conflict, K::SettledCredited) => {
                        (Some(Place::Credited), Folded::Credited)
                    }
                    (Folded::Conflict, _) => (Some(Place::Refundable), Folded::Failed),
                    (other, _) => (None, other),
                };
                assert_eq!(moved, place.map(|place| (Place::InFlight, place)), "{seen:?} {kind}");
                assert_eq!(seen.with(kind).fold(), folded, "{seen:?} {kind}");
                // What was said once more changes nothing of what was decided.
                for again in K::SAID.into_iter().filter(|again| seen.has(*again)) {
                    assert_eq!(shift(seen.with(kind), None, again).money, None);
                }
            }
        }
    }

    #[test]
    fn i9_a_return_comes_after_a_contradiction_was_settled() {
        use OutcomeKind as K;
        let both = [K::Credited, K::Failed];
        for first in both {
            let second = if first == K::Credited { K::Failed } else { K::Credited };
            let credited = run(&[first, second, K::SettledCredited, K::Returned]);
            let failed = run(&[first, second, K::SettledFailed, K::Returned]);
            let expected = (Folded::Returned, Place::Refundable, Some(LeftoverCause::Returned));
            assert_eq!((credited, failed), (expected, expected), "{first}");
        }
    }

    #[test]
    fn f34_disputed_money_ends_where_two_people_find_that_there_was_no_credit() {
        let both = Seen::default().with(OutcomeKind::Failed).with(OutcomeKind::Credited);
        for promised in [LeftoverState::Reserved, LeftoverState::Refunded] {
            let none = shift(both, Some(promised), OutcomeKind::SettledFailed);
            assert_eq!(none.money, Some((Place::Disputed, Place::Finance)));
            assert_eq!(none.leftover, LeftoverChange::None);
            let there = shift(both, Some(promised), OutcomeKind::SettledCredited);
            assert_eq!(there.money, None, "it is disputed on");
        }
    }
}
