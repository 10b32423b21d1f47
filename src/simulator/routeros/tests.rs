//! What a router answers, request by request, without a socket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};

use crate::resource::BackendId;
use crate::simulator::routeros::profile::{POINTS, PROFILES, Profile};
use crate::simulator::routeros::request::Request;
use crate::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use crate::value::Secret;
use crate::world::World;

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PEERS: &str = "/rest/interface/wireguard/peers";
const KEY: &str = "v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=";
const OTHER: &str = "u7gYAg5tkioJDcm3hyS7pm79eADKPs/ZUGON6/fF3iI=";

/// A router, and somebody who may do anything with it.
struct Lab(SimulatedRouter);

impl Lab {
    fn new(profile: &str) -> Self {
        let profile = Profile::named(profile).unwrap();
        let router = SimulatedRouter::in_memory(profile, 7, Timestamp::UNIX_EPOCH);
        router.set_user("u", &Secret::new("p"), &ALL_POLICIES);
        Self(router)
    }

    fn flipped(profile: &str, point: &str) -> Self {
        let lab = Self::new(profile);
        assert!(lab.0.flip(point).unwrap());
        lab
    }

    fn request(method: &str, path: &str, body: &str) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            authorization: Some(format!("Basic {}", BASE64.encode("u:p"))),
            content_type: (!body.is_empty()).then(|| "application/json".to_owned()),
            body: body.as_bytes().to_vec(),
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        self.send(&Self::request(method, path, body))
    }

    fn send(&self, request: &Request) -> String {
        self.send_at(90, request)
    }

    /// Asks so many seconds after the router has started.
    fn send_at(&self, seconds: i64, request: &Request) -> String {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let reply = self.0.answer(request, now).unwrap();
        format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))
    }

    fn with_interface(self) -> Self {
        let body = format!(r#"{{"name":"wg1","listen-port":"51820","private-key":"{PRIVATE}"}}"#);
        let answer = self.ask("PUT", "/rest/interface/wireguard", &body);
        assert!(answer.starts_with("201"), "{answer}");
        self
    }

    fn add_peer(&self, key: &str, rest: &str) -> String {
        let allowed = r#""allowed-address":"10.0.0.2""#;
        let body = format!(r#"{{"interface":"wg1","public-key":"{key}",{allowed}{rest}}}"#);
        self.ask("PUT", PEERS, &body)
    }

    fn detail(&self, method: &str, path: &str, body: &str) -> String {
        let answer = self.ask(method, path, body);
        let (status, body) = answer.split_once(' ').unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        format!("{status} {}", body["detail"].as_str().unwrap_or("-"))
    }
}

#[test]
fn an_interface_and_a_peer_answer_as_the_newest_version_does() {
    let lab = Lab::new("7.24").with_interface();
    insta::assert_snapshot!(lab.ask("GET", "/rest/interface/wireguard/wg1", ""), @r#"200 {".id":"*3","disabled":"false","listen-port":"51820","mtu":"1420","name":"wg1","private-key":"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=","public-key":"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=","running":"true","vrf":"main"}"#);
    insta::assert_snapshot!(lab.add_peer(KEY, r#","persistent-keepalive":"100","comment":"phone""#), @r#"201 {".id":"*1","allowed-address":"10.0.0.2/32","client-address":"","client-allowed-address":"::/0","client-dns":"","client-endpoint":"","comment":"phone","current-endpoint-address":"","current-endpoint-port":"0","disabled":"false","dynamic":"false","endpoint-address":"","endpoint-port":"0","interface":"wg1","name":"peer1","persistent-keepalive":"1m40s","public-key":"v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=","responder":"false","rx":"0","tx":"0"}"#);
}

#[test]
fn an_older_version_has_fewer_properties() {
    let lab = Lab::new("7.11").with_interface();
    insta::assert_snapshot!(lab.add_peer(KEY, ""), @r#"201 {".id":"*1","allowed-address":"10.0.0.2/32","current-endpoint-address":"","current-endpoint-port":"0","disabled":"false","endpoint-address":"","endpoint-port":"0","interface":"wg1","public-key":"v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=","rx":"0","tx":"0"}"#);
}

#[test]
fn an_argument_is_there_in_its_versions_only() {
    let known = |argument: &str, value: &str| {
        let is_known = |profile: &&Profile| {
            let lab = Lab::new(profile.name).with_interface();
            lab.add_peer(KEY, &format!(r#","{argument}":"{value}""#)).starts_with("201")
        };
        let names = PROFILES.iter().filter(is_known).map(|profile| profile.name);
        names.collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(known("name", "a"), @"7.15 7.16 7.17 7.21 7.24");
    insta::assert_snapshot!(known("is-responder", "yes"), @"7.15 7.16");
    insta::assert_snapshot!(known("responder", "yes"), @"7.17 7.21 7.24");
    insta::assert_snapshot!(known("client-dns", "10.0.0.1"), @"7.12 7.15 7.16 7.17 7.21 7.24");
    insta::assert_snapshot!(known("client-allowed-address", "::/0"), @"7.21 7.24");
    insta::assert_snapshot!(known("client-mtu", "1420"), @"");
}

#[test]
fn what_is_wrong_is_refused_with_the_routers_status_and_words() {
    let lab = Lab::new("7.24").with_interface();
    lab.add_peer(KEY, "");
    let cases = [
        ("GET", "/rest/interface/wireguard/*99", ""),
        ("GET", "/rest/interface/wireguard/%2A3", ""),
        ("GET", "/rest/ip/address/%2A1", ""),
        ("GET", "/rest/ip/address/wg1", ""),
        ("GET", "/rest/interface/wireguard/print", ""),
        ("GET", "/rest/interface/wirelessguard", ""),
        ("POST", "/rest/interface/wireguard", "{}"),
        ("POST", "/rest/ip/dns/remove", "{}"),
        ("PATCH", "/rest/ip/dns", r#"{"servers":"1.1.1.1"}"#),
        ("PATCH", "/rest/interface/wireguard/wg1", r#"{"nonsense":"1"}"#),
        ("PATCH", "/rest/interface/wireguard/*3", r#"{"nonsense":"1"}"#),
        ("PATCH", "/rest/interface/wireguard/*3", r#"{"public-key":"x"}"#),
        ("DELETE", "/rest/interface/wireguard/*99", ""),
        ("PUT", "/rest/interface/wireguard", r#"{"name":"ether1"}"#),
        ("PUT", PEERS, r#"{"allowed-address":"::/0"}"#),
        ("PUT", PEERS, r#"{"interface":"wg1"}"#),
        ("PUT", PEERS, r#"{"interface":"wg9","allowed-address":"::/0"}"#),
        ("PUT", PEERS, r#"{"interface":"wg1","allowed-address":"::/0"}"#),
        ("PUT", "/rest/ip/address", r#"{"interface":"ether1","address":"192.168.88.1/24"}"#),
        ("PUT", "/rest/ip/route", r#"{"gateway":"wg9"}"#),
        ("PUT", "/rest/ip/route", r#"{"distance":1e3}"#),
        ("PUT", "/rest/ip/route", "{"),
        ("HEAD", "/rest/interface", ""),
        ("OPTIONS", "/rest/interface", ""),
    ];
    let shown: Vec<_> = cases
        .iter()
        .map(|(method, path, body)| {
            format!("{method} {path} {body}: {}", lab.detail(method, path, body))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    GET /rest/interface/wireguard/*99 : 404 -
    GET /rest/interface/wireguard/%2A3 : 400 missing or invalid resource identifier
    GET /rest/ip/address/%2A1 : 400 no such command prefix
    GET /rest/ip/address/wg1 : 400 no such command prefix
    GET /rest/interface/wireguard/print : 400 no such command
    GET /rest/interface/wirelessguard : 404 -
    POST /rest/interface/wireguard {}: 400 no such command
    POST /rest/ip/dns/remove {}: 400 no such command or directory (remove)
    PATCH /rest/ip/dns {"servers":"1.1.1.1"}: 400 missing or invalid resource identifier
    PATCH /rest/interface/wireguard/wg1 {"nonsense":"1"}: 400 missing or invalid resource identifier
    PATCH /rest/interface/wireguard/*3 {"nonsense":"1"}: 400 unknown parameter nonsense
    PATCH /rest/interface/wireguard/*3 {"public-key":"x"}: 400 unknown parameter public-key
    DELETE /rest/interface/wireguard/*99 : 404 -
    PUT /rest/interface/wireguard {"name":"ether1"}: 400 failure: already have interface with such name
    PUT /rest/interface/wireguard/peers {"allowed-address":"::/0"}: 400 missing =interface=
    PUT /rest/interface/wireguard/peers {"interface":"wg1"}: 400 missing =allowed-address=
    PUT /rest/interface/wireguard/peers {"interface":"wg9","allowed-address":"::/0"}: 400 input does not match any value of interface
    PUT /rest/interface/wireguard/peers {"interface":"wg1","allowed-address":"::/0"}: 400 missing =public-key=
    PUT /rest/ip/address {"interface":"ether1","address":"192.168.88.1/24"}: 400 failure: already have such address
    PUT /rest/ip/route {"gateway":"wg9"}: 400 invalid or unexpected argument base
    PUT /rest/ip/route {"distance":1e3}: 400 Failed to parse json
    PUT /rest/ip/route {: 400 Failed to parse json
    HEAD /rest/interface : 501 -
    OPTIONS /rest/interface : 503 -
    "#);
    insta::assert_snapshot!(lab.add_peer(KEY, ""), @r#"400 {"detail":"failure: entry already exists","error":400,"message":"Bad Request"}"#);
}

#[test]
fn a_body_needs_its_content_type() {
    let lab = Lab::new("7.24");
    let mut request = Lab::request("PUT", "/rest/interface/wireguard", "{}");
    request.content_type = Some("text/plain".to_owned());
    assert_eq!(lab.send(&request), r#"415 {"error":415,"message":"Unsupported Media Type"}"#);
    request.content_type = Some("application/json; charset=utf-8".to_owned());
    assert!(lab.send(&request).starts_with("201"));
}

#[test]
fn a_missing_policy_shows_as_it_does_on_a_router() {
    let answers = |policies: &[&str]| {
        let lab = Lab::new("7.24").with_interface();
        lab.0.set_user("u", &Secret::new("p"), policies);
        // The session that made the interface is over.
        lab.0.reboot(Timestamp::UNIX_EPOCH).unwrap();
        let get = || lab.ask("GET", "/rest/interface/wireguard?.proplist=private-key", "");
        drop(get());
        let put = lab.detail("PUT", "/rest/interface/wireguard", "{}");
        let patch = lab.detail("PATCH", "/rest/interface/wireguard/*3", r#"{"mtu":"1400"}"#);
        format!("GET {}\nPUT {put}\nPATCH {patch}", get())
    };
    insta::assert_snapshot!(answers(&["api", "read", "write", "sensitive"]), @r#"
    GET 401 {"error":401,"message":"Unauthorized"}
    PUT 401 -
    PATCH 401 -
    "#);
    insta::assert_snapshot!(answers(&["rest-api", "read", "write", "sensitive"]), @r#"
    GET 500 {"detail":"std failure: not allowed (9)","error":500,"message":"Internal Server Error"}
    PUT 500 std failure: not allowed (9)
    PATCH 500 std failure: not allowed (9)
    "#);
    insta::assert_snapshot!(answers(&["rest-api", "api", "read", "sensitive"]), @r#"
    GET 200 [{".id":"*3","private-key":"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}]
    PUT 500 not enough permissions (9)
    PATCH 400 missing or invalid resource identifier
    "#);
    insta::assert_snapshot!(answers(&["rest-api", "api", "read", "write"]), @r#"
    GET 200 [{".id":"*3","private-key":"*****"},{".id":"*4","private-key":"*****"}]
    PUT 201 -
    PATCH 200 -
    "#);
}

#[test]
fn a_reference_follows_a_rename_and_dangles_after_a_removal() {
    let lab = Lab::new("7.24").with_interface();
    lab.add_peer(KEY, "");
    lab.ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.0.0.1/24"}"#);
    lab.ask("PUT", "/rest/ip/route", r#"{"gateway":"wg1","dst-address":"10.9.0.0/16"}"#);
    lab.ask("PUT", "/rest/interface/list/member", r#"{"interface":"wg1","list":"LAN"}"#);
    let references = || {
        let peers = lab.ask("GET", "/rest/interface/wireguard/peers?.proplist=interface", "");
        let addresses = lab.ask("GET", "/rest/ip/address?.proplist=interface,invalid", "");
        let route = "/rest/ip/route?.proplist=gateway,active,comment&dynamic=false";
        let routes = lab.ask("GET", route, "");
        let members = lab.ask("GET", "/rest/interface/list/member?.proplist=interface", "");
        let six = lab.ask("GET", "/rest/ipv6/address?.proplist=interface", "");
        [peers, addresses, routes, members, six].join("\n")
    };
    lab.ask("PATCH", "/rest/interface/wireguard/wg1", r#"{"name":"wg2"}"#);
    insta::assert_snapshot!(references(), @r#"
    200 [{".id":"*1","interface":"wg2"}]
    200 [{".id":"*1","interface":"ether1","invalid":"false"},{".id":"*2","interface":"wg2","invalid":"false"}]
    200 [{".id":"*80000001","active":"true","gateway":"wg2"}]
    200 [{".id":"*1","interface":"ether1"},{".id":"*2","interface":"wg2"}]
    200 [{".id":"*1","interface":"wg2"}]
    "#);
    assert_eq!(lab.ask("DELETE", "/rest/interface/wireguard/wg2", ""), "204 ");
    lab.ask("PUT", "/rest/interface/wireguard", r#"{"name":"wg2"}"#);
    insta::assert_snapshot!(references(), @r#"
    200 [{".id":"*1","interface":"*3"}]
    200 [{".id":"*1","interface":"ether1","invalid":"false"},{".id":"*2","interface":"*3","invalid":"true"}]
    200 [{".id":"*80000001","gateway":"*3"}]
    200 [{".id":"*1","interface":"ether1"},{".id":"*2","interface":"*3"}]
    200 [{".id":"*2","interface":"wg2"}]
    "#);
}

#[test]
fn a_command_takes_several_ids_and_says_nothing() {
    let lab = Lab::new("7.24").with_interface();
    lab.add_peer(KEY, "");
    lab.add_peer(OTHER, "");
    assert_eq!(lab.ask("POST", &format!("{PEERS}/disable"), r#"{".id":"*1,*2"}"#), "200 []");
    assert_eq!(
        lab.ask("POST", &format!("{PEERS}/set"), r#"{"numbers":"*2","disabled":false}"#),
        "200 []"
    );
    let disabled = r#"{".proplist":["name"],".query":["disabled=true"]}"#;
    assert_eq!(lab.ask("POST", &format!("{PEERS}/print"), disabled), r#"200 [{"name":"peer1"}]"#);
    let count = r#"{"count-only":""}"#;
    assert_eq!(lab.ask("POST", &format!("{PEERS}/print"), count), r#"200 {"ret":"2"}"#);
    assert_eq!(lab.ask("POST", &format!("{PEERS}/remove"), r#"{".id":"*1"}"#), "200 []");
    let body = format!(r#"{{"interface":"wg1","public-key":"{KEY}","allowed-address":"::/0"}}"#);
    // An id is not given again.
    assert_eq!(lab.ask("POST", &format!("{PEERS}/add"), &body), r#"200 {"ret":"*3"}"#);
}

#[test]
fn a_route_shows_its_flags_when_they_are_so() {
    let lab = Lab::new("7.24").with_interface();
    lab.ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.0.0.1/24"}"#);
    let body = r#"{"gateway":"wg1","dst-address":"10.9.1.2/16","distance":"5","check-gateway":"ping","comment":"c"}"#;
    insta::assert_snapshot!(lab.ask("PUT", "/rest/ip/route", body), @r#"201 {".id":"*80000001","active":"true","check-gateway":"ping","comment":"c","distance":"5","dst-address":"10.9.0.0/16","dynamic":"false","gateway":"wg1","immediate-gw":"wg1","inactive":"false","routing-table":"main","scope":"30","static":"true","target-scope":"10"}"#);
    let disable = r#"{"disabled":"yes","!check-gateway":""}"#;
    insta::assert_snapshot!(lab.ask("PATCH", "/rest/ip/route/*80000001", disable), @r#"200 {".id":"*80000001","comment":"c","disabled":"true","dst-address":"10.9.0.0/16","gateway":"wg1","inactive":"true"}"#);
    // A route to the network of an address is two seconds late.
    let connected = Lab::request("GET", "/rest/ip/route?connect=true&gateway=wg1", "");
    assert_eq!(lab.send_at(91, &connected), "200 []");
    insta::assert_snapshot!(lab.send_at(92, &connected), @r#"200 [{".id":"*20180002","active":"true","connect":"true","distance":"0","dst-address":"10.0.0.0/24","dynamic":"true","gateway":"wg1","immediate-gw":"wg1","inactive":"false","local-address":"10.0.0.1","routing-table":"main","scope":"10"}]"#);
}

#[test]
fn addresses_are_completed() {
    let lab = Lab::new("7.24").with_interface();
    insta::assert_snapshot!(lab.ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.0.0.1"}"#), @r#"201 {".id":"*2","actual-interface":"wg1","address":"10.0.0.1/32","disabled":"false","dynamic":"false","interface":"wg1","invalid":"false","network":"10.0.0.1","slave":"false","vrf":"main"}"#);
    insta::assert_snapshot!(lab.ask("PUT", "/rest/ipv6/address", r#"{"interface":"wg1","address":"FD00::1"}"#), @r#"201 {".id":"*2","actual-interface":"wg1","address":"fd00::1/64","advertise":"true","auto-link-local":"true","deprecated":"false","disabled":"false","dynamic":"false","eui-64":"false","from-pool":"","from-pool-policy":"recommended","global":"true","interface":"wg1","invalid":"false","link-local":"false","no-dad":"false","slave":"false","vrf":"main"}"#);
    insta::assert_snapshot!(lab.detail("PATCH", "/rest/ipv6/address/*1", r#"{"comment":"x"}"#), @"400 failure: can not change dynamic or builtin object");
    let moved = |lab: Lab| {
        let lab = lab.with_interface();
        lab.ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.0.0.1/24"}"#);
        let answer = lab.ask("PATCH", "/rest/ip/address/*2", r#"{"address":"10.7.0.1/24"}"#);
        answer.contains(r#""network":"10.7.0.0""#)
    };
    assert!(moved(Lab::new("7.24")));
    assert!(!moved(Lab::flipped("7.24", "network-stays")));
}

#[test]
fn an_address_takes_a_netmask_and_an_interface_a_size_of_the_routers_choice() {
    let lab = Lab::new("7.24").with_interface();
    let add = |mask: &str| {
        let rest = r#""interface":"wg1","address":"10.0.0.1","broadcast":"10.0.0.255""#;
        let answer =
            lab.ask("PUT", "/rest/ip/address", &format!(r#"{{{rest},"netmask":"{mask}"}}"#));
        answer.chars().take(80).collect::<String>()
    };
    insta::assert_snapshot!(add("255.0.255.0"), @r#"400 {"detail":"invalid value for argument netmask","error":400,"message":"Bad Re"#);
    insta::assert_snapshot!(add("255.255.255.0"), @r#"201 {".id":"*2","actual-interface":"wg1","address":"10.0.0.1/24","disabled":"fal"#);
    lab.ask("PATCH", "/rest/interface/wireguard/wg1", r#"{"mtu":"auto"}"#);
    let sizes = lab.ask("GET", "/rest/interface?name=wg1&.proplist=mtu,actual-mtu", "");
    assert_eq!(sizes, r#"200 [{".id":"*3","actual-mtu":"1420","mtu":"auto"}]"#);
    let wrong = lab.detail("PATCH", "/rest/interface/wireguard/wg1", r#"{"mtu":"70000"}"#);
    assert_eq!(wrong, "400 value of mtu out of range (0..65536)");
}

#[test]
fn a_network_goes_to_the_peer_that_is_given_it_last() {
    let lab = Lab::new("7.24").with_interface();
    let carrier = || lab.0.carrier("wg1", "10.0.0.0/24".parse().unwrap());
    let peer = |id: u32, body: &str| lab.ask("PATCH", &format!("{PEERS}/*{id}"), body);
    for key in [KEY, OTHER] {
        let body = r#""allowed-address":"10.0.0.0/24""#;
        let body = format!(r#"{{"interface":"wg1","public-key":"{key}",{body}}}"#);
        assert!(lab.ask("PUT", PEERS, &body).starts_with("201"));
        assert_eq!(carrier().as_deref(), Some(key));
    }
    // Who has lost it lists it all the same, and a change of something else gives nothing back.
    assert!(peer(1, r#"{"comment":"a"}"#).contains("10.0.0.0/24"));
    assert_eq!(carrier().as_deref(), Some(OTHER));
    peer(2, r#"{"disabled":"yes"}"#);
    assert_eq!(carrier(), None);
    peer(1, r#"{"allowed-address":"10.0.0.7/24"}"#);
    assert_eq!(carrier().as_deref(), Some(KEY));
    peer(2, r#"{"disabled":"no"}"#);
    lab.ask("DELETE", &format!("{PEERS}/*2"), "");
    assert_eq!(carrier(), None);
    lab.0.reboot(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(carrier().as_deref(), Some(KEY));
}

#[test]
fn peers_are_copied_moved_and_looked_up() {
    let lab = Lab::new("7.24").with_interface();
    lab.add_peer(KEY, r#","comment":"a","persistent-keepalive":"25""#);
    let body = format!(r#"{{"public-key":"{OTHER}","copy-from":"*1","place-before":"*1"}}"#);
    let copy = lab.ask("PUT", PEERS, &body);
    assert!(copy.contains(r#""comment":"a""#) && copy.contains(r#""name":"peer2""#), "{copy}");
    let order = || lab.ask("POST", &format!("{PEERS}/find"), "{}");
    assert_eq!(order(), r#"200 {"ret":"*2;*1"}"#);
    assert_eq!(lab.ask("POST", &format!("{PEERS}/move"), r#"{"numbers":"*2"}"#), "200 []");
    assert_eq!(order(), r#"200 {"ret":"*1;*2"}"#);
    let back = r#"{"numbers":"*2","destination":"*1"}"#;
    assert_eq!(lab.ask("POST", &format!("{PEERS}/move"), back), "200 []");
    assert_eq!(order(), r#"200 {"ret":"*2;*1"}"#);
    let get = r#"{".id":"*1","value-name":"persistent-keepalive"}"#;
    assert_eq!(lab.ask("POST", &format!("{PEERS}/get"), get), r#"200 {"ret":"25s"}"#);
    let unknown = format!(r#"{{"public-key":"{OTHER}","copy-from":"*9"}}"#);
    assert_eq!(
        lab.detail("PUT", PEERS, &unknown),
        "400 input does not match any value of copy-from"
    );
}

#[test]
fn what_is_made_says_where_it_is() {
    let lab = Lab::new("7.24");
    let request = Lab::request("PUT", "/rest/interface/wireguard", r#"{"listen-port":0x1F40}"#);
    let reply = lab.0.answer(&request, Timestamp::UNIX_EPOCH).unwrap();
    assert!(reply.headers.contains(&("location", "/rest/interface/wireguard/*3".to_owned())));
    assert!(String::from_utf8_lossy(&reply.body).contains(r#""listen-port":"8000""#));
}

#[test]
fn the_log_has_a_line_for_each_session_and_for_each_wrong_password() {
    let lab = Lab::new("7.24");
    lab.ask("GET", "/rest/interface", "");
    let mut wrong = Lab::request("GET", "/rest/interface", "");
    wrong.authorization = Some(format!("Basic {}", BASE64.encode("u:wrong")));
    lab.send(&wrong);
    insta::assert_snapshot!(lab.ask("GET", "/rest/log", ""), @r#"200 [{".id":"*1","message":"user u logged in from 127.0.0.1 via rest-api","time":"1970-01-01 00:01:30","topics":"system,info,account"},{".id":"*2","message":"login failure for user u from 127.0.0.1 via rest-api","time":"1970-01-01 00:01:30","topics":"system,error,critical"}]"#);
}

#[test]
fn the_router_says_what_it_is() {
    let lab = Lab::new("7.24");
    for menu in ["resource", "routerboard", "license", "clock", "identity"] {
        let answer = lab.ask("GET", &format!("/rest/system/{menu}"), "");
        assert!(answer.starts_with("200 {"), "{answer}");
    }
    insta::assert_snapshot!(lab.ask("GET", "/rest/system/clock", ""), @r#"200 {"date":"1970-01-01","dst-active":"false","gmt-offset":"+00:00","time":"00:01:30","time-zone-autodetect":"true","time-zone-name":"UTC"}"#);
    lab.0.become_virtual().unwrap();
    assert_eq!(lab.ask("GET", "/rest/system/routerboard", ""), r#"200 {"routerboard":"false"}"#);
    assert_eq!(lab.ask("POST", "/rest/ip/dns/set", r#"{"servers":"1.1.1.1"}"#), "200 []");
    insta::assert_snapshot!(lab.ask("GET", "/rest/ip/dns", ""), @r#"200 {"address-list-extra-time":"0s","allow-remote-requests":"false","cache-max-ttl":"1w","cache-size":"2048","cache-used":"48","dynamic-servers":"192.168.88.254","max-concurrent-queries":"100","mdns-repeat-ifaces":"","servers":"1.1.1.1","vrf":"main"}"#);
}

#[test]
fn the_arguments_of_a_command_can_be_asked_for() {
    let has = |profile: &str, argument: &str| {
        let lab = Lab::new(profile);
        let path = r#"{"request":"child","path":"interface,wireguard,peers,add"}"#;
        lab.ask("POST", "/rest/console/inspect", path).contains(&format!(r#""name":"{argument}","#))
    };
    assert!(has("7.17", "responder") && !has("7.16", "responder"));
    assert!(has("7.16", "is-responder") && has("7.12", "client-dns") && !has("7.11", "client-dns"));
}

#[test]
fn after_a_reboot_one_body_is_wrong_and_the_time_begins_anew() {
    let lab = Lab::new("7.24");
    lab.0.reboot(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(80)).unwrap();
    assert_eq!(lab.ask("GET", "/rest/interface/wireguard", ""), "200 {}");
    assert_eq!(lab.ask("GET", "/rest/interface/wireguard", ""), "200 []");
    assert!(lab.ask("GET", "/rest/system/resource", "").contains(r#""uptime":"10s""#));
}

#[test]
fn a_restore_gives_other_ids_and_an_upgrade_other_names() {
    let lab = Lab::new("7.12").with_interface();
    lab.add_peer(KEY, "");
    lab.0.renumber().unwrap();
    assert_eq!(
        lab.ask("GET", "/rest/interface/wireguard?.proplist=name", ""),
        r#"200 [{".id":"*6","name":"wg1"}]"#
    );
    let peer = || lab.ask("GET", &format!("{PEERS}?.proplist=interface,name,responder"), "");
    assert_eq!(peer(), r#"200 [{".id":"*2","interface":"wg1"}]"#);
    lab.0.install(Profile::newest()).unwrap();
    let upgraded = r#"200 [{".id":"*2","interface":"wg1","name":"peer1","responder":"false"}]"#;
    assert_eq!(peer(), upgraded);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test damages the file")]
fn a_router_outlives_the_run_that_made_it() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::new(
        [].into(),
        directory.path().into(),
        || Timestamp::UNIX_EPOCH,
        |bytes| bytes.fill(7),
    );
    let open = || {
        let router = SimulatedRouter::open(directory.path(), &BackendId::new("r"), &world).unwrap();
        router.set_user("u", &Secret::new("p"), &ALL_POLICIES);
        Lab(router)
    };
    let lab = open().with_interface();
    lab.add_peer(KEY, r#","comment":"a""#);
    lab.add_peer(OTHER, "");
    lab.ask("DELETE", &format!("{PEERS}/*2"), "");
    lab.0.flip("masks-host-bits").unwrap();
    lab.ask("PATCH", &format!("{PEERS}/*1"), r#"{"comment":"b","allowed-address":"10.0.0.2/24"}"#);
    let before = lab.ask("GET", PEERS, "");
    assert!(before.contains(r#""comment":"b""#) && before.contains("10.0.0.0/24"), "{before}");
    drop(lab);
    let lab = open();
    assert_eq!(lab.ask("GET", PEERS, ""), before);
    // An id is not given again in the next run either.
    assert!(lab.add_peer(OTHER, "").starts_with(r#"201 {".id":"*3""#));
    let file = directory.path().join(".wgform/simulated/r.json");
    let text = std::fs::read_to_string(&file).unwrap();
    drop(lab);
    std::fs::write(&file, text + "{\"table\":1}\n").unwrap();
    let error = SimulatedRouter::open(directory.path(), &BackendId::new("r"), &world).unwrap_err();
    assert!(error.reason.ends_with("is not as expected"), "{error}");
}

/// Each switch changes at least one answer of a story that touches everything.
#[test]
fn every_switch_changes_an_answer() {
    let story = |lab: &Lab| {
        let ask = |method: &str, path: &str, body: &str| lab.ask(method, path, body);
        let mut said = vec![ask("PUT", "/rest/interface/wireguard", r#"{"name":"wg1"}"#)];
        said.push(ask("PUT", "/rest/interface/wireguard", r#"{"name":"wg2"}"#));
        said.push(ask("PUT", PEERS, r#"{"interface":"wg1","allowed-address":"::/0"}"#));
        let psk = format!(r#","preshared-key":"{OTHER}","private-key":"{PRIVATE}""#);
        said.push(lab.add_peer(KEY, &format!(r#"{psk},"name":"a","client-allowed-address":"""#)));
        said.push(lab.add_peer(KEY, r#","disabled":"yes""#));
        said.push(
            lab.add_peer(OTHER, r#","name":"a","allowed-address":"10.0.0.9/24,10.0.0.2/32""#),
        );
        let elsewhere = format!(
            r#"{{"interface":"wg2","public-key":"{KEY}","allowed-address":"::/0","name":"b"}}"#
        );
        said.push(ask("PUT", PEERS, &elsewhere));
        said.push(ask("PATCH", &format!("{PEERS}/*1"), r#"{"preshared-key":""}"#));
        said.push(ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.0.0.1/24"}"#));
        said.push(ask("PATCH", "/rest/ip/address/*2", r#"{"address":"10.7.0.1/24"}"#));
        said.push(ask("PUT", "/rest/ip/address", r#"{"interface":"wg1","address":"10.7.0.1/25"}"#));
        said.push(ask(
            "PUT",
            "/rest/ipv6/address",
            r#"{"interface":"wg1","address":"fd00::1","advertise":"false"}"#,
        ));
        for _ in 0..2 {
            said.push(ask(
                "PUT",
                "/rest/interface/list/member",
                r#"{"interface":"wg1","list":"LAN"}"#,
            ));
        }
        said.push(ask("GET", &format!("{PEERS}?.proplist=name"), ""));
        lab.0.set_user("u", &Secret::new("p"), &["rest-api", "api", "read"]);
        lab.0.reboot(Timestamp::UNIX_EPOCH).unwrap();
        for path in [
            "interface",
            "interface/wireguard",
            "interface/wireguard/peers",
            "ipv6/address",
            "system/resource",
            "system/clock",
        ] {
            said.push(ask("GET", &format!("/rest/{path}"), ""));
        }
        said.join("\n")
    };
    let usual = story(&Lab::new("7.24"));
    for (point, _) in POINTS {
        assert_ne!(story(&Lab::flipped("7.24", point)), usual, "{point}");
    }
}
