//! A bank that calls us: a listener of its own, apart from the status page, on which one bank leaves
//! what it has to say.
//!
//! It knows bytes, and whether whoever brings them is the bank; what they say is read by others, later.
//! The order is the whole of it: proof, then durable ([`Keeper::keep`]), then 200. A bank that gets no 200
//! pushes again, and the same bytes twice are one, so nothing is lost and nothing is taken twice wherever
//! either side dies. Each bank has a listener, a path and a secret of its own, so that one can neither
//! speak for another nor take its places; one listener for several was rejected for that.
//!
//! One connection carries one message. A second one behind it is not read: its sender gets no 200 for it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::guard::digest::sha256;
use crate::guard::mac::Mac;
use crate::model::push::PushCall;
use crate::seats::{Seat, Seats};

/// After the system refused a connection.
const BREATH: Duration = Duration::from_millis(50);
/// How long a message that is being kept may hold up the end of the process.
const GOODBYE: Duration = Duration::from_secs(3);

/// Where a bank's messages go.
#[async_trait]
pub trait Keeper: Send + Sync {
    /// Makes a message durable. Once begun it is not broken off, also where the caller is gone.
    async fn keep(&self, message: Bytes) -> Kept;

    /// Counts what became of a call.
    fn count(&self, call: PushCall);
}

/// What became of a message that came whole, from the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Durable now.
    Now,
    /// The same bytes were durable before.
    Before,
    /// It is not durable, or nobody knows: no 200.
    Not,
}

/// How a bank calls us.
pub struct PushOptions {
    /// For the log.
    pub bank: String,
    /// The one path that is answered, with its first slash.
    pub path: String,
    /// Nothing: in the clear, for a loopback address.
    pub tls: Option<Arc<ServerConfig>>,
    /// The SHA-256 of the certificates that are heard; where there is none, those of the authority.
    pub callers: Vec<[u8; 32]>,
    /// The header that has the code of the body, and how it is made.
    pub signing: Option<(HeaderName, Mac)>,
    /// What the bank wants to read beside the 200.
    pub answer: String,
    pub answer_type: HeaderValue,
    /// The most bytes of a message.
    pub bytes_max: usize,
    /// Connections at one time.
    pub at_once: usize,
    /// For one call, from its connection to its answer.
    pub total_ms: u64,
}

/// Serves until `stop`, then lets what is being kept end for a moment.
pub async fn serve(
    listener: TcpListener,
    options: Arc<PushOptions>,
    keeper: Arc<dyn Keeper>,
    stop: CancellationToken,
) {
    let mut seats = Seats::new(options.at_once);
    let mut callers = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = callers.join_next(), if !callers.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(cause) => {
                    tracing::warn!(bank = options.bank, %cause, "a call of the bank could not be taken");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        let Some(seat) = seats.take() else {
            keeper.count(PushCall::Crowded);
            tracing::warn!(
                bank = options.bank,
                "as many calls as are taken at once; one is sent away"
            );
            continue;
        };
        let caller = Caller {
            options: Arc::clone(&options),
            keeper: Arc::clone(&keeper),
            seat,
            stop: stop.clone(),
        };
        callers.spawn(caller.call(stream));
    }
    let goodbye = async { while callers.join_next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
        tracing::info!(bank = options.bank, "calls of the bank that had not ended are cut off");
    }
}

/// One connection.
struct Caller {
    options: Arc<PushOptions>,
    keeper: Arc<dyn Keeper>,
    seat: Seat,
    stop: CancellationToken,
}

impl Caller {
    /// From its first byte to its end, all of it within the time for one call.
    async fn call(self, stream: TcpStream) {
        let within = Duration::from_millis(self.options.total_ms);
        tokio::select! {
            ended = tokio::time::timeout(within, self.greet(stream)) => if ended.is_err() {
                self.gone("did not come to an end in time");
            },
            () = self.seat.must_leave() => self.gone("was silent while others wanted its place"),
        }
        self.seat.free();
    }

    fn gone(&self, how: &str) {
        self.keeper.count(PushCall::Broken);
        tracing::warn!(bank = self.options.bank, "a call of the bank {how}; it is cut off");
    }

