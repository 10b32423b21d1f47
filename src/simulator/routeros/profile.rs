//! Which RouterOS is simulated: its version, and how it behaves where nobody has proven how a router does.

/// A version of RouterOS.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// As a user names it.
    pub name: &'static str,
    /// As the router names it.
    pub version: &'static str,
    /// The number after `7.`.
    pub minor: u8,
}

/// The versions that differ in what this simulator knows, oldest first. The first is older than wgform supports.
pub const PROFILES: [Profile; 7] = [
    Profile { name: "7.11", version: "7.11.3 (stable)", minor: 11 },
    Profile { name: "7.12", version: "7.12.2 (stable)", minor: 12 },
    Profile { name: "7.15", version: "7.15.3 (stable)", minor: 15 },
    Profile { name: "7.16", version: "7.16.2 (stable)", minor: 16 },
    Profile { name: "7.17", version: "7.17.2 (stable)", minor: 17 },
    Profile { name: "7.21", version: "7.21.5 (stable)", minor: 21 },
    Profile { name: "7.24", version: "7.24.5 (stable)", minor: 24 },
];

impl Profile {
    /// Finds a version by its name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// Returns the newest one.
    pub fn newest() -> &'static Self {
        &PROFILES[PROFILES.len() - 1]
    }
}

/// How a router behaves at each point that is not proven. The default is the likelier side, or the stricter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// Host bits in `allowed-address` and `client-address` are masked, and not kept as written.
    pub masks_host_bits: bool,
    /// A peer's key may be on one interface only, of all.
    pub key_is_unique: bool,
    /// A key may be twice on an interface while not both peers are enabled.
    pub disabled_twin: bool,
    /// Two peers of an interface cannot have one name.
    pub peer_name_is_unique: bool,
    /// An identical prefix on another peer of the interface is refused.
    pub refuses_overlap: bool,
    /// A keepalive that is not set reads `0s`, and is not absent.
    pub zero_keepalive: bool,
    /// A pre-shared key that is not set reads as an empty text, and is not absent.
    pub empty_preshared_key: bool,
    /// A peer's private key that is not set reads as an empty text, and is not absent.
    pub empty_private_key: bool,
    /// A peer's private key that is not set reads `none`.
    pub none_private_key: bool,
    /// Keys that the user may not see are absent, and not `*****`.
    pub absent_keys: bool,
    /// Keys that the user may not see are eight stars, and not five.
    pub long_masks: bool,
    /// An endpoint's port that is not set is absent, and does not read `0`.
    pub absent_endpoint_port: bool,
    /// `client-address` and its like that are not set are absent, and not empty.
    pub absent_client: bool,
    /// `client-listen-port` that is not set reads `0`, and is not absent.
    pub zero_client_port: bool,
    /// A responder that is not one is absent, and does not read `false`.
    pub absent_responder: bool,
    /// A handshake that never was reads `0s`, and is not absent.
    pub zero_handshake: bool,
    /// A handshake that never was reads as an empty text, and is not absent.
    pub empty_handshake: bool,
    /// `client-allowed-address` of a new peer is empty, and not `::/0`.
    pub empty_client_allowed: bool,
    /// `client-allowed-address` that is written empty comes back as `::/0`, and does not stay empty.
    pub client_allowed_returns: bool,
    /// A key cannot be cleared with an empty text since 7.22, only with `none`.
    pub refuses_empty_key: bool,
    /// An interface without a port gets the documented 13231, and not one of the router's choice.
    pub documented_port: bool,
    /// An interface runs only when it has a peer.
    pub runs_with_peers: bool,
    /// Elements of a list are joined by a comma and a blank.
    pub blanks_in_lists: bool,
    /// `true` and `false` are taken for every boolean, and not only for those where they were seen.
    pub takes_true: bool,
    /// `network` stays as it was when `address` is changed, and is not computed anew.
    pub network_stays: bool,
    /// An address may be on an interface once with each length, and is not one that it has `already`.
    pub length_tells_addresses: bool,
    /// A second equal member of an interface list is an entry that `already exists`, and not one that the list has
    /// `already`.
    pub member_exists: bool,
    /// `.proplist` of a GET does not bring `.id` by itself.
    pub proplist_without_id: bool,
    /// `/system/resource` answers an array of one.
    pub resource_is_array: bool,
    /// `/system/resource` needs the policy `test` since 7.24.
    pub resource_needs_test: bool,
    /// `gmt-offset` reads as seconds, and not as a clock.
    pub offset_in_seconds: bool,
    /// IPv6 is switched off, and its menus answer as if they were not there.
    pub no_ipv6_menus: bool,
    /// IPv6 is switched off, and its addresses are invalid.
    pub ipv6_is_off: bool,
    /// A private key may be set and a public key may be missing in a peer that is added.
    pub peer_without_key: bool,
}

