//! Backends as text: which there are, and what an examination of one found.

use std::fmt::Write as _;

use crate::actual::{Examination, Fact, Identity};
use crate::backend::BackendError;
use crate::config::{BackendDeclaration, Driver, Login, Transport};
use crate::diagnostic::sentence;
use crate::render::value::age;
use crate::render::{Paint, Style, count, printable};
use crate::resource::BackendKind;

/// Lists backends, one a line.
pub fn list(declarations: &[(&BackendDeclaration, bool)]) -> String {
    let width = |text: fn(&BackendDeclaration) -> usize| {
        declarations.iter().map(|(it, _)| text(it)).max().unwrap_or_default()
    };
    let (ids, kinds) = (width(|it| it.id.as_str().len()), width(|it| it.kind.as_str().len()));
    let mut text = String::new();
    for (declaration, is_declared) in declarations {
        let BackendDeclaration { id, kind, .. } = declaration;
        let left = if *is_declared { "" } else { " (only the state knows it: its block is gone)" };
        let id = printable(id.as_str());
        let _ = writeln!(text, "{id:ids$}  {:kinds$}  {}{left}", kind.as_str(), place(declaration));
    }
    text
}

/// Shows what an examination found, or why there was none.
pub fn examined(
    declaration: &BackendDeclaration,
    answer: &Result<Examination, BackendError>,
    paint: Paint,
) -> String {
    let BackendDeclaration { id, kind, .. } = declaration;
    let heading = format!("{} ({}, {})", id.as_str(), kind.as_str(), place(declaration));
    let mut text = format!("{}\n", paint.paint(Style::Bold, printable(&heading)));
    match answer {
        Ok(Examination { picture, facts }) => {
            let peers = picture.interfaces.values().map(|it| it.peers.len()).sum();
            let found = format!(
                "{}, {}",
                count(picture.interfaces.len(), "interface"),
                count(peers, "peer")
            );
            let host = Fact::new("host", machine(picture.kind, &picture.identity));
            let found = Fact::new("found", found);
            let all: Vec<&Fact> = [&host].into_iter().chain(facts).chain([&found]).collect();
            let width = all.iter().map(|it| it.about.len()).max().unwrap_or_default();
            all.into_iter().for_each(|it| fact(it, width, paint, &mut text));
        }
        Err(BackendError { backend: _, attempt, reason, hints }) => {
            let what = paint.paint(Style::Remove, "unreachable");
            let _ = writeln!(
                text,
                "  {what}: could not {}",
                printable(&format!("{attempt}: {reason}"))
            );
            hints.iter().for_each(|it| help(it, &mut text));
        }
    }
    text
}

fn fact(
    Fact { about, says, hints, is_needed }: &Fact,
    width: usize,
    paint: Paint,
    text: &mut String,
) {
    let says = printable(says).into_owned();
    let says = match (hints.is_empty(), is_needed) {
        (true, _) => says,
        (false, true) => paint.paint(Style::Remove, says),
        (false, false) => paint.paint(Style::Warning, says),
    };
    let _ = writeln!(text, "  {about:width$}  {says}");
    hints.iter().for_each(|it| help(it, text));
}

fn help(hint: &str, text: &mut String) {
    let _ = writeln!(text, "    help: {}", sentence(&printable(hint)));
}

fn machine(
    kind: BackendKind,
    Identity { id, boot_id: _, uptime, clock_skew: _, host_name }: &Identity,
) -> String {
    let up = uptime.map(|it| format!(", up {}", age(it))).unwrap_or_default();
    // Which namespace of it is said by where the backend is.
    let machine = id.split("#netns=").next().unwrap_or_default();
    match (kind, machine) {
        (BackendKind::RouterOs, "") => format!("{host_name}{up}"),
        (BackendKind::RouterOs, serial) => format!("{host_name}, serial number {serial}{up}"),
        (BackendKind::PfSense, id) if id.is_empty() || id == host_name => {
            format!("{host_name}{up}")
        }
        (BackendKind::PfSense, id) => format!("{host_name}, id {id}{up}"),
        (BackendKind::Local | BackendKind::Linux, id) => {
            format!("{host_name}, machine id {id}{up}")
        }
    }
}

/// Says where a backend is.
fn place(BackendDeclaration { simulate, transport, .. }: &BackendDeclaration) -> String {
    let (host, netns, driver, userspace_program) = match transport {
        Transport::Local { netns, driver, userspace_program } => {
            ("this host".to_owned(), netns, driver, userspace_program)
        }
        Transport::Ssh { ssh, netns, driver, userspace_program } => {
            (format!("`{}` over SSH", ssh.host), netns, driver, userspace_program)
        }
        Transport::RouterOs(router) => {
            return match simulate {
                true => "simulated".to_owned(),
                false => format!("{} as `{}`", router.api_url, router.api_user),
            };
        }
        Transport::PfSense(firewall) => {
            return match (simulate, &firewall.login) {
                (true, _) => "simulated".to_owned(),
                (false, Login::Key(_)) => format!("{} with a key", firewall.api_url),
                (false, Login::User { name, .. }) => format!("{} as `{name}`", firewall.api_url),
            };
        }
    };
    let mut parts = vec![if *simulate { "simulated".to_owned() } else { host }];
    parts.extend(netns.iter().map(|name| format!("network namespace `{name}`")));
    match driver {
        Driver::Auto => {}
        Driver::Kernel => parts.push("driver \"kernel\"".to_owned()),
        Driver::Userspace => parts.push("driver \"userspace\"".to_owned()),
    }
    parts.extend(userspace_program.iter().map(|it| format!("userspace program `{it}`")));
    parts.join(", ")
}
