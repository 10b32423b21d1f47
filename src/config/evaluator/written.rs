//! Where the value of an attribute is written: followed through local values, variables, `each` and what modules are given,
//! to the literal that it comes from.
//!
//! Nothing is guessed: what is put together from several values, or is made by a function, is written nowhere.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{
    Expression, ForExpr, FuncCall, Object, ObjectKey, Traversal, TraversalOperator,
};

use crate::config::AllUnknown;
use crate::config::block::{Expr, Node, Repetition};
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Binding, Scope};
use crate::config::parse::Given;
use crate::config::value::{Data, Value};
use crate::diagnostic::{SourceText, Span};
use crate::resource::{Address, InstanceKey};

/// Where the value of an attribute is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the block itself has for it; none where the block does not name it.
    pub argument: Option<Span>,
    /// The names that lead from there to the place, such as `local.port`.
    pub via: Vec<String>,
    /// The place.
    pub at: WrittenAt,
}

/// A place in the text of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenAt {
    /// There is none: the attribute is left out.
    Nowhere,
    /// A literal.
    Literal(Span),
    /// A list of which each element has a place of its own.
    List {
        /// From bracket to bracket.
        span: Span,
        /// In their order.
        elements: Vec<WrittenElement>,
    },
    /// An object that could have it, and does not.
    Missing {
        /// The object, from brace to brace.
        object: Span,
        /// The name that it would have there.
        name: String,
    },
    /// An expression that is no literal.
    Made {
        /// Where the trail ends.
        at: Span,
        /// Why it ends there, as a short clause.
        why: String,
    },
}

/// An element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenElement {
    /// Its bytes in the text of the list.
    pub range: Range<usize>,
    /// Its value, where that is known and may be seen.
    pub text: Option<String>,
    /// The literal that it comes from.
    pub literal: Option<Span>,
}

/// As many names may lead on to each other.
const MAX_STEPS: usize = 100;

impl Evaluator<'_> {
    /// Finds where the value of an attribute is written. Ask for what has a value, and only where nothing is wrong with
    /// the configuration.
    pub fn written(&self, address: &Address, attribute: &str) -> Written {
        let nowhere = Written { argument: None, via: Vec::new(), at: WrittenAt::Nowhere };
        let run = Run::over(self, &AllUnknown).at_resource(address);
        let block = self.config.block_of(address);
        let expr = block.and_then(|it| it.attributes.get(attribute));
        let (Some(run), Some(expr)) = (run, expr) else { return nowhere };
        let argument = Some(expr.span());
        if expr.head.is_some() {
            let at = WrittenAt::Made { at: expr.span(), why: "this is a block".to_owned() };
            return Written { argument, ..nowhere.with(at) };
        }
        let mut trail = Trail::default();
        let end = trail.follow(&run, Text::of(expr), Vec::new());
        let at = trail.place(end);
        Written { argument, via: trail.via, at }
    }
}

impl Written {
    fn with(self, at: WrittenAt) -> Self {
        Self { at, ..self }
    }
}

/// What is taken of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// An expression with the text that it is in.
#[derive(Clone, Copy)]
struct Text<'r> {
    source: &'r Arc<SourceText>,
    expression: &'r Expression,
}

impl<'r> Text<'r> {
    fn of(expr: &'r Expr) -> Self {
        Self { source: &expr.source, expression: &expr.expression }
    }

    fn with(self, expression: &'r Expression) -> Self {
        Self { expression, ..self }
    }

    fn span(self) -> Span {
        let range = self.expression.span().unwrap_or_default();
        Span { source: self.source.clone(), range }
    }

    fn evaluate(self, run: &Run<'_>) -> Option<Value> {
        let scope = Scope { environment: run, source: self.source, bindings: None };
        scope.evaluate(self.expression).ok()
    }

    fn lost(self, why: impl Into<String>) -> End<'r> {
        End::Lost(self.span(), why.into())
    }
}

/// Where a trail ends.
enum End<'r> {
    Found(Run<'r>, Text<'r>),
    Missing(Span, String),
    Lost(Span, String),
}

/// The way from an argument to what it comes from.
#[derive(Default)]
struct Trail {
    via: Vec<String>,
    /// What else has the value, where a name on the way stands for all of it.
    shared: Option<String>,
}

