//! What is left to do of a hand-over of files, from what lies in the bank's folder already: a repeat
//! of the same bytes after a crash, or a cut line, at any step ends in the same place.

use crate::transport::OutPart;

/// The name under which a part is written before it gets its own.
pub fn temporary_name(name: &str) -> String {
    format!(".{name}.part")
}

/// What lies under a part's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Free,
    /// These very bytes.
    Same,
    /// Something else: other bytes, a folder, a link.
    Other,
}

/// What is to be done.
pub(crate) enum Next<'p> {
    /// These data parts are missing; then the committing one.
    Write(Vec<&'p OutPart>),
    /// The committing part is there with these bytes, and its data beside it.
    DoneBefore,
    /// A name is taken by something else: somebody else writes there, or the bank already has something
    /// under that name. Nothing is ever overwritten (F48).
    Taken(String),
}

/// Judges the places of data parts, in their order, and of the committing part.
pub(crate) fn next<'p>(data: &[(&'p OutPart, Place)], last: (&OutPart, Place)) -> Next<'p> {
    if let Some((part, _)) = data.iter().find(|(_, place)| *place == Place::Other) {
        return Next::Taken(taken(part));
    }
    let missing: Vec<&OutPart> =
        data.iter().filter(|(_, place)| *place == Place::Free).map(|(part, _)| *part).collect();
    match (last.1, missing.first()) {
        (Place::Free, _) => Next::Write(missing),
        (Place::Same, None) => Next::DoneBefore,
        (Place::Same, Some(part)) => Next::Taken(format!(
            "{} is there, but {} is not: the bank may be taking them now",
            last.0.name, part.name
        )),
        (Place::Other, _) => Next::Taken(taken(last.0)),
    }
}

pub(crate) fn taken(part: &OutPart) -> String {
    format!("{} is already in the bank's folder, with other bytes", part.name)
}
