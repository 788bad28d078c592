//! The table of faults 2.1 for a socket, against a raw peer that counts whole messages: each row asserts
//! what the door says and how often the bank saw the message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::model::attempt::Committed;
use crate::model::id::AttemptNo;
use crate::transport::socket::{Ending, Security, Socket, SocketOptions, Staying};
use crate::transport::{Asked, OutPart, Sent, Transport};

/// Six digits in front of the body, which they count; or nothing in front.
#[derive(Clone, Copy)]
struct Digits(Option<usize>);

impl Ending for Digits {
    fn header_bytes(&self) -> Option<usize> {
        self.0
    }

    fn message_bytes(&self, header: &[u8]) -> Result<u64, String> {
        let text = String::from_utf8_lossy(header);
        text.parse::<u64>().map(|body| body + 6).map_err(|_| format!("{text:?} is no number"))
    }
}

const FRAMED: Digits = Digits(Some(6));
const TO_THE_END: Digits = Digits(None);
const MESSAGE: &[u8] = b"000006<pay/>";
const CAP: usize = 64 * 1024;

/// What the peer does once it has read a whole message.
#[derive(Debug, Clone, Copy)]
enum Peer {
    CloseAtOnce,
    Close,
    Reset,
    Hang,
    /// Says this, and closes.
    Say(&'static [u8]),
    /// Says this, and keeps the connection.
    SayAndStay(&'static [u8]),
    /// Says this a byte at a time, so many milliseconds apart.
    Slowly(&'static [u8], u64),
    Endless(&'static [u8]),
}

struct Bank {
    address: String,
    seen: Arc<AtomicUsize>,
}

impl Bank {
    async fn open(peer: Peer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, peer, Arc::clone(&count)));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn door(&self, ending: Digits) -> Socket {
        door(&self.address, ending, Security::Plain)
    }
}

fn door(address: &str, ending: Digits, security: Security) -> Socket {
    Socket::new(SocketOptions {
        address: address.to_owned(),
        security,
        connect_ms: 1_000,
        total_ms: 1_500,
        answer_bytes_max: CAP,
        ending: Arc::new(ending),
        staying: None,
    })
    .expect("these settings work")
}

async fn read_message<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    let mut read = vec![0_u8; MESSAGE.len()];
    stream.read_exact(&mut read).await.is_ok() && read == MESSAGE
}

async fn serve(mut stream: TcpStream, peer: Peer, seen: Arc<AtomicUsize>) {
    if matches!(peer, Peer::CloseAtOnce) || !read_message(&mut stream).await {
        return;
    }
    seen.fetch_add(1, Ordering::SeqCst);
    match peer {
        Peer::CloseAtOnce | Peer::Close => {}
        Peer::Reset => stream.set_zero_linger().expect("linger"),
        Peer::Hang => tokio::time::sleep(Duration::from_secs(30)).await,
        Peer::Say(bytes) => stream.write_all(bytes).await.unwrap_or_default(),
        Peer::SayAndStay(bytes) => {
            stream.write_all(bytes).await.unwrap_or_default();
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Peer::Slowly(bytes, ms) => {
            for byte in bytes {
                if stream.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
        }
        Peer::Endless(head) => {
            stream.write_all(head).await.unwrap_or_default();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    }
}

fn message() -> Vec<OutPart> {
    vec![OutPart { name: String::new(), bytes: Bytes::from_static(MESSAGE), committing: true }]
}

async fn send(door: &Socket) -> Sent {
    door.send(&Committed::after_commit(AttemptNo(1)), &message()).await
}

/// Everything from the first byte on without one whole answer is unknown, and the bank saw it once.
async fn unknown_and_seen_once(
    peer: Peer,
    ending: Digits,
    evidence: Option<&'static [u8]>,
) -> String {
    let bank = Bank::open(peer).await;
    let begun = Instant::now();
    let sent = send(&bank.door(ending)).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{peer:?}: {:?}", begun.elapsed());
    let Sent::Unknown { cause, evidence: found } = sent else { panic!("{peer:?}: {sent:?}") };
    assert_eq!(found.as_deref(), evidence, "{peer:?}: {cause}");
    // Whoever repeats does it a moment later: wait for that moment.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bank.seen(), 1, "{peer:?}");
    cause
}

async fn answered(peer: Peer, ending: Digits, answer: &'static [u8]) {
    let bank = Bank::open(peer).await;
    let sent = send(&bank.door(ending)).await;
    assert!(
        matches!(&sent, Sent::Accepted { answer: Some(a) } if a == answer),
        "{peer:?}: {sent:?}"
    );
    assert_eq!(bank.seen(), 1, "{peer:?}");
    let asked = bank.door(ending).ask(&message()).await;
    assert!(matches!(&asked, Asked::Answer(a) if a == answer), "{peer:?}: {asked:?}");
}

#[tokio::test]
async fn f52_an_answer_is_read_whole_in_one_piece_and_in_many() {
    answered(Peer::Say(b"000005<ok/>"), FRAMED, b"000005<ok/>").await;
    // Who says how long it is need not close.
    answered(Peer::SayAndStay(b"000005<ok/>"), FRAMED, b"000005<ok/>").await;
    answered(Peer::Slowly(b"000005<ok/>", 20), FRAMED, b"000005<ok/>").await;
    answered(Peer::Say(b"000000"), FRAMED, b"000000").await;
    answered(Peer::Say(b"<ok/>"), TO_THE_END, b"<ok/>").await;
    answered(Peer::Slowly(b"<ok/>", 20), TO_THE_END, b"<ok/>").await;
}

#[tokio::test]
async fn f25_a_connection_closed_or_reset_after_reading_is_unknown() {
    for ending in [FRAMED, TO_THE_END] {
        unknown_and_seen_once(Peer::Close, ending, None).await;
        unknown_and_seen_once(Peer::Reset, ending, None).await;
    }
}

#[tokio::test]
async fn f25_a_hang_meets_the_total_deadline_and_is_unknown() {
    unknown_and_seen_once(Peer::Hang, FRAMED, None).await;
    unknown_and_seen_once(Peer::Hang, TO_THE_END, None).await;
    // Who must close to end, and does not, has not answered.
    unknown_and_seen_once(Peer::SayAndStay(b"<ok/>"), TO_THE_END, Some(b"<ok/>")).await;
}

#[tokio::test]
async fn f52_half_a_header_or_half_a_body_is_unknown_with_what_came() {
    unknown_and_seen_once(Peer::Say(b"0000"), FRAMED, Some(b"0000")).await;
    unknown_and_seen_once(Peer::Say(b"000005<ok"), FRAMED, Some(b"000005<ok")).await;
    unknown_and_seen_once(Peer::SayAndStay(b"000009<ok/>"), FRAMED, Some(b"000009<ok/>")).await;
}

#[tokio::test]
async fn f52_a_header_that_lies_is_unknown_and_allocates_nothing() {
    for said in [&b"-00005<ok/>"[..], b"abcdef<ok/>", b"0x0005<ok/>", b"      <ok/>"] {
        let header = said.get(..6);
        let cause = unknown_and_seen_once(Peer::SayAndStay(said), FRAMED, header).await;
        assert!(cause.contains("header"), "{cause}");
    }
    let huge = Peer::SayAndStay(b"999999<ok/>");
    let cause = unknown_and_seen_once(huge, FRAMED, Some(b"999999")).await;
    assert!(cause.contains("1000005 bytes"), "{cause}");
}

#[tokio::test]
async fn f52_what_comes_behind_an_answer_is_kept_and_no_part_of_it() {
    let bank = Bank::open(Peer::SayAndStay(b"000005<ok/>000005<no/>000009<ha")).await;
    let door = bank.door(FRAMED);
    let sent = send(&door).await;
    assert!(
        matches!(&sent, Sent::Accepted { answer: Some(a) } if &a[..] == b"000005<ok/>"),
        "{sent:?}"
    );
    assert_eq!(door.unasked(), ["000005<no/>", "000009<ha"]);
    assert!(door.unasked().is_empty(), "it is given once");
    // An end of line is no message.
    let bank = Bank::open(Peer::SayAndStay(b"000005<ok/>\r\n")).await;
    let door = bank.door(FRAMED);
    assert!(matches!(send(&door).await, Sent::Accepted { .. }) && door.unasked().is_empty());
}

#[tokio::test]
async fn f52_what_comes_behind_an_answer_is_not_read_whether_in_one_packet_or_in_two() {
    let twice = b"000005<ok/>000005<no/>";
    answered(Peer::Say(twice), FRAMED, b"000005<ok/>").await;
    answered(Peer::Slowly(twice, 5), FRAMED, b"000005<ok/>").await;
    // A header that says too little cuts its own body; that it is no document is seen by the format.
    answered(Peer::Say(b"000002<ok/>"), FRAMED, b"000002<o").await;
}

#[tokio::test]
async fn f26_one_byte_at_a_time_meets_the_total_deadline() {
    let begun = Instant::now();
    let bank = Bank::open(Peer::Slowly(b"000020xxxxxxxxxxxxxxxxxxxxx", 300)).await;
    let sent = send(&bank.door(FRAMED)).await;
    assert!(matches!(&sent, Sent::Unknown { evidence: Some(e), .. } if e.starts_with(b"0000")));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(bank.seen(), 1);
}

#[tokio::test]
async fn i29_an_endless_answer_is_cut_at_the_cap() {
    let bank = Bank::open(Peer::Endless(b"<")).await;
    let sent = send(&bank.door(TO_THE_END)).await;
    let Sent::Unknown { evidence: Some(evidence), cause } = &sent else { panic!("{sent:?}") };
    assert_eq!(evidence.len(), CAP);
    assert!(cause.contains("longer than"), "{cause}");
    assert_eq!(bank.seen(), 1);
    // With a header, an answer ends where it says, whatever goes on behind it.
    let bank = Bank::open(Peer::Endless(b"065530")).await;
    let sent = send(&bank.door(FRAMED)).await;
    assert!(matches!(&sent, Sent::Accepted { answer: Some(a) } if a.len() == CAP), "{sent:?}");
}

#[tokio::test]
async fn f24_a_refused_connection_or_an_unknown_host_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    for address in [address.as_str(), "no-such-bank.invalid:6000"] {
        let sent = send(&door(address, FRAMED, Security::Plain)).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
    }
}

#[tokio::test]
async fn f25_a_connection_that_ends_before_the_message_was_read_is_still_unknown() {
    // The peer cannot prove to us that it read nothing.
    let bank = Bank::open(Peer::CloseAtOnce).await;
    let sent = send(&bank.door(FRAMED)).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    assert_eq!(bank.seen(), 0);
    assert!(matches!(bank.door(FRAMED).ask(&message()).await, Asked::Failed { .. }));
}

#[tokio::test]
async fn a_hand_over_of_several_parts_is_not_sent() {
    let bank = Bank::open(Peer::Close).await;
    let part = |name: &str, committing| OutPart {
        name: name.to_owned(),
        bytes: Bytes::from_static(MESSAGE),
        committing,
    };
    let committed = Committed::after_commit(AttemptNo(1));
    for parts in [vec![part("a", false), part("b", true)], Vec::new()] {
        let sent = bank.door(FRAMED).send(&committed, &parts).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
    }
    assert_eq!(bank.seen(), 0);
}

/// A bank behind TLS that answers each whole message.
async fn open_tls(config: rustls::ServerConfig) -> Bank {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if read_message(&mut stream).await {
                    count.fetch_add(1, Ordering::SeqCst);
                    say(&mut stream, b"000005<ok/>").await;
                }
            });
        }
    });
    Bank { address: format!("localhost:{port}"), seen }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap_or_default();
    stream.shutdown().await.unwrap_or_default();
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("signs").pem();
    (Issuer::new(params, key), pem)
}

