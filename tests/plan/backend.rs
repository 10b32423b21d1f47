//! The Linux backend over a simulated host, with what a test may want to go wrong.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wgform::actual::Picture;
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

impl Read for Wayward {
    fn id(&self) -> &BackendId {
        self.inner.id()
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move {
            if self.traits.is_unreachable {
                return Err(BackendError {
                    backend: self.id().clone(),
                    attempt: "reach the host".to_owned(),
                    reason: "it does not answer".to_owned(),
                    hints: vec!["switch it on".to_owned()],
                });
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
            let end = self.watch.crash.get().filter(|crash| crash.done <= count);
            if let Some(crash) = end {
                batch.operations.truncate(crash.done);
            }
            let mut reported = 0;
            let mut first = |index, outcome: Outcome| {
                reported += 1;
                if end.is_none_or(|crash| reported <= crash.reported) {
                    landed(index, outcome);
                }
            };
            let done = batch.operations.len();
            self.inner.write(batch, stop, &mut first).await;
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