impl Trail {
    fn follow<'r>(&mut self, run: &Run<'r>, text: Text<'r>, steps: Vec<Step>) -> End<'r> {
        if self.via.len() > MAX_STEPS {
            return text.lost("too many names lead on to each other");
        }
        match text.expression {
            Expression::Parenthesis(inner) => self.follow(run, text.with(inner.inner()), steps),
            Expression::Traversal(it) => self.traversal(run, text, it, steps),
            Expression::FuncCall(call) => self.call(run, text, call, steps),
            Expression::ForExpr(it) => self.repeat(run, text, it, steps),
            Expression::Conditional(_) => text.lost("this depends on a condition"),
            _ if steps.is_empty() => End::Found(run.at(run.place.clone()), text),
            Expression::Object(object) => self.entry(run, text, object, steps),
            Expression::Array(items) => match steps.split_first() {
                Some((Step::Index(index), rest)) => match items.get(*index) {
                    Some(item) => self.follow(run, text.with(item), rest.to_vec()),
                    None => text.lost("there is no such element"),
                },
                _ => text.lost("this is a list"),
            },
            _ => text.lost("there is nothing in this that has a name"),
        }
    }

    fn entry<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        object: &'r Object,
        steps: Vec<Step>,
    ) -> End<'r> {
        let Some((Step::Name(name), rest)) = steps.split_first() else {
            return text.lost("this is an object");
        };
        let is_it = |key: &'r ObjectKey| match key {
            ObjectKey::Ident(it) => it.as_str() == name,
            ObjectKey::Expression(it) => {
                let key = text.with(it).evaluate(run).and_then(|it| it.to_text());
                key.as_deref() == Some(name)
            }
        };
        // The last one counts.
        match object.iter().filter(|(key, _)| is_it(key)).last() {
            Some((_, value)) => self.follow(run, text.with(value.expr()), rest.to_vec()),
            None if rest.is_empty() => End::Missing(text.span(), name.clone()),
            None => text.lost(format!("there is no `{name}` in this")),
        }
    }

    fn traversal<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        it: &'r Traversal,
        steps: Vec<Step>,
    ) -> End<'r> {
        let named = || text.source.text.get(text.span().range).unwrap_or_default().to_owned();
        let Some(mut own) = own_steps(run, text, it) else {
            return text.lost(format!("this is `{}`", named()));
        };
        let Expression::Variable(root) = &it.expr else {
            own.extend(steps);
            return self.follow(run, text.with(&it.expr), own);
        };
        if own.is_empty() {
            return text.lost(format!("this is `{}`", named()));
        }
        let Step::Name(name) = own.remove(0) else {
            return text.lost(format!("this is `{}`", named()));
        };
        own.extend(steps);
        let via = format!("{}.{name}", root.as_str());
        match (root.as_str(), name.as_str()) {
            ("local", name) => {
                let node = Node::Local(name.into());
                let Some(local) = run.blocks().locals.get(name) else { return text.lost("") };
                self.pass(run, node, via, &own);
                self.follow(&run.at_block(), Text::of(&local.value), own)
            }
            ("var", name) => {
                self.pass(run, Node::Variable(name.into()), via, &own);
                self.variable(run, text, name, own)
            }
            ("each", "value") => {
                self.via.push(via);
                self.each(run, text, own)
            }
            _ => text.lost(format!("this is `{}`, which has a value of its own", named())),
        }
    }

    /// Notes that a name is followed, and whether all that it stands for is used somewhere else too.
    fn pass(&mut self, run: &Run<'_>, node: Node, via: String, steps: &[Step]) {
        let uses = run.evaluator.config.uses.get(run.place.instance.module);
        let uses = uses.and_then(|it| it.get(&node)).copied().unwrap_or_default();
        if steps.is_empty() && uses > 1 && self.shared.is_none() {
            self.shared = Some(format!("`{via}` is used in {uses} places"));
        }
        self.via.push(via);
    }

    fn variable<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        name: &str,
        steps: Vec<Step>,
    ) -> End<'r> {
        let Some(block) = run.blocks().variables.get(name) else { return text.lost("") };
        if block.is_sensitive {
            return text.lost(format!("`var.{name}` is sensitive"));
        }
        let config = run.evaluator.config;
        match config.given.get(name).filter(|_| run.is_root()) {
            Some(Given::Expression(expr)) => {
                return self.follow(&run.at_block(), Text::of(expr), steps);
            }
            Some(Given::Text(source)) => {
                return text
                    .lost(format!("the value of `var.{name}` comes from `{}`", source.name));
            }
            None => {}
        }
        if let Some((caller, argument)) = argument(run, name) {
            return self.follow(&caller, Text::of(argument), steps);
        }
        match &block.default {
            Some(default) => self.follow(&run.at_block(), Text::of(default), steps),
            None => text.lost(format!("`var.{name}` has no value")),
        }
    }

    /// Goes on in what the block is repeated over.
    fn each<'r>(&mut self, run: &Run<'r>, text: Text<'r>, steps: Vec<Step>) -> End<'r> {
        let repetition = match &run.place.each {
            Some((Node::Resource(block, _), _)) => {
                run.blocks().resources.get(block).map(|it| &it.repetition)
            }
            Some((Node::Module(label, _), _)) => {
                run.blocks().modules.get(label).map(|it| &it.repetition)
            }
            _ => None,
        };
        match (repetition, &run.place.each) {
            (Some(Repetition::ForEach(expr)), Some((_, InstanceKey::Name(key)))) => {
                let mut all = vec![Step::Name(key.clone())];
                all.extend(steps);
                self.follow(&run.at_block(), Text::of(expr), all)
            }
            _ => text.lost("this is not followed"),
        }
    }

    fn call<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        call: &'r FuncCall,
        steps: Vec<Step>,
    ) -> End<'r> {
        let name = call.name.name.as_str();
        let argument = |at: usize| call.args.get(at).map(|it| text.with(it));
        match (name, argument(0), argument(1)) {
            // What is written for the first one counts.
            ("try", Some(first), _) if steps.is_empty() => self.follow(run, first, steps),
            ("lookup", Some(map), Some(key)) if steps.is_empty() => {
                match key.evaluate(run).and_then(|it| it.to_text()) {
                    Some(key) => self.follow(run, map, vec![Step::Name(key.to_string())]),
                    None => text.lost("its key is not known"),
                }
            }
            ("tolist" | "toset" | "tostring" | "tonumber" | "tobool", Some(inner), None)
                if steps.is_empty() =>
            {
                self.follow(run, inner, steps)
            }
            ("tomap", Some(inner), None) => self.follow(run, inner, steps),
            ("merge", ..) if !steps.is_empty() => self.merged(run, text, call, &steps),
            ("jsondecode" | "yamldecode" | "csvdecode", Some(inner), None) => {
                text.lost(in_file(run, inner, &steps))
            }
            _ => text.lost(format!("this is what `{name}` makes")),
        }
    }

    /// Finds the last of several objects that has it.
    fn merged<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        call: &'r FuncCall,
        steps: &[Step],
    ) -> End<'r> {
        let arguments: Vec<&'r Expression> = call.args.iter().collect();
        for argument in arguments.into_iter().rev() {
            let inner = text.with(argument);
            let (Some(value), Some(Step::Name(name))) = (inner.evaluate(run), steps.first()) else {
                break;
            };
            let Data::Map(map) = &value.data else { break };
            if map.contains_key(name.as_str()) {
                return self.follow(run, inner, steps.to_vec());
            }
        }
        text.lost("this is what `merge` makes")
    }

    /// Follows a `for` that hands on each value as it is.
    fn repeat<'r>(
        &mut self,
        run: &Run<'r>,
        text: Text<'r>,
        it: &'r ForExpr,
        steps: Vec<Step>,
    ) -> End<'r> {
        let is = |expression: &Expression, name: &str| matches!(expression, Expression::Variable(it) if it.as_str() == name);
        let value_name = it.intro.value_var.as_str();
        let lost = || text.lost("this is what a `for` makes");
        let (Some(key_expr), Some((Step::Name(key), rest))) = (&it.key_expr, steps.split_first())
        else {
            return lost();
        };
        if !is(&it.value_expr, value_name) || it.grouping {
            return lost();
        }
        let inner = text.with(&it.intro.collection_expr);
        if it.intro.key_var.as_ref().is_some_and(|name| is(key_expr, name.as_str())) {
            return self.follow(run, inner, steps);
        }
        let Some(items) = inner.evaluate(run) else { return lost() };
        let of = |item: &Value| {
            let binding = Binding { name: value_name, value: item.clone(), outer: None };
            let bindings = Some(&binding);
            let scope = Scope { environment: run, source: text.source, bindings };
            scope.evaluate(key_expr).ok()?.to_text()
        };
        let found = match &items.data {
            Data::List(items) => {
                let at = items.iter().position(|item| of(item).as_deref() == Some(key));
                at.map(Step::Index)
            }
            Data::Map(map) => {
                let found = map.iter().find(|(_, item)| of(item).as_deref() == Some(key));
                found.map(|(name, _)| Step::Name(name.to_string()))
            }
            _ => None,
        };
        let Some(found) = found else { return lost() };
        let mut all = vec![found];
        all.extend_from_slice(rest);
        self.follow(run, inner, all)
    }

    fn place(&mut self, end: End<'_>) -> WrittenAt {
        let at = match end {
            End::Missing(object, name) => return WrittenAt::Missing { object, name },
            End::Lost(at, why) => return WrittenAt::Made { at, why },
            End::Found(run, text) => (run, text),
        };
        let (run, text) = at;
        if let Some(why) = self.shared.take() {
            return WrittenAt::Made { at: text.span(), why };
        }
        match text.expression {
            Expression::Array(items) => WrittenAt::List {
                span: text.span(),
                elements: items.iter().map(|it| element(&run, text.with(it))).collect(),
            },
            it if is_literal(it) => WrittenAt::Literal(text.span()),
            Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => WrittenAt::Made {
                at: text.span(),
                why: "this text is put together from other values".to_owned(),
            },
            _ => WrittenAt::Made { at: text.span(), why: "this is no plain value".to_owned() },
        }
    }
}

