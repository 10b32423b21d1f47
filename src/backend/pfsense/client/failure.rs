//! Why a request failed: the words of the firewall, or of the way to it, as a cause, a reason and what to do.
//!
//! An answer is known by its `response_id` and never by its message.

use std::time::Duration;

use reqwest::Method;

use crate::backend::BackendError;
use crate::backend::http::{self, Silence, SilenceKind, Words};
use crate::backend::pfsense::client::body::Head;
use crate::backend::pfsense::client::{Answer, Ask, Credentials};

/// What is said of a firewall that does not answer.
const WORDS: Words = Words {
    device: "firewall",
    unreachable: &[
        "it listens where its web interface does: port and protocol are in `System > Advanced > Admin Access`",
        "after too many wrong logins pfSense blocks an address for a while: see `Status > System Logs`",
    ],
    slow: "see whether the firewall is busy, or blocks this address after too many wrong logins; `api_timeout` says how long to wait",
    lost: &["see whether the web interface of the firewall has just been restarted"],
    unsafe_tls: "give the web interface another certificate, in `System > Advanced > Admin Access`",
    no_tls: "check that `api_url` leads to the web interface, and that this one speaks HTTPS",
};

/// A request failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What to tell.
    pub error: BackendError,
    /// What to go by.
    pub cause: Cause,
    /// Whether the firewall may have done what it was asked for. Then it is read again before anything else.
    pub may_have_changed: bool,
}

/// Why a request failed, as far as anybody decides by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No connection came about.
    Unreachable,
    /// The other end is not believed to be the firewall.
    NotTrusted,
    /// No answer came in time. The connection was dropped since, and a while waited.
    Silent,
    /// The connection ended before the answer did.
    Lost,
    /// The key, or the user with the password, is not accepted.
    Unauthorized,
    /// The user, or anybody at this address, may not do this.
    NotPermitted,
    /// There is no such object.
    NotFound,
    /// This version has nothing at that address.
    NoEndpoint,
    /// The WireGuard package is missing.
    NoPackage,
    /// The API is switched off, or for reading only.
    Closed,
    /// The firewall is at something else, and nothing was done.
    Busy,
    /// The firewall refuses, with this `response_id`; nothing was done.
    Refused(String),
    /// The firewall, or what is in front of it, failed on the way.
    Broken,
    /// What came is not what the package answers.
    Unreadable,
}

/// A cause, with its words.
#[derive(Debug)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) reason: String,
    pub(super) hints: Vec<String>,
    /// Whether it is certain that nothing was done.
    pub(super) is_certain: bool,
}

impl Reason {
    pub(super) fn new<const N: usize>(
        cause: Cause,
        reason: impl Into<String>,
        hints: [&str; N],
    ) -> Self {
        let is_certain =
            !matches!(cause, Cause::Silent | Cause::Lost | Cause::Broken | Cause::Unreadable);
        let hints = hints.into_iter().map(str::to_owned).collect();
        Self { cause, reason: reason.into(), hints, is_certain }
    }

    /// Returns whether asking again may help, for a request that changes nothing.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.cause, Cause::Lost | Cause::Busy | Cause::Broken | Cause::Unreadable)
    }
}

/// Explains why there is no answer.
pub(super) fn no_answer(
    error: &reqwest::Error,
    timeout: Duration,
    fingerprint: Option<&str>,
) -> Reason {
    let Silence { kind, reason, hints } = http::silence(error, timeout, fingerprint, &WORDS);
    let cause = match kind {
        SilenceKind::Unreachable => Cause::Unreachable,
        SilenceKind::NotTrusted => Cause::NotTrusted,
        SilenceKind::Timeout => Cause::Silent,
        SilenceKind::Lost => Cause::Lost,
    };
    Reason { hints, ..Reason::new(cause, reason, []) }
}

