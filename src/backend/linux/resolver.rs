//! The name servers of a link: systemd-resolved keeps them by link and gives them back; `resolvconf` takes them and
//! cannot be asked.
//!
//! The file `/etc/resolv.conf` is nobody's to write here: where neither is there, that is an error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::actual::NameServers;
use crate::backend::linux::explain::During;
use crate::backend::linux::hooks::end_well;
use crate::backend::linux::host::Host;
use crate::backend::linux::interface::{Refused, differs};
use crate::persist::{self, RESOLVCONF_PREFIX, Style};
use crate::simulator::linux::call::{Program, Refusal};

/// A resolver answers within milliseconds; one that is starting takes longer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The domain of every name.
const EVERY_NAME: &str = "~.";

/// The name servers and domains of one link, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) domains: Vec<String>,
}

/// What to write of them.
#[derive(Debug)]
pub(crate) struct NamesWish<'a> {
    pub(crate) servers: Option<&'a [IpAddr]>,
    pub(crate) domains: Option<&'a [String]>,
    /// All that is wanted in the end.
    pub(crate) all: &'a Names,
    pub(crate) is_up: bool,
    /// Whether the link was down before, or had another name.
    pub(crate) came_up: bool,
}

/// Returns what the host does with name servers.
pub(crate) fn find(host: &mut dyn Host) -> Result<NameServers, Refusal> {
    if host.has_program("resolvectl")? && host.runs_systemd()? {
        let asked = ["systemctl", "is-active", "--quiet", "systemd-resolved.service"];
        if host.run(&program(asked.map(str::to_owned).to_vec()))?.status == 0 {
            return Ok(NameServers::Held);
        }
    }
    match host.has_program("resolvconf")? {
        true => Ok(NameServers::Taken),
        false => Ok(NameServers::Nowhere),
    }
}

/// Returns what systemd-resolved holds for a link.
pub(crate) fn read(host: &mut dyn Host, name: &str) -> Result<Names, Refusal> {
    let mut ask = |what: &str| {
        let argv = ["resolvectl", what, name].map(str::to_owned).to_vec();
        let answer = end_well(host, &program(argv.clone()));
        answer.map_err(|failure| said(&argv, failure)).map(|text| words(&text))
    };
    let servers = ask("dns")?;
    // A server may have a port, a scope and a name for TLS, which are not ours to know.
    let address = |word: &String| word.split(['#', '%']).next()?.parse().ok();
    Ok(Names { servers: servers.iter().filter_map(address).collect(), domains: ask("domain")? })
}

/// Writes what is to be written, and reads it back where it can be read.
pub(crate) fn write(host: &mut dyn Host, name: &str, wish: &NamesWish<'_>) -> Result<(), Refused> {
    let NamesWish { servers, domains, all, is_up, came_up } = *wish;
    let is_nothing = *all == Names::default();
    if servers.is_none() && domains.is_none() && (is_nothing || !came_up) {
        return Ok(());
    }
    match find(host).map_err(running)? {
        NameServers::Held if is_networkds(host, name).map_err(running)? => Ok(()),
        NameServers::Held => hold(host, name, servers, domains),
        NameServers::Taken if is_nothing => give_back(host, name),
        // A server that is reached through the link would only make every name wait.
        NameServers::Taken if !is_up => Ok(()),
        NameServers::Taken => hand_over(host, name, all),
        NameServers::Nowhere | NameServers::Unasked if is_nothing => Ok(()),
        NameServers::Nowhere | NameServers::Unasked => Err(running(no_resolver())),
    }
}

/// Takes from the host what it was given for a link that is down, gone or called otherwise. systemd-resolved does so
/// by itself.
pub(crate) fn forget(host: &mut dyn Host, name: &str, had_any: bool) -> Result<(), Refused> {
    if !had_any || find(host).map_err(running)? != NameServers::Taken {
        return Ok(());
    }
    give_back(host, name)
}

/// Returns whether networkd has brought the link up from a file of ours: then it sets the name servers by that file, and
/// systemd-resolved takes them from nobody else.
pub(crate) fn is_networkds(host: &mut dyn Host, name: &str) -> Result<bool, Refusal> {
    let path = Style::Networkd.paths(name).pop().unwrap_or_default();
    let is_ours = host.read_file(&path)?.is_some_and(|it| persist::is_ours(&path, &it.text));
    if !is_ours || !host.has_program("networkctl")? {
        return Ok(false);
    }
    let asked = ["networkctl", "--no-legend", "--no-pager", "list", name];
    let ran = host.run(&program(asked.map(str::to_owned).to_vec()))?;
    let is_managed = |line: &str| line.ends_with(" configured") || line.ends_with(" configuring");
    Ok(ran.status == 0 && ran.tail.lines().any(|line| is_managed(line.trim_end())))
}

