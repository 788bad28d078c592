//! Writing a message: count, sum and digest are computed here, never taken from a caller.

use crate::format::Format;
use crate::format::adding::Adding;
use crate::format::cell::{Cell, Pen};
use crate::format::computed::{DigestOf, Facts};
use crate::format::digests::before;
use crate::format::error::{DataError, FieldError, FieldFault, shape};
use crate::format::lines::write::{Each, write_fields};
use crate::format::lines::{LinesPlan, Style};
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::record::Record;
use crate::format::sums::{Sums, in_bounds};
use crate::format::words::{Key, MessageKind, Part, PartRole, Slot, Source, Value};

/// A row's own values, and the head's for what holds for the whole.
pub(crate) struct RowAndHead<'a> {
    pub row: &'a dyn Source,
    pub head: &'a dyn Source,
}

impl Source for RowAndHead<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match self.row.get(key) {
            None if key.is_of_the_whole() => self.head.get(key),
            own => own,
        }
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        self.row.own(at)
    }
}

/// What could not be written, and in which record.
pub(crate) struct WriteFault {
    pub record: usize,
    pub error: FieldError,
}

pub(crate) fn encode<R: Source>(
    format: &Format,
    kind: MessageKind,
    head: &dyn Source,
    rows: &[R],
) -> Result<Vec<Part>, DataError> {
    let Some(message) = format.plan().message(kind) else {
        return Err(whole(kind, "a message that this format has", "no description of it"));
    };
    known_codes(format, message, head, rows)?;
    if !message.has_rows {
        if !rows.is_empty() {
            return Err(whole(kind, "no rows: this message has none", &rows.len().to_string()));
        }
        return write_parts(format, message, head, &Content::Rows(rows));
    }
    let counted = total(format, message, rows)?.over(head, message)?;
    write_parts(format, message, &counted, &Content::Rows(rows))
}

/// A record of a message by its place among those of the main part, with its values.
pub type Placed = (usize, Record);

/// Writes a message out of its records as they follow each other in the main part.
pub(crate) fn encode_records(
    format: &Format,
    kind: MessageKind,
    records: &[Placed],
) -> Result<Vec<Part>, DataError> {
    let message = format.plan().message(kind);
    let main = message.and_then(|message| Some((message, message.main()?)));
    let Some((message, main)) = main else {
        return Err(whole(kind, "a message that this format has", "no description of it"));
    };
    let mut adding = Adding::new(format, message, main);
    records.iter().try_for_each(|(at, record)| adding.pass(*at, record))?;
    let (head, sums) = adding.finish()?;
    let content: Content<'_, Record> = Content::Records(records);
    write_parts(format, message, &sums.over(&head, message)?, &content)
}

/// What a message is made of: rows under a head, or records one by one.
pub(crate) enum Content<'a, R: Source> {
    Rows(&'a [R]),
    Records(&'a [Placed]),
}

impl<R: Source> Content<'_, R> {
    fn rows(&self, message: &MessagePlan) -> usize {
        let order = message.main().map(|main| main.layout.order());
        let is_row = |at: usize| order.is_some_and(|order| order.is_of_row(at));
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Records(records) => records.iter().filter(|(at, _)| is_row(*at)).count(),
        }
    }
}

/// A code that its table does not have would be read by nobody.
fn known_codes<R: Source>(
    format: &Format,
    message: &MessagePlan,
    head: &dyn Source,
    rows: &[R],
) -> Result<(), DataError> {
    known_code(format, message, head)?;
    if message.row_codes.is_none() && message.notice_codes.is_none() {
        return Ok(());
    }
    for (row, record) in rows.iter().zip(2..) {
        known_row(format, message, row).map_err(|error| DataError { record, ..error })?;
    }
    Ok(())
}

/// The code about the whole.
pub(crate) fn known_code(
    format: &Format,
    message: &MessagePlan,
    head: &dyn Source,
) -> Result<(), DataError> {
    let known = in_table(format, message, head, Key::Code, message.head_codes);
    known.map_err(|error| DataError { record: 1, ..error })
}

/// The codes about one payment; its record is the caller's to say.
pub(crate) fn known_row(
    format: &Format,
    message: &MessagePlan,
    row: &dyn Source,
) -> Result<(), DataError> {
    in_table(format, message, row, Key::Code, message.row_codes)?;
    in_table(format, message, row, Key::NoticeCode, message.notice_codes)
}

fn in_table(
    format: &Format,
    message: &MessagePlan,
    source: &dyn Source,
    key: Key,
    table: Option<usize>,
) -> Result<(), DataError> {
    let (Some(_), Some(Value::Text(code))) = (table, source.get(key)) else { return Ok(()) };
    if code.is_empty() || format.plan().meaning(table, code).is_some() {
        return Ok(());
    }
    let error = whole(message.kind, "a code of its table", &shape(code.as_bytes()));
    Err(DataError { field: key.as_str().to_owned(), ..error })
}

