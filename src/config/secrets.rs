//! Where secrets stand in the texts, so that no message draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use regex::Regex;

use crate::config::reference::{Found, walk};
use crate::config::vocabulary::CLIENT;
use crate::diagnostic::Diagnostic;
use crate::resource::{Kind, declaration};

/// What stands in the place of a pre-shared key where there is none.
const NONE: &str = "\"none\"";

/// A text of this length or more may be a key.
const KEY_LENGTH: usize = 40;

/// What is a key by its form alone: of age, and of OpenSSH or of TLS.
const MARKED: &str =
    r"AGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-[A-Z0-9]+|-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^-]*";

/// Finds the secrets in the files of a configuration, which may refer to each other.
pub(crate) fn find(bodies: &[&Body]) -> Vec<Vec<Range<usize>>> {
    let mut search = Search { found: vec![Vec::new(); bodies.len()], ..Search::default() };
    for (file, body) in bodies.iter().enumerate() {
        body.blocks().for_each(|block| search.block(file, block));
        // Nothing stands outside of a block that should.
        search.queue.extend(body.attributes().map(|it| (file, &it.value)));
    }
    let mut seen = BTreeSet::new();
    while let Some((file, expression)) = search.queue.pop() {
        let mut names = Vec::new();
        if let Expression::String(text) = expression
            && text.as_str() != "none"
        {
            search.found[file].extend(expression.span());
        }
        walk(expression, &mut |it| match it {
            Found::Text(text, range) if text.len() >= KEY_LENGTH => search.found[file].push(range),
            Found::Name(it) => names.extend(it.name.map(|name| (it.root, name))),
            _ => {}
        });
        for name in names {
            if let (true, Some(definition)) = (seen.insert(name), search.definitions.get(&name)) {
                search.queue.push(*definition);
            }
        }
    }
    search.found
}

/// Guesses where secrets are in parts of a text that cannot be parsed: keys, and what is assigned to a name that sounds
/// like one, also where the `=` is missing.
pub(crate) fn guess(text: &str, parts: &[Range<usize>]) -> Vec<Range<usize>> {
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let name = r"\w*(?:key|value|default|secret|password|token|psk)\w*";
        Regex::new(&format!(
            r#"(?im)\b{name}"?[ \t]*[=:]+[ \t]*([^\n]*)|(?:^[ \t]+|\{{[ \t]*){name}[ \t]+([^\s{{][^\n]*)|([A-Za-z0-9+/]{{40,}}={{0,2}})"#
        ))
        .ok()
    });
    let Some(regex) = &*SECRET else {
        // It cannot be; but then everything is hidden rather than anything shown.
        return parts.to_vec();
    };
    let group = |it: regex::Captures| (1..=3).find_map(|i| it.get(i)).map(|it| it.range());
    let in_part = |part: &Range<usize>| {
        let start = part.start;
        let found = regex.captures_iter(&text[part.clone()]).filter_map(group);
        found.map(move |it| it.start + start..it.end + start).collect::<Vec<_>>()
    };
    parts.iter().flat_map(in_part).collect()
}

/// Finds texts and keys that are given to a name of a secret, wherever they stand: in a comment, in an object, in a block
/// where none belongs, in a line of another tool.
pub(crate) fn named(text: &str) -> Vec<Range<usize>> {
    static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let name =
            r"\w*(?:private_?key|preshared_?key|psk|secret|secret_key|password|passphrase|token)";
        let quoted = r#"\\?"(?:\\.|[^"\\\n])*"?"#;
        let key = format!("[A-Za-z0-9+/]{{{KEY_LENGTH},}}={{0,2}}");
        Regex::new(&format!(r#"(?i)\b{name}\\?"?[ \t]*[=:]+[ \t]*({quoted}|{key})|({MARKED})"#))
            .ok()
    });
    let all = NAMED.iter().flat_map(|regex| regex.captures_iter(text));
    // What refers to another place is looked for there, and who writes that there is none has no secret.
    let is_open = |text: &str| text.contains("${") || text == NONE;
    let texts = all.filter_map(|it| it.get(1).or(it.get(2))).filter(|it| !is_open(it.as_str()));
    texts.map(|it| it.range()).collect()
}

/// Returns everything after a `=` or a `:`, line by line, and lines without.
pub(crate) fn assigned(text: &str, part: &Range<usize>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = part.start;
    for line in text[part.clone()].split_inclusive('\n') {
        let at = line.find(['=', ':', ' ']).map_or(0, |at| at + 1);
        ranges.push(start + at..start + line.len());
        start += line.len();
    }
    ranges
}

/// Returns every text that may be a key, also a public one.
pub(crate) fn keys(text: &str) -> Vec<Range<usize>> {
    static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(&format!("{MARKED}|[A-Za-z0-9+/]{{{KEY_LENGTH},}}={{0,2}}")).ok()
    });
    let found = KEY.iter().flat_map(|regex| regex.find_iter(text));
    found.map(|found| found.range()).collect()
}

