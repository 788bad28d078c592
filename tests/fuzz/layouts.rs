//! Layouts that nobody thought of, with values for them: a description is put together out of
//! choices, and a message in it. Whatever the description is, it is refused when it is read, or all
//! that it writes reads back.

use std::fmt::Write as _;

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartRole};

use crate::dice::Dice;

const KIND: MessageKind = MessageKind::Statement;

const HEAD: &str = r#"language = 1
title = "random"
status = "example"
source = "bytes"
[limits]
rows_max = 1000
amount_max = "99999.99"
sum_max = "9999999.99"
bytes_max = 1000000
[secrets]
bank = "000102030405060708090a0b0c0d0e0f"
[[message]]
kind = "statement"
[[message.part]]
role = "message"
committing = true
"#;

/// A description and a message in it.
pub struct Layout {
    pub text: String,
    /// The values, a record on each line.
    pub lines: String,
    /// Every value fits by how it was made, so that it must be written.
    pub fits: bool,
}

/// What became of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Refused,
    NotWritten,
    RoundTrip,
}

struct Charset {
    name: &'static str,
    /// The most bytes of a character, with its shifts.
    unit: usize,
    /// ASCII stands in it as it is.
    plain: bool,
    /// Characters that it has, among them those whose later bytes look like signs.
    pool: &'static str,
}

const CHARSETS: &[Charset] = &[
    Charset { name: "US-ASCII", unit: 1, plain: true, pool: "a" },
    Charset { name: "GB18030", unit: 4, plain: true, pool: "张三·𠮷䶮弳籢〇€" },
    Charset { name: "GBK", unit: 2, plain: true, pool: "张三·弳籢镕〇" },
    Charset { name: "UTF-8", unit: 4, plain: true, pool: "张é𠮷·ß日" },
    Charset { name: "Big5", unit: 2, plain: true, pool: "許功蓋張三" },
    Charset { name: "Shift_JIS", unit: 2, plain: true, pool: "ソ表ポｱ能日" },
    Charset { name: "EUC-KR", unit: 2, plain: true, pool: "가힣똠" },
    Charset { name: "GB2312", unit: 2, plain: true, pool: "张三" },
    Charset { name: "ISO-8859-1", unit: 1, plain: true, pool: "éüñ" },
    Charset { name: "windows-1252", unit: 1, plain: true, pool: "é€ž" },
    Charset { name: "windows-1251", unit: 1, plain: true, pool: "Жя№" },
    Charset { name: "cp852", unit: 1, plain: true, pool: "Łąź" },
    Charset { name: "windows-874", unit: 1, plain: true, pool: "กข๙" },
    Charset { name: "UTF-16BE", unit: 4, plain: false, pool: "张𠮷é" },
    Charset { name: "UTF-16LE", unit: 4, plain: false, pool: "张𠮷é" },
    Charset { name: "cp037", unit: 1, plain: false, pool: "a" },
    Charset { name: "cp935", unit: 4, plain: false, pool: "张三" },
    Charset { name: "cp1388", unit: 4, plain: false, pool: "张三" },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Fixed,
    Characters,
    Delimited,
    Tagged,
    Xml,
}

/// How a number below zero is spelled.
const SIGNS: &[(&str, bool)] = &[
    ("", false),
    (", sign = \"minus\"", true),
    (", sign = \"before\"", true),
    (", sign = \"after\"", true),
    (", sign = \"minus_after\"", true),
    (", sign = \"parentheses\"", true),
    (", sign = \"letter_before\", signs = \"CD\"", true),
    (", sign = \"letter_after\", signs = \"DC\"", true),
    (", sign = \"overpunch\"", true),
    (", sign = \"apart\"", true),
];

const PATTERNS: &[(&str, &str)] = &[
    ("yyyyMMddHHmmss", "2026-11-23T15:49:04"),
    ("yyyy-MM-dd", "2024-02-29T00:00:00"),
    ("yyMMdd", "2099-12-31T00:00:00"),
    ("dd/MM/yyyy HH:mm", "0001-01-01T23:59:00"),
    ("HHmmss", "0000-01-01T00:00:01"),
    ("yyDDD", "2024-12-31T00:00:00"),
    ("yyyy-MM-ddTHH:mm:ss'+08:00'", "2026-11-23T15:49:04"),
    ("RRR/MM/dd", "1912-01-01T00:00:00"),
    ("ddMMBBBB", "2026-11-28T00:00:00"),
    ("'5'EEMMdd", "2019-05-01T00:00:00"),
    ("dd-MMM-yy", "2026-11-03T00:00:00"),
    ("ddMmmyyyy", "2026-05-31T00:00:00"),
];

