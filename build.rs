//! Lists the example formats, so that the binary carries all of them with their samples: the demo
//! needs no folder, and `daifa format new` copies from nothing.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

const FORMATS: &str = "bank-formats";

fn main() -> io::Result<()> {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    // The package of the fuzzer stands in a folder below, and has the same formats.
    let root = here.ancestors().find(|folder| folder.join(FORMATS).is_dir());
    let root = root.ok_or_else(|| io::Error::other("there is no folder of formats"))?;
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root.join(FORMATS))? {
        let path = entry?.path();
        // What a bank keeps here for itself is not for everybody.
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if path.is_dir() && name.is_some_and(|name| name.starts_with("example-")) {
            files(&path, &mut paths)?;
        }
    }
    paths.sort();
    let mut list = String::from("[\n");
    for path in &paths {
        let name = path.strip_prefix(root.join(FORMATS)).unwrap_or(path).to_string_lossy();
        let written =
            writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
        written.map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("examples.rs"), list)?;
    println!("cargo::rerun-if-changed={}", root.join(FORMATS).display());
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// All files below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, into)? } else { into.push(path) }
    }
    Ok(())
}
