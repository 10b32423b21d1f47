//! The user's commands around the going up and down of a link.
//!
//! They run as they are written: no shell reads them, and nothing of our own environment but `PATH`, `HOME` and `LANG`
//! reaches them. A command that fails or takes too long ends the list that it is in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backend::Surroundings;
use crate::backend::linux::explain::{During, words};
use crate::backend::linux::host::Host;
use crate::backend::linux::interface::Refused;
use crate::persist::{COMMAND_SECONDS, variables};
use crate::resource::BackendId;
use crate::simulator::linux::call::{Program, Ran, Refusal};

/// So long a command may take.
const TIMEOUT: Duration = Duration::from_secs(COMMAND_SECONDS);
/// So many of the last lines of a command are told.
const LINES: usize = 5;

/// The commands of one interface, and in whose name they run.
pub(crate) struct Hooks<'a> {
    pub(crate) backend: &'a BackendId,
    pub(crate) around: &'a Surroundings,
}

impl Hooks<'_> {
    /// Runs the commands of one instant, such as `post_up`. The error says which one ended how, and then what holds.
    pub(crate) fn run(
        &self,
        host: &mut dyn Host,
        name: &str,
        at: &'static str,
        holds: &str,
    ) -> Result<(), Refused> {
        let commands = self.around.hooks.get(at).map(Vec::as_slice).unwrap_or_default();
        for command in commands {
            let argv: Vec<String> = command.iter().map(|part| part.replace("%i", name)).collect();
            let shown = argv.join(" ");
            let program = Program { argv, environment: self.environment(name), timeout: TIMEOUT };
            end_well(host, &program).map_err(|(reason, hints)| {
                let reason = format!("`{at}` runs `{shown}`: {reason}; {holds}");
                (During::Running, Refusal::Said { reason, hints })
            })?;
        }
        Ok(())
    }

    /// Returns whether there is a command of that instant.
    pub(crate) fn has(&self, at: &'static str) -> bool {
        self.around.hooks.get(at).is_some_and(|commands| !commands.is_empty())
    }

    fn environment(&self, name: &str) -> BTreeMap<String, String> {
        let Surroundings { address, action, hooks: _, had_name_servers: _ } = self.around;
        let variables = variables(name, self.backend.as_str(), address, action);
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// Runs a program that has to end with 0; else returns why not, and what to do.
pub(crate) fn end_well(
    host: &mut dyn Host,
    program: &Program,
) -> Result<String, (String, Vec<String>)> {
    match host.run(program) {
        Ok(Ran { status: 0, tail }) => Ok(tail),
        Ok(Ran { status, tail }) => {
            let lines: Vec<&str> = tail.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines[lines.len().saturating_sub(LINES)..].join(" / ");
            let said = if last.is_empty() { String::new() } else { format!(", and said: {last}") };
            let hint = "run it by hand to see why, and apply again when it ends with 0".to_owned();
            Err((format!("it ended with {status}{said}"), vec![hint]))
        }
        Err(refusal) => Err(words(During::Running, refusal)),
    }
}
