//! Samples: pairs of bytes and values that a description carries as its own proof.
//!
//! `samples/<message>[.<label>]/` holds `values.jsonl` (a record on each line, in their order) and
//! the parts as files: under the names that the description gives them, or any name (`message.xml`)
//! for a message that has no file name. Each sample must hold both ways: it is read, and written again
//! byte for byte. A bank that spells otherwise than this format writes what is the same (a document with
//! indents, quotes that nothing needs) proves reading by `read.jsonl` in its place: the values are compared,
//! and what is written from them must read the same; the bytes may differ.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

use crate::format::error::{Problem, Problems};
use crate::format::lines::RecordRole;
use crate::format::record::Record;
use crate::format::words::{MessageKind, Part, PartRole, Slot, Source};
use crate::format::{DataError, Format, Piece};

/// The file of a sample that holds its values.
pub const VALUES: &str = "values.jsonl";

/// The file of a sample that is only read, in the place of [`VALUES`].
pub const READ: &str = "read.jsonl";

/// What says which record a line is.
const RECORD: &str = "record";

/// The records of a message with their names, as they follow each other.
#[derive(Debug, PartialEq)]
pub struct Values {
    pub records: Vec<(String, Record)>,
}

impl Values {
    /// Reads JSON lines, a record each: `{"record":"row","amount":"1.00"}`. Where a message has one
    /// head and one sort of row, `record` may be left out: the head comes first.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(format: &Format, kind: MessageKind, text: &str) -> Result<Self, String> {
        let known = Known::of(format, kind);
        let mut records: Vec<(String, Record)> = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (place, record) = known
                .line(line, records.is_empty())
                .map_err(|what| format!("line {}: {what}", at + 1))?;
            records.push((known.name(place).to_owned(), record));
        }
        if records.is_empty() {
            return Err(NO_RECORDS.to_owned());
        }
        Ok(Self { records })
    }

    /// Reads a whole message into memory: for samples and commands, not for results of a bank.
    ///
    /// # Errors
    /// As [`Format::read`] and [`crate::format::Reading::next`]; a row with a fault is an error too.
    pub fn read(format: &Format, kind: MessageKind, parts: &[Part]) -> Result<Self, DataError> {
        let mut reading = format.read(kind, parts)?;
        let mut records = Vec::new();
        while let Some(piece) = reading.next_piece()? {
            if let Some(fault) = piece.fault {
                return Err(fault);
            }
            records.push((piece.name.to_owned(), piece.record.clone()));
        }
        Ok(Self { records })
    }

    /// Writes the message.
    ///
    /// # Errors
    /// As [`Format::encode`].
    pub fn write(&self, format: &Format, kind: MessageKind) -> Result<Vec<Part>, DataError> {
        let known = format.records(kind).unwrap_or_default();
        let place = |name: &str| known.iter().position(|(known, _)| *known == name);
        let records = self.records.iter();
        let records = records.filter_map(|(name, record)| Some((place(name)?, record.clone())));
        format.encode_records(kind, &records.collect::<Vec<_>>())
    }
}

/// What is told where there is nothing to write.
pub const NO_RECORDS: &str = "expected a record on the first line";

/// The records of a message that lines of JSON may be about.
#[derive(Debug)]
pub struct Known<'f> {
    format: &'f Format,
    list: Vec<(&'f str, Option<RecordRole>)>,
}

impl<'f> Known<'f> {
    /// Those of a message.
    pub fn of(format: &'f Format, kind: MessageKind) -> Self {
        Self { format, list: format.records(kind).unwrap_or_default() }
    }

