//! Files beside messages: an answer and the file that it names are taken as one, or have not come; what a stop
//! left lying comes to the same end; and nothing lies at the bank that no message will name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use daifa::app::doors::framed;
use daifa::clock::Clock;
use daifa::flow::sealed::seal_evidence;
use daifa::format::{Format, Key, MessageKind, Moment, Record, Value, example};
use daifa::guard::digest::sha256;
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::AttemptNo;
use daifa::model::money::Fen;
use daifa::model::payment::Line;
use daifa::sandbox::bank::{
    Beside as Folders, Faults, MILLION, Often, Options, PracticeBank, Wire,
};
use daifa::sandbox::trigger::Trigger;
use daifa::transport::Transport;
use daifa::transport::beside::Beside;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::socket::{Security, Socket, SocketOptions};

use crate::counter::format_named;
use crate::county::{Draft, person, triggering};
use crate::deciding::decided;
use crate::house::{CALLS, HOUR, House, MINUTE};

const ALWAYS: Often = Often::Share(MILLION);

fn big_bank() -> Arc<Format> {
    format_named("example-abc-framed")
}

/// The big bank's example, of a bank that leaves a file beside its acknowledgements too.
fn with_receipts() -> Arc<Format> {
    let text = example::example("example-abc-framed").expect("it ships");
    let kind = "kind = \"acknowledgement\"\n";
    let (before, after) = text.split_once(kind).expect("it has one");
    let file = "[[message.part]]\nrole = \"side\"\nname = \"SL{reference}.txt\"\nlayout = \"delimited\"\n\
                separator = \"|\"\nline_end = \"CRLF\"\n[[message.part.record]]\nis = \"head\"\n\
                fields = [ { literal = \"SL\" }, { key = \"code\", only = \"ascii\", codes = \"answers\" } ]\n";
    let named = "{ path = \"FileName\", computed = \"part_name\", of = \"side\" },\n  { path = \"RespCode\"";
    let after = after.replacen("{ path = \"RespCode\"", named, 1);
    let text = format!("{before}{kind}\n{file}{after}");
    Arc::new(Format::compile("receipts", &text).unwrap_or_else(|problems| panic!("{problems}")))
}

/// The big bank's example, of a bank that takes leftover money back and confirms it in a file.
fn with_refunds() -> Arc<Format> {
    let text = example::example("example-abc-framed").expect("it ships");
    let frame = "[[message.part]]\nrole = \"message\"\ncommitting = true\nlayout = \"xml\"\nroot = \"ap\"\n\
                 [message.part.frame]\nlength = 7\nfields = [ { literal = \"0\", name = \"sealed\" }, \
                 { computed = \"length\", of = \"body\", width = 6, pad = \" \", side = \"left\" } ]\n\
                 [[message.part.record]]\nis = \"head\"\n";
    let reference =
        "{ path = \"ReqSeqNo\", key = \"reference\", only = \"ascii\", width_max = 32 }";
    let sum = "{ path = \"Sum\", key = \"sum\", unit = \"fen\", scale = 0 }";
    let side = "[[message.part]]\nrole = \"side\"\nname = \"RR{reference}.txt\"\nlayout = \"delimited\"\n\
                separator = \"|\"\nline_end = \"CRLF\"\n[[message.part.record]]\nis = \"head\"\n\
                fields = [ { literal = \"RR\" }, { key = \"sum\", unit = \"fen\", scale = 0 } ]\n";
    let more = format!(
        "\n[[message]]\nkind = \"refund_request\"\nrows_min = 1\n{frame}fields = [ \
         {{ path = \"CCTransCode\", literal = \"EXREFUND\" }}, {reference}, \
         {{ path = \"Pool\", key = \"pool_account\", width_max = 32, only = \"ascii\" }}, \
         {{ path = \"Count\", key = \"count\" }}, {sum} ]\n\
         [[message.part.record]]\nis = \"row\"\npath = \"Row\"\nfields = [ \
         {{ path = \"@no\", key = \"ordinal\" }}, {{ path = \"Amount\", key = \"amount\", unit = \"fen\", scale = 0 }} ]\n\
         [[message]]\nkind = \"refund_answer\"\n{side}{frame}fields = [ \
         {{ path = \"CCTransCode\", literal = \"EXREFUND\" }}, {reference}, \
         {{ path = \"FileName\", computed = \"part_name\", of = \"side\" }}, \
         {{ path = \"RespCode\", key = \"code\", only = \"ascii\", codes = \"answers\" }} ]\n\
         [[message]]\nkind = \"refund_query\"\n{frame}fields = [ \
         {{ path = \"CCTransCode\", literal = \"EXREFQRY\" }}, {reference} ]\n"
    );
    let text = format!("{text}{more}");
    Arc::new(Format::compile("refunds", &text).unwrap_or_else(|problems| panic!("{problems}")))
}

