//! Signing of requests and answers between finance and the daemon.
//!
//! The algorithm is a named choice ([`Algorithm`]), and its name is both in the header and under
//! the signature, so that a second one can be added without a moment in which the two are mixed up.
//! What is signed is a list of texts, each written as `length:text,` (a netstring), because a
//! separator that may occur in a part would let one request pass for another:
//!
//! - a request: `daifa-request-1`, algorithm, key id, time, method, path with query, body digest;
//! - an answer: `daifa-response-1`, algorithm, key id, time, the request's signature, status, body
//!   digest. It is bound to its request: an answer kept from yesterday does not pass.
//!
//! The body's digest is SHA-256 in hexadecimal digits. A streamed body of payments says `streamed`
//! instead: its content is covered by the digest in the register's (signed) head.

use std::collections::BTreeMap;
use std::fmt;

use ring::hmac;

use crate::guard::digest::sha256;
use crate::guard::key::{Key, hex, unhex};
use crate::model::words;

words! {
    /// How requests and answers are signed.
    Algorithm {
        /// HMAC with SHA-256 and a secret that both sides hold.
        HmacSha256 = "hmac-sha256",
    }
}

/// Header: the id of the key.
pub const KEY_HEADER: &str = "daifa-key";
/// Header: when it was signed, UTC epoch milliseconds.
pub const TIME_HEADER: &str = "daifa-time";
/// Header: SHA-256 of the body, or `streamed`.
pub const DIGEST_HEADER: &str = "daifa-digest";
/// Header: `algorithm=signature`, the signature in hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "daifa-signature";

/// The digest of a streamed body.
const STREAMED: &str = "streamed";

/// A body, as far as its signature is concerned.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    Whole(&'a [u8]),
    /// Lines of payments, covered by the digest in the register's head.
    Streamed,
}

/// The values of the four headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub key: String,
    pub time: String,
    pub digest: String,
    pub signature: String,
}

/// Why something is not taken for signed. Names headers, keys and times, never a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} is not what the contract says")]
    Malformed(&'static str),
    #[error("signed with a key that is not known here")]
    UnknownKey,
    #[error("signed with another algorithm than {0}")]
    Algorithm(Algorithm),
    #[error("signed {by_ms} ms from now, more than the {window_ms} ms allowed; check both clocks")]
    Time { by_ms: i64, window_ms: i64 },
    #[error("the signature does not fit")]
    Signature,
    #[error("the body is not the one that was signed")]
    Digest,
    #[error("a key id is 1 to 64 letters, digits, points, dashes or underscores")]
    KeyId,
}

/// Signs with one key.
pub struct Signer {
    algorithm: Algorithm,
    id: String,
    key: hmac::Key,
}

impl Signer {
    /// # Errors
    /// Where the key id cannot stand in a header.
    pub fn new(algorithm: Algorithm, id: &str, key: &Key) -> Result<Self, SignError> {
        check_id(id)?;
        Ok(Self { algorithm, id: id.to_owned(), key: mac(algorithm, key) })
    }

    /// Signs a request; `target` is the path with its query, as it stands in the request line.
    pub fn request(&self, method: &str, target: &str, at_ms: i64, body: &[u8]) -> Signed {
        self.sign("daifa-request-1", at_ms, [method, target], Body::Whole(body))
    }

    /// Signs the answer to the request whose signature header was `request`.
    pub fn response(&self, request: &str, status: u16, at_ms: i64, body: Body<'_>) -> Signed {
        self.sign("daifa-response-1", at_ms, [request, &status.to_string()], body)
    }

    fn sign(&self, label: &str, at_ms: i64, about: [&str; 2], body: Body<'_>) -> Signed {
        let (time, digest) = (at_ms.to_string(), digest_text(body));
        let text =
            message([label, self.algorithm.as_str(), &self.id, &time, about[0], about[1], &digest]);
        let tag = hmac::sign(&self.key, text.as_bytes());
        let signature = format!("{}={}", self.algorithm, hex(tag.as_ref()));
        Signed { key: self.id.clone(), time, digest, signature }
    }
}

/// Verifies with any of its keys, so that a key can be replaced without a stop.
pub struct Verifier {
    algorithm: Algorithm,
    window_ms: i64,
    keys: BTreeMap<String, hmac::Key>,
}

impl Verifier {
    /// Takes what was signed at most `window_ms` before or after now.
    pub const fn new(algorithm: Algorithm, window_ms: i64) -> Self {
        Self { algorithm, window_ms, keys: BTreeMap::new() }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Where the key id cannot stand in a header.
    pub fn with_key(mut self, id: &str, key: &Key) -> Result<Self, SignError> {
        check_id(id)?;
        self.keys.insert(id.to_owned(), mac(self.algorithm, key));
        Ok(self)
    }

    /// Is this request signed, now, by a known key, with this body?
    ///
    /// # Errors
    /// [`SignError`] says what is wrong.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        signed: &Signed,
        now_ms: i64,
        body: &[u8],
    ) -> Result<(), SignError> {
        self.verify("daifa-request-1", [method, target], signed, now_ms, Body::Whole(body))
    }

