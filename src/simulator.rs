//! Systems that are not there: stateful stand-ins that answer and refuse as the real ones do, for users and for tests.
//!
//! A simulator plays the device, so it holds private keys, and its world is kept in a file that only its owner can
//! read. Nothing here knows how a backend talks to the device.

pub mod certificate;
pub mod fault;
pub mod file;
pub mod http;
pub mod linux;
pub mod pfsense;
pub mod routeros;

pub use file::SimulatorError;
