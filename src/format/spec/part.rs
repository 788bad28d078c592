//! Parts as a description writes them: their layout, what stands around them, their groups and
//! records.

use std::cell::RefCell;

use crate::format::charset::{Charset, Sign};
use crate::format::grammar::Occurs;
use crate::format::lines::delimited::{Delimited, Quote};
use crate::format::lines::{Block, Line, RecordRole};
use crate::format::name::NamePattern;
use crate::format::spec::mark::byte_order_mark;
use crate::format::spec::{
    GroupSpec, Layout, LayoutSpec, PartSpec, RecordSpec, Scope, TallySpec, XmlSpec, cell, charset,
    field,
};
use crate::format::table::{Found, Table};
use crate::format::words::PartRole;
use crate::format::xml::path::{Step, steps};

/// The most bytes of a line whose fields have no widths, where the description names none.
const LINE_BYTES: usize = 16 * 1024;

/// The most records, and groups, of one part: a bank's have a dozen, and what may follow what is
/// worked out for each.
const RECORDS_MAX: usize = 128;

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
    let optional = table.flag("optional").is_some_and(|found| found.value);
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
    // What stands in a document in UTF-16 is put together in UTF-8, whose signs are bytes.
    let wide = matches!(scope.charset, Charset::Utf16Be | Charset::Utf16Le);
    let spelled = Some(scope.charset).filter(|_| wide && layout == Layout::Xml);
    let whole = scope.charset;
    let scope = &Scope { charset: spelled.map_or(whole, |_| Charset::Utf8), ..*scope };
    let shape = match layout {
        Layout::Fixed | Layout::Characters => fixed(&table, scope.charset),
        Layout::Delimited => delimited(&table, scope.charset),
        Layout::Tagged => tagged(&table, scope.charset),
        Layout::Xml => xml(&table, spelled),
    };
    let layout = match &shape {
        Some(LayoutSpec::Fixed { characters: true, .. }) => Layout::Characters,
        _ => layout,
    };
    let tallies = RefCell::new(Vec::new());
    let frame = table.table("frame", "a frame").map(|table| {
        let frame_tallies = RefCell::new(Vec::new());
        record(table, Layout::Fixed, scope, &frame_tallies, 0, true)
    });
    let frame = byte_order_mark(&table, whole, frame.is_some()).or(frame);
    let groups = table.tables("group", "a group").into_iter();
    let mut groups: Vec<GroupSpec> = groups.filter_map(|table| group(table, layout)).collect();
    let records = table.tables("record", "a record");
    for (count, what) in [(records.len(), "records"), (groups.len(), "groups")] {
        if count > RECORDS_MAX {
            let told = format!("{count} {what} in one part");
            table.faults().note(at, told, format!("at most {RECORDS_MAX}"));
        }
    }
    groups.truncate(RECORDS_MAX);
    let records = records.into_iter().enumerate().take(RECORDS_MAX);
    let mut records: Vec<RecordSpec> =
        records.map(|(at, table)| record(table, layout, scope, &tallies, at, false)).collect();
    for record in records.iter_mut().filter(|_| layout == Layout::Xml) {
        own_element(record, &mut groups);
    }
    table.finish();
    let tallies: Vec<TallySpec> = tallies.into_inner();
    Some(PartSpec {
        at,
        role: role?.value,
        name,
        committing,
        optional,
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
    let ends = ["CRLF", "LF", "CR", "NL", "none", "or signs like \"'\" or \"~\\n\""];
    let signs = table.text("line_end").map_or("", |found| found.value);
    // Signs stand for themselves; a word that is none of these is a slip.
    let own =
        !signs.is_empty() && signs.bytes().all(|b| b.is_ascii() && !b.is_ascii_alphanumeric());
    let end: Found<&str> = table.word("line_end", &ends, |word| match word {
        "CRLF" => Some("\r\n"),
        "LF" => Some("\n"),
        "CR" => Some("\r"),
        "NL" => Some(NEW_LINE),
        "none" => Some(""),
        _ if own => Some(signs),
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
        let Some(fill) = fill else {
            table.finish();
            return None;
        };
        let sign = match fill.value.as_bytes() {
            [byte @ b' '..=b'~'] => charset.sign(*byte),
            _ => None,
        };
        if sign.is_none() {
            let hint = "fill = \"9\"";
            table.faults().note(fill.at, "fill: expected one ASCII sign", hint);
        }
        table.finish();
        Some(Block { lines: lines?.value.max(1), fill: sign? })
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
    Some(Line { end: bytes, last_open, short: false, file_end, block })
}

fn fixed(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let widths = table.word("widths", &["bytes", "characters"], |word| match word {
        "bytes" => Some(false),
        "characters" => Some(true),
        _ => None,
    });
    let characters = widths.is_some_and(|found| found.value);
    let short = table.flag("short").filter(|found| found.value);
    let mut line = line(table, charset)?;
    line.short = short.is_some();
    if let Some(short) = short
        && (line.end.is_empty() || line.block.is_some() || !charset.has_ascii())
    {
        let hint = "short = true where lines have an end, stand in no block, and blanks are those of ASCII";
        table.faults().note(short.at, "short: the end of a line would not be known", hint);
    }
    Some(LayoutSpec::Fixed { line, characters })
}

fn line_max(table: &Table<'_>) -> usize {
    table.number("line_max").map_or(LINE_BYTES, |found| found.value)
}

fn delimited(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let hint = "separator = \"|\", or \"blanks\" where any number of blanks separates";
    let separator = table.need_text("separator", hint);
    let one = |key: &str, text: &Found<&str>| {
        let sign = match text.value.as_bytes() {
            [byte @ (b' '..=b'~' | b'\t')] => charset.sign(*byte),
            _ => None,
        };
        if sign.is_none() {
            let what = format!("{key}: expected one ASCII sign");
            table.faults().note(text.at, what, hint);
        }
        sign
    };
    let quote = table.text("quote").and_then(|text| one("quote", &text));
    let always = table.word("quoting", &["needed", "always"], |word| match word {
        "needed" => Some(false),
        "always" => Some(true),
        _ => None,
    });
    let trailing = table.flag("trailing").is_some_and(|found| found.value);
    let escape = table.text("escape").and_then(|text| Some((text.at, one("escape", &text)?)));
    let inner = table.text("inner").and_then(|text| Some((text.at, one("inner", &text)?)));
    let short = table.flag("short").is_some_and(|found| found.value);
    let line_max = line_max(table);
    let line = line(table, charset);
    let separator = separator?;
    let blanks = separator.value == "blanks";
    let sign = if blanks { Sign::byte(b' ') } else { one("separator", &separator)? };
    let line = line?;
    if blanks && !charset.has_ascii() {
        let hint = "a separator of one sign; blanks and tabs together separate where they are those of ASCII";
        table.faults().note(separator.at, "blanks separate in a charset without ASCII", hint);
    }
    if line.end.is_empty() {
        let hint = "line_end = \"LF\" or \"CRLF\"";
        table.faults().note(table.at, "delimited records need a line end", hint);
    }
    let always = always.is_some_and(|found| found.value);
    let quote = quote.map(|sign| Quote { sign, always });
    let end = charset.first_sign(&line.end).unwrap_or(Sign::byte(0));
    if let Some((at, escape)) = escape
        && (quote.is_some() || blanks || [sign, end].contains(&escape))
    {
        let hint = "a sign of its own before separators, in a part without quotes and blanks";
        table.faults().note(at, "escape: this sign says something else already", hint);
    }
    if short && (trailing || blanks) {
        let hint = "short = true where the last fields of a line may be left out, with what separates them";
        table.faults().note(table.at, "short: the end of a line would not be known", hint);
    }
    let escape = escape.map(|(_, sign)| sign);
    if let Some((at, inner)) = inner
        && (quote.is_some() || blanks || [sign, end].contains(&inner) || escape == Some(inner))
    {
        let hint = "a sign of its own inside columns, in a part without quotes and blanks";
        table.faults().note(at, "inner: this sign says something else already", hint);
    }
    let inner = inner.map(|(_, sign)| sign);
    let delimited =
        Delimited { separator: sign, blanks, quote, escape, inner, end, trailing, short };
    Some(LayoutSpec::Delimited { line, delimited, line_max })
}

fn tagged(table: &Table<'_>, charset: Charset) -> Option<LayoutSpec> {
    let line_max = line_max(table);
    Some(LayoutSpec::Tagged { line: line(table, charset)?, line_max })
}

fn xml(table: &Table<'_>, respelled: Option<Charset>) -> Option<LayoutSpec> {
    let root = table.need_text("root", "root = \"the name of the outermost element\"");
    let namespace = table.text("namespace").map(|found| found.value.to_owned());
    let prefixes = table.table("prefixes", "a list of prefixes").map(|list| list.pairs());
    let prefixes = prefixes.unwrap_or_default().into_iter();
    let prefixes = prefixes.map(|(prefix, uri)| (prefix.to_owned(), uri.value.to_owned()));
    let prefixes = prefixes.collect();
    let encoding = table.text("encoding").map(|found| found.value.to_owned());
    let declaration = table.flag("declaration").is_none_or(|found| found.value);
    let standalone = table.flag("standalone").map(|found| found.value);
    let any_order = table.word("order", &["fixed", "any"], |word| match word {
        "fixed" => Some(false),
        "any" => Some(true),
        _ => None,
    });
    let empty = table.flag("empty").is_some_and(|found| found.value);
    let ignore = ignore(table);
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
    Some(LayoutSpec::Xml(XmlSpec {
        at: table.at,
        root: root.value.to_owned(),
        respelled,
        namespace,
        prefixes,
        encoding,
        declaration,
        standalone,
        any_order: any_order.is_some_and(|found| found.value),
        empty,
        ignore,
    }))
}

/// What a path may end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathEnd {
    Element,
    Attribute,
    /// Also `*` or `@*`, for whatever is not named.
    Others,
}

fn ignore(table: &Table<'_>) -> Vec<Found<Vec<String>>> {
    let found = |text: &Found<&str>| {
        let value = path(table, text, PathEnd::Others)?;
        Some(Found { at: text.at, value })
    };
    table.texts("ignore").iter().filter_map(found).collect()
}

/// A path of elements beneath the root (or beneath a group), at its end perhaps an `@attribute`.
pub(super) fn path(table: &Table<'_>, text: &Found<&str>, end: PathEnd) -> Option<Vec<String>> {
    let segments: Vec<String> = steps(text.value).into_iter().map(str::to_owned).collect();
    let last = segments.len() - 1;
    let good = |(at, segment): (usize, &String)| match segment.as_str() {
        "*" | "@*" => at == last && end == PathEnd::Others,
        name => match name.strip_prefix('@') {
            Some(name) => end != PathEnd::Element && at == last && is_xml_name(name),
            None => Step::parse(name).is_some_and(|step| {
                // What is passed over is so whatever its attributes say.
                let by = step.by.is_none_or(|(attribute, _)| is_xml_name(attribute));
                let named = step.by.is_none() || at < last || end != PathEnd::Others;
                is_xml_name(step.name) && by && named
            }),
        },
    };
    if segments.iter().enumerate().all(good) {
        return Some(segments);
    }
    let hint =
        "names with / between them, like Body/Row/Amount, Body/@count or data[@name='NO']/field";
    table.faults().note(text.at, format!("{:?} is no path", text.value), hint);
    None
}

/// A name, perhaps behind a prefix.
fn is_xml_name(name: &str) -> bool {
    let simple = |name: &str| {
        let first = name.chars().next();
        first.is_some_and(|c| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '·'))
    };
    name.split_once(':')
        .map_or_else(|| simple(name), |(prefix, local)| simple(prefix) && simple(local))
}

/// A record with a path is the only one of a group that has this element.
fn own_element(record: &mut RecordSpec, groups: &mut Vec<GroupSpec>) {
    let Some(path) = record.path.take() else {
        // Its group repeats, with the element.
        if record.inside.is_some() {
            record.occurs.get_or_insert(Occurs::ONE);
        }
        return;
    };
    let row = record.role == Some(RecordRole::Row);
    let usual = if row { Occurs::ANY } else { Occurs::ONE };
    groups.push(GroupSpec {
        at: record.at,
        name: record.name.clone(),
        inside: record.inside.take(),
        occurs: record.occurs.take().unwrap_or(usual),
        row,
        path: Some(path),
        ignore: std::mem::take(&mut record.ignore),
    });
    record.inside = Some(Found { at: record.at, value: record.name.clone() });
    record.occurs = Some(Occurs::ONE);
}

fn occurs(table: &Table<'_>) -> Option<Found<Occurs>> {
    table.word("occurs", &["1", "0..1", "1..n", "0..n", "bounds like 0..3"], Occurs::parse)
}

fn inside(table: &Table<'_>) -> Option<Found<String>> {
    table.text("in").map(|found| Found { at: found.at, value: found.value.to_owned() })
}

fn group(table: Table<'_>, layout: Layout) -> Option<GroupSpec> {
    let at = table.at;
    let name = table.need_text("name", "name = \"batch\"");
    let inside = inside(&table);
    let occurs = occurs(&table);
    let row = table.word("is", &["row"], |word| (word == "row").then_some(()));
    let (path, ignore) = element(&table, layout);
    if layout == Layout::Xml && !table.has("path") {
        let hint = "path = \"Body/Row\": the elements down to its own";
        table.faults().note(at, "a group of a document without its element", hint);
    }
    table.finish();
    let occurs = occurs.map_or(Occurs::ANY, |found| found.value);
    Some(GroupSpec {
        at,
        name: name?.value.to_owned(),
        inside,
        occurs,
        row: row.is_some(),
        path,
        ignore,
    })
}

type Ignored = Vec<Found<Vec<String>>>;

/// The element of a group or record in a document, and what is passed over in it.
fn element(table: &Table<'_>, layout: Layout) -> (Option<Found<Vec<String>>>, Ignored) {
    if layout != Layout::Xml {
        return (None, Vec::new());
    }
    let found = table.text("path").and_then(|text| {
        let value = path(table, &text, PathEnd::Element)?;
        Some(Found { at: text.at, value })
    });
    (found, ignore(table))
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
        (inside(&table), occurs(&table), cell::when(&table, scope, "when"))
    };
    let otherwise = if matches!(layout, Layout::Tagged | Layout::Xml) || frame {
        None
    } else {
        table.flag("otherwise").filter(|found| found.value).map(|found| found.at)
    };
    let (path, ignore) = if frame { (None, Vec::new()) } else { element(&table, layout) };
    let length = if matches!(layout, Layout::Fixed | Layout::Characters) {
        table.number("length")
    } else {
        None
    };
    let fields = table.tables("fields", "a field");
    if fields.is_empty() && !table.has("fields") {
        table.faults().note(
            at,
            "a record without fields",
            "fields = [ { key = \"reference\", width = 32, pad = \" \", side = \"left\" } ]",
        );
    }
    let given = fields.len();
    let fields = fields.into_iter();
    let fields: Vec<_> =
        fields.filter_map(|table| field::field(table, layout, scope, tallies)).collect();
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
        otherwise,
        length,
        path,
        ignore,
        whole: fields.len() == given,
        fields,
    }
}
