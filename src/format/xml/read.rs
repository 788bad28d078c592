//! Reading a document record by record, a few bytes at a time: one root, closed at the end, no
//! DOCTYPE, no entities of its own, caps on depth and attributes, nothing twice, and nothing that
//! the description does not name.

use crate::format::charset::{Charset, Controls};
use crate::format::closing::Closing;
use crate::format::computed::Open as StatedOpen;
use crate::format::error::shape;
use crate::format::grammar::{Item, Next};
use crate::format::input::Input;
use crate::format::lines::read::One;
use crate::format::lines::{LinesPlan, RecordRole};
use crate::format::reading::{Records, Step, Stop};
use crate::format::record::Record;
use crate::format::steps::Steps;
use crate::format::xml::scan::{self, CDATA, CDATA_END, Markup, NoTag, Pair, Tag};
use crate::format::xml::spaces::Spaces;
use crate::format::xml::{FieldRef, Node, XmlPlan};

/// No bank nests deeper.
pub(super) const DEPTH_MAX: usize = 32;
/// The longest value; a field of a bank has some hundred bytes.
pub(super) const VALUE_BYTES_MAX: usize = 16 * 1024;
/// The longest tag with its attributes.
const TAG_BYTES_MAX: usize = 16 * 1024;
/// What is looked at where no more is needed.
pub(super) const LOOK_BYTES: usize = 4 * 1024;

pub(super) const ROOT: usize = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Prolog,
    Inside,
    Closed,
}

/// An open element.
pub(super) struct Open {
    /// Of the plan; nothing where it is passed over.
    pub node: Option<usize>,
    /// Where its name begins among the names, and the declarations before its own.
    name: usize,
    spaces: usize,
    /// The first of its children that may come next.
    pub next: usize,
}

/// The items of a group's element, or of the root, that were there so far.
pub(super) struct Frame {
    pub scope: usize,
    /// The latest one.
    pub item: Option<usize>,
}

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
pub(super) struct Into<'r> {
    pub records: &'r mut Records,
    /// Always the spare one.
    pub spare: bool,
}

/// Walks through one part.
pub(crate) struct XmlReader<'f> {
    pub(super) plan: &'f XmlPlan,
    pub(super) charset: Charset,
    pub input: Input<'f>,
    /// Records that were begun so far.
    pub record: usize,
    pub closing: Closing,
    steps: Steps,
    pub(super) stage: Stage,
    /// The innermost element had no end tag of its own and ends now.
    ending: bool,
    pub(super) declared: bool,
    pub(super) open: Vec<Open>,
    /// The names of the open elements as they are spelled.
    names: Vec<u8>,
    /// So many elements were open when the one began that is passed over with all in it.
    pub(super) skipping: Option<usize>,
    pub(super) frames: Vec<Frame>,
    pub(super) spaces: Spaces,
    pub(super) pairs: Vec<Pair>,
    /// The tag that was read last.
    pub(super) tag: Vec<u8>,
    pub(super) value: Vec<u8>,
    text: String,
    /// Which elements were there in theirs; kept only where they stand in any order.
    pub(super) seen: Vec<bool>,
    pub(super) being: Option<Being>,
    /// Which fields of that record had a value or stood empty.
    got: Vec<bool>,
    /// The outermost group that began since the last record was told.
    pub(super) entered: Option<usize>,
}

impl<'f> XmlReader<'f> {
    pub fn new(plan: &'f XmlPlan, charset: Charset, input: Input<'f>) -> Self {
        let fields = plan.order.records.iter().map(|record| record.fields.len()).max();
        Self {
            plan,
            charset,
            input,
            record: 0,
            closing: Closing::new(&plan.order),
            steps: Steps::default(),
            stage: Stage::Prolog,
            ending: false,
            declared: false,
            open: Vec::new(),
            names: Vec::new(),
            skipping: None,
            frames: Vec::new(),
            spaces: Spaces::default(),
            pairs: Vec::new(),
            tag: Vec::new(),
            value: Vec::new(),
            text: String::new(),
            seen: vec![false; plan.nodes.len()],
            being: None,
            got: vec![false; fields.unwrap_or(0)],
            entered: None,
        }
    }

