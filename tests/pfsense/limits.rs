//! What a firewall does not let somebody do, or has not got: said, with what to do, and never taken for objects that are
//! gone.

use serde_json::json;
use wgform::actual::Picture;
use wgform::backend::BackendError;
use wgform::backend::pfsense::client::{Credentials, Settings};
use wgform::resource::{Field, Fields};
use wgform::simulator::pfsense::Package;
use wgform::simulator::pfsense::fault::{Fault, Rule};
use wgform::simulator::pfsense::profile::{POINTS, PROFILES};
use wgform::value::Secret;

use crate::conformance::Bed;
use crate::conformance::bed::{
    create, create_peer, delete, keepalive, private, public, to, update, update_peer, wait,
};
use crate::firewalls::{backend, bare, bed};
use crate::simulated::{APPLY, PEER, PEERS, Simulated, TUNNELS};
use crate::{peers, supported};

fn read(bed: &Bed) -> Result<Picture, BackendError> {
    wait(bed.backend.read(&Default::default()))
}

/// Returns why a firewall cannot be read, and asserts that somebody is told what to do.
fn unread(bed: &Bed) -> String {
    let error = read(bed).unwrap_err();
    assert!(!error.hints.is_empty(), "{error}");
    error.reason
}

#[test]
fn a_package_that_is_too_old_is_not_asked_for_anything_else() {
    let lab = Simulated::delivered(&PROFILES[0]);
    let error = read(&lab.bed).unwrap_err();
    assert_eq!(error.reason, "it is v2.3.0, and wgform needs v2.4.3 or later");
    assert!(error.hints[0].starts_with("update it:"), "{:?}", error.hints);
    assert_eq!(lab.firewall.requests(), ["GET /api/v2/system/restapi/version"]);
}

#[test]
fn a_firewall_without_wireguard_has_not_lost_its_tunnels() {
    for profile in supported() {
        for keeps_configuration in [true, false] {
            let lab = Simulated::new(profile, false, None);
            lab.bed.hub();
            lab.bed.done(create_peer(public(1), bare([])));
            lab.firewall.remove_wireguard(keeps_configuration).unwrap();
            let whose = format!("{}, {keeps_configuration}", profile.name);
            match read(&lab.bed) {
                // Nothing that can be read tells, and nothing is gone.
                Ok(picture) => {
                    assert!(keeps_configuration && picture.interfaces.len() == 1, "{whose}")
                }
                Err(error) => {
                    assert_eq!(
                        error.reason, "the WireGuard package is not installed, or not yet",
                        "{whose}"
                    );
                }
            }
            let ended = lab.bed.write(peers(5..8));
            assert!(ended[0].as_ref().unwrap_err().contains("not installed"), "{whose}: {ended:?}");
            assert_eq!(ended[1], Err("skipped after 0".to_owned()), "{whose}");
            lab.firewall.install_wireguard().unwrap();
            let there = read(&lab.bed).unwrap().interfaces.len();
            assert_eq!(there, usize::from(keeps_configuration), "{whose}");
        }
    }
}

#[test]
fn asking_whether_there_is_wireguard_makes_nothing() {
    for profile in supported() {
        for is_sensitive in [true, false] {
            let lab = Simulated::new(profile, is_sensitive, None);
            assert!(read(&lab.bed).unwrap().interfaces.is_empty());
            assert_eq!(lab.list(TUNNELS), Vec::<serde_json::Value>::new(), "{}", profile.name);
            assert_eq!(lab.by_hand("GET", APPLY, "", &json!(null))["applied"], true);
        }
    }
}

#[test]
fn a_key_that_does_not_count_is_tried_once() {
    let lab = Simulated::newest();
    lab.firewall.set_api("auth_methods", json!(["BasicAuth"])).unwrap();
    let before = lab.count();
    let error = read(&lab.bed).unwrap_err();
    assert_eq!(error.reason, "the firewall does not accept the key (401)");
    assert!(error.hints.iter().any(|it| it.contains("`KeyAuth`")), "{:?}", error.hints);
    let ended = lab.bed.write(peers(0..3));
    assert_eq!(ended[1..], ["skipped after 0", "skipped after 0"].map(|it| Err(it.to_owned())));
    assert_eq!(lab.asked_since(before).len(), 2);
}

#[test]
fn a_password_counts_where_a_key_does_not() {
    let lab = Simulated::newest();
    lab.firewall.set_api("auth_methods", json!(["BasicAuth"])).unwrap();
    let user = lab.as_user(&["page-all"]);
    user.hub();
    assert_eq!(user.interface("wg0").peers.len(), 0);
    let credentials =
        Credentials::User { name: "guest".to_owned(), password: Secret::new("not the one") };
    let wrong = bed(Box::new(backend(Settings { credentials, ..lab.settings() })));
    assert_eq!(unread(&wrong), "the firewall does not accept the user or the password (401)");
}

