//! Numbers that are no text: packed decimals, two digits in a byte with the sign in the last half, as
//! COBOL's COMP-3 has them, and binary numbers.

/// What the digits of a number are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Digits as the character set has them.
    Text,
    Packed {
        /// In bytes.
        width: usize,
        /// The half byte behind the digits: C, or F where there are no numbers below zero.
        positive: u8,
        /// D; nothing where there are none.
        negative: Option<u8>,
    },
    Binary {
        /// In bytes.
        width: usize,
        little: bool,
        /// Two's complement.
        signed: bool,
    },
}

impl Form {
    /// The most bytes of a packed number: nineteen digits and the sign.
    pub const PACKED_BYTES_MAX: usize = 10;
    pub const BINARY_BYTES_MAX: usize = 8;

    /// The bytes that it always takes; nothing for text.
    pub const fn width(self) -> Option<usize> {
        match self {
            Self::Text => None,
            Self::Packed { width, .. } | Self::Binary { width, .. } => Some(width),
        }
    }

    /// May a number be below zero?
    pub const fn is_signed(self) -> bool {
        match self {
            Self::Text => false,
            Self::Packed { negative, .. } => negative.is_some(),
            Self::Binary { signed, .. } => signed,
        }
    }

    /// How many bytes this number takes at least.
    pub fn needed(self, number: i64) -> usize {
        match self {
            Self::Text => 0,
            Self::Packed { .. } => {
                let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
                (digits / 2 + 1) as usize
            }
            Self::Binary { signed, .. } => {
                // The highest bit is the sign's; in two's complement -128 takes no more than 127.
                let most = if number < 0 { !number } else { number };
                let bits = u64::BITS - most.unsigned_abs().leading_zeros() + u32::from(signed);
                bits.div_ceil(8).max(1) as usize
            }
        }
    }

    /// Appends a number that has room; one below zero only where they are signed.
    pub fn write(self, number: i64, out: &mut Vec<u8>) {
        let from = out.len();
        match self {
            Self::Text => {}
            Self::Packed { width, positive, negative } => {
                let sign = negative.filter(|_| number < 0).unwrap_or(positive);
                let mut rest = number.unsigned_abs();
                let mut digit = || {
                    let digit = u8::try_from(rest % 10).unwrap_or(0);
                    rest /= 10;
                    digit
                };
                out.push(digit() << 4 | sign);
                out.extend((1..width).map(|_| digit() | digit() << 4));
                out[from..].reverse();
            }
            Self::Binary { width, little, .. } => {
                let bytes = number.to_be_bytes();
                out.extend_from_slice(&bytes[bytes.len() - width..]);
                if little {
                    out[from..].reverse();
                }
            }
        }
    }

    /// Reads a number out of all bytes of its place.
    pub fn read(self, bytes: &[u8]) -> Option<i64> {
        if self.width() != Some(bytes.len()) {
            return None;
        }
        match self {
            Self::Text => None,
            Self::Packed { positive, negative, .. } => {
                let (last, digits) = bytes.split_last()?;
                let halves = digits.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
                let sign = last & 0xF;
                let below = if sign == positive {
                    false
                } else if Some(sign) == negative {
                    true
                } else {
                    return None;
                };
                let number = halves.chain([last >> 4]).try_fold(0_i64, |number, digit| {
                    let digit = i64::from(digit);
                    let number = number.checked_mul(10).filter(|_| digit < 10)?;
                    if below { number.checked_sub(digit) } else { number.checked_add(digit) }
                })?;
                // There is no minus zero: it would not be written again.
                (number != 0 || !below).then_some(number)
            }
            Self::Binary { little, signed, .. } => {
                let ordered = |at: usize| bytes[if little { bytes.len() - 1 - at } else { at }];
                let below = signed && ordered(0) >= 0x80;
                let mut all = if below { [0xFF; 8] } else { [0; 8] };
                for at in 0..bytes.len() {
                    all[8 - bytes.len() + at] = ordered(at);
                }
                let number = i64::from_be_bytes(all);
                (signed || number >= 0).then_some(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn packed(width: usize) -> Form {
        Form::Packed { width, positive: 0xC, negative: Some(0xD) }
    }

    fn written(form: Form, number: i64) -> Vec<u8> {
        let mut out = Vec::new();
        form.write(number, &mut out);
        assert_eq!(form.read(&out), Some(number), "{form:?} {number}");
        out
    }

    #[test]
    fn i22_numbers_that_are_no_text_read_back() {
        assert_eq!(written(packed(3), 12_345), [0x12, 0x34, 0x5C]);
        assert_eq!(written(packed(3), -1), [0, 0, 0x1D]);
        assert_eq!(written(packed(1), 7), [0x7C]);
        let unsigned = Form::Packed { width: 2, positive: 0xF, negative: None };
        assert_eq!(written(unsigned, 123), [0x12, 0x3F]);
        let big = |width, signed| Form::Binary { width, little: false, signed };
        assert_eq!(written(big(2, true), -2), [0xFF, 0xFE]);
        assert_eq!(written(big(2, false), 65_534), [0xFF, 0xFE]);
        assert_eq!(
            written(Form::Binary { width: 4, little: true, signed: false }, 258),
            [2, 1, 0, 0]
        );
        for number in [0, 1, -1, 9, -10, 99, 100, i64::MAX, i64::MIN] {
            written(packed(10), number);
            written(big(8, true), number);
            written(Form::Binary { width: 8, little: true, signed: true }, number);
        }
    }

    #[test]
    fn i21_a_number_has_one_spelling_and_its_room() {
        for bytes in [&[0x12, 0x3F][..], &[0x1A, 0x3C], &[0x12, 0xAC], &[0, 0x0D], &[0x1C], &[]] {
            assert_eq!(packed(2).read(bytes), None, "{bytes:02X?}");
        }
        assert_eq!(
            packed(10).read(&[0x99; 9].iter().chain(&[0x9C]).copied().collect::<Vec<_>>()),
            None
        );
        assert_eq!(Form::Binary { width: 8, little: false, signed: false }.read(&[0xFF; 8]), None);
        for (number, packed_bytes, signed, unsigned) in [
            (0, 1, 1, 1),
            (9, 1, 1, 1),
            (10, 2, 1, 1),
            (127, 2, 1, 1),
            (128, 2, 2, 1),
            (255, 2, 2, 1),
            (256, 2, 2, 2),
            (999, 2, 2, 2),
            (1000, 3, 2, 2),
            (i64::MAX, 10, 8, 8),
        ] {
            assert_eq!(packed(1).needed(number), packed_bytes, "{number}");
            for (is_signed, bytes) in [(true, signed), (false, unsigned)] {
                let form = Form::Binary { width: 1, little: false, signed: is_signed };
                assert_eq!(form.needed(number), bytes, "{number}");
            }
        }
        let form = Form::Binary { width: 1, little: false, signed: true };
        assert_eq!([form.needed(-128), form.needed(-129), form.needed(i64::MIN)], [1, 2, 8]);
    }
}
