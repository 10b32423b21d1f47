//! `wgform destroy`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Asking, Belief, Consent, Limiting, Lock, Pace, Scope};
use crate::command::reports::Reports;
use crate::command::run::{self, Request};
use crate::command::session::{self, Choice, Needs, Session};
use crate::error::{Error, Exit};
use crate::plan::Options;

/// What `wgform destroy` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform destroy
  wgform destroy -target=peer.laptop
  wgform destroy -exclude=interface.hub
  wgform destroy -target=backend.branch
  wgform plan -destroy")]
pub struct Arguments {
    /// What is destroyed.
    #[command(flatten)]
    pub scope: Scope,
    /// What is believed.
    #[command(flatten)]
    pub belief: Belief,
    /// What it may do.
    #[command(flatten)]
    pub consent: Consent,
    /// What it may not do.
    #[command(flatten)]
    pub limiting: Limiting,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
    /// Whether to ask.
    #[command(flatten)]
    pub asking: Asking,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
    /// What is reported.
    #[command(flatten)]
    pub reports: Reports,
}

/// Plans to remove everything, asks, and removes it.
///
/// # Errors
/// When nothing was done, because something makes no sense, is refused or cannot be reached.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { scope, belief, consent, limiting, pace, asking, lock, reports: _ } = arguments;
    let config = session::configuration(context, &scope.variables)?;
    let session = Session::open(context, &config, Needs::Settings)?.at_pace(&pace);
    let request = Request {
        operation: "destroy",
        options: Options {
            limits: session.limits(&limiting),
            ..session::options(&scope, &belief, true)
        },
        choice: Choice::of(scope.selection),
        lock,
        input: asking.allowed(),
        auto_approve: consent.auto_approve,
        // What goes is gone, whatever was changed about it outside.
        heal: true,
        skip_unreachable: consent.skip_unreachable,
        expect: None,
    };
    run::run(&session, request).await
}
