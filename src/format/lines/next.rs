//! Which record begins here, how long it is, and how far the next one is: by what may come, and by
//! the marks that tell records apart.

use std::ops::Range;

use crate::format::charset::{Charset, Sign};
use crate::format::error::shape;
use crate::format::grammar::Next;
use crate::format::lines::delimited::{Delimited, Room};
use crate::format::lines::read::LineReader;
use crate::format::lines::tagged::Tags;
use crate::format::lines::{Mark, Place, RecordPlan, Style};
use crate::format::reading::Stop;

impl LineReader<'_> {
    /// The names of the records that may come.
    pub(super) fn names(&self) -> String {
        let next = self.plan.grammar.next(self.state).iter();
        let names: Vec<&str> =
            next.map(|next| self.plan.records[next.record].name.as_str()).collect();
        if names.is_empty() { "that ends the file".to_owned() } else { names.join(" or ") }
    }

    /// The record in fixed width that begins here: which, its length, and how far to pass.
    pub(super) fn fixed(&mut self, characters: bool) -> Result<(Next, usize, usize), Box<Stop>> {
        let plan = self.plan;
        if plan.line.short {
            return self.short_line(characters);
        }
        let there = self.look(0)?;
        let window = self.input.seen(0, there);
        let candidates = plan.grammar.next(self.state);
        let is =
            |next: &&Next| plan.records[next.record].is_marked(self.charset, characters, window);
        let Some(next) = candidates.iter().find(is).copied() else {
            return Err(Box::new(self.no_record(characters, window)));
        };
        let record = &plan.records[next.record];
        let length = if characters {
            self.charset.characters(window, record.length)
        } else {
            (record.length <= window.len()).then_some(record.length)
        };
        let end = plan.line.end.as_slice();
        let after = length.and_then(|length| window.get(length..));
        let passed = match (length, after) {
            (Some(length), Some(after)) if !plan.line.last_open && begins(after, end) => {
                Some(length + end.len())
            }
            (Some(length), Some(after)) if plan.line.last_open && after == plan.line.file_end => {
                Some(length)
            }
            (Some(length), Some(after)) if plan.line.last_open && after.starts_with(end) => {
                (after.len() > end.len()).then_some(length + end.len())
            }
            _ => None,
        };
        let (Some(length), Some(passed)) = (length, passed) else {
            return Err(Box::new(self.no_line(record, window)));
        };
        Ok((next, length, passed))
    }

    /// The record in fixed width of a line that has no blanks at its end.
    fn short_line(&mut self, characters: bool) -> Result<(Next, usize, usize), Box<Stop>> {
        let plan = self.plan;
        let there = self.look(0)?;
        let end = plan.line.end.as_slice();
        let window = self.input.seen(0, there);
        let line = window.get(..there.min(plan.longest + end.len())).unwrap_or_default();
        let ended = line_end(self.charset, line, end);
        let open = plan.line.last_open && window.ends_with(&plan.line.file_end);
        let (shown, passed) = match ended {
            Some(at) if !plan.line.last_open || at + end.len() < there => (at, at + end.len()),
            None if open && there - plan.line.file_end.len() <= plan.longest => {
                let at = there - plan.line.file_end.len();
                (at, at)
            }
            _ => {
                let found = other_end(line, end);
                let expected = format!("a line of at most {} bytes and its end", plan.longest);
                return self.fail(self.input.at, "", found, &expected);
            }
        };
        let line = line.get(..shown).unwrap_or_default();
        if line.last().is_none_or(|last| *last == b' ') {
            let expected = "a line that does not end with a blank, and is not empty";
            let found = if line.is_empty() { "nothing" } else { "one" };
            return self.fail(self.input.at + shown.saturating_sub(1), "", found, expected);
        }
        let taken = if characters { self.charset.count(line) } else { shown };
        let mut filled = std::mem::take(&mut self.filled);
        filled.clear();
        filled.extend_from_slice(line);
        let most = plan.records.iter().map(|record| record.length).max().unwrap_or(0);
        filled.resize(shown + most.saturating_sub(taken), b' ');
        let mut candidates = plan.grammar.next(self.state).iter();
        let is =
            |next: &&Next| plan.records[next.record].is_marked(self.charset, characters, &filled);
        let found = candidates.find(is).copied();
        let Some(next) = found else {
            return Err(Box::new(self.no_record(characters, &filled)));
        };
        self.filled = filled;
        let record = &plan.records[next.record];
        if taken > record.length {
            let expected = format!("at most {} of the record {}", record.length, record.name);
            return self.fail(self.input.at, "", &format!("a line end after {taken}"), &expected);
        }
        self.shown = shown;
        let missing = record.length - taken;
        self.filled.truncate(shown + missing);
        Ok((next, shown + missing, passed))
    }

    /// None of the records that may come stands here.
    fn no_record(&self, characters: bool, window: &[u8]) -> Stop {
        let candidates = self.plan.grammar.next(self.state);
        if let [only] = candidates {
            let record = &self.plan.records[only.record];
            let missing =
                record.marks.iter().find(|mark| !stands(mark, self.charset, characters, window));
            if let Some(mark) = missing {
                let field = &record.fields[mark.field];
                let words: Vec<String> = mark
                    .words
                    .iter()
                    .map(|word| format!("{:?}", String::from_utf8_lossy(word)))
                    .collect();
                let from = mark.at.min(window.len());
                let found = window.get(from..window.len().min(from + 8)).unwrap_or_default();
                let expected = format!("the constant {}", words.join(" or "));
                let at = self.input.at + mark.at;
                return self.stop(at, &field.cell.name, &shape(found), &expected);
            }
        }
        let found = shape(window.get(..window.len().min(8)).unwrap_or_default());
        let expected = match candidates {
            [] => "the end of the file".to_owned(),
            _ => format!("the record {}", self.names()),
        };
        self.stop(self.input.at, "", &found, &expected)
    }

    /// What begins here is not as long as its record.
    fn no_line(&self, record: &RecordPlan, window: &[u8]) -> Stop {
        let end = self.plan.line.end.as_slice();
        // A line that is too long by a little is told with its length.
        let searched = window.windows(end.len().max(1)).take(2 * record.length + 1);
        let here = searched.enumerate().find(|(_, found)| !end.is_empty() && *found == end);
        let found = match here {
            Some((length, _)) => format!("a line end after {length}"),
            None if window.len() < record.length + end.len() => {
                format!("{} at the end", window.len())
            }
            None => "more".to_owned(),
        };
        let unit = match self.plan.style {
            Style::Fixed { characters: true } => "characters",
            _ => "bytes",
        };
        let with = if end.is_empty() { "" } else { " and its line end" };
        let expected = format!("a record of {} {unit}{with}", record.length);
        self.stop(self.input.at, "", &found, &expected)
    }

    /// The delimited record that begins here.
    pub(super) fn delimited(
        &mut self,
        delimited: &Delimited,
    ) -> Result<(Next, usize, usize), Box<Stop>> {
        let plan = self.plan;
        let end = plan.line.end.as_slice();
        let there = self.look(0)?;
        let window = self.input.seen(0, there);
        // No further than a line may go, however much is in memory.
        let line = window.get(..there.min(plan.longest + end.len())).unwrap_or_default();
        let (length, passed) = match delimited.line(self.charset, line, end) {
            Some(length) if length <= plan.longest => {
                let passed = length + end.len();
                if plan.line.last_open && passed == window.len() {
                    let expected = "no line end behind the last line";
                    return self.fail(self.input.at + length, "", "one", expected);
                }
                (length, passed)
            }
            None if plan.line.last_open
                && there <= plan.longest + plan.line.file_end.len()
                && window.ends_with(&plan.line.file_end) =>
            {
                let length = there - plan.line.file_end.len();
                (length, length)
            }
            _ => {
                let found = other_end(line, end);
                let expected = format!("a line of at most {} bytes and its end", plan.longest);
                return self.fail(self.input.at, "", found, &expected);
            }
        };
        let line = window.get(..length).unwrap_or_default();
        let mut columns = std::mem::take(&mut self.columns);
        let split = delimited.columns(self.charset, line, &mut columns);
        let candidates = plan.grammar.next(self.state);
        let is = |next: &&Next| {
            plan.records[next.record].has_columns(delimited, self.charset, line, &columns)
        };
        let next = candidates.iter().find(is).copied();
        let told = match (&split, candidates) {
            (Err(at), _) => Some((*at, "a field with its quotes and separators".to_owned())),
            (Ok(()), [only]) if next.is_none() => {
                let record = &plan.records[only.record];
                Some((0, format!("a record {} of {} fields", record.name, record.fields.len())))
            }
            (Ok(()), []) => Some((0, "the end of the file".to_owned())),
            (Ok(()), _) => Some((0, format!("the record {}", self.names()))),
        };
        let found = format!("{} fields", columns.len());
        if let Some(next) = next {
            let record = &plan.records[next.record];
            let fields = record.columns(false).0;
            // What takes the rest of the line is not split.
            if let Some(last) = fields.checked_sub(1).and_then(|last| columns.get_mut(last)) {
                let all = columns_end(record, last.end, length);
                last.end = all;
            }
            columns.truncate(fields);
            if record.is_split(delimited) {
                columns = record.split(delimited, self.charset, line, &columns).unwrap_or_default();
            }
        }
        self.columns = columns;
        match next {
            Some(next) if split.is_ok() => Ok((next, length, passed)),
            _ => {
                let (at, expected) = told.unwrap_or_default();
                self.fail(self.input.at + at, "", &found, &expected)
            }
        }
    }

    /// The run of tags that begins here.
    pub(super) fn tagged(&mut self, tags: &Tags) -> Result<(Next, usize, usize), Box<Stop>> {
        let plan = self.plan;
        let there = self.look(0)?;
        let window = self.input.seen(0, there);
        let mut columns = std::mem::take(&mut self.columns);
        let tag = tags.opening(self.charset, window);
        let begins = |next: &&Next| {
            tag.is_some_and(|tag| tag_place(&plan.records[next.record], tag, 0).is_some())
        };
        // Where several have these tags, a constant among them tells which it is.
        let mut first = None;
        let mut chosen = None;
        for next in plan.grammar.next(self.state).iter().filter(begins) {
            let record = &plan.records[next.record];
            let run = self.tag_run(tags, record, window, &mut columns);
            let value = |mark: &Mark| columns.get(mark.field).and_then(|at| window.get(at.clone()));
            let marked = record
                .marks
                .iter()
                .all(|mark| mark.words.iter().any(|word| Some(word.as_slice()) == value(mark)));
            if run.is_ok() && marked {
                chosen = Some((*next, run));
                break;
            }
            first.get_or_insert((*next, run));
        }
        let again = chosen.is_none();
        let Some((next, run)) = chosen.or(first) else {
            self.columns = columns;
            let found = shape(window.get(..window.len().min(24)).unwrap_or_default());
            let expected = format!("the record {}", self.names());
            return self.fail(self.input.at, "", &found, &expected);
        };
        let record = &plan.records[next.record];
        // Another one was tried behind the one that will tell what is wrong.
        let run = if again { self.tag_run(tags, record, window, &mut columns) } else { run };
        self.columns = columns;
        let at = match run {
            Ok(at) => at,
            Err((field, at)) => {
                let name = &record.fields[field].cell.name;
                let expected = "a value and its closing </>";
                return self.fail(self.input.at + at, name, "none", expected);
            }
        };
        let window = self.input.seen(0, there);
        let rest = window.get(at..).unwrap_or_default();
        let end = plan.line.end.as_slice();
        let passed = match (rest.starts_with(end), plan.line.last_open) {
            (true, _) => at + end.len(),
            (false, true) if rest == plan.line.file_end => at,
            _ => {
                let found = shape(rest.get(..rest.len().min(24)).unwrap_or_default());
                let expected = format!("a field of {} and the line end", record.name);
                return self.fail(self.input.at + at, "", &found, &expected);
            }
        };
        Ok((next, at, passed))
    }

    /// The values of a run of tags of this record, and its length; or the field, and the byte, at which
    /// there is no value.
    fn tag_run(
        &self,
        tags: &Tags,
        record: &RecordPlan,
        window: &[u8],
        columns: &mut Vec<Range<usize>>,
    ) -> Result<usize, (usize, usize)> {
        columns.clear();
        columns.resize(record.fields.len(), 0..0);
        let (mut at, mut from) = (0, 0);
        while let Some(tag) = tags.opening(self.charset, window.get(at..).unwrap_or_default()) {
            let Some(field) = tag_place(record, tag, from) else { break };
            let value = at + tag.len();
            let length = tags.value_length(self.charset, window.get(value..).unwrap_or_default());
            let Some(length) = length.filter(|length| value + length <= self.plan.longest) else {
                return Err((field, value));
            };
            columns[field] = value..value + length;
            (at, from) = (value + length + tags.close.len(), field + 1);
        }
        Ok(at)
    }
}

