//! `wgform graph`.

use clap::{Args, ValueEnum};

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs};
use crate::config::{AllUnknown, Evaluator};
use crate::error::{Error, Exit};
use crate::network::Network;
use crate::render::graph::{dependencies, dot, mermaid, topology};

/// What `wgform graph` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform graph | dot -Tsvg > graph.svg
  wgform graph -topology | dot -Tsvg > network.svg
  wgform graph -topology -type=mermaid")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// The language of the graph: dot for graphviz, mermaid for Markdown
    #[arg(long = "type", value_name = "LANGUAGE", value_enum, default_value_t = Language::Dot)]
    pub language: Language,
    /// Draws the network: backends, interfaces and the links between them. An arrow is at the end that is dialled
    #[arg(long)]
    pub topology: bool,
}

/// What a graph is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
}

/// Evaluates everything, with nothing known of any device, and draws it.
///
/// # Errors
/// When the configuration makes no sense.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let (config, parsed) = session::configuration(context, &arguments.variables)?;
    let evaluator = Evaluator::new(&config, &context.world);
    let warnings = session::check(context, &config, &evaluator, parsed, Needs::All)?;
    context.ui.diagnostics(&warnings);
    let drawing = match arguments.topology {
        true => {
            let backends = evaluator.backends().map_err(Error::diagnostics)?;
            let draw = |network: &Network<'_>| topology(network, &backends);
            Network::show(&evaluator, context.world.now(), draw)
        }
        false => evaluator.with_wanted(&AllUnknown, dependencies),
    };
    context.ui.result(&match arguments.language {
        Language::Dot => dot(&drawing),
        Language::Mermaid => mermaid(&drawing),
    });
    Ok(Exit::Done)
}