    /// Reads on to the next thing that the road knows.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Stop> {
        let mut steps = std::mem::take(&mut self.steps);
        let plan = self.plan;
        let step = steps.step(&plan.order, into, &mut |into| self.one(into, false));
        self.steps = steps;
        step
    }

    /// Reads one record into its place, or into the spare one.
    pub fn one(&mut self, into: &mut Records, spare: bool) -> Result<One, Stop> {
        let mut into = Into { records: into, spare };
        loop {
            if std::mem::take(&mut self.ending) {
                let told = self.ends(&mut into)?;
                if let Some(told) = told {
                    self.ending = true;
                    return Ok(told);
                }
                continue;
            }
            let there = self.look(LOOK_BYTES)?;
            let told = match scan::markup(self.input.seen(0, there)) {
                Markup::Start => self.start(&mut into)?,
                Markup::End => self.end(&mut into)?,
                Markup::Blank(count) if self.declared || self.stage != Stage::Prolog => {
                    self.input.pass(count);
                    None
                }
                Markup::Blank(_) | Markup::Text => self.characters(there)?,
                Markup::CData if self.skipping.is_some() => self.skipped_cdata()?,
                Markup::CData => return Err(self.here("elements alone", "a CDATA section")),
                Markup::Instruction => self.declaration()?,
                Markup::Doctype => return Err(self.here("no DOCTYPE", "one")),
                Markup::Comment => return Err(self.here("elements alone", "a comment")),
                Markup::Nothing if self.stage == Stage::Closed => {
                    let finish = self.closing.finish(&self.plan.order);
                    return finish.map(|()| One::End).map_err(|open| self.unclosed(&open));
                }
                Markup::Nothing => return Err(self.here("the whole document", "its end")),
            };
            if let Some(told) = told {
                return Ok(told);
            }
        }
    }

    /// At least so many bytes, or all that are left; tells how many there are.
    pub(super) fn look(&mut self, least: usize) -> Result<usize, Stop> {
        let (record, at) = (self.record, self.input.at);
        let window = self.input.window(least);
        window.map(<[u8]>::len).map_err(|error| Stop {
            record,
            field: String::new(),
            offset: Some(at),
            found: error.to_string(),
            expected: "the rest of the document".to_owned(),
        })
    }

    /// The tag that begins here, copied with its attributes; it is not passed.
    pub(super) fn tag(&mut self, from: usize, end: u8) -> Result<Tag, Stop> {
        for least in [LOOK_BYTES, TAG_BYTES_MAX] {
            let there = self.look(least)?;
            let window = self.input.seen(0, there.min(TAG_BYTES_MAX));
            match scan::tag(window, from, end, &mut self.pairs) {
                Ok(tag) => {
                    self.tag.clear();
                    self.tag.extend_from_slice(&window[..tag.length]);
                    return Ok(tag);
                }
                Err(NoTag::Cut) if there >= TAG_BYTES_MAX && least == TAG_BYTES_MAX => {
                    return Err(
                        self.here(&format!("a tag of at most {TAG_BYTES_MAX} bytes"), "more")
                    );
                }
                Err(NoTag::Cut) if there < least => {
                    return Err(self.here("the whole document", "its end"));
                }
                Err(NoTag::Cut) => {}
                Err(NoTag::TooMany) => {
                    let expected = format!("at most {} attributes", scan::ATTRIBUTES_MAX);
                    return Err(self.here(&expected, "more"));
                }
                Err(NoTag::Wrong(at, expected)) => {
                    return Err(self.stop(self.input.at + at, "", "something else", expected));
                }
            }
        }
        Err(self.here("a whole tag", "a part of it"))
    }

    /// The declaration of the document; there is one at most, and no other instruction.
    fn declaration(&mut self) -> Result<Option<One>, Stop> {
        let there = self.look(LOOK_BYTES)?;
        let window = self.input.seen(0, there);
        let begins =
            window.starts_with(b"<?xml") && window.get(5).is_some_and(|b| scan::is_blank(*b));
        if !begins {
            return Err(self.here("elements alone", "a processing instruction"));
        }
        let tag = self.tag(2, b'?')?;
        let named = |name: &[u8]| {
            let pair = self.pairs.iter().find(|pair| self.tag.get(pair.name.clone()) == Some(name));
            pair.and_then(|pair| std::str::from_utf8(self.tag.get(pair.value.clone())?).ok())
        };
        let known = |pair: &Pair| {
            let name = self.tag.get(pair.name.clone()).unwrap_or_default();
            matches!(name, b"version" | b"encoding" | b"standalone")
        };
        let encoding = match named(b"encoding") {
            Some(name) => {
                name.eq_ignore_ascii_case(&self.plan.encoding)
                    || Charset::parse(name) == Some(self.charset)
            }
            // A document that names none is in UTF-8.
            None => self.charset == Charset::Utf8,
        };
        let alone = named(b"standalone").is_none_or(|word| matches!(word, "yes" | "no"));
        let good = named(b"version") == Some("1.0") && self.pairs.iter().all(known) && alone;
        // Blanks before it would have been refused; so it is the first thing there is.
        let first = self.stage == Stage::Prolog && !self.declared;
        if !first || !encoding || !good || !tag.empty {
            let expected = format!("one declaration of {}", self.plan.encoding);
            return Err(self.here(&expected, "another declaration"));
        }
        self.input.pass(tag.length);
        self.declared = true;
        Ok(None)
    }

    /// Text where no value stands: nothing to us in what is passed over, a fault elsewhere.
    fn characters(&mut self, there: usize) -> Result<Option<One>, Stop> {
        let window = self.input.seen(0, there);
        if window.first() == Some(&b'&') {
            let length = match scan::reference(window) {
                Some((_, length)) if self.skipping.is_some() => length,
                Some(_) => return Err(self.here("elements alone", "a reference")),
                None => return Err(self.here("text in the declared encoding", "a reference")),
            };
            self.input.pass(length);
            return Ok(None);
        }
        let end = window.iter().position(|byte| matches!(byte, b'<' | b'&'));
        let whole = there < LOOK_BYTES;
        let length = end.unwrap_or_else(|| {
            if whole { there } else { self.charset.cut(window, there.saturating_sub(8)) }
        });
        let found = shape(window.get(..length).unwrap_or_default());
        self.decoded(0, length)?;
        if self.skipping.is_none() {
            return Err(self.here("elements alone", &found));
        }
        self.input.pass(length);
        Ok(None)
    }

    /// Is what stands here text in the character set of the part?
    fn decoded(&mut self, from: usize, to: usize) -> Result<(), Stop> {
        self.text.clear();
        let bytes = self.input.seen(from, to);
        let decoded = self.charset.decode_into(bytes, Controls::Layout, &mut self.text);
        decoded.map_err(|bad| {
            let expected = format!("text in {}", self.charset.as_str());
            self.stop(self.input.at + from + bad.at, "", &bad.why, &expected)
        })
    }

    fn skipped_cdata(&mut self) -> Result<Option<One>, Stop> {
        let there = self.look(VALUE_BYTES_MAX)?;
        let end = cdata_end(self.charset, self.input.seen(0, there));
        let Some(end) = end else {
            let expected = format!("a CDATA section of at most {VALUE_BYTES_MAX} bytes");
            return Err(self.here(&expected, "more, or the end"));
        };
        self.decoded(CDATA.len(), end)?;
        self.input.pass(end + CDATA_END.len());
        Ok(None)
    }

    /// Passes a start tag whose element stays open.
    pub(super) fn opened(&mut self, tag: Tag, node: Option<usize>, spaces: usize) {
        let name = self.names.len();
        self.names.extend_from_slice(self.tag.get(1..=tag.name).unwrap_or_default());
        self.open.push(Open { node, name, spaces, next: 0 });
        self.input.pass(tag.length);
        self.ending = tag.empty;
        if let Some(node) = node.filter(|_| self.plan.any_order) {
            for child in &self.plan.nodes[node].children {
                self.seen[*child] = false;
            }
        }
    }

    /// The end tag of the innermost open element.
    fn end(&mut self, into: &mut Into<'_>) -> Result<Option<One>, Stop> {
        let least = LOOK_BYTES.max(self.names.len() + LOOK_BYTES);
        let there = self.look(least)?;
        let Some(open) = self.open.last() else {
            return Err(self.here("the end of the document", "the end of an element"));
        };
        let name = self.names.get(open.name..).unwrap_or_default();
        let Some(length) = end_tag(self.input.seen(0, there), name) else {
            return Err(self.no_end(name, there));
        };
        if let Some(told) = self.ends(into)? {
            return Ok(Some(told));
        }
        self.input.pass(length);
        Ok(None)
    }

    fn no_end(&self, name: &[u8], there: usize) -> Stop {
        if there <= name.len() + CDATA_END.len() && end_tag_begins(self.input.seen(0, there), name)
        {
            return self.here("the whole document", "its end");
        }
        self.here(&format!("</{}>", scan::printable(name)), "something else")
    }

    /// The innermost open element ends, unless a record has to be told before.
    pub(super) fn ends(&mut self, into: &mut Into<'_>) -> Result<Option<One>, Stop> {
        let plan = self.plan;
        let node = self.open.last().and_then(|open| open.node);
        if let Some(node) = node.filter(|node| *node == ROOT || plan.nodes[*node].group.is_some()) {
            let all = self.frames.last().map_or(0, |frame| plan.scopes[frame.scope].items.len());
            let told = self.make_way(all, node, into)?;
            if told.is_some() {
                return Ok(told);
            }
            self.frames.pop();
        }
        if let Some(open) = self.open.pop() {
            self.names.truncate(open.name);
            self.spaces.back_to(open.spaces);
        }
        if self.skipping == Some(self.open.len()) {
            self.skipping = None;
        }
        if self.open.is_empty() {
            self.stage = Stage::Closed;
        }
        Ok(None)
    }

    /// An item of the innermost group begins: what has to be told before it is told.
    pub(super) fn make_way(
        &mut self,
        to: usize,
        node: usize,
        into: &mut Into<'_>,
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
    pub(super) fn begins(&mut self, item: usize, record: usize, into: &mut Into<'_>) {
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
        self.closing.stated.clear();
        self.record += 1;
        self.being = Some(Being { record, target, start: self.input.at, bad: None });
        if let Some(frame) = self.frames.last_mut() {
            frame.item = Some(item);
        }
    }

    /// The record that is being read is whole.
    fn tell(&mut self, into: &mut Into<'_>) -> Result<One, Stop> {
        let order: &LinesPlan = &self.plan.order;
        let Some(Being { record, target, start, mut bad }) = self.being.take() else {
            return Ok(One::End);
        };
        let plan = &order.records[record];
        if bad.is_none() {
            let mut fields = plan.fields.iter().zip(&self.got);
            let missing = fields.find(|(field, got)| !**got && !field.cell.may_be_absent());
            bad = missing.map(|(field, _)| Stop {
                record: self.record,
                ..self.stop(self.input.at, &field.cell.name, "nothing", "a value")
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
        Ok(One::Record { next, bad, start })
    }

    /// Takes one value of the record that is being read: what was copied, or what stands here.
    pub(super) fn take(&mut self, field: FieldRef, bytes: &Bytes, at: usize, into: &mut Into<'_>) {
        let Some(being) = &mut self.being else { return };
        let plan = &self.plan.order.records[field.record].fields[field.field];
        let bytes = match bytes {
            Bytes::Here(length) => self.input.seen(0, *length),
            Bytes::Tag(range) => self.tag.get(range.clone()).unwrap_or_default(),
            Bytes::Value => self.value.as_slice(),
        };
        self.got[field.field] = true;
        let (at, found, expected) = if bytes.is_empty() {
            if plan.cell.may_be_absent() {
                return;
            }
            (at, "nothing".to_owned(), "a value".to_owned())
        } else {
            let values = being.target.of(into.records);
            let read = plan.cell.read(self.charset, bytes, values, &mut self.closing.stated);
            let Err(fault) = read else { return };
            (at + fault.at, fault.found, fault.expected)
        };
        let field = plan.cell.name.clone();
        let stop = Stop { record: self.record, field, offset: Some(at), found, expected };
        being.bad.get_or_insert(stop);
    }

    fn unclosed(&self, open: &StatedOpen) -> Stop {
        let expected = format!("{}, as stated", open.stated);
        self.stop(self.input.at, &open.field, &open.found.to_string(), &expected)
    }

    /// A fault at the byte where this stands.
    pub(super) fn here(&self, expected: &str, found: &str) -> Stop {
        self.stop(self.input.at, "", found, expected)
    }

    pub(super) fn stop(&self, at: usize, field: &str, found: &str, expected: &str) -> Stop {
        Stop {
            record: self.record.max(1),
            field: field.to_owned(),
            offset: Some(at),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }

    /// The element of the plan that is innermost.
    pub(super) fn parent(&self) -> Option<&'f Node> {
        let plan = self.plan;
        self.open.last().and_then(|open| open.node).map(|node| &plan.nodes[node])
    }
}

/// Where the bytes of a value are.
pub(super) enum Bytes {
    /// So many, as they stand.
    Here(usize),
    /// In the tag that was read last.
    Tag(std::ops::Range<usize>),
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

/// Where the end of a CDATA section that begins here begins.
pub(super) fn cdata_end(charset: Charset, window: &[u8]) -> Option<usize> {
    let mut from = CDATA.len();
    loop {
        let at = charset.find(window, from, b']')?;
        if window.get(at..).unwrap_or_default().starts_with(CDATA_END) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The length of the end tag of this name, where it is what begins here.
pub(super) fn end_tag(window: &[u8], name: &[u8]) -> Option<usize> {
    let rest = window.strip_prefix(b"</")?.strip_prefix(name)?;
    let blank = scan::blanks(rest);
    (rest.get(blank) == Some(&b'>')).then_some(name.len() + blank + CDATA_END.len())
}

fn end_tag_begins(window: &[u8], name: &[u8]) -> bool {
    [b"</", name, b">"].concat().starts_with(window)
}
