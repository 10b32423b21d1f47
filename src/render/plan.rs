//! A plan as text: the product's face.

mod guarded;
mod observed;
mod parts;
mod refactored;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::diagnostic::sentence;
use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::{
    Action, FileChange, FirewallNote, Hook, Note, OneSided, OutputChange, Plan, Reason,
    ResourceChange, Subject,
};
use crate::render::plan::refactored::{is_whole_note, origin, refactored};
use crate::render::value::{SENSITIVE, UNKNOWN, after, age, is_default, literal, shown, sorted};
use crate::render::{Paint, Style, count, hold, printable};
use crate::resource::{Address, BackendId, BackendKind};

pub(crate) use crate::render::plan::observed::observed;
pub(crate) use crate::render::plan::parts::{block, goes_first, notes};
pub(crate) use crate::render::plan::refactored::tail;

/// So many unchanged elements of a set are shown around those that change; more are counted.
const NEIGHBOURS: usize = 4;

/// A list of more elements than this has a line for each, also where it is new as a whole.
const LONG_LIST: usize = 8;

/// What a plan was made for, which decides its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be applied, now or later.
    Apply,
    /// To see what changed outside.
    Drift,
    /// To take what changed outside for true.
    RefreshOnly,
}

/// Whether a plan is shown with its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    /// Each as a block.
    Shown,
    /// They are shown elsewhere.
    LeftOut,
}

/// Shows a plan.
pub fn plan(plan: &Plan, purpose: Purpose, paint: Paint) -> String {
    sections(plan, purpose, Blocks::Shown, paint)
}

/// Shows all of a plan but its changes, for a reader who is shown those in another form.
pub fn around(plan: &Plan, purpose: Purpose) -> String {
    sections(plan, purpose, Blocks::LeftOut, Paint::PLAIN)
}

fn sections(plan: &Plan, purpose: Purpose, blocks: Blocks, paint: Paint) -> String {
    let mut text = String::new();
    reboots(plan, &mut text);
    if purpose == Purpose::RefreshOnly {
        refresh_only(plan, blocks, paint, &mut text);
        return text;
    }
    if purpose == Purpose::Drift {
        return drift_sections(plan, blocks, paint);
    }
    let (drift, changes): (Vec<&ResourceChange>, Vec<_>) =
        plan.changes.iter().partition(|it| it.is_drift());
    let others = refactored(plan, paint);
    if !(changes.is_empty() && others.is_empty()) {
        if blocks == Blocks::Shown || !others.is_empty() {
            text += "wgform will perform the following actions:\n\n";
        }
        text += &others;
        resources(plan, &changes, blocks, paint, &mut text);
    }
    if !drift.is_empty() && blocks == Blocks::Shown {
        text += "Drift: this was changed outside of wgform, and an apply undoes it:\n\n";
        resources(plan, &drift, blocks, paint, &mut text);
    }
    outputs(&plan.outputs, paint, &mut text);
    sessions(plan, paint, &mut text);
    pending(plan, &mut text);
    hold::held(plan, paint, &mut text);
    unmanaged(plan, paint, &mut text);
    unreachable(plan, paint, &mut text);
    guarded::missing(plan, paint, &mut text);
    part(plan, &mut text);
    one_sided(plan, paint, &mut text);
    guarded::paths(plan, paint, &mut text);
    guarded::guards(plan, paint, &mut text);
    summary(plan, paint, &mut text);
    text
}

/// Shows a plan of which only drift is left, without the words at its end.
pub(crate) fn drift_body(plan: &Plan, paint: Paint) -> String {
    drift_sections(plan, Blocks::Shown, paint)
}

/// Shows the same without what was changed.
pub(crate) fn around_drift(plan: &Plan) -> String {
    drift_sections(plan, Blocks::LeftOut, Paint::PLAIN)
}

fn drift_sections(plan: &Plan, blocks: Blocks, paint: Paint) -> String {
    let mut text = String::new();
    reboots(plan, &mut text);
    if !plan.changes.is_empty() && blocks == Blocks::Shown {
        text += "Drift: this was changed outside of wgform:\n\n";
        plan.changes.iter().for_each(|it| resource(plan, &observed(it), paint, &mut text));
    }
    pending(plan, &mut text);
    unmanaged(plan, paint, &mut text);
    unchecked(plan, paint, &mut text);
    unreachable(plan, paint, &mut text);
    guarded::missing(plan, paint, &mut text);
    part(plan, &mut text);
    text
}

