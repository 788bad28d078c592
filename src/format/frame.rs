//! Where a message on a line ends: what its frame says of its length, before the rest of it has come.

use crate::format::cell::{Bind, Cell};
use crate::format::computed::{Computed, LengthOf, Stated};
use crate::format::lines::fixed::Slab;
use crate::format::lines::{Field, Place, RecordPlan};
use crate::format::plan::PartPlan;
use crate::format::{Format, MessageKind, Record};

impl Format {
    /// How many bytes the frame of every message of these kinds has; nothing where none has a frame
    /// that says how long the message is, and a message ends with its line.
    ///
    /// # Errors
    /// Where a line cannot be read by it: a message of several parts that does not stand on a line with files
    /// beside it, or frames that differ.
    pub fn frame_bytes(&self, kinds: &[MessageKind]) -> Result<Option<usize>, String> {
        let mut found = None;
        for kind in kinds {
            let Some(message) = self.plan.message(*kind) else { continue };
            let part = match message.parts.as_slice() {
                [part] => part,
                [.., spoken] if self.has_files_beside(*kind) => spoken,
                _ => return Err(format!("{kind} has several parts, and one message has one")),
            };
            let shape = match (&part.frame, length_of(part)) {
                (None, _) | (Some(_), None) => None,
                (Some(frame), Some((slab, of))) => Some((frame.length, slab.start, slab.width, of)),
            };
            match found {
                None => found = Some(shape),
                Some(before) if before == shape => {}
                Some(_) => {
                    return Err(format!("the frame of {kind} is not like that of other messages"));
                }
            }
        }
        Ok(found.flatten().map(|(length, ..)| length))
    }

    /// How many bytes a message has, frame and body, whose frame is `frame`. The number is a
    /// stranger's: it is for the caller to hold it against a cap before anything is done by it.
    ///
    /// # Errors
    /// The frame states no length, or one that its own bytes exceed.
    pub fn framed_bytes(&self, kinds: &[MessageKind], frame: &[u8]) -> Result<u64, String> {
        let part = kinds.iter().find_map(|kind| self.plan.message(*kind)?.parts.last());
        let Some((part, plan)) = part.and_then(|part| Some((part, part.frame.as_ref()?))) else {
            return Err("these messages have no frame".to_owned());
        };
        let (number, of) = stated_length(part, plan, frame)?;
        let number = u64::try_from(number).map_err(|_| format!("a length of {number} is none"))?;
        let frame = u64::try_from(plan.length).unwrap_or(u64::MAX);
        let bytes = match of {
            LengthOf::Body => number.checked_add(frame),
            LengthOf::All => Some(number),
            LengthOf::Rest { behind } => {
                let before = plan.length.saturating_sub(behind);
                number.checked_add(u64::try_from(before).unwrap_or(u64::MAX))
            }
        };
        bytes
            .filter(|bytes| *bytes >= frame)
            .ok_or_else(|| format!("a length of {number} is less than the header itself"))
    }
}

/// The place that says how long a message is.
fn length_of(part: &PartPlan) -> Option<(&Slab, LengthOf)> {
    part.frame.as_ref()?.fields.iter().find_map(length_field).map(|(_, slab, of)| (slab, of))
}

fn length_field(field: &Field) -> Option<(&Cell, &Slab, LengthOf)> {
    match (&field.cell.bind, &field.place) {
        (Bind::Computed(Computed::Length(of)), Place::Slab(slab)) => Some((&field.cell, slab, *of)),
        _ => None,
    }
}

