//! The client against scripted answers: how it asks, and what it makes of every way to fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::backend::http;
use crate::backend::pfsense::client::{
    Body, Cause, Client, Credentials, Failure, Trace, has_api_path,
};
use crate::backend::pfsense::script::{KEY, P1, PRESHARED, Say, Script, no, ok, recorded};
use crate::backend::pfsense::snapshot;
use crate::value::Secret;

const PEERS: &str = "vpn/wireguard/peers";

fn told(failure: &Failure) -> String {
    let mut lines = vec![failure.to_string()];
    lines.extend(failure.error.hints.iter().map(|hint| format!("  {hint}")));
    lines.push(format!("  ({:?}, may have changed: {})", failure.cause, failure.may_have_changed));
    lines.join("\n")
}

#[tokio::test]
async fn each_request_is_as_the_package_wants_it() {
    let script = Script::new([ok(json!([])), ok(json!([])), ok(json!({})), ok(json!([]))]);
    let client = script.client();
    client.get::<Json>("look", PEERS, &[("publickey", P1)]).await.unwrap();
    client.search::<Json>("look", PEERS, &Body::of("presharedkey", "")).await.unwrap();
    client.post::<Json>("make", "vpn/wireguard/peer", &Body::of("tun", "tun_wg0")).await.unwrap();
    client.delete::<Json>("remove", PEERS, ("publickey", P1)).await.unwrap();
    assert_eq!(
        script.asked(),
        "\
GET vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
GET vpn/wireguard/peers {\"presharedkey\":\"\"}
POST vpn/wireguard/peer {\"tun\":\"tun_wg0\"}
DELETE vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D"
    );
    for asked in script.log() {
        assert_eq!(asked.headers["accept"], "*/*");
        assert_eq!(asked.headers["x-api-key"], KEY);
        // A type on a request without a body makes the package ignore its query, and remove everything.
        let kind = asked.headers.get("content-type").map(String::as_str);
        assert_eq!(kind, (!asked.body.is_empty()).then_some("application/json"), "{}", asked.line);
    }
}

#[tokio::test]
async fn a_user_sends_a_password_and_no_key() {
    let script = Script::new([recorded("003")]);
    let mut settings = script.settings();
    let password = Secret::new("hunter2hunter2");
    settings.credentials = Credentials::User { name: "wgform".to_owned(), password };
    Client::new(settings).unwrap().get::<Json>("look", PEERS, &[]).await.unwrap();
    let asked = &script.log()[0];
    assert_eq!(asked.headers["authorization"], "Basic d2dmb3JtOmh1bnRlcjJodW50ZXIy");
    assert!(!asked.headers.contains_key("x-api-key"));
}

#[test]
fn the_path_of_the_api_is_added_once() {
    let base = |url: &str| http::base(url, "/api/v2");
    for url in ["https://fw1", "https://fw1/", "https://fw1/api/v2", " https://fw1/api/v2/ "] {
        assert_eq!(base(url).unwrap(), "https://fw1/api/v2");
    }
    assert_eq!(base("https://proxy/fw1").unwrap(), "https://proxy/fw1/api/v2");
    assert_eq!(base("https://api/v2").unwrap(), "https://api/v2/api/v2");
    assert!(has_api_path("https://fw1/api/v2/"));
    assert!(!has_api_path("https://fw1") && !has_api_path("https://api/v2"));
    for wrong in ["fw1", "ftp://fw1", "https://me:x@fw1", "https://fw1/?a=b"] {
        assert!(base(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let page = |status, headers| Say::Answer(status, headers, "<html></html>".to_owned());
    let answers = [
        ("001", recorded("001")),
        ("005", recorded("005")),
        ("009", recorded("009")),
        ("030", recorded("030")),
        ("049", recorded("049")),
        ("223", recorded("223")),
        ("258", recorded("258")),
        ("259", recorded("259")),
        ("268", recorded("268")),
        ("273", recorded("273")),
        ("275", recorded("275")),
        ("283", recorded("283")),
        ("287", recorded("287")),
        ("313", recorded("313")),
        ("402", recorded("402")),
        ("406", recorded("406")),
        ("access list", no(403, "ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL")),
        ("interface", no(403, "ENDPOINT_INTERFACE_NOT_ALLOWED")),
        ("lock", no(503, "MODEL_WRITE_CONFIG_LOCKED")),
        ("update", no(503, "ENDPOINT_UNAVAILABLE")),
        ("moved", page(301, "Location: https://fw1/\r\n")),
        ("gateway", page(502, "")),
        ("captive", page(200, "")),
        ("garbage", Say::Answer(200, "", "{\"a".to_owned())),
        ("other data", ok(json!("x"))),
        ("lost", Say::Nothing),
    ];
    let mut all = String::new();
    for (name, answer) in answers {
        let script = Script::new([answer]);
        let body = Body::of("tun", "tun_wg0");
        let answer =
            script.client().patch::<Vec<Json>>("change peer", "vpn/wireguard/peer", &body).await;
        all.push_str(&format!("{name}: {}\n", told(&answer.unwrap_err())));
        assert_eq!(script.log().len(), 1, "{name}");
    }
    assert_eq!(all, include_str!("../../../../testdata/pfsense-answers/refusals.txt"));
}

#[tokio::test]
async fn a_wrong_password_is_told_otherwise_than_a_wrong_key() {
    let script = Script::new([recorded("004")]);
    let mut settings = script.settings();
    settings.credentials =
        Credentials::User { name: "wgform".to_owned(), password: Secret::new("wrong") };
    let failure = Client::new(settings).unwrap().get::<Json>("read peers", PEERS, &[]).await;
    insta::assert_snapshot!(told(&failure.unwrap_err()), @"
    could not read peers on backend `fw1`: the firewall does not accept the user or the password (401)
      check `api_user` and `api_password`: it has to be a user of the firewall's own database
      `BasicAuth` has to be among the authentication methods, in `System > REST API > Settings`
      (Unauthorized, may have changed: false)
    ");
}

#[tokio::test]
async fn what_may_pass_is_read_again_and_nothing_else() {
    for (answer, times) in [
        (recorded("001"), 1),
        (recorded("005"), 1),
        (recorded("283"), 1),
        (no(503, "ENDPOINT_UNAVAILABLE"), 4),
        (Say::Nothing, 4),
        (Say::Answer(502, "", "<html>".to_owned()), 4),
    ] {
        let script = Script::new(vec![answer; 4]);
        script.client().get::<Json>("look", PEERS, &[]).await.unwrap_err();
        assert_eq!(script.log().len(), times);
        let script = Script::new([Say::Nothing, ok(json!([]))]);
        script.client().post::<Json>("make", PEERS, &Body::default()).await.unwrap_err();
        assert_eq!(script.log().len(), 1);
    }
}

#[tokio::test]
async fn who_waits_too_long_may_have_changed_something() {
    let script = Script::new([Say::Silence, ok(json!([]))]);
    let mut settings = script.settings();
    settings.api_timeout = Duration::from_millis(200);
    let client = Client::new(settings).unwrap();
    let failure = client.post::<Json>("make a peer", PEERS, &Body::default()).await.unwrap_err();
    assert_eq!((&failure.cause, failure.may_have_changed), (&Cause::Silent, true));
    // The connection was dropped, and the next request goes over another one.
    client.get::<Json>("look", PEERS, &[]).await.unwrap();
}

#[tokio::test]
async fn a_secret_is_neither_logged_nor_repeated() {
    let repeated =
        json!({"response_id": "X", "message": format!("Not {PRESHARED}, {KEY}."), "data": []});
    let script = Script::new([
        ok(json!([{"publickey": P1, "presharedkey": PRESHARED, "privatekey": PRESHARED}])),
        Say::Answer(400, "", repeated.to_string()),
    ]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let take = Arc::clone(&lines);
    let mut settings = script.settings();
    settings.trace = Trace::new(move |line| take.lock().unwrap().push(line.to_owned()));
    assert!(!format!("{settings:?}").contains(KEY));
    let client = Client::new(settings).unwrap();
    let mut body = Body::of("publickey", P1);
    body.set_secret("presharedkey", Zeroizing::new(PRESHARED.to_owned()));
    assert!(!format!("{body:?}").contains(PRESHARED));
    client.search::<Json>("look", PEERS, &body).await.unwrap();
    let failure = client.post::<Json>("make", PEERS, &body).await.unwrap_err();
    assert_eq!(failure.error.reason, "Not …, … (400)");
    let lines = lines.lock().unwrap().join("\n");
    assert!(!lines.contains(KEY), "{lines}");
    insta::assert_snapshot!(lines, @r#"
    > GET vpn/wireguard/peers {"presharedkey":"…","publickey":"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="}
    < 200 {"code":200,"data":[{"presharedkey":"…","privatekey":"…","publickey":"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="}],"message":"","response_id":"SUCCESS","status":"ok"}
    > POST vpn/wireguard/peers {"presharedkey":"…","publickey":"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="}
    < 400 {"data":[],"message":"Not …, ….","response_id":"X"}
    "#);
}

#[tokio::test]
async fn a_version_that_is_too_old_is_refused() {
    let script = Script::new([ok(json!({"current_version": "v2.4.2"}))]);
    let failure = snapshot::version(&script.client()).await.unwrap_err();
    insta::assert_snapshot!(told(&failure), @"
    could not read the version of the REST API package on backend `fw1`: it is v2.4.2, and wgform needs v2.4.3 or later
      update it: https://github.com/pfrest/pfSense-pkg-RESTAPI/releases lists which one goes with which pfSense
      (Unreadable, may have changed: false)
    ");
    let script = Script::new([ok(json!({"current_version": "v2.4.3"}))]);
    assert_eq!(snapshot::version(&script.client()).await.unwrap().to_string(), "v2.4.3");
}
