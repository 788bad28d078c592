//! Opening: what could break the program down - an answer of a bank that is read, a payment that is
//! written - is opened here, one item at a time, so that whatever is wrong with one is the end of that one
//! and not of the daemon (F56).
//!
//! Where the program notices (a panic), the item is left alone at once. Where it does not - an abort, a full
//! stack, no memory, a loop that the watchdog ends - the process dies, and the next one does not know of
//! what. It is careful then: it opens one item at a time and writes each down beforehand, in a [`Ledger`]
//! that outlives it. An item that is still written down at the start after that was open when the one before
//! died; of which two have died is not opened again. A process after one that ended well writes nothing
//! down, so that nobody pays for this by the payment.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::guard::digest::sha256;

/// What is opened: where it stands, and what it is. Digests, because names come from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub place: [u8; 32],
    pub content: [u8; 32],
}

impl Item {
    pub fn new(place: &[&str], content: [u8; 32]) -> Self {
        Self { place: sha256(place.join("\0").as_bytes()), content }
    }
}

/// Where the item that is open is written down. It outlives the process and need not outlive the machine: no
/// item turns off the power.
pub trait Ledger: Send + Sync {
    /// # Errors
    /// Where it cannot be written.
    fn opens(&self, item: &Item) -> io::Result<()>;

    /// # Errors
    /// Where it cannot be written.
    fn closed(&self) -> io::Result<()>;
}

/// Why an item was not opened to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// It broke the program down just now.
    BrokeDown,
    /// Processes died of it before.
    Deadly,
}

impl Unopened {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::BrokeDown => "程序读到中途出错，是程序的缺陷，请把日志中的位置报给开发方",
            Self::Deadly => "系统此前读它时整个中断过，不再读取；是程序的缺陷，请报给开发方",
        }
    }
}

/// Opens items, and knows what processes died of.
#[derive(Default)]
pub struct Opening {
    deaths: Vec<Item>,
    careful: Option<Mutex<Box<dyn Ledger>>>,
}

impl Opening {
    /// The last process ended well; of these items earlier ones died.
    pub const fn trusting(deaths: Vec<Item>) -> Self {
        Self { deaths, careful: None }
    }

    /// The last process died: what is opened is written down first.
    pub fn careful(deaths: Vec<Item>, ledger: Box<dyn Ledger>) -> Self {
        Self { deaths, careful: Some(Mutex::new(ledger)) }
    }

    /// Is it worth while to open items one by one?
    pub const fn doubts(&self) -> bool {
        self.careful.is_some() || !self.deaths.is_empty()
    }

    /// Have two processes died of this? That of one may be chance: somebody ended it while it was open. Other
    /// content at the same place is another item, until processes have died of two: an answer to a question
    /// is never the same twice.
    fn is_deadly(&self, item: &Item) -> bool {
        let here = || self.deaths.iter().filter(|death| death.place == item.place);
        let of_this = here().filter(|death| death.content == item.content).count();
        let first = here().next();
        of_this > 1 || here().any(|death| Some(death.content) != first.map(|one| one.content))
    }

    /// Opens an item: `work` reads or writes it, and does nothing else.
    ///
    /// # Errors
    /// [`Unopened`], where it broke the program down, or did before.
    pub fn open<T>(
        &self,
        item: impl FnOnce() -> Item,
        work: impl FnOnce() -> T,
    ) -> Result<T, Unopened> {
        if !self.doubts() {
            return caught(work);
        }
        let item = item();
        if self.is_deadly(&item) {
            return Err(Unopened::Deadly);
        }
        let Some(ledger) = &self.careful else { return caught(work) };
        // Held while the item is open: of two that are open at once nobody could say which it was.
        let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let done = caught(|| {
            note(ledger.opens(&item));
            work()
        });
        note(ledger.closed());
        done
    }
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Unopened> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Unopened::BrokeDown)
}

/// On a full disk answers are read all the same; only that nobody could say what a process died of.
fn note(done: io::Result<()>) {
    if let Err(cause) = done {
        tracing::warn!(%cause, "what is being opened cannot be written down");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What stands in the ledger.
    #[derive(Clone, Default)]
    struct Slate(Arc<Mutex<Vec<Item>>>);

    impl Ledger for Slate {
        fn opens(&self, item: &Item) -> io::Result<()> {
            self.0.lock().expect("not poisoned").push(*item);
            Ok(())
        }

        fn closed(&self) -> io::Result<()> {
            self.0.lock().expect("not poisoned").clear();
            Err(io::Error::other("the disk is full"))
        }
    }

    fn item(place: &str, content: u8) -> Item {
        Item::new(&["bank", place], [content; 32])
    }

    #[test]
    fn f56_an_item_is_written_down_while_it_is_open_and_not_longer() {
        let slate = Slate::default();
        let stands = || slate.0.lock().expect("not poisoned").clone();
        let opening = Opening::careful(Vec::new(), Box::new(slate.clone()));
        assert_eq!(opening.open(|| item("a", 1), stands), Ok(vec![item("a", 1)]));
        assert_eq!(stands(), []);
        let broke = opening.open(|| item("b", 1), || panic!("account {}", 6_217));
        assert_eq!(broke, Err::<(), _>(Unopened::BrokeDown));
        assert_eq!(stands(), [], "nobody died of it");
        assert_eq!(opening.open(|| item("b", 1), || 2), Ok(2), "and it may be opened again");
    }

    #[test]
    fn f56_what_a_process_died_of_is_not_opened_and_what_stands_beside_it_is() {
        let deaths = [("a", 1), ("a", 1), ("b", 1), ("b", 2), ("d", 1)];
        let deaths = deaths.map(|(place, content)| item(place, content));
        let opening = Opening::trusting(deaths.to_vec());
        let opened = |place, content| opening.open(|| item(place, content), || ());
        assert_eq!(opened("a", 1), Err(Unopened::Deadly));
        assert_eq!(opened("a", 2), Ok(()), "a corrected file under the same name is read");
        assert_eq!(opened("c", 1), Ok(()));
        assert_eq!(opened("d", 1), Ok(()), "once may be chance");
        // Whatever comes there is another one each time.
        assert_eq!(opened("b", 3), Err(Unopened::Deadly));
    }

    #[test]
    fn f56_after_a_process_that_ended_well_nothing_is_asked_of_an_item() {
        let opening = Opening::default();
        let asked = || -> Item { unreachable!("nobody asks for it") };
        assert_eq!(opening.open(asked, || 1), Ok(1));
        assert_eq!(opening.open(asked, || panic!("no")), Err::<(), _>(Unopened::BrokeDown));
    }
}