    async fn greet(&self, stream: TcpStream) {
        let Some(tls) = &self.options.tls else { return self.talk(stream).await };
        match TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
            Ok(stream) if self.is_expected(stream.get_ref().1.peer_certificates()) => {
                self.talk(stream).await;
            }
            Ok(_) => {
                self.keeper.count(PushCall::Unproven);
                tracing::warn!(
                    bank = self.options.bank,
                    "a caller has a certificate of the authority that is not among client_fingerprints"
                );
            }
            Err(cause) => {
                self.keeper.count(PushCall::Unproven);
                tracing::warn!(bank = self.options.bank, %cause, "a caller did not come through TLS");
            }
        }
    }

    /// Is it one of the certificates that the bank calls with?
    fn is_expected(&self, shown: Option<&[CertificateDer<'_>]>) -> bool {
        let callers = &self.options.callers;
        let shown = || shown.and_then(<[_]>::first).map(|certificate| sha256(certificate));
        callers.is_empty() || shown().is_some_and(|digest| callers.contains(&digest))
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(async |request| Ok::<_, Infallible>(self.take(request).await));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).keep_alive(false);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        // Whoever speaks no HTTP is no trouble of ours, and gets no 200.
        tokio::select! {
            ended = connection.as_mut() => drop(ended),
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                drop(connection.await);
            }
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Response<String> {
        let (call, status) = match self.hear(request).await {
            Ok(message) => match self.keep(message).await {
                Kept::Now => (PushCall::Kept, StatusCode::OK),
                Kept::Before => (PushCall::Repeated, StatusCode::OK),
                Kept::Not => (PushCall::Unkept, StatusCode::SERVICE_UNAVAILABLE),
            },
            Err(refused) => refused,
        };
        self.keeper.count(call);
        let taken = status == StatusCode::OK;
        if !taken {
            tracing::warn!(bank = self.options.bank, %call, status = status.as_u16(), "a call of the bank is not taken");
        }
        let mut response =
            Response::new(if taken { self.options.answer.clone() } else { String::new() });
        *response.status_mut() = status;
        if taken && !self.options.answer.is_empty() {
            response.headers_mut().insert(CONTENT_TYPE, self.options.answer_type.clone());
        }
        response
    }

    /// Makes it durable. What has begun goes on when the caller hangs up or his time is over: half of a
    /// commit is nothing that anybody should be left with.
    async fn keep(&self, message: Bytes) -> Kept {
        self.seat.serve(true);
        let keeper = Arc::clone(&self.keeper);
        let kept = tokio::spawn(async move { keeper.keep(message).await }).await;
        self.seat.serve(false);
        kept.unwrap_or(Kept::Not)
    }

    /// The message, whole and from the bank; or what is wrong, and its answer.
    async fn hear(&self, request: Request<Incoming>) -> Result<Bytes, (PushCall, StatusCode)> {
        let options = &self.options;
        let (head, body) = request.into_parts();
        if head.uri.path() != options.path {
            return Err((PushCall::Unfit, StatusCode::NOT_FOUND));
        }
        if head.method != Method::POST {
            return Err((PushCall::Unfit, StatusCode::METHOD_NOT_ALLOWED));
        }
        if head.headers.contains_key(CONTENT_ENCODING) {
            return Err((PushCall::Unfit, StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let unproven = (PushCall::Unproven, StatusCode::UNAUTHORIZED);
        // Who cannot be the bank is not listened to.
        let proof = match &options.signing {
            Some((name, mac)) => Some((code(&head.headers, name).ok_or(unproven)?, mac)),
            None => None,
        };
        let message = whole(body, options.bytes_max).await?;
        if message.is_empty() {
            return Err((PushCall::Unfit, StatusCode::BAD_REQUEST));
        }
        match proof {
            Some((code, mac)) if !mac.fits(&message, code) => Err(unproven),
            _ => Ok(message),
        }
    }
}

/// The one code in a header; two of them prove nothing.
fn code<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let (Some(code), None) = (all.next(), all.next()) else { return None };
    code.to_str().ok()
}

/// All of a body, or why not. What it declares is looked at before any of it is read, and nothing is
/// set aside for what is only declared.
async fn whole(mut body: Incoming, bytes_max: usize) -> Result<Bytes, (PushCall, StatusCode)> {
    let too_large = (PushCall::TooLarge, StatusCode::PAYLOAD_TOO_LARGE);
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large);
    }
    let mut message = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| (PushCall::Broken, StatusCode::BAD_REQUEST))?;
        let Ok(piece) = frame.into_data() else { continue };
        if piece.len() > bytes_max.saturating_sub(message.len()) {
            return Err(too_large);
        }
        message.extend_from_slice(&piece);
    }
    Ok(message.freeze())
}
