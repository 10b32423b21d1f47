//! The `encryption` block: for whom what is stored is sealed.

use crate::config::EncryptionDeclaration;
use crate::config::block::{EncryptionBlock, Expr};
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, wrong_type};
use crate::config::value::Data;

impl Run<'_> {
    pub(super) fn encryption(&self, block: &EncryptionBlock) -> Evaluated<EncryptionDeclaration> {
        let EncryptionBlock { span, arguments } = block;
        let get = |name: &str| arguments.get(name);
        let mut failures = Failures::default();
        let recipients = get("age_recipients").map(|it| self.recipients(it));
        let recipients = recipients.and_then(|it| failures.take(it)).flatten();
        let identity_file =
            get("age_identity_file").map(|it| self.string(it, "`age_identity_file`"));
        let identity_file = identity_file.and_then(|it| failures.take(it)).flatten();
        let sealed = get("sealed").map(|it| self.is_sealed(it));
        let sealed = sealed.and_then(|it| failures.take(it)).flatten();
        let spans = arguments.iter().map(|(name, expr)| (*name, expr.span())).collect();
        let span = span.clone();
        failures.or(EncryptionDeclaration { span, recipients, identity_file, sealed, spans })
    }

    /// Evaluates the flag; what is null is not written, and does not lay anything open.
    fn is_sealed(&self, expr: &Expr) -> Evaluated<Option<bool>> {
        match self.known_value(expr, "`sealed`")?.is_null() {
            true => Ok(None),
            false => self.flag(expr, "`sealed`").map(Some),
        }
    }

    fn recipients(&self, expr: &Expr) -> Evaluated<Option<Vec<String>>> {
        let what = "`age_recipients`";
        let value = self.known_value(expr, what)?;
        let items = match &value.data {
            Data::Null => return Ok(None),
            Data::List(items) | Data::Set(items) => items,
            _ => return Err(vec![wrong_type(&expr.span(), what, "a list of texts", &value)]),
        };
        let texts = items.iter().map(|it| match &it.data {
            Data::Text(text) => Ok(text.trim().to_owned()),
            _ => Err(vec![wrong_type(&expr.span(), "each of `age_recipients`", "a text", it)]),
        });
        texts.collect::<Evaluated<_>>().map(Some)
    }
}
