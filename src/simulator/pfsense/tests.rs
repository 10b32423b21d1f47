//! What a firewall answers and does, request by request, without a socket: the traps above all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::resource::BackendId;
use crate::simulator::pfsense::profile::{POINTS, PROFILES, Profile};
use crate::simulator::pfsense::request::Request;
use crate::simulator::pfsense::{ALL_PRIVILEGES, Package, SimulatedFirewall, record};
use crate::value::Secret;
use crate::world::World;

const PRIVATE: &str = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const KEYS: [&str; 4] = [
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
    "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
    "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
    "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=",
];
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A firewall, and somebody who may do anything with it.
struct Lab(SimulatedFirewall);

impl Lab {
    fn new(profile: &str) -> Self {
        let profile = Profile::named(profile).unwrap();
        let firewall = SimulatedFirewall::in_memory(profile, 7, NOW);
        firewall.set_user("u", &Secret::new("p"), &[ALL_PRIVILEGES]);
        Self(firewall)
    }

    /// A tunnel and three peers on the newest version.
    fn seeded() -> Self {
        Self::new("v2.10.0").seed()
    }

    fn seed(self) -> Self {
        self.done(
            "POST /vpn/wireguard/tunnel",
            json!({"privatekey": PRIVATE, "addresses": [
                {"address": "10.66.0.1", "mask": 24}
            ]}),
        );
        (0..3).for_each(|number| self.add_peer(number, "tun_wg0"));
        self
    }

    fn started(self) -> Self {
        let body = json!({"enable": true, "apply": true, "async": false});
        self.done("PATCH /vpn/wireguard/settings", body);
        self
    }

    fn assigned(self) -> Self {
        let body = json!({
            "if": "tun_wg0", "descr": "WG", "enable": true, "typev4": "static",
            "ipaddr": "10.77.0.1", "subnet": 24, "mtu": 1380, "apply": true, "async": false,
        });
        self.done("POST /interface", body);
        self
    }

    fn add_peer(&self, number: usize, tunnel: &str) {
        let address = format!("10.66.0.{}", number + 2);
        self.done("POST /vpn/wireguard/peer", json!({
            "enabled": true, "tun": tunnel, "publickey": KEYS[number], "descr": format!("p{number}"),
            "allowedips": [{"address": address, "mask": 32}],
        }));
    }

    fn request(line: &str, body: Json) -> Request {
        let (method, path) = line.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Request {
            method: method.to_owned(),
            path: format!("/api/v2{path}"),
            query: query.to_owned(),
            authorization: Some(format!("Basic {}", BASE64.encode("u:p"))),
            body: body.into_bytes(),
            ..Request::default()
        }
    }

    fn send(&self, request: &Request) -> (u16, Json) {
        let reply = self.0.answer(request, NOW).unwrap();
        let text = String::from_utf8(reply.body).unwrap();
        (reply.status, serde_json::from_str(&text).unwrap_or(Json::String(text)))
    }

    /// Returns the status and the id of an answer.
    fn ask(&self, line: &str, body: Json) -> String {
        let (status, answer) = self.send(&Self::request(line, body));
        format!("{status} {}", answer["response_id"].as_str().unwrap_or("-"))
    }

    /// Returns the data of an answer that is a success.
    fn done(&self, line: &str, body: Json) -> Json {
        let (status, answer) = self.send(&Self::request(line, body));
        assert_eq!(status, 200, "{line}: {answer}");
        answer["data"].clone()
    }

    fn get(&self, path: &str) -> Json {
        self.done(&format!("GET {path}"), Json::Null)
    }

    /// Returns a field of each object of a list.
    fn each(&self, path: &str, field: &str) -> Vec<Json> {
        let list = self.get(path);
        list.as_array().unwrap().iter().map(|object| object[field].clone()).collect()
    }

    fn peers(&self) -> Vec<Json> {
        self.each("/vpn/wireguard/peers", "descr")
    }

    fn applied(&self) -> Json {
        self.get("/vpn/wireguard/apply")["applied"].clone()
    }

    fn live_peers(&self, device: &str) -> Vec<String> {
        let device = self.0.device(device);
        device.into_iter().flat_map(|it| it.peers).map(|peer| peer.public_key).collect()
    }
}

#[test]
fn ids_shift_and_a_stale_one_hits_another_object() {
    let lab = Lab::seeded();
    lab.done("DELETE /vpn/wireguard/peer?id=0", Json::Null);
    let patched = lab.done("PATCH /vpn/wireguard/peer", json!({"id": 1, "descr": "meant for p1"}));
    assert_eq!(patched["publickey"], KEYS[2]);
    assert_eq!(lab.peers(), ["p1", "meant for p1"]);
}