fn path(house: &House, name: &str) -> PathBuf {
    house.dir.path().join(name)
}

/// What lies in a folder, by name.
fn lying(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// The address of nobody.
fn nobody() -> SocketAddr {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    nobody.local_addr().expect("bound")
}

/// A door to whoever listens there, with the folders beside it.
async fn opened(house: &mut House, format: &Arc<Format>, address: SocketAddr) {
    let line = Socket::new(SocketOptions {
        address: address.to_string(),
        security: Security::Plain,
        connect_ms: 2_000,
        total_ms: 5_000,
        answer_bytes_max: 1 << 20,
        ending: framed(format).expect("a format for a line"),
        staying: None,
    });
    let files = Directory::new(DirectoryOptions {
        outgoing: path(house, "s-out"),
        incoming: path(house, "s-in"),
        archive: path(house, "s-archive"),
        quarantine: path(house, "s-quarantine"),
        completion: Completion::StableMs(0),
        bytes_max: 1 << 20,
        total_ms: 30_000,
    });
    let (line, files) = (line.expect("good settings"), files.expect("good settings"));
    let door: Arc<dyn Transport> = Arc::new(Beside::new(Arc::new(line), Arc::new(files)));
    house.doors.insert(CALLS.to_owned(), (door, Arc::clone(format)));
    house.restart().await;
}

/// A practice bank with these faults, on the book that it has, and the daemon's door to it.
async fn met(house: &mut House, format: &Arc<Format>, faults: Faults) -> PracticeBank {
    for name in ["s-out", "s-in"] {
        std::fs::create_dir_all(path(house, name)).expect("made");
    }
    let beside = Folders {
        outgoing: path(house, "s-out"),
        incoming: path(house, "s-in"),
        control_suffix: None,
    };
    let options = Options {
        beside: Some(beside),
        poll_ms: 2,
        faults,
        ..Options::new(
            path(house, "s-book"),
            Wire::Socket { listen: SocketAddr::from(([127, 0, 0, 1], 0)) },
        )
    };
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    let bank = PracticeBank::start(options, Arc::clone(format), clock).await.expect("starts");
    opened(house, format, bank.address().expect("it listens")).await;
    bank
}

async fn outcomes(house: &House) -> i64 {
    house.number("SELECT COUNT(*) FROM outcome").await
}

async fn sent(house: &mut House) {
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
}

#[tokio::test]
async fn f38_an_answer_whose_file_is_not_there_has_not_come_and_is_asked_for_again() {
    let (mut house, format) = (House::open().await, big_bank());
    let bank = met(&mut house, &format, Faults { file_lost: ALWAYS, ..Faults::default() }).await;
    sent(&mut house).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    house.live(15 * MINUTE, MINUTE).await;
    assert!(house.alert("side_file").await.is_none(), "it may still come");
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!((house.five(1).await, outcomes(&house).await), ([0, 303, 0, 0, 0], 0));
    let alert = house.alert("side_file").await.expect("somebody is told");
    assert!(alert.text.contains("RST000000000001.txt"), "{}", alert.text);
    bank.stop().await;
    let bank = met(&mut house, &format, Faults::default()).await;
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("side_file").await.is_none(), "it came");
    assert_eq!(lying(&path(&house, "s-in")), Vec::<String>::new());
    assert_eq!(lying(&path(&house, "s-archive")), ["RST000000000001.txt"]);
    let book = bank.judge().expect("its book");
    assert_eq!((book.requests, book.credits_twice.len()), (1, 0));
    house.finished().await;
}

