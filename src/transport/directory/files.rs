//! Single steps on files, all below an open folder and never through a link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

/// Opens a folder; all later names are resolved below it.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes a folder where it is missing (its parent must be there), and opens it.
pub fn make_folder(path: &Path) -> io::Result<OwnedFd> {
    match std::fs::create_dir(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e),
    }
    open_folder(path)
}

/// Makes the folder's names durable.
pub fn sync_folder(folder: &OwnedFd) -> io::Result<()> {
    Ok(fs::fsync(folder)?)
}

/// What a name is, without following a link; nothing where there is no such name.
pub fn look(folder: &OwnedFd, name: &str) -> io::Result<Option<Stat>> {
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

pub fn is_plain(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Opens a file for reading. A link is refused, and a pipe does not block (`O_NONBLOCK`); the
/// caller still checks what was opened.
pub fn open(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(fs::openat(folder, name, flags, Mode::empty())?))
}

/// Is this what [`open`] says of a link (or of a socket)?
pub fn is_link_refused(error: &io::Error) -> bool {
    let refusals = [Errno::LOOP.raw_os_error(), Errno::NXIO.raw_os_error()];
    error.raw_os_error().is_some_and(|code| refusals.contains(&code))
}

/// Writes a new file and makes its content durable. A leftover of that name is replaced, never
/// written into.
pub fn write_new(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    remove(folder, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?);
    // Said by itself: under the umask of a service its group, which is the bank's, could not read it.
    fs::fchmod(&file, Mode::from_raw_mode(0o640))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a name; one that is not there is fine.
pub fn remove(folder: &OwnedFd, name: &str) -> io::Result<()> {
    match fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Gives a file a new name without ever overwriting one ([`io::ErrorKind::AlreadyExists`]).
/// File systems that cannot do it in one step get a second name for the file, then lose the first.
pub fn rename_new(from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> io::Result<()> {
    match fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::linkat(from, name, to, new, AtFlags::empty())?;
            remove(from, name)
        }
        other => Ok(other?),
    }
}

/// Renames a file to a hidden name that nothing else bears: in one step on every file system, so that what a bank
/// leaves under the old name just then is not touched.
pub fn hide(folder: &OwnedFd, name: &str, hidden: &str) -> io::Result<()> {
    Ok(fs::renameat(folder, name, folder, hidden)?)
}

/// Does the plain file of this name hold exactly these bytes?
pub fn holds(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let file = open(folder, name)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut rest = bytes;
    let mut reader = io::BufReader::with_capacity(64 * 1024, file);
    let mut chunk = [0_u8; 8 * 1024];
    loop {
        let n = reader.read(&mut chunk)?;
        let Some(found) = chunk.get(..n) else { return Ok(false) };
        if n == 0 {
            return Ok(rest.is_empty());
        }
        match rest.strip_prefix(found) {
            Some(left) => rest = left,
            None => return Ok(false),
        }
    }
}