#[test]
fn a_key_guards_a_peer_only_while_it_is_still_there() {
    let lab = Lab::seeded();
    let stale = |key: &str| json!({"id": 1, "publickey": key, "descr": "x"});
    let refused = lab.ask("PATCH /vpn/wireguard/peer", stale(KEYS[2]));
    assert_eq!(refused, "400 FIELD_MUST_BE_UNIQUE");
    lab.done("DELETE /vpn/wireguard/peer?id=1", Json::Null);
    let rekeyed = lab.done("PATCH /vpn/wireguard/peer", stale(KEYS[1]));
    assert_eq!(rekeyed["allowedips"][0]["address"], "10.66.0.4");
    assert_eq!(lab.each("/vpn/wireguard/peers", "publickey"), [KEYS[0], KEYS[1]]);
}

#[test]
fn a_name_guards_a_tunnel() {
    let lab = Lab::seeded();
    let other = json!({"privatekey": PRIVATE, "listenport": "51821"});
    lab.done("POST /vpn/wireguard/tunnel", other);
    lab.done("DELETE /vpn/wireguard/tunnel?id=0", Json::Null);
    let stale = json!({"id": 0, "name": "tun_wg0", "descr": "x"});
    let refused = lab.ask("PATCH /vpn/wireguard/tunnel", stale);
    assert_eq!(refused, "400 FIELD_VALUE_CHANGED_WHEN_NOT_EDITABLE");
}

#[test]
fn deleting_by_a_misspelt_field_deletes_everything() {
    for query in ["pubkey=x", "apply=true", "all=false", "dryrun=true"] {
        let lab = Lab::seeded();
        let line = format!("DELETE /vpn/wireguard/peers?{query}");
        assert_eq!(lab.done(&line, Json::Null).as_array().unwrap().len(), 3, "{query}");
        assert!(lab.peers().is_empty(), "{query}");
    }
    let lab = Lab::seeded();
    for query in ["", "?async=false", "?limit=1", "?reverse=true"] {
        let refused = lab.ask(&format!("DELETE /vpn/wireguard/peers{query}"), Json::Null);
        assert_eq!(refused, "400 MODEL_DELETE_MANY_REQUIRES_QUERY_PARAMS", "{query}");
    }
}

#[test]
fn deleting_by_key_wants_the_key_encoded() {
    let lab = Lab::seeded();
    let line = |key: &str| format!("DELETE /vpn/wireguard/peers?publickey={key}");
    assert_eq!(lab.done(&line(KEYS[1]), Json::Null), json!([]));
    let encoded = KEYS[1].replace('+', "%2B").replace('=', "%3D");
    assert_eq!(lab.done(&line(&encoded), Json::Null)[0]["id"], 1);
    assert_eq!(lab.peers(), ["p0", "p2"]);
}

#[test]
fn a_rehearsal_of_deleting_many_deletes() {
    let lab = Lab::seeded();
    lab.done("DELETE /vpn/wireguard/peer?id=0&dry_run=true", Json::Null);
    assert_eq!(lab.peers(), ["p0", "p1", "p2"]);
    lab.done("DELETE /vpn/wireguard/peers?descr=p1&dry_run=true", Json::Null);
    let mut request = Lab::request("DELETE /vpn/wireguard/peers?descr=p2", Json::Null);
    request.prefer = Some("dry-run".to_owned());
    assert_eq!(lab.send(&request).0, 200);
    assert_eq!(lab.peers(), ["p0"]);
}

#[test]
fn an_old_version_ignores_a_rehearsal_and_writes() {
    for (version, is_stored) in [("v2.4.3", true), ("v2.7.0", true), ("v2.8.0", false)] {
        let lab = Lab::new(version).seed();
        let body = json!({"id": 0, "descr": "written", "dry_run": true});
        lab.done("PATCH /vpn/wireguard/peer", body);
        assert_eq!(lab.peers()[0] == "written", is_stored, "{version}");
        lab.done("DELETE /vpn/wireguard/peer?id=0&dry_run=true", Json::Null);
        assert_eq!(lab.peers().len(), if is_stored { 2 } else { 3 }, "{version}");
    }
}

#[test]
fn replacing_all_does_not_replace() {
    let lab = Lab::seeded();
    let wanted =
        json!([{"publickey": KEYS[3], "descr": "n0"}, {"publickey": KEYS[0], "descr": "n1"}]);
    let answer = lab.done("PUT /vpn/wireguard/peers", wanted);
    assert_eq!([&answer[0]["id"], &answer[1]["id"]], [0, 3]);
    assert_eq!(lab.peers(), ["n0", "p1", "p2", "n1"]);
    assert_eq!(lab.done("PUT /vpn/wireguard/peers", json!([])), json!([]));
    assert!(lab.peers().is_empty());
}

#[test]
fn a_rehearsal_of_replacing_fails_since_v2_8_3() {
    let rehearse = |version: &str| {
        let lab = Lab::new(version).seed();
        let body = json!([{"publickey": KEYS[3], "descr": "n0"}]);
        let mut request = Lab::request("PUT /vpn/wireguard/peers", body);
        request.prefer = Some("dry-run".to_owned());
        let (status, _) = lab.send(&request);
        (status, lab.peers().len())
    };
    assert_eq!([rehearse("v2.8.2"), rehearse("v2.9.0")], [(200, 3), (500, 3)]);
}

