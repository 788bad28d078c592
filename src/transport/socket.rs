//! A message to the bank on a connection of its own, and the answer on the same connection.
//!
//! There is no protocol between the bank and us but the message itself, so the only question that the
//! line can answer is where a message ends ([`Ending`]): a header says it, or the other side closes.
//! What a header says is a stranger's number. It is held against a cap before anything is allocated,
//! and bytes are kept only as they come.
//!
//! Where the bank wants it, the connection stays between messages ([`Staying`]). It then carries one
//! message at a time, proves itself by a heartbeat before it is used again after a pause, and is given
//! up after anything but a whole answer, and where anything lies behind one: an answer that comes late, or one
//! too many, must not be taken for the next one.
//!
//! The first byte of the message is the commit point. What fails before it - name, connection, TLS - is
//! not sent; from it on, all but one whole message is unknown.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::guard::trust::distrust;
use crate::model::attempt::Committed;
use crate::transport::talk::{Heard, Talk, Unasked, Wire, lying};
use crate::transport::tls::Identity;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport, check_parts, tls};

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 16 * 1024;
/// A connection that was used so short a time ago needs no proof that it still works.
const FRESH: Duration = Duration::from_millis(200);

/// Where a message from the bank ends.
pub trait Ending: Send + Sync {
    /// How many bytes the header in front of it has; nothing where it ends with the connection.
    fn header_bytes(&self) -> Option<usize>;

    /// How many bytes it has, header and all.
    ///
    /// # Errors
    /// In words why the header does not say it.
    fn message_bytes(&self, header: &[u8]) -> Result<u64, String>;
}

/// Where and how a bank takes messages.
pub struct SocketOptions {
    /// `host:port`.
    pub address: String,
    pub security: Security,
    /// The most time for name, connection and handshake.
    pub connect_ms: u64,
    /// The most time for everything, to the last byte of the answer.
    pub total_ms: u64,
    /// The most bytes of an answer.
    pub answer_bytes_max: usize,
    pub ending: Arc<dyn Ending>,
    /// A connection for each message, where it is nothing.
    pub staying: Option<Staying>,
}

/// A connection that stays between messages, and what keeps it alive.
#[derive(Debug, Clone)]
pub struct Staying {
    /// What is said while there is nothing to say, header and all, and what the bank must answer.
    pub heartbeat: Bytes,
    pub answer: Bytes,
    pub every_ms: u64,
}

/// Who may listen in between.
#[derive(Debug, Clone)]
pub enum Security {
    /// TLS 1.2 or later, to the host's name, of the authority in `ca_file` or of one of this machine; and
    /// who we are, where the bank asks.
    Tls { ca_file: Option<PathBuf>, identity: Option<Identity> },
    /// Nobody may: a line that the bank and we have to ourselves. Said in the config, never a way out
    /// where TLS fails (F24).
    Plain,
}

/// The door made of a socket.
pub struct Socket(Arc<Counterpart>);

struct Counterpart {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect: Duration,
    total: Duration,
    answer_bytes_max: usize,
    ending: Arc<dyn Ending>,
    staying: Option<Staying>,
    kept: tokio::sync::Mutex<Option<Kept>>,
    unasked: Unasked,
    /// Connections that were opened to stay.
    opened: AtomicU64,
}

/// A connection between two messages.
struct Kept {
    wire: Box<dyn Wire>,
    used: Instant,
    number: u64,
}

impl Socket {
    /// # Errors
    /// [`DoorError::Settings`] where the address, the certificate file or a limit cannot work.
    pub fn new(options: SocketOptions) -> Result<Self, DoorError> {
        let host = options
            .address
            .rsplit_once(':')
            .filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let Some((host, _)) = host else {
            return Err(settings("address: it is a host and a port, like bank.example:6000"));
        };
        if options.connect_ms == 0 || options.total_ms == 0 || options.answer_bytes_max == 0 {
            return Err(settings("a time or an answer of nothing lets nothing through"));
        }
        if options.ending.header_bytes().is_some_and(|bytes| bytes > options.answer_bytes_max) {
            return Err(settings("answer_bytes_max: a header alone is longer"));
        }
        if let Some(staying) = &options.staying {
            if options.ending.header_bytes().is_none() {
                let cause = "session: without a frame, an answer ends with its connection";
                return Err(settings(cause));
            }
            if staying.every_ms == 0 || staying.heartbeat.is_empty() || staying.answer.is_empty() {
                return Err(settings("session: a heartbeat has a time, a text and an answer"));
            }
        }
        let tls = match &options.security {
            Security::Plain => None,
            Security::Tls { ca_file, identity } => {
                let name = server_name(host)?;
                let client = tls::client(ca_file.as_deref(), identity.as_ref())?;
                Some((TlsConnector::from(Arc::new(client)), name))
            }
        };
        Ok(Self(Arc::new(Counterpart {
            address: options.address,
            tls,
            connect: Duration::from_millis(options.connect_ms),
            total: Duration::from_millis(options.total_ms),
            answer_bytes_max: options.answer_bytes_max,
            ending: options.ending,
            staying: options.staying,
            kept: tokio::sync::Mutex::new(None),
            unasked: Unasked::default(),
            opened: AtomicU64::new(0),
        })))
    }
}

