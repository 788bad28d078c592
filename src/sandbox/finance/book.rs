//! The book: what the practice finance knows for certain, on disk before it says so.
//!
//! Append-only NDJSON, one entry for each report that was taken, synced before it is acknowledged.
//! A process killed while writing leaves at most one torn line at the end, which nobody was told
//! about; it is cut off at the next start. No personal data is kept: a line's number says it all to
//! whoever can make up the line again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::finance::Verdict;
use crate::finance::report::{About, Closing, Head};
use crate::finance::spoken::Sha256;
use crate::model::hold::HoldReason;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::{OutcomeKind, Seen};
use crate::model::refund::LeftoverCause;
use crate::model::report::RecipientKind;
use crate::sandbox::finance::registers::Registers;
use crate::sandbox::finance::{BankCode, Options, PracticeError};

/// The book's file in the practice finance's folder.
pub(super) const FILE: &str = "finance-book.ndjson";

/// One line of the book.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// The first line: what the registers are made of, and when.
    Opened(Opened),
    /// A register's head was read for the first time.
    FirstRead { register: usize, at_ms: i64 },
    /// A report was taken.
    Report(Box<Taken>),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    pub seed: u64,
    pub source: String,
    pub registers: usize,
    pub payments: i64,
    pub banks: Vec<BankCode>,
    pub kinds: Vec<String>,
    pub at_ms: i64,
}

/// A report that was taken: its head, its body's digest, and what its rows say of which line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    pub at_ms: i64,
    pub digest: Sha256,
    pub head: Head,
    pub marks: Vec<(i64, Mark)>,
}

/// What a row of a report says of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Mark {
    Held(HoldReason),
    Outcome(OutcomeKind),
    Conflict,
    Notice(NoticeState),
    Refunded(LeftoverCause),
}

/// What the reports to finance said of one payment so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that come in any combination")]
pub struct Tally {
    pub seen: Seen,
    pub conflict: bool,
    pub held: bool,
    pub dropped: bool,
    pub refunded: bool,
    /// The same was said in two different reports.
    pub repeated: bool,
    pub told_department: bool,
    pub told_town: bool,
    pub notice: Option<NoticeState>,
}

/// What the reports said of one register so far.
#[derive(Debug, Default)]
pub struct Sheet {
    /// By line, from 1: the first is not used.
    pub tallies: Vec<Tally>,
    /// Accepted or refused.
    pub receipt: Option<bool>,
    pub closing: Option<Closing>,
    pub refunded: Fen,
    pub reports: u64,
}

/// A decision on a payment that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    pub register: usize,
    pub line: i64,
    pub action: Verdict,
    pub reason: HoldReason,
}

/// The book, open for writing, and what follows from it.
pub struct Book {
    file: File,
    /// A write failed: nothing more is taken, because nobody knows what is on the disk.
    broken: bool,
    pub reports: HashMap<String, ([u8; 32], i64)>,
    pub first_reads: HashMap<usize, i64>,
    pub decisions: Vec<Decided>,
    pub sheets: Vec<Sheet>,
}

impl Book {
    /// Opens or begins the book. Gives it, when it was opened first, and the entries to apply.
    pub(super) fn open(
        options: &Options,
        now_ms: i64,
    ) -> Result<(Self, i64, Vec<Entry>), PracticeError> {
        let path = options.data.join(FILE);
        let failed = |error| PracticeError::file(&path, error);
        std::fs::create_dir_all(&options.data).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => PracticeError::InUse { path: path.clone() },
            TryLockError::Error(error) => PracticeError::file(&path, error),
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let (mut entries, whole) = entries_of(&text, &path)?;
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut book = Self { broken: false, ..Self::reading(file, options.registers) };
        let mine = opened(options, now_ms);
        if entries.is_empty() {
            book.append(&Entry::Opened(opened(options, now_ms))).map_err(failed)?;
            File::open(&options.data).and_then(|dir| dir.sync_all()).map_err(failed)?;
            return Ok((book, now_ms, entries));
        }
        match entries.remove(0) {
            Entry::Opened(first) if first == (Opened { at_ms: first.at_ms, ..mine }) => {
                Ok((book, first.at_ms, entries))
            }
            _ => Err(PracticeError::OtherOptions { path }),
        }
    }

    /// A book that entries are applied to, and that takes no new ones.
    pub(super) fn reading(file: File, registers: usize) -> Self {
        Self {
            file,
            broken: true,
            reports: HashMap::new(),
            first_reads: HashMap::new(),
            decisions: Vec::new(),
            sheets: (0..registers).map(|_| Sheet::default()).collect(),
        }
    }

    /// Writes an entry and waits until it is on the disk.
    ///
    /// # Errors
    /// Where it could not be written, now or before: the book is closed for good then.
    pub(super) fn append(&mut self, entry: &Entry) -> std::io::Result<()> {
        if self.broken {
            return Err(std::io::Error::other("an earlier entry could not be written"));
        }
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        self.broken = written.is_err();
        written
    }

    /// Takes an entry that is on the disk into account.
    pub(super) fn apply(&mut self, registers: &Registers, entry: Entry) {
        match entry {
            Entry::Opened(_) => {}
            Entry::FirstRead { register, at_ms } => {
                self.first_reads.entry(register).or_insert(at_ms);
            }
            Entry::Report(taken) => self.apply_report(registers, *taken),
        }
    }

