//! The same steps against the practice banks, with real folders and real loopback HTTP, and with a real
//! SFTP server and sockets; the banks' own books judge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daifa::app::doors::framed;
use daifa::clock::Clock;
use daifa::format::Format;
use daifa::model::attempt::Committed;
use daifa::model::payment::Line;
use daifa::sandbox::bank::{Faults, Often, Options, PracticeBank, Wire, read_cards};
use daifa::sandbox::trigger::Trigger;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::sftp::{Sftp, SftpOptions, host_key, private_key};
use daifa::transport::socket::{Security, Socket, SocketOptions};
use daifa::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};
use secrecy::SecretString;

use crate::counter::format_named;
use crate::county::{Draft, triggering};
use crate::house::{CALLS, FILES, House, SECOND};
use crate::sshd::Sshd;

/// How the two banks are met.
enum Way {
    /// In folders of this machine, and by HTTP.
    Near,
    /// The same folders on a server, and on a socket.
    Far(Sshd),
}

/// A house whose two banks are practice banks with these faults.
async fn against(way: &Way, faults: Faults) -> (House, [PracticeBank; 2], [std::path::PathBuf; 2]) {
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
        control_suffix: Some(suffix.clone()),
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let by_calls = match way {
        Way::Near => Wire::Http { listen },
        Way::Far(_) => Wire::Socket { listen },
    };
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
    let doors: (Arc<dyn Transport>, Arc<dyn Transport>) = match way {
        Way::Near => {
            let files = Directory::new(DirectoryOptions {
                outgoing,
                incoming,
                archive: path("p-archive"),
                quarantine: path("p-quarantine"),
                completion: Completion::Control { suffix },
                bytes_max: 1 << 20,
                total_ms: 30_000,
            });
            let calls = Https::new(&HttpsOptions {
                url: second.url().expect("it listens"),
                content_type: "application/xml; charset=GBK".to_owned(),
                ca_file: None,
                identity: None,
                signing: None,
                connect_ms: 2_000,
                total_ms: 5_000,
                answer_bytes_max: 1 << 20,
            });
            (Arc::new(files.expect("good settings")), Arc::new(calls.expect("good settings")))
        }
        Way::Far(sshd) => {
            for name in ["p-archive", "p-quarantine"] {
                std::fs::create_dir(path(name)).expect("made");
            }
            let server = |name: &str| path(name).display().to_string();
            let login = std::fs::read_to_string(sshd.private("login")).expect("a key");
            let files = Sftp::new(SftpOptions {
                address: sshd.address().to_string(),
                host_keys: vec![host_key(&sshd.host_key()).expect("a key")],
                user: sshd.user.clone(),
                proof: private_key(&SecretString::from(login)).expect("a key"),
                outgoing: server("p-out"),
                incoming: server("p-in"),
                archive: Some(server("p-archive")),
                quarantine: server("p-quarantine"),
                completion: Completion::Control { suffix },
                bytes_max: 1 << 20,
                connect_ms: 5_000,
                total_ms: 5_000,
            });
            (Arc::new(files.expect("good settings")), Arc::new(line_to(&second, &city)))
        }
    };
    let (files, calls) = doors;
    house.doors.insert(FILES.to_owned(), (files, rural));
    house.doors.insert(CALLS.to_owned(), (calls, city));
    house.rows_max = 5;
    house.restart().await;
    (house, [first, second], folders)
}

/// A door to a practice bank that is met on a socket.
fn line_to(bank: &PracticeBank, format: &Arc<Format>) -> Socket {
    Socket::new(SocketOptions {
        address: bank.address().expect("it listens").to_string(),
        security: Security::Plain,
        connect_ms: 2_000,
        total_ms: 5_000,
        answer_bytes_max: 1 << 20,
        ending: framed(format).expect("a format for a line"),
        staying: None,
    })
    .expect("good settings")
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
async fn judged(way: &Way, faults: Faults) {
    let (mut house, banks, folders) = against(way, faults).await;
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
    judged(&Way::Near, Faults::default()).await;
}

#[tokio::test]
async fn i1_practice_banks_behind_sftp_and_a_socket() {
    let Some(sshd) = Sshd::start() else { return };
    let way = Way::Far(sshd);
    judged(&way, Faults::default()).await;
    let faults = Faults {
        lose_answer: Often::Every(2),
        lose_refund_answer: Often::Every(2),
        not_found_ms: 60_000,
        busy: Often::Every(5),
        no_dedup: true,
        ..Faults::default()
    };
    judged(&way, faults).await;
}

/// Folders whose hand-overs end in a cut line, after or before the file lies there.
struct Cut {
    folders: Directory,
    delivers: bool,
}

#[async_trait]
impl Transport for Cut {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        if self.delivers {
            let sent = self.folders.send(committed, parts).await;
            assert!(matches!(sent, Sent::Accepted { .. }), "{sent:?}");
        }
        Sent::Unknown { cause: "the line was cut".to_owned(), evidence: None }
    }

    fn may_be_earlier(&self) -> bool {
        self.folders.may_be_earlier()
    }

    fn can_look(&self) -> bool {
        self.folders.can_look()
    }

    fn unasked(&self) -> Vec<Bytes> {
        Vec::new()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        self.folders.lies_there(parts).await
    }

    async fn ask(&self, _parts: &[OutPart]) -> Asked {
        Asked::Failed { cause: "the line was cut".to_owned() }
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.folders.arrivals(limit).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        self.folders.fetch(name).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        self.folders.archive(arrival).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.folders.set_aside(name).await
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.folders.halves().await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.folders.crowded_out().await
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        self.folders.unfetched().await
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
        Ok(0)
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.folders.opens_at(now_ms)
    }

    fn commit_point(&self) -> &'static str {
        self.folders.commit_point()
    }
}

