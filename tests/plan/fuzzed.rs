//! Any bytes as a story: a configuration, things that happen to its hosts and its state, another configuration. Unlike
//! those of `model`, the configurations may contradict themselves: then the plan has to say so.

use std::fmt::Write as _;

use wgform::plan::Plan;
use wgform::resource::BackendId;
use wgform::simulator::linux::call::{DeviceChange, Link, LinkKind, PeerChange};

use crate::host::Host;
use crate::lab::Lab;

/// Tells the story that bytes stand for, and fails where something does not hold.
pub fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut lab = Lab::new(&configuration(&mut bytes));
    HOSTS.iter().for_each(|it| lab.traits(it).cannot_rename = bytes.pick(4) == 0);
    carry_out(&lab);
    for number in 0..2 {
        for _ in 0..bytes.pick(4) {
            happen(&lab, number, &mut bytes);
        }
        if bytes.pick(2) == 0 {
            HOSTS.iter().for_each(|it| _ = lab.options.accept_loss.insert(BackendId::new(*it)));
        }
        lab.options.without_refresh = bytes.pick(8) == 7;
        lab.replace(&configuration(&mut bytes));
        carry_out(&lab);
    }
    lab.options.without_refresh = false;
    lab.options.destroy = true;
    carry_out(&lab);
}

const HOSTS: [&str; 2] = ["hq", "branch"];

/// The same plan is made twice, its steps are sound (the laboratory looks at every plan), and when it was carried out
/// nothing is left to do.
fn carry_out(lab: &Lab) {
    let plan = lab.plan();
    assert_eq!(plan, lab.plan());
    lab.drift();
    if plan.contains("error: ") || plan.contains("refused: ") {
        return;
    }
    let report = lab.apply();
    let after = lab.plan();
    // Without a look at the devices, an apply may find what it did not expect there.
    if report.contains("complete.") && !lab.options.without_refresh {
        assert!(lab.look(Plan::is_empty), "{plan}\n{report}\nis not all:\n{after}");
    }
}

/// Bytes that become choices; always the first one when there are no more.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    pub fn pick(&mut self, of: u8) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first % of
    }

    pub fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        let of_them = u8::try_from(of.len()).unwrap();
        of[usize::from(self.pick(of_them))]
    }
}

fn configuration(bytes: &mut Bytes<'_>) -> String {
    let mut text = String::new();
    for host in HOSTS {
        let _ = writeln!(text, "backend \"local\" \"{host}\" {{\n  simulate = true\n}}");
    }
    for label in 0..bytes.pick(4) {
        interface(label, bytes, &mut text);
    }
    for label in 0..bytes.pick(3) {
        let lines =
            ["", "  rotation = \"1\"\n", "  value = \"«0.psk»\"\n", "  adopt_from = peer.p0\n"];
        let _ = writeln!(text, "preshared_key \"s{label}\" {{\n{}}}", bytes.one(&lines));
    }
    for label in 0..bytes.pick(6) {
        peer(label, bytes, &mut text);
    }
    text + bytes.one(&[
        "",
        "output \"a\" { value = interface.i0.public_key }\n",
        "output \"b\" { value = [for it in [interface.i0, interface.i1] : it.listen_port] }\n",
        "output \"c\" { value = peer.p0.public_key }\n",
    ])
}

/// Each line is left out in about half of all cases.
fn interface(label: u8, bytes: &mut Bytes<'_>, text: &mut String) {
    let _ = writeln!(text, "interface \"i{label}\" {{\n  backend = backend.{}", bytes.one(&HOSTS));
    let lines: [&[&str]; 11] = [
        &["name = \"wg0\"", "name = \"wg1\"", "name = \"wg2\"", "name = \"a.b-c\""],
        &["listen_port = 51800", "listen_port = 51801", "listen_port = 51802"],
        &[
            "addresses = [\"10.8.0.1/24\"]",
            "addresses = [\"10.8.0.1/24\", \"10.8.0.2/24\", \"fd00::1/64\"]",
            "addresses = [\"fd00::1/64\"]",
            "addresses = [\"10.8.0.2/16\", \"10.8.0.1/24\"]",
            "addresses = []",
        ],
        &["mtu = 1280", "mtu = 1420", "mtu = 576", "mtu = 65535"],
        &["fwmark = 1", "fwmark = 4294967295", "fwmark = 0"],
        &["enabled = false", "enabled = true"],
        &["key_rotation = \"1\"", "key_rotation = \"2\""],
        &[
            "private_key = \"«one.private»\"",
            "private_key = \"«two.private»\"",
            "key_file = \"/keys/one\"",
            "key_file = \"/keys/two\"",
        ],
        &["unmanaged_peers = \"remove\"", "unmanaged_peers = \"ignore\"", "force_destroy = true"],
        &["description = \"a\"", "description = interface.i0.name", "description = \"\""],
        &["lifecycle {\n    prevent_destroy = true\n  }", "depends_on = [interface.i1]"],
    ];
    write(&lines, bytes, text);
}

