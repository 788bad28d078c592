//! The client against a raw peer that counts what arrives.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::ManualClock;
use crate::model::money::Fen;

const NOW: i64 = 1_795_420_144_000;

fn key() -> Key {
    Key::new([7; 32])
}

fn signer() -> Signer {
    Signer::new(Algorithm::HmacSha256, "k1", &key()).expect("id")
}

/// A peer that answers every connection with what `reply` makes of the request, and closes it.
async fn peer(reply: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (HttpFinance, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("address");
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                match socket.read(&mut buffer).await {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = reply(&String::from_utf8_lossy(&request));
            socket.write_all(&answer).await.ok();
            socket.shutdown().await.ok();
        }
    });
    let mut settings = Settings::new("county", &format!("http://{address}/f"), "k1", key());
    settings.total_timeout = Duration::from_secs(2);
    settings.read_timeout = Duration::from_millis(500);
    let finance = HttpFinance::new(settings, Arc::new(ManualClock::at(NOW))).expect("client");
    (finance, seen)
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.expect("the request has the header")
}

/// An answer as finance would sign it.
fn answer(request: &str, status: u16, kind: &str, signed: Body<'_>, framing: &str) -> String {
    let signed = signer().response(header(request, "daifa-signature"), status, NOW, signed);
    let headers = signed.headers().map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{headers}{framing}\r\n\r\n")
}

fn document(request: &str, status: u16, body: &str) -> Vec<u8> {
    let framing = format!("content-length: {}", body.len());
    let head = answer(request, status, JSON, Body::Whole(body.as_bytes()), &framing);
    format!("{head}{body}").into_bytes()
}

const EMPTY: &str = r#"{"items":[],"next":null}"#;

#[tokio::test]
async fn a_signed_answer_is_taken_and_the_request_is_signed() {
    let (finance, seen) = peer(|request| {
        let signed = Signed::read(|name| Some(header(request, name))).expect("headers");
        let verifier = Verifier::new(Algorithm::HmacSha256, 0).with_key("k1", &key()).expect("id");
        let target = "/f/v1/registers?after=a%26b&limit=10";
        assert!(request.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{request}");
        assert_eq!(verifier.request("GET", target, &signed, NOW, b""), Ok(()));
        document(request, 200, EMPTY)
    })
    .await;
    let page = finance.listed(Some("a&b"), 10).await.expect("page");
    assert_eq!(page, Page { items: vec![], next: None });
    assert_eq!((finance.source(), seen.load(Ordering::SeqCst)), ("county", 1));
}

#[tokio::test]
async fn f27_a_login_page_an_empty_and_an_unsigned_answer_are_no_answers() {
    let page = "<html>login</html>";
    let (finance, _) = peer(move |request| {
        let framing = format!("content-length: {}", page.len());
        let head = answer(request, 200, "text/html", Body::Whole(page.as_bytes()), &framing);
        format!("{head}{page}").into_bytes()
    })
    .await;
    let error = finance.listed(None, 1).await.expect_err("html").to_string();
    assert!(error.contains("the answer is text/html, not application/json"), "{error}");

    let (finance, _) = peer(|request| document(request, 200, "")).await;
    let error = finance.listed(None, 1).await.expect_err("empty");
    assert!(matches!(&error, FinanceError::Protocol(words) if words.contains("ends too early")));

    let (finance, _) = peer(|_| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n{EMPTY}",
            EMPTY.len()
        )
        .into_bytes()
    })
    .await;
    let error = finance.listed(None, 1).await.expect_err("unsigned");
    assert!(matches!(error, FinanceError::Signature(SignError::Missing(_))), "{error}");
    assert!(!error.passes_by_itself());
}