/// Shows the line that a plan ends with.
pub fn conclusion(plan: &Plan, purpose: Purpose, paint: Paint) -> String {
    let mut text = String::new();
    match purpose {
        Purpose::Apply => summary(plan, paint, &mut text),
        Purpose::RefreshOnly if plan.is_empty() => {
            text.push_str("Nothing to record.\n");
        }
        Purpose::Drift | Purpose::RefreshOnly => {
            let _ = writeln!(text, "{} to record.", count(plan.changes.len(), "resource"));
        }
    }
    text
}

/// Shows what an apply would take into the state.
fn refresh_only(plan: &Plan, blocks: Blocks, paint: Paint, text: &mut String) {
    if !plan.changes.is_empty() && blocks == Blocks::Shown {
        text.push_str("Since the last apply, this was changed outside of wgform:\n\n");
        plan.changes.iter().for_each(|it| resource(plan, it, paint, text));
    }
    text.push_str(&refactored(plan, paint));
    unreachable(plan, paint, text);
    guarded::missing(plan, paint, text);
    part(plan, text);
    if plan.is_empty() && plan.refusals.is_empty() && !plan.backends.is_empty() {
        let line = paint.paint(Style::Bold, "Nothing to record.");
        let _ = writeln!(text, "{line} The state says what the devices have{}.", extent(plan));
        return;
    }
    if plan.is_empty() {
        let line = paint.paint(Style::Bold, "No answer.");
        let why = match plan.refusals.is_empty() {
            true => "No backend could be read, so nothing was compared.",
            false => "Something stands in the way, so the devices were not compared.",
        };
        let _ = writeln!(text, "{line} {why}");
        return;
    }
    let what = count(plan.changes.len(), "resource");
    let moved = tail(plan.moved.len(), 0, "");
    let heading = paint.paint(Style::Bold, "Refresh only:");
    let _ = writeln!(
        text,
        "{heading} {what} to record{moved}, nothing to write.\n\n\
         This is a refresh-only plan, so wgform will not take any actions to undo these. An apply of it takes them into \
         the\nstate; where they differ from the configuration, the next plan shows a change."
    );
}

fn resources(
    plan: &Plan,
    changes: &[&ResourceChange],
    blocks: Blocks,
    paint: Paint,
    text: &mut String,
) {
    if blocks == Blocks::Shown {
        changes.iter().for_each(|it| resource(plan, it, paint, text));
    }
}

fn reboots(plan: &Plan, text: &mut String) {
    for (backend, reboot) in &plan.rebooted {
        let ago = reboot.ago.map(|ago| format!(" {} ago", age(ago))).unwrap_or_default();
        let missing = reboot.missing.join(", ");
        let line = format!("Backend `{backend}`: host rebooted{ago}, {missing} missing.\n");
        let _ = writeln!(text, "{}", printable(&line));
    }
}

/// Shows one change as a block.
fn resource(plan: &Plan, change: &ResourceChange, paint: Paint, text: &mut String) {
    let place = place(plan, change);
    let heading = match &change.subject {
        Subject::Resource(address) => format!("{address}{place} {}", fate(plan, change)),
        Subject::Unmanaged { interface, public_key } => {
            format!("peer {public_key} of {interface}{place} {}", fate(plan, change))
        }
        Subject::Backend(id) => return backend(id, change, paint, text),
    };
    let _ = writeln!(text, "  {}", paint.paint(Style::Bold, format!("# {}", printable(&heading))));
    for line in origin(plan, change) {
        let line = format!("# ({})", printable(&line));
        let _ = writeln!(text, "  {}", paint.paint(style(change.action), line));
    }
    for note in &change.notes {
        for line in note_lines(change, note) {
            // Lines of a file that somebody else wrote are among them.
            let line = format!("# {}", printable(&line));
            let line = line.trim_end();
            let _ = writeln!(text, "  {}", paint.paint(style(change.action), line));
        }
    }
    let (kind, label) = match &change.subject {
        Subject::Resource(address) => (address.kind.as_str(), block_label(address)),
        Subject::Unmanaged { .. } => ("peer", "(unmanaged)".to_owned()),
        Subject::Backend(id) => ("backend", format!("\"{id}\"")),
    };
    let glyph = if goes_first(plan, change) { "-/+" } else { glyph(change.action) };
    let glyph = paint.paint(style(change.action), glyph);
    let _ = writeln!(text, "{glyph} {kind} {label} {{");
    attributes(change, paint, text);
    text.push_str("    }\n\n");
}

