//! One expression that stands alone, in no argument of a block.

use std::sync::Arc;

use hcl_edit::structure::Structure;

use crate::config::block::Expr;
use crate::config::parse::parser::parse_expression;
use crate::config::parse::recover::{read, without_empty_heredocs};
use crate::config::parse::syntax::explain_alone;
use crate::config::secrets;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::token::{Token, scan};

/// Makes an expression an argument: what a file may not have, nobody may write elsewhere.
const ARGUMENT: &str = "value = ";

/// Reads an expression; none where there is nothing but comments. Its names are not looked up yet.
pub(crate) fn expression(name: &str, text: &str) -> Result<Option<Expr>, Vec<Diagnostic>> {
    let Some(text) = without_comments_around(text) else { return Ok(None) };
    let tokens = scan(text);
    let source = Arc::new(SourceText {
        name: name.to_owned(),
        text: text.to_owned(),
        secrets: secrets::keys(text),
    });
    let said = |error: Option<&_>| vec![explain_alone(text, &tokens, error).diagnostic(&source)];
    // By itself, because every place in it is counted from the start of its text.
    let parsed = parse_expression(without_empty_heredocs(text, &tokens).trim_end());
    let expression = parsed.map_err(|error| said(Some(&error)))?;
    let argument = read(&format!("{ARGUMENT}{text}\n"));
    if let Some(mistake) = argument.mistakes.into_iter().next() {
        let moved = mistake.without_prefix(ARGUMENT.len(), text.len());
        return Err(vec![moved.diagnostic(&source)]);
    }
    match argument.body.iter().collect::<Vec<_>>()[..] {
        [Structure::Attribute(_)] => {
            let expression = Box::new(expression);
            Ok(Some(Expr { expression, source, needs: Vec::new(), head: None }))
        }
        _ => Err(said(None)),
    }
}

/// Takes what means nothing from both ends of a text; none when nothing is left.
fn without_comments_around(text: &str) -> Option<&str> {
    let tokens = scan(text);
    let has_meaning = |it: &&Token| !it.is_trivia();
    let start = tokens.iter().find(has_meaning)?.range.start;
    let end = tokens.iter().rfind(has_meaning)?.range.end;
    text.get(start..end)
}
