//! A description compiled once: what writing and reading walk through. Faults that only show when
//! the pieces are put together are noted here and in `check`.

use crate::format::Limits;
use crate::format::charset::Charset;
use crate::format::check;
use crate::format::codes::{CodeTable, Meaning, TableKind};
use crate::format::fixed::{FixedField, FixedPlan, FixedRecord};
use crate::format::name::NamePattern;
use crate::format::spec::{
    FieldSpec, FormatSpec, LayoutSpec, MessageSpec, PartSpec, Place, RecordRole, RecordSpec,
};
use crate::format::table::Faults;
use crate::format::words::{Key, MessageKind, PartRole};
use crate::format::xml::XmlPlan;
use crate::format::xml::build::{self, Outline};

/// A whole format, ready to use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub charset: Charset,
    pub limits: Limits,
    pub codes: Vec<CodeTable>,
    pub messages: Vec<MessagePlan>,
}

#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub kind: MessageKind,
    pub has_rows: bool,
    pub rows_min: usize,
    pub parts: Vec<PartPlan>,
    /// The tables of the head's code, of a row's code and of a row's notice code.
    pub head_codes: Option<usize>,
    pub row_codes: Option<usize>,
    pub notice_codes: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct PartPlan {
    pub role: PartRole,
    pub name: Option<NamePattern>,
    pub committing: bool,
    pub layout: Layout,
}

#[derive(Debug)]
pub(crate) enum Layout {
    Fixed(FixedPlan),
    Xml(XmlPlan),
}

impl Plan {
    pub fn message(&self, kind: MessageKind) -> Option<&MessagePlan> {
        self.messages.iter().find(|message| message.kind == kind)
    }

    /// What a code of this table means.
    pub fn meaning(&self, table: Option<usize>, code: &str) -> Option<&Meaning> {
        self.codes.get(table?)?.codes.get(code)
    }
}

/// Compiles a description; every fault is noted, and the plan is of use only without any.
pub(crate) fn compile(spec: FormatSpec, faults: &Faults<'_>) -> Plan {
    check::spec(&spec, faults);
    let FormatSpec { charset, limits, codes, messages } = spec;
    let codes: Vec<CodeTable> = codes.into_iter().map(|(_, table)| table).collect();
    let messages = messages
        .into_iter()
        .map(|spec| {
            let at = spec.at;
            let plan = message(charset, &codes, spec, faults);
            check::message(&limits, &plan, at, faults);
            plan
        })
        .collect();
    Plan { charset, limits, codes, messages }
}

fn message(
    charset: Charset,
    codes: &[CodeTable],
    spec: MessageSpec,
    faults: &Faults<'_>,
) -> MessagePlan {
    let tables = |role: RecordRole, key: Key, kind: TableKind| {
        let records = spec.parts.iter().flat_map(|part| &part.records);
        let records = records.filter(|record| record.role == role);
        let mut fields = records.flat_map(|record| &record.fields);
        let field = fields.find(|field| field.cell.key() == Some(key))?;
        let Some(table) = field.cell.codes else {
            let hint = "codes = \"the name of a table under [codes]\"";
            faults.note(field.at, format!("a {key} without its table"), hint);
            return None;
        };
        if codes.get(table).is_some_and(|table| table.kind != kind) {
            let what = format!("this {key} needs a table of codes with {}", kind.told());
            faults.note(field.at, what, "");
        }
        Some(table)
    };
    let head_codes = tables(RecordRole::Head, Key::Code, TableKind::Answer);
    let row_codes = tables(RecordRole::Row, Key::Code, TableKind::Outcome);
    let notice_codes = tables(RecordRole::Row, Key::NoticeCode, TableKind::Notice);
    let rows = spec.parts.iter().flat_map(|part| &part.records);
    let has_rows = rows.filter(|record| record.role == RecordRole::Row).count() > 0;
    let rows_min = spec.rows_min.map_or(usize::from(has_rows), |found| found.value);
    let kind = spec.kind;
    let parts = spec.parts.into_iter().map(|spec| part(charset, spec, faults)).collect();
    MessagePlan { kind, has_rows, rows_min, parts, head_codes, row_codes, notice_codes }
}

fn part(charset: Charset, spec: PartSpec, faults: &Faults<'_>) -> PartPlan {
    let PartSpec { at, role, name, committing, layout, records } = spec;
    let layout = match layout {
        LayoutSpec::Fixed { line_end } => Layout::Fixed(fixed(line_end, records, at, faults)),
        LayoutSpec::Xml { root, rows, ignore } => {
            let outline = Outline { root: &root, rows: rows.as_ref(), ignore: &ignore };
            let plan = build::build(charset, &outline, records, faults);
            build::check_tree(&plan, at, faults);
            Layout::Xml(plan)
        }
    };
    PartPlan { role, name: name.map(|found| found.value), committing, layout }
}

fn fixed(
    line_end: &'static [u8],
    records: Vec<RecordSpec>,
    at: usize,
    faults: &Faults<'_>,
) -> FixedPlan {
    let mut head = FixedRecord { length: 0, fields: Vec::new() };
    let (mut row, mut tail) = (None, None);
    for record in records {
        let role = record.role;
        let plan = fixed_record(record, faults);
        match role {
            RecordRole::Head => head = plan,
            RecordRole::Row => row = Some(plan),
            RecordRole::Tail => tail = Some(plan),
        }
    }
    if let (Some(row), Some(tail)) = (&row, &tail)
        && !row.differs_from(tail)
    {
        let hint = "give both a literal in the same place, like R and T in the first byte";
        faults.note(at, "row and tail cannot be told apart when read", hint);
    }
    FixedPlan { line_end, head, row, tail }
}

/// Puts the fields in their places: no gap, no overlap, and the length that was stated.
fn fixed_record(spec: RecordSpec, faults: &Faults<'_>) -> FixedRecord {
    let mut at = 0;
    let mut fields = Vec::new();
    for FieldSpec { at: place, cell, place: fixed } in spec.fields {
        let Place::Fixed { start, width, pad, side } = fixed else { continue };
        if let Some(start) = start {
            let expected = at + 1;
            let name = &cell.name;
            if start.value > expected {
                let what = format!("a gap of {} bytes before {name}", start.value - expected);
                let hint = format!("at = {expected}, or a literal field that fills the gap");
                faults.note(start.at, what, hint);
            } else if start.value < expected {
                let over = expected - start.value;
                let what = format!("{name} overlaps the field before it by {over} bytes");
                faults.note(start.at, what, format!("at = {expected}"));
            }
            at = start.value.saturating_sub(1);
        }
        if width == 0 {
            faults.note(place, format!("{} has no width", cell.name), "at least 1 byte");
        }
        fields.push(FixedField { cell, start: at, width, pad, side });
        at += width;
    }
    if let Some(length) = spec.length.filter(|length| length.value != at) {
        let what = format!("the fields take {at} bytes, the record says {}", length.value);
        faults.note(length.at, what, "widths are bytes after encoding, without the line end");
    }
    FixedRecord { length: at, fields }
}
