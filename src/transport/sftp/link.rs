//! The connection to one bank's server: kept between two steps, proved before it is used again, and
//! made anew where it is not proved.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::transport::sftp::SftpOptions;
use crate::transport::sftp::session::{Calling, Session};

/// A connection that was used so short a time ago needs no proof that it still works.
const FRESH: Duration = Duration::from_millis(500);
/// How long a kept connection has to prove itself before a new one is made.
const PROOF: Duration = Duration::from_secs(5);

pub(super) struct Link {
    options: Arc<SftpOptions>,
    kept: Mutex<Option<(Arc<Session>, Instant)>>,
}

impl Link {
    pub fn new(options: Arc<SftpOptions>) -> Self {
        Self { options, kept: Mutex::new(None) }
    }

    /// A connection that answered a moment ago.
    ///
    /// Steps before the commit point may be done again, but a line that died quietly would cost each of
    /// them a failure and a wait: one small question is cheaper.
    pub async fn session(&self) -> Result<Arc<Session>, String> {
        let mut kept = self.kept.lock().await;
        if let Some((session, used)) = kept.take() {
            let works =
                used.elapsed() < FRESH || timeout(PROOF, session.is_alive()).await.unwrap_or(false);
            if works {
                *kept = Some((Arc::clone(&session), Instant::now()));
                return Ok(session);
            }
        }
        let session = Arc::new(self.open().await?);
        *kept = Some((Arc::clone(&session), Instant::now()));
        Ok(session)
    }

    /// Another connection than the one on which something broke.
    pub async fn another(&self) -> Result<Arc<Session>, String> {
        self.forget().await;
        self.session().await
    }

    /// The kept connection is not to be used again; who still works on it may end that.
    pub async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn open(&self) -> Result<Session, String> {
        let options = &self.options;
        let calling = Calling {
            address: &options.address,
            host_keys: &options.host_keys,
            user: &options.user,
            proof: &options.proof,
            // The door's own deadline is the one that counts; this only keeps a lost request from
            // being remembered for ever.
            request_secs: options.total_ms.div_ceil(1_000).saturating_add(1),
        };
        let limit = Duration::from_millis(options.connect_ms);
        timeout(limit, Session::open(&calling)).await.unwrap_or_else(|_| {
            let ms = options.connect_ms;
            Err(format!("{} did not let us in within {ms} ms", options.address))
        })
    }
}