    /// What the record at this place is called.
    pub fn name(&self, place: usize) -> &'f str {
        self.list.get(place).map_or("", |(name, _)| name)
    }

    /// The place of the record of this name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|(known, _)| *known == name)
    }

    /// Reads one line: which record it is, and its values. `first` where no line came before it.
    ///
    /// # Errors
    /// What is wrong with it; never repeats a value.
    pub fn line(&self, line: &str, first: bool) -> Result<(usize, Record), String> {
        if !line.trim_start().starts_with('{') {
            return Err("expected a JSON object of values".to_owned());
        }
        let object = serde_json::from_str::<Object>(line).map_err(|error| error.to_string())?;
        let Object(mut object) = object;
        let names = || self.list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let name = match object.remove(RECORD) {
            Some(Json::String(name)) => name,
            Some(_) => return Err("record: expected a name".to_owned()),
            None => {
                let role = if first { RecordRole::Head } else { RecordRole::Row };
                let usual = self.usual(role);
                let usual = usual.ok_or_else(|| format!("expected \"record\": one of {}", names()));
                usual?.to_owned()
            }
        };
        let place = self.place(&name);
        let place =
            place.ok_or_else(|| format!("there is no record {name:?}: one of {}", names()))?;
        Ok((place, self.format.plan().own.record(&object)?))
    }

    /// The only record of this sort.
    fn usual(&self, role: RecordRole) -> Option<&'f str> {
        let mut of_role = self.list.iter().filter(|(_, known)| *known == Some(role));
        match (of_role.next(), of_role.next()) {
            (Some((name, _)), None) => Some(name),
            _ => None,
        }
    }
}

/// The values of a line. A name that stands twice is refused: which of the two amounts was meant?
struct Object(Map<String, Json>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object of values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    if object.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("{name:?} stands twice")));
                    }
                    object.insert(name, value);
                }
                Ok(Object(object))
            }
        }
        from.deserialize_map(Names)
    }
}

/// One record as a line of JSON.
pub fn json_line(format: &Format, name: &str, record: &Record) -> String {
    let values = Json::Object(format.plan().own.json(record)).to_string();
    let separator = if values == "{}" { "" } else { "," };
    let values = values.strip_prefix('{').unwrap_or_default();
    format!("{{\"{RECORD}\":{}{separator}{values}", Json::from(name))
}

/// One record as a line of JSON that also tells its first byte and those of its fields, each with
/// the byte behind its last: `"@fields":[["amount",40,57]]`. No value is called so.
pub fn json_line_with_places(format: &Format, piece: &Piece<'_>) -> String {
    let line = json_line(format, piece.name, piece.record);
    let fields = piece.places.iter().map(|(name, place)| {
        Json::from(vec![Json::from(*name), Json::from(place.start), Json::from(place.end)])
    });
    let fields = Json::from(fields.collect::<Vec<_>>());
    let values = line.strip_suffix('}').unwrap_or_default();
    format!("{values},\"@offset\":{},\"@fields\":{fields}}}", piece.offset)
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
    let found = "`daifa format decode` and `encode` show what the description makes of it";
    let mut proved = Vec::new();
    for sample in folders(&dir.join("samples")) {
        let name =
            sample.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let word = name.split('.').next().unwrap_or_default();
        if let Some(kind) = MessageKind::parse(word).filter(|kind| format.has(*kind)) {
            if !kind.is_ours() || sample.join(VALUES).exists() {
                proved.push(kind);
            }
            if let Err(what) = prove(format, kind, &sample) {
                note(format!("samples/{name}: {what}"), found);
            }
        } else {
            let hint = "a sample's folder is called <message> or <message>.<label>";
            note(format!("samples/{name}: the format has no such message"), hint);
        }
    }
    for kind in format.kinds().filter(|kind| !proved.contains(kind)) {
        let hint = format!(
            "write samples/{kind}/{VALUES}; `daifa format encode` makes the files beside it"
        );
        let (line, column) = format.place(kind);
        let what = format!("{kind} has no sample that is written");
        list.push(Problem { line, column, what, hint });
    }
    if list.is_empty() {
        return Ok(());
    }
    Err(Problems { file: dir.join("format.toml").display().to_string(), list })
}

