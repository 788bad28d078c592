//! The steps that write what stands in one element: tags as they are, values with theirs. What is
//! the same every time is one piece of bytes.

use crate::format::cell::{Bind, Cell};
use crate::format::grammar::Item;
use crate::format::lines::{LinesPlan, Place};
use crate::format::table::Faults;
use crate::format::xml::{Does, FieldRef, Node, Scope, ScopeItem, Step, escape_from};

/// Steps while they are put together.
pub(super) struct Program<'p> {
    order: &'p LinesPlan,
    nodes: &'p [Node],
    items: Vec<ScopeItem>,
    steps: Vec<Step>,
    /// Elements with nothing in them are one tag.
    empty: bool,
}

impl<'p> Program<'p> {
    /// Everything from the start tag of an element to its end tag; groups in it are left open.
    pub fn write(
        order: &'p LinesPlan,
        nodes: &'p [Node],
        node: usize,
        items: Vec<ScopeItem>,
        declarations: &[u8],
        empty: bool,
    ) -> Self {
        let mut program = Self { order, nodes, items, steps: Vec::new(), empty };
        program.raw(None, &[nodes[node].begin().as_slice(), declarations].concat());
        program.attributes(node);
        let (begin, end) = program.around(node);
        program.raw(None, begin);
        for child in &nodes[node].children {
            program.element(*child);
        }
        program.raw(None, &end);
        program
    }

    /// What ends the start tag of an element, and its end tag.
    fn around(&self, at: usize) -> (&'static [u8], Vec<u8>) {
        let node = &self.nodes[at];
        if self.empty && node.text.is_none() && node.children.is_empty() {
            return (b"/>", Vec::new());
        }
        (b">", [b"</", node.name.spelled.as_slice(), b">"].concat())
    }

    fn raw(&mut self, item: Option<usize>, raw: &[u8]) {
        match self.steps.last_mut() {
            _ if raw.is_empty() => {}
            Some(Step { item: last, does: Does::Raw(bytes) }) if *last == item => {
                bytes.extend_from_slice(raw);
            }
            _ => self.steps.push(Step { item, does: Does::Raw(raw.to_vec()) }),
        }
    }

    fn beside(&mut self, item: Option<usize>, raw: &[u8]) {
        match self.steps.last_mut() {
            Some(Step { item: last, does: Does::Beside(bytes) }) if *last == item => {
                bytes.extend_from_slice(raw);
            }
            _ => self.steps.push(Step { item, does: Does::Beside(raw.to_vec()) }),
        }
    }

    /// Are there only constants in this element that stand beside something else?
    fn is_beside(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let all = |field: FieldRef| beside(self.cell(field).0).is_some();
        node.group.is_none()
            && node.item.is_some()
            && node.text.is_none_or(all)
            && node.attributes.iter().all(|attribute| all(attribute.field))
            && node.children.iter().all(|child| self.is_beside(*child))
    }

    fn does(&mut self, item: Option<usize>, does: Does) {
        self.steps.push(Step { item, does });
    }

    fn cell(&self, at: FieldRef) -> (&'p Cell, bool) {
        let field = &self.order.records[at.record].fields[at.field];
        (&field.cell, matches!(field.place, Place::Element { empty: true, .. }))
    }

    /// A value between its tags.
    fn value(&mut self, field: FieldRef, before: &[u8], after: &[u8], absent: &[u8]) {
        let item = self.item_of(field.record);
        let (cell, empty) = self.cell(field);
        if let Some(bytes) = constant(cell) {
            return self.raw(item, &[before, &bytes, after].concat());
        }
        if let Some(bytes) = beside(cell) {
            return self.beside(item, &[before, &bytes, after].concat());
        }
        let absent = if empty { absent.to_vec() } else { Vec::new() };
        let (before, after) = (before.to_vec(), after.to_vec());
        self.does(item, Does::Value { before, field, after, absent });
    }

    fn item_of(&self, record: usize) -> Option<usize> {
        self.items.iter().position(|item| item.item == Item::Record(record))
    }

    fn attributes(&mut self, node: usize) {
        let nodes = self.nodes;
        for attribute in &nodes[node].attributes {
            let before = [b" ", attribute.name.spelled.as_slice(), b"=\""].concat();
            self.value(attribute.field, &before, b"\"", &[]);
        }
    }

    /// Is it a value that may be left out?
    fn may_lack(&self, field: FieldRef) -> bool {
        let (cell, _) = self.cell(field);
        cell.may_be_absent() && beside(cell).is_none()
    }

