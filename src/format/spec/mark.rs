//! The byte order mark that some systems put before a text in Unicode: a frame of its own, which is always
//! written and must be there when it is read.

use crate::format::cell::{Bind, Cell, Spelling};
use crate::format::charset::Charset;
use crate::format::lines::fixed::Side;
use crate::format::spec::{FieldSpec, Place, RecordSpec};
use crate::format::table::Table;

/// `byte_order_mark = true` at a part.
pub(super) fn byte_order_mark(
    table: &Table<'_>,
    charset: Charset,
    framed: bool,
) -> Option<RecordSpec> {
    let at = table.flag("byte_order_mark").filter(|found| found.value)?.at;
    let (bytes, text): (&[u8], &str) = match charset {
        Charset::Utf8 => (b"\xEF\xBB\xBF", "EF BB BF"),
        Charset::Utf16Be => (b"\xFE\xFF", "FE FF"),
        Charset::Utf16Le => (b"\xFF\xFE", "FF FE"),
        _ => {
            let hint = "charset = \"UTF-8\"; what is not Unicode has none";
            table.faults().note(at, "a byte order mark in this charset", hint);
            return None;
        }
    };
    if framed {
        let hint = "take byte_order_mark out, or the frame";
        table.faults().note(at, "a byte order mark before a frame", hint);
        return None;
    }
    let cell = Cell {
        name: "byte order mark".to_owned(),
        bind: Bind::Literal { text: text.to_owned(), bytes: bytes.to_owned() },
        spelling: Spelling::Literal,
        optional: false,
        default: None,
        absent: None,
        when: None,
        cut_tail: false,
        codes: None,
    };
    let (start, absent, full) = (None, None, false);
    let place =
        Place::Fixed { start, width: bytes.len(), pad: ' ', absent, side: Side::Left, full };
    Some(RecordSpec {
        at,
        name: "frame".to_owned(),
        role: None,
        inside: None,
        occurs: None,
        when: None,
        otherwise: None,
        length: None,
        path: None,
        ignore: Vec::new(),
        fields: vec![FieldSpec { at, cell, place }],
        whole: true,
    })
}
