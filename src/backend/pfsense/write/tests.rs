//! Batches against scripted answers: what is asked in which order, and what is made of whatever comes back.

use serde_json::{Value as Json, json};

use crate::backend::pfsense::checks::{self, Verdict};
use crate::backend::pfsense::script::{
    P0, P1, P2, PRESHARED, PRIVATE, Say, Script, no, ok, peer, recorded, tunnel, with,
};
use crate::backend::pfsense::write::{carry_out, enable_service};
use crate::backend::{Act, BackendError, Batch, Operation, Outcome, Stop, Surroundings};
use crate::resource::{Field, Fields, Setting, Settings};
use crate::value::{PrivateKey, PublicKey};

const TUN: &str = "tun_wg0";

fn key(text: &str) -> PublicKey {
    text.parse().unwrap()
}

fn private() -> PrivateKey {
    PRIVATE.parse().unwrap()
}

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

fn prefixes(all: &[&str]) -> Field {
    Field::Prefixes(all.iter().map(|it| it.parse().unwrap()).collect())
}

fn addresses(all: &[&str]) -> Field {
    Field::Addresses(all.iter().map(|it| it.parse().unwrap()).collect())
}

fn create_peer(key: &str, last: u8) -> Act {
    let fields = Fields::from([
        ("name", text("p")),
        ("enabled", Field::Bool(true)),
        ("allowed_ips", prefixes(&[&format!("10.66.0.{last}/32")])),
    ]);
    Act::CreatePeer { interface: TUN.to_owned(), public_key: self::key(key), fields }
}

