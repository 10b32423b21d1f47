//! `wgform output`.

use clap::Args;

/// What `wgform output` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform output
  wgform output -json
  wgform output -raw hub_public_key")]
pub struct Arguments {
    /// The output to print; all of them without it
    #[arg(required_if_eq("raw", "true"))]
    pub name: Option<String>,
    /// Prints JSON
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Prints the bare text of one output, for use in a script
    #[arg(long)]
    pub raw: bool,
}
