//! What a config says of messages that are signed, and of a bank that calls us.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::config::{Problem, Secret, Span};
use crate::guard::key::unhex;
use crate::guard::sign::Algorithm;

/// A code of the body in a header, by a secret that both sides hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    pub algorithm: String,
    /// The name of the header.
    pub header: String,
    /// Sixteen bytes or more.
    pub secret: Secret,
}

/// A listener on which the bank leaves its messages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub listen: SocketAddr,
    /// The one path that is answered.
    #[serde(default = "default_path")]
    pub path: String,
    /// Our certificate and its key: without them the listener is for this machine alone.
    pub certificate: Option<PathBuf>,
    pub key: Option<Secret>,
    /// Whose certificate the bank must show.
    pub client_ca: Option<PathBuf>,
    /// The SHA-256 of the certificates that the bank shows: others of that authority are not heard.
    #[serde(default)]
    pub client_fingerprints: Vec<String>,
    pub signing: Option<Signing>,
    /// What the bank wants to read beside the 200.
    #[serde(default)]
    pub answer: String,
    #[serde(default = "default_answer_type")]
    pub answer_type: String,
    #[serde(default = "default_message_max")]
    pub bytes_max: usize,
    /// Calls at one time.
    #[serde(default = "default_at_once")]
    pub at_once: usize,
    /// For one call, from its connection to its answer.
    #[serde(default = "super::default_total")]
    pub total_timeout: Span,
}

fn default_path() -> String {
    "/".to_owned()
}

fn default_answer_type() -> String {
    "text/plain".to_owned()
}

const fn default_message_max() -> usize {
    16 * 1024 * 1024
}

const fn default_at_once() -> usize {
    16
}

impl Signing {
    /// What cannot work, below `key`.
    pub(super) fn problems(&self, key: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        if Algorithm::parse(&self.algorithm).is_none() {
            let known = super::known(Algorithm::ALL);
            let what = format!("{:?} is not known; known: {known}", self.algorithm);
            out.push(Problem::new(format!("{key}.algorithm"), what));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if self.header.is_empty() || !self.header.bytes().all(plain) {
            let what = format!("{:?} is not letters, digits, - and _", self.header);
            out.push(Problem::new(format!("{key}.header"), what));
        }
        out
    }
}

impl Push {
    /// Reads a fingerprint as tools print it: 64 hexadecimal digits, with or without colons.
    pub fn fingerprint(text: &str) -> Option<[u8; 32]> {
        unhex(&text.replace(':', "").to_ascii_lowercase())
    }

    /// That somebody else is heard on its address, below the bank's `key`.
    pub(super) fn shared(&self, taken: &mut BTreeSet<SocketAddr>, key: &str) -> Option<Problem> {
        let own = self.listen.port() == 0 || taken.insert(self.listen);
        let what = "is taken: another bank is heard there, or the status page is; each has an address of its own";
        (!own).then(|| Problem::new(format!("{key}.push.listen"), what))
    }

    /// What does not fit together, below `key`.
    pub(super) fn problems(&self, key: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut note = |name: &str, what: &str| {
            out.push(Problem::new(format!("{key}{name}"), what));
        };
        if self.certificate.is_some() != self.key.is_some() {
            note("", "certificate and key come together");
        }
        if self.certificate.is_none() && !self.listen.ip().is_loopback() {
            let what = "is not loopback, and without certificate and key anybody on the way reads \
                        and writes along; add them, or listen on 127.0.0.1 behind what has them";
            note(".listen", what);
        }
        if self.client_ca.is_some() && self.certificate.is_none() {
            note(".client_ca", "a certificate is shown over TLS only; add certificate and key");
        }
        if self.client_ca.is_none() && self.signing.is_none() {
            let what = "nothing says who calls: add client_ca, signing, or both";
            note("", what);
        }
        let fingerprints = &self.client_fingerprints;
        if fingerprints.iter().any(|text| Self::fingerprint(text).is_none()) {
            let what = "is not the SHA-256 of a certificate: 64 hexadecimal digits, as of \
                        openssl x509 -noout -fingerprint -sha256 -in FILE";
            note(".client_fingerprints", what);
        }
        match (&self.client_ca, &self.signing) {
            (None, _) if !fingerprints.is_empty() => {
                note(".client_fingerprints", "a certificate is asked for only with client_ca");
            }
            (Some(_), None) if fingerprints.is_empty() => {
                let what = "lets in everybody who has a certificate of that authority, and what they \
                            say counts as the bank's: add client_fingerprints (of the bank's \
                            certificate), or signing";
                note(".client_ca", what);
            }
            _ => {}
        }
        if !self.path.starts_with('/') || self.path.contains(['?', '#', ' ']) {
            note(".path", "is no path like \"/push\"");
        }
        for (name, empty) in [
            (".bytes_max", self.bytes_max == 0),
            (".at_once", self.at_once == 0),
            (".total_timeout", self.total_timeout.0 == 0),
        ] {
            if empty {
                note(name, "0 lets nothing through");
            }
        }
        if let Some(signing) = &self.signing {
            out.extend(signing.problems(&format!("{key}.signing")));
        }
        out
    }
}
