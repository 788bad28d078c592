//! Handing files over to a server: each part under a hidden name first, read back, then renamed
//! without overwriting, the committing part last. Its rename request is the commit point.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use crate::transport::placing::{self, Next, Place, taken, temporary_name};
use crate::transport::sftp::incoming::{ENTRIES_MAX, remote};
use crate::transport::sftp::link::Link;
use crate::transport::sftp::session::{Content, Seen, Session, Trouble};
use crate::transport::sftp::{SftpOptions, path};
use crate::transport::{DoorError, OutPart, Sent, check_parts, names};

/// What is handed over: something with money in it, which gives way to nothing, or a question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    Batch,
    /// Data of an earlier question of its name without the part that commits it was handed over to nobody,
    /// and a cut between the two leaves it there: it gives way, since each question tells its moment.
    Question,
}

/// Hands the parts over within the door's total time.
pub(super) async fn hand_over(
    link: &Link,
    options: &SftpOptions,
    parts: &[OutPart],
    cargo: Cargo,
) -> Sent {
    if let Err(cause) = check_parts(parts) {
        return not_sent(cause);
    }
    let Some((last, data)) = parts.split_last() else {
        return not_sent("there is nothing to send".to_owned());
    };
    let committing = AtomicBool::new(false);
    let over = Over { link, folder: &options.outgoing, cargo, committing: &committing };
    let limit = Duration::from_millis(options.total_ms);
    let ended = timeout(limit, over.deliver(data, last)).await;
    let sent = ended.unwrap_or_else(|_| {
        let cause = format!("the hand-over did not end within {} ms", options.total_ms);
        if committing.load(Ordering::SeqCst) { unknown(cause) } else { not_sent(cause) }
    });
    if !matches!(sent, Sent::Accepted { answer: _ }) {
        link.forget().await;
    }
    sent
}

/// Do all these parts lie in the bank's folder under their own names, with these bytes?
pub(super) async fn lie_there(link: &Link, options: &SftpOptions, parts: &[OutPart]) -> bool {
    if check_parts(parts).is_err() {
        return false;
    }
    let looked = async {
        let Ok(session) = link.session().await else { return false };
        for part in parts {
            if !matches!(place(&session, &options.outgoing, part).await, Ok(Place::Same)) {
                return false;
            }
        }
        true
    };
    timeout(Duration::from_millis(options.total_ms), looked).await.unwrap_or(false)
}

/// Finished files that lie in the bank's folder, by name.
///
/// # Errors
/// Where it cannot be listed.
pub(super) async fn lying(
    session: &Session,
    options: &SftpOptions,
) -> Result<Vec<String>, DoorError> {
    let listed = session.list(&options.outgoing, ENTRIES_MAX).await;
    let listed = listed.map_err(|trouble| remote("listing the outgoing folder", &trouble))?;
    let ours = listed.into_iter().filter(|(name, seen)| seen.plain && names::is_allowed(name));
    let mut found: Vec<String> = ours.map(|(name, _)| name).collect();
    found.sort_unstable();
    Ok(found)
}

/// Removes those of these parts that lie in the bank's folder under their own names with these bytes; says
/// how many.
///
/// # Errors
/// Where they cannot be looked at or removed.
pub(super) async fn clear(
    session: &Session,
    options: &SftpOptions,
    parts: &[OutPart],
) -> Result<usize, DoorError> {
    let wrong = |trouble: Trouble| remote("clearing away a file of ours", &trouble);
    let mut cleared = 0;
    for part in parts.iter().filter(|part| names::is_allowed(&part.name)) {
        if place(session, &options.outgoing, part).await.map_err(wrong)? == Place::Same {
            session.remove(&path(&options.outgoing, &part.name)).await.map_err(wrong)?;
            cleared += 1;
        }
    }
    Ok(cleared)
}

/// One hand-over under way.
struct Over<'o> {
    link: &'o Link,
    folder: &'o str,
    cargo: Cargo,
    /// Was the committing rename asked for?
    committing: &'o AtomicBool,
}

