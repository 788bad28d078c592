//! Read back: the finished bytes are parsed again and compared with what they shall say, before an
//! INTENT makes them durable (I20, I21). A format that does not invert sends nothing.

use crate::flow::values::{RefundValues, RowValues};
use crate::format::{DataError, Format, Item, Key, MessageKind, Part, Record};
use crate::guard::chain::RowDigest;
use crate::model::money::Fen;

/// Finished parts that were read back and say what they shall. Only these are sealed and sent.
pub struct ReadBack(Vec<Part>);

impl ReadBack {
    pub fn into_parts(self) -> Vec<Part> {
        self.0
    }
}

fn differs(message: MessageKind, record: usize, field: &str) -> DataError {
    DataError {
        message,
        part: None,
        record,
        field: field.to_owned(),
        offset: None,
        found: String::new(),
        expected: "what was to be written, when the finished bytes are read back".to_owned(),
    }
}

/// What of a payment a bank must be told exactly as finance approved it.
fn digest_row(
    digest: &mut RowDigest,
    ordinal: i64,
    name: &str,
    account: &str,
    amount: Fen,
    summary: &str,
) {
    digest.row("approved").int(ordinal).text(name).text(account).int(amount.get()).text(summary);
}

/// What a payment request shall say.
pub struct PaymentWords<'a> {
    pub reference: &'a str,
    pub pool_account: &'a str,
    pub voucher_no: &'a str,
    pub summary: &'a str,
    pub rows: &'a [RowValues],
}

/// Reads the finished bytes back and compares every payment with what finance approved (I20, I21):
/// payee, account, amount and summary; and of the head, under which reference, from which account
/// and for which voucher the money leaves. Returns the digest of the payments.
///
/// # Errors
/// Where the bytes cannot be read, or differ.
pub fn payments(
    format: &Format,
    parts: Vec<Part>,
    words: &PaymentWords<'_>,
) -> Result<(ReadBack, [u8; 32]), DataError> {
    let differs = |record, field| differs(MessageKind::PaymentRequest, record, field);
    let (mut approved, mut rendered) = (RowDigest::new(), RowDigest::new());
    for row in words.rows {
        digest_row(
            &mut approved,
            row.ordinal,
            &row.person.name,
            &row.person.account,
            row.amount,
            words.summary,
        );
    }
    let mut reading = format.read(MessageKind::PaymentRequest, &parts)?;
    let mut head_summary: Option<String> = None;
    let mut at = 0;
    while let Some(item) = reading.next()? {
        match item {
            Item::Head(head) => {
                let field = wrong_text(
                    head,
                    &[
                        (Key::Reference, "reference", words.reference),
                        (Key::PoolAccount, "pool_account", words.pool_account),
                        (Key::VoucherNo, "voucher_no", words.voucher_no),
                    ],
                );
                if let Some(field) = field {
                    return Err(differs(0, field));
                }
                head_summary = head.text(Key::Summary).map(str::to_owned);
            }
            Item::Row(row) => {
                at += 1;
                // Where the bank is told no places, the order of the rows is theirs.
                let place = i64::try_from(at).unwrap_or(i64::MAX);
                let ordinal = row.int(Key::Ordinal).unwrap_or(place);
                let (Some(name), Some(account), Some(amount)) =
                    (row.text(Key::PayeeName), row.text(Key::Account), row.amount(Key::Amount))
                else {
                    return Err(differs(at, "payee"));
                };
                let told =
                    row.text(Key::Summary).or(head_summary.as_deref()).unwrap_or(words.summary);
                digest_row(&mut rendered, ordinal, name, account, amount, told);
            }
            Item::BadRow(fault) => return Err(fault),
            Item::Tail(_) => {}
        }
    }
    let (approved, rendered) = (approved.finish(), rendered.finish());
    if at != words.rows.len() || approved != rendered {
        return Err(differs(0, "payments"));
    }
    drop(reading);
    Ok((ReadBack(parts), approved))
}

/// What a refund shall say.
pub struct RefundWords<'a> {
    pub reference: &'a str,
    pub pool_account: &'a str,
    pub voucher_no: &'a str,
    pub rows: &'a [RefundValues],
}

