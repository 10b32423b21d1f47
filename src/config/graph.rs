//! What refers to what, through locals, variables and modules: the order of evaluation, and the circles that have none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Module, Need, Node, Validation};
use crate::diagnostic::{Diagnostic, Span};

/// Something in a module: the number of the module, and what it is there.
pub(crate) type At = (usize, Node);

/// The blocks that something refers to.
type Reached = Arc<BTreeSet<At>>;

/// Returns all resources, and what each module is repeated over, in an order in which each comes after what it refers to;
/// ties are in source order. Circles are reported, and come last.
pub(crate) fn order(modules: &[Module]) -> (Vec<At>, Vec<Diagnostic>) {
    let edges = edges(modules);
    let (visited, mut problems) = visit(modules, &edges);
    problems.extend(early(modules, &edges));
    let mut reached: HashMap<&At, Reached> = HashMap::new();
    let mut refers_to: BTreeMap<&At, Reached> = BTreeMap::new();
    // Thousands of peers refer to the same interface, and to nothing else.
    let mut shared: BTreeSet<Reached> = BTreeSet::new();
    for node in visited {
        let mut own = BTreeSet::new();
        for (to, _) in edges.get(node).into_iter().flatten() {
            match is_block(to) {
                true => _ = own.insert(to.clone()),
                false => {
                    own.extend(reached.get(to).into_iter().flat_map(|it| it.iter().cloned()));
                }
            }
        }
        let own = shared.get(&own).cloned().unwrap_or_else(|| Arc::new(own));
        shared.insert(own.clone());
        match is_block(node) {
            true => _ = refers_to.insert(node, own),
            false => _ = reached.insert(node, own),
        }
    }
    (sorted(modules, &refers_to), problems)
}

/// Returns whether something is put in order: what stands for something in a plan, or decides how often that is there.
fn is_block((_, node): &At) -> bool {
    match node {
        Node::Resource(..) => true,
        Node::Repetition(of) => matches!(**of, Node::Module(..)),
        _ => false,
    }
}

type Edges = BTreeMap<At, Vec<(At, Span)>>;

/// Collects the edges of one module.
struct Collect<'e> {
    edges: &'e mut Edges,
    module: usize,
}

impl Collect<'_> {
    fn add<'n>(&mut self, node: Node, needs: impl Iterator<Item = &'n Need>) {
        let module = self.module;
        let to = needs.map(|need| ((module, need.node.block()), need.span.clone()));
        self.edges.entry((module, node)).or_default().extend(to);
    }

    fn named(&mut self, node: &Node, named: &[(Node, Span)]) {
        let to = named.iter().map(|(to, span)| ((self.module, to.clone()), span.clone()));
        self.edges.entry((self.module, node.clone())).or_default().extend(to);
    }
}

fn edges(modules: &[Module]) -> Edges {
    let mut edges = Edges::new();
    for (number, module) in modules.iter().enumerate() {
        inside(&mut Collect { edges: &mut edges, module: number }, &module.blocks);
        called(modules, number, &mut edges);
    }
    edges
}

/// Adds what the blocks of a module refer to in it.
fn inside(collect: &mut Collect<'_>, blocks: &Blocks) {
    for (name, it) in &blocks.variables {
        collect.add(Node::Variable(name.clone()), it.default.iter().flat_map(|it| &it.needs));
    }
    for (name, it) in &blocks.locals {
        collect.add(Node::Local(name.clone()), it.value.needs.iter());
    }
    for (name, it) in &blocks.outputs {
        let node = Node::Output(name.as_str().into());
        collect.add(node, it.value.iter().flat_map(|it| &it.needs));
    }
    for (id, it) in &blocks.backends {
        let expressions = it.attributes.values().chain(it.repetition.expr());
        collect.add(Node::Backend(id.clone()), expressions.flat_map(|it| &it.needs));
    }
    for (address, it) in &blocks.resources {
        let conditions = it.lifecycle.conditions().flat_map(Validation::expressions);
        let expressions = it.attributes.values().chain(&it.prevent_destroy).chain(conditions);
        let expressions = expressions.chain(it.repetition.expr());
        let node = Node::Resource(address.clone(), None);
        collect.add(node.clone(), expressions.flat_map(|it| &it.needs));
        collect.named(&node, &it.depends_on);
        let triggers = it.lifecycle.triggers.iter();
        let triggers: Vec<_> =
            triggers.map(|it| (Node::Resource(it.block(), None), it.span.clone())).collect();
        collect.named(&node, &triggers);
    }
    for (name, it) in &blocks.data {
        let expressions = it.backend.iter().chain(&it.name);
        collect.add(Node::Data(name.clone()), expressions.flat_map(|it| &it.needs));
    }
    for (label, it) in &blocks.modules {
        let node = Node::Repetition(Box::new(Node::Module(label.clone(), None)));
        collect.add(node.clone(), it.repetition.expr().into_iter().flat_map(|it| &it.needs));
        collect.named(&node, &it.depends_on);
    }
}

