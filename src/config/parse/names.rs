//! Checks every name in every expression against what is declared, and notes what refers to what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Module, ModuleBlock, Need, Node, Repetition};
use crate::config::broken::Broken;
use crate::config::foreign;
use crate::config::function;
use crate::config::hold::HoldBlock;
use crate::config::parse::body::or;
use crate::config::parse::data::data_attribute;
use crate::config::parse::{Given, Parser};
use crate::config::reference::{Found, Name, walk_in};
use crate::config::suggest::suggestion;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, BackendId, Form, Kind, declaration};

/// The words that a reference can start with.
const ROOTS: &[&str] = &[
    "var",
    "local",
    "backend",
    "interface",
    "peer",
    "preshared_key",
    "module",
    "each",
    "count",
    "data",
];

/// What an expression can use by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Within {
    /// `each`.
    pub(crate) each: bool,
    /// `count`.
    pub(crate) count: bool,
    /// What `self` is.
    pub(crate) this: Option<Kind>,
}

impl Within {
    pub(crate) const NOTHING: Self = Self { each: false, count: false, this: None };

    fn of(repetition: &Repetition) -> Self {
        Self {
            each: matches!(repetition, Repetition::ForEach(_)),
            count: matches!(repetition, Repetition::Count(_)),
            this: None,
        }
    }
}

impl Parser {
    /// Fills in what every expression needs.
    pub(super) fn resolve_names(&mut self, modules: &[Module]) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let broken = std::mem::take(&mut blocks.broken);
        let mut declared = Declared::of(&blocks, modules, broken);
        declared.is_root = self.is_root;
        let mut problems = Vec::new();
        blocks.each_expression(&mut |expr, within| {
            declared.resolve(expr, within, &[], &mut problems);
        });
        for import in &mut blocks.refactoring.imports {
            let bound: &[&str] = if import.for_each.is_some() { &["each"] } else { &[] };
            import
                .expressions()
                .for_each(|it| declared.resolve(it, Within::NOTHING, bound, &mut problems));
        }
        for resource in blocks.resources.values() {
            for it in &resource.lifecycle.triggers {
                problems.extend(declared.unknown_resource(&it.block(), &it.span));
            }
            for (node, span) in &resource.depends_on {
                problems.extend(declared.unknown_node(node, span));
            }
            if let Some((address, span)) = &resource.adopt_from {
                problems.extend(declared.unknown_resource(address, span));
            }
        }
        for (node, span) in blocks.modules.values().flat_map(|it| &it.depends_on) {
            problems.extend(declared.unknown_node(node, span));
        }
        blocks.broken = declared.broken;
        self.blocks = blocks;
        self.problems.extend(problems);
    }
}

impl Blocks {
    /// Visits every expression that is evaluated, with what it can use by where it stands.
    pub(crate) fn each_expression(&mut self, visit: &mut dyn FnMut(&mut Expr, Within)) {
        let Self {
            settings,
            variables,
            locals,
            outputs,
            modules,
            backends,
            resources,
            refactoring,
            data,
            checks,
            holds,
            broken: _,
            ignored: _,
        } = self;
        let mut plain = |expr: &mut Expr| visit(expr, Within::NOTHING);
        let asserts = checks.values_mut().flat_map(|it| &mut it.asserts);
        asserts.flat_map(|it| [&mut it.condition, &mut it.message]).for_each(&mut plain);
        holds.iter_mut().flat_map(HoldBlock::expressions).for_each(&mut plain);
        data.values_mut()
            .flat_map(|it| it.backend.iter_mut().chain(&mut it.name))
            .for_each(&mut plain);
        refactoring.imports.iter_mut().filter_map(|it| it.for_each.as_mut()).for_each(&mut plain);
        settings.expressions_mut().for_each(&mut plain);
        for variable in variables.values_mut() {
            variable.default.iter_mut().for_each(&mut plain);
            for validation in &mut variable.validations {
                plain(&mut validation.condition);
                plain(&mut validation.message);
            }
        }
        locals.values_mut().for_each(|local| plain(&mut local.value));
        outputs.values_mut().flat_map(|it| it.value.iter_mut()).for_each(&mut plain);
        for module in modules.values_mut() {
            let within = Within::of(&module.repetition);
            module.arguments.values_mut().for_each(|(_, it)| visit(it, within));
            module.repetition.expr_mut().into_iter().for_each(|it| visit(it, Within::NOTHING));
        }
        for backend in backends.values_mut() {
            let within = Within::of(&backend.repetition);
            let login = backend.read.iter_mut().flat_map(|it| it.attributes.values_mut());
            backend.attributes.values_mut().chain(login).for_each(|it| visit(it, within));
            backend.repetition.expr_mut().into_iter().for_each(|it| visit(it, Within::NOTHING));
        }
        for (address, resource) in resources {
            let within = Within::of(&resource.repetition);
            resource.attributes.values_mut().for_each(|it| visit(it, within));
            resource.prevent_destroy.iter_mut().for_each(|it| visit(it, within));
            resource.repetition.expr_mut().into_iter().for_each(|it| visit(it, Within::NOTHING));
            for it in &mut resource.lifecycle.preconditions {
                visit(&mut it.condition, within);
                visit(&mut it.message, within);
            }
            let after = Within { this: Some(address.kind), ..within };
            for it in &mut resource.lifecycle.postconditions {
                visit(&mut it.condition, after);
                visit(&mut it.message, after);
            }
        }
    }
}