fn shows(issuer: &Issuer<'static, KeyPair>, params: &CertificateParams) -> rustls::ServerConfig {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("signed");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate")
}

#[tokio::test]
async fn f24_a_bank_that_cannot_show_who_it_is_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    let ((ours, pem), (stranger, _)) = (authority("the bank's"), authority("another"));
    std::fs::write(&ca_file, pem).expect("written");
    let security = || Security::Tls { ca_file: Some(ca_file.clone()), identity: None };
    let good = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let bank = open_tls(shows(&ours, &good)).await;
    let sent = send(&door(&bank.address, FRAMED, security())).await;
    assert!(matches!(&sent, Sent::Accepted { answer: Some(a) } if a == "000005<ok/>"), "{sent:?}");
    assert_eq!(bank.seen(), 1);

    let mut expired = good.clone();
    expired.not_after = date_time_ymd(2021, 1, 1);
    let elsewhere = CertificateParams::new(vec!["bank.example".to_owned()]).expect("a name");
    let bad = [
        (&ours, &expired, "expired"),
        (&ours, &elsewhere, "bank.example"),
        (&stranger, &good, "not trusted"),
    ];
    for (issuer, params, word) in bad {
        let bank = open_tls(shows(issuer, params)).await;
        let sent = send(&door(&bank.address, FRAMED, security())).await;
        let Sent::NotSent { cause } = &sent else { panic!("{word}: {sent:?}") };
        assert!(cause.contains(word), "{cause}");
        assert_eq!(bank.seen(), 0, "{word}");
    }
    // A peer that speaks no TLS, one that says nothing, and one that closes.
    for peer in [Peer::SayAndStay(b"000005<ok/>"), Peer::Hang, Peer::CloseAtOnce] {
        let bank = Bank::open(peer).await;
        let address = bank.address.replace("127.0.0.1", "localhost");
        let sent = send(&door(&address, FRAMED, security())).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{peer:?}: {sent:?}");
        assert_eq!(bank.seen(), 0, "{peer:?}");
    }
}

