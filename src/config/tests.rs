//! What a user writes, and what comes of it.

mod errors;
mod functions;
mod keys;
mod modules;
mod repeat;
mod resources;
mod robust;
mod rows;
mod syntax;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{AllUnknown, Computed, Config, Desired, Edition, Evaluator, Wanted};
use crate::diagnostic::{Diagnostic, Severity, SourceText};
use crate::resource::{Address, Field};
use crate::source::{Files, GivenVariable, Origin, Sources};
use crate::world::World;

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const PSK: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

/// A configuration under test, with what is around it.
#[derive(Default)]
struct Case {
    files: Vec<(String, String)>,
    given: Vec<(Option<&'static str>, Origin, String)>,
    environment: BTreeMap<String, String>,
    computed: Known,
    directory: Option<PathBuf>,
}

/// What is known of devices.
#[derive(Default)]
struct Known(BTreeMap<(String, String), Field>);

impl Computed for Known {
    fn computed(&self, address: &Address, attribute: &'static str) -> Option<Field> {
        self.0.get(&(address.to_string(), attribute.to_owned())).cloned()
    }

    fn edition(&self) -> Edition {
        Edition::new()
    }
}

impl Case {
    fn new(text: &str) -> Self {
        Self::default().file("main.wg.hcl", text)
    }

    fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    fn var(mut self, name: &'static str, value: &str) -> Self {
        self.given.push((Some(name), Origin::Argument, value.to_owned()));
        self
    }

    fn var_file(mut self, text: &str) -> Self {
        self.given.push((None, Origin::File, text.to_owned()));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Reads files there.
    fn directory(mut self, path: PathBuf) -> Self {
        self.directory = Some(path);
        self
    }

    fn known(mut self, address: &str, attribute: &str, field: Field) -> Self {
        self.computed.0.insert((address.to_owned(), attribute.to_owned()), field);
        self
    }

    fn sources(&self) -> Sources {
        let text = |name: &str, text: &str| {
            Arc::new(SourceText {
                name: name.to_owned(),
                text: text.to_owned(),
                secrets: Vec::new(),
            })
        };
        let variables = self.given.iter().map(|(name, origin, value)| GivenVariable {
            name: name.map(str::to_owned),
            origin: *origin,
            text: text(if name.is_some() { "-var" } else { "x.wgvars.hcl" }, value),
        });
        let few = || {
            let texts: BTreeMap<_, _> = self.files.iter().cloned().collect();
            Files::new(move |path| match (path, texts.get(path)) {
                ("key.txt", _) => Ok(format!("{PRIVATE}\n")),
                (_, Some(text)) => Ok(text.clone()),
                _ => Err("no such file".to_owned()),
            })
        };
        let reader = self.directory.clone().map_or_else(few, Files::in_directory);
        Sources {
            // What is in a directory belongs to a module.
            files: self
                .files
                .iter()
                .filter(|(name, _)| !name.contains('/'))
                .map(|(name, it)| text(name, it))
                .collect(),
            variables: variables.collect(),
            reader,
        }
    }

    fn world(&self) -> World {
        World::new(self.environment.clone(), ".".into(), || Timestamp::UNIX_EPOCH, |_| {})
    }

    fn parse(&self) -> (Config, Vec<Diagnostic>) {
        Config::parse(self.sources())
    }

    /// Parses, and hands the evaluator to a test, with what parsing said.
    fn with<T>(&self, test: impl FnOnce(&Config, &Evaluator, Vec<Diagnostic>) -> T) -> T {
        let (config, problems) = self.parse();
        let world = self.world();
        let evaluator = Evaluator::new(&config, &world);
        test(&config, &evaluator, problems)
    }

    fn desired(&self, address: &str) -> Desired {
        self.with(|_, evaluator, problems| {
            assert_eq!(shown(&problems), "");
            let desired = evaluator.resource(&address.parse().unwrap(), &self.computed);
            desired.unwrap_or_else(|problems| panic!("{}", shown(&problems)))
        })
    }

    /// Evaluates everything, and returns all problems as text.
    fn problems(&self) -> String {
        let (config, parsed) = self.parse();
        shown(&Evaluator::new(&config, &self.world()).problems(parsed))
    }

    /// Returns one output as JSON text; `unknown` while it is not known.
    fn output(&self, name: &str) -> String {
        self.with(|_, evaluator, problems| {
            assert_eq!(shown(&problems), "");
            let outputs = evaluator.outputs(&self.computed);
            let outputs = outputs.unwrap_or_else(|problems| panic!("{}", shown(&problems)));
            let value = outputs[name].value.as_ref();
            value.map_or("unknown".to_owned(), ToString::to_string)
        })
    }
}

/// Evaluates an expression in a configuration with a few names, and returns JSON text or the problems.
fn evaluate(expression: &str) -> String {
    let text = format!(
        "variable \"secret\" {{\n  sensitive = true\n  default = \"hunter2\"\n}}\n\
         interface \"hub\" {{}}\noutput \"x\" {{\n  sensitive = true\n  value = {expression}\n}}\n"
    );
    let case = Case::new(&text);
    let problems = case.problems();
    if problems.is_empty() { case.output("x") } else { problems }
}

/// Checks all problems of one file, each place without its name.
#[track_caller]
fn check(text: &str, wanted: &str) {
    let shown = Case::new(text).problems().replace("main.wg.hcl:", "");
    assert_eq!(shown.trim_end(), wanted.trim(), "\n{shown}");
}

/// Draws diagnostics: summary, places, help.
fn shown(problems: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in problems {
        let word = if it.severity == Severity::Error { "error" } else { "warning" };
        text += &format!("{word}: {}\n", it.summary);
        for label in &it.places() {
            let (source, range) = (&label.span.source, &label.span.range);
            let before = &source.text[..range.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let hidden =
                source.secrets.iter().any(|it| it.start < range.end && range.start < it.end);
            let drawn = if hidden { "…" } else { &source.text[range.clone()] };
            let drawn = drawn.lines().next().unwrap_or_default();
            text += &format!("  {}:{line}:{column} `{drawn}`: {}\n", source.name, label.text);
        }
        text += &it.help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
    }
    text
}

fn known(desired: &Desired, attribute: &str) -> String {
    match desired.fields.get(attribute) {
        Some(Wanted::Known(field)) => format!("{field:?}"),
        Some(Wanted::Unknown) => "unknown".to_owned(),
        None => "unset".to_owned(),
    }
}

#[test]
fn everything_unknown_is_what_validate_evaluates_with() {
    let case = Case::new("interface \"a\" {}\noutput \"x\" { value = interface.a.public_key }\n");
    case.with(|_, evaluator, _| {
        assert_eq!(evaluator.outputs(&AllUnknown).unwrap()["x"].value, None);
    });
}
