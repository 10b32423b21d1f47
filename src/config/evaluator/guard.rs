//! The `guard` block: what a plan may not do without being told.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::config::block::{Expr, GuardBlock};
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::expression::{Evaluated, both, poisoned, wrong_type};
use crate::config::parse::or;
use crate::config::suggest::suggestion;
use crate::config::{Guard, OnDrift};
use crate::diagnostic::{Diagnostic, Span, sentence};
use crate::resource::Deed;
use crate::value::Bound;

impl Run<'_> {
    pub(super) fn guard(&self) -> Evaluated<Guard> {
        let blocks = self.blocks();
        if blocks.broken.settings {
            return poisoned();
        }
        let GuardBlock { attributes, protect, protect_span } = &blocks.settings.guard;
        let get = |name: &str| attributes.get(name);
        let bounds = both(
            self.bound(get("max_destroy"), "`max_destroy`"),
            self.bound(get("max_vanished"), "`max_vanished`"),
        );
        let words = both(self.forbidden(get("forbid")), self.on_drift(get("on_drift")));
        let ((max_destroy, max_vanished), (forbid, on_drift)) = both(bounds, words)?;
        let mut spans = attributes.iter().map(|(name, it)| (*name, it.span())).collect::<Vec<_>>();
        spans.extend(protect_span.clone().map(|it| ("protect", it)));
        Ok(Guard {
            max_destroy,
            max_vanished,
            forbid,
            protect: protect.clone(),
            on_drift,
            spans: spans.into_iter().collect(),
        })
    }

    fn bound(&self, expr: Option<&Expr>, what: &str) -> Evaluated<Option<Bound>> {
        let Some(expr) = expr else { return Ok(None) };
        let value = self.known_value(expr, what)?;
        if value.is_null() {
            return Ok(None);
        }
        let Some(text) = value.to_text() else {
            let wanted = "a number, or a share such as \"20%\"";
            return Err(vec![wrong_type(&expr.span(), what, wanted, &value)]);
        };
        Bound::from_str(&text).map(Some).map_err(|error| {
            let help = "Write a whole number such as 5, or a share such as \"20%\".";
            vec![invalid(&expr.span(), &error.to_string()).help(help)]
        })
    }

    fn forbidden(&self, expr: Option<&Expr>) -> Evaluated<BTreeSet<Deed>> {
        let Some(expr) = expr else { return Ok(BTreeSet::new()) };
        let (span, what) = (expr.span(), "`forbid`");
        let value = self.known_value(expr, what)?;
        if value.is_null() {
            return Ok(BTreeSet::new());
        }
        if value.is_unknown_anywhere() {
            return Err(vec![unknown(&span, what)]);
        }
        let words = value.items().map(|items| items.iter().map(|it| it.to_text()).collect());
        let Some(words) = words.and_then(|it: Option<Vec<_>>| it) else {
            let help = "Write it as `forbid = [\"destroy\"]`.";
            return Err(vec![wrong_type(&span, what, "a list of strings", &value).help(help)]);
        };
        let is_shown = !value.is_sensitive_anywhere();
        let (mut deeds, mut problems) = (BTreeSet::new(), Vec::new());
        for word in words {
            match word.parse() {
                Ok(deed) => _ = deeds.insert(deed),
                Err(error) => {
                    let error: crate::value::InvalidValue = error;
                    let near = suggestion(&word, Deed::WORDS).filter(|_| is_shown);
                    let help = match (near, error.get_hint()) {
                        (Some(near), _) => format!("Did you mean \"{near}\"?"),
                        (None, hint) => sentence(hint.unwrap_or_default()),
                    };
                    let label = match is_shown {
                        true => format!("{word:?} is nothing that a plan does"),
                        false => error.to_string(),
                    };
                    problems.push(invalid(&span, &label).help(help));
                }
            }
        }
        if problems.is_empty() { Ok(deeds) } else { Err(problems) }
    }

    fn on_drift(&self, expr: Option<&Expr>) -> Evaluated<Option<OnDrift>> {
        let Some(expr) = expr else { return Ok(None) };
        let Some(word) = self.string(expr, "`on_drift`")? else { return Ok(None) };
        OnDrift::from_word(&word).map(Some).ok_or_else(|| {
            let words = OnDrift::WORDS.map(|it| format!("\"{it}\""));
            let help = format!("It can be {}.", or(&words));
            vec![invalid(&expr.span(), "nothing of that name is done about drift").help(help)]
        })
    }
}

fn invalid(at: &Span, label: &str) -> Diagnostic {
    Diagnostic::error("invalid value").label(at, label)
}
