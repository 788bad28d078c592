//! The language of `format.toml`, version 1: what a description may say, read with the place of
//! everything it says. Whether it makes sense as a whole is for `check` and `plan`.

mod cell;
mod codes;
mod computed;
mod field;
mod mark;
mod number;
mod part;

use toml::de::{DeTable, DeValue};

use crate::format::cell::Cell;
use crate::format::charset::Charset;
use crate::format::codes::CodeTable;
use crate::format::condition::When;
use crate::format::digests::SecretName;
use crate::format::grammar::Occurs;
use crate::format::lines::delimited::{Delimited, Room};
use crate::format::lines::fixed::Side;
use crate::format::lines::{Joint, Line, RecordRole};
use crate::format::name::NamePattern;
use crate::format::names::{OwnNames, SCALE_MAX};
use crate::format::nearest::nearest;
use crate::format::table::{Found, Table};
use crate::format::tallies::Counting;
use crate::format::words::{Key, MessageKind, PartRole, Slot, ValueKind};
use crate::format::{About, CutOff, Limits};
use crate::guard::stated::MacKey;
use crate::model::money::Fen;

/// The version of the language that this reads.
pub(crate) const LANGUAGE: usize = 1;

/// A whole description.
pub(crate) struct FormatSpec {
    pub about: About,
    pub limits: Limits,
    pub own: OwnNames,
    pub secrets: Vec<SecretName>,
    pub codes: Vec<(usize, CodeTable)>,
    pub messages: Vec<MessageSpec>,
}

pub(crate) struct MessageSpec {
    pub at: usize,
    pub kind: MessageKind,
    pub rows_min: Option<Found<usize>>,
    pub matching: Option<Found<Vec<Key>>>,
    pub failures_only: bool,
    /// Rows name their payment by its place alone; where the description says so.
    pub bare: Option<usize>,
    pub parts: Vec<PartSpec>,
}

pub(crate) struct PartSpec {
    pub at: usize,
    pub role: PartRole,
    pub name: Option<Found<NamePattern>>,
    pub committing: bool,
    /// It is not there where it would have no payments.
    pub optional: bool,
    pub charset: Charset,
    pub frame: Option<RecordSpec>,
    pub layout: LayoutSpec,
    pub groups: Vec<GroupSpec>,
    pub records: Vec<RecordSpec>,
    pub tallies: Vec<TallySpec>,
}

pub(crate) enum LayoutSpec {
    Fixed { line: Line, characters: bool },
    Delimited { line: Line, delimited: Delimited, line_max: usize },
    Tagged { line: Line, line_max: usize },
    Xml(XmlSpec),
}

/// What a part says about its document as a whole.
pub(crate) struct XmlSpec {
    pub at: usize,
    /// The root's name, perhaps with a prefix.
    pub root: String,
    /// Of all names without a prefix.
    pub namespace: Option<String>,
    /// Prefixes of names, with the namespaces that they stand for.
    pub prefixes: Vec<(String, String)>,
    /// The character set of the document, where that of its values is UTF-8 and all of it is spelled anew.
    pub respelled: Option<Charset>,
    /// The name of the character set in the declaration.
    pub encoding: Option<String>,
    pub declaration: bool,
    pub standalone: Option<bool>,
    pub any_order: bool,
    /// An element with attributes and nothing in it is written as one tag.
    pub empty: bool,
    pub ignore: Vec<Found<Vec<String>>>,
}

pub(crate) struct GroupSpec {
    pub at: usize,
    pub name: String,
    pub inside: Option<Found<String>>,
    pub occurs: Occurs,
    pub row: bool,
    /// In a document: the elements down to its own, from those of the group around it.
    pub path: Option<Found<Vec<String>>>,
    /// In a document: what may stand in its element and says nothing to us.
    pub ignore: Vec<Found<Vec<String>>>,
}

pub(crate) struct RecordSpec {
    pub at: usize,
    pub name: String,
    pub role: Option<RecordRole>,
    pub inside: Option<Found<String>>,
    pub occurs: Option<Occurs>,
    pub when: Option<When>,
    /// Stands where none of the others that may stand there begins.
    pub otherwise: Option<usize>,
    pub length: Option<Found<usize>>,
    /// In a document: the elements down to its own, where it has one; taken over by a group.
    pub path: Option<Found<Vec<String>>>,
    pub ignore: Vec<Found<Vec<String>>>,
    pub fields: Vec<FieldSpec>,
    /// All fields that the description has could be read.
    pub whole: bool,
}

