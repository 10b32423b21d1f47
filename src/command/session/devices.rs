//! The locks of the devices that a plan writes to: two states, of two repositories for example, may be about one firewall.

use std::collections::BTreeMap;

use crate::command::Context;
use crate::command::arguments;
use crate::command::session::{self, Session};
use crate::error::Error;
use crate::plan::{Plan, PlannedAct};
use crate::resource::{BackendId, BackendKind};
use crate::state::BackendRecord;
use crate::store::device::{Devices, key};
use crate::store::{Held, Lock};

impl Session<'_> {
    /// Takes the locks of the devices that a plan writes to, before the first write. They are given back with the lock of
    /// the state.
    pub(crate) async fn lock_devices(
        &self,
        lock: &Lock,
        plan: &Plan,
        how: &arguments::Lock,
    ) -> Result<(), Error> {
        let written = written(plan);
        if !how.is_taken || written.is_empty() {
            return Ok(());
        }
        if !self.store.holds_devices() {
            say_unlocked(self.context, &written);
            return Ok(());
        }
        let mut waiting = |device: &str, held: &Held| {
            self.context.tell(&session::awaited(held, Some(device)));
        };
        let why = lock.take_devices(&devices(&written), how.timeout, &mut waiting).await?;
        if let Some(why) = why {
            self.context.ui.warn(&format!(
                "devices are not locked, so another state of this user that writes to one of them at the same time is not kept out: {why}."
            ));
        }
        Ok(())
    }
}

/// Returns the backends that a plan writes to, as they are recorded. Nobody else reaches one that is simulated.
fn written(plan: &Plan) -> BTreeMap<&BackendId, &BackendRecord> {
    let steps = plan.steps.iter().filter(|it| !matches!(it.act, PlannedAct::Record));
    let ids = steps.filter_map(|step| step.backend.as_ref());
    let recorded = ids.filter_map(|id| Some((id, plan.backends.get(id)?)));
    recorded.filter(|(_, record)| !record.simulated).collect()
}

/// Names the devices. One that does not say which it is cannot be told from another.
fn devices(written: &BTreeMap<&BackendId, &BackendRecord>) -> Devices {
    let named = written.iter().filter(|(_, record)| !record.identity.is_empty());
    named
        .map(|(id, record)| {
            let name = match record.host_name.is_empty() {
                true => format!("the device of backend `{id}`"),
                false => format!("the device of backend `{id}` ({})", record.host_name),
            };
            (key(&record.identity), name)
        })
        .collect()
}

/// Says that the store cannot keep others out, where that matters most: such a device has nothing of its own that keeps two
/// writers apart.
fn say_unlocked(context: &Context, written: &BTreeMap<&BackendId, &BackendRecord>) {
    let is_shared = |record: &BackendRecord| {
        let kind = BackendKind::from_label(&record.kind);
        matches!(kind, Some(BackendKind::PfSense | BackendKind::RouterOs))
    };
    let shared: Vec<_> = written
        .iter()
        .filter(|(_, record)| is_shared(record))
        .map(|(id, _)| format!("`{id}`"))
        .collect();
    if !shared.is_empty() {
        context.ui.warn(&format!(
            "the store of this state has no locks of devices, so another state that writes to backend {} at the same time is not kept out. Let no two states write to one device, or keep them in a store that has.",
            shared.join(", ")
        ));
    }
}
