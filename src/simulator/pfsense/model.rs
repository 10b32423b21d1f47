//! What the objects of the REST API are: their fields in the order in which they are checked and shown, as data.

use crate::simulator::pfsense::profile::{Profile, Version};
use crate::simulator::pfsense::value::Value;

/// A kind of object.
pub(super) struct Model {
    /// As `override_sensitive_fields` names it.
    pub(super) name: &'static str,
    /// As links name it.
    pub(super) title: &'static str,
    pub(super) fields: &'static [Field],
    /// Fields that no two objects of a list have alike.
    pub(super) together: &'static [&'static str],
    /// Whether a write needs the WireGuard package.
    pub(super) is_wireguard: bool,
}

/// A field of an object.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) standard: Standard,
    pub(super) is_required: bool,
    pub(super) is_unique: bool,
    /// Whether it stays as it was made.
    pub(super) is_fixed: bool,
    pub(super) may_be_empty: bool,
    pub(super) may_be_null: bool,
    pub(super) secrecy: Secrecy,
    /// Older versions do not know it.
    pub(super) since: Version,
    pub(super) when: When,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    ReadOnly,
    Bool,
    Text {
        longest: usize,
    },
    Address(Address),
    Mac,
    /// A name of something in the packet filter.
    Name,
    Port,
    Int {
        from: i64,
        to: i64,
    },
    Choice(&'static [&'static str]),
    Choices(&'static [&'static str]),
    /// Several texts.
    Texts,
    /// An interface that the kernel has.
    Device,
    /// The name of a tunnel, or `unassigned`.
    Tunnel,
    /// There are no gateways here.
    Gateway,
    Nested(&'static Model),
}

/// Which addresses do.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) v4: bool,
    pub(super) v6: bool,
    pub(super) link_local: bool,
    pub(super) fqdn: bool,
    pub(super) words: &'static [&'static str],
}

/// What a field holds when nothing was said.
#[derive(Clone, Copy)]
pub(super) enum Standard {
    Nothing,
    Bool(bool),
    Int(i64),
    Text(&'static str),
    List(&'static [&'static str]),
    /// The lowest name that no tunnel has.
    NextTunnel,
}

/// Who sees a field.
#[derive(Clone, Copy)]
pub(super) enum Secrecy {
    Open,
    /// Those to whom a setting shows it, since this version; nobody before.
    Sensitive(Version),
}

/// Under which condition a field counts.
#[derive(Clone, Copy)]
pub(super) enum When {
    Always,
    IsSet(&'static str),
    IsFalse(&'static str),
    OneOf(&'static str, &'static [&'static str]),
    Never,
}

impl Model {
    /// Returns the fields that this version knows.
    pub(super) fn fields(&self, profile: &Profile) -> impl Iterator<Item = &'static Field> {
        let version = profile.version;
        self.fields.iter().filter(move |field| field.since <= version)
    }

    pub(super) fn has(&self, name: &str, profile: &Profile) -> bool {
        self.fields(profile).any(|field| field.name == name)
    }

    /// Returns the field that holds objects of their own.
    pub(super) fn nested(&self) -> Option<(&'static Field, &'static Self)> {
        self.fields.iter().find_map(|field| match field.kind {
            Kind::Nested(model) => Some((field, model)),
            _ => None,
        })
    }
}

impl Field {
    /// Returns what it holds when nothing was said, as far as that is always the same.
    pub(super) fn standard(&self) -> Option<Value> {
        match self.standard {
            Standard::Nothing | Standard::NextTunnel => None,
            Standard::Bool(it) => Some(it.into()),
            Standard::Int(number) => Some(number.into()),
            Standard::Text(text) => Some(text.into()),
            Standard::List(texts) => {
                Some(Value::List(texts.iter().map(|it| (*it).into()).collect()))
            }
        }
    }

    pub(super) fn is_many(&self) -> bool {
        matches!(self.kind, Kind::Choices(_) | Kind::Texts | Kind::Nested(_))
    }

    /// Returns how PHP calls the type of its values.
    pub(super) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool => "boolean",
            Kind::Int { .. } => "integer",
            Kind::Nested(_) => "array",
            _ => "string",
        }
    }
}

/// A field to start from.
pub(super) const PLAIN: Field = Field {
    name: "",
    kind: TEXT,
    standard: Standard::Nothing,
    is_required: false,
    is_unique: false,
    is_fixed: false,
    may_be_empty: false,
    may_be_null: false,
    secrecy: Secrecy::Open,
    since: (0, 0, 0),
    when: When::Always,
};

/// A text of the usual length.
pub(super) const TEXT: Kind = Kind::Text { longest: 1024 };

/// An address of any kind.
pub(super) const ADDRESS: Address =
    Address { v4: true, v6: true, link_local: true, fqdn: false, words: &[] };

const DESCRIPTION: Field =
    Field { name: "descr", standard: Standard::Text(""), may_be_empty: true, ..PLAIN };

const fn flag(name: &'static str, standard: bool) -> Field {
    Field { name, kind: Kind::Bool, standard: Standard::Bool(standard), ..PLAIN }
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: true, ..PLAIN }
}

