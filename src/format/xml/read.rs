//! Reading XML by path, with the guards that the event reader does not have: one root, closed at
//! the end, no DOCTYPE, no entities of its own, caps on depth and attributes, nothing twice and
//! nothing that the description does not name.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::format::cell::Bind;
use crate::format::charset::Charset;
use crate::format::computed::Stated;
use crate::format::error::shape;
use crate::format::reading::{Bad, Records, Step, Stop};
use crate::format::words::Key;
use crate::format::xml::feed::Feed;
use crate::format::xml::{FieldRef, XmlPlan};

/// No bank nests deeper, and no element has more attributes.
const DEPTH_MAX: usize = 32;
const ATTRIBUTES_MAX: usize = 32;
/// The longest value; a field of a bank has some hundred bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Prolog,
    Inside,
    Closed,
}

/// Walks through one part, event by event, and stops at each record.
#[expect(clippy::struct_excessive_bools, reason = "four things that were told or not, in any mix")]
pub(crate) struct XmlReader<'f> {
    plan: &'f XmlPlan,
    charset: Charset,
    reader: Reader<Feed<'f>>,
    buffer: Vec<u8>,
    /// The open elements, as nodes of the plan.
    open: Vec<usize>,
    /// How many open elements are ignored ones and what is in them.
    ignored: usize,
    /// Which elements were there: in the document, or in this row.
    seen: Vec<bool>,
    /// Which fields had a value or stood empty, in the order head, row, tail.
    got: [Vec<bool>; 3],
    text: String,
    stage: Stage,
    declared: bool,
    head_told: bool,
    tail_told: bool,
    at_end: bool,
    bad: Option<Stop>,
    /// What the document says of others; language 1 compares none of it.
    pub stated: Stated,
    pub record: usize,
}

impl<'f> XmlReader<'f> {
    pub fn new(plan: &'f XmlPlan, charset: Charset, bytes: Cow<'f, [u8]>) -> Self {
        let mut reader = Reader::from_reader(Feed::new(charset, bytes));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        config.allow_unmatched_ends = false;
        config.allow_dangling_amp = false;
        Self {
            plan,
            charset,
            reader,
            buffer: Vec::new(),
            open: Vec::new(),
            ignored: 0,
            seen: vec![false; plan.nodes.len()],
            got: [&plan.head, &plan.row, &plan.tail].map(|fields| vec![false; fields.len()]),
            text: String::new(),
            stage: Stage::Prolog,
            declared: false,
            head_told: false,
            tail_told: false,
            at_end: false,
            bad: None,
            stated: Stated::default(),
            record: 1,
        }
    }

    /// Reads on to the next record; says which one it was.
    pub fn step(&mut self, into: &mut Records) -> Result<Step, Stop> {
        loop {
            if self.at_end {
                return self.finish();
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            let step = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => self.event(&event, into),
                Err(error) => Err(self.broken(&error)),
            };
            self.buffer = buffer;
            if let Some(step) = step? {
                return Ok(step);
            }
        }
    }

    /// What is left to tell when the document is whole.
    fn finish(&mut self) -> Result<Step, Stop> {
        if !self.head_told {
            self.head_told = true;
            self.demand(0)?;
            return Ok(Step::Head);
        }
        if !self.tail_told && !self.plan.tail.is_empty() {
            self.tail_told = true;
            self.demand(2)?;
            return Ok(Step::Tail);
        }
        Ok(Step::End)
    }

