//! Why a request failed: the words of the router, or of the way to it, as a cause, a reason and what to do.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use serde_json::Value as Json;

use crate::backend::BackendError;
use crate::backend::routeros::client::body::mend;

/// A request failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What to tell.
    pub error: BackendError,
    /// What to go by.
    pub cause: Cause,
    /// Whether the router may have done what it was asked for. Then it is read again before anything else.
    pub may_have_changed: bool,
}

/// Why a request failed, as far as anybody decides by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No connection came about.
    Unreachable,
    /// The other end is not believed to be the router.
    NotTrusted,
    /// No answer came in time. Every connection was dropped since, and a while waited.
    Silent,
    /// The connection ended before the answer did.
    Lost,
    /// The user or the password is not accepted.
    Unauthorized,
    /// The user may not do this.
    NotPermitted,
    /// There is no such object.
    NotFound,
    /// The router took longer than it allows itself.
    TooSlow,
    /// The router refuses, in these words.
    Refused(String),
    /// What came is not what a router answers.
    Unreadable,
}

impl Cause {
    /// Returns whether the router has something of that name or key already, and has made nothing.
    pub(in crate::backend::routeros) fn is_taken(&self) -> bool {
        matches!(self, Self::Refused(words) if words.starts_with("failure: already have ")
            || words == "failure: entry already exists")
    }
}

/// A cause, with its words.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) reason: String,
    pub(super) hints: Vec<String>,
}

impl Reason {
    pub(super) fn new<const N: usize>(
        cause: Cause,
        reason: impl Into<String>,
        hints: [&str; N],
    ) -> Self {
        let hints = hints.into_iter().map(str::to_owned).collect();
        Self { cause, reason: reason.into(), hints }
    }

    /// Returns whether asking again may help, for a request that changes nothing.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.cause, Cause::Lost | Cause::TooSlow | Cause::Unreadable)
    }
}

/// What a request was, as far as its failure depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Add,
    Set,
    Remove,
    Command,
}

/// Explains an answer that is an error.
pub(super) fn refused(verb: Verb, status: u16, body: &[u8]) -> Reason {
    let json: Option<Json> = serde_json::from_slice(&mend(body)).ok();
    let Some(json) = json.filter(|json| json.get("error").is_some()) else {
        return no_router(status, body);
    };
    let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (message, detail) = (text("message"), text("detail"));
    match (status, detail.as_str()) {
        (401, _) => Reason::new(
            Cause::Unauthorized,
            "the router does not accept the user or the password (401)",
            [
                "check `api_user` and `api_password`",
                "the user's group needs the policies `rest-api`, `api` and `read`, and `write` to change anything",
            ],
        ),
        (404, _) => Reason::new(
            Cause::NotFound,
            "the router has no such object (404)",
            ["somebody removed it since it was read: plan again"],
        ),
        (500, "std failure: not allowed (9)") => not_permitted(&detail, "`api`"),
        (_, "not enough permissions (9)") => {
            not_permitted(&detail, if verb == Verb::Read { "`read`, or `test`" } else { "`write`" })
        }
        (400, "missing or invalid resource identifier") if verb == Verb::Set => Reason::new(
            Cause::Refused(detail.clone()),
            format!("{detail} (400)"),
            [
                "a router says so when the user's group lacks the policy `write`: add it; it counts within ten minutes",
                "or somebody removed the object since it was read: plan again",
            ],
        ),
        (_, "Session closed") => Reason::new(
            Cause::TooSlow,
            "the router closed the session: a command took longer than 60 seconds, this one or one before it",
            [
                "give wgform a user of its own, so that it does not wait behind others",
                "see what keeps the router busy, and try again",
            ],
        ),
        (_, detail) => said(status, &message, detail),
    }
}

fn said(status: u16, message: &str, detail: &str) -> Reason {
    let words = if detail.is_empty() { message } else { detail };
    let reason = format!("{words} ({status})");
    let cause = Cause::Refused(words.to_owned());
    if let Some(name) = words.strip_prefix("unknown parameter ") {
        let hint = format!(
            "this version of RouterOS has no `{name}`: upgrade it, or leave that attribute out"
        );
        return Reason::new(cause, reason, [hint.as_str()]);
    }
    match words {
        "failure: already have interface with such name" => Reason::new(
            cause,
            reason,
            ["another interface, of any type, has that name: choose another one"],
        ),
        "failure: entry already exists" => Reason::new(
            cause,
            reason,
            [
                "the router has that entry already: import it, or remove it there; before 7.21 a key can be on one interface only",
            ],
        ),
        _ => Reason::new(cause, reason, []),
    }
}

