//! Saved plans: what `plan -out=FILE`, `apply FILE` and `show FILE` have in common.
//!
//! `apply FILE` makes the plan again, with the options and for the time of the saved one, and carries it out if it says
//! the same. What it takes from the file is what was asked for; what is written comes from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::command::Context;
use crate::command::approval::Approval;
use crate::command::arguments::{Lock, Pace, VariableSource, Variables};
use crate::command::run::{self, Request};
use crate::command::session::{self, Choice, Chosen, Needs, Session, place};
use crate::config::{Config, Evaluator, OnDrift};
use crate::diagnostic::Diagnostic;
use crate::error::{Error, Exit, Kind};
use crate::plan::saved::{Circumstances, Digest, Intent, Opened, Saved, differences};
use crate::plan::{Limits, Options, Plan, Subject, saved};
use crate::render;
use crate::render::plan::Purpose;
use crate::seal::Sealing;
use crate::source::{self, VariableArgument};
use crate::state::State;
use crate::store::plan_file;
use crate::ui::Input;

/// So many ids of applied plans are remembered. The serial of the state tells older ones.
const REMEMBERED: usize = 100;

/// What `apply FILE` is told beside the file.
pub(crate) struct FromFile {
    pub(crate) path: PathBuf,
    pub(crate) variables: Variables,
    /// Which kinds of changes may be in it.
    pub(crate) approval: Approval,
    /// Drift is undone although a guard refuses to.
    pub(crate) heal: bool,
    pub(crate) expect: Option<Digest>,
    pub(crate) pace: Pace,
    pub(crate) lock: Lock,
}

/// Says the digest of a plan, and refuses one that is not the expected one.
pub(crate) fn check_digest(
    context: &Context,
    plan: &Plan,
    is_first: bool,
    expected: Option<Digest>,
) -> Result<(), Error> {
    let digest = saved::digest(plan, is_first);
    context.ui.digest(&digest.to_string());
    if expected.is_some() || !plan.is_empty() {
        context.ui.result(&format!("Digest: {digest}"));
    }
    expect(&digest.to_string(), expected)
}

fn expect(digest: &str, expected: Option<Digest>) -> Result<(), Error> {
    match expected.filter(|it| it.to_string() != digest) {
        None => Ok(()),
        Some(expected) => {
            let message = format!("this is not the plan with the digest {expected}");
            Err(Error::new(Kind::Stale, message)
                .because(format!("its digest is {digest}"))
                .hint("review this plan, and go on with its digest"))
        }
    }
}

/// Saves a plan, and says what to do with it.
pub(crate) fn save(
    session: &Session<'_>,
    plan: &Plan,
    options: Options,
    is_first: bool,
    path: &Path,
) -> Result<(), Error> {
    let saved = Saved::of(plan, circumstances(session, options, is_first));
    let bytes = saved.to_bytes(&plan.state.fingerprint_key);
    let sealed = session.store.sealing().seal_plan(&bytes).map_err(|why| {
        Error::new(Kind::Failed, "could not seal the plan")
            .because(why.to_string())
            .hint(why.hint())
    })?;
    let context = session.context;
    let directory = &context.world.directory;
    context.ui.outfiles().write(&plan_file::SAVED, path, directory, &sealed)?;
    let keeping = match session.store.sealing().seals() {
        true => "The file is sealed, as the state is.",
        false => "The file names addresses and endpoints, so keep it as you keep the state.",
    };
    let shown = path.display();
    // The path is relative to the directory that was named.
    let directory = match &*context.prefix {
        "" => String::new(),
        prefix => format!(" -chdir={prefix}"),
    };
    let is_refused = plan.has_drift() && session.guard.on_drift == Some(OnDrift::Refuse);
    let heal = if is_refused { " -heal" } else { "" };
    let mut text = format!(
        "\nSaved the plan as `{shown}`. To carry out exactly this:\n\n  wgform{directory} apply{heal} {shown}\n\n{keeping}"
    );
    if !plan.unreachable.is_empty() {
        let ids: Vec<_> = plan.unreachable.keys().map(|id| format!("`{id}`")).collect();
        text += &format!(
            "\nIts apply leaves out {} as well, also if it can be reached by then.",
            ids.join(", ")
        );
    }
    session.context.ui.result(&text);
    Ok(())
}

