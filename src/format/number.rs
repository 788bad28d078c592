//! Numbers as banks spell them: filling zeros, an implied or a written point, and the many ways to
//! say that one is negative. Never a float, and never a digit that is dropped (F37, I22).

use crate::format::cell::{ReadFault, not};
use crate::format::error::{FieldFault, shape};
use crate::model::money::Fen;

pub(crate) use crate::format::packed::Form;

/// How a sign is spelled. The default is none: an amount of a payment has no business with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sign {
    /// Negative numbers cannot be written, and no sign is read.
    #[default]
    None,
    /// `-` before a negative number.
    Minus,
    /// `+` or `-` before every number.
    Before,
    /// `+` or `-` behind every number.
    After,
    /// `-` behind a negative number, a blank behind any other.
    MinusAfter,
    /// A negative number in parentheses, as bookkeepers have it: `(1.00)`.
    Parentheses,
    /// A letter before every number, like `C` and `D`.
    LetterBefore { positive: u8, negative: u8 },
    /// A letter behind every number.
    LetterAfter { positive: u8, negative: u8 },
    /// The last digit carries the sign (`{ABC...I` and `}JKL...R`), as COBOL has it.
    Overpunch,
    /// It stands in a field of its own, which says what this number is.
    Apart,
}

impl Sign {
    /// Is a blank before the number, or else behind it, a sign?
    pub const fn has_blank(self, before: bool) -> bool {
        match self {
            Self::MinusAfter => !before,
            Self::LetterBefore { positive, negative } => {
                before && (positive == b' ' || negative == b' ')
            }
            Self::LetterAfter { positive, negative } => {
                !before && (positive == b' ' || negative == b' ')
            }
            _ => false,
        }
    }
}

/// What is before the digits and behind them.
const fn around(sign: Sign, negative: bool) -> (Option<u8>, Option<u8>) {
    let plus_minus = if negative { b'-' } else { b'+' };
    match sign {
        Sign::Parentheses if negative => (Some(b'('), Some(b')')),
        Sign::None | Sign::Overpunch | Sign::Apart | Sign::Parentheses => (None, None),
        Sign::Minus => (if negative { Some(b'-') } else { None }, None),
        Sign::Before => (Some(plus_minus), None),
        Sign::After => (None, Some(plus_minus)),
        Sign::MinusAfter => (None, Some(if negative { b'-' } else { b' ' })),
        Sign::LetterBefore { positive, negative: letter } => {
            (Some(if negative { letter } else { positive }), None)
        }
        Sign::LetterAfter { positive, negative: letter } => {
            (None, Some(if negative { letter } else { positive }))
        }
    }
}

const OVERPUNCH: [&[u8; 10]; 2] = [b"{ABCDEFGHI", b"}JKLMNOPQR"];

/// How many of the digits behind a written point there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Decimals {
    /// As many as the scale says.
    #[default]
    All,
    /// Zeros at the end are left out and the point stays, as SWIFT has it: `1234,` and `1234,5`. Read
    /// with them or without.
    Cut,
    /// Zeros at the end are left out, the last of them with the point: `1234` and `1234.5`. Read with them
    /// or without.
    Short,
    /// Written as many as the scale says; read with zeros left out, and the point with the last of them.
    Any,
}

/// The shape of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Digits behind the point.
    pub scale: u8,
    /// The sign that stands for the point; nothing where it is implied.
    pub point: Option<u8>,
    /// Where a point is written.
    pub decimals: Decimals,
    /// What stands between thousands, in front of a point.
    pub thousands: Option<u8>,
    pub sign: Sign,
    pub form: Form,
}

impl Shape {
    /// Digits alone.
    pub const WHOLE: Self = Self {
        scale: 0,
        point: None,
        decimals: Decimals::All,
        thousands: None,
        sign: Sign::None,
        form: Form::Text,
    };

