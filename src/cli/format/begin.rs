//! `daifa format new`.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::format::Failure;
use crate::format::example;

const DESCRIPTION: &str = "format.toml";

/// Copies an example under a name of its own. Nothing that is there is written over.
pub(super) fn run(
    name: &str,
    from: &str,
    formats_dir: &Path,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(named) {
        let told = "NAME: expected small letters, digits and hyphens, like city-bank-2026";
        return Err(Failure::Unable(told.to_owned()));
    }
    let into = formats_dir.join(name);
    let told = |error: io::Error| Failure::Unable(format!("{}: {error}", into.display()));
    let files = files(from, formats_dir).map_err(told)?;
    if files.iter().all(|(path, _)| path != Path::new(DESCRIPTION)) {
        let known: Vec<&str> = example::names().collect();
        let known = known.join(", ");
        let text = format!("--from: there is no example {from:?}; the binary has {known}");
        return Err(Failure::Unable(text));
    }
    std::fs::create_dir_all(formats_dir).map_err(told)?;
    std::fs::create_dir(&into).map_err(told)?;
    let count = files.len();
    for (path, bytes) in files {
        let bytes =
            if path == Path::new(DESCRIPTION) { renamed(name, from, &bytes) } else { bytes };
        let path = into.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(&bytes)).map_err(told)?;
    }
    let path = into.join(DESCRIPTION);
    writeln!(out, "{}: {count} files, copied from {from}", into.display())?;
    writeln!(out, "Next:")?;
    writeln!(out, "  1. Edit {} until it says what the bank's document says.", path.display())?;
    writeln!(
        out,
        "  2. Make the samples anew: values.jsonl is what you mean, the files beside it"
    )?;
    writeln!(out, "     are what the bank sends or wants; `daifa format encode` writes them.")?;
    writeln!(out, "  3. daifa format check {name}")?;
    writeln!(out, "  4. daifa format explain {name} prints the tables for the bank to sign.")?;
    Ok(())
}

type Files = Vec<(PathBuf, Cow<'static, [u8]>)>;

/// The files of an example: out of the folder of formats, or out of the binary.
fn files(from: &str, formats_dir: &Path) -> io::Result<Files> {
    let dir = formats_dir.join(from);
    if !dir.join(DESCRIPTION).is_file() {
        let files = example::files(from);
        return Ok(files.map(|(path, b)| (PathBuf::from(path), Cow::Borrowed(b))).collect());
    }
    let mut files = Vec::new();
    let mut folders = vec![dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(inside) = path.strip_prefix(&dir) {
                files.push((inside.to_owned(), Cow::Owned(std::fs::read(&path)?)));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The description with another title, status and source; all else is as it was.
fn renamed(name: &str, from: &str, bytes: &[u8]) -> Cow<'static, [u8]> {
    let text = String::from_utf8_lossy(bytes);
    let mut in_head = true;
    let lines = text.split_inclusive('\n').map(|line| {
        in_head &= !line.starts_with('[');
        let key = line.split('=').next().unwrap_or_default().trim();
        Cow::Owned(match key {
            "title" if in_head => format!("title = \"{name}\"\n"),
            "status" if in_head => "status = \"bank\"\n".to_owned(),
            "source" if in_head => format!(
                "source = \"Begun from {from}; name the bank's document, version and date\"\n"
            ),
            _ => return Cow::Borrowed(line),
        })
    });
    let changed: String = lines.collect();
    Cow::Owned(changed.into_bytes())
}
