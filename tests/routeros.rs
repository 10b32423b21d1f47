//! What a backend promises, over simulated routers of every version and at either setting of each point that nobody has
//! proven; and what becomes of a batch when something goes wrong on the way.

#![expect(clippy::disallowed_methods, reason = "a router lives by the real clock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod routers;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

use wgform::actual::{Actual, Reading};
use wgform::backend::{Act, Batch, Operation, Outcome, Stop, Trace};
use wgform::config;
use wgform::plan::recover;
use wgform::resource::{Address, Field, Fields};
use wgform::simulator::routeros::fault::{Fault, Rule};
use wgform::simulator::routeros::http::{Options, Server};
use wgform::simulator::routeros::profile::{POINTS, PROFILES, Profile};
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::state::{ObjectKey, ResourceRecord, State, StateChange};
use wgform::value::{Route, Secret};

use crate::conformance::Bed;
use crate::conformance::bed::{
    addresses, clear, create, create_peer, delete, delete_peer, elements, endpoint, held, id,
    keepalive, networks, only, preshared, private, public, set, to, update, update_peer, wait,
    world,
};
use crate::routers::raw::Raw;
use crate::routers::{
    ANSWERS_WITHIN, Lab, backend, bed, create_without_key, everything, scenarios, set_routes,
    settings, text,
};

/// The oldest version that wgform works with.
const OLDEST: u8 = 12;

/// A simulated router behind a socket.
struct Simulated {
    lab: Lab,
    router: SimulatedRouter,
    server: Server,
}

fn password() -> Secret {
    Secret::new("hunter2hunter2")
}

/// Returns how a router behind a socket is reached by one of its users.
fn reached(server: &Server, api_user: &str) -> config::RouterOs {
    settings(format!("http://{}", server.address()), api_user, password())
}

impl Simulated {
    fn new(profile: &'static Profile, point: Option<&str>) -> Self {
        Self::with(profile, point, ANSWERS_WITHIN, Options::default().command_limit)
    }

    /// Makes one whose client waits so long for an answer, and whose router gives up a command after this time.
    fn with(
        profile: &'static Profile,
        point: Option<&str>,
        api_timeout: Duration,
        command_limit: Duration,
    ) -> Self {
        let router = SimulatedRouter::in_memory(profile, 7, jiff::Timestamp::UNIX_EPOCH);
        if let Some(point) = point {
            assert!(router.flip(point).unwrap(), "{point}");
        }
        router.set_user("wgform", &password(), &ALL_POLICIES);
        let options = Options { damage: Duration::ZERO, command_limit, ..Options::default() };
        let world = world(BTreeMap::new(), "/nowhere".into());
        let server = Server::start(router.clone(), &world, options).unwrap();
        let settings = config::RouterOs { api_timeout, ..reached(&server, "wgform") };
        let (counted, furnished) = (router.clone(), router.clone());
        let lab = Lab {
            bed: bed(Box::new(backend(settings, &Trace::default()))),
            minor: profile.minor,
            has_ipv6: !matches!(point, Some("no-ipv6-menus" | "ipv6-is-off")),
            asked: Box::new(move |begin| {
                counted.requests().iter().filter(|line| line.starts_with(begin)).count()
            }),
            add_table: Box::new(move |name| {
                furnished.plant("routing/table", 0, &[("name", name.as_bytes())]).unwrap();
            }),
            not_ours: BTreeSet::new(),
        };
        Self { lab, router, server }
    }

    fn newest() -> Self {
        Self::new(Profile::newest(), None)
    }

    /// Returns the router in its own words.
    fn raw(&self) -> Raw {
        Raw::new(&reached(&self.server, "wgform"))
    }

    /// Returns the router as another user has it, who lacks these policies.
    fn without(&self, lacking: &[&str]) -> Bed {
        let policies = ALL_POLICIES.into_iter().filter(|it| !lacking.contains(it));
        self.router.set_user("guest", &password(), &policies.collect::<Vec<_>>());
        bed(Box::new(backend(reached(&self.server, "guest"), &Trace::default())))
    }
}

