//! WireGuard on Linux: this host, one of its network namespaces, another host over SSH, or a simulated one, under the
//! same code.
//!
//! One read or one batch runs on a thread of its own, which enters the namespace and ends with the work: a thread
//! cannot safely come back from one. `host` lists the calls that a host knows, `wire` is where they meet our model.

mod wire;
mod host;
mod explain;
mod key_text;
mod picture;
mod batch;
mod interface;
mod boot;
mod peers;
mod remote;
mod routes;
mod hooks;
mod examine;
mod resolver;
mod system;
mod netlink;
mod device;
mod userspace;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use crate::actual::{Examination, Picture};
use crate::backend::linux::host::{Host, Simulated};
use crate::backend::linux::picture::Question;
use crate::backend::linux::remote::{Far, Foresight, Remote};
use crate::backend::linux::system::System;
use crate::backend::{Answer, BackendError, Batch, Interest, Landed, Outcome, Read, Stop, Write};
use crate::config::{Driver, Ssh};
use crate::resource::{BackendId, BackendKind};
use crate::simulator::linux::SimulatedLinux;
use crate::simulator::linux::call::Refusal;
use crate::world::World;

/// A Linux host.
#[derive(Debug, Clone)]
pub struct Linux {
    id: BackendId,
    kind: BackendKind,
    netns: Option<String>,
    place: Place,
    userspace_program: Option<String>,
    world: World,
}

#[derive(Debug, Clone)]
enum Place {
    Real(Driver),
    Far(Far),
    Simulated(SimulatedLinux),
}

impl Linux {
    /// Stands on this machine, in a named network namespace when one is given.
    pub fn real(id: BackendId, netns: Option<String>, driver: Driver, world: World) -> Self {
        Self {
            id,
            kind: BackendKind::Local,
            netns,
            place: Place::Real(driver),
            userspace_program: None,
            world,
        }
    }

    /// Stands on another host, that is reached by SSH. It is connected to when it is read, and once for all that
    /// follows.
    pub fn over_ssh(
        id: BackendId,
        ssh: Ssh,
        netns: Option<String>,
        driver: Driver,
        world: World,
    ) -> Self {
        let place = Place::Far(Far::new(ssh, netns.clone(), driver));
        Self { id, kind: BackendKind::Linux, netns, place, userspace_program: None, world }
    }

    /// Takes this program for a userspace WireGuard, by its name or its absolute path.
    #[must_use]
    pub fn with_userspace_program(self, userspace_program: Option<String>) -> Self {
        Self { userspace_program, ..self }
    }

    /// Stands on a simulated host.
    pub fn simulated(
        id: BackendId,
        netns: Option<String>,
        host: SimulatedLinux,
        world: World,
    ) -> Self {
        Self {
            id,
            kind: BackendKind::Local,
            netns,
            place: Place::Simulated(host),
            userspace_program: None,
            world,
        }
    }

    /// Stands for a backend of another kind.
    #[must_use]
    pub fn of_kind(self, kind: BackendKind) -> Self {
        Self { kind, ..self }
    }

    /// Comes to the host from the thread that is to work there.
    fn enter(&self, foresight: impl FnOnce() -> Foresight) -> Result<Box<dyn Host>, Refusal> {
        match &self.place {
            Place::Real(driver) => {
                let environment = self.world.environment.clone();
                let program = userspace::program(self.userspace_program.as_deref(), &environment);
                Ok(Box::new(System::enter(self.netns.as_deref(), *driver, program, environment)?))
            }
            Place::Far(far) => {
                let program = self.userspace_program.as_deref();
                Ok(Box::new(Remote::enter(far, program, &self.world, foresight())?))
            }
            Place::Simulated(host) => {
                Ok(Box::new(Simulated { host: host.clone(), now: self.world.now() }))
            }
        }
    }

