//! A configuration of what is on a backend: HCL, with an `import` block for each object, and a list of what is left alone.
//!
//! Once its imports are done, a plan finds nothing to change: what cannot be written so is left alone. No secret is
//! written; what is not written of one stays as the device holds it. The same device gives the same text, whatever the
//! order of its rows. Nothing here asks a device or writes a file.

mod choice;
pub(crate) mod hcl;
mod label;
mod named;
mod writer;
mod written;

use std::collections::BTreeSet;

use crate::actual::{Picture, Stranger};
use crate::config::Desired;
use crate::draft::choice::{Interface, Place, choose};
use crate::draft::named::Named;
use crate::draft::writer::Writer;
use crate::resource::{Address, BackendId};
use crate::state::State;

/// How the peers of an interface are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A block for each.
    #[default]
    Blocks,
    /// One map of all, and one block with `for_each`.
    Map,
}

/// What a draft is made from.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Of which backend.
    pub backend: &'a BackendId,
    /// Whether an interface that names no backend goes there.
    pub is_default: bool,
    /// What is on it.
    pub picture: &'a Picture,
    /// What has an owner.
    pub state: &'a State,
    /// What the configuration declares, as far as that can be said.
    pub desired: &'a [Desired],
    /// Everything that has a block.
    pub declared: &'a BTreeSet<Address>,
    /// The names that locals have.
    pub locals: &'a BTreeSet<String>,
    /// How peers are written.
    pub form: Form,
}

/// A draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The configuration; empty when there is nothing to take up.
    pub text: String,
    /// How many interfaces are in it.
    pub interfaces: usize,
    /// How many peers are in it.
    pub peers: usize,
    /// How many objects on the backend have an owner.
    pub owned: usize,
    /// What else is on the backend, and why it is not in the draft.
    pub left_alone: Vec<Stranger>,
}

/// Drafts a configuration of what nobody owns.
pub fn draft(question: &Question<'_>) -> Draft {
    let mut choice = choose(question);
    let named = Named::of(question, &choice.interfaces);
    let mut writer = Writer::new(question, &named);
    let mut draft =
        Draft { owned: choice.owned, left_alone: choice.left_alone, ..Draft::default() };
    for interface in &mut choice.interfaces {
        interface.peers.sort_by_key(|peer| named.peers.get(&(interface.name.to_owned(), peer.key)));
        draft.interfaces += usize::from(matches!(interface.place, Place::New(_)));
        draft.peers += interface.peers.len();
        writer.interface(interface);
        match question.form {
            Form::Blocks => interface.peers.iter().for_each(|peer| writer.peer(interface, peer)),
            Form::Map => writer.map(interface),
        }
        draft.left_alone.extend(left_out(interface));
    }
    if draft.interfaces + draft.peers > 0 {
        draft.text = writer.finish();
    }
    draft
}

/// Says which attributes stay on the device, because no configuration can have them as they are.
fn left_out(interface: &Interface<'_>) -> Vec<Stranger> {
    let own = match &interface.place {
        Place::New(written) => written.left_out.as_slice(),
        Place::Declared(_) => &[],
    };
    let name = interface.name;
    let own = own.iter().map(|it| (it, format!("interface `{name}`")));
    let of_peers = interface.peers.iter().flat_map(|peer| {
        let of = move |it| (it, format!("peer `{}` on `{name}`", peer.key.short()));
        peer.written.left_out.iter().map(of)
    });
    let all = own.chain(of_peers);
    all.map(|((name, why), of)| Stranger::new(format!("`{name}` of {of}"), why.clone())).collect()
}
