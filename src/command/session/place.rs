//! Which store holds the state: by the `state` block, and by the workspace.

use std::path::PathBuf;
use std::sync::Arc;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session;
use crate::config::{EncryptionDeclaration, Evaluator, Settings, StateDeclaration};
use crate::diagnostic::Diagnostic;
use crate::error::{Error, Kind};
use crate::seal::{self, Sealing, WrongKey};
use crate::store::Store;
use crate::store::device::directory;
use crate::store::remote::{self, Arguments, in_workspace};
use crate::value::Secret;

/// As long as a name may be that is a part of the names of files.
const LONGEST: usize = 64;

/// Returns the store of a configuration.
pub(crate) fn store(context: &Context, settings: &Settings) -> Result<Store, Error> {
    check_workspace(context)?;
    let store = match &settings.state {
        Some(declared) => afar(context, declared)?,
        None => local(context, settings),
    };
    kept(context, sealed(context, store, sealing(context, settings.encryption.as_ref())?))
}

/// Seals and opens what a store holds.
pub(crate) fn sealed(context: &Context, store: Store, sealing: Sealing) -> Store {
    let ui = context.ui.clone();
    store.sealed_by(sealing, &context.world.directory, Arc::new(move |text: &str| ui.warn(text)))
}

/// Returns how an `encryption` block says that things are sealed; without one, how the environment does.
pub(crate) fn sealing(
    context: &Context,
    declared: Option<&EncryptionDeclaration>,
) -> Result<Sealing, Error> {
    let mut settings = seal::Settings {
        environment: Arguments::of(&context.world).environment,
        ..seal::Settings::default()
    };
    if let Some(declared) = declared.cloned() {
        let EncryptionDeclaration { span: _, recipients, identity_file, sealed, spans: _ } =
            declared;
        settings = seal::Settings {
            is_declared: true,
            recipients,
            identity_file,
            sealed,
            environment: settings.environment,
        };
    }
    let ui = context.ui.clone();
    let warn = Arc::new(move |text: &str| ui.warn(text));
    Sealing::new(settings, &context.world.directory, warn).map_err(|wrong| refused(declared, wrong))
}

/// Returns how things are sealed where a file is to be opened before the configuration is needed for anything else: as it
/// says, if it can be read, and as the environment does if not.
pub(crate) fn sealing_at_hand(context: &Context) -> Result<Sealing, Error> {
    let config = session::configuration(context, &Variables::default()).ok();
    let settings =
        config.and_then(|(config, _)| Evaluator::new(&config, &context.world).settings().ok());
    sealing(context, settings.and_then(|it| it.encryption).as_ref())
}

/// Returns what is wrong with an `encryption` block by itself. No identity and no variable of the environment is asked for:
/// whoever only looks at a configuration has none.
pub(crate) fn encryption_problems(declared: &EncryptionDeclaration) -> Vec<Diagnostic> {
    let recipients = declared.recipients.as_deref().unwrap_or_default();
    let wrong = seal::wrong_recipients(recipients);
    wrong.into_iter().map(|it| invalid(declared, it.argument, it.why, it.hint)).collect()
}

fn invalid(
    declared: &EncryptionDeclaration,
    argument: &str,
    why: String,
    hint: &str,
) -> Diagnostic {
    let at = declared.spans.get(argument).unwrap_or(&declared.span);
    Diagnostic::error("invalid encryption").label(at, why).help(hint)
}

fn refused(declared: Option<&EncryptionDeclaration>, wrong: WrongKey) -> Error {
    let WrongKey { argument, variable, why, hint } = wrong;
    match (variable, declared) {
        (None, Some(declared)) => Error::diagnostics(vec![invalid(declared, argument, why, hint)]),
        (Some(variable), _) => {
            Error::new(Kind::Failed, format!("`{variable}` cannot be used")).because(why).hint(hint)
        }
        (None, None) => Error::new(Kind::Failed, why).hint(hint),
    }
}

/// Returns a store whose names are no longer for the files that the run writes for its user.
pub(crate) fn kept(context: &Context, store: Store) -> Result<Store, Error> {
    context.ui.outfiles().keep(store.names())?;
    Ok(store)
}

/// Refuses a workspace that is no name: it becomes a part of the names of files and of addresses.
fn check_workspace(context: &Context) -> Result<(), Error> {
    let name = context.world.workspace();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.len() <= LONGEST && name.chars().all(is_plain) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("`{name}` is no name of a workspace"))
        .hint("use letters, digits, `-` and `_`, 64 of them at the most"))
}

fn local(context: &Context, settings: &Settings) -> Store {
    let world = &context.world;
    let path = settings.state_path.to_string_lossy();
    let path = in_workspace(&path, world.workspace());
    let history: PathBuf = [".wgform", "history", &path.replace('/', "%2F")].iter().collect();
    Store::with_history(world.path(&path), world.path(history)).locking_devices_in(devices(context))
}

/// Returns where the state files of this user lock devices: one place, whatever the directory of the configuration, and the
/// same for a shell as for a job that runs at night.
fn devices(context: &Context) -> Option<PathBuf> {
    let named = |name: &str| {
        let path = context.world.variable(name).map(PathBuf::from);
        // Anything else would be another place for each directory.
        path.filter(|it| it.is_absolute())
    };
    directory(named("XDG_STATE_HOME"), named("HOME"))
}

fn afar(context: &Context, declared: &StateDeclaration) -> Result<Store, Error> {
    let StateDeclaration { kind, span, texts, maps, spans } = declared;
    let mut arguments = Arguments::of(&context.world);
    let owned = |(name, value): (&&str, &Secret)| ((*name).to_owned(), value.clone());
    arguments.texts = texts.iter().map(owned).collect();
    arguments.maps = maps.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect();
    let make = remote::open(kind, &arguments).map_err(|wrong| {
        let at = spans.get(wrong.argument.as_str()).unwrap_or(span);
        let problem = Diagnostic::error("invalid store").label(at, wrong.why);
        Error::diagnostics(vec![problem.help(format!(
            "See docs/remote-state.md for what a `state \"{kind}\"` takes, from the block or from the environment."
        ))])
    })?;
    let ui = context.ui.clone();
    let warn = Arc::new(move |text: &str| ui.warn(text));
    let world = &context.world;
    Ok(Store::afar(make, &world.directory, world.workspace(), warn)?)
}
