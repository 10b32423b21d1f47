//! How the system's `ssh` is called, and what its failure means.
//!
//! It is the system's because everything that people have set up for it then holds here too: agents, certificates, keys
//! in hardware, `ssh_config`. Whatever could weaken the check of the host's key is set here, where no file can undo it.

use std::path::Path;

use crate::backend::linux::remote::shell::quoted;
use crate::config::{Jump, Ssh};
use crate::simulator::linux::call::Refusal;
use crate::world::World;

/// What holds for every call, on the way through another host too.
const ALWAYS: [&str; 16] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=no",
    "ControlPath=none",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "EscapeChar=none",
    // Some set it to hide the reasons that are looked for here.
    "LogLevel=INFO",
];

/// Returns the arguments of `ssh` for a session with a shell at its other end.
pub(crate) fn arguments(ssh: &Ssh, world: &World) -> Vec<String> {
    let Ssh { host, port, user, host_key, jump, .. } = ssh;
    let mut words = vec!["-T".to_owned()];
    // What is said first counts: `known_hosts` is then for those on the way only.
    if let Some(fingerprint) = host_key {
        words.extend(option(&format!("KnownHostsCommand={}", pinned(fingerprint))));
        for name in ["UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null"] {
            words.extend(option(name));
        }
        words.extend(option("UpdateHostKeys=no"));
    }
    words.extend(options(ssh, world));
    if let Some(command) = proxy(jump, ssh, world) {
        words.extend(option(&format!("ProxyCommand={command}")));
    }
    words.extend(destination(user.as_deref(), *port));
    // The shell of the user may be any; this one is known.
    words.extend(["--", host, "exec /bin/sh"].map(str::to_owned));
    words
}

/// What is the same for the host and for those on the way to it.
fn options(ssh: &Ssh, world: &World) -> Vec<String> {
    let mut words: Vec<String> = ALWAYS.iter().flat_map(|it| option(it)).collect();
    if let Some(path) = &ssh.identity_file {
        words.extend(option(&format!("IdentityFile={}", in_quotes(&located(path, world)))));
        words.extend(option("IdentitiesOnly=yes"));
    }
    if let Some(path) = &ssh.known_hosts {
        words.extend(option(&format!("UserKnownHostsFile={}", in_quotes(&located(path, world)))));
        words.extend(option("GlobalKnownHostsFile=/dev/null"));
    }
    words
}

fn destination(user: Option<&str>, port: Option<u16>) -> Vec<String> {
    let user = user.map(|user| ["-l".to_owned(), user.to_owned()]);
    let port = port.map(|port| ["-p".to_owned(), port.to_string()]);
    user.into_iter().chain(port).flatten().collect()
}