/// Writes `…` for what may be a key in what is said about a configuration: a value may be one that was read from the
/// wrong file or stands in the wrong place. Names of files stay.
pub(crate) fn without_keys(problems: &mut [Diagnostic]) {
    for problem in problems {
        let labels = problem.labels.iter_mut().map(|label| &mut label.text);
        for text in labels.chain(&mut problem.help) {
            let mut found = keys(text);
            found.retain(|it| !is_path(&text[it.clone()]));
            found.into_iter().rev().for_each(|range| text.replace_range(range, "…"));
        }
    }
}

/// Returns whether what may be a key is part of a path rather: a key has few `/`, and all kinds of characters.
fn is_path(found: &str) -> bool {
    let has = |is: fn(&char) -> bool| found.chars().any(|c| is(&c));
    let is_key = found.ends_with('=')
        || found.contains('-')
        || found.chars().all(|c| c.is_ascii_hexdigit())
        || has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_digit);
    !is_key || found.matches('/').count() > 6
}

#[derive(Default)]
struct Search<'b> {
    found: Vec<Vec<Range<usize>>>,
    /// What `local.x` and `var.x` stand for.
    definitions: BTreeMap<(&'static str, &'b str), (usize, &'b Expression)>,
    /// Expressions that make a secret.
    queue: Vec<(usize, &'b Expression)>,
}

impl<'b> Search<'b> {
    /// Notes what is given to `sensitive(…)`, also in the blocks of a block.
    fn calls(&mut self, file: usize, body: &'b Body) {
        for attribute in body.attributes() {
            walk(&attribute.value, &mut |it| {
                if let Found::Call(call) = it
                    && call.name.name.as_str() == "sensitive"
                {
                    // The list of arguments itself has no place.
                    self.found[file].extend(call.args.iter().filter_map(|it| it.span()));
                }
            });
        }
        body.blocks().for_each(|inner| self.calls(file, &inner.body));
    }

    /// Notes what is assigned to a name that sounds like a secret, where none belongs.
    fn misplaced(&mut self, file: usize, body: &'b Body) {
        let sounds_secret = |name: &str| {
            !matches!(name, "public_key" | "api_password_command" | "api_key_command")
                && ["key", "secret", "password", "token", "psk"].iter().any(|it| name.contains(it))
        };
        let all = body.attributes().filter(|it| sounds_secret(it.key.as_str()));
        self.queue.extend(all.map(|it| (file, &it.value)));
    }

    fn block(&mut self, file: usize, block: &'b Block) {
        self.calls(file, &block.body);
        match block.ident.as_str() {
            "locals" => {
                for it in block.body.attributes() {
                    self.definitions.insert(("local", it.key.as_str()), (file, &it.value));
                }
            }
            "variable" => self.variable(file, block),
            "wgform" => {
                self.misplaced(file, &block.body);
                block.body.get_blocks("state").for_each(|state| self.store(file, &state.body));
            }
            "backend" => {
                self.misplaced(file, &block.body);
                let logins = block.body.get_blocks("read");
                logins.for_each(|login| self.misplaced(file, &login.body));
                // A user with a password does not belong there, and is there at times.
                let url = block.body.get_attribute("api_url").map(|it| &it.value);
                if let Some(Expression::String(text)) = url
                    && text.as_str().contains('@')
                {
                    self.found[file].extend(url.and_then(|url| url.span()));
                }
            }
            ident => {
                let Some(kind) = Kind::from_block(ident) else {
                    return self.misplaced(file, &block.body);
                };
                for it in block.body.attributes() {
                    // One that does not exist there may be a secret under a wrong name, or in the wrong block.
                    let declared = declaration::attribute(kind, it.key.as_str());
                    if declared.is_none_or(|declared| declared.form.is_secret()) {
                        self.queue.push((file, &it.value));
                    }
                }
                for client in block.body.get_blocks(CLIENT.name) {
                    let key = client.body.get_attribute("private_key");
                    self.queue.extend(key.map(|it| (file, &it.value)));
                }
            }
        }
    }

    /// Notes what a store is reached with: passwords, headers, and addresses with a user in them.
    fn store(&mut self, file: usize, body: &'b Body) {
        self.misplaced(file, body);
        let has_user = |it: &Expression| it.as_str().is_some_and(|text| text.contains('@'));
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            if matches!(name, "headers" | "credentials" | "conn_str") || has_user(&attribute.value)
            {
                self.queue.push((file, &attribute.value));
            }
            if let Expression::Object(headers) = &attribute.value {
                self.queue.extend(headers.iter().map(|(_, value)| (file, value.expr())));
            }
        }
    }

    fn variable(&mut self, file: usize, block: &'b Block) {
        let (Some(label), Some(default)) =
            (block.labels.first(), block.body.get_attribute("default"))
        else {
            return;
        };
        self.definitions.insert(("var", label.as_str()), (file, &default.value));
        let sensitive = block.body.get_attribute("sensitive");
        if sensitive.is_some_and(|it| it.value.as_bool() != Some(false)) {
            self.found[file].extend(default.value.span());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::secrets::{find, guess, named};

    const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    #[test]
    fn secrets_are_found_through_locals_and_variables() {
        let text = format!(
            "locals {{ k = \"{KEY}\" }}\nvariable \"p\" {{\n  sensitive = true\n  default = \"hunter2\"\n}}\n\
             interface \"a\" {{ private_key = local.k }}\npeer \"b\" {{\n  preshared_key = \"none\"\n  public_key = \"{KEY}\"\n}}\n\
             preshared_key \"c\" {{ value = \"short\" }}\npeer \"d\" {{ private_kye = \"typo\" }}\n"
        );
        let body = hcl_edit::parser::parse_body(&text).unwrap();
        let found = &find(&[&body])[0];
        let mut shown: Vec<&str> = found.iter().map(|range| &text[range.clone()]).collect();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown, ["\"hunter2\"", "\"short\"", "\"typo\"", &format!("\"{KEY}\"")]);
        let place = text.find(KEY).unwrap();
        assert!(found.iter().all(|range| range.start < place || &text[range.clone()] != KEY));
    }

    #[test]
    fn what_a_store_is_reached_with_is_found() {
        let text = "wgform {\n  state \"http\" {\n    address = \"https://u:hunter2@host\"\n    password = \"hunter3\"\n    \
                    headers = { X = \"hunter4\" }\n  }\n}\n";
        let body = hcl_edit::parser::parse_body(text).unwrap();
        let found = &find(&[&body])[0];
        for secret in ["hunter2", "hunter3", "hunter4"] {
            assert!(found.iter().any(|range| text[range.clone()].contains(secret)), "{secret}");
        }
    }

    #[test]
    fn what_a_block_of_a_block_makes_sensitive_is_found() {
        let text = "variable \"v\" {\n  validation {\n    condition = var.v != sensitive(\"hunter2\")\n    error_message = \"x\"\n  }\n}\n";
        let body = hcl_edit::parser::parse_body(text).unwrap();
        let found = &find(&[&body])[0];
        assert!(found.iter().any(|range| text[range.clone()].contains("hunter2")), "{found:?}");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_found() {
        for text in [
            "private_key = \"hunter2\"\n",
            "backend \"local\" \"hq\" {\n  private_key = \"hunter2\"\n}\n",
            "interfce \"hub\" {\n  private_key = \"hunter2\"\n}\n",
        ] {
            let body = hcl_edit::parser::parse_body(text).unwrap();
            let found = &find(&[&body])[0];
            assert!(found.iter().any(|range| text[range.clone()].contains("hunter2")), "{text}");
        }
    }

    #[test]
    fn what_is_given_to_the_name_of_a_secret_is_found_wherever_it_stands() {
        for text in [
            "# private_key = \"hunter2\"\n",
            "/* api_password=\"hunter2\" */",
            "locals { a = { PresharedKey: \"hunter2\" } }",
            "locals { a = { \"psk\" = \"hunter2\" } }",
            r#"locals { a = "{\"token\": \"hunter2\"}" }"#,
            "check \"c\" { private_key = \"hunter2",
            r#"# psk = "\"\\hunter2""#,
            "# PrivateKey = hunter2/hunter2/hunter2/hunter2/hunter2/huI=",
        ] {
            let found = named(text).into_iter().map(|range| &text[range]);
            assert!(found.into_iter().any(|it| it.contains("hunter2")), "{text}");
        }
        for text in [
            "api_password_command = \"cat x\"",
            "psk = \"${local.x}\"",
            "preshared_key = \"none\"",
            "key = \"a\"",
        ] {
            assert!(named(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_key_that_says_what_it_is_is_found_wherever_it_stands() {
        for (text, key) in [
            ("age_recipients = [\"AGE-SECRET-KEY-1QQPQ\"]", "AGE-SECRET-KEY-1QQPQ"),
            (
                "a = <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----\nE\n",
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n",
            ),
        ] {
            let found: Vec<_> = named(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [key]);
        }
        assert!(named("-----BEGIN PUBLIC KEY-----\nb3BlbnNzaA").is_empty());
    }

    #[test]
    fn a_broken_text_hides_what_looks_like_a_secret() {
        let text = format!("name = \"wg0\"\nprivate_key = \"{KEY}\nx = [{KEY}]\n");
        let whole = std::iter::once(0..text.len()).collect::<Vec<_>>();
        let shown: Vec<&str> = guess(&text, &whole).into_iter().map(|range| &text[range]).collect();
        assert_eq!(shown, [&format!("\"{KEY}"), KEY]);
    }
}
