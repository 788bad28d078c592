//! Parts as a description writes them: their layout, what stands around them, their groups and
//! records.

use std::cell::RefCell;

use crate::format::charset::Charset;
use crate::format::grammar::Occurs;
use crate::format::lines::delimited::{Delimited, Quote};
use crate::format::lines::{Block, Line, RecordRole};
use crate::format::name::NamePattern;
use crate::format::spec::{
    GroupSpec, Layout, LayoutSpec, PartSpec, RecordSpec, Scope, TallySpec, cell, charset, field,
};
use crate::format::table::{Found, Table};
use crate::format::words::PartRole;

/// The most bytes of a line whose fields have no widths, where the description names none.
const LINE_BYTES: usize = 16 * 1024;

/// The line end of EBCDIC, 15, which Unicode calls U+0085.
const NEW_LINE: &str = "\u{85}";

pub(super) fn part(table: Table<'_>, scope: &Scope<'_>) -> Option<PartSpec> {
    let at = table.at;
    let roles: Vec<&str> = PartRole::ALL.iter().map(|word| word.as_str()).collect();
    table.need_text("role", &format!("role = one of {}", roles.join(", ")));
    let role = table.word("role", &roles, PartRole::parse);
    let name = table.text("name").and_then(|text| {
        let parsed = NamePattern::parse(text.value);
        let noted = |what| {
            let hint = "name = \"DF{reference}[_{serial}].txt\"";
            table.faults().note(text.at, format!("name: {what}"), hint);
        };
        parsed.map_err(noted).ok().map(|value| Found { at: text.at, value })
    });
    let committing = table.flag("committing").is_some_and(|found| found.value);
    let own_charset = charset(&table);
    let scope = &Scope { charset: own_charset.unwrap_or(scope.charset), ..*scope };
    table.need_text("layout", "layout = \"fixed\", \"delimited\", \"tagged\" or \"xml\"");
    let layouts = ["fixed", "delimited", "tagged", "xml"];
    let layout = table.word("layout", &layouts, |word| match word {
        "fixed" => Some(Layout::Fixed),
        "delimited" => Some(Layout::Delimited),
        "tagged" => Some(Layout::Tagged),
        "xml" => Some(Layout::Xml),
        _ => None,
    });
    let layout = layout?.value;
    let shape = match layout {
        Layout::Fixed => fixed(&table, scope.charset),
        Layout::Delimited => delimited(&table, scope.charset),
        Layout::Tagged => tagged(&table, scope.charset),
        Layout::Xml => xml(&table),
    };
    let tallies = RefCell::new(Vec::new());
    let frame = table.table("frame", "a frame").map(|table| {
        let frame_tallies = RefCell::new(Vec::new());
        record(table, Layout::Fixed, scope, &frame_tallies, 0, true)
    });
    let groups = if layout == Layout::Xml {
        Vec::new()
    } else {
        table.tables("group", "a group").into_iter().filter_map(group).collect()
    };
    let records = table.tables("record", "a record").into_iter().enumerate();
    let records: Vec<RecordSpec> =
        records.map(|(at, table)| record(table, layout, scope, &tallies, at, false)).collect();
    table.finish();
    let tallies: Vec<TallySpec> = tallies.into_inner();
    Some(PartSpec {
        at,
        role: role?.value,
        name,
        committing,
        charset: scope.charset,
        frame,
        layout: shape?,
        groups,
        records,
        tallies,
    })
}

/// How lines end, and the part.
fn line(table: &Table<'_>, charset: Charset) -> Option<Line> {
    table.need_text("line_end", "line_end = \"CRLF\", \"LF\", \"CR\", \"NL\" or \"none\"");
    let ends = ["CRLF", "LF", "CR", "NL", "none"];
    let end: Found<&str> = table.word("line_end", &ends, |word| match word {
        "CRLF" => Some("\r\n"),
        "LF" => Some("\n"),
        "CR" => Some("\r"),
        "NL" => Some(NEW_LINE),
        "none" => Some(""),
        _ => None,
    })?;
    let last = table.flag("last_line_end");
    if let Some(last) = last.as_ref().filter(|_| end.value.is_empty()) {
        table.faults().note(
            last.at,
            "there are no line ends that the last could have",
            "take last_line_end out, or say which line_end there is",
        );
    }
    let file_end = table.text("file_end").map_or(Vec::new(), |text| {
        let mut bytes = Vec::new();
        charset.ascii_into(text.value.as_bytes(), &mut bytes);
        bytes
    });
    let block = table.table("block", "a block").and_then(|table| {
        let lines = table.need_number("lines", "lines = 10: the file is filled up to a multiple");
        let fill = table.need_text("fill", "fill = \"9\"");
        table.finish();
        let fill = match fill?.value.as_bytes() {
            [byte @ b' '..=b'~'] => *byte,
            _ => return None,
        };
        Some(Block { lines: lines?.value.max(1), fill })
    });
    let mut bytes = Vec::new();
    if end.value == NEW_LINE {
        // Hosts with EBCDIC have a sign of their own for the end of a line.
        if !charset.is_ebcdic() {
            let hint = "line_end = \"LF\"";
            table.faults().note(end.at, "NL is a line end of EBCDIC alone", hint);
        }
        bytes.push(0x15);
    } else {
        charset.ascii_into(end.value.as_bytes(), &mut bytes);
    }
    let last_open = !end.value.is_empty() && last.is_some_and(|found| !found.value);
    Some(Line { end: bytes, last_open, file_end, block })
}