pub(crate) struct FieldSpec {
    pub at: usize,
    pub cell: Cell,
    pub place: Place,
}

/// A number that is kept over the records of a part, by their names.
pub(crate) struct TallySpec {
    pub at: usize,
    pub what: Counting,
    /// What is added up beside the first value.
    pub also: Vec<Slot>,
    pub of: Vec<Found<String>>,
    pub only: Option<When>,
    pub scope: Option<Found<String>>,
    pub start: i64,
    pub per: i64,
}

pub(crate) enum Place {
    Fixed {
        start: Option<Found<usize>>,
        width: usize,
        pad: char,
        absent: Option<char>,
        side: Side,
        full: bool,
    },
    Column {
        room: Room,
        joint: Joint,
    },
    Tag {
        name: String,
        width_max: Option<usize>,
    },
    Xml {
        path: Vec<String>,
        width_max: Option<usize>,
        empty: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Fixed,
    /// Fixed width too, in characters.
    Characters,
    Delimited,
    Tagged,
    Xml,
}

/// What everything in a description may refer to.
struct Scope<'s> {
    charset: Charset,
    codes: &'s [(usize, CodeTable)],
    own: &'s OwnNames,
    secrets: &'s [SecretName],
}

/// Reads a description; nothing where a part without which nothing can be read is missing. Faults
/// are noted in the table's list.
pub(crate) fn read(root: Table<'_>) -> Option<FormatSpec> {
    let language = root.need_number("language", "language = 1");
    if let Some(language) = language.filter(|found| found.value != LANGUAGE) {
        let what = format!("language {} is not known here", language.value);
        root.faults().note(language.at, what, "this reads language 1");
    }
    let about = about(&root);
    let charset = charset(&root);
    if charset.is_none() && !root.has("charset") {
        root.faults().note(0, "a format without charset", "charset = \"GB18030\"");
    }
    let limits = root.table("limits", "limits").and_then(limits);
    if !root.has("limits") {
        let hint = "[limits] with rows_max, amount_max, sum_max and bytes_max";
        root.faults().note(0, "a format without limits", hint);
    }
    let codes = root.table("codes", "codes").as_ref().map(codes::codes).unwrap_or_default();
    let secrets = root.table("secrets", "secrets").as_ref().map(secrets).unwrap_or_default();
    let messages = root.tables("message", "a message");
    if messages.is_empty() && !root.has("message") {
        root.faults().note(0, "a format without messages", "[[message]]");
    }
    let mut own = OwnNames::default();
    declared(&root, root.raw(), &mut own);
    let charset_or = charset.unwrap_or(Charset::Utf8);
    let scope = Scope { charset: charset_or, codes: &codes, own: &own, secrets: &secrets };
    let messages = messages.into_iter().filter_map(|table| message(table, &scope)).collect();
    root.finish();
    charset?;
    Some(FormatSpec { about, limits: limits?, own, secrets, codes, messages })
}

/// `bank-mac = "00112233..."`: the names of keys, each with the published one of the samples.
fn secrets(table: &Table<'_>) -> Vec<SecretName> {
    let secret = |(name, text): (&str, Found<&str>)| {
        let sample = MacKey::parse(text.value);
        let hint = "16 to 128 hexadecimal digits, of which everybody may know: the key that counts \
                    stands in the config's [bank.secrets]";
        let noted = |what| table.faults().note(text.at, format!("{name}: {what}"), hint);
        Some(SecretName { name: name.to_owned(), sample: sample.map_err(noted).ok()? })
    };
    table.pairs().into_iter().filter_map(secret).collect()
}

/// Whose interface it is, and how far that can be relied on.
fn about(root: &Table<'_>) -> About {
    let title = root.need_text("title", "title = \"whose interface this is\"");
    let source = root.need_text("source", "source = \"where its shape comes from\"");
    root.need_text("status", "status = \"example\" or \"bank\"");
    let example = root.word("status", &["example", "bank"], |word| match word {
        "example" => Some(true),
        "bank" => Some(false),
        _ => None,
    });
    let text = |found: Option<Found<&str>>| found.map_or_else(String::new, |f| f.value.to_owned());
    About {
        title: text(title),
        source: text(source),
        is_example: example.is_none_or(|found| found.value),
    }
}