#[tokio::test]
async fn f38_i13_of_a_file_that_is_cut_nothing_is_taken() {
    let (mut house, format) = (House::open().await, big_bank());
    let bank = met(&mut house, &format, Faults { file_cut: ALWAYS, ..Faults::default() }).await;
    sent(&mut house).await;
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!((house.five(1).await, outcomes(&house).await), ([0, 303, 0, 0, 0], 0));
    assert_eq!(lying(&path(&house, "s-in")), ["RST000000000001.txt"], "it stays where it is");
    assert_eq!(lying(&path(&house, "s-archive")), Vec::<String>::new(), "and is not put away");
    assert!(house.alert("result_held").await.is_some(), "what came is kept, and told");
    bank.stop().await;
    let _bank = met(&mut house, &format, Faults::default()).await;
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(lying(&path(&house, "s-in")), Vec::<String>::new());
    assert!(house.alert("result_held").await.is_none(), "the answer settles it");
    house.finished().await;
}

#[tokio::test]
async fn f7_a_file_that_a_stop_left_lying_is_asked_for_once_more_and_changes_nothing() {
    let (mut house, format) = (House::open().await, big_bank());
    let bank = met(&mut house, &format, Faults::default()).await;
    // Nothing can be put away, as where the daemon stops before it.
    std::fs::write(path(&house, "s-archive"), "no folder").expect("written");
    sent(&mut house).await;
    house.live(15 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(lying(&path(&house, "s-in")), ["RST000000000001.txt"]);
    house.live(HOUR, MINUTE).await;
    assert!(house.alert("side_file").await.is_some(), "nobody takes it away, and somebody is told");
    let results = house.number("SELECT COUNT(*) FROM result").await;
    std::fs::remove_file(path(&house, "s-archive")).expect("removed");
    house.restart().await;
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(lying(&path(&house, "s-in")), Vec::<String>::new());
    assert_eq!(lying(&path(&house, "s-archive")), ["RST000000000001.txt"]);
    assert_eq!((house.five(1).await, outcomes(&house).await), ([0, 0, 303, 0, 0], 3));
    assert_eq!(house.number("SELECT COUNT(*) FROM result").await, results);
    assert!(house.alert("side_file").await.is_none());
    assert_eq!(bank.judge().expect("its book").requests, 1);
    house.finished().await;
}

#[tokio::test]
async fn f36_a_file_that_no_message_names_stays_and_somebody_is_told() {
    let (mut house, format) = (House::open().await, big_bank());
    let _bank = met(&mut house, &format, Faults::default()).await;
    let stray = path(&house, "s-in").join("RSX7.txt");
    std::fs::write(&stray, "RS|0\r\n").expect("written");
    house.live(30 * MINUTE, MINUTE).await;
    assert!(house.alerts().await.is_empty(), "its message may still come");
    house.live(30 * MINUTE, MINUTE).await;
    let alert = house.alert("side_file").await.expect("somebody is told");
    assert!(alert.text.contains("RSX7.txt"), "{}", alert.text);
    assert_eq!(lying(&path(&house, "s-in")), ["RSX7.txt"]);
    assert_eq!(house.number("SELECT COUNT(*) FROM result").await, 0, "it is not read by itself");
    std::fs::remove_file(stray).expect("removed");
    house.pass(MINUTE).await;
    assert!(house.alert("side_file").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f38_an_acknowledgement_counts_with_its_file_and_without_it_the_bank_is_asked() {
    let format = with_receipts();
    let mut house = House::open().await;
    let bank = met(&mut house, &format, Faults { file_lost: ALWAYS, ..Faults::default() }).await;
    sent(&mut house).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
    assert_eq!(
        house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await,
        1,
        "as evidence"
    );
    bank.stop().await;
    let bank = met(&mut house, &format, Faults::default()).await;
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    // One that comes whole is put away with its file: the next look finds it, and it was listed before.
    house
        .take(
            Draft::new("B", 1)
                .head(|head| head.period = "2026-B".to_owned())
                .lines(CALLS, 2)
                .declared(),
        )
        .await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 201, 0, 0]);
    let book = bank.judge().expect("its book");
    assert_eq!((book.requests, book.credits_twice.len()), (2, 0));
    assert_eq!(house.number("SELECT MAX(sends) FROM attempt").await, 1, "nothing goes twice");
    house.sound().await;
}

#[tokio::test]
async fn i8_f38_a_refund_is_confirmed_with_the_file_of_its_answer_and_not_before() {
    let mut house = House::open().await;
    let bank = met(&mut house, &big_bank(), Faults::default()).await;
    let closed = |line: &mut Line| line.person = triggering(2, Trigger::Closed);
    house.take(Draft::new("A", 1).lines(CALLS, 3).line(2, closed).declared()).await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0], "one is left over");
    bank.stop().await;
    let format = with_refunds();
    let lost = Faults { file_lost: ALWAYS, ..Faults::default() };
    let bank = met(&mut house, &format, lost).await;
    // Its format had no message for it until now: people say that they do not give it back.
    decided(&mut house, Subject::Attempt(AttemptNo(2)), Verdict::Never).await;
    house.live(4 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0], "the message alone confirms nothing");
    let alert = house.alert("side_file").await.expect("somebody is told");
    assert!(alert.text.contains("RRT"), "{}", alert.text);
    bank.stop().await;
    let bank = met(&mut house, &format, Faults::default()).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    assert!(house.alert("side_file").await.is_none(), "it came");
    let book = bank.judge().expect("its book");
    assert_eq!((book.refunds, book.offences.len()), (1, 0));
    house.finished().await;
}