fn update_peer(key: &str, settings: &[(&'static str, Setting)]) -> Act {
    let settings: Settings = settings.iter().cloned().collect();
    let wanted = Fields::from([("name", text("p1")), ("description", text(""))]);
    Act::UpdatePeer { interface: TUN.to_owned(), public_key: self::key(key), settings, wanted }
}

fn delete_peer(key: &str) -> Act {
    Act::DeletePeer { interface: TUN.to_owned(), public_key: self::key(key) }
}

fn create(fields: &[(&'static str, Field)]) -> Act {
    Act::CreateInterface {
        name: TUN.to_owned(),
        private_key: Some(private()),
        key_file: None,
        fields: fields.iter().cloned().collect(),
        around: Surroundings::default(),
    }
}

fn update(settings: &[(&'static str, Setting)], wanted: &[(&'static str, Field)]) -> Act {
    Act::UpdateInterface {
        name: TUN.to_owned(),
        rename: None,
        private_key: None,
        key_file: None,
        remove_key_file: None,
        settings: settings.iter().cloned().collect(),
        wanted: wanted.iter().cloned().collect(),
        around: Surroundings::default(),
    }
}

fn delete() -> Act {
    Act::DeleteInterface {
        name: TUN.to_owned(),
        remove_key_file: None,
        remove_boot_files: [].into(),
        around: Surroundings::default(),
    }
}

/// Runs operations that depend on nothing, and says how each ended and what was asked.
async fn run(script: &Script, acts: Vec<Act>) -> (String, String) {
    let operations = acts.into_iter().map(|act| Operation { after: Vec::new(), act }).collect();
    let mut ends = Vec::new();
    let mut landed = |index: usize, outcome: Outcome| ends.push((index, said(&outcome)));
    carry_out(&script.client(), Batch { operations }, Stop::default(), &mut landed).await;
    let ends = ends.iter().map(|(index, said)| format!("{index}: {said}")).collect::<Vec<_>>();
    (ends.join("\n"), script.asked())
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(fields) if fields.is_empty() => "done".to_owned(),
        Outcome::Done(fields) => format!("done {fields:?}"),
        Outcome::Failed(BackendError { reason, hints, .. }) => {
            format!("failed: {reason} / {}", hints.join(" / "))
        }
        Outcome::Skipped(missing) => format!("skipped after {missing}"),
        Outcome::NotStarted => "not started".to_owned(),
    }
}

/// What is asked and answered when a batch ends: the apply, and the look at what is there.
fn ending(tunnels: Json, peers: Json) -> Vec<Say> {
    let live: Vec<_> = tunnels
        .as_array()
        .unwrap()
        .iter()
        .map(|tunnel| {
            let on = |it: &&Json| it["tun"] == tunnel["name"] && it["enabled"] == true;
            let on = peers.as_array().unwrap().iter().filter(on);
            let on: Vec<_> = on.map(|it| json!({"public_key": it["publickey"]})).collect();
            json!({
                "name": tunnel["name"], "status": "up", "public_key": tunnel["publickey"],
                "listen_port": tunnel["listenport"], "peers": on,
            })
        })
        .collect();
    let mut all = vec![recorded("232"), recorded("231"), recorded("233")];
    all.extend([ok(tunnels), ok(peers), recorded("229"), ok(json!(live))]);
    all
}

const ENDING: &str = "
POST vpn/wireguard/apply {}
GET vpn/wireguard/apply
GET vpn/wireguard/apply
GET vpn/wireguard/tunnels
GET vpn/wireguard/peers
GET vpn/wireguard/settings
GET status/wireguard/tunnels";

fn hub() -> Json {
    tunnel(0, TUN, json!(null))
}

#[tokio::test]
async fn new_peers_are_one_request_each_and_one_apply() {
    let peers = [peer(0, P0, "p", 2), peer(1, P1, "p", 3), peer(2, P2, "p", 4)];
    let mut answers = vec![recorded("008"), ok(peers[0].clone()), ok(json!([peers[0]]))];
    answers.extend(peers[1..].iter().map(|it| ok(it.clone())));
    answers.extend(ending(json!([hub()]), json!(peers)));
    let script = Script::new(answers);
    let acts = vec![create_peer(P0, 2), create_peer(P1, 3), create_peer(P2, 4)];
    let (ends, asked) = run(&script, acts).await;
    assert_eq!(ends, "0: done\n1: done\n2: done");
    let body = |key: &str, last| {
        format!(
            "POST vpn/wireguard/peer {{\"allowedips\":[{{\"address\":\"10.66.0.{last}\",\"descr\":\"\",\"mask\":32}}],\"descr\":\"p\",\"enabled\":true,\"publickey\":\"{key}\",\"tun\":\"tun_wg0\"}}"
        )
    };
    let looked = format!("GET vpn/wireguard/peers?publickey={}", P0.replace('=', "%3D"));
    let expected =
        ["GET system/restapi/version", &body(P0, 2), &looked, &body(P1, 3), &body(P2, 4)];
    assert_eq!(asked, format!("{}{ENDING}", expected.join("\n")));
}

#[tokio::test]
async fn a_change_is_looked_up_and_names_its_peer_and_only_what_changed() {
    let before = with(&peer(2, P1, "p1", 3), json!({"endpoint": "198.51.100.7", "port": "51820"}));
    let entries = json!([{"address": "10.66.0.3", "mask": 32, "descr": "inner"}]);
    let before = with(&before, json!({"allowedips": entries}));
    let entries = json!([{"address": "10.66.0.3", "mask": 32, "descr": "inner"}, {"address": "10.9.0.0", "mask": 24, "descr": ""}]);
    let after = with(&before, json!({"allowedips": entries, "persistentkeepalive": 25}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([before])),
        ok(after.clone()),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([hub()]), json!([after])));
    let script = Script::new(answers);
    let settings = [
        ("allowed_ips", Setting::To(prefixes(&["10.66.0.3/32", "10.9.0.0/24"]))),
        ("persistent_keepalive", Setting::To(Field::Keepalive("25s".parse().unwrap()))),
    ];
    let (ends, asked) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(ends, "0: done");
    let lines: Vec<_> = asked.lines().collect();
    // The list for the way back, the look, the change.
    assert_eq!(
        lines[1..3],
        [
            "GET vpn/wireguard/peers",
            "GET vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D"
        ]
    );
    assert_eq!(
        lines[3],
        format!(
            r#"PATCH vpn/wireguard/peer {{"allowedips":[{{"address":"10.66.0.3","descr":"inner","mask":32}},{{"address":"10.9.0.0","descr":"","mask":24}}],"id":2,"persistentkeepalive":25,"publickey":"{P1}"}}"#
        )
    );
}

#[tokio::test]
async fn what_is_so_already_is_not_sent() {
    let there = with(
        &peer(2, P1, "p1", 3),
        json!({"allowedips": [{"address": "10.66.0.99", "mask": 24, "descr": "x"}]}),
    );
    let script = Script::new([
        recorded("008"),
        ok(json!([there])),
        ok(json!([there])),
        ok(json!([hub()])),
        ok(json!([there])),
        recorded("014"),
    ]);
    let settings = [
        ("allowed_ips", Setting::To(prefixes(&["10.66.0.0/24"]))),
        ("name", Setting::To(text("p1"))),
    ];
    let (ends, asked) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(ends, "0: done");
    assert!(!asked.contains("PATCH") && !asked.contains("POST"), "{asked}");
}

#[tokio::test]
async fn an_endpoint_goes_apart_and_comes_with_its_port() {
    let fields = Fields::from([
        ("name", text("p")),
        ("description", text("a laptop")),
        ("endpoint", Field::Endpoint("[2001:db8::1]:7".parse().unwrap())),
        ("preshared_key", Field::PresharedKey(Some(PRESHARED.parse().unwrap()))),
        ("allowed_ips", prefixes(&[])),
    ]);
    let act = Act::CreatePeer { interface: TUN.to_owned(), public_key: key(P0), fields };
    let echo = with(
        &peer(0, P0, "p: a laptop", 2),
        json!({"endpoint": "2001:DB8:0::1", "port": "7", "allowedips": []}),
    );
    let mut answers = vec![recorded("008"), ok(echo.clone()), ok(json!([echo]))];
    answers.extend(ending(json!([hub()]), json!([echo])));
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![act]).await;
    assert_eq!(ends, "0: done");
    assert_eq!(
        asked.lines().nth(1).unwrap(),
        format!(
            r#"POST vpn/wireguard/peer {{"descr":"p: a laptop","enabled":true,"endpoint":"2001:db8::1","port":"7","publickey":"{P0}","tun":"tun_wg0","presharedkey":"{PRESHARED}"}}"#
        )
    );
}

#[tokio::test]
async fn an_endpoint_is_removed_without_a_port() {
    let before = with(&peer(0, P1, "p1", 3), json!({"endpoint": "198.51.100.7", "port": "51820"}));
    let after = peer(0, P1, "p1", 3);
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([before])),
        ok(after.clone()),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([hub()]), json!([after])));
    let script = Script::new(answers);
    let settings = [("endpoint", Setting::Clear), ("preshared_key", Setting::Clear)];
    let (ends, asked) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(ends, "0: done");
    assert!(asked.contains(&format!(r#"PATCH vpn/wireguard/peer {{"endpoint":null,"id":0,"publickey":"{P1}","presharedkey":""}}"#)), "{asked}");
}

#[tokio::test]
async fn what_does_not_fit_is_said_before_anything_is_sent() {
    let endpoint = |text: &str| Setting::To(Field::Endpoint(text.parse().unwrap()));
    let there = ok(json!([peer(0, P1, "p1", 3)]));
    for (settings, why) in [
        (
            ("endpoint", endpoint("vpnhost:51820")),
            "`endpoint` cannot be written like this on a firewall / a firewall takes a host name only with a dot in it, or an address",
        ),
        (
            ("name", Setting::To(text("a: b"))),
            "`name` cannot be written like this on a firewall / on a firewall `: ` stands between the name of a peer and its description: write it otherwise",
        ),
        (
            ("description", Setting::To(text(&"x".repeat(1021)))),
            "`description` cannot be written like this on a firewall / a firewall takes 1024 characters, the name of a peer among them",
        ),
        (
            ("fwmark", Setting::To(Field::Number(1))),
            "`fwmark` cannot be written like this on a firewall / see in docs/pfsense.md what a firewall has",
        ),
    ] {
        let script = Script::new([recorded("008"), there.clone(), there.clone()]);
        let (ends, asked) = run(&script, vec![update_peer(P1, &[settings])]).await;
        assert_eq!(ends, format!("0: failed: {why}"));
        assert_eq!(asked.lines().count(), 3);
    }
    let script = Script::new([recorded("008")]);
    let rename = Act::UpdateInterface {
        name: TUN.to_owned(),
        rename: Some("tun_wg1".to_owned()),
        private_key: None,
        key_file: None,
        remove_key_file: None,
        settings: Settings::new(),
        wanted: Fields::new(),
        around: Surroundings::default(),
    };
    let (ends, _) = run(&script, vec![rename]).await;
    assert!(ends.starts_with("0: failed: `name` cannot be written"), "{ends}");
}

#[tokio::test]
async fn a_shifted_place_is_looked_up_again() {
    let (there, moved) = (peer(1, P1, "p1", 3), peer(2, P1, "p1", 3));
    let after = with(&moved, json!({"descr": "new"}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([there])),
        ok(json!([there])),
        recorded("400"),
        ok(json!([moved])),
        ok(after.clone()),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([hub()]), json!([after])));
    let script = Script::new(answers);
    let (ends, asked) =
        run(&script, vec![update_peer(P1, &[("name", Setting::To(text("new")))])]).await;
    assert_eq!(ends, "0: done");
    let ids: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    assert!(ids[0].contains("\"id\":1,") && ids[1].contains("\"id\":2,"), "{ids:?}");
}

#[tokio::test]
async fn a_stranger_that_was_hit_gets_back_what_it_had() {
    // p1 is removed between the look and the change, and p2 is in its place, and loses its key.
    let (p1, p2) = (peer(1, P1, "p1", 3), peer(2, P2, "p2", 4));
    let list = json!([peer(0, P0, "p0", 2), p1, p2]);
    let back = with(&p2, json!({"id": 1}));
    let settings = [("name", Setting::To(text("meant for p1")))];
    let mut answers = vec![
        recorded("008"),
        ok(list),
        ok(json!([p1])),
        recorded("403"),
        recorded("404"),
        ok(back.clone()),
    ];
    // Nothing is left to be looked at, but what was done has to be applied.
    answers.extend([recorded("232"), recorded("233")]);
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(
        ends,
        "0: failed: it was removed in between, and the change hit peer `HIgo…` on `tun_wg0` in its place; that was undone / plan again"
    );
    let lines: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    assert_eq!(
        lines[1],
        format!(r#"PATCH vpn/wireguard/peer {{"descr":"p2","id":1,"publickey":"{P2}"}}"#)
    );
    // What cannot be undone is cried out.
    let list = json!([p1, p2]);
    let script = Script::new([
        recorded("008"),
        ok(list),
        ok(json!([p1])),
        recorded("403"),
        recorded("404"),
        recorded("402"),
        recorded("232"),
        recorded("233"),
    ]);
    let (ends, _) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(
        ends,
        "0: failed: it was removed in between, and the change hit peer `HIgo…` on `tun_wg0` in its place, which could not be undone / take that peer from `Diagnostics > Backup & Restore > Config History` at once"
    );
}

#[tokio::test]
async fn somebody_elses_change_of_our_own_peer_is_no_stranger() {
    let before = peer(1, P1, "p1", 3);
    let echo = with(&before, json!({"descr": "p1 new", "persistentkeepalive": 25}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([before])),
        ok(echo.clone()),
        ok(json!([echo])),
        ok(json!([echo])),
    ];
    answers.extend(ending(json!([hub()]), json!([echo])));
    let script = Script::new(answers);
    let (ends, asked) =
        run(&script, vec![update_peer(P1, &[("name", Setting::To(text("p1 new")))])]).await;
    assert_eq!(ends, "0: done");
    assert_eq!(asked.matches("PATCH").count(), 1);
}

#[tokio::test]
async fn a_peer_that_may_have_been_hit_unseen_is_said() {
    // Both are alike in everything that is not sent.
    let (p1, p2) = (peer(1, P1, "", 3), peer(2, P2, "", 4));
    let after =
        with(&p1, json!({"allowedips": [{"address": "10.66.0.9", "mask": 32, "descr": ""}]}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([p1, p2])),
        ok(json!([p1])),
        ok(after.clone()),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([hub()]), json!([after])));
    let script = Script::new(answers);
    let (ends, _) = run(
        &script,
        vec![update_peer(P1, &[("allowed_ips", Setting::To(prefixes(&["10.66.0.9/32"])))])],
    )
    .await;
    assert!(ends.starts_with("0: failed: peer `HIgo…` on `tun_wg0` is gone since"), "{ends}");
}

#[tokio::test]
async fn a_peer_is_removed_by_its_key_after_the_same_was_read() {
    let mut answers = vec![recorded("008"), recorded("420"), recorded("421"), ok(json!([]))];
    answers.extend(ending(json!([hub()]), json!([])));
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![delete_peer(P1)]).await;
    assert_eq!(ends, "0: done");
    let same = "vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D";
    let lines: Vec<_> = asked.lines().collect();
    assert_eq!(lines[1..3], [format!("GET {same}"), format!("DELETE {same}")]);
    // One that is gone, or on another tunnel, is left alone.
    for there in [json!([]), json!([with(&peer(1, P1, "", 3), json!({"tun": "tun_wg7"}))])] {
        let script = Script::new([
            recorded("008"),
            ok(there.clone()),
            ok(json!([hub()])),
            ok(there),
            recorded("014"),
        ]);
        let (ends, asked) = run(&script, vec![delete_peer(P1)]).await;
        assert_eq!(ends, "0: done");
        assert!(!asked.contains("DELETE"), "{asked}");
    }
}

