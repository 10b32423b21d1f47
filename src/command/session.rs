//! What the commands that look at backends have in common: the configuration, the state, the backends, the plan.

mod choice;
mod devices;
mod giving_back;
mod lint;
pub(crate) mod place;
pub(crate) mod reach;
mod secrets;
mod transport;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use jiff::Timestamp;

use crate::actual::{Actual, Interest, Picture, Reading, Unreachable};
use crate::backend::{BackendError, Read, Write};
use crate::command::Context;
use crate::command::arguments::{self, Belief, Limiting, Pace, Scope, VariableSource, Variables};
use crate::command::session::reach::Addresses;
use crate::command::watch::Watch;
use crate::config::{BackendDeclaration, Config, Evaluator, Guard, Transport};
use crate::diagnostic::{Diagnostic, Severity};
use crate::error::{Error, Kind};
use crate::event::{Event, Holder};
use crate::plan::{self, BackendView, Inputs, Limits, NoPlan, NotAdopted, Options, Plan, Refusal};
use crate::refresh::refresh;
use crate::resource::{self, BackendId, BackendKind};
use crate::source::{self, VariableArgument};
use crate::state::{BackendRecord, State, StateChange};
use crate::store::{Loaded, Lock, LockInfo, LockRequest, Store};

use crate::command::session::giving_back::GivingBack;
use crate::ui::Interrupt;

pub(crate) use crate::command::session::choice::{Choice, Chosen, owned};

/// How much of a configuration a command needs to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Where the state is, and how backends are reached.
    Settings,
    /// Everything.
    All,
    /// Everything, and what is allowed and seldom meant is worth a warning.
    Linted,
}

impl Needs {
    /// Whoever destroys everything asks for no resource of the configuration.
    pub(crate) fn unless(destroy: bool) -> Self {
        if destroy { Self::Settings } else { Self::Linted }
    }
}

/// Reads the configuration, and returns it with what is wrong with it before anything is evaluated.
pub(crate) fn configuration(
    context: &Context,
    variables: &Variables,
) -> Result<(Config, Vec<Diagnostic>), Error> {
    let arguments: Vec<VariableArgument> = variables.0.iter().map(argument).collect();
    Ok(Config::parse(source::read(&context.world, &arguments)?))
}

/// Checks what a command needs of the configuration, and returns the warnings; errors end the run.
pub(crate) fn check(
    context: &Context,
    config: &Config,
    evaluator: &Evaluator<'_>,
    parsed: Vec<Diagnostic>,
    needs: Needs,
) -> Result<Vec<Diagnostic>, Error> {
    let mut problems = match needs {
        Needs::Settings => evaluator.settings_problems(parsed),
        Needs::All | Needs::Linted => evaluator.problems(parsed),
    };
    if needs == Needs::Linted && !has_error(&problems) {
        problems.extend(crate::lint::look(config, evaluator, context.world.now()));
    }
    if has_error(&problems) {
        return Err(Error::diagnostics(problems));
    }
    Ok(problems)
}

fn has_error(problems: &[Diagnostic]) -> bool {
    problems.iter().any(|it| it.severity == Severity::Error)
}

/// Takes what a command line says of variables.
pub(crate) fn argument(source: &VariableSource) -> VariableArgument {
    match source {
        VariableSource::Assignment { name, value } => {
            VariableArgument::Value { name: name.clone(), value: value.expose().to_owned() }
        }
        VariableSource::File(path) => VariableArgument::File(path.clone()),
    }
}

/// A configuration that is ready to be planned.
pub(crate) struct Session<'c> {
    pub(crate) context: &'c Context,
    pub(crate) config: &'c Config,
    pub(crate) evaluator: Evaluator<'c>,
    pub(crate) store: Store,
    /// How many backends are talked to at once.
    pub(crate) at_once: NonZeroUsize,
    declared: Vec<BackendDeclaration>,
    /// What a plan may not do without being told.
    pub(crate) guard: Guard,
    /// What was shown of the configuration, where lint was asked for.
    linted: Option<Vec<Diagnostic>>,
    /// Gives the lock back when the process is told to end.
    giving_back: GivingBack,
    /// Whether only a saved plan may be applied.
    pub(crate) requires_plan_file: bool,
    /// Backends that are left out, and why.
    left_out: BTreeMap<BackendId, Unreachable>,
}