pub(super) const TUNNEL: Model = Model {
    name: "WireGuardTunnel",
    title: "WireGuard Tunnel",
    together: &[],
    is_wireguard: true,
    fields: &[
        Field {
            name: "name",
            kind: Kind::ReadOnly,
            standard: Standard::NextTunnel,
            is_unique: true,
            is_fixed: true,
            ..PLAIN
        },
        flag("enabled", true),
        Field { since: (2, 4, 3), ..DESCRIPTION },
        Field {
            name: "listenport",
            kind: Kind::Port,
            standard: Standard::Text("51820"),
            is_unique: true,
            ..PLAIN
        },
        Field { name: "publickey", kind: Kind::ReadOnly, may_be_null: true, ..PLAIN },
        Field { secrecy: Secrecy::Sensitive((2, 2, 0)), ..required("privatekey", TEXT) },
        Field {
            name: "mtu",
            kind: Kind::Int { from: 0, to: i64::MAX },
            standard: Standard::Int(1420),
            ..PLAIN
        },
        Field {
            name: "addresses",
            kind: Kind::Nested(&TUNNEL_ADDRESS),
            standard: Standard::List(&[]),
            may_be_empty: true,
            ..PLAIN
        },
    ],
};

pub(super) const TUNNEL_ADDRESS: Model = Model {
    name: "WireGuardTunnelAddress",
    title: "WireGuard Tunnel Address",
    together: &["address", "mask"],
    is_wireguard: true,
    fields: &[
        required("address", Kind::Address(ADDRESS)),
        required("mask", Kind::Int { from: 1, to: 128 }),
        DESCRIPTION,
    ],
};

pub(super) const PEER: Model = Model {
    name: "WireGuardPeer",
    title: "WireGuard Peer",
    together: &[],
    is_wireguard: true,
    fields: &[
        flag("enabled", false),
        Field { name: "tun", kind: Kind::Tunnel, standard: Standard::Text("unassigned"), ..PLAIN },
        Field {
            name: "endpoint",
            kind: Kind::Address(Address { fqdn: true, ..ADDRESS }),
            may_be_null: true,
            ..PLAIN
        },
        Field {
            name: "port",
            kind: Kind::Port,
            standard: Standard::Text("51820"),
            when: When::IsSet("endpoint"),
            ..PLAIN
        },
        DESCRIPTION,
        Field {
            name: "persistentkeepalive",
            kind: Kind::Int { from: 0, to: 65535 },
            may_be_null: true,
            ..PLAIN
        },
        Field { is_unique: true, ..required("publickey", TEXT) },
        Field {
            name: "presharedkey",
            standard: Standard::Text(""),
            may_be_empty: true,
            may_be_null: true,
            secrecy: Secrecy::Sensitive((2, 10, 0)),
            ..PLAIN
        },
        Field {
            name: "allowedips",
            kind: Kind::Nested(&ALLOWED_IP),
            standard: Standard::List(&[]),
            may_be_empty: true,
            ..PLAIN
        },
    ],
};

