//! What `moved`, `removed` and `import` blocks say.
//!
//! They are about what is recorded and what is there, which nothing here knows. What can be wrong with them without
//! knowing that is said here.

use std::collections::{BTreeMap, HashMap};

use crate::config::block::{Expr, Module};
use crate::config::value::{Data, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, Circle, InstanceKey, Kind, ModuleStep, Movable, Move, Moves};

/// An address as it is written, and where.
#[derive(Debug)]
pub(crate) struct Addressed {
    pub(crate) movable: Movable,
    pub(crate) span: Span,
}

/// A `moved` block.
#[derive(Debug)]
pub(crate) struct MovedBlock {
    /// The labels of the modules that it stands in; none in the root.
    pub(crate) scope: Vec<String>,
    pub(crate) from: Addressed,
    pub(crate) to: Addressed,
}

/// A `removed` block.
#[derive(Debug)]
pub(crate) struct RemovedBlock {
    /// The labels of the modules that it stands in; none in the root.
    pub(crate) scope: Vec<String>,
    /// Its head.
    pub(crate) span: Span,
    pub(crate) from: Addressed,
    pub(crate) destroy: bool,
}

/// An `import` block.
#[derive(Debug)]
pub(crate) struct ImportBlock {
    /// The steps of its `to`, of which the last one is a resource.
    pub(crate) steps: Vec<Step>,
    pub(crate) to: Span,
    pub(crate) id: Expr,
    /// What it is repeated over; in the others, `each` is an element of that.
    pub(crate) for_each: Option<Expr>,
}

impl ImportBlock {
    /// Returns the expressions in which `each` can be used.
    pub(crate) fn expressions(&mut self) -> impl Iterator<Item = &mut Expr> {
        let keys = self.steps.iter_mut().filter_map(|step| match &mut step.key {
            Some(TargetKey::Expression(expr)) => Some(&mut **expr),
            Some(TargetKey::Literal(_)) | None => None,
        });
        keys.chain([&mut self.id])
    }
}

/// One step of the address of an import's target.
#[derive(Debug)]
pub(crate) struct Step {
    /// None for a module.
    pub(crate) kind: Option<Kind>,
    pub(crate) label: String,
    pub(crate) key: Option<TargetKey>,
}

/// The key of such a step.
#[derive(Debug)]
pub(crate) enum TargetKey {
    Literal(InstanceKey),
    Expression(Box<Expr>),
}

/// The blocks as they are read.
#[derive(Debug, Default)]
pub(crate) struct RefactoringBlocks {
    pub(crate) moved: Vec<MovedBlock>,
    pub(crate) removed: Vec<RemovedBlock>,
    pub(crate) imports: Vec<ImportBlock>,
}

/// Where something is that was recorded or is there, by the configuration.
#[derive(Debug, Default)]
pub struct Refactoring {
    moves: Moves,
    moved: Vec<MovedBlock>,
    removed: Vec<RemovedBlock>,
    /// The `removed` blocks by their address without keys.
    by_path: HashMap<String, Vec<usize>>,
}

/// What a `removed` block says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Whether it is destroyed on its device.
    pub destroy: bool,
    /// Where the block is, as `main.wg.hcl:12`.
    pub at: String,
}

/// What an `import` block says.
#[derive(Debug, Clone)]
pub struct Import {
    /// The resource that is to own the object.
    pub to: Address,
    /// How the object is found.
    pub id: String,
    /// Where the resource is named.
    pub to_span: Span,
    /// Where the object is named.
    pub id_span: Span,
}

impl Refactoring {
    /// Takes the blocks out of all modules, but for imports, which have to be evaluated.
    pub(crate) fn of(modules: &mut [Module]) -> Self {
        let (mut moved, mut removed) = (Vec::new(), Vec::new());
        for number in 0..modules.len() {
            let scope = scope(modules, number);
            let blocks = &mut modules[number].blocks.refactoring;
            let with_scope = std::mem::take(&mut blocks.moved).into_iter();
            moved.extend(with_scope.map(|it| MovedBlock { scope: scope.clone(), ..it }));
            let with_scope = std::mem::take(&mut blocks.removed).into_iter();
            removed.extend(with_scope.map(|it| RemovedBlock { scope: scope.clone(), ..it }));
        }
        Self::new(moved, removed)
    }

