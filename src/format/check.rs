//! What a description must be beyond its shape. Each rule here would otherwise be found out by a
//! bank, in the night.

use crate::format::Limits;
use crate::format::cell::{Bind, Spelling};
use crate::format::charset::Charset;
use crate::format::computed::{Computed, DigestOf};
use crate::format::lines::RecordRole;
use crate::format::lines::fixed::Side;
use crate::format::matched;
use crate::format::number::{AmountShape, Form, Shape, Sign};
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::spec::{
    FieldSpec, FormatSpec, LayoutSpec, MessageSpec, PartSpec, Place, RecordSpec, XmlSpec,
};
use crate::format::table::Faults;
use crate::format::text::Only;
use crate::format::words::{Key, MessageKind, PartRole, Slot};

/// Rules about what was written down.
///
/// What is missing because something else could not be read is not told: `whole` says that there is
/// no such thing.
pub(crate) fn spec(spec: &FormatSpec, whole: bool, faults: &Faults<'_>) {
    for (at, message) in spec.messages.iter().enumerate() {
        if spec.messages.iter().take(at).any(|other| other.kind == message.kind) {
            faults.note(
                message.at,
                format!("{} is described twice", message.kind),
                "one [[message]] for each kind; several parts belong to one",
            );
        }
        parts(message, whole, faults);
        for part in &message.parts {
            records(part, faults);
            for record in part.frame.iter().chain(&part.records) {
                fields(&spec.limits, message, part, record, faults);
            }
        }
        if whole {
            matched::message(message, faults);
        }
    }
    if whole {
        matched::told_row_reference(spec, faults);
        matched::told_bank_serial(spec, faults);
    }
    names(spec, faults);
    for (index, (at, table)) in spec.codes.iter().enumerate() {
        let mut fields = spec.messages.iter().flat_map(MessageSpec::fields);
        if whole && !fields.any(|(_, field)| field.cell.codes == Some(index)) {
            let hint = "codes = \"...\" at the field whose codes these are";
            faults.note(*at, format!("no field uses codes.{}", table.name), hint);
        }
    }
}

/// A part that may be left out: that it was, and was not lost, is told by the message that else names it.
fn optional(message: &MessageSpec, part: &PartSpec, faults: &Faults<'_>) {
    let rows = part.records.iter().any(|record| part.is_of_row(record));
    if !rows || part.committing || message.rows_min.as_ref().is_none_or(|least| least.value > 0) {
        let hint = "take optional out, or rows_min = 0 at the message";
        let what = "only a part with payments, in a message that may have none, can be left out";
        faults.note(part.at, what, hint);
    }
    let head = |record: &RecordSpec| record.role.is_some_and(|role| role == RecordRole::Head);
    if !part.records.iter().any(head) {
        faults.note(part.at, "a part that may be left out has a head", "is = \"head\" at a record");
    }
    let naming = |field: &&FieldSpec| matches!(field.cell.bind, Bind::Computed(Computed::PartName(role)) if role == part.role);
    let fields = message.parts.iter().filter(|other| other.role != part.role);
    let fields = fields.flat_map(|other| other.records.iter().flat_map(|record| &record.fields));
    let mut naming = fields.filter(naming).peekable();
    if naming.peek().is_none() {
        let hint = format!(
            "a field with computed = \"part_name\", of = \"{}\", optional = true",
            part.role
        );
        faults.note(part.at, "nothing tells whether this part was left out or lost", hint);
    }
    for field in naming.filter(|field| !field.cell.may_be_absent()) {
        let what = format!("the {} part may be left out, and its name may not", part.role);
        faults.note(field.at, what, "optional = true");
    }
}

fn parts(message: &MessageSpec, whole: bool, faults: &Faults<'_>) {
    let Some(last) = message.parts.last() else { return };
    let committing = message.parts.iter().filter(|part| part.committing).count();
    if committing != 1 || !last.committing {
        let hint = "committing = true at the last part: handing it over is what makes the bank act";
        faults.note(last.at, "the last part, and it alone, is the committing one", hint);
    }
    for (at, part) in message.parts.iter().enumerate() {
        if message.parts.iter().take(at).any(|other| other.role == part.role) {
            faults.note(part.at, format!("two {} parts", part.role), "each role stands once");
        }
    }
    for part in message.parts.iter().filter(|part| part.optional) {
        optional(message, part, faults);
    }
    let rows = |part: &&PartSpec| part.records.iter().any(|record| part.is_of_row(record));
    if let Some(second) = message.parts.iter().filter(rows).nth(1) {
        faults.note(second.at, "rows in a second part", "the payments stand in one part");
    }
    for part in &message.parts {
        let is_message = part.role == PartRole::Message;
        if is_message && part.name.is_some() {
            faults.note(part.at, "a message part has no file name", "role = \"data\" is a file");
        } else if !is_message && part.name.is_none() && whole {
            faults.note(part.at, "a file without name", "name = \"DF{reference}.txt\"");
        }
        if part.role == PartRole::Control && part.records.iter().any(|r| part.is_of_row(r)) {
            faults.note(
                part.at,
                "a control part has no rows",
                "the payments stand in the data part",
            );
        }
    }
}

