//! Somebody else is at the firewall between every two of our requests, so that places shift under us: a random client
//! that makes, moves, changes and removes objects, and the few moments in which our change can hit one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use wgform::backend::{Act, Batch, Operation, Outcome, Stop};
use wgform::resource::Fields;
use wgform::simulator::pfsense::SimulatedFirewall;
use wgform::simulator::pfsense::fault::{Fault, Rule};
use wgform::simulator::pfsense::profile::Profile;
use wgform::value::PublicKey;

use crate::conformance::Bed;
use crate::conformance::bed::{
    create, create_peer, delete, delete_peer, keepalive, only, preshared, private, public, to,
    update, update_peer, wait,
};
use crate::firewalls::{bare, psk, rekey, text};
use crate::simulated::{PEER, PEERS, Simulated, TUNNEL, TUNNELS, by_hand, list, request};
use crate::{is_thorough, supported};

/// How often a batch is run, each time with other numbers: a thousand times in all with `CI=true`.
fn interleavings() -> u64 {
    if is_thorough() { 500 } else { 50 }
}

/// Somebody else, who never touches what is ours, unless told to.
struct Stranger {
    firewall: SimulatedFirewall,
    /// The last number that was drawn, by splitmix64.
    drawn: u64,
    removes_ours: bool,
    /// The objects as they were left, by their key or name.
    own: BTreeMap<String, Json>,
    made: u32,
}

impl Stranger {
    fn new(firewall: &SimulatedFirewall, seed: u64, removes_ours: bool) -> Self {
        let firewall = firewall.clone();
        let mut stranger =
            Self { firewall, drawn: seed, removes_ours, own: BTreeMap::new(), made: 0 };
        for _ in 0..4 {
            stranger.make_peer();
        }
        stranger.make_tunnel();
        stranger
    }

