//! Reading a message record by record, and the closing of its own count, sum and digest.

use std::io::Read;

use crate::format::Format;
use crate::format::computed::{Computed, DigestOf, LengthOf};
use crate::format::digests::Digesting;
use crate::format::error::DataError;
use crate::format::opening::Opening;
use crate::format::plan::{MessagePlan, PartPlan};
use crate::format::reader::Reader;
use crate::format::record::Record;
use crate::format::words::{Key, MessageKind, Part, PartRole, Source};
use crate::format::writing::whole;
use crate::guard::digest::same;
use crate::model::money::Fen;

/// The records that a reader fills; each is used again.
#[derive(Default)]
pub(crate) struct Records {
    pub head: Record,
    pub row: Record,
    pub tail: Record,
    /// One record of several that make up a payment, or one that only holds others together.
    pub spare: Record,
}

/// What a reader came to.
pub(crate) enum Step {
    Head,
    Row,
    Bad(Box<Bad>),
    Tail,
    End,
}

/// A row with a fault, and its amount where that could be read.
pub(crate) struct Bad {
    pub stop: Stop,
    pub amount: Option<Fen>,
}

/// A fault in a part, before it is told of which message.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub record: usize,
    pub field: String,
    pub offset: Option<usize>,
    pub found: String,
    pub expected: String,
}

/// A part to be read, in memory or as a stream of which only a little is held at a time.
pub struct PartBytes<'f> {
    pub role: PartRole,
    /// The file's name; empty for a message.
    pub name: String,
    pub bytes: PartContent<'f>,
}

/// Where the bytes of a part are.
pub enum PartContent<'f> {
    Here(&'f [u8]),
    Stream(Box<dyn Read + Send + 'f>),
}

impl std::fmt::Debug for PartBytes<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PartBytes").field("role", &self.role).finish_non_exhaustive()
    }
}

impl<'f> From<&'f Part> for PartBytes<'f> {
    fn from(part: &'f Part) -> Self {
        let bytes = PartContent::Here(&part.bytes);
        Self { role: part.role, name: part.name.clone(), bytes }
    }
}

