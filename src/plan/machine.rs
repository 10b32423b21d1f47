//! Which backends are one host, and which only look like one.

use std::collections::BTreeMap;

use crate::actual::{Identity, Reading};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::plan::walk::Planner;
use crate::resource::BackendId;

/// What a host is known by within one look at all of them. Hosts that were copied from one image have one machine id, and
/// each its own boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostId<'a> {
    id: &'a str,
    boot_id: Option<&'a str>,
    /// Containers that were copied have the boots of their host.
    host_name: &'a str,
}

impl<'a> HostId<'a> {
    /// Returns nothing for a system that does not say which one it is.
    fn of(identity: &'a Identity) -> Option<Self> {
        let Identity { id, boot_id, uptime: _, clock_skew: _, host_name } = identity;
        (!id.is_empty()).then_some(Self { id, boot_id: boot_id.as_deref(), host_name })
    }

    /// Returns the same of the whole machine, whatever the network namespace.
    fn machine(self) -> Self {
        let id = self.id.split_once("#netns=").map_or(self.id, |(id, _)| id);
        Self { id, ..self }
    }
}

impl Planner<'_> {
    /// Returns what the host of a backend is known by: two backends may be one host.
    pub(crate) fn host_of<'b>(&'b self, backend: &'b BackendId) -> HostId<'b> {
        self.picture(backend).and_then(|it| HostId::of(&it.identity)).unwrap_or(HostId {
            // Not every router says which one it is.
            id: backend.as_str(),
            boot_id: None,
            host_name: "",
        })
    }

    /// Returns whether two backends have their files in common: network namespaces of one machine do.
    pub(crate) fn is_same_machine(&self, one: &BackendId, other: &BackendId) -> bool {
        let machine = |backend| Some(HostId::of(&self.picture(backend)?.identity)?.machine());
        one == other || machine(one).is_some_and(|it| Some(it) == machine(other))
    }

    /// Warns of hosts that were copied from one image: what tells them apart does not outlive a boot.
    pub(crate) fn warn_of_copies(&mut self, config: &Config) {
        let mut seen: BTreeMap<&str, (HostId<'_>, &BackendId)> = BTreeMap::new();
        for (id, reading) in &self.actual.backends {
            let Reading::Read(picture) = reading else { continue };
            let machine = HostId::of(&picture.identity).map(HostId::machine);
            let Some(machine) = machine.filter(|it| it.boot_id.is_some()) else { continue };
            let (other, first) = *seen.entry(machine.id).or_insert((machine, id));
            if other == machine {
                continue;
            }
            let says = format!(
                "backends `{first}` and `{id}` have different boot ids or names, so they are two hosts, and one was copied from the other"
            );
            let help = "Give one of them another id: remove its `/etc/machine-id`, run `systemd-machine-id-setup`, and accept it with `-accept-new-device=ID`.";
            let warning = Diagnostic::warning("two hosts with one machine id");
            self.warnings.push(match config.backend_span(id).or(config.backend_span(first)) {
                Some(span) => warning.label(span, says).help(help),
                None => warning.help(format!("{says}. {help}")),
            });
        }
    }
}
