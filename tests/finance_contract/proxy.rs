//! Stands between the client and finance: keeps what passes, and can put another body into an
//! answer under a right signature.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use daifa::guard::key::Key;
use daifa::guard::sign::{self, Algorithm, Signer};
use tokio::net::TcpListener;

/// One request and its answer.
pub struct Exchange {
    pub method: String,
    pub path: String,
    pub query: String,
    pub request: Vec<u8>,
    pub status: u16,
    pub response: Vec<u8>,
    request_headers: HeaderMap,
    response_headers: HeaderMap,
}

impl Exchange {
    pub fn request_header(&self, name: &str) -> Option<&str> {
        self.request_headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn response_header(&self, name: &str) -> Option<&str> {
        self.response_headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub struct Proxy {
    address: SocketAddr,
    behind: String,
    client: reqwest::Client,
    signer: Signer,
    kept: Mutex<Vec<Exchange>>,
    other: Mutex<Option<Vec<u8>>>,
}

impl Proxy {
    pub async fn start(behind: String, key: Key) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let proxy = Arc::new(Self {
            address: listener.local_addr().expect("address"),
            behind,
            client: reqwest::Client::builder().no_proxy().build().expect("client"),
            signer: Signer::new(Algorithm::HmacSha256, "k1", &key).expect("id"),
            kept: Mutex::new(Vec::new()),
            other: Mutex::new(None),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&proxy));
        tokio::spawn(async move { axum::serve(listener, router).await });
        proxy
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that passed since this was last asked.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.kept.lock().expect("kept"))
    }

    /// From now on, answers have this body, rightly signed.
    pub fn replace(&self, body: Option<Vec<u8>>) {
        *self.other.lock().expect("other") = body;
    }
}

async fn pass(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 24).await.expect("a body").to_vec();
    let url = format!("{}{}", proxy.behind, parts.uri);
    let mut forward = proxy.client.request(parts.method.clone(), url).body(body.clone());
    for (name, value) in parts.headers.iter().filter(|(name, _)| name.as_str() != "host") {
        forward = forward.header(name, value);
    }
    let answer = forward.send().await.expect("finance answers");
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let mut response = answer.bytes().await.expect("a whole answer").to_vec();
    headers.remove("transfer-encoding");
    if let Some(other) = proxy.other.lock().expect("other").clone() {
        let asked = parts.headers[sign::SIGNATURE_HEADER].to_str().expect("text");
        let at_ms = headers[sign::TIME_HEADER].to_str().expect("text").parse().expect("a number");
        let streamed = headers[sign::DIGEST_HEADER] == "streamed";
        let body = if streamed { sign::Body::Streamed } else { sign::Body::Whole(&other) };
        let signed = proxy.signer.response(asked, status.as_u16(), at_ms, body);
        for (name, value) in signed.headers() {
            headers.insert(name, value.parse().expect("a header"));
        }
        headers.remove("content-length");
        response = other;
    }
    proxy.kept.lock().expect("kept").push(Exchange {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        request: body,
        status: status.as_u16(),
        response: response.clone(),
        request_headers: parts.headers,
        response_headers: headers.clone(),
    });
    let mut out = Response::new(Body::from(response));
    *out.status_mut() = status;
    *out.headers_mut() = headers;
    out
}