    /// Is something always written in this element?
    fn is_sure(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        if node.group.is_some() {
            return node.item.is_some_and(|item| !self.items[item].optional);
        }
        let sure = |field: FieldRef| {
            let (cell, empty) = self.cell(field);
            let always = !cell.may_be_absent() || (empty && cell.when.is_none());
            always && !self.order.records[field.record].occurs.optional()
        };
        node.text.is_some_and(sure)
            || (node.text.is_none() && node.attributes.iter().any(|a| sure(a.field)))
            || node.children.iter().any(|child| self.is_sure(*child))
    }

    fn element(&mut self, at: usize) {
        let nodes = self.nodes;
        let node = &nodes[at];
        if node.group.is_some() {
            return self.does(node.item, Does::Group);
        }
        let open = node.begin();
        let (begin, close) = self.around(at);
        let constants: Option<Vec<u8>> =
            node.attributes.iter().try_fold(Vec::new(), |mut all, attribute| {
                let value = constant(self.cell(attribute.field).0)?;
                all.extend([b" ", &attribute.name.spelled[..], b"=\"", &value, b"\""].concat());
                Some(all)
            });
        if let (Some(field), Some(attributes)) = (node.text, constants) {
            let before = [&open[..], &attributes, b">"].concat();
            let absent = [&open[..], &attributes, b"/>"].concat();
            return self.value(field, &before, &close, &absent);
        }
        if self.is_beside(at) {
            self.beside(node.item, &open);
            self.attributes(at);
            self.beside(node.item, begin);
            if let Some(field) = node.text {
                self.value(field, &[], &[], &[]);
            }
            node.children.iter().for_each(|child| self.element(*child));
            return self.beside(node.item, &close);
        }
        // In a record that is there this element may still have nothing in it.
        let optional = !self.is_sure_in_its_record(at);
        let item = node.item.filter(|at| matches!(self.items[*at].item, Item::Record(_)));
        if optional {
            self.does(item, Does::Open(open));
        } else {
            self.raw(item, &open);
        }
        self.attributes(at);
        if let Some(field) = node.text.filter(|field| self.empty && self.may_lack(*field)) {
            // Without its value the start tag is all of it.
            let (before, after, absent) = (begin.to_vec(), close, b"/>".to_vec());
            self.does(item, Does::Value { before, field, after, absent });
            if optional {
                self.does(item, Does::Close(Vec::new()));
            }
            return;
        }
        self.raw(item, begin);
        if let Some(field) = node.text {
            self.value(field, &[], &[], &[]);
        }
        for child in &node.children {
            self.element(*child);
        }
        if optional {
            self.does(item, Does::Close(close));
        } else {
            self.raw(item, &close);
        }
    }

    /// As [`Program::is_sure`]; where the element is of one record alone, whenever that is there.
    fn is_sure_in_its_record(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        let Some(item) = node.item else { return self.is_sure(at) };
        let Item::Record(_) = self.items[item].item else { return self.is_sure(at) };
        let sure = |field: FieldRef| {
            let (cell, empty) = self.cell(field);
            !cell.may_be_absent() || (empty && cell.when.is_none())
        };
        node.text.is_some_and(sure)
            || (node.text.is_none() && node.attributes.iter().any(|a| sure(a.field)))
            || node.children.iter().any(|child| self.is_sure_in_its_record(*child))
    }

    /// The scope of these steps: its items stand one behind the other.
    pub fn finish(self, at: usize, faults: &Faults<'_>) -> Scope {
        let Self { order, mut items, steps, .. } = self;
        let mut latest = 0;
        for (index, step) in steps.iter().enumerate() {
            let Some(item) = step.item else { continue };
            if item < latest {
                let named = |item: usize| match items[item].item {
                    Item::Record(record) => order.records[record].name.clone(),
                    Item::Group(group) => order.grammar.groups[group].name.clone(),
                };
                let what = format!("{} would stand behind {}", named(item), named(latest));
                let hint = "records and groups stand one behind the other, elements and all";
                faults.note(at, what, hint);
                break;
            }
            latest = item;
            items[item].last = index;
        }
        Scope { items, steps }
    }
}

/// A constant that may be left out, escaped: it stands where something else does beside it.
fn beside(cell: &Cell) -> Option<Vec<u8>> {
    match &cell.bind {
        Bind::Literal { bytes, .. } if cell.optional && cell.when.is_none() => {
            let mut escaped = bytes.clone();
            escape_from(0, &mut escaped);
            Some(escaped)
        }
        _ => None,
    }
}

/// The value of a cell that is always the same, escaped.
fn constant(cell: &Cell) -> Option<Vec<u8>> {
    let bytes = match &cell.bind {
        Bind::Literal { bytes, .. } | Bind::Ignored { bytes } if !cell.may_be_absent() => bytes,
        _ => return None,
    };
    let mut escaped = bytes.clone();
    escape_from(0, &mut escaped);
    Some(escaped)
}