impl Given {
    /// Returns where the value was given.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Expression(expr) => expr.span(),
            Self::Text(source) => Span { source: source.clone(), range: 0..source.text.len() },
        }
    }
}

/// The names that are declared.
pub(crate) struct Declared<'m> {
    is_root: bool,
    variables: BTreeSet<Arc<str>>,
    locals: BTreeSet<Arc<str>>,
    backends: BTreeSet<BackendId>,
    /// With the argument by which each is repeated.
    resources: BTreeMap<Address, Option<&'static str>>,
    /// With the argument by which each is repeated, and what it calls.
    modules: BTreeMap<Arc<str>, (Option<&'static str>, Option<&'m Blocks>)>,
    data: BTreeSet<Arc<str>>,
    broken: Broken,
}

impl<'m> Declared<'m> {
    /// Takes the names from the blocks of a module.
    pub(crate) fn of(blocks: &Blocks, modules: &'m [Module], broken: Broken) -> Self {
        let called = |it: &ModuleBlock| {
            (it.repetition.argument(), it.module.map(|number| &modules[number].blocks))
        };
        Self {
            is_root: true,
            broken,
            variables: blocks.variables.keys().cloned().collect(),
            locals: blocks.locals.keys().cloned().collect(),
            backends: blocks.backends.keys().cloned().collect(),
            resources: blocks
                .resources
                .iter()
                .map(|(address, it)| (address.clone(), it.repetition.argument()))
                .collect(),
            modules: blocks.modules.iter().map(|(label, it)| (label.clone(), called(it))).collect(),
            data: blocks.data.keys().cloned().collect(),
        }
    }

    /// Checks the names of an expression, around which some are bound.
    pub(crate) fn resolve(
        &self,
        expr: &mut Expr,
        within: Within,
        bound: &[&str],
        problems: &mut Vec<Diagnostic>,
    ) {
        let Expr { expression, source, needs, head: _ } = expr;
        let at = |range: Range<usize>| Span { source: source.clone(), range };
        walk_in(expression, bound, &mut |found| match found {
            Found::Name(Name { root: "path", name: Some("module" | "root" | "cwd"), .. }) => {}
            Found::Name(name) if matches!(name.root, "each" | "count") => {
                problems.extend(repeated(&name, within, &at));
            }
            Found::Name(name) if name.root == "self" => {
                problems.extend(own_attribute(&name, within.this, &at).err());
            }
            Found::Name(name) => match self.node(&name, &at) {
                Ok(node) => needs.push(Need { node, span: at(name.range.clone()) }),
                Err(problem) => problems.extend(problem),
            },
            Found::Call(call) => {
                let name = call.name.name.as_str();
                let is_plain = call.name.namespace.is_empty();
                if !(is_plain && function::names().any(|it| it == name)) {
                    let range = hcl_edit::Span::span(&call.name.name).unwrap_or_default();
                    problems.push(unknown_function(name, &at(range)));
                }
            }
            Found::Text(..) => {}
        });
        // Most expressions need one thing, and there are many expressions.
        needs.shrink_to_fit();
    }

    /// Checks what `depends_on` names.
    fn unknown_node(&self, node: &Node, span: &Span) -> Option<Diagnostic> {
        match node {
            Node::Resource(address, _) => self.unknown_resource(address, span),
            Node::Inside(label) if !self.modules.contains_key(label) => {
                self.unknown("module", label, span)
            }
            _ => None,
        }
    }

