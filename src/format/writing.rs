//! Writing a message: count, sum and digest are computed here, never taken from a caller.

use crate::format::Format;
use crate::format::cell::Cell;
use crate::format::charset::Charset;
use crate::format::error::{DataError, FieldError, FieldFault, shape};
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::words::{Key, MessageKind, Part, PartRole, Source, Value};
use crate::guard::digest::sha256;
use crate::guard::key::hex;
use crate::model::money::Fen;

/// What every part of one message is written from.
pub(crate) struct Job<'a> {
    pub charset: Charset,
    pub head: &'a dyn Source,
    /// SHA-256 of the data part in hex, where it is written already.
    pub digest: &'a str,
}

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
}

/// A head with the count and sum of its rows.
struct Counted<'a> {
    head: &'a dyn Source,
    count: i64,
    sum: Fen,
}

impl Source for Counted<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Count => Some(Value::Int(self.count)),
            Key::Sum => Some(Value::Amount(self.sum)),
            _ => self.head.get(key),
        }
    }
}

/// What could not be written, and in which record.
pub(crate) struct WriteFault {
    pub record: usize,
    pub error: FieldError,
}

impl WriteFault {
    pub fn new(record: usize, cell: &Cell, fault: FieldFault) -> Self {
        Self { record, error: FieldError { key: cell.key(), field: cell.name.clone(), fault } }
    }
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
        return write_parts(format, message, head, rows);
    }
    let (count, sum) = total(format, message, rows)?;
    for (key, ours) in [(Key::Count, Value::Int(count)), (Key::Sum, Value::Amount(sum))] {
        if head.get(key).is_some_and(|theirs| theirs != ours) {
            let expected = format!("the {key} of the rows, or none stated");
            return Err(whole(kind, &expected, "another one in the head"));
        }
    }
    write_parts(format, message, &Counted { head, count, sum }, rows)
}

/// A code that its table does not have would be read by nobody.
fn known_codes<R: Source>(
    format: &Format,
    message: &MessagePlan,
    head: &dyn Source,
    rows: &[R],
) -> Result<(), DataError> {
    let known = |source: &dyn Source, key: Key, table: Option<usize>, record: usize| {
        let (Some(_), Some(Value::Text(code))) = (table, source.get(key)) else { return Ok(()) };
        if code.is_empty() || format.plan().meaning(table, code).is_some() {
            return Ok(());
        }
        let error = whole(message.kind, "a code of its table", &shape(code.as_bytes()));
        Err(DataError { record, field: key.as_str().to_owned(), ..error })
    };
    known(head, Key::Code, message.head_codes, 1)?;
    if message.row_codes.is_none() && message.notice_codes.is_none() {
        return Ok(());
    }
    for (row, record) in rows.iter().zip(2..) {
        known(row, Key::Code, message.row_codes, record)?;
        known(row, Key::NoticeCode, message.notice_codes, record)?;
    }
    Ok(())
}

/// Counts and adds up, within the limits of the format.
fn total<R: Source>(
    format: &Format,
    message: &MessagePlan,
    rows: &[R],
) -> Result<(i64, Fen), DataError> {
    let kind = message.kind;
    let limits = format.limits();
    if rows.len() < message.rows_min || rows.len() > limits.rows_max {
        let expected = format!("{} to {} rows", message.rows_min, limits.rows_max);
        return Err(whole(kind, &expected, &rows.len().to_string()));
    }
    // What is too much for a card must still be able to go back.
    let most = match kind {
        MessageKind::RefundRequest => limits.sum_max,
        _ => limits.amount_max,
    };
    let mut sum = Fen::ZERO;
    for (at, row) in rows.iter().enumerate() {
        if let Some(Value::Amount(amount)) = row.get(Key::Amount) {
            if let Err(fault) = in_bounds(amount, most) {
                let mut error = whole(kind, &fault.to_string(), "");
                (error.record, error.field) = (at + 2, Key::Amount.as_str().to_owned());
                return Err(error);
            }
            sum =
                sum.checked_add(amount).filter(|sum| *sum <= limits.sum_max).ok_or_else(|| {
                    whole(kind, &format!("a sum of at most {} yuan", limits.sum_max.yuan()), "more")
                })?;
        }
    }
    Ok((i64::try_from(rows.len()).unwrap_or(i64::MAX), sum))
}

