//! The digest of a register's content (I20, I25): SHA-256 over its head and its lines, exactly as
//! finance wrote them.
//!
//! Both sides compute it: finance before it releases a register, we while the lines stream in. It
//! covers the *bytes* of each line, so that reading and writing JSON again is no part of it, and
//! the *values* of the head, whose funded time may be filled in later and therefore stays outside.
//! `finance/openapi.yaml` repeats this definition in prose for those who write the other side.

use md5::Md5;
use ring::digest::{Context, SHA256, digest};
use sm3::{Digest, Sm3};
use zeroize::Zeroizing;

use crate::guard::chain::{finish, framed};
use crate::guard::key::hex;
use crate::model::register::RegisterHead;
use crate::model::words;

/// The digest of a register while its lines pass by.
#[derive(Clone)]
pub struct ContentDigest(Context);

impl ContentDigest {
    /// Begins with the head. Its digest and its funded time are not looked at.
    ///
    /// Seventeen parts, each behind its length as 8 bytes, big-endian; numbers and the approved time
    /// (UTC epoch milliseconds) as decimal text, the sum in yuan with two decimals.
    pub fn of_head(head: &RegisterHead) -> Self {
        let parts = [
            "daifa-register-1",
            &head.id,
            &head.revision.to_string(),
            &head.programme_code,
            &head.programme_name,
            &head.summary,
            &head.department,
            &head.town,
            &head.document_no,
            &head.period,
            &head.entered_by,
            &head.reviewed_by,
            &head.approved_at_ms.to_string(),
            &head.pool_account,
            &head.voucher_no,
            &head.declared_count.to_string(),
            &head.declared_sum.yuan(),
        ];
        let mut context = Context::new(&SHA256);
        for part in parts {
            framed(&mut context, part.as_bytes());
        }
        Self(context)
    }

    /// Adds one line: its bytes as they came, without the line end.
    pub fn line(&mut self, raw: &[u8]) {
        framed(&mut self.0, raw);
    }

    /// The digest of the head and the lines added so far.
    pub fn finish(self) -> [u8; 32] {
        finish(self.0)
    }
}

/// SHA-256 of a body or a part.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

words! {
    /// The digests that banks state of their own files. MD5 finds a damaged file, not a forger.
    DigestAlgorithm {
        Md5 = "md5",
        Sha256 = "sha256",
        Sm3 = "sm3",
    }
}

impl DigestAlgorithm {
    /// How many hexadecimal digits it has.
    pub const fn hex_length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sm3 => 64,
        }
    }
}

/// One of the digests while bytes pass by.
#[derive(Clone)]
enum State {
    Md5(Md5),
    Sha256(Context),
    Sm3(Sm3),
}

impl State {
    fn new(algorithm: DigestAlgorithm) -> Self {
        match algorithm {
            DigestAlgorithm::Md5 => Self::Md5(Md5::new()),
            DigestAlgorithm::Sha256 => Self::Sha256(Context::new(&SHA256)),
            DigestAlgorithm::Sm3 => Self::Sm3(Sm3::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(digest) => digest.update(bytes),
            Self::Sha256(context) => context.update(bytes),
            Self::Sm3(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(digest) => digest.finalize().to_vec(),
            Self::Sha256(context) => context.finish().as_ref().to_vec(),
            Self::Sm3(digest) => digest.finalize().to_vec(),
        }
    }
}

/// How many bytes each of the digests works on at a time.
const BLOCK_BYTES: usize = 64;

/// A digest over bytes that pass by piece by piece, plain or with a key.
#[derive(Clone)]
pub struct BodyDigest {
    state: State,
    /// With a key: what the digest goes through once more.
    outer: Option<State>,
}

impl std::fmt::Debug for BodyDigest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("BodyDigest")
    }
}

