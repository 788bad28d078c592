//! The status page, the metrics and the health of the daemon.
//!
//! Everything here reads and nothing writes: a page is one snapshot of the store (I28), drawn on
//! the server, in Chinese, without JavaScript, so that it works on whatever stands on a county
//! desk and prints as it looks. A single-page application over a JSON API was rejected: it would
//! have been a second program with its own ideas of what a state means, and the words, the sums
//! and the colours would have been decided where no test sees them.
//!
//! Until there is sign-in the page is for this machine alone (`gate`), and what it shows of people
//! is masked before a template sees it (I27).

pub mod alerts;
pub mod batch;
pub mod front;
pub mod gate;
pub mod health;
pub mod metrics;
pub mod parts;
pub mod quarantine;
pub mod register;
mod serving;
pub mod trouble;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::clock::Clock;
use crate::flow::unfetched::Unfetched;
use crate::guard::digest::sha256;
use crate::guard::key::hex;
use crate::guard::seal::Sealer;
use crate::model::id::{BatchNo, RegisterNo};
use crate::store::{Store, StoreError};

pub use crate::web::gate::{NotLoopback, check_listen};
pub use crate::web::health::Health;
pub use crate::web::metrics::{Metrics, StepResult};
pub use crate::web::parts::{BankName, Frame};
pub use crate::web::serving::serve;
use crate::web::trouble::Trouble;

/// Registers on one page of the list.
const REGISTERS_SHOWN: i64 = 100;
/// Failures, and quarantined rows, on one page of a batch.
const FAILURES_SHOWN: i64 = 200;
/// What was put aside, on one page.
const ASIDE_SHOWN: i64 = 100;

static STYLE: &str = include_str!("templates/style.css");
static ICON: &str = include_str!("templates/icon.svg");
static STYLE_TAG: LazyLock<String> = LazyLock::new(|| tag(STYLE));
static ICON_TAG: LazyLock<String> = LazyLock::new(|| tag(ICON));

/// What the pages are made from.
pub struct Pages {
    pub store: Arc<Store>,
    pub sealer: Arc<Sealer>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    /// The banks of the config, for their names.
    pub banks: Arc<[BankName]>,
    /// Our files that banks have not picked up yet.
    pub unfetched: Arc<Unfetched>,
    /// The time that the duty allows, in milliseconds.
    pub allowed_ms: i64,
    /// Nothing is sent before its register is funded.
    pub funded_only: bool,
}

impl Pages {
    fn frame(&self) -> Frame {
        Frame {
            now_ms: self.clock.now_ms(),
            banks: Arc::clone(&self.banks),
            allowed_ms: self.allowed_ms,
            funded_only: self.funded_only,
        }
    }
}

/// Every page there is.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/registers/{no}", get(register_page))
        .route("/batches/{no}", get(batch_page))
        .route("/quarantine", get(quarantine_page))
        .route("/metrics", get(metrics_text))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .fallback(async || Trouble::NotFound)
        .method_not_allowed_fallback(async || Trouble::Method)
        .layer(from_fn(gate::gate))
        .with_state(Arc::new(pages))
}