fn records(part: &PartSpec, faults: &Faults<'_>) {
    for (at, record) in part.records.iter().enumerate() {
        if part.records.iter().take(at).any(|other| other.name == record.name) {
            let hint = "name = \"...\" tells records apart";
            faults.note(record.at, format!("two records {:?}", record.name), hint);
        }
    }
    for (at, group) in part.groups.iter().enumerate() {
        if part.groups.iter().take(at).any(|other| other.name == group.name) {
            faults.note(
                group.at,
                format!("two groups {:?}", group.name),
                "a name of its own for each group",
            );
        }
    }
    let rows: Vec<&RecordSpec> =
        part.records.iter().filter(|record| record.role == Some(RecordRole::Row)).collect();
    if let Some(second) = rows.get(1) {
        let hint = "a group with is = \"row\" makes one payment of several records";
        faults.note(second.at, "a second record of a row", hint);
    }
    if part.records.is_empty() && part.role != PartRole::Trigger {
        faults.note(part.at, "a part without records", "[[message.part.record]]");
    }
}

fn fields(
    limits: &Limits,
    message: &MessageSpec,
    part: &PartSpec,
    record: &RecordSpec,
    faults: &Faults<'_>,
) {
    for (at, field) in record.fields.iter().enumerate() {
        let slot = field.cell.slot();
        let twice = record.fields.iter().take(at).any(|other| other.cell.slot() == slot);
        let in_pieces = matches!(field.cell.spelling, Spelling::Moment(_))
            || matches!(field.cell.bind, Bind::Piece { .. });
        if let Some(slot) = slot.filter(|_| twice && !in_pieces) {
            let name = match slot {
                Slot::Key(key) => key.as_str(),
                Slot::Own(_) => field.cell.name.as_str(),
            };
            faults.note(
                field.at,
                format!("{name} stands twice in one record"),
                "one field for each value; only a date may stand in two places",
            );
        }
        computed(message, part, record, field, faults);
        raw_number(part, record, field, faults);
        if let LayoutSpec::Delimited { delimited, .. } = &part.layout
            && let Some(Shape { sign, thousands, .. }) = field.cell.spelling.shape()
            && delimited.blanks
            && (sign.has_blank(true) || sign.has_blank(false) || thousands == Some(b' '))
        {
            let name = &field.cell.name;
            let what = format!("{name}: its blank would be taken for a separator");
            faults.note(
                field.at,
                what,
                "sign = \"minus\", \"before\" or \"after\"; no blank in thousands",
            );
        }
        if let (LayoutSpec::Delimited { delimited, .. }, Place::Column { room, .. }) =
            (&part.layout, &field.place)
            && delimited.quote.is_none()
            && room.quoted.is_some()
        {
            let what = format!("{}: there are no quotes in this part", field.cell.name);
            faults.note(field.at, what, "quote = \"\\\"\" at the part");
        }
        if let (
            LayoutSpec::Xml(XmlSpec { respelled: Some(charset), .. }),
            Place::Xml { width_max, .. },
        ) = (&part.layout, &field.place)
            && width_max.is_some()
        {
            let name = charset.as_str();
            let what = format!("{}: the width of a value in {name}", field.cell.name);
            faults.note(field.at, what, "take width_max out: no byte counts here");
        }
        if let Place::Fixed { width, pad, absent, side, .. } = field.place {
            let characters = matches!(part.layout, LayoutSpec::Fixed { characters: true, .. });
            let charset = part.charset;
            let of_sign = if characters { 1 } else { charset.blank().len() };
            filling(field, width, (pad, absent), side, of_sign, faults);
            width_of(charset, limits, field, width, characters, faults);
        }
    }
}

