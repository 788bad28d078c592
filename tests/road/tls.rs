//! TLS with real certificates (F24): what a bank or finance must show before anything is said, and
//! that nothing is said, sent or tried in the clear where it does not.
//!
//! A certificate that was revoked is not among these: neither door asks (see `transport::https`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daifa::app::doors::framed;
use daifa::clock::{Clock, SystemClock};
use daifa::finance::http::{HttpFinance, Settings};
use daifa::finance::{Finance as _, FinanceError};
use daifa::guard::key::Key;
use daifa::sandbox::bank::{Options, PracticeBank, Wire};
use daifa::sandbox::finance;
use daifa::transport::Transport;
use daifa::transport::https::{Https, HttpsOptions};
use daifa::transport::socket::{Security, Socket, SocketOptions};
use daifa::transport::tls::Identity;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use secrecy::SecretString;

use crate::counter::format_named;
use crate::county::Draft;
use crate::front::{Authority, Front, Manner, NAME, self_signed, server};
use crate::house::{CALLS, House, MINUTE, SECOND};

const AUTHORITY: &str = "the county's authority";

/// A handshake of TLS 1.1: a hello of the server as it was, with a cipher of that time.
const TLS_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
    0123456789abcdef0123456789abcdef\x00\x00\x2f\x00";

fn changed(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = server(NAME);
    change(&mut params);
    params
}

/// Everything that a counterpart may show instead of a good certificate, with a word of the cause as
/// the log and as the page has it.
fn bad(authority: &Authority) -> Vec<(&'static str, Manner, [&'static str; 2])> {
    let expired = changed(|params| params.not_after = date_time_ymd(2021, 1, 1));
    let early = changed(|params| params.not_before = date_time_ymd(2080, 1, 1));
    let client = changed(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let nameless = changed(|params| params.subject_alt_names.clear());
    let elsewhere = server("bank.example");
    let (stranger, impostor) = (Authority::new("another"), Authority::new(AUTHORITY));
    let unknown = ["signed by an authority that is not trusted here", "签发机构不受信任"];
    let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    vec![
        (
            "expired",
            authority.signs(&expired).into(),
            ["expired on 2021-01-01", "已于 2021-01-01 到期"],
        ),
        (
            "not valid yet",
            authority.signs(&early).into(),
            ["not valid before 2080-01-01", "到 2080-01-01 才生效"],
        ),
        (
            "another name",
            authority.signs(&elsewhere).into(),
            ["for bank.example, not for localhost", "不是 localhost 的"],
        ),
        (
            "without a name",
            authority.signs(&nameless).into(),
            ["bears no name (subject alternative name)", "没有写明名称"],
        ),
        ("another authority", stranger.signs(&server(NAME)).into(), unknown),
        (
            "of the same name",
            impostor.signs(&server(NAME)).into(),
            ["not signed by the authority", "不是所称机构签发的"],
        ),
        ("self-signed", self_signed(&server(NAME)).into(), unknown),
        ("a client's", authority.signs(&client).into(), ["not one for servers", "不是服务器证书"]),
        ("plain HTTP", Manner::Says(plain), ["does not speak TLS", "没有使用加密连接"]),
        ("TLS 1.1", Manner::Says(TLS_1_1), ["no TLS 1.2 or later", "协议版本过低"]),
        ("silence", Manner::Silent, ["timed out", "超时"]),
    ]
}

/// How a message is carried behind TLS.
#[derive(Debug, Clone, Copy)]
enum Way {
    Http,
    Socket,
}

/// A house whose message bank is a practice bank behind a front, and the practice bank.
async fn behind(
    way: Way,
    front: &mut Option<Arc<Front>>,
    manner: Manner,
    ca: &str,
    ours: Option<(String, String)>,
) -> (House, PracticeBank) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut house = House::open().await;
    let folder = house.dir.path().join("p-calls");
    std::fs::create_dir(&folder).expect("made");
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let wire = match way {
        Way::Http => Wire::Http { listen },
        Way::Socket => Wire::Socket { listen },
    };
    let options = Options { poll_ms: 2, ..Options::new(folder, wire) };
    let format = format_named("example-city-xml");
    let clock: Arc<dyn Clock> = Arc::new(house.clock.clone());
    let bank = PracticeBank::start(options, Arc::clone(&format), clock).await.expect("starts");
    let opened = Front::open(bank.address().expect("it listens"), manner).await;
    let ca_file = house.dir.path().join("ca.pem");
    std::fs::write(&ca_file, ca).expect("written");
    let identity = ours.map(|(certificate, key)| {
        let certificate_file = house.dir.path().join("client.pem");
        std::fs::write(&certificate_file, certificate).expect("written");
        Identity { certificate_file, key: SecretString::from(key) }
    });
    let (connect_ms, total_ms, answer_bytes_max) = (300, 3_000, 1 << 20);
    let door: Arc<dyn Transport> = match way {
        Way::Http => {
            let door = Https::new(&HttpsOptions {
                url: format!("https://{NAME}:{}/", opened.port),
                content_type: "application/xml; charset=GBK".to_owned(),
                ca_file: Some(ca_file),
                identity,
                signing: None,
                connect_ms,
                total_ms,
                answer_bytes_max,
            });
            Arc::new(door.expect("a door"))
        }
        Way::Socket => {
            let door = Socket::new(SocketOptions {
                address: format!("{NAME}:{}", opened.port),
                security: Security::Tls { ca_file: Some(ca_file), identity },
                connect_ms,
                total_ms,
                answer_bytes_max,
                ending: framed(&format).expect("a format for a line"),
                staying: None,
            });
            Arc::new(door.expect("a door"))
        }
    };
    house.doors.insert(CALLS.to_owned(), (door, format));
    house.restart().await;
    *front = Some(opened);
    (house, bank)
}

