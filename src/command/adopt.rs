//! `wgform adopt`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::adopt::{
    Change, Checker, Drifted, Proposal, Revision, drifted, propose, revised, spliced,
};
use crate::command::Context;
use crate::command::arguments::{Asking, Pace, Variables};
use crate::command::hold::known_attributes;
use crate::command::session::{self, Chosen, Needs, Session};
use crate::config::{Config, Evaluator, check_syntax};
use crate::diagnostic::{Diagnostic, SourceText};
use crate::diff::Class;
use crate::error::{Error, Exit, Kind};
use crate::plan::{Options, Plan};
use crate::render::diff::masked;
use crate::render::patch::{self, Texts};
use crate::render::{count, printable};
use crate::resource::{Address, Field, Pattern};
use crate::source::edit::{SourceFile, find};
use crate::source::{self, Sources};
use crate::state::{State, StateChange};

/// What `wgform adopt` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform adopt peer.branch
  wgform adopt 'peer.rw[\"alice-*\"]' -attribute=endpoint
  wgform adopt interface.hub -print | git apply

Writes what was changed on a device by hand into the configuration: each value
goes where it comes from, in the form that it has there, and everything around
it stays. Shows the patch and asks. Before a file is replaced, the new texts are
planned: what was adopted is no drift any longer, and nothing else changes.

No device and no state is written to. The next apply records what was adopted.
What was made by an expression, or belongs to other resources too, is told with
its place, to be written by hand. Keys are never written.

The exit code is 0 when all is adopted, or nothing was there to adopt; 1 when
something of it has to be written by hand; 6 when a backend could not be read.")]
pub struct Arguments {
    /// The resources, as addresses or patterns
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<Pattern>,
    /// Adopts only this attribute; may be given several times
    #[arg(long = "attribute", value_name = "NAME")]
    pub attributes: Vec<String>,
    /// Prints a patch for `git apply` or `patch -p1`, and writes nothing
    #[arg(long)]
    pub print: bool,
    /// Does not ask for a yes
    #[arg(long)]
    pub auto_approve: bool,
    /// Whether it may ask.
    #[command(flatten)]
    pub asking: Asking,
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
}

/// As many places are shown that have to be changed by hand.
const MOST_BY_HAND: usize = 20;

/// Adopts.
///
/// # Errors
/// When the configuration or the state makes no sense, nobody says yes, or a file cannot be written.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let given: Vec<_> = arguments.variables.0.iter().map(session::argument).collect();
    let sources = source::read(&context.world, &given)?;
    let config = Config::parse(sources.clone());
    let session = Session::open(context, &config, Needs::All)?.at_pace(&arguments.pace);
    let loaded = session.read()?;
    let state = session::state_of(context, loaded.state);
    let (chosen, names) = chosen(&session, &state, &arguments)?;
    let world = session.look(&state, true).await?;
    let everything = || Chosen::exactly(Options::default());
    let plan = session.plan(state.clone(), loaded.open.clone(), &world, everything())?;
    if let Some(refusal) = session::refusal(&plan) {
        return Err(refusal);
    }
    let drifted = drifted(&plan, &chosen, &names);
    let proposal = settled(&session, &sources, &drifted);
    let revisions: BTreeMap<String, Revision> =
        spliced(proposal.changes.iter().flat_map(|it| &it.edits))
            .into_iter()
            .map(|(name, it)| (name, it.laid_out()))
            .collect();
    let again =
        |config: &Config, evaluator: &Evaluator<'_>, state: State, open: Vec<StateChange>| {
            session.plan_of((config, evaluator), state, open, &world)
        };
    if !revisions.is_empty() {
        let checked = Replanned { context, sources: &sources, before: &plan, again: &again };
        checked.check(&proposal.changes, &revisions, (state, loaded.open))?;
    }
    let public = public_keys(&plan);
    let run = Run { context, arguments: &arguments, drifted: &drifted, public: &public };
    run.end(&proposal, &revisions)
}

/// Finds out what is meant.
fn chosen(
    session: &Session<'_>,
    state: &State,
    arguments: &Arguments,
) -> Result<(BTreeSet<Address>, BTreeSet<String>), Error> {
    let chosen = session.named(state, &arguments.addresses)?;
    let names = known_attributes(&chosen, &arguments.attributes, "adopted")?;
    Ok((chosen, names))
}

