//! What a written value becomes: refused, or the one text in which the router keeps it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::simulator::routeros::duration;
use crate::simulator::routeros::menu::{Argument, Kind};
use crate::simulator::routeros::request::Refused;
use crate::simulator::routeros::router::Router;
use crate::value::{PrivateKey, PublicKey};

/// The menus in which `true` and `false` were seen to be taken.
const TAKE_TRUE: [&str; 3] = ["disabled", "responder", "is-responder"];

impl Router {
    /// Reads a value. References become ids, which is how they are kept.
    pub(super) fn parse(&self, argument: &Argument, text: &str) -> Result<String, Refused> {
        let name = argument.name;
        let invalid = || Refused::invalid(name);
        let kept = |parsed: Option<String>| parsed.ok_or_else(invalid);
        match argument.kind {
            Kind::Text => Ok(text.to_owned()),
            Kind::Name => kept((!text.is_empty()).then(|| text.to_owned())),
            Kind::Flag => Ok(String::new()),
            Kind::Bool => self.parse_bool(name, text),
            Kind::Number(from, to) => number(name, text, from, to),
            Kind::Mtu if text == "auto" => Ok(text.to_owned()),
            Kind::Mtu => number(name, text, 0, 65_536),
            Kind::Keepalive => keepalive(name, text),
            Kind::Duration => kept(duration::parse(text).map(duration::print)),
            Kind::PublicKey => kept(text.parse::<PublicKey>().ok().map(|key| key.to_string())),
            Kind::PrivateKey => kept(private_key(text)),
            Kind::OptionalKey => self.parse_optional_key(name, text),
            Kind::Prefixes => self.parse_prefixes(name, text),
            Kind::Addresses => kept(addresses(text)),
            Kind::Host => kept(is_host(text).then(|| text.to_owned())),
            Kind::Interface => self.parse_interface(name, text, |_| true),
            Kind::WireGuard => self.parse_interface(name, text, |kind| kind == "wg"),
            Kind::Ipv4 => kept(with_length(text, 32).filter(|it| is_ipv4(it))),
            Kind::Ipv6 => kept(with_length(text, 64).filter(|it| !is_ipv4(it))),
            Kind::Network => kept(text.parse::<IpAddr>().ok().map(|it| it.to_string())),
            Kind::Prefix4 => kept(network(text).filter(|it| is_ipv4(it))),
            Kind::Prefix6 => kept(network(text).filter(|it| !is_ipv4(it))),
            Kind::Gateway => self.parse_gateway(text),
            Kind::Word(words) => kept(words.contains(&text).then(|| text.to_owned())),
            Kind::Named(table) => self.parse_named(name, table, text),
        }
    }

    fn parse_bool(&self, name: &str, text: &str) -> Result<String, Refused> {
        match text {
            "yes" => Ok("true".to_owned()),
            "no" => Ok("false".to_owned()),
            "true" | "false" if self.switches.takes_true || TAKE_TRUE.contains(&name) => {
                Ok(text.to_owned())
            }
            _ => Err(Refused::not_yes_or_no(name)),
        }
    }

    /// A key, or nothing in one of its spellings; kept empty.
    fn parse_optional_key(&self, name: &str, text: &str) -> Result<String, Refused> {
        let has_words = self.profile.minor >= 22;
        match text {
            "" if has_words && self.switches.refuses_empty_key => Err(Refused::invalid(name)),
            "" => Ok(String::new()),
            "none" if has_words => Ok(String::new()),
            key => {
                // The key of all zeroes is WireGuard's own way to say that there is none.
                let key = key.parse::<PublicKey>().map_err(|_| Refused::invalid(name))?;
                Ok(key.to_string())
            }
        }
    }

    fn parse_prefixes(&self, name: &str, text: &str) -> Result<String, Refused> {
        // Since about 7.12 a peer cannot be without.
        if text.is_empty() && name == "allowed-address" && self.profile.minor >= 12 {
            return Err(Refused::invalid(name));
        }
        let one = |part: &str| {
            let net = parse_net(part)?;
            Some(if self.switches.masks_host_bits { net.trunc() } else { net }.to_string())
        };
        let parts: Option<Vec<_>> = split(text).map(one).collect();
        parts.map(|parts| parts.join(",")).ok_or_else(|| Refused::invalid(name))
    }

