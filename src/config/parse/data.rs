//! `data "interface"`: an interface that somebody else manages.

use std::sync::Arc;

use hcl_edit::structure::Block;

use crate::config::block::DataBlock;
use crate::config::parse::Parser;
use crate::config::suggest::suggestion;
use crate::config::vocabulary::{DATA, DATA_ATTRIBUTES};
use crate::diagnostic::{Diagnostic, Span};

impl Parser {
    /// Reads a `data` block.
    pub(super) fn data(&mut self, block: Block) {
        let span = self.head(&block);
        let Some([kind, name]) = self.labels(&block, "data \"interface\" \"name\" { … }") else {
            return;
        };
        if kind != "interface" {
            self.problems.push(
                Diagnostic::error("unknown kind of data")
                    .label(&self.span_of(&block.labels[0]), format!("there is no data `{kind}`"))
                    .help("The only kind is `interface`."),
            );
            self.blocks.broken.block("data", &["", &name]);
            return;
        }
        let mut contents = self.contents_of(&DATA, block.body);
        if !contents.mentions("name") {
            self.missing(&span, "data", "name");
        }
        let backend = contents.take("backend").map(|it| self.expr(it));
        let interface = contents.take("name").map(|it| self.expr(it));
        let key: Arc<str> = name.as_str().into();
        if let Some(first) = self.blocks.data.get(&key).map(|it| it.span.clone()) {
            return self.twice(&format!("data.interface.{name}"), &first, &span);
        }
        self.blocks.data.insert(key, DataBlock { span, backend, name: interface });
    }
}

/// Checks the name of an attribute of such an interface.
pub(crate) fn data_attribute(name: &str, at: &Span) -> Result<(), Diagnostic> {
    if DATA_ATTRIBUTES.contains(&name) {
        return Ok(());
    }
    if name == "private_key" {
        return Err(Diagnostic::error("reference to a secret")
            .label(at, "the private key of an interface of somebody else cannot be had")
            .help("Refer to its `public_key`."));
    }
    let help = match suggestion(name, DATA_ATTRIBUTES) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => {
            let names = DATA_ATTRIBUTES.map(|name| format!("`{name}`"));
            format!("It can be {}.", super::or(&names))
        }
    };
    Err(Diagnostic::error("reference to an unknown attribute")
        .label(at, format!("`data.interface` has no attribute `{name}`"))
        .help(help))
}
