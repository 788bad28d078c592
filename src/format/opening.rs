//! Opening a message: each part is found, its name and its frame are read, and what one part says
//! of another is kept until it can be compared.

use crate::format::Format;
use crate::format::charset::Charset;
use crate::format::computed::{Computed, DigestOf, LengthOf, Stated};
use crate::format::digests::{Digesting, before};
use crate::format::error::DataError;
use crate::format::input::Input;
use crate::format::lines::read::LineReader;
use crate::format::lines::{Place, RecordPlan};
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::reader::Reader;
use crate::format::reading::{PartBytes, PartContent, Records, Step, Stop, located};
use crate::format::record::Record;
use crate::format::words::PartRole;
use crate::format::writing::whole;
use crate::format::xml::read::XmlReader;

const FILE_NAME: &str = "file name";

/// A message while its parts are looked at.
pub(crate) struct Opening<'f> {
    pub format: &'f Format,
    pub message: &'f MessagePlan,
    pub stated: Vec<(&'static str, Record)>,
    pub declared: Vec<(Computed, String, String)>,
    pub known: Vec<(Digesting, DigestOf, String)>,
    pub lengths: Vec<(LengthOf, i64, String)>,
    /// The file names of the parts that have one.
    pub names: Vec<(PartRole, String)>,
}