/// Adds what a module and its caller have to do with each other.
fn called(modules: &[Module], number: usize, edges: &mut Edges) {
    let module = &modules[number];
    let Some((caller, label)) = &module.caller else { return };
    let Some(call) = modules[*caller].blocks.modules.get(label) else { return };
    let repetition = (*caller, Node::Repetition(Box::new(Node::Module(label.clone(), None))));
    for (name, (_, argument)) in &call.arguments {
        let needs = argument.needs.iter();
        let to = needs.map(|need| ((*caller, need.node.block()), need.span.clone()));
        let to = to.chain([(repetition.clone(), call.span.clone())]);
        edges.entry((number, Node::Variable(name.clone()))).or_default().extend(to);
    }
    let all = (*caller, Node::Inside(label.clone()));
    edges.entry(all.clone()).or_default().push((repetition.clone(), call.span.clone()));
    for address in module.blocks.resources.keys() {
        let node = (number, Node::Resource(address.clone(), None));
        edges.entry(node.clone()).or_default().push((repetition.clone(), call.span.clone()));
        edges.entry(all.clone()).or_default().push((node, call.span.clone()));
    }
    for (label, inner) in &module.blocks.modules {
        let node = Node::Repetition(Box::new(Node::Module(label.clone(), None)));
        let outer = (repetition.clone(), call.span.clone());
        edges.entry((number, node)).or_default().push(outer);
        let inner = ((number, Node::Inside(label.clone())), inner.span.clone());
        edges.entry(all.clone()).or_default().push(inner);
    }
    let whole = (*caller, Node::Module(label.clone(), None));
    edges.entry(whole.clone()).or_default().push((repetition.clone(), call.span.clone()));
    for (name, output) in &module.blocks.outputs {
        let name: Arc<str> = name.as_str().into();
        let to = ((number, Node::Output(name.clone())), output.span.clone());
        edges.entry(whole.clone()).or_default().push(to.clone());
        let one = (*caller, Node::Module(label.clone(), Some(name)));
        edges.insert(one, vec![to, (repetition.clone(), call.span.clone())]);
    }
}

/// So many circles are reported: where everything refers to everything there is one for each pair.
const CIRCLES: usize = 20;