/// What a field holds.
#[derive(Debug, Clone)]
enum Kind {
    /// Characters of the character set, at most so many.
    Text(usize),
    Ascii(usize),
    Digits(usize),
    /// All that is left of a line, separators too.
    Rest,
    Words,
    Number {
        digits: usize,
        scale: usize,
        negative: bool,
        spelled: String,
    },
    Date(&'static str),
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    kind: Kind,
    optional: bool,
    /// Stands only where this field says `one`.
    when: Option<String>,
}

struct Record {
    name: String,
    fields: Vec<Field>,
}

/// The parts of a description while it is put together.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
struct Maker<'d, 'b> {
    dice: &'d mut Dice<'b>,
    style: Style,
    charset: &'static Charset,
    separator: &'static str,
    end: &'static str,
    quote: bool,
    /// A sign stands before what would separate.
    escape: bool,
    /// Sets values inside a column apart.
    inner: &'static str,
    /// Nothing else says where the last field of a line ends.
    open: bool,
    /// A line of fixed width ends where its line end first stands.
    trimmed: bool,
    text: String,
    fits: bool,
}

/// Puts a description and a message together.
pub fn layout(dice: &mut Dice<'_>) -> Layout {
    let style =
        *dice.one(&[Style::Fixed, Style::Delimited, Style::Tagged, Style::Xml, Style::Characters]);
    let host = |set: &Charset| set.name.starts_with("cp") && !set.plain;
    let known: Vec<&Charset> =
        CHARSETS.iter().filter(|set| style != Style::Xml || !host(set)).collect();
    let charset = *dice.one(&known);
    let text = format!("charset = \"{}\"\n{HEAD}", charset.name);
    let (quote, escape, open) = (false, false, false);
    let mut maker = Maker {
        dice,
        style,
        charset,
        separator: "|",
        end: "",
        quote,
        escape,
        inner: "",
        open,
        trimmed: false,
        text,
        fits: true,
    };
    maker.around();
    maker.records()
}

impl Maker<'_, '_> {
    /// What stands around the records.
    fn around(&mut self) {
        let ends: &[&str] = if self.charset.name.starts_with("cp") {
            &["NL", "none", "LF"]
        } else {
            &["LF", "CRLF", "CR", "none", "'", "~\\n"]
        };
        let mut end = *self.dice.one(ends);
        let part = match self.style {
            Style::Fixed => "layout = \"fixed\"\n".to_owned(),
            Style::Characters => "layout = \"fixed\"\nwidths = \"characters\"\n".to_owned(),
            Style::Tagged => "layout = \"tagged\"\n".to_owned(),
            Style::Xml => {
                let empty = if self.dice.once_in(3) { "empty = true\n" } else { "" };
                format!("layout = \"xml\"\nroot = \"Root\"\n{empty}")
            }
            Style::Delimited => {
                if end == "none" {
                    end = "LF";
                }
                // Blanks that separate are those of ASCII.
                let separators = ["|", ",", "\\t", "^", "@", "blanks"];
                let known = if self.charset.plain { 6 } else { 5 };
                self.separator = *self.dice.one(separators.get(..known).unwrap_or_default());
                let mut text =
                    format!("layout = \"delimited\"\nseparator = \"{}\"\n", self.separator);
                if self.separator != "blanks" && self.dice.once_in(4) {
                    self.escape = true;
                    text.push_str("escape = \"?\"\n");
                } else if self.separator != "blanks" && self.dice.once_in(2) {
                    self.quote = true;
                    text.push_str("quote = \"\\\"\"\n");
                    if self.dice.once_in(3) {
                        text.push_str("quoting = \"always\"\n");
                    }
                }
                let trailing = self.separator != "blanks" && self.dice.once_in(4);
                if trailing {
                    text.push_str("trailing = true\n");
                } else if self.separator != "blanks" && self.dice.once_in(4) {
                    text.push_str("short = true\n");
                }
                if self.separator != "blanks" && !self.quote && self.dice.once_in(3) {
                    self.inner = *self.dice.one(&[":", ";"]);
                    writeln!(text, "inner = \"{}\"", self.inner).expect("a text grows");
                }
                self.open = !trailing && !self.quote && !self.escape;
                text
            }
        };
        self.text.push_str(&part);
        if self.style == Style::Xml {
            if self.dice.once_in(4) {
                self.text.push_str("order = \"any\"\n");
            }
            if self.dice.once_in(4) {
                self.text.push_str("namespace = \"urn:a&b\"\n");
            }
        } else {
            self.end = end;
            writeln!(self.text, "line_end = \"{end}\"").expect("a text grows");
            if end != "none" && self.dice.once_in(4) {
                self.text.push_str("last_line_end = false\n");
            }
            if self.dice.once_in(5) {
                self.text.push_str("file_end = \"\\u001A\"\n");
            }
            let wide = matches!(self.style, Style::Fixed | Style::Characters);
            if wide && self.charset.plain && end != "none" && self.dice.once_in(4) {
                self.trimmed = true;
                self.text.push_str("short = true\n");
            } else if self.style == Style::Fixed && self.dice.once_in(4) {
                self.text.push_str("block = { lines = 4, fill = \"9\" }\n");
            }
        }
        if self.dice.once_in(4) {
            self.frame();
        } else if self.charset.name.starts_with("UTF-") && self.dice.once_in(2) {
            self.text.push_str("byte_order_mark = true\n");
        }
    }

