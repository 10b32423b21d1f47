//! `lifecycle`: what may happen to an object, and what has to be true of it.

use std::collections::BTreeSet;

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::Block;

use crate::config::Trigger;
use crate::config::block::{Expr, LifecycleBlock};
use crate::config::parse::Parser;
use crate::config::parse::body::or;
use crate::config::parse::names::referable;
use crate::config::suggest::suggestion;
use crate::config::vocabulary::{
    ASSIGN, ASSIGN_ATTRIBUTES, CLIENT, CLIENT_ATTRIBUTES, LIFECYCLE, POSTCONDITION, PRECONDITION,
};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, InstanceKey, Kind, Presence, declaration};

impl Parser {
    /// Reads the one `lifecycle` block of a resource; `prevent_destroy` and `enabled` apart.
    pub(super) fn lifecycle(
        &mut self,
        kind: Kind,
        blocks: Vec<(&'static str, Block)>,
    ) -> (Option<Expr>, Option<Expr>, LifecycleBlock) {
        let mut lifecycle = LifecycleBlock::default();
        let Some((_, block)) = self.only(None, blocks, "lifecycle { … }") else {
            return (None, None, lifecycle);
        };
        let mut contents = self.contents_of(&LIFECYCLE, block.body);
        let prevent_destroy = contents.take("prevent_destroy").map(|it| self.expr(it));
        let enabled = contents.take("enabled").map(|it| self.expr(it));
        if let Some(list) = contents.take("ignore_changes") {
            lifecycle.ignored = self.ignored(kind, &list);
        }
        if let Some(list) = contents.take("replace_triggered_by") {
            lifecycle.triggers = self.triggers(&list);
        }
        for (name, block) in contents.blocks {
            let (declared, conditions) = match name {
                "precondition" => (&PRECONDITION, &mut lifecycle.preconditions),
                _ => (&POSTCONDITION, &mut lifecycle.postconditions),
            };
            conditions.extend(self.condition(declared, block));
        }
        (prevent_destroy, enabled, lifecycle)
    }

    /// Reads the attributes whose changes are ignored, which are never evaluated.
    fn ignored(&mut self, kind: Kind, list: &Expression) -> BTreeSet<&'static str> {
        if matches!(list, Expression::Variable(name) if name.as_str() == "all") {
            let all = declaration::attributes(kind).iter();
            let settable = all.filter(|it| it.presence != Presence::Computed).map(|it| it.name);
            return settable.filter(|name| !says_where(name)).collect();
        }
        let Expression::Array(items) = list else {
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of attributes")
                    .label(&span, "this has to be a list of attributes, or `all`")
                    .help("Write it as `[description, allowed_ips]`, or `all`."),
            );
            return BTreeSet::new();
        };
        items.iter().flat_map(|item| self.ignored_one(kind, item)).collect()
    }

    fn ignored_one(&mut self, kind: Kind, item: &Expression) -> Vec<&'static str> {
        let span = self.span_of(item);
        let Expression::Variable(name) = item else {
            let help = match item {
                Expression::String(text) => format!("Write `{}`, without quotes.", text.as_str()),
                _ => "Write the name alone, such as `description`.".to_owned(),
            };
            self.problems.push(
                Diagnostic::error("invalid list of attributes")
                    .label(&span, format!("this is not the name of an attribute of `{kind}`"))
                    .help(help),
            );
            return Vec::new();
        };
        let name = name.as_str();
        // A block stands for the attributes that its arguments are.
        let parts: &[(&str, &str)] = match kind {
            Kind::Interface if name == ASSIGN.name => &ASSIGN_ATTRIBUTES,
            Kind::Peer if name == CLIENT.name => &CLIENT_ATTRIBUTES,
            _ => &[],
        };
        if !parts.is_empty() {
            return parts.iter().map(|(_, attribute)| *attribute).collect();
        }
        match ignorable(kind, name, &span) {
            Ok(name) => vec![name],
            Err(problem) => {
                self.problems.push(problem);
                Vec::new()
            }
        }
    }

    /// Reads the addresses of `replace_triggered_by`, which are never evaluated.
    fn triggers(&mut self, list: &Expression) -> Vec<Trigger> {
        let Expression::Array(items) = list else {
            let span = self.span_of(list);
            self.problems.push(
                Diagnostic::error("invalid list of resources")
                    .label(&span, "this has to be a list of resources, or of attributes of them")
                    .help("Write it as `[interface.NAME, peer.NAME.public_key]`."),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.trigger(item)).collect()
    }

    fn trigger(&mut self, item: &Expression) -> Option<Trigger> {
        let span = self.span_of(item);
        let found = match item {
            Expression::Traversal(traversal) => named(traversal),
            _ => None,
        };
        let Some((address, attribute)) = found else {
            let kinds: Vec<_> = Kind::ALL.iter().map(|kind| format!("`{kind}.NAME`")).collect();
            let kinds = or(&kinds);
            self.problems.push(
                Diagnostic::error("invalid resource address")
                    .label(&span, "this is not an address")
                    .help(format!("Write {kinds}, or an attribute of one. It is not evaluated.")),
            );
            return None;
        };
        let attribute = match attribute {
            None => None,
            Some((name, at)) => {
                let at = Span { source: span.source.clone(), range: at };
                match referable(address.kind, name, &at) {
                    Ok(name) => Some(name),
                    Err(problem) => {
                        self.problems.push(problem);
                        return None;
                    }
                }
            }
        };
        Some(Trigger { address, attribute, span })
    }
}