/// Counts and adds up, within the limits of the format.
fn total<R: Source>(format: &Format, message: &MessagePlan, rows: &[R]) -> Result<Sums, DataError> {
    let mut counted = Sums::new(format, message.kind);
    counted.count = rows.len();
    counted.within(format, message)?;
    let mut sums = Sums::new(format, message.kind);
    for (row, record) in rows.iter().zip(2..) {
        sums.begin();
        sums.add(row).map_err(|error| match error.field.as_str() {
            // The sum is that of them all.
            "" => error,
            _ => DataError { record, ..error },
        })?;
    }
    Ok(sums)
}

fn write_parts<R: Source>(
    format: &Format,
    message: &MessagePlan,
    head: &dyn Source,
    content: &Content<'_, R>,
) -> Result<Vec<Part>, DataError> {
    let kind = message.kind;
    let left_out = content.rows(message) == 0;
    let names = file_names(message, head, left_out)?;
    let mut parts: Vec<Option<Part>> = message.parts.iter().map(|_| None).collect();
    let mut digests = Vec::new();
    let main = message.main().map(|part| part.role);
    let nothing = Content::Rows(&[]);
    for at in order_of_parts(message) {
        let plan = &message.parts[at];
        if left_out && plan.optional {
            continue;
        }
        let facts = Facts { digests: digests.clone(), names: names.clone(), ..Facts::default() };
        let content = if main == Some(plan.role) { content } else { &nothing };
        let bytes = write_part(format, kind, plan, facts, head, content)?;
        for (how, _) in message.digests.iter().filter(|(_, role)| *role == plan.role) {
            let digest = how.of(format, kind, &bytes)?;
            digests.push((*how, DigestOf::Part(plan.role), digest));
        }
        let name = names.iter().find(|(role, _)| *role == plan.role);
        let name = name.map(|(_, name)| name.clone()).unwrap_or_default();
        parts[at] = Some(Part { role: plan.role, name, bytes, committing: plan.committing });
    }
    Ok(parts.into_iter().flatten().collect())
}

/// What the files of a message are called, without the one that is left out where that is so.
pub(crate) fn file_names(
    message: &MessagePlan,
    head: &dyn Source,
    left_out: bool,
) -> Result<Vec<(PartRole, String)>, DataError> {
    let named = |plan: &PartPlan| {
        let name = plan.name.as_ref().map_or(Ok(String::new()), |name| name.write(head));
        Ok((plan.role, name.map_err(|error| located(message.kind, plan, 0, error))?))
    };
    message.parts.iter().filter(|plan| !(left_out && plan.optional)).map(named).collect()
}

/// What speaks about another part is written behind it, whatever is handed over first.
pub(crate) fn order_of_parts(message: &MessagePlan) -> Vec<usize> {
    let mut order: Vec<usize> = (0..message.parts.len()).collect();
    order.sort_by_key(|at| match message.parts[*at].role {
        PartRole::Side => 0,
        PartRole::Data => 1,
        PartRole::Message => 2,
        PartRole::Control => 3,
        PartRole::Trigger => 4,
    });
    order
}

pub(crate) fn located(
    kind: MessageKind,
    plan: &PartPlan,
    record: usize,
    error: FieldError,
) -> DataError {
    let (expected, found) = match error.fault {
        FieldFault::OutOfRange { expected } => (expected, String::new()),
        FieldFault::TooShort { taken, there } => {
            (format!("{there} bytes, no more and no fewer"), format!("{taken} bytes"))
        }
        fault => (format!("a value that fits: {fault}"), String::new()),
    };
    let part = Some(plan.role);
    DataError { message: kind, part, record, field: error.field, offset: None, found, expected }
}