/// Shows what happens to a backend itself, of which there is no block to show.
fn backend(id: &BackendId, change: &ResourceChange, paint: Paint, text: &mut String) {
    for note in &change.notes {
        for line in note_lines(change, note) {
            let line = printable(&format!("# backend.{id}: {line}")).into_owned();
            let _ = writeln!(text, "  {}", paint.paint(Style::Bold, line));
        }
    }
    text.push('\n');
}

fn block_label(address: &Address) -> String {
    let key = address.key().map(ToString::to_string).unwrap_or_default();
    format!("\"{}\"{}", address.label, printable(&key))
}

fn place(plan: &Plan, change: &ResourceChange) -> String {
    let Some(backend) = &change.backend else { return String::new() };
    let Some(view) = plan.views.get(backend) else { return format!(" on \"{backend}\"") };
    let simulated = if view.simulated { " (simulated)" } else { "" };
    format!(" on {} \"{backend}\"{simulated}", view.kind.as_str())
}

fn is_on_firewall(plan: &Plan, change: &ResourceChange) -> bool {
    let view = change.backend.as_ref().and_then(|backend| plan.views.get(backend));
    view.is_some_and(|view| view.kind == BackendKind::PfSense)
}

/// Says what happens to a resource, and why.
pub(crate) fn fate(plan: &Plan, change: &ResourceChange) -> String {
    let kind =
        change.backend.as_ref().and_then(|backend| plan.views.get(backend)).map(|view| view.kind);
    let kind = kind.map_or("this backend", |kind| kind.as_str());
    match (change.action, &change.reason) {
        (Action::Create, reason) => creation(reason).to_owned(),
        (Action::Update, Reason::Observed) => "has changed".to_owned(),
        (Action::Update, Reason::Drift) => {
            "will be updated in place (changed outside of wgform)".to_owned()
        }
        (Action::Update, Reason::Interrupted) => {
            "will be finished (an apply was cut off in the middle of it)".to_owned()
        }
        (Action::Update, Reason::Requested) => {
            "will be made anew for all its holders, as `-replace` asks".to_owned()
        }
        (Action::Update, Reason::Triggered { .. }) => {
            format!("will be made anew for all its holders ({})", trigger(&change.reason))
        }
        (Action::Update, _) => "will be updated in place".to_owned(),
        (Action::Replace, Reason::Requested) => "will be replaced, as `-replace` asks".to_owned(),
        (Action::Replace, Reason::Triggered { .. }) => {
            format!("will be replaced ({})", trigger(&change.reason))
        }
        (Action::Replace, Reason::CannotUpdate(attribute)) => {
            format!("must be replaced (`{attribute}` cannot change on {kind})")
        }
        (Action::Replace, _) => "must be replaced".to_owned(),
        (Action::Delete | Action::Forget, reason) => end(change.action, reason),
    }
}

/// Says what becomes of something that is no longer wanted.
fn end(action: Action, reason: &Reason) -> String {
    match (action, reason) {
        (Action::Delete, Reason::Observed) => "has been deleted".to_owned(),
        (Action::Delete, Reason::GoneWithInterface) => "went with its interface".to_owned(),
        (Action::Delete, Reason::Rebooted) => "is gone since the host was rebooted".to_owned(),
        (Action::Delete, Reason::NotConfigured) => {
            "will be destroyed (it is no longer in the configuration)".to_owned()
        }
        (Action::Delete, Reason::BecamePending) => {
            "will be destroyed (its `public_key` became null)".to_owned()
        }
        (Action::Delete, Reason::Unmanaged) => {
            "will be destroyed (nobody declared it, and `unmanaged_peers` is \"remove\")".to_owned()
        }
        (Action::Delete, Reason::Deposed) => {
            "will be destroyed (it was replaced by an earlier apply)".to_owned()
        }
        (Action::Delete, Reason::Removed(at)) => {
            format!("will be destroyed (as the `removed` block at {at} says)")
        }
        (Action::Forget, Reason::Removed(at)) => format!(
            "will no longer be managed, and stays as it is (as the `removed` block at {at} says)"
        ),
        (Action::Forget, _) => "will no longer be managed, and stays as it is".to_owned(),
        _ => "will be destroyed".to_owned(),
    }
}

