//! Serves the pages to so many callers and no more, each of whom has to say what he wants.
//!
//! Whoever opens a connection and says nothing, or a letter a second, costs a place. Places are bounded,
//! and where all are taken the one goes first that has waited longest without being served: a hundred
//! silent callers do not keep the health check from being answered. `axum::serve` was rejected here: it
//! has neither a time for the request's head nor a bound.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at one time.
const SEATS: usize = 64;
/// How long a request's head may take, and how long a connection may wait for its next request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// After the system refused a connection.
const BREATH: Duration = Duration::from_millis(50);
/// How long a page that is being written may hold up the end of the process.
const GOODBYE: Duration = Duration::from_secs(3);

/// One connection.
struct Seat {
    /// A page is being made for it.
    served: Arc<AtomicBool>,
    /// Cancelled to end it, and when it has ended.
    leave: CancellationToken,
}

/// Serves until `cancel`, then lets answers that are under way end for a moment.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) {
    let mut seats: Vec<Seat> = Vec::new();
    let mut callers = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = callers.join_next(), if !callers.is_empty() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(cause) => {
                    tracing::warn!(%cause, "a connection to the status page could not be taken");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        let Some(seat) = take_seat(&mut seats) else {
            tracing::warn!(
                "the status page is busy with as many callers as it serves; one is sent away"
            );
            continue;
        };
        callers.spawn(call(stream, router.clone(), seat, cancel.clone()));
    }
    let goodbye = async { while callers.join_next().await.is_some() {} };
    if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
        tracing::info!("pages that were still being read are cut off");
    }
}

/// A free seat, or that of the caller who has been waited for the longest; none where all are served.
fn take_seat(seats: &mut Vec<Seat>) -> Option<Seat> {
    seats.retain(|seat| !seat.leave.is_cancelled());
    if seats.len() >= SEATS {
        let waiting = seats.iter().position(|seat| !seat.served.load(Ordering::Relaxed))?;
        seats.remove(waiting).leave.cancel();
    }
    let seat = Seat { served: Arc::default(), leave: CancellationToken::new() };
    seats.push(Seat { served: Arc::clone(&seat.served), leave: seat.leave.clone() });
    Some(seat)
}

/// One connection from its first byte to its end.
async fn call(stream: TcpStream, router: Router, seat: Seat, stop: CancellationToken) {
    let Seat { served, leave } = seat;
    let pages = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (answer, served) = (pages.call(request), Arc::clone(&served));
        async move {
            served.store(true, Ordering::Relaxed);
            let answer = answer.await;
            served.store(false, Ordering::Relaxed);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // A caller who breaks off or says nonsense is no trouble of ours.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        () = leave.cancelled() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    leave.cancel();
}
