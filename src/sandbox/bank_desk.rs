//! The desk of a practice bank: takes batches into the book, answers questions from it, lets money
//! come back, and misbehaves exactly as it was told to. It knows no wire; `bank_files`,
//! `bank_http` and `bank_socket` carry its words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::format::{DataError, Key, MessageKind, Part};
use crate::model::attempt::Answer;
use crate::model::money::Fen;
use crate::sandbox::bank::{BankError, Faults, Options};
use crate::sandbox::bank_beside::Late;
use crate::sandbox::bank_book::{Book, BookError, Entry, Fate, Known, Row, Told};
use crate::sandbox::bank_speech::{Head, Heard, HeardRow, Speech};
use crate::sandbox::trigger::{self, Trigger};

/// What the bank does about a message.
#[derive(Debug)]
pub enum Reply {
    Say(Vec<Part>),
    /// Nothing, as if the line were cut.
    Silence,
    /// "Come back later", before anything was looked at.
    Busy,
    /// It cannot be read at all.
    NotUnderstood,
}

/// One practice bank without its wire.
pub struct Desk {
    pub options: Options,
    pub speech: Speech,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    /// Messages that came in, for faults before the book.
    came: AtomicU64,
    /// Answers that were given on a line, for how long they are held back.
    answers: AtomicU64,
    /// How often each message came in, for faults that are thrown.
    times: Mutex<BTreeMap<(MessageKind, String), u64>>,
    /// Batches about which something is still to happen by itself.
    open: Mutex<BTreeSet<String>>,
    /// Batches whose results were told: who asks again gets the right ones.
    pub(super) answered: Mutex<BTreeSet<String>>,
    /// Files of answers that come later than these.
    pub(super) late: Mutex<Vec<Late>>,
}

/// The questions and requests that may come.
pub const KINDS: [MessageKind; 6] = [
    MessageKind::PaymentRequest,
    MessageKind::StatusQuery,
    MessageKind::ReturnQuery,
    MessageKind::NoticeQuery,
    MessageKind::RefundRequest,
    MessageKind::RefundQuery,
];