fn circumstances(session: &Session<'_>, options: Options, is_first: bool) -> Circumstances {
    Circumstances {
        plan_id: session.context.world.new_id(),
        planned_at: session.evaluator.planned_at(),
        options,
        is_first,
        files: session.config.files().seen(),
        variables: session.evaluator.values_of_variables(),
    }
}

/// Reads a saved plan.
pub(crate) fn open(context: &Context, path: &Path) -> Result<Opened, Error> {
    let bytes = plan_file::read(&context.world.path(path))?;
    let message = format!("could not read the plan file `{}`", path.display());
    let opened = match Sealing::is_sealed(&bytes) {
        true => place::sealing_at_hand(context)?.open(&bytes).map_err(|why| {
            let hint = match why.is_of_document() {
                true => "Nothing was done. Fetch the file again from where it was kept, or make it again with `wgform plan -out=FILE`.",
                false => why.hint(),
            };
            Error::new(Kind::Failed, message.clone()).because(why.to_string()).hint(hint)
        })?,
        false => bytes.as_slice().into(),
    };
    Opened::from_bytes(&opened).map_err(|error| {
        Error::new(Kind::Failed, message).because(error.to_string()).hint(error.hint())
    })
}

/// Shows a saved plan.
pub(crate) fn show(context: &Context, path: &Path, as_json: bool) -> Result<Exit, Error> {
    let Opened { saved, wgform_version, .. } = open(context, path)?;
    if as_json {
        let mut plan = saved.plan();
        if let Some(state) = state_behind(context, &saved) {
            plan.state = state;
        }
        context.ui.result(&render::json::plan::plan(&plan, Some(&saved.digest)).text());
        return Ok(Exit::Done);
    }
    let from = match saved.is_first {
        true => "before there was a state".to_owned(),
        false => format!("from serial {} of the state {}", saved.serial, saved.lineage),
    };
    // A plan need not be signed, so that anybody may have written its version.
    context.ui.talk(&format!(
        "Made at {:.0} for `wgform {}`, {from}, by wgform {}.\n",
        saved.planned_at,
        saved.intent.as_str(),
        session::in_line(&wgform_version)
    ));
    let paint = context.ui.result_paint();
    context.ui.result(&render::plan::plan(&saved.plan(), purpose(saved.intent), paint));
    context.ui.result(&format!("Digest: {}", session::in_line(&saved.digest)));
    Ok(Exit::Done)
}

/// Returns the state that a plan was made from, if it is at hand: it knows what the plan leaves as it is. A plan can be
/// shown without it too, where there is neither its configuration nor its state.
fn state_behind(context: &Context, saved: &Saved) -> Option<State> {
    let config = session::configuration(context, &Variables::default()).ok()?;
    let session = Session::open(context, &config, Needs::Settings).ok()?;
    let state = session.store.read().ok()?.state?;
    (state.lineage == saved.lineage && state.serial == saved.serial).then_some(state)
}

fn purpose(intent: Intent) -> Purpose {
    match intent {
        Intent::Apply | Intent::Destroy => Purpose::Apply,
        Intent::RefreshOnly => Purpose::RefreshOnly,
    }
}

