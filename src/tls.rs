//! Whom to believe at the other end of TLS: the system's authorities, a file of certificates, one certificate by its
//! fingerprint, or anybody.
//!
//! Routers and firewalls nearly always have a certificate that they signed themselves, often without the name by which they are
//! reached. So a certificate that is itself in the file is believed as it is, like one whose fingerprint is given.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

/// Whom to believe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Whom the system believes.
    #[default]
    System,
    /// Who has a certificate of one of these authorities, or one of these certificates themselves; the text of a PEM
    /// file.
    Authorities(Vec<u8>),
    /// Who has the certificate with this SHA-256, whatever it says.
    Pinned([u8; 32]),
    /// Anybody.
    Anybody,
}

impl Trust {
    /// Reads the SHA-256 of a certificate, as 64 hexadecimal digits, with or without colons between them.
    pub fn pinned(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let digits = digits.strip_prefix("sha256/").unwrap_or(&digits);
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self::Pinned(pin))
    }
}

/// The fingerprint of the certificate that was shown last.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Option<[u8; 32]>>>);

impl Seen {
    /// Returns it as it is written in a configuration.
    pub fn text(&self) -> Option<String> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|bytes| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        })
    }
}

/// Makes the settings of TLS 1.2 and 1.3.
///
/// # Errors
/// Says what is wrong with the certificates.
pub fn config(trust: &Trust, seen: &Seen) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let (chain, exact) = match trust {
        Trust::System => (Some(system_roots()), Vec::new()),
        Trust::Authorities(pem) => {
            let certificates = certificates(pem)?;
            (Some(roots_of(&certificates)), certificates)
        }
        Trust::Pinned(_) | Trust::Anybody => (None, Vec::new()),
    };
    // Without any authority there is nobody to believe; that is said when somebody has to be.
    let chain = chain.filter(|roots| !roots.is_empty()).map(|roots| {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()
    });
    let chain = chain.transpose().map_err(|error| error.to_string())?;
    let verifier = Verifier {
        trust: trust.clone(),
        chain,
        exact,
        provider: Arc::clone(&provider),
        seen: seen.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verified = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(verified.with_no_client_auth())
}

fn system_roots() -> RootCertStore {
    // What cannot be loaded is believed by nobody; an empty store is said when it matters.
    roots_of(&rustls_native_certs::load_native_certs().certs)
}

fn roots_of(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("there is no certificate in it".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are believed as they are.
    exact: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fingerprint: [u8; 32] = Sha256::digest(certificate).into();
        *self.seen.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
        match &self.trust {
            Trust::Anybody => Ok(ServerCertVerified::assertion()),
            Trust::Pinned(pin) if *pin == fingerprint => Ok(ServerCertVerified::assertion()),
            Trust::Pinned(_) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ if self.exact.iter().any(|it| it == certificate) => {
                Ok(ServerCertVerified::assertion())
            }
            _ => match &self.chain {
                Some(chain) => {
                    chain.verify_server_cert(certificate, intermediates, name, ocsp, now)
                }
                None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use crate::tls::{Seen, Trust, config};

    #[test]
    fn a_pin_is_64_digits_with_or_without_colons() {
        let pin = Some(Trust::Pinned([0xab; 32]));
        assert_eq!(Trust::pinned(&"ab".repeat(32)), pin);
        assert_eq!(Trust::pinned(&["AB"; 32].join(":")), pin);
        for wrong in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(Trust::pinned(wrong), None);
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_said_to_be_one() {
        let error = config(&Trust::Authorities(b"nothing".to_vec()), &Seen::default());
        assert_eq!(error.err().as_deref(), Some("there is no certificate in it"));
    }
}
