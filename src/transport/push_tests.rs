//! What a bank gets for a call, and what is kept of it: the listener against raw connections, with a
//! keeper that counts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::guard::mac::Mac;
use crate::guard::sign::Algorithm;
use crate::model::push::PushCall;
use crate::transport::push::{Keeper, Kept, PushOptions, serve};

/// Longer than anything here may take but what is cut off.
const SOON: Duration = Duration::from_secs(5);

struct Shelf {
    kept: Mutex<Vec<Bytes>>,
    calls: Mutex<Vec<PushCall>>,
    full: AtomicBool,
    begun: AtomicUsize,
    /// One for each message that may become durable.
    permits: Semaphore,
}

#[async_trait]
impl Keeper for Shelf {
    async fn keep(&self, message: Bytes) -> Kept {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("it stays").forget();
        if self.full.load(Ordering::SeqCst) {
            return Kept::Not;
        }
        let mut kept = self.kept.lock().expect("no panic inside");
        if kept.contains(&message) {
            return Kept::Before;
        }
        kept.push(message);
        Kept::Now
    }

    fn count(&self, call: PushCall) {
        self.calls.lock().expect("no panic inside").push(call);
    }
}

impl Shelf {
    fn kept(&self) -> Vec<Bytes> {
        self.kept.lock().expect("no panic inside").clone()
    }

    fn calls(&self) -> Vec<PushCall> {
        self.calls.lock().expect("no panic inside").clone()
    }

