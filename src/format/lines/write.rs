//! Writing records one after the other, in the order that the description allows.

use crate::format::bounds::Bounds;
use crate::format::cell::{Cell, Pen};
use crate::format::charset::Charset;
use crate::format::computed::{DigestOf, Facts, check_digits};
use crate::format::digests::{Digesting, Passing};
use crate::format::error::{FieldError, FieldFault};
use crate::format::grammar::{Item, Next};
use crate::format::lines::next::line_end;
use crate::format::lines::{Joint, LinesPlan, Place, RecordPlan, RecordRole, Style};
use crate::format::pouring::{HELD_BYTES, Spill};
use crate::format::tallies::{NUMBERS, Tallies};
use crate::format::words::{Slot, Source};
use crate::format::writing::{RowAndHead, WriteFault};

/// What is done with each record of a message, in its order.
pub(crate) type Each<'e> = dyn FnMut(usize, &dyn Source) -> Result<(), WriteFault> + 'e;

/// Writes one part, record by record.
pub(crate) struct LineWriter<'p> {
    plan: &'p LinesPlan,
    charset: Charset,
    state: Option<usize>,
    bounds: Bounds,
    tallies: Tallies,
    facts: Facts,
    /// Digests of what stands before a record that states them, and how much of what is held went
    /// through them.
    before: Vec<(Digesting, Passing)>,
    digested: usize,
    /// Records so far.
    records: usize,
    /// The last one has nothing in it.
    empty: bool,
}

impl LinesPlan {
    /// Writes head and rows in the order of the description.
    pub fn write<R: Source>(
        &self,
        charset: Charset,
        facts: Facts,
        head: &dyn Source,
        rows: &[R],
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        if let Some(size) = self.bytes(rows.len()) {
            out.reserve(size);
        }
        // All of it is kept.
        let mut keep = |_: &mut Vec<u8>| Ok(());
        self.write_all(charset, facts, out, &mut keep, |each| self.walk(None, head, rows, each))
    }

