//! Sealing: personal data is encrypted wherever it rests (design 3).
//!
//! A blob is `version (1) | key id (1) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM. The
//! associated data names the row that the blob belongs to (and its amount), so that a blob moved
//! into another row does not open there. Nonces are random and come from the system alone: a
//! counter would have to survive crashes and restored backups, and a seeded one would repeat with
//! its seed. One key is good for 2^32 blobs; a province seals about 10^9 a year, so keys are
//! rotated within years, and every blob says which key opens it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use zeroize::{Zeroize, Zeroizing};

use crate::guard::key::{Key, hex};
use crate::guard::random;

/// The version of the blob's layout.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 2 + NONCE_LEN;
const TAG_BYTES: usize = 16;

/// How many bytes a blob is longer than what it holds.
pub const SEAL_BYTES: usize = HEAD_BYTES + TAG_BYTES;

/// Nonces are drawn this many at a time: a system call for each would cost more than the sealing.
const NONCES_PER_DRAW: usize = 340;

/// Why a blob does not open, or why keys do not make a sealer. Names keys by their ids, and says
/// nothing of any content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("a sealed blob has at least {SEAL_BYTES} bytes; this one has {0}")]
    Short(usize),
    #[error("a sealed blob of version {0}; this program knows version {VERSION}")]
    Version(u8),
    #[error("sealed with key {0}, which is not among the configured keys")]
    UnknownKey(u8),
    #[error("a blob sealed with key {0} does not open: other key material, other row, or altered")]
    Refused(u8),
    #[error("key id {0} is configured twice")]
    Twice(u8),
    #[error("the current key id {0} is not among the configured keys")]
    NoCurrent(u8),
}

/// Seals with the current key, opens with any of its keys.
pub struct Sealer {
    keys: BTreeMap<u8, LessSafeKey>,
    fingerprints: BTreeMap<u8, String>,
    current: u8,
    nonces: Mutex<Nonces>,
}

/// Sixteen digits that follow from a key and lead nowhere: the key is 32 random bytes.
fn fingerprint(key: &Key) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
    let print = hmac::sign(&key, b"daifa: which key is this?");
    hex(&print.as_ref()[..8])
}

impl Sealer {
    /// # Errors
    /// Where a key id comes twice, or the current one is not there.
    pub fn new(keys: impl IntoIterator<Item = (u8, Key)>, current: u8) -> Result<Self, SealError> {
        let (mut by_id, mut fingerprints) = (BTreeMap::new(), BTreeMap::new());
        for (id, key) in keys {
            fingerprints.insert(id, fingerprint(&key));
            let unbound =
                UnboundKey::new(&AES_256_GCM, key.bytes()).expect("a key has AES-256's length");
            if by_id.insert(id, LessSafeKey::new(unbound)).is_some() {
                return Err(SealError::Twice(id));
            }
        }
        if !by_id.contains_key(&current) {
            return Err(SealError::NoCurrent(current));
        }
        Ok(Self { keys: by_id, fingerprints, current, nonces: Mutex::new(Nonces::empty()) })
    }

    /// A print of each key, by its id: it tells another key under the same id, and nothing else.
    pub fn fingerprints(&self) -> impl Iterator<Item = (u8, &str)> {
        self.fingerprints.iter().map(|(id, print)| (*id, print.as_str()))
    }

    /// The id of the key that seals.
    pub const fn current(&self) -> u8 {
        self.current
    }

    /// Seals `plain` for the row that `aad` names.
    ///
    /// # Panics
    /// Where the system gives no randomness (see [`random::fill`]).
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut blob = Vec::with_capacity(plain.len() + SEAL_BYTES);
        self.seal_into(aad, plain, &mut blob);
        blob
    }

    /// Appends the sealed blob to `out`, which a caller of many rows reuses.
    ///
    /// # Panics
    /// As [`Sealer::seal`] does.
    pub fn seal_into(&self, aad: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let nonce = self.nonces.lock().unwrap_or_else(PoisonError::into_inner).next();
        out.extend_from_slice(&[VERSION, self.current]);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.keys[&self.current]
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut out[start..],
            )
            .expect("what is sealed is smaller than AES-GCM's 64 GiB");
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens a blob of the row that `aad` names.
    ///
    /// # Errors
    /// [`SealError`], also where the blob is another row's.
    pub fn open(&self, aad: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(blob.len()));
        self.open_into(aad, blob, &mut plain)?;
        Ok(plain)
    }

    /// Appends what the blob holds to `out`, and leaves `out` as it was on an error. The caller
    /// wipes what it reuses: a `Zeroizing<Vec<u8>>` with room enough leaves nothing behind.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open_into(&self, aad: &[u8], blob: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let Some((head, sealed)) = blob.split_at_checked(HEAD_BYTES) else {
            return Err(SealError::Short(blob.len()));
        };
        if sealed.len() < TAG_BYTES {
            return Err(SealError::Short(blob.len()));
        }
        if head[0] != VERSION {
            return Err(SealError::Version(head[0]));
        }
        let id = head[1];
        let key = self.keys.get(&id).ok_or(SealError::UnknownKey(id))?;
        let nonce =
            Nonce::try_assume_unique_for_key(&head[2..]).map_err(|_| SealError::Refused(id))?;
        let start = out.len();
        out.extend_from_slice(sealed);
        let opened =
            key.open_in_place(nonce, Aad::from(aad), &mut out[start..]).map(|plain| plain.len());
        if let Ok(length) = opened {
            out.truncate(start + length);
            Ok(())
        } else {
            out[start..].zeroize();
            out.truncate(start);
            Err(SealError::Refused(id))
        }
    }

    /// The key id in a blob's head: what is left to seal again after a rotation.
    pub fn key_of(blob: &[u8]) -> Option<u8> {
        (blob.first() == Some(&VERSION)).then(|| blob.get(1).copied()).flatten()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u8> = self.keys.keys().copied().collect();
        write!(out, "Sealer(keys {ids:?}, current {})", self.current)
    }
}

