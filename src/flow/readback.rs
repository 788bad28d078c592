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

/// Reads the finished bytes back and compares every payment with what finance approved (I20, I21):
/// payee, account, amount and summary. Returns their digest.
///
/// # Errors
/// Where the bytes cannot be read, or differ.
pub fn payments(
    format: &Format,
    parts: Vec<Part>,
    reference: &str,
    summary: &str,
    rows: &[RowValues],
) -> Result<(ReadBack, [u8; 32]), DataError> {
    let differs = |record, field| differs(MessageKind::PaymentRequest, record, field);
    let (mut approved, mut rendered) = (RowDigest::new(), RowDigest::new());
    for row in rows {
        digest_row(
            &mut approved,
            row.ordinal,
            &row.person.name,
            &row.person.account,
            row.amount,
            summary,
        );
    }
    let mut reading = format.read(MessageKind::PaymentRequest, &parts)?;
    let mut head_summary: Option<String> = None;
    let mut at = 0;
    while let Some(item) = reading.next()? {
        match item {
            Item::Head(head) => {
                if head.text(Key::Reference).is_some_and(|found| found != reference) {
                    return Err(differs(0, "reference"));
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
                let told = row.text(Key::Summary).or(head_summary.as_deref()).unwrap_or(summary);
                digest_row(&mut rendered, ordinal, name, account, amount, told);
            }
            Item::BadRow(fault) => return Err(fault),
            Item::Tail(_) => {}
        }
    }
    let (approved, rendered) = (approved.finish(), rendered.finish());
    if at != rows.len() || approved != rendered {
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

/// A field of the head that does not say what it shall.
fn wrong_head(head: &Record, words: &RefundWords<'_>) -> Option<&'static str> {
    let sum: Fen = words.rows.iter().map(|row| row.amount).sum();
    let count = i64::try_from(words.rows.len()).unwrap_or(i64::MAX);
    let other = |key, expected: &str| head.text(key).is_some_and(|found| found != expected);
    if other(Key::Reference, words.reference) {
        Some("reference")
    } else if other(Key::PoolAccount, words.pool_account) {
        Some("pool_account")
    } else if other(Key::VoucherNo, words.voucher_no) {
        Some("voucher_no")
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
