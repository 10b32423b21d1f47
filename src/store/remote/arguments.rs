//! What a `state` block says of its store, as the stores take it: texts by name, with the environment behind them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::tls::Trust;
use crate::value::{Secret, parse_seconds};
use crate::world::World;

/// The arguments of a `state` block, evaluated. Any of them may hold a password.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Those with one value.
    pub texts: BTreeMap<String, Secret>,
    /// Those with a value for each of several names.
    pub maps: BTreeMap<String, BTreeMap<String, Secret>>,
    /// The environment, for what the block leaves out.
    pub environment: BTreeMap<String, Secret>,
    /// Where relative paths begin.
    pub directory: PathBuf,
    /// Which workspace the state is of.
    pub workspace: String,
    /// The name of the run.
    pub run: Uuid,
}

/// An argument of a `state` block that makes no sense, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct WrongArgument {
    /// Which; empty for the block as a whole.
    pub argument: String,
    /// What is wrong with it. Never its value.
    pub why: String,
}

impl WrongArgument {
    /// Says what is wrong with an argument.
    pub fn new(argument: &str, why: impl Into<String>) -> Self {
        Self { argument: argument.to_owned(), why: why.into() }
    }
}

impl Arguments {
    /// Starts with what every store is given.
    pub fn of(world: &World) -> Self {
        let secret = |(name, value): (&String, &String)| (name.clone(), Secret::new(value));
        Self {
            environment: world.environment.iter().map(secret).collect(),
            directory: world.directory.clone(),
            workspace: world.workspace().to_owned(),
            run: world.new_id(),
            ..Self::default()
        }
    }

    /// Returns the value of an argument, or of the first of these variables of the environment that is not empty.
    pub fn text(&self, name: &str, variables: &[&str]) -> Option<&str> {
        let variable = || variables.iter().filter_map(|it| self.environment.get(*it));
        let given = self.texts.get(name).into_iter().chain(variable());
        given.map(Secret::expose).find(|text| !text.is_empty())
    }

    /// Returns an argument that is true or false; false when it is neither written nor in the environment.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, name: &str, variables: &[&str]) -> Result<bool, WrongArgument> {
        match self.text(name, variables) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(WrongArgument::new(name, "this is neither true nor false")),
        }
    }

    /// Returns an argument that is a duration, or a number of seconds.
    ///
    /// # Errors
    /// When it is something else.
    pub fn duration(
        &self,
        name: &str,
        variables: &[&str],
        default: Duration,
    ) -> Result<Duration, WrongArgument> {
        let Some(text) = self.text(name, variables) else { return Ok(default) };
        let seconds = parse_seconds(text);
        seconds.map(Duration::from_secs).map_err(|_| {
            WrongArgument::new(name, "this is no duration: write it as `5s`, `1m30s` or `2h`")
        })
    }

    /// Returns whom a file of certificates says to believe; without it, whom the system believes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn trust(&self, name: &str, variables: &[&str]) -> Result<Trust, WrongArgument> {
        let Some(path) = self.text(name, variables) else { return Ok(Trust::System) };
        let pem = std::fs::read(self.directory.join(path));
        pem.map(Trust::Authorities)
            .map_err(|error| WrongArgument::new(name, format!("it cannot be read: {error}")))
    }

    /// Returns an argument that is a small number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(
        &self,
        name: &str,
        variables: &[&str],
        default: u32,
    ) -> Result<u32, WrongArgument> {
        let Some(text) = self.text(name, variables) else { return Ok(default) };
        text.parse().map_err(|_| WrongArgument::new(name, "this is no whole number"))
    }
}

/// Returns the name of a state in a workspace: the path or the key as it is written for the default one, and with the
/// workspace before its `.json` for another one.
pub fn in_workspace(path: &str, workspace: &str) -> String {
    if workspace == World::DEFAULT_WORKSPACE {
        return path.to_owned();
    }
    match path.strip_suffix(".json") {
        Some(stem) => format!("{stem}.env-{workspace}.json"),
        None => format!("{path}.env-{workspace}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::remote::in_workspace;

    #[test]
    fn each_workspace_has_a_name_of_its_own() {
        assert_eq!(in_workspace("a/wgform.state.json", "default"), "a/wgform.state.json");
        assert_eq!(in_workspace("a/wgform.state.json", "sim"), "a/wgform.state.env-sim.json");
        assert_eq!(in_workspace("key", "sim"), "key.env-sim");
    }
}
