//! What a backend promises, over simulated firewalls of every version, with secrets hidden and shown, and at either setting
//! of each point that nobody has proven; what it asks for that; what becomes of a batch when something goes wrong on the
//! way, and when somebody else is at the firewall too.

#![expect(clippy::disallowed_methods, reason = "a firewall lives by the real clock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
#[path = "pfsense/faults.rs"]
mod faults;
mod firewalls;
#[path = "pfsense/limits.rs"]
mod limits;
#[path = "pfsense/simulated.rs"]
mod simulated;
#[path = "pfsense/strangers.rs"]
mod strangers;

use serde_json::json;
use wgform::actual::Service;
use wgform::backend::{Act, Batch, Operation, Read as _, Verdict};
use wgform::resource::{Field, Fields};
use wgform::simulator::pfsense::profile::{POINTS, PROFILES, Profile};

use crate::conformance::bed::{
    addresses, create, create_peer, delete, delete_peer, keepalive, only, preshared, private,
    public, to, update_peer, wait,
};
use crate::firewalls::{Lab, bare, psk, scenarios, text};
use crate::simulated::{APPLY, PEER, PEERS, Simulated, TUNNEL, TUNNELS};

/// The versions that wgform works with.
fn supported() -> impl Iterator<Item = &'static Profile> {
    PROFILES.iter().filter(|it| it.version >= (2, 4, 3))
}

/// Whether there is time for everything.
fn is_thorough() -> bool {
    std::env::var("CI").is_ok_and(|it| it == "true")
}

/// Runs a scenario on every version, with secrets hidden and shown; and at the other setting of each point, for lack of
/// time on the oldest and the newest version only, unless `CI=true`.
#[expect(clippy::print_stderr, reason = "says where a scenario fails")]
fn everywhere(scenario: fn(&Lab)) {
    for profile in supported() {
        let is_looked_at = is_thorough() || matches!(profile.version, (2, 4, 3) | (2, 10, 0));
        let points = POINTS.iter().filter(|_| is_looked_at);
        let points = points.map(|(point, _)| (Some(*point), profile.version > (2, 4, 3)));
        for (point, is_exposed) in [(None, false), (None, true)].into_iter().chain(points) {
            let firewall = Simulated::new(profile, is_exposed, point);
            let run = std::panic::AssertUnwindSafe(|| {
                scenario(&firewall);
                firewall.assert_applied("in the end");
            });
            if let Err(panic) = std::panic::catch_unwind(run) {
                let shown = if is_exposed { "shown" } else { "hidden" };
                eprintln!("{}, secrets {shown}, the other setting of {point:?}", profile.name);
                std::panic::resume_unwind(panic);
            }
        }
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                everywhere(scenarios::$name);
            }
        )*
    };
}

firewall_scenarios!(tests);

/// Returns so many new peers, each with a network.
fn peers(numbers: std::ops::Range<u32>) -> Vec<Act> {
    let network = |n: u32| only(&[&format!("10.{}.{}.0/24", n / 256, n % 256)]);
    numbers.map(|n| create_peer(public(n), network(n))).collect()
}

/// The requests with which every batch ends on a firewall that tells what is in the kernel: the apply, two looks at it, and
/// one at each list.
const ENDING: [&str; 7] = [
    "POST /api/v2/vpn/wireguard/apply",
    "GET /api/v2/vpn/wireguard/apply",
    "GET /api/v2/vpn/wireguard/apply",
    "GET /api/v2/vpn/wireguard/tunnels",
    "GET /api/v2/vpn/wireguard/peers",
    "GET /api/v2/vpn/wireguard/settings",
    "GET /api/v2/status/wireguard/tunnels",
];

#[test]
fn two_hundred_new_peers_are_two_hundred_requests_and_one_apply() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let before = lab.count();
    assert!(lab.bed.write(peers(0..200)).iter().all(Result::is_ok));
    let asked = lab.asked_since(before);
    let (new, others): (Vec<_>, Vec<_>) =
        asked.iter().map(String::as_str).partition(|it| *it == "POST /api/v2/vpn/wireguard/peer");
    assert_eq!(new.len(), 200);
    // One look at the first, because a user whose writes are dropped is not told so.
    let first = format!("GET /api/v2/{PEERS}?publickey={}", encoded(0));
    let begin = ["GET /api/v2/system/restapi/version", first.as_str()];
    assert_eq!(others, [&begin[..], &ENDING[..]].concat());
    lab.assert_applied("200 new peers");
}

