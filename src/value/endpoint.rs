//! Where a peer is reached.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::value::InvalidValue;

/// The host part of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address, in canonical form.
    Address(IpAddr),
    /// A host name, in lower case, resolved when it is applied.
    Name(String),
}

/// A host and a UDP port: `vpn.example.com:51820`, `[2001:db8::1]:51820`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Who.
    pub host: Host,
    /// The UDP port.
    pub port: NonZeroU16,
}

impl Endpoint {
    /// Returns the socket address, when the host is not a name that must be resolved first.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Address(address) => Some(SocketAddr::new(address, self.port.get())),
            Host::Name(_) => None,
        }
    }
}

impl TryFrom<SocketAddr> for Endpoint {
    type Error = InvalidValue;

    fn try_from(socket: SocketAddr) -> Result<Self, InvalidValue> {
        let port = NonZeroU16::new(socket.port()).ok_or_else(no_port)?;
        Ok(Self { host: Host::Address(canonical(socket.ip())), port })
    }
}

impl FromStr for Endpoint {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = |why: &str| {
            InvalidValue::new(format!("`{text}` is not an endpoint: {why}")).hint(
                "write it as `vpn.example.com:51820`, `192.0.2.1:51820` or `[2001:db8::1]:51820`",
            )
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inside, after) =
                    rest.split_once(']').ok_or_else(|| wrong("the `[` is not closed"))?;
                if inside.contains('%') {
                    // The kernel reads a scope back and wireguard-go does not, so it would drift for ever.
                    return Err(wrong("an address with a zone (`%`) cannot be compared"));
                }
                let address: Ipv6Addr = inside
                    .parse()
                    .map_err(|_| wrong("an IPv6 address goes between `[` and `]`"))?;
                let port = after.strip_prefix(':').ok_or_else(|| wrong("it has no port"))?;
                (Host::Address(canonical(address.into())), port)
            }
            None => {
                let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
                if host.contains(':') {
                    return Err(wrong("an IPv6 address needs `[` and `]` around it"));
                }
                (
                    parse_host(host)
                        .ok_or_else(|| wrong("the host is not a name or an address"))?,
                    port,
                )
            }
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = digits.then(|| port.parse().ok()).flatten();
        Ok(Self { host, port: port.ok_or_else(|| wrong("the port is a number from 1 to 65535"))? })
    }
}

fn parse_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Host::Address(address));
    }
    // Four numbers that are no address (`10.0.0.256`) would be asked of a name server, and fail there.
    let all_numbers = text.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let is_label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_name = !all_numbers && text.len() <= 253 && text.split('.').all(is_label);
    is_name.then(|| Host::Name(text.to_ascii_lowercase()))
}

/// Writes an IPv4 address that came in IPv6's clothes as what it is, since the kernel may give back either.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn no_port() -> InvalidValue {
    InvalidValue::new("an endpoint has no port 0")
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::Endpoint;

    #[test]
    fn endpoints_have_one_canonical_text() {
        for (text, canonical) in [
            ("VPN.Example.com:51820", "vpn.example.com:51820"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("[2001:DB8:0::1]:65535", "[2001:db8::1]:65535"),
            ("[::ffff:192.0.2.1]:5", "192.0.2.1:5"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        for (text, why) in [
            ("vpn.example.com", "it has no port"),
            ("vpn.example.com:0", "the port is a number from 1 to 65535"),
            ("vpn.example.com:+1", "the port is a number from 1 to 65535"),
            ("2001:db8::1:51820", "an IPv6 address needs `[` and `]` around it"),
            ("[fe80::1%1]:51820", "an address with a zone (`%`) cannot be compared"),
            ("10.0.0.256:51820", "the host is not a name or an address"),
            (":51820", "the host is not a name or an address"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not an endpoint: {why}"));
        }
    }
}
