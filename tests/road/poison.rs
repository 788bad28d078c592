//! Items that break the program down (F56): one that is written, and ones that are read from a file, from an
//! answer and from a push. The program has no such defect that is known, so one is put where each item is
//! written down before it is opened: in a ledger that panics, or ends the process, at the item that a test
//! means.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use daifa::app::opening::begin;
use daifa::clock::Clock as _;
use daifa::flow::Step;
use daifa::flow::opening::{Item, Ledger, Opening};
use daifa::flow::sealed::seal_evidence;
use daifa::format::{MessageKind, Part};
use daifa::guard::digest::sha256;
use daifa::guard::key::hex;
use daifa::model::attempt::Answer;
use daifa::store::Location;

use crate::counter::{Counter, Told};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

/// The item that breaks the program down.
type Poison = Arc<dyn Fn(&Item) -> bool + Send + Sync>;

/// Panics at an item, with what is in it in its words, as a careless defect would.
struct Breaks(Poison);

impl Ledger for Breaks {
    fn opens(&self, item: &Item) -> io::Result<()> {
        assert!(!(self.0)(item), "account {}", person(1).account);
        Ok(())
    }

    fn closed(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the process at an item that was written down.
struct Ends(Poison, Box<dyn Ledger>);

impl Ledger for Ends {
    fn opens(&self, item: &Item) -> io::Result<()> {
        self.1.opens(item)?;
        if (self.0)(item) {
            std::process::abort();
        }
        Ok(())
    }

    fn closed(&self) -> io::Result<()> {
        self.1.closed()
    }
}

fn at_content(content: [u8; 32]) -> Poison {
    Arc::new(move |item| item.content == content)
}

fn at_place(place: &[&str]) -> Poison {
    let place = Item::new(place, [0; 32]).place;
    Arc::new(move |item| item.place == place)
}

/// The daemon starts again, after one that died; this item breaks it down.
async fn broken_by(house: &mut House, poison: Poison) {
    house.opening =
        Some(Box::new(move || Opening::careful(Vec::new(), Box::new(Breaks(Arc::clone(&poison))))));
    house.restart().await;
}

/// Two registers, each with a batch at the bank with folders; our references of them.
async fn two_batches(house: &mut House) -> [String; 2] {
    for id in ["A", "B"] {
        house.take(Draft::new(id, 1).lines(FILES, 2).declared()).await;
    }
    let batches = house.files.batches();
    [batches[0].reference.clone(), batches[1].reference.clone()]
}

fn result(counter: &Counter, reference: &str, rows: &[Told]) -> Vec<Part> {
    counter.say(MessageKind::Result, reference, Answer::Done, "", rows, "1")
}

/// Of the bytes of an answer as they are joined.
fn digest(parts: &[Part]) -> [u8; 32] {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.bytes.iter().copied()).collect();
    sha256(&bytes)
}

async fn held(house: &House) -> Vec<String> {
    house.texts("SELECT why FROM result WHERE state = 'held' ORDER BY result_no").await
}

/// One of the two files was held and the other one taken; then the bank sends the first one anew.
async fn one_is_held_and_ends_with_another(house: &mut House, reference: &str, why: &str) {
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0], "it changed nothing");
    assert_eq!(house.five(2).await, [0, 0, 201, 0, 0], "and held up nobody");
    let told = held(house).await;
    assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
    let alert = house.alert("result_held").await.expect("somebody is told");
    assert!(alert.text.contains(why) && !alert.text.contains(&person(1).account), "{}", alert.text);
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE LENGTH(evidence) > 0").await, 1);
    assert_eq!(house.files.waiting(), 0, "it is out of the way");
    house.files.leave_result(reference, &house.files.told(reference, MessageKind::Result), "2");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert_eq!(house.files.batches().len(), 2);
    house.sound().await;
}

