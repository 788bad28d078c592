//! Taking a report: every row is compared with what was released before anything is acknowledged.

use serde::Deserialize;

use crate::finance::report::{About, FaultRow, Head, HeldRow, NoticeRow, RefundRow, ResultRow};
use crate::finance::spoken::{Sha256, When, Yuan};
use crate::finance::wire::{AcknowledgedWire, json_words};
use crate::guard::digest::sha256;
use crate::model::money::Fen;
use crate::model::outcome::{Folded, OutcomeKind};
use crate::model::person::{town_of, village_code_is_plausible};
use crate::model::report::{RecipientKind, redact};
use crate::sandbox::finance::PracticeFinance;
use crate::sandbox::finance::book::{Entry, Mark, Taken};
use crate::sandbox::finance::registers::Registers;

/// Why a report is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks the contract, or says what cannot be.
    Report(String),
    /// The id was used for another body.
    Differs,
    /// There is no such register.
    NoRegister,
    /// The book cannot be written.
    Book,
}

impl PracticeFinance {
    /// Takes a report, or says why not. The same one again is answered as at first.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn take(&self, report_id: &str, body: &[u8]) -> Result<AcknowledgedWire, Refusal> {
        let digest = sha256(body);
        if let Some(answer) = self.known(report_id, digest) {
            return answer;
        }
        let (head, marks) = check(&self.registers, report_id, body)?;
        let mut book = self.book();
        // Somebody may have delivered it in the meantime.
        if let Some((known, at_ms)) = book.reports.get(report_id) {
            return answer(report_id, *known == digest, *at_ms);
        }
        let at_ms = self.clock.now_ms();
        let taken = Taken { at_ms, digest: Sha256(digest), head, marks };
        let entry = Entry::Report(Box::new(taken));
        book.append(&entry).map_err(|_| Refusal::Book)?;
        book.apply(&self.registers, entry);
        answer(report_id, true, at_ms)
    }

    fn known(
        &self,
        report_id: &str,
        digest: [u8; 32],
    ) -> Option<Result<AcknowledgedWire, Refusal>> {
        let book = self.book();
        let (known, at_ms) = book.reports.get(report_id)?;
        Some(answer(report_id, *known == digest, *at_ms))
    }
}

fn answer(report_id: &str, same: bool, at_ms: i64) -> Result<AcknowledgedWire, Refusal> {
    let wire = AcknowledgedWire { report_id: report_id.to_owned(), acknowledged_at: When(at_ms) };
    if same { Ok(wire) } else { Err(Refusal::Differs) }
}

/// A report being checked against the register that it is about.
struct Check<'a> {
    registers: &'a Registers,
    at: usize,
    head: &'a Head,
    department: String,
    /// The number of the row, from 1.
    row: i64,
    sum: Fen,
    marks: Vec<(i64, Mark)>,
}