    /// Is this the signed answer to the request whose signature header was `request`?
    ///
    /// # Errors
    /// [`SignError`] says what is wrong.
    pub fn response(
        &self,
        request: &str,
        status: u16,
        signed: &Signed,
        now_ms: i64,
        body: Body<'_>,
    ) -> Result<(), SignError> {
        self.verify("daifa-response-1", [request, &status.to_string()], signed, now_ms, body)
    }

    fn verify(
        &self,
        label: &str,
        about: [&str; 2],
        signed: &Signed,
        now_ms: i64,
        body: Body<'_>,
    ) -> Result<(), SignError> {
        let key = self.keys.get(&signed.key).ok_or(SignError::UnknownKey)?;
        let (algorithm, signature) =
            signed.signature.split_once('=').ok_or(SignError::Malformed(SIGNATURE_HEADER))?;
        if Algorithm::parse(algorithm) != Some(self.algorithm) {
            return Err(SignError::Algorithm(self.algorithm));
        }
        let signature: [u8; 32] = unhex(signature).ok_or(SignError::Malformed(SIGNATURE_HEADER))?;
        let text = message([
            label,
            algorithm,
            &signed.key,
            &signed.time,
            about[0],
            about[1],
            &signed.digest,
        ]);
        hmac::verify(key, text.as_bytes(), &signature).map_err(|_| SignError::Signature)?;
        // Only what is signed is looked at any further.
        let at_ms: i64 = signed.time.parse().map_err(|_| SignError::Malformed(TIME_HEADER))?;
        let by_ms = now_ms.saturating_sub(at_ms);
        if by_ms.saturating_abs() > self.window_ms {
            return Err(SignError::Time { by_ms, window_ms: self.window_ms });
        }
        if signed.digest != digest_text(body) {
            return Err(SignError::Digest);
        }
        Ok(())
    }
}

