//! `daifa format`: check, write and read a bank's files by hand.
//!
//! What these commands print is the content of files, personal data included: that is what they are
//! asked for. Errors never repeat any.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::format::sample::{self, Values};
use crate::format::{Format, MessageKind, Part, Problem, Problems, example};

#[derive(Debug, Subcommand)]
pub enum FormatCommand {
    /// Check descriptions and run their samples; all of the folder where none is named.
    Check {
        /// Names in the folder of formats, or folders.
        #[arg(value_name = "NAME|DIR")]
        formats: Vec<String>,
        /// The folder of formats.
        #[arg(long, default_value = "bank-formats", value_name = "DIR")]
        formats_dir: PathBuf,
    },
    /// Write a message from JSON lines on standard input: the head first, then the rows.
    Encode {
        /// A name in the folder of formats, or a folder.
        format: String,
        /// The kind of message, like `payment_request`.
        #[arg(value_parser = message_kind)]
        message: MessageKind,
        /// Where the parts are written; a single message goes to standard output without it.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[arg(long, default_value = "bank-formats", value_name = "DIR")]
        formats_dir: PathBuf,
    },
    /// Read a message into JSON lines with exact values.
    Decode {
        format: String,
        #[arg(value_parser = message_kind)]
        message: MessageKind,
        /// All files of the message, the control file too.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[arg(long, default_value = "bank-formats", value_name = "DIR")]
        formats_dir: PathBuf,
    },
    /// Read a message, write it again and compare every byte.
    Roundtrip {
        format: String,
        #[arg(value_parser = message_kind)]
        message: MessageKind,
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[arg(long, default_value = "bank-formats", value_name = "DIR")]
        formats_dir: PathBuf,
    },
}

/// Why a command ends without success.
enum Failure {
    /// The format or the data is wrong: exit code 1.
    Wrong(String),
    /// The command cannot do its work: exit code 2.
    Unable(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Unable(format!("cannot write: {error}"))
    }
}

/// Runs a command; the exit code is 0 for success, 1 where format or data are wrong, 2 where the
/// command could not do its work.
pub fn run(
    command: FormatCommand,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let done = match command {
        FormatCommand::Check { formats, formats_dir } => check(&formats, &formats_dir, out, err),
        FormatCommand::Encode { format, message, out: into, formats_dir } => {
            open(&format, &formats_dir)
                .and_then(|format| encode(&format, message, into.as_deref(), input, out))
        }
        FormatCommand::Decode { format, message, files, formats_dir } => {
            open(&format, &formats_dir)
                .and_then(|format| decode(&format, message, &files, out, err))
        }
        FormatCommand::Roundtrip { format, message, files, formats_dir } => {
            open(&format, &formats_dir).and_then(|format| roundtrip(&format, message, &files, out))
        }
    };
    let (code, text) = match done {
        Ok(()) => return 0,
        Err(Failure::Wrong(text)) => (1, text),
        Err(Failure::Unable(text)) => (2, text),
    };
    // Where even this cannot be written there is nobody to tell.
    match writeln!(err, "{text}") {
        Ok(()) => code,
        Err(_) => 2,
    }
}

