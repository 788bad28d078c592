//! The language of `format.toml`, version 1: what a description may say, read with the place of
//! everything it says. Whether it makes sense as a whole is for `check` and `plan`.

mod codes;
mod field;

use crate::format::Limits;
use crate::format::cell::Cell;
use crate::format::charset::Charset;
use crate::format::codes::CodeTable;
use crate::format::name::NamePattern;
use crate::format::table::{Found, Table};
use crate::format::words::{MessageKind, PartRole};
use crate::model::money::Fen;
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
    let codes = root.table("codes", "codes").as_ref().map(codes::codes).unwrap_or_default();
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
    let fields = fields
        .into_iter()
        .filter_map(|table| field::field(table, layout, charset, codes))
        .collect();
    table.finish();
    Some(RecordSpec { at, role: role?.value, length, fields })
}