impl Signed {
    /// Header names with their values.
    pub fn headers(&self) -> [(&'static str, &str); 4] {
        [
            (KEY_HEADER, &self.key),
            (TIME_HEADER, &self.time),
            (DIGEST_HEADER, &self.digest),
            (SIGNATURE_HEADER, &self.signature),
        ]
    }

    /// Reads the four headers through `header`, which looks one up by its name.
    ///
    /// # Errors
    /// [`SignError::Missing`] names the one that is not there.
    pub fn read<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, SignError> {
        let get = |name| header(name).map(str::to_owned).ok_or(SignError::Missing(name));
        Ok(Self {
            key: get(KEY_HEADER)?,
            time: get(TIME_HEADER)?,
            digest: get(DIGEST_HEADER)?,
            signature: get(SIGNATURE_HEADER)?,
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({}, key {})", self.algorithm, self.id)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Verifier({}, keys {:?})", self.algorithm, self.keys.keys())
    }
}

fn mac(algorithm: Algorithm, key: &Key) -> hmac::Key {
    match algorithm {
        Algorithm::HmacSha256 => hmac::Key::new(hmac::HMAC_SHA256, key.bytes()),
    }
}

fn digest_text(body: Body<'_>) -> String {
    match body {
        Body::Whole(bytes) => hex(&sha256(bytes)),
        Body::Streamed => STREAMED.to_owned(),
    }
}

/// What is signed: each part as `length:text,`, the length counted in bytes.
fn message(parts: [&str; 7]) -> String {
    let mut text = String::with_capacity(256);
    for part in parts {
        text.push_str(&part.len().to_string());
        text.push(':');
        text.push_str(part);
        text.push(',');
    }
    text
}

fn check_id(id: &str) -> Result<(), SignError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let good = (1..=64).contains(&id.len()) && id.bytes().all(plain);
    if good { Ok(()) } else { Err(SignError::KeyId) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_420_144_000;
    const TARGET: &str = "/v1/registers?after=7&limit=10";

    fn signer(id: &str, byte: u8) -> Signer {
        Signer::new(Algorithm::HmacSha256, id, &Key::new([byte; 32])).expect("id")
    }

    fn verifier() -> Verifier {
        let verifier = Verifier::new(Algorithm::HmacSha256, 300_000);
        verifier.with_key("k1", &Key::new([1; 32])).expect("id")
    }

    #[test]
    fn signatures_never_change_between_releases() {
        // Computed with Python's hmac and hashlib over the encoding described above.
        let request = signer("k1", 1).request("GET", TARGET, NOW, b"");
        assert_eq!(request.key, "k1");
        assert_eq!(request.time, "1795420144000");
        assert_eq!(
            request.digest,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            request.signature,
            "hmac-sha256=2f8f0d329f4bd5dff17e5afa4a3123b09f86be460fbeb514d1c36dc3054f5c9f"
        );
        let response = signer("k1", 1).response(&request.signature, 200, NOW, Body::Streamed);
        assert_eq!(response.digest, "streamed");
        assert_eq!(
            response.signature,
            "hmac-sha256=aa02cd68ee5b1496002238a93959c1cd91046c9642a8a3e9e9358641962adb71"
        );
    }

    #[test]
    fn a_request_passes_only_as_it_was_signed() {
        let verifier = verifier();
        let good = signer("k1", 1).request("PUT", TARGET, NOW, b"body");
        let check = |signed: &Signed| verifier.request("PUT", TARGET, signed, NOW, b"body");
        assert_eq!(check(&good), Ok(()));
        assert_eq!(
            verifier.request("POST", TARGET, &good, NOW, b"body"),
            Err(SignError::Signature)
        );
        assert_eq!(verifier.request("PUT", "/v1", &good, NOW, b"body"), Err(SignError::Signature));
        assert_eq!(verifier.request("PUT", TARGET, &good, NOW, b"bodY"), Err(SignError::Digest));
        let other_time = Signed { time: (NOW + 1).to_string(), ..good.clone() };
        assert_eq!(check(&other_time), Err(SignError::Signature));
        assert_eq!(
            check(&signer("k1", 2).request("PUT", TARGET, NOW, b"body")),
            Err(SignError::Signature)
        );
        assert_eq!(
            check(&signer("k2", 1).request("PUT", TARGET, NOW, b"body")),
            Err(SignError::UnknownKey)
        );
    }

    #[test]
    fn an_old_request_replayed_is_refused() {
        let verifier = verifier();
        let good = signer("k1", 1).request("GET", TARGET, NOW, b"");
        for (now, passes) in [
            (NOW + 300_000, true),
            (NOW - 300_000, true),
            (NOW + 300_001, false),
            (NOW - 300_001, false),
            (i64::MIN, false),
        ] {
            let result = verifier.request("GET", TARGET, &good, now, b"");
            assert_eq!(result.is_ok(), passes, "{now}");
            assert!(passes || matches!(result, Err(SignError::Time { .. })));
        }
    }

    #[test]
    fn an_answer_is_bound_to_its_request_status_and_body() {
        let (signer, verifier) = (signer("k1", 1), verifier());
        let request = signer.request("GET", TARGET, NOW, b"");
        let later = signer.request("GET", TARGET, NOW + 1, b"");
        let answer = signer.response(&request.signature, 200, NOW, Body::Whole(b"x"));
        let check =
            |request: &str, status, body| verifier.response(request, status, &answer, NOW, body);
        assert_eq!(check(&request.signature, 200, Body::Whole(b"x")), Ok(()));
        assert_eq!(check(&later.signature, 200, Body::Whole(b"x")), Err(SignError::Signature));
        assert_eq!(check(&request.signature, 404, Body::Whole(b"x")), Err(SignError::Signature));
        assert_eq!(check(&request.signature, 200, Body::Whole(b"y")), Err(SignError::Digest));
        assert_eq!(check(&request.signature, 200, Body::Streamed), Err(SignError::Digest));
        // A request is no answer.
        let passed = verifier.response("GET", 200, &request, NOW, Body::Whole(b""));
        assert_eq!(passed, Err(SignError::Signature));
    }

    #[test]
    fn headers_are_read_and_their_absence_is_named() {
        let good = signer("k1", 1).request("GET", TARGET, NOW, b"");
        let headers = good.headers();
        let find = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        assert_eq!(Signed::read(find), Ok(good.clone()));
        for (missing, _) in headers {
            let read = Signed::read(|name| (name != missing).then(|| find(name)).flatten());
            assert_eq!(read, Err(SignError::Missing(missing)));
        }
        for bad in ["", "abc", "hmac-sha256=00", "sha1=00", "hmac-sha256"] {
            let signed = Signed { signature: bad.to_owned(), ..good.clone() };
            let refused = verifier().request("GET", TARGET, &signed, NOW, b"");
            assert!(matches!(
                refused,
                Err(SignError::Malformed(_) | SignError::Algorithm(Algorithm::HmacSha256))
            ));
        }
        for bad in ["", "a b", "a\n", "ä", &"a".repeat(65)] {
            let made = Signer::new(Algorithm::HmacSha256, bad, &Key::new([1; 32]));
            assert_eq!(made.err(), Some(SignError::KeyId), "{bad:?}");
        }
    }
}
