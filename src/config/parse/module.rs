//! `module` blocks, and the modules that they call: each is read from its directory and parsed like the root.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Structure};

use crate::config::block::{Blocks, Expr, Module, ModuleBlock, Node, Repetition};
use crate::config::parse::{Parser, checked};
use crate::config::suggest::suggestion;
use crate::config::vocabulary::MODULE;
use crate::diagnostic::{Diagnostic, Span};
use crate::source::Files;

/// As many modules may be inside each other.
const MAX_DEPTH: usize = 20;

/// As many modules may a configuration call, instances not counted.
const MAX_MODULES: usize = 1000;

impl Parser {
    pub(super) fn module(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([label]) = self.labels(&block, "module \"name\" { … }") else { return };
        let mut own = hcl_edit::structure::Body::new();
        let mut arguments = BTreeMap::new();
        for structure in block.body {
            match structure {
                Structure::Attribute(it) if !MODULE.argument_names().contains(&it.key.as_str()) => {
                    let key = self.span_of(&it.key);
                    let name: Arc<str> = it.key.as_str().into();
                    arguments.insert(name, (key, self.expr(it.value)));
                }
                other => own.push(other),
            }
        }
        let mut contents = self.contents_of(&MODULE, own);
        let source = contents.attributes.remove("source").map(|it| self.source_of(it));
        if source.is_none() && !contents.meant.contains("source") {
            self.missing(&span, "module", "source");
        }
        let lifecycle = std::mem::take(&mut contents.blocks);
        let enabled = self.lifecycle_of_module(lifecycle);
        let repetition = self.repetition(&mut contents, enabled);
        let depends_on = contents.take("depends_on").map_or_else(Vec::new, |it| self.named(&it));
        let key: Arc<str> = label.as_str().into();
        if let Some(first) = self.blocks.modules.get(&key).map(|it| it.span.clone()) {
            return self.twice(&format!("module.{label}"), &first, &span);
        }
        let order = self.blocks.count();
        let source = source.flatten();
        let block =
            ModuleBlock { span, order, source, repetition, arguments, depends_on, module: None };
        self.blocks.modules.insert(key, block);
    }

    fn source_of(&mut self, attribute: Attribute) -> Option<(String, Span)> {
        let span = self.span_of(&attribute.value);
        let Some(source) = attribute.value.as_str() else {
            self.problems.push(
                Diagnostic::error("expression where a plain value is needed")
                    .label(&span, "`source` is a plain text, not an expression")
                    .help("Write it as `source = \"./modules/site\"`."),
            );
            return None;
        };
        let is_local = ["./", "../", "/"].iter().any(|start| source.starts_with(start));
        if !is_local && !matches!(source, "." | "..") {
            self.problems.push(
                Diagnostic::error("module that is not in a directory")
                    .label(&span, "this is not a path that starts with `./` or `../`")
                    .help("A module is a directory beside the configuration, such as `./modules/site`: wgform downloads nothing. Keep modules of others in the repository."),
            );
            return None;
        }
        Some((source.to_owned(), span))
    }

    /// Takes the arguments that say how often a block stands for something.
    pub(super) fn repetition(
        &mut self,
        contents: &mut super::body::Contents,
        enabled: Option<Expr>,
    ) -> Repetition {
        let place =
            |parser: &Self, it: &Option<Attribute>| it.as_ref().map(|it| parser.span_of(&it.key));
        let for_each = contents.attributes.remove("for_each");
        let count = contents.attributes.remove("count");
        let places = [
            place(self, &for_each).map(|at| ("for_each", at)),
            place(self, &count).map(|at| ("count", at)),
            enabled.as_ref().map(|it| ("enabled", it.span())),
        ];
        let mut places = places.into_iter().flatten();
        if let (Some((first, at)), Some((second, other))) = (places.next(), places.next()) {
            self.problems.push(
                Diagnostic::error("block repeated in two ways")
                    .label(&other, format!("`{second}` cannot stand beside `{first}`"))
                    .label(&at, format!("`{first}` is here"))
                    .help("Keep one of them. What decides whether there is an instance can be a condition in a `for`."),
            );
        }
        match (for_each, count, enabled) {
            (Some(it), ..) => Repetition::ForEach(self.expr(it.value)),
            (_, Some(it), _) => Repetition::Count(self.expr(it.value)),
            (.., Some(it)) => Repetition::Enabled(it),
            _ => Repetition::Once,
        }
    }

