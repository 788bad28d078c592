//! A description as a document for people: tables that a bank's staff can hold against their own
//! interface document, and sign.
//!
//! It is made from what was written down (`spec`), not from the compiled plan: it must say what the
//! author said, in the author's order.

mod field;
mod meaning;

use std::fmt::Write;

use toml::de::DeTable;

use crate::format::Format;
use crate::format::charset::Charset;
use crate::format::codes::{CodeTable, Meaning, TableKind};
use crate::format::explain::field::Column;
use crate::format::grammar::Occurs;
use crate::format::lines::{Line, RecordRole};
use crate::format::spec::{self, FormatSpec, LayoutSpec, MessageSpec, PartSpec};
use crate::format::table::{Faults, Table};
use crate::format::words::PartRole;

impl Format {
    /// The description as Markdown.
    ///
    /// # Errors
    /// Never: what is written is kept in memory.
    pub fn explain(&self) -> Result<String, std::fmt::Error> {
        let faults = Faults::of(self.text());
        let (root, _) = DeTable::parse_recoverable(self.text());
        // A format that was compiled is one that can be read.
        let spec = spec::read(Table::new(&faults, root.get_ref(), 0, "a format"));
        let mut out = String::new();
        if let Some(spec) = spec {
            document(self, &spec, &mut out)?;
        }
        Ok(out)
    }
}

/// A text in a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A text between back quotes, as it is spelled. A blank that Markdown would swallow is shown as `␣`, and what
/// shows nothing as it stands in a description.
fn quoted(text: &str) -> String {
    let blanks = text.chars().filter(|sign| *sign == ' ').count();
    if blanks == text.len() && blanks > 1 {
        return format!("{blanks} blanks");
    }
    let mut shown = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    let mut after_blank = true;
    while let Some(sign) = signs.next() {
        let swallowed = after_blank || signs.peek().is_none_or(|next| *next == ' ');
        match sign {
            ' ' if swallowed => shown.push('␣'),
            '|' => shown.push_str("\\|"),
            sign if sign.is_control() => shown.extend(sign.escape_default()),
            sign => shown.push(sign),
        }
        after_blank = sign == ' ';
    }
    if shown.contains('`') { format!("`` {shown} ``") } else { format!("`{shown}`") }
}

fn document(format: &Format, spec: &FormatSpec, out: &mut String) -> std::fmt::Result {
    let about = &spec.about;
    let hex: String = format.digest().iter().fold(String::new(), |hex, b| format!("{hex}{b:02x}"));
    let status = if about.is_example {
        "example: a shape with invented codes, no bank's real interface"
    } else {
        "a bank's interface"
    };
    let limits = &spec.limits;
    writeln!(out, "# {}\n", about.title)?;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| format | {} |", quoted(format.name()))?;
    writeln!(out, "| status | {status} |")?;
    writeln!(out, "| source | {} |", escaped(&about.source))?;
    writeln!(out, "| payments in one message | at most {} |", limits.rows_max)?;
    writeln!(out, "| amount of one payment | at most {} yuan |", limits.amount_max.yuan())?;
    writeln!(out, "| sum of one message | at most {} yuan |", limits.sum_max.yuan())?;
    writeln!(out, "| size of one part | at most {} bytes |", limits.bytes_max)?;
    if let Some(cut_off) = limits.cut_off {
        writeln!(out, "| taken in on a day | until {cut_off} |")?;
    }
    writeln!(out, "| SHA-256 of `format.toml` | `{hex}` |\n")?;
    writeln!(out, "## Messages\n")?;
    writeln!(
        out,
        "| message | direction | what it is for | parts, in the order of handing over |"
    )?;
    writeln!(out, "|---|---|---|---|")?;
    for message in &spec.messages {
        let (direction, purpose) = meaning::message(message.kind);
        let parts: Vec<String> = message.parts.iter().map(part_name).collect();
        let parts = parts.join(", then ");
        writeln!(out, "| {} | {direction} | {purpose} | {parts} |", message.kind)?;
    }
    for message in &spec.messages {
        self::message(spec, message, out)?;
    }
    for (_, table) in &spec.codes {
        codes(table, out)?;
    }
    writeln!(out, "\n## Agreed\n\n| for | name | date | signature |\n|---|---|---|---|")?;
    writeln!(out, "| the bank | | | |\n| the disbursing side | | | |")
}

fn part_name(part: &PartSpec) -> String {
    match &part.name {
        Some(name) => format!("{} file {}", part.role, quoted(&name.value.pattern())),
        None => format!("{} without a file name", part.role),
    }
}

