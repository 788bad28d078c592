//! Hidden names in a bank's folder, under which nobody writes: for what is being put away, so that a stop in between
//! loses nothing and nothing newer is mistaken for what was read (F7, F33).

use crate::guard::random;
use crate::transport::names;

/// Where a file is put away to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Away {
    Archive,
    Quarantine,
}

const MARKS: [(&str, Away); 2] = [(".taken-", Away::Archive), (".aside-", Away::Quarantine)];
const COMPARED: &str = ".compared-";

/// A hidden name for data that is looked at once more: `.compared-<number>-<name>`.
pub fn to_compare(name: &str) -> String {
    format!("{COMPARED}{:x}-{name}", u64::from_be_bytes(random::bytes()))
}

/// Whose name a file has that is hidden to be looked at once more.
pub fn compared(hidden: &str) -> Option<&str> {
    let (_, name) = hidden.strip_prefix(COMPARED)?.split_once('-')?;
    names::is_allowed(name).then_some(name)
}

/// A hidden name for a control file whose data is being put away, which says what it and its data looked like:
/// `.taken-<number>-<data>_<data>-<control>-<name>`. Two of the data fit a file name; a control file that speaks for
/// more is rare.
pub fn mark(away: Away, data: &[(String, u64)], (control, identity): (&str, u64)) -> String {
    let prefix = MARKS.iter().find(|(_, to)| *to == away).map_or("", |(prefix, _)| prefix);
    let number = u32::from_be_bytes(random::bytes());
    let data: Vec<String> = data.iter().take(2).map(|(_, data)| format!("{data:x}")).collect();
    format!("{prefix}{number:x}-{}-{identity:x}-{control}", data.join("_"))
}

/// A mark that a stop left.
#[derive(Debug, PartialEq, Eq)]
pub struct Mark<'f> {
    pub away: Away,
    /// What the data looked like that was to be put away.
    pub data: Vec<u64>,
    /// What its control file looked like.
    pub control: u64,
    pub name: &'f str,
}

impl<'f> Mark<'f> {
    /// Nothing where this is the hidden name of something else.
    pub fn read(hidden: &'f str) -> Option<Self> {
        let (prefix, away) = MARKS.into_iter().find(|(prefix, _)| hidden.starts_with(prefix))?;
        let mut words = hidden.strip_prefix(prefix)?.splitn(4, '-').skip(1);
        let (data, control, name) = (words.next()?, words.next()?, words.next()?);
        let number = |text| u64::from_str_radix(text, 16).ok();
        let data = data.split('_').filter_map(number).collect();
        let found = Self { away, data, control: number(control)?, name };
        names::is_allowed(name).then_some(found)
    }

    /// Is this another file of the same arrival?
    pub fn is_with(&self, name: &str) -> bool {
        names::is_allowed(name) && name != self.name && names::stem(name) == names::stem(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f7_a_hidden_name_says_what_it_hides_and_fits_a_file_system() {
        let name = format!("{}-7.ok", "n".repeat(names::NAME_BYTES_MAX - 5));
        let data = [("a.txt".to_owned(), u64::MAX), ("b.txt".to_owned(), 0)];
        for away in [Away::Archive, Away::Quarantine] {
            for count in 0..=2 {
                let hidden = mark(away, &data[..count], (&name, u64::MAX - 1));
                assert!(hidden.len() <= 255 && !names::is_allowed(&hidden), "{hidden}");
                let ids = [u64::MAX, 0][..count].to_vec();
                let expected = Mark { away, data: ids, control: u64::MAX - 1, name: &name };
                assert_eq!(Mark::read(&hidden), Some(expected));
                assert_eq!(compared(&hidden), None);
            }
        }
        let hidden = to_compare(&name);
        assert!(hidden.len() <= 255 && !names::is_allowed(&hidden), "{hidden}");
        assert_eq!(compared(&hidden), Some(name.as_str()));
        for other in [".taken-", ".taken-1-2-3-", ".taken-1-2-x-a.ok", ".taken-1-2-3-../a", ".x"] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
