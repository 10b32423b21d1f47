//! Values of devices as HCL, in the form that stands there.

use crate::adopt::list::rows;
use crate::adopt::page::Page;
use crate::draft::hcl;
use crate::resource::{Field, Form};
use crate::value::{Cidr, Prefix};

/// Writes a value; none for what is never written. `old` is what stands in its place, if anything does.
pub(super) fn literal(field: &Field, old: Option<&str>, page: &Page, at: usize) -> Option<String> {
    let old = old.unwrap_or_default();
    let is_quoted = old.starts_with('"');
    let is_number = old.starts_with(|c: char| c.is_ascii_digit());
    Some(match field {
        Field::Number(number) if is_quoted => format!("\"{number}\""),
        Field::Bool(yes) if is_quoted => format!("\"{yes}\""),
        Field::Keepalive(keepalive) if is_number => keepalive.seconds().to_string(),
        _ => {
            let text = hcl::value(field)?;
            match elements(field).filter(|_| text.contains('\n') || old.contains('\n')) {
                Some(all) if !all.is_empty() => {
                    let outer = page.indent(at);
                    let rows = rows(&all, &format!("{outer}  "), page.newline, true);
                    format!("[{}{rows}{outer}]", page.newline)
                }
                _ => text,
            }
        }
    })
}

/// Writes the elements of a list or set; none for what is neither.
fn elements(field: &Field) -> Option<Vec<String>> {
    let quoted = |it: String| hcl::quoted(&it);
    Some(match field {
        Field::Addresses(all) => all.iter().map(|it| quoted(it.to_string())).collect(),
        Field::Prefixes(all) => all.iter().map(|it| quoted(it.to_string())).collect(),
        Field::Servers(all) => all.iter().map(|it| quoted(it.to_string())).collect(),
        Field::Domains(all) => all.iter().cloned().map(quoted).collect(),
        Field::Names(all) => all.iter().cloned().map(quoted).collect(),
        _ => return None,
    })
}

/// Brings an element of a set into the form in which a state has it.
pub(super) fn canonical(form: &Form, text: &str) -> Option<String> {
    match form {
        Form::Addresses => text.parse::<Cidr>().ok().map(|it| it.to_string()),
        Form::Prefixes => text.parse::<Prefix>().ok().map(|it| it.to_string()),
        Form::Servers => text.parse::<std::net::IpAddr>().ok().map(|it| it.to_string()),
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::adopt::literal::literal;
    use crate::adopt::page::Page;
    use crate::diagnostic::SourceText;
    use crate::resource::Field;
    use crate::value::Keepalive;

    #[test]
    fn a_value_is_written_as_the_one_before_it() {
        let text = String::new();
        let source = SourceText { name: "a".to_owned(), text, secrets: Vec::new() };
        let page = Page::new(source.into());
        let of = |field, old| literal(&field, Some(old), &page, 0).unwrap();
        let keepalive = |it| Field::Keepalive(Keepalive::from_seconds(it));
        assert_eq!(of(Field::Number(7), "\"8\""), "\"7\"");
        assert_eq!(of(Field::Number(7), "8"), "7");
        assert_eq!(of(Field::Bool(true), "false"), "true");
        assert_eq!(of(keepalive(30), "25"), "30");
        assert_eq!(of(keepalive(30), "\"25s\""), "\"30s\"");
        assert_eq!(of(keepalive(0), "\"25s\""), "\"off\"");
        assert_eq!(of(keepalive(0), "25"), "0");
        assert_eq!(of(Field::Text("${a} \"".to_owned()), "null"), "\"$${a} \\\"\"");
    }
}
