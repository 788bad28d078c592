//! Where in a part a byte stands, for a person who looks for a difference.

use crate::format::BytePlace;
use crate::format::charset::Charset;
use crate::format::input::Input;
use crate::format::lines::read::{LineReader, One};
use crate::format::lines::{LinesPlan, Place, RecordPlan};
use crate::format::reading::Records;

/// The record and field of a byte; a record that cannot be read is told as a whole.
pub(crate) fn place_of(
    plan: &LinesPlan,
    frame: Option<&RecordPlan>,
    charset: Charset,
    bytes: &[u8],
    offset: usize,
) -> BytePlace {
    let framed = frame.map_or(0, |frame| frame.length);
    if let Some(frame) = frame.filter(|_| offset < framed) {
        return in_frame(frame, offset);
    }
    let mut input = Input::here(bytes);
    input.pass(framed);
    let mut reader = LineReader::new(plan, charset, input);
    reader.keep_places();
    let mut records = Records::default();
    let (mut number, mut start) = (0, framed);
    loop {
        let one = reader.one(&mut records, true);
        let end = reader.input.at;
        number += 1;
        let Ok(One::Record { next, .. }) = one else {
            let end = bytes.len().max(start);
            return BytePlace { record: number, field: "record".to_owned(), start, end };
        };
        if offset < end {
            let mut places = reader.places().into_iter();
            let field = places.find(|(_, place)| place.contains(&offset));
            let (field, start, end) = match field {
                Some((field, place)) => (field, place.start, place.end),
                None => (plan.records[next.record].name.as_str(), start, end),
            };
            return BytePlace { record: number, field: field.to_owned(), start, end };
        }
        start = end;
    }
}

/// The field of a byte in front of the body.
pub(crate) fn in_frame(frame: &RecordPlan, offset: usize) -> BytePlace {
    let field = frame.fields.iter().find_map(|field| {
        let Place::Slab(slab) = &field.place else { return None };
        let (start, end) = (slab.start, slab.start + slab.width);
        let field = format!("{} of the frame", field.cell.name);
        (start..end).contains(&offset).then_some(BytePlace { record: 0, field, start, end })
    });
    field.unwrap_or_else(|| BytePlace {
        record: 0,
        field: frame.name.clone(),
        start: 0,
        end: frame.length,
    })
}
