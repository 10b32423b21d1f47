//! The `guard` block, evaluated: what a plan may not do without being told.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::refactor::at;
use crate::diagnostic::Span;
use crate::resource::{Deed, Pattern};
use crate::value::Bound;

/// What the `guard` block says; nothing without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guard {
    /// So much of what is owned may be destroyed or replaced by one apply.
    pub max_destroy: Option<Bound>,
    /// So much of what is owned on one backend may be missing before it is no longer believed.
    pub max_vanished: Option<Bound>,
    /// What no apply does.
    pub forbid: BTreeSet<Deed>,
    /// What no apply destroys or replaces.
    pub protect: Vec<Named>,
    /// What becomes of drift.
    pub on_drift: Option<OnDrift>,
    /// Where each argument is.
    pub spans: BTreeMap<&'static str, Span>,
}

impl Guard {
    /// Returns where an argument is, as `main.wg.hcl:12`.
    pub fn place(&self, argument: &str) -> String {
        self.spans.get(argument).map(at).unwrap_or_default()
    }
}

/// Resources that an argument names, which is never evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub pattern: Pattern,
    /// Where it is written.
    pub span: Span,
}

/// What becomes of drift in an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// The apply is refused, unless `-heal` says otherwise.
    Refuse,
    /// It is undone without a word.
    Heal,
    /// Somebody is asked, also where nothing else is; where nobody can be, the apply is refused.
    Ask,
}

impl OnDrift {
    /// How they are written.
    pub const WORDS: [&'static str; 3] = ["refuse", "heal", "ask"];

    /// Reads one.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "refuse" => Some(Self::Refuse),
            "heal" => Some(Self::Heal),
            "ask" => Some(Self::Ask),
            _ => None,
        }
    }
}
