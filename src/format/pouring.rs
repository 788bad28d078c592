//! Writing a message whose records do not fit into memory: they pass by as often as needed, and what
//! is written of the part that has them goes on while it is written.
//!
//! Count and sum stand in heads, and lengths in frames, before what they are about. So records pass
//! by once to be added up, once to be measured, and once to be written; nothing is written before all
//! of it can be.

use std::io;
use std::ops::ControlFlow;

use crate::format::Format;
use crate::format::adding::Adding;
use crate::format::cell::{Pen, out_of_range};
use crate::format::computed::{DigestOf, Facts};
use crate::format::digests::{Digesting, Passing, before};
use crate::format::error::{DataError, FieldError};
use crate::format::lines::Style;
use crate::format::lines::write::write_fields;
use crate::format::plan::{Layout, MessagePlan, PartPlan};
use crate::format::record::Record;
use crate::format::sums::{Counted, Sums};
use crate::format::words::{MessageKind, PartRole};
use crate::format::writing::{
    Content, WriteFault, file_names, located, one_record, order_of_parts, whole, write_part,
};

/// The records of a message as they follow each other, as often as they are asked for.
pub trait Records {
    /// Passes each by, with its place among the records of its message.
    ///
    /// # Errors
    /// One of them cannot be read; who reads them knows why.
    fn each(
        &self,
        give: &mut dyn FnMut(usize, &Record) -> ControlFlow<()>,
    ) -> Result<(), Unreadable>;
}

/// A record cannot be read.
#[derive(Debug, Clone, Copy)]
pub struct Unreadable;

/// Where the parts of a message go, one after the other.
pub trait Parts {
    /// A part begins, by its role and its file's name.
    ///
    /// # Errors
    /// There is no place for it.
    fn begin(&mut self, role: PartRole, name: &str) -> io::Result<()>;

    /// Takes the next bytes of the part.
    ///
    /// # Errors
    /// There is no place for them.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The part is whole.
    ///
    /// # Errors
    /// It could not be kept.
    fn end(&mut self) -> io::Result<()>;
}

/// How much of a part is held before it goes on.
pub(crate) const HELD_BYTES: usize = 64 * 1024;

/// What takes the bytes of a part off the hands of who writes it, and leaves nothing of them.
pub(crate) type Spill<'s> = dyn FnMut(&mut Vec<u8>) -> Result<(), WriteFault> + 's;

/// Writes a message out of its records.
pub(crate) fn pour(
    format: &Format,
    kind: MessageKind,
    records: &dyn Records,
    to: &mut dyn Parts,
) -> Result<(), DataError> {
    let message = format.plan().message(kind);
    let main = message.and_then(|message| Some((message, message.main()?)));
    let Some((message, main)) = main else {
        return Err(whole(kind, "a message that this format has", "no description of it"));
    };
    let (head, sums) = added_up(format, message, main, records)?;
    let left_out = sums.count == 0;
    let head = &sums.over(&head, message)?;
    let names = file_names(message, head, left_out)?;
    let mut digests: Vec<(Digesting, DigestOf, String)> = Vec::new();
    let mut small: Vec<Option<Vec<u8>>> = message.parts.iter().map(|_| None).collect();
    let nothing: Content<'_, Record> = Content::Rows(&[]);
    let mut poured = Poured::default();
    for at in order_of_parts(message) {
        let plan = &message.parts[at];
        if left_out && plan.optional {
            continue;
        }
        let facts = Facts { digests: digests.clone(), names: names.clone(), ..Facts::default() };
        let of = DigestOf::Part(plan.role);
        let wanted = message.digests.iter().filter(|(_, role)| *role == plan.role);
        let wanted: Vec<Digesting> = wanted.map(|(how, _)| *how).collect();
        if std::ptr::eq(plan, main) {
            let stream = Stream { format, kind, plan, head, records };
            poured = stream.measured(facts, &wanted)?;
            digests.extend(poured.part.iter().map(|(how, digest)| (*how, of, digest.clone())));
        } else {
            let bytes = write_part(format, kind, plan, facts, head, &nothing)?;
            for how in wanted {
                digests.push((how, of, how.of(format, kind, &bytes)?));
            }
            small[at] = Some(bytes);
        }
    }
    let written = message.parts.iter().zip(small);
    let written = written.filter(|(plan, _)| !(left_out && plan.optional));
    for ((plan, bytes), (_, name)) in written.zip(&names) {
        let unmade = |error: io::Error| whole(kind, "a place to write to", &error.to_string());
        to.begin(plan.role, name).map_err(unmade)?;
        if let Some(bytes) = bytes {
            to.take(&bytes).map_err(unmade)?;
        } else {
            let stream = Stream { format, kind, plan, head, records };
            let facts =
                Facts { digests: digests.clone(), names: names.clone(), ..Facts::default() };
            to.take(&poured.frame).map_err(unmade)?;
            stream.body(facts, &mut |out| {
                let taken = to.take(out);
                out.clear();
                taken.map_err(|error| room(&error))
            })?;
        }
        to.end().map_err(unmade)?;
    }
    Ok(())
}