    fn frame(&mut self) {
        // Where ASCII takes two bytes a width is counted in them all the same.
        let width = 16;
        let of = *self.dice.one(&["body", "all", "rest"]);
        let mut fields = format!(
            "{{ computed = \"length\", of = \"{of}\", width = {width}, pad = \"0\", side = \"right\" }}"
        );
        if self.dice.once_in(2) {
            fields = "{ computed = \"length\", of = \"body\", binary = \"little\", width = 4 }"
                .to_owned();
        }
        let digest = *self.dice.one(&["", "md5", "sha256", "sm3"]);
        if !digest.is_empty() {
            let how =
                *self.dice.one(&["digest\"", "digest\", keep = 12", "mac\", secret = \"bank\""]);
            write!(fields, ", {{ computed = \"{how}, algorithm = \"{digest}\", of = \"body\" }}")
                .expect("a text grows");
        }
        writeln!(self.text, "[message.part.frame]\nfields = [ {fields} ]").expect("a text grows");
    }

    /// A head, perhaps batches of details with addenda, perhaps a tail.
    fn records(mut self) -> Layout {
        let batches = self.dice.once_in(2);
        let details = batches || self.dice.once_in(2);
        let (mut most, mut least) = (1, 1);
        if batches {
            let (occurs, from, to) = *self.dice.one(&[
                ("0..n", 0, 3),
                ("1..n", 1, 3),
                ("0..1", 0, 1),
                ("1", 1, 1),
                ("0..3", 0, 3),
                ("2..3", 2, 3),
                ("2", 2, 2),
            ]);
            (least, most) = (from, to);
            self.group("batch", "", occurs);
        }
        let (mut details_least, mut details_most) = (0, 3);
        let mut addenda_most = 2;
        let inside = if batches { "in = \"batch\"\n" } else { "" };
        let head = self.record("a", "", "1", None);
        let mut batch_head = None;
        if batches {
            batch_head = Some(self.record("b", inside, "1", None));
        }
        let (mut detail, mut addenda, mut batch_tail) = (None, None, None);
        if details {
            let (occurs, from, to) =
                *self.dice.one(&[("0..n", 0, 3), ("1..n", 1, 4), ("1..2", 1, 2), ("2..4", 2, 4)]);
            (details_least, details_most) = (from, to);
            detail = Some(self.record("c", inside, occurs, None));
            if batches && self.dice.once_in(3) {
                let (occurs, to) = *self.dice.one(&[("0..n", 2), ("0..2", 2), ("0..1", 1)]);
                addenda_most = to;
                addenda = Some(self.record("d", inside, occurs, None));
            }
        }
        if batches && self.dice.once_in(2) {
            batch_tail = Some(self.record("e", inside, "1", detail.as_ref().map(|d| (d, true))));
        }
        let mut tail = None;
        if self.dice.once_in(2) {
            tail = Some(self.record("f", "", "1", detail.as_ref().map(|detail| (detail, false))));
        }
        let mut lines = String::new();
        self.line(&head, &mut lines);
        for _ in 0..least + self.dice.of(most - least + 1) {
            if let Some(record) = &batch_head {
                self.line(record, &mut lines);
            }
            if let Some(record) = &detail {
                for _ in 0..details_least + self.dice.of(details_most - details_least + 1) {
                    self.line(record, &mut lines);
                }
            }
            if let Some(record) = &addenda {
                for _ in 0..self.dice.of(addenda_most + 1) {
                    self.line(record, &mut lines);
                }
            }
            if let Some(record) = &batch_tail {
                self.line(record, &mut lines);
            }
        }
        if let Some(record) = &tail {
            self.line(record, &mut lines);
        }
        Layout { text: self.text, lines, fits: self.fits }
    }

