//! Which records may follow each other, and whether anything tells them apart when they are read.

use crate::format::lines::columns;
use crate::format::lines::delimited::{Delimited, Room};
use crate::format::lines::{Field, LinesPlan, Place, Style};
use crate::format::table::Faults;

/// Rules about which records follow each other: wherever two may come, something tells them apart.
pub(crate) fn grammar(plan: &LinesPlan, at: usize, places: &[usize], faults: &Faults<'_>) {
    let mut told: Vec<(usize, usize)> = Vec::new();
    let states = std::iter::once(None).chain((0..plan.records.len()).map(Some));
    for state in states {
        let next = plan.grammar.next(state);
        for (index, one) in next.iter().enumerate() {
            for other in next.iter().skip(index + 1) {
                let pair = (one.record.min(other.record), one.record.max(other.record));
                if one.record == other.record || told.contains(&pair) {
                    continue;
                }
                let [a, b] = [&plan.records[pair.0], &plan.records[pair.1]];
                let apart = a.differs_from(b, &plan.style)
                    || a.otherwise != b.otherwise
                    || match &plan.style {
                        Style::Delimited(delimited) => {
                            let [a, b] = [a, b].map(|record| record.columns(delimited.short));
                            a.1 < b.0 || b.1 < a.0
                        }
                        Style::Tagged(_) => tags_differ(plan, pair),
                        Style::Fixed { .. } | Style::Xml => false,
                    };
                if !apart {
                    told.push(pair);
                    let what = format!(
                        "{} and {} cannot be told apart when read",
                        plan.records[pair.0].name, plan.records[pair.1].name
                    );
                    let hint = "give both a literal in the same place, like D and T in the first \
                                byte, or one of them otherwise = true";
                    faults.note(places.get(pair.1).copied().unwrap_or(at), what, hint);
                }
            }
        }
    }
    if matches!(plan.style, Style::Tagged(_)) {
        tags(plan, at, places, faults);
    }
    if let Style::Delimited(delimited) = &plan.style {
        rests(plan, delimited, places, faults);
        columns::joints(plan, delimited, places, faults);
    }
    if plan.line.block.is_some() && !matches!(plan.style, Style::Fixed { characters: false }) {
        faults.note(
            at,
            "only records in fixed width are filled up to a block",
            "take the block out",
        );
    }
}

/// What takes the rest of a line is its last field, and nothing else says where it ends.
fn rests(plan: &LinesPlan, delimited: &Delimited, places: &[usize], faults: &Faults<'_>) {
    for (record, place) in plan.records.iter().zip(places) {
        let rest = |field: &Field| {
            matches!(field.place, Place::Column { room: Room { rest: true, .. }, .. })
        };
        let Some(at) = record.fields.iter().position(rest) else { continue };
        let unclear = delimited.quote.is_some() || delimited.escape.is_some() || delimited.trailing;
        if at + 1 != record.fields.len() || unclear {
            let hint =
                "rest = true at the last field, in a part without quotes, escape and trailing";
            let what = format!("{}: what takes the rest of a line ends with it", record.name);
            faults.note(*place, what, hint);
        }
    }
}

/// A run of tags has no beginning and no end but its tags: something of each record is always there,
/// and without line ends that is its first tag, which continues no record before it.
fn tags(plan: &LinesPlan, at: usize, places: &[usize], faults: &Faults<'_>) {
    let open_tag = |record: usize, field: usize| {
        let field = plan.records[record].fields.get(field)?;
        match &field.place {
            Place::Tag { open, .. } => Some((open, &field.cell)),
            _ => None,
        }
    };
    let bare = plan.line.end.is_empty();
    for (index, record) in plan.records.iter().enumerate() {
        let place = places.get(index).copied().unwrap_or(at);
        let sure = |field: &Field| !field.cell.may_be_absent();
        if !record.fields.iter().any(sure) {
            let hint = "a field that is always there, like a literal";
            faults.note(place, format!("{} may have no tags at all", record.name), hint);
        } else if bare && open_tag(index, 0).is_some_and(|(_, cell)| cell.may_be_absent()) {
            let hint = "without line ends its first tag tells that it begins";
            faults.note(place, format!("the first tag of {} may be missing", record.name), hint);
        }
        for next in plan.grammar.next(Some(index)).iter().filter(|_| bare) {
            let first = open_tag(next.record, 0).map(|(open, _)| open);
            let goes_on = |field: usize| open_tag(index, field).map(|(open, _)| open) == first;
            if (1..record.fields.len()).any(goes_on) {
                let name = &plan.records[next.record].name;
                let hint = "a first tag that no record before it has";
                let what = format!("{name} would be taken for a part of {}", record.name);
                faults.note(places.get(next.record).copied().unwrap_or(at), what, hint);
            }
        }
    }
}

/// Does a run of tags begin with one that only this record has?
fn tags_differ(plan: &LinesPlan, (one, other): (usize, usize)) -> bool {
    let tags = |record: usize| {
        let fields = plan.records[record].fields.iter();
        fields.filter_map(|field| match &field.place {
            Place::Tag { open, .. } => Some(open),
            _ => None,
        })
    };
    tags(one).all(|tag| tags(other).all(|other| other != tag))
}
