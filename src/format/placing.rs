//! The places of fields in their record: no gap and no overlap, and the length that a record states.

use crate::format::charset::Charset;
use crate::format::lines::fixed::Slab;
use crate::format::lines::{Field, Place};
use crate::format::spec::{self, FieldSpec};
use crate::format::table::{Faults, Found};

/// Puts fields in their places: no gap, no overlap. Tells the length of them all.
pub(crate) fn placed(
    specs: Vec<FieldSpec>,
    charset: Charset,
    faults: &Faults<'_>,
) -> (Vec<Field>, usize) {
    let mut at = 0;
    // Where the fields behind one that is not where it should be would be too.
    let mut or_at = None;
    let mut fields = Vec::new();
    for FieldSpec { at: place, cell, place: spelled } in specs {
        let place = match spelled {
            spec::Place::Column { room, joint } => Place::Column { room, joint },
            spec::Place::Tag { name, width_max } => {
                let mut open = Vec::new();
                if !charset.ascii_into(format!("<{name}>").as_bytes(), &mut open) {
                    let what = format!("the charset has no place for the tag {name}");
                    faults.note(place, what, "a name of letters and digits");
                }
                Place::Tag { open, width_max }
            }
            spec::Place::Xml { width_max, empty, .. } => Place::Element { width_max, empty },
            spec::Place::Fixed { start, width, pad, absent, side, full } => {
                if let Some(start) = start {
                    let stated = start.value.saturating_sub(1);
                    if stated != at && or_at != Some(stated) {
                        gap(&start, at + 1, &cell.name, faults);
                        or_at = Some(at);
                    }
                    at = stated;
                }
                if width == 0 {
                    let what = format!("{} has no width", cell.name);
                    faults.note(place, what, "at least 1 byte");
                }
                let spelled = |sign: char| {
                    let mut bytes = Vec::new();
                    charset.ascii_into(&[u8::try_from(sign).unwrap_or(b' ')], &mut bytes);
                    bytes
                };
                let raw = cell.is_raw_number();
                let zeros = pad == '0' && side == spec::SIDE_OF_NUMBERS && cell.is_number();
                let start = at;
                at += width;
                or_at = or_at.map(|at| at + width);
                let absent = spelled(absent.unwrap_or(pad));
                let pad = spelled(pad);
                Place::Slab(Slab { start, width, pad, absent, side, full, zeros, raw })
            }
        };
        fields.push(Field::new(cell, place));
    }
    (fields, at)
}

fn gap(start: &Found<usize>, expected: usize, name: &str, faults: &Faults<'_>) {
    if start.value > expected {
        let what = format!("a gap of {} before {name}", counted(start.value - expected));
        let hint = format!("at = {expected}, or a literal field that fills the gap");
        faults.note(start.at, what, hint);
    } else if start.value < expected {
        let over = expected - start.value;
        let what = format!("{name} overlaps the field before it by {}", counted(over));
        faults.note(start.at, what, format!("at = {expected}"));
    }
}

fn counted(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// A record that says how long it is must be so long.
pub(crate) fn stated_length(stated: Option<&Found<usize>>, length: usize, faults: &Faults<'_>) {
    if let Some(stated) = stated.filter(|stated| stated.value != length) {
        let what = format!("the fields take {length} bytes, the record says {}", stated.value);
        faults.note(stated.at, what, "widths are bytes after encoding, without the line end");
    }
}
