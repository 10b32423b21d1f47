//! Any bytes as a state file or a journal: refused with a reason, or read without losing anything.

use serde_json::Value as Json;

use crate::fuzz::{assert_printable, text};
use crate::plan::saved::{Opened, Saved, SavedError, differences};
use crate::render::plan::{Purpose, plan};
use crate::render::{Paint, stale};
use crate::state::{JournalRecord, Recorded, State};
use crate::value::FingerprintKey;

/// The fingerprint key of `testdata/state`.
const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Reads a state file, and writes what it says.
pub(super) fn state(bytes: &[u8]) {
    let state = match State::from_bytes(bytes) {
        Ok(state) => state,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !error.hint().is_empty());
            let elsewhere = text(bytes).replace(&format!("\"fingerprint_key\": \"{SECRET}\""), "");
            assert!(elsewhere.contains("BwcHBwcH") || !said.contains("BwcHBwcH"), "{said}");
            return;
        }
    };
    let written = state.to_bytes();
    assert_eq!(State::from_bytes(&written).as_ref(), Ok(&state), "{}", text(&written));
    assert_eq!(State::from_bytes(&written).map(|it| it.to_bytes()), Ok(written.clone()));
    let json = |bytes| serde_json::from_slice::<Json>(bytes).ok();
    if let (Some(before), Some(after)) = (json(bytes), json(&written)) {
        assert_kept("", &before, &after);
    }
    assert_printable(&crate::render::state::state(&state));
    drop((state.open(), state.backends_in_use()));
}

/// Reads a plan file, and a plan that somebody sealed who knows how.
pub(super) fn saved_plan(bytes: &[u8]) {
    if let Err(error) = Opened::from_bytes(bytes) {
        let said = error.to_string();
        assert!(!said.is_empty() && !error.hint().is_empty());
        assert_printable(&said);
    }
    let Ok(saved) = serde_json::from_slice::<Saved>(bytes) else { return };
    let key = FingerprintKey::from_bytes([7; 32]);
    let opened = match Opened::from_bytes(&saved.to_bytes(&key)) {
        Ok(opened) => opened,
        Err(SavedError::Invalid { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(opened.saved, saved);
    assert_eq!(opened.is_signed_with(&key), !saved.is_first);
    for purpose in [Purpose::Apply, Purpose::RefreshOnly] {
        assert_printable(&plan(&saved.plan(), purpose, Paint::PLAIN));
    }
    assert_eq!(differences(&saved, &opened.saved).0, Vec::new());
    let nothing = Saved { changes: Vec::new(), ..saved.clone() };
    assert_printable(&stale::differences(&differences(&nothing, &saved).0));
}

/// Fails when something that was in a document is not in it any more. What says nothing may go.
fn assert_kept(path: &str, before: &Json, after: &Json) {
    match (before, after) {
        _ if path == ".wgform_version" => {}
        (Json::Object(before), Json::Object(after)) => {
            for (key, value) in before.iter().filter(|(_, value)| !is_nothing(value)) {
                let path = format!("{path}.{key}");
                let Some(kept) = after.get(key) else { panic!("{path} is lost") };
                assert_kept(&path, value, kept);
            }
        }
        (Json::Array(before), Json::Array(after)) => {
            // Sets are written in their own order, each element once.
            let is_set = path.contains(".owned_elements.") || path.ends_with(".dependencies");
            assert!(is_set || before.len() == after.len(), "{path} has lost elements");
            if !is_set {
                before
                    .iter()
                    .zip(after)
                    .for_each(|(before, after)| assert_kept(path, before, after));
            }
        }
        _ => {
            let is_same = before == after || spelled_anew(before, after);
            assert!(is_same, "{path} was {before} and is {after}");
        }
    }
}

fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(items) => items.is_empty(),
        Json::Number(_) | Json::String(_) | Json::Bool(true) => false,
    }
}

/// Returns whether two texts are one id or one key, which have one canonical spelling.
fn spelled_anew(before: &Json, after: &Json) -> bool {
    let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else { return false };
    let id = |text: &str| uuid::Uuid::try_parse(text).ok();
    // Blanks around the text of a key are none of it.
    id(before).is_some() && id(before) == id(after) || before.trim() == after
}

/// Reads a journal, folds it into a state, and tears and damages it.
pub(super) fn journal(bytes: &[u8]) {
    let recorded = match Recorded::from_bytes(bytes) {
        Ok(Some(recorded)) => recorded,
        Ok(None) => return,
        Err(error) => return assert_printable(&error.to_string()),
    };
    let fresh = recorded.fold(None);
    assert_reads_back(&fresh);
    // Whoever was killed while folding folds again.
    let again = recorded.fold(Some(fresh.clone()));
    assert_reads_back(&again);
    assert_eq!(again.backends, fresh.backends);
    torn(bytes, &recorded);
    damaged(bytes);
}

fn assert_reads_back(state: &State) {
    let written = state.to_bytes();
    let read = State::from_bytes(&written);
    assert_eq!(read.as_ref(), Ok(state), "{}", text(&written));
}

/// A journal whose end was never written is read up to there. Cutting off what cannot be read could make a record of it.
fn torn(bytes: &[u8], whole: &Recorded) {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let readable: usize = lines.take_while(|line| is_record(line)).map(<[u8]>::len).sum();
    let bytes = &bytes[..readable];
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let places = ends.flat_map(|end| [end.saturating_sub(1), end, end + 1, end + 2]).take(40);
    for end in places.filter(|end| *end < bytes.len()) {
        match Recorded::from_bytes(&bytes[..end]) {
            Ok(Some(part)) => assert!(whole.done.starts_with(&part.done), "torn at {end}"),
            Ok(None) => {}
            Err(error) => panic!("torn at {end}: {error}"),
        }
    }
}

fn is_record(line: &[u8]) -> bool {
    serde_json::from_slice::<JournalRecord>(line).is_ok()
}

/// A record that cannot be read in front of one that can is damage, and said.
fn damaged(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let Some(last) = lines.iter().rposition(|line| is_record(line)) else { return };
    for damaged in 0..last.min(5) {
        let mut lines: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        lines[damaged][0] = b'x';
        assert!(Recorded::from_bytes(&lines.concat()).is_err(), "line {damaged} is passed over");
    }
}
