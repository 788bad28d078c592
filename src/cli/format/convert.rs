//! `daifa format decode` and `encode`: between a bank's bytes and JSON lines.

use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::format::Failure;
use crate::format::sample::{self, Values};
use crate::format::{DataError, Format, MessageKind, PartBytes, PartContent};

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
        bad => Err(Failure::Wrong(format!("{bad} rows cannot be read"))),
    }
}

pub(super) fn encode(
    format: &Format,
    message: MessageKind,
    into: Option<&Path>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut text = String::new();
    let read = input.read_to_string(&mut text);
    read.map_err(|error| Failure::Unable(format!("standard input: {error}")))?;
    let values = Values::parse(format, message, &text).map_err(Failure::Wrong)?;
    let parts = values.write(format, message);
    let parts = parts.map_err(|error| Failure::Wrong(in_line(&text, &error)))?;
    match (into, parts.as_slice()) {
        (None, [part]) => Ok(out.write_all(&part.bytes)?),
        (None, _) => Err(Failure::Unable("a message of several parts needs --out DIR".to_owned())),
        (Some(dir), parts) => {
            let unmade = |error| Failure::Unable(format!("{}: {error}", dir.display()));
            std::fs::create_dir_all(dir).map_err(unmade)?;
            for part in parts {
                let name = match part.name.as_str() {
                    "" if part.bytes.starts_with(b"<?xml") => "message.xml",
                    "" => "message",
                    name => name,
                };
                let path = dir.join(name);
                // Never over a file that is there: it may be on its way. People's names and accounts
                // are in it, so it is for whoever wrote it alone (I27).
                let mut options = std::fs::OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(&path);
                let written = file.and_then(|mut file| file.write_all(&part.bytes));
                let told = |error| Failure::Unable(format!("{}: {error}", path.display()));
                written.map_err(told)?;
                writeln!(out, "{}", path.display())?;
            }
            Ok(())
        }
    }
}

/// A fault with the line of the input in which its record stands.
fn in_line(text: &str, error: &DataError) -> String {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let line = error.record.checked_sub(1).and_then(|at| lines.map(|(_, number)| number).nth(at));
    match line {
        Some(line) => format!("line {line}: {error}"),
        None => error.to_string(),
    }
}