    /// Draws a number below another one.
    fn below(&mut self, limit: usize) -> usize {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.drawn;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 32).unwrap() % limit
    }

    /// Does one thing, or nothing.
    fn act(&mut self) {
        match self.below(12) {
            0 | 1 => self.make_peer(),
            2 | 3 => self.remove(PEERS, PEER, "publickey"),
            4 => self.change_peer(),
            5 => self.make_tunnel(),
            6 => self.remove(TUNNELS, TUNNEL, "name"),
            7 if self.removes_ours => self.remove_ours(),
            _ => {}
        }
    }

    /// Makes a peer, at the end or in front of all others.
    fn make_peer(&mut self) {
        self.made += 1;
        let tunnel = ["tun_wg0", "tun_wg1", "unassigned"][self.below(3)];
        let names: Vec<_> = list(&self.firewall, TUNNELS);
        let tunnel = match names.iter().any(|it| it["name"] == tunnel) {
            true => tunnel,
            false => "unassigned",
        };
        let n = self.made;
        let mut peer = json!({
            "enabled": true, "tun": tunnel, "descr": format!("theirs {n}"), "publickey": key(n).to_string(),
            "allowedips": [{"address": format!("10.200.{}.{}", n / 256, n % 256), "mask": 32, "descr": "theirs"}],
        });
        if self.below(2) == 0 {
            peer["placement"] = json!(0);
        }
        by_hand(&self.firewall, "POST", PEER, "", &peer);
        self.learn(PEERS, "publickey", &key(n).to_string());
    }

    fn make_tunnel(&mut self) {
        self.made += 1;
        let n = self.made;
        let name = format!("tun_wg{}", 100 + n);
        let mut tunnel = json!({
            "name": name, "listenport": (30_000 + n).to_string(), "descr": "theirs",
            "privatekey": private(1000 + n).expose_text().as_str(),
        });
        if self.below(2) == 0 {
            tunnel["placement"] = json!(0);
        }
        by_hand(&self.firewall, "POST", TUNNEL, "", &tunnel);
        self.learn(TUNNELS, "name", &name);
    }

    fn change_peer(&mut self) {
        let Some((key, id)) = self.any(PEERS, "publickey") else { return };
        let drawn = self.below(1000);
        let mut body = json!({"id": id, "descr": format!("changed {drawn}")});
        // A peer of a tunnel that is gone can only be changed together with that.
        let on = &self.own[&key]["tun"];
        if !list(&self.firewall, TUNNELS).iter().any(|it| it["name"] == *on) {
            body["tun"] = json!("unassigned");
        }
        by_hand(&self.firewall, "PATCH", PEER, "", &body);
        self.learn(PEERS, "publickey", &key);
    }

    fn remove(&mut self, lists: &str, path: &str, by: &str) {
        let Some((name, id)) = self.any(lists, by) else { return };
        by_hand(&self.firewall, "DELETE", path, &format!("id={id}"), &Json::Null);
        self.own.remove(&name);
    }

    fn remove_ours(&mut self) {
        let peers = list(&self.firewall, PEERS);
        let ours: Vec<_> = peers.iter().filter(|it| !is_theirs(it)).collect();
        if !ours.is_empty() {
            let id = &ours[self.below(ours.len())]["id"];
            by_hand(&self.firewall, "DELETE", PEER, &format!("id={id}"), &Json::Null);
        }
    }

    /// Draws one of the own objects that are there.
    fn any(&mut self, path: &str, by: &str) -> Option<(String, Json)> {
        let all = list(&self.firewall, path);
        let own = all.iter().map(|it| (it[by].as_str().unwrap().to_owned(), it["id"].clone()));
        let own: Vec<_> = own.filter(|(name, _)| self.own.contains_key(name)).collect();
        if own.is_empty() {
            return None;
        }
        let drawn = self.below(own.len());
        Some(own[drawn].clone())
    }

    fn learn(&mut self, path: &str, by: &str, name: &str) {
        let all = list(&self.firewall, path);
        let mut found = all.iter().filter(|it| it[by] == name);
        self.own.insert(name.to_owned(), plain(found.next().unwrap()));
    }

    /// Names the own objects that are not as they were left.
    fn harmed(&self) -> Vec<String> {
        let tunnels = list(&self.firewall, TUNNELS);
        let all: BTreeMap<_, _> = tunnels
            .iter()
            .map(|it| (it["name"].clone(), plain(it)))
            .chain(
                list(&self.firewall, PEERS).iter().map(|it| (it["publickey"].clone(), plain(it))),
            )
            .map(|(name, it)| (name.as_str().unwrap().to_owned(), it))
            .collect();
        self.own
            .iter()
            .filter(|(name, it)| all.get(*name) != Some(it))
            .map(|it| it.0.clone())
            .collect()
    }
}

/// A key of somebody else: the part of it that is shown is another one for each.
fn key(number: u32) -> PublicKey {
    public(number << 16)
}

fn is_theirs(peer: &Json) -> bool {
    peer["descr"].as_str().unwrap().starts_with("theirs")
        || peer["descr"].as_str().unwrap().starts_with("changed")
}

/// An object without its place.
fn plain(object: &Json) -> Json {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove("id");
    for rows in ["addresses", "allowedips"] {
        for row in object[rows].as_array_mut().into_iter().flatten() {
            row.as_object_mut().unwrap().remove("parent_id");
        }
    }
    object
}

/// Two tunnels, and peers of ours on the first one.
fn furnished(profile: &'static Profile, is_exposed: bool) -> Simulated {
    let lab = Simulated::new(profile, is_exposed, None);
    lab.bed.hub();
    lab.bed.done(create("wg1", &private(2), Fields::new()));
    let ours = |n: u32| create_peer(public(n), bare(only(&[&format!("10.{n}.0.0/16")])));
    assert!(lab.bed.write((1..6).map(ours).collect()).iter().all(Result::is_ok));
    lab
}