/// Reads a finished refund request back and compares it with the leftover that it shall carry:
/// reference, pool account, voucher, count, sum, and of every payment its amount, its original
/// reference and its account.
///
/// # Errors
/// Where the bytes cannot be read, or differ.
pub fn refund(
    format: &Format,
    parts: Vec<Part>,
    words: &RefundWords<'_>,
) -> Result<ReadBack, DataError> {
    let differs = |record, field| differs(MessageKind::RefundRequest, record, field);
    let mut reading = format.read(MessageKind::RefundRequest, &parts)?;
    let (mut told, mut heads) = (Vec::new(), 0);
    while let Some(item) = reading.next()? {
        match item {
            Item::Head(head) => {
                heads += 1;
                if let Some(field) = wrong_head(head, words) {
                    return Err(differs(0, field));
                }
            }
            Item::Row(row) => told.push(Told::of(row)),
            Item::BadRow(fault) => return Err(fault),
            Item::Tail(_) => {}
        }
    }
    if heads == 0 {
        return Err(differs(0, "head"));
    }
    if told.len() != words.rows.len() {
        return Err(differs(0, "count"));
    }
    // A format need not carry the original payment; where it carries it once, it does so always.
    let says_reference = told.iter().any(|row| row.reference.is_some());
    let says_account = told.iter().any(|row| row.account.is_some());
    for (at, (row, told)) in words.rows.iter().zip(&told).enumerate() {
        let (reference, account) = match &row.original {
            Some((reference, account)) => (reference.as_str(), account.as_str()),
            None => ("", ""),
        };
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        let wrong = if told.amount != Some(row.amount) {
            Some("amount")
        } else if told.ordinal.is_some_and(|ordinal| ordinal != row.ordinal) {
            Some("ordinal")
        } else if says_reference && said(&told.reference) != reference {
            Some("original_reference")
        } else if says_account && said(&told.account) != account {
            Some("account")
        } else {
            None
        };
        if let Some(field) = wrong {
            return Err(differs(at + 1, field));
        }
    }
    drop(reading);
    Ok(ReadBack(parts))
}

/// The first of these fields of a head that says something else than it shall. A format need not
/// carry all of them.
fn wrong_text<'f>(head: &Record, fields: &[(Key, &'f str, &str)]) -> Option<&'f str> {
    let wrong = |(key, _, expected): &&(Key, &str, &str)| {
        head.text(*key).is_some_and(|found| found != *expected)
    };
    fields.iter().find(wrong).map(|(_, name, _)| *name)
}

