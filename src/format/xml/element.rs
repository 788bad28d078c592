//! What begins with a start tag: an element with others in it, a value, or something that is passed
//! over.

use crate::format::grammar::Item;
use crate::format::lines::read::One;
use crate::format::reading::Stop;
use crate::format::xml::read::{
    DEPTH_MAX, Frame, LOOK_BYTES, ROOT, Stage, VALUE_BYTES_MAX, XmlReader, cdata_end, end_tag,
};
use crate::format::xml::record::{Bytes, Place};
use crate::format::xml::scan::{self, CDATA, CDATA_END, Markup, Tag};
use crate::format::xml::{FieldRef, Node, ToldBy};

/// What the description knows an element as.
enum Known {
    /// A node, and the first of its siblings that may come behind it.
    Node(usize, usize),
    Ignored,
}

impl XmlReader<'_> {
    /// The start tag that stands here; it is not passed where a record has to be told before.
    pub(super) fn start(
        &mut self,
        there: usize,
        into: &mut Place<'_>,
    ) -> Result<Option<One>, Stop> {
        if let Some((at, next, tag)) = self.expected(there) {
            self.pairs.clear();
            self.tag.clear();
            self.tag.extend_from_slice(&self.plan.nodes[at].start);
            let spaces = self.spaces.mark();
            return self.element(at, next, tag, spaces, into);
        }
        let plan = self.plan;
        if !self.declared && plan.declared {
            let expected = format!("a declaration of {}", plan.encoding);
            return Err(self.here(&expected, "an element"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.here(&format!("at most {DEPTH_MAX} elements in each other"), "more"));
        }
        let tag = self.tag(1, b'/')?;
        let spaces = self.spaces.mark();
        self.declare()?;
        let known = if self.skipping.is_some() { Known::Ignored } else { self.known(tag)? };
        let Known::Node(at, next) = known else {
            self.skipping.get_or_insert(self.open.len());
            self.opened(tag, None, spaces);
            return Ok(None);
        };
        self.element(at, next, tag, spaces, into)
    }

    /// The element that may come and has no attributes, spelled as it is written: most are. All
    /// others take the longer way.
    fn expected(&self, there: usize) -> Option<(usize, usize, Tag)> {
        let open = self.open.last()?;
        if self.plan.any_order || !self.spaces.plain || self.open.len() >= DEPTH_MAX {
            return None;
        }
        let window = self.input.seen(0, there);
        let nodes = &self.plan.nodes;
        let mut children = nodes[open.node?].children.iter().enumerate().skip(open.next);
        let (at, child) = children.find(|(_, child)| window.starts_with(&nodes[**child].start))?;
        let node = &nodes[*child];
        let next = if node.group.is_some() { at } else { at + 1 };
        let name = node.name.spelled.len();
        Some((*child, next, Tag { length: node.start.len(), name, empty: false }))
    }

    /// An element of the description begins; `next` is the first of its siblings that may follow.
    fn element(
        &mut self,
        at: usize,
        next: usize,
        tag: Tag,
        spaces: usize,
        into: &mut Place<'_>,
    ) -> Result<Option<One>, Stop> {
        let plan = self.plan;
        let node = &plan.nodes[at];
        if let Some(item) = self.item(node).filter(|_| at != ROOT) {
            let told = self.make_way(item, at, into)?;
            if told.is_some() {
                self.spaces.back_to(self.plan, spaces);
                return Ok(told);
            }
            if let Some(frame) = self.frames.last_mut() {
                match plan.scopes[frame.scope].items[item].item {
                    Item::Record(record) => {
                        frame.item = Some(item);
                        if self.being.is_none() {
                            self.begins(item, record, into);
                        }
                    }
                    // The elements around that of a group are not the group yet.
                    Item::Group(_) if node.group.is_none() => {}
                    Item::Group(_) => frame.item = Some(item),
                }
            }
        }
        if let Some(open) = self.open.last_mut() {
            open.next = next;
        }
        if plan.any_order {
            self.seen[at] = true;
        }
        self.stage = Stage::Inside;
        if at == ROOT || node.group.is_some() {
            let scope = node.group.unwrap_or(plan.scopes.len() - 1);
            self.frames.push(Frame { scope, item: None });
            if let Some(group) = node.group {
                self.entered.get_or_insert(group);
            }
            let first = plan.scopes[scope].items.first().map(|item| item.item);
            if let (Some(Item::Record(record)), false) = (first, node.attributes.is_empty()) {
                self.begins(0, record, into);
            }
        }
        self.attributes(node, into)?;
        match node.text {
            Some(field) => self.leaf(node, field, tag, spaces, into)?,
            None => self.opened(tag, Some(at), spaces),
        }
        Ok(None)
    }

    /// The item of its group that an element belongs to, by itself or by its attributes.
    fn item(&self, node: &Node) -> Option<usize> {
        if node.item.is_some() || node.group.is_some() {
            return node.item;
        }
        let record = node.attributes.first()?.field.record;
        let frame = self.frames.last()?;
        let items = &self.plan.scopes[frame.scope].items;
        items.iter().position(|item| item.item == Item::Record(record))
    }

    /// Takes in the namespaces that the tag declares.
    fn declare(&mut self) -> Result<(), Stop> {
        for pair in &self.pairs {
            let name = self.tag.get(pair.name.clone()).unwrap_or_default();
            if !name.starts_with(b"xmlns") {
                continue;
            }
            self.value.clear();
            let uri = self.tag.get(pair.value.clone()).unwrap_or_default();
            if scan::unescape(self.charset, uri, &mut self.value).is_err() {
                return Err(self.here("text in the declared encoding", "a reference"));
            }
            self.spaces.declare(self.plan, name, &self.value);
        }
        Ok(())
    }

    /// What the element with the tag that was read is to the description.
    fn known(&self, tag: Tag) -> Result<Known, Stop> {
        let plan = self.plan;
        let spelled = self.tag.get(1..=tag.name).unwrap_or_default();
        let Some(name) = self.spaces.resolve(spelled, true) else {
            return Err(self.here("a prefix that is declared", &scan::printable(spelled)));
        };
        let Some(parent) = self.parent() else {
            let root = &plan.nodes[ROOT];
            if self.stage == Stage::Closed {
                return Err(self.here("the end of the document", "a second root"));
            }
            if root.name.is(name) {
                return Ok(Known::Node(ROOT, 0));
            }
            let space = &plan.spaces[root.name.space];
            let expected = match space.as_str() {
                "" => format!("<{}> in no namespace", root.told),
                space => format!("<{}> in the namespace {space}", root.told),
            };
            let found =
                if root.name.local == name.1 { "another namespace" } else { "another root" };
            return Err(self.here(&expected, found));
        };
        let next = self.open.last().map_or(0, |open| open.next);
        let children = parent.children.iter().enumerate();
        let is = |(_, child): &(usize, &usize)| {
            let node = &plan.nodes[**child];
            node.name.is(name) && node.by.as_ref().is_none_or(|by| self.bears(by))
        };
        let found = if plan.any_order {
            children.clone().find(is)
        } else {
            children.clone().skip(next).find(is)
        };
        if let Some((at, child)) = found {
            let node = &plan.nodes[*child];
            if plan.any_order {
                if self.seen[*child] && node.repeats {
                    return Ok(Known::Ignored);
                }
                if self.seen[*child] && node.group.is_none() {
                    return Err(self.here(&format!("<{}> once", node.told), "it twice"));
                }
                return Ok(Known::Node(*child, 0));
            }
            return Ok(Known::Node(*child, if node.group.is_some() { at } else { at + 1 }));
        }
        if let Some((_, child)) = children.clone().find(is) {
            if plan.nodes[*child].repeats {
                return Ok(Known::Ignored);
            }
            let expected = format!("<{}> once and in its order", plan.nodes[*child].told);
            return Err(self.here(&expected, "it again, or too late"));
        }
        if parent.ignores_elements || parent.ignored.iter().any(|known| known.is(name)) {
            return Ok(Known::Ignored);
        }
        Err(self.here(
            &format!("in <{}> what the format names", parent.told),
            &format!("<{}>", scan::printable(spelled)),
        ))
    }

    /// Does the tag that was read bear this attribute, with this text?
    fn bears(&self, by: &ToldBy) -> bool {
        self.pairs.iter().any(|pair| {
            let spelled = self.tag.get(pair.name.clone()).unwrap_or_default();
            let raw = self.tag.get(pair.value.clone()).unwrap_or_default();
            let named = self.spaces.resolve(spelled, false).is_some_and(|name| by.name.is(name));
            if !named || !raw.contains(&b'&') {
                return named && raw == by.text;
            }
            let mut text = Vec::new();
            scan::unescape(self.charset, raw, &mut text).is_ok() && text == by.text
        })
    }

    /// The attributes of the tag that was read.
    fn attributes(&mut self, node: &Node, into: &mut Place<'_>) -> Result<(), Stop> {
        for index in 0..self.pairs.len() {
            let pair = self.pairs[index].clone();
            let spelled = self.tag.get(pair.name.clone()).unwrap_or_default();
            if spelled == b"xmlns" || spelled.starts_with(b"xmlns:") {
                continue;
            }
            let Some(name) = self.spaces.resolve(spelled, false) else {
                return Err(self.here("a prefix that is declared", &scan::printable(spelled)));
            };
            let found = node.attributes.iter().find(|known| known.name.is(name));
            let Some(field) = found.map(|attribute| attribute.field) else {
                // What it was told by was looked at already.
                if node.by.as_ref().is_some_and(|by| by.name.is(name)) {
                    continue;
                }
                if node.ignores_attributes || node.ignored_attributes.iter().any(|k| k.is(name)) {
                    continue;
                }
                let expected = format!("attributes of <{}>", node.told);
                return Err(self.here(&expected, &scan::printable(spelled)));
            };
            // Two prefixes may stand for one namespace.
            if self.being.is_some() && self.got.get(field.field) == Some(&true) {
                return Err(self.here("attributes once", &scan::printable(spelled)));
            }
            let raw = self.tag.get(pair.value.clone()).unwrap_or_default();
            let at = self.input.place(pair.value.start);
            if raw.contains(&b'&') {
                self.value.clear();
                if let Err(inside) = scan::unescape(self.charset, raw, &mut self.value) {
                    let at = self.input.place(pair.value.start + inside);
                    let expected = "text in the declared encoding";
                    return Err(self.stop(at, "", "a reference", expected));
                }
                let end = self.input.place(pair.value.end);
                self.take(field, &Bytes::Value, at..end, into);
            } else {
                let end = self.input.place(pair.value.end);
                self.take(field, &Bytes::Tag(pair.value), at..end, into);
            }
        }
        Ok(())
    }

    /// An element that has a value; all of it is passed.
    fn leaf(
        &mut self,
        node: &Node,
        field: FieldRef,
        tag: Tag,
        spaces: usize,
        into: &mut Place<'_>,
    ) -> Result<(), Stop> {
        self.input.pass(tag.length);
        let at = self.input.at;
        if tag.empty {
            self.take(field, &Bytes::Here(0), at..at, into);
            self.spaces.back_to(self.plan, spaces);
            return Ok(());
        }
        let there = self.look(LOOK_BYTES)?;
        let window = self.input.seen(0, there);
        let length = window.iter().position(|byte| matches!(byte, b'<' | b'&'));
        let length = length.unwrap_or(there);
        let name = self.tag.get(1..=tag.name).unwrap_or_default();
        if let Some(end) = end_tag(window.get(length..).unwrap_or_default(), name) {
            let place = at..self.input.place(length);
            self.take(field, &Bytes::Here(length), place, into);
            self.input.pass(length + end);
        } else {
            let end = self.long_value(node, tag)?;
            self.take(field, &Bytes::Value, at..end, into);
        }
        self.spaces.back_to(self.plan, spaces);
        Ok(())
    }

    /// A value with references or CDATA sections in it, or of which the end is further away; put
    /// together, and passed with its end tag. Tells the byte at which the end tag begins.
    fn long_value(&mut self, node: &Node, tag: Tag) -> Result<usize, Stop> {
        self.value.clear();
        loop {
            let there = self.look(VALUE_BYTES_MAX + tag.length + LOOK_BYTES)?;
            let window = self.input.seen(0, there);
            let plain = window.iter().position(|byte| matches!(byte, b'<' | b'&'));
            let plain = plain.unwrap_or(there);
            let rest = window.get(plain..).unwrap_or_default();
            let most = VALUE_BYTES_MAX.saturating_sub(self.value.len() + plain);
            let inside = match self.inside(rest, node, tag) {
                Inside::Text(text, _) if text.len() > most => Inside::Long,
                Inside::Sign(character, _) if most < character.len_utf8() => Inside::Long,
                Inside::Wrong(..) | Inside::End(_)
                    if self.value.len() + plain > VALUE_BYTES_MAX =>
                {
                    Inside::Long
                }
                inside => inside,
            };
            self.value.extend_from_slice(window.get(..plain).unwrap_or_default());
            let passed = match inside {
                Inside::End(length) => {
                    let end = self.input.place(plain);
                    self.input.pass(plain + length);
                    return Ok(end);
                }
                Inside::Text(text, length) => {
                    self.value.extend_from_slice(text);
                    length
                }
                Inside::Sign(character, length) => {
                    scan::push(self.charset, character, &mut self.value);
                    length
                }
                Inside::Long => {
                    let expected = format!("a value of at most {VALUE_BYTES_MAX} bytes");
                    return Err(self.here(&expected, "more"));
                }
                Inside::Wrong(expected, found) => {
                    return Err(self.stop(self.input.place(plain), "", found, &expected));
                }
            };
            self.input.pass(plain + passed);
        }
    }

    /// What stands behind plain text in a value.
    fn inside<'w>(&self, rest: &'w [u8], node: &Node, tag: Tag) -> Inside<'w> {
        let wrong = |expected: &str, found: &'static str| Inside::Wrong(expected.to_owned(), found);
        match scan::markup(rest) {
            Markup::End => {
                let name = self.tag.get(1..=tag.name).unwrap_or_default();
                match end_tag(rest, name) {
                    Some(length) => Inside::End(length),
                    None => wrong(&format!("</{}>", node.told), "something else"),
                }
            }
            Markup::CData => match cdata_end(self.charset, rest) {
                Some(end) => {
                    let text = rest.get(CDATA.len()..end).unwrap_or_default();
                    Inside::Text(text, end + CDATA_END.len())
                }
                None if rest.len() > VALUE_BYTES_MAX => Inside::Long,
                None => wrong("the end of a CDATA section", "the end of the document"),
            },
            Markup::Text | Markup::Blank(_) => match scan::reference(self.charset, rest) {
                Some((character, length)) => Inside::Sign(character, length),
                None => wrong("text in the declared encoding", "a reference"),
            },
            Markup::Nothing => wrong("the whole document", "its end"),
            Markup::Start => wrong(&format!("in <{}> a value alone", node.told), "an element"),
            Markup::Comment => wrong("elements alone", "a comment"),
            Markup::Instruction => wrong("elements alone", "a processing instruction"),
            Markup::Doctype => wrong("no DOCTYPE", "one"),
        }
    }
}

/// What stands in a value beside plain text.
enum Inside<'w> {
    /// Its end tag, of so many bytes.
    End(usize),
    /// A CDATA section, with its length.
    Text(&'w [u8], usize),
    /// A reference, with its length.
    Sign(char, usize),
    /// More than a value has.
    Long,
    /// What was expected, and what is there.
    Wrong(String, &'static str),
}
