//! The columns of a delimited line: whether they make it a record, and the values of columns that hold
//! several, set apart by an inner sign or by the width of what stands before.

use std::ops::Range;

use crate::format::charset::Charset;
use crate::format::lines::delimited::{Delimited, Room};
use crate::format::lines::{Field, Joint, LinesPlan, Place, RecordPlan};
use crate::format::table::Faults;

impl RecordPlan {
    /// Do the columns of a line make it this record?
    pub(super) fn has_columns(
        &self,
        delimited: &Delimited,
        charset: Charset,
        line: &[u8],
        columns: &[Range<usize>],
    ) -> bool {
        let (least, most) = self.columns(delimited.short);
        let count = columns.len();
        // What is left out at the end is left out always.
        let empty_end = count > least && columns.last().is_some_and(Range::is_empty);
        (least..=most).contains(&count)
            && !(delimited.short && empty_end && count <= self.columns(false).0)
            && self.is_marked_in(delimited, charset, line, columns)
    }

    /// Do values stand in its columns as they should, and its marks among them?
    fn is_marked_in(
        &self,
        delimited: &Delimited,
        charset: Charset,
        line: &[u8],
        columns: &[Range<usize>],
    ) -> bool {
        let split = self.is_split(delimited).then(|| self.split(delimited, charset, line, columns));
        let columns = match &split {
            None => columns,
            Some(Some(values)) => values.as_slice(),
            Some(None) => return false,
        };
        self.marks.iter().all(|mark| {
            let column = columns.get(mark.field).and_then(|at| line.get(at.clone()));
            let mut plain = Vec::new();
            let value = delimited.value(charset, column.unwrap_or_default(), &mut plain);
            mark.words.iter().any(|word| word.as_slice() == value)
        })
    }

    /// May a column of it be more than one value?
    pub(super) fn is_split(&self, delimited: &Delimited) -> bool {
        delimited.inner.is_some() || self.is_joined()
    }

    /// The values of a line, of which some share a column; nothing where they do not stand in it as they
    /// should.
    pub(super) fn split(
        &self,
        delimited: &Delimited,
        charset: Charset,
        line: &[u8],
        columns: &[Range<usize>],
    ) -> Option<Vec<Range<usize>>> {
        let mut split: Vec<Range<usize>> = Vec::with_capacity(self.fields.len());
        let mut columns = columns.iter().cloned();
        // What is left of the column.
        let mut left = 0..0;
        for (at, field) in self.fields.iter().enumerate() {
            let joint = field.joint();
            if joint == Joint::Separator {
                left = columns.next().unwrap_or(line.len()..line.len());
            }
            let all = left.end;
            let next = self.fields.get(at + 1).map_or(Joint::Separator, Field::joint);
            let inner = delimited.inner.and_then(|sign| {
                delimited.find(charset, line.get(..all).unwrap_or_default(), left.start, sign)
            });
            let end = match (&field.place, next) {
                (Place::Column { room, .. }, Joint::Glued) => {
                    Some(left.start + room.width?).filter(|end| *end <= all)?
                }
                // Values at the end may be left out, with the sign before them.
                (_, Joint::Inner) if inner.is_some() || delimited.short => inner.unwrap_or(all),
                (_, Joint::Inner | Joint::Glued) => return None,
                (Place::Column { room: Room { rest: true, .. }, .. }, _) => all,
                (_, Joint::Separator) if inner.is_some() => return None,
                (_, Joint::Separator) => all,
            };
            // What is left out at the end is left out always.
            let unit = delimited.separator.length();
            let behind_sign = split.last().is_some_and(|before| before.end + unit == left.start);
            if delimited.short && joint == Joint::Inner && left.start == all && behind_sign {
                return None;
            }
            split.push(left.start..end);
            let sign = if next == Joint::Inner && end < all { unit } else { 0 };
            left = end + sign..all;
        }
        Some(split)
    }
}

/// What shares a column with the field before it stands where that one ends.
pub(crate) fn joints(
    plan: &LinesPlan,
    delimited: &Delimited,
    places: &[usize],
    faults: &Faults<'_>,
) {
    for (record, place) in plan.records.iter().zip(places) {
        let mut before: Option<&Field> = None;
        for field in &record.fields {
            let (name, joint) = (&field.cell.name, field.joint());
            let Some(before) = before.replace(field).filter(|_| joint != Joint::Separator) else {
                if joint != Joint::Separator {
                    let what = format!("{name}: there is no field before it in its column");
                    faults.note(*place, what, "the first field of a record begins a column");
                }
                continue;
            };
            let (width, rest) = match before.place {
                Place::Column { room, .. } => (room.width, room.rest),
                _ => (None, false),
            };
            let open = rest || before.cell.may_be_absent() || width.is_none();
            if joint == Joint::Glued
                && (open || delimited.quote.is_some() || delimited.escape.is_some())
            {
                let what =
                    format!("{name}: where {} ends before it is not known", before.cell.name);
                let hint = "glued = true behind a field that is always there and has its width, in a \
                            part without quotes and escape";
                faults.note(*place, what, hint);
            } else if joint == Joint::Inner && (delimited.inner.is_none() || rest) {
                let hint =
                    "inner = \":\" at the part: the sign that sets values inside a column apart";
                faults.note(*place, format!("{name}: no inner sign stands before it"), hint);
            }
        }
    }
}
