//! What is read of a firewall, and what is said of it, from answers that were recorded.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::actual::{Fact, Picture, Remark, Service};
use crate::backend::pfsense::client::Failure;
use crate::backend::pfsense::picture::{facts, picture};
use crate::backend::pfsense::script::{
    P0, P1, P2, PRESHARED, PRIVATE, Say, Script, ok, peer, recorded, tunnel, with,
};
use crate::backend::pfsense::snapshot::{self, Snapshot};
use crate::resource::{Field, Fields};
use crate::value::PublicKey;

/// The answers of a firewall with all that can be read, in the order in which it is.
struct Firewall {
    version: Say,
    system: Say,
    host: Say,
    pfsense: Say,
    settings: Say,
    applied: Say,
    status: Option<Say>,
    tunnels: Say,
    peers: Say,
    /// Whether WireGuard is there, for a version that does not tell otherwise.
    package: Option<Say>,
    /// The peers without a pre-shared key.
    keyless: Option<Say>,
    ports: Say,
}

impl Firewall {
    fn new() -> Self {
        let tunnels = json!([tunnel(
            0,
            "tun_wg0",
            json!([{"address": "10.66.0.1", "mask": 24, "descr": "v4"}])
        )]);
        let peers = json!([peer(0, P0, "p0", 2), peer(1, P1, "branch: in Bern", 3)]);
        Self {
            version: recorded("008"),
            system: recorded("450"),
            host: recorded("452"),
            pfsense: ok(json!({"version": "2.9.0-DEVELOPMENT"})),
            settings: recorded("229"),
            applied: recorded("228"),
            status: Some(recorded("234")),
            tunnels: ok(tunnels),
            peers: ok(peers),
            package: None,
            keyless: Some(ok(json!([peer(1, P1, "branch: in Bern", 3)]))),
            ports: ok(json!([])),
        }
    }

    fn script(self) -> Script {
        let Self {
            version,
            system,
            host,
            pfsense,
            settings,
            applied,
            status,
            tunnels,
            peers,
            package,
            keyless,
            ports,
        } = self;
        let answers = [
            Some(version),
            Some(system),
            Some(host),
            Some(pfsense),
            Some(settings),
            Some(applied),
            status,
            Some(tunnels),
            Some(peers),
            package,
            keyless,
            Some(ports),
        ];
        Script::new(answers.into_iter().flatten())
    }

    async fn read(self) -> Result<Snapshot, Failure> {
        Snapshot::read(&self.script().client()).await
    }

    async fn picture(self) -> Picture {
        seen(&self.read().await.unwrap())
    }
}

fn version(text: &str) -> Say {
    ok(json!({"current_version": text}))
}

fn seen(snapshot: &Snapshot) -> Picture {
    picture(snapshot, false, Timestamp::UNIX_EPOCH).unwrap()
}

fn key(text: &str) -> PublicKey {
    text.parse().unwrap()
}

fn shown(fields: &Fields) -> String {
    let line = |(name, field): (&&str, &Field)| format!("{name} = {field:?}");
    fields.iter().map(|(name, field)| line((name, field))).collect::<Vec<_>>().join("\n")
}

