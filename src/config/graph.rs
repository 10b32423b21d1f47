//! What refers to what, through locals and variables: the order of evaluation, and the circles that have none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Need, Node, Validation};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::Address;

/// The resources that something refers to.
type Reached = Arc<BTreeSet<Address>>;

/// Notes in every resource what it refers to, and returns all resources in an order in which each comes after what it
/// refers to; ties are in source order. Circles are reported, and come last.
pub(crate) fn order(blocks: &mut Blocks) -> (Vec<Address>, Vec<Diagnostic>) {
    let edges = edges(blocks);
    let (visited, mut problems) = visit(&edges);
    problems.extend(early(blocks, &edges));
    let mut reached: HashMap<&Node, Reached> = HashMap::new();
    // Thousands of peers refer to the same interface, and to nothing else.
    let mut shared: BTreeSet<Reached> = BTreeSet::new();
    for node in visited {
        let mut own = BTreeSet::new();
        for (to, _) in edges.get(node).into_iter().flatten() {
            match to {
                Node::Resource(address, _) => {
                    own.insert(address.clone());
                }
                other => {
                    own.extend(reached.get(other).into_iter().flat_map(|it| it.iter().cloned()))
                }
            }
        }
        let own = shared.get(&own).cloned().unwrap_or_else(|| Arc::new(own));
        shared.insert(own.clone());
        match node {
            Node::Resource(address, _) => {
                if let Some(resource) = blocks.resources.get_mut(address) {
                    resource.refers_to = own;
                }
            }
            other => _ = reached.insert(other, own),
        }
    }
    (sorted(blocks), problems)
}

type Edges = BTreeMap<Node, Vec<(Node, Span)>>;

fn edges(blocks: &Blocks) -> Edges {
    let mut edges = Edges::new();
    let mut add = |node: Node, needs: &mut dyn Iterator<Item = &Need>| {
        let to = needs.map(|need| (need.node.block(), need.span.clone()));
        edges.entry(node).or_default().extend(to);
    };
    for (name, it) in &blocks.variables {
        add(Node::Variable(name.clone()), &mut it.default.iter().flat_map(|it| &it.needs));
    }
    for (name, it) in &blocks.locals {
        add(Node::Local(name.clone()), &mut it.value.needs.iter());
    }
    for (id, it) in &blocks.backends {
        add(Node::Backend(id.clone()), &mut it.attributes.values().flat_map(|it| &it.needs));
    }
    for (address, it) in &blocks.resources {
        let conditions = it.lifecycle.conditions().flat_map(Validation::expressions);
        let expressions = it.attributes.values().chain(&it.prevent_destroy).chain(conditions);
        let node = Node::Resource(address.clone(), None);
        add(node, &mut expressions.flat_map(|it| &it.needs));
    }
    for (name, it) in &blocks.data {
        let expressions = it.backend.iter().chain(&it.name);
        add(Node::Data(name.clone()), &mut expressions.flat_map(|it| &it.needs));
    }
    for (address, it) in &blocks.resources {
        let named = it.depends_on.iter().map(|(to, span)| (to.clone(), span));
        let triggers = it.lifecycle.triggers.iter().map(|it| (it.block(), &it.span));
        let named = named.chain(triggers);
        let named = named.map(|(to, span)| (Node::Resource(to, None), span.clone()));
        edges.entry(Node::Resource(address.clone(), None)).or_default().extend(named);
    }
    edges
}

/// So many circles are reported: where everything refers to everything there is one for each pair.
const CIRCLES: usize = 20;

/// Visits every node after what it refers to, and reports circles.
fn visit(edges: &Edges) -> (Vec<&Node>, Vec<Diagnostic>) {
    let (mut done, mut problems) = (Vec::new(), Vec::new());
    // Whether a node is finished; one that is not finished is on the path.
    let mut state: HashMap<&Node, bool> = HashMap::new();
    for root in edges.keys() {
        if state.contains_key(root) {
            continue;
        }
        state.insert(root, false);
        let mut path: Vec<(&Node, usize)> = vec![(root, 0)];
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
                    problems.push(circle(edges, &path, to));
                }
                _ => {}
            }
        }
    }
    (done, problems)
}

