//! `daifa format check`.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::counted;
use crate::cli::format::{Failure, folder, folders, unopened};
use crate::format::{Format, example};

pub(super) fn run(
    formats: &[String],
    formats_dir: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let folders: Vec<PathBuf> = if formats.is_empty() {
        folders(formats_dir)?
    } else {
        formats.iter().map(|format| folder(format, formats_dir)).collect()
    };
    if folders.is_empty() {
        return Err(Failure::Unable(format!("{}: no formats here", formats_dir.display())));
    }
    let (mut wrong, mut problems_in_all) = (0, 0);
    let mut unable = false;
    for dir in &folders {
        // What is in the binary alone has its samples beside the source, where they are run with its tests.
        let name =
            dir.to_str().and_then(|name| name.strip_prefix(&format!("{}/", formats_dir.display())));
        if let Some((name, text)) = name.and_then(|name| Some((name, example::example(name)?)))
            && !dir.exists()
            && let Ok(format) = Format::compile(name, text)
        {
            let messages = counted(format.kinds().count(), "message");
            writeln!(
                out,
                "{name} (in the binary): {messages}; `daifa format new` copies its samples too"
            )?;
            continue;
        }
        match Format::load(dir) {
            Ok(format) => {
                let messages = counted(format.kinds().count(), "message");
                writeln!(out, "{}: {messages}, all samples hold", dir.display())?;
            }
            Err(problems) => {
                writeln!(err, "{problems}")?;
                wrong += 1;
                problems_in_all += problems.list.len();
                unable |= matches!(unopened(&problems), Failure::Unable(_));
            }
        }
    }
    let told = format!(
        "{}; {wrong} of {} wrong",
        counted(problems_in_all, "problem"),
        counted(folders.len(), "format")
    );
    match (wrong, unable) {
        (0, _) => Ok(()),
        (_, false) => Err(Failure::Wrong(told)),
        (_, true) => Err(Failure::Unable(told)),
    }
}
