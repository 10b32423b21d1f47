//! WireGuard's three kinds of key, and the fingerprints by which a state file remembers the secret two.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::value::InvalidValue;

/// The length of every WireGuard key, in bytes.
pub const KEY_BYTES: usize = 32;

/// The public half of a Curve25519 key pair, by which WireGuard knows a peer. Its text is base64, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Takes 32 bytes as they come from a device.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Returns the first eight characters of the text, to tell keys apart in a list.
    pub fn short(&self) -> String {
        let text = self.to_string();
        format!("{}…", &text[..8])
    }
}

impl FromStr for PublicKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let bytes = decode("public key", text)?;
        // The kernel takes an all-zero key and then drops the peer; such a configuration would never settle.
        if *bytes == [0; KEY_BYTES] {
            return Err(InvalidValue::new("a public key cannot be all zeroes"));
        }
        Ok(Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for PublicKey {
    fn schema_name() -> Cow<'static, str> {
        "PublicKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A public key: 32 bytes in base64.",
            "type": "string",
            "pattern": "^[A-Za-z0-9+/]{43}=$",
        })
    }
}

/// The private half of a key pair, clamped as every WireGuard implementation clamps it, so that two spellings of one
/// key are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<[u8; KEY_BYTES]>);

impl PrivateKey {
    /// Takes 32 bytes, and clamps them.
    pub fn from_bytes(mut bytes: [u8; KEY_BYTES]) -> Self {
        bytes[0] &= 0b1111_1000;
        bytes[31] &= 0b0111_1111;
        bytes[31] |= 0b0100_0000;
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// Returns the bytes, for the one call that hands them to a device.
    pub fn expose_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Returns the base64 text, for the one place that writes it into a `key_file`.
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(*self.0))
    }

    /// Computes the public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        let secret = x25519_dalek::StaticSecret::from(*self.0);
        PublicKey(*x25519_dalek::PublicKey::from(&secret).as_bytes())
    }
}

impl FromStr for PrivateKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let bytes = decode("private key", text)?;
        if *bytes == [0; KEY_BYTES] {
            return Err(InvalidValue::new("a private key cannot be all zeroes"));
        }
        Ok(Self::from_bytes(*bytes))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// The symmetric secret that two peers may share beside their key pairs. Never all zeroes: on every device that
/// means "none".
#[derive(Clone, PartialEq, Eq)]
pub struct PresharedKey(Zeroizing<[u8; KEY_BYTES]>);

impl PresharedKey {
    /// Takes 32 bytes as they come from a device; all zeroes are WireGuard's way to say that there is none.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Option<Self> {
        (bytes != [0; KEY_BYTES]).then(|| Self(Zeroizing::new(bytes)))
    }

    /// Returns the bytes, for the one call that hands them to a device.
    pub fn expose_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Returns the base64 text, for a device that takes text.
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(*self.0))
    }
}

impl FromStr for PresharedKey {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::from_bytes(*decode("pre-shared key", text)?).ok_or_else(|| {
            InvalidValue::new("a pre-shared key of all zeroes means that there is none")
                .hint("write \"none\" to clear the pre-shared key")
        })
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(…)")
    }
}