/// Writes one part into memory.
pub(crate) fn write_part<R: Source>(
    format: &Format,
    kind: MessageKind,
    plan: &PartPlan,
    mut facts: Facts,
    head: &dyn Source,
    content: &Content<'_, R>,
) -> Result<Vec<u8>, DataError> {
    let framed =
        plan.frame.as_ref().map(|frame| (frame, facts.digests.clone(), facts.names.clone()));
    facts.before = before(format, kind, &plan.layout)?;
    let mut bytes = Vec::new();
    let charset = plan.charset;
    // All of it is kept.
    let mut keep = |_: &mut Vec<u8>| Ok(());
    let written = match (&plan.layout, content) {
        (Layout::Lines(lines), Content::Rows(rows)) => {
            lines.write(charset, facts, head, rows, &mut bytes)
        }
        (Layout::Lines(lines), Content::Records(records)) => {
            lines.write_all(charset, facts, &mut bytes, &mut keep, |each| {
                pass(lines, head, records, each)
            })
        }
        (Layout::Xml(xml), Content::Rows(rows)) => {
            xml.write_all(charset, facts, &mut bytes, &mut keep, &|each| {
                xml.order.walk(None, head, rows, each)
            })
        }
        (Layout::Xml(xml), Content::Records(records)) => {
            xml.write_all(charset, facts, &mut bytes, &mut keep, &|each| {
                pass(&xml.order, head, records, each)
            })
        }
    };
    written.map_err(|fault| located(kind, plan, fault.record, fault.error))?;
    if let Some((frame, digests, names)) = framed {
        facts =
            Facts { digests, names, body: bytes.len(), frame: frame.length, ..Facts::default() };
        for how in frame.digests(DigestOf::Body) {
            facts.digests.push((how, DigestOf::Body, how.of(format, kind, &bytes)?));
        }
        let mut whole = Vec::with_capacity(frame.length + bytes.len());
        let pen = Pen { charset, facts: &facts };
        let style = Style::Fixed { characters: false };
        write_fields(&style, frame, &pen, head, &mut whole)
            .map_err(|error| located(kind, plan, 0, error))?;
        whole.append(&mut bytes);
        bytes = whole;
    }
    let most = format.limits().bytes_max;
    if bytes.len() > most {
        return Err(whole(kind, &format!("at most {most} bytes"), &bytes.len().to_string()));
    }
    Ok(bytes)
}

/// Passes records as they follow each other; what speaks of the whole may take its values from all
/// of it.
fn pass(
    lines: &LinesPlan,
    head: &dyn Source,
    records: &[Placed],
    each: &mut Each<'_>,
) -> Result<(), WriteFault> {
    records.iter().try_for_each(|(at, record)| one_record(lines, head, *at, record, each))
}

/// Passes one record.
pub(crate) fn one_record(
    lines: &LinesPlan,
    head: &dyn Source,
    at: usize,
    record: &Record,
    each: &mut Each<'_>,
) -> Result<(), WriteFault> {
    if lines.is_of_row(at) {
        each(at, &RowAndHead { row: record, head })
    } else {
        each(at, &RecordAndTotals { record, head })
    }
}

/// A record's own values, and the count and sum of all rows.
struct RecordAndTotals<'a> {
    record: &'a Record,
    head: &'a dyn Source,
}

impl Source for RecordAndTotals<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Count | Key::Sum => self.head.get(key),
            _ => self.record.get(key),
        }
    }

    fn own(&self, at: usize) -> Option<Value<'_>> {
        self.record.own(at)
    }
}

/// A fault of a message as a whole.
pub(crate) fn whole(kind: MessageKind, expected: &str, found: &str) -> DataError {
    DataError {
        message: kind,
        part: None,
        record: 0,
        field: String::new(),
        offset: None,
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

/// Checks, payment by payment, whether a request could be written: what intake asks before it takes
/// a line. Values that come only with the batch are passed over.
pub struct Fitter<'f> {
    format: &'f Format,
    message: Option<&'f MessagePlan>,
    scratch: Vec<u8>,
}

impl<'f> Fitter<'f> {
    pub(crate) fn new(format: &'f Format, kind: MessageKind) -> Self {
        let message = format.plan().message(kind);
        Self { format, message, scratch: Vec::with_capacity(256) }
    }

    /// Can this payment be written?
    ///
    /// # Errors
    /// The first value that cannot, and why.
    pub fn check(&mut self, head: &dyn Source, row: &dyn Source) -> Result<(), FieldError> {
        let Some(message) = self.message else { return Ok(()) };
        if let Some(Value::Amount(amount)) = row.get(Key::Amount) {
            in_bounds(amount, self.format.limits().amount_max).map_err(|fault| FieldError {
                key: Some(Key::Amount),
                field: Key::Amount.as_str().to_owned(),
                fault,
            })?;
        }
        let source = RowAndHead { row, head };
        let facts = Facts::default();
        let now = |cell: &Cell| match cell.slot() {
            Some(Slot::Key(key)) => !key.comes_with_the_batch(),
            Some(Slot::Own(_)) => cell.default.is_none(),
            None => false,
        };
        for part in &message.parts {
            let pen = Pen { charset: part.charset, facts: &facts };
            let order = part.layout.order();
            for (record, field) in order.fields().filter(|(_, field)| now(&field.cell)) {
                let source: &dyn Source = if order.is_of_row(record) { &source } else { head };
                order.check(field, &pen, source, &mut self.scratch)?;
            }
        }
        Ok(())
    }
}
