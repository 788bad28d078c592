//! Putting files away so that a crash in between loses nothing and a newer file of the same name is
//! never mistaken for the one that was read.
//!
//! A control file is moved first, under a hidden name that carries the identity of the data files
//! it spoke for. Moving the data first would leave a control file that vouches for whatever the
//! bank writes next under that name, half-written or not (I14).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::transport::DoorError;
use crate::transport::directory::files;
use crate::transport::directory::incoming::{Inbox, Shape};
use crate::transport::hidden::{self, Away, Mark};
use crate::transport::names::{self, FreeName};
use crate::transport::whole::Token;

impl Inbox {
    pub(super) fn put_away(&self, token: &Token, away: Away) -> Result<(), DoorError> {
        let _moving = self.moving();
        let folder = self.folder()?;
        let Some((control, identity)) = &token.control else {
            return self.move_data(&folder, &token.data, away);
        };
        let mark = hidden::mark(away, &token.data, (control, *identity));
        let is_other = |(name, identity): &(String, u64)| {
            let now = files::look(&folder, name).map_err(|e| self.io("looking at a file in", e))?;
            Ok(now.is_some_and(|stat| Shape::of(&stat).identity() != *identity))
        };
        let is_newer = || {
            let others = token.data.iter().map(is_other).collect::<Result<Vec<bool>, DoorError>>();
            Ok::<bool, DoorError>(others?.contains(&true))
        };
        if is_other(&(control.clone(), *identity))? && is_newer()? {
            // Data and control file are what the bank left meanwhile.
            return self.move_data(&folder, &token.data, away);
        }
        match files::hide(&folder, control, &mark) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {} // put away before
            Err(e) => return Err(self.io("marking a file in", e)),
        }
        self.move_data(&folder, &token.data, away)?;
        // They may have come just before it got its mark.
        let came = is_other(&(mark.clone(), *identity))? && is_newer()?;
        if !(came && self.put_back(&folder, &mark, control)?) {
            self.move_one(&folder, &mark, control, away)?;
        }
        files::sync_folder(&folder).map_err(|e| self.io("making durable", e))
    }

    /// Moves the data files that are still the ones that were read.
    fn move_data(
        &self,
        folder: &OwnedFd,
        data: &[(String, u64)],
        away: Away,
    ) -> Result<(), DoorError> {
        for (name, identity) in data {
            let now = files::look(folder, name).map_err(|e| self.io("looking at a file in", e))?;
            if now.is_some_and(|stat| Shape::of(&stat).identity() == *identity) {
                self.move_as_read(folder, name, *identity, away)?;
            }
            self.forget(name);
        }
        Ok(())
    }

    /// Moves a data file that is the one that was read. Between a look at a name and its renaming the bank may have
    /// left another file there, so it is looked at once more under a hidden name, under which nobody writes.
    pub(super) fn move_as_read(
        &self,
        folder: &OwnedFd,
        name: &str,
        identity: u64,
        away: Away,
    ) -> Result<(), DoorError> {
        let hidden = hidden::to_compare(name);
        match files::hide(folder, name, &hidden) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()), // somebody took it
            Err(e) => return Err(self.io("comparing a file in", e)),
        }
        let now = files::look(folder, &hidden).map_err(|e| self.io("looking at a file in", e))?;
        if now.is_some_and(|stat| Shape::of(&stat).identity() == identity) {
            let moved = self.move_one(folder, &hidden, name, away);
            if moved.is_err() {
                // It stays where it was, for all to see.
                self.put_back(folder, &hidden, name)?;
            }
            return moved;
        }
        tracing::info!(
            name = names::shown(name),
            "left once more while it was put away: it is taken by itself"
        );
        self.give_back(folder, &hidden, name)
    }

    /// Gives data its name back. Where the bank has used the name once more, it would have written over this: it is
    /// kept as evidence.
    fn give_back(&self, folder: &OwnedFd, hidden: &str, name: &str) -> Result<(), DoorError> {
        if self.put_back(folder, hidden, name)? {
            return Ok(());
        }
        tracing::warn!(
            name = names::shown(name),
            "left twice more before it was read: the last of them is read"
        );
        self.move_one(folder, hidden, name, Away::Quarantine)?;
        self.is_crowded_out(name);
        Ok(())
    }

    /// Gives back a name that was taken from a file which turned out to be newer than what was read; says no
    /// where the bank has used the name again meanwhile.
    fn put_back(&self, folder: &OwnedFd, from: &str, name: &str) -> Result<bool, DoorError> {
        match files::rename_new(folder, from, folder, name) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true), // somebody took it
            Err(e) => Err(self.io("giving a file its name back in", e)),
        }
    }

    /// Moves one file away under `new`, or `new.1`, `new.2` where that is taken (F33).
    fn move_one(
        &self,
        folder: &OwnedFd,
        name: &str,
        new: &str,
        away: Away,
    ) -> Result<(), DoorError> {
        let path: &Path = match away {
            Away::Archive => &self.options.archive,
            Away::Quarantine => &self.options.quarantine,
        };
        let io = |doing, source| DoorError::Io { doing, path: path.to_owned(), source };
        let to = files::make_folder(path).map_err(|e| io("opening", e))?;
        let mut names = FreeName::of(new);
        while let Some((candidate, is_it)) = names.candidate() {
            if !is_it {
                match path.join(&candidate).symlink_metadata() {
                    Ok(_) => names.is_taken(),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => names.is_free(),
                    Err(e) => return Err(io("looking into", e)),
                }
                continue;
            }
            match files::rename_new(folder, name, &to, &candidate) {
                Ok(()) => return files::sync_folder(&to).map_err(|e| io("making durable", e)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => names.is_taken(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(e) => return Err(io("moving a file into", e)),
            }
        }
        Err(io("moving a file into", io::ErrorKind::AlreadyExists.into()))
    }

    /// Finishes a putting away that a crash cut short (F7): data that was being compared gets its name back, the
    /// data that a mark names goes where it was going; newer files of that name stay, with their control file.
    pub(super) fn finish_interrupted(
        &self,
        folder: &OwnedFd,
        hidden: &str,
    ) -> Result<(), DoorError> {
        if let Some(name) = hidden::compared(hidden) {
            return self.give_back(folder, hidden, name);
        }
        let Some(mark) = Mark::read(hidden) else { return Ok(()) };
        let entries =
            std::fs::read_dir(&self.options.incoming).map_err(|e| self.io("listing", e))?;
        let (mut data, mut newer) = (Vec::new(), false);
        for mut name in entries.flatten().filter_map(|e| e.file_name().into_string().ok()) {
            // Data of it that was being looked at gets its name back first, whichever is listed first.
            if let Some(of) = hidden::compared(&name).filter(|of| mark.is_with(of)) {
                self.give_back(folder, &name, of)?;
                name = of.to_owned();
            }
            if !mark.is_with(&name) {
                continue;
            }
            let seen =
                files::look(folder, &name).map_err(|e| self.io("looking at a file in", e))?;
            let seen = seen.map(|stat| Shape::of(&stat).identity());
            newer |= seen.is_some_and(|seen| !mark.data.contains(&seen));
            data.extend(mark.data.iter().map(|identity| (name.clone(), *identity)));
        }
        self.move_data(folder, &data, mark.away)?;
        let seen = files::look(folder, hidden).map_err(|e| self.io("looking at a file in", e))?;
        let is_other = seen.is_some_and(|stat| Shape::of(&stat).identity() != mark.control);
        if is_other && newer && self.put_back(folder, hidden, mark.name)? {
            return Ok(());
        }
        self.move_one(folder, hidden, mark.name, mark.away)
    }
}
