//! `wgform apply`.

use std::path::PathBuf;

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Asking, Belief, Consent, Limiting, Lock, Pace, Scope};
use crate::command::metrics::{self, Recorder};
use crate::command::reports::Reports;
use crate::command::run::{self, Request};
use crate::command::saved::{self, FromFile};
use crate::command::session::{self, Choice, Needs, Session};
use crate::error::{Error, Exit, Kind};
use crate::plan::Options;
use crate::plan::saved::Digest;
use crate::render::metrics::APPLY_SUCCESS;
use crate::resource::Pattern;

/// What `wgform apply` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform apply
  wgform apply -auto-approve -lock-timeout=1m
  wgform apply -auto-approve -json
  wgform apply tonight.wgplan
  wgform apply -auto-approve=create,update -max-destroy=0
  wgform apply -exclude=peer.laptop
  wgform apply -exclude=backend.branch
  wgform apply -replace=interface.hub
  wgform apply -refresh-only
  wgform apply -parallelism=1
  wgform apply -allow-new-key=interface.hub")]
pub struct Arguments {
    /// Carries out exactly the plan that `wgform plan -out=FILE` saved, without a question
    #[arg(value_name = "PLANFILE", value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,
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
    /// What it may not do.
    #[command(flatten)]
    pub limiting: Limiting,
    /// Undoes drift although nobody can be asked, or a guard refuses to
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
    /// Does nothing unless the plan has this digest, as `wgform plan` printed it
    #[arg(long, value_name = "DIGEST")]
    pub expect: Option<Digest>,
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
    /// What is reported.
    #[command(flatten)]
    pub reports: Reports,
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
    check_file(&arguments)?;
    let Arguments {
        file,
        scope,
        destroy,
        belief,
        consent,
        limiting,
        heal,
        new_keys,
        replace,
        refresh_only,
        expect,
        metrics: _,
        pace,
        asking,
        lock,
        reports: _,
    } = arguments;
    if let Some(path) = file {
        let (variables, approval) = (scope.variables, consent.auto_approve);
        let told = FromFile { path, variables, approval, heal, expect, pace, lock };
        return saved::apply(told, context).await;
    }
    scope.check_refresh(refresh_only)?;
    let config = session::configuration(context, &scope.variables)?;
    let session = Session::open(context, &config, Needs::unless(destroy))?.at_pace(&pace);
    let limits = session.limits(&limiting);
    let options = Options { refresh_only, limits, ..session::options(&scope, &belief, destroy) };
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
        expect,
    };
    if refresh_only {
        return run::refresh_only(&session, request).await;
    }
    run::run(&session, request).await
}

/// Refuses flags that say what to plan where that was said when the plan was saved.
fn check_file(arguments: &Arguments) -> Result<(), Error> {
    let Arguments { file: Some(_), scope, destroy, belief, consent, .. } = arguments else {
        return Ok(());
    };
    let Arguments { new_keys, replace, refresh_only, limiting, .. } = arguments;
    let selection = &scope.selection;
    let given = [
        ("-target", !selection.targets.is_empty()),
        ("-exclude", !selection.excludes.is_empty()),
        ("-replace", !replace.is_empty()),
        ("-destroy", *destroy),
        ("-refresh-only", *refresh_only),
        ("-refresh=false", !scope.refresh),
        ("-allow-new-key", !new_keys.is_empty()),
        ("-accept-new-device", !belief.new_devices.is_empty()),
        ("-accept-loss", !belief.losses.is_empty()),
        ("-skip-unreachable", consent.skip_unreachable),
        ("-max-destroy", limiting.max_destroy.is_some()),
        ("-allow-lockout", !limiting.lockouts.is_empty()),
    ];
    let Some((flag, _)) = given.into_iter().find(|(_, is_given)| *is_given) else {
        return Ok(());
    };
    let error = Error::new(Kind::Usage, format!("`{flag}` cannot be used with a plan file"));
    Err(match flag {
        "-skip-unreachable" => {
            error.hint("the apply leaves out the backends that the plan left out, and no others")
        }
        flag => error.hint(format!(
            "what is done was decided when the plan was saved; plan again with `{flag}`"
        )),
    })
}
