//! The language of `format.toml`, version 1: what a description may say, read with the place of
//! everything it says. Whether it makes sense as a whole is for `check` and `plan`.

use std::collections::BTreeMap;

use crate::format::Limits;
use crate::format::cell::{Bind, Cell, Only, Piece, Spelling, Unit};
use crate::format::charset::Charset;
use crate::format::codes::{CodeTable, Meaning, TableKind};
use crate::format::name::NamePattern;
use crate::format::table::{Found, Table};
use crate::format::words::{Key, MessageKind, PartRole, ValueKind};
use crate::model::attempt::Answer;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;
use crate::model::words;

/// The version of the language that this reads.
pub(crate) const LANGUAGE: usize = 1;

words! {
    /// Where a record stands in its part.
    RecordRole {
        Head = "head",
        Row = "row",
        Tail = "tail",
    }
}

/// A whole description.
pub(crate) struct FormatSpec {
    pub charset: Charset,
    pub limits: Limits,
    pub codes: Vec<(usize, CodeTable)>,
    pub messages: Vec<MessageSpec>,
}

pub(crate) struct MessageSpec {
    pub at: usize,
    pub kind: MessageKind,
    pub rows_min: Option<Found<usize>>,
    pub parts: Vec<PartSpec>,
}

pub(crate) struct PartSpec {
    pub at: usize,
    pub role: PartRole,
    pub name: Option<Found<NamePattern>>,
    pub committing: bool,
    pub layout: LayoutSpec,
    pub records: Vec<RecordSpec>,
}

