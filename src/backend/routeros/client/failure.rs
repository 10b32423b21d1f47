//! Why a request failed: the words of the router, or of the way to it, as a cause, a reason and what to do.

use std::time::Duration;

use serde_json::Value as Json;

use crate::backend::BackendError;
use crate::backend::http::{self, Silence, SilenceKind, Words};
use crate::backend::routeros::client::body::mend;

/// What is said of a router that does not answer.
const WORDS: Words = Words {
    device: "router",
    unreachable: &[
        "the service has to be on: `/ip/service set www-ssl certificate=… disabled=no`, or `www` for http",
    ],
    slow: "see whether the router is busy or the way to it is broken; `api_timeout` says how long to wait",
    lost: &[
        "see whether the router has just started, or is out of sessions",
        "see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`",
    ],
    unsafe_tls: "give the service a certificate: `/ip/service set www-ssl certificate=…`",
    no_tls: "check that `api_url` leads to `www-ssl`, and not to `www`, which is for http",
};

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
    let Silence { kind, reason, hints } = http::silence(error, timeout, fingerprint, &WORDS);
    let cause = match kind {
        SilenceKind::Unreachable => Cause::Unreachable,
        SilenceKind::NotTrusted => Cause::NotTrusted,
        SilenceKind::Timeout => Cause::Silent,
        SilenceKind::Lost => Cause::Lost,
    };
    Reason { cause, reason, hints }
}