fn message(spec: &FormatSpec, message: &MessageSpec, out: &mut String) -> std::fmt::Result {
    let (direction, purpose) = meaning::message(message.kind);
    writeln!(out, "\n## {}\n\nGoes {direction}: {purpose}.", message.kind)?;
    if message.has_rows() {
        let least = message.rows_min.as_ref().map_or(1, |found| found.value);
        writeln!(out, "It holds {least} to {} payments.", spec.limits.rows_max)?;
        if let Some(by) = &message.matching {
            let by: Vec<String> = by.value.iter().map(|key| format!("`{key}`")).collect();
            let by = by.join(", ");
            writeln!(
                out,
                "A row is about the payment with the same {by}; no batch holds two of them."
            )?;
        }
        if message.bare.is_some() {
            let told = "it counts only where it is about the whole batch";
            writeln!(out, "A row tells its payment by the place in the batch alone: {told}.")?;
        }
        if message.failures_only {
            let told = "are credited if `credited_count` and `credited_sum` say so";
            writeln!(out, "It lists the payments that failed, and no others: those {told}.")?;
        }
    }
    for part in &message.parts {
        self::part(spec, part, message.parts.len() > 1, out)?;
    }
    Ok(())
}

fn part(spec: &FormatSpec, part: &PartSpec, several: bool, out: &mut String) -> std::fmt::Result {
    let name = part.name.as_ref().map(|name| name.value.pattern());
    let name = name.map_or_else(|| "no file".to_owned(), |name| format!("file `{name}`"));
    writeln!(out, "\n### The {} part: {name}\n", part.role)?;
    writeln!(out, "{} Character set: {}.", layout(part), spelled(part).as_str())?;
    if part.committing && several {
        writeln!(out, "It is handed over last: that is what makes the others count.")?;
    }
    if part.optional {
        writeln!(out, "It is left out where there are no payments.")?;
    }
    if part.role == PartRole::Trigger && part.records.is_empty() {
        writeln!(out, "It is empty.")?;
    }
    for group in &part.groups {
        let inside = group.inside.as_ref().map_or_else(
            || "the part".to_owned(),
            |inside| format!("the group {}", quoted(&inside.value)),
        );
        let row = if group.row { "; its records together are one payment" } else { "" };
        let often = often(group.occurs);
        let element = group.path.as_ref().map_or_else(String::new, |path| {
            format!(" (element {})", quoted(&path.value.join("/")))
        });
        writeln!(out, "\nGroup {}{element}: {often} in {inside}{row}.", quoted(&group.name))?;
    }
    if let Some(frame) = &part.frame {
        writeln!(out, "\n#### Frame in front of the body\n")?;
        field::table(spec, part, frame, Column::Position, out)?;
    }
    for record in &part.records {
        let inside = record.inside.as_ref();
        let inside =
            inside.map_or_else(String::new, |group| format!(", in group {}", quoted(&group.value)));
        let what = match (record.role, part.is_of_row(record)) {
            (Some(RecordRole::Row), _) => "one payment",
            (_, true) => "a record of a payment",
            (Some(RecordRole::Head), _) => "the head",
            (Some(RecordRole::Tail), _) => "the tail",
            (None, false) => "a record",
        };
        let occurs = record.occurs.unwrap_or(match record.role {
            Some(RecordRole::Row) => Occurs::ANY,
            _ => Occurs::ONE,
        });
        let often = often(occurs);
        writeln!(out, "\n#### Record {}: {what}, {often}{inside}\n", quoted(&record.name))?;
        if let Some(when) = &record.when {
            writeln!(out, "It stands only {}.\n", field::condition(spec, when))?;
        }
        if record.otherwise.is_some() {
            writeln!(out, "It stands where none of the other records begins.\n")?;
        }
        field::table(spec, part, record, column(&part.layout), out)?;
    }
    Ok(())
}

fn often(occurs: Occurs) -> String {
    match (occurs.least, occurs.most) {
        (1, 1) => "once".to_owned(),
        (0, 1) => "once or not at all".to_owned(),
        (1, usize::MAX) => "once or more often".to_owned(),
        (0, usize::MAX) => "any number of times".to_owned(),
        (0, most) => format!("up to {most} times"),
        (least, usize::MAX) => format!("{least} times or more often"),
        (least, most) if least == most => format!("{least} times"),
        (least, most) => format!("{least} to {most} times"),
    }
}

const fn column(layout: &LayoutSpec) -> Column {
    match layout {
        LayoutSpec::Fixed { characters, .. } => {
            if *characters {
                Column::Character
            } else {
                Column::Position
            }
        }
        LayoutSpec::Delimited { .. } => Column::Number,
        LayoutSpec::Tagged { .. } => Column::Tag,
        LayoutSpec::Xml { .. } => Column::Path,
    }
}

/// The character set that the bank sees.
fn spelled(part: &PartSpec) -> Charset {
    match &part.layout {
        LayoutSpec::Xml(xml) => xml.respelled.unwrap_or(part.charset),
        _ => part.charset,
    }
}

