//! The table of faults 2.1, and its like for the other doors, along the road: what the wire does to a
//! batch, how often the bank saw it, and which state its attempt is in when the step is over. Nothing is
//! sent a second time before somebody was asked, whatever the row.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daifa::app::doors::framed;
use daifa::format::Format;
use daifa::transport::Transport;
use daifa::transport::beside::Beside;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::sftp::{Proof, Sftp, SftpOptions, host_key, private_key};
use daifa::transport::socket::{Ending, Security, Socket, SocketOptions};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::counter::format_named;
use crate::county::Draft;
use crate::house::{CALLS, FILES, House, MINUTE, SECOND};
use crate::line::{Line, Plan};
use crate::sshd::Sshd;

/// The most time for a hand-over; what hangs costs so much.
const TOTAL_MS: u64 = 400;

/// What a peer on a line does with a batch.
#[derive(Debug, Clone, Copy)]
enum Peer {
    /// Nobody listens.
    Nobody,
    CloseUnread,
    Close,
    Reset,
    Hang,
    Say(&'static [u8]),
    /// The same, and the connection stays.
    SayAndStay(&'static [u8]),
    /// It says so much and ends what it says; it goes on listening.
    HalfClose(&'static [u8]),
    OneByteAtATime(&'static [u8]),
    /// So many bytes of the batch are read, then the line is cut.
    CutAfter(usize),
}

/// How a peer knows that it has read a whole message.
#[derive(Clone)]
enum Whole {
    Http,
    Framed(Arc<dyn Ending>),
}

impl Whole {
    async fn read(&self, stream: &mut TcpStream, most: usize) -> bool {
        let mut read = Vec::new();
        let mut chunk = [0_u8; 512];
        while read.len() < most {
            if self.bytes(&read).is_some_and(|whole| read.len() >= whole) {
                return true;
            }
            let room = (most - read.len()).min(chunk.len());
            match stream.read(&mut chunk[..room]).await {
                Ok(0) | Err(_) => return false,
                Ok(n) => read.extend_from_slice(&chunk[..n]),
            }
        }
        false
    }

    /// How long the message is, once that can be told.
    fn bytes(&self, read: &[u8]) -> Option<usize> {
        match self {
            Self::Http => {
                let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
                let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
                Some(end + length.trim().parse::<usize>().expect("a length"))
            }
            Self::Framed(ending) => {
                let header = ending.header_bytes().expect("a format with a frame");
                let whole = ending.message_bytes(read.get(..header)?).expect("our own frame");
                Some(usize::try_from(whole).expect("small"))
            }
        }
    }
}

/// A peer at work: where it listens, and how many whole batches it read.
struct Bank {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
}

impl Bank {
    async fn open(peer: Peer, whole: Whole) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        if !matches!(peer, Peer::Nobody) {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, peer, whole.clone(), Arc::clone(&count)));
                }
            });
        }
        Self { address, seen }
    }
}

