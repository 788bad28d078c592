//! Practice banks that are sick on purpose: the real daemon against a practice bank in a process of its own,
//! through each of the four doors, with every fault that a bank can have and several seeds. The bank's
//! own book judges: whatever it did, nobody is paid twice, every fen is in one place, and what did not
//! come to its end has an alert.
//!
//! `DAIFA_TEST_LONG=1` tries more seeds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use daifa::config::Counterpart;
use daifa::sandbox::bank::Card;
use daifa::sandbox::finance::RegisterKind;
use daifa::store::Store;
use daifa::store::view::Totals;

#[path = "../src/transport/sftp/tests/sshd.rs"]
mod sshd;
#[allow(dead_code, reason = "the tests and the bench use a part of it each")]
#[path = "sick/stage.rs"]
mod stage;

use stage::{Plan, Stage, Way, alerts};

/// What is waited for at most, and how long nothing may happen before that is the end. It is longer than the
/// duty of these tests, by when whatever has not ended was told.
const LIMIT: Duration = Duration::from_mins(4);
const STILL: Duration = Duration::from_secs(5);
/// What did not leave goes again by itself, and the wait for that doubles up to a minute.
const RESENT: Duration = Duration::from_secs(65);

/// How long nothing may happen before that is the end.
fn still(totals: &Totals) -> Duration {
    let waits = totals.attempts.iter().any(|(state, n)| state == "not_sent" && *n > 0);
    if waits { RESENT } else { STILL }
}

/// How the daemon knows its practice bank: quick to ask, and no "not found" before `VISIBLE`.
const RULES: &str = "visibility_delay = \"700ms\"\nduplicate_window = \"72h\"\nask_after = \"300ms\"\nask_every = \"100ms\"\n\
                     return_every = \"200ms\"\nreturn_window = \"60s\"\nresend_after = \"100ms\"\n\
                     breaker = { rest = \"300ms\" }";

fn plan(way: Way, seed: u64, faults: &str) -> Plan {
    Plan {
        way,
        registers: 2,
        payments: 40,
        kinds: vec![RegisterKind::Troubled, RegisterKind::Clean],
        rows_max: 8,
        bank: format!("seed = {seed}"),
        faults: faults.to_owned(),
        rules: RULES.to_owned(),
        allowed: "4s",
    }
}

/// Seeds of a run: one, and more where there is time.
fn seeds() -> std::ops::Range<u64> {
    let long = std::env::var_os("DAIFA_TEST_LONG").is_some();
    1..if long { 9 } else { 2 }
}

/// How a run ended.
struct Ended {
    totals: Totals,
    alerts: Vec<String>,
    /// Attempts by state, and how often the most sent one was sent.
    attempts: BTreeMap<String, i64>,
    /// What went wrong at the bank.
    thrown: BTreeSet<String>,
}

fn open(totals: &Totals) -> i64 {
    let places = &totals.places;
    let open = [places.unsent, places.in_flight, places.refundable, places.disputed];
    open.iter().map(|fen| fen.get()).sum()
}

/// Lets the daemon go on until nothing happens any more, and judges.
async fn settled(stage: &Stage, store: &Store) -> Ended {
    let count = i64::try_from(stage.plan.registers).expect("few");
    let closed = |totals: &Totals| {
        let closed = |(state, n): &(String, i64)| state == "closed" && *n == count;
        let all = open(totals) == 0 && totals.registers.iter().any(closed);
        // A register that is closed may still hear of money that comes back.
        let returned = || u64::try_from(totals.counts.returned) == Ok(stage.book().returned_count);
        all && totals.reports_due == 0 && returned()
    };
    let rested = stage.at_rest(store, LIMIT, still, closed).await;
    let totals = match &rested {
        Some(totals) => totals.clone(),
        None => store.totals().await.expect("read"),
    };
    let alerts = alerts(store).await;
    let attempts: BTreeMap<String, i64> = totals.attempts.iter().cloned().collect();
    let case = format!(
        "{:?} seed {} {:?}\n{totals:?}\n{alerts:#?}\n{:?}",
        stage.plan.way,
        stage.plan.bank,
        stage.plan.faults,
        stage.book()
    );
    assert!(rested.is_some(), "never at rest: {case}\n{}", tail(&stage.logged()));
    let book = stage.book();
    assert_eq!((&book.credits_twice, &book.offences), (&vec![], &vec![]), "{case}");
    assert!(totals.places.conserved(), "{case}");
    let cards = stage.cards();
    paid_at_most_once(stage, &cards);
    if open(&totals) == 0 {
        let judged = stage.finance.judge();
        assert!(judged.is_good(), "{:?} {case}", judged.faults());
        let net: i64 = cards.values().map(|card| card.fen).sum();
        assert_eq!(net, totals.places.credited.get(), "{case}");
        assert_eq!(book.refunded_fen, totals.places.refunded.get(), "{case}");
    } else {
        assert!(!alerts.is_empty(), "somebody must know: {case}");
        assert_eq!(totals.places.unsent.get(), 0, "what can go has gone: {case}");
    }
    assert_eq!(totals.reports_due, 0, "all is told: {case}");
    Ended { totals, alerts, attempts, thrown: stage.thrown() }
}

