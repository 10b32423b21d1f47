//! What a backend promises, over simulated routers of every version and at either setting of each point that nobody has
//! proven; and what becomes of a batch when something goes wrong on the way.

#![expect(clippy::disallowed_methods, reason = "a router lives by the real clock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wgform::actual::{Actual, Picture, Reading};
use wgform::backend::routeros::RouterOs;
use wgform::backend::{Act, Batch, Interest, Operation, Outcome, Stop, Trace};
use wgform::config;
use wgform::plan::recover;
use wgform::resource::{Address, BackendKind, Field, Fields, Setting, Settings};
use wgform::simulator::routeros::fault::{Fault, Rule};
use wgform::simulator::routeros::http::{Options, Server};
use wgform::simulator::routeros::profile::{POINTS, PROFILES, Profile};
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::state::{ObjectKey, ResourceRecord, State, StateChange};
use wgform::value::{GatewayCheck, Route, Secret};

use crate::conformance::bed::{
    addresses, clear, create, create_peer, delete, delete_peer, elements, endpoint, held, id,
    keepalive, networks, only, preshared, private, public, set, to, update, update_peer, wait,
    world,
};
use crate::conformance::{Bed, Kind};

/// The oldest version that wgform works with.
const OLDEST: u8 = 12;

/// How long a client waits for an answer, however busy the machine is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

struct Lab {
    bed: Bed,
    router: SimulatedRouter,
    profile: &'static Profile,
    has_ipv6: bool,
    server: Server,
}

fn password() -> Secret {
    Secret::new("hunter2hunter2")
}

/// Returns a router as one of its users has it.
fn bed(server: &Server, api_user: &str, api_timeout: Duration) -> Bed {
    let settings = config::RouterOs {
        api_url: format!("http://{}", server.address()),
        api_user: api_user.to_owned(),
        api_password: password(),
        api_timeout,
        api_verify_tls: true,
        ca_file: None,
        tls_pin_sha256: None,
        concurrency: config::RouterOs::CONCURRENCY,
        debug: false,
    };
    let world = world(BTreeMap::new(), "/nowhere".into());
    let router = RouterOs::new(id(), settings, false, &world, &Trace::default()).unwrap();
    Bed {
        kind: Kind::Router,
        backend: Box::new(router),
        add_other_link: Box::new(|_| {}),
        add_route: Box::new(|_, _| {}),
        set_up: Box::new(|_, _| {}),
    }
}

impl Lab {
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
        let world = world(BTreeMap::new(), "/nowhere".into());
        let options = Options { damage: Duration::ZERO, command_limit, ..Options::default() };
        let server = Server::start(router.clone(), &world, options).unwrap();
        let bed = bed(&server, "wgform", api_timeout);
        let has_ipv6 = !matches!(point, Some("no-ipv6-menus" | "ipv6-is-off"));
        Self { bed, router, profile, has_ipv6, server }
    }

    fn newest() -> Self {
        Self::new(Profile::newest(), None)
    }

    /// Returns the router as another user has it, who lacks these policies.
    fn without(&self, lacking: &[&str]) -> Bed {
        let policies = ALL_POLICIES.into_iter().filter(|it| !lacking.contains(it));
        self.router.set_user("guest", &password(), &policies.collect::<Vec<_>>());
        bed(&self.server, "guest", ANSWERS_WITHIN)
    }

    /// Reads all that a router can be asked for.
    fn read(&self) -> Picture {
        let interest = Interest { routes: true, interface_lists: true, ..Interest::default() };
        self.bed.read_with(&interest)
    }

    fn interface(&self) -> Fields {
        self.read().interfaces.remove("wg0").unwrap().fields
    }

    fn peer(&self, number: u32) -> Fields {
        self.bed.peer("wg0", &public(number)).fields
    }

    /// Returns the routes that wgform made.
    fn own_routes(&self) -> BTreeSet<Route> {
        let routes = self.read().routing.routes;
        routes.into_iter().filter(|(_, found)| found.is_marked).map(|(route, _)| route).collect()
    }

    fn asked(&self, method: &str) -> usize {
        self.router.requests().iter().filter(|line| line.starts_with(method)).count()
    }
}