#[test]
fn what_the_rest_api_keeps_to_itself_is_said() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.firewall.set_api("read_only", true.into()).unwrap();
    assert_eq!(read(&lab.bed).unwrap().interfaces.len(), 1);
    let ended = lab.bed.write(peers(0..3));
    assert_eq!(ended[0], Err("failed: the REST API is for reading only (405)".to_owned()));
    assert_eq!(ended[1..], ["skipped after 0", "skipped after 0"].map(|it| Err(it.to_owned())));
    lab.firewall.set_api("enabled", false.into()).unwrap();
    assert_eq!(unread(&lab.bed), "the REST API is switched off (503)");
    lab.firewall.set_api("enabled", true.into()).unwrap();
    lab.firewall.set_package(Package::Updating).unwrap();
    assert_eq!(unread(&lab.bed), "the REST API package is just being updated (503)");
    lab.firewall.set_package(Package::Absent).unwrap();
    assert_eq!(
        unread(&lab.bed),
        "there is no REST API package, or an old one without this part (404)"
    );
    lab.firewall.set_package(Package::Present).unwrap();
    lab.firewall.keep_out("wgform");
    assert_eq!(
        unread(&lab.bed),
        "the access list of the REST API keeps this host or this user out (403)"
    );
}

#[test]
fn a_user_whose_writes_are_dropped_is_found_out_at_the_first() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        lab.bed.hub();
        lab.bed.done(create_peer(public(1), bare([])));
        let user = lab.as_user(&["page-all", "user-config-readonly"]);
        let change = to("persistent_keepalive", keepalive("25s"));
        for acts in [
            peers(5..8),
            vec![update_peer(public(1), change), create_peer(public(6), bare([]))],
            vec![update("wg0", to("mtu", Field::Number(1300))), create_peer(public(6), bare([]))],
            vec![delete("wg0"), create_peer(public(6), bare([]))],
            vec![create("wg1", &private(2), Fields::new()), create_peer(public(6), bare([]))],
        ] {
            let before = lab.count();
            let ended = user.write(acts);
            let said = "failed: the firewall says that it is done, and stores nothing";
            assert_eq!(ended[0], Err(said.to_owned()), "{}: {ended:?}", profile.name);
            assert_eq!(ended[1], Err("skipped after 0".to_owned()), "{}", profile.name);
            let asked = lab.asked_since(before);
            assert!(!asked.iter().any(|it| it.ends_with(APPLY)), "{asked:?}");
        }
        assert_eq!((lab.list(TUNNELS).len(), lab.list(PEERS).len()), (1, 1), "{}", profile.name);
    }
}

#[test]
fn a_user_is_told_which_privilege_is_missing() {
    let get = |path: &str| format!("api-v2-{path}-get");
    let needed: Vec<String> = [
        "system-restapi-version",
        "vpn-wireguard-tunnels",
        "vpn-wireguard-peers",
        "vpn-wireguard-settings",
        "vpn-wireguard-apply",
    ]
    .map(get)
    .to_vec();
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), bare([])));
    let all: Vec<&str> = needed.iter().map(String::as_str).collect();
    let picture = read(&lab.as_user(&all)).unwrap();
    assert_eq!(picture.interfaces["wg0"].peers.len(), 1);
    assert!(picture.interfaces["wg0"].hidden.contains("assign_descr"));
    assert_eq!(picture.identity.id, "");
    for missing in &all {
        let rest: Vec<&str> = all.iter().copied().filter(|it| it != missing).collect();
        let error = read(&lab.as_user(&rest)).unwrap_err();
        assert_eq!(error.reason, "the user lacks a privilege (403)");
        assert!(error.hints[0].contains(missing), "{:?}", error.hints);
    }
    // On a firewall with nothing on it, such a user cannot tell whether WireGuard is there.
    lab.bed.done(delete("wg0"));
    let reason = unread(&lab.as_user(&all));
    assert!(
        reason.contains("does not tell this user whether the WireGuard package is there"),
        "{reason}"
    );
    let with_status = [&all[..], &["api-v2-status-wireguard-tunnels-get"]].concat();
    assert!(read(&lab.as_user(&with_status)).unwrap().interfaces.is_empty());
}

