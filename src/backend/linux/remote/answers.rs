//! What `ip` and `wg` of another host print, as data. Nothing in it is believed to be whole or well formed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde::Deserialize;

use crate::backend::linux::netlink::is_automatic;
use crate::simulator::linux::call::{Device, DevicePeer, Link, LinkKind, Refusal};
use crate::value::{Cidr, Keepalive, Prefix, PrivateKey, PublicKey};

/// One link of `ip -j -d link show`.
#[derive(Deserialize)]
struct IpLink {
    ifname: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    mtu: u32,
    linkinfo: Option<IpLinkInfo>,
}

#[derive(Deserialize)]
struct IpLinkInfo {
    info_kind: Option<String>,
}

/// One link of `ip -j address show`.
#[derive(Deserialize)]
struct IpAddresses {
    ifname: Option<String>,
    #[serde(default)]
    addr_info: Vec<IpAddress>,
}

#[derive(Deserialize)]
struct IpAddress {
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
}

/// Puts together what `ip` says of links and addresses; `served` are the names that `wg` knows.
pub(crate) fn links(
    links: &str,
    addresses: &str,
    served: &str,
) -> Result<BTreeMap<String, Link>, Refusal> {
    let served: BTreeSet<&str> = served.split_whitespace().collect();
    let mut all = BTreeMap::new();
    for IpLink { ifname, flags, mtu, linkinfo } in json::<IpLink>("ip", links)? {
        let Some(name) = ifname else { continue };
        let kind = match linkinfo.and_then(|it| it.info_kind).as_deref() {
            Some("wireguard") => LinkKind::Kernel,
            Some("tun") if served.contains(name.as_str()) => LinkKind::Userspace,
            _ => LinkKind::Other,
        };
        let is_up = flags.iter().any(|flag| flag == "UP");
        all.insert(name, Link { kind, is_up, mtu, addresses: BTreeSet::new() });
    }
    for IpAddresses { ifname, addr_info } in json::<IpAddresses>("ip", addresses)? {
        let Some(link) = ifname.and_then(|name| all.get_mut(&name)) else { continue };
        for IpAddress { local, prefixlen } in addr_info {
            let address = local.zip(prefixlen).and_then(|(it, length)| Cidr::new(it, length).ok());
            let is_own = |it: &Cidr| link.kind == LinkKind::Userspace && is_automatic(it);
            link.addresses.extend(address.filter(|it| !is_own(it)));
        }
    }
    Ok(all)
}

fn json<'a, T: Deserialize<'a>>(program: &str, text: &'a str) -> Result<Vec<T>, Refusal> {
    // An old version prints nothing at all where there is nothing to list.
    match text.trim() {
        "" => Ok(Vec::new()),
        text => serde_json::from_str(text).map_err(|_| not_understood(program)),
    }
}

/// Reads `wg show all dump`: every device that could be read.
pub(crate) fn all_devices(text: &str) -> Result<BTreeMap<String, Device>, Refusal> {
    let mut devices: BTreeMap<String, Device> = BTreeMap::new();
    for line in text.lines() {
        let (name, rest) = line.split_once('\t').ok_or_else(|| not_understood("wg"))?;
        match devices.get_mut(name) {
            None => _ = devices.insert(name.to_owned(), head(rest)?),
            Some(device) => {
                let (key, peer) = peer(rest)?;
                device.peers.insert(key, peer);
            }
        }
    }
    Ok(devices)
}

/// Reads `wg show NAME dump`.
pub(crate) fn device(text: &str) -> Result<Device, Refusal> {
    let mut lines = text.lines();
    let mut device = head(lines.next().unwrap_or_default())?;
    device.peers = lines.map(peer).collect::<Result<_, _>>()?;
    Ok(device)
}

/// Reads `PRIVATE PUBLIC PORT MARK`.
fn head(line: &str) -> Result<Device, Refusal> {
    let [private, _, port, mark] = fields(line)?;
    let mark = match mark.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None if mark == "off" => Ok(0),
        None => mark.parse(),
    };
    Ok(Device {
        private_key: match private {
            "(none)" => None,
            text => Some(text.parse::<PrivateKey>().map_err(|_| not_understood("wg"))?),
        },
        listen_port: port.parse().map_err(|_| not_understood("wg"))?,
        fwmark: mark.map_err(|_| not_understood("wg"))?,
        peers: BTreeMap::new(),
    })
}

/// Reads `PUBLIC PRESHARED ENDPOINT ALLOWED HANDSHAKE RECEIVED SENT KEEPALIVE`.
fn peer(line: &str) -> Result<(PublicKey, DevicePeer), Refusal> {
    let [key, preshared, endpoint, allowed, handshake, received, sent, keepalive] = fields(line)?;
    let wrong = || not_understood("wg");
    let seconds: i64 = handshake.parse().map_err(|_| wrong())?;
    let peer = DevicePeer {
        preshared_key: match preshared {
            "(none)" => None,
            text => Some(text.parse().map_err(|_| wrong())?),
        },
        endpoint: socket(endpoint),
        persistent_keepalive: match keepalive {
            "off" => Keepalive::OFF,
            text => Keepalive::from_seconds(text.parse().map_err(|_| wrong())?),
        },
        allowed_ips: match allowed {
            "(none)" => BTreeSet::new(),
            list => list
                .split(',')
                .map(|it| it.parse::<Prefix>().map_err(|_| wrong()))
                .collect::<Result<_, _>>()?,
        },
        last_handshake: Some(seconds)
            .filter(|it| *it != 0)
            .and_then(|it| Timestamp::from_second(it).ok()),
        received: received.parse().map_err(|_| wrong())?,
        sent: sent.parse().map_err(|_| wrong())?,
    };
    Ok((key.parse().map_err(|_| wrong())?, peer))
}

