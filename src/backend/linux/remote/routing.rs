//! Routes and policy rules of another host, as `ip` lists and changes them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::backend::linux::files;
use crate::backend::linux::remote::answers::not_understood;
use crate::backend::linux::remote::script::{Step, Work};
use crate::backend::linux::remote::shell::{Script, Section};
use crate::backend::linux::remote::words;
use crate::simulator::linux::call::{HostRoute, HostRouting, HostRule, Refusal, RoutingChange};
use crate::value::{Family, Prefix, Route, RouteRule};

/// Where the kernel keeps its own addresses, and broadcasts.
const LOCAL_TABLE: u32 = 255;
/// The names of tables that need no file.
const TABLES: [(&str, u32); 3] = [("main", Route::MAIN), ("local", LOCAL_TABLE), ("default", 253)];
/// The names of those who make routes; ours has none.
const PROTOCOLS: [(&str, u8); 7] = [
    ("kernel", 2),
    ("boot", 3),
    ("static", 4),
    ("ra", 9),
    ("zebra", 11),
    ("bird", 12),
    ("dhcp", 16),
];
/// Who has made a route of which `ip` does not say it.
const BOOT: u8 = 3;

/// Writes the commands whose answers [`read`] understands.
pub(crate) fn ask(script: &mut Script) {
    for (name, option) in [("4", "-4"), ("6", "-6")] {
        script.ask(&format!("routes {name}"), &format!("see_ -j {option} route show table all"));
        script.ask(&format!("rules {name}"), &format!("see_ -j {option} rule show"));
    }
    script.ask("tables", "tables_");
}

/// Reads the answers.
pub(crate) fn read<'a>(
    named: &dyn Fn(&str) -> Result<&'a Section, Refusal>,
) -> Result<HostRouting, Refusal> {
    let table_names = files::tables_of(&named("tables")?.output);
    let mut routing = HostRouting { table_names, ..HostRouting::default() };
    for (name, family) in [("4", Family::V4), ("6", Family::V6)] {
        let found: Vec<IpRoute> = list(named(&format!("routes {name}"))?)?;
        let tables = &routing.table_names;
        routing.routes.extend(found.into_iter().filter_map(|it| it.route(family, tables)));
        let found: Vec<IpRule> = list(named(&format!("rules {name}"))?)?;
        routing.rules.extend(found.into_iter().filter_map(|it| it.rule(family, tables)));
    }
    Ok(routing)
}

fn list<T: for<'a> Deserialize<'a>>(section: &Section) -> Result<Vec<T>, Refusal> {
    if section.status != 0 {
        // A kernel that was built without IPv6, or without policy rules, has none of them.
        return match words::of_ip(&section.complaint) {
            Refusal::Errno(Errno::OPNOTSUPP | Errno::AFNOSUPPORT) => Ok(Vec::new()),
            refusal => Err(refusal),
        };
    }
    match section.output.trim() {
        "" => Ok(Vec::new()),
        text => serde_json::from_str(text).map_err(|_| not_understood("ip")),
    }
}

/// One route of `ip -j route show table all`.
#[derive(Deserialize)]
struct IpRoute {
    dst: Option<String>,
    dev: Option<String>,
    table: Option<Json>,
    protocol: Option<Json>,
    metric: Option<u32>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(flatten)]
    other: BTreeMap<String, Json>,
}

impl IpRoute {
    fn route(self, family: Family, tables: &BTreeMap<String, u32>) -> Option<HostRoute> {
        let Self { dst, dev, table, protocol, metric, kind, other } = self;
        // One for some packets only is another one than those that are made here.
        if other.contains_key("from") || other.contains_key("tos") {
            return None;
        }
        let table = table.map_or(Some(Route::MAIN), |table| table_number(&table, tables))?;
        if table == LOCAL_TABLE || kind.as_deref() == Some("multicast") {
            return None;
        }
        let route = Route::new(prefix(&dst?, family)?, table, Some(metric.unwrap_or(0)));
        let protocol = protocol.map_or(BOOT, |it| protocol_number(&it));
        Some(HostRoute { route, device: dev, protocol })
    }
}

/// One rule of `ip -j rule show`.
#[derive(Deserialize)]
struct IpRule {
    src: Option<String>,
    table: Option<Json>,
    fwmark: Option<String>,
    suppress_prefixlen: Option<i64>,
    protocol: Option<Json>,
    #[serde(flatten)]
    other: BTreeMap<String, Json>,
}

impl IpRule {
    fn rule(self, family: Family, tables: &BTreeMap<String, u32>) -> Option<HostRule> {
        let Self { src, table, fwmark, suppress_prefixlen, protocol, mut other } = self;
        other.remove("priority");
        let is_inverted = other.remove("not").is_some();
        if src.is_some_and(|it| it != "all") || !other.is_empty() {
            return None;
        }
        let table = table_number(&table?, tables)?;
        let mark = fwmark.map(|text| match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        });
        let rule = match (mark, suppress_prefixlen, is_inverted) {
            (Some(Some(mark)), None, true) if mark == table => RouteRule::Unmarked(family, mark),
            (None, Some(0), false) if table == Route::MAIN => RouteRule::Main(family),
            _ => return None,
        };
        Some(HostRule { rule, protocol: protocol.map_or(0, |it| protocol_number(&it)) })
    }
}

