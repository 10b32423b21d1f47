//! The values that were given to variables, from files, the environment and the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::structure::Structure;

use crate::config::block::Expr;
use crate::config::parse::{Parser, recover, with_secrets};
use crate::config::secrets;
use crate::config::suggest::suggestion;
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::source::{GivenVariable, Origin};

/// The value of a variable, as it was given.
#[derive(Debug)]
pub(crate) enum Given {
    /// In a file.
    Expression(Expr),
    /// In the environment or on the command line.
    Text(Arc<SourceText>),
}

impl Parser {
    /// Reads the given values; a later one wins.
    pub(super) fn given(&mut self, variables: &[GivenVariable]) -> BTreeMap<Arc<str>, Given> {
        let mut given = BTreeMap::new();
        for GivenVariable { name, origin, text } in variables {
            match name {
                Some(name) => self.given_text(name, *origin, text, &mut given),
                None => self.given_file(text, &mut given),
            }
        }
        given
    }

    fn given_text(
        &mut self,
        name: &str,
        origin: Origin,
        text: &Arc<SourceText>,
        given: &mut BTreeMap<Arc<str>, Given>,
    ) {
        // What is unknown may be secret too.
        let variable = self.blocks.variables.get(name);
        let is_shown = variable.is_some_and(|variable| !variable.is_sensitive);
        let whole = 0..text.text.len();
        let hidden = if is_shown { Vec::new() } else { Vec::from([whole]) };
        let text = with_secrets(text, hidden);
        if variable.is_some() {
            given.insert(name.into(), Given::Text(text));
            return;
        }
        let near = suggestion(name, self.blocks.variables.keys().map(|it| &**it));
        let diagnostic = match origin {
            _ if self.blocks.broken.may_declare("var", name) => return,
            // The environment may be meant for other configurations too.
            Origin::Environment if near.is_none() => return,
            Origin::Environment => Diagnostic::warning("value for an unknown variable"),
            Origin::Argument | Origin::File => Diagnostic::error("value for an unknown variable"),
        };
        self.unknown_variable(diagnostic, name, &Span { source: text, range: 0..0 });
    }

    fn given_file(&mut self, text: &Arc<SourceText>, given: &mut BTreeMap<Arc<str>, Given>) {
        let read = recover::read(&text.text);
        let is_hidden =
            |name: &str| self.blocks.variables.get(name).is_none_or(|it| it.is_sensitive);
        let hidden = read.body.attributes().filter(|it| is_hidden(it.key.as_str()));
        let mut hidden: Vec<_> = hidden.filter_map(|it| hcl_edit::Span::span(&it.value)).collect();
        // Nothing in what cannot be read can be told from a secret.
        hidden.extend(secrets::guess(&text.text, &read.hidden));
        hidden.extend(read.hidden.iter().flat_map(|range| secrets::assigned(&text.text, range)));
        self.source = with_secrets(text, hidden);
        self.mistakes(&read);
        read.note_values(&mut self.blocks.broken);
        for structure in read.body {
            match structure {
                Structure::Block(block) => {
                    let span = self.head(&block);
                    self.problems.push(
                        Diagnostic::error("block in a file of values")
                            .label(
                                &span,
                                "a file of values has only lines such as `name = \"value\"`",
                            )
                            .help("Blocks go into a file that ends in `.wg.hcl`."),
                    );
                }
                Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    if self.blocks.variables.contains_key(name) {
                        let value = self.expr(attribute.value);
                        given.insert(attribute.key.as_str().into(), Given::Expression(value));
                    } else if !self.blocks.broken.may_declare("var", name) {
                        let span = self.span_of(&attribute.key);
                        let warning = Diagnostic::warning("value for an unknown variable");
                        self.unknown_variable(warning, name, &span);
                    }
                }
            }
        }
    }

    fn unknown_variable(&mut self, diagnostic: Diagnostic, name: &str, span: &Span) {
        let diagnostic = diagnostic.label(span, format!("there is no `variable \"{name}\"`"));
        let near = suggestion(name, self.blocks.variables.keys().map(|it| &**it));
        self.problems.push(match near {
            Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
            None => diagnostic.help(format!("Declare it with `variable \"{name}\" {{ }}`.")),
        });
    }
}
