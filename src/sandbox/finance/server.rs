//! Serving the contract: routes, signatures, and the stream of payments.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body as HttpBody, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::finance::RegisterEvent;
use crate::finance::wire::{DecisionWire, HeadWire, ListedWire, PageWire, Problem};
use crate::guard::sign::{Body, SIGNATURE_HEADER, Signed};
use crate::sandbox::finance::PracticeFinance;
use crate::sandbox::finance::book::{Decided, Entry};
use crate::sandbox::finance::reports::Refusal;

/// The largest report that is taken.
const REPORT_BYTES_MAX: usize = 512 << 20;
/// The largest page.
const PAGE_ITEMS_MAX: usize = 1000;
/// How many bytes of payments go out at a time.
const CHUNK_BYTES: usize = 48 << 10;

pub(super) async fn serve(
    finance: Arc<PracticeFinance>,
    listener: TcpListener,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().fallback(answer).with_state(finance);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// An answer before it is signed.
struct Reply {
    status: StatusCode,
    content: Content,
}

enum Content {
    Json(Vec<u8>),
    /// The payments of the register at this place.
    Payments(usize),
}

impl Reply {
    fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("an answer writes into memory");
        Self { status: StatusCode::OK, content: Content::Json(body) }
    }

    fn problem(status: StatusCode, error: &str, what: &str) -> Self {
        let problem = Problem { error: error.to_owned(), what: what.to_owned() };
        Self { status, ..Self::json(&problem) }
    }
}

async fn answer(State(finance): State<Arc<PracticeFinance>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = header(SIGNATURE_HEADER).unwrap_or_default().to_owned();
    let Ok(body) = to_bytes(body, REPORT_BYTES_MAX).await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return sign(
            &finance,
            &asked,
            Reply::problem(status, "too_large", "the body is too large"),
        );
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let verified = Signed::read(header).and_then(|signed| {
        let now_ms = finance.clock.now_ms();
        finance.verifier.request(parts.method.as_str(), target, &signed, now_ms, &body)
    });
    if let Err(error) = verified {
        let status = StatusCode::UNAUTHORIZED;
        return sign(&finance, &asked, Reply::problem(status, "bad_signature", &error.to_string()));
    }
    let query = parts.uri.query().unwrap_or_default();
    let reply = route(&finance, &parts.method, parts.uri.path(), query, body).await;
    sign(&finance, &asked, reply)
}

async fn route(
    finance: &Arc<PracticeFinance>,
    method: &Method,
    path: &str,
    query: &str,
    body: Bytes,
) -> Reply {
    let not_found = || Reply::problem(StatusCode::NOT_FOUND, "not_found", "there is no such thing");
    let Some(path) = path.strip_prefix("/v1/") else { return not_found() };
    let segments: Vec<&str> = path.split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::GET, ["registers"]) => page(query, finance.listed()),
        (&Method::GET, ["decisions"]) => page(query, finance.decided()),
        (&Method::GET, ["registers", id, "1"]) => match finance.registers.find(id) {
            Some(at) => blocking(finance, move |finance| finance.head_reply(at)).await,
            None => not_found(),
        },
        (&Method::GET, ["registers", id, "1", "payments"]) => match finance.registers.find(id) {
            Some(at) => Reply { status: StatusCode::OK, content: Content::Payments(at) },
            None => not_found(),
        },
        (&Method::PUT, ["reports", id]) => {
            let id = (*id).to_owned();
            blocking(finance, move |finance| finance.report_reply(&id, &body)).await
        }
        _ => not_found(),
    }
}

/// Making up a register and syncing the book take their time: not on a thread that serves others.
async fn blocking(
    finance: &Arc<PracticeFinance>,
    work: impl FnOnce(&PracticeFinance) -> Reply + Send + 'static,
) -> Reply {
    let finance = Arc::clone(finance);
    tokio::task::spawn_blocking(move || work(&finance)).await.unwrap_or_else(|_| {
        Reply::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "broken",
            "the practice finance is broken",
        )
    })
}

impl PracticeFinance {
    fn listed(&self) -> Vec<(u64, ListedWire)> {
        let wire = |at: usize| ListedWire {
            cursor: (at + 1).to_string(),
            id: self.registers.id(at),
            revision: 1,
            event: RegisterEvent::Approved,
        };
        (0..self.registers.count()).map(|at| (at as u64 + 1, wire(at))).collect()
    }

