//! The digests that banks state of their messages, plain or with a key that both sides hold, and the keys.

use std::ops::RangeInclusive;

use cbc_mac::CbcMac;
use cbc_mac::digest::{KeyInit as _, Mac};
use des::Des;
use md5::Md5;
use retail_mac::RetailMac;
use ring::digest::{Context, SHA256};
use sm3::{Digest, Sm3};
use sm4::Sm4;
use zeroize::Zeroizing;

use crate::guard::digest::same;
use crate::guard::key::hex;
use crate::model::words;

words! {
    /// The digests that banks state of their own files, and the codes that a block cipher makes of them. MD5
    /// finds a damaged file, not a forger.
    DigestAlgorithm {
        Md5 = "md5",
        Sha256 = "sha256",
        Sm3 = "sm3",
        DesMac = "x9.9",
        RetailMac = "x9.19",
        Sm4Mac = "sm4",
    }
}

impl DigestAlgorithm {
    /// How many hexadecimal digits it has.
    pub const fn hex_length(self) -> usize {
        match self {
            Self::Md5 | Self::Sm4Mac => 32,
            Self::Sha256 | Self::Sm3 => 64,
            Self::DesMac | Self::RetailMac => 16,
        }
    }

    /// Is it made by a block cipher, and so never without a key?
    pub const fn is_of_a_cipher(self) -> bool {
        matches!(self, Self::DesMac | Self::RetailMac | Self::Sm4Mac)
    }

    /// How many bytes its key has. One for HMAC has at most a block of the digest, and at least what cannot
    /// be tried out.
    pub const fn key_bytes(self) -> RangeInclusive<usize> {
        match self {
            Self::Md5 | Self::Sha256 | Self::Sm3 => HMAC_KEY_BYTES_MIN..=BLOCK_BYTES,
            Self::DesMac => 8..=8,
            Self::RetailMac | Self::Sm4Mac => 16..=16,
        }
    }

    /// What it is called, with a key or without.
    pub const fn told(self, keyed: bool) -> &'static str {
        match (self, keyed) {
            (Self::Md5, false) => "MD5",
            (Self::Sha256, false) => "SHA-256",
            (Self::Sm3, false) => "SM3",
            (Self::Md5, true) => "HMAC-MD5",
            (Self::Sha256, true) => "HMAC-SHA-256",
            (Self::Sm3, true) => "HMAC-SM3",
            (Self::DesMac, _) => "the MAC of X9.9",
            (Self::RetailMac, _) => "the MAC of X9.19",
            (Self::Sm4Mac, _) => "the CBC-MAC of SM4",
        }
    }
}

/// One of them while bytes pass by.
#[derive(Clone)]
enum State {
    Md5(Md5),
    Sha256(Context),
    Sm3(Sm3),
    Des(CbcMac<Des>),
    Retail(RetailMac<Des>),
    Sm4(CbcMac<Sm4>),
}

impl State {
    /// A digest; nothing for what needs a key.
    fn digest(algorithm: DigestAlgorithm) -> Option<Self> {
        match algorithm {
            DigestAlgorithm::Md5 => Some(Self::Md5(Md5::new())),
            DigestAlgorithm::Sha256 => Some(Self::Sha256(Context::new(&SHA256))),
            DigestAlgorithm::Sm3 => Some(Self::Sm3(Sm3::new())),
            DigestAlgorithm::DesMac | DigestAlgorithm::RetailMac | DigestAlgorithm::Sm4Mac => None,
        }
    }

