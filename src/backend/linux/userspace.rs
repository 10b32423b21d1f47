//! The process behind a userspace WireGuard: whether it is there, and how it is started.

#![expect(clippy::disallowed_methods, reason = "this module starts and waits for a process")]
#![expect(clippy::disallowed_types, reason = "a socket that answers is how a process is seen")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::backend::program::prepared;
use crate::simulator::linux::call::Refusal;

/// How long a process gets to be there, or to be gone. It takes 10 to 20 ms.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// Where every implementation puts its sockets; the same place as a rule, by two names.
const SOCKETS: [&str; 2] = ["/var/run/wireguard", "/run/wireguard"];
/// What to do where the kernel is to have WireGuard and has none.
pub(crate) const NO_MODULE: &str =
    "load it with `modprobe wireguard`, or set `driver = \"userspace\"` on the backend";
/// What to do where no tun device can be made.
pub(crate) const NO_TUN: &str = "this host has no /dev/net/tun: load the module with `modprobe tun`, or give the container the device";
/// The program, unless the backend or the environment names another.
const PROGRAM: &str = "wireguard-go";

/// Returns whether a process answers for a name. A socket that was left behind does not.
pub(crate) fn is_served(name: &str) -> Result<bool, Refusal> {
    match UnixStream::connect(socket(name)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Errno::ACCESS.into()),
        Err(_) => Ok(false),
    }
}

/// Returns the program to start: what the backend says, else the environment as it does to `wg-quick`.
pub(crate) fn program(given: Option<&str>, environment: &BTreeMap<String, String>) -> String {
    let variables = ["WG_USERSPACE_IMPLEMENTATION", "WG_QUICK_USERSPACE_IMPLEMENTATION"];
    let wanted = variables.iter().find_map(|variable| environment.get(*variable));
    given.or(wanted.map(String::as_str)).unwrap_or(PROGRAM).to_owned()
}

/// Starts a process for a name in the network namespace of this thread, and returns when it answers.
pub(crate) fn start(
    name: &str,
    program: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    if is_served(name)? {
        return Err(Refusal::said(
            "a userspace WireGuard of that name runs in another network namespace",
            "give the interface a name that is unique on the machine: their sockets share one directory",
        ));
    }
    // It outlives us: it keeps nothing of the environment, and does not share our output.
    let mut command = prepared(Path::new(program), environment);
    command.arg(name).stdout(Stdio::null()).stderr(Stdio::null());
    if is_called(program, "boringtun") {
        // It would give up the rights that it needs, and ends where there is nobody to give them up to.
        command.env("WG_SUDO", "true");
    }
    let child = command.spawn().map_err(|error| not_started(program, error.kind()))?;
    wait_until_served(name, program, child)
}

/// Waits until the process of a name is gone.
pub(crate) fn wait_until_gone(name: &str) -> Result<(), Refusal> {
    if poll(|| Ok(!is_served(name)?))? {
        return Ok(());
    }
    Err(Refusal::said(
        "its process did not end",
        format!("see which one it is with `pgrep -af {name}`, and end it"),
    ))
}

fn wait_until_served(name: &str, program: &str, mut child: Child) -> Result<(), Refusal> {
    let mut ended: Option<ExitStatus> = None;
    let is_there = poll(|| {
        ended = child.try_wait().ok().flatten();
        if ended.is_some_and(|status| !status.success()) {
            return Ok(true);
        }
        is_served(name)
    })?;
    match ended {
        Some(status) if !status.success() => Err(Refusal::said(
            format!("`{program}` did not start: {status}"),
            failed_hint(name, program),
        )),
        _ if is_there => {
            // The first process hands over to one in the background and ends. One that stays is the server itself.
            _ = poll(|| Ok(child.try_wait().ok().flatten().is_some() || !is_daemon(program)))?;
            Ok(())
        }
        _ => {
            _ = child.kill();
            _ = child.wait();
            Err(Refusal::said(format!("`{program}` does not answer"), failed_hint(name, program)))
        }
    }
}

fn is_daemon(program: &str) -> bool {
    is_called(program, PROGRAM)
}

fn is_called(program: &str, name: &str) -> bool {
    let file = Path::new(program).file_name().unwrap_or_default();
    file.to_string_lossy().starts_with(name)
}

fn failed_hint(name: &str, program: &str) -> String {
    if !rustix::process::geteuid().is_root() {
        return "run as root, or with the capability CAP_NET_ADMIN".to_owned();
    }
    match has_tun() {
        true => format!("see why with `LOG_LEVEL=verbose {program} -f {name}`"),
        false => NO_TUN.to_owned(),
    }
}

/// Returns whether tun devices can be made.
pub(crate) fn has_tun() -> bool {
    Path::new("/dev/net/tun").exists()
}

fn not_started(program: &str, kind: ErrorKind) -> Refusal {
    match kind {
        ErrorKind::NotFound => Refusal::Said {
            reason: format!("there is no WireGuard here: `{program}` is not installed"),
            hints: to_install(program),
        },
        kind => Refusal::said(
            format!("`{program}` could not be started: {kind}"),
            "see that the program is there and may be run",
        ),
    }
}

/// Says how a host without WireGuard gets one.
pub(crate) fn to_install(program: &str) -> Vec<String> {
    let kernel =
        "or use the kernel's, which is faster and on Fedora the one there is: `modprobe wireguard`"
            .to_owned();
    let userspace = match program {
        PROGRAM => "install it: `apt install wireguard-go` on Debian and Ubuntu, `apk add wireguard-go` on Alpine"
            .to_owned(),
        _ => format!("install `{program}`, or name another `userspace_program` on the backend"),
    };
    vec![userspace, kernel]
}

fn poll(mut is_so: impl FnMut() -> Result<bool, Refusal>) -> Result<bool, Refusal> {
    let end = Instant::now() + PATIENCE;
    loop {
        if is_so()? {
            return Ok(true);
        }
        if Instant::now() > end {
            return Ok(false);
        }
        thread::sleep(PAUSE);
    }
}

fn socket(name: &str) -> PathBuf {
    let folder = SOCKETS.iter().find(|folder| Path::new(folder).exists()).unwrap_or(&SOCKETS[1]);
    Path::new(folder).join(format!("{name}.sock"))
}