/// Numbers that are no text stand where nothing but their width says where they end.
fn raw_number(part: &PartSpec, record: &RecordSpec, field: &FieldSpec, faults: &Faults<'_>) {
    let cell = &field.cell;
    let framed = part.frame.as_ref().is_some_and(|frame| std::ptr::eq(frame, record));
    if framed && matches!(cell.spelling.shape(), Some(Shape { sign: Sign::Apart, .. })) {
        let hint = "a number in a record, or sign = \"minus\"";
        faults.note(field.at, format!("{}: a frame has no signs apart", cell.name), hint);
    }
    let Some(Shape { form, .. }) = cell.spelling.shape().filter(|_| cell.is_raw_number()) else {
        return;
    };
    let name = &cell.name;
    let bytes =
        matches!(&part.layout, LayoutSpec::Fixed { characters: false, line } if !line.short);
    if !framed && !bytes {
        let hint = "layout = \"fixed\" with widths in bytes, and without short";
        faults.note(field.at, format!("{name}: a number that is no text has no place here"), hint);
    }
    if cell.default.is_some() {
        let hint = "take default out";
        faults.note(field.at, format!("{name}: a default is text, and this number is none"), hint);
    }
    let Place::Fixed { pad, absent, .. } = field.place else { return };
    let clear = matches!(absent.unwrap_or(pad), ' ' | '0');
    if cell.may_be_absent() && (matches!(form, Form::Binary { .. }) || !clear) {
        let hint = "a packed number may be missing, with absent = \" \" or \"0\"; a binary one is \
                    always there";
        faults.note(field.at, format!("{name}: no value would read as a number"), hint);
    }
}

/// What is worked out must be known where it is written.
fn computed(
    message: &MessageSpec,
    part: &PartSpec,
    record: &RecordSpec,
    field: &FieldSpec,
    faults: &Faults<'_>,
) {
    let Bind::Computed(computed) = &field.cell.bind else { return };
    let framed = part.frame.as_ref().is_some_and(|frame| std::ptr::eq(frame, record));
    let rank = |role: PartRole| match role {
        PartRole::Side => 0,
        PartRole::Data => 1,
        PartRole::Message => 2,
        PartRole::Control => 3,
        PartRole::Trigger => 4,
    };
    match computed {
        Computed::Digest { of: DigestOf::Body, .. } | Computed::Length(_) if !framed => {
            faults.note(field.at, "only a frame knows the body behind it", "[message.part.frame]");
        }
        Computed::Digest { of: DigestOf::Before, .. }
            if framed || matches!(part.layout, LayoutSpec::Xml(_)) =>
        {
            let hint = "of = \"body\" in a frame; in a document nothing stands before";
            faults.note(field.at, "there are no records before this", hint);
        }
        Computed::Digest { of: DigestOf::Part(role), .. } => {
            if message.parts.iter().all(|part| part.role != *role) {
                faults.note(
                    field.at,
                    format!("this message has no {role} part"),
                    "of = the role of a part that this message has",
                );
            } else if rank(*role) >= rank(part.role) {
                let hint =
                    "a part cannot hold the digest of itself, or of one that is written later";
                faults.note(field.at, format!("a digest of the {role} part here"), hint);
            }
        }
        Computed::PartName(role) if message.parts.iter().all(|part| part.role != *role) => {
            faults.note(
                field.at,
                format!("this message has no {role} part"),
                "of = the role of a part that this message has",
            );
        }
        Computed::CheckDigit(check) if check.algorithm.digits() > 1 => {
            let digits = Some(check.algorithm.digits());
            let width = match field.place {
                Place::Fixed { width, pad: '0', .. } => Some(width),
                Place::Column { room, .. } => room.width,
                _ => None,
            };
            if width != digits {
                let name = &field.cell.name;
                let hint = "width = 2 in fixed width (pad = \"0\", side = \"right\") or delimited";
                let what = format!("{name}: two check digits without room for just these");
                faults.note(field.at, what, hint);
            }
        }
        Computed::Tally(_) if framed => {
            faults.note(field.at, "a frame counts no records", "key = \"count\"");
        }
        _ => {}
    }
}

