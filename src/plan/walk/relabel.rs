//! An interface that has another label now.
//!
//! Its old block is gone, and a new block wants the same name on the same system. Destroying one and creating the other
//! would cut every session and lose the key; so the object stays, and only the state learns its new address.

use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::plan::walk::Planner;
use crate::resource::{Address, BackendId, Field};
use crate::state::{ObjectKey, State};

impl Planner<'_> {
    /// Gives a wanted interface the record of the one in whose place it stands.
    pub(crate) fn take_label_over(&mut self, desired: &Desired) {
        let address = &desired.address;
        let backend = desired.backend.clone().unwrap_or_else(|| BackendId::new(BackendId::LOCAL));
        let name = match desired.fields.get("name").and_then(Wanted::known) {
            Some(Field::Text(name)) => name.clone(),
            _ => address.default_name(),
        };
        if self.state.resources.contains_key(address) {
            return;
        }
        let Some(old) = self.owners.interface(&backend, &name).cloned() else { return };
        // An object that is only left over from a replace is nobody's to take over.
        let is_current = self.state.resources.get(&old).is_some_and(|record| {
            record.backend.as_ref() == Some(&backend)
                && matches!(&record.object, ObjectKey::Interface { name: it, .. } if *it == name)
        });
        if self.configured.contains(&old) || !is_current {
            return;
        }
        move_record(&mut self.state, &old, address);
        self.state_differs = true;
        self.owners.moved(&old, address);
        if self.interrupted.remove(&old) {
            self.interrupted.insert(address.clone());
        }
        let text = format!("`{name}` is `{old}` in the state, and its block is gone");
        self.warnings.push(
            Diagnostic::warning("interface under another label")
                .label(&desired.span, text)
                .help(format!(
                    "The interface stays as it is, with its key and its sessions, and `{address}` owns it from the next \
                     apply on. If it is to be another interface, give the new block another `name`."
                )),
        );
    }
}

fn move_record(state: &mut State, from: &Address, to: &Address) {
    let Some(record) = state.resources.remove(from) else { return };
    for other in state.resources.values_mut() {
        if other.dependencies.remove(from) {
            other.dependencies.insert(to.clone());
        }
        let old = from.to_string();
        for value in other.attributes.values_mut().filter(|it| **it == old.as_str()) {
            *value = to.to_string().into();
        }
    }
    state.resources.insert(to.clone(), record);
}
