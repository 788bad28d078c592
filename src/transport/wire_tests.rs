//! The table of faults 2.1 for our client, against a raw TCP peer that counts whole requests: each
//! row asserts what the client says and how often the bank saw the message.
//!
//! These live inside the crate because a send takes a [`Committed`], which nothing outside can make.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::guard::mac::Mac;
use crate::guard::sign::Algorithm;
use crate::model::attempt::Committed;
use crate::model::id::AttemptNo;
use crate::transport::https::{Https, HttpsOptions};
use crate::transport::limit::{Limited, Limits};
use crate::transport::manner::With;
use crate::transport::{Asked, OutPart, Sent, Transport};

/// What the peer does once it has read a whole request.
#[derive(Debug, Clone, Copy)]
enum Peer {
    Close,
    /// Answers the first on a connection, then reads a second there and closes.
    KeepAliveThenClose,
    /// Answers, says keep-alive, then closes the idle connection.
    CloseIdle,
    Reset,
    Hang,
    Redirect307,
    Busy503,
    HalfBody,
    HalfChunked,
    OneByteASecond,
    Endless,
    Answer(&'static [u8]),
    /// Closes before it reads anything.
    CloseAtOnce,
}

struct Bank {
    url: String,
    seen: Arc<AtomicUsize>,
}

impl Bank {
    async fn open(peer: Peer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, peer, Arc::clone(&count)));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn door(&self) -> Https {
        door(&self.url, 1_500)
    }
}

fn door(url: &str, total_ms: u64) -> Https {
    Https::new(&options(url, total_ms)).expect("these settings work")
}

fn options(url: &str, total_ms: u64) -> HttpsOptions {
    HttpsOptions {
        url: url.to_owned(),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file: None,
        identity: None,
        signing: None,
        connect_ms: 1_000,
        total_ms,
        answer_bytes_max: 64 * 1024,
    }
}

/// A bank that asks for proof that a message is ours gets its code, over the very bytes of the body, with what is sent
/// and with what is asked (RFC 4231, test case 6).
#[tokio::test]
async fn f24_what_is_said_to_a_bank_that_wants_a_code_bears_it() {
    const CODE: &str = "x-code: 60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        while heads.len() < 2 {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let (mut read, mut chunk) = (Vec::new(), [0_u8; 4096]);
            while !read.ends_with(b"Key First") {
                let n = stream.read(&mut chunk).await.expect("reads");
                assert!(n > 0, "the whole body comes");
                read.extend_from_slice(&chunk[..n]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await
                .expect("writes");
            heads.push(String::from_utf8_lossy(&read).to_ascii_lowercase());
        }
        heads
    });
    let mac = Mac::new(Algorithm::HmacSha256, &[0xAA; 131]).expect("long enough");
    let signing = Some(Arc::new((HeaderName::from_static("x-code"), mac)));
    let door = Https::new(&HttpsOptions { signing, ..options(&url, 1_500) }).expect("it works");
    let body = Bytes::from_static(b"Test Using Larger Than Block-Size Key - Hash Key First");
    let parts = [OutPart { name: String::new(), bytes: body, committing: true }];
    let committed = Committed::after_commit(AttemptNo(1));
    assert!(matches!(door.send(&committed, &parts).await, Sent::Accepted { answer: Some(_) }));
    assert!(matches!(door.ask(&parts).await, Asked::Answer(_)));
    for head in heads.await.expect("two calls") {
        assert_eq!(head.lines().filter(|line| *line == CODE).count(), 1, "{head}");
    }
}

/// Reads one whole request; false where the connection ended first.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
            let length: usize = length.and_then(|l| l.parse().ok()).unwrap_or(0);
            if read.len() >= end + 4 + length {
                return true;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return false,
            Ok(n) => read.extend_from_slice(&chunk[..n]),
        }
    }
}

