//! The table of rooms: who may import whom, and what never.

use std::collections::BTreeSet;

use crate::code::Code;

pub struct Room {
    pub name: &'static str,
    /// Rooms before it that it must not import all the same, and crates; with where that belongs.
    never: &'static [(&'static str, &'static str)],
}

const fn room(name: &'static str, never: &'static [(&'static str, &'static str)]) -> Room {
    Room { name, never }
}

const PURE: &str = "what has effects belongs behind a door, in store or in flow";
const DOOR: &str = "a door hands bytes over and knows nothing else; reading them belongs in flow";
const FACTS: &str = "store keeps facts; what comes in and goes out is brought together in flow";
const STEPS: &str =
    "a step talks to traits; concrete doors are named in app.rs, SQL is written in store";
const PRACTICE: &str = "a counterpart judges us by its own book, so it must not share ours";

/// In the order in which they may import: a room imports rooms before it.
pub const ROOMS: &[Room] = &[
    room("model", &[("tokio", PURE), ("serde", PURE), ("async_trait", PURE)]),
    room("clock", &[]),
    room("seats", &[]),
    room("guard", &[("clock", PURE), ("tokio", PURE)]),
    room("format", &[("clock", "a moment is handed in by flow/values.rs"), ("tokio", PURE)]),
    room("finance", &[("format", DOOR)]),
    room("transport", &[("format", DOOR), ("finance", "doors do not know each other; see flow")]),
    room("store", &[("finance", FACTS), ("transport", FACTS), ("format", FACTS)]),
    room(
        "flow",
        &[
            ("finance::http", STEPS),
            ("transport::directory", STEPS),
            ("transport::https", STEPS),
            ("transport::sftp", STEPS),
            ("transport::socket", STEPS),
            ("reqwest", STEPS),
        ],
    ),
    room(
        "engine",
        &[
            ("finance", "the engine only wakes steps; a step opens doors"),
            ("transport", "the engine only wakes steps; a step opens doors"),
            ("format", "the engine only wakes steps; formats are flow's"),
            ("model::money", "the engine knows nothing of money; flow does"),
        ],
    ),
    room("sandbox", &[("store", PRACTICE), ("flow", PRACTICE), ("engine", PRACTICE)]),
    room(
        "web",
        &[
            ("finance", "pages show facts; they come from store::view"),
            ("transport", "pages show facts; they come from store::view"),
            ("format", "what a code means is kept with the outcome, in store"),
            ("sandbox", "pages do not know that somebody practises; see cli"),
        ],
    ),
    room("config", &[]),
    room("telemetry", &[]),
    room("lifecycle", &[]),
    room("app", &[]),
    room("cli", &[]),
    room("main", &[]),
];

/// Crates that only some rooms may name.
const CRATES: &[(&str, &[&str], &str)] = &[
    ("sqlx", &["store"], "SQL is written in store"),
    ("rusqlite", &["store"], "SQL is written in store"),
    ("ring", &["guard", "sandbox"], "keys, digests and randomness belong in guard"),
    ("axum", &["web", "sandbox", "lifecycle"], "what is served belongs in web"),
    (
        "quick_xml",
        &[],
        "documents are read and written by src/format/xml; tests hold it against this crate",
    ),
    ("encoding_rs", &["format", "sandbox"], "character sets belong in format"),
    ("russh", &["transport"], "a bank's server is met by transport::sftp"),
    ("russh_sftp", &["transport"], "a bank's server is met by transport::sftp"),
    (
        "reqwest",
        &["finance", "transport", "sandbox", "app", "cli"],
        "finance and transport are the doors",
    ),
];

fn order(name: &str) -> Option<usize> {
    ROOMS.iter().position(|room| room.name == name)
}

/// The room that a file belongs to.
fn room_of(code: &Code) -> Option<&'static Room> {
    let name = code.path.components().nth(1)?.as_os_str().to_string_lossy().into_owned();
    ROOMS.iter().find(|room| room.name == name.trim_end_matches(".rs"))
}

