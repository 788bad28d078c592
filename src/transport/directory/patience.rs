//! A share that hangs: what is done in its folders is given up after a time. Nothing stops a call that waits in the
//! kernel, so it is left behind, with a word that it must not commit any more; and few of them are left behind,
//! so that those who wait for one folder take no room from anybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The most that goes on in the folders of one bank at once.
const AT_ONCE: usize = 16;

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

    /// Gives it up; says whether that was before its commit point, so that it never will.
    pub(super) fn give_up(&self) -> bool {
        let change = self.0.compare_exchange(BEFORE, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst);
        change.is_ok()
    }
}

/// How long a folder is waited for.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    within: Duration,
    rooms: Arc<Semaphore>,
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
        Self { within, rooms: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) const fn seconds(&self) -> u64 {
        self.within.as_secs()
    }

    /// Does what blocks, and waits for it so long.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Cut> {
        let room = timeout(self.within, Arc::clone(&self.rooms).acquire_owned()).await;
        let Ok(Ok(room)) = room else { return Err(Cut::NotBegun) };
        let working = spawn_blocking(move || {
            let done = work();
            drop(room);
            done
        });
        match timeout(self.within, working).await {
            Ok(done) => done.map_err(|_| Cut::Broke),
            Err(_) => Err(Cut::Hangs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn f25_what_hangs_is_given_up_and_takes_no_room_from_others() {
        let (folder, other) =
            (Patience::new(Duration::from_millis(50)), Patience::new(Duration::from_secs(30)));
        let (end, hanging) = std::sync::mpsc::channel::<()>();
        let hanging = Arc::new(std::sync::Mutex::new(hanging));
        for _ in 0..AT_ONCE {
            let hanging = Arc::clone(&hanging);
            let cut = folder.with(move || hanging.lock().expect("held").recv().is_err()).await;
            assert_eq!(cut, Err(Cut::Hangs));
        }
        assert_eq!(folder.with(|| 1).await, Err(Cut::NotBegun), "no thread more waits for it");
        assert_eq!(other.with(|| 2).await, Ok(2));
        drop(end);
        // The folder answers again, and what waited has ended.
        let mut again = Err(Cut::NotBegun);
        for _ in 0..200 {
            again = folder.with(|| 3).await;
            if again.is_ok() {
                break;
            }
        }
        assert_eq!(again, Ok(3));
        let broke: Result<(), Cut> = other.with(|| panic!("on purpose")).await;
        assert_eq!(broke, Err(Cut::Broke));
    }

    #[test]
    fn i4_what_was_given_up_does_not_commit_and_what_commits_is_not_given_up() {
        let (first, second) = (Turn::default(), Turn::default());
        assert!(first.give_up() && !first.may_commit());
        assert!(second.may_commit() && !second.give_up());
    }
}
