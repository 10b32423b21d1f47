//! What an apply would ask of each backend, as far as that is known before: for those that can be asked what they would
//! make of it. Nothing is written, and the keys that are made on the way are for nobody.

use std::collections::BTreeMap;

use crate::apply::batch::Maker;
use crate::apply::condition::Conditions;
use crate::apply::landed::Landing;
use crate::backend::{Batch, Operation};
use crate::config::Evaluator;
use crate::plan::{Plan, PlannedAct};
use crate::resource::{Address, BackendId};
use crate::world::World;

/// What one backend would be asked.
#[derive(Debug, Default)]
pub struct Rehearsed {
    /// The operations.
    pub batch: Batch,
    /// The resource that each of them is for; none for the backend itself, and for what nobody declared.
    pub about: Vec<Option<Address>>,
    /// How many steps cannot be known before the apply.
    pub unknown: usize,
}

/// Goes through the steps of a plan as if each of them were done.
pub fn rehearse(
    mut plan: Plan,
    evaluator: &Evaluator<'_>,
    world: &World,
) -> BTreeMap<BackendId, Rehearsed> {
    let key = plan.state.fingerprint_key.clone();
    let mut landing =
        Landing::new(std::mem::take(&mut plan.known), std::mem::take(&mut plan.secrets));
    let mut all: BTreeMap<BackendId, Rehearsed> = BTreeMap::new();
    for index in 0..plan.steps.len() {
        landing.settle_secret(&plan, index, &key, world);
        let step = &plan.steps[index];
        let backend = match (&step.backend, &step.act) {
            (None, _) | (_, PlannedAct::Record) => continue,
            (Some(backend), _) => backend.clone(),
        };
        let about = step.subject.address().cloned();
        let mut conditions = Conditions::default();
        let (plan, landing, conditions) = (&mut plan, &mut landing, &mut conditions);
        let mut maker = Maker { plan, landing, conditions, evaluator, world };
        let rehearsed = all.entry(backend.clone()).or_default();
        match maker.operation(index, &backend) {
            Ok(Some(act)) => {
                rehearsed.batch.operations.push(Operation { after: Vec::new(), act });
                rehearsed.about.push(about);
            }
            Ok(None) | Err(_) => rehearsed.unknown += 1,
        }
    }
    all
}
