//! Batches against scripted answers: what is asked in which order, and what is made of whatever comes back.

mod peers;
mod tunnels;

use serde_json::{Value as Json, json};

use crate::backend::Verdict;
use crate::backend::pfsense::checks;
use crate::backend::pfsense::script::{
    P0, P1, P2, PRESHARED, PRIVATE, Say, Script, ok, peer, recorded, tunnel, with,
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
    Act::CreatePeer {
        interface: TUN.to_owned(),
        public_key: self::key(key),
        replaces: None,
        fields,
    }
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
        own_keys: Default::default(),
        settings: settings.iter().cloned().collect(),
        wanted: wanted.iter().cloned().collect(),
        around: Surroundings::default(),
    }
}

fn delete() -> Act {
    Act::DeleteInterface {
        name: TUN.to_owned(),
        public_key: None,
        own_keys: Default::default(),
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
        Outcome::Untouched(BackendError { reason, hints, .. }) => {
            format!("untouched: {reason} / {}", hints.join(" / "))
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
async fn who_may_not_write_is_found_out_at_once() {
    let script = Script::new([recorded("008"), ok(peer(0, P0, "p", 2)), ok(json!([]))]);
    let (ends, _) = run(&script, vec![create_peer(P0, 2), create_peer(P1, 3)]).await;
    let why = "failed: the firewall says that it is done, and stores nothing / take `User - Config: Deny Config Write` from the user, in `System > User Manager`";
    assert_eq!(ends, format!("0: {why}\n1: skipped after 0"));
}

#[tokio::test]
async fn a_wrong_key_is_tried_once() {
    let script = Script::new([recorded("008"), recorded("001")]);
    let (ends, asked) = run(&script, vec![create_peer(P0, 2), create_peer(P1, 3)]).await;
    assert!(ends.starts_with("0: untouched: the firewall does not accept the key (401)"), "{ends}");
    assert!(ends.ends_with("\n1: skipped after 0"), "{ends}");
    assert_eq!(asked.lines().count(), 2);
}

#[tokio::test]
async fn what_a_later_operation_made_of_an_object_is_what_counts() {
    let (first, second) = (peer(0, P1, "one", 3), peer(0, P1, "two", 3));
    let mut answers = vec![
        recorded("008"),
        ok(json!([peer(0, P1, "p1", 3)])),
        ok(json!([peer(0, P1, "p1", 3)])),
        ok(first.clone()),
        ok(json!([first])),
        ok(json!([first])),
        ok(second.clone()),
    ];
    answers.extend(ending(json!([hub()]), json!([second])));
    let script = Script::new(answers);
    let name = |name: &str| update_peer(P1, &[("name", Setting::To(text(name)))]);
    let (ends, _) = run(&script, vec![name("one"), name("two")]).await;
    assert_eq!(ends, "0: done\n1: done");
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
        "0: failed: it is stored, and could not apply the changes: the firewall does not come to an end with it / apply them in `VPN > WireGuard` or `Interfaces`, and see `Status > System Logs` for why it failed"
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
        replaces: None,
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
    assert!(checks::holds_preshared_key(&client, key(P1), Some(&secret)).await.unwrap());
    assert!(!checks::holds_preshared_key(&client, key(P1), Some(&secret)).await.unwrap());
    assert!(script.log().iter().all(|it| !it.line.contains('?')));
}
