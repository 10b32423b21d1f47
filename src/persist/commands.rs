//! The lines of wg-quick for what it does not know, or does in another way than an apply: name servers, the user's
//! commands, routes and policy rules, in the order of an apply.
//!
//! wg-quick gives each line to bash, puts the name in the place of `%i`, and cuts it off at a `#`, whatever stands
//! around that. With `DNS =` it would ask the servers for every name; with a `Table` it would make routes without a mark.

use std::fmt::Write as _;

use crate::persist::Interface;
use crate::resource::{Field, Fields};
use crate::value::{Family, Route, RouteRule};

/// So many seconds a command of the user may take. `docs/linux.md` says it, too.
pub const COMMAND_SECONDS: u64 = 60;

/// How wg-quick is told to leave an interface down that is not enabled.
const DOWN: &str = "ip link set dev %i down";
/// Whether name servers are systemd-resolved's business, as an apply finds out too.
const RESOLVED: &str = "systemctl is-active --quiet systemd-resolved.service";
/// The domain of every name.
const EVERY_NAME: &str = "~.";
/// So many routes stand in one line.
const ROUTES: usize = 100;
/// As `wg-quick` does: Debian's resolvconf orders by name, and a link that is called like a tunnel comes first.
pub const RESOLVCONF_PREFIX: &str = r"sed -n 's/^\([A-Za-z0-9-]\{1,\}\)\*$/\1./p' /etc/resolvconf/interface-order 2>/dev/null | head -n 1";

/// Returns what the environment of a command of the user says.
pub fn variables<'a>(
    name: &'a str,
    backend: &'a str,
    address: &'a str,
    action: &'a str,
) -> [(&'static str, &'a str); 4] {
    [
        ("WGFORM_INTERFACE", name),
        ("WGFORM_BACKEND", backend),
        ("WGFORM_ADDRESS", address),
        ("WGFORM_ACTION", action),
    ]
}

/// Returns the lines of an interface, each with its key.
pub(crate) fn of(interface: &Interface<'_>) -> Vec<(&'static str, String)> {
    let Interface { fields, outside, .. } = interface;
    let hooks = |at: &str, action: &str| user_commands(interface, at, action);
    let rules = || outside.rules.iter();
    let (names, forget) = name_servers(fields);
    let mut lines = Vec::new();
    let mut add = |key, all: Vec<String>| lines.extend(all.into_iter().map(|line| (key, line)));
    if fields.get("enabled") == Some(&Field::Bool(false)) {
        // systemd-resolved keeps them for a link that is down, and that one alone.
        add("PostUp", names.into_iter().filter(|it| it.starts_with('!')).collect());
        add("PostUp", vec![DOWN.to_owned()]);
        return lines;
    }
    add("PreUp", hooks("pre_up", "create"));
    add("PostUp", names);
    add("PostUp", hooks("post_up", "create"));
    add("PostUp", routes(outside.routes.iter()));
    add("PostUp", rules().map(|it| rule("add", it)).collect());
    add("PreDown", rules().rev().map(|it| rule("del", it)).collect());
    add("PreDown", hooks("pre_down", "destroy"));
    add("PostDown", forget);
    add("PostDown", hooks("post_down", "destroy"));
    lines
}

fn user_commands(interface: &Interface<'_>, at: &str, action: &str) -> Vec<String> {
    let Some(Field::Commands(all)) = interface.fields.get(at) else { return Vec::new() };
    let outside = interface.outside;
    let line = |command: &Vec<String>| {
        let mut line = "env".to_owned();
        for (name, value) in variables("%i", &outside.backend, &outside.address, action) {
            let value = if value == "%i" { value.to_owned() } else { quoted(value) };
            let _ = write!(line, " {name}={value}");
        }
        let _ = write!(line, " timeout {COMMAND_SECONDS}");
        command.iter().for_each(|word| _ = write!(line, " {}", quoted(word)));
        line
    };
    all.iter().map(line).collect()
}

