//! Who an operator is: known by the name in the config, and by what they alone can type. The daemon
//! itself reads none of this; only the commands by which people decide do.

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, Problem, entries};
use crate::guard::credential::Credential;

/// The operators of a config, with their credentials as they are kept.
pub struct Operators(Vec<(String, Credential)>);

/// Why somebody is not let in. What was typed is in none of these.
#[derive(Debug, thiserror::Error)]
pub enum NotLetIn {
    #[error("there is no operator {0:?} in the config; add [[operator]] with a name and a secret")]
    Unknown(String),
    #[error("this is not the credential of {0}")]
    Wrong(String),
    #[error(
        "this is the credential of {0} and of {1}: each operator has one that nobody else knows"
    )]
    Shared(String, String),
}

impl NotLetIn {
    /// The same in a word, for the journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown",
            Self::Wrong(_) => "wrong",
            Self::Shared(..) => "shared",
        }
    }
}

impl Operators {
    /// Reads their credentials.
    ///
    /// # Errors
    /// Everything that cannot be read or is no credential, each with its key.
    pub fn read(config: &Config) -> Result<Self, Vec<Problem>> {
        let (mut known, mut problems, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (operator, key) in config.operators.iter().zip(entries("operator")) {
            let read = operator.secret.read().and_then(|secret| {
                let text = secret.expose_secret().trim().to_owned();
                if kept.contains(&text) {
                    return Err(
                        "is another operator's too; each has a credential of their own".to_owned()
                    );
                }
                let credential = Credential::parse(&text);
                kept.push(text);
                credential
            });
            match read {
                Ok(credential) => known.push((operator.name.clone(), credential)),
                Err(what) => problems.push(Problem::new(format!("{key}.secret"), what)),
            }
        }
        if problems.is_empty() { Ok(Self(known)) } else { Err(problems) }
    }

    /// Is there an operator of this name?
    ///
    /// # Errors
    /// [`NotLetIn::Unknown`].
    pub fn know(&self, name: &str) -> Result<(), NotLetIn> {
        let known = self.0.iter().any(|(known, _)| known == name);
        if known { Ok(()) } else { Err(NotLetIn::Unknown(name.to_owned())) }
    }

    /// What is written down of who somebody says they are; nothing where that is no operator. Whoever types their
    /// credential in the place of their name must not find it in the journal, and however many names somebody
    /// makes up, they are counted as one.
    pub fn claimed<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.know(name).is_ok().then_some(name)
    }

    /// Lets somebody in who says that they are `name`.
    ///
    /// # Errors
    /// Where they are not, or what they typed is another operator's as well.
    pub fn admit(&self, name: &str, typed: &SecretString) -> Result<(), NotLetIn> {
        self.know(name)?;
        let typed = typed.expose_secret();
        let whose: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, credential)| credential.is(typed))
            .map(|(known, _)| known.as_str())
            .collect();
        if !whose.contains(&name) {
            return Err(NotLetIn::Wrong(name.to_owned()));
        }
        match whose.iter().find(|other| **other != name) {
            Some(other) => Err(NotLetIn::Shared(name.to_owned(), (*other).to_owned())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operators() -> Operators {
        let credential = |secret| {
            Credential::parse(&Credential::make(secret).expect("long enough")).expect("reads")
        };
        Operators(vec![
            ("wang".to_owned(), credential("what wang alone knows")),
            ("li".to_owned(), credential("what li alone knows")),
            ("zhao".to_owned(), credential("what li alone knows")),
        ])
    }

    #[test]
    fn i31_an_operator_is_known_by_what_they_alone_can_type() {
        let typed = |text: &str| SecretString::from(text.to_owned());
        let all = operators();
        assert!(all.admit("wang", &typed("what wang alone knows")).is_ok());
        for (name, text) in
            [("wang", "what li alone knows"), ("wang", ""), ("Wang", "what wang alone knows")]
        {
            let refused = all.admit(name, &typed(text)).expect_err("is refused");
            // Nobody learns here whose credential it is.
            assert!(!matches!(refused, NotLetIn::Shared(..)), "{refused}");
            assert!(!refused.to_string().contains("alone"), "{refused}");
        }
        let shared = all.admit("li", &typed("what li alone knows")).expect_err("is refused");
        assert!(matches!(shared, NotLetIn::Shared(..)), "{shared}");
    }

    #[test]
    fn i31_a_name_of_nobody_and_a_credential_in_its_place_are_not_written_down() {
        let all = operators();
        assert_eq!(all.claimed("wang"), Some("wang"));
        for name in ["Wang", "sun", "", "what wang alone knows", "a\nb"] {
            assert_eq!(all.claimed(name), None, "{name:?}");
        }
    }
}
