//! A problem in the user's files: what it is, where it is, and the way out.
//!
//! Plain data. `render` draws it; nothing here knows about terminals.

pub mod rule;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::rule::Rule;

/// A text that the user wrote, with the name under which a message shows it.
#[derive(PartialEq, Eq)]
pub struct SourceText {
    /// The path as the user would type it, or `-var` for a value from the command line.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Byte ranges that hold secrets, which are never drawn.
    pub secrets: Vec<Range<usize>>,
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({})", self.name)
    }
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Where.
    pub source: Arc<SourceText>,
    /// The bytes.
    pub range: Range<usize>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is done until it is mended.
    Error,
    /// Worth a look.
    Warning,
}

/// A place and what is to be said there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, as a short clause.
    pub text: String,
}

/// One problem. The first label is where it is; others are places that matter to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A short constant sentence without names, lower case, no final period.
    pub summary: &'static str,
    /// The rule of lint that it breaks, if it is one's.
    pub rule: Option<&'static Rule>,
    /// The places.
    pub labels: Vec<Label>,
    /// The way out, as whole sentences.
    pub help: Option<String>,
    /// The blocks of the instances that it is in, from the inside out.
    pub within: Vec<Label>,
    /// In how many other instances it is too.
    pub others: usize,
}

impl Diagnostic {
    /// Starts an error.
    pub fn error(summary: &'static str) -> Self {
        Self {
            severity: Severity::Error,
            summary,
            rule: None,
            labels: Vec::new(),
            help: None,
            within: Vec::new(),
            others: 0,
        }
    }

    /// Starts a warning.
    pub fn warning(summary: &'static str) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary) }
    }

    /// Says which rule of lint it breaks.
    #[must_use]
    pub fn rule(mut self, rule: &'static Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Adds a place.
    #[must_use]
    pub fn label(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Adds the block of an instance that it is in.
    #[must_use]
    pub fn within(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.within.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Returns all places: where it is, what matters to it, and the instances that it is in.
    pub fn places(&self) -> Vec<Label> {
        let mut within = self.within.clone();
        if let (Some(first), 1..) = (within.first_mut(), self.others) {
            let more = if self.others == 1 { "another one" } else { "others" };
            first.text += &match self.others {
                1 => format!(", and in {more}"),
                n => format!(", and in {n} {more}"),
            };
        }
        self.labels.iter().cloned().chain(within).collect()
    }

    /// Sets the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Makes a clause a sentence, as hints are shown, and leaves an address at its beginning as it is. What ends with a command to copy is left as it is.
pub fn sentence(text: &str) -> String {
    let mut chars = text.trim_end().chars();
    let Some(first) = chars.next() else { return String::new() };
    // An address or a file, such as `peer.branch`, is written as it is.
    let word = text.split([' ', '\n']).next().unwrap_or_default().trim_end_matches('.');
    let mut sentence: String = match word.contains('.') {
        true => text.trim_end().to_owned(),
        false => first.to_uppercase().chain(chars).collect(),
    };
    let ends_with_command = sentence.lines().last().is_some_and(|line| line.starts_with("  "));
    if !ends_with_command && !sentence.ends_with(['.', '?', '!', ':']) {
        sentence.push('.');
    }
    sentence
}

/// Drops diagnostics that say the same at the same place: a mistake that a hundred resources use is one mistake, and so is
/// one in a hundred instances of a block.
pub fn unique(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |label: &Label| {
        let Label { span: Span { source, range }, text } = label;
        // A file is read once for each module that it is part of; what else has a text has no name of its own.
        let is_file = source.name.ends_with(".hcl");
        let own = (!is_file).then_some(Arc::as_ptr(source));
        (source.name.clone(), own, range.clone(), text.clone())
    };
    let mut seen: HashMap<_, (usize, HashSet<_>)> = HashMap::new();
    let mut unique: Vec<Diagnostic> = Vec::new();
    for it in diagnostics {
        let key = (it.summary, it.labels.iter().map(place).collect::<Vec<_>>());
        // Whoever uses what is wrong says in which instance it is itself; the outermost one is common to all of them.
        let instance = it.within.last().map(place);
        let (at, instances) = seen.entry(key).or_insert_with(|| (unique.len(), HashSet::new()));
        let is_new = instance.is_some_and(|it| instances.insert(it));
        match unique.get_mut(*at) {
            None => unique.push(it),
            Some(first) if first.within.is_empty() => first.within = it.within,
            Some(first) => first.others += usize::from(is_new) * (1 + it.others),
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::sentence;

    #[test]
    fn a_sentence_leaves_an_address_at_its_beginning_as_it_is() {
        for (clause, whole) in [
            ("say why", "Say why."),
            ("peer.branch: is gone", "peer.branch: is gone."),
            ("wait. Then go on", "Wait. Then go on."),
            ("say\n  wgform plan", "Say\n  wgform plan"),
            ("", ""),
        ] {
            assert_eq!(sentence(clause), whole);
        }
    }
}