    /// Finds what a name means; nothing is said of one whose declaration may be what cannot be read.
    fn node(
        &self,
        it: &Name,
        at: &dyn Fn(Range<usize>) -> Span,
    ) -> Result<Node, Option<Diagnostic>> {
        let Some(root) = ROOTS.iter().find(|root| **root == it.root) else {
            return Err(Some(self.unknown_root(it, &at(it.start.clone()))));
        };
        let Some(name) = it.name else {
            let diagnostic = Diagnostic::error("reference without a name")
                .label(&at(it.range.clone()), "a name has to follow")
                .help(format!("Write it as `{root}.NAME`."));
            return Err(Some(diagnostic));
        };
        if let Some(kind) = Kind::from_block(root) {
            return self.resource(kind, name, it, at);
        }
        if *root == "module" {
            return self.output(name, it, at);
        }
        if *root == "data" {
            return self.data(name, it, at);
        }
        let found = match *root {
            "var" => self.variables.get(name).map(|name| Node::Variable(name.clone())),
            "local" => self.locals.get(name).map(|name| Node::Local(name.clone())),
            _ => Some(BackendId::new(name)).filter(|id| self.has_backend(id)).map(Node::Backend),
        };
        found.ok_or_else(|| self.unknown(root, name, &at(it.range.clone())))
    }

    fn has_backend(&self, id: &BackendId) -> bool {
        // The implicit backend can be named too.
        let is_alone = self.is_root && self.backends.is_empty();
        let is_implicit = is_alone && id.as_str() == BackendId::LOCAL;
        self.backends.contains(id) || (is_implicit && !self.broken.lacks("backend"))
    }

    fn resource(
        &self,
        kind: Kind,
        label: &str,
        it: &Name,
        at: &dyn Fn(Range<usize>) -> Span,
    ) -> Result<Node, Option<Diagnostic>> {
        let address = Address::root(kind, label);
        let Some(repeated) = self.resources.get(&address) else {
            return Err(self.unknown_resource(&address, &at(it.range.clone())));
        };
        let Some((name, range)) = &it.attribute else {
            return Ok(Node::Resource(address, None));
        };
        if repeated.is_some() {
            // What follows may be a key.
            return Ok(Node::Resource(address, None));
        }
        referable(kind, name, &at(range.clone()))
            .map(|attribute| Node::Resource(address, Some(attribute)))
            .map_err(Some)
    }

    /// Finds the interface of somebody else that a name means.
    fn data(
        &self,
        kind: &str,
        it: &Name,
        at: &dyn Fn(Range<usize>) -> Span,
    ) -> Result<Node, Option<Diagnostic>> {
        if kind != "interface" {
            return Err(Some(
                Diagnostic::error("reference to an unknown name")
                    .label(&at(it.range.clone()), format!("there is no data `{kind}`"))
                    .help("Write it as `data.interface.NAME`."),
            ));
        }
        let Some((name, _)) = &it.attribute else {
            let diagnostic = Diagnostic::error("reference without a name")
                .label(&at(it.range.clone()), "a name has to follow")
                .help("Write it as `data.interface.NAME`.");
            return Err(Some(diagnostic));
        };
        let Some(name) = self.data.get(*name) else {
            return Err(self.unknown("data", name, &at(it.range.clone())));
        };
        if let Some((attribute, range)) = &it.after {
            data_attribute(attribute, &at(range.clone())).map_err(Some)?;
        }
        Ok(Node::Data(name.clone()))
    }

    /// Finds a module, or an output of it.
    fn output(
        &self,
        label: &str,
        it: &Name,
        at: &dyn Fn(Range<usize>) -> Span,
    ) -> Result<Node, Option<Diagnostic>> {
        let Some((key, (repeated, blocks))) = self.modules.get_key_value(label) else {
            return Err(self.unknown("module", label, &at(it.range.clone())));
        };
        let Some((name, range)) = &it.attribute else {
            return Ok(Node::Module(key.clone(), None));
        };
        if repeated.is_some() {
            return Ok(Node::Module(key.clone(), None));
        }
        // What cannot be read has been reported.
        let Some(blocks) = blocks else { return Err(None) };
        unknown_output(blocks, label, name, &at(range.clone()))?;
        Ok(Node::Module(key.clone(), Some((*name).into())))
    }

    /// Says that there is no such resource, unless there is.
    fn unknown_resource(&self, address: &Address, span: &Span) -> Option<Diagnostic> {
        let block = Address::root(address.kind, address.label.clone());
        if self.resources.contains_key(&block) {
            return None;
        }
        self.unknown(address.kind.as_str(), &address.label, span)
    }

