//! Checks every name in every expression against what is declared, and notes what refers to what.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Need, Node};
use crate::config::function;
use crate::config::parse::{Given, Parser};
use crate::config::reference::{Found, Name, walk};
use crate::config::suggest::suggestion;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, BackendId, Form, Kind, declaration};

/// The words that a reference can start with.
const ROOTS: &[&str] = &["var", "local", "backend", "interface", "peer", "preshared_key"];

/// What other tools, and later versions, have.
const LATER_ROOTS: &[&str] =
    &["each", "count", "self", "path", "module", "data", "terraform", "wgform", "output"];

impl Parser {
    /// Fills in what every expression needs.
    pub(super) fn resolve_names(&mut self) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let declared = Declared::of(&blocks);
        let mut problems = Vec::new();
        blocks.each_expression(&mut |expr| {
            declared.resolve(expr, &mut problems);
        });
        for resource in blocks.resources.values() {
            for (address, span) in resource.depends_on.iter().chain(&resource.adopt_from) {
                if !declared.resources.contains(address) {
                    problems.push(Problem::Unknown(declared.unknown_resource(address, span)));
                }
            }
        }
        self.blocks = blocks;
        for problem in problems {
            match problem {
                // Its declaration may be what could not be read.
                Problem::Unknown(_) if self.is_partial => {}
                Problem::Unknown(diagnostic) | Problem::Wrong(diagnostic) => {
                    self.problems.push(diagnostic);
                }
            }
        }
    }
}

