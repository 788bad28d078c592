//! What a message says about itself: how many records, what they add up to, digests, lengths, the
//! names of its own files. Worked out when written, compared when read, never taken from a caller.

use crate::format::digests::{Digesting, Passing};
use crate::format::signs::SignOf;
use crate::format::words::{PartRole, Slot, Source, Value};

/// One such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Computed {
    /// A running or closing number of the part, by its place among the part's tallies.
    Tally(usize),
    /// The digest of another part, of the body behind a frame, or of what stands before its record.
    Digest { how: Digesting, of: DigestOf },
    /// How many bytes there are, behind a frame or with it.
    Length(LengthOf),
    /// The file name of another part.
    PartName(PartRole),
    /// A digit that checks other values of its record.
    CheckDigit(CheckDigit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestOf {
    Part(PartRole),
    Body,
    /// Everything of the part, behind its frame, that stands before the record which states it.
    Before,
}

impl Computed {
    /// How many hexadecimal digits it has, where it is a digest.
    pub const fn hex_width(&self) -> Option<usize> {
        match self {
            Self::Digest { how, .. } => Some(how.keep),
            _ => None,
        }
    }
}

/// What a length counts: the body alone, the frame too, or all behind the length itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthOf {
    Body,
    All,
    /// So many bytes of the frame stand behind the length.
    Rest {
        behind: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckDigit {
    pub algorithm: CheckAlgorithm,
    pub of: Vec<Slot>,
}

/// The check digits that banks print behind numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckAlgorithm {
    /// Doubled every second digit from the right (ISO/IEC 7812).
    Luhn,
    /// Weights 2 to 9 from the right, 11 less the rest; 10 and 11 are written as 0.
    Mod11,
    /// Weights 3, 7, 1 from the left, 10 less the rest.
    Mod10Weights371,
    /// Two digits: 98 less the rest of the number with two zeros behind it by 97 (ISO 7064, MOD 97-10), as an IBAN
    /// has them, where letters count as 10 to 35.
    Mod97From98,
    /// Two digits: the rest by 97, and 97 for none, as Belgium's structured communications have them.
    Mod97,
}

impl CheckAlgorithm {
    /// How many digits it comes to.
    pub const fn digits(self) -> usize {
        match self {
            Self::Luhn | Self::Mod11 | Self::Mod10Weights371 => 1,
            Self::Mod97From98 | Self::Mod97 => 2,
        }
    }

    /// In which base its signs are digits.
    const fn base(self) -> u32 {
        match self {
            Self::Mod97From98 => 36,
            _ => 10,
        }
    }
}

/// The rest of a number by 97, of which a digit may be one of two.
fn rest_by_97(digits: &[u32]) -> u32 {
    let more = |rest: u32, digit: &u32| match *digit {
        10.. => (rest * 100 + digit) % 97,
        _ => (rest * 10 + digit) % 97,
    };
    digits.iter().fold(0, more)
}

impl CheckDigit {
    /// The digit for the values of a record; nothing where one of them is no number.
    fn digit(&self, source: &dyn Source) -> Option<i64> {
        let mut digits: Vec<u32> = Vec::new();
        for slot in &self.of {
            match source.slot(*slot)? {
                Value::Text(text) => {
                    let found: Option<Vec<u32>> =
                        text.chars().map(|c| c.to_digit(self.algorithm.base())).collect();
                    digits.extend(found?);
                }
                Value::Int(number) => {
                    digits.extend(number.to_string().chars().filter_map(|c| c.to_digit(10)));
                }
                _ => return None,
            }
        }
        let digit = match self.algorithm {
            CheckAlgorithm::Luhn => {
                let doubled = |(at, digit): (usize, &u32)| match digit * 2 {
                    twice if at % 2 == 0 => twice / 10 + twice % 10,
                    _ => *digit,
                };
                let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
                (10 - sum % 10) % 10
            }
            CheckAlgorithm::Mod11 => {
                let weights = (2..=9).cycle();
                let sum: u32 = digits.iter().rev().zip(weights).map(|(digit, w)| digit * w).sum();
                match 11 - sum % 11 {
                    10 | 11 => 0,
                    digit => digit,
                }
            }
            CheckAlgorithm::Mod10Weights371 => {
                let weights = [3, 7, 1].into_iter().cycle();
                let sum: u32 = digits.iter().zip(weights).map(|(digit, w)| digit * w).sum();
                (10 - sum % 10) % 10
            }
            CheckAlgorithm::Mod97From98 => 98 - rest_by_97(&digits) * 100 % 97,
            CheckAlgorithm::Mod97 => match rest_by_97(&digits) {
                0 => 97,
                rest => rest,
            },
        };
        Some(i64::from(digit))
    }
}

/// What is known about a message when one of its records is written.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The value of each tally at this record.
    pub tallies: Vec<i64>,
    /// Digests of parts that are written already.
    pub digests: Vec<(Digesting, DigestOf, String)>,
    /// Digests of what stands before a record, with nothing passed through them yet.
    pub before: Vec<(Digesting, Passing)>,
    pub names: Vec<(PartRole, String)>,
    /// Bytes of the body and of the frame around it.
    pub body: usize,
    pub frame: usize,
    /// The check digits of this record, in the order of its fields.
    pub check_digits: Vec<(CheckDigit, i64)>,
}

