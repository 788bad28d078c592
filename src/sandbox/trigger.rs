//! Account numbers that make a practice bank misbehave.
//!
//! The practice finance puts them into its troubled registers and the practice banks react to them:
//! the last four digits say what happens. No other account of the practice finance ends so.

/// The account does not exist.
pub const FAIL_ACCOUNT_NOT_FOUND: &str = "0401";
/// The holder has another name; the bank's words carry that name (`原户名为[..]`).
pub const FAIL_NAME_MISMATCH: &str = "0402";
/// The account is closed.
pub const FAIL_CLOSED: &str = "0403";
/// The money is credited first, and comes back later.
pub const RETURN_LATER: &str = "0501";
/// The bank loses its first answer to the batch that holds such an account.
pub const LOSE_ANSWER: &str = "0901";

/// What an account makes a practice bank do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    AccountNotFound,
    NameMismatch,
    Closed,
    ReturnLater,
    LoseAnswer,
}

impl Trigger {
    pub const ALL: [Self; 5] = [
        Self::AccountNotFound,
        Self::NameMismatch,
        Self::Closed,
        Self::ReturnLater,
        Self::LoseAnswer,
    ];

    /// The last four digits that cause it.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::AccountNotFound => FAIL_ACCOUNT_NOT_FOUND,
            Self::NameMismatch => FAIL_NAME_MISMATCH,
            Self::Closed => FAIL_CLOSED,
            Self::ReturnLater => RETURN_LATER,
            Self::LoseAnswer => LOSE_ANSWER,
        }
    }
}

/// What this account makes a practice bank do, if anything.
pub fn of(account: &str) -> Option<Trigger> {
    Trigger::ALL.into_iter().find(|trigger| account.ends_with(trigger.suffix()))
}

#[cfg(test)]
mod tests {
    use super::{Trigger, of};

    #[test]
    fn the_last_four_digits_decide() {
        for trigger in Trigger::ALL {
            assert_eq!(of(&format!("621700000000000{}", trigger.suffix())), Some(trigger));
            assert_eq!(of(&format!("6217{}00000000001", trigger.suffix())), None);
        }
        assert_eq!(of(""), None);
    }
}
