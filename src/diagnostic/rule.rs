//! What lint looks for: one declaration for each rule, by which messages, the page about lint and the comments that
//! silence a rule go.
//!
//! Who looks is elsewhere: some rules hold while files are read, most in `lint`, and the strictest where a plan is made.

use crate::diagnostic::Severity;
use crate::diagnostic::Severity::{Error, Warning};

/// One thing that lint looks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is called in messages, and in the comments that silence it.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether a comment can silence it. What no device could do cannot be made right by a comment.
    pub can_be_silenced: bool,
    /// What it finds, as a noun without an article.
    pub finds: &'static str,
    /// Why that matters, and what to do, as whole sentences.
    pub why: &'static str,
}

impl Rule {
    /// Finds a rule by its code.
    pub fn named(code: &str) -> Option<&'static Self> {
        RULES.iter().copied().find(|rule| rule.code == code)
    }
}

/// Every rule, in the order in which the page about lint lists them.
pub const RULES: &[&Rule] = &[
    &OVERLAPPING_ALLOWED_IPS,
    &DUPLICATE_ALLOWED_IP,
    &TWO_DEFAULT_ROUTES,
    &OWN_ADDRESS,
    &ADDRESS_OUTSIDE_NETWORKS,
    &ADDRESS_FROM_LIST_POSITION,
    &DUPLICATE_PUBLIC_KEY,
    &OWN_PUBLIC_KEY,
    &SHARED_INTERFACE_KEY,
    &LITERAL_KEY,
    &LITERAL_PASSWORD,
    &UNREACHABLE_PAIR,
    &MISSING_KEEPALIVE,
    &ONE_SIDED_LINK,
    &ONE_SIDED_PRESHARED_KEY,
    &DIALLED_WITHOUT_FIXED_PORT,
    &LISTEN_PORT_CLASH,
    &MTU_BELOW_1280,
    &IPV6_THROUGH_SMALL_MTU,
    &UNUSED_VARIABLE,
    &UNUSED_LOCAL,
];

/// A network of one peer inside a network of another.
pub static OVERLAPPING_ALLOWED_IPS: Rule = Rule {
    code: "overlapping-allowed-ips",
    severity: Warning,
    can_be_silenced: true,
    finds: "network of one peer inside a network of another peer of the same interface",
    why: "WireGuard sends a packet to the peer with the narrowest network, so a part of the wider one is not where it \
          seems to be. That can be meant. Default routes hold everything and do not count.",
};

/// The same network on two peers.
pub static DUPLICATE_ALLOWED_IP: Rule = Rule {
    code: "duplicate-allowed-ip",
    severity: Error,
    can_be_silenced: false,
    finds: "same network on two peers of one interface",
    why: "WireGuard routes a network to one peer only, and takes it away from the other without a word.",
};

/// Two ways to everywhere.
pub static TWO_DEFAULT_ROUTES: Rule = Rule {
    code: "two-default-routes",
    severity: Warning,
    can_be_silenced: true,
    finds: "two peers of one interface with a default route, also when it is written as two halves, or once for IPv4 and \
            once for IPv6",
    why: "A part of what goes to everywhere takes another way than the rest. The very same default route on two peers is \
          `duplicate-allowed-ip`.",
};

/// An allowed IP that is the address of the interface.
pub static OWN_ADDRESS: Rule = Rule {
    code: "own-address",
    severity: Warning,
    can_be_silenced: true,
    finds: "allowed IP that is an address of the interface itself",
    why: "What is sent to an own address never enters the tunnel, so the peer cannot have it. Mostly the address of the \
          far end is meant.",
};

/// A far end that is in no network of the interface.
pub static ADDRESS_OUTSIDE_NETWORKS: Rule = Rule {
    code: "address-outside-networks",
    severity: Warning,
    can_be_silenced: true,
    finds: "single address of a peer, or of its `client` block, that is in no network of the interface",
    why: "Nothing routes an answer to such an address into the tunnel unless somebody adds a route. A peer that has any \
          network in common with its interface is left alone, and so is an interface that has only single addresses.",
};

/// An address that depends on the order of a list.
pub static ADDRESS_FROM_LIST_POSITION: Rule = Rule {
    code: "address-from-list-position",
    severity: Warning,
    can_be_silenced: true,
    finds: "address that is computed from a position in a list: `index(…)`, `count.index`, or the first name of \
            `for i, v in LIST`",
    why: "Whoever removes one element gives every element behind it another address. Keep the number with the name, in a \
          map such as `{ alice = 2, bob = 3 }`.",
};

/// Two peers that WireGuard takes for one.
pub static DUPLICATE_PUBLIC_KEY: Rule = Rule {
    code: "duplicate-public-key",
    severity: Error,
    can_be_silenced: false,
    finds: "same public key on two peers of one interface; on a firewall, of any interface",
    why: "WireGuard knows a peer by its key, so the two would be one.",
};

/// A peer that is its own interface.
pub static OWN_PUBLIC_KEY: Rule = Rule {
    code: "own-public-key",
    severity: Error,
    can_be_silenced: false,
    finds: "peer with the key of the interface that it is on",
    why: "An interface cannot be its own peer. The key of the far end is meant.",
};

