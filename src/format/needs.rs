//! What a message cannot be written without, held against what there is to write it with. A description that
//! wants more holds every payment back, one by one; so it is told before there are any.

use crate::format::cell::{Bind, Cell, Join};
use crate::format::lines::{LinesPlan, RecordPlan};
use crate::format::name::NamePattern;
use crate::format::plan::Plan;
use crate::format::words::{Key, MessageKind, Slot};

/// Names of the values without which a message is not written, and which nobody has: `known` says whether a
/// value is known of a head, or (where it is told so) of a row.
pub(super) fn missing<'p>(
    plan: &'p Plan,
    kind: MessageKind,
    known: &dyn Fn(bool, Key) -> bool,
) -> Vec<&'p str> {
    let mut missing = Vec::new();
    let message = plan.message(kind);
    for part in message.map_or(&[][..], |message| message.parts.as_slice()) {
        let has = |of_row: bool, slot: Slot| slot.key().is_some_and(|key| known(of_row, key));
        let of_head = |slot: Slot| has(false, slot);
        let of_row = |slot: Slot| has(true, slot);
        let named = part.name.iter().flat_map(NamePattern::needs).map(Slot::Key);
        missing.extend(named.filter(|slot| !of_head(*slot)));
        if let Some(frame) = &part.frame {
            missing.extend(of_record(frame, &of_head));
        }
        let order = part.layout.order();
        for (at, record) in order.records.iter().enumerate() {
            let has: &dyn Fn(Slot) -> bool = if order.is_of_row(at) { &of_row } else { &of_head };
            if stands(order, record, has) {
                missing.extend(of_record(record, has));
            }
        }
    }
    let mut names: Vec<&str> = missing.into_iter().map(|slot| plan.own.name(slot)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Is this record surely written, or written because something of it is known?
fn stands(order: &LinesPlan, record: &RecordPlan, has: &dyn Fn(Slot) -> bool) -> bool {
    let mut group = record.group;
    let mut may_lack = record.occurs.optional();
    while let Some(at) = group {
        may_lack |= order.grammar.groups[at].occurs.optional();
        group = order.grammar.groups[at].parent;
    }
    record.when.is_none() && (!may_lack || record.slots().any(has))
}

fn of_record<'r>(
    record: &'r RecordPlan,
    has: &'r dyn Fn(Slot) -> bool,
) -> impl Iterator<Item = Slot> + 'r {
    record.fields.iter().filter_map(move |field| wanted(&field.cell, has))
}

/// The value that is missing, where this cell can be nothing without it.
fn wanted(cell: &Cell, has: &dyn Fn(Slot) -> bool) -> Option<Slot> {
    let slot = cell.slot()?;
    if cell.may_be_absent() || cell.default.is_some() || has(slot) {
        return None;
    }
    match &cell.bind {
        // A constant is something already.
        Bind::Joined { pieces, .. } => pieces.iter().find_map(|piece| match piece {
            Join::Value(piece) => (!has(*piece)).then_some(*piece),
            Join::Sign(_) => None,
        }),
        _ => Some(slot),
    }
}
