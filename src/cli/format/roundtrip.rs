//! `daifa format roundtrip`.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::format::Failure;
use crate::format::sample::{self, Values};
use crate::format::{DataError, Format, MessageKind, Part};

/// How many bytes of a field are shown at most.
const SHOWN_MAX: usize = 64;

pub(super) fn run(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Where a message is one file, several files are several messages.
    let parts = format.parts(message).count();
    let size = if parts > 1 { files.len() } else { 1 };
    for files in files.chunks(size) {
        let kept: Result<Vec<Part>, String> =
            files.iter().map(|path| sample::part(format, message, path)).collect();
        one(format, message, &kept.map_err(Failure::Unable)?, files, out)?;
    }
    Ok(())
}

/// One message of all these parts.
fn one(
    format: &Format,
    message: MessageKind,
    kept: &[Part],
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let wrong = |error: DataError| Failure::Wrong(format!("{}: {error}", names.join(", ")));
    let values = Values::read(format, message, kept).map_err(wrong)?;
    let written = values.write(format, message).map_err(wrong)?;
    for part in &written {
        let mut pairs = kept.iter().zip(&names);
        let Some((kept, name)) = pairs.find(|(kept, _)| kept.role == part.role) else { continue };
        if kept.bytes != part.bytes {
            let told = difference(format, message, kept, part);
            return Err(Failure::Wrong(format!("{name}: {told}")));
        }
        writeln!(out, "{name}: {} part, {} bytes, the same", part.role, part.bytes.len())?;
    }
    Ok(())
}

/// The first byte that differs, in its field, with a caret under it.
fn difference(format: &Format, message: MessageKind, kept: &Part, written: &Part) -> String {
    let same = kept.bytes.iter().zip(&written.bytes).take_while(|(a, b)| a == b).count();
    let place = format.place_of(message, kept, same);
    let from = place.start.min(same).max(same.saturating_sub(SHOWN_MAX / 2));
    let to = place.end.max(same + 1).min(from + SHOWN_MAX);
    let line = |bytes: &[u8]| -> String {
        let shown = bytes.get(from..to.min(bytes.len())).unwrap_or_default();
        shown.iter().map(|byte| printed(*byte)).collect()
    };
    let record = match place.record {
        0 => String::new(),
        record => format!("record {record}, "),
    };
    format!(
        "the {} part differs at byte {same}: {record}field {}\n  read    {}\n  written {}\n          {}^",
        kept.role,
        place.field,
        line(&kept.bytes),
        line(&written.bytes),
        " ".repeat(same - from),
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