#[test]
fn removing_one_entry_removes_all_and_appending_to_none_fails() {
    let lab = Lab::seeded();
    let entry = json!([{"address": "10.66.0.2", "mask": 32}, {"address": "10.9.0.0", "mask": 16}]);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "allowedips": entry}));
    let one = json!([{"address": "10.9.0.0", "mask": 16}]);
    let removed = json!({"id": 0, "remove": true, "allowedips": one});
    assert_eq!(lab.done("PATCH /vpn/wireguard/peer", removed)["allowedips"], json!([]));
    assert_eq!(lab.get("/vpn/wireguard/peer?id=0")["allowedips"], Json::Null);
    let appended = json!({"id": 0, "append": true, "allowedips": one});
    let refused = lab.ask("PATCH /vpn/wireguard/peer", appended);
    assert_eq!(refused, "500 ENDPOINT_RECEIVED_UNEXPECTED_ERROR");
}

#[test]
fn what_is_sent_beside_an_id_to_read_or_to_delete_changes_nothing() {
    let lab = Lab::seeded().started();
    assert_eq!(lab.get("/vpn/wireguard/peer?id=0&descr=x")["descr"], "p0");
    let line = "DELETE /vpn/wireguard/peer?id=0&descr=x&dry_run=true&apply=true&async=false";
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 1, "enabled": false}));
    assert_eq!(lab.done(line, Json::Null)["descr"], "p0");
    assert_eq!((lab.applied(), lab.live_peers("tun_wg0").len()), (json!(false), 3));
}

#[test]
fn a_list_of_entries_is_replaced_as_a_whole() {
    let lab = Lab::seeded();
    let entry = |descr: &str| json!([{"address": "10.66.0.2", "mask": 32, "descr": descr}]);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "allowedips": entry("kept")}));
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "persistentkeepalive": 25}));
    assert_eq!(lab.get("/vpn/wireguard/peer?id=0")["allowedips"][0]["descr"], "kept");
    let without = json!([{"address": "10.66.0.2", "mask": 32}]);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "allowedips": without}));
    assert_eq!(lab.get("/vpn/wireguard/peer?id=0")["allowedips"][0]["descr"], "");
}

#[test]
fn a_query_is_not_read_beside_a_content_type_of_json() {
    let lab = Lab::seeded();
    let ask = |line: &str| {
        let mut request = Lab::request(line, Json::Null);
        request.content_type = Some("application/json; charset=utf-8".to_owned());
        lab.send(&request)
    };
    assert_eq!(ask("GET /vpn/wireguard/peer?id=0").1["response_id"], "MODEL_REQUIRES_ID");
    assert_eq!(ask("GET /vpn/wireguard/peers?id=0").1["data"].as_array().unwrap().len(), 3);
    assert_eq!(ask("DELETE /vpn/wireguard/peer?id=0").0, 500);
}

#[test]
fn a_tunnel_that_goes_leaves_its_peers_to_the_next_one() {
    let lab = Lab::seeded();
    lab.done("DELETE /vpn/wireguard/tunnel?id=0", Json::Null);
    let orphan = json!({"id": 0, "descr": "x"});
    let refused = lab.ask("PATCH /vpn/wireguard/peer", orphan.clone());
    assert_eq!(refused, "404 FOREIGN_MODEL_FIELD_VALUE_NOT_FOUND");
    let tunnel = lab.done("POST /vpn/wireguard/tunnel", json!({"privatekey": PRIVATE}));
    assert_eq!(tunnel["name"], "tun_wg0");
    lab.done("PATCH /vpn/wireguard/peer", orphan);
}

#[test]
fn a_change_of_an_assigned_tunnel_empties_its_addresses_since_v2_8_2() {
    for (version, addresses) in [("v2.8.0", 1), ("v2.8.2", 0), ("v2.10.0", 0)] {
        let lab = Lab::new(version).seed().started().assigned();
        lab.done("PATCH /vpn/wireguard/tunnel", json!({"id": 0, "mtu": 1400}));
        let stored = lab.get("/vpn/wireguard/tunnel?id=0")["addresses"].clone();
        assert_eq!(stored.as_array().map_or(0, Vec::len), addresses, "{version}");
    }
}

#[test]
fn an_old_version_looks_at_the_addresses_of_an_assigned_tunnel() {
    let patched = |lab: Lab, body: Json| lab.ask("PATCH /vpn/wireguard/tunnel", body);
    let lab = || {
        let lab = Lab::new("v2.8.0").seed().started();
        let body = json!({"if": "tun_wg0", "descr": "WG", "enable": true, "typev4": "static", "ipaddr": "10.66.0.1", "subnet": 24});
        lab.done("POST /interface", body);
        lab
    };
    let conflict = "400 WIREGUARD_TUNNEL_ADDRESS_AND_MASK_ALREADY_IN_USE";
    let named = json!({"id": 0, "addresses": [{"address": "10.66.0.1", "mask": 24}]});
    assert_eq!(patched(lab(), named), conflict);
    assert_eq!(patched(lab(), json!({"id": 0, "descr": "x"})), "200 SUCCESS");
    let flipped = lab();
    assert!(flipped.0.flip("looks-at-stored-addresses").unwrap());
    assert_eq!(patched(flipped, json!({"id": 0, "descr": "x"})), conflict);
}

