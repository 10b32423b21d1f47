//! `wgform import -all`: a configuration of what is on a backend.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::actual::Interest;
use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::config::suggest::suggestion;
use crate::config::{AllUnknown, BackendDeclaration, Desired, Transport};
use crate::draft::{Draft, Form, Question, draft};
use crate::error::{Error, Exit, Kind};
use crate::render::{count, printable};
use crate::resource::{Address, BackendId};
use crate::source::edit;
use crate::state::State;

/// What is wanted.
pub(super) struct Wish {
    /// Of which backend, as it is written.
    pub(super) backend: String,
    /// The file; none for standard output.
    pub(super) out: Option<PathBuf>,
    pub(super) form: Form,
}

/// Writes a configuration of what is on a backend and has no owner.
pub(super) async fn run(
    context: &Context,
    variables: &Variables,
    wish: &Wish,
) -> Result<Exit, Error> {
    let Wish { backend, out, form } = wish;
    if let Some(path) = out {
        edit::check_free(&context.world, path)?;
    }
    let config = session::configuration(context, variables)?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let loaded = session.read()?;
    session::refuse_open("import -all", &loaded)?;
    let state = session::state_of(context, loaded.state);
    let declaration = backend_of(&session, &state, backend)?;
    let picture = session.picture(&declaration, interest(&state, &declaration)).await?;
    let settings = session.evaluator.settings().map_err(Error::diagnostics)?;
    let declared: BTreeSet<Address> = session.evaluator.resources().iter().cloned().collect();
    // What is wrong with a resource is said when it is planned.
    let desired = declared.iter().map(|it| session.evaluator.resource(it, &AllUnknown));
    let desired: Vec<Desired> = desired.filter_map(Result::ok).collect();
    let draft = draft(&Question {
        backend: &declaration.id,
        is_default: settings.default_backend.as_ref() == Some(&declaration.id),
        picture: &picture,
        state: &state,
        desired: &desired,
        declared: &declared,
        locals: &session.config.locals().map(str::to_owned).collect(),
        form: *form,
    });
    say_left_alone(context, &draft);
    give(context, &draft, &declaration.id, out.as_ref())
}

/// Finds the backend that is meant: `backend.hq`, or `hq`.
fn backend_of(
    session: &Session<'_>,
    state: &State,
    written: &str,
) -> Result<BackendDeclaration, Error> {
    let name = written.strip_prefix("backend.").unwrap_or(written);
    let mut declarations = session.every_declaration(state)?;
    if let Some(declaration) = declarations.remove(&BackendId::new(name))
        && session.declares(&declaration.id)
    {
        return Ok(declaration);
    }
    let error = Error::new(Kind::Failed, format!("there is no backend `{name}`"));
    Err(match suggestion(name, declarations.keys().map(BackendId::as_str)) {
        Some(near) => error.hint(format!("did you mean `backend.{near}`?")),
        None => error.hint("`wgform backend list` says which there are"),
    })
}

/// Everything that a draft could say is looked at.
fn interest(state: &State, declaration: &BackendDeclaration) -> Interest {
    let recorded = crate::plan::recorded_interest(state).remove(&declaration.id);
    let is_in_namespace = match &declaration.transport {
        Transport::Local { netns, .. } | Transport::Ssh { netns, .. } => netns.is_some(),
        Transport::RouterOs(_) | Transport::PfSense(_) => false,
    };
    Interest {
        name_servers: !is_in_namespace,
        boot: !is_in_namespace,
        interface_lists: true,
        ..recorded.unwrap_or_default()
    }
}

fn say_left_alone(context: &Context, draft: &Draft) {
    let ui = &context.ui;
    if draft.owned > 0 {
        let has = if draft.owned == 1 { "has" } else { "have" };
        ui.talk(&format!("{} {has} an owner already.", count(draft.owned, "object")));
    }
    if draft.left_alone.is_empty() {
        return;
    }
    let mut text = "Left alone:\n".to_owned();
    for it in &draft.left_alone {
        let line = format!("{}: {}", it.what, it.why).replace(['\n', '\r'], " ");
        text += &format!("  {}\n", printable(&line));
    }
    ui.talk(&text);
}

fn give(
    context: &Context,
    draft: &Draft,
    backend: &BackendId,
    out: Option<&PathBuf>,
) -> Result<Exit, Error> {
    if draft.text.is_empty() {
        context.ui.talk(&format!("There is nothing to take over on backend `{backend}`."));
        return Ok(Exit::Done);
    }
    let Some(path) = out else {
        context.ui.result(draft.text.trim_end());
        return Ok(Exit::Done);
    };
    edit::make(&context.world, path, &draft.text)?;
    let (name, is_read) = (path.display(), path.to_string_lossy().ends_with(".wg.hcl"));
    let next = match is_read {
        true => "`wgform plan` shows what an apply takes over.",
        false => "A configuration is read from files that end in `.wg.hcl`.",
    };
    context.ui.result(&format!(
        "Wrote {} and {} into `{name}`. {next}",
        count(draft.interfaces, "interface"),
        count(draft.peers, "peer"),
    ));
    Ok(Exit::Done)
}