    /// The id of an interface of a type, by its name and by nothing else.
    fn parse_interface(
        &self,
        name: &str,
        text: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Result<String, Refused> {
        let (id, row) = self.interface_named(text).ok_or_else(|| Refused::no_match(name))?;
        match fits(&row.text("type")) {
            true => Ok(print_id(id)),
            false => Err(Refused::no_match(name)),
        }
    }

    fn parse_gateway(&self, text: &str) -> Result<String, Refused> {
        let unknown = || Refused::bad("invalid or unexpected argument base");
        if let Some((id, _)) = self.interface_named(text) {
            return Ok(print_id(id));
        }
        let (address, rest) = match text.find(['%', '@']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let address: IpAddr = address.parse().map_err(|_| unknown())?;
        match rest.split_at_checked(1) {
            Some(("%", interface)) => {
                let (id, _) = self.interface_named(interface).ok_or_else(unknown)?;
                Ok(format!("{address}%{}", print_id(id)))
            }
            Some((_, table)) if !self.has_named("routing/table", table) => Err(unknown()),
            _ => Ok(format!("{address}{rest}")),
        }
    }

    fn parse_named(&self, name: &str, table: &str, text: &str) -> Result<String, Refused> {
        let is_none = table == "pool" && text.is_empty();
        match is_none || self.has_named(table, text) {
            true => Ok(text.to_owned()),
            false => Err(Refused::no_match(name)),
        }
    }

    fn has_named(&self, table: &str, name: &str) -> bool {
        // What this simulator has no menu for has one object, or none.
        match table {
            "vrf" => self.vrfs.contains(name),
            "pool" => false,
            _ => self.rows(table).any(|(_, row)| row.is("name", name)),
        }
    }
}

/// Spells an id as it is shown.
pub(super) fn print_id(id: u64) -> String {
    format!("*{id:X}")
}

/// Reads an id; none for any other spelling.
pub(super) fn parse_id(text: &str) -> Option<u64> {
    let hex = text.strip_prefix('*')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    let is_id = !hex.is_empty() && hex.bytes().all(is_hex);
    is_id.then(|| u64::from_str_radix(hex, 16).ok()).flatten()
}

fn number(name: &str, text: &str, from: u32, to: u32) -> Result<String, Refused> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Err(Refused::invalid(name));
    }
    match text.parse::<u32>() {
        Ok(number) if (from..=to).contains(&number) => Ok(number.to_string()),
        _ => Err(Refused::out_of_range(name, &from.to_string(), &to.to_string())),
    }
}

fn keepalive(name: &str, text: &str) -> Result<String, Refused> {
    let micros = duration::parse(text).ok_or_else(|| Refused::invalid(name))?;
    let seconds = micros / 1_000_000;
    match seconds <= 65_535 {
        true => Ok(duration::print_seconds(seconds)),
        false => Err(Refused::out_of_range(name, "0s", "18h12m15s")),
    }
}

fn private_key(text: &str) -> Option<String> {
    text.parse::<PrivateKey>().ok().map(|key| key.expose_text().to_string())
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    let is_empty = text.is_empty();
    text.split(',').filter(move |_| !is_empty)
}

fn addresses(text: &str) -> Option<String> {
    let parts: Option<Vec<_>> =
        split(text).map(|part| part.parse::<IpAddr>().ok().map(|it| it.to_string())).collect();
    Some(parts?.join(","))
}

/// Reads a network in any of its spellings, host bits kept.
fn parse_net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn network(text: &str) -> Option<String> {
    parse_net(text).map(|net| net.trunc().to_string())
}

/// Reads an address with its length; without one, an IPv6 address has this one.
fn with_length(text: &str, length: u8) -> Option<String> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(net.to_string());
    }
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some(format!("{address}/32")),
        IpAddr::V6(address) => Some(Ipv6Net::new(address, length).ok()?.to_string()),
    }
}

fn is_ipv4(text: &str) -> bool {
    !text.contains(':')
}