fn stated_length(
    part: &PartPlan,
    plan: &RecordPlan,
    frame: &[u8],
) -> Result<(i64, LengthOf), String> {
    let Some((cell, slab, of)) = plan.fields.iter().find_map(length_field) else {
        return Err("its frame does not say how long it is".to_owned());
    };
    let bytes = frame.get(slab.start..slab.start + slab.width).unwrap_or_default();
    let (mut record, mut stated) = (Record::default(), Stated::default());
    slab.take(cell, part.charset, bytes, &mut record, &mut stated)
        .map_err(|fault| format!("its length is {}, and not {}", fault.found, fault.expected))?;
    let number = stated.numbers.first().map(|(_, number, _)| *number);
    number.map(|number| (number, of)).ok_or_else(|| "its length is not there".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: &[MessageKind] = &[MessageKind::Acknowledgement, MessageKind::StatusAnswer];

    /// A format whose two answers have these fields in their frame.
    fn format(length: usize, fields: &str) -> Format {
        let frame = format!("[message.part.frame]\nlength = {length}\nfields = [{fields}]\n");
        let message = |kind: &str| {
            format!(
                "[[message]]\nkind = \"{kind}\"\n[[message.part]]\nrole = \"message\"\n\
                 committing = true\nlayout = \"tagged\"\nline_end = \"none\"\n{frame}\
                 [[message.part.record]]\nis = \"head\"\nfields = [\
                 {{ tag = \"R\", key = \"reference\", only = \"ascii\", width_max = 32 }},\
                 {{ tag = \"C\", key = \"code\", only = \"ascii\", codes = \"answers\" }}]\n"
            )
        };
        let text = format!(
            "language = 1\ntitle = \"T\"\nstatus = \"example\"\nsource = \"a test\"\n\
             charset = \"GBK\"\n[limits]\nrows_max = 10\namount_max = \"1.00\"\n\
             sum_max = \"10.00\"\nbytes_max = 1000\n[codes.answers]\n\
             \"0\" = {{ answer = \"accepted\" }}\n{}{}",
            message("acknowledgement"),
            message("status_answer")
        );
        Format::compile("test", &text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn bytes(format: &Format, frame: &[u8]) -> Result<u64, String> {
        format.framed_bytes(KINDS, frame)
    }

    #[test]
    fn f52_a_length_is_read_in_every_shape_and_counts_what_it_says() {
        let flag = "{ literal = \"0\", name = \"sealed\" }";
        let left = format!(
            "{flag}, {{ computed = \"length\", of = \"body\", width = 6, pad = \" \", side = \"left\" }}"
        );
        let abc = format(7, &left);
        assert_eq!(abc.frame_bytes(KINDS), Ok(Some(7)));
        assert_eq!(bytes(&abc, b"012    "), Ok(19));
        let rest = "{ computed = \"length\", of = \"rest\", name = \"length\", width = 8, pad = \"0\", \
                    side = \"right\" }, { literal = \"EXB001\", name = \"code\" }";
        let gx = format(14, rest);
        assert_eq!(bytes(&gx, b"00000106EXB001"), Ok(114));
        let binary = |of: &str, order: &str| {
            format(
                4,
                &format!(
                    "{{ computed = \"length\", of = \"{of}\", width = 4, binary = \"{order}\" }}"
                ),
            )
        };
        assert_eq!(bytes(&binary("all", "big"), &[0, 0, 1, 0]), Ok(256));
        assert_eq!(bytes(&binary("body", "little"), &[0, 1, 0, 0]), Ok(260));
        assert_eq!(bytes(&binary("body", "big"), &[255; 4]), Ok(4 + u64::from(u32::MAX)));
    }

    #[test]
    fn f52_a_length_that_is_none_is_refused() {
        let field =
            "{ computed = \"length\", of = \"all\", width = 6, pad = \"0\", side = \"right\" }";
        let format = format(6, field);
        assert_eq!(bytes(&format, b"000020"), Ok(20));
        for bad in [b"-00020", b"00x020", b"000005", b"      ", b"0x0014", b"+00020", b"20.000"] {
            assert!(bytes(&format, bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
        assert!(bytes(&format, b"0000").is_err(), "half a header");
    }

    #[test]
    fn messages_that_a_line_cannot_tell_apart_are_refused() {
        let whole = |name: &str| {
            let text = crate::format::example::example(name).expect("it ships");
            Format::compile(name, text).expect("compiles")
        };
        let gx = whole("example-gx-tagged");
        assert_eq!(gx.frame_bytes(KINDS), Ok(Some(58)));
        assert_eq!(whole("example-city-xml").frame_bytes(KINDS), Ok(None));
        let beside = whole("example-abc-framed");
        assert_eq!(beside.frame_bytes(KINDS), Ok(Some(7)), "its files are not on the line");
        assert_eq!(bytes(&beside, b"012    "), Ok(19));
        let cause = whole("example-rural-fixed").frame_bytes(KINDS).expect_err("has control files");
        assert!(cause.contains("several parts"), "{cause}");
    }
}