/// Carries out a saved plan, if it is still what would be planned.
pub(crate) async fn apply(told: FromFile, context: &Context) -> Result<Exit, Error> {
    let opened = open(context, &told.path)?;
    check_version(&opened)?;
    let planned = &opened.saved;
    check_environment(context, planned)?;
    let config = configuration(context, planned, &told)?;
    check_store(context, planned, &told, &config.0)?;
    let needs = Needs::unless(planned.intent == Intent::Destroy);
    let left_out = planned.unreachable.iter().map(|(id, it)| (id.clone(), it.why.clone()));
    let session = Session::open_at(context, &config, needs, Some(planned.planned_at))?
        .at_pace(&told.pace)
        .leaving_out(left_out.collect());
    let request = request(planned, &told);
    let lock = session.lock(request.operation, &request.lock).await?;
    let loaded = session.read_locked(&lock)?;
    let state = state_for(context, &opened, loaded.state.clone())?;
    if planned.intent == Intent::RefreshOnly {
        session::refuse_open("apply -refresh-only", &loaded)?;
    }
    let guard = session.guard.clone();
    let limits = Limits { guard, ..planned.options.limits.clone().unwrap_or_default() };
    let chosen = Chosen::exactly(Options {
        limits: Some(limits),
        // Whoever planned may not have been shown the value that there is.
        new_secrets: planned.new_secrets(),
        ..planned.options.clone()
    });
    let ui = &context.ui;
    ui.digest(&planned.digest);
    if !ui.is_stream() {
        ui.talk(&format!("Carrying out the plan that was made at {:.0}.\n", planned.planned_at));
    }
    if planned.intent == Intent::RefreshOnly {
        let world = session.look(&state, true).await?;
        let plan = session.plan(state, loaded.open, &world, chosen).map_err(no_longer)?;
        let plan = checked(&session, &opened, plan, &request, told.expect)?;
        ui.planned(&plan, Purpose::RefreshOnly);
        ui.result(&render::plan::conclusion(&plan, Purpose::RefreshOnly, ui.result_paint()));
        return run::record(&session, plan, &lock);
    }
    let world = session.look_and_hold(&state).await?;
    let plan = session.plan(state, loaded.open, &world, chosen).map_err(no_longer)?;
    let plan = checked(&session, &opened, plan, &request, told.expect)?;
    ui.planned(&plan, Purpose::Apply);
    ui.result(&render::plan::conclusion(&plan, Purpose::Apply, ui.result_paint()));
    run::carry_out(&session, plan, &world, &lock, &request).await
}

/// Plans are made by the rules of one version, and checked by them.
fn check_version(opened: &Opened) -> Result<(), Error> {
    let (theirs, ours) = (&opened.wgform_version, env!("CARGO_PKG_VERSION"));
    if theirs == ours {
        return Ok(());
    }
    let message = format!("the plan was made by wgform {theirs}, and this is wgform {ours}");
    Err(Error::new(Kind::Stale, message)
        .hint("apply it with the version that made it, or plan again with this one"))
}

/// A plan is for the workspace that it was made in, also where there is no state yet.
fn check_environment(context: &Context, planned: &Saved) -> Result<(), Error> {
    let (theirs, ours) = (&planned.environment, context.world.workspace());
    if theirs == ours {
        return Ok(());
    }
    let message =
        format!("the plan was made in the workspace `{theirs}`, and this run is in `{ours}`");
    Err(Error::new(Kind::Stale, message)
        .hint(format!("if it is meant for that one, add `-workspace={theirs}`")))
}

/// Refuses to ask another store than the one that the configuration names by itself. What the values in a plan file are
/// worth is known when its signature was looked at, and the key for that is in the store.
fn check_store(
    context: &Context,
    planned: &Saved,
    told: &FromFile,
    config: &Config,
) -> Result<(), Error> {
    if planned.variables.is_empty() {
        return Ok(());
    }
    let settings = |config: &Config| Evaluator::new(config, &context.world).settings();
    let with_values = settings(config).map_err(Error::diagnostics)?;
    let (alone, _) = session::configuration(context, &told.variables)?;
    let is_same = settings(&alone).is_ok_and(|alone| alone.is_at_the_place_of(&with_values));
    if is_same {
        return Ok(());
    }
    let message = "where the state is depends on a value that only the plan file has";
    Err(Error::new(Kind::Failed, message)
        .because("whoever changed the file could name another place")
        .hint("give the variables of the `state` block their values here too: in the environment, with `-var-file`, or in a file `*.auto.wgvars.hcl`"))
}

/// What an apply of a saved plan is told: whoever made the plan said yes to what it shows.
fn request(planned: &Saved, told: &FromFile) -> Request {
    Request {
        operation: if planned.intent == Intent::Destroy { "destroy" } else { "apply" },
        options: planned.options.clone(),
        choice: Choice::default(),
        lock: told.lock.clone(),
        input: Input::Off,
        auto_approve: match &told.approval {
            Approval::Asked => Approval::All,
            approval => approval.clone(),
        },
        heal: told.heal,
        skip_unreachable: true,
        expect: None,
    }
}