#[test]
fn an_assigned_tunnel_cannot_be_switched_off() {
    let lab = Lab::seeded().started().assigned();
    let refused = lab.ask("PATCH /vpn/wireguard/tunnel", json!({"id": 0, "enabled": false}));
    assert_eq!(refused, "409 WIREGUARD_TUNNEL_CANNOT_BE_DISABLED_WHILE_IN_USE_BY_INTERFACE");
    let refused = lab.ask("PATCH /vpn/wireguard/settings", json!({"enable": false}));
    assert_eq!(refused, "409 WIREGUARD_SETTINGS_CANNOT_DISABLE_WITH_ACTIVE_TUNNELS");
}

#[test]
fn an_interface_is_made_only_of_what_the_kernel_has() {
    let lab = Lab::seeded();
    let body = json!({"if": "tun_wg0", "descr": "WG", "typev4": "none"});
    let refused = lab.ask("POST /interface", body.clone());
    assert_eq!(refused, "400 FIELD_INVALID_CHOICE");
    let lab = lab.started();
    assert_eq!(lab.done("POST /interface", body)["id"], "opt1");
    for (wrong, why) in [
        (json!({"descr": "LAN"}), "FIELD_MUST_BE_UNIQUE"),
        (json!({"descr": "lan"}), "FILTER_NAME_VALIDATOR_RESERVED_NAME_USED"),
        (json!({"descr": "a b"}), "FILTER_NAME_VALIDATOR_INVALID_CHARACTERS"),
        (json!({"mtu": 1279}), "NUMERIC_RANGE_VALIDATOR_MINIMUM_CONSTRAINT"),
        (
            json!({"typev4": "static", "ipaddr": "192.168.1.7", "subnet": 24}),
            "INTERFACE_IPADDR_ALREADY_IN_USE",
        ),
        (
            json!({"typev4": "static", "ipaddr": "10.7.0.0", "subnet": 24}),
            "NETWORK_INTERFACE_IPADDR_CANNOT_USE_NETWORK_ADDRESS",
        ),
        (json!({"typev4": "static", "ipaddr": "10.7.0.1"}), "FIELD_IS_REQUIRED"),
    ] {
        let mut body = wrong;
        body["id"] = json!("opt1");
        assert_eq!(lab.ask("PATCH /interface", body), format!("400 {why}"));
    }
}

#[test]
fn an_interface_acts_on_its_device_when_it_is_applied_and_at_once_when_it_goes() {
    let lab = Lab::seeded().started().assigned();
    let device = lab.0.device("tun_wg0").unwrap();
    assert_eq!((device.addresses[0].to_string(), device.mtu), ("10.77.0.1/24".to_owned(), 1380));
    lab.0.add_rule("opt1").unwrap();
    lab.done("DELETE /interface?id=opt1", Json::Null);
    assert!(lab.0.device("tun_wg0").unwrap().addresses.is_empty());
    assert_eq!(lab.0.rules("opt1"), 0);
    assert_eq!(lab.get("/interface/apply")["applied"], true);
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    assert_eq!(lab.0.device("tun_wg0").unwrap().addresses[0].to_string(), "10.66.0.1/24");
}

#[test]
fn an_interface_that_goes_while_it_is_pending_blocks_every_apply() {
    let lab = Lab::seeded().started().assigned();
    lab.done("PATCH /interface", json!({"id": "opt1", "mtu": 1400}));
    lab.done("DELETE /interface?id=opt1", Json::Null);
    let refused = lab.ask("POST /interface/apply", json!({"async": false}));
    assert_eq!(refused, "400 FIELD_INVALID_CHOICE");
    let body = json!({"id": "lan", "descr": "LANX", "apply": true, "async": false});
    lab.done("PATCH /interface", body);
    assert_eq!(lab.ask("POST /interface/apply", json!({"async": false})), "200 SUCCESS");
}

#[test]
fn nothing_reaches_the_kernel_while_the_service_is_off() {
    let lab = Lab::seeded();
    assert_eq!(lab.applied(), false);
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    assert_eq!(lab.applied(), true);
    assert!(lab.0.device("tun_wg0").is_none());
    lab.done("PATCH /vpn/wireguard/settings", json!({"enable": true}));
    assert_eq!((lab.applied(), lab.0.device("tun_wg0")), (json!(false), None));
    let lab = lab.started();
    assert_eq!(lab.live_peers("tun_wg0"), KEYS[..3]);
    let body = json!({"enable": false, "apply": true, "async": false});
    lab.done("PATCH /vpn/wireguard/settings", body);
    assert!(lab.0.device("tun_wg0").is_none());
}

