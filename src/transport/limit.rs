//! Keeps a bank's limits: so many messages a second, so many at once.
//!
//! Waiting happens before the first byte, so a limit never makes an outcome unknown by itself;
//! whoever is stopped while waiting stays in SENDING and asks, which is slower and still right.

use std::num::NonZeroU32;

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::attempt::Committed;
use crate::transport::manner::Manner;
use crate::transport::{Asked, OutPart, Sent, Transport};

/// What a bank bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages that may start within a second, evenly spread.
    pub per_second: NonZeroU32,
    /// Messages that may be under way at one time.
    pub at_once: NonZeroU32,
}

/// The use of a door within a bank's limits.
pub struct Limited {
    rate: DefaultDirectRateLimiter,
    places: Semaphore,
}

impl Limited {
    pub fn new(limits: Limits) -> Self {
        // A burst of one: a bank that says five a second does not mean five at its opening hour.
        let quota = Quota::per_second(limits.per_second).allow_burst(NonZeroU32::MIN);
        let places = usize::try_from(limits.at_once.get()).unwrap_or(usize::MAX);
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Self { rate: RateLimiter::direct(quota), places }
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.places.acquire().await.ok()?;
        self.rate.until_ready().await;
        Some(place)
    }
}

#[async_trait]
impl Manner for Limited {
    async fn send(&self, door: &dyn Transport, committed: &Committed, parts: &[OutPart]) -> Sent {
        match self.turn().await {
            Some(_place) => door.send(committed, parts).await,
            None => Sent::NotSent { cause: "the door is closed".to_owned() },
        }
    }

    async fn ask(&self, door: &dyn Transport, parts: &[OutPart]) -> Asked {
        match self.turn().await {
            Some(_place) => door.ask(parts).await,
            None => Asked::Failed { cause: "the door is closed".to_owned() },
        }
    }
}