/// What was found out about the world.
pub(crate) struct World<B: ?Sized> {
    /// Which backends there are, by the configuration or by the state.
    pub(crate) declarations: BTreeMap<BackendId, BackendDeclaration>,
    /// Those that could be connected to.
    pub(crate) backends: BTreeMap<BackendId, Box<B>>,
    /// What they said.
    pub(crate) actual: Actual,
    /// What the names stand for under which they are reached.
    addresses: Addresses,
}

impl<'c> Session<'c> {
    /// Checks what the command needs of the configuration, shows its warnings, and evaluates what has to be known before
    /// anything is read.
    pub(crate) fn open(
        context: &'c Context,
        config: &'c (Config, Vec<Diagnostic>),
        needs: Needs,
    ) -> Result<Self, Error> {
        Self::open_at(context, config, needs, None)
    }

    /// Does the same for a time that is given.
    pub(crate) fn open_at(
        context: &'c Context,
        (config, parsed): &'c (Config, Vec<Diagnostic>),
        needs: Needs,
        planned_at: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let evaluator = Evaluator::new(config, &context.world);
        planned_at.into_iter().for_each(|it| evaluator.plan_for(it));
        let warnings = check(context, config, &evaluator, parsed.clone(), needs)?;
        context.ui.diagnostics(&warnings);
        let linted = (needs == Needs::Linted).then_some(warnings);
        let settings = evaluator.settings().map_err(Error::diagnostics)?;
        let declared = evaluator.backends().map_err(Error::diagnostics)?;
        let store = place::store(context, &settings)?;
        Ok(Self {
            context,
            config,
            evaluator,
            store,
            at_once: Pace::DEFAULT,
            declared,
            linted,
            requires_plan_file: settings.require_plan_file,
            left_out: BTreeMap::new(),
            guard: settings.guard,
            giving_back: GivingBack::default(),
        })
    }

    /// Returns what a plan that is to be applied may not do.
    pub(crate) fn limits(&self, limiting: &Limiting) -> Option<Limits> {
        Some(Limits {
            guard: self.guard.clone(),
            max_destroy: limiting.max_destroy,
            allow_lockout: limiting.lockouts.iter().cloned().collect(),
        })
    }

    /// Talks to as many backends at once as the command line says.
    pub(crate) fn at_pace(self, pace: &Pace) -> Self {
        Self { at_once: pace.parallelism, ..self }
    }

    /// Asks these backends for nothing, as if they could not be reached.
    pub(crate) fn leaving_out(self, left_out: BTreeMap<BackendId, Unreachable>) -> Self {
        Self { left_out, ..self }
    }

    /// Reads the state without the lock, for a command that changes nothing.
    pub(crate) fn read(&self) -> Result<Loaded, Error> {
        let loaded = self.store.read()?;
        self.check_environment(loaded.state.as_ref())?;
        say_busy(self.context, &loaded);
        self.say_plain();
        Ok(loaded)
    }

    /// Takes the lock.
    pub(crate) async fn lock(&self, operation: &str, how: &arguments::Lock) -> Result<Lock, Error> {
        self.lock_of(&self.store, operation, how).await
    }

    /// Takes the lock of a store.
    pub(crate) async fn lock_of(
        &self,
        store: &Store,
        operation: &str,
        how: &arguments::Lock,
    ) -> Result<Lock, Error> {
        let request = lock_request(self.context, operation);
        if !how.is_taken {
            return Ok(store.without_lock(request)?);
        }
        let mut waiting = |held: &crate::store::Held| {
            self.context.tell(&awaited(held, None));
        };
        // Before it is asked for: the answer may come after the process was told to end.
        if let Some(give_back) = store.give_back() {
            self.giving_back.stand(self.context, give_back)?;
        }
        Ok(store.lock(request, how.timeout, &mut waiting).await?)
    }

    /// Starts to listen for Ctrl-C: from here on it asks an apply to stop.
    pub(crate) fn interrupt(&self) -> Result<Interrupt, Error> {
        let interrupt = self.context.interrupt()?;
        self.giving_back.rest();
        Ok(interrupt)
    }

    /// Refuses a state of another workspace than the one of this run.
    pub(crate) fn check_environment(&self, state: Option<&State>) -> Result<(), Error> {
        let workspace = self.context.world.workspace();
        let Some(other) = state.filter(|it| it.environment != workspace) else { return Ok(()) };
        let message = format!(
            "this is the state of the workspace `{}`, and this run is in `{workspace}`",
            other.environment
        );
        Err(Error::new(Kind::Failed, message).hint(format!(
            "say `-workspace={}`, or set another place for the state",
            other.environment
        )))
    }

