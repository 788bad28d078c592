//! Digests that messages state of their own bytes: how each is made, plain or with a key, and the keys.
//!
//! A description names a key and never holds it: the key is handed in by whoever opens the format. The
//! samples of a description are made with a key that it publishes, which counts nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::format::Format;
use crate::format::cell::Bind;
use crate::format::computed::{Computed, DigestOf};
use crate::format::error::DataError;
use crate::format::plan::Layout;
use crate::format::words::MessageKind;
use crate::format::writing::whole;
use crate::guard::stated::{BodyDigest, DigestAlgorithm, Filling, MacKey};

/// Keys by the names that descriptions give them.
pub type Secrets = Arc<BTreeMap<String, MacKey>>;

/// The name of a key, and the published one of the samples.
#[derive(Debug)]
pub(crate) struct SecretName {
    pub name: String,
    pub sample: MacKey,
}

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digesting {
    pub algorithm: DigestAlgorithm,
    /// With a key, by its place among the names.
    pub secret: Option<usize>,
    pub filling: Filling,
    /// So many hexadecimal digits of it stand there, the first ones.
    pub keep: usize,
}

/// A digest while its bytes pass by.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    digest: BodyDigest,
    keep: usize,
}

impl Digesting {
    /// Begins a digest with the keys of a format.
    ///
    /// # Errors
    /// The format was given no key of this name, or one that is too short or too long.
    pub fn begin(self, format: &Format, kind: MessageKind) -> Result<Passing, DataError> {
        let digest = match self.secret {
            None => BodyDigest::plain(self.algorithm),
            Some(secret) => {
                let name = format.plan().secrets.get(secret).map_or("", |known| &known.name);
                let Some(key) = format.secrets().get(name) else {
                    return Err(whole(kind, &format!("the key {name} of this bank"), "none"));
                };
                BodyDigest::keyed(self.algorithm, key, self.filling)
            }
        };
        let length = "a key of the length that it needs";
        let digest = digest.ok_or_else(|| whole(kind, length, "another one"))?;
        Ok(Passing { digest, keep: self.keep })
    }

    /// The digest of bytes that are all there.
    ///
    /// # Errors
    /// As [`Digesting::begin`].
    pub fn of(self, format: &Format, kind: MessageKind, bytes: &[u8]) -> Result<String, DataError> {
        let mut digest = self.begin(format, kind)?;
        digest.update(bytes);
        Ok(digest.finish())
    }

    /// Begins a digest that needs no key.
    #[cfg(test)]
    pub fn plain(self) -> Passing {
        let digest = BodyDigest::plain(self.algorithm).expect("a digest");
        Passing { digest, keep: self.keep }
    }

    /// What it is called in messages.
    pub fn told(self) -> String {
        self.algorithm.told(self.secret.is_some()).to_owned()
    }
}

/// The digests of what stands before them that the records of a part state, not begun yet.
///
/// # Errors
/// As [`Digesting::begin`].
pub(crate) fn before(
    format: &Format,
    kind: MessageKind,
    layout: &Layout,
) -> Result<Vec<(Digesting, Passing)>, DataError> {
    let mut begun: Vec<(Digesting, Passing)> = Vec::new();
    for how in layout.order().records.iter().flat_map(|record| record.digests(DigestOf::Before)) {
        if begun.iter().all(|(known, _)| *known != how) {
            begun.push((how, how.begin(format, kind)?));
        }
    }
    Ok(begun)
}

impl Passing {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// In lower-case hexadecimal digits, as many as stand in the message.
    pub fn finish(self) -> String {
        let mut digits = self.digest.finish();
        digits.truncate(self.keep);
        digits
    }
}

impl Format {
    /// The names of the keys that its digests are made with.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.plan().secrets.iter().map(|secret| secret.name.as_str())
    }

    /// Has this key the length that all digests need that are made with it?
    ///
    /// # Errors
    /// In words, how long it is and how long it should be.
    pub fn key_fits(&self, name: &str, key: &MacKey) -> Result<(), String> {
        let secrets = &self.plan().secrets;
        let parts = self.plan().messages.iter().flat_map(|message| &message.parts);
        let fields = parts.flat_map(|part| {
            let framed = part.frame.iter().flat_map(|frame| &frame.fields);
            framed.chain(part.layout.order().fields().map(|(_, field)| field))
        });
        for how in fields.filter_map(|field| match &field.cell.bind {
            Bind::Computed(Computed::Digest { how, .. }) => Some(how),
            _ => None,
        }) {
            let named = how.secret.and_then(|at| secrets.get(at));
            if named.is_some_and(|named| named.name == name) {
                key.fits(how.algorithm)?;
            }
        }
        Ok(())
    }

    /// Is this the key that the description publishes for its samples, and that anybody has?
    pub fn is_published(&self, name: &str, key: &MacKey) -> bool {
        self.plan().secrets.iter().any(|known| known.name == name && known.sample == *key)
    }

    /// The format with keys; those that it had before count no more.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// The format with the keys that its description publishes: for its samples, for commands and for
    /// practice.
    #[must_use]
    pub fn with_published_secrets(self) -> Self {
        let published = self.plan().secrets.iter();
        let published = published.map(|secret| (secret.name.clone(), secret.sample.clone()));
        let secrets = Arc::new(published.collect());
        self.with_secrets(secrets)
    }

    /// The keys that it was given.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}
