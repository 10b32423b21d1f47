//! The values that were given to variables, from files, the environment and the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::structure::{Body, Structure};

use crate::config::block::Expr;
use crate::config::parse::{Parser, parse_text, syntax_error, with_secrets};
use crate::config::secrets;
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
                None => match parse_text(&text.text) {
                    Ok(body) => self.given_file(text, body, &mut given),
                    Err(error) => {
                        // Nothing in it can be told from a secret.
                        let mut hidden = secrets::guess(&text.text);
                        hidden.extend(assigned(&text.text));
                        self.problems.push(syntax_error(&with_secrets(text, hidden), &error));
                    }
                },
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
        } else if origin == Origin::Argument && !self.is_partial {
            let span = Span { source: text, range: 0..0 };
            self.unknown_variable(Diagnostic::error("value for an unknown variable"), name, &span);
        }
    }

    fn given_file(
        &mut self,
        text: &Arc<SourceText>,
        body: Body,
        given: &mut BTreeMap<Arc<str>, Given>,
    ) {
        let is_hidden =
            |name: &str| self.blocks.variables.get(name).is_none_or(|it| it.is_sensitive);
        let hidden = body.attributes().filter(|it| is_hidden(it.key.as_str()));
        let hidden = hidden.filter_map(|it| hcl_edit::Span::span(&it.value)).collect();
        self.source = with_secrets(text, hidden);
        for structure in body {
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
                    } else if !self.is_partial {
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
        let near = Self::near(name, self.blocks.variables.keys().map(|it| &**it));
        self.problems.push(match near {
            Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
            None => diagnostic.help(format!("Declare it with `variable \"{name}\" {{ }}`.")),
        });
    }
}

/// Returns everything after a `=`, line by line.
fn assigned(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(at) = line.find('=') {
            ranges.push(start + at + 1..start + line.len());
        }
        start += line.len();
    }
    ranges
}