enum Stop {
    /// Nothing that commits has happened.
    Before(String),
    /// A name is taken by something else.
    Taken(String),
}

impl Over<'_> {
    async fn deliver(&self, data: &[OutPart], last: &OutPart) -> Sent {
        let session = match self.link.session().await {
            Ok(session) => session,
            Err(cause) => return not_sent(cause),
        };
        match self.prepare(&session, data, last).await {
            Ok(true) => self.commit(&session, last).await,
            // Before us: a leftover under the hidden name harms nobody.
            Ok(false) => Sent::Accepted { answer: None },
            Err(Stop::Before(cause)) => not_sent(cause),
            Err(Stop::Taken(cause)) => unknown(cause),
        }
    }

    /// Everything but the committing rename; false where that was done before.
    async fn prepare(
        &self,
        session: &Session,
        data: &[OutPart],
        last: &OutPart,
    ) -> Result<bool, Stop> {
        let looks = data.iter().chain([last]).map(|part| self.place(session, part));
        let mut seen = try_join_all(looks).await?;
        let place = seen.pop().unwrap_or(Place::Other);
        let mut places = Vec::with_capacity(data.len());
        for (part, mut there) in data.iter().zip(seen) {
            if there == Place::Other && place == Place::Free && self.cargo == Cargo::Question {
                there = self.clear(session, part).await?;
            }
            places.push((part, there));
        }
        let missing = match placing::next(&places, (last, place)) {
            Next::Write(missing) => missing,
            Next::DoneBefore => return Ok(false),
            Next::Taken(cause) => return Err(Stop::Taken(cause)),
        };
        // Side by side: their names are hidden, and none of them is done before all are.
        let uploads = missing.iter().copied().chain([last]).map(|part| self.upload(session, part));
        try_join_all(uploads).await?;
        for part in missing {
            self.rename_data(session, part).await?;
        }
        // Some servers overwrite where OpenSSH refuses: the time in which they could is kept short.
        match self.place(session, last).await? {
            Place::Free => Ok(true),
            Place::Same => Ok(false),
            Place::Other => Err(Stop::Taken(taken(last))),
        }
    }

    async fn place(&self, session: &Session, part: &OutPart) -> Result<Place, Stop> {
        place(session, self.folder, part)
            .await
            .map_err(|trouble| before("looking at", part, &trouble))
    }

    /// Makes room where half an earlier question lies; a folder or a link is none of ours.
    async fn clear(&self, session: &Session, part: &OutPart) -> Result<Place, Stop> {
        let at = path(self.folder, &part.name);
        let wrong = |trouble: Trouble| before("clearing away an earlier", part, &trouble);
        match session.look(&at).await.map_err(wrong)? {
            Some(seen) if !seen.plain => Ok(Place::Other),
            Some(_) => session.remove(&at).await.map(|()| Place::Free).map_err(wrong),
            None => Ok(Place::Free),
        }
    }

    /// Writes a part under its hidden name, going on where a cut line left off, and reads it back.
    async fn upload(&self, session: &Session, part: &OutPart) -> Result<(), Stop> {
        let hidden = path(self.folder, &temporary_name(&part.name));
        let wrong = |trouble: Trouble| before("writing", part, &trouble);
        let length = part.bytes.len() as u64;
        let mut from = match session.look(&hidden).await.map_err(wrong)? {
            Some(seen) if seen.plain && seen.size <= length => Some(seen.size),
            Some(_) => {
                session.remove(&hidden).await.map_err(wrong)?;
                None
            }
            None => None,
        };
        // What a cut left may have holes, and somebody else's leftover has other bytes: then it is
        // written once more from its beginning.
        for _ in 0..2 {
            session.write(&hidden, &part.bytes, from).await.map_err(wrong)?;
            if let Some(seen) = same(session, &hidden, part).await.map_err(wrong)? {
                self.link.wrote(seen.changed);
                return Ok(());
            }
            session.remove(&hidden).await.map_err(wrong)?;
            from = None;
        }
        Err(Stop::Before(format!("{} reads back otherwise than it was written", part.name)))
    }

    async fn rename_data(&self, session: &Session, part: &OutPart) -> Result<(), Stop> {
        let hidden = path(self.folder, &temporary_name(&part.name));
        let Err(trouble) = session.rename(&hidden, &path(self.folder, &part.name)).await else {
            return Ok(());
        };
        match self.place(session, part).await? {
            Place::Same => Ok(()),
            Place::Other => Err(Stop::Taken(taken(part))),
            Place::Free => Err(before("renaming", part, &trouble)),
        }
    }

    /// The commit point is the request in here: from it on only a clear answer counts.
    async fn commit(&self, session: &Session, last: &OutPart) -> Sent {
        let hidden = path(self.folder, &temporary_name(&last.name));
        self.committing.store(true, Ordering::SeqCst);
        let trouble = match session.rename(&hidden, &path(self.folder, &last.name)).await {
            Ok(()) => return Sent::Accepted { answer: None },
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::Said(..) => self.refused(session, last, &hidden, &trouble).await,
            Trouble::Line(_) => self.reply_lost(last, &trouble).await,
        }
    }

    /// The server answered that it did not rename: then both names must look like it.
    async fn refused(
        &self,
        session: &Session,
        last: &OutPart,
        hidden: &str,
        trouble: &Trouble,
    ) -> Sent {
        let cause = format!("renaming {} failed: {}", last.name, trouble.text());
        let there = place(session, self.folder, last).await;
        let still = session.look(hidden).await;
        match (there, still) {
            (Ok(Place::Same), _) => Sent::Accepted { answer: None },
            (Ok(Place::Other), _) => unknown(taken(last)),
            (Ok(Place::Free), Ok(Some(seen)))
                if seen.plain && seen.size == last.bytes.len() as u64 =>
            {
                not_sent(cause)
            }
            (Ok(Place::Free) | Err(_), _) => unknown(cause),
        }
    }

    /// No answer to the rename: another connection looks what lies there (F49). Only what lies there
    /// is an answer; a bank that has taken the file already leaves nothing to see.
    async fn reply_lost(&self, last: &OutPart, trouble: &Trouble) -> Sent {
        let cause = format!("the answer to renaming {} was lost: {}", last.name, trouble.text());
        let Ok(session) = self.link.another().await else { return unknown(cause) };
        match place(&session, self.folder, last).await {
            Ok(Place::Same) => Sent::Accepted { answer: None },
            Ok(Place::Other) => unknown(taken(last)),
            Ok(Place::Free) => unknown(format!("{cause}; it does not lie there under its name")),
            Err(_) => unknown(cause),
        }
    }
}

