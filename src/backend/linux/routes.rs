//! Makes the routes of one interface, and its policy rules, what they are to be.
//!
//! What is wgform's own is known by its protocol number: routes of that number to this link, rules of that number that
//! are named. Everything else is left alone; a route or rule of somebody else that is as wanted counts as there.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::BackendError;
use crate::backend::linux::batch::Job;
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::interface::{Refused, differs};
use crate::resource::Fields;
use crate::simulator::linux::call::{
    HostRoute, HostRouting, HostRule, NotRouted, PROTOCOL, Refusal, RoutingChange,
};
use crate::value::{Route, RouteRule};

/// `RTPROT_STATIC`: what networkd gives the rules that it makes at boot from our files.
const BY_NETWORKD: u8 = 4;

/// What [`set`] is to do; the words of [`crate::backend::Act::SetRoutes`].
pub(crate) struct Wish<'a> {
    pub(crate) interface: &'a str,
    pub(crate) routes: Option<&'a BTreeSet<Route>>,
    pub(crate) add_rules: &'a BTreeSet<RouteRule>,
    pub(crate) remove_rules: &'a BTreeSet<RouteRule>,
}

/// Adds what is missing and removes what is too much.
pub(crate) fn set(job: &mut Job<'_>, wish: &Wish<'_>) -> Result<Fields, BackendError> {
    let attempt = format!("set the routes of interface `{}`", wish.interface);
    change(job, wish)
        .map(|()| Fields::new())
        .map_err(|(during, refusal)| explain::error(job.backend, attempt, during, refusal))
}

fn change(job: &mut Job<'_>, wish: &Wish<'_>) -> Result<(), Refused> {
    let reading = |refusal| (During::Reading, refusal);
    let before = job.host.routing().map_err(reading)?;
    let changes = changes(&before, wish);
    if changes.is_empty() {
        return Ok(());
    }
    job.host.change_routing(&changes).map_err(|refused| named(&changes, refused))?;
    let after = job.host.routing().map_err(reading)?;
    match self::changes(&after, wish).first() {
        None => Ok(()),
        Some(left) => Err(differs(&format!("{} is not as it was written", noun(left)))),
    }
}

/// Returns what is to be done: what is added comes first, so that no packet is without its route in between, and the
/// rule that sends packets into the tunnel only when all that keeps others out of it is there.
fn changes(found: &HostRouting, wish: &Wish<'_>) -> Vec<RoutingChange> {
    let Wish { interface, routes, add_rules, remove_rules } = wish;
    let rule = |rule: &RouteRule| HostRule { rule: *rule, protocol: PROTOCOL };
    let has = |rule: &RouteRule| found.rules.iter().any(|it| it.rule == *rule);
    let missing = add_rules.iter().filter(|it| !has(it)).map(rule);
    let is_surplus = |it: &&HostRule| matches!(it.protocol, PROTOCOL | BY_NETWORKD);
    let there = |rule: &RouteRule| found.rules.iter().find(|it| it.rule == *rule);
    let surplus = remove_rules.iter().rev().filter_map(there).filter(is_surplus).copied();
    let mut changes = Vec::new();
    let mut gone = Vec::new();
    if let Some(wanted) = routes {
        let there: BTreeMap<&Route, &HostRoute> =
            found.routes.iter().map(|it| (&it.route, it)).collect();
        for route in *wanted {
            changes.extend(additions(interface, route, there.get(route).copied()));
        }
        let own = found.routes.iter().filter(|it| is_own(it, interface));
        let surplus = own.filter(|it| !wanted.contains(&it.route));
        gone.extend(surplus.cloned().map(RoutingChange::DeleteRoute));
    }
    changes.extend(missing.map(RoutingChange::AddRule));
    changes.extend(surplus.map(RoutingChange::DeleteRule));
    changes.extend(gone);
    changes
}

/// Returns how a route comes to be there. One of ours that leads to another link makes way: a plan has seen that no
/// other interface wants it.
fn additions(interface: &str, route: &Route, found: Option<&HostRoute>) -> Vec<RoutingChange> {
    let device = Some(interface.to_owned());
    let add = RoutingChange::AddRoute(HostRoute { route: *route, device, protocol: PROTOCOL });
    match found {
        Some(found) if found.device.as_deref() == Some(interface) => Vec::new(),
        Some(found) if found.protocol == PROTOCOL => {
            vec![RoutingChange::DeleteRoute(found.clone()), add]
        }
        Some(_) | None => vec![add],
    }
}

fn is_own(route: &HostRoute, interface: &str) -> bool {
    route.protocol == PROTOCOL && route.device.as_deref() == Some(interface)
}

/// Puts the route that was refused before the reason.
fn named(changes: &[RoutingChange], (at, refusal): NotRouted) -> Refused {
    let Some(change) = changes.get(at) else { return (During::Routing, refusal) };
    let (reason, hints) = explain::words(During::Routing, refusal);
    (During::Routing, Refusal::Said { reason: format!("{}: {reason}", noun(change)), hints })
}

