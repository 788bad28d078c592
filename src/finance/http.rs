//! The door over HTTP.
//!
//! The client is hardened, because an HTTP library's kindness hides what happened: no redirects
//! (a redirected report would be sent twice), no retries of its own, no kept connections (one that
//! the other side has closed looks like a lost answer), no proxies from the environment, HTTP/1.1,
//! and a deadline on everything. Requests are signed and answers must be; a body is read only as
//! far as its cap. Plain HTTP is allowed to this machine alone.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect, retry};

use crate::clock::Clock;
use crate::finance::stream::HttpLines;
use crate::finance::wire::{
    AcknowledgedWire, DecisionWire, ListedWire, PageWire, Problem, id_is_plain, read, read_head,
};
use crate::finance::{Acknowledged, Decision, Finance, FinanceError, Lines, Listed, Page};
use crate::guard::key::Key;
use crate::guard::sign::{Algorithm, Body, SignError, Signed, Signer, Verifier};
use crate::guard::trust::distrust;
use crate::model::register::RegisterHead;

/// The largest answer that is one JSON document.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;
/// The largest explanation of a refusal.
const PROBLEM_BYTES_MAX: usize = 64 << 10;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// How one finance source is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configured name of the source.
    pub source: String,
    /// `https://host/path`, or `http://` to this machine.
    pub base_url: String,
    pub algorithm: Algorithm,
    pub key_id: String,
    pub key: Key,
    /// How far the two clocks may differ.
    pub window_ms: i64,
    /// PEM of the only certificate authority to trust; the system's where there is none.
    pub ca_pem: Option<Vec<u8>>,
    pub connect_timeout: Duration,
    /// The longest silence within an answer.
    pub read_timeout: Duration,
    /// The longest that a call may take, reading its answer included.
    pub total_timeout: Duration,
    /// The same for the stream of a register's payments: shorter than a step may be silent before
    /// it is taken for stuck.
    pub stream_timeout: Duration,
}

impl Settings {
    /// Settings with the usual deadlines.
    pub fn new(source: &str, base_url: &str, key_id: &str, key: Key) -> Self {
        Self {
            source: source.to_owned(),
            base_url: base_url.to_owned(),
            algorithm: Algorithm::HmacSha256,
            key_id: key_id.to_owned(),
            key,
            window_ms: 300_000,
            ca_pem: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_mins(2),
            stream_timeout: Duration::from_mins(20),
        }
    }
}

/// One finance source over HTTP.
pub struct HttpFinance {
    base: Url,
    client: Client,
    signer: Signer,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl HttpFinance {
    /// # Errors
    /// [`FinanceError::Config`] where the address, the key id or the certificate cannot work.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, FinanceError> {
        let base = base_url(&settings.base_url)?;
        let client = client(&settings, base.scheme() == "https")?;
        let (algorithm, id, key) = (settings.algorithm, &settings.key_id, &settings.key);
        let config = |error: SignError| FinanceError::Config(error.to_string());
        let signer = Signer::new(algorithm, id, key).map_err(config)?;
        let verifier =
            Verifier::new(algorithm, settings.window_ms).with_key(id, key).map_err(config)?;
        Ok(Self { base, client, signer, verifier, clock, settings })
    }

    /// Sends one signed request, and gives the answer's head when its status is 200.
    async fn call(&self, call: Call<'_>) -> Result<Answer, FinanceError> {
        let url = call.url(&self.base)?;
        let target =
            url.query().map_or_else(|| url.path().to_owned(), |q| format!("{}?{q}", url.path()));
        let now_ms = self.clock.now_ms();
        let body = call.body.unwrap_or_default();
        let signed = self.signer.request(call.method.as_str(), &target, now_ms, &body);
        let has_body = call.method == Method::PUT;
        let mut request = self.client.request(call.method, url).timeout(call.timeout);
        for (name, value) in signed.headers() {
            request = request.header(name, value);
        }
        if has_body {
            request = request.header(CONTENT_TYPE, NDJSON).body(body);
        }
        let response = request.send().await.map_err(broken)?;
        let answer = Answer { request: signed.signature, response };
        if answer.response.status() == StatusCode::OK {
            answer.check_type(call.answer_type)?;
            return Ok(answer);
        }
        Err(self.refusal(answer).await)
    }

