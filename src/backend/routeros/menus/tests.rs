//! A whole router read from the simulator, in every version and in both settings of every point.

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::backend::routeros::client::tests::Lab;
use crate::backend::routeros::client::{Client, Fields};
use crate::backend::routeros::menus::{Menus, Wanted, clock_of};
use crate::backend::routeros::wire::{Kept, Reference};
use crate::simulator::routeros::fault::{Fault, Rule};
use crate::simulator::routeros::http::Options;
use crate::simulator::routeros::profile::{POINTS, PROFILES, Profile};
use crate::value::Secret;

const ALL: Wanted =
    Wanted { identity: true, addresses: true, routes: true, members: true, others: true };
const KEY: &str = "v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=";
const OTHER: &str = "u7gYAg5tkioJDcm3hyS7pm79eADKPs/ZUGON6/fF3iI=";
const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

async fn add(client: &Client, menu: &str, texts: &[(&'static str, &str)]) {
    let fields: Fields =
        texts.iter().map(|(name, text)| (*name, Zeroizing::new((*text).to_owned()))).collect();
    client.add("furnish", menu, &fields).await.unwrap();
}

/// An interface with everything around it, given so that nothing is left to the router.
async fn furnish(client: &Client, minor: u8) {
    let wireguard =
        [("name", "wg2"), ("listen-port", "51820"), ("private-key", PRIVATE), ("comment", "c")];
    add(client, "interface/wireguard", &wireguard).await;
    let peers = "interface/wireguard/peers";
    let allowed = ("allowed-address", "10.0.0.9/24,FD00::/64");
    let mut full =
        vec![("interface", "wg2"), ("public-key", KEY), allowed, ("preshared-key", OTHER)];
    full.extend([("endpoint-address", "192.0.2.1"), ("endpoint-port", "51820")]);
    full.extend([("persistent-keepalive", "100"), ("comment", "full")]);
    match minor {
        ..15 => {}
        15..17 => full.extend([("name", "full"), ("is-responder", "yes")]),
        17.. => full.extend([("name", "full"), ("responder", "yes")]),
    }
    add(client, peers, &full).await;
    let bare = [("interface", "wg2"), ("public-key", OTHER), ("allowed-address", "10.1.0.2")];
    add(client, peers, &bare).await;
    add(client, "ip/address", &[("interface", "wg2"), ("address", "10.0.0.1/24")]).await;
    let route = [("gateway", "wg2"), ("dst-address", "10.9.0.0/16"), ("check-gateway", "ping")];
    add(client, "ip/route", &route).await;
    add(client, "interface/list/member", &[("interface", "wg2"), ("list", "LAN")]).await;
}

/// What was read and does not depend on a switch, a line each.
fn shown(menus: &Menus) -> String {
    let mut lines = Vec::new();
    let system = &menus.system;
    let clock = system.clock.map(|it| it.says);
    lines.push(format!("{} {:?} {} {clock:?}", system.version, system.id, system.name));
    for it in menus.interfaces.iter().filter(|it| it.name == "wg2") {
        let key = it.public_key.short();
        lines.push(format!(
            "{} {} {:?} {:?} {key} {:?}",
            it.name, it.is_enabled, it.listen_port, it.mtu, it.private_key
        ));
    }
    for it in &menus.peers {
        let name = it.name.as_ref().map(|name| name.as_str());
        let comment = it.comment.as_ref().map(|comment| comment.as_str());
        lines.push(format!(
            "{:?} {name:?} {comment:?} {:?} {:?}",
            it.interface, it.public_key, it.preshared_key
        ));
        lines.push(format!(
            "  {:?} {:?} {:?} {}",
            it.allowed_ips, it.endpoint_address, it.endpoint_port, it.keepalive
        ));
        lines.push(format!(
            "  {} {} {} {:?}",
            it.is_responder, it.is_enabled, it.is_dynamic, it.session
        ));
        let client = &it.client;
        lines.push(format!(
            "  {:?} {:?} {:?} {:?}",
            client.private_key, client.address, client.dns, client.endpoint
        ));
        lines.push(format!("  {} {:?}", client.keepalive, client.listen_port));
    }
    for it in menus.addresses.iter().filter(|it| it.address.address().is_ipv4()) {
        lines
            .push(format!("{} {:?} {} {}", it.address, it.interface, it.is_enabled, it.is_dynamic));
    }
    for it in &menus.routes {
        lines.push(format!(
            "{} {} {:?} {:?} {:?} {}",
            it.to, it.gateway, it.distance, it.table, it.check_gateway, it.is_dynamic
        ));
    }
    for it in &menus.members {
        lines.push(format!("{} {:?} {} {}", it.list, it.interface, it.is_enabled, it.is_dynamic));
    }
    lines.push(format!("odd: {:?}", menus.odd));
    lines.join("\n")
}

async fn read_furnished(profile: &'static Profile, point: Option<&str>) -> Menus {
    let lab = Lab::of(profile, Options::default());
    if let Some(point) = point {
        lab.router.flip(point).unwrap();
    }
    let client = lab.client();
    furnish(&client, profile.minor).await;
    Menus::read(&client, ALL).await.unwrap()
}

#[tokio::test]
async fn a_router_is_read_the_same_at_either_setting_of_every_point() {
    for profile in &PROFILES {
        let usual = shown(&read_furnished(profile, None).await);
        if profile.name == "7.24" {
            insta::assert_snapshot!(usual, @r#"
            7.24.5 Some("NYFQA6QMOUTZ") MikroTik Some(1970-01-01T00:00:00Z)
            wg2 true Some(51820) Some(1420) HIgo9xNz… Set(PrivateKey(…))
            Name("wg2") Some("full") Some("full") Some(PublicKey(v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=)) Set(PresharedKey(…))
              {10.0.0.0/24, fd00::/64} Some("192.0.2.1") Some(51820) 100s
              true true false Session { endpoint: Some((192.0.2.1, 51820)), handshake_age: None, received: 0, sent: 0 }
              Unset {} [] None
              off None
            Name("wg2") Some("peer1") None Some(PublicKey(u7gYAg5tkioJDcm3hyS7pm79eADKPs/ZUGON6/fF3iI=)) Unset
              {10.1.0.2/32} None None off
              false true false Session { endpoint: None, handshake_age: None, received: 0, sent: 0 }
              Unset {} [] None
              off None
            192.168.88.1/24 Name("ether1") true false
            10.0.0.1/24 Name("wg2") true false
            10.9.0.0/16 wg2 Some(1) Some("main") Some("ping") false
            192.168.88.0/24 ether1 Some(0) Some("main") None true
            LAN Name("ether1") true false
            LAN Name("wg2") true false
            odd: [Odd { menu: "interface/wireguard", id: "*3", name: Some("wg1"), interface: None, public_key: None, is_dynamic: false, why: Strange { property: "public-key", wanted: "a key" } }]
            "#);
        }
        // The oldest that is supported and the newest have all the differences between them.
        let points = POINTS.iter().filter(|_| matches!(profile.name, "7.12" | "7.24"));
        for (point, _) in points {
            let flipped = read_furnished(profile, Some(point)).await;
            assert_eq!(shown(&flipped), usual, "{} {point}", profile.name);
            assert_eq!(flipped.has_ipv6, *point != "no-ipv6-menus");
        }
    }
}

#[tokio::test]
async fn ten_thousand_peers_take_as_many_requests_as_ten() {
    let requests = async |peers: u32| {
        let lab = Lab::of(Profile::newest(), Options::default());
        for index in 0..peers {
            let mut key = [1; 32];
            key[..4].copy_from_slice(&index.to_be_bytes());
            let key = crate::value::PublicKey::from_bytes(key).to_string();
            let row: [(&str, &[u8]); 3] = [
                ("interface", b"*3"),
                ("public-key", key.as_bytes()),
                ("allowed-address", b"::/0"),
            ];
            lab.router.plant("peers", 0, &row).unwrap();
        }
        let menus = Menus::read(&lab.client(), ALL).await.unwrap();
        assert_eq!(menus.peers.len(), usize::try_from(peers).unwrap());
        lab.router.requests()
    };
    let few = requests(10).await;
    assert_eq!(few.len(), requests(10_000).await.len());
    let lab = Lab::of(Profile::newest(), Options::default());
    Menus::read(&lab.client(), Wanted::default()).await.unwrap();
    // The version, interfaces and peers; besides them three that say which router it is, and both kinds of addresses and
    // of routes, the routing tables, list members and other interfaces.
    assert_eq!((few.len(), lab.router.requests().len()), (13, 3));
}

#[tokio::test]
async fn what_is_hidden_orphaned_or_odd_is_told_apart() {
    let lab = Lab::of(Profile::newest(), Options::default());
    let client = lab.client();
    furnish(&client, 24).await;
    client.remove("leave orphans", "interface/wireguard", "*4").await.unwrap();
    lab.router
        .plant("peers", 2, &[("allowed-address", b"nonsense"), ("dynamic", b"true")])
        .unwrap();
    lab.router.set_user("wgform", &Secret::new("hunter2hunter2"), &["rest-api", "api", "read"]);
    lab.router.reboot(Timestamp::UNIX_EPOCH).unwrap();
    let menus = Menus::read(&client, ALL).await.unwrap();
    assert_eq!(menus.peers[0].interface, Reference::Gone("*4".to_owned()));
    assert_eq!(menus.peers[0].preshared_key, Kept::Hidden);
    assert_eq!(menus.members[1].interface, Reference::Gone("*4".to_owned()));
    assert_eq!(menus.routes[0].gateway, "*4");
    // The interface that was planted has no key.
    let odd: Vec<_> =
        menus.odd.iter().map(|odd| format!("{} {}: {}", odd.menu, odd.id, odd.why)).collect();
    assert_eq!(
        odd,
        [
            "interface/wireguard *3: `public-key` is not a key",
            "interface/wireguard/peers *2: `allowed-address` is not a list of networks",
        ]
    );
}

#[tokio::test]
async fn who_may_not_see_what_a_router_is_reads_it_all_the_same() {
    let lab = Lab::of(Profile::newest(), Options::default());
    let identity = Wanted { identity: true, ..Wanted::default() };
    let id = async || Menus::read(&lab.client(), identity).await.unwrap().system.id;
    let serial = id().await.unwrap();
    assert_eq!(id().await.as_deref(), Some(&*serial));
    lab.router.become_virtual().unwrap();
    let system = id().await.unwrap();
    assert_ne!(system, serial);
    // Of a product that has another kind of id, that one would be another router's.
    let barred = r#"{"error":500,"message":"Internal Server Error","detail":"std failure: not allowed (9)"}"#;
    let fault = Fault::Answer(500, barred.to_owned());
    let path = Some("/rest/system/routerboard".to_owned());
    lab.router.inject(Rule { path, times: Some(1), ..Rule::always(fault) });
    assert_eq!(id().await, None);
    let gone =
        r#"{"error":400,"message":"Bad Request","detail":"no such command or directory (x)"}"#;
    for path in ["/rest/system/routerboard", "/rest/system/license", "/rest/system/clock"] {
        let mut rule = Rule::always(Fault::Answer(400, gone.to_owned()));
        rule.path = Some(path.to_owned());
        lab.router.inject(rule);
    }
    assert_eq!(id().await, None);
}

#[test]
fn a_clock_is_read_with_its_offset_in_either_form() {
    use crate::backend::routeros::client::Row;

    let clock = |offset: &str| {
        let row = Row::of(&[("date", "2026-11-21"), ("time", "10:11:12"), ("gmt-offset", offset)]);
        clock_of(&row).map(|it| it.to_string())
    };
    for (offset, expected) in [
        ("+01:00", Some("2026-11-21T09:11:12Z")),
        ("3600", Some("2026-11-21T09:11:12Z")),
        ("-02:30", Some("2026-11-21T12:41:12Z")),
        ("", Some("2026-11-21T10:11:12Z")),
        ("soon", None),
        ("99:00", None),
    ] {
        assert_eq!(clock(offset).as_deref(), expected, "{offset}");
    }
    assert_eq!(clock_of(&Row::of(&[("date", "nov/21/2026"), ("time", "10:11:12")])), None);
}
