//! Serves the pages to so many callers and no more, each of whom has to say what he wants.
//!
//! Places are bounded ([`Seats`]): a hundred silent callers do not keep the health check from being
//! answered. `axum::serve` was rejected here: it has neither a time for the request's head nor a bound.

use std::pin::pin;
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

use crate::seats::{Seat, Seats};

/// Connections at one time.
const SEATS: usize = 64;
/// How long a request's head may take, and how long a connection may wait for its next request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// After the system refused a connection.
const BREATH: Duration = Duration::from_millis(50);
/// How long a page that is being written may hold up the end of the process.
const GOODBYE: Duration = Duration::from_secs(3);

/// Serves until `cancel`, then lets answers that are under way end for a moment.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) {
    let mut seats = Seats::new(SEATS);
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
        let Some(seat) = seats.take() else {
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

/// One connection from its first byte to its end.
async fn call(stream: TcpStream, router: Router, seat: Seat, stop: CancellationToken) {
    let pages = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (answer, seat) = (pages.call(request), seat.clone());
        async move {
            seat.serve(true);
            let answer = answer.await;
            seat.serve(false);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // A caller who breaks off or says nonsense is no trouble of ours.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        () = seat.must_leave() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    seat.free();
}