/// A bank on whose connections many messages are said; it counts them, connections and heartbeats.
#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    messages: AtomicUsize,
    heartbeats: AtomicUsize,
}

impl Counts {
    fn now(&self) -> [usize; 3] {
        [&self.connections, &self.messages, &self.heartbeats].map(|n| n.load(Ordering::SeqCst))
    }
}

/// What such a bank does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Good,
    /// Ends a connection that was quiet for so many milliseconds.
    EndsQuiet(u64),
    /// Answers its first message late, and behind the door's deadline.
    LateOnce,
    /// Answers heartbeats with something else.
    Strange,
    /// Says every answer twice, so many milliseconds apart.
    SaysTwice(u64),
}

async fn open_staying(habit: Habit) -> (String, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let counts = Arc::new(Counts::default());
    let all = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            all.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve_many(stream, habit, Arc::clone(&all)));
        }
    });
    (address, counts)
}

async fn serve_many(mut stream: TcpStream, habit: Habit, counts: Arc<Counts>) {
    let patience = match habit {
        Habit::EndsQuiet(ms) => Duration::from_millis(ms),
        Habit::Good | Habit::LateOnce | Habit::Strange | Habit::SaysTwice(_) => {
            Duration::from_mins(1)
        }
    };
    loop {
        let mut header = [0_u8; 6];
        let read = tokio::time::timeout(patience, stream.read_exact(&mut header)).await;
        if !matches!(read, Ok(Ok(_))) {
            return;
        }
        let length: usize = String::from_utf8_lossy(&header).parse().expect("a length");
        let mut body = vec![0_u8; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let answer = if body == b"?" {
            counts.heartbeats.fetch_add(1, Ordering::SeqCst);
            if habit == Habit::Strange { "000001x".to_owned() } else { "000001!".to_owned() }
        } else {
            let n = counts.messages.fetch_add(1, Ordering::SeqCst) + 1;
            if habit == Habit::LateOnce && n == 1 {
                tokio::time::sleep(Duration::from_millis(1_700)).await;
            }
            format!("00000{}answer {n}", 7 + n.to_string().len())
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if let Habit::SaysTwice(after_ms) = habit {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn staying_door(address: &str, every_ms: u64) -> Socket {
    Socket::new(SocketOptions {
        address: address.to_owned(),
        security: Security::Plain,
        connect_ms: 1_000,
        total_ms: 1_500,
        answer_bytes_max: CAP,
        ending: Arc::new(FRAMED),
        staying: Some(Staying {
            heartbeat: Bytes::from_static(b"000001?"),
            answer: Bytes::from_static(b"000001!"),
            every_ms,
        }),
    })
    .expect("these settings work")
}

fn said(sent: &Sent) -> String {
    let Sent::Accepted { answer: Some(answer) } = sent else { panic!("{sent:?}") };
    String::from_utf8_lossy(answer).into_owned()
}

#[tokio::test]
async fn a_connection_that_stays_carries_many_messages_and_is_kept_alive() {
    let (address, counts) = open_staying(Habit::Good).await;
    let door = staying_door(&address, 100);
    for n in 1..=5 {
        assert!(said(&send(&door).await).ends_with(&format!("answer {n}")));
    }
    assert_eq!(counts.now(), [1, 5, 0]);
    tokio::time::sleep(Duration::from_millis(650)).await;
    let [connections, messages, heartbeats] = counts.now();
    assert_eq!((connections, messages), (1, 5));
    assert!((2..=6).contains(&heartbeats), "{heartbeats}");
    // Nobody speaks for a door that is gone.
    drop(door);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let ended = counts.now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(counts.now(), ended);
}

#[tokio::test]
async fn f25_a_quiet_connection_that_the_bank_ended_costs_no_false_alarm() {
    let (address, counts) = open_staying(Habit::EndsQuiet(100)).await;
    let door = staying_door(&address, 60_000);
    for n in 1..=4 {
        assert!(said(&send(&door).await).ends_with(&format!("answer {n}")));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(counts.now()[..2], [4, 4], "each message once, each on a connection that worked");
}

#[tokio::test]
async fn f25_an_answer_that_comes_late_is_not_taken_for_the_next_one() {
    let (address, counts) = open_staying(Habit::LateOnce).await;
    let door = staying_door(&address, 60_000);
    let sent = send(&door).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "{sent:?}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(said(&send(&door).await).ends_with("answer 2"));
    assert_eq!(counts.now()[..2], [2, 2]);
}

#[tokio::test]
async fn f52_a_heartbeat_that_is_answered_with_something_else_ends_the_connection() {
    let (address, counts) = open_staying(Habit::Strange).await;
    let door = staying_door(&address, 60_000);
    assert!(said(&send(&door).await).ends_with("answer 1"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(said(&send(&door).await).ends_with("answer 2"));
    assert_eq!(counts.now(), [2, 2, 1]);
}

#[tokio::test]
async fn f52_an_answer_too_many_is_not_taken_for_the_next_one() {
    for (apart_ms, pause_ms) in [(0, 40), (20, 80), (0, 300)] {
        let (address, counts) = open_staying(Habit::SaysTwice(apart_ms)).await;
        let door = staying_door(&address, 60_000);
        for n in 1..=4 {
            let case = format!("{apart_ms} ms apart, message {n}");
            assert!(said(&send(&door).await).ends_with(&format!("answer {n}")), "{case}");
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        assert_eq!(
            counts.now()[..2],
            [4, 4],
            "each once, and on a connection on which nothing lay"
        );
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let with = |address: &str, total_ms, answer_bytes_max| {
        Socket::new(SocketOptions {
            address: address.to_owned(),
            security: Security::Plain,
            connect_ms: 1,
            total_ms,
            answer_bytes_max,
            ending: Arc::new(FRAMED),
            staying: None,
        })
    };
    assert!(with("127.0.0.1:6000", 1, 6).is_ok());
    for (address, total_ms, most) in
        [("127.0.0.1", 1, 6), (":1", 1, 6), ("bank:0x1", 1, 6), ("b:1", 0, 6), ("b:1", 1, 5)]
    {
        assert!(with(address, total_ms, most).is_err(), "{address}");
    }
}
