//! What a description must be beyond its shape. Each rule here would otherwise be found out by a
//! bank, in the night.

use crate::format::Limits;
use crate::format::cell::{Bind, Cell, Only, Spelling, Unit};
use crate::format::charset::Charset;
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::spec::{
    FieldSpec, FormatSpec, LayoutSpec, MessageSpec, PartSpec, Place, RecordRole, RecordSpec, Side,
};
use crate::format::table::Faults;
use crate::format::words::{Key, MessageKind, PartRole};
use crate::model::money::Fen;

/// Rules about what was written down.
pub(crate) fn spec(spec: &FormatSpec, faults: &Faults<'_>) {
    for (at, message) in spec.messages.iter().enumerate() {
        if spec.messages.iter().take(at).any(|other| other.kind == message.kind) {
            faults.note(message.at, format!("{} is described twice", message.kind), "");
        }
        parts(message, faults);
        for part in &message.parts {
            records(part, faults);
            for record in &part.records {
                fields(spec.charset, &spec.limits, part, record, faults);
            }
        }
        totals(message, faults);
    }
    names(spec, faults);
    for (index, (at, table)) in spec.codes.iter().enumerate() {
        let messages = spec.messages.iter().flat_map(|message| &message.parts);
        let mut fields = messages.flat_map(|part| &part.records).flat_map(|record| &record.fields);
        if !fields.any(|field| field.cell.codes == Some(index)) {
            let hint = "codes = \"...\" at the field whose codes these are";
            faults.note(*at, format!("no field uses codes.{}", table.name), hint);
        }
    }
}

fn parts(message: &MessageSpec, faults: &Faults<'_>) {
    let Some(last) = message.parts.last() else { return };
    let committing = message.parts.iter().filter(|part| part.committing).count();
    if committing != 1 || !last.committing {
        let hint = "committing = true at the last part: handing it over is what makes the bank act";
        faults.note(last.at, "the last part, and it alone, is the committing one", hint);
    }
    let main = message.parts.iter().filter(|part| part.role != PartRole::Control).count();
    if main != 1 || message.parts.len() > 2 {
        let hint = "one data or message part, and perhaps one control part";
        faults.note(message.at, "a message of other parts than language 1 knows", hint);
    }
    for part in &message.parts {
        let is_message = part.role == PartRole::Message;
        if is_message && part.name.is_some() {
            faults.note(part.at, "a message part has no file name", "role = \"data\" is a file");
        } else if !is_message && part.name.is_none() {
            faults.note(part.at, "a file without name", "name = \"DF{reference}.txt\"");
        }
        let rows = part.records.iter().any(|record| record.role == RecordRole::Row);
        if part.role == PartRole::Control
            && (rows || !matches!(part.layout, LayoutSpec::Fixed { .. }))
        {
            faults.note(part.at, "a control part is one record in fixed width", "");
        }
    }
}

fn records(part: &PartSpec, faults: &Faults<'_>) {
    let roles: Vec<RecordRole> = part.records.iter().map(|record| record.role).collect();
    if roles.first() != Some(&RecordRole::Head) {
        let hint = "[[message.part.record]] with is = \"head\" comes first";
        faults.note(part.at, "a part without head", hint);
    }
    if let Some(at) = roles.windows(2).position(|pair| pair[0] >= pair[1]) {
        let hint = "one head, then one row, then one tail";
        faults.note(part.records[at + 1].at, "records in another order", hint);
    }
    if let LayoutSpec::Xml { rows: Some(rows), .. } = &part.layout
        && !roles.contains(&RecordRole::Row)
    {
        faults.note(rows.at, "rows without a record of a row", "is = \"row\"");
    }
}

fn fields(
    charset: Charset,
    limits: &Limits,
    part: &PartSpec,
    record: &RecordSpec,
    faults: &Faults<'_>,
) {
    for (at, field) in record.fields.iter().enumerate() {
        let key = field.cell.key();
        let twice = record.fields.iter().take(at).any(|other| other.cell.key() == key);
        if let Some(key) = key.filter(|key| twice && *key != Key::Moment) {
            faults.note(field.at, format!("{key} stands twice in one record"), "");
        }
        if matches!(field.cell.spelling, Spelling::Digest) && part.role != PartRole::Control {
            let hint = "a part cannot hold the digest of itself";
            faults.note(field.at, "a digest of the data outside the control part", hint);
        }
        if let Place::Fixed { width, pad, side, .. } = field.place {
            filling(field, width, pad, side, faults);
            width_of(charset, limits, field, width, faults);
        }
    }
}

/// The filling must not hide or change a value.
fn filling(field: &FieldSpec, width: usize, pad: u8, side: Side, faults: &Faults<'_>) {
    let cell = &field.cell;
    let name = &cell.name;
    match &cell.spelling {
        Spelling::Int | Spelling::Amount { .. } => {
            if pad != b' ' && (pad != b'0' || side == Side::Left) {
                let hint = "pad = \" \", or pad = \"0\" with side = \"right\"";
                faults.note(
                    field.at,
                    format!("{name}: this filling would change the number"),
                    hint,
                );
            }
            if pad == b'0' && cell.optional {
                let hint = "an optional number is filled with blanks";
                faults.note(field.at, format!("{name}: no value would read as zero"), hint);
            }
        }
        Spelling::Text(_) if pad != b' ' => {
            let hint = "pad = \" \"";
            faults.note(field.at, format!("{name}: texts are filled with blanks"), hint);
        }
        Spelling::Moment(pieces) => {
            let own: usize = pieces.iter().map(|piece| piece.width()).sum();
            if own != width {
                faults.note(field.at, format!("{name}: the pattern takes {own} bytes"), "");
            }
        }
        Spelling::Digest if width != 64 => {
            faults.note(field.at, format!("{name}: SHA-256 in hex takes 64 bytes"), "");
        }
        _ => {}
    }
}

