//! `wgform simulate`: a device that is only pretended, in the foreground, for requests by hand and for tests.
//!
//! It reads no configuration. A backend with `simulate = true` needs none of this: it serves itself.

use std::net::SocketAddr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::command::Context;
use crate::error::{Error, Exit, Kind};
use crate::resource::BackendId;
use crate::simulator::certificate::Certificate;
use crate::simulator::pfsense::{ALL_PRIVILEGES, SimulatedFirewall};
use crate::simulator::routeros::http::{Options, Server, Tls};
use crate::simulator::routeros::profile::{PROFILES, Profile};
use crate::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use crate::simulator::{SimulatorError, pfsense};
use crate::ui::interrupt;
use crate::value::{InvalidValue, Secret};

/// The variable with the password of the user.
const PASSWORD: &str = "WGFORM_SIMULATED_PASSWORD";

/// The variable with the key of a firewall, and the key without it.
const KEY: &str = "WGFORM_SIMULATED_KEY";
const DEFAULT_KEY: &str = "simulated";

/// A subcommand of `wgform simulate` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform simulate routeros
  wgform simulate routeros -version=7.12 -listen=127.0.0.1:8080
  wgform simulate pfsense -version=v2.8.2")]
pub enum Command {
    /// Serves a strict simulated router over REST on this host, until Ctrl-C
    #[command(name = "routeros")]
    RouterOs(RouterOs),
    /// Serves a strict simulated firewall with the REST API package on this host, until Ctrl-C
    #[command(name = "pfsense")]
    PfSense(PfSense),
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

/// What `wgform simulate pfsense` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform simulate pfsense
  wgform simulate pfsense -version=v2.8.2 office
  wgform simulate pfsense -tls -listen=127.0.0.1:8443

The firewall is kept in .wgform/simulated/NAME.json, where a backend of that
name with `simulate = true` has it too. What is to go wrong is written beside it
into NAME.faults.json, or into the header X-Simulate-Fault of a request.

Environment:
  WGFORM_SIMULATED_KEY    The key that lets one in; `simulated` without it.")]
pub struct PfSense {
    /// Names the firewall, `firewall` when nothing else is said
    #[arg(value_name = "NAME", default_value = "firewall", value_parser = name)]
    pub name: String,
    /// Gives it this version of the REST API package; a new one has the newest
    #[arg(long, value_name = "VERSION", value_parser = package_version())]
    pub version: Option<&'static pfsense::profile::Profile>,
    /// Listens at this address; on a port that is free when nothing else is said
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Speaks TLS, with a certificate that the firewall has signed itself
    #[arg(long)]
    pub tls: bool,
}

/// Runs a subcommand.
///
/// # Errors
/// When the device is in use or damaged, or nothing can listen there.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    let interrupted = interrupt::first().map_err(|error| not_served(&error))?;
    // They serve until they are dropped.
    let (_router, _firewall) = match command {
        Command::RouterOs(arguments) => (Some(serve_router(&arguments, context)?), None),
        Command::PfSense(arguments) => (None, Some(serve_firewall(&arguments, context)?)),
    };
    interrupted.await;
    Ok(Exit::Done)
}

fn not_served(error: &dyn std::error::Error) -> Error {
    Error::new(Kind::Failed, "could not serve the simulated device").cause(error)
}

fn not_listening(error: &dyn std::error::Error) -> Error {
    not_served(error).hint("`-listen=127.0.0.1:0` takes any port that is free")
}

fn not_opened(SimulatorError { reason, hints }: SimulatorError) -> Error {
    let error = Error::new(Kind::Failed, "could not open the simulated device");
    hints.into_iter().fold(error.because(reason), Error::hint)
}

fn url(is_tls: bool, address: SocketAddr) -> String {
    format!("{}://{address}", if is_tls { "https" } else { "http" })
}

