//! What `routes` of an interface says, and the routes and rules that come out of it.
//!
//! Which networks are meant is decided elsewhere; here is what one of them is, and how it is written.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use crate::value::{InvalidValue, Prefix};

/// The value of `routes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Whether there are any.
    pub mode: RouteMode,
    /// The table that they are in.
    pub table: RouteTable,
    /// The metric; none for the system's own: 0 for IPv4, 1024 for IPv6.
    pub distance: Option<u32>,
    /// The far end that they lead to, for networks of its family; the interface itself where there is none.
    pub gateway: Option<IpAddr>,
    /// How the gateway is watched.
    pub check_gateway: Option<GatewayCheck>,
    /// Whether `0.0.0.0/0` and `::/0` count.
    pub default_route: bool,
    /// What is left out of them.
    pub exclude: BTreeSet<Prefix>,
}

/// Whether an interface has routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteMode {
    /// None.
    #[default]
    Off,
    /// One for each allowed IP of its peers.
    Auto,
}

/// How a router finds out whether a gateway is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayCheck {
    /// It asks for its link-layer address.
    Arp,
    /// It has a session of BFD with it.
    Bfd,
    /// It pings it.
    Ping,
}

impl GatewayCheck {
    /// The words for them.
    pub const WORDS: [&'static str; 3] = ["arp", "bfd", "ping"];

    /// Finds the check by its word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Arp, Self::Bfd, Self::Ping].into_iter().find(|it| it.word() == word)
    }

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Bfd => "bfd",
            Self::Ping => "ping",
        }
    }
}

/// A routing table of the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteTable {
    /// By its number.
    Number(u32),
    /// By the name that the host has for it.
    Name(String),
}

impl RouteMode {
    /// The words for them.
    pub const WORDS: [&'static str; 2] = ["off", "auto"];

    /// Finds the mode by its word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
        }
    }
}

impl RouteTable {
    /// The table that every packet comes to.
    pub const MAIN: Self = Self::Number(Route::MAIN);
}

impl Default for RouteTable {
    fn default() -> Self {
        Self::MAIN
    }
}

impl std::str::FromStr for RouteTable {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        match (text, text.parse::<u32>()) {
            ("main", _) => Ok(Self::MAIN),
            ("default", _) => Ok(Self::Number(253)),
            ("local", _) | (_, Ok(0 | 255)) => {
                Err(InvalidValue::new(format!("`{text}` is the kernel's own table"))
                    .hint("leave it out, or name another one"))
            }
            (_, Ok(number)) => Ok(Self::Number(number)),
            (name, Err(_)) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                match name.chars().all(is_name) {
                    true => Ok(Self::Name(name.to_owned())),
                    false => Err(no_table(text)),
                }
            }
            _ => Err(no_table(text)),
        }
    }
}

fn no_table(text: &str) -> InvalidValue {
    InvalidValue::new(format!("`{text}` is not a routing table")).hint(
        "write `\"main\"`, a number from 1 to 4294967295, or a name from `/etc/iproute2/rt_tables`",
    )
}

impl fmt::Display for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(Route::MAIN) => f.write_str("main"),
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Routes {
    /// Returns the shortest way to write it: the word of its mode, or an object of what differs from its default.
    pub fn to_json(&self) -> Json {
        let Self { mode, table, distance, gateway, check_gateway, default_route, exclude } = self;
        if *self == (Self { mode: *mode, ..Self::default() }) {
            return mode.word().into();
        }
        let mut map = Map::from_iter([("mode".to_owned(), mode.word().into())]);
        if *table != RouteTable::MAIN {
            map.insert("table".to_owned(), table.to_string().into());
        }
        if let Some(distance) = distance {
            map.insert("distance".to_owned(), (*distance).into());
        }
        if let Some(gateway) = gateway {
            map.insert("gateway".to_owned(), gateway.to_string().into());
        }
        if let Some(check) = check_gateway {
            map.insert("check_gateway".to_owned(), check.word().into());
        }
        if *default_route {
            map.insert("default_route".to_owned(), true.into());
        }
        if !exclude.is_empty() {
            let texts: Vec<_> = exclude.iter().map(ToString::to_string).collect();
            map.insert("exclude".to_owned(), json!(texts));
        }
        map.into()
    }

    /// Reads what [`Routes::to_json`] wrote; none for anything else.
    pub fn from_json(json: &Json) -> Option<Self> {
        if let Some(word) = json.as_str() {
            return Some(Self { mode: RouteMode::from_word(word)?, ..Self::default() });
        }
        let mut routes = Self::default();
        for (name, value) in json.as_object()? {
            match name.as_str() {
                "mode" => routes.mode = RouteMode::from_word(value.as_str()?)?,
                "table" => routes.table = value.as_str()?.parse().ok()?,
                "distance" => routes.distance = Some(u32::try_from(value.as_u64()?).ok()?),
                "gateway" => routes.gateway = Some(value.as_str()?.parse().ok()?),
                "check_gateway" => {
                    routes.check_gateway = Some(GatewayCheck::from_word(value.as_str()?)?);
                }
                "default_route" => routes.default_route = value.as_bool()?,
                "exclude" => {
                    let prefix = |it: &Json| it.as_str()?.parse().ok();
                    routes.exclude = value.as_array()?.iter().map(prefix).collect::<Option<_>>()?;
                }
                _ => return None,
            }
        }
        Some(routes)
    }
}