async fn serve(mut stream: TcpStream, peer: Peer, whole: Whole, seen: Arc<AtomicUsize>) {
    let most = match peer {
        Peer::CloseUnread => return,
        Peer::CutAfter(bytes) => bytes,
        _ => usize::MAX,
    };
    if whole.read(&mut stream, most).await {
        seen.fetch_add(1, Ordering::SeqCst);
    }
    let stay = || tokio::time::sleep(Duration::from_secs(30));
    match peer {
        Peer::Nobody | Peer::CloseUnread | Peer::Close => {}
        Peer::Reset | Peer::CutAfter(_) => stream.set_zero_linger().expect("linger"),
        Peer::Hang => stay().await,
        Peer::Say(bytes) => stream.write_all(bytes).await.unwrap_or_default(),
        Peer::SayAndStay(bytes) => {
            stream.write_all(bytes).await.unwrap_or_default();
            stay().await;
        }
        Peer::HalfClose(bytes) => {
            stream.write_all(bytes).await.unwrap_or_default();
            stream.shutdown().await.unwrap_or_default();
            // What is said to it now would be a second batch.
            if whole.read(&mut stream, usize::MAX).await {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        }
        Peer::OneByteAtATime(bytes) => {
            for byte in bytes {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sends a batch through a door: its state, how often it was sent, and what is kept of the answer.
async fn sent(bank: &str, door: Arc<dyn Transport>, format: &str) -> (String, i64, i64) {
    written(bank, door, format_named(format), 3).await
}

async fn written(
    bank: &str,
    door: Arc<dyn Transport>,
    format: Arc<Format>,
    lines: i64,
) -> (String, i64, i64) {
    let mut house = House::open().await;
    house.doors.insert(bank.to_owned(), (door, format));
    house.restart().await;
    let draft = Draft::new("A", 1).lines(bank, lines);
    // The bank of the tagged messages has the summary as a code.
    let draft = draft.head(|head| head.summary = "耕地地力保护补贴".to_owned());
    house.take(draft.declared()).await;
    let states = house.texts("SELECT state FROM attempt").await;
    let sends = house.number("SELECT sends FROM attempt").await;
    let held = house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await;
    house.sound().await;
    (states.join(","), sends, held)
}

/// A row: what happens, how often the bank saw the batch, the state, and whether words of it are kept.
type Row<W> = (W, usize, &'static str, bool);

async fn called(
    rows: &[Row<Peer>],
    format: &str,
    whole: Whole,
    door: impl Fn(SocketAddr) -> Arc<dyn Transport>,
) {
    for (peer, times, state, kept) in rows {
        let bank = Bank::open(*peer, whole.clone()).await;
        let (found, sends, held) = sent(CALLS, door(bank.address), format).await;
        // Whoever repeats does it a moment later: wait for that moment.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let seen = bank.seen.load(Ordering::SeqCst);
        assert_eq!((&*found, seen, held > 0), (*state, *times, *kept), "{format} {peer:?}");
        assert_eq!(sends, 1, "{format} {peer:?}: one hand-over, whatever became of it");
    }
}

/// A batch of several kilobytes whose line is cut after every one of them: whole it was seen by nobody, and what
/// became of it is unknown.
async fn cut_at_every_kilobyte(
    format: &str,
    whole: Whole,
    door: impl Fn(SocketAddr) -> Arc<dyn Transport>,
) {
    const LINES: i64 = 60;
    for cuts in 1.. {
        let bank = Bank::open(Peer::CutAfter(cuts * 1_000), whole.clone()).await;
        let door = door(bank.address);
        let (found, sends, held) = written(CALLS, door, format_named(format), LINES).await;
        let seen = bank.seen.load(Ordering::SeqCst);
        assert_eq!((&*found, sends, held), ("unknown", 1, 0), "{format}, cut after {cuts} kB");
        if seen > 0 {
            assert_eq!(seen, 1);
            assert!(cuts > 4, "{format}: the batch has {cuts} kB, too few to show anything");
            return;
        }
    }
}

const LOGIN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 29\r\n\r\n\
                       <html><form>log in</form></ht";

#[tokio::test]
async fn f24_to_f28_what_https_does_to_a_batch() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let rows: &[Row<Peer>] = &[
        (Peer::Nobody, 0, "not_sent", false),
        (Peer::CloseUnread, 0, "unknown", false),
        (Peer::CutAfter(200), 0, "unknown", false),
        (Peer::Close, 1, "unknown", false),
        (Peer::Reset, 1, "unknown", false),
        (Peer::Hang, 1, "unknown", false),
        (
            Peer::Say(b"HTTP/1.1 307 X\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"),
            1,
            "unknown",
            false,
        ),
        (
            Peer::Say(b"HTTP/1.1 503 X\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy"),
            1,
            "unknown",
            true,
        ),
        (Peer::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<half>"), 1, "unknown", true),
        (
            Peer::Say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n<half>\r\n"),
            1,
            "unknown",
            true,
        ),
        (Peer::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), 1, "unknown", true),
        (Peer::Say(LOGIN), 1, "unknown", true),
        (Peer::SayAndStay(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nxml"), 1, "unknown", true),
        (Peer::HalfClose(b""), 1, "unknown", false),
        (Peer::HalfClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nxml"), 1, "unknown", true),
        (
            Peer::OneByteAtATime(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nxxxx"),
            1,
            "unknown",
            false,
        ),
        (Peer::Say(b"\x00\x00 no HTTP at all\r\n\r\n"), 1, "unknown", false),
    ];
    let door = |address: SocketAddr| -> Arc<dyn Transport> {
        let door = Https::new(&HttpsOptions {
            url: format!("http://{address}/"),
            content_type: "application/xml; charset=GBK".to_owned(),
            ca_file: None,
            identity: None,
            signing: None,
            connect_ms: 1_000,
            total_ms: TOTAL_MS,
            answer_bytes_max: 1 << 16,
        });
        Arc::new(door.expect("good settings"))
    };
    called(rows, "example-city-xml", Whole::Http, &door).await;
    cut_at_every_kilobyte("example-city-xml", Whole::Http, &door).await;
}

#[tokio::test]
async fn f24_to_f27_f52_what_a_socket_does_to_a_batch() {
    let ending = framed(&format_named("example-gx-tagged")).expect("a format for a line");
    let rows: &[Row<Peer>] = &[
        (Peer::Nobody, 0, "not_sent", false),
        (Peer::CloseUnread, 0, "unknown", false),
        (Peer::CutAfter(200), 0, "unknown", false),
        (Peer::Close, 1, "unknown", false),
        (Peer::Reset, 1, "unknown", false),
        (Peer::Hang, 1, "unknown", false),
        // Half a header; a header that says too little, too much, less than nothing, nothing at all.
        (Peer::Say(b"0000"), 1, "unknown", true),
        (
            Peer::Say(b"00000001EXB001RQ0                                         x"),
            1,
            "unknown",
            true,
        ),
        (
            Peer::SayAndStay(b"99999999EXB001RQ0                                        xx"),
            1,
            "unknown",
            true,
        ),
        (
            Peer::Say(b"-0000002EXB001RQ0                                        xx"),
            1,
            "unknown",
            true,
        ),
        (
            Peer::Say(b"abcdefghEXB001RQ0                                        xx"),
            1,
            "unknown",
            true,
        ),
        (
            Peer::SayAndStay(b"00000100EXB001RQ0                                       half"),
            1,
            "unknown",
            true,
        ),
        (
            Peer::Say(b"<html><form>log in</form></html>and more than a header of these"),
            1,
            "unknown",
            true,
        ),
        (Peer::HalfClose(b""), 1, "unknown", false),
        (Peer::HalfClose(b"00000100EXB001RQ0"), 1, "unknown", true),
        (Peer::OneByteAtATime(b"00000100EXB001RQ0"), 1, "unknown", true),
    ];
    let ours = Arc::clone(&ending);
    let door = move |address: SocketAddr| -> Arc<dyn Transport> {
        let door = Socket::new(SocketOptions {
            address: address.to_string(),
            security: Security::Plain,
            connect_ms: 1_000,
            total_ms: TOTAL_MS,
            answer_bytes_max: 1 << 16,
            ending: Arc::clone(&ours),
            staying: None,
        });
        Arc::new(door.expect("good settings"))
    };
    let whole = Whole::Framed(ending);
    called(rows, "example-gx-tagged", whole.clone(), &door).await;
    cut_at_every_kilobyte("example-gx-tagged", whole, &door).await;
}

/// Folders that a bank takes its files from, and what it would take now: whole batches.
struct Folders(tempfile::TempDir);

impl Folders {
    fn open() -> Self {
        let folders = Self(tempfile::tempdir().expect("a folder"));
        for name in ["out", "in", "archive", "quarantine"] {
            std::fs::create_dir(folders.path(name)).expect("made");
        }
        folders
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn seen(&self) -> usize {
        let entries = std::fs::read_dir(self.path("out")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let is_whole = |name: &String| {
            !name.starts_with('.') && Path::new(name).extension() == Some("ok".as_ref())
        };
        names.filter(is_whole).count()
    }
}

/// The name that the first batch of a house has.
const FIRST: &str = "DFT000000000001";

type Before = fn(&Path);

/// What lies in the way of a batch, how often the bank would take the batch then, and the state of the attempt.
const IN_THE_WAY: &[(&str, Before, usize, &str)] = &[
    (
        "a half that an earlier try left",
        |out| std::fs::write(out.join(format!(".{FIRST}.txt.part")), "ha").expect("written"),
        1,
        "accepted",
    ),
    (
        "the data's name is taken",
        |out| std::fs::write(out.join(format!("{FIRST}.txt")), "other").expect("written"),
        0,
        "unknown",
    ),
    (
        "the control file's name is taken",
        |out| std::fs::write(out.join(format!("{FIRST}.ok")), "other").expect("written"),
        1,
        "unknown",
    ),
    (
        "a link stands in the way",
        |out| {
            let link = out.join(format!("{FIRST}.txt"));
            std::os::unix::fs::symlink("/etc/hostname", link).expect("linked");
        },
        0,
        "unknown",
    ),
];

#[tokio::test]
async fn f13_f45_f48_what_folders_do_to_a_batch() {
    let rows: &[(&str, Before, usize, &str)] = &[
        ("nothing", |_| {}, 1, "accepted"),
        ("the folder is gone", |out| std::fs::remove_dir(out).expect("removed"), 0, "not_sent"),
        (
            "the folder is a file",
            |out| {
                std::fs::remove_dir(out).expect("removed");
                std::fs::write(out, "no folder").expect("written");
            },
            0,
            "not_sent",
        ),
    ];
    for (what, before, times, state) in rows.iter().chain(IN_THE_WAY) {
        let folders = Folders::open();
        before(&folders.path("out"));
        let door = Directory::new(DirectoryOptions {
            outgoing: folders.path("out"),
            incoming: folders.path("in"),
            archive: folders.path("archive"),
            quarantine: folders.path("quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1 << 20,
            total_ms: 30_000,
        });
        let door = Arc::new(door.expect("good settings"));
        let (found, sends, _) = sent(FILES, door, "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), (*state, *times, 1), "{what}");
    }
}

/// A bank's server that lets us in, and where its folders are.
fn served(sshd: &Sshd, folders: &Folders, address: String) -> SftpOptions {
    let text = |name: &str| folders.path(name).display().to_string();
    let key = std::fs::read_to_string(sshd.private("login")).expect("a key");
    SftpOptions {
        address,
        host_keys: vec![host_key(&sshd.host_key()).expect("its key")],
        user: sshd.user.clone(),
        proof: private_key(&SecretString::from(key)).expect("a key of ours"),
        outgoing: text("out"),
        incoming: text("in"),
        archive: Some(text("archive")),
        quarantine: text("quarantine"),
        completion: Completion::Control { suffix: ".ok".to_owned() },
        bytes_max: 1 << 20,
        connect_ms: 30_000,
        total_ms: 30_000,
    }
}

/// Where only the time ends a hand-over, it is this long, and enough for what goes before the silence.
const SILENCE_MS: u64 = 4_000;

type Settings = fn(&Sshd, &mut SftpOptions);
type OnLine = fn(PathBuf) -> Plan;

#[tokio::test]
async fn f24_f26_f47_to_f50_what_sftp_does_to_a_batch() {
    let Some(sshd) = Sshd::start() else { return };
    let options = |folders: &Folders, address: String| served(&sshd, folders, address);
    let wrong: &[(&str, Settings)] = &[
        ("another host key", |sshd, options| {
            options.host_keys = vec![host_key(&sshd.public("other-host")).expect("a key")];
        }),
        ("a wrong password", |_, options| {
            options.proof = Proof::Password(SecretString::from("hunter2".to_owned()));
        }),
        ("no such folder", |_, options| options.outgoing = "/nonexistent/out".to_owned()),
    ];
    for (what, change) in wrong {
        let folders = Folders::open();
        let mut options = options(&folders, sshd.address().to_string());
        change(&sshd, &mut options);
        let door = Arc::new(Sftp::new(options).expect("good settings"));
        let (found, sends, _) = sent(FILES, door, "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), ("not_sent", 0, 1), "{what}");
    }
    let rows: &[(&str, OnLine, usize, &str)] = &[
        ("nothing", |_| Plan::Whole, 1, "accepted"),
        ("refused", |_| Plan::Refuse, 0, "not_sent"),
        ("cut at 1 kB", |_| Plan::Cut { after: 1 << 10, then_refuse: true }, 0, "not_sent"),
        ("cut at 3 kB", |_| Plan::Cut { after: 3 << 10, then_refuse: true }, 0, "not_sent"),
        ("cut at 4 kB", |_| Plan::Cut { after: 4 << 10, then_refuse: true }, 0, "not_sent"),
        ("silent from 2 kB on", |_| Plan::Hold { after: 2 << 10 }, 0, "not_sent"),
        ("one byte at a time", |_| Plan::Drip { after: 0 }, 0, "not_sent"),
        ("one byte at a time from 2 kB on", |_| Plan::Drip { after: 2 << 10 }, 0, "not_sent"),
        (
            "cut before the rename",
            |folder| Plan::BeforeRename { folder, then_refuse: true },
            0,
            "unknown",
        ),
        (
            "renamed, its answer lost, and the line with it",
            |folder| Plan::AfterRename { folder, then_refuse: true, stays: false },
            1,
            "unknown",
        ),
        (
            "renamed, its answer lost, and found on another line",
            |folder| Plan::AfterRename { folder, then_refuse: false, stays: false },
            1,
            "accepted",
        ),
        (
            "renamed, and silence",
            |folder| Plan::AfterRename { folder, then_refuse: true, stays: true },
            1,
            "unknown",
        ),
    ];
    for (what, plan, times, state) in rows {
        let folders = Folders::open();
        let line = Line::to(sshd.address()).await;
        let plan = plan(folders.path("out"));
        let silent = matches!(
            plan,
            Plan::Hold { .. } | Plan::Drip { .. } | Plan::AfterRename { stays: true, .. }
        );
        line.plan(plan);
        let mut options = options(&folders, line.address());
        if silent {
            (options.connect_ms, options.total_ms) = (SILENCE_MS, SILENCE_MS);
        }
        let door = Sftp::new(options).expect("good settings");
        let (found, sends, _) = sent(FILES, Arc::new(door), "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), (*state, *times, 1), "{what}");
    }
}

#[tokio::test]
async fn f45_f48_what_lies_in_the_way_on_a_server_does_to_a_batch() {
    let Some(sshd) = Sshd::start() else { return };
    for (what, before, times, state) in IN_THE_WAY {
        let folders = Folders::open();
        before(&folders.path("out"));
        let door = Sftp::new(served(&sshd, &folders, sshd.address().to_string()));
        let door = Arc::new(door.expect("good settings"));
        let (found, sends, _) = sent(FILES, door, "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), (*state, *times, 1), "{what}");
        let others = std::fs::read(folders.path("out").join(format!("{FIRST}.txt")));
        assert!(!what.contains("data's") || others.expect("there") == b"other", "{what}");
    }
}

#[tokio::test]
async fn f50_a_host_key_that_changed_is_told_and_nothing_is_sent_before_it_is_pinned() {
    let Some(sshd) = Sshd::start() else { return };
    let folders = Folders::open();
    let options = served(&sshd, &folders, sshd.address().to_string());
    let pinned = vec![host_key(&sshd.public("other-host")).expect("a key")];
    let door = |options: SftpOptions| -> Arc<dyn Transport> {
        Arc::new(Sftp::new(options).expect("good settings"))
    };
    let mut house = House::open().await;
    let format = format_named("example-rural-fixed");
    let changed = door(SftpOptions { host_keys: pinned, ..options.clone() });
    house.doors.insert(FILES.to_owned(), (changed, Arc::clone(&format)));
    house.restart().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["not_sent"]);
    let names: Vec<_> = std::fs::read_dir(folders.path("out")).expect("listed").collect();
    assert!(names.is_empty(), "not even under a hidden name: {names:?}");
    let alert = house.alert("not_sent").await.expect("somebody is told");
    assert!(alert.text.contains("主机密钥"), "{}", alert.text);
    house.sound().await;
    // The bank said that it has another one, and it is pinned: the same attempt goes.
    house.doors.insert(FILES.to_owned(), (door(options), format));
    house.restart().await;
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(folders.seen(), 1);
    assert!(house.alert("not_sent").await.is_none(), "it is over");
    house.sound().await;
}

/// The big bank's example: messages on a line, and files beside them.
fn big_bank() -> Arc<Format> {
    format_named("example-abc-framed")
}

/// Files of payments that lie where the bank reads them, by name.
fn lying(folders: &Folders) -> Vec<String> {
    let entries = std::fs::read_dir(folders.path("out")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A line for messages, with a folder beside it.
fn beside(format: &Arc<Format>, address: SocketAddr, folders: &Folders) -> Arc<dyn Transport> {
    let line = Socket::new(SocketOptions {
        address: address.to_string(),
        security: Security::Plain,
        connect_ms: 1_000,
        total_ms: TOTAL_MS,
        answer_bytes_max: 1 << 16,
        ending: framed(format).expect("a format for a line"),
        staying: None,
    });
    let files = Directory::new(DirectoryOptions {
        outgoing: folders.path("out"),
        incoming: folders.path("in"),
        archive: folders.path("archive"),
        quarantine: folders.path("quarantine"),
        completion: Completion::StableMs(1_000),
        bytes_max: 1 << 20,
        total_ms: 30_000,
    });
    let (line, files) = (line.expect("good settings"), files.expect("good settings"));
    Arc::new(Beside::new(Arc::new(line), Arc::new(files)))
}

const FILE: &str = "APT000000000001.txt";

#[tokio::test]
async fn f24_f25_f47_what_a_line_with_a_folder_beside_it_does_to_a_batch() {
    let format = big_bank();
    // What stands in the file's way, what the line does, how often the bank saw the message, the state, and
    // whether the file lies there.
    let rows: &[(&str, Before, Peer, usize, &str, bool)] = &[
        ("nobody listens", |_| {}, Peer::Nobody, 0, "not_sent", true),
        ("the message is lost", |_| {}, Peer::Close, 1, "unknown", true),
        ("a line that breaks", |_| {}, Peer::CutAfter(20), 0, "unknown", true),
        ("no answer", |_| {}, Peer::Hang, 1, "unknown", true),
        ("rubbish", |_| {}, Peer::Say(b"<html>log in</html>"), 1, "unknown", true),
        (
            "the folder is gone",
            |out| std::fs::remove_dir(out).expect("removed"),
            Peer::Close,
            0,
            "not_sent",
            false,
        ),
        (
            "the file's name is taken",
            |out| std::fs::write(out.join(FILE), "other").expect("written"),
            Peer::Close,
            0,
            "not_sent",
            true,
        ),
        (
            "half a file of an earlier try",
            |out| std::fs::write(out.join(format!(".{FILE}.part")), "ha").expect("written"),
            Peer::Close,
            1,
            "unknown",
            true,
        ),
    ];
    for (what, before, peer, times, state, lies) in rows {
        let folders = Folders::open();
        before(&folders.path("out"));
        let whole = Whole::Framed(framed(&format).expect("a format for a line"));
        let bank = Bank::open(*peer, whole).await;
        let door = beside(&format, bank.address, &folders);
        let (found, sends, _) = written(CALLS, door, Arc::clone(&format), 3).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let seen = bank.seen.load(Ordering::SeqCst);
        assert_eq!((&*found, seen, sends), (*state, *times, 1), "{what}");
        let there = lying(&folders);
        assert_eq!(there, if *lies { vec![FILE] } else { vec![] }, "{what}");
    }
}

#[tokio::test]
async fn f24_what_a_message_names_lies_there_before_it_and_goes_once_more_in_the_same_bytes() {
    let format = big_bank();
    let folders = Folders::open();
    // The address of somebody who will listen later.
    let later = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = later.local_addr().expect("bound");
    drop(later);
    let mut house = House::open().await;
    house.doors.insert(CALLS.to_owned(), (beside(&format, address, &folders), Arc::clone(&format)));
    house.restart().await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["not_sent"]);
    let first = std::fs::read(folders.path("out").join(FILE)).expect("it lies there");
    // The bank listens, and finds the file when the message comes.
    let listener = TcpListener::bind(address).await.expect("the same port");
    let (ending, folder) = (framed(&format).expect("a format for a line"), folders.path("out"));
    let listens = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let read = Whole::Framed(ending).read(&mut stream, usize::MAX).await;
        (read, std::fs::read(folder.join(FILE)).expect("it lies there"))
    });
    house.pass(10 * SECOND).await;
    let (read, found) = listens.await.expect("the bank's side");
    assert!(read && found == first);
    assert_eq!(lying(&folders), [FILE]);
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"], "no answer came");
    assert_eq!(house.number("SELECT sends FROM attempt").await, 2);
    house.sound().await;
}
