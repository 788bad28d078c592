//! File names that may be written or read: an allow-list, because a name from outside is data and
//! never a path (F45).

/// The longest name that is touched, in bytes: room is left for what a hidden name says before it,
/// within the 255 bytes of a file system.
pub const NAME_BYTES_MAX: usize = 180;

/// Is this a plain, visible file name: letters, digits and a few signs, no folder, no blank, no
/// percent sign, not hidden, and short enough?
pub fn is_allowed(name: &str) -> bool {
    let signs = |c: char| matches!(c, '.' | '_' | '-' | '+' | '=' | '@' | '#' | ',' | '(' | ')');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_alphanumeric() || signs(c))
}

/// So many digits in a row may be an account or a document.
const DIGITS_HIDDEN: usize = 15;
/// The most of a name or of words that is shown.
const SHOWN_MAX: usize = 60;
/// The most that is looked at for it: what is cut off must not make a long number a short one.
const READ_MAX: usize = 1_000;
/// What is shown of these at each end, for whoever looks for the file.
const DIGITS_SHOWN: usize = 4;

/// A name from outside as a message may show it: escaped and short, and without what may be a person's (I27) - letters
/// that are not ASCII, and the middle of long numbers. Our references are shorter.
pub fn shown(name: &str) -> String {
    let name: String = name.chars().map(masked).collect();
    said(&name)
}

/// A letter that may be one of a person's name.
fn masked(c: char) -> char {
    if !c.is_ascii() && c.is_alphanumeric() { '*' } else { c }
}