#[tokio::test]
async fn nothing_is_removed_where_the_filter_picks_more() {
    for more in [json!([peer(0, P0, "", 2), peer(1, P1, "", 3)]), json!([peer(0, P0, "", 2)])] {
        let script = Script::new([recorded("008"), ok(more)]);
        let (ends, asked) = run(&script, vec![delete_peer(P1)]).await;
        assert!(
            ends.starts_with(
                "0: failed: it gives other objects than the one that it was asked for"
            ),
            "{ends}"
        );
        assert!(!asked.contains("DELETE"), "{asked}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_decided_by_what_is_there() {
    let there = peer(0, P0, "p", 2);
    // Made, and the answer lost.
    let mut answers = vec![
        recorded("008"),
        Say::Nothing,
        ok(json!([there])),
        ok(json!([there])),
        ok(json!([there])),
    ];
    answers.extend(ending(json!([hub()]), json!([there])));
    let script = Script::new(answers);
    let with_key = Fields::from([
        ("name", text("p")),
        ("enabled", Field::Bool(true)),
        ("preshared_key", Field::PresharedKey(Some(PRESHARED.parse().unwrap()))),
        ("allowed_ips", prefixes(&["10.66.0.2/32"])),
    ]);
    let act = Act::CreatePeer { interface: TUN.to_owned(), public_key: key(P0), fields: with_key };
    let (ends, asked) = run(&script, vec![act.clone()]).await;
    assert_eq!(ends, "0: done");
    // Whether it has the key is asked by a filter, in a body.
    assert_eq!(
        asked.lines().nth(3).unwrap(),
        format!(r#"GET vpn/wireguard/peers {{"publickey":"{P0}","presharedkey":"{PRESHARED}"}}"#)
    );
    assert_eq!(asked.matches("POST vpn/wireguard/peer ").count(), 1);
    // Not made, or without its key: never sent twice.
    for (looked, proven) in [(json!([]), None), (json!([there]), Some(json!([])))] {
        let answers = [recorded("008"), Say::Nothing, ok(looked)].into_iter();
        let script =
            Script::new(answers.chain(proven.map(ok)).chain([recorded("232"), recorded("233")]));
        let (ends, asked) = run(&script, vec![act.clone()]).await;
        assert!(
            ends.starts_with("0: failed: the connection ended before the answer did"),
            "{ends}"
        );
        assert_eq!(asked.matches("POST vpn/wireguard/peer ").count(), 1);
    }
}

#[tokio::test]
async fn a_peer_that_is_there_already_is_not_taken() {
    let script = Script::new([recorded("008"), recorded("400")]);
    let (ends, asked) = run(&script, vec![create_peer(P0, 2)]).await;
    assert_eq!(
        ends,
        "0: failed: a peer with that key is there already / import it, or remove it on the firewall; a firewall has a key on one tunnel only"
    );
    assert_eq!(asked.lines().count(), 2);
}

#[tokio::test]
async fn who_may_not_write_is_found_out_at_once() {
    let script = Script::new([recorded("008"), ok(peer(0, P0, "p", 2)), ok(json!([]))]);
    let (ends, _) = run(&script, vec![create_peer(P0, 2), create_peer(P1, 3)]).await;
    let why = "failed: the firewall says that it is done, and stores nothing / take `User - Config: Deny Config Write` from the user, in `System > User Manager`";
    assert_eq!(ends, format!("0: {why}\n1: {why}"));
}

#[tokio::test]
async fn a_wrong_key_is_tried_once() {
    let script = Script::new([recorded("008"), recorded("001")]);
    let (ends, asked) = run(&script, vec![create_peer(P0, 2), create_peer(P1, 3)]).await;
    assert_eq!(ends.matches("the firewall does not accept the key (401)").count(), 2);
    assert_eq!(asked.lines().count(), 2);
}

#[tokio::test]
async fn what_follows_a_failure_is_skipped_and_the_rest_is_applied() {
    let there = peer(0, P1, "p", 3);
    let mut answers = vec![recorded("008"), recorded("400"), ok(there.clone()), ok(json!([there]))];
    answers.extend(ending(json!([hub()]), json!([there])));
    let script = Script::new(answers);
    let operations = vec![
        Operation { after: vec![], act: create_peer(P0, 2) },
        Operation { after: vec![0], act: create_peer(P2, 4) },
        Operation { after: vec![], act: create_peer(P1, 3) },
    ];
    let mut ends = Vec::new();
    let mut landed = |index: usize, outcome: Outcome| ends.push((index, said(&outcome)));
    carry_out(&script.client(), Batch { operations }, Stop::default(), &mut landed).await;
    assert_eq!(ends[1..], [(1, "skipped after 0".to_owned()), (2, "done".to_owned())]);
    let stop = Stop::default();
    stop.raise();
    let mut ends = Vec::new();
    let mut landed = |index: usize, outcome: Outcome| ends.push((index, said(&outcome)));
    let operations = vec![Operation { after: vec![], act: create_peer(P0, 2) }];
    carry_out(&script.client(), Batch { operations }, stop, &mut landed).await;
    assert_eq!(ends, [(0, "not started".to_owned())]);
}

#[tokio::test]
async fn an_apply_that_does_not_end_fails_what_waited_for_it() {
    let there = peer(0, P0, "p", 2);
    let pending = recorded("231");
    let script = Script::new([
        recorded("008"),
        ok(there.clone()),
        ok(json!([there])),
        recorded("232"),
        pending.clone(),
        pending.clone(),
        pending,
    ]);
    let (ends, _) = run(&script, vec![create_peer(P0, 2)]).await;
    assert_eq!(
        ends,
        "0: failed: it is stored, and could not apply the changes: the firewall does not come to an end with it / apply them in `VPN > WireGuard`, and see `Status > System Logs` for why it failed"
    );
    let script =
        Script::new([recorded("008"), ok(there.clone()), ok(json!([there])), recorded("268")]);
    let (ends, _) = run(&script, vec![create_peer(P0, 2)]).await;
    assert_eq!(
        ends,
        "0: failed: it is stored, and could not apply the changes: too many changes wait to be applied (503) / try again in 300 s"
    );
}

#[tokio::test]
async fn an_apply_that_says_yes_is_not_believed() {
    let there = peer(0, P0, "p", 2);
    let answers = |live: Json| {
        let mut answers = vec![
            recorded("008"),
            ok(there.clone()),
            ok(json!([there])),
            recorded("232"),
            recorded("233"),
            ok(json!([hub()])),
            ok(json!([there])),
            recorded("229"),
        ];
        answers.extend(vec![ok(live); 3]);
        answers
    };
    let up = json!({"name": TUN, "status": "up", "public_key": hub()["publickey"], "listen_port": "51820", "peers": []});
    let (ends, _) = run(&Script::new(answers(json!([up]))), vec![create_peer(P0, 2)]).await;
    assert_eq!(
        ends,
        "0: failed: it is stored, and the kernel does not have the peer / see whether a peer of the tunnel has something else in the place of its key, and `Status > System Logs`"
    );
    // What changed in the store after it was written is said first.
    let other = with(&there, json!({"descr": "other"}));
    let answers = vec![
        recorded("008"),
        ok(there.clone()),
        ok(json!([there])),
        recorded("232"),
        recorded("233"),
        ok(json!([hub()])),
        ok(json!([other])),
        recorded("014"),
    ];
    let (ends, _) = run(&Script::new(answers), vec![create_peer(P0, 2)]).await;
    assert!(ends.starts_with("0: failed: `description` is not what was written"), "{ends}");
}

#[tokio::test]
async fn a_peer_that_went_to_another_tunnel_is_applied_twice() {
    let there = with(&peer(0, P1, "p", 3), json!({"tun": "tun_wg1"}));
    let other = with(&tunnel(1, "tun_wg1", json!(null)), json!({}));
    let mut answers =
        vec![recorded("008"), recorded("420"), recorded("421"), ok(json!([])), ok(there.clone())];
    answers.extend([recorded("232"), recorded("233")]);
    answers.extend(ending(json!([hub(), other]), json!([there])));
    let script = Script::new(answers);
    let fields = Fields::from([("name", text("p")), ("allowed_ips", prefixes(&["10.66.0.3/32"]))]);
    let act = Act::CreatePeer { interface: "tun_wg1".to_owned(), public_key: key(P1), fields };
    let (ends, asked) = run(&script, vec![delete_peer(P1), act]).await;
    assert_eq!(ends, "0: done\n1: done");
    assert_eq!(asked.matches("POST vpn/wireguard/apply").count(), 2);
}

#[tokio::test]
async fn a_tunnel_is_made_with_its_name_and_a_free_port() {
    let other = tunnel(0, "tun_wg7", json!(null));
    let made = with(
        &tunnel(1, TUN, json!([{"address": "10.66.0.1", "mask": 24, "descr": ""}])),
        json!({"descr": ""}),
    );
    let mut answers = vec![
        recorded("008"),
        ok(json!([other])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([made])),
    ];
    answers.extend(ending(json!([other, made]), json!([])));
    let script = Script::new(answers);
    let act =
        create(&[("addresses", addresses(&["10.66.0.1/24"])), ("enabled", Field::Bool(true))]);
    let (ends, asked) = run(&script, vec![act]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51821)}"#);
    insta::assert_snapshot!(asked.lines().take(5).collect::<Vec<_>>().join("\n"), @r#"
    GET system/restapi/version
    GET vpn/wireguard/tunnels
    GET vpn/wireguard/peers?tun=tun_wg0
    POST vpn/wireguard/tunnel {"addresses":[{"address":"10.66.0.1","descr":"","mask":24}],"descr":"","enabled":true,"listenport":"51821","mtu":1420,"name":"tun_wg0","privatekey":"YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}
    GET vpn/wireguard/tunnels?name=tun_wg0
    "#);
}

#[tokio::test]
async fn a_tunnel_does_not_take_on_orphans_nor_a_name_that_is_taken() {
    let script = Script::new([recorded("008"), ok(json!([])), recorded("483")]);
    let (ends, asked) = run(&script, vec![create(&[])]).await;
    assert!(
        ends.starts_with("0: failed: peers of a tunnel that is gone still point to that name"),
        "{ends}"
    );
    assert!(!asked.contains("POST"), "{asked}");
    let script = Script::new([recorded("008"), ok(json!([hub()]))]);
    let (ends, asked) = run(&script, vec![create(&[])]).await;
    assert_eq!(
        ends,
        "0: failed: a tunnel of that name is there already / import it, or plan again for another name"
    );
    assert!(!asked.contains("POST"), "{asked}");
    // A port that somebody took since is chosen anew.
    let other = tunnel(0, "tun_wg7", json!(null));
    let made = with(&tunnel(1, TUN, json!(null)), json!({"descr": ""}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        recorded("049"),
        ok(json!([other])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([made])),
    ];
    answers.extend(ending(json!([other, made]), json!([])));
    let (ends, _) = run(&Script::new(answers), vec![create(&[])]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51821)}"#);
}

#[tokio::test]
async fn a_tunnel_is_changed_under_its_name_and_keeps_what_is_beside_its_addresses() {
    let held = json!([{"address": "10.66.0.1", "mask": 24, "descr": "v4"}, {"address": "10.66.1.1", "mask": 24, "descr": "old"}]);
    let before = tunnel(3, TUN, held);
    let after = with(
        &before,
        json!({"addresses": [{"address": "10.66.0.1", "mask": 24, "descr": "v4"}, {"address": "fd00::1", "mask": 64, "descr": ""}]}),
    );
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([])),
        recorded("406"),
        ok(json!([with(&before, json!({"id": 2}))])),
        ok(json!([])),
        ok(with(&after, json!({"id": 2}))),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([after]), json!([])));
    let script = Script::new(answers);
    let elements = Setting::Elements {
        add: ["fd00::1/64".parse().unwrap()].into(),
        remove: ["10.66.1.1/24".parse().unwrap()].into(),
    };
    let (ends, asked) = run(&script, vec![update(&[("addresses", elements)], &[])]).await;
    assert_eq!(ends, "0: done");
    let sent: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    let body = |id| {
        format!(
            r#"PATCH vpn/wireguard/tunnel {{"addresses":[{{"address":"10.66.0.1","descr":"v4","mask":24}},{{"address":"fd00::1","descr":"","mask":64}}],"id":{id},"name":"tun_wg0"}}"#
        )
    };
    assert_eq!(sent, [body(3), body(2)]);
}

#[tokio::test]
async fn an_assigned_tunnel_does_not_lose_its_addresses_unnoticed() {
    let held = json!([{"address": "10.66.0.1", "mask": 24, "descr": ""}]);
    let before = tunnel(0, TUN, held);
    let settings = [("description", Setting::To(text("x")))];
    let script = Script::new([recorded("008"), ok(json!([before])), recorded("293")]);
    let (ends, asked) = run(&script, vec![update(&settings, &[])]).await;
    assert!(
        ends.starts_with(
            "0: failed: the tunnel is assigned to `WGIF`, and any change of it would take away"
        ),
        "{ends}"
    );
    assert!(!asked.contains("PATCH"), "{asked}");
    // Who may not see interfaces sees it in the answer.
    let script = Script::new([
        recorded("008"),
        ok(json!([before])),
        recorded("005"),
        recorded("257"),
        recorded("232"),
        recorded("233"),
    ]);
    let (ends, _) = run(&script, vec![update(&settings, &[])]).await;
    assert!(
        ends.starts_with("0: failed: the firewall took away the addresses of the tunnel"),
        "{ends}"
    );
    // It does not take any of its own either.
    let script = Script::new([recorded("008"), ok(json!([hub()])), recorded("293")]);
    let settings = [("addresses", Setting::To(addresses(&["10.66.0.1/24"])))];
    let (ends, asked) = run(&script, vec![update(&settings, &[])]).await;
    assert!(ends.starts_with("0: failed: `addresses` cannot be written like this on a firewall / the tunnel is assigned"), "{ends}");
    assert!(!asked.contains("PATCH"), "{asked}");
}

#[tokio::test]
async fn a_tunnel_goes_after_its_interface_and_its_peers() {
    let clean = recorded("471");
    let stray = with(&peer(0, "this is no key", "", 9), json!({}));
    let p1 = peer(1, P1, "p1", 3);
    let answers = vec![
        recorded("008"),
        ok(json!([hub()])),
        // The interface.
        recorded("293"),
        recorded("293"),
        clean.clone(),
        clean.clone(),
        recorded("470"),
        recorded("523"),
        // The peers: by their key, and by their place where there is none.
        ok(json!([stray, p1])),
        ok(json!([p1])),
        ok(json!([p1])),
        ok(json!([stray])),
        ok(stray.clone()),
        ok(json!([])),
        // The tunnel.
        ok(json!([hub()])),
        ok(hub()),
        ok(json!([])),
    ];
    let script = Script::new(answers.into_iter().chain(ending(json!([]), json!([]))));
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert_eq!(ends, "0: done");
    insta::assert_snapshot!(asked.lines().take(17).collect::<Vec<_>>().join("\n"), @r#"
    GET system/restapi/version
    GET vpn/wireguard/tunnels?name=tun_wg0
    GET interfaces?if=tun_wg0
    GET interfaces
    GET interface/apply
    GET interface/apply
    DELETE interface?id=opt1
    POST interface/apply {"async":false}
    GET vpn/wireguard/peers?tun=tun_wg0
    GET vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
    DELETE vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
    GET vpn/wireguard/peers?tun=tun_wg0
    DELETE vpn/wireguard/peer?id=0
    GET vpn/wireguard/peers?tun=tun_wg0
    GET vpn/wireguard/tunnels?name=tun_wg0
    DELETE vpn/wireguard/tunnel?id=0
    GET vpn/wireguard/tunnels?name=tun_wg0
    "#);
}

#[tokio::test]
async fn another_tunnel_that_was_removed_is_made_again_where_its_key_is_shown() {
    let other = with(&tunnel(0, "tun_wg7", json!(null)), json!({"privatekey": PRIVATE}));
    let start = [
        recorded("008"),
        ok(json!([hub()])),
        ok(json!([])),
        ok(json!([])),
        ok(json!([])),
        ok(json!([hub()])),
    ];
    let again = [ok(other.clone()), ok(other.clone()), recorded("232"), recorded("233")];
    let script = Script::new(start.clone().into_iter().chain(again));
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert_eq!(
        ends,
        "0: failed: somebody changed the list in between, and `tun_wg7` was removed; it was made again / plan again"
    );
    assert!(asked.contains("POST vpn/wireguard/tunnel {\"addresses\":[],\"descr\":\"hub\",\"enabled\":true,\"listenport\":\"51820\",\"mtu\":1420,\"name\":\"tun_wg7\""), "{asked}");
    let hidden = tunnel(0, "tun_wg7", json!(null));
    let script =
        Script::new(start.into_iter().chain([ok(hidden), recorded("232"), recorded("233")]));
    let (ends, _) = run(&script, vec![delete()]).await;
    assert!(ends.contains("Config History` at once: its key is not shown"), "{ends}");
}

fn assign() -> [(&'static str, Field); 3] {
    [
        ("assign_descr", text("WGIF")),
        ("assign_addresses", addresses(&["10.66.0.1/24"])),
        ("assign_mtu", Field::Number(1380)),
    ]
}

#[tokio::test]
async fn a_tunnel_is_in_the_kernel_before_it_is_assigned() {
    let made = with(&hub(), json!({"descr": ""}));
    let lan = json!([{"id": "lan", "if": "em1", "descr": "LAN"}]);
    let clean = recorded("471");
    let answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        ok(made.clone()),
        ok(lan),
        clean.clone(),
        recorded("229"),
        recorded("232"),
        recorded("233"),
        recorded("292"),
        clean,
        ok(json!([made])),
    ];
    let script = Script::new(answers.into_iter().chain(ending(json!([made]), json!([]))));
    let (ends, asked) = run(&script, vec![create(&assign())]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51820)}"#);
    insta::assert_snapshot!(asked.lines().skip(4).take(8).collect::<Vec<_>>().join("\n"), @r#"
    GET interfaces
    GET interface/apply
    GET vpn/wireguard/settings
    POST vpn/wireguard/apply {}
    GET vpn/wireguard/apply
    POST interface {"apply":true,"async":false,"descr":"WGIF","enable":true,"if":"tun_wg0","ipaddr":"10.66.0.1","mtu":1380,"subnet":24,"typev4":"static"}
    GET interface/apply
    GET vpn/wireguard/tunnels?name=tun_wg0
    "#);
}

#[tokio::test]
async fn a_tunnel_that_cannot_be_assigned_is_not_left_half_made() {
    let made = with(&hub(), json!({"descr": ""}));
    let answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([])),
        recorded("471"),
        recorded("014"),
        // It is ours, so that it goes again.
        ok(json!([made])),
        ok(json!([made])),
        ok(json!([])),
        ok(json!([])),
        ok(json!([])),
        ok(json!([made])),
        ok(made.clone()),
        recorded("232"),
        recorded("233"),
    ];
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![create(&assign())]).await;
    assert!(
        ends.starts_with(
            "0: failed: WireGuard is switched off, and what is not in the kernel cannot be assigned"
        ),
        "{ends}"
    );
    assert!(asked.contains("DELETE vpn/wireguard/tunnel?id=0"), "{asked}");
}