impl Blocks {
    /// Visits every expression that is evaluated.
    pub(crate) fn each_expression(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        let Self { settings, variables, locals, outputs, backends, resources } = self;
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

enum Problem {
    /// Of a name that is not there.
    Unknown(Diagnostic),
    /// Of a name that is.
    Wrong(Diagnostic),
}

/// The names that are declared.
struct Declared {
    variables: BTreeSet<Arc<str>>,
    locals: BTreeSet<Arc<str>>,
    backends: BTreeSet<BackendId>,
    resources: BTreeSet<Address>,
}

impl Declared {
    fn of(blocks: &Blocks) -> Self {
        Self {
            variables: blocks.variables.keys().cloned().collect(),
            locals: blocks.locals.keys().cloned().collect(),
            backends: blocks.backends.keys().cloned().collect(),
            resources: blocks.resources.keys().cloned().collect(),
        }
    }

    fn resolve(&self, expr: &mut Expr, problems: &mut Vec<Problem>) {
        let Expr { expression, source, needs } = expr;
        let at = |range: Range<usize>| Span { source: source.clone(), range };
        walk(expression, &mut |found| match found {
            Found::Name(name) => {
                let span = at(name.range.clone());
                match self.node(&name, &at) {
                    Ok(node) => needs.push(Need { node, span }),
                    Err(problem) => problems.push(problem),
                }
            }
            Found::Call(call) => {
                let name = call.name.name.as_str();
                let is_plain = call.name.namespace.is_empty();
                if !(is_plain && function::names().any(|it| it == name)) {
                    let range = hcl_edit::Span::span(&call.name.name).unwrap_or_default();
                    problems.push(Problem::Wrong(unknown_function(name, &at(range))));
                }
            }
            Found::Text(..) => {}
        });
        // Most expressions need one thing, and there are many expressions.
        needs.shrink_to_fit();
    }

    fn node(&self, it: &Name, at: &dyn Fn(Range<usize>) -> Span) -> Result<Node, Problem> {
        let span = at(it.range.clone());
        let Some(root) = ROOTS.iter().find(|root| **root == it.root) else {
            return Err(Problem::Wrong(unknown_root(it, &at(it.start.clone()))));
        };
        let Some(name) = it.name else {
            return Err(Problem::Wrong(
                Diagnostic::error("reference without a name")
                    .label(&span, format!("a name has to follow, such as `{root}.NAME`")),
            ));
        };
        let missing = |what: String, names: Vec<&str>| {
            let diagnostic = Diagnostic::error(unknown_summary(root)).label(&span, what);
            Problem::Unknown(match suggestion(name, names) {
                Some(near) => diagnostic.help(format!("Did you mean `{root}.{near}`?")),
                None => diagnostic,
            })
        };
        match (*root, Kind::from_block(root)) {
            (_, Some(kind)) => self.resource(kind, name, it, at),
            ("var", _) => match self.variables.get(name) {
                Some(name) => Ok(Node::Variable(name.clone())),
                None => Err(missing(
                    format!("no `variable \"{name}\"` in this configuration"),
                    self.variables.iter().map(|it| &**it).collect(),
                )),
            },
            ("local", _) => match self.locals.get(name) {
                Some(name) => Ok(Node::Local(name.clone())),
                None => Err(missing(
                    format!("no `{name}` in the `locals` of this configuration"),
                    self.locals.iter().map(|it| &**it).collect(),
                )),
            },
            _ => {
                let id = BackendId::new(name);
                // The implicit backend can be named too.
                let is_implicit = self.backends.is_empty() && name == BackendId::LOCAL;
                if is_implicit || self.backends.contains(&id) {
                    return Ok(Node::Backend(id));
                }
                Err(missing(
                    format!("no backend `{name}` in this configuration"),
                    self.backends.iter().map(BackendId::as_str).collect(),
                ))
            }
        }
    }

    fn resource(
        &self,
        kind: Kind,
        label: &str,
        it: &Name,
        at: &dyn Fn(Range<usize>) -> Span,
    ) -> Result<Node, Problem> {
        let address = Address::root(kind, label);
        if !self.resources.contains(&address) {
            return Err(Problem::Unknown(self.unknown_resource(&address, &at(it.range.clone()))));
        }
        let Some((name, range)) = &it.attribute else {
            return Ok(Node::Resource(address, None));
        };
        referable(kind, name, &at(range.clone()))
            .map(|attribute| Node::Resource(address, Some(attribute)))
            .map_err(Problem::Wrong)
    }

    fn unknown_resource(&self, address: &Address, span: &Span) -> Diagnostic {
        let Address { kind, label, .. } = address;
        let summary = unknown_summary(kind.as_str());
        let diagnostic = Diagnostic::error(summary)
            .label(span, format!("no `{kind} \"{label}\"` in this configuration"));
        let of_kind = self.resources.iter().filter(|it| it.kind == *kind);
        match suggestion(label, of_kind.map(|it| it.label.as_str())) {
            Some(near) => diagnostic.help(format!("Did you mean `{kind}.{near}`?")),
            None => diagnostic,
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
            None => diagnostic,
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

fn unknown_summary(root: &str) -> &'static str {
    match root {
        "var" => "reference to an unknown variable",
        "local" => "reference to an unknown local value",
        "backend" => "reference to an unknown backend",
        "interface" => "reference to an unknown interface",
        "peer" => "reference to an unknown peer",
        _ => "reference to an unknown pre-shared key",
    }
}

fn unknown_root(it: &Name, span: &Span) -> Diagnostic {
    let root = it.root;
    let diagnostic = Diagnostic::error("reference to an unknown name");
    if LATER_ROOTS.contains(&root) {
        return diagnostic.label(span, format!("this version of wgform has no `{root}`"));
    }
    let diagnostic = diagnostic.label(span, format!("there is no `{root}` here"));
    match suggestion(root, ROOTS.iter().copied()) {
        Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
        None if it.operators == 0 => {
            diagnostic.help(format!("Write a text in quotes: \"{root}\"."))
        }
        None => diagnostic.help("A reference starts with `var`, `local`, `backend`, `interface`, `peer` or `preshared_key`."),
    }
}

fn unknown_function(name: &str, span: &Span) -> Diagnostic {
    let diagnostic = Diagnostic::error("call of an unknown function")
        .label(span, format!("this version of wgform has no function `{name}`"));
    match suggestion(name, function::names()) {
        Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// Returns whether a form is a reference, which has no text of its own.
pub(crate) fn is_reference(form: &Form) -> bool {
    matches!(form, Form::Reference(_) | Form::Backend)
}
