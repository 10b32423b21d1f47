//! What single fields and whole objects have to obey beyond their kind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::simulator::pfsense::config::{network, text_of};
use crate::simulator::pfsense::model::{Field, Model};
use crate::simulator::pfsense::request::Refused;
use crate::simulator::pfsense::validate::{Draft, Surroundings};
use crate::simulator::pfsense::value::Value;
use crate::value::PrivateKey;

/// Looks at a field after all fields had what their kind needs.
pub(super) fn check_field(
    model: &Model,
    field: &Field,
    draft: &mut Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    let value = draft.value(field.name).clone();
    if value.is_null() {
        return Ok(());
    }
    match (model.name, field.name) {
        ("WireGuardTunnel", "enabled") if value == Value::Bool(false) => {
            let name = text_of(&draft.object, "name");
            match around.config.interface_of(name) {
                Some(_) => Err(in_use_by_interface()),
                None => Ok(()),
            }
        }
        ("WireGuardTunnel", "privatekey") => {
            let key = clamped(text_of(&draft.object, "privatekey"))?;
            draft.object.insert(field.name.to_owned(), key.into());
            Ok(())
        }
        ("WireGuardPeer", "presharedkey") => match value.text() {
            Some(text) if text.is_empty() || is_key(text) => Ok(()),
            _ => {
                let why = "Field `presharedkey` must be a valid WireGuard pre-shared key.";
                Err(Refused::bad("WIREGUARD_PEER_PRESHAREDKEY_INVALID", why))
            }
        },
        ("WireGuardSettings", "enable") if value == Value::Bool(false) => {
            match around.config.has_assigned_tunnel() {
                true => Err(has_assigned_tunnels()),
                false => Ok(()),
            }
        }
        ("NetworkInterface", name) => check_interface(name, &value, draft, around),
        _ => Ok(()),
    }
}