impl<'f> Opening<'f> {
    pub const fn new(format: &'f Format, message: &'f MessagePlan) -> Self {
        Self {
            format,
            message,
            stated: Vec::new(),
            declared: Vec::new(),
            known: Vec::new(),
            lengths: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The part that was given for a part of the description, of a fair size; nothing where it is one that may
    /// be left out.
    pub fn find(
        &self,
        plan: &PartPlan,
        parts: &mut [Option<PartBytes<'f>>],
    ) -> Result<Option<PartBytes<'f>>, DataError> {
        let kind = self.message.kind;
        let of_role = |part: &&mut Option<PartBytes<'f>>| {
            part.as_ref().is_some_and(|part| part.role == plan.role)
        };
        let mut ours = parts.iter_mut().filter(of_role);
        let (part, None) = (ours.next(), ours.next()) else {
            return Err(whole(kind, &format!("one {} part", plan.role), "several"));
        };
        let Some(part) = part.and_then(Option::take) else {
            if plan.optional {
                return Ok(None);
            }
            return Err(whole(kind, &format!("a {} part", plan.role), "none"));
        };
        let most = self.format.limits().bytes_max;
        if let PartContent::Here(bytes) = &part.bytes
            && bytes.len() > most
        {
            let expected = format!("at most {most} bytes");
            let error = whole(kind, &expected, &bytes.len().to_string());
            return Err(DataError { part: Some(plan.role), ..error });
        }
        Ok(Some(part))
    }

    /// Is a part that may be left out there where the others name it, and nowhere else?
    pub fn agrees_on(&self, plan: &PartPlan, there: bool) -> Result<(), DataError> {
        let names = |(computed, ..): &&(Computed, String, String)| {
            *computed == Computed::PartName(plan.role)
        };
        let named = self.declared.iter().any(|declared| names(&declared));
        if !plan.optional || named == there {
            return Ok(());
        }
        let (expected, found) = if named {
            (format!("the {} part that it names", plan.role), "none")
        } else {
            (format!("the name of its {} part", plan.role), "none, and that part")
        };
        Err(whole(self.message.kind, &expected, found))
    }

    /// The values in a part's name, where it has one and the description too.
    pub fn name(&mut self, plan: &PartPlan, part: &PartBytes<'f>) -> Result<(), DataError> {
        let Some(pattern) = plan.name.as_ref().filter(|_| !part.name.is_empty()) else {
            return Ok(());
        };
        let Some(keys) = pattern.read(&part.name) else {
            let kind = self.message.kind;
            let error = whole(kind, "a file name of the described pattern", "another one");
            return Err(DataError { part: Some(plan.role), ..error });
        };
        self.stated.push((FILE_NAME, keys));
        self.names.push((plan.role, part.name.clone()));
        Ok(())
    }

    /// A reader behind the frame, and how long the frame is. What is stated about the part's bytes is
    /// worked out: at once where they are in memory, while they pass by where not.
    pub fn reader(
        &mut self,
        plan: &'f PartPlan,
        content: PartContent<'f>,
    ) -> Result<(Reader<'f>, usize), DataError> {
        let (kind, of_part) = (self.message.kind, DigestOf::Part(plan.role));
        let wanted = |message: &MessagePlan| {
            let digests = message.digests.iter().filter(|(_, role)| *role == plan.role);
            digests.map(|(how, _)| *how).collect::<Vec<_>>()
        };
        let mut input = match content {
            PartContent::Here(bytes) => {
                for how in wanted(self.message) {
                    self.known.push((how, of_part, how.of(self.format, kind, bytes)?));
                }
                Input::here(bytes)
            }
            PartContent::Stream(from) => {
                let mut input = Input::stream(from, self.format.limits().bytes_max);
                for how in wanted(self.message) {
                    input.digest(how, of_part, how.begin(self.format, kind)?);
                }
                input
            }
        };
        let frame = match &plan.frame {
            Some(frame) => self.frame(plan, frame, &mut input)?,
            None => 0,
        };
        for (how, begun) in before(self.format, kind, &plan.layout)? {
            input.digest(how, DigestOf::Before, begun);
        }
        let reader = match &plan.layout {
            Layout::Lines(lines) => {
                Reader::Lines(Box::new(LineReader::new(lines, plan.charset, input)))
            }
            Layout::Xml(xml) => {
                if let Some(charset) = xml.respelled {
                    input = input.respelled(charset);
                }
                Reader::Xml(Box::new(XmlReader::new(xml, plan.charset, input)))
            }
        };
        Ok((reader, frame))
    }

    /// Is the body of a part as long as its frame says?
    fn length(&self, plan: &PartPlan, frame: usize, body: usize) -> Result<(), DataError> {
        for (of, stated, field) in &self.lengths {
            let found = of.bytes(body, frame);
            if found != *stated {
                let expected = format!("{stated} bytes, as the frame states");
                let error = whole(self.message.kind, &expected, &found.to_string());
                let field = field.clone();
                return Err(DataError { part: Some(plan.role), field, ..error });
            }
        }
        Ok(())
    }

    /// Reads the record in front of the body.
    fn frame(
        &mut self,
        plan: &PartPlan,
        frame: &RecordPlan,
        input: &mut Input<'f>,
    ) -> Result<usize, DataError> {
        let located = |stop: Stop| located(self.message.kind, plan.role, stop);
        let window = input.window(frame.length).unwrap_or_default();
        let Some(bytes) = window.get(..frame.length) else {
            return Err(located(Stop {
                record: 0,
                field: "frame".to_owned(),
                offset: Some(window.len()),
                found: "the end".to_owned(),
                expected: format!("a frame of {} bytes", frame.length),
            }));
        };
        let (mut record, mut stated) = (Record::new(), Stated::default());
        frame_fields(frame, plan.charset, bytes, &mut record, &mut stated).map_err(located)?;
        input.pass(frame.length);
        let kind = self.message.kind;
        for how in frame.digests(DigestOf::Body) {
            match input.in_memory() {
                Some(body) => {
                    self.known.push((how, DigestOf::Body, how.of(self.format, kind, body)?));
                }
                None => input.digest(how, DigestOf::Body, how.begin(self.format, kind)?),
            }
        }
        for (computed, number, field) in stated.numbers {
            if let Computed::Length(of) = computed {
                self.lengths.push((of, number, field));
            }
        }
        self.declared.append(&mut stated.texts);
        self.stated.push(("frame", record));
        Ok(frame.length)
    }

    /// Reads a part that has no rows: what it says of the whole, and of the others.
    pub fn beside(
        &mut self,
        plan: &'f PartPlan,
        content: PartContent<'f>,
    ) -> Result<(), DataError> {
        let kind = self.message.kind;
        let (mut reader, frame) = self.reader(plan, content)?;
        let mut records = Records::default();
        loop {
            match reader.step(&mut records).map_err(|stop| located(kind, plan.role, *stop))? {
                Step::End => break,
                Step::Bad(bad) => return Err(located(kind, plan.role, bad.stop)),
                Step::Head | Step::Row | Step::Tail => {}
            }
        }
        self.length(plan, frame, reader.passed() - frame)?;
        let (input, declared) = reader.closing();
        self.declared.append(declared);
        self.known.append(&mut input.digested());
        self.lengths.clear();
        let mut head = records.head;
        head.fill_from(&records.tail);
        let place = match plan.role {
            PartRole::Control | PartRole::Trigger => "control part",
            PartRole::Message => "message part",
            PartRole::Data | PartRole::Side => "other part",
        };
        self.stated.push((place, head));
        Ok(())
    }
}

/// The fields of a frame.
fn frame_fields(
    frame: &RecordPlan,
    charset: Charset,
    bytes: &[u8],
    record: &mut Record,
    stated: &mut Stated,
) -> Result<(), Stop> {
    for field in &frame.fields {
        let Place::Slab(slab) = &field.place else { continue };
        let value = bytes.get(slab.start..slab.start + slab.width).unwrap_or_default();
        slab.take(&field.cell, charset, value, record, stated).map_err(|fault| Stop {
            record: 0,
            field: field.cell.name.clone(),
            offset: Some(slab.start + fault.at),
            found: fault.found,
            expected: fault.expected,
        })?;
    }
    Ok(())
}
