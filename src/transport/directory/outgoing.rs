//! Handing files over so that the bank sees all of a file or none of it, and so that a repeat of
//! the same bytes after a crash at any step ends in the same place.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::transport::directory::files;
use crate::transport::directory::patience::Turn;
use crate::transport::placing::{self, Next, Place, taken, temporary_name};
use crate::transport::{OutPart, Sent, check_parts, names};

/// The most entries that are looked at.
const ENTRIES_MAX: usize = 200_000;

/// Hands the parts over into `folder`, the committing one last.
///
/// Before the committing part's rename every failure is [`Sent::NotSent`]; a name that is taken by
/// the same bytes is a step already done; taken by other bytes, it is [`Sent::Unknown`], because
/// somebody else writes there or the bank already has something under that name.
pub fn hand_over(folder: &Path, parts: &[OutPart]) -> Sent {
    hand_over_in_time(folder, parts, &Turn::default())
}

/// The same, which commits only where nobody gave it up before.
pub(super) fn hand_over_in_time(folder: &Path, parts: &[OutPart], turn: &Turn) -> Sent {
    if let Err(cause) = check_parts(parts) {
        return not_sent(cause);
    }
    let Some((last, data)) = parts.split_last() else {
        return not_sent("there is nothing to send".to_owned());
    };
    let folder = match files::open_folder(folder) {
        Ok(folder) => folder,
        Err(e) => return not_sent(format!("the outgoing folder cannot be opened: {e}")),
    };
    let given_up = || not_sent("it was given up".to_owned());
    match prepare(&folder, data, last, turn) {
        Ok(Ready::Yes) if turn.may_commit() => commit(&folder, last),
        // Nobody waits for it any more, and it was told as not sent.
        Ok(Ready::Yes) => given_up(),
        Ok(Ready::DoneBefore) if !turn.may_commit() => given_up(),
        Ok(Ready::DoneBefore) => {
            files::remove(&folder, &temporary_name(&last.name)).unwrap_or_default();
            durable(&folder, last)
        }
        Err(Stop::Before(cause)) => not_sent(cause),
        Err(Stop::Taken(cause)) => unknown(cause),
    }
}

/// Leaves what is written anew each time that it is said, and tells its moment: a question of ours, a file of a
/// practice bank. Data of an earlier one of its name without the part that commits it was handed over to
/// nobody, and a stop between the two leaves it there: it gives way.
pub fn leave_anew(folder: &Path, parts: &[OutPart]) -> Sent {
    leave_anew_in_time(folder, parts, &Turn::default())
}

/// The same, which commits only where nobody gave it up before.
pub(super) fn leave_anew_in_time(folder: &Path, parts: &[OutPart], turn: &Turn) -> Sent {
    match check_parts(parts).and_then(|()| {
        clear_half(folder, parts).map_err(|e| format!("an earlier file does not give way: {e}"))
    }) {
        Ok(()) => hand_over_in_time(folder, parts, turn),
        Err(cause) => not_sent(cause),
    }
}

fn clear_half(folder: &Path, parts: &[OutPart]) -> io::Result<()> {
    let Some((last, data)) = parts.split_last() else { return Ok(()) };
    let folder = files::open_folder(folder)?;
    if files::look(&folder, &last.name)?.is_some() {
        return Ok(());
    }
    for part in data {
        let plain = files::look(&folder, &part.name)?.is_some_and(|stat| files::is_plain(&stat));
        if plain && state_of(&folder, part)? == Place::Other {
            files::remove(&folder, &part.name)?;
        }
    }
    Ok(())
}

/// Do all these parts lie in `folder` under their own names, with these bytes?
pub(super) fn lie_there(folder: &Path, parts: &[OutPart]) -> bool {
    let Ok(folder) = files::open_folder(folder) else { return false };
    let there = |part| matches!(state_of(&folder, part), Ok(Place::Same));
    check_parts(parts).is_ok() && parts.iter().all(there)
}

