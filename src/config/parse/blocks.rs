//! Each type of block.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, Object, ObjectKey, ObjectValue};
use hcl_edit::structure::{Block, BlockLabel, Structure};

use crate::config::block::{
    BackendBlock, Expr, LocalBlock, Node, OutputBlock, ReadBlock, ResourceBlock, StateBlock,
    VariableBlock,
};
use crate::config::parse::Parser;
use crate::config::parse::body::{Contents, or};
use crate::config::parse::lifecycle::named;
use crate::config::reference::name_of;
use crate::config::suggest::suggestion;
use crate::config::types::Type;
use crate::config::vocabulary::{
    ASSIGN, ASSIGN_ATTRIBUTES, BACKEND_LINUX, BACKEND_LOCAL, BACKEND_PFSENSE, BACKEND_ROUTEROS,
    BlockType, CLIENT, CLIENT_ATTRIBUTES, ENCRYPTION, EVERY_RESOURCE, GUARD, LIFECYCLE,
    LIFECYCLE_OF_MODULE, OUTPUT, READ, ROUTES, SSH, STATES, VALIDATION, VARIABLE, WGFORM,
};
use crate::diagnostic::rule::{LITERAL_KEY, LITERAL_PASSWORD};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, BackendId, BackendKind, Kind, Presence, declaration};

/// The block types, in the order in which messages list them.
pub(crate) const BLOCKS: &[&str] = &[
    "wgform",
    "variable",
    "locals",
    "output",
    "module",
    "check",
    "data",
    "backend",
    "interface",
    "peer",
    "preshared_key",
    "moved",
    "removed",
    "import",
    "hold",
    "known_drift",
];

impl Parser {
    pub(super) fn block(&mut self, block: Block) {
        match block.ident.as_str() {
            "wgform" | "backend" | "import" | "hold" | "known_drift" if !self.is_root => {
                self.only_in_root(&block)
            }
            "wgform" => self.settings(block),
            "module" => self.module(block),
            "variable" => self.variable(block),
            "locals" => self.locals(block),
            "output" => self.output(block),
            "check" => self.check(block),
            "data" => self.data(block),
            "backend" => self.backend(block),
            "moved" => self.moved(block),
            "removed" => self.removed(block),
            "import" => self.import(block),
            "hold" => self.hold(block),
            "known_drift" => self.known_drift(block),
            ident => match Kind::from_block(ident) {
                Some(kind) => self.resource(kind, block),
                None => {
                    let meant =
                        self.unknown(Diagnostic::error("unknown block"), "", &block.ident, BLOCKS);
                    let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
                    self.blocks.broken.block(meant.unwrap_or(ident), &labels);
                }
            },
        }
    }

    /// A module is given what only the root can say.
    fn only_in_root(&mut self, block: &Block) {
        let ident = block.ident.as_str();
        let help = match ident {
            "backend" => {
                "Declare it in the root, and give it to the module as the value of a variable with `type = backend`."
            }
            "import" | "hold" | "known_drift" => {
                "Write it in the root, with the module in its address, as in `module.NAME.peer.NAME`."
            }
            _ => "Leave it out: the root has one for all.",
        };
        let problem = Diagnostic::error("block that only the root has")
            .label(&self.head(block), format!("there is no `{ident}` in a module"))
            .help(help);
        self.problems.push(problem);
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        self.blocks.broken.block(ident, &labels);
    }