/// Returns a change of the routes to `wg0`.
fn set_routes(all: &[Route]) -> Act {
    Act::SetRoutes {
        interface: "wg0".to_owned(),
        routes: Some(all.iter().copied().collect()),
        add_rules: BTreeSet::new(),
        remove_rules: BTreeSet::new(),
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
            let lab = Lab::new(profile, point);
            let run = std::panic::AssertUnwindSafe(|| scenario(&lab));
            if let Err(panic) = std::panic::catch_unwind(run) {
                eprintln!("RouterOS {}, the other setting of {point:?}", profile.name);
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Asserts that these attributes are so; others may be there.
fn assert_has(found: &Fields, wanted: &Fields) {
    for (name, field) in wanted {
        assert_eq!(found.get(name), Some(field), "{name}");
    }
}

fn names(all: &[&str]) -> Field {
    Field::Names(all.iter().map(ToString::to_string).collect())
}

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

#[test]
fn a_router_without_interfaces_is_one_all_the_same() {
    everywhere(|lab| {
        let picture = lab.read();
        assert!(picture.interfaces.is_empty());
        assert!(picture.other_links.contains("ether1"));
        assert_eq!((picture.kind, picture.simulated), (BackendKind::RouterOs, false));
        assert!(!picture.identity.id.is_empty());
        assert!(picture.capabilities.renames);
        let has_vrf = !picture.capabilities.lacks.iter().any(|it| it.attribute == "vrf");
        assert_eq!(has_vrf, lab.profile.minor >= 21);
    });
}

#[test]
fn a_created_interface_reads_back_and_takes_every_change_where_it_is() {
    everywhere(|lab| {
        let held_addresses: &[&str] = match lab.has_ipv6 {
            true => &["10.8.0.1/24", "fd00:8::1/64"],
            false => &["10.8.0.1/24"],
        };
        let fields = Fields::from([
            ("description", text("the hub")),
            ("listen_port", Field::Number(51_820)),
            ("addresses", addresses(held_addresses)),
            ("mtu", Field::Number(1400)),
            ("enabled", Field::Bool(true)),
            ("interface_lists", names(&["LAN"])),
        ]);
        let key = private(1);
        assert_eq!(lab.bed.done(create("wg0", &key, fields.clone())), Fields::new());
        let found = lab.read().interfaces.remove("wg0").unwrap();
        assert_eq!(found.private_key, Some(key.clone()));
        assert_has(&found.fields, &fields);
        assert_eq!(found.fields.get("public_key"), Some(&Field::PublicKey(key.public())));
        lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
        for (name, field) in [
            ("description", text("")),
            ("listen_port", Field::Number(51_999)),
            ("mtu", Field::Number(1300)),
            ("enabled", Field::Bool(false)),
            ("enabled", Field::Bool(true)),
        ] {
            let mut expected = lab.interface();
            lab.bed.done(update("wg0", to(name, field.clone())));
            expected.insert(name, field);
            assert_eq!(lab.interface(), expected, "{name}");
        }
        let lists =
            Setting::Names { add: ["WAN".to_owned()].into(), remove: ["LAN".to_owned()].into() };
        lab.bed.done(update("wg0", Settings::from([("interface_lists", lists)])));
        assert_eq!(lab.interface().get("interface_lists"), Some(&names(&["WAN"])));
        lab.bed.done(Act::UpdateInterface {
            name: "wg0".to_owned(),
            rename: Some("wg9".to_owned()),
            private_key: Some(private(2)),
            key_file: None,
            remove_key_file: None,
            settings: Settings::new(),
            wanted: Fields::new(),
            around: Default::default(),
        });
        let picture = lab.read();
        let found = &picture.interfaces["wg9"];
        let public_key = Field::PublicKey(private(2).public());
        assert_eq!(found.fields.get("public_key"), Some(&public_key));
        assert_eq!(found.peers.len(), 1);
        assert_eq!(held(found), set(held_addresses));
        lab.bed.done(delete("wg9"));
        lab.bed.done(delete("wg9"));
        let picture = lab.read();
        assert!(picture.interfaces.is_empty());
        // Nothing is left that refers to it.
        let orphans = "objects of an interface that is gone";
        assert!(!picture.remarks.iter().any(|it| it.summary == orphans), "{:?}", picture.remarks);
    });
}

#[test]
fn a_port_that_is_not_set_is_chosen_by_the_router() {
    everywhere(|lab| {
        let chosen = lab.bed.done(create("wg0", &private(1), Fields::new()));
        assert!(chosen.contains_key("listen_port"));
        assert_has(&lab.interface(), &chosen);
    });
}

#[test]
fn a_router_makes_the_key_that_it_is_not_given() {
    everywhere(|lab| {
        let told = lab.bed.done(create_without_key("wg0", Fields::new()));
        let found = lab.bed.interface("wg0");
        let key = found.private_key.unwrap().public();
        assert_eq!(told.get("public_key"), Some(&Field::PublicKey(key)));
        assert_has(&found.fields, &told);
    });
}

#[test]
fn foreign_addresses_stay() {
    everywhere(|lab| {
        lab.bed.hub();
        lab.bed.done(update("wg0", elements(&["192.0.2.1/32"], &[])));
        lab.bed.done(update("wg0", elements(&["10.9.0.1/24"], &["10.8.0.1/24"])));
        let found = lab.bed.interface("wg0");
        assert_eq!(held(&found), set(&["10.9.0.1/24", "192.0.2.1/32"]));
    });
}

#[test]
fn a_created_peer_reads_back_and_takes_every_change_where_it_is() {
    everywhere(|lab| {
        lab.bed.hub();
        let mut fields = Fields::from([
            ("description", text("a phone")),
            ("enabled", Field::Bool(true)),
            ("preshared_key", Field::PresharedKey(Some(preshared(7)))),
            ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:20::/48"])),
            ("endpoint", endpoint("192.0.2.7:51820")),
            ("persistent_keepalive", keepalive("100s")),
            ("client_address", addresses(&["10.8.0.2/32"])),
            (
                "client_dns",
                Field::Servers(vec!["10.8.0.53".parse().unwrap(), "9.9.9.9".parse().unwrap()]),
            ),
            ("client_endpoint", text("vpn.example.com:51820")),
            ("client_keepalive", keepalive("25s")),
            ("client_private_key", Field::PrivateKey(private(5))),
        ]);
        if lab.profile.minor >= 15 {
            fields.insert("name", text("phone"));
            fields.insert("responder", Field::Bool(true));
        }
        assert_eq!(lab.bed.done(create_peer(public(1), fields.clone())), Fields::new());
        assert_has(&lab.peer(1), &fields);
        lab.bed.done(create_peer(public(2), only(&["10.99.0.0/16"])));
        let other = lab.peer(2);
        for (name, field) in [
            ("description", text("")),
            ("preshared_key", Field::PresharedKey(Some(preshared(8)))),
            ("preshared_key", Field::PresharedKey(None)),
            ("allowed_ips", networks(&["10.8.0.2/32", "::/0"])),
            ("endpoint", endpoint("[2001:db8::7]:51821")),
            ("endpoint", endpoint("vpn.example.com:51820")),
            ("persistent_keepalive", keepalive("1m")),
            ("persistent_keepalive", keepalive("off")),
            ("enabled", Field::Bool(false)),
            ("enabled", Field::Bool(true)),
            ("client_endpoint", text("")),
        ] {
            let mut expected = lab.peer(1);
            lab.bed.done(update_peer(public(1), to(name, field.clone())));
            expected.insert(name, field);
            assert_eq!(lab.peer(1), expected, "{name}");
        }
        lab.bed.done(update_peer(public(1), clear("endpoint")));
        assert_eq!(lab.peer(1).get("endpoint"), None);
        assert_eq!(lab.peer(2), other);
        lab.bed.done(delete_peer(public(1)));
        lab.bed.done(delete_peer(public(1)));
        assert_eq!(lab.bed.interface("wg0").peers.len(), 1);
    });
}

#[test]
fn routes_come_and_go_and_foreign_ones_stay() {
    everywhere(|lab| {
        lab.bed.hub();
        let route = |to: &str| Route::new(to.parse().unwrap(), Route::MAIN, None);
        let far = Route::new("10.30.0.0/16".parse().unwrap(), Route::MAIN, Some(7));
        let ours = || lab.own_routes();
        let foreign = lab.read().routing.routes.len();
        lab.bed.done(set_routes(&[route("10.20.0.0/16"), far]));
        assert_eq!(ours(), [route("10.20.0.0/16"), far].into());
        lab.bed.done(set_routes(&[route("10.20.0.0/16"), route("10.40.0.0/16")]));
        assert_eq!(ours(), [route("10.20.0.0/16"), route("10.40.0.0/16")].into());
        lab.bed.done(delete("wg0"));
        assert_eq!((ours(), lab.read().routing.routes.len()), (BTreeSet::new(), foreign));
        lab.bed.done(set_routes(&[]));
    });
}

#[test]
fn a_route_leads_to_a_gateway_in_a_table_and_is_changed_where_it_is() {
    everywhere(|lab| {
        lab.bed.hub();
        lab.router.plant("routing/table", 0, &[("name", b"vpn")]).unwrap();
        let table = lab.read().routing.table_names["vpn"];
        let (to, gateway) = ("10.20.0.0/16".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let route = Route::new(to, table, Some(7));
        let checked = route.through(Some(gateway), Some(GatewayCheck::Ping));
        let mut made = 0;
        for wanted in [route, checked, route.through(Some(gateway), None), route] {
            lab.bed.done(set_routes(&[wanted]));
            assert_eq!(lab.own_routes(), [wanted].into(), "{wanted}");
            made = made.max(lab.asked("PUT /rest/ip/route"));
        }
        assert_eq!((made, lab.asked("DELETE /rest/ip/route")), (1, 0));
        lab.bed.done(set_routes(&[checked]));
        let mut rename = update("wg0", Settings::new());
        if let Act::UpdateInterface { rename, .. } = &mut rename {
            *rename = Some("wg1".to_owned());
        }
        lab.bed.done(rename);
        let leads_to = &lab.read().routing.routes[&checked].device;
        assert_eq!(leads_to.as_deref(), Some("wg1"));
        lab.bed.done(delete("wg1"));
        assert_eq!(lab.own_routes(), BTreeSet::new());
    });
}

#[test]
fn what_follows_a_failure_is_skipped_and_the_rest_is_done() {
    everywhere(|lab| {
        lab.bed.hub();
        let operation = |after: &[usize], act| Operation { after: after.to_vec(), act };
        let ended = lab.bed.write_batch(
            vec![
                operation(&[], create_peer(public(1), only(&["10.1.0.0/16"]))),
                operation(&[], update_peer(public(9), to("enabled", Field::Bool(true)))),
                operation(&[1], create_peer(public(2), only(&["10.2.0.0/16"]))),
                operation(&[0], create_peer(public(3), only(&["10.3.0.0/16"]))),
            ],
            Stop::default(),
        );
        let short: Vec<&str> =
            ended.iter().map(|end| end.as_ref().map_or_else(String::as_str, |_| "done")).collect();
        assert_eq!(short, ["done", "failed: the peer is gone", "skipped after 1", "done"]);
        let keys: Vec<_> = lab.bed.interface("wg0").peers.into_keys().collect();
        assert_eq!(keys, [public(1), public(3)]);
    });
}

#[test]
fn a_thousand_new_peers_are_a_thousand_requests() {
    let lab = Lab::newest();
    lab.bed.hub();
    let (writes, reads) = (lab.asked("PUT"), lab.asked("GET"));
    let network = |n: u32| only(&[&format!("10.{}.{}.0/24", n / 256, n % 256)]);
    let ended = lab.bed.write((0..1000).map(|n| create_peer(public(n), network(n))).collect());
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(lab.asked("PUT") - writes, 1000);
    // The version, the interfaces, the peers.
    assert_eq!(lab.asked("GET") - reads, 3);
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
        let lab = Lab::with(Profile::newest(), None, api_timeout, command_limit);
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
            let lab = Lab::with(Profile::newest(), None, ANSWERS_WITHIN, soon);
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
        let lab = Lab::newest();
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
        let lab = Lab::newest();
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
        let lab = Lab::new(Profile::newest(), point);
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
    let lab = Lab::newest();
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
    let lab = Lab::newest();
    let theirs = meanwhile(interfaces, &[("name", "wg0"), ("mtu", "1300")]);
    lab.router.inject(Rule::once("PUT", 0, theirs));
    let taken = "failure: already have interface with such name (400)";
    let untouched = |act: Act, reason: &str| {
        assert_eq!(ends_untouched(&lab, act), Some(reason.to_owned()));
        assert_eq!(lab.asked("DELETE"), 0);
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

fn create_without_key(name: &str, fields: Fields) -> Act {
    Act::CreateInterface {
        name: name.to_owned(),
        private_key: None,
        key_file: None,
        fields,
        around: Default::default(),
    }
}

/// Carries out an act that is to fail without a trace, and returns why it did.
fn ends_untouched(lab: &Lab, act: Act) -> Option<String> {
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
        let lab = Lab::new(Profile::newest(), point);
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

#[test]
fn a_warning_tells_what_somebody_should_know_of_a_router() {
    let lab = Lab::newest();
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
