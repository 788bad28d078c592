//! A bank's counter that does exactly what a test tells it: what is sent is booked, refused, lost
//! before or after the book; what is asked is answered from the book or as told. Its words are
//! written by the bank's own format, and its files lie in real folders.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use daifa::clock::ManualClock;
use daifa::format::{
    Format, Item, Key, MessageKind, Moment, Part, PartRole, Record, Value, example,
};
use daifa::guard::digest::sha256;
use daifa::model::attempt::{Answer, Committed};
use daifa::model::money::Fen;
use daifa::model::notice::NoticeState;
use daifa::model::outcome::OutcomeKind;
use daifa::model::reason::Reason;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions, outgoing::hand_over};
use daifa::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};
use tokio::sync::Notify;

/// What the counter does with the next thing that is sent.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Books it and says so.
    Take,
    /// Cannot be reached.
    NotSent,
    /// The line is cut behind the commit point, before or after the book.
    Lose { booked: bool },
    /// As [`Turn::Lose`], and the call never comes back: the moment for a crash.
    Hang { booked: bool },
    /// Says no to the whole of it, in these words.
    Refuse(&'static str),
    /// Books it, and says something else about the whole.
    Say(Answer),
    /// Books it, and says so under this number of its own.
    Number(&'static str),
    /// Books it, and says at once with which code each payment is done.
    Results(&'static [&'static str]),
    /// Books it, and answers with these bytes.
    Garbage(&'static str),
    /// Books it, and the door says it does not know (what came back: these bytes).
    Unclear(&'static str),
}

/// What the counter does with the next question.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It cannot be asked now.
    Fail,
    /// Says this about the whole, without rows.
    Say(Answer),
    /// The same, and so many milliseconds pass before it has come.
    Slow(Answer, ManualClock, i64),
    /// The question lies there, and its answer comes another time.
    Posted,
    Bytes(Bytes),
    /// As the book says.
    Book,
}

/// What became of a payment at the bank.
#[derive(Debug, Clone)]
pub enum Fate {
    Credited,
    Failed(Reason, &'static str),
    Processing,
}

/// A row that the bank tells.
#[derive(Debug, Clone)]
pub struct Told {
    pub ordinal: i64,
    pub account: String,
    pub fen: i64,
    pub code: String,
    pub text: String,
    pub notice: String,
    /// What the bank calls it; empty where it has no name for it.
    pub number: String,
}

/// One thing that was sent.
#[derive(Debug, Clone)]
pub struct SentThing {
    pub kind: MessageKind,
    pub reference: String,
    pub parts: Vec<OutPart>,
    pub digest: [u8; 32],
}

#[derive(Debug, Clone)]
pub struct Booked {
    pub kind: MessageKind,
    pub reference: String,
    pub rows: Vec<(i64, String, i64)>,
}

#[derive(Default)]
pub struct Book {
    pub sent: Vec<SentThing>,
    pub asked: Vec<(MessageKind, String)>,
    pub turns: VecDeque<Turn>,
    pub replies: VecDeque<Reply>,
    /// Every booking, also a second one of the same reference.
    pub booked: Vec<Booked>,
    pub fates: BTreeMap<String, Fate>,
    /// Accounts whose money came back.
    pub returned: Vec<String>,
    /// What is asked about the one is answered about the other.
    pub mixed_up: BTreeMap<String, String>,
    /// A bank that books the same reference twice.
    pub no_dedup: bool,
    /// It is called on a connection that stays.
    pub session: bool,
    /// What it says on the line beside its answers.
    pub unasked: Vec<Bytes>,
    /// What it leaves can be read, and moved by nobody.
    pub fixed: bool,
    moments: i64,
}

pub struct Counter {
    pub format: Arc<Format>,
    files: Option<(Directory, PathBuf)>,
    book: Mutex<Book>,
    /// Rings when a call hangs.
    pub hanging: Arc<Notify>,
}

pub fn format_named(name: &str) -> Arc<Format> {
    let text = example::example(name).expect("an example");
    Arc::new(Format::compile(name, text).expect("compiles").with_published_secrets())
}

impl Counter {
    pub fn messages() -> Self {
        Self::with(format_named("example-city-xml"), None)
    }

    /// A bank that is called and has a format of its own.
    pub fn speaking(format: Format) -> Self {
        Self::with(Arc::new(format), None)
    }

    pub fn files(root: &std::path::Path) -> Self {
        Self::filing(root, format_named("example-rural-fixed"))
    }

    /// A bank with folders and a format of its own.
    pub fn filing(root: &std::path::Path, format: Arc<Format>) -> Self {
        let path = |name: &str| root.join(name);
        for name in ["outgoing", "incoming"] {
            std::fs::create_dir_all(path(name)).expect("made");
        }
        let door = Directory::new(DirectoryOptions {
            outgoing: path("outgoing"),
            incoming: path("incoming"),
            archive: path("archive"),
            quarantine: path("quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1 << 20,
            total_ms: 30_000,
        })
        .expect("good settings");
        Self::with(format, Some((door, path("incoming"))))
    }

    fn with(format: Arc<Format>, files: Option<(Directory, PathBuf)>) -> Self {
        Self { format, files, book: Mutex::default(), hanging: Arc::new(Notify::new()) }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no test panics here")
    }

    pub fn next(&self, turn: Turn) {
        self.book().turns.push_back(turn);
    }

    pub fn reply(&self, reply: Reply) {
        self.book().replies.push_back(reply);
    }

    pub fn fate(&self, account: &str, fate: Fate) {
        self.book().fates.insert(account.to_owned(), fate);
    }

    /// Payment requests (not refunds) that were sent, in order.
    pub fn batches(&self) -> Vec<SentThing> {
        self.sent(MessageKind::PaymentRequest)
    }

    pub fn refunds(&self) -> Vec<SentThing> {
        self.sent(MessageKind::RefundRequest)
    }

    fn sent(&self, kind: MessageKind) -> Vec<SentThing> {
        self.book().sent.iter().filter(|sent| sent.kind == kind).cloned().collect()
    }

    /// How often each account was booked for a credit, over all references.
    pub fn credits(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        let book = self.book();
        for booked in book.booked.iter().filter(|one| one.kind == MessageKind::PaymentRequest) {
            for (_, account, _) in &booked.rows {
                let fate = book.fates.get(account).cloned().unwrap_or(Fate::Credited);
                if !matches!(fate, Fate::Failed(..)) {
                    *out.entry(account.clone()).or_default() += 1;
                }
            }
        }
        out
    }

    /// The accounts in the n-th batch that was sent.
    pub fn accounts(&self, at: usize) -> Vec<String> {
        let parts = self.parts_of(&self.batches()[at].parts);
        let read = self.read(MessageKind::PaymentRequest, &parts).1;
        read.into_iter().map(|(_, account, _)| account).collect()
    }

    /// What the bank says of each payment of a batch, as its book and the fates have it.
    pub fn told(&self, reference: &str, kind: MessageKind) -> Vec<Told> {
        let book = self.book();
        let Some(booked) = book.booked.iter().find(|one| one.reference == reference) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (ordinal, account, fen) in &booked.rows {
            let fate = book.fates.get(account).cloned().unwrap_or(Fate::Credited);
            let (outcome, reason, text) = match (kind, fate) {
                (MessageKind::LateReturn, _) => {
                    if !book.returned.contains(account) {
                        continue;
                    }
                    (Some(OutcomeKind::Returned), Some(Reason::Returned), "对方行退回")
                }
                (_, Fate::Credited) => (Some(OutcomeKind::Credited), None, ""),
                (_, Fate::Failed(reason, text)) => (Some(OutcomeKind::Failed), Some(reason), text),
                (_, Fate::Processing) => (None, None, ""),
            };
            out.push(Told {
                ordinal: *ordinal,
                account: account.clone(),
                fen: *fen,
                code: self.code(kind, outcome, reason),
                text: text.to_owned(),
                notice: String::new(),
                number: String::new(),
            });
        }
        out
    }

    /// The format's code for an outcome.
    pub fn code(
        &self,
        kind: MessageKind,
        outcome: Option<OutcomeKind>,
        reason: Option<Reason>,
    ) -> String {
        let found = self
            .format
            .row_codes(kind)
            .find(|(_, meaning)| meaning.outcome == outcome && meaning.reason == reason);
        found.map(|(code, _)| code.to_owned()).unwrap_or_default()
    }

    fn notice_code(&self, state: NoticeState) -> &'static str {
        match (self.files.is_some(), state) {
            (true, NoticeState::Delivered) => "DELIVRD",
            (true, NoticeState::Failed) => "UNDELIV",
            (true, NoticeState::NoNumber) => "NOPHONE",
            (true, NoticeState::Unknown) => "UNKNOWN",
            (false, NoticeState::Delivered) => "1",
            (false, NoticeState::Failed) => "2",
            (false, NoticeState::NoNumber) => "3",
            (false, NoticeState::Unknown) => "9",
        }
    }

    /// Rows with a word about the SMS and none about money.
    pub fn notices(&self, reference: &str, state: NoticeState) -> Vec<Told> {
        let mut rows = self.told(reference, MessageKind::Result);
        for row in &mut rows {
            row.code = String::new();
            row.text = String::new();
            row.notice = self.notice_code(state).to_owned();
        }
        rows
    }

    /// Writes a message of the bank. Each has another moment in it than the one before.
    pub fn say(
        &self,
        kind: MessageKind,
        reference: &str,
        answer: Answer,
        text: &str,
        rows: &[Told],
        serial: &str,
    ) -> Vec<Part> {
        let tick = {
            let mut book = self.book();
            book.moments += 1;
            book.moments
        };
        let mut head = Record::new();
        head.set(Key::Reference, Value::Text(reference));
        head.set(Key::Moment, Value::Moment(moment(tick)));
        let code = self.format.answers(kind).find(|(_, known)| *known == answer);
        if let Some((code, _)) = code {
            head.set(Key::Code, Value::Text(code));
        }
        for (key, value) in [(Key::Text, text), (Key::Serial, serial)] {
            if !value.is_empty() {
                head.set(key, Value::Text(value));
            }
        }
        let rows: Vec<Record> = rows.iter().map(row).collect();
        self.format.encode(kind, &head, &rows).expect("the bank writes its own format")
    }

    /// Says that a refund is done, and what went back.
    pub fn gave_back(&self, reference: &str, sum: Fen) -> Vec<Part> {
        let kind = MessageKind::RefundAnswer;
        let (done, _) =
            self.format.answers(kind).find(|(_, said)| *said == Answer::Done).expect("a word");
        let mut head = Record::new();
        head.set(Key::Reference, Value::Text(reference));
        head.set(Key::Moment, Value::Moment(moment(9)));
        head.set(Key::Code, Value::Text(done));
        head.set(Key::Sum, Value::Amount(sum));
        let serial = sum.get().to_string();
        head.set(Key::Serial, Value::Text(&serial));
        self.format.encode::<Record>(kind, &head, &[]).expect("the bank writes its own format")
    }

    /// As [`Counter::say`], as the body of one message.
    pub fn body(
        &self,
        kind: MessageKind,
        reference: &str,
        answer: Answer,
        text: &str,
        rows: &[Told],
    ) -> Bytes {
        Bytes::from(self.say(kind, reference, answer, text, rows, "").remove(0).bytes)
    }

    /// An acknowledgement that says that a batch is done, and with these codes what became of its payments.
    pub fn done(&self, reference: &str, codes: &[&str]) -> Bytes {
        let book = self.book();
        let booked = book.booked.iter().find(|one| one.reference == reference).expect("booked");
        let kind = MessageKind::Acknowledgement;
        let (done, _) = self
            .format
            .answers(kind)
            .find(|(_, said)| *said == Answer::Done)
            .expect("a word for it");
        let mut head = Record::new();
        head.set(Key::Reference, Value::Text(reference));
        head.set(Key::Moment, Value::Moment(moment(9)));
        head.set(Key::Code, Value::Text(done));
        let rows = booked.rows.iter().zip(codes).map(|((ordinal, account, fen), code)| {
            let mut row = Record::new();
            // "!": about a fen more than was sent.
            let (code, more) = code.strip_prefix('!').map_or((*code, 0), |code| (code, 1));
            row.set(Key::Ordinal, Value::Int(*ordinal));
            row.set(Key::Account, Value::Text(account));
            row.set(Key::Amount, Value::Amount(Fen::new(*fen + more)));
            row.set(Key::Code, Value::Text(code));
            row
        });
        let rows: Vec<Record> = rows.collect();
        let mut parts = self.format.encode(kind, &head, &rows).expect("it is written");
        Bytes::from(parts.remove(0).bytes)
    }

    /// Leaves a finished file of the bank in its folder.
    pub fn leave(&self, parts: Vec<Part>) {
        let (_, incoming) = self.files.as_ref().expect("a bank with folders");
        let part = |part: Part| OutPart {
            name: part.name,
            bytes: Bytes::from(part.bytes),
            committing: part.committing,
        };
        let parts: Vec<OutPart> = parts.into_iter().map(part).collect();
        let left = hand_over(incoming, &parts);
        assert!(matches!(left, Sent::Accepted { .. }), "{left:?}");
    }

    /// Leaves the result file of a batch, with these rows.
    pub fn leave_result(&self, reference: &str, rows: &[Told], serial: &str) {
        self.leave(self.say(MessageKind::Result, reference, Answer::Done, "", rows, serial));
    }

    /// Leaves the result of the n-th batch as the book has it.
    pub fn leave_all(&self, at: usize) {
        let reference = self.batches()[at].reference.clone();
        let rows = self.told(&reference, MessageKind::Result);
        self.leave_result(&reference, &rows, "");
    }

    /// The last folder of things put aside or still waiting, for looking at.
    pub fn waiting(&self) -> usize {
        let (_, incoming) = self.files.as_ref().expect("a bank with folders");
        std::fs::read_dir(incoming).expect("read").count()
    }

    fn parts_of(&self, parts: &[OutPart]) -> Vec<Part> {
        let role = |name: &str| match self.format.recognise(name) {
            _ if name.is_empty() => PartRole::Message,
            Some(known) => known.role,
            None => PartRole::Data,
        };
        let part = |part: &OutPart| Part {
            role: role(&part.name),
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: part.committing,
        };
        parts.iter().map(part).collect()
    }

    fn kind_of(&self, parts: &[OutPart]) -> MessageKind {
        use MessageKind as M;
        if let Some(known) = parts.first().and_then(|part| self.format.recognise(&part.name)) {
            return known.kind;
        }
        let ours = [
            M::PaymentRequest,
            M::StatusQuery,
            M::ReturnQuery,
            M::NoticeQuery,
            M::RefundRequest,
            M::RefundQuery,
        ];
        let read = self.parts_of(parts);
        ours.into_iter()
            .find(|kind| self.format.read_head(*kind, &read).is_ok())
            .expect("a message of this bank")
    }

    fn read(&self, kind: MessageKind, parts: &[Part]) -> (String, Vec<(i64, String, i64)>) {
        let mut reading = self.format.read(kind, parts).expect("reads");
        let (mut reference, mut rows) = (String::new(), Vec::new());
        while let Some(item) = reading.next().expect("reads") {
            match item {
                Item::Head(head) | Item::Tail(head) => {
                    if let Some(found) = head.text(Key::Reference) {
                        found.clone_into(&mut reference);
                    }
                }
                Item::Row(row) => rows.push((
                    row.int(Key::Ordinal).expect("a place"),
                    row.text(Key::Account).unwrap_or_default().to_owned(),
                    row.amount(Key::Amount).expect("an amount").get(),
                )),
                Item::BadRow(fault) => panic!("{fault}"),
            }
        }
        (reference, rows)
    }

    fn answer_to(&self, kind: MessageKind, reference: &str, answer: Answer, text: &str) -> Sent {
        let kind = match kind {
            MessageKind::PaymentRequest => MessageKind::Acknowledgement,
            _ => MessageKind::RefundAnswer,
        };
        if self.files.is_some() {
            self.leave(self.say(kind, reference, answer, text, &[], &self.serial()));
            return Sent::Accepted { answer: None };
        }
        Sent::Accepted { answer: Some(self.body(kind, reference, answer, text, &[])) }
    }

    fn serial(&self) -> String {
        format!("{:02}", self.book().moments + 1)
    }

    /// Books it; says whether it was there before.
    fn enter(&self, kind: MessageKind, reference: &str, rows: Vec<(i64, String, i64)>) -> bool {
        let mut book = self.book();
        let known = book.booked.iter().any(|one| one.reference == reference);
        if !known || book.no_dedup {
            book.booked.push(Booked { kind, reference: reference.to_owned(), rows });
        }
        known && !book.no_dedup
    }

    /// Are other rows booked under this reference?
    fn differs(&self, reference: &str, rows: &[(i64, String, i64)]) -> bool {
        self.book().booked.iter().any(|one| one.reference == reference && one.rows != rows)
    }

    fn by_the_book(&self, kind: MessageKind, reference: &str) -> Asked {
        use MessageKind as M;
        let other = match kind {
            M::ReturnQuery | M::NoticeQuery => self.book().mixed_up.get(reference).cloned(),
            _ => None,
        };
        let reference = other.as_deref().unwrap_or(reference);
        let known = self.book().booked.iter().any(|one| one.reference == reference);
        let (answer_kind, answer) = match kind {
            M::StatusQuery => {
                (M::StatusAnswer, if known { Answer::Done } else { Answer::NotFound })
            }
            M::RefundQuery => {
                (M::RefundAnswer, if known { Answer::Done } else { Answer::NotFound })
            }
            M::ReturnQuery => (M::LateReturn, Answer::Done),
            _ => (M::Notice, Answer::Done),
        };
        if self.files.is_some() {
            self.leave(self.say(answer_kind, reference, answer, "", &[], &self.serial()));
            if kind == M::StatusQuery && known {
                let rows = self.told(reference, M::Result);
                self.leave_result(reference, &rows, &self.serial());
            }
            return Asked::Posted;
        }
        let rows = match answer_kind {
            M::StatusAnswer | M::LateReturn => self.told(reference, answer_kind),
            _ => Vec::new(),
        };
        Asked::Answer(self.body(answer_kind, reference, answer, "", &rows))
    }
}

pub fn moment(tick: i64) -> Moment {
    let part = |value: i64| u8::try_from(value).expect("small");
    Moment {
        year: 2026,
        month: 11,
        day: part(1 + tick / 86_400 % 28),
        hour: part(tick / 3_600 % 24),
        minute: part(tick / 60 % 60),
        second: part(tick % 60),
    }
}

fn row(told: &Told) -> Record {
    let mut row = Record::new();
    row.set(Key::Ordinal, Value::Int(told.ordinal));
    row.set(Key::Account, Value::Text(&told.account));
    row.set(Key::Amount, Value::Amount(Fen::new(told.fen)));
    for (key, text) in [
        (Key::Code, &told.code),
        (Key::Text, &told.text),
        (Key::NoticeCode, &told.notice),
        (Key::BankSerial, &told.number),
    ] {
        if !text.is_empty() {
            row.set(key, Value::Text(text));
        }
    }
    row
}

#[async_trait]
impl Transport for Counter {
    async fn send(&self, _committed: &Committed, parts: &[OutPart]) -> Sent {
        let kind = self.kind_of(parts);
        let (reference, rows) = self.read(kind, &self.parts_of(parts));
        let joined: Vec<u8> = parts.iter().flat_map(|part| part.bytes.iter().copied()).collect();
        let turn = {
            let mut book = self.book();
            let thing = SentThing {
                kind,
                reference: reference.clone(),
                parts: parts.to_vec(),
                digest: sha256(&joined),
            };
            book.sent.push(thing);
            book.turns.pop_front().unwrap_or(Turn::Take)
        };
        let lost = |evidence: Option<Bytes>| Sent::Unknown {
            cause: "the line was cut".to_owned(),
            evidence,
        };
        match turn {
            Turn::NotSent => Sent::NotSent { cause: "connection refused".to_owned() },
            Turn::Lose { booked } | Turn::Hang { booked } => {
                if booked {
                    self.enter(kind, &reference, rows);
                }
                if matches!(turn, Turn::Hang { .. }) {
                    self.hanging.notify_one();
                    std::future::pending::<()>().await;
                }
                lost(None)
            }
            Turn::Refuse(words) => self.answer_to(kind, &reference, Answer::Refused, words),
            Turn::Say(answer) => {
                self.enter(kind, &reference, rows);
                self.answer_to(kind, &reference, answer, "")
            }
            Turn::Number(number) => {
                self.enter(kind, &reference, rows);
                let mut head = Record::new();
                head.set(Key::Reference, Value::Text(&reference));
                head.set(Key::Moment, Value::Moment(moment(0)));
                head.set(Key::BankReference, Value::Text(number));
                let kind = MessageKind::Acknowledgement;
                let code = self.format.answers(kind).find(|(_, said)| *said == Answer::Accepted);
                head.set(Key::Code, Value::Text(code.expect("a word for it").0));
                let none: [Record; 0] = [];
                let mut parts = self.format.encode(kind, &head, &none).expect("it is written");
                Sent::Accepted { answer: Some(Bytes::from(parts.remove(0).bytes)) }
            }
            Turn::Results(codes) => {
                self.enter(kind, &reference, rows);
                Sent::Accepted { answer: Some(self.done(&reference, codes)) }
            }
            Turn::Garbage(bytes) => {
                self.enter(kind, &reference, rows);
                Sent::Accepted { answer: Some(Bytes::from_static(bytes.as_bytes())) }
            }
            Turn::Unclear(bytes) => {
                self.enter(kind, &reference, rows);
                lost(Some(Bytes::from_static(bytes.as_bytes())))
            }
            // What it has under this reference is something else.
            Turn::Take if self.differs(&reference, &rows) => {
                self.answer_to(kind, &reference, Answer::OtherContent, "流水号重复且内容不一致")
            }
            Turn::Take => {
                let before = self.enter(kind, &reference, rows);
                match (kind, before) {
                    (MessageKind::RefundRequest, _) => {
                        self.answer_to(kind, &reference, Answer::Done, "")
                    }
                    (_, true) => self.answer_to(kind, &reference, Answer::Duplicate, ""),
                    // A file that is taken in is answered by its results.
                    (_, false) if self.files.is_some() => Sent::Accepted { answer: None },
                    (_, false) => self.answer_to(kind, &reference, Answer::Accepted, ""),
                }
            }
        }
    }

    fn may_be_earlier(&self) -> bool {
        self.book().session
    }

    fn can_look(&self) -> bool {
        false
    }

    fn unasked(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.book().unasked)
    }

    async fn lies_there(&self, _parts: &[OutPart]) -> bool {
        false
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        let kind = self.kind_of(parts);
        let (reference, _) = self.read(kind, &self.parts_of(parts));
        let reply = {
            let mut book = self.book();
            book.asked.push((kind, reference.clone()));
            book.replies.pop_front().unwrap_or(Reply::Book)
        };
        let answer_kind = match kind {
            MessageKind::StatusQuery => MessageKind::StatusAnswer,
            MessageKind::RefundQuery => MessageKind::RefundAnswer,
            MessageKind::ReturnQuery => MessageKind::LateReturn,
            _ => MessageKind::Notice,
        };
        match reply {
            Reply::Fail if self.may_be_earlier() => {
                Asked::Unanswered { cause: "no whole answer".to_owned() }
            }
            Reply::Fail => Asked::Failed { cause: "connection refused".to_owned() },
            Reply::Book => self.by_the_book(kind, &reference),
            Reply::Bytes(bytes) => Asked::Answer(bytes),
            Reply::Say(answer) if self.files.is_some() => {
                self.leave(self.say(answer_kind, &reference, answer, "", &[], &self.serial()));
                Asked::Posted
            }
            Reply::Say(answer) => {
                Asked::Answer(self.body(answer_kind, &reference, answer, "", &[]))
            }
            Reply::Slow(answer, clock, ms) => {
                clock.advance_ms(ms);
                Asked::Answer(self.body(answer_kind, &reference, answer, "", &[]))
            }
            Reply::Posted => Asked::Posted,
        }
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        match &self.files {
            Some((door, _)) => door.arrivals(limit).await,
            None => Err(DoorError::NoArrivals),
        }
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        match &self.files {
            Some((door, _)) => door.fetch(name).await,
            None => Err(DoorError::NoArrivals),
        }
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        if self.book().fixed {
            return Err(DoorError::Remote { doing: "moving", cause: "no space left".to_owned() });
        }
        match &self.files {
            Some((door, _)) => door.archive(arrival).await,
            None => Err(DoorError::NoArrivals),
        }
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        match &self.files {
            Some((door, _)) => door.set_aside(name).await,
            None => Err(DoorError::NoArrivals),
        }
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn crowded_out(&self) -> Vec<String> {
        Vec::new()
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        Ok(None)
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
        Ok(0)
    }

    fn opens_at(&self, _now_ms: i64) -> Option<i64> {
        None
    }

    fn commit_point(&self) -> &'static str {
        "as a test says"
    }
}
