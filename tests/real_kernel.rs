//! The conformance suite over the kernel's own WireGuard. It runs only inside the throw-away VM of
//! `.ci/kernel-vm-runner.sh`, which sets `KERNEL_VM=1`: on a real host it would meet somebody's `wg0`.
//!
//! ```sh
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/.ci/kernel-vm-runner.sh cargo test --test real_kernel
//! ```

#![expect(clippy::disallowed_methods, reason = "whether this is the VM is in the environment")]
#![expect(clippy::print_stderr, reason = "a test that does not run says so")]

mod conformance;
mod far;
mod harness;
mod hosts;
mod sandbox;
#[path = "conformance/tunnel.rs"]
mod tunnel;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use wgform::backend::linux::Linux;
use wgform::config::Driver;
use wgform::persist::Style;
use wgform::resource::Fields;

use crate::conformance::bed::{create, hub_fields, id, private, world};
use crate::conformance::{Bed, Kind};
use crate::sandbox::{empty_wg_quick, sandboxed, sh, two_hosts};

scenarios!(kernel);
host_scenarios!(program);

fn kernel(name: &str, scenario: fn(&Bed)) {
    in_vm(name, || scenario(&bed(None)));
}

/// What is the kernel's own, over the shell of another host: the VM plays it itself, with the tools of busybox. The whole
/// suite runs over a real server in `tests/real_ssh.rs`, on userspace WireGuard.
mod over_ssh {
    use crate::far::{Fake, plain};
    use crate::{Bed, Driver, Kind, Linux, id, in_vm, world};

    // Few, because every program that the shell starts takes its time in an emulated machine, and others measure theirs.
    crate::scenarios!(@each far, interfaces:
        a_created_interface_reads_back
        an_interface_is_renamed_where_the_host_can
    );
    crate::scenarios!(@each far, peers:
        a_created_peer_reads_back
    );
    crate::scenarios!(@each far, routes:
        rules_come_and_go
    );

    fn far(name: &str, scenario: fn(&Bed)) {
        in_vm(&format!("over_ssh::{name}"), || {
            let fake = Fake::new();
            let world = world(fake.environment(), fake.directory.path().to_owned());
            let backend = Linux::over_ssh(id(), plain("hub"), None, Driver::Auto, world);
            scenario(&fake.bed_of(Kind::Kernel, backend));
        });
    }
}

/// Runs a scenario with the built program.
fn program(name: &str, scenario: fn(&str)) {
    in_vm(name, || scenario("kernel"));
}

/// Runs a test in a sandbox of the VM, so that every one starts with an empty host.
fn in_vm(name: &str, body: impl FnOnce()) {
    if env::var_os("KERNEL_VM").is_none() {
        // Who asks for these tests alone must not be content with their having been passed over.
        assert!(env::var_os("REAL_KERNEL").is_none(), "{name} has to run, and this is not the VM");
        eprintln!("skipped {name}: not in the VM of .ci/kernel-vm-runner.sh");
        return;
    }
    // The VM has next to nothing.
    if env::var_os("IN_SANDBOX").is_none() {
        sh("mkdir -p /var/lib; test -e /etc/hosts || echo 127.0.0.1 localhost >/etc/hosts");
    }
    sandboxed(name, &[], body);
}

fn bed(netns: Option<&str>) -> Bed {
    // Auto has to find the kernel's by itself.
    let world = world(BTreeMap::new(), PathBuf::from("/nowhere"));
    Bed {
        kind: Kind::Kernel,
        backend: Box::new(Linux::real(id(), netns.map(str::to_owned), Driver::Auto, world)),
        add_other_link: Box::new(|name| drop(sh(&format!("ip link add {name} type dummy")))),
        add_route: Box::new(|to, device| drop(sh(&format!("ip route add {to} dev {device}")))),
        set_up: Box::new(|name, up| {
            sh(&format!("ip link set {name} {}", if up { "up" } else { "down" }));
        }),
    }
}

#[test]
fn two_links_that_are_up_cannot_share_a_port() {
    in_vm("two_links_that_are_up_cannot_share_a_port", || {
        let bed = bed(None);
        bed.hub();
        let why = bed.failed(create("wg1", &private(2), hub_fields()));
        assert_eq!(why, "failed: the listen port is taken by another program or link");
        assert_eq!(bed.read().interfaces.len(), 1);
    });
}

#[test]
fn packets_cross_a_tunnel_and_other_sessions_outlive_a_change() {
    in_vm("packets_cross_a_tunnel_and_other_sessions_outlive_a_change", || {
        two_hosts();
        tunnel::carries_packets((&bed(Some("a")), "wg0"), (&bed(Some("b")), "wg0"));
    });
}

#[test]
fn networkd_brings_back_what_was_persisted() {
    if env::var_os("KERNEL_VM").is_none() {
        return in_vm("networkd_brings_back_what_was_persisted", || {});
    }
    // Not in a sandbox: networkd gives up its rights, and has to read the files as its own user.
    sh("mkdir -p /etc/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/udev
        echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd; echo 'root:x:0:' >/etc/group
        echo 'systemd-network:x:998:998::/:/bin/false' >>/etc/passwd; echo 'systemd-network:x:998:' >>/etc/group");
    let forget =
        || drop(sh("ip link delete wg0; ip -4 rule flush proto 119; ip -6 rule flush proto 119"));
    // Without udev, links count as initialised where `/sys` cannot be written.
    let boot = || {
        sh("unshare -m sh -c 'mount -o remount,bind,ro /sys; exec /job/systemd-networkd' >/dev/null 2>&1 & pid=$!
            i=0; until ip -6 address show dev wg0 2>/dev/null | grep -q fd00 || test $i -gt 100; do sleep 0.2; i=$((i+1)); done
            kill $pid");
    };
    crate::conformance::boot::comes_back(&bed(None), Style::Networkd, forget, boot);
}

#[test]
fn wg_quick_brings_back_what_was_persisted() {
    in_vm("wg_quick_brings_back_what_was_persisted", || {
        empty_wg_quick();
        let start = || drop(sh("ln -sfn /proc/self/fd /dev/fd; /job/bash /job/wg-quick up wg0"));
        let forget = || {
            drop(sh("ip link delete wg0; ip -4 rule flush proto 119; ip -6 rule flush proto 119"))
        };
        crate::conformance::boot::comes_back(&bed(None), Style::WgQuick, forget, start);
    });
}

#[test]
fn a_link_is_the_kernels_own() {
    in_vm("a_link_is_the_kernels_own", || {
        let bed = bed(None);
        bed.done(create("wg0", &private(1), Fields::new()));
        assert!(sh("ip -d link show wg0").contains("wireguard"));
    });
}
