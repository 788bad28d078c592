//! The rooms of the daemon that read what others send, and the readers that are tried on them.

// What only other rooms use is not missed here, and lints are the daemon's own business.
#![allow(dead_code, unused, unfulfilled_lint_expectations)]

extern crate self as daifa;

#[path = "../../../src/clock.rs"]
pub mod clock;
#[path = "../../../src/finance/mod.rs"]
pub mod finance;
#[path = "../../../src/format/mod.rs"]
pub mod format;
#[path = "../../../src/guard/mod.rs"]
pub mod guard;
#[path = "../../../src/model/mod.rs"]
pub mod model;

#[path = "../dice.rs"]
pub mod dice;
#[path = "../layouts.rs"]
pub mod layouts;
#[path = "../readers.rs"]
pub mod readers;

/// Where a fuzzer is told to look for its seeds; a folder for each reader stands in it.
const SEEDS: &str = "DAIFA_FUZZ_SEEDS";

/// Writes what a reader begins from to where a fuzzer looks for it, if one says where.
///
/// # Errors
/// The folder cannot be written.
pub fn write_seeds(name: &str) -> std::io::Result<()> {
    let Some(folder) = std::env::var_os(SEEDS) else { return Ok(()) };
    let folder = std::path::Path::new(&folder).join(name);
    std::fs::create_dir_all(&folder)?;
    for (at, seed) in (readers::reader(name).seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{at:03}")), seed)?;
    }
    Ok(())
}
