//! Payees that nobody is: made up from a seed, and shaped like the real ones.
//!
//! Every payee is a function of a seed and an index, so that a register of a million lines is
//! written, checked and judged without being kept. Identity numbers are of the county's region with
//! a right check digit and never repeat within 23 million payees; accounts have 19 digits with a
//! right check digit (Luhn) and end as asked.

use jiff::ToSpan;
use jiff::civil::date;

use crate::clock::Dice;
use crate::model::money::Fen;
use crate::model::person::{Person, RESIDENT_ID, id_number_closes, luhn_closes};
use crate::sandbox::trigger::{self, Trigger};

const SURNAMES: &str =
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕";
const GIVEN: &str =
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰文玉华建国春梅红志远子轩雨晨思宇";
/// Parts of long names; two before and two after the middle dot (U+00B7) make at most thirteen
/// characters.
const PARTS: [&str; 8] = ["阿卜杜", "热合曼", "克热木", "买买提", "吐尔逊", "古丽", "努尔", "艾力"];
/// Characters that GB18030 writes in four bytes and GBK cannot write at all.
const RARE: &str = "𣲗𬱖㛃𤩽𡐓";

/// The county's towns, as its nine-digit codes end (domain.md 5).
const TOWNS: [u16; 20] = [
    1, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118,
    120,
];

/// Which kind of name a payee has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Two or three characters, and every fiftieth a long name with a middle dot.
    Usual,
    /// With a character that GBK does not have.
    Rare,
}

/// The seeded county.
#[derive(Debug, Clone, Copy)]
pub struct People {
    seed: u64,
}

impl People {
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The payee with this index, with an account that `trigger` asks for at the bank with this
    /// number.
    pub fn person(self, index: u64, bank: u64, naming: Naming, trigger: Option<Trigger>) -> Person {
        let mut dice = self.dice(index, 1);
        Person {
            name: name(&mut dice, naming),
            document_kind: RESIDENT_ID.to_owned(),
            document_number: self.id_number(index),
            account: account(&mut dice, index, bank, trigger),
            phone: format!("1990000{:04}", dice.below(10_000)),
        }
    }

    /// What the payee with this index is paid: 10.00 to 4,999.99 yuan, and now and then some fen.
    pub fn amount(self, index: u64) -> Fen {
        let mut dice = self.dice(index, 2);
        let fen = match dice.below(100) {
            0 => 1 + dice.below(99),
            _ => 1_000 + dice.below(499_000),
        };
        Fen::new(i64::try_from(fen).unwrap_or(1))
    }

    /// The village of a payee of this town: twelve digits.
    pub fn village(self, index: u64, town: &str) -> String {
        format!("{town}{:03}", 1 + self.dice(index, 3).below(20))
    }