#[tokio::test]
async fn f33_a_call_that_names_a_file_waits_for_it_and_is_taken_with_it() {
    let (mut house, format) = (House::open().await, big_bank());
    let bank = met(&mut house, &format, Faults { deaf: true, ..Faults::default() }).await;
    sent(&mut house).await;
    let mut head = Record::new();
    head.set(Key::Reference, Value::Text("T000000000001"));
    head.set(Key::Code, Value::Text("0002"));
    head.set(Key::Moment, Value::Moment(Moment::default()));
    let row = |at: i64| {
        let mut row = Record::new();
        row.set(Key::Ordinal, Value::Int(at));
        row.set(Key::Amount, Value::Amount(Fen::new(9_900 + 100 * at)));
        row.set(Key::Code, Value::Text("S"));
        row
    };
    let accounts: Vec<String> = (1..=3).map(|at| person(at).account).collect();
    let rows: Vec<Record> = accounts
        .iter()
        .zip(1..)
        .map(|(account, at)| {
            let mut row = row(at);
            row.set(Key::Account, Value::Text(account));
            row
        })
        .collect();
    let parts = format.encode(MessageKind::StatusAnswer, &head, &rows).expect("it is written");
    let [file, message] = parts.as_slice() else { panic!("a file and a message") };
    let (digest, bytes) = (sha256(&message.bytes), Bytes::from(message.bytes.clone()));
    let sealed = seal_evidence(&house.ctx().sealer, CALLS, &digest, &bytes);
    let now = house.ctx().now_ms();
    assert!(house.store().keep_push(CALLS, &digest, bytes.len(), sealed, now).await.expect("kept"));
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM pushed").await, ["waiting"]);
    assert_eq!((house.five(1).await, outcomes(&house).await), ([0, 303, 0, 0, 0], 0));
    std::fs::write(path(&house, "s-in").join(&file.name), &file.bytes).expect("left");
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM pushed").await, ["taken"]);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(lying(&path(&house, "s-in")), Vec::<String>::new());
    assert_eq!(bank.judge().expect("its book").requests, 1);
    house.sound().await;
}