/// Reads the configuration with the values that the plan was made with. Those of sensitive variables are asked for where
/// they were asked for then.
fn configuration(
    context: &Context,
    planned: &Saved,
    told: &FromFile,
) -> Result<(Config, Vec<Diagnostic>), Error> {
    for source in &told.variables.0 {
        if let VariableSource::Assignment { name, value: _ } = source
            && planned.variables.contains_key(name)
        {
            let message = format!("`-var {name}=…` cannot be used with a plan file");
            return Err(Error::new(Kind::Usage, message)
                .because("the plan was made with a value of that variable, and holds it")
                .hint(
                    "plan again with another value; only sensitive variables are asked for anew",
                ));
        }
    }
    let arguments: Vec<VariableArgument> = told.variables.0.iter().map(session::argument).collect();
    let mut sources = source::read(&context.world, &arguments)?;
    let name = told.path.display().to_string();
    sources.variables.push(source::values(&name, values(&planned.variables)));
    let (config, problems) = Config::parse(sources);
    let differing = saved::files_differ(
        &of_configuration(&planned.configuration),
        &of_configuration(&saved::told(config.files().seen(), None)),
    );
    if !differing.is_empty() {
        return Err(stale("the configuration is not the one that was planned", &differing));
    }
    // One that is sensitive may be what lets a writer in, and was not asked for by a reader; what else it decides shows in
    // the plan.
    let is_known = |it: &&str| planned.variables.contains_key(*it) || config.is_sensitive(it);
    if let Some(name) = config.given().find(|it| !is_known(it)) {
        let message = format!("the variable `{name}` has a value now, and had none for the plan");
        return Err(Error::new(Kind::Stale, message)
            .because("its default was planned with")
            .hint("take the value away, or plan again with it"));
    }
    let mut missing = planned.sensitive_variables.iter().filter(|it| !config.is_given(it));
    match missing.next() {
        None => Ok((config, problems)),
        Some(name) => {
            let message = format!("the sensitive variable `{name}` has no value");
            Err(Error::new(Kind::Failed, message)
                .because("the plan was made with one, which is not in the plan file")
                .hint(format!(
                    "give it the same one, with `-var {name}=…`, in the environment as `WGFORM_VAR_{name}`, or with `-var-file`"
                )))
        }
    }
}

/// Files that expressions read are looked at when they have been read.
fn of_configuration(files: &BTreeMap<String, Option<String>>) -> BTreeMap<String, Option<String>> {
    let is_ours = |(name, _): &(&String, &Option<String>)| name.ends_with(".wg.hcl");
    files.iter().filter(is_ours).map(|(name, told)| (name.clone(), told.clone())).collect()
}

/// Returns the state that the plan was made from, or a new one under the lineage of a first plan. Its key is made now:
/// one that lay in a file could sign others.
fn state_for(context: &Context, opened: &Opened, state: Option<State>) -> Result<State, Error> {
    let planned = &opened.saved;
    let stale = |why: String| {
        Err(Error::new(Kind::Stale, why).hint("plan again with `wgform plan -out=FILE`"))
    };
    let Some(state) = state else {
        return match planned.is_first {
            true => Ok(State { lineage: planned.lineage, ..State::new(&context.world) }),
            false => stale(format!(
                "the state that the plan was made from, {}, is not here",
                planned.lineage
            )),
        };
    };
    if state.applied_plans.contains(&planned.plan_id.to_string()) {
        return stale("this plan was applied already".to_owned());
    }
    if planned.is_first {
        return stale(
            "the plan was made before there was a state, and now there is one".to_owned(),
        );
    }
    if state.lineage != planned.lineage {
        let (theirs, ours) = (planned.lineage, state.lineage);
        return stale(format!("the plan was made from another state: {theirs} instead of {ours}"));
    }
    if !opened.is_signed_with(&state.fingerprint_key) {
        let message = "the plan file was changed after it was made";
        return Err(Error::new(Kind::Failed, message)
            .because("its signature was not made with the key of the state")
            .hint("find out who changed it, and plan again"));
    }
    if state.serial < planned.serial {
        let (theirs, ours) = (planned.serial, state.serial);
        let why = format!(
            "the state is older than the plan: it has serial {ours}, and the plan was made from serial {theirs}"
        );
        return Err(Error::new(Kind::Stale, why).hint(
            "somebody may have put back an old copy: `wgform state history` lists what there is",
        ));
    }
    if state.serial != planned.serial {
        let (theirs, ours) = (planned.serial, state.serial);
        return stale(format!(
            "the state has changed since the plan was made: from serial {theirs} to {ours}"
        ));
    }
    Ok(state)
}

