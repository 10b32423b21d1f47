//! What is evaluated before any device is read: the `wgform` block and the backends.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::config::block::{BackendBlock, Blocks, Expr, Node, StateBlock};
use crate::config::evaluator::repeat::Place;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, both, poisoned, wrong_type};
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Value};
use crate::config::{
    BackendDeclaration, Driver, PfSense, RouterOs, Settings, Ssh, StateDeclaration, Transport,
};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{BackendId, BackendKind};
use crate::value::Secret;

/// Where the state is kept when nothing else is said.
const STATE_PATH: &str = "wgform.state.json";

/// How a backend is reached, apart from what every Linux host has.
enum Way {
    Here,
    Ssh(Ssh),
    RouterOs(RouterOs),
    PfSense(PfSense),
}

impl Run<'_> {
    pub(super) fn settings(&self) -> Evaluated<Settings> {
        let Blocks { settings, broken, .. } = self.blocks();
        let path = match &settings.state_path {
            None if broken.settings => poisoned(),
            None => Ok(STATE_PATH.to_owned()),
            Some(expr) => self.string(expr, "`path`").and_then(|path| {
                path.filter(|path| !path.is_empty()).ok_or_else(|| {
                    vec![
                        Diagnostic::error("invalid value")
                            .label(&expr.span(), "the path of the state is empty")
                            .help(format!(
                                "Write a path such as \"{STATE_PATH}\", or leave it out."
                            )),
                    ]
                })
            }),
        };
        let require_plan_file = match &settings.require_plan_file {
            Some(expr) => self.flag(expr, "`require_plan_file`"),
            None => Ok(false),
        };
        let ((default_backend, path), guard) =
            both(both(self.default_backend(), path), self.guard())?;
        let state = settings.state.as_ref().map(|block| self.state(block)).transpose()?;
        let encryption = settings.encryption.as_ref();
        let encryption = encryption.map(|it| self.encryption(it)).transpose()?;
        let state_path = PathBuf::from(path);
        let require_plan_file = require_plan_file?;
        Ok(Settings { default_backend, state_path, state, require_plan_file, guard, encryption })
    }

    fn state(&self, block: &StateBlock) -> Evaluated<StateDeclaration> {
        let mut failures = Failures::default();
        let (mut texts, mut maps) = (BTreeMap::new(), BTreeMap::new());
        for (name, expr) in &block.arguments {
            let what = format!("`{name}`");
            let Some(value) = failures.take(self.known_value(expr, &what)) else { continue };
            if value.is_null() {
                continue;
            }
            let items = || value.to_json().filter(|_| matches!(value.data, Data::Map(_)));
            match (value.to_text(), items()) {
                (Some(text), _) => _ = texts.insert(*name, Secret::new(&*text)),
                (None, Some(Json::Object(items))) => {
                    let text = |it: &Json| Secret::new(it.as_str().unwrap_or_default());
                    let items = items.iter().map(|(name, it)| (name.clone(), text(it)));
                    maps.insert(*name, items.collect());
                }
                _ => failures.add(wrong_type(
                    &expr.span(),
                    &what,
                    "a string or a map of them",
                    &value,
                )),
            }
        }
        let spans = block.arguments.iter().map(|(name, expr)| (*name, expr.span())).collect();
        let StateBlock { kind, span, arguments: _ } = block;
        failures.or(StateDeclaration { kind, span: span.clone(), texts, maps, spans })
    }

    /// The backend of an interface that names none: what `default_backend` says, or the only one there is.
    pub(super) fn default_backend(&self) -> Evaluated<Option<BackendId>> {
        let blocks = self.evaluator.config.root();
        if let Some(expr) = &blocks.settings.default_backend {
            // It is asked for by interfaces in modules too.
            let value = self.at(self.evaluator.root.clone()).evaluate(expr)?;
            return match &value.data {
                Data::Null => Ok(None),
                Data::Backend(id) => Ok(Some(id.clone())),
                _ => Err(vec![
                    wrong_type(&expr.span(), "`default_backend`", "a backend", &value)
                        .help("Write it as `backend.NAME`, without quotes."),
                ]),
            };
        }
        if blocks.broken.settings || blocks.broken.lacks("backend") {
            return poisoned();
        }
        let mut backends = blocks.backends.iter();
        Ok(match (backends.next(), backends.next()) {
            (None, _) => Some(BackendId::new(BackendId::LOCAL)),
            (Some((only, it)), None) if it.repetition.argument().is_none() => Some(only.clone()),
            _ => None,
        })
    }

    /// Evaluates the backends as somebody reaches them who only reads, or as somebody who writes.
    pub(super) fn backends(&self, is_writer: bool) -> Evaluated<Vec<BackendDeclaration>> {
        let blocks = self.evaluator.config.root();
        if blocks.has_only_local() {
            return Ok(vec![BackendDeclaration {
                id: BackendId::new(BackendId::LOCAL),
                kind: BackendKind::Local,
                display_name: None,
                simulate: false,
                transport: Transport::Local {
                    netns: None,
                    driver: Driver::Auto,
                    userspace_program: None,
                },
                reached_through: None,
                span: None,
                is_reader: false,
            }]);
        }
        let mut backends: Vec<_> = blocks.backends.iter().collect();
        backends.sort_by_key(|(_, block)| block.order);
        let mut failures = Failures::default();
        let mut all = Vec::new();
        for (id, block) in backends {
            let node = Node::Backend(id.clone());
            let Some(keys) = failures.take(self.keys(&node)) else { continue };
            for key in keys.list() {
                let id = BackendId::instance(id.as_str(), key.as_ref());
                let run = self.at_backend(&id);
                let declared = run.backend(&id, block, is_writer);
                let declared =
                    declared.map_err(|it| it.into_iter().map(|it| run.in_module(it)).collect());
                all.extend(failures.take(declared));
            }
        }
        failures.or(all)
    }

    /// Returns an evaluation in the place of a backend.
    fn at_backend(&self, id: &BackendId) -> Self {
        let block = Node::Backend(BackendId::new(id.label()));
        let each = id.key().map(|key| (block, key));
        self.at(Place { instance: self.evaluator.root.instance.clone(), each })
    }

    fn backend_block(&self, id: &BackendId) -> Option<&BackendBlock> {
        self.evaluator.config.root().backends.get(&BackendId::new(id.label()))
    }

    fn backend(
        &self,
        id: &BackendId,
        declared: &BackendBlock,
        is_writer: bool,
    ) -> Evaluated<BackendDeclaration> {
        let block = if is_writer { declared.to_write() } else { declared.to_read() };
        let get = |name| block.get(name);
        let text = |name: &'static str| match get(name) {
            Some(expr) => self.string(expr, &format!("`{name}`")),
            None => Ok(None),
        };
        let simulate = match get("simulate") {
            Some(expr) => self.flag(expr, "`simulate`"),
            None => Ok(false),
        };
        let names = both(text("display_name"), self.netns(declared));
        let driver = both(self.driver(declared), self.userspace_program(declared));
        let way = match declared.kind {
            BackendKind::Local => Ok(Way::Here),
            BackendKind::Linux => self.ssh(block).map(Way::Ssh),
            BackendKind::RouterOs => self.routeros(block).map(Way::RouterOs),
            BackendKind::PfSense => self.pfsense(block).map(Way::PfSense),
        };
        let (((display_name, netns), (simulate, (driver, userspace_program))), way) =
            both(both(names, both(simulate, driver)), way)?;
        let transport = match way {
            Way::Here => Transport::Local { netns, driver, userspace_program },
            Way::Ssh(ssh) => Transport::Ssh { ssh, netns, driver, userspace_program },
            Way::RouterOs(router) => Transport::RouterOs(router),
            Way::PfSense(firewall) => Transport::PfSense(firewall),
        };
        Ok(BackendDeclaration {
            id: id.clone(),
            kind: declared.kind,
            display_name,
            simulate,
            transport,
            reached_through: declared.reached_through.clone(),
            span: Some(declared.span.clone()),
            is_reader: !is_writer && declared.read.is_some(),
        })
    }

    fn netns(&self, block: &BackendBlock) -> Evaluated<Option<String>> {
        let Some(expr) = block.attributes.get("netns") else { return Ok(None) };
        let Some(name) = self.string(expr, "`netns`")? else { return Ok(None) };
        // A name is a file below `/run/netns`.
        let is_name = (1..=255).contains(&name.len())
            && !name.contains(['/', '\0'])
            && !matches!(name.as_str(), "." | "..");
        if is_name {
            return Ok(Some(name));
        }
        Err(vec![
            Diagnostic::error("invalid value")
                .label(&expr.span(), "this is not the name of a network namespace")
                .help("Write a name that `ip netns list` shows."),
        ])
    }

    fn userspace_program(&self, block: &BackendBlock) -> Evaluated<Option<String>> {
        let Some(expr) = block.attributes.get("userspace_program") else { return Ok(None) };
        let Some(program) = self.string(expr, "`userspace_program`")? else { return Ok(None) };
        let is_name = !program.is_empty() && !program.contains(['/', '\0']);
        if is_name || (program.starts_with('/') && !program.contains('\0')) {
            return Ok(Some(program));
        }
        Err(vec![
            Diagnostic::error("invalid value")
                .label(&expr.span(), "this is neither the name nor the absolute path of a program")
                .help("Write a name such as \"wireguard-go\", or a path that begins with `/`; it takes no arguments."),
        ])
    }

    /// Returns the network namespace that a backend is in, if it is in one.
    pub(super) fn namespace_of(&self, id: &BackendId) -> Evaluated<Option<String>> {
        match self.backend_block(id) {
            Some(block) => self.at_backend(id).netns(block),
            None => Ok(None),
        }
    }

    fn driver(&self, block: &BackendBlock) -> Evaluated<Driver> {
        let Some(expr) = block.attributes.get("driver") else { return Ok(Driver::Auto) };
        let driver = self.string(expr, "`driver`")?;
        match driver.as_deref() {
            None | Some("auto") => Ok(Driver::Auto),
            Some("kernel") => Ok(Driver::Kernel),
            Some("userspace") => Ok(Driver::Userspace),
            Some(word) => {
                let is_sensitive = self.evaluate(expr)?.is_sensitive_anywhere();
                let near =
                    suggestion(word, ["auto", "kernel", "userspace"]).filter(|_| !is_sensitive);
                Err(vec![
                    Diagnostic::error("invalid value")
                        .label(&expr.span(), "there is no such driver")
                        .help(match near {
                            Some(near) => format!("Did you mean \"{near}\"?"),
                            None => "The driver can be \"auto\", \"kernel\" or \"userspace\"."
                                .to_owned(),
                        }),
                ])
            }
        }
    }

    pub(super) fn kind_of(&self, id: &BackendId) -> BackendKind {
        self.backend_block(id).map_or(BackendKind::Local, |it| it.kind)
    }

    pub(super) fn display_name(&self, id: &BackendId) -> Evaluated<Option<Value>> {
        let block = self.backend_block(id);
        match block.and_then(|block| block.attributes.get("display_name")) {
            Some(expr) => self.at_backend(id).evaluate(expr).map(Some),
            None => Ok(None),
        }
    }

    /// Evaluates an argument that has to be a string; none when it is null.
    pub(super) fn string(&self, expr: &Expr, what: &str) -> Evaluated<Option<String>> {
        let value = self.known_value(expr, what)?;
        if value.is_null() {
            return Ok(None);
        }
        match value.to_text() {
            Some(text) => Ok(Some(text.to_string())),
            None => Err(vec![wrong_type(&expr.span(), what, "a string", &value)]),
        }
    }

    /// Evaluates an argument that has to be true or false; false when it is null.
    pub(super) fn flag(&self, expr: &Expr, what: &str) -> Evaluated<bool> {
        let value = self.known_value(expr, what)?;
        if value.is_null() {
            return Ok(false);
        }
        value.to_bool().ok_or_else(|| vec![wrong_type(&expr.span(), what, "true or false", &value)])
    }

    pub(super) fn known_value(&self, expr: &Expr, what: &str) -> Evaluated {
        let value = self.evaluate(expr)?;
        if value.is_unknown() {
            return Err(vec![unknown(&expr.span(), what)]);
        }
        Ok(value)
    }
}

/// Says that a value must be known at once.
pub(super) fn unknown(at: &Span, what: &str) -> Diagnostic {
    Diagnostic::error("value that is not known yet")
        .label(at, format!("{what} has to be known before anything is applied"))
        .help("Write a value here, or refer to an argument that has one.")
}
