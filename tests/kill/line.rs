//! A line to the PostgreSQL of this run that can be cut at a commit (F17): exactly there nobody can
//! know whether the server has taken it. It reads the client's messages just far enough to tell the
//! commits of transactions that write.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use daifa::store::Location;

use crate::stage::Stage;

/// Where the line is cut.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Counted in commits of transactions that write, from 1, over all connections.
    pub commit: u64,
    /// The server has taken it and has said so; else it never reads it.
    pub answered: bool,
}

/// Puts the stage's own URL back when it is dropped.
pub struct Line<'s> {
    stage: &'s Stage,
    url: String,
}

impl<'s> Line<'s> {
    /// Leads the stage's next daemon through a line that will be cut once.
    pub fn through(stage: &'s Stage, cut: Cut) -> Self {
        let Location::Postgres(url) = stage.location() else { panic!("no line leads to a file") };
        let (before, folder) = url.split_once("?host=").expect("the cluster's URL");
        let (_, database) = before.rsplit_once('/').expect("the cluster's URL");
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        stage.reach_by(&format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable"));
        let cutter = Arc::new(Cutter { cut, commits: AtomicU64::new(0) });
        // It ends with the test's process; whoever is at its ends has gone long before.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&socket).expect("the server is there");
                carry(client, server, &cutter);
            }
        });
        Self { stage, url: url.clone() }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.stage.reach_by(&self.url);
    }
}

struct Cutter {
    cut: Cut,
    commits: AtomicU64,
}

/// Carries one connection both ways until an end closes, or it is cut.
fn carry(client: TcpStream, server: UnixStream, cutter: &Arc<Cutter>) {
    let silent = Arc::new(AtomicBool::new(false));
    let mut answers =
        (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
    let told = Arc::clone(&silent);
    std::thread::spawn(move || {
        let mut some = [0; 16 * 1024];
        while let Ok(count @ 1..) = answers.0.read(&mut some) {
            // The commit is durable once its answer is here; the client never sees it.
            if told.load(Ordering::SeqCst) || answers.1.write_all(&some[..count]).is_err() {
                break;
            }
        }
        hang_up(&answers.1, &answers.0);
    });
    let cutter = Arc::clone(cutter);
    std::thread::spawn(move || {
        requests(&client, &server, &cutter, &silent);
        hang_up(&client, &server);
    });
}

/// An end may be closed already.
fn hang_up(client: &TcpStream, server: &UnixStream) {
    client.shutdown(Shutdown::Both).ok();
    server.shutdown(Shutdown::Both).ok();
}

/// Passes the client's messages on, up to the commit at which the line is cut.
fn requests(mut client: &TcpStream, mut server: &UnixStream, cutter: &Cutter, silent: &AtomicBool) {
    let mut spoken = Spoken::default();
    // The first message has no type.
    let mut head = 4;
    loop {
        let mut message = vec![0; head];
        if client.read_exact(&mut message).is_err() {
            return;
        }
        let length = u32::from_be_bytes(message[head - 4..].try_into().expect("four bytes"));
        message.resize(head - 4 + length as usize, 0);
        if client.read_exact(&mut message[head..]).is_err() {
            return;
        }
        if head == 5 && spoken.commits(message[0], &message[5..]) {
            let count = cutter.commits.fetch_add(1, Ordering::SeqCst) + 1;
            if count == cutter.cut.commit {
                if !cutter.cut.answered {
                    return;
                }
                silent.store(true, Ordering::SeqCst);
            }
        }
        if server.write_all(&message).is_err() {
            return;
        }
        head = 5;
    }
}

/// What a client has said on one connection, as far as it tells who writes.
#[derive(Default)]
struct Spoken {
    /// The statement that takes the writers' lock, once it was prepared.
    lock: Option<Vec<u8>>,
    writes: bool,
}

impl Spoken {
    /// Is this message the commit of a transaction that writes?
    fn commits(&mut self, kind: u8, body: &[u8]) -> bool {
        let mut words = body.split(|byte| *byte == 0);
        let (first, second) = (words.next().unwrap_or(&[]), words.next().unwrap_or(&[]));
        match kind {
            b'P' if second.starts_with(b"SELECT pg_advisory_xact_lock") => {
                self.lock = Some(first.to_vec());
            }
            b'B' if self.lock.as_deref() == Some(second) => self.writes = true,
            b'Q' if first == b"ROLLBACK" => self.writes = false,
            b'Q' if first == b"COMMIT" => return std::mem::take(&mut self.writes),
            _ => {}
        }
        false
    }
}
