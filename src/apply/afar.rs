//! What a store elsewhere is told: everything that an apply is about to do before it begins, and how far it has come.
//!
//! The journal on this machine knows more, and it is gone when the machine is.

use crate::apply::Run;
use crate::apply::batch::Maker;
use crate::apply::condition::Conditions;
use crate::outcome::Fate;
use crate::state::{State, StateChange};
use crate::store::StoreError;

/// What the steps of a plan would change in the state, each with the number of its step.
pub(crate) type Intents = Vec<(usize, StateChange)>;

impl Run<'_, '_> {
    /// Tells the store what is about to be done. Keys are made for that now: an object is found again by its key.
    pub(crate) fn announce(&mut self) -> Result<(), StoreError> {
        if !self.tools.lock.wants_intents() {
            return Ok(());
        }
        self.intents = self.all_intents();
        let changes: Vec<StateChange> = self.intents.iter().map(|(_, it)| it.clone()).collect();
        self.tools.lock.announce(&mut self.state, self.tools.world.now(), &changes)
    }

    fn all_intents(&mut self) -> Intents {
        let mut intents = Intents::new();
        for index in 0..self.plan.steps.len() {
            // What no device hears of is nothing that could be found there.
            let backend = match &self.plan.steps[index].backend {
                Some(backend) if !self.is_record(index) => backend.clone(),
                _ => {
                    let key = &self.state.fingerprint_key;
                    self.landing.settle_secret(&self.plan, index, key, self.tools.world);
                    continue;
                }
            };
            // As if every step before it were done. Why one cannot be done is said when it is its turn.
            let mut conditions = Conditions::default();
            let mut maker = Maker {
                plan: &mut self.plan,
                landing: &mut self.landing,
                conditions: &mut conditions,
                evaluator: self.tools.evaluator,
                world: self.tools.world,
            };
            let _said = maker.operation(index, &backend);
            let change = self.landing.change(&self.plan, &self.state, index, None);
            intents.extend(change.map(|change| (index, change)));
        }
        intents
    }

    /// Tells the store how far the apply has come, every now and then.
    pub(crate) fn refresh_store(&self) {
        self.tools.lock.refresh(self.tools.world.now(), || self.so_far());
    }

    /// Returns the state with what has landed, and what may still be under way.
    fn so_far(&self) -> State {
        let mut state = self.state.clone();
        let is_open = |index: usize| matches!(self.fates[index], None | Some(Fate::Failed(_)));
        let open = self.intents.iter().filter(|(index, _)| is_open(*index));
        state.keep_open(open.map(|(_, change)| change.clone()));
        state
    }
}