#[tokio::test]
async fn f28_a_redirect_is_not_followed_and_nothing_is_sent_twice() {
    let (finance, seen) = peer(|request| {
        let framing = "location: /elsewhere\r\ncontent-length: 0";
        answer(request, 307, JSON, Body::Whole(b""), framing).into_bytes()
    })
    .await;
    let error = finance.deliver("r-1", Bytes::from_static(b"{}\n")).await.expect_err("307");
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn refusals_carry_finances_words_only_when_finance_signed_them() {
    let problem = r#"{"error":"report_differs","what":"another\nbody"}"#;
    let (finance, _) = peer(move |request| document(request, 409, problem)).await;
    let error = finance.deliver("r-1", Bytes::new()).await.expect_err("409");
    assert!(
        matches!(&error, FinanceError::Rejected { status: 409, words }
            if words == "report_differs: another body"),
        "{error}"
    );
    let (finance, _) = peer(|_| b"HTTP/1.1 403 X\r\ncontent-length: 3\r\n\r\nno!".to_vec()).await;
    let error = finance.listed(None, 1).await.expect_err("403");
    assert!(error.to_string().contains("not signed by finance"), "{error}");
    assert!(!error.to_string().contains("no!"));
    let (finance, _) = peer(|_| b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    assert!(finance.listed(None, 1).await.expect_err("503").passes_by_itself());
}

#[tokio::test]
async fn an_answer_to_another_request_or_of_another_time_is_refused() {
    let (finance, _) = peer(|_| {
        let other = "GET / HTTP/1.1\r\ndaifa-signature: hmac-sha256=00\r\n\r\n";
        document(other, 200, EMPTY)
    })
    .await;
    let error = finance.listed(None, 1).await.expect_err("bound to its request");
    assert!(matches!(error, FinanceError::Signature(SignError::Signature)));

    let (mut finance, _) = peer(|request| document(request, 200, EMPTY)).await;
    finance.clock = Arc::new(ManualClock::at(NOW + 300_001));
    let error = finance.listed(None, 1).await.expect_err("too old");
    assert!(matches!(error, FinanceError::Signature(SignError::Time { .. })));
}

#[tokio::test]
async fn f24_f25_what_is_not_reached_says_why() {
    let settings = Settings::new("county", "http://127.0.0.1:1/", "k1", key());
    let finance = HttpFinance::new(settings, Arc::new(ManualClock::at(NOW))).expect("client");
    let error = finance.listed(None, 1).await.expect_err("refused");
    assert!(error.passes_by_itself() && error.to_string().contains("refused"), "{error}");
    let (finance, _) = peer(|_| Vec::new()).await;
    assert!(finance.listed(None, 1).await.expect_err("closed").passes_by_itself());
    // Half a body: its length says that more must come.
    let (finance, _) = peer(|request| {
        let mut bytes = document(request, 200, EMPTY);
        bytes.truncate(bytes.len() - 3);
        bytes
    })
    .await;
    assert!(finance.listed(None, 1).await.expect_err("half").passes_by_itself());
}

#[tokio::test]
async fn f43_an_endless_answer_is_cut_off() {
    let (finance, _) = peer(|request| {
        let framing = "transfer-encoding: chunked";
        let mut bytes = answer(request, 200, JSON, Body::Whole(b""), framing).into_bytes();
        for _ in 0..9 {
            bytes.extend_from_slice(b"100000\r\n");
            bytes.resize(bytes.len() + 0x10_0000, b' ');
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    })
    .await;
    let error = finance.listed(None, 1).await.expect_err("too long").to_string();
    assert!(error.contains("more than 8388608 bytes"), "{error}");
}

fn head() -> RegisterHead {
    RegisterHead {
        id: "2026-001".into(),
        revision: 1,
        programme_code: String::new(),
        programme_name: String::new(),
        summary: String::new(),
        department: String::new(),
        town: String::new(),
        document_no: String::new(),
        period: String::new(),
        entered_by: String::new(),
        reviewed_by: String::new(),
        approved_at_ms: 0,
        funded_at_ms: None,
        pool_account: String::new(),
        voucher_no: String::new(),
        declared_count: 2,
        declared_sum: Fen::ZERO,
        digest: [0; 32],
    }
}

fn row(line: i64) -> String {
    format!(
        concat!(
            r#"{{"line":{},"name":"甲","document_kind":"id","document_number":"1","bank":"a","#,
            r#""account":"2","phone":"","village":"3","amount":"1.00"}}"#
        ),
        line
    )
}

/// A chunked stream of payments: all of `chunks`, and the end where `whole`.
fn stream(request: &str, chunks: &[&[u8]], whole: bool) -> Vec<u8> {
    let framing = "transfer-encoding: chunked";
    let mut bytes = answer(request, 200, NDJSON, Body::Streamed, framing).into_bytes();
    for chunk in chunks {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    if whole {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    bytes
}

async fn read_all(
    finance: &HttpFinance,
) -> Result<(Vec<Result<i64, i64>>, [u8; 32]), FinanceError> {
    let mut lines = finance.lines(&head()).await?;
    let mut all = Vec::new();
    loop {
        let some = lines.next(2).await?;
        assert!(some.len() <= 2);
        if some.is_empty() {
            return Ok((all, lines.digest()));
        }
        let number = |fault: crate::model::register::Fault| fault.line.unwrap_or(0);
        all.extend(some.into_iter().map(|line| line.map(|line| line.line).map_err(number)));
    }
}

#[tokio::test]
async fn lines_stream_in_whatever_the_chunks() {
    let rows = [row(1), row(2), "{broken".to_owned(), row(4)];
    let text = rows.each_ref().map(|row| format!("{row}\n")).concat();
    let mut digest = crate::guard::digest::ContentDigest::of_head(&head());
    for row in &rows {
        digest.line(row.as_bytes());
    }
    let expected = digest.finish();
    for size in [1, 7, 100, text.len()] {
        let text = text.clone();
        let (finance, _) = peer(move |request| {
            stream(request, &text.as_bytes().chunks(size).collect::<Vec<_>>(), true)
        })
        .await;
        let (lines, digest) = read_all(&finance).await.expect("reads");
        assert_eq!(lines, [Ok(1), Ok(2), Err(3), Ok(4)]);
        assert_eq!(digest, expected);
    }
}

#[tokio::test]
async fn f38_a_cut_stream_is_an_error_and_never_a_short_register() {
    let text = format!("{}\n{}\n", row(1), row(2));
    let first = row(1).len() + 1;
    // Cut at a line's end, inside a line and at the very end, without the closing chunk.
    for cut in [0, first, first + 5, text.len()] {
        let text = text.clone();
        let (finance, _) = peer(move |request| {
            let chunks: &[&[u8]] = if cut == 0 { &[] } else { &[&text.as_bytes()[..cut]] };
            stream(request, chunks, false)
        })
        .await;
        let error = read_all(&finance).await.expect_err("cut");
        assert!(error.passes_by_itself(), "{cut}: {error}");
    }
    // Ended properly, but inside a line.
    let cut = text.clone();
    let (finance, _) =
        peer(move |request| stream(request, &[&cut.as_bytes()[..first + 5]], true)).await;
    // That is finance's own fault and no broken line: told with its place.
    assert_eq!(read_all(&finance).await.expect("reads").0, [Ok(1), Err(2)]);
    // A body that ends with its connection.
    let (finance, _) = peer(move |request| {
        let head = answer(request, 200, NDJSON, Body::Streamed, "connection: close");
        format!("{head}{text}").into_bytes()
    })
    .await;
    let error = read_all(&finance).await.expect_err("no certain end").to_string();
    assert!(error.contains("chunked or with a length"), "{error}");
}

#[tokio::test]
async fn f43_an_endless_line_is_a_fault_with_its_place_and_passed_over() {
    let long = "x".repeat(20_000);
    for (text, expected) in [
        (format!("{}\n{long}", row(1)), vec![Ok(1), Err(2)]),
        (format!("{}\n{long}\n{}\n", row(1), row(3)), vec![Ok(1), Err(2), Ok(3)]),
    ] {
        for size in [1_000, text.len()] {
            let text = text.clone();
            let (finance, _) = peer(move |request| {
                stream(request, &text.as_bytes().chunks(size).collect::<Vec<_>>(), true)
            })
            .await;
            assert_eq!(read_all(&finance).await.expect("reads").0, expected);
        }
    }
}

#[tokio::test]
async fn payments_are_not_read_from_a_stream_that_is_not_signed_as_one() {
    let (finance, _) = peer(|request| {
        let framing = "content-length: 0";
        answer(request, 200, NDJSON, Body::Whole(b""), framing).into_bytes()
    })
    .await;
    let error = read_all(&finance).await.expect_err("not streamed");
    assert!(matches!(error, FinanceError::Signature(SignError::Digest)), "{error}");
}

#[test]
fn addresses_that_would_send_in_the_clear_are_refused() {
    for good in ["https://f.example", "http://127.0.0.1:1/x/", "http://[::1]:1", "http://localhost"]
    {
        assert!(base_url(good).is_ok(), "{good}");
    }
    for bad in ["http://f.example", "ftp://127.0.0.1", "x", "https://u:p@h", "https://h/?a=1"] {
        assert!(matches!(base_url(bad), Err(FinanceError::Config(_))), "{bad}");
    }
}
