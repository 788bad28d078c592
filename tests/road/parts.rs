//! A bank that takes a batch in part: single payments refused at acceptance, and several numbers of its
//! own for what was sent in one. The practice bank does so, over real HTTP, with its own book.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use daifa::clock::Clock;
use daifa::flow::Step;
use daifa::flow::sealed::seal_evidence;
use daifa::format::{Format, Key, MessageKind, Record, Value, example};
use daifa::guard::digest::sha256;
use daifa::model::attempt::Answer;
use daifa::model::id::BatchNo;
use daifa::model::money::Fen;
use daifa::model::outcome::OutcomeKind;
use daifa::sandbox::bank::{Faults, Often, Options, PracticeBank, Wire, names_payments};
use daifa::transport::Transport;
use daifa::transport::https::{Https, HttpsOptions};

use crate::counter::{Counter, Reply, Turn, moment};
use crate::county::Draft;
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

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

/// The same, of a bank that tells its number of each payment when it takes a batch in, and names payments by
/// that alone from then on.
fn by_serial() -> String {
    let number =
        "key = \"bank_reference\", width_max = 32, only = \"ascii\", optional = true },\n]";
    let serial = "key = \"bank_serial\", width_max = 32, only = \"ascii\" },\n]";
    let text = in_part();
    assert_eq!(text.matches(number).count(), 1, "the rows of the acknowledgement");
    let mut text = text.replace(number, serial);
    for kind in ["status_answer", "late_return", "notice"] {
        let (before, rest) =
            text.split_once(&format!("kind = \"{kind}\"\n")).expect("it is described");
        let (head, row) = rest.split_once("is = \"row\"").expect("its rows");
        let row = row.replacen("  { path = \"@no\", key = \"ordinal\" },\n", "", 1);
        let account =
            "  { path = \"Account\", key = \"account\", width_max = 32, only = \"ascii\" },\n";
        let row = row.replacen(account, "", 1);
        let (own, after) = row.split_once("\n]\n").expect("the end of its fields");
        let own = match own.split_once("  { path = \"Serial\"") {
            Some((own, _)) => own.trim_end(),
            None => own,
        };
        text = format!(
            "{before}kind = \"{kind}\"\nmatch_by = [\"bank_serial\"]\n{head}is = \"row\"{own}\n  \
             {{ path = \"Serial\", {serial}\n{after}"
        );
    }
    text
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

#[test]
fn a_practice_bank_is_told_at_the_start_of_faults_that_its_format_cannot_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bank.toml");
    let start = |format: &str, faults: &str| {
        let text = format!(
            "format = \"{format}\"\nbook = \"book\"\n[door]\nkind = \"https\"\n\
             listen = \"127.0.0.1:0\"\n[faults]\n{faults}\n"
        );
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
        command.args(["sandbox", "bank", "--config", "bank.toml"]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    let both = "refuse_row = 0.5\nsplit_batch = 1";
    for shipped in ["example-city-xml", "example-rural-fixed"] {
        let out = start(shipped, both).wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(78), "{told}");
        for words in [
            &format!("bank.toml:7: faults.refuse_row: never comes about with {shipped}"),
            "bank.toml:8: faults.split_batch: never",
            "expected a format whose acknowledgement has rows with an amount; take split_batch out",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    let out = start("nothing", both).wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(told.contains("bank.toml:1: format: ") && !told.contains("faults"), "{told}");
    // One that begins is ended as soon as it has said so.
    let mut bank = start("example-city-xml", "refuse_row = 0\nsplit_batch = 0.0");
    let mut said = String::new();
    BufReader::new(bank.stdout.take().expect("piped")).read_line(&mut said).expect("read");
    bank.kill().unwrap_or_default();
    let told = bank.wait_with_output().expect("ended").stderr;
    assert!(said.starts_with("practice bank at"), "{said}{}", String::from_utf8_lossy(&told));
    // Where they come about, as the tests below have them, nothing is refused.
    for (text, can) in [
        (in_part(), true),
        (by_serial(), true),
        (example::example("example-city-xml").expect("it ships").to_owned(), false),
    ] {
        let format = Format::compile("in-part", &text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(names_payments(&format), can);
    }
}

#[tokio::test]
async fn i2_what_left_and_whose_answer_cannot_be_dealt_with_is_of_unknown_fate() {
    let faults = Faults { refuse_row: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&in_part(), faults).await;
    house.county.offer(Draft::new("A", 1).lines(CALLS, 3).declared());
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    // The bytes are ready to leave; the rows that its answer names cannot be compared with ours any more.
    house.tamper("UPDATE payment SET amount_fen = amount_fen + 1").await;
    house.step(Step::Submit).await.expect("the step goes on");
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
    let alert = house.alert("unknown").await.expect("somebody is told");
    assert!(alert.text.contains("发送结果不明") && alert.text.contains("打不开"), "{}", alert.text);
    assert!(house.alert("submit").await.is_none(), "nobody says that nothing was sent");
    house.tamper("UPDATE payment SET amount_fen = amount_fen - 1").await;
    house.live(4 * HOUR, MINUTE).await;
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.credits_twice, book.offences), (2, vec![], vec![]));
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
async fn i12_payments_are_found_by_the_numbers_that_the_acknowledgement_told() {
    let faults = Faults { return_later: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&by_serial(), faults).await;
    house.take(Draft::new("A", 1).lines(CALLS, 4).declared()).await;
    let known = "SELECT line || ' ' || serial FROM payment_serial ORDER BY line";
    let told = house.texts(known).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(house.five(1).await, [0, 406, 0, 0, 0], "taken in, and not credited");
    house.live(4 * HOUR, MINUTE).await;
    assert_eq!(house.texts(known).await, told, "nothing new is told later");
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credits_twice, book.offences), (vec![], vec![]));
    let places = house.five(1).await;
    assert_eq!((places[0], places[1]), (0, 0), "all is answered for: {places:?}");
    assert!(house.number("SELECT COUNT(*) FROM outcome WHERE kind = 'returned'").await > 0);
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    house.finished().await;
}

#[tokio::test]
async fn f39_an_answer_by_numbers_that_were_lost_waits_and_is_told_of() {
    let faults = Faults { lose_answer: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&by_serial(), faults).await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(HOUR, MINUTE).await;
    // That the bank has it is known; of what became of it nothing is believed.
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    house.live(23 * HOUR, 10 * MINUTE).await;
    assert!(house.alert("overdue").await.is_some(), "{:?}", house.alerts().await);
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.offences), (3, vec![]));
    house.sound().await;
}

