//! `daifa format list`.

use std::io::Write;
use std::path::Path;

use crate::cli::counted;
use crate::cli::format::{Failure, folders};
use crate::format::{Format, MessageKind, Problems, example};

/// Lists what is in the folder, and the examples that are in the binary alone.
pub(super) fn run(
    formats_dir: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let mut wrong = 0;
    let mut listed: Vec<String> = Vec::new();
    if formats_dir.is_dir() {
        for dir in folders(formats_dir)? {
            listed.extend(dir.file_name().map(|name| name.to_string_lossy().into_owned()));
            wrong += usize::from(!tell(Format::open(&dir), "", out, err)?);
        }
    }
    for name in example::names().filter(|name| listed.iter().all(|listed| listed != name)) {
        let text = example::example(name).unwrap_or_default();
        wrong += usize::from(!tell(Format::compile(name, text), " (in the binary)", out, err)?);
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::Wrong(format!("{} wrong", counted(wrong, "format")))),
    }
}

/// Tells of one format; false where it is wrong.
fn tell(
    format: Result<Format, Problems>,
    place: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<bool, Failure> {
    let format = match format {
        Ok(format) => format,
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(false);
        }
    };
    let about = format.about();
    let status = if about.is_example { "example" } else { "bank" };
    let messages: Vec<&str> = format.kinds().map(MessageKind::as_str).collect();
    writeln!(out, "{}  [{status}]{place}", format.name())?;
    writeln!(out, "    {}", about.title)?;
    writeln!(out, "    {}", messages.join(", "))?;
    Ok(true)
}