    fn group(&mut self, name: &str, inside: &str, occurs: &str) {
        let path = if self.style == Style::Xml { "path = \"Out/Batch\"\n" } else { "" };
        writeln!(
            self.text,
            "[[message.part.group]]\nname = \"{name}\"\n{inside}occurs = \"{occurs}\"\n{path}"
        )
        .expect("a text grows");
    }

    /// A record and its fields; `counts` is one that comes before it.
    fn record(
        &mut self,
        name: &str,
        inside: &str,
        occurs: &str,
        counts: Option<(&Record, bool)>,
    ) -> Record {
        let mut fields = Vec::new();
        let mut spelled = Vec::new();
        let mark = name.to_uppercase();
        let marked = matches!(self.style, Style::Fixed | Style::Characters | Style::Delimited);
        // What has no mark stands where nothing else does, if its values are not like a mark.
        let otherwise = marked && name == "c" && self.dice.once_in(4);
        self.fits &= !otherwise;
        match self.style {
            Style::Fixed | Style::Characters | Style::Delimited if otherwise => {}
            Style::Fixed | Style::Characters | Style::Delimited => {
                spelled.push(format!("{{ literal = \"{mark}\" }}"));
            }
            // The tags alone tell these records apart, or a constant does.
            Style::Tagged if self.dice.once_in(4) => {
                spelled.push(format!("{{ tag = \"Mark\", literal = \"{mark}\" }}"));
            }
            Style::Tagged => spelled.push(format!("{{ tag = \"{mark}\", literal = \"{mark}\" }}")),
            Style::Xml => {}
        }
        let count = 1 + self.dice.of(5);
        for at in 0..count {
            let words = fields.iter().find(|field: &&Field| {
                matches!(field.kind, Kind::Words) && !field.optional && field.when.is_none()
            });
            let words = words.map(|field| field.name.clone());
            let (field, mut text) = self.field(&format!("{name}{at}"), words);
            // A date has its width, so that nothing needs to stand behind it.
            let known = fields.last().is_some_and(|before: &Field| {
                matches!(before.kind, Kind::Date(_)) && !before.optional && before.when.is_none()
            });
            let one = text.matches("{ ").count() == 1 + text.matches("= { ").count();
            let alone = one && !fields.is_empty();
            if known
                && alone
                && self.style == Style::Delimited
                && !self.quote
                && !self.escape
                && self.dice.once_in(2)
            {
                text = text.replacen("{ ", "{ glued = true, ", 1);
            } else if alone && !self.inner.is_empty() && self.dice.once_in(2) {
                text = text.replacen("{ ", "{ inner = true, ", 1);
            }
            fields.push(field);
            spelled.push(text);
        }
        if let Some((counted, within)) = counts {
            self.tallies(name, counted, within, &mut spelled);
        }
        if name == "f" && self.style != Style::Xml && self.dice.once_in(3) {
            let tag = if self.style == Style::Tagged { ", tag = \"Tseal\"" } else { "" };
            let how = *self.dice.one(&["digest\"", "mac\", secret = \"bank\", upper = true"]);
            spelled.push(format!(
                "{{ computed = \"{how}, algorithm = \"sm3\", of = \"before\"{tag} }}"
            ));
        }
        if self.open && self.dice.once_in(3) {
            let name = format!("{name}rest");
            spelled.push(format!("{{ own = \"{name}\", rest = true }}"));
            fields.push(Field { name, kind: Kind::Rest, optional: false, when: None });
        }
        let otherwise = if otherwise { "otherwise = true\n" } else { "" };
        let path = match self.style {
            Style::Xml => format!("path = \"R{mark}\"\n"),
            _ => String::new(),
        };
        writeln!(
            self.text,
            "[[message.part.record]]\nname = \"{name}\"\n{inside}occurs = \"{occurs}\"\n{otherwise}{path}fields = [\n  {},\n]",
            spelled.join(",\n  ")
        )
        .expect("a text grows");
        Record { name: name.to_owned(), fields }
    }