    /// Appends a number that is counted in its last digit, with zeros before it up to `fill` bytes.
    pub fn write(self, number: i64, fill: usize, out: &mut Vec<u8>) -> Result<(), FieldFault> {
        let negative = number < 0;
        if negative && self.sign == Sign::None && !self.form.is_signed() {
            let expected = "a number that is not negative".to_owned();
            return Err(FieldFault::OutOfRange { expected });
        }
        if self.sign == Sign::Apart && number == i64::MIN {
            // Without its sign it is more than can be kept when it is read.
            return Err(FieldFault::TooWide { needed: 20, there: 19 });
        }
        if let Some(there) = self.form.width() {
            let number = if self.sign == Sign::Apart { number.abs() } else { number };
            let needed = self.form.needed(number);
            if needed > there {
                return Err(FieldFault::TooWide { needed, there });
            }
            self.form.write(number, out);
            return Ok(());
        }
        let (before, after) = around(self.sign, negative);
        let (digits, scale) = self.without_zeros(number.unsigned_abs());
        let bare = scale == 0 && self.decimals == Decimals::Short;
        let point = self.point.filter(|_| self.scale > 0 && !bare);
        let signs = usize::from(before.is_some())
            + usize::from(after.is_some())
            + usize::from(point.is_some());
        // Zeros before a number would want signs between them.
        let fill = if self.thousands.is_some() { 0 } else { fill };
        let least = fill.saturating_sub(signs).max(scale + 1);
        out.extend(before);
        let from = out.len();
        write_digits(digits, least, out);
        if let Some(sign) = self.thousands {
            part_thousands(out, (from, out.len() - scale), sign);
        }
        if let Some(point) = point {
            out.insert(out.len() - scale, point);
        }
        if self.sign == Sign::Overpunch
            && let Some(last) = out.get_mut(from..).and_then(|digits| digits.last_mut())
        {
            *last = OVERPUNCH[usize::from(negative)][usize::from(*last - b'0')];
        }
        out.extend(after);
        Ok(())
    }

    /// The digits to write, and how many of them stand behind the point.
    const fn without_zeros(self, mut digits: u64) -> (u64, usize) {
        let mut scale = self.scale as usize;
        let cut = matches!(self.decimals, Decimals::Cut | Decimals::Short);
        while cut && scale > 0 && digits.is_multiple_of(10) {
            digits /= 10;
            scale -= 1;
        }
        (digits, scale)
    }

    /// Reads the number; filling zeros belong to it.
    #[inline]
    pub fn read(self, bytes: &[u8]) -> Option<i64> {
        let (negative, digits) = self.unsigned(bytes)?;
        let plain;
        let digits = match self.thousands {
            None => digits,
            Some(sign) => {
                plain = self.without_thousands(digits, sign)?;
                plain.as_slice()
            }
        };
        let scale = usize::from(self.scale);
        let number = match self.point.filter(|_| scale > 0) {
            Some(point) => {
                let there = || digits.iter().position(|byte| *byte == point);
                let at = match self.decimals {
                    Decimals::All => digits.len().checked_sub(scale + 1)?,
                    Decimals::Cut => there()?,
                    // A point with nothing behind it is nobody's spelling of these.
                    Decimals::Short | Decimals::Any => match there() {
                        Some(at) if at + 1 == digits.len() => return None,
                        found => found.unwrap_or(digits.len()),
                    },
                };
                if at == 0 || digits.get(at).is_some_and(|byte| *byte != point) {
                    return None;
                }
                let whole = read_digits(&digits[..at], negative)?;
                let whole = whole.checked_mul(10_i64.checked_pow(u32::from(self.scale))?)?;
                let behind = digits.get(at + 1..).unwrap_or_default();
                let rest = match scale.checked_sub(behind.len())? {
                    0 => read_digits(behind, negative)?,
                    _ if behind.is_empty() => 0,
                    cut => {
                        let step = 10_i64.checked_pow(u32::try_from(cut).ok()?)?;
                        read_digits(behind, negative)?.checked_mul(step)?
                    }
                };
                whole.checked_add(rest)?
            }
            // Without a point no digit is there to tell where it would be.
            None if digits.len() > scale => read_digits(digits, negative)?,
            None => return None,
        };
        // There is no minus zero: it would not be written again.
        (number != 0 || !negative).then_some(number)
    }

