//! What a look for drift says, line by line.

use crate::drift::{Known, Report};
use crate::plan::{Note, Plan, ResourceChange, Subject};
use crate::render::json::drifted::{Entry, doubted, expired, not_checked, unknown_interfaces};
use crate::render::json::guarded::held;
use crate::render::json::plan::{UnmanagedPeer, unmanaged_peers, unread};
use crate::render::json::{Remarks, ResourceName, drift as drifted};
use crate::render::plan::Purpose;
use crate::render::stream::{Body, Level, ResourceChanged, Said, reboots};
use crate::render::summary::Planned;
use crate::render::{count, printable};
use crate::state::ObjectKey;

/// Says what a look for drift has found. The lines are handed on as they are made, because there may be ten thousand.
pub fn drift(report: &Report, say: &mut dyn FnMut(Said)) {
    let plan = &report.plan;
    reboots(plan, say);
    plan.changes.iter().filter_map(|it| line(plan, it)).for_each(&mut *say);
    for address in &plan.pending {
        let message = format!("{address}: Waits for its public key");
        say(Said::info(message, Body::PendingPeer { resource: ResourceName::from(address) }));
    }
    let to_go = plan.changes.iter().filter_map(|it| undeclared(plan, it));
    to_go.map(unmanaged).for_each(&mut *say);
    beside(plan, say);
    report.known.iter().filter_map(|it| known(plan, it)).for_each(&mut *say);
    for it in not_checked(plan) {
        let message = format!("{}: Not checked: {}", it.address, it.attributes.join(", "));
        say(Said::info(message, Body::NotChecked { not_checked: it }));
    }
    for it in unknown_interfaces(report) {
        let message = format!("backend.{}: Interface {} is nobody's", it.backend, it.name);
        say(Said::info(message, Body::UnknownInterface { interface: it }));
    }
    let drift = Planned::of_drift(report);
    let message = format!("Drift: {}.", drift.line(Purpose::Drift));
    say(Said::info(message, Body::DriftSummary { drift }));
}

/// Says what a plan and a look for drift both have beside what differs.
pub(super) fn beside(plan: &Plan, say: &mut dyn FnMut(Said)) {
    unmanaged_peers(plan).into_iter().map(unmanaged).for_each(&mut *say);
    for unread in unread(plan) {
        let message = format!("backend.{}: Left out: {}", unread.backend, unread.reason);
        say(Said::new(Level::Warn, message, Body::BackendLeftOut { unread }));
    }
    for it in doubted(plan) {
        let what = count(it.missing.len(), "resource");
        let message = format!("backend.{}: Not believed, {what} missing", it.backend);
        say(Said::new(Level::Error, message, Body::BackendDoubted { doubted: it }));
    }
    for held in held(plan) {
        let message = format!("{}: Held: {}", held.address, held.reason);
        say(Said::new(Level::Warn, message, Body::Held { held }));
    }
    for it in expired(plan) {
        let targets = if it.targets.is_empty() { it.hold.clone() } else { it.targets.join(", ") };
        let message = format!("{targets}: No longer held or known since {}", it.expires_at);
        say(Said::new(Level::Warn, message, Body::Expired { expired: it }));
    }
}

fn unmanaged(peer: UnmanagedPeer) -> Said {
    let message = format!("{}: Peer {} is nobody's", peer.interface, peer.public_key);
    Said::new(Level::Warn, message, Body::UnmanagedPeer { peer })
}

/// Describes a peer that nobody declared and that an apply would remove.
fn undeclared(plan: &Plan, it: &ResourceChange) -> Option<UnmanagedPeer> {
    let Subject::Unmanaged { interface, public_key } = &it.subject else { return None };
    let name = match &plan.state.resources.get(interface)?.object {
        ObjectKey::Interface { name, .. } => name.as_str(),
        ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => "",
    };
    let before = |name| it.attributes.iter().find(|it| it.attribute.name == name)?.before.as_ref();
    let allowed_ips = before("allowed_ips").and_then(|it| it.as_array());
    let texts = allowed_ips.into_iter().flatten().filter_map(|it| it.as_str());
    let handshake = it.notes.iter().find_map(|it| match it {
        Note::LastHandshake(age) => *age,
        _ => None,
    });
    Some(UnmanagedPeer {
        interface: interface.to_string(),
        backend: it.backend.as_ref().map(ToString::to_string).unwrap_or_default(),
        interface_name: printable(name).into_owned(),
        public_key: public_key.to_string(),
        allowed_ips: texts.map(str::to_owned).collect(),
        handshake_age_seconds: handshake.map(|it| it.as_secs()),
    })
}

/// Says that a resource was changed outside of wgform.
pub(super) fn line(plan: &Plan, it: &ResourceChange) -> Option<Said> {
    let (message, changed) = changed(plan, it)?;
    Some(Said::info(message, Body::ResourceDrift { change: Box::new(changed) }))
}

fn known(plan: &Plan, Known { change, entry }: &Known) -> Option<Said> {
    let (message, changed) = changed(plan, change)?;
    let message = format!("{message}, which is known: {}", entry.reason);
    let known = Entry::of(entry);
    Some(Said::info(message, Body::KnownDrift { change: Box::new(changed), known }))
}

fn changed(plan: &Plan, it: &ResourceChange) -> Option<(String, ResourceChanged)> {
    let change = drifted(plan, it)?;
    let action = if change.actions == ["delete"] { "delete" } else { "update" };
    let message = format!("{}: Drift detected ({action})", it.subject);
    let changed = ResourceChanged {
        resource: ResourceName::from(&it.subject),
        previous_resource: None,
        action,
        reason: None,
        change: Some(change),
        wgform: Some(Remarks::of_drift(plan, it)),
    };
    Some((message, changed))
}
