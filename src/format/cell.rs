//! One value in one place: how it is spelled in bytes, whatever the layout around it.
//!
//! Fixed width adds filling, XML adds tags; what an amount, a count or a date looks like is decided
//! here alone.

use crate::format::charset::{Charset, Controls};
use crate::format::error::{FieldFault, shape};
use crate::format::moment::{self, Piece};
use crate::format::record::Record;
use crate::format::words::{Key, Moment, Source, Value};
use crate::model::money::Fen;

/// What stands in a place.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    /// Always the same text; `bytes` is how the format's character set spells it.
    Literal {
        text: String,
        bytes: Vec<u8>,
    },
    Key(Key),
    /// SHA-256 over the data part, in lower-case hex.
    DataDigest,
}

/// Which characters a text may have, beyond what its character set allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Any,
    Ascii,
    Digits,
}

/// The unit of an amount. There is no default: somebody always means the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Fen,
    Yuan,
}

/// How a value is spelled.
#[derive(Debug, Clone)]
pub(crate) enum Spelling {
    Text(Only),
    Int,
    /// `scale` digits after the point; no point is written where it is implied.
    Amount {
        unit: Unit,
        scale: u32,
        point: bool,
    },
    Moment(Vec<Piece>),
    Literal,
    Digest,
}

/// One place for one value.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// For messages: the key, or what the description calls it.
    pub name: String,
    pub bind: Bind,
    pub spelling: Spelling,
    pub optional: bool,
    /// The code table that gives the meaning of what stands here.
    pub codes: Option<usize>,
}

/// What is wrong with the bytes of one value.
#[derive(Debug, Clone)]
pub(crate) struct ReadFault {
    /// In bytes from the start of the value.
    pub at: usize,
    pub found: String,
    pub expected: String,
}

impl Cell {
    /// What the cell is filled from and read into; nothing for a literal or a digest.
    pub const fn key(&self) -> Option<Key> {
        match self.bind {
            Bind::Key(key) => Some(key),
            Bind::Literal { .. } | Bind::DataDigest => None,
        }
    }

    /// Appends the value without any filling; tells whether there is one.
    pub fn write(
        &self,
        charset: Charset,
        source: &dyn Source,
        digest: &str,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldFault> {
        let key = match &self.bind {
            Bind::Literal { bytes, .. } => {
                out.extend_from_slice(bytes);
                return Ok(true);
            }
            Bind::DataDigest => {
                out.extend_from_slice(digest.as_bytes());
                return Ok(true);
            }
            Bind::Key(key) => *key,
        };
        let value = source.get(key);
        match (&self.spelling, value) {
            (_, None | Some(Value::Text(""))) if self.optional => Ok(false),
            (_, None | Some(Value::Text(""))) => Err(FieldFault::Missing),
            (Spelling::Text(only), Some(Value::Text(text))) => {
                write_text(charset, *only, text, out).map(|()| true)
            }
            (Spelling::Int, Some(Value::Int(number))) => {
                if number < 0 {
                    return Err(out_of_range("a number that is not negative"));
                }
                write_digits(number.unsigned_abs(), 1, out);
                Ok(true)
            }
            (Spelling::Amount { unit, scale, point }, Some(Value::Amount(fen))) => {
                write_amount(*unit, *scale, *point, fen, out).map(|()| true)
            }
            (Spelling::Moment(pieces), Some(Value::Moment(moment))) => {
                moment::write(pieces, moment, out).map(|()| true)
            }
            _ => Err(out_of_range("a value of the kind that its name says")),
        }
    }

    /// Reads the value, which has no filling around it any more and is not empty.
    pub fn read(
        &self,
        charset: Charset,
        bytes: &[u8],
        record: &mut Record,
    ) -> Result<(), ReadFault> {
        let key = match &self.bind {
            Bind::Literal { text, bytes: spelled } => {
                // A document is read as UTF-8, whatever it was written in.
                let literal = if charset == Charset::Utf8 { text.as_bytes() } else { spelled };
                if literal == bytes {
                    return Ok(());
                }
                let expected = format!("the constant {text:?}");
                return Err(ReadFault { at: 0, found: shape(bytes), expected });
            }
            // The reading compares it with the data part itself.
            Bind::DataDigest => return Ok(()),
            Bind::Key(key) => *key,
        };
        match &self.spelling {
            Spelling::Text(only) => read_text(charset, *only, bytes, record.slot(key))
                .inspect_err(|_| record.unset(key)),
            Spelling::Int => {
                let number = digits(bytes).ok_or_else(|| not(bytes, "digits alone"))?;
                record.set(key, Value::Int(number));
                Ok(())
            }
            Spelling::Amount { unit, scale, point } => {
                let fen = read_amount(*unit, *scale, *point, bytes)?;
                record.set(key, Value::Amount(fen));
                Ok(())
            }
            Spelling::Moment(pieces) => {
                // A date and a time may stand in two places: what is known stays.
                let known = record.moment().unwrap_or(NO_MOMENT);
                let moment = moment::read(pieces, known, bytes)?;
                record.set(key, Value::Moment(moment));
                Ok(())
            }
            Spelling::Literal | Spelling::Digest => Ok(()),
        }
    }
}

const NO_MOMENT: Moment = Moment { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0 };

pub(crate) fn out_of_range(expected: &str) -> FieldFault {
    FieldFault::OutOfRange { expected: expected.to_owned() }
}

pub(crate) fn not(bytes: &[u8], expected: &str) -> ReadFault {
    ReadFault { at: 0, found: shape(bytes), expected: expected.to_owned() }
}

impl Only {
    const fn allows(self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Ascii => matches!(byte, b' '..=b'~'),
            Self::Digits => byte.is_ascii_digit(),
        }
    }