/// Finds the places, and keeps what changes nothing else.
fn settled(session: &Session<'_>, sources: &Sources, drifted: &Drifted) -> Proposal {
    let Session { config, evaluator, context, .. } = session;
    let mut proposal = propose(config, evaluator, drifted);
    if !proposal.changes.is_empty() {
        let checker = Checker::new(&context.world, sources, evaluator);
        proposal.settle(config, &mut |changes| checker.look(changes));
    }
    proposal
}

/// Returns the keys that are known to be no secret, wherever they are written.
fn public_keys(plan: &Plan) -> BTreeSet<String> {
    let fields = plan.resources.values().filter_map(|it| it.fields.get("public_key"));
    let keys = fields.filter_map(|it| match it.known() {
        Some(Field::PublicKey(key)) => Some(key.to_string()),
        _ => None,
    });
    keys.collect()
}

type Again<'a> =
    dyn Fn(&Config, &Evaluator<'_>, State, Vec<StateChange>) -> Result<Plan, Error> + 'a;

/// What is planned again with the new texts, before any file is replaced.
struct Replanned<'a> {
    context: &'a Context,
    sources: &'a Sources,
    before: &'a Plan,
    again: &'a Again<'a>,
}

impl Replanned<'_> {
    fn check(
        &self,
        changes: &[Change],
        revisions: &BTreeMap<String, Revision>,
        (state, open): (State, Vec<StateChange>),
    ) -> Result<(), Error> {
        let (config, _) = Config::parse(revised(self.sources, revisions));
        let evaluator = Evaluator::new(&config, &self.context.world);
        let plan = (self.again)(&config, &evaluator, state, open)?;
        let adopted: BTreeSet<(String, &str)> = changes
            .iter()
            .map(|it| (it.wish.address.to_string(), it.wish.attribute.name))
            .collect();
        let before = writes(self.before);
        let after = writes(&plan);
        let new = after.iter().find(|(key, value)| {
            let is_adopted = adopted.contains(&(key.0.clone(), key.1));
            is_adopted || before.get(*key) != Some(value)
        });
        let Some(((subject, name), _)) = new else { return Ok(()) };
        let what = if name.is_empty() { "all of it" } else { name };
        let message = "nothing was written, because the patch would not do what was meant";
        Err(Error::new(Kind::Failed, message)
            .because(format!("with it, a plan would still change {what} of `{subject}`"))
            .hint("adopt fewer attributes at once, with `-attribute`, or write the values by hand"))
    }
}

/// Returns what a plan would write, attribute by attribute; a whole object under an empty name. What is recorded only, or
/// follows from it, is not in it.
fn writes(plan: &Plan) -> BTreeMap<(String, &'static str), String> {
    let mut writes = BTreeMap::new();
    for change in &plan.changes {
        let subject = change.subject.to_string();
        for diff in change.attributes.iter().filter(|it| it.is_write()) {
            let is_change = diff.class == Class::Change;
            let value = format!("{is_change} {:?} {:?}", diff.before, diff.after);
            writes.insert((subject.clone(), diff.attribute.name), value);
        }
        if change.action != crate::plan::Action::Update {
            writes.insert((subject, ""), format!("{:?}", change.action));
        }
    }
    for held in &plan.held {
        for diff in held.attributes.iter().filter(|it| it.is_write()) {
            let is_change = diff.class == Class::Change;
            let value = format!("{is_change} {:?} {:?}", diff.before, diff.after);
            writes.insert((held.address.to_string(), diff.attribute.name), value);
        }
    }
    writes
}

/// The end of a run: what is shown, asked and written.
struct Run<'a> {
    context: &'a Context,
    arguments: &'a Arguments,
    drifted: &'a Drifted,
    /// Keys that may be shown.
    public: &'a BTreeSet<String>,
}