pub(crate) enum LayoutSpec {
    Fixed { line_end: &'static [u8] },
    Xml { root: String, rows: Option<Found<Vec<String>>>, ignore: Vec<Vec<String>> },
}

pub(crate) struct RecordSpec {
    pub at: usize,
    pub role: RecordRole,
    pub length: Option<Found<usize>>,
    pub fields: Vec<FieldSpec>,
}

pub(crate) struct FieldSpec {
    pub at: usize,
    pub cell: Cell,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

pub(crate) enum Place {
    Fixed { start: Option<Found<usize>>, width: usize, pad: u8, side: Side },
    Xml { path: Vec<String>, width_max: Option<usize>, empty: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Fixed,
    Xml,
}

/// Reads a description; nothing where a part without which nothing can be read is missing. Faults
/// are noted in the table's list.
pub(crate) fn read(root: Table<'_>) -> Option<FormatSpec> {
    let language = root.need_number("language", "language = 1");
    if let Some(language) = language.filter(|found| found.value != LANGUAGE) {
        let what = format!("language {} is not known here", language.value);
        root.faults().note(language.at, what, "this reads language 1");
    }
    root.need_text("title", "title = \"whose interface this is\"");
    root.need_text("source", "source = \"where its shape comes from\"");
    if root
        .word("status", &["example", "bank"], |w| matches!(w, "example" | "bank").then_some(()))
        .is_none()
        && !root.has("status")
    {
        root.faults().note(0, "a format without status", "status = \"example\" or \"bank\"");
    }
    let charset = charset(&root);
    let limits = root.table("limits", "limits").and_then(limits);
    if !root.has("limits") {
        let hint = "[limits] with rows_max, amount_max, sum_max and bytes_max";
        root.faults().note(0, "a format without limits", hint);
    }
    let codes = root.table("codes", "codes").map(codes).unwrap_or_default();
    let messages = root.tables("message", "a message");
    if messages.is_empty() && !root.has("message") {
        root.faults().note(0, "a format without messages", "[[message]]");
    }
    let charset_or_any = charset.unwrap_or(Charset::Utf8);
    let messages =
        messages.into_iter().filter_map(|table| message(table, charset_or_any, &codes)).collect();
    root.finish();
    Some(FormatSpec { charset: charset?, limits: limits?, codes, messages })
}

fn charset(root: &Table<'_>) -> Option<Charset> {
    const KNOWN: [&str; 6] = ["GB18030", "GBK", "UTF-8", "ASCII", "cp936", "ms936"];
    let found = root.word("charset", &KNOWN, Charset::parse);
    if found.is_none() && !root.has("charset") {
        root.faults().note(0, "a format without charset", "charset = \"GB18030\"");
    }
    found.map(|found| found.value)
}

fn limits(table: Table<'_>) -> Option<Limits> {
    let rows_max = table.need_number("rows_max", "the most rows of one message");
    let amount = |key: &'static str, hint: &str| {
        let text = table.need_text(key, hint)?;
        let fen = Fen::parse_yuan(text.value).ok().filter(|fen| fen.is_positive());
        if fen.is_none() {
            table.faults().note(text.at, format!("{key}: expected yuan like \"9999.99\""), "");
        }
        fen
    };
    let amount_max = amount("amount_max", "the highest amount of one payment, in yuan");
    let sum_max = amount("sum_max", "the highest sum of one message, in yuan");
    let bytes_max = table.need_number("bytes_max", "the most bytes of one part");
    table.finish();
    Some(Limits {
        rows_max: rows_max?.value,
        amount_max: amount_max?,
        sum_max: sum_max?,
        bytes_max: bytes_max?.value,
    })
}

fn codes(table: Table<'_>) -> Vec<(usize, CodeTable)> {
    let mut tables = Vec::new();
    for (name, entries) in table.named("a code table") {
        let at = entries.at;
        let mut kind = None;
        let mut codes = BTreeMap::new();
        for (code, entry) in entries.named("a code") {
            let place = entry.at;
            let faults = entry.faults();
            let Some((found, meaning)) = meaning(entry) else { continue };
            if *kind.get_or_insert(found) != found {
                let hint = "answers, outcomes and notices each have their own table";
                faults.note(place, format!("codes.{name} mixes kinds of codes"), hint);
            }
            codes.insert(code.to_owned(), meaning);
        }
        if let Some(kind) = kind {
            tables.push((at, CodeTable { name: name.to_owned(), kind, codes }));
        } else if codes.is_empty() && entries.faults().is_empty() {
            entries.faults().note(at, format!("codes.{name} has no codes"), "");
        }
    }
    tables
}

/// One line of a code table.
fn meaning(entry: Table<'_>) -> Option<(TableKind, Meaning)> {
    let all = |words: &[&'static str]| words.to_vec();
    let answers: Vec<&str> = Answer::ALL.iter().map(|word| word.as_str()).collect();
    let answer = entry.word("answer", &answers, Answer::parse);
    let notices: Vec<&str> = NoticeState::ALL.iter().map(|word| word.as_str()).collect();
    let notice = entry.word("notice", &notices, NoticeState::parse);
    let outcomes = all(&["credited", "failed", "returned", "processing"]);
    let outcome = entry.word("outcome", &outcomes, |word| match word {
        "processing" => Some(None),
        _ => OutcomeKind::parse(word).map(Some),
    });
    let reasons: Vec<&str> = Reason::ALL.iter().map(|word| word.as_str()).collect();
    let reason = entry.word("reason", &reasons, Reason::parse);
    let text = entry.text("text");
    let meaning = match (answer, notice, outcome) {
        (Some(answer), None, None) => Some((TableKind::Answer, Meaning::Answer(answer.value))),
        (None, Some(notice), None) => Some((TableKind::Notice, Meaning::Notice(notice.value))),
        (None, None, Some(outcome)) => {
            let needs = matches!(outcome.value, Some(OutcomeKind::Failed | OutcomeKind::Returned));
            if needs != reason.is_some() {
                let what = if needs { "without its reason" } else { "with a reason" };
                let hint = "failed and returned have a reason, credited and processing none";
                entry.faults().note(outcome.at, format!("an outcome {what}"), hint);
            }
            let reason = reason.map(|found| found.value);
            let text = text.map(|found| found.value.to_owned());
            Some((TableKind::Outcome, Meaning::Outcome { outcome: outcome.value, reason, text }))
        }
        _ if ["answer", "notice", "outcome"].iter().filter(|key| entry.has(key)).count() == 1 => {
            None
        }
        _ => {
            entry.faults().note(entry.at, "a code says one of answer, outcome, notice", "");
            None
        }
    };
    entry.finish();
    meaning
}

fn message(
    table: Table<'_>,
    charset: Charset,
    codes: &[(usize, CodeTable)],
) -> Option<MessageSpec> {
    let at = table.at;
    let kinds: Vec<&str> = MessageKind::ALL.iter().map(|word| word.as_str()).collect();
    table.need_text("kind", "kind = \"payment_request\"");
    let kind = table.word("kind", &kinds, MessageKind::parse);
    let rows_min = table.number("rows_min");
    let parts = table.tables("part", "a part");
    if parts.is_empty() && !table.has("part") {
        table.faults().note(at, "a message without parts", "[[message.part]]");
    }
    let parts = parts.into_iter().filter_map(|table| part(table, charset, codes)).collect();
    table.finish();
    Some(MessageSpec { at, kind: kind?.value, rows_min, parts })
}

fn part(table: Table<'_>, charset: Charset, codes: &[(usize, CodeTable)]) -> Option<PartSpec> {
    let at = table.at;
    table.need_text("role", "role = \"data\", \"control\" or \"message\"");
    let roles: Vec<&str> = PartRole::ALL.iter().map(|word| word.as_str()).collect();
    let role = table.word("role", &roles, PartRole::parse);
    let name = table.text("name").and_then(|text| {
        let parsed = NamePattern::parse(text.value);
        let noted = |what| table.faults().note(text.at, format!("name: {what}"), "");
        parsed.map_err(noted).ok().map(|value| Found { at: text.at, value })
    });
    let committing = table.flag("committing").is_some_and(|found| found.value);
    table.need_text("layout", "layout = \"fixed\" or \"xml\"");
    let layout = table.word("layout", &["fixed", "xml"], |word| match word {
        "fixed" => Some(Layout::Fixed),
        "xml" => Some(Layout::Xml),
        _ => None,
    });
    let layout = layout?.value;
    let shape = match layout {
        Layout::Fixed => fixed(&table),
        Layout::Xml => xml(&table),
    };
    let records = table.tables("record", "a record");
    let records: Vec<RecordSpec> =
        records.into_iter().filter_map(|table| record(table, layout, charset, codes)).collect();
    table.finish();
    Some(PartSpec { at, role: role?.value, name, committing, layout: shape?, records })
}

fn fixed(table: &Table<'_>) -> Option<LayoutSpec> {
    table.need_text("line_end", "line_end = \"CRLF\", \"LF\", \"CR\" or \"none\"");
    let ends = ["CRLF", "LF", "CR", "none"];
    let line_end: Found<&'static [u8]> = table.word("line_end", &ends, |word| match word {
        "CRLF" => Some(&b"\r\n"[..]),
        "LF" => Some(b"\n"),
        "CR" => Some(b"\r"),
        "none" => Some(b""),
        _ => None,
    })?;
    Some(LayoutSpec::Fixed { line_end: line_end.value })
}

fn xml(table: &Table<'_>) -> Option<LayoutSpec> {
    let root = table.need_text("root", "root = \"the name of the outermost element\"");
    let rows = table.text("rows").and_then(|text| {
        let path = path(table, &text, false)?;
        Some(Found { at: text.at, value: path })
    });
    let ignore = table.texts("ignore").iter().filter_map(|text| path(table, text, true)).collect();
    let root = root.filter(|root| {
        let good = is_xml_name(root.value);
        if !good {
            table.faults().note(root.at, format!("{:?} is no element's name", root.value), "");
        }
        good
    })?;
    Some(LayoutSpec::Xml { root: root.value.to_owned(), rows, ignore })
}

/// A path of elements beneath the root (or beneath a row), at its end perhaps an `@attribute`.
fn path(table: &Table<'_>, text: &Found<&str>, attribute: bool) -> Option<Vec<String>> {
    let segments: Vec<String> = text.value.split('/').map(str::to_owned).collect();
    let last = segments.len() - 1;
    let good = |(at, segment): (usize, &String)| match segment.strip_prefix('@') {
        Some(name) => attribute && at == last && is_xml_name(name),
        None => is_xml_name(segment),
    };
    if segments.iter().enumerate().all(good) {
        return Some(segments);
    }
    let hint = "names with / between them, like Body/Row/Amount or Body/@count; no namespaces";
    table.faults().note(text.at, format!("{:?} is no path", text.value), hint);
    None
}

fn is_xml_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn record(
    table: Table<'_>,
    layout: Layout,
    charset: Charset,
    codes: &[(usize, CodeTable)],
) -> Option<RecordSpec> {
    let at = table.at;
    table.need_text("is", "is = \"head\", \"row\" or \"tail\"");
    let roles: Vec<&str> = RecordRole::ALL.iter().map(|word| word.as_str()).collect();
    let role = table.word("is", &roles, RecordRole::parse);
    let length = if layout == Layout::Fixed { table.number("length") } else { None };
    let fields = table.tables("fields", "a field");
    if fields.is_empty() && !table.has("fields") {
        table.faults().note(at, "a record without fields", "");
    }
    let fields =
        fields.into_iter().filter_map(|table| field(table, layout, charset, codes)).collect();
    table.finish();
    Some(RecordSpec { at, role: role?.value, length, fields })
}

fn field(
    table: Table<'_>,
    layout: Layout,
    charset: Charset,
    codes: &[(usize, CodeTable)],
) -> Option<FieldSpec> {
    let at = table.at;
    let cell = cell(&table, charset, codes);
    let place = match layout {
        Layout::Fixed => fixed_place(&table, cell.as_ref()),
        Layout::Xml => xml_place(&table),
    };
    table.finish();
    Some(FieldSpec { at, cell: cell?, place: place? })
}

/// What stands in the field and how it is spelled.
fn cell(table: &Table<'_>, charset: Charset, codes: &[(usize, CodeTable)]) -> Option<Cell> {
    let keys: Vec<&str> = Key::ALL.iter().map(|key| key.as_str()).collect();
    let key = table.word("key", &keys, Key::parse);
    let literal = table.text("literal");
    let computed = table.word("computed", &["data_sha256"], |w| (w == "data_sha256").then_some(()));
    let name = table.text("name").map(|found| found.value.to_owned());
    let optional = table.flag("optional").is_some_and(|found| found.value);
    let said = ["key", "literal", "computed"].iter().filter(|key| table.has(key)).count();
    if said != 1 {
        let hint = "a field is one of key = \"...\", literal = \"...\", computed = \"data_sha256\"";
        table.faults().note(table.at, "a field that does not say what stands in it", hint);
        return None;
    }
    if let Some(literal) = literal {
        let mut bytes = Vec::new();
        if let Err(character) = charset.encode_into(literal.value, &mut bytes) {
            let what = format!("U+{:04X} is not in {}", u32::from(character), charset.as_str());
            table.faults().note(literal.at, what, "");
        }
        let name = name.unwrap_or_else(|| "constant".to_owned());
        let bind = Bind::Literal { text: literal.value.to_owned(), bytes };
        return Some(Cell {
            name,
            bind,
            spelling: Spelling::Literal,
            optional: false,
            codes: None,
        });
    }
    if computed.is_some() {
        let name = name.unwrap_or_else(|| "data_sha256".to_owned());
        let bind = Bind::DataDigest;
        return Some(Cell { name, bind, spelling: Spelling::Digest, optional: false, codes: None });
    }
    let key = key?;
    let spelling = spelling(table, key.value)?;
    let codes = table.text("codes").and_then(|text| {
        let found = codes.iter().position(|(_, codes)| codes.name == text.value);
        if found.is_none() {
            table.faults().note(text.at, format!("there is no [codes.{}]", text.value), "");
        }
        found
    });
    let name = name.unwrap_or_else(|| key.value.as_str().to_owned());
    Some(Cell { name, bind: Bind::Key(key.value), spelling, optional, codes })
}

fn spelling(table: &Table<'_>, key: Key) -> Option<Spelling> {
    match key.kind() {
        ValueKind::Int => Some(Spelling::Int),
        ValueKind::Text => {
            let only = table.word("only", &["ascii", "digits"], |word| match word {
                "ascii" => Some(Only::Ascii),
                "digits" => Some(Only::Digits),
                _ => None,
            });
            Some(Spelling::Text(only.map_or(Only::Any, |found| found.value)))
        }
        ValueKind::Amount => {
            table.need_text("unit", "unit = \"fen\" or \"yuan\"; there is no default");
            let unit = table.word("unit", &["fen", "yuan"], |word| match word {
                "fen" => Some(Unit::Fen),
                "yuan" => Some(Unit::Yuan),
                _ => None,
            });
            let scale =
                table.need_number("scale", "scale = 2 (digits behind the point), 0 for fen");
            let point = table.flag("point");
            let (unit, scale) = (unit?.value, scale?);
            if scale.value > 2 || (unit == Unit::Fen && scale.value > 0) {
                let hint = "fen have scale 0, yuan at most 2";
                table.faults().note(scale.at, "there is no coin below the fen", hint);
                return None;
            }
            if (scale.value > 0) != point.is_some() {
                let hint = "point = true where a point is written, false where it is implied";
                table.faults().note(table.at, "scale and point do not fit together", hint);
            }
            let scale = u32::try_from(scale.value).ok()?;
            let point = point.is_some_and(|found| found.value);
            Some(Spelling::Amount { unit, scale, point })
        }
        ValueKind::Moment => {
            let text = table.need_text("pattern", "pattern = \"yyyyMMddHHmmss\"")?;
            let pieces = Piece::parse(text.value);
            if pieces.is_none() {
                let hint = "yyyy, MM, dd, HH, mm, ss and the signs - : / . T and blank";
                table.faults().note(text.at, format!("{:?} is no pattern", text.value), hint);
            }
            pieces.map(Spelling::Moment)
        }
    }
}

fn fixed_place(table: &Table<'_>, cell: Option<&Cell>) -> Option<Place> {
    let start = table.number("at");
    let width = table.number("width");
    let pad = table.text("pad");
    let side = table.word("side", &["left", "right"], |word| match word {
        "left" => Some(Side::Left),
        "right" => Some(Side::Right),
        _ => None,
    });
    let cell = cell?;
    // What always has one width needs no filling.
    let own = match (&cell.spelling, &cell.bind) {
        (Spelling::Literal, Bind::Literal { bytes, .. }) => Some(bytes.len()),
        (Spelling::Digest, _) => Some(64),
        (Spelling::Moment(pieces), _) => Some(pieces.iter().map(|piece| piece.width()).sum()),
        _ => None,
    };
    let exact = own.is_some() && width.as_ref().is_none_or(|width| Some(width.value) == own);
    let Some(width) = width.map(|found| found.value).or(own) else {
        table.faults().note(table.at, "a field without width", "width = 20 (bytes after encoding)");
        return None;
    };
    if !exact || cell.optional {
        for key in ["pad", "side"] {
            if !table.has(key) {
                let hint =
                    "pad = \" \" or \"0\"; side = where the value stands, \"left\" or \"right\"";
                table.faults().note(table.at, format!("a field without {key}"), hint);
            }
        }
    }
    let pad = match pad.as_ref().map(|pad| (pad.at, pad.value.as_bytes())) {
        None => b' ',
        Some((_, [byte @ (b' '..=b'~')])) => *byte,
        Some((at, _)) => {
            table.faults().note(at, "pad: expected one ASCII sign", "");
            b' '
        }
    };
    let side = side.map_or(Side::Left, |found| found.value);
    Some(Place::Fixed { start, width, pad, side })
}

fn xml_place(table: &Table<'_>) -> Option<Place> {
    let text = table.need_text("path", "path = \"Head/Reference\" or \"Rows/@count\"");
    let width_max = table.number("width_max").map(|found| found.value);
    let empty = table.flag("empty").is_some_and(|found| found.value);
    let path = path(table, &text?, true)?;
    Some(Place::Xml { path, width_max, empty })
}
