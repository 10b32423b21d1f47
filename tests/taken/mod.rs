//! What `import -all` has written, taken over; and the keys of those who are there.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub mod world;

use regex::Regex;
use wgform::value::{PresharedKey, PrivateKey, PublicKey};

use crate::harness::Project;

pub fn private(number: u8) -> PrivateKey {
    PrivateKey::from_bytes([number; 32])
}

pub fn public(number: u8) -> PublicKey {
    private(number).public()
}

pub fn preshared(number: u8) -> PresharedKey {
    PresharedKey::from_bytes([number; 32]).unwrap()
}

/// Returns what is written of a backend.
pub fn drafted(project: &Project, backend: &str, flags: &str) -> String {
    project.run(&format!("import -all backend.{backend} {flags}")).ends(0).stdout
}

/// Takes everything over, one by one, and makes sure that a plan then has nothing to do.
pub fn take_over(project: &Project, backend: &str, text: &str) {
    let import =
        Regex::new("(?s)\nimport \\{\n  to = ([^\n]*)\n  id = \"([^\n]*)\"\n\\}\n").unwrap();
    let blocks = import.replace_all(text, "");
    assert!(!blocks.contains("import {"), "{blocks}");
    project.add(&format!("{backend}.wg.hcl"), &blocks);
    project.run("validate").ends(0);
    project.run("fmt -check").ends(0);
    for found in import.captures_iter(text) {
        let mut command = project.command("import");
        command.args([&found[1], &found[2].replace("\\\"", "\"").replace("\\\\", "\\")]);
        crate::harness::Ran::of("import", command.output().unwrap()).ends(0);
    }
    let planned = project.run("plan -detailed-exitcode");
    assert_eq!(planned.code, Some(0), "{text}\n{planned}");
}