/// Returns a public key as it stands in a query.
fn encoded(number: u32) -> String {
    public(number).to_string().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[test]
fn a_changed_peer_is_looked_up_once_and_so_is_one_that_goes() {
    let lab = Simulated::newest();
    lab.bed.hub();
    assert!(lab.bed.write(peers(0..100)).iter().all(Result::is_ok));
    let before = lab.count();
    let change = |n| update_peer(public(n), to("persistent_keepalive", keepalive("25s")));
    let acts = (0..50).map(change).chain((50..100).map(|n| delete_peer(public(n))));
    assert!(lab.bed.write(acts.collect()).iter().all(Result::is_ok));
    let asked = lab.asked_since(before);
    let count = |begin: &str| asked.iter().filter(|it| it.starts_with(begin)).count();
    assert_eq!(count("PATCH /api/v2/vpn/wireguard/peer"), 50);
    assert_eq!(count("DELETE /api/v2/vpn/wireguard/peers?publickey="), 50);
    // One each, and one more for the first.
    assert_eq!(count("GET /api/v2/vpn/wireguard/peers?publickey="), 101);
    // The version, all peers as they were, and the ending.
    assert_eq!(asked.len(), 50 + 50 + 101 + 2 + ENDING.len());
    lab.assert_applied("changed and removed");
}

#[test]
fn ten_thousand_peers_are_read_in_as_many_requests_as_ten() {
    for profile in [Profile::named("v2.4.3").unwrap(), Profile::newest()] {
        let lab = Simulated::new(profile, false, None);
        lab.bed.hub();
        let mut asked = Vec::new();
        for (first, number) in [(0, 10), (10, 10_000)] {
            for n in first..number {
                let peer = json!({
                    "enabled": true, "tun": "tun_wg0", "publickey": public(n).to_string(), "presharedkey": "",
                    "allowedips": [{"address": format!("10.{}.{}.0", n / 256, n % 256), "mask": 24, "descr": ""}],
                });
                assert!(lab.firewall.plant("peers", peer).unwrap());
            }
            let before = lab.count();
            assert_eq!(lab.bed.interface("wg0").peers.len(), usize::try_from(number).unwrap());
            asked.push(lab.asked_since(before));
        }
        assert_eq!(asked[0], asked[1], "{}", profile.name);
        assert!(asked[0].len() <= 11, "{:?}", asked[0]);
    }
}

#[test]
fn a_secret_is_in_no_query_and_heard_by_nobody() {
    let lab = Simulated::new(Profile::newest(), true, None);
    let heard = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let lines = std::sync::Arc::clone(&heard);
    let bed = lab.heard_by(move |line| lines.lock().unwrap().push_str(line));
    bed.done(create("wg0", &private(1), Fields::new()));
    bed.done(create_peer(public(1), bare([("preshared_key", psk(preshared(7)))])));
    bed.read();
    let key = lab.list(TUNNELS)[0]["privatekey"].as_str().unwrap().to_owned();
    let heard = heard.lock().unwrap();
    for secret in [key.as_str(), &preshared(7).expose_text(), "0123456789abcdef"] {
        assert!(!heard.contains(secret), "{heard}");
        assert!(!lab.firewall.requests().iter().any(|it| it.contains(secret)));
    }
    assert!(heard.contains(&public(1).to_string()));
}

#[test]
fn a_preshared_key_is_compared_where_nobody_is_shown_it() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        lab.bed.hub();
        lab.bed.done(create_peer(public(1), bare([("preshared_key", psk(preshared(7)))])));
        lab.bed.done(create_peer(public(2), bare([])));
        let client = lab.client();
        let holds = |peer, key| firewalls::holds(&client, public(peer), &preshared(key));
        for (peer, key, is_so) in [(1, 7, true), (1, 8, false), (2, 7, false), (9, 7, false)] {
            assert_eq!(holds(peer, key), is_so, "{}: {peer}, {key}", profile.name);
        }
    }
}

#[test]
fn a_plan_is_tried_on_a_firewall_that_can_and_on_no_other() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        lab.bed.hub();
        lab.bed.done(create_peer(public(1), bare([])));
        let before = (lab.list(TUNNELS), lab.list(PEERS));
        let on = |act: Act| on_firewall(act);
        let too_long = "x".repeat(2000);
        let acts = vec![
            on(create_peer(public(2), bare([]))),
            on(create_peer(public(1), bare([]))),
            on(update_peer(public(1), to("persistent_keepalive", keepalive("25s")))),
            on(create_peer(public(3), bare([("description", text(&too_long))]))),
            on(create("wg1", &private(2), Fields::from([("listen_port", Field::Number(51_820))]))),
            on(delete_peer(public(1))),
        ];
        let operations = acts.into_iter().map(|act| Operation { after: vec![], act }).collect();
        let verdicts = wait(lab.client().validate(&Batch { operations }));
        match (verdicts, profile.version >= (2, 8, 0)) {
            (Err(error), false) => {
                let said =
                    format!("version {} of its REST API package would carry it out", profile.name);
                assert_eq!(error.reason, said);
            }
            (Ok(verdicts), true) => {
                let short = verdicts.iter().map(|it| match it {
                    Verdict::Taken => "taken",
                    Verdict::Refused(_) => "refused",
                    Verdict::Unchecked(_) => "unchecked",
                });
                let short: Vec<&str> = short.collect();
                let expected = ["taken", "unchecked", "taken", "refused", "unchecked", "unchecked"];
                assert_eq!(short, expected, "{}", profile.name);
            }
            (verdicts, _) => panic!("{}: {verdicts:?}", profile.name),
        }
        assert_eq!((lab.list(TUNNELS), lab.list(PEERS)), before, "{}", profile.name);
    }
}