    fn settings(&mut self, block: Block) {
        let span = self.head(&block);
        if self.labels::<0>(&block, "wgform { … }").is_none() {
            return;
        }
        match self.blocks.settings.span.clone() {
            Some(first) => return self.twice("wgform", &first, &span),
            None => self.blocks.settings.span = Some(span),
        }
        let mut contents = self.contents_of(&WGFORM, block.body);
        if let Some(version) = contents.take("required_version")
            && version.as_str().is_none()
        {
            let span = self.span_of(&version);
            self.problems.push(
                Diagnostic::error("invalid version constraint")
                    .label(&span, "this has to be a plain text in quotes")
                    .help("Write it as \">= 0.1\". It is read before anything else, so it can hold no expression."),
            );
        }
        self.blocks.settings.default_backend =
            contents.take("default_backend").map(|it| self.expr(it));
        self.blocks.settings.require_plan_file =
            contents.take("require_plan_file").map(|it| self.expr(it));
        let mut first: Option<Span> = None;
        let (guards, states): (Vec<_>, Vec<_>) = std::mem::take(&mut contents.blocks)
            .into_iter()
            .partition(|(name, _)| *name == GUARD.name);
        self.guard(guards);
        let (encryption, states): (Vec<_>, Vec<_>) =
            states.into_iter().partition(|(name, _)| *name == ENCRYPTION.name);
        self.encryption(encryption);
        for (_, state) in states {
            let span = self.head(&state);
            match &first {
                Some(first) => self.twice("state", first, &span),
                None => {
                    first = Some(span);
                    self.state(state);
                }
            }
        }
    }

    fn state(&mut self, block: Block) {
        let Some([kind]) = self.labels(&block, "state \"local\" { path = \"…\" }") else {
            return;
        };
        let Some((kind, declared)) = STATES.iter().find(|(known, _)| kind == *known) else {
            let span = self.head(&block);
            let near = suggestion(kind.as_str(), STATES.iter().map(|(known, _)| *known));
            let known: Vec<_> = STATES.iter().map(|(known, _)| format!("`{known}`")).collect();
            let label = format!("this version of wgform has no state of kind `{kind}`");
            self.problems.push(
                Diagnostic::error("unknown kind of state").label(&span, label).help(match near {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => format!("The kinds are {}.", known.join(", ")),
                }),
            );
            self.blocks.broken.settings = true;
            return;
        };
        let span = self.head(&block);
        let mut contents = self.contents_of(declared, block.body);
        if *kind == "local" {
            self.blocks.settings.state_path = contents.take("path").map(|it| self.expr(it));
            return;
        }
        for argument in declared.arguments.iter().filter(|it| it.is_required) {
            if !contents.mentions(argument.name) {
                self.missing(&span, "state", argument.name);
                self.blocks.broken.settings = true;
            }
        }
        for name in ["password", "secret_key", "session_token", "access_token", "sas_token"] {
            self.warn_of_literal(&contents, name);
        }
        // With S3 it is the name of a key, and with Azure the key itself.
        if *kind == "azure" {
            self.warn_of_literal(&contents, "access_key");
        }
        let attributes = std::mem::take(&mut contents.attributes);
        let arguments = attributes.into_iter().map(|(name, it)| (name, self.expr(it.value)));
        let arguments = arguments.collect();
        self.blocks.settings.state = Some(StateBlock { kind, span, arguments });
    }

    fn variable(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([name]) = self.labels(&block, "variable \"name\" { … }") else { return };
        let mut contents = self.contents_of(&VARIABLE, block.body);
        let takes_text = match contents.attributes.get("type").map(|it| &it.value) {
            None => true,
            Some(of) => matches!(name_of(of).map(|it| it.root), Some("string" | "number" | "bool")),
        };
        let of = match contents.take("type").map(|it| Type::parse(&it)) {
            // Its type or its default may stand there under another name.
            None => contents.meant.is_empty().then_some(Type::Any),
            Some(Ok(of)) => (!contents.meant.contains("default")).then_some(of),
            Some(Err((range, message))) => {
                let span = Span { source: self.source.clone(), range };
                self.problems.push(
                    Diagnostic::error("invalid type").label(&span, message).help(
                        "The types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([…])`.",
                    ),
                );
                None
            }
        };
        if let Some(description) = contents.take("description") {
            self.literal_text("description", &description);
        }
        let is_sensitive = contents.meant.contains("sensitive")
            || self.literal_bool(&mut contents, "sensitive", false);
        let is_nullable = self.literal_bool(&mut contents, "nullable", true);
        let default = contents.take("default").map(|it| self.expr(it));
        let blocks = std::mem::take(&mut contents.blocks);
        let validations =
            blocks.into_iter().filter_map(|(_, it)| self.condition(&VALIDATION, it)).collect();
        let variable = VariableBlock {
            span: span.clone(),
            of,
            takes_text,
            default,
            is_sensitive,
            is_nullable,
            validations,
        };
        let key: Arc<str> = name.as_str().into();
        if let Some(first) = self.blocks.variables.get(&key).map(|it| it.span.clone()) {
            return self.twice(&format!("var.{name}"), &first, &span);
        }
        self.blocks.variables.insert(key, variable);
    }