/// Says that something is created, and why if it is no news.
fn creation(reason: &Reason) -> &'static str {
    match reason {
        Reason::Gone => "is gone and will be created again (changed outside of wgform)",
        Reason::GoneWithInterface => {
            "went with its interface and will be created again (changed outside of wgform)"
        }
        Reason::Rebooted => "will be created again (the host was rebooted)",
        Reason::WithInterface => "will be created on the interface that is made anew",
        Reason::Unmanaged => "was added outside of wgform, and nobody declared it",
        Reason::Interrupted => "will be created (an earlier apply did not come to it)",
        _ => "will be created",
    }
}

/// Says what makes something else anew.
fn trigger(reason: &Reason) -> String {
    match reason {
        Reason::Triggered { by, attribute: Some(attribute), .. } => {
            format!("`{by}.{attribute}` changes")
        }
        Reason::Triggered { by, attribute: None, is_made: true } => format!("`{by}` is made"),
        Reason::Triggered { by, attribute: None, is_made: false } => format!("`{by}` changes"),
        _ => String::new(),
    }
}

fn note_lines(change: &ResourceChange, note: &Note) -> Vec<String> {
    let list = |addresses: &[Address]| {
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match note {
        Note::NewKey { follow, tell } => {
            let mut lines = vec![
                "NEW KEY: whoever has the old one is cut off until it learns the new one"
                    .to_owned(),
            ];
            if !follow.is_empty() {
                lines.push(format!("  follows in this apply: {}", list(follow)));
            }
            if !tell.is_empty() {
                lines.push(format!("  must be told by you, the far ends of: {}", list(tell)));
            }
            lines
        }
        Note::KeyRemembered => {
            vec!["its key is remembered, and comes back with it if it is made again".to_owned()]
        }
        Note::KeyTakenFrom(path) => vec![format!("key taken from {}", path.display())],
        Note::KeyKept(key) => {
            vec![format!(
                "its key was changed outside of wgform; the old one is gone, so {key} is kept"
            )]
        }
        Note::MarkChosen(mark) => vec![format!(
            "fwmark {mark} is wgform's choice: with it, what goes to endpoints stays outside of the tunnel"
        )],
        Note::Expired(end) => {
            vec![format!("expired: its `expires_at` is {end}, so it is treated as disabled")]
        }
        Note::LastHandshake(Some(ago)) => vec![format!("last handshake {} ago", age(*ago))],
        Note::LastHandshake(None) => vec!["it never had a handshake".to_owned()],
        Note::UnmanagedGo(number) => {
            let what = count(*number, "unmanaged peer");
            vec![format!("{what} {} with it", if *number == 1 { "goes" } else { "go" })]
        }
        Note::OlderStay(number) => {
            let what = count(*number, "older object");
            vec![format!(
                "{what} of it, which an earlier apply replaced, will no longer be managed either"
            )]
        }
        Note::NewSecret if change.action == Action::Create => Vec::new(),
        Note::NewSecret => vec!["a new secret is made and written to all its holders".to_owned()],
        Note::Hooks(hooks) => hooks.iter().map(hook_line).collect(),
        Note::File { path, change: file } => {
            file_lines(path, file, change.reason == Reason::Observed)
        }
        Note::NotStarted(unit) => {
            let again =
                if change.reason == Reason::Observed { "" } else { ", and is enabled again" };
            vec![format!("`{unit}` was disabled outside of wgform{again}")]
        }
        Note::NoSystemd(unit) => {
            vec![format!("no systemd here: see that what `{unit}` does is done at boot")]
        }
        Note::Firewall(note) => firewall_lines(note, &change.reason),
    }
}

/// Says what there is to a change only on a firewall.
fn firewall_lines(note: &FirewallNote, reason: &Reason) -> Vec<String> {
    match note {
        FirewallNote::Applied if *reason == Reason::Observed => {
            vec!["something stored there has no effect yet".to_owned()]
        }
        FirewallNote::SwitchedOn => vec![
            "WireGuard is off there, and will be switched on with all its tunnels"
                .to_owned(),
        ],
        FirewallNote::Applied => vec![
            "something stored there has no effect yet, and will be applied"
                .to_owned(),
        ],
        FirewallNote::Assigned => vec![
            "assigned to an interface of the firewall: see that its default gateway in `System > Routing`"
                .to_owned(),
            "  is not \"Automatic\", or pfSense may take the tunnel for the way to the Internet".to_owned(),
        ],
        FirewallNote::Released(name) => vec![format!(
            "the interface `{name}` of the firewall goes at once, with its firewall and NAT rules"
        )],
    }
}

fn file_lines(path: &Path, change: &FileChange, is_observed: bool) -> Vec<String> {
    let path = path.display();
    let FileChange::Text { lines, is_foreign, is_touched } = change else {
        let what = match (change, is_observed) {
            (FileChange::Gone, true) => "is gone",
            (FileChange::Gone, false) => "is gone, and will be written again",
            (_, true) => "has other permissions than it was given",
            (_, false) => "has other permissions than it was given, and gets them back",
        };
        return vec![format!("{path} {what}")];
    };
    let colon = if lines.is_empty() { "" } else { ":" };
    let heading = match (is_foreign, is_touched) {
        _ if is_observed => format!("{path} was changed outside of wgform{colon}"),
        (true, _) => format!(
            "{path} was not written by wgform, and will be replaced (it is kept beside the new one):"
        ),
        (_, true) => format!("{path} was changed outside of wgform, and will be written again:"),
        _ => format!("{path} will be written again:"),
    };
    let shown = lines.iter().map(|(mark, line)| format!("  {mark} {line}").trim_end().to_owned());
    [heading].into_iter().chain(shown).collect()
}

/// Shows a command as a shell would be given it, though none is.
fn hook_line(Hook { at, command }: &Hook) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let word = |json: &Json| match json.as_str() {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        _ => literal(json),
    };
    let command = match command {
        Side::Known(Json::Array(parts)) => parts.iter().map(word).collect::<Vec<_>>().join(" "),
        _ => UNKNOWN.to_owned(),
    };
    format!("runs {at}: {command}")
}

