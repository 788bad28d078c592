//! A front that speaks TLS, with any certificate, before a counterpart that speaks plain HTTP; and
//! fronts that speak something else. It counts what gets through, and keeps how each caller began.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The name that the certificates are for, and that resolves to this machine.
pub const NAME: &str = "localhost";

/// An authority of a test's own.
pub struct Authority(Issuer<'static, KeyPair>, String);

/// A certificate with its key, as a server shows it.
pub struct Shown(CertificateDer<'static>, PrivateKeyDer<'static>);

pub fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// The parameters of a good server certificate.
pub fn server(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2090, 1, 1);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key();
        let pem = params.self_signed(&key).expect("signs").pem();
        Self(Issuer::new(params, key), pem)
    }

    /// What a config's `ca_file` holds.
    pub fn pem(&self) -> &str {
        &self.1
    }

    /// A client's certificate and key, as files hold them (PEM).
    pub fn client(&self) -> (String, String) {
        let mut params = server("agent");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("signs");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server's certificate and key, as files hold them (PEM).
    pub fn server_files(&self) -> (String, String) {
        let key = key();
        let certificate = server(NAME).signed_by(&key, &self.0).expect("signs");
        (certificate.pem(), key.serialize_pem())
    }

    pub fn signs(&self, params: &CertificateParams) -> Shown {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("signs");
        Shown(certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A certificate that vouches for itself.
pub fn self_signed(params: &CertificateParams) -> Shown {
    let key = key();
    let certificate = params.self_signed(&key).expect("signs");
    Shown(certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

impl Shown {
    /// Shows this, and asks callers for a certificate that `authority` signed.
    pub fn asking(self, authority: &Authority) -> Manner {
        let mut roots = rustls::RootCertStore::empty();
        let trusted = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM");
        roots.add(trusted).expect("an authority");
        let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots));
        let config =
            ServerConfig::builder().with_client_cert_verifier(verifier.build().expect("roots"));
        let Self(certificate, key) = self;
        let config = config.with_single_cert(vec![certificate], key).expect("they fit");
        Manner::Tls(Arc::new(config))
    }
}

/// What a front does with a caller.
#[derive(Clone)]
pub enum Manner {
    /// Speaks TLS and passes on what comes through.
    Tls(Arc<ServerConfig>),
    /// Sends these bytes, whatever was said.
    Says(&'static [u8]),
    /// Takes the connection and never says anything.
    Silent,
}

impl From<Shown> for Manner {
    fn from(Shown(certificate, key): Shown) -> Self {
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key).expect("they fit");
        Self::Tls(Arc::new(config))
    }
}

pub struct Front {
    pub port: u16,
    manner: Mutex<Manner>,
    behind: SocketAddr,
    /// Connections on which a request got through to what is behind.
    through: AtomicUsize,
    /// The first byte of each caller: 22 is a TLS handshake, a letter is HTTP in the clear.
    begun: Mutex<Vec<u8>>,
    /// Why handshakes failed, in the words of the caller's alert.
    alerts: Mutex<Vec<String>>,
}

impl Front {
    pub async fn open(behind: SocketAddr, manner: impl Into<Manner>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let front = Arc::new(Self {
            port: listener.local_addr().expect("an address").port(),
            manner: Mutex::new(manner.into()),
            behind,
            through: AtomicUsize::new(0),
            begun: Mutex::default(),
            alerts: Mutex::default(),
        });
        let serving = Arc::clone(&front);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(caller));
            }
        });
        front
    }

    /// As when somebody renews a certificate.
    pub fn becomes(&self, manner: impl Into<Manner>) {
        *self.manner.lock().expect("no panic inside") = manner.into();
    }

    pub fn through(&self) -> usize {
        self.through.load(Ordering::SeqCst)
    }

    pub fn begun(&self) -> Vec<u8> {
        self.begun.lock().expect("no panic inside").clone()
    }

    pub fn alerts(&self) -> String {
        self.alerts.lock().expect("no panic inside").join("; ")
    }

    async fn serve(self: Arc<Self>, mut caller: TcpStream) {
        let mut first = [0];
        if caller.peek(&mut first).await.is_ok_and(|count| count == 1) {
            self.begun.lock().expect("no panic inside").push(first[0]);
        }
        let manner = self.manner.lock().expect("no panic inside").clone();
        match manner {
            Manner::Tls(config) => match TlsAcceptor::from(config).accept(caller).await {
                Ok(caller) => self.pass(caller).await,
                Err(cause) => {
                    self.alerts.lock().expect("no panic inside").push(cause.to_string());
                }
            },
            Manner::Says(bytes) => {
                // A caller that is answered with its words unread is reset, not answered.
                let mut hello = [0; 4096];
                if caller.read(&mut hello).await.is_ok_and(|count| count > 0) {
                    caller.write_all(bytes).await.ok();
                }
            }
            Manner::Silent => tokio::time::sleep(std::time::Duration::from_mins(1)).await,
        }
    }

    /// Passes one request and its answer on.
    async fn pass(&self, mut caller: tokio_rustls::server::TlsStream<TcpStream>) {
        let mut first = [0; 4096];
        // A caller that refuses our certificate after its own handshake says so here.
        let count = match caller.read(&mut first).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(cause) => {
                self.alerts.lock().expect("no panic inside").push(cause.to_string());
                return;
            }
        };
        self.through.fetch_add(1, Ordering::SeqCst);
        let mut behind = TcpStream::connect(self.behind).await.expect("it is there");
        behind.write_all(&first[..count]).await.expect("it listens");
        tokio::io::copy_bidirectional(&mut caller, &mut behind).await.ok();
    }
}
