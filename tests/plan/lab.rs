//! A laboratory: a configuration, hosts and a state of its own, which a test changes one thing of.

#![expect(clippy::disallowed_methods, reason = "the tests look at the files of a run")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wgform::actual::Actual;
use wgform::apply::{self, Tools};
use wgform::backend::linux::Linux;
use wgform::backend::{Read, Stop, Write};
use wgform::config::{BackendDeclaration, Config, Driver, Evaluator, Transport};
use wgform::diagnostic::{Diagnostic, Severity, SourceText};
use wgform::drift::{Finding, Report};
use wgform::event::Event;
use wgform::plan::{
    self, BackendView, Inputs, NotAdopted, Options, Plan, PlannedAct, Refusal, Subject, interest,
};
use wgform::refresh::refresh;
use wgform::render::Paint;
use wgform::render::plan::Purpose;
use wgform::resource::{Address, BackendId, BackendKind};
use wgform::simulator::linux::SimulatedLinux;
use wgform::source::{Files, Sources};
use wgform::state::State;
use wgform::store::{Lock, LockRequest, Store};
use wgform::world::World;

use crate::backend::{Crash, Traits, Watch, Wayward};
use crate::host::Host;
use crate::lint::lint;
use crate::names::{Names, public_key};

/// 2026-07-01T12:00:00Z.
const START_MS: i64 = 1_782_907_200_000;

/// Those whose keys come from no configuration.
const STRANGERS: [&str; 5] = ["stranger", "friend", "intruder", "foreign", "old"];

/// Everything that a plan is made from.
pub struct Lab {
    text: String,
    directory: TempDir,
    world: World,
    now: Arc<AtomicI64>,
    /// By how many milliseconds the clock goes on each time somebody looks.
    tick: Arc<AtomicI64>,
    hosts: RefCell<BTreeMap<BackendId, SimulatedLinux>>,
    traits: BTreeMap<BackendId, Traits>,
    names: RefCell<Names>,
    pub options: Options,
    /// How many hosts are talked to at once.
    pub parallelism: NonZeroUsize,
}

/// What is wrong with a configuration, as text.
type Problems = String;