    fn locals(&mut self, block: Block) {
        if self.labels::<0>(&block, "locals { … }").is_none() {
            return;
        }
        for structure in block.body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = self.span_of(&attribute.key);
                    let key: Arc<str> = attribute.key.as_str().into();
                    if let Some(first) = self.blocks.locals.get(&key).map(|it| it.name.clone()) {
                        self.twice(&format!("local.{key}"), &first, &name);
                        continue;
                    }
                    let value = self.expr(attribute.value);
                    self.blocks.locals.insert(key, LocalBlock { name, value });
                }
                Structure::Block(block) => {
                    let span = self.head(&block);
                    self.problems.push(
                        Diagnostic::error("unknown block")
                            .label(&span, "`locals` has only values")
                            .help("Write it as `name = \"…\"`."),
                    );
                }
            }
        }
    }

    fn output(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([name]) = self.labels(&block, "output \"name\" { … }") else { return };
        let mut contents = self.contents_of(&OUTPUT, block.body);
        let is_sensitive = self.literal_bool(&mut contents, "sensitive", false);
        let is_mentioned = contents.mentions("value");
        let value = contents.take("value").map(|it| self.expr(it));
        if !is_mentioned {
            self.missing(&span, "output", "value");
        }
        let description = contents.take("description").map(|it| self.expr(it));
        if let Some(description) = &description {
            self.literal_text("description", &description.expression);
        }
        if let Some(first) = self.blocks.outputs.get(&name).map(|it| it.span.clone()) {
            return self.twice(&format!("output.{name}"), &first, &span);
        }
        self.blocks.outputs.insert(name, OutputBlock { span, value, is_sensitive, description });
    }

    fn backend(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([kind, id]) = self.labels(&block, "backend \"local\" \"name\" { … }") else {
            return;
        };
        let Some(kind) = BackendKind::from_label(&kind) else {
            self.problems.push(
                Diagnostic::error("unknown kind of backend")
                    .label(
                        &self.span_of(&block.labels[0]),
                        format!("this version of wgform has no backend of kind `{kind}`"),
                    )
                    .help(other_kind(&kind)),
            );
            self.blocks.broken.block("backend", &["", &id]);
            return;
        };
        let declared = match kind {
            BackendKind::Local => &BACKEND_LOCAL,
            BackendKind::Linux => &BACKEND_LINUX,
            BackendKind::RouterOs => &BACKEND_ROUTEROS,
            BackendKind::PfSense => &BACKEND_PFSENSE,
        };
        let mut contents = self.contents_of(declared, block.body);
        self.warn_of_password(&contents);
        for argument in declared.arguments.iter().filter(|it| it.is_required) {
            if !contents.mentions(argument.name) {
                self.missing(&span, "backend", argument.name);
            }
        }
        let blocks = std::mem::take(&mut contents.blocks);
        let (read, others): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|(name, _)| *name == READ);
        let repetition = self.repetition(&mut contents, None);
        let reached_through = contents.take("reached_through").map(|it| self.patterns(&it));
        let mut attributes = self.written(contents);
        if kind == BackendKind::Linux {
            attributes.extend(self.ssh(&span, others));
        }
        let read = self.read(declared, read);
        let id = BackendId::new(id);
        if let Some(first) = self.blocks.backends.get(&id).map(|it| it.span.clone()) {
            return self.twice(&format!("backend.{id}"), &first, &span);
        }
        let order = self.blocks.backends.len();
        let block =
            BackendBlock { span, order, kind, repetition, attributes, read, reached_through };
        self.blocks.backends.insert(id, block);
    }

    fn written(&mut self, contents: Contents) -> BTreeMap<&'static str, Expr> {
        let all = contents.attributes.into_iter();
        all.map(|(name, it)| (name, self.expr(it.value))).collect()
    }

    /// Takes the block that says how whoever only reads logs in.
    fn read(
        &mut self,
        backend: &BlockType,
        blocks: Vec<(&'static str, Block)>,
    ) -> Option<ReadBlock> {
        let declared = backend.blocks.iter().find(|it| it.name == READ)?;
        let (span, block) = self.only(None, blocks, "read { … }")?;
        let contents = self.contents_of(declared, block.body);
        self.warn_of_password(&contents);
        for argument in declared.arguments.iter().filter(|it| it.is_required) {
            if !contents.mentions(argument.name) {
                self.missing(&span, READ, argument.name);
            }
        }
        // A user of a router and a password belong together; over SSH there is always somebody.
        let is_partial = backend.blocks.iter().any(|it| it.name == SSH.name);
        let attributes = self.written(contents);
        Some(ReadBlock { span, is_partial, names: declared.arguments, attributes })
    }

    /// A password in a file is everybody's who can read the file.
    fn warn_of_password(&mut self, contents: &Contents) {
        for name in ["api_password", "api_key"] {
            self.warn_of_literal(contents, name);
        }
    }

    fn warn_of_literal(&mut self, contents: &Contents, name: &str) {
        let Some(attribute) = contents.attributes.get(name) else { return };
        let is_literal = match &attribute.value {
            Expression::String(text) => !text.as_str().is_empty(),
            Expression::HeredocTemplate(_) => true,
            _ => false,
        };
        if is_literal {
            let span = self.span_of(&attribute.value);
            self.problems.push(
                Diagnostic::warning("literal password in the configuration")
                    .rule(&LITERAL_PASSWORD)
                    .label(&span, "everybody who can read this file can log in with it")
                    .help("Take it from a sensitive variable, `env(…)` or `file(…)`."),
            );
        }
    }

    /// Reads the one `ssh` block of a backend, and returns its arguments.
    fn ssh(
        &mut self,
        backend: &Span,
        blocks: Vec<(&'static str, Block)>,
    ) -> BTreeMap<&'static str, Expr> {
        if blocks.is_empty() {
            self.problems.push(
                Diagnostic::error("missing block")
                    .label(backend, "a `linux` backend needs an `ssh` block")
                    .help("Add `ssh { host = \"…\" }`, or use a `local` backend for this host."),
            );
        }
        let Some((span, block)) = self.only(None, blocks, "ssh { … }") else {
            return BTreeMap::new();
        };
        let contents = self.contents_of(&SSH, block.body);
        if !contents.mentions("host") {
            self.missing(&span, "ssh", "host");
        }
        self.written(contents)
    }

    /// Takes the one block of its type, with its head, and reports the others. `first` is where something else stands
    /// that is one already.
    pub(super) fn only(
        &mut self,
        mut first: Option<Span>,
        blocks: Vec<(&'static str, Block)>,
        usage: &str,
    ) -> Option<(Span, Block)> {
        let mut only = None;
        for (name, block) in blocks {
            let span = self.head(&block);
            if let Some(first) = &first {
                self.twice(name, first, &span);
                continue;
            }
            first = Some(span.clone());
            if self.labels::<0>(&block, usage).is_some() {
                only = Some((span, block));
            }
        }
        only
    }

    fn resource(&mut self, kind: Kind, mut block: Block) {
        let span = self.head(&block);
        let Some([label]) = self.labels(&block, &format!("{kind} \"name\" {{ … }}")) else {
            return;
        };
        let address = Address::root(kind, label);
        let declared = declaration::attributes(kind);
        self.refuse_computed(kind, &mut block);
        let settable = declared.iter().filter(|it| it.presence != Presence::Computed);
        let everywhere = EVERY_RESOURCE.iter().map(|it| it.name);
        let known: Vec<&str> = settable.map(|it| it.name).chain(everywhere).collect();
        let inner: &[&str] = match kind {
            Kind::Interface => &[LIFECYCLE.name, ROUTES.name, ASSIGN.name],
            Kind::Peer => &[LIFECYCLE.name, CLIENT.name],
            Kind::PresharedKey => &[LIFECYCLE.name],
        };
        let mut contents = self.contents(kind.as_str(), block.body, &known, inner);
        for it in declared
            .iter()
            .filter(|it| matches!(it.presence, Presence::Required | Presence::RequiredNullable))
        {
            if !contents.mentions(it.name) {
                self.missing(&span, kind.as_str(), it.name);
            }
        }
        let depends_on = contents.take("depends_on").map_or_else(Vec::new, |it| self.named(&it));
        let adopt_from =
            contents.take("adopt_from").and_then(|it| self.address(&it, &[Kind::Peer]));
        let (routes, others): (Vec<_>, Vec<_>) = std::mem::take(&mut contents.blocks)
            .into_iter()
            .partition(|(name, _)| *name == ROUTES.name);
        let (flat, lifecycle) =
            others.into_iter().partition(|(name, _)| [CLIENT.name, ASSIGN.name].contains(name));
        match kind {
            Kind::Interface => self.flatten(&ASSIGN, &ASSIGN_ATTRIBUTES, flat, &mut contents),
            _ => self.flatten(&CLIENT, &CLIENT_ATTRIBUTES, flat, &mut contents),
        }
        let (prevent_destroy, enabled, lifecycle) = self.lifecycle(kind, lifecycle);
        let repetition = self.repetition(&mut contents, enabled);
        let meant = std::mem::take(&mut contents.meant);
        let written = contents.attributes.get(ROUTES.name).map(|it| self.span_of(&it.key));
        let mut attributes = self.attributes(kind, contents);
        attributes.extend(self.routes(written, routes).map(|it| (ROUTES.name, it)));
        if let Some(first) = self.blocks.resources.get(&address).map(|it| it.span.clone()) {
            return self.twice(&address.to_string(), &first, &span);
        }
        let order = self.blocks.count();
        let resource = ResourceBlock {
            span,
            order,
            repetition,
            attributes,
            meant,
            depends_on,
            adopt_from,
            prevent_destroy,
            lifecycle,
        };
        self.blocks.resources.insert(address, resource);
    }

    /// Takes the attributes out of a block that only a device can set, and reports them.
    fn refuse_computed(&mut self, kind: Kind, block: &mut Block) {
        let declared = declaration::attributes(kind).iter();
        for it in declared.filter(|it| it.presence == Presence::Computed) {
            let Some(attribute) = block.body.remove_attribute(it.name) else { continue };
            let span = self.span_of(&attribute.key);
            self.problems.push(
                Diagnostic::error("argument that cannot be set")
                    .label(&span, format!("`{}` of `{kind}` can only be referred to", it.name))
                    .help(format!("Leave it out. Elsewhere, refer to `{kind}.NAME.{}`.", it.name)),
            );
        }
    }

    /// Takes the arguments of a resource, and warns of literal keys.
    fn attributes(&mut self, kind: Kind, contents: Contents) -> BTreeMap<&'static str, Expr> {
        let mut attributes = BTreeMap::new();
        for (name, attribute) in contents.attributes {
            let is_secret =
                declaration::attribute(kind, name).is_some_and(|it| it.form.is_secret());
            let is_literal = match &attribute.value {
                Expression::String(text) => text.as_str() != "none",
                Expression::HeredocTemplate(_) => true,
                _ => false,
            };
            if is_secret && is_literal {
                let span = self.span_of(&attribute.value);
                self.problems.push(
                    Diagnostic::warning("literal key in the configuration")
                        .rule(&LITERAL_KEY)
                        .label(&span, "everybody who can read this file can use the key")
                        .help("Take it from a sensitive variable, `env(…)` or `file(…)`, or leave it out: wgform makes one and keeps it on the device."),
                );
            }
            attributes.insert(name, self.expr(attribute.value));
        }
        attributes
    }

    /// Takes the arguments of the one block of its type for the attributes of the resource that they are.
    fn flatten(
        &mut self,
        declared: &BlockType,
        parts: &[(&'static str, &'static str)],
        blocks: Vec<(&'static str, Block)>,
        contents: &mut Contents,
    ) {
        let usage = format!("{} {{ … }}", declared.head);
        let Some((_, block)) = self.only(None, blocks, &usage) else { return };
        let mut inner = self.contents_of(declared, block.body);
        for (argument, attribute) in parts {
            if inner.meant.contains(argument) {
                contents.meant.insert(attribute);
            }
            let Some(written) = inner.attributes.remove(argument) else { continue };
            match contents.attributes.get(attribute).map(|it| self.span_of(&it.key)) {
                Some(first) => {
                    let second = self.span_of(&written.key);
                    self.twice(attribute, &first, &second);
                }
                None => _ = contents.attributes.insert(attribute, written),
            }
        }
    }

    /// Makes an expression of a block `routes`: the object that it could be written as.
    fn routes(
        &mut self,
        written: Option<Span>,
        blocks: Vec<(&'static str, Block)>,
    ) -> Option<Expr> {
        let (span, block) = self.only(written, blocks, "routes { … }")?;
        let mut object = Object::new();
        for structure in block.body {
            match structure {
                Structure::Attribute(it) => {
                    object.insert(ObjectKey::Ident(it.key), ObjectValue::new(it.value));
                }
                Structure::Block(inner) => {
                    let unknown = Diagnostic::error("unknown block");
                    self.unknown(unknown, ROUTES.name, &inner.ident, &[]);
                }
            }
        }
        let expr = self.expr(Expression::Object(object));
        Some(Expr { head: Some(Box::new(span.range)), ..expr })
    }

    /// Returns `enabled`, all that the `lifecycle` of a module has.
    pub(super) fn lifecycle_of_module(
        &mut self,
        blocks: Vec<(&'static str, Block)>,
    ) -> Option<Expr> {
        let (_, block) = self.only(None, blocks, "lifecycle { … }")?;
        let mut contents = self.contents_of(&LIFECYCLE_OF_MODULE, block.body);
        contents.take("enabled").map(|it| self.expr(it))
    }

    /// Reads what `depends_on` names: a resource or a module, with all its instances.
    pub(super) fn named_node(&mut self, expression: &Expression) -> Option<(Node, Span)> {
        let span = self.span_of(expression);
        let named = name_of(expression).filter(|it| it.operators == 1);
        let node = named.and_then(|it| match (it.root, it.name?) {
            ("module", label) => Some(Node::Inside(label.into())),
            (root, label) => {
                let kind = Kind::from_block(root)?;
                Some(Node::Resource(Address::root(kind, label), None))
            }
        });
        if node.is_none() {
            let kinds = Kind::ALL.iter().map(|kind| format!("`{kind}.NAME`"));
            let kinds: Vec<_> = kinds.chain(["`module.NAME`".to_owned()]).collect();
            self.problems.push(
                Diagnostic::error("invalid resource address")
                    .label(&span, "this is not an address of a block")
                    .help(format!(
                        "Write {}. It is not evaluated, and means all instances.",
                        or(&kinds)
                    )),
            );
        }
        node.map(|node| (node, span))
    }

    fn address(&mut self, expression: &Expression, kinds: &[Kind]) -> Option<(Address, Span)> {
        let span = self.span_of(expression);
        let address = literal_address(expression).filter(|it| kinds.contains(&it.kind));
        if address.is_none() {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}.NAME`")).collect();
            self.problems.push(
                Diagnostic::error("invalid resource address")
                    .label(&span, "this is not an address")
                    .help(format!("Write {}. It is not evaluated.", or(&kinds))),
            );
        }
        address.map(|address| (address, span))
    }

    pub(super) fn missing(&mut self, span: &Span, place: &str, name: &str) {
        let diagnostic = Diagnostic::error("missing argument")
            .label(span, format!("this `{place}` has no `{name}`"));
        let hint = match (place, name) {
            ("peer", "public_key") => Some("Write `public_key = null` while the key is not known."),
            ("peer", "allowed_ips") => {
                Some("Write `allowed_ips = []` for a peer that nothing is routed to.")
            }
            _ => None,
        };
        self.problems.push(match hint {
            Some(hint) => diagnostic.help(hint),
            None => diagnostic.help(format!("Add a line `{name} = …`.")),
        });
    }

    pub(super) fn literal_bool(
        &mut self,
        contents: &mut Contents,
        name: &str,
        default: bool,
    ) -> bool {
        let Some(expression) = contents.take(name) else { return default };
        expression.as_bool().unwrap_or_else(|| {
            let span = self.span_of(&expression);
            self.problems.push(
                Diagnostic::error("expression where a plain value is needed")
                    .label(&span, format!("`{name}` is `true` or `false`, not an expression"))
                    .help(format!("Write it as `{name} = true` or `{name} = false`.")),
            );
            // When in doubt, a value is sensitive.
            true
        })
    }

    fn literal_text(&mut self, name: &str, expression: &Expression) {
        let text = crate::config::constant::constant(expression).ok().and_then(|it| it.to_text());
        if text.is_none() {
            let span = self.span_of(expression);
            self.problems.push(
                Diagnostic::error("expression where a plain value is needed")
                    .label(&span, format!("`{name}` is a plain text, not an expression"))
                    .help(format!("Write it as `{name} = \"…\"`.")),
            );
        }
    }
}