/// A point with its name, and where its switch is.
pub type Point = (&'static str, fn(&mut Switches) -> &mut bool);

/// Every point that is not proven. What must hold must hold in both settings of each one.
pub const POINTS: &[Point] = &[
    ("masks-host-bits", |it| &mut it.masks_host_bits),
    ("key-is-unique", |it| &mut it.key_is_unique),
    ("disabled-twin", |it| &mut it.disabled_twin),
    ("peer-name-is-unique", |it| &mut it.peer_name_is_unique),
    ("refuses-overlap", |it| &mut it.refuses_overlap),
    ("zero-keepalive", |it| &mut it.zero_keepalive),
    ("empty-preshared-key", |it| &mut it.empty_preshared_key),
    ("empty-private-key", |it| &mut it.empty_private_key),
    ("none-private-key", |it| &mut it.none_private_key),
    ("absent-keys", |it| &mut it.absent_keys),
    ("long-masks", |it| &mut it.long_masks),
    ("absent-endpoint-port", |it| &mut it.absent_endpoint_port),
    ("absent-client", |it| &mut it.absent_client),
    ("zero-client-port", |it| &mut it.zero_client_port),
    ("absent-responder", |it| &mut it.absent_responder),
    ("zero-handshake", |it| &mut it.zero_handshake),
    ("empty-handshake", |it| &mut it.empty_handshake),
    ("empty-client-allowed", |it| &mut it.empty_client_allowed),
    ("client-allowed-returns", |it| &mut it.client_allowed_returns),
    ("refuses-empty-key", |it| &mut it.refuses_empty_key),
    ("documented-port", |it| &mut it.documented_port),
    ("runs-with-peers", |it| &mut it.runs_with_peers),
    ("blanks-in-lists", |it| &mut it.blanks_in_lists),
    ("takes-true", |it| &mut it.takes_true),
    ("network-stays", |it| &mut it.network_stays),
    ("length-tells-addresses", |it| &mut it.length_tells_addresses),
    ("member-exists", |it| &mut it.member_exists),
    ("proplist-without-id", |it| &mut it.proplist_without_id),
    ("resource-is-array", |it| &mut it.resource_is_array),
    ("resource-needs-test", |it| &mut it.resource_needs_test),
    ("offset-in-seconds", |it| &mut it.offset_in_seconds),
    ("no-ipv6-menus", |it| &mut it.no_ipv6_menus),
    ("ipv6-is-off", |it| &mut it.ipv6_is_off),
    ("peer-without-key", |it| &mut it.peer_without_key),
];

impl Switches {
    /// Returns how a router of that version is thought to behave.
    pub fn usual(profile: &Profile) -> Self {
        // Refused on any interface once, seen on two in 7.23; when that changed is not known.
        Self { key_is_unique: profile.minor < 21, ..Self::default() }
    }

    /// Turns one point to its other setting; none when there is no such point.
    #[must_use]
    pub fn flipped(mut self, name: &str) -> Option<Self> {
        let (_, switch) = POINTS.iter().find(|(point, _)| *point == name)?;
        let switch = switch(&mut self);
        *switch = !*switch;
        Some(self)
    }

    /// Returns the names of the points in which it is not as usual for that version.
    pub fn flips(mut self, profile: &Profile) -> Vec<&'static str> {
        let mut usual = Self::usual(profile);
        let differs = |(_, switch): &&Point| *switch(&mut self) != *switch(&mut usual);
        POINTS.iter().filter(differs).map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::simulator::routeros::profile::{POINTS, Profile, Switches};

    #[test]
    fn every_point_is_a_switch_of_its_own() {
        let profile = Profile::newest();
        for (name, _) in POINTS {
            let flipped = Switches::usual(profile).flipped(name).unwrap();
            assert_eq!(flipped.flips(profile), [*name]);
        }
        assert_eq!(Switches::default().flipped("host-bits"), None);
    }
}