async fn serve(mut stream: TcpStream, peer: Peer, seen: Arc<AtomicUsize>) {
    if matches!(peer, Peer::CloseAtOnce) {
        return;
    }
    let mut on_this_connection = 0;
    while read_request(&mut stream).await {
        seen.fetch_add(1, Ordering::SeqCst);
        on_this_connection += 1;
        let answer: &[u8] = match peer {
            Peer::Close | Peer::CloseAtOnce => return,
            Peer::KeepAliveThenClose if on_this_connection > 1 => return,
            Peer::KeepAliveThenClose | Peer::CloseIdle => {
                b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"
            }
            Peer::Reset => {
                stream.set_zero_linger().expect("linger");
                return;
            }
            Peer::Hang => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                return;
            }
            Peer::Redirect307 => {
                b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n"
            }
            Peer::Busy503 => {
                b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy"
            }
            Peer::HalfBody => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<half>",
            Peer::HalfChunked => {
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n<half>\r\n"
            }
            Peer::OneByteASecond => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
                stream.write_all(head).await.expect("head");
                loop {
                    if stream.write_all(b"x").await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Peer::Endless => {
                let head = b"HTTP/1.1 200 OK\r\n\r\n";
                stream.write_all(head).await.expect("head");
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
            Peer::Answer(answer) => answer,
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
        if matches!(peer, Peer::CloseIdle | Peer::HalfBody | Peer::HalfChunked) {
            return;
        }
    }
}

fn committed() -> Committed {
    Committed::after_commit(AttemptNo(1))
}

fn message(text: &'static str) -> Vec<OutPart> {
    let bytes = Bytes::from_static(text.as_bytes());
    vec![OutPart { name: "message.xml".to_owned(), bytes, committing: true }]
}

async fn send(door: &dyn Transport) -> Sent {
    door.send(&committed(), &message("<pay/>")).await
}

fn cause(sent: &Sent) -> &str {
    match sent {
        Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => cause,
        Sent::Accepted { answer: _ } => "",
    }
}

/// Everything after a connection without a whole 200 is unknown, and the bank saw it once.
async fn unknown_and_seen_once(peer: Peer, evidence: Option<&'static [u8]>) -> String {
    let bank = Bank::open(peer).await;
    let sent = send(&bank.door()).await;
    let Sent::Unknown { cause, evidence: found } = sent else { panic!("{peer:?}: {sent:?}") };
    assert_eq!(found.as_deref(), evidence, "{peer:?}");
    // Whoever repeats does it a moment later: wait for that moment.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bank.seen(), 1, "{peer:?}");
    cause
}

#[tokio::test]
async fn f25_a_connection_closed_or_reset_after_reading_is_unknown() {
    unknown_and_seen_once(Peer::Close, None).await;
    unknown_and_seen_once(Peer::Reset, None).await;
}

#[tokio::test]
async fn f25_a_hang_after_reading_is_unknown() {
    unknown_and_seen_once(Peer::Hang, None).await;
}

#[tokio::test]
async fn f28_a_redirect_is_not_followed() {
    let cause = unknown_and_seen_once(Peer::Redirect307, None).await;
    assert!(cause.contains("redirect"), "{cause}");
}

#[tokio::test]
async fn f27_a_503_is_unknown_and_not_repeated() {
    let cause = unknown_and_seen_once(Peer::Busy503, Some(b"busy")).await;
    assert!(cause.contains("503"), "{cause}");
}

#[tokio::test]
async fn f27_a_200_with_half_a_body_is_unknown_with_what_came() {
    unknown_and_seen_once(Peer::HalfBody, Some(b"<half>")).await;
    unknown_and_seen_once(Peer::HalfChunked, Some(b"<half>")).await;
}

#[tokio::test]
async fn f26_one_byte_a_second_meets_the_total_deadline() {
    let bank = Bank::open(Peer::OneByteASecond).await;
    let begun = Instant::now();
    let sent = send(&bank.door()).await;
    assert!(matches!(&sent, Sent::Unknown { evidence: Some(e), .. } if e.starts_with(b"x")));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(bank.seen(), 1);
}

#[tokio::test]
async fn i29_an_endless_answer_is_cut_at_the_cap() {
    let bank = Bank::open(Peer::Endless).await;
    let sent = send(&bank.door()).await;
    let Sent::Unknown { evidence: Some(evidence), .. } = &sent else { panic!("{sent:?}") };
    assert_eq!(evidence.len(), 64 * 1024);
    assert!(cause(&sent).contains("longer than"), "{sent:?}");
}

#[tokio::test]
async fn f25_keep_alive_is_never_reused() {
    // The peer would read a second message on a kept connection and close: with reuse, the second
    // is unknown; on connections of their own both are answered.
    for peer in [Peer::KeepAliveThenClose, Peer::CloseIdle] {
        let bank = Bank::open(peer).await;
        let door = bank.door();
        for n in 1..=5 {
            let sent = send(&door).await;
            assert!(matches!(&sent, Sent::Accepted { answer: Some(a) } if a == "ok"), "{sent:?}");
            assert_eq!(bank.seen(), n);
        }
    }
}

#[tokio::test]
async fn f24_a_refused_connection_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let sent = send(&door(&url, 1_500)).await;
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
}

#[tokio::test]
async fn f24_an_unknown_host_is_not_sent() {
    let sent = send(&door("https://no-such-bank.invalid/", 5_000)).await;
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
}

#[tokio::test]
async fn f24_a_failed_handshake_is_not_sent() {
    // This peer answers the TLS hello with HTTP, or with nothing at all.
    for peer in [Peer::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Peer::CloseAtOnce] {
        let bank = Bank::open(peer).await;
        let sent = send(&door(&bank.url.replace("http://", "https://"), 1_500)).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{peer:?}: {sent:?}");
        assert_eq!(bank.seen(), 0);
    }
}

#[tokio::test]
async fn f25_a_connection_that_ends_before_the_request_was_read_is_still_unknown() {
    // The peer cannot prove to us that it read nothing.
    let bank = Bank::open(Peer::CloseAtOnce).await;
    let sent = send(&bank.door()).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
}

#[tokio::test]
async fn a_whole_200_is_handed_back_whatever_it_says() {
    let page = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n<html>log in";
    let bank = Bank::open(Peer::Answer(page)).await;
    let sent = send(&bank.door()).await;
    assert!(matches!(&sent, Sent::Accepted { answer: Some(a) } if a == "<html>log in"));
    let asked = bank.door().ask(&message("<ask/>")).await;
    assert!(matches!(asked, Asked::Answer(a) if a == "<html>log in"));
}

#[tokio::test]
async fn a_question_that_is_not_answered_fails_and_may_be_repeated() {
    for peer in [Peer::Busy503, Peer::Close, Peer::HalfBody] {
        let bank = Bank::open(peer).await;
        let asked = bank.door().ask(&message("<ask/>")).await;
        assert!(matches!(asked, Asked::Failed { .. }), "{peer:?}: {asked:?}");
    }
}

#[tokio::test]
async fn a_hand_over_of_several_parts_is_not_sent() {
    let bank = Bank::open(Peer::Close).await;
    let mut parts = message("<pay/>");
    parts.extend(message("<pay/>"));
    assert!(matches!(bank.door().send(&committed(), &parts).await, Sent::NotSent { .. }));
    assert!(matches!(bank.door().send(&committed(), &[]).await, Sent::NotSent { .. }));
    assert_eq!(bank.seen(), 0);
}

#[tokio::test]
async fn i27_what_is_printed_of_parts_is_their_size() {
    let part = message("<name>secret</name>");
    let printed = format!("{part:?} {:?}", Sent::Accepted { answer: Some("secret".into()) });
    assert!(!printed.contains("secret"), "{printed}");
}

#[tokio::test]
async fn a_limit_keeps_the_rate_and_the_number_at_once() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let bank = Bank::open(Peer::Answer(answer)).await;
    let limits = Limits {
        per_second: NonZeroU32::new(20).expect("20"),
        at_once: NonZeroU32::new(2).expect("2"),
    };
    let door = Arc::new(With::new(Arc::new(bank.door()), Limited::new(limits)));
    let begun = Instant::now();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..11 {
        let door = Arc::clone(&door);
        sends.spawn(async move { send(&*door).await });
    }
    let all = sends.join_all().await;
    assert!(all.iter().all(|s| matches!(s, Sent::Accepted { .. })));
    // Eleven starts at twenty a second, the first at once: ten gaps of 50 ms.
    assert!(begun.elapsed() >= Duration::from_millis(490), "{:?}", begun.elapsed());
    assert_eq!(bank.seen(), 11);
}

#[tokio::test]
async fn a_limit_of_one_at_once_lets_no_second_message_start() {
    let bank = Bank::open(Peer::Hang).await;
    let limits =
        Limits { per_second: NonZeroU32::new(1_000).expect("1000"), at_once: NonZeroU32::MIN };
    let door = Arc::new(With::new(Arc::new(bank.door()), Limited::new(limits)));
    let first = tokio::spawn({
        let door = Arc::clone(&door);
        async move { send(&*door).await }
    });
    let second = tokio::spawn(async move { send(&*door).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(bank.seen(), 1);
    assert!(matches!(first.await.expect("joined"), Sent::Unknown { .. }));
    assert!(matches!(second.await.expect("joined"), Sent::Unknown { .. }));
    assert_eq!(bank.seen(), 2);
}
