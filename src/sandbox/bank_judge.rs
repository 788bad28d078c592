//! What a practice bank's book comes to: judged offline, from the file alone, so that a test can
//! judge while the bank runs in another process, or after it was killed.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use crate::sandbox::bank_book::{BOOK, BookError, Entry, Row, read_entries};

/// One payment that was credited more than once, net of what came back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreditedTwice {
    pub reference: String,
    pub ordinal: i64,
    pub times: i64,
}

/// What the bank's own book says. Money in fen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankVerdict {
    /// Payments, by our reference and row, with more than one net credit (I1).
    pub credits_twice: Vec<CreditedTwice>,
    /// Batches taken; a second booking of one counts again.
    pub requests: u64,
    pub refused: u64,
    /// Every credit, also those that came back.
    pub credited_count: u64,
    pub credited_fen: i64,
    pub failed_count: u64,
    pub failed_fen: i64,
    pub returned_count: u64,
    pub returned_fen: i64,
    pub refunds: u64,
    pub refunded_fen: i64,
    /// Movement of the pool accounts since the book began, which knows no funding: when all is
    /// closed it is minus what finance approved.
    pub pool_balance: i64,
    /// What a sender did that none may, in the bank's words.
    pub offences: Vec<String>,
}

/// What one card got, net of what came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Card {
    pub credits: i64,
    pub fen: i64,
}

/// Judges a book, also one that another process is writing.
///
/// # Errors
/// The book cannot be read. A folder without a book is an empty one.
pub fn read_book(folder: &Path) -> Result<BankVerdict, BookError> {
    let mut verdict = BankVerdict::default();
    let mut net: HashMap<String, HashMap<i64, i64>> = HashMap::new();
    each_entry(folder, |entry| verdict.add(entry, &mut net))?;
    verdict.pool_balance = verdict.returned_fen - verdict.credited_fen - verdict.refunded_fen;
    for (reference, rows) in net {
        for (ordinal, times) in rows.into_iter().filter(|(_, times)| *times > 1) {
            let reference = reference.clone();
            verdict.credits_twice.push(CreditedTwice { reference, ordinal, times });
        }
    }
    verdict.credits_twice.sort();
    Ok(verdict)
}

/// What every card got: to be compared with what finance approved for it, so that a payment that
/// went out twice under two references is found too.
///
/// # Errors
/// The book cannot be read.
pub fn read_cards(folder: &Path) -> Result<BTreeMap<String, Card>, BookError> {
    let mut cards: BTreeMap<String, Card> = BTreeMap::new();
    let mut add = |rows: Vec<Row>, sign: i64| {
        for row in rows.into_iter().filter(|r| r.fate.is_credit()) {
            let card = cards.entry(row.account).or_default();
            card.credits += sign;
            card.fen += sign * row.fen;
        }
    };
    each_entry(folder, |entry| match entry {
        Entry::Request { rows, .. } => add(rows, 1),
        Entry::Return { rows, .. } => add(rows, -1),
        Entry::Refused { .. }
        | Entry::Refund { .. }
        | Entry::Offence { .. }
        | Entry::Told { .. } => {}
    })?;
    Ok(cards)
}

/// How one of a sender's references fared. Payments, but for `taken`, `refused` and `refunded`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fared {
    /// How often it was booked; more than once is twice paid, where nothing came back.
    pub taken: u64,
    pub refused: u64,
    pub credited: u64,
    pub failed: u64,
    pub returned: u64,
    pub refunded: u64,
}

/// How each reference fared.
///
/// # Errors
/// The book cannot be read.
pub fn read_references(folder: &Path) -> Result<BTreeMap<String, Fared>, BookError> {
    let mut all: BTreeMap<String, Fared> = BTreeMap::new();
    each_entry(folder, |entry| match entry {
        Entry::Request { reference, rows, .. } => {
            let fared = all.entry(reference).or_default();
            let credited = rows.iter().filter(|row| row.fate.is_credit()).count() as u64;
            fared.taken += 1;
            fared.credited += credited;
            fared.failed += rows.len() as u64 - credited;
        }
        Entry::Return { reference, rows, .. } => {
            all.entry(reference).or_default().returned += rows.len() as u64;
        }
        Entry::Refused { reference, .. } => all.entry(reference).or_default().refused += 1,
        Entry::Refund { reference, .. } => all.entry(reference).or_default().refunded += 1,
        Entry::Offence { .. } | Entry::Told { .. } => {}
    })?;
    Ok(all)
}

