//! What a firewall can be asked without changing it: whether it would take a plan, and whether a peer has a secret that
//! nobody is shown.

use std::collections::BTreeSet;

use crate::backend::pfsense::client::{Body, Cause, Client, Failure};
use crate::backend::pfsense::snapshot::{self, PEER, PEERS, TUNNEL};
use crate::backend::pfsense::wire::{List, Peer, PeerRow, Scalar, Tunnel, Version};
use crate::backend::pfsense::wish::{self, Assignment, Misfit};
use crate::backend::{Act, BackendError, Batch, Verdict};
use crate::value::{PresharedKey, PublicKey};

/// What is said of a value that is taken by what the plan may change before.
const TAKEN: &str = "something has that value now that the same plan may change";

/// What other operations of a batch may give up before.
struct Given {
    anything: bool,
    addresses: bool,
}

/// A request that says what it would do, and does nothing.
struct Question {
    path: &'static str,
    is_new: bool,
    body: Body,
}

/// Asks what a firewall would make of each operation of a batch.
///
/// # Errors
/// When its version does what it is asked instead, or it cannot be asked.
pub(super) async fn dry_run(client: &Client, batch: &Batch) -> Result<Vec<Verdict>, BackendError> {
    let told = |failure: Failure| failure.error;
    let version = snapshot::version(client).await.map_err(told)?;
    if version < Version::DRY_RUN {
        return Err(BackendError {
            backend: client.backend().clone(),
            attempt: "ask the firewall what it makes of the plan".to_owned(),
            reason: format!("version {version} of its REST API package would carry it out"),
            hints: vec![format!(
                "update the package to {} or later, or plan without `-validate-on-device`",
                Version::DRY_RUN
            )],
        });
    }
    let (mut tunnels, _) = snapshot::tunnels(client).await.map_err(told)?;
    let rows: List<PeerRow> =
        client.get("read the WireGuard peers", PEERS, &[]).await.map_err(told)?;
    let (peers, _) = snapshot::peers(&rows);
    let there: BTreeSet<String> = tunnels.iter().map(|it| it.name.clone()).collect();
    // An earlier step may give up what a later one takes.
    let gives = |act: &Act| !matches!(act, Act::CreateInterface { .. } | Act::CreatePeer { .. });
    let gives_addresses =
        |act: &Act| matches!(act, Act::UpdateInterface { .. } | Act::DeleteInterface { .. });
    let count =
        |is: &dyn Fn(&Act) -> bool| batch.operations.iter().filter(|it| is(&it.act)).count();
    let (givers, givers_of_addresses) = (count(&gives), count(&gives_addresses));
    let mut verdicts = Vec::new();
    for operation in &batch.operations {
        let attempt = operation.act.attempt();
        let verdict = match question(&operation.act, &there, &mut tunnels, &peers) {
            Ok(Ok(question)) => {
                let act = &operation.act;
                let given = Given {
                    anything: givers > usize::from(gives(act)),
                    addresses: givers_of_addresses > usize::from(gives_addresses(act)),
                };
                ask(client, &attempt, question, &given).await?
            }
            Ok(Err(why)) => Verdict::Unchecked(why),
            Err(Misfit { attribute, hint }) => Verdict::Refused(BackendError {
                backend: client.backend().clone(),
                attempt,
                reason: format!("`{attribute}` cannot be written like this on a firewall"),
                hints: vec![hint.to_owned()],
            }),
        };
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// What to ask for an operation, or why there is nothing to ask.
type Asked = Result<Result<Question, &'static str>, Misfit>;

fn question(
    act: &Act,
    there: &BTreeSet<String>,
    tunnels: &mut Vec<Tunnel>,
    peers: &[Peer],
) -> Asked {
    match act {
        Act::CreateInterface { name, private_key, fields, .. } => {
            let hint = "a firewall makes no keys";
            let key = private_key.as_ref().ok_or(Misfit::new("private_key", hint))?;
            let Some(port) = wish::free_port(tunnels) else { return Ok(Err("no port is free")) };
            let settings = wish::all(fields);
            wish::assignment(&settings, fields)?;
            let made = wish::new_tunnel(name, port, key);
            let after = wish::tunnel(&settings, &made, Some(key), Some(port))?;
            let body = wish::tunnel_creation(&after, key);
            tunnels.push(after);
            Ok(Ok(Question { path: TUNNEL, is_new: true, body }))
        }
        Act::UpdateInterface { name, private_key, settings, wanted, .. } => {
            let Some(before) = tunnels.iter().find(|it| it.name == *name) else {
                return Ok(Err("the tunnel is not there"));
            };
            if wish::assignment(settings, wanted)? == Assignment::Release {
                return Ok(Err("what it is assigned to goes before"));
            }
            let free = wish::free_port(tunnels);
            let after = wish::tunnel(settings, before, private_key.as_ref(), free)?;
            let mut body = wish::tunnel_change(before, &after, private_key.as_ref());
            if body.is_empty() {
                return Ok(Err("nothing of the tunnel itself changes"));
            }
            body.set("id", before.id);
            body.set("name", name.as_str());
            Ok(Ok(Question { path: TUNNEL, is_new: false, body }))
        }
        Act::CreatePeer { replaces: Some(_), .. } => {
            Ok(Err("what a peer with another key would be is not asked"))
        }
        Act::CreatePeer { interface, public_key, replaces: None, fields } => {
            let after = wish::created_peer(interface, *public_key, fields)?;
            if !there.contains(interface) {
                return Ok(Err("its tunnel is made by the same plan"));
            }
            Ok(Ok(Question { path: PEER, is_new: true, body: wish::peer_creation(&after) }))
        }
        Act::UpdatePeer { interface: _, public_key, settings, wanted } => {
            let Some(before) = peers.iter().find(|it| it.public_key == *public_key) else {
                return Ok(Err("the peer is not there"));
            };
            let after = wish::peer(settings, wanted, before)?;
            let mut body = wish::peer_change(before, &after);
            if body.is_empty() {
                return Ok(Err("nothing of the peer changes"));
            }
            body.set("id", before.id);
            body.set("publickey", public_key.to_string());
            Ok(Ok(Question { path: PEER, is_new: false, body }))
        }
        Act::DeleteInterface { .. } | Act::DeletePeer { .. } | Act::Apply { .. } => {
            Ok(Err("a firewall is asked for what is made or changed only"))
        }
        Act::SetRoutes { .. } | Act::Persist(_) => Ok(Err("a firewall does not have it")),
    }
}

async fn ask(
    client: &Client,
    attempt: &str,
    Question { path, is_new, mut body }: Question,
    given: &Given,
) -> Result<Verdict, BackendError> {
    body.set("dry_run", true);
    let answer = match is_new {
        true => client.post::<Scalar>(attempt, path, &body).await,
        false => client.patch::<Scalar>(attempt, path, &body).await,
    };
    match answer {
        Ok(_) => Ok(Verdict::Taken),
        Err(Failure { error, cause: Cause::Refused(id), .. }) => Ok(match id.as_str() {
            "FIELD_MUST_BE_UNIQUE" if given.anything => Verdict::Unchecked(TAKEN),
            "WIREGUARD_TUNNEL_ADDRESS_AND_MASK_ALREADY_IN_USE" if given.addresses => {
                Verdict::Unchecked(TAKEN)
            }
            _ => Verdict::Refused(error),
        }),
        Err(failure) => Err(failure.error),
    }
}

/// Returns whether a peer has this pre-shared key, or none. A filter sees what is not shown; the key goes in a body, for a URL is
/// logged.
pub(super) async fn holds_preshared_key(
    client: &Client,
    peer: PublicKey,
    key: Option<&PresharedKey>,
) -> Result<bool, BackendError> {
    let attempt = format!("compare the pre-shared key of peer `{}`", peer.short());
    let mut filter = Body::of("publickey", peer.to_string());
    filter.set_secret("presharedkey", key.map(PresharedKey::expose_text).unwrap_or_default());
    let rows = client.search(&attempt, PEERS, &filter).await;
    let List(rows): List<PeerRow> = rows.map_err(|failure: Failure| failure.error)?;
    Ok(rows.len() == 1 && rows[0].public_key() == Some(peer))
}
