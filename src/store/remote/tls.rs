//! TLS to a store: whom to believe at the other end, and nothing else.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Makes the settings of TLS 1.2 and 1.3: the authorities of a PEM file, or those of the system.
///
/// # Errors
/// Says what is wrong with the certificates.
pub(super) fn config(authorities: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let certificates = certificates.map_err(|error| error.to_string())?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err("there is no certificate of an authority in the file".to_owned());
            }
        }
        // What cannot be loaded is believed by nobody, and the handshake says so.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Returns whether a host is this machine, so that what is sent to it in clear is seen by nobody.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use crate::store::remote::tls::{config, is_loopback};

    #[test]
    fn a_file_without_a_certificate_is_said_to_be_one() {
        let error = config(Some(b"nothing")).err();
        assert_eq!(error.as_deref(), Some("there is no certificate of an authority in the file"));
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for here in ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", ""] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
