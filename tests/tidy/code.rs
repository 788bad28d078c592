//! A source file as the rules look at it: its words without comments and without what stands in
//! strings, line by line as it was, so that a rule can say where.

use std::path::{Path, PathBuf};

pub struct Code {
    pub path: PathBuf,
    /// The file as it is.
    pub raw: String,
    /// The same lines and columns, comments and texts blanked out.
    pub bare: String,
    /// The line, from 0, at which the tests of the file begin.
    pub tests_at: usize,
}

impl Code {
    pub fn new(path: &Path, text: &str) -> Self {
        let bare = blank(text);
        let is_tests = path.components().any(|part| {
            let name = part.as_os_str().to_string_lossy();
            name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs")
        });
        let end = bare.lines().count();
        let tests_at = if is_tests {
            0
        } else {
            // A `mod tests;` in a file of its own is followed by more of this file.
            let lines: Vec<&str> = bare.lines().collect();
            let inline = |at: &usize| {
                lines[*at].trim() == "#[cfg(test)]"
                    && lines.get(at + 1).is_some_and(|next| next.contains('{'))
            };
            (0..end).find(inline).unwrap_or(end)
        };
        Self { path: path.to_owned(), raw: text.to_owned(), bare, tests_at }
    }

    /// `src/store/mod.rs:12`, of a line counted from 0.
    pub fn place(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }

    /// The lines that are no tests, counted from 0.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.bare.lines().enumerate().take(self.tests_at)
    }
}

/// Blanks comments, texts and character literals; line ends stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out: Vec<char> = chars.clone();
    let mut at = 0;
    let wipe = |out: &mut Vec<char>, from: usize, to: usize| {
        for c in &mut out[from..to.min(chars.len())] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    };
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        let end = match chars[at] {
            '/' if next == Some('/') => find(&chars, at, |c, i| c[i] == '\n'),
            '/' if next == Some('*') => {
                find(&chars, at + 2, |c, i| c[i] == '*' && c.get(i + 1) == Some(&'/')) + 2
            }
            'r' if !word_before(&chars, at) && raw_hashes(&chars, at + 1).is_some() => {
                let hashes = raw_hashes(&chars, at + 1).unwrap_or_default();
                let closes = |c: &[char], i: usize| {
                    c[i] == '"' && (1..=hashes).all(|n| c.get(i + n) == Some(&'#'))
                };
                find(&chars, at + hashes + 2, closes) + 1 + hashes
            }
            '"' => text_end(&chars, at + 1),
            '\'' if next == Some('\\') => find(&chars, at + 3, |c, i| c[i] == '\'') + 1,
            '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        wipe(&mut out, at, end);
        at = end;
    }
    out.into_iter().collect()
}

fn find(chars: &[char], from: usize, is: impl Fn(&[char], usize) -> bool) -> usize {
    (from..chars.len()).find(|at| is(chars, *at)).unwrap_or(chars.len())
}

fn text_end(chars: &[char], from: usize) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn word_before(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

/// How many `#` open a raw text here, if one does.
fn raw_hashes(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars.iter().skip(from).take_while(|c| **c == '#').count();
    (chars.get(from + hashes) == Some(&'"')).then_some(hashes)
}

#[test]
fn comments_and_texts_are_not_code() {
    let bare = |text: &str| Code::new(Path::new("src/x.rs"), text).bare;
    assert_eq!(bare("a // crate::web\nb"), "a              \nb");
    assert_eq!(bare("f(\"crate::web\\\" {\", 1)"), "f(                , 1)");
    assert_eq!(bare("r#\"dbg!(\"{\")\"# + x"), "               + x");
    assert_eq!(bare("/* { */ '{' '\\'' 'a"), "                 'a");
    let code =
        Code::new(Path::new("src/x.rs"), "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod t {\n");
    assert_eq!(code.tests_at, 4);
}
