//! A bank that takes a batch in part: single payments refused at acceptance, and several numbers of its
//! own for what was sent in one. The practice bank does so, over real HTTP, with its own book.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use daifa::clock::Clock;
use daifa::flow::sealed::seal_evidence;
use daifa::format::{Format, Key, MessageKind, Record, Value, example};
use daifa::guard::digest::sha256;
use daifa::model::id::BatchNo;
use daifa::sandbox::bank::{Faults, Often, Options, PracticeBank, Wire};
use daifa::transport::Transport;
use daifa::transport::https::{Https, HttpsOptions};

use crate::counter::{Counter, Turn, moment};
use crate::county::Draft;
use crate::house::{CALLS, HOUR, House, MINUTE};

/// The example of messages, with an acknowledgement that may name payments.
fn in_part() -> String {
    let text = example::example("example-city-xml").expect("it ships");
    let (before, rest) = text.split_once("# 受理应答").expect("an acknowledgement");
    let (own, after) = rest.split_once("# 查询:").expect("its end");
    let own = own
        .replace("kind = \"acknowledgement\"", "kind = \"acknowledgement\"\nrows_min = 0")
        .replace(
            "\n]\n",
            "\n  { path = \"Body/List/@count\", key = \"count\" },\n  \
             { path = \"Body/List/@sum\", key = \"sum\", unit = \"fen\", scale = 0 },\n]\n",
        );
    let row = r#"[[message.part.record]]
is = "row"
path = "Body/List/Row"
fields = [
  { path = "@no", key = "ordinal" },
  { path = "Account", key = "account", width_max = 32, only = "ascii" },
  { path = "Amount", key = "amount", unit = "fen", scale = 0 },
  { path = "Code", key = "code", width_max = 8, only = "ascii", codes = "results" },
  { path = "Text", key = "text", width_max = 120, optional = true },
  { path = "Number", key = "bank_reference", width_max = 32, only = "ascii", optional = true },
]

"#;
    format!("{before}# 受理应答{own}{row}# 查询:{after}")
}

/// The same, of a bank that is asked by its own numbers and answers with them alone.
fn by_number() -> String {
    let text = in_part();
    let (before, rest) = text.split_once("kind = \"status_query\"").expect("a query");
    let (own, after) = rest.split_once("kind = \"return_query\"").expect("the next");
    let (query, answer) = own.split_once("# 查询应答").expect("the answer");
    let number = "  { path = \"Head/Number\", key = \"bank_reference\", width_max = 32, only = \"ascii\", optional = true },\n";
    let query = query.replace("\n]\n", &format!("\n{number}]\n"));
    let reference = "key = \"reference\", width_max = 32, only = \"ascii\" }";
    let answer = answer.replace(reference, &reference.replace(" }", ", optional = true }"));
    format!(
        "{before}kind = \"status_query\"{query}# 查询应答{answer}kind = \"return_query\"{after}"
    )
}

/// A house whose message bank is a practice bank with this format that does this.
async fn with(text: &str, faults: Faults) -> (House, PracticeBank) {
    let mut house = House::open().await;
    let format = Arc::new(Format::compile("in-part", text).unwrap_or_else(|e| panic!("{e}")));
    let folder = house.dir.path().join("p-calls");
    std::fs::create_dir(&folder).expect("made");
    let wire = Wire::Http { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let options = Options { poll_ms: 2, faults, ..Options::new(folder, wire) };
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    let bank = PracticeBank::start(options, Arc::clone(&format), clock).await.expect("starts");
    let door = Https::new(&HttpsOptions {
        url: bank.url().expect("it listens"),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file: None,
        identity: None,
        signing: None,
        connect_ms: 2_000,
        total_ms: 5_000,
        answer_bytes_max: 1 << 20,
    });
    let door: Arc<dyn Transport> = Arc::new(door.expect("a door"));
    house.doors.insert(CALLS.to_owned(), (door, format));
    house.restart().await;
    (house, bank)
}

async fn numbers(house: &House) -> Vec<String> {
    house.texts("SELECT reference FROM bank_reference ORDER BY reference").await
}

#[tokio::test]
async fn f36_a_payment_refused_at_acceptance_is_told_at_once_and_the_rest_is_under_way() {
    let faults = Faults { refuse_row: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&in_part(), faults).await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    // Nothing but the acknowledgement has come.
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(house.texts("SELECT kind || ' ' || line FROM outcome").await, ["failed 1"]);
    assert_eq!(house.texts("SELECT reason FROM outcome").await, ["account_not_found"]);
    assert_eq!(house.number("SELECT pending FROM batch").await, 2);
    assert_eq!(house.five(1).await, [0, 203, 0, 100, 0]);
    let told = house.number("SELECT COUNT(*) FROM report WHERE kind = 'results'").await;
    assert!(told > 0, "finance is told before there are results");
    house.live(4 * HOUR, MINUTE).await;
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.offences), (2, vec![]));
    house.finished().await;
}