#[test]
fn what_is_off_is_said_and_can_be_switched_on() {
    for profile in supported() {
        let lab = Simulated::delivered(profile);
        lab.bed.hub();
        lab.bed.done(create_peer(public(1), bare([])));
        assert!(lab.firewall.device("tun_wg0").is_none());
        assert!(lab.bed.read().service.is_some_and(|it| !it.is_on));
        let assigned = Fields::from([("assign_descr", Field::Text("OFFICE".to_owned()))]);
        let why = lab.bed.failed(create("wg1", &private(2), assigned));
        assert_eq!(
            why,
            "failed: WireGuard is switched off, and what is not in the kernel cannot be assigned"
        );
        // What is half made would be in the way of the next try.
        assert_eq!(lab.list(TUNNELS).len(), 1, "{}", profile.name);
        crate::firewalls::enable_service(&lab.client()).unwrap();
        assert!(lab.bed.read().service.is_some_and(|it| it.is_on));
        lab.assert_applied(profile.name);
    }
}

#[test]
fn an_apply_that_ran_and_did_nothing_is_seen_where_the_kernel_can_be() {
    for profile in supported() {
        let lab = Simulated::new(profile, false, None);
        lab.bed.hub();
        // With one such peer, nothing of the tunnel is brought to the kernel.
        let broken = json!({"enabled": true, "tun": "tun_wg0", "publickey": "not a key"});
        lab.by_hand("POST", PEER, "", &broken);
        let ended = lab.bed.write(vec![create_peer(public(1), bare([]))]).remove(0);
        match profile.version >= (2, 9, 0) {
            true => assert_eq!(
                ended,
                Err("failed: it is stored, and the kernel does not have the peer".to_owned())
            ),
            false => assert_eq!(ended, Ok(Fields::new())),
        }
        let picture = lab.bed.read();
        assert_eq!(picture.interfaces["wg0"].keyless, 1);
        let said: Vec<_> = picture.remarks.iter().map(|it| it.summary).collect();
        assert!(said.contains(&"peer of a firewall without a key"), "{said:?}");
        // It goes with its tunnel.
        lab.bed.done(delete("wg0"));
        assert_eq!(lab.list(PEERS).len(), 0, "{}", profile.name);
    }
}

#[test]
fn an_apply_that_never_was_is_not_taken_for_one() {
    let answer = |is_applied: bool| {
        let data = json!({"applied": is_applied});
        Fault::Answer(200, json!({"code": 200, "status": "ok", "response_id": "SUCCESS", "message": "", "data": data}).to_string())
    };
    let at = |rule: Rule| Rule { path: Some(format!("/api/v2/{APPLY}")), ..rule };
    // It says that it has done it, and it is still to be done.
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.firewall.inject(at(Rule::once("POST", 0, answer(true))));
    let why = lab.bed.failed(create_peer(public(1), bare([])));
    assert_eq!(
        why,
        "failed: it is stored, and could not apply the changes: the firewall does not come to an end with it"
    );
    // It lies each time.
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.firewall.inject(at(Rule::always(answer(true))));
    let why = lab.bed.failed(create_peer(public(1), bare([])));
    assert_eq!(why, "failed: it is stored, and the kernel does not have the peer");
    // It takes its time.
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.firewall.set_wait(15).unwrap();
    lab.bed.done(create_peer(public(1), bare([])));
    lab.assert_applied("after a while");
}

#[test]
fn which_firewall_it_is_is_no_matter_of_its_name() {
    for profile in supported() {
        for (point, _) in POINTS.iter().filter(|(it, _)| matches!(*it, "status-dies" | "no-serial"))
        {
            let lab = Simulated::new(profile, false, Some(point));
            let first = lab.bed.read().identity;
            // One that does not tell is known by the keys of the tunnels that are ours.
            assert_eq!(first.id.is_empty(), *point == "status-dies", "{} {point}", profile.name);
            assert_ne!(first.id, first.host_name, "{} {point}", profile.name);
            lab.firewall.reboot(jiff::Timestamp::now()).unwrap();
            assert_eq!(lab.bed.read().identity.id, first.id, "{} {point}", profile.name);
        }
        let lab = Simulated::new(profile, false, None);
        let first = lab.bed.read().identity.id;
        lab.firewall.set_hostname("other", "example.com").unwrap();
        assert_eq!(lab.bed.read().identity.id, first, "a new name");
        lab.firewall.set_netgate_id("0123456789").unwrap();
        assert_ne!(lab.bed.read().identity.id, first, "another machine");
    }
}

#[test]
fn too_many_wrong_logins_are_not_ours() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.firewall.set_api("login_protection", true.into()).unwrap();
    let key = Credentials::Key(Secret::new("another key, which is wrong"));
    let wrong = bed(Box::new(backend(Settings { credentials: key, ..lab.settings() })));
    // A plan and an apply of twenty steps try it once each, and the third time blocks.
    unread(&wrong);
    assert!(wrong.write(peers(0..20)).iter().all(Result::is_err));
    assert_eq!(read(&lab.bed).unwrap().interfaces.len(), 1);
}
