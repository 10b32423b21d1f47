//! What can only be read: versions and names, the state of the machine, the devices of WireGuard, and the interfaces that
//! there are.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::simulator::pfsense::config::{Item, text_of};
use crate::simulator::pfsense::endpoint::Target;
use crate::simulator::pfsense::firewall::Firewall;
use crate::simulator::pfsense::kernel::{Device, LivePeer};
use crate::simulator::pfsense::value::Value;
use crate::value::Secret;

/// Descriptions of peers by tunnel and key.
type Descriptions<'a> = HashMap<(&'a str, &'a str), &'a str>;

impl Firewall {
    /// Returns what is the only one of its kind.
    pub(super) fn single(&self, target: Target, now: Timestamp) -> Value {
        match target {
            Target::PackageVersion => Value::map([
                ("current_version", self.profile.name.into()),
                ("latest_version", Value::Null),
                ("latest_version_release_date", "unknown".into()),
                ("update_available", false.into()),
                ("available_versions", Value::List(Vec::new())),
            ]),
            Target::SystemVersion => Value::map([
                ("version", "2.9.0-DEVELOPMENT".into()),
                ("base", "2.9.0".into()),
                ("patch", Value::Null),
                ("buildtime", Value::Null),
            ]),
            Target::Hostname => Value::map([
                ("hostname", self.runtime.hostname.as_str().into()),
                ("domain", self.runtime.domain.as_str().into()),
            ]),
            Target::Timezone => Value::map([("timezone", "Etc/UTC".into())]),
            _ => self.system_status(now),
        }
    }

    fn system_status(&self, now: Timestamp) -> Value {
        let serial = if self.switches.no_serial { "" } else { "1234567890AB" };
        let load = [0.33, 0.4, 0.51].map(Value::Float).to_vec();
        Value::map([
            ("platform", "pfSense".into()),
            ("serial", serial.into()),
            ("netgate_id", self.netgate_id().into()),
            ("uptime", uptime(now.duration_since(self.booted_at)).into()),
            ("bios_vendor", "Imitated".into()),
            ("bios_version", "1.0".into()),
            ("bios_date", "01/01/2024".into()),
            ("kernel_pti", false.into()),
            ("mds_mitigation", "".into()),
            ("temp_c", Value::Null),
            ("temp_f", Value::Null),
            ("cpu_model", "Imitated CPU".into()),
            ("cpu_load_avg", Value::List(load)),
            ("cpu_count", Value::Int(2)),
            ("cpu_usage", Value::Float(16.5)),
            ("mbuf_usage", Value::Int(3)),
            ("mem_usage", Value::Int(20)),
            ("swap_usage", Value::Int(0)),
            ("disk_usage", Value::Int(10)),
        ])
    }

    /// Returns the devices of WireGuard, each with its peers.
    pub(super) fn tunnel_status(&self) -> Vec<Item> {
        let names = self.descriptions();
        let devices = self.kernel.devices.iter().enumerate();
        devices.map(|(id, device)| item(id, self.device_status(id, device, &names))).collect()
    }

    /// Returns peers of devices. Those of a later device are lost when an earlier one has as many.
    pub(super) fn peer_status(&self) -> Vec<Item> {
        let names = self.descriptions();
        let mut peers: Vec<Item> = Vec::new();
        for device in &self.kernel.devices {
            for (id, peer) in device.peers.iter().enumerate().skip(peers.len()) {
                peers.push(item(id, self.peer_of_status(&device.name, peer, &names)));
            }
        }
        peers
    }

