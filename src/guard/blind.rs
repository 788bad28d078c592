//! The blind index: equal values have equal blinds, and a blind says nothing else (design 3).
//!
//! A plain hash of an identity number is no secret, because all of them can be tried; a keyed one
//! is, as long as the key is. Blinds are cut to 16 bytes: enough that two of 10^9 people never
//! collide in practice, and the index is half the size.

use std::fmt;

use ring::hmac;

use crate::guard::key::{Key, hex};

/// The length of a blind, in bytes.
pub const BLIND_BYTES: usize = 16;

/// Makes blinds with one key. Another key makes other blinds: its id is kept beside each of them.
pub struct Blinder {
    id: u8,
    key: hmac::Key,
}

impl Blinder {
    pub fn new(id: u8, key: &Key) -> Self {
        Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, key.bytes()) }
    }

    /// The id of its key.
    pub const fn key_id(&self) -> u8 {
        self.id
    }

    /// A print of its key: it tells another key under the same id, and nothing else.
    pub fn fingerprint(&self) -> String {
        hex(&self.blind("which key", b"is this?")[..8])
    }

    /// The blind of `value` as a `kind` (`document`, `account`): the same digits of another kind
    /// have another blind. The caller normalises (a check digit `x` is `X`).
    pub fn blind(&self, kind: &str, value: &[u8]) -> [u8; BLIND_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(kind.len() as u64).to_be_bytes());
        context.update(kind.as_bytes());
        context.update(value);
        let tag = context.sign();
        let mut blind = [0; BLIND_BYTES];
        blind.copy_from_slice(&tag.as_ref()[..BLIND_BYTES]);
        blind
    }
}

impl fmt::Debug for Blinder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Blinder(key {})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blinds_depend_on_key_kind_and_value() {
        let blinder = Blinder::new(3, &Key::new([1; 32]));
        let blind = blinder.blind("document", b"11010519491231002X");
        assert_eq!(blind, blinder.blind("document", b"11010519491231002X"));
        assert_ne!(blind, blinder.blind("account", b"11010519491231002X"));
        assert_ne!(blind, blinder.blind("document", b"110105194912310021"));
        assert_ne!(blind, blinder.blind("documen", b"t11010519491231002X"));
        let other = Blinder::new(3, &Key::new([2; 32]));
        assert_ne!(blind, other.blind("document", b"11010519491231002X"));
        assert_eq!(blinder.key_id(), 3);
        assert_eq!(format!("{blinder:?}"), "Blinder(key 3)");
    }

    #[test]
    fn blinds_never_change_between_releases() {
        let blinder = Blinder::new(1, &Key::new([0; 32]));
        // Python: hmac.new(bytes(32), (8).to_bytes(8,'big') + b'document' + b'1', 'sha256')
        assert_eq!(hex(&blinder.blind("document", b"1")), "05912b8f3c8cb56e51652d1000b8d020");
    }
}