/// An act on `wgN` as one on `tun_wgN`.
fn on_firewall(act: Act) -> Act {
    firewalls::under::lowered(act)
}

#[test]
fn a_tunnel_takes_the_name_that_it_is_given_and_takes_on_nobody() {
    let lab = Simulated::newest();
    let orphan = json!({"enabled": true, "tun": "tun_wg0", "publickey": public(9).to_string()});
    assert!(lab.firewall.plant("peers", orphan).unwrap());
    assert!(lab.bed.read().other_links.contains("tun_wg0"));
    let why = lab.bed.failed(create("wg0", &private(1), Fields::new()));
    assert_eq!(
        why,
        "failed: peers of a tunnel that is gone still point to that name, and it would take them on"
    );
    lab.bed.done(create("wg1", &private(1), Fields::new()));
    assert!(lab.bed.interface("wg1").peers.is_empty());
    assert_eq!(lab.list(TUNNELS).len(), 1);
}

#[test]
fn what_somebody_wrote_beside_an_entry_stays() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16", "10.2.0.0/16"])));
    let row = |address: &str, descr: &str| json!({"address": address, "mask": 16, "descr": descr});
    let rows = [row("10.1.0.0", "the house"), row("10.2.0.0", "")];
    lab.by_hand("PATCH", PEER, "", &json!({"id": 0, "allowedips": rows}));
    let field =
        Field::Prefixes(["10.1.0.0/16", "10.3.0.0/16"].map(|it| it.parse().unwrap()).into());
    lab.bed.done(update_peer(public(1), to("allowed_ips", field)));
    let stored = lab.list(PEERS)[0]["allowedips"].to_string();
    assert!(stored.contains("the house") && stored.contains("10.3.0.0"), "{stored}");
    assert!(!stored.contains("10.2.0.0"), "{stored}");
}

#[test]
fn an_assigned_tunnel_has_the_addresses_of_its_interface_in_the_kernel() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        let fields = Fields::from([
            ("assign_descr", text("OFFICE")),
            ("assign_addresses", addresses(&["10.8.0.1/24"])),
            ("assign_mtu", Field::Number(1380)),
        ]);
        lab.bed.done(create("wg0", &private(1), fields));
        let device = lab.firewall.device("tun_wg0").unwrap();
        assert_eq!((device.mtu, device.addresses.len()), (1380, 1), "{}", profile.name);
        lab.firewall.add_rule("opt1").unwrap();
        lab.bed.done(delete("wg0"));
        assert_eq!(lab.firewall.rules("opt1"), 0);
        assert!(lab.firewall.device("tun_wg0").is_none(), "{}", profile.name);
        assert_eq!(lab.list("interfaces").len(), 2);
    }
}

#[test]
fn a_peer_that_moved_is_off_its_old_tunnel_in_the_kernel() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        scenarios::a_peer_moves_to_another_tunnel(&lab);
        lab.assert_applied(profile.name);
        assert!(lab.firewall.device("tun_wg0").unwrap().peers.is_empty(), "{}", profile.name);
    }
}

#[test]
fn changes_of_somebody_else_are_applied_along_and_said_before() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let theirs = json!({"enabled": true, "tun": "tun_wg0", "publickey": public(9).to_string()});
    lab.by_hand("POST", PEER, "", &theirs);
    assert_eq!(lab.bed.read().service, Some(Service { is_on: true, is_applied: false }));
    lab.bed.done(create_peer(public(1), bare([])));
    lab.assert_applied("both");
    assert_eq!(lab.by_hand("GET", APPLY, "", &json!(null))["applied"], true);
    lab.by_hand("PATCH", TUNNEL, "", &json!({"id": 0, "descr": "by hand"}));
    firewalls::apply_pending(&lab.client()).unwrap();
    assert_eq!(lab.by_hand("GET", APPLY, "", &json!(null))["applied"], true);
}