fn fixed(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let widths = table.word("widths", &["bytes", "characters"], |word| match word {
        "bytes" => Some(false),
        "characters" => Some(true),
        _ => None,
    });
    let characters = widths.is_some_and(|found| found.value);
    Some(LayoutSpec::Fixed { line: line(table, charset)?, characters })
}

fn line_max(table: &Table<'_>) -> usize {
    table.number("line_max").map_or(LINE_BYTES, |found| found.value)
}

fn delimited(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let hint = "separator = \"|\", or \"blanks\" where any number of blanks separates";
    let separator = table.need_text("separator", hint);
    let one = |key: &str, text: &Found<&str>| {
        if let [byte @ (b' '..=b'~' | b'\t')] = text.value.as_bytes() {
            Some(*byte)
        } else {
            table.faults().note(text.at, format!("{key}: expected one ASCII sign"), hint);
            None
        }
    };
    let quote = table.text("quote").and_then(|text| one("quote", &text));
    let always = table.word("quoting", &["needed", "always"], |word| match word {
        "needed" => Some(false),
        "always" => Some(true),
        _ => None,
    });
    let trailing = table.flag("trailing").is_some_and(|found| found.value);
    let line_max = line_max(table);
    let line = line(table, charset);
    let separator = separator?;
    let blanks = separator.value == "blanks";
    let sign = if blanks { b' ' } else { one("separator", &separator)? };
    let line = line?;
    if !charset.has_ascii() {
        let hint = "layout = \"fixed\"";
        table.faults().note(table.at, "delimited records need a charset that has ASCII", hint);
    }
    if line.end.is_empty() {
        let hint = "line_end = \"LF\" or \"CRLF\"";
        table.faults().note(table.at, "delimited records need a line end", hint);
    }
    let always = always.is_some_and(|found| found.value);
    let quote = quote.map(|sign| Quote { sign, always });
    let delimited = Delimited { separator: sign, blanks, quote, trailing };
    Some(LayoutSpec::Delimited { line, delimited, line_max })
}

fn tagged(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let line_max = line_max(table);
    if !charset.has_ascii() {
        let hint = "layout = \"fixed\"";
        table.faults().note(table.at, "tagged records need a charset that has ASCII", hint);
    }
    Some(LayoutSpec::Tagged { line: line(table, charset)?, line_max })
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
            table.faults().note(
                root.at,
                format!("{:?} is no element's name", root.value),
                "letters, digits, _ - and ., without < and >",
            );
        }
        good
    })?;
    Some(LayoutSpec::Xml { root: root.value.to_owned(), rows, ignore })
}

/// A path of elements beneath the root (or beneath a row), at its end perhaps an `@attribute`.
pub(super) fn path(table: &Table<'_>, text: &Found<&str>, attribute: bool) -> Option<Vec<String>> {
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

fn occurs(table: &Table<'_>) -> Option<Found<Occurs>> {
    table.word("occurs", &["1", "0..1", "1..n", "0..n"], Occurs::parse)
}

fn inside(table: &Table<'_>) -> Option<Found<String>> {
    table.text("in").map(|found| Found { at: found.at, value: found.value.to_owned() })
}

fn group(table: Table<'_>) -> Option<GroupSpec> {
    let at = table.at;
    let name = table.need_text("name", "name = \"batch\"");
    let inside = inside(&table);
    let occurs = occurs(&table);
    let row = table.word("is", &["row"], |word| (word == "row").then_some(()));
    table.finish();
    let occurs = occurs.map_or(Occurs { optional: true, many: true }, |found| found.value);
    Some(GroupSpec { at, name: name?.value.to_owned(), inside, occurs, row: row.is_some() })
}

fn record(
    table: Table<'_>,
    layout: Layout,
    scope: &Scope<'_>,
    tallies: &RefCell<Vec<TallySpec>>,
    index: usize,
    frame: bool,
) -> RecordSpec {
    let at = table.at;
    let roles: Vec<&str> = RecordRole::ALL.iter().map(|word| word.as_str()).collect();
    let role = if frame { None } else { table.word("is", &roles, RecordRole::parse) };
    let name = if frame { None } else { table.text("name").map(|found| found.value.to_owned()) };
    if role.is_none() && name.is_none() && !frame && !table.has("is") {
        let hint = "is = \"head\", \"row\" or \"tail\", or a name = \"...\" of its own";
        table.faults().note(at, "a record that does not say what it is", hint);
    }
    let (inside, occurs, when) = if frame {
        (None, None, None)
    } else {
        (inside(&table), occurs(&table), cell::when(&table, scope))
    };
    let length = if layout == Layout::Fixed { table.number("length") } else { None };
    let fields = table.tables("fields", "a field");
    if fields.is_empty() && !table.has("fields") {
        table.faults().note(
            at,
            "a record without fields",
            "fields = [ { key = \"reference\", width = 32, pad = \" \", side = \"left\" } ]",
        );
    }
    let fields = fields
        .into_iter()
        .filter_map(|table| field::field(table, layout, scope, tallies))
        .collect();
    table.finish();
    let own = if frame { "frame".to_owned() } else { format!("record {}", index + 1) };
    let name = name.or_else(|| role.as_ref().map(|role| role.value.as_str().to_owned()));
    RecordSpec {
        at,
        name: name.unwrap_or(own),
        role: role.map(|found| found.value),
        inside,
        occurs: occurs.map(|found| found.value),
        when,
        length,
        fields,
    }
}
