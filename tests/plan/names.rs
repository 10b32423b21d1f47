//! Short names for keys, so that a test reads like a text: `«laptop»` in a configuration stands for the public key of a
//! far end, and in a plan the same key is shown as `«laptop»` again.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use sha2::{Digest, Sha256};
use wgform::value::{PresharedKey, PrivateKey, PublicKey};

/// Names given to keys, and the secrets that may be seen nowhere.
#[derive(Debug, Default)]
pub struct Names {
    by_text: BTreeMap<String, String>,
    secrets: BTreeSet<String>,
}

/// Returns the private key of the far end of that name.
pub fn private_key(name: &str) -> PrivateKey {
    PrivateKey::from_bytes(Sha256::digest(name).into())
}

/// Returns the public key of the far end of that name.
pub fn public_key(name: &str) -> PublicKey {
    private_key(name).public()
}

/// Returns the pre-shared key of that name.
pub fn preshared_key(name: &str) -> PresharedKey {
    PresharedKey::from_bytes(Sha256::digest(format!("psk {name}")).into()).unwrap()
}

impl Names {
    /// Puts keys in the place of names: `«a»`, `«a.private»`, `«a.psk»`.
    pub fn expand(&mut self, text: &str) -> String {
        let pattern = Regex::new("«([^»]+)»").unwrap();
        let expanded = pattern.replace_all(text, |found: &regex::Captures<'_>| {
            let name = &found[1];
            match name.rsplit_once('.') {
                Some((name, "private")) => self.private(&private_key(name), Some(name)),
                Some((name, "psk")) => self.preshared(&preshared_key(name)),
                _ => self.public(&public_key(name), name),
            }
        });
        expanded.into_owned()
    }

    /// Remembers a public key under a name; the first name stays.
    pub fn public(&mut self, key: &PublicKey, name: &str) -> String {
        let text = key.to_string();
        if !self.by_text.contains_key(&text) {
            let is_taken = |name: &String| self.by_text.values().any(|it| it == name);
            let numbered = (2..).map(|number| format!("{name} #{number}"));
            let free = [name.to_owned()].into_iter().chain(numbered).find(|it| !is_taken(it));
            self.by_text.insert(text.clone(), free.unwrap());
        }
        text
    }

    /// Remembers a private key as a secret.
    pub fn private(&mut self, key: &PrivateKey, name: Option<&str>) -> String {
        if let Some(name) = name {
            self.public(&key.public(), name);
        }
        let text = key.expose_text().to_string();
        self.secrets.insert(text.clone());
        text
    }

    /// Remembers a pre-shared key as a secret.
    pub fn preshared(&mut self, key: &PresharedKey) -> String {
        let text = key.expose_text().to_string();
        self.secrets.insert(text.clone());
        text
    }

    /// Puts names in the place of keys and fingerprints.
    pub fn shorten(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (key, name) in &self.by_text {
            text = text.replace(key, &format!("«{name}»"));
        }
        let fingerprint = Regex::new("fp1:[0-9a-f]{32}").unwrap();
        fingerprint.replace_all(&text, "«fingerprint»").into_owned()
    }

    /// Fails when a text shows a secret.
    pub fn assert_no_secret(&self, what: &str, text: &str) {
        let shown: Vec<_> = self.secrets.iter().filter(|it| text.contains(*it)).collect();
        assert!(shown.is_empty(), "{what} shows {} secrets:\n{text}", shown.len());
    }
}
