//! What a host's refusals mean to the user: the reason in words, and what to do.

use rustix::io::Errno;

use crate::backend::BackendError;
use crate::resource::BackendId;
use crate::simulator::linux::call::Refusal;

/// What was being done, so that an error number can be read in its light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum During {
    /// Reading.
    Reading,
    /// Making a link or giving it a name.
    Naming,
    /// Setting up a link, or its port.
    Binding,
    /// Changing what WireGuard holds.
    Configuring,
    /// Changing the addresses of a link.
    Addressing,
    /// Changing routes and policy rules.
    Routing,
    /// Reading or writing a file with a key.
    KeyFile,
    /// Running a program of the host.
    Running,
    /// Seeing to what brings an interface back at boot.
    Boot,
}

/// Puts an error together.
pub(crate) fn error(
    backend: &BackendId,
    attempt: impl Into<String>,
    during: During,
    refusal: Refusal,
) -> BackendError {
    let (reason, hints) = words(during, refusal);
    BackendError { backend: backend.clone(), attempt: attempt.into(), reason, hints }
}

/// Returns the reason, and what to do.
pub(crate) fn words(during: During, refusal: Refusal) -> (String, Vec<String>) {
    match refusal {
        Refusal::Said { reason, hints } => (reason, hints),
        Refusal::Errno(errno) => {
            let (reason, hint) = errno_words(during, errno);
            (reason, hint.map(str::to_owned).into_iter().collect())
        }
    }
}

fn errno_words(during: During, errno: Errno) -> (String, Option<&'static str>) {
    let special = match during {
        During::Routing => routing_words(errno),
        _ => None,
    };
    if let Some((reason, hint)) = special.or_else(|| connection_words(errno)) {
        return (reason.to_owned(), Some(hint));
    }
    let (reason, hint) = match (during, errno) {
        (
            During::KeyFile | During::Boot,
            Errno::PERM | Errno::ACCESS | Errno::ROFS | Errno::NOSPC | Errno::DQUOT,
        ) => file_words(during, errno),
        (_, Errno::PERM | Errno::ACCESS) => (
            "this user may not change or read WireGuard interfaces",
            "run as root, or with the capability CAP_NET_ADMIN",
        ),
        (During::Naming, Errno::EXIST) => (
            "a link of that name is there already",
            "give the interface another name, import the link, or remove it with `ip link delete`",
        ),
        (During::Naming, Errno::INVAL) => (
            "that is not a name that a link can have",
            "a name has 1 to 15 bytes, and no space, `/` or `:`",
        ),
        (During::Naming, Errno::BUSY) => {
            ("the link is up, and cannot be renamed", "set it down with `ip link set NAME down`")
        }
        (During::Binding | During::Configuring, Errno::ADDRINUSE) => (
            "the listen port is taken by another program or link",
            "choose another `listen_port`, or see who has it with `ss -ulnp`",
        ),
        (During::Addressing, Errno::INVAL | Errno::NOBUFS) => (
            "the link does not take that address",
            "IPv6 needs an MTU of at least 1280, and must not be turned off on the host",
        ),
        (_, Errno::NODEV) => ("the link is gone", "run `plan` again: it was removed in between"),
        (_, Errno::OPNOTSUPP) => (
            "the link is not a WireGuard interface",
            "see what it is with `ip -d link show`, and give the interface another name",
        ),
        (_, errno) => return (text(errno), None),
    };
    (reason.to_owned(), Some(hint))
}

/// What the kernel means when it refuses a route or a rule.
fn routing_words(errno: Errno) -> Option<(&'static str, &'static str)> {
    Some(match errno {
        Errno::ACCESS => (
            "IPv6 is turned off for the link",
            "turn it on with the sysctl `net.ipv6.conf.NAME.disable_ipv6`, or leave IPv6 networks out with `exclude`",
        ),
        Errno::EXIST => (
            "another route to that network is there already, with the same metric",
            "see it with `ip route show table all`, and set another `distance` or `table` in `routes`",
        ),
        Errno::SRCH | Errno::NOENT => ("it is gone", "run `plan` again: it was removed in between"),
        Errno::NETDOWN => ("the link is down", "run `plan` again: it was set down in between"),
        Errno::OPNOTSUPP | Errno::AFNOSUPPORT => (
            "the kernel has no policy rules",
            "a kernel with CONFIG_IP_MULTIPLE_TABLES has them; without, name a `table` in `routes`",
        ),
        _ => return None,
    })
}

/// What has become of a host that is far away.
fn connection_words(errno: Errno) -> Option<(&'static str, &'static str)> {
    Some(match errno {
        Errno::CONNRESET => (
            "the connection to the host was lost",
            "apply again once it is back: what was done until then is on record, or is looked up",
        ),
        Errno::TIMEDOUT => (
            "the host did not answer in time",
            "see what keeps it busy, or raise `timeout` in the `ssh` block of the backend",
        ),
        _ => return None,
    })
}

fn file_words(during: During, errno: Errno) -> (&'static str, &'static str) {
    match (during, errno) {
        (_, Errno::NOSPC | Errno::DQUOT) => ("the disk is full", "make room on it"),
        (During::Boot, Errno::ROFS) => (
            "the file system is read-only",
            "make it writable, or set `persist = \"none\"` where the interface is persisted by other means",
        ),
        (_, Errno::ROFS) => (
            "the file system is read-only",
            "set `key_file` to a path on a writable file system, or make this one writable",
        ),
        _ => ("this user may not read or write there", "run as root"),
    }
}

/// Returns the system's words for an error number, in the form of our messages.
pub(crate) fn text(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => format!("error number {}", errno.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use crate::backend::linux::explain::{During, error, text};
    use crate::resource::BackendId;

    #[test]
    fn errors_say_what_to_do() {
        let id = BackendId::new("hq");
        let said = |during, errno: Errno| {
            let error = error(&id, "create interface `wg0`", during, errno.into());
            format!("{error} ({})", error.hints.join("; "))
        };
        assert_eq!(
            said(During::Naming, Errno::PERM),
            "could not create interface `wg0` on backend `hq`: this user may not change or read WireGuard interfaces \
             (run as root, or with the capability CAP_NET_ADMIN)"
        );
        assert_eq!(
            said(During::KeyFile, Errno::ROFS),
            "could not create interface `wg0` on backend `hq`: the file system is read-only \
             (set `key_file` to a path on a writable file system, or make this one writable)"
        );
        assert_eq!(text(Errno::NOTCONN), "transport endpoint is not connected");
    }
}