/// Two interfaces that no peer can tell apart.
pub static SHARED_INTERFACE_KEY: Rule = Rule {
    code: "shared-interface-key",
    severity: Warning,
    can_be_silenced: true,
    finds: "two interfaces with one private key",
    why: "A peer takes both for the same, and sends to the one that it heard of last. That can be meant for a host and the one \
          that stands in for it.",
};

/// A key in a file.
pub static LITERAL_KEY: Rule = Rule {
    code: "literal-key",
    severity: Warning,
    can_be_silenced: true,
    finds: "private or pre-shared key that is written out",
    why: "Everybody who can read the file, or its history, can use it. Take it from a sensitive variable, `env(…)` or \
          `file(…)`, or leave it out.",
};

/// A password in a file.
pub static LITERAL_PASSWORD: Rule = Rule {
    code: "literal-password",
    severity: Warning,
    can_be_silenced: true,
    finds: "password or API key that is written out",
    why: "Everybody who can read the file, or its history, can log in with it. Take it from a sensitive variable, `env(…)` or \
          `file(…)`.",
};

/// Two ends that both wait.
pub static UNREACHABLE_PAIR: Rule = Rule {
    code: "unreachable-pair",
    severity: Error,
    can_be_silenced: true,
    finds: "pair of peers in which neither end has an endpoint",
    why: "Both wait for the other, and never meet. One of them needs an `endpoint`; a router's peer with `responder` does not \
          dial even if it has one. Silence it where something else than wgform tells one of them.",
};

/// A tunnel that only one end keeps open.
pub static MISSING_KEEPALIVE: Rule = Rule {
    code: "missing-keepalive",
    severity: Warning,
    can_be_silenced: true,
    finds: "pair of peers of which one has no endpoint, and neither has a keepalive",
    why: "The end without an endpoint cannot dial. While the tunnel is idle, a firewall or NAT on the way forgets it, and that end \
          reaches nobody until the other one sends something.",
};

/// A peer whose far end does not know it.
pub static ONE_SIDED_LINK: Rule = Rule {
    code: "one-sided-link",
    severity: Warning,
    can_be_silenced: true,
    finds: "peer whose far end is an interface of the configuration that has no peer for this end",
    why: "A handshake needs both. It is only said where the configuration says enough of the far end's peers: one whose key is \
          not known, or is written out, could be this end.",
};

/// A pre-shared key that one end lacks.
pub static ONE_SIDED_PRESHARED_KEY: Rule = Rule {
    code: "one-sided-preshared-key",
    severity: Warning,
    can_be_silenced: true,
    finds: "pair of peers of which one has a pre-shared key and the other has none, or another one",
    why: "No handshake succeeds. Let both ends name one `preshared_key`.",
};

/// A port that nobody wrote.
pub static DIALLED_WITHOUT_FIXED_PORT: Rule = Rule {
    code: "dialled-without-fixed-port",
    severity: Warning,
    can_be_silenced: true,
    finds: "endpoint of a peer whose far end is an interface without `listen_port`",
    why: "The device of the far end chooses the port, and the endpoint names one that was written before. Set `listen_port`, or \
          let the endpoint refer to it.",
};

/// Two interfaces on one port.
pub static LISTEN_PORT_CLASH: Rule = Rule {
    code: "listen-port-clash",
    severity: Error,
    can_be_silenced: false,
    finds: "same listen port on two interfaces of one host that are up",
    why: "The second one could not be brought up.",
};

/// An MTU with which IPv6 does not work.
pub static MTU_BELOW_1280: Rule = Rule {
    code: "mtu-below-1280",
    severity: Error,
    can_be_silenced: false,
    finds: "MTU below 1280 on an interface with an IPv6 address",
    why: "IPv6 needs packets of 1280 bytes, and a host refuses the address.",
};

/// An MTU with which IPv6 does not pass.
pub static IPV6_THROUGH_SMALL_MTU: Rule = Rule {
    code: "ipv6-through-small-mtu",
    severity: Warning,
    can_be_silenced: true,
    finds: "peer with an IPv6 network on an interface with an MTU below 1280",
    why: "IPv6 needs packets of 1280 bytes, and a host has no IPv6 on such an interface.",
};

/// A variable for nothing.
pub static UNUSED_VARIABLE: Rule = Rule {
    code: "unused-variable",
    severity: Warning,
    can_be_silenced: true,
    finds: "variable that nothing refers to, or only what is unused itself",
    why: "Whoever sets it expects something of it. Remove it.",
};

/// A local value for nothing.
pub static UNUSED_LOCAL: Rule = Rule {
    code: "unused-local",
    severity: Warning,
    can_be_silenced: true,
    finds: "local value that nothing refers to, or only what is unused itself",
    why: "It is never evaluated, so that a mistake in it is not seen either. Remove it.",
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::diagnostic::rule::{RULES, Rule};

    #[test]
    fn every_rule_has_a_code_of_its_own_in_one_form() {
        let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), RULES.len());
        for Rule { code, finds, why, .. } in RULES {
            let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(code.chars().all(is_kebab), "{code}");
            assert!(!finds.ends_with('.') && why.ends_with('.'), "{code}");
            assert!(!finds.contains("  ") && !why.contains("  "), "{code}");
            assert_eq!(Rule::named(code).map(|rule| rule.code), Some(*code));
        }
    }
}
