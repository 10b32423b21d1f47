//! Looks for what is allowed and seldom meant, in a configuration that has no error.
//!
//! What each rule is for is in [`rule`](crate::diagnostic::rule), and the comments that silence one are read in
//! `config`. Nothing is said of what is not certain: a value that only a device can make breaks no rule.

pub mod clash;
mod addresses;
mod links;
mod peers;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::{Computed, Config, Desired, Evaluator};
use crate::diagnostic::{Diagnostic, Severity, unique};
use crate::network::{Kinds, Network, kinds};
use crate::resource::Address;

/// Looks at everything, and returns what was found and is not silenced. Ask after
/// [`problems`](Evaluator::problems) found no error.
pub fn look(config: &Config, evaluator: &Evaluator<'_>, now: Timestamp) -> Vec<Diagnostic> {
    let kinds = kinds(evaluator);
    let mut found = config.lint().to_vec();
    found.extend(Network::show(evaluator, now, |network| look_at(network, &kinds)));
    found.retain(|it| !config.is_ignored(it));
    unique(found)
}

/// Looks once more at what is planned, now that devices have said which keys they have, and returns what was not seen
/// before.
pub fn look_again(
    config: &Config,
    evaluator: &Evaluator<'_>,
    (planned, known): (&BTreeMap<Address, Desired>, &dyn Computed),
    now: Timestamp,
    seen: &[Diagnostic],
) -> Vec<Diagnostic> {
    let kinds = kinds(evaluator);
    let look = |network: &Network<'_>| look_at(network, &kinds);
    let mut found = Network::show_planned(evaluator, planned, known, now, look);
    found.retain(|it| !config.is_ignored(it));
    let all = unique(seen.iter().chain(&found).cloned().collect());
    all.into_iter().skip(unique(seen.to_vec()).len()).collect()
}

fn look_at(network: &Network<'_>, kinds: &Kinds) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    clash::between_interfaces(network, &mut found);
    clash::between_peers(network, kinds, &mut found);
    if found.iter().any(|it| it.severity == Severity::Error) {
        // Whatever else would be found may only follow from it.
        return found;
    }
    for interface in network.interfaces.values() {
        peers::of_an_interface(network, interface, &mut found);
        addresses::of_an_interface(network, interface, &mut found);
    }
    links::all(network, &mut found);
    found
}

#[cfg(test)]
mod tests;
