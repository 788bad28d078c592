//! The connection to one bank's server: kept between two steps, proved before it is used again, and
//! made anew where it is not proved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::transport::sftp::SftpOptions;
use crate::transport::sftp::session::{Calling, Session};

/// A connection that was used so short a time ago needs no proof that it still works.
const FRESH: Duration = Duration::from_millis(500);
/// How often it is tried whether a server has noticed that a connection was given up, and how far apart.
const LEAVING_TRIES: u32 = 5;
const LEAVING: Duration = Duration::from_millis(100);
/// How long a kept connection has to prove itself before a new one is made.
const PROOF: Duration = Duration::from_secs(5);

/// A connection, and when it was last used.
type Kept = Arc<Mutex<Option<(Arc<Session>, Instant)>>>;

pub(super) struct Link {
    options: Arc<SftpOptions>,
    /// The second that the last file bears which we wrote there: by the server's clock it was that late. 0 before
    /// the first.
    wrote: Arc<AtomicU32>,
    kept: Kept,
    /// That of the other link: a server that lets in one login at a time has it given up for this one.
    other: Kept,
}

impl Link {
    /// Two links to one server.
    pub fn pair(options: &Arc<SftpOptions>) -> [Self; 2] {
        let (one, other) = (Kept::default(), Kept::default());
        let wrote = Arc::default();
        let link = |kept: &Kept, other: &Kept| Self {
            options: Arc::clone(options),
            wrote: Arc::clone(&wrote),
            kept: Arc::clone(kept),
            other: Arc::clone(other),
        };
        [link(&one, &other), link(&other, &one)]
    }

    /// We wrote a file just now that bears this second.
    pub fn wrote(&self, second: u32) {
        self.wrote.store(second, Ordering::SeqCst);
    }

    /// How late it was by the server's clock when we wrote there last; 0 before the first file.
    pub fn wrote_last(&self) -> u32 {
        self.wrote.load(Ordering::SeqCst)
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
        let session = match self.open().await {
            Ok(session) => session,
            Err(cause) => {
                // One that is being made, or proved, is left alone. Until ours is there the other does not make
                // another one.
                let Ok(mut other) = self.other.try_lock() else { return Err(cause) };
                if other.take().is_none() {
                    return Err(cause);
                }
                let limit = Duration::from_millis(self.options.connect_ms);
                let again = timeout(limit, self.open_once_left(cause.clone())).await;
                again.unwrap_or(Err(cause))?
            }
        };
        let session = Arc::new(session);
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

    /// A connection in the place of one that was given up a moment ago: the server has to hear of that first.
    async fn open_once_left(&self, mut cause: String) -> Result<Session, String> {
        for _ in 0..LEAVING_TRIES {
            tokio::time::sleep(LEAVING).await;
            match self.open().await {
                Ok(session) => return Ok(session),
                Err(again) => cause = again,
            }
        }
        Err(cause)
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
