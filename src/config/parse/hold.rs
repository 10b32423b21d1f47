//! `hold` and `known_drift`: what is left alone, or known to differ, for a time. Their targets are never evaluated.

use std::collections::BTreeSet;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use crate::config::hold::HoldBlock;
use crate::config::parse::Parser;
use crate::config::parse::body::or;
use crate::config::refactor::Addressed;
use crate::config::suggest::suggestion;
use crate::config::vocabulary::{BlockType, HOLD, KNOWN_DRIFT};
use crate::diagnostic::Diagnostic;
use crate::resource::{Kind, declaration};

impl Parser {
    pub(super) fn hold(&mut self, block: Block) {
        self.holding(block, &HOLD);
    }

    pub(super) fn known_drift(&mut self, block: Block) {
        self.holding(block, &KNOWN_DRIFT);
    }

    fn holding(&mut self, block: Block, declared: &BlockType) {
        let span = self.head(&block);
        let name = declared.name;
        let Some([label]) = self.labels(&block, &format!("{} {{ … }}", declared.head)) else {
            return;
        };
        let mut contents = self.contents_of(declared, block.body);
        for required in ["targets", "reason", "expires_at"] {
            if !contents.mentions(required) {
                self.missing(&span, name, required);
            }
        }
        let targets = contents.take("targets").and_then(|it| self.held_targets(&it));
        let attributes = contents.take("attributes");
        let reason = contents.take("reason").map(|it| self.expr(it));
        let expires_at = contents.take("expires_at").map(|it| self.expr(it));
        let attributes = match (attributes, &targets) {
            // What is wrong in that list must not hide what is wrong with the reason or the end.
            (Some(list), Some(targets)) => self.held_attributes(&list, targets).unwrap_or_default(),
            (Some(_), None) | (None, _) => BTreeSet::new(),
        };
        let all = (targets, reason, expires_at);
        let (Some(targets), Some(reason), Some(expires_at)) = all else { return };
        let is_known_drift = name == KNOWN_DRIFT.name;
        let mut holds = self.blocks.holds.iter();
        let first = holds.find(|it| it.label == label && it.is_known_drift == is_known_drift);
        if let Some(first) = first.map(|it| it.span.clone()) {
            return self.twice(&format!("{name}.{label}"), &first, &span);
        }
        self.blocks.holds.push(HoldBlock {
            label,
            span,
            is_known_drift,
            targets,
            attributes,
            reason,
            expires_at,
        });
    }

    fn held_targets(&mut self, list: &Expression) -> Option<Vec<Addressed>> {
        let items = match list {
            Expression::Array(items) if !items.is_empty() => items,
            _ => {
                let span = self.span_of(list);
                self.problems.push(
                    Diagnostic::error("invalid list of resources")
                        .label(&span, "this has to be a list of resources or modules")
                        .help("Write it as `[interface.NAME, peer.NAME, module.NAME]`."),
                );
                return None;
            }
        };
        let all: Vec<_> = items.iter().map(|item| self.movable(item)).collect();
        all.into_iter().collect()
    }

    fn held_attributes(
        &mut self,
        list: &Expression,
        targets: &[Addressed],
    ) -> Option<BTreeSet<&'static str>> {
        let Expression::Array(items) = list else {
            if matches!(list, Expression::Variable(name) if name.as_str() == "all") {
                return Some(BTreeSet::new());
            }
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of attributes")
                    .label(&span, "this has to be a list of attributes, or `all`")
                    .help("Write it as `[endpoint, allowed_ips]`, or leave it out for all."),
            );
            return None;
        };
        if items.is_empty() {
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of attributes")
                    .label(&span, "there is nothing in this list")
                    .help("Leave it out for all attributes, or name one."),
            );
            return None;
        }
        let kinds = kinds(targets);
        let all: Vec<_> = items.iter().map(|item| self.held_attribute(item, &kinds)).collect();
        all.into_iter().collect()
    }

    fn held_attribute(&mut self, item: &Expression, kinds: &[Kind]) -> Option<&'static str> {
        let name = match item {
            Expression::Variable(name) => name.as_str(),
            Expression::String(name) => name.as_str(),
            _ => "",
        };
        let found = kinds.iter().find_map(|kind| Some(declaration::attribute(*kind, name)?.name));
        if found.is_none() {
            let span = self.span_of(item);
            let all = || kinds.iter().flat_map(|kind| declaration::attributes(*kind));
            let kinds: Vec<_> = kinds.iter().map(|it| format!("`{it}`")).collect();
            let problem = Diagnostic::error("unknown attribute")
                .label(&span, format!("this is no attribute of {}", or(&kinds)));
            self.problems.push(match suggestion(name, all().map(|it| it.name)) {
                Some(near) => problem.help(format!("Did you mean `{near}`?")),
                None => problem.help("Write the name of an attribute, such as `endpoint`."),
            });
        }
        found
    }
}

/// Returns what kinds of resources are named; in a module there may be any.
fn kinds(targets: &[Addressed]) -> Vec<Kind> {
    let has =
        |kind: &Kind| targets.iter().any(|it| it.movable.kind().is_none_or(|named| named == *kind));
    Kind::ALL.into_iter().filter(has).collect()
}