/// Looks at an object as a whole.
pub(super) fn check_object(
    model: &Model,
    draft: &mut Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    match model.name {
        "WireGuardTunnel" => {
            let key = decode(text_of(&draft.object, "privatekey"));
            let public = key.map(|key| PrivateKey::from_bytes(key).public().to_string());
            draft.object.insert("publickey".to_owned(), public.unwrap_or_default().into());
            Ok(())
        }
        "WireGuardTunnelAddress" => {
            let mask = draft.value("mask").int().unwrap_or_default();
            match around.config.is_in_use(text_of(&draft.object, "address"), mask, "") {
                true => Err(address_in_use()),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn in_use_by_interface() -> Refused {
    let id = "WIREGUARD_TUNNEL_CANNOT_BE_DISABLED_WHILE_IN_USE_BY_INTERFACE";
    let why = "Field `enabled` cannot be `false` because this WireGuard Tunnel is in use by an existing interface \
               object.";
    Refused::new(409, id, why)
}

fn has_assigned_tunnels() -> Refused {
    let id = "WIREGUARD_SETTINGS_CANNOT_DISABLE_WITH_ACTIVE_TUNNELS";
    let why = "Field `enable` cannot be set to `false` when WireGuard tunnels are in use by an existing pfSense \
               interface.";
    Refused::new(409, id, why)
}

fn address_in_use() -> Refused {
    let why = "This tunnel`s `address` and `mask` is already in use on this system.";
    Refused::new(409, "WIREGUARD_TUNNEL_ADDRESS_AND_MASK_ALREADY_IN_USE", why)
}

/// Returns whether a text looks like a key. It is one character kinder than base64 is.
pub(super) fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    bytes.len() == 44
        && bytes[..42].iter().all(is_base64)
        && b"AEIMQUYcgkosw480|".contains(&bytes[42])
        && bytes[43] == b'='
}

fn decode(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

fn clamped(text: &str) -> Result<String, Refused> {
    if !is_key(text) {
        let why = "Field `privatekey` must be a valid WireGuard private key.";
        return Err(Refused::bad("WIREGUARD_TUNNEL_INVALID_PRIVATE_KEY", why));
    }
    let key = decode(text).map(|key| PrivateKey::from_bytes(key).expose_text().to_string());
    Ok(key.unwrap_or_else(|| text.to_owned()))
}

/// Names that the packet filter needs itself, some of them.
const RESERVED: [&str; 16] = [
    "all", "any", "block", "drop", "from", "in", "inet", "inet6", "log", "nat", "on", "out",
    "pass", "port", "quick", "to",
];

/// Looks at the name of something in the packet filter.
pub(super) fn check_name(field: &str, text: &str) -> Result<(), Refused> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let why = format!(
            "Field `{field}` cannot be `{text}` because it contains invalid characters. Only A-Z, a-z, 0-9, and _ \
             are allowed."
        );
        return Err(Refused::bad("FILTER_NAME_VALIDATOR_INVALID_CHARACTERS", why));
    }
    let because = |id: &'static str, why: &str| {
        Err(Refused::bad(id, format!("Field `{field}` cannot be `{text}` because {why}")))
    };
    if RESERVED.contains(&text) {
        let why = "it is a name reserved by the system.";
        return because("FILTER_NAME_VALIDATOR_RESERVED_NAME_USED", why);
    }
    if text.starts_with("pkg_") {
        return because("FILTER_NAME_VALIDATOR_CANNOT_START_WITH_PKG", "it starts with `pkg_`.");
    }
    if Value::from(text).number().is_some() {
        return because("FILTER_NAME_VALIDATOR_CANNOT_BE_NUMERICAL", "it is entirely numerical.");
    }
    Ok(())
}

fn check_interface(
    field: &str,
    value: &Value,
    draft: &Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    let text = value.text().unwrap_or_default();
    let id = draft.id.to_text();
    let is_new = draft.before.as_ref().and_then(|before| before.get(field)) != Some(value);
    match field {
        // The ids of the interfaces are names too, in both cases.
        "descr" if is_new && around.config.interface(&text.to_lowercase()).is_some() => {
            let why = format!(
                "Field `descr` cannot be `{text}` because it is a name reserved by the system."
            );
            Err(Refused::bad("FILTER_NAME_VALIDATOR_RESERVED_NAME_USED", why))
        }
        "media" if !text.is_empty() => {
            let why = format!(
                "Interface does not support media type `{text}`, supported options are: []"
            );
            Err(Refused::bad("NETWORK_INTERFACE_WITH_UNSUPPORTED_MEDIA_TYPE", why))
        }
        "mediaopt" if !text.is_empty() => {
            let why = format!(
                "Interface does not support media option `{text}`, supported options are: []"
            );
            Err(Refused::bad("NETWORK_INTERFACE_WITH_UNSUPPORTED_MEDIA_OPTION", why))
        }
        "ipaddr" => check_ipaddr(text, &id, draft, around),
        "ipaddrv6" => {
            let mask = draft.value("subnetv6").int().unwrap_or(128);
            match around.config.is_in_use(text, mask, &id) {
                false => Ok(()),
                true => {
                    let why = format!(
                        "Interface `ipaddrv6` cannot use `{text}` because it is currently in use"
                    );
                    Err(Refused::bad("INTERFACE_IPADDRV6_ALREADY_IN_USE", why))
                }
            }
        }
        _ => Ok(()),
    }
}

fn check_ipaddr(
    text: &str,
    id: &str,
    draft: &Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    let is_static = draft.value("typev4").text() == Some("static");
    let mask = draft.value("subnet").int().unwrap_or(32);
    let Some(network) = network(text, mask) else {
        return match is_static {
            false => Ok(()),
            true => {
                let why =
                    "Interface `ipaddr` must be an IPv4 address when `typev4` is set to `static`";
                Err(Refused::bad("INTERFACE_IPADDR_NOT_IPV4_WHEN_STATIC", why))
            }
        };
    };
    let refuse = |refused: &'static str, why: &str| {
        let why = format!("Interface `ipaddr` cannot use `{text}` because it is {why}");
        Err(Refused::bad(refused, why))
    };
    if around.config.is_in_use(text, mask, id) {
        return refuse("INTERFACE_IPADDR_ALREADY_IN_USE", "currently in use");
    }
    if mask < 31 && network.addr() == network.network() {
        let refused = "NETWORK_INTERFACE_IPADDR_CANNOT_USE_NETWORK_ADDRESS";
        return refuse(refused, "the network address");
    }
    if mask < 31 && network.addr() == network.broadcast() {
        let refused = "NETWORK_INTERFACE_IPADDR_CANNOT_USE_BROADCAST_ADDRESS";
        return refuse(refused, "the broadcast address");
    }
    Ok(())
}
