//! The file of a simulated router: a line about the router, and then a line for each object as it was last.
//!
//! A change is a line at the end, so that ten thousand peers are not written anew for each one. A later line counts;
//! one that a killed run has cut is left out: nobody was told of that change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::simulator::routeros::menu::MENUS;
use crate::simulator::routeros::profile::{Profile, Switches};
use crate::simulator::routeros::router::Router;
use crate::simulator::routeros::table::Row;

/// The version of the format that this program writes.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct RouterRecord {
    version: u64,
    profile: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    switches: Vec<String>,
    seed: u64,
    drawn: u64,
    booted_at: Timestamp,
    #[serde(default)]
    is_virtual: bool,
    #[serde(default)]
    clock_is_slow_by: u32,
    vrfs: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct ObjectRecord {
    table: String,
    id: u64,
    /// What the next one gets, so that an id is not given again.
    next: u64,
    drawn: u64,
    /// None when it is gone.
    row: Option<BTreeMap<String, ValueRecord>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ValueRecord {
    Text(Zeroizing<String>),
    /// What is not UTF-8.
    Bytes {
        bytes: Vec<u8>,
    },
}

/// Reads what [`write()`] and [`changes`] wrote. The error says why not, and never holds a key.
pub(super) fn read(bytes: &[u8]) -> Result<Router, String> {
    // What follows the last line feed was never finished.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').ok_or("it has no whole line")?;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n').enumerate();
    let (_, first) = lines.next().ok_or("it is empty")?;
    let mut router = parse::<RouterRecord>(0, first)?.into_router()?;
    router.tables.values_mut().for_each(|table| table.rows.clear());
    for (index, line) in lines {
        parse::<ObjectRecord>(index, line)?.put_into(&mut router)?;
    }
    router.touched.clear();
    router.carry_all();
    Ok(router)
}

/// Writes a whole router.
pub(super) fn write(router: &Router) -> Result<Zeroizing<Vec<u8>>, String> {
    let Router {
        profile,
        switches,
        seed,
        drawn,
        booted_at,
        is_virtual,
        clock_is_slow_by,
        vrfs,
        tables,
        touched: _,
        now: _,
        log: _,
        carried: _,
    } = router;
    let record = RouterRecord {
        version: FORMAT,
        profile: profile.name.to_owned(),
        switches: switches.flips(profile).into_iter().map(str::to_owned).collect(),
        seed: *seed,
        drawn: *drawn,
        booted_at: *booted_at,
        is_virtual: *is_virtual,
        clock_is_slow_by: *clock_is_slow_by,
        vrfs: vrfs.clone(),
    };
    let all = tables.iter().flat_map(|(name, table)| table.rows.keys().map(|id| (*name, *id)));
    let mut bytes = line(&record)?;
    bytes.extend_from_slice(&objects(router, all)?);
    Ok(bytes)
}

/// Writes the objects that were touched, to be put at the end.
pub(super) fn changes(router: &Router) -> Result<Zeroizing<Vec<u8>>, String> {
    objects(router, router.touched.iter().copied())
}

fn objects(
    router: &Router,
    objects: impl Iterator<Item = (&'static str, u64)>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    for (table, id) in objects {
        let next = router.tables.get(table).map_or(0, |table| table.next);
        let row = router.row(table, id).map(|row| {
            row.0.iter().map(|(name, value)| (name.clone(), ValueRecord::new(value))).collect()
        });
        let record = ObjectRecord { table: table.to_owned(), id, next, drawn: router.drawn, row };
        bytes.extend_from_slice(&line(&record)?);
    }
    Ok(bytes)
}

fn line(record: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = serde_json::to_vec(record).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(Zeroizing::new(bytes))
}

fn parse<T: for<'a> Deserialize<'a>>(index: usize, line: &[u8]) -> Result<T, String> {
    // serde's own messages may quote what they stumbled over.
    serde_json::from_slice(line)
        .map_err(|error| format!("line {} column {} is not as expected", index + 1, error.column()))
}

impl RouterRecord {
    fn into_router(self) -> Result<Router, String> {
        let Self { version, profile, switches, seed, drawn, booted_at, .. } = self;
        if version != FORMAT {
            return Err(format!("its format is version {version}, this program knows {FORMAT}"));
        }
        let profile = Profile::named(&profile).ok_or_else(|| {
            format!("it is a RouterOS {profile:?}, which this program does not know")
        })?;
        let mut router = Router::new(profile, seed, booted_at);
        for name in switches {
            let flipped: Option<Switches> = router.switches.flipped(&name);
            router.switches = flipped.ok_or_else(|| format!("{name:?} is no switch"))?;
        }
        router.drawn = drawn;
        router.is_virtual = self.is_virtual;
        router.clock_is_slow_by = self.clock_is_slow_by;
        router.vrfs = self.vrfs;
        Ok(router)
    }
}

impl ObjectRecord {
    fn put_into(self, router: &mut Router) -> Result<(), String> {
        let Self { table, id, next, drawn, row } = self;
        let known = MENUS.iter().find(|menu| menu.table == table && !table.is_empty());
        let known = known.ok_or_else(|| format!("{table:?} is no menu"))?.table;
        router.drawn = router.drawn.max(drawn);
        let table = router.table(known);
        table.next = table.next.max(next).max(id.saturating_add(1));
        match row {
            Some(row) => {
                let row = row.into_iter().map(|(name, value)| (name, value.into_bytes()));
                table.rows.insert(id, Row(row.collect()));
            }
            None => drop(table.rows.remove(&id)),
        }
        Ok(())
    }
}

impl ValueRecord {
    fn new(value: &[u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => Self::Text(Zeroizing::new(text.to_owned())),
            Err(_) => Self::Bytes { bytes: value.to_vec() },
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes { bytes } => bytes,
        }
    }
}

/// Any bytes as a file: refused, or the same when written and read again.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let Ok(router) = read(bytes) else { return };
    let written = write(&router).expect("a router that was read can be written");
    let again = read(&written).expect("a router that was written can be read");
    assert_eq!(write(&again).as_ref(), Ok(&written));
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::simulator::routeros::profile::Profile;
    use crate::simulator::routeros::record::{changes, fuzz, read, write};
    use crate::simulator::routeros::router::Router;
    use crate::simulator::routeros::table::Row;

    #[test]
    fn a_change_at_the_end_counts_and_half_a_line_does_not() {
        let mut router = Router::new(Profile::newest(), 1, Timestamp::UNIX_EPOCH);
        router.switches.masks_host_bits = true;
        let mut file = write(&router).unwrap().to_vec();
        let mut row = Row::new([("name", "a")]);
        row.set("comment", b"\xff\x01");
        let id = router.insert("routing/table", row.clone());
        file.extend_from_slice(&changes(&router).unwrap());
        file.extend_from_slice(b"{\"table\":\"routing/ta");
        let again = read(&file).unwrap();
        assert!(again.switches.masks_host_bits);
        assert!(again.row("routing/table", id) == Some(&row));
        assert_eq!(write(&again).unwrap(), write(&router).unwrap());
        fuzz(&file);
    }

    #[test]
    fn a_damaged_file_is_said_to_be_one_without_what_is_in_it() {
        for (text, why) in [
            ("", "it has no whole line"),
            ("{}\n", "line 1 column 2 is not as expected"),
            (
                "{\"version\":2,\"profile\":\"7.24\",\"seed\":1,\"drawn\":0,\"booted_at\":\"2026-01-01T00:00:00Z\",\"vrfs\":[]}\n",
                "its format is version 2, this program knows 1",
            ),
        ] {
            assert_eq!(read(text.as_bytes()).err().as_deref(), Some(why));
        }
    }
}
