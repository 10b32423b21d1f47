//! Why there is no answer, in words for people: what is the same for every device, and what to do about it.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// What is said of one kind of device.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What it is called.
    pub device: &'static str,
    /// What to do when no connection comes about, besides looking at the URL.
    pub unreachable: &'static [&'static str],
    /// What to do when it takes too long.
    pub slow: &'static str,
    /// What to do when a connection ends before the answer.
    pub lost: &'static [&'static str],
    /// What to do when it offers no TLS that is safe.
    pub unsafe_tls: &'static str,
    /// What to do when it speaks no TLS.
    pub no_tls: &'static str,
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// What to go by.
    pub kind: SilenceKind,
    /// Why, as a clause.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// How far a request came that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceKind {
    /// No connection came about.
    Unreachable,
    /// The other end is not believed.
    NotTrusted,
    /// No answer came in time.
    Timeout,
    /// The connection ended before the answer did.
    Lost,
}

impl Silence {
    fn new<'a>(
        kind: SilenceKind,
        reason: impl Into<String>,
        hints: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let hints = hints.into_iter().map(str::to_owned).collect();
        Self { kind, reason: reason.into(), hints }
    }
}

/// Explains why there is no answer. The fingerprint is that of the certificate that was shown.
pub fn silence(
    error: &reqwest::Error,
    timeout: Duration,
    fingerprint: Option<&str>,
    words: &Words,
) -> Silence {
    // One in the middle of an answer says nothing of whom to believe.
    if let Some(tls) = find::<TlsError>(error).filter(|_| error.is_connect()) {
        return tls_failed(tls, fingerprint, words);
    }
    let io = find::<std::io::Error>(error).map(std::io::Error::kind);
    if error.is_connect() {
        return not_connected(error, io, words);
    }
    if error.is_timeout() {
        let reason = format!("no answer within {} s", timeout.as_secs_f32());
        return Silence::new(SilenceKind::Timeout, reason, [words.slow]);
    }
    let reason = "the connection ended before the answer did";
    Silence::new(SilenceKind::Lost, reason, words.lost.iter().copied())
}

fn not_connected(error: &reqwest::Error, io: Option<ErrorKind>, words: &Words) -> Silence {
    let why = match io {
        _ if error.is_timeout() => "no connection within 10 s".to_owned(),
        Some(ErrorKind::ConnectionRefused) => "the connection is refused".to_owned(),
        Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            "the connection is closed before anything is said".to_owned()
        }
        _ => innermost(error),
    };
    let reach = format!("check `api_url`, and that the {} can be reached from here", words.device);
    let hints = [reach.as_str()].into_iter().chain(words.unreachable.iter().copied());
    Silence::new(SilenceKind::Unreachable, why, hints)
}

fn tls_failed(error: &TlsError, fingerprint: Option<&str>, words: &Words) -> Silence {
    let pin = fingerprint.map(|it| {
        let device = words.device;
        format!("if the {device}'s own certificate has the SHA-256 {it}, write `tls_pin_sha256 = \"{it}\"`")
    });
    let pin = pin.as_deref().unwrap_or("write the SHA-256 of its certificate as `tls_pin_sha256`");
    let not_trusted =
        |reason: &str, hint: &str| Silence::new(SilenceKind::NotTrusted, reason, [hint, pin]);
    match error {
        TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            not_trusted(
                "it shows another certificate than the one in `tls_pin_sha256`",
                "somebody made a new certificate, or something else answers: look before you change the pin",
            )
        }
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => not_trusted(
            "its certificate is signed by nobody who is known here",
            "name the certificate, or the authority that signed it, as `ca_file`",
        ),
        TlsError::InvalidCertificate(error) => not_trusted(
            &format!("its certificate is not valid: {error}"),
            "name the certificate itself as `ca_file`, or make one for the address in `api_url`",
        ),
        TlsError::AlertReceived(AlertDescription::HandshakeFailure) => Silence::new(
            SilenceKind::NotTrusted,
            "it offers no way to talk that is safe",
            [words.unsafe_tls],
        ),
        error => Silence::new(SilenceKind::NotTrusted, format!("no TLS: {error}"), [words.no_tls]),
    }
}

/// Finds an error among the sources of another one. An error of the system hides its own behind itself.
fn find<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn innermost(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
