//! The other rules. Each one takes a file and says what it found, with its place.

use std::path::PathBuf;

use crate::code::Code;

const FUNCTION_LINES_MAX: usize = 80;
const FILE_LINES_MAX: usize = 500;

/// Rooms whose public functions say what they do: others build on them.
const DOCUMENTED: &[&str] = &["model", "store", "flow", "format", "guard"];

/// Functions of so few lines are read faster than what could be said of them.
const SPEAKING_LINES_MAX: usize = 4;

/// Functions whose name says all there is to say, however many words they return.
const SPEAKING: &[&str] = &["new", "chinese", "remedy", "parse"];

/// Macros and switches that stand for work not done or tests not run.
pub fn unfinished(code: &Code) -> Vec<String> {
    const MARKS: [(&str, &str); 4] = [
        ("todo!", "finish it, or leave it out and say so"),
        ("unimplemented!", "finish it, or leave it out and say so"),
        ("dbg!", "use tracing, without personal data"),
        (
            "#[ignore",
            "a test that does not run proves nothing; make it fast or reserve it for --long",
        ),
    ];
    let mut found = Vec::new();
    for (line, text) in code.bare.lines().enumerate() {
        for (mark, instead) in MARKS {
            if text.contains(mark) {
                found.push(format!("{}: {mark}: {instead}", code.place(line)));
            }
        }
    }
    found
}

/// Functions that do not fit a screen.
pub fn long_functions(code: &Code) -> Vec<String> {
    let lines: Vec<&str> = code.bare.lines().collect();
    let mut found = Vec::new();
    for (at, text) in code.lines() {
        let Some(name) = function(text) else { continue };
        let length = length(&lines[at..]);
        if length > FUNCTION_LINES_MAX {
            found.push(format!(
                "{}: fn {name} has {length} lines, more than {FUNCTION_LINES_MAX}; give its parts names",
                code.place(at)
            ));
        }
    }
    found
}

/// The name of the function that begins on a line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (before, rest) = line.split_once("fn ")?;
    let words = ["pub", "const", "async", "extern", "unsafe"];
    let only_words = before.split_whitespace().all(|word| {
        words.contains(&word) || word.starts_with("pub(") || word.ends_with(')') || word == "in"
    });
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (only_words && end > 0).then(|| rest.split_at(end).0)
}

/// How many lines a function has, from its first to its closing brace; 0 without a body.
fn length(lines: &[&str]) -> usize {
    let (mut braces, mut others, mut opened) = (0_i64, 0_i64, false);
    for (at, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' => others += 1,
                ')' | ']' => others -= 1,
                '{' => {
                    braces += 1;
                    opened = true;
                }
                '}' => braces -= 1,
                ';' if !opened && others == 0 => return 0,
                _ => {}
            }
            if opened && braces == 0 {
                return at + 1;
            }
        }
    }
    lines.len()
}

/// Files that nobody reads to the end. Their tests do not count.
pub fn long_files(code: &Code) -> Vec<String> {
    let path = code.path.display().to_string();
    let length = code.tests_at;
    if length <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{path} has {length} lines, more than {FILE_LINES_MAX}; it holds more than one topic"
    )]
}

/// Names of patterns instead of nouns of the field.
pub fn pattern_names(code: &Code) -> Vec<String> {
    const PATTERNS: [&str; 8] =
        ["utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"];
    let names = code.path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let bad: Vec<_> =
        names.filter(|name| PATTERNS.contains(&name.trim_end_matches(".rs"))).collect();
    bad.into_iter()
        .map(|name| format!("{}: {name} is no noun of the field", code.path.display()))
        .collect()
}

/// Public functions without a word of what they do.
pub fn undocumented(code: &Code) -> Vec<String> {
    let room = code.path.components().nth(1).map(|part| part.as_os_str().to_string_lossy());
    if !room.is_some_and(|room| DOCUMENTED.contains(&room.trim_end_matches(".rs"))) {
        return Vec::new();
    }
    let (raw, bare): (Vec<&str>, Vec<&str>) =
        (code.raw.lines().collect(), code.bare.lines().collect());
    let mut found = Vec::new();
    for (at, text) in code.lines() {
        if !text.trim_start().starts_with("pub ") {
            continue;
        }
        let Some(name) = function(text).filter(|name| !SPEAKING.contains(name)) else { continue };
        if length(&bare[at..]) <= SPEAKING_LINES_MAX {
            continue;
        }
        let above = raw[..at].iter().rev().find(|line| !line.trim_start().starts_with("#["));
        if !above.is_some_and(|line| line.trim_start().starts_with("///")) {
            found.push(format!("{}: pub fn {name} says nothing of what it does", code.place(at)));
        }
    }
    found
}