    /// What a trailer says of the records before it.
    fn tallies(&mut self, name: &str, counted: &Record, within: bool, into: &mut Vec<String>) {
        let of = format!("of = [\"{}\"]", counted.name);
        let within = if within { ", in = \"batch\"" } else { "" };
        let place = |maker: &mut Self, which: &str, width: usize| {
            maker.place(&format!("{name}{which}"), width, "0", "right")
        };
        let words = counted.fields.iter().find(|field| matches!(field.kind, Kind::Words));
        let words = words.map(|field| field.name.clone()).filter(|_| self.dice.once_in(2));
        let only = words.map_or(String::new(), |name| {
            format!(", where = {{ value = \"{name}\", is = [\"one\", \"two\"] }}")
        });
        let here = place(&mut *self, "count", 8);
        let per = if self.dice.once_in(3) { ", per = 2" } else { "" };
        into.push(format!("{{ computed = \"count\", {of}{within}{only}{per}{here} }}"));
        for field in &counted.fields {
            match &field.kind {
                Kind::Number { scale, spelled, .. }
                    if spelled.is_empty() && self.dice.once_in(2) =>
                {
                    let point = match scale {
                        0 => String::new(),
                        _ => format!(", scale = {scale}, point = false"),
                    };
                    into.push(format!(
                        "{{ computed = \"sum\", name = \"{name}sum{}\", value = \"{}\", {of}{within}{only}{point}, spelled = \"packed\", sign = \"inside\", width = 10 }}",
                        field.name, field.name
                    ));
                }
                Kind::Number { spelled, .. } if spelled.contains("\"apart\"") => {
                    let sum = format!("{name}sum{}", field.name);
                    let here = self.place(&format!("{sum}sign"), 1, " ", "left");
                    into.push(format!(
                        "{{ sign_of = \"{sum}\", plus = \"P\", minus = \"M\"{here} }}"
                    ));
                    let here = self.place(&sum, 44, "0", "right");
                    into.push(format!(
                        "{{ computed = \"sum\", name = \"{sum}\", value = \"{}\", {of}{within}{only}{spelled}{here} }}",
                        field.name
                    ));
                }
                Kind::Number { spelled, .. } if !spelled.is_empty() && self.dice.once_in(2) => {
                    let here = self.place(&format!("{name}sum{}", field.name), 44, "0", "right");
                    into.push(format!(
                        "{{ computed = \"sum\", value = \"{}\", {of}{within}{only}{spelled}{here} }}",
                        field.name
                    ));
                }
                Kind::Digits(_) if self.dice.once_in(2) => {
                    let here = self.place(&format!("{name}hash{}", field.name), 24, "0", "right");
                    into.push(format!(
                        "{{ computed = \"hash\", value = \"{}\", digits = 8, keep = 10, {of}{within}{here} }}",
                        field.name
                    ));
                }
                _ => {}
            }
        }
    }

    /// Where a field stands, with a width of so many signs.
    fn place(&mut self, name: &str, signs: usize, pad: &str, side: &str) -> String {
        match self.style {
            Style::Fixed => {
                let wide = self.charset.name.starts_with("UTF-16");
                let width = if wide { 2 * signs } else { signs };
                format!(", width = {width}, pad = \"{pad}\", side = \"{side}\"")
            }
            Style::Characters => format!(", width = {signs}, pad = \"{pad}\", side = \"{side}\""),
            Style::Delimited if self.quote && self.dice.once_in(3) => ", quoted = true".to_owned(),
            Style::Delimited => String::new(),
            Style::Tagged => format!(", tag = \"T{name}\""),
            Style::Xml => match self.dice.of(5) {
                1 => format!(", path = \"@x{name}\""),
                2 => format!(", path = \"In/x{name}\""),
                3 => format!(", path = \"x{name}\", empty = true"),
                4 => format!(", path = \"By[@k='x{name}&']\""),
                _ => format!(", path = \"x{name}\""),
            },
        }
    }

