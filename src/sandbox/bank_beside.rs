//! The folders beside a practice bank's line: files of batches that a message names, and files of answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::{Format, Key, MessageKind, Part};
use crate::sandbox::bank_desk::{Desk, KINDS, Reply, lock};
use crate::sandbox::bank_speech::Heard;
use crate::transport::names;

/// A late file comes so long after the answer that names it.
const LATE_MS: i64 = 300;

/// Where files stand beside messages.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Where senders leave the files that their messages name.
    pub outgoing: PathBuf,
    /// Where the bank leaves those that its own name.
    pub incoming: PathBuf,
    /// As in `.ok`, where a control file says that a file is whole.
    pub control_suffix: Option<String>,
}

/// A file that is left later than it was named.
#[derive(Debug)]
pub struct Late {
    due_ms: i64,
    part: Part,
}

impl Beside {
    /// Leaves a file; an earlier one of its name gives way, as where a bank makes its answer anew. Its control
    /// file goes first: it would vouch for this one.
    fn leave(&self, part: &Part) -> io::Result<()> {
        let Some(suffix) = &self.control_suffix else { return self.place(&part.name, &part.bytes) };
        let control = format!("{}{suffix}", names::stem(&part.name));
        match fs::remove_file(self.incoming.join(&control)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        self.place(&part.name, &part.bytes)?;
        self.place(&control, b"")
    }

    fn place(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let hidden = self.incoming.join(format!(".{name}.part"));
        fs::write(&hidden, bytes)?;
        fs::rename(hidden, self.incoming.join(name))
    }
}

impl Desk {
    /// Answers what was said on a line, whatever message it is; the files that it names are read with it.
    pub fn answer_said(&self, bytes: &[u8]) -> Result<Reply, crate::sandbox::bank::BankError> {
        match self.hear_said(bytes) {
            Some(heard) => self.answer_heard(&heard),
            None => Ok(Reply::NotUnderstood),
        }
    }

    fn hear_said(&self, bytes: &[u8]) -> Option<Heard> {
        let format = self.speech.format();
        let mut known = KINDS.into_iter().filter(|kind| self.speech.has(*kind));
        known.find_map(|kind| self.speech.hear(kind, &self.whole(format, kind, bytes)?).ok())
    }

    /// What was said, behind the files beside it; nothing where one of these is not there.
    fn whole(&self, format: &Format, kind: MessageKind, bytes: &[u8]) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        if format.has_files_beside(kind) {
            let folder: &Path = &self.options.beside.as_ref()?.outgoing;
            for (role, name) in format.files_named(kind, bytes).ok()?.files {
                let bytes = fs::read(folder.join(&name)).ok()?;
                parts.push(Part { role, name, bytes, committing: false });
            }
        }
        let role = format.spoken_role(kind);
        parts.push(Part { role, name: String::new(), bytes: bytes.to_vec(), committing: true });
        Some(parts)
    }

    /// Leaves the files of an answer, or what this bank makes of them; gives back what is said on the line.
    pub fn on_line(&self, mut parts: Vec<Part>) -> Option<Vec<u8>> {
        let spoken = parts.pop()?;
        for part in parts {
            let beside = self.options.beside.as_ref()?;
            if let Err(e) = self.leave(beside, part) {
                tracing::error!(cause = e.to_string(), "a practice bank cannot leave a file");
                return None;
            }
        }
        Some(spoken.bytes)
    }

    fn leave(&self, beside: &Beside, mut part: Part) -> io::Result<()> {
        let known = self.speech.format().recognise(&part.name);
        let reference = known.as_ref().and_then(|known| known.keys.text(Key::Reference));
        let kind = known.as_ref().map_or(MessageKind::Result, |known| known.kind);
        let time = self.time(kind, reference.unwrap_or_default());
        let faults = self.faults();
        let comes = |often, what| faults.comes(often, what, 0, &time);
        if comes(faults.file_lost, "file lost") {
            return Ok(());
        }
        if comes(faults.file_late, "file late") {
            lock(&self.late).push(Late { due_ms: self.now() + LATE_MS, part });
            return Ok(());
        }
        if comes(faults.file_cut, "file cut") {
            part.bytes.truncate(part.bytes.len() / 2);
        }
        beside.leave(&part)
    }

    /// Leaves what is late and due now.
    pub fn leave_late(&self) {
        let Some(beside) = &self.options.beside else { return };
        let now = self.now();
        let due: Vec<Late> = lock(&self.late).extract_if(.., |late| late.due_ms <= now).collect();
        for late in due {
            if let Err(e) = beside.leave(&late.part) {
                tracing::error!(cause = e.to_string(), "a practice bank cannot leave a file");
            }
        }
    }
}
