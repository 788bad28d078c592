//! Where in a frame a byte stands, for a person who looks for a difference.

use crate::format::BytePlace;
use crate::format::lines::{Place, RecordPlan};

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
