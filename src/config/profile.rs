//! What is agreed with a bank beside its messages: how its answers come and by when, and when it is left
//! alone. What a message means, "duplicate" and "not found" among it, is its format's to say.

use serde::Deserialize;

use crate::config::{Problem, Span, known};
use crate::model::profile::{AskBy, NoticeSource, ResultsCome};

/// How a bank answers. What is absent follows from its format and door.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// inline, file, query or push.
    pub results: Option<String>,
    /// reference, batch, `day_file` or none.
    pub ask: Option<String>,
    /// result, file, query, push or none.
    pub notices: Option<String>,
    /// Absent: no acknowledgement is waited for.
    pub acknowledged_within: Option<Span>,
    pub result_within: Option<Span>,
    pub notice_within: Option<Span>,
    pub return_within: Option<Span>,
    pub refund_within: Option<Span>,
}

/// When a bank is left alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Refused or unknown attempts in a row.
    pub after: u32,
    /// For how long nothing is sent then.
    pub rest: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { after: 3, rest: Span(600_000) }
    }
}

impl Answers {
    /// What does not fit together, whatever the format says. `key` is the bank's; `allowed` is the duty's.
    pub(super) fn problems(&self, key: &str, allowed: Span) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut note = |name: &str, what: String| {
            out.push(Problem::new(format!("{key}.answers.{name}"), what));
        };
        let words: [(&str, &Option<String>, bool, String); 3] = [
            ("results", &self.results, self.results().is_some(), known(ResultsCome::ALL)),
            ("ask", &self.ask, self.ask().is_some(), known(AskBy::ALL)),
            ("notices", &self.notices, self.notices().is_some(), known(NoticeSource::ALL)),
        ];
        for (name, given, read, all) in words {
            if let (Some(given), false) = (given, read) {
                note(name, format!("{given:?} is not known; known: {all}"));
            }
        }
        if self.result_within.is_some_and(|within| within >= allowed) {
            let what =
                "is not below duty.allowed; silence would become an alert when it is too late";
            note("result_within", what.to_owned());
        }
        out
    }

    pub fn results(&self) -> Option<ResultsCome> {
        self.results.as_deref().and_then(ResultsCome::parse)
    }

    pub fn ask(&self) -> Option<AskBy> {
        self.ask.as_deref().and_then(AskBy::parse)
    }

    pub fn notices(&self) -> Option<NoticeSource> {
        self.notices.as_deref().and_then(NoticeSource::parse)
    }
}
