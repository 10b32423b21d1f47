//! What brings an interface back at boot, over whatever does so on the host: written, read by that, and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wgform::actual::{FoundInterface, FoundRoute, Routing};
use wgform::backend::{Act, Interest, Persist, PersistWish, Surroundings};
use wgform::persist::{Outside, Style};
use wgform::resource::{Field, Fields};
use wgform::value::{Family, Route, RouteRule};

use crate::conformance::Bed;
use crate::conformance::bed::{
    addresses, create, create_peer, endpoint, keepalive, networks, preshared, private, public,
};

/// Makes an interface with everything, lets the host forget it and `boot`, and compares.
pub fn comes_back(bed: &Bed, style: Style, forget: impl Fn(), boot: impl Fn()) {
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"])),
        ("mtu", Field::Number(1380)),
        ("fwmark", Field::Number(51)),
    ]);
    let hub = Fields::from([
        ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:8::2/128"])),
        ("endpoint", endpoint("198.51.100.7:51820")),
        ("persistent_keepalive", keepalive("25s")),
    ]);
    let quiet = Fields::from([("allowed_ips", networks(&[]))]);
    bed.done(create("wg0", &private(1), fields.clone()));
    let mut with_secret = hub.clone();
    with_secret.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
    bed.done(create_peer(public(1), with_secret));
    bed.done(create_peer(public(2), quiet.clone()));
    // One that is not there is not written.
    let peers = [(public(1), hub), (public(2), quiet), (public(3), Fields::new())].into();
    let outside = outside();
    bed.done(Act::SetRoutes {
        interface: "wg0".to_owned(),
        routes: Some(outside.routes.clone()),
        add_rules: outside.rules.clone(),
        remove_rules: BTreeSet::new(),
    });
    let mut fields = fields;
    if style == Style::WgQuick {
        fields.insert("post_up", commands());
    }
    let wish = Some(PersistWish { style, fields, outside: outside.clone(), peers });
    let remove = [].into();
    let act = Persist { name: "wg0".to_owned(), wish, may_replace: false, remove };
    let digest = bed.done(Act::Persist(Box::new(act.clone())));
    let (before, routing) = (bed.interface("wg0"), routing(bed, style));
    forget();
    assert!(bed.read().interfaces.is_empty());
    boot();
    assert_eq!(told(&bed.interface("wg0")), told(&before));
    assert_eq!(self::routing(bed, style), routing);
    assert_eq!(bed.done(Act::Persist(Box::new(act))), digest, "nothing is left to write");
    let interest = Interest { boot: true, ..Interest::default() };
    let files: Vec<PathBuf> = bed.read_with(&interest).boot.unwrap().files.into_keys().collect();
    assert_eq!(files.len(), style.paths("wg0").len());
    bed.done(Act::DeleteInterface {
        name: "wg0".to_owned(),
        public_key: None,
        own_keys: Default::default(),
        remove_boot_files: style.paths("wg0").into_iter().collect(),
        around: Surroundings::default(),
    });
    assert!(bed.read_with(&interest).boot.unwrap().files.is_empty());
}

/// Routes in two tables, and the rules of a default route.
fn outside() -> Outside {
    let route = |to: &str, table, metric| Route::new(to.parse().unwrap(), table, metric);
    let routes = [
        route("10.20.0.0/16", Route::MAIN, None),
        route("10.21.0.0/16", 100_000, Some(7)),
        route("fd00:20::/48", Route::MAIN, Some(50)),
        route("0.0.0.0/0", 51, None),
        route("::/0", 51, None),
    ];
    let families = [Family::V4, Family::V6];
    let rules = families.map(|it| [RouteRule::Main(it), RouteRule::Unmarked(it, 51)]);
    Outside {
        backend: "hq".to_owned(),
        address: "interface.hub".to_owned(),
        routes: routes.into(),
        rules: rules.into_iter().flatten().collect(),
    }
}

/// A command that fails unless each of its words comes as it was written.
fn commands() -> Field {
    const WORDS: &str = "two words|it's # one|a\\b $HOME `x`|\n|wg0|interface.hub|hq|create";
    let script = r#"test "$1|$2|$3|$4|$WGFORM_INTERFACE|$WGFORM_ADDRESS|$WGFORM_BACKEND|$WGFORM_ACTION" = "$5""#;
    let mut command: Vec<String> = ["sh", "-c", script, "%i"].map(str::to_owned).into();
    command.extend(WORDS.split('|').take(4).map(str::to_owned));
    command.push(WORDS.to_owned());
    Field::Commands(vec![command])
}

/// Returns the routes to the interface and the rules, with whose they are. networkd makes its rules as its own.
fn routing(bed: &Bed, style: Style) -> (BTreeMap<Route, FoundRoute>, BTreeMap<RouteRule, bool>) {
    let Routing { mut routes, more: _, mut rules, table_names: _ } = bed.read().routing;
    routes.retain(|_, found| found.is_marked && found.device.as_deref() == Some("wg0"));
    assert_eq!((routes.len(), rules.len()), (5, 4), "{routes:?} {rules:?}");
    rules.values_mut().for_each(|is_marked| *is_marked |= style == Style::Networkd);
    (routes, rules)
}

/// Returns all there is to say of an interface.
fn told(found: &FoundInterface) -> String {
    let peers: Vec<_> = found.peers.iter().map(|(key, peer)| (key, &peer.fields)).collect();
    format!("{:?} {peers:?}", found.fields)
}
