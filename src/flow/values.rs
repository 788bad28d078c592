//! What a format may ask about: the head and the rows of a message, as the store keeps them.

use crate::clock::local_parts;
use crate::format::{Key, MessageKind, Moment, Source, Value};
use crate::model::money::Fen;
use crate::model::person::Person;
use crate::model::register::RegisterHead;
use crate::store::facts::RegisterFacts;

/// Does the road know this of the whole of a message? A sum and a count are computed.
const fn of_the_whole(key: Key) -> bool {
    match key {
        Key::Count | Key::Sum | Key::BankReference => true,
        _ => key.is_of_the_whole(),
    }
}

/// Does the road know this value, of a row or of the whole of a message of ours? It may still be empty in one
/// register or another; what is not known is empty in all of them.
pub const fn is_known(kind: MessageKind, of_row: bool, key: Key) -> bool {
    if !of_row || key.is_of_the_whole() {
        return of_the_whole(key);
    }
    match kind {
        MessageKind::PaymentRequest => matches!(
            key,
            Key::Ordinal
                | Key::PayeeName
                | Key::DocumentKind
                | Key::DocumentNumber
                | Key::Account
                | Key::Phone
                | Key::Village
                | Key::Amount
        ),
        MessageKind::RefundRequest => {
            matches!(key, Key::Ordinal | Key::Amount | Key::OriginalReference | Key::Account)
        }
        _ => false,
    }
}

/// The head of a message.
pub struct HeadValues<'a> {
    pub facts: &'a RegisterFacts,
    pub bank: &'a str,
    pub reference: &'a str,
    /// The bank's own number of what is asked about, else empty.
    pub bank_reference: &'a str,
    pub at_ms: i64,
    /// What a query asks for, else empty.
    pub section: &'a str,
    /// How often this bank was sent a file today, this one included, where it asks for that.
    pub day_sequence: Option<i64>,
}

/// One payment of a message.
pub struct RowValues {
    /// Its place in the batch, from 1.
    pub ordinal: i64,
    pub line: i64,
    pub amount: Fen,
    pub person: Person,
    pub village: String,
}

/// A moment as a format prints it.
pub fn moment(at_ms: i64) -> Moment {
    let (year, [month, day, hour, minute, second]) = local_parts(at_ms);
    Moment { year, month, day, hour, minute, second }
}

fn text(text: &str) -> Option<Value<'_>> {
    (!text.is_empty()).then_some(Value::Text(text))
}

impl Source for HeadValues<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Reference => text(self.reference),
            Key::BankReference => text(self.bank_reference),
            Key::Moment => Some(Value::Moment(moment(self.at_ms))),
            Key::Summary => text(&self.facts.summary),
            Key::ProgrammeCode => text(&self.facts.programme_code),
            Key::ProgrammeName => text(&self.facts.programme_name),
            Key::Department => text(&self.facts.department),
            Key::Town => text(&self.facts.town),
            Key::PoolAccount => text(&self.facts.pool_account),
            Key::VoucherNo => text(&self.facts.voucher_no),
            Key::DocumentNo => text(&self.facts.document_no),
            Key::Period => text(&self.facts.period),
            Key::RegisterId => text(&self.facts.id),
            Key::Bank => text(self.bank),
            Key::Section => text(self.section),
            Key::DaySequence => self.day_sequence.map(Value::Int),
            _ => None,
        }
    }
}

/// What the check at intake may ask about the head, before there is a batch.
pub struct IntakeHead<'a> {
    pub head: &'a RegisterHead,
    pub bank: &'a str,
}

impl Source for IntakeHead<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Summary => text(&self.head.summary),
            Key::ProgrammeCode => text(&self.head.programme_code),
            Key::ProgrammeName => text(&self.head.programme_name),
            Key::Department => text(&self.head.department),
            Key::Town => text(&self.head.town),
            Key::PoolAccount => text(&self.head.pool_account),
            Key::VoucherNo => text(&self.head.voucher_no),
            Key::DocumentNo => text(&self.head.document_no),
            Key::Period => text(&self.head.period),
            Key::RegisterId => text(&self.head.id),
            Key::Bank => text(self.bank),
            _ => None,
        }
    }
}

fn person_value<'p>(
    person: &'p Person,
    village: &'p str,
    amount: Fen,
    key: Key,
) -> Option<Value<'p>> {
    match key {
        Key::PayeeName => text(&person.name),
        Key::DocumentKind => text(&person.document_kind),
        Key::DocumentNumber => text(&person.document_number),
        Key::Account => text(&person.account),
        Key::Phone => text(&person.phone),
        Key::Village => text(village),
        Key::Amount => Some(Value::Amount(amount)),
        _ => None,
    }
}

impl Source for RowValues {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Ordinal => Some(Value::Int(self.ordinal)),
            _ => person_value(&self.person, &self.village, self.amount, key),
        }
    }
}

/// A line of finance, as the check at intake sees it.
pub struct LineValues<'a>(pub &'a crate::model::payment::Line);

impl Source for LineValues<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        person_value(&self.0.person, &self.0.village, self.0.amount, key)
    }
}

/// One payment of a refund. What was never sent has no reference, and its account may be what the
/// bank's format cannot write: it goes by its amount alone. Nobody's name is needed to give money
/// back.
pub struct RefundValues {
    pub ordinal: i64,
    pub amount: Fen,
    /// Our reference of the attempt that carried it, and the account it was for.
    pub original: Option<(String, String)>,
}

impl Source for RefundValues {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::Ordinal => Some(Value::Int(self.ordinal)),
            Key::Amount => Some(Value::Amount(self.amount)),
            Key::OriginalReference => {
                self.original.as_ref().and_then(|(reference, _)| text(reference))
            }
            Key::Account => self.original.as_ref().and_then(|(_, account)| text(account)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_known_of_a_payment_is_what_there_is() {
        let text = || "x".to_owned();
        let person = Person {
            name: text(),
            document_kind: text(),
            document_number: text(),
            account: text(),
            phone: text(),
        };
        let amount = Fen::new(1);
        let row = RowValues { ordinal: 1, line: 1, amount, person, village: text() };
        let refund = RefundValues { ordinal: 1, amount, original: Some((text(), text())) };
        for key in Key::ALL.iter().copied().filter(|key| !key.is_of_the_whole()) {
            let known = |kind| is_known(kind, true, key);
            assert_eq!(known(MessageKind::PaymentRequest), row.get(key).is_some(), "{key}");
            assert_eq!(known(MessageKind::RefundRequest), refund.get(key).is_some(), "{key}");
        }
    }
}