    /// The number without the signs between its thousands, each of which must be where it belongs: one that is
    /// elsewhere tells that a digit is missing, or that it is the point of somebody else (I22).
    fn without_thousands(self, digits: &[u8], sign: u8) -> Option<Vec<u8>> {
        let at = self.point.and_then(|point| digits.iter().position(|byte| *byte == point));
        let (whole, behind) = digits.split_at(at.unwrap_or(digits.len()));
        let mut plain = Vec::with_capacity(digits.len());
        for (at, byte) in whole.iter().enumerate() {
            match ((whole.len() - at).is_multiple_of(4), *byte) {
                (true, byte) if byte == sign && at > 0 => {}
                (false, byte @ b'0'..=b'9') => plain.push(byte),
                _ => return None,
            }
        }
        plain.extend_from_slice(behind);
        Some(plain)
    }

    #[inline]
    fn unsigned(self, bytes: &[u8]) -> Option<(bool, &[u8])> {
        let by = |sign: u8, positive: u8, negative: u8| match sign {
            _ if sign == positive => Some(false),
            _ if sign == negative => Some(true),
            _ => None,
        };
        let (last, but_last) = bytes.split_last()?;
        let (first, but_first) = bytes.split_first()?;
        Some(match self.sign {
            Sign::Minus if *first == b'-' => (true, but_first),
            Sign::None | Sign::Minus | Sign::Apart => (false, bytes),
            Sign::Before => (by(*first, b'+', b'-')?, but_first),
            Sign::After => (by(*last, b'+', b'-')?, but_last),
            Sign::MinusAfter => (by(*last, b' ', b'-')?, but_last),
            Sign::Parentheses => match bytes {
                [b'(', digits @ .., b')'] => (true, digits),
                _ => (false, bytes),
            },
            Sign::LetterBefore { positive, negative } => {
                (by(*first, positive, negative)?, but_first)
            }
            Sign::LetterAfter { positive, negative } => (by(*last, positive, negative)?, but_last),
            // Its last digit is read where the digits are.
            Sign::Overpunch => return None,
        })
    }

    /// Reads a number whose last digit carries its sign.
    pub fn read_overpunched(self, bytes: &[u8]) -> Option<i64> {
        let (last, digits) = bytes.split_last()?;
        let digit = |row: &[u8; 10]| row.iter().position(|sign| sign == last);
        let (digit, negative) = match (digit(OVERPUNCH[0]), digit(OVERPUNCH[1])) {
            (Some(digit), _) => (digit, false),
            (None, Some(digit)) => (digit, true),
            (None, None) => return None,
        };
        let mut plain = digits.to_vec();
        plain.push(b'0' + u8::try_from(digit).ok()?);
        let number = Self { sign: Sign::None, ..self }.read(&plain)?;
        match negative {
            true if number == 0 => None,
            true => Some(-number),
            false => Some(number),
        }
    }

    /// Reads the number, however it is spelled.
    #[inline]
    fn any(self, bytes: &[u8]) -> Option<i64> {
        match (self.form, self.sign) {
            (Form::Text, Sign::Overpunch) => self.read_overpunched(bytes),
            (Form::Text, _) => self.read(bytes),
            (form, _) => form.read(bytes),
        }
    }

    /// As [`Shape::read`], with a fault that says what was expected.
    #[inline]
    pub fn take(self, bytes: &[u8]) -> Result<i64, Box<ReadFault>> {
        self.any(bytes).ok_or_else(|| not(bytes, &self.told()))
    }