/// Proves one sample: both ways, or where it is only read, that what is written reads the same.
///
/// # Errors
/// What does not hold.
pub fn prove(format: &Format, kind: MessageKind, sample: &Path) -> Result<(), String> {
    let only_read = sample.join(READ).exists();
    if only_read && sample.join(VALUES).exists() {
        return Err(format!("{VALUES} and {READ}: it is proved both ways, or only read"));
    }
    let file = if only_read { READ } else { VALUES };
    let text = std::fs::read_to_string(sample.join(file))
        .map_err(|error| format!("{file} cannot be read: {error}"))?;
    let values = Values::parse(format, kind, &text).map_err(|what| format!("{file}: {what}"))?;
    let parts = parts(format, kind, sample)?;
    let read = Values::read(format, kind, &parts).map_err(|error| error.to_string())?;
    if let Some(difference) = difference(format, &values, &read) {
        return Err(format!("reads otherwise than {file} says: {difference}"));
    }
    let written = values.write(format, kind).map_err(|error| error.to_string())?;
    if only_read {
        let again = Values::read(format, kind, &written).map_err(|error| error.to_string())?;
        let difference = difference(format, &values, &again);
        return difference.map_or(Ok(()), |difference| {
            Err(format!("what is written from {READ} reads otherwise: {difference}"))
        });
    }
    for part in &written {
        let kept = parts.iter().find(|kept| kept.role == part.role);
        let Some(kept) = kept else { return Err(format!("the {} part is missing", part.role)) };
        if part.name != kept.name {
            return Err(format!("the {} part would be called {}", part.role, part.name));
        }
        let same = part.bytes.iter().zip(&kept.bytes).take_while(|(a, b)| a == b).count();
        if part.bytes != kept.bytes {
            // What we send is what was shown to the bank, to the byte.
            let spelled = if kind.is_ours() {
                String::new()
            } else {
                format!("; a file of the bank's own, spelled otherwise: {READ}, not {VALUES}")
            };
            let what = format!("the {} part is written otherwise from byte {same} on", part.role);
            return Err(what + &spelled);
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
        .filter(|path| {
            let values = |name: &std::ffi::OsStr| name == VALUES || name == READ;
            path.is_file() && !path.file_name().is_some_and(values)
        })
        .collect();
    files.sort();
    files.iter().map(|path| part(format, kind, path)).collect()
}

/// Which part of a message a file is, and its name where a part of this role has one: told by the
/// name, or else the part that has none.
///
/// # Errors
/// The name is none of this message's.
pub fn role(format: &Format, kind: MessageKind, path: &Path) -> Result<(PartRole, String), String> {
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if let Some(role) = format.role(kind, &name) {
        return Ok((role, name));
    }
    let mut roles = format.parts(kind).map(|(role, _)| role);
    if let Some(role) = roles.find(|role| *role == PartRole::Message) {
        return Ok((role, String::new()));
    }
    let patterns = format.patterns(kind).join(" or ");
    Err(format!("{name} is no file name of a {kind}: {patterns}"))
}

/// One file as a part of a message.
///
/// # Errors
/// The name is none of this message's, or the file cannot be read or is too large.
pub fn part(format: &Format, kind: MessageKind, path: &Path) -> Result<Part, String> {
    let (role, name) = role(format, kind, path)?;
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
fn difference(format: &Format, expected: &Values, read: &Values) -> Option<String> {
    let (ours, theirs) = (&expected.records, &read.records);
    if ours.len() != theirs.len() {
        return Some(format!("{} records, {} expected", theirs.len(), ours.len()));
    }
    ours.iter().zip(theirs).enumerate().find_map(|(at, (expected, read))| {
        if expected.0 != read.0 {
            return Some(format!("record {} is {}, expected {}", at + 1, read.0, expected.0));
        }
        let slots = expected.1.slots().chain(read.1.slots());
        let differs = |slot: &Slot| expected.1.slot(*slot) != read.1.slot(*slot);
        let slot = slots.filter(differs).min()?;
        Some(format!("{} of record {} ({})", format.plan().own.name(slot), at + 1, read.0))
    })
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|e| e.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}
