//! Name servers of a link: systemd-resolved, `resolvconf`, or neither.

use wgform::simulator::linux::call::Program;

use crate::lab::Lab;

const HUB: &str = r#"
    backend "local" "hq" { simulate = true }
    interface "wg0" {
      listen_port = 51820
      dns         = ["10.8.0.53", "fd00:8::53"]
      dns_search  = ["Corp.Example.com.", "~."]
    }
"#;

fn ran(lab: &Lab, since: usize) -> Vec<String> {
    let line = |program: &Program| program.argv.join(" ");
    lab.host("hq").linux.ran()[since..].iter().map(line).collect()
}

/// Starts with a host that has `resolvconf` and no systemd-resolved.
fn with_resolvconf() -> Lab {
    let lab = Lab::new(HUB);
    let linux = lab.host("hq").linux;
    linux.set_program("resolvectl", false).unwrap();
    linux.set_program("resolvconf", true).unwrap();
    lab
}

#[test]
fn name_servers_are_set_in_their_order_and_read_back() {
    let mut lab = Lab::new(HUB);
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be created
      + interface "wg0" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
          + dns         = ["10.8.0.53", "fd00:8::53"]
          + dns_search  = ["corp.example.com", "~."]
        }

    Plan: 1 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(
        ran(&lab, 0),
        ["resolvectl dns wg0 10.8.0.53 fd00:8::53", "resolvectl domain wg0 corp.example.com ~."]
    );
    lab.edit(r#""10.8.0.53", "fd00:8::53""#, r#""fd00:8::53", "10.8.0.53""#);
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be updated in place
      ~ interface "wg0" {
            name = "wg0"
          ~ dns  = ["10.8.0.53", "fd00:8::53"] -> ["fd00:8::53", "10.8.0.53"]
            # 10 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    lab.edit(r#"dns_search  = ["Corp.Example.com.", "~."]"#, "");
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be updated in place
      ~ interface "wg0" {
            name       = "wg0"
          - dns_search = ["corp.example.com", "~."] -> (the device's default)
            # 10 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(ran(&lab, 2), ["resolvectl dns wg0 fd00:8::53 10.8.0.53", "resolvectl domain wg0 "]);
}

#[test]
fn name_servers_that_were_changed_by_hand_are_drift() {
    let lab = Lab::matching(HUB);
    let argv = ["resolvectl", "dns", "wg0", "192.0.2.1"].map(str::to_owned).to_vec();
    let (environment, timeout) = (Default::default(), std::time::Duration::from_secs(1));
    lab.host("hq").linux.run(&Program { argv, environment, timeout }).unwrap();
    insta::assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.wg0 on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "wg0" {
            name = "wg0"
          ~ dns  = ["192.0.2.1"] -> ["10.8.0.53", "fd00:8::53"]
            # 10 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn name_servers_that_nobody_declared_are_left_alone() {
    let lab = Lab::matching(
        r#"backend "local" "hq" { simulate = true }
        interface "wg0" {}"#,
    );
    let argv = ["resolvectl", "dns", "wg0", "192.0.2.1"].map(str::to_owned).to_vec();
    let (environment, timeout) = (Default::default(), std::time::Duration::from_secs(1));
    lab.host("hq").linux.run(&Program { argv, environment, timeout }).unwrap();
    lab.assert_settled();
}

#[test]
fn without_systemd_resolved_resolvconf_is_given_them_while_the_link_is_up() {
    let mut lab = with_resolvconf();
    lab.settle();
    let given = |lab: &Lab| lab.host("hq").linux.resolvconf();
    assert_eq!(
        given(&lab)["wg0"],
        "nameserver 10.8.0.53\nnameserver fd00:8::53\nsearch corp.example.com"
    );
    assert!(ran(&lab, 0)[0].contains("-m 0 -x"), "{:?}", ran(&lab, 0));
    lab.edit("listen_port = 51820", "enabled = false");
    lab.settle();
    assert!(given(&lab).is_empty());
    lab.edit("enabled = false", r#"name = "wg1""#);
    lab.settle();
    assert_eq!(given(&lab).into_keys().collect::<Vec<_>>(), ["wg1"]);
    lab.edit(r#"name = "wg1""#, r#"name = "wg2""#);
    lab.settle();
    assert_eq!(given(&lab).into_keys().collect::<Vec<_>>(), ["wg2"]);
    lab.replace(r#"backend "local" "hq" { simulate = true }"#);
    lab.settle();
    assert!(given(&lab).is_empty());
}

#[test]
fn a_domain_that_resolvconf_cannot_route_is_an_error() {
    let mut lab = with_resolvconf();
    lab.edit("\"~.\"", "\"~corp\"");
    insta::assert_snapshot!(lab.plan(), @r#"
    error: domain that the host's resolver cannot route
      at `["Corp.Example.com.", "~corp"]`: `~corp` needs systemd-resolved, and backend `hq` has `resolvconf`
      help: Remove the `~`, or install `systemd-resolved` there and start it.
    "#);
}

#[test]
fn a_host_without_a_resolver_is_an_error_of_the_plan() {
    let lab = Lab::new(HUB);
    lab.host("hq").linux.set_program("resolvectl", false).unwrap();
    insta::assert_snapshot!(lab.plan(), @r#"
    error: name servers for a host without a resolver
      at `["10.8.0.53", "fd00:8::53"]`: nothing on backend `hq` takes name servers for a link
      help: Install `systemd-resolved` there and start it, or install `openresolv`, which some systems call `resolvconf`.
    "#);
}

#[test]
fn what_is_no_name_server_and_no_domain_is_said() {
    let lab = Lab::new(
        r#"
        backend "local" "hq" { simulate = true }
        interface "wg0" {
          dns        = ["10.8.0.53/32", "dns.example.com"]
          dns_search = ["a b", "münchen.example"]
        }
    "#,
    );
    insta::assert_snapshot!(lab.plan(), @r#"
    error: invalid value
      at `"10.8.0.53/32"`: this is not the address of a name server
      help: Write it without a prefix length.
    error: invalid value
      at `"dns.example.com"`: this is not the address of a name server
      help: Write an IP address such as `10.8.0.53` or `fd00:8::53`.
    error: invalid value
      at `"a b"`: this is not a domain name
      help: Write it as `corp.example.com`, in its ASCII form, or `~.` for every name.
    error: invalid value
      at `"münchen.example"`: this is not a domain name
      help: Write it as `corp.example.com`, in its ASCII form, or `~.` for every name.
    "#);
}

#[test]
fn a_network_namespace_has_no_resolver() {
    let lab = Lab::new(
        r#"
        backend "local" "hq" {
          simulate = true
          netns    = "blue"
        }
        interface "wg0" { dns = ["10.8.0.53"] }
    "#,
    );
    insta::assert_snapshot!(lab.plan(), @r#"
    error: name servers in a network namespace
      at `["10.8.0.53"]`: backend `hq` is in the network namespace `blue`, where no resolver runs
      help: Write them into `/etc/netns/blue/resolv.conf`, which `ip netns exec` uses.
    "#);
}