    /// Returns the descriptions of the stored peers, by their tunnel and their key.
    fn descriptions(&self) -> Descriptions<'_> {
        let stored = self.config.peers.iter();
        stored
            .map(|it| ((text_of(it, "tun"), text_of(it, "publickey")), text_of(it, "descr")))
            .collect()
    }

    fn device_status(
        &self,
        id: usize,
        device: &Device,
        names: &Descriptions<'_>,
    ) -> Vec<(String, Value)> {
        let peers = device.peers.iter().enumerate().map(|(index, peer)| {
            let mut shown =
                vec![("parent_id".to_owned(), id.into()), ("id".to_owned(), Value::from(index))];
            shown.extend(self.peer_of_status(&device.name, peer, names));
            Value::Map(shown)
        });
        let tunnel = self.config.tunnel(&device.name);
        let count = |value: fn(&LivePeer) -> i64| device.peers.iter().map(value).sum::<i64>();
        entries([
            ("name", device.name.as_str().into()),
            ("status", "up".into()),
            ("public_key", device.public_key.as_deref().unwrap_or("(none)").into()),
            ("listen_port", device.listen_port.to_string().into()),
            ("mtu", device.mtu.into()),
            ("transfer_rx", count(|peer| peer.received).into()),
            ("transfer_tx", count(|peer| peer.sent).into()),
            ("inpkts", Value::Int(0)),
            ("outpkts", Value::Int(0)),
            ("descr", tunnel.map_or("", |tunnel| text_of(tunnel, "descr")).into()),
            ("peers", Value::List(peers.collect())),
        ])
    }

    fn peer_of_status(
        &self,
        device: &str,
        peer: &LivePeer,
        names: &Descriptions<'_>,
    ) -> Vec<(String, Value)> {
        let name = names.get(&(device, peer.public_key.as_str())).copied().unwrap_or_default();
        let networks = match peer.allowed_ips.as_slice() {
            [] => vec!["(none)".into()],
            networks => networks.iter().map(|it| it.to_string().into()).collect(),
        };
        let keepalive = match peer.keepalive {
            0 => "off".to_owned(),
            seconds => seconds.to_string(),
        };
        let mut status = entries([
            ("tunnel_device", device.into()),
            ("public_key", peer.public_key.as_str().into()),
            ("endpoint", peer.endpoint.as_deref().unwrap_or("(none)").into()),
            ("allowed_ips", Value::List(networks)),
            ("latest_handshake", peer.handshake.into()),
            ("transfer_rx", peer.received.into()),
            ("transfer_tx", peer.sent.into()),
            ("persistent_keepalive", keepalive.into()),
            ("descr", name.into()),
        ]);
        if self.is_exposed("WireGuardPeerStatus:preshared_key") {
            let preshared = peer.preshared_key.as_ref().map_or("(none)", Secret::expose);
            status.insert(2, ("preshared_key".to_owned(), preshared.into()));
        }
        status
    }

    /// Returns the interfaces that the kernel has, and what uses each.
    pub(super) fn available_interfaces(&self) -> Vec<Item> {
        let shown = |device: String| {
            let user = self.config.interface_of(&device);
            let mac = match device.as_str() {
                "em0" => "02:00:00:00:00:01",
                "em1" => "02:00:00:00:00:02",
                other => other,
            };
            let entries = [
                ("if", device.as_str().into()),
                ("mac", mac.into()),
                ("dmesg", Value::Null),
                ("in_use_by", user.map_or(Value::Null, |it| text_of(it, "id").into())),
            ];
            let object = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
            Item {
                id: device.as_str().into(),
                parent: Value::Null,
                object: Arc::new(object.collect()),
            }
        };
        self.devices().into_iter().map(shown).collect()
    }
}

fn entries<const N: usize>(values: [(&str, Value); N]) -> Vec<(String, Value)> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn item(id: usize, entries: Vec<(String, Value)>) -> Item {
    let object = Arc::new(entries.into_iter().collect());
    Item { id: id.into(), parent: Value::Null, object }
}

/// The fields of the lists that can only be read, in the order in which they are shown.
pub(super) fn order(target: Target) -> &'static [&'static str] {
    match target {
        Target::TunnelStatus => &[
            "name",
            "status",
            "public_key",
            "listen_port",
            "mtu",
            "transfer_rx",
            "transfer_tx",
            "inpkts",
            "outpkts",
            "descr",
            "peers",
        ],
        Target::PeerStatus => &[
            "tunnel_device",
            "public_key",
            "preshared_key",
            "endpoint",
            "allowed_ips",
            "latest_handshake",
            "transfer_rx",
            "transfer_tx",
            "persistent_keepalive",
            "descr",
        ],
        _ => &["if", "mac", "dmesg", "in_use_by"],
    }
}

fn uptime(since: SignedDuration) -> String {
    let seconds = since.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    let parts = [(days, "Day"), (hours, "Hour"), (minutes, "Minute"), (seconds, "Second")];
    let said = parts.iter().skip_while(|(number, unit)| *number == 0 && *unit != "Second");
    let said = said.map(|(number, unit)| match (number, *unit) {
        (1, "Day") => "1 Day".to_owned(),
        (number, "Day") => format!("{number} Days"),
        (1, unit) => format!("01 {unit}"),
        (number, unit) => format!("{number:02} {unit}s"),
    });
    said.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use crate::simulator::pfsense::shown::uptime;

    #[test]
    fn an_uptime_is_told_in_words() {
        assert_eq!(
            uptime(SignedDuration::from_secs(3 * 86_400 + 4 * 3600 + 61)),
            "3 Days 04 Hours 01 Minute 01 Second"
        );
        assert_eq!(uptime(SignedDuration::from_secs(-5)), "00 Seconds");
    }
}
