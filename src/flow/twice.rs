//! What a bank tells of a batch that it may have been given twice, by its own number of each payment: what comes
//! under another number is not the first told again, but may be a second credit (F31). Where a bank gives its
//! payments no numbers nobody can tell the two apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::format::{Key, Record};
use crate::guard::digest::sha256;
use crate::guard::key::hex;
use crate::model::outcome::OutcomeKind;
use crate::store::payment_serials::Doubled;
use crate::store::results::{CREDITED_TWICE, RETURNED_ONE, TakenRow};
use crate::transport::names;

/// Signs of a bank's number by which people find it, and which tell nobody an account.
const TAIL: usize = 6;

/// What is known of a batch, and what one message adds to it.
pub(super) struct Once<'s> {
    before: Option<&'s Doubled>,
    new: BTreeMap<i64, String>,
    twice: BTreeSet<i64>,
}

impl<'s> Once<'s> {
    pub const fn of(before: Option<&'s Doubled>) -> Self {
        Self { before, new: BTreeMap::new(), twice: BTreeSet::new() }
    }

    /// Says by its cause, and in Chinese, why a row does nothing and is for two people: it credits a second time, or
    /// takes back one of two credits. Of which one it is does not matter: the card still has the other.
    pub fn is_doubtful(
        &mut self,
        record: &Record,
        row: &TakenRow,
    ) -> Option<(&'static str, String)> {
        let before = self.before?;
        if row.kind == Some(OutcomeKind::Returned) {
            let twice = before.twice.contains(&row.line) || self.twice.contains(&row.line);
            let detail =
                "该笔曾以两个银行流水号报入账，退回其中一笔不是结余；如两笔均已退回，须由人工退款";
            return twice.then(|| (RETURNED_ONE, detail.to_owned()));
        }
        if row.kind != Some(OutcomeKind::Credited) {
            return None;
        }
        let serial = record.text(Key::BankSerial)?;
        match before.first.get(&row.line).or_else(|| self.new.get(&row.line)) {
            Some(first) if first != serial => {
                self.twice.insert(row.line);
                Some((CREDITED_TWICE, another(serial)))
            }
            Some(_) => None,
            None => {
                self.new.insert(row.line, serial.to_owned());
                None
            }
        }
    }

    /// The numbers to be kept: a number that several payments have is none of a payment.
    pub fn new_serials(mut self, known: &HashMap<String, i64>) -> BTreeMap<i64, String> {
        let mut times: HashMap<String, usize> = HashMap::new();
        for serial in self.new.values() {
            *times.entry(serial.clone()).or_default() += 1;
        }
        self.new.retain(|_, serial| !known.contains_key(serial) && times.get(serial) == Some(&1));
        self.new
    }
}

/// The words about a second number: the same for the same number, and others for another that ends alike.
fn another(serial: &str) -> String {
    let tail = serial.chars().skip(serial.chars().count().saturating_sub(TAIL));
    let tail = names::shown(&tail.collect::<String>());
    let mark = hex(&sha256(serial.as_bytes())[..4]);
    format!(
        "本批曾重发，该笔先前已以另一个银行流水号入账，现又以尾号 {tail}（摘要 {mark}）的流水号报入账，可能重复入账"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Value;
    use crate::model::money::Fen;

    fn row(line: i64, kind: Option<OutcomeKind>) -> TakenRow {
        TakenRow {
            line,
            amount: Fen::new(100),
            kind,
            reason: None,
            code: String::new(),
            words: None,
            notice: None,
        }
    }

    fn under(serial: &str) -> Record {
        let mut record = Record::new();
        record.set(Key::BankSerial, Value::Text(serial));
        record
    }

    fn known() -> Doubled {
        Doubled { first: [(1, "A1".to_owned())].into(), twice: [1].into() }
    }

    const CREDITED: Option<OutcomeKind> = Some(OutcomeKind::Credited);
    const RETURNED: Option<OutcomeKind> = Some(OutcomeKind::Returned);

    fn cause(once: &mut Once<'_>, serial: &str, row: &TakenRow) -> Option<&'static str> {
        once.is_doubtful(&under(serial), row).map(|(cause, _)| cause)
    }

    #[test]
    fn f31_a_number_tells_a_second_credit_and_another_message_does_not() {
        let known = known();
        let once = &mut Once::of(Some(&known));
        assert_eq!(cause(once, "A1", &row(1, CREDITED)), None);
        assert_eq!(cause(once, "B1", &row(1, CREDITED)), Some(CREDITED_TWICE));
        assert_eq!(once.is_doubtful(&Record::new(), &row(1, CREDITED)), None, "without a number");
        assert_eq!(cause(once, "B1", &row(1, Some(OutcomeKind::Failed))), None);
        assert_eq!(cause(once, "B1", &row(1, None)), None, "it does not say that it has it");
        // Within one message.
        assert_eq!(cause(once, "A2", &row(2, CREDITED)), None);
        assert_eq!(cause(once, "B2", &row(2, CREDITED)), Some(CREDITED_TWICE));
        assert_eq!(cause(&mut Once::of(None), "B1", &row(1, CREDITED)), None);
    }

    #[test]
    fn f31_a_third_number_that_ends_alike_is_told_apart() {
        let known = known();
        let once = &mut Once::of(Some(&known));
        let mut told =
            |serial| once.is_doubtful(&under(serial), &row(1, CREDITED)).expect("seen").1;
        let second = told("0502000123");
        assert!(second.contains("尾号 000123（") && !second.contains("0502"), "{second}");
        assert_eq!(told("0502000123"), second);
        assert_ne!(told("0503000123"), second);
    }

    #[test]
    fn f31_a_return_of_either_of_two_credits_is_no_leftover() {
        let known = known();
        let once = &mut Once::of(Some(&known));
        for serial in ["A1", "B1", "R77"] {
            assert_eq!(cause(once, serial, &row(1, RETURNED)), Some(RETURNED_ONE));
        }
        let (nameless, _) = once.is_doubtful(&Record::new(), &row(1, RETURNED)).expect("waits");
        assert_eq!(nameless, RETURNED_ONE);
        assert_eq!(cause(once, "B2", &row(2, RETURNED)), None, "it was credited once");
    }

    #[test]
    fn f31_a_number_of_several_payments_is_none_of_a_payment() {
        let known = Doubled::default();
        let mut once = Once::of(Some(&known));
        for (line, serial) in [(1, "N"), (2, "N"), (3, "A3"), (4, "A4")] {
            assert_eq!(cause(&mut once, serial, &row(line, CREDITED)), None);
        }
        let kept = once.new_serials(&[("A4".to_owned(), 9)].into());
        assert_eq!(kept, [(3, "A3".to_owned())].into());
    }
}
