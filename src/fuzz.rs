//! What holds for any input: one check for each place where wgform reads what it did not write itself.
//!
//! Compiled for tests and for fuzzing only, and knows no fuzzer: `fuzz/` throws inputs at these checks, and the test
//! below goes through every input of `testdata/fuzz` that once broke one. Plans have a check of their own, in
//! `tests/plan/fuzzed.rs`, because it needs hosts.

mod hcl;
mod recorded;
mod sealed;
mod values;

use std::borrow::Cow;

use crate::render::printable;

/// Takes an input, and panics when something does not hold.
pub type Target = fn(&[u8]);

/// The checks by name. Each takes any bytes, and panics where something does not hold.
pub const TARGETS: &[(&str, Target)] = &[
    ("hcl_parse", hcl::parse),
    ("hcl_evaluate", hcl::evaluate),
    ("fmt", hcl::layout),
    ("state", recorded::state),
    ("journal", recorded::journal),
    ("saved_plan", recorded::saved_plan),
    ("sealed", sealed::sealed),
    ("netlink", crate::backend::fuzz::netlink),
    ("host_file", crate::simulator::linux::fuzz_host_file),
    ("boot_files", crate::simulator::linux::fuzz_boot_files),
    ("router_body", crate::backend::router::body),
    ("router_values", crate::backend::router::values),
    ("router_file", crate::simulator::routeros::fuzz_router_file),
    ("firewall_answer", crate::backend::fuzz_answer),
    ("firewall_file", crate::simulator::pfsense::fuzz_firewall_file),
    ("values", values::values),
    ("command_line", values::command_line),
];

/// Reads bytes as a text; what is no text is still an input.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Fails when a message would do something to a terminal.
fn assert_printable(message: &str) {
    assert!(matches!(printable(message), Cow::Borrowed(_)), "{message:?}");
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the kept cases are files")]
mod tests {
    use std::fs;
    use std::panic::catch_unwind;
    use std::path::Path;

    use crate::fuzz::TARGETS;

    #[test]
    fn every_input_that_fuzzing_starts_from_or_that_broke_something_holds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut broken, mut n) = (Vec::new(), 0);
        for (target, check) in TARGETS {
            let folders = ["fuzz/seeds", "testdata/fuzz"].map(|it| root.join(it).join(target));
            for entry in folders.iter().flat_map(|it| it.read_dir().into_iter().flatten()) {
                let path = entry.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                n += 1;
                if catch_unwind(|| check(&bytes)).is_err() {
                    broken.push(path);
                }
            }
        }
        assert!(broken.is_empty(), "{broken:#?}");
        assert!(n > 20, "{n}");
    }
}
