//! What a practice bank says about payments: results, returns and notices from the book, and the
//! results that are spoilt because the bank was told to spoil them.

use crate::format::{Format, Key, MessageKind, Part};
use crate::model::attempt::Answer;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;
use crate::sandbox::bank::{BankError, Often};
use crate::sandbox::bank_book::{Fate, Known, Row};
use crate::sandbox::bank_desk::{Desk, lock};
use crate::sandbox::bank_speech::{Head, Line, break_the_sum};

impl Desk {
    /// The results of a batch: one message, or two where they are to be cut in two, repeated or
    /// contradicted. What is spoilt on purpose is spoilt once.
    pub fn results(
        &self,
        kind: MessageKind,
        reference: &str,
        known: &Known,
        rows: &[Row],
    ) -> Result<Vec<Vec<Part>>, BankError> {
        let faults = self.faults();
        let on = |often: Often, what: &str| faults.comes(often, what, known.no, reference);
        let by_file = kind == MessageKind::Result;
        let mut lines = self.lines(kind, reference, known, rows);
        let mut head = self.head(kind, reference, Answer::Done);
        head.bank_reference = self.number_of_all(reference, known);
        if self.speech.format().failures_only(kind) {
            let credited: Vec<&Row> = rows.iter().filter(|row| row.fate.is_credit()).collect();
            let count = i64::try_from(credited.len()).unwrap_or(i64::MAX);
            head.credited = Some((count, credited.iter().map(|row| row.fen).sum()));
            let failed =
                |ordinal: i64| rows.iter().any(|r| r.ordinal == ordinal && !r.fate.is_credit());
            lines.retain(|line| failed(line.ordinal));
            return Ok(vec![self.speech.say(kind, &head, &lines)?]);
        }
        if !lock(&self.answered).insert(reference.to_owned()) {
            // Asked again: the right answer, in a file of its own.
            if by_file {
                head.serial = format!("R{}", self.now());
            }
            return Ok(vec![self.speech.say(kind, &head, &lines)?]);
        }
        self.spoil(&mut lines, reference, known);
        let (back, serial) = match lines.first() {
            Some(first) if on(faults.contradict, "contradict") => {
                (vec![self.contradicted(kind, first)], "C2")
            }
            Some(_) if by_file && on(faults.split_result, "split") => {
                (lines.split_off(lines.len() / 2), "S2")
            }
            Some(_) if by_file && on(faults.repeat_result, "repeat") => (lines.clone(), "D2"),
            _ => (Vec::new(), ""),
        };
        if by_file && !back.is_empty() && !lines.is_empty() {
            let front = self.speech.say(kind, &head, &lines)?;
            serial.clone_into(&mut head.serial);
            return Ok(vec![front, self.speech.say(kind, &head, &back)?]);
        }
        lines.extend(back);
        let mut message = self.speech.say(kind, &head, &lines)?;
        if on(faults.wrong_sum, "sum") {
            if let Some(first) = lines.first_mut() {
                first.fen += 1;
            }
            break_the_sum(&mut message, &self.speech.say(kind, &head, &lines)?);
        }
        Ok(vec![message])
    }

    fn spoil(&self, lines: &mut [Line], reference: &str, known: &Known) {
        let faults = self.faults();
        let on = |often: Often, what: &str| faults.comes(often, what, known.no, reference);
        let Some(first) = lines.first_mut() else { return };
        if on(faults.wrong_amount, "amount") {
            first.fen += 100;
        }
        if on(faults.wrong_account, "account") {
            first.account = first.account.chars().rev().collect();
        }
        if on(faults.unknown_row, "row") {
            first.ordinal += 90_000;
        }
    }

    fn contradicted(&self, kind: MessageKind, line: &Line) -> Line {
        let failed = self.speech.outcome(kind, OutcomeKind::Failed, Some(Reason::AccountClosed));
        let credited = self.speech.outcome(kind, OutcomeKind::Credited, None);
        let code = if line.code == failed { credited } else { failed };
        Line { code, text: "状态更正".to_owned(), ..line.clone() }
    }

    fn lines(&self, kind: MessageKind, reference: &str, known: &Known, rows: &[Row]) -> Vec<Line> {
        let head = Head::at(reference, self.now());
        let code = |said, reason| self.speech.outcome(kind, said, reason);
        let credited = code(OutcomeKind::Credited, None);
        let account = code(OutcomeKind::Failed, Some(Reason::AccountNotFound));
        let name = code(OutcomeKind::Failed, Some(Reason::NameMismatch));
        let closed = code(OutcomeKind::Failed, Some(Reason::AccountClosed));
        let line = |row: &Row| {
            let (code, text) = match row.fate {
                Fate::Credited | Fate::CreditedForNow => (&credited, "入账成功".to_owned()),
                Fate::AccountNotFound => (&account, "账号不存在".to_owned()),
                Fate::NameMismatch => (&name, format!("户名不符，原户名为[{}]", other_name(row))),
                Fate::Closed => (&closed, "账户已销户".to_owned()),
            };
            line(&head, known, row, code, text)
        };
        rows.iter().map(line).collect()
    }

    /// All that came back of a batch so far.
    pub fn return_message(&self, reference: &str, known: &Known) -> Result<Vec<Part>, BankError> {
        let kind = MessageKind::LateReturn;
        let rows = self.book().returned(known)?;
        let mut head = self.head(kind, reference, Answer::Done);
        head.bank_reference = self.number_of_all(reference, known);
        let code = self.speech.outcome(kind, OutcomeKind::Returned, Some(Reason::Returned));
        let line = |row| line(&head, known, row, &code, "对方行退回".to_owned());
        let lines: Vec<Line> = rows.iter().map(line).collect();
        Ok(self.speech.say(kind, &head, &lines)?)
    }