impl Lab {
    /// Starts with a configuration, empty hosts and no state.
    pub fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(START_MS));
        let tick = Arc::new(AtomicI64::new(0));
        let (clock, step) = (now.clone(), tick.clone());
        let time = move || {
            let passed = clock.fetch_add(step.load(Ordering::SeqCst), Ordering::SeqCst);
            Timestamp::from_millisecond(passed).unwrap()
        };
        let draws = AtomicU64::new(0);
        let chance = move |bytes: &mut [u8]| {
            for chunk in bytes.chunks_mut(32) {
                let draw = draws.fetch_add(1, Ordering::SeqCst);
                let random = Sha256::digest(format!("draw {draw}"));
                chunk.copy_from_slice(&random[..chunk.len()]);
            }
        };
        let mut names = Names::default();
        for name in STRANGERS {
            names.public(&public_key(name), name);
        }
        let world = World::new(BTreeMap::new(), directory.path().to_owned(), time, chance);
        Self {
            text: text.to_owned(),
            directory,
            world,
            now,
            tick,
            hosts: RefCell::default(),
            traits: BTreeMap::new(),
            names: RefCell::new(names),
            options: Options::default(),
            parallelism: NonZeroUsize::MIN,
        }
    }

    /// Starts with a configuration that was applied.
    pub fn matching(text: &str) -> Self {
        let lab = Self::new(text);
        lab.settle();
        lab
    }

    /// Applies, and makes sure that nothing is left to do.
    pub fn settle(&self) {
        let report = self.apply();
        assert!(report.contains("Apply complete."), "{report}");
        self.assert_settled();
    }

    pub fn assert_settled(&self) {
        let after = self.plan();
        assert!(self.look(Plan::is_empty), "not settled:\n{after}");
    }

    /// Replaces a part of the configuration that occurs once.
    pub fn edit(&mut self, from: &str, to: &str) -> &mut Self {
        assert_eq!(self.text.matches(from).count(), 1, "`{from}` in:\n{}", self.text);
        self.text = self.text.replace(from, to);
        self
    }

    pub fn append(&mut self, text: &str) -> &mut Self {
        self.text += text;
        self
    }

    pub fn replace(&mut self, text: &str) -> &mut Self {
        text.clone_into(&mut self.text);
        self
    }

    /// Removes a block by the line that it starts with.
    pub fn remove_block(&mut self, head: &str) -> &mut Self {
        let start = self.text.find(head).unwrap_or_else(|| panic!("no `{head}`"));
        let end = start + self.text[start..].find("\n}").unwrap() + 2;
        self.text.replace_range(start..end, "");
        self
    }

    pub fn host(&self, id: &str) -> Host {
        let id = BackendId::new(id);
        let now = Timestamp::from_millisecond(self.now.load(Ordering::SeqCst)).unwrap();
        Host { linux: self.linux(&id), now }
    }

    pub fn traits(&mut self, id: &str) -> &mut Traits {
        self.traits.entry(BackendId::new(id)).or_default()
    }

    /// Says everything that is on a host.
    pub fn show(&self, id: &str) -> String {
        self.learn_names();
        self.shorten(&self.host(id).show())
    }

    pub fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Lets the clock go on by itself from now on.
    pub fn let_time_pass(&self) {
        self.tick.store(60, Ordering::SeqCst);
    }

    pub fn stop_time(&self) {
        self.tick.store(0, Ordering::SeqCst);
    }

    fn linux(&self, id: &BackendId) -> SimulatedLinux {
        let mut hosts = self.hosts.borrow_mut();
        let seed = id.as_str().bytes().map(u64::from).sum();
        let start = Timestamp::from_millisecond(START_MS - 86_400_000).unwrap();
        hosts.entry(id.clone()).or_insert_with(|| SimulatedLinux::in_memory(seed, start)).clone()
    }

    /// Gives every key on every host a name, and takes every secret to heart.
    fn learn_names(&self) {
        let mut names = self.names.borrow_mut();
        for (id, host) in self.hosts.borrow().iter() {
            for name in host.links().keys() {
                let Ok(device) = host.device(name) else { continue };
                if let Some(key) = &device.private_key {
                    names.private(key, Some(&format!("{name}@{id}")));
                }
                for peer in device.peers.values() {
                    peer.preshared_key.iter().for_each(|it| _ = names.preshared(it));
                }
            }
        }
    }

    fn shorten(&self, text: &str) -> String {
        self.names.borrow().shorten(text)
    }
}

/// Looking and planning.
impl Lab {
    /// Returns the text of a plan, or what is wrong, with the refusals at the end.
    pub fn plan(&self) -> String {
        let only = self.options.refresh_only;
        self.shown(if only { Purpose::RefreshOnly } else { Purpose::Apply })
    }

    /// Returns what `drift` would say.
    pub fn drift(&self) -> String {
        let shown = self.with_plan(|plan, _, actual| {
            let report = Report::new(plan, actual);
            let text = wgform::render::drift::report(&report, Paint::PLAIN);
            self.told(&report.plan, text)
        });
        match shown {
            Ok(text) | Err(text) => text,
        }
    }

    fn shown(&self, purpose: Purpose) -> String {
        match self.with_plan(|plan, _, _| self.text_of(&plan, purpose)) {
            Ok(text) | Err(text) => text,
        }
    }