    /// For messages: what may stand in it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Any => "text",
            Self::Ascii => "ASCII signs alone",
            Self::Digits => "digits alone",
        }
    }
}

fn write_text(
    charset: Charset,
    only: Only,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), FieldFault> {
    if only != Only::Any && !text.bytes().all(|byte| only.allows(byte)) {
        let allowed = |c: char| u8::try_from(c).is_ok_and(|byte| only.allows(byte));
        let character = text.chars().find(|c| !allowed(*c)).unwrap_or('\u{FFFD}');
        return Err(FieldFault::NotEncodable { character });
    }
    charset.encode_into(text, out).map_err(|character| FieldFault::NotEncodable { character })
}

fn read_text(
    charset: Charset,
    only: Only,
    bytes: &[u8],
    out: &mut String,
) -> Result<(), ReadFault> {
    out.clear();
    if only != Only::Any
        && let Some(at) = bytes.iter().position(|byte| !only.allows(*byte))
    {
        let expected = only.told().to_owned();
        return Err(ReadFault { at, found: shape(bytes), expected });
    }
    charset.decode_into(bytes, Controls::None, out).map_err(|bad| {
        // A broken sequence is at most four bytes; two of them tell what it is and no name.
        let end = bytes.len().min(bad.at + 2);
        let broken = bytes.get(bad.at..end).unwrap_or_default();
        let hex: Vec<String> = broken.iter().map(|byte| format!("{byte:02X}")).collect();
        let found = format!("{} ({})", hex.join(" "), bad.why);
        ReadFault { at: bad.at, found, expected: format!("text in {}", charset.as_str()) }
    })
}