pub(super) const ALLOWED_IP: Model = Model {
    name: "WireGuardPeerAllowedIP",
    title: "WireGuard Peer Allowed IP",
    together: &["address", "mask"],
    is_wireguard: true,
    fields: &[
        required("address", Kind::Address(ADDRESS)),
        required("mask", Kind::Int { from: 0, to: 128 }),
        DESCRIPTION,
    ],
};

pub(super) const SETTINGS: Model = Model {
    name: "WireGuardSettings",
    title: "WireGuard Settings",
    together: &[],
    is_wireguard: true,
    fields: &[
        flag("enable", false),
        flag("keep_conf", true),
        flag("resolve_interval_track", false),
        Field {
            name: "resolve_interval",
            kind: Kind::Int { from: 0, to: i64::MAX },
            standard: Standard::Int(300),
            when: When::IsFalse("resolve_interval_track"),
            ..PLAIN
        },
        Field {
            name: "interface_group",
            kind: Kind::Choice(&["all", "unassigned", "none"]),
            standard: Standard::Text("all"),
            ..PLAIN
        },
        flag("hide_secrets", false),
        flag("hide_peers", false),
    ],
};

/// The fields that a setting can show, of those that are simulated.
const SENSITIVE: &[&str] = &[
    "RESTAPISettings:ha_sync_password",
    "WireGuardTunnel:privatekey",
    "WireGuardPeer:presharedkey",
];

const LOG_LEVELS: &[&str] = &[
    "LOG_DEBUG",
    "LOG_INFO",
    "LOG_NOTICE",
    "LOG_WARNING",
    "LOG_ERR",
    "LOG_CRIT",
    "LOG_ALERT",
    "LOG_EMERG",
];

pub(super) const API: Model = Model {
    name: "RESTAPISettings",
    title: "REST API Settings",
    together: &[],
    is_wireguard: false,
    fields: &[
        flag("enabled", true),
        flag("read_only", false),
        flag("keep_backup", true),
        flag("login_protection", true),
        flag("log_successful_auth", false),
        Field {
            name: "log_level",
            kind: Kind::Choice(LOG_LEVELS),
            standard: Standard::Text("LOG_WARNING"),
            since: (2, 7, 0),
            ..PLAIN
        },
        flag("allow_pre_releases", false),
        Field { since: (2, 8, 0), ..flag("allow_development_packages", false) },
        flag("hateoas", false),
        flag("expose_sensitive_fields", false),
        Field {
            name: "override_sensitive_fields",
            kind: Kind::Choices(SENSITIVE),
            standard: Standard::List(&[]),
            may_be_empty: true,
            when: When::IsFalse("expose_sensitive_fields"),
            ..PLAIN
        },
        Field {
            name: "allowed_interfaces",
            kind: Kind::Texts,
            standard: Standard::List(&[]),
            may_be_empty: true,
            ..PLAIN
        },
        Field {
            name: "represent_interfaces_as",
            kind: Kind::Choice(&["descr", "id", "if"]),
            standard: Standard::Text("descr"),
            ..PLAIN
        },
        Field {
            name: "auth_methods",
            kind: Kind::Choices(&["BasicAuth", "JWTAuth", "KeyAuth"]),
            standard: Standard::List(&["BasicAuth"]),
            ..PLAIN
        },
        Field {
            name: "jwt_exp",
            kind: Kind::Int { from: 300, to: 86400 },
            standard: Standard::Int(3600),
            ..PLAIN
        },
        flag("ha_sync", false),
        flag("ha_sync_validate_certs", true),
        Field {
            name: "ha_sync_hosts",
            kind: Kind::Texts,
            standard: Standard::List(&[]),
            may_be_empty: true,
            ..PLAIN
        },
        Field {
            name: "ha_sync_username",
            standard: Standard::Text(""),
            may_be_empty: true,
            ..PLAIN
        },
        Field {
            name: "ha_sync_password",
            standard: Standard::Text(""),
            may_be_empty: true,
            secrecy: Secrecy::Sensitive((2, 2, 0)),
            ..PLAIN
        },
    ],
};

/// An interface of pfSense.
pub(super) const INTERFACE: Model = Model {
    name: "NetworkInterface",
    title: "Network Interface",
    together: &[],
    is_wireguard: false,
    fields: INTERFACE_FIELDS,
};