impl Counterpart {
    async fn exchange(self: &Arc<Self>, parts: &[OutPart]) -> Sent {
        let message = match (check_parts(parts), parts) {
            (Ok(()), [message]) => message.bytes.clone(),
            (Ok(()), _) => {
                return not_sent("this door takes a message of one part".to_owned());
            }
            (Err(cause), _) => return not_sent(cause),
        };
        let talk = Talk::default();
        timeout(self.total, self.talk(&talk, &message)).await.unwrap_or_else(|_| {
            let cause = format!("no whole answer within {} ms", self.total.as_millis());
            if talk.begun.load(Ordering::SeqCst) { talk.unknown(cause) } else { not_sent(cause) }
        })
    }

    async fn talk(self: &Arc<Self>, talk: &Talk, message: &Bytes) -> Sent {
        let Some(staying) = &self.staying else {
            return match self.open().await {
                Ok(mut wire) => {
                    let sent = self.say(talk, wire.as_mut(), message).await;
                    if matches!(sent, Sent::Accepted { answer: _ }) {
                        self.is_quiet(wire.as_mut());
                    }
                    sent
                }
                Err(cause) => not_sent(cause),
            };
        };
        let mut kept = self.kept.lock().await;
        let (mut wire, number) = match self.proved(&mut kept, staying).await {
            Some(proved) => proved,
            None => match self.open().await {
                Ok(wire) => {
                    let number = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
                    tokio::spawn(beat(Arc::downgrade(self), number));
                    (wire, number)
                }
                Err(cause) => return not_sent(cause),
            },
        };
        let sent = self.say(talk, wire.as_mut(), message).await;
        if matches!(sent, Sent::Accepted { answer: _ }) {
            *kept = Some(Kept { wire, used: Instant::now(), number });
        }
        sent
    }

    /// The kept connection, if it still works; it is no longer kept while it is used.
    async fn proved(
        &self,
        kept: &mut Option<Kept>,
        staying: &Staying,
    ) -> Option<(Box<dyn Wire>, u64)> {
        let Kept { mut wire, used, number } = kept.take()?;
        let works = self.is_quiet(wire.as_mut())
            && (used.elapsed() < FRESH || self.beats(wire.as_mut(), staying).await)
            && self.is_quiet(wire.as_mut());
        if !works {
            let address = &self.address;
            tracing::info!(
                address,
                "a connection that stayed is given up: it ended, or more came on it than was asked for"
            );
        }
        works.then_some((wire, number))
    }

    /// Says the heartbeat and hears its answer, within the time to connect.
    async fn beats(&self, wire: &mut dyn Wire, staying: &Staying) -> bool {
        let talk = Talk::default();
        let said = async {
            wire.write_all(&staying.heartbeat).await.ok()?;
            wire.flush().await.ok()?;
            self.framed(&talk, wire, self.ending.header_bytes()?).await.ok()
        };
        let said = timeout(self.connect, said).await;
        matches!(said, Ok(Some(()))) && talk.heard() == staying.answer
    }

    /// Does nothing lie on a connection on which nothing is due, and has it not ended? What lies there would be
    /// taken for the answer to what is said next; it is kept for people.
    fn is_quiet(&self, wire: &mut dyn Wire) -> bool {
        let (lies, ended) = lying(wire, self.answer_bytes_max);
        let quiet = lies.is_empty() && !ended;
        let beat = self.staying.as_ref().map(|staying| &staying.answer);
        self.unasked.keep(lies, self.ending.as_ref(), beat, &self.address);
        quiet
    }

