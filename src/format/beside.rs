//! Files that stand beside a message on a line: what the message alone tells of them, before they are there.

use crate::format::cell::Bind;
use crate::format::computed::Computed;
use crate::format::error::DataError;
use crate::format::opening::Opening;
use crate::format::plan::{MessagePlan, PartPlan};
use crate::format::reading::PartContent;
use crate::format::writing::whole;
use crate::format::{Format, MessageKind, PartRole, Record, Source as _};

/// What a message says of itself and of the files beside it.
#[derive(Debug)]
pub struct NamesFiles {
    pub head: Record,
    /// The role and the name of each, in the order of handing over; without one that may be left out and is
    /// not named.
    pub files: Vec<(PartRole, String)>,
}

impl Format {
    /// Is this a message on a line, with files beside it? What commits it has no file name, and what stands
    /// before that has one.
    pub fn has_files_beside(&self, kind: MessageKind) -> bool {
        self.plan.message(kind).is_some_and(|message| apart(message).is_some())
    }

    /// Does each part of a message of this kind have a file name, so that it can lie in a folder?
    pub fn has_file_names(&self, kind: MessageKind) -> bool {
        let message = self.plan.message(kind);
        message.is_some_and(|message| message.parts.iter().all(|part| part.name.is_some()))
    }

    /// Does such a message name each of its files? Of one that it does not name nobody can say whose it is.
    pub fn names_files_beside(&self, kind: MessageKind) -> bool {
        let Some((spoken, files)) = self.plan.message(kind).and_then(apart) else { return false };
        let named: Vec<PartRole> = spoken
            .layout
            .order()
            .fields()
            .filter_map(|(_, field)| match field.cell.bind {
                Bind::Computed(Computed::PartName(role)) => Some(role),
                _ => None,
            })
            .collect();
        files.iter().all(|file| named.contains(&file.role))
    }

    /// The role of what is said on a line where a message of this kind is: its last part.
    pub fn spoken_role(&self, kind: MessageKind) -> PartRole {
        let parts = self.plan.message(kind).map(|message| message.parts.as_slice());
        parts.and_then(<[PartPlan]>::last).map_or(PartRole::Message, |part| part.role)
    }

    /// Reads the message alone. A name that is not of the described pattern is that of somebody else's file
    /// (F45), and so is one with another reference in it than the message has.
    ///
    /// # Errors
    /// The message cannot be read, or does not name a file of its own.
    pub fn files_named(&self, kind: MessageKind, bytes: &[u8]) -> Result<NamesFiles, DataError> {
        let message = self.plan.message(kind);
        let Some((message, (spoken, files))) = message.and_then(|m| Some((m, apart(m)?))) else {
            return Err(whole(kind, "a message with files beside it", "no description of one"));
        };
        let mut opening = Opening::new(self, message);
        opening.beside(spoken, PartContent::Here(bytes))?;
        let mut head = Record::new();
        for (_, stated) in &opening.stated {
            head.fill_from(stated);
        }
        let mut named = Vec::new();
        for file in files {
            let stated = opening.declared.iter().find_map(|(computed, name, _)| {
                (*computed == Computed::PartName(file.role)).then_some(name)
            });
            if stated.is_none() && file.optional {
                continue;
            }
            let name = stated.ok_or_else(|| whole(kind, "the name of its file", "none"))?;
            let keys = file.name.as_ref().and_then(|pattern| pattern.read(name));
            let is_its_own = keys.is_some_and(|keys| {
                keys.slots()
                    .all(|slot| head.slot(slot).is_none_or(|said| keys.slot(slot) == Some(said)))
            });
            if !is_its_own {
                let error = whole(kind, "a file name of the described pattern", "another one");
                return Err(DataError { part: Some(file.role), ..error });
            }
            named.push((file.role, name.clone()));
        }
        Ok(NamesFiles { head, files: named })
    }
}

