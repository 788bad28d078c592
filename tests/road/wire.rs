//! The table of faults 2.1, and its like for the other doors, along the road: what the wire does to a
//! batch, how often the bank saw it, and which state its attempt is in when the step is over. Nothing is
//! sent a second time before somebody was asked, whatever the row.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daifa::app::doors::framed;
use daifa::transport::Transport;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::sftp::{Proof, Sftp, SftpOptions, host_key, private_key};
use daifa::transport::socket::{Ending, Security, Socket, SocketOptions};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::counter::format_named;
use crate::county::Draft;
use crate::house::{CALLS, FILES, House};
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
    let mut house = House::open().await;
    house.doors.insert(bank.to_owned(), (door, format_named(format)));
    house.restart().await;
    let draft = Draft::new("A", 1).lines(bank, 3);
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
        (
            Peer::OneByteAtATime(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nxxxx"),
            1,
            "unknown",
            false,
        ),
        (Peer::Say(b"\x00\x00 no HTTP at all\r\n\r\n"), 1, "unknown", false),
    ];
    called(rows, "example-city-xml", Whole::Http, |address| {
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
    })
    .await;
}

#[tokio::test]
async fn f24_to_f26_f52_what_a_socket_does_to_a_batch() {
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
        (Peer::OneByteAtATime(b"00000100EXB001RQ0"), 1, "unknown", true),
    ];
    let door = ending.clone();
    called(rows, "example-gx-tagged", Whole::Framed(ending), move |address| {
        let door = Socket::new(SocketOptions {
            address: address.to_string(),
            security: Security::Plain,
            connect_ms: 1_000,
            total_ms: TOTAL_MS,
            answer_bytes_max: 1 << 16,
            ending: Arc::clone(&door),
            staying: None,
        });
        Arc::new(door.expect("good settings"))
    })
    .await;
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

#[tokio::test]
async fn f13_f45_f48_what_folders_do_to_a_batch() {
    type Before = fn(&Path);
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
    for (what, before, times, state) in rows {
        let folders = Folders::open();
        before(&folders.path("out"));
        let door = Directory::new(DirectoryOptions {
            outgoing: folders.path("out"),
            incoming: folders.path("in"),
            archive: folders.path("archive"),
            quarantine: folders.path("quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1 << 20,
        });
        let door = Arc::new(door.expect("good settings"));
        let (found, sends, _) = sent(FILES, door, "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), (*state, *times, 1), "{what}");
    }
}

type Settings = fn(&Sshd, &mut SftpOptions);
type OnLine = fn(PathBuf) -> Plan;

#[tokio::test]
async fn f24_f26_f47_to_f50_what_sftp_does_to_a_batch() {
    let Some(sshd) = Sshd::start() else { return };
    let key = |name: &str| {
        let text = std::fs::read_to_string(sshd.private(name)).expect("a key");
        private_key(&SecretString::from(text)).expect("a key of ours")
    };
    let options = |folders: &Folders, address: String| {
        let text = |name: &str| folders.path(name).display().to_string();
        SftpOptions {
            address,
            host_keys: vec![host_key(&sshd.host_key()).expect("its key")],
            user: sshd.user.clone(),
            proof: key("login"),
            outgoing: text("out"),
            incoming: text("in"),
            archive: Some(text("archive")),
            quarantine: text("quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1 << 20,
            connect_ms: 3_000,
            total_ms: 1_500,
        }
    };
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
        line.plan(plan(folders.path("out")));
        let door = Sftp::new(options(&folders, line.address())).expect("good settings");
        let (found, sends, _) = sent(FILES, Arc::new(door), "example-rural-fixed").await;
        assert_eq!((&*found, folders.seen(), sends), (*state, *times, 1), "{what}");
    }
}
