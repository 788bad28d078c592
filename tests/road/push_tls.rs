//! A bank that calls us over TLS with a certificate of its own: who has none of the bank's authority
//! does not come to speak (F24).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use daifa::guard::digest::sha256;
use daifa::model::push::PushCall;
use daifa::transport::push::{Keeper, Kept, PushOptions, serve};
use daifa::transport::tls::{Identity, server};
use reqwest::header::HeaderValue;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::front::{Authority, NAME};

#[derive(Default)]
struct Shelf(Mutex<(Vec<Bytes>, Vec<PushCall>)>);

#[async_trait]
impl Keeper for Shelf {
    async fn keep(&self, message: Bytes) -> Kept {
        self.0.lock().expect("no panic inside").0.push(message);
        Kept::Now
    }

    fn count(&self, call: PushCall) {
        self.0.lock().expect("no panic inside").1.push(call);
    }
}

/// Calls over TLS; with a certificate, where the caller has one.
async fn call(port: u16, ours: &Authority, shown: Option<(String, String)>) -> Option<u16> {
    let trusted = reqwest::Certificate::from_pem(ours.pem().as_bytes()).expect("PEM");
    let mut client = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .no_proxy()
        .timeout(Duration::from_secs(5));
    if let Some((certificate, key)) = shown {
        let identity = reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes());
        client = client.identity(identity.expect("a certificate and its key"));
    }
    let url = format!("https://{NAME}:{port}/push");
    let request = client.build().expect("a client").post(url).body("<done/>");
    request.send().await.ok().map(|response| response.status().as_u16())
}

#[tokio::test]
async fn f24_only_the_bank_with_its_own_certificate_is_heard() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, banks, stranger) =
        (Authority::new("ours"), Authority::new("the bank's"), Authority::new("another"));
    let (certificate, key) = ours.server_files();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let identity =
        Identity { certificate_file: file("ours.pem", &certificate), key: SecretString::from(key) };
    let client_ca = file("bank-ca.pem", banks.pem());
    let tls = server(&identity, Some(&client_ca)).expect("it fits together");
    let agent = banks.client();
    let options = PushOptions {
        bank: "city".to_owned(),
        path: "/push".to_owned(),
        tls: Some(Arc::new(tls)),
        callers: vec![sha256(
            &rustls::pki_types::CertificateDer::from_pem_slice(agent.0.as_bytes()).expect("PEM"),
        )],
        signing: None,
        answer: String::new(),
        answer_type: HeaderValue::from_static("text/plain"),
        bytes_max: 1 << 10,
        at_once: 4,
        total_ms: 5_000,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (shelf, stop) = (Arc::new(Shelf::default()), CancellationToken::new());
    let keeper: Arc<dyn Keeper> = Arc::clone(&shelf) as Arc<dyn Keeper>;
    let serving = tokio::spawn(serve(listener, Arc::new(options), keeper, stop.clone()));

    assert_eq!(call(port, &ours, Some(agent)).await, Some(200));
    assert_eq!(call(port, &ours, Some(banks.client())).await, None, "another customer's");
    assert_eq!(call(port, &ours, None).await, None, "no certificate");
    assert_eq!(call(port, &ours, Some(stranger.client())).await, None, "another's");
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    let plain = plain.post(format!("http://{NAME}:{port}/push")).body("<done/>").send().await;
    assert!(plain.is_err(), "in the clear: {plain:?}");

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), serving).await.expect("ends").expect("well");
    let (kept, calls) = std::mem::take(&mut *shelf.0.lock().expect("no panic inside"));
    assert_eq!(kept, [Bytes::from_static(b"<done/>")]);
    let proven = calls.iter().filter(|call| **call == PushCall::Unproven).count();
    assert_eq!((calls.len(), proven), (5, 4), "{calls:?}");
}

#[test]
fn f24_what_is_no_certificate_key_or_authority_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let (certificate, key) = ours.server_files();
    let (path, none) = (folder.path().join("ours.pem"), folder.path().join("none.pem"));
    std::fs::write(&path, certificate).expect("written");
    std::fs::write(&none, "nothing").expect("written");
    let told = |key: String, ca: Option<&std::path::Path>| {
        let identity = Identity { certificate_file: path.clone(), key: SecretString::from(key) };
        server(&identity, ca).err().map(|cause| cause.to_string()).unwrap_or_default()
    };
    assert_eq!(told(key.clone(), None), "");
    let secret = told("hunter2".to_owned(), None);
    assert!(secret.contains("holds no private key") && !secret.contains("hunter2"), "{secret}");
    assert!(told(other.server_files().1, None).contains("ours.pem"), "a key of another");
    assert!(told(key, Some(&none)).contains("holds no certificate"));
}
