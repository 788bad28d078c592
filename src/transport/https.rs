//! A message to the bank over HTTPS, and its answer on the same connection.
//!
//! An HTTP client's good manners are a bank client's double payment: by default a POST is sent a
//! second time on a 307, requests are retried on reused connections, and "never sent" and "sent,
//! then lost" come back as one error. So every message gets a connection of its own, nothing is
//! followed, nothing is retried, one deadline covers everything from the first packet to the last
//! byte of the answer, and only a failure to connect counts as not sent (faults 2.1).

use std::error::Error as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Client, Response, StatusCode, Url};

use crate::guard::mac::Mac;
use crate::guard::trust::distrust;
use crate::model::attempt::Committed;
use crate::transport::tls::Identity;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport, check_parts, tls};

/// Where and how a bank takes messages.
#[derive(Debug, Clone)]
pub struct HttpsOptions {
    /// `https://...`; `http://` only to a loopback address written as a number.
    pub url: String,
    /// As in `application/xml; charset=GBK`.
    pub content_type: String,
    /// The bank's own certificate authority (PEM), which then is the only one trusted; without it
    /// the machine's authorities are. Whether a certificate was revoked is not asked.
    pub ca_file: Option<PathBuf>,
    /// What the bank is shown, where it asks who calls.
    pub identity: Option<Identity>,
    /// The header that has the code of a message, and how it is made, where the bank wants one.
    pub signing: Option<Arc<(HeaderName, Mac)>>,
    /// The most time for name, connection and handshake.
    pub connect_ms: u64,
    /// The most time for everything, to the last byte of the answer.
    pub total_ms: u64,
    /// The most bytes of an answer.
    pub answer_bytes_max: usize,
}

/// The door made of HTTPS.
#[derive(Debug)]
pub struct Https {
    client: Client,
    url: Url,
    content_type: String,
    signing: Option<Arc<(HeaderName, Mac)>>,
    answer_bytes_max: usize,
}

impl Https {
    /// # Errors
    /// [`DoorError::Settings`] where the address, the certificate file or a limit cannot work.
    pub fn new(options: &HttpsOptions) -> Result<Self, DoorError> {
        let url = checked_url(&options.url)?;
        let zero = options.connect_ms == 0 || options.total_ms == 0;
        if zero || options.answer_bytes_max == 0 {
            return Err(settings("a time or an answer of nothing lets nothing through"));
        }
        if options.content_type.parse::<reqwest::header::HeaderValue>().is_err() {
            return Err(settings("the content type is no header value"));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(match url.scheme() {
                "http" => tls::no_one()?,
                _ => tls::client(options.ca_file.as_deref(), options.identity.as_ref())?,
            })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .http1_only()
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_millis(options.connect_ms))
            .timeout(Duration::from_millis(options.total_ms))
            .build()
            .map_err(|e| settings(&chain(&e)))?;
        Ok(Self {
            client,
            url,
            content_type: options.content_type.clone(),
            signing: options.signing.clone(),
            answer_bytes_max: options.answer_bytes_max,
        })
    }

    async fn post(&self, parts: &[OutPart]) -> Sent {
        let message = match (check_parts(parts), parts) {
            (Ok(()), [message]) => message.bytes.clone(),
            (Ok(()), _) => {
                let cause = "this door takes a message of one part".to_owned();
                return Sent::NotSent { cause };
            }
            (Err(cause), _) => return Sent::NotSent { cause },
        };
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, &self.content_type);
        let request = match self.signing.as_deref() {
            Some((name, mac)) => request.header(name, mac.of(&message)),
            None => request,
        };
        let request = request.body(message);
        match request.send().await {
            Ok(response) => self.judge(response).await,
            // No byte of a request leaves before there is a connection, and connections are never
            // reused here, so this one class of failure is provably before the commit point.
            Err(e) if e.is_connect() => Sent::NotSent { cause: chain(&e) },
            Err(e) => Sent::Unknown { cause: chain(&e), evidence: None },
        }
    }

    /// A 200 with its whole body is an answer; all else is evidence.
    async fn judge(&self, response: Response) -> Sent {
        let status = response.status();
        let (body, broken) = self.body(response).await;
        let evidence = (!body.is_empty()).then(|| body.clone());
        if status.is_redirection() {
            let cause = format!(
                "the bank answered {status}, a redirect; it was not followed: check the bank's address"
            );
            return Sent::Unknown { cause, evidence };
        }
        if status != StatusCode::OK {
            return Sent::Unknown { cause: format!("the bank answered {status}"), evidence };
        }
        match broken {
            None => Sent::Accepted { answer: Some(body) },
            Some(cause) => Sent::Unknown { cause, evidence },
        }
    }

    /// The body as far as it came, and why that is not all of it.
    async fn body(&self, mut response: Response) -> (Bytes, Option<String>) {
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(None) => return (body.freeze(), None),
                Ok(Some(chunk)) => {
                    let room = self.answer_bytes_max.saturating_sub(body.len());
                    body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                    if chunk.len() > room {
                        let max = self.answer_bytes_max;
                        let cause = format!("the bank's answer is longer than {max} bytes");
                        return (body.freeze(), Some(cause));
                    }
                }
                Err(e) => {
                    let cause = format!("the bank's answer broke off: {}", chain(&e));
                    return (body.freeze(), Some(cause));
                }
            }
        }
    }
}

