//! One declaration per attribute: the source for everything that depends on what attributes there are.

use crate::resource::Kind;

/// The kinds of backend that a `backend` block can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    /// This Linux host.
    Local,
    /// Another Linux host, over SSH.
    Linux,
    /// A MikroTik router with RouterOS v7, over its REST service.
    RouterOs,
    /// A pfSense firewall, over the REST API package.
    PfSense,
}

impl BackendKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Local, Self::Linux, Self::RouterOs, Self::PfSense];

    /// Returns the first label of its `backend` block.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Linux => "linux",
            Self::RouterOs => "routeros",
            Self::PfSense => "pfsense",
        }
    }

    /// Finds the kind by the first label of a `backend` block.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == label)
    }

    /// Returns whether a system of this kind keeps what it was told apart from what it does with it: a peer that is
    /// disabled is there, and where a peer roamed to is not its endpoint.
    pub fn keeps_configuration(self) -> bool {
        match self {
            Self::Local | Self::Linux => false,
            Self::RouterOs | Self::PfSense => true,
        }
    }
}

/// What a value of an attribute may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// An absolute path of a file.
    Path,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// A UDP port, 1 to 65535.
    Port,
    /// Bytes, 576 to 65535.
    Mtu,
    /// A firewall mark, 32 bits.
    Mark,
    /// A public key, base64.
    PublicKey,
    /// A private key, base64.
    PrivateKey,
    /// A pre-shared key, base64; or a `preshared_key` resource; or `"none"`.
    PresharedKey,
    /// A set of addresses with a prefix length, host bits kept.
    Addresses,
    /// A set of networks, host bits masked.
    Prefixes,
    /// A host and port.
    Endpoint,
    /// A duration, or `"off"`.
    Keepalive,
    /// An RFC 3339 time.
    Time,
    /// `"off"`, `"auto"`, or a block or object that says more.
    Routes,
    /// IP addresses of name servers, in order.
    Servers,
    /// Domain names, in order; `~` before one only routes its queries.
    Domains,
    /// Commands in order, each a program with its arguments.
    Commands,
    /// A set of names that the device knows.
    Names,
    /// Another resource, such as `interface.hub`.
    Reference(Kind),
    /// A backend, such as `backend.hq`.
    Backend,
}

impl Form {
    /// Names the form in a message: "a number from 1 to 65535".
    pub fn noun(&self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::Path => "an absolute path".to_owned(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Bool => "true or false".to_owned(),
            Self::Port => "a port, a number from 1 to 65535".to_owned(),
            Self::Mtu => "an MTU, a number from 576 to 65535".to_owned(),
            Self::Mark => "a firewall mark, a number from 0 to 4294967295".to_owned(),
            Self::PublicKey => "a public key in base64".to_owned(),
            Self::PrivateKey => "a private key in base64".to_owned(),
            Self::PresharedKey => {
                "a pre-shared key in base64, a `preshared_key` or \"none\"".to_owned()
            }
            Self::Addresses => "a list of addresses such as \"10.8.0.1/24\"".to_owned(),
            Self::Prefixes => "a list of networks such as \"10.8.0.0/24\"".to_owned(),
            Self::Endpoint => "a host and port such as \"vpn.example.com:51820\"".to_owned(),
            Self::Keepalive => "a duration such as \"25s\", or \"off\"".to_owned(),
            Self::Routes => "\"off\", \"auto\" or a block".to_owned(),
            Self::Servers => "a list of addresses such as \"10.8.0.53\"".to_owned(),
            Self::Domains => "a list of domains such as \"corp.example.com\"".to_owned(),
            Self::Names => "a list of names such as \"LAN\"".to_owned(),
            Self::Commands => "a list of commands, each a list of strings".to_owned(),
            Self::Time => "a time such as \"2027-01-31T12:00:00Z\"".to_owned(),
            Self::Reference(kind) => format!("a reference such as `{kind}.hub`"),
            Self::Backend => "a backend such as `backend.hq`".to_owned(),
        }
    }

    /// Returns whether the order of the elements means something.
    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::Servers | Self::Domains | Self::Commands)
    }

    /// Returns whether a value of this form must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::PrivateKey | Self::PresharedKey)
    }
}

/// Whether a configuration has to set, can set or cannot set the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must be written.
    Required,
    /// It must be written, but may be `null`: the object then waits for its value.
    RequiredNullable,
    /// It may be left out.
    Optional,
    /// It may be left out, and then the device chooses a value that can be referred to.
    OptionalComputed,
    /// It can only be referred to.
    Computed,
}

/// What holds when the attribute is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing is set; what the device has is left alone.
    Unset,
    /// The device's own default, which is not compared while nothing is written, and is cleared to when it no
    /// longer is.
    Device,
    /// This text.
    Text(&'static str),
    /// This answer.
    Bool(bool),
    /// This number.
    Number(u32),
    /// The empty set.
    Empty,
    /// No keepalive.
    Off,
}

