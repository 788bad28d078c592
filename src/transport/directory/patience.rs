//! A share that hangs: what is done in its folders is given up after a time. Nothing stops a call that waits in the
//! kernel, so it is left behind, with a word that it must not commit any more. Until it has come to its end nothing
//! else is begun in that folder: two hand-overs at once would write under each other's temporary names, and those
//! who wait for a share that hangs would take the room of everybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const BEFORE: u8 = 0;
const COMMITTING: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether a hand-over has come to its commit point, which it does not pass once it was given up.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicU8);

impl Turn {
    /// May it commit? From here on nobody can say any more that it did not.
    pub(super) fn may_commit(&self) -> bool {
        let change =
            self.0.compare_exchange(BEFORE, COMMITTING, Ordering::SeqCst, Ordering::SeqCst);
        change.is_ok()
    }

    /// Nobody waits for it any more: it is to change nothing.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.load(Ordering::SeqCst) == GIVEN_UP
    }

    /// Gives it up; says whether that was before its commit point, so that it never will.
    pub(super) fn give_up(&self) -> bool {
        let change = self.0.compare_exchange(BEFORE, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst);
        change.is_ok()
    }
}

/// How long a folder is waited for, and room for one thing at a time.
#[derive(Debug)]
pub(super) struct Patience {
    within: Duration,
    room: Arc<Semaphore>,
    /// What has the room, counted from 1, and what of that was given up: the same, where that hangs.
    under_way: AtomicU64,
    given_up: AtomicU64,
}

/// It did not come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It was not even begun: what was begun before hangs.
    NotBegun,
    /// It may go on for ever.
    Hangs,
    /// It broke down.
    Broke,
}

impl Patience {
    pub(super) fn new(within: Duration) -> Self {
        let (under_way, given_up) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { within, room: Arc::new(Semaphore::new(1)), under_way, given_up }
    }

    pub(super) const fn seconds(&self) -> u64 {
        self.within.as_secs()
    }

    fn hangs(&self) -> bool {
        let given_up = self.given_up.load(Ordering::SeqCst);
        given_up > 0 && given_up == self.under_way.load(Ordering::SeqCst)
    }

    /// Does what blocks, and waits for it so long. Where the folder hangs already it is not waited for once more.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Cut> {
        let room = Arc::clone(&self.room);
        let room = match Arc::clone(&room).try_acquire_owned() {
            Ok(room) => room,
            Err(_) if self.hangs() => return Err(Cut::NotBegun),
            Err(_) => match timeout(self.within, room.acquire_owned()).await {
                Ok(Ok(room)) => room,
                Ok(Err(_)) | Err(_) => return Err(Cut::NotBegun),
            },
        };
        let mine = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let working = spawn_blocking(move || {
            let done = work();
            drop(room);
            done
        });
        let Ok(done) = timeout(self.within, working).await else {
            self.given_up.store(mine, Ordering::SeqCst);
            return Err(Cut::Hangs);
        };
        done.map_err(|_| Cut::Broke)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn f25_what_hangs_is_given_up_and_nothing_is_begun_beside_it() {
        let folder = Patience::new(Duration::from_millis(100));
        let other = Patience::new(Duration::from_secs(30));
        let (end, hanging) = std::sync::mpsc::channel::<()>();
        assert_eq!(folder.with(move || hanging.recv().is_err()).await, Err(Cut::Hangs));
        let begun = tokio::time::Instant::now();
        for _ in 0..50 {
            assert_eq!(folder.with(|| 1).await, Err(Cut::NotBegun));
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "nobody waits for it fifty times");
        assert_eq!(other.with(|| 2).await, Ok(2), "another folder answers");
        // The folder answers again, and what waited has ended.
        drop(end);
        let mut again = Err(Cut::NotBegun);
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            again = folder.with(|| 3).await;
            if again.is_ok() {
                break;
            }
        }
        assert_eq!(again, Ok(3));
        let broke: Result<(), Cut> = other.with(|| panic!("on purpose")).await;
        assert_eq!(broke, Err(Cut::Broke));
        assert_eq!(other.with(|| 4).await, Ok(4), "what broke down has ended");
    }

    #[test]
    fn i4_what_was_given_up_does_not_commit_and_what_commits_is_not_given_up() {
        let (first, second) = (Turn::default(), Turn::default());
        assert!(first.give_up() && !first.may_commit());
        assert!(second.may_commit() && !second.give_up());
    }
}
