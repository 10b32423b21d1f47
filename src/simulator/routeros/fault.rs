//! What goes wrong on purpose: rules that say at which requests, from a program, a file or a header.

#![expect(clippy::disallowed_methods, reason = "rules are kept in a file beside the router's own")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

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

/// At which requests something goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only those with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only those whose path begins so: `/rest/interface/wireguard/peers`.
    #[serde(default)]
    pub path: Option<String>,
    /// So many of them are left alone first.
    #[serde(default)]
    pub skip: u32,
    /// So many of them are hit; none for all.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// Makes a rule for every request.
    pub fn always(fault: Fault) -> Self {
        Self { method: None, path: None, skip: 0, times: None, fault }
    }

    /// Makes a rule for one request with a method, after so many of them.
    pub fn once(method: &str, skip: u32, fault: Fault) -> Self {
        Self { method: Some(method.to_owned()), times: Some(1), skip, ..Self::always(fault) }
    }

    fn strikes(&mut self, method: &str, path: &str) -> bool {
        let fits = self.method.as_ref().is_none_or(|it| it == method)
            && self.path.as_ref().is_none_or(|it| path.starts_with(it));
        if !fits || self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }
}

/// The rules that are left.
#[derive(Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    file: Option<(PathBuf, Option<SystemTime>)>,
}

impl Faults {
    /// Follows a file of rules, a JSON array. It counts anew each time it is written.
    pub(super) fn follow(path: &Path) -> Self {
        Self { rules: Vec::new(), file: Some((path.with_extension("faults.json"), None)) }
    }

    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Returns what happens to a request.
    pub(super) fn strike(&mut self, method: &str, path: &str, header: Option<&str>) -> Vec<Fault> {
        self.reload();
        let own = header.and_then(parse);
        let hit = self.rules.iter_mut().filter_map(|rule| {
            let fault = rule.fault.clone();
            rule.strikes(method, path).then_some(fault)
        });
        hit.chain(own).collect()
    }

    fn reload(&mut self) {
        let Some((path, seen)) = &mut self.file else { return };
        let changed = path.metadata().and_then(|it| it.modified()).ok();
        if changed == *seen {
            return;
        }
        *seen = changed;
        // One that is being written, or is wrong, is no rule yet.
        let bytes = std::fs::read(path).unwrap_or_default();
        self.rules = serde_json::from_slice(&bytes).unwrap_or_default();
    }
}

/// Reads the header of a request: a word, or a JSON object.
fn parse(text: &str) -> Option<Fault> {
    serde_json::from_str(text).or_else(|_| serde_json::from_value(text.into())).ok()
}

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
