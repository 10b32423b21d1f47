//! Plan/apply for WireGuard.
//!
//! The layout is the pipeline:
//!
//! ```text
//!  *.wg.hcl ─source─▶ Sources ─config─▶ Config ───────────────────┐
//!  state    ─store──▶ State ───────┬──────────────────────────────┤
//!  backends ─backend─▶ refresh ────┴────────────▶ Actual ─────────┴─ plan ─▶ Plan ─render─ui─▶ yes/no
//!                                                 (evaluate, diff, graph)                        │
//!                                          apply ─▶ Outcome, State ─store─▶ state ◀──────────────┘
//! ```
//!
//! Each module imports only modules above it; `tests/tidy.rs` holds the table.

pub mod value;
pub mod world;
pub mod failpoint;
pub mod disk;
pub mod outfile;
pub mod tls;
pub mod seal;
pub mod resource;
pub mod diagnostic;
pub mod token;
pub mod format;
pub mod source;
pub mod config;
pub mod state;
pub mod store;
pub mod actual;
pub mod persist;
pub mod simulator;
pub mod backend;
pub mod refresh;
pub mod link;
pub mod network;
pub mod lint;
pub mod diff;
pub mod graph;
pub mod plan;
pub mod drift;
pub mod outcome;
pub mod event;
pub mod render;
pub mod draft;
pub mod adopt;
pub mod reference;
pub mod ui;
pub mod apply;
pub mod error;
pub mod command;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
