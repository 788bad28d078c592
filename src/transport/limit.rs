//! Keeps a bank's limits: so many messages a second, so many at once. Wraps any door.
//!
//! Waiting happens before the first byte, so a limit never makes an outcome unknown by itself;
//! whoever is stopped while waiting stays in SENDING and asks, which is slower and still right.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::attempt::Committed;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

/// What a bank bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages that may start within a second, evenly spread.
    pub per_second: NonZeroU32,
    /// Messages that may be under way at one time.
    pub at_once: NonZeroU32,
}

/// A door behind a limit.
pub struct Limited {
    door: Arc<dyn Transport>,
    rate: DefaultDirectRateLimiter,
    places: Semaphore,
}

impl Limited {
    pub fn new(door: Arc<dyn Transport>, limits: Limits) -> Self {
        // A burst of one: a bank that says five a second does not mean five at its opening hour.
        let quota = Quota::per_second(limits.per_second).allow_burst(NonZeroU32::MIN);
        let places = usize::try_from(limits.at_once.get()).unwrap_or(usize::MAX);
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Self { door, rate: RateLimiter::direct(quota), places }
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.places.acquire().await.ok()?;
        self.rate.until_ready().await;
        Some(place)
    }
}

#[async_trait]
impl Transport for Limited {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        match self.turn().await {
            Some(_place) => self.door.send(committed, parts).await,
            None => Sent::NotSent { cause: "the door is closed".to_owned() },
        }
    }

    fn can_look(&self) -> bool {
        self.door.can_look()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        self.door.lies_there(parts).await
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        match self.turn().await {
            Some(_place) => self.door.ask(parts).await,
            None => Asked::Failed { cause: "the door is closed".to_owned() },
        }
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.door.arrivals(limit).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        self.door.fetch(name).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        self.door.archive(arrival).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.door.set_aside(name).await
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        self.door.unfetched().await
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.door.opens_at(now_ms)
    }

    fn commit_point(&self) -> &'static str {
        self.door.commit_point()
    }
}
