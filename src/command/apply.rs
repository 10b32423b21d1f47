//! `wgform apply`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Asking, Belief, Consent, Lock, Scope};
use crate::command::run::{self, Request};
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::resource::Address;

/// What `wgform apply` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform apply
  wgform apply -auto-approve -lock-timeout=1m
  wgform apply -exclude=peer.laptop
  wgform apply -replace=interface.hub
  wgform apply -allow-new-key=interface.hub")]
pub struct Arguments {
    /// What is applied.
    #[command(flatten)]
    pub scope: Scope,
    /// Destroys everything that wgform owns, as `wgform destroy` does
    #[arg(long)]
    pub destroy: bool,
    /// What is believed.
    #[command(flatten)]
    pub belief: Belief,
    /// What it may do.
    #[command(flatten)]
    pub consent: Consent,
    /// Undoes drift although nobody can be asked
    #[arg(long)]
    pub heal: bool,
    /// Lets an interface get a new key, which every one of its peers must then learn
    #[arg(long = "allow-new-key", value_name = "ADDRESS")]
    pub new_keys: Vec<Address>,
    /// Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several
    /// times
    #[arg(long = "replace", value_name = "ADDRESS", conflicts_with = "destroy")]
    pub replace: Vec<Address>,
    /// Whether to ask.
    #[command(flatten)]
    pub asking: Asking,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Plans, asks, and applies.
///
/// # Errors
/// When nothing was done, because something makes no sense, is refused or cannot be reached.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { scope, destroy, belief, consent, heal, new_keys, replace, asking, lock } =
        arguments;
    let config = session::configuration(context, &scope.variables, Needs::unless(destroy))?;
    let session = Session::open(context, &config)?;
    let options = Options {
        allow_new_key: new_keys.into_iter().collect(),
        replace: replace.into_iter().collect(),
        ..session::options(&scope, &belief, destroy)
    };
    let request = Request {
        operation: if destroy { "destroy" } else { "apply" },
        options,
        lock_timeout: lock.timeout,
        input: asking.allowed(),
        auto_approve: consent.auto_approve,
        heal,
        skip_unreachable: consent.skip_unreachable,
    };
    run::run(&session, request).await
}
