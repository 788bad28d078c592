//! Money: whole fen in a 64-bit integer, never a float (I22).
//!
//! Yuan exist only as text, at the edges; `rust_decimal` reads and prints them there.

use std::fmt;
use std::iter::Sum;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// An amount in fen (分, a hundredth of a yuan).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fen(i64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("an amount is digits with at most one point, like 1234.50; found {0:?}")]
    Shape(String),
    #[error("an amount has at most two decimals (fen); found {0:?}")]
    Decimals(String),
    #[error("amount {0:?} is larger than can be kept")]
    Overflow(String),
}

impl Fen {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn new(fen: i64) -> Self {
        Self(fen)
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The sum, or nothing where it does not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or nothing where it does not fit.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Reads yuan: `12`, `12.3`, `12.34`, with a leading minus where there is one. No blanks, no
    /// thousands separators, no exponent, no plus sign; more than two decimals are an error even
    /// when they are zeros, because somebody meant another unit.
    ///
    /// # Errors
    /// [`AmountError`] says what is wrong and repeats the text.
    pub fn parse_yuan(text: &str) -> Result<Self, AmountError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (digits, None),
        };
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !decimals.is_none_or(all_digits) {
            return Err(AmountError::Shape(shown(text)));
        }
        if decimals.is_some_and(|d| d.len() > 2) {
            return Err(AmountError::Decimals(shown(text)));
        }
        let overflow = || AmountError::Overflow(shown(text));
        let yuan = Decimal::from_str_exact(text).map_err(|_| overflow())?;
        let fen = yuan.checked_mul(Decimal::ONE_HUNDRED).ok_or_else(overflow)?;
        fen.to_i64().map(Self).ok_or_else(overflow)
    }

    /// Yuan with two decimals and no separators, `1234.50`: for files, messages and JSON.
    pub fn yuan(self) -> String {
        Decimal::new(self.0, 2).to_string()
    }

    /// Yuan for people, `1,234.50`.
    pub fn yuan_grouped(self) -> String {
        let plain = self.yuan();
        let (sign, rest) = plain.strip_prefix('-').map_or(("", plain.as_str()), |r| ("-", r));
        let (whole, decimals) = rest.split_once('.').unwrap_or((rest, "00"));
        let mut out = String::with_capacity(plain.len() + plain.len() / 3);
        out.push_str(sign);
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out.push('.');
        out.push_str(decimals);
        out
    }
}

/// An amount field can hold anything; an error message repeats at most this much of it.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl fmt::Display for Fen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.yuan_grouped())
    }
}

/// Adds up, and stops the process on overflow: a wrapped sum would be a lie about money.
/// Input is summed with [`Fen::checked_add`] before it gets here.
impl Sum for Fen {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a.checked_add(b).expect("a sum of accepted amounts fits"))
    }
}

#[cfg(test)]
mod tests {
    use super::{AmountError, Fen};

    #[test]
    fn i22_yuan_text_is_read_exactly() {
        for (text, fen) in [
            ("0.01", 1),
            ("12", 1200),
            ("12.3", 1230),
            ("12.34", 1234),
            ("-0.05", -5),
            ("92233720368547758.07", i64::MAX),
            ("000001.10", 110),
        ] {
            assert_eq!(Fen::parse_yuan(text), Ok(Fen::new(fen)), "{text}");
        }
    }

    #[test]
    fn i22_anything_else_is_refused() {
        for text in [
            "", ".", "1.", ".1", "1,000.00", "+1", " 1", "1 ", "1e3", "１２", "--1", "1.2.3", "NaN",
        ] {
            assert!(matches!(Fen::parse_yuan(text), Err(AmountError::Shape(_))), "{text}");
        }
        assert!(matches!(Fen::parse_yuan("1.000"), Err(AmountError::Decimals(_))));
        assert!(matches!(Fen::parse_yuan("0.001"), Err(AmountError::Decimals(_))));
        for text in ["92233720368547758.08", "99999999999999999999999999999999999999"] {
            assert!(matches!(Fen::parse_yuan(text), Err(AmountError::Overflow(_))), "{text}");
        }
    }

    #[test]
    fn i22_printing_and_reading_agree_at_the_boundaries() {
        for fen in [0, 1, -1, 99, 100, 123_456_789, i64::MAX, -i64::MAX] {
            assert_eq!(Fen::parse_yuan(&Fen::new(fen).yuan()), Ok(Fen::new(fen)));
        }
        assert_eq!(Fen::new(123_456_789).yuan_grouped(), "1,234,567.89");
        assert_eq!(Fen::new(-100_000).yuan_grouped(), "-1,000.00");
        assert_eq!(Fen::new(5).yuan_grouped(), "0.05");
        assert_eq!(Fen::MAX.checked_add(Fen::new(1)), None);
        assert_eq!(Fen::new(i64::MIN).checked_sub(Fen::new(1)), None);
    }

    #[test]
    #[should_panic(expected = "a sum of accepted amounts fits")]
    fn i22_a_sum_that_does_not_fit_stops_rather_than_wraps() {
        let sum: Fen = [Fen::MAX, Fen::new(1)].into_iter().sum();
        assert!(sum.is_positive(), "it is never come to");
    }
}
