//! Functions on addresses and keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;
use crate::diagnostic::sentence;
use crate::value::{Cidr, PrivateKey};

pub(super) fn cidrhost(call: &Call) -> Answer {
    let (base, number) = (prefix(call, 0)?, wide(call, 1)?);
    let free = u32::from(base.width) - u32::from(base.length);
    let last = u128::MAX.checked_shr(128 - free).unwrap_or(0);
    let distance = number.unsigned_abs();
    let host = match number < 0 {
        true => last.checked_sub(distance - 1),
        false => Some(distance).filter(|host| *host <= last),
    };
    let Some(host) = host else {
        let message = format!("a prefix of {} bits has no host number {number}", base.length);
        return Err(Failure::at(1, message));
    };
    Ok(Value::text(base.address(base.bits | host).to_string()))
}

pub(super) fn cidrsubnet(call: &Call) -> Answer {
    let (base, bits, number) = (prefix(call, 0)?, call.integer(1)?, wide(call, 2)?);
    let longer = u8::try_from(bits).ok().and_then(|bits| base.length.checked_add(bits));
    let Some(length) = longer.filter(|length| *length <= base.width) else {
        let message =
            format!("{bits} more bits do not fit behind the {} of the prefix", base.length);
        return Err(Failure::at(1, message));
    };
    let fits = number >= 0 && (bits >= 127 || number < (1_i128 << bits));
    if !fits {
        return Err(Failure::at(2, format!("{bits} more bits have no number {number}")));
    }
    let shift = u32::from(base.width) - u32::from(length);
    let subnet = number.unsigned_abs().checked_shl(shift).unwrap_or(0);
    Ok(Value::text(format!("{}/{length}", base.address(base.bits | subnet))))
}

/// Subnets one behind the other, each by so many bits longer than the network.
pub(super) fn cidrsubnets(call: &Call) -> Answer {
    let base = prefix(call, 0)?;
    let mut made: Vec<Value> = Vec::new();
    // The first address behind the last subnet; none behind the end of all addresses.
    let mut next = Some(base.bits);
    let end = last_of(&base);
    for i in 1..call.arguments.len() {
        let bits = call.integer(i)?;
        let length = u8::try_from(bits).ok().filter(|bits| (1..=32).contains(bits));
        let length = length.and_then(|bits| base.length.checked_add(bits));
        let Some(length) = length.filter(|length| *length <= base.width) else {
            let message =
                format!("{bits} more bits do not fit behind the {} of the prefix", base.length);
            return Err(Failure::at(i, message).hint(
                "A subnet is 1 to 32 bits longer than its network, as far as an address goes.",
            ));
        };
        let size = u32::from(base.width) - u32::from(length);
        let rest = u128::MAX.checked_shl(size).map_or(u128::MAX, |mask| !mask);
        // It starts where its size divides.
        let start = next.and_then(|next| Some(next.checked_add(rest)? & !rest));
        let Some(start) = start.filter(|start| *start <= end) else {
            return Err(Failure::at(i, "the network has no room for this one behind the others"));
        };
        made.push(Value::text(format!("{}/{length}", base.address(start))));
        next = start.checked_add(rest).and_then(|last| last.checked_add(1));
    }
    Ok(Value::list(made))
}

/// Returns the last address of a network.
fn last_of(base: &Base) -> u128 {
    let free = u32::from(base.width) - u32::from(base.length);
    base.bits | u128::MAX.checked_shr(128 - free).unwrap_or(0)
}

/// Returns a number that may have as many bits as an address.
fn wide(call: &Call, i: usize) -> Answer<i128> {
    let whole = || Failure::wanted(i, "a whole number", &call.arguments[i]);
    call.number(i)?.to_wide().ok_or_else(whole)
}

pub(super) fn cidrnetmask(call: &Call) -> Answer {
    let base = prefix(call, 0)?;
    if base.width != 32 {
        return Err(Failure::at(0, "an IPv6 prefix has no netmask"));
    }
    let mask = u32::MAX.checked_shl(32 - u32::from(base.length)).unwrap_or(0);
    Ok(Value::text(Ipv4Addr::from(mask).to_string()))
}

/// The public key of a private one. It is no secret, whatever the private key's marks.
pub(super) fn wg_public_key(call: &Call) -> Answer {
    let value = &call.arguments[0];
    if value.is_unknown() {
        return Ok(Value::UNKNOWN);
    }
    let key: PrivateKey = call.text(0)?.parse().map_err(|error: crate::value::InvalidValue| {
        let failure = Failure::at(0, error.to_string());
        match error.get_hint() {
            Some(hint) => failure.hint(sentence(hint)),
            None => failure,
        }
    })?;
    Ok(Value::text(key.public().to_string()))
}

/// A prefix as bits, aligned to the right.
struct Base {
    bits: u128,
    length: u8,
    width: u8,
}

impl Base {
    fn address(&self, bits: u128) -> IpAddr {
        match u32::try_from(bits) {
            Ok(bits) if self.width == 32 => Ipv4Addr::from(bits).into(),
            _ => Ipv6Addr::from(bits).into(),
        }
    }
}

fn prefix(call: &Call, i: usize) -> Answer<Base> {
    let text = call.text(i)?;
    let wrong = || {
        Failure::at(i, format!("{:?} is not a network", &*text))
            .hint("Write it as \"10.8.0.0/16\" or \"fd00:8::/48\".")
    };
    let cidr: Cidr = text.contains('/').then(|| text.parse().ok()).flatten().ok_or_else(wrong)?;
    let prefix = cidr.prefix();
    Ok(match prefix.address() {
        IpAddr::V4(address) => {
            Base { bits: u32::from(address).into(), length: prefix.length(), width: 32 }
        }
        IpAddr::V6(address) => Base { bits: address.into(), length: prefix.length(), width: 128 },
    })
}
