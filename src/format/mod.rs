//! A bank's files and messages as data: bytes in, values out, and back.
//!
//! A bank is a folder, `bank-formats/<name>/`, with one description (`format.toml`) and samples of
//! each of its messages. The description is read with the place of everything it says (`table`,
//! `spec`), checked as a whole so that all its faults are told at once (`check`), and compiled once
//! to a plan (`plan`). One plan writes and reads: what it writes it can read back, byte for byte.
//!
//! * `words`, `record`: what a field may bind to, and a reusable head or row.
//! * `charset`, `cell`: how one value is spelled; strict both ways, nothing is cut or substituted.
//! * `lines`, `xml`: layouts around the values. `lines` are records one after the other, in fixed
//!   width, delimited or tagged, in the order that `grammar` allows; `xml` puts the same records
//!   into elements. A new layout is a file beside them; the values inside stay as they are.
//! * `order`, `apart`: which record stands where, and what tells it from others.
//! * `steps`, `closing`: from records to payments, and what records say of each other.
//! * `computed`: what a message says about itself, like counts, sums, digests and lengths.
//! * `input`: the bytes of a part, a few at a time.
//! * `frame`: where a message on a line ends, before all of it has come.
//! * `name`, `codes`: file names and code tables.
//! * `writing`, `reading`: a message as a whole, with its count, sum and digest; `pouring`: one that
//!   does not fit into memory.
//! * `sample`, `example`: the proof that a description carries, and the formats that we ship.
//! * `explain`: a description as tables for a person to sign.
//!
//! This room knows no sockets, no files but a format's own folder, no database and no clock. One
//! type per bank, or code per field, was rejected: a bank's IT adds a folder, not a release.

mod apart;
mod cell;
mod charset;
mod check;
mod closing;
mod codes;
mod computed;
mod condition;
pub mod error;
pub mod example;
mod explain;
mod frame;
mod grammar;
mod input;
mod lines;
mod moment;
mod name;
mod names;
mod number;
mod opening;
mod order;
mod pieces;
mod plan;
mod pouring;
mod reader;
mod reading;
pub mod record;
pub mod sample;
mod spec;
mod steps;
mod sums;
mod table;
mod text;
pub mod words;
mod writing;
mod xml;

use std::path::Path;

use toml::de::DeTable;

pub use error::{DataError, FieldError, FieldFault, Problem, Problems};
pub use pieces::Piece;
pub use pouring::{Parts, Records, Unreadable};
pub use reading::{Item, PartBytes, PartContent, Reading, Totals};
pub use record::Record;
pub use words::{Key, MessageKind, Moment, Part, PartRole, Slot, Source, Value, ValueKind};
pub use writing::{Fitter, Placed};

use crate::format::codes::Meaning;
use crate::format::plan::{Layout, MessagePlan, Plan};
use crate::format::table::{Faults, Table};
use crate::guard::digest::sha256;
use crate::model::attempt::Answer;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;

/// What a description says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub title: String,
    /// Where its shape comes from.
    pub source: String,
    /// A shape with invented codes, no bank's real interface.
    pub is_example: bool,
}

/// What one message may hold at most; batches are cut by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rows_max: usize,
    /// The highest amount of one payment.
    pub amount_max: Fen,
    /// The highest sum of one message.
    pub sum_max: Fen,
    /// The most bytes of one part, written or read.
    pub bytes_max: usize,
}

/// What a bank's code says about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeaning<'f> {
    /// Nothing while the bank is still working on it.
    pub outcome: Option<OutcomeKind>,
    pub reason: Option<Reason>,
    /// What the code means in plain Chinese, where the description says so.
    pub text: Option<&'f str>,
}

/// What a file name tells.
#[derive(Debug)]
pub struct Recognised {
    pub kind: MessageKind,
    pub role: PartRole,
    /// The values in the name.
    pub keys: Record,
}

/// The field that a byte belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytePlace {
    /// Counted from 1; 0 where records are not told apart.
    pub record: usize,
    pub field: String,
    /// In bytes from the start of the part.
    pub start: usize,
    pub end: usize,
}