pub(crate) fn write_digits(number: u64, least: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number;
    while rest > 0 || digits.len() - at < least {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// How many fen one unit of the last digit is.
const fn step(unit: Unit, scale: u32) -> u64 {
    match (unit, scale) {
        (Unit::Fen, _) | (Unit::Yuan, 2..) => 1,
        (Unit::Yuan, 1) => 10,
        (Unit::Yuan, 0) => 100,
    }
}

fn write_amount(
    unit: Unit,
    scale: u32,
    point: bool,
    fen: Fen,
    out: &mut Vec<u8>,
) -> Result<(), FieldFault> {
    let Ok(fen) = u64::try_from(fen.get()) else {
        return Err(out_of_range("an amount that is not negative"));
    };
    let step = step(unit, scale);
    if fen % step != 0 {
        return Err(out_of_range("an amount without smaller coins than this field has"));
    }
    let number = fen / step;
    let width = usize::try_from(scale).unwrap_or(0);
    if point && scale > 0 {
        let tens = 10_u64.pow(scale);
        write_digits(number / tens, 1, out);
        out.push(b'.');
        write_digits(number % tens, width, out);
    } else {
        write_digits(number, width + 1, out);
    }
    Ok(())
}

fn read_amount(unit: Unit, scale: u32, point: bool, bytes: &[u8]) -> Result<Fen, ReadFault> {
    let wrong = || {
        let unit = if unit == Unit::Fen { "fen" } else { "yuan" };
        let expected = match (point, scale) {
            (true, 1..) => format!("{unit} as digits, a point and {scale} digits"),
            (false, 1..) => format!("{unit} as digits, the last {scale} behind an implied point"),
            (_, 0) => format!("{unit} as digits alone"),
        };
        ReadFault { at: 0, found: shape(bytes), expected }
    };
    let width = usize::try_from(scale).unwrap_or(0);
    let number = if point && scale > 0 {
        let at = bytes.len().checked_sub(width + 1).filter(|at| *at > 0).ok_or_else(wrong)?;
        let (whole, rest) = bytes.split_at(at);
        let decimals = rest.strip_prefix(b".").ok_or_else(wrong)?;
        let whole = digits(whole).ok_or_else(wrong)?;
        let decimals = digits(decimals).ok_or_else(wrong)?;
        whole.checked_mul(10_i64.pow(scale)).and_then(|n| n.checked_add(decimals))
    } else if bytes.len() > width {
        digits(bytes)
    } else {
        None
    };
    let step = i64::try_from(step(unit, scale)).unwrap_or(1);
    number.and_then(|number| number.checked_mul(step)).map(Fen::new).ok_or_else(wrong)
}

/// Digits alone, without overflow.
pub(crate) fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(unit: Unit, scale: u32, point: bool, fen: i64) -> Option<String> {
        let mut out = Vec::new();
        write_amount(unit, scale, point, Fen::new(fen), &mut out).ok()?;
        assert_eq!(read_amount(unit, scale, point, &out).ok(), Some(Fen::new(fen)));
        String::from_utf8(out).ok()
    }

    #[test]
    fn i22_an_amount_has_its_unit_and_loses_no_coin() {
        for (unit, scale, point, fen, text) in [
            (Unit::Yuan, 2, true, 123_405, Some("1234.05")),
            (Unit::Yuan, 2, false, 123_405, Some("123405")),
            (Unit::Yuan, 2, false, 5, Some("005")),
            (Unit::Yuan, 1, true, 123_400, Some("1234.0")),
            (Unit::Yuan, 1, true, 123_405, None),
            (Unit::Yuan, 0, false, 123_400, Some("1234")),
            (Unit::Yuan, 0, false, 123_405, None),
            (Unit::Fen, 0, false, 0, Some("0")),
            (Unit::Fen, 0, false, i64::MAX, Some("9223372036854775807")),
            (Unit::Fen, 0, false, -1, None),
        ] {
            assert_eq!(written(unit, scale, point, fen).as_deref(), text, "{unit:?} {scale} {fen}");
        }
    }

    #[test]
    fn f37_anything_but_exact_digits_is_no_amount() {
        for text in [
            "",
            ".",
            ".00",
            "1.0",
            "1.000",
            "1,000.00",
            "-1.00",
            "+1.00",
            " 1.00",
            "1.00 ",
            "1 0.00",
            "1.0a",
            "1..0",
            "99999999999999999999.00",
            "92233720368547758.08",
            "\u{FF11}.00",
        ] {
            assert!(read_amount(Unit::Yuan, 2, true, text.as_bytes()).is_err(), "{text}");
        }
        assert!(read_amount(Unit::Yuan, 2, false, b"12").is_err());
        assert!(read_amount(Unit::Fen, 0, false, b"1.00").is_err());
        assert!(read_amount(Unit::Yuan, 0, false, b"92233720368547759").is_err());
    }
}
