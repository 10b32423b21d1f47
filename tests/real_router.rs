//! What a backend promises, on a router of your own; and which of the points that nobody has proven are proven by it.
//!
//! ```sh
//! WGFORM_TEST_ROUTEROS_URL=https://192.168.88.1 WGFORM_TEST_ROUTEROS_USER=wgform \
//! WGFORM_TEST_ROUTEROS_PASSWORD=… WGFORM_TEST_ROUTEROS_TLS_PIN=… \
//!     cargo test --test real_router -- --nocapture
//! ```
//!
//! Everything that it makes has a name that begins with `wgform-test-`, and is removed afterwards, also after a failure and after
//! a run that was killed. It does not begin where it would be in the way of something. Without the URL, the same runs on a
//! simulated router only.

#![expect(clippy::disallowed_methods, reason = "the router is named in the environment")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod routers;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wgform::actual::Picture;
use wgform::backend::Trace;
use wgform::config::RouterOs;
use wgform::simulator::routeros::http::{Options, Server};
use wgform::simulator::routeros::profile::{POINTS, PROFILES, Profile, Switches};
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::value::Secret;

use crate::conformance::bed::{private, public, world};
use crate::routers::points::{report, survey};
use crate::routers::raw::{Lines, Raw};
use crate::routers::under::{PREFIX, Under};
use crate::routers::{Lab, backend, bed, everything, scenarios, settings};

/// The oldest version that wgform works with.
const OLDEST: u8 = 12;

macro_rules! list {
    ($($name:ident)*) => {
        /// Every scenario with its name.
        const SCENARIOS: &[(&str, fn(&Lab))] = &[$((stringify!($name), scenarios::$name)),*];
    };
}

router_scenarios!(list);

#[test]
#[expect(clippy::print_stderr, reason = "tells which router was tested, and what was found")]
fn a_router_of_your_own_does_what_a_simulated_one_does() {
    let Some(router) = own_router() else {
        eprintln!("skipped: `WGFORM_TEST_ROUTEROS_URL` names no router");
        return;
    };
    eprintln!("{}", suite(&router).unwrap_or_else(|failures| panic!("{failures}")));
}

/// The suite itself, without a router.
#[test]
fn a_router_is_left_as_it_was() {
    let ((_server, settings), router) = simulated(Profile::newest(), None);
    // Somebody uses it: an interface, a route of wgform to it, and an object of one that is gone.
    let key = public(7).to_string();
    let private_key = private(7).expose_text();
    let interface: [(&str, &[u8]); 5] = [
        ("name", b"wg0"),
        ("type", b"wg"),
        ("listen-port", b"51820"),
        ("private-key", private_key.as_bytes()),
        ("public-key", key.as_bytes()),
    ];
    router.plant("interface", 0, &interface).unwrap();
    let route: [(&str, &[u8]); 3] =
        [("dst-address", b"172.16.9.0/24"), ("gateway", b"*3"), ("comment", b"made by wgform")];
    router.plant("ip/route", 0, &route).unwrap();
    let orphan: [(&str, &[u8]); 2] = [("address", b"172.16.8.1/24"), ("interface", b"*99")];
    router.plant("ip/address", 0, &orphan).unwrap();
    let raw = Raw::new(&settings);
    let menus = [
        "interface",
        "ip/address",
        "ip/route",
        "interface/list",
        "interface/list/member",
        "routing/table",
    ];
    let all = || menus.map(|menu| format!("{:?}", raw.list(menu)));
    let before = all();
    suite(&settings).unwrap_or_else(|failures| panic!("{failures}"));
    assert_eq!(all(), before);
    // What a killed run has left behind is no obstacle, and something of somebody else is one.
    raw.add("interface/wireguard", &[("name", &format!("{PREFIX}wg0"))]).unwrap();
    raw.add("ip/route", &[("dst-address", "10.0.0.0/8"), ("gateway", "wg0")]).unwrap();
    let refusal = suite(&settings).unwrap_err();
    assert!(refusal.contains("/ip/route 10.0.0.0/8"), "{refusal}");
}