/// Says that the host has nothing that takes name servers.
pub(crate) fn no_resolver() -> Refusal {
    Refusal::said("nothing on the host takes name servers for a link", NO_RESOLVER)
}

/// What to install.
pub(crate) const NO_RESOLVER: &str = "install `systemd-resolved` and start it, or install `openresolv` (`resolvconf` on some systems)";

fn hold(
    host: &mut dyn Host,
    name: &str,
    servers: Option<&[IpAddr]>,
    domains: Option<&[String]>,
) -> Result<(), Refused> {
    let servers = servers.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let domains = domains.map(<[String]>::to_vec);
    for (what, list) in [("dns", servers), ("domain", domains)] {
        let Some(mut list) = list else { continue };
        if list.is_empty() {
            // So an empty list is written; without an argument it is a question.
            list.push(String::new());
        }
        let argv = ["resolvectl", what, name].map(str::to_owned).into_iter().chain(list).collect();
        carry_out(host, argv)?;
    }
    Ok(())
}

/// Compares what systemd-resolved holds with what was written; nothing where it cannot be read.
pub(crate) fn compare(
    host: &mut dyn Host,
    name: &str,
    servers: Option<&[IpAddr]>,
    domains: Option<&[String]>,
) -> Result<(), Refused> {
    if (servers.is_none() && domains.is_none())
        || find(host).map_err(running)? != NameServers::Held
        || is_networkds(host, name).map_err(running)?
    {
        return Ok(());
    }
    let held = read(host, name).map_err(running)?;
    if servers.is_some_and(|list| *list != *held.servers) {
        return Err(differs("`dns` is not what was written"));
    }
    if domains.is_some_and(|list| *list != *held.domains) {
        return Err(differs("`dns_search` is not what was written"));
    }
    Ok(())
}

fn hand_over(host: &mut dyn Host, name: &str, names: &Names) -> Result<(), Refused> {
    let (every, search): (Vec<&String>, Vec<_>) =
        names.domains.iter().partition(|it| *it == EVERY_NAME);
    if let Some(domain) = search.iter().find(|it| it.starts_with('~')) {
        return Err(running(Refusal::said(
            format!("`resolvconf` cannot look up only the names of one domain, as `{domain}` asks"),
            "remove the `~` in `dns_search`, or use systemd-resolved on the host",
        )));
    }
    let mut text: Vec<String> =
        names.servers.iter().map(|server| format!("nameserver {server}")).collect();
    if !search.is_empty() {
        let search: Vec<&str> = search.into_iter().map(String::as_str).collect();
        text.push(format!("search {}", search.join(" ")));
    }
    let exclusive = if every.is_empty() { "" } else { " -x" };
    let script = format!(
        r#"p=$({RESOLVCONF_PREFIX}); printf '%s\n' "$2" | resolvconf -a "$p$1" -m 0{exclusive}"#
    );
    let argv = ["sh", "-c", &script, "sh", name, &text.join("\n")];
    carry_out(host, argv.map(str::to_owned).to_vec())
}

fn give_back(host: &mut dyn Host, name: &str) -> Result<(), Refused> {
    let script = format!(r#"p=$({RESOLVCONF_PREFIX}); resolvconf -d "$p$1" -f"#);
    carry_out(host, ["sh", "-c", &script, "sh", name].map(str::to_owned).to_vec())
}

fn carry_out(host: &mut dyn Host, argv: Vec<String>) -> Result<(), Refused> {
    end_well(host, &program(argv.clone()))
        .map(drop)
        .map_err(|failure| running(said(&argv, failure)))
}

fn program(argv: Vec<String>) -> Program {
    Program { argv, environment: BTreeMap::new(), timeout: TIMEOUT }
}

fn said(argv: &[String], (reason, hints): (String, Vec<String>)) -> Refusal {
    let by_shell = argv.iter().any(|part| part.contains("resolvconf"));
    let shown = if by_shell { "resolvconf".to_owned() } else { argv.join(" ") };
    Refusal::Said { reason: format!("`{shown}`: {reason}"), hints }
}

fn running(refusal: Refusal) -> Refused {
    (During::Running, refusal)
}

/// Returns the words of an answer such as `Link 5 (wg0): 10.0.0.53 fd00::53`.
fn words(text: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.starts_with("Link ")).unwrap_or_default();
    let list = line.split_once("):").map(|(_, list)| list).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::backend::linux::resolver::words;

    #[test]
    fn an_answer_of_resolvectl_is_read() {
        assert_eq!(words("Link 5 (wg0): 10.0.0.53 fd00::53"), ["10.0.0.53", "fd00::53"]);
        assert_eq!(words("Link 5 (wg0): ~. corp.example"), ["~.", "corp.example"]);
        assert!(words("Link 5 (wg0):").is_empty());
        assert!(words("Failed to resolve interface \"wg0\"").is_empty());
    }
}