    /// What became of the SMS of each credit.
    pub fn notice_message(&self, reference: &str, known: &Known) -> Result<Vec<Part>, BankError> {
        let kind = MessageKind::Notice;
        let rows = self.book().rows(known)?;
        let mut head = self.head(kind, reference, Answer::Done);
        head.bank_reference = self.number_of_all(reference, known);
        let delivered = self.speech.notice(NoticeState::Delivered);
        let no_number = self.speech.notice(NoticeState::NoNumber);
        let line = |row: &Row| {
            let notice = if row.phone.is_empty() { &no_number } else { &delivered };
            Line { notice: notice.clone(), ..line(&head, known, row, "", String::new()) }
        };
        let lines: Vec<Line> = rows.iter().filter(|r| r.fate.is_credit()).map(line).collect();
        Ok(self.speech.say(kind, &head, &lines)?)
    }
}

fn bank_reference(known: &Known) -> String {
    format!("{:010}", known.no)
}

/// Can a bank of this format say of single payments what it did about them when it took a batch in?
pub fn names_payments(format: &Format) -> bool {
    format.asks_for(MessageKind::Acknowledgement, Key::Amount)
}

impl Desk {
    /// Is the first payment of this batch refused at once, and can that be said?
    pub(super) fn refuses_a_row(&self, no: u64, reference: &str) -> bool {
        let faults = self.faults();
        faults.comes(faults.refuse_row, "row", no, reference) && self.names_rows()
    }

    /// Did this batch become two of ours, and can that be said?
    fn is_split(&self, reference: &str, known: &Known) -> bool {
        let faults = self.faults();
        faults.comes(faults.split_batch, "parts", known.no, reference) && self.names_rows()
    }

    fn names_rows(&self) -> bool {
        names_payments(self.speech.format())
    }

    /// Our number of a batch; none where it was split.
    fn number_of_all(&self, reference: &str, known: &Known) -> String {
        if self.is_split(reference, known) { String::new() } else { bank_reference(known) }
    }

    /// Our number of what a payment went into.
    fn number(&self, reference: &str, known: &Known, ordinal: i64, payments: usize) -> String {
        let own = bank_reference(known);
        if !self.is_split(reference, known) {
            return own;
        }
        let half = i64::try_from(payments.div_ceil(2)).unwrap_or(i64::MAX);
        format!("{own}-{}", if ordinal <= half { 1 } else { 2 })
    }

    /// Is there more to say of taking this batch in than that it was?
    pub(super) fn names_parts(&self, reference: &str, known: &Known) -> bool {
        self.is_split(reference, known)
            || self.refuses_a_row(known.no, reference)
            || self.speech.format().tells_serials(MessageKind::Acknowledgement)
    }

    /// That a batch was taken in, payment by payment.
    pub(super) fn taken_in(
        &self,
        reference: &str,
        known: &Known,
        rows: &[Row],
    ) -> Result<Vec<Part>, BankError> {
        let kind = MessageKind::Acknowledgement;
        let head = self.head(kind, reference, Answer::Accepted);
        let refused = self.speech.outcome(kind, OutcomeKind::Failed, Some(Reason::AccountNotFound));
        let under_way = self.speech.under_way(kind);
        let of = |(at, row): (usize, &Row)| {
            let at_once = at == 0 && self.refuses_a_row(known.no, reference);
            let (code, text) =
                if at_once { (&refused, "账号不存在") } else { (&under_way, "") };
            let number = self.number(reference, known, row.ordinal, rows.len());
            Line { number, ..line(&head, known, row, code, text.to_owned()) }
        };
        let lines: Vec<Line> = rows.iter().enumerate().map(of).collect();
        Ok(self.speech.say(kind, &head, &lines)?)
    }

    /// What became of the payments that went into one of our batches; our number is all that names it.
    pub(super) fn results_of(
        &self,
        number: &str,
        reference: &str,
        known: &Known,
        rows: &[Row],
    ) -> Result<Vec<Part>, BankError> {
        let kind = MessageKind::StatusAnswer;
        let mut lines = self.lines(kind, reference, known, rows);
        lines.retain(|line| self.number(reference, known, line.ordinal, rows.len()) == number);
        let answer = if lines.is_empty() { Answer::NotFound } else { Answer::Done };
        let head = Head { bank_reference: number.to_owned(), ..self.head(kind, "", answer) };
        Ok(self.speech.say(kind, &head, &lines)?)
    }
}

fn line(head: &Head, known: &Known, row: &Row, code: &str, text: String) -> Line {
    Line {
        ordinal: row.ordinal,
        account: row.account.clone(),
        name: row.name.clone(),
        phone: row.phone.clone(),
        fen: row.fen,
        code: code.to_owned(),
        notice: String::new(),
        text,
        number: String::new(),
        serial: format!("{:08}{:06}", known.no, row.ordinal),
        reference: head.reference.clone(),
        moment: head.moment,
    }
}

/// The name that the practice bank has on file where it says "another name": of the same family,
/// and encodable wherever the first name was.
fn other_name(row: &Row) -> String {
    let family: String = row.name.chars().take(1).collect();
    format!("{family}国强")
}
