//! What a plan says of one change, for whoever shows changes in another form.

use crate::plan::{Action, Plan, Reason, ResourceChange};
use crate::render::Paint;
use crate::render::plan::{is_on_firewall, note_lines, resource};

/// Returns whether what is replaced is destroyed before its successor is made.
pub(crate) fn goes_first(plan: &Plan, change: &ResourceChange) -> bool {
    let is_request = change.reason.is_request() && change.action == Action::Replace;
    // There is no room for both on a firewall.
    let has_no_room = change.reason == Reason::CannotUpdate("name") && is_on_firewall(plan, change);
    is_request || has_no_room
}

/// Returns what else must be said about a change.
pub(crate) fn notes(change: &ResourceChange) -> Vec<String> {
    change.notes.iter().flat_map(|note| note_lines(change, note)).collect()
}

/// Shows one change as a plan does, without colour. The first line is what happens to it.
pub(crate) fn block(plan: &Plan, change: &ResourceChange) -> String {
    let mut text = String::new();
    resource(plan, change, Paint::PLAIN, &mut text);
    text
}