    fn new(moved: Vec<MovedBlock>, removed: Vec<RemovedBlock>) -> Self {
        let moves = moved.iter().map(|it| Move {
            scope: it.scope.clone(),
            from: it.from.movable.clone(),
            to: it.to.movable.clone(),
        });
        let mut by_path: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, it) in removed.iter().enumerate() {
            let scope = it.scope.iter().map(|label| format!("module.{label}."));
            let path = scope.collect::<String>() + &path(&it.from.movable);
            by_path.entry(path).or_default().push(index);
        }
        Self { moves: Moves::new(moves.collect()), moved, removed, by_path }
    }

    /// Returns what moves.
    pub fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Returns the two addresses of a `moved` block in its file.
    pub fn places(&self, block: usize) -> (&Span, &Span) {
        (&self.moved[block].from.span, &self.moved[block].to.span)
    }

    /// Returns what is said of a resource that is no longer declared: by the block that says most of it.
    pub fn removal(&self, address: &Address) -> Option<Removed> {
        let block = &self.removed[self.removed_by(address)?];
        Some(Removed { destroy: block.destroy, at: at(&block.span) })
    }

    fn removed_by(&self, address: &Address) -> Option<usize> {
        if self.removed.is_empty() {
            return None;
        }
        let modules = (1..=address.module().len())
            .map(|length| Movable { module: address.module()[..length].to_vec(), resource: None });
        let resource = Movable::from(address);
        // The longest address comes last, and of equal ones the one with the most keys.
        modules
            .chain([resource])
            .filter_map(|whole| {
                let blocks = self.by_path.get(&path(&whole))?.iter().copied();
                let fit = blocks.filter(|it| covers(&self.removed[*it], &whole));
                fit.max_by_key(|it| keys(&self.removed[*it].from.movable).count())
            })
            .last()
    }

    /// Returns what is wrong with the blocks beside what is declared. `span` says where a resource is declared.
    pub fn problems<'a, 's>(
        &self,
        declared: impl IntoIterator<Item = &'a Address>,
        span: impl Fn(&Address) -> Option<&'s Span>,
    ) -> Vec<Diagnostic> {
        if self.moved.is_empty() && self.removed.is_empty() {
            return Vec::new();
        }
        let mut problems = self.twice();
        problems.extend(self.moves.circles().iter().map(|it| self.circle(it)));
        let (mut moved, mut removed) = (BTreeMap::new(), BTreeMap::new());
        for address in declared {
            if let Some(block) = self.moves.first(address) {
                moved.entry(block).or_insert(address);
            }
            if let Some(block) = self.removed_by(address) {
                removed.entry(block).or_insert(address);
            }
        }
        let still = |problem: Diagnostic, from: &Addressed, address: &Address| {
            let text = format!("`{address}` is still declared");
            let problem = problem.label(&from.span, text);
            match span(address) {
                Some(span) => problem.label(span, "here"),
                None => problem,
            }
        };
        problems.extend(moved.into_iter().map(|(block, address)| {
            let it = &self.moved[block];
            still(Diagnostic::error("moved resource that is still declared"), &it.from, address)
                .help(format!(
                    "Give its block the new address, `{}`, or remove the `moved` block.",
                    it.to.movable
                ))
        }));
        problems.extend(removed.into_iter().map(|(block, address)| {
            let it = &self.removed[block];
            still(Diagnostic::error("removed resource that is still declared"), &it.from, address)
                .help("Remove its block, or the `removed` block.")
        }));
        problems
    }

    fn twice(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (first, second) in self.moves.twice(|it| &it.from) {
            let (first, second) = (&self.moved[first].from, &self.moved[second].from);
            problems.push(
                Diagnostic::error("resource that moves twice")
                    .label(&second.span, format!("`{}` moves here again", second.movable))
                    .label(&first.span, "it moves here first")
                    .help("Keep the block that says where it is now. To move it on, say from where it was last."),
            );
        }
        for (first, second) in self.moves.twice(|it| &it.to) {
            let is_one = self.moved[first].from.movable == self.moved[second].from.movable;
            let (first, second) = (&self.moved[first].to, &self.moved[second].to);
            if !is_one {
                problems.push(
                    Diagnostic::error("two moves to one address")
                        .label(&second.span, format!("something else moves to `{}` too", second.movable))
                        .label(&first.span, "it moves here first")
                        .help("An address is that of one object. Move one of the two to another address."),
                );
            }
        }
        let mut first: HashMap<(&[String], &Movable), &Span> = HashMap::new();
        for RemovedBlock { scope, span: _, from, destroy: _ } in &self.removed {
            let it = (scope.as_slice(), &from.movable);
            match first.get(&it) {
                None => _ = first.insert(it, &from.span),
                Some(first) => problems.push(
                    Diagnostic::error("resource that is removed twice")
                        .label(&from.span, format!("`{}` is removed here again", from.movable))
                        .label(first, "it is removed here first")
                        .help("Keep one of the two blocks."),
                ),
            }
        }
        problems
    }

    /// Reports moves that have no end.
    pub fn circle(&self, Circle(by): &Circle) -> Diagnostic {
        let mut problem = Diagnostic::error("moves in a circle");
        for index in by {
            let MovedBlock { scope: _, from, to } = &self.moved[*index];
            let text = format!("`{}` becomes `{}`", from.movable, to.movable);
            problem = problem.label(&to.span, text);
        }
        problem.help(match by.len() {
            1 => "It would move for ever, further in each time. Move it to an address outside of itself.",
            _ => "They would move for ever. To swap two, use `wgform state mv` with a third address in between.",
        })
    }
}

