//! The menus with their arguments, by version: what can be written where.

use crate::simulator::routeros::profile::Profile;

/// A place in the router's tree with objects, or with one.
#[derive(Debug)]
pub(super) struct Menu {
    /// As in a URL, without the first `/`.
    pub(super) path: &'static str,
    /// Where its objects are kept; two menus may show the same.
    pub(super) table: &'static str,
    pub(super) form: Form,
    pub(super) arguments: &'static [Argument],
    /// What must be given to `add`.
    pub(super) mandatory: &'static [&'static str],
    /// What `unset` takes.
    pub(super) unset: &'static [&'static str],
    /// The first id that is given.
    pub(super) first_id: u64,
    /// Whether its objects can be moved.
    pub(super) is_ordered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Objects, and whether they are found by `name` since that version.
    Objects { named_since: Option<u8> },
    /// Objects that cannot be written here.
    Shown,
    /// One object; whether it can be written.
    Single { writable: bool },
}

/// What can be written.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    since: u8,
    /// The first version without it.
    until: u8,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A text that cannot be empty.
    Name,
    Bool,
    Number(u32, u32),
    /// Bytes, or `auto`.
    Mtu,
    /// Seconds that fit into 16 bits.
    Keepalive,
    Duration,
    PublicKey,
    PrivateKey,
    /// A key or none.
    OptionalKey,
    Prefixes,
    Addresses,
    /// An address without brackets, or a host name.
    Host,
    /// The name of an interface of any type.
    Interface,
    /// The name of a WireGuard interface.
    WireGuard,
    /// An address with its length.
    Ipv4,
    Ipv6,
    /// An address alone.
    Network,
    /// A network.
    Prefix4,
    Prefix6,
    Gateway,
    /// Whatever is written sets it.
    Flag,
    Word(&'static [&'static str]),
    /// The name of an object of that table.
    Named(&'static str),
}

const fn argument(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, since: 0, until: u8::MAX }
}

const fn since(since: u8, name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, since, until: u8::MAX }
}

impl Menu {
    /// Finds what can be written, if that version has it.
    pub(super) fn argument(&self, name: &str, profile: &Profile) -> Option<&'static Argument> {
        self.arguments(profile).find(|argument| argument.name == name)
    }

    /// Returns what that version has.
    pub(super) fn arguments(&self, profile: &Profile) -> impl Iterator<Item = &'static Argument> {
        let minor = profile.minor;
        self.arguments.iter().filter(move |it| (it.since..it.until).contains(&minor))
    }

    /// Returns whether its objects are found by their name.
    pub(super) fn is_named(&self, profile: &Profile) -> bool {
        matches!(self.form, Form::Objects { named_since: Some(since) } if profile.minor >= since)
            || self.path == "interface"
    }
}

/// Finds a menu.
pub(super) fn find(path: &str) -> Option<&'static Menu> {
    MENUS.iter().find(|menu| menu.path == path)
}

const LONGEST_KEEPALIVE: u32 = 65_535;
const ANY: Kind = Kind::Number(0, u32::MAX);
const PORT: Kind = Kind::Number(0, LONGEST_KEEPALIVE);
const NAMED: Form = Form::Objects { named_since: Some(0) };
const NAMELESS: Form = Form::Objects { named_since: None };

const PLAIN: Menu = Menu {
    path: "",
    table: "",
    form: NAMELESS,
    arguments: &[],
    mandatory: &[],
    unset: &[],
    first_id: 1,
    is_ordered: false,
};

/// Every menu that is simulated.
pub(super) const MENUS: &[Menu] = &[
    Menu { path: "interface", table: "interface", form: Form::Shown, ..PLAIN },
    Menu {
        path: "interface/wireguard",
        table: "interface",
        form: NAMED,
        arguments: INTERFACE,
        ..PLAIN
    },
    Menu {
        path: "interface/wireguard/peers",
        table: "peers",
        form: Form::Objects { named_since: Some(15) },
        arguments: PEER,
        mandatory: &["interface", "allowed-address"],
        is_ordered: true,
        ..PLAIN
    },
    Menu {
        path: "ip/address",
        table: "ip/address",
        arguments: ADDRESS,
        mandatory: &["address", "interface"],
        ..PLAIN
    },
    Menu {
        path: "ipv6/address",
        table: "ipv6/address",
        arguments: ADDRESS6,
        mandatory: &["address", "interface"],
        ..PLAIN
    },
    Menu {
        path: "ip/route",
        table: "ip/route",
        arguments: ROUTE,
        unset: UNSET_ROUTE,
        first_id: 0x8000_0001,
        ..PLAIN
    },
    Menu {
        path: "ipv6/route",
        table: "ipv6/route",
        arguments: ROUTE6,
        unset: UNSET_ROUTE,
        first_id: 0x8000_0001,
        ..PLAIN
    },
    Menu {
        path: "interface/list",
        table: "interface/list",
        form: NAMED,
        arguments: LIST,
        mandatory: &["name"],
        first_id: 0x200_0000,
        ..PLAIN
    },
    Menu {
        path: "interface/list/member",
        table: "interface/list/member",
        arguments: MEMBER,
        mandatory: &["list", "interface"],
        ..PLAIN
    },
    Menu {
        path: "routing/table",
        table: "routing/table",
        form: NAMED,
        arguments: &[
            argument("name", Kind::Name),
            argument("fib", Kind::Flag),
            argument("comment", Kind::Text),
            argument("disabled", Kind::Bool),
        ],
        mandatory: &["name"],
        ..PLAIN
    },
    Menu {
        path: "ip/dns",
        table: "ip/dns",
        form: Form::Single { writable: true },
        arguments: DNS,
        ..PLAIN
    },
    Menu {
        path: "system/identity",
        table: "system/identity",
        form: Form::Single { writable: true },
        arguments: &[argument("name", Kind::Text)],
        ..PLAIN
    },
    Menu { path: "log", form: Form::Shown, ..PLAIN },
    Menu { path: "ipv6/settings", form: Form::Single { writable: false }, ..PLAIN },
    Menu { path: "system/resource", form: Form::Single { writable: false }, ..PLAIN },
    Menu { path: "system/routerboard", form: Form::Single { writable: false }, ..PLAIN },
    Menu { path: "system/license", form: Form::Single { writable: false }, ..PLAIN },
    Menu { path: "system/clock", form: Form::Single { writable: false }, ..PLAIN },
];