    /// Writes records as `pass` gives them. Where a number must be known before the records that it
    /// counts, they are passed twice. `spill` may take what there is now and then.
    pub fn write_all(
        &self,
        charset: Charset,
        facts: Facts,
        out: &mut Vec<u8>,
        spill: &mut Spill<'_>,
        pass: impl Fn(&mut Each<'_>) -> Result<(), WriteFault>,
    ) -> Result<(), WriteFault> {
        let mut writer = LineWriter::new(self, charset, facts);
        writer.look_ahead(&pass)?;
        pass(&mut |record, source| {
            writer.put(record, source, out)?;
            if out.len() < HELD_BYTES {
                return Ok(());
            }
            writer.digest(out);
            spill(out)?;
            writer.digested = out.len();
            Ok(())
        })?;
        writer.finish(out)
    }

    /// Goes through the items of a group once: what speaks of the whole from `head`, the rows in
    /// between.
    pub(crate) fn walk<R: Source>(
        &self,
        group: Option<usize>,
        head: &dyn Source,
        rows: &[R],
        each: &mut Each<'_>,
    ) -> Result<(), WriteFault> {
        for item in &self.grammar.items[group.unwrap_or(self.grammar.groups.len())] {
            match *item {
                Item::Record(at) if self.records[at].role == Some(RecordRole::Row) => {
                    for row in rows {
                        each(at, &RowAndHead { row, head })?;
                    }
                }
                Item::Record(at) => {
                    if self.records[at].stands(head) {
                        each(at, head)?;
                    }
                }
                Item::Group(at) if self.grammar.groups[at].row => {
                    for row in rows {
                        self.walk_row(at, &RowAndHead { row, head }, each)?;
                    }
                }
                Item::Group(at) => {
                    let of_rows = (0..self.records.len()).any(|record| {
                        self.is_of_row(record) && self.grammar.is_in(self.records[record].group, at)
                    });
                    if !self.grammar.groups[at].occurs.optional() || (of_rows && !rows.is_empty()) {
                        self.walk(Some(at), head, rows, each)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes through the records of one payment.
    fn walk_row(
        &self,
        group: usize,
        source: &dyn Source,
        each: &mut Each<'_>,
    ) -> Result<(), WriteFault> {
        for item in &self.grammar.items[group] {
            match *item {
                Item::Record(at) if self.records[at].stands(source) => each(at, source)?,
                Item::Record(_) => {}
                Item::Group(at) => {
                    let inside = |at: &usize| self.grammar.is_in(self.records[*at].group, group);
                    let stands = (0..self.records.len()).filter(inside).any(|at| {
                        self.records[at].occurs.optional() && self.records[at].stands(source)
                    });
                    if stands || !self.grammar.groups[at].occurs.optional() {
                        self.walk_row(at, source, each)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl RecordPlan {
    /// Does this record stand for these values? An optional one does where it has any.
    fn stands(&self, source: &dyn Source) -> bool {
        match &self.when {
            Some(when) => when.holds(source),
            None if !self.occurs.optional() => true,
            None => self.slots().any(|slot| source.slot(slot).is_some()),
        }
    }
}

impl<'p> LineWriter<'p> {
    pub fn new(plan: &'p LinesPlan, charset: Charset, mut facts: Facts) -> Self {
        let tallies = Tallies::new(&plan.tallies, &plan.grammar);
        let before = std::mem::take(&mut facts.before);
        let (state, digested, records, empty) = (None, 0, 0, false);
        let bounds = Bounds::default();
        Self { plan, charset, state, bounds, tallies, facts, before, digested, records, empty }
    }

    /// Lets the records pass once before they are written, where a number must be known before the
    /// records that it counts.
    pub fn look_ahead(
        &mut self,
        pass: &dyn Fn(&mut Each<'_>) -> Result<(), WriteFault>,
    ) -> Result<(), WriteFault> {
        if self.plan.tallies.iter().any(|tally| tally.ahead) {
            self.tallies.begin_first();
            pass(&mut |record, source| self.step(record, source).map(|_| ()))?;
            self.tallies.begin_second(&self.plan.tallies, &self.plan.grammar);
            (self.state, self.records) = (None, 0);
            self.bounds = Bounds::default();
        }
        Ok(())
    }

    /// A record passes by: it may stand here, and it counts.
    pub fn step(&mut self, record: usize, source: &dyn Source) -> Result<Next, WriteFault> {
        let lines = self.plan;
        let plan = &lines.records[record];
        self.records += 1;
        let next = lines.grammar.next(self.state);
        let Some(next) = next.iter().find(|next| next.record == record).copied() else {
            let names: Vec<&str> =
                next.iter().map(|next| lines.records[next.record].name.as_str()).collect();
            let expected = match names.as_slice() {
                [] => "no further record".to_owned(),
                names => format!("a record {} here", names.join(" or ")),
            };
            return Err(self.not_in_place(plan.name.clone(), expected));
        };
        self.bounds
            .pass(&lines.grammar, next)
            .map_err(|beyond| self.not_in_place(plan.name.clone(), lines.beyond(beyond)))?;
        self.state = Some(record);
        // Nothing is stated while writing, so that nothing can fail to come true.
        drop(self.tallies.enter(&lines.tallies, &lines.grammar, next, plan.group));
        if !self.tallies.count(&lines.tallies, &plan.touches, source, false) {
            return Err(self.not_in_place(plan.name.clone(), NUMBERS.to_owned()));
        }
        Ok(next)
    }

    /// A fault of a record that stands where it may not.
    fn not_in_place(&self, record: String, expected: String) -> WriteFault {
        let fault = FieldFault::OutOfRange { expected };
        self.fault(FieldError { key: None, field: record, fault })
    }

    /// Works out what the record that passed by says of the others and of itself.
    pub fn work_out(&mut self, record: usize, source: &dyn Source) {
        let plan = &self.plan.records[record];
        if plan.computes {
            self.facts.tallies.resize(self.plan.tallies.len(), 0);
            for at in plan.tallies() {
                self.facts.tallies[at] = self.tallies.value(&self.plan.tallies, at);
            }
            check_digits(plan.check_digits.iter(), source, &mut self.facts.check_digits);
        }
    }

    /// What the values of the record that passed by are written with.
    pub const fn pen(&self) -> Pen<'_> {
        Pen { charset: self.charset, facts: &self.facts }
    }

    /// A fault of the record that passed by.
    pub const fn fault(&self, error: FieldError) -> WriteFault {
        WriteFault { record: self.records, error }
    }

    /// May the part end behind the records that passed by?
    pub fn close(&mut self) -> Result<(), WriteFault> {
        let grammar = &self.plan.grammar;
        if grammar.may_end(self.state) {
            let end = self.bounds.end(grammar);
            return end
                .map_err(|beyond| self.not_in_place(String::new(), self.plan.beyond(beyond)));
        }
        let next = grammar.next(self.state).first();
        let name = next.map_or("record", |next| self.plan.records[next.record].name.as_str());
        let error = FieldError { key: None, field: name.to_owned(), fault: FieldFault::Missing };
        Err(WriteFault { record: self.records + 1, error })
    }

    /// Appends one record.
    fn put(
        &mut self,
        record: usize,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        let before = self.state;
        let begun = before.is_some();
        self.step(record, source)?;
        self.work_out(record, source);
        let plan = &self.plan.records[record];
        if begun && self.plan.line.last_open {
            out.extend_from_slice(&self.plan.line.end);
        }
        if !self.before.is_empty() && plan.digests(DigestOf::Before).next().is_some() {
            self.digest(out);
            let known = self.before.iter();
            let known =
                known.map(|(how, so_far)| (*how, DigestOf::Before, so_far.clone().finish()));
            self.facts.digests.retain(|(_, of, _)| *of != DigestOf::Before);
            self.facts.digests.extend(known);
        }
        let from = out.len();
        write_fields(&self.plan.style, plan, &self.pen(), source, out)
            .map_err(|error| self.fault(error))?;
        if plan.otherwise {
            self.unlike_others(before, plan, out.get(from..).unwrap_or_default())?;
        }
        if self.plan.line.short {
            let written = out.get(from..).unwrap_or_default();
            let blanks = written.iter().rev().take_while(|byte| **byte == b' ').count();
            out.truncate(out.len() - blanks);
            if out.len() == from {
                let fault =
                    FieldFault::OutOfRange { expected: "a record that is not blank".to_owned() };
                return Err(self.fault(FieldError { key: None, field: plan.name.clone(), fault }));
            }
            self.ends_once(plan, from, out)?;
        }
        self.empty = out.len() == from;
        if !self.plan.line.last_open {
            out.extend_from_slice(&self.plan.line.end);
        }
        Ok(())
    }

    /// A line that is not told by its length ends where its end first stands, so that no value may
    /// have it in it.
    fn ends_once(
        &self,
        plan: &RecordPlan,
        from: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), WriteFault> {
        let (length, end) = (out.len(), self.plan.line.end.as_slice());
        out.extend_from_slice(end);
        let line = out.get(from..).unwrap_or_default();
        let found = line_end(self.charset, line, end);
        let inside = found.filter(|at| from + at != length).map(|at| match self.plan.style {
            Style::Fixed { characters: true } => {
                self.charset.count(line.get(..at).unwrap_or_default())
            }
            _ => at,
        });
        out.truncate(length);
        let Some(at) = inside else { return Ok(()) };
        let begun = plan
            .fields
            .iter()
            .take_while(|field| matches!(&field.place, Place::Slab(slab) if slab.start <= at));
        let cell = begun.last().map(|field| &field.cell);
        let character = end.first().copied().map_or(' ', char::from);
        Err(self.fault(FieldError {
            key: cell.and_then(Cell::slot).and_then(Slot::key),
            field: cell.map_or_else(|| plan.name.clone(), |cell| cell.name.clone()),
            fault: FieldFault::NotEncodable { character },
        }))
    }

    /// What stands where no other record begins must not begin like one.
    fn unlike_others(
        &self,
        before: Option<usize>,
        plan: &RecordPlan,
        written: &[u8],
    ) -> Result<(), WriteFault> {
        let (lines, charset) = (self.plan, self.charset);
        let others = lines.grammar.next(before).iter().map(|next| &lines.records[next.record]);
        let mut others = others.filter(|other| !other.otherwise);
        let taken = others.find(|other| other.takes(&lines.style, charset, written));
        let expected = match (taken, lines.line.block) {
            (Some(other), _) => format!("a record that does not begin like {}", other.name),
            (None, Some(block)) if block.fills(written) => {
                "a record that is not like a filling line".to_owned()
            }
            _ => return Ok(()),
        };
        let fault = FieldFault::OutOfRange { expected };
        Err(self.fault(FieldError { key: None, field: plan.name.clone(), fault }))
    }

    /// What is held and has not gone through the digests yet goes through them.
    fn digest(&mut self, out: &[u8]) {
        let more = out.get(self.digested..).unwrap_or_default();
        self.before.iter_mut().for_each(|(_, digest)| digest.update(more));
        self.digested = out.len();
    }

    /// What stands behind the last record.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), WriteFault> {
        self.close()?;
        let line = &self.plan.line;
        if let (true, true, Some(last)) = (line.last_open, self.empty, self.state) {
            // Nothing at all behind the line end before it would be read as that record.
            let expected = "a last record that is not empty, as its line has no end".to_owned();
            let field = self.plan.records[last].name.clone();
            let fault = FieldFault::OutOfRange { expected };
            return Err(self.fault(FieldError { key: None, field, fault }));
        }
        if let Some(block) = line.block {
            while !self.records.is_multiple_of(block.lines) {
                if line.last_open && self.records > 0 {
                    out.extend_from_slice(&line.end);
                }
                let signs = self.plan.longest / block.fill.length();
                (0..signs).for_each(|_| out.extend_from_slice(block.fill.bytes()));
                if !line.last_open {
                    out.extend_from_slice(&line.end);
                }
                self.records += 1;
            }
        }
        out.extend_from_slice(&line.file_end);
        Ok(())
    }
}

/// Appends the fields of one record.
pub(crate) fn write_fields(
    style: &Style,
    plan: &RecordPlan,
    pen: &Pen<'_>,
    source: &dyn Source,
    out: &mut Vec<u8>,
) -> Result<(), FieldError> {
    let least = match style {
        Style::Delimited(delimited) => plan.columns(delimited.short).0,
        _ => 0,
    };
    // What is left out stands behind the last value, of the line and of each column.
    let (mut last, mut column, mut columns) = (0, 0, 0);
    for (at, field) in plan.fields.iter().enumerate() {
        let put = match (&field.place, style) {
            (Place::Slab(slab), Style::Fixed { characters }) => {
                slab.put(&field.cell, *characters, pen, source, out)
            }
            (Place::Column { room, joint }, Style::Delimited(delimited)) => {
                match joint {
                    Joint::Separator if at > 0 => {
                        if delimited.short {
                            out.truncate(column);
                        }
                        out.extend_from_slice(delimited.separator.bytes());
                        columns += 1;
                    }
                    Joint::Inner => {
                        if let Some(sign) = delimited.inner {
                            out.extend_from_slice(sign.bytes());
                        }
                    }
                    Joint::Separator | Joint::Glued => {}
                }
                let from = out.len();
                let put = delimited.put(&field.cell, *room, pen, source, out);
                if *joint == Joint::Separator || out.len() > from {
                    column = out.len();
                }
                if out.len() > from || (*joint == Joint::Separator && columns < least) {
                    last = out.len();
                }
                put
            }
            (Place::Tag { open, width_max }, Style::Tagged(tags)) => {
                tags.put(&field.cell, open, *width_max, pen, source, out)
            }
            _ => Ok(()),
        };
        put.map_err(|fault| FieldError {
            key: field.cell.slot().and_then(Slot::key),
            field: field.cell.name.clone(),
            fault,
        })?;
    }
    if let Style::Delimited(delimited) = style {
        if delimited.short {
            out.truncate(last);
        }
        if delimited.trailing {
            out.extend_from_slice(delimited.separator.bytes());
        }
    }
    Ok(())
}
