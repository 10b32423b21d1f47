//! Something goes wrong at each request of a batch, one after the other: what is reported is what is there, nothing of
//! somebody else is touched, and a second run converges.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use wgform::backend::{Act, Batch, Operation, Outcome, Stop};
use wgform::resource::{Field, Fields, Setting};
use wgform::simulator::pfsense::fault::{Fault, Rule};
use wgform::simulator::pfsense::profile::Profile;
use wgform::value::PublicKey;

use crate::conformance::bed::{
    create, create_peer, delete, delete_peer, keepalive, only, preshared, private, public, to,
    update, update_peer, wait,
};
use crate::firewalls::{bare, psk, rekey, text};
use crate::simulated::{PEERS, Simulated, TUNNELS};
use crate::{is_thorough, peers};

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Done,
    Failed(String),
    Untouched(String),
    NotTried,
}

/// Makes a tunnel with four peers of ours and one of somebody else.
fn furnished(profile: &'static Profile, is_exposed: bool) -> Simulated {
    let lab = Simulated::new(profile, is_exposed, None);
    lab.bed.hub();
    lab.bed.done(create("wg1", &private(2), Fields::new()));
    let theirs = [("name", text("theirs")), ("preshared_key", psk(preshared(9)))];
    let mut acts = vec![create_peer(public(0), bare(theirs))];
    acts.extend((1..5).map(|n| {
        let fields = only(&[&format!("10.{n}.0.0/16")]);
        create_peer(public(n), bare(fields))
    }));
    assert!(lab.bed.write(acts).iter().all(Result::is_ok));
    lab
}

/// One of everything: a tunnel and a peer are made, changed and removed, and a peer gets another key.
fn batch() -> Vec<Act> {
    vec![
        update("wg0", to("mtu", Field::Number(1300))),
        create("wg2", &private(3), Fields::new()),
        create_peer(public(5), bare([("preshared_key", psk(preshared(5)))])),
        update_peer(public(1), to("persistent_keepalive", keepalive("25s"))),
        update_peer(public(2), to("preshared_key", psk(preshared(2)))),
        rekey(public(3), public(6), only(&["10.3.0.0/16"])),
        delete_peer(public(4)),
        delete("wg1"),
    ]
}

/// Whether each operation of the batch is done, as the firewall has it.
fn done(lab: &Simulated) -> [bool; 8] {
    let (tunnels, peers) = (lab.list(TUNNELS), lab.list(PEERS));
    let tunnel = |name: &str| tunnels.iter().find(|it| it["name"] == name);
    let peer = |n: u32| {
        let mut found = peers.iter().filter(|it| it["publickey"] == public(n).to_string());
        let peer = found.next();
        assert!(found.next().is_none(), "peer {n} is there twice");
        peer
    };
    let holds = |n: u32, key: u8| {
        let key = preshared(key).expose_text();
        let filter = json!({"publickey": public(n).to_string(), "presharedkey": key.as_str()});
        lab.by_hand("GET", PEERS, "", &filter).as_array().unwrap().len() == 1
    };
    let theirs = peer(0).filter(|it| it["descr"] == "theirs" && it["tun"] == "tun_wg0");
    assert!(theirs.is_some() && holds(0, 9), "somebody else's peer: {theirs:?}");
    [
        tunnel("tun_wg0").is_some_and(|it| it["mtu"] == 1300),
        tunnel("tun_wg2").is_some(),
        peer(5).is_some() && holds(5, 5),
        peer(1).is_some_and(|it| it["persistentkeepalive"] == 25),
        holds(2, 2),
        peer(6).is_some() && peer(3).is_none(),
        peer(4).is_none(),
        tunnel("tun_wg1").is_none(),
    ]
}