fn noun(change: &RoutingChange) -> String {
    match change {
        RoutingChange::AddRoute(it) | RoutingChange::DeleteRoute(it) => {
            format!("the route `{}`", it.route)
        }
        RoutingChange::AddRule(it) | RoutingChange::DeleteRule(it) => format!("the `{}`", it.rule),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use crate::backend::linux::batch::Job;
    use crate::backend::linux::host::Simulated;
    use crate::backend::linux::routes::{Wish, set};
    use crate::resource::BackendId;
    use crate::simulator::linux::SimulatedLinux;
    use crate::simulator::linux::call::{HostRoute, PROTOCOL, RoutingChange};
    use crate::value::{Family, Route, RouteRule};

    fn host() -> SimulatedLinux {
        let host = SimulatedLinux::in_memory(1, Timestamp::UNIX_EPOCH);
        for name in ["wg0", "wg1"] {
            host.add_link(name).unwrap();
            host.set_up(name, true).unwrap();
        }
        host
    }

    fn route(to: &str) -> Route {
        Route::new(to.parse().unwrap(), Route::MAIN, None)
    }

    /// Sets the routes of `wg0`; returns how it ended, and all routes that lead to a WireGuard link.
    fn after(host: &SimulatedLinux, to: &[&str], rules: &[RouteRule]) -> (String, Vec<String>) {
        let mut simulated = Simulated { host: host.clone(), now: Timestamp::UNIX_EPOCH };
        let backend = BackendId::new("hq");
        let mut job = Job { backend: &backend, host: &mut simulated, devices: Default::default() };
        let routes: BTreeSet<Route> = to.iter().map(|it| route(it)).collect();
        let all = [RouteRule::Main(Family::V4), RouteRule::Unmarked(Family::V4, 7)];
        let add_rules: BTreeSet<RouteRule> = rules.iter().copied().collect();
        let wish = Wish {
            interface: "wg0",
            routes: Some(&routes),
            add_rules: &add_rules,
            remove_rules: &(&BTreeSet::from(all) - &add_rules),
        };
        let end = match set(&mut job, &wish) {
            Ok(_) => "done".to_owned(),
            Err(error) => format!("{} ({})", error.reason, error.hints.join("; ")),
        };
        (end, shown(host))
    }

    fn shown(host: &SimulatedLinux) -> Vec<String> {
        let routing = host.routing();
        let routes = routing.routes.iter().filter(|it| it.device.as_deref() != Some("eth0"));
        let route = |it: &HostRoute| {
            format!(
                "{} dev {} proto {}",
                it.route,
                it.device.as_deref().unwrap_or("-"),
                it.protocol
            )
        };
        let rules = routing.rules.iter().map(|it| format!("{} proto {}", it.rule, it.protocol));
        routes.map(route).chain(rules).collect()
    }

    fn add(host: &SimulatedLinux, to: &str, device: &str, protocol: u8) {
        let device = Some(device.to_owned());
        let route = HostRoute { route: route(to), device, protocol };
        host.change_routing(&[RoutingChange::AddRoute(route)]).unwrap();
    }

    #[test]
    fn what_is_missing_is_added_what_is_too_much_removed_and_the_rest_left() {
        let host = host();
        add(&host, "10.1.0.0/16", "wg0", PROTOCOL);
        add(&host, "10.2.0.0/16", "wg0", 4);
        add(&host, "10.3.0.0/16", "wg0", 4);
        add(&host, "10.4.0.0/16", "wg1", PROTOCOL);
        let (end, shown) = after(&host, &["10.2.0.0/16", "10.5.0.0/16"], &[]);
        assert_eq!(end, "done");
        assert_eq!(
            shown,
            [
                "10.2.0.0/16 dev wg0 proto 4",
                "10.3.0.0/16 dev wg0 proto 4",
                "10.4.0.0/16 dev wg1 proto 119",
                "10.5.0.0/16 dev wg0 proto 119",
            ]
        );
        // Nothing is written when all is there.
        let before = host.changes();
        assert_eq!(after(&host, &["10.2.0.0/16", "10.5.0.0/16"], &[]).0, "done");
        assert_eq!(host.changes(), before);
    }

    #[test]
    fn a_route_of_ours_moves_from_link_to_link_and_that_of_another_does_not() {
        let host = host();
        add(&host, "10.4.0.0/16", "wg1", PROTOCOL);
        let (end, routes) = after(&host, &["10.4.0.0/16"], &[]);
        assert_eq!(
            (&*end, &routes[..]),
            ("done", &["10.4.0.0/16 dev wg0 proto 119".to_owned()][..])
        );
        add(&host, "10.6.0.0/16", "wg1", 3);
        let (end, routes) = after(&host, &["10.6.0.0/16"], &[]);
        assert_eq!(
            end,
            "the route `10.6.0.0/16`: another route to that network is there already, with the same metric \
             (see it with `ip route show table all`, and set another `distance` or `table` in `routes`)"
        );
        assert_eq!(routes.len(), 2, "{routes:?}");
    }

    #[test]
    fn a_link_that_is_down_takes_no_route() {
        let host = host();
        host.set_up("wg0", false).unwrap();
        let (end, routes) = after(&host, &["10.4.0.0/16"], &[]);
        assert_eq!(
            end,
            "the route `10.4.0.0/16`: the link is down (run `plan` again: it was set down in between)"
        );
        assert_eq!(routes, [""; 0]);
    }

    #[test]
    fn rules_come_and_go_and_those_that_are_not_named_stay() {
        let host = host();
        let (main, own) = (RouteRule::Main(Family::V4), RouteRule::Unmarked(Family::V4, 7));
        let six = RouteRule::Main(Family::V6);
        let (end, found) = after(&host, &[], &[own, main, six]);
        assert_eq!(end, "done");
        assert_eq!(
            found,
            [
                "rule ipv4: lookup main suppress_prefixlength 0 proto 119",
                "rule ipv6: lookup main suppress_prefixlength 0 proto 119",
                "rule ipv4: not fwmark 7 lookup 7 proto 119",
            ]
        );
        let (_, found) = after(&host, &[], &[]);
        assert_eq!(found, ["rule ipv6: lookup main suppress_prefixlength 0 proto 119"]);
    }
}
