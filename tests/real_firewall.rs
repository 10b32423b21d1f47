//! What a backend promises, on a firewall of your own.
//!
//! ```sh
//! WGFORM_TEST_PFSENSE_URL=https://192.168.1.1 WGFORM_TEST_PFSENSE_KEY=… WGFORM_TEST_PFSENSE_TLS_PIN=… \
//!     cargo test --test real_firewall -- --nocapture
//! ```
//!
//! Every tunnel that it makes is called `tun_wg770N`, and is removed afterwards with its peers and its interface, also after a failure
//! and after a run that was killed. WireGuard has to be switched on, and nothing may wait to be applied: the suite would
//! apply it. Without the URL, the same runs on a simulated firewall only.

#![expect(clippy::disallowed_methods, reason = "the firewall is named in the environment")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod firewalls;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use wgform::actual::Service;
use wgform::backend::pfsense::PfSense;
use wgform::backend::pfsense::client::{Credentials, Pace, Settings, Trace, Trust};
use wgform::backend::{
    Act, Batch, Interest, Operation, Outcome, Read as _, Stop, Surroundings, Write as _,
};
use wgform::simulator::pfsense::http::{Options, Server};
use wgform::simulator::pfsense::profile::Profile;
use wgform::simulator::pfsense::request::Request;
use wgform::simulator::pfsense::{ALL_PRIVILEGES, SimulatedFirewall};
use wgform::value::Secret;

use crate::conformance::bed::{create, create_peer, preshared, private, public, wait, world};
use crate::firewalls::under::{IN_USE, Under};
use crate::firewalls::{Lab, backend, bare, bed, psk, scenarios, settings};

macro_rules! list {
    ($($name:ident)*) => {
        /// Every scenario with its name.
        const SCENARIOS: &[(&str, fn(&Lab))] = &[$((stringify!($name), scenarios::$name)),*];
    };
}

firewall_scenarios!(list);

#[test]
#[expect(clippy::print_stderr, reason = "tells which firewall was tested, and what was found")]
fn a_firewall_of_your_own_does_what_a_simulated_one_does() {
    let Some(firewall) = own_firewall() else {
        eprintln!("skipped: `WGFORM_TEST_PFSENSE_URL` names no firewall");
        return;
    };
    eprintln!("{}", suite(&firewall).unwrap_or_else(|failures| panic!("{failures}")));
}

/// The suite itself, without a firewall.
#[test]
fn a_firewall_is_left_as_it_was() {
    let firewall = SimulatedFirewall::in_memory(Profile::newest(), 7, jiff::Timestamp::UNIX_EPOCH);
    let key = Secret::new("0123456789abcdef0123456789abcdef");
    firewall.set_user("wgform", &key, &[ALL_PRIVILEGES]);
    firewall.add_key(&key, "wgform");
    firewall.set_api("auth_methods", json!(["BasicAuth", "KeyAuth"])).unwrap();
    let world = world(BTreeMap::new(), "/nowhere".into());
    let server = Server::start(firewall.clone(), &world, Options::default()).unwrap();
    let url = format!("http://{}", server.address());
    let settings = settings(url, Credentials::Key(key), Trust::Anybody, Pace::simulated());
    let refusal = suite(&settings).unwrap_err();
    assert!(refusal.contains("WireGuard is off"), "{refusal}");

    // Somebody uses it.
    let hand = |method: &str, path: &str, body: Json| by_hand(&firewall, method, path, &body);
    hand("PATCH", "settings", json!({"enable": true, "apply": true, "async": false}));
    let theirs = private(9).expose_text().to_string();
    hand("POST", "tunnel", json!({"name": "tun_wg0", "privatekey": theirs, "enabled": true}));
    hand("POST", "peer", json!({"tun": "tun_wg0", "publickey": public(99).to_string()}));
    let refusal = suite(&settings).unwrap_err();
    assert!(refusal.contains("waits to be applied"), "{refusal}");
    hand("POST", "apply", json!({"async": false}));
    // What a killed run has left behind is no obstacle.
    let ours = private(8).expose_text().to_string();
    hand(
        "POST",
        "tunnel",
        json!({"name": format!("{}0", IN_USE.prefix), "listenport": "50000", "privatekey": ours}),
    );
    hand("POST", "apply", json!({"async": false}));
    let all = || ["tunnels", "peers"].map(|list| hand("GET", list, Json::Null));
    suite(&settings).unwrap_or_else(|failures| panic!("{failures}"));
    let [tunnels, peers] = all();
    assert_eq!(tunnels.as_array().unwrap().len(), 1, "{tunnels}");
    assert_eq!(peers.as_array().unwrap().len(), 1, "{peers}");
}

/// Does something at a simulated firewall.
fn by_hand(firewall: &SimulatedFirewall, method: &str, path: &str, body: &Json) -> Json {
    let request = Request {
        method: method.to_owned(),
        path: format!("/api/v2/vpn/wireguard/{path}"),
        content_type: (!body.is_null()).then(|| "application/json".to_owned()),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        ..Request::default()
    };
    let reply = firewall.by_hand(&request, jiff::Timestamp::now()).unwrap();
    let mut answer: Json = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(reply.status, 200, "{method} {path} {body}: {answer}");
    answer["data"].take()
}

