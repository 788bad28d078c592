//! Numbers and names that identify things, each a type of its own so that a batch number can
//! never be passed where an attempt number belongs.

use std::fmt;

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident $prefix:literal),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// Reads the form that people see, with or without its letter.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                plain.then(|| digits.parse().ok().map(Self)).flatten()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!($prefix, "{}"), self.0)
            }
        }
    )+};
}

numbers! {
    /// One revision of one register, as this daemon numbers it.
    RegisterNo "R",
    /// One batch.
    BatchNo "B",
    /// One attempt, of a batch or of a refund.
    AttemptNo "A",
    /// One refund.
    RefundNo "F",
    /// One result file or answer that was taken.
    ResultNo "E",
    /// One decision of two people.
    DecisionNo "D",
}

/// One payment: a line of one revision of a register. People see `R12-345`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId {
    pub register: RegisterNo,
    /// The line number in the register, counted from 1 as finance numbers it.
    pub line: i64,
}

impl PaymentId {
    /// Reads `R12-345`.
    pub fn parse(text: &str) -> Option<Self> {
        let (register, line) = text.split_once('-')?;
        let line: i64 = line.parse().ok()?;
        (line > 0).then_some(Self { register: RegisterNo::parse(register)?, line })
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.register, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::{PaymentId, RegisterNo};

    #[test]
    fn payment_ids_read_back() {
        let id = PaymentId { register: RegisterNo(12), line: 345 };
        assert_eq!(id.to_string(), "R12-345");
        assert_eq!(PaymentId::parse("R12-345"), Some(id));
        assert_eq!(PaymentId::parse("12-345"), Some(id));
        for bad in ["", "R12", "R12-", "R12-0", "R-1", "Rx-1", "R12--1", "R+1-1"] {
            assert_eq!(PaymentId::parse(bad), None, "{bad}");
        }
    }
}