const INTERFACE: &[Argument] = &[
    argument("name", Kind::Name),
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
    argument("listen-port", PORT),
    argument("mtu", Kind::Mtu),
    argument("private-key", Kind::PrivateKey),
    since(21, "vrf", Kind::Named("vrf")),
];

const PEER: &[Argument] = &[
    argument("interface", Kind::WireGuard),
    since(15, "name", Kind::Name),
    argument("public-key", Kind::PublicKey),
    since(12, "private-key", Kind::OptionalKey),
    argument("preshared-key", Kind::OptionalKey),
    argument("allowed-address", Kind::Prefixes),
    argument("endpoint-address", Kind::Host),
    argument("endpoint-port", PORT),
    argument("persistent-keepalive", Kind::Keepalive),
    since(12, "client-address", Kind::Prefixes),
    since(12, "client-dns", Kind::Addresses),
    since(12, "client-endpoint", Kind::Text),
    since(12, "client-keepalive", Kind::Keepalive),
    since(12, "client-listen-port", PORT),
    since(21, "client-allowed-address", Kind::Prefixes),
    Argument { name: "is-responder", kind: Kind::Bool, since: 15, until: 17 },
    since(17, "responder", Kind::Bool),
    argument("disabled", Kind::Bool),
    argument("comment", Kind::Text),
];

const ADDRESS: &[Argument] = &[
    argument("address", Kind::Ipv4),
    argument("interface", Kind::Interface),
    argument("network", Kind::Network),
    // From the time before addresses had a length. They are taken and never shown.
    argument("netmask", Kind::Network),
    argument("broadcast", Kind::Network),
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
];

const ADDRESS6: &[Argument] = &[
    argument("address", Kind::Ipv6),
    argument("interface", Kind::Interface),
    argument("advertise", Kind::Bool),
    argument("eui-64", Kind::Bool),
    argument("no-dad", Kind::Bool),
    argument("from-pool", Kind::Named("pool")),
    since(23, "from-pool-policy", Kind::Word(&["recommended", "strict", "without-acquire"])),
    since(18, "auto-link-local", Kind::Bool),
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
];

const CHECKS: Kind = Kind::Word(&["none", "arp", "ping", "bfd"]);

const ROUTE: &[Argument] = &[
    argument("dst-address", Kind::Prefix4),
    argument("gateway", Kind::Gateway),
    argument("distance", Kind::Number(1, 255)),
    argument("scope", Kind::Number(0, 255)),
    argument("target-scope", Kind::Number(0, 255)),
    argument("routing-table", Kind::Named("routing/table")),
    argument("check-gateway", CHECKS),
    argument("pref-src", Kind::Network),
    argument("blackhole", Kind::Flag),
    argument("vrf-interface", Kind::Interface),
    Argument { name: "suppress-hw-offload", kind: Kind::Bool, since: 0, until: 21 },
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
];

const ROUTE6: &[Argument] = &[
    argument("dst-address", Kind::Prefix6),
    argument("gateway", Kind::Gateway),
    argument("distance", Kind::Number(1, 255)),
    argument("scope", Kind::Number(0, 255)),
    argument("target-scope", Kind::Number(0, 255)),
    argument("routing-table", Kind::Named("routing/table")),
    argument("check-gateway", CHECKS),
    since(20, "pref-src", Kind::Network),
    argument("blackhole", Kind::Flag),
    argument("vrf-interface", Kind::Interface),
    Argument { name: "suppress-hw-offload", kind: Kind::Bool, since: 0, until: 21 },
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
];

const UNSET_ROUTE: &[&str] = &[
    "pref-src",
    "gateway",
    "check-gateway",
    "distance",
    "scope",
    "target-scope",
    "vrf-interface",
    "blackhole",
];

const LIST: &[Argument] = &[
    argument("name", Kind::Name),
    argument("include", Kind::Text),
    argument("exclude", Kind::Text),
    argument("comment", Kind::Text),
];

const MEMBER: &[Argument] = &[
    argument("list", Kind::Named("interface/list")),
    argument("interface", Kind::Interface),
    argument("comment", Kind::Text),
    argument("disabled", Kind::Bool),
];

const DNS: &[Argument] = &[
    argument("servers", Kind::Addresses),
    argument("allow-remote-requests", Kind::Bool),
    argument("cache-size", ANY),
    argument("cache-max-ttl", Kind::Duration),
    argument("max-concurrent-queries", ANY),
    since(15, "vrf", Kind::Named("vrf")),
    since(16, "mdns-repeat-ifaces", Kind::Text),
    since(10, "address-list-extra-time", Kind::Duration),
];
