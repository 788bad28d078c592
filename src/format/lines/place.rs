//! Where in a part a byte stands, for a person who looks for a difference.

use crate::format::BytePlace;
use crate::format::charset::Charset;
use crate::format::input::Input;
use crate::format::lines::read::{LineReader, One};
use crate::format::lines::{LinesPlan, Place, RecordPlan, Style};
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
        let bytes = bytes.get(..framed).unwrap_or_default();
        return in_record(frame, &|_, at| Some(at), bytes, 0, 0, offset);
    }
    let body = bytes.get(framed..).unwrap_or_default();
    let mut reader = LineReader::new(plan, charset, Input::here(body));
    let mut records = Records::default();
    let (mut number, mut start) = (0, framed);
    loop {
        let one = reader.one(&mut records, true);
        let end = framed + reader.input.at;
        let Ok(One::Record { next, .. }) = one else {
            let end = bytes.len();
            return BytePlace { record: number + 1, field: "record".to_owned(), start, end };
        };
        number += 1;
        if offset < end {
            let record = &plan.records[next.record];
            let bytes = bytes.get(start..end).unwrap_or_default();
            let characters = matches!(plan.style, Style::Fixed { characters: true });
            let measure = |bytes: &[u8], count: usize| {
                if characters { charset.characters(bytes, count) } else { Some(count) }
            };
            return in_record(record, &measure, bytes, number, start, offset);
        }
        start = end;
    }
}

/// The field of a byte inside one record, of whose widths `measure` tells the bytes.
fn in_record(
    record: &RecordPlan,
    measure: &dyn Fn(&[u8], usize) -> Option<usize>,
    bytes: &[u8],
    number: usize,
    start: usize,
    offset: usize,
) -> BytePlace {
    let slab = record.fields.iter().find_map(|field| {
        let Place::Slab(slab) = &field.place else { return None };
        let from = measure(bytes, slab.start).unwrap_or(slab.start);
        let to = measure(bytes, slab.start + slab.width).unwrap_or(bytes.len());
        let here = (start + from..start + to).contains(&offset);
        here.then(|| BytePlace {
            record: number,
            field: field.cell.name.clone(),
            start: start + from,
            end: start + to,
        })
    });
    let end = start + bytes.len();
    slab.unwrap_or_else(|| BytePlace { record: number, field: record.name.clone(), start, end })
}
