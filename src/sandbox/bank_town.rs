//! A practice bank with the daemon's own door to it, for tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::SystemClock;
use crate::format::{
    Format, Item, Key, MessageKind, Moment, Part, PartRole, Record, Value, example,
};
use crate::model::attempt::{Answer, Committed};
use crate::model::id::AttemptNo;
use crate::model::money::Fen;
use crate::model::outcome::OutcomeKind;
use crate::sandbox::bank::{BankVerdict, Faults, Options, PracticeBank, Wire};
use crate::transport::directory::{Completion, Directory, DirectoryOptions};
use crate::transport::https::{Https, HttpsOptions};
use crate::transport::{Arrival, Asked, InPart, OutPart, Sent, Transport};

/// Everything a test holds: a bank, the daemon's door to it, and both folders.
pub struct Town {
    pub root: tempfile::TempDir,
    pub format: Arc<Format>,
    pub bank: PracticeBank,
    pub door: Box<dyn Transport>,
    pub options: Options,
}

/// What a message said: its head, its rows by row number.
#[derive(Debug)]
pub struct Said {
    pub head: Record,
    pub rows: Vec<Record>,
}

impl Town {
    pub async fn files(faults: Faults) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        for name in ["out", "in", "ours"] {
            std::fs::create_dir(path(name)).expect("made");
        }
        let control_suffix = ".ok".to_owned();
        let wire = Wire::Files {
            outgoing: path("out"),
            incoming: path("in"),
            control_suffix: Some(control_suffix.clone()),
        };
        let door = Directory::new(DirectoryOptions {
            outgoing: path("out"),
            incoming: path("in"),
            archive: path("ours/archive"),
            quarantine: path("ours/quarantine"),
            completion: Completion::Control { suffix: control_suffix },
            bytes_max: 1 << 26,
            total_ms: 30_000,
        })
        .expect("good settings");
        let (data, door) = (path("bank"), Box::new(door));
        Self::open(root, "example-rural-fixed", data, wire, faults, Some(door)).await
    }

    pub async fn http(faults: Faults) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let data = root.path().join("bank");
        Self::open(root, "example-city-xml", data, Wire::Http { listen }, faults, None).await
    }

    pub async fn open(
        root: tempfile::TempDir,
        format: &str,
        data: PathBuf,
        wire: Wire,
        faults: Faults,
        door: Option<Box<dyn Transport>>,
    ) -> Self {
        let text = example::example(format).expect("an example");
        let format =
            Arc::new(Format::compile(format, text).expect("compiles").with_published_secrets());
        let options = Options {
            result_ms: 20,
            return_ms: 20,
            notice_ms: 20,
            poll_ms: 5,
            faults,
            ..Options::new(data, wire)
        };
        let bank = start(&options, &format).await;
        let door = door.unwrap_or_else(|| https(&bank));
        Self { root, format, bank, door, options }
    }

    /// Stops the bank and starts it again on the same book.
    pub async fn restart(mut self) -> Self {
        self.bank.stop().await;
        self.bank = start(&self.options, &self.format).await;
        if matches!(self.options.wire, Wire::Http { .. }) {
            self.door = https(&self.bank);
        }
        self
    }

    pub fn verdict(&self) -> BankVerdict {
        self.bank.judge().expect("the book reads")
    }

    pub async fn send(&self, parts: &[OutPart]) -> Sent {
        self.door.send(&Committed::after_commit(AttemptNo(1)), parts).await
    }

    /// Asks by message, and reads the answer.
    pub async fn ask(&self, kind: MessageKind, reference: &str, answer: MessageKind) -> Said {
        let asked = self.door.ask(&self.message(kind, reference, &[])).await;
        let Asked::Answer(bytes) = asked else { panic!("{asked:?}") };
        self.read(answer, &[message_part(&bytes)])
    }

    /// Waits for a file of this kind, reads it and puts it away.
    pub async fn await_file(&self, kind: MessageKind) -> Said {
        for _ in 0..400 {
            for name in self.door.arrivals(100).await.expect("listed") {
                let known = self.format.recognise(&name).expect("a name of this bank");
                if known.kind == kind {
                    let arrival = self.door.fetch(&name).await.expect("read");
                    self.door.archive(&arrival).await.expect("put away");
                    return self.read(kind, &self.parts_of(&arrival));
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no {kind} came");
    }

    /// The parts of an arrival, each with what its name says it is.
    pub fn parts_of(&self, arrival: &Arrival) -> Vec<Part> {
        let last = arrival.parts.len() - 1;
        let part = |(at, part): (usize, &InPart)| Part {
            role: self.format.recognise(&part.name).expect("a name of this bank").role,
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: at == last,
        };
        arrival.parts.iter().enumerate().map(part).collect()
    }

    /// Asks until the batch is done.
    pub async fn await_done(&self, reference: &str) -> Said {
        for _ in 0..400 {
            let said =
                self.ask(MessageKind::StatusQuery, reference, MessageKind::StatusAnswer).await;
            match self.meaning(MessageKind::StatusAnswer, &said) {
                Answer::Done => return said,
                Answer::Processing => tokio::time::sleep(Duration::from_millis(5)).await,
                other => panic!("{other}"),
            }
        }
        panic!("never done");
    }

    pub async fn await_quiet(&self) {
        for _ in 0..400 {
            if self.bank.is_quiet() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the bank is never quiet");
    }

    pub fn meaning(&self, kind: MessageKind, said: &Said) -> Answer {
        let code = said.head.text(Key::Code).expect("a code");
        self.format.answer(kind, code).expect("a known code")
    }

    pub fn try_read(&self, kind: MessageKind, parts: &[Part]) -> Result<Said, String> {
        let mut reading = self.format.read(kind, parts).map_err(|e| e.to_string())?;
        let (mut head, mut rows) = (Record::new(), Vec::new());
        while let Some(item) = reading.next().map_err(|e| e.to_string())? {
            match item {
                Item::Head(record) | Item::Tail(record) => head.fill_from(record),
                Item::Row(record) => rows.push(record.clone()),
                Item::BadRow(e) => return Err(e.to_string()),
            }
        }
        Ok(Said { head, rows })
    }

    pub fn read(&self, kind: MessageKind, parts: &[Part]) -> Said {
        self.try_read(kind, parts).expect("the bank's own words read")
    }

    pub fn outcomes(&self, kind: MessageKind, said: &Said) -> BTreeMap<i64, OutcomeKind> {
        let outcome = |row: &Record| {
            let code = row.text(Key::Code).expect("a code");
            let meaning = self.format.row_meaning(kind, code).expect("a known code");
            (row.int(Key::Ordinal).expect("a row number"), meaning.outcome.expect("an outcome"))
        };
        said.rows.iter().map(outcome).collect()
    }

    /// A message of ours, as the daemon would write it.
    pub fn message(&self, kind: MessageKind, reference: &str, rows: &[Record]) -> Vec<OutPart> {
        let mut head = Record::new();
        for key in Key::ALL {
            let text = match key {
                Key::Count | Key::Sum | Key::Serial => continue,
                Key::Reference => reference,
                Key::PoolAccount => "990010001",
                Key::Period => "202611",
                _ => "1",
            };
            head.set(*key, Value::Text(text));
        }
        head.set(Key::Moment, Value::Moment(Moment::parse("2026-11-23T16:00:00").expect("a time")));
        let parts = self.format.encode(kind, &head, rows).expect("encodes");
        let part = |part: Part| OutPart {
            name: if part.name.is_empty() { "message".to_owned() } else { part.name },
            bytes: Bytes::from(part.bytes),
            committing: part.committing,
        };
        parts.into_iter().map(part).collect()
    }

    pub fn batch(&self, reference: &str, endings: &[&str]) -> Vec<OutPart> {
        let rows: Vec<Record> =
            endings.iter().zip(1..).map(|(ending, at)| payment(at, ending, 100 * at)).collect();
        self.message(MessageKind::PaymentRequest, reference, &rows)
    }
}

async fn start(options: &Options, format: &Arc<Format>) -> PracticeBank {
    let clock = Arc::new(SystemClock);
    PracticeBank::start(options.clone(), Arc::clone(format), clock).await.expect("starts")
}

fn https(bank: &PracticeBank) -> Box<dyn Transport> {
    let door = Https::new(&HttpsOptions {
        url: bank.url().expect("it listens"),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file: None,
        identity: None,
        signing: None,
        connect_ms: 1_000,
        total_ms: 10_000,
        answer_bytes_max: 1 << 26,
    });
    Box::new(door.expect("good settings"))
}

pub fn message_part(bytes: &Bytes) -> Part {
    let bytes = bytes.to_vec();
    Part { role: PartRole::Message, name: String::new(), bytes, committing: true }
}

/// A payment of so many fen to an account with this ending; odd rows have a phone.
pub fn payment(ordinal: i64, ending: &str, fen: i64) -> Record {
    let mut row = Record::new();
    let account = format!("62170000{ordinal:06}{ending}");
    let texts = [
        (Key::Account, account.as_str()),
        (Key::PayeeName, "王小明"),
        (Key::DocumentKind, "1"),
        (Key::DocumentNumber, "11010519491231002X"),
        (Key::Village, "610728101001"),
        (Key::Phone, if ordinal % 2 == 1 { "13800000000" } else { "" }),
    ];
    for (key, text) in texts {
        row.set(key, Value::Text(text));
    }
    row.set(Key::Ordinal, Value::Int(ordinal));
    row.set(Key::Amount, Value::Amount(Fen::new(fen)));
    row
}

/// Asserts that a door says "accepted".
pub trait Booked {
    fn booked(self);
}

impl Booked for Sent {
    fn booked(self) {
        assert!(matches!(self, Sent::Accepted { .. }), "{self:?}");
    }
}