#[test]
fn a_tunnel_that_is_an_interface_runs_although_the_service_is_off() {
    for (point, runs) in [(None, true), (Some("assigned-stays-off"), false)] {
        let lab = Lab::seeded();
        if let Some(point) = point {
            assert!(lab.0.flip(point).unwrap());
        }
        let interface = json!({"id": "opt1", "if": "tun_wg0", "descr": "WG", "enable": true});
        assert!(lab.0.plant("interfaces", interface).unwrap());
        lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
        assert_eq!(lab.0.device("tun_wg0").is_some(), runs);
    }
}

#[test]
fn an_apply_in_the_background_is_seen_to_end() {
    let lab = Lab::seeded().started();
    lab.0.set_wait(2).unwrap();
    lab.done("DELETE /vpn/wireguard/peer?id=0", Json::Null);
    assert_eq!(lab.done("POST /vpn/wireguard/apply", json!({}))["applied"], false);
    assert_eq!([lab.applied(), lab.applied(), lab.applied()], [false, false, true]);
    assert_eq!(lab.live_peers("tun_wg0"), KEYS[1..3]);
}

#[test]
fn an_apply_with_a_write_is_said_to_be_done_before_it_is() {
    let lab = Lab::seeded().started();
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "enabled": false, "apply": true}));
    assert_eq!(lab.applied(), true);
    assert_eq!(lab.live_peers("tun_wg0").len(), 3);
    lab.applied();
    assert_eq!(lab.live_peers("tun_wg0").len(), 2);
    // Only a true that is none of a text counts.
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "enabled": true, "apply": "true"}));
    assert_eq!(lab.applied(), false);
}

#[test]
fn an_apply_that_wireguard_refuses_is_said_to_be_applied() {
    let lab = Lab::seeded().started();
    let body = json!({"enabled": true, "tun": "tun_wg0", "publickey": "no key", "apply": true, "async": false});
    lab.done("POST /vpn/wireguard/peer", body);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "enabled": false}));
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    assert_eq!((lab.applied(), lab.live_peers("tun_wg0").len()), (json!(true), 3));
    lab.done("DELETE /vpn/wireguard/peer?id=3&apply=true&async=false", Json::Null);
    assert_eq!(lab.live_peers("tun_wg0").len(), 2);
}

#[test]
fn a_tunnel_that_cannot_be_configured_runs_without_a_key_or_not_at_all() {
    for (point, public_key) in [(None, Some("(none)")), (Some("failed-tunnel-has-no-device"), None)]
    {
        let lab = Lab::new("v2.10.0");
        if let Some(point) = point {
            assert!(lab.0.flip(point).unwrap());
        }
        lab.done("POST /vpn/wireguard/tunnel", json!({"privatekey": PRIVATE}));
        let body = json!({"enabled": true, "tun": "tun_wg0", "publickey": "no key"});
        lab.done("POST /vpn/wireguard/peer", body);
        let lab = lab.started();
        let status = lab.get("/status/wireguard/tunnels");
        assert_eq!(status[0]["public_key"].as_str(), public_key);
    }
}

#[test]
fn a_peer_that_moves_stays_where_it_was_until_another_apply() {
    let lab = Lab::seeded().started();
    let other = json!({"privatekey": PRIVATE, "listenport": "51821"});
    lab.done("POST /vpn/wireguard/tunnel", other);
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "tun": "tun_wg1"}));
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    assert_eq!((lab.live_peers("tun_wg0").len(), lab.live_peers("tun_wg1").len()), (3, 1));
    lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
    assert_eq!((lab.live_peers("tun_wg0").len(), lab.live_peers("tun_wg1").len()), (2, 1));
}

#[test]
fn a_network_belongs_to_the_peer_to_whom_it_was_given_last() {
    let lab = Lab::seeded();
    let same = json!([{"address": "10.66.0.3", "mask": 32}, {"address": "10.9.9.9", "mask": 8}]);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 2, "allowedips": same}));
    let lab = lab.started();
    let device = lab.0.device("tun_wg0").unwrap();
    let texts = |at: usize| -> Vec<String> {
        device.peers[at].allowed_ips.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        (texts(1), texts(2)),
        (vec![], vec!["10.66.0.3/32".to_owned(), "10.0.0.0/8".to_owned()])
    );
    let status = lab.get("/status/wireguard/tunnels");
    assert_eq!(status[0]["peers"][1]["allowed_ips"], json!(["(none)"]));
}

#[test]
fn a_write_to_an_entry_alone_is_not_pending() {
    for (point, applied) in [(None, true), (Some("nested-write-is-pending"), false)] {
        let lab = Lab::seeded().started();
        if let Some(point) = point {
            assert!(lab.0.flip(point).unwrap());
        }
        let body = json!({"parent_id": 0, "address": "10.5.0.0", "mask": 16});
        lab.done("POST /vpn/wireguard/peer/allowed_ip", body);
        assert_eq!(lab.applied(), applied);
        lab.done("POST /vpn/wireguard/apply", json!({"async": false}));
        assert_eq!(lab.0.device("tun_wg0").unwrap().peers[0].allowed_ips.len(), 2);
    }
}