/// Explains an answer of the package that is an error.
pub(super) fn refused(
    ask: &Ask<'_>,
    credentials: &Credentials,
    answer: &Answer,
    head: &Head,
) -> Reason {
    let status = answer.status;
    match head.id() {
        "AUTH_AUTHENTICATION_FAILED" => not_authenticated(credentials),
        "AUTH_AUTHORIZATION_FAILED" => {
            let privilege = privilege(&ask.method, ask.path);
            let hint =
                format!("give the user the privilege `{privilege}`, in `System > User Manager`");
            Reason::new(Cause::NotPermitted, "the user lacks a privilege (403)", [hint.as_str()])
        }
        "ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL" => Reason::new(
            Cause::NotPermitted,
            "the access list of the REST API keeps this host or this user out (403)",
            ["let it in, in `System > REST API > Access Lists`"],
        ),
        "ENDPOINT_INTERFACE_NOT_ALLOWED" => Reason::new(
            Cause::NotPermitted,
            "the REST API does not listen on the interface that `api_url` leads to (403)",
            ["add it to the allowed interfaces, in `System > REST API > Settings`"],
        ),
        "MODEL_OBJECT_NOT_FOUND" | "MODEL_PARENT_OBJECT_NOT_FOUND" => Reason::new(
            Cause::NotFound,
            "the firewall has no such object (404)",
            ["somebody removed it since it was read: plan again"],
        ),
        "MODEL_MISSING_REQUIRED_PACKAGE" | "DISPATCHER_MISSING_REQUIRED_PACKAGE" => no_package(),
        "ENDPOINT_METHOD_NOT_ALLOWED_IN_READ_ONLY_MODE" => Reason::new(
            Cause::Closed,
            "the REST API is for reading only (405)",
            [
                "take it out of read-only mode in `System > REST API > Settings`: no request can do that",
            ],
        ),
        "ENDPOINT_REST_API_IS_NOT_ENABLED" => Reason::new(
            Cause::Closed,
            "the REST API is switched off (503)",
            ["switch it on in `System > REST API > Settings`"],
        ),
        "DISPATCHER_TOO_MANY_QUEUED_PROCESSES" => {
            let wait = answer.retry_after.unwrap_or(300);
            let hint = format!("try again in {wait} s");
            Reason::new(Cause::Busy, "too many changes wait to be applied (503)", [hint.as_str()])
        }
        "MODEL_WRITE_CONFIG_LOCKED" => Reason::new(
            Cause::Busy,
            "somebody else is writing the firewall's configuration, for a minute already (503)",
            ["try again; see who is at it in `Diagnostics > Backup & Restore > Config History`"],
        ),
        "ENDPOINT_UNAVAILABLE" => Reason::new(
            Cause::Busy,
            "the REST API package is just being updated (503)",
            ["try again in a few minutes"],
        ),
        _ => refused_otherwise(status, head),
    }
}

fn not_authenticated(credentials: &Credentials) -> Reason {
    // Each wrong login counts towards a block of this address, so that nothing is tried twice.
    match credentials {
        Credentials::Key(_) => Reason::new(
            Cause::Unauthorized,
            "the firewall does not accept the key (401)",
            [
                "check `api_key`",
                "a new installation accepts no keys at all: add `KeyAuth` to the authentication methods, in `System > REST API > Settings`",
            ],
        ),
        Credentials::User { .. } => Reason::new(
            Cause::Unauthorized,
            "the firewall does not accept the user or the password (401)",
            [
                "check `api_user` and `api_password`: it has to be a user of the firewall's own database",
                "`BasicAuth` has to be among the authentication methods, in `System > REST API > Settings`",
            ],
        ),
    }
}

/// Says that there is no WireGuard, or not yet.
pub(super) fn no_package() -> Reason {
    Reason::new(
        Cause::NoPackage,
        "the WireGuard package is not installed, or not yet",
        [
            "after an upgrade or a restore pfSense installs its packages in the background: wait until that is done",
            "if it never was there, install `WireGuard` in `System > Package Manager`",
        ],
    )
}

