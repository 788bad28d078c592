//! What alerting systems read: `OpenMetrics` text out of memory.
//!
//! Scraping never touches the database (F66): a task of its own reads totals every few seconds and
//! sets the gauges. Label values are words of closed lists, never an id, a name or a text of a
//! counterpart, so there is no personal data in them and no growth.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::flow::tally::Tally;
use crate::model::attempt::AttemptState;
use crate::model::batch::BatchState;
use crate::model::deadline;
use crate::model::expectation::{ExpectationKind, ExpectationState};
use crate::model::notice::NoticeState;
use crate::model::outcome::AnswerTaken;
use crate::model::place::Place;
use crate::model::profile::BreakerState;
use crate::model::push::PushCall;
use crate::model::register::RegisterState;
use crate::model::words;
use crate::store::Store;
use crate::store::alerts::Running;
use crate::store::view::Totals;

words! {
    /// Where payments are, for the metric.
    PaymentState {
        Open = "open",
        Held = "held",
        Dropped = "dropped",
        Credited = "credited",
        Failed = "failed",
        Returned = "returned",
        Withdrawn = "withdrawn",
        Conflict = "conflict",
    }
}

words! {
    /// Where reports are, for the metric.
    ReportState {
        Due = "due",
        Acknowledged = "acknowledged",
    }
}

words! {
    /// How one run of a step ended.
    StepResult {
        /// It did something.
        Worked = "worked",
        /// There was nothing to do.
        Idle = "idle",
        /// It failed; the log says why.
        Failed = "failed",
    }
}

/// The content type of the answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Label = [(&'static str, &'static str); 1];
type Step = [(&'static str, &'static str); 2];
/// A gauge that is not there while it has no meaning.
type Maybe = Family<[(&'static str, &'static str); 0], Gauge>;

/// The daemon's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    steps: Vec<&'static str>,
    money: Family<Label, Gauge>,
    approved: Gauge,
    payments: Family<Label, Gauge>,
    registers: Family<Label, Gauge>,
    batches: Family<Label, Gauge>,
    attempts: Family<Label, Gauge>,
    expectations: Family<Step, Gauge>,
    breakers: Family<Label, Gauge>,
    notices: Family<Label, Gauge>,
    reports: Family<Label, Gauge>,
    alerts_open: Gauge,
    clock_step: Gauge,
    config_refused: Gauge,
    quarantined: Gauge,
    quarantine_open: Gauge,
    deadline_level: Gauge,
    deadline_remaining: Maybe,
    refreshed: Gauge,
    step_runs: Family<Step, Counter>,
    step_ms: Family<Label, Counter>,
    pushes: Family<Label, Counter>,
    answers: Family<Label, Counter>,
}