/// Which part of a set belongs to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The whole value: what is too much on the device is removed.
    Whole,
    /// The elements that wgform set: foreign ones stay.
    Elements,
}

/// What a change of the attribute does to an object that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The object is changed where it is.
    InPlace,
    /// The object is made anew, the new one before the old one goes where that is possible.
    Replace,
}

/// How a kind of backend takes the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// The device holds it.
    Device,
    /// The device has no place for it: it lives in the state.
    StateOnly,
    /// It tells wgform what to do, and is never a property of the object.
    Wgform,
    /// It may only have its default there.
    No,
}

/// The declaration of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// As it is written.
    pub name: &'static str,
    /// What a value may look like.
    pub form: Form,
    /// Whether it is written.
    pub presence: Presence,
    /// What holds when it is not.
    pub default: Default,
    /// Which part of a set is ours.
    pub ownership: Ownership,
    /// What a change does, unless the backend's column says otherwise.
    pub change: Change,
    /// How `backend "local"` and `backend "linux"` take it: above the way to the host they are one.
    pub local: Support,
    /// How `backend "routeros"` takes it.
    pub routeros: Support,
    /// How `backend "pfsense"` takes it.
    pub pfsense: Support,
    /// One sentence for help and reference pages.
    pub doc: &'static str,
}

impl Attribute {
    /// Returns how a kind of backend takes the attribute.
    pub fn support(&self, backend: BackendKind) -> Support {
        match backend {
            BackendKind::Local | BackendKind::Linux => self.local,
            BackendKind::RouterOs => self.routeros,
            BackendKind::PfSense => self.pfsense,
        }
    }
}

/// Returns the attributes of a kind, in the order in which a plan shows them.
pub fn attributes(kind: Kind) -> &'static [Attribute] {
    match kind {
        Kind::Interface => INTERFACE,
        Kind::Peer => PEER,
        Kind::PresharedKey => PRESHARED_KEY,
    }
}

/// Returns what a kind of resource is, in whole sentences for the reference.
pub fn doc(kind: Kind) -> &'static str {
    match kind {
        Kind::Interface => {
            "A WireGuard interface on a backend. wgform makes its private key on the host, once, and keeps it over everything but a change of `key_rotation`."
        }
        Kind::Peer => "One far end, on one interface.",
        Kind::PresharedKey => {
            "A secret that two peers share, written to both ends in the same apply. It lives on its holders and nowhere else."
        }
    }
}

/// Finds the declaration of an attribute.
pub fn attribute(kind: Kind, name: &str) -> Option<&'static Attribute> {
    attributes(kind).iter().find(|attribute| attribute.name == name)
}

/// What most attributes have in common: optional, unset, changed in place, held by the device.
const PLAIN: Attribute = Attribute {
    name: "",
    form: Form::Text,
    presence: Presence::Optional,
    default: Default::Unset,
    ownership: Ownership::Whole,
    change: Change::InPlace,
    local: Support::Device,
    routeros: Support::Device,
    pfsense: Support::Device,
    doc: "",
};

