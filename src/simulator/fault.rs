//! At which requests something goes wrong, for every simulated device: rules from a program, a file or a header.

#![expect(clippy::disallowed_methods, reason = "rules are kept in a file beside the device's own")]

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// At which requests something goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule<F> {
    /// Only those with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only those whose path begins so.
    #[serde(default)]
    pub path: Option<String>,
    /// So many of them are left alone first.
    #[serde(default)]
    pub skip: u32,
    /// So many of them are hit; none for all.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub fault: F,
}

impl<F> Rule<F> {
    /// Makes a rule for every request.
    pub fn always(fault: F) -> Self {
        Self { method: None, path: None, skip: 0, times: None, fault }
    }

    /// Makes a rule for one request with a method, after so many of them.
    pub fn once(method: &str, skip: u32, fault: F) -> Self {
        Self { method: Some(method.to_owned()), times: Some(1), skip, ..Self::always(fault) }
    }

    /// Makes a rule for one request of any kind, after so many of them.
    pub fn at(skip: u32, fault: F) -> Self {
        Self { times: Some(1), skip, ..Self::always(fault) }
    }

    fn strikes(&mut self, method: &str, path: &str) -> bool {
        let fits = self.method.as_ref().is_none_or(|it| it == method)
            && self.path.as_ref().is_none_or(|it| path.starts_with(it));
        if !fits || self.times == Some(0) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        true
    }
}

/// The rules that are left.
pub(super) struct Faults<F> {
    rules: Vec<Rule<F>>,
    file: Option<(PathBuf, Option<SystemTime>)>,
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self { rules: Vec::new(), file: None }
    }
}

impl<F: Clone + DeserializeOwned> Faults<F> {
    /// Follows a file of rules, a JSON array. It counts anew each time it is written.
    pub(super) fn follow(path: &Path) -> Self {
        Self { rules: Vec::new(), file: Some((path.with_extension("faults.json"), None)) }
    }

    pub(super) fn add(&mut self, rule: Rule<F>) {
        self.rules.push(rule);
    }

    /// Returns what happens to a request.
    pub(super) fn strike(&mut self, method: &str, path: &str, header: Option<&str>) -> Vec<F> {
        self.reload();
        let own = header.and_then(parse);
        let hit = self.rules.iter_mut().filter_map(|rule| {
            let fault = rule.fault.clone();
            rule.strikes(method, path).then_some(fault)
        });
        hit.chain(own).collect()
    }

    fn reload(&mut self) {
        let Some((path, seen)) = &mut self.file else { return };
        let changed = path.metadata().and_then(|it| it.modified()).ok();
        if changed == *seen {
            return;
        }
        *seen = changed;
        // One that is being written, or is wrong, is no rule yet.
        let bytes = std::fs::read(path).unwrap_or_default();
        self.rules = serde_json::from_slice(&bytes).unwrap_or_default();
    }
}

/// Reads the header of a request: a word, or a JSON object.
fn parse<F: DeserializeOwned>(text: &str) -> Option<F> {
    serde_json::from_str(text).or_else(|_| serde_json::from_value(text.into())).ok()
}