fn table_number(table: &Json, names: &BTreeMap<String, u32>) -> Option<u32> {
    let text = match table {
        Json::Number(number) => return u32::try_from(number.as_u64()?).ok(),
        Json::String(text) => text,
        _ => return None,
    };
    let known = TABLES.iter().find(|(name, _)| name == text).map(|(_, number)| *number);
    known.or_else(|| text.parse().ok()).or_else(|| names.get(text).copied())
}

fn protocol_number(protocol: &Json) -> u8 {
    let text = match protocol {
        Json::Number(number) => {
            return number.as_u64().and_then(|it| u8::try_from(it).ok()).unwrap_or(0);
        }
        Json::String(text) => text,
        _ => return 0,
    };
    let known = PROTOCOLS.iter().find(|(name, _)| name == text).map(|(_, number)| *number);
    known.or_else(|| text.parse().ok()).unwrap_or(0)
}

fn prefix(text: &str, family: Family) -> Option<Prefix> {
    let (any, whole) = match family {
        Family::V4 => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32),
        Family::V6 => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128),
    };
    if text == "default" {
        return Prefix::new(any, 0).ok();
    }
    match text.split_once('/') {
        Some((address, length)) => Prefix::new(address.parse().ok()?, length.parse().ok()?).ok(),
        None => Prefix::new(text.parse().ok()?, whole).ok(),
    }
}

/// Returns the call of `ip` that makes a change.
pub(crate) fn step(change: &RoutingChange) -> Step {
    let words = match change {
        RoutingChange::AddRoute(it) => route_words("add", it),
        RoutingChange::DeleteRoute(it) => route_words("delete", it),
        RoutingChange::AddRule(it) => rule_words("add", it),
        RoutingChange::DeleteRule(it) => rule_words("delete", it),
    };
    Step::new(Work::Ip(words), &[], words::of_ip).of_routing()
}

fn route_words(verb: &str, HostRoute { route, device, protocol }: &HostRoute) -> Vec<String> {
    let text = format!(
        "route {verb} {} table {} metric {} proto {protocol}",
        route.to,
        route.table,
        route.metric()
    );
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    words.extend(device.iter().flat_map(|name| ["dev".to_owned(), name.clone()]));
    words
}

fn rule_words(verb: &str, HostRule { rule, protocol }: &HostRule) -> Vec<String> {
    let what = match rule {
        RouteRule::Main(_) => format!("table {} suppress_prefixlength 0", Route::MAIN),
        RouteRule::Unmarked(_, mark) => format!("not fwmark {mark} table {mark}"),
    };
    // The family of a route is seen, the one of a rule is said.
    let family = match rule.family() {
        Family::V4 => "-4",
        Family::V6 => "-6",
    };
    let text =
        format!("{family} rule {verb} {what} priority {} protocol {protocol}", rule.priority());
    text.split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::backend::linux::remote::routing::read;
    use crate::backend::linux::remote::shell::Section;
    use crate::simulator::linux::call::{HostRoute, HostRule};
    use crate::value::{Family, RouteRule};

    #[test]
    fn routes_and_rules_are_read_as_the_kernel_has_them() {
        let answers = [
            ("tables", "255 local\n200 vpn # a table\n"),
            (
                "routes 4",
                r#"[{"dst":"default","dev":"d0","table":"300","scope":"link","flags":["linkdown"]},
                {"dst":"10.5.0.0/16","dev":"d0","table":"vpn","protocol":"119","metric":7,"flags":[]},
                {"type":"blackhole","dst":"10.7.0.1","flags":[]},
                {"dst":"10.8.0.0/24","nexthops":[{"dev":"a"},{"dev":"b"}],"protocol":"static"},
                {"type":"local","dst":"127.0.0.1","dev":"lo","table":"local","protocol":"kernel"},
                {"dst":"10.9.0.0/16","tos":"0x10","dev":"d0"}]"#,
            ),
            ("routes 6", r#"[{"dst":"fd00::/64","dev":"d0","protocol":"ra","metric":1024}]"#),
            (
                "rules 4",
                r#"[{"priority":0,"src":"all","table":"local"},
                {"priority":1,"src":"all","table":"main","suppress_prefixlen":0,"protocol":"119"},
                {"priority":2,"src":"10.0.0.0","srclen":8,"table":"main","suppress_prefixlen":0}]"#,
            ),
            (
                "rules 6",
                r#"[{"priority":3,"not":null,"src":"all","fwmark":"0xca6c","table":"51820","protocol":"119"}]"#,
            ),
        ];
        let sections: Vec<Section> = answers
            .iter()
            .map(|(name, text)| Section {
                name: (*name).to_owned(),
                status: 0,
                output: text.to_string().into(),
                complaint: String::new(),
            })
            .collect();
        let found = read(&|name| Ok(sections.iter().find(|it| it.name == name).unwrap())).unwrap();
        let shown = |HostRoute { route, device, protocol }: &HostRoute| {
            format!("{route} {} {protocol}", device.as_deref().unwrap_or("-"))
        };
        assert_eq!(
            found.routes.iter().map(shown).collect::<Vec<_>>(),
            [
                "0.0.0.0/0 table 300 d0 3",
                "10.5.0.0/16 table 200 metric 7 d0 119",
                "10.7.0.1/32 - 3",
                "10.8.0.0/24 - 4",
                "fd00::/64 d0 9",
            ]
        );
        assert_eq!(
            found.rules,
            [
                HostRule { rule: RouteRule::Main(Family::V4), protocol: 119 },
                HostRule { rule: RouteRule::Unmarked(Family::V6, 51_820), protocol: 119 },
            ]
        );
    }
}
