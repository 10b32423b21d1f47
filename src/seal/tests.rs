//! Sealing and opening, without a store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use serde_json::Value as Json;

use crate::seal::{SealError, Sealing, Settings, Writes};
use crate::value::Secret;

const PLAIN: &[u8] =
    br#"{"version":1,"lineage":"0191f0a0-0000-7000-8000-000000000001","serial":7,"endpoint":"vpn.example.net"}"#;

fn sealing(recipients: &[&Identity], identity: Option<&Identity>) -> Sealing {
    let recipients = recipients.iter().map(|it| it.to_public().to_string()).collect::<Vec<_>>();
    let mut environment = BTreeMap::new();
    if let Some(identity) = identity {
        let text = identity.to_string().expose_secret().to_owned();
        environment.insert("WGFORM_AGE_IDENTITY".to_owned(), Secret::new(text));
    }
    let recipients = (!recipients.is_empty()).then_some(recipients);
    of(Settings { recipients, environment, ..Settings::default() })
        .expect("settings that are right")
}

fn with_passphrase(passphrase: &str) -> Settings {
    let environment = [("WGFORM_PASSPHRASE".to_owned(), Secret::new(passphrase))].into();
    Settings { environment, ..Settings::default() }
}

fn of(settings: Settings) -> Result<Sealing, crate::seal::WrongKey> {
    Sealing::new(settings, Path::new("."), Arc::new(|_: &str| ()))
}

#[test]
fn what_is_sealed_is_opened_by_each_recipient_and_by_nobody_else() {
    let (ann, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let sealed = sealing(&[&ann, &bob], None).seal(PLAIN).unwrap().into_owned();
    let text = String::from_utf8(sealed.clone()).unwrap();
    assert!(!text.contains("vpn.example.net"));
    let document: Json = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["serial"], &document["sealed"]), (&7.into(), &"age".into()));
    for identity in [&ann, &bob] {
        assert_eq!(&*sealing(&[], Some(identity)).open(&sealed).unwrap(), PLAIN);
    }
    let error = sealing(&[], Some(&eve)).open(&sealed).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the identity in `WGFORM_AGE_IDENTITY` cannot open it: it is sealed for 2 recipients"
    );
    let error = sealing(&[&ann], None).open(&sealed).unwrap_err();
    assert!(matches!(error, SealError::NoKeys { .. }), "{error}");
}

#[test]
fn what_says_another_serial_outside_than_inside_is_refused() {
    let ann = Identity::generate();
    let both = sealing(&[&ann], Some(&ann));
    let sealed = String::from_utf8(both.seal(PLAIN).unwrap().into_owned()).unwrap();
    let moved = sealed.replace("\"serial\":7", "\"serial\":9");
    let error = both.open(moved.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is not as it was sealed: it says that it is serial 9, and what is sealed is serial 7"
    );
}

#[test]
fn a_state_that_says_it_is_a_plan_is_refused() {
    let ann = Identity::generate();
    let both = sealing(&[&ann], Some(&ann));
    let sealed = String::from_utf8(both.seal(PLAIN).unwrap().into_owned()).unwrap();
    for kind in ["wgform plan", "state"] {
        let called = sealed.replacen('{', &format!("{{\"kind\":\"{kind}\","), 1);
        let other = called.replace("\"serial\":7", "\"serial\":9");
        for document in [called, other] {
            let error = both.open(document.as_bytes()).unwrap_err();
            assert!(matches!(error, SealError::Damaged { .. }), "{error}");
        }
    }
}

#[test]
fn damage_at_every_byte_is_noticed() {
    let ann = Identity::generate();
    let sealed = sealing(&[&ann], None).seal(PLAIN).unwrap().into_owned();
    let reader = sealing(&[], Some(&ann));
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        // What no longer says that it is sealed is read as a plain document, which it is not.
        if let Ok(plain) = reader.open(&damaged) {
            assert!(*plain == *damaged || *plain == *PLAIN, "byte {at}");
        }
        // The line break at its end says nothing.
        let is_whole = sealed[at..] == *b"\n";
        let cut = reader.open(&sealed[..at]);
        assert!(cut.map_or(true, |it| is_whole || *it == sealed[..at]), "{at} bytes");
    }
}

