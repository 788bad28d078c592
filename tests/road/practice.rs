//! The same steps against the practice banks, with real folders and real loopback HTTP; the banks'
//! own books judge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daifa::clock::Clock;
use daifa::model::payment::Line;
use daifa::sandbox::bank::{Faults, Options, PracticeBank, Wire, read_cards};
use daifa::sandbox::trigger::Trigger;
use daifa::transport::Transport;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};

use crate::counter::format_named;
use crate::county::{Draft, triggering};
use crate::house::{CALLS, FILES, House, SECOND};

/// A house whose two banks are practice banks with these faults.
async fn against(faults: Faults) -> (House, [PracticeBank; 2], [std::path::PathBuf; 2]) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut house = House::open().await;
    let path = |name: &str| house.dir.path().join(name);
    for name in ["p-out", "p-in", "p-files", "p-calls"] {
        std::fs::create_dir(path(name)).expect("made");
    }
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    let (outgoing, incoming) = (path("p-out"), path("p-in"));
    let suffix = ".ok".to_owned();
    let by_files = Wire::Files {
        outgoing: outgoing.clone(),
        incoming: incoming.clone(),
        control_suffix: suffix.clone(),
    };
    let by_calls = Wire::Http { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let folders = [path("p-files"), path("p-calls")];
    let options = |at: usize, wire| Options {
        poll_ms: 2,
        faults: faults.clone(),
        ..Options::new(folders[at].clone(), wire)
    };
    let (rural, city) = (format_named("example-rural-fixed"), format_named("example-city-xml"));
    let first = PracticeBank::start(options(0, by_files), Arc::clone(&rural), Arc::clone(&clock));
    let first = first.await.expect("starts");
    let second = PracticeBank::start(options(1, by_calls), Arc::clone(&city), clock).await;
    let second = second.expect("starts");
    let files = Directory::new(DirectoryOptions {
        outgoing,
        incoming,
        archive: path("p-archive"),
        quarantine: path("p-quarantine"),
        completion: Completion::Control { suffix },
        bytes_max: 1 << 20,
    });
    let calls = Https::new(&HttpsOptions {
        url: second.url().expect("it listens"),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file: None,
        connect_ms: 2_000,
        total_ms: 5_000,
        answer_bytes_max: 1 << 20,
    });
    let files: Arc<dyn Transport> = Arc::new(files.expect("good settings"));
    let calls: Arc<dyn Transport> = Arc::new(calls.expect("good settings"));
    house.doors.insert(FILES.to_owned(), (files, rural));
    house.doors.insert(CALLS.to_owned(), (calls, city));
    house.rows_max = 5;
    house.restart().await;
    (house, [first, second], folders)
}

fn draft() -> Draft {
    let mut draft = Draft::new("A", 1).lines(FILES, 15).lines(CALLS, 15);
    for (line, trigger) in [
        (2, Trigger::AccountNotFound),
        (4, Trigger::NameMismatch),
        (7, Trigger::ReturnLater),
        (11, Trigger::LoseAnswer),
        (17, Trigger::Closed),
        (22, Trigger::ReturnLater),
        (28, Trigger::LoseAnswer),
    ] {
        draft = draft.line(line, |one: &mut Line| one.person = triggering(line as u64, trigger));
    }
    draft
}

/// Runs to the end and compares the books: each card got what finance approved, once or not at all.
async fn judged(faults: Faults) {
    let (mut house, banks, folders) = against(faults).await;
    let draft = draft();
    house.county.offer(draft.clone().declared());
    for _ in 0..600 {
        house.pass(20 * SECOND).await;
        let settled = house.page(1).await.batches.iter().all(|batch| batch.pending == 0);
        if house.state(1).await == "closed" && settled && banks.iter().all(PracticeBank::is_quiet) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.live(3_600 * SECOND, 120 * SECOND).await;
    let mut cards = BTreeMap::new();
    for (bank, folder) in banks.iter().zip(&folders) {
        let book = bank.judge().expect("the book reads");
        assert_eq!((book.credits_twice, book.offences), (vec![], vec![]));
        cards.extend(read_cards(folder).expect("the book reads"));
    }
    let places = house.places().await;
    let net: i64 = cards.values().map(|card| card.fen).sum();
    assert_eq!(net, places.credited.get());
    for line in &draft.lines {
        if let Some(card) = cards.get(&line.person.account) {
            let right = [(0, 0), (1, line.amount.get())].contains(&(card.credits, card.fen));
            assert!(right, "line {}: {card:?}", line.line);
        }
    }
    assert_eq!(house.page(1).await.row.counts.credited, 30 - 5);
    house.finished().await;
}

#[tokio::test]
async fn i1_practice_banks_that_behave() {
    judged(Faults::default()).await;
}

#[tokio::test]
async fn i1_practice_banks_that_lose_answers() {
    let faults = Faults {
        lose_answer_every: 2,
        lose_refund_answer_every: 2,
        not_found_ms: 60_000,
        busy_every: 5,
        // Whoever sends blindly again pays twice.
        no_dedup: true,
        ..Faults::default()
    };
    judged(faults).await;
}

#[tokio::test]
async fn i1_practice_banks_whose_results_are_wrong_at_first() {
    let faults = Faults {
        wrong_amount_every: 2,
        wrong_account_every: 3,
        unknown_row_every: 5,
        wrong_sum_every: 4,
        repeat_result_every: 3,
        split_result_every: 2,
        ..Faults::default()
    };
    judged(faults).await;
}

#[tokio::test]
async fn i1_practice_banks_that_lose_batches_before_their_book() {
    let (mut house, banks, _folders) =
        against(Faults { drop_before_every: 3, ..Faults::default() }).await;
    house.county.offer(draft().declared());
    for _ in 0..150 {
        house.pass(20 * SECOND).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // A message is sent again; a file that vanished behind its hand-over never is, and two people
    // must look.
    assert!(house.alert("vanished").await.is_some());
    let page = house.page(1).await;
    assert_eq!(page.batches.iter().filter(|batch| batch.pending > 0).count(), 1);
    assert!(page.batches.iter().all(|batch| batch.bank == FILES || batch.pending == 0));
    for bank in &banks {
        let book = bank.judge().expect("the book reads");
        assert_eq!((book.credits_twice, book.offences), (vec![], vec![]));
    }
    house.sound().await;
}
