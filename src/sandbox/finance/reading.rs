//! The practice finance's book read from outside: a test judges while the practice finance runs in
//! another process, or after it was killed, as it does with the books of the practice banks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::model::outcome::Folded;
use crate::sandbox::bank::Card;
use crate::sandbox::finance::book::{Book, Entry, FILE, Opened, entries_of};
use crate::sandbox::finance::judge::Judgement;
use crate::sandbox::finance::registers::Registers;
use crate::sandbox::finance::{Options, PracticeError, RegisterKind};

/// What a book says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub judgement: Judgement,
    /// What lies on each card by what finance was told, to be compared with the books of the banks:
    /// a payment that went out twice under two references is found so.
    pub cards: BTreeMap<String, Card>,
}

/// Judges the book in `folder`, also one that another process is writing; nothing, where it is not
/// begun.
///
/// # Errors
/// [`PracticeError`] where it cannot be read.
pub fn read_book(folder: &Path) -> Result<Option<Reading>, PracticeError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let failed = |error| PracticeError::file(&path, error);
    let mut file = File::open(&path).map_err(failed)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    let mut entries = entries_of(&text, &path)?.0.into_iter();
    let Some(first) = entries.next() else { return Ok(None) };
    let Entry::Opened(opened) = first else {
        return Err(PracticeError::Book { path, line: 1 });
    };
    let at_ms = opened.at_ms;
    let registers = Registers::new(options(opened), at_ms);
    let mut book = Book::reading(file, registers.count());
    for entry in entries {
        book.apply(&registers, entry);
    }
    Ok(Some(Reading { judgement: book.judge(&registers), cards: cards(&book, &registers) }))
}

/// The options that a book was begun with, as far as registers follow from them.
fn options(opened: Opened) -> Options {
    Options {
        seed: opened.seed,
        source: opened.source,
        registers: opened.registers,
        payments: opened.payments,
        banks: opened.banks,
        kinds: opened.kinds.iter().filter_map(|kind| RegisterKind::parse(kind)).collect(),
        ..Options::practice()
    }
}

fn cards(book: &Book, registers: &Registers) -> BTreeMap<String, Card> {
    let mut cards: BTreeMap<String, Card> = BTreeMap::new();
    for (at, sheet) in book.sheets.iter().enumerate() {
        for (line, tally) in (0_i64..).zip(&sheet.tallies).skip(1) {
            if tally.seen.fold() == Folded::Credited {
                let card = cards.entry(registers.line(at, line).person.account).or_default();
                card.credits += 1;
                card.fen += registers.amount(at, line).get();
            }
        }
    }
    cards
}
