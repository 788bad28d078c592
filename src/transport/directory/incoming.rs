//! Taking what the bank leaves: only what is whole, only plain files with plain names, never more
//! bytes than allowed.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{FileType, Stat};

use crate::transport::directory::away::Away;
use crate::transport::directory::{DirectoryOptions, files};
use crate::transport::whole::{Completion, Group, Stillness, Token, Waiting, groups};
use crate::transport::{Arrival, DoorError, InPart, names};

/// A folder with more entries than this is looked through in part; the rest waits its turn.
const ENTRIES_MAX: usize = 200_000;

/// The incoming folder of one bank.
#[derive(Debug)]
pub struct Inbox {
    pub(super) options: DirectoryOptions,
    looked: Mutex<Looked>,
}

/// What the last looks saw; only an economy and a watch for stillness, never a truth.
#[derive(Debug, Default)]
struct Looked {
    waiting: Waiting,
    still: Stillness<Shape>,
    warned: HashSet<String>,
}

/// What must not change while a file rests: size, change time, identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) inode: u64,
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
}

impl Inbox {
    pub fn new(options: DirectoryOptions) -> Self {
        Self { options, looked: Mutex::default() }
    }

    /// Whole arrivals, oldest first.
    pub fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        if let Some(oldest) = self.looked().waiting.oldest(limit) {
            return Ok(oldest);
        }
        let folder = self.folder()?;
        let mut plain = self.look_through(&folder)?;
        plain.sort_by(|(a, sa), (b, sb)| (sa.changed, a).cmp(&(sb.changed, b)));
        let mut looked = self.looked();
        let found = match &self.options.completion {
            Completion::Control { suffix } => groups(&plain, suffix),
            Completion::StableMs(ms) => looked.still.still_for(&plain, Duration::from_millis(*ms)),
        };
        Ok(looked.waiting.listed(found, limit))
    }

    pub fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        let group = self.group(name)?;
        let folder = self.folder()?;
        let mut token = Token { data: Vec::new(), control: group.control.clone() };
        let mut parts = Vec::new();
        let mut room = self.options.bytes_max;
        for member in group.data.iter().chain(&group.control) {
            let (part, shape) = self.read(&folder, member, room)?;
            room = room.saturating_sub(part.bytes.len() as u64);
            if group.control.as_ref() != Some(member) {
                token.data.push((member.clone(), shape.inode));
            }
            parts.push(part);
        }
        Ok(Arrival { name: name.to_owned(), parts, token })
    }

    pub fn archive(&self, token: &Token) -> Result<(), DoorError> {
        self.put_away(token, Away::Archive)
    }

    pub fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        let group = self.group(name)?;
        let folder = self.folder()?;
        let mut token = Token { data: Vec::new(), control: group.control };
        for member in group.data {
            if let Some(stat) = files::look(&folder, &member).map_err(|e| self.io("reading", e))? {
                token.data.push((member, Shape::of(&stat).inode));
            }
        }
        self.put_away(&token, Away::Quarantine)
    }

    /// This file is not there any more, as far as the last look is concerned.
    pub(super) fn forget(&self, name: &str) {
        let mut looked = self.looked();
        looked.still.forget(name);
        looked.waiting.forget(name);
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> Result<OwnedFd, DoorError> {
        files::open_folder(&self.options.incoming).map_err(|e| self.io("opening", e))
    }

    pub(super) fn io(&self, doing: &'static str, source: io::Error) -> DoorError {
        DoorError::Io { doing, path: self.options.incoming.clone(), source }
    }

    /// All plain files with plain names; finishes what a crash interrupted on the way.
    fn look_through(&self, folder: &OwnedFd) -> Result<Vec<(String, Shape)>, DoorError> {
        let entries =
            std::fs::read_dir(&self.options.incoming).map_err(|e| self.io("listing", e))?;
        let mut plain = Vec::new();
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
            let stat = files::look(folder, &name).map_err(|e| self.io("looking through", e))?;
            match stat {
                None => {}
                Some(stat) if files::is_plain(&stat) => plain.push((name, Shape::of(&stat))),
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
                Some(_) => self.warn_once(&name, "it is not a plain file"),
            }
        }
        Ok(plain)
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
                let found = groups(&self.look_through(&folder)?, suffix);
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