#[tokio::test]
async fn f56_a_file_that_breaks_the_reader_down_is_held_and_the_others_are_taken() {
    // In the reader of its rows, and in the one that looks whose it is.
    for head in [false, true] {
        let mut house = House::open().await;
        let [first, second] = two_batches(&mut house).await;
        let parts = result(&house.files, &first, &house.files.told(&first, MessageKind::Result));
        let content = digest(&parts);
        let name = parts[0].name.clone();
        house.files.leave(parts);
        let of = Item::new(&[FILES, &name], content);
        let poison: Poison = if head {
            Arc::new(move |item| item.content == content && item.place != of.place)
        } else {
            Arc::new(move |item| *item == of)
        };
        broken_by(&mut house, poison).await;
        house.files.leave_all(1);
        assert_eq!(second, house.files.batches()[1].reference);
        house.run().await;
        one_is_held_and_ends_with_another(&mut house, &first, "程序的缺陷").await;
    }
}

#[tokio::test]
async fn f56_an_answer_that_breaks_the_reader_down_is_none_and_the_bank_is_asked() {
    let mut house = House::open().await;
    house.county.offer(Draft::new("A", 1).lines(CALLS, 2).declared());
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    let reference = house.texts("SELECT reference FROM attempt").await.concat();
    let place = format!("{} {reference}", MessageKind::Acknowledgement);
    broken_by(&mut house, at_place(&[CALLS, &place])).await;
    house.only(Step::Submit).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
    assert!(held(&house).await.concat().contains("程序的缺陷"));
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert_eq!(house.calls.batches().len(), 1, "it was sent once");
    house.sound().await;
}

#[tokio::test]
async fn f56_a_push_that_breaks_the_reader_down_is_held_and_the_next_is_taken() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    let reference = house.calls.batches()[0].reference.clone();
    let kind = MessageKind::StatusAnswer;
    let rows = house.calls.told(&reference, kind);
    let [first, second] =
        [1, 2].map(|_| house.calls.body(kind, &reference, Answer::Done, "", &rows));
    broken_by(&mut house, at_content(sha256(&first))).await;
    for (bytes, credited) in [(first, 0), (second, 201)] {
        let now = house.ctx().now_ms();
        let digest = sha256(&bytes);
        let sealed = seal_evidence(&house.ctx().sealer, CALLS, &digest, &bytes);
        house.store().keep_push(CALLS, &digest, bytes.len(), sealed, now).await.expect("kept");
        house.run().await;
        assert_eq!(house.five(1).await, [0, 201 - credited, credited, 0, 0]);
        assert!(held(&house).await.concat().contains("程序的缺陷"));
    }
    assert_eq!(house.number("SELECT COUNT(*) FROM pushed WHERE taken_at_ms IS NULL").await, 0);
    house.sound().await;
}

#[tokio::test]
async fn f56_a_payment_that_breaks_the_writer_down_is_set_aside_and_the_others_go() {
    // As a line that comes in, and as a payment that is written.
    for place in [["line", "A/1/2"], ["payment", "R1-2"]] {
        let mut house = House::open().await;
        broken_by(&mut house, at_place(&place)).await;
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        assert_eq!(house.holds(1).await, [(2, "not_accepted".to_owned())].into());
        assert_eq!(house.files.batches().len(), 1);
        assert_eq!(house.files.accounts(0), [1, 3].map(|number| person(number).account));
        house.files.leave_all(0);
        house.run().await;
        assert_eq!(house.five(1).await, [101, 0, 202, 0, 0]);
        house.sound().await;
    }
}

/// Names to a process that a test starts the item that ends it, the database and the bank of the test, and what
/// time it is.
const ENDS_AT: &str = "DAIFA_TEST_POISON";
const HOME: &str = "DAIFA_TEST_POISON_HOME";
const CLOCK: &str = "DAIFA_TEST_POISON_CLOCK";