/// What is said on a line, and the files beside it.
fn apart(message: &MessagePlan) -> Option<(&PartPlan, &[PartPlan])> {
    let (spoken, files) = message.parts.split_last()?;
    let beside = spoken.committing && spoken.name.is_none() && !files.is_empty();
    (beside && files.iter().all(|file| file.name.is_some())).then_some((spoken, files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Item, Key, MessageKind as M, Part, Value};
    use crate::model::money::Fen;

    fn example(name: &str) -> Format {
        let text = crate::format::example::example(name).expect("it ships");
        Format::compile(name, text).expect("compiles")
    }

    fn answer(reference: &str, file: &str) -> Vec<u8> {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"GBK\"?><ap><CCTransCode>EXQUERY</CCTransCode><ReqSeqNo>{reference}</ReqSeqNo><RespCode>0002</RespCode>\
             <BatchFileName>{file}</BatchFileName><TotalCount>1</TotalCount><TotalAmount>1.00</TotalAmount></ap>"
        );
        format!("0{:<6}{body}", body.len()).into_bytes()
    }

    #[test]
    fn a_message_tells_which_file_is_its_own_before_that_is_there() {
        let format = example("example-abc-framed");
        assert!(
            format.names_files_beside(M::StatusAnswer)
                && format.names_files_beside(M::PaymentRequest)
        );
        assert!(!format.has_files_beside(M::Acknowledgement));
        assert!(!example("example-rural-fixed").has_files_beside(M::Result), "all of it is files");
        let named = format.files_named(M::StatusAnswer, &answer("T1", "RST1.txt")).expect("reads");
        assert_eq!(named.files, [(PartRole::Side, "RST1.txt".to_owned())]);
        assert_eq!(named.head.text(Key::Reference), Some("T1"));
    }

    #[test]
    fn f45_a_message_that_names_what_is_not_its_own_names_nothing() {
        let format = example("example-abc-framed");
        assert!(format.files_named(M::StatusAnswer, &answer("T1", "RST1.txt")).is_ok());
        for file in ["RST2.txt", "APT1.txt", "../RST1.txt", "RS.txt", "RST1.txt.ok"] {
            let found = format.files_named(M::StatusAnswer, &answer("T1", file));
            assert!(found.is_err(), "{file}: {found:?}");
        }
        let mut cut = answer("T1", "RST1.txt");
        cut.truncate(cut.len() - 3);
        assert!(format.files_named(M::StatusAnswer, &cut).is_err());
    }

    fn part(role: PartRole, name: &str, bytes: Vec<u8>) -> Part {
        Part { role, name: name.to_owned(), bytes, committing: role == PartRole::Message }
    }

    fn without_file(count: &str) -> Vec<u8> {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"GBK\"?><ap><CCTransCode>EXQUERY</CCTransCode><ReqSeqNo>T1</ReqSeqNo><RespCode>0001</RespCode>\
             <TotalCount>{count}</TotalCount><TotalAmount>0.00</TotalAmount></ap>"
        );
        format!("0{:<6}{body}", body.len()).into_bytes()
    }

    #[test]
    fn f38_a_file_that_an_answer_leaves_out_is_none_and_one_that_it_names_is_needed() {
        let format = example("example-abc-framed");
        let named = format.files_named(M::StatusAnswer, &without_file("0")).expect("reads");
        assert_eq!(named.files, []);
        let empty = format.files_named(M::StatusAnswer, &answer("T1", "")).expect("reads");
        assert_eq!(empty.files, [], "an empty name is none");
        assert_eq!(named.head.text(Key::Code), Some("0001"));
        let spoken = |bytes| part(PartRole::Message, "", bytes);
        let read = |parts: &[Part]| {
            let mut reading = format.read(M::StatusAnswer, parts)?;
            let Some(Item::Head(head)) = reading.next()? else { panic!("the head comes first") };
            assert_eq!(head.text(Key::Reference), Some("T1"));
            let mut rows = 0;
            while reading.next()?.is_some() {
                rows += 1;
            }
            Ok::<usize, DataError>(rows)
        };
        assert_eq!(read(&[spoken(without_file("0"))]), Ok(0));
        let told = |parts: &[Part]| read(parts).expect_err("it does not hold together").to_string();
        let head = format.read_head(M::StatusAnswer, &[spoken(without_file("0"))]).expect("reads");
        assert_eq!(head.text(Key::Reference), Some("T1"), "to the end");
        let lost = told(&[spoken(answer("T1", "RST1.txt"))]);
        assert!(lost.contains("the side part that it names"), "{lost}");
        let file = || part(PartRole::Side, "RST1.txt", b"RS|0\r\n".to_vec());
        let unnamed = told(&[file(), spoken(without_file("0"))]);
        assert!(unnamed.contains("the name of its side part"), "{unnamed}");
        let rows = told(&[spoken(without_file("1"))]);
        assert!(rows.contains("1 rows"), "{rows}");
    }

    #[test]
    fn what_may_be_left_out_is_written_only_with_payments() {
        let format = example("example-abc-framed");
        let head = |code| {
            let mut head = Record::new();
            head.set(Key::Reference, Value::Text("T1"));
            head.set(Key::Code, Value::Text(code));
            head
        };
        let none: [Record; 0] = [];
        let parts = format.encode(M::StatusAnswer, &head("0001"), &none).expect("writes");
        let [spoken] = parts.as_slice() else { panic!("the message alone") };
        assert_eq!(spoken.bytes, without_file("0"));
        let mut row = Record::new();
        row.set(Key::Ordinal, Value::Int(1));
        row.set(Key::Account, Value::Text("6210000000000000011"));
        row.set(Key::Amount, Value::Amount(Fen::new(100)));
        row.set(Key::Code, Value::Text("S"));
        let parts = format.encode(M::StatusAnswer, &head("0002"), &[row]).expect("writes");
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["RST1.txt", ""]);
    }

    #[test]
    fn i14_a_part_is_left_out_only_where_something_tells_it() {
        let text = crate::format::example::example("example-abc-framed").expect("it ships");
        let optional = "optional = true\nlayout = \"delimited\"";
        assert_eq!(text.matches(optional).count(), 1);
        let named = "of = \"side\", optional = true }";
        for (changed, told) in [
            (text.replace(named, "of = \"side\" }"), "may be left out, and its name may not"),
            (text.replace("rows_min = 0", "rows_min = 1"), "in a message that may have none"),
            (
                text.replace("  { path = \"BatchFileName\", computed = \"part_name\", of = \"side\", optional = true },\n", ""),
                "whether this part was left out or lost",
            ),
            (
                text.replace("rows_min = 1\n\n[[message.part]]\nrole = \"side\"\n", "rows_min = 0\n\n[[message.part]]\nrole = \"side\"\noptional = true\n"),
                "the side part may be left out, and its name may not",
            ),
        ] {
            let problems = Format::compile("changed", &changed).expect_err(told).to_string();
            assert!(problems.contains(told), "{told}: {problems}");
        }
    }
}