/// A route that leads to an interface itself, or to a gateway behind it. On one host, only one can have all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Where to.
    pub to: Prefix,
    /// The number of its table.
    pub table: u32,
    /// None for the system's own.
    metric: Option<u32>,
    /// The far end that it leads to; none for the interface itself.
    pub gateway: Option<IpAddr>,
    /// How the gateway is watched.
    pub check: Option<GatewayCheck>,
}

impl Route {
    /// The number of the table that every packet comes to.
    pub const MAIN: u32 = 254;
    /// The protocol number of the routes and rules that wgform makes; `ip route show proto 119` lists them.
    pub const PROTOCOL: u8 = 119;
    /// What an IPv6 route has when nobody says otherwise.
    const IPV6_METRIC: u32 = 1024;

    /// Makes a route. The metric that the system takes by itself is the same as none.
    pub fn new(to: Prefix, table: u32, metric: Option<u32>) -> Self {
        let own = if to.address().is_ipv6() { Self::IPV6_METRIC } else { 0 };
        let metric = metric.filter(|it| *it != 0 && *it != own);
        Self { to, table, metric, gateway: None, check: None }
    }

    /// Returns the route, leading to a gateway of the interface.
    #[must_use]
    pub fn through(self, gateway: Option<IpAddr>, check: Option<GatewayCheck>) -> Self {
        Self { gateway, check, ..self }
    }

    /// Returns the metric as the system has it.
    pub fn metric(&self) -> u32 {
        self.metric.unwrap_or(if self.to.address().is_ipv6() { Self::IPV6_METRIC } else { 0 })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, table, metric, gateway, check } = self;
        write!(f, "{to}")?;
        if let Some(gateway) = gateway {
            write!(f, " via {gateway}")?;
        }
        if *table != Self::MAIN {
            write!(f, " table {table}")?;
        }
        if let Some(metric) = metric {
            write!(f, " metric {metric}")?;
        }
        check.map_or(Ok(()), |check| write!(f, " check {}", check.word()))
    }
}

/// A protocol family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Returns the family of a network.
    pub fn of(prefix: &Prefix) -> Self {
        if prefix.address().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// A policy rule of a default route that leads into a tunnel and keeps the tunnel's own packets out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteRule {
    /// The main table counts first, but for its default route.
    Main(Family),
    /// What does not have this mark is looked up in the table of that number.
    Unmarked(Family, u32),
}

impl RouteRule {
    /// Returns the family that it is for.
    pub fn family(&self) -> Family {
        match self {
            Self::Main(family) | Self::Unmarked(family, _) => *family,
        }
    }

    /// Returns its place among all rules, the lower the earlier: just before the one of the main table (32766).
    pub fn priority(&self) -> u32 {
        match self {
            Self::Main(_) => 32_764,
            Self::Unmarked(..) => 32_765,
        }
    }
}

impl fmt::Display for RouteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family() {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        match self {
            Self::Main(_) => write!(f, "rule {family}: lookup main suppress_prefixlength 0"),
            Self::Unmarked(_, mark) => write!(f, "rule {family}: not fwmark {mark} lookup {mark}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::value::{Route, RouteTable, Routes};

    #[test]
    fn what_was_written_is_read_back_in_its_shortest_form() {
        for json in [
            json!("off"),
            json!("auto"),
            json!({ "mode": "auto", "table": "vpn", "distance": 7, "default_route": true, "exclude": ["10.0.0.0/8"] }),
            json!({ "mode": "auto", "gateway": "10.0.0.2", "check_gateway": "ping" }),
        ] {
            assert_eq!(Routes::from_json(&json).unwrap().to_json(), json);
        }
        assert_eq!(
            Routes::from_json(&json!({ "mode": "auto", "table": "254" })).unwrap().to_json(),
            json!("auto")
        );
        for wrong in
            [json!("of"), json!({ "modes": "auto" }), json!({ "exclude": "10/8" }), json!(1)]
        {
            assert_eq!(Routes::from_json(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_table_has_a_number_or_a_name() {
        let shown = |text: &str| text.parse::<RouteTable>().map(|it| it.to_string());
        for (text, expected) in
            [("main", "main"), ("254", "main"), ("1000", "1000"), ("vpn-1", "vpn-1")]
        {
            assert_eq!(shown(text).as_deref(), Ok(expected));
        }
        for wrong in ["", "0", "local", "255", "4294967296", "a b", "-1", "1a", "../x"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_metric_of_the_system_is_none() {
        let shown = |to: &str, metric| {
            let route = Route::new(to.parse().unwrap(), Route::MAIN, metric);
            (route.to_string(), route.metric())
        };
        assert_eq!(shown("10.0.0.0/8", Some(0)), ("10.0.0.0/8".to_owned(), 0));
        assert_eq!(shown("10.0.0.0/8", Some(1024)), ("10.0.0.0/8 metric 1024".to_owned(), 1024));
        assert_eq!(shown("fd00::/8", Some(0)), ("fd00::/8".to_owned(), 1024));
        assert_eq!(shown("fd00::/8", Some(1024)), ("fd00::/8".to_owned(), 1024));
    }
}
