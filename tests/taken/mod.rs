//! What `import -all` has written, taken over; and the keys of those who are there.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub mod world;

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

/// Takes everything over that is written: a plan has imports only, and after the apply it is empty. What is laid out
/// otherwise by `fmt` would be a mistake, too.
pub fn take_over(project: &Project, backend: &str, text: &str) {
    project.add(&format!("{backend}.wg.hcl"), text);
    project.run("validate").ends(0);
    project.run(&format!("fmt -check {backend}.wg.hcl")).ends(0);
    if text.contains("\nimport {") {
        let planned = project.run("plan");
        let line = planned.stdout.lines().find(|line| line.starts_with("Plan: "));
        let rest = line.and_then(|line| line.split_once(" to import, "));
        let expected = "0 to add, 0 to change, 0 to destroy.";
        let is_expected = rest.is_some_and(|(_, rest)| rest.starts_with(expected));
        assert!(is_expected && !planned.stdout.contains(" will be updated"), "{text}\n{planned}");
    }
    project.run("apply -auto-approve").ends(0);
    let planned = project.run("plan -detailed-exitcode");
    assert_eq!(planned.code, Some(0), "{text}\n{planned}");
}