/// What went wrong on the way to a page; all of it looks alike from outside.
enum Failed {
    Store(StoreError),
    Drawing(askama::Error),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<askama::Error> for Failed {
    fn from(error: askama::Error) -> Self {
        Self::Drawing(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Store(error) => tracing::error!(%error, "a page could not be read"),
            Self::Drawing(error) => tracing::error!(%error, "a page could not be drawn"),
        }
        Trouble::Internal.into_response()
    }
}

type Shared = State<Arc<Pages>>;

/// Which page of the list: behind the register where the one before it ended.
#[derive(Deserialize)]
struct Before {
    before: Option<String>,
}

async fn front_page(
    State(pages): Shared,
    at: Result<Query<Before>, QueryRejection>,
) -> Result<Response, Failed> {
    let before = match at.map(|Query(at)| at.before) {
        Ok(None) => None,
        Ok(Some(no)) if RegisterNo::parse(&no).is_some() => RegisterNo::parse(&no),
        Ok(Some(_)) | Err(_) => return Ok(Trouble::NotFound.into_response()),
    };
    let overview = pages.store.overview_before(before, REGISTERS_SHOWN).await?;
    Ok(Html(front::render(&overview, &pages.frame())?).into_response())
}

/// The number in a path; one that is not even text names nothing.
type Number = Result<Path<String>, PathRejection>;

async fn register_page(State(pages): Shared, no: Number) -> Result<Response, Failed> {
    let Some(no) = no.ok().and_then(|Path(no)| RegisterNo::parse(&no)) else {
        return Ok(Trouble::NoSuchRegister.into_response());
    };
    let Some(page) = pages.store.register_page(no).await? else {
        return Ok(Trouble::NoSuchRegister.into_response());
    };
    Ok(Html(register::render(&page, &pages.frame())?).into_response())
}

/// Which page of a batch's failures: behind the line where the one before it ended.
#[derive(Deserialize)]
struct After {
    after: Option<u32>,
}

async fn batch_page(
    State(pages): Shared,
    no: Number,
    at: Result<Query<After>, QueryRejection>,
) -> Result<Response, Failed> {
    let Ok(Query(After { after })) = at else { return Ok(Trouble::NotFound.into_response()) };
    let after = i64::from(after.unwrap_or_default());
    let Some(no) = no.ok().and_then(|Path(no)| BatchNo::parse(&no)) else {
        return Ok(Trouble::NoSuchBatch.into_response());
    };
    let Some(page) = pages.store.batch_page_after(no, after, FAILURES_SHOWN).await? else {
        return Ok(Trouble::NoSuchBatch.into_response());
    };
    let lies = |reference: &str| pages.unfetched.has_reference(&page.row.bank, reference);
    let payees = if page.attempts.iter().any(batch::is_told_why) {
        batch::payees(&page, &pages.store.members(no).await?, &pages.sealer)
    } else {
        None
    };
    let (frame, sealer) = (pages.frame(), &pages.sealer);
    Ok(Html(batch::render(&page, &frame, sealer, payees.as_deref(), &lies)?).into_response())
}

/// Which page of what was put aside, and whether what is settled is shown as well.
#[derive(Deserialize)]
struct Aside {
    before: Option<String>,
    all: Option<u8>,
}

async fn quarantine_page(
    State(pages): Shared,
    at: Result<Query<Aside>, QueryRejection>,
) -> Result<Response, Failed> {
    let Ok(Query(Aside { before, all })) = at else { return Ok(Trouble::NotFound.into_response()) };
    let all = all.is_some_and(|all| all > 0);
    let before = match before {
        None => None,
        Some(text) => match quarantine::Shown::parse(&text) {
            None => return Ok(Trouble::NotFound.into_response()),
            found => found,
        },
    };
    let page = pages.store.quarantine_page(before, all, ASIDE_SHOWN).await?;
    let shown = quarantine::Shown { before, all };
    Ok(Html(quarantine::render(&page, shown, &pages.frame())?).into_response())
}

async fn metrics_text(State(pages): Shared) -> Response {
    match pages.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn live(State(pages): Shared) -> Response {
    verdict(pages.health.live(pages.clock.now_ms()))
}

async fn ready(State(pages): Shared) -> Response {
    verdict(pages.health.ready(pages.clock.now_ms()))
}

fn verdict(verdict: health::Verdict) -> Response {
    let status = if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(verdict)).into_response()
}

async fn style(headers: HeaderMap) -> Response {
    fixed(&headers, &STYLE_TAG, "text/css; charset=utf-8", STYLE)
}

async fn icon(headers: HeaderMap) -> Response {
    fixed(&headers, &ICON_TAG, "image/svg+xml", ICON)
}

fn tag(content: &str) -> String {
    format!("\"{}\"", hex(&sha256(content.as_bytes())).chars().take(16).collect::<String>())
}

/// A file of the program: kept by browsers, and asked after each time.
fn fixed(headers: &HeaderMap, tag: &str, kind: &str, content: &'static str) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let fields =
        [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache"), (header::CONTENT_TYPE, kind)];
    if same {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, content).into_response()
}
