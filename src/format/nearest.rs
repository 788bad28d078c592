//! The word that was meant, where one of a closed list was misspelt.

/// A word this near is the one that was meant: one slip in three letters.
const LETTERS_PER_SLIP: usize = 3;

/// The nearest of the known words, if it is near enough to be meant. Case and what joins words say
/// nothing.
pub(crate) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let plain = |word: &str| -> Vec<char> {
        let letters = word.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let sought = plain(word);
    if sought.is_empty() {
        return None;
    }
    let far = known.iter().map(|known| (slips(&sought, &plain(known)), *known));
    let (count, found) = far.min_by_key(|(count, _)| *count)?;
    (count <= (sought.len() + 1) / LETTERS_PER_SLIP).then_some(found)
}

/// How many letters were left out, put in or taken for others.
fn slips(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let changed = before[column] + usize::from(letter != wanted);
            now.push(changed.min(before[column + 1] + 1).min(now[column] + 1));
        }
        before = now;
    }
    before[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_and_another_word_is_not() {
        let known = ["payee_name", "account", "amount", "GB18030", "width", "credited"];
        for (word, found) in [
            ("payee-name", Some("payee_name")),
            ("payeename", Some("payee_name")),
            ("GB-18030", Some("GB18030")),
            ("widht", Some("width")),
            ("widths", Some("width")),
            ("acount", Some("account")),
            ("credit", Some("credited")),
            ("rows", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), found, "{word}");
        }
    }
}
