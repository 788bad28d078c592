//! What an operator alone knows, kept as argon2id makes it: whoever reads the file cannot type it.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::guard::random;

/// The fewest characters of a credential. What is guarded is money, and it is typed seldom.
pub const CREDENTIAL_CHARS_MIN: usize = 12;

/// A credential as it is kept: `$argon2id$v=19$m=...$salt$hash`.
#[derive(Clone)]
pub struct Credential(PasswordHash);

impl Credential {
    /// Reads a kept credential.
    ///
    /// # Errors
    /// In words that name no part of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let how = "make it with daifa decide credential";
        let kept = PasswordHash::new(text.trim())
            .map_err(|_| format!("this is no credential as argon2 keeps them; {how}"))?;
        if kept.algorithm.as_str() != "argon2id" || kept.salt.is_none() || kept.hash.is_none() {
            return Err(format!("this is not kept with argon2id, salt and all; {how}"));
        }
        Ok(Self(kept))
    }

    /// Keeps what an operator typed, with a salt of its own.
    ///
    /// # Errors
    /// Where it is too short.
    pub fn make(secret: &str) -> Result<String, String> {
        if secret.chars().count() < CREDENTIAL_CHARS_MIN {
            return Err(format!("a credential has at least {CREDENTIAL_CHARS_MIN} characters"));
        }
        let salt = random::bytes::<16>();
        let kept: PasswordHash = Argon2::default()
            .hash_password_with_salt(secret.as_bytes(), &salt)
            .map_err(|cause| cause.to_string())?;
        Ok(kept.to_string())
    }

    /// Is this what was kept? Compared in constant time, after the same work either way.
    pub fn is(&self, secret: &str) -> bool {
        Argon2::default().verify_password(secret.as_bytes(), &self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Credential;

    #[test]
    fn i31_a_credential_is_known_again_and_does_not_stand_in_what_is_kept() {
        let secret = "correct horse battery";
        let kept = Credential::make(secret).expect("long enough");
        assert!(kept.starts_with("$argon2id$v=19$"), "{kept}");
        assert!(!kept.contains("horse"));
        assert_ne!(kept, Credential::make(secret).expect("again"), "a salt of its own");
        let credential = Credential::parse(&format!("{kept}\n")).expect("reads");
        assert!(credential.is(secret));
        assert!(!credential.is("correct horse batterz"));
        assert!(!credential.is(""));
    }

    #[test]
    fn i31_what_is_no_credential_is_refused_without_repeating_it() {
        assert!(Credential::make("short").is_err());
        for bad in [
            "",
            "hunter2hunter2",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        ] {
            let words = Credential::parse(bad).err().expect("is refused");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }
}