const INTERFACE: &[Attribute] = &[
    Attribute {
        name: "backend",
        form: Form::Backend,
        change: Change::Replace,
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "The backend on which the interface lives; `default_backend` when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "name",
        presence: Presence::OptionalComputed,
        doc: "The name on the device, at most 15 bytes on Linux. The label when it is not written, fixed when the interface is made.",
        ..PLAIN
    },
    Attribute {
        name: "description",
        default: Default::Text(""),
        local: Support::StateOnly,
        doc: "A note for people.",
        ..PLAIN
    },
    Attribute {
        name: "enabled",
        form: Form::Bool,
        default: Default::Bool(true),
        doc: "Whether the link is up.",
        ..PLAIN
    },
    Attribute {
        name: "private_key",
        form: Form::PrivateKey,
        presence: Presence::OptionalComputed,
        doc: "The private key. One is made with the interface, and kept, when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "key_file",
        form: Form::Path,
        presence: Presence::OptionalComputed,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "Where the private key that wgform made is kept on the host, readable by root only. `/var/lib/wgform/keys/NAME` when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "key_rotation",
        local: Support::StateOnly,
        routeros: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "Any change of this text makes a new private key.",
        ..PLAIN
    },
    Attribute {
        name: "public_key",
        form: Form::PublicKey,
        presence: Presence::Computed,
        doc: "The public key that belongs to the private key.",
        ..PLAIN
    },
    Attribute {
        name: "listen_port",
        form: Form::Port,
        presence: Presence::OptionalComputed,
        default: Default::Device,
        doc: "The UDP port. The device chooses one, which is kept, when it is not written; there is none, so `null`, until the interface is up.",
        ..PLAIN
    },
    Attribute {
        name: "addresses",
        form: Form::Addresses,
        default: Default::Empty,
        ownership: Ownership::Elements,
        doc: "The addresses of the interface with their prefix length. Addresses that somebody else set stay.",
        ..PLAIN
    },
    Attribute {
        name: "mtu",
        form: Form::Mtu,
        default: Default::Device,
        doc: "The MTU in bytes; at least 1280 with an IPv6 address. 1420 when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "fwmark",
        form: Form::Mark,
        default: Default::Number(0),
        routeros: Support::No,
        pfsense: Support::No,
        doc: "The firewall mark of the packets that the interface sends; 0 is none.",
        ..PLAIN
    },
    Attribute {
        name: "routes",
        form: Form::Routes,
        default: Default::Text("off"),
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::No,
        doc: "Routes to the interface: `\"auto\"` for one to each allowed IP of its peers. Routes and rules of somebody else stay.",
        ..PLAIN
    },
    Attribute {
        name: "dns",
        form: Form::Servers,
        default: Default::Device,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "The name servers that the host asks through the interface, in order. The list is owned as a whole; the host's is left alone when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "dns_search",
        form: Form::Domains,
        default: Default::Device,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "The domains whose names are looked up there, also those that are written without them. `~` before one only looks up, `~.` is every name.",
        ..PLAIN
    },
    Attribute {
        name: "pre_up",
        form: Form::Commands,
        default: Default::Empty,
        local: Support::StateOnly,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "Commands that run before the link is set up, each a list of a program and its arguments; no shell reads them. `%i` is the name of the interface.",
        ..PLAIN
    },
    Attribute {
        name: "post_up",
        form: Form::Commands,
        default: Default::Empty,
        local: Support::StateOnly,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "Commands that run after the link was set up.",
        ..PLAIN
    },
    Attribute {
        name: "pre_down",
        form: Form::Commands,
        default: Default::Empty,
        local: Support::StateOnly,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "Commands that run before the link is set down or removed: those of the last apply.",
        ..PLAIN
    },
    Attribute {
        name: "post_down",
        form: Form::Commands,
        default: Default::Empty,
        local: Support::StateOnly,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "Commands that run after the link was set down or removed: those of the last apply.",
        ..PLAIN
    },
    Attribute {
        name: "persist",
        form: Form::Choice(&["none", "wg-quick", "networkd"]),
        default: Default::Text("none"),
        local: Support::Wgform,
        routeros: Support::No,
        pfsense: Support::No,
        doc: "What brings the interface back when the host boots: `/etc/wireguard/NAME.conf` with `wg-quick@NAME.service`, or files of systemd-networkd. Every plan warns until it is written, if only as \"none\".",
        ..PLAIN
    },
    Attribute {
        name: "unmanaged_peers",
        form: Form::Choice(&["warn", "ignore", "remove"]),
        default: Default::Text("warn"),
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "What to do with peers on the device that no configuration declares.",
        ..PLAIN
    },
    Attribute {
        name: "force_destroy",
        form: Form::Bool,
        default: Default::Bool(false),
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "Whether the interface may be destroyed or replaced while it has unmanaged peers.",
        ..PLAIN
    },
    Attribute {
        name: "vrf",
        default: Default::Device,
        local: Support::No,
        pfsense: Support::No,
        doc: "The VRF in which the tunnel's own packets travel, from RouterOS 7.21 on; `main` when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "interface_lists",
        form: Form::Names,
        default: Default::Empty,
        ownership: Ownership::Elements,
        local: Support::No,
        pfsense: Support::No,
        doc: "The interface lists of the router that the interface is in. Its default firewall drops what comes from an interface outside of `LAN`.",
        ..PLAIN
    },
    Attribute {
        name: "assign_descr",
        default: Default::Device,
        local: Support::No,
        routeros: Support::No,
        doc: "What the firewall calls the interface that the tunnel is assigned to; `descr` in the block `assign`. Without one nothing is routed into the tunnel.",
        ..PLAIN
    },
    Attribute {
        name: "assign_addresses",
        form: Form::Addresses,
        default: Default::Device,
        local: Support::No,
        routeros: Support::No,
        doc: "The addresses of that interface, one of each family at most; `addresses` in the block `assign`.",
        ..PLAIN
    },
    Attribute {
        name: "assign_mtu",
        form: Form::Mtu,
        default: Default::Device,
        local: Support::No,
        routeros: Support::No,
        doc: "The MTU of that interface in bytes, 1280 to 8192; `mtu` in the block `assign`.",
        ..PLAIN
    },
];