    /// A field; `words` is one whose value may decide whether this one stands.
    fn field(&mut self, name: &str, words: Option<String>) -> (Field, String) {
        let fixed = matches!(self.style, Style::Fixed | Style::Characters);
        let when = words.filter(|_| self.dice.once_in(3));
        let optional = when.is_none() && self.dice.once_in(4);
        let absent_by = optional || when.is_some();
        let when_of = when.clone();
        let mut around = String::new();
        if let Some(words) = &when {
            write!(around, ", when = {{ value = \"{words}\", is = [\"one\"] }}").expect("grows");
        }
        if optional {
            around.push_str(", optional = true");
        }
        if absent_by && !fixed && (self.separator == "blanks" || self.dice.once_in(4)) {
            around.push_str(", absent = \"-\"");
        }
        let blank = *self.dice.one(&["left", "right"]);
        let (kind, spelled, here) = match self.dice.of(8) {
            0 => {
                let count = 1 + self.dice.of(6);
                (
                    Kind::Ascii(count),
                    ", only = \"ascii\"".to_owned(),
                    self.place(name, count + 2, " ", blank),
                )
            }
            1 | 2 => {
                let count = 1 + self.dice.of(6);
                let unit = if self.style == Style::Characters { 1 } else { self.charset.unit };
                // A width of signs is doubled where ASCII takes two bytes.
                let unit = if self.charset.name.starts_with("UTF-16") && unit > 1 {
                    unit / 2
                } else {
                    unit
                };
                (Kind::Text(count), String::new(), self.place(name, count * unit, " ", blank))
            }
            3 => {
                let count = 1 + self.dice.of(12);
                let pad = *self.dice.one(&[" ", "0"]);
                let side = if pad == "0" { "right" } else { blank };
                (
                    Kind::Digits(count),
                    ", only = \"digits\"".to_owned(),
                    self.place(name, count + 3, pad, side),
                )
            }
            4 => {
                let map = ", map = { one = \"1\", two = \"22\", three = \"x3\" }".to_owned();
                let width = 2 + self.dice.of(3);
                (Kind::Words, map, self.place(name, width, " ", blank))
            }
            5 if self.style == Style::Fixed && self.dice.once_in(2) => {
                let (kind, spelled, width) = self.raw_number();
                let absent = if absent_by { ", absent = \" \"" } else { "" };
                (kind, spelled, format!(", width = {width}{absent}"))
            }
            5 | 6 => {
                let (kind, spelled, width) = self.number(fixed);
                let pad = *self.dice.one(&["0", " "]);
                let side = if pad == "0" { "right" } else { blank };
                let mut here = self.place(name, width, pad, side);
                if fixed && pad == "0" && absent_by {
                    here.push_str(", absent = \" \"");
                }
                (kind, spelled, here)
            }
            _ => {
                let (pattern, moment) = *self.dice.one(PATTERNS);
                let apart = !self.inner.is_empty() && !self.escape && pattern.contains(self.inner);
                if apart || (pattern.contains(' ') && self.separator == "blanks") {
                    self.fits = false;
                }
                let here = self.place(name, pattern.replace('\'', "").len(), " ", "left");
                (Kind::Date(moment), format!(", type = \"date\", pattern = \"{pattern}\""), here)
            }
        };
        let mut text = format!("{{ own = \"{name}\"{spelled}{around}{here} }}");
        if spelled.contains("\"apart\"") {
            let (plus, minus) = *self.dice.one(&[("+", "-"), ("0", "1"), ("CR", "D"), ("", "-")]);
            // Where blanks separate there must be something.
            let plus = if plus.is_empty() && self.separator == "blanks" { "p" } else { plus };
            let (mut when, mut absent) = (String::new(), String::new());
            if let Some(words) = &when_of {
                write!(when, ", when = {{ value = \"{words}\", is = [\"one\"] }}").expect("grows");
            }
            if optional {
                when.push_str(", optional = true");
            }
            if (absent_by || plus.is_empty()) && self.separator == "blanks" {
                absent.push_str(", absent = \"=\"");
            }
            let here = self.place(&format!("{name}sign"), 2, " ", "left");
            let sign = format!(
                "{{ sign_of = \"{name}\", plus = \"{plus}\", minus = \"{minus}\"{when}{absent}{here} }}"
            );
            text = if self.dice.once_in(2) {
                format!("{sign}, {text}")
            } else {
                format!("{text}, {sign}")
            };
        }
        (Field { name: name.to_owned(), kind, optional, when }, text)
    }

