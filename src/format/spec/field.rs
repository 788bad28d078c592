//! A field as a description writes it: what stands in it, and where it is.

use std::cell::RefCell;

use crate::format::cell::{Bind, Cell, Spelling};
use crate::format::lines::Joint;
use crate::format::lines::delimited::Room;
use crate::format::lines::fixed::Side;
use crate::format::spec::part::{PathEnd, path};
use crate::format::spec::{FieldSpec, Layout, Place, Scope, TallySpec, cell};
use crate::format::table::Table;

/// One field of a record.
pub(super) fn field(
    table: Table<'_>,
    layout: Layout,
    scope: &Scope<'_>,
    tallies: &RefCell<Vec<TallySpec>>,
) -> Option<FieldSpec> {
    let at = table.at;
    let mut cell = cell::cell(&table, scope, tallies);
    if !matches!(layout, Layout::Fixed | Layout::Characters)
        && let Some(cell) = &mut cell
    {
        cell.absent = cell::absent(&table, scope, cell);
    }
    let place = match layout {
        Layout::Fixed => {
            fixed(&table, cell.as_ref(), scope, &|bytes| bytes.len(), scope.charset.blank().len())
        }
        Layout::Characters => {
            fixed(&table, cell.as_ref(), scope, &|bytes| scope.charset.count(bytes), 1)
        }
        Layout::Delimited => Some(column(&table, cell.as_ref(), scope.charset.blank().len())),
        Layout::Tagged => tag(&table),
        Layout::Xml => xml(&table),
    };
    table.finish();
    Some(FieldSpec { at, cell: cell?, place: place? })
}

/// A field between separators, or one that shares its column with the field before it; `of_sign` is the
/// width of a sign of ASCII.
fn column(table: &Table<'_>, cell: Option<&Cell>, of_sign: usize) -> Place {
    let inner = table.flag("inner").is_some_and(|found| found.value);
    let glued = table.flag("glued").is_some_and(|found| found.value);
    let rest = table.flag("rest").is_some_and(|found| found.value);
    let quoted = table.flag("quoted").map(|found| found.value);
    let width = table.number("width").map(|found| found.value);
    if inner && glued {
        let hint = "inner = true behind the sign, glued = true where there is none";
        table.faults().note(table.at, "a field both behind an inner sign and glued", hint);
    }
    let own = cell.and_then(|cell| match (&cell.spelling, &cell.bind) {
        (Spelling::Moment(pieces), _) => {
            let own: Option<usize> = pieces.iter().map(|piece| piece.width()).sum();
            own.map(|own| own * of_sign)
        }
        (_, Bind::Literal { bytes, .. }) => Some(bytes.len()),
        _ => None,
    });
    if let (Some(width), Some(own)) = (width, own)
        && width != own
    {
        let what = format!("what stands here takes {own} bytes");
        table.faults().note(table.at, what, "leave width out: it follows from the content");
    }
    let joint = match (inner, glued) {
        (true, _) => Joint::Inner,
        (_, true) => Joint::Glued,
        _ => Joint::Separator,
    };
    let room = Room { width: width.or(own), width_max: width_max(table), rest, quoted };
    Place::Column { room, joint }
}

fn width_max(table: &Table<'_>) -> Option<usize> {
    table.number("width_max").map(|found| found.value)
}

fn sign(table: &Table<'_>, key: &'static str) -> Option<char> {
    let text = table.text(key)?;
    if let [byte @ (b' '..=b'~')] = text.value.as_bytes() {
        Some(char::from(*byte))
    } else {
        table.faults().note(
            text.at,
            format!("{key}: expected one ASCII sign"),
            "one sign between quotes, like \" \" or \"0\"",
        );
        None
    }
}

