//! A practice bank's own book: every request it took, every credit, return and refund, in one
//! append-only file of JSON lines.
//!
//! The book is the judge of "never paid twice", so it must not be able to pay twice by a fault of
//! its own: a request with all its rows is one line, written and made durable before it is
//! answered. A kill leaves the whole line or a torn one, and a torn one is dropped at the next
//! start: it was never answered. Rows stay on the disk; memory holds one entry per request.
//!
//! People in a practice book are invented, so it is not sealed: it is meant to be read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The book's file in a bank's data folder.
pub const BOOK: &str = "book.ndjson";

/// What the bank did with one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    #[serde(rename = "+")]
    Credited,
    /// Credited, to come back later.
    #[serde(rename = "~")]
    CreditedForNow,
    #[serde(rename = "account")]
    AccountNotFound,
    #[serde(rename = "name")]
    NameMismatch,
    #[serde(rename = "closed")]
    Closed,
}

impl Fate {
    pub const fn is_credit(self) -> bool {
        matches!(self, Self::Credited | Self::CreditedForNow)
    }
}

/// One payment of a request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    #[serde(rename = "o")]
    pub ordinal: i64,
    #[serde(rename = "a")]
    pub account: String,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "f")]
    pub fen: i64,
    #[serde(rename = "p", default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    #[serde(rename = "w")]
    pub fate: Fate,
}

/// One line of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A batch that was taken, and its credits.
    Request {
        at_ms: i64,
        reference: String,
        /// Of the bytes that were received, in hex.
        sha256: String,
        pool: String,
        /// The answer to it was or will be lost; by files: nothing is said until the bank is asked.
        lost: bool,
        rows: Vec<Row>,
    },
    /// A batch that was refused whole; nothing of it was credited.
    Refused { at_ms: i64, reference: String, sha256: String, text: String },
    /// Credits that came back.
    Return { at_ms: i64, reference: String, rows: Vec<Row> },
    /// Money that went from the pool account back to finance.
    Refund { at_ms: i64, reference: String, sha256: String, pool: String, fen: i64 },
    /// Something that no sender may do.
    Offence { at_ms: i64, reference: String, text: String },
    /// An answer that was left for the sender, so that it is not left again after a restart.
    Told { at_ms: i64, reference: String, what: Told },
}

/// What was told without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The sender asked about a request whose answer was kept back.
    Asked,
    Result,
    Return,
    Notice,
}

/// What memory keeps of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Counted from 1 over all batches, taken or refused: faults count by it.
    pub no: u64,
    pub at_ms: i64,
    pub sha256: String,
    pub pool: String,
    pub lost: bool,
    /// The bank's words, where it was refused.
    pub refused: Option<String>,
    /// Rows that are to come back later and have not yet.
    pub to_return: bool,
    pub told: Vec<Told>,
    /// Where its line is in the book.
    place: (u64, usize),
    returns: Vec<(u64, usize)>,
}

impl Known {
    pub fn was_told(&self, what: Told) -> bool {
        self.told.contains(&what)
    }
}

/// A refund that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRefund {
    pub at_ms: i64,
    pub sha256: String,
    pub fen: i64,
}

/// The book, open for writing.
#[derive(Debug)]
pub struct Book {
    file: File,
    length: u64,
    requests: BTreeMap<String, Known>,
    refunds: BTreeMap<String, KnownRefund>,
    batches: u64,
}

/// Why a book cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error("the practice bank's book {path} failed")]
    Io { path: PathBuf, source: io::Error },
    #[error("line {line} of the practice bank's book {path} is not an entry")]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("the practice bank's book cannot be written or read")]
    Write(#[from] io::Error),
}

impl Book {
    /// Opens the book of `folder`, made where it is missing, and drops a torn last line.
    ///
    /// # Errors
    /// The folder or file cannot be used, or a line that is not the last is not an entry.
    pub fn open(folder: &Path) -> Result<Self, BookError> {
        let path = folder.join(BOOK);
        let io = |source| BookError::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let mut options = File::options();
        let file = options.read(true).append(true).create(true).open(&path).map_err(io)?;
        File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
        let mut book = Self {
            file,
            length: 0,
            requests: BTreeMap::new(),
            refunds: BTreeMap::new(),
            batches: 0,
        };
        let length = read_entries(&path, |entry, place| book.learn(&entry, place))?;
        book.file.set_len(length).map_err(io)?;
        book.file.sync_all().map_err(io)?;
        book.length = length;
        Ok(book)
    }

    /// Writes one entry; when this returns, it is durable.
    ///
    /// # Errors
    /// Nothing was taken in: the book is as before.
    pub fn write(&mut self, entry: &Entry) -> Result<(), BookError> {
        let place = self.append(entry)?;
        if let Err(e) = self.file.sync_data() {
            self.file.set_len(self.length)?;
            return Err(e.into());
        }
        self.length += place.1 as u64;
        self.learn(entry, place);
        Ok(())
    }