/// One step of reading, as the caller sees it.
#[derive(Debug)]
pub enum Item<'r> {
    /// Comes first, and once.
    Head(&'r Record),
    Row(&'r Record),
    /// A row that cannot be read. It goes to quarantine; the rows after it are read.
    BadRow(DataError),
    /// Where the description has one: what stands behind the rows.
    Tail(&'r Record),
}

/// What was counted and added up, and what could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Rows, readable or not.
    pub count: usize,
    /// The sum of all amounts that could be read.
    pub sum: Fen,
    /// Rows whose amount could not be read.
    pub unreadable: usize,
}

/// A message being read.
///
/// Nothing of it counts before [`Reading::next`] has returned `Ok(None)`: that the file's own count
/// and sum close, and that nothing follows, is known only then.
pub struct Reading<'f> {
    message: &'f MessagePlan,
    pub(super) plan: &'f PartPlan,
    pub(super) reader: Reader<'f>,
    pub(super) records: Records,
    /// What other parts, the frame and the file names say; the head must say the same.
    pub(super) stated: Vec<(&'static str, Record)>,
    /// Digests that other parts state, with the field that does, and those of parts in memory.
    declared: Vec<(Computed, String, String)>,
    known: Vec<(Digesting, DigestOf, String)>,
    /// What the frame says of the body's length, and how long the frame is.
    lengths: Vec<(LengthOf, i64, String)>,
    frame: usize,
    /// The file names of the parts that have one.
    names: Vec<(PartRole, String)>,
    totals: Totals,
    /// The payment whose records are told one by one has had no amount yet.
    owed: bool,
    rows_max: usize,
    pub(super) told: bool,
    pub(super) ended: Option<Result<(), DataError>>,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reading")
            .field("message", &self.message.kind)
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl<'f> Reading<'f> {
    pub(crate) fn open(
        format: &'f Format,
        kind: MessageKind,
        parts: Vec<PartBytes<'f>>,
    ) -> Result<Self, DataError> {
        let Some(message) = format.plan().message(kind) else {
            return Err(whole(kind, "a message that this format has", "no description of it"));
        };
        let Some(main) = message.main() else {
            return Err(whole(kind, "a part with the data", "none"));
        };
        let mut opening = Opening::new(format, message);
        let mut reader = None;
        let mut frame = 0;
        let mut given: Vec<Option<PartBytes<'f>>> = parts.into_iter().map(Some).collect();
        for plan in &message.parts {
            let Some(part) = opening.find(plan, &mut given)? else {
                reader = Some(Reader::left_out(plan.layout.order()));
                continue;
            };
            opening.name(plan, &part)?;
            if std::ptr::eq(plan, main) {
                let opened = opening.reader(plan, part.bytes)?;
                (reader, frame) = (Some(opened.0), opened.1);
            } else {
                opening.beside(plan, part.bytes)?;
            }
        }
        let extra = given.iter().flatten().count();
        if extra > 0 {
            let expected = format!("{} parts", message.parts.len());
            return Err(whole(kind, &expected, &(message.parts.len() + extra).to_string()));
        }
        let Some(reader) = reader else {
            return Err(whole(kind, "a part with the data", "none"));
        };
        opening.agrees_on(main, !matches!(reader, Reader::LeftOut(_)))?;
        let Opening { stated, declared, known, lengths, names, .. } = opening;
        let reading = Self {
            message,
            plan: main,
            reader,
            records: Records::default(),
            stated,
            declared,
            known,
            lengths,
            frame,
            names,
            totals: Totals::default(),
            owed: false,
            rows_max: format.limits().rows_max,
            told: false,
            ended: None,
        };
        // What is in memory can be told apart at once.
        reading.digests(false)?;
        reading.part_names()?;
        Ok(reading)
    }

    /// The next record.
    ///
    /// # Errors
    /// The message as a whole does not close: hold all of it, whatever was read before. The same
    /// error comes again at every further call.
    #[expect(clippy::should_implement_trait, reason = "a row is lent, not given")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, DataError> {
        match &self.ended {
            Some(Ok(())) => return Ok(None),
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        match self.advance() {
            Ok(Step::Head) => Ok(Some(Item::Head(&self.records.head))),
            Ok(Step::Row) => Ok(Some(Item::Row(&self.records.row))),
            Ok(Step::Bad(bad)) => Ok(Some(Item::BadRow(self.located(bad.stop)))),
            Ok(Step::Tail) => Ok(Some(Item::Tail(&self.records.tail))),
            Ok(Step::End) => {
                self.ended = Some(Ok(()));
                Ok(None)
            }
            Err(error) => {
                self.ended = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    /// Count and sum of the rows read so far.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn advance(&mut self) -> Result<Step, DataError> {
        let step = self.reader.step(&mut self.records).map_err(|stop| self.located(*stop))?;
        match &step {
            Step::Head => self.check_head()?,
            Step::Row => self.count(self.records.row.amount(Key::Amount))?,
            Step::Bad(bad) => self.count(bad.amount)?,
            Step::Tail => {}
            Step::End => self.close()?,
        }
        Ok(step)
    }

    pub(super) fn check_head(&mut self) -> Result<(), DataError> {
        self.agree()?;
        self.take_over();
        Ok(())
    }

    /// Head, control part and file names speak of the same message.
    fn agree(&self) -> Result<(), DataError> {
        for (place, stated) in &self.stated {
            for key in stated.keys().filter(|key| !self.is_total(*key)) {
                let head = self.records.head.get(key);
                if head.is_some_and(|head| Some(head) != stated.get(key)) {
                    let expected = format!("the {key} that the {place} has");
                    let mut error = self.fault(&expected, "another one");
                    (error.record, error.field) = (1, key.as_str().to_owned());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What only the file name or another part says belongs to the head too.
    fn take_over(&mut self) {
        for (_, stated) in &self.stated {
            self.records.head.fill_from(stated);
        }
    }

    /// Count and sum of a message with rows are compared with the rows themselves, at the end.
    const fn is_total(&self, key: Key) -> bool {
        self.message.has_rows && matches!(key, Key::Count | Key::Sum)
    }

    pub(super) fn count(&mut self, amount: Option<Fen>) -> Result<(), DataError> {
        self.totals.count += 1;
        if self.totals.count > self.rows_max {
            return Err(self.fault(&format!("at most {} rows", self.rows_max), "more"));
        }
        let amount = amount.unwrap_or_else(|| {
            self.totals.unreadable += 1;
            Fen::ZERO
        });
        self.add(amount)
    }

    fn add(&mut self, amount: Fen) -> Result<(), DataError> {
        match self.totals.sum.checked_add(amount) {
            Some(sum) => self.totals.sum = sum,
            None => return Err(self.fault("a sum that can be kept", "more")),
        }
        Ok(())
    }

    /// Counts the record of a payment that is in the spare one: `begins` where the payment begins with it.
    /// The amount of one of several records is the first that stands among them.
    pub(super) fn count_piece(&mut self, begins: bool) -> Result<(), DataError> {
        let amount = self.records.spare.amount(Key::Amount);
        if begins {
            self.owed = amount.is_none();
            return self.count(amount);
        }
        match amount {
            Some(amount) if std::mem::take(&mut self.owed) => {
                self.totals.unreadable -= 1;
                self.add(amount)
            }
            _ => Ok(()),
        }
    }

    /// Do the stated counts and sums match the rows? Where the amount of a bad row could not be
    /// read, what is left over must be at least one fen for each such row.
    pub(super) fn close(&mut self) -> Result<(), DataError> {
        self.lengths()?;
        let (input, declared) = self.reader.closing();
        self.known.append(&mut input.digested());
        self.declared.append(declared);
        self.digests(true)?;
        self.part_names()?;
        if !self.message.has_rows {
            return Ok(());
        }
        let control = self.stated.iter().map(|(place, record)| (*place, record));
        let own = [("head", &self.records.head), ("tail", &self.records.tail)];
        for (place, record) in own.into_iter().chain(control) {
            if let Some(count) = record.int(Key::Count)
                && usize::try_from(count) != Ok(self.totals.count)
            {
                let mut error = self.fault(
                    &format!("{count} rows, as the {place} states"),
                    &self.totals.count.to_string(),
                );
                Key::Count.as_str().clone_into(&mut error.field);
                return Err(error);
            }
            if let Some(sum) = record.amount(Key::Sum)
                && !self.sum_closes(sum)
            {
                let expected = format!("a sum of {} yuan, as the {place} states", sum.yuan());
                let mut error = self.fault(&expected, &format!("{} yuan", self.totals.sum.yuan()));
                Key::Sum.as_str().clone_into(&mut error.field);
                return Err(error);
            }
        }
        Ok(())
    }

    fn sum_closes(&self, stated: Fen) -> bool {
        let Some(left) = stated.checked_sub(self.totals.sum) else { return false };
        match i64::try_from(self.totals.unreadable) {
            Ok(0) => left == Fen::ZERO,
            Ok(unreadable) => left >= Fen::new(unreadable),
            Err(_) => false,
        }
    }

    /// Is the body as long as its frame says?
    fn lengths(&self) -> Result<(), DataError> {
        let body = self.reader.passed() - self.frame;
        for (of, stated, field) in &self.lengths {
            let found = of.bytes(body, self.frame);
            if found != *stated {
                let error =
                    self.fault(&format!("{stated} bytes, as the frame states"), &found.to_string());
                return Err(DataError { record: 0, field: field.clone(), ..error });
            }
        }
        Ok(())
    }

    /// Are the parts called as others call them? Where a part came without a name, nothing is known.
    fn part_names(&self) -> Result<(), DataError> {
        for (computed, stated, field) in &self.declared {
            let Computed::PartName(role) = computed else { continue };
            let name = self.names.iter().find(|(known, _)| known == role);
            if name.is_some_and(|(_, name)| name != stated) {
                let expected = format!("the file name of the {role} part");
                let error = whole(self.message.kind, &expected, "another one");
                return Err(DataError { field: field.clone(), ..error });
            }
        }
        Ok(())
    }

    /// Are the digests those that were stated? At first only of what is in memory.
    fn digests(&self, end: bool) -> Result<(), DataError> {
        for (computed, stated, field) in &self.declared {
            let (how, of, found) = match computed {
                Computed::Digest { how, of } => {
                    let known = self.known.iter().find(|(h, o, _)| h == how && o == of);
                    (*how, *of, known.map(|(_, _, digest)| digest.as_str()))
                }
                _ => continue,
            };
            if found.is_none() && !end {
                continue;
            }
            let stated = stated.to_ascii_lowercase();
            if !found.is_some_and(|found| same(found.as_bytes(), stated.as_bytes())) {
                let name = how.told();
                let what = match of {
                    DigestOf::Part(role) => format!("the {name} of the {role} part"),
                    DigestOf::Body => format!("the {name} of the body"),
                    // That one was compared where it stands.
                    DigestOf::Before => continue,
                };
                let error = whole(self.message.kind, &what, "another one");
                return Err(DataError { field: field.clone(), ..error });
            }
        }
        Ok(())
    }

    pub(super) fn located(&self, stop: Stop) -> DataError {
        located(self.message.kind, self.plan.role, stop)
    }

    fn fault(&self, expected: &str, found: &str) -> DataError {
        let record = self.reader.record();
        DataError {
            part: Some(self.plan.role),
            record,
            ..whole(self.message.kind, expected, found)
        }
    }
}

pub(crate) fn located(kind: MessageKind, role: PartRole, stop: Stop) -> DataError {
    let Stop { record, field, offset, found, expected } = stop;
    DataError { message: kind, part: Some(role), record, field, offset, found, expected }
}

/// The head and tail of a message in one record, once all of it was read and closes.
pub(crate) fn read_head(
    format: &Format,
    kind: MessageKind,
    parts: &[Part],
) -> Result<Record, DataError> {
    let mut reading = Reading::open(format, kind, parts.iter().map(PartBytes::from).collect())?;
    while reading.next()?.is_some() {}
    let mut head = std::mem::take(&mut reading.records.head);
    head.fill_from(&reading.records.tail);
    Ok(head)
}
