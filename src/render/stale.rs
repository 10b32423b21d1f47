//! In what a plan differs from the one that was saved, a line each.

use serde_json::Value as Json;

use crate::diff::Side;
use crate::plan::Action;
use crate::plan::saved::{Difference, FileDifference};
use crate::render::value::{UNKNOWN, literal};
use crate::render::{count, printable};

/// So many differences are shown; more are counted.
const SHOWN: usize = 20;

/// Shows what differs.
pub fn differences(all: &[Difference]) -> String {
    let mut lines: Vec<String> =
        all.iter().take(SHOWN).map(|it| printable(&line(it)).into_owned()).collect();
    if all.len() > SHOWN {
        lines.push(format!("and {} more", all.len() - SHOWN));
    }
    lines.join("\n")
}

fn line(difference: &Difference) -> String {
    match difference {
        Difference::File { name, how } => {
            let how = match how {
                FileDifference::Changed => "has changed",
                FileDifference::Added => "is new",
                FileDifference::Removed => "is gone",
            };
            format!("the file `{name}` {how}")
        }
        Difference::Device { backend } => format!("backend `{backend}` is another device"),
        Difference::Appeared { subject, action, attributes, is_drift } => {
            let why = if *is_drift { " (changed outside of wgform)" } else { "" };
            let shown = attributes.iter().map(|(name, now, wanted)| {
                format!("\n  {name} = {} -> {}", value(now.as_ref()), side(wanted))
            });
            let shown: String = shown.collect();
            format!("{subject} would {} now, which was not planned{why}{shown}", be(*action))
        }
        Difference::Disappeared { subject, action } => {
            format!("{subject} was to {}, and nothing would be done about it now", be(*action))
        }
        Difference::Action { subject, planned, now } => {
            format!("{subject} was to {}, and would {} now", be(*planned), be(*now))
        }
        Difference::Found { subject, attribute, planned, now } => {
            let (planned, now) = (value(planned.as_ref()), value(now.as_ref()));
            format!("{subject}: `{attribute}` was {planned} on the device, and is {now} now")
        }
        Difference::Wanted { subject, attribute, planned: Some(planned), now: Some(now) } => {
            let (planned, now) = (side(planned), side(now));
            format!("{subject}: `{attribute}` was to become {planned}, and would become {now} now")
        }
        Difference::Wanted { subject, attribute, .. } => {
            format!("{subject}: `{attribute}` would become another value now")
        }
        Difference::UnmanagedGo { subject, planned, now } => {
            let now = count(*now, "unmanaged peer");
            format!("{subject}: {now} would go with it now, and {planned} when the plan was made")
        }
        Difference::Note { subject } => {
            format!(
                "{subject}: where it goes, or what is run or written with it, is something else now"
            )
        }
        Difference::Output { name } => format!("output `{name}` would become another value"),
        Difference::Refactored { address } => {
            format!(
                "{address}: what it was called before, or is taken over from, is something else now"
            )
        }
    }
}

fn be(action: Action) -> &'static str {
    match action {
        Action::Create => "be created",
        Action::Update => "be updated",
        Action::Replace => "be replaced",
        Action::Delete => "be destroyed",
        Action::Forget => "no longer be managed",
    }
}

fn value(json: Option<&Json>) -> String {
    json.map_or_else(|| "nothing".to_owned(), literal)
}

fn side(side: &Side) -> String {
    match side {
        Side::Known(json) => literal(json),
        Side::Unknown => UNKNOWN.to_owned(),
        Side::Unset => "nothing".to_owned(),
    }
}