/// Carries out a batch, and says how each operation ended; nothing where it is done.
fn run(bed: &Bed, acts: Vec<Act>) -> Vec<Option<String>> {
    let operations: Vec<_> = acts.into_iter().map(|act| Operation { after: vec![], act }).collect();
    let mut ends = vec![None; operations.len()];
    let mut landed = |index: usize, outcome| {
        ends[index] = match outcome {
            Outcome::Done(_) => None,
            Outcome::Failed(error) | Outcome::Untouched(error) => {
                Some(format!("{} / {}", error.reason, error.hints.join(" / ")))
            }
            Outcome::Skipped(_) | Outcome::NotStarted => Some("not tried".to_owned()),
        };
    };
    wait(bed.backend.write(Batch { operations }, Stop::default(), &mut landed));
    ends
}

/// Runs a batch while a stranger acts before each of its requests, and returns how it ended, the stranger, and what was
/// not as it had been left at some moment.
fn beside(
    lab: &Simulated,
    stranger: Stranger,
    acts: Vec<Act>,
) -> (Vec<Option<String>>, Stranger, Vec<String>) {
    let both = Arc::new(Mutex::new((stranger, Vec::new())));
    let heard = Arc::clone(&both);
    let bed = lab.heard_by(move |line| {
        if line.starts_with("> ") {
            let (stranger, harmed) = &mut *heard.lock().unwrap();
            harmed.extend(stranger.harmed());
            stranger.act();
        }
    });
    let ends = run(&bed, acts);
    drop(bed);
    let (stranger, mut harmed) = Arc::into_inner(both).unwrap().into_inner().unwrap();
    harmed.extend(stranger.harmed());
    (ends, stranger, harmed)
}

/// What names or picks the object in the request itself: whatever shifts, no other one is touched, not even for a moment.
#[test]
fn a_client_that_shifts_every_place_loses_nothing_for_a_moment() {
    let versions: Vec<_> = supported().collect();
    let mut restless = 0;
    for seed in 0..interleavings() {
        let profile = versions[usize::try_from(seed).unwrap() % versions.len()];
        let lab = furnished(profile, seed % 2 == 0);
        let stranger = Stranger::new(&lab.firewall, seed, false);
        let acts = vec![
            update("wg0", to("mtu", wgform::resource::Field::Number(1300))),
            create("wg2", &private(3), Fields::new()),
            update_peer(public(1), to("persistent_keepalive", keepalive("25s"))),
            update_peer(public(2), to("preshared_key", psk(preshared(2)))),
            create_peer(public(6), bare([])),
            delete_peer(public(4)),
            update_peer(public(5), to("persistent_keepalive", keepalive("25s"))),
        ];
        let (ends, stranger, harmed) = beside(&lab, stranger, acts);
        assert!(harmed.is_empty(), "seed {seed}, {}: {harmed:?}, {ends:?}", profile.name);
        for end in ends.iter().flatten() {
            let is_restless =
                end.starts_with("its place in the firewall's list is another one each time");
            assert!(is_restless, "seed {seed}, {}: {end}", profile.name);
            restless += 1;
        }
        let ours = list(&lab.firewall, PEERS).into_iter().filter(|it| !is_theirs(it)).count();
        assert_eq!(ours, 5, "seed {seed}");
        drop(stranger);
    }
    assert!(restless < interleavings() / 10, "{restless} operations gave up");
}

