//! WireGuard's scalars, parsed once at the edge and then trusted.
//!
//! Every type here has exactly one canonical text form (`Display`), and parsing it back gives an equal value. Two
//! spellings of the same thing (`10.0.0.2` and `10.0.0.2/32`, `1m` and `60s`, a key before and after clamping) are
//! equal after parsing, so a comparison of values never sees a difference that only a device's spelling makes.
//!
//! Secrets are types of their own: they cannot be printed, logged or serialised, and their memory is wiped on drop.

pub mod bound;
pub mod cidr;
pub mod duration;
pub mod endpoint;
pub mod key;
pub mod routes;
pub mod secret;

pub use bound::Bound;
pub use cidr::{Cidr, Prefix};
pub use duration::{Keepalive, parse_seconds};
pub use endpoint::{Endpoint, Host};
pub use key::{Fingerprint, FingerprintKey, PresharedKey, PrivateKey, PublicKey};
pub use routes::{Family, GatewayCheck, Route, RouteMode, RouteRule, RouteTable, Routes};
pub use secret::Secret;

/// A text that is not a value of the type that was asked for.
///
/// The message is a whole sentence without a final period; it never holds the text itself when that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidValue {
    message: String,
    hint: Option<String>,
}

impl InvalidValue {
    /// Says what is wrong with the text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns what to write instead, where that is known.
    pub fn get_hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
