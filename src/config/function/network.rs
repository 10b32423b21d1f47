//! Functions on addresses and keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;
use crate::diagnostic::sentence;
use crate::value::{Cidr, PrivateKey};

pub(super) fn cidrhost(call: &Call) -> Answer {
    let (base, number) = (prefix(call, 0)?, call.integer(1)?);
    let free = u32::from(base.width) - u32::from(base.length);
    let last = u128::MAX.checked_shr(128 - free).unwrap_or(0);
    let distance = u128::from(number.unsigned_abs());
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
    let (base, bits, number) = (prefix(call, 0)?, call.integer(1)?, call.integer(2)?);
    let longer = u8::try_from(bits).ok().and_then(|bits| base.length.checked_add(bits));
    let Some(length) = longer.filter(|length| *length <= base.width) else {
        let message =
            format!("{bits} more bits do not fit behind the {} of the prefix", base.length);
        return Err(Failure::at(1, message));
    };
    let fits = number >= 0 && (bits >= 63 || number < (1_i64 << bits));
    if !fits {
        return Err(Failure::at(2, format!("{bits} more bits have no number {number}")));
    }
    let shift = u32::from(base.width) - u32::from(length);
    let subnet = u128::from(number.unsigned_abs()).checked_shl(shift).unwrap_or(0);
    Ok(Value::text(format!("{}/{length}", base.address(base.bits | subnet))))
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