/// A field must hold the longest value that the limits allow.
fn width_of(
    charset: Charset,
    limits: &Limits,
    field: &FieldSpec,
    width: usize,
    faults: &Faults<'_>,
) {
    let name = &field.cell.name;
    let needed = match (&field.cell.spelling, field.cell.key()) {
        (Spelling::Amount { unit, scale, point }, key) => {
            let most = if key == Some(Key::Sum) { limits.sum_max } else { limits.amount_max };
            amount_width(*unit, *scale, *point, most)
        }
        (Spelling::Int, _) => decimal_width(i64::try_from(limits.rows_max).unwrap_or(i64::MAX)),
        (Spelling::Text(Only::Any), _) => charset.character_bytes_max(),
        (Spelling::Literal, _) => match &field.cell.bind {
            Bind::Literal { bytes, .. } => bytes.len(),
            _ => 0,
        },
        _ => 0,
    };
    if needed > width {
        let what = format!("{name} is too narrow: {width} bytes, {needed} are needed");
        let hint = match field.cell.spelling {
            Spelling::Text(_) => "one character of the charset does not fit; only = \"ascii\"?",
            Spelling::Literal => "the literal is longer than its field",
            _ => "for the highest value that [limits] allows",
        };
        faults.note(field.at, what, hint);
    }
}

fn decimal_width(number: i64) -> usize {
    number.checked_ilog10().map_or(1, |log| usize::try_from(log).unwrap_or(0) + 1)
}

fn amount_width(unit: Unit, scale: u32, point: bool, most: Fen) -> usize {
    let step = match (unit, scale) {
        (Unit::Fen, _) | (Unit::Yuan, 2..) => 1,
        (Unit::Yuan, 1) => 10,
        (Unit::Yuan, 0) => 100,
    };
    let least = usize::try_from(scale).unwrap_or(0) + 1;
    decimal_width(most.get() / step).max(least) + usize::from(point)
}

/// A message with rows states how many they are and what they add up to: nothing else shows that a
/// file was cut (design 4.4).
fn totals(message: &MessageSpec, faults: &Faults<'_>) {
    let cells = |role: RecordRole| {
        let records = message.parts.iter().flat_map(|part| &part.records);
        records
            .filter(move |record| (record.role == RecordRole::Row) == (role == RecordRole::Row))
            .flat_map(|record| &record.fields)
            .map(|field| &field.cell)
    };
    let mandatory = |cell: &&Cell, key: Key| cell.key() == Some(key) && !cell.optional;
    let mut rows = cells(RecordRole::Row).peekable();
    if rows.peek().is_none() {
        return;
    }
    for key in [Key::Count, Key::Sum] {
        if !cells(RecordRole::Head).any(|cell| mandatory(&cell, key)) {
            let hint = "a field with this key in the head, the tail or the control part";
            faults.note(message.at, format!("rows without their {key}"), hint);
        }
    }
    if !rows.any(|cell| mandatory(&cell, Key::Amount)) {
        faults.note(message.at, "rows without amount", "a field with key = \"amount\" in the row");
    }
}

/// Every file name must tell what the file is.
fn names(spec: &FormatSpec, faults: &Faults<'_>) {
    let parts = || {
        spec.messages.iter().flat_map(|message| {
            let kind = message.kind;
            message.parts.iter().filter_map(move |part| Some((kind, part, part.name.as_ref()?)))
        })
    };
    let mut told: Vec<(MessageKind, PartRole)> = Vec::new();
    for (kind, part, name) in parts() {
        for (other_kind, other, pattern) in parts() {
            let same = kind == other_kind && part.role == other.role;
            let both = told.contains(&(other_kind, other.role));
            if !same
                && !both
                && name.value.examples().iter().any(|n| pattern.value.read(n).is_some())
            {
                let what = format!("a {kind} and a {other_kind} can have the same file name");
                faults.note(name.at, what, "begin or end each pattern with letters of its own");
                told.push((kind, part.role));
            }
        }
    }
}

/// Rules about the message as it was put together.
pub(crate) fn message(limits: &Limits, plan: &MessagePlan, at: usize, faults: &Faults<'_>) {
    if plan.rows_min > limits.rows_max || (plan.rows_min > 0 && !plan.has_rows) {
        faults.note(at, "rows_min asks for more rows than there can be", "");
    }
    for PartPlan { role, layout, .. } in &plan.parts {
        if let Layout::Fixed(fixed) = layout {
            let most = fixed.bytes(limits.rows_max);
            if most > limits.bytes_max {
                let what = format!("a {role} part of rows_max rows takes {most} bytes");
                faults.note(at, what, format!("bytes_max is {}", limits.bytes_max));
            }
        }
    }
}