    /// A whole number or one with digits behind a point, how it is spelled, and its width.
    fn number(&mut self, fixed: bool) -> (Kind, String, usize) {
        let scale = self.dice.of(4);
        let digits = (1 + self.dice.of(15)).max(scale + 1);
        let (sign, negative) = *self.dice.one(SIGNS);
        let mut spelled = String::new();
        // Parentheses are two signs.
        let mut width = digits + 2 * usize::from(negative) + self.dice.of(3);
        if scale == 0 {
            spelled.push_str(", type = \"integer\"");
        } else {
            let point = *self.dice.one(&["true", "false", "\",\""]);
            width += usize::from(point != "false");
            if point == "\",\"" && self.separator == "," && !self.quote {
                self.fits = false;
            }
            write!(spelled, ", type = \"decimal\", scale = {scale}, point = {point}")
                .expect("grows");
            if point != "false" && !sign.contains("overpunch") && self.dice.of(3) == 0 {
                let decimals = *self.dice.one(&["cut", "short", "any"]);
                write!(spelled, ", decimals = \"{decimals}\"").expect("grows");
            }
        }
        // Zeros that fill a field up go with none between thousands.
        let implied = scale > 0 && spelled.contains("false");
        if !fixed && !implied && !sign.contains("overpunch") && self.dice.once_in(4) {
            spelled.push_str(", thousands = \"_\"");
        }
        spelled.push_str(sign);
        // A blank behind a number separates it from nothing where blanks do.
        if sign.contains("minus_after") && self.separator == "blanks" {
            self.fits = false;
        }
        let kind = Kind::Number { digits, scale, negative, spelled: spelled.clone() };
        (kind, spelled, width)
    }

    /// A number that is no text, how it is spelled, and its width.
    fn raw_number(&mut self) -> (Kind, String, usize) {
        let scale = self.dice.of(3);
        let digits = (1 + self.dice.of(15)).max(scale + 1);
        let form = *self.dice.one(&["packed", "packed", "binary", "binary_little"]);
        let signs: &[(&str, bool)] = match form {
            "packed" => &[
                ("", false),
                (", sign = \"inside\"", true),
                (", sign = \"inside\", signs = \"FB\"", true),
            ],
            _ => &[("", false), (", sign = \"inside\"", true)],
        };
        let (sign, negative) = *self.dice.one(signs);
        let width = if form == "packed" { digits / 2 + 1 } else { 8 };
        let mut spelled = match scale {
            0 => ", type = \"integer\"".to_owned(),
            _ => format!(", type = \"decimal\", scale = {scale}, point = false"),
        };
        write!(spelled, ", spelled = \"{form}\"{sign}").expect("a text grows");
        let kind = Kind::Number { digits, scale, negative, spelled: String::new() };
        (kind, spelled, width)
    }

    /// One record of the message.
    fn line(&mut self, record: &Record, into: &mut String) {
        write!(into, "{{\"record\":\"{}\"", record.name).expect("a text grows");
        let mut one = Vec::new();
        for field in &record.fields {
            let stands = match &field.when {
                Some(words) => one.contains(words),
                None => !(field.optional && self.dice.once_in(2)),
            };
            if !stands {
                continue;
            }
            let value = self.value(&field.kind);
            if value == "\"one\"" {
                one.push(field.name.clone());
            }
            write!(into, ",\"{}\":{value}", field.name).expect("a text grows");
        }
        into.push_str("}\n");
    }

    /// A value as JSON.
    fn value(&mut self, kind: &Kind) -> String {
        match kind {
            Kind::Text(most) => {
                let pool: Vec<char> = self.charset.pool.chars().collect();
                let count = 1 + self.dice.of(*most);
                let text: String = (0..count)
                    .map(|_| if self.dice.once_in(4) { self.sign() } else { *self.dice.one(&pool) })
                    .collect();
                // A sign alone may say that there is no value.
                let text = if text == "-" { "b".to_owned() } else { text };
                serde_json::Value::from(text).to_string()
            }
            Kind::Ascii(most) => {
                let count = self.dice.of(*most);
                let text: String = std::iter::once('k')
                    .chain((0..count).map(|at| if at + 1 == count { 'z' } else { self.sign() }))
                    .collect();
                serde_json::Value::from(text).to_string()
            }
            Kind::Rest => {
                let separator = if self.separator == "blanks" { " " } else { self.separator };
                let separator = if separator == "\\t" { "" } else { separator };
                let pool: Vec<char> = self.charset.pool.chars().collect();
                let text = format!("k{separator}{}{separator}{separator}z", self.dice.one(&pool));
                serde_json::Value::from(text).to_string()
            }
            Kind::Digits(most) => {
                let count = self.dice.of(*most);
                let rest: String = (0..count).map(|_| char::from(b'0' + self.digit())).collect();
                format!("\"{}{rest}\"", 1 + self.dice.of(9))
            }
            Kind::Words => format!("\"{}\"", self.dice.one(&["one", "two", "three"])),
            Kind::Number { digits, scale, negative, .. } => {
                let most = 10_u64.pow(u32::try_from(*digits).unwrap_or(0)) - 1;
                let bytes: u64 = (0..8).fold(0, |all, _| all << 8 | u64::from(self.dice.byte()));
                let number = match self.dice.of(4) {
                    0 => bytes % 10 % (most + 1),
                    1 => most,
                    _ => bytes % (most + 1),
                };
                let minus = if *negative && number > 0 && self.dice.once_in(2) { "-" } else { "" };
                if *scale == 0 {
                    return format!("{minus}{number}");
                }
                let all = format!("{number:0width$}", width = scale + 1);
                let (whole, rest) = all.split_at(all.len() - scale);
                format!("\"{minus}{whole}.{rest}\"")
            }
            Kind::Date(moment) => format!("\"{moment}\""),
        }
    }