fn run(lab: &Simulated, acts: Vec<Act>) -> Vec<End> {
    let operations: Vec<_> = acts.into_iter().map(|act| Operation { after: vec![], act }).collect();
    let mut ends = vec![None; operations.len()];
    let mut landed = |index: usize, outcome| {
        let end = match outcome {
            Outcome::Done(_) => End::Done,
            Outcome::Failed(error) => End::Failed(error.reason),
            Outcome::Untouched(error) => End::Untouched(error.reason),
            Outcome::Skipped(_) | Outcome::NotStarted => End::NotTried,
        };
        assert!(ends[index].replace(end).is_none(), "operation {index} ended twice");
    };
    wait(lab.bed.backend.write(Batch { operations }, Stop::default(), &mut landed));
    ends.into_iter().map(Option::unwrap).collect()
}

/// What goes wrong.
fn faults() -> Vec<Fault> {
    vec![
        Fault::LoseAnswer,
        Fault::GatewayTimeout,
        Fault::Reset,
        Fault::Close,
        Fault::Busy(300),
        Fault::Locked,
        Fault::Html(502),
        Fault::Truncate,
        Fault::WrongData,
    ]
}

/// The version decides whether it is also seen in the kernel, and what is shown decides what can be proven. Where secrets
/// are shown, and on the oldest one, it is tried only with `CI=true`.
#[test]
fn whatever_goes_wrong_at_whatever_request_is_reported_and_the_next_run_converges() {
    let mut seen = BTreeMap::new();
    let (oldest, newest) = (Profile::named("v2.4.3").unwrap(), Profile::newest());
    let all = [(newest, false), (newest, true), (oldest, false)];
    for (profile, is_exposed) in all.into_iter().take(if is_thorough() { 3 } else { 1 }) {
        let lab = furnished(profile, is_exposed);
        let before = lab.count();
        assert_eq!(run(&lab, batch()), vec![End::Done; 8]);
        let asked = lab.asked_since(before);
        assert_eq!(done(&lab), [true; 8]);
        for fault in faults() {
            for (at, request) in asked.iter().enumerate() {
                let whose = format!("{}, {fault:?} at {at}: {request}", profile.name);
                let lab = furnished(profile, is_exposed);
                let was = done(&lab);
                lab.firewall.inject(Rule::at(u32::try_from(at).unwrap(), fault.clone()));
                let ends = run(&lab, batch());
                let is = done(&lab);
                for index in 0..8 {
                    let whose = format!("{whose}: operation {index}, {:?}", ends[index]);
                    match &ends[index] {
                        End::Done => assert!(is[index], "{whose}"),
                        End::Untouched(_) | End::NotTried => {
                            assert_eq!(is[index], was[index], "{whose}");
                        }
                        End::Failed(_) => {}
                    }
                    *seen.entry(kind(&ends[index])).or_insert(0) += 1;
                }
                converge(&lab, &whose);
            }
        }
    }
    let kinds: Vec<_> = seen.keys().copied().collect();
    assert_eq!(kinds, ["done", "failed", "untouched"], "{seen:?}");
}

fn kind(end: &End) -> &'static str {
    match end {
        End::Done => "done",
        End::Failed(_) => "failed",
        End::Untouched(_) => "untouched",
        End::NotTried => "not tried",
    }
}

/// Does again what is not done, as a second plan would.
fn converge(lab: &Simulated, whose: &str) {
    let is = done(lab);
    let left = batch().into_iter().zip(is).filter(|(_, is_done)| !is_done).map(|(act, _)| act);
    let ends = run(lab, left.collect());
    assert!(ends.iter().all(|it| *it == End::Done), "{whose}: {ends:?}");
    // What was stored, and not brought to the kernel.
    crate::firewalls::apply_pending(&lab.client())
        .unwrap_or_else(|error| panic!("{whose}: {error}"));
    assert_eq!(done(lab), [true; 8], "{whose}");
    lab.assert_applied(whose);
}