/// What holds for all records of a part.
fn layout(part: &PartSpec) -> String {
    match &part.layout {
        LayoutSpec::Fixed { line, characters } => {
            let unit = if *characters { "characters" } else { "bytes after encoding" };
            format!(
                "Records in fixed width; positions and widths are {unit}. {}",
                lines(line, part.charset)
            )
        }
        LayoutSpec::Delimited { line, delimited, line_max } => {
            let separator = match delimited.separator.character {
                _ if delimited.blanks => "any number of blanks; one is written".to_owned(),
                '\t' => "a tab".to_owned(),
                sign => format!("`{sign}`"),
            };
            let quote = match delimited.quote {
                None => String::new(),
                Some(quote) => {
                    let sign = format!("`{}`", quote.sign.character);
                    let which = if quote.always { "every value" } else { "values that need it" };
                    format!(" {sign} around {which}, doubled inside.")
                }
            };
            let escape = delimited.escape.map_or_else(String::new, |sign| {
                format!(" `{}` before a sign that separates nothing.", sign.character)
            });
            let inner = delimited.inner.map_or_else(String::new, |sign| {
                format!(" Values inside a column separated by `{}`.", sign.character)
            });
            let end = match (delimited.trailing, delimited.short) {
                (true, _) => " A separator follows the last field too.",
                (false, true) => " Fields without a value at the end of a line are left out.",
                (false, false) => "",
            };
            format!(
                "Fields separated by {separator}; a line has at most {line_max} bytes.{inner}{quote}{escape}{end} {}",
                lines(line, part.charset)
            )
        }
        LayoutSpec::Tagged { line, .. } => format!(
            "Fields as `<name>value</>`, in this order; one without a value is left out. {}",
            lines(line, part.charset)
        ),
        LayoutSpec::Xml(xml) => {
            let namespace = xml
                .namespace
                .as_ref()
                .map_or_else(String::new, |namespace| format!(" in the namespace `{namespace}`"));
            let order = if xml.any_order { "; elements are read in any order" } else { "" };
            let empty = if xml.empty { "; one with attributes alone is one tag" } else { "" };
            format!(
                "XML with the root element `<{}>`{namespace}, written in the order of the table{order}{empty}.",
                xml.root
            )
        }
    }
}

fn lines(line: &Line, charset: Charset) -> String {
    let own: String;
    let mut plain = Vec::new();
    let end =
        match if charset.to_ascii(&line.end, &mut plain) { plain.as_slice() } else { &line.end } {
            [] => return "Records follow each other without line ends.".to_owned(),
            b"\r\n" => "CR LF",
            b"\n" => "LF",
            b"\r" => "CR",
            [0x15] => "NL (15 in EBCDIC)",
            signs => {
                own = quoted(&signs.escape_ascii().to_string());
                own.as_str()
            }
        };
    let last = if line.last_open { ", the last one without" } else { ", the last one too" };
    let short = if line.short { " Blanks at the end of a line are left out." } else { "" };
    let block = line.block.map_or_else(String::new, |block| {
        let fill = quoted(&block.fill.character.to_string());
        format!(" Lines of {fill} fill the part up to a multiple of {} lines.", block.lines)
    });
    let more = if line.file_end.is_empty() {
        String::new()
    } else {
        let bytes: Vec<String> = line.file_end.iter().map(|b| format!("{b:02X}")).collect();
        format!(" Behind the last line stands {} (hexadecimal).", bytes.join(" "))
    };
    format!("Lines end with {end}{last}.{short}{block}{more}")
}

fn codes(table: &CodeTable, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n## Codes `{}`\n", table.name)?;
    match table.kind {
        TableKind::Outcome => {
            writeln!(out, "What became of one payment.\n")?;
            writeln!(out, "| code | outcome | reason | text |\n|---|---|---|---|")?;
        }
        TableKind::Answer => {
            writeln!(out, "What the bank says about the whole message.\n")?;
            writeln!(out, "| code | meaning |\n|---|---|")?;
        }
        TableKind::Notice => {
            writeln!(out, "What became of the SMS.\n\n| code | meaning |\n|---|---|")?;
        }
    }
    for (code, meaning) in &table.codes {
        let code = quoted(code);
        match meaning {
            Meaning::Answer(answer) => writeln!(out, "| {code} | {answer} |")?,
            Meaning::Notice(state) => writeln!(out, "| {code} | {state} |")?,
            Meaning::Outcome { outcome, reason, text } => {
                let outcome = outcome.map_or("processing", |outcome| outcome.as_str());
                let reason = reason.map_or("", |reason| reason.as_str());
                let text = escaped(text.as_deref().unwrap_or_default());
                writeln!(out, "| {code} | {outcome} | {reason} | {text} |")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_constant_is_shown_as_it_is_spelled() {
        for (text, shown) in [
            ("H|1", "`H\\|1`"),
            (" ", "`␣`"),
            (&" ".repeat(31), "31 blanks"),
            ("a b", "`a b`"),
            (" a  b ", "`␣a␣␣b␣`"),
            ("a`b", "`` a`b ``"),
            ("\r\n\u{1A}", "`\\r\\n\\u{1a}`"),
        ] {
            assert_eq!(quoted(text), shown);
        }
    }
}