/// On the oldest and the newest version only, unless `CI=true`.
#[test]
fn every_point_that_can_be_seen_is_seen_in_both_settings() {
    let is_thorough = std::env::var("CI").is_ok_and(|it| it == "true");
    let is_looked_at = |it: &&Profile| is_thorough || matches!(it.minor, OLDEST | 24);
    for profile in PROFILES.iter().filter(|it| it.minor >= OLDEST).filter(is_looked_at) {
        for flipped in std::iter::once(None).chain(POINTS.iter().map(|(point, _)| Some(*point))) {
            let ((_server, settings), _) = simulated(profile, flipped);
            let usual = Switches::usual(profile);
            let mut switches = flipped.map_or(usual, |point| usual.flipped(point).unwrap());
            let seen = survey(&Raw::new(&settings));
            for (point, switch) in POINTS {
                let whose =
                    format!("{point} of {}, {flipped:?} in the other setting", profile.name);
                match &seen[point] {
                    Ok(is_so) => assert_eq!(*is_so, *switch(&mut switches), "{whose}"),
                    Err(why) if flipped == Some(point) => {
                        assert!(cannot_be_seen(point, profile.minor), "{whose}: {why}");
                    }
                    // Another setting may hide it, and in the usual ones everything is seen.
                    Err(why) if flipped.is_none() => {
                        let is_hidden = matches!(*point, "no-ipv6-menus" | "ipv6-is-off");
                        assert!(
                            is_hidden || cannot_be_seen(point, profile.minor),
                            "{whose}: {why}"
                        );
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// What takes a user with fewer rights, or came with a later version.
fn cannot_be_seen(point: &str, minor: u8) -> bool {
    match point {
        "absent-keys" | "long-masks" | "resource-needs-test" => true,
        "peer-name-is-unique" | "absent-responder" => minor < 15,
        "empty-client-allowed" | "client-allowed-returns" => minor < 21,
        "refuses-empty-key" => minor < 22,
        _ => false,
    }
}

/// Reads from the environment which router it is.
fn own_router() -> Option<RouterOs> {
    let variable = |name: &str| std::env::var(format!("WGFORM_TEST_ROUTEROS_{name}")).ok();
    let url = variable("URL").filter(|url| !url.is_empty())?;
    let user = variable("USER").unwrap_or_else(|| "admin".to_owned());
    let password = Secret::new(variable("PASSWORD").unwrap_or_default());
    let mut settings = settings(url, &user, password);
    settings.tls.tls_pin_sha256 = variable("TLS_PIN");
    Some(settings)
}

fn simulated(
    profile: &'static Profile,
    flipped: Option<&str>,
) -> ((Server, RouterOs), SimulatedRouter) {
    let router = SimulatedRouter::in_memory(profile, 7, jiff::Timestamp::UNIX_EPOCH);
    if let Some(point) = flipped {
        assert!(router.flip(point).unwrap(), "{point}");
    }
    let password = Secret::new("hunter2hunter2");
    router.set_user("wgform", &password, &ALL_POLICIES);
    let world = world(BTreeMap::new(), "/nowhere".into());
    let server = Server::start(router.clone(), &world, Options::default()).unwrap();
    let url = format!("http://{}", server.address());
    ((server, settings(url, "wgform", password)), router)
}

/// Runs every scenario and looks at every point, and says what was found; the error is what failed.
fn suite(router: &RouterOs) -> Result<String, String> {
    let raw = Raw::new(router);
    let minor = raw.minor();
    assert!(minor >= OLDEST, "wgform works with RouterOS 7.{OLDEST} and later");
    raw.sweep(true);
    let in_the_way = raw.in_the_way();
    if !in_the_way.is_empty() {
        return Err(format!("the tests would be in the way of {}", in_the_way.join(", ")));
    }
    // Whatever happens from here on, the router is swept.
    let run = catch_unwind(AssertUnwindSafe(|| on_router(router, &raw, minor)));
    raw.sweep(true);
    run.unwrap_or_else(|panic| Err(format!("the suite itself failed: {}", said(&*panic))))
}

fn on_router(router: &RouterOs, raw: &Raw, minor: u8) -> Result<String, String> {
    for list in ["LAN", "WAN"] {
        raw.add("interface/list", &[("name", &format!("{PREFIX}{list}"))])?;
    }
    let before = picture(router);
    let has_ipv6 = raw.has_ipv6();
    let mut failures = String::new();
    for (name, scenario) in SCENARIOS {
        let lab = lab(router, minor, has_ipv6, before.clone());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| scenario(&lab))) {
            let _ = writeln!(failures, "{name}: {}", said(&*panic));
        }
        raw.sweep(false);
    }
    let found = survey(raw);
    let report =
        format!("RouterOS 7.{minor}: {} scenarios\n{}", SCENARIOS.len(), report(minor, &found));
    match failures.is_empty() {
        true => Ok(report),
        false => Err(format!("{failures}{report}")),
    }
}

fn picture(router: &RouterOs) -> Picture {
    let bed = bed(Box::new(backend(router.clone(), &Trace::default())));
    bed.read_with(&everything())
}

fn lab(router: &RouterOs, minor: u8, has_ipv6: bool, before: Picture) -> Lab {
    let lines = Lines::default();
    let own = RouterOs { debug: true, ..router.clone() };
    let marked = before.routing.routes.iter().filter(|(_, found)| found.is_marked);
    let not_ours = marked.map(|(route, _)| *route).collect();
    let inner = Box::new(backend(own, &lines.trace()));
    let raw = Raw::new(router);
    Lab {
        bed: bed(Box::new(Under { inner, before })),
        minor,
        has_ipv6,
        asked: Box::new(move |begin| lines.count(begin)),
        add_table: Box::new(move |name| {
            let name = format!("{PREFIX}{name}");
            raw.add("routing/table", &[("name", &name), ("fib", "")]).unwrap();
        }),
        not_ours,
    }
}

/// Returns what a test said when it failed.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it does not say why")
        .to_owned()
}
