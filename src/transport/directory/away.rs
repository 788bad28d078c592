//! Putting files away so that a crash in between loses nothing and a newer file of the same name is
//! never mistaken for the one that was read.
//!
//! A control file is moved first, under a hidden name that carries the identity of the data files
//! it spoke for. Moving the data first would leave a control file that vouches for whatever the
//! bank writes next under that name, half-written or not (I14).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::transport::directory::files;
use crate::transport::directory::incoming::{Inbox, Shape};
use crate::transport::names::FreeName;
use crate::transport::whole::Token;
use crate::transport::{DoorError, names};

/// Hidden names of control files whose data is being moved: `.taken-<identity>_<identity>-<name>`.
const MARKS: [(&str, Away); 2] = [(".taken-", Away::Archive), (".aside-", Away::Quarantine)];

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    Archive,
    Quarantine,
}

impl Inbox {
    pub(super) fn put_away(&self, token: &Token, away: Away) -> Result<(), DoorError> {
        let folder = self.folder()?;
        let Some((control, identity)) = &token.control else {
            return self.move_data(&folder, &token.data, away);
        };
        // Two identities fit a file name; a control file that speaks for more data is rare, and what
        // a crash then leaves lying has no control file and is not read again.
        let identities: Vec<String> =
            token.data.iter().take(2).map(|(_, identity)| identity.to_string()).collect();
        let prefix = if away == Away::Archive { ".taken-" } else { ".aside-" };
        let mark = format!("{prefix}{}-{control}", identities.join("_"));
        // A mark that a crash left goes first: it must not keep this control file from moving.
        self.move_one(&folder, &mark, control, away)?;
        let is_other = |(name, identity): &(String, u64)| {
            let now = files::look(&folder, name).map_err(|e| self.io("looking at a file in", e))?;
            Ok(now.is_some_and(|stat| Shape::of(&stat).identity() != *identity))
        };
        if is_other(&(control.clone(), *identity))?
            && token
                .data
                .iter()
                .map(is_other)
                .collect::<Result<Vec<bool>, DoorError>>()?
                .contains(&true)
        {
            // Data and control file are what the bank left meanwhile.
            return self.move_data(&folder, &token.data, away);
        }
        match files::rename_new(&folder, control, &folder, &mark) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {} // put away before
            Err(e) => return Err(self.io("marking a file in", e)),
        }
        self.move_data(&folder, &token.data, away)?;
        self.move_one(&folder, &mark, control, away)?;
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
                self.move_one(folder, name, name, away)?;
            }
            self.forget(name);
        }
        Ok(())
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

    /// Finishes a putting away that a crash cut short (F7): the data that its mark names goes
    /// where it was going; a newer file of that name stays.
    pub(super) fn finish_interrupted(
        &self,
        folder: &OwnedFd,
        hidden: &str,
    ) -> Result<(), DoorError> {
        for (prefix, away) in MARKS {
            let Some((identities, control)) =
                hidden.strip_prefix(prefix).and_then(|rest| rest.split_once('-'))
            else {
                continue;
            };
            let identities: Vec<u64> =
                identities.split('_').filter_map(|identity| identity.parse().ok()).collect();
            if !names::is_allowed(control) {
                continue;
            }
            let stem = names::stem(control);
            let entries =
                std::fs::read_dir(&self.options.incoming).map_err(|e| self.io("listing", e))?;
            let mut data = Vec::new();
            for name in entries.flatten().filter_map(|e| e.file_name().into_string().ok()) {
                if names::is_allowed(&name) && names::stem(&name) == stem {
                    data.extend(identities.iter().map(|identity| (name.clone(), *identity)));
                }
            }
            self.move_data(folder, &data, away)?;
            self.move_one(folder, hidden, control, away)?;
        }
        Ok(())
    }
}