/// The filling must not hide or change a value.
fn filling(
    field: &FieldSpec,
    width: usize,
    (pad, absent): (char, Option<char>),
    side: Side,
    of_sign: usize,
    faults: &Faults<'_>,
) {
    let cell = &field.cell;
    let name = &cell.name;
    if !width.is_multiple_of(of_sign) && !matches!(cell.spelling, Spelling::Binary { .. }) {
        let what = format!("{name}: {width} bytes end inside a character");
        faults.note(field.at, what, format!("a multiple of {of_sign} in this charset"));
    }
    match &cell.spelling {
        _ if cell.is_raw_number() => {}
        Spelling::Int(Shape { sign, .. })
        | Spelling::Decimal(Shape { sign, .. })
        | Spelling::Amount(AmountShape { shape: Shape { sign, .. }, .. })
            if pad == ' ' && sign.has_blank(side == Side::Right) =>
        {
            let hint = "the other side, or pad = \"0\" with side = \"right\"";
            let what = format!("{name}: the blank of its sign would be taken for filling");
            faults.note(field.at, what, hint);
        }
        Spelling::Int(_) | Spelling::Amount(_) | Spelling::Decimal(_) => {
            if pad != ' ' && (pad != '0' || side == Side::Left) {
                let hint = "pad = \" \", or pad = \"0\" with side = \"right\"";
                let what = format!("{name}: this filling would change the number");
                faults.note(field.at, what, hint);
            }
            if pad == '0' && cell.optional && absent.is_none() {
                let hint = "absent = \" \": what fills the field where there is no number";
                faults.note(field.at, format!("{name}: no value would read as zero"), hint);
            }
        }
        Spelling::Text(only) if pad != ' ' && (*only == Only::Any || side == Side::Left) => {
            let hint = "pad = \" \"";
            faults.note(field.at, format!("{name}: texts are filled with blanks"), hint);
        }
        Spelling::Moment(pieces) => {
            let own: Option<usize> = pieces.iter().map(|piece| piece.width()).sum();
            let Some(own) = own.map(|own| own * of_sign) else {
                let hint = "MM, dd and HH: two digits always";
                let what = format!("{name}: a date of this pattern has no width of its own");
                faults.note(field.at, what, hint);
                return;
            };
            if own != width {
                faults.note(
                    field.at,
                    format!("{name}: the pattern takes {own} bytes"),
                    "leave width out: it follows from the pattern",
                );
            }
        }
        Spelling::Hex { .. } => {
            if let Bind::Computed(computed) = &cell.bind
                && let Some(own) = computed.hex_width().map(|digits| digits * of_sign)
                && width != own
            {
                let what = format!("{name}: this digest in hex takes {own} bytes");
                faults.note(field.at, what, "leave width out: it follows from the algorithm");
            }
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
    characters: bool,
    faults: &Faults<'_>,
) {
    let name = &field.cell.name;
    let key = field.cell.slot().and_then(Slot::key);
    let needed = match (&field.cell.spelling, &field.cell.bind) {
        (Spelling::Amount(amount), _) => {
            let most = if key == Some(Key::Sum) { limits.sum_max } else { limits.amount_max };
            amount.width(most)
        }
        (Spelling::Int(Shape { form, .. }), _) if key.is_some() => {
            Shape { form: *form, ..Shape::WHOLE }
                .width(i64::try_from(limits.rows_max).unwrap_or(i64::MAX))
        }
        (Spelling::Text(Only::Any), Bind::Slot(Slot::Key(_))) if !characters => {
            charset.character_bytes_max()
        }
        (Spelling::Words(words), _) => words.iter().map(|word| word.bytes.len()).max().unwrap_or(0),
        (_, Bind::Literal { bytes, .. } | Bind::Ignored { bytes }) if characters => {
            charset.count(bytes)
        }
        (_, Bind::Literal { bytes, .. } | Bind::Ignored { bytes }) => bytes.len(),
        _ => 0,
    };
    if needed > width {
        let what = format!("{name} is too narrow: {width} bytes, {needed} are needed");
        let hint = match field.cell.spelling {
            Spelling::Text(_) => "one character of the charset does not fit; only = \"ascii\"?",
            Spelling::Literal | Spelling::Words(_) => "a constant is longer than its field",
            _ => "for the highest value that [limits] allows",
        };
        faults.note(field.at, what, hint);
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
pub(crate) fn message(
    limits: &Limits,
    plan: &MessagePlan,
    (at, whole): (usize, bool),
    faults: &Faults<'_>,
) {
    if !whole {
        return;
    }
    if plan.rows_min > limits.rows_max || (plan.rows_min > 0 && !plan.has_rows) {
        faults.note(
            at,
            "rows_min asks for more rows than there can be",
            "rows_min of at most limits.rows_max, and only where there are rows",
        );
    }
    for PartPlan { role, layout, frame, .. } in &plan.parts {
        let frame = frame.as_ref().map_or(0, |frame| frame.length);
        if let Layout::Lines(lines) = layout
            && let Some(most) = lines.bytes(limits.rows_max)
            && most + frame > limits.bytes_max
        {
            let what = format!("a {role} part of rows_max rows takes {} bytes", most + frame);
            faults.note(at, what, format!("bytes_max is {}", limits.bytes_max));
        }
    }
}
