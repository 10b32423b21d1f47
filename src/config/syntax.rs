//! One file by itself: whether it can be parsed, and where secrets stand in it.

use std::sync::Arc;

use crate::config::parse::{recover, with_secrets};
use crate::config::secrets;
use crate::diagnostic::{Diagnostic, SourceText};

/// Looks whether a file can be parsed, and returns it with its secrets.
///
/// Other files may say that more of it is secret. So every text that may be a key counts, also a public one, and in a
/// file of values (`*.wgvars.hcl`) every value.
///
/// # Errors
/// What is wrong, as `validate` says it.
pub fn check_syntax(source: &Arc<SourceText>) -> Result<Arc<SourceText>, Vec<Diagnostic>> {
    let text = &source.text;
    let read = recover::read(text);
    let mut hidden = secrets::find(&[&read.body]).pop().unwrap_or_default();
    hidden.extend(secrets::keys(text));
    hidden.extend(secrets::guess(text, &read.hidden));
    if source.name.ends_with(".wgvars.hcl") {
        let values = read.body.attributes();
        hidden.extend(values.filter_map(|it| hcl_edit::Span::span(&it.value)));
        hidden.extend(read.hidden.iter().flat_map(|range| secrets::assigned(text, range)));
    }
    let source = with_secrets(source, hidden);
    match read.is_whole() {
        true => Ok(source),
        false => Err(read.mistakes.iter().map(|it| it.diagnostic(&source)).collect()),
    }
}
