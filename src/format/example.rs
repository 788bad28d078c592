//! The example formats, carried in the binary so that the demo works with nothing installed and a
//! new format can be begun from one of them. `build.rs` lists what `bank-formats/` holds.

/// The description of a format.
const DESCRIPTION: &str = "format.toml";

/// Every file of every example, by its path below `bank-formats/`, in the order of paths.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The description of an example format.
pub fn example(name: &str) -> Option<&'static str> {
    let (_, bytes) = files(name).find(|(path, _)| *path == DESCRIPTION)?;
    std::str::from_utf8(bytes).ok()
}

/// All files of an example format with their paths in its folder.
pub fn files(name: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, bytes)| {
        let (folder, path) = path.split_once('/')?;
        (folder == name).then_some((path, *bytes))
    })
}

/// The names of the example formats.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().filter_map(|(path, _)| path.strip_suffix(DESCRIPTION)?.strip_suffix('/'))
}
