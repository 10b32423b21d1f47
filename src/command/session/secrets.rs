//! Pre-shared keys that a device has and does not show: where the value is known anyway, the device is asked whether it
//! is that one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::{Actual, FoundPeer, Reading};
use crate::backend::Read;
use crate::command::session::Session;
use crate::config::{AllUnknown, Wanted};
use crate::resource::{BackendId, Field, Kind};
use crate::state::{ObjectKey, State};
use crate::value::{PresharedKey, PublicKey};

const NAME: &str = "preshared_key";

impl Session<'_> {
    /// Asks for each peer whose recorded secret is in hand, one request each. What cannot be asked stays hidden.
    pub(super) async fn compare_secrets(
        &self,
        state: &State,
        readers: &BTreeMap<BackendId, &dyn Read>,
        actual: &mut Actual,
    ) {
        let known = self.secrets_in_hand(state, actual);
        let none = Field::PresharedKey(None).recorded(&state.fingerprint_key);
        let mut silent = BTreeSet::new();
        for record in state.resources.values() {
            let (ObjectKey::Peer { interface, public_key }, Some(backend), Some(applied)) =
                (&record.object, &record.backend, record.attributes.get(NAME))
            else {
                continue;
            };
            let Ok(key) = public_key.parse::<PublicKey>() else { continue };
            let (Some(reader), Some(found)) =
                (readers.get(backend), found(actual, backend, interface, &key))
            else {
                continue;
            };
            let secret = match applied {
                applied if *applied == none => None,
                Json::String(fingerprint) => match known.get(fingerprint) {
                    Some(secret) => Some(secret),
                    None => continue,
                },
                _ => continue,
            };
            if silent.contains(backend) {
                continue;
            }
            let is_it = match reader.holds(key, secret).await {
                Ok(Some(is_it)) => is_it,
                // Who cannot tell, or is gone, is not asked again.
                Ok(None) | Err(_) => {
                    silent.insert(backend.clone());
                    continue;
                }
            };
            found.hidden.remove(NAME);
            let held = match is_it {
                true => secret.cloned(),
                false => {
                    found.hidden.insert(FoundPeer::OTHER_SECRET);
                    Some(self.context.world.new_preshared_key())
                }
            };
            found.fields.insert(NAME, Field::PresharedKey(held));
        }
    }

    /// Returns the secrets that some device shows, or that the configuration gives, by their fingerprint.
    fn secrets_in_hand(&self, state: &State, actual: &Actual) -> BTreeMap<String, PresharedKey> {
        let is_hidden = |it: &FoundPeer| it.hidden.contains(NAME);
        if !peers(actual).any(is_hidden) {
            return BTreeMap::new();
        }
        let shown = peers(actual).filter_map(|it| it.fields.get(NAME).cloned());
        let secrets = self.evaluator.resources().iter().filter(|it| it.kind == Kind::PresharedKey);
        // What is wrong with one is said when it is planned.
        let given = secrets.filter_map(|it| self.evaluator.resource(it, &AllUnknown).ok());
        let given = given.filter_map(|it| it.fields.get("value").and_then(Wanted::known).cloned());
        let keys = shown.chain(given).filter_map(|it| match it {
            Field::PresharedKey(key) => key,
            _ => None,
        });
        keys.map(|key| (state.fingerprint_key.fingerprint(key.expose_bytes()).to_string(), key))
            .collect()
    }
}

fn peers(actual: &Actual) -> impl Iterator<Item = &FoundPeer> {
    let pictures = actual.backends.values().filter_map(|reading| match reading {
        Reading::Read(picture) => Some(picture),
        Reading::Unreachable(_) => None,
    });
    pictures.flat_map(|it| &it.interfaces).flat_map(|(_, it)| it.peers.values())
}

/// Finds a peer that has a secret which is not shown.
fn found<'a>(
    actual: &'a mut Actual,
    backend: &BackendId,
    interface: &str,
    key: &PublicKey,
) -> Option<&'a mut FoundPeer> {
    let Some(Reading::Read(picture)) = actual.backends.get_mut(backend) else { return None };
    let peer = picture.interfaces.get_mut(interface)?.peers.get_mut(key)?;
    Some(peer).filter(|it| it.hidden.contains(NAME))
}