/// Every value of the bank's own, wherever a field declares it: others may refer to it before.
fn declared(root: &Table<'_>, table: &DeTable<'_>, own: &mut OwnNames) {
    let text = |key: &str| {
        let found = table.iter().find(|(name, _)| name.get_ref() == key)?.1;
        Some((found.span().start, found.get_ref().as_str()?))
    };
    if let Some((at, name)) = text("own") {
        let scale = table.iter().find(|(name, _)| name.get_ref() == "scale");
        let scale =
            scale.and_then(|(_, value)| value.get_ref().as_integer()?.as_str().parse().ok());
        let kind = match text("type").map_or("text", |(_, kind)| kind) {
            "integer" => ValueKind::Int,
            "decimal" => ValueKind::Decimal(scale.unwrap_or(0_u8).min(SCALE_MAX)),
            "date" => ValueKind::Moment,
            _ => ValueKind::Text,
        };
        let named = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name != "record";
        if Key::parse(name).is_some() {
            let hint = "key = \"...\" is for the words of the payment road";
            root.faults().note(at, format!("own: {name} is a word of the road"), hint);
        } else if !named {
            let hint = "small letters, digits and _, like payer_branch";
            root.faults().note(at, format!("own: {name:?} is no name"), hint);
        } else if own.place(name, kind).is_none() {
            let what = format!("own: {name} is another type (or scale) elsewhere");
            root.faults().note(at, what, "one name, one type");
        }
    }
    let mut inside: Vec<&DeValue<'_>> = table.values().map(toml::Spanned::get_ref).collect();
    while let Some(value) = inside.pop() {
        match value {
            DeValue::Table(table) => declared(root, table, own),
            DeValue::Array(array) => inside.extend(array.iter().rev().map(toml::Spanned::get_ref)),
            _ => {}
        }
    }
}

fn charset(table: &Table<'_>) -> Option<Charset> {
    let text = table.text("charset")?;
    let found = Charset::parse(text.value);
    if found.is_none() {
        let what = format!("charset: there is no {:?}", text.value);
        // Of the names that banks use for each the one that is nearest, and else one for each.
        let meant = match text.value.to_ascii_uppercase().as_str() {
            "ANSI" => Some("GBK, which Windows calls ANSI in China"),
            "UNICODE" | "UTF-16" | "UTF16" => Some("UTF-16LE or UTF-16BE"),
            _ => nearest(text.value, &Charset::names()),
        };
        let meant = meant.map_or_else(String::new, |meant| format!("{meant}? "));
        let hint = format!("{meant}one of {}", Charset::first_names().join(", "));
        table.faults().note(text.at, what, hint);
    }
    found
}

fn limits(table: Table<'_>) -> Option<Limits> {
    let rows_max = table.need_number("rows_max", "the most rows of one message");
    let amount = |key: &'static str, hint: &str| {
        let text = table.need_text(key, hint)?;
        let fen = Fen::parse_yuan(text.value).ok().filter(|fen| fen.is_positive());
        if fen.is_none() {
            table.faults().note(
                text.at,
                format!("{key}: expected yuan like \"9999.99\""),
                "yuan with two digits behind the point, above zero",
            );
        }
        fen
    };
    let amount_max = amount("amount_max", "the highest amount of one payment, in yuan");
    let sum_max = amount("sum_max", "the highest sum of one message, in yuan");
    let bytes_max = table.need_number("bytes_max", "the most bytes of one part");
    let cut_off = table.text("cut_off").and_then(|text| {
        let found = CutOff::parse(text.value);
        if found.is_none() {
            let what = format!("cut_off: {:?} is no time of a day", text.value);
            table.faults().note(text.at, what, "cut_off = \"16:30\", of the county's time");
        }
        found
    });
    table.finish();
    Some(Limits {
        rows_max: rows_max?.value,
        amount_max: amount_max?,
        sum_max: sum_max?,
        bytes_max: bytes_max?.value,
        cut_off,
    })
}

fn message(table: Table<'_>, scope: &Scope<'_>) -> Option<MessageSpec> {
    let at = table.at;
    let kinds: Vec<&str> = MessageKind::ALL.iter().map(|word| word.as_str()).collect();
    table.need_text("kind", "kind = \"payment_request\"");
    let kind = table.word("kind", &kinds, MessageKind::parse);
    let rows_min = table.number("rows_min");
    let matching = matching(&table);
    let failures_only = table.flag("failures_only").is_some_and(|found| found.value);
    let bare = table.flag("rows_without_account").filter(|found| found.value);
    let bare = bare.map(|found| found.at);
    let parts = table.tables("part", "a part");
    if parts.is_empty() && !table.has("part") {
        table.faults().note(at, "a message without parts", "[[message.part]]");
    }
    let parts = parts.into_iter().filter_map(|table| part::part(table, scope)).collect();
    table.finish();
    Some(MessageSpec { at, kind: kind?.value, rows_min, matching, failures_only, bare, parts })
}

