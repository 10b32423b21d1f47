//! Words of Terraform, wg-quick, RouterOS and pfSense, and what is written here instead.

/// What later versions have, so that this one can say that it does not.
const LATER: &[&str] = &["assign", "organization", "provider", "resource", "terraform"];

/// Returns whether a word is one that this version does not have, rather than a mistake.
pub(crate) fn is_later(word: &str) -> bool {
    LATER.iter().any(|later| later.replace('_', "") == plain(word))
}

/// Returns the name that a word of another tool has here; `place` is the block around it, empty for a block itself.
pub(crate) fn name_here(place: &str, word: &str) -> Option<&'static str> {
    Some(match (place, plain(word).as_str()) {
        ("", "wireguard" | "wireguardinterface" | "wginterface" | "tunnel" | "device") => {
            "interface"
        }
        ("", "wireguardpeer" | "wgpeer" | "client") => "peer",
        ("", "psk" | "sharedkey" | "wireguardpresharedkey") => "preshared_key",
        ("", "var" | "input") => "variable",
        ("interface", "ip" | "ips" | "ipaddress" | "cidr" | "subnet" | "ipv4" | "ipv6") => {
            "addresses"
        }
        ("interface", "port" | "listen" | "udpport") => "listen_port",
        ("interface", "key" | "privkey" | "secretkey") => "private_key",
        ("interface", "mark" | "firewallmark") => "fwmark",
        ("interface", "ifname" | "iface" | "device" | "interface") => "name",
        ("interface" | "peer", "comment" | "descr" | "desc" | "note") => "description",
        ("interface", "replacekey" | "rotation") => "key_rotation",
        (
            "peer",
            "ip" | "ips" | "cidr" | "address" | "addresses" | "networks" | "subnets" | "routes",
        ) => "allowed_ips",
        ("peer", "allowed" | "allowedaddress" | "allowedaddresses") => "allowed_ips",
        ("peer", "key" | "pubkey") => "public_key",
        ("peer", "psk" | "sharedkey") => "preshared_key",
        ("peer", "keepalive" | "persistentkeepaliveinterval") => "persistent_keepalive",
        ("peer", "host" | "remote" | "server" | "endpointaddress" | "endpointhost") => "endpoint",
        ("peer", "iface" | "device" | "tunnel" | "wg") => "interface",
        ("peer", "expires" | "expiry" | "validuntil") => "expires_at",
        ("preshared_key", "key" | "secret" | "psk" | "presharedkey") => "value",
        ("routes", "metric" | "priority") => "distance",
        ("routes", "default" | "gatewayredirect") => "default_route",
        ("routes", "excludes" | "except" | "without") => "exclude",
        ("variable", "value") => "default",
        ("backend", "namespace" | "ns") => "netns",
        ("ssh", "hostname" | "address" | "ip" | "server") => "host",
        ("ssh", "username" | "login") => "user",
        ("ssh", "key" | "keyfile" | "privatekey" | "privatekeyfile" | "identity") => {
            "identity_file"
        }
        ("ssh", "knownhostsfile" | "userknownhostsfile") => "known_hosts",
        ("ssh", "fingerprint" | "hostkeyfingerprint" | "hostkeysha256") => "host_key",
        ("ssh", "proxyjump" | "bastion" | "bastionhost" | "proxy") => "jump",
        ("ssh", "become") => "sudo",
        ("interface", "dns" | "nameserver" | "nameservers" | "dnsservers") => "dns",
        ("interface", "search" | "domains" | "dnsdomain" | "searchdomains") => "dns_search",
        ("interface", "preup") => "pre_up",
        ("interface", "postup" | "up" | "hooks") => "post_up",
        ("interface", "predown") => "pre_down",
        ("interface", "postdown" | "down") => "post_down",
        ("backend", "program" | "implementation" | "userspace") => "userspace_program",
        _ => return None,
    })
}

/// Returns the way out where another name alone is none.
pub(crate) fn advice(place: &str, word: &str) -> Option<&'static str> {
    Some(match (place, plain(word).as_str()) {
        ("", "resource") => {
            "The kind is the type of the block: write `interface \"name\" { … }` or `peer \"name\" { … }`."
        }
        ("", "terraform") => "Settings stand in a `wgform` block.",
        ("", "provider") => {
            "A system where interfaces live is a `backend` block; this host needs none."
        }
        ("interface", "peer" | "peers") => {
            "A `peer` is a block of its own, beside the interface, with a line such as `interface = interface.NAME`."
        }
        ("interface" | "peer", "dynamic") => {
            "No block in it can stand there twice. For one that is there sometimes, write it, and give its arguments `null` when it is not."
        }
        ("interface" | "peer", "disabled" | "shutdown") => "Write `enabled = false`.",
        ("interface", "saveconfig") => {
            "The configuration is in these files; nothing is saved from the device."
        }
        ("interface", "endpoint" | "allowedips" | "presharedkey" | "persistentkeepalive") => {
            "It is an argument of `peer`."
        }
        ("peer", "listenport" | "mtu" | "fwmark") => "It is an argument of `interface`.",
        ("peer", "privatekey") => {
            "The private key of the far end stays there: a peer has a `public_key`."
        }
        ("peer", "endpointport" | "port") => {
            "The port stands behind the host: `endpoint = \"HOST:PORT\"`."
        }
        ("wgform", "backend") => {
            "The state is kept by a `state` block, and `default_backend` says where interfaces go."
        }
        ("interface", "table" | "distance" | "metric" | "defaultroute") => {
            "It stands in `routes`: write `routes { … }`."
        }
        ("backend", "host" | "hostname" | "address" | "port" | "user" | "identityfile") => {
            "Another host is a `linux` backend: write `ssh { host = \"…\" }` in it."
        }
        ("backend", "ssh") => "Another host is a `linux` backend; `local` is this one.",
        ("ssh", "password" | "passphrase") => {
            "A password is never asked for nor sent: use a key, or one that an agent holds."
        }
        ("ssh", "stricthostkeychecking" | "strictchecking" | "insecure" | "verifyhostkey") => {
            "The key of the host is always checked: set `known_hosts`, or `host_key` to its fingerprint."
        }
        ("ssh", "agent" | "forwardagent") => {
            "An agent is asked when there is one, and never forwarded."
        }
        ("wgform", "requiredproviders") => "There is nothing to download.",
        _ => return None,
    })
}

/// Returns the way out for a name that a reference cannot start with here.
pub(crate) fn root(word: &str) -> Option<&'static str> {
    Some(match word {
        "path" => "Write `path.module`, `path.root` or `path.cwd`.",
        "output" => "Put the value into a `variable` or into `locals`.",
        "terraform" => "Keep a directory for each environment, or give its name as a `variable`.",
        "wgform" => "Settings cannot be referred to.",
        "locals" => "Write `local.NAME`.",
        "wireguard_interface" | "wg" => "Write `interface.NAME`.",
        "wireguard_peer" => "Write `peer.NAME`.",
        _ => return None,
    })
}

/// Drops what words of different tools differ in.
fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