fn not_permitted(detail: &str, policy: &str) -> Reason {
    let hint =
        format!("the user's group lacks the policy {policy}: add it; it counts within ten minutes");
    Reason::new(Cause::NotPermitted, format!("{detail} (500)"), [hint.as_str()])
}

/// Explains an answer that no router's REST service gives.
fn no_router(status: u16, body: &[u8]) -> Reason {
    let is_page = body.trim_ascii_start().starts_with(b"<");
    match (status, is_page) {
        (403, _) => Reason::new(
            Cause::Refused("Forbidden".to_owned()),
            "the web server of the router does not serve REST (403)",
            [
                "switch it on: `/ip/service/webserver set rest-secure=yes`, or `rest-plain=yes` for http",
            ],
        ),
        (401, _) => Reason::new(
            Cause::Unauthorized,
            "something on the way to the router asks for another user (401)",
            ["check `api_url`: it has to lead to the router itself"],
        ),
        (status, true) => Reason::new(
            Cause::Unreadable,
            format!("a page for people came back, with status {status}"),
            ["check `api_url`: a proxy or another web server answers there"],
        ),
        (status, false) => Reason::new(
            Cause::Unreadable,
            format!("an answer came back that no router gives, with status {status}"),
            ["check `api_url`"],
        ),
    }
}

/// Explains a body that is not of the form that was asked for.
pub(super) fn unreadable(wanted: &str, body: &[u8]) -> Reason {
    if body.trim_ascii_start().starts_with(b"<") {
        return no_router(200, body);
    }
    // The body may hold keys, so that it is not repeated.
    let reason = format!("the answer, of {} bytes, is not {wanted}", body.len());
    Reason::new(
        Cause::Unreadable,
        reason,
        ["a router that has just started may answer so: try again"],
    )
}

/// Explains why there is no answer.
pub(super) fn no_answer(
    error: &reqwest::Error,
    timeout: Duration,
    fingerprint: Option<&str>,
) -> Reason {
    // One in the middle of an answer says nothing of whom to believe.
    if let Some(tls) = find::<TlsError>(error).filter(|_| error.is_connect()) {
        return tls_failed(tls, fingerprint);
    }
    let io = find::<std::io::Error>(error).map(std::io::Error::kind);
    if error.is_connect() {
        return not_connected(error, io);
    }
    if error.is_timeout() {
        return Reason::new(
            Cause::Silent,
            format!("no answer within {} s", timeout.as_secs_f32()),
            [
                "see whether the router is busy or the way to it is broken; `api_timeout` says how long to wait",
            ],
        );
    }
    Reason::new(
        Cause::Lost,
        "the connection ended before the answer did",
        [
            "see whether the router has just started, or is out of sessions",
            "see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`",
        ],
    )
}

fn not_connected(error: &reqwest::Error, io: Option<ErrorKind>) -> Reason {
    let why = match io {
        _ if error.is_timeout() => "no connection within 10 s".to_owned(),
        Some(ErrorKind::ConnectionRefused) => "the connection is refused".to_owned(),
        Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            "the connection is closed before anything is said".to_owned()
        }
        _ => innermost(error),
    };
    Reason::new(
        Cause::Unreachable,
        why,
        [
            "check `api_url`, and that the router can be reached from here",
            "the service has to be on: `/ip/service set www-ssl certificate=… disabled=no`, or `www` for http",
        ],
    )
}

fn tls_failed(error: &TlsError, fingerprint: Option<&str>) -> Reason {
    let pin = fingerprint.map(|it| {
        format!("if the router's own certificate has the SHA-256 {it}, write `tls_pin_sha256 = \"{it}\"`")
    });
    let pin = pin.as_deref().unwrap_or("write the SHA-256 of its certificate as `tls_pin_sha256`");
    let not_trusted =
        |reason: &str, hint: &str| Reason::new(Cause::NotTrusted, reason, [hint, pin]);
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
        TlsError::AlertReceived(AlertDescription::HandshakeFailure) => Reason::new(
            Cause::NotTrusted,
            "it offers no way to talk that is safe",
            ["give the service a certificate: `/ip/service set www-ssl certificate=…`"],
        ),
        error => Reason::new(
            Cause::NotTrusted,
            format!("no TLS: {error}"),
            ["check that `api_url` leads to `www-ssl`, and not to `www`, which is for http"],
        ),
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