impl BodyDigest {
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self { state: State::new(algorithm), outer: None }
    }

    /// With a key that both sides hold: HMAC over the digest (RFC 2104). It shows who wrote the bytes,
    /// which a digest alone does not.
    pub fn keyed(algorithm: DigestAlgorithm, key: &MacKey) -> Self {
        let begun = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_BYTES]);
            block.iter_mut().zip(key.0.iter()).for_each(|(byte, key)| *byte ^= *key);
            let mut state = State::new(algorithm);
            state.update(block.as_slice());
            state
        };
        Self { state: begun(0x36), outer: Some(begun(0x5c)) }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// In lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        let inner = self.state.finish();
        hex(&match self.outer {
            None => inner,
            Some(mut outer) => {
                outer.update(&inner);
                outer.finish()
            }
        })
    }
}

/// A digest in lower-case hexadecimal digits.
pub fn hex_digest(algorithm: DigestAlgorithm, bytes: &[u8]) -> String {
    let mut digest = BodyDigest::new(algorithm);
    digest.update(bytes);
    digest.finish()
}

/// The fewest bytes of a key; what is shorter can be tried out.
const MAC_KEY_BYTES_MIN: usize = 16;

/// A key that a bank gave us for the digests of its messages: 16 to 64 bytes, wiped when dropped, never
/// printed. A bank says how long it is; the house's own keys have one length.
#[derive(Clone)]
pub struct MacKey(Zeroizing<Vec<u8>>);

/// What is no such key. Never says what was found, only how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bank's key is 32 to 128 hexadecimal digits; found {0} characters")]
pub struct MacKeyError(usize);

impl MacKey {
    /// Reads a key as its file and a bank's letter have it: two hexadecimal digits a byte, with or without
    /// blanks between and a line end behind.
    ///
    /// # Errors
    /// [`MacKeyError`], with nothing of the content in it.
    pub fn parse(text: &str) -> Result<Self, MacKeyError> {
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits = text.chars().filter(|c| !c.is_ascii_whitespace()).map(digit);
        let digits: Option<Zeroizing<Vec<u8>>> =
            digits.collect::<Option<Vec<u8>>>().map(Zeroizing::new);
        let whole = digits.filter(|digits| {
            (2 * MAC_KEY_BYTES_MIN..=2 * BLOCK_BYTES).contains(&digits.len())
                && digits.len().is_multiple_of(2)
        });
        let digits = whole.ok_or_else(|| MacKeyError(text.chars().count()))?;
        let bytes = digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]);
        Ok(Self(Zeroizing::new(bytes.collect())))
    }
}

impl PartialEq for MacKey {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("MacKey(***)")
    }
}

