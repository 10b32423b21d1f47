//! Reading journals, whole and torn.

use proptest::prelude::*;

use crate::resource::Address;
use crate::state::{JournalError, Recorded, State, StateChange};

/// Never edit or remove them: files like these are on people's machines.
const FORMAT_1: &str = include_str!("../../../testdata/state/format-1.journal");
const STATE_1: &[u8] = include_bytes!("../../../testdata/state/format-1.json");

fn read(text: &str) -> Result<Option<Recorded>, JournalError> {
    Recorded::from_bytes(text.as_bytes())
}

fn line(index: usize) -> &'static str {
    FORMAT_1.split_inclusive('\n').nth(index).unwrap()
}

#[test]
fn a_journal_of_format_1_is_folded_into_its_state() {
    let journal = read(FORMAT_1).unwrap().unwrap();
    assert_eq!((journal.done.len(), journal.failed, journal.open.len()), (1, 1, 1));
    let before = State::from_bytes(STATE_1).unwrap();
    let after = journal.fold(Some(before.clone()));
    let peer: Address = "peer.a".parse().unwrap();
    assert_eq!(after.resources[&peer].attributes["endpoint"], "192.0.2.1:51820");
    assert_eq!(after.resources.len(), before.resources.len() + 1);
    assert_eq!(after.open().last(), journal.open.last());
    assert!(matches!(journal.open[0], StateChange::RemoveDeposed { .. }));
    // What is only on its way does not change what is owned.
    assert_eq!(after.resources[&"interface.hq".parse().unwrap()].deposed.len(), 1);
}

#[test]
fn a_journal_without_a_state_makes_the_first_one() {
    let journal = read(&FORMAT_1.replace("\"serial\":7", "\"serial\":0")).unwrap().unwrap();
    let state = journal.fold(None);
    assert_eq!((state.lineage, state.serial), (journal.lineage, 0));
    assert_eq!(state.backends.len(), 1);
    assert_eq!(state.resources.len(), 1);
}

#[test]
fn a_recorded_backend_keeps_its_boot_id() {
    let begin = FORMAT_1.replacen("\"host_name\"", "\"boot_id\":\"new\",\"host_name\"", 1);
    let mut state = read(&begin).unwrap().unwrap().fold(Some(State::from_bytes(STATE_1).unwrap()));
    assert_eq!(
        state.backends.remove(&crate::resource::BackendId::new("hq")).unwrap().boot_id,
        None
    );
}

#[test]
fn every_prefix_is_read_and_loses_nothing_that_was_whole() {
    for end in 0..=FORMAT_1.len() {
        let text = &FORMAT_1[..end];
        let read = read(text).unwrap_or_else(|error| panic!("{end}: {error}"));
        let count = |word: &str| {
            text.split_inclusive('\n').filter(|it| it.ends_with('\n') && it.contains(word)).count()
        };
        let (begun, done, failed) = (count("\"begin\""), count("\"done\""), count("\"failed\""));
        let Some(journal) = read else {
            assert_eq!(begun, 0, "{end}");
            continue;
        };
        // A record whose last byte is missing only its line end counts, because it says what is true.
        assert!(journal.done.len() >= done && journal.done.len() <= done + 1, "{end}");
        assert!(journal.failed >= failed, "{end}");
        assert!(
            journal.open.len() + journal.done.len() + journal.failed >= count("\"intent\""),
            "{end}"
        );
    }
}

#[test]
fn zeroes_that_a_power_cut_left_at_the_end_are_ignored() {
    for tail in ["\0\0\0\0", "{\"record\":\"do\0\0\0\0\0\n", "{\"reco\0\0\n\0\0\0\n"] {
        let text = format!("{}{}{tail}", line(0), line(1));
        assert_eq!(read(&text).unwrap().unwrap().open.len(), 1, "{tail:?}");
    }
}

#[test]
fn garbage_in_the_middle_is_an_error() {
    for garbage in ["garbage\n", "\0\0\0\n", "\n", "{\"record\":\"do"] {
        let text = format!("{}{}{garbage}{}", line(0), line(1), line(4));
        // A torn line and the one behind it are one that was wholly written.
        assert_eq!(read(&text), Err(JournalError::Garbage { line: 3 }), "{garbage:?}");
    }
}

#[test]
fn a_whole_line_at_the_end_that_is_no_record_is_an_error() {
    let text = format!("{}{{\"record\":\"undone\"}}\n", line(0));
    assert_eq!(read(&text), Err(JournalError::Garbage { line: 2 }));
}

#[test]
fn a_journal_begins_once_and_first() {
    assert_eq!(read(line(1)), Err(JournalError::Garbage { line: 1 }));
    assert_eq!(read(&format!("{0}{0}", line(0))), Err(JournalError::Garbage { line: 2 }));
    assert_eq!(read(""), Ok(None));
}

#[test]
fn a_journal_of_a_newer_program_is_refused() {
    let text = "{\"record\":\"start\",\"version\":2}\n";
    assert_eq!(read(text), Err(JournalError::Newer { version: 2 }));
}

#[test]
fn a_step_that_is_tried_again_is_open_again() {
    let text = format!("{}{}{}{}", line(0), line(2), line(5), line(2));
    let journal = read(&text).unwrap().unwrap();
    assert_eq!((journal.failed, journal.open.len()), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_the_reader_panic(
        at in 0..FORMAT_1.len(),
        length in 0..60_usize,
        put in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:0\\\n"[..])], 0..6),
    ) {
        let mut bytes = FORMAT_1.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put);
        let _ = Recorded::from_bytes(&bytes);
    }
}