impl Deref for Simulated {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

/// Runs a scenario on every version, and there at the other setting of each point: for lack of time on the oldest and
/// the newest version only, unless `CI=true`.
#[expect(clippy::print_stderr, reason = "says where a scenario fails")]
fn everywhere(scenario: fn(&Lab)) {
    let is_thorough = std::env::var("CI").is_ok_and(|it| it == "true");
    for profile in PROFILES.iter().filter(|it| it.minor >= OLDEST) {
        let has_points = is_thorough || matches!(profile.minor, OLDEST | 24);
        let points = POINTS.iter().map(|(point, _)| Some(*point)).filter(|_| has_points);
        for point in std::iter::once(None).chain(points) {
            let router = Simulated::new(profile, point);
            let run = std::panic::AssertUnwindSafe(|| scenario(&router));
            if let Err(panic) = std::panic::catch_unwind(run) {
                eprintln!("RouterOS {}, the other setting of {point:?}", profile.name);
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

router_scenarios!(tests);

#[test]
fn the_network_of_an_address_follows_its_length_also_where_a_router_leaves_it() {
    for point in [None, Some("network-stays")] {
        let lab = Simulated::new(Profile::newest(), point);
        let fields = Fields::from([("addresses", addresses(&["10.8.0.129/24"]))]);
        lab.bed.done(create("wg0", &private(1), fields));
        lab.bed.done(update("wg0", elements(&["10.8.0.129/25"], &["10.8.0.129/24"])));
        let rows = lab.raw().list("ip/address");
        let row = rows.iter().find(|it| it.text("interface") == "wg0").unwrap();
        assert_eq!(row.text("network"), "10.8.0.128", "{point:?}");
    }
}

#[test]
fn a_network_moves_from_peer_to_peer_and_its_packets_with_it() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let network = "10.1.0.0/16";
    lab.bed.done(create_peer(public(1), only(&[network, "10.3.0.0/16"])));
    lab.bed.done(create_peer(public(2), only(&["10.2.0.0/16"])));
    let carrier = || lab.router.carrier("wg0", network.parse().unwrap());
    assert_eq!(carrier(), Some(public(1).to_string()));
    let has = |networks_of: &[&str]| to("allowed_ips", networks(networks_of));
    let moved = vec![
        update_peer(public(1), has(&["10.3.0.0/16"])),
        update_peer(public(2), has(&["10.2.0.0/16", network])),
    ];
    assert!(lab.bed.write(moved).iter().all(Result::is_ok));
    assert_eq!(carrier(), Some(public(2).to_string()));
}

#[test]
fn a_thousand_new_peers_are_a_thousand_requests() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let (writes, reads) = ((lab.asked)("PUT"), (lab.asked)("GET"));
    let network = |n: u32| only(&[&format!("10.{}.{}.0/24", n / 256, n % 256)]);
    let ended = lab.bed.write((0..1000).map(|n| create_peer(public(n), network(n))).collect());
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!((lab.asked)("PUT") - writes, 1000);
    // The version, the interfaces, the peers.
    assert_eq!((lab.asked)("GET") - reads, 3);
}

#[test]
fn whatever_goes_wrong_nothing_is_there_twice_and_the_next_run_converges() {
    let (soon, short) = (Duration::from_millis(100), Duration::from_secs(3));
    for (fault, api_timeout, command_limit) in [
        (Fault::Stall { applied: true }, ANSWERS_WITHIN, soon),
        (Fault::Stall { applied: false }, ANSWERS_WITHIN, soon),
        // The client gives up first, and looks again when the router has given up too.
        (Fault::Stall { applied: true }, short, 2 * short),
        (Fault::Stall { applied: false }, short, 2 * short),
        (Fault::LoseAnswer, ANSWERS_WITHIN, soon),
        (Fault::Reset, ANSWERS_WITHIN, soon),
        (Fault::Close, ANSWERS_WITHIN, soon),
        (Fault::AppliedButRefused, ANSWERS_WITHIN, soon),
        (Fault::Html(403), ANSWERS_WITHIN, soon),
        (Fault::Truncate, ANSWERS_WITHIN, soon),
        (Fault::WrongBody, ANSWERS_WITHIN, soon),
    ] {
        let lab = Simulated::with(Profile::newest(), None, api_timeout, command_limit);
        lab.bed.hub();
        lab.router.inject(Rule::once("PUT", 20, fault.clone()));
        let acts = |which: &mut dyn Iterator<Item = u32>| -> Vec<Act> {
            which.map(|n| create_peer(public(n), only(&[&format!("10.1.{n}.0/24")]))).collect()
        };
        let ended = lab.bed.write(acts(&mut (0..50)));
        let failed: Vec<u32> =
            (0..50).zip(&ended).filter(|(_, it)| it.is_err()).map(|(n, _)| n).collect();
        assert!(failed.len() <= 1, "{fault:?}: {ended:?}");
        // What is reported is what is there.
        let there = lab.bed.interface("wg0").peers;
        assert_eq!(there.len(), 50 - failed.len(), "{fault:?}");
        assert!(failed.iter().all(|n| !there.contains_key(&public(*n))), "{fault:?}");
        let again = lab.bed.write(acts(&mut failed.into_iter()));
        assert!(again.iter().all(Result::is_ok), "{fault:?}: {again:?}");
        assert_eq!(lab.bed.interface("wg0").peers.len(), 50, "{fault:?}");
    }
}

#[test]
fn a_secret_whose_change_failed_is_not_taken_for_written_until_it_is_seen() {
    let session_closed = r#"{"error":400,"message":"Bad Request","detail":"Session closed"}"#;
    let wanted = to("preshared_key", Field::PresharedKey(Some(preshared(8))));
    for fault in [
        Fault::Stall { applied: true },
        Fault::Stall { applied: false },
        Fault::LoseAnswer,
        Fault::Reset,
        Fault::Close,
        Fault::AppliedButRefused,
        Fault::Html(403),
        Fault::Answer(400, session_closed.to_owned()),
        Fault::Truncate,
        Fault::WrongBody,
    ] {
        for (before, lacking) in
            [(None, ""), (Some(7), ""), (None, "sensitive"), (Some(7), "sensitive")]
        {
            let soon = Duration::from_millis(100);
            let lab = Simulated::with(Profile::newest(), None, ANSWERS_WITHIN, soon);
            lab.bed.hub();
            let mut fields = only(&["10.1.0.0/16"]);
            fields.insert("preshared_key", Field::PresharedKey(before.map(preshared)));
            lab.bed.done(create_peer(public(1), fields));
            let user = lab.without(&[lacking]);
            lab.router.inject(Rule::once("PATCH", 0, fault.clone()));
            let ended = user.write(vec![update_peer(public(1), wanted.clone())]).remove(0);
            let is_written = || {
                let found = lab.peer(1).remove("preshared_key");
                found == Some(Field::PresharedKey(Some(preshared(8))))
            };
            let is_seen = is_written() && lacking.is_empty();
            assert_eq!(
                ended.is_ok(),
                is_seen,
                "{fault:?}, from {before:?}, {lacking:?}: {ended:?}"
            );
            user.done(update_peer(public(1), wanted.clone()));
            assert!(is_written(), "{fault:?}, from {before:?}, {lacking:?}");
        }
    }
}

#[test]
fn a_secret_of_a_peer_whose_making_failed_counts_as_written_once_it_is_seen() {
    for (lacking, is_seen) in [("", true), ("sensitive", false)] {
        let lab = Simulated::newest();
        lab.bed.hub();
        let user = lab.without(&[lacking]);
        let mut fields = only(&["10.1.0.0/16"]);
        fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
        lab.router.inject(Rule::once("PUT", 0, Fault::LoseAnswer));
        let ended = user.write(vec![create_peer(public(1), fields.clone())]).remove(0);
        assert_eq!(ended.is_ok(), is_seen, "{ended:?}");

        // What is on record of one that was cut off.
        let world = world(BTreeMap::new(), "/nowhere".into());
        let state = State::new(&world);
        let (interface, public_key) = ("wg0".to_owned(), public(1).to_string());
        let object = ObjectKey::Peer { interface, public_key };
        let mut record = ResourceRecord::new(Some(id()), object);
        let recorded = fields.iter().map(|(name, it)| (name, it.recorded(&state.fingerprint_key)));
        record.attributes.extend(recorded.map(|(name, json)| ((*name).to_owned(), json)));
        let address: Address = "peer.phone".parse().unwrap();
        let resource = Box::new(record);
        let intent = StateChange::Put { address: address.clone(), resource, depose: false };
        let reading = Reading::Read(Box::new(user.read()));
        let actual = Actual { backends: [(id(), reading)].into() };
        let recovered = recover(state, vec![intent], &actual).state;
        let recorded = &recovered.resources[&address].attributes;
        assert!(recorded.contains_key("allowed_ips"));
        assert_eq!(recorded.contains_key("preshared_key"), is_seen);
    }
}

#[test]
fn a_clear_that_failed_is_not_taken_for_done() {
    let refused = r#"{"error":400,"message":"Bad Request","detail":"failure: not now"}"#;
    for (fault, is_done) in [
        (Fault::Reset, false),
        (Fault::Answer(400, refused.to_owned()), false),
        (Fault::LoseAnswer, true),
        (Fault::AppliedButRefused, true),
    ] {
        let lab = Simulated::newest();
        lab.router.add_vrf("blue").unwrap();
        lab.bed.hub();
        lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
        let fails = |name: &str, act: Act| {
            lab.router.inject(Rule::once("PATCH", 0, fault.clone()));
            let ended = lab.bed.write(vec![act]).remove(0);
            assert_eq!(ended.is_ok(), is_done, "{name}, {fault:?}: {ended:?}");
        };
        for (name, field) in [
            ("description", text("the hub")),
            ("listen_port", Field::Number(51_999)),
            ("mtu", Field::Number(1300)),
            ("vrf", text("blue")),
            ("enabled", Field::Bool(false)),
        ] {
            lab.bed.done(update("wg0", to(name, field.clone())));
            fails(name, update("wg0", clear(name)));
            assert_eq!(lab.interface().get(name) != Some(&field), is_done, "{name}, {fault:?}");
        }
        for (name, field) in [
            ("description", text("a phone")),
            ("preshared_key", Field::PresharedKey(Some(preshared(7)))),
            ("endpoint", endpoint("192.0.2.7:51820")),
            ("persistent_keepalive", keepalive("25s")),
            ("responder", Field::Bool(true)),
            ("enabled", Field::Bool(false)),
        ] {
            lab.bed.done(update_peer(public(1), to(name, field.clone())));
            fails(name, update_peer(public(1), clear(name)));
            assert_eq!(lab.peer(1).get(name) != Some(&field), is_done, "{name}, {fault:?}");
        }
    }
}

#[test]
fn a_pre_shared_key_goes_also_where_it_is_not_seen_and_an_empty_one_is_refused() {
    for point in [None, Some("refuses-empty-key")] {
        let lab = Simulated::new(Profile::newest(), point);
        lab.bed.hub();
        let mut fields = only(&["10.1.0.0/16"]);
        fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
        lab.bed.done(create_peer(public(1), fields));
        let none = Field::PresharedKey(None);
        let user = lab.without(&["sensitive"]);
        user.done(update_peer(public(1), to("preshared_key", none.clone())));
        assert_eq!(lab.peer(1).get("preshared_key"), Some(&none), "{point:?}");
    }
}

#[test]
fn a_user_who_may_not_write_is_told_so_also_where_nothing_is_seen() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let user = lab.without(&["write", "sensitive"]);
    let wanted = to("preshared_key", Field::PresharedKey(Some(preshared(7))));
    let ended = user.write(vec![update_peer(public(1), wanted)]).remove(0);
    assert_eq!(
        ended.err().as_deref(),
        Some("failed: missing or invalid resource identifier (400)")
    );
}

#[test]
fn what_somebody_else_makes_in_the_meantime_stays_as_it_is() {
    let meanwhile = |menu: &str, properties: &[(&str, &str)]| Fault::Meanwhile {
        menu: menu.to_owned(),
        properties: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let (interfaces, peers) = ("interface/wireguard", "interface/wireguard/peers");
    let lab = Simulated::newest();
    let theirs = meanwhile(interfaces, &[("name", "wg0"), ("mtu", "1300")]);
    lab.router.inject(Rule::once("PUT", 0, theirs));
    let taken = "failure: already have interface with such name (400)";
    let untouched = |act: Act, reason: &str| {
        assert_eq!(ends_untouched(&lab, act), Some(reason.to_owned()));
        assert_eq!((lab.asked)("DELETE"), 0);
    };
    untouched(create_without_key("wg0", lab_fields()), taken);
    let found = lab.bed.interface("wg0");
    assert_eq!((found.fields.get("mtu"), held(&found)), (Some(&Field::Number(1300)), set(&[])));
    untouched(
        create("wg0", &private(1), lab_fields()),
        "an interface of that name is there already",
    );

    // A name that is to be changed to.
    lab.bed.done(create("wg1", &private(1), lab_fields()));
    lab.router.inject(Rule::once("PATCH", 0, meanwhile(interfaces, &[("name", "wg2")])));
    let mut rename = update("wg1", elements(&["10.9.0.1/24"], &[]));
    if let Act::UpdateInterface { rename, .. } = &mut rename {
        *rename = Some("wg2".to_owned());
    }
    untouched(rename, taken);
    assert_eq!(held(&lab.bed.interface("wg2")), set(&[]));

    // A peer that is even as ours would be.
    let key = public(1).to_string();
    let properties =
        [("interface", "wg0"), ("public-key", key.as_str()), ("allowed-address", "10.1.0.0/16")];
    lab.router.inject(Rule::once("PUT", 0, meanwhile(peers, &properties)));
    let peer = || create_peer(public(1), only(&["10.1.0.0/16"]));
    untouched(peer(), "failure: entry already exists (400)");
    untouched(peer(), "a peer with that key is there already");
    assert_eq!(lab.bed.interface("wg0").peers.len(), 1);
}

fn lab_fields() -> Fields {
    Fields::from([("addresses", addresses(&["10.8.0.1/24"]))])
}

/// Carries out an act that is to fail without a trace, and returns why it did.
fn ends_untouched(lab: &Simulated, act: Act) -> Option<String> {
    let operations = vec![Operation { after: vec![], act }];
    let mut why = None;
    let mut landed = |_, outcome| {
        if let Outcome::Untouched(error) = outcome {
            why = Some(error.reason);
        }
    };
    wait(lab.bed.backend.write(Batch { operations }, Stop::default(), &mut landed));
    why
}

#[test]
fn a_user_without_sensitive_writes_keys_and_never_reads_a_difference_into_them() {
    for point in [None, Some("absent-keys"), Some("long-masks")] {
        let lab = Simulated::new(Profile::newest(), point);
        lab.bed.hub();
        let key = Field::PresharedKey(Some(preshared(7)));
        let mut fields = only(&["10.1.0.0/16"]);
        fields.insert("preshared_key", key);
        lab.bed.done(create_peer(public(1), fields));
        let policies: Vec<&str> =
            ALL_POLICIES.into_iter().filter(|policy| *policy != "sensitive").collect();
        lab.router.set_user("wgform", &Secret::new("hunter2hunter2"), &policies);
        lab.router.reboot(jiff::Timestamp::now()).unwrap();
        let picture = lab.read();
        let found = &picture.interfaces["wg0"];
        assert!(found.private_key.is_none());
        assert!(found.peers[&public(1)].hidden.contains("preshared_key"));
        assert!(!found.peers[&public(1)].fields.contains_key("preshared_key"));
        let summary = "router that does not show its keys";
        assert!(picture.remarks.iter().any(|it| it.summary == summary));
        lab.bed.done(create_peer(public(2), only(&["10.2.0.0/16"])));
    }
}

/// What an interface that was removed by hand leaves behind is in nobody's way, and said.
#[test]
fn routes_of_an_interface_that_is_gone_are_told_and_of_use_again() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let to = "10.20.0.0/16".parse().unwrap();
    let routes = [
        Route::new(to, Route::MAIN, None),
        Route::new("10.30.0.0/16".parse().unwrap(), Route::MAIN, None)
            .through("10.8.0.9".parse().ok(), None),
    ];
    let foreign = lab.read().routing.routes.len();
    lab.bed.done(set_routes(&routes));
    let raw = lab.raw();
    raw.remove("interface/wireguard", raw.list("interface/wireguard")[0].id());
    let left = lab.read();
    assert_eq!(left.routing.routes.len(), foreign, "{:?}", left.routing.routes);
    let told: Vec<&str> = left.remarks.iter().map(|it| it.says.as_str()).collect();
    assert_eq!(
        told,
        [
            "the router still has `*2` in `/ip address`, `*80000001` in `/ip route`, `*80000002` in `/ip route`"
        ]
    );

    for address in raw.list("ip/address").iter().filter(|it| it.text("interface").starts_with('*'))
    {
        raw.remove("ip/address", address.id());
    }
    lab.bed.hub();
    lab.bed.done(set_routes(&routes));
    assert_eq!(lab.own_routes(), routes.into());
    assert_eq!(lab.read().remarks, []);
}

#[test]
fn a_peer_that_is_there_twice_is_told_left_alone_and_removed_whole() {
    let lab = Simulated::new(Profile::newest(), Some("disabled-twin"));
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let key = public(1).to_string();
    let twin = [("interface", "wg0"), ("public-key", &key), ("disabled", "yes")];
    let (raw, peers) = (lab.raw(), "interface/wireguard/peers");
    raw.add(peers, &[&twin[..], &[("allowed-address", "10.2.0.0/16")]].concat()).unwrap();
    let picture = lab.read();
    let found = &picture.interfaces["wg0"].peers[&public(1)];
    assert!(found.fields.is_empty() && found.hidden.contains("allowed_ips"), "{found:?}");
    let told: Vec<&str> = picture.remarks.iter().map(|it| it.summary).collect();
    assert_eq!(told, ["peer that is there twice"]);
    let change = update_peer(public(1), to("enabled", Field::Bool(true)));
    let why = ends_untouched(&lab, change);
    assert_eq!(why.as_deref(), Some("it is there more than once, as `*1`, `*2`"));
    lab.bed.done(delete_peer(public(1)));
    assert_eq!(raw.list(peers), []);
}

/// What a router uses beside a peer's configuration may have spellings that nobody has seen.
#[test]
fn what_cannot_be_read_is_said_where_it_is_of_wireguard_and_not_the_routers_own() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let (on, ids) = (interface_id(&lab), ["*1", "*2"].map(str::to_owned));
    let session: [(&str, &[u8]); 3] =
        [("last-handshake", b"soon"), ("rx", b"3568.3MiB"), ("current-endpoint-port", b"any")];
    lab.router.plant("peers", 1, &session).unwrap();
    lab.router
        .plant("ip/route", 0, &[("dst-address", b"nonsense"), ("gateway", b"ether1")])
        .unwrap();
    let key = public(2).to_string();
    let dynamic: [(&str, &[u8]); 4] = [
        ("interface", on.as_bytes()),
        ("public-key", key.as_bytes()),
        ("allowed-address", b"nonsense"),
        ("dynamic", b"true"),
    ];
    assert_eq!(lab.router.plant("peers", 0, &dynamic).unwrap().as_ref(), Some(&ids[1]));
    let picture = lab.read();
    let peers = &picture.interfaces["wg0"].peers;
    assert!(peers[&public(1)].fields.contains_key("allowed_ips") && peers.len() == 1, "{peers:?}");
    assert_eq!(picture.remarks, []);
    lab.router
        .plant("ip/route", 0, &[("dst-address", b"nonsense"), ("gateway", on.as_bytes())])
        .unwrap();
    lab.router.plant("peers", 1, &[("allowed-address", b"nonsense")]).unwrap();
    let told: Vec<_> = lab.read().remarks.into_iter().map(|it| it.says).collect();
    assert_eq!(told.len(), 2, "{told:?}");

    lab.bed.done(delete("wg0"));
    let left: Vec<_> =
        lab.raw().list("interface/wireguard/peers").iter().map(|it| it.id().to_owned()).collect();
    assert_eq!(left, ids[1..]);
}

fn interface_id(lab: &Simulated) -> String {
    lab.raw().list("interface/wireguard")[0].id().to_owned()
}

#[test]
fn routes_of_ours_that_share_the_packets_are_all_seen() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create("wg1", &private(2), Fields::new()));
    let route = Route::new("10.20.0.0/16".parse().unwrap(), Route::MAIN, None);
    lab.bed.done(set_routes(&[route]));
    let stale =
        [("dst-address", "10.20.0.0/16"), ("gateway", "wg1"), ("comment", "made by wgform")];
    lab.raw().add("ip/route", &stale).unwrap();
    let routing = lab.read().routing;
    let led: BTreeSet<_> = routing
        .all()
        .filter(|(it, _)| **it == route)
        .filter_map(|(_, it)| it.device.clone())
        .collect();
    assert_eq!(led, ["wg0".to_owned(), "wg1".to_owned()].into());
}