impl Metrics {
    /// Every series is there from the start, at zero: the words of the lists and these `steps`.
    pub fn new(version: &'static str, steps: &[&'static str]) -> Self {
        let mut registry = Registry::with_prefix("daifa");
        let build = Info::new([("version", version)]);
        registry.register("build", "The version that runs", build);
        let r = &mut registry;
        let metrics = Self {
            money: kept(r, "money_fen", "Approved money by place, in fen"),
            approved: kept(
                r,
                "money_approved_fen",
                "Approved money: the sum of the five places, in fen",
            ),
            payments: kept(r, "payments", "Payments by state"),
            registers: kept(r, "registers", "Registers by state"),
            batches: kept(r, "batches", "Batches by state"),
            attempts: kept(r, "attempts", "Attempts by state"),
            expectations: kept(
                r,
                "expectations",
                "Answers of banks that are waited for, by kind; overdue ones have an alert each",
            ),
            breakers: kept(
                r,
                "breakers",
                "Banks to which nothing (open) or one batch (half_open) is sent, because of a run of refused or unknown attempts",
            ),
            notices: kept(r, "notices", "SMS notices by what the bank says became of them"),
            reports: kept(r, "reports", "Reports by state"),
            alerts_open: kept(r, "alerts_open", "Alerts that stand on the status page"),
            clock_step: kept(
                r,
                "clock_step_detected",
                "1 while the time of day differs from the time that passed and nobody has answered for it",
            ),
            config_refused: kept(r, "config_refused", "1 while a SIGHUP brought a wrong config"),
            quarantined: kept(r, "quarantined", "Result lines that were put aside"),
            quarantine_open: kept(
                r,
                "quarantine_open",
                "Result lines and whole answers that were put aside and wait for a later answer or two people",
            ),
            deadline_level: kept(
                r,
                "deadline_alert_level",
                "Highest deadline level of open registers: 0, 50, 80, 95 or 100, and one more for each day behind the deadline",
            ),
            deadline_remaining: kept(
                r,
                "deadline_remaining_seconds",
                "Time left for the open register nearest to its deadline; negative once it is over; absent while none is open",
            ),
            refreshed: kept(
                r,
                "refreshed_timestamp_seconds",
                "When these gauges were last read from the database",
            ),
            step_runs: kept(r, "steps", "Runs of each step by how they ended"),
            step_ms: kept(r, "step_milliseconds", "Time spent in each step"),
            pushes: kept(r, "pushes", "Calls of banks by what became of them"),
            answers: kept(
                r,
                "answers",
                "Files and messages of banks about payments by what became of them: repeated ones changed nothing",
            ),
            steps: steps.to_vec(),
            registry,
        };
        for step in steps {
            drop(metrics.step_ms.get_or_create(&[("step", step)]));
            for result in StepResult::ALL {
                drop(metrics.step_runs.get_or_create(&step_label(step, *result)));
            }
        }
        for call in PushCall::ALL {
            drop(metrics.pushes.get_or_create(&[("result", call.as_str())]));
        }
        metrics.answered(|_| 0);
        metrics.set_totals(&Totals::default());
        metrics
    }

    /// The daemon was told to take another config: it was refused, or not.
    pub fn config_refused(&self, refused: bool) {
        self.config_refused.set(i64::from(refused));
    }

    /// A bank called.
    pub fn pushed(&self, call: PushCall) {
        self.pushes.get_or_create(&[("result", call.as_str())]).inc();
    }

    /// Answers of banks were taken: so many of each since the process began.
    pub fn answered(&self, count: impl Fn(AnswerTaken) -> u64) {
        for taken in AnswerTaken::ALL {
            let counter = self.answers.get_or_create(&[("result", taken.as_str())]);
            counter.inc_by(count(*taken).saturating_sub(counter.get()));
        }
    }

    /// One run of a step ended. A step that was not named at the start is not counted: the list of
    /// labels is closed.
    pub fn step(&self, step: &'static str, result: StepResult, took_ms: u64) {
        if self.steps.contains(&step) {
            self.step_runs.get_or_create(&step_label(step, result)).inc();
            self.step_ms.get_or_create(&[("step", step)]).inc_by(took_ms);
        }
    }

    /// Sets the gauges to what the database said at `now_ms`.
    pub fn refresh(&self, totals: &Totals, running: &[Running], now_ms: i64) {
        self.set_totals(totals);
        let open = || running.iter().filter(|register| register.open_fen > 0);
        let level = |r: &Running| deadline::level(r.start_at_ms, r.deadline_at_ms, now_ms);
        self.deadline_level.set(open().map(level).max().unwrap_or(0));
        match open().map(|register| register.deadline_at_ms).min() {
            Some(next_ms) => {
                let left_s = next_ms.saturating_sub(now_ms).div_euclid(1000);
                self.deadline_remaining.get_or_create(&[]).set(left_s);
            }
            None => self.deadline_remaining.clear(),
        }
        self.refreshed.set(now_ms / 1000);
    }

    fn set_totals(&self, totals: &Totals) {
        let places = totals.places;
        self.approved.set(places.approved.get());
        for place in Place::ALL {
            let fen = match place {
                Place::Unsent => places.unsent,
                Place::InFlight => places.in_flight,
                Place::Credited => places.credited,
                Place::Refundable => places.refundable,
                Place::Refunded => places.refunded,
                Place::Disputed => places.disputed,
                Place::Finance => continue,
            };
            self.money.get_or_create(&[("place", place.as_str())]).set(fen.get());
        }
        let counts = totals.counts;
        for state in PaymentState::ALL {
            let count = match state {
                PaymentState::Open => {
                    counts.payments - counts.finished() - counts.held - counts.conflicts
                }
                PaymentState::Held => counts.held,
                PaymentState::Dropped => counts.dropped,
                PaymentState::Credited => counts.credited,
                PaymentState::Failed => counts.failed,
                PaymentState::Returned => counts.returned,
                PaymentState::Withdrawn => counts.withdrawn,
                PaymentState::Conflict => counts.conflicts,
            };
            self.payments.get_or_create(&state_label(state.as_str())).set(count);
        }
        let words = RegisterState::ALL.iter().filter(|s| **s != RegisterState::Receiving);
        by_state(&self.registers, words.map(|s| s.as_str()), &totals.registers);
        by_state(&self.batches, BatchState::ALL.iter().map(|s| s.as_str()), &totals.batches);
        by_state(&self.attempts, AttemptState::ALL.iter().map(|s| s.as_str()), &totals.attempts);
        for kind in ExpectationKind::ALL {
            for state in ExpectationState::ALL.iter().filter(|state| state.waits()) {
                let is_it = |(of, at, _): &&(String, String, i64)| {
                    of == kind.as_str() && at == state.as_str()
                };
                let count = totals.expectations.iter().find(is_it).map_or(0, |(.., count)| *count);
                let label = [("kind", kind.as_str()), ("state", state.as_str())];
                self.expectations.get_or_create(&label).set(count);
            }
        }
        let words = BreakerState::ALL.iter().filter(|state| **state != BreakerState::Closed);
        by_state(&self.breakers, words.map(|state| state.as_str()), &totals.breakers);
        by_state(&self.notices, NoticeState::ALL.iter().map(|s| s.as_str()), &totals.notices);
        for state in ReportState::ALL {
            let count = match state {
                ReportState::Due => totals.reports_due,
                ReportState::Acknowledged => totals.reports_acknowledged,
            };
            self.reports.get_or_create(&state_label(state.as_str())).set(count);
        }
        self.alerts_open.set(totals.alerts_open);
        self.clock_step.set(i64::from(totals.clock_stepped));
        self.quarantined.set(totals.quarantined);
        self.quarantine_open.set(totals.quarantine_open);
    }

    /// The `OpenMetrics` text.
    ///
    /// # Errors
    /// Where text cannot be written, which memory does not do.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::with_capacity(8 * 1024);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn kept<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn step_label(step: &'static str, result: StepResult) -> Step {
    [("step", step), ("result", result.as_str())]
}