#[tokio::test]
async fn f49_a_batch_that_is_seen_lying_at_the_bank_is_delivered() {
    for delivers in [true, false] {
        let mut house = House::open().await;
        let path = |name: &str| house.dir.path().join(name);
        for name in ["p-out", "p-in"] {
            std::fs::create_dir(path(name)).expect("made");
        }
        let folders = Directory::new(DirectoryOptions {
            outgoing: path("p-out"),
            incoming: path("p-in"),
            archive: path("p-archive"),
            quarantine: path("p-quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1 << 20,
            total_ms: 30_000,
        });
        let door = Arc::new(Cut { folders: folders.expect("good settings"), delivers });
        house.doors.insert(FILES.to_owned(), (door, format_named("example-rural-fixed")));
        house.restart().await;
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
        house.live(600 * SECOND, 60 * SECOND).await;
        // What is not seen may still be there: the bank alone can say.
        let state = if delivers { "accepted" } else { "unknown" };
        assert_eq!(house.texts("SELECT state FROM attempt").await, [state]);
        assert_eq!(house.number("SELECT sends FROM attempt").await, 1);
        house.sound().await;
    }
}

#[tokio::test]
async fn i1_a_practice_bank_that_frames_its_messages_on_a_socket() {
    let mut house = House::open().await;
    let folder = house.dir.path().join("p-calls");
    std::fs::create_dir(&folder).expect("made");
    let wire = Wire::Socket { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let format = format_named("example-gx-tagged");
    let faults = Faults { lose_answer: Often::Every(2), ..Faults::default() };
    let options = Options { poll_ms: 2, faults, ..Options::new(folder.clone(), wire) };
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    let bank = PracticeBank::start(options, Arc::clone(&format), clock).await.expect("starts");
    house.doors.insert(CALLS.to_owned(), (Arc::new(line_to(&bank, &format)), format));
    house.rows_max = 5;
    house.restart().await;
    // This bank takes the summary as a code, of a list that it has.
    let draft = Draft::new("A", 1).lines(CALLS, 12);
    let draft = draft.head(|head| head.summary = "耕地地力保护补贴".to_owned());
    house.take(draft.declared()).await;
    house.live(3_600 * SECOND, 60 * SECOND).await;
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.credits_twice, book.offences), (12, vec![], vec![]));
    assert_eq!(house.page(1).await.row.counts.credited, 12);
    house.finished().await;
}

#[tokio::test]
async fn i1_practice_banks_that_lose_answers() {
    let faults = Faults {
        lose_answer: Often::Every(2),
        lose_refund_answer: Often::Every(2),
        not_found_ms: 60_000,
        busy: Often::Every(5),
        // Whoever sends blindly again pays twice.
        no_dedup: true,
        ..Faults::default()
    };
    judged(&Way::Near, faults).await;
}

#[tokio::test]
async fn i1_practice_banks_whose_results_are_wrong_at_first() {
    let faults = Faults {
        wrong_amount: Often::Every(2),
        wrong_account: Often::Every(3),
        unknown_row: Often::Every(5),
        wrong_sum: Often::Every(4),
        repeat_result: Often::Every(3),
        split_result: Often::Every(2),
        ..Faults::default()
    };
    judged(&Way::Near, faults).await;
}

#[tokio::test]
async fn i1_practice_banks_that_lose_batches_before_their_book() {
    let (mut house, banks, _folders) =
        against(&Way::Near, Faults { drop_before: Often::Every(3), ..Faults::default() }).await;
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