fn decode(what: &str, text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, InvalidValue> {
    // The text may be a secret, also when it was meant for a public key: it never goes into the message.
    let wrong = |why: String| {
        InvalidValue::new(format!("this is not a WireGuard {what}: {why}"))
            .hint("a key is 32 bytes in base64: 44 characters, the last one `=`")
    };
    let mut bytes = Zeroizing::new([0; KEY_BYTES + 1]);
    match BASE64.decode_slice(text.trim(), bytes.as_mut_slice()) {
        Ok(KEY_BYTES) => {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            key.copy_from_slice(&bytes[..KEY_BYTES]);
            Ok(key)
        }
        _ if text.trim().len() != 44 => {
            Err(wrong(format!("it has {} characters", text.trim().chars().count())))
        }
        _ => Err(wrong("it is not base64 of 32 bytes".to_owned())),
    }
}

/// The key of a state's lineage under which its fingerprints are made. It lies in the state file.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey(Zeroizing<[u8; KEY_BYTES]>);

impl FingerprintKey {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the base64 text of a state file.
    ///
    /// # Errors
    /// When the text is not base64 of 32 bytes.
    pub fn from_text(text: &str) -> Result<Self, InvalidValue> {
        Ok(Self(decode("fingerprint key", text)?))
    }

    /// Returns the base64 text for the state file.
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(*self.0))
    }

    /// Makes the fingerprint of a 32-byte secret. Only for those: the fingerprint of a short password could be
    /// guessed by whoever has the state file.
    pub fn fingerprint(&self, secret: &[u8; KEY_BYTES]) -> Fingerprint {
        let mut mac = self.mac();
        mac.update(b"wgform fingerprint 1\0");
        mac.update(secret);
        let full = mac.finalize().into_bytes();
        let mut short = [0; Fingerprint::BYTES];
        short.copy_from_slice(&full[..Fingerprint::BYTES]);
        Fingerprint(short)
    }

    /// Signs bytes: whoever does not have the key cannot make it. The purpose keeps what is signed for one thing from
    /// being shown for another.
    pub fn sign(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.mac();
        mac.update(b"wgform signature 1\0");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Looks whether bytes were signed with this key, in a time that tells nothing of the signature.
    pub fn has_signed(&self, purpose: &str, bytes: &[u8], signature: &[u8; 32]) -> bool {
        let own = self.sign(purpose, bytes);
        own.iter().zip(signature).fold(0, |differs, (own, other)| differs | (own ^ other)) == 0
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.0.as_slice()).expect("HMAC takes a key of any length")
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// What a state file knows of a secret: enough to see that it changed, nothing from which to get it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; Self::BYTES]);

impl Fingerprint {
    const BYTES: usize = 16;
    const PREFIX: &str = "fp1:";
}

impl FromStr for Fingerprint {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || InvalidValue::new("this is not a fingerprint");
        let hex = text.strip_prefix(Self::PREFIX).ok_or_else(wrong)?;
        if hex.len() != 2 * Self::BYTES || !hex.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; Self::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use crate::value::{Fingerprint, FingerprintKey, PresharedKey, PrivateKey, PublicKey};

    // Made with `wg genkey | tee /dev/stderr | wg pubkey`.
    const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    #[test]
    fn clamping_makes_two_spellings_of_a_private_key_equal() {
        let mut bytes = *PRIVATE.parse::<PrivateKey>().unwrap().expose_bytes();
        bytes[0] |= 0b0000_0111;
        bytes[31] |= 0b1000_0000;
        assert_eq!(PrivateKey::from_bytes(bytes), PRIVATE.parse().unwrap());
    }

    #[test]
    fn secret_keys_do_not_print() {
        let private: PrivateKey = PRIVATE.parse().unwrap();
        let preshared: PresharedKey = PRIVATE.parse().unwrap();
        assert_eq!(format!("{private:?} {preshared:?}"), "PrivateKey(…) PresharedKey(…)");
    }

    #[test]
    fn a_wrong_key_is_named_without_its_text() {
        let error = "hunter2hunter2".parse::<PrivateKey>().unwrap_err();
        assert_eq!(error.to_string(), "this is not a WireGuard private key: it has 14 characters");
        assert!("A".repeat(44).parse::<PublicKey>().is_err());
        assert!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_fingerprint_depends_on_the_key_and_reads_back() {
        let secret = [7; 32];
        let one = FingerprintKey::from_bytes([1; 32]).fingerprint(&secret);
        let two = FingerprintKey::from_bytes([2; 32]).fingerprint(&secret);
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse::<Fingerprint>().unwrap(), one);
        assert!("fp1:é".parse::<Fingerprint>().is_err());
    }
}
