//! The five places of money, and the one account outside them.

use crate::model::money::Fen;

words! {
    /// Where approved money is. Every fen is in exactly one of the first five (I7); `Disputed` counts
    /// credits beyond what was approved, and alarms while it is not zero; `Finance` is the world
    /// outside, out of which an approval comes and into which a withdrawal goes.
    Place {
        Unsent = "unsent",
        InFlight = "in_flight",
        Credited = "credited",
        Refundable = "refundable",
        Refunded = "refunded",
        Disputed = "disputed",
        Finance = "finance",
    }
}

impl Place {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Unsent => "待发送",
            Self::InFlight => "在途",
            Self::Credited => "已入账",
            Self::Refundable => "待退回",
            Self::Refunded => "已退回财政",
            Self::Disputed => "争议款",
            Self::Finance => "财政",
        }
    }
}

/// How much is in each place, for one share, one register or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    pub approved: Fen,
    pub unsent: Fen,
    pub in_flight: Fen,
    pub credited: Fen,
    pub refundable: Fen,
    pub refunded: Fen,
    pub disputed: Fen,
}

impl Places {
    /// Adds another account of places to this one.
    ///
    /// # Panics
    /// On overflow of 64 bits: a wrapped sum would be a lie about money.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = |a: Fen, b: Fen| [a, b].into_iter().sum();
        Self {
            approved: add(self.approved, other.approved),
            unsent: add(self.unsent, other.unsent),
            in_flight: add(self.in_flight, other.in_flight),
            credited: add(self.credited, other.credited),
            refundable: add(self.refundable, other.refundable),
            refunded: add(self.refunded, other.refunded),
            disputed: add(self.disputed, other.disputed),
        }
    }

    /// Is every approved fen in exactly one of the five places, and none of them negative (I7)?
    pub fn conserved(self) -> bool {
        let five = [self.unsent, self.in_flight, self.credited, self.refundable, self.refunded];
        let sum = five.iter().try_fold(Fen::ZERO, |sum, part| sum.checked_add(*part));
        sum == Some(self.approved) && five.iter().all(|part| part.get() >= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_conservation_is_noticed_when_broken() {
        let whole = Places {
            approved: Fen::new(15),
            unsent: Fen::new(1),
            in_flight: Fen::new(2),
            credited: Fen::new(3),
            refundable: Fen::new(4),
            refunded: Fen::new(5),
            disputed: Fen::new(7),
        };
        assert!(whole.conserved());
        assert!(!Places { approved: Fen::new(16), ..whole }.conserved());
        assert!(!Places { unsent: Fen::new(-1), credited: Fen::new(5), ..whole }.conserved());
        assert!(whole.plus(whole).conserved());
    }
}
