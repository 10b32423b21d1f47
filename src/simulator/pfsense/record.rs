//! The file of a simulated firewall: lines about the firewall itself, and then a line for each object.
//!
//! A change is a line at the end, so that ten thousand peers are not written anew for each one. A later line counts;
//! one that a killed run has cut is left out: nobody was told of that change.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::simulator::pfsense::config::{Config, Object, Store};
use crate::simulator::pfsense::firewall::{Firewall, Runtime};
use crate::simulator::pfsense::kernel::Kernel;
use crate::simulator::pfsense::profile::{Profile, Switches};

/// The version of the format that this program writes.
const FORMAT: u64 = 1;

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Firewall(Header),
    Runtime(Runtime),
    Kernel(Kernel),
    Settings(Object),
    Api(Object),
    Rules(BTreeMap<String, u32>),
    Tunnel(Row),
    Peer(Row),
    Interface(Row),
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u64,
    profile: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    switches: Vec<String>,
    seed: u64,
    booted_at: Timestamp,
}

/// An object of a list: in the place of the one that is there, at the end, or gone.
#[derive(Serialize, Deserialize)]
struct Row {
    at: usize,
    object: Option<Object>,
}

const LISTS: [Store; 3] = [Store::Tunnels, Store::Peers, Store::Interfaces];

/// What the file has.
#[derive(Clone)]
pub(super) struct Written {
    config: Arc<Config>,
    runtime: Runtime,
    kernel: Arc<Kernel>,
}

impl Written {
    pub(super) fn of(firewall: &Firewall) -> Self {
        let Firewall { config, runtime, kernel, .. } = firewall;
        Self { config: Arc::clone(config), runtime: runtime.clone(), kernel: Arc::clone(kernel) }
    }
}

/// Reads what [`write()`] and [`changes`] wrote. The error says why not, and never holds a key.
pub(super) fn read(bytes: &[u8]) -> Result<Firewall, String> {
    // What follows the last line feed was never finished.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').ok_or("it has no whole line")?;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n').enumerate();
    let (_, first) = lines.next().ok_or("it is empty")?;
    let Line::Firewall(header) = parse(0, first)? else {
        return Err("its first line is not about the firewall".to_owned());
    };
    let mut firewall = header.into_firewall()?;
    let mut config = Config::default();
    for (index, line) in lines {
        let misplaced = || format!("line {} is where it cannot be", index + 1);
        match parse(index, line)? {
            Line::Firewall(_) => return Err(misplaced()),
            Line::Runtime(runtime) => firewall.runtime = runtime,
            Line::Kernel(kernel) => firewall.kernel = Arc::new(kernel),
            Line::Settings(settings) => config.settings = Arc::new(settings),
            Line::Api(api) => config.api = Arc::new(api),
            Line::Rules(rules) => config.rules = rules,
            Line::Tunnel(row) => row.put_into(&mut config.tunnels).ok_or_else(misplaced)?,
            Line::Peer(row) => row.put_into(&mut config.peers).ok_or_else(misplaced)?,
            Line::Interface(row) => row.put_into(&mut config.interfaces).ok_or_else(misplaced)?,
        }
    }
    firewall.config = Arc::new(config);
    Ok(firewall)
}

/// Writes a whole firewall.
pub(super) fn write(firewall: &Firewall) -> Result<Zeroizing<Vec<u8>>, String> {
    let Firewall { profile, switches, seed, booted_at, config, runtime, kernel } = firewall;
    let header = Header {
        version: FORMAT,
        profile: profile.name.to_owned(),
        switches: switches.flips().into_iter().map(str::to_owned).collect(),
        seed: *seed,
        booted_at: *booted_at,
    };
    let mut lines = vec![
        Line::Firewall(header),
        Line::Runtime(runtime.clone()),
        Line::Kernel(Kernel::clone(kernel)),
        Line::Settings(Object::clone(&config.settings)),
        Line::Api(Object::clone(&config.api)),
        Line::Rules(config.rules.clone()),
    ];
    for store in LISTS {
        let objects = config.list(store).map(Vec::as_slice).unwrap_or_default();
        let rows = objects.iter().enumerate();
        lines.extend(rows.map(|(at, object)| row(store, at, Some(object))));
    }
    print(&lines)
}