    fn decided(&self) -> Vec<(u64, DecisionWire)> {
        let decisions = self.book().decisions.clone();
        let wire = |(at, decided): (usize, Decided)| {
            let words = DecisionWire {
                cursor: (at + 1).to_string(),
                register: self.registers.id(decided.register),
                revision: 1,
                line: decided.line,
                action: decided.action,
                by: "practice-review".to_owned(),
                reason: format!("演练决定：{}", decided.reason.chinese()),
            };
            (at as u64 + 1, words)
        };
        decisions.into_iter().enumerate().map(wire).collect()
    }

    fn head_reply(&self, at: usize) -> Reply {
        let mut head = self.registers.head(at);
        let wait_ms = self.registers.options().funded_after_ms;
        if wait_ms <= 0 {
            head.funded_at_ms = Some(head.approved_at_ms + 500);
        } else {
            let Some(first) = self.first_read(at) else {
                return Reply::problem(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "book",
                    "the book cannot be written",
                );
            };
            let funded = first.saturating_add(wait_ms);
            head.funded_at_ms = (self.clock.now_ms() >= funded).then_some(funded);
        }
        Reply::json(&HeadWire::from(&head))
    }

    /// When the head was first read; now, if it never was. Durable, so that a funded time that was
    /// said once stays.
    fn first_read(&self, at: usize) -> Option<i64> {
        let mut book = self.book();
        if let Some(first) = book.first_reads.get(&at) {
            return Some(*first);
        }
        let entry = Entry::FirstRead { register: at, at_ms: self.clock.now_ms() };
        book.append(&entry).ok()?;
        book.apply(&self.registers, entry);
        book.first_reads.get(&at).copied()
    }

    fn report_reply(&self, id: &str, body: &[u8]) -> Reply {
        let (status, error, what) = match self.take(id, body) {
            Ok(answer) => return Reply::json(&answer),
            Err(Refusal::Report(what)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "report_refused", what)
            }
            Err(Refusal::Differs) => {
                let what = "the report id was used for another body".to_owned();
                (StatusCode::CONFLICT, "report_differs", what)
            }
            Err(Refusal::NoRegister) => {
                (StatusCode::NOT_FOUND, "not_found", "there is no such register".to_owned())
            }
            Err(Refusal::Book) => {
                let what = "the book cannot be written".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, "book", what)
            }
        };
        Reply::problem(status, error, &what)
    }
}

/// The part of a list that the query asks for.
fn page<T: Serialize>(query: &str, all: Vec<(u64, T)>) -> Reply {
    let mut after = 0_u64;
    let mut limit = 100_usize;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let read = match name {
            "after" => value.parse().map(|value| after = value).is_ok(),
            "limit" => value.parse().map(|value| limit = value).is_ok(),
            _ => false,
        };
        if !read || !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            let words = "after is a cursor of this list, limit is 1 to 1000";
            return Reply::problem(StatusCode::BAD_REQUEST, "bad_query", words);
        }
    }
    let mut rest = all.into_iter().filter(|(cursor, _)| *cursor > after);
    let mut last = None;
    let items = rest.by_ref().take(limit).map(|(cursor, item)| {
        last = Some(cursor);
        item
    });
    let items: Vec<T> = items.collect();
    let next = rest.next().and(last).map(|cursor| cursor.to_string());
    Reply::json(&PageWire { items, next })
}

/// Signs an answer and makes it HTTP.
fn sign(finance: &Arc<PracticeFinance>, asked: &str, reply: Reply) -> Response {
    let (kind, signing) = match &reply.content {
        Content::Json(body) => ("application/json", Body::Whole(body)),
        Content::Payments(_) => ("application/x-ndjson", Body::Streamed),
    };
    let now_ms = finance.clock.now_ms();
    let signed = finance.signer.response(asked, reply.status.as_u16(), now_ms, signing);
    let mut response = Response::builder().status(reply.status).header("content-type", kind);
    for (name, value) in signed.headers() {
        response = response.header(name, value);
    }
    let body = match reply.content {
        Content::Json(body) => HttpBody::from(body),
        Content::Payments(at) => payments(Arc::clone(finance), at),
    };
    response.body(body).expect("the headers of an answer are plain text")
}

/// The payments of a register as a chunked body, made up as they go.
fn payments(finance: Arc<PracticeFinance>, at: usize) -> HttpBody {
    let chunks = stream::unfold((finance, 1_i64), move |(finance, mut line)| async move {
        let registers = &finance.registers;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1024);
        while line <= registers.payments() && chunk.len() < CHUNK_BYTES {
            registers.write_line(at, line, &mut chunk);
            chunk.push(b'\n');
            line += 1;
        }
        (!chunk.is_empty()).then(|| (Ok::<_, Infallible>(Bytes::from(chunk)), (finance, line)))
    });
    HttpBody::from_stream(chunks)
}