    /// Reads a whole answer, verifies its signature, and reads its JSON.
    async fn document<T: for<'de> serde::Deserialize<'de>>(
        &self,
        call: Call<'_>,
    ) -> Result<T, FinanceError> {
        read(&self.signed_bytes(call).await?)
    }

    /// Reads a whole answer and verifies its signature.
    async fn signed_bytes(&self, call: Call<'_>) -> Result<Vec<u8>, FinanceError> {
        let mut answer = self.call(call).await?;
        let status = answer.response.status().as_u16();
        let signed = answer.signed()?;
        let body = whole(&mut answer.response, DOCUMENT_BYTES_MAX).await?;
        let now_ms = self.clock.now_ms();
        self.verifier.response(&answer.request, status, &signed, now_ms, Body::Whole(&body))?;
        Ok(body)
    }

    /// What an answer other than 200 means. One that is not signed may come from anything between
    /// us and finance, so it is never more than "not reached" or an unsigned refusal.
    async fn refusal(&self, mut answer: Answer) -> FinanceError {
        let status = answer.response.status();
        if status.is_redirection() {
            let words = format!("status {status}: redirects are not followed, check the address");
            return FinanceError::Protocol(words);
        }
        let signed = answer.signed();
        let body = match whole(&mut answer.response, PROBLEM_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let trusted = signed.and_then(|signed| {
            let body = Body::Whole(&body);
            let now_ms = self.clock.now_ms();
            self.verifier.response(&answer.request, status.as_u16(), &signed, now_ms, body)
        });
        let words = match (trusted, read::<Problem>(&body)) {
            (Ok(()), Ok(problem)) => plain_words(&format!("{}: {}", problem.error, problem.what)),
            (Ok(()), Err(_)) => "without the words of the contract".to_owned(),
            (Err(error), _) => format!("an answer that is not signed by finance ({error})"),
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return FinanceError::Unreachable(format!("status {status}: {words}"));
        }
        if status.is_client_error() {
            return FinanceError::Rejected { status: status.as_u16(), words };
        }
        FinanceError::Protocol(format!("status {status}, where the contract knows 200"))
    }

    fn get<'a>(&self, path: Vec<String>, query: Vec<(&'a str, String)>) -> Call<'a> {
        Call {
            method: Method::GET,
            path,
            query,
            body: None,
            answer_type: JSON,
            timeout: self.settings.total_timeout,
        }
    }
}

#[async_trait]
impl Finance for HttpFinance {
    fn source(&self) -> &str {
        &self.settings.source
    }