fn glyph(action: Action) -> &'static str {
    match action {
        Action::Create => "  +",
        Action::Update => "  ~",
        Action::Replace => "+/-",
        Action::Delete => "  -",
        Action::Forget => "  .",
    }
}

fn style(action: Action) -> Style {
    match action {
        Action::Create => Style::Add,
        Action::Update | Action::Replace => Style::Change,
        Action::Delete => Style::Remove,
        Action::Forget => Style::Warning,
    }
}

fn attributes(change: &ResourceChange, paint: Paint, text: &mut String) {
    let is_shown = |diff: &&AttributeDiff| match (&diff.after, change.action) {
        (Side::Known(json), Action::Create) => !is_default(diff.attribute, json),
        (after, Action::Create) => *after == Side::Unknown,
        (_, Action::Delete | Action::Forget) => {
            diff.before.as_ref().is_some_and(|it| !is_default(diff.attribute, it))
        }
        (_, Action::Replace) if diff.before.is_none() => match &diff.after {
            Side::Known(json) => !is_default(diff.attribute, json),
            after => *after == Side::Unknown,
        },
        _ => diff.is_write() || matches!(diff.attribute.name, "name" | "interface"),
    };
    let shown: Vec<&AttributeDiff> = change.attributes.iter().filter(is_shown).collect();
    let width = shown.iter().map(|diff| diff.attribute.name.len()).max().unwrap_or_default();
    for diff in &shown {
        attribute(change, diff, width, paint, text);
    }
    let all = change
        .attributes
        .iter()
        .filter(|diff| diff.before.is_some() || matches!(diff.after, Side::Known(_)));
    let hidden = all.count().saturating_sub(shown.len());
    if matches!(change.action, Action::Update | Action::Replace) && hidden > 0 {
        let _ = writeln!(text, "        # {} hidden", count(hidden, "unchanged attribute"));
    }
}

