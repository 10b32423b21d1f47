//! `wgform plan`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::command::arguments::{Belief, Limiting, Pace, Scope};
use crate::command::reports::Reports;
use crate::command::session::{self, Choice, Needs, Session};
use crate::command::{Context, on_device, saved};
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::plan::saved::Digest;
use crate::render;
use crate::render::plan::Purpose;
use crate::resource::Pattern;

/// What `wgform plan` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform plan
  wgform plan -var 'region=eu' -target=interface.hub
  wgform plan -exclude=peer.laptop
  wgform plan -target='peer.rw[\"alice-*\"]' -target-exact
  wgform plan -target=module.site
  wgform plan -replace=interface.hub
  wgform plan -refresh-only
  wgform plan -validate-on-device
  wgform plan -max-destroy=20%
  wgform plan -detailed-exitcode
  wgform plan -markdown-into=comment.md -summary-into=summary.json
  wgform plan -json
  wgform plan -out=tonight.wgplan
  wgform plan -expect=3f2ab01c9d7e5f60718293a4b5c6d7e8

An ADDRESS names one resource, or many: 'peer.rw[*]', module.site, backend.hq.")]
pub struct Arguments {
    /// What is planned.
    #[command(flatten)]
    pub scope: Scope,
    /// What is believed.
    #[command(flatten)]
    pub belief: Belief,
    /// What it may not do.
    #[command(flatten)]
    pub limiting: Limiting,
    /// Lets an interface get a new key, which every one of its peers must then learn
    #[arg(long = "allow-new-key", value_name = "ADDRESS")]
    pub new_keys: Vec<Pattern>,
    /// Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several
    /// times
    #[arg(long = "replace", value_name = "ADDRESS", conflicts_with = "destroy")]
    pub replace: Vec<Pattern>,
    /// Shows what changed outside of wgform since the last apply, and plans to undo nothing
    #[arg(long, conflicts_with_all = ["replace", "destroy"])]
    pub refresh_only: bool,
    /// Plans to destroy everything that wgform owns
    #[arg(long)]
    pub destroy: bool,
    /// Asks each firewall whether it would take what is planned for it, which changes nothing there
    #[arg(long, conflicts_with = "refresh_only")]
    pub validate_on_device: bool,
    /// Ends with exit code 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Saves the plan, for `wgform apply FILE` to carry out exactly that and for `wgform show FILE`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Ends with exit code 7 unless the plan has this digest, as an earlier one printed it
    #[arg(long, value_name = "DIGEST")]
    pub expect: Option<Digest>,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
    /// What is reported.
    #[command(flatten)]
    pub reports: Reports,
    /// Never asks, which a plan never does: for scripts that say so to every command
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub input: bool,
}

/// Plans, and shows the plan.
///
/// # Errors
/// When the configuration or the state makes no sense, or a guard refuses the plan.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments {
        scope,
        belief,
        limiting,
        new_keys,
        replace,
        refresh_only,
        destroy,
        validate_on_device,
        detailed_exitcode,
        out,
        expect,
        pace,
        reports: _,
        input: _,
    } = arguments;
    scope.check_refresh(refresh_only)?;
    let config = session::configuration(context, &scope.variables)?;
    let session = Session::open(context, &config, Needs::unless(destroy))?.at_pace(&pace);
    let loaded = session.read()?;
    let is_first = loaded.state.is_none();
    let mut state = session::state_of(context, loaded.state);
    if loaded.left_over.is_some_and(|it| it.host.is_none()) {
        // Whoever applies the plan writes first what the journal says.
        state.serial += 1;
    }
    let limits = session.limits(&limiting);
    let options = Options { refresh_only, limits, ..session::options(&scope, &belief, destroy) };
    let is_refreshed = scope.refresh;
    let choice = Choice { replace, new_keys, ..Choice::of(scope.selection) };
    let chosen = session.choose(&state, options, &choice)?;
    let world = session.look(&state, is_refreshed).await?;
    let options = chosen.options().clone();
    let plan = session.plan(state, loaded.open, &world, chosen)?;
    let purpose = if refresh_only { Purpose::RefreshOnly } else { Purpose::Apply };
    context.ui.planned(&plan, purpose);
    context.ui.result(&render::plan::plan(&plan, purpose, context.ui.result_paint()));
    if let Some(refusal) = session::refusal(&plan) {
        return Err(match out {
            Some(_) => refusal.hint("no plan was saved"),
            None => refusal,
        });
    }
    saved::check_digest(context, &plan, is_first, expect)?;
    if let Some(path) = &out {
        saved::save(&session, &plan, options, is_first, path)?;
    }
    if !refresh_only && !destroy {
        session.say_what_drift_does(&plan);
    }
    let differs = if detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done };
    let is_whole = plan.unreachable.is_empty();
    if validate_on_device {
        on_device::validate(&session, &world.backends, plan).await?;
    }
    Ok(if is_whole { differs } else { differs.or_worse(Exit::Unreachable) })
}