    async fn listed(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, FinanceError> {
        let call = self.get(path(["registers"]), page_query(after, limit));
        let page: Page<Listed> = self.document::<PageWire<ListedWire>>(call).await?.into();
        if let Some(item) = page.items.iter().find(|item| !id_is_plain(&item.id)) {
            let words =
                format!("the register id at cursor {:?} is none", plain_words(&item.cursor));
            return Err(FinanceError::Protocol(words));
        }
        within(page, limit)
    }

    async fn head(&self, id: &str, revision: i64) -> Result<RegisterHead, FinanceError> {
        let call = self.get(path(["registers", id, &revision.to_string()]), vec![]);
        read_head(&self.signed_bytes(call).await?, id, revision)
    }

    async fn lines(&self, head: &RegisterHead) -> Result<Box<dyn Lines>, FinanceError> {
        let revision = head.revision.to_string();
        let mut call = self.get(path(["registers", &head.id, &revision, "payments"]), vec![]);
        call.answer_type = NDJSON;
        call.timeout = self.settings.stream_timeout;
        let answer = self.call(call).await?;
        let signed = answer.signed()?;
        let now_ms = self.clock.now_ms();
        self.verifier.response(&answer.request, 200, &signed, now_ms, Body::Streamed)?;
        let headers = answer.response.headers();
        // A body that just ends with its connection could be cut anywhere without a trace.
        if !headers.contains_key(TRANSFER_ENCODING) && !headers.contains_key(CONTENT_LENGTH) {
            let words = "payments come chunked or with a length: their end must be certain";
            return Err(FinanceError::Protocol(words.to_owned()));
        }
        Ok(Box::new(HttpLines::new(head, answer.response)))
    }

    async fn decisions(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Decision>, FinanceError> {
        let call = self.get(path(["decisions"]), page_query(after, limit));
        let page: Page<Decision> = self.document::<PageWire<DecisionWire>>(call).await?.into();
        within(page, limit)
    }

    async fn deliver(&self, report_id: &str, body: Bytes) -> Result<Acknowledged, FinanceError> {
        let mut call = self.get(path(["reports", report_id]), vec![]);
        call.method = Method::PUT;
        call.body = Some(body);
        let answer: Acknowledged = self.document::<AcknowledgedWire>(call).await?.into();
        if answer.report_id != report_id {
            let words = format!("report {report_id} is answered about another report");
            return Err(FinanceError::Protocol(words));
        }
        Ok(answer)
    }
}

/// One request.
struct Call<'a> {
    method: Method,
    /// Segments behind `/v1`.
    path: Vec<String>,
    query: Vec<(&'a str, String)>,
    body: Option<Bytes>,
    answer_type: &'static str,
    timeout: Duration,
}

impl Call<'_> {
    fn url(&self, base: &Url) -> Result<Url, FinanceError> {
        if let Some(bad) = self.path.iter().find(|segment| !id_is_plain(segment)) {
            return Err(FinanceError::Config(format!("{bad:?} cannot stand in a path")));
        }
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// An answer whose body is not read yet, and the signature of its request.
struct Answer {
    request: String,
    response: Response,
}

impl Answer {
    fn signed(&self) -> Result<Signed, SignError> {
        let headers = self.response.headers();
        Signed::read(|name| headers.get(name).and_then(|value| value.to_str().ok()))
    }

    /// A login page of something in between is named as what it is.
    fn check_type(&self, expected: &str) -> Result<(), FinanceError> {
        let given = self.response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let essence = given.unwrap_or("nothing").split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        let words = format!("the answer is {}, not {expected}", plain_words(essence));
        Err(FinanceError::Protocol(words))
    }
}

fn path<const N: usize>(segments: [&str; N]) -> Vec<String> {
    segments.map(str::to_owned).to_vec()
}

fn page_query<'a>(after: Option<&str>, limit: usize) -> Vec<(&'a str, String)> {
    let after = after.map(|after| ("after", after.to_owned()));
    after.into_iter().chain([("limit", limit.to_string())]).collect()
}

fn within<T>(page: Page<T>, limit: usize) -> Result<Page<T>, FinanceError> {
    if page.items.len() > limit || (page.items.is_empty() && page.next.is_some()) {
        return Err(FinanceError::Protocol("a page has 1 to `limit` items, or is the last".into()));
    }
    Ok(page)
}

/// Reads the rest of a body, up to its cap.
async fn whole(response: &mut Response, bytes_max: usize) -> Result<Vec<u8>, FinanceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(FinanceError::Protocol(format!(
                "an answer of more than {bytes_max} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a failed call says, with its causes and without its address.
pub(in crate::finance) fn broken(error: reqwest::Error) -> FinanceError {
    let error = error.without_url();
    if let Some(words) = distrust(&error) {
        return FinanceError::Unreachable(words);
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    FinanceError::Unreachable(plain_words(&words))
}

/// Somebody else's words, fit for a log: one line, not too long.
fn plain_words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

fn base_url(text: &str) -> Result<Url, FinanceError> {
    let config = |words: &str| FinanceError::Config(words.to_owned());
    let url = Url::parse(text).map_err(|error| config(&format!("base_url: {error}")))?;
    let here = url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(config("base_url is scheme, host, port and path alone"));
    }
    match (url.scheme(), here) {
        ("https", _) | ("http", true) => Ok(url),
        ("http", false) => Err(config("plain http is allowed to this machine alone; use https")),
        _ => Err(config("base_url begins with https://")),
    }
}

fn client(settings: &Settings, tls: bool) -> Result<Client, FinanceError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may be first, with the same provider.
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout);
    let config = |error: reqwest::Error| FinanceError::Config(error.to_string());
    if let Some(pem) = &settings.ca_pem {
        let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(config)?;
        if roots.is_empty() {
            return Err(FinanceError::Config("the file of authorities holds none".to_owned()));
        }
        builder = builder.tls_certs_only(roots);
    } else if !tls {
        // No certificate is needed on this machine, so a system without any must not stop us.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(config)
}

#[cfg(test)]
mod tests;
