//! The order that a description has its groups and records in: which stands in which, and how often.

use crate::format::grammar::{Item, Occurs};
use crate::format::lines::RecordRole;
use crate::format::spec::{GroupSpec, RecordSpec};
use crate::format::table::Faults;

/// How deep groups stand in each other; nobody's do.
const GROUPS_DEPTH_MAX: usize = 16;

/// A group that stands inside itself, perhaps with others in between, stands nowhere; nor does one of
/// which the groups around it have no end.
pub(super) fn break_circles(
    groups: &[GroupSpec],
    parents: &mut [Option<usize>],
    faults: &Faults<'_>,
) {
    for group in 0..groups.len() {
        let mut around = parents[group];
        let mut depth = 0;
        while let Some(at) = around.filter(|at| *at != group && depth < GROUPS_DEPTH_MAX) {
            around = parents[at];
            depth += 1;
        }
        let Some(at) = around else { continue };
        let name = &groups[group].name;
        let what = if at == group {
            format!("the group {name} stands inside itself")
        } else {
            format!("the group {name} stands more than {GROUPS_DEPTH_MAX} deep")
        };
        faults.note(groups[group].at, what, "in = the name of a group around it");
        parents[group] = None;
    }
}

/// How often a record stands: a row any number of times, anything else once, unless it says so.
pub(super) fn times(spec: &RecordSpec) -> Occurs {
    let usual = match spec.role {
        Some(RecordRole::Row) => Occurs::ANY,
        _ => Occurs::ONE,
    };
    spec.occurs.unwrap_or(usual)
}

/// The items of each group and of the top, in the order in which their records are described.
pub(super) fn items(
    groups: &[GroupSpec],
    of_groups: &[Option<usize>],
    of_records: &[Option<usize>],
    records: &[RecordSpec],
    faults: &Faults<'_>,
) -> Vec<Vec<Item>> {
    let top = groups.len();
    let mut items: Vec<Vec<Item>> = vec![Vec::new(); top + 1];
    for (record, group) in of_records.iter().enumerate() {
        let mut item = Item::Record(record);
        let mut at = *group;
        // A group stands where its first record does; groups inside each other end somewhere.
        for _ in 0..=groups.len() {
            let list = &mut items[at.unwrap_or(top)];
            match list.iter().position(|known| *known == item) {
                None => list.push(item),
                Some(place) if place + 1 != list.len() => {
                    let hint = "the records of a group stand together";
                    let what = format!("{} stands outside its group", records[record].name);
                    faults.note(records[record].at, what, hint);
                }
                Some(_) => {}
            }
            let Some(group) = at else { break };
            item = Item::Group(group);
            at = of_groups[group];
        }
    }
    for (group, list) in groups.iter().zip(&items) {
        if list.is_empty() {
            let hint = "in = \"...\" at the records of the group";
            faults.note(group.at, format!("the group {} has no records", group.name), hint);
        }
    }
    items
}