/// The others, and one that removes our own peers: for a moment another object may be hit, and then it has back what it
/// had, or is named.
#[test]
#[expect(clippy::print_stderr, reason = "says how often it came to that")]
fn whatever_a_client_does_what_was_hit_is_given_back_or_named() {
    let versions: Vec<_> = supported().collect();
    let (mut hit, mut named) = (0, 0);
    for seed in 0..interleavings() {
        let profile = versions[usize::try_from(seed).unwrap() % versions.len()];
        let lab = furnished(profile, seed % 2 == 0);
        let stranger = Stranger::new(&lab.firewall, seed, true);
        let acts = vec![
            update_peer(public(1), to("persistent_keepalive", keepalive("25s"))),
            update_peer(public(2), to("description", text("ours"))),
            rekey(public(3), public(7), only(&["10.3.0.0/16"])),
            delete_peer(public(4)),
            update_peer(public(5), to("persistent_keepalive", keepalive("25s"))),
            rekey(public(5), public(8), only(&["10.5.0.0/16"])),
            delete("wg1"),
        ];
        let (ends, stranger, harmed) = beside(&lab, stranger, acts);
        hit += u64::from(!harmed.is_empty());
        let said = ends.iter().flatten().cloned().collect::<Vec<_>>().join("\n");
        for name in stranger.harmed() {
            // What was on a tunnel of ours goes with it.
            if stranger.own[&name]["tun"] == "tun_wg1" {
                continue;
            }
            let short = name.parse::<PublicKey>().map_or(name.clone(), |key| key.short());
            let is_said = said.contains(&format!("`{short}`"))
                || said.contains("in its place")
                || said.contains("hit a peer that is new there");
            assert!(is_said, "seed {seed}, {}: {name} is harmed, and said is {said}", profile.name);
            named += 1;
        }
    }
    eprintln!("in {hit} of {} runs something was hit, and {named} are named", interleavings());
    assert!(hit > interleavings() / 20 && named < hit, "{named} of {hit}");
}

/// A peer of ours, and behind it one of somebody else.
fn two_peers(profile: &'static Profile, is_exposed: bool, theirs: &Json) -> Simulated {
    let lab = Simulated::new(profile, is_exposed, None);
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), bare(only(&["10.1.0.0/16"]))));
    lab.by_hand("POST", PEER, "", theirs);
    lab
}

fn theirs(address: &str) -> Json {
    json!({
        "enabled": true, "tun": "tun_wg0", "descr": "theirs", "publickey": key(1).to_string(),
        "presharedkey": preshared(9).expose_text().as_str(),
        "allowedips": [{"address": address, "mask": 16, "descr": ""}],
    })
}

/// Our peer is removed right before its change.
fn removed() -> Fault {
    Fault::Meanwhile(vec![request("DELETE", PEER, "id=0", &Json::Null)])
}

#[test]
fn a_peer_that_slid_into_the_place_of_ours_gets_back_what_it_had() {
    for profile in supported() {
        for is_exposed in [false, true] {
            let lab = two_peers(profile, is_exposed, &theirs("10.2.0.0"));
            let before = plain(&lab.list(PEERS)[1]);
            lab.firewall.inject(Rule::once("PATCH", 0, removed()));
            let change = to("persistent_keepalive", keepalive("25s"));
            let why = run(&lab.bed, vec![update_peer(public(1), change)]).remove(0).unwrap();
            let name = key(1).short();
            assert_eq!(
                why,
                format!(
                    "somebody changed the list in between, and the change hit peer `{name}` on `tun_wg0`; that was undone / plan again"
                )
            );
            let left: Vec<_> = lab.list(PEERS).iter().map(plain).collect();
            assert_eq!(left, [before], "{}", profile.name);
            assert!(crate::firewalls::holds(&lab.client(), key(1), &preshared(9)));
            lab.assert_applied(profile.name);

            // A secret of it that was overwritten, and that nobody could read before, cannot be given back.
            let lab = two_peers(profile, is_exposed, &theirs("10.2.0.0"));
            lab.firewall.inject(Rule::once("PATCH", 0, removed()));
            let change = to("preshared_key", psk(preshared(5)));
            let why = run(&lab.bed, vec![update_peer(public(1), change)]).remove(0).unwrap();
            let client = lab.client();
            let is_back = crate::firewalls::holds(&client, key(1), &preshared(9));
            assert_eq!(is_back, lab.shows_preshared_keys, "{}", profile.name);
            let is_said = why.contains("but for its pre-shared key, which nobody can read");
            assert_eq!(is_said, !is_back, "{}: {why}", profile.name);
        }
    }
}

