//! `wgform simulate`: a device that is only pretended, in the foreground, for requests by hand and for tests.
//!
//! It reads no configuration. A backend with `simulate = true` needs none of this: it serves itself.

use std::net::SocketAddr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::command::Context;
use crate::error::{Error, Exit, Kind};
use crate::resource::BackendId;
use crate::simulator::SimulatorError;
use crate::simulator::routeros::http::{Options, Server, Tls};
use crate::simulator::routeros::profile::{PROFILES, Profile};
use crate::simulator::routeros::{ALL_POLICIES, Certificate, SimulatedRouter};
use crate::ui::interrupt;
use crate::value::{InvalidValue, Secret};

/// The variable with the password of the user.
const PASSWORD: &str = "WGFORM_SIMULATED_PASSWORD";

/// A subcommand of `wgform simulate` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform simulate routeros
  wgform simulate routeros -version=7.12 -listen=127.0.0.1:8080")]
pub enum Command {
    /// Serves a strict simulated router over REST on this host, until Ctrl-C
    #[command(name = "routeros")]
    RouterOs(RouterOs),
}

/// What `wgform simulate routeros` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform simulate routeros
  wgform simulate routeros -version=7.12 branch
  wgform simulate routeros -tls -listen=127.0.0.1:8443

The router is kept in .wgform/simulated/NAME.json, where a backend of that name
with `simulate = true` has it too. What is to go wrong is written beside it into
NAME.faults.json, or into the header X-Simulate-Fault of a request.

Environment:
  WGFORM_SIMULATED_PASSWORD
                          The password of the user, which is empty without it.")]
pub struct RouterOs {
    /// Names the router, `router` when nothing else is said
    #[arg(value_name = "NAME", default_value = "router", value_parser = name)]
    pub name: String,
    /// Makes it a router of this version; a new one has the newest
    #[arg(long, value_name = "VERSION", value_parser = version())]
    pub version: Option<&'static Profile>,
    /// Lets this user do everything; `admin` when nothing else is said
    #[arg(long, value_name = "USER", default_value = "admin", value_parser = name)]
    pub user: String,
    /// Listens at this address; on a port that is free when nothing else is said
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Speaks TLS, with a certificate that the router has signed itself
    #[arg(long)]
    pub tls: bool,
}

/// Runs a subcommand.
///
/// # Errors
/// When the router is in use or damaged, or nothing can listen there.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    let Command::RouterOs(arguments) = command;
    let failed = |error: &dyn std::error::Error| {
        Error::new(Kind::Failed, "could not serve the simulated router").cause(error)
    };
    let interrupted = interrupt::first().map_err(|error| failed(&error))?;
    let router = open(&arguments, context)?;
    let certificate = arguments.tls.then(|| router.certificate()).transpose();
    let certificate = certificate.map_err(|error| failed(&error))?;
    let pin = certificate.as_ref().map(Certificate::fingerprint);
    let tls = certificate.map(Tls::With);
    let options = Options { listen: arguments.listen, tls, ..Options::default() };
    let server = Server::start(router.clone(), &context.world, options).map_err(|error| {
        failed(&error).hint("`-listen=127.0.0.1:0` takes any port that is free")
    })?;
    let scheme = if arguments.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}", server.address());
    let has_password = context.world.variable(PASSWORD).is_some_and(|it| !it.is_empty());
    context.ui.result(&directions(&arguments, has_password, &router, &url, pin.as_deref()));
    let version = router.profile().version;
    context.ui.talk(&format!("Serving RouterOS {version} at {url}. Ctrl-C ends it."));
    interrupted.await;
    Ok(Exit::Done)
}

fn open(arguments: &RouterOs, context: &Context) -> Result<SimulatedRouter, Error> {
    let failed = |SimulatorError { reason, hints }| {
        let error = Error::new(Kind::Failed, "could not open the simulated router");
        hints.into_iter().fold(error.because(reason), Error::hint)
    };
    let world = &context.world;
    let id = BackendId::new(arguments.name.as_str());
    let router = SimulatedRouter::open(&world.directory, &id, world).map_err(failed)?;
    if let Some(profile) = arguments.version.filter(|it| **it != *router.profile()) {
        router.install(profile).map_err(failed)?;
    }
    let password = world.variable(PASSWORD).unwrap_or_default();
    router.set_user(&arguments.user, &Secret::new(password), &ALL_POLICIES);
    Ok(router)
}

/// Says how to ask the router.
fn directions(
    RouterOs { name, version: _, user, listen: _, tls }: &RouterOs,
    has_password: bool,
    router: &SimulatedRouter,
    url: &str,
    pin: Option<&str>,
) -> String {
    let insecure = if *tls { "-k " } else { "" };
    let path = router.path().map(|path| path.display().to_string()).unwrap_or_default();
    let (has, curl) = match has_password {
        // `curl` asks for it: in an argument, everybody on the host could read it.
        true => ("the password of the environment", user.clone()),
        false => ("an empty password", format!("{user}:")),
    };
    let mut block = vec![("api_url", format!("\"{url}\"")), ("api_user", format!("\"{user}\""))];
    block.extend(has_password.then(|| ("api_password", format!("env(\"{PASSWORD}\")"))));
    block.extend(pin.map(|pin| ("tls_pin_sha256", format!("\"{pin}\""))));
    let width = block.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = block.iter().map(|(name, value)| format!("    {name:width$} = {value}\n"));
    let lines = lines.collect::<String>();
    format!(
        "\
The user `{user}` has {has}. The router is kept in
{path}.

  curl {insecure}-u {curl} {url}/rest/system/resource

  backend \"routeros\" \"{name}\" {{
{lines}  }}
"
    )
}

fn version() -> impl TypedValueParser<Value = &'static Profile> {
    let names = PossibleValuesParser::new(PROFILES.iter().map(|profile| profile.name));
    names.map(|name| Profile::named(&name).unwrap_or(Profile::newest()))
}

/// Reads a name that is one of a file, of a block, of a user in HTTP and of a shell's word alike.
fn name(text: &str) -> Result<String, InvalidValue> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !text.is_empty() && text.chars().all(is_part) {
        true => Ok(text.to_owned()),
        false => {
            Err(InvalidValue::new("this is not a name")
                .hint("make it of letters, digits, `-` and `_`"))
        }
    }
}

/// Reads where to listen. Somebody else's machine has no business with a router that holds nothing but pretence.
fn loopback(text: &str) -> Result<SocketAddr, InvalidValue> {
    let address = text.parse().ok().filter(|it: &SocketAddr| it.ip().is_loopback());
    address.ok_or_else(|| {
        InvalidValue::new("this is not an address of this host alone, with a port")
            .hint("write it like `127.0.0.1:8080`")
    })
}
