//! What the files hold, what a difference shows, and whose a path is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::persist::{
    Interface, Outside, Peer, Style, differences, files, is_ours, kept, makes_interface, owner,
};
use crate::resource::{Field, Fields};
use crate::value::{PresharedKey, PrivateKey, PublicKey};

/// Returns the texts of an interface that has one of everything.
fn texts(style: Style, enabled: bool) -> Vec<String> {
    let private_key = PrivateKey::from_bytes([9; 32]);
    let secret = PresharedKey::from_bytes([7; 32]).unwrap();
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("mtu", Field::Number(1380)),
        ("fwmark", Field::Number(51)),
        ("enabled", Field::Bool(enabled)),
        (
            "addresses",
            Field::Addresses(["10.8.0.1/24", "fd00:8::1/64"].map(|it| it.parse().unwrap()).into()),
        ),
    ]);
    let peer = Fields::from([
        (
            "allowed_ips",
            Field::Prefixes(["10.8.0.2/32", "10.20.0.0/16"].map(|it| it.parse().unwrap()).into()),
        ),
        ("endpoint", Field::Endpoint("vpn.example.com:51820".parse().unwrap())),
        ("persistent_keepalive", Field::Keepalive("25s".parse().unwrap())),
    ]);
    let none = Fields::from([
        ("allowed_ips", Field::Prefixes([].into())),
        ("persistent_keepalive", Field::Keepalive("off".parse().unwrap())),
    ]);
    let key = |byte| PublicKey::from_bytes([byte; 32]);
    let peers = BTreeMap::from([
        (key(1), Peer { preshared_key: Some(&secret), fields: &peer }),
        (key(2), Peer { preshared_key: None, fields: &none }),
    ]);
    let outside = Outside::default();
    let (private_key, fields, outside) = (&private_key, &fields, &outside);
    let interface = Interface { name: "wg0", private_key, fields, outside, peers };
    let all = files(style, &interface);
    style.paths("wg0").iter().map(|path| all[path].text.to_string()).collect()
}

#[test]
fn what_wg_quick_reads_holds_everything() {
    assert_snapshot!(texts(Style::WgQuick, false)[0], @"
    # Written by wgform. A change by hand is undone by the next apply.

    [Interface]
    PrivateKey = CAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCUk=
    ListenPort = 51820
    FwMark = 51
    Address = 10.8.0.1/24
    Address = fd00:8::1/64
    MTU = 1380
    Table = off
    PostUp = ip link set dev %i down

    [Peer]
    PublicKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
    PresharedKey = BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=
    AllowedIPs = 10.8.0.2/32,10.20.0.0/16
    Endpoint = vpn.example.com:51820
    PersistentKeepalive = 25

    [Peer]
    PublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
    ");
}

#[test]
fn what_networkd_reads_holds_everything_but_the_key() {
    assert_snapshot!(texts(Style::Networkd, false).join("=====\n"), @"
    CAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCUk=
    =====
    # Written by wgform. A change by hand is undone by the next apply.

    [NetDev]
    Name=wg0
    Kind=wireguard
    MTUBytes=1380

    [WireGuard]
    PrivateKeyFile=/etc/systemd/network/wg0.wgform-key
    ListenPort=51820
    FirewallMark=51

    [WireGuardPeer]
    PublicKey=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
    PresharedKey=BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=
    AllowedIPs=10.8.0.2/32,10.20.0.0/16
    Endpoint=vpn.example.com:51820
    PersistentKeepalive=25

    [WireGuardPeer]
    PublicKey=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
    =====
    # Written by wgform. A change by hand is undone by the next apply.

    [Match]
    Name=wg0

    [Link]
    RequiredForOnline=no
    ActivationPolicy=down

    [Network]
    LinkLocalAddressing=no
    Address=10.8.0.1/24
    Address=fd00:8::1/64
    ");
}

#[test]
fn a_difference_shows_no_key_wherever_it_stands() {
    let secret = PrivateKey::from_bytes([9; 32]).expose_text();
    let public = PublicKey::from_bytes([1; 32]);
    let foreign = format!(
        "[Interface]\nPrivateKey={secret}\n#privatekey = {secret}\n PreSharedKey = {secret}\n{secret}\n\
         PostUp = wg set wg0 private-key <(echo '{secret}') # {secret}\n[Peer]\nPublicKey = {public}\n",
        secret = *secret
    );
    let lines = differences(&foreign, "[Interface]\n");
    let shown: Vec<_> = lines.iter().map(|(mark, line)| format!("{mark} {line}")).collect();
    assert_snapshot!(shown.join("\n"), @"
      [Interface]
    - PrivateKey = (sensitive value)
    - #privatekey = (sensitive value)
    -  PreSharedKey = (sensitive value)
    - (sensitive value)
    - PostUp = wg set wg0 private-key <(echo '(sensitive value)') # (sensitive value)
    - [Peer]
    - PublicKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
    ");
    assert!(differences(&foreign, &foreign).is_empty());
}

#[test]
fn a_path_tells_whose_interface_it_is() {
    let conf = Path::new("/etc/wireguard/wg.0.conf");
    assert_eq!(owner(conf), Some((Style::WgQuick, "wg.0")));
    assert_eq!(
        owner(Path::new("/etc/systemd/network/wg0.network")),
        Some((Style::Networkd, "wg0"))
    );
    for other in
        ["/etc/wireguard/wg0.conf.before-wgform", "/etc/wireguard/a/wg0.conf", "/etc/wg0.conf", "/"]
    {
        assert_eq!(owner(Path::new(other)), None, "{other}");
    }
    assert_eq!(kept(conf, 1), PathBuf::from("/etc/wireguard/wg.0.conf.before-wgform"));
    assert_eq!(kept(conf, 2), PathBuf::from("/etc/wireguard/wg.0.conf.before-wgform.2"));
    assert_eq!(owner(&kept(conf, 2)), None);
    assert!(is_ours(conf, &texts(Style::WgQuick, true)[0]));
    assert!(!is_ours(conf, "# Written by me.\n") && !is_ours(conf, ""));
}

#[test]
fn a_device_of_networkd_is_known_by_the_name_in_it() {
    let path = Path::new("/etc/systemd/network/99-vpn.netdev");
    let text = "[NetDev]\nName = wg0\nKind = wireguard\n";
    assert!(makes_interface(path, text, "wg0"));
    assert!(!makes_interface(path, text, "wg"));
    assert!(!makes_interface(Path::new("/etc/systemd/network/99-vpn.network"), text, "wg0"));
    assert!(makes_interface(Path::new("/etc/wireguard/wg0.conf"), "", "wg0"));
}

#[test]
fn a_name_that_would_mean_something_else_in_a_file_is_not_taken() {
    assert!(Style::takes_name("wg-hq_1.x"));
    for name in ["wg+0", "wg=0", "wg*", "wg 0", "wg%i", "wgé"] {
        assert!(!Style::takes_name(name), "{name}");
    }
}
