//! What the steps do, as health and metrics hear of it.

use std::sync::Arc;

use crate::engine::Observer;
use crate::flow::Step;
use crate::web::{Health, Metrics};

/// Given to the engine.
#[derive(Debug, Clone)]
pub struct Pulse {
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
}

/// The names of all steps, for [`Health::new`] and [`Metrics::new`].
pub fn step_names() -> Vec<&'static str> {
    Step::ALL.iter().map(|step| step.as_str()).collect()
}

impl Observer for Pulse {
    fn stepped(&self, step: Step, result: &'static str, now_ms: i64) {
        self.health.beat(step.as_str(), now_ms);
        self.metrics.step(step.as_str(), result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_comes_back_is_heard_of_and_counted() {
        let names = step_names();
        let pulse = Pulse {
            health: Arc::new(Health::new(&names, 1_000, 0)),
            metrics: Arc::new(Metrics::new("0", &names)),
        };
        for (at, step) in (0..).zip(Step::ALL.iter().skip(1)) {
            pulse.stepped(*step, "idle", 5_000 + at);
        }
        let reasons = pulse.health.live(5_500).reasons;
        assert_eq!(reasons, ["step intake was not heard of for 5 s"]);
        let text = pulse.metrics.text().expect("text");
        assert!(text.contains("daifa_steps_total{step=\"watch\",result=\"idle\"} 1\n"), "{text}");
        assert!(text.contains("daifa_steps_total{step=\"intake\",result=\"idle\"} 0\n"), "{text}");
    }
}
