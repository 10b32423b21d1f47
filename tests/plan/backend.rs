//! The Linux backend over a simulated host, with what a test may want to go wrong.

#![expect(clippy::disallowed_methods, reason = "the tests look at the files of a run")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wgform::actual::{Examination, Picture};
use wgform::backend::linux::Linux;
use wgform::backend::{Answer, BackendError, Batch, Interest, Landed, Outcome, Read, Stop, Write};
use wgform::resource::BackendId;

/// What is special about a host.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traits {
    /// It cannot be read.
    pub is_unreachable: bool,
    /// Its interfaces keep their names, as those of wireguard-go do.
    pub cannot_rename: bool,
    /// Of the first batch, the operation with this index is done, and nobody learns of it; what comes after it is not.
    pub breaks_at: Option<usize>,
    /// It cannot be read once that has happened.
    pub is_lost_then: bool,
}

/// The instant at which the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// So many writes were done.
    pub done: usize,
    /// So many of them were reported.
    pub reported: usize,
}

/// What an apply has in common with the test that watches it.
#[derive(Debug, Default)]
pub struct Watch {
    pub crash: Cell<Option<Crash>>,
    pub crashed: tokio::sync::Notify,
    /// How many writes there were.
    pub writes: Cell<usize>,
    /// How many hosts are written to at this moment, and how many there were at most.
    pub at_once: Cell<usize>,
    pub most_at_once: Cell<usize>,
    /// Whether a host has broken a batch off.
    pub is_broken: Cell<bool>,
    /// What was on the disk between the writes.
    pub journals: RefCell<Vec<String>>,
}

/// A backend that can be told to misbehave.
pub struct Wayward {
    pub inner: Linux,
    pub traits: Traits,
    pub watch: Rc<Watch>,
    pub journal: std::path::PathBuf,
}

impl Wayward {
    fn gone(&self) -> BackendError {
        BackendError {
            backend: self.id().clone(),
            attempt: "reach the host".to_owned(),
            reason: "it does not answer".to_owned(),
            hints: vec!["switch it on".to_owned()],
        }
    }
}

impl Read for Wayward {
    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        self.inner.examine()
    }

    fn id(&self) -> &BackendId {
        self.inner.id()
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move {
            let is_lost = self.traits.is_lost_then && self.watch.is_broken.get();
            if self.traits.is_unreachable || is_lost {
                return Err(self.gone());
            }
            let mut picture = self.inner.read(interest).await?;
            picture.capabilities.renames &= !self.traits.cannot_rename;
            Ok(picture)
        })
    }
}

impl Write for Wayward {
    fn write<'a>(&'a self, mut batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let count = batch.operations.len();
            self.watch.at_once.set(self.watch.at_once.get() + 1);
            self.watch
                .most_at_once
                .set(self.watch.most_at_once.get().max(self.watch.at_once.get()));
            // Whoever else is written to at the same time begins before this goes on.
            tokio::task::yield_now().await;
            let breaks_at = self.traits.breaks_at.filter(|_| !self.watch.is_broken.get());
            let breaks_at = breaks_at.filter(|at| *at < count);
            if let Some(at) = breaks_at {
                batch.operations.truncate(at + 1);
                self.watch.is_broken.set(true);
            }
            let end = self.watch.crash.get().filter(|crash| crash.done <= count);
            if let Some(crash) = end {
                batch.operations.truncate(crash.done);
            }
            let mut reported = 0;
            let mut first = |index, outcome: Outcome| {
                reported += 1;
                if end.is_none_or(|crash| reported <= crash.reported) {
                    let is_broken = breaks_at == Some(index);
                    landed(index, if is_broken { Outcome::Failed(self.gone()) } else { outcome });
                }
            };
            let done = batch.operations.len();
            self.inner.write(batch, stop, &mut first).await;
            if let Some(at) = breaks_at {
                (at + 1..count).for_each(|index| first(index, Outcome::Skipped(at)));
            }
            self.watch.at_once.set(self.watch.at_once.get() - 1);
            self.watch.writes.set(self.watch.writes.get() + done);
            let journal = std::fs::read_to_string(&self.journal).unwrap_or_default();
            self.watch.journals.borrow_mut().push(journal);
            match (end, self.watch.crash.get()) {
                (Some(_), _) => {
                    self.watch.crashed.notify_one();
                    std::future::pending::<()>().await;
                }
                (None, Some(Crash { done, reported })) => {
                    let reported = reported.saturating_sub(count);
                    self.watch.crash.set(Some(Crash { done: done - count, reported }));
                }
                (None, None) => {}
            }
        })
    }
}
