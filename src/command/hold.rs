//! `wgform hold`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::command::Context;
use crate::command::arguments::{Lock, Variables, duration};
use crate::command::session::{self, Needs, Session, owned};
use crate::config::suggest::suggestion;
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::resource::{Address, Kind as ResourceKind, Pattern, declaration};
use crate::state::{Hold, HoldKind, Made, State};

/// What `wgform hold` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform hold peer.branch -for=10h -reason='INC-1234: the provider moved'
  wgform hold interface.hub -attribute=listen_port -for=2h -reason='a test'
  wgform hold -list
  wgform hold -release peer.branch

Plan and apply leave what is held alone, and `wgform drift` reports it as held.
Once the time is up, what differs is drift again. A `hold` block does the same
for everybody who uses the configuration.")]
pub struct Arguments {
    /// The resources, with all their instances
    #[arg(value_name = "ADDRESS", required_unless_present = "list")]
    pub addresses: Vec<Pattern>,
    /// How long, such as `10h` or `2d`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration,
          required_unless_present_any = ["list", "release"])]
    pub time: Option<Duration>,
    /// Why; plans and reports say it
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "release"])]
    pub reason: Option<String>,
    /// Holds only this attribute; may be given several times
    #[arg(long = "attribute", value_name = "NAME")]
    pub attributes: Vec<String>,
    /// Lists what is held
    #[arg(long, conflicts_with_all = ["addresses", "time", "reason", "attributes", "release"])]
    pub list: bool,
    /// Ends the holds on these resources
    #[arg(long, conflicts_with_all = ["time", "reason", "attributes"])]
    pub release: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Holds, lists or releases.
///
/// # Errors
/// When there is no such resource or attribute, or the state cannot be read or written.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { addresses, time, reason, attributes, list, release, lock } = arguments;
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    if list {
        self::list(&session)?;
        return Ok(Exit::Done);
    }
    let operation = if release { "hold -release" } else { "hold" };
    let taken = session.lock(operation, &lock).await?;
    let loaded = session.read_locked(&taken)?;
    session::refuse_open(operation, &loaded)?;
    let mut state = session::state_of(context, loaded.state);
    let said = match (release, time, reason) {
        (false, Some(time), Some(reason)) => {
            let wish = Wish { addresses, time, reason, attributes };
            hold(&session, &mut state, wish)?
        }
        _ => self::release(&mut state, &addresses)?,
    };
    taken.write(&mut state)?;
    context.ui.result(&said);
    Ok(Exit::Done)
}

/// What is to be held.
struct Wish {
    addresses: Vec<Pattern>,
    time: Duration,
    reason: String,
    attributes: Vec<String>,
}

fn hold(session: &Session<'_>, state: &mut State, wish: Wish) -> Result<String, Error> {
    let Wish { addresses, time, reason, attributes } = wish;
    let refused = |message: &str| Error::new(Kind::Usage, message);
    if reason.trim().is_empty() {
        return Err(refused("there is no reason").hint("say why with `-reason`"));
    }
    if reason.trim().contains(char::is_control) {
        return Err(refused("the reason has more than one line, or a control character")
            .hint("say why in one line"));
    }
    if time.is_zero() {
        return Err(refused("a hold of no time holds nothing").hint("say how long with `-for`"));
    }
    let meant: BTreeSet<Address> = owned(state, &addresses)?.into_iter().collect();
    let attributes = known_attributes(&meant, &attributes, "held")?;
    let now = session.context.world.now();
    let expires_at = end(now, time)?;
    let who = session::lock_request(session.context, "hold");
    let mut holds = readable(state)?;
    // The newest word on the same thing counts.
    holds.retain(|it| !is_of(it, &meant) || it.attributes != attributes);
    holds.extend(meant.iter().map(|address| Hold {
        kind: HoldKind::Hold,
        name: address.to_string(),
        targets: [address.clone()].into(),
        attributes: attributes.clone(),
        reason: reason.trim().to_owned(),
        expires_at,
        made: Some(Made { by: who.who.clone(), host: who.host.clone(), at: now }),
        other: BTreeMap::new(),
    }));
    state.hold(&holds);
    let of = match attributes.is_empty() {
        true => String::new(),
        false => {
            let names: Vec<_> = attributes.iter().map(|it| format!("`{it}`")).collect();
            format!("{} of ", names.join(", "))
        }
    };
    let lines: Vec<_> =
        meant.iter().map(|it| format!("Held {of}`{it}` until {expires_at}.")).collect();
    Ok(lines.join("\n"))
}

