//! Every exchange that was recorded with the REST API package's own code, asked again of the simulated firewall in its
//! order: `testdata/pfsense/exchanges.jsonl`, with what led to each in [`Replay::prepare`].

#![expect(clippy::disallowed_methods, reason = "the test reads what was recorded")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use wgform::simulator::pfsense::profile::Profile;
use wgform::simulator::pfsense::request::Request;
use wgform::simulator::pfsense::{ALL_PRIVILEGES, SimulatedFirewall};
use wgform::value::Secret;

/// What the simulator does not follow, with the reason.
const NOT_FOLLOWED: &[(u16, &str)] = &[(
    240,
    "the answer is the same but for a session cookie, which came of something that the WireGuard package wrote itself",
)];

/// The exchanges that began with a new firewall.
const FIRST: &[u16] = &[
    1, 101, 201, 208, 209, 212, 227, 251, 264, 269, 271, 279, 286, 291, 311, 400, 410, 414, 420,
    424, 426, 430, 432, 436, 440, 442, 443, 444, 445, 450, 458, 460, 480, 487, 488, 490, 499, 500,
    502, 503, 505, 511, 517, 523,
];

const PRIVATE: [&str; 2] = [
    "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    "GKkkfxMAyTl3wlhkWcUCWkD7tyEjVOPdtJvVcW3Uo0s=",
];
const P0: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const P1: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
const P2: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const P3: &str = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=";
const PRESHARED: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

const BOOTED: Timestamp = Timestamp::UNIX_EPOCH;

/// An exchange as it was recorded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    n: u16,
    version: String,
    request: String,
    /// Who asked; somebody with a key when it is not said.
    who: Option<String>,
    #[serde(default)]
    headers: Headers,
    body: Option<String>,
    status: u16,
    /// Whether the configuration was written, which begins a session.
    #[serde(default)]
    cookie: bool,
    asks: Option<String>,
    answer: Json,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Headers {
    #[serde(rename = "Content-Type")]
    content_type: Option<String>,
    #[serde(rename = "Accept")]
    accept: Option<String>,
    #[serde(rename = "Prefer")]
    prefer: Option<String>,
}

fn exchanges() -> Vec<Exchange> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pfsense/exchanges.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Exchange {
    fn request(&self) -> Request {
        let mut request = Self::of(&self.request, self.body.as_deref());
        let Headers { content_type, accept, prefer } = &self.headers;
        request.content_type = content_type.clone();
        request.accept = accept.clone();
        request.prefer = prefer.clone();
        let basic = |text: &str| Some(format!("Basic {}", BASE64.encode(text)));
        match self.who.as_deref() {
            None => request.api_key = Some("key".to_owned()),
            Some("wrong-key") => request.api_key = Some("deadbeef".to_owned()),
            Some("password") => request.authorization = basic("admin:pfsense"),
            Some("wrong-password") => request.authorization = basic("admin:wrong"),
            Some("without-privilege") => request.authorization = basic("plain:plain"),
            Some("token") => request.authorization = Some("Bearer token".to_owned()),
            Some("wrong-token") => request.authorization = Some("Bearer other".to_owned()),
            Some("nobody") => {}
            Some(other) => panic!("who is {other}?"),
        }
        request
    }

    fn of(line: &str, body: Option<&str>) -> Request {
        let (method, path) = line.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Request {
            method: method.to_owned(),
            path: format!("/api/v2{path}"),
            query: query.to_owned(),
            body: body.unwrap_or_default().as_bytes().to_vec(),
            ..Request::default()
        }
    }
}

/// A firewall as it was when an exchange was recorded.
struct Replay(SimulatedFirewall);

impl Replay {
    fn new(version: &str) -> Self {
        let firewall = SimulatedFirewall::in_memory(Profile::named(version).unwrap(), 1, BOOTED);
        firewall.set_user("admin", &Secret::new("pfsense"), &[ALL_PRIVILEGES]);
        firewall.set_user("plain", &Secret::new("plain"), &[]);
        firewall.add_key(&Secret::new("key"), "admin");
        let later = Timestamp::from_second(4_000_000_000).unwrap();
        firewall.add_token(&Secret::new("token"), "admin", later);
        let methods = json!(["BasicAuth", "JWTAuth", "KeyAuth"]);
        firewall.set_api("auth_methods", methods).unwrap();
        firewall.set_api("ha_sync_validate_certs", json!(false)).unwrap();
        firewall.set_netgate_id("0123456789abcdef0123").unwrap();
        firewall.set_hostname("office", "home.arpa").unwrap();
        firewall.set_wait(0).unwrap();
        Self(firewall)
    }