async fn place(session: &Session, folder: &str, part: &OutPart) -> Result<Place, Trouble> {
    let at = path(folder, &part.name);
    match session.look(&at).await? {
        None => Ok(Place::Free),
        // Where it vanishes between two looks, the bank is taking it.
        Some(seen) if reads_as(session, &at, seen, part).await? => Ok(Place::Same),
        Some(_) => Ok(Place::Other),
    }
}

/// The file of this path, where it has the bytes of this part.
async fn same(session: &Session, at: &str, part: &OutPart) -> Result<Option<Seen>, Trouble> {
    match session.look(at).await? {
        Some(seen) if reads_as(session, at, seen, part).await? => Ok(Some(seen)),
        Some(_) | None => Ok(None),
    }
}

async fn reads_as(
    session: &Session,
    at: &str,
    seen: Seen,
    part: &OutPart,
) -> Result<bool, Trouble> {
    if !seen.plain || seen.size != part.bytes.len() as u64 {
        return Ok(false);
    }
    let read = session.read_seen(at, seen).await?;
    Ok(matches!(read, Content::Bytes(found) if found == part.bytes))
}

fn before(doing: &str, part: &OutPart, trouble: &Trouble) -> Stop {
    Stop::Before(format!("{doing} {} failed: {}", part.name, trouble.text()))
}

const fn not_sent(cause: String) -> Sent {
    Sent::NotSent { cause }
}

const fn unknown(cause: String) -> Sent {
    Sent::Unknown { cause, evidence: None }
}