#[tokio::test]
async fn i27_a_file_of_ours_that_cannot_be_cleared_away_is_told_of() {
    let (mut house, format) = (House::open().await, big_bank());
    for name in ["s-out", "s-in"] {
        std::fs::create_dir(path(&house, name)).expect("made");
    }
    opened(&mut house, &format, nobody()).await;
    sent(&mut house).await;
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(lying(&path(&house, "s-out")), ["APT000000000001.txt"]);
    // What was kept of it does not open any more: nobody can say whether the file is ours.
    let sealed = "UPDATE part_chunk SET bytes = zeroblob(40) WHERE attempt_no = 1";
    house.tamper(sealed).await;
    house.live(20 * HOUR, HOUR).await;
    assert!(lying(&path(&house, "s-out")).contains(&"APT000000000001.txt".to_owned()));
    let alert = house.alert("side_file").await.expect("somebody is told");
    assert!(alert.text.contains("APT000000000001.txt"), "{}", alert.text);
    assert!(alert.text.contains("请联系该行删除"), "{}", alert.text);
    // The bank deletes it.
    std::fs::remove_file(path(&house, "s-out").join("APT000000000001.txt")).expect("deleted");
    house.pass(MINUTE).await;
    assert!(house.alert("side_file").await.is_none(), "it is over");
}

#[tokio::test]
async fn i27_a_file_whose_message_never_left_is_cleared_away_and_no_other() {
    let (mut house, format) = (House::open().await, big_bank());
    for name in ["s-out", "s-in"] {
        std::fs::create_dir(path(&house, name)).expect("made");
    }
    opened(&mut house, &format, nobody()).await;
    let out = path(&house, "s-out");
    sent(&mut house).await;
    house
        .take(
            Draft::new("B", 1)
                .head(|head| head.period = "2026-B".to_owned())
                .lines(CALLS, 2)
                .declared(),
        )
        .await;
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(
        lying(&out),
        ["APT000000000001.txt", "APT000000000002.txt"],
        "both wait for their messages"
    );
    // Somebody put another file under our name: it is not ours to take away.
    std::fs::write(out.join("APT000000000002.txt"), "not ours").expect("written");
    house.live(20 * HOUR, HOUR).await;
    let states = house.texts("SELECT state FROM attempt ORDER BY attempt_no").await;
    assert_eq!(states[..2], ["closed", "closed"], "their day is over");
    let left = lying(&out);
    assert!(!left.contains(&"APT000000000001.txt".to_owned()), "{left:?}");
    assert!(left.contains(&"APT000000000002.txt".to_owned()), "{left:?}");
    assert_eq!(std::fs::read(out.join("APT000000000002.txt")).expect("it stays"), b"not ours");
    // What goes instead lies there, and is named once the bank listens.
    let live = left.iter().filter(|name| name.as_str() > "APT000000000002.txt").count();
    assert!(live > 0, "{left:?}");
    let bank = met(&mut house, &format, Faults::default()).await;
    house.live(HOUR, 5 * MINUTE).await;
    assert_eq!((house.five(1).await[2], house.five(2).await[2]), (303, 201));
    let book = bank.judge().expect("its book");
    assert_eq!((book.requests, book.credits_twice.len(), book.offences.len()), (2, 0, 0));
    house.sound().await;
}
