//! What lint finds without evaluating anything: values that nothing uses, and addresses that depend on the order of a
//! list.

mod position;

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::config::block::{Blocks, Expr, Module, Node};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::rule::{UNUSED_LOCAL, UNUSED_VARIABLE};

impl Config {
    /// Returns what lint finds without evaluating anything, also what a comment silences.
    pub fn lint(&self) -> &[Diagnostic] {
        &self.found
    }

    /// Returns whether a comment silences a diagnostic.
    pub fn is_ignored(&self, diagnostic: &Diagnostic) -> bool {
        is_ignored(&self.modules, diagnostic)
    }
}

/// Returns whether a comment in one of these modules silences a diagnostic.
pub(crate) fn is_ignored(modules: &[Module], diagnostic: &Diagnostic) -> bool {
    modules.iter().any(|module| module.blocks.ignored.covers(diagnostic))
}

/// Looks at the modules of a configuration in which every name is known.
pub(crate) fn look(modules: &mut [Module]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for Module { blocks, .. } in modules {
        found.extend(unused(blocks));
        found.extend(position::look(blocks));
    }
    found
}

/// Counts how often something refers to each variable and local value, `import` blocks left out.
pub(crate) fn uses(blocks: &mut Blocks) -> HashMap<Node, usize> {
    let mut uses = HashMap::new();
    blocks.each_expression(&mut |expr, _| count(&mut uses, expr));
    uses
}

fn count(uses: &mut HashMap<Node, usize>, expr: &Expr) {
    for need in &expr.needs {
        if matches!(need.node, Node::Variable(_) | Node::Local(_)) {
            *uses.entry(need.node.clone()).or_default() += 1;
        }
    }
}

/// Finds variables and local values that nothing refers to but what is unused itself.
fn unused(blocks: &mut Blocks) -> Vec<Diagnostic> {
    let mut uses = uses(blocks);
    for import in &mut blocks.refactoring.imports {
        import.expressions().for_each(|it| count(&mut uses, it));
    }
    let variables = blocks.variables.keys().map(|name| Node::Variable(name.clone()));
    let locals = blocks.locals.keys().map(|name| Node::Local(name.clone()));
    let all: Vec<Node> = variables.chain(locals).collect();
    for node in &all {
        // Its own validation is no use of a variable.
        let own = needs(blocks, node).filter(|it| it == node).count();
        uses.entry(node.clone()).and_modify(|n| *n -= own);
    }
    let is_unused =
        |uses: &HashMap<Node, usize>, node: &Node| uses.get(node).is_none_or(|n| *n == 0);
    let mut open: Vec<Node> = all.into_iter().filter(|node| is_unused(&uses, node)).collect();
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        for needed in needs(blocks, &node).filter(|it| *it != node) {
            let Some(n) = uses.get_mut(&needed) else { continue };
            *n -= 1;
            if *n == 0 {
                open.push(needed);
            }
        }
        found.extend(report(blocks, &node));
    }
    found
}

/// Returns the variables and local values that the expressions of one refer to, as often as they do.
fn needs<'b>(blocks: &'b Blocks, node: &Node) -> Box<dyn Iterator<Item = Node> + 'b> {
    let is_value = |node: &Node| matches!(node, Node::Variable(_) | Node::Local(_));
    match node {
        Node::Local(name) => {
            let needs = blocks.locals.get(name).into_iter().flat_map(|local| &local.value.needs);
            Box::new(needs.map(|need| need.node.clone()).filter(is_value))
        }
        Node::Variable(name) => {
            let variable = blocks.variables.get(name).into_iter();
            let expressions = variable.flat_map(|it| {
                let checks = it.validations.iter().flat_map(|it| [&it.condition, &it.message]);
                it.default.iter().chain(checks)
            });
            let needs = expressions.flat_map(|expr| &expr.needs);
            Box::new(needs.map(|need| need.node.clone()).filter(is_value))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn report(blocks: &Blocks, node: &Node) -> Option<Diagnostic> {
    let nothing = |name: &Arc<str>, root: &str| format!("nothing refers to `{root}.{name}`");
    Some(match node {
        Node::Variable(name) => Diagnostic::warning("unused variable")
            .rule(&UNUSED_VARIABLE)
            .label(&blocks.variables.get(name)?.span, nothing(name, "var"))
            .help("Remove it, or use it."),
        Node::Local(name) => Diagnostic::warning("unused local value")
            .rule(&UNUSED_LOCAL)
            .label(&blocks.locals.get(name)?.name, nothing(name, "local"))
            .help("Remove it, or use it."),
        _ => return None,
    })
}
