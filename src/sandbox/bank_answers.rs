//! What a practice bank says about payments: results, returns and notices from the book, and the
//! results that are spoilt because the bank was told to spoil them.

use crate::format::{MessageKind, Part};
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
        head.bank_reference = bank_reference(known);
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
        head.bank_reference = bank_reference(known);
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
        head.bank_reference = bank_reference(known);
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