/// Makes a key of a value that can be one.
pub(crate) fn instance_key(value: &Value) -> Option<InstanceKey> {
    match &value.data {
        Data::Text(text) => Some(InstanceKey::Name(text.to_string())),
        Data::Number(_) => value.to_text()?.parse().ok().map(InstanceKey::Index),
        _ => None,
    }
}

/// Returns an address without its keys.
fn path(movable: &Movable) -> String {
    let mut path: String = movable
        .module
        .iter()
        .map(|ModuleStep { label, key: _ }| format!("module.{label}."))
        .collect();
    if let Some(resource) = &movable.resource {
        path += &format!("{}.{}", resource.kind, resource.label);
    }
    path
}

fn keys(movable: &Movable) -> impl Iterator<Item = &InstanceKey> {
    all_keys(movable).flatten()
}

fn all_keys(movable: &Movable) -> impl Iterator<Item = Option<&InstanceKey>> {
    let modules = movable.module.iter().map(|step| step.key.as_ref());
    modules.chain(movable.resource.iter().map(|it| it.key.as_ref()))
}

/// Returns whether an address with the same names is meant: one without a key means every instance.
fn covers(block: &RemovedBlock, it: &Movable) -> bool {
    let written = all_keys(&block.from.movable);
    let inner = all_keys(it).skip(block.scope.len());
    written.zip(inner).all(|(written, key)| written.is_none() || written == key)
}

/// Returns the labels of the modules that lead to one.
fn scope(modules: &[Module], number: usize) -> Vec<String> {
    let mut scope = Vec::new();
    let mut next = modules[number].caller.as_ref();
    while let Some((caller, label)) = next {
        scope.push(label.to_string());
        next = modules[*caller].caller.as_ref();
    }
    scope.reverse();
    scope
}

/// Says where a block is.
pub(crate) fn at(span: &Span) -> String {
    let line = span.source.text[..span.range.start].matches('\n').count() + 1;
    format!("{}:{line}", span.source.name)
}
