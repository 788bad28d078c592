//! Sends again what provably never left, a few times, before the step is told.
//!
//! It repeats [`Sent::NotSent`] and nothing else: what nobody can know is for asking, and what the bank
//! has is done. Questions are not repeated here; they are asked again when they are due.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Dice;
use crate::model::attempt::Committed;
use crate::transport::manner::Manner;
use crate::transport::{OutPart, Sent, Transport};

/// How often and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// In all, with the first.
    pub tries_max: u32,
    /// Before the second try; it doubles.
    pub wait_ms: u64,
    /// The most that is waited between two.
    pub wait_max_ms: u64,
}

/// The use of a door that is tried more than once.
pub struct Retrying {
    tries: Tries,
    dice: Mutex<Dice>,
}

impl Retrying {
    pub fn new(tries: Tries, dice: Dice) -> Self {
        Self { tries, dice: Mutex::new(dice) }
    }

    /// Between three and five quarters of what is due, and never more than the most, so that many who lost one bank
    /// do not come back in step (F53).
    fn wait(&self, failures: u32) -> Duration {
        let Tries { wait_ms, wait_max_ms, .. } = self.tries;
        let due = wait_ms.saturating_mul(1_u64.checked_shl(failures - 1).unwrap_or(u64::MAX));
        // At the most there is chance as well, and only below it.
        let chance = if due < wait_max_ms { 51 } else { 26 };
        let part = self.dice.lock().unwrap_or_else(PoisonError::into_inner).below(chance) + 75;
        Duration::from_millis((due.min(wait_max_ms).saturating_mul(part) / 100).min(wait_max_ms))
    }
}

#[async_trait]
impl Manner for Retrying {
    async fn send(&self, door: &dyn Transport, committed: &Committed, parts: &[OutPart]) -> Sent {
        let mut failures = 0;
        loop {
            match door.send(committed, parts).await {
                Sent::NotSent { cause } => {
                    failures += 1;
                    if failures >= self.tries.tries_max {
                        return Sent::NotSent { cause };
                    }
                    tracing::info!(attempt = %committed.attempt(), cause, "not sent; tried again");
                    tokio::time::sleep(self.wait(failures)).await;
                }
                sent @ (Sent::Accepted { .. } | Sent::Unknown { .. }) => return sent,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::model::id::AttemptNo;
    use crate::transport::manner::With;
    use crate::transport::{Arrival, Asked, DoorError};

    /// Fails so often before it answers, and counts.
    struct Scripted {
        not_sent: usize,
        then_unknown: bool,
        sent: AtomicUsize,
    }

    #[async_trait]
    impl Transport for Scripted {
        async fn send(&self, _committed: &Committed, _parts: &[OutPart]) -> Sent {
            let n = self.sent.fetch_add(1, Ordering::SeqCst);
            let cause = "scripted".to_owned();
            match n < self.not_sent {
                true => Sent::NotSent { cause },
                false if self.then_unknown => Sent::Unknown { cause, evidence: None },
                false => Sent::Accepted { answer: None },
            }
        }

        fn may_be_earlier(&self) -> bool {
            false
        }

        fn can_look(&self) -> bool {
            false
        }

        fn unasked(&self) -> Vec<Bytes> {
            Vec::new()
        }

        async fn lies_there(&self, _parts: &[OutPart]) -> bool {
            false
        }

        async fn ask(&self, _parts: &[OutPart]) -> Asked {
            self.sent.fetch_add(1, Ordering::SeqCst);
            Asked::Failed { cause: "scripted".to_owned() }
        }

        async fn arrivals(&self, _limit: usize) -> Result<Vec<String>, DoorError> {
            Err(DoorError::NoArrivals)
        }

        async fn fetch(&self, _name: &str) -> Result<Arrival, DoorError> {
            Err(DoorError::NoArrivals)
        }

        async fn archive(&self, _arrival: &Arrival) -> Result<(), DoorError> {
            Err(DoorError::NoArrivals)
        }

        async fn set_aside(&self, _name: &str) -> Result<(), DoorError> {
            Err(DoorError::NoArrivals)
        }

        async fn halves(&self) -> Result<Vec<String>, DoorError> {
            Ok(Vec::new())
        }

        async fn crowded_out(&self) -> Vec<String> {
            Vec::new()
        }

        async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
            Ok(None)
        }

        async fn beside(&self) -> Result<Vec<String>, DoorError> {
            Ok(Vec::new())
        }

        async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
            Ok(0)
        }

        fn opens_at(&self, _now_ms: i64) -> Option<i64> {
            None
        }

        fn commit_point(&self) -> &'static str {
            "never"
        }
    }

    async fn tried(not_sent: usize, then_unknown: bool) -> (Sent, usize, Duration) {
        let door = Arc::new(Scripted { not_sent, then_unknown, sent: AtomicUsize::new(0) });
        let tries = Tries { tries_max: 4, wait_ms: 1_000, wait_max_ms: 1_500 };
        let manner = Retrying::new(tries, Dice::seeded(3));
        let retrying = With::new(Arc::clone(&door) as Arc<dyn Transport>, manner);
        let begun = Instant::now();
        let sent = retrying.send(&Committed::after_commit(AttemptNo(1)), &[]).await;
        (sent, door.sent.load(Ordering::SeqCst), begun.elapsed())
    }

    #[test]
    fn f53_waits_differ_by_chance_also_at_the_most() {
        let tries = Tries { tries_max: 9, wait_ms: 1_000, wait_max_ms: 4_000 };
        for (failures, least, most) in [(1, 750, 1_250), (2, 1_500, 2_500), (3, 3_000, 4_000)] {
            let one = Retrying::new(tries, Dice::seeded(7));
            let waits: BTreeSet<u128> = (0..200).map(|_| one.wait(failures).as_millis()).collect();
            let ends = (waits.first().copied(), waits.last().copied());
            assert!(ends.0 >= Some(least) && ends.1 <= Some(most), "{failures}: {waits:?}");
            assert!(waits.len() > 20, "{failures}: {waits:?}");
            let other = Retrying::new(tries, Dice::seeded(8));
            let in_step = (0..200).filter(|_| one.wait(failures) == other.wait(failures)).count();
            assert!(in_step < 40, "{failures}: two wait alike {in_step} times of 200");
        }
        let one = Retrying::new(tries, Dice::seeded(7));
        assert!((4..80).all(|failures| one.wait(failures) <= Duration::from_secs(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn f24_what_never_left_is_sent_again_a_few_times() {
        let (sent, times, took) = tried(2, false).await;
        assert!(matches!(sent, Sent::Accepted { .. }) && times == 3, "{sent:?} {times}");
        // One second and the cap of one and a half, each with its share of chance.
        assert!((1_875..=2_750).contains(&took.as_millis()), "{took:?}");
        let (sent, times, _) = tried(9, false).await;
        assert!(matches!(sent, Sent::NotSent { .. }) && times == 4, "{sent:?} {times}");
    }

    #[tokio::test(start_paused = true)]
    async fn f25_what_may_have_arrived_is_never_sent_again() {
        for not_sent in 0..3 {
            let (sent, times, _) = tried(not_sent, true).await;
            assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
            assert_eq!(times, not_sent + 1, "once, after what never left");
        }
    }
}