    /// Writes an entry that a crash may forget: that something was told.
    ///
    /// # Errors
    /// As [`Book::write`].
    pub fn note(&mut self, at_ms: i64, reference: &str, what: Told) -> Result<(), BookError> {
        let entry = Entry::Told { at_ms, reference: reference.to_owned(), what };
        let place = self.append(&entry)?;
        self.length += place.1 as u64;
        self.learn(&entry, place);
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(u64, usize), BookError> {
        let mut line = serde_json::to_vec(entry).map_err(io::Error::from)?;
        line.push(b'\n');
        if let Err(e) = self.file.write_all(&line) {
            self.file.set_len(self.length)?;
            return Err(e.into());
        }
        Ok((self.length, line.len()))
    }

    pub fn request(&self, reference: &str) -> Option<&Known> {
        self.requests.get(reference)
    }

    pub fn refund(&self, reference: &str) -> Option<&KnownRefund> {
        self.refunds.get(reference)
    }

    pub fn refund_count(&self) -> u64 {
        self.refunds.len() as u64
    }

    /// All batches, taken and refused, by reference.
    pub fn requests(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.requests.iter()
    }

    /// How many batches there are, taken and refused.
    pub const fn batches(&self) -> u64 {
        self.batches
    }

    /// The rows of a batch that was taken; none of one that was refused.
    ///
    /// # Errors
    /// The book cannot be read.
    pub fn rows(&self, known: &Known) -> Result<Vec<Row>, BookError> {
        match self.read(known.place)? {
            Entry::Request { rows, .. } => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }

    /// The rows of a batch that came back.
    ///
    /// # Errors
    /// The book cannot be read.
    pub fn returned(&self, known: &Known) -> Result<Vec<Row>, BookError> {
        let mut all = Vec::new();
        for place in &known.returns {
            if let Entry::Return { rows, .. } = self.read(*place)? {
                all.extend(rows);
            }
        }
        Ok(all)
    }

    fn read(&self, (at, length): (u64, usize)) -> Result<Entry, BookError> {
        let mut line = vec![0; length];
        self.file.read_exact_at(&mut line, at)?;
        Ok(serde_json::from_slice(&line).map_err(io::Error::from)?)
    }

    fn learn(&mut self, entry: &Entry, place: (u64, usize)) {
        match entry {
            Entry::Request { at_ms, reference, sha256, pool, lost, rows } => {
                let to_return = rows.iter().any(|r| r.fate == Fate::CreditedForNow);
                let known = self.batch(*at_ms, sha256, place);
                let known = Known { pool: pool.clone(), lost: *lost, to_return, ..known };
                self.requests.insert(reference.clone(), known);
            }
            Entry::Refused { at_ms, reference, sha256, text } => {
                let known = self.batch(*at_ms, sha256, place);
                let known = Known { refused: Some(text.clone()), ..known };
                self.requests.insert(reference.clone(), known);
            }
            Entry::Return { reference, .. } => {
                if let Some(known) = self.requests.get_mut(reference) {
                    known.to_return = false;
                    known.returns.push(place);
                }
            }
            Entry::Refund { at_ms, reference, sha256, fen, .. } => {
                let refund = KnownRefund { at_ms: *at_ms, sha256: sha256.clone(), fen: *fen };
                self.refunds.insert(reference.clone(), refund);
            }
            Entry::Offence { .. } => {}
            Entry::Told { reference, what, .. } => {
                if let Some(known) = self.requests.get_mut(reference) {
                    known.told.push(*what);
                }
            }
        }
    }

    fn batch(&mut self, at_ms: i64, sha256: &str, place: (u64, usize)) -> Known {
        self.batches += 1;
        Known {
            no: self.batches,
            at_ms,
            sha256: sha256.to_owned(),
            pool: String::new(),
            lost: false,
            refused: None,
            to_return: false,
            told: Vec::new(),
            place,
            returns: Vec::new(),
        }
    }
}

/// Reads the whole entries of a book and says how many bytes they take. A last line without its
/// end, or one that is no entry, is torn and not counted; anywhere else that is an error.
pub(super) fn read_entries(
    path: &Path,
    mut each: impl FnMut(Entry, (u64, usize)),
) -> Result<u64, BookError> {
    let io = |source| BookError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
    let mut line = Vec::new();
    let (mut length, mut number) = (0_u64, 0_usize);
    let mut bad: Option<serde_json::Error> = None;
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 {
            return Ok(length);
        }
        if let Some(source) = bad {
            return Err(BookError::Line { path: path.to_owned(), line: number, source });
        }
        if line.last() != Some(&b'\n') {
            return Ok(length);
        }
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(entry) => {
                each(entry, (length, read));
                length += read as u64;
            }
            Err(e) => bad = Some(e),
        }
    }
}