fn release(state: &mut State, patterns: &[Pattern]) -> Result<String, Error> {
    let holds = readable(state)?;
    let by_command = || holds.iter().filter(|it| it.made.is_some());
    let mut released = BTreeSet::new();
    for pattern in patterns {
        let targets = by_command().flat_map(|it| &it.targets);
        let meant: Vec<_> = targets.filter(|it| names(state, pattern, it)).cloned().collect();
        if meant.is_empty() {
            return Err(not_held(state, pattern, &holds));
        }
        released.extend(meant);
    }
    let kept = holds.iter().filter(|it| !is_of(it, &released));
    let kept: Vec<_> = kept.cloned().collect();
    state.hold(&kept);
    let lines: Vec<_> = released.iter().map(|it| format!("Released `{it}`.")).collect();
    Ok(lines.join("\n"))
}

/// Returns whether a resource is named, by itself or by what it is on.
fn names(state: &State, pattern: &Pattern, address: &Address) -> bool {
    let record = state.resources.get(address);
    pattern.matches(address, record.and_then(|it| it.backend.as_ref()))
}

fn not_held(state: &State, pattern: &Pattern, holds: &[Hold]) -> Error {
    let in_block = holds.iter().find(|it| {
        it.kind == HoldKind::Hold
            && it.made.is_none()
            && it.targets.iter().any(|it| names(state, pattern, it))
    });
    let error = Error::new(Kind::Failed, format!("nothing that `{pattern}` names is held"));
    match in_block {
        Some(hold) => error.hint(format!(
            "the block `hold \"{}\"` of the configuration holds it; remove it there, and apply",
            hold.name
        )),
        None => error.hint("`wgform hold -list` lists what is held"),
    }
}

fn list(session: &Session<'_>) -> Result<(), Error> {
    let loaded = session.read()?;
    let state = session::state_of(session.context, loaded.state);
    let holds = readable(&state)?;
    let text = match holds.is_empty() {
        true => "Nothing is held.".to_owned(),
        false => render::hold::list(&holds, session.context.world.now()),
    };
    session.context.ui.result(text.trim_end());
    Ok(())
}

fn readable(state: &State) -> Result<Vec<Hold>, Error> {
    state.held().map_err(|why| {
        Error::new(Kind::Failed, "the state has a hold that this version of wgform cannot read")
            .because(why)
            .hint("use the version of wgform that wrote it")
    })
}

/// Returns whether a hold was made by this command for a resource.
/// Returns whether a command made it, for one of these.
fn is_of(hold: &Hold, addresses: &BTreeSet<Address>) -> bool {
    hold.made.is_some() && hold.targets.iter().any(|it| addresses.contains(it))
}

fn end(now: Timestamp, time: Duration) -> Result<Timestamp, Error> {
    let end = SignedDuration::try_from(time).ok().and_then(|it| now.checked_add(it).ok());
    // A whole second is easier to read, and nobody counts less.
    let end = end.and_then(|it| Timestamp::from_second(it.as_second()).ok());
    end.ok_or_else(|| {
        Error::new(Kind::Usage, "the time given with `-for` is too long")
            .hint("write it as `10h` or `2d`")
    })
}

/// Checks that what was chosen has attributes of these names.
pub(crate) fn known_attributes(
    addresses: &BTreeSet<Address>,
    names: &[String],
    done: &str,
) -> Result<BTreeSet<String>, Error> {
    let kinds: BTreeSet<ResourceKind> = addresses.iter().map(|it| it.kind).collect();
    let all = || kinds.iter().flat_map(|kind| declaration::attributes(*kind)).map(|it| it.name);
    for name in names {
        if !all().any(|it| it == name) {
            let message = format!("there is no attribute `{name}` of what is to be {done}");
            let error = Error::new(Kind::Failed, message);
            return Err(match suggestion(name, all()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`wgform schema -markdown` says what attributes there are"),
            });
        }
    }
    Ok(names.iter().cloned().collect())
}