    /// Says that there is no such thing, and what may be meant.
    fn unknown(&self, root: &str, name: &str, span: &Span) -> Option<Diagnostic> {
        if self.broken.may_declare(root, name) {
            return None;
        }
        let diagnostic = match root {
            "var" => Diagnostic::error("reference to an unknown variable"),
            "local" => Diagnostic::error("reference to an unknown local value"),
            "backend" => Diagnostic::error("reference to an unknown backend"),
            "module" => Diagnostic::error("reference to an unknown module"),
            "interface" => Diagnostic::error("reference to an unknown interface"),
            "peer" => Diagnostic::error("reference to an unknown peer"),
            "data" => Diagnostic::error("reference to unknown data"),
            _ => Diagnostic::error("reference to an unknown pre-shared key"),
        };
        let (label, declaration) = match root {
            "local" => (
                format!("no `{name}` in the `locals` of this configuration"),
                format!("`{name} = …` in a `locals` block"),
            ),
            "backend" => (
                format!("no backend `{name}` in this configuration"),
                format!("`backend \"local\" \"{name}\" {{ … }}`"),
            ),
            "data" => (
                format!("no `data \"interface\" \"{name}\"` in this configuration"),
                format!("`data \"interface\" \"{name}\" {{ … }}`"),
            ),
            root => {
                let block = if root == "var" { "variable" } else { root };
                (
                    format!("no `{block} \"{name}\"` in this configuration"),
                    format!("`{block} \"{name}\" {{ … }}`"),
                )
            }
        };
        Some(diagnostic.label(span, label).help(match self.meant(root, name) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None if root == "backend" && !self.is_root => {
                "A module has no backends: give it one as the value of a variable with `type = backend`.".to_owned()
            }
            None => format!("Declare it with {declaration}."),
        }))
    }

    /// Finds the reference that was most likely meant: a name like it, or the same name of something else.
    fn meant(&self, root: &str, name: &str) -> Option<String> {
        let of = |root: &str, name: &str| match root {
            "data" => format!("data.interface.{name}"),
            root => format!("{root}.{name}"),
        };
        let near = suggestion(name, self.names(root)).map(|near| of(root, near));
        near.or_else(|| {
            let other = ROOTS.iter().find(|root| self.names(root).any(|it| it == name))?;
            Some(of(other, name))
        })
    }

    /// Lists what a root has.
    fn names(&self, root: &str) -> Box<dyn Iterator<Item = &str> + '_> {
        match (root, Kind::from_block(root)) {
            (_, Some(kind)) => {
                let of_kind = self.resources.keys().filter(move |it| it.kind == kind);
                Box::new(of_kind.map(|it| &*it.label))
            }
            ("var", _) => Box::new(self.variables.iter().map(|it| &**it)),
            ("data", _) => Box::new(self.data.iter().map(|it| &**it)),
            ("local", _) => Box::new(self.locals.iter().map(|it| &**it)),
            ("module", _) => Box::new(self.modules.keys().map(|it| &**it)),
            ("each" | "count", _) => Box::new(std::iter::empty()),
            _ => Box::new(self.backends.iter().map(BackendId::as_str)),
        }
    }

    fn unknown_root(&self, it: &Name, span: &Span) -> Diagnostic {
        let root = it.root;
        let diagnostic = Diagnostic::error("reference to an unknown name");
        if let ("path", Some(name)) = (root, it.name) {
            let label = format!("`path` has no `{name}`");
            return diagnostic
                .label(span, label)
                .help("Write `path.module`, `path.root` or `path.cwd`.");
        }
        if let Some(advice) = foreign::root(root) {
            let label = format!("this version of wgform has no `{root}`");
            return diagnostic.label(span, label).help(advice);
        }
        let diagnostic = diagnostic.label(span, format!("there is no `{root}` here"));
        let near = suggestion(root, ROOTS.iter().copied());
        match (near, it.name) {
            (Some(near), Some(name)) if self.names(near).any(|it| it == name) => {
                diagnostic.help(format!("Did you mean `{near}.{name}`?"))
            }
            (Some(near), _) => diagnostic.help(format!("Did you mean `{near}`?")),
            (None, None) if it.operators == 0 => {
                diagnostic.help(format!("Write a text in quotes: \"{root}\"."))
            }
            _ => diagnostic.help("A reference starts with `var`, `local`, `backend`, `interface`, `peer`, `preshared_key`, `module` or `data`."),
        }
    }
}

