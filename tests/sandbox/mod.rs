//! Runs a test again in user, network, mount and pid namespaces of its own: no root is needed, tests run side by side,
//! and nothing (links, processes, sockets, files under `/run` and `/var/lib`) outlives a test or touches this machine.

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::disallowed_methods, reason = "these tests run programs")]
#![expect(clippy::print_stderr, reason = "a test that does not run says so")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the sandbox from the inside, and then becomes the program that it is given.
const PREPARE: &str = "mount -t tmpfs t /run; mkdir /run/wireguard /run/netns; mount -t tmpfs t /var/lib; \
    ip link set lo up; : </dev/net/tun; exec \"$@\"";

/// Runs `body` in a sandbox. Where this machine cannot make one it says why and returns, unless `CI=true` or `REAL` is
/// set: then it fails, so that nothing is green by not having run.
pub fn sandboxed(test: &str, programs: &[&str], body: impl FnOnce()) {
    sandboxed_in(NOBODY_NEEDED, test, programs, body);
}

/// Runs `body` in a sandbox that the machine's root makes, without a user namespace: an SSH server needs other users.
pub fn sandboxed_as_root(test: &str, programs: &[&str], body: impl FnOnce()) {
    sandboxed_in("-nmpfu", test, programs, body);
}

/// The namespaces that anybody can have.
const NOBODY_NEEDED: &str = "-Urnmpf";

fn sandboxed_in(namespaces: &str, test: &str, programs: &[&str], body: impl FnOnce()) {
    if env::var_os("IN_SANDBOX").is_some() {
        return body();
    }
    if let Some(why) = obstacle(namespaces, programs) {
        let is_set = |name: &&str| env::var_os(name).is_some();
        let must_run =
            ["REAL", "KERNEL_VM"].iter().any(is_set) || env::var("CI").is_ok_and(|it| it == "true");
        assert!(!must_run, "{test} has to run here, but {why}");
        eprintln!("skipped {test}: {why}");
        return;
    }
    let output = unshare(namespaces)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("IN_SANDBOX", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // A name that matches no test would be a success, too.
    let has_run = String::from_utf8_lossy(&output.stdout).contains("1 passed");
    assert!(
        output.status.success() && has_run,
        "{test} failed in its sandbox: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// Runs a script, and returns what it printed.
pub fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Empties the place where wg-quick looks for interfaces.
pub fn empty_wg_quick() {
    sh("mkdir -p /etc/wireguard; mount -t tmpfs t /etc/wireguard");
}

/// Lets the host forget `wg0` and the rules that came with it, as a reboot does.
pub fn forget_wg0() {
    sh("ip link delete wg0; while test -e /run/wireguard/wg0.sock; do sleep 0.01; done
        ip -4 rule flush proto 119; ip -6 rule flush proto 119");
}

/// Does what `wg-quick@wg0.service` does at boot.
pub fn start_wg0() {
    // Into a file: a process that stays in the background may keep a pipe open, and whoever reads that would wait for it.
    sh("wg-quick up wg0 >/run/wg-quick.log 2>&1 || { cat /run/wg-quick.log >&2; exit 1; }");
}

/// Makes two hosts, network namespaces `a` and `b`, with a wire between them: 198.51.100.1 and 198.51.100.2.
pub fn two_hosts() {
    sh("for h in a b; do ip netns add $h; ip -n $h link set lo up; done
        ip link add v0 netns a type veth peer name v0 netns b
        ip -n a address add 198.51.100.1/24 dev v0; ip -n a link set v0 up
        ip -n b address add 198.51.100.2/24 dev v0; ip -n b link set v0 up");
}

/// Sends pings from a host until one is answered, for ten seconds.
pub fn ping(netns: &str, address: &str) {
    sh(&format!(
        "for i in $(seq 30); do
            ip netns exec {netns} ping -c 1 -W 1 {address} >/dev/null && exit 0
        done; echo 'no answer from {address}' >&2; exit 1"
    ));
}

fn unshare(namespaces: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args([namespaces, "--mount-proc", "--kill-child", "sh", "-ec", PREPARE, "sh"]);
    command
}

fn obstacle(namespaces: &str, programs: &[&str]) -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| {
        env::split_paths(&path).any(|it: std::path::PathBuf| it.join(Path::new(program)).is_file())
    };
    for program in [&["unshare", "ip"], programs].concat() {
        if !is_there(program) {
            return Some(format!("`{program}` is not installed"));
        }
    }
    if !namespaces.contains('U') && !rustix::process::geteuid().is_root() {
        return Some("it needs root".to_owned());
    }
    match unshare(namespaces).arg("true").output() {
        Err(error) => Some(format!("`unshare` does not run: {error}")),
        Ok(output) if !output.status.success() => {
            let why = String::from_utf8_lossy(&output.stderr);
            Some(format!("it gives no namespaces or no /dev/net/tun: {}", why.trim()))
        }
        Ok(_) => None,
    }
}