    /// What a number of this shape looks like.
    pub fn told(self) -> String {
        let sign = match self.sign {
            Sign::None => "",
            Sign::Minus => ", perhaps with a minus before it",
            Sign::Before => " behind a + or -",
            Sign::After => " before a + or -",
            Sign::MinusAfter => " before a - or blank",
            Sign::Parentheses => ", perhaps in parentheses",
            Sign::LetterBefore { .. } => " behind the letter of its sign",
            Sign::LetterAfter { .. } => " before the letter of its sign",
            Sign::Overpunch => ", the last one with the sign in it",
            Sign::Apart => ", the sign in a field of its own",
        };
        let behind = match self.scale {
            0 => String::new(),
            scale => format!(", {scale} digits of it behind the point"),
        };
        match self.form {
            Form::Text => {}
            Form::Packed { width, positive, negative } => {
                let signs = negative.map_or_else(String::new, |negative| format!("/{negative:X}"));
                let comma = if self.scale == 0 { "" } else { "," };
                return format!(
                    "a packed number of {width} bytes{behind}{comma} that ends in {positive:X}{signs}"
                );
            }
            Form::Binary { width, signed, .. } => {
                let signed = if signed { "signed " } else { "" };
                return format!("a {signed}binary number of {width} bytes{behind}");
            }
        }
        let between = self.thousands.map_or_else(String::new, |sign| {
            format!(" with {:?} between thousands", char::from(sign))
        });
        match (self.point.map(char::from), self.scale, self.decimals) {
            (_, 0, _) if self.thousands.is_some() => format!("digits{between}{sign}"),
            (_, 0, _) => format!("digits alone{sign}"),
            (Some(point), scale, Decimals::All) => {
                format!("digits{between}, a {point:?} and {scale} digits{sign}")
            }
            (Some(point), scale, Decimals::Cut) => {
                format!("digits{between}, a {point:?} and up to {scale} digits{sign}")
            }
            (Some(point), scale, Decimals::Short | Decimals::Any) => {
                format!("digits{between}, perhaps a {point:?} and up to {scale} digits{sign}")
            }
            (None, scale, _) => {
                format!("digits, the last {scale} behind an implied point{sign}")
            }
        }
    }

    /// How many bytes this number takes at least, with all of its digits.
    pub fn width(self, number: i64) -> usize {
        if self.form != Form::Text {
            return self.form.needed(number);
        }
        let mut out = Vec::new();
        // What cannot be written has no width; writing it says so.
        Self { decimals: Decimals::All, ..self }
            .write(number, 0, &mut out)
            .map_or(0, |()| out.len())
    }
}

/// Puts a sign between the thousands of the digits that stand there.
#[cold]
#[inline(never)]
fn part_thousands(out: &mut Vec<u8>, (from, to): (usize, usize), sign: u8) {
    let mut at = to;
    while at > from + 3 {
        at -= 3;
        out.insert(at, sign);
    }
}

/// Appends digits, at least so many.
#[inline]
pub(crate) fn write_digits(number: u64, least: usize, out: &mut Vec<u8>) {
    const MOST: usize = 20;
    let mut digits = [b'0'; MOST];
    let mut at = MOST;
    let mut rest = number;
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    let missing = least.saturating_sub(MOST - at);
    if missing <= at {
        out.extend_from_slice(&digits[at - missing..]);
    } else {
        out.resize(out.len() + missing, b'0');
        out.extend_from_slice(&digits[at..]);
    }
}

/// Digits alone, without overflow.
pub(crate) fn digits(bytes: &[u8]) -> Option<i64> {
    read_digits(bytes, false)
}

/// Digits alone; below zero where they are negative, so that the lowest number can be read too.
#[inline]
fn read_digits(bytes: &[u8], negative: bool) -> Option<i64> {
    if bytes.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    // Eighteen digits cannot overflow.
    let checked = bytes.len() > 18;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        let digit = i64::from(digit);
        number = match (checked, negative) {
            (false, false) => number * 10 + digit,
            (false, true) => number * 10 - digit,
            (true, false) => number.checked_mul(10)?.checked_add(digit)?,
            (true, true) => number.checked_mul(10)?.checked_sub(digit)?,
        };
    }
    Some(number)
}

/// The unit of an amount. There is no default: somebody always means the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Fen,
    Yuan,
}

/// Money as a field spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmountShape {
    pub unit: Unit,
    pub shape: Shape,
}

