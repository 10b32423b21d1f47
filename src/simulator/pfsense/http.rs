//! The firewall's web server on a loopback socket. It runs several requests at a time, and none of them waits for another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use tokio::time::sleep;

use crate::simulator::http::{Ending, Handler, Running, read_body};
use crate::simulator::pfsense::SimulatedFirewall;
use crate::simulator::pfsense::fault::Fault;
use crate::simulator::pfsense::request::Request;
use crate::world::World;

/// The header that names a fault for its request.
pub const FAULT_HEADER: &str = "x-simulate-fault";

/// How the server behaves.
pub struct Options {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Certificates and their private key, both in DER, to speak TLS; none for plain HTTP.
    pub tls: Option<(Vec<Vec<u8>>, Vec<u8>)>,
    /// How long each request is on its way.
    pub latency: Duration,
    /// How many connections there may be; those beyond are reset.
    pub max_sessions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            latency: Duration::ZERO,
            max_sessions: 100,
        }
    }
}

/// A server that runs until this value is dropped.
pub struct Server(Running);

impl Server {
    /// Starts to serve a firewall. The clock is the world's.
    ///
    /// # Errors
    /// When nothing can listen there, or the certificate cannot be used.
    pub fn start(firewall: SimulatedFirewall, world: &World, options: Options) -> io::Result<Self> {
        let Options { listen, tls, latency, max_sessions } = options;
        let service = Service { firewall, world: world.clone(), latency, max_sessions };
        Ok(Self(Running::start("firewall", listen, tls.as_ref(), Arc::new(service))?))
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Takes connections and closes each one at once, as during a reboot; or serves again.
    pub fn set_available(&self, is_available: bool) {
        self.0.set_available(is_available);
    }
}

struct Service {
    firewall: SimulatedFirewall,
    world: World,
    latency: Duration,
    max_sessions: usize,
}

impl Handler for Service {
    fn max_sessions(&self) -> usize {
        self.max_sessions
    }

