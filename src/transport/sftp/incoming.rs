//! Taking what the bank leaves on its server: only what is whole, only plain files with plain names,
//! never more bytes than allowed; and putting it away there once it was applied.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use crate::transport::hidden::{self, Away};
use crate::transport::names::FreeName;
use crate::transport::sftp::anew::LEFT_AGAIN;
use crate::transport::sftp::session::{Content, Seen, Session, Trouble};
use crate::transport::sftp::{SftpOptions, path};
use crate::transport::whole::{Completion, Group, Stillness, Token, Waiting, groups, halves};
use crate::transport::{Arrival, DoorError, InPart, names};

/// A folder with more entries than this is looked through in part; the rest waits its turn.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// Files of one arrival that are looked at, or read, at one time: a stranger says how many there are.
const AT_ONCE: usize = 8;
/// The incoming folder of one bank, and what the last looks saw of it.
pub(super) struct Inbox {
    looked: Mutex<Looked>,
    /// Whoever looks through the folder finishes what was cut short: what is being put away is not.
    pub(super) moving: tokio::sync::Mutex<()>,
}

/// Only an economy and a watch for stillness, never a truth.
#[derive(Default)]
pub(super) struct Looked {
    waiting: Waiting,
    still: Stillness<Seen>,
    warned: HashSet<String>,
    /// Folders that were there when something was last moved into them.
    folders: HashSet<Away>,
    /// The newest second that a file of this folder bore.
    newest: u32,
    /// Data without its control file, where a look has told of it since it was asked for.
    pub halves: Option<Vec<String>>,
    /// Names under which something was put aside unread, until somebody is told.
    pub crowded_out: Vec<String>,
    /// Control files whose data was put away and may have been left once more in the same second: since when,
    /// and since when they were seen without any data.
    pub left_again: HashMap<String, (Instant, Option<Instant>)>,
}

/// The inbox, on a connection.
pub(super) struct Desk<'d> {
    pub inbox: &'d Inbox,
    pub options: &'d SftpOptions,
    pub session: &'d Session,
    /// The second that the last file bore which we wrote on this server; 0 where none is known.
    pub wrote_last: u32,
}

impl Inbox {
    pub fn new() -> Self {
        Self { looked: Mutex::default(), moving: tokio::sync::Mutex::default() }
    }