#[test]
fn a_firewall_that_is_at_something_else_says_for_how_long() {
    let lab = furnished(Profile::newest(), false);
    lab.firewall.inject(Rule::once("POST", 0, Fault::Busy(42)));
    let error = failure(&lab, create_peer(public(7), bare([])));
    assert_eq!(
        error,
        ("too many changes wait to be applied (503)".to_owned(), "try again in 42 s".to_owned())
    );
    lab.firewall.inject(Rule::once("POST", 0, Fault::Locked));
    let (reason, _) = failure(&lab, create_peer(public(7), bare([])));
    assert_eq!(
        reason,
        "somebody else is writing the firewall's configuration, for a minute already (503)"
    );
    // A read is tried again, and a write is not.
    lab.firewall.inject(Rule { times: Some(3), ..Rule::once("GET", 0, Fault::Busy(1)) });
    let before = lab.count();
    lab.bed.done(create_peer(public(7), bare([])));
    assert_eq!(lab.asked_since(before).iter().filter(|it| it.starts_with("POST")).count(), 2);
}

/// Returns why an act fails, and what to do.
fn failure(lab: &Simulated, act: Act) -> (String, String) {
    let mut said = None;
    let mut landed = |_, outcome| match outcome {
        Outcome::Failed(error) | Outcome::Untouched(error) => {
            said = Some((error.reason, error.hints[0].clone()));
        }
        _ => {}
    };
    let operations = vec![Operation { after: vec![], act }];
    wait(lab.bed.backend.write(Batch { operations }, Stop::default(), &mut landed));
    said.expect("the act must fail")
}

#[test]
fn a_way_to_somewhere_else_is_not_followed() {
    let lab = Simulated::newest();
    let to = "https://192.0.2.1/".to_owned();
    lab.firewall.inject(Rule::always(Fault::Redirect(to)));
    let error = wait(lab.bed.backend.read(&Default::default())).unwrap_err();
    assert_eq!(error.reason, "it sends on to https://192.0.2.1/ (301)");
}

#[test]
fn a_lost_answer_makes_no_peer_twice() {
    for fault in faults() {
        let lab = Simulated::newest();
        lab.bed.hub();
        lab.firewall.inject(Rule::once("POST", 20, fault.clone()));
        let ended = lab.bed.write(peers(0..50));
        let failed: Vec<usize> = (0..50).filter(|n| ended[*n].is_err()).collect();
        assert!(failed.len() <= 1, "{fault:?}: {ended:?}");
        let keys: Vec<PublicKey> = lab.bed.interface("wg0").peers.into_keys().collect();
        assert_eq!(keys.len(), 50 - failed.len(), "{fault:?}");
        assert_eq!(lab.list(PEERS).len(), keys.len(), "{fault:?}");
        lab.assert_applied("after one that failed");
    }
}

#[test]
fn an_interface_change_that_was_not_applied_does_not_block_those_that_follow() {
    let assigned = Fields::from([("assign_descr", text("OFFICE"))]);
    for fault in faults() {
        let lab = Simulated::newest();
        lab.bed.hub();
        let at = |rule: Rule| Rule { path: Some("/api/v2/interface".to_owned()), ..rule };
        lab.firewall.inject(at(Rule::once("POST", 0, fault.clone())));
        let mut act = to("assign_descr", text("OFFICE"));
        act.insert("addresses", Setting::Clear);
        let act = crate::conformance::bed::update_with("wg0", act, assigned.clone());
        let _ = lab.bed.write(vec![act.clone()]);
        lab.bed.done(act);
        assert_eq!(lab.list("interfaces").len(), 3, "{fault:?}");
        lab.firewall.inject(at(Rule::once("DELETE", 0, fault.clone())));
        let _ = lab.bed.write(vec![delete("wg0")]);
        lab.bed.done(delete("wg0"));
        assert_eq!(
            (lab.list("interfaces").len(), lab.list(TUNNELS).len()),
            (2, 1 - 1),
            "{fault:?}"
        );
        let pending = lab.by_hand("GET", "interface/apply", "", &Json::Null);
        assert_eq!(pending["applied"], true, "{fault:?}: {pending}");
    }
}
