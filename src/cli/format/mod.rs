//! `daifa format`: a bank's files and messages by hand. One file for each command.
//!
//! What these commands print is the content of files, personal data included: that is what they are
//! asked for. Errors never repeat any.

mod begin;
mod check;
mod convert;
mod list;
mod roundtrip;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::format::{Format, MessageKind, Problem, Problems, example};
use crate::guard::stated::MacKey;

#[derive(Debug, Subcommand)]
pub enum FormatCommand {
    /// List the formats: name, status, title, messages.
    List {
        #[command(flatten)]
        place: FormatsDir,
    },
    /// Check descriptions and run their samples; all of the folder where none is named.
    Check {
        /// Names in the folder of formats, or folders.
        #[arg(value_name = "NAME|DIR")]
        formats: Vec<String>,
        #[command(flatten)]
        place: FormatsDir,
    },
    /// Read a message into JSON lines with exact values, a record each, as they are read.
    Decode {
        #[command(flatten)]
        message: OfMessage,
        /// All files of the message, the control file too.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Tell the first byte of each record, and the bytes of each field.
        #[arg(long)]
        offsets: bool,
    },
    /// Write a message from JSON lines on standard input, a record each, as `decode` prints them.
    Encode {
        #[command(flatten)]
        message: OfMessage,
        /// Where the parts are written; a single part goes to standard output without it.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Read a message, write it again and compare every byte.
    Roundtrip {
        #[command(flatten)]
        message: OfMessage,
        /// The parts of one message; where a message has one part, each file is one.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print all fields of all messages as Markdown tables, for the bank to sign.
    Explain {
        /// A name in the folder of formats, or a folder.
        format: String,
        #[command(flatten)]
        place: FormatsDir,
    },
    /// Begin a format of your own with a copy of an example, samples included.
    New {
        /// What the new format is called: small letters, digits and hyphens.
        name: String,
        /// The example that is nearest; `list` names them.
        #[arg(long, value_name = "EXAMPLE")]
        from: String,
        #[command(flatten)]
        place: FormatsDir,
    },
}

/// Where formats are looked for.
#[derive(Debug, Args)]
pub struct FormatsDir {
    /// The folder of formats.
    #[arg(long, default_value = "bank-formats", value_name = "DIR")]
    pub formats_dir: PathBuf,
}

/// A message of a format.
#[derive(Debug, Args)]
pub struct OfMessage {
    /// A name in the folder of formats, or a folder.
    pub format: String,
    /// The kind of message, like `payment_request`.
    #[arg(value_parser = message_kind)]
    pub message: MessageKind,
    /// A key of the bank's for what the format calls by this name, in hexadecimal digits; without it the
    /// one that the format publishes for its samples.
    #[arg(long = "secret", value_name = "NAME=FILE")]
    pub secrets: Vec<String>,
    #[command(flatten)]
    pub place: FormatsDir,
}

impl OfMessage {
    fn open(&self) -> Result<Format, Failure> {
        let format = open(&self.format, &self.place.formats_dir)?.with_published_secrets();
        if format.has(self.message) {
            return self.unlocked(format);
        }
        let kinds: Vec<&str> = format.kinds().map(MessageKind::as_str).collect();
        let (kind, kinds) = (self.message, kinds.join(", "));
        Err(Failure::Unable(format!("{} has no {kind}; it has {kinds}", self.format)))
    }
}

impl OfMessage {
    /// The format with the keys that were named.
    fn unlocked(&self, format: Format) -> Result<Format, Failure> {
        let mut secrets = BTreeMap::clone(format.secrets());
        for given in &self.secrets {
            let named = given.split_once('=');
            let known = named.filter(|(name, _)| format.secret_names().any(|known| known == *name));
            let Some((name, file)) = known else {
                let names: Vec<&str> = format.secret_names().collect();
                let told = format!("--secret: expected NAME=FILE with one of {}", names.join(", "));
                return Err(Failure::Unable(told));
            };
            let unable = |cause: String| Failure::Unable(format!("{file}: {cause}"));
            let text = std::fs::read_to_string(file).map_err(|cause| unable(cause.to_string()))?;
            let key = MacKey::parse(&text).map_err(|cause| unable(cause.to_string()))?;
            format.key_fits(name, &key).map_err(unable)?;
            secrets.insert(name.to_owned(), key);
        }
        Ok(format.with_secrets(Arc::new(secrets)))
    }
}

/// Why a command ends without success.
enum Failure {
    /// The format or the data is wrong: exit code 1.
    Wrong(String),
    /// The command cannot do its work: exit code 2.
    Unable(String),
    /// Whoever reads the output stopped reading, as `| head` does: they have what they wanted.
    Closed,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
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
        FormatCommand::List { place } => list::run(&place.formats_dir, out, err),
        FormatCommand::Check { formats, place } => {
            check::run(&formats, &place.formats_dir, out, err)
        }
        FormatCommand::Decode { message, files, offsets } => {
            let of = message.message;
            let format = message.open();
            format.and_then(|format| convert::decode(&format, of, &files, offsets, out, err))
        }
        FormatCommand::Encode { message, out: into, .. } => {
            let of = message.message;
            let format = message.open();
            format.and_then(|format| convert::encode(&format, of, into.as_deref(), input, out))
        }
        FormatCommand::Roundtrip { message, files } => {
            let of = message.message;
            message.open().and_then(|format| roundtrip::run(&format, of, &files, out))
        }
        FormatCommand::Explain { format, place } => explain(&format, &place.formats_dir, out),
        FormatCommand::New { name, from, place } => {
            begin::run(&name, &from, &place.formats_dir, out)
        }
    };
    let (code, text) = match done {
        Ok(()) | Err(Failure::Closed) => return 0,
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

/// The folders in a folder of formats that hold a description.
fn folders(formats_dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unable = |error| Failure::Unable(format!("{}: {error}", formats_dir.display()));
    let entries = std::fs::read_dir(formats_dir).map_err(unable)?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    Ok(folders)
}

fn explain(format: &str, formats_dir: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let format = open(format, formats_dir)?;
    let text = format.explain().map_err(|error| Failure::Unable(error.to_string()))?;
    Ok(out.write_all(text.as_bytes())?)
}
