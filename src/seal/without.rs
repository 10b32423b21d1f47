//! What stands in for age in a program that was built without it: whatever is sealed stays so.

use crate::seal::keys::Keys;
use crate::seal::{SealError, Warn};

/// Whether anything can be sealed or opened.
pub(super) const IS_THERE: bool = false;

/// Nothing to open anything with.
pub(super) struct Identities;

impl Identities {
    pub(super) fn load(_: &Keys, _: Option<&Warn>) -> Result<Self, SealError> {
        Err(SealError::NoFeature)
    }
}

/// No key.
pub(super) struct JournalKey;

impl JournalKey {
    pub(super) fn new() -> Result<Self, SealError> {
        Err(SealError::NoFeature)
    }

    pub(super) fn from_bytes(_: &[u8]) -> Result<Self, SealError> {
        Err(SealError::NoFeature)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &[]
    }

    pub(super) fn seal(&self, _: &[u8], _: u64) -> Result<Vec<u8>, SealError> {
        Err(SealError::NoFeature)
    }

    pub(super) fn open(&self, _: &[u8], _: u64) -> Option<Vec<u8>> {
        None
    }
}

/// Nothing can be sealed for anybody.
pub(super) fn check_recipient(_: &str) -> Result<(), String> {
    Ok(())
}

pub(super) fn seal(_: &[u8], _: &Keys) -> Result<Vec<u8>, SealError> {
    Err(SealError::NoFeature)
}

pub(super) fn open(_: &[u8], _: &Identities) -> Result<Vec<u8>, SealError> {
    Err(SealError::NoFeature)
}
