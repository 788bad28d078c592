//! Taking what the bank leaves: only what is whole, only plain files with plain names, never more
//! bytes than allowed.

use std::collections::{BinaryHeap, HashSet};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::Stat;

use crate::transport::directory::{DirectoryOptions, files};
use crate::transport::hidden::Away;
use crate::transport::whole::{
    Completion, Group, REMEMBERED_MAX, Stillness, Token, Waiting, groups,
};
use crate::transport::{Arrival, DoorError, InPart, names};

/// A folder with more entries than this is looked through in part; the rest waits its turn.
const ENTRIES_MAX: usize = 200_000;

/// The incoming folder of one bank.
#[derive(Debug)]
pub struct Inbox {
    pub(super) options: DirectoryOptions,
    looked: Mutex<Looked>,
    /// Whoever looks through the folder finishes what was cut short: what is being put away is not.
    moving: Mutex<()>,
}

/// What the last looks saw; only an economy and a watch for stillness, never a truth.
#[derive(Debug, Default)]
struct Looked {
    waiting: Waiting,
    still: Stillness<Shape>,
    warned: HashSet<String>,
    /// Names under which something was put aside unread, until somebody is told.
    crowded_out: Vec<String>,
}

/// Files, oldest first.
fn by_age(files: &mut [(String, Shape)]) -> &[(String, Shape)] {
    files.sort_by(|(a, sa), (b, sb)| (sa.changed, a).cmp(&(sb.changed, b)));
    files
}

/// What must not change while a file rests: size, change time, identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    inode: u64,
    size: i64,
    changed: (i64, u64),
}

impl Shape {
    #[expect(clippy::unnecessary_cast, reason = "these fields differ between platforms")]
    pub(super) const fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            changed: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        }
    }

    /// Tells it from a newer file of the same name. The inode alone does not: a file that is written over keeps
    /// it, and one that is replaced twice may get it back.
    pub(super) const fn identity(&self) -> u64 {
        let (seconds, nanoseconds) = self.changed;
        let changed = seconds.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
        self.inode ^ changed.rotate_left(20) ^ self.size.cast_unsigned().rotate_left(44)
    }
}

impl Inbox {
    pub fn new(options: DirectoryOptions) -> Self {
        Self { options, looked: Mutex::default(), moving: Mutex::default() }
    }

