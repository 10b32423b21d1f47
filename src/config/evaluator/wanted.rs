//! All resources at once, for whoever looks at them together.

use std::collections::BTreeMap;

use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::{AllUnknown, Computed, Desired};
use crate::resource::Address;

impl Evaluator<'_> {
    /// Shows every resource as it is wanted, as far as `computed` knows what devices say, in the order of
    /// [`Self::resources`]. Ask after [`problems`](Self::problems), which says what is wrong with those left out.
    pub fn with_wanted<T>(
        &self,
        computed: &dyn Computed,
        look: impl FnOnce(&[&Desired]) -> T,
    ) -> T {
        // They are lent, so that nothing is evaluated twice that depends on no device, and nothing is copied.
        let ready = std::mem::take(&mut *self.ready.borrow_mut());
        let others = self.resources().iter().filter(|it| !ready.contains_key(it));
        let others = others.filter_map(|address| {
            let wanted = Run::over(self, computed).resource(address);
            let wanted = wanted.or_else(|_| Run::over(self, &AllUnknown).resource(address)).ok()?;
            Some((address.clone(), wanted))
        });
        let others: BTreeMap<Address, Desired> = others.collect();
        let all = self.resources().iter();
        let all: Vec<&Desired> =
            all.filter_map(|it| ready.get(it).or_else(|| others.get(it))).collect();
        let result = look(&all);
        *self.ready.borrow_mut() = ready;
        result
    }
}
