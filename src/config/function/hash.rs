//! Functions that make a fingerprint of a text or of a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

use crate::config::function::{Answer, Call, Failure, outside};
use crate::config::value::Value;

pub(super) fn md5(call: &Call) -> Answer {
    Ok(hex(&Md5::digest(call.text(0)?.as_bytes())))
}

pub(super) fn sha1(call: &Call) -> Answer {
    Ok(hex(&Sha1::digest(call.text(0)?.as_bytes())))
}

pub(super) fn sha256(call: &Call) -> Answer {
    Ok(hex(&Sha256::digest(call.text(0)?.as_bytes())))
}

pub(super) fn sha512(call: &Call) -> Answer {
    Ok(hex(&Sha512::digest(call.text(0)?.as_bytes())))
}

pub(super) fn base64sha256(call: &Call) -> Answer {
    Ok(base64(&Sha256::digest(call.text(0)?.as_bytes())))
}

pub(super) fn base64sha512(call: &Call) -> Answer {
    Ok(base64(&Sha512::digest(call.text(0)?.as_bytes())))
}

pub(super) fn filemd5(call: &Call) -> Answer {
    Ok(hex(&Md5::digest(outside::bytes(call)?)))
}

pub(super) fn filesha1(call: &Call) -> Answer {
    Ok(hex(&Sha1::digest(outside::bytes(call)?)))
}

pub(super) fn filesha256(call: &Call) -> Answer {
    Ok(hex(&Sha256::digest(outside::bytes(call)?)))
}

pub(super) fn filesha512(call: &Call) -> Answer {
    Ok(hex(&Sha512::digest(outside::bytes(call)?)))
}

pub(super) fn filebase64sha256(call: &Call) -> Answer {
    Ok(base64(&Sha256::digest(outside::bytes(call)?)))
}

pub(super) fn filebase64sha512(call: &Call) -> Answer {
    Ok(base64(&Sha512::digest(outside::bytes(call)?)))
}

/// The UUID that a name has in a namespace: the same one each time.
pub(super) fn uuidv5(call: &Call) -> Answer {
    let (namespace, name) = (call.text(0)?, call.text(1)?);
    let space = match &*namespace {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => Uuid::parse_str(other).map_err(|_| {
            Failure::at(0, format!("there is no namespace {other:?}"))
                .hint("Take \"dns\", \"url\", \"oid\", \"x500\" or a UUID.")
        })?,
    };
    let digest =
        Sha1::new().chain_update(space.as_bytes()).chain_update(name.as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(Value::text(uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string()))
}

fn hex(bytes: &[u8]) -> Value {
    Value::text(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn base64(bytes: &[u8]) -> Value {
    Value::text(STANDARD.encode(bytes))
}
