//! What is sent, and the envelope of what comes back.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use zeroize::Zeroizing;

/// What is sent with a request: values by name, in the types that the package insists on. Its `Debug` shows no key.
#[derive(Clone, Default, PartialEq)]
pub struct Body {
    plain: BTreeMap<&'static str, Json>,
    secrets: BTreeMap<&'static str, Zeroizing<String>>,
}

impl Body {
    /// Makes one of a single value.
    pub fn of(name: &'static str, value: impl Into<Json>) -> Self {
        let mut body = Self::default();
        body.set(name, value);
        body
    }

    /// Sets a value.
    pub fn set(&mut self, name: &'static str, value: impl Into<Json>) {
        self.plain.insert(name, value.into());
    }

    /// Sets a value that is never shown.
    pub fn set_secret(&mut self, name: &'static str, value: Zeroizing<String>) {
        self.secrets.insert(name, value);
    }

    /// Returns whether nothing would be said with it.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.secrets.is_empty()
    }

    /// Returns whether a value of that name is sent.
    pub fn has(&self, name: &str) -> bool {
        self.plain.contains_key(name) || self.secrets.contains_key(name)
    }

    /// Spells it.
    pub(super) fn encoded(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Returns the values that are never shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.values().map(|value| value.as_str())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { plain, secrets } = self;
        let mut map = serializer.serialize_map(Some(plain.len() + secrets.len()))?;
        for (name, value) in plain {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in secrets {
            map.serialize_entry(name, value.as_str())?;
        }
        map.end()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = self.secrets.keys().map(|name| (*name, Json::from("…")));
        let all = self.plain.iter().map(|(name, value)| (*name, value.clone())).chain(secrets);
        f.debug_map().entries(all).finish()
    }
}

/// What every answer begins with.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    response_id: String,
    #[serde(default)]
    message: Json,
}

impl Head {
    /// Returns what tells answers apart; a message is for people, and changes between versions.
    pub(super) fn id(&self) -> &str {
        &self.response_id
    }

    pub(super) fn is_success(&self) -> bool {
        self.response_id == "SUCCESS"
    }

    /// Returns the first line of the message: what follows is the stack of a program.
    pub(super) fn message(&self) -> &str {
        self.message.as_str().unwrap_or_default().lines().next().unwrap_or_default().trim()
    }
}

/// Reads the head of an answer; none when it is not one of the package.
pub(super) fn head(body: &[u8]) -> Option<Head> {
    serde_json::from_slice(body).ok()
}

/// Reads what an answer is about.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    #[derive(Deserialize)]
    struct Whole<T> {
        data: T,
    }
    serde_json::from_slice::<Whole<T>>(body).ok().map(|Whole { data }| data)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use crate::backend::pfsense::client::body::{Body, data, head};

    #[test]
    fn a_key_is_sent_and_not_shown() {
        let mut body = Body::of("id", 1);
        body.set_secret("presharedkey", Zeroizing::new("hunter2hunter2".to_owned()));
        assert_eq!(body.encoded().as_slice(), br#"{"id":1,"presharedkey":"hunter2hunter2"}"#);
        assert_eq!(format!("{body:?}"), r#"{"id": Number(1), "presharedkey": String("…")}"#);
    }

    #[test]
    fn data_may_be_a_list_nothing_or_an_object() {
        let answer =
            |data: &str| format!(r#"{{"response_id":"SUCCESS","data":{data},"_links":[]}}"#);
        assert_eq!(data::<Option<Vec<u8>>>(answer("[]").as_bytes()), Some(Some(vec![])));
        assert_eq!(data::<Option<Vec<u8>>>(answer("null").as_bytes()), Some(None));
        assert_eq!(data::<Vec<u8>>(answer("{}").as_bytes()), None);
    }

    #[test]
    fn the_stack_of_a_program_is_not_its_message() {
        let body =
            br##"{"response_id":"X","message":"array_merge(): wrong\n#0 /usr/local/x.inc"}"##;
        assert_eq!(head(body).unwrap().message(), "array_merge(): wrong");
        assert!(head(b"<html>").is_none());
        assert!(head(br#"{"code":200}"#).is_none());
    }
}