#[test]
fn the_status_of_peers_loses_those_of_later_tunnels() {
    let lab = Lab::seeded();
    let other = json!({"privatekey": PRIVATE, "listenport": "51821"});
    lab.done("POST /vpn/wireguard/tunnel", other);
    lab.add_peer(3, "tun_wg1");
    let lab = lab.started();
    assert_eq!(lab.each("/status/wireguard/peers", "descr"), ["p0", "p1", "p2"]);
    assert_eq!(lab.each("/status/wireguard/tunnels", "name"), ["tun_wg0", "tun_wg1"]);
}

#[test]
fn there_are_ten_background_processes_at_most() {
    let lab = Lab::seeded();
    lab.0.set_wait(100).unwrap();
    (0..10).for_each(|_| drop(lab.done("POST /vpn/wireguard/apply", json!({}))));
    let request = Lab::request("POST /vpn/wireguard/apply", json!({}));
    let reply = lab.0.answer(&request, NOW).unwrap();
    assert_eq!(reply.status, 503);
    assert!(reply.headers.contains(&("retry-after", "300".to_owned())));
}

#[test]
fn two_writes_at_once_lose_the_first() {
    let lab = Lab::seeded();
    let patch =
        |id: usize| Lab::request("PATCH /vpn/wireguard/peer", json!({"id": id, "descr": "new"}));
    let (first, second) = (lab.0.begin(), lab.0.begin());
    assert_eq!(lab.0.finish(first, &patch(0), false, NOW).unwrap().status, 200);
    assert_eq!(lab.0.finish(second, &patch(1), false, NOW).unwrap().status, 200);
    assert_eq!(lab.peers(), ["p0", "new", "p2"]);
}

#[test]
fn a_write_that_finds_the_configuration_locked_has_no_effect() {
    let lab = Lab::seeded().started();
    let request = Lab::request("PATCH /vpn/wireguard/peer", json!({"id": 0, "descr": "new"}));
    let reply = lab.0.finish(lab.0.begin(), &request, true, NOW).unwrap();
    assert!(String::from_utf8_lossy(&reply.body).contains("MODEL_WRITE_CONFIG_LOCKED"));
    assert_eq!(
        (reply.status, lab.peers()[0].clone(), lab.applied()),
        (503, json!("p0"), json!(true))
    );
    let read = Lab::request("GET /vpn/wireguard/peers", Json::Null);
    assert_eq!(lab.0.finish(lab.0.begin(), &read, true, NOW).unwrap().status, 200);
}

#[test]
fn what_a_user_writes_who_may_not_is_dropped_without_a_word() {
    let lab = Lab::seeded();
    lab.0.set_user("u", &Secret::new("p"), &[ALL_PRIVILEGES, "user-config-readonly"]);
    let answer = lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "descr": "new"}));
    assert_eq!((answer["descr"].clone(), lab.peers()[0].clone()), (json!("new"), json!("p0")));
}

#[test]
fn reads_do_not_notice_that_the_wireguard_package_is_gone() {
    let lab = Lab::seeded().started();
    lab.0.remove_wireguard(true).unwrap();
    assert_eq!(lab.peers().len(), 3);
    let gone = "404 MODEL_MISSING_REQUIRED_PACKAGE";
    assert_eq!(lab.ask("PATCH /vpn/wireguard/peer", json!({"id": 0})), gone);
    assert_eq!(lab.ask("DELETE /vpn/wireguard/peer?id=0", Json::Null), gone);
    assert_eq!(lab.ask("GET /status/wireguard/tunnels", Json::Null), gone);
    let refused = lab.ask("POST /vpn/wireguard/apply", json!({}));
    assert_eq!(refused, "424 DISPATCHER_MISSING_REQUIRED_PACKAGE");
    lab.0.install_wireguard().unwrap();
    assert_eq!(lab.live_peers("tun_wg0").len(), 3);
    lab.0.remove_wireguard(false).unwrap();
    assert!(lab.peers().is_empty());
}

#[test]
fn the_rest_api_package_can_be_away() {
    let lab = Lab::seeded();
    lab.0.set_package(Package::Updating).unwrap();
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), "503 ENDPOINT_UNAVAILABLE");
    lab.0.set_package(Package::Absent).unwrap();
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), "404 -");
}

#[test]
fn a_key_counts_only_when_it_was_enabled() {
    let lab = Lab::seeded();
    lab.0.add_key(&Secret::new("key"), "u");
    let mut request = Lab::request("GET /vpn/wireguard/peers", Json::Null);
    request.authorization = None;
    request.api_key = Some("key".to_owned());
    assert_eq!(lab.send(&request).0, 401);
    lab.0.set_api("auth_methods", json!(["BasicAuth", "KeyAuth"])).unwrap();
    assert_eq!(lab.send(&request).0, 200);
}