    /// A new connection, with nothing said on it.
    async fn open(&self) -> Result<Box<dyn Wire>, String> {
        let connected = async {
            let stream = TcpStream::connect(&self.address).await.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            let Some((connector, name)) = &self.tls else {
                return Ok(Box::new(stream) as Box<dyn Wire>);
            };
            match connector.connect(name.clone(), stream).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Wire>),
                Err(e) => Err(distrust(&e).unwrap_or_else(|| e.to_string())),
            }
        };
        let cause = match timeout(self.connect, connected).await {
            Ok(Ok(wire)) => return Ok(wire),
            Ok(Err(cause)) => cause,
            Err(_) => format!("timed out after {} ms", self.connect.as_millis()),
        };
        Err(format!("{} cannot be reached: {cause}", self.address))
    }

    /// Says the message and hears the answer; nothing in here is "not sent".
    async fn say(&self, talk: &Talk, stream: &mut dyn Wire, message: &Bytes) -> Sent {
        talk.begun.store(true, Ordering::SeqCst);
        let header = self.ending.header_bytes();
        let said = async {
            stream.write_all(message).await?;
            stream.flush().await?;
            // Without a header the end of our message is the end of what we say.
            if header.is_none() { stream.shutdown().await } else { Ok(()) }
        };
        if let Err(e) = said.await {
            return talk.unknown(format!("the connection broke while the message went: {e}"));
        }
        let heard = match header {
            Some(header) => self.framed(talk, stream, header).await,
            None => self.to_the_end(talk, stream).await,
        };
        match heard {
            Ok(()) => Sent::Accepted { answer: Some(talk.heard()) },
            Err(cause) => talk.unknown(cause),
        }
    }

    /// Reads a header, and as much as it says. What comes behind is no part of the answer: whether it lies in the
    /// same packet is chance, and chance must not decide what became of a batch. As far as it is there it is kept
    /// ([`Counterpart::is_quiet`]).
    async fn framed(&self, talk: &Talk, stream: &mut dyn Wire, header: usize) -> Heard {
        self.up_to(talk, stream, header).await?;
        let begun = talk.heard();
        let stated = self
            .ending
            .message_bytes(begun.get(..header).unwrap_or_default())
            .map_err(|cause| format!("the answer's header cannot be read: {cause}"))?;
        let most = self.answer_bytes_max;
        let whole =
            usize::try_from(stated).ok().filter(|bytes| *bytes <= most).ok_or_else(|| {
                format!("the answer's header says {stated} bytes; the most that is read is {most}")
            })?;
        self.up_to(talk, stream, whole).await
    }

    /// Reads until the bank closes.
    async fn to_the_end(&self, talk: &Talk, stream: &mut dyn Wire) -> Heard {
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        loop {
            match stream.read(&mut chunk).await {
                Ok(0) if talk.length() == 0 => {
                    return Err("the bank closed the connection without an answer".to_owned());
                }
                Ok(0) => return Ok(()),
                Ok(n) => talk.keep(chunk.get(..n).unwrap_or_default(), self.answer_bytes_max)?,
                Err(e) => return Err(format!("the bank's answer broke off: {e}")),
            }
        }
    }

    /// Reads on until so many bytes were heard; an end before is too early.
    async fn up_to(&self, talk: &Talk, stream: &mut dyn Wire, wanted: usize) -> Heard {
        let mut chunk = vec![0_u8; CHUNK_BYTES.min(wanted)];
        loop {
            let left = wanted.saturating_sub(talk.length()).min(chunk.len());
            let Some(room) = chunk.get_mut(..left).filter(|room| !room.is_empty()) else {
                return Ok(());
            };
            match stream.read(room).await {
                Ok(0) if talk.length() == 0 => {
                    return Err("the bank closed the connection without an answer".to_owned());
                }
                Ok(0) => {
                    return Err(format!("the answer broke off after {} bytes", talk.length()));
                }
                Ok(n) => talk.keep(room.get(..n).unwrap_or_default(), self.answer_bytes_max)?,
                Err(e) => return Err(format!("the bank's answer broke off: {e}")),
            }
        }
    }
}

/// Keeps a connection alive until it is given up, or the door is.
async fn beat(counterpart: Weak<Counterpart>, number: u64) {
    loop {
        let Some(every) =
            counterpart.upgrade().and_then(|all| Some(all.staying.as_ref()?.every_ms))
        else {
            return;
        };
        tokio::time::sleep(Duration::from_millis(every)).await;
        let Some(all) = counterpart.upgrade() else { return };
        let Some(staying) = &all.staying else { return };
        let mut kept = all.kept.lock().await;
        if kept.as_ref().is_none_or(|kept| kept.number != number) {
            return;
        }
        let Some(Kept { mut wire, used, number }) = kept.take() else { return };
        if used.elapsed() < Duration::from_millis(every) {
            *kept = Some(Kept { wire, used, number });
        } else if all.is_quiet(wire.as_mut()) && all.beats(wire.as_mut(), staying).await {
            *kept = Some(Kept { wire, used: Instant::now(), number });
        } else {
            tracing::info!(address = all.address, "the bank has ended a quiet connection");
            return;
        }
    }
}

#[async_trait]
impl Transport for Socket {
    async fn send(&self, _committed: &Committed, parts: &[OutPart]) -> Sent {
        self.0.exchange(parts).await
    }

    fn may_be_earlier(&self) -> bool {
        self.0.staying.is_some()
    }

    fn can_look(&self) -> bool {
        false
    }

    fn unasked(&self) -> Vec<Bytes> {
        self.0.unasked.take()
    }

    async fn lies_there(&self, _parts: &[OutPart]) -> bool {
        false
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        match self.0.exchange(parts).await {
            Sent::Accepted { answer } => Asked::Answer(answer.unwrap_or_default()),
            Sent::Unknown { cause, evidence: _ } if self.may_be_earlier() => {
                Asked::Unanswered { cause }
            }
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
        "the first byte of the message, once there is a connection"
    }
}

/// The name that a certificate must be for: a host's, or an address written as a number.
fn server_name(host: &str) -> Result<ServerName<'static>, DoorError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(number) => Ok(ServerName::from(number)),
        Err(_) => ServerName::try_from(bare.to_owned())
            .map_err(|_| settings(&format!("address: {host:?} is no name of a host"))),
    }
}

fn settings(cause: &str) -> DoorError {
    DoorError::Settings(cause.to_owned())
}

const fn not_sent(cause: String) -> Sent {
    Sent::NotSent { cause }
}