/// A compiled description.
#[derive(Debug)]
pub struct Format {
    name: String,
    text: String,
    digest: [u8; 32],
    plan: Plan,
}

impl Format {
    /// Compiles a description: one of the folder, or the one kept with an old attempt.
    ///
    /// # Errors
    /// All its faults, each with line, column and a hint.
    pub fn compile(name: &str, text: &str) -> Result<Self, Problems> {
        Self::compile_file(name, name, text)
    }

    /// Reads `dir/format.toml`, compiles it and runs every sample both ways.
    ///
    /// # Errors
    /// All faults of the description, or else all samples that do not hold.
    pub fn load(dir: &Path) -> Result<Self, Problems> {
        let format = Self::open(dir)?;
        sample::run(&format, dir)?;
        Ok(format)
    }

    /// Reads and compiles `dir/format.toml` without running its samples.
    ///
    /// # Errors
    /// All faults of the description.
    pub fn open(dir: &Path) -> Result<Self, Problems> {
        let path = dir.join("format.toml");
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| Problems {
            file: file.clone(),
            list: vec![Problem {
                line: 0,
                column: 0,
                what: format!("cannot be read: {error}"),
                hint: "a format is a folder with format.toml and samples/".to_owned(),
            }],
        })?;
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        Self::compile_file(&name.unwrap_or_default(), &file, &text)
    }

    fn compile_file(name: &str, file: &str, text: &str) -> Result<Self, Problems> {
        let faults = Faults::of(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        // Behind the first fault of TOML nothing is what it seems; keys that stand twice are no such.
        let (twice, broken): (Vec<_>, Vec<_>) =
            errors.into_iter().partition(|error| error.message() == "duplicate key");
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        if let Some(first) = broken.iter().min_by_key(|error| place(error)) {
            let hint = "this is not TOML: look at this line and the one before it";
            faults.note(place(first), first.message(), hint);
        } else {
            for error in &twice {
                let hint = "each key stands once in its table, and each code in its list";
                faults.note(place(error), error.message(), hint);
            }
        }
        if !faults.is_empty() {
            return Err(problems(faults, file));
        }
        let spec = spec::read(Table::new(&faults, root.get_ref(), 0, "a format"));
        let plan = spec.map(|spec| plan::compile(spec, &faults));
        match plan {
            Some(plan) if faults.is_empty() => {
                let digest = sha256(text.as_bytes());
                Ok(Self { name: name.to_owned(), text: text.to_owned(), digest, plan })
            }
            _ => Err(problems(faults, file)),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole description, to be kept with what is written by it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub const fn about(&self) -> &About {
        &self.plan.about
    }

    pub const fn limits(&self) -> Limits {
        self.plan.limits
    }

    pub fn has(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some()
    }

    /// The messages that this format has.
    pub fn kinds(&self) -> impl Iterator<Item = MessageKind> + '_ {
        self.plan.messages.iter().map(|message| message.kind)
    }

    /// Writes a message; its parts come in the order in which they are handed over. Count and sum
    /// are computed from the rows.
    ///
    /// # Errors
    /// The first value that cannot be written; a head that states another count or sum; a limit.
    pub fn encode<R: Source>(
        &self,
        kind: MessageKind,
        head: &dyn Source,
        rows: &[R],
    ) -> Result<Vec<Part>, DataError> {
        writing::encode(self, kind, head, rows)
    }

    /// Checks payments one by one for intake, with buffers of its own.
    pub fn fitter(&self, kind: MessageKind) -> Fitter<'_> {
        Fitter::new(self, kind)
    }

    /// Starts to read a message out of all its parts.
    ///
    /// # Errors
    /// A part is missing, too large or badly named; a control part does not match its data.
    pub fn read<'f>(
        &'f self,
        kind: MessageKind,
        parts: &'f [Part],
    ) -> Result<Reading<'f>, DataError> {
        Reading::open(self, kind, parts.iter().map(PartBytes::from).collect())
    }

    /// Starts to read a message out of parts of which some may be streams: only a little of them is
    /// in memory at a time, however large they are.
    ///
    /// # Errors
    /// As [`Format::read`].
    pub fn read_streams<'f>(
        &'f self,
        kind: MessageKind,
        parts: Vec<PartBytes<'f>>,
    ) -> Result<Reading<'f>, DataError> {
        Reading::open(self, kind, parts)
    }

    /// Writes a message out of its records, as they follow each other in the part that has the rows.
    ///
    /// # Errors
    /// As [`Format::encode`]; a record that may not stand where it does.
    pub fn encode_records(
        &self,
        kind: MessageKind,
        records: &[Placed],
    ) -> Result<Vec<Part>, DataError> {
        writing::encode_records(self, kind, records)
    }

    /// Writes a message out of records that pass by, its parts in the order of handing over. Only a
    /// little of it is in memory at a time, and no part begins before all of it can be written.
    ///
    /// # Errors
    /// As [`Format::encode_records`]; there is no room for what is written.
    pub fn pour(
        &self,
        kind: MessageKind,
        records: &dyn Records,
        to: &mut dyn Parts,
    ) -> Result<(), DataError> {
        pouring::pour(self, kind, records, to)
    }

    /// The records of a message by their names, in their order, and what each is to the road.
    pub(crate) fn records(
        &self,
        kind: MessageKind,
    ) -> Option<Vec<(&str, Option<lines::RecordRole>)>> {
        let order = self.plan.message(kind)?.main()?.layout.order();
        Some(order.records.iter().map(|plan| (plan.name.as_str(), plan.role)).collect())
    }

    /// The head and tail of a message in one record, after all of it was read and found to close.
    ///
    /// # Errors
    /// As [`Format::read`] and [`Reading::next`].
    pub fn read_head(&self, kind: MessageKind, parts: &[Part]) -> Result<Record, DataError> {
        reading::read_head(self, kind, parts)
    }

    /// What a file with this name is, or nothing where it is none of this bank's.
    pub fn recognise(&self, file_name: &str) -> Option<Recognised> {
        self.plan.messages.iter().find_map(|message| {
            message.parts.iter().find_map(|part| {
                let keys = part.name.as_ref()?.read(file_name)?;
                Some(Recognised { kind: message.kind, role: part.role, keys })
            })
        })
    }

    /// Does a field or a file name of this message bear this value?
    pub fn asks_for(&self, kind: MessageKind, key: Key) -> bool {
        self.plan.message(kind).is_some_and(|message| message.keys.contains(&key))
    }

    /// What tells which payment a row of this message is about: its place in the batch, or values
    /// that together must not be the same in two payments of a batch.
    pub fn matching(&self, kind: MessageKind) -> &[Key] {
        self.plan.message(kind).map_or(&[Key::Ordinal], |message| &message.matching)
    }

    /// The values by which any answer to a batch is matched where it has no places: a batch must
    /// have no two payments that are the same in all of them.
    pub fn unique_in_batch(&self) -> Option<&[Key]> {
        let mut answers = self.plan.messages.iter().filter(|message| message.has_rows);
        let by_values = |message: &&MessagePlan| !message.matching.contains(&Key::Ordinal);
        answers.find(by_values).map(|message| message.matching.as_slice())
    }

    /// Does this message have a row for each payment?
    pub fn has_rows(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| message.has_rows)
    }

    /// Does this message list the payments that failed, and no others?
    pub fn failures_only(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| message.failures_only)
    }

    /// Line and column at which a message is described.
    pub(crate) fn place(&self, kind: MessageKind) -> (usize, usize) {
        let at = self.plan.message(kind).map_or(0, |message| message.at);
        table::place(&self.text, at)
    }

    /// What the files of a message are called.
    pub fn patterns(&self, kind: MessageKind) -> Vec<String> {
        let parts = self.plan.message(kind).map(|message| message.parts.iter());
        let names = parts.into_iter().flatten().filter_map(|part| part.name.as_ref());
        names.map(name::NamePattern::pattern).collect()
    }

    /// Which part of a message a file name is that of.
    pub(crate) fn role(&self, kind: MessageKind, file_name: &str) -> Option<PartRole> {
        let mut parts = self.plan.message(kind)?.parts.iter();
        let named = |part: &&plan::PartPlan| {
            part.name.as_ref().is_some_and(|name| name.read(file_name).is_some())
        };
        parts.find(named).map(|part| part.role)
    }

    /// Is what has the rows of a message a document that says so on its first line?
    pub fn begins_with_declaration(&self, kind: MessageKind) -> bool {
        let main = self.plan.message(kind).and_then(MessagePlan::main);
        main.is_some_and(|part| {
            let framed = part.frame.is_some();
            matches!(&part.layout, Layout::Xml(xml) if xml.declared && !framed)
        })
    }

    /// The role and committing flag of each part of a message, in the order of handing over.
    pub fn parts(&self, kind: MessageKind) -> impl Iterator<Item = (PartRole, bool)> + '_ {
        let parts = self.plan.message(kind).map(|message| message.parts.as_slice());
        parts.unwrap_or_default().iter().map(|part| (part.role, part.committing))
    }

    /// What the code in the head of a message says about the whole of it.
    pub fn answer(&self, kind: MessageKind, code: &str) -> Option<Answer> {
        match self.plan.meaning(self.plan.message(kind)?.head_codes, code)? {
            Meaning::Answer(answer) => Some(*answer),
            Meaning::Outcome { .. } | Meaning::Notice(_) => None,
        }
    }

    /// What the code of a row says about its payment.
    pub fn row_meaning(&self, kind: MessageKind, code: &str) -> Option<RowMeaning<'_>> {
        match self.plan.meaning(self.plan.message(kind)?.row_codes, code)? {
            Meaning::Outcome { outcome, reason, text } => {
                Some(RowMeaning { outcome: *outcome, reason: *reason, text: text.as_deref() })
            }
            Meaning::Answer(_) | Meaning::Notice(_) => None,
        }
    }

    /// What the notice code of a row says about its SMS.
    pub fn notice(&self, kind: MessageKind, code: &str) -> Option<NoticeState> {
        match self.plan.meaning(self.plan.message(kind)?.notice_codes, code)? {
            Meaning::Notice(state) => Some(*state),
            Meaning::Answer(_) | Meaning::Outcome { .. } => None,
        }
    }

    /// Every code of a message's head with what it says, for a practice bank that answers.
    pub fn answers(&self, kind: MessageKind) -> impl Iterator<Item = (&str, Answer)> {
        let table = self.plan.message(kind).and_then(|message| message.head_codes);
        let codes = table.and_then(|table| self.plan.codes.get(table));
        codes.into_iter().flat_map(|table| &table.codes).filter_map(|(code, meaning)| match meaning
        {
            Meaning::Answer(answer) => Some((code.as_str(), *answer)),
            Meaning::Outcome { .. } | Meaning::Notice(_) => None,
        })
    }

    /// Every code of a message's rows with what it says, for a practice bank that answers.
    pub fn row_codes(&self, kind: MessageKind) -> impl Iterator<Item = (&str, RowMeaning<'_>)> {
        let table = self.plan.message(kind).and_then(|message| message.row_codes);
        let codes = table.and_then(|table| self.plan.codes.get(table));
        let codes = codes.into_iter().flat_map(|table| table.codes.keys());
        codes.filter_map(move |code| Some((code.as_str(), self.row_meaning(kind, code)?)))
    }

    /// Where in its part a byte stands, for a person who looks for a difference.
    ///
    /// # Errors
    /// The message cannot be read up to there.
    pub fn place_in<'f>(
        &'f self,
        kind: MessageKind,
        role: PartRole,
        parts: Vec<PartBytes<'f>>,
        offset: usize,
    ) -> Result<BytePlace, DataError> {
        pieces::place_in(self, kind, role, parts, offset)
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }
}

fn problems(faults: Faults<'_>, file: &str) -> Problems {
    faults.into_problems(file).unwrap_or_else(|| Problems {
        file: file.to_owned(),
        list: vec![Problem {
            line: 0,
            column: 0,
            what: "the description is not whole".to_owned(),
            hint: String::new(),
        }],
    })
}