#[tokio::test]
async fn changes_of_other_interfaces_are_not_applied_along() {
    let ports = json!([{"id": "opt1", "if": "tun_wg0", "descr": "WGIF"}, {"id": "opt2", "if": "em2", "descr": "DMZ"}]);
    let waits = |id: &str| ok(json!({"applied": false, "pending_interfaces": [id]}));
    let release: [(_, Setting); 1] = [("assign_descr", Setting::Clear)];
    let script = Script::new([recorded("008"), recorded("293"), ok(ports.clone()), waits("opt2")]);
    let (ends, asked) = run(&script, vec![update(&release, &[])]).await;
    assert!(ends.starts_with("0: failed: changes of `DMZ` wait to be applied"), "{ends}");
    assert!(!asked.contains("DELETE"), "{asked}");
    // One of its own is applied before it goes, or it would hold up every other for good.
    let answers = [
        recorded("008"),
        recorded("293"),
        ok(ports),
        waits("opt1"),
        waits("opt1"),
        recorded("293"),
        recorded("470"),
        recorded("523"),
        ok(json!([hub()])),
    ];
    let script =
        Script::new(answers.into_iter().chain([recorded("232"), recorded("233")]).chain([
            ok(json!([hub()])),
            ok(json!([])),
            recorded("014"),
        ]));
    let (_, asked) = run(&script, vec![update(&release, &[])]).await;
    let lines: Vec<_> = asked.lines().skip(5).take(3).collect();
    assert_eq!(
        lines,
        [
            r#"PATCH interface {"apply":true,"async":false,"id":"opt1"}"#,
            "DELETE interface?id=opt1",
            r#"POST interface/apply {"async":false}"#
        ]
    );
}

