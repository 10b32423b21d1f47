//! What is made anew: by `-replace`, and by `replace_triggered_by` because something else changes.

use crate::config::{Desired, Trigger};
use crate::diff::AttributeDiff;
use crate::plan::Reason;
use crate::plan::walk::{Fate, Node, Planner};
use crate::resource::Address;

impl Planner<'_> {
    /// Notes whether something changes that makes the resource anew. All that it names was compared before.
    pub(crate) fn look_for_triggers(&mut self, desired: &Desired) {
        for trigger in &desired.triggers {
            // Instances of one block are next to each other.
            let all = self.nodes.range(trigger.block()..);
            let mut named = all.take_while(|(address, _)| is_in_block(trigger, address));
            let fired =
                named.find(|(address, node)| trigger.names(address) && fires(trigger, node));
            if let Some((by, node)) = fired {
                let reason = Reason::Triggered {
                    by: by.clone(),
                    attribute: trigger.attribute,
                    is_made: trigger.attribute.is_none() && node.fate != Fate::Keep,
                };
                self.triggered.insert(desired.address.clone(), reason);
                return;
            }
        }
    }

    /// Returns why a resource is to be made anew although nothing about itself demands it.
    pub(crate) fn requested(&self, address: &Address) -> Option<Reason> {
        match self.options.replace.contains(address) {
            true => Some(Reason::Requested),
            false => self.triggered.get(address).cloned(),
        }
    }
}

fn is_in_block(trigger: &Trigger, address: &Address) -> bool {
    let block = &trigger.address;
    (block.module(), block.kind, &block.label) == (address.module(), address.kind, &address.label)
}

fn fires(trigger: &Trigger, node: &Node) -> bool {
    let changes = |name: &str| {
        node.diffs.iter().any(|diff| diff.attribute.name == name && AttributeDiff::is_write(diff))
    };
    node.is_change() && trigger.attribute.is_none_or(changes)
}
