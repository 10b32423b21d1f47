//! Peers: one at a time, and never somebody else's.

use serde_json::json;

use crate::backend::pfsense::script::{
    P0, P1, P2, PRESHARED, Say, Script, no, ok, peer, recorded, tunnel, with,
};
use crate::backend::pfsense::write::tests::{
    TUN, create_peer, delete_peer, ending, hub, key, prefixes, run, text, update_peer,
};
use crate::backend::{Act, Surroundings};
use crate::resource::{Field, Fields, Setting, Settings};

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
    let act =
        Act::CreatePeer { interface: TUN.to_owned(), public_key: key(P0), replaces: None, fields };
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
        assert_eq!(ends, format!("0: untouched: {why}"));
        assert_eq!(asked.lines().count(), 3);
    }
    let script = Script::new([recorded("008")]);
    let rename = Act::UpdateInterface {
        name: TUN.to_owned(),
        rename: Some("tun_wg1".to_owned()),
        private_key: None,
        key_file: None,
        own_keys: Default::default(),
        settings: Settings::new(),
        wanted: Fields::new(),
        around: Surroundings::default(),
    };
    let (ends, _) = run(&script, vec![rename]).await;
    assert!(ends.starts_with("0: untouched: `name` cannot be written"), "{ends}");
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
        "0: failed: somebody changed the list in between, and the change hit peer `HIgo9xNz…` on `tun_wg0`; that was undone / plan again"
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
        no(400, "MODEL_REQUIRES_ID"),
        recorded("232"),
        recorded("233"),
    ]);
    let (ends, _) = run(&script, vec![update_peer(P1, &settings)]).await;
    assert_eq!(
        ends,
        "0: failed: somebody changed the list in between, and the change hit peer `HIgo9xNz…` on `tun_wg0`, which could not be undone / take that peer from `Diagnostics > Backup & Restore > Config History` at once"
    );
}

#[tokio::test]
async fn a_peer_that_is_not_as_it_was_right_before_may_be_a_new_one() {
    let before = peer(1, P1, "p1", 3);
    let echo = with(&before, json!({"descr": "p1 new", "persistentkeepalive": 25}));
    let answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([before])),
        ok(echo.clone()),
        ok(json!([echo])),
        recorded("232"),
        recorded("233"),
    ];
    let script = Script::new(answers);
    let (ends, asked) =
        run(&script, vec![update_peer(P1, &[("name", Setting::To(text("p1 new")))])]).await;
    assert_eq!(
        ends,
        "0: failed: it is not as it was right before: somebody changed it in between, or a new peer is in its place and has its key / plan again; if a peer is missing then, take it from `Diagnostics > Backup & Restore > Config History`"
    );
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
    assert!(ends.starts_with("0: failed: peer `HIgo9xNz…` on `tun_wg0` is gone since"), "{ends}");
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
                "0: untouched: it gives other objects than the one that it was asked for"
            ),
            "{ends}"
        );
        assert!(!asked.contains("DELETE"), "{asked}");
    }
}

#[tokio::test]
async fn a_peer_that_is_there_twice_is_left_alone() {
    let twice = json!([peer(0, P1, "a", 3), peer(1, P1, "b", 4)]);
    let script = Script::new([recorded("008"), ok(twice)]);
    let (ends, asked) = run(&script, vec![delete_peer(P1)]).await;
    assert!(ends.starts_with("0: untouched: it is there more than once"), "{ends}");
    assert!(!asked.contains("DELETE"), "{asked}");
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
    let act = Act::CreatePeer {
        interface: TUN.to_owned(),
        public_key: key(P0),
        replaces: None,
        fields: with_key,
    };
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
        "0: untouched: a peer with that key is there already / import it, or remove it on the firewall; a firewall has a key on one tunnel only"
    );
    assert_eq!(asked.lines().count(), 2);
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
    let act = Act::CreatePeer {
        interface: "tun_wg1".to_owned(),
        public_key: key(P1),
        replaces: None,
        fields,
    };
    let (ends, asked) = run(&script, vec![delete_peer(P1), act]).await;
    assert_eq!(ends, "0: done\n1: done");
    assert_eq!(asked.matches("POST vpn/wireguard/apply").count(), 2);
}

fn rekey() -> Act {
    let fields = Fields::from([
        ("name", text("p1")),
        ("enabled", Field::Bool(true)),
        ("allowed_ips", prefixes(&["10.66.0.3/32"])),
    ]);
    let (public_key, replaces) = (key(P2), Some(key(P1)));
    Act::CreatePeer { interface: TUN.to_owned(), public_key, replaces, fields }
}

#[tokio::test]
async fn a_peer_gets_another_key_where_it_is() {
    let (before, after) = (peer(1, P1, "p1", 3), peer(1, P2, "p1", 3));
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([before])),
        ok(after.clone()),
        // Nobody has the old one any more.
        ok(json!([])),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([hub()]), json!([after])));
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![rekey()]).await;
    assert_eq!(ends, "0: done");
    let sent: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    assert_eq!(sent, [format!(r#"PATCH vpn/wireguard/peer {{"id":1,"publickey":"{P2}"}}"#)]);
}

#[tokio::test]
async fn a_stranger_that_got_the_new_key_gets_its_own_back() {
    // Somebody puts a peer in front of all others, so that p0 is where p1 was.
    let (p0, p1) = (peer(0, P0, "p0", 2), peer(1, P1, "p1", 3));
    let hit = with(&p0, json!({"id": 1, "publickey": P2}));
    let moved = with(&p1, json!({"id": 2}));
    let script = Script::new([
        recorded("008"),
        ok(json!([p0, p1])),
        ok(json!([p1])),
        ok(hit.clone()),
        ok(json!([moved])),
        ok(json!([hit, moved])),
        ok(with(&p0, json!({"id": 1}))),
        recorded("232"),
        recorded("233"),
    ]);
    let (ends, asked) = run(&script, vec![rekey()]).await;
    assert_eq!(
        ends,
        "0: failed: somebody changed the list in between, and the change hit peer `xTIBA5rb…` on `tun_wg0`; that was undone / plan again"
    );
    let sent: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    assert_eq!(sent[1], format!(r#"PATCH vpn/wireguard/peer {{"id":1,"publickey":"{P0}"}}"#));
}

#[tokio::test]
async fn a_peer_whose_old_key_is_gone_is_made() {
    let made = peer(0, P2, "p1", 3);
    let mut answers =
        vec![recorded("008"), ok(json!([])), ok(json!([])), ok(made.clone()), ok(json!([made]))];
    answers.extend(ending(json!([hub()]), json!([made])));
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![rekey()]).await;
    assert_eq!(ends, "0: done");
    assert!(asked.contains("POST vpn/wireguard/peer {"), "{asked}");
}
