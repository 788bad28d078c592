//! Whom a door trusts - the bank's own authority, or those of this machine, and nobody else - and who it
//! says that we are, to a bank that asks or that calls.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::transport::DoorError;

/// What we show a bank that asks who we are, or that calls us.
#[derive(Clone)]
pub struct Identity {
    /// Our certificate, and behind it what vouches for it (PEM).
    pub certificate_file: PathBuf,
    /// Its private key (PEM).
    pub key: SecretString,
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Identity({})", self.certificate_file.display())
    }
}

/// Trusts the authority in `ca_file` (PEM) alone, or without it those of this machine. Whether a
/// certificate was revoked is not asked.
///
/// # Errors
/// [`DoorError::Settings`] where there is no authority to trust, or our own certificate and key are none.
pub(crate) fn client(
    ca_file: Option<&Path>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, DoorError> {
    let roots = match ca_file {
        Some(path) => authority(path)?,
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    if roots.is_empty() {
        return Err(settings("this machine has no certificate authorities: name a ca_file"));
    }
    trusting(roots, identity)
}

/// The authority in a file (PEM), and no other.
fn authority(path: &Path) -> Result<RootCertStore, DoorError> {
    let mut roots = RootCertStore::empty();
    let unreadable = |e| settings(&format!("{}: {e}", path.display()));
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        let added = roots.add(certificate);
        added.map_err(|e| settings(&format!("{}: {e}", path.display())))?;
    }
    if roots.is_empty() {
        return Err(settings(&format!("{} holds no certificate", path.display())));
    }
    Ok(roots)
}

/// For a bank that calls us: what we show it, and where there is a `client_ca` (PEM), whose certificate
/// it must show before it may say anything. Whether that was revoked is not asked.
///
/// # Errors
/// [`DoorError::Settings`] where certificate, key or authority are none.
pub fn server(identity: &Identity, client_ca: Option<&Path>) -> Result<ServerConfig, DoorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| settings(&e.to_string()))?;
    let builder = match client_ca {
        Some(path) => {
            let roots = Arc::new(authority(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let told = |e: &dyn fmt::Display| settings(&format!("{}: {e}", path.display()));
            builder.with_client_cert_verifier(verifier.map_err(|e| told(&e))?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = shown(identity)?;
    let file = identity.certificate_file.display();
    builder.with_single_cert(chain, key).map_err(|e| settings(&format!("{file}: {e}")))
}

/// Trusts nobody: for a door that speaks in the clear, so that it can speak TLS to no one by mistake.
///
/// # Errors
/// [`DoorError::Settings`] where the TLS library cannot be set up.
pub(crate) fn no_one() -> Result<ClientConfig, DoorError> {
    trusting(RootCertStore::empty(), None)
}

fn trusting(roots: RootCertStore, identity: Option<&Identity>) -> Result<ClientConfig, DoorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| settings(&e.to_string()))?;
    let builder = builder.with_root_certificates(roots);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = shown(identity)?;
    let file = identity.certificate_file.display();
    builder.with_client_auth_cert(chain, key).map_err(|e| settings(&format!("{file}: {e}")))
}

/// Our certificate, what vouches for it, and its key.
fn shown(
    Identity { certificate_file, key }: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), DoorError> {
    let wrong = |cause: &str| settings(&format!("{}: {cause}", certificate_file.display()));
    let chain = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(&e.to_string()))?;
    // The library's words about a key could quote it.
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
        .map_err(|_| wrong("its key holds no private key (PEM)"))?;
    Ok((chain, key))
}

fn settings(cause: &str) -> DoorError {
    DoorError::Settings(cause.to_owned())
}