    fn dice(self, index: u64, use_no: u64) -> Dice {
        let mut mixed = Dice::seeded(self.seed ^ (use_no << 56));
        Dice::seeded(mixed.roll() ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn id_number(self, index: u64) -> String {
        const DAYS: u64 = 23_700;
        const ORDERS: u64 = 999;
        // A step that shares no factor with the space visits every number before it repeats one.
        const STEP: u64 = 1_000_003;
        let space = DAYS * ORDERS;
        let at = (index % space * STEP + self.seed % space) % space;
        let born = date(1940, 1, 1).saturating_add(i64::try_from(at / ORDERS).unwrap_or(0).days());
        let mut number = format!(
            "610728{:04}{:02}{:02}{:03}",
            born.year(),
            born.month(),
            born.day(),
            at % ORDERS + 1
        );
        for check in "0123456789X".chars() {
            number.push(check);
            if id_number_closes(&number) {
                break;
            }
            number.pop();
        }
        number
    }
}

/// The nine-digit code of the county's town with this number.
pub fn town(number: u64) -> String {
    let at = usize::try_from(number % TOWNS.len() as u64).unwrap_or(0);
    format!("610728{:03}", TOWNS[at])
}

/// An identity number whose check digit does not close.
pub fn with_wrong_check_digit(number: &str) -> String {
    let (digits, check) = number.split_at_checked(17).unwrap_or((number, ""));
    format!("{digits}{}", if check == "1" { '2' } else { '1' })
}

fn name(dice: &mut Dice, naming: Naming) -> String {
    let pick = |dice: &mut Dice, from: &str| {
        let at = dice.below(from.chars().count() as u64);
        from.chars().nth(usize::try_from(at).unwrap_or(0)).unwrap_or('一')
    };
    let long = dice.below(50) == 0;
    let mut name = String::new();
    if long && naming == Naming::Usual {
        for at in 0..4 {
            if at == 2 {
                name.push('\u{b7}');
            }
            name.push_str(PARTS[usize::try_from(dice.below(8)).unwrap_or(0)]);
        }
        return name;
    }
    name.push(pick(dice, SURNAMES));
    name.push(pick(dice, GIVEN));
    match naming {
        Naming::Rare => name.push(pick(dice, RARE)),
        Naming::Usual if dice.below(3) > 0 => name.push(pick(dice, GIVEN)),
        Naming::Usual => {}
    }
    name
}

/// `62`, two digits of the bank, ten of the payee, one that closes Luhn, four that the practice
/// banks look at.
fn account(dice: &mut Dice, index: u64, bank: u64, trigger: Option<Trigger>) -> String {
    let mut account = format!("62{:02}{:010}", bank % 100, index % 10_000_000_000);
    let body = account.len();
    let suffix = match trigger {
        Some(trigger) => trigger.suffix().to_owned(),
        None => loop {
            let suffix = format!("{:04}", dice.below(10_000));
            if trigger::of(&suffix).is_none() {
                break suffix;
            }
        },
    };
    for closing in '0'..='9' {
        account.push(closing);
        account.push_str(&suffix);
        if luhn_closes(&account) {
            break;
        }
        account.truncate(body);
    }
    account
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use encoding_rs::{GB18030, GBK};

    use super::*;
    use crate::model::person::{account_has_shape, village_code_is_plausible};

    #[test]
    fn payees_pass_every_check_and_never_repeat() {
        let people = People::new(7);
        let mut documents = HashSet::new();
        let mut accounts = HashSet::new();
        let mut long = 0;
        for index in 0..20_000 {
            let person = people.person(index, 1, Naming::Usual, None);
            assert!(id_number_closes(&person.document_number), "{index}");
            assert!(account_has_shape(&person.account) && person.account.len() == 19);
            assert!(luhn_closes(&person.account) && trigger::of(&person.account).is_none());
            assert!(village_code_is_plausible(&people.village(index, &town(index))));
            assert!((1..=499_999).contains(&people.amount(index).get()));
            let bytes = GBK.encode(&person.name);
            assert!(!bytes.2, "every usual name has GBK's characters alone");
            assert!(bytes.0.len() <= 26);
            long += i32::from(person.name.contains('\u{b7}'));
            assert!(documents.insert(person.document_number), "{index}");
            assert!(accounts.insert(person.account), "{index}");
        }
        assert!((200..800).contains(&long), "{long}");
    }

    #[test]
    fn f41_rare_names_are_gb18030_in_four_bytes_and_not_gbk() {
        for rare in RARE.chars() {
            let text = rare.to_string();
            assert_eq!(GB18030.encode(&text).0.len(), 4, "{rare}");
            assert!(GBK.encode(&text).2, "{rare}");
        }
        let person = People::new(7).person(3, 1, Naming::Rare, None);
        assert!(person.name.chars().any(|c| RARE.contains(c)));
    }

    #[test]
    fn triggers_and_wrong_numbers_are_as_asked() {
        let people = People::new(7);
        for trigger in Trigger::ALL {
            let person = people.person(5, 2, Naming::Usual, Some(trigger));
            assert_eq!(trigger::of(&person.account), Some(trigger));
            assert!(luhn_closes(&person.account));
        }
        for index in 0..100 {
            let number = people.id_number(index);
            assert!(!id_number_closes(&with_wrong_check_digit(&number)), "{number}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_people() {
        let person = |seed| People::new(seed).person(9, 1, Naming::Usual, None);
        assert!(person(1) == person(1));
        assert!(person(1) != person(2));
    }
}