fn state_label(state: &'static str) -> Label {
    [("state", state)]
}

/// Sets every word of a list: to its count, or to zero where the database counted none.
fn by_state(
    family: &Family<Label, Gauge>,
    words: impl Iterator<Item = &'static str>,
    counted: &[(String, i64)],
) {
    for word in words {
        let count = counted.iter().find(|(state, _)| state == word).map_or(0, |(_, count)| *count);
        family.get_or_create(&state_label(word)).set(count);
    }
}

/// Refreshes the gauges every `every` until it is told to stop. Where the database cannot be read
/// the gauges stay, and `daifa_refreshed_timestamp_seconds` grows old; whether to stop the process
/// is for the steps to decide.
pub async fn keep_fresh(
    metrics: Arc<Metrics>,
    store: Arc<Store>,
    tally: Arc<Tally>,
    clock: Arc<dyn Clock>,
    every: Duration,
    cancel: CancellationToken,
) {
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(turns.tick()).await.is_some() {
        metrics.answered(|taken| tally.of(taken));
        match (store.totals().await, store.running().await) {
            (Ok(totals), Ok(running)) => metrics.refresh(&totals, &running, clock.now_ms()),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "metrics were not refreshed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::RegisterNo;

    fn running(deadline_at_ms: i64, open_fen: i64) -> Running {
        Running {
            register: RegisterNo(1),
            start_at_ms: deadline_at_ms - 86_400_000,
            deadline_at_ms,
            alert_level: 0,
            open_fen,
            id: "id".to_owned(),
            programme_name: "name".to_owned(),
        }
    }

    #[test]
    fn the_deadline_nearest_to_its_end_is_shown_and_goes_when_none_is_open() {
        let metrics = Metrics::new("0", &[]);
        let now = 100_000_000;
        let all = [running(now + 5_000, 1), running(now + 9_000, 1), running(now - 50, 0)];
        metrics.refresh(&Totals::default(), &all, now);
        let text = metrics.text().expect("text");
        assert!(text.contains("\ndaifa_deadline_remaining_seconds{} 5\n"), "{text}");
        assert!(text.contains("\ndaifa_deadline_alert_level 95\n"), "{text}");
        metrics.refresh(&Totals::default(), &[running(now - 1, 1)], now);
        assert!(
            metrics.text().expect("text").contains("\ndaifa_deadline_remaining_seconds{} -1\n")
        );
        metrics.refresh(&Totals::default(), &[], now);
        let text = metrics.text().expect("text");
        assert!(!text.contains("\ndaifa_deadline_remaining_seconds{"), "{text}");
        assert!(text.contains("\ndaifa_deadline_alert_level 0\n"), "{text}");
    }

    #[test]
    fn f66_words_outside_the_lists_make_no_series() {
        let metrics = Metrics::new("0", &["intake"]);
        let before = metrics.text().expect("text").lines().count();
        let strange = vec![("张三".to_owned(), 5), ("accepted".to_owned(), 3)];
        let totals = Totals { registers: strange, ..Totals::default() };
        metrics.refresh(&totals, &[], 1);
        metrics.step("strange", StepResult::Failed, 1);
        metrics.step("intake", StepResult::Worked, 7);
        for (applied, repeated) in [(1, 5), (2, 5)] {
            metrics.answered(|taken| match taken {
                AnswerTaken::Applied => applied,
                AnswerTaken::Repeated => repeated,
                AnswerTaken::Held => 0,
            });
        }
        let text = metrics.text().expect("text");
        assert_eq!(text.lines().count(), before);
        assert!(text.contains("daifa_registers{state=\"accepted\"} 3\n"), "{text}");
        assert!(
            text.contains("daifa_steps_total{step=\"intake\",result=\"worked\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("daifa_step_milliseconds_total{step=\"intake\"} 7\n"), "{text}");
        for count in ["applied\"} 2", "repeated\"} 5", "held\"} 0"] {
            assert!(text.contains(&format!("daifa_answers_total{{result=\"{count}\n")), "{text}");
        }
        assert!(!text.contains("张三") && !text.contains("strange"));
    }
}