const STATIC: When = When::OneOf("typev4", &["static"]);
const DHCP: When = When::OneOf("typev4", &["dhcp"]);
const STATIC6: When = When::OneOf("typev6", &["staticv6"]);
const TYPES6: &[&str] = &["staticv6", "dhcp6", "slaac", "6rd", "track6", "6to4", "none"];
const ADDRESSED6: &[&str] = &["staticv6", "dhcp6", "slaac", "6rd", "track6", "6to4"];

const IPV4: Address =
    Address { v4: true, v6: false, link_local: true, fqdn: false, words: &["dhcp"] };
const IPV6: Address = Address {
    v4: false,
    v6: true,
    link_local: false,
    fqdn: false,
    words: &["dhcp6", "slaac", "6rd", "track6", "6to4"],
};

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, may_be_null: true, ..PLAIN }
}

const fn empty(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, standard: Standard::Text(""), may_be_empty: true, ..PLAIN }
}

/// A field of another way to get an address, of which only the standard value is simulated.
const fn advanced(name: &'static str) -> Field {
    Field { name, when: When::Never, ..PLAIN }
}

const INTERFACE_FIELDS: &[Field] = &[
    Field { is_unique: true, ..required("if", Kind::Device) },
    flag("enable", false),
    Field { is_unique: true, ..required("descr", Kind::Name) },
    empty("spoofmac", Kind::Mac),
    optional("mtu", Kind::Int { from: 1280, to: 8192 }),
    optional("mss", Kind::Int { from: 576, to: 65535 }),
    empty("media", Kind::Choice(&[])),
    empty("mediaopt", Kind::Choice(&[])),
    flag("blockpriv", false),
    flag("blockbogons", false),
    required("typev4", Kind::Choice(&["static", "dhcp", "none"])),
    Field {
        when: When::OneOf("typev4", &["static", "dhcp"]),
        ..required("ipaddr", Kind::Address(IPV4))
    },
    Field { when: STATIC, ..required("subnet", Kind::Int { from: 1, to: 32 }) },
    Field { when: STATIC, ..optional("gateway", Kind::Gateway) },
    Field { when: DHCP, ..empty("dhcphostname", TEXT) },
    Field { when: DHCP, ..empty("alias_address", TEXT) },
    Field {
        when: DHCP,
        standard: Standard::Int(32),
        ..optional("alias_subnet", Kind::Int { from: 0, to: 32 })
    },
    Field {
        when: DHCP,
        standard: Standard::List(&[]),
        may_be_empty: true,
        ..optional("dhcprejectfrom", Kind::Texts)
    },
    Field { when: DHCP, ..flag("adv_dhcp_config_advanced", false) },
    advanced("adv_dhcp_pt_values"),
    advanced("adv_dhcp_pt_timeout"),
    advanced("adv_dhcp_pt_retry"),
    advanced("adv_dhcp_pt_select_timeout"),
    advanced("adv_dhcp_pt_reboot"),
    advanced("adv_dhcp_pt_backoff_cutoff"),
    advanced("adv_dhcp_pt_initial_interval"),
    advanced("adv_dhcp_send_options"),
    advanced("adv_dhcp_request_options"),
    advanced("adv_dhcp_required_options"),
    advanced("adv_dhcp_option_modifiers"),
    Field { when: DHCP, ..flag("adv_dhcp_config_file_override", false) },
    advanced("adv_dhcp_config_file_override_path"),
    optional("typev6", Kind::Choice(TYPES6)),
    Field { when: When::OneOf("typev6", ADDRESSED6), ..required("ipaddrv6", Kind::Address(IPV6)) },
    Field { when: STATIC6, ..required("subnetv6", Kind::Int { from: 1, to: 128 }) },
    Field { when: STATIC6, ..optional("gatewayv6", Kind::Gateway) },
    Field { when: STATIC6, ..flag("ipv6usev4iface", false) },
    Field { when: When::OneOf("typev6", &["slaac"]), ..flag("slaacusev4iface", false) },
    advanced("prefix_6rd"),
    advanced("gateway_6rd"),
    advanced("prefix_6rd_v4plen"),
    advanced("track6_interface"),
    advanced("track6_prefix_id_hex"),
];
