//! A manner of using a door: a bank's limits, repeating what never left, keeping a bank's hours.
//!
//! A manner changes how a door is used and never what it is. There is one wrapper for all of them, and
//! no verb of [`Transport`] has a default: a verb that is added and not passed on does not compile,
//! where a wrapper with a default would have answered "no" for the door behind it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::attempt::Committed;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

/// What one manner does otherwise; what it does not say stays as it is.
#[async_trait]
pub trait Manner: Send + Sync {
    /// Hands one attempt over, by `door`.
    async fn send(&self, door: &dyn Transport, committed: &Committed, parts: &[OutPart]) -> Sent {
        door.send(committed, parts).await
    }

    /// Asks the bank, by `door`.
    async fn ask(&self, door: &dyn Transport, parts: &[OutPart]) -> Asked {
        door.ask(parts).await
    }

    /// When the bank takes something in again.
    fn opens_at(&self, door: &dyn Transport, now_ms: i64) -> Option<i64> {
        door.opens_at(now_ms)
    }
}

/// One manner for several doors: what a bank bears, it bears through all of them together.
#[async_trait]
impl<M: Manner> Manner for Arc<M> {
    async fn send(&self, door: &dyn Transport, committed: &Committed, parts: &[OutPart]) -> Sent {
        self.as_ref().send(door, committed, parts).await
    }

    async fn ask(&self, door: &dyn Transport, parts: &[OutPart]) -> Asked {
        self.as_ref().ask(door, parts).await
    }

    fn opens_at(&self, door: &dyn Transport, now_ms: i64) -> Option<i64> {
        self.as_ref().opens_at(door, now_ms)
    }
}

/// A door that is used in a manner.
pub struct With<M> {
    door: Arc<dyn Transport>,
    manner: M,
}

impl<M: Manner> With<M> {
    pub fn new(door: Arc<dyn Transport>, manner: M) -> Self {
        Self { door, manner }
    }
}

#[async_trait]
impl<M: Manner> Transport for With<M> {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        self.manner.send(self.door.as_ref(), committed, parts).await
    }

    fn may_be_earlier(&self) -> bool {
        self.door.may_be_earlier()
    }

    fn can_look(&self) -> bool {
        self.door.can_look()
    }

    fn unasked(&self) -> Vec<Bytes> {
        self.door.unasked()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        self.door.lies_there(parts).await
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        self.manner.ask(self.door.as_ref(), parts).await
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

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.door.halves().await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.door.crowded_out().await
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        self.door.unfetched().await
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        self.door.beside().await
    }

    async fn clear(&self, parts: &[OutPart]) -> Result<usize, DoorError> {
        self.door.clear(parts).await
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.manner.opens_at(self.door.as_ref(), now_ms)
    }

    fn commit_point(&self) -> &'static str {
        self.door.commit_point()
    }
}
