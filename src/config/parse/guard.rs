//! `guard`, and arguments that name resources by their addresses or by patterns of them.

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use crate::config::Named;
use crate::config::block::{EncryptionBlock, GuardBlock};
use crate::config::parse::Parser;
use crate::config::vocabulary::{ENCRYPTION, GUARD};
use crate::diagnostic::Diagnostic;
use crate::resource::Pattern;

impl Parser {
    /// Reads the one `guard` block of the settings.
    pub(super) fn guard(&mut self, blocks: Vec<(&'static str, Block)>) {
        let before = self.problems.len();
        let Some((_, block)) = self.only(None, blocks, "guard { … }") else {
            // A guard that cannot be read is no guard.
            self.blocks.broken.settings |= self.problems.len() > before;
            return;
        };
        let mut contents = self.contents_of(&GUARD, block.body);
        let protect = contents.take("protect");
        let mut guard = GuardBlock::default();
        if let Some(list) = protect {
            guard.protect_span = Some(self.span_of(&list));
            guard.protect = self.patterns(&list);
        }
        let attributes = contents.attributes.into_iter();
        guard.attributes = attributes.map(|(name, it)| (name, self.expr(it.value))).collect();
        self.blocks.settings.guard = guard;
    }

    /// Reads the `encryption` block. One that cannot be read is none, and nothing may be stored in the open for that.
    pub(super) fn encryption(&mut self, blocks: Vec<(&'static str, Block)>) {
        let before = self.problems.len();
        let Some((_, block)) = self.only(None, blocks, "encryption { … }") else {
            self.blocks.broken.settings |= self.problems.len() > before;
            return;
        };
        let span = self.head(&block);
        let contents = self.contents_of(&ENCRYPTION, block.body);
        self.blocks.broken.settings |= self.problems.len() > before;
        let attributes = contents.attributes.into_iter();
        let arguments = attributes.map(|(name, it)| (name, self.expr(it.value))).collect();
        self.blocks.settings.encryption = Some(EncryptionBlock { span, arguments });
    }

    /// Reads a list of addresses, or of patterns of them, which are never evaluated.
    pub(super) fn patterns(&mut self, list: &Expression) -> Vec<Named> {
        let Expression::Array(items) = list else {
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of resources")
                    .label(&span, "this has to be a list of resources")
                    .help("Write it as `[interface.NAME, peer.NAME]`. It is not evaluated."),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.pattern(item)).collect()
    }

    fn pattern(&mut self, item: &Expression) -> Option<Named> {
        let span = self.span_of(item);
        let written: String = match item {
            Expression::String(text) => text.as_str().to_owned(),
            // As it stands there: `peer.rw["alice"]` is one as it is.
            _ => {
                let text = self.source.text.get(span.range.clone()).unwrap_or_default();
                text.chars().filter(|c| !c.is_whitespace()).collect()
            }
        };
        match written.parse::<Pattern>() {
            Ok(pattern) if !pattern.is_of_backend() => Some(Named { pattern, span }),
            Ok(_) => {
                let help = "Name the resources on it, such as `interface.*`.";
                self.not_a_pattern(&span, "this is a backend, and no resource", help);
                None
            }
            Err(_) => {
                let help = "Write `interface.NAME`, `peer.NAME`, `peer.NAME[\"KEY\"]` or `module.NAME`; or a pattern in \
                            quotes, such as \"module.site.**\". It is not evaluated.";
                self.not_a_pattern(&span, "this is not the address of a resource", help);
                None
            }
        }
    }

    fn not_a_pattern(&mut self, span: &crate::diagnostic::Span, label: &str, help: &str) {
        let problem = Diagnostic::error("invalid resource address");
        self.problems.push(problem.label(span, label).help(help));
    }
}
