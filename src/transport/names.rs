//! File names that may be written or read: an allow-list, because a name from outside is data and
//! never a path (F45).

/// The longest name that is touched, in bytes: room is left for a temporary prefix and suffix
/// within the 255 bytes of a file system.
pub const NAME_BYTES_MAX: usize = 200;

/// Is this a plain, visible file name: letters, digits and a few signs, no folder, no blank, no
/// percent sign, not hidden, and short enough?
pub fn is_allowed(name: &str) -> bool {
    let signs = |c: char| matches!(c, '.' | '_' | '-' | '+' | '=' | '@' | '#' | ',' | '(' | ')');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_alphanumeric() || signs(c))
}

/// A name from outside as a message may show it: escaped and short.
pub fn shown(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    short.escape_debug().to_string()
}

/// The part of a name before its last point.
pub fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f45_only_plain_visible_names_are_allowed() {
        for good in ["HP0001.txt", "DF_2026-11-23.ok", "a", "回盘(1).txt", "x.tar.gz"] {
            assert!(is_allowed(good), "{good}");
        }
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "..%2fx",
            "a b",
            ".hidden",
            "-rf",
            "a\nb",
            "a\0b",
            "a\u{202e}b",
            "%2e%2e",
            "C:x",
            "a|b",
            "a*",
            long.as_str(),
        ] {
            assert!(!is_allowed(bad), "{bad:?}");
        }
    }

    #[test]
    fn f45_shown_names_cannot_forge_a_log_line() {
        assert_eq!(shown("a\nERROR b"), "a\\nERROR b");
        assert_eq!(shown(&"x".repeat(500)).len(), 60);
    }
}
