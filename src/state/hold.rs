//! What is left alone, or known to differ, for a time: holds and known drift. Each has a reason and an end.
//!
//! A state remembers both: those that `wgform hold` made, and those of the configuration as of the last apply, so that
//! whoever has the state alone knows them too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::resource::Address;
use crate::state::State;

/// What is left alone, or known to differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// What it does.
    pub kind: HoldKind,
    /// The label of its block; of one that `wgform hold` made, what it was made for.
    pub name: String,
    /// The resources that it is about.
    pub targets: BTreeSet<Address>,
    /// The attributes of them; all when there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attributes: BTreeSet<String>,
    /// Why.
    pub reason: String,
    /// Until when.
    #[schemars(with = "String")]
    pub expires_at: Timestamp,
    /// Who made it by a command, and when; none of one that the configuration has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// Fields that this program does not know. They are written back as they came.
    #[serde(flatten)]
    pub other: BTreeMap<String, Json>,
}

/// What an entry does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Plan and apply leave it alone.
    Hold,
    /// A report of drift does not count it.
    KnownDrift,
}

/// Who made a hold by a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// Who.
    pub by: String,
    /// On which host.
    pub host: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl Hold {
    /// Returns whether it has ended.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// Returns whether it is about an attribute of whatever it is about.
    pub fn covers(&self, attribute: &str) -> bool {
        self.attributes.is_empty() || self.attributes.contains(attribute)
    }

    /// Returns the form in which [`State::holds`] has it.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).expect("maps of a hold have texts as keys")
    }
}

impl State {
    /// Returns what is left alone or known to differ, in the order in which it was made.
    ///
    /// # Errors
    /// With what this program cannot read: a newer one wrote it, and passing it over would change what is held.
    pub fn held(&self) -> Result<Vec<Hold>, String> {
        let all = self.holds.iter().map(|it| serde_json::from_value(it.clone()));
        all.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    /// Remembers these and no others.
    pub fn hold(&mut self, holds: &[Hold]) {
        self.holds = holds.iter().map(Hold::to_json).collect();
    }

    /// Follows resources to their new addresses.
    pub(super) fn rename_held(&mut self, new: &BTreeMap<Address, Address>) {
        self.change_held(|it| {
            let old = std::mem::take(&mut it.targets);
            it.targets = old.into_iter().map(|it| new.get(&it).cloned().unwrap_or(it)).collect();
        });
    }

    /// Ends what is held of resources that are forgotten.
    pub fn release(&mut self, addresses: &BTreeSet<Address>) {
        self.change_held(|it| it.targets.retain(|target| !addresses.contains(target)));
    }

    fn change_held(&mut self, change: impl Fn(&mut Hold)) {
        // What cannot be read is refused by whoever plans.
        let Ok(mut holds) = self.held() else { return };
        holds.iter_mut().for_each(change);
        holds.retain(|it| !it.targets.is_empty());
        self.hold(&holds);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::resource::Address;
    use crate::state::State;
    use crate::value::FingerprintKey;

    fn state() -> State {
        let mut state = State::empty(uuid::Uuid::nil(), FingerprintKey::from_bytes([7; 32]));
        state.holds = vec![json!({
            "kind": "hold",
            "name": "inc",
            "targets": ["interface.hub", "peer.laptop"],
            "attributes": ["mtu"],
            "reason": "a night",
            "expires_at": "2026-01-02T00:00:00Z",
            "later": 1,
        })];
        state
    }

    #[test]
    fn a_hold_is_read_and_written_back_as_it_came() {
        let mut state = state();
        let before = state.holds.clone();
        let held = state.held().unwrap();
        assert!(held[0].covers("mtu") && !held[0].covers("enabled"));
        assert!(held[0].is_expired("2026-01-02T00:00:00Z".parse().unwrap()));
        assert!(!held[0].is_expired("2026-01-01T23:59:59Z".parse().unwrap()));
        state.hold(&held);
        assert_eq!(state.holds, before);
        state.holds.push(json!({ "kind": "of a later version" }));
        assert!(state.held().unwrap_err().contains("unknown variant"));
    }

    #[test]
    fn a_hold_follows_its_resource_and_ends_with_it() {
        let mut state = state();
        let address = |text: &str| text.parse::<Address>().unwrap();
        let new = BTreeMap::from([(address("interface.hub"), address("interface.hq"))]);
        state.rename(&new);
        let targets = state.held().unwrap()[0].targets.clone();
        assert_eq!(targets, [address("interface.hq"), address("peer.laptop")].into());
        state.release(&[address("peer.laptop")].into());
        assert_eq!(state.held().unwrap()[0].targets, [address("interface.hq")].into());
        state.release(&[address("interface.hq")].into());
        assert!(state.holds.is_empty());
    }
}
