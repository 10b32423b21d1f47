//! What can be managed: the kinds of resource, their addresses, and one declaration per attribute.
//!
//! The declarations in [`declaration`] are the single source for decoding, validation, diff, rendering, sensitivity,
//! replace-or-update and per-backend support. Adding an attribute touches its declaration and the wire code of the
//! backends that have it, nothing else.

pub mod address;
pub mod declaration;
pub mod deed;
pub mod field;
pub mod moves;
pub mod pattern;

pub use address::{Address, BackendId, InstanceKey, Kind, ModuleStep};
pub use declaration::{
    Attribute, BackendKind, Change, Default, Form, Ownership, Presence, Support,
};
pub use deed::Deed;
pub use field::{Field, Fields, Setting, Settings};
pub use moves::{Circle, Movable, Move, Moved, Moves, ResourceStep};
pub use pattern::Pattern;
