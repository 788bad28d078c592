//! Batches of 100 payments through each door: how many a second, how many of them a healthy bank left
//! without a clear answer, and how much memory it takes.
//!
//!     cargo bench --bench doors                   both of the following, with 10,000 batches
//!     cargo bench --bench doors -- line 500       so many through each door alone, one after the other
//!     cargo bench --bench doors -- road 500       so many along the whole road, and a tenth of them before
//!     cargo bench --bench doors -- road 500 sftp  the same, through one door
//!
//! `line` hands over questions: one goes the same way as a batch, and needs no attempt behind it. The
//! banks answer at once, keep their connections open, and would answer on them again.
//!
//! `road` is the daemon in a process of its own, from pulling the register to its closing account, with a
//! healthy practice bank in another one. Batches that became UNKNOWN are false alarms. That memory is flat
//! shows in its peak at a tenth of the batches, and at all of them.
//!
//! The server of SFTP is a real `sshd`, where there is one.

#![allow(clippy::disallowed_methods, reason = "a bench measures")]
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use daifa::sandbox::finance::RegisterKind;
use daifa::store::Location;
use daifa::store::view::Totals;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::sftp::{Sftp, SftpOptions, host_key, private_key};
use daifa::transport::socket::{Ending, Security, Socket, SocketOptions, Staying};
use daifa::transport::{Asked, OutPart, Transport};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[allow(dead_code, reason = "the tests and the bench use a part of it each")]
#[path = "../tests/store/beside.rs"]
mod beside;
#[path = "../src/transport/sftp/tests/sshd.rs"]
mod sshd;
#[allow(dead_code, reason = "the tests and the bench use a part of it each")]
#[path = "../tests/sick/stage.rs"]
mod stage;

use stage::{Plan, Stage, Way};

/// The bytes of a batch: 100 lines of 148.
const BATCH_BYTES: usize = 100 * 148;
/// A header of six digits in front of a body.
const HEADER: usize = 6;

struct Digits;

impl Ending for Digits {
    fn header_bytes(&self) -> Option<usize> {
        Some(HEADER)
    }

    fn message_bytes(&self, header: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(header);
        text.parse::<u64>().map(|body| body + HEADER as u64).map_err(|e| e.to_string())
    }
}

/// The parts of the n-th batch: files, or a message.
type Parts = fn(usize) -> Vec<OutPart>;

fn body() -> Bytes {
    Bytes::from(vec![b'7'; BATCH_BYTES])
}

fn files(n: usize) -> Vec<OutPart> {
    let part = |name: String, bytes, committing| OutPart { name, bytes, committing };
    let control = Bytes::from_static(b"100");
    vec![part(format!("DF{n}.txt"), body(), false), part(format!("DF{n}.ok"), control, true)]
}

fn message(_: usize) -> Vec<OutPart> {
    vec![OutPart { name: String::new(), bytes: body(), committing: true }]
}

fn framed(_: usize) -> Vec<OutPart> {
    let mut bytes = format!("{BATCH_BYTES:06}").into_bytes();
    bytes.extend_from_slice(&body());
    vec![OutPart { name: String::new(), bytes: Bytes::from(bytes), committing: true }]
}

/// Hands over and prints.
async fn measure(what: &str, door: &dyn Transport, parts: Parts, count: usize) {
    let begun = Instant::now();
    let (mut unclear, mut why) = (0, String::new());
    for n in 0..count {
        match door.ask(&parts(n)).await {
            Asked::Answer(_) | Asked::Posted => {}
            Asked::Failed { cause } | Asked::Unanswered { cause } => {
                unclear += 1;
                why = cause;
            }
        }
    }
    let took = begun.elapsed();
    let each = took / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    println!(
        "{what:<18} {count:>6} batches in {took:>9.2?}, {each:>9.2?} each; unclear: {unclear} {why}"
    );
}

/// Answers each message on a connection, for as long as somebody asks on it.
async fn bank(http: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let ended =
                    if http { serve_http(stream).await } else { serve_framed(stream).await };
                // A caller that is done closes; there is nothing to say about it.
                ended.unwrap_or_default();
            });
        }
    });
    address
}

async fn serve_framed(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut header = [0_u8; HEADER];
        stream.read_exact(&mut header).await?;
        let length = String::from_utf8_lossy(&header).parse().expect("a length");
        let mut body = vec![0_u8; length];
        stream.read_exact(&mut body).await?;
        stream.write_all(if body == b"?" { b"000001!" } else { b"000002ok" }).await?;
    }
}

async fn serve_http(mut stream: TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    let mut chunk = vec![0_u8; 32 * 1024];
    loop {
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Ok(());
        }
        read.extend_from_slice(&chunk[..n]);
        let head = read.windows(4).position(|window| window == b"\r\n\r\n");
        if head.is_some_and(|at| read.len() >= at + 4 + BATCH_BYTES) {
            read.clear();
            let answer =
                b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await?;
        }
    }
}

fn folders(root: &Path) -> DirectoryOptions {
    for name in ["out", "in"] {
        std::fs::create_dir(root.join(name)).expect("made");
    }
    DirectoryOptions {
        outgoing: root.join("out"),
        incoming: root.join("in"),
        archive: root.join("archive"),
        quarantine: root.join("quarantine"),
        completion: Completion::Control { suffix: ".ok".to_owned() },
        bytes_max: 1 << 20,
        total_ms: 30_000,
    }
}

