//! pfSense firewalls, over the REST API package.
//!
//! A firewall is read as whole lists, and written one object at a time, with one apply at the end: `write` carries out a
//! batch, `picture` says what there is in our words, `wish` says what we want in the package's.

pub mod client;
pub mod wire;
