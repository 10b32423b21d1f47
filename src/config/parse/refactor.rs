//! `moved`, `removed` and `import`: what becomes of what is recorded or there. Their addresses are never evaluated; only
//! the keys of an import's target may be expressions.

use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::Block;

use crate::config::constant::constant;
use crate::config::parse::Parser;
use crate::config::refactor::{
    Addressed, ImportBlock, MovedBlock, RemovedBlock, Step, TargetKey, instance_key,
};
use crate::config::vocabulary::{IMPORT, MOVED, REMOVED, REMOVED_LIFECYCLE};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{InstanceKey, Kind, ModuleStep, Movable, ResourceStep};

impl Parser {
    pub(super) fn moved(&mut self, block: Block) {
        let span = self.head(&block);
        if self.labels::<0>(&block, "moved { … }").is_none() {
            return;
        }
        let mut contents = self.contents_of(&MOVED, block.body);
        let [from, to] = ["from", "to"].map(|name| {
            if !contents.mentions(name) {
                self.missing(&span, "moved", name);
            }
            contents.take(name).and_then(|it| self.movable(&it))
        });
        let (Some(from), Some(to)) = (from, to) else { return };
        match self.check_move(&from, &to) {
            Some(problem) => self.problems.push(problem),
            None => self.blocks.refactoring.moved.push(MovedBlock { scope: Vec::new(), from, to }),
        }
    }

    fn check_move(&self, from: &Addressed, to: &Addressed) -> Option<Diagnostic> {
        if from.movable == to.movable {
            let problem = Diagnostic::error("move to the same address")
                .label(&to.span, format!("`{}` would stay where it is", to.movable))
                .help("Correct one of the two addresses, or remove the block.");
            return Some(problem);
        }
        if from.movable.kind() != to.movable.kind() {
            let problem = Diagnostic::error("move to another kind")
                .label(&to.span, format!("`{}` cannot become this", from.movable))
                .label(&from.span, "this is moved")
                .help("An interface stays an interface, a peer a peer, a module a module. Destroy the one and create the other, without a `moved` block.");
            return Some(problem);
        }
        None
    }

    pub(super) fn removed(&mut self, block: Block) {
        let span = self.head(&block);
        if self.labels::<0>(&block, "removed { … }").is_none() {
            return;
        }
        let mut contents = self.contents_of(&REMOVED, block.body);
        if !contents.mentions("from") {
            self.missing(&span, "removed", "from");
        }
        let from = contents.take("from").and_then(|it| self.movable(&it));
        let lifecycle = self.only(None, std::mem::take(&mut contents.blocks), "lifecycle { … }");
        let destroy = lifecycle.is_none_or(|(_, block)| {
            let mut contents = self.contents_of(&REMOVED_LIFECYCLE, block.body);
            self.literal_bool(&mut contents, "destroy", true)
        });
        let Some(from) = from else { return };
        self.blocks.refactoring.removed.push(RemovedBlock {
            scope: Vec::new(),
            span,
            from,
            destroy,
        });
    }

    pub(super) fn import(&mut self, block: Block) {
        let span = self.head(&block);
        if self.labels::<0>(&block, "import { … }").is_none() {
            return;
        }
        let mut contents = self.contents_of(&IMPORT, block.body);
        for name in ["to", "id"] {
            if !contents.mentions(name) {
                self.missing(&span, "import", name);
            }
        }
        let to = contents.take("to").and_then(|it| self.target(&it));
        let id = contents.take("id").map(|it| self.expr(it));
        let for_each = contents.take("for_each").map(|it| self.expr(it));
        let (Some((steps, to)), Some(id)) = (to, id) else { return };
        self.blocks.refactoring.imports.push(ImportBlock { steps, to, id, for_each });
    }

    /// Reads the address of a resource or a module.
    pub(super) fn movable(&mut self, expression: &Expression) -> Option<Addressed> {
        let span = self.span_of(expression);
        let steps = steps(expression);
        let Some(steps) = steps.filter(|it| is_address(it)) else {
            self.no_address(
                &span,
                "`interface.NAME`, `peer.NAME`, `preshared_key.NAME` or `module.NAME`",
            );
            return None;
        };
        let mut module = Vec::new();
        let mut resource = None;
        for Part { word, label, key } in steps {
            let key = match key.map(|it| self.literal_key(it)) {
                None => None,
                Some(None) => return None,
                Some(key) => key,
            };
            match Kind::from_block(word) {
                Some(kind) => resource = Some(ResourceStep { kind, label: label.into(), key }),
                None => module.push(ModuleStep { label: label.to_owned(), key }),
            }
        }
        Some(Addressed { movable: Movable { module, resource }, span })
    }

    /// Reads the address of a resource, the keys of which may be expressions.
    fn target(&mut self, expression: &Expression) -> Option<(Vec<Step>, Span)> {
        let span = self.span_of(expression);
        let ends = |steps: &Vec<Part<'_>>| steps.last().is_some_and(|it| it.word != "module");
        let parts = steps(expression).filter(|it| is_address(it) && ends(it));
        let Some(parts) = parts else {
            self.no_address(&span, "`interface.NAME` or `peer.NAME`");
            return None;
        };
        let step = |Part { word, label, key }: Part<'_>| {
            let key = key.map(|key| match constant(key).ok().as_ref().and_then(instance_key) {
                Some(key) => TargetKey::Literal(key),
                None => TargetKey::Expression(Box::new(self.expr(key.clone()))),
            });
            Step { kind: Kind::from_block(word), label: label.to_owned(), key }
        };
        Some((parts.into_iter().map(step).collect(), span))
    }

    fn no_address(&mut self, span: &Span, forms: &str) {
        self.problems.push(
            Diagnostic::error("invalid resource address")
                .label(span, "this is not an address")
                .help(format!(
                    "Write {forms}, each with its key where it is repeated. It is not evaluated."
                )),
        );
    }

    fn literal_key(&mut self, key: &Expression) -> Option<InstanceKey> {
        let found = constant(key).ok().as_ref().and_then(instance_key);
        if found.is_none() {
            let span = self.span_of(key);
            self.problems.push(
                Diagnostic::error("key that is not written out")
                    .label(&span, "the key of an instance is a text or a whole number here")
                    .help("Write it as `[\"alice\"]` or `[0]`. An address is not evaluated."),
            );
        }
        found
    }
}

/// One step of an address as it is written.
struct Part<'e> {
    word: &'e str,
    label: &'e str,
    key: Option<&'e Expression>,
}

/// Takes an address apart: pairs of names, each with a key behind it or without.
fn steps(expression: &Expression) -> Option<Vec<Part<'_>>> {
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    let mut operators = traversal.operators.iter().map(|it| it.value()).peekable();
    let mut word = root.as_str();
    let mut parts = Vec::new();
    loop {
        let Some(TraversalOperator::GetAttr(label)) = operators.next() else { return None };
        let key = match operators.peek() {
            Some(TraversalOperator::Index(key)) => {
                operators.next();
                Some(key)
            }
            _ => None,
        };
        parts.push(Part { word, label: label.as_str(), key });
        match operators.next() {
            None => return Some(parts),
            Some(TraversalOperator::GetAttr(next)) => word = next.as_str(),
            Some(_) => return None,
        }
    }
}

/// Returns whether all steps but the last one are modules, and the last one is a module or a resource.
fn is_address(parts: &[Part<'_>]) -> bool {
    let Some((last, modules)) = parts.split_last() else { return false };
    let is_module = |it: &Part<'_>| it.word == "module";
    modules.iter().all(is_module) && (is_module(last) || Kind::from_block(last.word).is_some())
}