fn element(run: &Run<'_>, text: Text<'_>) -> WrittenElement {
    let value = text.evaluate(run).filter(|it| !it.is_sensitive_anywhere());
    let mut trail = Trail::default();
    let end = trail.follow(run, text, Vec::new());
    let literal = match trail.place(end) {
        WrittenAt::Literal(span) => Some(span),
        _ => None,
    };
    let known = value.and_then(|it| it.to_text());
    WrittenElement { range: text.span().range, text: known.map(|it| it.to_string()), literal }
}

fn is_literal(expression: &Expression) -> bool {
    match expression {
        Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) => true,
        Expression::String(_) => true,
        Expression::HeredocTemplate(it) => it.template.iter().all(|it| it.is_literal()),
        Expression::Array(items) => items.iter().all(is_literal),
        Expression::Object(object) => object.iter().all(|(key, value)| {
            let is_plain = match key {
                ObjectKey::Ident(_) => true,
                ObjectKey::Expression(it) => is_literal(it),
            };
            is_plain && is_literal(value.expr())
        }),
        _ => false,
    }
}

/// Returns what a traversal takes of what it starts with; none where that is not known.
fn own_steps(run: &Run<'_>, text: Text<'_>, it: &Traversal) -> Option<Vec<Step>> {
    let step = |operator: &TraversalOperator| match operator {
        TraversalOperator::GetAttr(name) => Some(Step::Name(name.as_str().to_owned())),
        TraversalOperator::LegacyIndex(index) => {
            Some(Step::Index(usize::try_from(*index.value()).ok()?))
        }
        TraversalOperator::Index(index) => {
            let scope = Scope { environment: run, source: text.source, bindings: None };
            let value = scope.evaluate(index).ok()?;
            match &value.data {
                Data::Text(name) => Some(Step::Name(name.to_string())),
                _ => Some(Step::Index(usize::try_from(value.to_number()?.to_integer()?).ok()?)),
            }
        }
        TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => None,
    };
    it.operators.iter().map(|it| step(it.value())).collect()
}

/// Returns what the `module` block gives a variable, and where that is evaluated.
fn argument<'r>(run: &Run<'r>, name: &str) -> Option<(Run<'r>, &'r Expr)> {
    let caller = run.caller()?;
    let label = &run.place.instance.steps.last()?.label;
    let module = caller.blocks().modules.get(label.as_str())?;
    let (_, argument) = module.arguments.get(name)?;
    Some((caller, argument))
}

/// Says where in a file of data a value is.
fn in_file(run: &Run<'_>, text: Text<'_>, steps: &[Step]) -> String {
    let file = match text.expression {
        Expression::FuncCall(call) if call.name.name.as_str() == "file" => {
            let path = call.args.get(0).and_then(|it| text.with(it).evaluate(run));
            path.and_then(|it| it.to_text())
        }
        _ => None,
    };
    let Some(file) = file else { return "this comes from another text".to_owned() };
    let path: Vec<String> = steps
        .iter()
        .map(|it| match it {
            Step::Name(name) => name.clone(),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    match path.is_empty() {
        true => format!("this comes from `{file}`"),
        false => format!("this comes from `{file}`, from the entry `{}` there", path.join(".")),
    }
}