#[test]
fn a_passphrase_seals_and_opens_and_a_short_one_is_refused() {
    let sealing = of(with_passphrase("correct horse battery")).unwrap();
    assert_eq!(*sealing.writes(), Writes::Passphrase);
    let sealed = sealing.seal(PLAIN).unwrap().into_owned();
    let again = of(with_passphrase("correct horse battery")).unwrap();
    assert_eq!(&*again.open(&sealed).unwrap(), PLAIN);
    let other = of(with_passphrase("another horse's battery")).unwrap();
    assert_eq!(
        other.open(&sealed).unwrap_err().to_string(),
        "the passphrase in `WGFORM_PASSPHRASE` cannot open it: it is sealed with a passphrase"
    );
    let wrong = of(with_passphrase("hunter2")).unwrap_err();
    assert!(!format!("{wrong} {wrong:?} {sealing:?}").contains("hunter2"));
}

#[test]
fn the_same_document_is_sealed_once_and_one_that_was_read_is_sealed_anew() {
    let (ann, bob) = (Identity::generate(), Identity::generate());
    let old = sealing(&[&ann], None);
    let first = old.seal(PLAIN).unwrap().into_owned();
    assert_eq!(*old.seal(PLAIN).unwrap(), *first);
    let new = sealing(&[&ann, &bob], Some(&ann));
    new.open(&first).unwrap();
    let second = new.seal(PLAIN).unwrap().into_owned();
    assert_eq!(&*sealing(&[], Some(&bob)).open(&second).unwrap(), PLAIN);
}

#[test]
fn what_was_sealed_is_not_laid_open_by_whoever_lacks_the_recipients() {
    let ann = Identity::generate();
    let sealed = sealing(&[&ann], None).seal(PLAIN).unwrap().into_owned();
    let reader = sealing(&[], Some(&ann));
    assert_eq!(*reader.seal(PLAIN).unwrap(), *PLAIN, "nothing was sealed so far");
    reader.open(&sealed).unwrap();
    assert_eq!(reader.seal(PLAIN).unwrap_err(), SealError::NoRecipients);
}

#[test]
fn a_document_that_only_speaks_of_sealing_is_plain() {
    for text in [r#"{"outputs":{"sealed":"age"}}"#, r#"{"sealed":true}"#, "", "{"] {
        let opened = Sealing::default().open(text.as_bytes()).unwrap();
        assert_eq!(*opened, *text.as_bytes());
    }
}

#[test]
fn a_torn_journal_is_read_to_its_last_whole_record_and_a_changed_one_is_not() {
    let ann = Identity::generate();
    let both = sealing(&[&ann], Some(&ann));
    let (mut seal, mut journal) = both.journal().unwrap().unwrap();
    let mut ends = vec![journal.len()];
    for record in ["{\"a\":1}\n", "{\"b\":2}\n{\"c\":3}\n"] {
        journal.extend(seal.seal(record.as_bytes()).unwrap());
        ends.push(journal.len());
    }
    let open = |bytes: &[u8]| both.open_journal(bytes.to_vec()).map(|(plain, _)| plain);
    assert_eq!(open(&journal).unwrap(), b"{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    assert!(!String::from_utf8_lossy(&journal).contains("{\"a\""));
    assert_eq!(open(&journal[..ends[1] + 9]).unwrap(), b"{\"a\":1}\n?", "a torn record");
    assert_eq!(open(&journal[..9]).unwrap(), b"", "a torn first line");
    assert_eq!(open(&journal[..ends[0] - 1]).unwrap(), b"", "a torn first line");
    // Records that are moved, or left out in the middle, are none.
    let without = [&journal[..ends[0]], &journal[ends[1]..]].concat();
    assert_eq!(open(&without).unwrap(), b"?\n?\n");
    // Nor is one in the open that somebody writes there.
    let added = [&journal[..ends[1]], b"{\"d\":4}\n".as_slice()].concat();
    assert_eq!(open(&added).unwrap(), b"{\"a\":1}\n?\n");
}