    /// Returns what counts as drift, by the configuration and by the state alone.
    pub fn findings(&self) -> [Vec<Finding>; 2] {
        let found = self.with_look(|looked| {
            let Looked { config, evaluator, inputs, .. } = looked;
            let actual = inputs.actual;
            let alone = Inputs {
                state: inputs.state.clone(),
                open: inputs.open.clone(),
                actual,
                backends: inputs.backends.clone(),
                options: Options::default(),
                planned_at: inputs.planned_at,
            };
            let plan = plan::plan(config, evaluator, inputs);
            let plan = plan.map_err(|it| self.problems(&it.problems))?;
            let plans = [plan, plan::from_state(alone).unwrap()];
            Ok(plans.map(|plan| {
                let mut all = Report::new(plan, actual).findings();
                all.retain(|it| it.class.is_drift());
                all.sort_by(|a, b| (a.class, &a.subject).cmp(&(b.class, &b.subject)));
                all
            }))
        });
        found.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Returns the steps of a plan in their order, one a line.
    pub fn steps(&self) -> String {
        let text = self.with_plan(|plan, _, _| steps(&plan));
        self.shorten(&text.unwrap_or_else(|problems| problems))
    }

    /// Looks at a plan as data.
    pub fn look<T>(&self, look: impl FnOnce(&Plan) -> T) -> T {
        self.with_plan(|plan, _, _| look(&plan)).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn text_of(&self, plan: &Plan, purpose: Purpose) -> String {
        self.told(plan, wgform::render::plan::plan(plan, purpose, Paint::PLAIN))
    }

    fn told(&self, plan: &Plan, mut text: String) -> String {
        for refusal in &plan.refusals {
            text += &refused(refusal);
        }
        // Next to no test is about that, and it would be in all of them.
        let is_reboot = |it: &&Diagnostic| it.summary == "interfaces that do not survive a reboot";
        for warning in plan.warnings.iter().filter(|it| !is_reboot(it)) {
            let _ = write!(text, "{}", problem(warning));
        }
        self.names.borrow().assert_no_secret("the plan", &text);
        self.names.borrow().assert_no_secret("the debug text", &format!("{plan:?}"));
        self.shorten(&text)
    }

    fn config(&self) -> Result<Config, Problems> {
        let text = self.names.borrow_mut().expand(&self.text);
        let text = SourceText { name: "main.wg.hcl".to_owned(), text, secrets: Vec::new() };
        let reader = Files::in_directory(self.directory.path().to_owned());
        let sources = Sources { files: vec![Arc::new(text)], variables: Vec::new(), reader };
        let (config, problems) = Config::parse(sources);
        let is_error = |it: &Diagnostic| it.severity == Severity::Error;
        if problems.iter().any(is_error) { Err(self.problems(&problems)) } else { Ok(config) }
    }

    fn problems(&self, problems: &[Diagnostic]) -> Problems {
        let text: String = problems.iter().map(problem).collect();
        self.names.borrow().assert_no_secret("a diagnostic", &text);
        self.shorten(&text)
    }

    /// Does what every command does: read, evaluate, look.
    fn with_look<T>(
        &self,
        work: impl FnOnce(Looked<'_, '_>) -> Result<T, Problems>,
    ) -> Result<T, Problems> {
        let config = self.config()?;
        let evaluator = Evaluator::new(&config, &self.world);
        let lock = wait(self.lock());
        let loaded = lock.read().unwrap();
        let state = loaded.state.unwrap_or_else(|| State::new(&self.world));
        let declared = evaluator.backends().map_err(|it| self.problems(&it))?;
        let declared = with_remembered(declared, &state);
        let watch = Rc::new(Watch::default());
        let mut backends: BTreeMap<BackendId, Box<dyn Write>> = BTreeMap::new();
        for declaration in &declared {
            let id = declaration.id.clone();
            let netns = match declaration.transport.clone() {
                Transport::Local { netns, .. } | Transport::Ssh { netns, .. } => netns,
                Transport::RouterOs(_) | Transport::PfSense(_) => None,
            };
            let host = self.linux(&id);
            let inner = Linux::simulated(id.clone(), netns, host, self.world.clone())
                .of_kind(declaration.kind);
            let traits = self.traits.get(&id).copied().unwrap_or_default();
            let journal = self.path("wgform.state.json.journal");
            let watch = watch.clone();
            backends.insert(id, Box::new(Wayward { inner, traits, watch, journal }));
        }
        let mut actual = Actual::default();
        if !self.options.without_refresh {
            let interest = interest(&evaluator, &state);
            let readers: Vec<&dyn Read> =
                backends.values().map(|it| it.as_ref() as &dyn Read).collect();
            actual = wait(refresh(&readers, &interest, self.parallelism, &|_| {}, &|_, _| {}));
        }
        self.learn_names();
        let views = declared.iter().map(|it| (it.id.clone(), view(it))).collect();
        let inputs = Inputs {
            state,
            open: loaded.open,
            actual: &actual,
            backends: views,
            options: self.options.clone(),
            planned_at: self.world.now(),
        };
        work(Looked { config: &config, evaluator: &evaluator, inputs, backends, watch, lock })
    }

    fn with_plan<T>(
        &self,
        work: impl FnOnce(Plan, Ready<'_, '_>, &Actual) -> T,
    ) -> Result<T, Problems> {
        self.with_look(|looked| {
            let Looked { config, evaluator, inputs, backends, watch, lock } = looked;
            let (actual, owned) = (inputs.actual, inputs.state.clone());
            let plan = plan::plan(config, evaluator, inputs);
            let plan = plan.map_err(|it| self.problems(&it.problems))?;
            match self.options.refresh_only {
                true => assert!(plan.steps.is_empty(), "{:?}", plan.steps),
                false => lint(&plan, actual, &owned),
            }
            Ok(work(plan, Ready { evaluator, backends, watch, lock }, actual))
        })
    }
}

/// Changing.
impl Lab {
    /// Plans and applies; returns what is said of it.
    pub fn apply(&self) -> String {
        self.apply_until(None)
    }

    /// Applies, and is killed on the way.
    pub fn crash(&self, crash: Crash) -> String {
        self.apply_until(Some(crash))
    }

    /// Returns how many writes an apply would take, by doing it.
    pub fn apply_and_count(&self) -> usize {
        let count = Cell::new(0);
        let applied = self.with_plan(|plan, ready, _| {
            let watch = ready.watch.clone();
            self.carry_out(plan, ready, None);
            count.set(watch.writes.get());
        });
        applied.unwrap_or_else(|problems| panic!("{problems}"));
        count.get()
    }

    /// Applies, and returns how many hosts were written to at once at most.
    pub fn apply_and_watch(&self) -> usize {
        let most = Cell::new(0);
        let applied = self.with_plan(|plan, ready, _| {
            let watch = ready.watch.clone();
            self.carry_out(plan, ready, None);
            most.set(watch.most_at_once.get());
        });
        applied.unwrap_or_else(|problems| panic!("{problems}"));
        most.get()
    }

    /// Applies a plan before whose first write something happens.
    pub fn apply_after(&self, race: impl FnOnce()) -> String {
        self.apply_with(None, race)
    }

    fn apply_until(&self, crash: Option<Crash>) -> String {
        self.apply_with(crash, || {})
    }

    fn apply_with(&self, crash: Option<Crash>, race: impl FnOnce()) -> String {
        let text = self.with_plan(|plan, ready, _| {
            race();
            if plan.refusals.is_empty() {
                self.carry_out(plan, ready, crash)
            } else {
                plan.refusals.iter().map(refused).collect()
            }
        });
        self.learn_names();
        let text = text.unwrap_or_else(|problems| problems);
        self.names.borrow().assert_no_secret("the report", &text);
        let state = std::fs::read_to_string(self.path("wgform.state.json")).unwrap_or_default();
        self.names.borrow().assert_no_secret("the state", &state);
        self.shorten(&text)
    }

    fn carry_out(&self, plan: Plan, ready: Ready<'_, '_>, crash: Option<Crash>) -> String {
        let Ready { evaluator, backends, watch, lock } = ready;
        if self.options.refresh_only {
            let mut plan = plan;
            lock.write(&mut plan.state).unwrap();
            return "recorded\n".to_owned();
        }
        watch.crash.set(crash);
        let lines = RefCell::new(String::new());
        let tell = |event: Event| {
            // How the others ended is in the report.
            let is_done = matches!(event, Event::StepDone { .. });
            let line = wgform::render::event::line(&event).filter(|_| is_done);
            line.iter().for_each(|it| _ = writeln!(lines.borrow_mut(), "{it}"));
        };
        let operation = if self.options.destroy { "destroy" } else { "apply" };
        let tools = Tools {
            evaluator,
            backends: &backends,
            lock: &lock,
            parallelism: self.parallelism,
            world: &self.world,
            stop: Stop::default(),
            tell: &tell,
        };
        let report = wait(async {
            tokio::select! {
                report = apply::apply(plan, tools) => Some(report.unwrap()),
                () = watch.crashed.notified() => None,
            }
        });
        self.learn_names();
        for journal in watch.journals.borrow().iter() {
            self.names.borrow().assert_no_secret("the journal", journal);
        }
        let report = report.map_or_else(
            || "killed\n".to_owned(),
            |report| wgform::render::outcome::report(&report, operation, Paint::PLAIN),
        );
        lines.into_inner() + &report
    }

    /// Takes an object into the state.
    pub fn import(&self, address: &str, id: &str) -> String {
        let address: Address = address.parse().unwrap();
        let id = self.names.borrow_mut().expand(id);
        let imported = self.with_look(|looked| {
            let Looked { config, evaluator, inputs, lock, .. } = looked;
            let adopted = plan::adopt(config, evaluator, inputs, &address, &id);
            let mut state = adopted.map_err(|error| match error {
                NotAdopted::Configuration(problems) => self.problems(&problems),
                NotAdopted::Refused(refusal)
                | NotAdopted::Guarded(refusal)
                | NotAdopted::Unread(refusal) => self.shorten(&refused(&refusal)),
            })?;
            lock.write(&mut state).unwrap();
            Ok("imported\n".to_owned())
        });
        match imported {
            Ok(text) | Err(text) => text,
        }
    }

    pub fn state(&self) -> State {
        wait(self.lock()).read().unwrap().state.unwrap()
    }

    pub fn has_state(&self) -> bool {
        self.path("wgform.state.json").exists()
    }

    /// Changes the state by hand.
    pub fn edit_state(&self, edit: impl FnOnce(&mut State)) {
        let lock = wait(self.lock());
        let mut state = lock.read().unwrap().state.unwrap();
        edit(&mut state);
        lock.write(&mut state).unwrap();
    }

    /// Returns the addresses in the state.
    pub fn owned(&self) -> Vec<String> {
        self.state().resources.keys().map(ToString::to_string).collect()
    }

    /// Returns the text of the state file, without what is another one every time.
    pub fn state_text(&self) -> String {
        let text = std::fs::read_to_string(self.path("wgform.state.json")).unwrap();
        let version = format!("\"wgform_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
        self.shorten(&text.replace(&version, "\"wgform_version\": \"…\""))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn lock(&self) -> Lock {
        let request = LockRequest {
            id: self.world.new_id(),
            operation: "apply".to_owned(),
            who: "somebody".to_owned(),
            host: "laboratory".to_owned(),
            pid: 1,
            now: self.world.now(),
        };
        let store = Store::new(self.path("wgform.state.json"));
        store.lock(request, Duration::ZERO, &mut |_| {}).await.unwrap()
    }
}

/// What was read.
struct Looked<'a, 'c> {
    config: &'c Config,
    evaluator: &'a Evaluator<'c>,
    inputs: Inputs<'a>,
    backends: BTreeMap<BackendId, Box<dyn Write>>,
    watch: Rc<Watch>,
    lock: Lock,
}

/// What an apply needs besides a plan.
struct Ready<'a, 'c> {
    evaluator: &'a Evaluator<'c>,
    backends: BTreeMap<BackendId, Box<dyn Write>>,
    watch: Rc<Watch>,
    lock: Lock,
}

/// Runs a future to its end.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(future)
}

/// Adds the backends that only the state knows; the implicit one is there only if something uses it.
fn with_remembered(declared: Vec<BackendDeclaration>, state: &State) -> Vec<BackendDeclaration> {
    let mut all = declared;
    all.retain(|it| it.span.is_some());
    for (id, record) in &state.backends {
        if !all.iter().any(|it| it.id == *id) {
            all.push(BackendDeclaration {
                id: id.clone(),
                kind: BackendKind::Local,
                display_name: None,
                simulate: record.simulated,
                transport: Transport::Local {
                    netns: None,
                    driver: Driver::Auto,
                    userspace_program: None,
                },
                span: None,
            });
        }
    }
    all
}

fn view(declaration: &BackendDeclaration) -> BackendView {
    BackendView {
        kind: declaration.kind,
        display_name: declaration.display_name.clone(),
        simulated: declaration.simulate,
        transport: BTreeMap::new(),
        manage_service: false,
        read_only: false,
    }
}

fn refused(refusal: &Refusal) -> String {
    let hints: String = refusal.hints.iter().map(|it| format!("  help: {it}\n")).collect();
    format!("refused: {}\n{hints}", refusal.message)
}

fn problem(problem: &Diagnostic) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut text = format!("{severity}: {}\n", problem.summary);
    for label in &problem.labels {
        let span = &label.span;
        let is_secret = |it: &Range<usize>| it.start < span.range.end && span.range.start < it.end;
        let there = match span.source.secrets.iter().any(is_secret) {
            true => "…",
            false => span.source.text[span.range.clone()].lines().next().unwrap_or_default(),
        };
        let _ = writeln!(text, "  at `{there}`: {}", label.text);
    }
    if let Some(help) = &problem.help {
        let _ = writeln!(text, "  help: {help}");
    }
    text
}

fn steps(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let subject = match &step.subject {
            Subject::Resource(address) => address.to_string(),
            Subject::Unmanaged { public_key, .. } => format!("unmanaged {public_key}"),
            Subject::Backend(id) => format!("backend.{id}"),
        };
        let act = match &step.act {
            PlannedAct::Record => "record".to_owned(),
            PlannedAct::CreateInterface { name, down, .. } => {
                format!("create {name}{}", if *down { " down" } else { "" })
            }
            PlannedAct::UpdateInterface { name, rename, key, settings, .. } => {
                let rename = rename.as_ref().map(|it| format!(" to {it}")).unwrap_or_default();
                let key = if key.is_some() { " key" } else { "" };
                let settings: Vec<_> = settings.keys().copied().collect();
                format!("update {name}{rename}{key} {}", settings.join(" "))
            }
            PlannedAct::DeleteInterface { name, .. } => format!("delete {name}"),
            PlannedAct::Persist { name, style, .. } => {
                format!("persist {name} {}", style.map_or("none", |it| it.word()))
            }
            PlannedAct::SetRoutes { interface, recipe: Some(_), .. } => {
                format!("set routes of {interface}")
            }
            PlannedAct::SetRoutes { interface, .. } => format!("drop rules of {interface}"),
            PlannedAct::CreatePeer { interface, public_key, replaces: _ } => {
                let key = public_key.map_or("?".to_owned(), |it| it.to_string());
                format!("create {interface}/{key}")
            }
            PlannedAct::UpdatePeer { interface, public_key, settings } => {
                let settings: Vec<_> = settings.keys().copied().collect();
                format!("update {interface}/{public_key} {}", settings.join(" "))
            }
            PlannedAct::DeletePeer { interface, public_key } => {
                format!("delete {interface}/{public_key}")
            }
            PlannedAct::Apply { switch_on } => {
                if *switch_on { "switch on" } else { "apply" }.to_owned()
            }
        };
        let _ = writeln!(text, "{subject}: {}", act.trim_end());
    }
    text
}
