//! Reading records one after the other: which one it is, its fields, and what it says of the others.

use std::ops::Range;

use crate::format::bounds::{Beyond, Bounds};
use crate::format::cell::{ReadFault, not};
use crate::format::charset::Charset;
use crate::format::computed::{Computed, DigestOf, Stated, check_digits};
use crate::format::grammar::Next;
use crate::format::input::Input;
use crate::format::lines::delimited::Room;
use crate::format::lines::{Field, LinesPlan, Place, RecordPlan, RecordRole, Style};
use crate::format::reading::{Records, Step, Stop};
use crate::format::record::Record;
use crate::format::steps::Steps;
use crate::format::tallies::{Open, Tallies};
use crate::guard::digest::same;

/// Walks through one part.
pub(crate) struct LineReader<'f> {
    pub(super) plan: &'f LinesPlan,
    pub(super) charset: Charset,
    pub input: Input<'f>,
    pub(super) state: Option<usize>,
    /// Records read so far.
    pub record: usize,
    bounds: Bounds,
    tallies: Tallies,
    stated: Stated,
    /// What records state of other parts, with the field that does.
    pub declared: Vec<(Computed, String, String)>,
    pub(super) columns: Vec<Range<usize>>,
    unquoted: Vec<u8>,
    /// A line of which blanks were left out at its end, with them, and how long it is without.
    pub(super) filled: Vec<u8>,
    pub(super) shown: usize,
    /// Where the fields of the record that was read last stand, for those who ask.
    places: Option<Vec<(usize, Range<usize>)>>,
    steps: Steps,
}

/// One record, as it stands in the part.
pub(crate) enum One {
    Record { next: Next, bad: Option<Box<Stop>>, start: usize, number: usize },
    End,
}

impl<'f> LineReader<'f> {
    pub fn new(plan: &'f LinesPlan, charset: Charset, input: Input<'f>) -> Self {
        Self {
            plan,
            charset,
            input,
            state: None,
            record: 0,
            bounds: Bounds::default(),
            tallies: Tallies::new(&plan.tallies, &plan.grammar),
            stated: Stated::default(),
            declared: Vec::new(),
            columns: Vec::new(),
            unquoted: Vec::new(),
            filled: Vec::new(),
            shown: usize::MAX,
            places: None,
            steps: Steps::default(),
        }
    }

    /// Keeps the places of fields from here on.
    pub fn keep_places(&mut self) {
        self.places = Some(Vec::new());
    }

    /// The fields of the record that was read last, each with its bytes in the part.
    pub fn places(&self) -> Vec<(&'f str, Range<usize>)> {
        let plan = self.plan;
        let Some(record) = self.state.and_then(|record| plan.records.get(record)) else {
            return Vec::new();
        };
        let places = self.places.iter().flatten();
        places.map(|(at, place)| (record.fields[*at].cell.name.as_str(), place.clone())).collect()
    }

