//! What `hold` and `known_drift` blocks say: what is left alone, or known to differ, why and until when.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::config::block::Expr;
use crate::config::refactor::Addressed;
use crate::diagnostic::Span;
use crate::resource::{Address, Movable};

/// A `hold` or a `known_drift` block.
#[derive(Debug)]
pub(crate) struct HoldBlock {
    pub(crate) label: String,
    /// Its head.
    pub(crate) span: Span,
    pub(crate) is_known_drift: bool,
    pub(crate) targets: Vec<Addressed>,
    /// All when there are none.
    pub(crate) attributes: BTreeSet<&'static str>,
    pub(crate) reason: Expr,
    pub(crate) expires_at: Expr,
}

impl HoldBlock {
    /// Returns its expressions.
    pub(crate) fn expressions(&mut self) -> [&mut Expr; 2] {
        [&mut self.reason, &mut self.expires_at]
    }
}

/// What such a block says.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The label of the block.
    pub label: String,
    /// Whether it is only known, and nothing is left alone for it.
    pub is_known_drift: bool,
    /// What it is about, and where that is written.
    pub targets: Vec<(Movable, Span)>,
    /// The attributes; all when there are none.
    pub attributes: BTreeSet<&'static str>,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: Timestamp,
    /// The head of the block.
    pub span: Span,
}

/// Returns whether a target means a resource: an address without a key means every instance, a module everything in it.
pub fn is_meant(target: &Movable, address: &Address) -> bool {
    let Movable { module, resource } = target;
    let steps = module.iter().zip(address.module());
    let is_in = module.len() <= address.module().len()
        && steps.into_iter().all(|(written, step)| {
            written.label == step.label && (written.key.is_none() || written.key == step.key)
        });
    is_in
        && resource.as_ref().is_none_or(|it| {
            module.len() == address.module().len()
                && it.kind == address.kind
                && it.label == address.label
                && (it.key.is_none() || it.key.as_ref() == address.key())
        })
}

#[cfg(test)]
mod tests {
    use crate::config::hold::is_meant;

    #[test]
    fn an_address_without_a_key_means_every_instance() {
        let means = |target: &str, address: &str| {
            is_meant(&target.parse().unwrap(), &address.parse().unwrap())
        };
        assert!(means("peer.rw", "peer.rw[\"a\"]"));
        assert!(means("peer.rw[\"a\"]", "peer.rw[\"a\"]"));
        assert!(!means("peer.rw[\"b\"]", "peer.rw[\"a\"]"));
        assert!(!means("peer.rw", "module.site.peer.rw"));
        assert!(means("module.site", "module.site[\"x\"].peer.rw"));
        assert!(means("module.site", "module.site.module.inner.interface.hub"));
        assert!(!means("module.site[\"y\"]", "module.site[\"x\"].peer.rw"));
        assert!(!means("interface.rw", "peer.rw"));
    }
}
