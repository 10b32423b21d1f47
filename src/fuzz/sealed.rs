//! Any bytes as a sealed document, as what is in one, and as what is to be sealed: refused with a reason, or brought back
//! as they were.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::fuzz::{assert_printable, text};
use crate::seal::{SealError, Sealing, Settings};
use crate::value::Secret;

/// The key of everything in `fuzz/seeds/sealed`. It was made for that, and opens nothing else.
const IDENTITY: &str = "AGE-SECRET-KEY-1TQ72YZMLYCFWE4H60F8258H2PXRZA5UL55KHVTCTR0AY8TQGXRUQG4RE82";
const RECIPIENT: &str = "age1aptp6ac6dtut8jwu9vmw6dpae57s258mqst29rdyhd3zjkpmjcnqyysxlt";

/// Opens a document, and what else it may have been meant as.
pub(super) fn sealed(bytes: &[u8]) {
    opened(bytes);
    // What is changed at random is hardly ever base64 still.
    let content = BASE64.encode(bytes);
    opened(format!("{{\"version\":1,\"lineage\":\"0191f0a0-0000-7000-8000-000000000001\",\"serial\":7,\"sealed\":\"age\",\"content\":\"{content}\"}}").as_bytes());
    journal(bytes.to_vec());
    journal(format!("{{\"sealed_journal\":1,\"key\":\"{content}\"}}\n").into_bytes());
    state(bytes);
    plan(bytes);
    records(bytes);
}

/// What opens and seals. A new one each time, because one remembers what it has opened.
fn sealing() -> Sealing {
    let environment = BTreeMap::from([
        ("WGFORM_AGE_IDENTITY".to_owned(), Secret::new(IDENTITY)),
        ("WGFORM_AGE_RECIPIENTS".to_owned(), Secret::new(RECIPIENT)),
    ]);
    let settings = Settings { environment, ..Settings::default() };
    Sealing::new(settings, Path::new("."), Arc::new(|_: &str| ())).expect("a key that is right")
}

fn opened(bytes: &[u8]) {
    match sealing().open(bytes) {
        Ok(plain) if Sealing::is_sealed(bytes) => {
            // A plan goes on into a check of its own, and a state says what it says outside.
            if let (Some(outside), Some(inside)) = (numbers(bytes), numbers(&plain)) {
                assert_eq!(outside, inside);
            }
        }
        Ok(plain) => assert_eq!(&*plain, bytes),
        Err(error) => assert_told(&error),
    }
}

fn assert_told(error: &SealError) {
    let said = error.to_string();
    assert!(!said.is_empty() && !error.hint().is_empty());
    assert_printable(&said);
    assert!(!said.contains("AGE-SECRET-KEY-1") && !format!("{error:?}").contains(IDENTITY));
}

/// Returns the serial that a document says.
fn numbers(bytes: &[u8]) -> Option<u64> {
    let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    document.get("serial")?.as_u64()
}

/// Seals a state, and opens it again; a change of it is noticed.
fn state(bytes: &[u8]) {
    let Ok(sealed) = sealing().seal(bytes).map(std::borrow::Cow::into_owned) else { return };
    assert!(Sealing::is_sealed(&sealed), "{}", text(&sealed));
    assert_eq!(sealing().open(&sealed).as_deref(), Ok(bytes));
    let mut damaged = sealed.clone();
    let at = usize::from(bytes.last().copied().unwrap_or_default()) * 7 % sealed.len();
    damaged[at] ^= 1;
    match sealing().open(&damaged) {
        Ok(plain) => {
            assert!(*plain == damaged || *plain == *bytes, "damage at {at} is not noticed")
        }
        Err(error) => assert_told(&error),
    }
}

/// Seals a plan, and opens it again.
fn plan(bytes: &[u8]) {
    let Ok(sealed) = sealing().seal_plan(bytes).map(std::borrow::Cow::into_owned) else { return };
    match sealing().open(&sealed) {
        Ok(plain) => assert_eq!(&*plain, bytes),
        // It says of itself that it is something else.
        Err(error) => assert_told(&error),
    }
}

fn journal(bytes: Vec<u8>) {
    if let Err(error) = sealing().open_journal(bytes) {
        assert_told(&error);
    }
}

/// Seals the records of a journal. What a crash leaves of it is read up to there.
fn records(bytes: &[u8]) {
    let Ok(Some((mut seal, mut sealed))) = sealing().journal() else { return };
    sealed.extend(seal.seal(bytes).expect("there is randomness"));
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let plain: Vec<u8> = lines.flat_map(|line| [line, b"\n"].concat()).collect();
    assert_eq!(sealing().open_journal(sealed.clone()), Ok((plain.clone(), true)));
    let end = sealed.len() - (sealed.len() / 3).min(bytes.len());
    let (torn, _) = sealing().open_journal(sealed[..end].to_vec()).expect("a torn journal");
    let whole = torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |it| it + 1);
    assert!(plain.starts_with(&torn[..whole]), "torn at {end}");
}
