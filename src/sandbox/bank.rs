//! Practice banks: real folders, real loopback HTTP and sockets, a durable book of their own, and switches
//! for everything that a bank can do wrong.
//!
//! What a bank did is judged from its book ([`read_book`]), never from what it said: an answer may
//! be lost, late, doubled or wrong on purpose, the book is none of these.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::format::{DataError, Format};
pub use crate::sandbox::bank_answers::names_payments;
pub use crate::sandbox::bank_beside::Beside;
pub use crate::sandbox::bank_book::BookError;
use crate::sandbox::bank_desk::Desk;
pub use crate::sandbox::bank_faults::{Faults, MILLION, Often, Outage, Told};
pub use crate::sandbox::bank_judge::{
    BankVerdict, Card, CreditedTwice, Fared, read_book, read_cards, read_references,
};
pub use crate::sandbox::bank_line::Shown;
pub use crate::sandbox::bank_push::PushTo;
pub use crate::sandbox::bank_socket::Staying;
use crate::sandbox::bank_speech::Speech;
use crate::sandbox::{bank_files, bank_http, bank_push, bank_socket};
use crate::transport::DoorError;

/// Where a practice bank is met.
#[derive(Debug, Clone)]
pub enum Wire {
    Files {
        /// Where senders leave their files for the bank.
        outgoing: PathBuf,
        /// Where the bank leaves its own. Both are on the file system of the bank's data.
        incoming: PathBuf,
        /// As in `.ok`: what a whole file's control file ends in. Without it, a file is whole that does not
        /// change for a moment.
        control_suffix: Option<String>,
    },
    /// A loopback address; port 0 for any free one.
    Http { listen: SocketAddr },
    /// The same, and on it no protocol but the format's frame.
    Socket { listen: SocketAddr },
}

/// How a practice bank is set up. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bank's own folder: its book, and the files it took.
    pub data: PathBuf,
    pub wire: Wire,
    /// Where else it is met.
    pub also: Vec<Wire>,
    /// The folders for files that messages on a line name.
    pub beside: Option<Beside>,
    /// From taking a batch to its results.
    pub result_ms: i64,
    /// From the results to what comes back of them.
    pub return_ms: i64,
    /// From the results to the notices.
    pub notice_ms: i64,
    /// How often it looks at its folders and its due times.
    pub poll_ms: u64,
    /// Its words where it refuses a batch because it was told to.
    pub refusal: String,
    /// Whom it calls with what it has to say, instead of waiting to be asked (HTTP only).
    pub push: Option<PushTo>,
    /// What it shows who calls it; without it it speaks in the clear.
    pub shown: Option<Shown>,
    /// What keeps connections on its sockets alive; without it a heartbeat is no message at all.
    pub staying: Option<Staying>,
    pub faults: Faults,
}

impl Options {
    /// A quick and well-behaved bank.
    pub fn new(data: PathBuf, wire: Wire) -> Self {
        Self {
            data,
            wire,
            also: Vec::new(),
            beside: None,
            result_ms: 50,
            return_ms: 100,
            notice_ms: 50,
            poll_ms: 20,
            refusal: "内部户余额不足".to_owned(),
            push: None,
            shown: None,
            staying: None,
            faults: Faults::default(),
        }
    }
}

/// Why a practice bank cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error("the practice bank cannot write its answer: {0}")]
    Speech(DataError),
    #[error("the practice bank's folders do not work")]
    Door(#[from] DoorError),
    #[error("the practice bank cannot listen")]
    Listen(#[source] std::io::Error),
    #[error("{path}: {cause}", path = .path.display())]
    Shown { path: PathBuf, cause: String },
    #[error("the practice bank's format is not for a socket: {0}")]
    Framing(String),
    #[error("the practice bank's work was interrupted")]
    Interrupted,
}

/// A practice bank at work; dropping it stops it.
pub struct PracticeBank {
    desk: Arc<Desk>,
    /// Of the first wire that is an address.
    address: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl PracticeBank {
    /// Opens the book and the wire.
    ///
    /// # Errors
    /// The book, the folders or the address cannot be used.
    pub async fn start(
        options: Options,
        format: Arc<Format>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BankError> {
        let wires: Vec<Wire> =
            [options.wire.clone()].into_iter().chain(options.also.clone()).collect();
        let in_folders = wires.iter().any(|wire| matches!(wire, Wire::Files { .. }));
        let push = options.push.clone();
        let desk = Arc::new(Desk::open(options, Speech::new(format), clock)?);
        let (mut address, mut tasks) = (None, Vec::new());
        for wire in wires {
            let listens = match wire {
                Wire::Files { outgoing, incoming, control_suffix } => {
                    tasks.push(bank_files::start(&desk, outgoing, incoming, control_suffix)?);
                    continue;
                }
                Wire::Http { listen } => bank_http::start(&desk, listen).await?,
                Wire::Socket { listen } => bank_socket::start(&desk, listen).await?,
            };
            address = address.or(Some(listens.0));
            tasks.push(listens.1);
        }
        // What happens by itself happens once: who looks at folders sees to it there.
        if !in_folders {
            tasks.push(match push {
                Some(to) => tokio::spawn(bank_push::push_all(Arc::clone(&desk), to)),
                None => tokio::spawn(bank_http::let_money_come_back(Arc::clone(&desk))),
            });
        }
        Ok(Self { desk, address, tasks })
    }

    /// The address to post to, of a bank that listens.
    pub fn url(&self) -> Option<String> {
        self.address.map(|address| format!("http://{address}/"))
    }

    /// Where a bank that is met on a socket listens.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What the bank's own book says now.
    ///
    /// # Errors
    /// The book cannot be read.
    pub fn judge(&self) -> Result<BankVerdict, BookError> {
        read_book(&self.desk.options.data)
    }

    /// Has everything that happens by itself happened: results, returns and notices?
    pub fn is_quiet(&self) -> bool {
        self.desk.open_batches().is_empty()
    }

    /// Stops it and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            task.await.unwrap_or_default();
        }
    }
}

impl Drop for PracticeBank {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