    /// Waits until so many calls have come to an end.
    async fn counted(&self, calls: usize) -> Vec<PushCall> {
        let enough = async {
            while self.calls().len() < calls {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, enough).await.expect("they come to an end");
        self.calls()
    }
}

struct Open {
    shelf: Arc<Shelf>,
    address: std::net::SocketAddr,
    mac: Mac,
    _stop: tokio_util::sync::DropGuard,
}

fn mac() -> Mac {
    Mac::new(Algorithm::HmacSha256, b"a secret of the two").expect("long enough")
}

async fn open(at_once: usize, total_ms: u64) -> Open {
    let shelf = Arc::new(Shelf {
        kept: Mutex::default(),
        calls: Mutex::default(),
        full: AtomicBool::new(false),
        begun: AtomicUsize::new(0),
        permits: Semaphore::new(1_000),
    });
    let options = PushOptions {
        bank: "city".to_owned(),
        path: "/push".to_owned(),
        tls: None,
        callers: Vec::new(),
        signing: Some((HeaderName::from_static("x-code"), mac())),
        answer: "RECEIVED".to_owned(),
        answer_type: HeaderValue::from_static("text/plain"),
        bytes_max: 64,
        at_once,
        total_ms,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let keeper: Arc<dyn Keeper> = Arc::clone(&shelf) as Arc<dyn Keeper>;
    tokio::spawn(serve(listener, Arc::new(options), keeper, stop.clone()));
    Open { shelf, address, mac: mac(), _stop: stop.drop_guard() }
}

impl Open {
    async fn line(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// A whole and good call.
    fn call(&self, body: &str) -> String {
        let length = body.len();
        let code = self.mac.of(body.as_bytes());
        format!(
            "POST /push HTTP/1.1\r\nhost: x\r\nx-code: {code}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }

    /// Says this and gives back all that is answered before the line ends.
    async fn say(&self, text: &str) -> String {
        let mut line = self.line().await;
        // What is refused before its end may be cut off while it is said.
        line.write_all(text.as_bytes()).await.ok();
        heard(&mut line).await
    }
}

async fn heard(line: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(SOON, line.read_to_end(&mut answer)).await;
    // A line that is reset has said what it had to say.
    drop(read.expect("the line ends"));
    String::from_utf8(answer).expect("text")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn f33_a_message_is_kept_before_it_is_answered_and_the_same_again_is_the_same() {
    let open = open(4, 5_000).await;
    let answer = open.say(&open.call("<done/>")).await;
    assert_eq!(status(&answer), "200");
    assert!(answer.ends_with("\r\n\r\nRECEIVED"), "{answer}");
    assert!(answer.contains("content-type: text/plain\r\n"), "{answer}");
    assert_eq!(status(&open.say(&open.call("<done/>")).await), "200");
    assert_eq!(open.shelf.kept(), [Bytes::from_static(b"<done/>")]);
    assert_eq!(open.shelf.calls(), [PushCall::Kept, PushCall::Repeated]);
}

#[tokio::test]
async fn i23_what_cannot_be_kept_gets_no_200() {
    let open = open(4, 5_000).await;
    open.shelf.full.store(true, Ordering::SeqCst);
    assert_eq!(status(&open.say(&open.call("<done/>")).await), "503");
    assert_eq!(open.shelf.calls(), [PushCall::Unkept]);
    open.shelf.full.store(false, Ordering::SeqCst);
    assert_eq!(status(&open.say(&open.call("<done/>")).await), "200");
    assert_eq!(open.shelf.kept().len(), 1);
}

#[tokio::test]
async fn f24_who_cannot_show_that_he_is_the_bank_is_neither_heard_nor_kept() {
    let open = open(4, 5_000).await;
    let good = open.call("<done/>");
    let code = format!("x-code: {}\r\n", open.mac.of(b"<done/>"));
    for bad in [
        good.replace(&code, ""),
        good.replace(&code, "x-code: 00\r\n"),
        good.replace(&code, &format!("x-code: {}\r\n", open.mac.of(b"<gone/>"))),
        good.replace("<done/>", "<gone/>"),
        good.replace(&code, &format!("{code}{code}")),
    ] {
        assert_eq!(status(&open.say(&bad).await), "401", "{bad}");
    }
    // Without a code, not even the body is waited for.
    let silent = "POST /push HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n";
    assert_eq!(status(&open.say(silent).await), "401");
    assert_eq!(open.shelf.kept(), Vec::<Bytes>::new());
    assert_eq!(open.shelf.calls(), [PushCall::Unproven; 6]);
}

#[tokio::test]
async fn f43_more_than_is_taken_is_refused_before_it_is_read() {
    let open = open(4, 5_000).await;
    let most = "m".repeat(64);
    assert_eq!(status(&open.say(&open.call(&most)).await), "200");
    let (more, code) = ("m".repeat(65), open.mac.of("m".repeat(65).as_bytes()));
    // Only declared: the answer comes although nothing of it was sent.
    for declared in ["65", "99999999999999"] {
        let head = format!(
            "POST /push HTTP/1.1\r\nhost: x\r\nx-code: {code}\r\ncontent-length: {declared}\r\n\r\n"
        );
        assert_eq!(status(&open.say(&head).await), "413", "{declared}");
    }
    let chunked = format!(
        "POST /push HTTP/1.1\r\nhost: x\r\nx-code: {code}\r\ntransfer-encoding: chunked\r\n\r\n41\r\n{more}\r\n0\r\n\r\n"
    );
    assert_eq!(status(&open.say(&chunked).await), "413");
    assert_eq!(open.shelf.kept().len(), 1);
    assert_eq!(open.shelf.calls()[1..], [PushCall::TooLarge; 3]);
}

#[tokio::test]
async fn f26_half_a_message_is_none() {
    let open = open(4, 400).await;
    let call = open.call("<whole message/>");
    let chunked = call
        .replace("content-length: 16", "transfer-encoding: chunked")
        .replace("<whole message/>", "10\r\n<whole message/>\r\n");
    for (what, said) in [
        ("cut in the head", call.get(..40).expect("it is longer")),
        ("cut in the body", call.strip_suffix("message/>").expect("its end")),
        ("one byte short", call.strip_suffix('>').expect("its end")),
        ("no last chunk", chunked.as_str()),
    ] {
        // The line ends, or nothing more comes on it.
        for silent in [false, true] {
            let mut line = open.line().await;
            line.write_all(said.as_bytes()).await.expect("said");
            if !silent {
                line.shutdown().await.expect("ended");
            }
            let answer = heard(&mut line).await;
            assert_ne!(status(&answer), "200", "{what}, silent: {silent}");
        }
    }
    assert_eq!(open.shelf.begun.load(Ordering::SeqCst), 0, "nothing was kept or tried to be");
}

#[tokio::test]
async fn f52_a_length_that_lies_and_two_messages_on_a_line() {
    let open = open(4, 400).await;
    // Less than there is: what is behind it is not in the code of the whole.
    let short = open.call("<whole message/>").replace("content-length: 16", "content-length: 7");
    assert_eq!(status(&open.say(&short).await), "401");
    // More than there is: the rest is waited for, and the time ends.
    let long = open.call("<whole message/>").replace("content-length: 16", "content-length: 17");
    assert_eq!(status(&open.say(&long).await), "");
    for bad in ["-1", "16, 17", "0x10", "16\r\ncontent-length: 17"] {
        let call = open.call("<whole message/>");
        let call = call.replace("content-length: 16", &format!("content-length: {bad}"));
        assert_ne!(status(&open.say(&call).await), "200", "{bad}");
    }
    assert_eq!(open.shelf.kept(), Vec::<Bytes>::new());
    // The second message gets no 200, so its sender says it again.
    let both = format!("{}{}", open.call("<first/>"), open.call("<second/>"));
    let answer = open.say(&both).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(status(&answer), "200");
    assert_eq!(open.shelf.kept(), [Bytes::from_static(b"<first/>")]);
}

#[tokio::test]
async fn f26_a_letter_a_second_ends_with_the_time_for_a_call() {
    let open = open(4, 400).await;
    let mut line = open.line().await;
    let slow = async {
        for letter in open.call("<done/>").bytes() {
            if line.write_all(&[letter]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it was listened to all the time");
    };
    tokio::time::timeout(SOON, slow).await.expect("it is cut off");
    assert_eq!(open.shelf.counted(1).await, [PushCall::Broken]);
    assert_eq!(open.shelf.kept(), Vec::<Bytes>::new());
}

#[tokio::test]
async fn f26_silent_callers_do_not_keep_the_bank_out() {
    let open = open(3, 60_000).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        let mut line = open.line().await;
        line.write_all(b"POST /push HT").await.expect("said");
        silent.push(line);
    }
    assert_eq!(status(&open.say(&open.call("<done/>")).await), "200");
    assert!(open.shelf.calls().iter().filter(|call| **call == PushCall::Broken).count() >= 7);
    // Those for whom something is made durable are not sent away for one more.
    let waiting = open.shelf.permits.forget_permits(1_000);
    let mut served = Vec::new();
    for number in 0..3 {
        let mut line = open.line().await;
        line.write_all(open.call(&format!("<{number}/>")).as_bytes()).await.expect("said");
        while open.shelf.begun.load(Ordering::SeqCst) < number + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        served.push(line);
    }
    assert_eq!(open.say(&open.call("<late/>")).await, "");
    open.shelf.permits.add_permits(waiting);
    for line in &mut served {
        assert_eq!(status(&heard(line).await), "200");
    }
    assert_eq!(open.shelf.kept().len(), 4);
    assert!(open.shelf.calls().contains(&PushCall::Crowded));
}

#[tokio::test]
async fn i23_what_has_begun_to_be_kept_is_kept_when_the_caller_is_gone() {
    let open = open(4, 300).await;
    let waiting = open.shelf.permits.forget_permits(1_000);
    let mut line = open.line().await;
    line.write_all(open.call("<done/>").as_bytes()).await.expect("said");
    assert_eq!(heard(&mut line).await, "", "the time ends before it is durable");
    drop(line);
    open.shelf.permits.add_permits(waiting);
    let kept = async {
        while open.shelf.kept().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, kept).await.expect("it goes on");
    // The bank, which got no 200, calls again.
    assert_eq!(status(&open.say(&open.call("<done/>")).await), "200");
    assert_eq!(open.shelf.kept().len(), 1);
    assert!(open.shelf.calls().contains(&PushCall::Repeated));
}

#[tokio::test]
async fn f27_what_is_no_call_of_the_bank_is_refused() {
    let open = open(4, 5_000).await;
    let good = open.call("<done/>");
    for (bad, told) in [
        (good.replace("/push", "/other"), "404"),
        (good.replace("/push", "/push/"), "404"),
        (good.replace("POST", "PUT"), "405"),
        (good.replace("host: x", "host: x\r\ncontent-encoding: gzip"), "415"),
        (open.call(""), "400"),
        ("no HTTP at all\r\n\r\n".to_owned(), "400"),
    ] {
        assert_eq!(status(&open.say(&bad).await), told, "{bad}");
    }
    assert_eq!(open.shelf.kept(), Vec::<Bytes>::new());
    // A query behind the path is the bank's affair.
    assert_eq!(status(&open.say(&good.replace("/push", "/push?no=1")).await), "200");
}