/// Reads from the environment which firewall it is.
fn own_firewall() -> Option<Settings> {
    let variable = |name: &str| std::env::var(format!("WGFORM_TEST_PFSENSE_{name}")).ok();
    let url = variable("URL").filter(|url| !url.is_empty())?;
    let credentials = match variable("USER") {
        Some(name) => Credentials::User {
            name,
            password: Secret::new(variable("PASSWORD").unwrap_or_default()),
        },
        None => Credentials::Key(Secret::new(variable("KEY").unwrap_or_default())),
    };
    let pin = variable("TLS_PIN").map(|it| Trust::pinned(&it).expect("a SHA-256"));
    Some(settings(url, credentials, pin.unwrap_or(Trust::System), Pace::default()))
}

/// Runs every scenario, and says what was found; the error is what failed, or what is in the way.
fn suite(settings: &Settings) -> Result<String, String> {
    let firewall = backend(settings.clone());
    let interest = Interest::default();
    let service = wait(firewall.read(&interest)).map_err(|error| error.to_string())?.service;
    match service {
        Some(Service { is_on: true, is_applied: true }) => {}
        Some(Service { is_on: true, .. }) => {
            return Err("something waits to be applied, and would be: apply it first".to_owned());
        }
        _ => return Err("WireGuard is off: switch it on first".to_owned()),
    }
    sweep(&firewall)?;
    // Whatever happens from here on, the firewall is swept.
    let run = catch_unwind(AssertUnwindSafe(|| on_firewall(settings, &firewall)));
    sweep(&firewall)?;
    run.unwrap_or_else(|panic| Err(format!("the suite itself failed: {}", said(&*panic))))
}

fn on_firewall(settings: &Settings, firewall: &PfSense) -> Result<String, String> {
    let facts = wait(firewall.examine()).map_err(|error| error.to_string())?.facts;
    let version = &facts.iter().find(|it| it.about == "REST API").expect("it has a version").says;
    let (private_keys, preshared_keys) = shown(settings);
    sweep(firewall)?;
    let mut failures = String::new();
    for (name, scenario) in SCENARIOS {
        let lab = lab(settings, version, private_keys, preshared_keys);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| scenario(&lab))) {
            let _ = writeln!(failures, "{name}: {}", said(&*panic));
        }
        sweep(firewall)?;
    }
    match failures.is_empty() {
        true => Ok(format!("REST API {version}: {} scenarios", SCENARIOS.len())),
        false => Err(failures),
    }
}

/// Finds out whether the firewall shows private keys, and pre-shared ones.
fn shown(settings: &Settings) -> (bool, bool) {
    let lab = lab(settings, "v0.0.0", false, false);
    lab.bed.done(create("wg0", &private(1), [].into()));
    lab.bed.done(create_peer(public(1), bare([("preshared_key", psk(preshared(1)))])));
    let tunnel = lab.bed.interface("wg0");
    (tunnel.private_key.is_some(), !tunnel.peers[&public(1)].hidden.contains("preshared_key"))
}

fn lab(settings: &Settings, version: &str, private_keys: bool, preshared_keys: bool) -> Lab {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&lines);
    let trace = Trace::new(move |line: &str| heard.lock().unwrap().push(line.to_owned()));
    let inner = Box::new(backend(Settings { trace, ..settings.clone() }));
    let numbers: Vec<u16> =
        version.trim_start_matches('v').split('.').map(|it| it.parse().unwrap_or(0)).collect();
    let mut bed = bed(Box::new(backend(settings.clone())));
    bed.backend = Box::new(Under { inner, names: IN_USE });
    Lab {
        bed,
        version: (numbers[0], numbers[1], numbers[2]),
        shows_private_keys: private_keys,
        shows_preshared_keys: preshared_keys,
        asked: Box::new(move |begin| {
            let spelt = |line: &String| {
                let (method, path) = line.strip_prefix("> ")?.split_once(' ')?;
                Some(format!("{method} /api/v2/{path}"))
            };
            let all = lines.lock().unwrap();
            all.iter().filter_map(spelt).filter(|it| it.starts_with(begin)).count()
        }),
    }
}

/// Removes what the tests have made, now or in a run that was killed.
fn sweep(firewall: &PfSense) -> Result<(), String> {
    let interest = Interest::default();
    let picture = wait(firewall.read(&interest)).map_err(|error| error.to_string())?;
    let ours = picture.interfaces.into_keys().filter(|name| name.starts_with(IN_USE.prefix));
    let delete = |name| Operation {
        after: Vec::new(),
        act: Act::DeleteInterface {
            name,
            public_key: None,
            own_keys: Default::default(),
            remove_boot_files: [].into(),
            around: Surroundings::default(),
        },
    };
    let batch = Batch { operations: ours.map(delete).collect() };
    let mut failed = Ok(());
    let mut landed = |_, outcome| {
        if let Outcome::Failed(error) | Outcome::Untouched(error) = outcome {
            failed = Err(error.to_string());
        }
    };
    wait(firewall.write(batch, Stop::default(), &mut landed));
    failed
}

/// Returns what a test said when it failed.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it does not say why")
        .to_owned()
}