fn peer(label: u8, bytes: &mut Bytes<'_>, text: &mut String) {
    let interface = bytes.one(&["i0", "i1", "i2", "i3"]);
    let key = bytes.one(&[
        "\"«far 0»\"",
        "\"«far 1»\"",
        "\"«far 2»\"",
        "interface.i0.public_key",
        "interface.i1.public_key",
        "interface.i2.public_key",
        "null",
        "\"«one»\"",
    ]);
    let networks = bytes.one(&[
        "[]",
        "[\"10.0.0.0/8\"]",
        "[\"10.1.0.0/16\", \"fd01::/64\"]",
        "[\"0.0.0.0/0\", \"::/0\"]",
        "[\"10.2.0.0/16\"]",
        "[\"10.3.0.0/16\", \"10.3.1.0/24\"]",
        "interface.i0.addresses",
    ]);
    let _ = writeln!(
        text,
        "peer \"p{label}\" {{\n  interface = interface.{interface}\n  public_key = {key}\n  allowed_ips = {networks}"
    );
    let lines: [&[&str]; 7] = [
        &[
            "endpoint = \"a.example:51820\"",
            "endpoint = \"192.0.2.1:1\"",
            "endpoint = \"[2001:db8::1]:65535\"",
            "endpoint = \"nowhere.invalid:5\"",
            "endpoint = \"b.example:${interface.i0.listen_port}\"",
        ],
        &["persistent_keepalive = \"25s\"", "persistent_keepalive = \"off\""],
        &["enabled = false", "enabled = true", "expires_at = \"2026-07-01T11:00:00Z\""],
        &[
            "preshared_key = \"none\"",
            "preshared_key = \"«0.psk»\"",
            "preshared_key = preshared_key.s0",
            "preshared_key = preshared_key.s1",
        ],
        &["description = \"a\"", "name = \"x\"", "name = \"y\""],
        &["pin_endpoint = true"],
        &["lifecycle {\n    prevent_destroy = true\n  }", "depends_on = [interface.i1]"],
    ];
    write(&lines, bytes, text);
}

fn write(lines: &[&[&str]], bytes: &mut Bytes<'_>, text: &mut String) {
    for choices in lines {
        if bytes.pick(2) == 1 {
            let _ = writeln!(text, "  {}", bytes.one(choices));
        }
    }
    text.push_str("}\n");
}

/// Lets something happen to a host or to the state, if there is something for it to happen to.
fn happen(lab: &Lab, number: u8, bytes: &mut Bytes<'_>) {
    let host = lab.host(bytes.one(&HOSTS));
    let links = host.linux.links();
    let is_wireguard = |(name, link): (_, &Link)| (link.kind != LinkKind::Other).then_some(name);
    let names: Vec<&String> = links.iter().filter_map(is_wireguard).collect();
    let at = usize::from(bytes.pick(4));
    match names.get(at % names.len().max(1)) {
        Some(name) if bytes.pick(4) > 0 => drift(&host, name, number, bytes),
        _ => upheaval(lab, &host, number, bytes),
    }
}

/// Refused calls change nothing: whoever made them gave up.
fn drift(host: &Host, name: &str, number: u8, bytes: &mut Bytes<'_>) {
    let peers = host.linux.device(name).map(|it| it.peers).unwrap_or_default();
    let peer = peers.keys().nth(usize::from(bytes.pick(3))).copied();
    let networks = ["10.0.0.0/8", "10.2.0.0/16", "172.16.0.0/12"];
    match (bytes.pick(12), peer) {
        (0, Some(key)) => {
            host.peer(name, PeerChange::removal(key));
        }
        (1, Some(key)) => host.set_preshared_key(name, key, Some("by hand")),
        (2, Some(key)) => host.handshake_of(name, key, 10),
        (3, _) => host.set_peer(name, "stranger", &[bytes.one(&networks)]),
        (4, _) => host.set_peer(name, "far 0", &[bytes.one(&networks)]),
        (5, _) => host.set_key(name, bytes.one(&["intruder", "one"])),
        (6, _) => host.set_mark(name, 99),
        (7, _) => _ = host.linux.set_mtu(name, 1290),
        (8, _) => _ = host.linux.set_up(name, bytes.pick(2) == 1),
        (9, _) => {
            let address = format!("172.16.{number}.1/24").parse().unwrap();
            _ = host.linux.add_address(name, address);
        }
        (10, _) => _ = host.linux.delete_link(name),
        _ => {
            let listen_port = Some(51_801);
            let change = DeviceChange { listen_port, ..DeviceChange::default() };
            _ = host.linux.configure(name, &change);
        }
    }
}

fn upheaval(lab: &Lab, host: &Host, number: u8, bytes: &mut Bytes<'_>) {
    match bytes.pick(5) {
        0 => host.reboot(),
        1 => {
            let name = bytes.one(&["wg0", "wg1", "wg9"]);
            if host.linux.add_link(name).is_ok() {
                host.set_key(name, "foreign");
            }
        }
        2 => _ = host.linux.remove_file("/var/lib/wgform/keys/wg0".as_ref()),
        3 => host.write_key_file("/keys/one", bytes.one(&["one", "two"])),
        _ => {
            if !lab.has_state() || lab.owned().is_empty() {
                return;
            }
            lab.edit_state(|state| {
                let nth = usize::from(number) % state.resources.len();
                let address = state.resources.keys().nth(nth).cloned();
                address.iter().for_each(|it| _ = state.resources.remove(it));
            });
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the kept cases are files")]
mod tests {
    use std::path::Path;

    use crate::fuzzed::check;

    #[test]
    fn every_story_that_fuzzing_starts_from_or_that_broke_something_holds() {
        for folder in ["fuzz/seeds/plan", "testdata/fuzz/plan"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in folder.read_dir().unwrap() {
                check(&std::fs::read(entry.unwrap().path()).unwrap());
            }
        }
    }
}