/// An amount of one payment: at least one fen, at most what the format allows.
pub(crate) fn in_bounds(amount: Fen, most: Fen) -> Result<(), FieldFault> {
    if amount.is_positive() && amount <= most {
        return Ok(());
    }
    Err(FieldFault::OutOfRange { expected: format!("an amount from 0.01 to {} yuan", most.yuan()) })
}

fn write_parts<R: Source>(
    format: &Format,
    message: &MessagePlan,
    head: &dyn Source,
    rows: &[R],
) -> Result<Vec<Part>, DataError> {
    let kind = message.kind;
    if !message.has_rows && !rows.is_empty() {
        return Err(whole(kind, "no rows: this message has none", &rows.len().to_string()));
    }
    let mut parts: Vec<Option<Part>> = message.parts.iter().map(|_| None).collect();
    let mut digest = String::new();
    // Control parts speak about the data part, which therefore is written first.
    for control in [false, true] {
        for (plan, slot) in message.parts.iter().zip(&mut parts) {
            if (plan.role == PartRole::Control) != control {
                continue;
            }
            let job = Job { charset: format.plan().charset, head, digest: &digest };
            let part = write_part(format, kind, plan, &job, if control { &[] } else { rows })?;
            if !control {
                digest = hex_sha256(&part.bytes);
            }
            *slot = Some(part);
        }
    }
    Ok(parts.into_iter().flatten().collect())
}

fn write_part<R: Source>(
    format: &Format,
    kind: MessageKind,
    plan: &PartPlan,
    job: &Job<'_>,
    rows: &[R],
) -> Result<Part, DataError> {
    let located = |record: usize, error: FieldError| DataError {
        message: kind,
        part: Some(plan.role),
        record,
        field: error.field,
        offset: None,
        found: String::new(),
        expected: match error.fault {
            FieldFault::OutOfRange { expected } => expected,
            fault => format!("a value that fits: {fault}"),
        },
    };
    let name = match &plan.name {
        Some(name) => name.write(job.head).map_err(|error| located(0, error))?,
        None => String::new(),
    };
    let mut bytes = Vec::new();
    let written = match &plan.layout {
        Layout::Fixed(fixed) => fixed.write(job, rows, &mut bytes),
        Layout::Xml(xml) => xml.write(job, rows, &mut bytes),
    };
    written.map_err(|fault| located(fault.record, fault.error))?;
    let most = format.limits().bytes_max;
    if bytes.len() > most {
        return Err(whole(kind, &format!("at most {most} bytes"), &bytes.len().to_string()));
    }
    Ok(Part { role: plan.role, name, bytes, committing: plan.committing })
}

/// SHA-256 in lower-case hex.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
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
        let charset = self.format.plan().charset;
        let now = |cell: &Cell| cell.key().is_some_and(|key| !key.comes_with_the_batch());
        for part in &message.parts {
            match &part.layout {
                Layout::Fixed(fixed) => {
                    for field in fixed.head.fields.iter().filter(|field| now(&field.cell)) {
                        field.check(charset, head, &mut self.scratch)?;
                    }
                    let row = fixed.row.iter().flat_map(|row| &row.fields);
                    for field in row.filter(|field| now(&field.cell)) {
                        field.check(charset, &source, &mut self.scratch)?;
                    }
                }
                Layout::Xml(xml) => {
                    for field in xml.head_fields().filter(|field| now(&field.cell)) {
                        field.check(charset, head, &mut self.scratch)?;
                    }
                    for field in xml.row_fields().filter(|field| now(&field.cell)) {
                        field.check(charset, &source, &mut self.scratch)?;
                    }
                }
            }
        }
        Ok(())
    }
}
