//! Says of a host what it has for the work, and what it lacks, without changing anything.

use crate::actual::{Examination, Fact, NameServers};
use crate::backend::BackendError;
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::host::Host;
use crate::backend::linux::picture::{self, Question};
use crate::backend::linux::{resolver, userspace};
use crate::resource::BackendKind;
use crate::simulator::linux::call::{Refusal, WireGuard};

/// Reads a host, and looks at what is there for changing it.
pub(crate) fn examine(
    host: &mut dyn Host,
    question: &Question<'_>,
) -> Result<Examination, BackendError> {
    let picture = picture::read(host, question)?;
    let facts = facts(host, question).map_err(|refusal| {
        explain::error(question.backend, "examine the host", During::Running, refusal)
    })?;
    Ok(Examination { picture, facts })
}

fn facts(host: &mut dyn Host, question: &Question<'_>) -> Result<Vec<Fact>, Refusal> {
    let mut facts = vec![wireguard(host.wireguard()?)];
    facts.extend(host.means());
    let more_rights = match question.kind {
        BackendKind::Local | BackendKind::RouterOs | BackendKind::PfSense => {
            "run as root, or with the capability CAP_NET_ADMIN"
        }
        BackendKind::Linux => "log in as root, or let the user run `wg` and `ip` by `sudo -n`",
    };
    facts.push(match host.may_change()? {
        true => Fact::new("rights", "interfaces may be changed"),
        false => Fact::new("rights", "this user may not change interfaces")
            .lacks([more_rights.to_owned()]),
    });
    facts.push(match host.runs_systemd()? {
        true => Fact::new("init", "systemd"),
        false => Fact::new("init", "not systemd"),
    });
    if question.netns.is_none() {
        facts.push(match resolver::find(host)? {
            NameServers::Held => Fact::new("resolver", "systemd-resolved"),
            NameServers::Taken => Fact::new("resolver", "resolvconf, which cannot be read back"),
            NameServers::Nowhere | NameServers::Unasked => {
                Fact::new("resolver", "none that takes name servers")
                    .without([format!("for `dns`, {}", resolver::NO_RESOLVER)])
            }
        });
    }
    Ok(facts)
}

fn wireguard(found: WireGuard) -> Fact {
    let about = "WireGuard";
    match found {
        WireGuard::Kernel => Fact::new(about, "the kernel's"),
        WireGuard::NoKernel => Fact::new(about, "the kernel has no module `wireguard`")
            .lacks([userspace::NO_MODULE.to_owned()]),
        WireGuard::Userspace { program, is_there: false, has_tun: _ } => {
            let says = format!("none: `{program}` is not installed");
            Fact::new(about, says).lacks(userspace::to_install(&program))
        }
        WireGuard::Userspace { program, is_there: true, has_tun: true } => {
            Fact::new(about, format!("in userspace, `{program}`"))
        }
        WireGuard::Userspace { program, is_there: true, has_tun: false } => {
            Fact::new(about, format!("`{program}` is there, and /dev/net/tun is not"))
                .lacks([userspace::NO_TUN.to_owned()])
        }
    }
}