#[test]
fn a_peer_gets_another_key_where_it_is_and_keeps_what_only_the_router_has() {
    for point in [None, Some("peer-name-is-unique"), Some("refuses-overlap")] {
        let lab = Simulated::new(Profile::newest(), point);
        lab.bed.hub();
        let mut fields = only(&["10.1.0.0/16"]);
        fields.extend([("name", text("phone")), ("endpoint", endpoint("192.0.2.7:51820"))]);
        lab.bed.done(create_peer(public(1), fields.clone()));
        let (raw, peers) = (lab.raw(), "interface/wireguard/peers");
        let secret = preshared(7).expose_text();
        raw.set(peers, "*1", &[("preshared-key", &secret), ("comment", "by hand")]).unwrap();
        fields.remove("endpoint");
        lab.bed.done(rekey(&fields));
        let rows = raw.list(peers);
        let row = &rows[0];
        assert_eq!((rows.len(), row.id(), row.text("name")), (1, "*1", "phone"), "{point:?}");
        assert_eq!(row.text("public-key"), public(2).to_string());
        assert_eq!(row.text("preshared-key"), *secret);
        assert_eq!((row.text("comment"), row.text("endpoint-address")), ("", "192.0.2.7"));
        // One that was removed in between is not made without what only the router had.
        raw.remove(peers, "*1");
        assert!(ends_untouched(&lab, rekey(&fields)).is_some());
        assert!(raw.list(peers).is_empty());
    }
}