impl Run<'_> {
    fn end(
        &self,
        proposal: &Proposal,
        revisions: &BTreeMap<String, Revision>,
    ) -> Result<Exit, Error> {
        let ui = &self.context.ui;
        self.say_by_hand(&proposal.by_hand);
        self.say_beside();
        let mut exit = match proposal.by_hand.is_empty() {
            true => Exit::Done,
            false => Exit::Failed,
        };
        if !self.drifted.unread.is_empty() {
            exit = exit.or_worse(Exit::Unreachable);
        }
        if proposal.changes.is_empty() {
            if exit == Exit::Done {
                ui.talk(
                    "Nothing to adopt: what was chosen is on its devices as it was last applied.",
                );
            }
            return Ok(exit);
        }
        let files = self.files(revisions)?;
        if self.arguments.print {
            return Ok(exit.or_worse(self.print(&files)));
        }
        for file in &files {
            ui.result(file.shown(ui.result_paint()).trim_end_matches('\n'));
        }
        self.say_comments(proposal);
        if !self.arguments.auto_approve {
            let question = format!(
                "Do you want to write {} into {}?",
                count(proposal.changes.len(), "value"),
                count(files.len(), "file")
            );
            ui.confirm(&question, self.arguments.asking.allowed())?;
        }
        self.write(&files)?;
        let resources: BTreeSet<&Address> =
            proposal.changes.iter().map(|it| &it.wish.address).collect();
        ui.talk(&format!(
            "Adopted {} of {}. The state is as it was: the next `wgform apply` records it.",
            count(proposal.changes.len(), "value"),
            count(resources.len(), "resource")
        ));
        Ok(exit)
    }

    fn say_by_hand(&self, by_hand: &[Diagnostic]) {
        let ui = &self.context.ui;
        let shown = &by_hand[..by_hand.len().min(MOST_BY_HAND)];
        ui.diagnostics(shown);
        if by_hand.len() > shown.len() {
            let more = count(by_hand.len() - shown.len(), "value");
            ui.talk(&format!("… and {more} more like these, with their own places."));
        }
    }

    /// Says what was found beside what can be adopted.
    fn say_beside(&self) {
        let ui = &self.context.ui;
        let Drifted { unread, unmanaged, foreign, .. } = self.drifted;
        for (id, addresses) in unread {
            let resources = count(addresses.len(), "resource");
            ui.warn(&format!(
                "backend `{id}` could not be read, so nothing of {resources} on it is adopted."
            ));
        }
        if *unmanaged > 0 {
            let peers = count(*unmanaged, "peer");
            ui.talk(&format!(
                "Declared nowhere: {peers} on what was chosen. `wgform import -all` writes blocks for such peers."
            ));
        }
        for (address, name, all) in foreign.iter().take(MOST_BY_HAND) {
            ui.talk(&format!(
                "On its device, `{name}` of `{address}` also has {}, which nobody declared. Add that yourself if wgform is to manage it.",
                all.join(", ")
            ));
        }
    }

    fn say_comments(&self, proposal: &Proposal) {
        for change in &proposal.changes {
            for comment in &change.comments {
                self.context.ui.talk(&format!(
                    "With the line of `{}` of `{}` goes its comment: {}",
                    change.wish.attribute.name,
                    change.wish.address,
                    printable(comment)
                ));
            }
        }
    }

    /// Reads the files that are to be replaced once more; they must be what was planned.
    fn files<'r>(
        &'r self,
        revisions: &'r BTreeMap<String, Revision>,
    ) -> Result<Vec<File<'r>>, Error> {
        revisions.iter().map(|(name, revision)| self.file(name, revision)).collect()
    }

    fn file<'r>(&'r self, name: &str, revision: &'r Revision) -> Result<File<'r>, Error> {
        let (mut found, problems) = find(&self.context.world, &[PathBuf::from(name)], false);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem.into());
        }
        let file = found.pop().ok_or_else(|| changed(name))?;
        let (text, had_mark) = file.read()?;
        if text != revision.before.text {
            return Err(changed(name));
        }
        Ok(File { file, revision, had_mark, public: self.public })
    }

    fn print(&self, files: &[File<'_>]) -> Exit {
        let ui = &self.context.ui;
        let mut exit = Exit::Done;
        let mut text = String::new();
        let mut is_bare = false;
        for file in files {
            let Some(patch) = file.exact() else {
                exit = Exit::Failed;
                ui.warn(&format!(
                    "no patch of `{}` is printed: a line that changes has a secret in it. Without `-print` the file itself can be changed.",
                    printable(&file.file.name)
                ));
                continue;
            };
            text += &patch.text;
            is_bare |= patch.is_bare;
        }
        if !text.is_empty() {
            ui.result(&text);
        }
        if is_bare {
            ui.warn(
                "a secret stands right behind a change and is not shown, so the patch has little context: `git apply` needs `--unidiff-zero` for it.",
            );
        }
        exit
    }

    fn write(&self, files: &[File<'_>]) -> Result<(), Error> {
        // Somebody may have had an editor open while the question was.
        for file in files {
            let (text, _) = file.file.read()?;
            if text != file.revision.before.text {
                return Err(changed(&file.file.name));
            }
        }
        for (at, file) in files.iter().enumerate() {
            let written = file.file.replace(&file.after());
            written.map_err(|error| {
                let done: Vec<_> =
                    files[..at].iter().map(|it| format!("`{}`", it.file.name)).collect();
                match done.is_empty() {
                    true => Error::from(error),
                    false => Error::from(error)
                        .hint(format!("by then, this was written: {}", done.join(", "))),
                }
            })?;
        }
        Ok(())
    }
}

fn changed(name: &str) -> Error {
    let message =
        format!("`{}` was changed in the meantime, and nothing was written", printable(name));
    Error::new(Kind::Failed, message).hint("run `wgform adopt` again")
}

/// A file that is to be replaced.
struct File<'r> {
    file: SourceFile,
    revision: &'r Revision,
    had_mark: bool,
    /// Keys that may be shown.
    public: &'r BTreeSet<String>,
}

