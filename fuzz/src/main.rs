//! Throws inputs at one of wgform's checks: the one that `FUZZ_TARGET` names. `.ci/fuzz` builds and runs it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

// The laboratory of the tests of plans; not all of it is needed here.
#[path = "../../tests/plan/backend.rs"]
#[allow(dead_code)]
mod backend;
#[path = "../../tests/plan/fuzzed.rs"]
mod fuzzed;
#[path = "../../tests/plan/host.rs"]
#[allow(dead_code)]
mod host;
#[path = "../../tests/plan/lab.rs"]
#[allow(dead_code)]
mod lab;
#[path = "../../tests/plan/lint.rs"]
mod lint;
#[path = "../../tests/plan/names.rs"]
mod names;

type Check = fn(&[u8]);

static CHECK: LazyLock<Check> = LazyLock::new(|| {
    let plan: (&str, Check) = ("plan", fuzzed::check);
    let all: Vec<_> = wgform::fuzz::TARGETS.iter().copied().chain([plan]).collect();
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
    let found = all.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {}", names.join(", "))).1
});

fuzz_target!(|bytes: &[u8]| CHECK(bytes));