/// Returns a change of the first peer's key to the second one's.
fn rekey(fields: &Fields) -> Act {
    Act::CreatePeer {
        interface: "wg0".to_owned(),
        public_key: public(2),
        replaces: Some(public(1)),
        fields: fields.clone(),
    }
}

#[test]
fn another_key_takes_away_what_belongs_to_the_old_one() {
    for point in [None, Some("refuses-empty-key")] {
        let lab = Simulated::new(Profile::newest(), point);
        lab.bed.hub();
        let mut fields = only(&["10.1.0.0/16"]);
        fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
        fields.insert("client_private_key", Field::PrivateKey(private(5)));
        lab.bed.done(create_peer(public(1), fields.clone()));
        fields.insert("preshared_key", Field::PresharedKey(None));
        fields.remove("client_private_key");
        lab.bed.done(rekey(&fields));
        let rows = lab.raw().list("interface/wireguard/peers");
        assert_eq!(rows[0].text("public-key"), public(2).to_string());
        assert_eq!(
            (rows[0].text("preshared-key"), rows[0].text("private-key")),
            ("", ""),
            "{point:?}"
        );
    }
}

#[test]
fn a_key_change_whose_answer_is_lost_is_seen_for_what_it_is() {
    for (fault, is_done) in
        [(Fault::LoseAnswer, true), (Fault::AppliedButRefused, true), (Fault::Reset, false)]
    {
        let lab = Simulated::newest();
        lab.bed.hub();
        let fields = only(&["10.1.0.0/16"]);
        lab.bed.done(create_peer(public(1), fields.clone()));
        lab.router.inject(Rule::once("PATCH", 0, fault.clone()));
        let ended = lab.bed.write(vec![rekey(&fields)]).remove(0);
        assert_eq!(ended.is_ok(), is_done, "{fault:?}: {ended:?}");
        let peers: Vec<_> = lab.bed.interface("wg0").peers.into_keys().collect();
        assert_eq!(peers, [public(if is_done { 2 } else { 1 })], "{fault:?}");
    }
}