/// Says that there is no plan any more where there was one.
fn no_longer(error: Error) -> Error {
    match error.kind() {
        Kind::Refused => error,
        _ => Error::new(Kind::Stale, "the plan can no longer be made")
            .because("something is in its way that was not there when it was made")
            .and(error),
    }
}

/// Returns the plan with its id in its state, if it is the saved one.
fn checked(
    session: &Session<'_>,
    opened: &Opened,
    mut plan: Plan,
    request: &Request,
    expected: Option<Digest>,
) -> Result<Plan, Error> {
    let planned = &opened.saved;
    refuse_unreachable(&plan, planned)?;
    if let Some(refusal) = session::refusal(&plan) {
        return Err(refusal);
    }
    let now = Saved::of(&plan, circumstances(session, planned.options.clone(), planned.is_first));
    let (differing, unseen) = differences(planned, &now);
    if !differing.is_empty() {
        return Err(stale("what was planned is no longer what would be done", &differing));
    }
    run::permit(&plan, request)?;
    if planned.intent == Intent::Apply && session.guard.on_drift == Some(OnDrift::Refuse) {
        run::judge_drift(session, &plan, request)?;
    }
    say_unseen(session.context, &unseen);
    if planned.digest != now.digest {
        return Err(stale("the digest in the plan file is not the one of its plan", &[]));
    }
    expect(&now.digest, expected)?;
    if !plan.is_empty() || plan.state_differs {
        let applied = &mut plan.state.applied_plans;
        applied.push(planned.plan_id.to_string());
        let surplus = applied.len().saturating_sub(REMEMBERED);
        applied.drain(..surplus);
        plan.state_differs = true;
    }
    Ok(plan)
}

/// What could be read then has to be read now; what could not is left out again.
fn refuse_unreachable(plan: &Plan, planned: &Saved) -> Result<(), Error> {
    let new = plan.unreachable.iter().filter(|(id, _)| !planned.unreachable.contains_key(*id));
    let errors = new.map(|(id, (why, _))| {
        let message = format!("backend `{id}` could not be read, so nothing is changed");
        let error = Error::new(Kind::Unreachable, message).because(why.reason.clone());
        why.hints
            .iter()
            .fold(error, |error, hint| error.hint(hint.clone()))
            .hint("the plan is still good: apply it when the backend can be reached")
    });
    match errors.reduce(Error::and) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Says what is done besides: whoever made the plan may not have been allowed to see it.
fn say_unseen(context: &Context, unseen: &[Subject]) {
    if unseen.is_empty() {
        return;
    }
    let names: BTreeSet<String> = unseen.iter().map(ToString::to_string).collect();
    let names: Vec<_> = names.into_iter().collect();
    context.ui.warn(&format!(
        "the pre-shared key was changed outside of wgform, and is put back with the rest: {}",
        names.join(", ")
    ));
}

fn stale(message: &str, differing: &[saved::Difference]) -> Error {
    Error::new(Kind::Stale, message)
        .because(render::stale::differences(differing))
        .hint("nothing was done; plan again with `wgform plan -out=FILE`, and review that plan")
}

/// Writes values as a file of them does.
fn values(variables: &BTreeMap<String, Json>) -> String {
    variables.iter().map(|(name, value)| format!("{name} = {}\n", hcl(value))).collect()
}

fn hcl(json: &Json) -> String {
    match json {
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(hcl).collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) => {
            let items = map.iter().map(|(key, value)| format!("{} = {}", quoted(key), hcl(value)));
            format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => json.to_string(),
    }
}

/// Writes a text so that HCL reads it as it is: nothing in it is a template.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => quoted.extend([c, c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::command::saved::hcl;

    #[test]
    fn values_are_written_so_that_nothing_in_them_is_a_template() {
        assert_eq!(
            hcl(&json!({"a b": ["${x}", "%{if}", "$", "q\"\\\n\u{1}"], "n": null, "i": 3})),
            r#"{ "a b" = ["$${x}", "%%{if}", "$", "q\"\\\n\u0001"], "i" = 3, "n" = null }"#
        );
    }
}