    /// Whole arrivals, oldest first.
    pub fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        if let Some(oldest) = self.looked().waiting.oldest(limit) {
            return Ok(oldest);
        }
        let folder = self.folder()?;
        let most = limit.max(REMEMBERED_MAX);
        let found = match &self.options.completion {
            Completion::Control { suffix } => self.controlled(&folder, suffix, limit, most)?,
            Completion::StableMs(ms) => {
                let (plain, _) = self.oldest(&folder, most, |_| true)?;
                self.looked().still.still_for(&plain, Duration::from_millis(*ms))
            }
        };
        Ok(self.looked().waiting.listed(found, limit))
    }

    /// Data without its control file, so much of it as is remembered.
    pub fn halves(&self) -> Result<Vec<String>, DoorError> {
        let Completion::Control { suffix } = &self.options.completion else {
            return Ok(Vec::new());
        };
        let folder = self.folder()?;
        let mut found = Vec::new();
        let is_data = |name: &str| !name.ends_with(suffix);
        self.look_through(&folder, is_data, |name, _| {
            let control = format!("{}{suffix}", names::stem(&name));
            // What cannot be looked at is no half: the next look tells.
            if found.len() < REMEMBERED_MAX && matches!(files::look(&folder, &control), Ok(None)) {
                found.push(name);
            }
        })?;
        Ok(found)
    }

    /// Arrivals whose control file is among the oldest `most`. A look through a folder in which a hundred
    /// thousand files wait holds no more than these.
    fn controlled(
        &self,
        folder: &OwnedFd,
        suffix: &str,
        limit: usize,
        most: usize,
    ) -> Result<Vec<(String, Group)>, DoorError> {
        let (controls, whole) = self.oldest(folder, most, |name| name.ends_with(suffix))?;
        let stems: HashSet<&str> =
            controls.iter().filter_map(|(name, _)| name.strip_suffix(suffix)).collect();
        let mut plain = controls.clone();
        let data = |name: &str| !name.ends_with(suffix) && stems.contains(names::stem(name));
        self.look_through(folder, data, |name, shape| plain.push((name, shape)))?;
        let found = groups(by_age(&mut plain), suffix);
        if whole || found.len() >= limit {
            return Ok(found);
        }
        // Control files that stand alone hide what came after them.
        plain.clear();
        self.look_through(folder, |_| true, |name, shape| plain.push((name, shape)))?;
        Ok(groups(by_age(&mut plain), suffix))
    }

    /// The oldest `most` of the plain files that are wanted, and whether these are all of them.
    fn oldest(
        &self,
        folder: &OwnedFd,
        most: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<(String, Shape)>, bool), DoorError> {
        let mut oldest = BinaryHeap::new();
        let mut whole = true;
        self.look_through(folder, wanted, |name, shape| {
            oldest.push((shape.changed, name, shape));
            if oldest.len() > most {
                oldest.pop();
                whole = false;
            }
        })?;
        let files = oldest.into_sorted_vec().into_iter();
        Ok((files.map(|(_, name, shape)| (name, shape)).collect(), whole))
    }

    pub fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        let group = self.group(name)?;
        let folder = self.folder()?;
        let mut token = Token::default();
        let mut parts = Vec::new();
        let mut room = self.options.bytes_max;
        for member in group.data.iter().chain(&group.control) {
            let (part, shape) = self.read(&folder, member, room)?;
            room = room.saturating_sub(part.bytes.len() as u64);
            let read = (member.clone(), shape.identity());
            if group.control.as_ref() == Some(member) {
                token.control = Some(read);
            } else {
                token.data.push(read);
            }
            parts.push(part);
        }
        // A control file that was left with newer data says nothing of what was read before it.
        for (member, identity) in &token.data {
            let now = files::look(&folder, member).map_err(|e| self.io("reading", e))?;
            if now.is_none_or(|stat| Shape::of(&stat).identity() != *identity) {
                return Err(DoorError::Changing(member.clone()));
            }
        }
        Ok(Arrival { name: name.to_owned(), parts, token })
    }

    pub fn archive(&self, token: &Token) -> Result<(), DoorError> {
        self.put_away(token, Away::Archive)
    }

    pub fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        let group = self.group(name)?;
        let folder = self.folder()?;
        let look = |name: String| {
            let stat = files::look(&folder, &name).map_err(|e| self.io("reading", e))?;
            Ok(stat.map(|stat| (name, Shape::of(&stat).identity())))
        };
        let mut token = Token::default();
        for member in group.data {
            token.data.extend(look(member)?);
        }
        if let Some(control) = group.control {
            token.control = look(control)?;
        }
        self.put_away(&token, Away::Quarantine)
    }

    /// This file is not there any more, as far as the last look is concerned.
    pub(super) fn is_crowded_out(&self, name: &str) {
        self.looked().crowded_out.push(name.to_owned());
    }

    /// Names under which something was put aside unread, each once.
    pub fn crowded_out(&self) -> Vec<String> {
        std::mem::take(&mut self.looked().crowded_out)
    }

    pub(super) fn forget(&self, name: &str) {
        let mut looked = self.looked();
        looked.still.forget(name);
        looked.waiting.forget(name);
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Held by whoever moves files.
    pub(super) fn moving(&self) -> std::sync::MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> Result<OwnedFd, DoorError> {
        files::open_folder(&self.options.incoming).map_err(|e| self.io("opening", e))
    }

    pub(super) fn io(&self, doing: &'static str, source: io::Error) -> DoorError {
        DoorError::Io { doing, path: self.options.incoming.clone(), source }
    }

    /// Gives plain files with plain names that are wanted to `found`; finishes what a crash interrupted on
    /// the way.
    fn look_through(
        &self,
        folder: &OwnedFd,
        wanted: impl Fn(&str) -> bool,
        mut found: impl FnMut(String, Shape),
    ) -> Result<(), DoorError> {
        let _moving = self.moving();
        let entries =
            std::fs::read_dir(&self.options.incoming).map_err(|e| self.io("listing", e))?;
        for entry in entries.take(ENTRIES_MAX) {
            let entry = entry.map_err(|e| self.io("listing", e))?;
            let Ok(name) = entry.file_name().into_string() else {
                self.warn_once(&entry.file_name().to_string_lossy(), "its name is not text");
                continue;
            };
            if name.starts_with('.') {
                self.finish_interrupted(folder, &name)?;
                continue;
            }
            if !names::is_allowed(&name) {
                self.warn_once(&name, "its name is not one that is touched");
                continue;
            }
            let kind = match entry.file_type() {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                kind => kind.map_err(|e| self.io("looking through", e))?,
            };
            if kind.is_dir() {
                continue;
            }
            if !kind.is_file() {
                self.warn_once(&name, "it is not a plain file");
                continue;
            }
            if !wanted(&name) {
                continue;
            }
            let stat = files::look(folder, &name).map_err(|e| self.io("looking through", e))?;
            if let Some(stat) = stat.filter(files::is_plain) {
                found(name, Shape::of(&stat));
            }
        }
        Ok(())
    }

    fn warn_once(&self, name: &str, cause: &str) {
        let mut looked = self.looked();
        if looked.warned.len() < ENTRIES_MAX && looked.warned.insert(name.to_owned()) {
            let folder = self.options.incoming.display().to_string();
            tracing::warn!(folder, name = names::shown(name), "left where it is: {cause}");
        }
    }

    /// The files of an arrival, as last listed or as found now.
    fn group(&self, name: &str) -> Result<Group, DoorError> {
        if !names::is_allowed(name) {
            return Err(DoorError::Name(names::shown(name)));
        }
        if let Some(group) = self.looked().waiting.group(name) {
            return Ok(group);
        }
        match &self.options.completion {
            // Stillness is watched in memory: what was never listed was never still.
            Completion::StableMs(_) => Err(DoorError::Gone(name.to_owned())),
            Completion::Control { suffix } => {
                let folder = self.folder()?;
                let mut plain = Vec::new();
                let wanted = |other: &str| {
                    let stem = other.strip_suffix(suffix.as_str());
                    stem.unwrap_or_else(|| names::stem(other)) == names::stem(name)
                };
                self.look_through(&folder, wanted, |name, shape| plain.push((name, shape)))?;
                let found = groups(by_age(&mut plain), suffix);
                let mut found = found.into_iter().filter(|(n, _)| n == name);
                found.next().map(|(_, g)| g).ok_or_else(|| DoorError::Gone(name.to_owned()))
            }
        }
    }

    /// Reads one file whole, within `bytes_max`, and refuses one that changes meanwhile.
    fn read(
        &self,
        folder: &OwnedFd,
        name: &str,
        bytes_max: u64,
    ) -> Result<(InPart, Shape), DoorError> {
        let shown = || names::shown(name);
        let file = files::open(folder, name).map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                DoorError::Gone(shown())
            } else if files::is_link_refused(&e) {
                DoorError::NotAFile(shown())
            } else {
                self.io("opening a file in", e)
            }
        })?;
        let stat = |file| rustix::fs::fstat(file).map_err(|e| self.io("reading", e.into()));
        let opened = stat(&file)?;
        if !files::is_plain(&opened) {
            return Err(DoorError::NotAFile(shown()));
        }
        let shape = Shape::of(&opened);
        let size = u64::try_from(shape.size).unwrap_or(u64::MAX);
        if size > bytes_max {
            let name = shown();
            return Err(DoorError::TooLarge {
                name,
                bytes: size,
                bytes_max: self.options.bytes_max,
            });
        }
        let still = self.looked().still.last(name);
        if still.is_some_and(|still| still != shape) {
            return Err(DoorError::Changing(shown()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let read = (&file).take(size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| self.io("reading a file in", e))?;
        if bytes.len() as u64 != size || Shape::of(&stat(&file)?) != shape {
            return Err(DoorError::Changing(shown()));
        }
        Ok((InPart { name: name.to_owned(), bytes: Bytes::from(bytes) }, shape))
    }
}
