//! What the state says of resources, for those that refer to them while no device is asked.

use crate::plan::Known;
use crate::resource::{Address, Field, Kind, declaration};
use crate::state::{ObjectKey, ResourceRecord, State};

impl Known {
    /// Knows what was last recorded of everything.
    pub fn recorded(state: &State) -> Self {
        let mut known = Self::default();
        for (address, record) in &state.resources {
            known.publish_recorded(address, record);
            // An apply records what there is: a private key that is written has no file, and a link that is down no port.
            let nothing = ["key_file", "listen_port"].into_iter();
            for name in nothing.filter(|name| {
                address.kind == Kind::Interface && !record.attributes.contains_key(*name)
            }) {
                known.publish_null(address, name);
            }
        }
        known
    }

    /// Makes known what was last recorded of a resource.
    pub(crate) fn publish_recorded(&mut self, address: &Address, record: &ResourceRecord) {
        if let ObjectKey::Interface { name, public_key } = &record.object {
            self.publish(address, "name", Field::Text(name.clone()));
            if let Ok(key) = public_key.parse() {
                self.publish(address, "public_key", Field::PublicKey(key));
            }
        }
        for attribute in declaration::attributes(address.kind) {
            let Some(json) = record.attributes.get(attribute.name) else { continue };
            if let Ok(Some(field)) = Field::from_recorded(&attribute.form, json) {
                self.publish(address, attribute.name, field);
            }
        }
    }
}
