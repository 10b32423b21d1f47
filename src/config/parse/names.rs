//! Checks every name in every expression against what is declared, and notes what refers to what.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Need, Node};
use crate::config::broken::Broken;
use crate::config::foreign;
use crate::config::function;
use crate::config::parse::body::or;
use crate::config::parse::{Given, Parser};
use crate::config::refactor::ImportBlock;
use crate::config::reference::{Found, Name, walk};
use crate::config::suggest::suggestion;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, BackendId, Form, Kind, declaration};

/// The words that a reference can start with.
const ROOTS: &[&str] = &["var", "local", "backend", "interface", "peer", "preshared_key"];

impl Parser {
    /// Fills in what every expression needs.
    pub(super) fn resolve_names(&mut self) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let declared = Declared::of(&mut blocks);
        let mut problems = Vec::new();
        blocks.each_expression(&mut |expr| {
            declared.resolve(expr, &mut problems);
        });
        for resource in blocks.resources.values() {
            for (address, span) in resource.depends_on.iter().chain(&resource.adopt_from) {
                if !declared.resources.contains(address) {
                    problems.extend(declared.unknown_resource(address, span));
                }
            }
        }
        blocks.broken = declared.broken;
        self.blocks = blocks;
        self.problems.extend(problems);
    }
}

impl Blocks {
    /// Visits every expression that is evaluated.
    pub(crate) fn each_expression(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        let Self { settings, variables, locals, outputs, backends, resources, .. } = self;
        settings.default_backend.iter_mut().chain(&mut settings.state_path).for_each(&mut *visit);
        for variable in variables.values_mut() {
            variable.default.iter_mut().for_each(&mut *visit);
            for validation in &mut variable.validations {
                visit(&mut validation.condition);
                visit(&mut validation.message);
            }
        }
        locals.values_mut().for_each(|local| visit(&mut local.value));
        for output in outputs.values_mut() {
            output.value.iter_mut().for_each(&mut *visit);
        }
        for backend in backends.values_mut() {
            backend.attributes.values_mut().for_each(&mut *visit);
        }
        for resource in resources.values_mut() {
            resource.attributes.values_mut().for_each(&mut *visit);
            resource.prevent_destroy.iter_mut().for_each(&mut *visit);
        }
        self.refactoring.imports.iter_mut().flat_map(ImportBlock::expressions).for_each(visit);
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
struct Declared {
    variables: BTreeSet<Arc<str>>,
    locals: BTreeSet<Arc<str>>,
    backends: BTreeSet<BackendId>,
    resources: BTreeSet<Address>,
    broken: Broken,
}

impl Declared {
    fn of(blocks: &mut Blocks) -> Self {
        Self {
            broken: std::mem::take(&mut blocks.broken),
            variables: blocks.variables.keys().cloned().collect(),
            locals: blocks.locals.keys().cloned().collect(),
            backends: blocks.backends.keys().cloned().collect(),
            resources: blocks.resources.keys().cloned().collect(),
        }
    }

    fn resolve(&self, expr: &mut Expr, problems: &mut Vec<Diagnostic>) {
        let Expr { expression, source, needs, head: _ } = expr;
        let at = |range: Range<usize>| Span { source: source.clone(), range };
        walk(expression, &mut |found| match found {
            Found::Name(Name { root: "path", name: Some("module" | "root" | "cwd"), .. }) => {}
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
        let found = match *root {
            "var" => self.variables.get(name).map(|name| Node::Variable(name.clone())),
            "local" => self.locals.get(name).map(|name| Node::Local(name.clone())),
            _ => Some(BackendId::new(name)).filter(|id| self.has_backend(id)).map(Node::Backend),
        };
        found.ok_or_else(|| self.unknown(root, name, &at(it.range.clone())))
    }

    fn has_backend(&self, id: &BackendId) -> bool {
        // The implicit backend can be named too.
        let is_implicit = self.backends.is_empty() && id.as_str() == BackendId::LOCAL;
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
        if !self.resources.contains(&address) {
            return Err(self.unknown_resource(&address, &at(it.range.clone())));
        }
        let Some((name, range)) = &it.attribute else {
            return Ok(Node::Resource(address, None));
        };
        referable(kind, name, &at(range.clone()))
            .map(|attribute| Node::Resource(address, Some(attribute)))
            .map_err(Some)
    }

    fn unknown_resource(&self, address: &Address, span: &Span) -> Option<Diagnostic> {
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
            "interface" => Diagnostic::error("reference to an unknown interface"),
            "peer" => Diagnostic::error("reference to an unknown peer"),
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
            None => format!("Declare it with {declaration}."),
        }))
    }

    /// Finds the reference that was most likely meant: a name like it, or the same name of something else.
    fn meant(&self, root: &str, name: &str) -> Option<String> {
        let near = suggestion(name, self.names(root)).map(|near| format!("{root}.{near}"));
        near.or_else(|| {
            let other = ROOTS.iter().find(|root| self.names(root).any(|it| it == name))?;
            Some(format!("{other}.{name}"))
        })
    }

    /// Lists what a root has.
    fn names(&self, root: &str) -> Box<dyn Iterator<Item = &str> + '_> {
        match (root, Kind::from_block(root)) {
            (_, Some(kind)) => {
                let of_kind = self.resources.iter().filter(move |it| it.kind == kind);
                Box::new(of_kind.map(|it| &*it.label))
            }
            ("var", _) => Box::new(self.variables.iter().map(|it| &**it)),
            ("local", _) => Box::new(self.locals.iter().map(|it| &**it)),
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
            _ => diagnostic.help("A reference starts with `var`, `local`, `backend`, `interface`, `peer` or `preshared_key`."),
        }
    }
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
