//! What a simulated device shows of itself in TLS: a certificate that it has signed itself.

use std::io;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A certificate with its private key, both in DER.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// The key, as PKCS #8.
    pub key: Zeroizing<Vec<u8>>,
}

/// What PKCS #8 puts before the 32 bytes of an Ed25519 key (RFC 8410, section 7).
const ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl Certificate {
    /// Makes a certificate of a device on the loopback, always the same from the same key.
    pub(super) fn self_signed(key: &[u8; 32], of: &str) -> io::Result<Self> {
        let key = Zeroizing::new([&ED25519[..], key].concat());
        let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.as_slice()));
        let pair = pair.map_err(io::Error::other)?;
        let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, of);
        let made = params.self_signed(&pair).map_err(io::Error::other)?;
        Ok(Self { der: made.der().to_vec(), key })
    }

    /// Returns its SHA-256, as `tls_pin_sha256` takes it.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.der).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