/// `measure` tells the width of what is spelled, `of_sign` that of one of ASCII.
fn fixed(
    table: &Table<'_>,
    cell: Option<&Cell>,
    scope: &Scope<'_>,
    measure: &dyn Fn(&[u8]) -> usize,
    of_sign: usize,
) -> Option<Place> {
    let start = table.number("at");
    let width = table.number("width");
    let pad = sign(table, "pad");
    let absent = sign(table, "absent");
    let full = table.flag("full").is_some_and(|found| found.value);
    let side = table.word("side", &["left", "right"], |word| match word {
        "left" => Some(Side::Left),
        "right" => Some(Side::Right),
        _ => None,
    });
    let cell = cell?;
    // What always has one width needs no filling.
    let own = match (&cell.spelling, &cell.bind) {
        (Spelling::Binary { width, .. }, _) => Some(*width),
        _ if cell.is_raw_number() => cell.spelling.shape().and_then(|shape| shape.form.width()),
        (Spelling::Hex { .. }, Bind::Computed(computed)) => {
            computed.hex_width().map(|digits| digits * of_sign)
        }
        (Spelling::Moment(pieces), _) => {
            let own: Option<usize> = pieces.iter().map(|piece| piece.width()).sum();
            own.map(|own| own * of_sign)
        }
        (_, Bind::Literal { bytes, .. } | Bind::Ignored { bytes }) => Some(measure(bytes)),
        (Spelling::Words(words), _) => {
            let width = words.first().map(|word| measure(&word.bytes)).filter(|width| *width > 0);
            width.filter(|width| words.iter().all(|word| measure(&word.bytes) == *width))
        }
        _ => None,
    };
    let exact = own.is_some() && width.as_ref().is_none_or(|width| Some(width.value) == own);
    let Some(width) = width.map(|found| found.value).or(own) else {
        // What is no width is told already.
        if table.has("width") {
            return None;
        }
        table.faults().note(table.at, "a field without width", "width = 20 (bytes after encoding)");
        return None;
    };
    let may_be_absent = cell.may_be_absent() && absent.is_none();
    if !full && (!exact || may_be_absent) {
        for key in ["pad", "side"] {
            let needed = key == "pad" || !exact;
            if needed && !table.has(key) {
                let hint =
                    "pad = \" \" or \"0\"; side = where the value stands, \"left\" or \"right\"";
                table.faults().note(table.at, format!("a field without {key}"), hint);
            }
        }
    }
    if full {
        fills(table, cell, scope, measure, width);
    }
    let side = side.map_or(Side::Left, |found| found.value);
    Some(Place::Fixed { start, width, pad: pad.unwrap_or(' '), absent, side, full })
}

/// What the description itself puts into a field that is always full must fill it.
fn fills(
    table: &Table<'_>,
    cell: &Cell,
    scope: &Scope<'_>,
    measure: &dyn Fn(&[u8]) -> usize,
    width: usize,
) {
    let mut default = Vec::new();
    // A sign that the character set does not have is told already.
    let encoded =
        scope.charset.encode_into(cell.default.as_deref().unwrap_or_default(), &mut default);
    if encoded.is_err() {
        return;
    }
    let words: Vec<&[u8]> = match (&cell.spelling, &cell.bind) {
        (_, Bind::Literal { bytes, .. } | Bind::Ignored { bytes }) => vec![bytes],
        (Spelling::Words(words), _) => words.iter().map(|word| word.bytes.as_slice()).collect(),
        _ => Vec::new(),
    };
    // No word at all, as for a plus, is no value; what is too long is told elsewhere.
    let short = |word: &&[u8]| !word.is_empty() && measure(word) < width;
    if let Some(word) = words.into_iter().chain([default.as_slice()]).find(short) {
        let what = format!("full: what stands here takes {} of {width} bytes", measure(word));
        table.faults().note(table.at, what, "a text as long as the field, or pad and side");
    }
}

fn tag(table: &Table<'_>) -> Option<Place> {
    let name = table.need_text("tag", "tag = \"AcctNo\"");
    let width_max = width_max(table);
    let name = name?;
    let good = !name.value.is_empty()
        && name.value.len() <= crate::format::lines::tagged::NAME_SIGNS_MAX
        && name.value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'/'));
    if !good {
        table.faults().note(
            name.at,
            format!("{:?} is no name of a tag", name.value),
            "the name between < and >, like AcctNo, without the signs",
        );
    }
    Some(Place::Tag { name: name.value.to_owned(), width_max })
}

fn xml(table: &Table<'_>) -> Option<Place> {
    let text = table.need_text("path", "path = \"Head/Reference\" or \"Rows/@count\"");
    let width_max = width_max(table);
    let empty = table.flag("empty").is_some_and(|found| found.value);
    let path = path(table, &text?, PathEnd::Attribute)?;
    Some(Place::Xml { path, width_max, empty })
}