/// Offers a bank behind `manner` a batch: nothing gets through and everybody is told why; once its
/// certificate is good the same attempt goes.
async fn refused_and_later_sent(
    way: Way,
    authority: &Authority,
    what: &str,
    manner: Manner,
    word: &str,
) {
    let mut front = None;
    let shown = matches!(manner, Manner::Tls(_));
    let (mut house, bank) = behind(way, &mut front, manner, authority.pem(), None).await;
    let front = front.expect("it is open");
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.pass(5 * SECOND).await;
    let states = house.texts("SELECT state FROM attempt").await;
    assert_eq!(states, ["not_sent"], "{what}");
    let told = house.alerts().await.into_iter().map(|alert| alert.text).collect::<Vec<_>>();
    assert!(told.iter().any(|text| text.contains(word)), "{what}: {told:?}");
    assert_eq!(front.through(), 0, "{what}");
    // Who shows a bad certificate is told so by an alert, as its own people will look there.
    assert_eq!(front.alerts().contains("received fatal alert"), shown, "{what}");
    let begun = front.begun();
    assert!(begun.len() >= 2 && begun.iter().all(|byte| *byte == 22), "{what}: {begun:?}");
    let kept = house.texts("SELECT reference FROM attempt").await;

    front.becomes(authority.signs(&server(NAME)));
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"], "{what}");
    assert_eq!(house.texts("SELECT reference FROM attempt").await, kept, "{what}");
    let book = bank.judge().expect("the book reads");
    assert_eq!((book.credited_count, book.offences), (3, vec![]), "{what}");
    assert!(house.alerts().await.is_empty(), "{what}: it is over");
    house.finished().await;
}

#[tokio::test]
async fn f24_a_bank_with_the_right_certificate_is_paid_through() {
    let authority = Authority::new(AUTHORITY);
    for way in [Way::Http, Way::Socket] {
        let mut front = None;
        let good = authority.signs(&server(NAME)).into();
        let (mut house, bank) = behind(way, &mut front, good, authority.pem(), None).await;
        house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
        house.live(30 * MINUTE, MINUTE).await;
        assert_eq!(bank.judge().expect("the book reads").credited_count, 3, "{way:?}");
        assert!(front.expect("it is open").through() >= 2, "{way:?}: sent, and asked about");
        house.finished().await;
    }
}

#[tokio::test]
async fn f24_a_bank_that_cannot_show_who_it_is_gets_nothing() {
    let authority = Authority::new(AUTHORITY);
    for way in [Way::Http, Way::Socket] {
        for (what, manner, [_, word]) in bad(&authority) {
            let what = format!("{what} ({way:?})");
            refused_and_later_sent(way, &authority, &what, manner, word).await;
        }
    }
}

#[tokio::test]
async fn f24_a_bank_that_asks_who_calls_is_shown_our_certificate() {
    let authority = Authority::new(AUTHORITY);
    let (for_clients, stranger) = (Authority::new("for clients"), Authority::new("another"));
    for way in [Way::Http, Way::Socket] {
        for (ours, known) in
            [(Some(for_clients.client()), true), (Some(stranger.client()), false), (None, false)]
        {
            let mut front = None;
            let manner = authority.signs(&server(NAME)).asking(&for_clients);
            let (mut house, bank) = behind(way, &mut front, manner, authority.pem(), ours).await;
            house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
            house.live(30 * MINUTE, MINUTE).await;
            let credited = bank.judge().expect("the book reads").credited_count;
            assert_eq!(credited, if known { 3 } else { 0 }, "{way:?}");
            if known {
                house.finished().await;
            } else {
                // Whether it was refused before or after our first byte is the bank's to know.
                assert_eq!(front.expect("it is open").through(), 0, "{way:?}");
                let state = house.texts("SELECT state FROM attempt").await;
                assert!(["unknown", "not_sent"].contains(&state[0].as_str()), "{way:?}: {state:?}");
                house.sound().await;
            }
        }
    }
}

#[tokio::test]
async fn f24_finance_that_cannot_show_who_it_is_is_asked_nothing() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let authority = Authority::new(AUTHORITY);
    let folder = tempfile::tempdir().expect("a folder");
    let key = Key::new([7; 32]);
    let options = finance::Options {
        data: folder.path().to_owned(),
        key: key.clone(),
        ..finance::Options::practice()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let behind = listener.local_addr().expect("an address");
    let key_id = options.key_id.clone();
    let practice = finance::start(options, listener, Arc::clone(&clock)).expect("starts");
    practice.finance().prepare();
    let front = Front::open(behind, authority.signs(&server(NAME))).await;
    let path =
        practice.base_url().split_once(&behind.to_string()).expect("its address").1.to_owned();
    let url = format!("https://{NAME}:{}{path}", front.port);
    let mut settings = Settings::new("county", &url, &key_id, key);
    settings.ca_pem = Some(authority.pem().as_bytes().to_vec());
    settings.connect_timeout = Duration::from_millis(300);
    let client = HttpFinance::new(settings, clock).expect("a client");
    let page = client.listed(None, 10).await.expect("finance answers through TLS");
    assert!(!page.items.is_empty());
    let through = front.through();
    for (what, manner, [word, _]) in bad(&authority) {
        front.becomes(manner);
        let error = client.listed(None, 10).await.expect_err(what);
        let words = match &error {
            FinanceError::Unreachable(words) => words.clone(),
            other => panic!("{what}: {other:?}"),
        };
        assert!(words.contains(word), "{what}: {words}");
        assert_eq!(front.through(), through, "{what}");
    }
    assert!(front.begun().iter().all(|byte| *byte == 22), "never in the clear");
    practice.stop().await.expect("stops");
}