fn check(
    registers: &Registers,
    report_id: &str,
    body: &[u8],
) -> Result<(Head, Vec<(i64, Mark)>), Refusal> {
    let refuse = |words: &str| Refusal::Report(words.to_owned());
    let Some(text) = body.strip_suffix(b"\n") else {
        return Err(refuse("the body does not end with a line end"));
    };
    let mut lines = text.split(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    let head: Head = serde_json::from_slice(first)
        .map_err(|error| Refusal::Report(format!("head: {}", json_words(&error))))?;
    if head.report_id != report_id || head.revision != 1 {
        return Err(refuse("head: it names another report or revision"));
    }
    let at = registers.find(&head.register).ok_or(Refusal::NoRegister)?;
    let department = registers.head(at).department;
    let mut check =
        Check { registers, at, head: &head, department, row: 0, sum: Fen::ZERO, marks: Vec::new() };
    check.recipient()?;
    for line in lines {
        check.row += 1;
        check.row_of(line)?;
    }
    check.end()?;
    let marks = check.marks;
    Ok((head, marks))
}

impl Check<'_> {
    fn refuse<T>(&self, words: &str) -> Result<T, Refusal> {
        Err(Refusal::Report(format!("row {}: {words}", self.row)))
    }

    fn recipient(&self) -> Result<(), Refusal> {
        let to = &self.head.recipient;
        let right = match to.kind {
            RecipientKind::Finance => to.name.is_empty(),
            RecipientKind::Department => to.name == self.department,
            RecipientKind::Town => to.name.len() == 9,
        };
        if right {
            Ok(())
        } else {
            self.refuse("the recipient has nothing to do with the register")
        }
    }

    fn row_of(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        match &self.head.about {
            About::Receipt(_) => self.read::<FaultRow>(raw).map(|_| ()),
            About::SetAside(_) => {
                let row: HeldRow = self.read(raw)?;
                self.line(row.line, row.amount)?;
                self.person(row.line, &row.name, &row.document_number, &row.account)?;
                self.marks.push((row.line, Mark::Held(row.reason)));
                Ok(())
            }
            About::Results(_) => {
                let row: ResultRow = self.read(raw)?;
                self.result(&row)
            }
            About::Notices(_) => {
                let row: NoticeRow = self.read(raw)?;
                self.line(row.line, Yuan(self.registers.amount(self.at, row.line)))?;
                self.marks.push((row.line, Mark::Notice(row.state)));
                Ok(())
            }
            About::Refund(_) => {
                let row: RefundRow = self.read(raw)?;
                self.line(row.line, row.amount)?;
                self.marks.push((row.line, Mark::Refunded(row.cause)));
                Ok(())
            }
            About::Closing(_) => self.refuse("a closing account has no rows"),
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, raw: &'a [u8]) -> Result<T, Refusal> {
        serde_json::from_slice(raw).or_else(|error| self.refuse(&json_words(&error)))
    }

    /// The line exists, has this amount, and concerns the recipient.
    fn line(&mut self, line: i64, amount: Yuan) -> Result<(), Refusal> {
        if !(1..=self.registers.payments()).contains(&line) {
            return self.refuse("the register has no such line");
        }
        if self.registers.amount(self.at, line) != amount.0 {
            return self.refuse("the line has another amount");
        }
        if self.head.recipient.kind == RecipientKind::Town {
            let village = self.registers.village(self.at, line);
            let own = self.registers.town(self.at);
            let town = if village_code_is_plausible(&village) { town_of(&village) } else { None };
            if town.unwrap_or(&own) != self.head.recipient.name {
                return self.refuse("the line is another town's");
            }
        }
        self.sum = [self.sum, amount.0].into_iter().sum();
        Ok(())
    }

    fn person(
        &self,
        line: i64,
        name: &str,
        document_number: &str,
        account: &str,
    ) -> Result<(), Refusal> {
        let person = self.registers.line(self.at, line).person;
        let same = person.name == name
            && person.document_number == document_number
            && person.account == account;
        if same { Ok(()) } else { self.refuse("the line has another payee") }
    }

    fn result(&mut self, row: &ResultRow<'_>) -> Result<(), Refusal> {
        self.line(row.line, row.amount)?;
        let mark = match row.outcome {
            Folded::Pending => return self.refuse("pending is no result"),
            Folded::Conflict => Mark::Conflict,
            Folded::Credited => Mark::Outcome(OutcomeKind::Credited),
            Folded::Failed => Mark::Outcome(OutcomeKind::Failed),
            Folded::Returned => Mark::Outcome(OutcomeKind::Returned),
        };
        match (&row.failure, row.outcome.is_refundable()) {
            (Some(failure), true) => {
                self.person(row.line, &failure.name, &failure.document_number, &failure.account)?;
                if redact(&failure.bank_text) != failure.bank_text {
                    return self.refuse("the bank's words name somebody");
                }
            }
            (None, true) => return self.refuse("a failed or returned payment has its reason"),
            (Some(_), false) => return self.refuse("only failed and returned have a reason"),
            (None, false) => {}
        }
        self.marks.push((row.line, mark));
        Ok(())
    }

    fn end(&self) -> Result<(), Refusal> {
        if self.head.rows != self.row {
            return self.refuse("the head says another number of rows");
        }
        let said = match &self.head.about {
            About::SetAside(about) => about.sum,
            About::Refund(about) => about.amount,
            _ => return Ok(()),
        };
        if said.0 == self.sum { Ok(()) } else { self.refuse("the head says another sum") }
    }
}
