//! An address with its prefix length, and a masked prefix.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::value::InvalidValue;

/// An address on a network, host bits kept: `10.8.0.1/24`. What `addresses` of an interface holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Puts an address and a prefix length together.
    ///
    /// # Errors
    /// When the length is beyond 32 for IPv4 or 128 for IPv6.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InvalidValue> {
        IpNet::new(address, length)
            .map(Self)
            .map_err(|_| wrong_length(address, &length.to_string()))
    }

    /// Returns the address, host bits included.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Returns the prefix length.
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns the network that the address is in.
    pub fn prefix(&self) -> Prefix {
        Prefix(self.0.trunc())
    }
}

/// A network, host bits zero: `10.8.0.0/24`. What `allowed_ips` of a peer holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(IpNet);

impl Prefix {
    /// Puts an address and a length together and masks the host bits, as WireGuard does.
    ///
    /// # Errors
    /// When the length is beyond 32 for IPv4 or 128 for IPv6.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InvalidValue> {
        Ok(Cidr::new(address, length)?.prefix())
    }

    /// Returns the network's address.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Returns the prefix length.
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns whether it is every address of its family.
    pub fn is_default(&self) -> bool {
        self.length() == 0
    }

    /// Returns what is left of it without these networks, as few networks as that takes.
    pub fn without(&self, others: &BTreeSet<Self>) -> Vec<Self> {
        if others.iter().any(|other| other.contains(self)) {
            return Vec::new();
        }
        // Of thousands, a half has to look only at those in it.
        let inside: BTreeSet<Self> =
            others.iter().filter(|other| self.contains(other)).copied().collect();
        if inside.is_empty() {
            return vec![*self];
        }
        // One that holds another is longer than an address, so it has halves.
        let halves = self.0.subnets(self.length() + 1).into_iter().flatten();
        halves.flat_map(|half| Self(half).without(&inside)).collect()
    }

    /// Returns whether every address of `other` is in this network.
    pub fn contains(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl FromStr for Cidr {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            InvalidValue::new(format!("`{text}` is not an address with a prefix length"))
                .hint("write it as `10.8.0.1/24` or `fd00:8::1/64`")
        })?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => longest,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong_length(address, digits))?
            }
            Some(other) => {
                return Err(InvalidValue::new(format!("`/{other}` is not a prefix length"))
                    .hint(format!("a prefix length is a number from 0 to {longest}")));
            }
        };
        Self::new(address, length)
    }
}

impl FromStr for Prefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Ok(text.parse::<Cidr>()?.prefix())
    }
}

fn wrong_length(address: IpAddr, length: &str) -> InvalidValue {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    InvalidValue::new(format!("`/{length}` is longer than the address"))
        .hint(format!("a prefix length here is a number from 0 to {longest}"))
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::value::{Cidr, Prefix};

    #[test]
    fn a_cidr_keeps_its_host_bits_and_a_prefix_masks_them() {
        assert_eq!("10.8.0.1/24".parse::<Cidr>().unwrap().to_string(), "10.8.0.1/24");
        assert_eq!("10.8.0.1/24".parse::<Prefix>().unwrap().to_string(), "10.8.0.0/24");
        assert_eq!("10.8.0.1".parse::<Prefix>().unwrap().to_string(), "10.8.0.1/32");
        assert_eq!("FD00:0::1/64".parse::<Prefix>().unwrap().to_string(), "fd00::/64");
    }

    #[test]
    fn what_is_left_of_a_prefix_is_as_few_networks_as_that_takes() {
        let left = |whole: &str, others: &[&str]| {
            let others = others.iter().map(|it| it.parse().unwrap()).collect();
            let left = whole.parse::<Prefix>().unwrap().without(&others);
            left.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(left("10.0.0.0/8", &["10.0.0.0/9", "10.192.0.0/10"]), ["10.128.0.0/10"]);
        assert_eq!(left("10.0.0.0/31", &["10.0.0.1/32", "fd00::/8"]), ["10.0.0.0/32"]);
        assert_eq!(left("10.0.0.0/24", &["11.0.0.0/8"]), ["10.0.0.0/24"]);
        assert_eq!(left("10.0.0.0/24", &["0.0.0.0/0"]), [""; 0]);
    }

    #[test]
    fn what_is_no_cidr_says_how_to_write_one() {
        for (text, message) in [
            ("10.8.0.1/33", "`/33` is longer than the address"),
            ("10.8.0.1/999", "`/999` is longer than the address"),
            ("10.8.0.1/-1", "`/-1` is not a prefix length"),
            ("10.8.0/24", "`10.8.0/24` is not an address with a prefix length"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap_err().to_string(), message);
        }
    }
}
