//! A bank's files and messages as data: bytes in, values out, and back.
//!
//! A bank is a folder, `bank-formats/<name>/`, with one description (`format.toml`) and samples of
//! each of its messages. The description is read with the place of everything it says (`table`,
//! `spec`), checked as a whole so that all its faults are told at once (`check`), and compiled once
//! to a plan (`plan`). One plan writes and reads: what it writes it can read back, byte for byte.
//!
//! * `words`, `record`: what a field may bind to, and a reusable head or row.
//! * `charset`, `cell`, `content`, `number`, `packed`, `signs`: how one value is spelled; strict both ways,
//!   nothing is cut or substituted.
//! * `lines`, `xml`: layouts around the values. `lines` are records one after the other, in fixed
//!   width, delimited or tagged, in the order that `grammar` allows; `xml` puts the same records
//!   into elements. A new layout is a file beside them; the values inside stay as they are.
//! * `placing`: where fields stand. `order`, `apart`, `bounds`: which record stands where, what tells it from others, how often it may.
//! * `check`, `matched`: what a description must be beyond its shape.
//! * `steps`, `closing`: from records to payments, and what records say of each other.
//! * `computed`, `tallies`, `digests`: what a message says about itself: lengths and names, counts and
//!   sums, digests with and without a key.
//! * `input`: the bytes of a part, a few at a time. `respelled`: documents in UTF-16.
//! * `frame`: where a message on a line ends, before all of it has come.
//! * `beside`: which files a message on a line has beside it, told by the message alone.
//! * `name`, `codes`, `answers`: file names, code tables, and what answers mean by them.
//! * `writing`, `reading`: a message as a whole, with its count, sum and digest; `pouring`: one that
//!   does not fit into memory; `adding`: what its payments add up to, record by record.
//! * `sample`, `example`: the proof that a description carries, and the formats that we ship.
//! * `explain`: a description as tables for a person to sign.
//!
//! This room knows no sockets, no files but a format's own folder, no database and no clock. One
//! type per bank, or code per field, was rejected: a bank's IT adds a folder, not a release.

mod adding;
mod answers;
mod apart;
mod beside;
mod bounds;
mod cell;
mod charset;
mod check;
mod closing;
mod codes;
mod computed;
mod condition;
mod content;
mod digests;
pub mod error;
pub mod example;
mod explain;
mod frame;
mod grammar;
mod input;
mod lines;
mod matched;
mod moment;
mod name;
mod names;
mod nearest;
mod needs;
mod number;
mod opening;
mod order;
mod packed;
mod pieces;
mod placing;
mod plan;
mod pouring;
mod reader;
mod reading;
pub mod record;
mod respelled;
pub mod sample;
mod signs;
mod spec;
mod steps;
mod sums;
mod table;
mod tallies;
mod text;
pub mod words;
mod writing;
mod xml;

use std::path::Path;

use toml::de::DeTable;

pub use answers::RowMeaning;
pub use beside::NamesFiles;
pub use digests::Secrets;
pub use error::{DataError, FieldError, FieldFault, Problem, Problems};
pub use pieces::Piece;
pub use pouring::{Parts, Records, Unreadable};
pub use reading::{Item, PartBytes, PartContent, Reading, Totals};
pub use record::Record;
pub use words::{Key, MessageKind, Moment, Part, PartRole, Slot, Source, Value, ValueKind};
pub use writing::{Fitter, Placed};

use crate::format::plan::{Layout, MessagePlan, Plan};
use crate::format::table::{Faults, Table};
use crate::guard::digest::sha256;
use crate::model::money::Fen;

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
    /// Until when on a day the bank takes something in.
    pub cut_off: Option<CutOff>,
}

/// A time of the day, of the county's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutOff {
    pub hour: u8,
    pub minute: u8,
}

impl CutOff {
    /// Reads `16:30`; the day has no other times than those from 00:01 to 24:00 by which one can be done.
    fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u8>().ok())?;
        let found = Self { hour: two(hour)?, minute: two(minute)? };
        let bounds = Self { hour: 0, minute: 1 }..=Self { hour: 24, minute: 0 };
        (bounds.contains(&found) && found.minute < 60).then_some(found)
    }
}

impl std::fmt::Display for CutOff {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:02}:{:02}", self.hour, self.minute)
    }
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
    secrets: Secrets,
}

impl Format {
    /// Compiles a description: one of the folder, or the one kept with an old attempt. It has no keys
    /// yet, see [`Format::with_secrets`]; a digest that needs one is neither written nor read.
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
        let format = Self::open(dir)?.with_published_secrets();
        sample::run(&format, dir)?;
        Ok(format.with_secrets(Secrets::default()))
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
            let hint = table::why_broken(text, place(first));
            faults.note(place(first), first.message(), hint);
        } else {
            for error in &twice {
                let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
                let (what, hint) = table::why_twice(text, place(error), key);
                faults.note(place(error), what, hint);
            }
        }
        if !broken.is_empty() {
            return Err(problems(faults, file));
        }
        let spec = spec::read(Table::new(&faults, root.get_ref(), 0, "a format"));
        let plan = spec.map(|spec| plan::compile(spec, &faults));
        match plan {
            Some(plan) if faults.is_empty() => {
                let digest = sha256(text.as_bytes());
                let (name, text) = (name.to_owned(), text.to_owned());
                Ok(Self { name, text, digest, plan, secrets: Secrets::default() })
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

    /// Names of the values without which a message is never written, and which `known` (of a row, or of a head)
    /// does not have.
    pub fn missing(&self, kind: MessageKind, known: &dyn Fn(bool, Key) -> bool) -> Vec<&str> {
        needs::missing(&self.plan, kind, known)
    }

    /// Is there no message of this kind whose head does not bear this value?
    pub fn always_bears(&self, kind: MessageKind, key: Key) -> bool {
        !needs::missing(&self.plan, kind, &|of_row, known| of_row || known != key).is_empty()
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
