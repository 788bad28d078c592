//! Samples: pairs of bytes and values that a description carries as its own proof.
//!
//! `samples/<message>[.<label>]/` holds `values.jsonl` (the head on the first line, then the rows)
//! and the parts as files: under the names that the description gives them, or `message.xml` for a
//! message that has no file name. Each sample must hold both ways.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::format::error::{Problem, Problems};
use crate::format::reading::Item;
use crate::format::record::Record;
use crate::format::words::{MessageKind, Part, PartRole};
use crate::format::{DataError, Format};

/// The file of a sample that holds its values.
pub const VALUES: &str = "values.jsonl";

/// The values of a message: its head (with what stands behind the rows) and its rows.
#[derive(Debug, PartialEq)]
pub struct Values {
    pub head: Record,
    pub rows: Vec<Record>,
}

impl Values {
    /// Reads JSON lines: the head first, then the rows.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut records = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = at + 1;
            let json: Json = serde_json::from_str(line)
                .map_err(|error| format!("line {line_number}: {error}"))?;
            let record = Record::from_json(&json);
            records.push(record.map_err(|what| format!("line {line_number}: {what}"))?);
        }
        if records.is_empty() {
            return Err("expected the head on the first line".to_owned());
        }
        let rows = records.split_off(1);
        let head = records.pop().unwrap_or_default();
        Ok(Self { head, rows })
    }

    /// Reads a whole message into memory: for samples and commands, not for results of a bank.
    ///
    /// # Errors
    /// As [`Format::read`] and [`crate::format::Reading::next`]; a row with a fault is an error too.
    pub fn read(format: &Format, kind: MessageKind, parts: &[Part]) -> Result<Self, DataError> {
        let mut reading = format.read(kind, parts)?;
        let mut values = Self { head: Record::new(), rows: Vec::new() };
        while let Some(item) = reading.next()? {
            match item {
                Item::Head(head) => values.head = head.clone(),
                Item::Row(row) => values.rows.push(row.clone()),
                Item::BadRow(error) => return Err(error),
                Item::Tail(tail) => values.head.fill_from(tail),
            }
        }
        Ok(values)
    }
}

/// Runs all samples of the format in `dir`.
///
/// # Errors
/// Every sample that does not hold, and every message without one.
pub fn run(format: &Format, dir: &Path) -> Result<(), Problems> {
    let mut list = Vec::new();
    let mut note = |what: String, hint: &str| {
        list.push(Problem { line: 0, column: 0, what, hint: hint.to_owned() });
    };
    let mut proved = Vec::new();
    for sample in folders(&dir.join("samples")) {
        let name =
            sample.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let word = name.split('.').next().unwrap_or_default();
        match MessageKind::parse(word).filter(|kind| format.has(*kind)) {
            Some(kind) => {
                proved.push(kind);
                if let Err(what) = prove(format, kind, &sample) {
                    note(format!("samples/{name}: {what}"), "");
                }
            }
            None => note(format!("samples/{name}: the format has no such message"), ""),
        }
    }
    for kind in format.kinds().filter(|kind| !proved.contains(kind)) {
        let hint = "samples/<message>/values.jsonl and its files; `format encode` writes them";
        note(format!("{kind} has no sample"), hint);
    }
    if list.is_empty() {
        return Ok(());
    }
    Err(Problems { file: dir.display().to_string(), list })
}

/// Proves one sample both ways.
///
/// # Errors
/// What does not hold.
pub fn prove(format: &Format, kind: MessageKind, sample: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(sample.join(VALUES))
        .map_err(|error| format!("{VALUES} cannot be read: {error}"))?;
    let values = Values::parse(&text).map_err(|what| format!("{VALUES}: {what}"))?;
    let parts = parts(format, kind, sample)?;
    let read = Values::read(format, kind, &parts).map_err(|error| error.to_string())?;
    if let Some(difference) = difference(&values, &read) {
        return Err(format!("reads otherwise than {VALUES} says: {difference}"));
    }
    let written = format.encode(kind, &values.head, &values.rows);
    let written = written.map_err(|error| error.to_string())?;
    for part in &written {
        let kept = parts.iter().find(|kept| kept.role == part.role);
        let Some(kept) = kept else { return Err(format!("the {} part is missing", part.role)) };
        if part.name != kept.name {
            return Err(format!("the {} part would be called {}", part.role, part.name));
        }
        let same = part.bytes.iter().zip(&kept.bytes).take_while(|(a, b)| a == b).count();
        if part.bytes != kept.bytes {
            return Err(format!("the {} part is written otherwise from byte {same} on", part.role));
        }
    }
    Ok(())
}

/// The parts of a sample, or of any folder with the files of one message.
///
/// # Errors
/// A file that is none of the message's, or that cannot be read.
pub fn parts(format: &Format, kind: MessageKind, dir: &Path) -> Result<Vec<Part>, String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(|error| format!("cannot be read: {error}"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && path.file_name().is_none_or(|name| name != VALUES))
        .collect();
    files.sort();
    files.iter().map(|path| part(format, kind, path)).collect()
}

/// One file as a part of a message: told by its name, or the only one there is.
///
/// # Errors
/// The name is none of this message's, or the file cannot be read or is too large.
pub fn part(format: &Format, kind: MessageKind, path: &Path) -> Result<Part, String> {
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let message = format.parts(kind).find(|(role, _)| *role == PartRole::Message);
    let (role, name) = match message {
        Some((role, _)) => (role, String::new()),
        None => match format.recognise(&name).filter(|found| found.kind == kind) {
            Some(found) => (found.role, name),
            None => return Err(format!("{name} is no file name of a {kind}")),
        },
    };
    let most = u64::try_from(format.limits().bytes_max).unwrap_or(u64::MAX);
    let size = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if size.len() > most {
        return Err(format!("{}: {} bytes, at most {most}", path.display(), size.len()));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let committing = format.parts(kind).any(|(of, committing)| of == role && committing);
    Ok(Part { role, name, bytes, committing })
}

/// Where two readings of one message differ, told without the values.
fn difference(expected: &Values, read: &Values) -> Option<String> {
    if expected.rows.len() != read.rows.len() {
        return Some(format!("{} rows, {} expected", read.rows.len(), expected.rows.len()));
    }
    let heads = std::iter::once(("the head".to_owned(), &expected.head, &read.head));
    let rows = expected.rows.iter().zip(&read.rows).enumerate();
    let rows = rows.map(|(at, (expected, read))| (format!("row {}", at + 1), expected, read));
    heads.chain(rows).find_map(|(place, expected, read)| {
        use crate::format::words::{Key, Source};
        let key = Key::ALL.iter().find(|key| expected.get(**key) != read.get(**key))?;
        Some(format!("{key} of {place}"))
    })
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|e| e.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}