impl AmountShape {
    /// How many fen one unit of the last digit is, where it is any; and how many units of it a fen is, where
    /// there are digits for less than a fen. Those are zeros: there is no coin below the fen.
    #[inline]
    const fn steps(self) -> (i64, i64) {
        match (self.unit, self.shape.scale) {
            (Unit::Fen, _) | (Unit::Yuan, 2) => (1, 1),
            (Unit::Yuan, 0) => (100, 1),
            (Unit::Yuan, 1) => (10, 1),
            (Unit::Yuan, scale) => (1, 10_i64.pow(scale as u32 - 2)),
        }
    }

    /// An amount, counted in the last digit, where that is no fen. Out of the way of those where it is: a division
    /// is dearer than the digits.
    #[cold]
    #[inline(never)]
    fn counted(self, fen: Fen) -> Result<i64, FieldFault> {
        let (step, units) = self.steps();
        if fen.get() % step != 0 {
            let expected = "an amount without smaller coins than this field has".to_owned();
            return Err(FieldFault::OutOfRange { expected });
        }
        (fen.get() / step).checked_mul(units).ok_or_else(|| {
            let expected = "an amount that has room for these decimals".to_owned();
            FieldFault::OutOfRange { expected }
        })
    }

    /// Appends an amount, with zeros before it up to `fill` bytes.
    pub fn write(self, fen: Fen, fill: usize, out: &mut Vec<u8>) -> Result<(), FieldFault> {
        let number = if self.steps() == (1, 1) { fen.get() } else { self.counted(fen)? };
        self.shape.write(number, fill, out)
    }

    /// Reads the amount, with a fault that says what was expected.
    pub fn take(self, bytes: &[u8]) -> Result<Fen, Box<ReadFault>> {
        let (step, units) = self.steps();
        let number = self.shape.any(bytes).filter(|number| number % units == 0);
        number.and_then(|number| (number / units).checked_mul(step)).map(Fen::new).ok_or_else(
            || {
                let unit = if self.unit == Unit::Fen { "fen" } else { "yuan" };
                let zeros = if units > 1 { ", no part of a fen" } else { "" };
                let expected = format!("{unit} as {}{zeros}", self.shape.told());
                Box::new(ReadFault { at: 0, found: shape(bytes), expected })
            },
        )
    }