/// A field of a refund's head that does not say what it shall.
fn wrong_head(head: &Record, words: &RefundWords<'_>) -> Option<&'static str> {
    let sum: Fen = words.rows.iter().map(|row| row.amount).sum();
    let count = i64::try_from(words.rows.len()).unwrap_or(i64::MAX);
    let texts = [
        (Key::Reference, "reference", words.reference),
        (Key::PoolAccount, "pool_account", words.pool_account),
        (Key::VoucherNo, "voucher_no", words.voucher_no),
    ];
    if let Some(field) = wrong_text(head, &texts) {
        Some(field)
    } else if head.int(Key::Count).is_some_and(|found| found != count) {
        Some("count")
    } else if head.amount(Key::Sum).is_some_and(|found| found != sum) {
        Some("sum")
    } else {
        None
    }
}

/// What a row of a refund says.
struct Told {
    ordinal: Option<i64>,
    amount: Option<Fen>,
    reference: Option<String>,
    account: Option<String>,
}

impl Told {
    fn of(row: &Record) -> Self {
        Self {
            ordinal: row.int(Key::Ordinal),
            amount: row.amount(Key::Amount),
            reference: row.text(Key::OriginalReference).map(str::to_owned),
            account: row.text(Key::Account).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::example::example;
    use crate::format::{Moment, Source, Value};
    use crate::model::person::Person;

    const NAMES: [&str; 2] = ["example-rural-fixed", "example-city-xml"];

    fn format(name: &str) -> Format {
        Format::compile(name, example(name).expect("an example")).expect("compiles")
    }

    fn row(ordinal: i64, fen: i64, original: Option<(&str, &str)>) -> RefundValues {
        let original =
            original.map(|(reference, account)| (reference.to_owned(), account.to_owned()));
        RefundValues { ordinal, amount: Fen::new(fen), original }
    }

    fn rows() -> Vec<RefundValues> {
        vec![row(1, 12_345, Some(("T000000000042", "6217000000000000017"))), row(2, 6_700, None)]
    }

    struct Head<'a>(&'a RefundWords<'a>);

    impl Source for Head<'_> {
        fn get(&self, key: Key) -> Option<Value<'_>> {
            let moment = Moment { year: 2026, month: 11, day: 23, hour: 15, minute: 49, second: 4 };
            match key {
                Key::Reference => Some(Value::Text(self.0.reference)),
                Key::Moment => Some(Value::Moment(moment)),
                Key::PoolAccount => Some(Value::Text(self.0.pool_account)),
                Key::VoucherNo => Some(Value::Text(self.0.voucher_no)),
                _ => None,
            }
        }
    }

    fn words(rows: &[RefundValues]) -> RefundWords<'_> {
        RefundWords {
            reference: "T000000000099",
            pool_account: "6107280000000000001",
            voucher_no: "5201-0001",
            rows,
        }
    }

    fn payment(ordinal: i64, name: &str, account: &str, fen: i64) -> RowValues {
        let person = Person {
            name: name.to_owned(),
            document_kind: "id".to_owned(),
            document_number: "610728199912310019".to_owned(),
            account: account.to_owned(),
            phone: "13800000001".to_owned(),
        };
        let village = "610728101001".to_owned();
        RowValues { ordinal, line: ordinal, amount: Fen::new(fen), person, village }
    }

    const ACCOUNTS: [&str; 2] = ["6217000000000000017", "6217000000000000025"];

    fn people() -> Vec<RowValues> {
        vec![payment(1, "张三", ACCOUNTS[0], 12_345), payment(2, "李四", ACCOUNTS[1], 6_700)]
    }

    struct PaymentHead<'a>(&'a PaymentWords<'a>);

    impl Source for PaymentHead<'_> {
        fn get(&self, key: Key) -> Option<Value<'_>> {
            let moment = Moment { year: 2026, month: 11, day: 23, hour: 15, minute: 49, second: 4 };
            match key {
                Key::Reference => Some(Value::Text(self.0.reference)),
                Key::Moment => Some(Value::Moment(moment)),
                Key::PoolAccount => Some(Value::Text(self.0.pool_account)),
                Key::VoucherNo => Some(Value::Text(self.0.voucher_no)),
                Key::Summary => Some(Value::Text(self.0.summary)),
                _ => None,
            }
        }
    }

    fn payment_words(rows: &[RowValues]) -> PaymentWords<'_> {
        PaymentWords {
            reference: "T000000000042",
            pool_account: "6107280000000000001",
            voucher_no: "5201-0001",
            summary: "耕地地力保护补贴",
            rows,
        }
    }

    /// Writes one thing, reads it back for another, and gives the field that was found to differ.
    fn told(
        format: &Format,
        written: &PaymentWords<'_>,
        meant: &PaymentWords<'_>,
    ) -> Result<[u8; 32], String> {
        let kind = MessageKind::PaymentRequest;
        let parts = format.encode(kind, &PaymentHead(written), written.rows).expect("writes");
        payments(format, parts, meant).map(|(_, digest)| digest).map_err(|fault| fault.field)
    }

    #[test]
    fn i21_a_payment_that_says_something_else_is_noticed_field_by_field() {
        let meant = people();
        let mut digests = Vec::new();
        for name in NAMES {
            let format = format(name);
            let check = |written: &PaymentWords<'_>| told(&format, written, &payment_words(&meant));
            digests.push(check(&payment_words(&meant)).expect("says what it shall"));
            let head = |change: fn(&mut PaymentWords<'_>)| {
                let mut other = payment_words(&meant);
                change(&mut other);
                check(&other).expect_err("differs")
            };
            assert_eq!(head(|words| words.reference = "T000000000041"), "reference", "{name}");
            assert_eq!(head(|words| words.pool_account = "6107280000000000002"), "pool_account");
            assert_eq!(head(|words| words.voucher_no = "5201-0002"), "voucher_no", "{name}");
            assert_eq!(head(|words| words.summary = "公益林补偿"), "payments", "{name}");
            let second = || payment(2, "李四", ACCOUNTS[1], 6_700);
            for (what, other) in [
                ("a name", vec![payment(1, "张叁", ACCOUNTS[0], 12_345), second()]),
                ("an account", vec![payment(1, "张三", "6217000000000000018", 12_345), second()]),
                ("an amount", vec![payment(1, "张三", ACCOUNTS[0], 12_346), second()]),
                (
                    "amounts that changed places",
                    vec![
                        payment(1, "张三", ACCOUNTS[0], 6_700),
                        payment(2, "李四", ACCOUNTS[1], 12_345),
                    ],
                ),
                (
                    "an ordinal",
                    vec![
                        payment(1, "张三", ACCOUNTS[0], 12_345),
                        payment(3, "李四", ACCOUNTS[1], 6_700),
                    ],
                ),
                (
                    "the order",
                    vec![
                        payment(1, "李四", ACCOUNTS[1], 6_700),
                        payment(2, "张三", ACCOUNTS[0], 12_345),
                    ],
                ),
                ("a row missing", vec![payment(1, "张三", ACCOUNTS[0], 12_345)]),
                (
                    "a row more",
                    vec![
                        payment(1, "张三", ACCOUNTS[0], 12_345),
                        second(),
                        payment(3, "王五", "6217000000000000033", 1),
                    ],
                ),
            ] {
                let found = check(&payment_words(&other)).expect_err(what);
                assert_eq!(found, "payments", "{name}: {what}");
            }
        }
        assert_eq!(digests[0], digests[1], "what was approved is told alike to every bank");
    }

    #[test]
    fn i21_finished_bytes_that_were_changed_are_refused() {
        let meant = people();
        let words = payment_words(&meant);
        let format = format("example-city-xml");
        let kind = MessageKind::PaymentRequest;
        let parts = || format.encode(kind, &PaymentHead(&words), words.rows).expect("writes");
        assert!(payments(&format, parts(), &words).is_ok());
        for (from, to) in [
            (ACCOUNTS[0], ACCOUNTS[1]),
            ("<Amount>12345<", "<Amount>12354<"),
            ("T000000000042", "T000000000024"),
        ] {
            let mut changed = parts();
            let bytes = &mut changed[0].bytes;
            let at = bytes.windows(from.len()).position(|some| some == from.as_bytes());
            let at = at.unwrap_or_else(|| panic!("{from} is not in the message"));
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            assert!(payments(&format, changed, &words).is_err(), "{from} became {to}");
        }
    }

    #[test]
    fn i20_a_refund_that_says_something_else_is_noticed_field_by_field() {
        let meant = rows();
        for name in NAMES {
            let format = format(name);
            let check = |written: &RefundWords<'_>| {
                let kind = MessageKind::RefundRequest;
                let parts = format.encode(kind, &Head(written), written.rows).expect("writes");
                refund(&format, parts, &words(&meant)).map(|_| ()).map_err(|fault| fault.field)
            };
            assert_eq!(check(&words(&meant)), Ok(()), "{name}");
            let head = |change: fn(&mut RefundWords<'_>)| {
                let mut other = words(&meant);
                change(&mut other);
                check(&other).expect_err("differs")
            };
            assert_eq!(head(|words| words.reference = "T000000000098"), "reference");
            assert_eq!(head(|words| words.pool_account = "6107280000000000002"), "pool_account");
            assert_eq!(head(|words| words.voucher_no = "5201-0002"), "voucher_no");
            let (account, reference) = ("6217000000000000017", "T000000000042");
            let original = Some((reference, account));
            for (field, other) in [
                ("count", vec![row(1, 19_045, original)]),
                ("sum", vec![row(1, 12_346, original), row(2, 6_700, None)]),
                ("amount", vec![row(1, 6_700, original), row(2, 12_345, None)]),
                (
                    "original_reference",
                    vec![row(1, 12_345, Some(("T000000000041", account))), row(2, 6_700, None)],
                ),
                (
                    "account",
                    vec![
                        row(1, 12_345, Some((reference, "6217000000000000018"))),
                        row(2, 6_700, None),
                    ],
                ),
            ] {
                assert_eq!(check(&words(&other)), Err(field.to_owned()), "{name}");
            }
        }
    }
}
