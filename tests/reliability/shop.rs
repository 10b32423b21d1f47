//! The stores, each on a real server, as the program is told of them in a `state` block.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::gitlab::GitLab;
use crate::harness::Project;
use crate::store_contract::google;
use crate::store_contract::servers::{
    self, AZURE_ACCOUNT, AZURE_KEY, BUCKET, POSTGRES_PASSWORD, Server, skipped,
};

/// A place for many states.
pub(crate) enum Shop {
    Local(TempDir),
    Http(GitLab),
    S3(Server),
    Azure(Server),
    Google(u16),
    Postgres(Server),
}

impl Shop {
    /// Starts the server of a kind; none when it cannot be had here.
    pub(crate) fn open(kind: &str, test: &str) -> Option<Self> {
        let server = |server: Result<Server, String>, of: fn(Server) -> Self| {
            server.map(of).map_err(|why| skipped(&format!("{kind}::{test}"), &why)).ok()
        };
        match kind {
            "local" => Some(Self::Local(tempfile::tempdir().unwrap())),
            "http" => Some(Self::Http(GitLab::start())),
            "s3" => server(servers::moto(false), Self::S3),
            "azure" => server(servers::azurite(), Self::Azure),
            "gcs" => Some(Self::Google(google::start(true))),
            _ => server(servers::postgres(), Self::Postgres),
        }
    }

    /// Returns the block of one of its states.
    pub(crate) fn block(&self, state: &str) -> String {
        let block = match self {
            Self::Http(server) => return server.block(state),
            Self::Local(directory) => {
                let path = directory.path().join(format!("{state}.json"));
                format!("state \"local\" {{\n path = \"{}\"", path.display())
            }
            Self::S3(server) => format!(
                "state \"s3\" {{\n bucket = \"{BUCKET}\"\n key = \"{state}/a.json\"\n \
                 endpoint = \"http://127.0.0.1:{}\"\n access_key = \"id\"\n secret_key = \"hunter2-hunter2\"",
                server.port
            ),
            Self::Azure(server) => format!(
                "state \"azure\" {{\n account = \"{AZURE_ACCOUNT}\"\n container = \"{BUCKET}\"\n key = \"{state}/a.json\"\n \
                 endpoint = \"http://127.0.0.1:{}/{AZURE_ACCOUNT}\"\n access_key = \"{AZURE_KEY}\"",
                server.port
            ),
            Self::Google(port) => format!(
                "state \"gcs\" {{\n bucket = \"{BUCKET}\"\n key = \"{state}/a.json\"\n \
                 endpoint = \"http://127.0.0.1:{port}\"\n access_token = \"{}\"",
                google::TOKEN
            ),
            Self::Postgres(server) => format!(
                "state \"postgres\" {{\n name = \"{state}\"\n \
                 conn_str = \"postgres://wgform:{POSTGRES_PASSWORD}@127.0.0.1:{}/postgres\"",
                server.port
            ),
        };
        format!("wgform {{\n{block}\n}}\n}}\n")
    }

    /// Returns how often an apply writes: what it is about to do, and what it did.
    pub(crate) fn writes_per_apply(&self) -> u64 {
        if matches!(self, Self::Local(_)) { 1 } else { 2 }
    }

    /// Returns the serials that the store still has of the state of a project.
    pub(crate) fn serials(&self, project: &Project, state: &str) -> BTreeSet<u64> {
        if let Self::Http(server) = self {
            return server.serials(state).into_iter().collect();
        }
        let listed = project.run("state history").ends(0).stdout;
        listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    }

    /// Returns whether the lock of a run that is killed goes with it.
    pub(crate) fn frees(&self) -> bool {
        matches!(self, Self::Local(_) | Self::Postgres(_))
    }

    /// Returns whether a holder says to others that it lives.
    pub(crate) fn beats(&self) -> bool {
        matches!(self, Self::S3(_) | Self::Azure(_) | Self::Google(_))
    }
}

/// Lets a project see the simulated hosts of another one.
pub(crate) fn share_world(first: &Project, second: &Project) {
    let simulated = |it: &Project| it.path().join(".wgform/simulated");
    fs::create_dir_all(simulated(first)).unwrap();
    fs::create_dir_all(second.path().join(".wgform")).unwrap();
    std::os::unix::fs::symlink(simulated(first), simulated(second)).unwrap();
}

/// Copies the simulated hosts of a project, and nothing else of what it kept: its disk is gone.
pub(crate) fn copy_world(from: &Path, to: &Project) {
    let to = to.path().join(".wgform/simulated");
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(from.join(".wgform/simulated")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
