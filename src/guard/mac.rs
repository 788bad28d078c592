//! A code over the bytes of a message alone, as banks agree on for what is called in either direction:
//! the caller puts it into a header, in hexadecimal digits.
//!
//! Neither time nor path is under it, other than in [`crate::guard::sign`]: each bank has a secret and an
//! address of its own, and the same bytes a second time change nothing (I10).

use std::fmt;

use ring::hmac;

use crate::guard::key::{hex, unhex};
use crate::guard::sign::Algorithm;

/// The fewest bytes of a secret: one that is shorter is guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// An algorithm with a secret that both sides hold.
pub struct Mac {
    algorithm: Algorithm,
    key: hmac::Key,
}

impl Mac {
    /// Nothing where the secret is too short ([`SECRET_BYTES_MIN`]).
    pub fn new(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let key = match algorithm {
            Algorithm::HmacSha256 => hmac::Key::new(hmac::HMAC_SHA256, secret),
        };
        (secret.len() >= SECRET_BYTES_MIN).then_some(Self { algorithm, key })
    }

    /// The code of these bytes, in hexadecimal digits.
    pub fn of(&self, bytes: &[u8]) -> String {
        hex(hmac::sign(&self.key, bytes).as_ref())
    }

    /// Is this the code of these bytes? How long that takes says nothing of where it differs.
    pub fn fits(&self, bytes: &[u8], code: &str) -> bool {
        unhex::<32>(code).is_some_and(|code| hmac::verify(&self.key, bytes, &code).is_ok())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Mac({})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_one_that_everybody_computes() {
        // RFC 4231, test case 3: a key of twenty bytes 0xaa, fifty bytes 0xdd.
        let mac = Mac::new(Algorithm::HmacSha256, &[0xaa; 20]).expect("long enough");
        let code = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe";
        assert_eq!(mac.of(&[0xdd; 50]), code);
        assert!(mac.fits(&[0xdd; 50], code) && mac.fits(&[0xdd; 50], &code.to_uppercase()));
        assert!(!mac.fits(&[0xdd; 51], code), "other bytes");
        for other in ["", "77", &code.replace('7', "8"), &format!("sha256={code}")] {
            assert!(!mac.fits(&[0xdd; 50], other), "{other}");
        }
        assert!(Mac::new(Algorithm::HmacSha256, &[0xaa; 15]).is_none(), "too short");
        assert_eq!(format!("{mac:?}"), "Mac(hmac-sha256)");
    }
}
