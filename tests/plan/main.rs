//! The plan engine from end to end, in this process: a configuration text, simulated hosts, a plan, its text, an apply,
//! the state. Time stands still and chance is a counter, so that the same test gives the same text.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(unreachable_pub, reason = "a test binary has no public items")]

mod lab;
mod backend;
mod host;
mod names;
mod lint;

mod changes;
mod replace;
mod drift;
mod holds;
mod peers;
mod ownership;
mod secrets;
mod keys;
mod order;
mod guards;
mod limits;
mod paths;
mod outputs;
mod crash;
mod model;
mod properties;
mod fuzzed;
mod stories;
mod scenarios;
mod resume;
mod keeping;
mod swaps;
mod own_keys;
mod moves;
mod refactor;
mod together;
mod counts;
mod exclude;
mod targets;
mod requested;
mod pace;
mod refresh_only;
mod routes;
mod hooks;
mod resolver;
mod persist;
mod lifecycle;
