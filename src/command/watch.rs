//! Tells of what happens while a command waits: events with the time at which they happen, and that time passes.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::actual::{Actual, Reading};
use crate::command::Context;
use crate::config::BackendDeclaration;
use crate::event::{BackendName, Event};
use crate::resource::BackendId;

/// As often the terminal is told that time passes.
const TICK: Duration = Duration::from_millis(100);

impl Context {
    /// Tells the terminal of an event.
    pub(crate) fn tell(&self, event: &Event) {
        self.ui.event(event, self.world.now());
    }

    /// Waits for something, and lets the terminal show meanwhile that time passes.
    pub(crate) async fn watched<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Where it cannot be caught, a stop by Ctrl-Z leaves a blot on the terminal and nothing worse.
        let mut resumed = signal(SignalKind::from_raw(Signal::CONT.as_raw())).ok();
        let mut resume = async || match &mut resumed {
            Some(resumed) => _ = resumed.recv().await,
            None => std::future::pending().await,
        };
        loop {
            tokio::select! {
                biased;
                () = resume() => self.ui.resumed(),
                result = &mut work => return result,
                _ = ticks.tick() => self.ui.tick(self.world.now()),
            }
        }
    }
}

/// Tells of a refresh.
pub(crate) struct Watch<'a> {
    context: &'a Context,
    declarations: &'a BTreeMap<BackendId, BackendDeclaration>,
    began: Timestamp,
    /// Nothing is told of backends that are not asked.
    is_refreshed: bool,
}

impl<'a> Watch<'a> {
    /// Says that it begins.
    pub(crate) fn begin(
        context: &'a Context,
        declarations: &'a BTreeMap<BackendId, BackendDeclaration>,
        is_refreshed: bool,
    ) -> Self {
        let watch = Self { context, declarations, began: context.world.now(), is_refreshed };
        watch.tell(|| Event::RefreshStarted { backends: declarations.len() });
        watch
    }

    /// Says that a backend is being read.
    pub(crate) fn asked(&self, id: &BackendId) {
        self.tell(|| Event::BackendAsked { backend: self.name(id) });
    }

    /// Says what came of it.
    pub(crate) fn answered(&self, id: &BackendId, reading: &Reading) {
        let (backend, elapsed_ms) = (self.name(id), self.elapsed_ms());
        self.tell(|| match reading {
            Reading::Read(picture) => {
                let peers = picture.interfaces.values().map(|it| it.peers.len()).sum();
                let interfaces = picture.interfaces.len();
                Event::BackendRead { backend, interfaces, peers, elapsed_ms }
            }
            Reading::Unreachable(why) => {
                let (reason, hints) = (why.reason.clone(), why.hints.clone());
                Event::BackendFailed { backend, reason, hints, elapsed_ms }
            }
        });
    }

    /// Says that all of them have answered or failed.
    pub(crate) fn end(&self, actual: &Actual) {
        let is_read = |it: &&Reading| matches!(it, Reading::Read(_));
        let read = actual.backends.values().filter(is_read).count();
        let failed = actual.backends.len() - read;
        let elapsed_ms = self.elapsed_ms();
        self.tell(|| Event::RefreshEnded { read, failed, elapsed_ms });
    }

    fn tell(&self, event: impl FnOnce() -> Event) {
        if self.is_refreshed {
            self.context.tell(&event());
        }
    }

    fn elapsed_ms(&self) -> u64 {
        self.context.world.elapsed_ms(self.began)
    }

    fn name(&self, id: &BackendId) -> BackendName {
        let declaration = self.declarations.get(id);
        BackendName {
            id: id.to_string(),
            kind: declaration.map(|it| it.kind.as_str().to_owned()).unwrap_or_default(),
            display_name: declaration.and_then(|it| it.display_name.clone()),
            simulated: declaration.is_some_and(|it| it.simulate),
        }
    }
}