#[test]
fn each_address_and_method_wants_a_privilege() {
    let lab = Lab::seeded();
    lab.0.set_user("u", &Secret::new("p"), &["api-v2-vpn-wireguard-peers-get"]);
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), "200 SUCCESS");
    let refused = "403 AUTH_AUTHORIZATION_FAILED";
    assert_eq!(lab.ask("DELETE /vpn/wireguard/peers?id=0", Json::Null), refused);
    assert_eq!(lab.ask("GET /vpn/wireguard/peer?id=0", Json::Null), refused);
    lab.0.keep_out("u");
    let kept_out = "403 ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL";
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), kept_out);
    lab.0.set_api("allowed_interfaces", json!(["wan"])).unwrap();
    let not_there = "403 ENDPOINT_INTERFACE_NOT_ALLOWED";
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), not_there);
}

#[test]
fn the_api_can_be_read_only_or_off() {
    let lab = Lab::seeded();
    lab.done("PATCH /system/restapi/settings", json!({"read_only": true}));
    let refused = "405 ENDPOINT_METHOD_NOT_ALLOWED_IN_READ_ONLY_MODE";
    assert_eq!(lab.ask("PATCH /vpn/wireguard/peer", json!({"id": 0})), refused);
    let back = json!({"read_only": false});
    assert_eq!(lab.ask("PATCH /system/restapi/settings", back), refused);
    lab.0.set_api("enabled", json!(false)).unwrap();
    let off = "503 ENDPOINT_REST_API_IS_NOT_ENABLED";
    assert_eq!(lab.ask("GET /vpn/wireguard/peers", Json::Null), off);
}

#[test]
fn secrets_are_shown_to_a_setting_and_a_shared_one_only_since_v2_10() {
    let preshared = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
    for (version, shows) in [("v2.4.3", false), ("v2.9.0", false), ("v2.10.0", true)] {
        let lab = Lab::new(version).seed();
        lab.done("PATCH /vpn/wireguard/peer", json!({"id": 0, "presharedkey": preshared}));
        let hidden = lab.get("/vpn/wireguard/tunnels")[0].clone();
        assert_eq!(hidden.get("privatekey"), None, "{version}");
        lab.0.set_api("expose_sensitive_fields", json!(true)).unwrap();
        assert_eq!(lab.get("/vpn/wireguard/tunnels")[0]["privatekey"], PRIVATE, "{version}");
        let shown = lab.get("/vpn/wireguard/peers")[0].get("presharedkey").cloned();
        assert_eq!(shown, shows.then(|| json!(preshared)), "{version}");
    }
}

#[test]
fn the_status_shows_a_shared_secret_to_a_setting() {
    let lab = Lab::new("v2.9.0").seed();
    let preshared = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 1, "presharedkey": preshared}));
    let lab = lab.started();
    let shown = || {
        let status = lab.get("/status/wireguard/tunnels")[0]["peers"].clone();
        let peers = status.as_array().unwrap().iter();
        peers.map(|peer| peer.get("preshared_key").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(), [None, None, None]);
    let fields = json!(["WireGuardPeerStatus:preshared_key"]);
    lab.0.set_api("override_sensitive_fields", fields).unwrap();
    assert_eq!(shown(), [Some(json!("(none)")), Some(json!(preshared)), Some(json!("(none)"))]);
    assert!(!format!("{:?}", lab.0.device("tun_wg0")).contains(preshared));
}

