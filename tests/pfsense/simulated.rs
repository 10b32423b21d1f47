//! A simulated firewall behind a socket, what is stored on it, and who may do what there.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value as Json, json};
use wgform::backend::pfsense::PfSense;
use wgform::backend::pfsense::client::{Credentials, Pace, Settings, Trace, Trust};
use wgform::simulator::pfsense::http::{Options, Server};
use wgform::simulator::pfsense::profile::Profile;
use wgform::simulator::pfsense::request::Request;
use wgform::simulator::pfsense::{ALL_PRIVILEGES, SimulatedFirewall};
use wgform::value::Secret;

use crate::conformance::Bed;
use crate::conformance::bed::world;
use crate::firewalls::{Lab, backend, bed, settings};

pub(crate) const TUNNELS: &str = "vpn/wireguard/tunnels";
pub(crate) const TUNNEL: &str = "vpn/wireguard/tunnel";
pub(crate) const PEERS: &str = "vpn/wireguard/peers";
pub(crate) const PEER: &str = "vpn/wireguard/peer";
pub(crate) const APPLY: &str = "vpn/wireguard/apply";

/// Nothing is to be waited for: what goes on in the background of a simulated firewall goes on with each request.
const PACE: Pace = Pace {
    retries: [Duration::ZERO; 3],
    after_timeout: Duration::ZERO,
    poll: Duration::ZERO,
    polls: 20,
};

/// A simulated firewall behind a socket.
pub(crate) struct Simulated {
    pub(crate) lab: Lab,
    pub(crate) firewall: SimulatedFirewall,
    server: Server,
}

impl Simulated {
    /// Makes one on which WireGuard is on, and that has a user with a key who may do everything.
    pub(crate) fn new(profile: &'static Profile, is_exposed: bool, point: Option<&str>) -> Self {
        let simulated = Self::delivered(profile);
        simulated.firewall.set_api("expose_sensitive_fields", is_exposed.into()).unwrap();
        if let Some(point) = point {
            assert!(simulated.firewall.flip(point).unwrap(), "{point}");
        }
        crate::firewalls::enable_service(&simulated.client()).unwrap();
        let asked = simulated.firewall.clone();
        let before = simulated.firewall.requests().len();
        let lab = Lab {
            shows_private_keys: is_exposed,
            shows_preshared_keys: is_exposed && profile.version >= (2, 10, 0),
            asked: Box::new(move |begin| {
                asked.requests()[before..].iter().filter(|it| it.starts_with(begin)).count()
            }),
            ..simulated.lab
        };
        Self { lab, ..simulated }
    }

    /// Makes one as [`Simulated::new`], on which WireGuard is off.
    pub(crate) fn delivered(profile: &'static Profile) -> Self {
        let firewall = SimulatedFirewall::in_memory(profile, 7, jiff::Timestamp::UNIX_EPOCH);
        firewall.set_user("wgform", &Secret::new("hunter2hunter2"), &[ALL_PRIVILEGES]);
        firewall.add_key(&key(), "wgform");
        firewall.set_api("auth_methods", json!(["BasicAuth", "KeyAuth"])).unwrap();
        let world = world(BTreeMap::new(), "/nowhere".into());
        let server = Server::start(firewall.clone(), &world, Options::default()).unwrap();
        let lab = Lab {
            bed: bed(Box::new(backend(reached(&server, key())))),
            version: profile.version,
            shows_private_keys: false,
            shows_preshared_keys: false,
            asked: Box::new(|_| 0),
        };
        Self { lab, firewall, server }
    }

    pub(crate) fn newest() -> Self {
        Self::new(Profile::newest(), false, None)
    }

    /// Returns how it is reached.
    pub(crate) fn settings(&self) -> Settings {
        reached(&self.server, key())
    }

    /// Returns a client that does not take its tunnels for others.
    pub(crate) fn client(&self) -> PfSense {
        backend(self.settings())
    }

    /// Returns the firewall as another user has it.
    pub(crate) fn as_user(&self, privileges: &[&str]) -> Bed {
        self.firewall.set_user("guest", &Secret::new("guestguest"), privileges);
        let credentials =
            Credentials::User { name: "guest".to_owned(), password: Secret::new("guestguest") };
        bed(Box::new(backend(Settings { credentials, ..self.settings() })))
    }

    /// Returns the firewall to somebody who hears each request before it is sent, and each answer after it came.
    pub(crate) fn heard_by(&self, hear: impl Fn(&str) + Send + Sync + 'static) -> Bed {
        bed(Box::new(backend(Settings { trace: Trace::new(hear), ..self.settings() })))
    }

    /// Returns the requests since there were so many.
    pub(crate) fn asked_since(&self, before: usize) -> Vec<String> {
        self.firewall.requests().split_off(before)
    }

    /// Returns how many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.firewall.requests().len()
    }

    /// Asks by hand, and returns what is answered.
    pub(crate) fn by_hand(&self, method: &str, path: &str, query: &str, body: &Json) -> Json {
        by_hand(&self.firewall, method, path, query, body)
    }

    /// Returns a list as it is stored.
    pub(crate) fn list(&self, path: &str) -> Vec<Json> {
        list(&self.firewall, path)
    }

    /// Asserts that what runs is what is stored.
    pub(crate) fn assert_applied(&self, whose: &str) {
        let peers = self.list(PEERS);
        for tunnel in self.list(TUNNELS) {
            let device = self.firewall.device(tunnel["name"].as_str().unwrap());
            let mut live: Vec<String> =
                device.iter().flat_map(|it| &it.peers).map(|it| it.public_key.clone()).collect();
            let is_on = |it: &&Json| it["tun"] == tunnel["name"] && it["enabled"] == true;
            let stored = peers.iter().filter(is_on).filter(|_| tunnel["enabled"] == true);
            let mut stored: Vec<_> =
                stored.map(|it| it["publickey"].as_str().unwrap().to_owned()).collect();
            live.sort_unstable();
            stored.sort_unstable();
            assert_eq!(live, stored, "{whose}: {tunnel}");
        }
    }
}

impl Deref for Simulated {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

fn key() -> Secret {
    Secret::new("0123456789abcdef0123456789abcdef")
}

fn reached(server: &Server, key: Secret) -> Settings {
    let url = format!("http://{}", server.address());
    settings(url, Credentials::Key(key), Trust::System, PACE)
}

/// Spells a request as somebody at the firewall makes it.
pub(crate) fn request(method: &str, path: &str, query: &str, body: &Json) -> Request {
    Request {
        method: method.to_owned(),
        path: format!("/api/v2/{path}"),
        query: query.to_owned(),
        content_type: (!body.is_null()).then(|| "application/json".to_owned()),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        ..Request::default()
    }
}

/// Does something at a firewall, and returns what is answered.
pub(crate) fn by_hand(
    firewall: &SimulatedFirewall,
    method: &str,
    path: &str,
    query: &str,
    body: &Json,
) -> Json {
    let now = jiff::Timestamp::now();
    let reply = firewall.by_hand(&request(method, path, query, body), now).unwrap();
    let mut answer: Json = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(reply.status, 200, "{method} {path} {query} {body}: {answer}");
    answer["data"].take()
}

/// Returns a list as it is stored.
pub(crate) fn list(firewall: &SimulatedFirewall, path: &str) -> Vec<Json> {
    by_hand(firewall, "GET", path, "", &Json::Null).as_array().unwrap().clone()
}
