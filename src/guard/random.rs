//! The system's randomness: keys, nonces, tokens.

use ring::rand::{SecureRandom, SystemRandom};

/// Fills `out` from the system's randomness.
///
/// # Panics
/// Where the system gives none. Nothing may be sealed, and no key made, with less; there is nothing
/// to retry and nothing safe to go on with.
pub fn fill(out: &mut [u8]) {
    SystemRandom::new().fill(out).expect("the system gives randomness");
}

/// `N` random bytes.
///
/// # Panics
/// As [`fill`] does.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}