async fn by_sftp(count: usize) {
    let Some(sshd) = sshd::Sshd::start() else { return };
    let root = tempfile::tempdir().expect("a folder");
    let near = folders(root.path());
    let text = |path: &Path| path.display().to_string();
    let login = std::fs::read_to_string(sshd.private("login")).expect("a key");
    let door = Sftp::new(SftpOptions {
        address: sshd.address().to_string(),
        host_keys: vec![host_key(&sshd.host_key()).expect("a key")],
        user: sshd.user.clone(),
        proof: private_key(&SecretString::from(login)).expect("a key"),
        outgoing: text(&near.outgoing),
        incoming: text(&near.incoming),
        archive: Some(text(&near.archive)),
        quarantine: text(&near.quarantine),
        completion: near.completion,
        bytes_max: near.bytes_max,
        connect_ms: 5_000,
        total_ms: 10_000,
    });
    measure("sftp", &door.expect("good settings"), files, count).await;
}

async fn by_socket(what: &str, address: &str, staying: Option<Staying>, count: usize) {
    let door = Socket::new(SocketOptions {
        address: address.to_owned(),
        security: Security::Plain,
        connect_ms: 5_000,
        total_ms: 10_000,
        answer_bytes_max: 1 << 20,
        ending: Arc::new(Digits),
        staying,
    });
    measure(what, &door.expect("good settings"), framed, count).await;
}

/// Payments of a batch.
const ROWS: usize = 100;

/// Pays so many batches along the whole road, and prints. The folder that is left is deleted after all: for minutes,
/// the more files were deleted on a disk the longer it takes some file systems to make one.
async fn by_road(way: Way, batches: usize) -> Option<tempfile::TempDir> {
    let plan = Plan {
        way,
        registers: 1,
        payments: i64::try_from(batches * ROWS).expect("a number"),
        kinds: vec![RegisterKind::Clean],
        rows_max: ROWS,
        bank: String::new(),
        faults: String::new(),
        // A bank that takes files answers by itself.
        rules: format!(
            "visibility_delay = \"60s\"\nduplicate_window = \"72h\"\nask_after = \"{}\"\nask_every = \"1s\"\n\
             return_every = \"60s\"\nreturn_window = \"60s\"",
            if way.is_called() { "1s" } else { "10m" }
        ),
        allowed: "24h",
    };
    let stage = Stage::open(plan).await?;
    let begun = Instant::now();
    let mut daemon = stage.daemon();
    let store = stage.store().await;
    let closed = |(state, n): &(String, i64)| state == "closed" && *n == 1;
    let limit =
        Duration::from_mins(2) + Duration::from_millis(200) * u32::try_from(batches).expect("few");
    let all = |totals: &Totals| totals.registers.iter().any(closed) && totals.reports_due == 0;
    stage.at_rest(&store, limit, |_| limit, all).await;
    let took = begun.elapsed();
    let peak = peak_mib(daemon.id());
    daemon.kill();
    // Each that was ever of unknown fate, for whatever cause and however it ended.
    let database = Location::Sqlite(stage.path("daifa/daifa.sqlite"));
    let unclear = "SELECT COUNT(*) FROM attempt WHERE lost_at_ms IS NOT NULL";
    let unclear = beside::number(&database, unclear).await;
    let totals = store.totals().await.expect("read");
    let cut = totals.batches.iter().map(|(_, n)| n).sum::<i64>();
    let each = took / u32::try_from(batches.max(1)).unwrap_or(u32::MAX);
    println!(
        "{:<18} {cut:>6} batches in {took:>9.2?}, {each:>9.2?} each; peak {peak} MiB; unknown: {unclear}{}",
        way.word(),
        if all(&totals) { "" } else { "; NOT ALL CLOSED" }
    );
    assert!(unclear * 1_000 < cut.max(1_000), "fewer than one in a thousand is a false alarm");
    assert_eq!((stage.book().credits_twice, stage.book().offences), (vec![], vec![]));
    Some(stage.ended())
}

/// The most memory that a process had resident, as Linux tells it.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") / 1_024
}

async fn by_line(count: usize) {
    println!("line: from the door to the bank's answer");
    let root = tempfile::tempdir().expect("a folder");
    let door = Directory::new(folders(root.path())).expect("good settings");
    measure("directory", &door, files, count).await;
    let https = Https::new(&HttpsOptions {
        url: format!("http://{}/", bank(true).await),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file: None,
        identity: None,
        signing: None,
        connect_ms: 5_000,
        total_ms: 10_000,
        answer_bytes_max: 1 << 20,
    });
    measure("http", &https.expect("good settings"), message, count).await;
    let address = bank(false).await;
    by_socket("socket", &address, None, count).await;
    let staying = Staying {
        heartbeat: Bytes::from_static(b"000001?"),
        answer: Bytes::from_static(b"000001!"),
        every_ms: 30_000,
    };
    by_socket("socket that stays", &address, Some(staying), count).await;
    by_sftp(count).await;
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_said = |word: &str| words.iter().any(|said| said == word);
    let count = words.iter().find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let both = !is_said("line") && !is_said("road");
    let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| is_said(way.word())).collect();
    let ways = if ways.is_empty() { Way::ALL.to_vec() } else { ways };
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all();
    runtime.build().expect("a runtime").block_on(async {
        if both || is_said("line") {
            by_line(count).await;
        }
        if both || is_said("road") {
            println!(
                "road: from pulling the register to its closing account, {ROWS} payments a batch"
            );
            let mut left = Vec::new();
            for way in ways {
                for count in [count / 10, count] {
                    left.push(by_road(way, count).await);
                }
            }
        }
    });
}
