//! A config that was looked through, and all that was found on the way.

use crate::config::survey::Survey;
use crate::config::{Config, ConfigError};

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `bank.2.door.outgoing`: entries of a list count from 1. Empty for the file as a whole.
    pub key: String,
    /// The byte of the text where that is, where it is known.
    pub at: Option<usize>,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), at: None, what: what.into() }
    }
}

/// A configuration as far as it can be used, and what is wrong with it.
pub struct Looked<C = Config> {
    /// Nothing where the file is not there or is no TOML.
    pub config: Option<C>,
    file: String,
    text: String,
    survey: Survey,
    problems: Vec<Problem>,
}

impl<C> Looked<C> {
    pub(super) fn new(
        config: Option<C>,
        file: &str,
        text: String,
        survey: Survey,
        problems: Vec<Problem>,
    ) -> Self {
        Self { config, file: file.to_owned(), text, survey, problems }
    }

    /// Adds what was found by looking at what the config refers to.
    pub fn add(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// Everything that is wrong, in the order of the file, each with its place.
    pub fn lines(&self) -> Vec<String> {
        // What is said of something that is not in the file follows from a fault that is told.
        let own = self.problems.iter().filter(|problem| !self.survey.is_stand_in(&problem.key));
        let mut all: Vec<(usize, &Problem)> = own
            .chain(&self.survey.problems)
            .map(|problem| (problem.at.unwrap_or_else(|| self.survey.place(&problem.key)), problem))
            .collect();
        all.sort_by_key(|(at, _)| *at);
        let line = |(at, problem): (usize, &Problem)| {
            let before = self.text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let colon = if problem.key.is_empty() { "" } else { ": " };
            format!("{}:{line}: {}{colon}{}", self.file, problem.key, problem.what)
        };
        all.into_iter().map(line).collect()
    }

    /// The config, where nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn done(self) -> Result<C, ConfigError> {
        let lines = self.lines();
        match self.config {
            Some(config) if lines.is_empty() => Ok(config),
            _ => Err(ConfigError(lines)),
        }
    }
}