    /// How many bytes this amount takes at least.
    pub fn width(self, most: Fen) -> usize {
        let (step, units) = self.steps();
        self.shape.width((most.get() / step).saturating_mul(units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn yuan(scale: u8, point: Option<u8>) -> AmountShape {
        AmountShape { unit: Unit::Yuan, shape: Shape { scale, point, ..Shape::WHOLE } }
    }

    fn written(shape: AmountShape, fen: i64) -> Option<String> {
        let mut out = Vec::new();
        shape.write(Fen::new(fen), 0, &mut out).ok()?;
        assert_eq!(shape.take(&out).ok(), Some(Fen::new(fen)));
        String::from_utf8(out).ok()
    }

    #[test]
    fn i22_an_amount_has_its_unit_and_loses_no_coin() {
        let fen = AmountShape { unit: Unit::Fen, shape: Shape::WHOLE };
        for (shape, fen, text) in [
            (yuan(2, Some(b'.')), 123_405, Some("1234.05")),
            (yuan(2, Some(b',')), 123_405, Some("1234,05")),
            (yuan(2, None), 123_405, Some("123405")),
            (yuan(2, None), 5, Some("005")),
            (yuan(1, Some(b'.')), 123_400, Some("1234.0")),
            (yuan(1, Some(b'.')), 123_405, None),
            (yuan(0, None), 123_400, Some("1234")),
            (yuan(0, None), 123_405, None),
            (yuan(4, Some(b'.')), 123_405, Some("1234.0500")),
            (yuan(3, Some(b',')), 5, Some("0,050")),
            (yuan(6, None), 123_405, Some("1234050000")),
            (yuan(6, None), i64::MAX, None),
            (fen, 0, Some("0")),
            (fen, i64::MAX, Some("9223372036854775807")),
            (fen, -1, None),
        ] {
            assert_eq!(written(shape, fen).as_deref(), text, "{shape:?} {fen}");
        }
    }

    #[test]
    fn i22_digits_below_the_fen_are_zeros() {
        for text in ["12.345", "12.3401", "0.0001"] {
            let scale = text.len() - text.find('.').expect("a point") - 1;
            let shape = yuan(u8::try_from(scale).expect("small"), Some(b'.'));
            let told = shape.take(text.as_bytes()).expect_err(text).expected;
            assert!(told.ends_with("digits, no part of a fen"), "{told}");
        }
    }

    #[test]
    fn i22_signs_between_thousands_stand_where_they_belong() {
        let with = |point, thousands, sign| {
            let shape = Shape { scale: 2, point: Some(point), sign, ..Shape::WHOLE };
            AmountShape { unit: Unit::Yuan, shape: Shape { thousands: Some(thousands), ..shape } }
        };
        let plain = with(b'.', b',', Sign::None);
        let swiss = with(b'.', b'\'', Sign::Minus);
        for (fen, text) in [
            (0, "0.00"),
            (99_999, "999.99"),
            (100_000, "1,000.00"),
            (12_345_678, "123,456.78"),
            (123_456_789, "1,234,567.89"),
            (i64::MAX, "92,233,720,368,547,758.07"),
        ] {
            assert_eq!(written(plain, fen).as_deref(), Some(text));
            let minus = (fen > 0).then(|| format!("-{}", text.replace(',', "'")));
            assert_eq!(written(swiss, -fen), minus.or_else(|| Some("0.00".to_owned())));
        }
        for text in [
            "1234.00",
            "1,23.00",
            "12,34.00",
            ",123.00",
            "1,,234.00",
            "1,234,.00",
            "1.234,00",
            "1,2345.00",
            "1,234.0,0",
        ] {
            let told = plain.take(text.as_bytes()).expect_err(text).expected;
            assert_eq!(told, "yuan as digits with ',' between thousands, a '.' and 2 digits");
        }
        let whole = Shape { thousands: Some(b'.'), sign: Sign::Minus, ..Shape::WHOLE };
        let mut out = Vec::new();
        whole.write(-1_234_567, 20, &mut out).expect("fits");
        assert_eq!((out.as_slice(), whole.read(&out)), (&b"-1.234.567"[..], Some(-1_234_567)));
    }

    #[test]
    fn i22_decimals_that_are_cut_lose_no_coin() {
        let decimals = Decimals::Cut;
        let shape = Shape { scale: 2, point: Some(b','), decimals, ..Shape::WHOLE };
        let cut = AmountShape { unit: Unit::Yuan, shape };
        for (fen, text) in [
            (0, "0,"),
            (5, "0,05"),
            (50, "0,5"),
            (100, "1,"),
            (123_400, "1234,"),
            (123_450, "1234,5"),
            (123_405, "1234,05"),
            (10_000, "100,"),
            (i64::MAX, "92233720368547758,07"),
        ] {
            assert_eq!(written(cut, fen).as_deref(), Some(text));
        }
        for (text, fen) in [("1234,50", 123_450), ("1234,00", 123_400), ("0012,5", 1_250)] {
            assert_eq!(cut.take(text.as_bytes()).ok(), Some(Fen::new(fen)), "{text}");
        }
        for text in
            ["", ",", ",5", "1234", "1234,500", "12,3,4", "1,5x", "-1,", "92233720368547758,08"]
        {
            let told = cut.take(text.as_bytes()).expect_err(text).expected;
            assert_eq!(told, "yuan as digits, a ',' and up to 2 digits");
        }
        // Filled, as in fixed width: what is left out behind is filled before.
        let mut out = Vec::new();
        shape.write(1_250, 8, &mut out).expect("fits");
        assert_eq!(out, b"000012,5");
        assert_eq!(shape.read(&out), Some(1_250));
        assert_eq!(shape.width(1_200), 5, "a field must have room for all digits");
    }

    #[test]
    fn i22_amounts_as_short_as_can_be_lose_no_coin() {
        let with = |decimals, point| {
            let shape = Shape { scale: 2, point: Some(point), decimals, ..Shape::WHOLE };
            AmountShape { unit: Unit::Yuan, shape }
        };
        let short = with(Decimals::Short, b',');
        let any = with(Decimals::Any, b'.');
        for (fen, shortest, all) in [
            (0, "0", "0.00"),
            (5, "0,05", "0.05"),
            (50, "0,5", "0.50"),
            (100, "1", "1.00"),
            (10_000, "100", "100.00"),
            (123_450, "1234,5", "1234.50"),
            (123_405, "1234,05", "1234.05"),
            (i64::MAX, "92233720368547758,07", "92233720368547758.07"),
        ] {
            assert_eq!(written(short, fen).as_deref(), Some(shortest));
            assert_eq!(written(any, fen).as_deref(), Some(all));
            // Either spelling is read as the other.
            let swapped = |text: &str, from, to| text.replace(from, to).into_bytes();
            assert_eq!(short.take(&swapped(all, '.', ",")).ok(), Some(Fen::new(fen)), "{all}");
            assert_eq!(any.take(&swapped(shortest, ',', ".")).ok(), Some(Fen::new(fen)));
        }
        for (shape, point) in [(short, ","), (any, ".")] {
            for text in [
                "",
                "_",
                "_5",
                "5_",
                "1_234",
                "1_000",
                "12_3_4",
                "1_5x",
                "1 000",
                "-1",
                "+1",
                "1'000",
                "92233720368547758_08",
                "92233720368547759",
            ] {
                let told =
                    shape.take(text.replace('_', point).as_bytes()).expect_err(text).expected;
                assert_eq!(told, format!("yuan as digits, perhaps a '{point}' and up to 2 digits"));
            }
            // The other sign is no point here: it may be one that sets thousands apart.
            let other = if point == "," { "1.5" } else { "1,5" };
            assert!(shape.take(other.as_bytes()).is_err(), "{other}");
        }
        let mut out = Vec::new();
        short.shape.write(1_200, 8, &mut out).expect("fits");
        assert_eq!(out, b"00000012");
        assert_eq!(short.shape.read(&out), Some(1_200));
        assert_eq!(short.shape.width(1_200), 5, "a field must have room for all digits");
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
            assert!(yuan(2, Some(b'.')).take(text.as_bytes()).is_err(), "{text}");
        }
        assert!(yuan(2, None).take(b"12").is_err());
        let fen = AmountShape { unit: Unit::Fen, shape: Shape::WHOLE };
        assert!(fen.take(b"1.00").is_err());
        assert!(yuan(0, None).take(b"92233720368547759").is_err());
    }

    #[test]
    fn i22_every_sign_style_reads_back() {
        let letters = Sign::LetterBefore { positive: b'C', negative: b'D' };
        let behind = Sign::LetterAfter { positive: b'C', negative: b'D' };
        for (sign, positive, negative) in [
            (Sign::Minus, "0012.05", "-012.05"),
            (Sign::Before, "+012.05", "-012.05"),
            (Sign::After, "012.05+", "012.05-"),
            (Sign::MinusAfter, "012.05 ", "012.05-"),
            (Sign::Parentheses, "0012.05", "(12.05)"),
            (letters, "C012.05", "D012.05"),
            (behind, "012.05C", "012.05D"),
            (Sign::Overpunch, "0012.0E", "0012.0N"),
        ] {
            let shape = Shape { scale: 2, point: Some(b'.'), sign, ..Shape::WHOLE };
            for (number, text) in [(1_205, positive), (-1_205, negative)] {
                let mut out = Vec::new();
                shape.write(number, 7, &mut out).unwrap();
                assert_eq!(String::from_utf8_lossy(&out), text, "{sign:?}");
                assert_eq!(shape.take(&out).ok(), Some(number), "{sign:?}");
            }
            for number in [0, 1, -1, 99, -100, i64::MAX, i64::MIN + 1] {
                let mut out = Vec::new();
                shape.write(number, 0, &mut out).unwrap();
                assert_eq!(shape.take(&out).ok(), Some(number), "{sign:?} {number}");
            }
        }
        // Minus zero is nobody's spelling.
        let shape = Shape { sign: Sign::Minus, ..Shape::WHOLE };
        assert!(shape.take(b"-0").is_err());
    }
}