#[test]
fn a_query_sees_what_is_hidden() {
    let lab = Lab::new("v2.4.3").seed();
    let preshared = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 1, "presharedkey": preshared}));
    let found = |body: Json| {
        let mut request = Lab::request("GET /vpn/wireguard/peers", body);
        request.content_type = Some("application/json".to_owned());
        let (_, answer) = lab.send(&request);
        let found = answer["data"].as_array().unwrap().iter();
        found.map(|peer| peer["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"presharedkey": preshared})), [1]);
    assert_eq!(found(json!({"presharedkey": ""})), [0, 2]);
}

#[test]
fn a_version_that_does_not_know_a_field_drops_it() {
    let lab = Lab::new("v2.3.0");
    let body = json!({"privatekey": PRIVATE, "descr": "dropped"});
    assert_eq!(lab.done("POST /vpn/wireguard/tunnel", body).get("descr"), None);
    lab.0.install(Profile::newest()).unwrap();
    assert_eq!(lab.get("/vpn/wireguard/tunnel?id=0")["descr"], Json::Null);
    lab.done("PATCH /vpn/wireguard/tunnel", json!({"id": 0, "descr": "kept"}));
    lab.0.install(Profile::named("v2.3.0").unwrap()).unwrap();
    lab.done("PATCH /vpn/wireguard/tunnel", json!({"id": 0, "mtu": 1300}));
    lab.0.install(Profile::newest()).unwrap();
    assert_eq!(lab.get("/vpn/wireguard/tunnel?id=0")["descr"], "kept");
}

#[test]
fn a_version_has_only_its_own_addresses() {
    for (version, status) in [("v2.8.2", "404 -"), ("v2.9.0", "200 SUCCESS")] {
        let lab = Lab::new(version).seed().started();
        assert_eq!(lab.ask("GET /status/wireguard/tunnels", Json::Null), status, "{version}");
    }
}

#[test]
fn a_reboot_applies_what_is_stored() {
    let lab = Lab::seeded().started();
    lab.done("DELETE /vpn/wireguard/peer?id=0", Json::Null);
    lab.0.reboot(NOW).unwrap();
    assert_eq!((lab.applied(), lab.live_peers("tun_wg0").len()), (json!(true), 2));
}

#[test]
fn the_only_clock_is_in_a_header() {
    let lab = Lab::new("v2.10.0");
    lab.0.set_clock_slow_by(60);
    let now = Timestamp::from_second(60).unwrap();
    let request = Lab::request("GET /vpn/wireguard/peer?id=9", Json::Null);
    let reply = lab.0.answer(&request, now).unwrap();
    let date = ("date", "Thu, 01 Jan 1970 00:00:00 GMT".to_owned());
    assert!(reply.status == 404 && reply.headers.contains(&date));
}

#[test]
fn who_the_firewall_is_does_not_change_unless_the_machine_does() {
    let lab = Lab::new("v2.10.0");
    let id = |lab: &Lab| lab.get("/status/system")["netgate_id"].clone();
    let before = id(&lab);
    lab.0.reboot(NOW).unwrap();
    assert_eq!(id(&lab), before);
    lab.0.set_netgate_id("another").unwrap();
    assert_eq!(id(&lab), "another");
    assert!(lab.0.flip("status-dies").unwrap());
    assert_eq!(lab.ask("GET /status/system", Json::Null), "500 -");
}

fn busy() -> Lab {
    let lab = Lab::seeded().started().assigned();
    lab.0.set_wait(5).unwrap();
    lab.done("POST /vpn/wireguard/apply", json!({}));
    lab.done("DELETE /vpn/wireguard/peer?id=1", Json::Null);
    lab.0.add_rule("opt1").unwrap();
    lab
}

#[test]
fn a_firewall_is_the_same_when_it_is_read_again() {
    for profile in &PROFILES {
        let lab = busy();
        lab.0.install(profile).unwrap();
        let firewall = &lab.0.lock().firewall;
        let bytes = record::write(firewall).unwrap();
        let again = record::read(&bytes).unwrap();
        assert_eq!(record::write(&again).unwrap(), bytes);
        assert!(again.runtime == firewall.runtime && again.kernel == firewall.kernel);
        record::fuzz(&bytes);
    }
}

#[test]
fn half_a_line_is_left_out_and_nonsense_is_refused_without_a_key() {
    let bytes = record::write(&busy().0.lock().firewall).unwrap();
    let cut = &bytes[..bytes.len() - 9];
    assert_eq!(record::read(cut).unwrap().config.interfaces.len(), 2);
    for (wrong, why) in [
        ("", "it has no whole line"),
        ("{}\n", "line 1 column 2 is not as expected"),
        ("{\"rules\":{}}\n", "its first line is not about the firewall"),
    ] {
        assert_eq!(record::read(wrong.as_bytes()).err().as_deref(), Some(why));
    }
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    let why = record::read(newer.as_bytes()).err().unwrap();
    assert_eq!(why, "its format is version 2, this program knows 1");
    let misplaced =
        format!("{text}{{\"peer\":{{\"at\":9,\"object\":{{\"presharedkey\":\"secret\"}}}}}}\n");
    let why = record::read(misplaced.as_bytes()).err().unwrap();
    assert!(why.ends_with("is where it cannot be") && !why.contains("secret"), "{why}");
}

fn world() -> World {
    World::new(Default::default(), Default::default(), || NOW, |bytes| bytes.fill(7))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the file of the firewall grows")]
fn a_change_is_a_line_at_the_end_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let id = BackendId::new("office");
    let open = || {
        let firewall = SimulatedFirewall::open(directory.path(), &id, &world()).unwrap();
        firewall.set_user("u", &Secret::new("p"), &[ALL_PRIVILEGES]);
        Lab(firewall)
    };
    let size = |lab: &Lab| lab.0.path().unwrap().metadata().unwrap().len();
    let lab = open().seed();
    for line in [
        ("PATCH /vpn/wireguard/peer", json!({"id": 1, "descr": "new"})),
        ("DELETE /vpn/wireguard/peer?id=0", Json::Null),
        ("POST /vpn/wireguard/peer", json!({"publickey": KEYS[3]})),
    ] {
        let before = size(&lab);
        lab.done(line.0, line.1);
        assert!((1..900).contains(&(size(&lab) - before)), "{}", line.0);
    }
    let before = size(&lab);
    let shown = lab.get("/vpn/wireguard/peers");
    assert_eq!(size(&lab), before);
    lab.done("PATCH /vpn/wireguard/peer", json!({"id": 2, "placement": 0}));
    let moved = lab.get("/vpn/wireguard/peers");
    assert_ne!(shown, moved);
    drop(lab);
    assert_eq!(open().get("/vpn/wireguard/peers"), moved);
}

#[test]
fn every_point_can_be_flipped() {
    let lab = Lab::seeded();
    for (point, _) in POINTS {
        assert!(lab.0.flip(point).unwrap(), "{point}");
    }
    assert!(!lab.0.flip("host-bits").unwrap());
}
