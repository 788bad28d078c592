//! Key material: 32 bytes, wiped when dropped, never printed.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::guard::random;

/// The length of every key, in bytes.
pub const KEY_BYTES: usize = 32;

/// A 256-bit key. It has no `Display`; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Why the content of a key file is not a key. Never says what was found, only how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key is 32 raw bytes or 64 hexadecimal digits; found {0} bytes")]
    Length(usize),
    #[error("a key of 64 characters is hexadecimal; character {0} is not a hexadecimal digit")]
    Digit(usize),
    #[error("32 characters of readable text are a password, not a key of 32 random bytes")]
    Text,
}

impl Key {
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key from the system's randomness.
    pub fn random() -> Self {
        let mut bytes = random::bytes();
        let key = Self::new(bytes);
        bytes.zeroize();
        key
    }

    /// Reads the content of a key file or credential: 32 raw bytes, or 64 hexadecimal digits with
    /// or without a line end.
    ///
    /// # Errors
    /// [`KeyError`], with nothing of the content in it.
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        if content.len() == KEY_BYTES {
            if content.iter().all(|b| (b' '..=b'~').contains(b)) {
                return Err(KeyError::Text);
            }
            let mut key = [0; KEY_BYTES];
            key.copy_from_slice(content);
            return Ok(Self::new(key));
        }
        let text = content.trim_ascii();
        if text.len() != 2 * KEY_BYTES {
            return Err(KeyError::Length(content.len()));
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (at, (byte, pair)) in key.iter_mut().zip(text.chunks_exact(2)).enumerate() {
            let digit = |offset: usize| {
                char::from(pair[offset]).to_digit(16).ok_or(KeyError::Digit(2 * at + offset + 1))
            };
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).unwrap_or_default();
        }
        Ok(Self(key))
    }

    /// The key as 64 hexadecimal digits: what a new key file holds.
    pub fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(self.bytes()))
    }

    pub(in crate::guard) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(***)")
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads exactly `N` bytes of hexadecimal digits, of either case.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_raw_and_as_digits() {
        let raw: Vec<u8> = (0..32).collect();
        let key = Key::parse(&raw).expect("raw");
        let digits = key.hex();
        assert!(digits.starts_with("000102") && digits.ends_with("1e1f"));
        for text in [digits.to_string(), format!("{}\n", *digits), digits.to_uppercase()] {
            assert_eq!(Key::parse(text.as_bytes()).expect("digits").bytes(), raw);
        }
        assert_ne!(Key::random().bytes(), Key::random().bytes());
    }

    #[test]
    fn i27_what_is_not_a_key_is_refused_without_repeating_it() {
        let text = "correct horse battery staple 123";
        assert_eq!(text.len(), 32);
        assert_eq!(Key::parse(text.as_bytes()).err(), Some(KeyError::Text));
        assert_eq!(Key::parse(b"").err(), Some(KeyError::Length(0)));
        assert_eq!(Key::parse(&[1; 33]).err(), Some(KeyError::Length(33)));
        let mut digits = [b'a'; 64];
        digits[9] = b'g';
        assert_eq!(Key::parse(&digits).err(), Some(KeyError::Digit(10)));
        assert_eq!(format!("{:?}", Key::new([7; 32])), "Key(***)");
    }

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(hex(&[0, 1, 0xab, 0xff]), "0001abff");
        assert_eq!(unhex::<4>("0001abFF"), Some([0, 1, 0xab, 0xff]));
        for bad in ["", "0001abf", "0001abffff", "0001abfg", "+001abff"] {
            assert_eq!(unhex::<4>(bad), None, "{bad}");
        }
    }
}
