//! A line between us and a server that breaks where it is told to: by the number of bytes that came
//! from us, since all that is said on it is sealed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to connections from now on.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    Whole,
    /// After so many bytes from us nothing comes back any more; the server has so long to work on them,
    /// then the line is cut. Later connections live or are refused.
    Cut {
        after: u64,
        linger_ms: u64,
        then_refuse: bool,
    },
    /// After so many bytes from us nothing comes back, and the line stays.
    Hold {
        after: u64,
    },
    /// Each connection is closed at once.
    Refuse,
}

pub struct Line {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Plan>,
    /// Bytes from us on the last connection.
    sent: AtomicU64,
    connections: AtomicUsize,
}

impl Line {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            plan: Mutex::new(Plan::Whole),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
        });
        let all = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                if matches!(all.plan(), Plan::Refuse) {
                    continue;
                }
                let number = all.connections.fetch_add(1, Ordering::SeqCst) + 1;
                all.sent.store(0, Ordering::SeqCst);
                let theirs = TcpStream::connect(server).await.expect("the server is there");
                ours.set_nodelay(true).expect("set");
                theirs.set_nodelay(true).expect("set");
                tokio::spawn(pass(ours, theirs, Arc::clone(&all), number));
            }
        });
        Self { address, shared }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn plan(&self, plan: Plan) {
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn plan(&self) -> Plan {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(ours: TcpStream, theirs: TcpStream, shared: Arc<Shared>, number: usize) {
    let (mut from_us, mut to_us) = ours.into_split();
    let (mut from_them, mut to_them) = theirs.into_split();
    let mute = Arc::new(AtomicBool::new(false));
    let back = tokio::spawn({
        let mute = Arc::clone(&mute);
        async move {
            let mut chunk = vec![0_u8; 16 * 1024];
            while let Ok(n @ 1..) = from_them.read(&mut chunk).await {
                if mute.load(Ordering::SeqCst) {
                    // Read on, so that the server is not held up by a full line.
                    continue;
                }
                if to_us.write_all(&chunk[..n]).await.is_err() {
                    return;
                }
            }
            if mute.load(Ordering::SeqCst) {
                // The line stays open towards us, silent.
                std::future::pending::<()>().await;
            }
        }
    });
    let mut chunk = vec![0_u8; 16 * 1024];
    let mut before = 0;
    while let Ok(n @ 1..) = from_us.read(&mut chunk).await {
        let end = before + n as u64;
        let (keep, cut) = match shared.plan() {
            Plan::Cut { after, linger_ms, .. } if end >= after => {
                (after.saturating_sub(before), Some(linger_ms))
            }
            Plan::Hold { after } if end >= after => {
                mute.store(true, Ordering::SeqCst);
                (n as u64, None)
            }
            Plan::Refuse => (0, Some(0)),
            Plan::Whole | Plan::Cut { .. } | Plan::Hold { .. } => (n as u64, None),
        };
        if cut.is_some() {
            mute.store(true, Ordering::SeqCst);
        }
        before += keep;
        // What an earlier connection says at its end is not counted.
        if shared.connections.load(Ordering::SeqCst) == number {
            shared.sent.store(before, Ordering::SeqCst);
        }
        let kept = usize::try_from(keep).expect("small");
        if to_them.write_all(&chunk[..kept]).await.is_err() {
            break;
        }
        if let Some(linger_ms) = cut {
            // What arrived is worked on, and its answer is lost.
            tokio::time::sleep(Duration::from_millis(linger_ms)).await;
            let next = match shared.plan() {
                Plan::Cut { then_refuse: true, .. } => Plan::Refuse,
                _ => Plan::Whole,
            };
            *shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = next;
            break;
        }
    }
    back.abort();
}
