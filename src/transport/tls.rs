//! Whom a door trusts: the bank's own authority, or those of this machine, and nobody else.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::transport::DoorError;

/// Trusts the authority in `ca_file` (PEM) alone, or without it those of this machine. Whether a
/// certificate was revoked is not asked.
///
/// # Errors
/// [`DoorError::Settings`] where there is no authority to trust.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, DoorError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let unreadable = |e| settings(&format!("{}: {e}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            let certificate = certificate.map_err(unreadable)?;
            let added = roots.add(certificate);
            added.map_err(|e| settings(&format!("{}: {e}", path.display())))?;
        }
        if roots.is_empty() {
            return Err(settings(&format!("{} holds no certificate", path.display())));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(settings("this machine has no certificate authorities: name a ca_file"));
        }
    }
    trusting(roots)
}

/// Trusts nobody: for a door that speaks in the clear, so that it can speak TLS to no one by mistake.
///
/// # Errors
/// [`DoorError::Settings`] where the TLS library cannot be set up.
pub(crate) fn no_one() -> Result<ClientConfig, DoorError> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, DoorError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| settings(&e.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn settings(cause: &str) -> DoorError {
    DoorError::Settings(cause.to_owned())
}
