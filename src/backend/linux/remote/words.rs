//! What the programs of another host say when they refuse, as error numbers where they mean one.

use rustix::io::Errno;

use crate::simulator::linux::call::Refusal;

/// The system's texts that something depends on. The programs do not translate them.
const ERRNOS: &[(&str, Errno)] = &[
    ("Operation not permitted", Errno::PERM),
    ("Permission denied", Errno::ACCESS),
    ("No such file or directory", Errno::NOENT),
    ("Directory nonexistent", Errno::NOENT),
    ("File exists", Errno::EXIST),
    ("No such device", Errno::NODEV),
    ("Invalid argument", Errno::INVAL),
    ("No buffer space available", Errno::NOBUFS),
    ("Operation not supported", Errno::OPNOTSUPP),
    ("Not supported", Errno::OPNOTSUPP),
    ("Address already in use", Errno::ADDRINUSE),
    ("Device or resource busy", Errno::BUSY),
    ("Cannot assign requested address", Errno::ADDRNOTAVAIL),
    ("No space left on device", Errno::NOSPC),
    ("Disk quota exceeded", Errno::DQUOT),
    ("Read-only file system", Errno::ROFS),
    ("Is a directory", Errno::ISDIR),
    ("Not a directory", Errno::NOTDIR),
    ("Cannot allocate memory", Errno::NOMEM),
    ("No such process", Errno::SRCH),
    ("Network is down", Errno::NETDOWN),
    ("Address family not supported by protocol", Errno::AFNOSUPPORT),
    // The kernel's own explanations, which newer versions of `ip` print in the place of the number.
    ("Address already assigned.", Errno::EXIST),
    ("address already assigned.", Errno::EXIST),
    ("Address not found.", Errno::ADDRNOTAVAIL),
    ("address not found.", Errno::ADDRNOTAVAIL),
    ("Unknown device type.", Errno::OPNOTSUPP),
    ("Device for nexthop is not up.", Errno::NETDOWN),
    ("Nexthop device is not up.", Errno::NETDOWN),
    ("FIB table does not exist.", Errno::SRCH),
];

/// What `ip` says of a link that is not there.
const NO_LINK: [&str; 2] = ["Cannot find device", "does not exist"];

/// What an old or a small `ip` says to `-j`.
const NO_JSON: [&str; 5] =
    ["Option \"-j\"", "unrecognized option", "invalid option", "illegal option", "BusyBox"];

/// What `sudo` and the shell say when they do not let a user through.
const NO_SUDO: [&str; 5] = [
    "sudo:",
    "is not allowed to execute",
    "may not run sudo",
    "not in the sudoers",
    "must have a tty",
];

/// Says what the failure of `ip` means.
pub(crate) fn of_ip(complaint: &str) -> Refusal {
    if NO_JSON.iter().any(|it| complaint.contains(it)) {
        return Refusal::said(
            "the host's `ip` is too old, or too small, to answer in JSON",
            "install the package `iproute2`, version 4.18 or later",
        );
    }
    if complaint.contains("Cannot open network namespace") {
        return Refusal::said(
            "there is no network namespace of that name on the host",
            "make it there with `ip netns add NAME`, or see which there are with `ip netns list`",
        );
    }
    if NO_LINK.iter().any(|it| complaint.contains(it)) {
        return Errno::NODEV.into();
    }
    common("ip", complaint).unwrap_or_else(|| {
        let shown = first_line(complaint).trim_start_matches("Error: ").trim_end_matches('.');
        said("ip", shown)
    })
}

/// Says what the failure of `wg` means. Its texts repeat what it was given, keys too, so that none of them is passed on.
pub(crate) fn of_wg(complaint: &str) -> Refusal {
    // What a kernel without the module says of any name.
    if complaint.contains("Protocol not supported") {
        return Errno::NODEV.into();
    }
    common("wg", complaint).unwrap_or_else(|| {
        Refusal::said(
            "`wg` on the host refused, for a reason that may hold a key and is not shown",
            "see that its version is 1.0.20191226 or later, with `wg --version`",
        )
    })
}

/// Says what the failure of a command on a file means.
pub(crate) fn of_file(complaint: &str) -> Refusal {
    match common("sh", complaint) {
        Some(Refusal::Errno(Errno::PERM | Errno::ACCESS)) => Refusal::said(
            "this user may not read or write that file on the host",
            "log in as root, let the user run everything by `sudo -n`, or set `key_file` to a path that is the user's own",
        ),
        Some(refusal) => refusal,
        None => said("sh", first_line(complaint)),
    }
}

/// Says it of a question that only root may ask.
pub(crate) fn as_user(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Errno(Errno::PERM | Errno::ACCESS) => Refusal::said(
            "this user may not read WireGuard interfaces on the host",
            "log in as root, or leave out `sudo = false` in the `ssh` block and let `sudo -n` run `wg` and `ip`",
        ),
        refusal => refusal,
    }
}

fn common(program: &str, complaint: &str) -> Option<Refusal> {
    // It says so of every command on a host that does not know its own name, and goes on.
    let is_warning = |line: &&str| !line.starts_with("sudo: unable to resolve host");
    let lines: Vec<&str> = complaint.lines().filter(is_warning).map(str::trim_end).collect();
    let says = |text: &str| lines.iter().any(|line| line.contains(text));
    if says("sudo: not found") || says("sudo: command not found") {
        return Some(Refusal::said(
            "there is no `sudo` on the host, and this user is not root",
            "install the package `sudo` there, or log in as root",
        ));
    }
    if lines.last().is_some_and(|line| line.ends_with("not found")) {
        return Some(not_installed(program));
    }
    if NO_SUDO.iter().any(|it| says(it)) {
        return Some(no_rights(program));
    }
    errno(complaint).map(Refusal::Errno)
}

