//! What a backend promises, over simulated routers of every version and at either setting of each point that nobody has
//! proven; and what becomes of a batch when something goes wrong on the way.

#![expect(clippy::disallowed_methods, reason = "a router lives by the real clock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod routers;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

use wgform::backend::{Act, Trace};
use wgform::config;
use wgform::resource::Field;
use wgform::simulator::routeros::fault::{Fault, Rule};
use wgform::simulator::routeros::http::{Options, Server};
use wgform::simulator::routeros::profile::{POINTS, PROFILES, Profile};
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::value::Secret;

use crate::conformance::bed::{
    create_peer, networks, only, preshared, public, to, update_peer, world,
};
use crate::routers::{ANSWERS_WITHIN, Lab, backend, bed, scenarios, settings};

/// The oldest version that wgform works with.
const OLDEST: u8 = 12;

/// A simulated router behind a socket.
struct Simulated {
    lab: Lab,
    router: SimulatedRouter,
    _server: Server,
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
        let password = Secret::new("hunter2hunter2");
        router.set_user("wgform", &password, &ALL_POLICIES);
        let options = Options { damage: Duration::ZERO, command_limit, ..Options::default() };
        let world = world(BTreeMap::new(), "/nowhere".into());
        let server = Server::start(router.clone(), &world, options).unwrap();
        let url = format!("http://{}", server.address());
        let settings = config::RouterOs { api_timeout, ..settings(url, "wgform", password) };
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
        Self { lab, router, _server: server }
    }

    fn newest() -> Self {
        Self::new(Profile::newest(), None)
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