    /// Reads the state under the lock.
    pub(crate) fn read_locked(&self, lock: &Lock) -> Result<Loaded, Error> {
        let loaded = lock.read()?;
        self.check_environment(loaded.state.as_ref())?;
        say_left_over(self.context, &loaded);
        self.say_plain();
        Ok(loaded)
    }

    /// Says once that the state is stored in the open, and will not be.
    fn say_plain(&self) {
        if self.store.sealing().take_plain() {
            self.context.ui.talk(
                "The state is stored in the open so far, and the next write seals it; `wgform state reseal` does that now. \
                 Copies of earlier writes stay as they are.\n",
            );
        }
    }

    /// Connects to the backends for reading, and asks them.
    pub(crate) async fn look(
        &self,
        state: &State,
        is_refreshed: bool,
    ) -> Result<World<dyn Read>, Error> {
        let connect = |declaration: &BackendDeclaration| -> Result<Box<dyn Read>, BackendError> {
            let backend: Box<dyn Write> = self.context.connect(declaration)?;
            Ok(backend)
        };
        self.ask(state, is_refreshed, connect, |backend| backend).await
    }

    /// Connects to the backends for writing, and asks them.
    pub(crate) async fn look_and_hold(&self, state: &State) -> Result<World<dyn Write>, Error> {
        let to_write = self.evaluator.backends_to_write().map_err(Error::diagnostics)?;
        let connect = |declaration: &BackendDeclaration| {
            let writer = to_write.iter().find(|it| it.id == declaration.id);
            self.context.connect(writer.unwrap_or(declaration))
        };
        self.ask(state, true, connect, |backend| backend as &dyn Read).await
    }

    async fn ask<B: ?Sized>(
        &self,
        state: &State,
        is_refreshed: bool,
        connect: impl Fn(&BackendDeclaration) -> Result<Box<B>, BackendError>,
        as_read: impl Fn(&B) -> &dyn Read,
    ) -> Result<World<B>, Error> {
        let declarations = self.declarations(state)?;
        let mut backends: BTreeMap<BackendId, Box<B>> = BTreeMap::new();
        let mut actual = Actual::default();
        let watch = Watch::begin(self.context, &declarations, is_refreshed);
        for (id, declaration) in &declarations {
            if let Some(why) = self.left_out.get(id) {
                actual.backends.insert(id.clone(), Reading::Unreachable(why.clone()));
                continue;
            }
            match connect(declaration) {
                Ok(backend) => _ = backends.insert(id.clone(), backend),
                Err(error) => {
                    let reading = Reading::Unreachable(error.into());
                    watch.answered(id, &reading);
                    actual.backends.insert(id.clone(), reading);
                }
            }
        }
        // What somebody else manages is in no state.
        let looked_at = self.evaluator.data_backends();
        let is_read = |id: &BackendId| is_refreshed || looked_at.contains(id);
        if backends.keys().any(is_read) {
            let interest = plan::interest(&self.evaluator, state);
            let to_read = backends.iter().filter(|(id, _)| is_read(id));
            let to_read: Vec<&dyn Read> = to_read.map(|(_, backend)| as_read(backend)).collect();
            let asked = |id: &BackendId| watch.asked(id);
            let answered = |id: &BackendId, reading: &Reading| watch.answered(id, reading);
            let refresh = refresh(&to_read, &interest, self.at_once, &asked, &answered);
            actual.backends.extend(self.context.watched(refresh).await.backends);
        }
        if is_refreshed {
            let readers = backends.iter().map(|(id, it)| (id.clone(), as_read(it))).collect();
            let compare = self.compare_secrets(state, &readers, &mut actual);
            self.context.watched(compare).await;
        }
        let addresses = self.resolve(&declarations, &actual).await;
        watch.end(&actual);
        Ok(World { declarations, backends, actual, addresses })
    }