#[async_trait]
impl Transport for Https {
    async fn send(&self, _committed: &Committed, parts: &[OutPart]) -> Sent {
        self.post(parts).await
    }

    fn may_be_earlier(&self) -> bool {
        false
    }

    /// An exchange leaves nothing behind that could be looked at.
    fn can_look(&self) -> bool {
        false
    }

    fn unasked(&self) -> Vec<Bytes> {
        Vec::new()
    }

    async fn lies_there(&self, _parts: &[OutPart]) -> bool {
        false
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        match self.post(parts).await {
            Sent::Accepted { answer: Some(answer) } => Asked::Answer(answer),
            Sent::Accepted { answer: None } => Asked::Answer(Bytes::new()),
            Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => {
                Asked::Failed { cause }
            }
        }
    }

    async fn arrivals(&self, _limit: usize) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn fetch(&self, _name: &str) -> Result<Arrival, DoorError> {
        Err(DoorError::NoArrivals)
    }

    async fn archive(&self, _arrival: &Arrival) -> Result<(), DoorError> {
        Err(DoorError::NoArrivals)
    }

    async fn set_aside(&self, _name: &str) -> Result<(), DoorError> {
        Err(DoorError::NoArrivals)
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn crowded_out(&self) -> Vec<String> {
        Vec::new()
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        Ok(None)
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
        Ok(0)
    }

    fn opens_at(&self, _now_ms: i64) -> Option<i64> {
        None
    }

    fn commit_point(&self) -> &'static str {
        "the first byte of the request, once there is a connection"
    }
}

/// HTTPS, or HTTP to this very machine; no user or password in the address, which is logged.
fn checked_url(text: &str) -> Result<Url, DoorError> {
    // What was given is not told: a password may stand in it.
    let url = Url::parse(text).map_err(|e| {
        settings(&format!("url is no address, like \"https://bank.example/payments\" ({e})"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(settings("url: an address carries no user and no password"));
    }
    let host = url.host_str().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match url.scheme() {
        "https" => Ok(url),
        "http" if number.is_ok_and(|ip| ip.is_loopback()) => Ok(url),
        "http" => Err(settings(
            "url: plain http is for a loopback address written as a number only; a bank has https://",
        )),
        other => Err(settings(&format!("url: {other}:// is not https://"))),
    }
}

fn settings(cause: &str) -> DoorError {
    DoorError::Settings(cause.to_owned())
}

/// Why a call failed: in plain words where the bank could not be trusted, else its causes, outermost
/// first, each said once.
fn chain(error: &reqwest::Error) -> String {
    if let Some(words) = distrust(error) {
        return words;
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f24_plain_http_is_for_this_machine_only() {
        for good in ["https://bank.example/b", "http://127.0.0.1:1/", "http://[::1]:80/x"] {
            assert!(checked_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://bank.example/",
            "http://localhost/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
            "https://user@bank.example/",
            "https://u:p@bank.example/",
            "bank.example",
            "",
            "http://127.0.0.1.bank.example/",
        ] {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn f24_a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let mut options = HttpsOptions {
            url: "https://bank.example/".to_owned(),
            content_type: "text/xml".to_owned(),
            ca_file: Some(path.clone()),
            identity: None,
            signing: None,
            connect_ms: 1,
            total_ms: 1,
            answer_bytes_max: 1,
        };
        assert!(matches!(Https::new(&options), Err(DoorError::Settings(_))), "no such file");
        std::fs::write(&path, "no certificate").expect("written");
        assert!(matches!(Https::new(&options), Err(DoorError::Settings(_))), "nothing in it");
        options.url = "http://127.0.0.1/".to_owned();
        assert!(Https::new(&options).is_ok(), "plain http asks for none");
    }
}
