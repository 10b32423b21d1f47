//! The inside of a block: arguments and nested blocks, each of which must be known and stand there once.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Ident;
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use crate::config::foreign;
use crate::config::parse::Parser;
use crate::config::suggest::suggestion;
use crate::config::vocabulary::BlockType;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::BackendId;

/// The inside of a block, by name.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) attributes: BTreeMap<&'static str, Attribute>,
    pub(super) blocks: Vec<(&'static str, Block)>,
    /// What is probably meant by something that does not belong there, so that nothing is said of its absence.
    pub(super) meant: BTreeSet<&'static str>,
}

impl Contents {
    pub(super) fn take(&mut self, name: &str) -> Option<hcl_edit::expr::Expression> {
        self.attributes.remove(name).map(|attribute| attribute.value)
    }

    /// Returns whether an argument is there, be it under a wrong name.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.attributes.contains_key(name) || self.meant.contains(name)
    }
}

impl Parser {
    /// Sorts the inside of a block that is no resource.
    pub(super) fn contents_of(&mut self, block: &BlockType, body: Body) -> Contents {
        self.contents(block.name, body, &block.argument_names(), &block.block_names())
    }

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
                            let meant = self.unknown(
                                Diagnostic::error("unknown argument"),
                                place,
                                &attribute.key,
                                attributes,
                            );
                            contents.meant.extend(meant);
                        }
                    }
                }
                Structure::Block(block) => match known(blocks, block.ident.as_str()) {
                    Some(name) => contents.blocks.push((name, block)),
                    None if known(attributes, block.ident.as_str()).is_some() => {
                        let name = block.ident.as_str();
                        let span = self.span_of(&block.ident);
                        contents.meant.extend(known(attributes, name));
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

    /// Reports a name that nothing has, and returns the one that is probably meant. `place` is the block around it, if
    /// any.
    pub(super) fn unknown(
        &mut self,
        diagnostic: Diagnostic,
        place: &str,
        name: &hcl_edit::Decorated<Ident>,
        known: &[&'static str],
    ) -> Option<&'static str> {
        if matches!(place, "wgform" | "state" | "encryption") {
            // It may be what the settings lack.
            self.blocks.broken.settings = true;
        }
        let span = self.span_of(name);
        let word = name.as_str();
        let meant = foreign::name_here(place, word).filter(|it| known.contains(it));
        let advice = foreign::advice(place, word);
        let near = meant.or_else(|| {
            advice.is_none().then(|| suggestion(word, known.iter().copied())).flatten()
        });
        let is_later = near.is_none() && foreign::is_later(word);
        let label = match place {
            _ if is_later => format!("this version of wgform has no `{word}`"),
            "" => format!("there is no block `{word}`"),
            _ => format!("`{place}` has no `{word}`"),
        };
        let diagnostic = diagnostic.label(&span, label);
        self.problems.push(match (near, advice) {
            (Some(near), _) => diagnostic.help(format!("Did you mean `{near}`?")),
            (None, Some(advice)) => diagnostic.help(advice),
            (None, None) if is_later => {
                diagnostic.help("Leave it out. A later version may have it.")
            }
            (None, None) if known.is_empty() => diagnostic.help("Leave it out."),
            (None, None) => {
                let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                diagnostic.help(format!("It can be {}.", or(&names)))
            }
        });
        near
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
            let found: Vec<&str> =
                block.labels.iter().map(hcl_edit::structure::BlockLabel::as_str).collect();
            self.blocks.broken.block(block.ident.as_str(), &found);
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
                self.blocks.broken.block(block.ident.as_str(), &[]);
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
pub(crate) fn or(names: &[String]) -> String {
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