impl File<'_> {
    fn mark(&self) -> &'static str {
        if self.had_mark { "\u{feff}" } else { "" }
    }

    fn after(&self) -> String {
        format!("{}{}", self.mark(), self.revision.after)
    }

    fn with_texts<T>(&self, look: impl FnOnce(Texts<'_>) -> T) -> T {
        let Revision { before, after: _, regions } = self.revision;
        let after = SourceText {
            name: before.name.clone(),
            text: self.revision.after.clone(),
            secrets: Vec::new(),
        };
        let after = match before.name.ends_with(".wgvars.hcl") {
            true => Arc::new(with_secrets_of(before, after)),
            false => {
                let after = Arc::new(after);
                // What cannot be parsed was refused before.
                check_syntax(&after).unwrap_or(after)
            }
        };
        let mark = self.mark();
        look(Texts {
            name: &self.file.name,
            before: &format!("{mark}{}", before.text),
            after: &self.after(),
            shown_before: &format!("{mark}{}", self.masked(before)),
            shown_after: &format!("{mark}{}", self.masked(&after)),
            regions,
        })
    }

    /// Masks what may be a secret, but for keys of which it is known that they are none.
    fn masked(&self, source: &SourceText) -> String {
        let SourceText { name, text, secrets } = source;
        let is_secret = |range: &&Range<usize>| {
            let word = text.get((*range).clone()).unwrap_or_default();
            !self.public.contains(word.trim_matches('"'))
        };
        let secrets = secrets.iter().filter(is_secret).cloned().collect();
        masked(&SourceText { name: name.clone(), text: text.clone(), secrets })
    }

    fn shown(&self, paint: crate::render::Paint) -> String {
        self.with_texts(|texts| patch::shown(texts, paint))
    }

    fn exact(&self) -> Option<patch::Patch> {
        self.with_texts(patch::exact)
    }
}

/// Marks in a file of values what was secret in it before: which value is one is said where its variable is declared.
fn with_secrets_of(before: &SourceText, after: SourceText) -> SourceText {
    let SourceText { name, text, secrets: _ } = after;
    let words = before.secrets.iter().filter_map(|it| before.text.get(it.clone()));
    let words: BTreeSet<&str> = words.filter(|it| !it.trim().is_empty()).collect();
    let mut secrets = Vec::new();
    for word in words {
        secrets.extend(text.match_indices(word).map(|(at, found)| at..at + found.len()));
    }
    SourceText { name, text, secrets }
}