#[tokio::test]
async fn an_interface_takes_one_address_of_each_family() {
    for (fields, why) in [
        (
            [
                ("assign_descr", text("W")),
                ("assign_addresses", addresses(&["10.0.0.1/24", "10.0.1.1/24"])),
            ],
            "has one IPv4 and one IPv6 address at most",
        ),
        ([("assign_descr", text("W")), ("assign_mtu", Field::Number(1200))], "takes 1280 to 8192"),
        (
            [("assign_descr", text("W")), ("addresses", addresses(&["10.0.0.1/24"]))],
            "write them into `assign`",
        ),
    ] {
        let script = Script::new([recorded("008"), ok(json!([])), ok(json!([]))]);
        let (ends, asked) = run(&script, vec![create(&fields)]).await;
        assert!(ends.contains(why), "{ends}");
        assert!(!asked.contains("POST"), "{asked}");
    }
}

#[tokio::test]
async fn who_may_not_see_interfaces_removes_no_tunnel() {
    let script = Script::new([recorded("008"), ok(json!([hub()])), recorded("005")]);
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert!(ends.contains("give the user the privilege `api-v2-interfaces-get`"), "{ends}");
    assert!(!asked.contains("DELETE"), "{asked}");
}

#[tokio::test]
async fn the_service_is_switched_on_and_seen_to_be() {
    let script = Script::new([recorded("492"), recorded("229"), recorded("233")]);
    enable_service(&script.client()).await.unwrap();
    assert_eq!(
        script.asked().lines().next().unwrap(),
        r#"PATCH vpn/wireguard/settings {"apply":true,"async":false,"enable":true}"#
    );
    let script = Script::new([recorded("492"), recorded("014")]);
    let error = enable_service(&script.client()).await.unwrap_err();
    assert_eq!(error.reason, "the firewall says that it is done, and it is off");
}