/// The files that the `mod` lines of a file may lead to.
pub fn modules(code: &Code) -> Vec<PathBuf> {
    let folder = code.path.parent().expect("is in a folder").to_owned();
    let stem = code.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let inner = if ["lib", "main", "mod"].contains(&stem.as_str()) {
        folder.clone()
    } else {
        folder.join(&stem)
    };
    let raw: Vec<&str> = code.raw.lines().collect();
    let mut found = Vec::new();
    for (at, line) in code.bare.lines().enumerate() {
        let Some(rest) = line.trim().strip_suffix(';') else { continue };
        let Some(name) = rest.split_whitespace().next_back().filter(|_| rest.contains("mod "))
        else {
            continue;
        };
        found.push(inner.join(format!("{name}.rs")));
        found.push(inner.join(name).join("mod.rs"));
        // `#[path = "..."]` stands on a line above, beside other attributes.
        for above in raw[..at].iter().rev().take_while(|line| line.trim_start().starts_with("#[")) {
            if let Some(path) = above.trim().strip_prefix("#[path = \"") {
                found.push(folder.join(path.trim_end_matches("\"]")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn code(path: &str, text: &str) -> Code {
        Code::new(Path::new(path), text)
    }

    #[test]
    fn unfinished_work_is_caught() {
        for bad in
            ["fn f() { todo!() }", "unimplemented!(\"x\")", "dbg!(x)", "#[ignore = \"slow\"]"]
        {
            assert_eq!(unfinished(&code("src/a.rs", bad)).len(), 1, "{bad}");
        }
        assert_eq!(unfinished(&code("src/a.rs", "// todo!()\nlet x = \"dbg!\";")).len(), 0);
    }

    #[test]
    fn long_functions_are_caught_and_others_are_not() {
        let body = |lines: usize| {
            format!(
                "impl A {{\n    pub(crate) async fn long(\n{}    }}\n}}\nfn short() {{}}\n",
                "    ) { x; }\n".replace("x; }\n", &"x;\n".repeat(lines))
            )
        };
        let found = long_functions(&code("src/a.rs", &body(90)));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/a.rs:2: fn long has 9"), "{found:?}");
        assert_eq!(long_functions(&code("src/a.rs", &body(70))).len(), 0);
        let declared = format!("fn declared(x: [u8; 3]);\n{}", "\n".repeat(100));
        assert_eq!(long_functions(&code("src/a.rs", &declared)).len(), 0);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}", body(90));
        assert_eq!(long_functions(&code("src/a.rs", &tests)).len(), 0);
    }

    #[test]
    fn long_files_and_bad_names_are_caught() {
        let long = "x\n".repeat(FILE_LINES_MAX + 1);
        assert_eq!(long_files(&code("src/a.rs", &long)).len(), 1);
        assert_eq!(long_files(&code("src/a.rs", "x\n")).len(), 0);
        let tests = format!("x\n#[cfg(test)]\nmod tests {{\n{long}");
        assert_eq!(long_files(&code("src/a.rs", &tests)).len(), 0);
        assert_eq!(pattern_names(&code("src/store/helpers.rs", "")).len(), 1);
        assert_eq!(pattern_names(&code("src/utils/money.rs", "")).len(), 1);
        assert_eq!(pattern_names(&code("src/store/holds.rs", "")).len(), 0);
    }

    #[test]
    fn functions_that_say_nothing_are_caught() {
        let bad = "impl A {\n    #[must_use]\n    pub const fn size(self) -> i64 {\n1\n+\n1\n}\n}";
        assert_eq!(undocumented(&code("src/store/a.rs", bad)).len(), 1);
        assert_eq!(undocumented(&code("src/web/a.rs", bad)).len(), 0);
        let good = bad.replace("    #[must", "    /// In bytes.\n    #[must");
        assert_eq!(undocumented(&code("src/store/a.rs", &good)).len(), 0);
        let inner = bad.replace("pub const", "pub(crate) const");
        assert_eq!(undocumented(&code("src/store/a.rs", &inner)).len(), 0);
        let short = "pub fn size(self) -> i64 {\n    1\n}";
        assert_eq!(undocumented(&code("src/store/a.rs", short)).len(), 0);
    }

    #[test]
    fn modules_are_followed() {
        let found = modules(&code(
            "src/store/verify.rs",
            "pub(super) mod told;\n#[path = \"x.rs\"]\nmod y;",
        ));
        for path in ["src/store/verify/told.rs", "src/store/x.rs"] {
            assert!(found.contains(&PathBuf::from(path)), "{path}: {found:?}");
        }
        let found = modules(&code("src/store/mod.rs", "mod cut;"));
        assert!(found.contains(&PathBuf::from("src/store/cut.rs")));
    }
}