    /// Enters the host from this thread, and asks it something.
    fn ask<T>(
        &self,
        interest: &Interest,
        ask: impl FnOnce(&mut dyn Host, &Question<'_>) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let foresight = || Foresight::Picture(interest.clone());
        let mut host = self.enter(foresight).map_err(|refusal| self.not_entered(refusal))?;
        let question = Question {
            backend: &self.id,
            kind: self.kind,
            netns: self.netns.as_deref(),
            simulated: matches!(self.place, Place::Simulated(_)),
            now: self.world.now(),
            interest,
        };
        ask(&mut *host, &question)
    }

    /// Asks the host something from a thread of its own.
    async fn answer<T: Send + 'static>(
        &self,
        attempt: &str,
        interest: Interest,
        ask: impl FnOnce(&mut dyn Host, &Question<'_>) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let thread = self.start(move |own| _ = sender.send(own.ask(&interest, ask)))?;
        let answer = receiver.await;
        finish(thread);
        answer.unwrap_or_else(|_| Err(self.lost(attempt)))
    }

    fn write_here(&self, batch: Batch, stop: &Stop, outcomes: &mpsc::UnboundedSender<Landing>) {
        // When nobody listens any more, the run is over: nothing new starts.
        let is_stopped = || stop.is_raised() || outcomes.is_closed();
        let mut report = |index, outcome| _ = outcomes.send((index, outcome));
        let Batch { operations } = batch;
        match self.enter(|| Foresight::of_batch(&operations)) {
            Ok(mut host) => {
                batch::run(&self.id, &mut *host, operations, &is_stopped, &mut report);
            }
            Err(refusal) => batch::refuse(&operations, &self.not_entered(refusal), &mut report),
        }
    }

    fn not_entered(&self, refusal: Refusal) -> BackendError {
        let attempt = match (&self.place, &self.netns) {
            (Place::Far(far), _) => format!("reach the host `{}` by SSH", far.name()),
            (_, Some(name)) => format!("enter the network namespace `{name}`"),
            (_, None) => "reach the host's network".to_owned(),
        };
        explain::error(&self.id, attempt, explain::During::Reading, refusal)
    }

    /// The thread is gone without a word: a library has panicked.
    fn lost(&self, attempt: &str) -> BackendError {
        let hint = "run `plan` again; if it happens again, please report it";
        explain::error(
            &self.id,
            attempt,
            explain::During::Reading,
            Refusal::said("the work ended without an answer", hint),
        )
    }

    fn start(
        &self,
        work: impl FnOnce(&Self) + Send + 'static,
    ) -> Result<JoinHandle<()>, BackendError> {
        let own = self.clone();
        let started =
            thread::Builder::new().name(format!("backend {}", self.id)).spawn(move || work(&own));
        started.map_err(|error| {
            let refusal = Refusal::said(
                format!("no thread could be started: {error}"),
                "raise the limit on processes",
            );
            explain::error(&self.id, "start to work", explain::During::Reading, refusal)
        })
    }
}

type Landing = (usize, Outcome);

impl Read for Linux {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(self.answer("read the WireGuard interfaces", interest.clone(), picture::read))
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        Box::pin(self.answer("examine the host", Interest::default(), examine::examine))
    }
}

impl Write for Linux {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut open: Vec<bool> = vec![true; batch.operations.len()];
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let error = match self.start(move |own| own.write_here(batch, &stop, &sender)) {
                Ok(thread) => {
                    while let Some((index, outcome)) = receiver.recv().await {
                        open[index] = false;
                        landed(index, outcome);
                    }
                    finish(thread);
                    self.lost("finish the batch")
                }
                Err(error) => error,
            };
            for (index, _) in open.into_iter().enumerate().filter(|(_, open)| *open) {
                landed(index, Outcome::Failed(error.clone()));
            }
        })
    }
}

/// Waits until a thread that has given its answer has let go of the host, so that the next one finds it free.
fn finish(thread: JoinHandle<()>) {
    // One that has panicked gave no answer, which is seen elsewhere.
    _ = thread.join();
}
