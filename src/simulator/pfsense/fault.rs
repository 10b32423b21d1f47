//! What goes wrong on purpose on the way to a firewall and in it, and what others do to it meanwhile.

use serde::{Deserialize, Serialize};

use crate::simulator::fault;
use crate::simulator::pfsense::request::{Refused, Reply, Request, page, refusal};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The answer takes so many milliseconds longer, on the way.
    Latency(u64),
    /// The firewall has read its configuration, and takes so many milliseconds until it writes it back.
    Slow(u64),
    /// The request has its effect, and the connection is reset.
    LoseAnswer,
    /// The request has its effect, and the web server answers that it took too long.
    GatewayTimeout,
    /// The connection is reset, and nothing happens.
    Reset,
    /// The connection is closed without an answer, and nothing happens.
    Close,
    /// Nothing happens; the client is to come again after so many seconds.
    Busy(u32),
    /// Something else is writing the configuration for so long that this request cannot.
    Locked,
    /// A page of the web server, with that status. Nothing happens.
    Html(u16),
    /// The web server says that it speaks TLS only, and where. Nothing happens.
    Redirect(String),
    /// This JSON text, with that status. Nothing happens.
    Answer(u16, String),
    /// Half of the body, and then the end of the connection.
    Truncate,
    /// `data` has another shape.
    WrongData,
    /// Somebody else asks for this first.
    Meanwhile(Vec<Request>),
}

/// At which requests something goes wrong: `/api/v2/vpn/wireguard/peers`.
pub type Rule = fault::Rule<Fault>;

/// The rules that are left.
pub(super) type Faults = fault::Faults<Fault>;

impl Fault {
    /// Answers in the place of the firewall, which does nothing; none for a fault of another kind.
    pub(super) fn instead(&self) -> Option<Reply> {
        match self {
            Self::Html(status) => Some(page(*status)),
            Self::Busy(seconds) => {
                let refused = Refused::too_many_processes();
                Some(refusal(&Refused { retry_after: Some(*seconds), ..refused }, false))
            }
            Self::Redirect(to) => {
                let mut reply = page(301);
                reply.headers.push(("location", to.clone()));
                Some(reply)
            }
            Self::Answer(status, text) => Some(Reply {
                status: *status,
                headers: vec![("content-type", "application/json".to_owned())],
                body: text.clone().into_bytes(),
            }),
            _ => None,
        }
    }

    /// Changes the answer to a request that had its effect.
    pub(super) fn spoil(&self, reply: Reply) -> Reply {
        match self {
            Self::GatewayTimeout => page(504),
            Self::WrongData => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                let (list, object) = ("\"data\":[", "\"data\":{");
                let body = match text.contains(list) {
                    true => text.split(list).next().map(|start| format!("{start}\"data\":{{}}}}")),
                    false => text.split(object).next().map(|start| format!("{start}\"data\":[]}}")),
                };
                Reply { body: body.unwrap_or_default().into_bytes(), ..reply }
            }
            _ => reply,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::simulator::pfsense::fault::{Fault, Rule};

    #[test]
    fn what_others_do_meanwhile_can_be_written_in_a_file() {
        let text = r#"{"skip":3,"times":1,"fault":{"meanwhile":[{"method":"DELETE","path":"/api/v2/vpn/wireguard/peer","query":"id=0"}]}}"#;
        let rule: Rule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.skip, 3);
        let Fault::Meanwhile(requests) = rule.fault else { panic!("another fault") };
        assert_eq!((requests[0].method.as_str(), requests[0].query.as_str()), ("DELETE", "id=0"));
    }

    #[test]
    fn a_rule_can_name_any_request_by_its_number() {
        let rule = Rule::at(7, Fault::Busy(300));
        assert_eq!((rule.skip, rule.times, rule.method), (7, Some(1), None));
    }
}
