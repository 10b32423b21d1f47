//! An interface that has another label now.
//!
//! Its old block is gone, and a new block wants the same name on the same system. Destroying one and creating the other
//! would cut every session and lose the key; so the object stays, and only the state learns its new address.

use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::plan::walk::Planner;
use crate::resource::{BackendId, Field};
use crate::state::ObjectKey;

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
        let is_removed = self.removed.contains_key(&old);
        if self.configured.contains(&old) || !is_current || is_removed {
            return;
        }
        self.state.rename(&[(old.clone(), address.clone())].into());
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
