//! What comes before what.

use insta::assert_snapshot;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;

pub const TWO: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "a" {
  name        = "wg0"
  listen_port = 51820
}

interface "b" {
  name        = "wg1"
  listen_port = 51821
}
"#;

#[test]
fn two_ports_are_swapped_by_way_of_a_third() {
    let mut lab = Lab::matching(TWO);
    lab.replace(&TWO.replace("51820", "@").replace("51821", "51820").replace('@', "51821"));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.a on local "hq" (simulated) will be updated in place
      ~ interface "a" {
            name        = "wg0"
          ~ listen_port = 51820 -> 51821
            # 8 unchanged attributes hidden
        }

      # interface.b on local "hq" (simulated) will be updated in place
      ~ interface "b" {
            name        = "wg1"
          ~ listen_port = 51821 -> 51820
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.a: update wg0 listen_port
    interface.b: update wg1 listen_port
    interface.a: update wg0 listen_port
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51821 mtu 1420 mark 0 []
    wg1 «wg1@hq» up port 51820 mtu 1420 mark 0 []
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}

#[test]
fn a_port_is_given_up_before_it_is_taken() {
    let mut lab = Lab::matching(TWO);
    lab.replace(&TWO.replace("51821", "51822").replace("51820", "51821"));
    assert_snapshot!(lab.steps(), @"
    interface.b: update wg1 listen_port
    interface.a: update wg0 listen_port
    ");
    lab.settle();
}

#[test]
fn three_ports_go_round() {
    let three = format!("{TWO}interface \"c\" {{\n  name = \"wg2\"\n  listen_port = 51822\n}}\n");
    let mut lab = Lab::matching(&three);
    let round = three.replace("51820", "@").replace("51821", "#").replace("51822", "51820");
    lab.replace(&round.replace('@', "51821").replace('#', "51822"));
    assert_snapshot!(lab.steps(), @"
    interface.a: update wg0 listen_port
    interface.c: update wg2 listen_port
    interface.b: update wg1 listen_port
    interface.a: update wg0 listen_port
    ");
    lab.settle();
}

#[test]
fn two_names_are_swapped_by_way_of_a_third() {
    let mut lab = Lab::matching(TWO);
    let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
    lab.replace(&TWO.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\""));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.a on local "hq" (simulated) will be updated in place
      ~ interface "a" {
          ~ name     = "wg0" -> "wg1"
          ~ key_file = "/var/lib/wgform/keys/wg0" -> "/var/lib/wgform/keys/wg1"
            # 9 unchanged attributes hidden
        }

      # interface.b on local "hq" (simulated) will be updated in place
      ~ interface "b" {
          ~ name     = "wg1" -> "wg0"
          ~ key_file = "/var/lib/wgform/keys/wg1" -> "/var/lib/wgform/keys/wg0"
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.a: update wg0 to wgform-tmp2
    interface.b: update wg1 to wg0 key
    interface.a: update wgform-tmp2 to wg1 key
    ");
    assert_snapshot!(lab.apply(), @"
    interface.a: put out of the way
    interface.b: updated
    interface.a: updated

    Apply complete. Resources: 0 added, 2 changed, 0 destroyed.
    ");
    lab.assert_settled();
    assert_eq!((lab.host("hq").key_of("wg1"), lab.host("hq").key_of("wg0")), (a, b));
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg1@hq» up port 51821 mtu 1420 mark 0 []
    wg1 «wg0@hq» up port 51820 mtu 1420 mark 0 []
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}

#[test]
fn names_and_ports_are_swapped_together_with_peers_on_them() {
    let peers = "peer \"pa\" {\n  interface = interface.a\n  public_key = \"«pa»\"\n  allowed_ips = [\"10.1.0.0/16\"]\n}\npeer \"pb\" {\n  interface = interface.b\n  public_key = \"«pb»\"\n  allowed_ips = [\"10.1.0.0/16\"]\n}\n";
    let text = format!("{TWO}{peers}");
    let mut lab = Lab::matching(&text);
    let swapped = text.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\"");
    lab.replace(&swapped.replace("51820", "@").replace("51821", "51820").replace('@', "51821"));
    assert_snapshot!(lab.steps(), @"
    interface.a: update wg0 to wgform-tmp2 listen_port
    interface.b: update wg1 to wg0 key listen_port
    interface.a: update wgform-tmp2 to wg1 key listen_port
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg1@hq» up port 51820 mtu 1420 mark 0 []
      «pb» [10.1.0.0/16] keepalive off
    wg1 «wg0@hq» up port 51821 mtu 1420 mark 0 []
      «pa» [10.1.0.0/16] keepalive off
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}

#[test]
fn a_port_swap_of_userspace_interfaces_that_are_replaced_works() {
    let mut lab = Lab::new(TWO);
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    let renamed = TWO.replace("wg0", "wg8").replace("wg1", "wg9");
    lab.replace(&renamed.replace("51820", "@").replace("51821", "51820").replace('@', "51821"));
    assert_snapshot!(lab.steps(), @"
    interface.a: create wg8 down
    interface.a: delete wg0
    interface.b: create wg9 down
    interface.b: delete wg1
    interface.a: update wg8 enabled
    interface.b: update wg9 enabled
    ");
    lab.settle();
}

#[test]
fn a_name_swap_without_renames_is_refused_with_its_path() {
    let mut lab = Lab::new(TWO);
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    lab.replace(&TWO.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\""));
    assert_snapshot!(lab.plan(), @r#"
    error: changes that wait for each other
      at `interface "a"`: waits for the other
      at `interface "b"`: waits for the other
      help: Each of these has to be changed before the next one: `interface.a` → `interface.b` → `interface.a`. Make one of the changes in an apply of its own.
    "#);
}

#[test]
fn a_disabled_interface_may_have_the_port_of_another() {
    let text = TWO.replace("51821", "51820").replace("\"wg1\"", "\"wg1\"\n  enabled = false");
    let mut lab = Lab::matching(&text);
    // The two change places.
    lab.edit("enabled = false", "").edit("\"wg0\"", "\"wg0\"\n  enabled = false");
    assert_snapshot!(lab.steps(), @"
    interface.a: update wg0 enabled
    interface.b: update wg1 enabled
    ");
    lab.settle();
}

#[test]
fn three_peers_hand_their_networks_round() {
    let third = "peer \"tablet\" {\n  interface = interface.hub\n  public_key = \"«tablet»\"\n  allowed_ips = [\"10.8.0.4/32\"]\n}\n";
    let text = format!("{HUB}{third}");
    let mut lab = Lab::matching(&text);
    ["laptop", "phone", "tablet"].iter().for_each(|it| lab.host("hq").handshake("wg0", it, 9));
    let round = text.replace("10.8.0.2/32", "x").replace("10.8.0.3/32", "10.8.0.2/32");
    lab.replace(&round.replace("10.8.0.4/32", "10.8.0.3/32").replace("\"x\"", "\"10.8.0.4/32\""));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
              - "10.8.0.2/32",
              + "10.8.0.4/32",
            ]
            # 6 unchanged attributes hidden
        }

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface   = interface.hub
            name        = "phone"
          ~ allowed_ips = [
              + "10.8.0.2/32",
              - "10.8.0.3/32",
            ]
            # 7 unchanged attributes hidden
        }

      # peer.tablet on local "hq" (simulated) will be updated in place
      ~ peer "tablet" {
            interface   = interface.hub
            name        = "tablet"
          ~ allowed_ips = [
              + "10.8.0.3/32",
              - "10.8.0.4/32",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 3 to change, 0 to destroy. Drift undone: none. Sessions kept: 3 of 3.
    "#);
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «tablet» [10.8.0.3/32] keepalive off
      «phone» [10.8.0.2/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.4/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn the_peer_that_gives_a_network_up_is_changed_before_the_one_that_takes_it() {
    let mut lab = Lab::matching(HUB);
    lab.edit("10.8.0.3/32", "10.8.0.9/32");
    lab.edit("\"10.8.0.2/32\"", "\"10.8.0.2/32\", \"10.8.0.3/32\"");
    assert_snapshot!(lab.steps(), @"
    peer.phone: update wg0/«phone» allowed_ips
    peer.laptop: update wg0/«laptop» allowed_ips
    ");
    lab.settle();
}

#[test]
fn two_peers_swap_their_keys_in_place() {
    let mut lab = Lab::matching(HUB);
    ["laptop", "phone"].iter().for_each(|it| lab.host("hq").handshake("wg0", it, 9));
    let swapped = HUB.replace("«phone»", "«x»").replace("«laptop»", "«phone»");
    lab.replace(&swapped.replace("«x»", "«laptop»"));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "laptop" {
            interface            = interface.hub
          ~ public_key           = "«laptop»" -> "«phone»"  # forces replacement
            name                 = "laptop"
          ~ allowed_ips          = [
              + "10.8.0.2/32",
              - "10.8.0.3/32",
            ]
          ~ persistent_keepalive = "25s" -> "off"
            # 5 unchanged attributes hidden
        }

      # peer.phone on local "hq" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "phone" {
            interface            = interface.hub
          ~ public_key           = "«phone»" -> "«laptop»"  # forces replacement
            name                 = "phone"
          ~ allowed_ips          = [
              - "10.8.0.2/32",
              + "10.8.0.3/32",
            ]
          + endpoint             = "198.51.100.7:51820"
          ~ persistent_keepalive = "off" -> "25s"
            # 4 unchanged attributes hidden
        }

    This apply cuts 2 sessions:

      peer.laptop, last handshake 9 s ago
      peer.phone, last handshake 9 s ago

    Plan: 2 to add, 0 to change, 2 to destroy. Drift undone: none. Sessions kept: 0 of 2.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.laptop: update wg0/«phone» allowed_ips persistent_keepalive
    peer.phone: update wg0/«laptop» allowed_ips endpoint persistent_keepalive
    peer.laptop: record
    peer.phone: record
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.2/32] at 198.51.100.7:51820 keepalive off
      «laptop» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn a_key_goes_from_one_peer_to_another_that_had_a_third() {
    let mut lab = Lab::matching(HUB);
    lab.replace(&HUB.replace("«phone»", "«tablet»").replace("«laptop»", "«phone»"));
    assert_snapshot!(lab.steps(), @"
    peer.laptop: update wg0/«phone» allowed_ips persistent_keepalive
    peer.laptop: delete wg0/«laptop»
    peer.phone: create wg0/«tablet»
    peer.phone: record
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «tablet» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «phone» [10.8.0.2/32] at 198.51.100.7:51820 keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn a_new_peer_takes_the_name_of_a_renamed_interface() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"wg0\"", "\"wg9\"").remove_block("peer \"laptop\"").append(
        "peer \"tablet\" {\n  interface = interface.hub\n  public_key = \"«tablet»\"\n  allowed_ips = [\"10.8.0.4/32\"]\n}\n",
    );
    lab.edit("10.8.0.3/32", "10.8.0.2/32").edit("«phone»", "«phone 2»");
    assert_snapshot!(lab.steps(), @"
    peer.laptop: delete wg0/«laptop»
    interface.hub: update wg0 to wg9 key
    peer.phone: create wg9/«phone 2»
    peer.phone: delete wg9/«phone»
    peer.tablet: create wg9/«tablet»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg9 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «tablet» [10.8.0.4/32] keepalive off
      «phone 2» [10.8.0.2/32] at 198.51.100.7:51820 keepalive 25s
    file /var/lib/wgform/keys/wg9
    ");
}

#[test]
fn both_ends_of_every_link_are_next_to_each_other() {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    text += "interface \"hub\" {\n  backend = backend.hq\n  name = \"wg0\"\n}\n";
    for n in 1..4 {
        text += &format!(
            "backend \"local\" \"s{n}\" {{\n  simulate = true\n}}\n\
             interface \"s{n}\" {{\n  backend = backend.s{n}\n  name = \"wg0\"\n}}\n\
             peer \"to_s{n}\" {{\n  interface = interface.hub\n  public_key = interface.s{n}.public_key\n  allowed_ips = [\"10.{n}.0.0/16\"]\n}}\n\
             peer \"from_s{n}\" {{\n  interface = interface.s{n}\n  public_key = interface.hub.public_key\n  allowed_ips = []\n}}\n"
        );
    }
    let lab = Lab::new(&text);
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg0
    interface.s1: create wg0
    interface.s2: create wg0
    interface.s3: create wg0
    peer.to_s1: create wg0/?
    peer.from_s1: create wg0/?
    peer.to_s2: create wg0/?
    peer.from_s2: create wg0/?
    peer.to_s3: create wg0/?
    peer.from_s3: create wg0/?
    ");
    lab.settle();
}

#[test]
fn depends_on_is_kept_in_both_directions() {
    let text = HUB.replace("\"«phone»\"", "\"«phone»\"\n  depends_on = [peer.laptop]");
    let mut lab =
        Lab::new(&text.replace("peer \"laptop\"", "peer \"z\"").replace("peer.laptop", "peer.z"));
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg0
    peer.z: create wg0/«laptop»
    peer.phone: create wg0/«phone»
    ");
    lab.settle();
    lab.options.destroy = true;
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.z: delete wg0/«laptop»
    interface.hub: delete wg0
    ");
}

#[test]
fn a_swap_that_is_cut_off_in_the_middle_goes_on() {
    for done in 0..4 {
        for reported in 0..=done {
            let mut lab = Lab::matching(TWO);
            let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
            let swapped = TWO.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\"");
            let text =
                swapped.replace("51820", "@").replace("51821", "51820").replace('@', "51821");
            lab.replace(&text);
            lab.let_time_pass();
            lab.crash(Crash { done, reported });
            lab.stop_time();
            assert!(!lab.plan().contains("Drift:"), "{done} {reported} {}", lab.plan());
            lab.settle();
            assert_eq!((lab.host("hq").key_of("wg1"), lab.host("hq").key_of("wg0")), (a, b));
        }
    }
}

#[test]
fn a_port_that_is_kept_without_being_written_is_not_given_away() {
    let mut lab = Lab::matching(TWO);
    lab.edit("\n  listen_port = 51820", "").edit("51821", "51820");
    assert_snapshot!(lab.plan(), @r#"
    error: two interfaces with one listen port
      at `51820`: `51820` on backend `hq`
      at `interface "a"`: this has `51820` on backend `hq` now, and keeps it because it names no other
      help: Two interfaces that are up cannot listen on one port. Give one of them another `listen_port`.
    "#);
    lab.edit("51820", "51821");
    lab.assert_settled();
}