/// Visits every node after what it refers to, and reports circles.
fn visit<'e>(modules: &[Module], edges: &'e Edges) -> (Vec<&'e At>, Vec<Diagnostic>) {
    let (mut done, mut problems) = (Vec::new(), Vec::new());
    // Whether a node is finished; one that is not finished is on the path.
    let mut state: HashMap<&At, bool> = HashMap::new();
    for root in edges.keys() {
        if state.contains_key(root) {
            continue;
        }
        state.insert(root, false);
        let mut path: Vec<(&At, usize)> = vec![(root, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some((to, _)) = edges.get(*node).and_then(|to| to.get(*next)) else {
                state.insert(node, true);
                done.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            match (state.get(to), edges.get_key_value(to)) {
                (None, Some((to, _))) => {
                    state.insert(to, false);
                    path.push((to, 0));
                }
                (Some(false), _) if problems.len() < CIRCLES => {
                    problems.push(circle(modules, edges, &path, to));
                }
                _ => {}
            }
        }
    }
    (done, problems)
}

/// Describes the circle from a node on the path back to itself.
fn circle(modules: &[Module], edges: &Edges, path: &[(&At, usize)], start: &At) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("circular references");
    let from = path.iter().position(|(node, _)| *node == start).unwrap_or(0);
    for (node, next) in &path[from..] {
        let edge = next.checked_sub(1).and_then(|i| edges.get(*node)?.get(i));
        if let Some((to, span)) = edge {
            let (from, to) = (shown(modules, node), shown(modules, to));
            diagnostic = diagnostic.label(span, format!("`{from}` refers to `{to}` here"));
        }
    }
    diagnostic.help("Replace one of these references by a value.")
}

/// Names something as the root would.
fn shown(modules: &[Module], (number, node): &At) -> String {
    let mut text = node.to_string();
    let mut module = &modules[*number];
    while let Some((caller, label)) = &module.caller {
        text = format!("module.{label}.{text}");
        module = &modules[*caller];
    }
    text
}

/// Reports what is evaluated before any device is read, and refers to a resource all the same.
fn early(modules: &[Module], edges: &Edges) -> Vec<Diagnostic> {
    let Some(root) = modules.first() else { return Vec::new() };
    let Blocks { settings, variables, backends, .. } = &root.blocks;
    let mut early: Vec<(&str, &Expr)> = Vec::new();
    let of_settings = settings.default_backend.iter().chain(&settings.state_path);
    early.extend(of_settings.chain(&settings.require_plan_file).map(|it| ("wgform", it)));
    for variable in variables.values() {
        let checks = variable.validations.iter().flat_map(|it| [&it.condition, &it.message]);
        early.extend(variable.default.iter().chain(checks).map(|it| ("variable", it)));
    }
    let of_backends =
        backends.values().flat_map(|it| it.attributes.values().chain(it.repetition.expr()));
    early.extend(of_backends.map(|it| ("backend", it)));
    let needs = early.iter().flat_map(|(place, it)| it.needs.iter().map(move |need| (place, need)));
    let mut problems = Vec::new();
    for (place, need) in needs {
        let Some((node, span)) = first_resource(edges, need) else { continue };
        let named = shown(modules, &node);
        let diagnostic = Diagnostic::error("reference to a resource that is not known yet")
            .label(&need.span, format!("a `{place}` block cannot depend on `{named}`"));
        let diagnostic = match span == need.span {
            true => diagnostic,
            false => diagnostic.label(&span, "it does through this reference"),
        };
        problems.push(diagnostic.help(
            "The blocks `wgform`, `variable` and `backend` are evaluated before any device is read. Write a value instead.",
        ));
    }
    problems
}

/// Finds a resource that a reference of the root leads to, and the reference that names it.
fn first_resource(edges: &Edges, need: &Need) -> Option<(At, Span)> {
    let start = ((0, need.node.block()), need.span.clone());
    let (mut queue, mut seen) = (vec![&start], BTreeSet::new());
    while let Some((at, span)) = queue.pop() {
        if matches!(at.1, Node::Resource(..) | Node::Data(_)) {
            return Some((at.clone(), span.clone()));
        }
        // A backend that refers to a resource is reported at that backend.
        if seen.insert(at) && !matches!(at.1, Node::Backend(_)) {
            queue.extend(edges.get(at).into_iter().flatten());
        }
    }
    None
}

/// Returns where a block stands among all: the places of the modules around it, outermost first, and its own.
fn place(modules: &[Module], (number, node): &At) -> Vec<usize> {
    let module = &modules[*number];
    let own = match node {
        Node::Resource(address, _) => module.blocks.resources.get(address).map(|it| it.order),
        Node::Repetition(of) => match &**of {
            Node::Module(label, _) => module.blocks.modules.get(label).map(|it| it.order),
            _ => None,
        },
        _ => None,
    };
    let mut places = vec![own.unwrap_or_default()];
    let mut module = module;
    while let Some((caller, label)) = &module.caller {
        let blocks = &modules[*caller].blocks;
        places.push(blocks.modules.get(label).map_or(0, |it| it.order));
        module = &modules[*caller];
    }
    places.reverse();
    places
}

/// Sorts the blocks: what is free first, in source order.
fn sorted(modules: &[Module], refers_to: &BTreeMap<&At, Reached>) -> Vec<At> {
    let mut waits: HashMap<&At, usize> = HashMap::new();
    let mut holds: HashMap<&At, Vec<&At>> = HashMap::new();
    let places: HashMap<&At, Vec<usize>> =
        refers_to.keys().map(|it| (*it, place(modules, it))).collect();
    for (block, on) in refers_to {
        let on = on.iter().filter(|it| refers_to.contains_key(it));
        let mut n = 0;
        for it in on {
            holds.entry(it).or_default().push(block);
            n += 1;
        }
        waits.insert(block, n);
    }
    let entry = |it| Reverse((places.get(it), it));
    let mut free: BinaryHeap<_> =
        waits.iter().filter(|(_, n)| **n == 0).map(|(it, _)| entry(*it)).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, block))) = free.pop() {
        waits.remove(block);
        order.push(block.clone());
        for held in holds.get(block).into_iter().flatten() {
            if let Some(n) = waits.get_mut(held) {
                *n -= 1;
                if *n == 0 {
                    free.push(entry(*held));
                }
            }
        }
    }
    let mut circular: Vec<&At> = waits.into_keys().collect();
    circular.sort_by_key(|it| places.get(it));
    order.extend(circular.into_iter().cloned());
    order
}