/// Words of a server as a message may show them: escaped and short, and without the middle of long numbers, also of
/// those that are written in groups.
pub fn said(words: &str) -> String {
    let words: Vec<char> = words.chars().take(READ_MAX).collect();
    let mut out = String::new();
    let mut rest = words.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        if !first.is_ascii_digit() {
            out.push(*first);
            rest = behind;
            continue;
        }
        let one = run(rest);
        let group = grouped(rest);
        let number: String = rest.iter().take(group).filter(|c| c.is_ascii_digit()).collect();
        let (digits, end) = if group > one && is_of_a_person(&number) {
            (number, group)
        } else {
            (rest.iter().take(one).collect(), one)
        };
        if is_of_a_person(&digits) {
            let (first, last) =
                (digits.get(..DIGITS_SHOWN), digits.get(digits.len() - DIGITS_SHOWN..));
            out.extend([first, Some("***"), last].into_iter().flatten());
        } else {
            out.push_str(&digits);
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    out.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

/// How many digits stand at the beginning.
fn run(words: &[char]) -> usize {
    words.iter().take_while(|c| c.is_ascii_digit()).count()
}

/// How long the number at the beginning is where it is written in three or more groups, as cards and telephones are:
/// with one sign between each. Days and times have shorter groups, or longer ones.
fn grouped(words: &[char]) -> usize {
    let (mut end, mut groups) = (0, 0);
    loop {
        let digits = run(words.get(end..).unwrap_or_default());
        let is_code = groups == 0 && digits == 2;
        if !is_code && !(3..=6).contains(&digits) {
            break;
        }
        (end, groups) = (end + digits, groups + 1);
        if !matches!(words.get(end), Some('-' | '_' | '.' | ' ')) {
            return if groups >= 3 { end } else { 0 };
        }
        end += 1;
    }
    if groups >= 3 { end - 1 } else { 0 }
}

/// May a number be an account or a document, or is it a mobile one? Our references have twelve digits.
fn is_of_a_person(digits: &str) -> bool {
    digits.len() >= DIGITS_HIDDEN || is_mobile(digits)
}

/// Eleven digits as mobile numbers of the mainland are, perhaps behind the code of the country.
fn is_mobile(digits: &str) -> bool {
    let number = digits.strip_prefix("86").filter(|rest| rest.len() == 11).unwrap_or(digits);
    number.len() == 11 && matches!(number.as_bytes(), [b'1', b'3'..=b'9', ..])
}

/// The part of a name before its last point.
pub fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A name that nothing bears yet in a folder that keeps what came before: `name`, or `name.1`, `name.2` and so on.
/// A bank may use one name for years: numbers are doubled until one is free, and halved back from there.
#[derive(Debug)]
pub struct FreeName<'n> {
    name: &'n str,
    at: Option<u32>,
    /// The highest number that is known to be taken, and one above it that is known to be free.
    taken: Option<u32>,
    free: Option<u32>,
}

impl<'n> FreeName<'n> {
    pub fn of(name: &'n str) -> Self {
        Self { name, at: Some(0), taken: None, free: None }
    }

    /// The name to look at, and whether it is the one to be used where it is free. None is left after billions.
    pub fn candidate(&self) -> Option<(String, bool)> {
        let number = self.at?;
        let is_next = number == 0 || self.taken.is_some_and(|taken| taken + 1 == number);
        let name = self.name;
        Some(if number == 0 {
            (name.to_owned(), true)
        } else {
            (format!("{name}.{number}"), is_next)
        })
    }

    /// Something bears the candidate.
    pub fn is_taken(&mut self) {
        let Some(number) = self.at else { return };
        self.taken = Some(number);
        self.free = self.free.filter(|free| *free > number);
        self.at = match self.free {
            Some(free) => Some(number + (free - number).div_ceil(2)),
            None if number == 0 => Some(1),
            None => number.checked_mul(2),
        };
    }

    /// Nothing bears the candidate, and nothing may a smaller number.
    pub fn is_free(&mut self) {
        self.free = self.at;
        let taken = self.taken.unwrap_or(0);
        self.at = self.at.map(|number| taken + (number - taken).div_ceil(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i27_a_name_from_outside_is_shown_without_what_may_be_a_persons() {
        for (name, expected) in [
            ("郭勇6200000000000106252回单.txt", "**6200***6252**.txt"),
            ("SL000000000001_20261123.txt.ok", "SL000000000001_20261123.txt.ok"),
            ("11010519491231002X.txt", "1101***1002X.txt"),
            ("SL13800000000.txt", "SL1380***0000.txt"),
            ("SL8613912345678.txt", "SL8613***5678.txt"),
            ("622848-0000-1234-5678-901.txt", "6228***8901.txt"),
            ("HP_6228 4800 0012 3456 789_1.txt", "HP_6228***6789_1.txt"),
            ("tel 138-1234-5678, +86-138-1234-5678", "tel 1381***5678, +8613***5678"),
            ("HP_2026-11-29_101010.txt", "HP_2026-11-29_101010.txt"),
            ("20261129-101010-000001.txt", "20261129-101010-000001.txt"),
            ("192.168.100.200:22", "192.168.100.200:22"),
            ("T010000000012_1.txt", "T010000000012_1.txt"),
            ("a\u{1b}[1m\n", "a\\u{1b}[1m\\n"),
        ] {
            assert_eq!(shown(name), expected);
        }
        let long = format!("{}6200000000000106252", "x".repeat(50));
        assert_eq!(shown(&long), format!("{}6200***625", "x".repeat(50)), "cut behind its mask");
        assert_eq!(said("没有权限：6200000000000106252"), "没有权限：6200***6252");
    }

    #[test]
    fn f33_a_free_name_is_found_in_few_looks_however_many_came_before() {
        for before in (0..70).chain([1_000, 9_999, 10_000, 123_456]) {
            let name = |number| if number == 0 { "a".to_owned() } else { format!("a.{number}") };
            let there: std::collections::HashSet<String> = (0..before).map(name).collect();
            let (mut search, mut looks) = (FreeName::of("a"), 0);
            let found = loop {
                let (candidate, is_it) = search.candidate().expect("one is free");
                looks += 1;
                match (there.contains(&candidate), is_it) {
                    (true, _) => search.is_taken(),
                    (false, false) => search.is_free(),
                    (false, true) => break candidate,
                }
            };
            assert_eq!(found, name(before));
            assert!(looks <= 40, "{looks} looks for {before}");
        }
    }

    #[test]
    fn f33_a_free_name_that_somebody_takes_is_followed_by_another() {
        let mut search = FreeName::of("a");
        let mut seen = std::collections::HashSet::new();
        while let Some((candidate, is_it)) = search.candidate() {
            assert!(is_it == seen.insert(candidate), "nothing is tried twice while all are taken");
            if seen.len() == 3 {
                break;
            }
            search.is_taken();
        }
        assert_eq!(seen.len(), 3);
        for _ in 0..40 {
            search.is_taken();
        }
        assert_eq!(search.candidate(), None, "it ends");
    }

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