/// No card holds more than finance approved for it, under whatever reference it came.
fn paid_at_most_once(stage: &Stage, cards: &BTreeMap<String, Card>) {
    let registers = stage.finance.finance().registers();
    let mut approved: BTreeMap<String, Card> = BTreeMap::new();
    for at in 0..registers.count() {
        for line in 1..=registers.payments() {
            let card = approved.entry(registers.line(at, line).person.account).or_default();
            card.credits += 1;
            card.fen += registers.amount(at, line).get();
        }
    }
    for (account, card) in cards {
        let most = approved.get(account).copied().unwrap_or_default();
        assert!(
            card.credits <= most.credits && card.fen <= most.fen,
            "{account}: {card:?} {most:?}"
        );
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Practises to the end.
async fn practised(plan: Plan) -> Option<Ended> {
    let stage = Stage::open(plan).await?;
    let mut daemon = stage.daemon();
    let store = stage.store().await;
    let ended = settled(&stage, &store).await;
    assert!(daemon.is_running(), "{}", tail(&stage.logged()));
    daemon.kill();
    store.close().await;
    stage.judged_by_the_binary().expect("the books are right");
    Some(ended)
}

/// One fault profile through all four doors at once, for each seed. What is thrown by it has to come about somewhere:
/// what never goes wrong proves nothing.
async fn through_all(faults: &str, bank: &str, thrown: &[&str], look: impl Fn(Way, &Ended)) {
    let mut came = BTreeSet::new();
    for seed in seeds() {
        let runs = Way::ALL.map(|way| {
            let mut plan = plan(way, seed, faults);
            plan.bank.push('\n');
            plan.bank.push_str(bank);
            async move { (way, practised(plan).await) }
        });
        for (way, ended) in futures_util::future::join_all(runs).await {
            if let Some(ended) = ended {
                look(way, &ended);
                came.extend(ended.thrown);
            }
        }
    }
    let never: Vec<&&str> = thrown.iter().filter(|what| !came.contains(**what)).collect();
    assert!(never.is_empty(), "{never:?} never came about: {came:?}");
}

fn all_closed(way: Way, ended: &Ended) {
    assert_eq!(open(&ended.totals), 0, "{way:?} {:?} {:#?}", ended.totals, ended.alerts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_a_bank_that_is_well_pays_all_and_nothing_is_unclear() {
    through_all("", "", &[], |way, ended| {
        all_closed(way, ended);
        assert_eq!(ended.attempts.get("unknown"), None, "{way:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_bank_that_loses_messages_and_keeps_no_account_of_repeats() {
    // What is lost behind a finished file is found by asking, and never sent again.
    through_all(
        "loss = 0.2",
        "dedup = false",
        &["drop", "answer", "status_query"],
        |way, ended| {
            if way.is_called() {
                all_closed(way, ended);
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f29_a_bank_that_says_duplicate_and_tells_results_twice() {
    through_all("duplicate = 0.5", "", &["duplicate", "repeat"], all_closed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f31_f34_a_bank_that_lags_delays_and_tells_in_another_order() {
    let faults = "lag = \"500ms\"\ndelay = \"120ms\"\nreorder = 0.4\nloss = 0.25\n\
                  return_after_credit = 0.1";
    through_all(faults, "dedup = false", &["reorder", "drop", "answer", "return"], |way, ended| {
        if way.is_called() {
            all_closed(way, ended);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f35_f37_a_bank_that_contradicts_itself() {
    let faults = "contradiction = 0.3\nwrong_amount = 0.2\nwrong_account = 0.2\nunknown_row = 0.2\n\
                  wrong_sum = 0.2\nsplit = 0.3";
    through_all(
        faults,
        "",
        &["contradict", "amount", "account", "row", "sum", "split"],
        |way, ended| {
            let conflicts = ended.totals.counts.conflicts;
            let told = ended.alerts.iter().any(|alert| alert.starts_with("conflict"));
            assert_eq!(conflicts > 0, told, "{way:?} {conflicts} {:#?}", ended.alerts);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f53_f54_a_bank_that_is_away_now_and_then_and_busy() {
    let faults = "busy = 0.2\noutage = { every = \"1500ms\", lasts = \"500ms\" }";
    through_all(faults, "dedup = false", &["busy"], all_closed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_bank_that_cannot_be_asked_gets_nothing_twice_and_somebody_is_told() {
    through_all("loss = 0.3", "dedup = false\nasked = false", &["drop", "answer"], |way, ended| {
        if way.is_called() {
            assert!(ended.attempts.get("unknown").is_some_and(|n| *n > 0), "{:?}", ended.attempts);
            assert!(ended.alerts.iter().any(|alert| alert.starts_with("unknown")), "{way:?}");
        }
    })
    .await;
}

/// What is practised where nothing of a batch fails: these formats have no way to send money back.
fn clean(way: Way, faults: &str) -> Plan {
    Plan { kinds: vec![RegisterKind::Clean], ..plan(way, 5, faults) }
}

/// Files of this kind, by name.
fn names(folder: &Path, begin: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(begin)).collect()
}

/// Practises to the end, and until no file of an answer lies where the bank left it.
async fn with_files_beside(way: Way, faults: &str, kills: u32) {
    let Some(stage) = Stage::open(clean(way, faults)).await else { return };
    let mut daemon = stage.daemon();
    let store = stage.store().await;
    for n in 0..kills {
        // Not always as far: of what two processes in a row died while they read it, the next thinks that it is to blame.
        tokio::time::sleep(Duration::from_millis(u64::from(170 * (1 + n % 3)))).await;
        assert!(daemon.is_running(), "{}", tail(&stage.logged()));
        daemon.kill();
        daemon = stage.daemon();
    }
    let ended = settled(&stage, &store).await;
    assert_eq!(open(&ended.totals), 0, "{:?}\n{}", ended.alerts, tail(&stage.logged()));
    let left = || names(&stage.path("incoming"), "RS");
    for _ in 0..500 {
        if left().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = left();
    assert_eq!(left, Vec::<String>::new(), "{}", tail(&stage.logged()));
    let batches = usize::try_from(stage.book().requests).expect("few");
    let lost = stage.thrown().iter().any(|fault| fault.starts_with("file "));
    assert_eq!(lost, faults.contains("file_"), "{:?}", stage.thrown());
    let taken = names(&stage.path("incoming-archive"), "RS");
    assert!(taken.len() >= batches, "{} files of {batches} batches", taken.len());
    assert!(daemon.is_running());
    daemon.kill();
    store.close().await;
    stage.judged_by_the_binary().expect("the books are right");
}

/// Files beside answers that are lost, late or cut.
const LOSES_FILES: &str = "loss = 0.1\nfile_lost = 0.2\nfile_late = 0.3\nfile_cut = 0.2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i14_f38_an_answer_is_taken_with_the_file_that_it_names_or_not_at_all() {
    with_files_beside(Way::Beside, LOSES_FILES, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i14_f38_and_so_is_one_whose_file_lies_on_a_server() {
    with_files_beside(Way::FarBeside, LOSES_FILES, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_stop_between_an_answer_and_its_file_comes_to_the_same_end() {
    with_files_beside(Way::Beside, "file_late = 0.3", 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_connection_that_stays_and_is_cut_now_and_then_pays_nobody_twice() {
    let faults = "loss = 0.2\ndelay = \"60ms\"\noutage = { every = \"1500ms\", lasts = \"300ms\" }";
    with_files_beside(Way::Staying, faults, 0).await;
    with_files_beside(Way::Staying, LOSES_FILES, 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_requests_on_a_server_questions_by_https_and_results_in_a_directory() {
    let faults = "lag = \"200ms\"\ndelay = \"60ms\"\nreorder = 0.4\nbusy = 0.2";
    let Some(stage) = Stage::open(clean(Way::Apart, faults)).await else { return };
    let mut daemon = stage.daemon();
    let store = stage.store().await;
    let ended = settled(&stage, &store).await;
    all_closed(Way::Apart, &ended);
    // Each kind went by its own door, and by no other.
    let batches = usize::try_from(stage.book().requests).expect("few");
    assert_eq!(names(&stage.path("book/taken"), "PL").len(), batches);
    assert_eq!(names(&stage.path("book/taken"), "CX").len(), 0, "questions are no files here");
    // What was applied last is put away after that.
    for _ in 0..500 {
        if names(&stage.path("results-archive"), "SB").len() == batches {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(names(&stage.path("results-archive"), "SB").len(), batches);
    assert!(
        names(&stage.path("incoming"), "").is_empty()
            && names(&stage.path("unused"), "").is_empty()
    );
    daemon.kill();
    store.close().await;
    stage.judged_by_the_binary().expect("the books are right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i23_a_bank_that_is_killed_goes_on_from_its_book() {
    for way in [Way::Directory, Way::Https] {
        let faults = "loss = 0.1\ndelay = \"100ms\"";
        let Some(mut stage) = Stage::open(plan(way, 3, faults)).await else { return };
        let mut daemon = stage.daemon();
        let store = stage.store().await;
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let before = stage.book();
            stage.restart_bank();
            let after = stage.book();
            assert!(after.requests >= before.requests, "what it took it has");
            assert!(after.credited_fen >= before.credited_fen);
        }
        settled(&stage, &store).await;
        daemon.kill();
        store.close().await;
        stage.judged_by_the_binary().expect("the books are right");
    }
}

/// The config of a practice bank, as the README has it.
fn readme(begin: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("the README");
    let (_, section) = text.split_once("\n### A practice bank by itself\n").expect("a section");
    let (_, block) = section.split_once(&format!("```toml\n{begin}")).expect("its block");
    format!("{begin}{}", block.split_once("```").expect("its end").0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readmes_practice_bank_takes_a_batch_through_either_door() {
    let whole = readme("format = ");
    let folders = readme("[door]\nkind = \"directory\"");
    let (before, rest) = whole.split_once("[door]\n").expect("its door");
    let (_, faults) = rest.split_once("[faults]\n").expect("its faults");
    Counterpart::parse(&whole).expect("a good config");
    let by_files = whole.replace("example-city-xml", "example-rural-fixed");
    let (before_files, _) = by_files.split_once("[door]\n").expect("its door");
    Counterpart::parse(&format!("{before_files}{folders}")).expect("a good config");
    // What the file says of itself and of its faults, behind a door of this test.
    let bank =
        before.lines().filter(|line| !line.starts_with("format") && !line.starts_with("book"));
    let bank: Vec<&str> = bank.collect();
    for way in [Way::Directory, Way::Https] {
        let plan = Plan { bank: bank.join("\n"), ..plan(way, 7, faults) };
        practised(plan).await.expect("there is such a door everywhere");
    }
}

#[test]
fn a_practice_banks_config_tells_all_that_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bank.toml");
    std::fs::write(&path, "format = 7\n[door]\nkind = \"https\"\n[faults]\nlos = 0.1\n")
        .expect("written");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_daifa"))
        .args(["sandbox", "bank", "--config"])
        .arg(&path)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(78), "{said}");
    for words in [
        "bank.toml:1: book: is missing",
        "bank.toml:1: format: expected",
        "door.listen",
        "did you mean loss?",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