    /// Reads one backend.
    pub(crate) async fn picture(
        &self,
        declaration: &BackendDeclaration,
        interest: Interest,
    ) -> Result<Picture, Error> {
        let declarations = BTreeMap::from([(declaration.id.clone(), declaration.clone())]);
        let watch = Watch::begin(self.context, &declarations, true);
        let backend: Box<dyn Write> = self.context.connect(declaration)?;
        let backend: &dyn Read = &*backend;
        let interests = BTreeMap::from([(declaration.id.clone(), interest)]);
        let asked = |id: &BackendId| watch.asked(id);
        let answered = |id: &BackendId, reading: &Reading| watch.answered(id, reading);
        let readers = [backend];
        let refresh = refresh(&readers, &interests, self.at_once, &asked, &answered);
        let mut actual = self.context.watched(refresh).await;
        watch.end(&actual);
        match actual.backends.remove(&declaration.id) {
            Some(Reading::Read(picture)) => Ok(*picture),
            Some(Reading::Unreachable(Unreachable { reason, hints })) => {
                let message = format!("could not read backend `{}`", declaration.id);
                let error = Error::new(Kind::Unreachable, message).because(reason);
                Err(hints.into_iter().fold(error, Error::hint))
            }
            None => unreachable!("whoever is asked answers"),
        }
    }

    /// Returns the declared backends that something may live on, and those that only the state knows.
    fn declarations(
        &self,
        state: &State,
    ) -> Result<BTreeMap<BackendId, BackendDeclaration>, Error> {
        let mut declarations = self.every_declaration(state)?;
        let in_use = state.backends_in_use();
        for implicit in self.declared.iter().filter(|it| it.span.is_none()) {
            // This host needs rights that not everybody has; it is asked only when it matters.
            let is_asked = !self.evaluator.resources().is_empty() || self.config.has_data();
            if !is_asked && !in_use.contains(&implicit.id) {
                declarations.remove(&implicit.id);
            }
        }
        Ok(declarations)
    }

    /// Returns whether the configuration has a backend, be it only that it names no other.
    pub(crate) fn declares(&self, id: &BackendId) -> bool {
        self.declared.iter().any(|it| it.id == *id)
    }

    /// Returns all declared backends, and those that only the state knows.
    pub(crate) fn every_declaration(
        &self,
        state: &State,
    ) -> Result<BTreeMap<BackendId, BackendDeclaration>, Error> {
        let in_use = state.backends_in_use();
        let declared = self.declared.iter().map(|it| (it.id.clone(), it.clone()));
        let mut declarations: BTreeMap<_, _> = declared.collect();
        for (id, record) in &state.backends {
            if in_use.contains(id) && !declarations.contains_key(id) {
                declarations.insert(id.clone(), remembered(id, record)?);
            }
        }
        Ok(declarations)
    }

    /// Makes a plan.
    pub(crate) fn plan<B: ?Sized>(
        &self,
        state: State,
        open: Vec<StateChange>,
        world: &World<B>,
        Chosen { options, replaced }: Chosen,
    ) -> Result<Plan, Error> {
        let inputs = self.inputs(state, open, world, options);
        let mut plan = plan::plan(self.config, &self.evaluator, inputs).map_err(no_plan)?;
        choice::check_is_replaced(&plan, &replaced)?;
        plan.warnings.extend(self.lint(&plan)?);
        self.context.ui.diagnostics(&plan.warnings);
        Ok(plan)
    }

    /// Makes a plan of another configuration in the same world, without a word.
    pub(crate) fn plan_of<B: ?Sized>(
        &self,
        (config, evaluator): (&Config, &Evaluator<'_>),
        state: State,
        open: Vec<StateChange>,
        world: &World<B>,
    ) -> Result<Plan, Error> {
        let inputs = self.inputs(state, open, world, Options::default());
        plan::plan(config, evaluator, inputs).map_err(no_plan)
    }

    /// Takes an object that is there into the state.
    pub(crate) fn adopt<B: ?Sized>(
        &self,
        state: State,
        open: Vec<StateChange>,
        world: &World<B>,
        address: &resource::Address,
        id: &str,
    ) -> Result<State, Error> {
        let inputs = self.inputs(state, open, world, Options::default());
        plan::adopt(self.config, &self.evaluator, inputs, address, id).map_err(
            |error| match error {
                NotAdopted::Configuration(problems) => Error::diagnostics(problems),
                NotAdopted::Refused(refusal) => not_imported(Kind::Failed, &refusal),
                NotAdopted::Guarded(refusal) => not_imported(Kind::Refused, &refusal),
                NotAdopted::Unread(refusal) => not_imported(Kind::Unreachable, &refusal),
            },
        )
    }

    fn inputs<'a, B: ?Sized>(
        &self,
        state: State,
        open: Vec<StateChange>,
        world: &'a World<B>,
        options: Options,
    ) -> Inputs<'a> {
        let views = world.declarations.iter();
        let views = views.map(|(id, it)| (id.clone(), view(it, &world.addresses)));
        let backends = views.collect();
        let options = Options { max_vanished: self.guard.max_vanished, ..options };
        let planned_at = self.evaluator.planned_at();
        Inputs { state, open, actual: &world.actual, backends, options, planned_at }
    }
}