    /// Reads on to the next thing that the road knows: the head, a payment, what stands behind.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Box<Stop>> {
        // Most of a file is rows of one record each, and nothing is to be told before them.
        if self.steps.is_between_rows() {
            match self.one(into, false)? {
                One::Record { next, bad: None, .. } if self.plan.is_whole_row(next.record) => {
                    return Ok(Step::Row);
                }
                other => self.steps.put_back(other),
            }
        }
        let mut steps = std::mem::take(&mut self.steps);
        let told = steps.step(self.plan, into, |into| self.one(into, false));
        self.steps = steps;
        told
    }

    /// Reads one record into its place, or into the spare one.
    pub fn one(&mut self, into: &mut Records, spare: bool) -> Result<One, Box<Stop>> {
        let end = self.plan.line.end.len();
        // Behind the last value of a run of tags, the next tag says whether another one follows.
        let tag = if let Style::Tagged(tags) = &self.plan.style { tags.behind() } else { 0 };
        let least = self.plan.longest + tag + end + self.plan.line.file_end.len() + 1;
        let there = self.look(least)?;
        if self.is_end(there, least)? {
            return Ok(One::End);
        }
        let start = self.input.at;
        let (next, length, passed) = match &self.plan.style {
            Style::Fixed { characters } => self.fixed(*characters)?,
            Style::Delimited(delimited) => self.delimited(delimited)?,
            Style::Tagged(tags) => self.tagged(tags)?,
            // A document has a reader of its own.
            Style::Xml => return self.fail(start, "", "a document", "records"),
        };
        let plan = &self.plan.records[next.record];
        self.record += 1;
        let of_row = self.plan.is_of_row(next.record);
        let record = match plan.role {
            _ if spare => &mut into.spare,
            Some(RecordRole::Row) => &mut into.row,
            Some(RecordRole::Head) => &mut into.head,
            Some(RecordRole::Tail) => &mut into.tail,
            None => &mut into.spare,
        };
        if spare || of_row || plan.role.is_none() {
            record.clear();
        } else {
            plan.slots().for_each(|slot| record.unset_slot(slot));
        }
        self.stated.clear();
        let mut read = if self.quick_fields(plan, length, record) {
            Ok(())
        } else {
            self.fields(plan, start, length, record)
        };
        if !plan.signs.is_empty() {
            let wrong = plan.take_signs(record, &mut self.stated);
            read = read.and_then(|()| self.wrong(start, wrong));
        }
        let read = read.and_then(|()| {
            let wrong = plan.against_condition(record);
            self.wrong(start, wrong)
        });
        let bad = match read {
            Ok(()) => None,
            Err(stop) if of_row => Some(stop),
            Err(stop) => return Err(stop),
        };
        if self.plan.grammar.counted {
            let bounds = self.bounds.pass(&self.plan.grammar, next);
            bounds.map_err(|beyond| Box::new(self.beyond(beyond)))?;
        }
        if next.enters.is_some() {
            let enter =
                self.tallies.enter(&self.plan.tallies, &self.plan.grammar, next, plan.group);
            enter.map_err(|open| Box::new(self.open_here(start, &open)))?;
        }
        if !plan.touches.is_empty()
            && !self.tallies.count(&self.plan.tallies, &plan.touches, record, bad.is_some())
        {
            return Err(Box::new(self.open_here(start, &Open::no_number())));
        }
        if plan.computes {
            self.compare(plan, start, record, bad.is_some())?;
        }
        self.state = Some(next.record);
        self.input.pass(passed);
        Ok(One::Record { next, bad, start, number: self.record })
    }

    /// A field that does not fit the others of the record which begins here, if there is one.
    fn wrong(
        &self,
        start: usize,
        wrong: Option<(&Field, [&'static str; 2])>,
    ) -> Result<(), Box<Stop>> {
        let Some((field, [found, expected])) = wrong else { return Ok(()) };
        let stop = self.stop(start, &field.cell.name, found, expected);
        Err(Box::new(Stop { record: self.record, ..stop }))
    }

    /// At least so many bytes, or all that are left; tells how many there are.
    pub(super) fn look(&mut self, least: usize) -> Result<usize, Box<Stop>> {
        let (record, at) = (self.record, self.input.at);
        let window = self.input.window(least);
        window.map(<[u8]>::len).map_err(|error| Box::new(broken(record, at, &error)))
    }

    /// Is this the end of the part, and may it be?
    fn is_end(&mut self, there: usize, least: usize) -> Result<bool, Box<Stop>> {
        let line = &self.plan.line;
        let at_end = there < least && { self.input.seen(0, there) == line.file_end };
        let fills = line.block.is_some_and(|block| {
            let filling = self.input.seen(0, self.plan.longest);
            self.plan.grammar.may_end(self.state)
                && filling.len() == self.plan.longest
                && block.fills(filling)
        });
        if fills {
            self.filling()?;
        } else if !at_end {
            return Ok(false);
        }
        if !self.plan.grammar.may_end(self.state) {
            let expected = format!("the record {}", self.names());
            return self.fail(self.input.at, "", "the end", &expected);
        }
        let lines = self.plan.line.block.map_or(1, |block| block.lines);
        if !fills && !self.record.is_multiple_of(lines) {
            let expected = format!("lines up to a multiple of {lines}");
            return self.fail(self.input.at, "", "the end", &expected);
        }
        let end = self.bounds.end(&self.plan.grammar);
        end.map_err(|beyond| Box::new(self.beyond(beyond)))?;
        let finish = self.tallies.finish(&self.plan.tallies);
        finish.map_err(|open| Box::new(self.open(self.input.at, &open)))?;
        self.input.pass(self.plan.line.file_end.len());
        Ok(true)
    }

    /// Filling lines up to a multiple, and then the end.
    fn filling(&mut self) -> Result<(), Box<Stop>> {
        let plan = self.plan;
        let Some(block) = plan.line.block else { return Ok(()) };
        let mut lines = self.record;
        loop {
            let least = plan.longest + plan.line.end.len() + plan.line.file_end.len() + 1;
            let there = self.look(least)?;
            if self.input.seen(0, there) == plan.line.file_end {
                break;
            }
            let filling = self.input.seen(0, plan.longest);
            let whole = filling.len() == plan.longest && block.fills(filling);
            let end = self.input.seen(plan.longest, plan.longest + plan.line.end.len());
            let behind = self.input.seen(plan.longest, there.max(plan.longest));
            let last = plan.line.last_open && behind == plan.line.file_end;
            if !whole || (end != plan.line.end && !last) {
                return self.fail(self.input.at, "", "something else", "filling lines");
            }
            self.input.pass(plan.longest + if last { 0 } else { plan.line.end.len() });
            lines += 1;
        }
        if lines.is_multiple_of(block.lines) {
            return Ok(());
        }
        let expected = format!("lines up to a multiple of {}", block.lines);
        self.fail(self.input.at, "", &format!("{lines} lines"), &expected)
    }

    /// All fields of a record in fixed width, as most are; tells whether that is all. Where they have a
    /// fault, or stand otherwise, they are looked at one by one.
    fn quick_fields(&mut self, plan: &RecordPlan, length: usize, into: &mut Record) -> bool {
        let plain = matches!(self.plan.style, Style::Fixed { characters: false });
        if !plain || self.plan.line.short || self.places.is_some() {
            return false;
        }
        let bytes = self.input.seen(0, length);
        for field in plan.fields.iter().filter(|field| !field.chosen_by) {
            let Place::Slab(slab) = &field.place else { return false };
            let value = bytes.get(slab.start..slab.start + slab.width).unwrap_or_default();
            if slab.take(&field.cell, self.charset, value, into, &mut self.stated).is_err() {
                // All of it is read again, and nothing twice.
                self.stated.clear();
                plan.slots().for_each(|slot| into.unset_slot(slot));
                return false;
            }
        }
        true
    }

    /// All fields; the first fault is told, and what can be read is read nevertheless.
    fn fields(
        &mut self,
        plan: &RecordPlan,
        start: usize,
        length: usize,
        into: &mut Record,
    ) -> Result<(), Box<Stop>> {
        let bytes = if self.plan.line.short {
            self.filled.get(..length).unwrap_or_default()
        } else {
            self.input.seen(0, length)
        };
        // What was left out at the end of a line stands nowhere.
        let shown = |at: usize| start + at.min(self.shown);
        let mut first = None;
        let mut at = 0;
        if let Some(places) = &mut self.places {
            places.clear();
        }
        for (index, field) in plan.fields.iter().enumerate() {
            if field.chosen_by
                && let (Place::Slab(slab), Style::Fixed { characters: false }) =
                    (&field.place, &self.plan.style)
            {
                let from = at;
                at += slab.width;
                if let Some(places) = &mut self.places {
                    places.push((index, shown(from)..shown(at)));
                }
                continue;
            }
            let (here, fault) = match (&field.place, &self.plan.style) {
                (Place::Slab(slab), Style::Fixed { characters }) => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let width = if *characters {
                        self.charset.characters(rest, slab.width).unwrap_or(rest.len())
                    } else {
                        slab.width
                    };
                    let value = rest.get(..width).unwrap_or_default();
                    let from = at;
                    at += width;
                    (
                        from..at,
                        slab.take(&field.cell, self.charset, value, into, &mut self.stated).err(),
                    )
                }
                (_, Style::Delimited(delimited)) => {
                    let column = self.columns.get(index).cloned().unwrap_or_default();
                    let raw = bytes.get(column.clone()).unwrap_or_default();
                    let value = delimited.value(self.charset, raw, &mut self.unquoted);
                    (column, read_value(field, self.charset, value, into, &mut self.stated).err())
                }
                _ => {
                    let column = self.columns.get(index).cloned().unwrap_or_default();
                    let value = bytes.get(column.clone()).unwrap_or_default();
                    (column, read_value(field, self.charset, value, into, &mut self.stated).err())
                }
            };
            if let Some(places) = &mut self.places
                && !here.is_empty()
            {
                places.push((index, shown(here.start)..shown(here.end)));
            }
            if let Some(fault) = fault
                && first.is_none()
            {
                first = Some(Box::new(Stop {
                    record: self.record,
                    field: field.cell.name.clone(),
                    offset: Some(start + here.start + fault.at),
                    found: fault.found,
                    expected: fault.expected,
                }));
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// What the record says of the others, and of itself.
    fn compare(
        &mut self,
        plan: &RecordPlan,
        start: usize,
        record: &Record,
        bad: bool,
    ) -> Result<(), Box<Stop>> {
        let mut digits = Vec::new();
        check_digits(plan.check_digits.iter(), record, &mut digits);
        for (computed, number, field) in std::mem::take(&mut self.stated.numbers) {
            let open = match &computed {
                Computed::Tally(at) => {
                    self.tallies.state(&self.plan.tallies, *at, number, &field).err()
                }
                Computed::CheckDigit(digit) if !bad => {
                    let known = digits.iter().find(|(known, _)| known == digit);
                    let found = known.map_or(-1, |(_, found)| *found);
                    (found != number).then(|| Open::stated(&field, number, found))
                }
                _ => None,
            };
            if let Some(open) = open {
                return Err(Box::new(self.open_here(start, &open)));
            }
        }
        for (computed, text, field) in std::mem::take(&mut self.stated.texts) {
            // What stands before this record has passed by already.
            if let Computed::Digest { how, of: of @ DigestOf::Before } = &computed {
                let found = self.input.digest_so_far(*how, *of).unwrap_or_default();
                let stated = text.to_ascii_lowercase();
                if !same(found.as_bytes(), stated.as_bytes()) {
                    let expected = format!("the {} of what stands before", how.told());
                    let stop = self.stop(start, &field, "another one", &expected);
                    return Err(Box::new(Stop { record: self.record, ..stop }));
                }
            } else {
                self.declared.push((computed, text, field));
            }
        }
        Ok(())
    }

    /// A record or group here stands too often, or one before it not often enough.
    fn beyond(&self, beyond: Beyond) -> Stop {
        let found = if beyond.too_often { "more" } else { "fewer" };
        self.stop(self.input.at, "", found, &self.plan.beyond(beyond))
    }

    fn open(&self, at: usize, open: &Open) -> Stop {
        self.stop(at, &open.field, &open.found, &open.expected)
    }

    /// The same of the record that was just read.
    fn open_here(&self, at: usize, open: &Open) -> Stop {
        Stop { record: self.record, ..self.open(at, open) }
    }

    pub(super) fn fail<T>(
        &self,
        at: usize,
        field: &str,
        found: &str,
        expected: &str,
    ) -> Result<T, Box<Stop>> {
        Err(Box::new(self.stop(at, field, found, expected)))
    }

    pub(super) fn stop(&self, at: usize, field: &str, found: &str, expected: &str) -> Stop {
        Stop {
            record: self.record + 1,
            field: field.to_owned(),
            offset: Some(at),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

/// A value that has no filling.
fn read_value(
    field: &Field,
    charset: Charset,
    value: &[u8],
    into: &mut Record,
    stated: &mut Stated,
) -> Result<(), Box<ReadFault>> {
    if value.is_empty() {
        if field.cell.may_be_empty() {
            return Ok(());
        }
        let expected = "a value".to_owned();
        return Err(Box::new(ReadFault { at: 0, found: "nothing".to_owned(), expected }));
    }
    if let Place::Column { room: Room { width: Some(exact), .. }, .. } = field.place
        && value.len() != exact
        && field.cell.absent.as_ref().is_none_or(|absent| absent.bytes != value)
    {
        return Err(not(value, &format!("{exact} bytes, no more and no fewer")));
    }
    field.cell.read(charset, value, into, stated)
}

fn broken(record: usize, at: usize, error: &std::io::Error) -> Stop {
    Stop {
        record,
        field: String::new(),
        offset: Some(at),
        found: error.to_string(),
        expected: "the rest of the part".to_owned(),
    }
}
