//! `wgform apply`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Asking, Belief, Consent, Lock, Pace, Scope};
use crate::command::metrics::{self, Recorder};
use crate::command::run::{self, Request};
use crate::command::session::{self, Choice, Needs, Session};
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::render::metrics::APPLY_SUCCESS;
use crate::resource::Pattern;

/// What `wgform apply` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform apply
  wgform apply -auto-approve -lock-timeout=1m
  wgform apply -exclude=peer.laptop
  wgform apply -exclude=backend.branch
  wgform apply -replace=interface.hub
  wgform apply -refresh-only
  wgform apply -parallelism=1
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
    pub new_keys: Vec<Pattern>,
    /// Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several
    /// times
    #[arg(long = "replace", value_name = "ADDRESS", conflicts_with = "destroy")]
    pub replace: Vec<Pattern>,
    /// Records in the state what changed outside of wgform, after a yes, and writes to no device
    #[arg(long, conflicts_with_all = ["replace", "destroy", "heal"])]
    pub refresh_only: bool,
    /// Where metrics go.
    #[command(flatten)]
    pub metrics: metrics::Into,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
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
    let recorder = Recorder::begin(context, &arguments.metrics, "apply", APPLY_SUCCESS);
    let ended = plan_and_apply(arguments, context).await;
    recorder.end(context, ended)
}

async fn plan_and_apply(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments {
        scope,
        destroy,
        belief,
        consent,
        heal,
        new_keys,
        replace,
        refresh_only,
        metrics: _,
        pace,
        asking,
        lock,
    } = arguments;
    scope.check_refresh(refresh_only)?;
    let config = session::configuration(context, &scope.variables)?;
    let session = Session::open(context, &config, Needs::unless(destroy))?.at_pace(&pace);
    let options = Options { refresh_only, ..session::options(&scope, &belief, destroy) };
    let choice = Choice { replace, new_keys, ..Choice::of(scope.selection) };
    let request = Request {
        operation: if destroy { "destroy" } else { "apply" },
        options,
        choice,
        lock,
        input: asking.allowed(),
        auto_approve: consent.auto_approve,
        heal,
        skip_unreachable: consent.skip_unreachable,
    };
    if refresh_only {
        return run::refresh_only(&session, request).await;
    }
    run::run(&session, request).await
}
