//! The payee: what identifies a person, and the checks that need no other book (domain.md 5).

use std::fmt;

/// A payee as the register names them. Personal data: it has no `Display`, and `Debug` masks.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// Kind of document, as finance names it; `id` is the resident identity card.
    pub document_kind: String,
    pub document_number: String,
    pub account: String,
    pub phone: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Person(***)")
    }
}

/// The document kind whose number carries a check digit and a region code.
pub const RESIDENT_ID: &str = "id";

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_ROW: [u8; 11] = *b"10X98765432";

/// Is this an 18-character resident identity number whose check digit closes (GB 11643), or a
/// 15-digit one of the old kind, which has none?
pub fn id_number_closes(number: &str) -> bool {
    let bytes = number.as_bytes();
    if bytes.len() == 15 {
        return bytes.iter().all(u8::is_ascii_digit);
    }
    let [digits @ .., check] = bytes else { return false };
    if digits.len() != 17 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    let expected = CHECK_ROW[(sum % 11) as usize];
    check.to_ascii_uppercase() == expected
}

/// A number as it is compared with others: one person is one, whatever finance calls the document and
/// whether it has the old number of 15 digits or the 18 that it became (GB 11643-1999: the century and
/// the check digit came in).
pub fn comparable_number(number: &str) -> String {
    let number = number.trim().to_ascii_uppercase();
    if number.len() != 15 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return number;
    }
    let (region, rest) = number.split_at(6);
    let digits = format!("{region}19{rest}");
    let sum: u32 =
        digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", char::from(CHECK_ROW[(sum % 11) as usize]))
}

/// The first two digits of every administrative region code of the country (GB/T 2260).
const PROVINCES: [u8; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
];

/// Do the first two digits of a code name a province?
fn province_exists(code: &[u8]) -> bool {
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] = code else { return false };
    PROVINCES.contains(&((tens - b'0') * 10 + (ones - b'0')))
}

/// Is this a twelve-digit village code (county 6, town 3, village 3) in an existing province?
pub fn village_code_is_plausible(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 12
        && bytes.iter().all(u8::is_ascii_digit)
        && province_exists(bytes)
        && bytes.get(2..6).is_some_and(|county| county != b"0000")
}

/// Was this resident identity number given out by a province that there is? Its county may have been
/// renamed or joined to another since, so no more than the province is looked at. Cards of residents
/// from Taiwan begin with 83 instead of the 71 of the region.
pub fn id_region_exists(number: &str) -> bool {
    province_exists(number.as_bytes()) || number.starts_with("83")
}