/// In the process that was started: goes on with what the test left, to its end.
async fn goes_on_and_dies() -> bool {
    let word = |name| std::env::var_os(name).map(|word| word.into_string().expect("a text"));
    let (Some(place), Some(home), Some(clock)) = (word(ENDS_AT), word(HOME), word(CLOCK)) else {
        return false;
    };
    let home = Path::new(&home).to_owned();
    let mut house = House::beside(&home, clock.parse().expect("a time"));
    let poison: Poison = Arc::new(move |item| hex(&item.place) == place);
    house.opening = Some(Box::new(move || {
        let (before, ledger) = begin(&home).expect("begins");
        before.opening(Box::new(Ends(Arc::clone(&poison), ledger)))
    }));
    house.restart().await;
    house.run().await;
    panic!("it did not come to the item that ends it");
}

/// Starts such a process, and sees it die.
fn a_process_dies_at(house: &House, place: &[&str]) {
    let Location::Sqlite(database) = house.database() else { panic!("a file is meant") };
    let me = std::thread::current().name().expect("a test").to_owned();
    let died = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", &me])
        .env(ENDS_AT, hex(&Item::new(place, [0; 32]).place))
        .env(HOME, database.parent().expect("a folder"))
        .env(CLOCK, house.clock.now_ms().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    let signal = std::os::unix::process::ExitStatusExt::signal(&died);
    assert_eq!(signal, Some(6), "it dies of the item: {died:?}");
}

/// The daemon of the test starts, after processes that died.
async fn starts_after_them(house: &mut House) {
    let data = house.dir.path().to_owned();
    house.opening = Some(Box::new(move || {
        let (before, ledger) = begin(&data).expect("begins");
        assert!(before.died);
        before.opening(ledger)
    }));
    house.restart().await;
}

#[tokio::test]
async fn f56_a_file_that_kills_the_daemon_again_is_held_and_the_others_are_taken() {
    if goes_on_and_dies().await {
        return;
    }
    let mut house = House::open().await;
    let [first, _] = two_batches(&mut house).await;
    let parts = result(&house.files, &first, &house.files.told(&first, MessageKind::Result));
    let name = parts[0].name.clone();
    house.files.leave(parts);
    house.files.leave_all(1);
    house.stop();
    // The first process that died did not know of what, and wrote nothing down. Once may be chance.
    drop(begin(house.dir.path()).expect("begins"));
    a_process_dies_at(&house, &[FILES, &name]);
    a_process_dies_at(&house, &[FILES, &name]);
    starts_after_them(&mut house).await;
    house.run().await;
    one_is_held_and_ends_with_another(&mut house, &first, "中断过").await;
}

#[tokio::test]
async fn f56_a_payment_that_kills_the_daemon_again_is_set_aside_and_the_others_go() {
    if goes_on_and_dies().await {
        return;
    }
    let mut house = House::open().await;
    house.county.offer(Draft::new("A", 1).lines(FILES, 4).declared());
    house.only(Step::Intake).await;
    house.stop();
    drop(begin(house.dir.path()).expect("begins"));
    a_process_dies_at(&house, &["payment", "R1-3"]);
    a_process_dies_at(&house, &["payment", "R1-3"]);
    starts_after_them(&mut house).await;
    house.run().await;
    assert_eq!(house.holds(1).await, [(3, "not_accepted".to_owned())].into());
    let batches = house.files.batches();
    assert_eq!(batches.len(), 1);
    assert_eq!(house.files.accounts(0), [1, 2, 4].map(|number| person(number).account));
    house.files.leave_all(0);
    house.run().await;
    assert_eq!(house.five(1).await, [102, 0, 304, 0, 0]);
    assert_eq!(house.county.told("set_aside", "finance").len(), 1);
    // Released as it is, it is not opened again either.
    house.county.decide("A", 1, 3, daifa::finance::Verdict::Release);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!((house.files.batches().len(), house.five(1).await), (1, [102, 0, 304, 0, 0]));
    house.sound().await;
}