fn serve_router(arguments: &RouterOs, context: &Context) -> Result<Server, Error> {
    let router = open(arguments, context)?;
    let certificate = arguments.tls.then(|| router.certificate()).transpose();
    let certificate = certificate.map_err(|error| not_served(&error))?;
    let pin = certificate.as_ref().map(Certificate::fingerprint);
    let tls = certificate.map(Tls::With);
    let options = Options { listen: arguments.listen, tls, ..Options::default() };
    let server = Server::start(router.clone(), &context.world, options);
    let server = server.map_err(|error| not_listening(&error))?;
    let url = url(arguments.tls, server.address());
    let has_password = context.world.variable(PASSWORD).is_some_and(|it| !it.is_empty());
    context.ui.result(&directions(arguments, has_password, &router, &url, pin.as_deref()));
    let version = router.profile().version;
    context.ui.talk(&format!("Serving RouterOS {version} at {url}. Ctrl-C ends it."));
    Ok(server)
}

fn serve_firewall(arguments: &PfSense, context: &Context) -> Result<pfsense::http::Server, Error> {
    let PfSense { name, version, listen, tls: is_tls } = arguments;
    let world = &context.world;
    let id = BackendId::new(name.as_str());
    let firewall = SimulatedFirewall::open(&world.directory, &id, world).map_err(not_opened)?;
    if let Some(profile) = version.filter(|it| *it != firewall.profile()) {
        firewall.install(profile).map_err(not_opened)?;
    }
    let given = world.variable(KEY).filter(|it| !it.is_empty());
    let has_key = given.is_some();
    let key = Secret::new(given.unwrap_or(DEFAULT_KEY));
    let methods = json!(["BasicAuth", "KeyAuth"]);
    firewall.set_api("auth_methods", methods).map_err(not_opened)?;
    firewall.set_user("admin", &key, &[ALL_PRIVILEGES]);
    firewall.add_key(&key, "admin");
    let certificate = is_tls.then(|| firewall.certificate()).transpose();
    let certificate = certificate.map_err(|error| not_served(&error))?;
    let pin = certificate.as_ref().map(Certificate::fingerprint);
    let tls = certificate.map(|it| (vec![it.der], it.key.to_vec()));
    let options = pfsense::http::Options { listen: *listen, tls, ..Default::default() };
    let server = pfsense::http::Server::start(firewall.clone(), world, options);
    let server = server.map_err(|error| not_listening(&error))?;
    let url = url(*is_tls, server.address());
    let path = firewall.path().map(|path| path.display().to_string()).unwrap_or_default();
    let (shown, curl) = match has_key {
        true => (format!("env(\"{KEY}\")"), format!("\"X-API-Key: ${KEY}\"")),
        false => (format!("\"{DEFAULT_KEY}\""), format!("\"X-API-Key: {DEFAULT_KEY}\"")),
    };
    let mut block = vec![("api_url", format!("\"{url}\"")), ("api_key", shown)];
    block.extend(pin.map(|pin| ("tls_pin_sha256", format!("\"{pin}\""))));
    let lines = lines(&block);
    let insecure = if *is_tls { "-k " } else { "" };
    context.ui.result(&format!(
        "\
The firewall is kept in
{path}.

  curl {insecure}-H {curl} {url}/api/v2/vpn/wireguard/tunnels

  backend \"pfsense\" \"{name}\" {{
{lines}  }}
"
    ));
    let version = firewall.profile().name;
    context.ui.talk(&format!("Serving the REST API package {version} at {url}. Ctrl-C ends it."));
    Ok(server)
}

fn lines(block: &[(&str, String)]) -> String {
    let width = block.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    block.iter().map(|(name, value)| format!("    {name:width$} = {value}\n")).collect()
}

fn open(arguments: &RouterOs, context: &Context) -> Result<SimulatedRouter, Error> {
    let world = &context.world;
    let id = BackendId::new(arguments.name.as_str());
    let router = SimulatedRouter::open(&world.directory, &id, world).map_err(not_opened)?;
    if let Some(profile) = arguments.version.filter(|it| **it != *router.profile()) {
        router.install(profile).map_err(not_opened)?;
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
    let lines = lines(&block);
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

fn package_version() -> impl TypedValueParser<Value = &'static pfsense::profile::Profile> {
    use pfsense::profile::{PROFILES, Profile};
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
