//! What goes wrong on purpose on the way to a router and in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::simulator::fault;
use crate::simulator::routeros::request::{Refused, Reply, Request};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The answer takes so many milliseconds longer, on the way.
    Latency(u64),
    /// The command takes so many microseconds longer for each object that it answers.
    RowLatency(u64),
    /// The command takes longer than the router allows; whether it has an effect all the same.
    Stall {
        /// Whether it has.
        applied: bool,
    },
    /// The command has its effect, and the connection is reset.
    LoseAnswer,
    /// The connection is reset, and nothing happens.
    Reset,
    /// The connection is closed without an answer, and nothing happens.
    Close,
    /// The command has its effect, and is answered with a refusal.
    AppliedButRefused,
    /// A page for people, with that status.
    Html(u16),
    /// This JSON text, with that status.
    Answer(u16, String),
    /// A control character and bytes that are not UTF-8 in every comment.
    RawBytes,
    /// Half of the body, and then the end of the connection.
    Truncate,
    /// A body that has another shape.
    WrongBody,
    /// Just before the command, somebody else makes an object, if the router takes it.
    Meanwhile {
        /// The menu: `interface/wireguard`.
        menu: String,
        /// What it is given.
        properties: BTreeMap<String, String>,
    },
}

/// At which requests something goes wrong: `/rest/interface/wireguard/peers`.
pub type Rule = fault::Rule<Fault>;

/// The rules that are left.
pub(super) type Faults = fault::Faults<Fault>;

impl Fault {
    /// Answers in the place of the command, which does not run; none for a fault of another kind.
    pub(super) fn instead(&self) -> Option<Reply> {
        match self {
            Self::Html(status) => Some(Reply::html(*status)),
            Self::Answer(status, text) => Some(Reply {
                status: *status,
                headers: vec![("content-type", "application/json".to_owned())],
                body: text.clone().into_bytes(),
                rows: 0,
            }),
            _ => None,
        }
    }

    /// Changes the answer of a command that has run.
    pub(super) fn spoil(&self, request: &Request, mut reply: Reply) -> Reply {
        match self {
            Self::AppliedButRefused => Refused::bad("failure: could not finish").into(),
            Self::WrongBody => {
                wrong_body(&mut reply);
                reply
            }
            Self::RawBytes if request.method == "GET" => {
                reply.body = with_raw_bytes(&reply.body);
                reply
            }
            _ => reply,
        }
    }
}

/// Answers an object where there would be a list, and the other way round.
pub(super) fn wrong_body(reply: &mut Reply) {
    let is_list = reply.body.first() == Some(&b'[');
    reply.body = if is_list { b"{}".to_vec() } else { b"[]".to_vec() };
}

fn with_raw_bytes(body: &[u8]) -> Vec<u8> {
    const START: &[u8] = b"\"comment\":\"";
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(START.len()).position(|window| window == START) {
        let (before, after) = rest.split_at(at + START.len());
        out.extend_from_slice(before);
        out.extend_from_slice(b"\x07\xe9");
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes the file of rules")]
mod tests {
    use crate::simulator::routeros::fault::{Fault, Faults, Rule};

    #[test]
    fn a_rule_hits_what_it_names_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add(Rule::once("PUT", 1, Fault::LoseAnswer));
        let mut hit = |method: &str| faults.strike(method, "/rest/x", None).len();
        assert_eq!([hit("GET"), hit("PUT"), hit("PUT"), hit("PUT")], [0, 0, 1, 0]);
    }

    #[test]
    fn a_header_names_a_fault_for_its_request() {
        let mut faults = Faults::default();
        let mut hit = |header| faults.strike("GET", "/rest", Some(header));
        assert_eq!(hit("lose-answer"), [Fault::LoseAnswer]);
        assert_eq!(hit(r#"{"latency":20}"#), [Fault::Latency(20)]);
        assert_eq!(hit(r#"{"stall":{"applied":true}}"#), [Fault::Stall { applied: true }]);
        assert_eq!(hit("nonsense"), []);
    }

    #[test]
    fn a_file_of_rules_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("r.json");
        let mut faults = Faults::follow(&state);
        assert_eq!(faults.strike("GET", "/rest", None), []);
        std::fs::write(directory.path().join("r.faults.json"), r#"[{"fault":"reset","times":1}]"#)
            .unwrap();
        assert_eq!(faults.strike("GET", "/rest", None), [Fault::Reset]);
        assert_eq!(faults.strike("GET", "/rest", None), []);
    }
}