/// Returns the command that brings the bytes through the last of the hosts, each reached through those before it. `-J`
/// would not hand our options on, and could ask questions on the terminal.
fn proxy(jumps: &[Jump], ssh: &Ssh, world: &World) -> Option<String> {
    let (Jump { user, host, port }, before) = jumps.split_last()?;
    let mut words = ["ssh", "-W", "[%h]:%p"].map(str::to_owned).to_vec();
    words.extend(options(ssh, world));
    if let Some(inner) = proxy(before, ssh, world) {
        // What is meant for the inner one must pass the outer one untouched.
        words.extend(option(&format!("ProxyCommand={}", inner.replace('%', "%%"))));
    }
    words.extend(destination(user.as_deref(), *port));
    words.extend(["--".to_owned(), host.clone()]);
    Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// Returns a command that calls a host key known when its fingerprint is the right one.
fn pinned(fingerprint: &str) -> String {
    let script = r#"[ "$1" = "$2" ] && printf "%%s %%s %%s\n" "$3" "$4" "$5" || :"#;
    format!("/bin/sh -c '{script}' sh {fingerprint} %f %H %t %K")
}

fn option(text: &str) -> [String; 2] {
    ["-o".to_owned(), text.to_owned()]
}

/// Finds a file beside the configuration. `ssh` knows itself what `~` is.
fn located(path: &str, world: &World) -> String {
    match path.starts_with('~') {
        true => path.to_owned(),
        false => world.path(Path::new(path)).display().to_string(),
    }
}

/// `ssh` takes several files for one option, with spaces between them, and puts other words in the place of a `%`.
fn in_quotes(path: &str) -> String {
    format!("\"{}\"", path.replace('"', "").replace('%', "%%"))
}

/// Returns how people call the host.
pub(crate) fn name(ssh: &Ssh) -> String {
    match &ssh.user {
        Some(user) => format!("{user}@{}", ssh.host),
        None => ssh.host.clone(),
    }
}

/// A text of `ssh`, and what it means.
struct Meaning {
    text: &'static str,
    explain: fn(&Ssh) -> Refusal,
}

/// The first that is found counts.
const MEANINGS: &[Meaning] = &[
    Meaning { text: "REMOTE HOST IDENTIFICATION HAS CHANGED", explain: changed_key },
    Meaning { text: "Bad configuration option: knownhostscommand", explain: no_pinning },
    Meaning { text: "Host key verification failed", explain: unknown_key },
    Meaning { text: "Could not resolve hostname", explain: no_name },
    Meaning { text: "no such identity: ", explain: no_identity },
    Meaning { text: "Load key \"", explain: unusable_identity },
    Meaning { text: "Permission denied (", explain: no_login },
    Meaning { text: "Too many authentication failures", explain: no_login },
    Meaning { text: "Connection refused", explain: refused },
    Meaning { text: "timed out", explain: silent },
    Meaning { text: "No route to host", explain: silent },
    Meaning { text: "Network is unreachable", explain: silent },
];

/// Says why there is no session. `said` is what `ssh` and the far end printed, which holds no secret: nothing was sent.
pub(crate) fn explain(ssh: &Ssh, said: &str, status: Option<i32>) -> Refusal {
    let meaning = MEANINGS.iter().find(|it| said.contains(it.text));
    if let Some(Meaning { text: _, explain }) = meaning {
        return explain(ssh);
    }
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let shown: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    let reason = match (shown.is_empty(), status) {
        (false, _) => format!("`ssh` ended with: {shown}"),
        (true, Some(status)) => format!("`ssh` ended with code {status}, and does not say why"),
        (true, None) => "`ssh` ended, and does not say why".to_owned(),
    };
    Refusal::said(reason, format!("see why with `ssh {} true`", line(ssh)))
}

/// Says that `ssh` itself could not be run.
pub(crate) fn not_started(kind: std::io::ErrorKind) -> Refusal {
    match kind {
        std::io::ErrorKind::NotFound => Refusal::said(
            "there is no `ssh` on this machine",
            "install the package `openssh-client` here",
        ),
        kind => Refusal::said(format!("`ssh` could not be run: {kind}"), "see that it can be run"),
    }
}

/// Returns what a person would write behind `ssh` to get there.
fn line(ssh: &Ssh) -> String {
    let Ssh { port, identity_file, jump, .. } = ssh;
    let mut words = Vec::new();
    words.extend(identity_file.iter().map(|path| format!("-i {path}")));
    words.extend(port.map(|port| format!("-p {port}")));
    let jumps: Vec<String> = jump.iter().map(jump_text).collect();
    words.extend(Some(jumps.join(",")).filter(|it| !it.is_empty()).map(|it| format!("-J {it}")));
    words.push(name(ssh));
    words.join(" ")
}

fn jump_text(jump: &Jump) -> String {
    let Jump { user, host, port } = jump;
    let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{user}{host}{port}")
}

fn unknown_key(ssh: &Ssh) -> Refusal {
    let Ssh { host, port, known_hosts, host_key, .. } = ssh;
    let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let scan = format!("ssh-keyscan -t ed25519 {port}{host}");
    let fingerprint = "compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself: whoever is in between could answer too";
    if let Some(pinned) = host_key {
        return Refusal::Said {
            reason: format!("the host shows another key than the one of `host_key`, {pinned}"),
            hints: vec![
                format!("see which one it shows with `{scan} | ssh-keygen -lf -`"),
                fingerprint.to_owned(),
            ],
        };
    }
    let file = known_hosts.as_deref().unwrap_or("~/.ssh/known_hosts");
    Refusal::Said {
        reason: "the key of the host, or of one on the way to it, is not known".to_owned(),
        hints: vec![
            format!("see its fingerprint with `{scan} | ssh-keygen -lf -`"),
            fingerprint.to_owned(),
            format!("then believe it with `{scan} >>{file}`, or set `host_key` to the fingerprint"),
        ],
    }
}

fn changed_key(ssh: &Ssh) -> Refusal {
    let Ssh { host, port, known_hosts, .. } = ssh;
    let file = known_hosts.as_deref().unwrap_or("~/.ssh/known_hosts");
    let entry = match port {
        Some(port) if *port != 22 => format!("'[{host}]:{port}'"),
        _ => host.clone(),
    };
    Refusal::Said {
        reason: "the host shows another key than the one that is known of it: it was installed anew, or it is somebody else"
            .to_owned(),
        hints: vec![
            format!("see the one that is known with `ssh-keygen -lF {entry} -f {file}`"),
            format!(
                "if the host was installed anew, forget the old one with `ssh-keygen -R {entry} -f {file}`"
            ),
        ],
    }
}

fn no_pinning(_: &Ssh) -> Refusal {
    Refusal::said(
        "the `ssh` of this machine is too old for `host_key`",
        "install OpenSSH 8.5 or later, or use `known_hosts` in its place",
    )
}

fn no_name(ssh: &Ssh) -> Refusal {
    Refusal::said(
        format!(
            "the name of the host, `{}`, or of one on the way to it does not resolve",
            ssh.host
        ),
        "check `host` and `jump` in the `ssh` block",
    )
}

fn no_identity(ssh: &Ssh) -> Refusal {
    let file = ssh.identity_file.as_deref().unwrap_or("~/.ssh/config");
    Refusal::said(
        format!("there is no private key at `{file}`"),
        "check `identity_file` in the `ssh` block: it is relative to the directory of the configuration",
    )
}

fn unusable_identity(ssh: &Ssh) -> Refusal {
    let file = ssh.identity_file.as_deref().unwrap_or("FILE");
    Refusal::said(
        "a private key cannot be used, and the host lets this user in with no other one",
        format!(
            "see why with `ssh-keygen -yf {file}`; nobody else may read it, as after `chmod 600 {file}`"
        ),
    )
}

fn no_login(ssh: &Ssh) -> Refusal {
    Refusal::Said {
        reason: "the host does not let this user in with any of the keys that were offered"
            .to_owned(),
        hints: vec![
            "see which keys there are with `ssh-add -l`, or name one with `identity_file`; one with a passphrase has to be in an agent"
                .to_owned(),
            format!(
                "see what is offered with `ssh -v {} true`; a password is never asked for",
                line(ssh)
            ),
        ],
    }
}

fn refused(_: &Ssh) -> Refusal {
    Refusal::said(
        "the connection was refused: nothing listens at that port",
        "check `host` and `port` in the `ssh` block, and that the SSH server runs",
    )
}

fn silent(_: &Ssh) -> Refusal {
    Refusal::said(
        "the host does not answer",
        "check that it is up, and that no firewall is in between",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use jiff::Timestamp;

    use crate::backend::linux::remote::ssh::{arguments, explain};
    use crate::config::{Jump, Ssh};
    use crate::simulator::linux::call::Refusal;
    use crate::world::World;

    fn world() -> World {
        let clock = || Timestamp::UNIX_EPOCH;
        World::new(BTreeMap::new(), PathBuf::from("/conf"), clock, |bytes| bytes.fill(7))
    }

    fn plain() -> Ssh {
        Ssh {
            host: "hub".to_owned(),
            port: None,
            user: None,
            identity_file: None,
            known_hosts: None,
            host_key: None,
            jump: Vec::new(),
            sudo: None,
            timeout: Ssh::TIMEOUT,
        }
    }

    #[test]
    fn the_host_key_is_checked_whatever_is_said() {
        let pinned = Ssh { host_key: Some("SHA256:x".to_owned()), ..plain() };
        let jump = Jump { user: None, host: "bastion".to_owned(), port: None };
        for ssh in [plain(), pinned, Ssh { jump: vec![jump], ..plain() }] {
            let line = arguments(&ssh, &world()).join(" ");
            assert!(line.contains("StrictHostKeyChecking=yes"), "{line}");
            assert!(!line.contains("StrictHostKeyChecking=no"), "{line}");
            assert!(line.ends_with("-- hub exec /bin/sh"), "{line}");
        }
    }

    #[test]
    fn files_are_beside_the_configuration() {
        let ssh = Ssh {
            identity_file: Some("keys/hub".to_owned()),
            known_hosts: Some("~/known".to_owned()),
            ..plain()
        };
        let words = arguments(&ssh, &world());
        assert!(words.contains(&"IdentityFile=\"/conf/keys/hub\"".to_owned()), "{words:?}");
        assert!(words.contains(&"UserKnownHostsFile=\"~/known\"".to_owned()), "{words:?}");
    }

    #[test]
    fn each_failure_says_what_to_do() {
        let said = |ssh: &Ssh, text: &str| match explain(ssh, text, Some(255)) {
            Refusal::Said { reason, hints } => format!("{reason}\n{}\n", hints.join("\n")),
            Refusal::Errno(errno) => errno.to_string(),
        };
        let full = Ssh { port: Some(2222), user: Some("ops".to_owned()), ..plain() };
        insta::assert_snapshot!(
            [
                said(&full, "No ED25519 host key is known for [hub]:2222 and you have requested strict checking.\r\nHost key verification failed."),
                said(&full, "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."),
                said(&full, "ops@hub: Permission denied (publickey)."),
                said(&full, "kex_exchange_identification: Connection closed by remote host\r\n"),
                said(&plain(), ""),
            ]
            .join("\n"),
            @r#"
            the key of the host, or of one on the way to it, is not known
            see its fingerprint with `ssh-keyscan -t ed25519 -p 2222 hub | ssh-keygen -lf -`
            compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself: whoever is in between could answer too
            then believe it with `ssh-keyscan -t ed25519 -p 2222 hub >>~/.ssh/known_hosts`, or set `host_key` to the fingerprint

            the host shows another key than the one that is known of it: it was installed anew, or it is somebody else
            see the one that is known with `ssh-keygen -lF '[hub]:2222' -f ~/.ssh/known_hosts`
            if the host was installed anew, forget the old one with `ssh-keygen -R '[hub]:2222' -f ~/.ssh/known_hosts`

            the host does not let this user in with any of the keys that were offered
            see which keys there are with `ssh-add -l`, or name one with `identity_file`; one with a passphrase has to be in an agent
            see what is offered with `ssh -v -p 2222 ops@hub true`; a password is never asked for

            `ssh` ended with: kex_exchange_identification: Connection closed by remote host
            see why with `ssh -p 2222 ops@hub true`

            `ssh` ended with code 255, and does not say why
            see why with `ssh hub true`
            "#
        );
    }
}