/// Where a line ends, in a character set that has ASCII: at the first line end that is no part of a
/// character.
pub(super) fn line_end(charset: Charset, bytes: &[u8], end: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = charset.find(bytes, from, Sign::byte(*end.first()?))?;
        if bytes.get(at..)?.starts_with(end) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Where the last field of a record ends.
fn columns_end(record: &RecordPlan, found: usize, length: usize) -> usize {
    match record.fields.last().map(|field| &field.place) {
        Some(Place::Column { room: Room { rest: true, .. }, .. }) => length,
        _ => found,
    }
}

impl RecordPlan {
    /// Is all that tells it from others where it should be, in what begins here?
    #[inline]
    pub(super) fn is_marked(&self, charset: Charset, characters: bool, bytes: &[u8]) -> bool {
        self.marks.iter().all(|mark| stands(mark, charset, characters, bytes))
    }

    /// Would what was written as another record be taken for this one?
    pub(super) fn takes(&self, style: &Style, charset: Charset, bytes: &[u8]) -> bool {
        match style {
            Style::Fixed { characters } => self.is_marked(charset, *characters, bytes),
            Style::Delimited(delimited) => {
                let mut columns = Vec::new();
                delimited.columns(charset, bytes, &mut columns).is_ok()
                    && self.has_columns(delimited, charset, bytes, &columns)
            }
            Style::Tagged(_) | Style::Xml => false,
        }
    }
}

/// Which field of a record, from one on, has this tag.
fn tag_place(record: &RecordPlan, tag: &[u8], from: usize) -> Option<usize> {
    let fields = record.fields.iter().enumerate().skip(from);
    let mut fields = fields;
    fields.find_map(|(at, field)| match &field.place {
        Place::Tag { open, .. } if open == tag => Some(at),
        _ => None,
    })
}

/// Does one of the words stand where it should?
#[inline]
fn stands(mark: &Mark, charset: Charset, characters: bool, window: &[u8]) -> bool {
    let at = if characters { charset.characters(window, mark.at) } else { Some(mark.at) };
    let rest = at.and_then(|at| window.get(at..)).unwrap_or_default();
    mark.words.iter().any(|word| begins(rest, word))
}

/// Do the bytes begin so? Most often by one byte, for which no call is worth its while.
#[inline]
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    match with {
        [byte] => bytes.first() == Some(byte),
        _ => bytes.starts_with(with),
    }
}

/// What is told where a line does not end as it is said to: that it ends otherwise is the usual slip of a file
/// that went through somebody's hands.
fn other_end(line: &[u8], end: &[u8]) -> &'static str {
    match end {
        b"\r\n" if line.contains(&b'\n') => "none; it ends with LF, not with CRLF",
        b"\r" if line.contains(&b'\n') => "none; it ends with LF, not with CR",
        b"\n" if line.contains(&b'\r') => "none; it ends with CR, not with LF",
        _ => "none",
    }
}