/// Checks a reference to the resource that an expression stands in.
fn own_attribute(
    it: &Name,
    this: Option<Kind>,
    at: &dyn Fn(Range<usize>) -> Span,
) -> Result<(), Diagnostic> {
    let Some(kind) = this else {
        return Err(Diagnostic::error("reference to an unknown name")
            .label(&at(it.start.clone()), "there is a `self` only in a `postcondition`")
            .help("Name the block, such as `interface.NAME`."));
    };
    let Some(name) = it.name else {
        return Err(Diagnostic::error("reference without a name")
            .label(&at(it.range.clone()), "an attribute has to follow")
            .help("Write it as `self.ATTRIBUTE`."));
    };
    // The attribute is the first name here.
    let end =
        it.attribute.as_ref().map_or(it.range.end, |(_, second)| second.start.saturating_sub(1));
    referable(kind, name, &at(it.start.end + 1..end)).map(drop)
}

/// Checks `each.key`, `each.value` and `count.index`.
fn repeated(it: &Name, within: Within, at: &dyn Fn(Range<usize>) -> Span) -> Option<Diagnostic> {
    let (has, names, argument): (bool, &[&str], _) = match it.root {
        "each" => (within.each, &["key", "value"], "for_each"),
        _ => (within.count, &["index"], "count"),
    };
    let root = it.root;
    if !has {
        let problem = Diagnostic::error("key of an instance outside of a repeated block")
            .label(&at(it.range.clone()), format!("there is no `{argument}` around this"));
        return Some(
            problem.help(format!("`{root}` is for the arguments of a block with `{argument}`.")),
        );
    }
    match it.name {
        Some(name) if names.contains(&name) => None,
        _ => {
            let usable: Vec<_> = names.iter().map(|name| format!("`{root}.{name}`")).collect();
            let problem = Diagnostic::error("reference to an unknown name")
                .label(&at(it.range.clone()), "this is no part of an instance");
            Some(problem.help(format!("Write {}.", or(&usable))))
        }
    }
}

/// Says that a module has no such output, unless it has.
pub(crate) fn unknown_output(
    blocks: &Blocks,
    label: &str,
    name: &str,
    span: &Span,
) -> Result<(), Option<Diagnostic>> {
    if blocks.outputs.contains_key(name) {
        return Ok(());
    }
    if blocks.broken.may_declare("output", name) {
        return Err(None);
    }
    let near = suggestion(name, blocks.outputs.keys().map(String::as_str));
    let problem = Diagnostic::error("reference to an unknown output")
        .label(span, format!("`module.{label}` has no output `{name}`"));
    Err(Some(problem.help(match near {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Declare it in the module with `output \"{name}\" {{ … }}`."),
    })))
}

/// Finds an attribute that can be referred to.
pub(crate) fn referable(kind: Kind, name: &str, span: &Span) -> Result<&'static str, Diagnostic> {
    let Some(attribute) = declaration::attribute(kind, name) else {
        let diagnostic = Diagnostic::error("reference to an unknown attribute")
            .label(span, format!("`{kind}` has no attribute `{name}`"));
        let names = declaration::attributes(kind).iter().map(|it| it.name);
        return Err(match suggestion(name, names) {
            Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
            None => {
                let names = declaration::attributes(kind).iter().map(|it| format!("`{}`", it.name));
                diagnostic.help(format!("It can be {}.", or(&names.collect::<Vec<_>>())))
            }
        });
    };
    if !attribute.form.is_secret() {
        return Ok(attribute.name);
    }
    let hint = match kind {
        Kind::Interface => "Refer to the `public_key`, or give both places the same variable.",
        Kind::Peer | Kind::PresharedKey => {
            "Declare a `preshared_key` and refer to it as a whole, as in `preshared_key = preshared_key.NAME`."
        }
    };
    Err(Diagnostic::error("reference to a secret")
        .label(span, format!("`{name}` of `{kind}` cannot be referred to"))
        .help(hint))
}

/// Says that there is no such function, and what to call instead.
pub(crate) fn unknown_function(name: &str, span: &Span) -> Diagnostic {
    if let Some(why) = function::refused(name) {
        let label = format!("`{name}` is left out on purpose");
        return Diagnostic::error("call of an unknown function").label(span, label).help(why);
    }
    let diagnostic = Diagnostic::error("call of an unknown function")
        .label(span, format!("this version of wgform has no function `{name}`"));
    match suggestion(name, function::names()) {
        Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
        None => diagnostic.help(function::ALL),
    }
}

/// Returns whether a form is a reference, which has no text of its own.
pub(crate) fn is_reference(form: &Form) -> bool {
    matches!(form, Form::Reference(_) | Form::Backend)
}