    fn apply_report(&mut self, registers: &Registers, taken: Taken) {
        let head = taken.head;
        self.reports.insert(head.report_id, (taken.digest.0, taken.at_ms));
        let Some(at) = registers.find(&head.register) else { return };
        let sheet = &mut self.sheets[at];
        sheet.reports += 1;
        if sheet.tallies.is_empty() {
            let lines = usize::try_from(registers.payments()).unwrap_or(0) + 1;
            sheet.tallies = vec![Tally::default(); lines];
        }
        let to = head.recipient.kind;
        for (line, mark) in taken.marks {
            let Some(tally) = usize::try_from(line).ok().and_then(|at| sheet.tallies.get_mut(at))
            else {
                continue;
            };
            match to {
                RecipientKind::Finance => {
                    let newly_held = matches!(mark, Mark::Held(_)) && !tally.held;
                    tally.take(mark);
                    if let (true, Mark::Held(reason)) = (newly_held, mark) {
                        let action = decide(line, reason);
                        tally.dropped = action == Verdict::Drop;
                        self.decisions.push(Decided { register: at, line, action, reason });
                    }
                }
                RecipientKind::Department => tally.told_department |= mark.is_final(),
                RecipientKind::Town => tally.told_town |= mark.is_final(),
            }
        }
        if to == RecipientKind::Finance {
            match head.about {
                About::Receipt(receipt) => sheet.receipt = Some(receipt.accepted),
                About::Closing(closing) => sheet.closing = Some(closing),
                About::Refund(refund) => {
                    sheet.refunded = [sheet.refunded, refund.amount.0].into_iter().sum();
                }
                About::SetAside(_) | About::Results(_) | About::Notices(_) => {}
            }
        }
    }
}

impl Tally {
    fn take(&mut self, mark: Mark) {
        match mark {
            Mark::Held(_) => self.held = true,
            Mark::Outcome(kind) => {
                self.repeated |= self.seen.has(kind);
                self.seen = self.seen.with(kind);
            }
            Mark::Conflict => self.conflict = true,
            Mark::Notice(state) => self.notice = Some(state),
            Mark::Refunded(_) => {
                self.repeated |= self.refunded;
                self.refunded = true;
            }
        }
    }
}

impl Mark {
    /// Does it tell what became of the money?
    const fn is_final(self) -> bool {
        matches!(self, Self::Outcome(_) | Self::Conflict)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Held(reason) => format!("held {reason}"),
            Mark::Outcome(kind) => kind.to_string(),
            Mark::Conflict => "conflict".to_owned(),
            Mark::Notice(state) => format!("notice {state}"),
            Mark::Refunded(cause) => format!("refunded {cause}"),
        }
    }
}

impl TryFrom<String> for Mark {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mark = match text.split_once(' ') {
            Some(("held", reason)) => HoldReason::parse(reason).map(Self::Held),
            Some(("notice", state)) => NoticeState::parse(state).map(Self::Notice),
            Some(("refunded", cause)) => LeftoverCause::parse(cause).map(Self::Refunded),
            None if text == "conflict" => Some(Self::Conflict),
            None => OutcomeKind::parse(&text).map(Self::Outcome),
            Some(_) => None,
        };
        mark.ok_or("no mark of the book")
    }
}

/// What finance decides: of what a person may vouch for it releases about half, and it drops what no
/// bank could send.
pub fn decide(line: i64, reason: HoldReason) -> Verdict {
    let vouched = match reason {
        HoldReason::RegionCode | HoldReason::Double => Some(0),
        HoldReason::IdCheckDigit => Some(1),
        HoldReason::AccountShape
        | HoldReason::NotEncodable
        | HoldReason::TooWide
        | HoldReason::Missing
        | HoldReason::NotAccepted
        | HoldReason::Invisible
        | HoldReason::BankUnknown
        | HoldReason::ReplacedNotOpen
        | HoldReason::ReplacedAmount
        | HoldReason::SentEarlier => None,
    };
    match vouched {
        Some(offset) if (line / 600 + offset) % 2 == 0 => Verdict::Release,
        _ => Verdict::Drop,
    }
}

fn opened(options: &Options, at_ms: i64) -> Opened {
    Opened {
        seed: options.seed,
        source: options.source.clone(),
        registers: options.registers,
        payments: options.payments,
        banks: options.banks.clone(),
        kinds: options.kinds.iter().map(ToString::to_string).collect(),
        at_ms,
    }
}

/// The entries of a book, and how many of its bytes are whole lines. What stands behind the last
/// line end was never acknowledged.
pub(super) fn entries_of(
    text: &[u8],
    path: &std::path::Path,
) -> Result<(Vec<Entry>, u64), PracticeError> {
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = text[..whole].split(|b| *b == b'\n').enumerate();
    let entries = lines.filter(|(_, raw)| !raw.is_empty()).map(|(at, raw)| {
        let book = |_| PracticeError::Book { path: PathBuf::from(path), line: at + 1 };
        serde_json::from_slice(raw).map_err(book)
    });
    Ok((entries.collect::<Result<_, _>>()?, whole as u64))
}
