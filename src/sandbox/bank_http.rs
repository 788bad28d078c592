//! A practice bank that is met by HTTP on a loopback address: every message is posted to `/`, and
//! its answer comes back on the same connection, or the connection is cut.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::sandbox::bank::BankError;
use crate::sandbox::bank_desk::{Desk, Reply};
use crate::sandbox::bank_line::{Caller, Listening};

/// The most bytes of a message to this bank.
const BYTES_MAX: usize = 1 << 26;

/// Begins to listen.
pub async fn start(
    desk: &Arc<Desk>,
    listen: SocketAddr,
) -> Result<(SocketAddr, JoinHandle<()>), BankError> {
    let listening = Listening::open(desk, listen).await?;
    let address = listening.address();
    let routes = Router::new()
        .route("/", post(take))
        .layer(DefaultBodyLimit::max(BYTES_MAX))
        .with_state(Arc::clone(desk))
        .into_make_service_with_connect_info::<Line>();
    let serve = tokio::spawn(async move {
        if let Err(e) = axum::serve(Exchange(listening), routes).await {
            tracing::error!(cause = e.to_string(), "a practice bank stopped listening");
        }
    });
    Ok((address, serve))
}

async fn take(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    body: Bytes,
) -> Response {
    let at_work = Arc::clone(&desk);
    let reply = spawn_blocking(move || at_work.answer_said(&body)).await;
    tokio::time::sleep(desk.pause()).await;
    match reply {
        Ok(Ok(Reply::Say(parts))) => match desk.on_line(parts) {
            Some(body) => {
                ([(header::CONTENT_TYPE, "application/xml; charset=GBK")], body).into_response()
            }
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
        Ok(Ok(Reply::Silence)) => {
            line.cut();
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(Ok(Reply::Busy)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Ok(Ok(Reply::NotUnderstood)) => StatusCode::BAD_REQUEST.into_response(),
        Ok(Err(_)) | Err(_) => {
            tracing::error!("a practice bank has no answer");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Returns are booked when they are due, whether anybody asks or not.
pub async fn let_money_come_back(desk: Arc<Desk>) {
    let pause = Duration::from_millis(desk.options.poll_ms);
    loop {
        let at_work = Arc::clone(&desk);
        let done = spawn_blocking(move || {
            at_work.leave_late();
            book_due(&at_work)
        })
        .await;
        if !matches!(done, Ok(Ok(()))) {
            tracing::error!("a practice bank could not book what came back");
        }
        tokio::time::sleep(pause).await;
    }
}

fn book_due(desk: &Desk) -> Result<(), BankError> {
    for reference in desk.open_batches() {
        desk.book_returns(&reference)?;
        let Some(known) = desk.book().request(&reference).cloned() else { continue };
        if known.refused.is_some() || !known.to_return && desk.now() >= desk.notice_due(&known) {
            desk.close(&reference);
        }
    }
    Ok(())
}

/// A listener whose connections can be cut from inside, without an answer.
struct Exchange(Listening);

impl Listener for Exchange {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cuttable, SocketAddr) {
        let (stream, address) = self.0.accept().await;
        (Cuttable { stream, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.address())
    }
}

/// The switch of one connection.
#[derive(Debug, Clone, Default)]
struct Line(Arc<AtomicBool>);

impl Line {
    fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn whole(&self) -> io::Result<()> {
        let cut = self.0.load(Ordering::SeqCst);
        if cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Exchange>> for Line {
    fn connect_info(stream: IncomingStream<'_, Exchange>) -> Self {
        stream.io().line.clone()
    }
}

/// A connection on which nothing can be written once its line is cut.
struct Cuttable {
    stream: Box<dyn Caller>,
    line: Line,
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.whole()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