/// Writes what has changed, to be put at the end; none when that is so much that the file is better written anew.
pub(super) fn changes(
    written: &Written,
    firewall: &Firewall,
) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let (old, new) = (&written.config, &firewall.config);
    let mut lines = Vec::new();
    if written.runtime != firewall.runtime {
        lines.push(Line::Runtime(firewall.runtime.clone()));
    }
    if written.kernel != firewall.kernel {
        lines.push(Line::Kernel(Kernel::clone(&firewall.kernel)));
    }
    if old.settings != new.settings {
        lines.push(Line::Settings(Object::clone(&new.settings)));
    }
    if old.api != new.api {
        lines.push(Line::Api(Object::clone(&new.api)));
    }
    if old.rules != new.rules {
        lines.push(Line::Rules(new.rules.clone()));
    }
    for store in LISTS {
        let of = |config: &'_ Config| config.list(store).cloned().unwrap_or_default();
        match change(store, &of(old), &of(new)) {
            Some(changed) => lines.extend(changed),
            None => return Ok(None),
        }
    }
    print(&lines).map(Some)
}

/// Returns the line of a change of one object; none when there are more changes than that.
fn change(store: Store, old: &[Arc<Object>], new: &[Arc<Object>]) -> Option<Option<Line>> {
    let is_same = |(a, b): &(&Arc<Object>, &Arc<Object>)| Arc::ptr_eq(a, b);
    let alike = old.iter().zip(new).take_while(is_same).count();
    let alike_at_end = |skip_old: usize, skip_new: usize| {
        let rest = old[alike + skip_old..].iter().zip(&new[alike + skip_new..]);
        rest.clone().count() == rest.take_while(is_same).count()
    };
    match (old.len(), new.len()) {
        (a, b) if a == b && alike == a => Some(None),
        (a, b) if a == b && alike_at_end(1, 1) => Some(Some(row(store, alike, Some(&new[alike])))),
        (a, b) if a + 1 == b && alike == a => Some(Some(row(store, a, Some(&new[a])))),
        (a, b) if a == b + 1 && alike_at_end(1, 0) => Some(Some(row(store, alike, None))),
        _ => None,
    }
}

fn row(store: Store, at: usize, object: Option<&Arc<Object>>) -> Line {
    let row = Row { at, object: object.map(|object| Object::clone(object)) };
    match store {
        Store::Tunnels => Line::Tunnel(row),
        Store::Peers => Line::Peer(row),
        _ => Line::Interface(row),
    }
}

fn print(lines: &[Line]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    for line in lines {
        let line = Zeroizing::new(serde_json::to_vec(line).map_err(|error| error.to_string())?);
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn parse(index: usize, line: &[u8]) -> Result<Line, String> {
    // serde's own messages may quote what they stumbled over.
    serde_json::from_slice(line)
        .map_err(|error| format!("line {} column {} is not as expected", index + 1, error.column()))
}

impl Header {
    fn into_firewall(self) -> Result<Firewall, String> {
        let Self { version, profile, switches, seed, booted_at } = self;
        if version != FORMAT {
            return Err(format!("its format is version {version}, this program knows {FORMAT}"));
        }
        let profile = Profile::named(&profile).ok_or_else(|| {
            format!("it is a REST API {profile:?}, which this program does not know")
        })?;
        let mut firewall = Firewall::new(profile, seed, booted_at);
        for name in switches {
            let flipped: Option<Switches> = firewall.switches.flipped(&name);
            firewall.switches = flipped.ok_or_else(|| format!("{name:?} is no switch"))?;
        }
        Ok(firewall)
    }
}

impl Row {
    fn put_into(self, list: &mut Vec<Arc<Object>>) -> Option<()> {
        let Self { at, object } = self;
        match object {
            Some(object) if at == list.len() => list.push(Arc::new(object)),
            Some(object) => *list.get_mut(at)? = Arc::new(object),
            None if at < list.len() => drop(list.remove(at)),
            None => return None,
        }
        Some(())
    }
}

/// Any bytes as a file: refused, or the same when written and read again.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let Ok(firewall) = read(bytes) else { return };
    let written = write(&firewall).expect("a firewall that was read can be written");
    let again = read(&written).expect("a firewall that was written can be read");
    assert_eq!(write(&again).as_ref(), Ok(&written));
}
