//! The inside of a block: arguments and nested blocks, each of which must be known and stand there once.

use std::collections::BTreeMap;

use hcl_edit::Ident;
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use crate::config::parse::Parser;
use crate::config::suggest::suggestion;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::BackendId;

/// What later versions have, so that this one can say that it does not.
const LATER: &[&str] = &[
    "assign",
    "check",
    "client",
    "count",
    "data",
    "dns",
    "dns_search",
    "enabled",
    "for_each",
    "hold",
    "ignore_changes",
    "import",
    "interface_lists",
    "module",
    "moved",
    "organization",
    "persist",
    "post_down",
    "post_up",
    "postcondition",
    "pre_down",
    "pre_up",
    "precondition",
    "provider",
    "removed",
    "replace_triggered_by",
    "resource",
    "responder",
    "routes",
    "terraform",
    "vrf",
];

/// The inside of a block, by name.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) attributes: BTreeMap<&'static str, Attribute>,
    pub(super) blocks: Vec<(&'static str, Block)>,
}

impl Contents {
    pub(super) fn take(&mut self, name: &str) -> Option<hcl_edit::expr::Expression> {
        self.attributes.remove(name).map(|attribute| attribute.value)
    }
}

impl Parser {
    /// Sorts the inside of a block, and reports what does not belong there.
    pub(super) fn contents(
        &mut self,
        place: &str,
        body: Body,
        attributes: &[&'static str],
        blocks: &[&'static str],
    ) -> Contents {
        let mut contents = Contents::default();
        let known =
            |names: &[&'static str], name: &str| names.iter().copied().find(|it| *it == name);
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    match known(attributes, attribute.key.as_str()) {
                        Some(name) => {
                            contents.attributes.insert(name, attribute);
                        }
                        None if known(blocks, attribute.key.as_str()).is_some() => {
                            let name = attribute.key.as_str();
                            let span = self.span_of(&attribute.key);
                            self.problems.push(
                                Diagnostic::error("block written as an argument")
                                    .label(&span, format!("`{name}` is a block, without `=`"))
                                    .help(format!("Write it as `{name} {{ … }}`.")),
                            );
                        }
                        None => {
                            let unknown = Diagnostic::error("unknown argument");
                            self.unknown(unknown, place, &attribute.key, attributes);
                        }
                    }
                }
                Structure::Block(block) => match known(blocks, block.ident.as_str()) {
                    Some(name) => contents.blocks.push((name, block)),
                    None if known(attributes, block.ident.as_str()).is_some() => {
                        let name = block.ident.as_str();
                        let span = self.span_of(&block.ident);
                        self.problems.push(
                            Diagnostic::error("argument written as a block")
                                .label(&span, format!("`{name}` is an argument, with `=`"))
                                .help(format!("Write it as `{name} = …`.")),
                        );
                    }
                    None => {
                        let unknown = Diagnostic::error("unknown block");
                        self.unknown(unknown, place, &block.ident, blocks);
                    }
                },
            }
        }
        contents
    }

    /// Reports a name that nothing has. `place` is the block around it, if any.
    pub(super) fn unknown(
        &mut self,
        diagnostic: Diagnostic,
        place: &str,
        name: &hcl_edit::Decorated<Ident>,
        known: &[&'static str],
    ) {
        let span = self.span_of(name);
        let word = name.as_str();
        let near = suggestion(word, known.iter().copied());
        let diagnostic = match near {
            None if LATER.contains(&word) => {
                diagnostic.label(&span, format!("this version of wgform has no `{word}`"))
            }
            _ if place.is_empty() => diagnostic.label(&span, format!("there is no block `{word}`")),
            _ => diagnostic.label(&span, format!("`{place}` has no `{word}`")),
        };
        self.problems.push(match near {
            Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
            None if LATER.contains(&word) => {
                diagnostic.help("Leave it out. A later version may have it.")
            }
            None if known.is_empty() => diagnostic.help("Leave it out."),
            None => {
                let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                diagnostic.help(format!("It can be {}.", or(&names)))
            }
        });
    }

    /// Returns the labels of a block, when there are as many as there should be and each is a name.
    pub(super) fn labels<const N: usize>(
        &mut self,
        block: &Block,
        usage: &str,
    ) -> Option<[String; N]> {
        let labels: Vec<String> =
            block.labels.iter().map(|label| label.as_str().to_owned()).collect();
        let span = self.head(block);
        let Ok(labels) = <[String; N]>::try_from(labels) else {
            let n = if N == 1 { "one label".to_owned() } else { format!("{N} labels") };
            let n = if N == 0 { "no label".to_owned() } else { n };
            self.problems.push(
                Diagnostic::error("wrong number of labels")
                    .label(&span, format!("`{}` takes {n}", block.ident.as_str()))
                    .help(format!("Write it as `{usage}`.")),
            );
            self.is_partial = true;
            return None;
        };
        for (i, label) in labels.iter().enumerate() {
            if !is_name(label) {
                let span = self.span_of(&block.labels[i]);
                self.problems.push(
                    Diagnostic::error("label that is not a name")
                        .label(&span, format!("{label:?} cannot be referred to"))
                        .help("A label starts with a letter or `_` and has only letters, digits, `_` and `-`."),
                );
                self.is_partial = true;
                return None;
            }
        }
        Some(labels)
    }

    /// Returns the place of a block's first line: its type and labels.
    pub(super) fn head(&self, block: &Block) -> Span {
        let mut span = self.span_of(&block.ident);
        if let Some(end) = block.labels.last().and_then(hcl_edit::Span::span) {
            span.range.end = end.end;
        }
        span
    }

    /// Reports that something is declared twice, at both places.
    pub(super) fn twice(&mut self, what: &str, first: &Span, second: &Span) {
        let (diagnostic, help) = match what.contains('.') {
            true => (
                Diagnostic::error("name declared twice"),
                "Give one of them another name, or remove it.",
            ),
            false => (
                Diagnostic::error("block declared twice"),
                "Put everything into one block, and remove the other.",
            ),
        };
        self.problems.push(
            diagnostic
                .label(second, format!("`{what}` is declared here again"))
                .label(first, "it is declared here first")
                .help(help),
        );
    }
}

/// `a`, `b` or `c`.
pub(super) fn or(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => BackendId::LOCAL.to_owned(),
    }
}

fn is_name(label: &str) -> bool {
    label.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && label.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
