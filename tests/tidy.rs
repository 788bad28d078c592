//! What keeps the house one-way and readable, where the compiler and clippy cannot: the table of rooms
//! and their imports, the length of functions and files, files that nobody reaches, and what may
//! stand at the top level. Each rule is shown a bad snippet first (`tidy/rules.rs`).

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/rules.rs"]
mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use code::Code;

/// All entries that may stand beside each other at the top level.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".git",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "README.zh-CN.md",
    "askama.toml",
    "bank-formats",
    "benches",
    "build.rs",
    "clippy.toml",
    "deny.toml",
    "migrations",
    "rustfmt.toml",
    "src",
    "systemd",
    "target",
    "tests",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, as paths below the root.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder") {
            let path = folder.join(entry.expect("an entry").file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Code {
    let text = std::fs::read_to_string(root().join(path)).expect("is read");
    Code::new(path, &text)
}

/// Fails with everything that a rule found in these files.
#[track_caller]
fn holds(files: &[PathBuf], rule: impl Fn(&Code) -> Vec<String>) {
    assert!(!files.is_empty(), "there is nothing to look at");
    let found: Vec<String> = files.iter().flat_map(|path| rule(&read(path))).collect();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[test]
fn rooms_import_only_rooms_before_them() {
    holds(&rust_files("src"), rooms::imports);
}

#[test]
fn every_room_is_in_the_table() {
    let mut rooms = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("src")).expect("src") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        rooms.insert(name.trim_end_matches(".rs").to_owned());
    }
    rooms.remove("lib");
    let table: BTreeSet<_> = rooms::ROOMS.iter().map(|room| room.name.to_owned()).collect();
    assert_eq!(rooms, table, "a room is a line of design and of rooms.rs");
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    let files = [rust_files("src"), rust_files("tests")].concat();
    holds(&files, rules::unfinished);
}

#[test]
fn functions_fit_a_screen() {
    holds(&rust_files("src"), rules::long_functions);
}

#[test]
fn files_stay_readable() {
    holds(&rust_files("src"), rules::long_files);
}

#[test]
fn names_are_nouns_of_the_field() {
    let files = [rust_files("src"), rust_files("tests")].concat();
    holds(&files, rules::pattern_names);
}

#[test]
fn what_other_rooms_call_says_what_it_does() {
    holds(&rust_files("src"), rules::undocumented);
}

#[test]
fn every_file_is_reached() {
    for start in ["src/lib.rs", "src/main.rs"] {
        assert!(root().join(start).is_file(), "{start}");
    }
    let files: BTreeSet<PathBuf> = rust_files("src").into_iter().collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![PathBuf::from("src/lib.rs"), PathBuf::from("src/main.rs")];
    while let Some(path) = open.pop() {
        if reached.insert(path.clone()) {
            let code = read(&path);
            open.extend(rules::modules(&code).into_iter().filter(|path| files.contains(path)));
        }
    }
    let dead: Vec<_> = files.difference(&reached).collect();
    assert!(dead.is_empty(), "no `mod` leads to these; name them or remove them: {dead:?}");
}

#[test]
fn the_top_level_stands_as_named() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root()).expect("the root") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if !TOP.contains(&name.as_str()) {
            found.push(name);
        }
    }
    assert!(
        found.is_empty(),
        "not at the top level: {found:?}; put them into a folder that is there"
    );
}

#[test]
fn i22_an_overflow_stops_the_released_binary_and_no_float_touches_money() {
    let text = read(Path::new("Cargo.toml")).raw;
    let manifest: toml::Table = text.parse().expect("Cargo.toml reads");
    let setting = |path: &[&str]| {
        let (last, tables) = path.split_last().expect("a name");
        let table = tables.iter().try_fold(&manifest, |table, name| table.get(*name)?.as_table());
        table.and_then(|table| table.get(*last)).cloned()
    };
    let on = |path: &[&str]| setting(path).and_then(|value| value.as_bool());
    assert_eq!(on(&["profile", "release", "overflow-checks"]), Some(true));
    // Development has it unless somebody takes it away.
    assert_ne!(on(&["profile", "dev", "overflow-checks"]), Some(false));
    let lint = |path: &[&str]| setting(path).and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!(lint(&["lints", "clippy", "float_arithmetic"]).as_deref(), Some("deny"));
    // A lint that is allowed where it bites is no lint.
    for path in rust_files("src") {
        let allowed = read(&path)
            .bare
            .lines()
            .any(|line| line.contains("float_arithmetic") && !path.starts_with("src/cli"));
        assert!(!allowed, "{}: money is whole fen", path.display());
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(root().join("migrations").join(folder)).expect("a folder");
        entries
            .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
            .collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres, "a migration is written for both");
    let list = read(Path::new("src/store/migrations.rs")).raw;
    for name in sqlite {
        for folder in ["sqlite", "postgres"] {
            let path = format!("migrations/{folder}/{name}");
            assert!(list.contains(&path), "{path} is not in src/store/migrations.rs");
        }
    }
}

/// The fuzzer is a package of its own, which nothing builds but `tests/run --long`: what the rooms in it
/// came to need would be missed for weeks.
#[test]
fn the_fuzzer_has_what_its_rooms_use() {
    let dependencies = |path: &str| -> BTreeSet<String> {
        let manifest: toml::Table = read(Path::new(path)).raw.parse().expect("it reads");
        let table = manifest.get("dependencies").and_then(toml::Value::as_table);
        // As code calls them: one package has another name than its library.
        let called = |name: &String| name.replace("md-5", "md5").replace('-', "_");
        table.expect("dependencies").keys().map(called).collect()
    };
    let (all, here) = (dependencies("Cargo.toml"), dependencies("tests/fuzz/Cargo.toml"));
    let rooms = ["src/clock.rs", "src/finance", "src/format", "src/guard", "src/model"];
    let files = rust_files("src").into_iter();
    for path in files.filter(|path| rooms.iter().any(|room| path.starts_with(room))) {
        let code = read(&path);
        for name in all.difference(&here) {
            let path_of_it = format!("{name}::");
            let used = code.lines().any(|(_, line)| {
                line.match_indices(&path_of_it).any(|(at, _)| {
                    let before = line.get(..at).unwrap_or_default();
                    !before.ends_with(|sign: char| sign.is_alphanumeric() || "_:".contains(sign))
                })
            });
            assert!(!used, "{}: {name} is not in tests/fuzz/Cargo.toml", path.display());
        }
    }
}