impl Facts {
    /// A number of the message at this record.
    pub fn number(&self, computed: &Computed) -> i64 {
        match computed {
            Computed::Tally(at) => self.tallies.get(*at).copied().unwrap_or_default(),
            Computed::Length(of) => of.bytes(self.body, self.frame),
            Computed::CheckDigit(plan) => {
                let known = self.check_digits.iter().find(|(known, _)| known == plan);
                known.map_or(-1, |(_, digit)| *digit)
            }
            Computed::Digest { .. } | Computed::PartName(_) => 0,
        }
    }

    /// A text of the message, where it is known by now.
    pub fn text(&self, computed: &Computed) -> Option<&str> {
        match computed {
            Computed::Digest { how, of } => {
                let known = self.digests.iter().find(|(h, o, _)| h == how && o == of);
                known.map(|(_, _, digest)| digest.as_str())
            }
            Computed::PartName(role) => {
                let known = self.names.iter().find(|(known, _)| known == role);
                known.map(|(_, name)| name.as_str())
            }
            Computed::Tally(_) | Computed::Length(_) | Computed::CheckDigit(_) => None,
        }
    }
}

impl LengthOf {
    /// So many bytes, for a body and a frame of these sizes.
    pub fn bytes(self, body: usize, frame: usize) -> i64 {
        let bytes = match self {
            Self::Body => body,
            Self::All => body + frame,
            Self::Rest { behind } => body + behind,
        };
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// What one record states about the message.
#[derive(Debug, Default)]
pub(crate) struct Stated {
    pub numbers: Vec<(Computed, i64, String)>,
    pub texts: Vec<(Computed, String, String)>,
    /// Signs that stand in fields of their own: `true` below zero.
    pub signs: Vec<(SignOf, bool)>,
}

impl Stated {
    /// Forgets what the record before stated.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.texts.clear();
        self.signs.clear();
    }

    pub fn number(&mut self, computed: &Computed, number: i64, field: &str) {
        self.numbers.push((computed.clone(), number, field.to_owned()));
    }

    pub fn text(&mut self, computed: &Computed, text: &str, field: &str) {
        self.texts.push((computed.clone(), text.to_owned(), field.to_owned()));
    }
}

/// The check digits of a record, worked out of its values.
pub(crate) fn check_digits<'p>(
    plans: impl Iterator<Item = &'p CheckDigit>,
    source: &dyn Source,
    into: &mut Vec<(CheckDigit, i64)>,
) {
    into.clear();
    into.extend(plans.filter_map(|plan| Some((plan.clone(), plan.digit(source)?))));
}
