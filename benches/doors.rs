//! Hand-overs of batches of 100 payments through each door, one after the other: how many a second, and
//! how many of them a healthy bank left without a clear answer.
//!
//!     cargo bench --bench doors
//!     cargo bench --bench doors -- 500     so many through each, instead of 10,000
//!
//! A question goes the same way as a batch, and needs no attempt behind it: that is what is handed over
//! here. The server of SFTP is a real `sshd`, where there is one; the other banks answer at once, keep
//! their connections open, and would answer on them again.

#![allow(clippy::disallowed_methods, reason = "a bench measures")]
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use daifa::transport::directory::{Completion, Directory, DirectoryOptions};
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::sftp::{Sftp, SftpOptions, host_key, private_key};
use daifa::transport::socket::{Ending, Security, Socket, SocketOptions, Staying};
use daifa::transport::{Asked, OutPart, Transport};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[path = "../src/transport/sftp/tests/sshd.rs"]
mod sshd;

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
            Asked::Failed { cause } => {
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

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.find_map(|word| word.parse().ok()).unwrap_or(10_000);
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all();
    runtime.build().expect("a runtime").block_on(async {
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
    });
}