    pub(super) fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk<'_> {
    /// Whole arrivals, oldest first.
    pub async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        if let Some(oldest) = self.inbox.looked().waiting.oldest(limit) {
            return Ok(oldest);
        }
        let mut plain = self.look_through().await?;
        plain.sort_by(|(a, sa), (b, sb)| (sa.changed, a).cmp(&(sb.changed, b)));
        let mut looked = self.inbox.looked();
        let found = match &self.options.completion {
            Completion::Control { suffix } => {
                looked.halves = Some(halves(&plain, suffix));
                groups(&plain, suffix)
            }
            Completion::StableMs(ms) => looked.still.still_for(&plain, Duration::from_millis(*ms)),
        };
        Ok(looked.waiting.listed(found, limit))
    }

    pub async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        let group = self.group(name).await?;
        let members: Vec<&String> = group.data.iter().chain(&group.control).collect();
        let mut looks = Vec::with_capacity(members.len());
        for some in members.chunks(AT_ONCE) {
            looks.extend(try_join_all(some.iter().map(|member| self.look(member))).await?);
        }
        let mut room = self.options.bytes_max;
        let mut wanted = Vec::with_capacity(members.len());
        for (member, look) in members.into_iter().zip(looks) {
            let seen = self.readable(member, look, room)?;
            room = room.saturating_sub(seen.size);
            wanted.push((member, seen));
        }
        let mut parts = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(AT_ONCE) {
            // They are read to their end, also where one fails: each has a handle at the server.
            let read = join_all(some.iter().map(|(member, seen)| self.read(member, *seen))).await;
            parts.append(&mut read.into_iter().collect::<Result<Vec<InPart>, DoorError>>()?);
        }
        let second = self.surely_over();
        let like_newer = wanted.iter().any(|(_, seen)| seen.changed >= second);
        let read = wanted.into_iter().map(|(member, seen)| (member.clone(), seen.identity()));
        let (mut control, data): (Vec<_>, Vec<_>) =
            read.partition(|(member, _)| group.control.as_ref() == Some(member));
        let token = Token { data, control: control.pop(), like_newer };
        Ok(Arrival { name: name.to_owned(), parts, token })
    }

    /// A second before which no file can be left any more: 0 where that is not known. A single file with a time to come
    /// (its machine's clock was wrong) must not say so, nor another clock than the one of this folder: it is the
    /// earlier of the newest here and the last that we wrote.
    fn surely_over(&self) -> u32 {
        self.inbox.looked().newest.min(self.wrote_last)
    }

    pub async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        let group = self.group(name).await?;
        let mut token = Token::default();
        for member in group.data {
            if let Some(seen) = self.look(&member).await? {
                token.data.push((member, seen.identity()));
            }
        }
        if let Some(control) = group.control
            && let Some(seen) = self.look(&control).await?
        {
            token.control = Some((control, seen.identity()));
        }
        self.put_away(&token, &[], Away::Quarantine).await
    }

    /// Puts away what was applied.
    pub async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        let read = if arrival.token.like_newer { arrival.parts.as_slice() } else { &[] };
        self.put_away(&arrival.token, read, Away::Archive).await
    }

    /// Puts away the control file first, under a hidden name: one that stayed would vouch for whatever
    /// the bank writes next under the data's name, half-written or not (I14).
    ///
    /// `read` are the files as they were read, where a newer one may look the same.
    pub(super) async fn put_away(
        &self,
        token: &Token,
        read: &[InPart],
        away: Away,
    ) -> Result<(), DoorError> {
        let moving = self.inbox.moving.lock().await;
        let done = self.put_away_listed(token, read, away).await;
        drop(moving);
        if done.is_err() {
            // What lies under a hidden name now is found by a look, not remembered.
            self.inbox.looked().waiting = Waiting::default();
        }
        done
    }

    async fn put_away_listed(
        &self,
        token: &Token,
        read: &[InPart],
        away: Away,
    ) -> Result<(), DoorError> {
        let Some((control, identity)) = &token.control else {
            return self.move_data(&token.data, read, away).await.map(drop);
        };
        let mark = hidden::mark(away, &token.data, (control, *identity));
        let mut there = self.look(control).await?;
        if let Some(seen) = there
            && (seen.identity() != *identity || !read.is_empty())
            && self.is_newer(token).await?
            && (seen.identity() != *identity || self.speaks_for(token, control, seen, read).await?)
        {
            // It speaks for what the bank left meanwhile.
            there = None;
        }
        if there.is_some() {
            let (from, to) = (self.incoming(control), self.incoming(&mark));
            let marked = self.session.rename(&from, &to).await;
            marked.map_err(|trouble| remote("marking a file", &trouble))?;
        }
        let stayed = self.move_data(&token.data, read, away).await?;
        let newer = match there {
            // Its control file may have come with newer data just before this one got its mark.
            Some(seen)
                if (stayed || self.is_newer(token).await?)
                    && self.look(control).await?.is_none() =>
            {
                self.look(&mark).await? != there
                    || !read.is_empty() && self.speaks_for(token, &mark, seen, read).await?
            }
            _ => false,
        };
        if there.is_some() && !(newer && self.put_back(&mark, control).await?) {
            self.move_seen(&mark, control, away).await?;
        }
        if !read.is_empty() && !stayed && !newer {
            let mut looked = self.inbox.looked();
            let now = Instant::now();
            looked.left_again.retain(|_, (since, _)| now.duration_since(*since) < LEFT_AGAIN);
            looked.left_again.insert(control.clone(), (now, None));
        }
        Ok(())
    }

    /// All plain files with plain names; finishes what a crash interrupted on the way.
    async fn look_through(&self) -> Result<Vec<(String, Seen)>, DoorError> {
        let _moving = self.inbox.moving.lock().await;
        let mut listed = self.list().await?;
        if self.put_back_compared(&listed).await? {
            listed = self.list().await?;
        }
        let mut plain = Vec::new();
        for (name, seen) in &listed {
            if name.starts_with('.') {
                self.finish_interrupted(name, &listed).await?;
            } else if !names::is_allowed(name) {
                self.warn_once(name, "its name is not one that is touched");
            } else if seen.plain {
                plain.push((name.clone(), *seen));
            } else if !seen.folder {
                self.warn_once(name, "it is not a plain file");
            }
        }
        let newest = plain.iter().map(|(_, seen)| seen.changed).max();
        {
            let mut looked = self.inbox.looked();
            looked.newest = looked.newest.max(newest.unwrap_or(0));
        }
        self.put_away_alone(&plain).await?;
        Ok(plain)
    }

    pub(super) async fn list(&self) -> Result<Vec<(String, Seen)>, DoorError> {
        let listed = self.session.list(&self.options.incoming, ENTRIES_MAX).await;
        listed.map_err(|trouble| remote("listing the incoming folder", &trouble))
    }

    fn warn_once(&self, name: &str, cause: &str) {
        let mut looked = self.inbox.looked();
        if looked.warned.len() < ENTRIES_MAX && looked.warned.insert(name.to_owned()) {
            let folder = &self.options.incoming;
            tracing::warn!(folder, name = names::shown(name), "left where it is: {cause}");
        }
    }

    /// The files of an arrival, as last listed or as found now.
    async fn group(&self, name: &str) -> Result<Group, DoorError> {
        if !names::is_allowed(name) {
            return Err(DoorError::Name(names::shown(name)));
        }
        if let Some(group) = self.inbox.looked().waiting.group(name) {
            return Ok(group);
        }
        match &self.options.completion {
            Completion::StableMs(_) => Err(DoorError::Gone(name.to_owned())),
            Completion::Control { suffix } => {
                let found = groups(&self.look_through().await?, suffix);
                let mut found = found.into_iter().filter(|(n, _)| n == name);
                found.next().map(|(_, g)| g).ok_or_else(|| DoorError::Gone(name.to_owned()))
            }
        }
    }

    /// Can a file be read that looks like this, within `room`?
    fn readable(&self, name: &str, look: Option<Seen>, room: u64) -> Result<Seen, DoorError> {
        let shown = || names::shown(name);
        let seen = look.ok_or_else(|| DoorError::Gone(shown()))?;
        // A pipe would hold the server until somebody writes into it: it is not even opened.
        if !seen.plain {
            return Err(DoorError::NotAFile(shown()));
        }
        if seen.size > room {
            let bytes_max = self.options.bytes_max;
            return Err(DoorError::TooLarge { name: shown(), bytes: seen.size, bytes_max });
        }
        Ok(seen)
    }

    /// Reads one file whole, and refuses one that is not the one that was seen.
    async fn read(&self, name: &str, seen: Seen) -> Result<InPart, DoorError> {
        let shown = || names::shown(name);
        let still = self.inbox.looked().still.last(name);
        if still.is_some_and(|still| still != seen) {
            return Err(DoorError::Changing(shown()));
        }
        let read = self.session.read_seen(&self.incoming(name), seen).await;
        match read.map_err(|trouble| remote("reading a file", &trouble))? {
            Content::Missing => Err(DoorError::Gone(shown())),
            Content::Changed => Err(DoorError::Changing(shown())),
            Content::Bytes(bytes) => {
                Ok(InPart { name: name.to_owned(), bytes: Bytes::from(bytes) })
            }
        }
    }

    /// Moves the data files that are still the ones that were read, and says whether one turned out to be a
    /// newer one and stayed.
    ///
    /// `read` are the files as they were read, where a newer one may look the same.
    pub(super) async fn move_data(
        &self,
        data: &[(String, u64)],
        read: &[InPart],
        away: Away,
    ) -> Result<bool, DoorError> {
        let mut newer = false;
        for (name, identity) in data {
            let now = self.look(name).await?;
            if let Some(seen) = now.filter(|seen| seen.plain && seen.identity() == *identity) {
                let as_read = read.iter().find(|part| part.name == *name);
                newer |= self.move_as_read(name, seen, as_read, away).await?;
            }
            let mut looked = self.inbox.looked();
            looked.still.forget(name);
            looked.waiting.forget(name);
        }
        Ok(newer)
    }

    /// Where to, if anywhere.
    pub(super) fn folder(&self, away: Away) -> Option<&str> {
        match away {
            Away::Archive => self.options.archive.as_deref(),
            Away::Quarantine => Some(self.options.quarantine.as_str()),
        }
    }

    /// Moves one file away that was there a moment ago, under `new`, or `new.1`, `new.2` where that is
    /// taken (F33), and says where to; without an archive, removes it. One that is not there any more was moved
    /// before.
    pub(super) async fn move_seen(
        &self,
        name: &str,
        new: &str,
        away: Away,
    ) -> Result<Option<String>, DoorError> {
        let doing = "putting a file away";
        let wrong = |trouble: Trouble| remote(doing, &trouble);
        let from = self.incoming(name);
        let Some(folder) = self.folder(away) else {
            return self.session.remove(&from).await.map(|()| None).map_err(wrong);
        };
        let mut remembered = self.inbox.looked().folders.contains(&away);
        if !remembered {
            self.make(folder, away).await?;
        }
        let mut names = FreeName::of(new);
        while let Some((candidate, is_it)) = names.candidate() {
            let to = path(folder, &candidate);
            // OpenSSH refuses a name that is taken; others overwrite it.
            if self.session.look(&to).await.map_err(wrong)?.is_some() {
                names.is_taken();
                continue;
            }
            if !is_it {
                names.is_free();
                continue;
            }
            let Err(trouble) = self.session.rename(&from, &to).await else { return Ok(Some(to)) };
            self.inbox.looked().folders.remove(&away);
            // Somebody else took the name, or the file, in between; all else is told.
            if self.session.look(&to).await.map_err(wrong)?.is_some() {
                names.is_taken();
            } else if self.look(name).await?.is_none() {
                return Ok(None);
            } else if !std::mem::take(&mut remembered) {
                return Err(wrong(trouble));
            } else {
                // The folder was there once, and may have been swept away since.
                self.make(folder, away).await?;
            }
        }
        let cause = format!("there is no free name for {} in {folder}", names::shown(new));
        Err(DoorError::Remote { doing, cause })
    }

    /// Makes a folder for what is put away, where it is not there.
    async fn make(&self, folder: &str, away: Away) -> Result<(), DoorError> {
        let wrong = |trouble: Trouble| remote("putting a file away", &trouble);
        if self.session.look(folder).await.map_err(wrong)?.is_none() {
            self.session.make_folder(folder).await.map_err(wrong)?;
        }
        self.inbox.looked().folders.insert(away);
        Ok(())
    }

    pub(super) async fn look(&self, name: &str) -> Result<Option<Seen>, DoorError> {
        let looked = self.session.look(&self.incoming(name)).await;
        looked.map_err(|trouble| remote("looking at a file", &trouble))
    }

    pub(super) fn incoming(&self, name: &str) -> String {
        path(&self.options.incoming, name)
    }
}

pub(super) fn remote(doing: &'static str, trouble: &Trouble) -> DoorError {
    DoorError::Remote { doing, cause: trouble.text() }
}
