//! One expression that stands alone, in no argument of a block.

use std::sync::Arc;

use hcl_edit::structure::Structure;

use crate::config::block::Expr;
use crate::config::parse::recover::{read, without_empty_heredocs};
use crate::config::parse::syntax::Mistake;
use crate::config::secrets;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::token::{Token, scan};

/// Makes an expression an argument: what is wrong with it is then found, and said, as in a file.
const ARGUMENT: &str = "value = ";

/// Reads an expression; none where there is nothing but comments. Its names are not looked up yet.
pub(crate) fn expression(name: &str, text: &str) -> Result<Option<Expr>, Vec<Diagnostic>> {
    let text = text.trim();
    let tokens = scan(text);
    if tokens.iter().all(Token::is_trivia) {
        return Ok(None);
    }
    let source = Arc::new(SourceText {
        name: name.to_owned(),
        text: text.to_owned(),
        secrets: secrets::keys(text),
    });
    let said = |it: Mistake| it.diagnostic(&source);
    let unargued = |it: Mistake| said(it.without_prefix(ARGUMENT.len(), text.len()));
    let argument = read(&format!("{ARGUMENT}{text}\n"));
    if !argument.is_whole() {
        return Err(argument.mistakes.into_iter().map(unargued).collect());
    }
    let is_one = matches!(argument.body.iter().collect::<Vec<_>>()[..], [Structure::Attribute(_)]);
    // A second time, because every place in it is counted from the start of its text.
    match hcl_edit::parser::parse_expr(&without_empty_heredocs(text, &tokens)) {
        Ok(expression) if is_one => Ok(Some(Expr {
            expression: Box::new(expression),
            source,
            needs: Vec::new(),
            head: None,
        })),
        _ => Err(vec![said(Mistake::not_one(text))]),
    }
}