#[test]
fn a_key_that_somebody_else_gives_a_peer_meanwhile_stays_theirs() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let key = public(2).to_string();
    let equal =
        [("interface", "wg0"), ("public-key", key.as_str()), ("allowed-address", "10.1.0.0/16")];
    let properties = equal.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let menu = "interface/wireguard/peers".to_owned();
    lab.router.inject(Rule::once("PATCH", 0, Fault::Meanwhile { menu, properties }));
    assert!(ends_untouched(&lab, rekey(&only(&["10.1.0.0/16"]))).is_some());
    assert_eq!(lab.bed.interface("wg0").peers.len(), 2);
}

#[test]
fn who_may_not_write_is_told_so_once() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let user = lab.without(&["write"]);
    let acts = (1..4).map(|n| create_peer(public(n), only(&[&format!("10.{n}.0.0/16")])));
    let ended: Vec<_> = user.write(acts.collect()).into_iter().map(Result::unwrap_err).collect();
    assert!(ended[0].contains("not enough permissions"), "{ended:?}");
    assert_eq!(ended[1..], ["skipped after 0", "skipped after 0"]);
    assert_eq!((lab.asked)("PUT /rest/interface/wireguard/peers"), 1);
}

#[test]
fn what_is_half_made_stays_where_nobody_knows_what_there_is_to_be_removed() {
    let lab = Simulated::newest();
    let at = |rule: Rule| Rule { path: Some("/rest/ip/address".to_owned()), ..rule };
    lab.router.inject(at(Rule::once("PUT", 0, Fault::LoseAnswer)));
    // It is read once before.
    lab.router.inject(Rule { times: None, ..at(Rule::once("GET", 1, Fault::Reset)) });
    let ended = lab.bed.write(vec![create("wg0", &private(1), lab_fields())]).remove(0);
    assert!(ended.is_err());
    assert_eq!((lab.asked)("DELETE"), 0);
}

