//! Blocks that say what has to be true: `validation`, `precondition`, `postcondition`, and `assert` in a `check`.

use hcl_edit::structure::Block;

use crate::config::block::{CheckBlock, Validation};
use crate::config::parse::Parser;
use crate::config::vocabulary::{ASSERT, BlockType, CHECK};
use crate::diagnostic::Diagnostic;

impl Parser {
    /// Reads a condition and its message.
    pub(super) fn condition(&mut self, declared: &BlockType, block: Block) -> Option<Validation> {
        let span = self.head(&block);
        self.labels::<0>(&block, &format!("{} {{ … }}", declared.head))?;
        let mut contents = self.contents_of(declared, block.body);
        let mut required = |parser: &mut Self, name: &str| {
            let is_mentioned = contents.mentions(name);
            let found = contents.take(name);
            if !is_mentioned {
                parser.missing(&span, declared.name, name);
            }
            found.map(|it| parser.expr(it))
        };
        let condition = required(self, "condition");
        let message = required(self, "error_message");
        Some(Validation { condition: condition?, message: message? })
    }

    /// Reads a `check` block.
    pub(super) fn check(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([name]) = self.labels(&block, "check \"name\" { … }") else { return };
        let contents = self.contents_of(&CHECK, block.body);
        if contents.blocks.is_empty() {
            self.problems.push(
                Diagnostic::error("missing block")
                    .label(&span, "this `check` has no `assert`")
                    .help("Add `assert { condition = …, error_message = … }`, an argument a line."),
            );
        }
        let asserts = contents.blocks.into_iter();
        let asserts = asserts.filter_map(|(_, it)| self.condition(&ASSERT, it)).collect();
        if let Some(first) = self.blocks.checks.get(&name).map(|it| it.span.clone()) {
            return self.twice(&format!("check.{name}"), &first, &span);
        }
        self.blocks.checks.insert(name, CheckBlock { span, asserts });
    }
}
