//! `daifa format decode` and `encode`: between a bank's bytes and JSON lines.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::counted;
use crate::cli::format::Failure;
use crate::format::sample::{self, Known};
use crate::format::{
    DataError, Format, MessageKind, PartBytes, PartContent, PartRole, Parts, Record, Records,
    Unreadable,
};

/// Reads a message record by record: what is printed is gone from memory, so that a file may be
/// larger than the machine. A fault that is found late leaves what was printed before it printed;
/// the exit code says that it must not be relied upon.
pub(super) fn decode(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    offsets: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for path in files {
        let (role, name) = sample::role(format, message, path).map_err(Failure::Unable)?;
        let told = |error| Failure::Unable(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(told)?;
        parts.push(PartBytes { role, name, bytes: PartContent::Stream(Box::new(file)) });
    }
    let mut out = BufWriter::new(out);
    let wrong = |error: DataError| Failure::Wrong(error.to_string());
    let mut reading = format.read_streams(message, parts).map_err(wrong)?;
    if offsets {
        reading.keep_places();
    }
    let mut bad = 0;
    loop {
        let piece = match reading.next_piece() {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                out.flush()?;
                return Err(wrong(error));
            }
        };
        if let Some(error) = &piece.fault {
            bad += 1;
            out.flush()?;
            writeln!(err, "{error}")?;
        } else if offsets {
            writeln!(out, "{}", sample::json_line_with_places(format, &piece))?;
        } else {
            writeln!(out, "{}", sample::json_line(format, piece.name, piece.record))?;
        }
    }
    out.flush()?;
    match bad {
        0 => Ok(()),
        bad => Err(Failure::Wrong(format!("{} cannot be read", counted(bad, "row")))),
    }
}

/// Writes a message out of JSON lines, which are kept in a file of their own until all is written:
/// count and sum stand before the rows, so that the lines are read more than once. Nothing is written
/// before all of it can be, and little of it is in memory.
pub(super) fn encode(
    format: &Format,
    message: MessageKind,
    into: Option<&Path>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if into.is_none() && format.parts(message).count() > 1 {
        return Err(Failure::Unable("a message of several parts needs --out DIR".to_owned()));
    }
    let lines = Lines::keep(format, message, input)?;
    let Some(dir) = into else {
        let poured = format.pour(message, &lines, &mut Printed { out: BufWriter::new(out) });
        return poured.map_err(|error| lines.failure(&error));
    };
    let unmade = |error| Failure::Unable(format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(unmade)?;
    let unnamed = if format.begins_with_declaration(message) { "message.xml" } else { "message" };
    let mut files = Files { dir, unnamed, written: Vec::new(), file: None, taken: None };
    if let Err(error) = format.pour(message, &lines, &mut files) {
        // What is there of it is no message.
        files.written.iter().for_each(|path| drop(std::fs::remove_file(path)));
        return Err(files.taken.map_or_else(|| lines.failure(&error), Failure::Unable));
    }
    files.written.iter().try_for_each(|path| writeln!(out, "{}", path.display()))?;
    Ok(())
}

/// A message of one part, printed.
struct Printed<'o> {
    out: BufWriter<&'o mut dyn Write>,
}

impl Parts for Printed<'_> {
    fn begin(&mut self, _: PartRole, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Parts as files of a folder.
struct Files<'d> {
    dir: &'d Path,
    /// What a part is called that has no file name.
    unnamed: &'d str,
    written: Vec<PathBuf>,
    file: Option<BufWriter<File>>,
    /// The file that could not be made, and why.
    taken: Option<String>,
}

impl Parts for Files<'_> {
    fn begin(&mut self, _: PartRole, name: &str) -> io::Result<()> {
        let path = self.dir.join(if name.is_empty() { self.unnamed } else { name });
        // Never over a file that is there: it may be on its way. People's names and accounts are in it,
        // so it is for whoever wrote it alone (I27).
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let told = |error: &io::Error| format!("{}: {error}", path.display());
        let file = file.inspect_err(|error| self.taken = Some(told(error)))?;
        self.written.push(path);
        self.file = Some(BufWriter::new(file));
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |mut file| file.flush())
    }
}

/// The most bytes of one line.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// JSON lines that are read as often as needed.
struct Lines<'f> {
    known: Known<'f>,
    file: File,
    /// The first line that is none, with its number.
    wrong: RefCell<Option<String>>,
}

impl<'f> Lines<'f> {
    /// Keeps what comes in, in a file that has no name any more: it goes with this process.
    fn keep(
        format: &'f Format,
        message: MessageKind,
        input: &mut dyn BufRead,
    ) -> Result<Self, Failure> {
        let name = format!("daifa-encode-{}-{:p}", std::process::id(), input);
        let path = std::env::temp_dir().join(name);
        let mut kept = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            std::io::copy(input, &mut file)?;
            Ok(file)
        };
        let file = kept().map_err(|error| Failure::Unable(format!("standard input: {error}")))?;
        let known = Known::of(format, message);
        Ok(Self { known, file, wrong: RefCell::default() })
    }

    /// Every line that is not blank, with its number.
    fn all(
        &self,
        each: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<(), (usize, String)> {
        let told = |number: usize| move |error: io::Error| (number, error.to_string());
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).map_err(told(0))?;
        let mut input = BufReader::new(file);
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
            let read = u64::try_from(read.map_err(told(number))?).unwrap_or(LINE_BYTES_MAX);
            if read == 0 {
                break;
            }
            if read == LINE_BYTES_MAX && !line.ends_with('\n') {
                return Err((number, format!("more than {LINE_BYTES_MAX} bytes")));
            }
            if !line.trim().is_empty() && each(number, &line).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Why nothing was written, with the line in which that record stands.
    fn failure(&self, error: &DataError) -> Failure {
        if let Some(wrong) = self.wrong.borrow_mut().take() {
            return Failure::Wrong(wrong);
        }
        let (mut record, mut found) = (0, None);
        let looked = self.all(&mut |number, _| {
            record += 1;
            if record == error.record {
                found = Some(number);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match (looked, found) {
            (Ok(()), Some(line)) => Failure::Wrong(format!("line {line}: {error}")),
            _ => Failure::Wrong(error.to_string()),
        }
    }
}

impl Records for Lines<'_> {
    fn each(
        &self,
        give: &mut dyn FnMut(usize, &Record) -> ControlFlow<()>,
    ) -> Result<(), Unreadable> {
        let mut wrong = None;
        let mut first = true;
        let read = self.all(&mut |number, line| match self.known.line(line, first) {
            Ok((place, record)) => {
                first = false;
                give(place, &record)
            }
            Err(what) => {
                wrong = Some(format!("line {number}: {what}"));
                ControlFlow::Break(())
            }
        });
        let wrong = match (wrong, read) {
            (Some(wrong), _) => wrong,
            (None, Err((number, what))) => format!("line {number}: {what}"),
            (None, Ok(())) if first => sample::NO_RECORDS.to_owned(),
            (None, Ok(())) => return Ok(()),
        };
        self.wrong.replace(Some(wrong));
        Err(Unreadable)
    }
}