fn is_host(text: &str) -> bool {
    let is_address = text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok();
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    text.is_empty() || is_address || text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::simulator::routeros::menu;
    use crate::simulator::routeros::profile::{Profile, Switches};
    use crate::simulator::routeros::router::Router;
    use crate::simulator::routeros::value::parse_id;

    fn parsed(menu: &str, name: &str, text: &str, flip: Option<&str>) -> String {
        let profile = Profile::newest();
        let mut router = Router::new(profile, 1, Timestamp::UNIX_EPOCH);
        if let Some(flip) = flip {
            router.switches = Switches::usual(profile).flipped(flip).unwrap();
        }
        let argument = menu::find(menu).unwrap().argument(name, profile).unwrap();
        match router.parse(argument, text) {
            Ok(text) => text,
            Err(refused) => refused.detail.unwrap(),
        }
    }

    #[test]
    fn a_value_is_kept_in_the_routers_spelling() {
        for (menu, name, text, kept) in [
            ("interface/wireguard/peers", "allowed-address", "10.0.0.2", "10.0.0.2/32"),
            ("interface/wireguard/peers", "allowed-address", "FD00:0::1,::/0", "fd00::1/128,::/0"),
            ("interface/wireguard/peers", "allowed-address", "10.0.0.2/24", "10.0.0.2/24"),
            ("interface/wireguard/peers", "persistent-keepalive", "100", "1m40s"),
            ("interface/wireguard/peers", "disabled", "yes", "true"),
            ("interface/wireguard/peers", "responder", "true", "true"),
            ("interface/wireguard/peers", "endpoint-port", "051820", "51820"),
            ("interface/wireguard/peers", "preshared-key", "none", ""),
            ("ip/address", "address", "10.0.0.1", "10.0.0.1/32"),
            ("ipv6/address", "address", "fd00::1", "fd00::1/64"),
            ("ip/route", "blackhole", "no", ""),
            ("ip/route", "gateway", "10.0.0.1@main", "10.0.0.1@main"),
            ("ip/route", "gateway", "ether1", "*1"),
        ] {
            assert_eq!(parsed(menu, name, text, None), kept, "{name}={text}");
        }
        let masked = parsed(
            "interface/wireguard/peers",
            "allowed-address",
            "10.0.0.2/24",
            Some("masks-host-bits"),
        );
        assert_eq!(masked, "10.0.0.0/24");
    }

    #[test]
    fn a_wrong_value_is_refused_in_the_routers_words() {
        for (menu, name, text, words) in [
            (
                "interface/wireguard/peers",
                "allowed-address",
                "",
                "invalid value for argument allowed-address",
            ),
            (
                "interface/wireguard/peers",
                "allowed-address",
                "::/0, 10.0.0.0/8",
                "invalid value for argument allowed-address",
            ),
            (
                "interface/wireguard/peers",
                "interface",
                "ether1",
                "input does not match any value of interface",
            ),
            (
                "interface/wireguard/peers",
                "endpoint-address",
                "[fd00::1]",
                "invalid value for argument endpoint-address",
            ),
            (
                "interface/wireguard/peers",
                "endpoint-port",
                "70000",
                "value of endpoint-port out of range (0..65535)",
            ),
            (
                "interface/wireguard/peers",
                "persistent-keepalive",
                "2d",
                "value of persistent-keepalive out of range (0s..18h12m15s)",
            ),
            (
                "interface/wireguard/peers",
                "public-key",
                "short",
                "invalid value for argument public-key",
            ),
            ("ipv6/address", "advertise", "false", "advertise must be either yes or no"),
            ("ip/address", "interface", "*1", "input does not match any value of interface"),
            ("ip/route", "gateway", "wg9", "invalid or unexpected argument base"),
            ("ip/route", "routing-table", "vpn", "input does not match any value of routing-table"),
        ] {
            assert_eq!(parsed(menu, name, text, None), words, "{name}={text}");
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(parse_id("*1A"), Some(0x1a));
        for text in ["1A", "*", "*1a", "*-1", "%2A1", "*11111111111111111"] {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }
}
