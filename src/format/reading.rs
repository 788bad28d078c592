//! Reading a message record by record, and the closing of its own count, sum and digest.

use crate::format::Format;
use crate::format::error::DataError;
use crate::format::fixed::FixedReader;
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::record::Record;
use crate::format::words::{Key, MessageKind, Part, PartRole, Source};
use crate::format::writing::{hex_sha256, whole};
use crate::format::xml::read::XmlReader;
use crate::model::money::Fen;

/// The records that a reader fills; each is used again.
#[derive(Default)]
pub(crate) struct Records {
    pub head: Record,
    pub row: Record,
    pub tail: Record,
}

/// What a reader came to.
pub(crate) enum Step {
    Head,
    Row,
    Bad(Bad),
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

enum Reader<'f> {
    Fixed(FixedReader<'f>),
    Xml(Box<XmlReader<'f>>),
}

impl Reader<'_> {
    fn step(&mut self, into: &mut Records) -> Result<Step, Stop> {
        match self {
            Self::Fixed(reader) => reader.step(into),
            Self::Xml(reader) => reader.step(into),
        }
    }

    fn record(&self) -> usize {
        match self {
            Self::Fixed(reader) => reader.record,
            Self::Xml(reader) => reader.record,
        }
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

const FILE_NAME: &str = "file name";

/// A message being read.
///
/// Nothing of it counts before [`Reading::next`] has returned `Ok(None)`: that the file's own count
/// and sum close, and that nothing follows, is known only then.
pub struct Reading<'f> {
    message: &'f MessagePlan,
    role: PartRole,
    reader: Reader<'f>,
    records: Records,
    /// What a control part and the file names say; the head must say the same.
    stated: Vec<(&'static str, Record)>,
    totals: Totals,
    rows_max: usize,
    ended: Option<Result<(), DataError>>,
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
        parts: &'f [Part],
    ) -> Result<Self, DataError> {
        let Some(message) = format.plan().message(kind) else {
            return Err(whole(kind, "a message that this format has", "no description of it"));
        };
        let mut stated = Vec::new();
        let mut main = None;
        let mut control = None;
        for plan in &message.parts {
            let part = find(format, kind, plan, parts)?;
            if let Some(keys) = keys_of_name(kind, plan, part)? {
                stated.push((FILE_NAME, keys));
            }
            let slot = if plan.role == PartRole::Control { &mut control } else { &mut main };
            *slot = Some((plan, part));
        }
        if parts.len() != message.parts.len() {
            let expected = format!("{} parts", message.parts.len());
            return Err(whole(kind, &expected, &parts.len().to_string()));
        }
        let Some((plan, part)) = main else {
            return Err(whole(kind, "a part with the data", "none"));
        };
        if let Some((control_plan, control_part)) = control {
            stated.push((
                "control part",
                read_control(format, kind, control_plan, control_part, part)?,
            ));
        }
        let reader = reader(format, plan, part);
        let rows_max = format.limits().rows_max;
        let (role, records, totals) = (plan.role, Records::default(), Totals::default());
        Ok(Self { message, role, reader, records, stated, totals, rows_max, ended: None })
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

    fn advance(&mut self) -> Result<Step, DataError> {
        let step = self.reader.step(&mut self.records).map_err(|stop| self.located(stop))?;
        match &step {
            Step::Head => {
                self.agree()?;
                self.take_over_names();
            }
            Step::Row => self.count(self.records.row.amount(Key::Amount))?,
            Step::Bad(bad) => self.count(bad.amount)?,
            Step::Tail => {}
            Step::End => self.close()?,
        }
        Ok(step)
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

    /// What only the file name says, like a serial, belongs to the head too.
    fn take_over_names(&mut self) {
        for (_, stated) in self.stated.iter().filter(|(place, _)| *place == FILE_NAME) {
            self.records.head.fill_from(stated);
        }
    }

    /// Count and sum of a message with rows are compared with the rows themselves, at the end.
    const fn is_total(&self, key: Key) -> bool {
        self.message.has_rows && matches!(key, Key::Count | Key::Sum)
    }

    fn count(&mut self, amount: Option<Fen>) -> Result<(), DataError> {
        self.totals.count += 1;
        if self.totals.count > self.rows_max {
            return Err(self.fault(&format!("at most {} rows", self.rows_max), "more"));
        }
        let amount = amount.unwrap_or_else(|| {
            self.totals.unreadable += 1;
            Fen::ZERO
        });
        match self.totals.sum.checked_add(amount) {
            Some(sum) => self.totals.sum = sum,
            None => return Err(self.fault("a sum that can be kept", "more")),
        }
        Ok(())
    }

    /// Do the stated counts and sums match the rows? Where the amount of a bad row could not be
    /// read, what is left over must be at least one fen for each such row.
    fn close(&self) -> Result<(), DataError> {
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

    fn located(&self, stop: Stop) -> DataError {
        located(self.message.kind, self.role, stop)
    }

    fn fault(&self, expected: &str, found: &str) -> DataError {
        let record = self.reader.record();
        DataError { part: Some(self.role), record, ..whole(self.message.kind, expected, found) }
    }
}

fn located(kind: MessageKind, role: PartRole, stop: Stop) -> DataError {
    let Stop { record, field, offset, found, expected } = stop;
    DataError { message: kind, part: Some(role), record, field, offset, found, expected }
}

fn reader<'f>(format: &'f Format, plan: &'f PartPlan, part: &'f Part) -> Reader<'f> {
    let charset = format.plan().charset;
    match &plan.layout {
        Layout::Fixed(fixed) => Reader::Fixed(FixedReader::new(fixed, charset, &part.bytes)),
        Layout::Xml(xml) => Reader::Xml(Box::new(XmlReader::new(xml, charset, &part.bytes))),
    }
}

/// The part that was given for a part of the description; there must be one, of a fair size.
fn find<'f>(
    format: &Format,
    kind: MessageKind,
    plan: &PartPlan,
    parts: &'f [Part],
) -> Result<&'f Part, DataError> {
    let mut ours = parts.iter().filter(|part| part.role == plan.role);
    let (part, None) = (ours.next(), ours.next()) else {
        return Err(whole(kind, &format!("one {} part", plan.role), "several"));
    };
    let Some(part) = part else {
        return Err(whole(kind, &format!("a {} part", plan.role), "none"));
    };
    let most = format.limits().bytes_max;
    if part.bytes.len() > most {
        let expected = format!("at most {most} bytes");
        let error = whole(kind, &expected, &part.bytes.len().to_string());
        return Err(DataError { part: Some(plan.role), ..error });
    }
    Ok(part)
}

/// The values in a part's name, where it has one and the description too.
fn keys_of_name(
    kind: MessageKind,
    plan: &PartPlan,
    part: &Part,
) -> Result<Option<Record>, DataError> {
    let Some(pattern) = plan.name.as_ref().filter(|_| !part.name.is_empty()) else {
        return Ok(None);
    };
    if let Some(keys) = pattern.read(&part.name) {
        return Ok(Some(keys));
    }
    let error = whole(kind, "a file name of the described pattern", "another one");
    Err(DataError { part: Some(plan.role), ..error })
}

/// Reads a control part and compares its digest with the data part.
fn read_control(
    format: &Format,
    kind: MessageKind,
    plan: &PartPlan,
    part: &Part,
    data: &Part,
) -> Result<Record, DataError> {
    let mut reader = reader(format, plan, part);
    let mut records = Records::default();
    loop {
        match reader.step(&mut records).map_err(|stop| located(kind, plan.role, stop))? {
            Step::End => break,
            Step::Bad(bad) => return Err(located(kind, plan.role, bad.stop)),
            Step::Head | Step::Row | Step::Tail => {}
        }
    }
    if let Reader::Fixed(FixedReader { digest: Some(stated), .. }) = reader
        && !stated.eq_ignore_ascii_case(hex_sha256(&data.bytes).as_bytes())
    {
        let error = whole(kind, "the SHA-256 of the data part", "another one");
        return Err(DataError { part: Some(plan.role), ..error });
    }
    Ok(records.head)
}

/// The head and tail of a message in one record, once all of it was read and closes.
pub(crate) fn read_head(
    format: &Format,
    kind: MessageKind,
    parts: &[Part],
) -> Result<Record, DataError> {
    let mut reading = Reading::open(format, kind, parts)?;
    while reading.next()?.is_some() {}
    let mut head = std::mem::take(&mut reading.records.head);
    head.fill_from(&reading.records.tail);
    Ok(head)
}