/// The example of files, whose receipt tells the bank's number of each payment, and whose results need it.
fn files_by_serial() -> String {
    let text = example::example("example-rural-fixed").expect("it ships");
    let (before, rest) = text.split_once("kind = \"acknowledgement\"").expect("a receipt");
    let (receipt, after) =
        rest.split_once("[[message.part]]\nrole = \"control\"").expect("its end");
    let receipt = receipt.replace("length = 143\n", "").replace(
        "\n]\n",
        "\n  { key = \"count\", width = 8, pad = \"0\", side = \"right\" },\n  \
         { key = \"sum\", width = 17, unit = \"yuan\", scale = 2, point = true, pad = \"0\", side = \"right\" },\n]\n",
    );
    let row = r#"[[message.part.record]]
is = "row"
fields = [
  { literal = "D" },
  { key = "ordinal", width = 8, pad = "0", side = "right" },
  { key = "account", width = 32, only = "ascii", pad = " ", side = "left" },
  { key = "amount", width = 17, unit = "yuan", scale = 2, point = true, pad = "0", side = "right" },
  { key = "bank_serial", width = 20, only = "ascii", pad = " ", side = "left" },
]

"#;
    let (middle, result) = after.split_once("kind = \"result\"\n").expect("results");
    let optional = "{ key = \"bank_serial\", width = 20, only = \"ascii\", optional = true,";
    let result = result.replacen(optional, &optional.replace(" optional = true,", ""), 1);
    format!(
        "{before}kind = \"acknowledgement\"{receipt}{row}[[message.part]]\nrole = \"control\"{middle}kind = \"result\"\n\
         match_by = [\"bank_serial\"]\n{result}"
    )
}

