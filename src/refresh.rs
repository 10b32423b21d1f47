//! Asks every backend, so many at once, and makes one picture of the answers and of what could not be read.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use futures_util::{StreamExt, stream};

use crate::actual::{Actual, Reading};
use crate::backend::{Interest, Read};
use crate::resource::BackendId;

/// Reads all these backends, each whole, `at_once` of them side by side. `asked` is told of each one before, and `finished` as
/// it answers.
pub async fn refresh(
    backends: &[&dyn Read],
    interest: &BTreeMap<BackendId, Interest>,
    at_once: NonZeroUsize,
    asked: &dyn Fn(&BackendId),
    finished: &dyn Fn(&BackendId, &Reading),
) -> Actual {
    let nothing = Interest::default();
    let readings = backends.iter().map(async |backend| {
        let id = backend.id().clone();
        asked(&id);
        let reading = match backend.read(interest.get(&id).unwrap_or(&nothing)).await {
            Ok(picture) => Reading::Read(Box::new(picture)),
            Err(error) => Reading::Unreachable(error.into()),
        };
        finished(&id, &reading);
        (id, reading)
    });
    Actual { backends: stream::iter(readings).buffer_unordered(at_once.get()).collect().await }
}