fn attribute(
    change: &ResourceChange,
    diff: &AttributeDiff,
    width: usize,
    paint: Paint,
    text: &mut String,
) {
    let is_sensitive = change.sensitive.contains(diff.attribute.name);
    let name = diff.attribute.name;
    let before = diff.before.as_ref().filter(|_| change.action != Action::Create);
    let action = match (before, &diff.after) {
        _ if change.action == Action::Forget => None,
        _ if !diff.is_write() && change.action == Action::Update => None,
        (None, _) => Some(Action::Create),
        (Some(_), _) if change.action == Action::Delete => Some(Action::Delete),
        (Some(before), Side::Known(after)) if before == after && !diff.is_write() => None,
        (Some(_), Side::Unset) => Some(Action::Delete),
        (Some(_), _) => Some(Action::Update),
    };
    let mark = match action {
        None => " ".to_owned(),
        Some(action) => paint.paint(style(action), glyph(action).trim_start()),
    };
    let remark = remark(change, diff);
    let nothing = Vec::new();
    let lists = match (before, &diff.after) {
        // One line of all of them would be no reading matter.
        (None, Side::Known(Json::Array(after))) if after.len() > LONG_LIST => {
            Some((&nothing, after))
        }
        (Some(Json::Array(before)), Side::Known(Json::Array(after)))
            if action == Some(Action::Update) && !diff.attribute.form.is_ordered() =>
        {
            Some((before, after))
        }
        _ => None,
    };
    if let Some((before, after)) = lists.filter(|_| !is_sensitive) {
        let _ = writeln!(text, "      {mark} {name:width$} = [{remark}");
        elements(before, after, paint, text);
        text.push_str("        ]\n");
        return;
    }
    let value = on_one_line(change, diff, before, action);
    let _ = writeln!(text, "      {mark} {name:width$} = {value}{remark}");
}

/// Writes what is there, what will be, or how the one becomes the other.
fn on_one_line(
    change: &ResourceChange,
    diff: &AttributeDiff,
    before: Option<&Json>,
    action: Option<Action>,
) -> String {
    let is_sensitive = change.sensitive.contains(diff.attribute.name);
    let now = after(diff.attribute, is_sensitive, &diff.after);
    let Some(before) = before else { return now };
    let before = shown(diff.attribute, is_sensitive, before);
    let goes = action == Some(Action::Delete) && change.action == Action::Delete;
    match action.is_none() || goes || before == SENSITIVE && now == SENSITIVE {
        true => before,
        false => format!("{before} -> {now}"),
    }
}

fn remark(change: &ResourceChange, diff: &AttributeDiff) -> String {
    if let Reason::CannotUpdate(name) = change.reason
        && name == diff.attribute.name
    {
        return "  # forces replacement".to_owned();
    }
    match &diff.was {
        Some(was)
            if !diff.attribute.form.is_secret()
                && !change.sensitive.contains(diff.attribute.name) =>
        {
            format!("  # was {}", literal(was))
        }
        _ if diff.class == Class::Drift && !change.is_drift() => {
            "  # changed outside of wgform".to_owned()
        }
        _ => String::new(),
    }
}

fn elements(before: &[Json], after: &[Json], paint: Paint, text: &mut String) {
    let texts = |list: &[Json]| -> BTreeSet<String> {
        list.iter()
            .map(|json| json.as_str().map_or_else(|| json.to_string(), str::to_owned))
            .collect()
    };
    let (before, after) = (texts(before), texts(after));
    let unchanged = before.intersection(&after).count();
    let all = sorted(before.union(&after).cloned().collect());
    for element in all {
        let (mark, style) = match (before.contains(&element), after.contains(&element)) {
            (true, true) if unchanged > NEIGHBOURS => continue,
            (true, true) => (" ", None),
            (true, false) => ("-", Some(Style::Remove)),
            (false, _) => ("+", Some(Style::Add)),
        };
        let mark = style.map_or_else(|| mark.to_owned(), |style| paint.paint(style, mark));
        let _ = writeln!(text, "          {mark} {},", literal(&Json::from(element)));
    }
    if unchanged > NEIGHBOURS {
        let _ = writeln!(text, "            # {} hidden", count(unchanged, "unchanged element"));
    }
}

