//! I27: what is personal rests sealed and leaves only in reports and in the bank's files. Canaries
//! sit in every personal field and in everything a bank may say; then everything that the daemon
//! wrote is searched for them.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};

use daifa::finance::Verdict;
use daifa::flow::Step;
use daifa::format::MessageKind;
use daifa::model::attempt::Answer;
use daifa::model::person::{Person, id_number_closes};
use daifa::model::reason::Reason;
use daifa::web::{self, BankName, Health, Metrics, Pages};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::counter::{Fate, Reply, Turn};
use crate::county::{Draft, Ear};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

/// Everything that any test of this binary logs, at the finest level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LISTEN: Once = Once::new();

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().expect("no panic inside").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    LISTEN.call_once(|| {
        let all = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Log)
            .finish();
        tracing::subscriber::set_global_default(all).expect("nobody listens yet");
    });
}

/// The name of another holder, that only a bank says.
const STRANGER: &str = "骉犇犇";
const STRANGER_CARD: &str = "6299777766665555444";

/// A payee all of whose fields are found wherever they leak.
fn canary(number: u64) -> Person {
    let mut document = format!("61072819991231{:03}", 900 + number);
    let closing =
        "0123456789X".chars().find(|check| id_number_closes(&format!("{document}{check}")));
    document.push(closing.expect("one closes"));
    Person {
        name: format!("羴鱻{}", ["甲", "乙", "丙", "丁", "戊", "己"][number as usize % 6]),
        document_kind: "id".to_owned(),
        document_number: document,
        account: format!("62998877665544332{number:02}"),
        phone: format!("1997755331{number}"),
    }
}

/// What must not be found, in every spelling that the daemon or a bank uses.
fn canaries() -> Vec<Vec<u8>> {
    let mut texts = vec![STRANGER.to_owned(), STRANGER_CARD.to_owned()];
    for number in 0..6 {
        let Person { name, document_number, account, phone, .. } = canary(number);
        texts.extend([name, document_number, account, phone]);
    }
    let mut out: Vec<Vec<u8>> = Vec::new();
    for text in texts {
        let (gbk, _, _) = encoding_rs::GBK.encode(&text);
        if gbk != text.as_bytes() {
            out.push(gbk.into_owned());
        }
        out.push(text.into_bytes());
    }
    out
}

#[track_caller]
fn shows_nobody(what: &str, bytes: &[u8]) {
    for canary in canaries() {
        let found = bytes.windows(canary.len()).position(|some| some == canary);
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(150)..(at + 60).min(bytes.len())];
            panic!(
                "{what} shows {}: {}",
                String::from_utf8_lossy(&canary),
                String::from_utf8_lossy(around)
            );
        }
    }
}

/// A register of canaries with every kind of trouble.
async fn troubled() -> House {
    let mut house = House::open().await;
    let mut draft = Draft::new("A", 1).lines(FILES, 3).lines(CALLS, 3);
    for (at, line) in draft.lines.iter_mut().enumerate() {
        line.person = canary(at as u64);
    }
    // One is set aside for its name, one for being a double.
    draft.lines[4].person.name.push('𬱖');
    draft.lines[5].person.document_number = canary(3).document_number;
    let words = Fate::Failed(Reason::NameMismatch, "户名不符，原户名为[骉犇犇]");
    house.files.fate(&canary(1).account, words.clone());
    house.calls.fate(&canary(3).account, words);
    house.county.ear(Ear::Refusing);
    let page = "<html>羴鱻甲 6299777766665555444</html>";
    house.calls.next(Turn::Garbage(page));
    house.take(draft.declared()).await;
    // A register that is refused, with canaries where they do not belong.
    let mut wrong = Draft::new("B", 1).lines(FILES, 2);
    wrong.lines[0].person = canary(2);
    let wrong = wrong
        .spelled(0, |line| line["amount"] = json!(STRANGER_CARD))
        .spelled(1, |line| line[STRANGER] = json!(STRANGER));
    house.take(wrong.signed()).await;
    house.county.ear(Ear::Open);
    house
}

/// A bank that says everything it should not.
async fn bad_words(house: &mut House) {
    let batches = house.files.batches();
    let reference = batches[0].reference.clone();
    let good = house.files.told(&reference, MessageKind::Result);
    let mut told = good.clone();
    told[0].account = STRANGER_CARD.to_owned();
    told[2].fen += 7;
    told[2].text = STRANGER.to_owned();
    house.files.leave_result(&reference, &told, "1");
    // Columns that are shifted: accounts and names where numbers belong, in files of their own.
    for (serial, at) in [("2", 180), ("3", 120), ("4", 30), ("5", 75)] {
        let mut parts =
            house.files.say(MessageKind::Result, &reference, Answer::Done, "", &good, serial);
        let (name, _, _) = encoding_rs::GB18030.encode(STRANGER);
        let junk: Vec<u8> = name.iter().chain(STRANGER_CARD.as_bytes()).copied().collect();
        parts[0].bytes[at..at + junk.len()].copy_from_slice(&junk);
        house.files.leave(parts);
    }
    // A file that is called after somebody.
    let mut parts = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &good, "7");
    for part in &mut parts {
        part.name = part.name.replace(&reference, &format!("{STRANGER}{STRANGER_CARD}"));
    }
    assert!(parts[0].name.contains(STRANGER));
    house.files.leave(parts);
    house.run().await;
    house.files.leave_result(&reference, &good, "6");
    let page = format!("<Message><Head><Code>{STRANGER_CARD}</Code></Head></Message>");
    house.calls.reply(Reply::Bytes(page.into_bytes().into()));
    house.calls.reply(Reply::Bytes(STRANGER.as_bytes().into()));
    house.live(HOUR, MINUTE).await;
    house.files.next(Turn::Refuse("骉犇犇 6299777766665555444 余额不足"));
}

