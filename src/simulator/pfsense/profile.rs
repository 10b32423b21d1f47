//! Which version of the REST API package is simulated, and how the firewall behaves where nobody has proven how one does.

/// A version of the package: `v2.10.0` is `(2, 10, 0)`.
pub type Version = (u16, u16, u16);

/// A version of the package on a firewall.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// As the firewall and a user name it.
    pub name: &'static str,
    /// The same as numbers.
    pub version: Version,
}

/// The versions that differ in what this simulator knows, oldest first. The first is older than wgform supports.
pub const PROFILES: [Profile; 7] = [
    Profile { name: "v2.3.0", version: (2, 3, 0) },
    Profile { name: "v2.4.3", version: (2, 4, 3) },
    Profile { name: "v2.7.0", version: (2, 7, 0) },
    Profile { name: "v2.8.0", version: (2, 8, 0) },
    Profile { name: "v2.8.2", version: (2, 8, 2) },
    Profile { name: "v2.9.0", version: (2, 9, 0) },
    Profile { name: "v2.10.0", version: (2, 10, 0) },
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

    /// Returns whether a request can ask for an answer without an effect. An older version ignores the wish, and writes.
    pub(super) fn has_dry_run(&self) -> bool {
        self.version >= (2, 8, 0)
    }

    /// Returns whether replacing all objects without an effect fails.
    pub(super) fn fails_to_rehearse_put(&self) -> bool {
        self.version >= (2, 8, 3)
    }

    /// Returns whether a change of an assigned tunnel empties its addresses.
    pub(super) fn scrubs_addresses(&self) -> bool {
        self.version >= (2, 8, 2)
    }
}

/// How a firewall behaves at each point that is not proven. The default is what the source of the package says, or the
/// stricter side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// Before v2.8.2, the stored addresses of an assigned tunnel are looked at in every change of it, and not only in one
    /// that names addresses.
    pub looks_at_stored_addresses: bool,
    /// A list that is asked for from an offset on, without a limit, has the stored ids, and does not count them anew.
    pub offset_keeps_ids: bool,
    /// A write to an address or an allowed IP alone counts as pending.
    pub nested_write_is_pending: bool,
    /// A tunnel that WireGuard refuses to configure has no device, and not one without a key.
    pub failed_tunnel_has_no_device: bool,
    /// The service stays off although a tunnel is assigned to an interface.
    pub assigned_stays_off: bool,
    /// `/status/system` dies, as it does when it cannot read its load.
    pub status_dies: bool,
    /// There is no serial number, as on a virtual machine.
    pub no_serial: bool,
}

/// A point with its name, and where its switch is.
pub type Point = (&'static str, fn(&mut Switches) -> &mut bool);

/// Every point that is not proven. What must hold must hold in both settings of each one.
pub const POINTS: &[Point] = &[
    ("looks-at-stored-addresses", |it| &mut it.looks_at_stored_addresses),
    ("offset-keeps-ids", |it| &mut it.offset_keeps_ids),
    ("nested-write-is-pending", |it| &mut it.nested_write_is_pending),
    ("failed-tunnel-has-no-device", |it| &mut it.failed_tunnel_has_no_device),
    ("assigned-stays-off", |it| &mut it.assigned_stays_off),
    ("status-dies", |it| &mut it.status_dies),
    ("no-serial", |it| &mut it.no_serial),
];

impl Switches {
    /// Turns one point to its other setting; none when there is no such point.
    #[must_use]
    pub fn flipped(mut self, name: &str) -> Option<Self> {
        let (_, switch) = POINTS.iter().find(|(point, _)| *point == name)?;
        let switch = switch(&mut self);
        *switch = !*switch;
        Some(self)
    }

    /// Returns the names of the points in which it is not as usual.
    pub fn flips(mut self) -> Vec<&'static str> {
        POINTS.iter().filter(|(_, switch)| *switch(&mut self)).map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::simulator::pfsense::profile::{POINTS, PROFILES, Profile, Switches};

    #[test]
    fn every_point_is_a_switch_of_its_own() {
        for (name, _) in POINTS {
            assert_eq!(Switches::default().flipped(name).unwrap().flips(), [*name]);
        }
        assert_eq!(Switches::default().flipped("offset"), None);
    }

    #[test]
    fn the_versions_are_in_order() {
        let versions = PROFILES.map(|profile| profile.version);
        assert!(versions.is_sorted());
        assert_eq!(Profile::newest().name, "v2.10.0");
    }
}
