//! The routes and policy rules of the simulated host: what its kernel takes, refuses and loses.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::simulator::linux::call::{HostRoute, HostRouting, NotRouted, Refusal, RoutingChange};
use crate::simulator::linux::host::{Host, HostLink, IPV4_MIN_MTU, IPV6_MIN_MTU};
use crate::value::{Cidr, Family, Route};

/// `RTPROT_KERNEL`: what comes from an address.
const KERNEL: u8 = 2;
/// What the kernel gives the IPv6 routes that come from addresses.
const CONNECTED_IPV6_METRIC: u32 = 256;

/// The names that every `/etc/iproute2/rt_tables` has.
pub(crate) fn default_tables() -> BTreeMap<String, u32> {
    [("local", 255), ("main", 254), ("default", 253)].map(|(name, n)| (name.to_owned(), n)).into()
}

impl Host {
    pub(crate) fn routing(&self) -> HostRouting {
        HostRouting {
            routes: self.connected().chain(self.routes.iter().cloned()).collect(),
            rules: self.rules.iter().copied().collect(),
            table_names: self.table_names.clone(),
        }
    }

    pub(crate) fn change_routing(&mut self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        for (at, change) in changes.iter().enumerate() {
            self.change_route_or_rule(change).map_err(|refusal| (at, refusal))?;
        }
        Ok(())
    }

    fn change_route_or_rule(&mut self, change: &RoutingChange) -> Result<(), Refusal> {
        let done = match change {
            RoutingChange::AddRoute(route) => return self.add_route(route),
            RoutingChange::DeleteRoute(route) => {
                self.routes.remove(route).then_some(()).ok_or(Errno::SRCH)
            }
            // Who made a rule does not make it another one.
            RoutingChange::AddRule(rule) if self.rules.iter().any(|it| it.rule == rule.rule) => {
                Err(Errno::EXIST)
            }
            RoutingChange::AddRule(rule) => {
                self.rules.insert(*rule);
                Ok(())
            }
            RoutingChange::DeleteRule(rule) => {
                self.rules.remove(rule).then_some(()).ok_or(Errno::NOENT)
            }
        };
        done.map_err(Refusal::from)
    }

    fn add_route(&mut self, route: &HostRoute) -> Result<(), Refusal> {
        if let Some(device) = &route.device {
            let link = self.links.get(device).ok_or(Errno::NODEV)?;
            if !link.is_up {
                return Err(Errno::NETDOWN.into());
            }
            if Family::of(&route.route.to) == Family::V6 && link.mtu < IPV6_MIN_MTU {
                return Err(Errno::NODEV.into());
            }
        }
        let is_same = |it: &HostRoute| it.route == route.route;
        if self.routes.iter().any(is_same) || self.connected().any(|it| is_same(&it)) {
            return Err(Errno::EXIST.into());
        }
        self.routes.insert(route.clone());
        Ok(())
    }

    /// Drops the routes that a link can no longer have.
    pub(crate) fn lose_routes(&mut self, name: &str) {
        let link = self.links.get(name);
        let has = |route: &HostRoute| {
            link.is_some_and(|link| {
                let needed = match Family::of(&route.route.to) {
                    Family::V4 => IPV4_MIN_MTU,
                    Family::V6 => IPV6_MIN_MTU,
                };
                link.is_up && link.mtu >= needed
            })
        };
        self.routes.retain(|it| it.device.as_deref() != Some(name) || has(it));
    }

    /// Returns the routes that come from the addresses of links that are up.
    fn connected(&self) -> impl Iterator<Item = HostRoute> {
        self.links.iter().filter(|(name, link)| link.is_up && *name != "lo").flat_map(
            |(name, HostLink { addresses, .. })| {
                addresses.iter().filter_map(move |address| connected(name, address))
            },
        )
    }
}

/// An IPv4 address that is a network of its own is in the local table only.
fn connected(device: &str, address: &Cidr) -> Option<HostRoute> {
    let is_alone = address.address().is_ipv4() && address.length() == 32;
    let metric = address.address().is_ipv6().then_some(CONNECTED_IPV6_METRIC);
    let route = Route::new(address.prefix(), Route::MAIN, metric);
    (!is_alone).then(|| HostRoute { route, device: Some(device.to_owned()), protocol: KERNEL })
}