#[tokio::test]
async fn f34_a_result_by_numbers_waits_in_its_folder_for_the_receipt_that_tells_them() {
    let mut house = House::open().await;
    let format = Format::compile("numbers", &files_by_serial()).unwrap_or_else(|e| panic!("{e}"));
    house.files = Arc::new(Counter::filing(&house.dir.path().join("bank"), Arc::new(format)));
    house.restart().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    let say = |kind, code: &str, each: &str| {
        let mut head = Record::new();
        head.set(Key::Reference, Value::Text(&reference));
        head.set(Key::Moment, Value::Moment(moment(1)));
        head.set(Key::Code, Value::Text(code));
        let rows: Vec<Record> = house
            .files
            .told(&reference, MessageKind::Result)
            .iter()
            .map(|told| {
                let mut row = Record::new();
                row.set(Key::Ordinal, Value::Int(told.ordinal));
                row.set(Key::Account, Value::Text(&told.account));
                row.set(Key::Amount, Value::Amount(Fen::new(told.fen)));
                row.set(Key::Code, Value::Text(each));
                row.set(Key::BankSerial, Value::Text(&format!("N{}", 10 - told.ordinal)));
                row
            })
            .collect();
        house.files.format.encode(kind, &head, &rows).expect("the bank writes its own format")
    };
    let (credited, accepted) = (
        house.files.code(MessageKind::Result, Some(OutcomeKind::Credited), None),
        house.files.format.answers(MessageKind::Acknowledgement).find_map(|(code, answer)| {
            (answer == daifa::model::attempt::Answer::Accepted).then(|| code.to_owned())
        }),
    );
    let result = say(MessageKind::Result, "", &credited);
    let receipt = say(MessageKind::Acknowledgement, &accepted.expect("a code"), "");
    house.files.leave(result);
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(house.files.waiting(), 2, "the file and its control file lie where they were");
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM result").await, 0);
    assert!(house.alert("collect").await.is_none(), "{:?}", house.alerts().await);
    house.files.leave(receipt);
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(house.files.waiting(), 0);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f39_a_push_by_numbers_that_were_lost_is_not_taken_for_read() {
    let faults = Faults { lose_answer: Often::Every(1), ..Faults::default() };
    let (mut house, bank) = with(&by_serial(), faults).await;
    house.take(Draft::new("A", 1).lines(CALLS, 1).declared()).await;
    let reference = house.texts("SELECT reference FROM attempt").await.remove(0);
    let format = Format::compile("in-part", &by_serial()).expect("compiles");
    let kind = MessageKind::StatusAnswer;
    let (mut head, mut row) = (Record::new(), Record::new());
    head.set(Key::Reference, Value::Text(&reference));
    head.set(Key::Moment, Value::Moment(moment(1)));
    head.set(Key::Code, Value::Text("B003"));
    row.set(Key::Amount, Value::Amount(Fen::new(100)));
    row.set(Key::Code, Value::Text("S"));
    row.set(Key::BankSerial, Value::Text("N1"));
    let bytes = format.encode(kind, &head, &[row]).expect("is written").remove(0).bytes;
    let ctx = house.ctx();
    let digest = sha256(&bytes);
    let sealed = seal_evidence(&ctx.sealer, CALLS, &digest, &bytes);
    let kept = ctx.store.keep_push(CALLS, &digest, bytes.len(), sealed, ctx.now_ms()).await;
    assert!(kept.expect("it is kept"));
    house.live(3 * MINUTE, MINUTE).await;
    // The bank has it: that is known. What became of it waits with the only copy of the answer.
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(house.texts("SELECT state FROM pushed").await, ["waiting"]);
    assert_eq!(house.five(1).await, [0, 100, 0, 0, 0]);
    assert!(bank.judge().expect("the book reads").offences.is_empty());
    house.sound().await;
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

/// A house whose message bank names payments in its acknowledgement, and cannot be asked.
async fn naming() -> (House, Arc<Counter>) {
    let mut house = House::open().await;
    let format = Format::compile("in-part", &in_part()).unwrap_or_else(|e| panic!("{e}"));
    let counter = Arc::new(Counter::speaking(format));
    let door: Arc<dyn Transport> = counter.clone();
    house.doors.insert(CALLS.to_owned(), (door, Arc::clone(&counter.format)));
    house.restart().await;
    (0..99).for_each(|_| counter.reply(Reply::Fail));
    (house, counter)
}

/// The bank calls in what it says of the first attempt.
async fn call_in(house: &House, bytes: &Bytes) {
    let (ctx, digest) = (house.ctx(), sha256(bytes));
    let sealed = seal_evidence(&ctx.sealer, CALLS, &digest, bytes);
    let kept = ctx.store.keep_push(CALLS, &digest, bytes.len(), sealed, ctx.now_ms()).await;
    assert!(kept.expect("it is kept"));
}

/// A bank that says in the answer to the batch itself what became of each payment.
#[tokio::test]
async fn i15_done_with_what_became_of_each_payment_is_a_result_whatever_message_brings_it() {
    for by_file in [false, true] {
        let (mut house, counter) = naming().await;
        counter.next(if by_file {
            Turn::Lose { booked: true }
        } else {
            Turn::Results(&["F01", "S"])
        });
        house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
        if by_file {
            let reference = house.texts("SELECT reference FROM attempt").await.remove(0);
            let bytes = counter.done(&reference, &["F01", "S"]);
            call_in(&house, &bytes).await;
            house.run().await;
        }
        assert_eq!(house.texts("SELECT state FROM attempt WHERE batch_no > 0").await, ["accepted"]);
        let told = house.texts("SELECT kind || ' ' || line FROM outcome ORDER BY line").await;
        assert_eq!(told, ["failed 1", "credited 2"]);
        assert_eq!(house.five(1).await[2], 101);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
        house.sound().await;
    }
}

/// An answer with results to what the bank had refused: nothing of it is taken before two people have looked.
#[tokio::test]
async fn i11_results_in_an_answer_to_what_was_refused_free_nothing_by_themselves() {
    let (mut house, counter) = naming().await;
    counter.next(Turn::Say(Answer::Refused));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    assert_eq!(house.five(1).await, [201, 0, 0, 0, 0]);
    let reference = house.texts("SELECT reference FROM attempt").await.remove(0);
    let bytes = counter.done(&reference, &["S", "S"]);
    call_in(&house, &bytes).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0], "frozen");
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 0);
    assert_eq!(house.texts("SELECT state FROM result").await, ["held"]);
    assert!(house.alert("contradiction").await.is_some());
    house.sound().await;
}

/// The same, where one of its rows is about another amount: it is put aside, and the others count.
#[tokio::test]
async fn i12_done_with_rows_that_cannot_be_is_kept_and_told() {
    let (mut house, counter) = naming().await;
    counter.next(Turn::Results(&["!S", "S"]));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    assert_eq!(house.texts("SELECT kind || ' ' || line FROM outcome").await, ["credited 2"]);
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 1);
    assert!(house.alert("quarantine").await.is_some());
    // F37: with what was expected.
    assert_eq!(house.texts("SELECT detail FROM quarantine").await, ["应为发送时的 100.00 元"]);
    assert_eq!(house.five(1).await, [0, 100, 101, 0, 0]);
    house.sound().await;
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
    // The first may have come before the answer that tells its number: it is waited for a while.
    house.live(11 * MINUTE, MINUTE).await;
    let held = house.texts("SELECT why FROM result WHERE state = 'held' ORDER BY result_no").await;
    assert_eq!(
        held,
        ["银行编号对应我方多个批次，无法判断是哪一个", "没有我方流水号，银行编号也不是我方已知的"]
    );
    house.sound().await;
}
