//! Reading a document record by record, a few bytes at a time: one root, closed at the end, no
//! DOCTYPE, no entities of its own, caps on depth and attributes, nothing twice, and nothing that
//! the description does not name. What is said to nobody here, comments and instructions, is passed
//! over between elements; inside a value it would say that one text is two.

use std::ops::Range;

use crate::format::charset::{Charset, Sign};
use crate::format::closing::Closing;
use crate::format::input::Input;
use crate::format::lines::read::One;
use crate::format::reading::{Records, Step, Stop};
use crate::format::respelled::NoText;
use crate::format::steps::Steps;
use crate::format::xml::record::{Being, Place};
use crate::format::xml::scan::{self, CDATA, CDATA_END, Markup, Pair, Tag};
use crate::format::xml::spaces::Spaces;
use crate::format::xml::{Node, XmlPlan};

/// No bank nests deeper.
pub(super) const DEPTH_MAX: usize = 32;
/// The longest value; a field of a bank has some hundred bytes.
pub(super) const VALUE_BYTES_MAX: usize = 16 * 1024;
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
    /// Something was passed over before or between the elements that is said to nobody here.
    pub(super) remarks: bool,
    pub(super) open: Vec<Open>,
    /// The names of the open elements as they are spelled.
    pub(super) names: Vec<u8>,
    /// So many elements were open when the one began that is passed over with all in it.
    pub(super) skipping: Option<usize>,
    pub(super) frames: Vec<Frame>,
    pub(super) spaces: Spaces,
    pub(super) pairs: Vec<Pair>,
    /// The tag that was read last.
    pub(super) tag: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) text: String,
    /// Which elements were there in theirs; kept only where they stand in any order.
    pub(super) seen: Vec<bool>,
    pub(super) being: Option<Being>,
    /// Which fields of that record had a value or stood empty.
    pub(super) got: Vec<bool>,
    /// The outermost group that began since the last record was told.
    pub(super) entered: Option<usize>,
    /// The record that was told last.
    pub(super) told: Option<usize>,
    /// Where the values of the record being read stand, for those who ask.
    pub(super) places: Option<Vec<(usize, Range<usize>)>>,
}

impl<'f> XmlReader<'f> {
    pub fn new(plan: &'f XmlPlan, charset: Charset, input: Input<'f>) -> Self {
        let fields = plan.order.records.iter().map(|record| record.fields.len()).max();
        let mut spaces = Spaces::default();
        spaces.compare(plan);
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
            remarks: false,
            open: Vec::new(),
            names: Vec::new(),
            skipping: None,
            frames: Vec::new(),
            spaces,
            pairs: Vec::new(),
            tag: Vec::new(),
            value: Vec::new(),
            text: String::new(),
            seen: vec![false; plan.nodes.len()],
            being: None,
            got: vec![false; fields.unwrap_or(0)],
            entered: None,
            told: None,
            places: None,
        }
    }

    /// Keeps the places of values from here on.
    pub fn keep_places(&mut self) {
        self.places = Some(Vec::new());
    }

    /// The values of the record that was told last, each with its bytes in the part as they are
    /// spelled there.
    pub fn places(&self) -> Vec<(&'f str, Range<usize>)> {
        let plan = self.plan;
        let Some(record) = self.told.and_then(|record| plan.order.records.get(record)) else {
            return Vec::new();
        };
        let places = self.places.iter().flatten();
        places.map(|(at, place)| (record.fields[*at].cell.name.as_str(), place.clone())).collect()
    }

    /// Reads on to the next thing that the road knows.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Box<Stop>> {
        let mut steps = std::mem::take(&mut self.steps);
        let plan = self.plan;
        let step = steps.step(&plan.order, into, |into| self.one(into, false).map_err(Box::new));
        self.steps = steps;
        step
    }

    /// Reads one record into its place, or into the spare one.
    pub fn one(&mut self, into: &mut Records, spare: bool) -> Result<One, Stop> {
        let mut into = Place { records: into, spare };
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
                Markup::Start => self.start(there, &mut into)?,
                Markup::End => self.end(&mut into)?,
                Markup::Blank(count)
                    if self.declared || self.remarks || self.stage != Stage::Prolog =>
                {
                    self.input.pass(count);
                    None
                }
                Markup::Blank(_) | Markup::Text => self.characters(there)?,
                Markup::CData if self.skipping.is_some() => self.skipped_cdata()?,
                Markup::CData => return Err(self.here("elements alone", "a CDATA section")),
                Markup::Instruction => self.instruction()?,
                Markup::Comment => self.comment()?,
                Markup::Doctype => return Err(self.here("no DOCTYPE", "one")),
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
            offset: Some(NoText::of(&error).map_or(at, |no_text| no_text.at)),
            found: error.to_string(),
            expected: "the rest of the document".to_owned(),
        })
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
    fn end(&mut self, into: &mut Place<'_>) -> Result<Option<One>, Stop> {
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
    pub(super) fn ends(&mut self, into: &mut Place<'_>) -> Result<Option<One>, Stop> {
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
            self.spaces.back_to(self.plan, open.spaces);
        }
        if self.skipping == Some(self.open.len()) {
            self.skipping = None;
        }
        if self.open.is_empty() {
            self.stage = Stage::Closed;
        }
        Ok(None)
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

/// Where the end of a CDATA section that begins here begins.
pub(super) fn cdata_end(charset: Charset, window: &[u8]) -> Option<usize> {
    let mut from = CDATA.len();
    loop {
        let at = charset.find(window, from, Sign::byte(b']'))?;
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
