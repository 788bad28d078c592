//! How amounts, times, digests and words of the model are spelled in the contract.
//!
//! The model knows no serde; here its values get the spelling of `openapi.yaml`, both ways, so
//! that no other file of this room formats or parses one.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::guard::key::{hex, unhex};
use crate::model::money::{AmountError, Fen};

/// An amount in yuan as a decimal string, `1234.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Yuan(pub Fen);

impl Serialize for Yuan {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0.yuan())
    }
}

impl<'de> Deserialize<'de> for Yuan {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(input)?;
        Fen::parse_yuan(&text.0).map(Self).map_err(|error| D::Error::custom(amount_words(&error)))
    }
}

/// What is wrong with an amount, without repeating it: a shifted column may put anything there.
pub const fn amount_words(error: &AmountError) -> &'static str {
    match error {
        AmountError::Shape(_) => "an amount is digits with at most one point, like 1234.50",
        AmountError::Decimals(_) => "an amount has at most two decimals (fen)",
        AmountError::Overflow(_) => "the amount is larger than can be kept",
    }
}

/// A moment as RFC 3339 text with its offset, at most milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub i64);

impl When {
    /// Reads RFC 3339 text. Finer than a millisecond is refused: what is kept would not be what
    /// was said.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let offset_given = text.ends_with('Z')
            || bytes
                .len()
                .checked_sub(6)
                .and_then(|at| bytes.get(at))
                .is_some_and(|b| b"+-".contains(b));
        if !(20..=29).contains(&bytes.len()) || bytes[10] != b'T' || !offset_given {
            return None;
        }
        let moment: Timestamp = text.parse().ok()?;
        (moment.subsec_nanosecond() % 1_000_000 == 0).then(|| Self(moment.as_millisecond()))
    }

    /// RFC 3339 text at the county's offset.
    pub fn text(self) -> String {
        let moment = Timestamp::from_millisecond(self.0).unwrap_or_default();
        moment.display_with_offset(Offset::constant(8)).to_string()
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(input)?;
        Self::parse(&text.0).ok_or_else(|| {
            D::Error::custom("a time is RFC 3339 with its offset and at most milliseconds")
        })
    }
}

/// A SHA-256 digest as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(input)?;
        unhex(&text.0)
            .map(Self)
            .ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// Text that is borrowed from the input where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Makes a module for `#[serde(with = "...")]` that spells a list of words of the model.
macro_rules! spelled {
    ($($name:ident: $word:ty),+ $(,)?) => {$(
        pub mod $name {
            use serde::de::Error as _;
            use serde::{Deserialize as _, Deserializer, Serializer};

            /// # Errors
            /// Never of its own.
            pub fn serialize<S: Serializer>(word: &$word, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(word.as_str())
            }

            /// # Errors
            /// Where the text is no word of the list.
            pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<$word, D::Error> {
                let text = super::Text::deserialize(input)?;
                <$word>::parse(&text.0)
                    .ok_or_else(|| D::Error::custom(concat!("not a word for ", stringify!($name))))
            }
        }
    )+};
}

spelled! {
    report_kind: crate::model::report::ReportKind,
    recipient_kind: crate::model::report::RecipientKind,
    hold_reason: crate::model::hold::HoldReason,
    reason: crate::model::reason::Reason,
    actor: crate::model::reason::Actor,
    notice_state: crate::model::notice::NoticeState,
    leftover_cause: crate::model::refund::LeftoverCause,
    folded: crate::model::outcome::Folded,
    register_event: crate::finance::RegisterEvent,
    verdict: crate::finance::Verdict,
}

/// A field that must be there and may be `null`: an `Option` alone would let it be missing.
///
/// # Errors
/// Where the value is of another type.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(input)
}

/// A field that may be missing and, where it is there, is not `null`. Goes with `default`.
///
/// # Errors
/// Where the value is `null` or of another type.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back_and_carry_their_offset() {
        assert_eq!(When(1_795_420_144_000).text(), "2026-11-23T15:49:04+08:00");
        assert_eq!(When(1_795_420_144_007).text(), "2026-11-23T15:49:04.007+08:00");
        for text in [
            "2026-11-23T15:49:04+08:00",
            "2026-11-23T07:49:04Z",
            "2026-11-23T07:49:04.000Z",
            "2026-11-23T02:49:04-05:00",
        ] {
            assert_eq!(When::parse(text), Some(When(1_795_420_144_000)), "{text}");
        }
        for bad in [
            "",
            "2026-11-23",
            "2026-11-23T15:49:04",
            "2026-11-23 15:49:04+08:00",
            "2026-11-23T15:49:04.0001+08:00",
            "2026-13-23T15:49:04+08:00",
            "2026-11-23T15:49:04+08:00[Asia/Shanghai]",
            "甲乙丙丁甲乙丙丁+",
        ] {
            assert_eq!(When::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn i27_a_wrong_value_is_not_repeated() {
        let error = serde_json::from_str::<Yuan>("\"610728199001011234x\"").expect_err("no amount");
        assert!(!error.to_string().contains("610728"), "{error}");
        let error = serde_json::from_str::<When>("\"610728199001011234x\"").expect_err("no time");
        assert!(!error.to_string().contains("610728"), "{error}");
        let yuan: Yuan = serde_json::from_str("\"12.3\"").expect("amount");
        assert_eq!(serde_json::to_string(&yuan).expect("text"), "\"12.30\"");
    }
}
