//! A line between us and a server that breaks where it is told to. All that is said on it is sealed, so the
//! place is told by the number of bytes that came from us, or by what lies in the bank's folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What happens to connections from now on.
#[derive(Debug, Clone)]
pub enum Plan {
    Whole,
    /// Each connection is closed at once.
    Refuse,
    /// While one connection is there no other is let in.
    One,
    /// After so many bytes from us the line is cut.
    Cut {
        after: u64,
        then_refuse: bool,
    },
    /// After so many bytes from us nothing goes on to the server, until something else is planned.
    Stop {
        after: u64,
    },
    /// After so many bytes from us nothing comes back, and the line stays.
    Hold {
        after: u64,
    },
    /// From now on nothing comes back on this connection, counted from 1.
    HoldOf {
        connection: usize,
    },
    /// After so many bytes from us what comes back comes one byte at a time, and so slowly that no time-out for a
    /// silence would end it.
    Drip {
        after: u64,
    },
    /// The request for the committing rename does not reach the server of this folder.
    BeforeRename {
        folder: PathBuf,
        then_refuse: bool,
    },
    /// It does, and its answer is lost: with the line, or behind a line that stays.
    AfterRename {
        folder: PathBuf,
        then_refuse: bool,
        stays: bool,
    },
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
    /// How many are there now.
    open: AtomicUsize,
    /// Has it stopped as planned?
    stopped: AtomicBool,
}

impl Line {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            plan: Mutex::new(Plan::Whole),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let all = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                let full = all.open.load(Ordering::SeqCst) > 0;
                if matches!(all.plan(), Plan::Refuse) || matches!(all.plan(), Plan::One) && full {
                    continue;
                }
                all.open.fetch_add(1, Ordering::SeqCst);
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
        self.shared.stopped.store(false, Ordering::SeqCst);
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub fn has_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::SeqCst)
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
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The line was cut as planned.
    fn cut(&self, then_refuse: bool) {
        let next = if then_refuse { Plan::Refuse } else { Plan::Whole };
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

/// Is everything but the committing rename done in this folder?
fn prepared(folder: &Path) -> bool {
    has(folder, |name| plain(name, "txt"))
        && has(folder, |name| name.starts_with('.') && name.ends_with(".ok.part"))
}

/// Does the control file lie there under its own name?
fn committed(folder: &Path) -> bool {
    has(folder, |name| plain(name, "ok"))
}

/// Is it the own name of a file of this kind?
fn plain(name: &str, kind: &str) -> bool {
    !name.starts_with('.') && Path::new(name).extension() == Some(kind.as_ref())
}

fn has(folder: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(&is_it))
}

async fn pass(ours: TcpStream, theirs: TcpStream, shared: Arc<Shared>, number: usize) {
    let (from_us, to_us) = ours.into_split();
    let (from_them, to_them) = theirs.into_split();
    let mute = Arc::new(AtomicBool::new(false));
    // Whichever ends first ends the line.
    tokio::select! {
        () = there(from_us, to_them, &shared, &mute, number) => {}
        () = back(from_them, to_us, &shared, &mute) => {}
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

/// What the server says.
async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, mute: &AtomicBool) {
    let mut chunk = vec![0_u8; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        // A server answers after it has done what it answers to.
        if let Plan::AfterRename { folder, then_refuse, stays } = shared.plan()
            && committed(&folder)
        {
            if !stays {
                return shared.cut(then_refuse);
            }
            mute.store(true, Ordering::SeqCst);
        }
        let drips = matches!(shared.plan(), Plan::Drip { after } if shared.sent.load(Ordering::SeqCst) >= after);
        let step = if drips { 1 } else { n };
        for piece in chunk[..n].chunks(step) {
            if drips {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if !mute.load(Ordering::SeqCst) && to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
    if mute.load(Ordering::SeqCst) {
        // The line stays open towards us, silent.
        std::future::pending::<()>().await;
    }
}

/// What we say.
async fn there(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    mute: &AtomicBool,
    number: usize,
) {
    let mut chunk = vec![0_u8; 16 * 1024];
    let (mut before, mut requests) = (0, 0);
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        let end = before + n as u64;
        let mut keep = n as u64;
        let mut cut = None;
        match shared.plan() {
            Plan::Cut { after, then_refuse } if end >= after => {
                (keep, cut) = (after.saturating_sub(before), Some(then_refuse));
            }
            Plan::Hold { after } if end >= after => mute.store(true, Ordering::SeqCst),
            Plan::HoldOf { connection } if connection == number => {
                mute.store(true, Ordering::SeqCst);
            }
            Plan::Refuse => (keep, cut) = (0, Some(true)),
            Plan::BeforeRename { folder, then_refuse } if prepared(&folder) => {
                // The first request then looks once more whether the name is free.
                requests += 1;
                if requests == 2 {
                    (keep, cut) = (0, Some(then_refuse));
                }
            }
            Plan::Whole
            | Plan::One
            | Plan::Cut { .. }
            | Plan::Stop { .. }
            | Plan::Hold { .. }
            | Plan::HoldOf { .. }
            | Plan::Drip { .. }
            | Plan::BeforeRename { .. }
            | Plan::AfterRename { .. } => {}
        }
        while matches!(shared.plan(), Plan::Stop { after } if end > after) {
            shared.stopped.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        before += keep;
        // What an earlier connection says at its end is not counted.
        if shared.connections.load(Ordering::SeqCst) == number {
            shared.sent.store(before, Ordering::SeqCst);
        }
        let kept = usize::try_from(keep).expect("small");
        if to.write_all(&chunk[..kept]).await.is_err() {
            return;
        }
        if let Some(then_refuse) = cut {
            // What arrived is worked on, and its answer is lost.
            mute.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            return shared.cut(then_refuse);
        }
    }
}