/// Random nonces, drawn in blocks. Each is handed out once.
struct Nonces {
    drawn: Box<[u8; NONCES_PER_DRAW * NONCE_LEN]>,
    used: usize,
}

impl Nonces {
    fn empty() -> Self {
        Self { drawn: Box::new([0; NONCES_PER_DRAW * NONCE_LEN]), used: NONCES_PER_DRAW }
    }

    fn next(&mut self) -> [u8; NONCE_LEN] {
        if self.used == NONCES_PER_DRAW {
            random::fill(self.drawn.as_mut_slice());
            self.used = 0;
        }
        let at = self.used * NONCE_LEN;
        self.used += 1;
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&self.drawn[at..at + NONCE_LEN]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::guard::key::unhex;

    fn sealer() -> Sealer {
        Sealer::new([(1, Key::new([1; 32])), (2, Key::new([2; 32]))], 2).expect("keys")
    }

    #[test]
    fn a_known_blob_opens() {
        // McGrew and Viega, test case 16 (AES-256, with associated data), under our head.
        let key = unhex::<32>("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let sealer = Sealer::new([(9, Key::new(key.expect("hex")))], 9).expect("keys");
        let blob = unhex::<90>(concat!(
            "0109",
            "cafebabefacedbaddecaf888",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let aad = unhex::<20>("feedfacedeadbeeffeedfacedeadbeefabaddad2").expect("hex");
        let plain = sealer.open(&aad, &blob.expect("hex")).expect("opens");
        let expected = unhex::<60>(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        assert_eq!(plain.as_slice(), expected.expect("hex"));
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_of_it_shows() {
        let sealer = sealer();
        for length in [0, 1, 15, 16, 17, 5000] {
            let plain = vec![b'x'; length];
            let blob = sealer.seal(b"row 1", &plain);
            assert_eq!(blob.len(), length + SEAL_BYTES);
            assert_eq!(Sealer::key_of(&blob), Some(2));
            assert_eq!(*sealer.open(b"row 1", &blob).expect("opens"), plain);
            assert!(!blob.windows(4).any(|w| w == b"xxxx"));
        }
        assert_eq!(format!("{sealer:?}"), "Sealer(keys [1, 2], current 2)");
    }

    #[test]
    fn i20_a_blob_moved_into_another_row_is_refused() {
        let sealer = sealer();
        let (first, second) = (sealer.seal(b"R1-1 500", b"a"), sealer.seal(b"R1-2 500", b"b"));
        assert!(sealer.open(b"R1-1 500", &first).is_ok());
        assert_eq!(sealer.open(b"R1-1 500", &second).err(), Some(SealError::Refused(2)));
        assert_eq!(sealer.open(b"R1-1 501", &first).err(), Some(SealError::Refused(2)));
    }

    #[test]
    fn any_altered_byte_is_refused_and_leaves_the_buffer_as_it_was() {
        let sealer = sealer();
        let blob = sealer.seal(b"row", b"content");
        for at in 0..blob.len() {
            let mut bad = blob.clone();
            bad[at] ^= 1;
            let mut out = b"kept".to_vec();
            let error = sealer.open_into(b"row", &bad, &mut out).expect_err("altered");
            assert_eq!(out, b"kept");
            match at {
                0 => assert_eq!(error, SealError::Version(0)),
                1 => assert_eq!(error, SealError::UnknownKey(3)),
                _ => assert_eq!(error, SealError::Refused(2)),
            }
        }
        for short in 0..SEAL_BYTES {
            assert_eq!(
                sealer.open(b"row", &blob[..short]).err(),
                Some(SealError::Short(short)),
                "{short}"
            );
        }
    }

    #[test]
    fn an_older_key_still_opens_after_a_rotation() {
        let old = Sealer::new([(1, Key::new([1; 32]))], 1).expect("keys");
        let blob = old.seal(b"row", b"content");
        assert_eq!(sealer().open(b"row", &blob).expect("opens").as_slice(), b"content");
        let without = Sealer::new([(2, Key::new([2; 32]))], 2).expect("keys");
        assert_eq!(without.open(b"row", &blob).err(), Some(SealError::UnknownKey(1)));
    }

    #[test]
    fn keys_are_checked() {
        let key = || Key::new([1; 32]);
        assert_eq!(Sealer::new([(1, key()), (1, key())], 1).err(), Some(SealError::Twice(1)));
        assert_eq!(Sealer::new([(1, key())], 2).err(), Some(SealError::NoCurrent(2)));
    }

    #[test]
    fn nonces_never_repeat_also_across_threads() {
        let sealer = sealer();
        let seen: Vec<HashSet<Vec<u8>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5000).map(|_| sealer.seal(b"", b"")[2..HEAD_BYTES].to_vec()).collect()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("joins")).collect()
        });
        let all: HashSet<_> = seen.into_iter().flatten().collect();
        assert_eq!(all.len(), 20_000);
    }
}
