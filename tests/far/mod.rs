//! A host at the far end of a stand-in for `ssh`: its shell runs here, in the sandbox of a test, which can take programs
//! away, put others in their places, and cut the line.

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::disallowed_methods, reason = "these tests lay out programs")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use wgform::backend::linux::Linux;
use wgform::config::{Driver, Ssh};

use crate::conformance::bed::{id, world};
use crate::conformance::{Bed, Kind};
use crate::sandbox::sh;

/// A stand-in for `ssh` that runs the far end's shell here, and programs of the far end that are set up by a test.
pub struct Fake {
    pub directory: TempDir,
}

impl Fake {
    pub fn new() -> Self {
        let fake = Self { directory: tempfile::tempdir().unwrap() };
        fake.program(
            "ssh",
            &format!(
                // What was answered is written down before it is handed on, so that it can be counted.
                "echo $$ >>{}; for last; do :; done; sh -c \"$last\" | tee /proc/self/fd/3 3>&1 >>{}",
                fake.path("session").display(),
                fake.path("answers").display()
            ),
        );
        fake
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the command that ends the session at once, with everything at its far end.
    pub fn cut(&self) -> String {
        format!("kill -s KILL -- -$(tail -n 1 {})", self.path("session").display())
    }

    /// Counts how often somebody connected.
    pub fn sessions(&self) -> usize {
        fs::read_to_string(self.path("session")).unwrap().lines().count()
    }

    /// Puts a program in the place of another one, which it can call as `$REAL`.
    pub fn program(&self, name: &str, script: &str) {
        let real = sh(&format!("command -v {name} || :"));
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\nREAL={}\n{script}\n", real.trim())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = environment();
        let path = format!("{}:{}", self.directory.path().display(), environment["PATH"]);
        environment.insert("PATH".to_owned(), path);
        environment.insert("HOME".to_owned(), self.path("home").to_str().unwrap().to_owned());
        environment
    }

    pub fn bed(&self, ssh: Ssh) -> Bed {
        self.bed_in(ssh, self.environment())
    }

    pub fn bed_in(&self, ssh: Ssh, environment: BTreeMap<String, String>) -> Bed {
        let world = world(environment, self.directory.path().to_owned());
        self.bed_of(Kind::Userspace, Linux::over_ssh(id(), ssh, None, Driver::Userspace, world))
    }

    /// Returns a host that is this one, whatever the way to it.
    pub fn bed_of(&self, kind: Kind, backend: Linux) -> Bed {
        Bed {
            kind,
            backend: Box::new(backend),
            add_other_link: Box::new(|name| drop(sh(&format!("ip link add {name} type dummy")))),
            add_route: Box::new(|to, device| drop(sh(&format!("ip route add {to} dev {device}")))),
            set_up: Box::new(|name, up| {
                sh(&format!("ip link set {name} {}", if up { "up" } else { "down" }));
            }),
        }
    }

    /// Counts the questions since the last time.
    pub fn round_trips(&self) -> usize {
        let path = self.path("answers");
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, "").unwrap();
        let is_end = |line: &&str| {
            line.strip_suffix('=')
                .is_some_and(|mark| mark.len() == 32 && mark.chars().all(|c| c.is_ascii_hexdigit()))
        };
        text.lines().filter(is_end).count()
    }
}

/// Returns what a host's programs are told.
pub fn environment() -> BTreeMap<String, String> {
    [("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())].into()
}

/// Reaches a host with nothing said but its name.
pub fn plain(host: &str) -> Ssh {
    Ssh {
        host: host.to_owned(),
        port: None,
        user: None,
        identity_file: None,
        known_hosts: None,
        host_key: None,
        jump: Vec::new(),
        sudo: None,
        timeout: Duration::from_secs(60),
    }
}