#[test]
fn a_router_that_is_too_old_is_not_planned_for() {
    let lab = Simulated::new(Profile::named("7.11").unwrap(), None);
    let error = wait(lab.bed.backend.read(&everything())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read the router on backend `hq`: RouterOS 7.11.3 is too old"
    );
    assert_eq!(error.hints, ["upgrade it to 7.12 or later"]);
    assert!(wait(lab.bed.backend.examine()).is_ok());
}

#[test]
fn a_warning_tells_what_somebody_should_know_of_a_router() {
    let lab = Simulated::newest();
    let said = || -> Vec<&str> { lab.read().remarks.iter().map(|it| it.summary).collect() };
    // It has been up since 1970, as its clock can tell.
    assert!(said().is_empty(), "{:?}", said());
    lab.router
        .plant("ip/address", 0, &[("address", b"10.0.0.1/24"), ("interface", b"*17")])
        .unwrap();
    assert_eq!(said(), ["objects of an interface that is gone"]);
    lab.router.set_clock_slow_by(86_400).unwrap();
    lab.router.reboot(jiff::Timestamp::now()).unwrap();
    assert_eq!(
        said(),
        [
            "objects of an interface that is gone",
            "router with a wrong clock",
            "router that has just started"
        ]
    );
}

/// For a moment after its start a router may have nothing in its menus.
#[test]
fn nothing_is_believed_gone_on_a_router_that_has_just_started() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    lab.router.reboot(jiff::Timestamp::now()).unwrap();
    let empty = |skip| Rule {
        path: Some("/rest/interface/wireguard".to_owned()),
        ..Rule {
            method: Some("GET".to_owned()),
            skip,
            ..Rule::always(Fault::Answer(200, "[]".to_owned()))
        }
    };
    let reason = |act| {
        let error = lab.bed.write(vec![act]).remove(0).unwrap_err();
        assert!(error.contains("has just started"), "{error}");
    };
    // It starts while it is asked.
    assert_eq!(lab.read().interfaces["wg0"].peers.len(), 1);
    lab.router.inject(empty(2));
    lab.router.inject(Rule::once("DELETE", 0, Fault::Reset));
    reason(delete_peer(public(1)));
    reason(delete_peer(public(1)));
    reason(delete("wg0"));

    let picture = lab.read();
    assert!(picture.interfaces.is_empty() && picture.is_starting());
    let mut state = State::new(&world(BTreeMap::new(), "/nowhere".into()));
    let object = ObjectKey::Interface { name: "wg0".to_owned(), public_key: public(1).to_string() };
    let address: Address = "interface.hub".parse().unwrap();
    state.resources.insert(address.clone(), ResourceRecord::new(Some(id()), object));
    let removal = StateChange::Remove { address: address.clone() };
    let actual = Actual { backends: [(id(), Reading::Read(Box::new(picture)))].into() };
    let recovered = recover(state, vec![removal.clone()], &actual);
    assert!(recovered.state.resources.contains_key(&address));
    assert_eq!((recovered.open, recovered.state.open()), (vec![removal.clone()], vec![removal]));
}
