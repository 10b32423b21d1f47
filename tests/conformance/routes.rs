//! Routes and policy rules.

use std::collections::BTreeSet;

use wgform::backend::{Act, Operation, Stop};
use wgform::value::{Family, Route, RouteRule};

use crate::conformance::bed::{Bed, delete, elements, set, update};

pub fn routes_are_made_in_their_tables_and_go(bed: &Bed) {
    bed.hub();
    let wanted = [
        route("10.20.0.0/16"),
        route("fd00:20::/48"),
        Route::new("10.21.0.0/16".parse().unwrap(), 100_000, Some(7)),
        Route::new("fd00:21::/48".parse().unwrap(), 200, Some(7)),
        Route::new("0.0.0.0/0".parse().unwrap(), 100_000, None),
        Route::new("::/0".parse().unwrap(), 200, None),
    ];
    bed.done(routes(&wanted));
    let all = [
        "10.20.0.0/16",
        "fd00:20::/48",
        "10.21.0.0/16 table 100000 metric 7",
        "fd00:21::/48 table 200 metric 7",
        "0.0.0.0/0 table 100000",
        "::/0 table 200",
    ];
    assert_eq!(marked(bed), set(&all));
    // Once more changes nothing; another metric is another route.
    bed.done(routes(&wanted));
    assert_eq!(marked(bed), set(&all));
    bed.done(routes(&[Route::new("10.20.0.0/16".parse().unwrap(), Route::MAIN, Some(5))]));
    assert_eq!(marked(bed), set(&["10.20.0.0/16 metric 5"]));
    bed.done(routes(&[]));
    assert_eq!(marked(bed), set(&[]));
}

pub fn foreign_routes_and_rules_stay(bed: &Bed) {
    bed.hub();
    (bed.add_route)("10.30.0.0/16", "wg0");
    bed.done(routes(&[route("10.20.0.0/16"), route("10.30.0.0/16")]));
    // That of somebody else is as wanted, and counts as there.
    assert_eq!(marked(bed), set(&["10.20.0.0/16"]));
    bed.done(routes(&[]));
    let left = bed.read().routing.routes;
    assert!(left.contains_key(&route("10.30.0.0/16")), "{left:?}");
    assert_eq!(marked(bed), set(&[]));
}

pub fn a_route_of_somebody_else_is_not_taken(bed: &Bed) {
    bed.hub();
    (bed.add_other_link)("other0");
    (bed.set_up)("other0", true);
    (bed.add_route)("10.30.0.0/16", "other0");
    let why = bed.failed(routes(&[route("10.20.0.0/16"), route("10.30.0.0/16")]));
    assert_eq!(
        why,
        "failed: the route `10.30.0.0/16`: another route to that network is there already, with the same metric"
    );
    let left = bed.read().routing.routes;
    assert_eq!(left[&route("10.30.0.0/16")].device.as_deref(), Some("other0"));
}

pub fn routes_that_went_with_the_link_going_down_come_back(bed: &Bed) {
    bed.hub();
    let wanted = [route("10.20.0.0/16"), route("fd00:20::/48")];
    bed.done(routes(&wanted));
    (bed.set_up)("wg0", false);
    assert_eq!(marked(bed), set(&[]));
    let why = bed.failed(routes(&wanted));
    assert_eq!(why, "failed: the route `10.20.0.0/16`: the link is down");
    (bed.set_up)("wg0", true);
    assert_eq!(marked(bed), set(&[]));
    bed.done(routes(&wanted));
    assert_eq!(marked(bed), set(&["10.20.0.0/16", "fd00:20::/48"]));
}

pub fn routes_that_went_with_the_last_address_come_back_in_the_same_batch(bed: &Bed) {
    bed.hub();
    let wanted = [route("10.20.0.0/16"), Route::new("10.21.0.0/16".parse().unwrap(), 200, None)];
    bed.done(routes(&wanted));
    bed.done(update("wg0", elements(&[], &["10.8.0.1/24"])));
    assert_eq!(marked(bed), set(&[]));
    let acts = [update("wg0", elements(&["10.8.0.1/24"], &[])), routes(&wanted)];
    let after = |at: usize| if at == 0 { vec![] } else { vec![at - 1] };
    let operations = acts.into_iter().enumerate();
    let operations = operations.map(|(at, act)| Operation { after: after(at), act }).collect();
    assert!(bed.write_batch(operations, Stop::default()).iter().all(Result::is_ok));
    assert_eq!(marked(bed), set(&["10.20.0.0/16", "10.21.0.0/16 table 200"]));
}

pub fn routes_go_with_their_interface(bed: &Bed) {
    bed.hub();
    bed.done(routes(&[route("10.20.0.0/16"), route("fd00:20::/48")]));
    bed.done(delete("wg0"));
    assert_eq!(marked(bed), set(&[]));
    // Rules can be removed when the interface is gone.
    bed.done(rules(None, &[], &policy()));
}

pub fn rules_come_and_go(bed: &Bed) {
    bed.hub();
    let default = Route::new("0.0.0.0/0".parse().unwrap(), 51_820, None);
    for _ in 0..2 {
        bed.done(rules(Some(&[default]), &policy(), &[]));
        let found = bed.read().routing.rules;
        assert_eq!(found.into_iter().collect::<Vec<_>>(), policy().map(|rule| (rule, true)));
    }
    // Those of one family only.
    let six = policy().into_iter().filter(|it| it.family() == Family::V6).collect::<Vec<_>>();
    bed.done(rules(None, &[], &six));
    assert_eq!(bed.read().routing.rules.len(), 2);
    bed.done(rules(Some(&[]), &[], &policy()));
    assert!(bed.read().routing.rules.is_empty());
    assert_eq!(marked(bed), set(&[]));
}

pub fn two_thousand_routes_are_set_and_removed(bed: &Bed) {
    bed.hub();
    let all: Vec<Route> =
        (0..2000).map(|n| route(&format!("10.{}.{}.0/24", 100 + n / 256, n % 256))).collect();
    bed.done(routes(&all));
    assert_eq!(marked(bed).len(), 2000);
    bed.done(routes(&all[..1000]));
    assert_eq!(marked(bed).len(), 1000);
    bed.done(routes(&[]));
    assert_eq!(marked(bed), set(&[]));
}

fn policy() -> [RouteRule; 4] {
    [
        RouteRule::Main(Family::V4),
        RouteRule::Main(Family::V6),
        RouteRule::Unmarked(Family::V4, 51_820),
        RouteRule::Unmarked(Family::V6, 51_820),
    ]
}

fn route(to: &str) -> Route {
    Route::new(to.parse().unwrap(), Route::MAIN, None)
}

fn routes(all: &[Route]) -> Act {
    rules(Some(all), &[], &[])
}

fn rules(routes: Option<&[Route]>, add: &[RouteRule], remove: &[RouteRule]) -> Act {
    Act::SetRoutes {
        interface: "wg0".to_owned(),
        routes: routes.map(|it| it.iter().copied().collect()),
        add_rules: add.iter().copied().collect(),
        remove_rules: remove.iter().copied().collect(),
    }
}

/// The routes that wgform made.
fn marked(bed: &Bed) -> BTreeSet<String> {
    let routes = bed.read().routing.routes;
    routes.iter().filter(|(_, it)| it.is_marked).map(|(route, _)| route.to_string()).collect()
}