/// Returns how name servers are set, and how they are forgotten.
fn name_servers(fields: &Fields) -> (Vec<String>, Vec<String>) {
    let servers = match fields.get("dns") {
        Some(Field::Servers(list)) => list.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let domains = match fields.get("dns_search") {
        Some(Field::Domains(list)) => list.clone(),
        _ => Vec::new(),
    };
    let lists = [("dns", &servers), ("domain", &domains)];
    let mut set: Vec<String> = lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(what, list)| format!("! {RESOLVED} || resolvectl {what} %i {}", all_quoted(list)))
        .collect();
    let (every, search): (Vec<String>, Vec<String>) =
        domains.into_iter().partition(|it| it == EVERY_NAME);
    let is_said = !servers.is_empty() || !search.is_empty();
    // Only systemd-resolved knows a domain that is looked up and not searched.
    if !is_said || search.iter().any(|it| it.starts_with('~')) {
        return (set, Vec::new());
    }
    let mut text: Vec<String> = servers.iter().map(|it| format!("nameserver {it}")).collect();
    if !search.is_empty() {
        text.push(format!("search {}", search.join(" ")));
    }
    let exclusive = if every.is_empty() { "" } else { " -x" };
    let link = format!("\"$({RESOLVCONF_PREFIX})%i\"");
    set.push(format!(
        r"{RESOLVED} || printf '%s\n' {} | resolvconf -a {link} -m 0{exclusive}",
        all_quoted(&text)
    ));
    (set, vec![format!("{RESOLVED} || resolvconf -d {link} -f")])
}

/// Returns how routes are made, many at once: a process for each would take minutes. One that is in the way of somebody
/// else's, which a plan would show, must not keep the tunnel from coming up.
fn routes<'a>(all: impl Iterator<Item = &'a Route>) -> Vec<String> {
    let mut groups: Vec<(Family, u32, u32, Vec<String>)> = Vec::new();
    for route in all {
        let (family, metric) = (Family::of(&route.to), route.metric());
        let to = route.to.to_string();
        match groups.last_mut() {
            Some((of, table, at, list))
                if (*of, *table, *at) == (family, route.table, metric) && list.len() < ROUTES =>
            {
                list.push(to);
            }
            _ => groups.push((family, route.table, metric, vec![to])),
        }
    }
    let line = |(family, table, metric, list): (Family, u32, u32, Vec<String>)| {
        let table = if table == Route::MAIN { String::new() } else { format!(" table {table}") };
        let metric = if metric == 0 { String::new() } else { format!(" metric {metric}") };
        format!(
            r"printf 'route add %s dev %i proto {}{table}{metric}\n' {} | ip {} -force -batch - || true",
            Route::PROTOCOL,
            list.join(" "),
            option(family)
        )
    };
    groups.into_iter().map(line).collect()
}

fn rule(verb: &str, rule: &RouteRule) -> String {
    let (option, priority) = (option(rule.family()), rule.priority());
    let selects = match rule {
        RouteRule::Main(_) => format!("table {} suppress_prefixlength 0", Route::MAIN),
        RouteRule::Unmarked(_, mark) => format!("not fwmark {mark} table {mark}"),
    };
    format!(
        "ip {option} rule {verb} {selects} priority {priority} protocol {} || true",
        Route::PROTOCOL
    )
}

fn option(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

fn all_quoted(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Returns a word as bash reads it, without a `#` and on one line.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.contains(|c: char| c.is_control() || matches!(c, '\'' | '#')) {
        return format!("'{word}'");
    }
    let mut text = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => text.extend(['\\', c]),
            '#' => text.push_str("\\x23"),
            c if c.is_ascii_control() => _ = write!(text, "\\x{:02x}", u32::from(c)),
            c => text.push(c),
        }
    }
    text.push('\'');
    text
}