/// Finds the error number that a complaint ends with.
fn errno(complaint: &str) -> Option<Errno> {
    let mut lines = complaint.lines().map(str::trim_end);
    lines.find_map(|line| {
        ERRNOS.iter().find(|(text, _)| line.ends_with(text)).map(|(_, errno)| *errno)
    })
}

/// Says that `sudo -n` does not let the user through.
pub(crate) fn no_rights(program: &str) -> Refusal {
    Refusal::said(
        format!(
            "this user may not run `{program}` as root on the host, by `sudo -n` and without a password"
        ),
        "allow it in a file of /etc/sudoers.d, `USER ALL=(root) NOPASSWD: /usr/bin/wg, /usr/sbin/ip`, or log in as root; either equals root",
    )
}

/// Says which package is missing.
pub(crate) fn not_installed(program: &str) -> Refusal {
    let package = match program {
        "wg" => "wireguard-tools",
        "ip" => "iproute2",
        other => other,
    };
    Refusal::said(
        format!("there is no `{program}` on the host"),
        format!("install the package `{package}` there"),
    )
}

fn said(program: &str, text: &str) -> Refusal {
    let mut chars = text.chars().filter(|c| !c.is_control()).take(200);
    let shown: String = match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "it does not say why".to_owned(),
    };
    Refusal::said(
        format!("`{program}` on the host refused: {shown}"),
        "see what is special about that host",
    )
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use crate::backend::linux::remote::words::{of_file, of_ip, of_wg};
    use crate::simulator::linux::call::Refusal;

    #[test]
    fn the_words_of_programs_are_error_numbers() {
        for (text, errno) in [
            ("RTNETLINK answers: File exists\nCommand failed -:2", Errno::EXIST),
            ("Error: ipv4: Address already assigned.\nCommand failed -:1", Errno::EXIST),
            ("Error: ipv4: Address not found.", Errno::ADDRNOTAVAIL),
            ("RTNETLINK answers: Cannot assign requested address", Errno::ADDRNOTAVAIL),
            ("Cannot find device \"wg0\"\nCommand failed -:1", Errno::NODEV),
            ("Device \"wg0\" does not exist.", Errno::NODEV),
            ("Error: Unknown device type.", Errno::OPNOTSUPP),
            ("RTNETLINK answers: Operation not supported", Errno::OPNOTSUPP),
        ] {
            assert_eq!(of_ip(text), Refusal::Errno(errno), "{text}");
        }
        for (text, errno) in [
            ("Unable to modify interface: Operation not permitted", Errno::PERM),
            ("Unable to access interface: Protocol not supported", Errno::NODEV),
            ("Unable to access interface: No such device", Errno::NODEV),
        ] {
            assert_eq!(of_wg(text), Refusal::Errno(errno), "{text}");
        }
        for (text, errno) in [
            ("cat: write error: No space left on device", Errno::NOSPC),
            ("sh: 1: cannot create /x/y: Directory nonexistent", Errno::NOENT),
            ("mkdir: can't create directory '/x': Read-only file system", Errno::ROFS),
        ] {
            assert_eq!(of_file(text), Refusal::Errno(errno), "{text}");
        }
    }

    #[test]
    fn what_holds_a_key_is_not_passed_on() {
        let leaky = "Key is not the correct length or format: `hunter2hunter2'";
        assert!(!format!("{:?}", of_wg(leaky)).contains("hunter2"));
    }

    #[test]
    fn what_stands_in_the_way_is_named_with_the_way_out() {
        let shown = |refusal| match refusal {
            Refusal::Said { reason, hints } => format!("{reason} ({})", hints.join("; ")),
            Refusal::Errno(errno) => errno.to_string(),
        };
        assert_eq!(
            shown(of_ip("Option \"-j\" is unknown, try \"ip -help\".")),
            "the host's `ip` is too old, or too small, to answer in JSON (install the package `iproute2`, version 4.18 or later)"
        );
        assert_eq!(
            shown(of_wg("sh: 3: wg: not found")),
            "there is no `wg` on the host (install the package `wireguard-tools` there)"
        );
        assert_eq!(
            shown(of_ip("Error: mtu less than device minimum.\nCommand failed -:1")),
            "`ip` on the host refused: mtu less than device minimum (see what is special about that host)"
        );
        assert_eq!(
            shown(of_wg("sh: 9: sudo: not found")),
            "there is no `sudo` on the host, and this user is not root (install the package `sudo` there, or log in as root)"
        );
        let resolve = "sudo: unable to resolve host hub: Name or service not known\n";
        let refused = format!("{resolve}RTNETLINK answers: File exists\nCommand failed -:1");
        assert_eq!(of_ip(&refused), Refusal::Errno(Errno::EXIST));
        let refused = shown(of_wg(&format!("{resolve}sudo: wg: command not found")));
        assert!(refused.starts_with("there is no `wg` on the host"), "{refused}");
        let refused =
            shown(of_ip("Cannot open network namespace \"x\": No such file or directory"));
        assert!(refused.starts_with("there is no network namespace of that name"), "{refused}");
        let refused = shown(of_wg("sudo: a password is required"));
        assert!(refused.starts_with("this user may not run `wg` as root"), "{refused}");
    }
}
