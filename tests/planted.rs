//! Planted bugs: for every rule there is a test that fails when the rule is broken, and that is seen
//! here rather than believed. `planted.toml` says how each is broken. Every run holds it to the code;
//! a long one (`tests/run --long`) plants each bug in a copy of the project and runs its tests there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    bug: Vec<Bug>,
}

/// One way to break a rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    rule: String,
    breaks: String,
    file: String,
    from: String,
    to: String,
    tests: Vec<String>,
}

/// What has to have a planted bug: the rules of the main job.
const RULES: &[&str] = &[
    "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10", "I11", "I12", "I13", "I15", "I16",
    "I18", "I20", "I21", "I22", "I23", "I25", "I27", "F61", "F62", "F63",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn planted() -> Vec<Bug> {
    let text = fs::read_to_string(root().join("tests/planted.toml")).expect("tests/planted.toml");
    toml::from_str::<Planted>(&text).expect("tests/planted.toml is as it should be").bug
}

impl Bug {
    /// A test of its list: which binary, and what is in the names of the tests.
    fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tests.iter().map(|test| test.split_once(' ').expect("BINARY FILTER"))
    }

    fn name(&self) -> String {
        format!("{}: {}", self.rule, self.breaks)
    }
}

/// The text of everything below a folder or in a file.
fn sources(path: &Path) -> String {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        return entries.map(|entry| sources(&entry.expect("an entry").path())).collect();
    }
    match path.extension() {
        Some(rs) if rs == "rs" => fs::read_to_string(path).expect("is read"),
        _ => String::new(),
    }
}

/// The sources of a test binary.
fn tests_of(binary: &str) -> String {
    if binary == "lib" {
        return sources(&root().join("src"));
    }
    let tests = root().join("tests");
    let folder = tests.join(binary);
    let below = if folder.is_dir() { sources(&folder) } else { String::new() };
    sources(&tests.join(format!("{binary}.rs"))) + &below
}

#[test]
fn every_rule_has_a_planted_bug_that_stands_where_it_is_said_to() {
    let bugs = planted();
    for bug in &bugs {
        let text = fs::read_to_string(root().join(&bug.file)).unwrap_or_default();
        assert_eq!(
            text.matches(&bug.from).count(),
            1,
            "{}: {} has the text to change once; say there how the rule is broken now",
            bug.name(),
            bug.file
        );
        assert_ne!(bug.from, bug.to, "{} changes nothing", bug.name());
        assert!(!bug.tests.is_empty(), "{} is found by no test", bug.name());
        for (binary, filter) in bug.filters() {
            let named = format!("fn {filter}");
            let has = tests_of(binary).contains(&named);
            assert!(has, "{}: {binary} has no test {filter}", bug.name());
        }
    }
    let rules: BTreeSet<&str> = bugs.iter().map(|bug| bug.rule.as_str()).collect();
    for rule in RULES {
        assert!(rules.contains(rule), "{rule} has no planted bug");
    }
}

/// Copies what a build reads.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).expect("is copied");
        return;
    }
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        if name != "target" && name != ".git" {
            copy(&from.join(&name), &to.join(&name));
        }
    }
}

/// Runs the tests of a bug, and says which failed; or why none was run.
fn failing(copy: &Path, binary: &str, filter: &str) -> Result<Vec<String>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(copy).args(["test", "--locked", "--no-fail-fast"]);
    match binary {
        "lib" => cargo.arg("--lib"),
        _ => cargo.args(["--test", binary]),
    };
    cargo
        .arg(filter)
        .env("CARGO_TARGET_DIR", copy.with_file_name("build"))
        .env_remove("DAIFA_TEST_LONG");
    let output = cargo.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains("test result: ") {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let name = |line: &str| {
        let line = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(line.to_owned())
    };
    Ok(said.lines().filter_map(name).collect())
}

/// With `DAIFA_PLANT=RULE` only the bugs of that rule.
#[test]
fn every_planted_bug_is_found_by_one_of_its_tests() {
    if std::env::var_os("DAIFA_TEST_LONG").is_none() {
        println!("bugs are planted in a long run: tests/run --long");
        return;
    }
    let only = std::env::var_os("DAIFA_PLANT");
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("planted");
    let tree = home.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).expect("the last copy goes");
    }
    copy(&root(), &tree);
    let mut missed = Vec::new();
    for bug in planted().iter().filter(|bug| only.as_ref().is_none_or(|only| *only == *bug.rule)) {
        let path = tree.join(&bug.file);
        let text = fs::read_to_string(&path).expect("is read");
        fs::write(&path, text.replacen(&bug.from, &bug.to, 1)).expect("is planted");
        let mut found = false;
        for (binary, filter) in bug.filters() {
            match failing(&tree, binary, filter) {
                Ok(failed) => {
                    println!("{}: {binary} {filter}: {failed:?}", bug.name());
                    found |= !failed.is_empty();
                }
                Err(why) => missed.push(format!("{}: cannot be planted: {why}", bug.name())),
            }
            if found {
                break;
            }
        }
        if !found {
            missed.push(format!("{}: nobody noticed", bug.name()));
        }
        fs::write(&path, text).expect("is taken out");
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
