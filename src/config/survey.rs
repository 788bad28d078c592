//! Goes through a config key by key: notes every fault with its place, and makes what is left usable, so
//! that what follows from the rest can be looked at too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::config::shape::{Field, Kind};
use crate::config::{LineBytes, Problem, Span};

/// What a walk through a config found.
#[derive(Debug, Default)]
pub struct Survey {
    /// The config with everything taken out that cannot be used, and something in the place of what must
    /// be there.
    pub usable: Table,
    pub problems: Vec<Problem>,
    /// Where each key stands, as a byte of the text.
    places: BTreeMap<String, usize>,
    /// Keys whose value is not the one of the file.
    stand_ins: BTreeSet<String>,
}

impl Survey {
    /// Goes through a text that has these keys.
    pub fn of(text: &str, fields: &'static [Field]) -> Self {
        let (table, broken) = DeTable::parse_recoverable(text);
        let mut survey = Self::default();
        for cause in &broken {
            // The line itself may hold a secret: its place says enough.
            let at = cause.span().map_or(0, |span| span.start);
            let key = cause.span().and_then(|span| text.get(span)).unwrap_or_default();
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            let what = match cause.message() {
                "duplicate key" if !key.is_empty() && key.chars().all(is_name) => {
                    format!("{key} stands twice in its table, here and before")
                }
                other => other.to_owned(),
            };
            survey.note("", at, what);
        }
        if broken.is_empty() {
            survey.usable = survey.table("", table.get_ref(), fields, 0);
        }
        survey
    }

    /// Is the file no TOML at all, so that nothing in it can be looked at?
    pub fn is_broken(&self) -> bool {
        self.usable.is_empty()
    }

    /// Where a key stands; where it does not stand there itself, what it would be in.
    pub fn place(&self, key: &str) -> usize {
        let mut key = key;
        loop {
            if let Some(at) = self.places.get(key) {
                return *at;
            }
            match key.rsplit_once('.') {
                Some((above, _)) => key = above,
                None => return 0,
            }
        }
    }

