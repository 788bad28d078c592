//! What a bank tells of a batch that it may have been given twice, by its own number of each payment: what comes
//! under another number is not the first told again, but may be a second credit (F31). Where a bank gives its
//! payments no numbers nobody can tell the two apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::format::{Key, Record};
use crate::model::outcome::OutcomeKind;
use crate::store::payment_serials::Doubled;
use crate::store::results::{CREDITED_TWICE, RETURNED_ONE, TakenRow};
use crate::transport::names;

/// Signs of a bank's number by which people find it, and which tell nobody an account.
const TAIL: usize = 6;

/// What is known of a batch, and what one message adds to it.
pub(super) struct Once<'s> {
    before: Option<&'s Doubled>,
    /// Does this message tell which payments it has under which number, credited or not?
    tells_serials: bool,
    new: BTreeMap<i64, String>,
    twice: BTreeSet<i64>,
}

impl<'s> Once<'s> {
    pub const fn of(before: Option<&'s Doubled>, tells_serials: bool) -> Self {
        Self { before, tells_serials, new: BTreeMap::new(), twice: BTreeSet::new() }
    }

    /// Says by its cause, and in Chinese, why a row does nothing before two people have looked: it credits a second
    /// time, or takes back one of two credits.
    pub fn is_doubtful(
        &mut self,
        record: &Record,
        row: &TakenRow,
    ) -> Option<(&'static str, String)> {
        let (before, serial) = (self.before?, record.text(Key::BankSerial));
        let first = before.first.get(&row.line).or_else(|| self.new.get(&row.line));
        if row.kind == Some(OutcomeKind::Returned) {
            let twice = before.twice.contains(&row.line) || self.twice.contains(&row.line);
            let of_the_first = first.is_some_and(|first| serial == Some(first));
            return (twice && !of_the_first).then(|| {
                let detail = "该笔曾以两个银行流水号报入账，不知退回的是哪一笔；两人核定后请银行以新的文件重报";
                (RETURNED_ONE, detail.to_owned())
            });
        }
        let has_it = row.kind == Some(OutcomeKind::Credited)
            || self.tells_serials && row.kind.is_none() && row.notice.is_none();
        let serial = serial.filter(|_| has_it)?;
        match first {
            Some(first) if first != serial => {
                self.twice.insert(row.line);
                let tail = serial.chars().skip(serial.chars().count().saturating_sub(TAIL));
                let credited = row.kind == Some(OutcomeKind::Credited);
                let what = if credited { "入账" } else { "收到" };
                let tail = names::shown(&tail.collect::<String>());
                let detail = format!(
                    "本批曾重发，该笔先前已有另一个银行流水号，现又以尾号 {tail} 的流水号报{what}，可能重复入账"
                );
                Some((CREDITED_TWICE, detail))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Value;
    use crate::model::money::Fen;
    use crate::model::notice::NoticeState;

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
        let once = &mut Once::of(Some(&known), false);
        assert_eq!(cause(once, "A1", &row(1, CREDITED)), None);
        assert_eq!(cause(once, "B1", &row(1, CREDITED)), Some(CREDITED_TWICE));
        assert_eq!(once.is_doubtful(&Record::new(), &row(1, CREDITED)), None, "without a number");
        assert_eq!(cause(once, "B1", &row(1, Some(OutcomeKind::Failed))), None);
        assert_eq!(cause(once, "B1", &row(1, None)), None, "it does not say that it has it");
        // Within one message.
        assert_eq!(cause(once, "A2", &row(2, CREDITED)), None);
        assert_eq!(cause(once, "B2", &row(2, CREDITED)), Some(CREDITED_TWICE));
        assert_eq!(cause(&mut Once::of(None, true), "B1", &row(1, CREDITED)), None);
    }

    #[test]
    fn f31_where_numbers_are_told_before_the_credits_the_second_of_them_is_seen() {
        let known = known();
        let once = &mut Once::of(Some(&known), true);
        assert_eq!(cause(once, "A1", &row(1, None)), None);
        let (_, told) = once.is_doubtful(&under("B0000001"), &row(1, None)).expect("seen");
        assert!(told.contains("尾号 000001 ") && !told.contains("B0"), "{told}");
        let notice = TakenRow { notice: Some(NoticeState::Delivered), ..row(1, None) };
        assert_eq!(cause(once, "S77", &notice), None, "the number of an SMS");
    }

    #[test]
    fn f31_a_return_of_one_of_two_credits_waits_and_one_of_the_first_does_not() {
        let known = known();
        let once = &mut Once::of(Some(&known), false);
        assert_eq!(cause(once, "A1", &row(1, RETURNED)), None);
        assert_eq!(cause(once, "B1", &row(1, RETURNED)), Some(RETURNED_ONE));
        let (nameless, _) = once.is_doubtful(&Record::new(), &row(1, RETURNED)).expect("waits");
        assert_eq!(nameless, RETURNED_ONE);
        assert_eq!(cause(once, "B2", &row(2, RETURNED)), None, "it was credited once");
    }

    #[test]
    fn f31_a_number_of_several_payments_is_none_of_a_payment() {
        let known = Doubled::default();
        let mut once = Once::of(Some(&known), false);
        for (line, serial) in [(1, "N"), (2, "N"), (3, "A3"), (4, "A4")] {
            assert_eq!(cause(&mut once, serial, &row(line, CREDITED)), None);
        }
        let kept = once.new_serials(&[("A4".to_owned(), 9)].into());
        assert_eq!(kept, [(3, "A3".to_owned())].into());
    }
}
