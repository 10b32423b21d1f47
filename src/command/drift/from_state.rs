//! `wgform drift -from-state`: what was last applied against what is there, for a cron that holds no more than the right to
//! read.

#![expect(clippy::disallowed_methods, reason = "it looks whether there is a state")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::actual::{Actual, Reading};
use crate::backend::{BackendError, Read, Write};
use crate::command::Context;
use crate::command::arguments::{Pace, Selection, Variables};
use crate::command::drift::told;
use crate::command::metrics::Recorder;
use crate::command::session::reach::Addresses;
use crate::command::session::{self, Programs, place};
use crate::command::watch::Watch;
use crate::config::{BackendDeclaration, Evaluator};
use crate::diagnostic::Diagnostic;
use crate::drift::Report;
use crate::error::{Error, Exit, Kind};
use crate::plan::{self, Inputs, Options};
use crate::refresh::refresh;
use crate::resource::{Address, BackendId, Pattern};
use crate::state::State;
use crate::store::{Loaded, Store};

/// Where the state is when nothing says so.
const STATE_PATH: &str = "wgform.state.json";

/// The state that is all there is, and how far it is believed.
pub(super) struct Source {
    /// The state file that the command line names.
    pub(super) state: Option<PathBuf>,
    /// What becomes of the programs that the state names.
    pub(super) programs: Programs,
}

pub(super) async fn run(
    context: &Context,
    recorder: &mut Recorder,
    source: Source,
    selection: Selection,
    pace: &Pace,
) -> Result<Exit, Error> {
    let Source { state, programs } = source;
    let store = match state {
        Some(path) => place::kept(context, named(context, context.world.path(path))?)?,
        None => store(context)?,
    };
    let loaded = store.read()?;
    recorder.see(&store, &loaded, context.world.now());
    session::say_busy(context, &loaded);
    let Loaded { state, open, .. } = loaded;
    let Some(state) = state else {
        let message = format!("there is no state at {}", store.place());
        return Err(Error::new(Kind::Failed, message)
            .because("with `-from-state`, the state is all that there is to compare with")
            .hint("say where it is with `-state=FILE`, or run `wgform apply` first"));
    };
    let options = chosen(&state, selection)?;
    let (declarations, actual) = look(context, &state, programs, pace).await?;
    recorder.see_backends(&actual);
    let backends = declarations
        .iter()
        .map(|(id, it)| (id.clone(), session::view(it, &Addresses::default())))
        .collect();
    let planned_at = context.world.now();
    let inputs = Inputs { state, open, actual: &actual, backends, options, planned_at };
    let plan = plan::from_state(inputs).map_err(|why| {
        Error::new(Kind::Failed, "the state holds something back that this version cannot read")
            .because(why)
            .hint("use the version of wgform that wrote the state")
    })?;
    context.ui.diagnostics(&plan.warnings);
    told(context, recorder, &Report::new(plan, &actual))
}

/// Returns a state file that the command line names.
fn named(context: &Context, path: PathBuf) -> Result<Store, Error> {
    let sealing = place::sealing_at_hand(context)?;
    Ok(place::sealed(context, Store::new(path), sealing))
}

/// Returns where the state is: what the configuration says, where there is one and no variable is needed for it.
fn store(context: &Context) -> Result<Store, Error> {
    let default = context.world.path(STATE_PATH);
    let Ok((config, _)) = session::configuration(context, &Variables::default()) else {
        return named(context, default);
    };
    let evaluator = Evaluator::new(&config, &context.world);
    match evaluator.settings() {
        Ok(settings) => place::store(context, &settings),
        // A `wgform` block that cannot be read says nothing.
        Err(problems) if problems.is_empty() && default.exists() => named(context, default),
        Err(problems) => Err(Error::diagnostics(without_variables(problems)).and(
            Error::new(Kind::Failed, "the configuration does not say where the state is")
                .hint("say it with `-state=FILE`: `-from-state` takes no variables"),
        )),
    }
}

/// Leaves out the advice to set a variable, which cannot be followed here.
fn without_variables(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let can_be_followed = |help: &String| !help.contains("`-var ");
    let mend = |it: Diagnostic| Diagnostic { help: it.help.filter(can_be_followed), ..it };
    problems.into_iter().map(mend).collect()
}

/// Finds out which part is meant: exactly what is named, because nothing says what belongs to it.
fn chosen(state: &State, selection: Selection) -> Result<Options, Error> {
    let Selection { targets, is_exact: _, excludes } = selection;
    let owned = |patterns: &[Pattern]| -> Result<Vec<Address>, Error> {
        if patterns.is_empty() { Ok(Vec::new()) } else { session::owned(state, patterns) }
    };
    let (targets, excludes) = (owned(&targets)?, owned(&excludes)?);
    Ok(Options { targets, excludes, ..Options::default() })
}

/// Asks the backends that something of the state is on, as the state says that they are reached.
async fn look(
    context: &Context,
    state: &State,
    programs: Programs,
    pace: &Pace,
) -> Result<(BTreeMap<BackendId, BackendDeclaration>, Actual), Error> {
    let in_use = state.backends_in_use();
    let recorded = state.backends.iter().filter(|(id, _)| in_use.contains(id));
    let mut declarations = BTreeMap::new();
    let mut actual = Actual::default();
    for (id, record) in recorded {
        match session::remembered_with(id, record, &context.world, programs) {
            Ok(declared) => _ = declarations.insert(id.clone(), declared),
            Err(why) => _ = actual.backends.insert(id.clone(), Reading::Unreachable(why)),
        }
    }
    let mut readers: Vec<Box<dyn Read>> = Vec::new();
    let watch = Watch::begin(context, &declarations, true);
    for (id, declaration) in &declarations {
        match context.connect(declaration) {
            Ok(backend) => {
                let backend: Box<dyn Write> = backend;
                readers.push(backend);
            }
            Err(error) => {
                let error: BackendError = error;
                let reading = Reading::Unreachable(error.into());
                watch.answered(id, &reading);
                actual.backends.insert(id.clone(), reading);
            }
        }
    }
    let readers: Vec<&dyn Read> = readers.iter().map(|it| &**it).collect();
    let asked = |id: &BackendId| watch.asked(id);
    let answered = |id: &BackendId, reading: &Reading| watch.answered(id, reading);
    let interest = plan::recorded_interest(state);
    let asking = refresh(&readers, &interest, pace.parallelism, &asked, &answered);
    actual.backends.extend(context.watched(asking).await.backends);
    watch.end(&actual);
    Ok((declarations, actual))
}