/// Is this a town's code: nine digits (county 6, town 3)?
pub fn town_code_is_whole(code: &str) -> bool {
    code.len() == 9 && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first character of a text that nobody sees, or that no name has, with its place from 1: one
/// without width, a blank of another kind than the plain one, a control character, or a plain blank at
/// the beginning or the end. Such a name looks right and is another one at the bank (domain.md 5).
pub fn invisible(text: &str) -> Option<(usize, char)> {
    let last = text.chars().count();
    let seen = |(at, c): &(usize, char)| match c {
        ' ' => *at == 1 || *at == last,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control() || other.is_whitespace(),
    };
    (1..).zip(text.chars()).find(seen)
}

/// The nine digits of a village code that name the town.
pub fn town_of(village: &str) -> Option<&str> {
    village.get(..9)
}

/// Has the account the shape of a card or passbook number: 8 to 32 digits? Check digits are not
/// looked at: real passbook numbers fail Luhn.
pub fn account_has_shape(account: &str) -> bool {
    (8..=32).contains(&account.len()) && account.bytes().all(|b| b.is_ascii_digit())
}

/// Does the number pass Luhn? Only ever a warning (domain.md 5).
pub fn luhn_closes(account: &str) -> bool {
    let sum: u32 = account
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .enumerate()
        .map(|(at, b)| match (at % 2, u32::from(b - b'0')) {
            (0, digit) => digit,
            (_, digit) if digit < 5 => digit * 2,
            (_, digit) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// An account for people who need not see it whole: `622848******1234`. Short ones show less.
pub fn mask_account(account: &str) -> String {
    mask(account, 6, 4)
}

/// A document number for people who need not see it whole.
pub fn mask_document(number: &str) -> String {
    mask(number, 6, 2)
}

/// A name for people who need not see it whole: the first character and a star for each other.
pub fn mask_name(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        std::iter::once(first).chain(chars.map(|_| '*')).collect()
    })
}

fn mask(text: &str, head: usize, tail: usize) -> String {
    let count = text.chars().count();
    let (head, tail) =
        if count >= (head + tail) * 3 / 2 { (head, tail) } else { (0, count.min(2) / 2) };
    text.chars()
        .enumerate()
        .map(|(at, c)| if at < head || at >= count - tail { c } else { '*' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_whichever_number_is_on_the_card() {
        // The vector of GB 11643, and the number that its holder had before.
        assert_eq!(comparable_number("11010519491231002x"), "11010519491231002X");
        assert_eq!(comparable_number("110105491231002"), "11010519491231002X");
        assert_eq!(comparable_number("G12345678"), "G12345678");
        assert_eq!(comparable_number("11010549123100A"), "11010549123100A");
    }

    #[test]
    fn id_check_digits_close_and_every_other_one_does_not() {
        // GB 11643's own examples.
        for good in ["11010519491231002X", "11010519491231002x", "440524188001010014"] {
            assert!(id_number_closes(good), "{good}");
            let (digits, check) = good.split_at(17);
            for other in
                "0123456789X".chars().filter(|c| !check.eq_ignore_ascii_case(&c.to_string()))
            {
                assert!(!id_number_closes(&format!("{digits}{other}")));
            }
        }
        assert!(id_number_closes("610728800101001"));
        for bad in [
            "",
            "X",
            "1101051949123100２X",
            "11010519491231002",
            "1101051949123100211",
            "61072880010100X",
        ] {
            assert!(!id_number_closes(bad), "{bad}");
        }
    }

    #[test]
    fn id_numbers_of_no_province_are_found() {
        // All of them have a check digit that closes.
        for good in ["11010519491231002X", "440524188001010014", "610728800101001", "83"] {
            assert!(id_region_exists(good), "{good}");
        }
        for bad in ["", "9", "x1", "990728197001010012", "000728197001010013"] {
            assert!(!id_region_exists(bad), "{bad}");
        }
    }

    #[test]
    fn villages_accounts_and_luhn() {
        assert!(village_code_is_plausible("610728001001"));
        for bad in ["", "61072800100", "990728001001", "610000001001", "61072800100a"] {
            assert!(!village_code_is_plausible(bad), "{bad}");
        }
        assert_eq!(town_of("610728001001"), Some("610728001"));
        assert!(account_has_shape("6228480402564890018"));
        for bad in ["", "1234567", "62284804025648900X8", "622848040256489001862284804025648"] {
            assert!(!account_has_shape(bad), "{bad}");
        }
        assert!(luhn_closes("79927398713") && !luhn_closes("79927398714"));
    }

    #[test]
    fn what_nobody_sees_in_a_name_is_found_with_its_place() {
        for (name, found) in [
            ("张三", None),
            ("阿卜杜热合曼·阿卜杜克热木", None),
            ("John Smith", None),
            ("张\u{200b}三", Some((2, '\u{200b}'))),
            ("\u{feff}张三", Some((1, '\u{feff}'))),
            ("张三\u{a0}", Some((3, '\u{a0}'))),
            ("张\u{3000}三", Some((2, '\u{3000}'))),
            ("张三 ", Some((3, ' '))),
            (" 张三", Some((1, ' '))),
            ("张\t三", Some((2, '\t'))),
        ] {
            assert_eq!(invisible(name), found, "{name:?}");
        }
    }

    #[test]
    fn i27_masks_hide_the_middle() {
        assert_eq!(mask_account("6228480402564890018"), "622848*********0018");
        assert_eq!(mask_account("12345678"), "*******8");
        assert_eq!(mask_document("11010519491231002X"), "110105**********2X");
        assert_eq!(mask_name("阿卜杜热合曼"), "阿*****");
        assert_eq!(mask_name(""), "");
    }
}
