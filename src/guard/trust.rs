//! Why the other end of a connection was not trusted, in words for whoever must mend it.
//!
//! The library's own words are a programmer's (`UnknownIssuer`, seconds since 1970). Both doors ask
//! here, so a bank and finance are refused for the same reasons in the same words. What is not asked
//! at all is whether a certificate was revoked: that needs lists or a service of the authority, which
//! a bank's private network mostly does not reach; a certificate that must not be trusted any more
//! is taken out of trust by replacing the `ca_file`.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

/// What a failed call says where it failed because the other end could not be trusted; nothing
/// where it failed for another reason. Holds no more of a certificate than its names and times.
pub fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    tls_error(error).map(words)
}

/// The TLS library's error among the causes; an I/O error hides it from the chain.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => cause.source(),
        };
    }
    None
}

fn words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(cause) => certificate(cause),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers there does not speak TLS; nothing was sent in the clear".to_owned()
        }
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "it speaks no TLS 1.2 or later, and less is not spoken here".to_owned()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("it ended the TLS handshake with the alert {alert:?}")
        }
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn certificate(cause: &CertificateError) -> String {
    match cause {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}", day(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid before {}", day(*not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented }
            if presented.is_empty() =>
        {
            format!(
                "its certificate bears no name (subject alternative name), and {} is expected",
                expected.to_str()
            )
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", ");
            format!("its certificate is for {names}, not for {}", expected.to_str())
        }
        CertificateError::UnknownIssuer => {
            "its certificate is signed by an authority that is not trusted here; see ca_file"
                .to_owned()
        }
        CertificateError::BadSignature => {
            "its certificate is not signed by the authority that it names".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate is signed by a method that is not trusted, like SHA-1".to_owned()
        }
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            "its certificate is not one for servers".to_owned()
        }
        other => format!("its certificate is not valid: {other}"),
    }
}

/// `DnsName("bank.example")` without what is the library's.
fn bare(name: &str) -> String {
    let inside = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inside.unwrap_or(name).chars().filter(|c| !c.is_control()).take(100).collect()
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(moment) => moment.to_zoned(TimeZone::UTC).date().to_string(),
        Err(_) => format!("second {seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f24_a_cause_is_found_inside_io_errors_and_told_in_words() {
        let not_after = UnixTime::since_unix_epoch(std::time::Duration::from_hours(18_628 * 24));
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_hours(20_782 * 24));
        let cause = CertificateError::ExpiredContext { time, not_after };
        let inner = io::Error::other(rustls::Error::InvalidCertificate(cause));
        let outer = io::Error::other(inner);
        assert_eq!(distrust(&outer).as_deref(), Some("its certificate expired on 2021-01-01"));
        assert_eq!(distrust(&io::Error::other("the cable is out")), None);
        let expected = rustls::pki_types::ServerName::try_from("bank.example").expect("a name");
        let nameless = |presented| {
            let expected = expected.clone();
            certificate(&CertificateError::NotValidForNameContext { expected, presented })
        };
        let none = "its certificate bears no name (subject alternative name), and bank.example is expected";
        assert_eq!(nameless(Vec::new()), none);
        let other = vec!["DnsName(\"city.example\")".to_owned()];
        assert_eq!(nameless(other), "its certificate is for city.example, not for bank.example");
        assert_eq!(bare("DnsName(\"bank.example\")"), "bank.example");
    }
}