fn message_kind(word: &str) -> Result<MessageKind, String> {
    MessageKind::parse(word).ok_or_else(|| {
        let words: Vec<&str> = MessageKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}

/// The folder of a format: a folder as it stands, or a name in the folder of formats.
fn folder(format: &str, formats_dir: &Path) -> PathBuf {
    let path = PathBuf::from(format);
    if format.contains(['/', '\\']) || path.join("format.toml").is_file() {
        path
    } else {
        formats_dir.join(format)
    }
}

/// A format without its samples; an example that is in no folder comes out of the binary.
fn open(format: &str, formats_dir: &Path) -> Result<Format, Failure> {
    let dir = folder(format, formats_dir);
    let opened = match example::example(format).filter(|_| !dir.exists()) {
        Some(text) => Format::compile(format, text),
        None => Format::open(&dir),
    };
    opened.map_err(|problems| unopened(&problems))
}

/// A folder that is not there is no fault of a format.
fn unopened(problems: &Problems) -> Failure {
    let unreadable = |problem: &Problem| problem.line == 0 && problem.what.starts_with("cannot be");
    if problems.list.iter().any(unreadable) {
        Failure::Unable(problems.to_string())
    } else {
        Failure::Wrong(problems.to_string())
    }
}

fn check(
    formats: &[String],
    formats_dir: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let folders = if formats.is_empty() {
        all(formats_dir)?
    } else {
        formats.iter().map(|format| folder(format, formats_dir)).collect()
    };
    let mut wrong = 0;
    let mut unable = false;
    for dir in &folders {
        match Format::load(dir) {
            Ok(format) => {
                let messages = format.kinds().count();
                writeln!(out, "{}: {messages} messages, all samples hold", dir.display())?;
            }
            Err(problems) => {
                writeln!(err, "{problems}")?;
                wrong += 1;
                unable |= matches!(unopened(&problems), Failure::Unable(_));
            }
        }
    }
    let told = format!("{wrong} of {} formats are wrong", folders.len());
    match (wrong, unable) {
        (0, _) => Ok(()),
        (_, false) => Err(Failure::Wrong(told)),
        (_, true) => Err(Failure::Unable(told)),
    }
}

fn all(formats_dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unable = |error: &dyn std::fmt::Display| {
        Failure::Unable(format!("{}: {error}", formats_dir.display()))
    };
    let entries = std::fs::read_dir(formats_dir).map_err(|error| unable(&error))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    if folders.is_empty() { Err(unable(&"no formats here")) } else { Ok(folders) }
}

fn encode(
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
    let parts = parts.map_err(|error| Failure::Wrong(error.to_string()))?;
    match (into, parts.as_slice()) {
        (None, [part]) => Ok(out.write_all(&part.bytes)?),
        (None, _) => Err(Failure::Unable("a message of several parts needs --out DIR".to_owned())),
        (Some(dir), parts) => {
            let unmade = |error| Failure::Unable(format!("{}: {error}", dir.display()));
            std::fs::create_dir_all(dir).map_err(unmade)?;
            for part in parts {
                let name = if part.name.is_empty() { "message.xml" } else { &part.name };
                let path = dir.join(name);
                // Never over a file that is there: it may be on its way.
                let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
                let written = file.and_then(|mut file| file.write_all(&part.bytes));
                let told = |error| Failure::Unable(format!("{}: {error}", path.display()));
                written.map_err(told)?;
                writeln!(out, "{}", path.display())?;
            }
            Ok(())
        }
    }
}

fn parts(format: &Format, message: MessageKind, files: &[PathBuf]) -> Result<Vec<Part>, Failure> {
    files.iter().map(|path| sample::part(format, message, path).map_err(Failure::Unable)).collect()
}

fn decode(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let parts = parts(format, message, files)?;
    let wrong = |error: crate::format::DataError| Failure::Wrong(error.to_string());
    let mut reading = format.read(message, &parts).map_err(wrong)?;
    let mut bad = 0;
    while let Some(piece) = reading.next_piece().map_err(wrong)? {
        match piece.fault {
            None => writeln!(out, "{}", sample::json_line(format, piece.name, piece.record))?,
            Some(error) => {
                bad += 1;
                writeln!(err, "{error}")?;
            }
        }
    }
    if bad > 0 {
        return Err(Failure::Wrong(format!("{bad} rows cannot be read")));
    }
    Ok(())
}

fn roundtrip(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let kept = parts(format, message, files)?;
    let values = Values::read(format, message, &kept);
    let values = values.map_err(|error| Failure::Wrong(error.to_string()))?;
    let written = values.write(format, message);
    let written = written.map_err(|error| Failure::Wrong(error.to_string()))?;
    for part in &written {
        let Some(kept) = kept.iter().find(|kept| kept.role == part.role) else { continue };
        if kept.bytes != part.bytes {
            return Err(Failure::Wrong(difference(format, message, kept, part)));
        }
        writeln!(out, "{} part: {} bytes, the same", part.role, part.bytes.len())?;
    }
    Ok(())
}

/// The first byte that differs, in its field, with a caret under it.
fn difference(format: &Format, message: MessageKind, kept: &Part, written: &Part) -> String {
    let same = kept.bytes.iter().zip(&written.bytes).take_while(|(a, b)| a == b).count();
    let place = format.place_of(message, kept, same);
    let from = place.start.min(same);
    let to = place.end.max(same + 1).min(from + 64);
    let line = |bytes: &[u8]| -> String {
        bytes
            .get(from..to.min(bytes.len()))
            .unwrap_or_default()
            .iter()
            .map(|b| printed(*b))
            .collect()
    };
    let before: usize = kept.bytes.get(from..same).unwrap_or_default().len();
    format!(
        "{} part differs at byte {same}: record {}, field {}\n  read    {}\n  written {}\n          {}^",
        kept.role,
        place.record,
        place.field,
        line(&kept.bytes),
        line(&written.bytes),
        " ".repeat(before),
    )
}

/// One sign for each byte, so that the caret stands under it.
const fn printed(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte as char,
        0x80.. => '▒',
        _ => '·',
    }
}
