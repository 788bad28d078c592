//! Banks that call us: opens what the config says of it, and brings what a listener hears into the store.
//! Nothing is read here; a step takes it up from there (`flow/pushed.rs`).

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::HeaderValue;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::doors::{millis, signing};
use crate::clock::Clock;
use crate::config::Push;
use crate::flow::Ctx;
use crate::flow::pushed::can_be_pushed;
use crate::flow::sealed::seal_evidence;
use crate::format::Format;
use crate::guard::digest::sha256;
use crate::guard::seal::Sealer;
use crate::model::push::PushCall;
use crate::store::Store;
use crate::transport::push::{self, Keeper, Kept, PushOptions};
use crate::transport::tls::{Identity, server};
use crate::web::Metrics;

/// One bank's calls: where they are heard, and how.
pub struct Calls {
    listen: SocketAddr,
    options: Arc<PushOptions>,
}

/// Opens what the config says of a bank's calls. The bank's format, where it could be read, must have
/// something that can be called in.
///
/// # Errors
/// In words, what of it does not work.
pub fn open(bank: &str, asked: &Push, format: Option<&Format>) -> Result<Calls, String> {
    if let Some(format) = format
        && !can_be_pushed(format)
    {
        return Err(format!(
            "the format {} has no answer of a single part that bears our reference or the bank's: \
             nothing can be called in",
            format.name()
        ));
    }
    let tls = match (&asked.certificate, &asked.key) {
        (Some(certificate), Some(key)) => {
            let key = key.read().map_err(|cause| format!("key: {cause}"))?;
            let identity = Identity { certificate_file: certificate.clone(), key };
            let config = server(&identity, asked.client_ca.as_deref());
            Some(Arc::new(config.map_err(|cause| cause.to_string())?))
        }
        // One without the other was told with the config itself.
        _ => None,
    };
    let signing = asked.signing.as_ref().map(signing).transpose();
    // What is none was told with the config itself.
    let fingerprints = asked.client_fingerprints.iter().filter_map(|text| Push::fingerprint(text));
    let answer_type = HeaderValue::from_str(&asked.answer_type);
    let options = PushOptions {
        bank: bank.to_owned(),
        path: asked.path.clone(),
        tls,
        callers: fingerprints.collect(),
        signing: signing.map_err(|cause| format!("signing.{cause}"))?,
        answer: asked.answer.clone(),
        answer_type: answer_type.map_err(|_| "answer_type: it is no header value")?,
        bytes_max: asked.bytes_max,
        at_once: asked.at_once,
        total_ms: millis(asked.total_timeout),
    };
    Ok(Calls { listen: asked.listen, options: Arc::new(options) })
}

/// What every listener brings its messages to.
pub struct Inbox {
    store: Arc<Store>,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    broken: CancellationToken,
}

impl Inbox {
    /// `broken` is pulled where the store fails so that the process must stop and read back (design 4,
    /// rule 9).
    pub fn new(ctx: &Ctx, metrics: &Arc<Metrics>, broken: &CancellationToken) -> Self {
        Self {
            store: Arc::clone(&ctx.store),
            sealer: Arc::clone(&ctx.sealer),
            clock: Arc::clone(&ctx.clock),
            metrics: Arc::clone(metrics),
            broken: broken.clone(),
        }
    }
}

/// Begins to listen, for every bank that calls.
///
/// # Errors
/// An address cannot be listened on.
pub async fn listen(
    calls: Vec<Calls>,
    inbox: Inbox,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let inbox = Arc::new(inbox);
    // The steps end as at any stop then: what is under way comes to its end.
    let (broken, all) = (inbox.broken.clone(), stop.clone());
    let mut tasks = vec![tokio::spawn(async move {
        broken.cancelled().await;
        all.cancel();
    })];
    for Calls { listen, options } in calls {
        let bank = options.bank.clone();
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen} for calls of {bank}"))?;
        tracing::info!(bank, address = %listener.local_addr()?, "the bank is listened to");
        let keeper = Arc::new(Slot { bank, inbox: Arc::clone(&inbox) });
        tasks.push(tokio::spawn(push::serve(listener, options, keeper, stop.clone())));
    }
    Ok(tasks)
}

/// One bank's way into the store.
struct Slot {
    bank: String,
    inbox: Arc<Inbox>,
}

#[async_trait]
impl Keeper for Slot {
    async fn keep(&self, message: Bytes) -> Kept {
        let Inbox { store, sealer, clock, broken, .. } = self.inbox.as_ref();
        if broken.is_cancelled() {
            return Kept::Not;
        }
        let digest = sha256(&message);
        let sealed = seal_evidence(sealer, &self.bank, &digest, &message);
        match store.keep_push(&self.bank, &digest, message.len(), sealed, clock.now_ms()).await {
            Ok(true) => Kept::Now,
            Ok(false) => Kept::Before,
            Err(cause) => {
                tracing::error!(bank = self.bank, error = %cause, "what the bank called in is not kept");
                if cause.is_fatal() {
                    broken.cancel();
                }
                Kept::Not
            }
        }
    }

    fn count(&self, call: PushCall) {
        self.inbox.metrics.pushed(call);
    }
}
