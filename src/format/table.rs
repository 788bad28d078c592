//! Reading a TOML table key by key while noting every fault with its place.
//!
//! `serde` stops at the first fault; a person who describes a bank wants to see all of them.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::format::error::{Problem, Problems};
use crate::format::nearest::nearest;

/// Faults found so far in one text.
pub(crate) struct Faults<'a> {
    text: &'a str,
    list: RefCell<Vec<(usize, Problem)>>,
}

impl<'a> Faults<'a> {
    pub const fn of(text: &'a str) -> Self {
        Self { text, list: RefCell::new(Vec::new()) }
    }

    /// Notes a fault at a byte of the text.
    pub fn note(&self, at: usize, what: impl Into<String>, hint: impl Into<String>) {
        let (line, column) = place(self.text, at);
        let problem = Problem { line, column, what: what.into(), hint: hint.into() };
        self.list.borrow_mut().push((at, problem));
    }

    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// All faults in the order of the text, if there are any.
    pub fn into_problems(self, file: &str) -> Option<Problems> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|(at, _)| *at);
        list.dedup();
        let list: Vec<Problem> = list.into_iter().map(|(_, problem)| problem).collect();
        (!list.is_empty()).then(|| Problems { file: file.to_owned(), list })
    }
}

/// Line and column of a byte, each counted from 1.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}

/// What may stand there, the word that was meant before all others.
fn meant(word: &str, known: &[&str], all: &str) -> String {
    let known_all = format!("{all} {}", known.join(", "));
    match nearest(word, known) {
        Some(meant) => format!("{meant}? {known_all}"),
        None => known_all,
    }
}

