//! Writes what each reader begins from into `<folder>/<reader>/`: `seeds FOLDER`.

use std::path::PathBuf;

use daifa::readers::READERS;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("usage: seeds FOLDER"));
    };
    for reader in READERS {
        let folder = folder.join(reader.name);
        std::fs::create_dir_all(&folder)?;
        for (at, seed) in (reader.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{at:03}")), seed)?;
        }
    }
    Ok(())
}
