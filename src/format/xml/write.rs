//! Writing a document: the records as they pass by, and the tags around them.

use crate::format::cell::Pen;
use crate::format::charset::Charset;
use crate::format::computed::Facts;
use crate::format::error::{FieldError, FieldFault};
use crate::format::grammar::{Item, Next};
use crate::format::lines::Place;
use crate::format::lines::write::{Each, LineWriter};
use crate::format::pouring::{HELD_BYTES, Spill};
use crate::format::respelled::respell;
use crate::format::words::{Slot, Source};
use crate::format::writing::WriteFault;
use crate::format::xml::markup::TAG_BYTES_MAX;
use crate::format::xml::{Does, FieldRef, XmlPlan, put};

/// An element that is being written.
struct Open {
    scope: usize,
    /// Its next step.
    at: usize,
}

/// An element that is left out again if nothing stands in it.
struct Mark {
    from: usize,
    stands: bool,
}

/// A document while it is written.
struct Document<'p> {
    plan: &'p XmlPlan,
    open: Vec<Open>,
    marks: Vec<Mark>,
}

impl XmlPlan {
    /// Writes the records that `pass` gives. `spill` may take what there is now and then.
    pub fn write_all(
        &self,
        charset: Charset,
        facts: Facts,
        out: &mut Vec<u8>,
        spill: &mut Spill<'_>,
        pass: &dyn Fn(&mut Each<'_>) -> Result<(), WriteFault>,
    ) -> Result<(), WriteFault> {
        let Some(spelled) = self.respelled else {
            return self.write_text(charset, facts, out, spill, pass);
        };
        let anew = |text: &mut Vec<u8>, out: &mut Vec<u8>| {
            let whole = respell(text, spelled, out);
            text.clear();
            whole.ok_or_else(|| {
                let expected = format!("text for {}", spelled.as_str());
                let fault = FieldFault::OutOfRange { expected };
                let error = FieldError { key: None, field: String::new(), fault };
                WriteFault { record: 0, error }
            })
        };
        let mut text = Vec::new();
        let mut spill = |text: &mut Vec<u8>| {
            anew(text, out)?;
            spill(out)
        };
        self.write_text(charset, facts, &mut text, &mut spill, pass)?;
        anew(&mut text, out)
    }

    fn write_text(
        &self,
        charset: Charset,
        facts: Facts,
        out: &mut Vec<u8>,
        spill: &mut Spill<'_>,
        pass: &dyn Fn(&mut Each<'_>) -> Result<(), WriteFault>,
    ) -> Result<(), WriteFault> {
        let mut writer = LineWriter::new(&self.order, charset, facts);
        writer.look_ahead(&pass)?;
        out.extend_from_slice(&self.prolog);
        let root = Open { scope: self.scopes.len() - 1, at: 0 };
        let mut document = Document { plan: self, open: vec![root], marks: Vec::new() };
        pass(&mut |record, source| {
            let next = writer.step(record, source)?;
            writer.work_out(record, source);
            let put = document.record(next, &writer.pen(), source, out);
            put.map_err(|error| writer.fault(error))?;
            // What may still be left out again stays.
            let sure = document.marks.iter().all(|mark| mark.stands);
            if sure && out.len() >= HELD_BYTES { spill(out) } else { Ok(()) }
        })?;
        writer.close()?;
        while let Some(open) = document.open.pop() {
            document.pass(open, None, out);
        }
        Ok(())
    }
}

impl Document<'_> {
    /// Writes one record, and before it what ends and begins with it.
    fn record(
        &mut self,
        next: Next,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        let plan = self.plan;
        let grammar = &plan.order.grammar;
        let group = plan.order.records[next.record].group;
        // The element under which the record, or the first group that begins with it, stands.
        let under = match next.enters {
            Some(enters) => grammar.groups[enters].parent,
            None => group,
        };
        let under = under.unwrap_or(plan.scopes.len() - 1);
        while let Some(open) = self.open.pop_if(|open| open.scope != under) {
            self.pass(open, None, out);
        }
        if let (Some(_), Some(group)) = (next.enters, group) {
            self.enter(group, under, out);
        }
        let Some(item) = self.until(Item::Record(next.record), out) else { return Ok(()) };
        self.values(item, pen, source, out)
    }

    /// Begins the elements of groups, from the one under `under` to this one.
    fn enter(&mut self, group: usize, under: usize, out: &mut Vec<u8>) {
        if group == under {
            return;
        }
        if let Some(parent) = self.plan.order.grammar.groups[group].parent {
            self.enter(parent, under, out);
        }
        self.until(Item::Group(group), out);
        self.open.push(Open { scope: group, at: 0 });
    }

    /// Passes over what is not there, up to the steps of an item of the innermost element.
    fn until(&mut self, item: Item, out: &mut Vec<u8>) -> Option<usize> {
        let open = self.open.pop()?;
        let items = &self.plan.scopes[open.scope].items;
        let index = items.iter().position(|known| known.item == item);
        let open = self.pass(open, index, out);
        self.open.push(open);
        if let (Item::Group(_), Some(mark)) = (item, self.marks.last_mut()) {
            mark.stands = true;
        }
        index
    }

    /// Goes on to the first step of an item, or to the end. What belongs to other items is not
    /// there; what belongs to none alone stands.
    fn pass(&mut self, mut open: Open, until: Option<usize>, out: &mut Vec<u8>) -> Open {
        let steps = &self.plan.scopes[open.scope].steps;
        while let Some(step) = steps.get(open.at) {
            match (step.item, &step.does) {
                (Some(item), _) if Some(item) == until => break,
                (Some(_), _) => {}
                (None, does) => self.tag(does, out),
            }
            open.at += 1;
        }
        open
    }

    fn tag(&mut self, does: &Does, out: &mut Vec<u8>) {
        match does {
            Does::Raw(raw) => out.extend_from_slice(raw),
            Does::Open(raw) => {
                self.marks.push(Mark { from: out.len(), stands: false });
                out.extend_from_slice(raw);
            }
            Does::Close(raw) => {
                let Some(mark) = self.marks.pop() else { return };
                if mark.stands {
                    out.extend_from_slice(raw);
                    self.stands();
                } else {
                    out.truncate(mark.from);
                }
            }
            Does::Value { .. } | Does::Beside(_) | Does::Group => {}
        }
    }

    /// What is around here has something in it.
    fn stands(&mut self) {
        if let Some(mark) = self.marks.last_mut() {
            mark.stands = true;
        }
    }

    /// Writes the steps of a record.
    fn values(
        &mut self,
        item: usize,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        let scope = &self.plan.scopes[open.scope];
        let last = scope.items[item].last;
        while open.at <= last {
            let step = &scope.steps[open.at];
            match &step.does {
                Does::Value { before, field, after, absent } => {
                    let from = out.len();
                    out.extend_from_slice(before);
                    let there = self.value(*field, pen, source, out)?;
                    if there {
                        out.extend_from_slice(after);
                        if before.starts_with(b" ") {
                            self.fits_its_tag(*field, out)?;
                        }
                    } else {
                        out.truncate(from);
                        out.extend_from_slice(absent);
                    }
                    // The end of a start tag is nothing by itself.
                    if there || !matches!(absent.as_slice(), b"" | b"/>") {
                        self.stands();
                    }
                }
                Does::Raw(raw) => {
                    out.extend_from_slice(raw);
                    // Where this is not the end of a start tag, it has a constant in it.
                    if step.item.is_some() && !matches!(raw.as_slice(), b">" | b"/>") {
                        self.stands();
                    }
                }
                Does::Beside(raw) => out.extend_from_slice(raw),
                does => self.tag(does, out),
            }
            open.at += 1;
        }
        self.open.push(open);
        Ok(())
    }

    /// Is the tag of an attribute not longer than it may be when it is read? A value that came with its signs
    /// as they are is longer once they are escaped.
    fn fits_its_tag(&self, at: FieldRef, out: &[u8]) -> Result<(), FieldError> {
        // A sign like this one in a value is escaped.
        let begin = out.iter().rposition(|byte| *byte == b'<').unwrap_or(0);
        let needed = out.len() - begin + b"/>".len();
        if needed <= TAG_BYTES_MAX {
            return Ok(());
        }
        let cell = &self.plan.order.records[at.record].fields[at.field].cell;
        Err(FieldError {
            key: cell.slot().and_then(Slot::key),
            field: cell.name.clone(),
            fault: FieldFault::TooWide { needed, there: TAG_BYTES_MAX },
        })
    }

    fn value(
        &self,
        at: FieldRef,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldError> {
        let field = &self.plan.order.records[at.record].fields[at.field];
        let width_max = match field.place {
            Place::Element { width_max, .. } => width_max,
            _ => None,
        };
        put(&field.cell, width_max, pen, source, out).map_err(|fault: FieldFault| FieldError {
            key: field.cell.slot().and_then(Slot::key),
            field: field.cell.name.clone(),
            fault,
        })
    }
}