/// Refuses to change the state while the end of an earlier apply is not known.
pub(crate) fn refuse_open(operation: &str, loaded: &Loaded) -> Result<(), Error> {
    if loaded.open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "could not do `{operation}`: an apply was cut off, with {} still to be looked up",
        crate::render::count(loaded.open.len(), "step")
    );
    Err(Error::new(Kind::Failed, message).hint("run `wgform apply` first, which looks them up"))
}

fn not_imported(kind: Kind, refusal: &Refusal) -> Error {
    let new = Error::new(kind, format!("could not import: {}", refusal.message));
    refusal.hints.iter().fold(new, |error, hint| error.hint(hint.clone()))
}

/// Returns the state, or a new one.
pub(crate) fn state_of(context: &Context, state: Option<State>) -> State {
    state.unwrap_or_else(|| State::new(&context.world))
}

/// Says who takes the lock, and for what.
pub(crate) fn lock_request(context: &Context, operation: &str) -> LockRequest {
    let world = &context.world;
    let user = world.variable("SUDO_USER").or_else(|| world.variable("USER")).unwrap_or("somebody");
    LockRequest {
        id: world.new_id(),
        operation: operation.to_owned(),
        who: user.to_owned(),
        host: host_name(),
        pid: rustix::process::getpid().as_raw_nonzero().get().unsigned_abs(),
        now: world.now(),
    }
}

/// Returns what this host calls itself.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The options of a plan that the command line says, but for what it [chooses](Choice).
pub(crate) fn options(scope: &Scope, belief: &Belief, destroy: bool) -> Options {
    Options {
        destroy,
        without_refresh: !scope.refresh,
        accept_new_device: belief.new_devices.iter().cloned().collect(),
        accept_loss: belief.losses.iter().cloned().collect(),
        ..Options::default()
    }
}

/// Says in one error why a plan may not be applied; nothing when it may.
pub(crate) fn refusal(plan: &Plan) -> Option<Error> {
    plan.refusals.iter().map(refused).reduce(Error::and)
}

fn refused(refusal: &Refusal) -> Error {
    let error = Error::new(Kind::Refused, refusal.message.clone());
    refusal.hints.iter().fold(error, |error, hint| error.hint(hint.clone()))
}

fn no_plan(NoPlan { problems, refusals }: NoPlan) -> Error {
    refusals.iter().map(refused).fold(Error::diagnostics(problems), Error::and)
}

pub(crate) fn view(declaration: &BackendDeclaration, addresses: &Addresses) -> BackendView {
    let firewall = match &declaration.transport {
        Transport::PfSense(firewall) => Some(firewall),
        Transport::Local { .. } | Transport::Ssh { .. } | Transport::RouterOs(_) => None,
    };
    BackendView {
        kind: declaration.kind,
        display_name: declaration.display_name.clone(),
        simulated: declaration.simulate,
        transport: transport::recorded(&declaration.transport),
        manage_service: firewall.is_some_and(|it| it.manage_service),
        read_only: firewall.is_some_and(|it| it.read_only),
        reach: reach::reach(declaration, addresses),
    }
}

/// Reaches a backend whose block is gone the way it was reached last, so that what is left on it can be removed.
fn remembered(id: &BackendId, record: &BackendRecord) -> Result<BackendDeclaration, Error> {
    let kind = BackendKind::from_label(&record.kind).ok_or_else(|| {
        let message =
            format!("the state has objects on backend `{id}` of the kind `{}`", record.kind);
        Error::new(Kind::Failed, message)
            .because("this version of wgform does not know that kind")
            .hint("use the version of wgform that made them")
    })?;
    let nothing = transport::Given::default();
    let transport = transport::remembered(kind, record.simulated, &record.transport, &nothing)
        .ok_or_else(|| {
            let message = format!("the state does not say how backend `{id}` is reached");
            Error::new(Kind::Failed, message)
                .hint("declare the backend again, as it was when its objects were made")
        })?;
    Ok(as_recorded(id, kind, record, transport))
}

