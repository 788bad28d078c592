//! The record of a document that is being read: it begins with its first element, and is whole when
//! something else does.

use std::ops::Range;

use crate::format::grammar::{Item, Next};
use crate::format::lines::read::One;
use crate::format::lines::{LinesPlan, RecordRole};
use crate::format::reading::{Records, Stop};
use crate::format::record::Record;
use crate::format::respelled::wide_bytes;
use crate::format::tallies::Open as StatedOpen;
use crate::format::xml::FieldRef;
use crate::format::xml::read::XmlReader;

/// The record that is being read.
pub(super) struct Being {
    record: usize,
    target: Target,
    start: usize,
    /// Its first fault.
    bad: Option<Stop>,
}

/// Which of the records a caller holds is filled.
#[derive(Debug, Clone, Copy)]
enum Target {
    Head,
    Row,
    Tail,
    Spare,
}

/// What a record is read into.
pub(super) struct Place<'r> {
    pub records: &'r mut Records,
    /// Always the spare one.
    pub spare: bool,
}

impl XmlReader<'_> {
    /// An item of the innermost group begins: what has to be told before it is told.
    pub(super) fn make_way(
        &mut self,
        to: usize,
        node: usize,
        into: &mut Place<'_>,
    ) -> Result<Option<One>, Stop> {
        let plan = self.plan;
        let Some(frame) = self.frames.last() else { return Ok(None) };
        let items = &plan.scopes[frame.scope].items;
        let told = &plan.nodes[node].told;
        let from = match frame.item {
            Some(now) if now == to => {
                let goes_on = match items[to].item {
                    Item::Record(_) => self.being.is_some(),
                    Item::Group(_) => items[to].many,
                };
                if goes_on {
                    return Ok(None);
                }
                return Err(self.here(&format!("<{told}> once"), "it twice"));
            }
            Some(now) if now > to => {
                let expected = format!("<{told}> once and in its order");
                return Err(self.here(&expected, "it again, or too late"));
            }
            Some(now) => now + 1,
            None => 0,
        };
        if self.being.is_some() {
            return self.tell(into).map(Some);
        }
        for (at, item) in items.iter().enumerate().take(to).skip(from) {
            if item.optional {
                continue;
            }
            match item.item {
                // None of its values are here; it tells which of them must be.
                Item::Record(record) => {
                    self.begins(at, record, into);
                    return self.tell(into).map(Some);
                }
                Item::Group(group) => {
                    let name = &plan.order.grammar.groups[group].name;
                    let expected = format!("an element of the group {name}");
                    return Err(self.here(&expected, &format!("<{told}>")));
                }
            }
        }
        Ok(None)
    }

    /// A record begins.
    pub(super) fn begins(&mut self, item: usize, record: usize, into: &mut Place<'_>) {
        let order: &LinesPlan = &self.plan.order;
        let plan = &order.records[record];
        let target = match plan.role {
            _ if into.spare || order.row_group(record).is_some() => Target::Spare,
            Some(RecordRole::Row) => Target::Row,
            Some(RecordRole::Head) => Target::Head,
            Some(RecordRole::Tail) => Target::Tail,
            None => Target::Spare,
        };
        let values = target.of(into.records);
        match target {
            Target::Spare | Target::Row => values.clear(),
            Target::Head | Target::Tail => plan.slots().for_each(|slot| values.unset_slot(slot)),
        }
        self.got.fill(false);
        self.places.iter_mut().for_each(Vec::clear);
        self.closing.stated.clear();
        self.record += 1;
        self.being = Some(Being { record, target, start: self.input.at, bad: None });
        if let Some(frame) = self.frames.last_mut() {
            frame.item = Some(item);
        }
    }

    /// The record that is being read is whole.
    pub(super) fn tell(&mut self, into: &mut Place<'_>) -> Result<One, Stop> {
        let order: &LinesPlan = &self.plan.order;
        let Some(Being { record, target, start, mut bad }) = self.being.take() else {
            return Ok(One::End);
        };
        let plan = &order.records[record];
        self.told = Some(record);
        if bad.is_none() {
            let mut fields = plan.fields.iter().zip(&self.got);
            let missing = fields.find(|(field, got)| !**got && !field.cell.may_be_absent());
            bad = missing.map(|(field, _)| Stop {
                record: self.record,
                ..self.stop(self.input.at, &field.cell.name, "nothing", "a value")
            });
        }
        let signs = plan.take_signs(target.of(into.records), &mut self.closing.stated);
        if bad.is_none() {
            let against = signs.or_else(|| plan.against_condition(target.of(into.records)));
            bad = against.map(|(field, [found, expected])| Stop {
                record: self.record,
                ..self.stop(start, &field.cell.name, found, expected)
            });
        }
        let bad = match bad {
            Some(stop) if !order.is_of_row(record) => return Err(stop),
            bad => bad,
        };
        let next = Next { record, enters: self.entered.take() };
        let values: &Record = target.of(into.records);
        let closing = self.closing.record(order, next, values, bad.is_some());
        closing.map_err(|open| self.unclosed(&open))?;
        Ok(One::Record { next, bad: bad.map(Box::new), start, number: self.record })
    }

    /// Takes one value of the record that is being read: what was copied, or what stands here.
    /// `place` is where that is in the part, as it is spelled there.
    pub(super) fn take(
        &mut self,
        field: FieldRef,
        bytes: &Bytes,
        place: Range<usize>,
        into: &mut Place<'_>,
    ) {
        let Some(being) = &mut self.being else { return };
        let at = place.start;
        if let Some(places) = self.places.as_mut().filter(|_| !place.is_empty()) {
            places.push((field.field, place));
        }
        let plan = &self.plan.order.records[field.record].fields[field.field];
        let bytes = match bytes {
            Bytes::Here(length) => self.input.seen(0, *length),
            Bytes::Tag(range) => self.tag.get(range.clone()).unwrap_or_default(),
            Bytes::Value => self.value.as_slice(),
        };
        self.got[field.field] = true;
        let (at, found, expected) = if bytes.is_empty() {
            if plan.cell.may_be_empty() {
                return;
            }
            (at, "nothing".to_owned(), "a value".to_owned())
        } else {
            let values = being.target.of(into.records);
            let read = plan.cell.read(self.charset, bytes, values, &mut self.closing.stated);
            let Err(fault) = read else { return };
            let inside = match self.plan.respelled {
                Some(_) => wide_bytes(bytes.get(..fault.at).unwrap_or_default()),
                None => fault.at,
            };
            (at + inside, fault.found, fault.expected)
        };
        let field = plan.cell.name.clone();
        let stop = Stop { record: self.record, field, offset: Some(at), found, expected };
        being.bad.get_or_insert(stop);
    }

    pub(super) fn unclosed(&self, open: &StatedOpen) -> Stop {
        self.stop(self.input.at, &open.field, &open.found, &open.expected)
    }
}

/// Where the bytes of a value are.
pub(super) enum Bytes {
    /// So many, as they stand.
    Here(usize),
    /// In the tag that was read last.
    Tag(Range<usize>),
    /// Put together.
    Value,
}

impl Target {
    fn of(self, records: &mut Records) -> &mut Record {
        match self {
            Self::Head => &mut records.head,
            Self::Row => &mut records.row,
            Self::Tail => &mut records.tail,
            Self::Spare => &mut records.spare,
        }
    }
}