/// `match_by = ["account", "payee_name", "amount"]`: how a row finds its payment where it has no
/// place in the batch.
fn matching(table: &Table<'_>) -> Option<Found<Vec<Key>>> {
    const ALLOWED: [Key; 7] = [
        Key::Ordinal,
        Key::RowReference,
        Key::BankSerial,
        Key::Account,
        Key::PayeeName,
        Key::Amount,
        Key::DocumentNumber,
    ];
    let words = table.texts("match_by");
    let at = words.first()?.at;
    let mut keys = Vec::new();
    for word in &words {
        if let Some(key) = Key::parse(word.value).filter(|key| ALLOWED.contains(key)) {
            keys.push(key);
            continue;
        }
        let known: Vec<&str> = ALLOWED.iter().map(|key| key.as_str()).collect();
        let what = format!("match_by: {:?} tells no payment", word.value);
        table.faults().note(word.at, what, format!("one of {}", known.join(", ")));
    }
    if keys.contains(&Key::BankSerial) && keys.len() > 1 {
        let hint = "match_by = [\"bank_serial\"]; what else the row says is compared all the same";
        table.faults().note(at, "bank_serial is of one payment by itself", hint);
    }
    let alone = [Key::Ordinal, Key::RowReference, Key::BankSerial, Key::Account];
    if alone.iter().all(|key| !keys.contains(key)) {
        let hint = "the account, with what tells two payments to it apart";
        let what = "match_by without ordinal, row_reference, bank_serial or account";
        table.faults().note(at, what, hint);
    }
    Some(Found { at, value: keys })
}

/// Numbers stand on the right of their zeros.
pub(crate) const SIDE_OF_NUMBERS: Side = Side::Right;

impl PartSpec {
    /// Is this record, or a group around it, a payment?
    pub fn is_of_row(&self, record: &RecordSpec) -> bool {
        record.role == Some(RecordRole::Row) || self.around(record).any(|group| group.row)
    }

    /// The groups that a record stands in, from the inside out.
    fn around<'s>(&'s self, record: &'s RecordSpec) -> impl Iterator<Item = &'s GroupSpec> {
        let named =
            |name: &Found<String>| self.groups.iter().find(|group| group.name == name.value);
        let first = record.inside.as_ref().and_then(named);
        std::iter::successors(first, move |group| group.inside.as_ref().and_then(named))
            .take(self.groups.len())
    }

    /// May a record stand more than once, since it or a group around it may?
    pub fn may_repeat(&self, record: &RecordSpec) -> bool {
        record.occurs.is_some_and(|occurs| occurs.most > 1)
            || self.around(record).any(|group| group.occurs.most > 1)
    }

    /// Does a record stand in every message?
    pub fn is_always_there(&self, record: &RecordSpec) -> bool {
        record.when.is_none()
            && record.occurs.is_none_or(|occurs| occurs.least > 0)
            && self.around(record).all(|group| group.occurs.least > 0)
    }
}

impl MessageSpec {
    /// Every field, and whether it belongs to a payment.
    pub fn fields(&self) -> impl Iterator<Item = (bool, &FieldSpec)> {
        self.parts.iter().flat_map(|part| {
            let records = part.records.iter().map(|record| (part.is_of_row(record), record));
            let frame = part.frame.iter().map(|frame| (false, frame));
            frame
                .chain(records)
                .flat_map(|(row, record)| record.fields.iter().map(move |field| (row, field)))
        })
    }

    /// Every field with the part and the record that it stands in; those of a frame are in no record.
    pub fn placed(&self) -> impl Iterator<Item = (&PartSpec, Option<&RecordSpec>, &FieldSpec)> {
        self.parts.iter().flat_map(|part| {
            let frame = part.frame.iter().flat_map(|frame| &frame.fields);
            let framed = frame.map(move |field| (part, None, field));
            framed.chain(part.records.iter().flat_map(move |record| {
                record.fields.iter().map(move |field| (part, Some(record), field))
            }))
        })
    }

    /// The road's words that its fields and its file names bear.
    pub fn keys(&self) -> Vec<Key> {
        let fields = self.fields().filter_map(|(_, field)| field.cell.slot()?.key());
        let names = self.parts.iter().filter_map(|part| part.name.as_ref());
        fields.chain(names.flat_map(|name| name.value.keys())).collect()
    }

    pub fn has_rows(&self) -> bool {
        self.parts.iter().any(|part| part.records.iter().any(|record| part.is_of_row(record)))
    }
}