/// What is wrong with the imports of a file. Tests of a room may look anywhere.
pub fn imports(code: &Code) -> Vec<String> {
    let Some(room) = room_of(code) else { return Vec::new() };
    let mut found = Vec::new();
    for (line, text) in code.lines() {
        let place = code.place(line);
        for path in paths(text) {
            let target = path.split("::").next().unwrap_or_default();
            let Some(there) = order(target) else { continue };
            if Some(there) > order(room.name) {
                found.push(format!(
                    "{place}: {} must not import {target}, which comes after it; what both need \
                     belongs in {target} or in a room before {}",
                    room.name, room.name
                ));
            }
            for (never, belongs) in room.never {
                if path == *never || path.starts_with(&format!("{never}::")) {
                    found
                        .push(format!("{place}: {} must not import {never}: {belongs}", room.name));
                }
            }
        }
        for name in crates(text) {
            for (never, belongs) in room.never {
                if name == *never {
                    found.push(format!("{place}: {} must not use {never}: {belongs}", room.name));
                }
            }
            for (only, rooms, belongs) in CRATES {
                if name == *only && !rooms.contains(&room.name) {
                    found.push(format!("{place}: {} must not use {only}: {belongs}", room.name));
                }
            }
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths below `crate::` that a line names, `store::sql::Work`; of a group, each one.
fn paths(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    // What the library is called from main.rs and from outside.
    for root in ["crate::", "daifa::"] {
        let mut before = ' ';
        let mut rest = line;
        while let Some((head, tail)) = rest.split_once(root) {
            before = head.chars().next_back().unwrap_or(before);
            rest = tail;
            if is_word(before) {
                continue;
            }
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(members(group));
            } else {
                let end = rest.find(|c| !is_word(c) && c != ':').unwrap_or(rest.len());
                let (path, after) = rest.split_at(end);
                let path = path.trim_end_matches(':');
                match after.strip_prefix('{') {
                    Some(group) => {
                        let inner = members(group);
                        found.extend(inner.into_iter().map(|name| format!("{path}::{name}")));
                    }
                    None => found.push(path.to_owned()),
                }
            }
        }
    }
    found
}

/// The first words of the members of a group, up to its end or the line's.
fn members(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut found = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(String::new()),
            c if depth == 0 && !c.is_whitespace() => {
                found.last_mut().expect("one at least").push(c);
            }
            _ => {}
        }
    }
    found.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The crates that a line names by `use NAME` or `NAME::`.
fn crates(line: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let words: Vec<&str> =
        line.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).collect();
    for word in words {
        let path = format!("{word}::");
        let starts = line
            .match_indices(&path)
            .any(|(at, _)| !line.split_at(at).0.ends_with(|c| is_word(c) || c == ':'));
        if starts || line.trim_start().starts_with(&format!("use {word}")) {
            found.insert(word.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[track_caller]
    fn caught(path: &str, line: &str, words: &str) {
        let found = imports(&Code::new(Path::new(path), line));
        assert!(found.iter().any(|found| found.contains(words)), "{path}: {line}: {found:?}");
    }

    #[track_caller]
    fn fine(path: &str, line: &str) {
        assert_eq!(imports(&Code::new(Path::new(path), line)), Vec::<String>::new());
    }

    #[test]
    fn what_the_table_forbids_is_caught() {
        caught("src/model/money.rs", "use crate::store::Store;", "store, which comes after it");
        caught("src/model/money.rs", "    crate::clock::local_day(0)", "src/model/money.rs:1");
        caught("src/format/mod.rs", "use crate::{model::id, clock::Clock};", "handed in by flow");
        caught("src/store/cut.rs", "use crate::finance::Line;", "brought together in flow");
        caught("src/store/cut.rs", "pub use crate::flow::{sealed};", "flow, which comes after it");
        caught(
            "src/flow/submit.rs",
            "use crate::transport::{Sent, https::Https};",
            "named in app.rs",
        );
        caught(
            "src/flow/submit.rs",
            "use crate::transport::directory::Directory;",
            "named in app.rs",
        );
        caught("src/flow/submit.rs", "    let c = reqwest::Client::new();", "concrete doors");
        caught("src/flow/submit.rs", "use sqlx::Row as _;", "SQL is written in store");
        caught("src/web/front.rs", "use rusqlite::Connection;", "SQL is written in store");
        caught("src/sandbox/bank.rs", "use crate::store::Store;", "its own book");
        caught("src/engine.rs", "use crate::model::money::Fen;", "nothing of money");
        caught("src/model/id.rs", "use serde::Serialize;", "effects");
        caught("src/web/front.rs", "use ring::digest;", "belong in guard");
    }

    #[test]
    fn what_the_table_allows_is_fine() {
        fine("src/store/cut.rs", "use crate::model::{id::BatchNo, money::Fen};");
        fine("src/flow/submit.rs", "use crate::transport::{OutPart, Sent};");
        fine("src/web/front.rs", "use crate::flow::sealed::open_person;");
        fine("src/model/money.rs", "// use crate::store::Store;");
        fine("src/model/money.rs", "let text = \"crate::store\";");
        fine("src/store/sql.rs", "use sqlx::Row as _;");
        fine("src/lib.rs", "pub mod store;");
        fine("src/main.rs", "    daifa::cli::main()");
        fine(
            "src/transport/mod.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n use crate::sandbox::x;",
        );
    }
}
