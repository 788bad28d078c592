//! How often daifa looks, asks and tries by itself.

use serde::Deserialize;

use crate::config::{Bank, Problem, Span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    pub pull_every: Span,
    pub arrivals_every: Span,
    pub report_retry: Span,
    /// A step that was not heard of for so long is taken for stuck, and the watchdog is not fed any
    /// more. Longer than a register may take to stream in (20 minutes), since a step says that it
    /// is there only between two pieces of work.
    pub stuck_after: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pull_every: Span(30_000),
            arrivals_every: Span(5_000),
            report_retry: Span(10_000),
            stuck_after: Span(30 * 60_000),
        }
    }
}

/// The least that lies between two looks, questions or tries: less would keep a processor, and a bank, busy with nothing.
const PAUSE_MIN: Span = Span(10);

/// What leaves no pause, below `key`.
pub(super) fn no_pause<'p>(
    key: &'p str,
    paces: &'p [(&'p str, Span)],
) -> impl Iterator<Item = Problem> + 'p {
    let what = "leaves no pause; at least 10ms, as a rule seconds and more";
    let short = paces.iter().filter(|(_, pace)| *pace < PAUSE_MIN);
    short.map(move |(name, _)| Problem::new(format!("{key}.{name}"), what))
}

/// The least that `pace.stuck_after` can be: a step that has nothing to do says so every two
/// seconds.
const STUCK_AFTER_MIN: Span = Span(5_000);

impl Pace {
    /// What does not fit together.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let idle = "less than 5s takes every idle step for stuck";
        let stuck = self.stuck_after < STUCK_AFTER_MIN;
        let stuck = stuck.then(|| Problem::new("pace.stuck_after", idle));
        let paces = [
            ("pull_every", self.pull_every),
            ("arrivals_every", self.arrivals_every),
            ("report_retry", self.report_retry),
        ];
        stuck.into_iter().chain(no_pause("pace", &paces)).collect()
    }

    /// The doors of a bank that may take so long over one message that the step is taken for stuck: the watchdog
    /// would end the daemon for a bank that is slow.
    pub(super) fn outlasted(&self, bank: &Bank, key: &str) -> Vec<Problem> {
        let long = bank.doors().filter(|(_, door)| door.total_timeout() >= self.stuck_after);
        let told = long.map(|(at, _)| {
            let what = "is not shorter than pace.stuck_after: a slow bank would be taken for a step that is stuck";
            Problem::new(format!("{key}.{at}.total_timeout"), what)
        });
        told.collect()
    }
}