fn outputs(changes: &[OutputChange], paint: Paint, text: &mut String) {
    if changes.is_empty() {
        return;
    }
    text.push_str("Changes to outputs:\n\n");
    let width = changes.iter().map(|change| change.name.len()).max().unwrap_or_default();
    for change in changes {
        let now = change.after.as_ref().map(|output| match &output.value {
            _ if output.is_sensitive => SENSITIVE.to_owned(),
            Some(json) => literal(json),
            None => UNKNOWN.to_owned(),
        });
        let before = change.before.as_ref().map(literal);
        let (action, value) = match (before, now) {
            (None, Some(now)) => (Action::Create, now),
            (Some(before), Some(now)) => (Action::Update, format!("{before} -> {now}")),
            (Some(before), None) => (Action::Delete, before),
            (None, None) => (Action::Delete, SENSITIVE.to_owned()),
        };
        let mark = paint.paint(style(action), glyph(action));
        let _ = writeln!(text, "{mark} {:width$} = {value}", printable(&change.name));
    }
    text.push('\n');
}

fn sessions(plan: &Plan, paint: Paint, text: &mut String) {
    if plan.sessions.cut.is_empty() {
        return;
    }
    let heading = format!("This apply cuts {}:", count(plan.sessions.cut.len(), "session"));
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for cut in &plan.sessions.cut {
        let who = match &cut.peer {
            Subject::Resource(address) => address.to_string(),
            Subject::Unmanaged { interface, public_key } => {
                format!("unmanaged peer {public_key} of {interface}")
            }
            Subject::Backend(id) => format!("backend.{id}"),
        };
        let _ =
            writeln!(text, "  {}, last handshake {} ago", printable(&who), age(cut.handshake_age));
    }
    text.push('\n');
}

fn pending(plan: &Plan, text: &mut String) {
    if plan.pending.is_empty() {
        return;
    }
    text.push_str("Pending, until their `public_key` is set:\n\n");
    plan.pending.iter().for_each(|address| {
        let _ = writeln!(text, "  {}", printable(&address.to_string()));
    });
    text.push('\n');
}

fn unmanaged(plan: &Plan, paint: Paint, text: &mut String) {
    if plan.unmanaged.is_empty() {
        return;
    }
    let heading =
        format!("{} that nobody declared, left alone:", count(plan.unmanaged.len(), "peer"));
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for peer in &plan.unmanaged {
        let networks = if peer.allowed_ips.is_empty() {
            "no allowed IPs".to_owned()
        } else {
            sorted(peer.allowed_ips.clone()).join(", ")
        };
        let handshake = match peer.handshake_age {
            Some(ago) => format!("last handshake {} ago", age(ago)),
            None => "no handshake".to_owned(),
        };
        let line = format!("  {} of {}: {networks}; {handshake}", peer.public_key, peer.interface);
        let _ = writeln!(text, "{}", printable(&line));
    }
    text.push_str(
        "\n  To manage one, declare it and run `wgform import peer.NAME INTERFACE/KEY`; \
         `unmanaged_peers` on the interface\n  decides whether they are reported, ignored or removed.\n\n",
    );
}

/// Lists what no device shows; most of it is of one kind.
fn unchecked(plan: &Plan, paint: Paint, text: &mut String) {
    if plan.unchecked.is_empty() {
        return;
    }
    let heading = "Not checked, because the device does not show it:";
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for (address, names) in plan.unchecked.iter().take(NAMED) {
        let names = names.iter().copied().collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "  {}: {names}", printable(&address.to_string()));
    }
    if plan.unchecked.len() > NAMED {
        let _ = writeln!(text, "  and {} more", plan.unchecked.len() - NAMED);
    }
    text.push('\n');
}

fn unreachable(plan: &Plan, paint: Paint, text: &mut String) {
    for (backend, (why, left_out)) in &plan.unreachable {
        let heading = format!("Backend `{backend}` was not read: {}", why.reason);
        let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, printable(&heading)));
        why.hints.iter().for_each(|hint| {
            let _ = writeln!(text, "  {}", sentence(&printable(hint)));
        });
        let what = count(left_out.len(), "resource");
        let _ = writeln!(
            text,
            "  {what} left out; where others refer to them, the last known values are used.\n"
        );
    }
}

