//! Files to blocks: what may stand where, without evaluating anything.
//!
//! Everything that is wrong is reported, in all files. A mistake in the syntax hides only the block that it stands in.

mod blocks;
mod body;
mod condition;
mod data;
mod expression;
mod given;
mod guard;
mod hold;
mod ignore;
mod lifecycle;
mod module;
mod names;
pub(crate) mod parser;
pub(crate) mod recover;
mod refactor;
mod split;
mod syntax;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use hcl_edit::structure::{Body, Structure};
use regex::Regex;

use crate::config::block::{Blocks, Expr, Module};
use crate::config::parse::recover::Text;
use crate::config::version::satisfies;
use crate::config::{names_of_blocks, secrets, suggest};
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::source::{Files, Sources};

pub(crate) use crate::config::parse::blocks::BLOCKS;
pub(crate) use crate::config::parse::body::or;
pub(crate) use crate::config::parse::expression::expression;
pub(crate) use crate::config::parse::given::Given;
pub(crate) use crate::config::parse::ignore::Ignored;
pub(crate) use crate::config::parse::names::{
    Declared, Within, is_reference, referable, unknown_function, unknown_output,
};

/// What the files say, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The root, and every module that is called.
    pub(crate) modules: Vec<Module>,
    pub(crate) given: BTreeMap<Arc<str>, Given>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Parses the files of a configuration, and those of its modules.
pub(crate) fn parse(sources: &Sources) -> Parsed {
    suggest::renew();
    let root = Module { caller: None, directory: ".".to_owned(), blocks: Blocks::default() };
    let mut modules = vec![root];
    let (blocks, problems) = checked(&sources.files, 0, &mut modules, &sources.reader);
    let mut parser = Parser { blocks, problems, ..Parser::default() };
    let given = parser.given(&sources.variables);
    let Parser { blocks, problems, .. } = parser;
    modules[0].blocks = blocks;
    Parsed { modules, given, problems }
}

/// Parses the files of one module, and those of the modules that it calls, and checks all names in them.
fn checked(
    files: &[Arc<SourceText>],
    number: usize,
    modules: &mut Vec<Module>,
    reader: &Files,
) -> (Blocks, Vec<Diagnostic>) {
    let texts: Vec<_> = files.iter().map(|file| recover::read(&file.text)).collect();
    let found = secrets::find(&texts.iter().map(|text| &text.body).collect::<Vec<_>>());
    let masked = files.iter().zip(&texts).zip(found).map(|((source, text), mut found)| {
        found.extend(secrets::guess(&source.text, &text.hidden));
        found.extend(secrets::named(&source.text));
        with_secrets(source, found)
    });
    let files: Vec<_> = masked.collect::<Vec<_>>().into_iter().zip(texts).collect();
    let mut parser = Parser { is_root: number == 0, ..Parser::default() };
    for (source, text) in &files {
        parser.check_version(source, text.is_whole().then_some(&text.body));
    }
    if !parser.problems.is_empty() {
        // Whatever else is wrong may be right in the version that is asked for.
        parser.blocks.broken.anything();
        return (parser.blocks, parser.problems);
    }
    for (source, text) in files {
        parser.source = source;
        parser.mistakes(&text);
        text.note_blocks(&mut parser.blocks.broken);
        let wrong = parser.blocks.ignored.read(&parser.source, &text.body);
        parser.problems.extend(wrong);
        parser.file(text.body);
    }
    let called = Parser::called(&mut parser.blocks, number, modules, reader);
    parser.problems.extend(called);
    parser.problems.extend(Parser::arguments(&parser.blocks, modules));
    parser.resolve_names(modules);
    (parser.blocks, parser.problems)
}

/// The blocks so far, and the file that is being read.
#[derive(Debug)]
struct Parser {
    blocks: Blocks,
    problems: Vec<Diagnostic>,
    source: Arc<SourceText>,
    /// Whether this is not a module that another one calls.
    is_root: bool,
}

impl Default for Parser {
    fn default() -> Self {
        let source = SourceText { name: String::new(), text: String::new(), secrets: Vec::new() };
        Self {
            blocks: Blocks::default(),
            problems: Vec::new(),
            source: Arc::new(source),
            is_root: true,
        }
    }
}

impl Parser {
    /// Reports what cannot be read of a text.
    fn mistakes(&mut self, text: &Text) {
        self.problems.extend(text.mistakes.iter().map(|it| it.diagnostic(&self.source)));
    }

    fn file(&mut self, body: Body) {
        for structure in body {
            match structure {
                Structure::Block(block) => self.block(block),
                Structure::Attribute(attribute) => {
                    let span = self.span_of(&attribute.key);
                    let name = attribute.key.as_str();
                    self.problems.push(
                        Diagnostic::error("argument outside of a block")
                            .label(&span, format!("`{name}` stands in no block"))
                            .help(format!("The blocks are {}.", names_of_blocks())),
                    );
                }
            }
        }
    }

    /// Compares `required_version`, also in a file that this version cannot parse.
    fn check_version(&mut self, source: &Arc<SourceText>, body: Option<&Body>) {
        let found: Vec<(String, Span)> = match body {
            Some(body) => required_versions(source, body),
            None => guessed_versions(source),
        };
        let own = env!("CARGO_PKG_VERSION");
        for (constraints, span) in found {
            let diagnostic = match satisfies(own, &constraints) {
                Ok(true) => continue,
                Ok(false) => Diagnostic::error("configuration for another version of wgform")
                    .label(&span, format!("this is wgform {own}"))
                    .help(format!("Use a version of wgform that is `{constraints}`.")),
                Err(wrong) => Diagnostic::error("invalid version constraint")
                    .label(&span, format!("`{wrong}` is not a version constraint"))
                    .help("Write it as \">= 0.1\", or \">= 0.1, < 0.3\"."),
            };
            self.problems.push(diagnostic);
        }
    }

    fn span_of(&self, it: &impl hcl_edit::Span) -> Span {
        Span { source: self.source.clone(), range: it.span().unwrap_or_default() }
    }

    fn expr(&self, expression: hcl_edit::expr::Expression) -> Expr {
        Expr {
            expression: Box::new(expression),
            source: self.source.clone(),
            needs: Vec::new(),
            head: None,
        }
    }
}

fn required_versions(source: &Arc<SourceText>, body: &Body) -> Vec<(String, Span)> {
    let blocks = body.blocks().filter(|block| block.ident.as_str() == "wgform");
    let attributes = blocks.filter_map(|block| block.body.get_attribute("required_version"));
    let literals = attributes.filter_map(|attribute| {
        let range = hcl_edit::Span::span(&attribute.value).unwrap_or_default();
        Some((attribute.value.as_str()?.to_owned(), Span { source: source.clone(), range }))
    });
    literals.collect()
}

fn guessed_versions(source: &Arc<SourceText>) -> Vec<(String, Span)> {
    static REQUIRED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?m)^[ \t]*(?:wgform\s*\{\s*)?required_version\s*=\s*"([^"\n]*)""#).ok()
    });
    let all = REQUIRED.iter().flat_map(|regex| regex.captures_iter(&source.text));
    all.filter_map(|it| it.get(1))
        .map(|it| {
            let range = it.start() - 1..it.end() + 1;
            (it.as_str().to_owned(), Span { source: source.clone(), range })
        })
        .collect()
}

pub(crate) fn with_secrets(
    source: &SourceText,
    secrets: Vec<std::ops::Range<usize>>,
) -> Arc<SourceText> {
    let SourceText { name, text, secrets: _ } = source;
    Arc::new(SourceText { name: name.clone(), text: text.clone(), secrets })
}