/// The pages and the metrics, as they are served.
async fn served(house: &House) -> Vec<u8> {
    let store = Arc::new(daifa::store::Store::attach(house.database()).await.expect("attached"));
    let steps: Vec<&'static str> = Step::ALL.iter().map(|step| step.as_str()).collect();
    let metrics = Arc::new(Metrics::new("0", &steps));
    let (totals, running) =
        (store.totals().await.expect("read"), store.running().await.expect("read"));
    metrics.refresh(&totals, &running, house.ctx().now_ms());
    let banks =
        [FILES, CALLS].map(|code| BankName { code: code.to_owned(), name: code.to_owned() });
    let pages = Pages {
        store: Arc::clone(&store),
        sealer: Arc::clone(&house.ctx().sealer),
        clock: Arc::new(house.clock.clone()),
        metrics,
        health: Arc::new(Health::new(Vec::new(), 1_000, house.ctx().now_ms())),
        banks: banks.into(),
        unfetched: Arc::default(),
        allowed_ms: 24 * 3_600_000,
        funded_only: true,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let cancel = CancellationToken::new();
    let serving = tokio::spawn(web::serve(listener, web::router(pages), cancel.clone()));
    let mut all = Vec::new();
    for path in [
        "/",
        "/registers/R1",
        "/registers/R2",
        "/batches/B1",
        "/batches/B2",
        "/quarantine?all=1",
        "/metrics",
    ] {
        let mut peer = tokio::net::TcpStream::connect(address).await.expect("connects");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        peer.write_all(request.as_bytes()).await.expect("writes");
        let before = all.len();
        peer.read_to_end(&mut all).await.expect("reads");
        let answer = String::from_utf8_lossy(&all[before..]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    cancel.cancel();
    serving.await.expect("it ends");
    store.close().await;
    all
}

fn files_of(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").path());
    entries.filter(|path| path.is_file()).collect()
}

#[tokio::test]
async fn i27_nobody_is_found_outside_reports_and_the_banks_files() {
    listen();
    let mut house = troubled().await;
    bad_words(&mut house).await;
    for line in [5, 6] {
        house.county.decide("A", 1, line, Verdict::Drop);
    }
    house.live(3 * HOUR, MINUTE).await;
    house.live(30 * HOUR, HOUR).await;
    assert!(house.number("SELECT COUNT(*) FROM quarantine").await > 1);
    assert!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await > 4);
    assert!(house.number("SELECT COUNT(*) FROM alert").await > 4, "and what was told of them");
    // Every table is in the file, and so is what was deleted from it.
    let pages = served(&house).await;
    shows_nobody("a page or the metrics", &pages);
    let masked = String::from_utf8_lossy(&pages).contains("羴**");
    assert!(masked, "the failures are there, masked");
    for table in house.texts("SELECT name FROM sqlite_master WHERE type = 'table'").await {
        assert!(house.number(&format!("SELECT COUNT(*) FROM {table}")).await >= 0);
    }
    house.sound().await;
    // The files beside the database go with its last connection.
    house.store().close().await;
    house.stop();
    let files = files_of(house.dir.path());
    assert!(files.iter().any(|path| path.ends_with("daifa.sqlite")));
    for path in files {
        shows_nobody(&path.display().to_string(), &std::fs::read(&path).expect("read"));
    }
    let log = LOG.lock().expect("no panic inside").clone();
    let text = String::from_utf8_lossy(&log);
    for said in ["a register is accepted", "an answer is held as a whole", "a batch is cut"] {
        assert!(text.contains(said), "{said} was logged");
    }
    shows_nobody("the log", &log);
    // The canaries were alive: reports have them, all but the stranger's.
    let told: Vec<u8> =
        house.county.deliveries().iter().flat_map(|one| one.body.to_vec()).collect();
    let has = |what: &str| told.windows(what.len()).any(|some| some == what.as_bytes());
    assert!(has(&canary(1).name) && has(&canary(1).account) && has(&canary(3).document_number));
    assert!(!has(STRANGER) && !has(STRANGER_CARD));
}

#[tokio::test]
async fn i27_what_a_step_or_the_store_says_when_it_fails_names_nobody() {
    listen();
    let mut house = House::open().await;
    let mut draft = Draft::new("A", 1).lines(FILES, 2);
    draft.lines[0].person = canary(0);
    house.county.offer(draft.declared());
    house.only(Step::Intake).await;
    house.tamper("UPDATE payment SET amount_fen = amount_fen + 1").await;
    house.live(5 * MINUTE, MINUTE).await;
    let said: String = house.alerts().await.into_iter().map(|alert| alert.text).collect();
    assert!(!said.is_empty());
    shows_nobody("an alert", said.as_bytes());
    shows_nobody("an error", house.troubles.join("").as_bytes());
    shows_nobody("what prints a payee", format!("{:?}", canary(0)).as_bytes());
}
