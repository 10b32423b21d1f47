//! The addresses of the REST API: what each leads to, which methods it has, and since when it is there.

use crate::simulator::pfsense::config::Store;
use crate::simulator::pfsense::profile::{Profile, Version};

/// What an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// All objects of a kind.
    Many(Store),
    /// One of them, or the only one.
    One(Store),
    ApplyWireGuard,
    ApplyInterfaces,
    TunnelStatus,
    PeerStatus,
    AvailableInterfaces,
    PackageVersion,
    SystemVersion,
    Hostname,
    Timezone,
    SystemStatus,
}

/// An address of the REST API.
pub(super) struct Endpoint {
    /// Behind `/api/v2`.
    pub(super) path: &'static str,
    pub(super) target: Target,
    pub(super) methods: &'static [&'static str],
    since: Version,
}

const ALL: &[&str] = &["GET", "PUT", "DELETE"];
const NESTED: &[&str] = &["GET", "DELETE"];
const ONE: &[&str] = &["GET", "POST", "PATCH", "DELETE"];
const GET: &[&str] = &["GET"];
const CHANGED: &[&str] = &["GET", "PATCH"];
const APPLIED: &[&str] = &["GET", "POST"];

const fn at(
    path: &'static str,
    target: Target,
    methods: &'static [&'static str],
    since: Version,
) -> Endpoint {
    Endpoint { path, target, methods, since }
}

const ENDPOINTS: &[Endpoint] = &[
    at("/vpn/wireguard/tunnels", Target::Many(Store::Tunnels), ALL, (2, 0, 0)),
    at("/vpn/wireguard/tunnel", Target::One(Store::Tunnels), ONE, (2, 0, 0)),
    at("/vpn/wireguard/tunnel/addresses", Target::Many(Store::Addresses), NESTED, (2, 7, 0)),
    at("/vpn/wireguard/tunnel/address", Target::One(Store::Addresses), ONE, (2, 0, 0)),
    at("/vpn/wireguard/peers", Target::Many(Store::Peers), ALL, (2, 0, 0)),
    at("/vpn/wireguard/peer", Target::One(Store::Peers), ONE, (2, 0, 0)),
    at("/vpn/wireguard/peer/allowed_ips", Target::Many(Store::AllowedIps), NESTED, (2, 7, 0)),
    at("/vpn/wireguard/peer/allowed_ip", Target::One(Store::AllowedIps), ONE, (2, 0, 0)),
    at("/vpn/wireguard/settings", Target::One(Store::Settings), CHANGED, (2, 0, 0)),
    at("/vpn/wireguard/apply", Target::ApplyWireGuard, APPLIED, (2, 0, 0)),
    at("/status/wireguard/tunnels", Target::TunnelStatus, GET, (2, 9, 0)),
    at("/status/wireguard/peers", Target::PeerStatus, GET, (2, 9, 0)),
    at("/interfaces", Target::Many(Store::Interfaces), NESTED, (2, 0, 0)),
    at("/interface", Target::One(Store::Interfaces), ONE, (2, 0, 0)),
    at("/interface/available_interfaces", Target::AvailableInterfaces, GET, (2, 0, 0)),
    at("/interface/apply", Target::ApplyInterfaces, APPLIED, (2, 0, 0)),
    at("/system/restapi/settings", Target::One(Store::Api), CHANGED, (2, 0, 0)),
    at("/system/restapi/version", Target::PackageVersion, GET, (2, 0, 0)),
    at("/system/version", Target::SystemVersion, GET, (2, 0, 0)),
    at("/system/hostname", Target::Hostname, GET, (2, 0, 0)),
    at("/system/timezone", Target::Timezone, GET, (2, 0, 0)),
    at("/status/system", Target::SystemStatus, GET, (2, 0, 0)),
];

impl Endpoint {
    /// Finds what a path leads to; none when this version has nothing there. A slash at its end does no harm.
    pub(super) fn find(path: &str, profile: &Profile) -> Option<&'static Self> {
        let path = path.strip_prefix("/api/v2")?;
        let path = path.strip_suffix('/').unwrap_or(path);
        ENDPOINTS.iter().find(|it| it.path == path && it.since <= profile.version)
    }

    /// Finds the address of something.
    pub(super) fn of(target: Target) -> Option<&'static Self> {
        ENDPOINTS.iter().find(|it| it.target == target)
    }

    /// Returns the path as messages have it.
    pub(super) fn url(&self) -> String {
        format!("/api/v2{}", self.path)
    }

    pub(super) fn is_many(&self) -> bool {
        matches!(
            self.target,
            Target::Many(_)
                | Target::TunnelStatus
                | Target::PeerStatus
                | Target::AvailableInterfaces
        )
    }

    /// Returns the privilege that a method needs.
    pub(super) fn privilege(&self, method: &str) -> String {
        let path = self.path.replace(['/', '_'], "-");
        format!("api-v2{path}-{}", method.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use crate::simulator::pfsense::endpoint::{ENDPOINTS, Endpoint};
    use crate::simulator::pfsense::profile::Profile;

    #[test]
    fn a_privilege_is_one_of_an_address_and_a_method() {
        let newest = Profile::newest();
        let path = "/api/v2/vpn/wireguard/peer/allowed_ip";
        let endpoint = Endpoint::find(path, newest).unwrap();
        assert_eq!(endpoint.privilege("POST"), "api-v2-vpn-wireguard-peer-allowed-ip-post");
    }

    #[test]
    fn an_older_version_has_fewer_addresses() {
        let count = |name| {
            let profile = Profile::named(name).unwrap();
            let there = ENDPOINTS.iter().filter(|it| Endpoint::find(&it.url(), profile).is_some());
            there.count()
        };
        assert_eq!(["v2.4.3", "v2.7.0", "v2.9.0"].map(count), [18, 20, 22]);
    }
}