/// So many addresses that were left out are named; more are counted.
const NAMED: usize = 10;

/// Says that not everything was looked at, since "no changes" then means less.
fn part(plan: &Plan, text: &mut String) {
    if !plan.is_partial {
        return;
    }
    is_whole_note(plan, text);
    if plan.excluded.is_empty() {
        text.push_str(
            "Only a part was planned, as `-target` says: what else differs is not shown here.\n\n",
        );
        return;
    }
    let with = if plan.excluded.len() == 1 { "" } else { ", with what hangs together with it" };
    let _ = writeln!(text, "Left out, as `-exclude` says{with}:\n");
    for address in plan.excluded.iter().take(NAMED) {
        let _ = writeln!(text, "  {}", printable(&address.to_string()));
    }
    if plan.excluded.len() > NAMED {
        let _ = writeln!(text, "  and {} more", plan.excluded.len() - NAMED);
    }
    text.push('\n');
}

/// Names the links that an apply leaves one-sided, and why.
fn one_sided(plan: &Plan, paint: Paint, text: &mut String) {
    if plan.one_sided.is_empty() {
        return;
    }
    let what = count(plan.one_sided.len(), "link");
    let heading = format!("This apply leaves {what} one-sided:");
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for OneSided { changed, left_out, unread } in plan.one_sided.iter().take(NAMED) {
        let why = match unread {
            Some(id) => format!(" with backend `{id}`"),
            None => String::new(),
        };
        let line = format!("{changed} changes, and {left_out} is left out{why}");
        let _ = writeln!(text, "  {}", printable(&line));
    }
    if plan.one_sided.len() > NAMED {
        let _ = writeln!(text, "  and {} more", plan.one_sided.len() - NAMED);
    }
    text.push_str(
        "\n  The ends of such a link may not reach each other until an apply changes both.\n\n",
    );
}

/// Says how far a plan that shows nothing can be trusted.
pub(crate) fn extent(plan: &Plan) -> &'static str {
    match (plan.is_partial, plan.unreachable.is_empty()) {
        (false, true) => "",
        (false, false) => " on the backends that were read",
        (true, true) => " in the part that was planned",
        (true, false) => " in the part that was planned, on the backends that were read",
    }
}

fn summary(plan: &Plan, paint: Paint, text: &mut String) {
    if plan.is_empty() && !plan.refusals.is_empty() {
        let line = paint.paint(Style::Bold, "No plan.");
        let _ =
            writeln!(text, "{line} Something stands in the way, so the devices were not compared.");
        return;
    }
    if plan.is_empty() && plan.backends.is_empty() && !plan.unreachable.is_empty() {
        let line = paint.paint(Style::Bold, "No plan.");
        let _ = writeln!(text, "{line} No backend could be read, so nothing was compared.");
        return;
    }
    if plan.is_empty() {
        let line = paint.paint(Style::Bold, "No changes.");
        let but = if plan.held.is_empty() { "The" } else { "But for what is held, the" };
        let _ = writeln!(text, "{line} {but} devices match the configuration{}.", extent(plan));
        return;
    }
    let changes: Vec<_> = plan.changes.iter().filter(|it| !it.is_drift()).collect();
    let number = |action: Action| {
        let is = |it: &&&ResourceChange| match it.action {
            Action::Replace => matches!(action, Action::Create | Action::Delete),
            other => other == action,
        };
        changes.iter().filter(is).count()
    };
    let drift = plan.changes.iter().filter(|it| it.has_drift()).count();
    let drift = if drift == 0 { "none".to_owned() } else { drift.to_string() };
    let kept = plan.sessions.live.saturating_sub(plan.sessions.cut.len());
    let imported = match plan.imported.len() {
        0 => String::new(),
        number => format!("{number} to import, "),
    };
    let line = format!(
        "{} {imported}{} to add, {} to change, {} to destroy{}. Drift undone: {drift}. Sessions kept: {kept} of {}.",
        paint.paint(Style::Bold, "Plan:"),
        number(Action::Create),
        number(Action::Update),
        number(Action::Delete),
        tail(plan.moved.len(), number(Action::Forget), "to forget"),
        plan.sessions.live,
    );
    let _ = writeln!(text, "{line}");
}