    /// Would a fault of this key speak of what is not in the file?
    pub fn is_stand_in(&self, key: &str) -> bool {
        self.stand_ins.iter().any(|known| {
            key.strip_prefix(known.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn note(&mut self, key: &str, at: usize, what: String) {
        self.problems.push(Problem { key: key.to_owned(), at: Some(at), what });
    }

    fn table(
        &mut self,
        path: &str,
        table: &DeTable<'_>,
        fields: &'static [Field],
        at: usize,
    ) -> Table {
        let mut out = Table::new();
        for (name, value) in table {
            let key = below(path, name.get_ref());
            let Some(field) = fields.iter().find(|field| field.key == name.get_ref().as_ref())
            else {
                self.note(&key, name.span().start, unknown(name.get_ref(), fields));
                continue;
            };
            self.places.insert(key.clone(), name.span().start);
            if let Some(value) = self.value(&key, value, field.kind) {
                out.insert(field.key.to_owned(), value);
            } else if field.required {
                self.stand_in(&key, field.kind, &mut out, field.key);
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if !table.keys().any(|name| name.get_ref().as_ref() == field.key) {
                let key = below(path, field.key);
                self.note(&key, at, format!("is missing; expected {}", field.kind.expected()));
                self.stand_in(&key, field.kind, &mut out, field.key);
            }
        }
        out
    }

    fn stand_in(&mut self, key: &str, kind: Kind, out: &mut Table, name: &str) {
        self.stand_ins.insert(key.to_owned());
        out.insert(name.to_owned(), stand_in(kind));
    }

    /// The value as it is used; nothing, and a fault, where it is of another kind.
    fn value(&mut self, key: &str, value: &Spanned<DeValue<'_>>, kind: Kind) -> Option<Value> {
        let at = value.span().start;
        match (kind, value.get_ref()) {
            (Kind::Table(fields), DeValue::Table(table)) => {
                Some(Value::Table(self.table(key, table, fields, at)))
            }
            (Kind::Tables(fields), DeValue::Array(array)) => {
                let mut out = Vec::new();
                for (number, entry) in array.iter().enumerate() {
                    let key = format!("{key}.{}", number + 1);
                    self.places.insert(key.clone(), entry.span().start);
                    match entry.get_ref() {
                        DeValue::Table(table) => {
                            let table = self.table(&key, table, fields, entry.span().start);
                            out.push(Value::Table(table));
                        }
                        _ => self.note(&key, entry.span().start, wrong(kind)),
                    }
                }
                Some(Value::Array(out))
            }
            (Kind::Either(kinds), DeValue::Table(table)) => self.either(key, table, kinds, at),
            (Kind::Eithers(kinds), DeValue::Array(array)) => {
                let mut out = Vec::new();
                for (number, entry) in array.iter().enumerate() {
                    let key = format!("{key}.{}", number + 1);
                    self.places.insert(key.clone(), entry.span().start);
                    out.extend(self.value(&key, entry, Kind::Either(kinds)));
                }
                Some(Value::Array(out))
            }
            (Kind::Secret, DeValue::Table(table)) => self.secret(key, table, at),
            (Kind::Secrets, DeValue::Table(table)) => {
                let mut out = Table::new();
                for (name, value) in table {
                    let key = below(key, name.get_ref());
                    self.places.insert(key.clone(), name.span().start);
                    if let Some(secret) = self.value(&key, value, Kind::Secret) {
                        out.insert(name.get_ref().to_string(), secret);
                    }
                }
                Some(Value::Table(out))
            }
            (kind, value) => {
                let read = plain(kind, value);
                if read.is_none() {
                    self.note(key, at, wrong(kind));
                }
                read
            }
        }
    }

    fn either(
        &mut self,
        key: &str,
        table: &DeTable<'_>,
        kinds: &'static [(&'static str, &'static [Field])],
        at: usize,
    ) -> Option<Value> {
        let given = table.iter().find(|(name, _)| name.get_ref() == "kind");
        let known = given.and_then(|(_, value)| {
            kinds.iter().find(|(word, _)| Some(*word) == value.get_ref().as_str())
        });
        let Some((word, fields)) = known else {
            self.note(key, at, wrong(Kind::Either(kinds)));
            return None;
        };
        let mut rest = table.clone();
        rest.remove("kind");
        let mut out = self.table(key, &rest, fields, at);
        out.insert("kind".to_owned(), Value::String((*word).to_owned()));
        Some(Value::Table(out))
    }

    fn secret(&mut self, key: &str, table: &DeTable<'_>, at: usize) -> Option<Value> {
        const FIELDS: &[Field] = &[
            Field { key: "file", kind: Kind::Path, required: false },
            Field { key: "credential", kind: Kind::Text, required: false },
        ];
        let before = self.problems.len();
        let out = self.table(key, table, FIELDS, at);
        if out.len() == 1 {
            return Some(Value::Table(out));
        }
        if self.problems.len() == before {
            self.note(key, at, wrong(Kind::Secret));
        }
        None
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What was found is not repeated: a secret may stand anywhere by mistake.
fn wrong(kind: Kind) -> String {
    format!("expected {}", kind.expected())
}

fn unknown(name: &str, fields: &[Field]) -> String {
    let known: Vec<&str> = fields.iter().map(|field| field.key).collect();
    let near = known.iter().min_by_key(|key| distance(key, name));
    match near.filter(|key| distance(key, name) <= 2) {
        Some(near) => format!("is no key; did you mean {near}?"),
        None => format!("is no key; known here: {}", known.join(", ")),
    }
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut corner = at;
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
        for (to, b) in other.iter().enumerate() {
            let swapped = corner + usize::from(a != *b);
            corner = row[to + 1];
            row[to + 1] = swapped.min(row[to] + 1).min(corner + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A value that is no table.
fn plain(kind: Kind, value: &DeValue<'_>) -> Option<Value> {
    let text = || value.as_str().map(|text| Value::String(text.to_owned()));
    match kind {
        Kind::Text | Kind::Path => text(),
        Kind::Word(words) => {
            text().filter(|_| value.as_str().is_some_and(|text| words.contains(&text)))
        }
        Kind::Texts => {
            let each = |entry: &Spanned<DeValue<'_>>| {
                entry.get_ref().as_str().map(|text| Value::String(text.to_owned()))
            };
            let texts: Option<Vec<Value>> = value.as_array()?.iter().map(each).collect();
            texts.map(Value::Array)
        }
        Kind::Bool => value.as_bool().map(Value::Boolean),
        Kind::Int(least, most) => {
            let integer = value.as_integer()?;
            let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            (least..=most).contains(&number).then_some(Value::Integer(number))
        }
        Kind::Share => share(value).map(Value::Integer),
        Kind::Bytes => text().filter(|_| value.as_str().and_then(LineBytes::parse).is_some()),
        Kind::Time => text().filter(|_| value.as_str().and_then(Span::parse).is_some()),
        Kind::Listen => {
            text().filter(|_| value.as_str().is_some_and(|text| text.parse::<SocketAddr>().is_ok()))
        }
        Kind::Secret
        | Kind::Secrets
        | Kind::Table(_)
        | Kind::Tables(_)
        | Kind::Either(_)
        | Kind::Eithers(_) => None,
    }
}

/// A part of a whole, in parts of a million. Read from its digits: no money is reckoned with it, and no
/// float either.
fn share(value: &DeValue<'_>) -> Option<i64> {
    let digits = match value {
        DeValue::Integer(whole) => whole.as_str(),
        DeValue::Float(part) => part.as_str(),
        _ => return None,
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    // Digits alone: no sign and no exponent.
    if part.len() > 6 || ![whole, part].concat().bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    let millionths = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)?;
    (millionths <= 1_000_000).then_some(millionths)
}

/// Something of this kind, in the place of what is missing or wrong.
fn stand_in(kind: Kind) -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    match kind {
        Kind::Text | Kind::Bytes => text("x"),
        Kind::Word(words) => text(words.first().copied().unwrap_or_default()),
        Kind::Path => text("/nonexistent"),
        Kind::Int(least, _) => Value::Integer(least),
        Kind::Share => Value::Integer(0),
        Kind::Bool => Value::Boolean(false),
        Kind::Time => text("1h"),
        Kind::Listen => text("127.0.0.1:0"),
        Kind::Secret => Value::Table(Table::from_iter([("file".to_owned(), text("/nonexistent"))])),
        Kind::Texts | Kind::Tables(_) | Kind::Eithers(_) => Value::Array(Vec::new()),
        Kind::Secrets => Value::Table(Table::new()),
        Kind::Table(fields) => Value::Table(stand_ins(fields)),
        Kind::Either(kinds) => {
            let (word, fields) = kinds.first().copied().unwrap_or_default();
            let mut table = stand_ins(fields);
            table.insert("kind".to_owned(), text(word));
            Value::Table(table)
        }
    }
}

fn stand_ins(fields: &[Field]) -> Table {
    let required = fields.iter().filter(|field| field.required);
    required.map(|field| (field.key.to_owned(), stand_in(field.kind))).collect()
}