/// Describes the circle from a node on the path back to itself.
fn circle(edges: &Edges, path: &[(&Node, usize)], start: &Node) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("circular references");
    let from = path.iter().position(|(node, _)| *node == start).unwrap_or(0);
    for (node, next) in &path[from..] {
        let edge = next.checked_sub(1).and_then(|i| edges.get(*node)?.get(i));
        if let Some((to, span)) = edge {
            diagnostic = diagnostic.label(span, format!("`{node}` refers to `{to}` here"));
        }
    }
    diagnostic.help("Replace one of these references by a value.")
}

/// Reports what is evaluated before any device is read, and refers to a resource all the same.
fn early(blocks: &Blocks, edges: &Edges) -> Vec<Diagnostic> {
    let Blocks { settings, variables, backends, .. } = blocks;
    let mut early: Vec<(&str, &Expr)> = Vec::new();
    early.extend(
        settings.default_backend.iter().chain(&settings.state_path).map(|it| ("wgform", it)),
    );
    for variable in variables.values() {
        let checks = variable.validations.iter().flat_map(|it| [&it.condition, &it.message]);
        early.extend(variable.default.iter().chain(checks).map(|it| ("variable", it)));
    }
    early.extend(backends.values().flat_map(|it| it.attributes.values()).map(|it| ("backend", it)));
    let needs = early.iter().flat_map(|(place, it)| it.needs.iter().map(move |need| (place, need)));
    let mut problems = Vec::new();
    for (place, need) in needs {
        let Some((node, span)) = first_resource(edges, need) else { continue };
        let diagnostic = Diagnostic::error("reference to a resource that is not known yet")
            .label(&need.span, format!("a `{place}` block cannot depend on `{node}`"));
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

/// Finds a resource that a reference leads to, and the reference that names it.
fn first_resource(edges: &Edges, need: &Need) -> Option<(Node, Span)> {
    let start = (need.node.block(), need.span.clone());
    let (mut queue, mut seen) = (vec![&start], BTreeSet::new());
    while let Some((node, span)) = queue.pop() {
        if matches!(node, Node::Resource(..) | Node::Data(_)) {
            return Some((node.clone(), span.clone()));
        }
        // A backend that refers to a resource is reported at that backend.
        if seen.insert(node) && !matches!(node, Node::Backend(_)) {
            queue.extend(edges.get(node).into_iter().flatten());
        }
    }
    None
}

/// Sorts the resources: what is free first, in source order.
fn sorted(blocks: &Blocks) -> Vec<Address> {
    let mut waits: HashMap<&Address, usize> = HashMap::new();
    let mut holds: HashMap<&Address, Vec<&Address>> = HashMap::new();
    for (address, resource) in &blocks.resources {
        let on = resource.refers_to.iter().filter(|it| blocks.resources.contains_key(it));
        let mut n = 0;
        for it in on {
            holds.entry(it).or_default().push(address);
            n += 1;
        }
        waits.insert(address, n);
    }
    let place = |address: &Address| blocks.resources.get(address).map_or(0, |it| it.order);
    let free = waits.iter().filter(|(_, n)| **n == 0);
    let mut free: BinaryHeap<_> = free.map(|(it, _)| Reverse((place(it), *it))).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, address))) = free.pop() {
        waits.remove(address);
        order.push(address.clone());
        for held in holds.get(address).into_iter().flatten() {
            if let Some(n) = waits.get_mut(held) {
                *n -= 1;
                if *n == 0 {
                    free.push(Reverse((place(held), held)));
                }
            }
        }
    }
    let mut circular: Vec<&Address> = waits.into_keys().collect();
    circular.sort_by_key(|it| place(it));
    order.extend(circular.into_iter().cloned());
    order
}
