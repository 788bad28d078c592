//! Where a practice bank that is called listens: in the clear or by TLS, and not at all while it has an
//! outage, so that whoever calls then is refused as by a machine that is down.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{self, AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::sandbox::bank::BankError;
use crate::sandbox::bank_desk::Desk;
use crate::transport::tls::{Identity, server};

/// How long a caller has for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Before a port that somebody else has taken meanwhile is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a practice bank shows who calls it by TLS (PEM files).
#[derive(Debug, Clone)]
pub struct Shown {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates callers must show, where it asks who calls.
    pub client_ca: Option<PathBuf>,
}

/// A caller.
pub trait Caller: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Caller for T {}

/// A listener of a practice bank.
pub struct Listening {
    listener: Option<TcpListener>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    desk: Arc<Desk>,
}

impl Listening {
    /// # Errors
    /// The address is taken, or the certificate is none.
    pub async fn open(desk: &Arc<Desk>, listen: SocketAddr) -> Result<Self, BankError> {
        let listener = TcpListener::bind(listen).await.map_err(BankError::Listen)?;
        let address = listener.local_addr().map_err(BankError::Listen)?;
        let tls = desk.options.shown.as_ref().map(acceptor).transpose()?;
        Ok(Self { listener: Some(listener), address, tls, desk: Arc::clone(desk) })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next caller who is let in.
    pub async fn accept(&mut self) -> (Box<dyn Caller>, SocketAddr) {
        loop {
            match self.next().await {
                Ok((stream, from)) => match self.let_in(stream).await {
                    Ok(caller) => return (caller, from),
                    Err(e) => tracing::debug!(cause = e.to_string(), "a caller gave up"),
                },
                Err(e) => {
                    tracing::warn!(cause = e.to_string(), "a caller was lost");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let outage = self.desk.faults().outage;
            if let Some(left) = outage.and_then(|outage| outage.left_ms(self.desk.now())) {
                self.listener = None;
                tokio::time::sleep(millis(left)).await;
                continue;
            }
            let listener = match self.listener.take() {
                Some(listener) => listener,
                None => TcpListener::bind(self.address).await?,
            };
            let listener = self.listener.insert(listener);
            let Some(outage) = outage else { return listener.accept().await };
            let open = millis(outage.begins_in_ms(self.desk.now()));
            if let Ok(accepted) = timeout(open, listener.accept()).await {
                return accepted;
            }
        }
    }

    async fn let_in(&self, stream: TcpStream) -> io::Result<Box<dyn Caller>> {
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let shaken = timeout(HANDSHAKE, tls.accept(stream)).await;
        Ok(Box::new(shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??))
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

fn acceptor(shown: &Shown) -> Result<TlsAcceptor, BankError> {
    let told = |path: &Path, cause: String| BankError::Shown { path: path.to_owned(), cause };
    let key =
        std::fs::read_to_string(&shown.key).map_err(|cause| told(&shown.key, cause.to_string()))?;
    let certificate_file = shown.certificate.clone();
    let identity = Identity { certificate_file, key: SecretString::from(key) };
    let config = server(&identity, shown.client_ca.as_deref())
        .map_err(|cause| told(&shown.certificate, cause.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
