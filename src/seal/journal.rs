//! The journal of a run, sealed as it grows.
//!
//! Its first line holds a key that was made for it, sealed as every document is. Each record after that is a line of its
//! own: sealed with that key by XChaCha20-Poly1305 under a nonce drawn for it, and bound to its place, so that no record
//! can be moved or left out in the middle. A passphrase, slow by intent, is so needed once for a journal and not for each
//! of ten thousand records. A last record that a crash tore is none, as in a plain journal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::seal::{SealError, Sealing, cipher};

/// How the first line of a sealed journal begins.
const BEGINNING: &[u8] = b"{\"sealed_journal\":";
const VERSION: u64 = 1;
/// What stands in the place of a record that cannot be opened: no record can be read there.
const UNREADABLE: &[u8] = b"?";

/// What seals one journal.
pub struct JournalSeal {
    key: cipher::JournalKey,
    /// How many records were written.
    at: u64,
}

impl std::fmt::Debug for JournalSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalSeal(…)")
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    sealed_journal: u64,
    key: String,
}

impl Sealing {
    /// Makes the seal of a journal, and its first line; none where nothing is sealed.
    ///
    /// # Errors
    /// When it has to be sealed and cannot be.
    pub fn journal(&self) -> Result<Option<(JournalSeal, Vec<u8>)>, SealError> {
        if !self.must_seal()? {
            return Ok(None);
        }
        let key = cipher::JournalKey::new()?;
        let sealed = cipher::seal(key.bytes(), &self.0.keys)?;
        let head = Head { sealed_journal: VERSION, key: BASE64.encode(sealed) };
        let mut line = serde_json::to_vec(&head).expect("the fields are texts and numbers");
        line.push(b'\n');
        Ok(Some((JournalSeal { key, at: 0 }, line)))
    }

    /// Returns a journal as it was before it was sealed; one that is plain as it is. Whether it was sealed comes with it.
    ///
    /// # Errors
    /// When it cannot be opened. A record that cannot be is left in it as a line that says nothing.
    pub fn open_journal(&self, bytes: Vec<u8>) -> Result<(Vec<u8>, bool), SealError> {
        if !bytes.starts_with(BEGINNING) {
            // Not even the first line may have been written.
            let is_torn = !bytes.is_empty() && BEGINNING.starts_with(&bytes);
            return Ok((if is_torn { Vec::new() } else { bytes }, is_torn));
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let Some(end) = end.filter(|end| !bytes[..*end].contains(&0)) else {
            return Ok((Vec::new(), true));
        };
        let damaged = |_| SealError::Damaged { why: "its first line cannot be read" };
        let head: Head = serde_json::from_slice(&bytes[..end]).map_err(damaged)?;
        if head.sealed_journal != VERSION {
            return Err(SealError::UnknownMethod);
        }
        let sealed = BASE64
            .decode(head.key)
            .map_err(|_| SealError::Damaged { why: "its first line is not base64" })?;
        self.0.was_sealed.store(true, std::sync::atomic::Ordering::Relaxed);
        let key = cipher::JournalKey::from_bytes(&cipher::open(&sealed, self.identities()?)?)?;
        let lines = bytes[end + 1..].split_inclusive(|byte| *byte == b'\n');
        let plain = lines.zip(0..).flat_map(|(line, at)| opened(&key, line, at)).collect();
        Ok((plain, true))
    }
}

/// Opens one record. What cannot be opened keeps what tells a line that was never wholly written from one that was
/// changed.
fn opened(key: &cipher::JournalKey, line: &[u8], at: u64) -> Vec<u8> {
    let whole = line.strip_suffix(b"\n");
    let record = whole.and_then(|it| key.open(&BASE64.decode(it).ok()?, at));
    match record {
        Some(mut record) => {
            record.push(b'\n');
            record
        }
        None => {
            let mut kept = UNREADABLE.to_vec();
            kept.extend(line.contains(&0).then_some(0));
            kept.extend(line.ends_with(b"\n").then_some(b'\n'));
            kept
        }
    }
}

impl JournalSeal {
    /// Seals records, each a line.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&mut self, lines: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(lines.len() * 3 / 2);
        for line in lines.split(|byte| *byte == b'\n').filter(|it| !it.is_empty()) {
            sealed.extend_from_slice(BASE64.encode(self.key.seal(line, self.at)?).as_bytes());
            sealed.push(b'\n');
            self.at += 1;
        }
        Ok(sealed)
    }

    /// Returns how many records were sealed.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Goes back to a record, because those after it were not written.
    pub fn rewind(&mut self, to: u64) {
        self.at = to;
    }
}