    fn digit(&mut self) -> u8 {
        u8::try_from(self.dice.of(10)).unwrap_or(0)
    }

    /// A sign of ASCII that may stand in a text of this layout, and not at its ends.
    fn sign(&mut self) -> char {
        let signs: Vec<char> = "b9,|\"'&;<>^@-"
            .chars()
            .filter(|sign| match self.style {
                Style::Delimited if !self.quote && !self.escape => {
                    let apart = [self.separator, self.end, self.inner];
                    apart.iter().all(|signs| !signs.contains(*sign))
                }
                Style::Tagged => !matches!(sign, '<' | '>'),
                _ => !self.trimmed || !self.end.contains(*sign),
            })
            .collect();
        *self.dice.one(&signs)
    }
}

/// Holds a layout against what it promises: refused as a whole, or every byte it writes reads back as
/// the values that were given, out of memory and out of a stream.
///
/// # Panics
/// Where it does not.
pub fn hold(layout: &Layout, dice: &mut Dice<'_>) -> Came {
    let Ok(format) = Format::compile("random", &layout.text) else { return Came::Refused };
    let format = format.with_published_secrets();
    let told = || format!("{}\n{}", layout.text, layout.lines);
    let given = match Values::parse(&format, KIND, &layout.lines) {
        Ok(given) => given,
        Err(error) => panic!("{error}\n{}", told()),
    };
    let parts = match given.write(&format, KIND) {
        Ok(parts) => parts,
        Err(error) if layout.fits => panic!("{error}\n{}", told()),
        Err(_) => return Came::NotWritten,
    };
    let read = Values::read(&format, KIND, &parts)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", told(), shown(&parts[0].bytes)));
    assert!(read == given, "reads otherwise\n{}\n{}", told(), shown(&parts[0].bytes));
    let again = read.write(&format, KIND);
    assert!(again.is_ok_and(|again| again == parts), "is written otherwise\n{}", told());
    spoiled(&format, &parts[0].bytes, dice, &told);
    Came::RoundTrip
}

/// Bytes changed at random: they are refused, or what was read from them stays what it is.
fn spoiled(format: &Format, bytes: &[u8], dice: &mut Dice<'_>, told: &dyn Fn() -> String) {
    for _ in 0..4 {
        if dice.rest().is_empty() || bytes.is_empty() {
            return;
        }
        let mut changed = bytes.to_vec();
        let at = dice.of(changed.len());
        match dice.of(4) {
            0 => changed[at] = dice.byte(),
            1 => changed.truncate(at),
            2 => changed.insert(at, dice.byte()),
            _ => changed[at] ^= 1 << dice.of(8),
        }
        let parts = [part(changed)];
        let Ok(first) = Values::read(format, KIND, &parts) else { continue };
        let Ok(written) = first.write(format, KIND) else { continue };
        let second = Values::read(format, KIND, &written);
        assert!(
            second.as_ref().is_ok_and(|second| *second == first),
            "{:?}\n{}\nread    {}\nwritten {}",
            second.err(),
            told(),
            shown(&parts[0].bytes),
            shown(&written[0].bytes)
        );
    }
}

fn part(bytes: Vec<u8>) -> Part {
    Part { role: PartRole::Message, name: String::new(), bytes, committing: true }
}

/// Bytes for people.
fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
