//! Which blocks there are besides resources, and what may stand in them: one declaration each, from which the parser
//! knows the names and the reference is written.
//!
//! Resources are not here: `resource::declaration` has their attributes.

mod backend;
mod state;

use crate::config::OnDrift;
pub use crate::config::vocabulary::state::{
    STATE, STATE_AZURE, STATE_GCS, STATE_HTTP, STATE_POSTGRES, STATE_S3, STATES,
};
use crate::resource::Deed;
use crate::value::{GatewayCheck, RouteMode};

pub use crate::config::vocabulary::backend::{
    BACKEND_LINUX, BACKEND_LOCAL, BACKEND_PFSENSE, BACKEND_ROUTEROS, READ, SSH,
};

/// A block type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockType {
    /// Its first word.
    pub name: &'static str,
    /// How its head is written, labels included.
    pub head: &'static str,
    /// What it is for: whole sentences.
    pub doc: &'static str,
    /// What can be written in it. `locals` takes any name, and has none here.
    pub arguments: &'static [Argument],
    /// The blocks that can stand in it.
    pub blocks: &'static [Self],
}

/// An argument of such a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// As it is written.
    pub name: &'static str,
    /// What a value may be.
    pub takes: Takes,
    /// Whether it must be written.
    pub is_required: bool,
    /// What holds when it is not, as it would be written; none for nothing.
    pub default: Option<&'static str>,
    /// One sentence.
    pub doc: &'static str,
}

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A plain text, read without evaluating anything.
    PlainText,
    /// `true` or `false`, read without evaluating anything.
    PlainBool,
    /// A type, such as `list(string)`.
    Type,
    /// Addresses of resources, which are never evaluated.
    Addresses,
    /// The address of a resource or a module, which is never evaluated.
    Address,
    /// Addresses of resources, or of attributes of them, which are never evaluated.
    Triggers,
    /// Names of attributes, or `all`, which are never evaluated.
    Attributes,
    /// An expression that gives a string.
    Text,
    /// An expression that gives one of a few words.
    Choice(&'static [&'static str]),
    /// An expression that gives true or false.
    Bool,
    /// An expression that gives a backend.
    Backend,
    /// An expression that gives a whole number.
    Number,
    /// An expression that gives a list of texts.
    Texts,
    /// An expression that gives a list of networks.
    Networks,
    /// An expression that gives a command, as a list of its parts.
    Command,
    /// An expression that gives a list of a few words.
    Words(&'static [&'static str]),
    /// An expression that gives a whole number or a share.
    Bound,
    /// Addresses of resources or patterns of them, which are never evaluated.
    Patterns,
    /// Any expression.
    Anything,
}

impl BlockType {
    /// Returns the names of its arguments.
    pub fn argument_names(&self) -> Vec<&'static str> {
        self.arguments.iter().map(|it| it.name).collect()
    }

    /// Returns the names of the blocks that can stand in it.
    pub fn block_names(&self) -> Vec<&'static str> {
        self.blocks.iter().map(|it| it.name).collect()
    }
}

/// What most arguments have in common: any expression, and nothing when it is not written.
const PLAIN: Argument =
    Argument { name: "", takes: Takes::Anything, is_required: false, default: None, doc: "" };

/// `wgform`.
pub const WGFORM: BlockType = BlockType {
    name: "wgform",
    head: "wgform",
    doc: "Settings of the configuration as a whole. It stands there at most once.",
    arguments: &[
        Argument {
            name: "required_version",
            takes: Takes::PlainText,
            doc: "The versions of wgform that can read this configuration, such as `\">= 0.1, < 0.3\"`. It is checked before anything else is read.",
            ..PLAIN
        },
        Argument {
            name: "default_backend",
            takes: Takes::Backend,
            doc: "The backend of an interface that names none. When it is not written: the only backend that is declared, or this host when none is.",
            ..PLAIN
        },
        Argument {
            name: "require_plan_file",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether `apply` and `destroy` carry out nothing but a plan that was saved with `plan -out=FILE`.",
            ..PLAIN
        },
    ],
    blocks: &[
        STATE,
        STATE_HTTP,
        STATE_S3,
        STATE_GCS,
        STATE_AZURE,
        STATE_POSTGRES,
        ENCRYPTION,
        GUARD,
    ],
};