#[tokio::test]
async fn a_dry_run_is_asked_of_whoever_has_one() {
    let batch = |acts: Vec<Act>| Batch {
        operations: acts.into_iter().map(|act| Operation { after: vec![], act }).collect(),
    };
    let old = Script::new([ok(json!({"current_version": "v2.7.7"}))]);
    let error = checks::dry_run(&old.client(), &batch(vec![create_peer(P0, 2)])).await.unwrap_err();
    assert_eq!(error.reason, "version v2.7.7 of its REST API package would carry it out");
    assert_eq!(old.log().len(), 1);
    let peers = json!([peer(0, P1, "p1", 3)]);
    let script = Script::new([
        recorded("008"),
        ok(json!([hub()])),
        ok(peers),
        recorded("105"),
        recorded("243"),
        recorded("258"),
        recorded("400"),
    ]);
    let elsewhere = Act::CreatePeer {
        interface: "tun_wg5".to_owned(),
        public_key: key(P2),
        fields: Fields::new(),
    };
    let acts = vec![
        create_peer(P0, 2),
        update_peer(P1, &[("name", Setting::To(text("new")))]),
        update(&[("addresses", Setting::To(addresses(&["192.168.1.5/24"])))], &[]),
        create_peer(P0, 2),
        elsewhere,
        delete_peer(P1),
    ];
    let verdicts = checks::dry_run(&script.client(), &batch(acts)).await.unwrap();
    let words: Vec<_> = verdicts
        .iter()
        .map(|it| match it {
            Verdict::Taken => "taken".to_owned(),
            Verdict::Refused(error) => format!("refused: {}", error.reason),
            Verdict::Unchecked(why) => format!("unchecked: {why}"),
        })
        .collect();
    insta::assert_snapshot!(words.join("\n"), @"
    taken
    taken
    refused: This tunnel`s `address` and `mask` is already in use on this system (409)
    unchecked: something has that value now that the same plan may change
    unchecked: its tunnel is made by the same plan
    unchecked: a firewall is asked for what is made or changed only
    ");
    let writes: Vec<_> = script.asked().lines().skip(3).map(str::to_owned).collect();
    assert!(writes.iter().all(|it| it.contains("\"dry_run\":true")), "{writes:?}");
    assert_eq!(writes.len(), 4);
}

#[tokio::test]
async fn a_preshared_key_is_compared_where_it_is_not_shown() {
    let script = Script::new([recorded("420"), ok(json!([]))]);
    let (client, secret) = (script.client(), PRESHARED.parse().unwrap());
    assert!(checks::holds_preshared_key(&client, key(P1), &secret).await.unwrap());
    assert!(!checks::holds_preshared_key(&client, key(P1), &secret).await.unwrap());
    assert!(script.log().iter().all(|it| !it.line.contains('?')));
}
