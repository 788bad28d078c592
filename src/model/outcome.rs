//! What the bank says became of a payment, and how several answers fold into one state.
//!
//! The fold is order-free (I9, I10): it looks at the *set* of kinds that one attempt has received
//! for one payment, never at their sequence, so late, repeated and shuffled files end alike.

words! {
    /// One answer about one payment.
    OutcomeKind {
        /// The money is on the card.
        Credited = "credited",
        /// The money did not reach the card.
        Failed = "failed",
        /// The money came back after it was credited or accepted.
        Returned = "returned",
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

/// The set of kinds seen so far for one payment of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Seen {
    pub credited: bool,
    pub failed: bool,
    pub returned: bool,
}

impl Seen {
    #[must_use]
    pub const fn with(mut self, kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Credited => self.credited = true,
            OutcomeKind::Failed => self.failed = true,
            OutcomeKind::Returned => self.returned = true,
        }
        self
    }

    pub const fn has(self, kind: OutcomeKind) -> bool {
        match kind {
            OutcomeKind::Credited => self.credited,
            OutcomeKind::Failed => self.failed,
            OutcomeKind::Returned => self.returned,
        }
    }

    /// Folds the set. Returned stands over credited and over failed (design 4.4); credited with
    /// failed is a contradiction that nobody resolves silently, even when a return is said too:
    /// then it is the return that settles where the money is.
    pub const fn fold(self) -> Folded {
        match (self.returned, self.credited, self.failed) {
            (true, _, _) => Folded::Returned,
            (false, true, true) => Folded::Conflict,
            (false, true, false) => Folded::Credited,
            (false, false, true) => Folded::Failed,
            (false, false, false) => Folded::Pending,
        }
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
    use super::{Folded, OutcomeKind, Seen};

    #[test]
    fn i9_i10_fold_is_order_free_over_all_sequences() {
        // All sequences of up to four answers, with repetitions: equal sets give equal states.
        let mut by_set = std::collections::HashMap::new();
        for length in 0..=4_u32 {
            for code in 0..3_usize.pow(length) {
                let mut rest = code;
                let mut seen = Seen::default();
                for _ in 0..length {
                    seen = seen.with(OutcomeKind::ALL[rest % 3]);
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

    #[test]
    fn i11_every_cell_of_the_fold() {
        let fold = |credited, failed, returned| Seen { credited, failed, returned }.fold();
        assert_eq!(fold(false, false, false), Folded::Pending);
        assert_eq!(fold(true, false, false), Folded::Credited);
        assert_eq!(fold(false, true, false), Folded::Failed);
        assert_eq!(fold(true, true, false), Folded::Conflict);
        for (credited, failed) in [(false, false), (true, false), (false, true), (true, true)] {
            assert_eq!(fold(credited, failed, true), Folded::Returned);
        }
    }
}