    async fn handle(self: Arc<Self>, incoming: hyper::Request<Incoming>) -> Ending {
        let header = |name: &str| {
            let value = incoming.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        if self.firewall.is_blocked(self.world.now()) {
            // A real packet filter lets the client wait for nothing.
            return Ending::Close;
        }
        let fault = header(FAULT_HEADER);
        let mut request = Request {
            method: incoming.method().to_string(),
            path: incoming.uri().path().to_owned(),
            query: incoming.uri().query().unwrap_or_default().to_owned(),
            authorization: header(AUTHORIZATION.as_str()),
            api_key: header("x-api-key"),
            content_type: header(CONTENT_TYPE.as_str()),
            accept: header(ACCEPT.as_str()),
            prefer: header("prefer"),
            body: Vec::new(),
        };
        let Some(body) = read_body(incoming.into_body()).await else { return Ending::Close };
        request.body = body;
        let faults = self.firewall.strike(&request, fault.as_deref());
        let late = |fault: &Fault| match fault {
            Fault::Latency(milliseconds) => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        };
        wait(self.latency + faults.iter().map(late).sum::<Duration>()).await;
        // PHP goes on with a request whose client has hung up.
        let answer = tokio::spawn(async move { self.answer(&request, &faults).await });
        answer.await.unwrap_or(Ending::Close)
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

impl Service {
    async fn answer(&self, request: &Request, faults: &[Fault]) -> Ending {
        for fault in faults {
            match fault {
                Fault::Reset => return Ending::Reset,
                Fault::Close => return Ending::Close,
                Fault::Meanwhile(others) => {
                    for other in others {
                        if self.firewall.by_hand(other, self.world.now()).is_err() {
                            return Ending::Close;
                        }
                    }
                }
                _ => {}
            }
            if let Some(reply) = fault.instead() {
                return Ending::Reply(reply);
            }
        }
        let begun = self.firewall.begin();
        let slow = |fault: &Fault| match fault {
            Fault::Slow(milliseconds) => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        };
        wait(faults.iter().map(slow).sum()).await;
        let is_locked = faults.contains(&Fault::Locked);
        // What cannot be kept did not happen, as far as a client can know.
        let now = self.world.now();
        let Ok(reply) = self.firewall.finish(begun, request, is_locked, now) else {
            return Ending::Close;
        };
        self.firewall.protect(reply.status, now);
        let reply = faults.iter().fold(reply, |reply, fault| fault.spoil(reply));
        match faults {
            _ if faults.contains(&Fault::LoseAnswer) => Ending::Reset,
            _ if faults.contains(&Fault::Truncate) => Ending::Cut(reply),
            _ => Ending::Reply(reply),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "the client of these tests")]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use jiff::Timestamp;
    use serde_json::json;

    use crate::simulator::pfsense::fault::{Fault, Rule};
    use crate::simulator::pfsense::http::{Options, Server};
    use crate::simulator::pfsense::profile::Profile;
    use crate::simulator::pfsense::request::Request;
    use crate::simulator::pfsense::{ALL_PRIVILEGES, SimulatedFirewall};
    use crate::value::Secret;
    use crate::world::World;

    const PEERS: &str = "/api/v2/vpn/wireguard/peers";
    const PEER: &str = "/api/v2/vpn/wireguard/peer";

    /// A firewall with three peers, behind its web server.
    struct Lab(SimulatedFirewall, Server);

    impl Lab {
        fn new() -> Self {
            let now = Timestamp::UNIX_EPOCH;
            let firewall = SimulatedFirewall::in_memory(Profile::newest(), 7, now);
            firewall.set_user("u", &Secret::new("p"), &[ALL_PRIVILEGES]);
            firewall.add_key(&Secret::new("key"), "u");
            firewall.set_api("auth_methods", json!(["KeyAuth"])).unwrap();
            for number in 0..3 {
                let peer =
                    json!({"publickey": format!("p{number}"), "descr": format!("p{number}")});
                assert!(firewall.plant("peers", peer).unwrap());
            }
            let fill = |bytes: &mut [u8]| bytes.fill(7);
            let world = World::new(Default::default(), Default::default(), move || now, fill);
            let server = Server::start(firewall.clone(), &world, Options::default()).unwrap();
            Self(firewall, server)
        }

        fn hit(rule: Rule) -> Self {
            let lab = Self::new();
            lab.0.inject(rule);
            lab
        }

        /// Returns all that came back, which may be nothing.
        fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
            let mut socket = TcpStream::connect(self.1.address()).unwrap();
            let length = body.len();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: key\r\nconnection: close\r\n\
                 {headers}content-length: {length}\r\n\r\n{body}"
            );
            socket.write_all(head.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            // A connection that is reset has nothing to say.
            let _ = socket.read_to_end(&mut bytes);
            String::from_utf8(bytes).unwrap()
        }

        fn status(&self, method: &str, path: &str, body: &str) -> String {
            let answer = self.send(method, path, "", body);
            answer.split_whitespace().nth(1).unwrap_or("none").to_owned()
        }

        fn peers(&self) -> Vec<String> {
            let now = Timestamp::UNIX_EPOCH;
            let request =
                Request { method: "GET".to_owned(), path: PEERS.to_owned(), ..Request::default() };
            let reply = self.0.by_hand(&request, now).unwrap();
            let answer: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            let peers = answer["data"].as_array().unwrap().iter();
            peers.map(|peer| peer["descr"].as_str().unwrap().to_owned()).collect()
        }
    }

    fn delete(id: u8) -> Request {
        Request {
            method: "DELETE".to_owned(),
            path: PEER.to_owned(),
            query: format!("id={id}"),
            ..Request::default()
        }
    }

    #[test]
    fn others_act_between_two_requests() {
        let lab = Lab::hit(Rule::at(1, Fault::Meanwhile(vec![delete(0)])));
        let read = lab.send("GET", &format!("{PEER}?id=1"), "", "");
        assert!(read.contains("\"descr\":\"p1\""), "{read}");
        assert_eq!(lab.status("PATCH", PEER, r#"{"id":1,"descr":"stranger"}"#), "200");
        assert_eq!(lab.peers(), ["p1", "stranger"]);
        let log = [format!("GET {PEER}?id=1"), format!("PATCH {PEER}")];
        assert_eq!(lab.0.requests(), log);
        assert_eq!(lab.0.request_counts()[&format!("GET {PEER}")], 1);
    }

    #[test]
    fn an_answer_can_be_lost_with_and_without_an_effect() {
        for (fault, status, left) in [
            (Fault::LoseAnswer, "none", 2),
            (Fault::GatewayTimeout, "504", 2),
            (Fault::Reset, "none", 3),
            (Fault::Close, "none", 3),
            (Fault::Busy(7), "503", 3),
            (Fault::Locked, "503", 3),
            (Fault::Html(502), "502", 3),
            (Fault::Redirect("https://x/".to_owned()), "301", 3),
            (Fault::Answer(418, "{}".to_owned()), "418", 3),
            (Fault::Truncate, "200", 2),
            (Fault::WrongData, "200", 2),
            (Fault::Latency(1), "200", 2),
            (Fault::Slow(1), "200", 2),
        ] {
            let lab = Lab::hit(Rule::once("DELETE", 0, fault.clone()));
            assert_eq!(lab.status("DELETE", &format!("{PEER}?id=0"), ""), status, "{fault:?}");
            assert_eq!(lab.peers().len(), left, "{fault:?}");
        }
    }

    #[test]
    fn an_answer_can_be_cut_or_of_another_shape() {
        let whole = Lab::new().send("GET", PEERS, "", "");
        let cut = Lab::new().send("GET", PEERS, "x-simulate-fault: truncate\r\n", "");
        assert!(cut.len() < whole.len() - 100 && cut.contains("\"code\":200"), "{cut}");
        let list = Lab::new().send("GET", PEERS, "x-simulate-fault: wrong-data\r\n", "");
        assert!(list.ends_with("\"data\":{}}"), "{list}");
        let path = format!("{PEER}?id=0");
        let object = Lab::new().send("GET", &path, "x-simulate-fault: wrong-data\r\n", "");
        assert!(object.ends_with("\"data\":[]}"), "{object}");
        let busy = Lab::new().send("GET", PEERS, "x-simulate-fault: {\"busy\":7}\r\n", "");
        assert!(busy.contains("retry-after: 7"), "{busy}");
    }

    #[test]
    fn who_fails_to_log_in_too_often_is_not_heard_any_more() {
        let lab = Lab::new();
        lab.0.set_api("auth_methods", json!(["BasicAuth"])).unwrap();
        let mut statuses = Vec::new();
        (0..4).for_each(|_| statuses.push(lab.status("GET", PEERS, "")));
        assert_eq!(statuses, ["401", "401", "401", "none"]);
    }

    #[test]
    fn a_web_server_that_is_not_available_closes_the_connection() {
        let lab = Lab::new();
        lab.1.set_available(false);
        assert_eq!(lab.status("GET", PEERS, ""), "none");
        lab.1.set_available(true);
        assert_eq!(lab.status("GET", PEERS, ""), "200");
    }
}