    fn event(&mut self, event: &Event<'_>, into: &mut Records) -> Result<Option<Step>, Stop> {
        match event {
            Event::Decl(declaration) => {
                let named = match declaration.encoding() {
                    Some(Ok(name)) => Charset::parse(&name),
                    _ => None,
                };
                let first = self.stage == Stage::Prolog && !self.declared;
                if !first || named != Some(self.charset) {
                    let expected = format!("one declaration of {}", self.charset.as_str());
                    return Err(self.stop(&expected, "another declaration"));
                }
                self.declared = true;
                Ok(None)
            }
            Event::Start(start) => self.start(start, into),
            Event::End(_) => self.end(into),
            Event::Text(text) => self.characters(text).map(|()| None),
            Event::CData(text) => self.characters(text).map(|()| None),
            Event::GeneralRef(name) => {
                let sign = match name.as_ref() {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "apos" => "'",
                    _ => return Err(self.stop("text in the declared encoding", "a reference")),
                };
                self.characters(sign).map(|()| None)
            }
            Event::Eof if self.stage == Stage::Closed => {
                self.at_end = true;
                Ok(None)
            }
            Event::Eof => Err(self.stop("the whole document", "its end")),
            Event::DocType(_) => Err(self.stop("no DOCTYPE", "one")),
            Event::PI(_) => Err(self.stop("elements alone", "a processing instruction")),
            Event::Comment(_) => Err(self.stop("elements alone", "a comment")),
            // Empty elements come as a start and an end.
            Event::Empty(_) => Err(self.stop("elements alone", "an empty element")),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, into: &mut Records) -> Result<Option<Step>, Stop> {
        if !self.declared {
            let expected = format!("a declaration of {}", self.charset.as_str());
            return Err(self.stop(&expected, "an element"));
        }
        if self.open.len() + self.ignored >= DEPTH_MAX {
            return Err(self.stop(&format!("at most {DEPTH_MAX} elements in each other"), "more"));
        }
        let mut attributes = start.attributes();
        if attributes.with_checks(false).nth(ATTRIBUTES_MAX).is_some() {
            return Err(self.stop(&format!("at most {ATTRIBUTES_MAX} attributes"), "more"));
        }
        if self.ignored > 0 {
            self.ignored += 1;
            return Ok(None);
        }
        let node = self.node(start.name().into_inner())?;
        let plan = self.plan;
        if plan.nodes[node].ignored {
            self.ignored = 1;
            return Ok(None);
        }
        let is_row = plan.row_node == Some(node);
        if std::mem::replace(&mut self.seen[node], true) && !is_row {
            return Err(self.stop(&format!("<{}> once", plan.nodes[node].name), "it twice"));
        }
        self.stage = Stage::Inside;
        self.open.push(node);
        self.text.clear();
        if is_row {
            self.record += 1;
            into.row.clear();
            self.bad = None;
            self.got[1].fill(false);
            for (node, seen) in plan.nodes.iter().zip(&mut self.seen) {
                *seen &= !node.in_row;
            }
        }
        self.attributes(node, start, into)?;
        if is_row && !self.head_told {
            self.head_told = true;
            self.demand(0)?;
            return Ok(Some(Step::Head));
        }
        Ok(None)
    }

    /// The node of the plan that an element is.
    fn node(&self, name: &str) -> Result<usize, Stop> {
        let plan = self.plan;
        match (self.stage, self.open.last()) {
            (Stage::Prolog, _) if plan.nodes[0].name == name => Ok(0),
            (Stage::Prolog, _) => {
                Err(self.stop(&format!("<{}>", plan.nodes[0].name), "another root"))
            }
            (Stage::Closed, _) | (_, None) => {
                Err(self.stop("the end of the document", "a second root"))
            }
            (Stage::Inside, Some(parent)) => {
                let children = &plan.nodes[*parent].children;
                let known = children.iter().copied().find(|at| plan.nodes[*at].name == name);
                known.ok_or_else(|| {
                    let parent = &plan.nodes[*parent].name;
                    let expected = format!("in <{parent}> what the format names");
                    self.stop(&expected, &format!("<{}>", printable(name)))
                })
            }
        }
    }

    fn attributes(
        &mut self,
        node: usize,
        start: &BytesStart<'_>,
        into: &mut Records,
    ) -> Result<(), Stop> {
        let plan = self.plan;
        let known = &plan.nodes[node].attributes;
        for attribute in start.attributes() {
            let attribute =
                attribute.map_err(|_| self.stop("attributes with quoted values", "others"))?;
            let name = attribute.key.into_inner();
            let Some((_, field)) = known.iter().find(|(known, _)| known == name) else {
                let expected = format!("attributes of <{}>", plan.nodes[node].name);
                return Err(self.stop(&expected, &printable(name)));
            };
            let Some(value) = unescaped(&attribute.value) else {
                return Err(self.stop("text in the declared encoding", "a reference"));
            };
            self.value(*field, &value, into)?;
        }
        Ok(())
    }

    fn characters(&mut self, text: &str) -> Result<(), Stop> {
        if self.ignored > 0 {
            return Ok(());
        }
        let holds_value = self.open.last().is_some_and(|at| self.plan.nodes[*at].text.is_some());
        if holds_value {
            if self.text.len() + text.len() > VALUE_BYTES_MAX {
                let expected = format!("a value of at most {VALUE_BYTES_MAX} bytes");
                return Err(self.stop(&expected, "more"));
            }
            self.text.push_str(text);
            return Ok(());
        }
        let blank = text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        if blank && (self.declared || self.stage != Stage::Prolog) {
            return Ok(());
        }
        Err(self.stop("elements alone", &shape(text.as_bytes())))
    }

    fn end(&mut self, into: &mut Records) -> Result<Option<Step>, Stop> {
        if self.ignored > 0 {
            self.ignored -= 1;
            return Ok(None);
        }
        let Some(node) = self.open.pop() else {
            return Err(self.stop("the end of the document", "the end of an element"));
        };
        if let Some(field) = self.plan.nodes[node].text {
            let text = std::mem::take(&mut self.text);
            let read = self.value(field, &text, into);
            self.text = text;
            self.text.clear();
            read?;
        }
        if self.open.is_empty() {
            self.stage = Stage::Closed;
        }
        if self.plan.row_node != Some(node) {
            return Ok(None);
        }
        let missing = self.demand(1).err();
        Ok(Some(match self.bad.take().or(missing) {
            None => Step::Row,
            Some(stop) => Step::Bad(Box::new(Bad { stop, amount: into.row.amount(Key::Amount) })),
        }))
    }

    /// Takes one value. In a row a fault is the row's; elsewhere it is the whole document's.
    fn value(&mut self, at: FieldRef, text: &str, into: &mut Records) -> Result<(), Stop> {
        let plan = self.plan;
        let field = plan.field(at);
        let (list, index, record) = match at {
            FieldRef::Head(index) => (0, index, &mut into.head),
            FieldRef::Row(index) => (1, index, &mut into.row),
            FieldRef::Tail(index) => (2, index, &mut into.tail),
        };
        if list == 0 && self.head_told {
            return Err(self.stop("the head before the rows", "a part of it behind them"));
        }
        self.got[list][index] = true;
        let fault = if text.is_empty() {
            let missing = ("nothing".to_owned(), "a value".to_owned());
            (!field.cell.optional).then_some(missing)
        } else {
            let bytes = text.as_bytes();
            let read = field.cell.read(Charset::Utf8, bytes, record, &mut self.stated);
            read.err().map(|fault| (fault.found, fault.expected))
        };
        let Some((found, expected)) = fault else { return Ok(()) };
        let mut stop = self.stop(&expected, &found);
        stop.field.clone_from(&field.cell.name);
        if list != 1 {
            return Err(stop);
        }
        self.bad.get_or_insert(stop);
        Ok(())
    }

    /// Was every field of a record there that must be?
    fn demand(&mut self, list: usize) -> Result<(), Stop> {
        let plan = self.plan;
        let fields = [&plan.head, &plan.row, &plan.tail][list];
        let missing = fields.iter().zip(&self.got[list]).find(|(field, got)| {
            !**got && !field.cell.optional && !matches!(field.cell.bind, Bind::Computed(_))
        });
        let Some((field, _)) = missing else { return Ok(()) };
        let mut stop = self.stop("a value", "nothing");
        stop.field.clone_from(&field.cell.name);
        Err(stop)
    }

    fn broken(&mut self, _error: &quick_xml::Error) -> Stop {
        match self.reader.get_ref().bad.clone() {
            Some(bad) => {
                let expected = format!("text in {}", self.charset.as_str());
                Stop { offset: Some(bad.at), ..self.stop(&expected, &bad.why) }
            }
            None => self.stop("well-formed XML", "something else"),
        }
    }

    fn stop(&self, expected: &str, found: &str) -> Stop {
        let position =
            usize::try_from(self.reader.error_position().max(self.reader.buffer_position()));
        let offset = position.ok().map(|position| self.reader.get_ref().offset(position));
        Stop {
            record: self.record,
            field: String::new(),
            offset,
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}

/// An element's or attribute's name is the bank's, not a person's; still no more than a glance.
fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(32).collect()
}

/// The value of an attribute; nothing where it has a reference that is not one of the five.
fn unescaped(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('&') {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';')?;
        text.push_str(before);
        text.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        rest = after;
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}