/// Reads `peer.NAME`, or `peer.NAME["KEY"]` with a key that is written out.
fn literal_address(expression: &Expression) -> Option<Address> {
    match expression {
        Expression::Traversal(traversal) => match named(traversal)? {
            (address, None) => Some(address),
            (_, Some(_)) => None,
        },
        _ => None,
    }
}

/// Says what may have been meant by a kind of backend that there is not.
fn other_kind(kind: &str) -> String {
    let kinds = || BackendKind::ALL.map(|kind| format!("`{}`", kind.as_str())).to_vec();
    match (kind, suggestion(kind, BackendKind::ALL.map(BackendKind::as_str))) {
        ("host" | "localhost" | "kernel" | "wireguard", _) => "This host is `local`.".to_owned(),
        ("ssh" | "remote", _) => "Another host is `linux`, with an `ssh` block.".to_owned(),
        ("mikrotik" | "ros", _) => "A MikroTik router is `routeros`.".to_owned(),
        ("opnsense", _) => {
            "OPNsense has another API than pfSense, and is not known here.".to_owned()
        }
        ("netgate" | "pf", _) => "A pfSense firewall is `pfsense`.".to_owned(),
        (_, Some(near)) => format!("Did you mean `{near}`?"),
        _ => format!("The kind can be {}.", or(&kinds())),
    }
}