/// Returns whether an attribute says where an object is, rather than what it is.
fn says_where(name: &str) -> bool {
    matches!(name, "backend" | "interface" | "adopt_from")
}

/// Finds an attribute whose changes can be ignored.
fn ignorable(kind: Kind, name: &str, at: &Span) -> Result<&'static str, Diagnostic> {
    let wrong = Diagnostic::error("attribute whose changes cannot be ignored");
    match declaration::attribute(kind, name) {
        Some(it) if it.presence == Presence::Computed => Err(wrong
            .label(at, format!("`{name}` of `{kind}` is never set, so nothing would be ignored"))
            .help("Leave it out.")),
        Some(it) if says_where(it.name) => Err(wrong
            .label(at, format!("`{name}` says where the object is to be"))
            .help("Leave it out. `prevent_destroy` refuses a plan that makes the object anew.")),
        Some(it) => Ok(it.name),
        None => {
            let unknown = Diagnostic::error("unknown attribute");
            let settable = || {
                let all = declaration::attributes(kind).iter();
                let settable = all.filter(|it| it.presence != Presence::Computed);
                settable.map(|it| it.name).filter(|it| !says_where(it))
            };
            let help = match suggestion(name, settable()) {
                _ if name == "all" => "Write `ignore_changes = all`, without brackets.".to_owned(),
                Some(near) => format!("Did you mean `{near}`?"),
                None => {
                    let names: Vec<_> = settable().map(|it| format!("`{it}`")).collect();
                    format!("It can be {}.", or(&names))
                }
            };
            Err(unknown.label(at, format!("`{kind}` has no attribute `{name}`")).help(help))
        }
    }
}

type Part<'e> = (&'e str, std::ops::Range<usize>);

/// Takes `KIND.LABEL`, `KIND.LABEL[KEY]` or one of them with `.ATTRIBUTE` apart.
pub(super) fn named(traversal: &Traversal) -> Option<(Address, Option<Part<'_>>)> {
    let Expression::Variable(root) = &traversal.expr else { return None };
    let kind = Kind::from_block(root.as_str())?;
    let mut operators = traversal.operators.iter().map(|it| it.value()).peekable();
    let Some(TraversalOperator::GetAttr(label)) = operators.next() else { return None };
    let key = match operators.peek() {
        Some(TraversalOperator::Index(index)) => Some(instance(index)?),
        Some(TraversalOperator::LegacyIndex(index)) => {
            Some(InstanceKey::Index(u32::try_from(*index.value()).ok()?))
        }
        _ => None,
    };
    if key.is_some() {
        operators.next();
    }
    let attribute = match operators.next() {
        None => None,
        Some(TraversalOperator::GetAttr(name)) => {
            Some((name.as_str(), hcl_edit::Span::span(name).unwrap_or_default()))
        }
        Some(_) => return None,
    };
    let address = Address::new(Vec::new(), kind, label.as_str(), key);
    operators.next().is_none().then_some((address, attribute))
}

/// Reads the key of an instance.
fn instance(index: &Expression) -> Option<InstanceKey> {
    match index {
        Expression::String(name) => Some(InstanceKey::Name(name.as_str().to_owned())),
        Expression::Number(number) => {
            let index = number.value().as_u64().and_then(|it| u32::try_from(it).ok());
            index.map(InstanceKey::Index)
        }
        _ => None,
    }
}