#[tokio::test]
async fn f36_a_batch_under_several_numbers_is_asked_about_by_each() {
    let faults = Faults { split_batch: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&by_number(), faults).await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    assert_eq!(numbers(&house).await, ["0000000001-1", "0000000001-2"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "both parts have answered");
    let answers = "SELECT COUNT(*) FROM result WHERE name LIKE 'status_answer %'";
    assert_eq!(house.number(answers).await, 2, "one for each part");
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.offences), (3, vec![]));
    // Whoever looks, sees them.
    let page = house.store().batch_page(BatchNo(1), 10).await.expect("read").expect("a batch");
    assert_eq!(page.attempts[0].bank_references, ["0000000001-1", "0000000001-2"]);
    let life = house.life(1, 1).await;
    assert!(life.events.iter().any(|event| event.what.ends_with("is 0000000001-2")));
    house.finished().await;
}

#[tokio::test]
async fn f6_an_acceptance_in_part_is_taken_whole_or_not_at_all() {
    let faults =
        Faults { refuse_row: Often::Every(1), split_batch: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&in_part(), faults).await;
    house
        .tamper(
            "CREATE TRIGGER broken BEFORE INSERT ON outcome BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .await;
    house.county.offer(Draft::new("A", 1).lines(CALLS, 3).declared());
    for step in [daifa::flow::Step::Intake, daifa::flow::Step::Convert] {
        house.only(step).await;
    }
    let failed = house.step(daifa::flow::Step::Submit).await.expect_err("a storage error");
    assert!(failed.is_fatal());
    house.stop();
    house.tamper("DROP TRIGGER broken").await;
    house.restart().await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
    assert_eq!(numbers(&house).await, Vec::<String>::new());
    house.live(4 * HOUR, MINUTE).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 3);
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.offences), (2, vec![]));
    house.finished().await;
}

/// A status answer that names nothing but the bank's number.
fn status(format: &Format, number: &str, rows: &[(i64, String, i64)]) -> Bytes {
    let mut head = Record::new();
    head.set(Key::BankReference, Value::Text(number));
    head.set(Key::Code, Value::Text("B003"));
    head.set(Key::Moment, Value::Moment(moment(1)));
    let rows: Vec<Record> = rows
        .iter()
        .map(|(ordinal, account, fen)| {
            let mut row = Record::new();
            row.set(Key::Ordinal, Value::Int(*ordinal));
            row.set(Key::Account, Value::Text(account));
            row.set(Key::Amount, Value::Amount(daifa::model::money::Fen::new(*fen)));
            row.set(Key::Code, Value::Text("S"));
            row
        })
        .collect();
    let mut parts = format.encode(MessageKind::StatusAnswer, &head, &rows).expect("is written");
    Bytes::from(parts.remove(0).bytes)
}

#[tokio::test]
async fn f36_an_answer_that_names_only_the_bank_s_number_finds_its_batch() {
    let mut house = House::open().await;
    let format = Format::compile("by-number", &by_number()).unwrap_or_else(|e| panic!("{e}"));
    let counter = Arc::new(Counter::speaking(format));
    let door: Arc<dyn Transport> = counter.clone();
    house.doors.insert(CALLS.to_owned(), (door, Arc::clone(&counter.format)));
    house.restart().await;
    counter.next(Turn::Number("N-1"));
    counter.next(Turn::Number("N-1"));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    let push = async |house: &House, bytes: &Bytes| {
        let (ctx, digest) = (house.ctx(), sha256(bytes));
        let sealed = seal_evidence(&ctx.sealer, CALLS, &digest, bytes);
        let kept = ctx.store.keep_push(CALLS, &digest, bytes.len(), sealed, ctx.now_ms()).await;
        assert!(kept.expect("it is kept"));
    };
    let rows = counter.book().booked[0].rows.clone();
    push(&house, &status(&counter.format, "N-2", &rows)).await;
    house.run().await;
    assert_eq!(house.five(1).await[1], 201, "that number is nobody's");
    push(&house, &status(&counter.format, "N-1", &rows[..1])).await;
    house.run().await;
    assert_eq!(house.five(1).await, [0, 101, 100, 0, 0]);
    // The bank uses a number again: which batch is meant nobody can say.
    house.take(Draft::new("B", 1).lines(CALLS, 2).declared()).await;
    push(&house, &status(&counter.format, "N-1", &rows[1..])).await;
    house.run().await;
    assert_eq!(house.five(1).await, [0, 101, 100, 0, 0]);
    let held = house.texts("SELECT why FROM result WHERE state = 'held' ORDER BY result_no").await;
    assert_eq!(
        held,
        ["没有我方流水号，银行编号也不是我方已知的", "银行编号对应我方多个批次，无法判断是哪一个"]
    );
    house.sound().await;
}