/// Removes those of these parts that lie in `folder` under their own names with these bytes; says how many.
pub(super) fn clear(folder: &Path, parts: &[OutPart]) -> io::Result<usize> {
    let folder = files::open_folder(folder)?;
    let mut cleared = 0;
    for part in parts {
        if names::is_allowed(&part.name) && state_of(&folder, part)? == Place::Same {
            files::remove(&folder, &part.name)?;
            cleared += 1;
        }
    }
    files::sync_folder(&folder)?;
    Ok(cleared)
}

/// Finished files that lie in `folder`, by name; a folder with very many is looked through in part.
///
/// # Errors
/// Where it cannot be listed.
pub fn lying(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(ENTRIES_MAX) {
        if let Ok(name) = entry?.file_name().into_string()
            && names::is_allowed(&name)
        {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}

enum Ready {
    /// Everything but the committing rename is done and durable.
    Yes,
    /// The committing part is there already, with these bytes and its data beside it.
    DoneBefore,
}

enum Stop {
    /// Nothing that commits has happened.
    Before(String),
    /// A name is taken by something else.
    Taken(String),
}

fn prepare(folder: &OwnedFd, data: &[OutPart], last: &OutPart, turn: &Turn) -> Result<Ready, Stop> {
    let before = |doing: &str, part: &OutPart, e: &io::Error| {
        Stop::Before(format!("{doing} {} failed: {e}", part.name))
    };
    let place = |part| state_of(folder, part).map_err(|e| before("looking at", part, &e));
    let mut places = Vec::with_capacity(data.len());
    for part in data {
        places.push((part, place(part)?));
    }
    let missing = match placing::next(&places, (last, place(last)?)) {
        Next::Write(missing) => missing,
        Next::DoneBefore => return Ok(Ready::DoneBefore),
        Next::Taken(cause) => return Err(Stop::Taken(cause)),
    };
    for part in missing.iter().copied().chain([last]) {
        let temporary = temporary_name(&part.name);
        if let Err(e) = files::write_new(folder, &temporary, &part.bytes) {
            files::remove(folder, &temporary).unwrap_or_default();
            return Err(before("writing", part, &e));
        }
    }
    for part in missing {
        if turn.is_given_up() {
            return Err(Stop::Before("it was given up".to_owned()));
        }
        match files::rename_new(folder, &temporary_name(&part.name), folder, &part.name) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Stop::Taken(taken(part)));
            }
            Err(e) => return Err(before("renaming", part, &e)),
        }
    }
    files::sync_folder(folder).map_err(|e| before("making the folder durable for", last, &e))?;
    Ok(Ready::Yes)
}

fn commit(folder: &OwnedFd, last: &OutPart) -> Sent {
    match files::rename_new(folder, &temporary_name(&last.name), folder, &last.name) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return unknown(taken(last)),
        Err(e) => return unknown(format!("renaming {} failed: {e}", last.name)),
    }
    durable(folder, last)
}

fn durable(folder: &OwnedFd, last: &OutPart) -> Sent {
    match files::sync_folder(folder) {
        Ok(()) => Sent::Accepted { answer: None },
        Err(e) => unknown(format!("{} is there, but not provably durable: {e}", last.name)),
    }
}

fn state_of(folder: &OwnedFd, part: &OutPart) -> io::Result<Place> {
    match files::look(folder, &part.name)? {
        None => Ok(Place::Free),
        Some(stat) if !files::is_plain(&stat) => Ok(Place::Other),
        Some(_) => match files::holds(folder, &part.name, &part.bytes) {
            Ok(true) => Ok(Place::Same),
            Ok(false) => Ok(Place::Other),
            // The bank took it between the two looks.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Place::Other),
            Err(e) => Err(e),
        },
    }
}

const fn not_sent(cause: String) -> Sent {
    Sent::NotSent { cause }
}

const fn unknown(cause: String) -> Sent {
    Sent::Unknown { cause, evidence: None }
}