fn room(error: &io::Error) -> WriteFault {
    let fault = out_of_range(&format!("a place to write to ({error})"));
    WriteFault { record: 0, error: FieldError { key: None, field: String::new(), fault } }
}

/// The first time that the records pass by: what holds for the whole, and what the payments add up to.
fn added_up(
    format: &Format,
    message: &MessagePlan,
    main: &PartPlan,
    records: &dyn Records,
) -> Result<(Record, Sums), DataError> {
    let mut adding = Adding::new(format, message, main);
    let mut fault = None;
    let passed = records.each(&mut |at, record| match adding.pass(at, record) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    passed.map_err(|_| whole(message.kind, "records that can be read", "others"))?;
    adding.finish()
}

/// The part that has the records.
struct Stream<'s> {
    format: &'s Format,
    kind: MessageKind,
    plan: &'s PartPlan,
    head: &'s Counted<'s>,
    records: &'s dyn Records,
}

/// What is known of that part once its records have passed by.
#[derive(Default)]
struct Poured {
    frame: Vec<u8>,
    /// The digests of the part that others state.
    part: Vec<(Digesting, String)>,
}

impl Stream<'_> {
    /// Digests that nothing has passed through yet.
    fn begun(
        &self,
        wanted: impl Iterator<Item = Digesting>,
    ) -> Result<Vec<(Digesting, Passing)>, DataError> {
        wanted.map(|how| Ok((how, how.begin(self.format, self.kind)?))).collect()
    }

    /// Lets the records pass by and keeps nothing but what has to be known of them.
    fn measured(&self, facts: Facts, wanted: &[Digesting]) -> Result<Poured, DataError> {
        let frame = self.plan.frame.as_ref();
        let names = facts.names.clone();
        let known = facts.digests.clone();
        let of_body = frame.into_iter().flat_map(|frame| frame.digests(DigestOf::Body));
        let mut of_body = self.begun(of_body)?;
        let mut length = 0;
        self.body(facts, &mut |out| {
            length += out.len();
            for (_, digest) in &mut of_body {
                digest.update(out);
            }
            out.clear();
            Ok(())
        })?;
        let mut poured = Poured::default();
        if let Some(frame) = frame {
            let mut facts = Facts {
                digests: known.clone(),
                names: names.clone(),
                body: length,
                frame: frame.length,
                ..Facts::default()
            };
            let stated =
                of_body.into_iter().map(|(how, digest)| (how, DigestOf::Body, digest.finish()));
            facts.digests.extend(stated);
            let pen = Pen { charset: self.plan.charset, facts: &facts };
            let style = Style::Fixed { characters: false };
            write_fields(&style, frame, &pen, self.head, &mut poured.frame)
                .map_err(|error| located(self.kind, self.plan, 0, error))?;
        }
        let most = self.format.limits().bytes_max;
        let bytes = poured.frame.len() + length;
        if bytes > most {
            let expected = format!("at most {most} bytes");
            return Err(whole(self.kind, &expected, &bytes.to_string()));
        }
        if !wanted.is_empty() {
            // What others state is over the frame too, which is known only now.
            let facts = Facts { digests: known, names, ..Facts::default() };
            let mut of_part = self.begun(wanted.iter().copied())?;
            for (_, digest) in &mut of_part {
                digest.update(&poured.frame);
            }
            self.body(facts, &mut |out| {
                for (_, digest) in &mut of_part {
                    digest.update(out);
                }
                out.clear();
                Ok(())
            })?;
            poured.part = of_part.into_iter().map(|(how, digest)| (how, digest.finish())).collect();
        }
        Ok(poured)
    }

    /// Writes everything behind the frame; `spill` gets all of it, piece by piece.
    fn body(&self, mut facts: Facts, spill: &mut Spill<'_>) -> Result<(), DataError> {
        facts.before = before(self.format, self.kind, &self.plan.layout)?;
        let charset = self.plan.charset;
        let mut out = Vec::with_capacity(2 * HELD_BYTES);
        let order = self.plan.layout.order();
        let pass = |each: &mut crate::format::lines::write::Each<'_>| {
            let mut fault = None;
            let passed = self.records.each(&mut |at, record| match one_record(
                order, self.head, at, record, each,
            ) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            });
            match (fault, passed) {
                (Some(fault), _) => Err(fault),
                (None, Ok(())) => Ok(()),
                (None, Err(Unreadable)) => {
                    let fault = out_of_range("records that can be read");
                    let error = FieldError { key: None, field: String::new(), fault };
                    Err(WriteFault { record: 0, error })
                }
            }
        };
        let written = match &self.plan.layout {
            Layout::Lines(lines) => lines.write_all(charset, facts, &mut out, spill, pass),
            Layout::Xml(xml) => xml.write_all(charset, facts, &mut out, spill, &pass),
        };
        let written = written.and_then(|()| spill(&mut out));
        written.map_err(|fault| located(self.kind, self.plan, fault.record, fault.error))
    }
}