/// Are these the same bytes? How long it takes tells only how many they are.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let differs = ours.iter().zip(theirs).fold(0, |differs, (a, b)| differs | (a ^ b));
    ours.len() == theirs.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_files_pass_their_standards_vectors() {
        for (algorithm, expected) in [
            (DigestAlgorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (
                DigestAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                DigestAlgorithm::Sm3,
                "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
            ),
        ] {
            assert_eq!(hex_digest(algorithm, b"abc"), expected);
            assert_eq!(expected.len(), algorithm.hex_length());
        }
    }

    #[test]
    fn digests_with_a_key_pass_their_standards_vectors() {
        let keyed = |algorithm, key: &str, bytes: &[u8]| {
            let mut digest = BodyDigest::keyed(algorithm, &MacKey::parse(key).expect("a key"));
            bytes.chunks(5).for_each(|piece| digest.update(piece));
            digest.finish()
        };
        // RFC 2202, case 1; RFC 4231, case 1; the third one by OpenSSL's HMAC with SM3.
        let eleven = "0b".repeat(16);
        assert_eq!(
            keyed(DigestAlgorithm::Md5, &eleven, b"Hi There"),
            "9294727a3638bb1c13f48ef8158bfc9d"
        );
        assert_eq!(
            keyed(DigestAlgorithm::Sha256, &"0b".repeat(20), b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            keyed(DigestAlgorithm::Sm3, "000102030405060708090A0B0C0D0E0F", b"abc"),
            "83fd35b3ff6211428a38c070431ad42c23a86eaca25a5ea81a1ded4704a12c7c"
        );
    }

    #[test]
    fn i27_a_banks_key_is_read_and_never_repeated() {
        let key = MacKey::parse("00112233 44556677 8899AABB CCDDEEFF\n").expect("a key");
        assert!(key == MacKey::parse("00112233445566778899aabbccddeeff").expect("a key"));
        assert_eq!(format!("{key:?}"), "MacKey(***)");
        let long = "0".repeat(130);
        for bad in
            ["", "0011", "00112233445566778899aabbccddeef", &long, "0011223344556677889\u{ff11}"]
        {
            let told = MacKey::parse(bad).expect_err(bad).to_string();
            assert_eq!(MacKey::parse(bad), Err(MacKeyError(bad.chars().count())));
            assert!(bad.is_empty() || !told.contains(bad), "{told}");
        }
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"ab", b"a"));
    }

    use crate::model::money::Fen;

    fn head() -> RegisterHead {
        RegisterHead {
            id: "2026-001".into(),
            revision: 1,
            programme_code: "P01".into(),
            programme_name: "耕地地力保护补贴".into(),
            summary: "地力补贴".into(),
            department: "县农业农村局".into(),
            town: "610728101".into(),
            document_no: "镇财发〔2026〕1号".into(),
            period: "2026".into(),
            entered_by: "e1".into(),
            reviewed_by: "r1".into(),
            approved_at_ms: 1_795_420_144_000,
            funded_at_ms: None,
            pool_account: "6107280000000000001".into(),
            voucher_no: "5201-1".into(),
            declared_count: 2,
            declared_sum: Fen::new(1230),
            digest: [0; 32],
        }
    }

    fn over(head: &RegisterHead, lines: &[&[u8]]) -> [u8; 32] {
        let mut digest = ContentDigest::of_head(head);
        for line in lines {
            digest.line(line);
        }
        digest.finish()
    }

    #[test]
    fn i25_the_digest_never_changes_between_releases() {
        // Computed with Python's hashlib over the encoding described above.
        assert_eq!(
            hex(&over(&head(), &[b"{}", "甲".as_bytes()])),
            "01c2cb74d02a5130cde9196fe60028083d0373ef531a497a748e3dcec69e3d91"
        );
    }

    #[test]
    fn i25_head_and_lines_are_covered_and_the_funded_time_is_not() {
        let base = over(&head(), &[b"ab", b"c"]);
        assert_ne!(base, over(&head(), &[b"a", b"bc"]));
        assert_ne!(base, over(&head(), &[b"ab"]));
        assert_ne!(base, over(&head(), &[b"c", b"ab"]));
        let funded = RegisterHead { funded_at_ms: Some(1), digest: [9; 32], ..head() };
        assert_eq!(base, over(&funded, &[b"ab", b"c"]));
        let changed: [fn(&mut RegisterHead); 16] = [
            |h| h.id.push('x'),
            |h| h.revision += 1,
            |h| h.programme_code.push('x'),
            |h| h.programme_name.push('x'),
            |h| h.summary.push('x'),
            |h| h.department.push('x'),
            |h| h.town.push('x'),
            |h| h.document_no.push('x'),
            |h| h.period.push('x'),
            |h| h.entered_by.push('x'),
            |h| h.reviewed_by.push('x'),
            |h| h.approved_at_ms += 1,
            |h| h.pool_account.push('x'),
            |h| h.voucher_no.push('x'),
            |h| h.declared_count += 1,
            |h| h.declared_sum = Fen::new(1),
        ];
        for (at, change) in changed.iter().enumerate() {
            let mut other = head();
            change(&mut other);
            assert_ne!(base, over(&other, &[b"ab", b"c"]), "field {at}");
        }
    }
}
