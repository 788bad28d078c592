//! The practice finance: a whole finance side of the contract, on a listener and with a book of its
//! own.
//!
//! It makes up registers from a seed ([`registers`]), serves them as `finance/openapi.yaml` says
//! ([`server`]), checks every report against what it released ([`reports`]), decides what was set
//! aside, and keeps a durable book ([`book`]) from which it judges in the end whether every payment
//! came to an end and every fen came back ([`judge`]). It refuses what the contract does not allow,
//! because a practice partner that forgives teaches nothing. It can run in a process of its own, be
//! killed at any moment and be started again on the same folder.

pub mod book;
pub mod judge;
pub mod reading;
pub mod registers;
pub mod reports;
pub mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::guard::key::Key;
use crate::guard::sign::{Algorithm, SignError, Signer, Verifier};
use crate::model::words;
use crate::sandbox::finance::book::Book;
use crate::sandbox::finance::judge::Judgement;
use crate::sandbox::finance::registers::Registers;

words! {
    /// What a register of the practice finance is like.
    RegisterKind {
        /// Every payment arrives.
        Clean = "clean",
        /// Some payments are set aside, fail, come back later or have no phone number.
        Troubled = "troubled",
        /// Clean, and a bank loses its first answer to one batch of it.
        Lost = "lost",
    }
}

/// A practice bank, as far as the practice finance knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankCode {
    pub code: String,
    /// Can this bank write GBK alone? It gets the rare name that must be set aside. Practice banks that
    /// write GBK are those that are called.
    pub gbk: bool,
}

/// What a practice finance is made of. The same options make the same registers.
#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// The name under which the daemon knows it.
    pub source: String,
    pub registers: usize,
    /// Payments in each register.
    pub payments: i64,
    pub banks: Vec<BankCode>,
    /// The registers take these in turn.
    pub kinds: Vec<RegisterKind>,
    /// The money arrives so long after a head was first read; at once where it is 0.
    pub funded_after_ms: i64,
    /// The folder of the book.
    pub data: PathBuf,
    pub algorithm: Algorithm,
    pub key_id: String,
    pub key: Key,
    /// How far the two clocks may differ.
    pub window_ms: i64,
}

impl Options {
    /// Three small registers for two banks. The folder and the key are for whoever practises.
    pub fn practice() -> Self {
        Self {
            seed: 1,
            source: "practice".to_owned(),
            registers: 3,
            payments: 100,
            banks: vec![
                BankCode { code: "bank-a".to_owned(), gbk: false },
                BankCode { code: "bank-b".to_owned(), gbk: true },
            ],
            kinds: RegisterKind::ALL.to_vec(),
            funded_after_ms: 0,
            data: PathBuf::new(),
            algorithm: Algorithm::HmacSha256,
            key_id: "practice".to_owned(),
            key: Key::random(),
            window_ms: 300_000,
        }
    }
}

/// Why a practice finance does not start.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    #[error("a practice finance has at least one payment, one bank and one kind of register")]
    Options,
    #[error("{path}: {source}", path = .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: line {line} of the book is not readable", path = .path.display())]
    Book { path: PathBuf, line: usize },
    #[error("{path}: the book was begun with other registers, payments or banks; give the same numbers as then, or another --data", path = .path.display())]
    OtherOptions { path: PathBuf },
    #[error("{path}: another process uses the book", path = .path.display())]
    InUse { path: PathBuf },
    #[error("the key id cannot be used")]
    Key(#[from] SignError),
}

impl PracticeError {
    fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// A practice finance: its registers, its book and its key.
pub struct PracticeFinance {
    registers: Registers,
    book: Mutex<Book>,
    clock: Arc<dyn Clock>,
    signer: Signer,
    verifier: Verifier,
}

impl PracticeFinance {
    /// Opens the book in its folder, or begins it.
    ///
    /// # Errors
    /// [`PracticeError`] where the options make no sense, or the book is another's or unreadable.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, PracticeError> {
        if options.payments < 1 || options.banks.is_empty() || options.kinds.is_empty() {
            return Err(PracticeError::Options);
        }
        let signer = Signer::new(options.algorithm, &options.key_id, &options.key)?;
        let verifier = Verifier::new(options.algorithm, options.window_ms)
            .with_key(&options.key_id, &options.key)?;
        let (mut book, opened_at_ms, entries) = Book::open(&options, clock.now_ms())?;
        let registers = Registers::new(options, opened_at_ms);
        for entry in entries {
            book.apply(&registers, entry);
        }
        Ok(Self { registers, book: Mutex::new(book), clock, signer, verifier })
    }

    pub const fn registers(&self) -> &Registers {
        &self.registers
    }

    /// Makes up all registers once, so that the first reader of a head does not wait for it.
    pub fn prepare(&self) {
        for at in 0..self.registers.count() {
            self.registers.head(at);
        }
    }

    /// What the book says of every register.
    pub fn judge(&self) -> Judgement {
        self.book().judge(&self.registers)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A practice finance that is being served.
pub struct Handle {
    finance: Arc<PracticeFinance>,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Handle {
    pub const fn finance(&self) -> &Arc<PracticeFinance> {
        &self.finance
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the daemon's configuration names as this source's address.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn judge(&self) -> Judgement {
        self.finance.judge()
    }

    /// Stops serving and waits for what is under way.
    ///
    /// # Errors
    /// Where serving had failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.cancel();
        self.task.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}

/// Serves a practice finance on `listener` until its handle is stopped or the process ends.
///
/// # Errors
/// As [`PracticeFinance::open`], or where the listener has no address.
pub fn start(
    options: Options,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
) -> Result<Handle, PracticeError> {
    let path = options.data.clone();
    let address = listener.local_addr().map_err(|error| PracticeError::file(&path, error))?;
    let finance = Arc::new(PracticeFinance::open(options, clock)?);
    let stop = CancellationToken::new();
    let task = tokio::spawn(server::serve(Arc::clone(&finance), listener, stop.clone()));
    Ok(Handle { finance, address, stop, task })
}

#[cfg(test)]
mod tests;