/// `encryption`, in `wgform`.
pub const ENCRYPTION: BlockType = BlockType {
    name: "encryption",
    head: "encryption",
    doc: "Seals the state, saved plans and the journal with age, so that only those can read them who have a key. What it leaves out comes from the environment: `WGFORM_AGE_RECIPIENTS`, `WGFORM_AGE_IDENTITY_FILE`, `WGFORM_AGE_IDENTITY`, and `WGFORM_PASSPHRASE` in place of recipients. docs/encryption.md says what that protects.",
    arguments: &[
        Argument {
            name: "age_recipients",
            takes: Takes::Texts,
            doc: "For whom to seal: public keys, as `age-keygen -y` prints them, or of OpenSSH: `ssh-ed25519 …` and `ssh-rsa …`.",
            ..PLAIN
        },
        Argument {
            name: "age_identity_file",
            takes: Takes::Text,
            doc: "The file of the key that opens what is sealed: what `age-keygen` writes, or a private key of OpenSSH without a passphrase. Relative to the directory of the configuration; `~/` is the home directory.",
            ..PLAIN
        },
        Argument {
            name: "sealed",
            takes: Takes::Bool,
            default: Some("true"),
            doc: "Whether what is written is sealed. With `false`, what is sealed can still be read, and the next write stores it in the open.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `guard`, in `wgform`.
pub const GUARD: BlockType = BlockType {
    name: "guard",
    head: "guard",
    doc: "What no apply does without being told. What is said here and what the command line says both hold; `plan` shows what is refused, and ends with 8 as `apply` does. docs/guards.md has all guards.",
    arguments: &[
        Argument {
            name: "max_destroy",
            takes: Takes::Bound,
            doc: "So many resources, or such a share of those that are owned, may be destroyed or replaced by one apply, as `-max-destroy`. Unmanaged peers that go are counted too.",
            ..PLAIN
        },
        Argument {
            name: "max_vanished",
            takes: Takes::Bound,
            doc: "So much of what is owned on one backend may be missing there before it is no longer believed: so many interfaces, and so many peers of those that are there; or such a share of each, of which one interface is always believed unless the share is \"0%\". When it is not written: one interface, and a fifth of the peers or five.",
            ..PLAIN
        },
        Argument {
            name: "forbid",
            takes: Takes::Words(&Deed::WORDS),
            default: Some("[]"),
            doc: "What no apply does to anything, such as `[\"destroy\"]`.",
            ..PLAIN
        },
        Argument {
            name: "protect",
            takes: Takes::Patterns,
            doc: "Resources that no apply destroys or replaces, such as `[interface.hq, module.site]`; a pattern with `**` stands in quotes.",
            ..PLAIN
        },
        Argument {
            name: "on_drift",
            takes: Takes::Choice(&OnDrift::WORDS),
            doc: "What an apply does that would undo what was changed outside of wgform: `refuse` it unless `-heal` is said, `heal` it without a word, or `ask`, also where `-auto-approve` is said. When it is not written, drift is undone with the rest, and refused with `-input=false`.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `variable`.
pub const VARIABLE: BlockType = BlockType {
    name: "variable",
    head: "variable \"NAME\"",
    doc: "A value that comes from outside, and is referred to as `var.NAME`. Later wins: the default, the environment variable `WGFORM_VAR_NAME`, `wgform.wgvars.hcl`, `*.auto.wgvars.hcl` in name order, then `-var-file` and `-var` in the order of the command line. A variable without a value is an error only where something uses it.",
    arguments: &[
        Argument {
            name: "type",
            takes: Takes::Type,
            default: Some("any"),
            doc: "`string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` with `optional(…)`, or `tuple([…])`. A value is converted to it.",
            ..PLAIN
        },
        Argument { name: "default", doc: "The value when none is given.", ..PLAIN },
        Argument {
            name: "description",
            takes: Takes::PlainText,
            doc: "A note for people.",
            ..PLAIN
        },
        Argument {
            name: "sensitive",
            takes: Takes::PlainBool,
            default: Some("false"),
            doc: "Whether the value, and whatever is made from it, is never shown.",
            ..PLAIN
        },
        Argument {
            name: "nullable",
            takes: Takes::PlainBool,
            default: Some("true"),
            doc: "Whether the value may be `null`. When not, a `null` that is given stands for the default.",
            ..PLAIN
        },
    ],
    blocks: &[VALIDATION],
};

/// `validation`, in `variable`.
pub const VALIDATION: BlockType = BlockType {
    name: "validation",
    head: "validation",
    doc: "A condition that the value must fulfil. There may be several.",
    arguments: &[
        Argument {
            name: "condition",
            takes: Takes::Bool,
            is_required: true,
            doc: "True for a value that is allowed.",
            ..PLAIN
        },
        Argument {
            name: "error_message",
            takes: Takes::Text,
            is_required: true,
            doc: "What to do about a value that is not.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `locals`.
pub const LOCALS: BlockType = BlockType {
    name: "locals",
    head: "locals",
    doc: "Values under names of your own, each referred to as `local.NAME`. There may be several such blocks.",
    arguments: &[],
    blocks: &[],
};

/// `output`.
pub const OUTPUT: BlockType = BlockType {
    name: "output",
    head: "output \"NAME\"",
    doc: "A value that `wgform output` prints after an apply.",
    arguments: &[
        Argument { name: "value", is_required: true, doc: "The value.", ..PLAIN },
        Argument {
            name: "description",
            takes: Takes::PlainText,
            doc: "A note for people.",
            ..PLAIN
        },
        Argument {
            name: "sensitive",
            takes: Takes::PlainBool,
            default: Some("false"),
            doc: "Whether the value is never shown. It is then not stored either.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `lifecycle`, in every resource.
pub const LIFECYCLE: BlockType = BlockType {
    name: "lifecycle",
    head: "lifecycle",
    doc: "What may happen to the object.",
    arguments: &[
        Argument {
            name: "prevent_destroy",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether a plan that destroys or replaces the object is refused. It holds also after the block is gone from the configuration.",
            ..PLAIN
        },
        Argument {
            name: "ignore_changes",
            takes: Takes::Attributes,
            doc: "Attributes whose value counts only while the object is made, such as `[description, allowed_ips]`, or `all`. As long as the object stays, what its device has is what is wanted, and so what a reference to it gives; of a secret nothing is written, and of `routes`, `persist` and what else no device shows, what was last applied holds. Where an object is and which interface a peer is on is never ignored.",
            ..PLAIN
        },
        Argument {
            name: "replace_triggered_by",
            takes: Takes::Triggers,
            doc: "Resources, or attributes of them, such as `[interface.hub, peer.laptop.public_key]`: when one is made, changed or replaced, this one is made anew. An interface keeps its key.",
            ..PLAIN
        },
        ENABLED,
    ],
    blocks: &[PRECONDITION, POSTCONDITION],
};

/// `lifecycle.enabled`.
const ENABLED: Argument = Argument {
    name: "enabled",
    takes: Takes::Bool,
    default: Some("true"),
    doc: "Whether the block stands for anything. When not, a reference to it is `null`. It cannot stand beside `for_each` or `count`, and its value must be known before anything is applied.",
    ..PLAIN
};

/// `lifecycle`, in `module`.
pub const LIFECYCLE_OF_MODULE: BlockType = BlockType {
    name: "lifecycle",
    head: "lifecycle",
    doc: "Whether the module is there.",
    arguments: &[ENABLED],
    blocks: &[],
};

/// `for_each`.
const FOR_EACH: Argument = Argument {
    name: "for_each",
    takes: Takes::Anything,
    is_required: false,
    default: None,
    doc: "A map or a set of strings: the block stands for one instance with each key, such as `peer.laptop[\"alice\"]`. In the block, `each.key` and `each.value` are the key and its value (in a set, the key again). The keys must be known before anything is applied, and cannot be sensitive.",
};

/// `count`.
const COUNT: Argument = Argument {
    name: "count",
    takes: Takes::Number,
    is_required: false,
    default: None,
    doc: "A number: the block stands for so many instances, `peer.laptop[0]` and on. In the block, `count.index` is the number of the instance. Where elements come and go, `for_each` keeps the others as they are.",
};

/// `module`.
pub const MODULE: BlockType = BlockType {
    name: "module",
    head: "module \"NAME\"",
    doc: "The configuration in another directory, with values for its variables: every other argument is one. Its outputs are referred to as `module.NAME.OUTPUT`, and its resources have addresses such as `module.NAME.peer.hub`. A module has no `wgform` and no `backend` blocks; it can be given backends, interfaces and peers as the values of variables with `type = backend`, `interface` or `peer`.",
    arguments: &[
        Argument {
            name: "source",
            takes: Takes::PlainText,
            is_required: true,
            doc: "Its directory, relative to the file's own: `\"./modules/site\"`.",
            ..PLAIN
        },
        FOR_EACH,
        COUNT,
        DEPENDS_ON,
    ],
    blocks: &[LIFECYCLE_OF_MODULE],
};

/// `precondition`, in `lifecycle`.
pub const PRECONDITION: BlockType = BlockType {
    name: "precondition",
    head: "precondition",
    doc: "What has to be true before anything is done about the object. It is looked at in every plan; what is not known then, right before the object is written. There may be several.",
    arguments: CONDITION,
    blocks: &[],
};

/// `postcondition`, in `lifecycle`.
pub const POSTCONDITION: BlockType = BlockType {
    name: "postcondition",
    head: "postcondition",
    doc: "What has to be true of the object, which `self` is in it, as in `self.listen_port`. It is looked at in every plan; what is not known then, when the object has been written: what needs the object is then not done. There may be several.",
    arguments: CONDITION,
    blocks: &[],
};

/// `check`.
pub const CHECK: BlockType = BlockType {
    name: "check",
    head: "check \"NAME\"",
    doc: "What should be true of everything together. What is not is a warning: in `validate`, `plan`, `drift`, and at the end of an `apply`, of what is there by then.",
    arguments: &[],
    blocks: &[ASSERT],
};

/// `assert`, in `check`.
pub const ASSERT: BlockType = BlockType {
    name: "assert",
    head: "assert",
    doc: "One condition. There may be several.",
    arguments: CONDITION,
    blocks: &[],
};

/// What a condition and its message are made of.
const CONDITION: &[Argument] = &[
    Argument {
        name: "condition",
        takes: Takes::Bool,
        is_required: true,
        doc: "What has to be true.",
        ..PLAIN
    },
    Argument {
        name: "error_message",
        takes: Takes::Text,
        is_required: true,
        doc: "What to do when it is not.",
        ..PLAIN
    },
];

/// `data "interface"`.
pub const DATA: BlockType = BlockType {
    name: "data",
    head: "data \"interface\" \"NAME\"",
    doc: "An interface that somebody else manages, as its backend has it when a plan is made. Nothing about it is ever changed. Others refer to it as `data.interface.NAME.ATTRIBUTE`; the attributes are `backend`, `name`, `public_key`, `listen_port`, `addresses`, `mtu`, `description`, `enabled` and `fwmark`, and one that its device does not have is `null`. Its private key cannot be had.",
    arguments: &[
        Argument {
            name: "backend",
            takes: Takes::Backend,
            doc: "The backend on which it is; `default_backend` when it is not written.",
            ..PLAIN
        },
        Argument {
            name: "name",
            takes: Takes::Text,
            is_required: true,
            doc: "Its name there. One that is not there is an error.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// What can be referred to of such an interface.
pub const DATA_ATTRIBUTES: [&str; 9] = [
    "backend",
    "name",
    "public_key",
    "listen_port",
    "addresses",
    "mtu",
    "description",
    "enabled",
    "fwmark",
];

/// What `routes` may be where one word is enough.
pub const ROUTE_MODES: &[&str] = &RouteMode::WORDS;

/// How a gateway can be watched.
pub const GATEWAY_CHECKS: &[&str] = &GatewayCheck::WORDS;

/// `routes`, in `interface`.
pub const ROUTES: BlockType = BlockType {
    name: "routes",
    head: "routes",
    doc: "What `routes` of an interface says, where one word is not enough. An object with the same names does as well. With `default_route` in the main table, what the interface itself sends stays outside of the tunnel, by a firewall mark and two policy rules as `wg-quick` has them; on a router there is no such thing, and a default route needs a `table`.",
    arguments: &[
        Argument {
            name: "mode",
            takes: Takes::Choice(ROUTE_MODES),
            default: Some("\"auto\""),
            doc: "`auto` makes a route to each allowed IP of the peers, unless a network of `addresses` covers it.",
            ..PLAIN
        },
        Argument {
            name: "table",
            takes: Takes::Text,
            default: Some("\"main\""),
            doc: "The routing table: its number, or its name in `/etc/iproute2/rt_tables` of the host; on a router its name.",
            ..PLAIN
        },
        Argument {
            name: "distance",
            takes: Takes::Number,
            doc: "The metric: of two routes to one network, the one with the lower metric is taken. The system's own when it is not written: 0 for IPv4, 1024 for IPv6, 1 on a router.",
            ..PLAIN
        },
        Argument {
            name: "gateway",
            takes: Takes::Text,
            doc: "On a router: the address of the far end that the routes lead to, for networks of its family, in place of the interface itself.",
            ..PLAIN
        },
        Argument {
            name: "check_gateway",
            takes: Takes::Choice(GATEWAY_CHECKS),
            doc: "On a router: how it finds out whether `gateway` is there. While it is not, the routes do not count.",
            ..PLAIN
        },
        Argument {
            name: "default_route",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether `0.0.0.0/0` and `::/0` among the allowed IPs become routes too.",
            ..PLAIN
        },
        Argument {
            name: "exclude",
            takes: Takes::Networks,
            default: Some("[]"),
            doc: "Networks that no route leads to: one that is a part of an allowed IP is cut out of it.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `client`, in `peer`.
pub const CLIENT: BlockType = BlockType {
    name: "client",
    head: "client",
    doc: "The configuration of the far end, which a router shows as a QR code to whoever sets it up. Each argument is an attribute of the peer: `address` is `client_address`, and so on.",
    arguments: &[
        Argument {
            name: "private_key",
            doc: "The private key of the far end. One that the router has, and that is not written, is left alone and never shown.",
            ..PLAIN
        },
        Argument {
            name: "address",
            doc: "The addresses of the far end, such as `[\"10.8.0.2/32\"]`.",
            ..PLAIN
        },
        Argument { name: "dns", doc: "The name servers of the far end, in order.", ..PLAIN },
        Argument {
            name: "endpoint",
            takes: Takes::Text,
            doc: "Where the far end reaches the router: a host, or a host and a port.",
            ..PLAIN
        },
        Argument {
            name: "keepalive",
            takes: Takes::Text,
            doc: "How often the far end sends a packet when it is idle.",
            ..PLAIN
        },
        Argument {
            name: "listen_port",
            takes: Takes::Number,
            doc: "The UDP port of the far end.",
            ..PLAIN
        },
        Argument {
            name: "allowed_ips",
            takes: Takes::Networks,
            doc: "What the far end sends into the tunnel. From RouterOS 7.21 on.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// The attribute of a peer that an argument of its `client` block is.
pub const CLIENT_ATTRIBUTES: [(&str, &str); 7] = [
    ("private_key", "client_private_key"),
    ("address", "client_address"),
    ("dns", "client_dns"),
    ("endpoint", "client_endpoint"),
    ("keepalive", "client_keepalive"),
    ("listen_port", "client_listen_port"),
    ("allowed_ips", "client_allowed_ips"),
];

/// `assign`, in `interface`.
pub const ASSIGN: BlockType = BlockType {
    name: "assign",
    head: "assign",
    doc: "On a firewall: the interface that the tunnel is assigned to, without which nothing is routed into the tunnel. Each argument is an attribute of the interface: `descr` is `assign_descr`, and so on. Without the block an assignment of somebody else stays; when the block goes, so does the interface, with the firewall's rules for it.",
    arguments: &[
        Argument {
            name: "descr",
            takes: Takes::Text,
            is_required: true,
            doc: "What the firewall calls the interface, such as `\"VPN\"`.",
            ..PLAIN
        },
        Argument {
            name: "addresses",
            doc: "Its addresses with their prefix length, one of each family at most, in the place of `addresses` of the tunnel.",
            ..PLAIN
        },
        Argument {
            name: "mtu",
            takes: Takes::Number,
            doc: "Its MTU in bytes, 1280 to 8192; that of the tunnel has no effect.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// The attribute of an interface that an argument of its `assign` block is.
pub const ASSIGN_ATTRIBUTES: [(&str, &str); 3] =
    [("descr", "assign_descr"), ("addresses", "assign_addresses"), ("mtu", "assign_mtu")];

/// `moved`.
pub const MOVED: BlockType = BlockType {
    name: "moved",
    head: "moved",
    doc: "A resource or a module has another address now. What is recorded under the old one is recorded under the new one from the next apply on, and nothing is changed on any device. The block may stay for ever: once there is nothing under the old address, it does nothing. Blocks lead on to each other, in any order: `a` to `b` and `b` to `c` is `a` to `c`.",
    arguments: &[
        Argument {
            name: "from",
            takes: Takes::Address,
            is_required: true,
            doc: "The old address, such as `peer.laptop`, `peer.rw[\"alice\"]` or `module.site`. Nothing may be declared under it any more.",
            ..PLAIN
        },
        Argument {
            name: "to",
            takes: Takes::Address,
            is_required: true,
            doc: "The new address, of the same kind. When neither of the two has a key, all instances move and keep theirs; otherwise one instance moves, and an address without a key is one that is not repeated.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `removed`.
pub const REMOVED: BlockType = BlockType {
    name: "removed",
    head: "removed",
    doc: "A resource or a module is no longer declared, and this is what becomes of it. Without the block it is destroyed; with it, it can be left where it is.",
    arguments: &[Argument {
        name: "from",
        takes: Takes::Address,
        is_required: true,
        doc: "The address that it had, with all its instances unless it has a key. Nothing may be declared under it any more.",
        ..PLAIN
    }],
    blocks: &[REMOVED_LIFECYCLE],
};

/// `lifecycle`, in `removed`.
pub const REMOVED_LIFECYCLE: BlockType = BlockType {
    name: "lifecycle",
    head: "lifecycle",
    doc: "What happens on the device.",
    arguments: &[Argument {
        name: "destroy",
        takes: Takes::PlainBool,
        default: Some("true"),
        doc: "`false` forgets the object and leaves it on its device as it is.",
        ..PLAIN
    }],
    blocks: &[],
};

/// `import`.
pub const IMPORT: BlockType = BlockType {
    name: "import",
    head: "import",
    doc: "An object that is there already is taken over, as `wgform import` does, in the next apply: the plan shows what would change about it. Once the resource owns that object, the block does nothing.",
    arguments: &[
        Argument {
            name: "to",
            takes: Takes::Address,
            is_required: true,
            doc: "The resource that is to own it. The keys in it may be expressions, such as `peer.rw[each.key]`; nothing else of it is evaluated.",
            ..PLAIN
        },
        Argument {
            name: "id",
            takes: Takes::Text,
            is_required: true,
            doc: "How it is found: the NAME of an interface, such as `wg0` or `tun_wg0`; INTERFACE/PUBLIC_KEY of a peer; on a router also its `.id`, such as `*3`, and the name of a peer if no other one has it.",
            ..PLAIN
        },
        Argument {
            name: "for_each",
            doc: "A map or a set of texts: an object is taken over for each of its elements. In `to` and `id`, `each.key` and `each.value` are that element.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `hold`.
pub const HOLD: BlockType = BlockType {
    name: "hold",
    head: "hold \"NAME\"",
    doc: "Plan and apply leave these resources alone, or these attributes of them, for a time: after a break-glass change by hand, while somebody looks into it. The plan shows what would have changed, and `wgform drift` reports it as held. Once the time is up, what differs is drift again. For a night without a merge request there is `wgform hold`. It stands in the root only.",
    arguments: HOLDING,
    blocks: &[],
};

/// `known_drift`.
pub const KNOWN_DRIFT: BlockType = BlockType {
    name: "known_drift",
    head: "known_drift \"NAME\"",
    doc: "Drift of these resources, or of these attributes of them, is known for a time: `wgform drift` reports it as known, and its exit code does not count it. It is about reports only: an apply undoes the drift, as any other. It stands in the root only.",
    arguments: HOLDING,
    blocks: &[],
};

/// What both are made of.
const HOLDING: &[Argument] = &[
    Argument {
        name: "targets",
        takes: Takes::Addresses,
        is_required: true,
        doc: "What it is about, such as `[interface.hub, peer.rw[\"alice\"], module.site]`: all instances, unless there is a key. Each has to be in the configuration or in the state.",
        ..PLAIN
    },
    Argument {
        name: "attributes",
        takes: Takes::Attributes,
        default: Some("all"),
        doc: "The attributes, such as `[endpoint, allowed_ips]`.",
        ..PLAIN
    },
    Argument {
        name: "reason",
        takes: Takes::Text,
        is_required: true,
        doc: "Why; it is shown with everything that it is about.",
        ..PLAIN
    },
    Argument {
        name: "expires_at",
        takes: Takes::Text,
        is_required: true,
        doc: "Until when, such as `\"2027-01-31T12:00:00Z\"`.",
        ..PLAIN
    },
];

/// What every resource takes besides its own attributes.
pub const EVERY_RESOURCE: &[Argument] = &[FOR_EACH, COUNT, DEPENDS_ON];

/// `depends_on`.
const DEPENDS_ON: Argument = Argument {
    name: "depends_on",
    takes: Takes::Addresses,
    is_required: false,
    default: None,
    doc: "Resources and modules that have to be there first although nothing refers to them, such as `[interface.hub, module.site]`: all instances of each.",
};

/// The top-level blocks that are no resources, in the order in which the reference has them.
pub const BLOCK_TYPES: [BlockType; 16] = [
    WGFORM,
    VARIABLE,
    LOCALS,
    OUTPUT,
    MODULE,
    CHECK,
    DATA,
    BACKEND_LOCAL,
    BACKEND_LINUX,
    BACKEND_ROUTEROS,
    BACKEND_PFSENSE,
    MOVED,
    REMOVED,
    IMPORT,
    HOLD,
    KNOWN_DRIFT,
];