#[test]
fn what_is_hit_on_the_way_back_is_given_back_too() {
    let lab = Simulated::newest();
    lab.bed.hub();
    let theirs = |n: u32| {
        json!({
            "enabled": true, "tun": "tun_wg0", "descr": format!("theirs {n}"), "publickey": key(n).to_string(),
            "allowedips": [{"address": format!("10.{n}.0.0"), "mask": 16, "descr": ""}],
        })
    };
    lab.by_hand("POST", PEER, "", &theirs(11));
    lab.bed.done(create_peer(public(1), bare(only(&["10.1.0.0/16"]))));
    lab.by_hand("POST", PEER, "", &theirs(12));
    lab.by_hand("POST", PEER, "", &theirs(13));
    let before: Vec<_> = lab.list(PEERS)[2..].iter().map(plain).collect();
    for (skip, id) in [(0, 1), (1, 0)] {
        let gone = request("DELETE", PEER, &format!("id={id}"), &Json::Null);
        lab.firewall.inject(Rule::once("PATCH", skip, Fault::Meanwhile(vec![gone])));
    }
    let change = to("persistent_keepalive", keepalive("25s"));
    let why = run(&lab.bed, vec![update_peer(public(1), change)]).remove(0).unwrap();
    assert!(why.contains(&format!("`{}` on `tun_wg0`; that was undone", key(12).short())), "{why}");
    let left: Vec<_> = lab.list(PEERS).iter().map(plain).collect();
    assert_eq!(left, before);
    // Ours, the one in its place, that one again, and the one that had come into its place then.
    assert_eq!((lab.asked)("PATCH"), 4);
}

/// The window that is left: nothing in the answer tells such a peer from ours.
#[test]
fn a_peer_that_is_like_ours_in_all_that_is_not_sent_loses_its_key_and_is_named() {
    let mut alike = theirs("10.1.0.0");
    alike["descr"] = json!("");
    alike["presharedkey"] = json!("");
    let lab = two_peers(Profile::newest(), false, &alike);
    lab.firewall.inject(Rule::once("PATCH", 0, removed()));
    let change = to("persistent_keepalive", keepalive("25s"));
    let why = run(&lab.bed, vec![update_peer(public(1), change)]).remove(0).unwrap();
    let said = format!("peer `{}` on `tun_wg0` is gone since", key(1).short());
    assert!(why.starts_with(&said), "{why}");
    assert!(why.contains("Config History"), "{why}");
}

#[test]
fn a_peer_that_was_made_since_the_batch_began_is_not_taken_for_ours() {
    let lab = Simulated::newest();
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), bare(only(&["10.1.0.0/16"]))));
    let made = request("POST", PEER, "", &theirs("10.2.0.0"));
    let gone = request("DELETE", PEER, "id=0", &Json::Null);
    lab.firewall.inject(Rule::once("PATCH", 0, Fault::Meanwhile(vec![made, gone])));
    let change = to("persistent_keepalive", keepalive("25s"));
    let why = run(&lab.bed, vec![update_peer(public(1), change)]).remove(0).unwrap();
    assert!(why.contains("in its place") && why.contains("Config History"), "{why}");
}

#[test]
fn a_tunnel_that_slid_into_the_place_of_ours_is_made_again_where_its_key_is_shown() {
    for (is_exposed, is_back) in [(true, true), (false, false)] {
        let lab = Simulated::new(Profile::newest(), is_exposed, None);
        for (name, number) in [("wg0", 1), ("wg1", 2), ("wg2", 3)] {
            lab.bed.done(create(name, &private(number), Fields::new()));
        }
        let gone = request("DELETE", TUNNEL, "id=0", &Json::Null);
        lab.firewall.inject(Rule {
            path: Some(format!("/api/v2/{TUNNEL}")),
            ..Rule::once("DELETE", 0, Fault::Meanwhile(vec![gone]))
        });
        let why = run(&lab.bed, vec![delete("wg1")]).remove(0).unwrap();
        assert!(why.contains("`tun_wg2` was removed"), "{why}");
        assert_eq!(why.contains("it was made again"), is_back, "{why}");
        let there = lab.list(TUNNELS).iter().any(|it| it["name"] == "tun_wg2");
        assert_eq!(there, is_back);
    }
}