impl Desk {
    pub fn open(
        options: Options,
        speech: Speech,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BankError> {
        let book = Book::open(&options.data)?;
        let open = book.requests().map(|(reference, _)| reference.clone()).collect();
        Ok(Self {
            options,
            speech,
            clock,
            book: Mutex::new(book),
            came: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            times: Mutex::default(),
            open: Mutex::new(open),
            answered: Mutex::default(),
            late: Mutex::default(),
        })
    }

    /// Answers a message that was read.
    pub fn answer_heard(&self, heard: &Heard) -> Result<Reply, BankError> {
        let Some(reference) = heard.head.text(Key::Reference).map(str::to_owned) else {
            return Ok(Reply::NotUnderstood);
        };
        match heard.kind {
            MessageKind::PaymentRequest => self.take(&reference, heard),
            MessageKind::StatusQuery
            | MessageKind::ReturnQuery
            | MessageKind::NoticeQuery
            | MessageKind::RefundQuery
                if self.is_unheard(heard.kind, &reference) =>
            {
                Ok(Reply::Silence)
            }
            MessageKind::StatusQuery => {
                self.status(&reference, heard.head.text(Key::BankReference))
            }
            MessageKind::ReturnQuery => self.returns(&reference),
            MessageKind::NoticeQuery => self.notices(&reference),
            MessageKind::RefundRequest => self.refund(&reference, heard),
            MessageKind::RefundQuery => self.refund_status(&reference),
            MessageKind::Acknowledgement
            | MessageKind::StatusAnswer
            | MessageKind::Result
            | MessageKind::LateReturn
            | MessageKind::Notice
            | MessageKind::RefundAnswer
            | MessageKind::Statement
            | MessageKind::AccountRequest
            | MessageKind::AccountAnswer => Ok(Reply::NotUnderstood),
        }
    }

    /// Which time of a message this is, for the dice: the same words get another throw when they come
    /// again, or a bank would lose one batch for ever.
    pub(super) fn time(&self, kind: MessageKind, reference: &str) -> String {
        let mut times = lock(&self.times);
        let time = times.entry((kind, reference.to_owned())).or_default();
        *time += 1;
        format!("{reference}/{time}")
    }

    /// Is this question, or its answer, lost?
    pub fn is_unheard(&self, kind: MessageKind, reference: &str) -> bool {
        let faults = self.faults();
        let time = self.time(kind, reference);
        faults.deaf || faults.comes(faults.lose_question, kind.as_str(), 0, &time)
    }

    /// How long the next answer is held back.
    pub fn pause(&self) -> Duration {
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let faults = self.faults();
        let most = faults.delay_ms.saturating_add(1);
        Duration::from_millis(faults.roll("delay", &number.to_string()) % most)
    }

    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub const fn faults(&self) -> &Faults {
        &self.options.faults
    }

    /// Batches that are not closed yet.
    pub fn open_batches(&self) -> Vec<String> {
        lock(&self.open).iter().cloned().collect()
    }

    /// Nothing more happens to this batch by itself.
    pub fn close(&self, reference: &str) {
        lock(&self.open).remove(reference);
    }

    /// Takes a batch, once; a fault before the book comes first, the lost answer after it.
    fn take(&self, reference: &str, heard: &Heard) -> Result<Reply, BankError> {
        let kind = MessageKind::Acknowledgement;
        let came = self.came.fetch_add(1, Ordering::SeqCst) + 1;
        let (faults, time) = (self.faults(), self.time(heard.kind, reference));
        if faults.comes(faults.drop_before, "drop", came, &time) {
            return Ok(Reply::Silence);
        }
        if faults.comes(faults.busy, "busy", came, &time) {
            return Ok(Reply::Busy);
        }
        let mut book = self.book();
        if let Some(known) = book.request(reference).cloned() {
            if known.sha256 != heard.sha256 {
                let text = "same reference, other bytes".to_owned();
                let at_ms = self.now();
                book.write(&Entry::Offence { at_ms, reference: reference.to_owned(), text })?;
                return self.differs(kind, reference);
            }
            if let Some(text) = &known.refused {
                return self.verdict(kind, reference, Answer::Refused, text);
            }
            if !faults.no_dedup {
                return self.verdict(
                    kind,
                    reference,
                    Answer::Duplicate,
                    "流水号重复，原批次已受理",
                );
            }
        }
        let no = book.batches() + 1;
        let at_ms = self.now();
        let refusal = heard.fault.clone().map(|f| format!("文件有误：{f}"));
        let told_to = faults.comes(faults.refuse, "refuse", no, reference);
        let refusal = refusal.or_else(|| told_to.then(|| self.options.refusal.clone()));
        let (reference_text, sha256) = (reference.to_owned(), heard.sha256.clone());
        if let Some(text) = refusal {
            let entry =
                Entry::Refused { at_ms, reference: reference_text, sha256, text: text.clone() };
            book.write(&entry)?;
            lock(&self.open).insert(reference.to_owned());
            return self.verdict(kind, reference, Answer::Refused, &text);
        }
        let mut rows: Vec<Row> = heard.rows.iter().map(|row| self.booked(reference, row)).collect();
        if let Some(first) = rows.first_mut().filter(|_| self.refuses_a_row(no, reference)) {
            first.fate = Fate::AccountNotFound;
        }
        let triggered = rows.iter().any(|r| trigger::of(&r.account) == Some(Trigger::LoseAnswer));
        let lost = triggered || faults.comes(faults.lose_answer, "answer", no, &time);
        let pool = heard.head.text(Key::PoolAccount).unwrap_or_default().to_owned();
        book.write(&Entry::Request { at_ms, reference: reference_text, sha256, pool, lost, rows })?;
        lock(&self.open).insert(reference.to_owned());
        if lost {
            return Ok(Reply::Silence);
        }
        let doubled = faults.comes(faults.say_duplicate, "duplicate", no, reference);
        if doubled && !self.speech.answer(kind, Answer::Duplicate).is_empty() {
            return self.verdict(kind, reference, Answer::Duplicate, "流水号重复，原批次已受理");
        }
        let known =
            book.request(reference).cloned().filter(|known| self.names_parts(reference, known));
        let Some(known) = known else {
            return self.verdict(kind, reference, Answer::Accepted, "");
        };
        let rows = book.rows(&known)?;
        drop(book);
        Ok(Reply::Say(self.taken_in(reference, &known, &rows)?))
    }

    /// Books one row: what happens to it is in its account's last digits, or in the dice.
    fn booked(&self, reference: &str, row: &HeardRow) -> Row {
        let faults = self.faults();
        let count = u64::try_from(row.ordinal).unwrap_or_default();
        let key = format!("{reference}#{}", row.ordinal);
        let fate = match trigger::of(&row.account) {
            Some(Trigger::AccountNotFound) => Fate::AccountNotFound,
            Some(Trigger::NameMismatch) => Fate::NameMismatch,
            Some(Trigger::Closed) => Fate::Closed,
            Some(Trigger::ReturnLater) => Fate::CreditedForNow,
            Some(Trigger::LoseAnswer) | None
                if faults.comes(faults.return_later, "return", count, &key) =>
            {
                Fate::CreditedForNow
            }
            Some(Trigger::LoseAnswer) | None => Fate::Credited,
        };
        Row {
            ordinal: row.ordinal,
            account: row.account.clone(),
            name: row.name.clone(),
            fen: row.fen,
            phone: row.phone.clone(),
            fate,
        }
    }

    /// Our book has other content under this reference. A format without a word for that refuses.
    fn differs(&self, kind: MessageKind, reference: &str) -> Result<Reply, BankError> {
        let has_word = !self.speech.answer(kind, Answer::OtherContent).is_empty();
        let answer = if has_word { Answer::OtherContent } else { Answer::Refused };
        self.verdict(kind, reference, answer, "流水号重复且内容不一致")
    }

    /// When the results of a batch are ready.
    const fn ready_at(&self, known: &Known) -> i64 {
        known.at_ms.saturating_add(self.options.result_ms)
    }

    /// When the results of a batch are told: when they are ready, or after all that comes of them.
    pub fn result_due(&self, reference: &str, known: &Known) -> i64 {
        let faults = self.faults();
        let ready = self.ready_at(known);
        if !faults.comes(faults.reorder, "reorder", known.no, reference) {
            return ready;
        }
        let Options { result_ms, return_ms, notice_ms, .. } = self.options;
        ready + 2 * (result_ms + return_ms + notice_ms)
    }

    /// How a batch stands; by one of our own numbers, that part of it.
    fn status(&self, reference: &str, number: Option<&str>) -> Result<Reply, BankError> {
        let kind = MessageKind::StatusAnswer;
        let now = self.now();
        let mut book = self.book();
        let known = book.request(reference).cloned();
        let visible = |k: &Known| now >= k.at_ms.saturating_add(self.faults().not_found_ms);
        let Some(known) = known.filter(visible) else {
            return self.verdict(kind, reference, Answer::NotFound, "无此批次");
        };
        if let Some(text) = &known.refused {
            return self.verdict(kind, reference, Answer::Refused, text);
        }
        if known.lost && !known.was_told(Told::Asked) {
            book.note(now, reference, Told::Asked)?;
        }
        if now < self.result_due(reference, &known) {
            return self.verdict(kind, reference, Answer::Processing, "");
        }
        // Where the payments are answered for in files of their own, this is about the whole.
        if !self.speech.format().has_rows(kind) {
            return self.verdict(kind, reference, Answer::Done, "");
        }
        let rows = book.rows(&known)?;
        drop(book);
        match number {
            Some(number) => Ok(Reply::Say(self.results_of(number, reference, &known, &rows)?)),
            None => Ok(Reply::Say(self.results(kind, reference, &known, &rows)?.swap_remove(0))),
        }
    }

    /// A status answer by files says how the batch stands; its rows come as a result file.
    pub fn standing(&self, reference: &str) -> Result<Option<Answer>, BankError> {
        let now = self.now();
        let mut book = self.book();
        let Some(known) = book.request(reference).cloned() else { return Ok(None) };
        if now < known.at_ms.saturating_add(self.faults().not_found_ms) {
            return Ok(None);
        }
        if known.lost && !known.was_told(Told::Asked) {
            book.note(now, reference, Told::Asked)?;
        }
        Ok(Some(match &known.refused {
            Some(_) => Answer::Refused,
            None if now < self.result_due(reference, &known) => Answer::Processing,
            None => Answer::Done,
        }))
    }

    /// Lets what is due come back; true where something did.
    pub fn book_returns(&self, reference: &str) -> Result<bool, BankError> {
        let now = self.now();
        let mut book = self.book();
        let Some(known) = book.request(reference).cloned() else { return Ok(false) };
        let due = self.ready_at(&known).saturating_add(self.options.return_ms);
        if !known.to_return || now < due {
            return Ok(false);
        }
        let mut rows = book.rows(&known)?;
        rows.retain(|row| row.fate == Fate::CreditedForNow);
        book.write(&Entry::Return { at_ms: now, reference: reference.to_owned(), rows })?;
        Ok(true)
    }

    fn returns(&self, reference: &str) -> Result<Reply, BankError> {
        let Some(known) = self.book().request(reference).cloned() else {
            let kind = MessageKind::LateReturn;
            return self.verdict(kind, reference, Answer::NotFound, "无此批次");
        };
        Ok(Reply::Say(self.return_message(reference, &known)?))
    }

    /// When the notices of a batch are ready.
    pub const fn notice_due(&self, known: &Known) -> i64 {
        self.ready_at(known).saturating_add(self.options.notice_ms)
    }

    fn notices(&self, reference: &str) -> Result<Reply, BankError> {
        let kind = MessageKind::Notice;
        let Some(known) = self.book().request(reference).cloned() else {
            return self.verdict(kind, reference, Answer::NotFound, "无此批次");
        };
        if self.now() < self.notice_due(&known) {
            return self.verdict(kind, reference, Answer::Processing, "");
        }
        Ok(Reply::Say(self.notice_message(reference, &known)?))
    }

    /// Sends money back to finance, once per reference.
    fn refund(&self, reference: &str, heard: &Heard) -> Result<Reply, BankError> {
        let kind = MessageKind::RefundAnswer;
        let at_ms = self.now();
        let mut book = self.book();
        let known = book.refund(reference).cloned();
        let offence = |text: &str| Entry::Offence {
            at_ms,
            reference: reference.to_owned(),
            text: text.to_owned(),
        };
        if let Some(known) = known {
            if known.sha256 != heard.sha256 {
                book.write(&offence("same refund reference, other bytes"))?;
                return self.differs(kind, reference);
            }
            return self.refunded(reference, known.fen);
        }
        let said_of_all = &heard.head;
        let said = said_of_all.amount(Key::Amount).or_else(|| said_of_all.amount(Key::Sum));
        let fen = said.map_or_else(|| heard.rows.iter().map(|r| r.fen).sum(), Fen::get);
        if heard.fault.is_some() || fen <= 0 {
            return self.verdict(kind, reference, Answer::Refused, "退款金额有误");
        }
        if refunds_a_credit(&book, &heard.rows)? {
            book.write(&offence("a refund of money that is on a card"))?;
        }
        let pool = said_of_all.text(Key::PoolAccount).unwrap_or_default().to_owned();
        let (reference_text, sha256) = (reference.to_owned(), heard.sha256.clone());
        book.write(&Entry::Refund { at_ms, reference: reference_text, sha256, pool, fen })?;
        let (faults, time) = (self.faults(), self.time(heard.kind, reference));
        let lost = faults.comes(faults.lose_refund_answer, "refund", book.refund_count(), &time);
        drop(book);
        if lost {
            return Ok(Reply::Silence);
        }
        self.refunded(reference, fen)
    }

    fn refund_status(&self, reference: &str) -> Result<Reply, BankError> {
        match self.book().refund(reference).cloned() {
            Some(known) => self.refunded(reference, known.fen),
            None => {
                self.verdict(MessageKind::RefundAnswer, reference, Answer::NotFound, "无此退款")
            }
        }
    }

    fn refunded(&self, reference: &str, fen: i64) -> Result<Reply, BankError> {
        let kind = MessageKind::RefundAnswer;
        let head =
            Head { fen: Some(fen), count: Some(1), ..self.head(kind, reference, Answer::Done) };
        Ok(Reply::Say(self.speech.say(kind, &head, &[])?))
    }

    /// An answer about the whole, without rows.
    pub fn verdict(
        &self,
        kind: MessageKind,
        reference: &str,
        answer: Answer,
        text: &str,
    ) -> Result<Reply, BankError> {
        if !self.speech.has(kind) {
            return Ok(Reply::Silence);
        }
        let mut head = self.head(kind, reference, answer);
        text.clone_into(&mut head.text);
        Ok(Reply::Say(self.speech.say(kind, &head, &[])?))
    }

    pub(super) fn head(&self, kind: MessageKind, reference: &str, answer: Answer) -> Head {
        let code = self.speech.answer(kind, answer);
        Head { code, ..Head::at(reference, self.now()) }
    }
}

impl From<DataError> for BankError {
    fn from(e: DataError) -> Self {
        Self::Speech(e)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Does a row of this refund name a payment that is on its card now, or was never taken?
fn refunds_a_credit(book: &Book, rows: &[HeardRow]) -> Result<bool, BookError> {
    let mut named: Vec<&HeardRow> = rows.iter().filter(|r| !r.original.is_empty()).collect();
    named.sort_by(|a, b| a.original.cmp(&b.original));
    for same in named.chunk_by(|a, b| a.original == b.original) {
        let Some(known) = same.first().and_then(|row| book.request(&row.original)) else {
            return Ok(true);
        };
        let came_back: BTreeSet<i64> =
            book.returned(known)?.iter().map(|row| row.ordinal).collect();
        let booked = book.rows(known)?;
        let free: BTreeSet<(&str, i64)> = booked
            .iter()
            .filter(|row| !row.fate.is_credit() || came_back.contains(&row.ordinal))
            .map(|row| (row.account.as_str(), row.fen))
            .collect();
        let taken = known.refused.is_none();
        if taken && same.iter().any(|row| !free.contains(&(row.account.as_str(), row.fen))) {
            return Ok(true);
        }
    }
    Ok(false)
}