/// The line around a byte.
fn line_of(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// What to do about text that is no TOML.
pub(crate) fn why_broken(text: &str, at: usize) -> String {
    let wide =
        |c: &char| matches!(c, '\u{201C}' | '\u{201D}' | '\u{FF01}'..='\u{FF5E}' | '\u{3000}');
    match line_of(text, at).chars().find(wide) {
        Some(sign) => {
            format!("{sign} is a sign of Chinese text: quotes, commas and = are those of ASCII")
        }
        None => "this is not TOML: look at this line and the one before it".to_owned(),
    }
}

/// What stands twice, and what to do about it.
pub(crate) fn why_twice(text: &str, at: usize, key: &str) -> (String, String) {
    let line = line_of(text, at).trim();
    if line.starts_with('[') {
        let name = line.trim_matches(['[', ']']);
        let hint = format!("[[{name}]] with two brackets, each time, where there may be several");
        return (format!("{name} stands twice"), hint);
    }
    let hint = "each key stands once in its table, and each code in its list".to_owned();
    (format!("{key} stands twice"), hint)
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub at: usize,
    pub value: T,
}

/// One table, of which every key must be asked for.
pub(crate) struct Table<'a> {
    faults: &'a Faults<'a>,
    keys: &'a DeTable<'a>,
    /// Where it begins.
    pub at: usize,
    /// What it is called in messages.
    label: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub fn new(
        faults: &'a Faults<'a>,
        table: &'a DeTable<'a>,
        at: usize,
        label: &'static str,
    ) -> Self {
        Self { faults, keys: table, at, label, asked: RefCell::new(Vec::new()) }
    }

    pub const fn faults(&self) -> &'a Faults<'a> {
        self.faults
    }

    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.keys.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// A value of the right kind, or a fault that says what was expected.
    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Found<T>> {
        let value = self.value(key)?;
        let at = value.span().start;
        let read = read(value.get_ref());
        if read.is_none() {
            let found = match value.get_ref().as_integer() {
                Some(number) => number.as_str(),
                None => value.get_ref().type_str(),
            };
            self.faults.note(
                at,
                format!("{key}: expected {expected}, found {found}"),
                "texts stand between quotes, numbers and true or false without",
            );
        }
        read.map(|value| Found { at, value })
    }

    pub fn text(&self, key: &'static str) -> Option<Found<&'a str>> {
        self.typed(key, "a text", DeValue::as_str)
    }

    /// A whole number; a fault is noted where it is none.
    pub fn number(&self, key: &'static str) -> Option<Found<usize>> {
        self.typed(key, "a whole number that is not negative", |value| {
            let integer = value.as_integer()?;
            usize::from_str_radix(integer.as_str(), integer.radix()).ok()
        })
    }

    pub fn flag(&self, key: &'static str) -> Option<Found<bool>> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// `true`, `false` or a text.
    pub fn flag_or_text(&self, key: &'static str) -> Option<Found<Result<bool, &'a str>>> {
        self.typed(key, "true, false or a text", |value| {
            value.as_bool().map(Ok).or_else(|| value.as_str().map(Err))
        })
    }

    /// Texts under names that the author chose.
    pub fn pairs(&self) -> Vec<(&'a str, Found<&'a str>)> {
        let pair =
            |(name, value): (&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
                let at = value.span().start;
                let text = value.get_ref().as_str();
                if text.is_none() {
                    self.faults.note(
                        at,
                        format!("{}: expected a text", name.get_ref()),
                        "\"our word\" = \"the bank's word\"",
                    );
                }
                Some((name.get_ref().as_ref(), Found { at, value: text? }))
            };
        self.keys.iter().filter_map(pair).collect()
    }

    /// The table as it was read, for a look at all of it before its keys are asked for.
    pub const fn raw(&self) -> &'a DeTable<'a> {
        self.keys
    }

    /// A text that must be there.
    pub fn need_text(&self, key: &'static str, hint: &str) -> Option<Found<&'a str>> {
        let found = self.text(key);
        self.need(key, found.is_some(), hint);
        found
    }

    /// A number that must be there.
    pub fn need_number(&self, key: &'static str, hint: &str) -> Option<Found<usize>> {
        let found = self.number(key);
        self.need(key, found.is_some(), hint);
        found
    }

    /// One word of a closed list.
    pub fn word<T>(
        &self,
        key: &'static str,
        all: &[&str],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Found<T>> {
        let text = self.text(key)?;
        let parsed = parse(text.value);
        if parsed.is_none() {
            let what = format!("{key}: there is no {:?}", text.value);
            self.faults.note(text.at, what, meant(text.value, all, "one of"));
        }
        parsed.map(|value| Found { at: text.at, value })
    }

    pub fn table(&self, key: &'static str, label: &'static str) -> Option<Table<'a>> {
        let found = self.typed(key, "a table", DeValue::as_table)?;
        Some(Table::new(self.faults, found.value, found.at, label))
    }

    /// An array of tables; nothing where the key is not there.
    pub fn tables(&self, key: &'static str, label: &'static str) -> Vec<Table<'a>> {
        let Some(array) = self.typed(key, "an array of tables", DeValue::as_array) else {
            return Vec::new();
        };
        let table = |value: &'a Spanned<DeValue<'a>>| {
            let Range { start, .. } = value.span();
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.faults.note(
                    start,
                    format!("{key}: expected a table"),
                    "{ name = value, ... }",
                );
            }
            table.map(|table| Table::new(self.faults, table, start, label))
        };
        array.value.iter().filter_map(table).collect()
    }

    /// Texts of an array; nothing where the key is not there.
    pub fn texts(&self, key: &'static str) -> Vec<Found<&'a str>> {
        let Some(array) = self.typed(key, "an array of texts", DeValue::as_array) else {
            return Vec::new();
        };
        let text = |value: &'a Spanned<DeValue<'a>>| {
            let at = value.span().start;
            let text = value.get_ref().as_str();
            if text.is_none() {
                self.faults.note(
                    at,
                    format!("{key}: expected a text"),
                    "texts stand between quotes",
                );
            }
            text.map(|value| Found { at, value })
        };
        array.value.iter().filter_map(text).collect()
    }

    /// A text, or several in an array, of which there is one at least.
    pub fn text_or_texts(&self, key: &'static str, hint: &str) -> Option<Vec<Found<&'a str>>> {
        let several = self.raw().iter().find(|(name, _)| name.get_ref() == key);
        let several = several.is_some_and(|(_, value)| value.get_ref().as_array().is_some());
        if !several {
            return Some(vec![self.need_text(key, hint)?]);
        }
        let texts = self.texts(key);
        if texts.is_empty() {
            self.faults.note(self.at, format!("{key}: nothing stands there"), hint);
        }
        Some(texts).filter(|texts| !texts.is_empty())
    }

    /// Tables under names that the author chose.
    pub fn named(&self, label: &'static str) -> Vec<(&'a str, Table<'a>)> {
        let entry =
            |(name, value): (&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
                let at = name.span().start;
                let table = value.get_ref().as_table();
                if table.is_none() {
                    self.faults.note(
                        at,
                        format!("{}: expected a table", name.get_ref()),
                        "{ name = value, ... }",
                    );
                }
                table.map(|table| {
                    (name.get_ref().as_ref(), Table::new(self.faults, table, at, label))
                })
            };
        self.keys.iter().filter_map(entry).collect()
    }

    fn need(&self, key: &'static str, there: bool, hint: &str) {
        let named = self.keys.iter().any(|(name, _)| name.get_ref() == key);
        // One of the wrong kind was noted already.
        if !there && !named {
            self.faults.note(self.at, format!("{} without {key}", self.label), hint);
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        let mut asked = self.asked.take();
        // A key may have been asked for more than once.
        asked.sort_unstable();
        asked.dedup();
        for name in self.keys.keys() {
            if !asked.contains(&name.get_ref().as_ref()) {
                let what = format!("{} has no key {:?}", self.label, name.get_ref());
                let hint = meant(name.get_ref(), &asked, "keys are");
                self.faults.note(name.span().start, what, hint);
            }
        }
    }
}