/// What becomes of the programs that a state names where there is no configuration that names them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Programs {
    /// They are asked for the credentials that they know.
    Run,
    /// None is run: whoever may write the state may not choose what runs here.
    Refused,
}

/// Reaches a backend as the state says, with the credentials that the environment gives for it.
pub(crate) fn remembered_with(
    id: &BackendId,
    record: &BackendRecord,
    world: &crate::world::World,
    programs: Programs,
) -> Result<BackendDeclaration, Unreachable> {
    let Some(kind) = BackendKind::from_label(&record.kind) else {
        let reason = format!("this version of wgform does not know the kind `{}`", record.kind);
        return Err(Unreachable { reason, hints: Vec::new() });
    };
    let given = transport::Given::of(id, world);
    match transport::remembered(kind, record.simulated, &record.transport, &given) {
        Some(transport) if programs == Programs::Refused && transport::asks(&transport) => {
            Err(Unreachable {
                reason: "the state names a program that knows its credentials, and none is run because a state says so"
                    .to_owned(),
                hints: vec![
                    given.hint(kind, &record.transport),
                    "where nobody else can write the state, say `-run-commands`".to_owned(),
                ],
            })
        }
        Some(transport) => Ok(as_recorded(id, kind, record, transport)),
        None if kind == BackendKind::Linux => Err(Unreachable {
            reason: "the state does not say how it is reached".to_owned(),
            hints: vec!["declare it as it is reached, and run `wgform apply`".to_owned()],
        }),
        None => Err(Unreachable {
            reason: "there are no credentials for it".to_owned(),
            hints: vec![given.hint(kind, &record.transport)],
        }),
    }
}

fn as_recorded(
    id: &BackendId,
    kind: BackendKind,
    record: &BackendRecord,
    transport: Transport,
) -> BackendDeclaration {
    BackendDeclaration {
        id: id.clone(),
        kind,
        display_name: None,
        simulate: record.simulated,
        transport,
        reached_through: None,
        span: None,
        is_reader: false,
    }
}

/// Says that somebody is at work, or that somebody was cut off.
pub(crate) fn say_busy(context: &Context, loaded: &Loaded) {
    if let Some(busy) = &loaded.busy {
        context.ui.warn(&format!(
            "{} by {} on {} is running; what is shown here may change under its hands.",
            with_article(&in_line(&busy.operation)),
            in_line(&busy.who),
            in_line(&busy.host)
        ));
    }
    say_left_over(context, loaded);
}

fn say_left_over(context: &Context, loaded: &Loaded) {
    let Some(left_over) = &loaded.left_over else { return };
    if let Some(host) = left_over.host.as_deref().map(in_line) {
        return context.ui.warn(&format!(
            "an apply that began at {} on {host} was cut off, and what it did is not on record here: its {} are looked up now.",
            left_over.began_at,
            crate::render::count(left_over.unknown, "step")
        ));
    }
    context.ui.warn(&format!(
        "an apply that began at {} was cut off: {} of its steps were done, and {} are looked up now.",
        left_over.began_at, left_over.done, left_over.unknown
    ));
}

/// Tells that somebody else holds a lock: that of a device, or that of the state.
pub(crate) fn awaited(held: &crate::store::Held, device: Option<&str>) -> Event {
    let holder = held.info.clone().map(|info| {
        let LockInfo { id, operation, who, host, pid, since, wgform_version } = info;
        let [id, operation, who, host, wgform_version] =
            [id, operation, who, host, wgform_version].map(|it| in_line(&it));
        Holder { id, operation, who, host, pid, since: since.to_string(), wgform_version }
    });
    let of = device.map(|device| format!("\n  device:    {device}")).unwrap_or_default();
    Event::LockAwaited { said: of + &held.describe(), holder, device: device.map(str::to_owned) }
}

/// Shows a word that somebody else wrote within a line of ours.
pub(crate) fn in_line(text: &str) -> String {
    crate::render::printable(text).replace('\n', " ")
}

fn with_article(operation: &str) -> String {
    let article = if operation.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {operation}")
}