fn said(remarks: &[Remark]) -> String {
    remarks.iter().map(|it| format!("{}: {}", it.summary, it.says)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_firewall_is_read_in_eleven_requests_whatever_it_has() {
    for count in [0, 1, 300] {
        let keys = (0..count).map(|it: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&(it + 1).to_be_bytes());
            PublicKey::from_bytes(bytes).to_string()
        });
        let peers: Vec<_> = keys
            .enumerate()
            .map(|(id, key)| peer(u32::try_from(id).unwrap(), &key, "", 2))
            .collect();
        let keyless = (count > 0).then(|| ok(json!([])));
        let script = Firewall { peers: ok(json!(peers)), keyless, ..Firewall::new() }.script();
        let snapshot = Snapshot::read(&script.client()).await.unwrap();
        assert_eq!(snapshot.peers.len(), usize::try_from(count).unwrap());
        let asked = script.asked();
        assert_eq!(asked.lines().count(), if count == 0 { 10 } else { 11 });
        assert!(script.log().iter().all(|it| it.line.starts_with("GET ")));
        if count == 1 {
            insta::assert_snapshot!(asked, @r#"
            GET system/restapi/version
            GET status/system
            GET system/hostname
            GET system/version
            GET vpn/wireguard/settings
            GET vpn/wireguard/apply
            GET status/wireguard/tunnels
            GET vpn/wireguard/tunnels
            GET vpn/wireguard/peers
            GET vpn/wireguard/peers {"presharedkey":""}
            GET interfaces
            "#);
        }
    }
}

#[tokio::test]
async fn a_tunnel_and_its_peers_are_in_our_words() {
    let picture = Firewall::new().picture().await;
    let interface = &picture.interfaces["tun_wg0"];
    insta::assert_snapshot!(shown(&interface.fields), @r#"
    addresses = Addresses({10.66.0.1/24})
    description = Text("hub")
    enabled = Bool(true)
    listen_port = Number(51820)
    mtu = Number(1420)
    public_key = PublicKey(PublicKey(Y2FD6uTgrq+/bbBAXCNOtE+PGk8Papoh7qaWBpQUXn0=))
    "#);
    let peer = &interface.peers[&key(P1)];
    insta::assert_snapshot!(shown(&peer.fields), @r#"
    allowed_ips = Prefixes({10.66.0.3/32})
    description = Text("in Bern")
    enabled = Bool(true)
    name = Text("branch")
    persistent_keepalive = Keepalive(Keepalive(None))
    preshared_key = PresharedKey(None)
    "#);
    // The other one has a pre-shared key that is not shown.
    assert!(interface.peers[&key(P0)].hidden.contains("preshared_key"));
    assert_eq!(picture.identity.id, "0123456789abcdef0123");
    assert_eq!(picture.identity.host_name, "pftest bed.home.arpa");
    assert_eq!(
        picture.identity.uptime.unwrap().as_secs(),
        1102 * 86_400 + 21 * 3_600 + 46 * 60 + 42
    );
    assert_eq!(said(&picture.remarks), "");
}

#[tokio::test]
async fn null_and_an_empty_list_are_one() {
    for nothing in [json!(null), json!([])] {
        let tunnels = ok(json!([tunnel(0, "tun_wg0", nothing.clone())]));
        let peers = ok(json!([with(&peer(0, P0, "", 2), json!({"allowedips": nothing}))]));
        let picture = Firewall { tunnels, peers, ..Firewall::new() }.picture().await;
        let interface = &picture.interfaces["tun_wg0"];
        assert_eq!(interface.fields["addresses"], Field::Addresses([].into()));
        assert_eq!(interface.peers[&key(P0)].fields["allowed_ips"], Field::Prefixes([].into()));
        let whole = Firewall {
            tunnels: ok(nothing.clone()),
            peers: ok(nothing),
            keyless: None,
            ..Firewall::new()
        };
        assert!(whole.picture().await.interfaces.is_empty());
    }
}

#[tokio::test]
async fn secrets_are_taken_where_they_are_shown_and_never_printed() {
    let tunnels =
        ok(json!([with(&tunnel(0, "tun_wg0", json!(null)), json!({"privatekey": PRIVATE}))]));
    let peers = ok(json!([
        with(&peer(0, P0, "", 2), json!({"presharedkey": PRESHARED})),
        with(&peer(1, P1, "", 3), json!({"presharedkey": ""})),
    ]));
    let snapshot =
        Firewall { tunnels, peers, keyless: None, ..Firewall::new() }.read().await.unwrap();
    let picture = seen(&snapshot);
    let interface = &picture.interfaces["tun_wg0"];
    assert_eq!(interface.private_key, Some(PRIVATE.parse().unwrap()));
    let held = |key: &str| interface.peers[&self::key(key)].fields["preshared_key"].clone();
    assert_eq!(held(P0), Field::PresharedKey(Some(PRESHARED.parse().unwrap())));
    assert_eq!(held(P1), Field::PresharedKey(None));
    for text in [format!("{snapshot:?}"), format!("{picture:?}")] {
        assert!(!text.contains(PRESHARED) && !text.contains(PRIVATE));
    }
}

#[tokio::test]
async fn sessions_are_counted_by_the_clock_of_the_firewall() {
    let status = json!({"response_id": "SUCCESS", "data": [{
        "name": "tun_wg0", "status": "up", "public_key": P2, "listen_port": "51820",
        "peers": [{"public_key": P0, "latest_handshake": 1_795_355_100, "transfer_rx": 7, "transfer_tx": 9},
                  {"public_key": P1, "latest_handshake": 0}],
    }]});
    let date = "Date: Sun, 22 Nov 2026 14:00:00 GMT\r\n";
    let status = Some(Say::Answer(200, date, status.to_string()));
    let picture = Firewall { status, ..Firewall::new() }.picture().await;
    let peers = &picture.interfaces["tun_wg0"].peers;
    let peer = &peers[&key(P0)];
    assert_eq!((peer.handshake_age.unwrap().as_secs(), peer.received, peer.sent), (900, 7, 9));
    assert_eq!(peers[&key(P1)].handshake_age, None);
    assert_eq!(
        said(&picture.remarks),
        "firewall with a wrong clock: its clock is 20779 days ahead of ours"
    );
}

#[tokio::test]
async fn an_assigned_tunnel_shows_the_interface() {
    let picture = Firewall { ports: recorded("293"), ..Firewall::new() }.picture().await;
    let interface = &picture.interfaces["tun_wg0"];
    assert_eq!(interface.fields["assign_descr"], Field::Text("WGIF".to_owned()));
    let addresses = ["10.66.0.1/24".parse().unwrap()].into();
    assert_eq!(interface.fields["assign_addresses"], Field::Addresses(addresses));
    assert_eq!(interface.fields["assign_mtu"], Field::Number(1380));
    // Who may not see interfaces does not take them for gone.
    let picture = Firewall { ports: recorded("005"), ..Firewall::new() }.picture().await;
    let hidden: Vec<_> = picture.interfaces["tun_wg0"].hidden.iter().copied().collect();
    assert_eq!(hidden, ["assign_addresses", "assign_descr", "assign_mtu"]);
    assert!(said(&picture.remarks).starts_with("firewall that does not show its interfaces"));
}

#[tokio::test]
async fn a_name_that_orphans_point_to_is_taken() {
    let peers = ok(json!([
        with(&peer(0, P0, "", 2), json!({"tun": "tun_wg1"})),
        with(&peer(1, P1, "", 3), json!({"tun": "unassigned"}))
    ]));
    let ports = ok(
        json!([{"id": "opt1", "if": "tun_wg2", "descr": "OLD"}, {"id": "lan", "if": "em1", "descr": "LAN"}]),
    );
    let picture = Firewall { peers, ports, ..Firewall::new() }.picture().await;
    assert_eq!(picture.other_links, ["tun_wg1".to_owned(), "tun_wg2".to_owned()].into());
    insta::assert_snapshot!(said(&picture.remarks), @"objects of a tunnel that is gone: peers or interfaces of the firewall still point to `tun_wg1`, `tun_wg2`");
}

#[tokio::test]
async fn what_makes_no_sense_is_not_gone() {
    let tunnels = ok(json!([
        tunnel(0, "tun_wg0", json!(null)),
        with(&tunnel(1, "tun_wg1", json!(null)), json!({"publickey": 7}))
    ]));
    let peers = ok(json!([
        with(&peer(0, P0, "", 2), json!({"allowedips": [{"address": "10.0.0.0", "mask": 33}]})),
        with(&peer(1, P1, "", 3), json!({"publickey": "this is no key"})),
    ]));
    let picture = Firewall { tunnels, peers, keyless: None, ..Firewall::new() }.picture().await;
    assert!(picture.other_links.contains("tun_wg1"));
    assert_eq!(picture.interfaces["tun_wg0"].keyless, 1);
    let peers = &picture.interfaces["tun_wg0"].peers;
    assert!(peers[&key(P0)].fields.is_empty() && peers[&key(P0)].hidden.contains("allowed_ips"));
    insta::assert_snapshot!(said(&picture.remarks), @"
    object of a firewall that cannot be read: the tunnel `tun_wg1`: `publickey` is not a key
    object of a firewall that cannot be read: peer `xTIBA5rb…` on `tun_wg0`: `allowedips` is not a list of addresses with their lengths
    peer of a firewall without a key: a peer on `tun_wg0` has something else in the place of its public key
    ");
    let nameless = ok(json!([with(&tunnel(0, "", json!(null)), json!({"publickey": 7}))]));
    let snapshot = Firewall { tunnels: nameless, ..Firewall::new() }.read().await.unwrap();
    let error = picture_error(&snapshot);
    assert_eq!(error, "a WireGuard tunnel makes no sense: `publickey` is not a key");
}

fn picture_error(snapshot: &Snapshot) -> String {
    picture(snapshot, false, Timestamp::UNIX_EPOCH).unwrap_err()
}

#[tokio::test]
async fn a_peer_that_is_there_twice_is_not_compared() {
    let peers = ok(json!([peer(0, P0, "a", 2), peer(1, P0, "b", 3)]));
    let picture = Firewall { peers, ..Firewall::new() }.picture().await;
    let peers = &picture.interfaces["tun_wg0"].peers;
    assert!(peers.len() == 1 && peers[&key(P0)].fields.is_empty());
}

#[tokio::test]
async fn a_missing_package_is_no_empty_firewall() {
    // Since v2.9.0 the kernel's view says so.
    let read =
        Firewall { status: Some(recorded("276")), tunnels: recorded("271"), ..Firewall::new() };
    assert_eq!(why(read.read().await), "the WireGuard package is not installed, or not yet");
    // Before, only a refusal does, of what no version would do.
    let old = |package| Firewall {
        version: version("v2.8.2"),
        status: None,
        tunnels: recorded("271"),
        peers: recorded("011"),
        package: Some(package),
        keyless: None,
        ..Firewall::new()
    };
    assert_eq!(
        why(old(recorded("273")).read().await),
        "the WireGuard package is not installed, or not yet"
    );
    let script = old(recorded("016")).script();
    assert!(Snapshot::read(&script.client()).await.unwrap().tunnels.is_empty());
    assert!(script.asked().contains("POST vpn/wireguard/tunnel {\"dry_run\":true}"));
    assert_eq!(
        why(old(recorded("005")).read().await),
        "it has no tunnel and no peer, and does not tell this user whether the WireGuard package is there"
    );
    // Who may not see the kernel is none the wiser.
    let blind = Firewall {
        version: version("v2.9.0"),
        status: Some(recorded("005")),
        ..old(recorded("273"))
    };
    assert_eq!(why(blind.read().await), "the WireGuard package is not installed, or not yet");
    // Where something is, nothing is gone, and nobody asks.
    let full = Firewall { version: version("v2.8.2"), status: None, ..Firewall::new() }.script();
    Snapshot::read(&full.client()).await.unwrap();
    assert!(!full.asked().contains("POST"));
}

fn why(read: Result<Snapshot, Failure>) -> String {
    read.unwrap_err().error.reason
}

#[tokio::test]
async fn a_service_that_is_off_and_what_is_not_applied_are_said() {
    let picture =
        Firewall { settings: recorded("014"), applied: recorded("048"), ..Firewall::new() }
            .picture()
            .await;
    assert_eq!(picture.service, Some(Service { is_on: false, is_applied: false }));
    assert_eq!(picture.interfaces.len(), 1);
}

#[tokio::test]
async fn what_a_user_may_not_see_of_the_system_is_done_without() {
    let broken = Say::Answer(500, "", "Fatal error".to_owned());
    for system in [broken, recorded("005"), recorded("009")] {
        let picture = Firewall { system, ..Firewall::new() }.picture().await;
        // A name says nothing of which one it is.
        assert_eq!(picture.identity.id, "");
        assert_eq!(picture.identity.host_name, "pftest bed.home.arpa");
        assert_eq!(picture.identity.uptime, None);
    }
    let serial = ok(
        json!({"serial": " 123 ", "netgate_id": "", "uptime": "1 Day 00 Hours 00 Minutes 01 Second"}),
    );
    let picture =
        Firewall { system: serial, host: recorded("005"), ..Firewall::new() }.picture().await;
    assert_eq!((picture.identity.id.as_str(), picture.identity.host_name.as_str()), ("123", ""));
    assert_eq!(picture.identity.uptime.unwrap().as_secs(), 86_401);
}

#[tokio::test]
async fn the_facts_say_what_a_version_lacks() {
    let old = Firewall {
        version: version("v2.7.0"),
        status: None,
        settings: recorded("014"),
        ports: recorded("005"),
        ..Firewall::new()
    };
    let line = |it: &Fact| {
        format!("{}: {}", it.about, [&[it.says.clone()][..], &it.hints].concat().join(" / "))
    };
    let lines: Vec<_> = facts(&old.read().await.unwrap()).iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    REST API: v2.7.0
    pfSense: 2.9.0-DEVELOPMENT
    WireGuard: switched off: nothing reaches the kernel / set `manage_service = true` on the backend, or enable it in `VPN > WireGuard > Settings`
    dry run: this version writes when it is asked for one / for `-validate-on-device`, update the package to v2.8.0
    kernel: this version does not tell what is in it / to have an apply verified there, update the package to v2.9.0
    interfaces: this user does not see them / for `assign`, and to remove a tunnel, give the user the privilege `api-v2-interfaces-get`
    ");
}

#[tokio::test]
async fn any_shape_of_an_answer_is_refused_or_read() {
    for odd in [json!(7), json!("x"), json!({}), json!([7]), json!([null])] {
        let script = Script::new(vec![ok(odd.clone()); 4]);
        assert!(snapshot::tunnels(&script.client()).await.is_err(), "{odd}");
        let answer: Json = json!({"response_id": odd, "data": {"current_version": 7}});
        let script = Script::new(vec![Say::Answer(200, "", answer.to_string()); 4]);
        assert!(snapshot::version(&script.client()).await.is_err(), "{odd}");
    }
    let (tunnels, odd) = snapshot::tunnels(&Script::new([ok(json!([[]]))]).client()).await.unwrap();
    assert_eq!((tunnels.len(), odd.len()), (0, 1));
}