const PEER: &[Attribute] = &[
    Attribute {
        name: "interface",
        form: Form::Reference(Kind::Interface),
        presence: Presence::Required,
        change: Change::Replace,
        doc: "The interface that the peer is on.",
        ..PLAIN
    },
    Attribute {
        name: "public_key",
        form: Form::PublicKey,
        presence: Presence::RequiredNullable,
        change: Change::Replace,
        doc: "The public key of the far end. `null` while it is not known: the peer is then pending, and made when its key comes.",
        ..PLAIN
    },
    Attribute {
        name: "name",
        presence: Presence::OptionalComputed,
        local: Support::StateOnly,
        doc: "The name of the peer. The label when it is not written, fixed when the peer is made.",
        ..PLAIN
    },
    Attribute {
        name: "description",
        default: Default::Text(""),
        local: Support::StateOnly,
        doc: "A note for people.",
        ..PLAIN
    },
    Attribute {
        name: "enabled",
        form: Form::Bool,
        default: Default::Bool(true),
        doc: "Whether the peer may connect. On Linux a disabled peer is absent from the interface and present in the state.",
        ..PLAIN
    },
    Attribute {
        name: "preshared_key",
        form: Form::PresharedKey,
        doc: "The pre-shared key, a `preshared_key` resource, or \"none\". What the device holds is left alone when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "allowed_ips",
        form: Form::Prefixes,
        presence: Presence::Required,
        doc: "The networks that are routed to the peer and accepted from it. The list is owned as a whole.",
        ..PLAIN
    },
    Attribute {
        name: "endpoint",
        form: Form::Endpoint,
        doc: "Where the peer is reached. A name is resolved when it is applied. An address that the peer roamed to is not drift, unless `pin_endpoint` is set.",
        ..PLAIN
    },
    Attribute {
        name: "pin_endpoint",
        form: Form::Bool,
        default: Default::Bool(false),
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "Whether an endpoint that differs from the written one is drift.",
        ..PLAIN
    },
    Attribute {
        name: "persistent_keepalive",
        form: Form::Keepalive,
        default: Default::Off,
        doc: "How often an idle peer is sent a packet.",
        ..PLAIN
    },
    Attribute {
        name: "responder",
        form: Form::Bool,
        default: Default::Device,
        local: Support::No,
        pfsense: Support::No,
        doc: "Whether the router waits for the peer to call, from RouterOS 7.15 on.",
        ..PLAIN
    },
    Attribute {
        name: "client_private_key",
        form: Form::PrivateKey,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The private key of the far end, for the configuration of it that a router shows; `private_key` in the block `client`. One that the router has stays when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "client_address",
        form: Form::Addresses,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The addresses of the far end; `address` in the block `client`.",
        ..PLAIN
    },
    Attribute {
        name: "client_dns",
        form: Form::Servers,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The name servers of the far end, in order; `dns` in the block `client`.",
        ..PLAIN
    },
    Attribute {
        name: "client_endpoint",
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "Where the far end reaches this one, a host with or without a port; `endpoint` in the block `client`.",
        ..PLAIN
    },
    Attribute {
        name: "client_keepalive",
        form: Form::Keepalive,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "How often the far end sends a packet when it is idle; `keepalive` in the block `client`.",
        ..PLAIN
    },
    Attribute {
        name: "client_listen_port",
        form: Form::Port,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The UDP port of the far end; `listen_port` in the block `client`.",
        ..PLAIN
    },
    Attribute {
        name: "client_allowed_ips",
        form: Form::Prefixes,
        local: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "What the far end sends into the tunnel; `allowed_ips` in the block `client`. From RouterOS 7.21 on.",
        ..PLAIN
    },
    Attribute {
        name: "expires_at",
        form: Form::Time,
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "When the peer ends. Past that time it is treated as disabled.",
        ..PLAIN
    },
];

const PRESHARED_KEY: &[Attribute] = &[
    Attribute {
        name: "value",
        form: Form::PresharedKey,
        local: Support::StateOnly,
        routeros: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The secret. One is made, and kept on the devices that hold it, when it is not written.",
        ..PLAIN
    },
    Attribute {
        name: "rotation",
        local: Support::StateOnly,
        routeros: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "Any change of this text makes a new secret.",
        ..PLAIN
    },
    Attribute {
        name: "adopt_from",
        form: Form::Reference(Kind::Peer),
        local: Support::Wgform,
        routeros: Support::Wgform,
        pfsense: Support::Wgform,
        doc: "A peer whose device already holds the secret.",
        ..PLAIN
    },
    Attribute {
        name: "holders",
        presence: Presence::Computed,
        local: Support::StateOnly,
        routeros: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The addresses of the peers that hold the secret.",
        ..PLAIN
    },
    Attribute {
        name: "fingerprint",
        presence: Presence::Computed,
        local: Support::StateOnly,
        routeros: Support::StateOnly,
        pfsense: Support::StateOnly,
        doc: "The fingerprint of the secret under this state's key.",
        ..PLAIN
    },
];
