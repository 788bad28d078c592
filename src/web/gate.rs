//! What stands before every page: who may ask, how, and what a browser may do with the answer.
//!
//! There is no sign-in yet, so the page is for this machine alone. A listener on loopback is not
//! enough: a page from elsewhere, open in a browser on this machine, can be made to point its own
//! name at 127.0.0.1 and read us (DNS rebinding); it cannot forge the `Host` header.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::web::trouble::Trouble;

/// Why an address is not listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the status page has no sign-in yet and therefore listens on loopback only; {0} can be reached \
     from other machines: use 127.0.0.1:PORT or [::1]:PORT, and an SSH tunnel to read it elsewhere"
)]
pub struct NotLoopback(pub SocketAddr);

/// May the status page listen here? Only on loopback, until it has sign-in.
///
/// # Errors
/// [`NotLoopback`], which says what to write instead.
pub fn check_listen(addr: SocketAddr) -> Result<(), NotLoopback> {
    if addr.ip().to_canonical().is_loopback() { Ok(()) } else { Err(NotLoopback(addr)) }
}

/// Is this the `Host` of somebody who asked for this machine by a name of its own?
fn is_own_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn asks_for_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let named = first.and_then(|host| host.to_str().ok()).is_some_and(is_own_host);
    let target = request.uri().host().is_none_or(|host| is_own_host(host.trim_matches(['[', ']'])));
    named && second.is_none() && target
}

/// Lets through what may be asked, and adds what every answer carries.
pub async fn gate(request: Request, next: Next) -> Response {
    let mut response = if !asks_for_this_machine(&request) {
        Trouble::OtherHost.into_response()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        Trouble::Method.into_response()
    } else {
        next.run(request).await
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

const ALWAYS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for good in ["127.0.0.1:80", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_listen(good.parse().expect("address")), Ok(()), "{good}");
        }
        for bad in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "192.168.1.2:80", "[fe80::1]:80"] {
            let addr = bad.parse().expect("address");
            let text = check_listen(addr).expect_err(bad).to_string();
            assert!(text.contains(bad) && text.contains("127.0.0.1:PORT"), "{text}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for good in
            ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]:80", "[::1]"]
        {
            assert!(is_own_host(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "evil.example",
            "evil.example:80",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:80",
            "0.0.0.0",
            "[::]",
            "[",
            "[::1",
            "localhost@evil.example",
        ] {
            // An unclosed bracket names nothing.
            assert!(!is_own_host(bad), "{bad}");
        }
    }
}
