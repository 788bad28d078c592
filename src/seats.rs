//! Places for so many callers and no more.
//!
//! Whoever opens a connection and says nothing, or a letter a second, costs a place. Where all are taken
//! the caller leaves first that has waited longest without being served: however many are silent, one who
//! speaks is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// The places of one listener.
pub struct Seats {
    most: usize,
    taken: Vec<Seat>,
}

/// One caller's place.
#[derive(Clone)]
pub struct Seat {
    served: Arc<AtomicBool>,
    leave: CancellationToken,
}

impl Seats {
    /// Places for `most` callers at one time.
    pub const fn new(most: usize) -> Self {
        Self { most, taken: Vec::new() }
    }

    /// A free place, or that of the caller who has been waited for the longest; none where all are
    /// served.
    pub fn take(&mut self) -> Option<Seat> {
        self.taken.retain(|seat| !seat.leave.is_cancelled());
        if self.taken.len() >= self.most {
            let waiting = self.taken.iter().position(|seat| !seat.is_served())?;
            self.taken.remove(waiting).leave.cancel();
        }
        let seat = Seat { served: Arc::default(), leave: CancellationToken::new() };
        self.taken.push(seat.clone());
        Some(seat)
    }
}

impl Seat {
    /// Something is done for the caller: he is not sent away meanwhile.
    pub fn serve(&self, now: bool) {
        self.served.store(now, Ordering::Relaxed);
    }

    fn is_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Returns once the caller has to go.
    pub async fn must_leave(&self) {
        self.leave.cancelled().await;
    }

    /// The caller has gone.
    pub fn free(&self) {
        self.leave.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_longest_without_being_served_leaves_first() {
        let mut seats = Seats::new(3);
        let [first, second, third] = [(); 3].map(|()| seats.take().expect("free"));
        first.serve(true);
        let fourth = seats.take().expect("that of the second");
        assert!(second.leave.is_cancelled() && !first.leave.is_cancelled());
        third.serve(true);
        fourth.serve(true);
        assert!(seats.take().is_none(), "all are served");
        first.free();
        assert!(seats.take().is_some(), "somebody went");
    }
}