fn each_entry(folder: &Path, mut each: impl FnMut(Entry)) -> Result<(), BookError> {
    match read_entries(&folder.join(BOOK), |entry, _| each(entry)) {
        Ok(_) => Ok(()),
        Err(BookError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

impl BankVerdict {
    fn add(&mut self, entry: Entry, net: &mut HashMap<String, HashMap<i64, i64>>) {
        match entry {
            Entry::Request { reference, rows, .. } => {
                self.requests += 1;
                let cards = net.entry(reference).or_default();
                for row in rows {
                    if row.fate.is_credit() {
                        self.credited_count += 1;
                        self.credited_fen += row.fen;
                        *cards.entry(row.ordinal).or_default() += 1;
                    } else {
                        self.failed_count += 1;
                        self.failed_fen += row.fen;
                    }
                }
            }
            Entry::Return { reference, rows, .. } => {
                let cards = net.entry(reference).or_default();
                for row in rows {
                    self.returned_count += 1;
                    self.returned_fen += row.fen;
                    *cards.entry(row.ordinal).or_default() -= 1;
                }
            }
            Entry::Refused { .. } => self.refused += 1,
            Entry::Refund { fen, .. } => {
                self.refunds += 1;
                self.refunded_fen += fen;
            }
            Entry::Offence { reference, text, .. } => {
                self.offences.push(format!("{reference}: {text}"));
            }
            Entry::Told { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sandbox::bank_book::{Book, Fate, Told};

    use super::*;

    fn row(ordinal: i64, fen: i64, fate: Fate) -> Row {
        Row {
            ordinal,
            account: format!("6217{ordinal:08}"),
            name: "王小明".to_owned(),
            fen,
            phone: String::new(),
            fate,
        }
    }

    fn request(reference: &str, rows: Vec<Row>) -> Entry {
        Entry::Request {
            at_ms: 7,
            reference: reference.to_owned(),
            sha256: "aa".to_owned(),
            pool: "POOL".to_owned(),
            lost: false,
            rows,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(1, 100, Fate::Credited),
            row(2, 250, Fate::CreditedForNow),
            row(3, 7, Fate::Closed),
        ]
    }

    #[test]
    fn a_book_says_again_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut book = Book::open(folder.path()).expect("opened");
        book.write(&request("A", rows())).expect("written");
        book.write(&Entry::Return {
            at_ms: 9,
            reference: "A".to_owned(),
            rows: vec![row(2, 250, Fate::CreditedForNow)],
        })
        .expect("written");
        book.write(&Entry::Refund {
            at_ms: 9,
            reference: "F".to_owned(),
            sha256: "bb".to_owned(),
            pool: "POOL".to_owned(),
            fen: 257,
        })
        .expect("written");
        book.note(10, "A", Told::Result).expect("noted");
        let again = Book::open(folder.path()).expect("opened again");
        let known = again.request("A").expect("known");
        assert_eq!(again.rows(known).expect("read"), rows());
        assert_eq!(again.returned(known).expect("read").len(), 1);
        assert!(known.was_told(Told::Result) && !known.to_return);
        assert_eq!(again.refund("F").expect("known").fen, 257);
        let verdict = read_book(folder.path()).expect("judged");
        assert_eq!(verdict.credits_twice, []);
        assert_eq!((verdict.credited_count, verdict.credited_fen), (2, 350));
        assert_eq!((verdict.returned_fen, verdict.refunded_fen), (250, 257));
        // Three payments of 357 fen in all were approved, and all are closed.
        assert_eq!(verdict.pool_balance, -357);
        let fared = read_references(folder.path()).expect("read");
        let batch = Fared { taken: 1, credited: 2, failed: 1, returned: 1, ..Fared::default() };
        assert_eq!(fared["A"], batch);
        assert_eq!(fared["F"], Fared { refunded: 1, ..Fared::default() });
        let cards = read_cards(folder.path()).expect("read");
        assert_eq!(cards["621700000001"], Card { credits: 1, fen: 100 });
        assert_eq!(cards["621700000002"], Card { credits: 0, fen: 0 });
    }

    #[test]
    fn i1_a_second_booking_is_seen_and_a_return_makes_room_for_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut book = Book::open(folder.path()).expect("opened");
        book.write(&request("A", rows())).expect("written");
        book.write(&request("A", rows())).expect("written");
        let back = vec![row(2, 250, Fate::CreditedForNow)];
        let reference = "A".to_owned();
        book.write(&Entry::Return { at_ms: 9, reference: reference.clone(), rows: back })
            .expect("written");
        let verdict = read_book(folder.path()).expect("judged");
        assert_eq!(verdict.credits_twice, [CreditedTwice { reference, ordinal: 1, times: 2 }]);
        assert_eq!(read_cards(folder.path()).expect("read")["621700000001"].fen, 200);
    }

    #[test]
    fn f11_a_kill_at_any_byte_leaves_a_whole_request_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(BOOK);
        let mut book = Book::open(folder.path()).expect("opened");
        book.write(&request("A", rows())).expect("written");
        let first = std::fs::metadata(&path).expect("there").len();
        book.write(&request("B", rows())).expect("written");
        let whole = std::fs::read(&path).expect("read");
        for cut in usize::try_from(first).expect("small")..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("torn");
            let torn = read_book(folder.path()).expect("judged while torn");
            let mut book = Book::open(folder.path()).expect("opened");
            let taken = cut == whole.len();
            assert_eq!(book.request("B").is_some(), taken, "cut at {cut}");
            assert_eq!(torn.credited_count, if taken { 4 } else { 2 });
            // The sender repeats what was not answered: it is booked once, and whole.
            if !taken {
                book.write(&request("B", rows())).expect("written");
            }
            let verdict = read_book(folder.path()).expect("judged");
            assert_eq!((verdict.credits_twice.len(), verdict.credited_count), (0, 4));
            assert_eq!(std::fs::read(&path).expect("read"), whole);
        }
    }

    #[test]
    fn a_bad_line_in_the_middle_is_not_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut book = Book::open(folder.path()).expect("opened");
        book.write(&request("A", rows())).expect("written");
        let path = folder.path().join(BOOK);
        let good = std::fs::read(&path).expect("read");
        let bad = [good.as_slice(), b"{}\n", good.as_slice()].concat();
        std::fs::write(&path, bad).expect("written");
        assert!(matches!(Book::open(folder.path()), Err(BookError::Line { line: 2, .. })));
    }
}