    /// Does what was not recorded.
    fn ask(&self, line: &str, body: &Json) -> &Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.0.by_hand(&Exchange::of(line, Some(&body)), BOOTED).unwrap();
        let text = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, 200, "{line} {body}: {text}");
        self
    }

    fn tunnel(&self, number: usize, descr: &str, address: Option<&str>) -> &Self {
        let addresses = address.map(|address| json!({"address": address, "mask": 24}));
        let addresses: Vec<_> = addresses.into_iter().collect();
        let body = json!({
            "privatekey": PRIVATE[number],
            "listenport": (51820 + number).to_string(),
            "descr": descr,
            "addresses": addresses,
        });
        self.ask("POST /vpn/wireguard/tunnel", &body)
    }

    fn peer(&self, number: u8, key: &str, tunnel: &str) -> &Self {
        let address = format!("10.66.0.{}", number + 2);
        let body = json!({
            "enabled": true,
            "tun": tunnel,
            "descr": format!("p{number}"),
            "publickey": key,
            "allowedips": [{"address": address, "mask": 32}],
        });
        self.ask("POST /vpn/wireguard/peer", &body)
    }

    /// Two tunnels with an address each, two peers on one and one on the other.
    fn seed(&self) -> &Self {
        self.tunnel(0, "hub", Some("10.66.0.1")).tunnel(1, "spare", Some("10.67.0.1"));
        self.peers()
    }

    fn peers(&self) -> &Self {
        self.peer(0, P0, "tun_wg0").peer(1, P1, "tun_wg0").peer(2, P3, "tun_wg1")
    }

    /// Three peers on one tunnel.
    fn three(&self) -> &Self {
        self.peer(0, P0, "tun_wg0").peer(1, P1, "tun_wg0").peer(2, P2, "tun_wg0")
    }

    fn preshare(&self, id: usize, key: &str) -> &Self {
        self.ask("PATCH /vpn/wireguard/peer", &json!({"id": id, "presharedkey": key}))
    }

    fn start(&self) -> &Self {
        let body = json!({"enable": true, "apply": true, "async": false});
        self.ask("PATCH /vpn/wireguard/settings", &body)
    }

    fn apply(&self) -> &Self {
        self.ask("POST /vpn/wireguard/apply", &json!({"async": false}))
    }

    /// One tunnel that runs, with a peer.
    fn running(&self) -> &Self {
        self.tunnel(0, "hub", Some("10.66.0.1")).peer(0, P0, "tun_wg0").start()
    }

    fn assign(&self) -> &Self {
        let body = json!({
            "if": "tun_wg0", "descr": "WGIF", "enable": true, "typev4": "static",
            "ipaddr": "10.77.0.1", "subnet": 24, "apply": true, "async": false,
        });
        self.ask("POST /interface", &body)
    }

    fn exposed_peer(&self) -> &Self {
        self.tunnel(0, "hub", Some("10.66.0.1")).peer(0, P0, "tun_wg0").preshare(0, PRESHARED);
        self.ask("PATCH /vpn/wireguard/peer", &json!({"id": 0, "endpoint": "198.51.100.7"}))
    }

    /// Returns a new firewall for an exchange that began with one.
    fn begin(n: u16, version: &str) -> Option<Self> {
        FIRST.contains(&n).then(|| {
            let lab = Self::new(version);
            lab.lead_up(n);
            lab
        })
    }

    /// Makes of a new firewall what it was before an exchange.
    fn lead_up(&self, n: u16) -> &Self {
        let lab = self;
        match n {
            101 => lab.tunnel(0, "hub", None).tunnel(1, "spare", None),
            201 | 208 | 209 | 212 | 227 => lab.seed(),
            251 => {
                let interface = json!({
                    "id": "opt1", "if": "tun_wg0", "descr": "WGIF", "enable": true,
                    "ipaddr": "172.16.9.1", "subnet": 24,
                });
                assert!(lab.0.plant("interfaces", interface).unwrap());
                lab
            }
            264 => {
                lab.0.set_api("expose_sensitive_fields", json!(true)).unwrap();
                lab.0.set_wait(1000).unwrap();
                lab.exposed_peer()
            }
            269 => {
                lab.0.set_api("hateoas", json!(true)).unwrap();
                lab.exposed_peer()
            }
            271 => {
                lab.0.remove_wireguard(false).unwrap();
                lab
            }
            279 => lab.exposed_peer(),
            291 | 500 | 502 => lab.tunnel(0, "hub", Some("10.66.0.1")).start(),
            400 | 410 | 414 => lab.tunnel(0, "a", None).tunnel(1, "b", None).three(),
            420 | 424 | 426 | 430 | 432 | 436 => {
                lab.tunnel(0, "hub", None).three().preshare(1, PRESHARED)
            }
            440 | 442..=445 => {
                lab.tunnel(0, "hub", None).three().peer(3, P3, "tun_wg0");
                lab.preshare(1, PRESHARED).preshare(3, PRESHARED).preshare(3, "")
            }
            460 | 505 | 511 => lab.running(),
            490 => lab.tunnel(0, "t0", None).peer(0, P0, "tun_wg0"),
            499 => lab.ask("PATCH /vpn/wireguard/settings", &json!({"enable": true})),
            503 => lab.tunnel(0, "hub3", Some("10.66.0.1")).start(),
            517 => {
                let body = json!({"id": "opt1", "mtu": 1400});
                lab.running().assign().ask("PATCH /interface", &body)
            }
            523 => lab.running().assign().ask("DELETE /interface?id=opt1", &Json::Null),
            _ => lab,
        }
    }

    /// Does what happened before an exchange in the midst of others.
    fn prepare(&self, n: u16) {
        let hidden = Json::Null;
        let _: &Self = match n {
            // The recorded apply was the eleventh.
            268 => {
                (0..8).for_each(|_| {
                    self.ask("POST /vpn/wireguard/apply", &json!({}));
                });
                self.ask("POST /vpn/wireguard/apply", &json!({}))
            }
            403 | 411 | 415 | 425 | 431 | 437 => {
                self.ask("DELETE /vpn/wireguard/peer?id=1", &hidden)
            }
            407 => self.ask("DELETE /vpn/wireguard/tunnel?id=0", &hidden),
            465 => {
                let body = json!({"id": 0, "descr": "hub3", "apply": true, "async": false});
                self.ask("PATCH /vpn/wireguard/tunnel", &body)
            }
            476 => self.assign(),
            477 => self.apply(),
            483 => {
                let body =
                    json!({"enabled": true, "tun": "tun_wg0", "descr": "p0", "publickey": P0});
                self.ask("POST /vpn/wireguard/peer", &body);
                self.ask("DELETE /vpn/wireguard/tunnel?id=0", &hidden)
            }
            _ => self,
        };
    }

    /// Returns how the answer of the firewall differs from what was recorded.
    fn compare(&self, exchange: &Exchange) -> Option<String> {
        // The machine of the recording ran for that long.
        let seconds = if exchange.n == 458 { 44 } else { 42 };
        let uptime = ((1102 * 24 + 21) * 60 + 46) * 60 + seconds;
        let now = BOOTED + SignedDuration::from_secs(uptime);
        let reply = self.0.answer(&exchange.request(), now).unwrap();
        let header = |name: &str| {
            let mut headers = reply.headers.iter();
            headers.find(|(it, _)| *it == name).map(|(_, value)| value.clone())
        };
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let answer = serde_json::from_str(&text).unwrap_or(Json::String(text));
        let is_json = exchange.answer.is_object();
        let same = reply.status == exchange.status
            && answer == exchange.answer
            && header("set-cookie").is_some() == exchange.cookie
            && header("www-authenticate") == exchange.asks
            && (header("content-type").as_deref() == Some("application/json"))
                == (is_json || exchange.n == 324)
            && header("referer").is_some() == (is_json || exchange.n == 324);
        (!same).then(|| {
            format!(
                "{} {} {}\n  recorded {} {}\n  answered {} {answer}\n  headers {:?}",
                exchange.n,
                exchange.request,
                exchange.body.as_deref().unwrap_or_default(),
                exchange.status,
                exchange.answer,
                reply.status,
                reply.headers,
            )
        })
    }
}

#[test]
fn every_recorded_exchange_is_answered_as_it_was() {
    let mut lab = None;
    let (mut wrong, mut followed) = (Vec::new(), Vec::new());
    for exchange in exchanges() {
        if let Some(new) = Replay::begin(exchange.n, &exchange.version) {
            lab = Some(new);
        }
        let lab: &Replay = lab.as_ref().unwrap();
        assert_eq!(lab.0.profile().name, exchange.version, "{}", exchange.n);
        lab.prepare(exchange.n);
        let is_listed = NOT_FOLLOWED.iter().any(|(n, _)| *n == exchange.n);
        match (lab.compare(&exchange), is_listed) {
            (Some(difference), false) => wrong.push(difference),
            (None, true) => followed.push(exchange.n),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(followed.is_empty(), "these are followed, and need no excuse: {followed:?}");
}

#[test]
fn all_that_was_recorded_is_there() {
    let exchanges = exchanges();
    let numbers: Vec<u16> = exchanges.iter().map(|exchange| exchange.n).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "they are in order");
    assert_eq!(numbers.len(), 401);
}