    /// A code of a block cipher; nothing for a digest, or where the key is not of its length.
    fn cipher(algorithm: DigestAlgorithm, key: &[u8]) -> Option<Self> {
        match algorithm {
            DigestAlgorithm::Md5 | DigestAlgorithm::Sha256 | DigestAlgorithm::Sm3 => None,
            DigestAlgorithm::DesMac => CbcMac::new_from_slice(key).ok().map(Self::Des),
            DigestAlgorithm::RetailMac => RetailMac::new_from_slice(key).ok().map(Self::Retail),
            DigestAlgorithm::Sm4Mac => CbcMac::new_from_slice(key).ok().map(Self::Sm4),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(digest) => Digest::update(digest, bytes),
            Self::Sha256(context) => context.update(bytes),
            Self::Sm3(digest) => Digest::update(digest, bytes),
            Self::Des(mac) => Mac::update(mac, bytes),
            Self::Retail(mac) => Mac::update(mac, bytes),
            Self::Sm4(mac) => Mac::update(mac, bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(digest) => digest.finalize().to_vec(),
            Self::Sha256(context) => context.finish().as_ref().to_vec(),
            Self::Sm3(digest) => digest.finalize().to_vec(),
            Self::Des(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Retail(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sm4(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }
}

/// How many bytes each of the digests works on at a time.
const BLOCK_BYTES: usize = 64;

/// How the last block of a cipher is filled (ISO 9797-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// With zeros, where it is not full: padding method 1.
    Zeros,
    /// With a one and zeros, always: padding method 2.
    One,
}

/// A digest over bytes that pass by piece by piece, plain or with a key.
#[derive(Clone)]
pub struct BodyDigest {
    state: State,
    /// Of HMAC: what the digest goes through once more.
    outer: Option<State>,
    filling: Filling,
}

impl std::fmt::Debug for BodyDigest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("BodyDigest")
    }
}

impl BodyDigest {
    /// Without a key; nothing for what is never made without one.
    pub fn plain(algorithm: DigestAlgorithm) -> Option<Self> {
        let state = State::digest(algorithm)?;
        Some(Self { state, outer: None, filling: Filling::Zeros })
    }

    /// With a key that both sides hold: HMAC over a digest (RFC 2104), or the code that a block cipher makes of
    /// the bytes (ISO 9797-1: with DES its MAC algorithm 1, of X9.9, and 3, of X9.19; with SM4 algorithm 1). It
    /// shows who wrote the bytes, which a digest alone does not. Nothing where the key is not of its length.
    pub fn keyed(algorithm: DigestAlgorithm, key: &MacKey, filling: Filling) -> Option<Self> {
        if !algorithm.key_bytes().contains(&key.0.len()) {
            return None;
        }
        if let Some(state) = State::cipher(algorithm, &key.0) {
            return Some(Self { state, outer: None, filling });
        }
        let begun = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_BYTES]);
            block.iter_mut().zip(key.0.iter()).for_each(|(byte, key)| *byte ^= *key);
            let mut state = State::digest(algorithm)?;
            state.update(block.as_slice());
            Some(state)
        };
        Some(Self { state: begun(0x36)?, outer: Some(begun(0x5c)?), filling: Filling::Zeros })
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// In lower-case hexadecimal digits.
    pub fn finish(mut self) -> String {
        if self.filling == Filling::One {
            self.state.update(&[0x80]);
        }
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

/// The fewest bytes of a key for HMAC; what is shorter can be tried out.
const HMAC_KEY_BYTES_MIN: usize = 16;
/// The fewest bytes of any key: X9.9 has DES, and DES has no longer ones.
const MAC_KEY_BYTES_MIN: usize = 8;

/// A key that a bank gave us for the digests of its messages: 8 to 64 bytes, wiped when dropped, never
/// printed. A bank says how long it is; the house's own keys have one length.
#[derive(Clone)]
pub struct MacKey(Zeroizing<Vec<u8>>);

/// What is no such key. Never says what was found, only how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bank's key is 16 to 128 hexadecimal digits; found {0} characters")]
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

impl MacKey {
    /// Does it have as many bytes as this needs?
    ///
    /// # Errors
    /// In words, how many it has and how many it should; nothing of the content.
    pub fn fits(&self, algorithm: DigestAlgorithm) -> Result<(), String> {
        let (found, needed) = (self.0.len(), algorithm.key_bytes());
        if needed.contains(&found) {
            return Ok(());
        }
        let (least, most) = (2 * needed.start(), 2 * needed.end());
        let span = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        let name = algorithm.told(true);
        Err(format!("{name} needs a key of {span} hexadecimal digits; this one has {}", 2 * found))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(algorithm: DigestAlgorithm, bytes: &[u8]) -> String {
        let mut digest = BodyDigest::plain(algorithm).expect("needs no key");
        digest.update(bytes);
        digest.finish()
    }

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
            assert_eq!(plain(algorithm, b"abc"), expected);
            assert_eq!(expected.len(), algorithm.hex_length());
        }
    }

    #[test]
    fn digests_with_a_key_pass_their_standards_vectors() {
        let keyed = |algorithm, key: &str, bytes: &[u8]| {
            let mut digest =
                BodyDigest::keyed(algorithm, &MacKey::parse(key).expect("a key"), Filling::Zeros)
                    .expect("a key of its length");
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
    fn codes_of_ciphers_pass_their_standards_vectors() {
        use DigestAlgorithm::{DesMac, RetailMac, Sm4Mac};
        use Filling::{One, Zeros};
        let code = |algorithm, key: &str, filling, bytes: &[u8]| {
            let key = MacKey::parse(key).expect("a key");
            let mut code = BodyDigest::keyed(algorithm, &key, filling).expect("of its length");
            bytes.chunks(5).for_each(|piece| code.update(piece));
            code.finish()
        };
        let (one, two) = ("0123456789abcdef", "0123456789abcdeffedcba9876543210");
        let text = b"Now is the time for all ";
        for (algorithm, key, filling, bytes, expected) in [
            // FIPS 113, appendix 2.
            (DesMac, one, Zeros, &b"7654321 Now is the time for "[..], "f1d30f6849312ca4"),
            // ISO 9797-1, annex B.
            (DesMac, one, Zeros, text, "70a30640cc76dd8b"),
            (DesMac, one, One, text, "10e1f0f108341b6d"),
            (RetailMac, two, Zeros, text, "a1c72e74ea3fa9b6"),
            (RetailMac, two, One, text, "e9086230ca3be796"),
            // The last block of OpenSSL's sm4-cbc without a beginning value.
            (Sm4Mac, two, Zeros, b"abc", "9054fccff72871fdad5202c821dbea05"),
            (Sm4Mac, two, Zeros, b"0123456789abcdef0123", "fc0daa252e61cf05a7a9b1b449026c50"),
            (Sm4Mac, two, One, b"0123456789abcdef", "32216eb630bbeb3dd59ae6bc04ab6aff"),
        ] {
            assert_eq!(code(algorithm, key, filling, bytes), expected, "{algorithm} {filling:?}");
            assert_eq!(expected.len(), algorithm.hex_length());
            assert!(BodyDigest::plain(algorithm).is_none(), "never without a key");
        }
    }

    #[test]
    fn a_key_of_another_length_makes_no_code() {
        let keys: Vec<MacKey> = [8, 16, 24, 64]
            .map(|bytes: usize| MacKey::parse(&"0f".repeat(bytes)).expect("a key"))
            .into();
        for (algorithm, fit) in [
            (DigestAlgorithm::Sha256, [false, true, true, true]),
            (DigestAlgorithm::DesMac, [true, false, false, false]),
            (DigestAlgorithm::RetailMac, [false, true, false, false]),
            (DigestAlgorithm::Sm4Mac, [false, true, false, false]),
        ] {
            for (key, fits) in keys.iter().zip(fit) {
                assert_eq!(key.fits(algorithm).is_ok(), fits, "{algorithm}");
                let begun = BodyDigest::keyed(algorithm, key, Filling::Zeros);
                assert_eq!(begun.is_some(), fits, "{algorithm}");
            }
        }
        let told = keys[2].fits(DigestAlgorithm::RetailMac).expect_err("too long");
        assert_eq!(told, "the MAC of X9.19 needs a key of 32 hexadecimal digits; this one has 48");
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
}