    /// Reads a list of what has to be there first, which is never evaluated.
    pub(super) fn named(&mut self, list: &Expression) -> Vec<(Node, Span)> {
        let Expression::Array(items) = list else {
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of resources")
                    .label(&span, "this has to be a list of resources")
                    .help("Write it as `[interface.NAME, module.NAME]`."),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.named_node(item)).collect()
    }

    /// Reads the modules that the blocks call, and what those call.
    pub(super) fn called(
        blocks: &mut Blocks,
        caller: usize,
        modules: &mut Vec<Module>,
        files: &Files,
    ) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (label, block) in &mut blocks.modules {
            let Some((source, span)) = &block.source else { continue };
            match directory(modules, caller, source, span) {
                Ok(directory) => match files.configuration(&directory) {
                    Ok(texts) => {
                        let number = modules.len();
                        let of = Some((caller, label.clone()));
                        modules.push(Module { caller: of, directory, blocks: Blocks::default() });
                        let (inner, more) = checked(&texts, number, modules, files);
                        modules[number].blocks = inner;
                        problems.extend(more);
                        block.module = Some(number);
                    }
                    Err(why) => problems.push(
                        Diagnostic::error("module that cannot be read")
                            .label(span, why)
                            .help("The path is relative to the directory of the file that it is in, and leads to a directory with `*.wg.hcl` files."),
                    ),
                },
                Err(problem) => problems.push(*problem),
            }
        }
        problems
    }

    /// Compares what a module is given with its variables.
    pub(super) fn arguments(blocks: &Blocks, modules: &[Module]) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (label, block) in &blocks.modules {
            let Some(module) = block.module.and_then(|it| modules.get(it)) else { continue };
            let variables = &module.blocks.variables;
            let mut meant = BTreeSet::new();
            for (name, (span, _)) in &block.arguments {
                let is_broken = module.blocks.broken.may_declare("var", name);
                if variables.contains_key(name) || is_broken {
                    continue;
                }
                let near = suggestion(name, variables.keys().map(|it| &**it));
                meant.extend(near);
                problems.push(
                    Diagnostic::error("argument that a module does not have")
                        .label(span, format!("`module.{label}` has no variable `{name}`"))
                        .help(match near {
                            Some(near) => format!("Did you mean `{near}`?"),
                            None => format!(
                                "Leave it out, or declare `variable \"{name}\"` in `{}`.",
                                module.directory
                            ),
                        }),
                );
            }
            let lacks = variables.iter().filter(|(name, it)| {
                it.default.is_none()
                    && !block.arguments.contains_key(*name)
                    && !meant.contains(&***name)
            });
            for (name, variable) in lacks {
                problems.push(
                    Diagnostic::error("missing argument")
                        .label(&block.span, format!("this `module` has no `{name}`"))
                        .label(&variable.span, "the variable is declared here, without a default")
                        .help(format!("Add a line `{name} = …`.")),
                );
            }
        }
        problems
    }
}

/// Returns the directory of a module, relative to the configuration.
fn directory(
    modules: &[Module],
    caller: usize,
    source: &str,
    span: &Span,
) -> Result<String, Box<Diagnostic>> {
    let directory = joined(&modules[caller].directory, source);
    let mut around = Some(caller);
    let mut depth = 0;
    while let Some(number) = around {
        let module = &modules[number];
        depth += 1;
        if module.directory == directory {
            return Err(Box::new(
                Diagnostic::error("module that calls itself")
                    .label(span, "this leads back to a module that it is in")
                    .help(
                        "A module cannot be inside itself. Move what both need into another one.",
                    ),
            ));
        }
        around = module.caller.as_ref().map(|it| it.0);
    }
    if depth > MAX_DEPTH || modules.len() >= MAX_MODULES {
        return Err(Box::new(
            Diagnostic::error("too many modules")
                .label(
                    span,
                    format!(
                        "there may be {MAX_DEPTH} modules inside each other, and {MAX_MODULES} calls in all"
                    ),
                )
                .help("Call a module once with `for_each` rather than many times."),
        ));
    }
    Ok(directory)
}

/// Joins two paths, without `.` and, where that is possible, `..`.
fn joined(base: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    match (whole.starts_with('/'), path.is_empty()) {
        (true, _) => format!("/{path}"),
        (false, true) => ".".to_owned(),
        (false, false) => path,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse::module::joined;

    #[test]
    fn paths_are_joined_without_detours() {
        for (base, path, whole) in [
            (".", "./modules/site", "modules/site"),
            ("modules/site", "../hub", "modules/hub"),
            (".", "../shared/", "../shared"),
            ("..", "..", "../.."),
            ("a", "..", "."),
            ("a", "/srv/./m", "/srv/m"),
        ] {
            assert_eq!(joined(base, path), whole);
        }
    }
}