fn refused_otherwise(status: u16, head: &Head) -> Reason {
    let (id, message) = (head.id().to_owned(), head.message());
    let reason = match message {
        "" => format!("the firewall refuses: {id} ({status})"),
        message => format!("{} ({status})", message.trim_end_matches('.')),
    };
    let hint = match head.id() {
        "FIELD_MUST_BE_UNIQUE" => "something else on the firewall has that value: plan again",
        "FIELD_VALUE_CHANGED_WHEN_NOT_EDITABLE" => {
            "somebody changed the firewall in between: plan again"
        }
        "FOREIGN_MODEL_FIELD_VALUE_NOT_FOUND" => "the tunnel is gone: plan again",
        "WIREGUARD_TUNNEL_ADDRESS_AND_MASK_ALREADY_IN_USE" => {
            "an interface of the firewall is in that network: take another address, or put it into `assign`"
        }
        "WIREGUARD_TUNNEL_CANNOT_BE_DISABLED_WHILE_IN_USE_BY_INTERFACE" => {
            "the tunnel is assigned to an interface: remove `assign` first"
        }
        "WIREGUARD_SETTINGS_CANNOT_DISABLE_WITH_ACTIVE_TUNNELS" => {
            "a tunnel is assigned to an interface: release it first"
        }
        "CONTENT_HANDLER_ENCODE_NOT_FOUND" | "CONTENT_HANDLER_DECODE_NOT_FOUND" => {
            "a proxy on the way changes the headers of requests: reach the firewall without it"
        }
        "ENDPOINT_METHOD_NOT_ALLOWED" => {
            "this version of the REST API package is another one than it says"
        }
        _ if status >= 500 => {
            "see `Status > System Logs` of the firewall, and whether there is a newer REST API package"
        }
        _ => "see in docs/pfsense.md what the package takes",
    };
    match status {
        500.. => Reason::new(Cause::Broken, reason, [hint]),
        _ => Reason::new(Cause::Refused(id), reason, [hint]),
    }
}

/// Names the privilege that a request needs, as the firewall does.
fn privilege(method: &Method, path: &str) -> String {
    let path = path.replace(['/', '_'], "-");
    format!("api-v2-{path}-{}", method.as_str().to_ascii_lowercase())
}

/// Explains an answer that is not one of the package.
pub(super) fn unreadable(answer: &Answer) -> Reason {
    let is_page = answer.body.trim_ascii_start().starts_with(b"<");
    match answer.status {
        404 => Reason::new(
            Cause::NoEndpoint,
            "there is no REST API package, or an old one without this part (404)",
            [
                "install or update the package: https://github.com/pfrest/pfSense-pkg-RESTAPI; an upgrade of pfSense removes it",
                "check `api_url`: the path of a web server in front of the firewall belongs into it, `/api/v2` does not",
            ],
        ),
        status @ 300..=399 => {
            let to = answer.location.as_deref().unwrap_or("somewhere else");
            let hint =
                "write the address of the web interface itself as `api_url`, mostly with `https`";
            Reason::new(Cause::NoEndpoint, format!("it sends on to {to} ({status})"), [hint])
        }
        401 | 403 => Reason::new(
            Cause::NotPermitted,
            format!("something on the way to the firewall keeps this host out ({})", answer.status),
            ["check `api_url`: it has to lead to the firewall itself"],
        ),
        status @ 500.. => Reason::new(
            Cause::Broken,
            format!("the web server of the firewall has no answer ({status})"),
            ["see whether the firewall is overloaded or starting; see its `Status > System Logs`"],
        ),
        status if is_page => Reason::new(
            Cause::Unreadable,
            format!("a page for people came back, with status {status}"),
            ["check `api_url`: a proxy or another web server answers there"],
        ),
        // The body may hold keys, so that it is not repeated.
        status => Reason::new(
            Cause::Unreadable,
            format!(
                "an answer of {} bytes came back that the package does not give, with status {status}",
                answer.body.len()
            ),
            ["check `api_url`; a firewall that has just started may answer so: try again"],
        ),
    }
}