fn fields<const N: usize>(line: &str) -> Result<[&str; N], Refusal> {
    let fields: Vec<&str> = line.split('\t').collect();
    fields.try_into().map_err(|_| not_understood("wg"))
}

/// Reads an endpoint, without the link that a link-local address is on.
fn socket(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let host = host.split_once('%').map_or(host, |(address, _)| address);
    let address: IpAddr = host.parse().ok()?;
    Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
}

/// Reads what `getent ahosts` prints, each address once and in its order.
pub(crate) fn addresses(text: &str) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for word in text.lines().filter_map(|line| line.split_whitespace().next()) {
        let address: Option<IpAddr> = word.parse().ok();
        all.extend(address.filter(|it| !all.contains(it)));
    }
    all
}

pub(crate) fn not_understood(program: &str) -> Refusal {
    Refusal::said(
        format!("the answer of `{program}` on the host could not be understood"),
        format!("please report it with what `{program} --version` or `{program} -V` says there"),
    )
}

#[cfg(test)]
mod tests {
    use crate::backend::linux::remote::answers::{addresses, all_devices, device, links};
    use crate::simulator::linux::call::LinkKind;

    const KEY: &str = "hamKjk6EpGzthxCTodSbmx60Jg3j5rDUyQcY9WJmh0A=";

    #[test]
    fn links_have_their_kinds_and_addresses() {
        let all = r#"[{"ifname":"lo","flags":["LOOPBACK","UP"],"mtu":65536},{},
            {"ifname":"wg0","flags":[],"mtu":1420,"linkinfo":{"info_kind":"wireguard"}},
            {"ifname":"wg1","flags":["UP"],"mtu":1420,"linkinfo":{"info_kind":"tun"}},
            {"ifname":"vpn","flags":["UP"],"mtu":1500,"linkinfo":{"info_kind":"tun"}}]"#;
        let held = r#"[{"ifname":"wg1","addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":24},{},
            {"family":"inet6","local":"fe80::1","prefixlen":64}]},
            {"ifname":"vpn","addr_info":[{"local":"fe80::2","prefixlen":64}]}]"#;
        let found = links(all, held, "wg0\nwg1\n").unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|(name, it)| (&**name, it.kind, it.is_up, it.mtu, it.addresses.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("lo", LinkKind::Other, true, 65_536, 0),
                ("vpn", LinkKind::Other, true, 1500, 1),
                ("wg0", LinkKind::Kernel, false, 1420, 0),
                ("wg1", LinkKind::Userspace, true, 1420, 1),
            ]
        );
        assert!(links("", "", "").unwrap().is_empty());
        assert!(links("{", "", "").is_err());
    }

    #[test]
    fn a_dump_is_read_whole() {
        let head = "4KBLMIuSIb08dqi3t0q9pWiY1Qeo40YIh+MxH/5RJVA=\tPUB\t51820\t0x5";
        let peer =
            format!("{KEY}\t(none)\t[fe80::1%eth0]:7\t10.0.0.0/8,fd00::/8\t1700000000\t9\t8\t25");
        let bare =
            "BhdTeYMWYgQpgvBNxYIpJhXy91VmGzvXNlOR3KK5bRQ=\t(none)\t(none)\t(none)\t0\t0\t0\toff";
        let found = device(&format!("{head}\n{peer}\n{bare}\n")).unwrap();
        assert_eq!((found.listen_port, found.fwmark, found.peers.len()), (51_820, 5, 2));
        let first = &found.peers[&KEY.parse().unwrap()];
        assert_eq!(first.endpoint, Some("[fe80::1]:7".parse().unwrap()));
        assert_eq!((first.allowed_ips.len(), first.persistent_keepalive.seconds()), (2, 25));
        assert_eq!(first.last_handshake.unwrap().as_second(), 1_700_000_000);
        let all = all_devices(&format!("wg0\t{head}\nwg0\t{peer}\nwg1\t(none)\t(none)\t0\toff\n"));
        let all = all.unwrap();
        assert_eq!((all["wg0"].peers.len(), all["wg1"].private_key.is_none()), (1, true));
    }

    #[test]
    fn what_is_not_as_expected_is_refused_without_being_shown() {
        for text in ["", "x", "a\tb\tc\td", "(none)\t(none)\t0\toff\nsecret\t1\t2\t3\t4\t5\t6\t7"] {
            let refusal = device(text).unwrap_err();
            assert!(!format!("{refusal:?}").contains("secret"));
        }
        assert!(all_devices("no tab").is_err());
    }

    #[test]
    fn a_name_has_each_address_once() {
        let text = "192.0.2.1 STREAM a\n192.0.2.1 DGRAM\n2001:db8::1 STREAM\nnonsense\n";
        let shown: Vec<String> = addresses(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "2001:db8::1"]);
    }
}
